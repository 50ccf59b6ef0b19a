"""What jumps of a network exchange in a segment, and their rows of the ledger."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import read, write

Array = NDArray[np.float64]


class Rows(NamedTuple):
    """Ledger of m trajectories; the columns are described in `trajsim.ledger`.

    heat (m, row, bath), work and exclusive_work (m, row, drive), energy (m, row + 1),
    jumps (m, row, bath) int32, state (m, row + 1) int32; entropy_flow (m, row, bath), of no baths
    where no temperature is driven; chemical_work and particles (m, row, bath), the latter int32, of
    no baths without particles. Whatever they hold is overwritten.
    """

    heat: Array
    work: Array
    exclusive_work: Array
    energy: Array
    jumps: NDArray[np.int32]
    state: NDArray[np.int32]
    entropy_flow: Array
    chemical_work: Array
    particles: NDArray[np.int32]


class Sums(NamedTuple):
    """What the jumps of a segment exchange.

    heat, jumps, particles, entropy (baths * lanes,), the lanes of the first bath first; driving
    ((drives + baths) * lanes,), exclusive work of the drives and then chemical works
    """

    heat: Array
    jumps: Array
    particles: Array
    entropy: Array
    driving: Array


def empty_sums(baths: int, drives: int, lanes: int) -> Sums:
    """Sums, all 0."""
    return Sums(
        np.zeros(baths * lanes),
        np.zeros(baths * lanes),
        np.zeros(baths * lanes),
        np.zeros(baths * lanes),
        np.zeros((drives + baths) * lanes),
    )


@compiled(inline=True)
def clear(model, sums, lane, lanes):
    """Reset the sums of a lane.

    Parameters
    ----------
    model : with `baths` and `drives`
    sums : Sums, updated
    lane, lanes : which lane, and how many there are
    """
    for b in range(model.baths):
        write(sums.heat, b * lanes + lane, 0.0)
        write(sums.jumps, b * lanes + lane, 0.0)
        write(sums.particles, b * lanes + lane, 0.0)
        write(sums.entropy, b * lanes + lane, 0.0)
    for d in range(model.drives + model.baths):
        write(sums.driving, d * lanes + lane, 0.0)


@compiled(inline=True)
def held_at(model, x, edge):
    """Driven energy of state x at an edge of the segments; 0 of others."""
    if read(model.held, x) < 0:
        return 0.0
    return read(model.edges, edge * model.moving.places + read(model.which, x))


@compiled(inline=True)
def add_to_row(model, sums, lane, lanes, rows, index, heated, fresh):
    """Add the sums of a segment to a row, or write them if nothing was added to it before.

    Parameters
    ----------
    model : with `baths`, `drives` and `exchanging`
    sums : Sums of the segment
    lane, lanes : which lane, and how many there are
    rows : Rows, written
    index : of the row among those of all trajectories
    heated : baths with entropy flows
    fresh : whether nothing was added to it before
    """
    baths, drives = model.baths, model.drives
    for b in range(baths):
        at, own = index * baths + b, b * lanes + lane
        write(rows.heat, at, read(sums.heat, own) + (0.0 if fresh else read(rows.heat, at)))
        made = np.int32(read(sums.jumps, own)) + (0 if fresh else read(rows.jumps, at))
        write(rows.jumps, at, np.int32(made))
    for b in range(model.exchanging):
        at, own = index * baths + b, b * lanes + lane
        taken = np.int32(read(sums.particles, own)) + (0 if fresh else read(rows.particles, at))
        write(rows.particles, at, np.int32(taken))
        work = read(sums.driving, drives * lanes + own)
        write(rows.chemical_work, at, work + (0.0 if fresh else read(rows.chemical_work, at)))
    for b in range(heated):
        at = index * baths + b
        flow = read(sums.entropy, b * lanes + lane)
        write(rows.entropy_flow, at, flow + (0.0 if fresh else read(rows.entropy_flow, at)))
    for d in range(drives):
        at = index * drives + d
        done = read(sums.driving, d * lanes + lane)
        write(rows.work, at, done + (0.0 if fresh else read(rows.work, at)))
        exclusive = done + (0.0 if fresh else read(rows.exclusive_work, at))
        write(rows.exclusive_work, at, exclusive)


@compiled(inline=True)
def add_held(model, rows, index, drive, value):
    """Add what a driven energy is to its work: inclusive work is exclusive work and its growth.

    Parameters
    ----------
    model : with `drives`
    rows : Rows, updated
    index : of the row among those of all trajectories
    drive : number of the drive, -1 for none
    value : the energy at the end of a segment, less of it at the beginning
    """
    if drive >= 0:
        at = index * model.drives + drive
        write(rows.work, at, read(rows.work, at) + value)
