"""Large deviations: rate functions from scaled cumulant generating functions.

For large t, P(A = a t) falls as exp(-t I(a)), I(a) = max_g [g a - theta(g)] (Legendre transform;
Touchette, Phys. Rep. 478, 1, 2009), with theta(g) that of g A.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from trajsim.ensemble.answers import Array

# Doublings of g after which no maximum is expected, and the first g relative to a Gaussian's.
DOUBLINGS, CAUTION = 12, 0.1


def rate_function(
    theta: Callable[[float], float], mean: float, variance: float, values: ArrayLike
) -> Array:
    """I (...) at values (...) of A per unit time: an inverse time, 0 at the mean.

    Parameters
    ----------
    theta : scaled cumulant generating function, convex, 0 at 0
    mean, variance : of A, per unit time
    values : (...), A per unit time

    Returns
    -------
    rates : (...), inf where A per unit time cannot be that large or small, or is so far out that
        the maximum over g is not reached
    """
    values = np.asarray(values, np.float64)
    if variance <= 0.0:
        return np.where(values == mean, 0.0, np.inf)
    rates = np.empty(values.shape)
    for index in np.ndindex(values.shape):
        rates[index] = _legendre(theta, mean, variance, float(values[index]))
    return rates


def _legendre(theta: Callable[[float], float], mean: float, variance: float, value: float) -> float:
    """max_g [g value - theta(g)]: g has the sign of value - mean, for theta is convex."""
    from scipy.optimize import minimize_scalar

    known = {0.0: 0.0}

    def objective(g: float) -> float:
        if g not in known:
            known[g] = theta(g) - g * value
        return known[g]

    # Begin well inside the maximum of a Gaussian A: far outside, theta may diverge.
    inner, outer = 0.0, CAUTION * (value - mean) / variance
    if outer == 0.0:
        return 0.0
    for _ in range(DOUBLINGS):
        if not objective(2 * outer) < objective(outer):
            break
        inner, outer = outer, 2 * outer
    else:
        return np.inf
    finite, outer = outer, 2 * outer
    for _ in range(DOUBLINGS):
        if np.isfinite(objective(outer)):
            break
        outer = (finite + outer) / 2
    else:
        return np.inf
    low, high = sorted((inner, outer))
    best = minimize_scalar(
        objective, bounds=(low, high), method="bounded", options={"xatol": 1e-6 * (high - low)}
    )
    return max(0.0, -min(float(best.fun), *known.values()))
