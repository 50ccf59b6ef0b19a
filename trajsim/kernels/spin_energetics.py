"""Heat and work of spins, and their rows of the ledger.

During a segment a kernel only sums, for each site, the energy that its flips put into the bonds,
2 s_i sum_j J_ij s_j, and the exclusive work of the field, int h ds = sum of -2 s_i h_i. At the end
of the segment these give heat and work.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import read, write


class Rows(NamedTuple):
    """Ledger of m trajectories; the columns are described in `trajsim.ledger`.

    heat (m, row, bath), work and exclusive_work (m, row, drive), energy (m, row + 1),
    flips (m, row, n) int32, state (m, row + 1, n) int8. Whatever they hold is overwritten.
    """

    heat: NDArray[np.float64]
    work: NDArray[np.float64]
    exclusive_work: NDArray[np.float64]
    energy: NDArray[np.float64]
    flips: NDArray[np.int32]
    state: NDArray[np.int8]


class Shape(NamedTuple):
    """Numbers of rows a trajectory, sites, baths and drives."""

    rows: int
    sites: int
    baths: int
    drives: int


class Sums(NamedTuple):
    """Sums over the flips of a segment, (n * lanes,) each: the lanes of site 0 first.

    flips, their number; exchange, energy put into the bonds; field, int h ds; before and after,
    s_i h_i at the start and at the end of the segment.
    """

    flips: NDArray[np.float64]
    exchange: NDArray[np.float64]
    field: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]


@compiled(inline=True)
def add_to_row(shape, network, sums, lane, lanes, rows, index, empty):
    """Add the sums of a segment, in one of `lanes` lanes, to a row, or write them if `empty`.

    Parameters
    ----------
    shape : Shape
    network : with `bath` and `driven` of the sites
    sums : Sums of the segment
    lane, lanes : which lane, and how many there are
    rows : Rows, written
    index : of the row among those of all trajectories
    empty : whether nothing was added to it before
    """
    n, baths, drives = shape.sites, shape.baths, shape.drives
    for bath in range(baths):
        slot = index * baths + bath
        heat = 0.0 if empty else read(rows.heat, slot)
        for i in range(n):
            flip_heat = read(sums.exchange, i * lanes + lane) - read(sums.field, i * lanes + lane)
            heat += flip_heat if read(network.bath, i) == bath else 0.0
        write(rows.heat, slot, heat)
    for i in range(n):
        slot, drive = i * lanes + lane, read(network.driven, i)
        count = 0 if empty else read(rows.flips, index * n + i)
        write(rows.flips, index * n + i, np.int32(count + np.int32(read(sums.flips, slot))))
        if drive >= 0:
            # -int s dh = int h ds - change of s h.
            exclusive = read(sums.field, slot)
            inclusive = exclusive - (read(sums.after, slot) - read(sums.before, slot))
            slot = index * drives + drive
            write(rows.work, slot, inclusive + (0.0 if empty else read(rows.work, slot)))
            exclusive += 0.0 if empty else read(rows.exclusive_work, slot)
            write(rows.exclusive_work, slot, exclusive)


@compiled(inline=True)
def begin_segment(shape, sums, lane, lanes):
    """Reset the sums of a lane; its segment begins at the end of the last.

    Parameters
    ----------
    shape : Shape
    sums : Sums, updated
    lane, lanes : which lane, and how many there are
    """
    for i in range(shape.sites):
        slot = i * lanes + lane
        write(sums.flips, slot, 0.0)
        write(sums.exchange, slot, 0.0)
        write(sums.field, slot, 0.0)
        write(sums.before, slot, read(sums.after, slot))
