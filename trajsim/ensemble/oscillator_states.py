"""Gaussians of linear oscillators where a ledger records their positions and velocities."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.ensemble.answers import Array, NoExactSideError
from trajsim.ensemble.driven_oscillators import DrivenEnsemble
from trajsim.ensemble.gaussian import Gaussian, LinearEnsemble
from trajsim.plan import Plan

# Condition number of a covariance above which there is no density.
SINGULAR = 1e12
# Largest difference of Gaussians that are taken to be equal.
ALIKE = 1e-9


class OscillatorStates:
    """Gaussians at the edges of the rows; see `trajsim.ensemble.recorded.RecordedStates`.

    Parameters
    ----------
    ensemble : of the oscillators
    start : Gaussian from which trajectories begin
    plan : of the rows
    """

    def __init__(
        self, ensemble: LinearEnsemble | DrivenEnsemble, start: Gaussian, plan: Plan
    ) -> None:
        self._ensemble, self._start, self._plan = ensemble, start, plan
        self.columns = ("position", "velocity")[: 1 if ensemble.network.overdamped else 2]
        self._known: dict[int, Gaussian] = {}

    def at(self, edge: int) -> Gaussian:
        """Gaussian at an edge of the rows."""
        if edge not in self._known:
            phases = self._plan.rows_per_period
            periods, segment = divmod(edge * self._plan.segments_per_row, phases)
            path = self._ensemble.time_series(self._start, phases, 1, self._plan.burn_in + periods)
            self._known[edge] = path.state[segment]
        return self._known[edge]

    def mean(self, edges: Any) -> Gaussian:
        """The Gaussian that all these edges share.

        Raises
        ------
        NoExactSideError
            If they differ: their average is not Gaussian.
        """
        first, last = (self.at(int(edges[k])) for k in (0, -1))
        if max(abs(a - b).max() for a, b in zip(first, last, strict=True)) > ALIKE:
            raise NoExactSideError("the first windows begin otherwise than the last")
        return first

    def log_probability(self, columns: dict[str, NDArray[Any]], edge: int) -> Array:
        """ln of the density (m,) at the recorded states.

        Raises
        ------
        NoExactSideError
            If the first states do not have a density.
        """
        if np.linalg.cond(self.at(0).covariance) > SINGULAR:
            raise NoExactSideError("the first states do not have a density")
        mean, covariance = self.at(edge)
        z = np.concatenate([columns[name][:, edge] for name in self.columns], axis=1) - mean
        factor = np.linalg.cholesky(covariance)
        scaled = np.linalg.solve(factor, z.T)
        log_norm = np.log(np.diag(factor)).sum() + 0.5 * len(mean) * math.log(2 * math.pi)
        return np.asarray(-0.5 * (scaled**2).sum(axis=0) - log_norm)
