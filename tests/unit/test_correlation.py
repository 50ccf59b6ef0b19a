"""Autocorrelation of rows, on autoregressive series whose own is known."""

import numpy as np
import pytest
from synthetic import Ledger, threshold

from trajsim.analysis.batches import Batches
from trajsim.analysis.correlation import MOST_LAGS, RowCorrelation
from trajsim.analysis.fluctuations import fluctuations


def autoregressive(random, coefficient, trajectories, rows):
    """x_r = a x_{r-1} + noise, stationary from the first row; its correlation is a^lag."""
    x = np.empty((trajectories, rows))
    x[:, 0] = random.normal(size=trajectories)
    step = np.sqrt(1 - coefficient**2)
    for r in range(1, rows):
        x[:, r] = coefficient * x[:, r - 1] + step * random.normal(size=trajectories)
    return x


@pytest.mark.parametrize("coefficient", [0.0, 0.6, -0.8])
def test_the_correlation_of_an_autoregressive_series_is_found(coefficient):
    random = np.random.default_rng(1)
    x = autoregressive(random, coefficient, 20_000, 12)
    # A mean that moves from row to row is no correlation.
    moving = 5.0 * np.sin(np.arange(12.0)) + 100.0
    heat = np.stack([x + moving, -3.0 * x], axis=-1)
    (found,) = fluctuations(Ledger(heat, slices=7))
    mean, stderr = found.correlation
    assert mean.shape == (12, 2)
    np.testing.assert_allclose(mean[0], 1.0)
    z = (mean[1:] - coefficient ** np.arange(1, 12)[:, None]) / stderr[1:]
    assert abs(z).max() < threshold(z.size)
    # Power: 0.6 is told from 0.62 at the first lag.
    assert stderr[1].max() < 0.02 / threshold(1)


def test_errors_of_correlations_are_their_spread_over_seeds():
    found = []
    for seed in range(400):
        x = autoregressive(np.random.default_rng([2, seed]), 0.7, 500, 6)
        sums = RowCorrelation(Batches(100, 5), np.zeros((6, 1)))
        sums.add(0, x[..., None])
        found.append(sums.correlation())
    means, errors = (np.array(part)[:, 1:, 0] for part in zip(*found, strict=True))
    ratio = means.var(axis=0, ddof=1) / (errors**2).mean(axis=0)
    # A variance of 400 nearly normal numbers, five of them; errors off by a quarter are found.
    assert abs(ratio - 1).max() < threshold(5) * np.sqrt(2 / 399)


def test_lags_are_limited_and_a_single_row_has_none():
    heat = np.random.default_rng(3).normal(size=(40, 30, 1))
    (long,) = fluctuations(Ledger(heat))
    assert long.correlation.mean.shape == (MOST_LAGS + 1, 1)
    (single,) = fluctuations(Ledger(heat[:, :1]))
    assert single.correlation is None
