"""Cumulants and covariances of many samples, with errors over batches of trajectories."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.batches import Batches, group_sums, jackknife
from trajsim.analysis.estimate import Estimate

Array = NDArray[np.float64]

ORDERS = 4
# The covariance of more observables than this is not kept.
MOST_OBSERVABLES = 64


def k_statistics(n: Array, powers: Array) -> Array:
    """Unbiased estimates of the first four cumulants (..., 4, q).

    Kendall & Stuart, The Advanced Theory of Statistics, vol. 1, section 12.10.

    Parameters
    ----------
    n : (...) number of samples
    powers : (..., 4, q) sums of the first four powers of the samples
    """
    n = n[..., None]
    s1, s2, s3, s4 = np.moveaxis(powers, -2, 0)
    k2 = (n * s2 - s1**2) / (n * (n - 1))
    k3 = (2 * s1**3 - 3 * n * s1 * s2 + n**2 * s3) / (n * (n - 1) * (n - 2))
    k4 = (
        -6 * s1**4
        + 12 * n * s1**2 * s2
        - 3 * n * (n - 1) * s2**2
        - 4 * n * (n + 1) * s1 * s3
        + n**2 * (n + 1) * s4
    ) / (n * (n - 1) * (n - 2) * (n - 3))
    return np.stack([s1 / n, k2, k3, k4], axis=-2)


class Shape(NamedTuple):
    """Skewness k3 / k2^1.5 and excess kurtosis k4 / k2^2, (q,) each."""

    skewness: Estimate[Array]
    kurtosis: Estimate[Array]


class PowerSums:
    """Sums of powers and of products of samples (m, windows, q), batch by batch.

    Parameters
    ----------
    batches : how trajectories are grouped
    reference : (q,) near the means, subtracted to save digits of the powers
    """

    def __init__(self, batches: Batches, reference: Array) -> None:
        q = len(reference)
        self.batches, self.reference = batches, reference
        self.count = np.zeros(batches.number, np.int64)
        self.powers = np.zeros((batches.number, ORDERS, q))
        self.products = np.zeros((batches.number, q, q)) if q <= MOST_OBSERVABLES else None

    def add(self, first: int, samples: Array) -> None:
        """Add samples (m, windows, q) of trajectories first ..."""
        if len(samples) == 0:
            return
        batch, starts = self.batches.cut(first, len(samples))
        x = samples - self.reference
        power = np.ones_like(x)
        for order in range(ORDERS):
            power = power * x
            self.powers[batch, order] += group_sums(power.sum(axis=1), starts)
        self.count[batch] += np.diff(starts, append=len(x)) * x.shape[1]
        if self.products is not None:
            for number, part in zip(batch, np.split(x, starts[1:]), strict=True):
                flat = part.reshape(-1, x.shape[2])
                self.products[number] += flat.T @ flat

    def cumulants(self) -> Estimate[Array]:
        """First four cumulants (4, q) of the samples."""
        estimate = jackknife(k_statistics, self.count, self.powers)
        mean = estimate.mean.copy()
        mean[0] += self.reference
        return Estimate(mean, estimate.stderr)

    def covariance(self) -> Estimate[Array] | None:
        """Covariance (q, q) of the samples; None for too many observables."""
        if self.products is None:
            return None
        return jackknife(_covariance, self.count, self.powers[:, 0], self.products)

    def shape(self) -> Shape:
        """Skewness and excess kurtosis of the samples."""

        def ratio(order: int) -> Estimate[Array]:
            def statistic(n: Array, powers: Array) -> Array:
                k = k_statistics(n, powers)
                return np.asarray(k[..., order - 1, :] / k[..., 1, :] ** (order / 2))

            return jackknife(statistic, self.count, self.powers)

        return Shape(ratio(3), ratio(4))


def correlation(covariance: Array) -> Array:
    """Correlation coefficients (q, q) of a covariance; nan for constants."""
    deviation = np.sqrt(np.diag(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(covariance / np.outer(deviation, deviation))


def _covariance(n: Array, s: Array, products: Array) -> Array:
    n = n[:, None, None]
    outer = s[:, :, None] * s[:, None, :]
    return np.asarray((products - outer / n) / (n - 1))
