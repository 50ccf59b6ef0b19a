"""Exact distribution of heat and work of a spin network over whole periods.

Where no flip counts at a time that varies, A takes single values: after no such flip at all, or
any number of flips that count the same at all times. These atoms are found from the map without
the other flips, and taken out before the density is.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trajsim.exact import fan
from trajsim.exact.distribution import (
    Atoms,
    Complex,
    Distribution,
    atoms_on,
    invert,
    lattice,
    only_atoms,
    window,
)
from trajsim.exact.ensemble import Array, NoExactSideError
from trajsim.exact.fan import LANES
from trajsim.exact.problem import Problem
from trajsim.exact.runge_kutta import STABLE, fastest_rise, fewest_steps
from trajsim.exact.tilt import Tilt

Bools = NDArray[np.bool_]


# Of the characteristic function.
TOLERANCE = 1e-9
MOST_STEPS = 1 << 20
# Work that finding a characteristic function of two spins may cost, in steps of a state, a site and
# a frequency; of others, more by the root of what a step of theirs costs.
MOST_WORK, PAIR = 4e8, 8


class Counted:
    """A over whole periods from a start p (2**n,), in the terms of characteristic functions.

    Raises
    ------
    NoExactSideError
        If the flips are so fast against the period that following them is out of reach.
    """

    def __init__(
        self,
        problem: Problem,
        tilt: Tilt,
        p: Array,
        periods: int,
        log_average: Callable[[float], float],
    ) -> None:
        self.problem, self.tilt, self.p, self.periods = problem, tilt, p, periods
        self.log_average = log_average
        drive = problem.network.drive
        varies = (drive.amplitude != 0.0).any(axis=1)
        self._work = self._last_work = 0.0
        # Flips whose instant A remembers.
        self.dated = varies & (tilt.lean != 0.0)
        self._steps = self._fewest = fewest_steps(problem.network, problem.table)
        # Radians that a frequency of one turns a state by in a period, at most.
        self._turns = float(abs(tilt.lean) @ fastest_rise(problem.network))
        if self._fewest > MOST_STEPS:
            raise NoExactSideError("flips are too fast against the period to follow them all")

    def room(self) -> bool:
        """Whether twice the frequencies found so far, in twice the steps, are within reach."""
        size = self.problem.table.spin.size / PAIR
        return self._work + 4 * self._last_work <= MOST_WORK * math.sqrt(size)

    def characteristic(self, w: Array, only_undated: bool = False) -> Complex:
        """<exp(i w A)> at ascending w (f,), of the paths without dated flips if so asked."""
        # Slower turns may do with fewer.
        self._steps, begun = self._fewest, self._work
        silent = self.dated if only_undated else np.zeros_like(self.dated)
        found = np.empty(len(w), np.complex128)
        # From the end, where it turns fastest: what suffices there suffices for the others.
        for begin in reversed(range(0, len(w), LANES)):
            here = w[begin : begin + LANES]
            block = np.resize(here, LANES)
            last = begin + LANES >= len(w)
            value = self._converged if last else self._values
            found[begin : begin + LANES] = value(block, silent)[: len(here)]
        self._last_work = self._work - begun
        return found

    def _converged(self, w: Array, silent: Bools) -> Complex:
        """Values at w (LANES,), in as many steps as they need; these are kept for the others."""
        # The turning of states is to be stable, too.
        self._steps += math.ceil(self._turns * float(w[-1]) / STABLE)
        before = self._values(w, silent)
        while True:
            self._steps *= 2
            now = self._values(w, silent)
            # Of fourth order: the finer is that much better.
            if abs(now - before).max() <= 15 * TOLERANCE or self._steps > MOST_STEPS:
                return now
            before = now

    def _values(self, w: Array, silent: Bools) -> Complex:
        """<exp(i w A)> at w (LANES,)."""
        turns = self.tilt.quantum[:, :, None] * w
        heard = np.where(silent, 0.0, 1.0)[:, None, None]
        cosine, sine = heard * np.cos(turns), heard * np.sin(turns)
        network, table, lean = self.problem.network, self.problem.table, self.tilt.lean

        def carry(row: Complex) -> Complex:
            self._work += self._steps * cosine.size
            re, im = row.real.copy(), row.imag.copy()
            fan.propagate(network, table, cosine, sine, lean, w, re, im, self._steps)
            return re + 1j * im

        ends = np.exp(1j * np.multiply.outer(self.tilt.boundary, w))
        row: Complex = np.asarray(self.p[:, None] * ends, np.complex128)
        states = self.problem.states
        if self.periods <= states:
            for _ in range(self.periods):
                row = carry(row)
        else:
            # The map of all states first, for it serves every period.
            unit = np.eye(states, dtype=np.complex128)
            through = np.stack([carry(np.repeat(e[:, None], LANES, axis=1)) for e in unit], axis=1)
            row = _repeated(through, row, self.periods)
        return np.asarray((row * ends.conj()).sum(axis=0), np.complex128)

    def distribution(
        self, mean: float, variance: float, grid: ArrayLike | None, tolerance: float
    ) -> Distribution:
        """Distribution of A, whose mean and variance are known."""
        jumps = self._jumps()
        scale = float(abs(jumps).max(initial=0.0)) + float(abs(self.tilt.lean).max(initial=0.0))
        if variance <= 1e-20 * scale**2 or variance == 0.0:
            atoms = Atoms(np.array([mean]), np.ones(1))
            return only_atoms(atoms, (mean - 0.5 * scale - 0.5, mean + 0.5 * scale + 0.5), grid)
        low, high = window(self.log_average, math.sqrt(variance))
        margin = 0.01 * (high - low)
        ends = low - margin, high + margin
        atoms = self._atoms(jumps, ends)
        if not self.dated.any() and len(atoms.positions) > 0:
            return only_atoms(atoms, ends, grid)
        bonds = abs(self.tilt.quantum)
        finest = float(bonds[bonds > 1e-9 * (scale + 1e-300)].min(initial=math.inf))
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
        """What each undated flip counts, boundary and all."""
        states = np.arange(self.problem.states)
        jumps = [
            self.tilt.quantum[i] + self.tilt.boundary - self.tilt.boundary[states ^ (1 << i)]
            for i in np.flatnonzero(~self.dated)
        ]
        return np.concatenate(jumps) if jumps else np.zeros(0)

    def _atoms(self, jumps: Array, ends: tuple[float, float]) -> Atoms:
        unit = lattice(jumps)
        if unit is None:
            # Values that lie dense: the density shows them as peaks, as its error says.
            return Atoms(np.zeros(0), np.zeros(0))
        if unit == 0.0:
            weight = self.characteristic(np.zeros(1), only_undated=True).real
            return Atoms(np.zeros(1), weight)
        return atoms_on(unit, ends, lambda w: self.characteristic(w, only_undated=True))


def _repeated(through: Complex, row: Complex, periods: int) -> Complex:
    """Rows (states, lanes) after so many periods, each multiplied by `through` (y, x, lanes)."""
    maps, rows = through.transpose(2, 0, 1), row.T[:, :, None]
    if periods <= len(row) ** 2:
        for _ in range(periods):
            rows = maps @ rows
        return np.asarray(rows[:, :, 0].T)
    while periods:
        if periods % 2:
            rows = maps @ rows
        maps, periods = maps @ maps, periods // 2
    return np.asarray(rows[:, :, 0].T)
