"""Exact distributions of heat and work agree with their cumulants and independent solutions."""

import tomllib
from dataclasses import replace

import counted
import networks
import numpy as np
import pytest
from networks import FALSE_ALARM, PUMP, RANDOM, TRIANGLE, Network, pair, sample
from scipy.integrate import solve_ivp
from scipy.sparse import diags, kron
from scipy.sparse.linalg import expm_multiply
from scipy.special import j0
from scipy.stats import chi2, norm

import trajsim
from trajsim.ensemble import Weights, counting_of
from trajsim.ensemble.distribution import Atoms, invert, lattice
from trajsim.plan import Plan

FAST = pair(0.9, 0.4, h0=0.6, coupling=-0.7, period=12.0)
CASES = {
    "pump, heat": (PUMP, 8, Weights([1, 0], 0)),
    "pump, all work": (PUMP, 8, Weights(0, 1)),
    "fast, heat": (FAST, 6, Weights([0, 1], 0)),
    "fast, mixed": (FAST, 6, Weights([0.5, -1], [0.3, 1])),
    "triangle, heat": (TRIANGLE, 4, Weights([1, 0], 0)),
    "triangle, work": (replace(TRIANGLE, law="heat-bath"), 4, Weights(0, [1, 0])),
}


@pytest.mark.parametrize("name", CASES)
def test_moments_are_those_of_the_cumulants(name):
    case, periods, weights = CASES[name]
    found = counting_of(case.build())
    made = found.distribution("up", periods, weights)
    x, width = made.points, made.points[1] - made.points[0]
    # The trapezoidal rule errs by nothing over a smooth density that ends before the window does.
    moments = [
        (made.density * x**k).sum() * width + made.weights @ made.positions**k for k in range(4)
    ]
    mean, second, third = moments[1:]
    cumulants = [mean, second - mean**2, third - 3 * mean * second + 2 * mean**3]
    assert moments[0] == pytest.approx(1.0, abs=1e-5)
    expected = found.finite_cumulants("up", periods, weights, 3)
    scale = expected[1] ** (np.arange(1, 4) / 2)
    assert (abs(cumulants - expected) < 1e-4 * scale).all()
    assert made.density.min() > -10 * made.error - 1e-12
    total = made.probabilities([-np.inf, made.low, mean, made.high, np.inf])
    assert total.sum() == pytest.approx(1.0, abs=1e-10)
    assert total[[0, -1]].max() < 1e-12


def test_coefficients_are_the_averages_of_waves():
    case, periods = replace(TRIANGLE, period=6.0), 2
    heat, work = np.array([0.7, -0.3]), np.array([0.2, 1.0])
    made = counting_of(case.build()).distribution("random", periods, Weights(heat, work))
    p, k = np.full(8, 0.125), np.array([0, 1, 5, 17, 60])
    for at in k:
        wave = 2j * np.pi * at / (made.high - made.low)
        expected = counted.average(case, p, periods, wave * heat, wave * work)
        lump = made.weights @ np.exp(wave * made.positions)
        assert made.coefficients[at] + lump == pytest.approx(expected, abs=1e-8)


def test_heat_of_undriven_spins_comes_in_lumps():
    # Numbers of quanta 2 J of heat from L, counted by a chain of master equations.
    case = pair(0.8, 0.5, h0=0.0, coupling=0.6, rate=0.7, period=3.0)
    made = counting_of(case.build()).distribution("up", 4, Weights([1, 0], 0))
    most = 60
    state, count = np.arange(4), 2 * most + 1
    rates = networks.flip_rates(case, 0.0)
    up, down, still = np.zeros((4, 4)), np.zeros((4, 4)), np.diag(-rates.sum(axis=0))
    cost = networks.costs(case, 0.0)
    for x in state:
        (up if cost[0, x] > 0 else down)[x ^ 1, x] += rates[0, x]
        still[x ^ 2, x] += rates[1, x]
    shift = diags(np.ones(count - 1), -1)
    chain = kron(shift, up) + kron(shift.T, down) + kron(diags(np.ones(count)), still)
    begin = np.zeros(4 * count)
    begin[4 * most] = 1.0
    weights = expm_multiply(chain * 12.0, begin).reshape(count, 4).sum(axis=1)
    positions = 1.2 * np.arange(-most, most + 1)
    assert (made.density == 0).all()
    at = np.round(made.positions / 1.2).astype(int) + most
    np.testing.assert_allclose(made.positions, positions[at], atol=1e-12)
    np.testing.assert_allclose(made.weights, weights[at], atol=1e-12)
    assert weights.sum() - weights[at].sum() < 1e-9
    # Bins hold the lumps between their edges.
    edges = np.array([-np.inf, -0.6, 0.6, np.inf])
    expected = [weights[:most].sum(), weights[most], weights[most + 1 :].sum()]
    np.testing.assert_allclose(made.probabilities(edges), expected, atol=1e-12)


def test_the_lump_at_nothing_is_the_chance_that_no_spin_of_the_bath_flips():
    case, periods = replace(FAST, period=5.0), 2
    made = counting_of(case.build()).distribution("random", periods, Weights([0, 1], 0))

    def slope(t, p):
        rates = networks.flip_rates(case, t / case.period)
        left = rates[0] * p
        # Only the first spin may flip; the second one's flips are lost.
        return left[[1, 0, 3, 2]] - left - rates[1] * p

    span = (0, periods * case.period)
    end = solve_ivp(slope, span, np.full(4, 0.25), "DOP853", rtol=1e-12, atol=1e-15).y[:, -1]
    np.testing.assert_array_equal(made.positions, [0.0])
    np.testing.assert_allclose(made.weights, end.sum(), rtol=1e-8)
    # All the rest is density, except at nothing.
    around = made.probabilities([-np.inf, -1e-9, 1e-9, np.inf])
    assert around[1] == pytest.approx(end.sum(), abs=1e-6)


def test_a_site_without_drive_makes_lumps_beside_the_density_of_one_with():
    # Both in one bath. Where only the site at rest flips, heat comes in quanta.
    case = Network([0.7], [0, 0], [(0, 1, 0.5)], [[(1, 0.4, 0.0)], []], rate=0.2, period=4.0)
    made = counting_of(case.build()).distribution("up", 1, Weights([1], 0))
    assert len(made.positions) >= 2
    np.testing.assert_allclose(np.diff(made.positions), 1.0, atol=1e-9)
    total = made.weights.sum()

    def slope(t, p):
        rates = networks.flip_rates(case, t / case.period)
        moved = rates[1] * p
        return moved[[2, 3, 0, 1]] - moved - rates[0] * p

    p = solve_ivp(slope, (0, 4.0), np.eye(1, 4)[0], "DOP853", rtol=1e-12, atol=1e-15).y[:, -1]
    assert total == pytest.approx(p.sum(), rel=1e-8)


def test_energy_that_returns_is_a_sum_of_lumps_though_the_fields_move():
    # Heat and work together are the change of energy between two moments of one phase.
    case = replace(FAST, period=5.0)
    made = counting_of(case.build()).distribution("up", 3, Weights(1, 1))
    energy = networks.energies(case, 0.0)
    p = np.linalg.matrix_power(counted.tilted_map(case, np.zeros(2), np.zeros(2)), 3)[:, 0]
    for x in range(4):
        change = energy[x] - energy[0]
        same = abs(energy - energy[0] - change) < 1e-9
        if len(made.positions):
            at = abs(made.positions - change).argmin()
            assert made.positions[at] == pytest.approx(change, abs=1e-9)
            assert made.weights[at] == pytest.approx(p[same].sum(), abs=1e-8)


@pytest.mark.parametrize("name", ["fast, heat", "triangle, heat", "triangle, work"])
def test_sampled_histograms_follow_the_distribution(name):
    case, periods, weights = CASES[name]
    made = counting_of(case.build()).distribution("random", periods, weights)
    count, plan = 200_000, Plan(periods, 0, 1, periods)
    values = []
    for first in range(0, count, 50_000):
        ledger = sample(case, plan, RANDOM, 11, 50_000, first)
        heat = np.broadcast_to(weights.heat, len(case.temperatures))
        work = np.broadcast_to(weights.work, len(case.drives))
        values.append(ledger.heat[:, 0] @ heat + ledger.work[:, 0] @ work)
    values = np.concatenate(values)
    mean, deviation = values.mean(), values.std()
    inner = np.linspace(mean - 3 * deviation, mean + 3 * deviation, 60)
    edges = np.concatenate([[-np.inf], inner, [np.inf]])
    expected = count * made.probabilities(edges)
    # The edges follow the sample, but too little to matter; none of the bins is nearly empty.
    assert expected.min() > 25
    seen = np.histogram(values, edges)[0]
    statistic = ((seen - expected) ** 2 / expected).sum()
    assert statistic < chi2.isf(FALSE_ALARM / 3, len(expected) - 1)
    # And the distribution is known better than this sample could tell.
    assert made.probability_errors(edges).max() < 0.5 / count**0.5 * (expected / count).min() ** 0.5


def test_a_known_characteristic_function_gives_its_distribution_back():
    # A lump of 0.3 at -1 and a bell of weight 0.7.
    atoms = Atoms(np.array([-1.0]), np.array([0.3]))

    def characteristic(w):
        return 0.3 * np.exp(-1j * w) + 0.7 * np.exp(2j * w - 0.5 * (0.8 * w) ** 2)

    made = invert(characteristic, (-8.0, 10.0), atoms, 0.0, 1e-10)
    x = np.linspace(-3, 7, 23)
    np.testing.assert_allclose(made.density_at(x), 0.7 * norm.pdf(x, 2, 0.8), atol=1e-12)
    np.testing.assert_allclose(
        made.cumulative(x), 0.7 * norm.cdf(x, 2, 0.8) + 0.3 * (x >= -1), atol=1e-12
    )
    edges = [-np.inf, -1.0, 2.0, np.inf]
    bell = np.diff(norm.cdf(edges, 2, 0.8)) * 0.7
    np.testing.assert_allclose(made.probabilities(edges), bell + np.array([0, 0.3, 0]), atol=1e-12)
    assert made.error < 1e-10
    assert made.probability_errors(edges).max() < 1e-10


def test_too_few_waves_are_owned_up_to():
    # A square of width 1 has waves without end.
    def characteristic(w):
        return np.sinc(w / 2 / np.pi) + 0j

    none = Atoms(np.zeros(0), np.zeros(0))
    made = invert(characteristic, (-3.0, 3.0), none, 0.0, 1e-9, more=lambda: False)
    edges = np.linspace(-1.03, 1.03, 20)
    true = np.diff(np.clip(edges, -0.5, 0.5))
    off = abs(made.probabilities(edges) - true).max()
    assert 1e-5 < off < 3 * made.probability_errors(edges).max()


@pytest.mark.parametrize(
    ("steps", "unit"),
    [([2.0, -4.0, 6.0], 2.0), ([0.6, 1.5], 0.3), ([0.0, 0.0], 0.0), ([1.0, 2**0.5], None)],
)
def test_the_unit_of_lumps_is_the_largest_common_one(steps, unit):
    found = lattice(np.array(steps))
    assert found == (None if unit is None else pytest.approx(unit, rel=1e-9))


def test_a_tail_beside_peaks_without_bound_is_known_to_many_digits():
    # The arcsine density has peaks at -1 and 1; a thousandth of a per cent is a bell far from them.
    rare = 1e-5

    def characteristic(w):
        return (1 - rare) * j0(w) + rare * np.exp(4j * w - 0.5 * (0.3 * w) ** 2)

    none = Atoms(np.zeros(0), np.zeros(0))
    rooms = iter([True] * 3)
    made = invert(characteristic, (-3.0, 7.0), none, 0.0, 1e-12, more=lambda: next(rooms, False))
    edges = np.linspace(3.0, 5.0, 21)
    expected = rare * np.diff(norm.cdf(edges, 4, 0.3))
    np.testing.assert_allclose(made.probabilities(edges), expected, atol=1e-12)
    assert (abs(made.probabilities(edges) - expected) <= made.probability_errors(edges)).all()
    # A bin across a peak is known less, and says so.
    across = [0.95, 1.05]
    true = (1 - rare) * (0.5 - np.arcsin(0.95) / np.pi)
    off = abs(made.probabilities(across) - true)
    assert (off < made.probability_errors(across)).all()
    assert off > 1e-6


RAMPED = """
[model]
kind = "spins"
rate = 0.5
rate_law = "heat-bath"
[drive]
period = 2.5
[baths]
L = { temperature = 0.9 }
R = { temperature = 0.9 }
[[sites]]
name = "1"
bath = "L"
drive = { points = [[0, -1.0], [0, -0.6], [1, 1.2], [1, 1.5]] }
[[sites]]
name = "2"
bath = "R"
[[bonds]]
sites = ["1", "2"]
coupling = 0.5
[ensemble]
trajectories = 1
periods = 1
initial = "equilibrium"
seed = 3
"""


def test_atoms_where_fields_do_not_return_are_as_many_and_as_heavy_as_states_that_stay():
    """A = W + 0.37 Q_2 takes values of its own where spin 1 never flips."""
    found = counting_of(trajsim.load(tomllib.loads(RAMPED)).experiment.network())
    made = found.distribution("equilibrium", 1, Weights([0, 0.37], 1))

    def away(s1, s2, h):
        """Rates of flipping spins 1 and 2."""
        x1, x2 = s1 * (0.5 * s2 + h) / 0.9, 0.5 * s1 * s2 / 0.9
        return 0.5 * (1 - np.tanh(x1)), 0.5 * (1 - np.tanh(x2))

    # Probabilities by spin 1, first and present value of spin 2.
    signs = (1, -1)
    cells = [(a, b, c) for a in signs for b in signs for c in signs]

    def derivative(t, p):
        h, flow = -0.6 + 1.8 * t / 2.5, np.zeros(8)
        for k, (a, b, c) in enumerate(cells):
            first, second = away(a, c, h)
            flow[k] -= (first + second) * p[k]
            flow[cells.index((a, b, -c))] += second * p[k]
        return flow

    weight = {(a, b): np.exp((0.5 * a * b - 1.0 * a) / 0.9) for a in signs for b in signs}
    total = sum(weight.values())
    start = [weight[a, b] / total if b == c else 0.0 for a, b, c in cells]
    p = solve_ivp(derivative, (0.0, 2.5), start, rtol=1e-11, atol=1e-14).y[:, -1]
    expected = {}
    for (a, b, c), probability in zip(cells, p, strict=True):
        value = round(-2.5 * a + 0.37 * -0.5 * a * (c - b), 9)
        expected[value] = expected.get(value, 0.0) + probability
    assert len(expected) == 6
    np.testing.assert_allclose(made.positions, sorted(expected), atol=1e-9)
    weights = [expected[value] for value in sorted(expected)]
    np.testing.assert_allclose(made.weights, weights, atol=1e-8)
    # And without them nothing is left that stands out.
    assert made.probabilities([-np.inf, np.inf]).sum() == pytest.approx(1.0, abs=1e-9)
