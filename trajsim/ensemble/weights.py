"""Weights with which heats and works are counted."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from trajsim.ensemble.answers import Array


class Weights(NamedTuple):
    """Weights of A = sum_b heat_b Q_b + sum_i work_i W_i (inclusive work).

    heat (..., baths) and work (..., drives); one number stands for all.
    """

    heat: ArrayLike
    work: ArrayLike


Weighting = Weights | Mapping[str, ArrayLike]


def full(weights: Weighting, baths: int, drives: int) -> tuple[Array, Array]:
    """Heat (..., baths) and work (..., drives) weights as arrays.

    Parameters
    ----------
    weights : a `Weights`, or a mapping with "heat" and "work", 0 where one is left out
    baths, drives : how many there are

    Raises
    ------
    ValueError
        If their numbers are not those of the network, or something else is weighted.
    """
    pair: Any = weights
    if isinstance(weights, Mapping):
        unknown = set(weights) - set(Weights._fields)
        if unknown:
            raise ValueError(f"weights of {', '.join(map(repr, unknown))}; allowed: heat, work")
        pair = Weights(weights.get("heat", 0.0), weights.get("work", 0.0))
    arrays = []
    for values, count, name in ((pair.heat, baths, "baths"), (pair.work, drives, "drives")):
        array = np.asarray(values, np.float64)
        if array.ndim == 0:
            array = np.full(count, float(array))
        if array.shape[-1] != count:
            raise ValueError(f"{array.shape[-1]} weights for {count} {name}")
        if np.isnan(array).any():
            raise ValueError(f"weights of {name} that are not numbers")
        arrays.append(array)
    return arrays[0], arrays[1]


def expect_periods(periods: int) -> None:
    """Check a number of periods.

    Raises
    ------
    ValueError
        If it is no whole number from 1 on.
    """
    if periods != int(periods) or periods < 1:
        raise ValueError(f"periods: found {periods}; allowed: whole numbers from 1 on")


def many(
    heat: ArrayLike, work: ArrayLike, baths: int, drives: int
) -> tuple[Array, Array, tuple[int, ...]]:
    """Heat (f, baths) and work (f, drives) weights with their leading axes flattened.

    Parameters
    ----------
    heat, work : (..., baths) and (..., drives); the leading axes broadcast
    baths, drives : how many there are

    Returns
    -------
    heat, work, shape : the leading axes had that shape

    Raises
    ------
    ValueError
        As for `full`.
    """
    fields = full(Weights(heat, work), baths, drives)
    shape = np.broadcast_shapes(*(f.shape[:-1] for f in fields))
    heats, works = (
        np.broadcast_to(f, (*shape, f.shape[-1])).reshape(math.prod(shape), f.shape[-1])
        for f in fields
    )
    return heats, works, shape
