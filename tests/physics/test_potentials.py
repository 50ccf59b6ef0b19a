"""Particles in double wells and cosine potentials."""

import numpy as np
import pytest
from oscillator_networks import simulate
from scipy import stats
from scipy.integrate import solve_ivp

from trajsim.models import oscillators
from trajsim.models.waveform import Waveform, pack
from trajsim.plan import Plan

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
