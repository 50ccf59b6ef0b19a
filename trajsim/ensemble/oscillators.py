"""The exact side of oscillators: the Gaussian solution of the linear ones."""

from typing import TYPE_CHECKING

import numpy as np

from trajsim.ensemble import gaussian
from trajsim.ensemble.answers import NoExactSideError
from trajsim.ensemble.gaussian import Gaussian, LinearEnsemble, expect_bound
from trajsim.models.oscillators import OscillatorNetwork
from trajsim.models.waveform import at_edges
from trajsim.plan import Plan

if TYPE_CHECKING:
    from trajsim.ensemble.oscillator_counting import LinearCounting
    from trajsim.ensemble.oscillator_states import OscillatorStates

__all__ = ["counting_of", "ensemble", "free_energy_change", "recorded_states", "start_state"]


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


def start_state(network: OscillatorNetwork, initial: str) -> Gaussian:
    """As `gaussian.start_state`, where there is an exact side."""
    if initial != "rest":
        _expect_forces(network)
    return gaussian.start_state(network, initial)


def free_energy_change(network: OscillatorNetwork) -> float:
    """Free energy at the end of a period less that at time 0: F = -f K^-1 f / 2.

    Raises
    ------
    NoExactSideError
        If forces are not linear, or the stiffness leaves some motion free.
    """
    _expect_linear(network)
    expect_bound(network)
    opening, closing = at_edges(network.drive, 1)
    moved = np.linalg.solve(network.stiffness, np.stack([opening, closing], axis=1))
    return 0.5 * float(opening @ moved[:, 0] - closing @ moved[:, 1])


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
    _expect_forces(network)


def _expect_forces(network: OscillatorNetwork) -> None:
    if not network.only_forces or network.centers.offset.any():
        raise NoExactSideError("driven stiffnesses, centres and temperatures have no exact side")
