"""The exact ensemble of a spin network: periodic state, currents, transients."""

import numpy as np

from trajsim.exact.ensemble import Array, Course, Currents, Gains, NoExactSideError, Window
from trajsim.exact.large import LargeSolver
from trajsim.exact.problem import Problem
from trajsim.exact.small import SmallSolver
from trajsim.jit import compiled
from trajsim.models.drive import value
from trajsim.models.spins import SpinNetwork, energy, spins_of
from trajsim.plan import Plan

MOST_SITES = 12
DENSE_SITES = 5


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
        self.problem = Problem(network)
        self.dense = sites <= DENSE_SITES
        solver = SmallSolver if self.dense else LargeSolver
        self._solver: SmallSolver | LargeSolver = solver(self.problem, tolerance)

    def carry(self, p: Array, segment: int = 0, segments: int = 1) -> tuple[Array, Array]:
        """Carry P (..., 2**n) through one of the equal segments of the period.

        Returns P at its end and the gains (..., g) that `gains_of` splits.
        """
        return self._solver.carry(p, segment, segments)

    def gains_of(self, totals: Array) -> Gains:
        """Split gains (..., g) into heat, work, exclusive work and flips."""
        return self.problem.gains_of(totals)

    @property
    def propagator(self) -> Array:
        """One-period propagator (2**n, 2**n): column x is P after a period that began in x."""
        return self.carry(np.eye(self.problem.states))[0].T

    @property
    def steps(self) -> int:
        """Steps a period that the tolerance asks for."""
        return self._solver.solution.steps

    @property
    def periodic_state(self) -> Array:
        """P (2**n,) at the beginning of the period that returns to itself after one.

        Raises
        ------
        NoExactSideError
            If it is not unique, or is not found to rounding.
        """
        return self._solver.solution.state

    @property
    def currents(self) -> Currents:
        """Period-averaged rates of heat, work, exclusive work and flips in the periodic state."""
        _, rates, error, _, _ = self._solver.solution
        floor = 1e-15 * self.problem.throughput(rates)
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
        totals, occupation = np.zeros(self.problem.width), np.zeros((segments, self.problem.states))
        for period in range(plan.burn_in + plan.periods):
            begin, gains, seen = p, np.zeros(self.problem.width), []
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
