"""Ledgers made of random numbers whose statistics are known."""

from dataclasses import dataclass, field

import numpy as np
from scipy.stats import norm

from trajsim.ledger import Layout

FALSE_ALARM = 1e-4


@dataclass
class Ledger:
    """Trajectories of one point, handed out in slices as a run does.

    heat (m, rows, baths), work (m, rows, drives); a row is a period of length 1.
    """

    heat: np.ndarray
    work: np.ndarray | None = None
    slices: int = 1
    rows_per_period: int = 1
    more: dict[str, np.ndarray] = field(default_factory=dict)
    kind: str = "spins"
    sites: int = 2

    @property
    def layout(self):
        m, rows, baths = self.heat.shape
        drives = 0 if self.work is None else self.work.shape[2]
        return Layout(
            kind=self.kind,
            points=1,
            trajectories=m,
            rows=rows,
            rows_per_period=self.rows_per_period,
            row_periods=1.0 / self.rows_per_period,
            periods=[1.0],
            labels={
                "bath": list("LRABCD"[:baths]),
                "drive": list("1234"[:drives]),
                "site": [str(k + 1) for k in range(self.sites)],
            },
            parameters={},
        )

    def blocks(self, names=None):
        m, rows, _ = self.heat.shape
        # As every run has, whether or not it matters.
        up = np.ones((m, rows + 1, self.sites), np.int8)
        known = ("state",) if self.kind == "spins" else ("position", "velocity")
        columns = {**dict.fromkeys(known, up), "heat": self.heat, **self.more}
        if self.work is not None:
            columns["work"] = self.work
        for part in np.array_split(np.arange(len(self.heat)), self.slices):
            yield 0, int(part[0]), {name: columns[name][part] for name in names or columns}


def threshold(comparisons):
    """Standard errors that the largest of so many may lie off, at FALSE_ALARM for all together."""
    return norm.isf(FALSE_ALARM / (2 * comparisons))
