"""Langevin oscillators in steps of equal length, any of the schemes of `integrators`."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import WIDTH, bare, load, read, store, write
from trajsim.kernels.edges import edge_of
from trajsim.kernels.held import hold
from trajsim.kernels.integrators import LANES, SCHEMES, first_half, second_half
from trajsim.kernels.moves import moves_of, slowest_rate
from trajsim.kernels.oscillator_energetics import (
    Rows,
    Sizes,
    add_to_row,
    add_work,
    close_row,
    heat_at,
    noise_at,
    thermal_moves,
    write_edge,
)
from trajsim.kernels.random import keep_stream, normal_pair, normals, stream_at, streams
from trajsim.models.oscillators import (
    OscillatorNetwork,
    Potential,
    nonlinear_energy,
    proposal_of,
)
from trajsim.plan import Plan

Array = NDArray[np.float64]

# Networks of up to so many sites and thermal moves are compiled for their numbers.
MOST_SITES, MOST_MOVES = 4, 8
# Time for which nonlinear oscillators relax to equilibrium, in units of m / gamma; of overdamped
# ones in units of their slowest linear relaxation.
SETTLING_TIMES = 30.0


class Oscillation(NamedTuple):
    """A network prepared for the steps of a scheme.

    sizes : of its ledger, of no trajectories
    sites, baths, drives, moves : zeros, as many as there are of each in a small network, else none:
        the lengths of tuples are constants for the compiler
    massless : one zero if motion is overdamped
    nonlinear : one zero if some forces are not linear
    heated : one zero if a temperature is driven
    varying : one zero if the tables of moves have a row for each step
    quadratic : one zero if something other than forces does work, or a centre is not 0
    steps : of a period
    held, edge, energy, springs, which, site, other, change, term : as in `trajsim.kernels.held`
    mover, source (m,) : site and bath of each thermal move in a step
    damping (m,) : factor of the velocity in an O step
    push (t, m) : distance that a force of 1 moves in an overdamped move; one row, or of each step
    bend (t, m) : curvature of the quadratic part along it
    spread (t, m) : standard deviation of its noise
    beta (t, m) : inverse temperatures
    fine : whether normal numbers come from 64 bits
    """

    network: Potential
    sizes: Sizes
    scheme: Any
    sites: tuple[int, ...]
    baths: tuple[int, ...]
    drives: tuple[int, ...]
    moves: tuple[int, ...]
    massless: tuple[int, ...]
    nonlinear: tuple[int, ...]
    heated: tuple[int, ...]
    varying: tuple[int, ...]
    quadratic: tuple[int, ...]
    steps: int
    held: Array
    edge: Array
    energy: Array
    springs: Array
    which: NDArray[np.int64]
    site: NDArray[np.int64]
    other: NDArray[np.int64]
    change: Array
    term: Array
    mover: NDArray[np.int64]
    source: NDArray[np.int64]
    damping: Array
    push: Array
    bend: Array
    spread: Array
    beta: Array
    fine: bool


class Start(NamedTuple):
    """Trajectories begin at (x, v) = `mean` (2n,) + `factor` (2n, 2n) times normal numbers.

    Velocities of overdamped motion are 0.

    Draws are accepted as `trajsim.models.oscillators.Proposal` says, with `added` (n,) and `lift`,
    if the inverse temperature `beta` is not 0. They then relax for the time `settle` under the
    force of time 0.
    """

    mean: Array
    factor: Array
    settle: float
    added: Array = np.zeros(0)
    lift: float = 0.0
    beta: float = 0.0


class Replicas(NamedTuple):
    """State of m trajectories: streams (m, 4) uint64, positions and velocities (n, m).

    spare (m,) : normal numbers that the last step left over
    """

    stream: NDArray[np.uint64]
    x: Array
    v: Array
    spare: Array


def prepare(
    network: OscillatorNetwork, plan: Plan, scheme: str, steps_per_period: int, noise: str
) -> Oscillation:
    """Network ready for the steps of a scheme, whole numbers of them in each segment.

    Parameters
    ----------
    network : OscillatorNetwork
    plan : Plan
    scheme : a key of SCHEMES
    steps_per_period : number of steps
    noise : "float64" or "float32"

    Raises
    ------
    ValueError
        If there are too few steps for the scheme, or too many for the memory it takes.
    """
    method, steps = SCHEMES[scheme], steps_per_period
    fewest = method.fewest_steps(network)
    if steps < fewest:
        raise ValueError(
            f"integrator.steps_per_period: found {steps}; allowed: at least {fewest} for scheme "
            f"{scheme!r} with this period, this stiffness and these harmonics"
        )
    dt, n = network.period / steps, len(network.mass)
    held = hold(network, plan, steps, method.held)
    moves = moves_of(network, dt, held)
    count, baths = len(moves.mover), int(network.bath.max()) + 1
    small = n <= MOST_SITES and count <= MOST_MOVES
    return Oscillation(
        network=Potential(*(getattr(network, name) for name in Potential._fields)),
        sizes=Sizes(n, baths, network.drives, count, 0, 0),
        scheme=method.prepare(network, dt, held),
        sites=(0,) * n if small else (),
        baths=(0,) * baths if small else (),
        drives=(0,) * network.drives if small else (),
        moves=(0,) * count if small else (),
        massless=(0,) if network.overdamped else (),
        nonlinear=() if network.linear else (0,),
        heated=(0,) if network.heated else (),
        varying=(0,) if len(moves.spread) > 1 else (),
        quadratic=(0,) if (held.change[..., 1:].any() or held.energy.any()) else (),
        steps=steps,
        held=held.force,
        edge=held.edge,
        energy=held.energy,
        springs=held.springs,
        which=held.which,
        site=held.site,
        other=held.other,
        change=held.change,
        term=held.term,
        mover=moves.mover,
        source=moves.source,
        damping=moves.damping,
        push=moves.push,
        bend=moves.bend,
        spread=moves.spread,
        beta=moves.beta,
        fine=noise == "float64",
    )


def start(network: OscillatorNetwork, initial: str, state: Any) -> Start:
    """Start for `initial` from its Gaussian: a mean (2n,) and a covariance (2n, 2n).

    Raises
    ------
    ValueError
        If the equilibrium of nonlinear oscillators cannot be drawn.
    """
    factor = np.zeros_like(state.covariance)
    if state.covariance.any():
        size, vectors = np.linalg.eigh(state.covariance)
        factor = np.ascontiguousarray(vectors * np.sqrt(np.maximum(size, 0.0)))
    still = 2 * len(network.mass) - network.size
    begun = Start(np.pad(state.mean, (0, still)), np.pad(factor, (0, still)), 0.0)
    if initial != "equilibrium" or network.linear:
        return begun
    temperature = float(network.temperature.max())
    proposal = proposal_of(network, temperature)
    if proposal is not None and proposal.enough:
        return begun._replace(added=proposal.added, lift=proposal.lift, beta=1.0 / temperature)
    # What is drawn is the Gaussian alone, which must still relax.
    if np.linalg.eigvalsh(network.stiffness)[0] <= 0.0:
        raise ValueError(
            "ensemble.initial: found 'equilibrium' of wells so deep that it cannot be drawn; "
            "allowed: 'rest', with a burn_in"
        )
    return begun._replace(settle=SETTLING_TIMES / slowest_rate(network))


def needs_state(initial: str) -> bool:
    """Whether a start of this kind is drawn from a distribution: all are."""
    return True


def fault(broken: int, first: int) -> str | None:
    """Message about a trajectory that went wrong in `advance`; None if none did."""
    if broken < 0:
        return None
    return (
        f"trajectory {first + broken} is no longer finite: integrator.steps_per_period is too small"
    )


def begin(
    model: Oscillation, start: Start, seed: int, point: int, first: int, count: int
) -> Replicas:
    """Trajectories first ... first + count - 1 of a point, at time 0.

    Parameters
    ----------
    model : Oscillation
    start : Start
    seed, point : with the number of a trajectory they name its random stream
    first, count : trajectories
    """
    n = len(model.network.mass)
    replicas = Replicas(
        streams(np.uint64(seed), point, first, count),
        np.zeros((n, count)),
        np.zeros((n, count)),
        np.zeros(count),
    )
    if start.beta > 0.0:
        _draw_equilibrium(model, start, replicas)
    else:
        _place(model.fine, start, replicas)
    steps = math.ceil(start.settle / model.scheme.dt)
    if steps > 0:
        sizes = sizes_of(model, count, 0)
        _settle(model, replicas, *_lanes(sizes), sizes, steps)
    return replicas


@compiled
def _place(fine, start, replicas):
    n, m = replicas.x.shape
    drawn, random = np.zeros((2 * n, m)), False
    for i in range(2 * n):
        for j in range(2 * n):
            random |= start.factor[i, j] != 0.0
    if random:
        normals(replicas.stream, fine, drawn)
    # Number by number: operations on whole arrays take long to compile.
    for i in range(n):
        for k in range(m):
            x, v = start.mean[i], start.mean[n + i]
            for j in range(2 * n):
                x += start.factor[i, j] * drawn[j, k]
                v += start.factor[n + i, j] * drawn[j, k]
            replicas.x[i, k], replicas.v[i, k] = x, v


@compiled
def _draw_equilibrium(model, start, replicas):
    """Draw each trajectory's state until one is accepted."""
    n, m = replicas.x.shape
    drawn, x, energy = np.zeros((2 * n + 2, 1)), np.zeros(n * LANES), np.zeros(LANES)
    for k in range(m):
        lost = 1.0
        while lost > 0.0:
            normals(replicas.stream[k : k + 1], model.fine, drawn)
            for i in range(n):
                position, velocity = start.mean[i], start.mean[n + i]
                for j in range(2 * n):
                    position += start.factor[i, j] * drawn[j, 0]
                    velocity += start.factor[n + i, j] * drawn[j, 0]
                replicas.x[i, k], replicas.v[i, k], x[i * LANES] = position, velocity, position
            total = start.lift
            for i in range(n):
                _energy_at(model, x, energy, i)
                total += energy[0] - 0.5 * start.added[i] * replicas.x[i, k] ** 2
            # Half the square of two normal numbers is exponentially distributed.
            lost = start.beta * total - 0.5 * (drawn[2 * n, 0] ** 2 + drawn[2 * n + 1, 0] ** 2)


@compiled
def _energy_at(model_, x, energy, i):
    """Nonlinear energy of site i, and half of that of its bonds."""
    network = bare(model_).network
    store(bare(energy), 0, nonlinear_energy(network, bare(x), 0, LANES, i, 0.5))


def sizes_of(model: Oscillation, trajectories: int, rows: int) -> Sizes:
    """Sizes of a network's ledger."""
    return model.sizes._replace(trajectories=trajectories, rows=rows)


def _lanes(sizes: Sizes) -> tuple[Array, NDArray[np.uint64]]:
    """Arrays for the numbers and the streams of LANES trajectories."""
    size = noise_at.py_func(sizes) + (sizes.moves + 1) * LANES
    return np.zeros(size), np.zeros(4 * LANES, np.uint64)


@compiled(inline=True)
def _load(replicas, numbers, words, sizes, begin):
    """Put trajectories from `begin` on into the lanes; unused lanes are zero."""
    n, count = sizes.sites, sizes.trajectories
    m, spare = min(LANES, count - begin), noise_at(sizes) + sizes.moves * LANES
    for at in range(spare + LANES):
        write(numbers, at, 0.0)
    for at in range(4 * LANES):
        write(words, at, np.uint64(0))
    for k in range(m):
        j = begin + k
        for i in range(n):
            write(numbers, i * LANES + k, read(replicas.x, i * count + j))
            write(numbers, (n + i) * LANES + k, read(replicas.v, i * count + j))
        write(numbers, spare + k, read(replicas.spare, j))
        keep_stream(words, k, LANES, stream_at(replicas.stream, 4 * j, 1))


@compiled(inline=True)
def _unload(replicas, numbers, words, sizes, begin):
    """Write the trajectories back; the first that is no longer finite, -1 if all are."""
    n, count, broken = sizes.sites, sizes.trajectories, -1
    m, spare = min(LANES, count - begin), noise_at(sizes) + sizes.moves * LANES
    for k in range(m):
        total, j = 0.0, begin + k
        for i in range(n):
            x, v = read(numbers, i * LANES + k), read(numbers, (n + i) * LANES + k)
            write(replicas.x, i * count + j, x)
            write(replicas.v, i * count + j, v)
            total += x + v
        write(replicas.spare, j, read(numbers, spare + k))
        keep_stream(replicas.stream, 4 * j, 1, stream_at(words, k, LANES))
        if broken < 0 and not np.isfinite(total):
            broken = j
    return broken


# -- a step, in all lanes ------------------------------------------------------------------------


@compiled(inline=True)
def _draw(model, moves, numbers, words, sizes, number):
    """Noise of the thermal moves of the step of this number in the period.

    Numbers come in pairs. Of an odd number of overdamped moves every other step begins with what
    the step before left over.
    """
    begin = 0
    if len(model.massless) > 0:
        begin = moves & number & 1
    for k in range(0, LANES, WIDTH):
        s = (
            load(words, k),
            load(words, LANES + k),
            load(words, 2 * LANES + k),
            load(words, 3 * LANES + k),
        )
        if begin > 0:
            store(numbers, noise_at(sizes) + k, load(numbers, noise_at(sizes) + moves * LANES + k))
        for j in range(begin, moves, 2):
            first, second, s = normal_pair(s, model.fine)
            store(numbers, noise_at(sizes) + j * LANES + k, first)
            store(numbers, noise_at(sizes) + (j + 1) * LANES + k, second)
        for word in range(4):
            store(words, word * LANES + k, s[word])


@compiled
def _settle(model_, replicas_, numbers_, words_, sizes, steps):
    """Steps of all trajectories under the force of time 0."""
    model, replicas, numbers, words = bare(model_), bare(replicas_), bare(numbers_), bare(words_)
    n, moves, at_rest = sizes.sites, len(model_.mover), model_.steps
    for begin in range(0, sizes.trajectories, LANES):
        _load(replicas, numbers, words, sizes, begin)
        for number in range(steps):
            _draw(model, moves, numbers, words, sizes, number)
            for k in range(0, LANES, WIDTH):
                first_half(model.scheme, model.network, n, numbers, k, model.held, at_rest)
                thermal_moves(model.scheme, model, numbers, sizes, k, at_rest)
                second_half(model.scheme, model.network, n, numbers, k, model.held, at_rest)
        _unload(replicas, numbers, words, sizes, begin)


# -- all together --------------------------------------------------------------------------------


def advance(
    model: Oscillation, plan: Plan, replicas: Replicas, rows: Rows, first: int, last: int
) -> tuple[int, int]:
    """Run the trajectories from segment `first` to segment `last`, and write their rows.

    Parameters
    ----------
    model : Oscillation
    plan : Plan
    replicas : Replicas, updated
    rows : Rows, written
    first, last : segments counted from the beginning of the burn-in

    Returns
    -------
    steps : number of steps made, burn-in included
    broken : number of the first trajectory that is no longer finite, -1 if all are
    """
    count = replicas.x.shape[1]
    sizes = sizes_of(model, count, rows.heat.shape[1])
    lanes = (*_lanes(sizes), np.empty(LANES))
    broken = _advance(model, plan, replicas, *lanes, sizes, rows, first, last)
    return count * (last - first) * (model.steps // plan.rows_per_period), broken


@compiled
def _advance(model_, plan, replicas_, numbers_, words_, spare_, given, rows_, first, last):
    """`advance` as many trajectories at a time as there are lanes; the first broken."""
    model, numbers, words = bare(model_), bare(numbers_), bare(words_)
    replicas, spare, rows = bare(replicas_), bare(spare_), bare(rows_)
    sizes, broken = given, -1
    if len(model.sites) > 0:
        sizes = Sizes(
            len(model.sites),
            len(model.baths),
            len(model.drives),
            len(model.moves),
            given.trajectories,
            given.rows,
        )
    n, segments, spr = sizes.sites, plan.rows_per_period, plan.segments_per_row
    steps, moves = model_.steps // segments, len(model_.mover)
    for begin in range(0, sizes.trajectories, LANES):
        _load(replicas, numbers, words, sizes, begin)
        for segment in range(first, last):
            part, recorded = segment % segments, segment - plan.burn_in * segments
            edge = edge_of(segment, segments)
            if recorded == 0:
                write_edge(model, edge, numbers, spare, sizes, rows, begin, 0)
            # After whole periods the first step follows the end of the last.
            change = model.steps if edge == segments else part * steps
            for step in range(part * steps, (part + 1) * steps):
                _draw(model, moves, numbers, words, sizes, step)
                for k in range(0, LANES, WIDTH):
                    add_work(model, numbers, sizes, k, change)
                    first_half(model.scheme, model.network, n, numbers, k, model.held, step)
                    thermal_moves(model.scheme, model, numbers, sizes, k, step)
                    second_half(model.scheme, model.network, n, numbers, k, model.held, step)
                change = step + 1
            for k in range(0, LANES, WIDTH):
                add_work(model, numbers, sizes, k, model.steps + 1 + part)
            row = recorded // spr
            if recorded >= 0:
                add_to_row(model, numbers, sizes, rows, begin, row, recorded % spr == 0)
            for slot in range(heat_at(sizes), noise_at(sizes)):
                write(numbers, slot, 0.0)
            if recorded >= 0 and recorded % spr == spr - 1:
                write_edge(model, part + 1, numbers, spare, sizes, rows, begin, row + 1)
                # A row of several segments is whole periods: but for the first of all, it began
                # at the parameters that it ends at.
                opened = edge_of(segment + 1 - spr, segments)
                close_row(model, sizes, rows, begin, row, opened, part + 1)
        first_broken = _unload(replicas, numbers, words, sizes, begin)
        broken = first_broken if broken < 0 else broken
    return broken
