"""Windows: ranges of rows over which heats and works are summed, and these observables."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.rates import RATES
from trajsim.errors import TrajsimError
from trajsim.ledger import Layout

Array = NDArray[np.float64]

# Columns whose sums over windows are observables, in their order.
KINDS = ("heat", "work", "chemical_work", "particles")
# Label of sums over all drives, and the one in a file that has a drive of that name.
TOTAL, OTHER_TOTAL = "total", "sum of all"


class WindowError(TrajsimError, ValueError):
    """A window that the ledger has no rows for; the message says what is allowed."""


class Observable(NamedTuple):
    """Heat of a bath or work of a drive; or, where `total`, the work of all drives.

    Where there are particles, also the chemical work and the number of particles of a bath.
    """

    kind: str
    label: str
    total: bool = False

    @property
    def name(self) -> str:
        """Such as heat.L."""
        return f"{self.kind}.{self.label}"


def total_of(drives: Sequence[str]) -> str:
    """Label of the sum over these drives: `TOTAL`, unless one has that name."""
    return OTHER_TOTAL if TOTAL in drives else TOTAL


def observables(layout: Layout) -> list[Observable]:
    """Heats of all baths, works of all drives and, where there is any, their total, which is last.

    Before it come chemical works and numbers of particles of all baths, if particles come from any.
    """
    drives = layout.labels["drive"]
    found = [
        Observable(kind, label) for kind in _kinds(layout) for label in layout.labels[RATES[kind]]
    ]
    return [*found, *([Observable("work", total_of(drives), True)] if drives else [])]


def _kinds(layout: Layout) -> list[str]:
    """Columns of observables."""
    present = {column.name for column in layout.columns}
    return [name for name in KINDS if name in present]


def entries(columns: dict[str, NDArray]) -> Array:
    """Energies (m, rows, q) of all observables, in their order."""
    parts = [columns[kind] for kind in KINDS if kind in columns]
    if "work" in columns:
        parts.append(columns["work"].sum(axis=2, keepdims=True))
    return np.concatenate(parts, axis=2)


@dataclass(frozen=True)
class Windows:
    """Windows of a trajectory: they begin with a period and do not overlap.

    Attributes
    ----------
    rows : length in rows
    stride : rows from the beginning of one to that of the next
    count : number in a trajectory
    periods : length in periods
    time : length in time
    """

    rows: int
    stride: int
    count: int
    periods: float
    time: float

    @classmethod
    def of(cls, layout: Layout, point: int, rows: int | None = None) -> "Windows":
        """Windows of so many rows, the whole trajectory where not said.

        Raises
        ------
        WindowError
            If a trajectory does not have so many rows.
        """
        rows = layout.rows if rows is None else rows
        if not (isinstance(rows, Integral) and 1 <= rows <= layout.rows):
            raise WindowError(
                f"a window of {rows!r} rows; allowed: 1 to {layout.rows}, the rows of a trajectory"
            )
        phases = layout.rows_per_period
        stride = -(-rows // phases) * phases
        periods = rows * layout.row_periods
        return cls(
            rows,
            stride,
            (layout.rows - rows) // stride + 1,
            periods,
            periods * layout.periods[point],
        )

    @property
    def starts(self) -> NDArray[np.int64]:
        """Row (count,) at which each begins."""
        return self.stride * np.arange(self.count)

    def sums(self, rows: Array) -> Array:
        """Sums of entries (m, rows, q) over each window, (m, count, q)."""
        m, _, q = rows.shape
        if self.rows == self.stride:
            used = rows[:, : self.count * self.stride]
            return np.asarray(used.reshape(m, self.count, self.rows, q).sum(axis=2))
        index = self.starts[:, None] + np.arange(self.rows)
        return np.asarray(rows[:, index].sum(axis=2))


def columns_of(layout: Layout) -> list[str]:
    """Columns that observables are read from."""
    return _kinds(layout)


def parameters_of(layout: Layout, point: int) -> dict[str, Any]:
    """Swept values of a point."""
    return {key: values[point] for key, values in layout.parameters.items()}
