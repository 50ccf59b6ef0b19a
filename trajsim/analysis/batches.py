"""Batches of trajectories, and the jackknife over them: errors of functions of means.

Trajectories are independent, windows and rows within one are not: a batch holds whole
trajectories, chosen by their numbers alone, so that results do not depend on how they are read.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.estimate import Estimate

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

# A batch holds ten trajectories, unless that makes too few or too many.
MOST_BATCHES, LEAST, FEWEST_BATCHES, WORTH = 1000, 400, 50, 10
# Numbers kept for all batches of one point together.
MOST_KEPT = 1 << 22


class Batches(NamedTuple):
    """`number` batches of `size` trajectories; the last may be smaller."""

    number: int
    size: int

    @classmethod
    def of(cls, trajectories: int, numbers: int = 1) -> "Batches":
        """Some hundreds of batches; fewer where each keeps many numbers."""
        wanted = min(max(trajectories // WORTH, LEAST), MOST_BATCHES)
        most = min(wanted, max(FEWEST_BATCHES, MOST_KEPT // max(1, numbers)))
        size = max(1, -(-trajectories // most))
        return cls(max(1, -(-trajectories // size)), size)

    def cut(self, first: int, trajectories: int) -> tuple[Numbers, Numbers]:
        """Batches (b,) of trajectories first ..., and the index (b,) of the first one in each."""
        batch = np.arange(first // self.size, (first + trajectories - 1) // self.size + 1)
        return batch, np.maximum(batch * self.size - first, 0)


def group_sums(values: Array, starts: Numbers, axis: int = 0) -> Array:
    """Sums of values along an axis from each start to the next."""
    return np.asarray(np.add.reduceat(values, starts, axis=axis), np.float64)


def jackknife(
    statistic: Callable[..., Array], count: Numbers | Array, *sums: Array
) -> Estimate[Array]:
    """Estimate from sums over all batches, its error from leaving out one after the other.

    Busing, Meijer & van der Leeden, Statistics and Computing 9, 3 (1999), for batches of
    unequal size.

    Parameters
    ----------
    statistic : of (count (g,), sums (g, ...)...), answers (g, ...)
    count : (batches,) number of samples in each; batches without any are left out
    sums : (batches, ...) each, sums over the samples of each batch
    """
    nonempty = count > 0
    kept = [each[nonempty] for each in sums]
    n = np.asarray(count[nonempty], np.float64)
    total, totals = n.sum(), [each.sum(axis=0) for each in kept]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        estimate = statistic(total[None], *(each[None] for each in totals))[0]
        if len(n) < 2:
            return Estimate(estimate, np.full_like(estimate, np.nan))
        left_out = statistic(
            total - n, *(all_ - each for all_, each in zip(totals, kept, strict=True))
        )
        ratio = (total / n).reshape(-1, *(1,) * estimate.ndim)
        centre = len(n) * estimate - ((1 - 1 / ratio) * left_out).sum(axis=0)
        pseudo = ratio * estimate - (ratio - 1) * left_out
        variance = ((pseudo - centre) ** 2 / (ratio - 1)).mean(axis=0)
        return Estimate(estimate, np.sqrt(variance))
