"""Spins of small networks: many trajectories side by side, in vectors.

Each lane holds one trajectory at its own time, and the time of its next proposal. A round decides
on that proposal in every lane, makes the flip or not, and draws the next, without branches; only
lanes at the end of a segment are treated one by one. A lane whose trajectory has reached the last
segment takes the next trajectory. A lane depends on its own stream only, so the ledger does not
depend on the trajectories in other lanes.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from trajsim.compiled.elementary import cosine, log
from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import (
    WIDTH,
    bare,
    bits_of,
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
from trajsim.kernels.edges import edge_of
from trajsim.kernels.random import draw_two, inside, keep_stream, step, stream_at, unit
from trajsim.kernels.spin_energetics import (
    Rows,
    Shape,
    Sums,
    add_entropy_to_row,
    add_to_row,
    begin_segment,
    empty_sums,
)
from trajsim.kernels.tables import LaneModel, prepare
from trajsim.kernels.waves import COUNT, COUNT_BITS, length_of
from trajsim.models.law_functions import bond, flip_rate, join, start

__all__ = ["LANES", "MOST_CONTACTS", "LaneModel", "advance", "prepare"]

# Of sites with baths; there are no more sites than these.
MOST_CONTACTS = 8
# Two banks of lanes: ends of segments of one are treated while the processor still works on the
# other. A bank has enough vectors to hide the latency of one behind the others.
BANK = 64
LANES = 2 * BANK
U0, U1 = np.uint64(0), np.uint64(1)
# Offsets of the lanes' words and numbers. Times are in segments.
STREAM, STATE, CONTACT, CELL = 0, 4 * LANES, 5 * LANES, 6 * LANES
NOW, PHASE, LOGARITHM, MARK, FIELD, BONDS = (LANES * k for k in range(6))


class Lanes(NamedTuple):
    """State of all lanes: words and numbers, sums over flips, and times.

    replica, segment, part, row, remaining (LANES,): trajectory of each lane, its segment, that
    within the period, row among the rows of all trajectories, and segments of the run to the end of
    that row; rows below 0 are not recorded.
    """

    words: NDArray[np.uint64]
    numbers: NDArray[np.float64]
    sums: Sums
    replica: NDArray[np.int64]
    segment: NDArray[np.int64]
    part: NDArray[np.int64]
    row: NDArray[np.int64]
    remaining: NDArray[np.int64]


# -- a round, in all lanes -----------------------------------------------------------------------


@compiled(inline=True)
def lookup(table, first, index, size):
    """Entry of a table, which begins at `first`, at the index of each lane; size 0: a large one."""
    if size == 2:
        entry = one_of_2(table, first, index)
    elif size == 4:
        entry = one_of_4(table, first, index)
    elif size == 8:
        entry = one_of_8(table, first, index)
    elif size == 16:
        upper = (index & np.uint64(8)) != U0
        entry = where(upper, one_of_8(table, first + 8, index), one_of_8(table, first, index))
    else:
        entry = gather(table, index + np.uint64(first))
    return entry


def cell_of(model, words, at):
    """Where the tables of the cell of each lane begin, in states; 0 where there are no cells.

    Parameters
    ----------
    model : with `cut`, of one entry if there are cells
    words : of the lanes
    at : where cells are kept in them
    """


@overload(cell_of, inline="always")
def _cell_of(model, words, at):
    if length_of(model, "cut") == 0:
        return lambda model, words, at: spread(U0)
    return lambda model, words, at: load(words, at)


def _spin(model, contact):
    """Spin that the contact of each lane flips."""


@overload(_spin, inline="always")
def _spin_of(model, contact):
    if length_of(model, "shared") == 0:
        return lambda model, contact: contact
    return lambda model, contact: bits_of(lookup(model.spin, 0, contact, len(model.places)))


def _multiplied(model, contact, rate):
    """Rate at the contact of each lane, from that of the law."""


@overload(_multiplied, inline="always")
def _multiplied_by(model, contact, rate):
    if length_of(model, "shared") == 0:
        return lambda model, contact, rate: rate
    return lambda model, contact, rate: rate * lookup(model.multiple, 0, contact, len(model.places))


@compiled(inline=True)
def _draw(words, numbers, bank):
    """Draw a mark in [0, 1) and the logarithm of another such number in the lanes of a bank."""
    for k in range(bank, bank + BANK, WIDTH):
        first, second = draw_two(words, STREAM + k, LANES)
        store(numbers, MARK + k, unit(first))
        store(numbers, LOGARITHM + k, log(inside(second)))


@compiled(inline=True)
def _choose(model, words, numbers, bank):
    """Contacts by which flips are proposed, and their fields."""
    n, p, whole = len(model.sites), len(model.places), 1 - len(model.cut)
    for k in range(bank, bank + BANK, WIDTH):
        state, cell = load(words, STATE + k), cell_of(model, words, CELL + k)
        mark = load(numbers, MARK + k) * lookup(model.total, 0, cell + state, whole << n)
        # There are 2, 4 or 8 places.
        state = state + (cell << spread(np.uint64(p // 4 + 1)))
        # The contact is the last one whose cumulative rate is not above the mark.
        half = p // 2
        edge = lookup(model.below, half << n, state, whole << n)
        reached = mark >= edge
        low, contact = where(reached, edge, 0.0), where(reached, spread(np.uint64(half)), U0)
        while half > 1:
            half //= 2
            index = (contact << np.uint64(n)) + state
            edge = lookup(model.below, half << n, index, whole * (p << n))
            reached = mark >= edge
            low = where(reached, edge, low)
            contact = where(reached, contact + np.uint64(half), contact)
        elapsed = load(numbers, PHASE + k) + load(numbers, NOW + k)
        field = wave_in_lanes(model.fields, p, contact, elapsed)
        store(numbers, MARK + k, mark - low)
        store(words, CONTACT + k, contact)
        store(numbers, FIELD + k, field)


@compiled(inline=True)
def wave_in_lanes(waves, p, place, elapsed):
    """As `trajsim.kernels.waves.wave_at`, of the place of each lane."""
    value = lookup(waves.offset, 0, place, p)
    for q in range(len(waves.harmonics)):
        turns = read(waves.turning, q) * elapsed + lookup(waves.turns, q * p, place, p)
        value = value + lookup(waves.amplitude, q * p, place, p) * cosine(turns)
    return _with_pieces(waves, place, elapsed, value)


def _with_pieces(waves, place, elapsed, value):
    """As of `trajsim.kernels.waves`, of the place of each lane."""


# Called, not inlined: within another loop numba takes its variables for undefined ones.
@overload(_with_pieces)
def _add_pieces(waves, place, elapsed, value):
    if length_of(waves, "most") == 0:
        return lambda waves, place, elapsed, value: value

    def add(waves, place, elapsed, value):
        pieces = waves.pieces
        # A lane out of use may be anywhere.
        cell = min(max(elapsed * read(pieces.cells, 0) - 0.5, 0.0), pieces.stride - 1.0)
        number = bits_of(cell + COUNT) - spread(COUNT_BITS)
        piece = bits_of(gather(pieces.first, place * spread(np.uint64(pieces.stride)) + number))
        begin = gather(pieces.start, piece)
        for _ in range(len(waves.most)):
            following = gather(pieces.start, piece + U1)
            reached = elapsed >= following
            piece, begin = where(reached, piece + U1, piece), where(reached, following, begin)
        slope = gather(pieces.slope, piece)
        return value + (gather(pieces.level, piece) + slope * (elapsed - begin))

    return add


@compiled(inline=True)
def _bonds_at_proposal(model, words, numbers, k):
    """Bonds joined, energy that a flip puts into them, and 1 / T, at the instant of a proposal.

    The energies J s_i s_j of the bonds at the contact are noted.
    """
    p, bonds = len(model.places), model.bonds
    state, contact = load(words, STATE + k), load(words, CONTACT + k)
    site = _spin(model, contact)
    elapsed = load(numbers, NOW + k) + load(numbers, PHASE + k)
    beta = 1.0 / wave_in_lanes(bonds.temperatures, p, contact, elapsed)
    local = spread(start(model.law))
    cost = spread(0.0)
    for slot in range(len(bonds.slots)):
        at = contact + spread(np.uint64(slot * p))
        other, number = bits_of(gather(bonds.other, at)), bits_of(gather(bonds.bond, at))
        coupling = wave_in_lanes(bonds.couplings, bonds.places, number, elapsed)
        there = gather(bonds.there, at)
        alike = (((state >> site) ^ (state >> other)) & U1) == U0
        energy = where(alike, coupling, -coupling) * there
        joined = join(model.law, local, bond(model.law, energy * beta))
        local = where(there > 0.0, joined, local)
        cost = cost + 2.0 * energy
        store(numbers, BONDS + slot * LANES + k, energy)
    return local, cost, beta


def _bonds(model, words, numbers, k):
    """Bonds joined, energy that a flip puts into them, 1 / T: from tables, unless driven."""


@overload(_bonds, inline="always")
def _bonds_of(model, words, numbers, k):
    if length_of(model, "bonds", "slots") > 0:
        return lambda model, words, numbers, k: _bonds_at_proposal(model, words, numbers, k)

    def look_up(model, words, numbers, k):
        n, p = len(model.sites), len(model.places)
        contact = load(words, CONTACT + k)
        index = (contact << np.uint64(n)) + load(words, STATE + k)
        local = lookup(model.local, 0, index, p << n)
        cost = lookup(model.cost, 0, index, p << n)
        return local, cost, lookup(model.beta, 0, contact, p)

    return look_up


def _add_moving(model, words, numbers, sums, k, flips, entropy):
    """Add works of driven bonds, and the entropy of flips where a temperature is driven."""


@overload(_add_moving, inline="always")
def _add_moving_of(model, words, numbers, sums, k, flips, entropy):
    if length_of(model, "bonds", "slots") == 0:
        return lambda model, words, numbers, sums, k, flips, entropy: None

    def add(model, words, numbers, sums, k, flips, entropy):
        m, p, bonds = len(model.contacts), len(model.places), model.bonds
        contact = load(words, CONTACT + k)
        for c in range(m if len(bonds.heated) > 0 else 0):
            chosen, at = flips & (contact == np.uint64(c)), c * LANES + k
            before = load(sums.entropy, at)
            store(sums.entropy, at, where(chosen, before + entropy, before))
        for slot in range(len(bonds.slots) if len(bonds.driven) > 0 else 0):
            number = bits_of(gather(bonds.number, contact + spread(np.uint64(slot * p))))
            energy = load(numbers, BONDS + slot * LANES + k)
            for d in range(len(bonds.driven)):
                chosen, at = flips & (number == np.uint64(d)), (m + d) * LANES + k
                exclusive = load(sums.driving, at)
                store(sums.driving, at, where(chosen, exclusive - 2.0 * energy, exclusive))

    return add


@compiled(inline=True)
def _decide(model, words, numbers, sums, bank):
    """Accept or reject the proposed flips, and make those accepted."""
    m = len(model.contacts)
    for k in range(bank, bank + BANK, WIDTH):
        state, contact = load(words, STATE + k), load(words, CONTACT + k)
        site, field = _spin(model, contact), load(numbers, FIELD + k)
        aligned = where(((state >> site) & U1) == U0, field, -field)
        local, cost, beta = _bonds(model, words, numbers, k)
        rate = _multiplied(model, contact, flip_rate(model.law, local, aligned * beta))
        flips = load(numbers, MARK + k) < rate
        for c in range(m):
            chosen, at = flips & (contact == np.uint64(c)), c * LANES + k
            count, exchange = load(sums.flips, at), load(sums.exchange, at)
            exclusive = load(sums.driving, at)
            store(sums.flips, at, where(chosen, count + 1.0, count))
            store(sums.exchange, at, where(chosen, exchange + cost, exchange))
            store(sums.driving, at, where(chosen, exclusive - 2.0 * aligned, exclusive))
        _add_moving(model, words, numbers, sums, k, flips, (cost + 2.0 * aligned) * beta)
        store(words, STATE + k, where(flips, state ^ (spread(U1) << site), state))


@compiled(inline=True)
def _next_proposals(model, words, numbers, bank):
    """Times of the next proposals; bits of the lanes where they are after the segment."""
    whole, ended = (1 - len(model.cut)) << len(model.sites), U0
    for k in range(bank, bank + BANK, WIDTH):
        state, cell = load(words, STATE + k), cell_of(model, words, CELL + k)
        pause = lookup(model.pause, 0, cell + state, whole)
        now = load(numbers, NOW + k) - load(numbers, LOGARITHM + k) * pause
        store(numbers, NOW + k, now)
        ended |= lanes_of(now >= 1.0) << np.uint64(k - bank)
    return ended


# -- one lane ------------------------------------------------------------------------------------


@compiled(inline=True)
def _write_edge(model, sums, k, state, rows, edge):
    """Write the state of lane k and its energy to an edge, one of all trajectories' edges."""
    energy = read(model.exchange, state)
    for term in range(len(model.sites) + len(model.bonds.driven)):
        energy -= read(sums.after, term * LANES + k)
    for i in range(len(model.sites)):
        write(rows.state, edge * len(model.sites) + i, 1 - 2 * ((state >> i) & 1))
    write(rows.energy, edge, energy)


@compiled(inline=True)
def _align(model, sums, k, state, h, part):
    """Note s_i h_i and J s_i s_j in lane k at edge `part` of what is driven, h (edges, t)."""
    n, driven = len(model.sites), len(model.bonds.driven)
    at = part * (n + driven)
    for i in range(n):
        write(sums.after, i * LANES + k, (1 - 2 * ((state >> i) & 1)) * read(h, at + i))
    for d in range(driven):
        i, j = read(model.bonds.ends, 2 * d), read(model.bonds.ends, 2 * d + 1)
        alike = 1 - 2 * (((state >> i) ^ (state >> j)) & 1)
        write(sums.after, (n + d) * LANES + k, alike * read(h, at + n + d))


def _enter(model, lanes, k, part):
    """Let lane k use the bounds of a part of the period."""


@overload(_enter, inline="always")
def _enter_of(model, lanes, k, part):
    if length_of(model, "cut") == 0:
        return lambda model, lanes, k, part: None
    return lambda model, lanes, k, part: write(
        lanes.words, CELL + k, np.uint64(part << len(model.sites))
    )


def _first_pause(model, part, state):
    """Mean time between proposals in a part of the period."""


@overload(_first_pause, inline="always")
def _first_pause_of(model, part, state):
    if length_of(model, "cut") == 0:
        return lambda model, part, state: read(model.pause, state)
    return lambda model, part, state: read(model.pause, (part << len(model.sites)) + state)


def _carry_over(model, plan, lanes, k, part):
    """Begin the time of lane k anew where part - 1 of the period has ended.

    What is left of the wait is as many mean times between proposals, of the next part.
    """


@overload(_carry_over, inline="always")
def _carry_over_of(model, plan, lanes, k, part):
    if length_of(model, "cut") == 0:
        return lambda model, plan, lanes, k, part: write(
            lanes.numbers, NOW + k, read(lanes.numbers, NOW + k) - 1.0
        )

    def scale(model, plan, lanes, k, part):
        state, next_part = np.int64(read(lanes.words, STATE + k)), part % plan.rows_per_period
        ratio = _first_pause(model, next_part, state) / _first_pause(model, part - 1, state)
        write(lanes.numbers, NOW + k, (read(lanes.numbers, NOW + k) - 1.0) * ratio)

    return scale


def _end_cell(model, plan, lanes, k):
    """Whether the segment of lane k that has ended was a cell within one of the run; go on then."""


@overload(_end_cell, inline="always")
def _end_cell_of(model, plan, lanes, k):
    if length_of(model, "cut") == 0:
        return lambda model, plan, lanes, k: False

    def end(model, plan, lanes, k):
        part = read(lanes.part, k) + 1
        if part % model.each == 0:
            return False
        _carry_over(model, plan, lanes, k, part)
        _enter(model, lanes, k, part)
        write(lanes.part, k, part)
        write(lanes.segment, k, read(lanes.segment, k) + 1)
        write(lanes.numbers, PHASE + k, float(part))
        return True

    return end


@compiled(inline=True)
def _end_segment(model, plan, shape, rows, h, lanes, k):
    """Add the segment of lane k that has ended to its row; number of flips in it."""
    part, row, remaining = read(lanes.part, k) + 1, read(lanes.row, k), read(lanes.remaining, k) - 1
    spr = plan.segments_per_row // model.each
    state, sums, flips = np.int64(read(lanes.words, STATE + k)), lanes.sums, 0.0
    for c in range(len(model.contacts)):
        flips += read(sums.flips, c * LANES + k)
    _align(model, sums, k, state, h, part)
    if row >= 0:
        empty = remaining + 1 == spr
        add_to_row(shape, model.network, sums, k, LANES, rows, row, empty)
        add_entropy_to_row(shape, model.network, sums, k, LANES, rows, row, empty)
        if remaining == 0:
            # Every trajectory has one edge more than rows.
            _write_edge(model, sums, k, state, rows, row + read(lanes.replica, k) + 1)
            write(lanes.row, k, row + 1)
    _carry_over(model, plan, lanes, k, part)
    write(lanes.remaining, k, spr if remaining == 0 else remaining)
    write(lanes.part, k, 0 if part == plan.rows_per_period else part)
    write(lanes.segment, k, read(lanes.segment, k) + 1)
    return np.int64(flips)


@compiled(inline=True)
def _load(model, plan, replicas, shape, h, lanes, k, j, first):
    """Put trajectory j into lane k, at segment `first`."""
    n, spr, state = len(model.sites), plan.segments_per_row, 0
    recorded, part = first - plan.burn_in * plan.rows_per_period, first % plan.rows_per_period
    write(lanes.replica, k, j)
    write(lanes.segment, k, first)
    write(lanes.part, k, part)
    write(lanes.row, k, j * shape.rows + recorded // spr if recorded >= 0 else -1)
    write(lanes.remaining, k, (spr - recorded % spr) // model.each)
    for i in range(n):
        state |= (1 if read(replicas.spins, j * n + i) < 0 else 0) << i
    _align(model, lanes.sums, k, state, h, edge_of(first, plan.rows_per_period))
    write(lanes.words, STATE + k, np.uint64(state))
    s = stream_at(replicas.stream, 4 * j, 1)
    now = read(replicas.wait, j)
    if now < 0.0:
        bits, s = step(s)
        now = -log(inside(bits)) * _first_pause(model, part, state)
    keep_stream(lanes.words, STREAM + k, LANES, s)
    write(lanes.numbers, NOW + k, now)


@compiled(inline=True)
def _unload(model, replicas, lanes, k):
    """Take the trajectory out of lane k."""
    n, j, state = len(model.sites), read(lanes.replica, k), np.int64(read(lanes.words, STATE + k))
    keep_stream(replicas.stream, 4 * j, 1, stream_at(lanes.words, STREAM + k, LANES))
    for i in range(n):
        write(replicas.spins, j * n + i, 1 - 2 * ((state >> i) & 1))
    write(replicas.wait, j, read(lanes.numbers, NOW + k))
    write(lanes.replica, k, -1)


@compiled(inline=True)
def _open_ledger(model, shape, rows, lanes, k):
    """Open the ledger of the trajectory in lane k."""
    j, state = read(lanes.replica, k), np.int64(read(lanes.words, STATE + k))
    _write_edge(model, lanes.sums, k, state, rows, j * (shape.rows + 1))
    write(lanes.row, k, j * shape.rows)


# -- all together --------------------------------------------------------------------------------


@compiled(inline=True)
def _shape(model, each):
    """Shape of the ledger of trajectories of `each` rows, in numbers that the compiler knows."""
    baths, bonds = len(model.baths), model.bonds
    heated = baths if len(bonds.heated) > 0 else 0
    n, m = len(model.sites), len(model.contacts)
    return Shape(each, n, m, baths, len(model.drives), len(bonds.driven), heated)


def advance(model: LaneModel, replicas: Any, rows: Rows, first: int, last: int) -> int:
    """Run all trajectories between segments of the model; number of flips."""
    count, each = len(replicas.spins), rows.heat.shape[1]
    lanes = Lanes(
        np.zeros((6 + len(model.cut)) * LANES, np.uint64),
        np.zeros((5 + len(model.bonds.slots)) * LANES),
        empty_sums(_shape.py_func(model, each), LANES),
        np.full(LANES, -1),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
    )
    return _advance(model, replicas, count, rows, each, first, last, lanes)


@compiled
def _advance(model_, replicas_, count, rows_, each, first, last, lanes_):
    """`advance` of `count` trajectories of `each` rows."""
    model, replicas, rows, lanes = bare(model_), bare(replicas_), bare(rows_), bare(lanes_)
    plan, h, shape = model.plan, model.edges, _shape(model, each)
    words, numbers, sums = lanes.words, lanes.numbers, lanes.sums
    burn_in, flips, loaded = plan.burn_in * plan.rows_per_period, 0, 0
    # Lanes of each bank, as bits: in use, and at the end of their segment.
    in_use, other_in_use, ended, other_ended, bank = ~U0, ~U0, ~U0, ~U0, 0
    if last == first:
        return 0
    while True:
        while ended != U0:
            k = bank + lowest(ended)
            if read(lanes.replica, k) >= 0:
                if _end_cell(model, plan, lanes, k):
                    if read(numbers, NOW + k) < 1.0:
                        ended &= ended - U1
                    continue
                flips += _end_segment(model, plan, shape, rows, h, lanes, k)
                if read(lanes.segment, k) == last:
                    _unload(model, replicas, lanes, k)
            if read(lanes.replica, k) < 0:
                if loaded == count:
                    in_use &= ~(U1 << np.uint64(k - bank))
                    ended &= ended - U1
                    continue
                _load(model, plan, replicas, shape, h, lanes, k, loaded, first)
                loaded += 1
            if read(lanes.segment, k) == burn_in:
                _open_ledger(model, shape, rows, lanes, k)
            write(numbers, PHASE + k, float(read(lanes.part, k)))
            _enter(model, lanes, k, read(lanes.part, k))
            begin_segment(shape, sums, k, LANES)
            # The next proposal may be after the end of the segment that now begins.
            if read(numbers, NOW + k) < 1.0:
                ended &= ended - U1
        if in_use | other_in_use == U0:
            return flips
        _draw(words, numbers, bank)
        _choose(model, words, numbers, bank)
        _decide(model, words, numbers, sums, bank)
        ended, other_ended = other_ended, in_use & _next_proposals(model, words, numbers, bank)
        in_use, other_in_use, bank = other_in_use, in_use, BANK - bank
