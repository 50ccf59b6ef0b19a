"""Clock spins: parameters, energies and rates, which the kernel and the exact side share."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.models import drive as drives
from trajsim.models.rate_laws import flip_rate, start


class ClockNetwork(NamedTuple):
    """Parameters of n clock spins; k_B = 1.

    The neighbours of site i are `neighbour[first[i]:first[i + 1]]`, with couplings alongside.

    Parameters
    ----------
    law : one of trajsim's rate laws
    period : time of one cycle of the drive
    first, neighbour, coupling : (n + 1,), (2 bonds,) int64, (2 bonds,) energy
    temperature, bath : (n,) energy, (n,) int64, of the bath of each site
    drive : fields of the n sites
    driven : (n,) int64, which drive of the ledger a site's field is, -1 for none
    low, high : (n,) energy, bounds of the fields over the period
    along : (n, 3), cos(2 pi k / 3 - psi_i) of each site and state
    """

    law: Any
    period: float
    first: NDArray[np.int64]
    neighbour: NDArray[np.int64]
    coupling: NDArray[np.float64]
    temperature: NDArray[np.float64]
    bath: NDArray[np.int64]
    drive: drives.Drive
    driven: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    along: NDArray[np.float64]


def network(
    law: Any,
    period: float,
    bonds: Sequence[tuple[int, int, float]],
    temperatures: Sequence[float],
    bath: Sequence[int],
    drive: drives.Drive,
    driven: Sequence[bool],
    directions: Sequence[float],
) -> ClockNetwork:
    """Network from (site, site, coupling) bonds and one entry a site for the rest."""
    n = len(bath)
    around: list[list[tuple[int, float]]] = [[] for _ in range(n)]
    for i, j, coupling in bonds:
        around[i].append((j, coupling))
        around[j].append((i, coupling))
    low, high = drives.bounds(drive)
    angles = 2.0 * math.pi * np.arange(3) / 3.0
    return ClockNetwork(
        law=law,
        period=float(period),
        first=np.cumsum([0] + [len(a) for a in around], dtype=np.int64),
        neighbour=np.array([j for a in around for j, _ in a], np.int64),
        coupling=np.array([c for a in around for _, c in a], np.float64),
        temperature=np.array(temperatures, np.float64),
        bath=np.array(bath, np.int64),
        drive=drive,
        driven=np.where(driven, np.cumsum(driven) - 1, -1).astype(np.int64),
        low=low,
        high=high,
        along=np.cos(angles - np.array(directions, np.float64)[:, None]),
    )


@compiled
def exchange_of(network, clock, i, k):
    """sum_j J_ij cos(theta - theta_j) of site i, were it in state k; clock (n,) of 0, 1 and 2."""
    exchange = 0.0
    for at in range(network.first[i], network.first[i + 1]):
        same = clock[network.neighbour[at]] == k
        exchange += network.coupling[at] * (1.0 if same else -0.5)
    return exchange


@compiled
def energy(network, clock, h):
    """H of the clock spins (n,) in the fields h (n,)."""
    total = 0.0
    for i in range(len(clock)):
        # Every bond is met from both its ends.
        total -= 0.5 * exchange_of(network, clock, i, clock[i]) + h[i] * network.along[i, clock[i]]
    return total


@compiled
def bond_cost(network, clock, i, to):
    """What a jump of site i to state `to` takes from the bonds."""
    return exchange_of(network, clock, i, clock[i]) - exchange_of(network, clock, i, to)


@compiled
def rate(network, i, cost):
    """Rate of a jump of site i that costs so much: that of the flip of a lone spin."""
    return flip_rate(network.law, start(network.law), 0.5 * cost / network.temperature[i])
