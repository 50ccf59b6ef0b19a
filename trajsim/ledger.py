"""The ledger: its columns, their shapes and units, and the definitions of heat and work.

Heat is positive when it flows from the bath into the system, work when it is done on the system:
on every trajectory and in every row, dU = sum of heats + sum of works (+ shadow work).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.extending.kinds import KINDS


class Column(NamedTuple):
    """One array of the ledger; `dims` come after (point, trajectory).

    One that is there only of some runs names in `where` what the layout must be: "heated",
    "exchanging" or "inertial".
    """

    name: str
    dims: tuple[str, ...]
    dtype: str
    units: str
    long_name: str
    where: str = ""


SPINS = (
    Column("heat", ("row", "bath"), "<f8", "energy", "heat from the bath into the system"),
    Column("work", ("row", "drive"), "<f8", "energy", "inclusive work of the drive, -int s dh"),
    Column(
        "exclusive_work", ("row", "drive"), "<f8", "energy", "exclusive work of the drive, int h ds"
    ),
    Column("energy", ("edge",), "<f8", "energy", "energy of the system at the edges of the rows"),
    Column("flips", ("row", "site"), "<i4", "1", "number of flips of the spin"),
    Column("state", ("edge", "site"), "|i1", "1", "spin at the edges of the rows, +1 or -1"),
    Column(
        "entropy_flow",
        ("row", "bath"),
        "<f8",
        "1",
        "heat from the bath over its temperature of that instant",
        where="heated",
    ),
)

OSCILLATORS = (
    SPINS[0],
    Column("work", ("row", "drive"), "<f8", "energy", "inclusive work of the drive, -int x df"),
    Column(
        "exclusive_work", ("row", "drive"), "<f8", "energy", "exclusive work of the drive, int f dx"
    ),
    Column("shadow_work", ("row",), "<f8", "energy", "energy the integrator made or lost"),
    SPINS[3],
    Column("position", ("edge", "site"), "<f8", "length", "position at the edges of the rows"),
    Column(
        "velocity",
        ("edge", "site"),
        "<f8",
        "length/time",
        "velocity at the edges of the rows",
        where="inertial",
    ),
    SPINS[6],
)

JUMPS = (
    SPINS[0],
    Column(
        "work",
        ("row", "drive"),
        "<f8",
        "energy",
        "inclusive work of the drive: of an energy int dE while in that state, of a load at jumps",
    ),
    Column(
        "exclusive_work",
        ("row", "drive"),
        "<f8",
        "energy",
        "work of the drive less what the driven energy has grown by",
    ),
    SPINS[3],
    Column("jumps", ("row", "bath"), "<i4", "1", "number of jumps made by the bath"),
    Column("state", ("edge",), "<i4", "1", "number of the state at the edges of the rows"),
    SPINS[6],
    Column(
        "chemical_work",
        ("row", "bath"),
        "<f8",
        "energy",
        "chemical work: particles from the bath times its chemical potential",
        where="exchanging",
    ),
    Column(
        "particles",
        ("row", "bath"),
        "<i4",
        "1",
        "number of particles that came from the bath",
        where="exchanging",
    ),
)

# Largest ledger of one trajectory, which is simulated, written and read in one piece.
MOST_TRAJECTORY_BYTES = 64 << 20
# Residuals of the first law below this part of the largest entry are rounding.
ROUNDING = 1e-9
# Columns in the first law.
ENERGETIC = ("energy", "heat", "work", "chemical_work", "shadow_work")

# Energies whose fourth powers do not overflow; no valid config comes near it.
LARGEST = 1e70


def all_columns(kind: str) -> tuple[Column, ...]:
    """All columns of a kind of model, those without entries included."""
    return tuple(KINDS[kind].part("columns"))


@dataclass(frozen=True)
class Layout:
    """Shape and labels of a run's ledger.

    Parameters
    ----------
    kind : model kind, a key of trajsim.extending.kinds.KINDS
    points, trajectories, rows : lengths of these dimensions
    rows_per_period : rows in a period where they are parts of it, else 1
    row_periods : length of a row in periods
    periods : (points,) period of the drive at each point
    labels : names along the dimensions bath, drive and site
    parameters : swept values (points,) by key
    heated : whether a temperature is driven
    exchanging : whether particles come from the baths
    overdamped : whether particles have no velocity
    """

    kind: str
    points: int
    trajectories: int
    rows: int
    rows_per_period: int
    row_periods: float
    periods: list[float]
    labels: dict[str, list[str]]
    parameters: dict[str, list[float]]
    heated: bool = False
    exchanging: bool = False
    overdamped: bool = False

    @property
    def inertial(self) -> bool:
        """Whether particles have a velocity."""
        return not self.overdamped

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns that have entries: works are absent where nothing is driven."""
        return tuple(c for c in all_columns(self.kind) if all(self.shape(c)))

    @property
    def summary(self) -> str:
        """Its extent in words."""
        return (
            f"{self.points} points x {self.trajectories} trajectories x {self.rows} rows of "
            f"{self.row_periods:g} periods"
        )

    def size(self, dim: str) -> int:
        """Length of a dimension."""
        sizes = {
            "point": self.points,
            "trajectory": self.trajectories,
            "row": self.rows,
            "edge": self.rows + 1,
        }
        return sizes[dim] if dim in sizes else len(self.labels[dim])

    def shape(self, column: Column) -> tuple[int, ...]:
        """Shape of a column for one trajectory."""
        shape = tuple(self.size(dim) for dim in column.dims)
        there = not column.where or getattr(self, column.where)
        return shape if there else (*shape[:-1], 0)

    @property
    def trajectory_bytes(self) -> int:
        """Bytes of one trajectory's ledger."""
        return sum(
            int(np.prod(self.shape(c), dtype=object)) * np.dtype(c.dtype).itemsize
            for c in self.columns
        )

    @property
    def total_bytes(self) -> int:
        """Bytes of the whole ledger."""
        return self.points * self.trajectories * self.trajectory_bytes

    def time(self, point: int) -> NDArray[np.float64]:
        """Time (rows + 1,) at the edges of the rows, since the ledger opened."""
        edges = np.arange(self.rows + 1, dtype=np.float64)
        return np.asarray(edges * self.row_periods * self.periods[point], np.float64)

    def duration(self, point: int) -> float:
        """Recorded time of a trajectory."""
        return self.rows * self.row_periods * self.periods[point]

    def allocate(self, count: int) -> dict[str, NDArray]:
        """Zeroed columns for `count` trajectories, empty ones included; kernels overwrite all."""
        return {
            c.name: np.zeros((count, *self.shape(c)), np.dtype(c.dtype))
            for c in all_columns(self.kind)
        }


def first_law_residual(columns: Mapping[str, NDArray]) -> NDArray[np.float64]:
    """dU - heats - works - shadow work, (..., row): zero to rounding on every trajectory.

    Chemical work is work.
    """
    residual = np.diff(columns["energy"], axis=-1) - columns["heat"].sum(axis=-1)
    for name in ("work", "chemical_work"):
        if name in columns:
            residual -= columns[name].sum(axis=-1)
    if "shadow_work" in columns:
        residual -= columns["shadow_work"]
    return np.asarray(residual, np.float64)


def largest_entry(columns: Mapping[str, NDArray]) -> float:
    """Largest energy of an entry, the scale of rounding errors."""
    energies = ("energy", "heat", "work", "chemical_work")
    named = [columns[name] for name in energies if name in columns]
    return float(np.nan_to_num(max(np.abs(values).max(initial=0.0) for values in named)))


class FirstLaw:
    """Test of the first law on the trajectories of one point, added in slices.

    Attributes
    ----------
    worst, at : largest abs(residual) of a row and the number of its trajectory
    largest : largest energy of an entry
    """

    def __init__(self) -> None:
        self.worst, self.at, self.largest = 0.0, 0, 0.0

    def add(self, columns: Mapping[str, NDArray], first: int) -> None:
        """Add trajectories first, first + 1, ..."""
        with np.errstate(invalid="ignore", over="ignore"):
            residual = np.abs(first_law_residual(columns)).max(axis=-1, initial=0.0)
        residual[np.isnan(residual)] = np.inf
        k = int(residual.argmax())
        if residual[k] > self.worst:
            self.worst, self.at = float(residual[k]), first + k
        self.largest = max(self.largest, largest_entry(columns))

    @property
    def broken(self) -> str | None:
        """Message if a residual is larger than rounding; else None."""
        if self.worst <= ROUNDING * max(self.largest, 1e-300):
            return None
        return (
            f"first law: residual {self.worst:.3g}, largest entry {self.largest:.3g} "
            f"in trajectory {self.at}"
        )


def impossible(name: str, values: NDArray) -> tuple[int, str] | None:
    """First index along the first axis of an invalid entry, and what is wrong with it."""
    if name == "state" and values.dtype == np.int8:
        bad = np.abs(values) != 1
    elif name in ("flips", "jumps", "state"):
        bad = values < 0
    else:
        bad = ~(np.abs(values) < LARGEST)
    if not bad.any():
        return None
    index = tuple(np.argwhere(bad)[0])
    return int(index[0]), "out of range" if np.isfinite(values[index]) else "not finite"


def numbers(state: NDArray) -> NDArray[np.int64]:
    """Numbers (m, edges) of recorded states.

    Of spins (m, edges, sites) bit i is set where spin i is down; jump networks record numbers.
    """
    if state.ndim == 2:
        return state.astype(np.int64)
    number = np.zeros(state.shape[:-1], np.int64)
    for site in range(state.shape[-1]):
        number |= (state[..., site] < 0).astype(np.int64) << site
    return number
