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

from trajsim.ensemble.answers import Array, NoExactSideError
from trajsim.ensemble.jumps.channels import Instants, JumpProcess
from trajsim.ensemble.jumps.collocation import (
    BATCH,
    NODES,
    STAGES,
    WEIGHTS,
    begun,
    edges_of,
    solved,
    systems,
)
from trajsim.ensemble.jumps.ensemble import DENSE_STEPS, JumpEnsemble
from trajsim.ensemble.jumps.stationary import stationary
from trajsim.ensemble.jumps.tilt import Tilt

MOST_STEPS = 4096
# Where these leave no number behind, a growth is taken to be beyond all numbers.
HOPELESS_STEPS = 256
# The matrix is raised to 2**SQUARINGS to find its largest eigenvalue, smoothly in time.
SQUARINGS = 8
# exp of more overflows.
LARGEST_EXPONENT = 700.0
Carry = Callable[[Array], Array]


class Moments(NamedTuple):
    """What some steps, or the period, do to a distribution, to second order in the weights.

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
        # A derivative of what comes before, and another of what follows.
        cross = np.einsum("tan,tbnm->tabm", sums, before.derivatives, optimize=True)
        second = s @ before.propagator[:, None] + before.second + cross + cross.swapaxes(1, 2)
        first = v @ before.propagator[:, None] + u[:, None] @ before.derivatives
        return Moments(u @ before.propagator, first, second)


class Maps(NamedTuple):
    """What some steps do at each of f fields: (t, f, n, n)."""

    maps: Array

    def after(self, before: "Maps") -> "Maps":
        """Steps `before`, then these."""
        return Maps(self.maps @ before.maps)


class Powers(NamedTuple):
    """A power series (t, powers, n, n) of what some steps do."""

    maps: Array

    def after(self, before: "Powers") -> "Powers":
        """Steps `before`, then these."""
        one, other = self.maps, before.maps
        powers = [
            sum(one[:, j] @ other[:, k - j] for j in range(k + 1)) for k in range(one.shape[1])
        ]
        return Powers(np.stack(powers, axis=1))


class Factored(NamedTuple):
    """Steps (t,) with the equations of their stages inverted.

    at : the process at the phases (t s,) of the stages
    durations (t,), inverse (t, s n, s n)
    """

    at: Instants
    durations: Array
    inverse: Array

    def stages(self, source: Array) -> Array:
        """Stages (t, s, n, m) that sources (t, s, n, m) per unit time lead to, from nothing."""
        steps, stages, states, columns = source.shape
        flat = (source * self.durations[:, None, None, None]).reshape(steps, -1, columns)
        return np.asarray(self.inverse @ flat).reshape(steps, stages, states, columns)


class DenseCounting:
    """One period of a process of few states, counted.

    Parameters
    ----------
    process : JumpProcess
    tolerance : relative accuracy of what a period does

    Raises
    ------
    NoExactSideError
        If some states are left so rarely that rounding would spoil what the counting rests on.
    """

    def __init__(self, process: JumpProcess, tolerance: float) -> None:
        self.process, self.tolerance = process, tolerance
        solution = JumpEnsemble(process, tolerance).smooth_solution
        if solution is None:
            raise NoExactSideError(
                "some states are left so rarely that fluctuations are lost in rounding"
            )
        self._solution_steps = solution.steps if solution.dense else DENSE_STEPS
        # Steps that follow a distribution from any start, whatever is counted.
        self._series_steps = 0
        self._factored: tuple[int, list[Factored]] = (0, [])
        self._series: dict[tuple[bytes, int], Array] = {}

    @cached_property
    def stationary(self) -> Array:
        """P (n,) that returns to itself."""
        return stationary(self._moments.propagator[0])[0]

    def solve(self, rest: Array) -> Array:
        """Rows d (..., n) that sum to zero with d - U d = rest, for rows of rest that do."""
        # |p><1| changes nothing for such rows and takes away the null space.
        system = np.eye(self.process.states) - self._moments.propagator[0]
        system = system + self.stationary[:, None]
        return np.asarray(np.linalg.solve(system, rest.T).T, np.float64)

    # -- steps ---------------------------------------------------------------------------------

    def _steps(self, steps: int, settled: bool = False) -> tuple[Instants, Array]:
        """The process at the stages (t s,) of the steps of a period, and their durations (t,)."""
        edges = edges_of(self.process, 0.0, 1.0, steps, settled)
        widths = np.concatenate([np.diff(e) for e in edges])
        phases = np.concatenate([e[:-1] for e in edges])[:, None] + widths[:, None] * NODES
        return self.process.at(phases.ravel()), widths * self.process.period

    def _inverted(self, steps: int) -> list[Factored]:
        """All steps of a period, inverted, in batches."""
        if self._factored[0] != steps:
            whole, durations = self._steps(steps)
            states = self.process.states
            batches = []
            for part in _batches(len(durations), (STAGES * states) ** 2):
                at = whole.part(slice(STAGES * part.start, STAGES * part.stop))
                matrices = self.process.generators(at.rates).reshape(-1, STAGES, states, states)
                inverse = np.asarray(np.linalg.inv(systems(matrices, durations[part])), np.float64)
                batches.append(Factored(at, durations[part], inverse))
            self._factored = steps, batches
        return self._factored[1]

    def _plain(self, steps: Factored) -> Array:
        """Stages (t, s, n, n) of the distribution itself."""
        states = self.process.states
        stages = (steps.inverse @ begun(states)).reshape(-1, STAGES, states, states)
        # Rounding grows with the length of a step in what is conserved alone: it is put right.
        return np.asarray(stages / stages.sum(axis=2, keepdims=True))

    # -- second moments ------------------------------------------------------------------------

    @cached_property
    def _moments(self) -> Moments:
        """Those of the period, of one step."""
        steps = self._solution_steps
        before = self._moments_in(steps)
        while True:
            steps += steps // 2
            now = self._moments_in(steps)
            off = [abs(a - b).max() / abs(a).max() for a, b in zip(now, before, strict=True)]
            if max(off) < self.tolerance or steps > MOST_STEPS:
                return now
            before = now

    def _moments_in(self, steps: int) -> Moments:
        return _composed([self._moments_of(part) for part in self._inverted(steps)])

    def _moments_of(self, steps: Factored) -> Moments:
        process, states = self.process, self.process.states
        at, shape = steps.at, (len(steps.durations), STAGES)
        of_class = at.rates.reshape(*shape, -1)
        heats = process.heats_of(at.value).reshape(*shape, -1)
        # Jumps (t, s, baths, k) and rests (t, s, drives, n) by what they give.
        taken = (of_class * heats)[:, :, None] * process.heat_of_bath.T
        power = at.speed.reshape(*shape, -1, 1) * process.conjugate
        resting = np.zeros((*power.shape, states))
        resting[..., np.arange(states), np.arange(states)] = power
        first = np.concatenate([process.transitions(taken), resting], axis=2)
        plain = self._plain(steps)
        kinds = first.shape[2]
        source = (first @ plain[:, :, None]).swapaxes(2, 3).reshape(*shape, states, -1)
        moved = steps.stages(source).reshape(*shape, states, kinds, states).swapaxes(2, 3)
        times = np.outer(steps.durations, WEIGHTS)
        sums = first.sum(axis=3)
        cross = np.einsum("ts,tsan,tsbnm->tabm", times, sums, moved, optimize=True)
        second = cross + cross.swapaxes(1, 2)
        squares = (taken * heats[:, :, None]) @ process.exits
        own = np.einsum("ts,tsbn,tsnm->tbm", times, squares, plain, optimize=True)
        baths = np.arange(process.baths)
        second[:, baths, baths] += own
        return Moments(plain[:, -1], moved[:, -1], second)

    def pair(self, p: Array, v: Array) -> tuple[Array, Array, Array]:
        """Carry P (n,) and its derivatives v (g, n); also the second moments (g, g)."""
        propagator, derivatives, second = (a[0] for a in self._moments)
        cross = v @ derivatives.sum(axis=1).T
        carried = v @ propagator.T + derivatives @ p
        return propagator @ p, carried, second @ p + cross + cross.T

    # -- power series --------------------------------------------------------------------------

    def series(self, tilt: Tilt, center: float, powers: int) -> Carry:
        """What carries a series (powers, n) through a period; A is counted from `center`."""
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
        parts = [self._series_of(part, tilt, center, powers) for part in self._inverted(steps)]
        return np.asarray(_composed(parts).maps[0])

    def _series_of(self, steps: Factored, tilt: Tilt, center: float, powers: int) -> Powers:
        at, states = steps.at, self.process.states
        shape = (len(steps.durations), STAGES, states)
        counts = tilt.counts(at)[0]
        tilted = [
            self.process.transitions(at.rates * counts**j / math.factorial(j)).reshape(
                *shape, states
            )
            for j in range(1, powers)
        ]
        diagonal = np.arange(states)
        leaning = (tilt.powers(at)[0] - center).reshape(shape)
        tilted[0][..., diagonal, diagonal] += leaning
        rows = [self._plain(steps)]
        for k in range(1, powers):
            sources = [tilted[j - 1] @ rows[k - j] for j in range(1, k + 1)]
            rows.append(steps.stages(np.sum(sources, axis=0)))
        return Powers(np.stack([row[:, -1] for row in rows], axis=1))

    # -- one value of the counting field -------------------------------------------------------

    def growth(self, tilt: Tilt) -> Array:
        """log (f,) of the spectral radius of the maps tilted by A; inf beyond all numbers."""
        count = len(tilt.counted)
        growths, open_ = np.full(count, np.inf), np.flatnonzero(_within_numbers(tilt))
        steps = self._solution_steps
        before = np.full(count, np.inf)
        while len(open_):
            maps, grown = self._maps(tilt.part(open_), steps, settled=True)
            finite = np.isfinite(maps).all(axis=(1, 2)) & np.isfinite(grown)
            finite &= maps.any(axis=(1, 2))
            now = np.full(len(open_), np.inf)
            if finite.any():
                radius = abs(np.linalg.eigvals(maps[finite])).max(axis=1)
                now[finite] = np.log(radius) + grown[finite]
            growths[open_] = now
            with np.errstate(invalid="ignore"):
                close = abs(now - before[open_]) <= self.tolerance * np.maximum(1.0, abs(now))
            hopeless = np.isinf(now) & (steps > HOPELESS_STEPS)
            before[open_] = now
            open_ = open_[~(close | hopeless | (steps > MOST_STEPS))]
            steps += steps // 2
        return growths

    def log_average(self, tilt: Tilt, p: Array, periods: int) -> float:
        """log <exp(A)> over `periods` from P (n,), for a tilt of one field; inf if not found."""
        if not _within_numbers(tilt).all():
            return math.inf
        before, steps = math.inf, self._solution_steps
        while True:
            maps, grown = self._maps(tilt, steps)
            now = _through(maps[0], float(grown[0]), tilt, p, periods)
            close = abs(now - before) <= periods * self.tolerance * max(1.0, abs(now))
            if close or steps > MOST_STEPS:
                return now
            before, steps = now, steps + steps // 2

    def _maps(self, tilt: Tilt, steps: int, settled: bool = False) -> tuple[Array, Array]:
        """Tilted maps (f, n, n) of a period, and the growth (f,) taken out of them."""
        states = self.process.states
        at, durations = self._steps(steps, settled)
        size = len(durations) * (STAGES * states) ** 2
        diagonal = np.arange(states)
        maps, growth = [], []
        for part in _batches(len(tilt.counted), size):
            matrices = tilt.part(part).matrices(at)
            fields = len(matrices)
            largest = _largest(matrices)
            matrices[..., diagonal, diagonal] -= largest[..., None]
            growth.append(largest @ np.outer(durations, WEIGHTS).ravel())
            stages = solved(
                matrices.reshape(-1, STAGES, states, states), np.tile(durations, fields)
            )
            ends = stages[:, -1].reshape(fields, len(durations), states, states)
            maps.append(_composed([Maps(ends.swapaxes(0, 1))]).maps[0])
        return np.concatenate(maps), np.concatenate(growth)


def _batches(count: int, size: int) -> Iterator[slice]:
    """Slices of so many of a given size each that a batch is not too large."""
    batch = max(1, BATCH // size)
    for first in range(0, count, batch):
        yield slice(first, first + batch)


def _within_numbers(tilt: Tilt) -> Any:
    """Whether (f,) what jumps count can be exponentiated."""
    at = tilt.process.at(np.linspace(0.0, 1.0, 33))
    return abs(tilt.counts(at)).max(axis=(1, 2)) < LARGEST_EXPONENT


def _composed(parts: list[Any]) -> Any:
    """Batches of steps one after the other, as one step."""
    kind = type(parts[0])
    joined = kind(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    while len(joined[0]) > 1:
        count = len(joined[0])
        even = count // 2 * 2
        both = kind(*(a[1:even:2] for a in joined)).after(kind(*(a[:even:2] for a in joined)))
        rest = kind(*(a[even:] for a in joined))
        joined = kind(*(np.concatenate(pair) for pair in zip(both, rest, strict=True)))
    return joined


def _largest(matrices: Array) -> Array:
    """Largest eigenvalue (...) of matrices with no negative entry off their diagonals, nearly.

    Smooth in time, unlike a bound: what it is taken for need not be exact.
    """
    diagonal = np.arange(matrices.shape[-1])
    lowest = np.minimum(matrices[..., diagonal, diagonal].min(axis=-1), 0.0)
    power = matrices.copy()
    power[..., diagonal, diagonal] -= lowest[..., None]
    for _ in range(SQUARINGS):
        power /= power.max(axis=(-2, -1), keepdims=True) + 1e-300
        power = power @ power
    vector = power.sum(axis=-1)
    grown = (matrices @ vector[..., None])[..., 0].sum(axis=-1)
    return np.asarray(grown / (vector.sum(axis=-1) + 1e-300))


def _through(u: Array, growth: float, tilt: Tilt, p: Array, periods: int) -> float:
    """log <exp(A)> from the tilted map of a period; inf if steps were too long for it."""
    boundary = tilt.boundary[0]
    row, logarithm = p * np.exp(boundary), 0.0
    for k in range(periods):
        before, row = row, u @ row
        size = float(row.max())
        if not (size > 0.0 and math.isfinite(size)):
            return math.inf
        row, logarithm = row / size, logarithm + math.log(size) + growth
        if abs(row - before).max() <= 1e-15:
            # Every period that follows multiplies as much.
            logarithm += (periods - 1 - k) * (math.log(size) + growth)
            break
    total = float(row @ np.exp(-boundary))
    return logarithm + math.log(total) if total > 0.0 else math.inf
