"""Exact distribution of heat and work of jumps over whole periods.

Without a jump whose count depends on when it happens, A takes discrete values: a trajectory may
have any number of jumps that count the same at all times. These atoms follow from the map without
the other jumps, and are subtracted before the density is computed.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trajsim.ensemble.answers import Array
from trajsim.ensemble.distribution import (
    Atoms,
    Complex,
    Distribution,
    atoms_on,
    invert,
    lattice,
    only_atoms,
    window,
)
from trajsim.ensemble.jumps.counting_dense import DenseCounting
from trajsim.ensemble.jumps.counting_sparse import SparseCounting
from trajsim.ensemble.jumps.tilt import Tilt
from trajsim.ensemble.jumps.waves import Waves

# Part of the largest count below which two are one.
ALIKE = 1e-9
# Seconds that finding a characteristic function may take, roughly.
MOST_SECONDS = 4.0


class CountingDistribution:
    """Distribution of A over whole periods from a start, by its characteristic function.

    Parameters
    ----------
    counting : of the process
    tilt : of A, one field
    p : (states,) start
    periods : whole ones
    """

    def __init__(
        self, counting: DenseCounting | SparseCounting, tilt: Tilt, p: Array, periods: int
    ) -> None:
        self.counting, self.tilt, self.p, self.periods = counting, tilt, p, periods
        self.time_sensitive = tilt.time_sensitive
        self.waves = Waves(tilt, p, periods)
        self._last_seconds = 0.0

    def log_average(self, g: float) -> float:
        """log <exp(g A)>."""
        return self.counting.log_average(self.tilt.times([g]), self.p, self.periods)

    def characteristic(self, w: Array) -> Complex:
        """<exp(i w A)> at ascending w (f,)."""
        seconds_before = self.waves.seconds
        values = self.waves.average(w)
        self._last_seconds = self.waves.seconds - seconds_before
        return values

    def more(self) -> bool:
        """Whether there is time for twice the frequencies so far, at twice the cost of each."""
        return self.waves.seconds + 4 * self._last_seconds <= MOST_SECONDS

    def distribution(
        self, mean: float, variance: float, grid: ArrayLike | None, tolerance: float
    ) -> Distribution:
        """Distribution of A, whose mean and variance are known.

        Parameters
        ----------
        mean, variance : of A
        grid : (k,), points at which to give the density; default: enough of them
        tolerance : of the cumulative distribution
        """
        jumps = self._jumps()
        scale = float(abs(jumps).max(initial=0.0)) + float(
            abs(self.tilt.unbalanced).max(initial=0.0)
        )
        if variance <= 1e-20 * scale**2 or variance == 0.0:
            atoms = Atoms(np.array([mean]), np.ones(1))
            return only_atoms(atoms, (mean - 0.5 * scale - 0.5, mean + 0.5 * scale + 0.5), grid)
        low, high = window(self.log_average, math.sqrt(variance))
        margin = 0.01 * (high - low)
        ends = low - margin, high + margin
        atoms = self._atoms(jumps, ends)
        if not self.time_sensitive.any() and len(atoms.positions) > 0:
            return only_atoms(atoms, ends, grid)
        counts = abs(self.tilt.counted)
        finest = float(counts[counts > 1e-9 * (scale + 1e-300)].min(initial=math.inf))
        return invert(
            self.characteristic,
            ends,
            atoms,
            finest if math.isfinite(finest) else 0.0,
            tolerance,
            grid,
            self.more,
        )

    def _jumps(self) -> Array:
        """Distinct counts of the jumps that are not time-sensitive, with the boundary terms."""
        process, boundary = self.tilt.process, self.tilt.end[0]
        insensitive = ~self.time_sensitive[process.kind]
        source, target = process.source[insensitive], process.target[insensitive]
        counts = self.tilt.counted[0, process.kind[insensitive]]
        return np.unique(counts + boundary[target] - boundary[source])

    def _atoms(self, jumps: Array, ends: tuple[float, float]) -> Atoms:
        unit = lattice(jumps)
        if unit is None:
            # Values lie densely: the density shows them as peaks, and its error tells so.
            return Atoms(np.zeros(0), np.zeros(0))
        # Where parameters do not return, A of a path without a jump depends on its state.
        stay = self.tilt.begin[0] + self.tilt.end[0]
        apart = ALIKE * (unit + float(abs(stay).max(initial=0.0)))
        found = [
            self._atoms_from(abs(stay - value) <= apart, float(value), unit, ends)
            for value in _distinct(stay, apart)[0]
        ]
        positions = np.concatenate([each.positions for each in found])
        weights = np.concatenate([each.weights for each in found])
        # From some states on the same values as from others.
        order = np.argsort(positions, kind="stable")
        places, first = _distinct(positions, apart)
        return Atoms(places, np.add.reduceat(weights[order], first) if len(first) else weights)

    def _atoms_from(
        self, begun: NDArray[np.bool_], stay: float, unit: float, ends: tuple[float, float]
    ) -> Atoms:
        """Atoms of paths from some states, at `stay` and whole units from it."""
        waves = Waves(self.tilt, np.where(begun, self.p, 0.0), self.periods)

        def characteristic(w: Array) -> Complex:
            return np.asarray(waves.average(w, self.time_sensitive) * np.exp(-1j * w * stay))

        if unit == 0.0:
            return Atoms(np.full(1, stay), characteristic(np.zeros(1)).real)
        low, high = ends
        atoms = atoms_on(unit, (low - stay, high - stay), characteristic)
        return Atoms(atoms.positions + stay, atoms.weights)


def _distinct(values: Array, apart: float) -> tuple[Array, NDArray[np.intp]]:
    """Values (k,) that lie apart, ascending, and the index of each in all sorted values."""
    ordered = np.sort(values)
    first = np.flatnonzero(np.diff(ordered, prepend=-np.inf) > apart)
    return ordered[first], first
