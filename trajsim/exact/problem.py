"""What the solvers of the master equation have in common: a network, listed in states."""

import itertools
from collections.abc import Iterator

from trajsim.exact.generator import breaks, fastest_leaving, tabulate
from trajsim.models.spins import SpinNetwork


class Problem:
    """A spin network with the table of its states and what its gains are.

    Attributes
    ----------
    network : SpinNetwork
    table : trajsim.exact.generator.Table
    states : 2**n
    baths, drives, width : numbers of baths, drives and all gains (heats, works, exclusive works,
        flips)
    """

    def __init__(self, network: SpinNetwork) -> None:
        sites = len(network.bath)
        self.network = network
        self.states = 1 << sites
        self.table = tabulate(network)
        self.baths = int(network.bath.max()) + 1
        self.drives = int(network.driven.max()) + 1
        self.width = self.baths + 2 * self.drives + sites
        self._breaks = breaks(network, self.table)

    def pieces(self, segment: int, segments: int) -> Iterator[tuple[float, float]]:
        """Beginnings and ends, between which rates are smooth in time, of parts of a segment."""
        first, last = segment / segments, (segment + 1) / segments
        edges = [first, *(x for x in self._breaks if first < x < last), last]
        return itertools.pairwise(edges)

    def fastest_leaving(self) -> float:
        """Largest rate, per period, at which any state is left."""
        return max(float(fastest_leaving(self.network, self.table)), 1e-300) * self.network.period
