"""Few states and any rates: the steps of `uniformization` with matrices, by repeated squaring.

The exponential of W t is computed for a time so short that less than one event is expected, and
then squared repeatedly. All entries are sums of positive terms, so that each is accurate in every
digit even where rates differ by twenty orders of magnitude. Many steps are computed at once.
"""

import math
from typing import Any

import numpy as np

from trajsim.ensemble.answers import Array
from trajsim.ensemble.jumps.channels import JumpProcess
from trajsim.ensemble.jumps.uniformization import FAR, LEAST_WEIGHT, NEAR, NODES, Poisson, Steps

# Seconds that a product of two matrices takes, and a multiplication within one, as measured.
SECONDS_A_PRODUCT, SECONDS_A_MULTIPLICATION = 4e-7, 1e-10
TERMS = 20
# Numbers in the matrices that are worked out at once.
BATCH = 1 << 20


class SquaringStepper(Steps):
    """Carry columns (states, m) of a jump process; see `uniformization.Stepper`."""

    def __init__(self, process: JumpProcess) -> None:
        self.process = process

    def seconds(self, steps: int, columns: int) -> float:
        """Estimated seconds for a period."""
        events = self.process.fastest_exit * self.process.period / (2 * steps)
        products = 2 * steps * (TERMS + 2 * max(0.0, math.log2(max(events, 1.0))))
        size = self.process.states
        return products * (SECONDS_A_PRODUCT + SECONDS_A_MULTIPLICATION * size**3)

    def carry(
        self,
        x: Array,
        begin: float,
        end: float,
        steps: int,
        energetics: bool = True,
        least: float = LEAST_WEIGHT,
    ) -> tuple[Array, Array]:
        """See `uniformization.Steps`."""
        process = self.process
        total = np.zeros((process.width if energetics else 0, x.shape[1]))
        edges = np.array(list(self._edges(begin, end, steps)))
        batch = max(1, BATCH // process.states**2)
        for part in np.split(edges, range(batch, len(edges), batch)):
            first, width = part.T
            phases = first[:, None] + width[:, None] * NODES
            instants = process.at(phases.ravel())
            rates = instants.rates.reshape(len(part), 2, -1)
            mixed = [NEAR * rates[:, k] + FAR * rates[:, 1 - k] for k in (0, 1)]
            times = 0.5 * width * process.period
            one, two = (_exponentials(process, of_class, times) for of_class in mixed)
            dwell = []
            for k in range(len(part)):
                if energetics:
                    total += process.jump_energetics(first[k], x)
                early, x = one[1][k] @ x, one[0][k] @ x
                late, x = two[1][k] @ x, two[0][k] @ x
                if energetics:
                    dwell += [NEAR * early + FAR * late, NEAR * late + FAR * early]
            if energetics:
                total += process.energetics(instants, np.array(dwell))
        if energetics and end == 1.0:
            total += process.jump_energetics(1.0, x)
        return x, total

    def exponential(self, rates: Array, time: float, x: Array, least: float) -> tuple[Array, Array]:
        """exp(W time) x, and the integral of exp(W t) x, for rates (k,) of the classes."""
        propagator, integral = _exponentials(self.process, rates[None], np.array([time]))
        return propagator[0] @ x, integral[0] @ x


def _exponentials(process: JumpProcess, rates: Array, times: Array) -> tuple[Any, Any]:
    """exp(W t) and its integral (s, states, states), for rates (s, k) and times (s,)."""
    generators = process.generators(rates)
    fastest = np.maximum((process.exits.T @ abs(rates).T).max(axis=0), 1e-300)
    squarings = max(0, math.ceil(math.log2(max(float((fastest * times).max()), 1e-300))))
    duration = (times / 2.0**squarings)[:, None, None]
    unit = np.eye(process.states)
    # A sum for the fastest of all suits the others, too.
    rate = float((fastest * times).max()) / times[:, None, None]
    poisson = Poisson.of(float((fastest * times).max()) / 2.0**squarings, LEAST_WEIGHT)
    jump = unit + generators / rate
    term = np.broadcast_to(unit, jump.shape)
    propagator = poisson.weights[0] * term
    integral = poisson.tails[0] / rate * term
    for weight, tail in zip(poisson.weights[1:], poisson.tails[1:], strict=True):
        term = jump @ term
        propagator = propagator + weight * term
        integral = integral + tail / rate * term
    for _ in range(squarings):
        integral = integral + propagator @ integral
        propagator = propagator @ propagator
        duration = 2.0 * duration
        # Every squaring doubles the error of the norm: restore it each time.
        propagator = propagator / propagator.sum(axis=1, keepdims=True)
        integral = integral * (duration / integral.sum(axis=1, keepdims=True))
    return propagator, integral
