"""Full counting statistics of jumps: how heat and work fluctuate, without sampling.

Cumulants come from power series in the counting field, not from differences; the scaled cumulant
generating function from the tilted map of one period (`trajsim.ensemble.jumps.tilt`).
"""

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from trajsim.ensemble import large_deviation, series
from trajsim.ensemble.answers import Array
from trajsim.ensemble.distribution import Distribution
from trajsim.ensemble.jumps.channels import JumpProcess
from trajsim.ensemble.jumps.counting_dense import DenseCounting
from trajsim.ensemble.jumps.counting_sparse import SparseCounting
from trajsim.ensemble.jumps.distribution import CountingDistribution
from trajsim.ensemble.jumps.tilt import Tilt
from trajsim.ensemble.weights import Weighting, expect_periods, full, many

# Change, relative to the largest entry, below which a period is taken to repeat the one before.
SETTLED = 1e-10
# States up to which fluctuations are solved with matrices.
MOST_DENSE = 64
# States up to which distributions take seconds.
QUICK = 32


class JumpCounting:
    """Exact fluctuations of heat and work of a jump process.

    Every `weights` is a `Weights` or a mapping with "heat" (baths,) and "work" (drives,), either
    of which may be left out (0) or one number (for all): A = sum_b heat_b Q_b + sum_d work_d W_d,
    with the inclusive work W_d = int (dE / d lambda_d) d lambda_d. Where there are particles the
    mapping may have "chemical_work" and "particles" (baths,), whose means and covariances follow
    those of the works. A start is P (states,).

    Parameters
    ----------
    process : JumpProcess
    tolerance : relative accuracy of what a period does to a distribution
    start_state : P (states,) of a start given by its name; default: "periodic" alone has one
    patience : seconds that second moments may take

    Raises
    ------
    NoExactSideError
        If it would take too long, there is no unique periodic state, or some states are left so
        rarely that rounding would spoil the answer.
    """

    def __init__(
        self,
        process: JumpProcess,
        tolerance: float = 1e-10,
        start_state: Callable[[str], Array] | None = None,
        patience: float = math.inf,
    ) -> None:
        self.process, self._start_state = process, start_state
        self.period = process.period
        self.baths, self.drives = process.baths, process.works
        self.map: DenseCounting | SparseCounting = (
            DenseCounting(process, tolerance)
            if process.states <= MOST_DENSE
            else SparseCounting(process, patience)
        )

    @property
    def quick(self) -> bool:
        """Whether distributions and generating functions take seconds, not minutes."""
        return self.process.states <= QUICK

    @property
    def later(self) -> "JumpCounting":
        """The same for times that begin after whole periods, with the parameters of their end."""
        other = copy.copy(self)
        other.process = replace(self.process, opening=self.process.ends()[1])
        return other

    # -- long times ----------------------------------------------------------------------------

    @cached_property
    def _moments(self) -> tuple[Array, Array, Array]:
        """Mean per period, derivatives (g, n) of the periodic state, covariances per period."""
        p = self.map.stationary
        observables = self.baths + self.process.drives
        _, carried, _ = self.map.carry_moments(p, np.zeros((observables, len(p))))
        derivatives = self.map.solve(carried - carried.sum(axis=1, keepdims=True) * p)
        _, carried, moments = self.map.carry_moments(p, derivatives)
        mean = carried.sum(axis=1)
        return mean, derivatives, moments - np.outer(mean, mean)

    @property
    def mean_rate(self) -> Array:
        """Mean heats and works (baths + drives,) per unit time."""
        return self._moments[0] / self.period

    @property
    def covariance_rate(self) -> Array:
        """Growth of the covariances of heats and works (baths + drives, same) per unit time."""
        return self._moments[2] / self.period

    def cumulant_rates(self, weights: Weighting, order: int = 4) -> Array:
        """Growth (order,) of the cumulants 1 ... order of A per unit time, at long times."""
        tilt, center = self._tilt(weights), self._center(weights)
        powers = order + 1
        rows = np.zeros((powers, self.process.states))
        rows[0] = self.map.stationary
        growth = np.zeros(powers)
        growth[0] = 1.0
        carry = self.map.series(tilt, center, powers)
        for k in range(1, powers):
            # Order k of U(z) p(z) = growth(z) p(z), from the lower orders.
            carried = carry(rows)[k]
            growth[k] = carried.sum()
            lower = sum(growth[k - j] * rows[j] for j in range(k))
            rows[k] = self.map.solve(carried - lower)
        rates = series.cumulants(series.logarithm(growth)) / self.period
        rates[0] += center
        return np.asarray(rates, np.float64)

    def theta(self, heat: ArrayLike = 0.0, work: ArrayLike = 0.0) -> Array:
        """Scaled cumulant generating function lim (1/t) log <exp(A)>, an inverse time.

        Parameters
        ----------
        heat : (..., baths), or one number for all
        work : (..., drives), or one number for all, and where there are particles (..., drives +
            2 baths), as in `Weights`; the leading axes of both broadcast

        Returns
        -------
        theta : (...), the logarithm of the spectral radius of the tilted map over the period; inf
            where the weight of a single jump, or theta, is beyond all numbers
        """
        reservoirs = self.process.reservoirs
        heats, works, shape = many(heat, work, self.baths, self.drives, reservoirs)
        growth = self.map.growth(Tilt.of(self.process, heats, works))
        return np.asarray(growth.reshape(shape) / self.period)

    def rate_function(self, values: ArrayLike, weights: Weighting) -> Array:
        """Rate function I (...) of A per unit time at values (...), an inverse time.

        See Also
        --------
        trajsim.ensemble.large_deviation.rate_function
        """
        tilt = self._tilt(weights)
        mean, variance = self.cumulant_rates(weights, 2)

        def theta(g: float) -> float:
            return float(self.map.growth(tilt.times([g]))[0] / self.period)

        return large_deviation.rate_function(theta, float(mean), float(variance), values)

    def efficiency_function(self, eta: ArrayLike, hot: int) -> Array:
        """Large-deviation function J (k,) of the efficiency eta = -W / Q_hot, an inverse time.

        The probability that a long run has the efficiency eta falls as exp(-t J(eta)),
        J(eta) = -min_g theta(g eta on the heat of bath `hot`, g on every work): eta is seen where
        eta Q_hot + W = 0 (Verley, Esposito, Willaert & Van den Broeck, Nat. Commun. 5, 4721, 2014).
        Chemical work is work.
        """
        etas = np.asarray(eta, np.float64)
        values = np.empty(etas.shape)
        for index in np.ndindex(etas.shape):
            heat = np.zeros(self.baths)
            heat[hot] = etas[index]
            every = {"chemical_work": 1.0} if self.process.reservoirs else {}
            values[index] = self.rate_function(0.0, {"heat": heat, "work": 1.0, **every})
        return values

    # -- finite times --------------------------------------------------------------------------

    def log_average(self, start: Array | str, periods: int, weights: Weighting) -> float:
        """log <exp(A)> over `periods` from a start."""
        expect_periods(periods)
        return self.map.log_average(self._tilt(weights), self.start_distribution(start), periods)

    def finite_cumulants(
        self, start: Array | str, periods: int, weights: Weighting, order: int = 4
    ) -> Array:
        """Cumulants (order,) of A over `periods` from a start.

        Parameters
        ----------
        start : P (states,), or its name
        periods : whole ones
        weights : of heats and works in A
        order : of the highest cumulant
        """
        expect_periods(periods)
        tilt, center = self._tilt(weights), self._center(weights)
        powers = order + 1
        rows = self.start_distribution(start) * series.exponential(tilt.begin[0], powers)
        logarithm = np.zeros(powers)
        carry = self.map.series(tilt, center, powers)
        for k in range(periods):
            before, logarithm_before = rows, logarithm
            rows, logarithm = self._normalised(carry(rows), logarithm)
            if _settled(rows, before):
                # Every period that follows adds as much.
                logarithm = logarithm + (periods - 1 - k) * (logarithm - logarithm_before)
                break
        ends = series.exponential(tilt.end[0], powers)
        rows = np.stack([sum(rows[j] * ends[k - j] for j in range(k + 1)) for k in range(powers)])
        _, logarithm = self._normalised(rows, logarithm)
        cumulants = series.cumulants(logarithm)
        cumulants[0] += center * self.period * periods
        return np.asarray(cumulants, np.float64)

    @staticmethod
    def _normalised(rows: Array, logarithm: Array) -> tuple[Array, Array]:
        """Rows divided by the series of their sum, whose logarithm is added up."""
        total = rows.sum(axis=1)
        divided = np.empty_like(rows)
        for k in range(len(rows)):
            lower = sum(total[k - j] * divided[j] for j in range(k))
            divided[k] = (rows[k] - lower) / total[0]
        return divided, logarithm + series.logarithm(total)

    def covariance(self, start: Array | str, periods: int) -> Array:
        """Covariances of heats and works (baths + drives, same) over `periods` from a start."""
        expect_periods(periods)
        p = self.start_distribution(start)
        observables = self.baths + self.process.drives
        # The first period begins with the parameters of time 0, not with those of the end of one.
        opening, closing = self.process.ends()
        work = np.zeros((observables, len(p)))
        work[self.baths :] = (closing - opening)[:, None] * self.process.conjugate
        derivatives = work * p
        mean = derivatives.sum(axis=1)
        total = derivatives @ work.T - np.outer(mean, mean)
        derivatives = derivatives - mean[:, None] * p
        for k in range(periods):
            before = np.concatenate([p[None], derivatives])
            p, derivatives, moments = self.map.carry_moments(p, derivatives)
            mean = derivatives.sum(axis=1)
            derivatives = derivatives - mean[:, None] * p
            covariance = moments - np.outer(mean, mean)
            if _settled(np.concatenate([p[None], derivatives]), before):
                return np.asarray(total + (periods - k) * covariance)
            total += covariance
        return total

    def distribution(
        self,
        start: Array | str,
        periods: int,
        weights: Weighting,
        grid: ArrayLike | None = None,
        tolerance: float = 1e-6,
    ) -> Distribution:
        """Distribution of A over `periods` from a start.

        Parameters
        ----------
        start, periods, weights : as for `finite_cumulants`
        grid : (k,), points at which to give the density; default: enough of them
        tolerance : of the cumulative distribution. Where few jumps happen the density has
            integrable peaks without bound: `error` tells how well it is known

        See Also
        --------
        trajsim.ensemble.distribution.Distribution.probabilities : of bins, for histograms
        """
        expect_periods(periods)
        p, tilt = self.start_distribution(start), self._tilt(weights)
        mean, variance = self.finite_cumulants(p, periods, weights, 2)
        counted = CountingDistribution(self.map, tilt, p, periods)
        return counted.distribution(float(mean), float(variance), grid, tolerance)

    def start_distribution(self, start: Array | str) -> Array:
        """P (states,) of a start given as such or by its name.

        Raises
        ------
        ValueError
            If it is no distribution, or there is no start of this name.
        """
        if not isinstance(start, str):
            p = np.asarray(start, np.float64)
            states = self.process.states
            if p.shape != (states,) or not (p >= 0.0).all() or abs(p.sum() - 1.0) > 1e-8:
                raise ValueError(f"a start is {states} probabilities that add up to 1")
            return p
        if start == "periodic":
            return self.map.stationary
        if self._start_state is None:
            raise ValueError(f'a start is P (states,) or "periodic", not {start!r}')
        return self._start_state(start)

    def _tilt(self, weights: Weighting) -> Tilt:
        heat, work = self._full(weights)
        return Tilt.of(self.process, heat[None], work[None])

    def _center(self, weights: Weighting) -> float:
        return float(np.append(*self._full(weights)) @ self.mean_rate)

    def _full(self, weights: Weighting) -> tuple[Array, Array]:
        return full(weights, self.baths, self.drives, self.process.reservoirs)


def _settled(rows: Array, before: Array) -> bool:
    """Whether each row (m, states) is the same as a period ago, within rounding."""
    scale = abs(rows).max(axis=1)
    return bool((abs(rows - before).max(axis=1) <= SETTLED * scale).all())
