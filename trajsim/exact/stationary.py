"""The distribution that one period returns to itself: p = U p."""

from collections.abc import Callable
from typing import Any

import numpy as np

from trajsim.exact.ensemble import Array, NoExactSideError
from trajsim.jit import compiled


def stationary(propagator: Array) -> tuple[Array, float]:
    """Distribution p = p U, U[x, y] the probability of x -> y, and the rarest leaving met.

    By elimination without subtraction (Grassmann, Taksar & Heyman, Oper. Res. 33, 1107, 1985):
    accurate in every entry even where some states are hardly ever reached or left, provided the
    entries of U are. An absolute error of theirs counts as many times as the chance with which
    some group of states is left is smaller than 1.

    Raises
    ------
    NoExactSideError
        If some states are never left.
    """
    p, rarest = _stationary(np.maximum(propagator, 0.0))
    if rarest == 0.0:
        raise NoExactSideError("some states are never left: there is no unique periodic state")
    return p, rarest


@compiled
def _stationary(u):
    n = len(u)
    p, rarest, total = np.ones(n), 1.0, 0.0
    # Number by number: operations on whole arrays take long to compile.
    for k in range(n - 1, 0, -1):
        leave = 0.0
        for x in range(k):
            leave += u[k, x]
        rarest = min(rarest, leave)
        if leave == 0.0:
            break
        for x in range(k):
            u[x, k] /= leave
            for y in range(k):
                u[x, y] += u[x, k] * u[k, y]
    if rarest > 0.0:
        for k in range(1, n):
            p[k] = 0.0
            for x in range(k):
                p[k] += p[x] * u[x, k]
    for k in range(n):
        total += p[k]
    for k in range(n):
        p[k] /= total
    return p, rarest


def fixed_point(once: Callable[[Array], Array], guess: Array) -> Array:
    """p = U p for large networks: the correction of the guess, which must be normalised."""
    return guess + correction(once, once(guess) - guess)


def correction(once: Callable[[Array], Array], rest: Array, accuracy: float = 1e-10) -> Array:
    """Solve (1 - U) d = rest for the d that sums to zero, to a relative accuracy, by GMRES.

    |u><1| with u uniform is added to 1 - U: it changes nothing for such d and takes away the
    null space.

    Raises
    ------
    NoExactSideError
        If it is not found.
    """
    from scipy.sparse.linalg import LinearOperator, gmres

    size = len(rest)
    if np.abs(rest).max() < 1e-15:
        return np.zeros(size)

    def apply(d: Any) -> Any:
        return d - once(d) + d.sum() / size

    operator = LinearOperator((size, size), matvec=apply, dtype=np.float64)
    d, failed = gmres(operator, rest, rtol=accuracy, atol=1e-14, restart=60, maxiter=3)
    if failed:
        raise NoExactSideError("the periodic state was not found: the network relaxes too slowly")
    return np.asarray(d - d.mean(), np.float64)
