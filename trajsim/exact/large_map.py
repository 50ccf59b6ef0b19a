"""Large networks: how a period carries series and pairs of distributions, one by one."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from trajsim.exact import flows
from trajsim.exact.ensemble import Array, NoExactSideError
from trajsim.exact.master import MasterEquation
from trajsim.exact.problem import Problem
from trajsim.exact.runge_kutta import fewest_steps
from trajsim.exact.tilt import Tilt

# Of the solution of d - d U = rest, and of a single GMRES towards it.
ACCURACY, SHIFT, ROUNDS = 1e-10, 1e-4, 8
# Parts of the period after which what grows is brought back to 1.
PARTS = 16
FEWEST_STEPS, MOST_STEPS = 32, 1 << 16
# How well the periodic state returns to itself.
RETURNS = 1e-11


class LargeMap:
    """One period of a network of many spins, counted; as `trajsim.exact.small_map.SmallMap`."""

    def __init__(self, problem: Problem, tolerance: float) -> None:
        self.problem, self.tolerance = problem, tolerance
        self.period = problem.network.period
        solution = MasterEquation(problem.network).smooth_solution
        if solution is None:
            raise NoExactSideError("the network relaxes too slowly to follow its fluctuations")
        self.stationary = solution.state
        self.steps = max(FEWEST_STEPS, fewest_steps(problem.network, problem.table))
        # Fine enough if the periodic state returns to itself.
        none = np.zeros((problem.baths + problem.drives, problem.states))
        while abs(self.pair(solution.state, none)[0] - solution.state).max() > RETURNS:
            self.steps *= 2
            if self.steps > MOST_STEPS:
                raise NoExactSideError("flips are too fast against the period to follow them all")

    def _extrapolated(self, run: Callable[[int], tuple[Array, ...]]) -> list[Array]:
        """Result freed of two orders of error, from runs of 1, 2 and 4 times the steps."""
        runs = [run(self.steps * times) for times in (1, 2, 4)]
        out = []
        for coarse, middle, fine in zip(*runs, strict=True):
            better, best = (16 * middle - coarse) / 15, (16 * fine - middle) / 15
            out.append((32 * best - better) / 31)
        return out

    # -- pairs and series ----------------------------------------------------------------------

    def pair(self, p: Array, v: Array) -> tuple[Array, Array, Array]:
        """Carry P (2**n,) and its derivatives v (g, 2**n); also the second moments (g, g)."""

        def run(steps: int) -> tuple[Array, ...]:
            end, moved, moments = p.copy(), v.copy(), np.zeros((len(v), len(v)))
            for first, last, number in self._pieces(steps):
                flows.carry_pairs(
                    self.problem.network,
                    self.problem.table,
                    end,
                    moved,
                    moments,
                    first,
                    last,
                    number,
                )
            return end, moved, moments

        end, moved, moments = self._extrapolated(run)
        return end, moved, moments

    def _pieces(self, steps: int, parts: int = 1) -> list[tuple[float, float, int]]:
        """Parts of the period between kinks, and how many of the steps they take."""
        return [
            (first, last, max(1, math.ceil(steps * (last - first) - 1e-9)))
            for part in range(parts)
            for first, last in self.problem.pieces(part, parts)
        ]

    def _carry(self, q: Array, tilt: Tilt, z: float, center: float, steps: int) -> Array:
        """Series (powers, 2**n) after a period, in so many steps."""
        q = q.copy()
        factor, base = np.exp(z * tilt.quantum), z * tilt.lean
        for first, last, number in self._pieces(steps):
            flows.carry_series(
                self.problem.network,
                self.problem.table,
                factor,
                base,
                tilt.quantum,
                tilt.lean,
                center,
                q,
                first,
                last,
                number,
            )
        return q

    def series(self, q: Array, tilt: Tilt, center: float) -> Array:
        """Carry a series of one row (powers, 2**n) through a period; A is counted from `center`."""
        return self._extrapolated(lambda steps: (self._carry(q, tilt, 0.0, center, steps),))[0]

    def solve(self, rest: Array) -> Array:
        """Rows d (..., 2**n) that sum to zero with d - d U = rest, for rows of rest that do."""
        if rest.ndim > 1:
            return np.stack([self.solve(row) for row in rest])
        none = np.zeros_like(self.problem.table.spin)
        still = Tilt(none, none[:, 0].copy(), none[0].copy())

        def once(d: Array) -> Array:
            return self._carry(d[None], still, 0.0, 0.0, self.steps)[0]

        d, left = np.zeros_like(rest), rest
        for _ in range(ROUNDS):
            # The coarse map finds the way, the better one tells how far it is.
            d = d + correction(once, left, SHIFT)
            left = rest - (d - self.series(d[None], still, 0.0)[0])
            left = left - left.mean()
            if abs(left).max() <= ACCURACY * abs(rest).max():
                return d
        raise NoExactSideError("the network relaxes too slowly to follow its fluctuations")

    # -- one value of the counting field -------------------------------------------------------

    def growth(self, tilt: Tilt) -> float:
        """log of the spectral radius of the map tilted by A itself; inf if it is out of reach."""
        from scipy.sparse.linalg import LinearOperator, eigs

        states, before, steps = self.problem.states, math.inf, self._tilted_steps(tilt)
        while steps <= MOST_STEPS:
            # Found first as a number near 1: growth is taken out as it comes.
            row, rate = self._power(tilt, np.ones(states), steps, 3)

            def once(q: Array, steps: int = steps, rate: float = rate) -> Array:
                row, grown = self._grow(tilt, np.asarray(q, np.float64), steps)
                return row * math.exp(grown - rate)

            operator = LinearOperator((states, states), matvec=once, dtype=np.float64)
            value = eigs(operator, k=1, v0=row, tol=1e-11, return_eigenvectors=False)[0]
            now = math.log(abs(value)) + rate
            if abs(now - before) <= 1e-7 * max(1.0, abs(now)):
                return now
            before, steps = now, 2 * steps
        return math.inf

    def _power(self, tilt: Tilt, row: Array, steps: int, times: int) -> tuple[Array, float]:
        grown = 0.0
        for _ in range(times):
            row, grown = self._grow(tilt, row / abs(row).max(), steps)
        return row, grown

    def _tilted_steps(self, tilt: Tilt) -> int:
        """Steps that stability asks for: the tilt makes some flips faster."""
        return math.ceil(self.steps * max(1.0, float(np.exp(tilt.quantum).max())))

    def _grow(self, tilt: Tilt, row: Array, steps: int) -> tuple[Array, float]:
        """Row (2**n,) after a tilted period, but for the growth exp(c), and c."""
        grown, q = 0.0, row[None].copy()
        factor = np.exp(tilt.quantum)
        for first, last, number in self._pieces(steps, PARTS):
            flows.carry_series(
                self.problem.network,
                self.problem.table,
                factor,
                tilt.lean,
                tilt.quantum,
                tilt.lean,
                0.0,
                q,
                first,
                last,
                number,
            )
            size = float(abs(q).max())
            if not (size > 0.0 and math.isfinite(size)):
                return q[0], math.inf
            q /= size
            grown += math.log(size)
        return q[0], grown

    def log_average(self, tilt: Tilt, p: Array, periods: int) -> float:
        """log <exp(A)> over `periods` from P (2**n,); inf if it is out of reach."""
        before, steps = math.inf, self._tilted_steps(tilt)
        while steps <= MOST_STEPS:
            row, logarithm = p * np.exp(tilt.boundary), 0.0
            for k in range(periods):
                last_row, (row, grown) = row, self._grow(tilt, row, steps)
                logarithm += grown
                if abs(row - last_row).max() <= 1e-15 * abs(row).max():
                    # Every period that follows multiplies as much.
                    logarithm += (periods - 1 - k) * grown
                    break
            total = float(row @ np.exp(-tilt.boundary))
            now = logarithm + math.log(total) if total > 0.0 else math.inf
            if abs(now - before) <= 1e-7 * max(1.0, abs(now)):
                return now
            before, steps = now, 2 * steps
        return math.inf


def correction(once: Callable[[Array], Array], rest: Array, accuracy: float = 1e-10) -> Array:
    """Solve (1 - U) d = rest for the d that sums to zero, to a relative accuracy, by GMRES.

    |u><1| with u uniform is added to 1 - U: it changes nothing for such d and takes away the
    null space.

    Raises
    ------
    NoExactSideError
        If it is not found.
    """
    from scipy.sparse.linalg import LinearOperator, gmres

    size = len(rest)
    if np.abs(rest).max() < 1e-15:
        return np.zeros(size)

    def apply(d: Any) -> Any:
        return d - once(d) + d.sum() / size

    operator = LinearOperator((size, size), matvec=apply, dtype=np.float64)
    d, failed = gmres(operator, rest, rtol=accuracy, atol=1e-14, restart=60, maxiter=3)
    if failed:
        raise NoExactSideError("the periodic state was not found: the network relaxes too slowly")
    return np.asarray(d - d.mean(), np.float64)
