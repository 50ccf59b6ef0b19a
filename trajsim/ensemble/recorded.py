"""Interface of exact distributions of the states that a ledger records."""

from typing import Any, Protocol

from numpy.typing import NDArray

from trajsim.ensemble.answers import Array


class RecordedStates(Protocol):
    """Distributions of the states at the edges of the rows.

    columns : names of the ledger's columns that hold the states
    """

    columns: tuple[str, ...]

    def at(self, edge: int) -> Any:
        """Distribution at an edge of the rows: P (states,) or a Gaussian."""

    def mean(self, edges: Any) -> Any:
        """Average of the distributions at some edges.

        Raises
        ------
        NoExactSideError
            If it has no form that can be evolved further.
        """

    def log_probability(self, columns: dict[str, NDArray[Any]], edge: int) -> Array:
        """ln of the probability or density (m,) of recorded states at an edge.

        Parameters
        ----------
        columns : (m, edges, sites) by name
        edge : which
        """
