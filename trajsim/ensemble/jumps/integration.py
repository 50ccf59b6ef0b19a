"""Many states: probabilities integrated in time without a matrix.

Accurately by DOP853, a Runge-Kutta method of order 8 with steps as long as stability allows
(Hairer, Norsett & Wanner, Solving Ordinary Differential Equations I, 1993, section II.5); roughly
by SSPRK(10,4), which consists of Euler steps (Ketcheson, SIAM J. Sci. Comput. 30, 2113, 2008).
Absolute errors are small, but not those of probabilities that are small themselves:
`uniformization` is for these.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any

import numpy as np

from trajsim.compiled.jit import compiled
from trajsim.ensemble.answers import Array, NoExactSideError
from trajsim.ensemble.jumps.channels import JumpProcess

# Ratio of one step of DOP853 to the one before, at least and at most, and part of the longest step
# that the error estimate allows.
LEAST_GROWTH, MOST_GROWTH, CAUTION = 0.2, 10.0, 0.9
# Rough steps a period at least, and how many of them get their rates at once.
ROUGH_STEPS, BATCH = 16, 64
# Most expected exits in an Euler step: so few keep probabilities positive; so many are stable if
# the eigenvalues of W are nearly real and at most the largest exit rate.
POSITIVE, STABLE = 0.95, 1.9
# Phases of its Euler steps within a rough step, in sixths.
SIXTHS = (0, 1, 2, 3, 4, 2, 3, 4, 5, 6)
# Maps the number of a phase, and columns (states, m) there, to their derivative by time.
Derivative = Callable[[int, Array], Array]
# From so many channels on, two threads are faster than one.
THREADED = 1 << 17


@compiled
def _flow(first, source, kind, weights, leave, x, out, begin, end):
    """Rows begin to end of out: flow by jumps into each state, less the flow out of it."""
    columns = x.shape[1]
    if columns == 1:
        # Four times as fast as the loop over one column.
        for row in range(begin, end):
            value = -leave[row] * x[row, 0]
            for channel in range(first[row], first[row + 1]):
                value += weights[kind[channel], 0] * x[source[channel], 0]
            out[row, 0] = value
        return
    for row in range(begin, end):
        for column in range(columns):
            out[row, column] = -leave[row] * x[row, column]
        for channel in range(first[row], first[row + 1]):
            of_class, origin = kind[channel], source[channel]
            for column in range(columns):
                out[row, column] += weights[of_class, column] * x[origin, column]


@compiled
def _move(first, target, kind, rates, time, x, out, begin, end):
    """Add what jumps from states begin to end carry within a time, where x stays the same."""
    for column in range(x.shape[1]):
        for state in range(begin, end):
            here, gone = time * x[state, column], 0.0
            for channel in range(first[state], first[state + 1]):
                moved = rates[kind[channel]] * here
                gone += moved
                out[target[channel], column] += moved
            out[state, column] -= gone


class ProbabilityIntegrator:
    """Integrate columns (states, m) of a jump process in time.

    Parameters
    ----------
    process : JumpProcess
    """

    def __init__(self, process: JumpProcess) -> None:
        self.process = process

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1)

    def flow(self, weights: Array, leave: Array, x: Array) -> Array:
        """Flow by jumps into each state less the flow out of it, (states, m).

        Parameters
        ----------
        weights : (k, m), rate of the jumps of each class in each column
        leave : (states,), exit rates
        x : (states, m)
        """
        out, states = np.empty_like(x), self.process.states
        arguments: tuple[Any, ...] = (
            *self.process.incoming,
            np.ascontiguousarray(weights),
            leave,
            x,
            out,
        )
        if len(self.process.kind) < THREADED:
            _flow(*arguments, 0, states)
            return out
        middle = states // 2
        second_half = self._pool.submit(partial(_flow, *arguments, middle, states))
        _flow(*arguments, 0, middle)
        second_half.result()
        return out

    def move(self, rates: Array, time: float, x: Array, out: Array) -> None:
        """Add the flow by jumps times a time to out (states, m).

        Parameters
        ----------
        rates : (k,) of the classes
        time : a time
        x : (states, m)
        out : (states, m), changed in place
        """
        matrix = (*self.process.outgoing, rates, time, x)
        states, middle = self.process.states, self.process.states // 2
        if len(self.process.kind) < THREADED:
            _move(*matrix, out, 0, states)
            return
        # Each half has an array of its own, for both add to all states.
        other = np.zeros_like(out)
        second_half = self._pool.submit(partial(_move, *matrix, other, middle, states))
        _move(*matrix, out, 0, middle)
        second_half.result()
        out += other

    def integrate(
        self,
        derivative: Callable[[Array], Derivative],
        x: Array,
        interval: tuple[float, float],
        accuracy: float,
        add: Callable[[Array, Array], None] | None = None,
        jump: Callable[[float, Array], Array] | None = None,
    ) -> Array:
        """Columns (states, m) at the end of a part of the period.

        Parameters
        ----------
        derivative : maps phases (t,) to the derivative there
        x : (states, m) at the beginning
        interval : phases
        accuracy : relative, of each step
        add : called with phases (t,) of every step and dwell times in each state (t, states, m)
        jump : maps a phase at which parameters may jump, and columns, to the columns after it

        Raises
        ------
        NoExactSideError
            If the integration fails.
        """
        from scipy.integrate import DOP853

        method: Any = DOP853
        stages, period = method.n_stages, self.process.period
        used, estimates = np.flatnonzero(method.B), np.stack([method.E5, method.E3])[:, :-1]
        # Absolute accuracy of each entry, as a part of the mean entry.
        floor = accuracy * max(1e-300, float(abs(x).sum(axis=0).max())) / len(x)
        slopes, values = np.empty((stages, x.size)), np.empty((stages, *x.shape))
        for first, last in self.process.pieces(*interval):
            if jump is not None:
                x = jump(first, x)
            u, most = first, MOST_GROWTH
            step = 1.0 / (self.process.fastest_exit * period)
            while u < last:
                if u + step <= u:
                    raise NoExactSideError(
                        "the master equation was not integrated: no step is short enough"
                    )
                end = last if u + 1.01 * step >= last else u + step
                time = (end - u) * period
                phases = u + (end - u) * method.C
                # A step that begins at a break uses the values after it.
                phases[0], phases[-1] = max(u, math.nextafter(first, 2.0)), end
                slope = derivative(phases)
                for k in range(stages):
                    change = (time * method.A[k, :k]) @ slopes[:k]
                    np.add(x, change.reshape(x.shape), out=values[k])
                    slopes[k] = slope(k, values[k]).ravel()
                after = x + ((time * method.B) @ slopes).reshape(x.shape)
                scale = floor + accuracy * np.maximum(abs(x), abs(after)).ravel()
                differences = estimates @ slopes / scale
                fifth, third = (differences**2).mean(axis=1).tolist()
                error = time * fifth / math.sqrt(fifth + 0.01 * third) if fifth > 0.0 else 0.0
                growth = MOST_GROWTH if error == 0.0 else CAUTION * error**-0.125
                step = (end - u) * max(LEAST_GROWTH, min(growth, most))
                # After a step that failed the next may not grow; nan fails, too.
                most = MOST_GROWTH if error < 1.0 else 1.0
                if error < 1.0:
                    if add is not None:
                        dwell = (time * method.B[used])[:, None, None] * values[used]
                        add(phases[used], dwell)
                    x, u = after, end
        return x if jump is None or interval[1] < 1.0 else jump(1.0, x)

    def carry(
        self, x: Array, begin: float, end: float, accuracy: float, energetics: bool = True
    ) -> tuple[Array, Array]:
        """Columns at the end of a part of the period, and their energetics (width, m).

        Parameters
        ----------
        x : (states, m)
        begin, end : phases
        accuracy : relative, of each step
        energetics : whether to compute the energetics, else they are empty

        Raises
        ------
        NoExactSideError
            If the integration fails.
        """
        process, columns = self.process, x.shape[1]
        total = np.zeros((process.width if energetics else 0, columns))

        def derivative(phases: Array) -> Derivative:
            rates = process.rates(phases)

            def slope(k: int, x: Array) -> Array:
                out = np.zeros_like(x)
                self.move(rates[k], 1.0, x, out)
                return out

            return slope

        def add(phases: Array, dwell: Array) -> None:
            np.add(total, process.energetics(process.at(phases), dwell), out=total)

        def jump(u: float, x: Array) -> Array:
            np.add(total, process.jump_energetics(u, x), out=total)
            return x

        hooks = (add, jump) if energetics else (None, None)
        carried = self.integrate(derivative, x, (begin, end), accuracy, *hooks)
        return carried, total

    def rough_map(self, x: Array, most_exits: float = POSITIVE) -> Array:
        """Columns (states, m) after a period, to a few digits, and linear in x.

        Parameters
        ----------
        x : (states, m)
        most_exits : expected exits in an Euler step, at most
        """
        process = self.process
        exits = process.fastest_exit * process.period
        for first, last in process.pieces(0.0, 1.0):
            count = math.ceil((last - first) * max(ROUGH_STEPS, exits / (6.0 * most_exits)))
            width = (last - first) / count
            time = width * process.period / 6.0
            for begin in range(0, count, BATCH):
                steps = np.arange(begin, min(begin + BATCH, count))
                phases = first + width * (steps[:, None] + np.arange(7) / 6.0)
                inside = np.clip(phases.ravel(), math.nextafter(first, 2.0), last)
                for rates in process.rates(inside).reshape(len(steps), 7, -1):
                    x = self._rough_step(rates, time, x)
        return x

    def _rough_step(self, rates: Array, time: float, x: Array) -> Array:
        """Columns after six times a time, for rates (7, k) at its multiples."""
        start = x
        for stage, sixth in enumerate(SIXTHS):
            if stage == 5:
                middle = 0.04 * start + 0.36 * x
                x = 15.0 * middle - 5.0 * x
            after = x.copy()
            self.move(rates[sixth], time, x, after)
            x = after
        return middle + 0.6 * x
