"""The exact ensemble agrees with the master equation integrated a second time, by scipy."""

from dataclasses import replace

import networks
import numpy as np
import pytest
from networks import ENGINE, HEXAGON, TRIANGLE, Energetics, Network, pair

from trajsim.config import parse
from trajsim.ensemble import spins
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.ensemble.spins import ensemble as master_equation
from trajsim.models.rate_laws import LAWS
from trajsim.plan import Plan

CASES = {
    **{f"triangle, {law}": replace(TRIANGLE, law=law) for law in LAWS},
    "engine": ENGINE,
    "engine, heat-bath": replace(ENGINE, law="heat-bath"),
    "cool and steep": pair(0.15, 0.2, law="arrhenius", coupling=0.5, period=3.0),
    "strong bond": pair(0.5, 0.7, coupling=6.0, period=40.0),
    "no bonds": replace(TRIANGLE, bonds=[]),
    "a spin alone": Network([0.6], [0], [], [[(1, 0.7, 0.4), (2, 0.3, 0.0)]], period=15.0),
    "hexagon": HEXAGON,
    "hexagon, arrhenius": replace(HEXAGON, law="arrhenius"),
}


@pytest.fixture(scope="module", params=CASES, name="solved")
def made_solved(request):
    case = CASES[request.param]
    if case.law == "metropolis":
        return case, networks.periodic_rates(case, cells=64, rtol=1e-13)
    return case, networks.periodic_rates(case, cells=1 if case.sites > 3 else 16)


def assert_close(found, expected, rtol=1e-9, atol=1e-15):
    for name in Energetics._fields:
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=rtol, atol=atol, err_msg=name
        )


def energy_moved(case, rates):
    """Energy that flips and the drive move to and fro per unit time: what rounding is judged by."""
    phases = np.arange(16) / 16
    field = abs(networks.fields(case, phases)).max()
    return abs(networks.costs(case, phases)).max() * rates.flips.sum() + field / case.period


def test_periodic_state_and_currents_agree(solved):
    case, (p, rates) = solved
    solution = master_equation(case.build())
    np.testing.assert_allclose(solution.periodic_state, p, rtol=1e-9, atol=2e-11)
    assert_close(solution.currents.rates, rates, atol=1e-12 * energy_moved(case, rates))


@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-10])
def test_stated_error_bounds_the_true_error(solved, tolerance):
    case, (_, rates) = solved
    found = master_equation(case.build(), tolerance).currents
    # The integration of the test has its own error, some 1e-12.
    slack = 5e-12 * energy_moved(case, rates)
    for name in Energetics._fields:
        off = abs(getattr(found.rates, name) - getattr(rates, name))
        assert (off <= getattr(found.error, name) + slack).all(), name


@pytest.mark.parametrize("phase", [0.4, 1.3, 4.0])
def test_stated_error_bounds_the_true_error_where_rates_have_kinks(phase):
    # A Metropolis spin without bonds, whose flips cost nothing twice in a period.
    case = Network([0.5], [0], [], [[(1, 0.4, phase)]], law="metropolis", period=30.0)
    start = replace(case, harmonics=[[(1, 0.4, 0.0)]])
    # A shift of the phase changes nothing; at phase 0 the kinks fall on edges of the cells.
    _, rates = networks.periodic_rates(start, cells=4)
    found = master_equation(case.build()).currents
    for name in Energetics._fields:
        off = abs(getattr(found.rates, name) - getattr(rates, name))
        assert (off <= getattr(found.error, name) + 1e-12).all(), name


@pytest.mark.parametrize("law", ["glauber-product", "arrhenius"])
def test_networks_agree_with_and_without_matrices(law, monkeypatch):
    made = replace(HEXAGON, law=law, period=3.0).build()
    without = master_equation(made)
    assert not without.solution.dense
    up = np.eye(1, 64)[0]
    course = without.time_series(up, 2)
    monkeypatch.setattr(JumpEnsemble, "_dense_is_faster", lambda _: True)
    dense = master_equation(made)
    assert dense.solution.dense
    np.testing.assert_allclose(without.periodic_state, dense.periodic_state, rtol=1e-9)
    assert_close(without.currents.rates, dense.currents.rates)
    other = dense.time_series(up, 2)
    np.testing.assert_allclose(course.state, other.state, rtol=1e-8, atol=1e-13)
    assert_close(course.energetics, other.energetics, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_transients_from_all_up_agree(name):
    case = CASES[name]
    cells, periods = 6, 2
    end, energetics = networks.solve(case, cells, rtol=1e-13)
    up = np.eye(1, case.states)[0]
    states = networks.after(np.concatenate([end] * periods), up)
    expected = Energetics(
        *(
            np.concatenate([np.einsum("ks,ksg->kg", p, g) for p in states[:-1].reshape(2, 6, -1)])
            for g in energetics
        )
    )
    course = master_equation(case.build()).time_series(up, cells, periods)
    np.testing.assert_allclose(course.state, states, rtol=1e-8, atol=1e-12)
    assert_close(course.energetics, expected, rtol=1e-8, atol=1e-11 * abs(expected.heat).max())


# The triangle with no field on the site that is not driven, as a config.
TRIANGLE_CONFIG = """
[model]
kind = "spins"
rate = 0.4
rate_law = "glauber-product"
[drive]
period = 20.0
[baths]
hot = { temperature = 0.9 }
cold = { temperature = 0.6 }
[[sites]]
name = "a"
bath = "hot"
[sites.drive]
amplitude = 0.5
phase = 0.3
offset = 0.15
harmonics = [{ order = 3, amplitude = 0.2, phase = 1.1 }]
[[sites]]
name = "b"
bath = "cold"
[[sites]]
name = "c"
bath = "hot"
[sites.drive]
amplitude = 0.3
phase = 2.0
offset = 0.1
harmonics = [{ order = 2, amplitude = 0.25, phase = -0.7 }]
[[bonds]]
sites = ["a", "b"]
coupling = 0.7
[[bonds]]
sites = ["c", "b"]
coupling = -0.4
[[bonds]]
sites = ["a", "c"]
coupling = 0.3
[ensemble]
trajectories = 1
periods = 1
seed = 1
"""


def test_a_config_is_the_network_that_it_describes():
    experiment = parse(TRIANGLE_CONFIG).experiment
    _, rates = networks.periodic_rates(replace(TRIANGLE, offset=[0.15, 0.0, 0.1]))
    assert_close(master_equation(experiment.network()).currents.rates, rates)


def by_hand(case, p, plan):
    """Window averages from every single segment, the burn-in run and left out."""
    segments = plan.rows_per_period
    course = master_equation(case.build()).time_series(p, segments, plan.burn_in + plan.periods)
    kept = slice(plan.burn_in * segments, None)
    time = plan.periods * case.period
    rates = Energetics(*(g[kept].sum(axis=0) / time for g in course.energetics))
    edges = course.state[:-1][kept][:: plan.segments_per_row]
    phases = edges.reshape(-1, segments, case.states)
    return rates, phases.mean(axis=0)


@pytest.mark.parametrize(
    "plan",
    [
        Plan(periods=1, burn_in=0, rows_per_period=1, segments_per_row=1),
        Plan(periods=5, burn_in=2, rows_per_period=4, segments_per_row=1),
        Plan(periods=12, burn_in=3, rows_per_period=1, segments_per_row=4),
        # Settled long before the end: the shortcut must give what the long way does.
        Plan(periods=600, burn_in=7, rows_per_period=3, segments_per_row=1),
        Plan(periods=600, burn_in=1, rows_per_period=1, segments_per_row=50),
        Plan(periods=40, burn_in=400, rows_per_period=1, segments_per_row=5),
    ],
    ids=str,
)
@pytest.mark.parametrize("start", ["up", "random", "periodic"])
def test_window_is_the_average_over_the_recorded_periods(plan, start):
    case = replace(TRIANGLE, period=6.0)
    made = case.build()
    p = spins.start_state(made, start)
    window = master_equation(made).window(p, plan)
    rates, occupation = by_hand(case, p, plan)
    np.testing.assert_allclose(window.edges["occupation"], occupation, rtol=1e-11, atol=1e-14)
    assert_close(window.rates, rates, rtol=1e-10, atol=1e-14)


def test_starts_are_the_distributions_they_are_named_for():
    case = replace(TRIANGLE, temperatures=[0.7, 0.7])
    made = case.build()
    np.testing.assert_array_equal(spins.start_state(made, "up"), np.eye(1, 8)[0])
    np.testing.assert_allclose(spins.start_state(made, "random"), np.full(8, 0.125))
    found = spins.start_state(made, "equilibrium")
    np.testing.assert_allclose(found, networks.boltzmann(case), rtol=1e-13)
    p, _ = networks.periodic_rates(case)
    np.testing.assert_allclose(spins.start_state(made, "periodic"), p, atol=2e-11)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("right", [0.05, 0.06])
def test_stiff_networks_conserve_probability(law, right):
    # Arrhenius rates from 1e-11 to 1e10 over a period of 225.
    solution = master_equation(pair(0.05, right, law=law).build(), tolerance=1e-3)
    p = solution.periodic_state
    assert p.sum() == pytest.approx(1.0, abs=1e-14)
    assert (p >= 0).all()
    for start in np.eye(4):
        end, _ = solution.carry(start)
        assert end.sum() == pytest.approx(1.0, abs=1e-10)
        assert end.min() > -1e-14


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("right", [0.05, 0.06])
def test_stiff_networks_conserve_energy_within_the_stated_error(law, right):
    case = pair(0.05, right, law=law)
    rates, error = master_equation(case.build(), tolerance=1e-3).currents
    slack = 1e-12 * energy_moved(case, rates)
    assert abs(rates.heat.sum() + rates.work.sum()) < error.heat.sum() + error.work.sum() + slack
    # int h ds and -int s dh differ by nothing over a whole period.
    off = abs(rates.work - rates.exclusive_work)
    assert (off < error.work + error.exclusive_work + slack).all()


@pytest.mark.parametrize("law", ["glauber-product", "heat-bath", "metropolis"])
@pytest.mark.parametrize("cold", [0.02, 1e-3])
def test_rates_that_all_but_jump_are_followed_to_the_stated_error(law, cold):
    # Fields cross the bond, or touch it, where the rates of the cold spin turn within a thousandth.
    case = pair(cold, 0.5, h0=0.5, coupling=0.5, period=20.0, law=law)
    currents = master_equation(case.build()).currents
    _, expected = networks.periodic_rates(case, cells=64, rtol=1e-13)
    for name in Energetics._fields:
        off = abs(getattr(currents.rates, name) - getattr(expected, name))
        # The independent one is good to some 1e-12.
        assert (off <= getattr(currents.error, name) + 3e-12).all(), name
