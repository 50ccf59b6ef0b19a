"""Few states: the tilted maps of a period as matrices, by the collocation of `collocation`.

Power series in the counting field and second moments need the same equations of the stages with
other right sides, so that these are inverted once: with K = W + z W_1 + z^2 W_2 + ... the power k
of a stage solves sum_j D_ij Y_j - h W Y_i = -D_i0 p + h sum_j W_j Y_(k-j).
"""

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from trajsim.ensemble import series
from trajsim.ensemble.answers import Array, NoExactSideError
from trajsim.ensemble.jumps.channels import Instants, JumpProcess
from trajsim.ensemble.jumps.collocation import (
    BATCH,
    STAGES,
    WEIGHTS,
    right_side,
    solve_stages,
    stages_of,
    steps_of,
    systems,
)
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.ensemble.jumps.stationary import stationary
from trajsim.ensemble.jumps.tilt import Tilt

# Steps a period at first, if the periodic state was found in another way, and at most.
FIRST_STEPS, MOST_STEPS = 8, 4096
# If a growth still overflows with so many steps, it is taken to be infinite.
DIVERGED_STEPS = 256
# The matrix is raised to 2**SQUARINGS to find its largest eigenvalue, smoothly in time.
SQUARINGS = 8
# Relative change of a growth with the most steps that is no refusal.
ROUGHEST = 1e-6
# Growth in a step that may be left in the matrices, as the residual of their eigenvalue tells it.
RESIDUAL = 0.01
# exp of more overflows.
LARGEST_EXPONENT = 700.0
Carry = Callable[[Array], Array]


class Moments(NamedTuple):
    """Action of some steps, or of the period, on P, to second order in the weights.

    propagator (t, n, n), derivatives (t, g, n, n) by the weight of each of g heats and works, and
    second (t, g, g, n), the second derivatives of the norm; for a start in each state.
    """

    propagator: Array
    derivatives: Array
    second: Array

    def after(self, before: "Moments") -> "Moments":
        """Steps `before`, then these."""
        u, v, s = self
        sums = v.sum(axis=2)
        # One derivative of the earlier steps, one of the later.
        cross = np.einsum("tan,tbnm->tabm", sums, before.derivatives, optimize=True)
        second = s @ before.propagator[:, None] + before.second + cross + cross.swapaxes(1, 2)
        first = v @ before.propagator[:, None] + u[:, None] @ before.derivatives
        return Moments(u @ before.propagator, first, second)


class Maps(NamedTuple):
    """Tilted propagators of some steps at each of f fields: maps (t, f, n, n) times exp(log).

    log : (t, f); a product of many steps may be beyond all numbers
    """

    maps: Array
    log: Array

    def after(self, before: "Maps") -> "Maps":
        """Steps `before`, then these."""
        maps = self.maps @ before.maps
        scale = abs(maps).max(axis=(2, 3))
        scale = np.where((scale > 0.0) & np.isfinite(scale), scale, 1.0)
        return Maps(maps / scale[..., None, None], self.log + before.log + np.log(scale))


class Powers(NamedTuple):
    """Power series (t, powers, n, n) of the propagators of some steps."""

    maps: Array

    def after(self, before: "Powers") -> "Powers":
        """Steps `before`, then these."""
        last, first = self.maps, before.maps
        powers = [
            sum(last[:, j] @ first[:, k - j] for j in range(k + 1)) for k in range(last.shape[1])
        ]
        return Powers(np.stack(powers, axis=1))


class Factored(NamedTuple):
    """Steps (t,) with the equations of their stages inverted.

    instants : the process at the phases (t s,) of the stages
    durations (t,), inverse (t, s n, s n)
    """

    instants: Instants
    durations: Array
    inverse: Array

    def stages(self, source: Array) -> Array:
        """Stages (t, s, n, m) from sources (t, s, n, m) per unit time, starting from 0."""
        steps, stages, states, columns = source.shape
        flat = (source * self.durations[:, None, None, None]).reshape(steps, -1, columns)
        return np.asarray(self.inverse @ flat).reshape(steps, stages, states, columns)


class DenseCounting:
    """Counting statistics of one period of a process of few states.

    Parameters
    ----------
    process : JumpProcess
    tolerance : relative accuracy of the maps of a period

    Raises
    ------
    NoExactSideError
        If some states are left so rarely that rounding would spoil the answer.
    """

    def __init__(self, process: JumpProcess, tolerance: float) -> None:
        self.process, self.tolerance = process, tolerance
        solution = JumpEnsemble(process, tolerance).smooth_solution
        if solution is None:
            raise NoExactSideError(
                "some states are left so rarely that fluctuations are lost in rounding"
            )
        self._solution_steps = solution.steps if solution.dense else FIRST_STEPS
        # Steps that follow a distribution from any start, whatever is counted.
        self._series_steps = 0
        self._factored: tuple[int, list[Factored]] = (0, [])
        self._series: dict[tuple[bytes, int], Array] = {}

    @cached_property
    def stationary(self) -> Array:
        """P (n,) that returns to itself."""
        return stationary(self._moments.propagator[0])[0]

    def solve(self, source: Array) -> Array:
        """Rows d (..., n) that sum to zero with d - U d = source, for rows of source that do."""
        # |p><1| changes nothing for such rows and takes away the null space.
        system = np.eye(self.process.states) - self._moments.propagator[0]
        system = system + self.stationary[:, None]
        return np.asarray(np.linalg.solve(system, source.T).T, np.float64)

    # -- steps ---------------------------------------------------------------------------------

    def _steps(self, steps: int, settled: bool = False) -> tuple[Instants, Array]:
        """The process at the stages (t s,) of the steps of a period, and their durations (t,)."""
        return stages_of(self.process, *steps_of(self.process, 0.0, 1.0, steps, settled))

    def _inverses(self, steps: int) -> list[Factored]:
        """All steps of a period, inverted, in batches."""
        if self._factored[0] != steps:
            instants, durations = self._steps(steps)
            states = self.process.states
            batches = []
            for part in _batches(len(durations), (STAGES * states) ** 2):
                inside = instants.part(slice(STAGES * part.start, STAGES * part.stop))
                matrices = self.process.generators(inside.rates).reshape(-1, STAGES, states, states)
                inverse = np.asarray(np.linalg.inv(systems(matrices, durations[part])), np.float64)
                batches.append(Factored(inside, durations[part], inverse))
            self._factored = steps, batches
        return self._factored[1]

    def _untilted_stages(self, steps: Factored) -> Array:
        """Stages (t, s, n, n) of the distribution itself."""
        states = self.process.states
        stages = (steps.inverse @ right_side(states)).reshape(-1, STAGES, states, states)
        # Only the norm gathers rounding errors over a long step: restore it.
        return np.asarray(stages / stages.sum(axis=2, keepdims=True))

    # -- second moments ------------------------------------------------------------------------

    @cached_property
    def _moments(self) -> Moments:
        """Moments (1, ...) of the period as one step."""
        steps = self._solution_steps
        before = self._moments_in(steps)
        while True:
            steps += steps // 2
            now = self._moments_in(steps)
            close = [
                abs(a - b).max() <= self.tolerance * abs(a).max()
                for a, b in zip(now, before, strict=True)
            ]
            if all(close) or steps > MOST_STEPS:
                return now
            before = now

    def _moments_in(self, steps: int) -> Moments:
        parts = [self._moments_of(part) for part in self._inverses(steps)]
        return _compose(parts, [(k, self._moments_of_jump(j)) for k, j in self._jumps(steps)])

    def _jumps(self, steps: int, settled: bool = False) -> list[tuple[int, int]]:
        """Numbers of the steps before which parameters jump, or of all steps, and of the jumps."""
        if not len(self.process.jumps[0]):
            return []
        begin, _ = steps_of(self.process, 0.0, 1.0, steps, settled)
        phases = np.append(begin, 1.0)
        jumps = self.process.jumps[0].tolist()
        return [(int(np.flatnonzero(phases == u)[0]), j) for j, u in enumerate(jumps)]

    def _moments_of_jump(self, j: int) -> Moments:
        """Those of the works where parameters jump."""
        process, states = self.process, self.process.states
        work = process.jumps[1][j][:, None] * process.conjugate
        both = np.concatenate([np.zeros((process.baths, states)), work])
        return Moments(
            np.eye(states)[None],
            (both[:, :, None] * np.eye(states))[None],
            (both[:, None] * both)[None],
        )

    def _moments_of(self, steps: Factored) -> Moments:
        process, states = self.process, self.process.states
        instants, shape = steps.instants, (len(steps.durations), STAGES)
        gains = process.gains(instants.value)
        by_jumps = gains.shape[1]
        # Heats, and works of loads, by jumps (t, s, by_jumps, k), and powers of the drives in each
        # state (t, s, drives, n).
        gains = gains.reshape(*shape, by_jumps, -1)
        gain_rates = instants.rates.reshape(*shape, 1, -1) * gains
        power = instants.speed.reshape(*shape, -1, 1) * process.conjugate
        work_rates = np.zeros((*power.shape, states))
        work_rates[..., np.arange(states), np.arange(states)] = power
        jumped = process.transitions(gain_rates)
        work_rates[:, :, : by_jumps - process.baths] += jumped[:, :, process.baths :]
        first = np.concatenate([jumped[:, :, : process.baths], work_rates], axis=2)
        stages = self._untilted_stages(steps)
        count = first.shape[2]
        source = (first @ stages[:, :, None]).swapaxes(2, 3).reshape(*shape, states, -1)
        derivatives = steps.stages(source).reshape(*shape, states, count, states).swapaxes(2, 3)
        times = np.outer(steps.durations, WEIGHTS)
        sums = first.sum(axis=3)
        cross = np.einsum("ts,tsan,tsbnm->tabm", times, sums, derivatives, optimize=True)
        second = cross + cross.swapaxes(1, 2)
        if process.load is None:
            # Each jump takes heat from one bath.
            squares = (gain_rates * gains) @ process.exits
            diagonal = np.einsum("ts,tsbn,tsnm->tbm", times, squares, stages, optimize=True)
            baths = np.arange(process.baths)
            second[:, baths, baths] += diagonal
        else:
            squares = (gain_rates[:, :, :, None] * gains[:, :, None]) @ process.exits
            second += np.einsum("ts,tsabn,tsnm->tabm", times, squares, stages, optimize=True)
        return Moments(stages[:, -1], derivatives[:, -1], second)

    def carry_moments(self, p: Array, v: Array) -> tuple[Array, Array, Array]:
        """Carry P (n,) and its derivatives v (g, n); also the second moments (g, g)."""
        propagator, derivatives, second = (a[0] for a in self._moments)
        cross = v @ derivatives.sum(axis=1).T
        carried = v @ propagator.T + derivatives @ p
        return propagator @ p, carried, second @ p + cross + cross.T

    # -- power series --------------------------------------------------------------------------

    def series(self, tilt: Tilt, center: float, powers: int) -> Carry:
        """Map of a series (powers, n) over a period; A is counted from `center`."""
        key = (b"".join(np.asarray(a).tobytes() for a in (*tilt[1:], center)), powers)
        if key not in self._series:
            self._series[key] = self._converged_series(tilt, center, powers)
        maps = self._series[key]

        def carry(q: Array) -> Array:
            return np.stack([sum(maps[k - j] @ q[j] for j in range(k + 1)) for k in range(powers)])

        return carry

    def _converged_series(self, tilt: Tilt, center: float, powers: int) -> Array:
        if self._series_steps:
            return self._series_in(self._series_steps, tilt, center, powers)
        steps = self._solution_steps
        before = self._series_in(steps, tilt, center, powers)
        while True:
            steps += steps // 2
            now = self._series_in(steps, tilt, center, powers)
            scale = abs(now).max(axis=(1, 2), keepdims=True)
            if (abs(now - before) <= self.tolerance * scale).all() or steps > MOST_STEPS:
                self._series_steps = steps
                return now
            before = now

    def _series_in(self, steps: int, tilt: Tilt, center: float, powers: int) -> Array:
        parts = [self._series_of(part, tilt, center, powers) for part in self._inverses(steps)]
        jumps = [
            (k, Powers(_diagonal(series.exponential(tilt.jumped[0, j], powers))))
            for k, j in self._jumps(steps)
        ]
        return np.asarray(_compose(parts, jumps).maps[0])

    def _series_of(self, steps: Factored, tilt: Tilt, center: float, powers: int) -> Powers:
        instants, states = steps.instants, self.process.states
        shape = (len(steps.durations), STAGES, states)
        counts = tilt.counts(instants)[0]
        tilted = [
            self.process.transitions(instants.rates * counts**j / math.factorial(j)).reshape(
                *shape, states
            )
            for j in range(1, powers)
        ]
        diagonal = np.arange(states)
        drift = (tilt.powers(instants)[0] - center).reshape(shape)
        tilted[0][..., diagonal, diagonal] += drift
        rows = [self._untilted_stages(steps)]
        for k in range(1, powers):
            sources = [tilted[j - 1] @ rows[k - j] for j in range(1, k + 1)]
            rows.append(steps.stages(np.sum(sources, axis=0)))
        return Powers(np.stack([row[:, -1] for row in rows], axis=1))

    # -- one value of the counting field -------------------------------------------------------

    def growth(self, tilt: Tilt) -> Array:
        """log (f,) of the spectral radius of the maps tilted by A; inf beyond all numbers.

        Raises
        ------
        NoExactSideError
            If it does not converge.
        """
        count = len(tilt.counted)
        growths, unconverged = np.full(count, np.inf), np.flatnonzero(_is_finite(tilt))
        steps = self._solution_steps
        before = np.full(count, np.inf)
        while len(unconverged):
            maps, log_scale = self._maps(tilt.part(unconverged), steps, settled=True)
            finite = np.isfinite(maps).all(axis=(1, 2)) & np.isfinite(log_scale)
            finite &= maps.any(axis=(1, 2))
            now = np.full(len(unconverged), np.inf)
            if finite.any():
                radius = abs(np.linalg.eigvals(maps[finite])).max(axis=1)
                now[finite] = np.log(radius) + log_scale[finite]
            growths[unconverged] = now
            with np.errstate(invalid="ignore"):
                close = abs(now - before[unconverged]) <= self.tolerance * np.maximum(1.0, abs(now))
                change = abs(now - before[unconverged]) / np.maximum(1.0, abs(now))
            diverged = np.isinf(now) & (steps > DIVERGED_STEPS)
            before[unconverged] = now
            if steps > MOST_STEPS and (change[~diverged] > ROUGHEST).any():
                raise NoExactSideError(f"theta still changes with {steps} steps a period")
            unconverged = unconverged[~(close | diverged | (steps > MOST_STEPS))]
            steps += steps // 2
        return growths

    def log_average(self, tilt: Tilt, p: Array, periods: int) -> float:
        """log <exp(A)> over `periods` from P (n,), for a tilt of one field; inf if not found."""
        if not _is_finite(tilt).all():
            return math.inf
        before, steps = math.inf, self._solution_steps
        while True:
            maps, log_scale = self._maps(tilt, steps)
            now = _log_average(maps[0], float(log_scale[0]), tilt, p, periods)
            close = abs(now - before) <= periods * self.tolerance * max(1.0, abs(now))
            if close or steps > MOST_STEPS:
                return now
            before, steps = now, steps + steps // 2

    def _maps(self, tilt: Tilt, steps: int, settled: bool = False) -> tuple[Array, Array]:
        """Tilted maps (f, n, n) of a period, each divided by a factor, and its logarithm (f,)."""
        states = self.process.states
        instants, durations = self._steps(steps, settled)
        size = len(durations) * (STAGES * states) ** 2
        diagonal = np.arange(states)
        maps, log_scales = [], []
        for part in _batches(len(tilt.counted), size):
            matrices = tilt.part(part).matrices(instants)
            fields = len(matrices)
            largest = _largest_eigenvalue(matrices, float(durations.max()))
            matrices[..., diagonal, diagonal] -= largest[..., None]
            log_scales.append(largest @ np.outer(durations, WEIGHTS).ravel())
            stages = solve_stages(
                matrices.reshape(-1, STAGES, states, states), np.tile(durations, fields)
            )
            ends = stages[:, -1].reshape(fields, len(durations), states, states)
            jumps = []
            for k, j in self._jumps(steps, settled):
                most = tilt.jumped[part, j].max(axis=1)
                factors = np.exp(tilt.jumped[part, j] - most[:, None])
                jumps.append((k, Maps(_diagonal(factors), most[None])))
            step = Maps(ends.swapaxes(0, 1), np.zeros((len(durations), fields)))
            period = _compose([step], jumps)
            maps.append(period.maps[0])
            log_scales[-1] = log_scales[-1] + period.log[0]
        return np.concatenate(maps), np.concatenate(log_scales)


def _batches(count: int, size: int) -> Iterator[slice]:
    """Slices of so many of a given size each that a batch is not too large."""
    batch = max(1, BATCH // size)
    for first in range(0, count, batch):
        yield slice(first, first + batch)


def _is_finite(tilt: Tilt) -> Any:
    """Whether (f,) exp of the counts of jumps does not overflow."""
    instants = tilt.process.at(np.linspace(0.0, 1.0, 33))
    return abs(tilt.counts(instants)).max(axis=(1, 2)) < LARGEST_EXPONENT


def _diagonal(rows: Array) -> Array:
    """Matrices (1, m, n, n) with these diagonals (m, n)."""
    return (rows[:, :, None] * np.eye(rows.shape[1]))[None]


def _compose(parts: list[Any], jumps: list[tuple[int, Any]]) -> Any:
    """Batches of steps one after the other, as one step.

    Parameters
    ----------
    parts : batches of steps
    jumps : what happens at once before the step of a number, or after the last
    """
    kind = type(parts[0])
    steps = kind(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    for number, jump in jumps:
        at = min(number, len(steps[0]) - 1)
        step = kind(*(a[at : at + 1] for a in steps))
        step = step.after(jump) if number == at else jump.after(step)
        for of_all, of_step in zip(steps, step, strict=True):
            of_all[at] = of_step[0]
    while len(steps[0]) > 1:
        count = len(steps[0])
        even = count // 2 * 2
        pairs = kind(*(a[1:even:2] for a in steps)).after(kind(*(a[:even:2] for a in steps)))
        odd = kind(*(a[even:] for a in steps))
        steps = kind(*(np.concatenate(both) for both in zip(pairs, odd, strict=True)))
    return steps


def _largest_eigenvalue(matrices: Array, duration: float) -> Array:
    """Largest eigenvalue (f, t) of matrices with no negative entry off their diagonals, nearly.

    It need not be exact, but smooth in time, which a bound would not be, and near against the
    longest duration of a step: growth by what is left of it would not be followed.
    """
    diagonal = np.arange(matrices.shape[-1])
    lowest = np.minimum(matrices[..., diagonal, diagonal].min(axis=-1), 0.0)
    power = matrices.copy()
    power[..., diagonal, diagonal] -= lowest[..., None]
    for _ in range(SQUARINGS):
        power /= power.max(axis=(-2, -1), keepdims=True) + 1e-300
        power = power @ power
    vector = power.sum(axis=-1)
    image = (matrices @ vector[..., None])[..., 0]
    values = np.asarray(image.sum(axis=-1) / (vector.sum(axis=-1) + 1e-300))
    residual = abs(image - values[..., None] * vector).max(axis=-1)
    near = (residual * duration <= RESIDUAL * vector.max(axis=-1)).all(axis=-1)
    if not near.all():
        values[~near] = np.linalg.eigvals(matrices[~near]).real.max(axis=-1)
    return values


def _log_average(tilted_map: Array, growth: float, tilt: Tilt, p: Array, periods: int) -> float:
    """log <exp(A)> from the tilted map of a period; inf if steps were too long for it."""
    weights, logarithm = p * np.exp(tilt.begin[0]), 0.0
    for k in range(periods):
        before, weights = weights, tilted_map @ weights
        scale = float(weights.max())
        if not (scale > 0.0 and math.isfinite(scale)):
            return math.inf
        weights, logarithm = weights / scale, logarithm + math.log(scale) + growth
        if abs(weights - before).max() <= 1e-15:
            # Every period that follows multiplies as much.
            logarithm += (periods - 1 - k) * (math.log(scale) + growth)
            break
    total = float(weights @ np.exp(tilt.end[0]))
    return logarithm + math.log(total) if total > 0.0 else math.inf
