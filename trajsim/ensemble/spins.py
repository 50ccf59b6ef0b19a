"""The exact ensemble of spins: that of their flips, listed as jumps."""

from functools import partial
from typing import TYPE_CHECKING

from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.ensemble.jumps.spins import jump_process, start_state
from trajsim.models.spins import SpinNetwork

if TYPE_CHECKING:
    from trajsim.ensemble.jumps.counting import JumpCounting

__all__ = ["counting_of", "ensemble", "start_state"]


def ensemble(network: SpinNetwork, tolerance: float = 1e-9) -> JumpEnsemble:
    """Exact ensemble of a network."""
    return JumpEnsemble(jump_process(network), tolerance)


def counting_of(network: SpinNetwork, tolerance: float = 1e-10) -> "JumpCounting":
    """Exact fluctuations of a network."""
    from trajsim.ensemble.jumps.counting import JumpCounting

    return JumpCounting(jump_process(network), tolerance, partial(start_state, network))
