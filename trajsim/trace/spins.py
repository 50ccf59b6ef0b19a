"""Trace of spins: from the end of the burn-in on, every flip is replayed and recorded."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.kernels.replay import EventTable, Totals, record_flips, replay
from trajsim.models.spins import energy
from trajsim.models.waveform import values
from trajsim.trace.window import (
    Array,
    Trace,
    Window,
    at_start,
    drives_at_edges,
)


def trace_spins(window: Window, ledger: dict[str, NDArray], every: int) -> Trace:
    """Trace of spins: every flip, and the edges between segments.

    Raises
    ------
    TraceError
        If there are too many flips for the memory.
    """
    flips, model, replicas, plan = at_start(window, ledger, every, "flips", "flip of a spin")
    segments, begin = window.layout.rows_per_period, plan.burn_in_segments
    events = flips + plan.segments - begin + 1
    time, site = np.empty(events), np.full(events, -1)
    table, count = _event_table(window, events), 0
    network = window.experiment.network()
    drive, one, other = network.drives_at_sites()
    edges = drives_at_edges(drive, segments, begin == 0)
    totals = _totals_at(network, replicas.spins[0].copy(), edges[0], table)
    time[0], count = window.first * window.experiment.drive.period, 1
    width = window.experiment.drive.period / segments
    for segment in range(begin, plan.segments):
        part = segment % segments
        replayed = replay(model, replicas, part)
        end = count + len(replayed.when) + 1
        if end > events:
            # More flips than in the ledger: the comparison with its rows reports where.
            break
        when = np.append(replayed.when, 1.0)
        inside = values(drive, (part + replayed.when) / segments)
        fields = np.vstack([inside, edges[part + 1]])
        new: Any = (line[count:end] for line in table)
        record_flips(network, one, other, totals, replayed, fields, EventTable(*new))
        time[count:end] = (segment - begin + window.first * segments + when) * width
        site[count : end - 1], count = network.site[replayed.contact], end
    return Trace(
        window.trajectory,
        window.point,
        window.layout.labels,
        time[:count],
        site[:count],
        {"state": table.state[:count]},
        table.field[:count],
        table.energy[:count],
        table.heat[:count],
        table.work[:count],
    )


def _event_table(window: Window, events: int) -> EventTable:
    """Arrays for `events` events."""
    labels = window.layout.labels
    sites, drives, baths = (len(labels[dim]) for dim in ("site", "drive", "bath"))
    return EventTable(
        np.empty((events, sites), np.int8),
        np.empty((events, drives)),
        np.empty(events),
        np.empty((events, baths)),
        np.empty((events, drives)),
    )


def _totals_at(network: Any, spins: NDArray[np.int8], field: Array, table: EventTable) -> Totals:
    """Totals of a trajectory at the start of its window, written as the first event."""
    bonds = energy(network, spins, np.zeros(len(spins)))
    _, one, other = network.drives_at_sites()
    totals = Totals(spins, field, np.array([bonds]), np.zeros(table.heat.shape[1]), 0.0 * field)
    table.state[0], table.field[0], table.heat[0], table.work[0] = spins, field, 0.0, 0.0
    table.energy[0] = bonds - float((spins[one] * np.where(other < 0, 1, spins[other])) @ field)
    return totals
