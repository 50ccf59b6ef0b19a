"""How a trajectory advances: compiled loops that write rows of the ledger.

Every kernel is a module with the same face: `prepare`, `start`, `begin`, `advance`, `fault`,
`Rows`.
"""

from types import ModuleType
from typing import Any

from trajsim.kernels import jump, langevin
from trajsim.models.oscillators import OscillatorNetwork


def kernel_of(network: Any) -> ModuleType:
    """Kernel that advances this type of network."""
    return langevin if isinstance(network, OscillatorNetwork) else jump
