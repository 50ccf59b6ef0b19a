"""The exact ensemble of spins: that of their flips, listed as jumps."""

from typing import TYPE_CHECKING

from trajsim.ensemble.answers import Array
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.ensemble.jumps.spins import free_energy_change, jump_process, start_state
from trajsim.ensemble.variation import Variation, Varied, Weighted
from trajsim.models.spins import SpinNetwork
from trajsim.plan import Plan

if TYPE_CHECKING:
    from trajsim.ensemble.jumps.recorded import SpinStates

__all__ = ["ensemble", "free_energy_change", "recorded_states", "start_state", "variation"]


def ensemble(network: SpinNetwork, tolerance: float = 1e-9) -> JumpEnsemble:
    """Exact ensemble of a network."""
    return JumpEnsemble(jump_process(network), tolerance)


def recorded_states(network: SpinNetwork, initial: str, plan: Plan) -> "SpinStates":
    """Probabilities of the states that a ledger records."""
    from trajsim.ensemble.jumps.recorded import SpinStates

    return SpinStates(ensemble(network), start_state(network, initial), plan)


def variation(
    network: SpinNetwork,
    varied: list[Varied],
    initial: str,
    weighted: Weighted,
    breaks: Array,
    finer: int,
) -> Variation:
    """As `trajsim.ensemble.variation_of`."""
    from trajsim.ensemble.jumps.variation import variation

    processes = [Varied(jump_process(v.more), jump_process(v.less), v.size) for v in varied]
    start = None if initial == "periodic" else start_state(network, initial)
    return variation(jump_process(network), processes, start, weighted, breaks, finer)
