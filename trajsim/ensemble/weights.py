"""Weights with which heats and works are counted."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from trajsim.ensemble.answers import Array


class Weights(NamedTuple):
    """Weights of A = sum_b heat_b Q_b + sum_i work_i W_i (inclusive work).

    heat (..., baths) and work (..., drives); one number stands for all. Of jump networks with
    particles those of chemical works and of numbers of particles, (..., baths) each, may follow
    those of the works.
    """

    heat: ArrayLike
    work: ArrayLike


Weighting = Weights | Mapping[str, ArrayLike]
# What may be weighted besides heats and works where there are particles, one for each bath.
EXCHANGED = ("chemical_work", "particles")


def full(weights: Weighting, baths: int, drives: int, reservoirs: int = 0) -> tuple[Array, Array]:
    """Heat (..., baths) and work (..., drives + 2 reservoirs) weights as arrays.

    Parameters
    ----------
    weights : a `Weights`, or a mapping with "heat" and "work", and "chemical_work" and "particles"
        where there are any; 0 where one is left out
    baths, drives : how many there are
    reservoirs : number of baths with particles

    Raises
    ------
    ValueError
        If their numbers are not those of the network, or something else is weighted.
    """
    pair: Any = weights
    if isinstance(weights, Mapping):
        names = ("heat", "work", *EXCHANGED[: 2 * bool(reservoirs)])
        unknown = set(weights) - set(names)
        if unknown:
            words = ", ".join(map(repr, unknown))
            raise ValueError(f"weights of {words}; allowed: {', '.join(names)}")
        work = weights.get("work", 0.0)
        if reservoirs:
            parts = [_array(work, drives, "drives")]
            parts += [_array(weights.get(n, 0.0), reservoirs, "baths") for n in EXCHANGED]
            work = np.concatenate(parts, axis=-1)
        pair = Weights(weights.get("heat", 0.0), work)
    work = np.asarray(pair.work, np.float64)
    if reservoirs and (work.ndim == 0 or work.shape[-1] == drives):
        work = _array(work, drives, "drives")
        work = np.concatenate([work, np.zeros((*work.shape[:-1], 2 * reservoirs))], axis=-1)
    return _array(pair.heat, baths, "baths"), _array(work, drives + 2 * reservoirs, "drives")


def _array(values: ArrayLike, count: int, name: str) -> Array:
    """Weights (..., count) of baths or drives."""
    array = np.asarray(values, np.float64)
    if array.ndim == 0:
        array = np.full(count, float(array))
    if array.shape[-1] != count:
        raise ValueError(f"{array.shape[-1]} weights for {count} {name}")
    if not np.isfinite(array).all():
        raise ValueError(f"weights of {name} that are not numbers")
    return array


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
    heat: ArrayLike, work: ArrayLike, baths: int, drives: int, reservoirs: int = 0
) -> tuple[Array, Array, tuple[int, ...]]:
    """Heat (f, baths) and work (f, drives) weights with their leading axes flattened.

    Parameters
    ----------
    heat, work : (..., baths) and (..., drives); the leading axes broadcast
    baths, drives, reservoirs : as for `full`

    Returns
    -------
    heat, work, shape : the leading axes had that shape

    Raises
    ------
    ValueError
        As for `full`.
    """
    fields = full(Weights(heat, work), baths, drives, reservoirs)
    shape = np.broadcast_shapes(*(f.shape[:-1] for f in fields))
    heats, works = (
        np.broadcast_to(f, (*shape, f.shape[-1])).reshape(math.prod(shape), f.shape[-1])
        for f in fields
    )
    return heats, works, shape
