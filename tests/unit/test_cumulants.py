"""Cumulants and covariances of samples whose own are known, and the calibration of their errors."""

import numpy as np
import pytest
from scipy import stats
from synthetic import FALSE_ALARM, Ledger, threshold

from trajsim.analysis.batches import Batches, jackknife
from trajsim.analysis.cumulants import PowerSums
from trajsim.analysis.fluctuations import fluctuations

# First four cumulants, from textbooks.
GAMMA_SHAPE, GAMMA_SCALE, POISSON_MEAN = 3.0, 0.7, 2.5
DISTRIBUTIONS = {
    "normal": (lambda r, n: r.normal(-1.0, 2.0, n), [-1.0, 4.0, 0.0, 0.0]),
    "gamma": (
        lambda r, n: r.gamma(GAMMA_SHAPE, GAMMA_SCALE, n),
        [GAMMA_SHAPE * GAMMA_SCALE**k * factorial for k, factorial in enumerate([1, 1, 2, 6], 1)],
    ),
    "poisson": (lambda r, n: r.poisson(POISSON_MEAN, n).astype(float), [POISSON_MEAN] * 4),
}


def sums_of(samples, batches=None):
    """PowerSums of one-window trajectories (m, q)."""
    sums = PowerSums(batches or Batches.of(len(samples)), samples[:10].mean(axis=0))
    sums.add(0, samples[:, None, :])
    return sums


@pytest.mark.parametrize("count", [4, 7, 999, 1000, 1001, 2503])
def test_cumulants_are_the_k_statistics_of_scipy(count):
    samples = np.random.default_rng(count).gamma(2.0, 1.0, (count, 2))
    samples += np.array([1e3, -5.0])
    found = sums_of(samples).cumulants().mean
    for order in range(4):
        for k in range(2):
            centred = samples[:, k] - samples[:, k].mean()
            expected = stats.kstat(samples[:, k] if order == 0 else centred, order + 1)
            assert found[order, k] == pytest.approx(expected, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_cumulants_of_known_distributions_are_found(name):
    draw, expected = DISTRIBUTIONS[name]
    samples = draw(np.random.default_rng(11), (400_000, 1))
    found = sums_of(samples).cumulants()
    z = (found.mean[:, 0] - expected) / found.stderr[:, 0]
    assert abs(z).max() < threshold(4)
    # Power: a fourth cumulant off by its error's six-fold, and a variance off by one percent.
    assert found.stderr[1, 0] < 0.01 * expected[1]
    assert found.stderr[3, 0] < 0.1 * expected[1] ** 2


def spread_against_error(estimates, errors, comparisons):
    """Spread of estimates over seeds against their stated errors, at FALSE_ALARM.

    The bounds allow for the estimates' own kurtosis and for the scatter of the errors.
    """
    seeds = len(estimates)
    z = (estimates - estimates.mean(axis=0)) / np.sqrt((errors**2).mean(axis=0))
    noise = np.sqrt((z**4).mean(axis=0) / seeds + (errors**2).var(axis=0) / seeds)
    ratio = (z**2).sum(axis=0) / (seeds - 1)
    assert (abs(ratio - 1) < stats.norm.isf(FALSE_ALARM / 2 / comparisons) * noise).all(), ratio
    # Power: errors off by a quarter would be found.
    assert (noise * stats.norm.isf(FALSE_ALARM / 2 / comparisons) < 0.55).all()


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_errors_of_cumulants_are_the_spread_over_seeds(name):
    draw, _ = DISTRIBUTIONS[name]
    # The last batch holds but 20.
    batches, count = Batches(101, 50), 5020
    found = [
        sums_of(draw(np.random.default_rng([5, seed]), (count, 1)), batches).cumulants()
        for seed in range(800)
    ]
    estimates = np.array([f.mean[:, 0] for f in found])
    errors = np.array([f.stderr[:, 0] for f in found])
    spread_against_error(estimates, errors, 4)


def test_windows_of_a_trajectory_are_not_taken_for_independent():
    # All twenty windows of a trajectory are equal: errors must be those of trajectories.
    found = []
    for seed in range(300):
        heat = np.random.default_rng([6, seed]).normal(size=(500, 1, 1)) + np.zeros((1, 20, 1))
        (f,) = fluctuations(Ledger(heat), rows=1, detailed=False)
        assert f.windows.count == 20
        found.append(f.cumulants)
    estimates = np.array([f.mean[:2, 0] for f in found])
    errors = np.array([f.stderr[:2, 0] for f in found])
    spread_against_error(estimates, errors, 2)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    samples = np.random.default_rng(1).gamma(1.0, size=300)
    found = jackknife(lambda n, s: s / n, np.ones(300), samples)
    assert found.mean == pytest.approx(samples.mean())
    assert found.stderr == pytest.approx(samples.std(ddof=1) / np.sqrt(300), rel=1e-12)


def test_empty_batches_do_not_count():
    count, sums = np.array([2, 0, 1, 3]), np.array([3.0, 0.0, 2.0, 1.0])
    mean = jackknife(lambda n, s: s / n, count, sums)
    without = jackknife(lambda n, s: s / n, count[count > 0], sums[count > 0])
    assert mean == without


COVARIANCE = np.array([[2.0, -1.8, 0.3], [-1.8, 2.5, 0.1], [0.3, 0.1, 0.5]])


def correlated(random, count):
    """Heats of two baths and work of one drive, Gaussian."""
    x = random.multivariate_normal([1.0, -2.0, 0.5], COVARIANCE, count)
    return Ledger(heat=x[:, None, :2], work=x[:, None, 2:])


def test_the_covariance_is_found_with_its_error():
    (found,) = fluctuations(correlated(np.random.default_rng(3), 100_000), detailed=False)
    assert [o.name for o in found.observables] == ["heat.L", "heat.R", "work.1", "work.total"]
    mean, stderr = (part[:3, :3] for part in found.covariance)
    assert (abs(mean - COVARIANCE) / stderr).max() < threshold(6)
    # Isserlis: the variance of a sample covariance of Gaussians.
    spread = np.diag(COVARIANCE)
    expected = np.sqrt((np.outer(spread, spread) + COVARIANCE**2) / 100_000)
    # A thousand batches know an error to 1/sqrt(2000) = 2.2 %; 4.3 of these for six at 1e-4.
    assert abs(stderr / expected - 1).max() < 0.1


def test_a_covariance_of_the_wrong_sign_would_be_found():
    (found,) = fluctuations(correlated(np.random.default_rng(3), 10_000), detailed=False)
    mean, stderr = (part[:3, :3] for part in found.covariance)
    wrong = COVARIANCE * np.where(np.eye(3) > 0, 1, -1)
    off = abs(mean - wrong) / stderr
    assert (off[wrong != COVARIANCE] > threshold(6)).all()


def test_errors_of_covariances_are_their_spread_over_seeds():
    found = []
    for seed in range(500):
        random = np.random.default_rng([8, seed])
        samples = random.multivariate_normal(np.zeros(3), COVARIANCE, 1000)
        found.append(sums_of(samples, Batches(100, 10)).covariance())
    estimates, errors = (np.array(part) for part in zip(*found, strict=True))
    spread_against_error(estimates, errors, 6)


def test_the_total_work_is_the_sum_of_the_works():
    random = np.random.default_rng(2)
    heat, work = random.normal(size=(50, 4, 1)), random.normal(size=(50, 4, 3))
    (found,) = fluctuations(Ledger(heat, work), rows=2)
    total = found.index("work", "total")
    works = [found.index("work", drive) for drive in "123"]
    np.testing.assert_allclose(
        found.covariance.mean[total, total], found.covariance.mean[np.ix_(works, works)].sum()
    )
    np.testing.assert_allclose(found.cumulants.mean[0, total], found.cumulants.mean[0, works].sum())
