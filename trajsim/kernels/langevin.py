"""Langevin oscillators in steps of equal length, any of the schemes of `integrators`."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import WIDTH, bare, load, read, store, write
from trajsim.kernels.integrators import LANES, SCHEMES, first_half, second_half
from trajsim.kernels.oscillator_energetics import (
    Rows,
    Sizes,
    book,
    close_row,
    heat_at,
    move_force,
    noise_at,
    note_edge,
    touch_baths,
)
from trajsim.kernels.random import normal_pair, normals, streams
from trajsim.models.drive import value, values
from trajsim.models.oscillators import OscillatorNetwork
from trajsim.plan import Plan

Array = NDArray[np.float64]

# Networks of up to so many sites are compiled for their number of sites.
MOST_SITES = 4
# How long quartic oscillators settle into equilibrium, in units of m / gamma.
SETTLING_TIMES = 30.0


class Oscillation(NamedTuple):
    """A network made ready for the steps of a scheme.

    sites, baths, drives : zeros, as many as there are of each in a small network, else none: the
        lengths of tuples are known when the kernel is compiled
    held (steps + 1, n) : the force held in each step of the period; last, that of time 0
    edge (segments + 1, n) : the true force at the edges of segments
    touched (t,) : sites that touch a bath
    keep, spread (n,) : velocity kept and noise added by an O step
    fine : whether normal numbers come from 64 bits
    """

    network: OscillatorNetwork
    scheme: Any
    sites: tuple[int, ...]
    baths: tuple[int, ...]
    drives: tuple[int, ...]
    held: Array
    edge: Array
    touched: NDArray[np.int64]
    keep: Array
    spread: Array
    fine: bool


class Start(NamedTuple):
    """Trajectories begin at (x, v) = `mean` (2n,) + `factor` (2n, 2n) times normal numbers.

    They then settle for a time at the force of time 0, before time begins.
    """

    mean: Array
    factor: Array
    settle: float


class Replicas(NamedTuple):
    """Trajectories on their way: streams (m, 4) uint64, positions and velocities (n, m)."""

    stream: NDArray[np.uint64]
    x: Array
    v: Array


def prepare(
    network: OscillatorNetwork, plan: Plan, scheme: str, steps_per_period: int, noise: str
) -> Oscillation:
    """Network ready for the steps of a scheme, whole numbers of them in each segment.

    Raises
    ------
    ValueError
        If there are too few steps for the scheme.
    """
    method, steps, drive = SCHEMES[scheme], steps_per_period, network.drive
    fewest = method.fewest_steps(network)
    if steps < fewest:
        raise ValueError(
            f"integrator.steps_per_period: found {steps}; allowed: at least {fewest} for scheme "
            f"{scheme!r} with this period, this stiffness and these harmonics"
        )
    dt, n, segments = network.period / steps, len(network.mass), plan.rows_per_period
    edge = np.array(
        [[value(drive, i, k % segments / segments) for i in range(n)] for k in range(segments + 1)]
    )
    factor = np.vectorize(method.held)(math.pi * drive.order / steps)
    waves = drive._replace(amplitude=factor * drive.amplitude)
    held = np.vstack([values(waves, (np.arange(steps) + 0.5) / steps), edge[0]])
    decay = network.friction * dt / network.mass
    small = n <= MOST_SITES
    return Oscillation(
        network=network,
        scheme=method.prepare(network, dt, held),
        sites=(0,) * n if small else (),
        baths=(0,) * (int(network.bath.max()) + 1) if small else (),
        drives=(0,) * (int(network.driven.max()) + 1) if small else (),
        held=held,
        edge=edge,
        touched=np.flatnonzero(network.bath >= 0),
        keep=np.exp(-decay),
        spread=np.sqrt(-np.expm1(-2.0 * decay) * network.temperature / network.mass),
        fine=noise == "float64",
    )


def start(network: OscillatorNetwork, initial: str, state: Any) -> Start:
    """Start for `initial` from its Gaussian: a mean (2n,) and a covariance (2n, 2n)."""
    size, vectors = np.linalg.eigh(state.covariance)
    factor = np.ascontiguousarray(vectors * np.sqrt(np.maximum(size, 0.0)))
    # The Gaussian is that of the linear part: with quartic forces, equilibrium has yet to come.
    settle = 0.0
    if initial == "equilibrium" and not network.linear:
        touched = network.bath >= 0
        settle = SETTLING_TIMES / float((network.friction / network.mass)[touched].min())
    return Start(np.asarray(state.mean, np.float64), factor, settle)


def needs_state(initial: str) -> bool:
    """Whether a start of this kind is drawn from a distribution: all are."""
    return True


def fault(broken: int, first: int) -> str | None:
    """What is wrong with the result of `advance`, if anything."""
    if broken < 0:
        return None
    return (
        f"trajectory {first + broken} is no longer finite: integrator.steps_per_period is too small"
    )


def begin(
    model: Oscillation, start: Start, seed: int, point: int, first: int, count: int
) -> Replicas:
    """Trajectories first ... first + count - 1 of a point, at time 0."""
    n = len(model.network.mass)
    replicas = Replicas(
        streams(np.uint64(seed), point, first, count), np.zeros((n, count)), np.zeros((n, count))
    )
    _place(model, start, replicas)
    steps = math.ceil(start.settle / model.scheme.dt)
    if steps > 0:
        _settle_all(model, replicas, sizes_of(model, count, 0), steps)
    return replicas


@compiled
def _place(model, start, replicas):
    n, m = replicas.x.shape
    drawn, random = np.zeros((2 * n, m)), False
    for i in range(2 * n):
        for j in range(2 * n):
            random |= start.factor[i, j] != 0.0
    if random:
        normals(replicas.stream, model.fine, drawn)
    # Number by number: operations on whole arrays take long to compile.
    for i in range(n):
        for k in range(m):
            x, v = start.mean[i], start.mean[n + i]
            for j in range(2 * n):
                x += start.factor[i, j] * drawn[j, k]
                v += start.factor[n + i, j] * drawn[j, k]
            replicas.x[i, k], replicas.v[i, k] = x, v


@compiled
def _settle_all(model, replicas, sizes, steps):
    """Move all trajectories on by some steps at the force of time 0."""
    numbers, words = _lanes(sizes)
    for begin in range(0, sizes.trajectories, LANES):
        _load(replicas, numbers, words, sizes, begin)
        _settle(model, numbers, words, sizes, steps)
        _unload(replicas, numbers, words, sizes, begin)


def sizes_of(model: Oscillation, trajectories: int, rows: int) -> Sizes:
    """Sizes of a network's ledger."""
    network = model.network
    baths, drives = int(network.bath.max()) + 1, int(network.driven.max()) + 1
    return Sizes(len(network.mass), baths, drives, trajectories, rows)


@compiled
def _lanes(sizes):
    """Room for the numbers and the streams of LANES trajectories."""
    size = 5 * sizes.sites + sizes.baths + sizes.drives
    return np.zeros(size * LANES), np.zeros(4 * LANES, np.uint64)


@compiled
def _load(replicas, numbers, words, sizes, begin):
    """Put trajectories from `begin` on into the lanes; nothing into lanes that are left."""
    n, m = sizes.sites, min(LANES, sizes.trajectories - begin)
    numbers[:] = 0.0
    words[:] = 0
    for k in range(m):
        for i in range(n):
            numbers[i * LANES + k] = replicas.x[i, begin + k]
            numbers[(n + i) * LANES + k] = replicas.v[i, begin + k]
        for word in range(4):
            words[word * LANES + k] = replicas.stream[begin + k, word]


@compiled
def _unload(replicas, numbers, words, sizes, begin):
    """Take the trajectories out again; the first that is no longer finite, -1 if all are."""
    n, m, broken = sizes.sites, min(LANES, sizes.trajectories - begin), -1
    for k in range(m):
        total = 0.0
        for i in range(n):
            replicas.x[i, begin + k] = numbers[i * LANES + k]
            replicas.v[i, begin + k] = numbers[(n + i) * LANES + k]
            total += replicas.x[i, begin + k] + replicas.v[i, begin + k]
        for word in range(4):
            replicas.stream[begin + k, word] = words[word * LANES + k]
        if broken < 0 and not np.isfinite(total):
            broken = begin + k
    return broken


# -- a step, in all lanes ------------------------------------------------------------------------


@compiled(inline=True)
def _draw(model, touched, numbers, words, sizes):
    """Noise of the sites that touch a bath."""
    for k in range(0, LANES, WIDTH):
        s = (
            load(words, k),
            load(words, LANES + k),
            load(words, 2 * LANES + k),
            load(words, 3 * LANES + k),
        )
        for at in range(0, touched, 2):
            one, other, s = normal_pair(s, model.fine)
            # Of an odd number of sites the last stays with its cosine.
            second = read(model.touched, min(at + 1, touched - 1))
            store(numbers, noise_at(sizes) + second * LANES + k, other)
            store(numbers, noise_at(sizes) + read(model.touched, at) * LANES + k, one)
        for word in range(4):
            store(words, word * LANES + k, s[word])


@compiled
def _settle(model_, numbers_, words_, sizes, steps):
    """Steps at the force of time 0."""
    model, numbers, words = bare(model_), bare(numbers_), bare(words_)
    n, touched, still = sizes.sites, len(model_.touched), len(model_.held) - 1
    for _ in range(steps):
        _draw(model, touched, numbers, words, sizes)
        for k in range(0, LANES, WIDTH):
            first_half(model.scheme, model.network, n, numbers, k, model.held, still)
            touch_baths(model, numbers, sizes, k)
            second_half(model.scheme, model.network, n, numbers, k, model.held, still)


# -- all together --------------------------------------------------------------------------------


def advance(
    model: Oscillation, plan: Plan, replicas: Replicas, rows: Rows, first: int, last: int
) -> tuple[int, int]:
    """Run the trajectories from segment `first` to segment `last`, and book what happens.

    Parameters
    ----------
    model : Oscillation
    plan : Plan
    replicas : Replicas, moved on
    rows : Rows, written
    first, last : segments counted from the beginning of the burn-in

    Returns
    -------
    steps : number of steps made, burn-in included
    broken : number of the first trajectory that is no longer finite, -1 if all are
    """
    count = replicas.x.shape[1]
    sizes = sizes_of(model, count, rows.heat.shape[1])
    broken = _advance_all(model, plan, replicas, rows, sizes, first, last)
    return count * (last - first) * ((len(model.held) - 1) // plan.rows_per_period), broken


@compiled
def _advance_all(model, plan, replicas, rows, sizes, first, last):
    """`advance` as many trajectories at a time as there are lanes; the first broken."""
    broken = -1
    numbers, words = _lanes(sizes)
    spare = np.empty(LANES)
    for begin in range(0, sizes.trajectories, LANES):
        _load(replicas, numbers, words, sizes, begin)
        _advance(model, plan, numbers, words, spare, sizes, rows, begin, first, last)
        found = _unload(replicas, numbers, words, sizes, begin)
        broken = found if broken < 0 else broken
    return broken


@compiled
def _advance(model_, plan, numbers_, words_, spare_, given, rows_, begin, first, last):
    """`advance` for the trajectories in the lanes, the first of them trajectory `begin`."""
    model, numbers, words = bare(model_), bare(numbers_), bare(words_)
    spare, rows = bare(spare_), bare(rows_)
    sizes = given
    if len(model.sites) > 0:
        sizes = Sizes(
            len(model.sites), len(model.baths), len(model.drives), given.trajectories, given.rows
        )
    n, segments, spr = sizes.sites, plan.rows_per_period, plan.segments_per_row
    steps, touched = (len(model_.held) - 1) // segments, len(model_.touched)
    for segment in range(first, last):
        part, recorded = segment % segments, segment - plan.burn_in * segments
        if recorded == 0:
            note_edge(model, part, numbers, spare, sizes, rows, begin, 0)
        before, at = model.edge, part * n
        for step in range(part * steps, (part + 1) * steps):
            _draw(model, touched, numbers, words, sizes)
            for k in range(0, LANES, WIDTH):
                move_force(model, numbers, sizes, k, before, at, model.held, step * n)
                first_half(model.scheme, model.network, n, numbers, k, model.held, step)
                touch_baths(model, numbers, sizes, k)
                second_half(model.scheme, model.network, n, numbers, k, model.held, step)
            before, at = model.held, step * n
        for k in range(0, LANES, WIDTH):
            move_force(model, numbers, sizes, k, before, at, model.edge, (part + 1) * n)
        row = recorded // spr
        if recorded >= 0:
            book(numbers, sizes, rows, begin, row, recorded % spr == 0)
        for place in range(heat_at(sizes), (5 * n + sizes.baths + sizes.drives) * LANES):
            write(numbers, place, 0.0)
        if recorded >= 0 and recorded % spr == spr - 1:
            note_edge(model, part + 1, numbers, spare, sizes, rows, begin, row + 1)
            # A row of several segments is whole periods: it began at the same force it ends at.
            opened = part if spr == 1 else part + 1
            close_row(model, sizes, rows, begin, row, opened, part + 1)
