"""Heat, work and shadow work of oscillators, and their rows of the ledger.

Heat of a bath is the change of kinetic energy in the O steps of its sites; work is the change of
energy when the forces change. At the edges of segments the forces have their true values, so the
energy written there is H; the remainder of dU in a row is its shadow work.
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


# Numbers of the lanes, LANES for each: positions and velocities of the sites and as much scratch
# space, noise of the sites, heat of the baths, work of the drives.


@compiled(inline=True)
def noise_at(sizes):
    """Offset of the first site's noise."""
    return 4 * sizes.sites * LANES


@compiled(inline=True)
def heat_at(sizes):
    """Offset of the first bath's heat."""
    return 5 * sizes.sites * LANES


@compiled(inline=True)
def work_at(sizes):
    """Offset of the first drive's work."""
    return (5 * sizes.sites + sizes.baths) * LANES


@compiled(inline=True)
def o_step(model, numbers, sizes, k):
    """The O step: all change of kinetic energy is heat.

    Parameters
    ----------
    model : Oscillation
    numbers : of the lanes
    sizes : Sizes
    k : first lane of the vector
    """
    for i in range(sizes.sites):
        bath, velocity = read(model.network.bath, i), (sizes.sites + i) * LANES + k
        if bath >= 0:
            before, noise = load(numbers, velocity), load(numbers, noise_at(sizes) + i * LANES + k)
            after = read(model.damping, i) * before + read(model.spread, i) * noise
            store(numbers, velocity, after)
            slot, half_mass = heat_at(sizes) + bath * LANES + k, 0.5 * read(model.network.mass, i)
            heat = half_mass * (after * after - before * before)
            store(numbers, slot, load(numbers, slot) + heat)


@compiled(inline=True)
def add_work(model, numbers, sizes, k, old, old_offset, new, new_offset):
    """Add the inclusive work -x df of forces that change at fixed positions.

    Parameters
    ----------
    model, numbers, sizes, k : as for `o_step`
    old, old_offset : memory and offset of the forces before
    new, new_offset : those after
    """
    for i in range(sizes.sites):
        drive = read(model.network.driven, i)
        if drive >= 0:
            slot = work_at(sizes) + drive * LANES + k
            change = read(new, new_offset + i) - read(old, old_offset + i)
            store(numbers, slot, load(numbers, slot) - change * load(numbers, i * LANES + k))


@compiled(inline=True)
def write_edge(model, part, numbers, spare, sizes, rows, begin, edge):
    """Write the states of the lanes, and H under the true force, at an edge between two rows.

    Parameters
    ----------
    model, numbers, sizes : as for `o_step`
    part : edge of the period whose force counts
    spare : memory for LANES energies
    rows : Rows, written
    begin : first trajectory in the lanes
    edge : number of the edge
    """
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
        index = (begin + k) * each + edge
        write(rows.energy, index, read(spare, k))
        for i in range(n):
            write(rows.position, index * n + i, read(numbers, i * LANES + k))
            write(rows.velocity, index * n + i, read(numbers, (n + i) * LANES + k))


@compiled(inline=True)
def add_to_row(numbers, sizes, rows, begin, row, empty):
    """Add heats and works to a row, or write them if the row is `empty`.

    Parameters
    ----------
    numbers, sizes : as for `o_step`
    rows : Rows, written
    begin : first trajectory in the lanes
    row : number of the row
    empty : whether nothing was added to it before
    """
    baths, drives = sizes.baths, sizes.drives
    for k in range(min(LANES, sizes.trajectories - begin)):
        index = (begin + k) * sizes.rows + row
        for bath in range(baths):
            entry = index * baths + bath
            heat = read(numbers, heat_at(sizes) + bath * LANES + k)
            write(rows.heat, entry, heat + (0.0 if empty else read(rows.heat, entry)))
        for drive in range(drives):
            entry = index * drives + drive
            work = read(numbers, work_at(sizes) + drive * LANES + k)
            write(rows.work, entry, work + (0.0 if empty else read(rows.work, entry)))


@compiled(inline=True)
def close_row(model, sizes, rows, begin, row, opened, closed):
    """Write shadow and exclusive work of a row between the forces at edges `opened`, `closed`.

    Parameters
    ----------
    model, sizes : as for `o_step`
    rows : Rows, written
    begin : first trajectory in the lanes
    row : number of the row
    opened, closed : edges of the period at which it begins and ends
    """
    n, baths, drives = sizes.sites, sizes.baths, sizes.drives
    for k in range(min(LANES, sizes.trajectories - begin)):
        index = (begin + k) * sizes.rows + row
        edge = index + begin + k
        shadow = read(rows.energy, edge + 1) - read(rows.energy, edge)
        for bath in range(baths):
            shadow -= read(rows.heat, index * baths + bath)
        for i in range(n):
            drive = read(model.network.driven, i)
            if drive >= 0:
                work = read(rows.work, index * drives + drive)
                shadow -= work
                # int f dx = -int x df + change of f x.
                ends = read(model.edge, closed * n + i) * read(rows.position, (edge + 1) * n + i)
                ends -= read(model.edge, opened * n + i) * read(rows.position, edge * n + i)
                write(rows.exclusive_work, index * drives + drive, work + ends)
        write(rows.shadow_work, index, shadow)
