"""Means and covariances of trajectories that arrive in slices."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Moments:
    """Mean and variance of independent samples of shape (...), slice by slice.

    Chan, Golub & LeVeque, Am. Stat. 37, 242 (1983): no loss of digits, whatever the mean.

    Parameters
    ----------
    covariance : keep the full covariance of samples of shape (q,), not only variances
    """

    def __init__(self, covariance: bool = False) -> None:
        self.count = 0
        self.mean: Array = np.zeros(())
        self.squares: Array = np.zeros(())
        self._covariance = covariance

    def add(self, samples: Array) -> None:
        """Add samples (m, ...)."""
        m = len(samples)
        mean = samples.mean(axis=0)
        residual = samples - mean
        shift = mean - self.mean
        weight = self.count * m / (self.count + m)
        if self._covariance:
            self.squares = self.squares + residual.T @ residual + weight * np.outer(shift, shift)
        else:
            self.squares = self.squares + (residual**2).sum(axis=0) + weight * shift**2
        self.mean = self.mean + shift * (m / (self.count + m))
        self.count += m

    @property
    def variance(self) -> Array:
        """Sample variance (...) or covariance (q, q); nan for a single sample."""
        if self.count < 2:
            return np.full_like(self.squares, np.nan)
        return self.squares / (self.count - 1)

    @property
    def stderr(self) -> Array:
        """Standard error of the mean, or covariance of the means where that is kept."""
        if self._covariance:
            return self.variance / self.count
        return np.sqrt(self.variance / self.count)
