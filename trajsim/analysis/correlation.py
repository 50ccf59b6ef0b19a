"""Autocorrelation of the rows of trajectories."""

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.batches import Batches, group_sums, jackknife
from trajsim.analysis.estimate import Estimate

Array = NDArray[np.float64]

MOST_LAGS = 16


class RowCorrelation:
    """Correlation of an observable with itself some rows later, about the mean of each row.

    The mean of each row is that of all trajectories, so that neither a transient nor the phase
    of the drive counts as correlation.

    Parameters
    ----------
    batches : how trajectories are grouped
    reference : (rows, q) near the means
    """

    def __init__(self, batches: Batches, reference: Array) -> None:
        rows, q = reference.shape
        self.batches, self.reference = batches, reference
        self.lags = min(rows - 1, MOST_LAGS)
        self.count = np.zeros(batches.number, np.int64)
        self.products = np.zeros((batches.number, self.lags + 1, q))
        self.sums = np.zeros((rows, q))

    def add(self, first: int, rows: Array) -> None:
        """Add entries (m, rows, q) of trajectories first ..."""
        if len(rows) == 0:
            return
        batch, starts = self.batches.cut(first, len(rows))
        # Rows first: products then run through memory in order.
        y = np.ascontiguousarray((rows - self.reference).transpose(1, 2, 0))
        n = len(y)
        self.sums += y.sum(axis=2)
        self.count[batch] += np.diff(starts, append=len(rows))
        for lag in range(self.lags + 1):
            product = np.einsum("rqm,rqm->qm", y[: n - lag], y[lag:]) / (n - lag)
            self.products[batch, lag] += group_sums(product, starts, axis=1).T

    def correlation(self) -> Estimate[Array]:
        """Correlation (lags + 1, q) at lags of 0, 1, ... rows."""
        mean = self.sums / max(1, self.count.sum())
        n = len(mean)
        square = np.stack(
            [(mean[: n - lag] * mean[lag:]).mean(axis=0) for lag in range(self.lags + 1)]
        )

        def statistic(count: Array, products: Array) -> Array:
            covariance = products / count[:, None, None] - square
            return np.asarray(covariance / covariance[:, :1])

        return jackknife(statistic, self.count, self.products)
