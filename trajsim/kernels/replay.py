"""One trajectory of spins flip by flip: the same draws as the kernels', each flip written down.

The kernels keep sums only. Here a segment that they have run is run again from where it began, one
proposal after the other, by the same tables, numbers and elementary functions.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.elementary import log
from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import bare, read, write
from trajsim.kernels.fields import field_of
from trajsim.kernels.lanes import Laned
from trajsim.kernels.random import inside, multiply_high, next_bits, unit
from trajsim.kernels.rejection import choose, place, sites_of, sort
from trajsim.models.law_functions import flip_rate
from trajsim.models.spins import flip_energy


class Flips(NamedTuple):
    """Flips of one segment, in their order.

    when (k,), parts of the segment that are over; site (k,); field (k,), of the site just then.
    """

    when: NDArray[np.float64]
    site: NDArray[np.int64]
    field: NDArray[np.float64]


def replay(model: Any, replicas: Any, part: int) -> Flips:
    """Flips of one trajectory's segment.

    Parameters
    ----------
    model : what `trajsim.kernels.jump.prepare` made
    replicas : of one trajectory, as they were when the segment began; moved on
    part : number of the segment in its period
    """
    run = _by_state if isinstance(model, Laned) else _by_class
    room = 64
    while True:
        found = Flips(np.empty(room), np.empty(room, np.int64), np.empty(room))
        stream, spins, ahead = (part_.copy() for part_ in replicas)
        flips = run(model, stream[0], spins[0], ahead, part, found)
        if flips <= room:
            replicas.stream[:], replicas.spins[:], replicas.ahead[:] = stream, spins, ahead
            return Flips(found.when[:flips], found.site[:flips], found.field[:flips])
        room = flips


class Books(NamedTuple):
    """What one trajectory of n spins has gained so far; moved on by `book`.

    spins (n,); field (drives,), of the driven sites; bonds (1,), energy of the bonds; heat (baths,)
    and work (drives,) since the books were opened.
    """

    spins: NDArray[np.int8]
    field: NDArray[np.float64]
    bonds: NDArray[np.float64]
    heat: NDArray[np.float64]
    work: NDArray[np.float64]


class Lines(NamedTuple):
    """Where `book` writes what is so after each event: all arrays have a line an event."""

    state: NDArray[np.int8]
    field: NDArray[np.float64]
    energy: NDArray[np.float64]
    heat: NDArray[np.float64]
    work: NDArray[np.float64]


@compiled
def book(network, driven, books, flips, fields, lines):
    """Book the flips of a segment and, last, its end.

    Between flips W_i += -s_i dh_i; a flip takes 2 s_i (sum_j J_ij s_j + h_i) from its bath.

    Parameters
    ----------
    network : SpinNetwork
    driven : (drives,) sites that have a drive
    books : Books, moved on
    flips : Flips, k of them
    fields : (k + 1, drives), fields of the driven sites at each flip and at the end
    lines : Lines (k + 1, ...), filled
    """
    for k in range(len(fields)):
        total = 0.0
        for d in range(len(driven)):
            books.work[d] -= books.spins[driven[d]] * (fields[k, d] - books.field[d])
            books.field[d] = fields[k, d]
        if k < len(flips.site):
            # The field as the kernel had it.
            i, h = flips.site[k], flips.field[k]
            books.heat[network.bath[i]] += flip_energy(network, books.spins, i, h)
            books.bonds[0] += flip_energy(network, books.spins, i, 0.0)
            books.spins[i] = -books.spins[i]
        for d in range(len(driven)):
            total += books.spins[driven[d]] * books.field[d]
        lines.state[k], lines.field[k] = books.spins, books.field
        lines.heat[k], lines.work[k] = books.heat, books.work
        lines.energy[k] = books.bonds[0] - total


@compiled
def _note(found, k, when, site, field):
    """Write down flip k where there is room."""
    if k < len(found.when):
        found.when[k], found.site[k], found.field[k] = when, site, field


@compiled
def _by_state(model, stream, spins, ahead, part, found):
    """As `trajsim.kernels.lanes` does it; the number of flips."""
    n, p, harmonics = len(model.sites), len(model.places), len(model.harmonics)
    fields, state, count = bare(model).fields, 0, 0
    for i in range(n):
        state |= (1 if spins[i] < 0 else 0) << i
    now = ahead[0]
    if now < 0.0:
        now = -log(inside(next_bits(stream))) * model.pause[state]
    while now < 1.0:
        mark = unit(next_bits(stream)) * model.total[state]
        pause = log(inside(next_bits(stream)))
        # The last site whose turn has come.
        site = p - 1
        while model.below[(site << n) + state] > mark:
            site -= 1
        low = model.below[(site << n) + state] if site > 0 else 0.0
        field = field_of(fields, harmonics, p, site, part + now)
        aligned = field if (state >> site) & 1 == 0 else -field
        local = model.local[(site << n) + state]
        if mark - low < flip_rate(model.law, local, aligned * model.fields.beta[site]):
            _note(found, count, now, site, field)
            count += 1
            state ^= 1 << site
        now -= pause * model.pause[state]
    for i in range(n):
        spins[i] = 1 - 2 * ((state >> i) & 1)
    ahead[0] = now - 1.0
    return count


@compiled
def _by_class(model, stream, spins, ahead, part, found):
    """As `trajsim.kernels.rejection` does it; the number of flips."""
    return _with_sites(model, stream, spins, ahead, part, found, sites_of(len(spins)))


@compiled
def _with_sites(model_, stream, spins_, ahead, part, found, sites_):
    """`_by_class` with room for the sites."""
    model, spins, sites, n = bare(model_), bare(spins_), bare(sites_), len(spins_)
    network, harmonics, count = model.network, len(model_.harmonics), 0
    total = sort(model, sites, spins, 0, n)
    now = ahead[0]
    if now < 0.0:
        now = -log(inside(next_bits(stream))) / (model.unit * total)
    while now < 1.0:
        mark = np.int64(multiply_high(next_bits(stream), np.uint64(total)))
        i, level = choose(sites, n, mark)
        spin, field = read(spins, i), field_of(model.fields, harmonics, n, i, part + now)
        x = spin * field * read(model.fields.beta, i)
        height = model.unit * (1 << level)
        if unit(next_bits(stream)) * height < flip_rate(model.law, read(sites.local, i), x):
            _note(found, count, now, i, field)
            count += 1
            write(spins, i, -spin)
            total += place(model, sites, spins, 0, n, i)
            for k in range(read(network.first, i), read(network.first, i + 1)):
                total += place(model, sites, spins, 0, n, read(network.neighbour, k))
        now -= log(inside(next_bits(stream))) / (model.unit * total)
    ahead[0] = now - 1.0
    return count
