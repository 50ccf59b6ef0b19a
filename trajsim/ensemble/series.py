"""Truncated power series in the counting field z: arrays whose first axis is the power.

The coefficient of z**k stands at k, without the factor k!.
"""

import math

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]


def product(a: Series, b: Series) -> Series:
    """a b of scalar or matrix series: a[j] @ b[k - j] or a[j] * b[k - j] summed over j."""
    multiply = np.multiply if a.ndim == 1 or b.ndim == 1 else np.matmul
    return np.stack([sum(multiply(a[j], b[k - j]) for j in range(k + 1)) for k in range(len(a))])


def logarithm(a: Series) -> Series:
    """log a of a scalar series whose first coefficient is not 0."""
    out = np.zeros_like(a)
    out[0] = np.log(a[0])
    for k in range(1, len(a)):
        inside = sum(j * out[j] * a[k - j] for j in range(1, k))
        out[k] = (a[k] - inside / k) / a[0]
    return out


def exponential(exponent: Series, orders: int) -> Series:
    """exp(z exponent) as a series (orders, ...)."""
    return np.stack([exponent**k / math.factorial(k) for k in range(orders)])


def cumulants(log_average: Series) -> Series:
    """Cumulants 1, 2, ... from log <exp(z A)> as a series."""
    factorials = [math.factorial(k) for k in range(1, len(log_average))]
    return log_average[1:] * np.array(factorials)
