"""Heat, work and shadow work of oscillators, and their rows of the ledger.

Heat of a bath is the change of kinetic energy in the O steps of its sites; where motion is
overdamped, all change of energy while its sites move. Work is the change of energy when something
driven changes. At the edges of segments all has its true value, so the energy written there is H;
the remainder of dU in a row is its shadow work.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import WIDTH, load, read, spread, store, write
from trajsim.kernels.integrators import LANES, Sweep
from trajsim.models.oscillators import (
    linear_force,
    nonlinear_energy,
    nonlinear_force,
    potential,
)

Array = NDArray[np.float64]


class Rows(NamedTuple):
    """Ledger of m trajectories; the columns are described in `trajsim.ledger`.

    heat (m, row, bath), work and exclusive_work (m, row, drive), shadow_work (m, row),
    energy (m, row + 1), position and velocity (m, row + 1, n), entropy_flow (m, row, bath). The
    last two have no entries where motion is overdamped, and where no temperature is driven. All is
    overwritten.
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
    """Numbers of sites, baths, drives, thermal moves, trajectories, and rows of each."""

    sites: int
    baths: int
    drives: int
    moves: int
    trajectories: int
    rows: int


# Numbers of the lanes, LANES for each: positions and velocities of the sites and as much scratch
# space, heat of the baths, work of the drives, entropy flow from the baths, noise of thermal moves.


@compiled(inline=True)
def heat_at(sizes):
    """Offset of the first bath's heat."""
    return 4 * sizes.sites * LANES


@compiled(inline=True)
def work_at(sizes):
    """Offset of the first drive's work."""
    return (4 * sizes.sites + sizes.baths) * LANES


@compiled(inline=True)
def entropy_at(sizes):
    """Offset of the first bath's entropy flow."""
    return (4 * sizes.sites + sizes.baths + sizes.drives) * LANES


@compiled(inline=True)
def noise_at(sizes):
    """Offset of the first move's noise."""
    return (4 * sizes.sites + 2 * sizes.baths + sizes.drives) * LANES


@compiled(inline=True)
def o_step(model, numbers, sizes, k, step):
    """The O steps: all change of kinetic energy is heat.

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
        first = step * sizes.moves
    for j in range(sizes.moves):
        i = read(model.mover, j)
        velocity = (sizes.sites + i) * LANES + k
        before, noise = load(numbers, velocity), load(numbers, noise_at(sizes) + j * LANES + k)
        after = read(model.damping, j) * before + read(model.spread, first + j) * noise
        store(numbers, velocity, after)
        half_mass = 0.5 * read(model.network.mass, i)
        heat = half_mass * (after * after - before * before)
        _add_heat(model, numbers, sizes, k, first, j, heat)


@compiled(inline=True)
def relax(model, numbers, sizes, k, step):
    """Overdamped motion, one site after the other: all change of energy is heat.

    Under its linear forces a site moves exactly; the others wait. Nonlinear forces are the mean of
    those at both ends (Heun).

    Parameters
    ----------
    model, numbers, sizes, k, step : as for `o_step`
    """
    springs = row = 0
    if len(model.quadratic) > 0:
        springs = read(model.which, step) * read(model.network.springs.first, sizes.sites)
    if len(model.varying) > 0:
        row = step * sizes.moves
    for j in range(sizes.moves):
        i = read(model.mover, j)
        slot = i * LANES + k
        x, noise = load(numbers, slot), load(numbers, noise_at(sizes) + j * LANES + k)
        force = linear_force(model.network, model.springs, springs, numbers, k, LANES, i)
        force += read(model.held, step * sizes.sites + i)
        push, shift = read(model.push, row + j), read(model.spread, row + j) * noise
        after, heat = x + push * force + shift, spread(0.0)
        if len(model.nonlinear) > 0:
            heat -= nonlinear_energy(model.network, numbers, k, LANES, i, 1.0)
            begun = nonlinear_force(model.network, numbers, k, LANES, i)
            store(numbers, slot, after + push * begun)
            begun += nonlinear_force(model.network, numbers, k, LANES, i)
            after += (0.5 * push) * begun
        store(numbers, slot, after)
        if len(model.nonlinear) > 0:
            heat += nonlinear_energy(model.network, numbers, k, LANES, i, 1.0)
        moved = after - x
        heat += moved * (0.5 * read(model.bend, row + j) * moved - force)
        _add_heat(model, numbers, sizes, k, row, j, heat)


@compiled(inline=True)
def _add_heat(model, numbers, sizes, k, first, j, heat):
    """Add the heat of move j, the number `first` + j of the tables, to that of its bath."""
    bath = read(model.source, j)
    slot = heat_at(sizes) + bath * LANES + k
    store(numbers, slot, load(numbers, slot) + heat)
    if len(model.heated) > 0:
        slot = entropy_at(sizes) + bath * LANES + k
        store(numbers, slot, load(numbers, slot) + heat * read(model.beta, first + j))


def thermal_moves(scheme: Any, model: Any, numbers: Any, sizes: Any, k: int, step: int) -> None:
    """What baths do in a step: O steps, or all of the motion if it is overdamped.

    Parameters
    ----------
    scheme : of the model
    model, numbers, sizes, k, step : as for `o_step`
    """
    (relax if type(scheme) is Sweep else o_step)(model, numbers, sizes, k, step)


@overload(thermal_moves, inline="always")
def _thermal_moves(scheme, model, numbers, sizes, k, step):
    def sites_move(scheme, model, numbers, sizes, k, step):
        relax(model, numbers, sizes, k, step)

    def velocities_change(scheme, model, numbers, sizes, k, step):
        o_step(model, numbers, sizes, k, step)

    return sites_move if scheme.instance_class is Sweep else velocities_change


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
            if len(model.massless) == 0:
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
            if len(model.massless) == 0:
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
