"""Rates as functions of time: one value for each row, or for each phase of the period."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.averages import Source
from trajsim.analysis.moments import Moments
from trajsim.analysis.rates import RATES

Array = NDArray[np.float64]

# Longer runs are folded onto one period.
MOST_PERIODS = 4


@dataclass(frozen=True)
class Profile:
    """Rates in successive rows at one point of a run.

    Attributes
    ----------
    time : (rows + 1,) edges of the rows
    folded : whether the rows are phases of the period, averaged over all periods
    rate, stderr : (rows, labels) per unit time, by kind: heat, work, exclusive_work, flips; of
        "total_work" (rows, 1) over all drives
    """

    time: Array
    folded: bool
    rate: dict[str, Array]
    stderr: dict[str, Array]


def profiles(run: Source) -> list[Profile]:
    """Profile of every point of a run."""
    layout = run.layout
    folded = layout.rows * layout.row_periods > MOST_PERIODS
    kinds = [c.name for c in layout.columns if c.name in RATES]
    gathered: dict[int, defaultdict[str, Moments]] = {}
    for point, _, columns in run.blocks(kinds):
        moments = gathered.setdefault(point, defaultdict(Moments))
        if "work" in columns:
            columns = {**columns, "total_work": columns["work"].sum(axis=2, keepdims=True)}
        for kind, values in columns.items():
            rows = values
            if folded:
                parts = (len(values), -1, layout.rows_per_period, values.shape[2])
                rows = values.reshape(parts).mean(axis=1)
            moments[kind].add(rows / (layout.row_periods * layout.periods[point]))
    return [
        Profile(
            time=layout.time(point)[: layout.rows_per_period + 1 if folded else None],
            folded=folded,
            rate={kind: m.mean for kind, m in gathered[point].items()},
            stderr={kind: m.stderr for kind, m in gathered[point].items()},
        )
        for point in sorted(gathered)
    ]
