"""Ensembles of finitely many states under a periodic protocol, followed period by period."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from trajsim.exact.ensemble import Array, Course, Gains, Window
from trajsim.plan import Plan


class FiniteStates(ABC):
    """What follows from carrying P through a part of the period.

    Attributes
    ----------
    states, width : numbers of states and of gains
    period : of the drive
    """

    states: int
    width: int
    period: float

    @abstractmethod
    def carry(self, p: Array, segment: int = 0, segments: int = 1) -> tuple[Array, Array]:
        """Carry P (..., states) through one of the equal segments of the period.

        Returns P at its end and the gains (..., g) that `gains_of` splits.
        """

    @abstractmethod
    def gains_of(self, totals: Any) -> Gains:
        """Split gains (..., g) into heat, work, exclusive work and flips."""

    @property
    def propagator(self) -> Array:
        """One-period propagator (states, states): column x is P after a period begun in x."""
        return self.carry(np.eye(self.states))[0].T

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
        totals, occupation = np.zeros(self.width), np.zeros((segments, self.states))
        for period in range(plan.burn_in + plan.periods):
            begin, gains, seen = p, np.zeros(self.width), []
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
        return Window(self.gains_of(totals / self.period), {"occupation": occupation})
