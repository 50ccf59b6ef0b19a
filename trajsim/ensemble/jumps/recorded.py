"""Probabilities of the states of spins where a ledger records them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.ensemble.answers import Array
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.plan import Plan

# Largest change of a probability in a period that is taken to be none.
SETTLED = 1e-15


class SpinStates:
    """P of spin states at the edges of the rows; as `trajsim.ensemble.recorded.RecordedStates`.

    Parameters
    ----------
    solved : ensemble of the spins
    start : P (states,) from which trajectories begin
    plan : of the rows
    """

    columns = ("state",)

    def __init__(self, solved: JumpEnsemble, start: Array, plan: Plan) -> None:
        self._solved, self._plan = solved, plan
        # P at the segments since the ledger opened, as far as they were asked for.
        self._known = [self._burned(start)]

    def _burned(self, p: Array) -> Array:
        for _ in range(self._plan.burn_in):
            before = p
            p, _ = self._solved.carry(p)
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
            p, _ = self._solved.carry(known[-1], (len(known) - 1) % phases, phases)
            known.append(p)
        return known[segments]

    def mean(self, edges: Any) -> Array:
        """Mean of P (states,) over some edges."""
        total = last = np.zeros(self._solved.states)
        for count, edge in enumerate(edges):
            p = self.at(int(edge))
            if abs(p - last).max() < SETTLED:
                # Periodic from here on.
                return np.asarray((total + (len(edges) - count) * p) / len(edges))
            total, last = total + p, p
        return np.asarray(total / len(edges))

    def log_probability(self, columns: dict[str, NDArray[Any]], edge: int) -> Array:
        """ln P (m,) of the recorded states."""
        spins = columns["state"][:, edge]
        number = (spins < 0) @ (1 << np.arange(spins.shape[1]))
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.at(edge))[number])
