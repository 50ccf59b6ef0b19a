"""The ensemble without sampling, for comparison: no kernel, no ledger, no random number.

`ensemble`, `counting_of` and `start_state` choose by the kind of network: the master equation for
spins, the Gaussian solution for linear oscillators, or that of a model from outside. They import
what they choose: a run that starts with all spins up does without, and scipy takes longer to import
than such a run may take to start.
"""

import math
from functools import partial
from typing import Any

from trajsim.ensemble.answers import Currents, Energetics, NoExactSideError, TimeSeries, Window
from trajsim.ensemble.faces import Counting, Ensemble
from trajsim.ensemble.recorded import RecordedStates
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
    "recorded_states",
    "start_state",
]


def ensemble(network: Any, tolerance: float = 1e-9) -> Ensemble:
    """Exact ensemble of a network.

    Raises
    ------
    NoExactSideError
        If there is none, or it is out of reach.
    """
    solved: Ensemble = _side(network).ensemble(network, tolerance)
    return solved


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
    side = _side(network)
    # Those of jumps are the same for all models; others bring their own.
    if hasattr(side, "counting_of"):
        counting: Counting = side.counting_of(network, tolerance)
        return counting
    solved = side.ensemble(network, tolerance)
    if not hasattr(solved, "process"):
        raise NoExactSideError("the exact side of this model knows no fluctuations")
    from trajsim.ensemble.jumps.counting import JumpCounting

    start = partial(side.start_state, network)
    return JumpCounting(solved.process, tolerance, start, patience)


def start_state(network: Any, initial: str) -> Any:
    """State from which trajectories with this `initial` are drawn: P or a Gaussian.

    Raises
    ------
    NoExactSideError
        If it does not exist or is out of reach.
    """
    return _side(network).start_state(network, initial)


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
    side = _side(network)
    if not hasattr(side, "recorded_states"):
        raise NoExactSideError("the exact side of this model knows no probabilities of its states")
    states: RecordedStates = side.recorded_states(network, initial, plan)
    return states


def _side(network: Any) -> Any:
    """The exact side of the kind of a network."""
    try:
        found = kind_of(network).part("exact")
    except ValueError as error:
        raise NoExactSideError(str(error)) from None
    if found is None:
        raise NoExactSideError("this model has no exact side")
    return found
