"""Sampled variances and covariances against exact ones: in normal errors, or not judged."""

import numpy as np
import pytest
from scipy import stats
from synthetic import FALSE_ALARM, Ledger

from trajsim.analysis.fluctuations import fluctuations
from trajsim.comparison.covariances import compare_covariances, with_total

COVARIANCE = np.array([[2.0, -1.9, 0.3], [-1.9, 2.5, 0.1], [0.3, 0.1, 0.5]])


def normal(random, count):
    return random.multivariate_normal(np.zeros(3), COVARIANCE, count)


def flipping(random, count):
    """Heats of five flips a trajectory on average, of either sign, and their sum as work."""
    up, down = random.poisson(2.5, (2, count, 2)).astype(float)
    heat = up - down
    return np.column_stack([heat, heat.sum(axis=1)])


KINDS = {
    "normal": (normal, COVARIANCE),
    "flips": (flipping, np.array([[5.0, 0, 5], [0, 5, 5], [5, 5, 10]])),
}


def compared(samples, exact, flips=1e9):
    ledger = Ledger(samples[:, None, :2], samples[:, None, 2:])
    (found,) = fluctuations(ledger, detailed=False)
    behind = {("heat", "L"): flips, ("heat", "R"): flips, ("work", "1"): flips}
    return {q.name: q for q in compare_covariances(found, with_total(exact, 2, 1), behind)}


def test_names_are_those_of_variances_and_covariances():
    found = compared(normal(np.random.default_rng(1), 1000), COVARIANCE)
    assert list(found) == [
        "heat_variance_rate.L",
        "covariance_rate.heat.L.heat.R",
        "covariance_rate.heat.L.work.1",
        "heat_variance_rate.R",
        "covariance_rate.heat.R.work.1",
        "work_variance_rate.1",
        "work_variance_rate.total",
    ]
    for q in found.values():
        assert q.sigma == pytest.approx((q.sampled - q.exact) / q.stderr)


@pytest.mark.parametrize("kind", KINDS)
def test_false_alarms_are_as_rare_as_those_of_normal_errors(kind):
    draw, exact = KINDS[kind]
    count, seeds, sigmas = 400, 800, []
    for seed in range(seeds):
        found = compared(draw(np.random.default_rng([2, seed]), count), exact)
        sigmas.append([q.sigma for q in found.values()][:6])
    outside = (np.abs(sigmas) > 3).sum(axis=0)
    # 2.2 of 800 are expected beyond 3 for each; twice that is allowed for, at FALSE_ALARM.
    assert outside.max() <= stats.poisson.isf(FALSE_ALARM / 6, 2 * seeds * 2 * stats.norm.sf(3))


def test_a_spread_too_large_by_a_factor_is_as_far_off_as_one_too_small_by_it():
    samples = normal(np.random.default_rng(4), 1000)
    covariance = np.cov(samples, rowvar=False)
    low, high = (compared(samples, covariance * factor) for factor in (1 / 1.3, 1.3))
    for name, q in low.items():
        assert abs(q.sigma) > 0.1
        assert q.sigma == pytest.approx(-high[name].sigma, rel=1e-9)


def test_plain_errors_would_not_be_normal():
    # The same test with plain errors, of variances over few trajectories: too many small ones.
    x = np.random.default_rng(2).normal(size=(30_000, 400))
    variance = x.var(axis=1, ddof=1)
    error = np.sqrt(((x - x.mean(axis=1, keepdims=True)) ** 2).var(axis=1) / 400)
    low = ((variance - 1) / error < -3).sum()
    assert low > stats.poisson.isf(FALSE_ALARM, 2 * len(x) * stats.norm.sf(3))


def test_an_exact_variance_off_by_a_tenth_and_a_covariance_of_the_wrong_sign_are_found():
    samples = normal(np.random.default_rng(3), 20_000)
    found = compared(samples, COVARIANCE * np.where(np.eye(3) > 0, 1.1, 1.0))
    for name in ("heat_variance_rate.L", "heat_variance_rate.R", "work_variance_rate.1"):
        assert abs(found[name].sigma) > 6
    wrong = COVARIANCE * np.array([[1, 1, -1], [1, 1, 1], [-1, 1, 1]])
    found = compared(samples, wrong)
    assert abs(found["covariance_rate.heat.L.work.1"].sigma) > 6
    assert abs(found["covariance_rate.heat.L.heat.R"].sigma) < 5


@pytest.mark.parametrize(("count", "flips"), [(399, 1e9), (5000, 1999)])
def test_few_trajectories_or_flips_are_shown_and_not_judged(count, flips):
    found = compared(normal(np.random.default_rng(4), count), COVARIANCE, flips)
    assert {q.sigma for q in found.values()} == {None}
    assert all(q.stderr > 0 for q in found.values())


def test_the_total_work_adds_up_works_and_their_covariances():
    whole = with_total(COVARIANCE, 1, 2)
    assert whole[3, 3] == pytest.approx(COVARIANCE[1:, 1:].sum())
    np.testing.assert_allclose(whole[3, :3], COVARIANCE[1:].sum(axis=0))
    np.testing.assert_array_equal(with_total(COVARIANCE, 1, 0), COVARIANCE)
