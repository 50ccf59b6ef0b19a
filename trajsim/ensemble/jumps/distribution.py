"""Exact distribution of heat and work of jumps over whole periods.

Where no jump counts at a time that varies, A takes single values: after no such jump at all, or
any number of jumps that count the same at all times. These atoms are found from the map without
the other jumps, and taken out before the density is.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

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

# Seconds that finding a characteristic function may take, roughly.
MOST_SECONDS = 4.0


class Counted:
    """A over whole periods from a start, in the terms of characteristic functions.

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
        self.dated = tilt.dated
        self.waves = Waves(tilt, p, periods)
        self._last = 0.0

    def log_average(self, g: float) -> float:
        """log <exp(g A)>."""
        return self.counting.log_average(self.tilt.times([g]), self.p, self.periods)

    def characteristic(self, w: Array, only_undated: bool = False) -> Complex:
        """<exp(i w A)> at ascending w (f,), of the paths without dated jumps if so asked."""
        begun = self.waves.seconds
        values = self.waves.average(w, self.dated if only_undated else None)
        self._last = self.waves.seconds - begun
        return values

    def room(self) -> bool:
        """Whether twice the frequencies so far, at twice the cost of each, are within reach."""
        return self.waves.seconds + 4 * self._last <= MOST_SECONDS

    def distribution(
        self, mean: float, variance: float, grid: ArrayLike | None, tolerance: float
    ) -> Distribution:
        """Distribution of A, whose mean and variance are known."""
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
        if not self.dated.any() and len(atoms.positions) > 0:
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
            self.room,
        )

    def _jumps(self) -> Array:
        """What each undated jump counts, boundary and all."""
        process, boundary = self.tilt.process, self.tilt.boundary[0]
        undated = ~self.dated[process.kind]
        source, target = process.source[undated], process.target[undated]
        counts = self.tilt.counted[0, process.kind[undated]]
        return np.unique(counts + boundary[source] - boundary[target])

    def _atoms(self, jumps: Array, ends: tuple[float, float]) -> Atoms:
        unit = lattice(jumps)
        if unit is None:
            # Values that lie dense: the density shows them as peaks, as its error says.
            return Atoms(np.zeros(0), np.zeros(0))
        if unit == 0.0:
            weight = self.characteristic(np.zeros(1), only_undated=True).real
            return Atoms(np.zeros(1), weight)
        return atoms_on(unit, ends, lambda w: self.characteristic(w, only_undated=True))
