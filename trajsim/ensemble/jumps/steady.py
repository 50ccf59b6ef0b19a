"""The steady state of a jump network in which nothing changes in time: currents and cycles.

Schnakenberg, Rev. Mod. Phys. 48, 571 (1976): each transition that is not of a spanning tree closes
one fundamental cycle with it; the currents of these transitions flow around their cycles, and the
entropy production is the sum of currents times affinities.
"""

from typing import NamedTuple

import numpy as np

from trajsim.ensemble.answers import Array
from trajsim.models.jumps import JumpNetwork, cycle, heats_over_temperature, potentials, rates_of


class Cycle(NamedTuple):
    """A fundamental cycle through the states of these numbers.

    transition : the one that closes it, which goes from the first state to the second
    affinity : sum of -Q / T around it, the entropy that each round makes
    current : rounds per unit time
    """

    states: list[int]
    transition: int
    affinity: float
    current: float


class Steady(NamedTuple):
    """Currents (m,) of the transitions a -> b, entropy production per unit time, all cycles."""

    currents: Array
    entropy_production: float
    cycles: list[Cycle]


def steady(network: JumpNetwork, p: Array) -> Steady:
    """Currents and cycles of a network that is not driven in its steady state P (states,)."""
    x = heats_over_temperature(network, 0)
    there, back = (rates_of(network.laws, network.law, network.rate, y[None])[0] for y in (x, -x))
    currents = there * p[network.source] - back * p[network.target]
    found = potentials(network)
    chords = np.setdiff1d(np.arange(len(x)), found.parent)
    cycles = [
        Cycle(
            cycle(network, found.parent, int(k)),
            int(k),
            float(found.affinity[k]),
            float(currents[k]),
        )
        for k in chords
    ]
    return Steady(currents, float(-(currents @ x)), cycles)
