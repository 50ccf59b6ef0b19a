"""Fluctuations of heat and work at each point of a run, in one pass over its ledger."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.averages import Source
from trajsim.analysis.batches import Batches
from trajsim.analysis.correlation import RowCorrelation
from trajsim.analysis.cumulants import MOST_OBSERVABLES, ORDERS, PowerSums, Shape
from trajsim.analysis.estimate import Estimate
from trajsim.analysis.histograms import Counter, Histogram, bin_width
from trajsim.analysis.scgf import ExponentialSums, Generating
from trajsim.analysis.windows import (
    Observable,
    Windows,
    columns_of,
    entries,
    observables,
    parameters_of,
)
from trajsim.ledger import Layout

Array = NDArray[np.float64]

# Windows from which bins and values of lambda are chosen.
PILOT = 4096


@dataclass(frozen=True, repr=False)
class Fluctuations:
    """Fluctuations of heats and works at one point of a run, over windows.

    Attributes
    ----------
    parameters : swept values
    observables : (q,) heats of all baths, works of all drives, and the total work
    windows : how trajectories are cut
    trajectories : number of them
    cumulants : (4, q) first four cumulants over a window, per unit time
    covariance : (q, q) per unit time; None for more than MOST_OBSERVABLES observables
    shape : skewness and excess kurtosis over a window
    correlation : (lags + 1, q) of rows with rows 0, 1, ... later; None for a single row
    histograms, generating : (q,) each; none of more than MOST_OBSERVABLES observables
    """

    parameters: dict[str, float]
    observables: list[Observable]
    windows: Windows
    trajectories: int
    cumulants: Estimate[Array]
    covariance: Estimate[Array] | None
    shape: Shape
    correlation: Estimate[Array] | None
    histograms: list[Histogram]
    generating: list[Generating]

    def __repr__(self) -> str:
        names = ", ".join(o.name for o in self.observables)
        samples = self.trajectories * self.windows.count
        return f"<fluctuations of {names} over {samples} windows of time {self.windows.time:g}>"

    def index(self, kind: str, label: str) -> int:
        """Place of an observable.

        Raises
        ------
        KeyError
            If there is no such observable.
        """
        names = [o.name for o in self.observables]
        if f"{kind}.{label}" not in names:
            raise KeyError(f"no observable '{kind}.{label}'; there are {', '.join(names)}")
        return names.index(f"{kind}.{label}")


def fluctuations(
    run: Source, rows: int | None = None, detailed: bool = True
) -> Iterator[Fluctuations]:
    """Fluctuations at every point of a run; points without trajectories are left out.

    Parameters
    ----------
    run : where slices of trajectories come from, by point and trajectory
    rows : length of the windows in rows; the whole trajectory where not said
    detailed : also histograms, generating functions and correlations

    Raises
    ------
    trajsim.analysis.windows.WindowError
        If a trajectory does not have so many rows.
    """
    for (result,) in fluctuations_by_window(run, [rows], detailed):
        yield result


def fluctuations_by_window(
    run: Source, lengths: Sequence[int | None], detailed: bool = False
) -> Iterator[list[Fluctuations]]:
    """The same over windows of several lengths, for which the ledger is read only once.

    Parameters
    ----------
    run, detailed : as for `fluctuations`
    lengths : of the windows in rows; None stands for the whole trajectory

    Raises
    ------
    trajsim.analysis.windows.WindowError
        If a trajectory does not have so many rows.
    """
    for rows in lengths:
        Windows.of(run.layout, 0, rows)
    blocks = run.blocks(columns_of(run.layout))
    for point, slices in groupby(blocks, key=lambda block: block[0]):
        accumulators = [_Accumulator(run.layout, point, rows, detailed) for rows in lengths]
        for _, first, columns in slices:
            energies = entries(columns)
            for accumulator in accumulators:
                accumulator.add(first, energies)
        yield [accumulator.fluctuations() for accumulator in accumulators]


class _Accumulator:
    """Sums at one point while slices come in."""

    def __init__(self, layout: Layout, point: int, rows: int | None, detailed: bool) -> None:
        self.layout, self.point = layout, point
        self.observables = observables(layout)
        self.windows = Windows.of(layout, point, rows)
        q = len(self.observables)
        self.detailed = detailed and q <= MOST_OBSERVABLES
        pairs = q if q <= MOST_OBSERVABLES else 1
        self.batches = Batches.of(layout.trajectories, q * (ORDERS + pairs))
        self.pilot_size = -(-PILOT // self.windows.count)
        self.pending: list[tuple[int, Array]] = []
        self.powers: PowerSums | None = None
        self.correlation: RowCorrelation | None = None
        self.trajectories = 0

    def add(self, first: int, rows: Array) -> None:
        self.trajectories += len(rows)
        if self.detailed and rows.shape[1] > 1:
            if self.correlation is None:
                self.correlation = RowCorrelation(self.batches, rows[0])
            self.correlation.add(first, rows)
        # Only sums over windows are kept: rows may take far more memory.
        sums = self.windows.sums(rows)
        if self.powers is not None:
            self._accumulate(first, sums)
            return
        self.pending.append((first, sums))
        if self.trajectories >= self.pilot_size:
            self._choose_bins()

    def _choose_bins(self) -> None:
        """Choose bins and values of lambda from the first trajectories, then add these."""
        pilot = np.concatenate([samples for _, samples in self.pending])[: self.pilot_size]
        samples = pilot.reshape(-1, len(self.observables))
        mean, deviation = samples.mean(axis=0), samples.std(axis=0)
        self.powers = PowerSums(self.batches, mean)
        kept = range(len(self.observables)) if self.detailed else range(0)
        expected = self.layout.trajectories * self.windows.count
        self.counters = [
            Counter(self.batches, bin_width(samples[:, k], expected), float(mean[k])) for k in kept
        ]
        self.exponentials = [
            ExponentialSums(self.batches, float(mean[k]), float(deviation[k])) for k in kept
        ]
        for first, sums in self.pending:
            self._accumulate(first, sums)
        self.pending = []

    def _accumulate(self, first: int, sums: Array) -> None:
        assert self.powers is not None
        self.powers.add(first, sums)
        for k, (counter, exponential) in enumerate(
            zip(self.counters, self.exponentials, strict=True)
        ):
            samples = np.ascontiguousarray(sums[..., k])
            counter.add(first, samples)
            exponential.add(first, samples)

    def fluctuations(self) -> Fluctuations:
        if self.powers is None:
            self._choose_bins()
        assert self.powers is not None
        time = self.windows.time
        cumulants, covariance = self.powers.cumulants(), self.powers.covariance()
        return Fluctuations(
            parameters=parameters_of(self.layout, self.point),
            observables=self.observables,
            windows=self.windows,
            trajectories=self.trajectories,
            cumulants=Estimate(*(part / time for part in cumulants)),
            covariance=Estimate(*(part / time for part in covariance)) if covariance else None,
            shape=self.powers.shape(),
            correlation=self.correlation.correlation() if self.correlation else None,
            histograms=[counter.histogram() for counter in self.counters],
            generating=[sums.generating(time) for sums in self.exponentials],
        )
