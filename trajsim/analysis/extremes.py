"""The trajectories of a run that are furthest from the mean."""

from typing import NamedTuple

import numpy as np

from trajsim.analysis.averages import Source
from trajsim.analysis.windows import columns_of, entries, observables


class Extreme(NamedTuple):
    """A trajectory, its total of an observable, and its distance from the mean in sigmas."""

    trajectory: int
    value: float
    deviations: float


def extremes(run: Source, name: str, point: int = 0, count: int = 1) -> list[Extreme]:
    """Trajectories with the total of heat.L, work.total ... furthest from the mean, largest first.

    Parameters
    ----------
    run : with a layout and slices of trajectories
    name : of an observable
    point : of the sweep
    count : number of trajectories to return

    Raises
    ------
    ValueError
        If there is no such observable, or no trajectory of the point.
    """
    known = [o.name for o in observables(run.layout)]
    if name not in known:
        raise ValueError(f"no observable {name!r}; allowed: {', '.join(known)}")
    column, numbers, totals = known.index(name), [], []
    for of_point, first, columns in run.blocks(columns_of(run.layout)):
        if of_point == point:
            sums = entries(columns)[:, :, column].sum(axis=1)
            totals.append(sums)
            numbers.append(first + np.arange(len(sums)))
    if not totals:
        raise ValueError(f"no trajectory of point {point}")
    number, total = np.concatenate(numbers), np.concatenate(totals)
    deviation = total - total.mean()
    scale = float(total.std()) or 1.0
    order = np.argsort(-np.abs(deviation), kind="stable")[:count]
    return [Extreme(int(number[k]), float(total[k]), float(deviation[k]) / scale) for k in order]
