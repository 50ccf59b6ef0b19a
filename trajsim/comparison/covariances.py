"""Variances and covariances of heats and works, sampled against exact."""

import math

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.fluctuations import Fluctuations
from trajsim.comparison.verdict import Comparison, comparison

Array = NDArray[np.float64]

# Trajectories and flips below which a variance is too skewed for a normal error.
FEWEST_TRAJECTORIES, FEWEST_FLIPS = 400, 2000
# Relative error of exact covariances.
TOLERANCE = 1e-9


def with_total(covariance: Array, baths: int, works: int) -> Array:
    """Covariance (q, q) of heats, works and others, with that of the total work appended."""
    q = len(covariance)
    if works == 0:
        return covariance
    total = np.zeros(q)
    total[baths : baths + works] = 1.0
    rows = np.vstack([np.eye(q), total])
    return np.asarray(rows @ covariance @ rows.T)


def covariance_rounding(covariance: Array, rounding: float, time: float) -> Array:
    """Rounding errors (q, q) of covariance rates.

    Parameters
    ----------
    covariance : (q, q) covariance rates over windows
    rounding : error of rates of heat and work
    time : length of the windows
    """
    deviation = np.sqrt(np.abs(np.diag(covariance)))
    error = rounding * math.sqrt(time) * np.add.outer(deviation, deviation) + rounding**2 * time
    return np.asarray(error + TOLERANCE * np.outer(deviation, deviation))


def compare_covariances(
    sampled: Fluctuations,
    exact: Array,
    flips: dict[tuple[str, str], float],
    rounding: float = 0.0,
) -> list[Comparison]:
    """Compare variances of all observables and covariances of all but the total work.

    Parameters
    ----------
    sampled : over whole trajectories
    exact : (q, q) covariance rates of all observables, the total work last
    flips : number that each observable is based on, by kind and label
    rounding : error of rates of heat and work, on either side
    """
    if sampled.covariance is None:
        return []
    mean, stderr = sampled.covariance
    error = stderr * _error_factor(mean, exact)
    allowed = covariance_rounding(
        np.maximum(np.abs(mean), np.abs(exact)), rounding, sampled.windows.time
    )
    # The works may nearly cancel in their total.
    parts = [k for k, o in enumerate(sampled.observables) if o.kind == "work" and not o.total]
    summed = np.sqrt(np.abs(np.diag(exact)))[parts].sum()
    for k, observable in enumerate(sampled.observables):
        if observable.total:
            allowed[k, k] += TOLERANCE * summed**2
    comparisons = []
    enough = sampled.trajectories >= FEWEST_TRAJECTORIES
    flips_of = [flips.get((o.kind, o.label), min(flips.values())) for o in sampled.observables]
    for i, one in enumerate(sampled.observables):
        for j, other in enumerate(sampled.observables[i:], i):
            if i != j and (one.total or other.total):
                continue
            name = f"{one.kind}_variance_rate.{one.label}"
            if i != j:
                name = f"covariance_rate.{one.name}.{other.name}"
            fewest_flips = min(flips_of[i], flips_of[j])
            events = math.inf if enough and fewest_flips >= FEWEST_FLIPS else 0.0
            values = (mean[i, j], error[i, j], exact[i, j])
            comparisons.append(comparison(name, *values, events, allowed[i, j]))
    return comparisons


def _error_factor(sampled: Array, exact: Array) -> Array:
    """Factor on errors of covariances that makes them nearly normal.

    The error of a sampled variance is correlated with it: too small a variance has too small an
    error. The geometric mean of that error and the one by the exact covariances (both as for
    Gaussians) is nearly free of this, like an error on the logarithm.
    """

    def size(covariance: Array) -> Array:
        variances = np.diag(covariance)
        return np.asarray(np.outer(variances, variances) + covariance**2)

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num((size(exact) / size(sampled)) ** 0.25, nan=1.0, posinf=1.0)
