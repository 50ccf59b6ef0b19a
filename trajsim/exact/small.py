"""Small networks: the propagator of each segment of the period is kept as a matrix.

Where P follows the drive smoothly, it is carried by collocation. Where states are left so rarely
that rounding would count, it is carried by sums of positive terms, right in every digit, in many
more steps.
"""

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np

from trajsim.exact import collocation, magnus
from trajsim.exact.ensemble import Array
from trajsim.exact.problem import Problem
from trajsim.exact.stationary import stationary

# Of collocation: where P follows the drive, few steps suffice.
SMOOTH_STEPS, MOST_SMOOTH_STEPS = 16, 1024
FEWEST_STEPS, MOST_STEPS = 32, 1 << 17

# Rows of distributions at the end, and what each has gained.
Carried = tuple[Array, Array]


class Solution(NamedTuple):
    """Periodic state (2**n,), its currents (g,), their error (g,), steps a period that it took.

    `smooth` where the state follows the drive and collocation found it.
    """

    state: Array
    rates: Array
    error: Array
    steps: int
    smooth: bool = False


class SmallSolver:
    """Periodic state and propagators of a network of few spins."""

    def __init__(self, problem: Problem, tolerance: float) -> None:
        self.problem, self.tolerance = problem, tolerance
        self._maps: dict[tuple[int, int], Carried] = {}

    @cached_property
    def solution(self) -> Solution:
        """The periodic state."""
        return self._solve_smooth() or self._solve_stiff()

    def carry(self, p: Array, segment: int, segments: int) -> Carried:
        """P (..., 2**n) at the end of a segment and its gains (..., g)."""
        key = (segment, segments)
        if key not in self._maps:
            start = np.eye(self.problem.states)
            if self.solution.smooth:
                self._maps[key] = self._collocated(start, *key, self.solution.steps)
            else:
                self._maps[key] = self._extrapolated(start, *key, self.solution.steps)
        propagator, totals = self._maps[key]
        return p @ propagator, p @ totals

    def _collocated(
        self, p: Array, segment: int, segments: int, steps: int, settled: bool = False
    ) -> Carried:
        """Carry rows of p; if they are `settled`, they follow the drive from the beginning."""
        p, totals = p.copy(), np.zeros((len(p), self.problem.width))
        for begin, end in self.problem.pieces(segment, segments):
            follows = settled and begin == 0.0
            narrowest = 1.0 if follows else 0.5 / self._fastest
            edges = collocation.step_edges(begin, end, 1.0 / steps, narrowest)
            collocation.propagate(self.problem.network, self.problem.table, p, totals, edges)
        return p, totals

    @cached_property
    def _fastest(self) -> float:
        return self.problem.fastest_leaving()

    def _solve_smooth(self) -> Solution | None:
        """Solution by collocation; None if rounding spoils it because states are rarely left."""
        problem, start = self.problem, np.eye(self.problem.states)
        steps = max(SMOOTH_STEPS, 4 * int(problem.network.drive.order.max()))
        now, change = np.full(problem.width + problem.states, np.inf), np.inf
        while True:
            propagator, totals = self._collocated(start, 0, 1, steps, settled=True)
            rounding = max(1e-15, float(np.abs(propagator.sum(axis=1) - 1.0).max()))
            p, rarest = stationary(propagator)
            if not rounding < self.tolerance * rarest:
                return None
            rates = p @ totals / problem.network.period
            before, now, change_before = now, np.append(rates, p), change
            changes = np.abs(now - before)
            change = float(changes.max())
            # What is left is as much smaller than the last change as that is than the one before.
            shrinks = change / change_before if math.isfinite(change_before) else 1.0
            left = changes * min(1.0, 2.0 * shrinks)
            error, shift = left[: problem.width], left[problem.width :].max()
            accurate = problem.accurate(rates, error, self.tolerance) and shift < self.tolerance
            if accurate or steps >= MOST_SMOOTH_STEPS:
                return Solution(p, rates, error, steps, smooth=True)
            steps += steps // 2

    # -- where states are rarely left --------------------------------------------------------

    def _stepped(
        self, p: Array, segment: int, segments: int, steps: int, times: int = 1
    ) -> Carried:
        """Carry rows of p with at least `steps` Magnus steps a period, each cut into `times`."""
        p, totals = p.copy(), np.zeros((len(p), self.problem.width))
        for begin, end in self.problem.pieces(segment, segments):
            count = times * max(1, math.ceil(steps * (end - begin) - 1e-9))
            magnus.propagate(self.problem.network, self.problem.table, p, totals, begin, end, count)
        return p, totals

    def _extrapolated(self, p: Array, segment: int, segments: int, steps: int) -> Carried:
        """The result for `steps` steps a period freed of its leading error, of fourth order."""
        coarse = self._stepped(p, segment, segments, steps // 2)
        return richardson(coarse, self._stepped(p, segment, segments, steps // 2, times=2))

    def _solve_stiff(self) -> Solution:
        problem, start, times = self.problem, np.eye(self.problem.states), 1
        coarse, before = self._stepped(start, 0, 1, FEWEST_STEPS), np.full(problem.width, np.inf)
        while True:
            times *= 2
            fine = self._stepped(start, 0, 1, FEWEST_STEPS, times=times)
            propagator, totals = self._maps[0, 1] = richardson(coarse, fine)
            p, _ = stationary(propagator)
            now = p @ totals / problem.network.period
            # Of sixth order, the error is far below the last change.
            error, steps = np.abs(now - before), FEWEST_STEPS * times
            if problem.accurate(now, error, self.tolerance) or steps >= MOST_STEPS:
                return Solution(p, now, error, steps)
            coarse, before = fine, now


def richardson(coarse: Carried, fine: Carried, order: int = 4) -> Carried:
    """Two runs of a method, the second with half the step, freed of the leading error."""
    gain = 2.0**order
    return (gain * fine[0] - coarse[0]) / (gain - 1), (gain * fine[1] - coarse[1]) / (gain - 1)
