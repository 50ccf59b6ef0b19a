"""Particles in double wells and cosine potentials."""

from pathlib import Path

import numpy as np
import pytest
from oscillator_networks import simulate
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.linalg import eigh_tridiagonal

from trajsim.analysis.averages import averages
from trajsim.config import load
from trajsim.models import oscillators
from trajsim.models.waveform import Waveform, pack
from trajsim.plan import Plan
from trajsim.running.run import simulate as simulate_run
from trajsim.store import open_run

SCHEMES = ("hoh", "baoab")
COLD, PERIOD = 1e-20, 4.0
FALSE_ALARM = 1e-4
MASS, FRICTION = np.array([1.0, 0.7]), np.array([0.5, 0.9])


def wells(temperatures):
    """A driven particle in a double well, bound to one on a washboard of two wavelengths."""
    return oscillators.network(
        period=PERIOD,
        mass=MASS,
        friction=FRICTION,
        temperature=temperatures,
        bath=[0, 1],
        site_stiffness=[-1.5, 0.0],
        site_quartic=[1.2, 0.0],
        bonds=[(0, 1, 0.8, 0.3)],
        drive=pack([Waveform(0.1, [(1, 0.9, 0.3)]), Waveform(0.2)]),
        driven=[True, False],
        center=[0.3, 0.0],
        cosine=[[(0.4, 3.0, 0.5)], [(0.7, 1.3, 0.0), (-0.2, 0.6, 1.0)]],
    )


def force_of_drive(t):
    return 0.1 + 0.9 * np.cos(2 * np.pi * t / PERIOD + 0.3)


def potential(x, y):
    """The energy without the driven force and motion, by hand."""
    one = -0.75 * (x - 0.3) ** 2 + 0.3 * x**4 + 0.4 * np.cos(2 * np.pi * x / 3.0 + 0.5)
    two = 0.7 * np.cos(2 * np.pi * y / 1.3) - 0.2 * np.cos(2 * np.pi * y / 0.6 + 1.0) - 0.2 * y
    return one + two + 0.4 * (x - y) ** 2 + 0.075 * (x - y) ** 4


def cold_motion(periods):
    """Position, velocity, heats and work at the end, from rest without noise."""

    def slope(t, state):
        x, v = state[:2], state[2:4]
        d = 1e-5
        force = [
            (potential(x[0] - d, x[1]) - potential(x[0] + d, x[1])) / (2 * d) + force_of_drive(t),
            (potential(x[0], x[1] - d) - potential(x[0], x[1] + d)) / (2 * d),
        ]
        rise = -0.9 * 2 * np.pi / PERIOD * np.sin(2 * np.pi * t / PERIOD + 0.3)
        heat = -FRICTION * v**2
        return [*v, *((force - FRICTION * v) / MASS), *heat, -rise * x[0]]

    run = solve_ivp(slope, (0, periods * PERIOD), np.zeros(7), "DOP853", rtol=1e-11, atol=1e-13)
    return run.y[:, -1]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_motion_heat_and_work_are_of_second_order_in_the_step(scheme):
    network, plan, exact = wells((COLD, COLD)), Plan(1, 0, 1, 1), cold_motion(1)
    errors = []
    for steps in (192, 384):
        columns = simulate(network, plan, 1, scheme, steps)
        ends = [columns[name][0, -1] for name in ("position", "velocity", "heat", "work")]
        errors.append(np.concatenate(ends) - exact)
    np.testing.assert_allclose(errors[1], 0.0, atol=2e-3)
    assert np.linalg.norm(errors[0]) / np.linalg.norm(errors[1]) == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_ledger_adds_up_and_shadow_work_falls_with_the_square_of_the_step(scheme):
    network, plan, shadow = wells((1.3, 0.6)), Plan(5, 1, 8, 1), []
    for steps in (96, 192):
        columns = simulate(network, plan, 400, scheme, steps)
        gained = columns["heat"].sum(-1) + columns["work"].sum(-1) + columns["shadow_work"]
        np.testing.assert_allclose(np.diff(columns["energy"], axis=1), gained, atol=1e-11)
        shadow.append(columns["shadow_work"].std())
    (x, y), v = np.moveaxis(columns["position"], 2, 0), columns["velocity"]
    force = force_of_drive(PERIOD / 8 * np.arange(41))
    energy = potential(x, y) - force * x + (0.5 * MASS * v**2).sum(-1)
    np.testing.assert_allclose(columns["energy"], energy, atol=1e-11)
    assert shadow[0] / shadow[1] == pytest.approx(4.0, rel=0.2)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_double_well_on_a_washboard_settles_into_the_boltzmann_distribution(scheme):
    network = oscillators.network(
        period=1.0,
        mass=[0.5],
        friction=[1.0],
        temperature=[0.8],
        bath=[0],
        site_stiffness=[-1.0],
        site_quartic=[1.0],
        bonds=[],
        drive=pack([Waveform(0.2)]),
        driven=[False],
        cosine=[[(0.5, 0.9, 0.4)]],
    )
    columns = simulate(network, Plan(1, 40, 1, 1), 20_000, scheme, steps=60)
    grid = np.linspace(-5, 5, 20_001)
    turns = 2 * np.pi * grid / 0.9 + 0.4
    energy = -(grid**2) / 2 + grid**4 / 4 + 0.5 * np.cos(turns) - 0.2 * grid
    weight = np.cumsum(np.exp(-energy / 0.8))
    found = stats.kstest(
        columns["position"][:, -1, 0], lambda x: np.interp(x, grid, weight / weight[-1])
    )
    assert found.pvalue > FALSE_ALARM


def test_motions_that_nothing_quartic_holds():
    def network(stiffness, quartic, bonds):
        n = len(stiffness)
        return oscillators.network(
            period=1.0,
            mass=[1.0] * n,
            friction=[1.0] * n,
            temperature=[1.0] * n,
            bath=[0] * n,
            site_stiffness=stiffness,
            site_quartic=quartic,
            bonds=bonds,
            drive=pack([Waveform()] * n),
            driven=[False] * n,
        )

    assert network([-1.0], [1.0], []).loose.shape == (1, 0)
    assert network([-1.0, 1.0], [0.0, 1.0], [(0, 1, 1.0, 0.0)]).loose.shape == (2, 1)
    # The quartic string holds the distance, not the middle.
    loose = network([-1.0, -1.0], [0.0, 0.0], [(0, 1, 1.0, 2.0)]).loose
    np.testing.assert_allclose(abs(loose[:, 0]), np.sqrt(0.5))
    assert network([-1.0, -1.0], [1.0, 0.0], [(0, 1, 1.0, 2.0)]).loose.shape == (2, 0)


# -- shipped configs, against quadrature, diagonalisation and a simulation in plain NumPy ----------

CONFIGS = Path(__file__).parents[2] / "configs"
# Standard errors that a correct program exceeds once in a million.
SURE = 4.9


def positions(path, name, *overrides):
    """Positions (m, edges) of the first site, and the config."""
    config = load(CONFIGS / f"{name}.toml", overrides)
    simulate_run(config, path / "run.h5")
    return np.array(open_run(path / "run.h5")["position"][0])[:, :, 0], config


def escape_rate(a, temperature):
    """Half of the slowest rate of the Fokker-Planck equation of -a x^2 / 2 + a x^4 / 4."""
    x = np.linspace(-2.6, 2.6, 2001)
    rise = np.diff(-a * x**2 / 2 + a * x**4 / 4) / (2 * temperature)
    rate = temperature / (x[1] - x[0]) ** 2
    up, down = rate * np.exp(-rise), rate * np.exp(rise)
    leaving = np.append(up, 0.0) + np.append(0.0, down)
    slow = eigh_tridiagonal(leaving, -np.sqrt(up * down), True, "i", (0, 1))
    return 0.5 * slow[1]


def test_kramers_rate_is_the_limit_of_high_barriers():
    for temperature, second in ((0.4, 0.02), (0.2, 0.005)):
        kramers = np.sqrt(2) * 8 / (2 * np.pi) * np.exp(-2 / temperature)
        first = 1 - 0.375 * temperature / 2
        assert escape_rate(8.0, temperature) / kramers == pytest.approx(first, abs=second)


def test_escape_from_the_shipped_double_well(tmp_path):
    x, _ = positions(tmp_path, "kramers_escape", "ensemble.trajectories=1000")
    side = np.sign(x)
    # <s(0) s(t)> falls as exp(-2 rate t) after the motion within the wells; rows are 5 apart.
    lags = [(side[:, :-k] * side[:, k:]).mean(axis=1) for k in (1, 4)]

    def rate(weights):
        near, far = (weights @ lag for lag in lags)
        return np.log(near / far) / (2 * 3 * 5.0)

    whole = np.ones(len(x))
    left_out = np.array([rate(whole - np.eye(50)[k].repeat(len(x) // 50)) for k in range(50)])
    error = np.sqrt(49 * left_out.var())
    assert error < 0.03 * rate(whole)
    assert abs(rate(whole) - escape_rate(8.0, 0.4)) < SURE * error


def speed_on(force, temperature):
    """Mean velocity on the washboard under a force, by Stratonovich's formula; friction 1."""
    n = 1000
    x = (np.arange(2 * n) + 0.5) / n
    energy = -(np.sin(2 * np.pi * x) + np.sin(4 * np.pi * x) / 4) / (2 * np.pi) - force * x
    inside = [
        np.exp(energy[k : k + n] / temperature).sum() * np.exp(-energy[k] / temperature)
        for k in range(n)
    ]
    lost = 1 - np.exp(-force / temperature)
    return temperature * lost / (np.sum(inside) / n**2)


def test_the_shipped_ratchet_runs_as_fast_as_two_steady_forces_say(tmp_path):
    x, config = positions(tmp_path, "rocking_ratchet")
    time = config.experiment.plan.periods * config.experiment.drive.period
    speed = (x[:, -1] - x[:, 0]) / time
    expected = 0.5 * (speed_on(0.9, 0.1) + speed_on(-0.9, 0.1))
    error = speed.std() / np.sqrt(len(speed))
    assert error < 0.02 * expected
    # Each switch takes a time below 1 of the 100 between them, and a distance below 1.
    assert abs(speed.mean() - expected) < SURE * error + 0.01 * abs(expected)


def plain_chain(count, periods, seed):
    """Heat rates (count, 2) of the shipped chain: velocity Verlet around a thermostat, NumPy."""
    random, dt = np.random.default_rng(seed), 0.025
    x, v = np.zeros((2, count, 4))
    keep = np.array([np.exp(-dt), 1.0, 1.0, np.exp(-dt)])
    kick = np.sqrt(np.array([0.5, 0.0, 0.0, 0.3]) * (1 - keep**2))
    heat = np.zeros((count, 4))

    def force(x):
        padded = np.pad(x, ((0, 0), (1, 1)))
        return np.diff(padded, 2, axis=1) - 0.1 * 2 * np.pi * np.sin(2 * np.pi * x)

    for step in range(int(periods * 10 / dt)):
        if step == int(100 / dt):
            heat[:] = 0.0
        v += 0.5 * dt * force(x)
        x += 0.5 * dt * v
        heat -= 0.5 * v**2
        v = keep * v + kick * random.standard_normal(v.shape)
        heat += 0.5 * v**2
        x += 0.5 * dt * v
        v += 0.5 * dt * force(x)
    return heat[:, [0, 3]] / (10 * periods - 100)


def test_the_shipped_chain_conducts_as_a_plain_simulation_does(tmp_path):
    config = load(CONFIGS / "frenkel_kontorova.toml")
    simulate_run(config, tmp_path / "run.h5")
    (found,) = averages(open_run(tmp_path / "run.h5"))
    plain = plain_chain(1000, 50, 3)
    heat = found.of("heat")
    for bath, rates in zip(("hot", "cold"), plain.T, strict=True):
        error = np.hypot(heat[bath].stderr, rates.std() / np.sqrt(len(rates)))
        assert abs(heat[bath].mean - rates.mean()) < SURE * error
    # Below that of the harmonic chain, of which the config tells.
    assert heat["hot"].mean + SURE * heat["hot"].stderr < 0.2 * 4 / 21
    assert heat["hot"].mean > 10 * heat["hot"].stderr
