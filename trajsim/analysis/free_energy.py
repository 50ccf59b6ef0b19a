"""Differences of free energies from works: Jarzynski's average and Bennett's acceptance ratio.

W (n,) are works on trajectories that begin in equilibrium at one temperature T, of a protocol, and
of the reversed one; dF is the free energy at the end of the protocol less that at its beginning.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.estimate import Estimate
from trajsim.analysis.theorems.integral import FEWEST, LARGEST

Array = NDArray[np.float64]

# Iterations of Newton's method, safeguarded by bisection; and the change at which it ends.
MOST_STEPS, CONVERGED = 200, 1e-13


class FreeEnergy(NamedTuple):
    """A difference of free energies, and what the protocol dissipates.

    delta_f : dF
    dissipated_work : <W> - dF; its error knows that both come from the same works
    """

    delta_f: Estimate[float]
    dissipated_work: Estimate[float]


def jarzynski_estimate(work: Array, temperature: float) -> FreeEnergy:
    """dF = -T ln <exp(-W/T)> (Jarzynski, Phys. Rev. Lett. 78, 2690 (1997)).

    Biased by about half the square of its error over T, and by more where few works dominate.
    """
    logs = -work / temperature
    weight = np.exp(logs - logs.max())
    delta_f = -temperature * (float(logs.max()) + math.log(weight.mean()))
    # What each work changes of the estimate, times n.
    change = -temperature * (weight / weight.mean() - 1.0)
    return _free_energy(delta_f, work, change, np.zeros(0))


class Bennett(NamedTuple):
    """Bennett's estimate from works of a protocol and of the reversed one.

    Attributes
    ----------
    delta_f, dissipated_work : as in `FreeEnergy`, of the protocol (not the reversed one)
    overlap : of P(W) and P_reversed(-W): int P P' / (a P + b P') dW, where a and b are their
        shares of the trajectories; 1 where they are the same, 0 where they have nothing in common
    effective : effective number of works in the overlap, of the run that has fewer
    trajectories : numbers of the two runs
    """

    delta_f: Estimate[float]
    dissipated_work: Estimate[float]
    overlap: float
    effective: float
    trajectories: tuple[int, int]

    @property
    def trusted(self) -> bool:
        """Whether enough works overlap for a normal error."""
        return self.effective >= FEWEST


def bennett(work: Array, reversed_work: Array, temperature: float) -> Bennett:
    """dF by the acceptance ratio: the root of sum f(x) = sum f(-x_reversed), f = 1 / (1 + exp).

    x = (W - dF) / T + ln(n / n_reversed), and W is the negative work where it is the reversed one
    (Bennett, J. Comput. Phys. 22, 245 (1976); Shirts, Bair, Hooker & Pande, Phys. Rev. Lett. 91,
    140601 (2003)). The error is Bennett's Eq. 10b, good for large numbers.

    Parameters
    ----------
    work : (n,) of the protocol
    reversed_work : (n_reversed,) of the reversed protocol
    temperature : of the equilibria in which both begin

    Raises
    ------
    ValueError
        If there is no work of one of them.
    """
    n, m = len(work), len(reversed_work)
    if n == 0 or m == 0:
        raise ValueError("works of both protocols are needed")
    forward = work / temperature + math.log(n / m)
    backward = reversed_work / temperature - math.log(n / m)
    root = _root(forward, backward)
    f, g = _fermi(forward - root), _fermi(backward + root)
    with np.errstate(divide="ignore", invalid="ignore"):
        # What each work changes of dF, times n or m: a larger f asks for a smaller root.
        slope = (f * (1 - f)).sum() + (g * (1 - g)).sum()
        change = -temperature * n * (f - f.mean()) / slope
        reversed_change = temperature * m * (g - g.mean()) / slope
        effective = min(float(x.sum() ** 2 / (x**2).sum()) for x in (f, g))
    pair = _free_energy(temperature * root, work, change, reversed_change)
    overlap = float(f.sum() + g.sum()) * (n + m) / (2.0 * n * m)
    return Bennett(*pair, overlap, effective, (n, m))


def _fermi(x: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(x, -LARGEST, LARGEST))))


def _root(forward: Array, backward: Array) -> float:
    """c where sum f(forward - c) = sum f(backward + c); the difference rises with c."""
    # Beyond either end all terms of one side exceed the other's by the same shift.
    room = abs(math.log(len(forward) / len(backward))) + 1.0
    low = min(float(forward.min()), float(-backward.max())) - room
    high = max(float(forward.max()), float(-backward.min())) + room
    c = 0.5 * (low + high)
    for _ in range(MOST_STEPS):
        f, g = _fermi(forward - c), _fermi(backward + c)
        difference = float(f.sum() - g.sum())
        low, high = (low, c) if difference > 0 else (c, high)
        slope = float((f * (1 - f)).sum() + (g * (1 - g)).sum())
        new = c - difference / slope if slope > 0 else low
        if not low < new < high:
            new = 0.5 * (low + high)
        if abs(new - c) <= CONVERGED * (1.0 + abs(c)):
            return new
        c = new
    return c


def _free_energy(delta_f: float, work: Array, change: Array, reversed_change: Array) -> FreeEnergy:
    """dF and <W> - dF, from what each work changes of dF (times the number of works)."""
    rest = _variance(reversed_change)
    mean = float(work.mean())
    return FreeEnergy(
        Estimate(delta_f, math.sqrt(_variance(change) + rest)),
        Estimate(mean - delta_f, math.sqrt(_variance(work - mean - change) + rest)),
    )


def _variance(change: Array) -> float:
    """Variance of the mean of independent changes; 0 of none, nan of one."""
    n = len(change)
    if n < 2:
        return math.nan if n else 0.0
    return float(change.var(ddof=1)) / n
