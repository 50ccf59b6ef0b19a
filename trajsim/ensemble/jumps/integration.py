"""Many states: probabilities integrated in time without a matrix, by scipy's DOP853.

A Runge-Kutta method of order 8 with steps as long as stability allows (Hairer, Norsett & Wanner,
Solving Ordinary Differential Equations I, 1993, section II.5). Absolute errors are small, but not
those of probabilities that are small themselves: `uniformization` is for these.
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

# Gauss-Legendre nodes in a step, at which energetics are summed, and their weights.
NODES, WEIGHTS = (a / 2.0 for a in np.polynomial.legendre.leggauss(4))
NODES = NODES + 0.5
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

    def integrate(
        self,
        derivative: Callable[[float, Array], Array],
        x: Array,
        interval: tuple[float, float],
        accuracy: float,
        add: Callable[[Array, Array], None] | None = None,
        jump: Callable[[float, Array], Array] | None = None,
    ) -> Array:
        """Columns (states, m) at the end of a part of the period.

        Parameters
        ----------
        derivative : maps a phase and columns to the derivative of these by time
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

        shape, period = x.shape, self.process.period
        # Absolute accuracy of each entry, as a part of the mean entry.
        floor = accuracy * max(1e-300, float(abs(x).sum(axis=0).max())) / shape[0]

        def flat_derivative(u: float, flat: Array) -> Array:
            # A step that begins at a break uses the values after it.
            inside = max(u, math.nextafter(first, 2.0))
            return derivative(inside, flat.reshape(shape)).ravel() * period

        for first, last in self.process.pieces(*interval):
            if jump is not None:
                x = jump(first, x)
            solver: Any = DOP853(flat_derivative, first, x.ravel(), last, rtol=accuracy, atol=floor)
            while solver.status == "running":
                message = solver.step()
                if solver.status == "failed":
                    raise NoExactSideError(f"the master equation was not integrated: {message}")
                if add is not None:
                    step = solver.t - solver.t_old
                    phases = solver.t_old + NODES * step
                    states = solver.dense_output()(phases).T.reshape(-1, *shape)
                    add(phases, (WEIGHTS * step * period)[:, None, None] * states)
            x = solver.y.reshape(shape)
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

        def derivative(u: float, x: Array) -> Array:
            rates = process.rates(np.array([u]))[0]
            weights = np.repeat(rates[:, None], columns, axis=1)
            return np.asarray(self.flow(weights, process.leaving(rates), x))

        def add(phases: Array, dwell: Array) -> None:
            np.add(total, process.energetics(process.at(phases), dwell), out=total)

        def jump(u: float, x: Array) -> Array:
            np.add(total, process.jump_energetics(u, x), out=total)
            return x

        hooks = (add, jump) if energetics else (None, None)
        carried = self.integrate(derivative, x, (begin, end), accuracy, *hooks)
        return carried, total
