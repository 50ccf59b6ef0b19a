"""Generating and rate functions of samples whose own are known, and how far they are trusted."""

import numpy as np
import pytest
from scipy import stats
from synthetic import FALSE_ALARM, Ledger, threshold

from trajsim.analysis.batches import Batches
from trajsim.analysis.fluctuations import fluctuations
from trajsim.analysis.scgf import ExponentialSums, trusted

MEAN, SPREAD, RATE, ROWS = 0.4, 1.5, 3.0, 4


def normal(random, size):
    return random.normal(MEAN, SPREAD, size)


def poisson(random, size):
    return random.poisson(RATE, size).astype(float)


# theta of a row of length 1 and the rate function, from textbooks.
CASES = {
    "normal": (
        normal,
        lambda x: MEAN * x + SPREAD**2 * x**2 / 2,
        lambda q: (q - MEAN) ** 2 / (2 * SPREAD**2),
    ),
    "poisson": (
        poisson,
        lambda x: RATE * np.expm1(x),
        lambda q: q * np.log(q / RATE) - q + RATE,
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("window", [1, ROWS])
def test_theta_and_rate_function_are_those_of_the_distribution(name, window):
    draw, theta, rate = CASES[name]
    heat = draw(np.random.default_rng(1), (200_000, ROWS, 1))
    (found,) = fluctuations(Ledger(heat, slices=3), rows=window)
    (g,) = found.generating
    good = g.trusted & (g.argument != 0)
    assert good.sum() >= 12
    at, error = g.argument[good], g.theta_error[good]
    assert abs((g.theta[good] - theta(at)) / error).max() < threshold(good.sum())
    assert abs((g.rate - rate(g.current))[good] / error).max() < threshold(good.sum())
    # Power: a variance off by three percent is found, and a theta of the wrong sign of lambda.
    scaled = theta(at * np.sqrt(1.03)) - theta(at)
    assert abs(scaled / error).max() > threshold(good.sum())
    assert abs((g.theta[good] - theta(-at)) / error).max() > threshold(good.sum())


def test_effective_size_is_that_of_lognormal_weights():
    heat = normal(np.random.default_rng(2), (200_000, 1, 1))
    ((g,),) = (f.generating for f in fluctuations(Ledger(heat)))
    near = abs(g.argument) * SPREAD < 1.0
    expected = 200_000 * np.exp(-((g.argument * SPREAD) ** 2))
    np.testing.assert_allclose(g.effective[near], expected[near], rtol=0.05)
    # What is trusted is an interval about zero, and not all that was asked for.
    assert 0 < g.trusted.sum() < len(g.argument)
    low, high = g.limits
    assert ((g.argument >= low) & (g.argument <= high)).sum() == g.trusted.sum()


SEEDS = 2000


def scores(argument, size):
    """z of theta of normal samples at one lambda for many seeds, and their effective sizes."""
    batches = Batches(100, size // 100)
    z, effective = [], []
    for seed in range(SEEDS):
        sums = ExponentialSums(batches, 0.0, 1.0)
        sums.argument = np.array([-argument, 0.0, argument])
        sums.sums, sums.squares = np.zeros((100, 2, 3)), np.zeros(3)
        sums.add(0, np.random.default_rng([3, seed]).normal(size=(size, 1)))
        g = sums.generating(1.0)
        z.append((g.theta[[0, 2]] - argument**2 / 2) / g.theta_error[[0, 2]])
        effective.append(g.effective[[0, 2]])
    return np.ravel(z), np.ravel(effective)


def test_errors_are_normal_up_to_where_theta_is_trusted_and_not_beyond():
    size = 5000
    # Where just trusted: effective size n exp(-lambda^2) at (20 n)^(2/3).
    at = np.sqrt(np.log(size / (20 * size) ** (2 / 3)))
    z, effective = scores(at, size)
    assert 0.2 < trusted(effective, size).mean() < 0.8
    # Of 4000 scores 10.8 lie beyond 3; a skewed mean makes that 20 at most.
    outside = (abs(z) > 3).sum()
    assert outside <= stats.poisson.isf(FALSE_ALARM, 20)
    # Power: further out the errors are wrong, nothing there is trusted, and this test sees it.
    z, effective = scores(2.5, size)
    assert not trusted(effective, size).any()
    assert (abs(z) > 3).sum() > stats.poisson.isf(FALSE_ALARM, 20)


def test_few_samples_are_trusted_nowhere_but_at_zero():
    heat = normal(np.random.default_rng(4), (60, 1, 1))
    ((g,),) = (f.generating for f in fluctuations(Ledger(heat)))
    assert g.limits == (0.0, 0.0)


@pytest.mark.parametrize("outlier", [1e3, 1e9])
def test_an_outlier_far_beyond_the_spread_is_not_trusted(outlier):
    heat = normal(np.random.default_rng(5), (20_000, 1, 1))
    heat[10_000] = outlier
    ((g,),) = (f.generating for f in fluctuations(Ledger(heat)))
    assert g.limits[1] == 0.0
    assert not np.isnan(g.theta[g.trusted]).any()
