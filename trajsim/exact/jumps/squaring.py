"""Few states and any rates: the steps of `uniformization` with matrices, by repeated squaring.

The exponential of W t is that of a time so short that less than one event is expected, squared as
often as it takes. All entries stay positive sums, so that each is right in every digit even where
rates differ by twenty orders of magnitude.
"""

import math

import numpy as np

from trajsim.exact.ensemble import Array
from trajsim.exact.jumps.channels import JumpProcess
from trajsim.exact.jumps.uniformization import Poisson, Steps

SECONDS_A_PRODUCT, SECONDS_A_MULTIPLICATION = 2e-6, 1e-10
TERMS = 20


class SquaringStepper(Steps):
    """Carry columns (states, m) of a jump process; as `uniformization.Stepper`."""

    def __init__(self, process: JumpProcess) -> None:
        self.process = process

    def seconds(self, steps: int, columns: int) -> float:
        """What a period takes, roughly."""
        events = self.process.fastest_exit * self.process.period / (2 * steps)
        products = 2 * steps * (TERMS + 2 * max(0.0, math.log2(max(events, 1.0))))
        size = self.process.states
        return products * (SECONDS_A_PRODUCT + SECONDS_A_MULTIPLICATION * size**3)

    def exponential(self, rates: Array, time: float, x: Array, least: float) -> tuple[Array, Array]:
        """exp(W time) x, and the integral of exp(W t) x, for rates (k,) of the classes."""
        process = self.process
        generator = process.generators(rates[None])[0]
        fastest = float((process.exits.T @ abs(rates)).max(initial=0.0))
        if fastest * time < 1e-300:
            return x, time * x
        squarings = max(0, math.ceil(math.log2(fastest * time)))
        reached = time / 2.0**squarings
        poisson = Poisson.of(fastest * reached, least)
        unit = np.eye(process.states)
        jump = unit + generator / fastest
        term = unit
        propagator, integral = poisson.weights[0] * unit, poisson.tails[0] / fastest * unit
        for weight, tail in zip(poisson.weights[1:], poisson.tails[1:], strict=True):
            term = jump @ term
            propagator += weight * term
            integral += tail / fastest * term
        for _ in range(squarings):
            integral += propagator @ integral
            propagator = propagator @ propagator
            reached *= 2.0
            # Every squaring doubles the error of what is conserved: put it right each time.
            propagator /= propagator.sum(axis=0)
            integral *= reached / integral.sum(axis=0)
        return propagator @ x, integral @ x
