"""The trajectories of a run that are furthest from the mean."""

from typing import NamedTuple

import numpy as np

from trajsim.analysis.averages import Source
from trajsim.analysis.windows import columns_of, entries, observables


class Extreme(NamedTuple):
    """A trajectory, what it counts in all, and how many standard deviations that is off."""

    trajectory: int
    value: float
    deviations: float


def extremes(run: Source, name: str, point: int = 0, count: int = 1) -> list[Extreme]:
    """Trajectories whose heat.L, work.total ... in all is furthest from the mean, that one first.

    Raises
    ------
    ValueError
        If there is no such observable, or no trajectory of the point.
    """
    known = [o.name for o in observables(run.layout)]
    if name not in known:
        raise ValueError(f"no observable {name!r}; allowed: {', '.join(known)}")
    place, numbers, totals = known.index(name), [], []
    for at, first, columns in run.blocks(columns_of(run.layout)):
        if at == point:
            sums = entries(columns)[:, :, place].sum(axis=1)
            totals.append(sums)
            numbers.append(first + np.arange(len(sums)))
    if not totals:
        raise ValueError(f"no trajectory of point {point}")
    number, total = np.concatenate(numbers), np.concatenate(totals)
    off = total - total.mean()
    spread = float(total.std()) or 1.0
    order = np.argsort(-np.abs(off), kind="stable")[:count]
    return [Extreme(int(number[k]), float(total[k]), float(off[k]) / spread) for k in order]
