"""Exact currents and regime of one point."""

from typing import Any, NamedTuple

import numpy as np

from trajsim.analysis.estimate import Estimate
from trajsim.analysis.regimes import Regime, classify, hot_and_cold
from trajsim.config import Experiment
from trajsim.ensemble import Currents, ensemble, of_kind
from trajsim.errors import TrajsimError

TOLERANCE = 1e-9


class ExploreError(TrajsimError, ValueError):
    """A map or an optimum that cannot be computed as requested; the message says why."""


def solve(experiment: Experiment, tolerance: float = TOLERANCE) -> Any:
    """Exact ensemble of an experiment.

    Raises
    ------
    trajsim.ensemble.NoExactSideError
        If there is none, or it is out of reach.
    """
    return ensemble(experiment.network(), tolerance)


class Flows(NamedTuple):
    """Exact heats from all baths of the higher and of the lower temperature, and all work.

    Chemical work is work.
    """

    hot: Estimate
    cold: Estimate
    work: Estimate


def flows(experiment: Experiment, currents: Currents) -> Flows | None:
    """Heats and work, each with the error of its numerical solution.

    None unless baths have two temperatures.
    """
    masks = hot_and_cold(experiment.regime_temperatures)
    if masks is None:
        return None
    rates, error = currents
    hot, cold = (
        Estimate(float(rates.heat[mask].sum()), float(error.heat[mask].sum())) for mask in masks
    )
    return Flows(hot, cold, Estimate(_all_work(rates), _all_work(error)))


def _all_work(rates: Any) -> float:
    return float(rates.work.sum() + of_kind(rates, "chemical_work").sum())


def exact_regime(experiment: Experiment, currents: Currents) -> Regime:
    """Regime of exact currents, whose errors are those of their numerical solution."""
    rates, error = currents
    covariance = np.diag(np.append(error.heat, _all_work(error)) ** 2)
    driven = len(rates.work) > 0 or len(of_kind(rates, "chemical_work")) > 0
    warmth = experiment.regime_temperatures
    return classify(rates.heat, _all_work(rates), covariance, warmth, driven)
