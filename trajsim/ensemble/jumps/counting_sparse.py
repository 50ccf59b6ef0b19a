"""Many states: tilted distributions followed one by one, without a matrix (`following`)."""

import math
from collections.abc import Callable

import numpy as np

from trajsim.ensemble.answers import Array, NoExactSideError
from trajsim.ensemble.jumps.channels import JumpProcess
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.ensemble.jumps.following import Follower
from trajsim.ensemble.jumps.limits import expect_time
from trajsim.ensemble.jumps.stationary import correction
from trajsim.ensemble.jumps.tilt import Tilt

# Relative accuracy of each step: of moments, and of tilted averages.
FINE, FAIR = 1e-12, 1e-10
# Of the solution of d - U d = rest, and of a single GMRES towards it.
ACCURACY, SHIFT, ROUNDS = 1e-10, 1e-4, 8
# Of a rest that is left alone.
QUIET = 1e-14
# Parts of the period after which what grows is brought back to 1.
PARTS = 16
# Seconds that a jump takes in a slope, as measured; slopes of a period at least, and per exit.
SECONDS_A_JUMP, FEWEST_SLOPES, SLOPES_AN_EXIT = 2e-9, 240, 3.0
# Periods that second moments are followed through, roughly.
PERIODS = 40


class SparseCounting:
    """One period of a process of many states, counted; as `counting_dense.DenseCounting`.

    Parameters
    ----------
    process : JumpProcess
    patience : seconds that second moments may take

    Raises
    ------
    NoExactSideError
        If it would take too long, or the system relaxes too slowly.
    """

    def __init__(self, process: JumpProcess, patience: float = math.inf) -> None:
        self.process = process
        kinds = process.baths + process.drives
        seconds = PERIODS * kinds * self.seconds_a_period(process)
        expect_time(seconds, f"fluctuations of {process.states} states take too long", patience)
        solution = JumpEnsemble(process).smooth_solution
        if solution is None:
            raise NoExactSideError("the network relaxes too slowly to follow its fluctuations")
        self.stationary = solution.state
        self._follower = Follower(process)

    @staticmethod
    def seconds_a_period(process: JumpProcess) -> float:
        """What following one distribution through a period takes, roughly."""
        slopes = FEWEST_SLOPES + SLOPES_AN_EXIT * process.fastest_exit * process.period
        return SECONDS_A_JUMP * slopes * len(process.kind)

    # -- second moments ------------------------------------------------------------------------

    def pair(self, p: Array, v: Array) -> tuple[Array, Array, Array]:
        """Carry P (n,) and its derivatives v (g, n); also the second moments (g, g)."""
        process, flow = self.process, self._follower.flow
        kinds, baths = len(v), process.baths
        second = np.zeros((kinds, kinds))
        none = np.zeros(process.states)

        def slope(u: float, x: Array) -> Array:
            now = process.at(np.array([u]))
            rates = now.rates[0]
            out = flow(np.repeat(rates[:, None], kinds + 1, axis=1), process.leaving(rates), x)
            taken = (rates * process.heats_of(now.value)[0])[:, None] * process.heat_of_bath
            p = x[:, :1]
            out[:, 1 : 1 + baths] += flow(taken, none, np.repeat(p, baths, axis=1))
            out[:, 1 + baths :] += (now.speed[0][:, None] * process.conjugate).T * p
            return np.asarray(out)

        def add(phases: Array, spent: Array) -> None:
            at = process.at(phases)
            moved = process.energetics(at, spent)[:kinds, 1:]
            visits = process.exits @ spent[:, :, 0].T
            squares = (at.rates * process.heats_of(at.value) ** 2).T * visits
            own = np.append(process.heat_of_bath.T @ squares.sum(axis=1), np.zeros(kinds - baths))
            np.add(second, moved + moved.T + np.diag(own), out=second)

        begin = np.concatenate([p[None], v]).T.copy()
        end = self._follower.integrate(slope, begin, (0.0, 1.0), FINE, add)
        return end[:, 0].copy(), end[:, 1:].T.copy(), second

    def solve(self, rest: Array) -> Array:
        """Rows d (..., n) that sum to zero with d - U d = rest, for rows of rest that do."""
        if rest.ndim > 1:
            return np.stack([self.solve(row) for row in rest])
        d, left = np.zeros_like(rest), rest
        for _ in range(ROUNDS):
            # The coarse map finds the way, the better one tells how far it is.
            d = d + correction(lambda x: self._once(x, 1e-3 * SHIFT), left, SHIFT, QUIET)
            left = rest - (d - self._once(d, FINE))
            left = left - left.mean()
            if abs(left).max() <= ACCURACY * abs(rest).max():
                return d
        raise NoExactSideError("the network relaxes too slowly to follow its fluctuations")

    def _once(self, p: Array, accuracy: float) -> Array:
        column = np.asarray(p, np.float64).reshape(-1, 1)
        return self._follower.carry(column, 0.0, 1.0, accuracy, energetics=False)[0][:, 0]

    # -- power series --------------------------------------------------------------------------

    def series(self, tilt: Tilt, center: float, powers: int) -> Callable[[Array], Array]:
        """What carries a series (powers, n) through a period; A is counted from `center`."""
        process, flow = self.process, self._follower.flow
        # Power k of the result takes power k - j of what there is, by jumps that count A^j / j!.
        target, back = np.array([(k, j) for k in range(powers) for j in range(k + 1)]).T
        first = np.flatnonzero(np.diff(target, prepend=-1))
        factorial = np.array([math.factorial(j) for j in range(powers)])
        none = np.zeros(process.states)

        def slope(u: float, x: Array) -> Array:
            at = process.at(np.array([u]))
            rates = at.rates[0]
            counts = tilt.counts(at)[0, 0]
            weights = rates[:, None] * counts[:, None] ** back / factorial[back]
            came = flow(weights, none, np.ascontiguousarray(x[:, target - back]))
            out = np.add.reduceat(came, first, axis=1) - process.leaving(rates)[:, None] * x
            leaning = tilt.powers(at)[0, 0] - center
            out[:, 1:] += leaning[:, None] * x[:, :-1]
            return np.asarray(out)

        def carry(q: Array) -> Array:
            return np.asarray(
                self._follower.integrate(slope, q.T.copy(), (0.0, 1.0), FINE).T, np.float64
            )

        return carry

    # -- one value of the counting field -------------------------------------------------------

    def growth(self, tilt: Tilt) -> Array:
        """log (f,) of the spectral radius of the maps tilted by A; inf if it is out of reach."""
        return np.array([self._growth(tilt.part([field])) for field in range(len(tilt.counted))])

    def _growth(self, tilt: Tilt) -> float:
        from scipy.sparse.linalg import LinearOperator, eigs

        states = self.process.states
        # Found first as a number near 1: growth is taken out as it comes.
        row, rate = np.ones(states), 0.0
        for _ in range(3):
            row, rate = self._grow(tilt, row)
            if not math.isfinite(rate):
                return math.inf

        def once(q: Array) -> Array:
            row, grown = self._grow(tilt, np.asarray(q, np.float64).ravel())
            return row * math.exp(grown - rate)

        operator = LinearOperator((states, states), matvec=once, dtype=np.float64)
        value = eigs(operator, k=1, v0=row, tol=1e-11, return_eigenvectors=False)[0]
        return math.log(abs(value)) + rate

    def _grow(self, tilt: Tilt, row: Array) -> tuple[Array, float]:
        """Row (n,) after a tilted period, but for the growth exp(c), and c."""
        column, grown = row[:, None].copy(), 0.0
        for part in range(PARTS):
            try:
                with np.errstate(all="ignore"):
                    column = self._tilted(tilt, column, part / PARTS, (part + 1) / PARTS)
            except NoExactSideError:
                return row, math.inf
            size = float(abs(column).max())
            if not (size > 0.0 and math.isfinite(size)):
                return row, math.inf
            column /= size
            grown += math.log(size)
        return column[:, 0], grown

    def _tilted(self, tilt: Tilt, columns: Array, begin: float, end: float) -> Array:
        """Columns (n, f), one for each field, after a part of the period."""
        process = self.process

        def slope(u: float, x: Array) -> Array:
            at = process.at(np.array([u]))
            rates = at.rates[0]
            factor = np.exp(tilt.counts(at)[:, 0])
            out = self._follower.flow((rates * factor).T, process.leaving(rates), x)
            return np.asarray(out + tilt.powers(at)[:, 0].T * x)

        return self._follower.integrate(slope, columns, (begin, end), FAIR)

    def log_average(self, tilt: Tilt, p: Array, periods: int) -> float:
        """log <exp(A)> over `periods` from P (n,), for a tilt of one field; inf if not found."""
        row, logarithm = p * np.exp(tilt.boundary[0]), 0.0
        for k in range(periods):
            last_row, (row, grown) = row, self._grow(tilt, row)
            logarithm += grown
            if not math.isfinite(logarithm):
                return math.inf
            if abs(row - last_row).max() <= FAIR * abs(row).max():
                # Every period that follows multiplies as much.
                logarithm += (periods - 1 - k) * grown
                break
        total = float(row @ np.exp(-tilt.boundary[0]))
        return logarithm + math.log(total) if total > 0.0 else math.inf
