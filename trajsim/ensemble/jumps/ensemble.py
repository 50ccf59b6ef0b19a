"""The exact ensemble of a system that jumps between states: periodic state, currents, transients.

dP/dt = W(t) P (paper, Eq. 2), W from the channels of a `JumpProcess`. Where states are few and P
follows the drive smoothly, by collocation with matrices; else column by column, by uniformisation.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from trajsim.ensemble.answers import (
    Array,
    Currents,
    Energetics,
    NoExactSideError,
    TimeSeries,
    Window,
)
from trajsim.ensemble.jumps import collocation
from trajsim.ensemble.jumps.channels import JumpProcess
from trajsim.ensemble.jumps.following import Follower
from trajsim.ensemble.jumps.limits import expect_time
from trajsim.ensemble.jumps.squaring import SquaringStepper
from trajsim.ensemble.jumps.stationary import Aggregated, basins, correction, stationary
from trajsim.ensemble.jumps.uniformization import LEAST_WEIGHT, Stepper, Steps
from trajsim.plan import Plan

# Collocation: steps at first and at most, and the most states for which it is considered.
DENSE_STEPS, MOST_DENSE_STEPS, MOST_DENSE = 12, 1024, 512
# Part of the tolerance that is asked of probabilities, which other means are sums of.
STATE = 0.2
# Of the last change, what is taken to be left at least.
LEAST_LEFT = 0.3
# Uniformisation: steps at first and at most.
SPARSE_STEPS, MOST_STEPS = 8, 1 << 15
# States up to which the whole map is worked out where they are rarely left.
WHOLE_MAP, MOST_WHOLE_MAP = 32, 512
# States up to which the generator is solved where nothing changes in time.
MOST_CONSTANT = 4096
# A part of the distance to the periodic state that is lost in a period: less is slow.
SLOW = 1e-3
# Exits in a period up to which a drive is fast.
MOST_EVENTS = 1e4
# Distance to the periodic state that is left to rounding.
ENOUGH = 1e-11
# Exits of a typical state in the time over which basins are told apart.
SETTLING = 30.0
# Weight of the terms that are left out where a rough map will do.
# Relative accuracy of each step where P is followed: at first, in the end, and how much looser the
# steps are that this is compared with.
FAIR, FINE, LOOSER = 1e-10, 1e-12, 30.0
ROUGH_STEPS, ROUGH = 16, 1e-10
ROUGH_ACCURACY = 1e-6
# Distance to the periodic state from which on the next round may be the last.
CLOSE = 1e-7
TOO_FAST = "jumps are too fast against the period to follow them all"


class Solution(NamedTuple):
    """Periodic state (states,), its currents (g,), their errors (g,), steps a period.

    `dense` where collocation found it; not `smooth` where states are so rarely left that it had
    to be put together from sums of positive terms.
    """

    state: Array
    rates: Array
    error: Array
    steps: int
    dense: bool
    smooth: bool


class JumpEnsemble:
    """Exact ensemble of a system that jumps between states.

    Parameters
    ----------
    process : JumpProcess
    tolerance : relative accuracy asked of every current; `currents.error` tells what was got
    """

    def __init__(self, process: JumpProcess, tolerance: float = 1e-9) -> None:
        self.process, self.tolerance = process, tolerance
        self.states, self.width, self.period = process.states, process.width, process.period
        self._maps: dict[tuple[int, int], tuple[Array, Array]] = {}

    # -- what it answers -------------------------------------------------------------------------

    @property
    def periodic_state(self) -> Array:
        """P (states,) at the beginning of the period that returns to itself after one.

        Raises
        ------
        NoExactSideError
            If it is not unique, or out of reach.
        """
        return self.solution.state

    @property
    def currents(self) -> Currents:
        """Period-averaged rates of heat, work, exclusive work and flips in the periodic state.

        Raises
        ------
        NoExactSideError
            As of `periodic_state`.
        """
        rates, error = self.solution.rates, self.solution.error
        floor = 1e-15 * self.process.throughput(rates)
        return Currents(self.energetics_of(rates), self.energetics_of(np.maximum(error, floor)))

    @property
    def steps(self) -> int:
        """Steps a period that the tolerance asks for."""
        return self.solution.steps

    @property
    def propagator(self) -> Array:
        """One-period propagator (states, states): column x is P after a period begun in x."""
        return self.carry(np.eye(self.states))[0].T

    def energetics_of(self, totals: Array) -> Energetics:
        """Split energetics (..., g) into heat, work, exclusive work and flips."""
        return self.process.split(totals)

    def carry(self, p: Array, segment: int = 0, segments: int = 1) -> tuple[Array, Array]:
        """P (..., states) at the end of one of equal segments, and its energetics (..., g)."""
        key = (segment, segments)
        if self.solution.dense or (self.states <= WHOLE_MAP and not self.solution.smooth):
            if key not in self._maps:
                self._maps[key] = self._carried(np.eye(self.states), *key)
            propagator, totals = self._maps[key]
            return p @ propagator.T, p @ totals.T
        after, energetics = self._carried(np.atleast_2d(p).T, *key)
        return after.T.reshape(p.shape), energetics.T.reshape(*p.shape[:-1], -1)

    def _carried(self, columns: Array, segment: int, segments: int) -> tuple[Array, Array]:
        """Columns (states, m) at the end of a segment, and their energetics (g, m)."""
        begin, end, steps = segment / segments, (segment + 1) / segments, self.solution.steps
        if self.solution.dense:
            return self._through(columns, self._steps(steps, begin, end))
        if self.solution.smooth:
            return self._follower.carry(columns, begin, end, FINE)
        runs = [self._stepper.carry(columns, begin, end, steps // k) for k in (8, 4, 2)]
        before = None
        while True:
            runs = [*runs[-2:], self._stepper.carry(columns, begin, end, steps)]
            after, energetics = _extrapolated(*runs)
            if before is not None:
                floor = 1e-13 * abs(energetics).max(initial=0.0)
                allowed = np.maximum(self.tolerance * abs(energetics), floor)
                if (abs(energetics - before) <= allowed).all() or steps >= MOST_STEPS:
                    return after, energetics
            steps, before = 2 * steps, energetics
            expect_time(self._stepper.seconds(steps, columns.shape[1]), TOO_FAST)

    def time_series(self, p: Array, segments: int, periods: int = 1) -> TimeSeries:
        """Follow P from time 0 through whole periods, cut into equal segments."""
        states, energetics = [p], []
        for k in range(segments * periods):
            p, gain = self.carry(p, k % segments, segments)
            states.append(p)
            energetics.append(gain)
        return TimeSeries(np.array(states), self.energetics_of(np.array(energetics)))

    def window(self, p: Array, plan: Plan) -> Window:
        """What trajectories that begin with P show, burn-in left out, over the recorded periods."""
        segments = plan.rows_per_period
        totals, occupation = np.zeros(self.width), np.zeros((segments, self.states))
        for period in range(plan.burn_in + plan.periods):
            begin, energetics, seen = p, np.zeros(self.width), []
            for k in range(segments):
                seen.append(p)
                p, gain = self.carry(p, k, segments)
                energetics += gain
            settled = bool(np.abs(p - begin).max() < 1e-14)
            # Once settled, this period stands for all that follow.
            ahead = plan.burn_in + plan.periods - period if settled else 1
            recorded = range(max(period, plan.burn_in), period + ahead)
            rows_begin = sum((k - plan.burn_in) % plan.segments_per_row == 0 for k in recorded)
            totals += len(recorded) * energetics / plan.periods
            occupation += rows_begin * np.array(seen) * plan.segments_per_row / plan.periods
            if settled:
                break
        return Window(self.energetics_of(totals / self.period), {"occupation": occupation})

    # -- the periodic state ------------------------------------------------------------------

    @cached_property
    def solution(self) -> Solution:
        """The periodic state and its currents.

        Raises
        ------
        NoExactSideError
            If it is not unique, or out of reach.
        """
        return self.smooth_solution or self._solve_positive()

    @cached_property
    def smooth_solution(self) -> Solution | None:
        """The same where no state is left too rarely for rounding; else None, and that at once.

        Raises
        ------
        NoExactSideError
            If it is out of reach.
        """
        solution = self._solve_dense() if self._dense_is_faster() else None
        if solution is None and not self._states_are_few:
            expect_time(16.0 * self._stepper.seconds(SPARSE_STEPS, 1), TOO_FAST)
            solution = self._solve_smooth(self._gap) if self._gap > SLOW else None
        return solution

    @property
    def _states_are_few(self) -> bool:
        """Whether the whole map is worked out where states are rarely left."""
        return self.states <= WHOLE_MAP or isinstance(self._stepper, SquaringStepper)

    def _dense_is_faster(self) -> bool:
        if self.states > MOST_DENSE:
            return False
        size = collocation.STAGES * self.states
        dense = 3 * DENSE_STEPS * (2e-5 + 3e-11 * size**3)
        return self.states <= 16 or dense < 10 * Stepper(self.process).seconds(SPARSE_STEPS, 1)

    def _accurate(self, rates: Array, error: Array, rounding: float = 1e-13) -> bool:
        """Whether rates (g,) are as good as asked, or as rounding allows."""
        floor = rounding * self.process.throughput(rates)
        return bool((error <= np.maximum(self.tolerance * abs(rates), floor)).all())

    # -- few states ----------------------------------------------------------------------------

    def _steps(
        self, steps: int, begin: float = 0.0, end: float = 1.0, settled: bool = False
    ) -> Iterator[collocation.Steps]:
        """Steps between two phases; what is `settled` follows the drive from the beginning."""
        for edges in collocation.edges_of(self.process, begin, end, steps, settled):
            yield from collocation.solve_steps(self.process, edges)

    def _through(self, columns: Array, steps: Iterable[collocation.Steps]) -> tuple[Array, Array]:
        """Columns (states, m) after some steps, and their energetics (g, m)."""
        total = np.zeros((self.width, columns.shape[1]))
        for part in steps:
            columns, spent = part.carry(columns)
            total += self.process.energetics(part.at, spent)
        return columns, total

    def _solve_dense(self) -> Solution | None:
        """Solution by collocation; None if rounding spoils it because states are rarely left."""
        process, steps, change = self.process, DENSE_STEPS, math.inf
        now = np.full(self.width + self.states, np.inf)
        while True:
            try:
                parts = list(self._steps(steps, settled=True))
            except np.linalg.LinAlgError:
                # Steps so long that the equations have no digits left.
                return None
            propagator = np.eye(self.states)
            for step in (step for part in parts for step in part.stages[:, -1]):
                propagator = step @ propagator
            rounding = max(1e-15, float(np.abs(propagator.sum(axis=0) - 1.0).max()))
            p, rarest = stationary(propagator)
            # Sums of positive terms are for fast drives: they need steps as short as relaxation.
            fastest = max(float((part.at.rates @ process.exits).max()) for part in parts)
            fast = fastest * self.period < MOST_EVENTS
            allowed = min(self.tolerance, ENOUGH) if fast else self.tolerance
            if not rounding < allowed * rarest:
                return None
            rates = self._through(p[:, None], parts)[1][:, 0] / self.period
            before, now, change_before = now, np.append(rates, p), change
            changes = np.abs(now - before)
            change = float(changes.max())
            # Changes that shrink by a factor add up to so many times the last one; but convergence
            # need not be regular.
            shrinks = min(change / change_before, 0.9) if math.isfinite(change_before) else 0.0
            left = changes * max(LEAST_LEFT if shrinks else 1.0, shrinks / (1.0 - shrinks))
            error, shift = left[: self.width], float(left[self.width :].max())
            rounded = rounding / rarest
            accurate = self._accurate(rates, error, max(1e-13, rounded))
            if (accurate and shift < STATE * self.tolerance) or steps >= MOST_DENSE_STEPS:
                error = error + rounded * process.throughput(rates)
                return Solution(p, rates, error, steps, dense=True, smooth=True)
            steps += steps // 2

    # -- many states, or states that are rarely left ---------------------------------------------

    @cached_property
    def _relaxed(self) -> Array:
        """A first guess of the periodic state."""
        p = np.full((self.states, 1), 1.0 / self.states)
        return self._once(p, SPARSE_STEPS)[:, 0]

    @cached_property
    def _stepper(self) -> Steps:
        stepper = Stepper(self.process)
        if self.states <= MOST_DENSE:
            squaring = SquaringStepper(self.process)
            if squaring.seconds(SPARSE_STEPS, 1) < 0.1 * stepper.seconds(SPARSE_STEPS, 1):
                return squaring
        return stepper

    @cached_property
    def _follower(self) -> Follower:
        return Follower(self.process)

    def _once(
        self, columns: Array, steps: int, periods: int = 1, least: float = LEAST_WEIGHT
    ) -> Array:
        for _ in range(periods):
            columns = self._stepper.carry(columns, 0.0, 1.0, steps, False, least)[0]
        return columns

    def _solve_positive(self) -> Solution:
        """The periodic state by sums of positive terms alone."""
        if self.process.is_constant and self.states <= MOST_CONSTANT:
            return self._solve_constant()
        expect_time(16.0 * self._stepper.seconds(SPARSE_STEPS, 1), TOO_FAST)
        if self._states_are_few:
            return self._solve_levels(self._whole_map)
        # Long enough for most states to be left often.
        typical = float(np.median(self.process.leaving(self.process.rates(np.zeros(1))[0])))
        periods = max(1, math.ceil(SETTLING / max(typical * self.period, 1e-300)))
        label, weight = basins(self.process, periods * self.period)
        try:
            Aggregated(lambda x: self._once(x, SPARSE_STEPS, periods), label, weight, 1e-3)
        except NoExactSideError:
            if self.states > MOST_WHOLE_MAP:
                raise
            return self._solve_levels(self._whole_map)

        def aggregated(steps: int, guess: Array) -> tuple[Array, float]:
            start = np.maximum(guess, 1e-300)
            solved = Aggregated(lambda x: self._once(x, steps, periods), label, start, 1e-13)
            return solved.state, solved.change

        return self._solve_levels(aggregated)

    def _solve_constant(self) -> Solution:
        """The steady state of rates that do not change, from the generator itself."""
        process, u = self.process, np.zeros(1)
        unit = np.eye(self.states)
        jump = unit + process.generators(process.rates(u))[0] / process.fastest_exit
        p, _ = stationary(jump)
        column = p[:, None]
        rates = process.energetics(process.at(u), column[None])[:, 0]
        return Solution(p, rates, 1e-14 * process.throughput(rates), 8, False, smooth=False)

    def _solve_smooth(self, gap: float) -> Solution | None:
        """Periodic state by corrections with a rough map."""
        process, before, accuracy, last = self.process, math.inf, FAIR, False
        p = self._relaxed
        p = p + self._correction(self._roughly(p) - p)
        while True:
            fine = accuracy <= FINE
            moved, gained = self._follower.carry(p[:, None], 0.0, 1.0, accuracy, energetics=last)
            rest = moved[:, 0] - p
            off = float(abs(rest).sum()) / gap
            rates = gained.sum(axis=1) / self.period
            # A change of P changes the rates by no more than that part of what jumps move.
            allowed = off * process.throughput(rates)
            near = last and off < ENOUGH and self._accurate(rates, allowed)
            if near or (last and off > 0.3 * before and off < ENOUGH):
                looser = self._follower.carry(p[:, None], 0.0, 1.0, LOOSER * FINE)[1][:, 0]
                error = abs(rates - looser / self.period)
                error = error + max(1e-15, off) * process.throughput(rates)
                return Solution(p, rates, error, SPARSE_STEPS, False, smooth=True)
            if fine and off > 0.3 * before:
                # What is left is rounding, which the slowest relaxation makes too large.
                return None
            accuracy, before, last = FINE, off if fine else math.inf, off < CLOSE
            p = p + self._correction(rest)

    def _solve_levels(self, solver: Callable[[int, Array], tuple[Array, float]]) -> Solution:
        """Periodic states of maps with ever more steps, each right in every digit."""
        steps, p = SPARSE_STEPS, self._relaxed
        before = np.full(self.width, np.inf)
        states: list[Array] = []
        rates: list[Array] = []
        while True:
            expect_time(self._stepper.seconds(steps, 1), TOO_FAST)
            p, off = solver(steps, p)
            states.append(p)
            rates.append(self._stepper.carry(p[:, None], 0.0, 1.0, steps)[1][:, 0] / self.period)
            if len(rates) >= 3:
                state, best = _extrapolated(*zip(states, rates, strict=True))
                error, before = abs(best - before), best
                rounding = max(1e-15, off)
                enough = self._accurate(best, error, max(1e-13, 2.0 * off))
                if enough or steps >= MOST_STEPS:
                    state = np.maximum(state, 0.0)
                    error = error + rounding * self.process.throughput(best)
                    return Solution(state / state.sum(), best, error, steps, False, smooth=False)
                del rates[0], states[0]
            steps *= 2

    def _roughly(self, p: Array) -> Array:
        """A vector (states,) after a period, with little accuracy in little time."""
        columns = np.asarray(p, np.float64).reshape(-1, 1)
        return self._once(columns, ROUGH_STEPS, least=ROUGH)[:, 0]

    def _whole_map(self, steps: int, guess: Array) -> tuple[Array, float]:
        expect_time(self._stepper.seconds(steps, self.states), "some states are rarely left")
        return stationary(self._once(np.eye(self.states), steps))[0], 1e-15

    @cached_property
    def _gap(self) -> float:
        """How much of a distance to the periodic state is lost in a period, at least."""
        away = np.random.default_rng(0).standard_normal(self.states)
        away -= away.mean()
        sizes = [abs(away).sum()]
        for _ in range(8):
            away = self._roughly(away)
            away -= away.mean()
            sizes.append(abs(away).sum())
            if sizes[-1] < 1e-10 * sizes[0]:
                break
        rate = (sizes[-1] / sizes[-3]) ** 0.5
        if rate < 0.9:
            return 1.0 - rate
        from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

        def once(x: Array) -> Array:
            moved = self._roughly(x)
            return moved - moved.mean()

        operator = LinearOperator((self.states, self.states), matvec=once, dtype=np.float64)
        try:
            values = eigs(operator, k=1, v0=away, tol=1e-3, return_eigenvectors=False)
        except ArpackNoConvergence:
            return 0.0
        return max(0.0, 1.0 - max(float(abs(values).max()), rate))

    def _correction(self, rest: Array) -> Array:
        """Solve (1 - U) d = rest for the d that sums to zero, to a part of it."""
        return correction(self._roughly, rest, ROUGH_ACCURACY)


def _extrapolated(
    first: Sequence[Array], second: Sequence[Array], third: Sequence[Array]
) -> list[Array]:
    """Results of three runs, each with half the steps' length, freed of two orders of error.

    The error of a step is even in its length and begins with the fourth order.
    """
    best = []
    for coarse, middle, fine in zip(first, second, third, strict=True):
        before, after = middle + (middle - coarse) / 15.0, fine + (fine - middle) / 15.0
        best.append(after + (after - before) / 63.0)
    return best
