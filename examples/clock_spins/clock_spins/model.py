"""Clock spins: parameters, energies and rates, which the kernel and the exact side share."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.models.rate_laws import flip_rate, start
from trajsim.models.spins import SpinNetwork

# Their 3**n states are listed.
MOST_SITES = 5


class ClockNetwork(NamedTuple):
    """Parameters of n clock spins; k_B = 1.

    Parameters
    ----------
    spins : law, period, bonds, baths and fields, as of trajsim's own spins
    along : (n, 3), cos(2 pi k / 3 - psi_i) of each site and state
    """

    spins: SpinNetwork
    along: NDArray[np.float64]


def network(spins: SpinNetwork, directions: Sequence[float]) -> ClockNetwork:
    """Network of clock spins that are wired as these spins, with the angles (n,) of the fields."""
    angles = 2.0 * np.pi * np.arange(3) / 3.0
    return ClockNetwork(spins, np.cos(angles - np.array(directions, np.float64)[:, None]))


@compiled
def exchange_of(network, clock, i, k):
    """sum_j J_ij cos(theta - theta_j) of site i, were it in state k; clock (n,) of 0, 1 and 2."""
    spins, exchange = network.spins, 0.0
    for at in range(spins.first[i], spins.first[i + 1]):
        exchange += spins.coupling[at] * (1.0 if clock[spins.neighbour[at]] == k else -0.5)
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
def rate(network, i, cost):
    """Rate of a jump of site i that costs so much: that of the flip of a lone spin."""
    law = network.spins.law
    return flip_rate(law, start(law), 0.5 * cost / network.spins.temperature[i])
