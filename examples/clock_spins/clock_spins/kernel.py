"""Clock spins in continuous time: thinning, with rates that change in time.

As trajsim's own kernel of spins, and as exact, but one trajectory after the other: jumps are
proposed at the rate that bounds each over the whole period, and made with the ratio of the true
rate, at the field of that very instant, to the bound. At the edge of a segment the wait for the
next proposal is drawn anew, which changes nothing, for it has no memory; so what a trajectory does
depends on its own stream alone.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clock_spins.model import ClockNetwork, energy, exchange_of, rate
from trajsim.compiled.elementary import log
from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import bare
from trajsim.kernels.edges import edge_of
from trajsim.kernels.jump import DRAWN, RANDOM, Start, fault, needs_state, start
from trajsim.kernels.random import streams, uniform
from trajsim.kernels.spin_energetics import Shape, add_to_row, begin_segment, empty_sums
from trajsim.models.waveform import at_edges, value
from trajsim.plan import Plan

# Trajectories begin as those of spins do.
__all__ = ["Rows", "advance", "begin", "fault", "needs_state", "prepare", "start"]


class Replicas(NamedTuple):
    """Trajectories on their way: streams (m, 4) uint64, clock (m, n) int8."""

    stream: NDArray[np.uint64]
    clock: NDArray[np.int8]


class Rows(NamedTuple):
    """Ledger of m trajectories, by the names of the columns."""

    heat: NDArray[np.float64]
    work: NDArray[np.float64]
    exclusive_work: NDArray[np.float64]
    energy: NDArray[np.float64]
    flips: NDArray[np.int32]
    clock: NDArray[np.int8]


def prepare(network: ClockNetwork, plan: Plan, **_: Any) -> ClockNetwork:
    """The network is ready as it is."""
    return network


def begin(
    network: ClockNetwork, start: Start, seed: int, point: int, first: int, count: int
) -> Replicas:
    """Trajectories first ... first + count - 1 of a point, at time 0."""
    replicas = Replicas(
        streams(np.uint64(seed), point, first, count),
        np.zeros((count, len(network.along)), np.int8),
    )
    _place(start, replicas)
    return replicas


def advance(
    network: ClockNetwork, plan: Plan, replicas: Replicas, rows: Rows, first: int, last: int
) -> tuple[int, int]:
    """Run trajectories from segment `first` to segment `last`, counted from the burn-in's begin.

    Returns
    -------
    events : number of jumps, burn-in included
    broken : -1, for no trajectory can go wrong
    """
    h = at_edges(network.spins.drive, plan.rows_per_period)
    n, (_, count, baths) = len(network.along), rows.heat.shape
    shape = Shape(count, n, n, baths, rows.work.shape[2], 0, 0)
    sums = empty_sums(shape, 1)
    return _advance(network, plan, h, replicas, rows, shape, sums, first, last), -1


@compiled
def _place(start, replicas):
    n = replicas.clock.shape[1]
    for k in range(len(replicas.clock)):
        if start.kind == RANDOM:
            for i in range(n):
                replicas.clock[k, i] = min(int(3.0 * uniform(replicas.stream[k])), 2)
        elif start.kind == DRAWN:
            at = np.searchsorted(start.cumulative, uniform(replicas.stream[k]), side="right")
            at = min(at, len(start.cumulative) - 1)
            for i in range(n):
                replicas.clock[k, i] = at % 3
                at //= 3


@compiled
def _advance(network, plan, h, replicas, rows, shape, sums, first, last):
    events, n, segments = 0, len(network.along), plan.rows_per_period
    costs, bounds = np.empty(2 * n), np.empty(2 * n)
    for j in range(len(replicas.clock)):
        clock, stream = replicas.clock[j], replicas.stream[j]
        _align(network, clock, h[edge_of(first, segments)], sums)
        for segment in range(first, last):
            part, recorded = segment % segments, segment - plan.burn_in * segments
            row, place = recorded // plan.segments_per_row, recorded % plan.segments_per_row
            _begin_segment(shape, sums)
            if recorded == 0:
                _write_edge(network, clock, h[edge_of(segment, segments)], rows, j, 0)
            events += _segment(network, plan, part, clock, stream, costs, bounds, sums)
            _align(network, clock, h[part + 1], sums)
            if recorded >= 0:
                _add_to_row(shape, network.spins, sums, rows, j * shape.rows + row, place == 0)
                if place == plan.segments_per_row - 1:
                    _write_edge(network, clock, h[part + 1], rows, j, row + 1)
    return events


@compiled
def _bounds(network, clock, costs, bounds):
    """Costs (2 n,) in the bonds and largest rates (2 n,) of all jumps; the sum of these."""
    total = 0.0
    for k in range(len(bounds)):
        i, to = k // 2, (clock[k // 2] + 1 + k % 2) % 3
        turn = network.along[i, to] - network.along[i, clock[i]]
        costs[k] = exchange_of(network, clock, i, clock[i]) - exchange_of(network, clock, i, to)
        best = network.spins.high[i] if turn > 0.0 else network.spins.low[i]
        best *= network.spins.temperature[i]
        bounds[k] = rate(network, i, costs[k] - best * turn)
        total += bounds[k]
    return total


@compiled
def _segment(network, plan, part, clock, stream, costs, bounds, sums):
    """Let one trajectory run for a segment; number of jumps."""
    events, now = 0, 0.0
    length = network.spins.period / plan.rows_per_period
    total = _bounds(network, clock, costs, bounds)
    while True:
        now -= log(1.0 - uniform(stream)) / (total * length)
        # No jump is proposed before the segment ends.
        if not now < 1.0:
            return events
        mark, k = uniform(stream) * total, 0
        while mark >= bounds[k] and k < len(bounds) - 1:
            mark -= bounds[k]
            k += 1
        i, to = k // 2, (clock[k // 2] + 1 + k % 2) % 3
        h = value(network.spins.drive, i, (part + now) / plan.rows_per_period)
        turn = network.along[i, to] - network.along[i, clock[i]]
        if mark < rate(network, i, costs[k] - h * turn):
            events += 1
            sums.flips[i] += 1.0
            sums.exchange[i] += costs[k]
            sums.driving[i] += h * turn
            clock[i] = to
            total = _bounds(network, clock, costs, bounds)


@compiled
def _align(network, clock, h, sums):
    """Note h_i cos(theta_i - psi_i) at an edge, where the fields are h (n,)."""
    for i in range(len(clock)):
        sums.after[i] = h[i] * network.along[i, clock[i]]


@compiled
def _begin_segment(shape, sums):
    begin_segment(shape, bare(sums), 0, 1)


@compiled
def _add_to_row(shape, spins, sums, rows, index, empty):
    add_to_row(shape, bare(spins), bare(sums), 0, 1, bare(rows), index, empty)


@compiled
def _write_edge(network, clock, h, rows, j, edge):
    rows.energy[j, edge] = energy(network, clock, h)
    rows.clock[j, edge] = clock
