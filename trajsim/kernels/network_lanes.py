"""Small jump networks: many trajectories side by side, in vectors.

As `trajsim.kernels.lanes`: each lane holds one trajectory at its own time, and the time of its next
proposal. A round decides on that proposal in every lane and draws the next, without branches; jumps
that are made are booked one by one, and so are ends of segments. A lane depends on its own stream
only, so the ledger does not depend on the trajectories in other lanes.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from trajsim.compiled.elementary import log
from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import (
    WIDTH,
    bare,
    bits_of,
    lanes_of,
    load,
    lowest,
    read,
    spread,
    store,
    where,
    write,
)
from trajsim.kernels.edges import edge_of
from trajsim.kernels.lanes import cell_of, lookup, wave_in_lanes
from trajsim.kernels.network_sums import (
    Rows,
    Sums,
    add_held,
    add_to_row,
    clear,
    empty_sums,
    held_at,
)
from trajsim.kernels.network_tables import SLOWEST, Model
from trajsim.kernels.random import draw_two, inside, keep_stream, step, stream_at, unit
from trajsim.kernels.waves import length_of, padded, places_for
from trajsim.models.law_functions import flip_rate, start

# States and jumps from each up to which a network is small, and numbers in a table at most.
MOST_STATES, MOST_DEGREE, MOST_NUMBERS = 64, 8, 1 << 18
# Works and baths up to which each is booked in all lanes.
MOST_WORKS = 16
LANES = 64
U0, U1 = np.uint64(0), np.uint64(1)
# Offsets of the lanes' words and numbers; levels of the driven parameters come last.
STREAM, STATE, CELL = 0, 4 * LANES, 5 * LANES
NOW, PHASE, HEAT, BETA, VALUE, LEVEL = (LANES * k for k in range(6))
Array = NDArray[np.float64]


class LaneModel(NamedTuple):
    """A network with tables of D channels for each of n states, those that are not there last.

    D and n are powers of two, so that small tables fit into registers.

    network : as the kernel of large networks has it, with other numbers of the channels
    slots, dues, terms, cut, places : D zeros; as many as there are constant loads and chemical
        works of a jump, and driven parameters that change its heat; one if bounds differ from cell
        to cell; n zeros: the lengths of tuples are known when a kernel is compiled
    total, pause (cells * n,) : bound of all rates of a state, and 1 over it
    below, before (cells * n * D,) : sums of the bounds of the channels of a state up to each, and
        without it
    target, law, bath (n * D,) : as the bits of integers; fixed, rate, beta, particles (n * D,)
    due_slot, due (dues * n * D,) : works that constant loads and chemical potentials do
    wave, factor, slot (terms * n * D,) : driven parameters that change a heat, by how much, and
        what works they do; slots are bits of integers
    """

    network: Model
    slots: tuple[int, ...]
    dues: tuple[int, ...]
    terms: tuple[int, ...]
    cut: tuple[int, ...]
    places: tuple[int, ...]
    total: Array
    pause: Array
    below: Array
    before: Array
    target: Array
    law: Array
    bath: Array
    fixed: Array
    rate: Array
    beta: Array
    particles: Array
    due_slot: Array
    due: Array
    wave: Array
    factor: Array
    slot: Array


def lanes_for(model: Model) -> LaneModel | None:
    """The model for this kernel; None if it is too large."""
    count = np.diff(model.first)
    n, degree = places_for(len(model.energy)), places_for(int(count.max()))
    large = n > MOST_STATES or degree > MOST_DEGREE or model.drives + model.baths > MOST_WORKS
    if large or model.parts * n * degree > MOST_NUMBERS:
        return None
    count = np.pad(count, (0, n - len(count)), constant_values=1)
    first = np.pad(model.first[:-1], (0, n - len(model.energy)))
    there = np.arange(degree) < count[:, None]
    channel = np.where(there, first[:, None] + np.arange(degree), 0)
    bound = model.bound.reshape(model.parts, -1)[:, channel]
    last = bound[:, np.arange(n), count - 1]
    before = np.concatenate([np.zeros((model.parts, n, 1)), bound[:, :, :-1]], axis=2)
    total = np.maximum(last, SLOWEST)
    moving = model.moving

    def spread_out(first: NDArray[np.int64], *values: NDArray[Any]) -> tuple[int, list[Array]]:
        """Lists of the channels, which begin at `first`, as tables (longest * n * D,)."""
        longest = int(np.diff(first).max())
        at = first[channel] + np.arange(longest)[:, None, None]
        known = at < first[channel + 1]
        tables = []
        for given in values:
            table = np.where(known, np.append(given, given[:1])[np.where(known, at, -1)], 0)
            whole = given.dtype == np.int64
            tables.append(table.astype(np.uint64).view(np.float64) if whole else table)
        return longest, [padded(np.ascontiguousarray(table)) for table in tables]

    def words(values: NDArray[np.int64]) -> Array:
        return padded(values[channel].astype(np.uint64).view(np.float64))

    dues, (due_slot, due) = spread_out(model.due_first, model.due_slot, model.due)
    terms, (wave, factor, slot) = spread_out(moving.first, moving.wave, moving.factor, moving.slot)
    return LaneModel(
        network=model,
        slots=(0,) * degree,
        dues=(0,) * dues,
        terms=(0,) * terms,
        cut=(0,) if model.parts > 1 else (),
        places=(0,) * n,
        total=padded(total),
        pause=padded(1.0 / total),
        # A mark is below the total: what is not there is never reached.
        below=padded(np.where(there, bound, np.inf)),
        before=padded(np.where(there, before, np.inf)),
        target=words(model.target),
        law=words(model.law),
        bath=words(model.bath),
        fixed=padded(model.fixed[channel]),
        rate=padded(model.rate[channel]),
        beta=padded(model.beta[channel]),
        particles=padded(model.particles[channel].astype(np.float64)),
        due_slot=due_slot,
        due=due,
        wave=wave,
        factor=factor,
        slot=slot,
    )


class Lanes(NamedTuple):
    """State of all lanes: words and numbers, sums over jumps, and times.

    replica, segment, row, held (LANES,): trajectory of each lane, its segment, its row among those
    of all trajectories, below 0 if it is not recorded, and the drive whose energy it is in
    """

    words: NDArray[np.uint64]
    numbers: Array
    sums: Sums
    replica: NDArray[np.int64]
    segment: NDArray[np.int64]
    row: NDArray[np.int64]
    held: NDArray[np.int64]


# -- a round, in all lanes -----------------------------------------------------------------------


@compiled(inline=True)
def of_channel(model, table, channel):
    """Entry of a table (n * D,) for the channel of each lane."""
    return lookup(table, 0, channel, len(model.places) * len(model.slots))


def _law_rates(laws, which, x):
    """As `trajsim.models.jumps.law_rate`, by the law of each lane."""


@overload(_law_rates)
def _law_rates_of(laws, which, x):
    if len(laws) == 1:
        return lambda laws, which, x: flip_rate(laws[0], spread(start(laws[0])), 0.5 * x)

    def choose(laws, which, x):
        first = flip_rate(laws[0], spread(start(laws[0])), 0.5 * x)
        return where(which == U0, first, _law_rates(laws[1:], which - U1, x))

    return choose


def _made(model, numbers, channel, k, mark):
    """Mask of the lanes whose proposed jumps are made; their heats are noted.

    Parameters
    ----------
    model : LaneModel
    numbers : of the lanes, updated
    channel : proposed, of each lane
    k : first of the lanes
    mark : random parts of the bounds of the rates
    """


@overload(_made, inline="always")
def _made_of(model, numbers, channel, k, mark):
    if length_of(model, "network", "moving", "there") == 0:
        return lambda model, numbers, channel, k, mark: mark >= 0.0

    def thin(model, numbers, channel, k, mark):
        network, moving = model.network, model.network.moving
        size = len(model.places) * len(model.slots)
        elapsed = load(numbers, PHASE + k) + load(numbers, NOW + k)
        heat = of_channel(model, model.fixed, channel)
        for t in range(len(model.terms)):
            place = bits_of(lookup(model.wave, t * size, channel, size))
            level = wave_in_lanes(moving.waves, moving.places, place, elapsed)
            store(numbers, LEVEL + t * LANES + k, level)
            heat = heat + lookup(model.factor, t * size, channel, size) * level
        beta = _beta(model, channel, elapsed)
        store(numbers, HEAT + k, heat)
        store(numbers, BETA + k, beta)
        law = bits_of(of_channel(model, model.law, channel))
        rate = of_channel(model, model.rate, channel) * _law_rates(network.laws, law, heat * beta)
        return mark < rate

    return thin


def _beta(model, channel, elapsed):
    """1 / T of the bath of the channel of each lane."""


@overload(_beta, inline="always")
def _beta_at(model, channel, elapsed):
    if length_of(model, "network", "moving", "heated") == 0:
        return lambda model, channel, elapsed: of_channel(model, model.beta, channel)

    def warm(model, channel, elapsed):
        moving, bath = model.network.moving, bits_of(of_channel(model, model.bath, channel))
        return 1.0 / wave_in_lanes(moving.temperatures, moving.baths, bath, elapsed)

    return warm


@compiled(inline=True)
def _add(sums, at, chosen, value):
    """Add a value to what is at a place, in some of the lanes."""
    before = load(sums, at)
    store(sums, at, where(chosen, before + value, before))


@compiled(inline=True)
def _book(model, numbers, sums, channel, k, made):
    """Book the jumps that are made.

    Parameters
    ----------
    model : LaneModel
    numbers : of the lanes
    sums : Sums, updated
    channel : of each lane
    k : first of the lanes
    made : mask of those that jump
    """
    network, size = model.network, len(model.places) * len(model.slots)
    bath, heat = bits_of(of_channel(model, model.bath, channel)), _heat(model, numbers, channel, k)
    for b in range(network.baths):
        chosen, at = made & (bath == np.uint64(b)), b * LANES + k
        _add(sums.heat, at, chosen, heat)
        _add(sums.jumps, at, chosen, spread(1.0))
        if network.exchanging > 0:
            _add(sums.particles, at, chosen, of_channel(model, model.particles, channel))
        if len(network.moving.heated) > 0:
            _add(sums.entropy, at, chosen, heat * load(numbers, BETA + k))
    for due in range(len(model.dues)):
        slot = bits_of(lookup(model.due_slot, due * size, channel, size))
        value = lookup(model.due, due * size, channel, size)
        for d in range(network.drives + network.exchanging):
            _add(sums.driving, d * LANES + k, made & (slot == np.uint64(d)), value)
    for term in range(len(model.terms)):
        slot = bits_of(lookup(model.slot, term * size, channel, size))
        factor = lookup(model.factor, term * size, channel, size)
        value = factor * load(numbers, LEVEL + term * LANES + k)
        for d in range(network.drives + network.exchanging):
            _add(sums.driving, d * LANES + k, made & (slot == np.uint64(d)), -value)


def _heat(model, numbers, channel, k):
    """Heats of the proposed jumps."""


@overload(_heat, inline="always")
def _heat_of(model, numbers, channel, k):
    if length_of(model, "network", "moving", "there") == 0:
        return lambda model, numbers, channel, k: of_channel(model, model.fixed, channel)
    return lambda model, numbers, channel, k: load(numbers, HEAT + k)


@compiled(inline=True)
def _round(model, words, numbers, sums):
    """Decide on all proposals, book the jumps and draw the next; lanes at their ends."""
    degree, places, ended = len(model.slots), len(model.places), U0
    # Of tables with cells nothing fits into registers.
    whole = 1 - len(model.cut)
    for k in range(0, LANES, WIDTH):
        first, second = draw_two(words, STREAM + k, LANES)
        state, cell = load(words, STATE + k), cell_of(model, words, CELL + k)
        mark = unit(first) * lookup(model.total, 0, cell + state, whole * places)
        at, slot = (cell + state) * spread(np.uint64(degree)), spread(U0)
        for j in range(degree - 1):
            below = lookup(model.below, 0, at + spread(np.uint64(j)), whole * places * degree)
            reached = mark >= below
            slot = where(reached, spread(np.uint64(j + 1)), slot)
        mark = mark - lookup(model.before, 0, at + slot, whole * places * degree)
        channel = state * spread(np.uint64(degree)) + slot
        made = _made(model, numbers, channel, k, mark)
        _book(model, numbers, sums, channel, k, made)
        state = where(made, bits_of(of_channel(model, model.target, channel)), state)
        store(words, STATE + k, state)
        now = load(numbers, NOW + k) - log(inside(second)) * lookup(
            model.pause, 0, cell + state, whole * places
        )
        store(numbers, NOW + k, now)
        ended |= lanes_of(now >= 1.0) << np.uint64(k)
    return ended


# -- one lane ------------------------------------------------------------------------------------


@compiled(inline=True)
def _write_edge(network, lanes, rows, k, edge):
    """Write the state of lane k and its energy to an edge, one of all trajectories' edges."""
    x = np.int64(read(lanes.words, STATE + k))
    write(rows.state, edge, np.int32(x))
    write(rows.energy, edge, read(network.energy, x) + read(lanes.numbers, VALUE + k))


@compiled(inline=True)
def _load(model, replicas, lanes, k, j, first, count):
    """Put trajectory j into lane k, at segment `first`."""
    network = model.network
    segments, spr = network.plan.rows_per_period, network.plan.segments_per_row
    recorded, x = first - network.plan.burn_in * segments, read(replicas.state, j)
    part = first % network.parts
    s = stream_at(replicas.stream, 4 * j, 1)
    now = read(replicas.wait, j)
    if now < 0.0:
        bits, s = step(s)
        now = -log(inside(bits)) * read(model.pause, part * len(model.places) + x)
    keep_stream(lanes.words, STREAM + k, LANES, s)
    write(lanes.words, STATE + k, np.uint64(x))
    write(lanes.numbers, NOW + k, now)
    write(lanes.replica, k, j)
    write(lanes.segment, k, first)
    write(lanes.row, k, j * count + recorded // spr if recorded >= 0 else -1)
    write(lanes.held, k, read(network.held, x))
    write(lanes.numbers, VALUE + k, held_at(network, x, edge_of(first, segments)))


@compiled(inline=True)
def _unload(replicas, lanes, k):
    """Take the trajectory out of lane k."""
    j = read(lanes.replica, k)
    keep_stream(replicas.stream, 4 * j, 1, stream_at(lanes.words, STREAM + k, LANES))
    write(replicas.state, j, np.int64(read(lanes.words, STATE + k)))
    write(replicas.wait, j, read(lanes.numbers, NOW + k))
    write(lanes.replica, k, -1)


@compiled(inline=True)
def _end_segment(model, rows, heated, lanes, k):
    """End the segment of the model in lane k; number of jumps of a whole segment of the run."""
    network, sums = model.network, lanes.sums
    segments, each = network.plan.rows_per_period, network.each
    spr, burn_in = network.plan.segments_per_row, network.plan.burn_in * segments
    segment, x = read(lanes.segment, k), np.int64(read(lanes.words, STATE + k))
    here, following = segment % network.parts, (segment + 1) % network.parts
    ratio = read(model.pause, following * len(model.places) + x)
    ratio *= read(model.total, here * len(model.places) + x)
    write(lanes.numbers, NOW + k, (read(lanes.numbers, NOW + k) - 1.0) * ratio)
    write(lanes.segment, k, segment + 1)
    if (segment + 1) % each != 0:
        return 0
    jumps = 0.0
    for b in range(network.baths):
        jumps += read(sums.jumps, b * LANES + k)
    before, value_before = read(lanes.held, k), read(lanes.numbers, VALUE + k)
    value = held_at(network, x, segment % segments + 1)
    write(lanes.held, k, read(network.held, x))
    write(lanes.numbers, VALUE + k, value)
    row, recorded = read(lanes.row, k), segment - burn_in
    if row >= 0:
        add_to_row(network, sums, k, LANES, rows, row, heated, recorded % spr == each - 1)
        add_held(network, rows, row, read(network.held, x), value)
        add_held(network, rows, row, before, -value_before)
        if recorded % spr == spr - 1:
            # Every trajectory has one edge more than rows.
            _write_edge(network, lanes, rows, k, row + read(lanes.replica, k) + 1)
            write(lanes.row, k, row + 1)
    return np.int64(jumps)


# -- all together --------------------------------------------------------------------------------


def advance(model: LaneModel, replicas: Any, rows: Rows, first: int, last: int) -> int:
    """Run all trajectories between segments of the model; number of jumps."""
    network = model.network
    lanes = Lanes(
        np.zeros(6 * LANES, np.uint64),
        np.zeros((5 + len(model.terms)) * LANES),
        empty_sums(network.baths, network.drives, LANES),
        np.full(LANES, -1),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
    )
    count, heated = rows.heat.shape[1], rows.entropy_flow.shape[2]
    return _advance(model, replicas, len(replicas.state), rows, count, heated, first, last, lanes)


@compiled
def _advance(model_, replicas_, trajectories, rows_, count, heated, first, last, lanes_):
    """`advance` of so many trajectories of `count` rows."""
    model, replicas, rows, lanes = bare(model_), bare(replicas_), bare(rows_), bare(lanes_)
    network, words, numbers, sums = model.network, lanes.words, lanes.numbers, lanes.sums
    segments = network.plan.rows_per_period
    burn_in = network.plan.burn_in * segments
    in_use, ended, jumps, loaded = ~U0, ~U0, 0, 0
    if last == first:
        return 0
    while True:
        while ended != U0:
            k = lowest(ended)
            if read(lanes.replica, k) >= 0:
                jumps += _end_segment(model, rows, heated, lanes, k)
                if read(lanes.segment, k) == last:
                    _unload(replicas, lanes, k)
            if read(lanes.replica, k) < 0:
                if loaded == trajectories:
                    in_use &= ~(U1 << np.uint64(k))
                    ended &= ended - U1
                    continue
                _load(model, replicas, lanes, k, loaded, first, count)
                loaded += 1
            segment = read(lanes.segment, k)
            if segment % network.each == 0:
                clear(network, sums, k, LANES)
                if segment == burn_in:
                    j = read(lanes.replica, k)
                    write(lanes.row, k, j * count)
                    _write_edge(network, lanes, rows, k, j * (count + 1))
            write(numbers, PHASE + k, float(segment % segments))
            write(words, CELL + k, np.uint64(segment % network.parts * len(model.places)))
            # The next proposal may be after the end of the segment that now begins.
            if read(numbers, NOW + k) < 1.0:
                ended &= ended - U1
        if in_use == U0:
            return jumps
        ended = in_use & _round(model, words, numbers, sums)
