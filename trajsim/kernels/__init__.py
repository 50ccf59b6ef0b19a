"""How a trajectory advances: compiled loops that write rows of the ledger.

Every kernel is a module with the same face: `prepare`, `start`, `begin`, `advance`, `fault`,
`Rows`.
"""

from typing import Any

from trajsim.extending.kinds import kind_of


def kernel_of(network: Any) -> Any:
    """Kernel that advances this kind of network.

    Raises
    ------
    ValueError
        If what makes the network is missing.
    """
    return kind_of(network).part("kernel")
