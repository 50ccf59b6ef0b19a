"""Small networks: how a period carries series and pairs of distributions, kept as matrices."""

import math
from functools import cached_property

import numpy as np

from trajsim.exact import collocation, pairs, tilted
from trajsim.exact.ensemble import Array, NoExactSideError
from trajsim.exact.jumps.ensemble import DENSE_STEPS
from trajsim.exact.jumps.stationary import stationary
from trajsim.exact.master import MasterEquation
from trajsim.exact.problem import Problem
from trajsim.exact.tilt import Tilt

MOST_STEPS = 4096
# Where these leave no number behind, a growth is taken to be beyond all numbers.
HOPELESS_STEPS = 256


class SmallMap:
    """One period of a network of few spins, counted.

    Parameters
    ----------
    problem : Problem
    tolerance : relative accuracy of what a period does

    Raises
    ------
    NoExactSideError
        If some states are left so rarely that rounding would spoil what the counting rests on.
    """

    def __init__(self, problem: Problem, tolerance: float) -> None:
        self.problem, self.tolerance = problem, tolerance
        self.period = problem.network.period
        solution = MasterEquation(problem.network, tolerance).smooth_solution
        if solution is None:
            raise NoExactSideError(
                "some states are left so rarely that fluctuations are lost in rounding"
            )
        self.steps = solution.steps if solution.dense else DENSE_STEPS
        self._maps: dict[tuple[bytes, int], Array] = {}
        self._series_steps = 0

    @cached_property
    def stationary(self) -> Array:
        """P (2**n,) that returns to itself."""
        return stationary(self._plain.T)[0]

    @cached_property
    def _plain(self) -> Array:
        return self._pairs[0]

    def solve(self, rest: Array) -> Array:
        """Rows d (..., 2**n) that sum to zero with d - d U = rest, for rows of rest that do."""
        size = self.problem.states
        # |1><p| changes nothing for such rows and takes away the null space.
        system = np.eye(size) - self._plain + np.outer(np.ones(size), self.stationary)
        return np.asarray(np.linalg.solve(system.T, rest.T).T, np.float64)

    # -- pairs ---------------------------------------------------------------------------------

    @cached_property
    def _pairs(self) -> tuple[Array, Array, Array]:
        """U (x, y), its derivatives (x, a, y) and second moments (x, a, b) of a start in x."""
        before, steps = self._pairs_in(self.steps), self.steps
        while True:
            steps += steps // 2
            now = self._pairs_in(steps)
            off = [abs(a - b).max() / abs(a).max() for a, b in zip(now, before, strict=True)]
            if max(off) < self.tolerance or steps > MOST_STEPS:
                return now
            before = now

    def _pairs_in(self, steps: int) -> tuple[Array, Array, Array]:
        problem = self.problem
        states, kinds = problem.states, problem.baths + problem.drives
        p, v = np.eye(states), np.zeros((states, kinds, states))
        s = np.zeros((states, kinds, kinds))
        for edges in self._edges(steps):
            pairs.propagate(problem.network, problem.table, p, v, s, edges)
        return p, v, s

    def pair(self, p: Array, v: Array) -> tuple[Array, Array, Array]:
        """Carry P (2**n,) and its derivatives v (g, 2**n); also the second moments (g, g)."""
        propagator, derivatives, moments = self._pairs
        cross = v @ derivatives.sum(axis=-1)
        carried = v @ propagator + np.einsum("x,xay->ay", p, derivatives)
        return p @ propagator, carried, np.einsum("x,xab->ab", p, moments) + cross + cross.T

    # -- series --------------------------------------------------------------------------------

    def _edges(self, steps: int, settled: bool = False) -> list[Array]:
        """Edges of the steps between kinks; a start that is not `settled` is resolved."""
        fastest = self.problem.fastest_leaving()
        return [
            collocation.step_edges(
                begin, end, 1.0 / steps, 1.0 if settled and begin == 0.0 else 0.5 / fastest
            )
            for begin, end in self.problem.pieces(0, 1)
        ]

    def _run(
        self,
        tilt: Tilt,
        z: float,
        center: float,
        powers: int,
        steps: int,
        settled: bool,
    ) -> tuple[Array, float]:
        """Series (powers, 2**n, 2**n) of the tilted map about z, and the growth taken out of it."""
        states, growth = self.problem.states, 0.0
        p = np.zeros((powers, states, states))
        p[0] = np.eye(states)
        factor, base = np.exp(z * tilt.quantum), z * tilt.lean
        for edges in self._edges(steps, settled):
            growth += tilted.propagate(
                self.problem.network,
                self.problem.table,
                factor,
                base,
                tilt.quantum,
                tilt.lean,
                center,
                p,
                edges,
                z != 0.0,
            )
        return p, growth

    def _series(self, tilt: Tilt, center: float, powers: int) -> Array:
        key = (b"".join(np.asarray(t).tobytes() for t in (*tilt, center)), powers)
        if key not in self._maps:
            self._maps[key] = self._converged_series(tilt, center, powers)
        return self._maps[key]

    def _converged_series(self, tilt: Tilt, center: float, powers: int) -> Array:
        if self._series_steps:
            # The steps follow the distribution, whatever is counted.
            found = self._run(tilt, 0.0, center, powers, self._series_steps, settled=False)[0]
            return found
        steps = self.steps
        before = self._run(tilt, 0.0, center, powers, steps, settled=False)[0]
        while True:
            steps += steps // 2
            now = self._run(tilt, 0.0, center, powers, steps, settled=False)[0]
            scale = abs(now).max(axis=(1, 2), keepdims=True)
            if (abs(now - before) <= self.tolerance * scale).all() or steps > MOST_STEPS:
                self._series_steps = steps
                return now
            before = now

    def series(self, q: Array, tilt: Tilt, center: float) -> Array:
        """Carry a series of one row (powers, 2**n) through a period; A is counted from `center`."""
        u = self._series(tilt, center, len(q))
        return np.stack([sum(q[j] @ u[k - j] for j in range(k + 1)) for k in range(len(q))])

    # -- one value of the counting field -------------------------------------------------------

    def growth(self, tilt: Tilt) -> float:
        """log of the spectral radius of the map tilted by A itself; inf beyond all numbers."""
        before, steps = math.inf, self.steps
        while True:
            u, grown = self._run(tilt, 1.0, 0.0, 1, steps, settled=True)
            # Steps too long for a fast growth leave no number behind.
            now = math.inf
            if np.isfinite(u).all() and math.isfinite(grown) and u.any():
                now = math.log(abs(np.linalg.eigvals(u[0])).max()) + grown
            close = abs(now - before) <= self.tolerance * max(1.0, abs(now))
            hopeless = math.isinf(now) and steps > HOPELESS_STEPS
            if close or hopeless or steps > MOST_STEPS:
                return now
            before, steps = now, steps + steps // 2

    def log_average(self, tilt: Tilt, p: Array, periods: int) -> float:
        """log <exp(A)> over `periods` from P (2**n,); inf where it is not found."""
        before, steps = math.inf, self.steps
        while True:
            u, growth = self._run(tilt, 1.0, 0.0, 1, steps, settled=False)
            now = _through(u[0], growth, tilt, p, periods)
            close = abs(now - before) <= periods * self.tolerance * max(1.0, abs(now))
            if close or steps > MOST_STEPS:
                return now
            before, steps = now, steps + steps // 2


def _through(u: Array, growth: float, tilt: Tilt, p: Array, periods: int) -> float:
    """log <exp(A)> from the tilted map of a period; inf if steps were too long for it."""
    row, logarithm = p * np.exp(tilt.boundary), 0.0
    for k in range(periods):
        before, row = row, row @ u
        size = float(row.max())
        if not (size > 0.0 and math.isfinite(size)):
            return math.inf
        row, logarithm = row / size, logarithm + math.log(size) + growth
        if abs(row - before).max() <= 1e-15:
            # Every period that follows multiplies as much.
            logarithm += (periods - 1 - k) * (math.log(size) + growth)
            break
    total = float(row @ np.exp(-tilt.boundary))
    return logarithm + math.log(total) if total > 0.0 else math.inf
