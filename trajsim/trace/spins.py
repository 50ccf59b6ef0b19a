"""Spins under the lens: from the end of the burn-in on, every flip is replayed and booked."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.kernels.replay import Books, Lines, book, replay
from trajsim.models.drive import Drive, values
from trajsim.models.spins import energy
from trajsim.trace.window import Array, Trace, TraceError, Window, fits, ready


def trace_spins(window: Window, ledger: dict[str, NDArray], every: int) -> Trace:
    """Trace of spins: every flip, and the edges between segments.

    Raises
    ------
    TraceError
        If there are too many flips to be held.
    """
    if every != 1:
        raise TraceError("only oscillators have steps: every flip of a spin is an event")
    rows = slice(*(round(p / window.layout.row_periods) for p in (window.first, window.last)))
    segments = window.layout.rows_per_period
    flips = int(ledger["flips"][rows].sum())
    fits(window, flips + (window.last - window.first) * segments + 1)
    kernel, model, replicas, plan, row = ready(window, segments)
    begin = plan.burn_in_segments
    kernel.advance(model, plan, replicas, row, 0, begin)
    events = flips + plan.segments - begin + 1
    time, site = np.empty(events), np.full(events, -1)
    lines, count = _lines(window, events), 0
    network = window.experiment.network()
    driven = np.flatnonzero(network.driven >= 0)
    drive = Drive(*(part[driven] for part in network.drive))
    books = _opened(network, replicas.spins[0].copy(), values(drive, np.array([0.0]))[0], lines)
    time[0], count = window.first * window.experiment.drive.period, 1
    width = window.experiment.drive.period / segments
    for segment in range(begin, plan.segments):
        part = segment % segments
        found = replay(model, replicas, part)
        end = count + len(found.when) + 1
        if end > events:
            # Not the flips of the ledger: the comparison with its rows tells where.
            break
        when = np.append(found.when, 1.0)
        fields = values(drive, (part + when) / segments)
        some: Any = (line[count:end] for line in lines)
        book(network, driven, books, found, fields, Lines(*some))
        time[count:end] = (segment - begin + window.first * segments + when) * width
        site[count : end - 1], count = found.site, end
    return Trace(
        window.trajectory,
        window.point,
        window.layout.labels,
        time[:count],
        site[:count],
        {"state": lines.state[:count]},
        lines.field[:count],
        lines.energy[:count],
        lines.heat[:count],
        lines.work[:count],
    )


def _lines(window: Window, events: int) -> Lines:
    """Room for so many events."""
    labels = window.layout.labels
    sites, drives, baths = (len(labels[dim]) for dim in ("site", "drive", "bath"))
    return Lines(
        np.empty((events, sites), np.int8),
        np.empty((events, drives)),
        np.empty(events),
        np.empty((events, baths)),
        np.empty((events, drives)),
    )


def _opened(network: Any, spins: NDArray[np.int8], field: Array, lines: Lines) -> Books:
    """Books of a trajectory where its window begins, which is the first line."""
    bonds = energy(network, spins, np.zeros(len(spins)))
    books = Books(spins, field, np.array([bonds]), np.zeros(lines.heat.shape[1]), 0.0 * field)
    driven = network.driven >= 0
    lines.state[0], lines.field[0], lines.heat[0], lines.work[0] = spins, field, 0.0, 0.0
    lines.energy[0] = bonds - float(spins[driven] @ field)
    return books
