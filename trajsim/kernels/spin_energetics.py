"""Heat and work of spins, and their rows of the ledger.

While time runs, a kernel only adds up, for each contact of a site with a bath, what its flips took
from the bonds, sum of 2 s_i sum_j J_ij s_j, and what they did in the field, int h ds = sum of
-2 s_i h_i; and for each driven bond int J d(s_i s_j). At the end of a segment these become heat and
work.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import read, write


class Rows(NamedTuple):
    """Ledger of m trajectories; the columns are described in `trajsim.ledger`.

    heat (m, row, bath), work and exclusive_work (m, row, drive), energy (m, row + 1),
    flips (m, row, n) int32, state (m, row + 1, n) int8; entropy_flow (m, row, bath), of no baths
    where no temperature is driven. Whatever they hold is overwritten.
    """

    heat: NDArray[np.float64]
    work: NDArray[np.float64]
    exclusive_work: NDArray[np.float64]
    energy: NDArray[np.float64]
    flips: NDArray[np.int32]
    state: NDArray[np.int8]
    entropy_flow: NDArray[np.float64] = np.zeros((0, 0, 0))


class Shape(NamedTuple):
    """Numbers of rows a trajectory, sites, contacts, baths, drives, driven bonds and baths.

    The last is that of all baths where some temperature is driven, else 0.
    """

    rows: int
    sites: int
    contacts: int
    baths: int
    drives: int
    bonds: int
    heated: int


class Sums(NamedTuple):
    """Sums over the flips of a segment, by m contacts of n sites: the lanes of the first one first.

    flips (m * lanes,), their number; exchange (m * lanes,), energy put into the bonds; driving
    ((m + bonds) * lanes,), int h ds at the contacts and int J d(s_i s_j) of driven bonds; before
    and after ((n + bonds) * lanes,), s_i h_i and J s_i s_j where the segment began and where it has
    come to its end; entropy (m * lanes,), heats over the temperature of their instant, if any is
    driven.
    """

    flips: NDArray[np.float64]
    exchange: NDArray[np.float64]
    driving: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    entropy: NDArray[np.float64]


def empty_sums(shape: Shape, lanes: int) -> Sums:
    """Sums, all 0."""
    contacts, terms = shape.contacts * lanes, (shape.sites + shape.bonds) * lanes
    return Sums(
        np.zeros(contacts),
        np.zeros(contacts),
        np.zeros(contacts + shape.bonds * lanes),
        np.zeros(terms),
        np.zeros(terms),
        np.zeros(contacts if shape.heated else 0),
    )


@compiled(inline=True)
def sum_of_site(shape, network, values, i, lane, lanes):
    """Sum of values (m * lanes,) over the contacts of site i, in a lane.

    Parameters
    ----------
    shape : Shape
    network : with `contact`
    values : such as Sums.flips
    i : site
    lane, lanes : which lane, and how many there are
    """
    # Where each site has one, the compiler knows which.
    if shape.contacts == shape.sites:
        return read(values, i * lanes + lane)
    total = 0.0
    for c in range(read(network.contact, i), read(network.contact, i + 1)):
        total += read(values, c * lanes + lane)
    return total


@compiled(inline=True)
def add_to_row(shape, network, sums, lane, lanes, rows, index, empty):
    """Add the sums of a segment, in one of `lanes` lanes, to a row, or write them if `empty`.

    Parameters
    ----------
    shape : Shape
    network : with `bath` and `contact`, and `driven` of the sites
    sums : Sums of the segment
    lane, lanes : which lane, and how many there are
    rows : Rows, written
    index : of the row among those of all trajectories
    empty : whether nothing was added to it before
    """
    n, m, baths, drives = shape.sites, shape.contacts, shape.baths, shape.drives
    for bath in range(baths):
        at = index * baths + bath
        heat = 0.0 if empty else read(rows.heat, at)
        for c in range(m):
            flip_heat = read(sums.exchange, c * lanes + lane) - read(sums.driving, c * lanes + lane)
            heat += flip_heat if read(network.bath, c) == bath else 0.0
        write(rows.heat, at, heat)
    for i in range(n):
        count = 0 if empty else read(rows.flips, index * n + i)
        flips = np.int32(sum_of_site(shape, network, sums.flips, i, lane, lanes))
        write(rows.flips, index * n + i, np.int32(count + flips))
    # Drives of bonds come after those of sites.
    for term in range(n + shape.bonds):
        at = term * lanes + lane
        drive = read(network.driven, term) if term < n else drives - shape.bonds + term - n
        if drive >= 0:
            # -int s dh = int h ds - what s h has grown by; likewise for bonds.
            if term < n:
                exclusive = sum_of_site(shape, network, sums.driving, term, lane, lanes)
            else:
                exclusive = read(sums.driving, at + (m - n) * lanes)
            inclusive = exclusive - (read(sums.after, at) - read(sums.before, at))
            at = index * drives + drive
            write(rows.work, at, inclusive + (0.0 if empty else read(rows.work, at)))
            exclusive += 0.0 if empty else read(rows.exclusive_work, at)
            write(rows.exclusive_work, at, exclusive)


@compiled(inline=True)
def add_entropy_to_row(shape, network, sums, lane, lanes, rows, index, empty):
    """Add entropy flows as `add_to_row` does heats; none where no temperature is driven.

    Parameters
    ----------
    shape, network, sums, lane, lanes, rows, index, empty : as for `add_to_row`
    """
    for bath in range(shape.heated):
        at = index * shape.baths + bath
        entropy = 0.0 if empty else read(rows.entropy_flow, at)
        for c in range(shape.contacts):
            if read(network.bath, c) == bath:
                entropy += read(sums.entropy, c * lanes + lane)
        write(rows.entropy_flow, at, entropy)


@compiled(inline=True)
def begin_segment(shape, sums, lane, lanes):
    """Reset the sums of a lane; its segment begins at the end of the last.

    Parameters
    ----------
    shape : Shape
    sums : Sums, updated
    lane, lanes : which lane, and how many there are
    """
    for c in range(shape.contacts):
        at = c * lanes + lane
        write(sums.driving, at, 0.0)
        write(sums.flips, at, 0.0)
        write(sums.exchange, at, 0.0)
        if shape.heated > 0:
            write(sums.entropy, at, 0.0)
    for bond in range(shape.bonds):
        write(sums.driving, (shape.contacts + bond) * lanes + lane, 0.0)
    for term in range(shape.sites + shape.bonds):
        at = term * lanes + lane
        write(sums.before, at, read(sums.after, at))
