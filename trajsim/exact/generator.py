"""The master equation of a spin network: dP/dt = W(t) P, and what an ensemble gains by it.

States are numbered with site 0 the fastest and all up first: (+,+), (-,+), (+,-), (-,-).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.elementary import circle
from trajsim.jit import compiled
from trajsim.models.drive import value
from trajsim.models.rate_laws import flip_rate
from trajsim.models.spins import SpinNetwork, exchange_of, local_of, spins_of

Array = NDArray[np.float64]

# Points in a cycle of the fastest harmonic between which a field crosses a level at most once.
GRID = 64
TURN = 2.0 * np.pi


class Table(NamedTuple):
    """What does not change in time, for n sites and all 2**n states.

    spin (n, 2**n); alignment (n, 2**n), the spin times its neighbours' field, an energy.
    kind (n, 2**n) uint16: states in which the site has the same `local` and spin, hence the same
    rate at all times, share a kind; local_of_kind and spin_of_kind (n, kinds).
    """

    spin: Array
    alignment: Array
    kind: NDArray[np.uint16]
    local_of_kind: Array
    spin_of_kind: Array


def tabulate(network: SpinNetwork) -> Table:
    """Table of all states of the network."""
    spin, local, alignment = _tabulate(network)
    kind, pairs, found = _kinds(local, spin)
    most = max(found)
    return Table(spin, alignment, kind, pairs[0, :, :most].copy(), pairs[1, :, :most].copy())


def breaks(network: SpinNetwork, table: Table) -> list[float]:
    """Fractions of the period, 0 and 1 among them, between which all rates are smooth in time."""
    found = {0.0, 1.0}
    if getattr(network.law, "kinked", False):
        from scipy.optimize import brentq

        grid = np.linspace(0.0, 1.0, GRID * int(network.drive.order.max()) + 1)
        for i in range(len(network.bath)):
            field = np.array([value(network.drive, i, x) for x in grid])
            for level in np.unique(-table.spin[i] * table.alignment[i]):
                for k in np.flatnonzero(np.diff(np.sign(field - level))):
                    found.add(
                        brentq(
                            lambda x, i=i, level=level: value(network.drive, i, x) - level,
                            grid[k],
                            grid[k + 1],
                            xtol=1e-15,
                        )
                    )
    return sorted(found)


@compiled
def _tabulate(network):
    n = len(network.bath)
    states = 1 << n
    spin, now = np.empty((n, states)), np.empty(n, np.int8)
    local, alignment = np.empty((n, states)), np.empty((n, states))
    for x in range(states):
        spins_of(x, now)
        for i in range(n):
            spin[i, x] = now[i]
            local[i, x] = local_of(network, now, i)
            alignment[i, x] = now[i] * exchange_of(network, now, i)
    return spin, local, alignment


@compiled
def _kinds(local, spin):
    """Number equal pairs of `local` and spin of each site; the pairs and how many there are."""
    n, states = spin.shape
    kind, pairs = np.zeros((n, states), np.uint16), np.zeros((2, n, states))
    found = np.zeros(n, np.int64)
    for i in range(n):
        for x in range(states):
            k = 0
            while k < found[i] and (pairs[0, i, k] != local[i, x] or pairs[1, i, k] != spin[i, x]):
                k += 1
            if k == found[i]:
                pairs[0, i, k], pairs[1, i, k] = local[i, x], spin[i, x]
                found[i] += 1
            kind[i, x] = k
    return kind, pairs, found


@compiled
def fields(drive, fractions, h, rise):
    """Fields (times, n) and their derivatives by the fraction of the period that is over."""
    for i in range(h.shape[1]):
        h[:, i] = drive.offset[i]
        rise[:, i] = 0.0
        for k in range(drive.order.shape[1]):
            order, amplitude = float(drive.order[i, k]), drive.amplitude[i, k]
            turns = drive.phase[i, k] / TURN
            if amplitude != 0.0:
                for t in range(len(fractions)):
                    cosine, sine = circle(order * fractions[t] + turns)
                    h[t, i] += amplitude * cosine
                    rise[t, i] -= amplitude * TURN * order * sine


@compiled
def flip_rates(network, table, h, rates):
    """Rates (n, 2**n) of flipping each spin in each state, in fields h (n,)."""
    of_kind = np.empty(table.local_of_kind.shape[1])
    for i in range(len(rates)):
        x = h[i] / network.temperature[i]
        for k in range(len(of_kind)):
            local, spin = table.local_of_kind[i, k], table.spin_of_kind[i, k]
            of_kind[k] = flip_rate(network.law, local, x * spin)
        for state in range(rates.shape[1]):
            rates[i, state] = of_kind[table.kind[i, state]]


@compiled
def fastest_leaving(network, table):
    """Largest rate at which any state is left, per unit time, at 16 phases of the drive."""
    n, states = table.spin.shape
    h, rise, rates = np.empty((16, n)), np.empty((16, n)), np.empty((n, states))
    fields(network.drive, np.arange(16) / 16, h, rise)
    largest = 0.0
    for phase in range(16):
        flip_rates(network, table, h[phase], rates)
        for x in range(states):
            leaving = 0.0
            for i in range(n):
                leaving += rates[i, x]
            largest = max(largest, leaving)
    return largest


@compiled
def gain_rates(network, table, h, rise, rates, gains):
    """What each state gains per unit time in fields h (n,) that rise (paper, Eq. 3).

    `gains` (baths + 2 drives + n, 2**n): heats, works, exclusive works, flips.
    """
    n, drives = len(rates), 0
    for i in range(n):
        drives = max(drives, network.driven[i] + 1)
    baths = len(gains) - 2 * drives - n
    gains[:] = 0.0
    for i in range(n):
        driven, speed = network.driven[i], rise[i] / network.period
        heat, flips = gains[network.bath[i]], gains[baths + 2 * drives + i]
        for x in range(rates.shape[1]):
            heat[x] += 2.0 * rates[i, x] * (table.alignment[i, x] + h[i] * table.spin[i, x])
            flips[x] = rates[i, x]
        if driven >= 0:
            work, exclusive = gains[baths + driven], gains[baths + drives + driven]
            for x in range(rates.shape[1]):
                work[x] = -speed * table.spin[i, x]
                exclusive[x] = -2.0 * h[i] * table.spin[i, x] * rates[i, x]


@compiled
def flow(rates, p, out):
    """out = W p for one distribution p (2**n,), with rates (n, 2**n)."""
    out[:] = 0.0
    for i in range(len(rates)):
        stride = 1 << i
        for base in range(0, len(p), 2 * stride):
            up, down = slice(base, base + stride), slice(base + stride, base + 2 * stride)
            rate_up, rate_down = rates[i, up], rates[i, down]
            p_up, p_down, out_up, out_down = p[up], p[down], out[up], out[down]
            for x in range(stride):
                current = rate_up[x] * p_up[x] - rate_down[x] * p_down[x]
                out_up[x] -= current
                out_down[x] += current


def generator(network: SpinNetwork, fraction: float) -> Array:
    """W (2**n, 2**n) when `fraction` of the period is over; columns sum to zero (paper, Eq. 2)."""
    table = tabulate(network)
    n, states = table.spin.shape
    h, rise, rates = np.empty((1, n)), np.empty((1, n)), np.empty((n, states))
    fields(network.drive, np.array([fraction]), h, rise)
    flip_rates(network, table, h[0], rates)
    matrix = np.diag(-rates.sum(axis=0))
    state = np.arange(states)
    for i in range(n):
        matrix[state ^ (1 << i), state] += rates[i]
    return matrix
