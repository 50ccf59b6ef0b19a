"""Scaled cumulant generating function and rate function, and how far samples can be trusted.

theta(lambda) = ln <exp(lambda X)> / t over a window of time t, for X the heat from a bath into
the system or the work on it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.batches import Batches, group_sums, jackknife

Array = NDArray[np.float64]

# Values of lambda on either side of zero, the furthest in units of 1 / standard deviation:
# a Gaussian's samples are never trusted so far.
SIDE, FURTHEST = 16, 2.5
CHUNK = 4096
STRICTNESS = 20.0


def trusted(
    effective: Array | float, samples: Array | float, strictness: float = STRICTNESS
) -> NDArray[np.bool_]:
    """Whether the mean of weights has a normal error, by their effective sample size.

    For lognormal weights the skewness of the mean of n is n / effective^1.5: this must not exceed
    1 / strictness. The fewer samples dominate, the more of them are needed.
    """
    return np.asarray(effective) >= needed(samples, strictness)


def needed(samples: Array | float, strictness: float = STRICTNESS) -> Array:
    """Smallest effective sample size that is trusted."""
    return np.asarray((strictness * np.asarray(samples, np.float64)) ** (2 / 3))


def effective_size(sums: Array, squares: Array) -> Array:
    """Kish's effective sample size of weights."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums**2 / squares)


@dataclass(frozen=True)
class Generating:
    """Estimate at some values of lambda, for one observable.

    Attributes
    ----------
    argument : (k,) lambda, 1 / energy
    theta, theta_error : (k,) per unit time
    effective : (k,) effective sample size
    trusted : (k,) those lambda, around zero without a gap, at which the error is a normal one
    current, rate : (k,) slope of theta, and the rate function at this current: the Legendre
        transform of theta, per unit time. To first order its error is that of theta: at a fixed
        current, lambda may be kept while theta varies
    samples : number of windows
    """

    argument: Array
    theta: Array
    theta_error: Array
    effective: Array
    trusted: NDArray[np.bool_]
    current: Array
    rate: Array
    samples: int

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest lambda to be trusted."""
        trusted = self.argument[self.trusted]
        return float(trusted.min()), float(trusted.max())


class ExponentialSums:
    """Sums of exp(lambda x) over samples of one observable, batch by batch.

    Parameters
    ----------
    batches : how trajectories are grouped
    reference, spread : near the mean of the samples and their standard deviation
    """

    def __init__(self, batches: Batches, reference: float, spread: float) -> None:
        largest = FURTHEST / spread if spread > 0 else 1.0
        self.batches, self.reference = batches, reference
        self.argument = np.linspace(-largest, largest, 2 * SIDE + 1)
        self.count = np.zeros(batches.number, np.int64)
        # Weights, and weights times samples.
        self.sums = np.zeros((batches.number, 2, 2 * SIDE + 1))
        self.squares = np.zeros(2 * SIDE + 1)

    def add(self, first: int, samples: Array) -> None:
        """Add samples (m, windows) of trajectories first ..."""
        if len(samples) == 0:
            return
        batch, first_samples = self.batches.cut(first, len(samples))
        windows = samples.shape[1]
        self.count[batch] += np.diff(first_samples, append=len(samples)) * windows
        x = samples.ravel() - self.reference
        batch_of = np.repeat(batch, np.diff(first_samples, append=len(samples)) * windows)
        for begin in range(0, len(x), CHUNK):
            chunk, owners = x[begin : begin + CHUNK, None], batch_of[begin : begin + CHUNK]
            # A clipped weight dominates its sum, which is not trusted then.
            weight = np.exp(np.clip(chunk * self.argument, -300.0, 300.0))
            first_samples = np.flatnonzero(np.diff(owners, prepend=-1))
            self.sums[owners[first_samples], 0] += group_sums(weight, first_samples)
            self.sums[owners[first_samples], 1] += group_sums(weight * chunk, first_samples)
            self.squares += np.einsum("ik,ik->k", weight, weight)

    def generating(self, time: float) -> Generating:
        """Estimates over windows of this length."""

        def statistic(n: Array, sums: Array) -> Array:
            weight, weighted = sums[:, 0], sums[:, 1]
            theta = np.log(weight / n[:, None]) / time
            current = weighted / weight / time
            return np.stack([theta, current], axis=1)

        mean, stderr = jackknife(statistic, self.count, self.sums)
        n = int(self.count.sum())
        effective = effective_size(self.sums[:, 0].sum(axis=0), self.squares)
        # A shift of x shifts theta and the current; their Legendre transform stays.
        shift = self.reference / time
        return Generating(
            argument=self.argument,
            theta=mean[0] + self.argument * shift,
            theta_error=stderr[0],
            effective=effective,
            trusted=_around_zero(trusted(effective, n)),
            current=mean[1] + shift,
            rate=self.argument * mean[1] - mean[0],
            samples=n,
        )


def _around_zero(trusted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The connected range of True that contains the middle."""
    middle = len(trusted) // 2
    right = np.logical_and.accumulate(trusted[middle:])
    left = np.logical_and.accumulate(trusted[middle::-1])[::-1]
    result = np.append(left[:-1], right)
    result[middle] = True
    return result
