"""The exact ensemble of a spin network: periodic state, currents, transients."""

from trajsim.exact.jumps.ensemble import JumpEnsemble
from trajsim.exact.jumps.spins import jump_process, start_state
from trajsim.models.spins import SpinNetwork

__all__ = ["MasterEquation", "start_state"]


class MasterEquation(JumpEnsemble):
    """Exact ensemble of a spin network.

    Parameters
    ----------
    network : SpinNetwork
    tolerance : relative accuracy asked of every current; `currents.error` tells what was got

    Raises
    ------
    NoExactSideError
        If the network has too many states to list.
    """

    def __init__(self, network: SpinNetwork, tolerance: float = 1e-9) -> None:
        super().__init__(jump_process(network), tolerance)
        self.network = network
