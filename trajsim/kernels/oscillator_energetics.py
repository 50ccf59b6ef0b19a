"""What an oscillator trajectory writes into its ledger: the one home of their heat and work.

Heat of a bath is the change of kinetic energy in the O steps of its sites; work is the change of
energy when the forces move. At the edges of segments the forces are at their true values, so the
energy written there is H; what remains of dU in a row is its shadow work.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import WIDTH, load, read, spread, store, write
from trajsim.kernels.integrators import LANES
from trajsim.models.oscillators import potential

Array = NDArray[np.float64]


class Rows(NamedTuple):
    """Ledger of m trajectories; the columns are described in `trajsim.ledger`.

    heat (m, row, bath), work and exclusive_work (m, row, drive), shadow_work (m, row),
    energy (m, row + 1), position and velocity (m, row + 1, n). All is overwritten.
    """

    heat: Array
    work: Array
    exclusive_work: Array
    shadow_work: Array
    energy: Array
    position: Array
    velocity: Array


class Sizes(NamedTuple):
    """Numbers of sites, baths, drives, trajectories, and rows of each."""

    sites: int
    baths: int
    drives: int
    trajectories: int
    rows: int


# Numbers of the lanes, LANES for each: positions and velocities of the sites and as much room,
# noise of the sites, heat of the baths, work of the drives.


@compiled(inline=True)
def noise_at(sizes):
    """Place of the first site's noise."""
    return 4 * sizes.sites * LANES


@compiled(inline=True)
def heat_at(sizes):
    """Place of the first bath's heat."""
    return 5 * sizes.sites * LANES


@compiled(inline=True)
def work_at(sizes):
    """Place of the first drive's work."""
    return (5 * sizes.sites + sizes.baths) * LANES


@compiled(inline=True)
def touch_baths(model, numbers, sizes, k):
    """The O step: all change of kinetic energy is heat."""
    for i in range(sizes.sites):
        bath, at = read(model.network.bath, i), (sizes.sites + i) * LANES + k
        if bath >= 0:
            before, noise = load(numbers, at), load(numbers, noise_at(sizes) + i * LANES + k)
            after = read(model.keep, i) * before + read(model.spread, i) * noise
            store(numbers, at, after)
            place, half_mass = heat_at(sizes) + bath * LANES + k, 0.5 * read(model.network.mass, i)
            gained = half_mass * (after * after - before * before)
            store(numbers, place, load(numbers, place) + gained)


@compiled(inline=True)
def move_force(model, numbers, sizes, k, before, at, after, to):
    """Book the work of forces that move while positions stay: inclusive, -x df."""
    for i in range(sizes.sites):
        drive = read(model.network.driven, i)
        if drive >= 0:
            place = work_at(sizes) + drive * LANES + k
            moved = read(after, to + i) - read(before, at + i)
            store(numbers, place, load(numbers, place) - moved * load(numbers, i * LANES + k))


@compiled(inline=True)
def note_edge(model, part, numbers, spare, sizes, rows, begin, edge):
    """Write the states of the lanes, and H under the true force, at an edge between two rows."""
    n, each = sizes.sites, sizes.rows + 1
    for k in range(0, LANES, WIDTH):
        energy = spread(0.0)
        for i in range(n):
            speed = load(numbers, (n + i) * LANES + k)
            energy += 0.5 * read(model.network.mass, i) * speed * speed
            energy += potential(model.network, numbers, k, LANES, i)
            energy -= read(model.edge, part * n + i) * load(numbers, i * LANES + k)
        store(spare, k, energy)
    for k in range(min(LANES, sizes.trajectories - begin)):
        line = (begin + k) * each + edge
        write(rows.energy, line, read(spare, k))
        for i in range(n):
            write(rows.position, line * n + i, read(numbers, i * LANES + k))
            write(rows.velocity, line * n + i, read(numbers, (n + i) * LANES + k))


@compiled(inline=True)
def book(numbers, sizes, rows, begin, row, fresh):
    """Add heats and works to a row, in which nothing is yet if `fresh`."""
    baths, drives = sizes.baths, sizes.drives
    for k in range(min(LANES, sizes.trajectories - begin)):
        line = (begin + k) * sizes.rows + row
        for bath in range(baths):
            at = line * baths + bath
            heat = read(numbers, heat_at(sizes) + bath * LANES + k)
            write(rows.heat, at, heat + (0.0 if fresh else read(rows.heat, at)))
        for drive in range(drives):
            at = line * drives + drive
            work = read(numbers, work_at(sizes) + drive * LANES + k)
            write(rows.work, at, work + (0.0 if fresh else read(rows.work, at)))


@compiled(inline=True)
def close_row(model, sizes, rows, begin, row, opened, closed):
    """Write what follows from a row's other entries; it began and ended at these edges' forces."""
    n, baths, drives = sizes.sites, sizes.baths, sizes.drives
    for k in range(min(LANES, sizes.trajectories - begin)):
        line = (begin + k) * sizes.rows + row
        edge = line + begin + k
        shadow = read(rows.energy, edge + 1) - read(rows.energy, edge)
        for bath in range(baths):
            shadow -= read(rows.heat, line * baths + bath)
        for i in range(n):
            drive = read(model.network.driven, i)
            if drive >= 0:
                work = read(rows.work, line * drives + drive)
                shadow -= work
                # int f dx = -int x df + what f x has grown by.
                grown = read(model.edge, closed * n + i) * read(rows.position, (edge + 1) * n + i)
                grown -= read(model.edge, opened * n + i) * read(rows.position, edge * n + i)
                write(rows.exclusive_work, line * drives + drive, work + grown)
        write(rows.shadow_work, line, shadow)
