"""Probabilities of the states of spins and of jump networks where a ledger records them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.ensemble.answers import Array
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.plan import Plan

# Largest change of a probability in a period that is taken to be none.
SETTLED = 1e-15


class SpinStates:
    """P of spin states at the edges of the rows; see `trajsim.ensemble.recorded.RecordedStates`.

    Parameters
    ----------
    ensemble : of the spins
    start : P (states,) from which trajectories begin
    plan : of the rows
    """

    columns = ("state",)

    def __init__(self, ensemble: JumpEnsemble, start: Array, plan: Plan) -> None:
        self._ensemble, self._plan = ensemble, plan
        # P at the segments since the end of burn-in, as far as computed.
        self._known = [self._after_burn_in(start)]

    def _after_burn_in(self, p: Array) -> Array:
        for _ in range(self._plan.burn_in):
            before = p
            p, _ = self._ensemble.carry(p)
            if abs(p - before).max() < SETTLED:
                break
        return p

    def at(self, edge: int) -> Array:
        """P (states,) at an edge of the rows."""
        segments, phases = edge * self._plan.segments_per_row, self._plan.rows_per_period
        known = self._known
        while len(known) <= segments:
            if len(known) > phases and abs(known[-1] - known[-1 - phases]).max() < SETTLED:
                # Periodic from here on.
                return known[-1 - phases + (segments - len(known) + 1) % phases]
            p, _ = self._ensemble.carry(known[-1], (len(known) - 1) % phases, phases)
            known.append(p)
        return known[segments]

    def mean(self, edges: Any) -> Array:
        """Mean of P (states,) over some edges."""
        total = before = np.zeros(self._ensemble.states)
        for count, edge in enumerate(edges):
            p = self.at(int(edge))
            if abs(p - before).max() < SETTLED:
                # Periodic from here on.
                return np.asarray((total + (len(edges) - count) * p) / len(edges))
            total, before = total + p, p
        return np.asarray(total / len(edges))

    def log_probability(self, columns: dict[str, NDArray[Any]], edge: int) -> Array:
        """ln P (m,) of the recorded states."""
        spins = columns["state"][:, edge]
        number = (spins < 0) @ (1 << np.arange(spins.shape[1]))
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.at(edge))[number])


class RecordedNumbers(SpinStates):
    """The same of states that are recorded by their numbers."""

    def log_probability(self, columns: dict[str, NDArray[Any]], edge: int) -> Array:
        """ln P (m,) of the recorded states."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.at(edge))[columns["state"][:, edge]])
