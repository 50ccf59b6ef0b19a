"""The exact side of spins: the master equation."""

from typing import TYPE_CHECKING

from trajsim.exact.master import MasterEquation, start_state
from trajsim.models.spins import SpinNetwork

if TYPE_CHECKING:
    from trajsim.exact.counting import Counting

__all__ = ["counting_of", "ensemble", "start_state"]


def ensemble(network: SpinNetwork, tolerance: float) -> MasterEquation:
    """Exact ensemble of a network."""
    return MasterEquation(network, tolerance)


def counting_of(network: SpinNetwork, tolerance: float) -> "Counting":
    """Exact fluctuations of a network."""
    from trajsim.exact.counting import Counting

    return Counting(network, tolerance)
