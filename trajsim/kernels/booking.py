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
    """Numbers of rows a trajectory, baths and drives."""

    rows: int
    baths: int
    drives: int


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
def open_row(n, shape, rows, line):
    """Empty row `line` of all rows of n sites."""
    for bath in range(shape.baths):
        write(rows.heat, line * shape.baths + bath, 0.0)
    for drive in range(shape.drives):
        write(rows.work, line * shape.drives + drive, 0.0)
        write(rows.exclusive_work, line * shape.drives + drive, 0.0)
    for i in range(n):
        write(rows.flips, line * n + i, 0)


@compiled(inline=True)
def book_site(n, shape, bath, drive, aligned, sums, at, i, rows, line):
    """Book to a row what spin i did in a segment, summed up at `at`; s_i h_i is now `aligned`."""
    field = read(sums.field, at)
    heat, count = line * shape.baths + bath, line * n + i
    write(rows.heat, heat, read(rows.heat, heat) + read(sums.exchange, at) - field)
    write(rows.flips, count, read(rows.flips, count) + np.int32(read(sums.flips, at)))
    if drive >= 0:
        work = line * shape.drives + drive
        # -int s dh = int h ds - what s h has grown by.
        inclusive = field - (aligned - read(sums.aligned, at))
        write(rows.work, work, read(rows.work, work) + inclusive)
        write(rows.exclusive_work, work, read(rows.exclusive_work, work) + field)


@compiled(inline=True)
def note_state(n, spin, i, rows, edge):
    """Write spin i at edge `edge` of all edges of n sites."""
    write(rows.state, edge * n + i, spin)
