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
from trajsim.kernels.network_tables import SLOWEST, Model, tables_of
from trajsim.kernels.random import (
    inside,
    keep_stream,
    step,
    stream_at,
    streams,
    uniform,
    unit,
)
from trajsim.kernels.waves import length_of, wave_at
from trajsim.models.jumps import JumpNetwork, law_rate
from trajsim.plan import Plan

__all__ = ["Rows", "advance", "begin", "fault", "needs_state", "prepare", "start"]

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


def prepare(network: JumpNetwork, plan: Plan, **_: Any) -> Model | LaneModel:
    """Network ready for the kernel that suits its size.

    Raises
    ------
    ValueError
        If there are too many states, or a rate exceeds its bound: the law does not fall with its x.
    """
    model = tables_of(network, plan)
    return lanes_for(model) or model


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
    sums, (trajectories, count, _) = empty_sums(model.baths, model.drives, 1), rows.heat.shape
    heated, first, last = rows.entropy_flow.shape[2], first * model.each, last * model.each
    return _advance(model, replicas, sums, rows, trajectories, count, heated, first, last), -1


@compiled
def _advance(model_, replicas_, sums_, rows_, trajectories, count, heated, first, last):
    """`advance` of so many trajectories of `count` rows; number of jumps."""
    model, replicas, sums, rows = bare(model_), bare(replicas_), bare(sums_), bare(rows_)
    channels, jumps = read(model.first, len(model_.first) - 1), 0
    segments, each = model.plan.rows_per_period, model.each
    spr, burn_in = model.plan.segments_per_row, model.plan.burn_in * segments
    for j in range(trajectories):
        base = first % model.parts * channels
        x, now, s = _taken_up(model, replicas, j, base)
        begin, end, total = _leaving(model, base, x)
        held, value = read(model.held, x), held_at(model, x, edge_of(first, segments))
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
                    begin, end, total = _leaving(model, base, x)
                bits, s = step(s)
                now -= log(inside(bits)) / total
            # The next proposal is after the end of the segment: at the rate of the next one.
            base = (segment + 1) % model.parts * channels
            before = total
            begin, end, total = _leaving(model, base, x)
            now = (now - 1.0) * (before / total)
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
        keep_stream(replicas.stream, 4 * j, 1, s)
    return jumps


@compiled(inline=True)
def _leaving(model, base, x):
    """First channel of state x, the one after its last, and the bound of all their rates.

    Parameters
    ----------
    model : Model
    base : where bounds of the cell begin
    x : state
    """
    begin, end = read(model.first, x), read(model.first, x + 1)
    return begin, end, max(read(model.bound, base + end - 1), SLOWEST)


@compiled(inline=True)
def _taken_up(model, replicas, j, base):
    """State of trajectory j, time to its next proposal, and its stream.

    Parameters
    ----------
    model : Model
    replicas : Replicas
    j : trajectory
    base : where bounds of the cell begin
    """
    x, now, s = (
        read(replicas.state, j),
        read(replicas.wait, j),
        stream_at(replicas.stream, 4 * j, 1),
    )
    if now < 0.0:
        bits, s = step(s)
        _, _, total = _leaving(model, base, x)
        now = -log(inside(bits)) / total
    return x, now, s


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
    base, count = part % model.parts * channels, 0
    x, now, s = _taken_up(model, replicas, 0, base)
    begin, end, total = _leaving(model, base, x)
    while now < 1.0:
        bits, s = step(s)
        k, mark = _proposed(model, base, begin, end, unit(bits) * total)
        if _made(model, sums, k, part + now, mark):
            if count < len(made.when):
                made.when[count], made.channel[count] = now, k
            count += 1
            x = read(model.target, k)
            begin, end, total = _leaving(model, base, x)
        bits, s = step(s)
        now -= log(inside(bits)) / total
    _, _, after = _leaving(model, (part + 1) % model.parts * channels, x)
    write(replicas.wait, 0, (now - 1.0) * (total / after))
    write(replicas.state, 0, x)
    keep_stream(replicas.stream, 0, 1, s)
    return count
