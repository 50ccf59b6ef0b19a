"""Full counting statistics of spin networks: how heat and work fluctuate, without sampling.

Cumulants come from power series in the counting field, not from differences; the scaled cumulant
generating function from the tilted map of one period (`trajsim.exact.tilt`).
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from trajsim.exact import large_deviation, series
from trajsim.exact.distribution import Distribution
from trajsim.exact.ensemble import Array, NoExactSideError
from trajsim.exact.large_map import LargeMap
from trajsim.exact.master import start_state
from trajsim.exact.problem import Problem
from trajsim.exact.small_map import SmallMap
from trajsim.exact.spin_distribution import Counted
from trajsim.exact.tilt import Weights, full, scaled, tilt_of
from trajsim.models.spins import SpinNetwork

# Of the largest entry, what may still change when a period is taken to repeat the one before.
SETTLED = 1e-10
# Spins up to which fluctuations are solved, and up to which with matrices.
MOST_SITES, DENSE_SITES = 12, 5
Weighting = Weights | Mapping[str, ArrayLike]


class Counting:
    """Exact fluctuations of heat and work of at most 12 spins.

    Every `weights` is a `Weights` or a mapping with "heat" (baths,) and "work" (drives,), either
    of which may be left out (0) or one number (for all): A = sum_b heat_b Q_b + sum_i work_i W_i,
    with the inclusive work W_i = -int s_i dh_i.

    Parameters
    ----------
    network : SpinNetwork
    tolerance : relative accuracy of what a period does to a distribution

    Raises
    ------
    NoExactSideError
        If there are more than 12 spins, no unique periodic state, or some states are left so
        rarely that rounding would spoil the answer.
    """

    def __init__(self, network: SpinNetwork, tolerance: float = 1e-10) -> None:
        sites = len(network.bath)
        if sites > MOST_SITES:
            raise NoExactSideError(f"fluctuations are solved up to {MOST_SITES} spins, not {sites}")
        self.network = network
        self.problem = Problem(network)
        self.period = network.period
        self.baths, self.drives = self.problem.baths, self.problem.drives
        chosen = SmallMap if sites <= DENSE_SITES else LargeMap
        self.map: SmallMap | LargeMap = chosen(self.problem, tolerance)

    # -- long times ----------------------------------------------------------------------------

    @cached_property
    def _first(self) -> tuple[Array, Array, Array]:
        """Periodic state, its derivatives (g, 2**n) by every field, and covariances per period."""
        p = self.map.stationary
        kinds = self.baths + self.drives
        _, moved, _ = self.map.pair(p, np.zeros((kinds, len(p))))
        v = self.map.solve(moved - moved.sum(axis=1, keepdims=True) * p)
        _, moved, moments = self.map.pair(p, v)
        mean = moved.sum(axis=1)
        return mean, v, moments - np.outer(mean, mean)

    @property
    def mean_rate(self) -> Array:
        """Mean heats and works (baths + drives,) per unit time."""
        return self._first[0] / self.period

    @property
    def covariance_rate(self) -> Array:
        """Growth of the covariances of heats and works (baths + drives, same) per unit time."""
        return self._first[2] / self.period

    def cumulant_rates(self, weights: Weighting, order: int = 4) -> Array:
        """Growth (order,) of the cumulants 1 ... order of A per unit time, at long times."""
        heat, work = self._weights(weights)
        tilt = tilt_of(self.problem, heat, work)
        center = float(np.append(heat, work) @ self.mean_rate)
        powers = order + 1
        rows = np.zeros((powers, self.problem.states))
        rows[0] = self.map.stationary
        grown = np.zeros(powers)
        grown[0] = 1.0
        for k in range(1, powers):
            # What the rows found so far become, and what of it the power k grows by.
            moved = self.map.series(rows[: k + 1], tilt, center)[k]
            grown[k] = moved.sum()
            back = sum(grown[k - j] * rows[j] for j in range(k))
            rows[k] = self.map.solve(moved - back)
        rates = series.cumulants(series.logarithm(grown)) / self.period
        rates[0] += center
        return np.asarray(rates, np.float64)

    def theta(self, heat: ArrayLike = 0.0, work: ArrayLike = 0.0) -> Array:
        """Scaled cumulant generating function lim (1/t) log <exp(A)>, an inverse time.

        Parameters
        ----------
        heat : (..., baths), or one number for all
        work : (..., drives), or one number for all; the leading axes of both broadcast

        Returns
        -------
        theta : (...), the logarithm of the spectral radius of the tilted map over the period
        """
        fields = full(Weights(heat, work), self.baths, self.drives)
        shape = np.broadcast_shapes(*(f.shape[:-1] for f in fields))
        heats, works = (np.broadcast_to(f, (*shape, f.shape[-1])) for f in fields)
        found = np.empty(shape)
        for at in np.ndindex(shape):
            found[at] = self.map.growth(tilt_of(self.problem, heats[at], works[at]))
        return found / self.period

    def rate_function(self, values: ArrayLike, weights: Weighting) -> Array:
        """Rate function I (...) of A per unit time at values (...), an inverse time.

        See Also
        --------
        trajsim.exact.large_deviation.rate_function
        """
        heat, work = self._weights(weights)
        mean, variance = self.cumulant_rates(weights, 2)

        def theta(g: float) -> float:
            return float(self.theta(g * heat, g * work))

        return large_deviation.rate_function(theta, float(mean), float(variance), values)

    def efficiency_function(self, eta: ArrayLike, hot: int) -> Array:
        """Large-deviation function J (k,) of the efficiency eta = -W / Q_hot, an inverse time.

        The probability that a long run has the efficiency eta falls as exp(-t J(eta)),
        J(eta) = -min_g theta(g eta on the heat of bath `hot`, g on every work): eta is seen where
        eta Q_hot + W = 0 (Verley, Esposito, Willaert & Van den Broeck, Nat. Commun. 5, 4721, 2014).
        """
        etas = np.asarray(eta, np.float64)
        found = np.empty(etas.shape)
        for at in np.ndindex(etas.shape):
            heat = np.zeros(self.baths)
            heat[hot] = etas[at]
            found[at] = self.rate_function(0.0, Weights(heat, 1.0))
        return found

    # -- finite times --------------------------------------------------------------------------

    def log_average(self, start: Array | str, periods: int, weights: Weighting) -> float:
        """log <exp(A)> over `periods` from a start: P (2**n,) or the name of one."""
        tilt = tilt_of(self.problem, *self._weights(weights))
        return self.map.log_average(tilt, self.begin(start), periods)

    def finite_cumulants(
        self, start: Array | str, periods: int, weights: Weighting, order: int = 4
    ) -> Array:
        """Cumulants (order,) of A over `periods` from a start: P (2**n,) or the name of one."""
        heat, work = self._weights(weights)
        tilt = tilt_of(self.problem, heat, work)
        center = float(np.append(heat, work) @ self.mean_rate)
        powers = order + 1
        rows = self.begin(start) * series.exponential(tilt.boundary, powers)
        logarithm = np.zeros(powers)
        for k in range(periods):
            before, grown = rows, logarithm
            rows, logarithm = self._normalised(self.map.series(rows, tilt, center), logarithm)
            if _settled(rows, before):
                # Every period that follows adds as much.
                logarithm = logarithm + (periods - 1 - k) * (logarithm - grown)
                break
        ends = series.exponential(-tilt.boundary, powers)
        rows = np.stack([sum(rows[j] * ends[k - j] for j in range(k + 1)) for k in range(powers)])
        _, logarithm = self._normalised(rows, logarithm)
        found = series.cumulants(logarithm)
        found[0] += center * self.period * periods
        return np.asarray(found, np.float64)

    @staticmethod
    def _normalised(rows: Array, logarithm: Array) -> tuple[Array, Array]:
        """Rows divided by the series of their sum, whose logarithm is added up."""
        total = rows.sum(axis=1)
        divided = np.empty_like(rows)
        for k in range(len(rows)):
            back = sum(total[k - j] * divided[j] for j in range(k))
            divided[k] = (rows[k] - back) / total[0]
        return divided, logarithm + series.logarithm(total)

    def covariance(self, start: Array | str, periods: int) -> Array:
        """Covariances of heats and works (baths + drives, same) over `periods` from a start."""
        p = self.begin(start)
        kinds = self.baths + self.drives
        v, total = np.zeros((kinds, len(p))), np.zeros((kinds, kinds))
        for k in range(periods):
            before = np.concatenate([p[None], v])
            p, v, moments = self.map.pair(p, v)
            mean = v.sum(axis=1)
            v = v - mean[:, None] * p
            gained = moments - np.outer(mean, mean)
            if _settled(np.concatenate([p[None], v]), before):
                return np.asarray(total + (periods - k) * gained)
            total += gained
        return total

    def distribution(
        self,
        start: Array | str,
        periods: int,
        weights: Weighting,
        grid: ArrayLike | None = None,
        tolerance: float = 1e-6,
    ) -> Distribution:
        """Distribution of A over `periods` from a start: P (2**n,) or the name of one.

        Parameters
        ----------
        start, periods, weights : as for `finite_cumulants`
        grid : (k,), points at which to give the density; default: enough of them
        tolerance : of the cumulative distribution. Where few flips happen the density has
            integrable peaks without bound: `error` tells how well it is known

        See Also
        --------
        trajsim.exact.distribution.Distribution.probabilities : of bins, for histograms
        """
        p, tilt = self.begin(start), tilt_of(self.problem, *self._weights(weights))
        mean, variance = self.finite_cumulants(p, periods, weights, 2)

        def log_average(g: float) -> float:
            return self.map.log_average(scaled(tilt, g), p, periods)

        counted = Counted(self.problem, tilt, p, periods, log_average)
        return counted.distribution(float(mean), float(variance), grid, tolerance)

    def begin(self, start: Array | str) -> Array:
        """P (2**n,) of a start given as such or by its name."""
        return start_state(self.network, start) if isinstance(start, str) else np.asarray(start)

    def _weights(self, weights: Weighting) -> tuple[Array, Array]:
        given: Any = weights
        if isinstance(weights, Mapping):
            given = Weights(weights.get("heat", 0.0), weights.get("work", 0.0))
        return full(given, self.baths, self.drives)


def _settled(rows: Array, before: Array) -> bool:
    """Whether each row (m, states) is what it was a period ago, but for rounding."""
    scale = abs(rows).max(axis=1)
    return bool((abs(rows - before).max(axis=1) <= SETTLED * scale).all())
