"""The exact side where relaxation is slow: right to its stated error, or a refusal."""

import time

import networks
import numpy as np
import pytest
from networks import Network

from trajsim.ensemble.answers import NoExactSideError
from trajsim.ensemble.jumps import squaring
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.ensemble.jumps.spins import jump_process, start_state
from trajsim.ensemble.jumps.stationary import basins, stationary
from trajsim.ensemble.spins import ensemble as master_equation
from trajsim.models.rate_laws import SHIPPED

LAWS = list(SHIPPED)
SQUARE_LATTICE = [(3 * y + x, 3 * y + x + 1) for y in range(3) for x in range(2)] + [
    (3 * y + x, 3 * y + x + 3) for y in range(2) for x in range(3)
]
# Five spins that hold together, one driven beside them.
CLUSTER = Network(
    temperatures=[0.27, 0.32],
    bath=[0] * 5 + [1],
    bonds=[(i, j, 1.0) for i in range(5) for j in range(i)] + [(4, 5, 0.5)],
    harmonics=[[]] * 5 + [[(1, 0.25, 0.0)]],
    offset=[0.013, 0.0, 0.0, 0.0, 0.0, 0.38],
    law="heat-bath",
    period=20.0,
)


def random_network(rng, sites, temperatures, h0=0.0, **others):
    """Random bonds and fields; half of the sites in each bath."""
    bonds = [(i, j, rng.normal()) for i in range(sites) for j in range(i) if rng.random() < 0.6]
    bath = [i * len(temperatures) // sites for i in range(sites)]
    phases = rng.uniform(0, 2 * np.pi, sites)
    harmonics = [[(1, h0, phase)] if h0 else [] for phase in phases]
    offset = list(0.3 * rng.normal(size=sites))
    return Network(list(temperatures), bath, bonds, harmonics, offset, **others)


# -- equilibria ----------------------------------------------------------------------------------


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("temperature", [2.0, 0.1, 0.03])
@pytest.mark.parametrize("sites", [1, 3, 5, 6])
def test_equilibria_are_boltzmanns_and_nothing_flows(sites, temperature, law):
    case = random_network(np.random.default_rng(sites), sites, [temperature], law=law)
    master = master_equation(case.build())
    rates, error = master.currents
    expected = networks.boltzmann(case)
    # Where states are so rarely left that fluxes count to the last digit, every entry is right.
    rtol = 1e-6 if master.solution.smooth else 1e-11
    np.testing.assert_allclose(master.periodic_state, expected, rtol=rtol, atol=1e-11)
    assert (abs(rates.heat) <= error.heat).all()
    assert error.heat.max() < 1e-9


@pytest.mark.parametrize("temperature", [0.5, pytest.param(0.3, marks=pytest.mark.ensemble)])
def test_a_lattice_without_a_drive_is_in_equilibrium(temperature):
    bonds = [(i, j, 1.0) for i, j in SQUARE_LATTICE]
    offset = [0.05, *[0.0] * 8]
    case = Network([temperature], [0] * 9, bonds, [[]] * 9, offset, law="heat-bath", period=20.0)
    master = master_equation(case.build())
    expected = networks.boltzmann(case)
    assert master.periodic_state[0] == pytest.approx(expected[0], rel=1e-10)
    np.testing.assert_allclose(master.periodic_state, expected, rtol=1e-6, atol=1e-12)
    assert (abs(master.currents.rates.heat) <= master.currents.error.heat).all()


# -- two temperatures, and drives ----------------------------------------------------------------


def agrees(case):
    """Whether the exact side agrees with positive sums written a second time."""
    master = master_equation(case.build())
    p, heat, off = networks.periodic_by_positive_sums(case)
    rates, error = master.currents
    slack = off * abs(heat).max() + 1e-6 * abs(heat) + 1e-14
    assert (abs(rates.heat - heat) <= 10 * error.heat + slack).all(), (rates.heat, heat)
    np.testing.assert_allclose(master.periodic_state, p, rtol=1e-5 + 10 * off, atol=1e-9)


def test_a_cluster_that_turns_over_once_in_ten_million_periods():
    agrees(CLUSTER)
    master = master_equation(CLUSTER.build())
    assert master.currents.rates.heat[1] == pytest.approx(-6.685e-4, rel=1e-4)
    p = master.periodic_state
    assert p[0] + p[32] == pytest.approx(0.929, abs=5e-4)


@pytest.mark.parametrize(
    ("seed", "law"), [(0, "glauber-product"), (1, "heat-bath"), (3, "heat-bath")]
)
def test_cold_random_networks_agree_with_positive_sums(seed, law):
    rng = np.random.default_rng(seed)
    cold = rng.uniform(0.12, 0.4)
    case = random_network(rng, 6, [cold, 1.3 * cold], h0=0.2 * (seed % 2), law=law, period=20.0)
    agrees(case)


@pytest.mark.ensemble
@pytest.mark.parametrize("seed", range(200))
def test_many_cold_random_networks_agree_with_positive_sums(seed):
    rng = np.random.default_rng(1000 + seed)
    sites, cold, law = 6 + seed % 4, rng.uniform(0.12, 0.5), LAWS[seed % 3]
    # The second solution of driven networks is slow beyond seven spins.
    h0 = 0.3 * (seed // 4 % 2) if sites < 8 else 0.0
    agrees(random_network(rng, sites, [cold, 1.3 * cold], h0=h0, law=law, period=20.0))


def test_basins_and_the_whole_map_agree():
    process = jump_process(CLUSTER.build())
    label, _ = basins(process, CLUSTER.period)
    assert label.max() + 1 == 2, "all up and all down are left once in ten million periods"
    one, other = JumpEnsemble(process), JumpEnsemble(process)
    other._solve_positive = lambda: other._solve_extrapolated(other._whole_map)
    for name in ("state", "rates"):
        found, expected = (getattr(e.solution, name) for e in (one, other))
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("states", [7, 28])
def test_elimination_survives_any_ratio_of_probabilities(states):
    # Few states are eliminated in plain numbers, more in arrays.
    ratio = 10.0 ** np.arange(0, 280, 280 // states)
    u = np.diag(np.full(states - 1, 0.5), -1) + np.diag(0.5 / (ratio[1:] / ratio[:-1]), 1)
    u[np.diag_indices(states)] = 1.0 - u.sum(axis=0)
    p, _ = stationary(u)
    np.testing.assert_allclose(p, ratio / ratio.sum(), rtol=1e-13)


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("initial", ["up", "random", "equilibrium", "periodic"])
@pytest.mark.parametrize("sites", [30, 64, 1024, 4096])
def test_too_many_states_are_refused_before_anything_is_listed(sites, initial):
    bonds = [(i, i + 1, 1.0) for i in range(sites - 1)]
    made = Network([1.0], [0] * sites, bonds, [[]] * sites).build()
    with pytest.raises(NoExactSideError, match=f"{sites} spins are too many"):
        start_state(made, initial)
    with pytest.raises(NoExactSideError, match=f"{sites} spins are too many"):
        master_equation(made)


@pytest.mark.parametrize("law", ["heat-bath", "metropolis"])
def test_states_that_are_never_left_are_refused(law):
    frozen = networks.pair(0.001, 0.001, coupling=0.5, h0=0.1, period=20.0, law=law)
    with pytest.raises(NoExactSideError, match="never left"):
        _ = master_equation(frozen.build()).currents


def test_a_drive_that_is_too_slow_to_follow_is_refused_at_once():
    rng = np.random.default_rng(5)
    case = random_network(rng, 11, [0.5, 0.7], h0=0.3, law="heat-bath", period=1e9)
    begun = time.process_time()
    with pytest.raises(NoExactSideError, match="too fast against the period"):
        _ = master_equation(case.build()).currents
    assert time.process_time() - begun < 10.0


# -- how long it takes ---------------------------------------------------------------------------


def test_a_drive_far_faster_than_any_jump_is_followed_in_a_few_steps(monkeypatch):
    case = random_network(np.random.default_rng(5), 2, [0.5, 0.4], h0=0.25, period=1e-9)
    master = master_equation(case.build())
    assert not master.solution.smooth
    process, carry, taken = master.process, master._stepper.carry, []

    def counted(x, begin, end, steps, *more):
        taken.append(steps)
        return carry(x, begin, end, steps, *more)

    monkeypatch.setattr(master._stepper, "carry", counted)
    p = np.array([0.7, 0.1, 0.1, 0.1])
    after, energetics = master.carry(p)
    # What it does and takes back is 1e9 times what is left: the rest is rounding.
    assert max(taken) <= 1024
    np.testing.assert_allclose(after, p, atol=1e-8)
    # Nothing moves within a period: means of what the rates say at each phase.
    at = process.at((np.arange(256) + 0.5) / 256)
    expected = process.energetics(at, np.tile(p[:, None] / 256, (256, 1, 1)))[:, 0]
    found, known = (process.split(x) for x in (energetics / case.period, expected))
    np.testing.assert_allclose(found.heat, known.heat, rtol=1e-6)
    np.testing.assert_allclose(found.flips, known.flips, rtol=1e-6)


def steep(seed):
    """Five cold spins, whose rates change by many orders of magnitude within a period."""
    rng = np.random.default_rng(seed)
    return random_network(rng, 5, [0.15], h0=1.0, law="arrhenius", period=6.0)


@pytest.mark.parametrize("seed", [2, 3])
def test_rates_that_change_fast_are_never_taken_to_be_negative(monkeypatch, seed):
    master = master_equation(steep(seed).build())
    seen, exponential = [], squaring._exponentials

    def positive(process, rates, times):
        seen.append(rates.min())
        return exponential(process, rates, times)

    monkeypatch.setattr(squaring, "_exponentials", positive)
    monkeypatch.setattr("trajsim.ensemble.jumps.ensemble.MOST_STEPS", 128)
    p = master._solve_extrapolated(master._whole_map).state
    assert min(seen) >= 0.0
    assert (p >= 0.0).all()
    assert p.sum() == pytest.approx(1.0)


def test_what_takes_long_is_told_before_it_does(monkeypatch, caplog):
    master = master_equation(steep(2).build())
    monkeypatch.setattr("trajsim.ensemble.jumps.ensemble.MOST_STEPS", 512)
    # As if all took a thousand times as long.
    now = time.perf_counter
    monkeypatch.setattr("trajsim.ensemble.jumps.ensemble.time.perf_counter", lambda: 1e3 * now())
    caplog.set_level("INFO", "trajsim")
    assert master._solve_extrapolated(master._whole_map).steps == 512
    (record,) = caplog.records
    assert record.getMessage().startswith("some states are rarely left: some ")
