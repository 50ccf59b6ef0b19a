"""The master equation of a spin network: dP/dt = W(t) P, and what an ensemble gains by it.

States are numbered with site 0 the fastest and all up first: (+,+), (-,+), (+,-), (-,-).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from trajsim.jit import compiled
from trajsim.models.drive import slope, value
from trajsim.models.rate_laws import KINKED
from trajsim.models.spins import SpinNetwork, exchange_of, local_of, rate, spins_of

Array = NDArray[np.float64]

# Points in a cycle of the fastest harmonic between which a field crosses a level at most once.
GRID = 64


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
    n, states = spin.shape
    kind, pairs = np.empty((n, states), np.uint16), []
    for i in range(n):
        found, kind[i] = np.unique(np.stack([local[i], spin[i]]), axis=1, return_inverse=True)
        pairs.append(found)
    most = max(pair.shape[1] for pair in pairs)
    padded = np.array([np.pad(pair, ((0, 0), (0, most - pair.shape[1])), "edge") for pair in pairs])
    return Table(spin, alignment, kind, padded[:, 0].copy(), padded[:, 1].copy())


def breaks(network: SpinNetwork, table: Table) -> list[float]:
    """Fractions of the period, 0 and 1 among them, between which all rates are smooth in time."""
    found = {0.0, 1.0}
    if isinstance(network.law, KINKED):
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
def flip_rates(network, table, fraction, rates):
    """Rates (n, 2**n) of flipping each spin in each state when `fraction` of the period is over."""
    of_kind = np.empty(table.local_of_kind.shape[1])
    for i in range(len(rates)):
        h = value(network.drive, i, fraction)
        for k in range(len(of_kind)):
            of_kind[k] = rate(network, table.local_of_kind[i, k], table.spin_of_kind[i, k], i, h)
        for x in range(rates.shape[1]):
            rates[i, x] = of_kind[table.kind[i, x]]


@compiled
def book(network, table, fraction, rates, time, p, totals):
    """Add what the ensemble P (2**n,) gains in `time` at this phase of the drive (paper, Eq. 3).

    `totals` (baths + 2 drives + n,): heats, works, exclusive works, flips.
    """
    baths, drives = network.bath.max() + 1, network.driven.max() + 1
    for i in range(len(rates)):
        h = value(network.drive, i, fraction)
        current = time * rates[i] * p
        flips, turned = current.sum(), np.dot(current, table.spin[i])
        totals[network.bath[i]] += 2.0 * (np.dot(current, table.alignment[i]) + h * turned)
        totals[baths + 2 * drives + i] += flips
        if network.driven[i] >= 0:
            work = baths + network.driven[i]
            speed = slope(network.drive, i, fraction) / network.period
            totals[work] -= time * speed * np.dot(table.spin[i], p)
            totals[work + drives] -= 2.0 * h * turned


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
    rates = np.empty((n, states))
    flip_rates(network, table, fraction, rates)
    matrix = np.diag(-rates.sum(axis=0))
    state = np.arange(states)
    for i in range(n):
        matrix[state ^ (1 << i), state] += rates[i]
    return matrix
