"""Langevin oscillators in steps of equal length, any of the schemes of `integrators`.

Heat of a bath is the change of kinetic energy in the O steps of its sites; work is the change of
energy when the forces move. At the edges of segments the forces are at their true values, so the
energy written there is H; what remains of dU in a row is its shadow work.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.jit import compiled
from trajsim.kernels.integrators import SCHEMES, first_half, second_half
from trajsim.kernels.random import normals, side_by_side, streams
from trajsim.models.drive import value
from trajsim.models.oscillators import OscillatorNetwork, energy
from trajsim.plan import Plan

Array = NDArray[np.float64]


# Trajectories advanced side by side; results do not depend on it.
LANES = 128
# How long quartic oscillators settle into equilibrium, in units of m / gamma.
SETTLING_TIMES = 30.0


class Oscillation(NamedTuple):
    """A network made ready for the steps of a scheme.

    held (steps, n), the force held in each step of the period; edge (segments, n), the true force
    where segments begin; keep and spread (n,), velocity kept and noise added by an O step;
    fine, whether normal numbers come from 64 bits.
    """

    network: OscillatorNetwork
    scheme: Any
    held: Array
    edge: Array
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


class Walkers(NamedTuple):
    """Trajectories on their way: streams (m, 4) uint64, positions and velocities (n, m).

    heat (baths, m) and work (drives, m) are those of the row that is under way.
    """

    stream: NDArray[np.uint64]
    x: Array
    v: Array
    heat: Array
    work: Array


class Rows(NamedTuple):
    """Ledger of m trajectories; the columns are described in `trajsim.ledger`.

    heat (m, row, bath), work and exclusive_work (m, row, drive), shadow_work (m, row),
    energy (m, row + 1), position and velocity (m, row + 1, n). Sums must begin at 0.
    """

    heat: Array
    work: Array
    exclusive_work: Array
    shadow_work: Array
    energy: Array
    position: Array
    velocity: Array


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
    dt = network.period / steps
    fraction = (np.arange(steps) + 0.5) / steps
    held = np.tile(drive.offset, (steps, 1))
    for i, k in np.ndindex(drive.order.shape):
        order = drive.order[i, k]
        angle = 2.0 * math.pi * order * fraction + drive.phase[i, k]
        factor = method.held(math.pi * order / steps)
        held[:, i] += factor * drive.amplitude[i, k] * np.cos(angle)
    sites, segments = range(len(network.mass)), plan.rows_per_period
    decay = network.friction * dt / network.mass
    return Oscillation(
        network=network,
        scheme=method.prepare(network, dt),
        held=held,
        edge=np.array([[value(drive, i, k / segments) for i in sites] for k in range(segments)]),
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
) -> Walkers:
    """Trajectories first ... first + count - 1 of a point, at time 0."""
    network = model.network
    n, baths, drives = len(network.mass), network.bath.max() + 1, network.driven.max() + 1
    x, v, heat, work = (np.zeros((size, count)) for size in (n, n, baths, drives))
    walkers = Walkers(streams(np.uint64(seed), point, first, count), x, v, heat, work)
    _place(model, start, walkers)
    return walkers


@compiled
def _place(model, start, walkers):
    n, m = walkers.x.shape
    drawn, spare = np.zeros((2 * n, m)), np.empty((2, n, m))
    if np.any(start.factor != 0.0):
        normals(walkers.stream, model.fine, drawn)
    for i in range(n):
        walkers.x[i], walkers.v[i] = start.mean[i], start.mean[n + i]
        for j in range(2 * n):
            walkers.x[i] += start.factor[i, j] * drawn[j]
            walkers.v[i] += start.factor[n + i, j] * drawn[j]
    noise, heat = np.empty((n, m)), np.empty((0, m))
    for _ in range(math.ceil(start.settle / model.scheme.dt)):
        first_half(model.scheme, model.network, walkers.x, walkers.v, model.edge[0], spare)
        normals(walkers.stream, model.fine, noise)
        _touch_baths(model, walkers.v, noise, heat)
        second_half(model.scheme, model.network, walkers.x, walkers.v, model.edge[0], spare)


@compiled(contract=True, inline=True)
def _touch_baths(model, v, noise, heat):
    """The O step; adds to heat (baths, m) unless it is empty."""
    for i in range(v.shape[0]):
        bath = model.network.bath[i]
        if bath < 0:
            continue
        half_mass, keep, spread = 0.5 * model.network.mass[i], model.keep[i], model.spread[i]
        if len(heat) == 0:
            for k in range(v.shape[1]):
                v[i, k] = keep * v[i, k] + spread * noise[i, k]
        else:
            for k in range(v.shape[1]):
                after = keep * v[i, k] + spread * noise[i, k]
                heat[bath, k] += half_mass * (after * after - v[i, k] * v[i, k])
                v[i, k] = after


@compiled(contract=True, inline=True)
def _move_force(network, x, before, after, work):
    """Add the work (drives, m) of forces that move while positions stay: inclusive, -x df."""
    for i in range(x.shape[0]):
        drive, moved = network.driven[i], after[i] - before[i]
        if drive >= 0:
            for k in range(x.shape[1]):
                work[drive, k] -= x[i, k] * moved


@compiled
def _note_edge(network, f, x, v, rows, first, edge):
    """Write the states and their energies at an edge between two rows."""
    total = np.empty(x.shape[1])
    energy(network, x, v, f, total)
    for k in range(x.shape[1]):
        rows.energy[first + k, edge] = total[k]
        for i in range(x.shape[0]):
            rows.position[first + k, edge, i] = x[i, k]
            rows.velocity[first + k, edge, i] = v[i, k]


@compiled
def _book_row(network, before, after, heat, work, rows, first, row):
    """Write a row whose heats (baths, m) and works (drives, m) are known, and empty these.

    before, after (n,): the forces at its edges.
    """
    for k in range(heat.shape[1]):
        at = first + k
        shadow = rows.energy[at, row + 1] - rows.energy[at, row]
        for bath in range(heat.shape[0]):
            rows.heat[at, row, bath] = heat[bath, k]
            shadow -= heat[bath, k]
        for i in range(len(network.driven)):
            drive = network.driven[i]
            if drive >= 0:
                rows.work[at, row, drive] = work[drive, k]
                shadow -= work[drive, k]
                # int f dx = -int x df + what f x has grown by.
                grown = after[i] * rows.position[at, row + 1, i]
                grown -= before[i] * rows.position[at, row, i]
                rows.exclusive_work[at, row, drive] = work[drive, k] + grown
        rows.shadow_work[at, row] = shadow
    heat[:] = 0.0
    work[:] = 0.0


@compiled
def advance(model, plan, walkers, rows, first, last):
    """Run the trajectories from segment `first` to segment `last`, and book what happens.

    Parameters
    ----------
    model : Oscillation
    plan : Plan
    walkers : Walkers, moved on
    rows : Rows, written
    first, last : segments counted from the beginning of the burn-in

    Returns
    -------
    steps : number of steps made, burn-in included
    broken : number of the first trajectory that is no longer finite, -1 if all are
    """
    count, broken = walkers.x.shape[1], -1
    for begin in range(0, count, LANES):
        lanes = slice(begin, min(begin + LANES, count))
        # Copies, so that the lanes stand side by side in memory whatever their number here.
        x, v = walkers.x[:, lanes].copy(), walkers.v[:, lanes].copy()
        heat, work = walkers.heat[:, lanes].copy(), walkers.work[:, lanes].copy()
        stream = walkers.stream[lanes].T.copy()
        _advance_lanes(model, plan, stream, x, v, heat, work, rows, begin, first, last)
        walkers.x[:, lanes], walkers.v[:, lanes] = x, v
        walkers.heat[:, lanes], walkers.work[:, lanes] = heat, work
        walkers.stream[lanes] = stream.T
        for k in range(x.shape[1]):
            if broken < 0 and not np.isfinite(x[:, k].sum() + v[:, k].sum()):
                broken = begin + k
    return count * (last - first) * (len(model.held) // plan.rows_per_period), broken


@compiled
def _advance_lanes(model, plan, stream, x, v, heat, work, rows, begin, first, last):
    """`advance` for m lanes, the first of them trajectory `begin` of the rows.

    stream (4, m) uint64, x and v (n, m), heat (baths, m), work (drives, m).
    """
    network, scheme = model.network, model.scheme
    n, m = x.shape
    segments = plan.rows_per_period
    steps = len(model.held) // segments
    burn_in = plan.burn_in * segments
    spare, noise, bits = np.empty((2, n, m)), np.empty((n, m)), np.empty((2, m), np.uint64)
    for segment in range(first, last):
        part = segment % segments
        if segment == burn_in:
            _note_edge(network, model.edge[0], x, v, rows, begin, 0)
            heat[:] = 0.0
            work[:] = 0.0
        force = model.edge[part]
        for step in range(part * steps, (part + 1) * steps):
            _move_force(network, x, force, model.held[step], work)
            force = model.held[step]
            first_half(scheme, network, x, v, force, spare)
            side_by_side(stream, model.fine, noise, bits)
            _touch_baths(model, v, noise, heat)
            second_half(scheme, network, x, v, force, spare)
        edge = model.edge[(part + 1) % segments]
        _move_force(network, x, force, edge, work)
        done = segment + 1 - burn_in
        if done > 0 and done % plan.segments_per_row == 0:
            row = done // plan.segments_per_row - 1
            _note_edge(network, edge, x, v, rows, begin, row + 1)
            # A row of several segments is whole periods: it began at the same force it ends at.
            opened = model.edge[part] if plan.segments_per_row == 1 else edge
            _book_row(network, opened, edge, heat, work, rows, begin, row)
