"""The exact ensemble of a spin network: periodic state, currents, transients."""

import numpy as np

from trajsim.exact.ensemble import Array, Currents, Gains, NoExactSideError
from trajsim.exact.finite import FiniteStates
from trajsim.exact.large import LargeSolver
from trajsim.exact.problem import Problem
from trajsim.exact.small import SmallSolver
from trajsim.jit import compiled
from trajsim.models.drive import value
from trajsim.models.spins import SpinNetwork, energy, spins_of

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


class MasterEquation(FiniteStates):
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
        self.states, self.width = self.problem.states, self.problem.width
        self.period = network.period
        self.dense = sites <= DENSE_SITES
        solver = SmallSolver if self.dense else LargeSolver
        self._solver: SmallSolver | LargeSolver = solver(self.problem, tolerance)

    def carry(self, p: Array, segment: int = 0, segments: int = 1) -> tuple[Array, Array]:
        """As of `FiniteStates`, in as many steps as the tolerance asks for."""
        return self._solver.carry(p, segment, segments)

    def gains_of(self, totals: Array) -> Gains:
        """Split gains (..., g) into heat, work, exclusive work and flips."""
        return self.problem.gains_of(totals)

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
