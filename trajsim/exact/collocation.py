"""Carry many distributions at once: for small networks whose P follows the drive smoothly.

Radau IIA collocation with 6 stages, of order 11 and damping any fast decay (Hairer & Wanner,
Solving Ordinary Differential Equations II, 1996, section IV.5): a step is as long as P is smooth,
however fast the flips. Stages Y_i of a step from p are the solution of
sum_j D_ij Y_j - time W(t_i) Y_i = -D_i0 p, with D the derivative of the polynomial through them.
"""

import math

import numpy as np

from trajsim.exact.generator import Array, fields, flip_rates, gain_rates
from trajsim.jit import compiled

STAGES = 6


def _tableau(stages: int) -> tuple[Array, Array, Array]:
    """Nodes (s,) in (0, 1], derivative D (s, s + 1) from the values at 0 and them, weights (s,)."""
    # Roots of the Jacobi polynomial (1, 0) as eigenvalues: scipy.special would take long to import.
    k = np.arange(stages - 1.0)
    recursion = np.diag(-1.0 / ((2.0 * k + 1.0) * (2.0 * k + 3.0)))
    beside = np.diag(np.sqrt(k[1:] * (k[1:] + 1.0)) / (2.0 * k[1:] + 1.0), 1)
    inner = np.linalg.eigvalsh(recursion + beside + beside.T)
    nodes = np.concatenate([[0.0], (inner + 1.0) / 2.0, [1.0]])
    apart = nodes[:, None] - nodes + np.eye(stages + 1)
    # Barycentric weights of Lagrange's polynomials; rows of a derivative sum to zero.
    inverse = 1.0 / apart.prod(axis=1)
    derivative = inverse / inverse[:, None] / apart
    np.fill_diagonal(derivative, 0.0)
    np.fill_diagonal(derivative, -derivative.sum(axis=1))
    weights = np.linalg.inv(derivative[1:, 1:])[-1]
    return nodes[1:], derivative[1:], weights


NODES, DERIVATIVE, WEIGHTS = _tableau(STAGES)
# Ratio of one step to the one before where P follows the drive only after a fast decay.
GROWTH = 1.2


def step_edges(begin: float, end: float, widest: float, narrowest: float) -> Array:
    """Edges of steps that grow from `narrowest` to `widest`, so that a decay is resolved."""
    widest = min(widest, end - begin)
    growing = max(0, math.ceil(math.log(widest / min(narrowest, widest)) / math.log(GROWTH)))
    widths = widest * GROWTH ** np.arange(-growing, 0.0)
    kept = widths[np.cumsum(widths) < end - begin]
    left = end - begin - kept.sum()
    equal = np.full(math.ceil(left / widest - 1e-9), widest)
    equal[:] = left / len(equal)
    return np.append(begin + np.append(0.0, np.cumsum(np.append(kept, equal)))[:-1], end)


@compiled
def factorise(system, pivots):
    """Bring `system` (n, n) in place to the factors that `substitute` needs; pivots (n,) int64.

    Elimination with row pivots that leaves out what is zero.
    """
    n = len(system)
    for k in range(n):
        pivot = k
        for row in range(k + 1, n):
            if abs(system[row, k]) > abs(system[pivot, k]):
                pivot = row
        pivots[k] = pivot
        if pivot != k:
            for column in range(n):
                moved = system[k, column]
                system[k, column] = system[pivot, column]
                system[pivot, column] = moved
        inverse = 1.0 / system[k, k]
        for row in range(k + 1, n):
            if system[row, k] != 0.0:
                factor = system[row, k] * inverse
                system[row, k] = factor
                for column in range(k + 1, n):
                    system[row, column] -= factor * system[k, column]


@compiled
def substitute(system, pivots, right):
    """Put the solution x of A x = `right` (n, m) in its place; A was brought to factors."""
    n, many = right.shape
    for k in range(n):
        if pivots[k] != k:
            for column in range(many):
                moved = right[k, column]
                right[k, column] = right[pivots[k], column]
                right[pivots[k], column] = moved
    for k in range(n):
        for row in range(k + 1, n):
            factor = system[row, k]
            if factor != 0.0:
                for column in range(many):
                    right[row, column] -= factor * right[k, column]
    for k in range(n - 1, -1, -1):
        inverse = 1.0 / system[k, k]
        for column in range(many):
            right[k, column] *= inverse
        for row in range(k):
            factor = system[row, k]
            if factor != 0.0:
                for column in range(many):
                    right[row, column] -= factor * right[k, column]


@compiled
def propagate(network, table, p, totals, edges):
    """Carry distributions over a part of the period, in place, and add up what they gain.

    Parameters
    ----------
    network : SpinNetwork
    table : Table
    p : (m, 2**n), m distributions (or any vectors: the equation is linear)
    totals : (m, g), the g = baths + 2 drives + n gains of `trajsim.exact.generator.gain_rates`
    edges : (steps + 1,) fractions of the period between which a step reaches
    """
    n, states = table.spin.shape
    size = STAGES * states
    rates, gains = np.empty((STAGES, n, states)), np.empty((totals.shape[1], states))
    h, rise = np.empty((STAGES, n)), np.empty((STAGES, n))
    system, pivots = np.empty((size, size)), np.empty(size, np.int64)
    stages = np.empty((size, len(p)))
    for step in range(len(edges) - 1):
        width = edges[step + 1] - edges[step]
        time = width * network.period
        fields(network.drive, edges[step] + NODES * width, h, rise)
        system[:] = 0.0
        for s in range(STAGES):
            flip_rates(network, table, h[s], rates[s])
            for x in range(states):
                row = s * states + x
                for other in range(STAGES):
                    system[row, other * states + x] = DERIVATIVE[s, other + 1]
                for i in range(n):
                    system[row, row] += time * rates[s, i, x]
                    flipped = x ^ (1 << i)
                    system[row, s * states + flipped] -= time * rates[s, i, flipped]
                for k in range(len(p)):
                    stages[row, k] = -DERIVATIVE[s, 0] * p[k, x]
        factorise(system, pivots)
        substitute(system, pivots, stages)
        for s in range(STAGES):
            gain_rates(network, table, h[s], rise[s], rates[s], gains)
            for g in range(len(gains)):
                for x in range(states):
                    weight, row = time * WEIGHTS[s] * gains[g, x], s * states + x
                    for k in range(len(p)):
                        totals[k, g] += weight * stages[row, k]
        # Number by number: operations on whole arrays take seconds to compile.
        for x in range(states):
            for k in range(len(p)):
                p[k, x] = stages[size - states + x, k]
