"""Exact fluctuations as JSON and as text tables."""

from typing import Any

import numpy as np

from trajsim.analysis.cumulants import correlation
from trajsim.analysis.windows import KINDS, total_of
from trajsim.config import Experiment
from trajsim.ensemble import Weights
from trajsim.ensemble.weights import EXCHANGED, Weighting
from trajsim.output import table


def counted(counting: Any, experiment: Experiment) -> dict[str, Any]:
    """Variances, cumulants 1 to 4 and covariances per unit time at long times, by label.

    "heat_variance_rate" and "work_variance_rate" {label: number}, the latter with the total;
    "heat_cumulant_rates" and "work_cumulant_rates" {label: [k1, k2, k3, k4]};
    "covariance_rate" {"labels": [...], "matrix": [[...]]}. Works only where something is driven;
    where there are particles, also "chemical_work_..." and "particles_...".
    """
    baths, drives = experiment.labels["bath"], experiment.labels["drive"]
    covariance = counting.covariance_rate
    works = slice(len(baths), len(baths) + len(drives))
    variance = [float(v) for v in np.diag(covariance)]
    answer: dict[str, Any] = {
        "heat_variance_rate": dict(zip(baths, variance, strict=False)),
        "heat_cumulant_rates": {
            label: _cumulants(counting, Weights(one, 0.0))
            for label, one in zip(baths, np.eye(len(baths)), strict=True)
        },
    }
    if drives:
        answer["work_variance_rate"] = {
            **dict(zip(drives, variance[len(baths) :], strict=False)),
            total_of(drives): float(covariance[works, works].sum()),
        }
        each = dict(zip(drives, np.eye(len(drives)), strict=True))
        weights = {**each, total_of(drives): np.ones(len(drives))}
        answer["work_cumulant_rates"] = {
            label: _cumulants(counting, Weights(0.0, one)) for label, one in weights.items()
        }
    labels = [f"heat.{bath}" for bath in baths] + [f"work.{drive}" for drive in drives]
    for kind in EXCHANGED if experiment.exchanging else ():
        answer[f"{kind}_variance_rate"] = dict(zip(baths, variance[len(labels) :], strict=False))
        answer[f"{kind}_cumulant_rates"] = {
            label: _cumulants(counting, {kind: one})
            for label, one in zip(baths, np.eye(len(baths)), strict=True)
        }
        labels += [f"{kind}.{bath}" for bath in baths]
    answer["covariance_rate"] = {"labels": labels, "matrix": covariance.tolist()}
    return answer


def _cumulants(counting: Any, weights: Weighting) -> list[float]:
    return [float(k) for k in counting.cumulant_rates(weights)]


def counted_table(answer: dict[str, Any]) -> str:
    """Table of cumulants and correlations."""
    rows = [
        (f"{kind}.{label}", *(f"{k: .6e}" for k in cumulants))
        for kind in KINDS
        for label, cumulants in answer.get(f"{kind}_cumulant_rates", {}).items()
    ]
    text = table(("cumulant per unit time", "1", "2", "3", "4"), rows)
    labels, matrix = (
        answer["covariance_rate"]["labels"],
        np.array(answer["covariance_rate"]["matrix"]),
    )
    rows = [
        (label, *(f"{c: .4f}" if np.isfinite(c) else "" for c in row))
        for label, row in zip(labels, correlation(matrix), strict=True)
    ]
    return text + "\n" + table(("correlation", *labels), rows)
