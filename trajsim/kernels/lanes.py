"""Spins of small networks: many trajectories side by side, in vectors.

Each lane holds one trajectory at its own place in time, and the instant of its next proposal. A
round decides on that proposal in every lane, makes the flip or not, and draws the next, by
arithmetic alone; only a lane that comes to the end of a segment is looked at by itself. A lane
whose trajectory has reached the last segment takes the next. What a lane does depends on its own
stream only, so the ledger is the same whatever lies beside it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.elementary import cosine, log
from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import (
    WIDTH,
    bare,
    gather,
    lanes_of,
    load,
    lowest,
    one_of_2,
    one_of_4,
    one_of_8,
    read,
    spread,
    store,
    where,
    write,
)
from trajsim.kernels.fields import edge_fields
from trajsim.kernels.random import inside, step, unit
from trajsim.kernels.spin_energetics import Shape, Sums, begin_segment, book
from trajsim.kernels.tables import Laned, prepare
from trajsim.models.law_functions import flip_rate

__all__ = ["LANES", "MOST_SITES", "Laned", "advance", "prepare"]

MOST_SITES = 8
# The lanes come in two banks: while the processor still works on one, the other is looked after.
# In a bank are enough vectors to fill the wait for a result of one with work on the others.
BANK = 64
LANES = 2 * BANK
U0, U1 = np.uint64(0), np.uint64(1)
# Places of the lanes' words and numbers. Times are parts of the segment.
STREAM, STATE, SITE = 0, 4 * LANES, 5 * LANES
NOW, PHASE, LOGARITHM, MARK, FIELD = (LANES * k for k in range(5))


class Lanes(NamedTuple):
    """What the lanes hold: words and numbers, sums over flips, and whereabouts.

    who, at, part, line, left (LANES,): trajectory of each lane, its segment, part of the period,
    row among the rows of all trajectories, and the segments left in that row; lines below 0
    are not recorded.
    """

    words: NDArray[np.uint64]
    numbers: NDArray[np.float64]
    sums: Sums
    who: NDArray[np.int64]
    at: NDArray[np.int64]
    part: NDArray[np.int64]
    line: NDArray[np.int64]
    left: NDArray[np.int64]


# -- a round, in all lanes -----------------------------------------------------------------------


@compiled(inline=True)
def _lookup(table, first, index, size):
    """Entry of a table of `size`, which begins at `first`, at the index of each lane."""
    if size == 2:
        found = one_of_2(table, first, index)
    elif size == 4:
        found = one_of_4(table, first, index)
    elif size == 8:
        found = one_of_8(table, first, index)
    elif size == 16:
        upper = (index & np.uint64(8)) != U0
        found = where(upper, one_of_8(table, first + 8, index), one_of_8(table, first, index))
    else:
        found = gather(table, index + np.uint64(first))
    return found


@compiled(inline=True)
def _draw(words, numbers, bank):
    """Draw a mark in [0, 1) and the logarithm of another such number in the lanes of a bank."""
    for k in range(bank, bank + BANK, WIDTH):
        s = (
            load(words, STREAM + k),
            load(words, STREAM + LANES + k),
            load(words, STREAM + 2 * LANES + k),
            load(words, STREAM + 3 * LANES + k),
        )
        first, s = step(s)
        second, s = step(s)
        for w in range(4):
            store(words, STREAM + w * LANES + k, s[w])
        store(numbers, MARK + k, unit(first))
        store(numbers, LOGARITHM + k, log(inside(second)))


@compiled(inline=True)
def _choose(model, words, numbers, bank):
    """Sites of the flips proposed, and their fields."""
    n, p = len(model.sites), len(model.places)
    for k in range(bank, bank + BANK, WIDTH):
        state = load(words, STATE + k)
        mark = load(numbers, MARK + k) * _lookup(model.total, 0, state, 1 << n)
        # The site is the last one whose turn has come when rates are laid end to end.
        half = p // 2
        edge = _lookup(model.below, half << n, state, 1 << n)
        come = mark >= edge
        low, site = where(come, edge, 0.0), where(come, spread(np.uint64(half)), U0)
        while half > 1:
            half //= 2
            edge = _lookup(model.below, half << n, (site << np.uint64(n)) + state, p << n)
            come = mark >= edge
            low, site = where(come, edge, low), where(come, site + np.uint64(half), site)
        field = _lookup(model.fields.offset, 0, site, p)
        passed = load(numbers, PHASE + k) + load(numbers, NOW + k)
        for q in range(len(model.harmonics)):
            turns = read(model.fields.turning, q) * passed + _lookup(
                model.fields.turns, q * p, site, p
            )
            field = field + _lookup(model.fields.amplitude, q * p, site, p) * cosine(turns)
        store(numbers, MARK + k, mark - low)
        store(words, SITE + k, site)
        store(numbers, FIELD + k, field)


@compiled(inline=True)
def _decide(model, words, numbers, sums, bank):
    """Make the flips that happen."""
    n, p = len(model.sites), len(model.places)
    for k in range(bank, bank + BANK, WIDTH):
        state, site = load(words, STATE + k), load(words, SITE + k)
        index, field = (site << np.uint64(n)) + state, load(numbers, FIELD + k)
        aligned = where(((state >> site) & U1) == U0, field, -field)
        local = _lookup(model.local, 0, index, p << n)
        rate = flip_rate(model.law, local, aligned * _lookup(model.fields.beta, 0, site, p))
        flips = load(numbers, MARK + k) < rate
        cost = _lookup(model.cost, 0, index, p << n)
        for i in range(n):
            mine, at = flips & (site == np.uint64(i)), i * LANES + k
            count, exchange = load(sums.flips, at), load(sums.exchange, at)
            turned = load(sums.field, at)
            store(sums.flips, at, where(mine, count + 1.0, count))
            store(sums.exchange, at, where(mine, exchange + cost, exchange))
            store(sums.field, at, where(mine, turned - 2.0 * aligned, turned))
        store(words, STATE + k, where(flips, state ^ (spread(U1) << site), state))


@compiled(inline=True)
def _go_on(model, words, numbers, bank):
    """Instants of the next proposals; bits of the lanes where they come after the segment."""
    n, beyond = len(model.sites), U0
    for k in range(bank, bank + BANK, WIDTH):
        pause = _lookup(model.pause, 0, load(words, STATE + k), 1 << n)
        now = load(numbers, NOW + k) - load(numbers, LOGARITHM + k) * pause
        store(numbers, NOW + k, now)
        beyond |= lanes_of(now >= 1.0) << np.uint64(k - bank)
    return beyond


# -- one lane ------------------------------------------------------------------------------------


@compiled(inline=True)
def _note_edge(model, sums, k, state, rows, edge):
    """Write the state of lane k and its energy to an edge, one of all trajectories' edges."""
    energy = read(model.exchange, state)
    for i in range(len(model.sites)):
        energy -= read(sums.after, i * LANES + k)
        write(rows.state, edge * len(model.sites) + i, 1 - 2 * ((state >> i) & 1))
    write(rows.energy, edge, energy)


@compiled(inline=True)
def _align(model, sums, k, state, h, part):
    """Note s_i h_i in lane k at edge `part` of the fields h (segments + 1, n)."""
    n = len(model.sites)
    for i in range(n):
        write(sums.after, i * LANES + k, (1 - 2 * ((state >> i) & 1)) * read(h, part * n + i))


@compiled(inline=True)
def _end_segment(model, plan, shape, rows, h, lanes, k):
    """Book the segment of lane k that has come to its end; returns the flips made in it."""
    part, line, left = read(lanes.part, k) + 1, read(lanes.line, k), read(lanes.left, k) - 1
    state, sums, flips = np.int64(read(lanes.words, STATE + k)), lanes.sums, 0.0
    for i in range(len(model.sites)):
        flips += read(sums.flips, i * LANES + k)
    _align(model, sums, k, state, h, part)
    if line >= 0:
        book(shape, model.network, sums, k, LANES, rows, line, left + 1 == plan.segments_per_row)
        if left == 0:
            # Every trajectory has one edge more than rows.
            _note_edge(model, sums, k, state, rows, line + read(lanes.who, k) + 1)
            write(lanes.line, k, line + 1)
    write(lanes.left, k, plan.segments_per_row if left == 0 else left)
    write(lanes.part, k, 0 if part == plan.rows_per_period else part)
    write(lanes.at, k, read(lanes.at, k) + 1)
    write(lanes.numbers, NOW + k, read(lanes.numbers, NOW + k) - 1.0)
    return np.int64(flips)


@compiled(inline=True)
def _take(model, plan, replicas, shape, h, lanes, k, j, first):
    """Put trajectory j into lane k, at segment `first`."""
    n, spr, state = len(model.sites), plan.segments_per_row, 0
    recorded, part = first - plan.burn_in * plan.rows_per_period, first % plan.rows_per_period
    write(lanes.who, k, j)
    write(lanes.at, k, first)
    write(lanes.part, k, part)
    write(lanes.line, k, j * shape.rows + recorded // spr if recorded >= 0 else -1)
    write(lanes.left, k, spr - recorded % spr)
    for i in range(n):
        state |= (1 if read(replicas.spins, j * n + i) < 0 else 0) << i
    _align(model, lanes.sums, k, state, h, part)
    write(lanes.words, STATE + k, np.uint64(state))
    s = (
        read(replicas.stream, 4 * j),
        read(replicas.stream, 4 * j + 1),
        read(replicas.stream, 4 * j + 2),
        read(replicas.stream, 4 * j + 3),
    )
    now = read(replicas.ahead, j)
    if now < 0.0:
        bits, s = step(s)
        now = -log(inside(bits)) * read(model.pause, state)
    for word in range(4):
        write(lanes.words, STREAM + word * LANES + k, s[word])
    write(lanes.numbers, NOW + k, now)


@compiled(inline=True)
def _leave(model, replicas, lanes, k):
    """Take the trajectory out of lane k."""
    n, j, state = len(model.sites), read(lanes.who, k), np.int64(read(lanes.words, STATE + k))
    for word in range(4):
        write(replicas.stream, 4 * j + word, read(lanes.words, STREAM + word * LANES + k))
    for i in range(n):
        write(replicas.spins, j * n + i, 1 - 2 * ((state >> i) & 1))
    write(replicas.ahead, j, read(lanes.numbers, NOW + k))
    write(lanes.who, k, -1)


@compiled(inline=True)
def _open(model, shape, rows, lanes, k):
    """Open the ledger of the trajectory in lane k."""
    j, state = read(lanes.who, k), np.int64(read(lanes.words, STATE + k))
    _note_edge(model, lanes.sums, k, state, rows, j * (shape.rows + 1))
    write(lanes.line, k, j * shape.rows)


# -- all together --------------------------------------------------------------------------------


@compiled
def advance(model, plan, replicas, rows, first, last):
    """As `trajsim.kernels.jump.advance`."""
    n, h = len(model.sites), edge_fields(model.network, plan.rows_per_period)
    size = n * LANES
    lanes = Lanes(
        np.zeros(6 * LANES, np.uint64),
        np.zeros(5 * LANES),
        Sums(np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size)),
        np.full(LANES, -1),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
    )
    count, each = len(replicas.spins), rows.heat.shape[1]
    return _advance(model, plan, replicas, count, rows, each, first, last, h, lanes)


@compiled
def _advance(model_, plan, walkers_, count, rows_, each, first, last, h_, lanes_):
    """`advance` of `count` trajectories of `each` rows in fields h at the edges of segments."""
    model, replicas, rows = bare(model_), bare(walkers_), bare(rows_)
    h, lanes = bare(h_), bare(lanes_)
    shape = Shape(each, len(model.sites), len(model.baths), len(model.drives))
    words, numbers, sums = lanes.words, lanes.numbers, lanes.sums
    burn_in, flips, taken = plan.burn_in * plan.rows_per_period, 0, 0
    # Lanes of each bank, as bits: in use, and come to the end of their segment.
    in_use, other_in_use, beyond, other, bank = ~U0, ~U0, ~U0, ~U0, 0
    if last == first:
        return 0
    while True:
        while beyond != U0:
            k = bank + lowest(beyond)
            if read(lanes.who, k) >= 0:
                flips += _end_segment(model, plan, shape, rows, h, lanes, k)
                if read(lanes.at, k) == last:
                    _leave(model, replicas, lanes, k)
            if read(lanes.who, k) < 0:
                if taken == count:
                    in_use &= ~(U1 << np.uint64(k - bank))
                    beyond &= beyond - U1
                    continue
                _take(model, plan, replicas, shape, h, lanes, k, taken, first)
                taken += 1
            if read(lanes.at, k) == burn_in:
                _open(model, shape, rows, lanes, k)
            write(numbers, PHASE + k, float(read(lanes.part, k)))
            begin_segment(shape, sums, k, LANES)
            # The next proposal may come later than the segment that now begins.
            if read(numbers, NOW + k) < 1.0:
                beyond &= beyond - U1
        if in_use | other_in_use == U0:
            return flips
        _draw(words, numbers, bank)
        _choose(model, words, numbers, bank)
        _decide(model, words, numbers, sums, bank)
        beyond, other = other, in_use & _go_on(model, words, numbers, bank)
        in_use, other_in_use, bank = other_in_use, in_use, BANK - bank
