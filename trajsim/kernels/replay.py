"""One trajectory of spins flip by flip: the kernels' random numbers, with a record of each flip.

The kernels keep sums only. Here a segment is run again from its start, one proposal after the
other, with the same tables, random numbers and elementary functions.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.elementary import log
from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import bare, read, write
from trajsim.kernels.contacts import multiplied, spin_of
from trajsim.kernels.lanes import LaneModel
from trajsim.kernels.moving import bonds_at
from trajsim.kernels.random import inside, multiply_high, next_bits, unit
from trajsim.kernels.rejection import choose, empty_classes, rate_of, reclassify, sort
from trajsim.kernels.waves import wave_at
from trajsim.models.law_functions import flip_rate
from trajsim.models.spins import flip_energy


class Flips(NamedTuple):
    """Flips of one segment, in their order.

    when (k,), time since the start of the segment, in segments; contact (k,), by which the spin was
    flipped; field (k,) of the spin.
    """

    when: NDArray[np.float64]
    contact: NDArray[np.int64]
    field: NDArray[np.float64]


def replay(model: Any, replicas: Any, part: int) -> Flips:
    """Flips of one trajectory's segment.

    Parameters
    ----------
    model : from `trajsim.kernels.jump.prepare`
    replicas : of one trajectory at the start of the segment; updated
    part : number of the segment in its period
    """
    found = [_replay_cell(model, replicas, part * model.each + k) for k in range(model.each)]
    when, contact, field = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Flips(when / model.each, contact, field)


def _replay_cell(model: Any, replicas: Any, part: int) -> Flips:
    """Flips of one trajectory's segment of the model, from the start of the run's."""
    m = len(model.network.bath)
    of_classes = () if isinstance(model, LaneModel) else (empty_classes(m), m)
    run = _replay_classes if of_classes else _replay_lanes
    capacity = 64
    while True:
        flips = Flips(np.empty(capacity), np.empty(capacity, np.int64), np.empty(capacity))
        stream, spins, wait = (array.copy() for array in replicas)
        count = run(model, stream[0], spins[0], wait, part, flips, *of_classes)
        if count <= capacity:
            replicas.stream[:], replicas.spins[:], replicas.wait[:] = stream, spins, wait
            when = flips.when[:count] + part % model.each
            return Flips(when, flips.contact[:count], flips.field[:count])
        capacity = count


class Totals(NamedTuple):
    """State of one trajectory of n spins, and its heats and works so far.

    spins (n,); field (drives,), the driven parameters; bonds (1,), energy of the bonds that are not
    driven; heat (baths,) and work (drives,) since the totals were opened.
    """

    spins: NDArray[np.int8]
    field: NDArray[np.float64]
    bonds: NDArray[np.float64]
    heat: NDArray[np.float64]
    work: NDArray[np.float64]


class EventTable(NamedTuple):
    """State, field, energy, heats and works so far after each event, along the first axis."""

    state: NDArray[np.int8]
    field: NDArray[np.float64]
    energy: NDArray[np.float64]
    heat: NDArray[np.float64]
    work: NDArray[np.float64]


@compiled
def record_flips(network, one, other, totals, flips, fields, table):
    """Record the flips of a segment and, last, its end.

    Between flips W_i += -s_i dh_i, and of a coupling -s_i s_j dJ; a flip takes
    2 s_i (sum_j J_ij s_j + h_i) from its bath.

    Parameters
    ----------
    network : SpinNetwork
    one, other : (drives,) site of each driven field, and the sites of a coupling; else -1
    totals : Totals, updated
    flips : Flips, k of them
    fields : (k + 1, drives), driven parameters at each flip and at the end
    table : EventTable (k + 1, ...), written
    """
    for k in range(len(fields)):
        total, spins = 0.0, totals.spins
        for d in range(len(one)):
            product = spins[one[d]] * (spins[other[d]] if other[d] >= 0 else 1)
            totals.work[d] -= product * (fields[k, d] - totals.field[d])
            totals.field[d] = fields[k, d]
        if k < len(flips.contact):
            # The field with the kernel's rounding.
            c, h = flips.contact[k], flips.field[k]
            i = network.site[c]
            for d in range(len(one)):
                if other[d] >= 0 and (one[d] == i or other[d] == i):
                    h += fields[k, d] * spins[other[d] if one[d] == i else one[d]]
            totals.heat[network.bath[c]] += flip_energy(network, totals.spins, c, h)
            totals.bonds[0] += flip_energy(network, totals.spins, c, 0.0)
            totals.spins[i] = -totals.spins[i]
        for d in range(len(one)):
            product = spins[one[d]] * (spins[other[d]] if other[d] >= 0 else 1)
            total += product * totals.field[d]
        table.state[k], table.field[k] = totals.spins, totals.field
        table.heat[k], table.work[k] = totals.heat, totals.work
        table.energy[k] = totals.bonds[0] - total


@compiled
def _write_flip(flips, k, when, contact, field):
    """Write flip k if the arrays are long enough."""
    if k < len(flips.when):
        flips.when[k], flips.contact[k], flips.field[k] = when, contact, field


@compiled
def _replay_lanes(model, stream, spins, wait, part, flips):
    """As `trajsim.kernels.lanes` does it; the number of flips."""
    n, p = len(model.sites), len(model.places)
    fields, state, count = bare(model).fields, 0, 0
    cell, following = (part % model.parts) << n, ((part + 1) % model.parts) << n
    for i in range(n):
        state |= (1 if spins[i] < 0 else 0) << i
    now = wait[0]
    if now < 0.0:
        now = -log(inside(next_bits(stream))) * model.pause[cell + state]
    while now < 1.0:
        mark = unit(next_bits(stream)) * model.total[cell + state]
        pause = log(inside(next_bits(stream)))
        # The last contact whose cumulative rate is not above the mark.
        c, first = p - 1, p * cell + state
        while model.below[first + (c << n)] > mark:
            c -= 1
        low = model.below[first + (c << n)] if c > 0 else 0.0
        field, site = wave_at(fields, p, c, part + now), spin_of(bare(model), c)
        aligned, spin = field if (state >> site) & 1 == 0 else -field, spins[site]
        local, beta = model.local[(c << n) + state], model.beta[c]
        local, beta = bonds_at(bare(model), p, bare(spins), 0, spin, c, part + now, local, beta)
        if mark - low < multiplied(bare(model), c, flip_rate(model.law, local, aligned * beta)):
            _write_flip(flips, count, now, c, field)
            count += 1
            state ^= 1 << site
            spins[site] = -spin
        now -= pause * model.pause[cell + state]
    wait[0] = (now - 1.0) * (model.pause[following + state] / model.pause[cell + state])
    return count


@compiled
def _replay_classes(model_, stream, spins_, wait, part, flips, classes_, m):
    """The algorithm of `trajsim.kernels.rejection`, for m contacts; number of flips."""
    model, spins, classes, n = bare(model_), bare(spins_), bare(classes_), len(spins_)
    network, count, bounds = model.network, 0, part % model.parts
    total = sort(model, classes, spins, 0, m, bounds)
    now = wait[0]
    if now < 0.0:
        now = -log(inside(next_bits(stream))) / rate_of(model, total)
    while now < 1.0:
        mark = np.int64(multiply_high(next_bits(stream), np.uint64(total)))
        c, level = choose(classes, m, mark)
        i = spin_of(model, c)
        spin, field = read(spins, i), wave_at(model.fields, n, i, part + now)
        local, beta = read(classes.local, c), read(model.beta, c)
        local, beta = bonds_at(model, m, spins, 0, spin, c, part + now, local, beta)
        height = model.unit * (1 << level)
        true = multiplied(model, c, flip_rate(model.law, local, spin * field * beta))
        if unit(next_bits(stream)) * height < true:
            _write_flip(flips, count, now, c, field)
            count += 1
            write(spins, i, -spin)
            total += reclassify(model, classes, spins, 0, m, bounds, i)
            for k in range(read(network.first, c), read(network.first, c + 1)):
                other = read(network.neighbour, k)
                total += reclassify(model, classes, spins, 0, m, bounds, other)
        now -= log(inside(next_bits(stream))) / rate_of(model, total)
    rate, total = rate_of(model, total), sort(model, classes, spins, 0, m, (part + 1) % model.parts)
    wait[0] = (now - 1.0) * (rate / rate_of(model, total))
    return count
