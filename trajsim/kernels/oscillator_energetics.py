"""Heat, work and shadow work of oscillators, and their rows of the ledger.

Heat of a bath is the change of kinetic energy in the O steps of its sites; work is the change of
energy when something driven changes. At the edges of segments all has its true value, so the energy
written there is H; the remainder of dU in a row is its shadow work.
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
    energy (m, row + 1), position and velocity (m, row + 1, n), entropy_flow (m, row, bath), without
    entries where no temperature is driven. All is overwritten.
    """

    heat: Array
    work: Array
    exclusive_work: Array
    shadow_work: Array
    energy: Array
    position: Array
    velocity: Array
    entropy_flow: Array


class Sizes(NamedTuple):
    """Numbers of sites, baths, drives, trajectories, and rows of each."""

    sites: int
    baths: int
    drives: int
    trajectories: int
    rows: int


# Numbers of the lanes, LANES for each: positions and velocities of the sites and as much scratch
# space, noise of the sites, heat of the baths, work of the drives, entropy flow from the baths.


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
def entropy_at(sizes):
    """Offset of the first bath's entropy flow."""
    return (5 * sizes.sites + sizes.baths + sizes.drives) * LANES


@compiled(inline=True)
def o_step(model, numbers, sizes, k, step):
    """The O step: all change of kinetic energy is heat.

    Parameters
    ----------
    model : Oscillation
    numbers : of the lanes
    sizes : Sizes
    k : first lane of the vector
    step : number of the step in the period
    """
    first = 0
    if len(model.heated) > 0:
        first = step * sizes.sites
    for i in range(sizes.sites):
        bath, velocity = read(model.network.bath, i), (sizes.sites + i) * LANES + k
        if bath >= 0:
            before, noise = load(numbers, velocity), load(numbers, noise_at(sizes) + i * LANES + k)
            after = read(model.damping, i) * before + read(model.spread, first + i) * noise
            store(numbers, velocity, after)
            slot, half_mass = heat_at(sizes) + bath * LANES + k, 0.5 * read(model.network.mass, i)
            heat = half_mass * (after * after - before * before)
            store(numbers, slot, load(numbers, slot) + heat)
            if len(model.heated) > 0:
                slot = entropy_at(sizes) + bath * LANES + k
                store(numbers, slot, load(numbers, slot) + heat * read(model.beta, first + i))


@compiled(inline=True)
def stretch_of(model, drive, memory, at, stride):
    """Position that a drive acts on, relative to that of the other end of its bond.

    Parameters
    ----------
    model : Oscillation
    drive : its number
    memory, at, stride : of positions of the sites, the first at `at`
    """
    x = load(memory, at + read(model.site, drive) * stride)
    if len(model.quadratic) > 0 and read(model.other, drive) >= 0:
        x -= load(memory, at + read(model.other, drive) * stride)
    return x


@compiled(inline=True)
def add_work(model, numbers, sizes, k, change):
    """Add the inclusive work of parameters that change at fixed positions.

    Parameters
    ----------
    model, numbers, sizes, k : as for `o_step`
    change : number of the change in the table of the model
    """
    for drive in range(sizes.drives):
        slot, terms = work_at(sizes) + drive * LANES + k, 3 * (change * sizes.drives + drive)
        x = stretch_of(model, drive, numbers, k, LANES)
        work = read(model.change, terms) * x
        if len(model.quadratic) > 0:
            work += read(model.change, terms + 1) * x * x + read(model.change, terms + 2)
        store(numbers, slot, load(numbers, slot) + work)


@compiled(inline=True)
def write_edge(model, part, numbers, spare, sizes, rows, begin, edge):
    """Write the states of the lanes, and H, at an edge between two rows.

    Parameters
    ----------
    model, numbers, sizes : as for `o_step`
    part : edge of the period whose parameters count
    spare : memory for LANES energies
    rows : Rows, written
    begin : first trajectory in the lanes
    edge : number of the edge
    """
    n, each = sizes.sites, sizes.rows + 1
    first = 0
    if len(model.quadratic) > 0:
        springs = read(model.network.springs.first, n)
        first = read(model.which, model.steps + 1 + part) * springs
    for k in range(0, LANES, WIDTH):
        energy = spread(read(model.energy, part))
        for i in range(n):
            speed = load(numbers, (n + i) * LANES + k)
            energy += 0.5 * read(model.network.mass, i) * speed * speed
            energy += potential(model.network, model.springs, first, numbers, k, LANES, i)
            energy -= read(model.edge, part * n + i) * load(numbers, i * LANES + k)
        store(spare, k, energy)
    for k in range(min(LANES, sizes.trajectories - begin)):
        index = (begin + k) * each + edge
        write(rows.energy, index, read(spare, k))
        for i in range(n):
            write(rows.position, index * n + i, read(numbers, i * LANES + k))
            write(rows.velocity, index * n + i, read(numbers, (n + i) * LANES + k))


@compiled(inline=True)
def add_to_row(model, numbers, sizes, rows, begin, row, empty):
    """Add heats and works to a row, or write them if the row is `empty`.

    Parameters
    ----------
    model, numbers, sizes : as for `o_step`
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
        for bath in range(baths if len(model.heated) > 0 else 0):
            entry = index * baths + bath
            flow = read(numbers, entropy_at(sizes) + bath * LANES + k)
            write(
                rows.entropy_flow, entry, flow + (0.0 if empty else read(rows.entropy_flow, entry))
            )


@compiled(inline=True)
def close_row(model, sizes, rows, begin, row, opened, closed):
    """Write shadow and exclusive work of a row between the edges `opened` and `closed`.

    Parameters
    ----------
    model, sizes : as for `o_step`
    rows : Rows, written
    begin : first trajectory in the lanes
    row : number of the row
    opened, closed : edges of the period at which it begins and ends
    """
    baths, drives = sizes.baths, sizes.drives
    for k in range(min(LANES, sizes.trajectories - begin)):
        index = (begin + k) * sizes.rows + row
        edge = index + begin + k
        shadow = read(rows.energy, edge + 1) - read(rows.energy, edge)
        for bath in range(baths):
            shadow -= read(rows.heat, index * baths + bath)
        for drive in range(drives):
            work = read(rows.work, index * drives + drive)
            shadow -= work
            # Exclusive work is less by the change of the driven term.
            after = term_of(model, sizes, rows, edge + 1, closed, drive)
            before = term_of(model, sizes, rows, edge, opened, drive)
            write(rows.exclusive_work, index * drives + drive, work - (after - before))
        write(rows.shadow_work, index, shadow)


@compiled(inline=True)
def term_of(model, sizes, rows, edge, part, drive):
    """The driven term of H at an edge of the rows, which is edge `part` of the period.

    Parameters
    ----------
    model, sizes : as for `o_step`
    rows : Rows
    edge : number of the edge, of all trajectories
    part : edge of the period
    drive : number of the drive
    """
    terms = 3 * (part * sizes.drives + drive)
    x = read(rows.position, edge * sizes.sites + read(model.site, drive))
    if len(model.quadratic) > 0 and read(model.other, drive) >= 0:
        x -= read(rows.position, edge * sizes.sites + read(model.other, drive))
    energy = read(model.term, terms) * x
    if len(model.quadratic) > 0:
        energy += read(model.term, terms + 1) * x * x + read(model.term, terms + 2)
    return energy
