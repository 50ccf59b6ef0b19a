"""Traces and their windows, and preparation of a trajectory for a second simulation."""

import csv
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from trajsim.config import Experiment
from trajsim.errors import TrajsimError
from trajsim.ledger import Layout, all_columns
from trajsim.models.waveform import Waveforms, at_edges
from trajsim.plan import Plan
from trajsim.running.blocks import model_of, seed_of
from trajsim.store import RunError

Array = NDArray[np.float64]

# Memory of a trace, all of which is kept.
MOST_BYTES = 200 << 20


class TraceError(TrajsimError, ValueError):
    """A trajectory that cannot be traced; the message says why."""


@dataclass(frozen=True, repr=False)
class Trace:
    """A trajectory event by event, over some periods.

    Attributes
    ----------
    trajectory, point : which one
    labels : names along the dimensions bath, drive and site
    time : (k,) since the ledger opened
    site : (k,) that flips; -1 where none does: at the edges of rows, and in steps of oscillators
    columns : state of the system just after each event: "state" (k, n) of spins, +1 or -1, or
        (k,) of a jump network, its number; "position" and "velocity" (k, n) of oscillators
    field : (k, drives) drive of each driven site
    energy : (k,) of the system
    heat : (k, baths) that has come from each bath since the first event
    work : (k, drives) that each drive has done since then
    by : "bath" if `site` is the bath that makes a jump
    """

    trajectory: int
    point: int
    labels: dict[str, list[str]]
    time: Array
    site: NDArray[np.int64]
    columns: dict[str, NDArray]
    field: Array
    energy: Array
    heat: Array
    work: Array
    by: str = "site"

    def __len__(self) -> int:
        return len(self.time)

    def __repr__(self) -> str:
        return (
            f"<trace of trajectory {self.trajectory}, point {self.point}: {len(self)} events from "
            f"time {self.time[0]:g} to {self.time[-1]:g}>"
        )

    def at(self, time: float) -> int:
        """Number of the last event at or before a time."""
        return int(np.searchsorted(self.time, time * (1 + 1e-12), side="right")) - 1

    def write(self, file: TextIO) -> None:
        """Write comma-separated values, a line an event; spins of +1 and -1 as + and -."""
        labels, sites, makers = self.labels, self.labels["site"], self.labels[self.by]
        names = ["time", self.by]
        if "state" in self.columns:
            names.append("state")
        else:
            names += [f"{name}.{site}" for name in self.columns for site in sites]
        names += ["energy", *(f"heat.{bath}" for bath in labels["bath"])]
        names += [f"work.{drive}" for drive in labels["drive"]]
        out = csv.writer(file, lineterminator="\n")
        out.writerow(names)
        for k in range(len(self)):
            line: list[Any] = [repr(float(self.time[k]))]
            line.append(makers[self.site[k]] if self.site[k] >= 0 else "")
            for name, values_ in self.columns.items():
                if values_.ndim == 1:
                    line.append(sites[values_[k]])
                elif name == "state":
                    signs = np.where(values_[k] > 0, b"+", b"-")
                    line.append(signs.tobytes().decode())
                else:
                    line += [repr(float(x)) for x in values_[k]]
            numbers = (self.energy[k], *self.heat[k], *self.work[k])
            out.writerow([*line, *(repr(float(x)) for x in numbers)])


class Window(NamedTuple):
    """The trajectory and periods to trace: first ... last - 1."""

    experiment: Experiment
    layout: Layout
    trajectory: int
    point: int
    first: int
    last: int


def expect_memory(window: Window, events: int) -> None:
    """Refuse a trace of so many events that would take too much memory.

    Raises
    ------
    TraceError
        If it takes more than MOST_BYTES.
    """
    labels = window.layout.labels
    sites, drives, baths = (len(labels[dim]) for dim in ("site", "drive", "bath"))
    # The columns of a site at the edges of rows are traced at each event.
    site_bytes = sum(
        np.dtype(column.dtype).itemsize
        for column in all_columns(window.layout.kind)
        if column.dims == ("edge", "site")
    )
    event_bytes = 8 * (3 + baths + 2 * drives) + sites * site_bytes
    most = MOST_BYTES // event_bytes
    if events > most:
        raise TraceError(
            f"{events} events in {window.last - window.first} periods; allowed: {most} of a "
            "system of this size; fewer periods have fewer"
        )


def at_start(
    window: Window, ledger: dict[str, NDArray], every: int, column: str, noun: str
) -> tuple[int, Any, Any, Any]:
    """Events of a kind that jumps, and the trajectory where the window begins.

    Parameters
    ----------
    window : Window
    ledger : columns of the trajectory
    every : steps from one event to the next, of which there are none
    column : of the ledger, with the numbers of events
    noun : what an event is called

    Returns
    -------
    events, model, replicas, plan : how many jumps the rows have, and what a kernel needs

    Raises
    ------
    TraceError
        If `every` is not 1, or there are too many events for the memory.
    """
    if every != 1:
        raise TraceError(f"only oscillators have steps: every {noun} is an event")
    rows = slice(*(round(p / window.layout.row_periods) for p in (window.first, window.last)))
    segments = window.layout.rows_per_period
    events = int(ledger[column][rows].sum())
    expect_memory(window, events + (window.last - window.first) * segments + 1)
    kernel, model, replicas, plan, row = prepare(window, segments)
    kernel.advance(model, plan, replicas, row, 0, plan.burn_in_segments)
    return events, model, replicas, plan


def prepare(window: Window, rows_per_period: int) -> tuple[Any, Any, Any, Plan, Any]:
    """Kernel, model, replicas, plan and rows for a trajectory recorded over the window alone."""
    experiment, periods = window.experiment, window.last - window.first
    plan = Plan(periods, experiment.plan.burn_in + window.first, rows_per_period, 1)
    try:
        kernel, model, start = model_of(experiment, plan)
    except RunError as error:
        raise TraceError(str(error)) from None
    replicas = kernel.begin(model, start, seed_of(experiment), window.point, window.trajectory, 1)
    layout = replace(
        window.layout,
        rows=plan.rows,
        rows_per_period=rows_per_period,
        row_periods=1 / rows_per_period,
    )
    return kernel, model, replicas, plan, kernel.Rows(**layout.allocate(1))


def drives_at_edges(drives: Waveforms, segments: int, begin: bool) -> Array:
    """Driven parameters (segments + 1, drives) at the edges of the segments of a period.

    Parameters
    ----------
    drives : waveforms of the drives
    segments : of a period
    begin : whether the period is the first of the trajectory
    """
    edges = at_edges(drives, segments)
    if not begin:
        edges[0] = edges[-1]
    return edges
