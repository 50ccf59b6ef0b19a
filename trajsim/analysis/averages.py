"""Averages over the trajectories of each point of a run, with standard errors.

Trajectories are independent, so the error of a mean follows from the variance between them; rows
of one trajectory may be correlated.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.estimate import ByLabel, Estimate
from trajsim.analysis.moments import Moments
from trajsim.analysis.rates import NAMES, RATES, Rates
from trajsim.analysis.regimes import Regime, Sigmas, classify, regime_sigmas
from trajsim.analysis.tables import PointList
from trajsim.ledger import Layout, first_law_residual, largest_entry, numbers

Array = NDArray[np.float64]

# States are counted one by one up to this many, times the phases at which rows begin.
MOST_STATES, MOST_CELLS = 16, 4096

# Sums over all spins, and their squares, that stand for states which are too many.
BULK = ("energy", "energy_squared", "magnetisation", "magnetisation_squared")

# Rounding error of a sum of energies, relative to the largest entry times their number.
ROUNDING = 1e-13


class Source(Protocol):
    """A run to average over: it has a layout and slices of trajectories."""

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
    estimate: Estimate[float]

    @property
    def name(self) -> str:
        """Such as heat_rate.L."""
        return f"{NAMES[self.kind]}.{self.label}"

    @property
    def mean(self) -> float:
        """Mean of the estimate."""
        return self.estimate.mean

    @property
    def stderr(self) -> float:
        """Standard error of the estimate."""
        return self.estimate.stderr


class AskedRegime(Regime):
    """The regime of averages; a call gives that for other temperatures of the baths."""

    averages: "Averages"

    def __call__(self, temperatures: Mapping[str, float]) -> Regime:
        """Regime of baths of these temperatures."""
        return self.averages.regime_at(temperatures)


@dataclass(frozen=True, repr=False)
class Averages(Rates[Estimate[float]]):
    """Averages at one point of a run; rates are estimates, such as `heat_rate["L"].mean`.

    Attributes
    ----------
    parameters : swept values
    trajectories : number averaged over
    time : recorded time of a trajectory
    quantities : heat, work, exclusive work and flips per unit time
    edges : by name, mean and standard error where rows begin, at each phase of the period at
        which they do: "occupation" (phases, 2**n) of spins, or (phases, states) of jump networks,
        unless there are too many states;
        "position", "velocity" and their squares (phases, n) of oscillators; "energy",
        "magnetisation" and their squares (phases, 1) of spins with too many states
    shadow_work : rate of the integrator's own error, summed over the network; None without one
    total_work : rate of the inclusive work of all drives
    covariance : of the errors of the heat rates and, last, of the rate of all work
    first_law_residual : largest abs(dU - Q - W) of a row
    largest_entry : largest energy of an entry of the ledger
    sums : energies that were added up in a trajectory, each of which was rounded
    temperatures : of the baths; None where not known
    """

    parameters: dict[str, float]
    trajectories: int
    time: float
    quantities: list[Quantity]
    edges: dict[str, Estimate[Array]]
    shadow_work: Estimate[float] | None
    total_work: Estimate[float]
    covariance: Array
    first_law_residual: float
    largest_entry: float
    sums: float = 0.0
    temperatures: Mapping[str, float] | None = None

    @property
    def rounding(self) -> float:
        """Rounding error of a rate of heat or work: bound of one that is zero."""
        return ROUNDING * self.largest_entry * self.sums / self.time

    def _of(self, kind: str) -> ByLabel[Estimate[float]]:
        return ByLabel((q.label, q.estimate) for q in self.quantities if q.kind == kind)

    @property
    def total_work_rate(self) -> Estimate[float]:
        """Inclusive work of all drives per unit time."""
        return self.total_work

    @property
    def regime(self) -> AskedRegime:
        """Regime of the system at this point, with efficiency or COP where it has one.

        `regime(temperatures)` is the regime for baths of other temperatures.

        Raises
        ------
        ValueError
            If the temperatures of the baths are not known.
        """
        if self.temperatures is None:
            raise ValueError("the temperatures of the baths are not known")
        regime = AskedRegime(*self.regime_at(self.temperatures))
        regime.averages = self
        return regime

    def regime_at(self, temperatures: Mapping[str, float]) -> Regime:
        """Regime between baths of these temperatures, in the order of the heat rates."""
        means = self._heats, self._all_work, self.covariance, temperatures
        driven = bool(self.work_rate or self.chemical_work_rate)
        return classify(*means, driven, self.rounding)

    def sigmas(self, temperatures: Mapping[str, float]) -> Sigmas:
        """Heats and work in units of their errors, between baths of these temperatures.

        The integrator's own error counts as a systematic one: any heat or work may lack it.
        """
        doubt = self.rounding + (abs(self.shadow_work.mean) if self.shadow_work else 0.0)
        means = self._heats, self._all_work, self.covariance, temperatures
        return regime_sigmas(*means, doubt)

    @property
    def _all_work(self) -> float:
        """Work of the drives and chemical work, by which regimes are told."""
        return self.total_work.mean + sum(e.mean for e in self.chemical_work_rate.values())

    @property
    def _heats(self) -> Array:
        return np.array([e.mean for e in self.heat_rate.values()])

    def __repr__(self) -> str:
        text = f"<averages of {self.trajectories} trajectories of time {self.time:g}{self._lines()}"
        return text + (f"\n  regime: {self.regime}>" if self.temperatures is not None else ">")


def averages(
    run: Source, temperatures: Sequence[Mapping[str, float]] | None = None
) -> PointList[Averages]:
    """Averages at every point of a run; points without trajectories are left out.

    Parameters
    ----------
    run : with a layout and slices of trajectories
    temperatures : of the baths at each point, for the regimes
    """
    names = [c.name for c in run.layout.columns]
    points: PointList[Averages] = PointList()
    # The sums of one point at a time: those of thousands take gigabytes.
    for point, slices in groupby(run.blocks(names), key=lambda block: block[0]):
        sums = _Point(run.layout, point, temperatures[point] if temperatures else None)
        for _, _, columns in slices:
            sums.add(columns)
        points.append(sums.averages())
    return points


class _Point:
    """Sums at one point while slices come in."""

    def __init__(
        self, layout: Layout, point: int, temperatures: Mapping[str, float] | None
    ) -> None:
        self.layout, self.point, self.temperatures = layout, point, temperatures
        self.time = layout.duration(point)
        self.rates = Moments()
        self.energetics = Moments(covariance=True)
        self.total_work = Moments()
        self.edges: dict[str, Moments] = {}
        self.shadow = Moments()
        self.residual = self.largest = 0.0
        self.sums = 0  # energies that were added up, of all trajectories
        sites, phases = len(layout.labels["site"]), layout.rows_per_period
        names = {column.name: column for column in layout.columns}
        states = 0
        if "state" in names:
            numbered = "site" not in names["state"].dims
            states = sites if numbered else 2 ** min(sites, 60)
        small = states <= MOST_STATES and states * phases <= MOST_CELLS
        self.states = states if small else 0
        self.bulk = not small and "site" in names["state"].dims
        self.kinds = [kind for kind in RATES if kind in names]

    def add(self, columns: dict[str, NDArray]) -> None:
        totals = {kind: columns[kind].sum(axis=1) / self.time for kind in self.kinds}
        self.rates.add(np.concatenate([totals[kind] for kind in self.kinds], axis=1))
        heat = totals["heat"]
        work = totals["work"].sum(axis=1) if "work" in totals else np.zeros(len(heat))
        self.total_work.add(work)
        if "chemical_work" in totals:
            # Regimes are those of all work.
            work = work + totals["chemical_work"].sum(axis=1)
        self.energetics.add(np.column_stack([heat, work]))
        self.residual = max(self.residual, float(np.abs(first_law_residual(columns)).max()))
        self.largest = max(self.largest, largest_entry(columns))
        self.sums += columns["energy"].size
        for name in ("flips", "jumps"):
            if name in columns:
                self.sums += int(columns[name].sum())
        if "shadow_work" in columns:
            self.shadow.add(columns["shadow_work"].sum(axis=1) / self.time)
        for name, samples in self._at_edges(columns):
            self.edges.setdefault(name, Moments()).add(samples)

    def _at_edges(self, columns: dict[str, NDArray]) -> Iterator[tuple[str, Array]]:
        """Each trajectory's averages over rows that begin at the same phase, (m, phases, ...)."""
        if self.states:
            yield "occupation", self._occupation(columns["state"])
        if self.bulk:
            magnetisation = columns["state"].sum(axis=2, dtype=np.float64)
            for name, values in zip(BULK[::2], (columns["energy"], magnetisation), strict=True):
                starts = values[:, :-1].reshape(len(values), -1, self.layout.rows_per_period, 1)
                yield name, starts.mean(axis=1)
                yield f"{name}_squared", (starts**2).mean(axis=1)
        for name in ("position", "velocity"):
            if (
                name in columns
                and columns[name].shape[2] * self.layout.rows_per_period <= MOST_CELLS
            ):
                m, edges, n = columns[name].shape
                starts = columns[name][:, : edges - 1]
                starts = starts.reshape(m, -1, self.layout.rows_per_period, n)
                yield name, starts.mean(axis=1)
                yield f"{name}_squared", (starts**2).mean(axis=1)

    def _occupation(self, state: NDArray) -> Array:
        """Share of the rows that begin in each state at each phase, (m, phases, states)."""
        starts = numbers(state)[:, :-1].reshape(len(state), -1, self.layout.rows_per_period)
        return np.stack([(starts == x).mean(axis=1) for x in range(self.states)], axis=-1)

    def averages(self) -> Averages:
        labels = [(kind, name) for kind in self.kinds for name in self.layout.labels[RATES[kind]]]
        means, errors = self.rates.mean, self.rates.stderr
        covariance = self.energetics.stderr
        return Averages(
            parameters={k: values[self.point] for k, values in self.layout.parameters.items()},
            trajectories=self.rates.count,
            time=self.time,
            quantities=[
                Quantity(kind, label, Estimate(float(mean), float(error)))
                for (kind, label), mean, error in zip(labels, means, errors, strict=True)
            ],
            edges={name: Estimate(m.mean, m.stderr) for name, m in self.edges.items()},
            shadow_work=(
                Estimate(float(self.shadow.mean), float(self.shadow.stderr))
                if self.shadow.count
                else None
            ),
            total_work=Estimate(float(self.total_work.mean), float(self.total_work.stderr)),
            covariance=covariance,
            first_law_residual=self.residual,
            largest_entry=self.largest,
            sums=self.sums / self.rates.count,
            temperatures=self.temperatures,
        )
