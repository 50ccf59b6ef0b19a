"""Kernels: compiled loops that advance trajectories and write rows of the ledger.

Every kernel is a module with the same interface: `prepare`, `start`, `begin`, `advance`, `fault`,
`Rows`.
"""

from typing import Any

from trajsim.extending.kinds import kind_of


def kernel_of(network: Any) -> Any:
    """Kernel that advances this kind of network.

    Raises
    ------
    ValueError
        If the plugin of this kind of network is missing.
    """
    return kind_of(network).part("kernel")
