"""Many states: probabilities are carried without a dense matrix, by sums of positive terms.

Commutator-free fourth-order Magnus steps with two exponentials (Blanes & Moan, Appl. Numer.
Math. 56, 1519, 2006), each by uniformisation (Jensen 1953; Grassmann 1977),
exp(W t) p = sum_k Poisson(k; L t) (1 + W / L)^k p: stable for any rates, and accurate in every
digit however rarely a state is reached, for nothing is subtracted.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from trajsim.compiled.jit import compiled
from trajsim.ensemble.answers import Array
from trajsim.ensemble.jumps.channels import JumpProcess

NODES = 0.5 + np.array([-1.0, 1.0]) * math.sqrt(3.0) / 6.0
NEAR, FAR = 0.5 + math.sqrt(3.0) / 3.0, 0.5 - math.sqrt(3.0) / 3.0
# Most expected events of one sum; terms with less weight than the least are left out.
MOST_EVENTS, LEAST_WEIGHT = 64.0, 1e-17
# From so many entries of a matrix on, two threads are faster than one.
THREADED = 1 << 18
# Seconds that a term of a sum takes, and each number of the matrix times a column, as measured.
SECONDS_A_TERM, SECONDS_AN_ENTRY = 1e-5, 1e-9


@compiled
def _fill(kinds, rates, diagonal, data):
    """Fill the sparse matrix: the rate of its class off the diagonal, `diagonal` on it."""
    row = 0
    for entry in range(len(data)):
        if kinds[entry] >= 0:
            data[entry] = rates[kinds[entry]]
        else:
            data[entry] = diagonal[row]
            row += 1


@compiled
def _leaving(source, kind, rates, leave):
    """Rate (states,) at which each state is left."""
    leave[:] = 0.0
    for channel in range(len(source)):
        leave[source[channel]] += rates[kind[channel]]


@compiled
def _term(pointers, indices, data, x, out, total, dwell, weight, tail, first, last):
    """out = A x, total += weight * out and dwell += tail * out, in rows first to last."""
    columns = x.shape[1]
    for row in range(first, last):
        begin, end = pointers[row], pointers[row + 1]
        if columns == 1:
            value = 0.0
            for entry in range(begin, end):
                value += data[entry] * x[indices[entry], 0]
            out[row, 0] = value
            total[row, 0] += weight * value
            dwell[row, 0] += tail * value
        else:
            out[row] = 0.0
            for entry in range(begin, end):
                value_of_entry, column_index = data[entry], indices[entry]
                for column in range(columns):
                    out[row, column] += value_of_entry * x[column_index, column]
            for column in range(columns):
                total[row, column] += weight * out[row, column]
                dwell[row, column] += tail * out[row, column]


class Poisson(NamedTuple):
    """Probabilities (terms,) of each number of events, and (terms,) of more events."""

    weights: list[float]
    tails: list[float]

    @classmethod
    def of(cls, events: float, smallest: float) -> "Poisson":
        """Distribution with mean `events`, up to the first weight below `least`."""
        weight, tail = math.exp(-events), -math.expm1(-events)
        weights, tails = [weight], [tail]
        while len(weights) <= events or weight > smallest:
            weight *= events / len(weights)
            tail = max(0.0, tail - weight)
            weights.append(weight)
            tails.append(tail)
        return cls(weights, tails)


def count_terms(events: float, steps: int) -> float:
    """Estimated number of terms in the sums of `steps` steps with `events` expected events."""
    each = events / (2 * steps)
    return 2 * steps * (each + 6.0 * math.sqrt(each) + 8.0)


class Steps(ABC):
    """Magnus steps of a jump process, made of exponentials.

    Attributes
    ----------
    process : JumpProcess
    """

    process: JumpProcess

    @abstractmethod
    def seconds(self, steps: int, columns: int) -> float:
        """Estimated seconds for a period."""

    @abstractmethod
    def exponential(self, rates: Array, time: float, x: Array, least: float) -> tuple[Array, Array]:
        """exp(W time) x, and the integral of exp(W t) x, for rates (k,) of the classes.

        Parameters
        ----------
        rates : (k,) of the classes
        time : a time
        x : (states, m)
        least : weight of the terms that are left out
        """

    def _edges(self, begin: float, end: float, steps: int) -> Iterator[tuple[float, float]]:
        """Beginnings and widths of at least `steps` steps a period between two phases."""
        for first, last in self.process.pieces(begin, end):
            count = max(1, math.ceil(steps * (last - first) - 1e-9))
            for k in range(count):
                yield first + k * (last - first) / count, (last - first) / count

    def carry(
        self,
        x: Array,
        begin: float,
        end: float,
        steps: int,
        energetics: bool = True,
        least: float = LEAST_WEIGHT,
    ) -> tuple[Array, Array]:
        """Columns (states, m) at the end of a part of the period, and their energetics (width, m).

        Parameters
        ----------
        x : (states, m)
        begin, end : phases
        steps : a period
        energetics : whether to compute the energetics, else they are empty
        least : weight of the terms that are left out
        """
        process, x = self.process, np.ascontiguousarray(x)
        total = np.zeros((process.width if energetics else 0, x.shape[1]))
        for first, width in self._edges(begin, end, steps):
            if energetics:
                total += process.jump_energetics(first, x)
            u = first + width * NODES
            instants = process.at(u)
            rates = instants.rates
            dwell = []
            for near, far in ((0, 1), (1, 0)):
                mean_rates = NEAR * rates[near] + FAR * rates[far]
                x, integral = self.exponential(mean_rates, 0.5 * width * process.period, x, least)
                dwell.append(integral)
            if energetics:
                times = np.stack(
                    [NEAR * dwell[0] + FAR * dwell[1], NEAR * dwell[1] + FAR * dwell[0]]
                )
                total += process.energetics(instants, times)
        if energetics and end == 1.0:
            total += process.jump_energetics(1.0, x)
        return x, total


class Stepper(Steps):
    """Carry columns (states, m) of a jump process.

    Parameters
    ----------
    process : JumpProcess
    """

    def __init__(self, process: JumpProcess) -> None:
        self.process = process
        states = process.states
        rows = np.concatenate([process.target, np.arange(states)])
        columns = np.concatenate([process.source, np.arange(states)])
        order = np.lexsort((columns, rows))
        self._indices = columns[order].astype(np.uint32)
        self._pointers = np.searchsorted(rows[order], np.arange(states + 1)).astype(np.uint64)
        self._kinds = np.append(process.kind, np.full(states, -1)).astype(np.int32)[order]
        self.entries = len(order)

    def seconds(self, steps: int, columns: int) -> float:
        """Estimated seconds for a period."""
        terms = count_terms(self.process.fastest_exit * self.process.period, steps)
        return terms * (SECONDS_A_TERM + SECONDS_AN_ENTRY * self.entries * columns)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1)

    def _multiply(self, data: Array, *arrays: Any) -> None:
        """A term of the sum, in two threads where that is faster."""
        states = self.process.states
        matrix: tuple[Any, ...] = (self._pointers, self._indices, data)
        if self.entries < THREADED:
            _term(*matrix, *arrays, 0, states)
            return
        middle = int(np.searchsorted(self._pointers, self.entries // 2))
        second_half = self._pool.submit(partial(_term, *matrix, *arrays, middle, states))
        _term(*matrix, *arrays, 0, middle)
        second_half.result()

    # -- steps ---------------------------------------------------------------------------------

    def exponential(self, rates: Array, time: float, x: Array, least: float) -> tuple[Array, Array]:
        """exp(W time) x, and the integral of exp(W t) x, for rates (k,) of the classes."""
        process = self.process
        leave = np.empty(process.states)
        _leaving(process.source, process.kind, abs(rates), leave)
        fastest = float(leave.max(initial=0.0))
        if fastest * time < 1e-300:
            return x, time * x
        if rates.min() < 0.0:
            _leaving(process.source, process.kind, rates, leave)
        data = np.empty(self.entries)
        _fill(self._kinds, rates / fastest, 1.0 - leave / fastest, data)
        parts = math.ceil(fastest * time / MOST_EVENTS)
        poisson = Poisson.of(fastest * time / parts, least)
        integral = np.zeros_like(x)
        product, spare = np.empty_like(x), np.empty_like(x)
        for _ in range(parts):
            total = poisson.weights[0] * x
            integral += poisson.tails[0] / fastest * x
            term = x
            for weight, tail in zip(poisson.weights[1:], poisson.tails[1:], strict=True):
                self._multiply(data, term, product, total, integral, weight, tail / fastest)
                term, product = product, spare if term is x else term
            x, product, spare = total, np.empty_like(x), np.empty_like(x)
        return x, integral
