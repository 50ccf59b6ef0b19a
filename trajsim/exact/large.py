"""Large networks: distributions are carried one by one, without a matrix.

The periodic state is found from the map of one period in coarse steps, by GMRES, and corrected
towards that of an extrapolated map.
"""

import math
from functools import cached_property

import numpy as np

from trajsim.exact import runge_kutta
from trajsim.exact.ensemble import Array
from trajsim.exact.problem import Problem
from trajsim.exact.small import Carried, Solution, richardson
from trajsim.exact.stationary import correction, fixed_point

FEWEST_STEPS, MOST_STEPS = 32, 1 << 17
# Relative accuracy of a step from the fixed point of one map to another's.
SHIFT = 1e-3


class LargeSolver:
    """Periodic state of a network of many spins, and how distributions move."""

    def __init__(self, problem: Problem, tolerance: float) -> None:
        self.problem, self.tolerance = problem, tolerance

    def carry(self, p: Array, segment: int, segments: int) -> Carried:
        """P (..., 2**n) at the end of a segment and its gains (..., g)."""
        rows = np.atleast_2d(p)
        runs = [
            self._stepped(rows, segment, segments, self.solution.steps // 4, times=2**k)
            for k in range(3)
        ]
        end, totals = _twice_extrapolated(runs)
        return end.reshape(p.shape), totals.reshape(*p.shape[:-1], -1)

    def _stepped(
        self,
        p: Array,
        segment: int,
        segments: int,
        steps: int,
        book: bool = True,
        times: int = 1,
    ) -> Carried:
        """Carry rows of p with at least `steps` steps a period, each cut into `times` more."""
        p, totals = p.copy(), np.zeros((len(p), self.problem.width if book else 0))
        for begin, end in self.problem.pieces(segment, segments):
            count = times * max(1, math.ceil(steps * (end - begin) - 1e-9))
            runge_kutta.propagate(
                self.problem.network, self.problem.table, p, totals, begin, end, count
            )
        return p, totals

    @cached_property
    def solution(self) -> Solution:
        """The periodic state."""
        problem, period = self.problem, self.problem.network.period
        steps = max(FEWEST_STEPS, runge_kutta.fewest_steps(problem.network, problem.table))

        def once(q: Array) -> Array:
            return self._stepped(q[None], 0, 1, steps, book=False)[0][0]

        p, times = fixed_point(once, np.full(problem.states, 1.0 / problem.states)), 1
        while True:
            runs = [self._stepped(p[None], 0, 1, steps, times=times * 2**k) for k in range(3)]
            end, totals = (a[0] for a in _twice_extrapolated(runs))
            # On to the fixed point of the better map; that shift needs no better map.
            shift = correction(once, end - p, SHIFT)
            moved = self._stepped(shift[None], 0, 1, steps)[1][0]
            p, now = p + shift, (totals + moved) / period
            cut = np.abs(totals - richardson(runs[1], runs[2])[1][0]) / period
            error = cut + 2 * SHIFT * np.abs(moved) / period
            enough = problem.accurate(now, error, self.tolerance)
            if enough or 4 * steps * times >= MOST_STEPS:
                return Solution(p, now, error, 4 * steps * times)
            if not problem.accurate(now, cut, self.tolerance):
                times *= 2


def _twice_extrapolated(runs: list[Carried]) -> Carried:
    """Three runs, each with half the step of the one before, freed of two orders of error."""
    return richardson(richardson(runs[0], runs[1]), richardson(runs[1], runs[2]), order=5)
