"""Couplings and temperatures that are driven, as the spin kernels evaluate them."""

from typing import NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from trajsim.compiled.simd import read, write
from trajsim.kernels.waves import Waves, length_of, places_for, wave_at, waves_of
from trajsim.models.law_functions import bond, join, start
from trajsim.models.spins import SpinNetwork
from trajsim.models.waveform import Waveforms, at_edges, some
from trajsim.plan import Plan

Integers = NDArray[np.int64]


class MovingBonds(NamedTuple):
    """Bonds and temperatures of contacts in p places, if one of them is driven.

    slots, heated, driven : as many zeros as there are bonds at a contact at most; one if a
        temperature is driven; m, as many as there are driven bonds. Without slots nothing is
        driven.
    places : of the couplings
    couplings, temperatures : of the bonds, and of the contacts
    ends : (2 m,), sites of the driven bonds
    other, bond, number : (slots * p,), of each bond at a contact the other end, its number, and
        which of the driven ones it is, m for none; as the bits of integers
    there : (slots * p,), 1 where there is such a bond
    """

    slots: tuple[int, ...]
    heated: tuple[int, ...]
    driven: tuple[int, ...]
    places: int
    couplings: Waves
    temperatures: Waves
    ends: Integers
    other: NDArray[np.float64]
    bond: NDArray[np.float64]
    number: NDArray[np.float64]
    there: NDArray[np.float64]


def moving_bonds(network: SpinNetwork, plan: Plan, p: int) -> MovingBonds:
    """Bonds and temperatures of a network in p places."""
    m, moving = len(network.bath), network.moving
    slots = int(np.diff(network.first).max(initial=0)) if moving else 0
    driven = np.flatnonzero(network.driven_bond >= 0)
    q = places_for(len(network.ends))
    other, bond, number = (np.zeros((max(slots, 1), p), np.uint64) for _ in range(3))
    there = np.zeros((max(slots, 1), p))
    number[:] = len(driven)
    which = np.where(network.driven_bond >= 0, np.cumsum(network.driven_bond >= 0) - 1, len(driven))
    for c in range(m if moving else 0):
        around = slice(network.first[c], network.first[c + 1])
        count = around.stop - around.start
        other[:count, c] = network.neighbour[around]
        bond[:count, c] = network.bond[around]
        number[:count, c] = which[network.bond[around]]
        there[:count, c] = 1.0
    none = np.zeros(0, np.int64)
    return MovingBonds(
        # A lone spin of a driven temperature has one place for a bond that is not there.
        slots=(0,) * (max(slots, 1) if moving else 0),
        heated=(0,) if network.heated else (),
        driven=(0,) * len(driven),
        places=q,
        couplings=waves_of(network.couplings if moving else some(network.couplings, none), plan, q),
        temperatures=waves_of(
            network.temperatures if moving else some(network.temperatures, none), plan, p
        ),
        ends=network.ends[driven].ravel(),
        other=other.ravel().view(np.float64),
        bond=bond.ravel().view(np.float64),
        number=number.ravel().view(np.float64),
        there=there.ravel(),
    )


def edges_of(network: SpinNetwork, plan: Plan) -> NDArray[np.float64]:
    """Fields and driven couplings (segments + 1, n + m) at the edges of the segments."""
    driven = np.flatnonzero(network.driven_bond >= 0)

    def at(waves: Waveforms) -> NDArray[np.float64]:
        return at_edges(waves, plan.rows_per_period)

    return np.concatenate([at(network.drive), at(some(network.couplings, driven))], axis=1)


def bonds_at(model, p, spins, at, spin, c, elapsed, local, beta):
    """Bonds at contact c joined, and 1 / T, when so many segments of the period have passed.

    Parameters
    ----------
    model : of a kernel
    p : places
    spins : of all trajectories, those of this one from `at` on
    at : where the spins begin
    spin : that of the contact
    c : contact
    elapsed : segments of the period that have passed
    local, beta : what they are if nothing of them is driven
    """


@overload(bonds_at, inline="always")
def _bonds_at(model, p, spins, at, spin, c, elapsed, local, beta):
    if length_of(model, "bonds", "slots") == 0:
        return lambda model, p, spins, at, spin, c, elapsed, local, beta: (local, beta)

    def join_all(model, p, spins, at, spin, c, elapsed, local, beta):
        network, bonds = model.network, model.bonds
        inverse = 1.0 / wave_at(bonds.temperatures, p, c, elapsed)
        joined = start(model.law)
        for k in range(read(network.first, c), read(network.first, c + 1)):
            coupling = wave_at(bonds.couplings, bonds.places, read(network.bond, k), elapsed)
            alike = spin * read(spins, at + read(network.neighbour, k))
            joined = join(model.law, joined, bond(model.law, coupling * alike * inverse))
        return joined, inverse

    return join_all


def add_driven(model, p, spins, at, spin, c, elapsed, sums):
    """Energy that a flip by contact c puts into driven bonds, which is added to what they do.

    Parameters
    ----------
    model, p, spins, at, spin, c, elapsed : as for `bonds_at`; p is the number of contacts
    sums : Sums, updated
    """


@overload(add_driven, inline="always")
def _add_driven(model, p, spins, at, spin, c, elapsed, sums):
    if length_of(model, "bonds", "driven") == 0:
        return lambda model, p, spins, at, spin, c, elapsed, sums: 0.0

    def add(model, p, spins, at, spin, c, elapsed, sums):
        network, bonds, cost = model.network, model.bonds, 0.0
        for k in range(read(network.first, c), read(network.first, c + 1)):
            number = read(network.bond, k)
            drive = read(network.driven_bond, number)
            if drive >= 0:
                coupling = wave_at(bonds.couplings, bonds.places, number, elapsed)
                alike = spin * read(spins, at + read(network.neighbour, k))
                term = p + drive - (network.drives - len(bonds.driven))
                write(sums.driving, term, read(sums.driving, term) - 2.0 * coupling * alike)
                cost += 2.0 * coupling * alike
        return cost

    return add
