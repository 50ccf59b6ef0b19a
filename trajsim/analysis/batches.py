"""Batches of trajectories, and the jackknife over them: errors of whatever is no plain mean.

Trajectories are independent, windows and rows within one are not: a batch holds whole
trajectories, told by their numbers alone, so that results do not depend on how they are read.
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
    def of(cls, trajectories: int, kept: int = 1) -> "Batches":
        """Some hundreds of batches; fewer where each keeps many numbers."""
        wanted = min(max(trajectories // WORTH, LEAST), MOST_BATCHES)
        most = min(wanted, max(FEWEST_BATCHES, MOST_KEPT // max(1, kept)))
        size = max(1, -(-trajectories // most))
        return cls(max(1, -(-trajectories // size)), size)

    def cut(self, first: int, trajectories: int) -> tuple[Numbers, Numbers]:
        """Batches that trajectories first ... lie in, and which of these begins each."""
        batch = np.arange(first // self.size, (first + trajectories - 1) // self.size + 1)
        return batch, np.maximum(batch * self.size - first, 0)


def added(values: Array, begins: Numbers, axis: int = 0) -> Array:
    """Sums of values along an axis from each beginning to the next."""
    return np.asarray(np.add.reduceat(values, begins, axis=axis), np.float64)


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
    there = count > 0
    held = [each[there] for each in sums]
    n = np.asarray(count[there], np.float64)
    total, totals = n.sum(), [each.sum(axis=0) for each in held]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        whole = statistic(total[None], *(each[None] for each in totals))[0]
        if len(n) < 2:
            return Estimate(whole, np.full_like(whole, np.nan))
        without = statistic(
            total - n, *(all_ - each for all_, each in zip(totals, held, strict=True))
        )
        ratio = (total / n).reshape(-1, *(1,) * whole.ndim)
        centre = len(n) * whole - ((1 - 1 / ratio) * without).sum(axis=0)
        pseudo = ratio * whole - (ratio - 1) * without
        variance = ((pseudo - centre) ** 2 / (ratio - 1)).mean(axis=0)
        return Estimate(whole, np.sqrt(variance))
