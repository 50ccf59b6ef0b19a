"""Trace of jump networks: from the end of the burn-in on, every jump is replayed and recorded."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.kernels.network_tables import channels_of
from trajsim.kernels.networks import replay
from trajsim.models.jumps import heat_of
from trajsim.models.waveform import at_edges, values
from trajsim.trace.window import Array, Trace, Window, at_start


def trace_jumps(window: Window, ledger: dict[str, NDArray], every: int) -> Trace:
    """Trace of a jump network: every jump, and the edges between segments.

    Raises
    ------
    TraceError
        If there are too many jumps for the memory.
    """
    _, model, replicas, plan = at_start(window, ledger, every, "jumps", "jump")
    segments, begin = window.layout.rows_per_period, plan.burn_in_segments
    # Of each event its part of the period, time, and channel; edges have none and number -1.
    first = int(replicas.state[0])
    phases, times, channels = [np.zeros(1)], [np.zeros(1)], [np.full(1, -1)]
    ends = [np.zeros(1, np.int64)]
    for segment in range(begin, plan.segments):
        part = segment % segments
        found = replay(model, replicas, part)
        when = np.append(found.when, 1.0)
        phases.append((part + when) / segments)
        times.append((segment - begin + when) / segments)
        channels.append(np.append(found.channel, -1))
        ends.append(np.append(np.zeros(len(found.when), np.int64), part + 1))
    at = _Events(*(np.concatenate(x) for x in (phases, times, channels, ends)))
    return _recorded(window, at, first, begin == 0)


class _Events(NamedTuple):
    """Events in their order.

    Parameters
    ----------
    phase, time : (k,), of the period, and in periods from the start of the window
    channel : (k,) of the jump, -1 at edges
    edge : (k,) number of an edge after the first, 0 of jumps
    """

    phase: Array
    time: Array
    channel: NDArray[np.int64]
    edge: NDArray[np.int64]


def _recorded(window: Window, at: _Events, first: int, opens: bool) -> Trace:
    """Trace of these events from a state on, at the beginning of all time if it `opens`."""
    experiment, layout = window.experiment, window.layout
    network: Any = experiment.network()
    segments, baths = layout.rows_per_period, len(layout.labels["bath"])
    channels, every = channels_of(network), np.arange(len(at.time))

    def parameters(waves: Any) -> Array:
        """Values (k, n) at the events; at edges those before a jump."""
        value = values(waves, at.phase)
        edges = at_edges(waves, segments)
        value[at.edge > 0] = edges[at.edge[at.edge > 0]]
        value[0] = edges[0 if opens else segments]
        return value

    field, potential = parameters(network.drives_at_sites()[0]), parameters(network.potentials)

    def energy(event: NDArray[np.int64], state: NDArray[np.int64]) -> Array:
        drive = network.driven[state]
        moved = np.append(field, np.zeros((len(field), 1)), axis=1)[event, drive]
        return np.asarray(np.where(drive >= 0, moved, network.energies.offset[state]))

    jumped = np.flatnonzero(at.channel >= 0)
    channel = at.channel[jumped]
    transition, sign = channels.transition[channel], channels.sign[channel]
    bath, drive = network.bath[transition], network.loaded[transition]
    state = np.full(len(at.time), -1)
    state[0], state[jumped] = first, channels.target[channel]
    state = state[np.maximum.accumulate(np.where(state >= 0, every, 0))]
    heat, work = np.zeros((len(state), baths)), np.zeros((len(state), network.drives))
    loaded = drive >= 0
    load = np.zeros(len(jumped))
    load[loaded] = sign[loaded] * field[jumped[loaded], drive[loaded]]
    taken = sign * network.particles[transition]
    before, after = energy(jumped, state[jumped - 1]), energy(jumped, state[jumped])
    heat[jumped, bath] = heat_of(before, after, load, taken, potential[jumped, bath])
    work[jumped[loaded], drive[loaded]] = load[loaded]
    # While the system stays in a state its driven energy does work.
    moved = np.flatnonzero(network.driven[state[:-1]] >= 0)
    held = state[moved]
    work[moved + 1, network.driven[held]] += energy(moved + 1, held) - energy(moved, held)
    by = np.full(len(state), -1)
    by[jumped] = bath
    return Trace(
        window.trajectory,
        window.point,
        layout.labels,
        (window.first + at.time) * experiment.drive.period,
        by,
        {"state": state},
        field,
        energy(every, state),
        np.cumsum(heat, axis=0),
        np.cumsum(work, axis=0),
        by="bath",
    )
