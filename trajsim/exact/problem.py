"""What the solvers of the master equation have in common: a network, listed in states."""

import itertools
from collections.abc import Iterator

import numpy as np

from trajsim.exact.ensemble import Array, Gains
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
        self._splits = list(itertools.accumulate([self.baths, self.drives, self.drives]))

    def pieces(self, segment: int, segments: int) -> Iterator[tuple[float, float]]:
        """Beginnings and ends, between which rates are smooth in time, of parts of a segment."""
        first, last = segment / segments, (segment + 1) / segments
        edges = [first, *(x for x in self._breaks if first < x < last), last]
        return itertools.pairwise(edges)

    def fastest_leaving(self) -> float:
        """Largest rate, per period, at which any state is left."""
        return max(float(fastest_leaving(self.network, self.table)), 1e-300) * self.network.period

    def gains_of(self, totals: Array) -> Gains:
        """Split gains (..., g) into heat, work, exclusive work and flips."""
        return Gains(*np.split(totals, self._splits, axis=-1))

    def throughput(self, currents: Array) -> Array:
        """Energy (or number) that flips move back and forth per unit time, for each of (g,)."""
        network = self.network
        field = np.maximum(np.abs(network.low), np.abs(network.high)).max()
        cost = 2.0 * (np.abs(self.table.alignment).max() + field)
        flips = np.abs(self.gains_of(currents).flips).sum()
        scale = np.full(self.width, cost * flips + field / network.period)
        scale[self._splits[2] :] = flips
        return scale

    def accurate(self, currents: Array, error: Array, tolerance: float) -> bool:
        """Whether currents (g,) are as good as asked, or as rounding allows."""
        # Rounding leaves some 1e-14 of the energy that flips carry back and forth.
        floor = 1e-13 * self.throughput(currents)
        return bool(np.all(error <= np.maximum(tolerance * np.abs(currents), floor)))
