"""The exact ensemble of a spin network: periodic state, currents, transients.

Up to DENSE_SITES spins the propagator of each segment is kept as a matrix; above, distributions
are carried one by one and the periodic state is found from the one-period map by GMRES.
"""

import itertools
import math
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from trajsim.exact import collocation, magnus, runge_kutta
from trajsim.exact.ensemble import Array, Course, Currents, Gains, NoExactSideError, Window
from trajsim.exact.generator import breaks, fastest_leaving, tabulate
from trajsim.exact.stationary import correction, fixed_point, stationary
from trajsim.jit import compiled
from trajsim.models.drive import value
from trajsim.models.spins import SpinNetwork, energy, spins_of
from trajsim.plan import Plan

MOST_SITES = 12
DENSE_SITES = 5
FEWEST_STEPS, MOST_STEPS = 32, 1 << 17
# Of collocation: where P follows the drive, few steps suffice.
SMOOTH_STEPS, MOST_SMOOTH_STEPS = 16, 1024
# Relative accuracy of a step from the fixed point of one map of a large network to another's.
SHIFT = 1e-3


class _Solution(NamedTuple):
    """Periodic state (2**n,), its currents (g,), their error (g,), steps a period that it took.

    `smooth` where the state follows the drive and collocation found it.
    """

    state: Array
    rates: Array
    error: Array
    steps: int
    smooth: bool = False


def equilibrium(network: SpinNetwork) -> Array:
    """Boltzmann distribution (2**n,) of H(0).

    Raises
    ------
    NoExactSideError
        If the sites differ in temperature or there are more than 20.
    """
    if np.ptp(network.temperature) > 0:
        raise NoExactSideError(
            "an equilibrium exists only where all baths have the same temperature"
        )
    if len(network.bath) > 20:
        raise NoExactSideError("the equilibrium of more than 20 spins is not enumerated")
    weight = _energies(network, 0.0) / -network.temperature[0]
    odds = np.exp(weight - weight.max())
    return odds / odds.sum()


def start_state(network: SpinNetwork, initial: str) -> Array:
    """P (2**n,) from which trajectories with this `initial` are drawn.

    Raises
    ------
    NoExactSideError
        If it does not exist or has too many states to list.
    """
    if initial == "equilibrium":
        return equilibrium(network)
    if initial == "periodic":
        return MasterEquation(network).periodic_state
    states = 1 << len(network.bath)
    return np.eye(1, states)[0] if initial == "up" else np.full(states, 1.0 / states)


@compiled
def _energies(network, fraction):
    n = len(network.bath)
    h, spins, out = np.empty(n), np.empty(n, np.int8), np.empty(1 << n)
    for i in range(n):
        h[i] = value(network.drive, i, fraction)
    for x in range(1 << n):
        spins_of(x, spins)
        out[x] = energy(network, spins, h)
    return out


class MasterEquation:
    """Exact ensemble of a spin network of at most 12 spins.

    Parameters
    ----------
    network : SpinNetwork
    tolerance : relative accuracy asked of every current; `currents.error` tells what was got

    Raises
    ------
    NoExactSideError
        If there are more than 12 spins.
    """

    def __init__(self, network: SpinNetwork, tolerance: float = 1e-9) -> None:
        sites = len(network.bath)
        if sites > MOST_SITES:
            raise NoExactSideError(
                f"the master equation is solved up to {MOST_SITES} spins, not {sites}"
            )
        self.network = network
        self.tolerance = tolerance
        self.states = 1 << sites
        self.dense = sites <= DENSE_SITES
        self._table = tabulate(network)
        self._breaks = breaks(network, self._table)
        baths, drives = int(network.bath.max()) + 1, int(network.driven.max()) + 1
        self._splits = np.cumsum([baths, drives, drives])
        self._width = baths + 2 * drives + sites
        self._maps: dict[tuple[int, int], tuple[Array, Array]] = {}

    # -- carrying distributions ------------------------------------------------------------

    def carry(self, p: Array, segment: int = 0, segments: int = 1) -> tuple[Array, Array]:
        """Carry P (2**n,) through one of the equal segments of the period.

        Returns P at its end and the gains (g,) that `gains_of` splits.
        """
        if not self.dense:
            end, totals = self._extrapolated(p[None], segment, segments, self.steps)
            return end[0], totals[0]
        key = (segment, segments)
        if key not in self._maps:
            follow = self._collocated if self._solution.smooth else self._extrapolated
            self._maps[key] = follow(np.eye(self.states), *key, self.steps)
        propagator, totals = self._maps[key]
        return p @ propagator, p @ totals

    def _pieces(self, segment: int, segments: int) -> Iterator[tuple[float, float]]:
        """Beginnings and ends, between which rates are smooth in time, of parts of a segment."""
        first, last = segment / segments, (segment + 1) / segments
        edges = [first, *(x for x in self._breaks if first < x < last), last]
        return itertools.pairwise(edges)

    def _collocated(
        self, p: Array, segment: int, segments: int, steps: int, settled: bool = False
    ) -> tuple[Array, Array]:
        """Carry rows of p; if they are `settled`, they follow the drive from the beginning."""
        p, totals = p.copy(), np.zeros((len(p), self._width))
        for begin, end in self._pieces(segment, segments):
            follows = settled and begin == 0.0
            narrowest = 1.0 if follows else 0.5 / (self._fastest * self.network.period)
            edges = collocation.step_edges(begin, end, 1.0 / steps, narrowest)
            collocation.propagate(self.network, self._table, p, totals, edges)
        return p, totals

    def _stepped(
        self, p: Array, segment: int, segments: int, steps: int, book: bool = True, times: int = 1
    ) -> tuple[Array, Array]:
        """Carry rows of p with at least `steps` steps a period, each cut into `times` more."""
        p, totals = p.copy(), np.zeros((len(p), self._width if book else 0))
        method = magnus if self.dense else runge_kutta
        for begin, end in self._pieces(segment, segments):
            count = times * math.ceil(steps * (end - begin) - 1e-9)
            method.propagate(self.network, self._table, p, totals, begin, end, max(times, count))
        return p, totals

    def _extrapolated(
        self, p: Array, segment: int, segments: int, steps: int
    ) -> tuple[Array, Array]:
        """The result for `steps` steps a period freed of its leading error, of fourth order."""
        coarse = self._stepped(p, segment, segments, steps // 2)
        return _richardson(coarse, self._stepped(p, segment, segments, steps // 2, times=2))

    # -- the periodic state ------------------------------------------------------------------

    @cached_property
    def _fastest(self) -> float:
        return max(float(fastest_leaving(self.network, self._table)), 1e-300)

    @cached_property
    def _solution(self) -> _Solution:
        if not self.dense:
            return self._solve_large()
        return self._solve_smooth() or self._solve_stiff()

    def _solve_smooth(self) -> _Solution | None:
        """Solution by collocation; None if rounding spoils it because states are rarely left."""
        steps = max(SMOOTH_STEPS, 4 * int(self.network.drive.order.max()))
        start, before = np.eye(self.states), np.full(self._width + self.states, np.inf)
        while True:
            propagator, totals = self._collocated(start, 0, 1, steps, settled=True)
            rounding = max(1e-15, float(np.abs(propagator.sum(axis=1) - 1.0).max()))
            p, rarest = stationary(propagator)
            if not rounding < self.tolerance * rarest:
                return None
            rates = p @ totals / self.network.period
            now = np.append(rates, p)
            # The error is far below the last change.
            error, shift = np.split(np.abs(now - before), [self._width])
            accurate = self._accurate(rates, error) and shift.max() < self.tolerance
            if accurate or steps >= MOST_SMOOTH_STEPS:
                return _Solution(p, rates, error, steps, smooth=True)
            before, steps = now, steps + steps // 2

    def _solve_stiff(self) -> _Solution:
        times, start = 1, np.eye(self.states)
        coarse, before = self._stepped(start, 0, 1, FEWEST_STEPS), np.full(self._width, np.inf)
        while True:
            times *= 2
            fine = self._stepped(start, 0, 1, FEWEST_STEPS, times=times)
            propagator, totals = self._maps[0, 1] = _richardson(coarse, fine)
            p, _ = stationary(propagator)
            now = p @ totals / self.network.period
            # Of sixth order, the error is far below the last change.
            error, steps = np.abs(now - before), FEWEST_STEPS * times
            if self._accurate(now, error) or steps >= MOST_STEPS:
                return _Solution(p, now, error, steps)
            coarse, before = fine, now

    def _solve_large(self) -> _Solution:
        steps = max(FEWEST_STEPS, runge_kutta.fewest_steps(self.network, self._table))

        def once(q: Array) -> Array:
            return self._stepped(q[None], 0, 1, steps, book=False)[0][0]

        p, times = fixed_point(once, np.full(self.states, 1.0 / self.states)), 1
        while True:
            runs = [self._stepped(p[None], 0, 1, steps, times=times * 2**k) for k in range(3)]
            coarse, fine = _richardson(*runs[:2]), _richardson(*runs[1:])
            # The leading error of what `_richardson` leaves is of fifth order.
            end, totals = ((32 * a[0] - b[0]) / 31 for a, b in zip(fine, coarse, strict=True))
            # On to the fixed point of the better map; that shift needs no better map.
            shift = correction(once, end - p, SHIFT)
            moved = self._stepped(shift[None], 0, 1, steps)[1][0]
            p, now = p + shift, (totals + moved) / self.network.period
            cut = np.abs(totals - fine[1][0]) / self.network.period
            error = cut + 2 * SHIFT * np.abs(moved) / self.network.period
            if self._accurate(now, error) or steps * times >= MOST_STEPS:
                return _Solution(p, now, error, 4 * steps * times)
            if not self._accurate(now, cut):
                times *= 2

    def _accurate(self, currents: Array, error: Array) -> bool:
        # Rounding leaves some 1e-14 of the energy that flips carry back and forth.
        floor = 1e-13 * self._throughput(currents)
        return bool(np.all(error <= np.maximum(self.tolerance * np.abs(currents), floor)))

    def _throughput(self, currents: Array) -> Array:
        """Energy (or number) that flips move back and forth per unit time, for each of (g,)."""
        network = self.network
        field = np.maximum(np.abs(network.low), np.abs(network.high))
        cost = 2.0 * (np.abs(self._table.alignment).max() + field.max())
        flips = np.abs(self.gains_of(currents).flips).sum()
        scale = np.full(self._width, cost * flips + field.max() / network.period)
        scale[self._splits[2] :] = flips
        return scale

    def gains_of(self, totals: Array) -> Gains:
        """Split gains (..., g) into heat, work, exclusive work and flips."""
        return Gains(*np.split(totals, self._splits, axis=-1))

    # -- answers -----------------------------------------------------------------------------

    @property
    def propagator(self) -> Array:
        """One-period propagator (2**n, 2**n): column x is P after a period that began in x."""
        if not self.dense:
            return self._extrapolated(np.eye(self.states), 0, 1, self.steps)[0].T
        self.carry(self.periodic_state)
        return self._maps[0, 1][0].T

    @property
    def steps(self) -> int:
        """Steps a period that the tolerance asks for."""
        return self._solution.steps

    @property
    def periodic_state(self) -> Array:
        """P (2**n,) at the beginning of the period that returns to itself after one.

        Raises
        ------
        NoExactSideError
            If it is not unique, or is not found to rounding.
        """
        return self._solution.state

    @property
    def currents(self) -> Currents:
        """Period-averaged rates of heat, work, exclusive work and flips in the periodic state."""
        _, rates, error, _, _ = self._solution
        floor = 1e-15 * self._throughput(rates)
        return Currents(self.gains_of(rates), self.gains_of(np.maximum(error, floor)))

    def course(self, p: Array, segments: int, periods: int = 1) -> Course:
        """Follow P from time 0 through whole periods, cut into equal segments."""
        states, gains = [p], []
        for k in range(segments * periods):
            p, gain = self.carry(p, k % segments, segments)
            states.append(p)
            gains.append(gain)
        return Course(np.array(states), self.gains_of(np.array(gains)))

    def window(self, p: Array, plan: Plan) -> Window:
        """What trajectories that begin with P show, burn-in left out, over the recorded periods."""
        segments = plan.rows_per_period
        totals, occupation = np.zeros(self._width), np.zeros((segments, self.states))
        for period in range(plan.burn_in + plan.periods):
            begin, gains, seen = p, np.zeros(self._width), []
            for k in range(segments):
                seen.append(p)
                p, gain = self.carry(p, k, segments)
                gains += gain
            settled = bool(np.abs(p - begin).max() < 1e-14)
            # Once settled, this period stands for all that follow.
            ahead = plan.burn_in + plan.periods - period if settled else 1
            recorded = range(max(period, plan.burn_in), period + ahead)
            rows_begin = sum((k - plan.burn_in) % plan.segments_per_row == 0 for k in recorded)
            totals += len(recorded) * gains / plan.periods
            occupation += rows_begin * np.array(seen) * plan.segments_per_row / plan.periods
            if settled:
                break
        return Window(self.gains_of(totals / self.network.period), {"occupation": occupation})


def _richardson(coarse: tuple[Array, Array], fine: tuple[Array, Array]) -> tuple[Array, Array]:
    """Two runs of a method of fourth order, the second with half the step, made one better."""
    return (16 * fine[0] - coarse[0]) / 15, (16 * fine[1] - coarse[1]) / 15
