"""Many states: tilted distributions followed one by one, without a matrix (`integration`)."""

import math
from collections.abc import Callable

import numpy as np

from trajsim.ensemble.answers import Array, NoExactSideError
from trajsim.ensemble.jumps.channels import JumpProcess
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.ensemble.jumps.integration import Derivative, ProbabilityIntegrator
from trajsim.ensemble.jumps.limits import expect_time
from trajsim.ensemble.jumps.stationary import correction
from trajsim.ensemble.jumps.tilt import Tilt

# Relative accuracy of each step: of moments, and of tilted averages.
FINE, FAIR = 1e-12, 1e-10
# Relative accuracy of the solution of d - U d = source, and of each GMRES towards it.
ACCURACY, SHIFT, ROUNDS = 1e-10, 1e-4, 8
# Size of a residual that is not reduced further.
QUIET = 1e-14
# Parts of the period after which a tilted distribution is normalised to 1.
PARTS = 16
# Seconds that a jump takes in a slope, as measured; slopes of a period at least, and per exit.
SECONDS_A_JUMP, FEWEST_SLOPES, SLOPES_AN_EXIT = 2e-9, 240, 3.0
# Periods that second moments are followed through, roughly.
PERIODS = 40


class SparseCounting:
    """Counting statistics of one period of a process of many states; see `DenseCounting`.

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
        self._integrator = ProbabilityIntegrator(process)

    @staticmethod
    def seconds_a_period(process: JumpProcess) -> float:
        """Estimated seconds to integrate one distribution over a period."""
        slopes = FEWEST_SLOPES + SLOPES_AN_EXIT * process.fastest_exit * process.period
        return SECONDS_A_JUMP * slopes * len(process.kind)

    # -- second moments ------------------------------------------------------------------------

    def carry_moments(self, p: Array, v: Array) -> tuple[Array, Array, Array]:
        """Carry P (n,) and its derivatives v (g, n); also the second moments (g, g)."""
        process, flow = self.process, self._integrator.flow
        count, baths = len(v), process.baths
        second = np.zeros((count, count))
        zeros = np.zeros(process.states)

        def derivative(phases: Array) -> Derivative:
            instants = process.at(phases)
            gains = instants.rates[:, None] * process.gains(instants.value)
            by_jumps = gains.shape[1]

            def slope(k: int, x: Array) -> Array:
                rates, p = instants.rates[k], x[:, :1]
                out = flow(np.repeat(rates[:, None], count + 1, axis=1), process.leaving(rates), x)
                out[:, 1 : 1 + by_jumps] += flow(gains[k].T, zeros, np.repeat(p, by_jumps, axis=1))
                out[:, 1 + baths :] += (instants.speed[k][:, None] * process.conjugate).T * p
                return np.asarray(out)

            return slope

        def add(phases: Array, dwell: Array) -> None:
            instants = process.at(phases)
            first = process.energetics(instants, dwell)[:count, 1:]
            visits = process.exits @ dwell[:, :, 0].T
            gains = process.gains(instants.value)
            weighted = gains * (instants.rates * visits.T)[:, None]
            own = np.zeros((count, count))
            by_jumps = gains.shape[1]
            own[:by_jumps, :by_jumps] = np.einsum("tak,tbk->ab", weighted, gains)
            np.add(second, first + first.T + own, out=second)

        def jump(u: float, x: Array) -> Array:
            work = process.work_at(u)
            if work is None:
                return x
            both = np.concatenate([np.zeros((baths, process.states)), work])
            first = both @ x[:, 1:]
            np.add(second, first + first.T + (both * x[:, 0]) @ both.T, out=second)
            return np.concatenate([x[:, :1], x[:, 1:] + both.T * x[:, :1]], axis=1)

        columns = np.concatenate([p[None], v]).T.copy()
        carried = self._integrator.integrate(derivative, columns, (0.0, 1.0), FINE, add, jump)
        return carried[:, 0].copy(), carried[:, 1:].T.copy(), second

    def solve(self, source: Array) -> Array:
        """Rows d (..., n) that sum to zero with d - U d = source, for rows of source that do."""
        if source.ndim > 1:
            return np.stack([self.solve(row) for row in source])
        d, residual = np.zeros_like(source), source
        for _ in range(ROUNDS):
            # The coarse map gives the correction, the fine one the residual.
            d = d + correction(lambda x: self._map(x, 1e-3 * SHIFT), residual, SHIFT, QUIET)
            residual = source - (d - self._map(d, FINE))
            residual = residual - residual.mean()
            if abs(residual).max() <= ACCURACY * abs(source).max():
                return d
        raise NoExactSideError("the network relaxes too slowly to follow its fluctuations")

    def _map(self, p: Array, accuracy: float) -> Array:
        column = np.asarray(p, np.float64).reshape(-1, 1)
        return self._integrator.carry(column, 0.0, 1.0, accuracy, energetics=False)[0][:, 0]

    # -- power series --------------------------------------------------------------------------

    def series(self, tilt: Tilt, center: float, powers: int) -> Callable[[Array], Array]:
        """Map of a series (powers, n) over a period; A is counted from `center`."""
        process, flow = self.process, self._integrator.flow
        # Power k of the result has power k - j of the series, by jumps that count A^j / j!.
        target, power = np.array([(k, j) for k in range(powers) for j in range(k + 1)]).T
        first = np.flatnonzero(np.diff(target, prepend=-1))
        factorial = np.array([math.factorial(j) for j in range(powers)])
        no_exits = np.zeros(process.states)

        def derivative(phases: Array) -> Derivative:
            instants = process.at(phases)
            counts = np.broadcast_to(tilt.counts(instants)[0], instants.rates.shape)
            drifts = tilt.powers(instants)[0] - center

            def slope(k: int, x: Array) -> Array:
                rates = instants.rates[k]
                weights = rates[:, None] * counts[k][:, None] ** power / factorial[power]
                gain = flow(weights, no_exits, np.ascontiguousarray(x[:, target - power]))
                out = np.add.reduceat(gain, first, axis=1) - process.leaving(rates)[:, None] * x
                out[:, 1:] += drifts[k][:, None] * x[:, :-1]
                return np.asarray(out)

            return slope

        def jump(u: float, x: Array) -> Array:
            count = tilt.at_jump(u)
            if count is None:
                return x
            terms = count[0][:, None] ** np.arange(powers) / factorial
            products = [terms[:, k::-1] * x[:, : k + 1] for k in range(powers)]
            return np.stack([product.sum(axis=1) for product in products], axis=1)

        def carry(q: Array) -> Array:
            end = self._integrator.integrate(derivative, q.T.copy(), (0.0, 1.0), FINE, jump=jump)
            return np.asarray(end.T, np.float64)

        return carry

    # -- one value of the counting field -------------------------------------------------------

    def growth(self, tilt: Tilt) -> Array:
        """log (f,) of the spectral radius of the maps tilted by A; inf if it is out of reach."""
        return np.array([self._growth(tilt.part([field])) for field in range(len(tilt.counted))])

    def _growth(self, tilt: Tilt) -> float:
        from scipy.sparse.linalg import LinearOperator, eigs

        states = self.process.states
        # Estimate the growth first and divide by it, so that the eigenvalue is near 1.
        row, rate = np.ones(states), 0.0
        for _ in range(3):
            row, rate = self._grow(tilt, row)
            if not math.isfinite(rate):
                return math.inf

        def propagate(q: Array) -> Array:
            row, log_growth = self._grow(tilt, np.asarray(q, np.float64).ravel())
            return row * math.exp(log_growth - rate)

        operator = LinearOperator((states, states), matvec=propagate, dtype=np.float64)
        value = eigs(operator, k=1, v0=row, tol=1e-11, return_eigenvectors=False)[0]
        return math.log(abs(value)) + rate

    def _grow(self, tilt: Tilt, row: Array) -> tuple[Array, float]:
        """Row (n,) after a tilted period, divided by its growth exp(c), and c."""
        column, log_growth = row[:, None].copy(), 0.0
        for part in range(PARTS):
            try:
                with np.errstate(all="ignore"):
                    column = self._tilted(tilt, column, part / PARTS, (part + 1) / PARTS)
            except NoExactSideError:
                return row, math.inf
            scale = float(abs(column).max())
            if not (scale > 0.0 and math.isfinite(scale)):
                return row, math.inf
            column /= scale
            log_growth += math.log(scale)
        return column[:, 0], log_growth

    def _tilted(self, tilt: Tilt, columns: Array, begin: float, end: float) -> Array:
        """Columns (n, f), one for each field, after a part of the period."""
        process = self.process

        def derivative(phases: Array) -> Derivative:
            instants = process.at(phases)
            weights, powers = instants.rates * np.exp(tilt.counts(instants)), tilt.powers(instants)

            def slope(k: int, x: Array) -> Array:
                rates = instants.rates[k]
                out = self._integrator.flow(weights[:, k].T, process.leaving(rates), x)
                return np.asarray(out + powers[:, k].T * x)

            return slope

        def jump(u: float, x: Array) -> Array:
            logarithm = tilt.at_jump(u)
            return x if logarithm is None else x * np.exp(logarithm.T)

        return self._integrator.integrate(derivative, columns, (begin, end), FAIR, jump=jump)

    def log_average(self, tilt: Tilt, p: Array, periods: int) -> float:
        """log <exp(A)> over `periods` from P (n,), for a tilt of one field; inf if not found."""
        row, logarithm = p * np.exp(tilt.begin[0]), 0.0
        for k in range(periods):
            last_row, (row, log_growth) = row, self._grow(tilt, row)
            logarithm += log_growth
            if not math.isfinite(logarithm):
                return math.inf
            if abs(row - last_row).max() <= FAIR * abs(row).max():
                # Every period that follows multiplies as much.
                logarithm += (periods - 1 - k) * log_growth
                break
        total = float(row @ np.exp(tilt.end[0]))
        return logarithm + math.log(total) if total > 0.0 else math.inf
