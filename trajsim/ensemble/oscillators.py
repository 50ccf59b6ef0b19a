"""The exact side of oscillators: the Gaussian solution of the linear ones."""

from typing import TYPE_CHECKING

from trajsim.ensemble.answers import NoExactSideError
from trajsim.ensemble.gaussian import LinearEnsemble, start_state
from trajsim.models.oscillators import OscillatorNetwork
from trajsim.plan import Plan

if TYPE_CHECKING:
    from trajsim.ensemble.oscillator_counting import LinearCounting
    from trajsim.ensemble.oscillator_states import OscillatorStates

__all__ = ["counting_of", "ensemble", "recorded_states", "start_state"]


def ensemble(network: OscillatorNetwork, tolerance: float) -> LinearEnsemble:
    """Exact ensemble of a network.

    Raises
    ------
    NoExactSideError
        If its forces are not linear.
    """
    _expect_linear(network)
    return LinearEnsemble(network)


def counting_of(network: OscillatorNetwork, tolerance: float) -> "LinearCounting":
    """Exact fluctuations of a network.

    Raises
    ------
    NoExactSideError
        If its forces are not linear.
    """
    _expect_linear(network)
    from trajsim.ensemble.oscillator_counting import LinearCounting

    return LinearCounting(network)


def recorded_states(network: OscillatorNetwork, initial: str, plan: Plan) -> "OscillatorStates":
    """Gaussians of the states that a ledger records.

    Raises
    ------
    NoExactSideError
        If forces are not linear, or there is no such start.
    """
    _expect_linear(network)
    from trajsim.ensemble.oscillator_states import OscillatorStates

    return OscillatorStates(LinearEnsemble(network), start_state(network, initial), plan)


def _expect_linear(network: OscillatorNetwork) -> None:
    if not network.linear:
        raise NoExactSideError("oscillators with quartic forces have no exact side")
