"""Jump networks in continuous time: exact kinetic Monte Carlo with rates that change in time.

Jumps are proposed at the rates that bound the true ones over the period, or over a cell of it, and
made with the ratio of the true rate, at the parameters of that instant, to the bound (thinning, as
of spins). Where nothing changes in time the bounds are the rates themselves. One random number
chooses the jump and whether it is made: where among the bounds it falls, and how far within.

Time is kept as a fraction of the period and a number of whole segments.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from trajsim.compiled.elementary import log
from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import bare, read, write
from trajsim.kernels.edges import edge_of
from trajsim.kernels.jump import fault
from trajsim.kernels.network_lanes import LaneModel, lanes_for
from trajsim.kernels.network_lanes import advance as advance_lanes
from trajsim.kernels.network_sums import (
    Rows,
    add_held,
    add_to_row,
    clear,
    empty_sums,
    held_at,
)
from trajsim.kernels.random import inside, step, streams, uniform, unit
from trajsim.kernels.waves import Waves, length_of, wave_at, waves_of
from trajsim.models.jumps import JumpNetwork, law_rate, rates_of
from trajsim.models.waveform import (
    Waveforms,
    at_edges,
    bounds,
    bounds_between,
    joined,
    some,
    values,
)
from trajsim.plan import Plan

__all__ = ["Rows", "advance", "begin", "fault", "needs_state", "prepare", "start"]

# Cells of a period, and numbers in a table of bounds, at most.
MOST_CELLS, MOST_NUMBERS = 256, 1 << 22
# Phases at which rates are compared with their bounds, numbers in a table of which at most.
PHASES, MOST_RATES = 256, 1 << 22
# Time that the end of a cell takes, in proposals.
END = 0.3
# Rates of a state below this are 0: waits are told by them.
SLOWEST = 1e-290
# States that one number can name.
MOST_STATES = 1 << 22
Integers = NDArray[np.int64]
Array = NDArray[np.float64]


class Start(NamedTuple):
    """Start in a state, or one drawn from `cumulative` (states,) probabilities, if there are."""

    state: int
    cumulative: Array


class Replicas(NamedTuple):
    """State of m trajectories: random streams (m, 4) uint64, state (m,) int64, waiting times.

    wait (m,): time to the next proposal, in segments of the model; below 0 where none is drawn yet.
    """

    stream: NDArray[np.uint64]
    state: Integers
    wait: Array


class Moving(NamedTuple):
    """What changes in time.

    there : one zero if anything does, else none; heated : the same of temperatures
    waves, temperatures : of the driven parameters, and of the baths
    places, baths : of these
    first (channels + 1,), wave, factor, slot : of each channel, the driven parameters that change
        its heat, and by how much; minus that is added to `slot` of the works
    """

    there: tuple[int, ...]
    heated: tuple[int, ...]
    waves: Waves
    temperatures: Waves
    places: int
    baths: int
    first: Integers
    wave: Integers
    factor: Array
    slot: Integers


class Model(NamedTuple):
    """A network prepared for this kernel; channels are the jumps that lead from each state.

    plan : whose segments are the cells of those of the run; the segments of this model
    each : how many they are
    parts : c, how many of them have bounds of their own
    laws : with rate 1
    first (n + 1,), target, bath, law, rate, particles (channels,) : by state; rates are those of a
        segment
    bound (c * channels,) : bounds of the rates of all channels of a state up to this one
    fixed (channels,) : heat while what is driven is 0
    beta (channels,) : 1 / T, if that is constant
    due_first (channels + 1,), due_slot, due : constant loads and chemical works of each channel
    moving : what changes in time
    energy (n,) : of the states; of driven ones 0
    held (n,) : drive that an energy is, -1 for none
    edges (segments + 1, places) : parameters at the edges of the segments; `which` (n,) is the
        place of an energy
    drives, baths, exchanging : how many drives; baths; baths with particles
    """

    plan: Plan
    each: int
    parts: int
    laws: tuple[Any, ...]
    first: Integers
    target: Integers
    bath: Integers
    law: Integers
    rate: Array
    particles: Integers
    bound: Array
    fixed: Array
    beta: Array
    due_first: Integers
    due_slot: Integers
    due: Array
    moving: Moving
    energy: Array
    held: Integers
    which: Integers
    edges: Array
    drives: int
    baths: int
    exchanging: int


class Channels(NamedTuple):
    """Channels in the order of the states that they leave.

    transition (channels,), that each is of; sign (channels,), 1 from its source and -1 to it;
    first (n + 1,), the first of each state; target (channels,)
    """

    transition: Integers
    sign: Array
    first: Integers
    target: Integers


def channels_of(network: JumpNetwork) -> Channels:
    """Both directions of all transitions."""
    count = len(network.source)
    source = np.concatenate([network.source, network.target])
    target = np.concatenate([network.target, network.source])
    order = np.argsort(source, kind="stable")
    first = np.searchsorted(source[order], np.arange(len(network.names) + 1))
    sign = np.repeat([1.0, -1.0], count)
    return Channels(order % count, sign[order], first.astype(np.int64), target[order])


class _Terms(NamedTuple):
    """Parts of the heats of channels by parameters, sorted by channel.

    channel, parameter, slot : numbers; factor : derivative of the heat by the parameter
    waves : of the parameters; moved : which of them are driven
    """

    channel: Integers
    parameter: Integers
    factor: Array
    slot: Integers
    waves: Waveforms
    moved: NDArray[np.bool_]


def _terms(network: JumpNetwork, channels: Channels) -> _Terms:
    """Driven energies, loads and chemical potentials of the channels."""
    k, sign = channels.transition, channels.sign
    states, count = len(network.names), len(network.source)
    here = np.arange(len(k))
    parts = []
    for end, towards in ((network.source, -1.0), (network.target, 1.0)):
        state = end[k]
        on = network.driven[state] >= 0
        parts.append((here[on], state[on], towards * sign[on], network.driven[state][on]))
    on = network.loaded[k] >= 0
    parts.append((here[on], states + k[on], -sign[on], network.loaded[k][on]))
    on = network.particles[k] != 0
    bath = network.bath[k][on]
    taken = -(sign * network.particles[k])[on]
    parts.append((here[on], states + count + bath, taken, network.drives + bath))
    channel, parameter, factor, slot = (np.concatenate(x) for x in zip(*parts, strict=True))
    order = np.argsort(channel, kind="stable")
    waves = joined(network.energies, network.loads, network.potentials)
    moved = waves.amplitude.any(axis=1) | (np.diff(waves.first) > 0)
    # Energies that are waveforms without any amplitude are drives as well: their value is held.
    moved[:states] |= network.driven >= 0
    return _Terms(channel[order], parameter[order], factor[order], slot[order], waves, moved)


def _by_channel(channels: int, channel: Integers) -> Integers:
    return np.searchsorted(channel, np.arange(channels + 1)).astype(np.int64)


def prepare(network: JumpNetwork, plan: Plan, **_: Any) -> Model | LaneModel:
    """Network ready for the kernel that suits its size.

    Raises
    ------
    ValueError
        If there are too many states, or a rate exceeds its bound: the law does not fall with its x.
    """
    n = len(network.names)
    if n > MOST_STATES:
        raise ValueError(f"{n} states; allowed: at most {MOST_STATES}")
    channels = channels_of(network)
    terms = _terms(network, channels)
    k, moved = channels.transition, terms.moved[terms.parameter]
    count = len(k)
    still = np.where(network.driven >= 0, 0.0, network.energies.offset)
    fixed = channels.sign * (still[network.target] - still[network.source])[k]
    constant = terms.waves.offset[terms.parameter] * terms.factor
    np.add.at(fixed, terms.channel[~moved], constant[~moved])
    driven = np.flatnonzero(terms.moved)
    place = np.zeros(len(terms.moved), np.int64)
    place[driven] = np.arange(len(driven))
    waves = some(terms.waves, driven)
    bath, law = network.bath[k], network.law[k]
    x = _Heats(network, bath, fixed, terms, moved, place, waves)
    each, parts, bound = _cells(network, plan, channels, x)
    finer = plan._replace(
        rows_per_period=plan.rows_per_period * each, segments_per_row=plan.segments_per_row * each
    )
    length = network.period / finer.rows_per_period
    moving = Moving(
        there=(0,) if network.moving else (),
        heated=(0,) if network.heated else (),
        waves=waves_of(waves, finer, max(1, len(driven))),
        temperatures=waves_of(network.temperatures, finer, network.baths),
        places=max(1, len(driven)),
        baths=network.baths,
        first=_by_channel(count, terms.channel[moved]),
        wave=place[terms.parameter[moved]],
        factor=terms.factor[moved],
        slot=terms.slot[moved],
    )
    beta = 1.0 / network.temperatures.offset if not network.heated else np.zeros(network.baths)
    model = Model(
        plan=finer,
        each=each,
        parts=parts,
        laws=network.laws,
        first=channels.first,
        target=channels.target,
        bath=bath,
        law=law,
        rate=network.rate[k] * length,
        particles=(channels.sign * network.particles[k]).astype(np.int64),
        bound=(bound * length).ravel(),
        fixed=fixed,
        beta=beta[bath],
        due_first=_by_channel(count, terms.channel[~moved]),
        due_slot=terms.slot[~moved],
        due=-constant[~moved],
        moving=moving,
        energy=still,
        held=network.driven,
        which=np.where(network.driven >= 0, place[:n], 0),
        edges=at_edges(waves, finer.rows_per_period) if len(driven) else np.zeros((1, 1)),
        drives=network.drives,
        baths=network.baths,
        exchanging=network.baths if network.exchanging else 0,
    )
    return lanes_for(model, SLOWEST) or model


class _Heats(NamedTuple):
    """Heats of channels: fixed parts, and those by driven parameters.

    bath, fixed : (channels,); terms, of which `moved` are driven; place : of each parameter among
        the driven ones, whose waveforms are `waves`
    """

    network: JumpNetwork
    bath: Integers
    fixed: Array
    terms: _Terms
    moved: NDArray[np.bool_]
    place: Integers
    waves: Waveforms

    def over_temperature(self, u: Array) -> Array:
        """Q / T (t, channels) at phases u (t,)."""
        value = values(self.waves, u) if len(self.waves.offset) else np.zeros((len(u), 0))
        heat = self._with(value, value)
        return np.asarray(heat / values(self.network.temperatures, u)[:, self.bath])

    def least(self, parameters: tuple[Array, Array], warmth: tuple[Array, Array]) -> Array:
        """Least Q / T (t, channels) within bounds of the parameters and of the temperatures."""
        low = self._with(*parameters)
        corners = [low / t[:, self.bath] for t in warmth]
        return np.minimum(*corners)

    def _with(self, low: Array, high: Array) -> Array:
        """Heats (t, channels), each parameter at its low or high value (t, d), what gives less."""
        heat = np.tile(self.fixed, (len(low), 1))
        terms, moved = self.terms, self.moved
        at, factor = self.place[terms.parameter[moved]], terms.factor[moved]
        part = np.minimum(factor * low[:, at], factor * high[:, at])
        np.add.at(heat.T, terms.channel[moved], part.T)
        return heat


def _cells(
    network: JumpNetwork, plan: Plan, channels: Channels, heats: _Heats
) -> tuple[int, int, Array]:
    """Cells in a segment, cells with bounds of their own, and bounds (cells, channels).

    The bounds are sums over the channels of a state up to each. States are weighted as if each were
    visited as often; whatever is chosen, trajectories are exact.
    """
    k = channels.transition
    law, rate = network.law[k], network.rate[k]

    def bounded(edges: Array) -> Array:
        def of(waves: Waveforms) -> tuple[Array, Array]:
            if len(edges) > 2:
                return bounds_between(waves, edges)
            low, high = bounds(waves)
            return low[None], high[None]

        none = np.zeros((len(edges) - 1, 0))
        least = heats.least(
            of(heats.waves) if len(heats.waves.offset) else (none, none), of(network.temperatures)
        )
        # Rates fall with Q / T; a little less, for rounding.
        return np.asarray(rates_of(network.laws, law, rate, least - 1e-12 * (1.0 + abs(least))))

    if not network.moving:
        x = heats.over_temperature(np.zeros(1))
        return 1, 1, _sums_of(channels.first, rates_of(network.laws, law, rate, x))
    phases = max(8, min(PHASES, MOST_RATES // len(k)))
    true = rates_of(network.laws, law, rate, heats.over_temperature(np.arange(phases) / phases))
    leave = np.add.reduceat(true.mean(axis=0), channels.first[:-1])
    weight = 1.0 / np.maximum(leave, SLOWEST)
    weight *= network.period / weight.sum()
    best: Any = None
    count, each = 1, 1
    while count == 1 or (count <= MOST_CELLS and count * len(k) <= MOST_NUMBERS):
        bound = bounded(np.arange(count + 1) / count)
        # Each phase lies in one cell.
        cell = np.arange(phases) * count // phases
        excess = true / np.maximum(bound[cell], SLOWEST) if count <= phases else np.zeros(1)
        if excess.max() > 1.0 + 1e-9:
            names = ", ".join(type(each_law).__name__ for each_law in network.laws)
            raise ValueError(f"{names}: a rate exceeds its thinning bound")
        proposals = np.add.reduceat(bound.mean(axis=0), channels.first[:-1]) @ weight
        time = proposals + END * count
        if best is None or time < best[0]:
            best = time, each, count, bound
        segments = plan.rows_per_period
        count, each = (segments, 1) if count == 1 and segments > 1 else (2 * count, 2 * each)
    _, each, count, bound = best
    return each if count > 1 else 1, count, _sums_of(channels.first, bound)


def _sums_of(first: Integers, each: Array) -> Array:
    """Sums (parts, channels) over the channels of a state up to each."""
    out = np.empty_like(each)
    _cumulate(first, each, out)
    return out


@compiled
def _cumulate(first, each, out):
    for part in range(each.shape[0]):
        for x in range(len(first) - 1):
            total = 0.0
            for k in range(first[x], first[x + 1]):
                total += each[part, k]
                out[part, k] = total


def start(network: JumpNetwork, initial: str, state: Array | None) -> Start:
    """Start for `initial`: a state, one at random, or drawn from `state` (states,)."""
    if state is None and initial != "random":
        return Start(network.names.index(initial), np.zeros(0))
    n = len(network.names)
    cumulative = np.cumsum(np.full(n, 1.0 / n) if state is None else state)
    return Start(-1, cumulative / cumulative[-1])


def needs_state(initial: str) -> bool:
    """Whether a start of this kind is drawn from a distribution of the exact side."""
    return initial in ("equilibrium", "periodic")


def begin(model: Any, start: Start, seed: int, point: int, first: int, count: int) -> Replicas:
    """Trajectories first ... first + count - 1 of a point, at time 0.

    Parameters
    ----------
    model : from `prepare`
    start : Start
    seed, point : with the number of a trajectory they name its random stream
    first, count : trajectories
    """
    replicas = Replicas(
        stream=streams(np.uint64(seed), point, first, count),
        state=np.full(count, max(start.state, 0), np.int64),
        wait=np.full(count, -1.0),
    )
    if len(start.cumulative):
        _place(start, replicas)
    return replicas


@compiled
def _place(start, replicas):
    for k in range(len(replicas.state)):
        state = np.searchsorted(start.cumulative, uniform(replicas.stream[k]), side="right")
        replicas.state[k] = min(state, len(start.cumulative) - 1)


def advance(
    model: Any, plan: Plan, replicas: Replicas, rows: Rows, first: int, last: int
) -> tuple[int, int]:
    """Run the trajectories from segment `first` to segment `last`, and write their rows.

    Parameters
    ----------
    model : from `prepare`
    plan : Plan
    replicas : Replicas, updated
    rows : Rows, written
    first, last : segments counted from the beginning of the burn-in

    Returns
    -------
    jumps : their number, burn-in included
    broken : -1, for no trajectory can go wrong
    """
    if isinstance(model, LaneModel):
        each = model.network.each
        return advance_lanes(model, replicas, rows, first * each, last * each), -1
    return _advance(model, replicas, rows, first * model.each, last * model.each), -1


@compiled
def _advance(model, replicas, rows, first, last):
    jumps, sums = 0, empty_sums(model.baths, model.drives, 1)
    heated = rows.entropy_flow.shape[2]
    for j in range(len(replicas.state)):
        count = rows.heat.shape[1]
        jumps += _trajectory(model, replicas, sums, rows, count, heated, first, last, j)
    return jumps


@compiled
def _trajectory(model_, replicas_, sums_, rows_, count, heated, first, last, j):
    """Run trajectory j from segment `first` to segment `last`; number of jumps."""
    model, replicas, sums, rows = bare(model_), bare(replicas_), bare(sums_), bare(rows_)
    segments, each = model.plan.rows_per_period, model.each
    spr, burn_in = model.plan.segments_per_row, model.plan.burn_in * segments
    channels = read(model.first, len(model_.first) - 1)
    s = (
        read(replicas.stream, 4 * j),
        read(replicas.stream, 4 * j + 1),
        read(replicas.stream, 4 * j + 2),
        read(replicas.stream, 4 * j + 3),
    )
    x, now = read(replicas.state, j), read(replicas.wait, j)
    base = first % model.parts * channels
    begin, end = read(model.first, x), read(model.first, x + 1)
    total = max(read(model.bound, base + end - 1), SLOWEST)
    if now < 0.0:
        bits, s = step(s)
        now = -log(inside(bits)) / total
    held, value = read(model.held, x), held_at(model, x, edge_of(first, segments))
    jumps = 0
    for segment in range(first, last):
        part, recorded = segment % segments, segment - burn_in
        if segment % each == 0:
            clear(model, sums, 0, 1)
        if recorded == 0:
            at = j * (count + 1)
            write(rows.state, at, np.int32(x))
            write(rows.energy, at, read(model.energy, x) + value)
        while now < 1.0:
            bits, s = step(s)
            k, mark = _proposed(model, base, begin, end, unit(bits) * total)
            if _made(model, sums, k, part + now, mark):
                jumps += 1
                bath = read(model.bath, k)
                write(sums.jumps, bath, read(sums.jumps, bath) + 1.0)
                taken = read(sums.particles, bath) + read(model.particles, k)
                write(sums.particles, bath, taken)
                for due in range(read(model.due_first, k), read(model.due_first, k + 1)):
                    slot = read(model.due_slot, due)
                    write(sums.driving, slot, read(sums.driving, slot) + read(model.due, due))
                x = read(model.target, k)
                begin, end = read(model.first, x), read(model.first, x + 1)
                total = max(read(model.bound, base + end - 1), SLOWEST)
            bits, s = step(s)
            now -= log(inside(bits)) / total
        # The next proposal is after the end of the segment: at the rate of the next one.
        base = (segment + 1) % model.parts * channels
        after = max(read(model.bound, base + end - 1), SLOWEST)
        now = (now - 1.0) * (total / after)
        total = after
        if (segment + 1) % each != 0:
            continue
        before_drive, before_value = held, value
        held, value = read(model.held, x), held_at(model, x, part + 1)
        if recorded < 0:
            continue
        row, fresh = recorded // spr, recorded % spr == each - 1
        add_to_row(model, sums, 0, 1, rows, j * count + row, heated, fresh)
        add_held(model, rows, j * count + row, held, value)
        add_held(model, rows, j * count + row, before_drive, -before_value)
        if recorded % spr == spr - 1:
            at = j * (count + 1) + row + 1
            write(rows.state, at, np.int32(x))
            write(rows.energy, at, read(model.energy, x) + value)
    write(replicas.state, j, x)
    write(replicas.wait, j, now)
    for word in range(4):
        write(replicas.stream, 4 * j + word, s[word])
    return jumps


@compiled(inline=True)
def _proposed(model, base, begin, end, mark):
    """Channel at a mark below the bounds of all of a state, and what is left within its own.

    Parameters
    ----------
    model : Model
    base : where bounds of the cell begin
    begin, end : channels of the state
    mark : uniform below the total
    """
    k = begin
    while k < end - 1 and mark >= read(model.bound, base + k):
        k += 1
    return k, mark - (read(model.bound, base + k - 1) if k > begin else 0.0)


def _made(model, sums, k, elapsed, mark):
    """Whether the proposed jump of channel k is made; if so, its heat and work are added.

    Parameters
    ----------
    model : Model
    sums : Sums, updated
    k : channel
    elapsed : segments of the period that have passed
    mark : a random part of the bound of its rate
    """


@overload(_made, inline="always")
def _is_made(model, sums, k, elapsed, mark):
    if length_of(model, "moving", "there") == 0:

        def take(model, sums, k, elapsed, mark):
            bath = read(model.bath, k)
            write(sums.heat, bath, read(sums.heat, bath) + read(model.fixed, k))
            return True

        return take

    def thin(model, sums, k, elapsed, mark):
        moving, bath, heat = model.moving, read(model.bath, k), read(model.fixed, k)
        first, last = read(moving.first, k), read(moving.first, k + 1)
        for term in range(first, last):
            wave = read(moving.wave, term)
            level = wave_at(moving.waves, moving.places, wave, elapsed)
            heat += read(moving.factor, term) * level
        beta = _beta(model, k, bath, elapsed)
        made = mark < read(model.rate, k) * law_rate(model.laws, read(model.law, k), heat * beta)
        if made:
            write(sums.heat, bath, read(sums.heat, bath) + heat)
            write(sums.entropy, bath, read(sums.entropy, bath) + heat * beta)
            for term in range(first, last):
                level = wave_at(moving.waves, moving.places, read(moving.wave, term), elapsed)
                slot = read(moving.slot, term)
                done = read(moving.factor, term) * level
                write(sums.driving, slot, read(sums.driving, slot) - done)
        return made

    return thin


def _beta(model, k, bath, elapsed):
    """1 / T of the bath of channel k."""


@overload(_beta, inline="always")
def _beta_at(model, k, bath, elapsed):
    if length_of(model, "moving", "heated") == 0:
        return lambda model, k, bath, elapsed: read(model.beta, k)

    def warm(model, k, bath, elapsed):
        return 1.0 / wave_at(model.moving.temperatures, model.moving.baths, bath, elapsed)

    return warm


class Made(NamedTuple):
    """Jumps of one segment, in their order: when (k,), in segments from its start; channel (k,)."""

    when: Array
    channel: Integers


def replay(model: Any, replicas: Replicas, part: int) -> Made:
    """Jumps of one trajectory's segment, with the kernel's random numbers.

    Parameters
    ----------
    model : from `prepare`
    replicas : of one trajectory at the start of the segment; updated
    part : number of the segment in its period
    """
    if isinstance(model, LaneModel):
        model = model.network
    found = [_replay_cell(model, replicas, part * model.each + k) for k in range(model.each)]
    when = [(k + cell.when) / model.each for k, cell in enumerate(found)]
    return Made(np.concatenate(when), np.concatenate([cell.channel for cell in found]))


def _replay_cell(model: Model, replicas: Replicas, part: int) -> Made:
    capacity = 64
    while True:
        made = Made(np.empty(capacity), np.empty(capacity, np.int64))
        stream, state, wait = replicas
        copied = Replicas(stream.copy(), state.copy(), wait.copy())
        count = _replay(model, copied, empty_sums(model.baths, model.drives, 1), made, part)
        if count <= capacity:
            for array, after in zip(replicas, copied, strict=True):
                array[:] = after
            return Made(made.when[:count], made.channel[:count])
        capacity = count


@compiled
def _replay(model_, replicas_, sums_, made, part):
    """Run trajectory 0 for a segment of the model; number of jumps, those that fit recorded."""
    model, replicas, sums = bare(model_), bare(replicas_), bare(sums_)
    channels = read(model.first, len(model_.first) - 1)
    s = (
        read(replicas.stream, 0),
        read(replicas.stream, 1),
        read(replicas.stream, 2),
        read(replicas.stream, 3),
    )
    x, now, count = read(replicas.state, 0), read(replicas.wait, 0), 0
    base = part % model.parts * channels
    begin, end = read(model.first, x), read(model.first, x + 1)
    total = max(read(model.bound, base + end - 1), SLOWEST)
    if now < 0.0:
        bits, s = step(s)
        now = -log(inside(bits)) / total
    while now < 1.0:
        bits, s = step(s)
        k, mark = _proposed(model, base, begin, end, unit(bits) * total)
        if _made(model, sums, k, part + now, mark):
            if count < len(made.when):
                made.when[count], made.channel[count] = now, k
            count += 1
            x = read(model.target, k)
            begin, end = read(model.first, x), read(model.first, x + 1)
            total = max(read(model.bound, base + end - 1), SLOWEST)
        bits, s = step(s)
        now -= log(inside(bits)) / total
    after = max(read(model.bound, (part + 1) % model.parts * channels + end - 1), SLOWEST)
    write(replicas.wait, 0, (now - 1.0) * (total / after))
    write(replicas.state, 0, x)
    for word in range(4):
        write(replicas.stream, word, s[word])
    return count
