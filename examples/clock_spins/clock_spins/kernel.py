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

from clock_spins.model import ClockNetwork, bond_cost, energy, rate
from trajsim.compiled.elementary import log
from trajsim.compiled.jit import compiled
from trajsim.kernels.random import streams, uniform
from trajsim.models.drive import value
from trajsim.plan import Plan

ALIGNED, RANDOM, DRAWN = 0, 1, 2


class Start(NamedTuple):
    """Where trajectories begin: all ALIGNED, at RANDOM, or DRAWN with `cumulative` (3**n,) odds."""

    kind: int
    cumulative: NDArray[np.float64]


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


def needs_state(initial: str) -> bool:
    """Whether a start of this kind is drawn from a distribution of the exact side."""
    return initial in ("equilibrium", "periodic")


def prepare(network: ClockNetwork, plan: Plan, **_: Any) -> ClockNetwork:
    """The network is ready as it is."""
    return network


def start(network: ClockNetwork, initial: str, state: NDArray[np.float64] | None) -> Start:
    """Start for `initial`; "equilibrium" and "periodic" are drawn from `state` (3**n,)."""
    if state is None:
        return Start({"aligned": ALIGNED, "random": RANDOM}[initial], np.ones(1))
    odds = np.cumsum(state)
    return Start(DRAWN, odds / odds[-1])


def begin(
    network: ClockNetwork, start: Start, seed: int, point: int, first: int, count: int
) -> Replicas:
    """Trajectories first ... first + count - 1 of a point, at time 0."""
    replicas = Replicas(
        streams(np.uint64(seed), point, first, count),
        np.zeros((count, len(network.bath)), np.int8),
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
    return _advance(network, plan, replicas, rows, first, last), -1


def fault(broken: int, first: int) -> str | None:
    """What is wrong with the result of `advance`: nothing can be."""
    return None


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
def _bounds(network, clock, costs, bounds):
    """Costs (n, 2) in the bonds and largest rates (n, 2) of all jumps; their sum."""
    total = 0.0
    for i in range(len(clock)):
        for way in range(2):
            to = (clock[i] + 1 + way) % 3
            turn = network.along[i, to] - network.along[i, clock[i]]
            costs[i, way] = bond_cost(network, clock, i, to)
            best = network.high[i] if turn > 0.0 else network.low[i]
            bounds[i, way] = rate(network, i, costs[i, way] - best * turn)
            total += bounds[i, way]
    return total


@compiled
def _advance(network, plan, replicas, rows, first, last):
    events, segments, n = 0, plan.rows_per_period, len(network.bath)
    # Of the segment in hand: energy put into the bonds, int h dcos, and h cos where it began.
    bonds, field, before, h = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    flips, costs, bounds = np.empty(n, np.int32), np.empty((n, 2)), np.empty((n, 2))
    for j in range(len(replicas.clock)):
        clock, stream = replicas.clock[j], replicas.stream[j]
        for segment in range(first, last):
            part, recorded = segment % segments, segment - plan.burn_in * segments
            row, place = recorded // plan.segments_per_row, recorded % plan.segments_per_row
            _fields(network, part / segments, h)
            for i in range(n):
                before[i] = h[i] * network.along[i, clock[i]]
                bonds[i], field[i], flips[i] = 0.0, 0.0, 0
            if recorded == 0:
                _note_edge(network, clock, h, rows, j, 0)
            events += _segment(
                network, plan, part, clock, stream, costs, bounds, bonds, field, flips
            )
            _fields(network, (part + 1) % segments / segments, h)
            if recorded >= 0:
                _book(network, clock, h, bonds, field, flips, before, rows, j, row, place == 0)
                if place == plan.segments_per_row - 1:
                    _note_edge(network, clock, h, rows, j, row + 1)
    return events


@compiled
def _fields(network, fraction, h):
    for i in range(len(h)):
        h[i] = value(network.drive, i, fraction)


@compiled
def _segment(network, plan, part, clock, stream, costs, bounds, bonds, field, flips):
    """Let one trajectory run for a segment; number of jumps."""
    events, now = 0, 0.0
    length = network.period / plan.rows_per_period
    total = _bounds(network, clock, costs, bounds)
    while True:
        now -= log(1.0 - uniform(stream)) / (total * length)
        # No jump is proposed before the segment ends.
        if not now < 1.0:
            return events
        mark = uniform(stream) * total
        i = way = 0
        while mark >= bounds[i, way] and not (i == len(clock) - 1 and way == 1):
            mark -= bounds[i, way]
            way += 1
            if way == 2:
                i, way = i + 1, 0
        h = value(network.drive, i, (part + now) / plan.rows_per_period)
        to = (clock[i] + 1 + way) % 3
        turn = network.along[i, to] - network.along[i, clock[i]]
        if mark < rate(network, i, costs[i, way] - h * turn):
            events += 1
            flips[i] += 1
            bonds[i] += costs[i, way]
            field[i] += h * turn
            clock[i] = to
            total = _bounds(network, clock, costs, bounds)


@compiled
def _book(network, clock, h, bonds, field, flips, before, rows, j, row, fresh):
    """Book a segment to a row: what jumps cost is heat, -int cos dh is work, int h dcos exclusive.

    Rows hold anything before they are `fresh`.
    """
    if fresh:
        rows.flips[j, row] = 0
        rows.heat[j, row] = 0.0
        rows.work[j, row] = 0.0
        rows.exclusive_work[j, row] = 0.0
    for i in range(len(clock)):
        rows.flips[j, row, i] += flips[i]
        rows.heat[j, row, network.bath[i]] += bonds[i] - field[i]
        drive = network.driven[i]
        if drive >= 0:
            grown = h[i] * network.along[i, clock[i]] - before[i]
            rows.work[j, row, drive] += field[i] - grown
            rows.exclusive_work[j, row, drive] += field[i]


@compiled
def _note_edge(network, clock, h, rows, j, edge):
    rows.energy[j, edge] = energy(network, clock, h)
    rows.clock[j, edge] = clock
