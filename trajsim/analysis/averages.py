"""Averages over the trajectories of each point of a run, with standard errors.

Trajectories are independent, so the error of a mean is the spread between trajectories; nothing
is assumed of the rows within one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.moments import Moments
from trajsim.analysis.regimes import Estimate, Regime, classify
from trajsim.ledger import Layout, first_law_residual, largest_entry

Array = NDArray[np.float64]

# States are counted one by one up to this many, times the phases at which rows begin.
MOST_STATES, MOST_CELLS = 16, 4096

# Of the energy that goes back and forth, the part that rounding may leave.
ROUNDING = 1e-13

RATES = {"heat": "bath", "work": "drive", "exclusive_work": "drive", "flips": "site"}
NAMES = {
    "heat": "heat_rate",
    "work": "work_rate",
    "exclusive_work": "exclusive_work_rate",
    "flips": "flip_rate",
}


class Source(Protocol):
    """What averages are taken of: a run with a layout and slices of trajectories."""

    @property
    def layout(self) -> Layout:
        """Shape and labels."""
        ...

    def blocks(self, names: Any = None) -> Any:
        """Slices (point, first trajectory, columns)."""
        ...


class Quantity(NamedTuple):
    """A mean rate over trajectories; `kind` is a key of RATES."""

    kind: str
    label: str
    mean: float
    stderr: float

    @property
    def name(self) -> str:
        """Such as heat_rate.L."""
        return f"{NAMES[self.kind]}.{self.label}"


@dataclass(frozen=True, repr=False)
class Averages:
    """Averages at one point of a run.

    Attributes
    ----------
    parameters : swept values
    trajectories : number averaged over
    time : recorded time of a trajectory
    quantities : heat, work, exclusive work and flips per unit time
    edges : by name, mean and standard error where rows begin, at each phase of the period at
        which they do: "occupation" (phases, 2**n) of spins, unless there are too many states;
        "position", "velocity" and their squares (phases, n) of oscillators
    shadow_work : rate of the integrator's own error, summed over the network; None without one
    total_work : rate of the inclusive work of all drives
    covariance : of the errors of the heat rates and, last, of the total work rate
    first_law_residual : largest abs(dU - Q - W) of a row
    largest_entry : largest energy of an entry of the ledger
    sums : energies that were added up in a trajectory, each of which was rounded
    """

    parameters: dict[str, float]
    trajectories: int
    time: float
    quantities: list[Quantity]
    edges: dict[str, tuple[Array, Array]]
    shadow_work: Estimate | None
    total_work: Estimate
    covariance: Array
    first_law_residual: float
    largest_entry: float
    sums: float = 0.0

    @property
    def rounding(self) -> float:
        """What rounding may leave of a rate of heat or work that is zero."""
        return ROUNDING * self.largest_entry * self.sums / self.time

    def __repr__(self) -> str:
        at = "".join(f", {key} = {value:g}" for key, value in self.parameters.items())
        lines = [f"  {q.name.ljust(24)}{q.mean: .5e} +- {q.stderr:.1e}" for q in self.quantities]
        head = f"<averages of {self.trajectories} trajectories of time {self.time:g}{at}"
        return "\n".join([head, *lines]) + ">"

    def of(self, kind: str) -> dict[str, Estimate]:
        """Rates of one kind, a key of RATES, by label; none if the model has none of it.

        Raises
        ------
        KeyError
            If there is no such kind.
        """
        if kind not in RATES:
            raise KeyError(f"no kind {kind!r}; there are {', '.join(RATES)}")
        return {q.label: Estimate(q.mean, q.stderr) for q in self.quantities if q.kind == kind}

    def regime(self, temperatures: dict[str, float]) -> Regime:
        """What the system does at this point."""
        heat = np.array([e.mean for e in self.of("heat").values()])
        driven = bool(self.of("work"))
        return classify(
            *(heat, self.total_work.mean, self.covariance, temperatures, driven),
            doubt=self.rounding,
        )


def averages(run: Source) -> list[Averages]:
    """Averages at every point of a run; points without trajectories are left out."""
    names = [c.name for c in run.layout.columns]
    found = []
    # The sums of one point at a time: those of thousands take gigabytes.
    for point, slices in groupby(run.blocks(names), key=lambda block: block[0]):
        gathering = _Point(run.layout, point)
        for _, _, columns in slices:
            gathering.add(columns)
        found.append(gathering.averages())
    return found


class _Point:
    """Sums at one point while slices come in."""

    def __init__(self, layout: Layout, point: int) -> None:
        self.layout, self.point = layout, point
        self.time = layout.duration(point)
        self.rates = Moments()
        self.energetics = Moments(covariance=True)
        self.edges: dict[str, Moments] = {}
        self.shadow = Moments()
        self.residual = self.largest = 0.0
        self.sums = 0  # energies that were added up, of all trajectories
        sites, phases = len(layout.labels["site"]), layout.rows_per_period
        small = sites <= 4 and 2**sites <= MOST_STATES and 2**sites * phases <= MOST_CELLS
        names = {column.name for column in layout.columns}
        self.states = 2**sites if small and "state" in names else 0
        self.kinds = [kind for kind in RATES if kind in names]

    def add(self, columns: dict[str, NDArray]) -> None:
        totals = {kind: columns[kind].sum(axis=1) / self.time for kind in self.kinds}
        self.rates.add(np.concatenate([totals[kind] for kind in self.kinds], axis=1))
        heat = totals["heat"]
        work = totals["work"].sum(axis=1) if "work" in totals else np.zeros(len(heat))
        self.energetics.add(np.column_stack([heat, work]))
        self.residual = max(self.residual, float(np.abs(first_law_residual(columns)).max()))
        self.largest = max(self.largest, largest_entry(columns))
        self.sums += columns["energy"].size
        if "flips" in columns:
            self.sums += int(columns["flips"].sum())
        if "shadow_work" in columns:
            self.shadow.add(columns["shadow_work"].sum(axis=1) / self.time)
        for name, samples in self._at_edges(columns):
            self.edges.setdefault(name, Moments()).add(samples)

    def _at_edges(self, columns: dict[str, NDArray]) -> Iterator[tuple[str, Array]]:
        """Each trajectory's averages over rows that begin at the same phase, (m, phases, ...)."""
        if self.states:
            yield "occupation", self._occupation(columns["state"])
        for name in ("position", "velocity"):
            if (
                name in columns
                and columns[name].shape[2] * self.layout.rows_per_period <= MOST_CELLS
            ):
                m, edges, n = columns[name].shape
                begins = columns[name][:, : edges - 1]
                begins = begins.reshape(m, -1, self.layout.rows_per_period, n)
                yield name, begins.mean(axis=1)
                yield f"{name}_squared", (begins**2).mean(axis=1)

    def _occupation(self, state: NDArray) -> Array:
        """Share of the rows that begin in each state at each phase, (m, phases, states)."""
        number = np.zeros(state.shape[:2], np.int64)
        for site in range(state.shape[2]):
            number |= (state[:, :, site] < 0).astype(np.int64) << site
        begins = number[:, :-1].reshape(len(state), -1, self.layout.rows_per_period)
        return np.stack([(begins == x).mean(axis=1) for x in range(self.states)], axis=-1)

    def averages(self) -> Averages:
        labels = [(kind, name) for kind in self.kinds for name in self.layout.labels[RATES[kind]]]
        means, errors = self.rates.mean, self.rates.stderr
        covariance = self.energetics.stderr
        return Averages(
            parameters={k: values[self.point] for k, values in self.layout.parameters.items()},
            trajectories=self.rates.count,
            time=self.time,
            quantities=[
                Quantity(kind, label, float(mean), float(error))
                for (kind, label), mean, error in zip(labels, means, errors, strict=True)
            ],
            edges={name: (m.mean, m.stderr) for name, m in self.edges.items()},
            shadow_work=(
                Estimate(float(self.shadow.mean), float(self.shadow.stderr))
                if self.shadow.count
                else None
            ),
            total_work=Estimate(
                float(self.energetics.mean[-1]), float(np.sqrt(covariance[-1, -1]))
            ),
            covariance=covariance,
            first_law_residual=self.residual,
            largest_entry=self.largest,
            sums=self.sums / self.rates.count,
        )
