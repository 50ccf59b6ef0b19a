"""The exact side of oscillators: the Gaussian solution of the linear ones."""

from typing import TYPE_CHECKING

from trajsim.ensemble.answers import NoExactSideError
from trajsim.ensemble.gaussian import LinearEnsemble, start_state
from trajsim.models.oscillators import OscillatorNetwork

if TYPE_CHECKING:
    from trajsim.ensemble.oscillator_counting import LinearCounting

__all__ = ["counting_of", "ensemble", "start_state"]


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


def _expect_linear(network: OscillatorNetwork) -> None:
    if not network.linear:
        raise NoExactSideError("oscillators with quartic forces have no exact side")
