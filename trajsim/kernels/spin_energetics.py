"""What a spin trajectory writes into its ledger: the one home of the heat and work of spins.

While time runs, a kernel only adds up, for each site, what its flips took from the bonds,
sum of 2 s_i sum_j J_ij s_j, and what they did in the field, int h ds = sum of -2 s_i h_i.
At the end of a segment these become heat and work.
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
    s_i h_i where the segment began and where it has come to its end.
    """

    flips: NDArray[np.float64]
    exchange: NDArray[np.float64]
    field: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]


@compiled(inline=True)
def book(shape, network, sums, lane, lanes, rows, line, fresh):
    """Book to a row a segment summed up in one of `lanes` lanes; `fresh`: nothing is in it yet."""
    n, baths, drives = shape.sites, shape.baths, shape.drives
    for bath in range(baths):
        at = line * baths + bath
        heat = 0.0 if fresh else read(rows.heat, at)
        for i in range(n):
            taken = read(sums.exchange, i * lanes + lane) - read(sums.field, i * lanes + lane)
            heat += taken if read(network.bath, i) == bath else 0.0
        write(rows.heat, at, heat)
    for i in range(n):
        at, drive = i * lanes + lane, read(network.driven, i)
        count = 0 if fresh else read(rows.flips, line * n + i)
        write(rows.flips, line * n + i, np.int32(count + np.int32(read(sums.flips, at))))
        if drive >= 0:
            # -int s dh = int h ds - what s h has grown by.
            exclusive = read(sums.field, at)
            inclusive = exclusive - (read(sums.after, at) - read(sums.before, at))
            at = line * drives + drive
            write(rows.work, at, inclusive + (0.0 if fresh else read(rows.work, at)))
            exclusive += 0.0 if fresh else read(rows.exclusive_work, at)
            write(rows.exclusive_work, at, exclusive)


@compiled(inline=True)
def begin_segment(shape, sums, lane, lanes):
    """Empty the sums of a lane; its segment begins where the last has come to its end."""
    for i in range(shape.sites):
        at = i * lanes + lane
        write(sums.flips, at, 0.0)
        write(sums.exchange, at, 0.0)
        write(sums.field, at, 0.0)
        write(sums.before, at, read(sums.after, at))
