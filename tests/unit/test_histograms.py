"""Histograms against known densities, and bins that do not cut the spikes of a comb."""

import numpy as np
import pytest
from scipy import stats
from synthetic import FALSE_ALARM, Ledger, threshold

from trajsim.analysis.batches import Batches
from trajsim.analysis.fluctuations import fluctuations
from trajsim.analysis.histograms import HALF, Counter, bin_width, comb


def histogram_of(samples, windows=1, slices=1):
    """Histogram of trajectories of `windows` rows each."""
    heat = samples.reshape(-1, windows, 1)
    (found,) = fluctuations(Ledger(heat, slices=slices), rows=1)
    return found.histograms[0]


def chi_squared(histogram, cumulative, fewest=20):
    """Chance of a worse fit: neighbouring bins joined until at least `fewest` are expected."""
    expected = np.diff(cumulative(histogram.edges)) * histogram.samples
    joined, seen, at, so_far = [], [], 0.0, 0
    for e, c in zip(expected, histogram.counts, strict=True):
        at, so_far = at + e, so_far + c
        if at >= fewest:
            joined.append(at)
            seen.append(so_far)
            at, so_far = 0.0, 0
    joined[-1] += at
    seen[-1] += so_far
    square = ((np.array(seen) - joined) ** 2 / joined).sum()
    return stats.chi2.sf(square, len(joined) - 1), len(joined)


SMOOTH = {
    "normal": stats.norm(3.0, 2.0),
    "gamma": stats.gamma(2.0, scale=0.01),
    "two-sided": stats.laplace(-1.0, 50.0),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_counts_follow_a_known_density(name):
    law = SMOOTH[name]
    samples = law.rvs(200_000, random_state=np.random.default_rng(4))
    found = histogram_of(samples)
    assert found.counts.sum() + found.below + found.above == found.samples == 200_000
    chance, bins = chi_squared(found, law.cdf)
    assert chance > FALSE_ALARM
    assert bins > 30
    # Power: a density three percent wider is found.
    wider, _ = chi_squared(found, lambda x: law.cdf(law.mean() + (x - law.mean()) / 1.03))
    assert wider < FALSE_ALARM


def test_errors_of_counts_are_their_spread_over_seeds():
    # Ten windows of a trajectory are equal: counts spread sqrt(10) times as Poisson's would.
    found = []
    for seed in range(400):
        x = np.random.default_rng([7, seed]).normal(size=(1000, 1, 1)) + np.zeros((1, 10, 1))
        sums = Counter(Batches(100, 10), 1.0, 0.0)
        sums.add(0, x[..., 0])
        h = sums.histogram()
        middle = np.searchsorted(h.edges, [-0.75, 0.25, 1.25]) - 1
        found.append((h.counts[middle], h.stderr[middle]))
    counts, errors = (np.array(part, float) for part in zip(*found, strict=True))
    ratio = counts.var(axis=0, ddof=1) / (errors**2).mean(axis=0)
    # A variance of 400 normal numbers, three of them.
    noise = np.sqrt(2 / 399)
    assert abs(ratio - 1).max() < threshold(3) * noise
    np.testing.assert_allclose(
        counts.mean(axis=0), 10_000 * np.diff(stats.norm.cdf([-1.5, -0.5, 0.5, 1.5])), rtol=0.02
    )


@pytest.mark.parametrize("spacing", [2.0, 0.37, 1.4, 1e-3, 300.0])
@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_the_spacing_of_a_comb_is_found(spacing, spread):
    random = np.random.default_rng(5)
    k = random.binomial(8, 0.5, 4096) - 4
    samples = spacing * (k + spread * random.normal(size=4096) * (k != 0))
    found = comb(samples)
    assert found == pytest.approx(spacing, rel=1e-12 if spread == 0 else 2e-3)
    width = bin_width(samples, 10**6)
    # Multiples of the spacing are centres of bins.
    edges = (np.arange(-40, 40) + 0.5) * width
    away = abs(edges[:, None] - found * np.arange(-4, 5)).min()
    assert away == pytest.approx(width / 2, rel=1e-6)


def test_where_hardly_a_spin_flips_the_lattice_is_still_found():
    samples = np.zeros(4096)
    samples[::97], samples[5::211] = 2.0, -2.0
    assert comb(samples) == pytest.approx(2.0, rel=1e-12)


def test_counts_on_a_lattice_are_those_of_its_points():
    random = np.random.default_rng(6)
    k = random.poisson(3.0, 50_000)
    found = histogram_of(0.7 * k)
    np.testing.assert_allclose(found.edges, 0.7 * (np.arange(k.max() + 2) - 0.5), atol=1e-12)
    np.testing.assert_array_equal(found.counts, np.bincount(k))


@pytest.mark.parametrize("law", [stats.norm(), stats.uniform(), stats.t(3), stats.expon()])
@pytest.mark.parametrize("count", [30, 60, 1000, 4096])
def test_smooth_samples_have_no_comb(law, count):
    for seed in range(50):
        assert comb(law.rvs(count, random_state=np.random.default_rng([9, seed]))) is None


def test_samples_beyond_all_bins_are_counted_there():
    sums = Counter(Batches.of(4), 1.0, 0.0)
    sums.add(0, np.array([[0.2], [1e300], [-2.0 * HALF], [3.0]]))
    found = sums.histogram()
    assert (found.below, found.above, found.samples) == (1, 1, 4)
    assert found.counts.sum() == 2


@pytest.mark.parametrize("value", [0.0, 7.5, -1e-9])
def test_equal_samples_fill_one_bin(value):
    found = histogram_of(np.full(100, value))
    assert found.counts.tolist() == [100]
    assert found.edges[0] <= value <= found.edges[1]


def test_a_histogram_does_not_depend_on_slices():
    samples = np.random.default_rng(8).normal(size=30_000)
    one, many = histogram_of(samples, 3, 1), histogram_of(samples, 3, 37)
    np.testing.assert_array_equal(one.counts, many.counts)
    np.testing.assert_allclose(one.stderr, many.stderr, rtol=1e-12)
    np.testing.assert_array_equal(one.edges, many.edges)
