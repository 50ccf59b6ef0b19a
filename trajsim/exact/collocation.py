"""Carry many distributions at once: for small networks whose P follows the drive smoothly.

Radau IIA collocation with 6 stages, of order 11 and damping any fast decay (Hairer & Wanner,
Solving Ordinary Differential Equations II, 1996, section IV.5): a step is as long as P is smooth,
however fast the flips. Stages Y_i of a step from p are the solution of
sum_j D_ij Y_j - time W(t_i) Y_i = -D_i0 p, with D the derivative of the polynomial through them.
"""

from trajsim.exact.jumps.collocation import DERIVATIVE, GROWTH, NODES, STAGES, WEIGHTS, step_edges
from trajsim.jit import compiled

__all__ = [
    "DERIVATIVE",
    "GROWTH",
    "NODES",
    "STAGES",
    "WEIGHTS",
    "factorise",
    "step_edges",
    "substitute",
]


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
