"""Spins of networks of any size, one trajectory after the other; cost of a flip independent of n.

Composition and rejection (Slepoy, Thompson & Plimpton, J. Chem. Phys. 128, 205101, 2008): contacts
of sites with baths are sorted into classes by the power of two just above the bound of their rate.
A class is chosen by the number of its contacts times that power, a contact in it at random, and the
flip is accepted with the ratio of the true rate, at the field of that instant, to the power. Sums
over classes are sums of integers, without rounding.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.elementary import log
from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import bare, bits_of, highest, read, write
from trajsim.kernels.cells import Costs, cells_of
from trajsim.kernels.contacts import Contacts, contacts, contacts_of, multiplied, spin_of
from trajsim.kernels.edges import edge_of
from trajsim.kernels.moving import MovingBonds, add_driven, bonds_at, edges_of, moving_bonds
from trajsim.kernels.random import (
    inside,
    keep_stream,
    multiply_high,
    step,
    stream_at,
    unit,
)
from trajsim.kernels.spin_energetics import (
    Rows,
    Shape,
    add_entropy_to_row,
    add_to_row,
    begin_segment,
    empty_sums,
)
from trajsim.kernels.waves import Waves, per_segment, wave_at, waves_of
from trajsim.models.law_functions import flip_rate, join, start
from trajsim.models.spins import SpinNetwork, fastest_rates
from trajsim.plan import Plan

# Classes, one for each power of two; slower contacts join the last.
CLASSES = 44
# Numbers in an array of bounds at most; rates below SLOWEST are 0.
MOST_NUMBERS, SLOWEST = 1 << 20, 1e-290
U0, U1, U52 = np.uint64(0), np.uint64(1), np.uint64(52)


class ClassModel(NamedTuple):
    """A network of n sites with m contacts prepared for this kernel.

    shared : one zero, unless each site has one contact, at the rate of the law
    law : the rate law, per segment
    plan : whose segments are the cells of those of the run; the segments of this model
    each : how many they are
    parts : c, how many of them have bounds of their own
    like, unlike : (c * b,), low, high : (c * m,), those of the network in each
    fields : of the sites
    beta : (m,), 1 / T of each contact, if that is constant
    bonds : what is driven of bonds and temperatures
    edges : (segments + 1, n + bonds), fields and driven couplings at the edges of the segments
    unit : the power of two of the slowest class, and its exponent `base`
    """

    network: Contacts
    shared: tuple[int, ...]
    law: NamedTuple
    plan: Plan
    each: int
    parts: int
    like: NDArray[np.float64]
    unlike: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    fields: Waves
    beta: NDArray[np.float64]
    bonds: MovingBonds
    edges: NDArray[np.float64]
    unit: float
    base: int


class Classes(NamedTuple):
    """Classes of the contacts of a trajectory.

    local (m,), their bonds joined; level, slot (m,), class of each, -1 if it cannot flip, and index
    in it; members (CLASSES * m,), contacts of each class; counts (CLASSES,), how many; used (1,),
    bits of the classes that have any.
    """

    local: NDArray[np.float64]
    level: NDArray[np.int64]
    slot: NDArray[np.int64]
    members: NDArray[np.int64]
    counts: NDArray[np.int64]
    used: NDArray[np.uint64]


def prepare(network: SpinNetwork, plan: Plan) -> ClassModel:
    """Network ready for this kernel.

    Raises
    ------
    ValueError
        If there are more than 2**18 contacts.
    """
    n, m = len(network.driven), len(network.bath)
    if m > 1 << 18:
        raise ValueError(f"{m} contacts of sites with baths; allowed: at most {1 << 18}")
    most = MOST_NUMBERS // (m + len(network.bond))
    # Contacts are sorted anew where a cell begins.
    cells = cells_of(network, plan, most, Costs(proposal=1.0, end=0.1 * m))
    plan, law = cells.plan, per_segment(network, cells.plan)
    names = ("like", "unlike", "low", "high")
    bounds = {name: np.concatenate([getattr(x, name) for x in cells.networks]) for name in names}
    fastest = float(fastest_rates(network._replace(law=law)).max())
    base = math.frexp(fastest)[1] - CLASSES + 1
    return ClassModel(
        network=contacts(network),
        shared=() if network.plain else (0,),
        law=law,
        plan=plan,
        each=cells.each,
        parts=len(cells.networks),
        **bounds,
        fields=waves_of(network.drive, plan, n),
        beta=1.0 / network.temperature,
        bonds=moving_bonds(network, plan, m),
        edges=edges_of(network, plan),
        unit=2.0**base,
        base=base,
    )


def empty_classes(m: int) -> Classes:
    """Arrays for the classes of m contacts."""
    return Classes(
        np.zeros(m),
        np.zeros(m, np.int64),
        np.zeros(m, np.int64),
        np.zeros(CLASSES * m, np.int64),
        np.zeros(CLASSES, np.int64),
        np.zeros(1, np.uint64),
    )


@compiled(inline=True)
def reclassify(model, classes, spins, base, m, part, i):
    """Put the contacts of site i into the classes of their bounds; change of the total.

    Parameters
    ----------
    model : ClassModel
    classes : Classes, updated
    spins, base : memory of spins, and offset of the first
    m : number of contacts
    part : which of the bounds
    i : site
    """
    change = 0
    first, last = contacts_of(model, i)
    for c in range(first, last):
        change += _reclassify(model, classes, spins, base, m, part, read(spins, base + i), c)
    return change


@compiled(inline=True)
def _reclassify(model, classes, spins, base, m, part, spin, c):
    """`reclassify` of one contact, of which the spin is known."""
    network, local = model.network, start(model.law)
    bonds = part * read(network.first, m)
    for k in range(read(network.first, c), read(network.first, c + 1)):
        equal = read(spins, base + read(network.neighbour, k)) == spin
        likely = read(model.like, bonds + k) if equal else read(model.unlike, bonds + k)
        local = join(model.law, local, likely)
    write(classes.local, c, local)
    at = part * m + c
    x = read(model.low, at) if spin > 0 else -read(model.high, at)
    bound = multiplied(model, c, flip_rate(model.law, local, x))
    level = -1
    if bound > 0.0:
        # The power of two just above the bound.
        exponent = np.int64(bits_of(bound) >> U52) - 1022
        level = min(max(exponent - model.base, 0), CLASSES - 1)
    old, change = read(classes.level, c), 0
    if level == old:
        return 0
    if old >= 0:
        # The last member of the class takes the free slot.
        slot, count = read(classes.slot, c), read(classes.counts, old) - 1
        moved = read(classes.members, old * m + count)
        write(classes.members, old * m + slot, moved)
        write(classes.slot, moved, slot)
        write(classes.counts, old, count)
        change -= 1 << old
        if count == 0:
            write(classes.used, 0, read(classes.used, 0) & ~(U1 << np.uint64(old)))
    if level >= 0:
        slot = read(classes.counts, level)
        write(classes.members, level * m + slot, c)
        write(classes.slot, c, slot)
        write(classes.counts, level, slot + 1)
        change += 1 << level
        write(classes.used, 0, read(classes.used, 0) | (U1 << np.uint64(level)))
    write(classes.level, c, level)
    return change


@compiled(inline=True)
def sort(model, classes, spins, base, m, part):
    """Put all contacts into their classes, in order; the total of the classes.

    Parameters
    ----------
    model, classes, spins, base, m, part : as for `reclassify`
    """
    for level in range(CLASSES):
        write(classes.counts, level, 0)
    write(classes.used, 0, U0)
    total = 0
    for c in range(m):
        write(classes.level, c, -1)
        spin = read(spins, base + spin_of(model, c))
        total += _reclassify(model, classes, spins, base, m, part, spin, c)
    return total


@compiled(inline=True)
def rate_of(model, total):
    """Rate of all proposals from the total of the classes; never 0, for waits are told by it."""
    return max(model.unit * total, SLOWEST)


@compiled(inline=True)
def choose(classes, m, mark):
    """Contact and class at a mark below the total of all classes."""
    used = read(classes.used, 0)
    level = highest(used)
    while mark >= read(classes.counts, level) << level:
        mark -= read(classes.counts, level) << level
        used &= ~(U1 << np.uint64(level))
        level = highest(used)
    return read(classes.members, level * m + (mark >> level)), level


@compiled(inline=True)
def _align(model, sums, spins, at, n, h, part):
    """Note s_i h_i and J s_i s_j at edge `part` of what is driven, h (segments + 1, n + bonds)."""
    driven = len(model.bonds.driven)
    first = part * (n + driven)
    for i in range(n):
        write(sums.after, i, read(spins, at + i) * read(h, first + i))
    for d in range(driven):
        i, j = read(model.bonds.ends, 2 * d), read(model.bonds.ends, 2 * d + 1)
        alike = read(spins, at + i) * read(spins, at + j)
        write(sums.after, n + d, alike * read(h, first + n + d))


@compiled(inline=True)
def _exchange(network, spins, base, c):
    """sum_j J_ij s_j at a contact, of the couplings that are not driven."""
    total = 0.0
    for k in range(read(network.first, c), read(network.first, c + 1)):
        total += read(network.coupling, k) * read(spins, base + read(network.neighbour, k))
    return total


@compiled(inline=True)
def _write_edge(model, sums, spins, base, n, rows, edge):
    """Write the spins and their energy to an edge, one of all trajectories' edges."""
    energy = 0.0
    for i in range(n):
        spin = read(spins, base + i)
        write(rows.state, edge * n + i, spin)
        # Every bond is met from both its ends.
        first, _ = contacts_of(model, i)
        energy -= 0.5 * spin * _exchange(model.network, spins, base, first)
    for term in range(n + len(model.bonds.driven)):
        energy -= read(sums.after, term)
    write(rows.energy, edge, energy)


def advance(model: ClassModel, replicas: Any, rows: Rows, first: int, last: int) -> int:
    """Run all trajectories between segments of the model; number of flips."""
    n, m = len(model.network.driven), len(model.network.bath)
    baths, bonds = rows.heat.shape[2], model.bonds
    heated = baths if len(bonds.heated) > 0 else 0
    shape = Shape(rows.heat.shape[1], n, m, baths, rows.work.shape[2], len(bonds.driven), heated)
    classes, sums = empty_classes(m), empty_sums(shape, 1)
    return _advance(model, replicas, len(replicas.spins), shape, rows, first, last, classes, sums)


@compiled
def _advance(model_, replicas_, count, shape, rows_, first, last, classes_, sums_):
    """`advance` of `count` trajectories."""
    model, replicas, rows = bare(model_), bare(replicas_), bare(rows_)
    classes, sums, flips = bare(classes_), bare(sums_), 0
    plan, h, each = model.plan, model.edges, model.each
    network, spins, n, m = model.network, replicas.spins, shape.sites, shape.contacts
    spr, burn_in = plan.segments_per_row, plan.burn_in * plan.rows_per_period
    for j in range(count):
        base, bounds, s = j * n, first % model.parts, stream_at(replicas.stream, 4 * j, 1)
        total = sort(model, classes, spins, base, m, bounds)
        now = read(replicas.wait, j)
        if now < 0.0:
            bits, s = step(s)
            now = -log(inside(bits)) / rate_of(model, total)
        _align(model, sums, spins, base, n, h, edge_of(first, plan.rows_per_period))
        for segment in range(first, last):
            part, recorded = segment % plan.rows_per_period, segment - burn_in
            if segment % each == 0:
                begin_segment(shape, sums, 0, 1)
            if recorded == 0:
                _write_edge(model, sums, spins, base, n, rows, j * (shape.rows + 1))
            while now < 1.0:
                bits, s = step(s)
                c, level = choose(classes, m, np.int64(multiply_high(bits, np.uint64(total))))
                i, elapsed = spin_of(model, c), part + now
                spin, field = read(spins, base + i), wave_at(model.fields, n, i, elapsed)
                local, beta = read(classes.local, c), read(model.beta, c)
                local, beta = bonds_at(model, m, spins, base, spin, c, elapsed, local, beta)
                bits, s = step(s)
                height = model.unit * (1 << level)
                rate = multiplied(model, c, flip_rate(model.law, local, spin * field * beta))
                if unit(bits) * height < rate:
                    flips += 1
                    cost = 2.0 * spin * _exchange(network, spins, base, c)
                    cost += add_driven(model, m, spins, base, spin, c, elapsed, sums)
                    write(sums.flips, c, read(sums.flips, c) + 1.0)
                    write(sums.exchange, c, read(sums.exchange, c) + cost)
                    write(sums.driving, c, read(sums.driving, c) - 2.0 * spin * field)
                    if len(model.bonds.heated) > 0:
                        flip_entropy = (cost + 2.0 * spin * field) * beta
                        write(sums.entropy, c, read(sums.entropy, c) + flip_entropy)
                    write(spins, base + i, -spin)
                    total += reclassify(model, classes, spins, base, m, bounds, i)
                    for k in range(read(network.first, c), read(network.first, c + 1)):
                        other = read(network.neighbour, k)
                        total += reclassify(model, classes, spins, base, m, bounds, other)
                bits, s = step(s)
                now -= log(inside(bits)) / rate_of(model, total)
            # The next proposal is after the end of the segment: at the rate of the next one.
            # Contacts are sorted again, for results must not depend on where a call began.
            before, bounds = rate_of(model, total), (segment + 1) % model.parts
            total = sort(model, classes, spins, base, m, bounds)
            now = (now - 1.0) * (before / rate_of(model, total))
            if (segment + 1) % each != 0:
                continue
            _align(model, sums, spins, base, n, h, part + 1)
            if recorded >= 0:
                row, fresh = recorded // spr, recorded % spr == each - 1
                add_to_row(shape, network, sums, 0, 1, rows, j * shape.rows + row, fresh)
                add_entropy_to_row(shape, network, sums, 0, 1, rows, j * shape.rows + row, fresh)
                if recorded % spr == spr - 1:
                    _write_edge(model, sums, spins, base, n, rows, j * (shape.rows + 1) + row + 1)
        write(replicas.wait, j, now)
        keep_stream(replicas.stream, 4 * j, 1, s)
    return flips
