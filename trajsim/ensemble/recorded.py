"""What the ensemble knows of the states that a ledger records: where they are, and how likely."""

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
        """The distribution of one edge of these, each as likely.

        Raises
        ------
        NoExactSideError
            If it is of no form that can be followed.
        """

    def log_probability(self, columns: dict[str, NDArray[Any]], edge: int) -> Array:
        """ln of the probability or density (m,) of recorded states at an edge.

        Parameters
        ----------
        columns : (m, edges, sites) by name
        edge : which
        """
