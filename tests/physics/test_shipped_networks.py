"""The shipped jump networks against closed forms, derived here unless a source is given.

Currents of a ring are Hill's (Free Energy Transduction in Biology, 1977): with rates k+ and k- of
its steps, (product of all k+ less product of all k-) over the sum of all products of n - 1 rates
that lead from everywhere to one state.
"""

import math
from pathlib import Path

import numpy as np
import pytest

import trajsim

CONFIGS = Path(__file__).parents[2] / "configs"


def solved(name, **changed):
    overrides = {key.replace("__", "."): value for key, value in changed.items()}
    return trajsim.exact(trajsim.load(CONFIGS / f"{name}.toml", overrides))


def ring_current(heats, rate):
    """Current around a ring whose jumps take these heats over their temperatures."""
    forward = np.array([rate(x) for x in heats])
    back = np.array([rate(-x) for x in heats])
    n, total = len(heats), 0.0
    for root in range(n):
        # Steps from root + cut on lead backwards, those before forwards to the root.
        for cut in range(n):
            into = [forward[(root + 1 + k) % n] for k in range(cut, n - 1)]
            into += [back[(root + k) % n] for k in range(cut)]
            total += math.prod(into)
    return (forward.prod() - back.prod()) / total


def heat_bath(x):
    return 2.0 / (1.0 + math.exp(x))


def arrhenius(x):
    return math.exp(-x / 2)


def metropolis(x):
    return min(1.0, math.exp(-x))


def test_the_three_state_engine_takes_the_quantum_and_gives_the_load():
    exact = solved("three_state_engine")
    current = ring_current([2.0 / 1.2, -1.2 / 0.5, 0.0 / 0.5], heat_bath)
    assert exact.heat_rate["hot"] == pytest.approx(2.0 * current, rel=1e-9)
    assert exact.total_work_rate == pytest.approx(-0.8 * current, rel=1e-9)
    assert exact.regime.name == "engine"
    assert exact.regime.efficiency.mean == pytest.approx(0.4, rel=1e-9)
    stall = 2.0 * (1.0 - 0.5 / 1.2)
    for load, name in ((0.999 * stall, "engine"), (1.001 * stall, "pump")):
        other = solved("three_state_engine", transitions__2__load=-load)
        assert other.regime.name == name
    # Carnot's efficiency where it stalls.
    assert load / 2.0 == pytest.approx(1.0 - 0.5 / 1.2, rel=2e-3)


def test_the_motor_is_three_channels_between_two_states():
    """Each carries k+ p_bare - k- p_bound; it stalls where fuel and slips alone give that ratio."""
    fuel, slip = arrhenius(5.0 - 10.0), 0.01 * arrhenius(5.0)
    unfuel, unslip = arrhenius(10.0 - 5.0), 0.01 * arrhenius(-5.0)
    for point in solved("molecular_motor"):
        (load,) = point.parameters.values()
        # The step from bound to bare, and back.
        step, unstep = arrhenius(-5.0 - load), arrhenius(5.0 + load)
        up, down = fuel + slip + unstep, unfuel + unslip + step
        bare, bound = down / (up + down), up / (up + down)
        assert point.particle_rate["fuel"] == pytest.approx(fuel * bare - unfuel * bound, rel=1e-8)
        steps = step * bound - unstep * bare
        assert point.total_work_rate == pytest.approx(load * steps, rel=1e-8, abs=1e-12)
    ratio = (fuel + slip) / (unfuel + unslip)
    stall = 5.0 + math.log(ratio)
    assert stall == pytest.approx(9.090, abs=5e-4)
    at = solved("molecular_motor", transitions__1__load=-stall, sweep={})
    assert abs(at.total_work_rate) < 1e-9
    efficiency = {
        w: -(x := solved("molecular_motor", transitions__1__load=-w, sweep={})).total_work_rate
        / x.chemical_work_rate["fuel"]
        for w in (5.5, 6.5, 7.5)
    }
    assert max(efficiency, key=efficiency.__getitem__) == 6.5


def test_the_refrigerator_takes_one_quantum_of_cold_heat_for_each_of_the_pump():
    """Scovil & Schulz-DuBois: cooling by E_b / (E_c - E_b); it ends where the affinity does."""
    exact = solved("maser_refrigerator")
    current = ring_current([0.4 / 0.8, 1.0 / 20.0, -1.4 / 1.0], heat_bath)
    assert exact.heat_rate["cold"] == pytest.approx(0.4 * current, rel=1e-9)
    assert exact.heat_rate["pump"] == pytest.approx(1.0 * current, rel=1e-9)
    assert current > 0.0
    coldest = 0.4 / (1.4 / 1.0 - 1.0 / 20.0)
    for cold, sign in ((1.01 * coldest, 1), (0.99 * coldest, -1)):
        other = solved("maser_refrigerator", baths__cold__temperature=cold)
        assert sign * other.heat_rate["cold"] > 0.0


def test_the_ratchet_has_feynmans_efficiency_and_stalls_where_he_says():
    exact = solved("feynman_ratchet")
    third = (1.0 / 3.0 + 0.1) / 2.0
    current = ring_current([third, third, third, -1.0], arrhenius)
    assert exact.heat_rate["vanes"] == pytest.approx(1.3 * current, rel=1e-8)
    assert exact.heat_rate["pawl"] == pytest.approx(-current, rel=1e-8)
    assert exact.regime.name == "engine"
    assert exact.regime.efficiency.mean == pytest.approx(0.3 / 1.3, rel=1e-8)
    for load, name in ((-0.333, "engine"), (-0.334, "pump")):
        three = {f"transitions__{k}__load": load for k in range(3)}
        assert solved("feynman_ratchet", **three).regime.name == name
    # At equal temperatures nothing turns it without a load.
    loads = {f"transitions__{k}__load": 0.0 for k in range(3)}
    still = solved("feynman_ratchet", baths__vanes__temperature=1.0, **loads)
    assert abs(still.heat_rate["vanes"]) < 1e-12


PHASES = (np.arange(4096) + 0.5) / 4096


def around(integrand):
    """Integral over a period of phases, spectrally accurate for what is smooth and periodic."""
    return float(np.mean(integrand) * 2 * np.pi)


def test_slow_electron_pumps_carry_a_charge_that_is_geometric():
    """To first order in the speed the currents j_e = -g_e (delta_b - delta_a) of the deviations
    delta from equilibrium p, with conductances g_e = p_a k_ab, obey sum_e j_e / g_e = 0 around the
    ring, and leave dp behind. So what is handed over is a line integral along the levels' path,
    int (dp_two / g_right - dp_one / g_left) / (1 / g_left + 1 / g_phonons + 1 / g_right)."""
    turn, T = 2 * np.pi * PHASES, 0.2
    one, two = 0.1 + 0.8 * np.cos(turn), 0.1 + 0.8 * np.sin(turn)
    slope_one, slope_two = -0.8 * np.sin(turn), 0.8 * np.cos(turn)
    weights = np.exp(-np.array([0 * one, one, two]) / T)
    p = weights / weights.sum(axis=0)
    mean = p[1] * slope_one + p[2] * slope_two
    d_one, d_two = -p[1] * (slope_one - mean) / T, -p[2] * (slope_two - mean) / T

    def conductance(a, b, step):
        return p[a] / (1 + np.exp(step / T))

    left, right = conductance(0, 1, one), conductance(0, 2, two)
    phonons = conductance(1, 2, two - one)
    charge = around((d_two / right - d_one / left) / (1 / left + 1 / phonons + 1 / right))
    assert charge == pytest.approx(0.7713, abs=5e-5)
    for direction, sign in (("forward", 1), ("reverse", -1)):
        carried = [
            period
            * solved(
                "electron_pump", drive__period=period, drive__direction=direction
            ).particle_rate["left"]
            for period in (800.0, 1600.0)
        ]
        # What is left falls with the square of the speed: p and its deviation are in phase.
        assert carried[1] == pytest.approx(sign * charge, rel=1e-4)
        assert abs(carried[0] - sign * charge) > 3 * abs(carried[1] - sign * charge)


def test_slow_two_level_pumps_carry_the_heat_of_ren_haenggi_and_li():
    """Q = int E (K_left / K) dp, p the steady occupation, K the sums of rates up and down: their
    Berry phase with the rates of this config. The heat of the steady currents is 0 on average."""
    turn = 2 * np.pi * PHASES
    up, K = [], []
    slopes = []
    for temperature, slope in (
        (1 + 0.6 * np.cos(turn), -0.6 * np.sin(turn)),
        (1 + 0.6 * np.sin(turn), 0.6 * np.cos(turn)),
    ):
        rate = np.exp(-1.0 / temperature)
        up.append(rate)
        K.append(1.0 + rate)
        slopes.append(rate * slope / temperature**2)
    total = K[0] + K[1]
    occupied = (up[0] + up[1]) / total
    d_occupied = (slopes[0] + slopes[1]) * (1 - occupied) / total
    heat = around(K[0] / total * d_occupied)
    exact = solved("two_level_pump", drive__period=3200.0)
    assert 3200 * exact.heat_rate["left"] == pytest.approx(heat, rel=1e-5)
    back = solved("two_level_pump", drive__period=3200.0, drive__direction="reverse")
    assert 3200 * back.heat_rate["left"] == pytest.approx(-heat, rel=1e-5)


@pytest.mark.parametrize("name", ["three_state_engine", "feynman_ratchet", "maser_refrigerator"])
def test_shipped_networks_agree_when_sampled(name):
    config = trajsim.load(CONFIGS / f"{name}.toml", {"ensemble.trajectories": 2000})
    run = trajsim.simulate(config)
    assert trajsim.check(run).agrees
