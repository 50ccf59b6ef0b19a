"""The ensemble without sampling, for comparison: no kernel, no ledger, no random number.

`ensemble`, `counting_of` and `start_state` choose by the type of network: the master equation for
spins, the Gaussian solution for linear oscillators. They import what they choose: a run that starts
with all spins up does without, and scipy takes longer to import than such a run may take to start.
"""

from typing import Any

from trajsim.callables import make_callable
from trajsim.exact.ensemble import Course, Currents, Gains, NoExactSideError, Window
from trajsim.exact.tilt import Weights
from trajsim.models.oscillators import OscillatorNetwork

__all__ = [
    "Course",
    "Currents",
    "Gains",
    "NoExactSideError",
    "Weights",
    "Window",
    "counting_of",
    "ensemble",
    "start_state",
]

make_callable(__name__)


def ensemble(network: Any, tolerance: float = 1e-9) -> Any:
    """Exact ensemble of a network, with `currents`, `periodic_state`, `course` and `window`.

    Raises
    ------
    NoExactSideError
        If there is none, or it is out of reach.
    """
    if isinstance(network, OscillatorNetwork):
        if not network.linear:
            raise NoExactSideError("oscillators with quartic forces have no exact side")
        from trajsim.exact import gaussian

        return gaussian.LinearEnsemble(network)
    from trajsim.exact import master

    return master.MasterEquation(network, tolerance)


def counting_of(network: Any, tolerance: float = 1e-10) -> Any:
    """Exact fluctuations of a network: `Counting` of spins, `LinearCounting` of oscillators.

    Raises
    ------
    NoExactSideError
        If there are none, or they are out of reach.
    """
    if isinstance(network, OscillatorNetwork):
        if not network.linear:
            raise NoExactSideError("oscillators with quartic forces have no exact side")
        from trajsim.exact.oscillator_counting import LinearCounting

        return LinearCounting(network)
    from trajsim.exact.counting import Counting

    return Counting(network, tolerance)


def start_state(network: Any, initial: str) -> Any:
    """State from which trajectories with this `initial` are drawn: P or a Gaussian.

    Raises
    ------
    NoExactSideError
        If it does not exist or is out of reach.
    """
    if isinstance(network, OscillatorNetwork):
        from trajsim.exact import gaussian

        return gaussian.start_state(network, initial)
    from trajsim.exact import master

    return master.start_state(network, initial)
