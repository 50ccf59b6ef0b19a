"""Spins of small networks: trajectories side by side in the lanes of vectors.

Each lane holds one trajectory at its own place in time. A round proposes one flip in every lane
and makes it or not, by arithmetic alone; only a lane that has come to the end of its segment is
looked at by itself. A lane whose trajectory has reached the last segment takes the next. What a
lane does depends on its own stream only, so the ledger is the same whatever lies beside it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.elementary import cosine, log
from trajsim.jit import compiled
from trajsim.kernels.booking import Shape, Sums, book_site, open_row
from trajsim.kernels.random import ONE_BITS, U12, step
from trajsim.models.drive import value
from trajsim.models.rate_laws import flip_rate
from trajsim.models.spins import SpinNetwork, exchange_of, local_of, rate_bound, spins_of
from trajsim.plan import Plan
from trajsim.simd import (
    WIDTH,
    bare,
    float_of,
    gather,
    lanes_of,
    load,
    lowest,
    mask_of,
    read,
    spread,
    store,
    where,
    write,
)

MOST_SITES = 8
# A rate above its thinning bound by more than rounding means that trajectories are wrong.
MOST_EXCESS = 1.0 + 1e-9
U0, U1 = np.uint64(0), np.uint64(1)
# Places of vectors in the lanes' words and numbers. Times are parts of the segment.
STREAM, STATE = 0, 4 * WIDTH
NOW, PHASE, EXCESS = 0, WIDTH, 2 * WIDTH


class Laned(NamedTuple):
    """A network of n sites made ready; p is the power of two at or above n.

    sites, places, harmonics : n, p and k zeros: their numbers are known when the kernel is compiled
    length : time of a segment
    total, pause : (2**n,), rate of all proposals in a state, per segment, and one over it
    below : (2**n * p,), rate of the proposals at all sites before one, in a state
    local : (2**n * p,), bonds of each spin joined by the rate law
    cost : (2**n * p,), energy that a flip puts into the bonds
    exchange : (2**n,), energy of the bonds
    coldness, offset : (p,), 1 / T_i and the constant part of the field
    order : (k,) multiples of the drive frequency
    amplitude, turns : (k, p), those of each harmonic, with its phase in whole turns
    """

    network: SpinNetwork
    sites: tuple[int, ...]
    places: tuple[int, ...]
    harmonics: tuple[int, ...]
    length: float
    total: NDArray[np.float64]
    pause: NDArray[np.float64]
    below: NDArray[np.float64]
    local: NDArray[np.float64]
    cost: NDArray[np.float64]
    exchange: NDArray[np.float64]
    coldness: NDArray[np.float64]
    offset: NDArray[np.float64]
    order: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    turns: NDArray[np.float64]


def prepare(network: SpinNetwork, plan: Plan) -> Laned:
    """Tables over the states of a small network."""
    n, drive = len(network.bath), network.drive
    p = 1 << (n - 1).bit_length()
    length = network.period / plan.rows_per_period
    bound, local, cost = (np.zeros((1 << n, p)) for _ in range(3))
    exchange = np.zeros(1 << n)
    _tabulate(network, length, bound, local, cost, exchange)
    total = bound.cumsum(axis=1)
    below = np.concatenate([np.zeros((1 << n, 1)), total[:, :-1]], axis=1)
    with np.errstate(divide="ignore"):
        pause = 1.0 / total[:, -1]
    orders = np.unique(drive.order[drive.amplitude != 0.0])
    amplitude, turns = np.zeros((len(orders), p)), np.zeros((len(orders), p))
    # Two harmonics of one order at one site are one.
    for q, order in enumerate(orders):
        terms = np.where(drive.order == order, drive.amplitude * np.exp(1j * drive.phase), 0.0)
        amplitude[q, :n] = np.abs(terms.sum(axis=1))
        turns[q, :n] = np.angle(terms.sum(axis=1)) / (2.0 * np.pi)
    return Laned(
        network=network,
        sites=(0,) * n,
        places=(0,) * p,
        harmonics=(0,) * len(orders),
        length=length,
        total=total[:, -1].copy(),
        pause=pause,
        below=below.ravel(),
        local=local.ravel(),
        cost=cost.ravel(),
        exchange=exchange,
        coldness=np.pad(1.0 / network.temperature, (0, p - n)),
        offset=np.pad(drive.offset, (0, p - n)),
        order=orders.astype(float),
        amplitude=amplitude,
        turns=turns,
    )


@compiled
def _tabulate(network, length, bound, local, cost, exchange):
    n = len(network.bath)
    spins = np.empty(n, np.int8)
    for x in range(len(bound)):
        spins_of(x, spins)
        for i in range(n):
            local[x, i] = local_of(network, spins, i)
            bound[x, i] = length * rate_bound(network, local[x, i], spins[i], i)
            cost[x, i] = 2.0 * spins[i] * exchange_of(network, spins, i)
            # Every bond is met from both its ends.
            exchange[x] -= 0.25 * cost[x, i]


@compiled(inline=True)
def _lookup(table, first, index, size):
    """Entry of a table of `size`, which begins at `first`, at the index of each lane.

    A few choices between numbers at hand take less time than a look into memory.
    """
    if size == 1:
        found = where(index == U0, read(table, first), 0.0)
    elif size == 2:
        found = where(index == U0, read(table, first), read(table, first + 1))
    elif size == 4:
        found = _one_of_four(table, first, index)
    elif size == 8:
        upper = _one_of_four(table, first + 4, index)
        lower = _one_of_four(table, first, index)
        found = where((index & np.uint64(4)) != U0, upper, lower)
    else:
        found = gather(table, index + np.uint64(first))
    return found


@compiled(inline=True)
def _one_of_four(table, first, index):
    odd, high = (index & U1) != U0, (index & np.uint64(2)) != U0
    upper = where(odd, read(table, first + 3), read(table, first + 2))
    return where(high, upper, where(odd, read(table, first + 1), read(table, first)))


@compiled(inline=True)
def _round(model, words, numbers, sums, share, begun):
    """Propose a flip in every lane, and make it if it happens; bits of the lanes at an edge.

    A segment is `share` of the period; it has just begun in the lanes `begun` (bits).
    """
    new = mask_of(begun)
    n, p = len(model.sites), len(model.places)
    s = (
        load(words, STREAM),
        load(words, STREAM + WIDTH),
        load(words, STREAM + 2 * WIDTH),
        load(words, STREAM + 3 * WIDTH),
    )
    first, s = step(s)
    second, s = step(s)
    for w in range(4):
        store(words, STREAM + w * WIDTH, s[w])
    state = load(words, STATE)
    total = _lookup(model.total, 0, state, 1 << n)
    # The middle of one of 2**52 equal parts of [0, 1): its logarithm exists.
    draw = float_of((first >> U12) | ONE_BITS) - (1.0 - 2.0**-53)
    after = where(new, 0.0, load(numbers, NOW)) - log(draw) * _lookup(model.pause, 0, state, 1 << n)
    inside = after < 1.0
    store(numbers, NOW, after)
    # The site is the last one whose turn has come when rates are laid end to end.
    mark = (float_of((second >> U12) | ONE_BITS) - 1.0) * total
    index = state * np.uint64(p)
    site, low, high = spread(U0), spread(0.0), total
    half = p // 2
    while half > 0:
        middle = index + np.uint64(half)
        edge = _lookup(model.below, 0, middle, p << n)
        come = mark >= edge
        low, high = where(come, edge, low), where(come, high, edge)
        index, site = where(come, middle, index), where(come, site + np.uint64(half), site)
        half //= 2
    mark = mark - low
    field = _lookup(model.offset, 0, site, p)
    passed = (load(numbers, PHASE) + min(after, 1.0)) * share
    for q in range(len(model.harmonics)):
        turns = read(model.order, q) * passed + _lookup(model.turns, q * p, site, p)
        field = field + _lookup(model.amplitude, q * p, site, p) * cosine(turns)
    spin = where(((state >> site) & U1) == U0, 1.0, -1.0)
    local = _lookup(model.local, 0, index, p << n)
    tilt = spin * _lookup(model.coldness, 0, site, p)
    rate = model.length * flip_rate(model.network.law, local, tilt * field)
    store(numbers, EXCESS, max(rate - MOST_EXCESS * (high - low), load(numbers, EXCESS)))
    flips = inside & (mark < rate)
    store(words, STATE, where(flips, state ^ (U1 << site), state))
    cost, moved = _lookup(model.cost, 0, index, p << n), -2.0 * spin * field
    for i in range(n):
        mine, at = flips & (site == np.uint64(i)), i * WIDTH
        count = where(new, 0.0, load(sums.flips, at))
        exchange = where(new, 0.0, load(sums.exchange, at))
        done = where(new, 0.0, load(sums.field, at))
        store(sums.flips, at, where(mine, count + 1.0, count))
        store(sums.exchange, at, where(mine, exchange + cost, exchange))
        store(sums.field, at, where(mine, done + moved, done))
    return lanes_of(inside)


class Lanes(NamedTuple):
    """What the lanes hold: vectors of words and numbers, sums over flips, and whereabouts.

    who, at, part, line, left (WIDTH,): trajectory of each lane, its segment, part of the period,
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


@compiled
def advance(model, plan, walkers, rows, first, last):
    """As `trajsim.kernels.jump.advance`."""
    n, segments = len(model.sites), plan.rows_per_period
    h = np.empty((segments + 1, n))
    for edge in range(segments + 1):
        for i in range(n):
            h[edge, i] = value(model.network.drive, i, (edge % segments) / segments)
    size = n * WIDTH
    lanes = Lanes(
        np.zeros(5 * WIDTH, np.uint64),
        np.zeros(3 * WIDTH),
        Sums(np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size)),
        np.full(WIDTH, -1),
        np.zeros(WIDTH, np.int64),
        np.zeros(WIDTH, np.int64),
        np.zeros(WIDTH, np.int64),
        np.zeros(WIDTH, np.int64),
    )
    shape = Shape(rows.heat.shape[1], rows.heat.shape[2], rows.work.shape[2])
    count = len(walkers.spins)
    flips = _advance(model, plan, count, walkers, shape, rows, first, last, h, lanes)
    excess = lanes.numbers[EXCESS : EXCESS + WIDTH].max()
    return flips, 0.0 if excess <= 0.0 else np.inf


@compiled(inline=True)
def _spin(state, i):
    return 1 - 2 * ((state >> i) & 1)


@compiled(inline=True)
def _end_segment(model, plan, shape, rows, h, lanes, k, state):
    """Book the segment of lane k that has come to its end; returns the flips made in it."""
    n, part, j = len(model.sites), read(lanes.part, k) + 1, read(lanes.who, k)
    line, left = read(lanes.line, k), read(lanes.left, k)
    recorded, energy, flips = line >= 0, read(model.exchange, state), 0.0
    if recorded and left == plan.segments_per_row:
        open_row(n, shape, rows, line)
    for i in range(n):
        spin, at = _spin(state, i), i * WIDTH + k
        aligned = spin * read(h, part * n + i)
        flips += read(lanes.sums.flips, at)
        if recorded:
            bath, drive = read(model.network.bath, i), read(model.network.driven, i)
            book_site(n, shape, bath, drive, aligned, lanes.sums, at, i, rows, line)
            if left == 1:
                # Every trajectory has one edge more than rows.
                write(rows.state, (line + j + 1) * n + i, spin)
        write(lanes.sums.aligned, at, aligned)
        energy -= aligned
    if recorded and left == 1:
        write(rows.energy, line + j + 1, energy)
    write(lanes.part, k, 0 if part == plan.rows_per_period else part)
    write(lanes.at, k, read(lanes.at, k) + 1)
    write(lanes.left, k, plan.segments_per_row if left == 1 else left - 1)
    write(lanes.line, k, line + 1 if left == 1 and recorded else line)
    return np.int64(flips)


@compiled(inline=True)
def _take(model, plan, walkers, shape, h, lanes, k, j, first):
    """Put trajectory j into lane k, at segment `first`."""
    n, spr, state = len(model.sites), plan.segments_per_row, 0
    recorded, part = first - plan.burn_in * plan.rows_per_period, first % plan.rows_per_period
    write(lanes.who, k, j)
    write(lanes.at, k, first)
    write(lanes.part, k, part)
    write(lanes.line, k, j * shape.rows + recorded // spr if recorded >= 0 else -1)
    write(lanes.left, k, spr - recorded % spr)
    for word in range(4):
        write(lanes.words, STREAM + word * WIDTH + k, read(walkers.stream, 4 * j + word))
    for i in range(n):
        spin = read(walkers.spins, j * n + i)
        state |= np.int64(spin < 0) << i
        write(lanes.sums.aligned, i * WIDTH + k, spin * read(h, part * n + i))
    write(lanes.words, STATE + k, np.uint64(state))


@compiled(inline=True)
def _leave(model, walkers, lanes, k):
    """Take the trajectory out of lane k."""
    n, j, state = len(model.sites), read(lanes.who, k), np.int64(read(lanes.words, STATE + k))
    for word in range(4):
        write(walkers.stream, 4 * j + word, read(lanes.words, STREAM + word * WIDTH + k))
    for i in range(n):
        write(walkers.spins, j * n + i, _spin(state, i))
    write(lanes.who, k, -1)


@compiled(inline=True)
def _open(model, shape, rows, lanes, k):
    """Write where the trajectory of lane k is when its ledger opens."""
    n, j, state = len(model.sites), read(lanes.who, k), np.int64(read(lanes.words, STATE + k))
    energy, edge = read(model.exchange, state), j * (shape.rows + 1)
    for i in range(n):
        write(rows.state, edge * n + i, _spin(state, i))
        energy -= read(lanes.sums.aligned, i * WIDTH + k)
    write(rows.energy, edge, energy)
    write(lanes.line, k, j * shape.rows)


@compiled
def _advance(model_, plan, count, walkers_, shape, rows_, first, last, h_, lanes_):
    """`advance` in fields h (segments + 1, n) at the edges of segments; number of flips."""
    model, walkers, rows, h, lanes = bare(model_), bare(walkers_), bare(rows_), bare(h_), bare(lanes_)
    burn_in = plan.burn_in * plan.rows_per_period
    flips, taken = 0, 0
    share = 1.0 / plan.rows_per_period
    live = np.uint64((1 << WIDTH) - 1) if last > first else U0
    waiting = live
    while live != U0:
        begun = waiting
        while waiting != U0:
            k = lowest(waiting)
            waiting &= waiting - U1
            if read(lanes.who, k) >= 0:
                state = np.int64(read(lanes.words, STATE + k))
                flips += _end_segment(model, plan, shape, rows, h, lanes, k, state)
                if read(lanes.at, k) == last:
                    _leave(model, walkers, lanes, k)
            if read(lanes.who, k) < 0:
                if taken == count:
                    # From now on this lane is beyond every edge.
                    live &= ~(U1 << np.uint64(k))
                    begun &= ~(U1 << np.uint64(k))
                    write(lanes.numbers, NOW + k, np.inf)
                    continue
                _take(model, plan, walkers, shape, h, lanes, k, taken, first)
                taken += 1
            if read(lanes.at, k) == burn_in:
                _open(model, shape, rows, lanes, k)
            if plan.rows_per_period > 1:
                write(lanes.numbers, PHASE + k, float(read(lanes.part, k)))
        inside = _round(model, lanes.words, lanes.numbers, lanes.sums, share, begun)
        waiting = live & ~inside
    return flips
