"""Full counting statistics of spin networks written a second time, with numpy, scipy and mpmath.

The tilted generator is that of physics text books: each flip counts all it takes, the field's part
included, at its instant. The code under test counts the field's part by the drive instead.
"""

from dataclasses import replace

import networks
import numpy as np
from scipy.integrate import solve_ivp

# Parts of the period that are integrated at once: a step costs as much for one as for all.
PARTS = 32


def tilted(case, fraction, heat, work):
    """K (..., 2**n, 2**n): flips times exp(heat dE), rests less the work of the moving fields."""
    state, s = np.arange(case.states), networks.spins(case)
    rates, costs = networks.flip_rates(case, fraction), networks.costs(case, fraction)
    rise = networks.field_slopes(case, fraction)[..., None]
    k = np.zeros((*rates.shape[:-2], case.states, case.states), np.result_type(heat, work, float))
    k[..., state, state] = -rates.sum(axis=-2)
    for i in range(case.sites):
        flips = rates[..., i, :] * np.exp(heat[case.bath[i]] * costs[..., i, :])
        k[..., state ^ (1 << i), state] += flips
        if i in case.drives:
            k[..., state, state] -= work[case.drives.index(i)] * rise[..., i, :] * s[i]
    return k


def tilted_map(case, heat, work, rtol=1e-12):
    """U (2**n, 2**n) of one period, columns the states begun in; its parts are solved at once."""
    kind = np.result_type(np.asarray(heat), np.asarray(work), float)
    heat, work = np.asarray(heat, kind), np.asarray(work, kind)

    begin = np.tile(np.eye(case.states, dtype=kind), (PARTS, 1, 1))
    at = np.arange(PARTS)

    def slope(t, flat):
        k = tilted(case, (at + t) / PARTS, heat, work)
        return (case.period / PARTS * k @ flat.reshape(begin.shape)).ravel()

    settings = {"rtol": rtol, "atol": 1e-3 * rtol}
    found = solve_ivp(slope, (0, 1), begin.ravel(), "DOP853", **settings)
    return np.linalg.multi_dot(found.y[:, -1].reshape(begin.shape)[::-1])


def theta(case, heat, work, rtol=1e-12):
    """log of the spectral radius, per unit time."""
    period_map = tilted_map(case, heat, work, rtol)
    return np.log(abs(np.linalg.eigvals(period_map)).max()) / case.period


def average(case, p, periods, heat, work):
    """<exp(heat . Q + work . W)> over whole periods from P, real or complex."""
    return (np.linalg.matrix_power(tilted_map(case, heat, work), periods) @ p).sum()


def cumulants(function, step, order=4):
    """Derivatives 1 ... 4 at 0 of a function that is 0 there, by central differences of order 6."""
    at = np.array([function(k * step) if k else 0.0 for k in range(-4, 5)])
    stencils = {
        1: np.array([3, -32, 168, -672, 0, 672, -168, 32, -3]) / 840,
        2: np.array([-9, 128, -1008, 8064, -14350, 8064, -1008, 128, -9]) / 5040,
        3: np.array([-7, 72, -338, 488, 0, -488, 338, -72, 7]) / 240,
        4: np.array([7, -96, 676, -1952, 2730, -1952, 676, -96, 7]) / 240,
    }
    return np.array([stencils[k] @ at / step**k for k in range(1, order + 1)])


def reversed_in_time(case):
    """The network whose fields run backwards: h(-t)."""

    return replace(
        case, harmonics=[[(k, h, -phi) for k, h, phi in site] for site in case.harmonics]
    )
