"""The ensemble without sampling, for comparison: no kernel, no ledger, no random number.

`ensemble`, `counting_of` and `start_state` choose by the kind of network: the master equation for
spins, the Gaussian solution for linear oscillators, or the exact side of a model from a plugin.
They import it only when called: a run that starts with all spins up needs none, and scipy takes
longer to import than such a run may take to start.
"""

import math
from functools import partial
from typing import Any

from trajsim.ensemble.answers import (
    Array,
    Currents,
    Energetics,
    NoExactSideError,
    TimeSeries,
    Window,
    of_kind,
)
from trajsim.ensemble.protocols import Counting, Ensemble
from trajsim.ensemble.recorded import RecordedStates
from trajsim.ensemble.variation import Variation, Varied, Weighted
from trajsim.ensemble.weights import Weights
from trajsim.extending.kinds import kind_of
from trajsim.plan import Plan

__all__ = [
    "Currents",
    "Energetics",
    "NoExactSideError",
    "TimeSeries",
    "Weights",
    "Window",
    "counting_of",
    "ensemble",
    "free_energy_change",
    "of_kind",
    "recorded_states",
    "start_state",
    "steady_state",
    "variation_of",
]


def ensemble(network: Any, tolerance: float = 1e-9) -> Ensemble:
    """Exact ensemble of a network.

    Raises
    ------
    NoExactSideError
        If there is none, or it is out of reach.
    """
    solution: Ensemble = _side(network).ensemble(network, tolerance)
    return solution


def counting_of(network: Any, tolerance: float = 1e-10, patience: float = math.inf) -> Counting:
    """Exact fluctuations of a network.

    Parameters
    ----------
    network : of a model
    tolerance : relative accuracy of what a period does
    patience : seconds that second moments may take

    Raises
    ------
    NoExactSideError
        If there are none, or they are out of reach.
    """
    module = _side(network)
    # All models that jump share one implementation; the others bring their own.
    if hasattr(module, "counting_of"):
        counting: Counting = module.counting_of(network, tolerance)
        return counting
    solution = module.ensemble(network, tolerance)
    if not hasattr(solution, "process"):
        raise NoExactSideError("the exact side of this model knows no fluctuations")
    from trajsim.ensemble.jumps.counting import JumpCounting

    start = partial(module.start_state, network)
    return JumpCounting(solution.process, tolerance, start, patience)


def start_state(network: Any, initial: str) -> Any:
    """State from which trajectories with this `initial` are drawn: P or a Gaussian.

    Raises
    ------
    NoExactSideError
        If it does not exist or is out of reach.
    """
    return _side(network).start_state(network, initial)


def steady_state(network: Any, solved: Any = None) -> Any:
    """Currents and cycles of an undriven jump network (`trajsim.ensemble.jumps.steady.Steady`).

    None of other models, and where something changes in time.

    Parameters
    ----------
    network : of a model
    solved : its ensemble, if there is one already

    Raises
    ------
    NoExactSideError
        If the steady state is out of reach.
    """
    module = _side(network)
    if not hasattr(module, "steady") or network.moving:
        return None
    return module.steady(network, (solved or module.ensemble(network, 1e-9)).periodic_state)


def free_energy_change(network: Any) -> float:
    """Free energy in equilibrium at the end of a period less that at time 0.

    Raises
    ------
    NoExactSideError
        If it is not known, or temperatures differ.
    """
    module = _side(network)
    if not hasattr(module, "free_energy_change"):
        raise NoExactSideError("the exact side of this model knows no free energies")
    return float(module.free_energy_change(network))


def variation_of(
    network: Any,
    varied: list[Varied],
    initial: str,
    weighted: Weighted,
    breaks: Array,
    finer: int = 1,
) -> Variation:
    """Mean of heats and work over a period, and its derivatives by parameters at phases.

    Parameters
    ----------
    network : of a model
    varied : networks, of each parameter
    initial : where trajectories begin; "periodic": a period of the periodic state
    weighted : weights of heats and work
    breaks : phases (j,) beside which derivatives may jump
    finer : how many times as many steps as at first

    Raises
    ------
    NoExactSideError
        If it is not known, or out of reach.
    """
    module = _side(network)
    if not hasattr(module, "variation"):
        raise NoExactSideError("the exact side of this model knows no gradients")
    found: Variation = module.variation(network, varied, initial, weighted, breaks, finer)
    return found


def recorded_states(network: Any, initial: str, plan: Plan) -> RecordedStates:
    """Distributions of the states that a ledger records.

    Parameters
    ----------
    network : of a model
    initial : where trajectories begin
    plan : of the rows

    Raises
    ------
    NoExactSideError
        If there are none, or they are out of reach.
    """
    module = _side(network)
    if not hasattr(module, "recorded_states"):
        raise NoExactSideError("the exact side of this model knows no probabilities of its states")
    states: RecordedStates = module.recorded_states(network, initial, plan)
    return states


def _side(network: Any) -> Any:
    """Module with the exact ensemble of this kind of network."""
    try:
        module = kind_of(network).part("exact")
    except ValueError as error:
        raise NoExactSideError(str(error)) from None
    if module is None:
        raise NoExactSideError("this model has no exact side")
    return module
