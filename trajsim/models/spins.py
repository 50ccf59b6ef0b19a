"""Driven Ising spins, each in contact with one bath.

H = -sum_bonds J_ij s_i s_j - sum_i h_i(t) s_i with s_i = +1 or -1 (paper, Eq. 1).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.models import drive as drives
from trajsim.models.law_functions import bond, flip_rate, join, start


class SpinNetwork(NamedTuple):
    """Parameters of n spins; k_B = 1.

    The neighbours of site i are `neighbour[first[i]:first[i + 1]]`, with couplings alongside.

    Parameters
    ----------
    law : one of trajsim.models.rate_laws.LAWS
    period : time of one cycle of the drive
    first : (n + 1,) int64
    neighbour : (2 bonds,) int64
    coupling : (2 bonds,) float64, energy
    like, unlike : (2 bonds,) float64, the rate law's `bond` where the spins are equal, and where
        they are not
    temperature : (n,) float64, energy, of the bath of each site
    bath : (n,) int64, the bath of each site
    drive : fields of the n sites
    driven : (n,) int64, which drive of the ledger a site's field is, -1 for none
    low, high : (n,) float64, energy, bounds of the fields over the period
    """

    law: Any
    period: float
    first: NDArray[np.int64]
    neighbour: NDArray[np.int64]
    coupling: NDArray[np.float64]
    like: NDArray[np.float64]
    unlike: NDArray[np.float64]
    temperature: NDArray[np.float64]
    bath: NDArray[np.int64]
    drive: drives.Drive
    driven: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def network(
    law: Any,
    period: float,
    bonds: Sequence[tuple[int, int, float]],
    temperatures: Sequence[float],
    bath: Sequence[int],
    drive: drives.Drive,
    driven: Sequence[bool],
) -> SpinNetwork:
    """Network of spins from (site, site, coupling) bonds and one entry a site for the rest.

    Parameters
    ----------
    law : rate law
    period : of the drive
    bonds : (site, site, coupling)
    temperatures, bath : of each site
    drive : fields of the sites
    driven : whether a site's field is a drive of the ledger

    Raises
    ------
    ValueError
        If a flip rate exceeds the range of floating-point numbers.
    """
    n = len(bath)
    neighbours: list[list[tuple[int, float]]] = [[] for _ in range(n)]
    for i, j, coupling in bonds:
        neighbours[i].append((j, coupling))
        neighbours[j].append((i, coupling))
    low, high = drives.bounds(drive)
    exponents = [J / T for a, T in zip(neighbours, temperatures, strict=True) for _, J in a]
    result = SpinNetwork(
        law=law,
        period=float(period),
        first=np.cumsum([0] + [len(a) for a in neighbours], dtype=np.int64),
        neighbour=np.array([j for a in neighbours for j, _ in a], np.int64),
        coupling=np.array([c for a in neighbours for _, c in a], np.float64),
        like=np.array([bond(law, x) for x in exponents], np.float64),
        unlike=np.array([bond(law, -x) for x in exponents], np.float64),
        temperature=np.array(temperatures, np.float64),
        bath=np.array(bath, np.int64),
        drive=drive,
        driven=np.where(driven, np.cumsum(driven) - 1, -1).astype(np.int64),
        low=low,
        high=high,
    )
    for i, fastest in enumerate(fastest_rates(result)):
        if not fastest < 1e300:
            raise ValueError(
                f"the flip rate of site {i + 1} can exceed 1e300 at temperature "
                f"{temperatures[i]:g}: it is too cold for this rate law"
            )
    return result


@compiled
def fastest_rates(network):
    """Largest rate (n,) of each spin in any state at any time: against all bonds and the field."""
    rates = np.empty(len(network.bath))
    for i in range(len(rates)):
        local = start(network.law)
        for k in range(network.first[i], network.first[i + 1]):
            against = network.unlike[k] if network.coupling[k] > 0.0 else network.like[k]
            local = join(network.law, local, against)
        field = max(abs(network.low[i]), abs(network.high[i]))
        rates[i] = flip_rate(network.law, local, -field / network.temperature[i])
    return rates


@compiled
def local_of(network, spins, i):
    """Bonds of spin i joined by the rate law; spins (n,) of +1 and -1."""
    local = start(network.law)
    for k in range(network.first[i], network.first[i + 1]):
        equal = spins[i] == spins[network.neighbour[k]]
        local = join(network.law, local, network.like[k] if equal else network.unlike[k])
    return local


@compiled
def rate(network, local, spin, i, h):
    """Rate of flipping spin i, now `spin`, in field h.

    Parameters
    ----------
    network : SpinNetwork
    local : of the spin, by the rate law
    spin : +1 or -1
    i : site
    h : field, an energy
    """
    return flip_rate(network.law, local, h * spin / network.temperature[i])


@compiled
def rate_bound(network, local, spin, i):
    """Largest rate of flipping spin i over the period: at its most favourable field.

    Parameters
    ----------
    network, local, spin, i : as for `rate`
    """
    return rate(network, local, spin, i, network.low[i] if spin > 0 else network.high[i])


@compiled
def excess(network, states, fields):
    """Largest ratio of a rate to its thinning bound, in states (x, n) at so many fields each."""
    largest = 0.0
    for spins in states:
        for i in range(len(spins)):
            local = local_of(network, spins, i)
            bound = rate_bound(network, local, spins[i], i)
            for k in range(fields if bound > 0.0 else 0):
                h = network.low[i] + k / (fields - 1) * (network.high[i] - network.low[i])
                largest = max(largest, rate(network, local, spins[i], i, h) / bound)
    return largest


@compiled(inline=True)
def exchange_of(network, spins, i):
    """sum_j J_ij s_j, the field of its neighbours on spin i."""
    exchange = 0.0
    for k in range(network.first[i], network.first[i + 1]):
        exchange += network.coupling[k] * spins[network.neighbour[k]]
    return exchange


@compiled(inline=True)
def flip_energy(network, spins, i, h):
    """dE_i = 2 s_i (sum_j J_ij s_j + h_i), change of energy by a flip of spin i (paper, Eq. 3).

    Parameters
    ----------
    network : SpinNetwork
    spins : (n,) of +1 and -1
    i : site
    h : field, an energy
    """
    return 2.0 * spins[i] * (exchange_of(network, spins, i) + h)


@compiled
def energy(network, spins, h):
    """H of the spins (n,) in the fields h (n,) (paper, Eq. 1)."""
    total = 0.0
    for i in range(len(spins)):
        # Every bond is counted from both its ends.
        total -= spins[i] * (0.5 * exchange_of(network, spins, i) + h[i])
    return total


@compiled
def spins_of(state, spins):
    """Write the spins of a numbered state: bit i set means s_i = -1, so 0 is all up."""
    for i in range(len(spins)):
        spins[i] = 1 - 2 * ((state >> i) & 1)
