"""Jarzynski's and Bennett's estimates of dF on works whose free energy is known."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq

from trajsim.analysis.free_energy import bennett, jarzynski_estimate

# Probability that a test of a correct estimate fails; two-sided.
FALSE_ALARM = 1e-6
T, DELTA_F, DEVIATION = 0.7, 0.3, 1.1


def works(random, forward, backward):
    """Normal works of both protocols: mean +-dF + s^2 / 2T, as Crooks' ratio demands."""
    spent = DEVIATION**2 / (2 * T)
    return (
        random.normal(DELTA_F + spent, DEVIATION, forward),
        random.normal(-DELTA_F + spent, DEVIATION, backward),
    )


def scores(estimate, expected, repetitions=300):
    """Deviations in standard errors."""
    found = [estimate(np.random.default_rng(seed)) for seed in range(repetitions)]
    return np.array([(e.mean - expected) / e.stderr for e in found])


def expect_normal(z):
    """The mean and the variance of deviations are those of normal ones."""
    n = len(z)
    assert abs(z.mean()) * math.sqrt(n) < stats.norm.isf(FALSE_ALARM / 4)
    low, high = stats.chi2.ppf([FALSE_ALARM / 4, 1 - FALSE_ALARM / 4], n - 1)
    assert low < z.var() * n < high


@pytest.mark.parametrize("numbers", [(3000, 3000), (6000, 500), (400, 5000)])
def test_errors_of_bennetts_ratio_are_right_for_any_numbers_of_trajectories(numbers):
    expect_normal(scores(lambda r: bennett(*works(r, *numbers), T).delta_f, DELTA_F))
    spent = DEVIATION**2 / (2 * T)
    expect_normal(scores(lambda r: bennett(*works(r, *numbers), T).dissipated_work, spent))


def test_errors_of_jarzynskis_estimate_are_right():
    def estimate(random):
        return jarzynski_estimate(works(random, 200_000, 1)[0], T)

    expect_normal(scores(lambda r: estimate(r).delta_f, DELTA_F, 100))
    expect_normal(scores(lambda r: estimate(r).dissipated_work, DEVIATION**2 / (2 * T), 100))


def test_bennetts_error_and_overlap_are_the_integrals_of_the_literature():
    n, m = 40_000, 10_000
    both = bennett(*works(np.random.default_rng(5), n, m), T)
    a, b = n / (n + m), m / (n + m)
    spent = DEVIATION**2 / (2 * T)
    forward = stats.norm(DELTA_F + spent, DEVIATION).pdf
    mirrored = stats.norm(DELTA_F - spent, DEVIATION).pdf

    def common(w):
        return forward(w) * mirrored(w) / (a * forward(w) + b * mirrored(w))

    overlap = quad(common, -12, 12, epsabs=1e-13)[0]
    # Shirts, Bair, Hooker & Pande (2003), Eq. 4, in which the mean is over both runs together.
    variance = T**2 * (1 / (a * b * overlap) - 1 / a - 1 / b) / (n + m)
    # Both are means of bounded weights: their own relative errors are below 1 / sqrt(effective).
    allowed = stats.norm.isf(FALSE_ALARM / 2) / math.sqrt(both.effective)
    assert both.overlap == pytest.approx(overlap, rel=allowed)
    assert both.delta_f.stderr == pytest.approx(math.sqrt(variance), rel=allowed)
    assert both.trajectories == (n, m)
    assert both.trusted


@pytest.mark.parametrize("seed", range(3))
def test_the_root_is_that_of_bennetts_equation(seed):
    random = np.random.default_rng(seed)
    # No theorem holds for these works: the equation has one root all the same.
    forward, backward = random.gamma(2.0, 3.0, 70), random.normal(-4.0, 9.0, 900)

    def difference(c):
        shift = math.log(70 / 900)
        first = 1 / (1 + np.exp((forward - c) / T + shift))
        return first.sum() - (1 / (1 + np.exp((backward + c) / T - shift))).sum()

    expected = brentq(difference, -60, 60, xtol=1e-13)
    assert bennett(forward, backward, T).delta_f.mean == pytest.approx(expected, abs=1e-9)


def test_works_that_do_not_overlap_are_not_trusted():
    far = bennett(np.full(5000, 800.0), np.full(5000, 900.0), 0.1)
    assert far.overlap == pytest.approx(0.0, abs=1e-12)
    assert not far.trusted
    assert -900.0 <= far.delta_f.mean <= 800.0
    # A handful of works in common is not enough, either.
    few = bennett(*works(np.random.default_rng(2), 100, 100), T)
    assert few.overlap > 0.1
    assert not few.trusted


def test_works_that_are_all_dissipationless_give_their_value_without_error():
    both = bennett(np.full(500, 0.25), np.full(900, -0.25), T)
    assert both.delta_f == pytest.approx((0.25, 0.0), abs=1e-12)
    assert both.overlap == pytest.approx(1.0, abs=1e-12)


def test_large_works_do_not_overflow():
    work = np.random.default_rng(1).normal(-5000.0, 0.1, 1000)
    found = jarzynski_estimate(work, 0.5)
    assert found.delta_f.mean == pytest.approx(-5000.0 - 0.1**2, abs=0.1)
    assert found.dissipated_work.mean == pytest.approx(0.01, abs=0.01)


def test_works_of_both_protocols_are_asked_for():
    with pytest.raises(ValueError, match="both protocols"):
        bennett(np.ones(3), np.zeros(0), T)
