"""The exact ensemble of a system that jumps between states: periodic state, currents, transients.

dP/dt = W(t) P (paper, Eq. 2), W from the channels of a `JumpProcess`. Where states are few and P
follows the drive smoothly, by collocation with matrices; else column by column, by uniformisation.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from trajsim.ensemble.answers import (
    Array,
    Currents,
    Energetics,
    Exchanges,
    NoExactSideError,
    TimeSeries,
    Window,
)
from trajsim.ensemble.jumps import collocation
from trajsim.ensemble.jumps.channels import JumpProcess
from trajsim.ensemble.jumps.integration import POSITIVE, STABLE, ProbabilityIntegrator
from trajsim.ensemble.jumps.limits import expect_time, tell_time
from trajsim.ensemble.jumps.squaring import SquaringStepper
from trajsim.ensemble.jumps.stationary import Aggregated, basins, correction, stationary
from trajsim.ensemble.jumps.uniformization import FAR, NEAR, NODES, Stepper, Steps
from trajsim.plan import Plan

# Collocation: steps at first where rates hardly change and at most, and the most states for which
# it is considered; more steps at first by the logarithm of the ratio of a rate to its least.
DENSE_STEPS, MOST_DENSE_STEPS, MOST_DENSE = 3, 512, 512
STEPS_OF_RANGE, MOST_RANGE = 1.8, 10.0
# Tolerance of the probabilities, relative to that of the currents.
STATE = 0.6
# Most times as many steps at a time.
MOST_FACTOR = 3.0
# Least estimate of the remaining error, relative to the last change.
LEAST_RATIO = 0.3
# The same as it is expected to be, by which the next number of steps is chosen.
EXPECTED_RATIO = 0.1
# Uniformisation: steps at first and at most.
SPARSE_STEPS, MOST_STEPS = 8, 1 << 15
# How many times the first steps it is until it is told how long it may take.
TELLING = 16
# States up to which the whole map is worked out where they are rarely left.
WHOLE_MAP, MOST_WHOLE_MAP = 32, 512
# States up to which the generator is solved where nothing changes in time.
MOST_CONSTANT = 4096
# Part of the distance to the periodic state lost in a period, below which relaxation is slow.
SLOW = 1e-3
# Exits in a period up to which a drive is fast.
MOST_EVENTS = 1e4
# Distance to the periodic state that counts as converged.
CONVERGED = 1e-11
# Exits of a typical state in the time over which basins are separated.
MIXING_EXITS = 30.0
# Relative accuracy of each step where P is integrated, of small corrections at least, and the
# factor by which the run is less accurate that gives the error.
FINE, LOOSEST, LOOSER = 1e-12, 1e-4, 30.0
# Accuracy of corrections that are found with the rough map.
ROUGH_ACCURACY = 1e-5
RARELY_LEFT = "some states are rarely left"
TOO_FAST = "jumps are too fast against the period to follow them all"


class Solution(NamedTuple):
    """Periodic state (states,), its currents (g,), their errors (g,), steps a period.

    `dense` if it is from collocation; not `smooth` if some states are so rarely left that sums of
    positive terms were needed.
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
    tolerance : relative accuracy asked of every current; `currents.error` estimates the error
    """

    def __init__(self, process: JumpProcess, tolerance: float = 1e-9) -> None:
        self.process, self.tolerance = process, tolerance
        self.states, self.width, self.period = process.states, process.width, process.period
        self._maps: dict[tuple[int, int], tuple[Array, Array]] = {}

    # -- means -----------------------------------------------------------------------------------

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
            As for `periodic_state`.
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

    def energetics_of(self, totals: Array) -> Energetics | Exchanges:
        """Split energetics (..., g) into heat, work, exclusive work and flips or others."""
        return self.process.split(totals)

    def carry(self, p: Array, segment: int = 0, segments: int = 1) -> tuple[Array, Array]:
        """P (..., states) at the end of one of equal segments, and its energetics (..., g)."""
        key = (segment, segments)
        if self.solution.dense or (self.states <= WHOLE_MAP and not self.solution.smooth):
            if key not in self._maps:
                self._maps[key] = self._carry_segment(np.eye(self.states), *key)
            propagator, totals = self._maps[key]
            return p @ propagator.T, p @ totals.T
        after, energetics = self._carry_segment(np.atleast_2d(p).T, *key)
        return after.T.reshape(p.shape), energetics.T.reshape(*p.shape[:-1], -1)

    def _carry_segment(self, columns: Array, segment: int, segments: int) -> tuple[Array, Array]:
        """Columns (states, m) at the end of a segment, and their energetics (g, m)."""
        begin, end, steps = segment / segments, (segment + 1) / segments, self.solution.steps
        duration = self.period / segments
        if self.solution.dense:
            return self._advance(columns, begin, end, steps)
        if self.solution.smooth:
            return self._integrator.carry(columns, begin, end, FINE)
        runs = [self._stepper.carry(columns, begin, end, steps // k) for k in (8, 4, 2)]
        before = None
        while True:
            runs = [*runs[-2:], self._stepper.carry(columns, begin, end, steps)]
            after, energetics = _extrapolated(*runs)
            if before is not None:
                floor = 1e-13 * abs(energetics).max(initial=0.0)
                # What a fast drive does and takes back leaves its rounding.
                moved = self.process.throughput(energetics.max(axis=1) / duration) * duration
                floor = np.maximum(floor, 1e-15 * moved)[:, None]
                allowed = np.maximum(self.tolerance * abs(energetics), floor)
                if (abs(energetics - before) <= allowed).all() or steps >= MOST_STEPS:
                    return after, energetics
            steps, before = 2 * steps, energetics
            expect_time(self._stepper.seconds(steps, columns.shape[1]), TOO_FAST)

    def time_series(self, p: Array, segments: int, periods: int = 1) -> TimeSeries:
        """Follow P from time 0 through whole periods, cut into equal segments."""
        states, energetics = [p], []
        first = self.process.first_opening(p)
        for k in range(segments * periods):
            p, gain = self.carry(p, k % segments, segments)
            states.append(p)
            energetics.append(gain if k else gain + first)
        return TimeSeries(np.array(states), self.energetics_of(np.array(energetics)))

    def window(self, p: Array, plan: Plan) -> Window:
        """Averages over the recorded periods of trajectories that begin with P, after burn-in."""
        segments = plan.rows_per_period
        totals, occupation = np.zeros(self.width), np.zeros((segments, self.states))
        for period in range(plan.burn_in + plan.periods):
            p_before, row_states = p, []
            first = np.zeros(self.width) if period else self.process.first_opening(p)
            energetics = first.copy()
            for k in range(segments):
                row_states.append(p)
                p, gain = self.carry(p, k, segments)
                energetics += gain
            # The first period does not begin with the jump that all others begin with.
            settled = bool(np.abs(p - p_before).max() < 1e-14 and not first.any())
            # Once settled, this period stands for all that follow.
            represented = plan.burn_in + plan.periods - period if settled else 1
            recorded = range(max(period, plan.burn_in), period + represented)
            rows_begin = sum((k - plan.burn_in) % plan.segments_per_row == 0 for k in recorded)
            totals += len(recorded) * energetics / plan.periods
            occupation += rows_begin * np.array(row_states) * plan.segments_per_row / plan.periods
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
        """`solution`, or None without further work if some states are left too rarely.

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
        """Whether the whole map is computed where states are rarely left."""
        return self.states <= WHOLE_MAP or isinstance(self._stepper, SquaringStepper)

    def _dense_is_faster(self) -> bool:
        if not WHOLE_MAP < self.states <= MOST_DENSE:
            return self.states <= WHOLE_MAP
        size = collocation.STAGES * self.states
        dense = 1.5 * sum(self._first_numbers) * (2e-5 + 3e-11 * size**3)
        return dense < 10 * Stepper(self.process).seconds(SPARSE_STEPS, 1)

    def _allowed_error(self, rates: Array, rounding: float = 1e-13) -> Array:
        """Error (g,) of rates that is allowed: by the tolerance, or the rounding floor."""
        floor = rounding * self.process.throughput(rates)
        return np.maximum(np.maximum(self.tolerance * abs(rates), floor), 1e-300)

    def _accurate(self, rates: Array, error: Array, rounding: float = 1e-13) -> bool:
        """Whether errors of rates (g,) are as small as they are allowed to be."""
        return bool((error <= self._allowed_error(rates, rounding)).all())

    # -- few states ----------------------------------------------------------------------------

    def _advance(self, columns: Array, begin: float, end: float, steps: int) -> tuple[Array, Array]:
        """Columns (states, m) between two phases, and their energetics (g, m)."""
        total = np.zeros((self.width, columns.shape[1]))
        edges = collocation.steps_of(self.process, begin, end, steps, settled=False)
        for part in collocation.solve_steps(self.process, *edges):
            starts = []
            for step in part.stages[:, -1]:
                starts.append(columns)
                columns = step @ columns
            total += self._energetics(part, np.array(starts))
        if end == 1.0:
            total += self.process.jump_energetics(1.0, columns)
        return columns, total

    def _energetics(self, part: collocation.Steps, starts: Array) -> Array:
        """Energetics (g, m) of steps that begin with columns (t, states, m)."""
        total = self.process.energetics(part.instants, part.dwell(starts))
        for u in self.process.jumps[0]:
            for step in np.flatnonzero(part.begin == u):
                total += self.process.jump_energetics(u, starts[step])
        return total

    @property
    def _first_numbers(self) -> list[int]:
        """Steps a period of the first two runs by collocation."""
        logarithm = min(self.process.range_of_rates, MOST_RANGE)
        first = round(DENSE_STEPS + STEPS_OF_RANGE * logarithm)
        return [first, _more(first)]

    def _solve_dense(self) -> Solution | None:
        """Solution by collocation; None if rounding spoils it because states are rarely left."""
        now, change, excess = np.zeros(0), math.inf, math.inf
        numbers = self._first_numbers
        while True:
            # Two runs at a time: for few states most of the time goes to calls, not to arithmetic.
            runs = self._periodic_runs(numbers)
            if runs is None:
                return None
            for steps, (p, rates, rounding) in zip(numbers, runs, strict=True):
                before, now, change_before = now, np.concatenate([rates, p]), change
                if not len(before):
                    continue
                changes = abs(now - before)
                change = float(changes.max())
                # Changes that shrink by a factor add up to so many times the last one; but
                # convergence need not be regular.
                ratio = min(change / change_before, 0.9)
                remaining = max(LEAST_RATIO if ratio else 1.0, ratio / (1.0 - ratio))
                allowed = np.full(len(now), STATE * self.tolerance)
                allowed[: self.width] = self._allowed_error(rates, max(1e-13, rounding))
                excess = float((changes / allowed).max())
                if remaining * excess < 1.0 or steps >= MOST_DENSE_STEPS:
                    error = remaining * changes[: self.width]
                    error += rounding * self.process.throughput(rates)
                    return Solution(p, rates, error, steps, dense=True, smooth=True)
            # The next change is the error of the first of two more runs; the second is accurate
            # enough where that, times the least ratio, is what is allowed.
            factor = (excess * EXPECTED_RATIO * LEAST_RATIO) ** (1.0 / collocation.STAGES)
            numbers = [_more(steps)]
            if factor > 1.0:
                steps = max(math.ceil(steps * min(factor, MOST_FACTOR)), *numbers)
                numbers = [steps, _more(steps)]

    def _periodic_runs(self, numbers: list[int]) -> list[tuple[Array, Array, float]] | None:
        """Periodic state (states,), rates (g,) and relative rounding error of runs by collocation.

        None if rounding spoils them.

        Parameters
        ----------
        numbers : of steps a period, of each run
        """
        process, count = self.process, len(numbers)
        grids = [collocation.steps_of(process, 0.0, 1.0, n, settled=True) for n in numbers]
        run = np.repeat(np.arange(count), [len(begin) for begin, _ in grids])
        edges = (np.concatenate(edge) for edge in zip(*grids, strict=True))
        try:
            parts = list(collocation.solve_steps(process, *edges))
        except np.linalg.LinAlgError:
            # Steps so long that the equations are singular to rounding.
            return None
        ends = [step for part in parts for step in part.stages[:, -1]]
        # P at the beginning of each step, a column for each run.
        starts, solved = np.zeros((len(run), self.states, count)), 0
        found: list[tuple[Array, float]] = []
        for k, (begin, _) in enumerate(grids):
            maps = [np.eye(self.states)]
            for step in ends[solved : solved + len(begin)]:
                maps.append(step @ maps[-1])
            rounding = max(1e-15, float(abs(maps[-1].sum(axis=0) - 1.0).max()))
            p, rarest = stationary(maps[-1])
            if not self._bears(rounding / rarest, parts):
                return None
            starts[solved : solved + len(begin), :, k] = np.array(maps[:-1]) @ p
            solved += len(begin)
            found.append((p, rounding / rarest))
        total, solved = np.zeros((self.width, count)), 0
        for part in parts:
            total += self._energetics(part, starts[solved : solved + len(part.begin)])
            solved += len(part.begin)
        results = []
        for (p, rounding), gained in zip(found, total.T, strict=True):
            rates = (gained + process.jump_energetics(1.0, p)) / self.period
            results.append((p, rates, rounding))
        return results

    def _bears(self, error: float, parts: list[collocation.Steps]) -> bool:
        """Whether a relative rounding error of the periodic state may stand."""
        if error < min(self.tolerance, CONVERGED):
            return True
        # The alternative, sums of positive terms, needs steps as short as relaxation.
        fastest = max(float((part.instants.rates @ self.process.exits).max()) for part in parts)
        return error < self.tolerance and fastest * self.period >= MOST_EVENTS

    # -- many states, or states that are rarely left ---------------------------------------------

    @cached_property
    def _first_guess(self) -> Array:
        """A first guess of the periodic state."""
        p = np.full((self.states, 1), 1.0 / self.states)
        return self._map(p, self._positive_steps)[:, 0]

    @cached_property
    def _stepper(self) -> Steps:
        stepper = Stepper(self.process)
        if self.states <= MOST_DENSE:
            squaring = SquaringStepper(self.process)
            if squaring.seconds(SPARSE_STEPS, 1) < 0.1 * stepper.seconds(SPARSE_STEPS, 1):
                return squaring
        return stepper

    @cached_property
    def _integrator(self) -> ProbabilityIntegrator:
        return ProbabilityIntegrator(self.process)

    def _map(self, columns: Array, steps: int, periods: int = 1) -> Array:
        for _ in range(periods):
            columns = self._stepper.carry(columns, 0.0, 1.0, steps, energetics=False)[0]
        return columns

    def _solve_positive(self) -> Solution:
        """The periodic state by sums of positive terms alone."""
        if self.process.is_constant and self.states <= MOST_CONSTANT:
            return self._solve_constant()
        expect_time(16.0 * self._stepper.seconds(SPARSE_STEPS, 1), TOO_FAST)
        if self._states_are_few:
            return self._solve_extrapolated(self._whole_map)
        # Long enough for most states to be left often.
        typical = float(np.median(self.process.leaving(self.process.rates(np.zeros(1))[0])))
        periods = max(1, math.ceil(MIXING_EXITS / max(typical * self.period, 1e-300)))
        label, weight = basins(self.process, periods * self.period)
        try:
            Aggregated(lambda x: self._map(x, self._positive_steps, periods), label, weight, 1e-3)
        except NoExactSideError:
            if self.states > MOST_WHOLE_MAP:
                raise
            return self._solve_extrapolated(self._whole_map)

        def aggregated(steps: int, guess: Array) -> tuple[Array, Array, float]:
            expect_time(self._stepper.seconds(steps, 1), TOO_FAST)
            start = np.maximum(guess, 1e-300)
            solved = Aggregated(lambda x: self._map(x, steps, periods), label, start, 1e-13)
            totals = self._stepper.carry(solved.state[:, None], 0.0, 1.0, steps)[1][:, 0]
            return solved.state, totals, solved.change

        return self._solve_extrapolated(aggregated)

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
        process, before = self.process, math.inf
        p = np.full(self.states, 1.0 / self.states)
        p = p + self._correction(self._rough_map(p) - p)
        # Corrections are small: the error is by how much two accuracies differ here.
        after, rates = self._followed(p, FINE)
        loose, other = self._followed(p, LOOSER * FINE)
        error, residual = abs(rates - other), after - p
        inaccuracy = 1e-15 + 3.0 / LOOSER * float(abs(after - loose).sum())
        while True:
            distance = (float(abs(residual).sum()) + inaccuracy) / gap
            # A relative change of P changes the rates by at most that part of the gross exchange.
            allowed = distance * process.throughput(rates)
            stalled = distance > 0.3 * before
            if distance < CONVERGED and (stalled or self._accurate(rates, allowed)):
                return Solution(p, rates, error + allowed, SPARSE_STEPS, False, smooth=True)
            if stalled:
                # What remains is inaccuracy, and slow relaxation amplifies it too much.
                return None
            before, change = distance, self._correction(residual)
            size = max(float(abs(change).sum()), 1e-300)
            moved, gained = self._followed(change, min(max(FINE / size, FINE), LOOSEST))
            p, rates, residual = p + change, rates + gained, residual - change + moved

    def _followed(self, p: Array, accuracy: float) -> tuple[Array, Array]:
        """A vector (states,) after a period, and what it contributes to the rates (width,)."""
        after, gained = self._integrator.carry(p[:, None], 0.0, 1.0, accuracy)
        return after[:, 0], gained[:, 0] / self.period

    def _solve_extrapolated(
        self, solver: Callable[[int, Array], tuple[Array, Array, float]]
    ) -> Solution:
        """Periodic state extrapolated from maps with more and more steps, each free of rounding.

        `solver` takes a number of steps and a first guess (states,); it gives the periodic state
        (states,), its energetics (width,) over a period and the relative change of its last round.
        """
        first = steps = self._positive_steps
        p = self._first_guess
        before = np.full(self.width, np.inf)
        states: list[Array] = []
        rates: list[Array] = []
        while True:
            began = time.perf_counter()
            p, totals, change = solver(steps, p)
            seconds = time.perf_counter() - began
            states.append(p)
            rates.append(totals / self.period)
            if len(rates) >= 3:
                state, best = _extrapolated(*zip(states, rates, strict=True))
                error, before = abs(best - before), best
                rounding = max(1e-15, change)
                accurate = self._accurate(best, error, max(1e-13, 2.0 * change))
                if steps == TELLING * first and not accurate:
                    # Of second order where steps are longer than relaxation takes.
                    allowed = np.maximum(self.tolerance * abs(best), 1e-300)
                    more = math.sqrt(float((error / allowed).max()))
                    tell_time(2.0 * seconds * min(more, MOST_STEPS / steps), RARELY_LEFT)
                if accurate or steps >= MOST_STEPS:
                    state = np.maximum(state, 0.0)
                    error = error + rounding * self.process.throughput(best)
                    return Solution(state / state.sum(), best, error, steps, False, smooth=False)
                del rates[0], states[0]
            steps *= 2

    @cached_property
    def _positive_steps(self) -> int:
        """Steps so short that no rate within one is taken to be negative."""
        steps = SPARSE_STEPS
        while steps < MOST_STEPS:
            u = (np.arange(steps)[:, None] + NODES) / steps
            early, late = self.process.rates(u.ravel()).reshape(steps, 2, -1).transpose(1, 0, 2)
            if min((NEAR * early + FAR * late).min(), (NEAR * late + FAR * early).min()) >= 0.0:
                break
            steps *= 2
        return steps

    def _rough_map(self, p: Array) -> Array:
        """A vector (states,) after a period, with low accuracy and at low cost."""
        columns = np.ascontiguousarray(p, np.float64).reshape(-1, 1)
        return self._integrator.rough_map(columns, self._rough_exits)[:, 0]

    def _whole_map(self, steps: int, guess: Array) -> tuple[Array, Array, float]:
        expect_time(self._stepper.seconds(steps, self.states), RARELY_LEFT)
        propagator, totals = self._stepper.carry(np.eye(self.states), 0.0, 1.0, steps)
        p = stationary(propagator)[0]
        return p, totals @ p, 1e-15

    @cached_property
    def _gap(self) -> float:
        """Lower bound of the part of a distance to the periodic state that is lost in a period."""
        for self._rough_exits in (STABLE, POSITIVE):
            # Too long steps are not stable, and the faster map is tried first.
            rate, deviation = self._contraction()
            if rate < 0.9:
                return 1.0 - rate
        from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

        def propagate(x: Array) -> Array:
            carried = self._rough_map(x)
            return carried - carried.mean()

        operator = LinearOperator((self.states, self.states), matvec=propagate, dtype=np.float64)
        try:
            values = eigs(operator, k=1, v0=deviation, tol=1e-3, return_eigenvectors=False)
        except ArpackNoConvergence:
            return 0.0
        return max(0.0, 1.0 - max(float(abs(values).max()), rate))

    def _contraction(self) -> tuple[float, Array]:
        """Factor by which a deviation shrinks in the last of a few periods, and what is left.

        It is more than 1, or nan, where the rough map is not stable.
        """
        deviation = np.random.default_rng(0).standard_normal(self.states)
        deviation -= deviation.mean()
        norms = [abs(deviation).sum()]
        with np.errstate(all="ignore"):
            for _ in range(8):
                deviation = self._rough_map(deviation)
                deviation -= deviation.mean()
                norms.append(abs(deviation).sum())
                if not 1e-10 * norms[0] <= norms[-1] <= norms[0]:
                    break
            periods = min(2, len(norms) - 1)
            return float((norms[-1] / norms[-1 - periods]) ** (1.0 / periods)), deviation

    def _correction(self, residual: Array) -> Array:
        """Solve (1 - U) d = residual approximately, for the d that sums to zero."""
        least = 0.01 * CONVERGED * self._gap
        return correction(self._rough_map, residual, ROUGH_ACCURACY, least)


def _more(steps: int) -> int:
    return steps + max(1, steps // 3)


def _extrapolated(
    first: Sequence[Array], second: Sequence[Array], third: Sequence[Array]
) -> list[Array]:
    """Richardson extrapolation of three runs, each with steps half as long as the one before.

    The error is even in the length of a step and begins with the fourth order.
    """
    extrapolated = []
    for coarse, middle, fine in zip(first, second, third, strict=True):
        before, after = middle + (middle - coarse) / 15.0, fine + (fine - middle) / 15.0
        extrapolated.append(after + (after - before) / 63.0)
    return extrapolated
