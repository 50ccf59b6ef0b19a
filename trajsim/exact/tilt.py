"""Which heat and work are counted, and how a spin network counts them.

A trajectory carries the weight exp(z A), A = sum_b heat_b Q_b + sum_i work_i W_i. What a flip
takes from its bath is 2 s_i (sum_j J_ij s_j + h_i); the part of the field, summed over flips, is
-[h_i s_i] + int s_i dh_i over the time, so that only the part of the bonds tilts the flips:

K_xy = W_xy exp(z heat_b 2 s_i sum_j J_ij s_j),
K_yy = -sum_x W_xy + z sum_i (heat_b - work_i) (dh_i/dt) s_i(y),

with exp(z sum_i heat_b h_i s_i) at the start and its inverse at the end (`boundary`).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from trajsim.exact.ensemble import Array
from trajsim.exact.problem import Problem
from trajsim.models.drive import value


class Weights(NamedTuple):
    """What counts how much: A = sum_b heat_b Q_b + sum_i work_i W_i (inclusive work).

    heat (..., baths) and work (..., drives).
    """

    heat: ArrayLike
    work: ArrayLike


class Tilt(NamedTuple):
    """Weights, as they meet the states of a network.

    quantum (n, 2**n) : what a flip counts of its bonds; an energy times a weight
    lean (n,) : heat_b - work_i of each site, which counts dh_i/dt s_i
    boundary (2**n,) : sum_i heat_b h_i(0) s_i
    """

    quantum: Array
    lean: Array
    boundary: Array


def full(weights: Weights, baths: int, drives: int) -> tuple[Array, Array]:
    """Heat (..., baths) and work (..., drives) weights as arrays; one number stands for all.

    Raises
    ------
    ValueError
        If their numbers are not those of the network.
    """
    found = []
    for given, count, name in ((weights.heat, baths, "baths"), (weights.work, drives, "drives")):
        array = np.asarray(given, np.float64)
        if array.ndim == 0:
            array = np.full(count, float(array))
        if array.shape[-1] != count:
            raise ValueError(f"{array.shape[-1]} weights for {count} {name}")
        found.append(array)
    return found[0], found[1]


def tilt_of(problem: Problem, heat: Array, work: Array) -> Tilt:
    """Tilt of weights heat (baths,) and work (drives,)."""
    network, table = problem.network, problem.table
    by_site = heat[network.bath]
    driven = network.driven >= 0
    lean = by_site.copy()
    lean[driven] -= work[network.driven[driven]]
    h = np.array([value(network.drive, i, 0.0) for i in range(len(by_site))])
    return Tilt(2.0 * by_site[:, None] * table.alignment, lean, (by_site * h) @ table.spin)


def scaled(tilt: Tilt, z: float) -> Tilt:
    """Tilt of z A."""
    return Tilt(z * tilt.quantum, z * tilt.lean, z * tilt.boundary)
