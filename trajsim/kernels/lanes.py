"""Spins of small networks: LANES trajectories side by side, so that the arithmetic vectorises.

Each lane holds one trajectory at its own place in time. A round proposes one flip in every lane,
by arithmetic alone; what then happens, a flip or the end of a segment, is done lane by lane. A
lane whose trajectory has reached the last segment takes the next. What a lane does depends on
its own stream only, so the ledger is the same whatever lies beside it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.elementary import cosine, float_of, log
from trajsim.jit import compiled
from trajsim.kernels.booking import book_edge, book_flip, note_edge
from trajsim.kernels.random import ONE_BITS, U12, step
from trajsim.models.drive import value
from trajsim.models.rate_laws import flip_rate
from trajsim.models.spins import SpinNetwork, local_of, rate_bound, spins_of
from trajsim.plan import Plan

MOST_SITES = 8
# Results do not depend on it.
LANES = 32
# A rate above its thinning bound by more than rounding means that trajectories are wrong.
MOST_EXCESS = 1.0 + 1e-9
# Columns of the lanes' numbers, LANES long each. Times are parts of the segment.
NOW, NEXT, PHASE, LIVE, EVENT, EXCESS = (LANES * k for k in range(6))
# Rate of all proposals, and one over it.
TOTAL, RECIPROCAL = LANES * 6, LANES * 7
# Of the flip proposed: what is left of a random mark, site, bound, bonds joined, s_i / T_i, field.
MARK, SITE, BOUND, LOCAL, TILT, FIELD = (LANES * k for k in range(8, 14))
# From here on columns for each site: bound, bonds joined, s_i / T_i, the offset of its field,
# and of each harmonic amplitude, order and turns.
SITES = LANES * 14
NOTHING, FLIP, EDGE = 0.0, 1.0, 2.0


class Laned(NamedTuple):
    """A network of n sites made ready.

    sites, harmonics : n and k zeros: their numbers are known when the kernel is compiled
    length : time of a segment
    bound : (2**n, n), thinning bounds of the flips of each state, per segment
    local : (2**n, n), bonds of each spin joined by the rate law
    turns : (n, k), phases of the drive's harmonics in whole turns
    coldness : (n,), 1 / T_i
    """

    network: SpinNetwork
    sites: tuple[int, ...]
    harmonics: tuple[int, ...]
    length: float
    bound: NDArray[np.float64]
    local: NDArray[np.float64]
    turns: NDArray[np.float64]
    coldness: NDArray[np.float64]


def prepare(network: SpinNetwork, plan: Plan) -> Laned:
    """Tables over the states of a small network."""
    n, length = len(network.bath), network.period / plan.rows_per_period
    bound, local = np.empty((1 << n, n)), np.empty((1 << n, n))
    _tabulate(network, length, bound, local)
    turns = network.drive.phase / (2.0 * np.pi)
    harmonics = (0,) * network.drive.order.shape[1]
    return Laned(
        network, (0,) * n, harmonics, length, bound, local, turns, 1.0 / network.temperature
    )


@compiled
def _tabulate(network, length, bound, local):
    n = bound.shape[1]
    spins = np.empty(n, np.int8)
    for x in range(len(bound)):
        spins_of(x, spins)
        for i in range(n):
            local[x, i] = local_of(network, spins, i)
            bound[x, i] = length * rate_bound(network, local[x, i], spins[i], i)


@compiled(inline=True)
def _draw(stream, numbers, column):
    """A uniform number in [0, 1) in every lane, a multiple of 2**-52; stream (4 * LANES,)."""
    for k in range(LANES):
        state = stream[k], stream[LANES + k], stream[2 * LANES + k], stream[3 * LANES + k]
        bits, (s0, s1, s2, s3) = step(state)
        stream[k], stream[LANES + k] = s0, s1
        stream[2 * LANES + k], stream[3 * LANES + k] = s2, s3
        numbers[column + k] = float_of((bits >> U12) | ONE_BITS) - 1.0


@compiled(contract=True, inline=True)
def _wait(numbers):
    """Instants of the flips proposed."""
    for k in range(LANES):
        # The number drawn is below 1, and half its last digit above it is above 0.
        wait = -log(numbers[NEXT + k] + 2.0**-53) * numbers[RECIPROCAL + k]
        numbers[NEXT + k] = numbers[NOW + k] + wait
        numbers[NOW + k] = min(numbers[NEXT + k], 1.0)


@compiled(contract=True, inline=True)
def _choose(model, numbers, share):
    """Sites of the flips proposed, and their fields; a segment is `share` of the period."""
    n, width = len(model.sites), (4 + 3 * len(model.harmonics)) * LANES
    for k in range(LANES):
        left = numbers[MARK + k] * numbers[TOTAL + k]
        mark, site = left, 0.0
        bound, local = numbers[SITES + k], numbers[SITES + LANES + k]
        tilt, field = numbers[SITES + 2 * LANES + k], numbers[SITES + 3 * LANES + k]
        for i in range(1, n):
            # The last site whose turn has come is the one. Read first: a choice between numbers
            # at hand is one instruction, a choice whether to read is a branch.
            at = SITES + i * width + k
            left -= numbers[at - width]
            b, c, d, e = (
                numbers[at],
                numbers[at + LANES],
                numbers[at + 2 * LANES],
                numbers[at + 3 * LANES],
            )
            come = left >= 0.0
            mark = left if come else mark
            site = float(i) if come else site
            bound = b if come else bound
            local = c if come else local
            tilt = d if come else tilt
            field = e if come else field
        numbers[MARK + k], numbers[SITE + k], numbers[FIELD + k] = mark, site, field
        numbers[LOCAL + k], numbers[TILT + k], numbers[BOUND + k] = local, tilt, bound
    for q in range(len(model.harmonics)):
        first = SITES + (4 + 3 * q) * LANES
        for k in range(LANES):
            amplitude, order = numbers[first + k], numbers[first + LANES + k]
            turns = numbers[first + 2 * LANES + k]
            for i in range(1, n):
                here, at = numbers[SITE + k] == float(i), first + i * width + k
                a, o, t = numbers[at], numbers[at + LANES], numbers[at + 2 * LANES]
                amplitude = a if here else amplitude
                order = o if here else order
                turns = t if here else turns
            passed = (numbers[PHASE + k] + numbers[NOW + k]) * share
            numbers[FIELD + k] += amplitude * cosine(order * passed + turns)


@compiled(contract=True, inline=True)
def _decide(model, numbers):
    """Whether the flips happen, or the segment ends before."""
    law = model.network.law
    for k in range(LANES):
        local, x = numbers[LOCAL + k], numbers[TILT + k] * numbers[FIELD + k]
        rate = model.length * flip_rate(law, local, x)
        event = FLIP if numbers[MARK + k] < rate else NOTHING
        event = EDGE if numbers[NEXT + k] >= 1.0 else event
        numbers[EVENT + k] = event * numbers[LIVE + k]
        numbers[EXCESS + k] = max(numbers[EXCESS + k], rate - MOST_EXCESS * numbers[BOUND + k])


@compiled(inline=True)
def _settle(model, state, spins, numbers, k):
    """Write what the next flip of lane k, in a state, depends on."""
    n, width = len(model.sites), (4 + 3 * len(model.harmonics)) * LANES
    total = 0.0
    for i in range(n):
        total += model.bound[state, i]
        at = SITES + i * width + k
        numbers[at], numbers[at + LANES] = model.bound[state, i], model.local[state, i]
        numbers[at + 2 * LANES] = spins[i] * model.coldness[i]
    numbers[TOTAL + k], numbers[RECIPROCAL + k] = total, 1.0 / total


@compiled
def _drives(model, numbers):
    """Write the drives into the columns of the sites."""
    n, drive, width = len(model.sites), model.network.drive, 4 + 3 * len(model.harmonics)
    for i in range(n):
        for k in range(LANES):
            at = SITES + i * width * LANES + k
            numbers[at + 3 * LANES] = drive.offset[i]
            for q in range(len(model.harmonics)):
                numbers[at + (4 + 3 * q) * LANES] = drive.amplitude[i, q]
                numbers[at + (5 + 3 * q) * LANES] = drive.order[i, q]
                numbers[at + (6 + 3 * q) * LANES] = model.turns[i, q]


@compiled
def advance(model, plan, walkers, rows, first, last):
    """As `trajsim.kernels.jump.advance`."""
    network, n = model.network, len(model.sites)
    segments, count = plan.rows_per_period, len(walkers.spins)
    burn_in = plan.burn_in * segments
    h_edge = np.empty((segments + 1, n))
    for edge in range(segments + 1):
        for i in range(n):
            h_edge[edge, i] = value(network.drive, i, (edge % segments) / segments)
    numbers = np.zeros(SITES + n * (4 + 3 * len(model.harmonics)) * LANES)
    _drives(model, numbers)
    stream = np.zeros(4 * LANES, np.uint64)
    before, spins = np.empty((LANES, n)), np.empty(n, np.int8)
    # Trajectory, segment and state of the lanes; the lanes where something happens.
    who, at, state = np.empty(LANES, np.int64), np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    happened = np.empty(LANES + 1, np.int64)
    flips, taken, live = 0, 0, 0
    for k in range(LANES):
        who[k] = -1
        happened[k] = k
        numbers[LIVE + k], numbers[EVENT + k] = 1.0, EDGE
    events = LANES if last > first else 0
    live = events
    while live > 0:
        for event in range(events):
            k = happened[event]
            j = who[k]
            # A copy, for a slice would count references, which takes longer.
            for i in range(n):
                spins[i] = walkers.spins[j, i]
            if numbers[EVENT + k] == FLIP:
                i, h = int(numbers[SITE + k]), numbers[FIELD + k]
                flips += 1
                if at[k] >= burn_in:
                    row = (at[k] - burn_in) // plan.segments_per_row
                    book_flip(network, spins, i, h, before[k, i], rows, j, row)
                before[k, i] = h
                spins[i] = -spins[i]
                walkers.spins[j, i] = spins[i]
                state[k] ^= 1 << i
                _settle(model, state[k], spins, numbers, k)
                continue
            if j >= 0:
                part = at[k] % segments
                if at[k] >= burn_in:
                    row, done = (at[k] - burn_in) // plan.segments_per_row, at[k] + 1 - burn_in
                    book_edge(network, spins, before, k, h_edge, part + 1, rows, j, row)
                    if done % plan.segments_per_row == 0:
                        note_edge(network, spins, h_edge, part + 1, rows, j, row + 1)
                at[k] += 1
                if at[k] == last:
                    for word in range(4):
                        walkers.stream[j, word] = stream[word * LANES + k]
                    j = -1
            if j < 0:
                if taken == count:
                    numbers[LIVE + k] = 0.0
                    live -= 1
                    continue
                j, taken = taken, taken + 1
                who[k], at[k], state[k] = j, first, 0
                for word in range(4):
                    stream[word * LANES + k] = walkers.stream[j, word]
                for i in range(n):
                    spins[i] = walkers.spins[j, i]
                    state[k] |= (1 << i) if spins[i] < 0 else 0
                _settle(model, state[k], spins, numbers, k)
            part = at[k] % segments
            if at[k] == burn_in:
                note_edge(network, spins, h_edge, 0, rows, j, 0)
            for i in range(n):
                before[k, i] = h_edge[part, i]
            numbers[NOW + k], numbers[PHASE + k] = 0.0, float(part)
        _draw(stream, numbers, NEXT)
        _draw(stream, numbers, MARK)
        _wait(numbers)
        _choose(model, numbers, 1.0 / segments)
        _decide(model, numbers)
        events = 0
        for k in range(LANES):
            happened[events] = k
            events += int(numbers[EVENT + k] != NOTHING)
    return flips, 0.0 if numbers[EXCESS : EXCESS + LANES].max() <= 0.0 else np.inf
