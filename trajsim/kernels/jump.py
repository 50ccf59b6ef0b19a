"""Spins in continuous time: exact kinetic Monte Carlo with rates that change in time.

Thinning (Lewis & Shedler, Nav. Res. Logist. Q. 26, 403, 1979): flips are proposed at the
constant rate that bounds each spin's true rate over the whole period, and accepted with the
ratio of the true rate, at the field of that very instant, to the bound. No rate is frozen and
there is no time step.

Time is kept as a fraction of the period and a number of whole segments, never as a growing t.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.jit import compiled
from trajsim.kernels.random import streams, uniform
from trajsim.models.drive import value
from trajsim.models.spins import (
    SpinNetwork,
    energy,
    flip_energy,
    local_of,
    rate,
    rate_bound,
    spins_of,
)
from trajsim.plan import Plan

UP, RANDOM, DRAWN = 0, 1, 2
# A rate above its thinning bound by more than rounding means that trajectories are wrong.
MOST_EXCESS = 1.0 + 1e-9


class Start(NamedTuple):
    """Where trajectories begin: all UP, at RANDOM, or DRAWN with `cumulative` (2**n,) odds."""

    kind: int
    cumulative: NDArray[np.float64]


class Walkers(NamedTuple):
    """Trajectories on their way: their streams (m, 4) uint64 and spins (m, n) int8."""

    stream: NDArray[np.uint64]
    spins: NDArray[np.int8]


class Rows(NamedTuple):
    """Ledger of m trajectories; the columns are described in `trajsim.ledger`.

    heat (m, row, bath), work and exclusive_work (m, row, drive), energy (m, row + 1),
    flips (m, row, n) int32, state (m, row + 1, n) int8. Counts and sums must begin at 0.
    """

    heat: NDArray[np.float64]
    work: NDArray[np.float64]
    exclusive_work: NDArray[np.float64]
    energy: NDArray[np.float64]
    flips: NDArray[np.int32]
    state: NDArray[np.int8]


def prepare(network: SpinNetwork, plan: Plan, **_: Any) -> SpinNetwork:
    """Nothing to make ready."""
    return network


def start(network: SpinNetwork, initial: str, state: NDArray[np.float64] | None) -> Start:
    """Start for `initial`; "equilibrium" and "periodic" are drawn from `state` (2**n,)."""
    kinds = {"up": UP, "random": RANDOM}
    if state is None:
        return Start(kinds[initial], np.ones(1))
    odds = np.cumsum(state)
    return Start(DRAWN, odds / odds[-1])


def needs_state(initial: str) -> bool:
    """Whether a start of this kind is drawn from a distribution."""
    return initial not in ("up", "random")


def fault(excess: float, first: int) -> str | None:
    """What is wrong with the result of `advance`, if anything."""
    if excess <= MOST_EXCESS:
        return None
    return f"a flip rate exceeded its thinning bound by a factor {excess}: this is a bug"


def begin(
    network: SpinNetwork, start: Start, seed: int, point: int, first: int, count: int
) -> Walkers:
    """Trajectories first ... first + count - 1 of a point, at time 0."""
    walkers = Walkers(
        streams(np.uint64(seed), point, first, count), np.ones((count, len(network.bath)), np.int8)
    )
    _place(start, walkers)
    return walkers


@compiled
def _place(start, walkers):
    for k in range(len(walkers.spins)):
        if start.kind == RANDOM:
            for i in range(walkers.spins.shape[1]):
                walkers.spins[k, i] = 1 if uniform(walkers.stream[k]) < 0.5 else -1
        elif start.kind == DRAWN:
            at = np.searchsorted(start.cumulative, uniform(walkers.stream[k]), side="right")
            spins_of(min(at, len(start.cumulative) - 1), walkers.spins[k])


@compiled
def _note_edge(network, h, spins, rows, k, edge):
    """Write the state and its energy at an edge between two rows."""
    rows.energy[k, edge] = energy(network, spins, h)
    rows.state[k, edge] = spins


@compiled
def _book_flip(network, spins, i, h, before, rows, k, row):
    """Book the flip of spin i in field h: heat, exclusive work, and work since `before`."""
    rows.heat[k, row, network.bath[i]] += flip_energy(network, spins, i, h)
    rows.flips[k, row, i] += 1
    drive = network.driven[i]
    if drive >= 0:
        rows.work[k, row, drive] -= spins[i] * (h - before)
        rows.exclusive_work[k, row, drive] -= 2.0 * spins[i] * h


@compiled
def _book_edge(network, spins, before, h, rows, k, row):
    """Book the work of every drive since its spin's last flip, up to the end of a segment."""
    for i in range(len(spins)):
        if network.driven[i] >= 0:
            rows.work[k, row, network.driven[i]] -= spins[i] * (h[i] - before[i])


@compiled
def advance(network, plan, walkers, rows, first, last):
    """Run the trajectories from segment `first` to segment `last`, and book what happens.

    Parameters
    ----------
    network : SpinNetwork
    plan : Plan
    walkers : Walkers, moved on
    rows : Rows, added to
    first, last : segments counted from the beginning of the burn-in

    Returns
    -------
    flips : number of flips made, burn-in included
    excess : largest ratio of a rate to its bound; above 1 the bound was no bound
    """
    n = len(network.bath)
    segments = plan.rows_per_period
    length = network.period / segments
    burn_in = plan.burn_in * segments
    # The field at the edges of the segments is the same for all trajectories.
    h_edge = np.empty((segments + 1, n))
    for edge in range(segments + 1):
        for i in range(n):
            h_edge[edge, i] = value(network.drive, i, (edge % segments) / segments)
    local, bound, before = np.empty(n), np.empty(n), np.empty(n)
    flips, excess = 0, 0.0
    for k in range(len(walkers.spins)):
        spins, stream = walkers.spins[k], walkers.stream[k]
        for i in range(n):
            local[i] = local_of(network, spins, i)
            bound[i] = rate_bound(network, local[i], spins[i], i)
        for segment in range(first, last):
            part = segment % segments
            recorded = segment >= burn_in
            row = (segment - burn_in) // plan.segments_per_row
            if segment == burn_in:
                _note_edge(network, h_edge[0], spins, rows, k, 0)
            before[:] = h_edge[part]
            waited = 0.0
            while True:
                total = 0.0
                for i in range(n):
                    total += bound[i]
                if total == 0.0:
                    break
                # A wait cut short by the end of the segment is drawn anew: it has no memory.
                waited -= math.log(1.0 - uniform(stream)) / total
                if waited >= length:
                    break
                mark = uniform(stream) * total
                i = 0
                while i < n - 1 and mark >= bound[i]:
                    mark -= bound[i]
                    i += 1
                if bound[i] == 0.0:
                    continue  # Rounding of `mark` led past the last spin that can flip.
                h = value(network.drive, i, (part + waited / length) / segments)
                ratio = rate(network, local[i], spins[i], i, h) / bound[i]
                excess = max(excess, ratio)
                if uniform(stream) >= ratio:
                    continue
                flips += 1
                if recorded:
                    _book_flip(network, spins, i, h, before[i], rows, k, row)
                before[i] = h
                spins[i] = -spins[i]
                local[i] = local_of(network, spins, i)
                bound[i] = rate_bound(network, local[i], spins[i], i)
                for at in range(network.first[i], network.first[i + 1]):
                    j = network.neighbour[at]
                    local[j] = local_of(network, spins, j)
                    bound[j] = rate_bound(network, local[j], spins[j], j)
            if recorded:
                _book_edge(network, spins, before, h_edge[part + 1], rows, k, row)
                if (segment + 1 - burn_in) % plan.segments_per_row == 0:
                    _note_edge(network, h_edge[part + 1], spins, rows, k, row + 1)
    return flips, excess
