"""What a spin trajectory writes into its ledger: the one home of the heat and work of spins.

While time runs, a kernel only adds up, for each site, what its flips took from the bonds,
sum of 2 s_i sum_j J_ij s_j, and what they did in the field, int h ds = sum of -2 s_i h_i.
At the end of a segment these become heat and work.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.jit import compiled
from trajsim.simd import read, write


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
    """Number of rows a trajectory; as many zeros as there are sites, baths and drives.

    The lengths of tuples are known when a kernel is compiled: short loops over them are unrolled.
    """

    rows: int
    sites: tuple[int, ...]
    baths: tuple[int, ...]
    drives: tuple[int, ...]


class Sums(NamedTuple):
    """Sums over the flips of a segment, (n * lanes,) each: the lanes of site 0 first.

    flips, their number; exchange, energy put into the bonds; field, int h ds; aligned, s_i h_i
    where the segment began.
    """

    flips: NDArray[np.float64]
    exchange: NDArray[np.float64]
    field: NDArray[np.float64]
    aligned: NDArray[np.float64]


@compiled(inline=True)
def open_row(shape, rows, line):
    """Empty row `line` of all rows."""
    baths, drives = len(shape.baths), len(shape.drives)
    for bath in range(baths):
        write(rows.heat, line * baths + bath, 0.0)
    for drive in range(drives):
        write(rows.work, line * drives + drive, 0.0)
        write(rows.exclusive_work, line * drives + drive, 0.0)
    for i in range(len(shape.sites)):
        write(rows.flips, line * len(shape.sites) + i, 0)


@compiled(inline=True)
def book_site(shape, bath, drive, aligned, sums, at, i, rows, line):
    """Book to a row what spin i did in a segment, summed up at `at`; s_i h_i is now `aligned`."""
    field = read(sums.field, at)
    heat, count = line * len(shape.baths) + bath, line * len(shape.sites) + i
    write(rows.heat, heat, read(rows.heat, heat) + read(sums.exchange, at) - field)
    write(rows.flips, count, read(rows.flips, count) + np.int32(read(sums.flips, at)))
    if drive >= 0:
        work = line * len(shape.drives) + drive
        # -int s dh = int h ds - what s h has grown by.
        inclusive = field - (aligned - read(sums.aligned, at))
        write(rows.work, work, read(rows.work, work) + inclusive)
        write(rows.exclusive_work, work, read(rows.exclusive_work, work) + field)
