"""The exact currents of one point, and what the system does there."""

from typing import Any

import numpy as np

from trajsim.analysis.regimes import Regime, classify
from trajsim.config import Experiment
from trajsim.exact import Currents, ensemble

TOLERANCE = 1e-9


class ExploreError(ValueError):
    """A map or an optimum that cannot be had as asked; the message says why."""


def solve(experiment: Experiment, tolerance: float = TOLERANCE) -> Any:
    """Exact ensemble of an experiment.

    Raises
    ------
    trajsim.exact.NoExactSideError
        If there is none, or it is out of reach.
    """
    return ensemble(experiment.network(), tolerance)


def exact_regime(experiment: Experiment, currents: Currents) -> Regime:
    """Regime of exact currents, whose errors are those of their numerical solution."""
    rates, error = currents
    work, work_error = rates.work.sum(), error.work.sum()
    covariance = np.diag(np.append(error.heat, work_error) ** 2)
    return classify(rates.heat, work, covariance, experiment.temperatures, len(rates.work) > 0)
