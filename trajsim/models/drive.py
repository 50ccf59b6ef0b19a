"""Periodic drives: a constant plus harmonics of the one drive frequency, a set for each site.

h_i(t) = offset_i + sum_k amplitude_ik cos(order_ik Omega t + phase_ik), Omega = 2 pi / period.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled


class Drive(NamedTuple):
    """Drives of n sites, each padded to k harmonics with amplitude 0.

    Parameters
    ----------
    offset : (n,) float64, energy
    order : (n, k) int64, multiples of the drive frequency
    amplitude : (n, k) float64, energy
    phase : (n, k) float64, radians
    """

    offset: NDArray[np.float64]
    order: NDArray[np.int64]
    amplitude: NDArray[np.float64]
    phase: NDArray[np.float64]


def pack(
    offsets: Sequence[float], harmonics: Sequence[Sequence[tuple[int, float, float]]]
) -> Drive:
    """Drive from one offset and one list of (order, amplitude, phase) for each site."""
    n, width = len(offsets), max([len(h) for h in harmonics] + [1])
    order = np.ones((n, width), np.int64)
    amplitude, phase = np.zeros((n, width)), np.zeros((n, width))
    for site, terms in enumerate(harmonics):
        for k, term in enumerate(terms):
            order[site, k], amplitude[site, k], phase[site, k] = term
    return Drive(np.array(offsets, float), order, amplitude, phase)


def of_sites(drive: Drive, sites: NDArray[np.integer]) -> Drive:
    """Drives of some of the sites."""
    return Drive(*(array[sites] for array in drive))


def bounds(drive: Drive) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper bounds (n,) of each site's drive."""
    amplitude = np.abs(drive.amplitude).sum(axis=1)
    # A few ulps outwards: cos may round up and the sum of the terms too.
    slack = 4 * np.finfo(float).eps * (np.abs(drive.offset) + amplitude)
    return drive.offset - amplitude - slack, drive.offset + amplitude + slack


def values(drive: Drive, fractions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Drives (t, n) of all sites when fractions (t,) of the period have passed."""
    angles = 2.0 * math.pi * np.multiply.outer(fractions, drive.order)
    return np.asarray(drive.offset + (drive.amplitude * np.cos(angles + drive.phase)).sum(axis=2))


def values_and_slopes(
    drive: Drive, fractions: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Drives (t, n), and their derivatives by the fraction of the period, dh/dt times period."""
    phases = 2.0 * math.pi * np.multiply.outer(fractions, drive.order) + drive.phase
    amplitudes = -2.0 * math.pi * drive.order * drive.amplitude
    value = drive.offset + (drive.amplitude * np.cos(phases)).sum(axis=2)
    return value, (amplitudes * np.sin(phases)).sum(axis=2)


@compiled
def value(drive: Drive, site: int, fraction: float) -> float:
    """Drive of `site` when `fraction` of the period has passed."""
    h = drive.offset[site]
    for k in range(drive.order.shape[1]):
        angle = 2.0 * math.pi * drive.order[site, k] * fraction
        h += drive.amplitude[site, k] * math.cos(angle + drive.phase[site, k])
    return h
