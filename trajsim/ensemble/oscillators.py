"""The exact side of oscillators: the Gaussian solution of the linear ones.

Where only forces are driven, by cosines, by linear response; else by the equations of motion of
mean and covariance.
"""

from typing import TYPE_CHECKING

import numpy as np

from trajsim.ensemble import gaussian
from trajsim.ensemble.answers import Array, NoExactSideError
from trajsim.ensemble.gaussian import Gaussian, LinearEnsemble, expect_bound, expect_equilibrium
from trajsim.ensemble.variation import Variation, Varied, Weighted
from trajsim.models.oscillators import OscillatorNetwork
from trajsim.plan import Plan

if TYPE_CHECKING:
    from trajsim.ensemble.driven_oscillators import DrivenEnsemble
    from trajsim.ensemble.gaussian_counting import GaussianCounting
    from trajsim.ensemble.oscillator_states import OscillatorStates

# Relative accuracy of states.
TOLERANCE = 1e-9

__all__ = [
    "counting_of",
    "ensemble",
    "free_energy_change",
    "recorded_states",
    "start_state",
    "variation",
]


def ensemble(network: OscillatorNetwork, tolerance: float) -> "LinearEnsemble | DrivenEnsemble":
    """Exact ensemble of a network.

    Raises
    ------
    NoExactSideError
        If its forces are not linear.
    """
    _expect_linear(network)
    return _of_linear_part(network, tolerance)


def counting_of(network: OscillatorNetwork, tolerance: float) -> "GaussianCounting":
    """Exact fluctuations of a network.

    Raises
    ------
    NoExactSideError
        If its forces are not linear.
    """
    _expect_linear(network)
    if _responds(network):
        from trajsim.ensemble.oscillator_counting import LinearCounting

        return LinearCounting(network)
    from trajsim.ensemble.driven_counting import DrivenCounting

    return DrivenCounting(network, tolerance)


def start_state(network: OscillatorNetwork, initial: str) -> Gaussian:
    """Distribution from which trajectories with this `initial` are drawn: of the linear part.

    Raises
    ------
    NoExactSideError
        If it does not exist.
    ValueError
        If there is no start of this name.
    """
    if initial != "periodic":
        return gaussian.start_state(network, initial)
    return _of_linear_part(network).periodic_state


def free_energy_change(network: OscillatorNetwork) -> float:
    """Free energy at the end of a period less that at time 0.

    F = (T / 2) ln det K - f K^-1 f / 2 + sum_i k_i c_i^2 / 2, f with the pull k c.

    Raises
    ------
    NoExactSideError
        If forces are not linear, the stiffness leaves some motion free, baths differ in
        temperature, or a temperature is driven.
    """
    _expect_linear(network)
    if network.heated:
        raise NoExactSideError("free energies are those of one temperature, and one is driven")
    temperature = expect_equilibrium(network)
    stiffness, force, constant = gaussian.potentials(network)
    expect_bound(stiffness[1])
    moved = np.linalg.solve(stiffness, force[..., None])[..., 0]
    free = 0.5 * temperature * np.linalg.slogdet(stiffness)[1] + constant
    return float(np.diff(free - 0.5 * (force * moved).sum(axis=1))[0])


def recorded_states(network: OscillatorNetwork, initial: str, plan: Plan) -> "OscillatorStates":
    """Gaussians of the states that a ledger records.

    Raises
    ------
    NoExactSideError
        If forces are not linear, or there is no such start.
    """
    _expect_linear(network)
    from trajsim.ensemble.oscillator_states import OscillatorStates

    solved = _of_linear_part(network)
    return OscillatorStates(solved, start_state(network, initial), plan)


def variation(
    network: OscillatorNetwork,
    varied: list[Varied],
    initial: str,
    weighted: Weighted,
    breaks: Array,
    finer: int,
) -> Variation:
    """As `trajsim.ensemble.variation_of`.

    Raises
    ------
    NoExactSideError
        If forces are not linear, or there is no such start.
    """
    _expect_linear(network)
    from trajsim.ensemble.oscillator_process import OscillatorProcess
    from trajsim.ensemble.oscillator_variation import variation

    processes = [
        Varied(OscillatorProcess(v.more), OscillatorProcess(v.less), v.size) for v in varied
    ]
    start = None if initial == "periodic" else start_state(network, initial)
    return variation(OscillatorProcess(network), processes, start, weighted, breaks, finer)


def _of_linear_part(
    network: OscillatorNetwork, tolerance: float = TOLERANCE
) -> "LinearEnsemble | DrivenEnsemble":
    if _responds(network):
        return LinearEnsemble(network)
    from trajsim.ensemble.driven_oscillators import DrivenEnsemble

    return DrivenEnsemble(network, tolerance)


def _responds(network: OscillatorNetwork) -> bool:
    """Whether linear response to cosines is all there is, of motion with one bath a site."""
    usual = not network.overdamped and len(network.site) == len(network.mass)
    return usual and network.only_forces and not len(network.drive.start)


def _expect_linear(network: OscillatorNetwork) -> None:
    if not network.linear:
        raise NoExactSideError(
            "oscillators with quartic forces or cosine potentials have no exact side"
        )
