"""Many states: probabilities followed in time without a matrix, by scipy's DOP853.

A Runge-Kutta method of order 8 with steps as long as stability allows (Hairer, Norsett & Wanner,
Solving Ordinary Differential Equations I, 1993, section II.5). Absolute errors are small, but not
those of probabilities that are small themselves: `uniformization` is for these.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any

import numpy as np

from trajsim.exact.ensemble import Array, NoExactSideError
from trajsim.exact.jumps.channels import JumpProcess
from trajsim.jit import compiled

# Gauss's points of a step, at which energetics are added up, and their weights.
NODES, WEIGHTS = (a / 2.0 for a in np.polynomial.legendre.leggauss(4))
NODES = NODES + 0.5
# From so many channels on, two threads are faster than one.
THREADED = 1 << 17


@compiled
def _flow(in_first, in_source, in_kind, out_first, out_kind, rates, x, out, begin, end):
    """Rows begin to end of out = W x, columns (states, m): what comes in less what leaves."""
    columns = x.shape[1]
    for row in range(begin, end):
        leave = 0.0
        for at in range(out_first[row], out_first[row + 1]):
            leave += rates[out_kind[at]]
        for column in range(columns):
            out[row, column] = -leave * x[row, column]
        for at in range(in_first[row], in_first[row + 1]):
            rate, other = rates[in_kind[at]], in_source[at]
            for column in range(columns):
                out[row, column] += rate * x[other, column]


class Follower:
    """Carry columns (states, m) of a jump process in time.

    Parameters
    ----------
    process : JumpProcess
    """

    def __init__(self, process: JumpProcess) -> None:
        self.process = process
        states = np.arange(process.states + 1)
        into, outof = (np.argsort(a, kind="stable") for a in (process.target, process.source))
        self._tables: tuple[Any, ...] = (
            np.searchsorted(process.target[into], states).astype(np.uint64),
            process.source[into].astype(np.uint32),
            process.kind[into].astype(np.uint32),
            np.searchsorted(process.source[outof], states).astype(np.uint64),
            process.kind[outof].astype(np.uint32),
        )

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1)

    def flow(self, rates: Array, x: Array) -> Array:
        """W x for rates (k,) of the classes."""
        out, states = np.empty_like(x), self.process.states
        arguments: tuple[Any, ...] = (*self._tables, rates, x, out)
        if len(self.process.kind) < THREADED:
            _flow(*arguments, 0, states)
            return out
        middle = states // 2
        other = self._pool.submit(partial(_flow, *arguments, middle, states))
        _flow(*arguments, 0, middle)
        other.result()
        return out

    def carry(
        self, x: Array, begin: float, end: float, accuracy: float, gains: bool = True
    ) -> tuple[Array, Array]:
        """Columns at the end of a part of the period, and their energetics (width, m).

        Parameters
        ----------
        x : (states, m)
        begin, end : phases
        accuracy : relative, of each step
        gains : whether to work out the energetics, else they are empty

        Raises
        ------
        NoExactSideError
            If the integration fails.
        """
        from scipy.integrate import DOP853

        process, shape = self.process, x.shape
        total = np.zeros((process.width if gains else 0, shape[1]))
        # No entry is known to less than a part of the mean probability.
        least = accuracy / shape[0]

        def slope(u: float, flat: Array) -> Array:
            moved = self.flow(process.rates(np.array([u]))[0], flat.reshape(shape))
            return moved.ravel() * process.period

        for first, last in process.pieces(begin, end):
            solver: Any = DOP853(slope, first, x.ravel(), last, rtol=accuracy, atol=least)
            while solver.status == "running":
                trouble = solver.step()
                if solver.status == "failed":
                    raise NoExactSideError(f"the master equation was not integrated: {trouble}")
                if gains:
                    width = solver.t - solver.t_old
                    phases = solver.t_old + NODES * width
                    inside = solver.dense_output()(phases).T.reshape(-1, *shape)
                    times = (WEIGHTS * width * process.period)[:, None, None]
                    total += process.gains(phases, times * inside)
            x = solver.y.reshape(shape)
        return x, total
