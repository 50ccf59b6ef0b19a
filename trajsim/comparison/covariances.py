"""Variances and covariances of heats and works, sampled against exact."""

import math

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.fluctuations import Fluctuations
from trajsim.comparison.verdict import Comparison, comparison

Array = NDArray[np.float64]

# A variance over fewer trajectories, or flips, is skewed beyond what its error allows for.
FEWEST_TRAJECTORIES, FEWEST_FLIPS = 400, 2000
# Relative error of exact covariances.
TOLERANCE = 1e-9


def with_total(covariance: Array, works: int) -> Array:
    """Covariance (q, q) of heats and works, with that of the total work appended."""
    q = len(covariance)
    if works == 0:
        return covariance
    rows = np.vstack([np.eye(q), np.append(np.zeros(q - works), np.ones(works))])
    return np.asarray(rows @ covariance @ rows.T)


def covariance_rounding(covariance: Array, rounding: float, time: float) -> Array:
    """By how much covariance rates (q, q) may be off where heats and works may by `rounding`.

    Parameters
    ----------
    covariance : (q, q) covariance rates over windows
    rounding : of rates of heat and work
    time : length of the windows
    """
    spread = np.sqrt(np.abs(np.diag(covariance)))
    both = rounding * math.sqrt(time) * np.add.outer(spread, spread) + rounding**2 * time
    return np.asarray(both + TOLERANCE * np.outer(spread, spread))


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
    flips : that each observable rests on, by kind and label
    rounding : what it may leave of rates of heat and work, on either side
    """
    if sampled.covariance is None:
        return []
    mean, stderr = sampled.covariance
    error = stderr * _balance(mean, exact)
    rough = covariance_rounding(
        np.maximum(np.abs(mean), np.abs(exact)), rounding, sampled.windows.time
    )
    # The total is a sum of works that may all but cancel.
    parts = [k for k, o in enumerate(sampled.observables) if o.kind == "work" and not o.total]
    summed = np.sqrt(np.abs(np.diag(exact)))[parts].sum()
    for k, observable in enumerate(sampled.observables):
        if observable.total:
            rough[k, k] += TOLERANCE * summed**2
    found = []
    enough = sampled.trajectories >= FEWEST_TRAJECTORIES
    each = [flips.get((o.kind, o.label), min(flips.values())) for o in sampled.observables]
    for i, one in enumerate(sampled.observables):
        for j, other in enumerate(sampled.observables[i:], i):
            if i != j and (one.total or other.total):
                continue
            name = f"{one.kind}_variance_rate.{one.label}"
            if i != j:
                name = f"covariance_rate.{one.name}.{other.name}"
            fewest = min(each[i], each[j])
            events = math.inf if enough and fewest >= FEWEST_FLIPS else 0.0
            values = (mean[i, j], error[i, j], exact[i, j])
            found.append(comparison(name, *values, events, rough[i, j]))
    return found


def _balance(sampled: Array, exact: Array) -> Array:
    """Factor on errors that makes them normal ones.

    A sampled variance that is too small has too small an error, one that is too large too large
    a one. The geometric mean of the error and of what it were if the exact covariances held is
    nearly free of that, as an error on the logarithm is; both are taken as for Gaussians.
    """

    def size(covariance: Array) -> Array:
        spread = np.diag(covariance)
        return np.asarray(np.outer(spread, spread) + covariance**2)

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num((size(exact) / size(sampled)) ** 0.25, nan=1.0, posinf=1.0)
