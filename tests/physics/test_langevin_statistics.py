"""Sampled oscillators against what must hold of their distributions.

Every test has a fixed seed; a correct program fails one with probability 1e-4 or less.
"""

import numpy as np
import pytest
from driven_oscillators import Driven, Site
from oscillator_networks import pair, simulate
from scipy import stats

from trajsim.config import parse
from trajsim.ensemble import gaussian
from trajsim.kernels import langevin
from trajsim.kernels.random import normals, streams
from trajsim.plan import Plan
from trajsim.running.run import model_of

FALSE_ALARM = 1e-4


@pytest.mark.parametrize("fine", [True, False])
def test_normal_numbers_are_normal_into_the_tails(fine):
    states = streams(3, 0, 0, 2000)
    drawn = np.empty((500, 2000))
    normals(states, fine, drawn)
    assert stats.kstest(drawn.ravel(), "norm").pvalue > FALSE_ALARM
    # 1e6 numbers: 270 are expected beyond 3.64, half of each sign.
    edges = np.append(-np.inf, np.append(stats.norm.ppf(np.linspace(1e-4, 1 - 1e-4, 201)), np.inf))
    seen = np.histogram(drawn, edges)[0]
    expected = np.diff(stats.norm.cdf(edges)) * drawn.size
    assert stats.chisquare(seen, expected).pvalue > FALSE_ALARM
    pairs = np.corrcoef(drawn[0::2].ravel(), drawn[1::2].ravel())[0, 1]
    assert abs(pairs) * np.sqrt(drawn.size / 2) < stats.norm.isf(FALSE_ALARM / 2)


def test_rarest_draw_lies_beyond_eight_standard_deviations():
    # xoshiro256++ gives 0 from this state: rotl(s0 + s3, 23) + s0 = 0.
    states = np.array([[0, 1, 2, 0]], np.uint64)
    drawn = np.empty((1, 1))
    normals(states, True, drawn)
    assert abs(drawn[0, 0]) > 8.0


def test_equilibrium_has_boltzmann_moments_and_distributions():
    t, network = 0.7, pair((0.7, 0.7), amplitude=0.0)
    plan, count = Plan(8, 0, 1, 1), 40_000
    state = gaussian.start_state(network, "equilibrium")
    columns = simulate(network, plan, count, steps=96, state=state)
    inverse = np.linalg.inv(network.stiffness)
    for edge in (0, 8):
        x, v = columns["position"][:, edge], columns["velocity"][:, edge]
        for found, expected in ((x.T @ x / count, t * inverse), (v.T @ v / count, t * np.eye(2))):
            # Variance of a product of Gaussians: Isserlis.
            spread = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / count)
            z = np.abs(found - expected) / spread
            assert z.max() < stats.norm.isf(FALSE_ALARM / 2 / 16)
        for sample, sigma in ((x[:, 0], np.sqrt(t * inverse[0, 0])), (v[:, 1], np.sqrt(t))):
            assert stats.kstest(sample / sigma, "norm").pvalue > FALSE_ALARM / 4


def test_quartic_equilibrium_settles_into_the_boltzmann_distribution():
    text = """
    model = { kind = "oscillators", friction = 1.0 }
    drive = { period = 3.0 }
    baths = { a = { temperature = 1.0 } }
    sites = [{ name = "1", bath = "a", stiffness = 1.0, quartic = 4.0 }]
    integrator = { steps_per_period = 192 }
    ensemble = { trajectories = 1, periods = 1, initial = "equilibrium", seed = 1 }
    """
    _, model, start = model_of(parse(text).experiment)
    replicas = langevin.begin(model, start, 5, 0, 0, 20_000)
    grid = np.linspace(-4, 4, 8001)
    weight = np.exp(-(grid**2) / 2 - grid**4)
    cumulative = np.cumsum(weight) / weight.sum()
    found = stats.kstest(replicas.x[0], lambda x: np.interp(x, grid, cumulative))
    assert found.pvalue > FALSE_ALARM


def test_total_heat_without_drive_has_the_law_of_two_energies():
    # U has four quadratic terms before and after: P(Q) = (1 + |Q|/T) exp(-|Q|/T) / 4T.
    t, network, count = 0.6, pair((0.6, 0.6), amplitude=0.0), 40_000
    state = gaussian.start_state(network, "equilibrium")
    columns = simulate(network, Plan(8, 0, 1, 8), count, steps=96, state=state)
    total = columns["heat"].sum(axis=(1, 2)) / t

    def cumulative(q):
        left = (2 + np.abs(q)) * np.exp(-np.abs(q)) / 4
        return np.where(q < 0, left, 1 - left)

    assert stats.kstest(total, cumulative).pvalue > FALSE_ALARM


def test_work_has_its_gaussian_variance_where_temperatures_differ():
    network, count = pair((2.0, 0.5), 1.1), 20_000
    ensemble = gaussian.LinearEnsemble(network)
    plan = Plan(40, 0, 1, 40)
    columns = simulate(network, plan, count, steps=96, state=ensemble.periodic_state)
    each, total = ensemble.work_variance_rate
    # The variance grows linearly after a start: take the second half of the time alone, twice.
    longer = simulate(
        network, Plan(80, 0, 1, 80), count, steps=96, seed=2, state=ensemble.periodic_state
    )
    time = 40 * network.period
    for pick, rate in ((0, each[0]), (1, each[1]), (slice(None), total)):
        short_work = columns["work"][:, 0, pick].reshape(count, -1).sum(axis=1)
        long_work = longer["work"][:, 0, pick].reshape(count, -1).sum(axis=1)
        grown = (long_work.var(ddof=1) - short_work.var(ddof=1)) / time
        error = np.hypot(long_work.var(), short_work.var()) * np.sqrt(2 / count) / time
        assert abs(grown - rate) / error < stats.norm.isf(FALSE_ALARM / 2 / 3)
        assert stats.kstest(stats.zscore(long_work), "norm").pvalue > FALSE_ALARM / 3


@pytest.mark.long
def test_quartic_pair_has_the_known_currents():
    # Known values, good to 1e-5: alpha = 1, TL = TR = 1, phi = pi / 2.
    network, plan = pair(alpha=1.0), Plan(2000, 10, 1, 2000)
    known = np.array([-0.31423, -0.05533, 0.38440, -0.01484])
    found = []
    for seed in range(10):
        columns = simulate(network, plan, 2048, steps=96, seed=seed)
        time = plan.periods * network.period
        found.append(np.concatenate([columns["heat"][:, 0], columns["work"][:, 0]], axis=1) / time)
    rates = np.concatenate(found)
    error = rates.std(axis=0, ddof=1) / np.sqrt(len(rates))
    assert error.max() < 2e-4
    assert np.abs((rates.mean(axis=0) - known) / error).max() < 4.0


def test_one_particle_between_two_baths_conducts_as_its_closed_form_says():
    hot, cold, left, right, m = 1.7, 0.4, 0.6, 1.1, 0.8
    site = Site(1.5, mass=m, friction=left, also=((1, right),))
    network = Driven((site,), (), (hot, cold), 3.0).build()
    columns = simulate(network, Plan(40, 3, 1, 40), 10_000, steps=120)
    rates = columns["heat"][:, 0] / (40 * 3.0)
    q = left * right * (hot - cold) / (m * (left + right))
    error = rates.std(axis=0) / np.sqrt(len(rates))
    # The step is off by 3e-5 of q.
    assert error.max() < 0.01 * q
    assert np.abs((rates.mean(axis=0) - [q, -q]) / error).max() < stats.norm.isf(FALSE_ALARM / 4)
