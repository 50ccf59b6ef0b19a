"""Fluctuations of heat and work of linear oscillators: what all kinds of drives share."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from trajsim.ensemble import large_deviation
from trajsim.ensemble.answers import Array
from trajsim.ensemble.distribution import (
    OUTSIDE,
    Atoms,
    Complex,
    Distribution,
    invert,
    only_atoms,
    window,
)
from trajsim.ensemble.driven_oscillators import DrivenEnsemble
from trajsim.ensemble.gaussian import Gaussian, LinearEnsemble, start_state
from trajsim.ensemble.weights import Weighting, full


class GaussianCounting:
    """Exact fluctuations of heat and work of linear oscillators.

    `weights` and results as in `trajsim.ensemble.jumps.counting.JumpCounting`.

    Parameters
    ----------
    ensemble : of the oscillators
    """

    # Whether distributions and generating functions take seconds, not minutes.
    quick = True

    def __init__(self, ensemble: LinearEnsemble | DrivenEnsemble) -> None:
        self.ensemble, self.network = ensemble, ensemble.network
        self.period, self.n = self.network.period, ensemble.n
        self.baths, self.drives = int(self.network.bath.max()) + 1, self.network.drives

    def _weights(self, weights: Weighting) -> tuple[Array, Array]:
        return full(weights, self.baths, self.drives)

    # -- what is to be known of a kind of drives -----------------------------------------------

    def theta(self, heat: ArrayLike = 0.0, work: ArrayLike = 0.0) -> Array:
        """Scaled cumulant generating function (...) of heat (..., baths) and work (..., drives).

        inf where it does not exist: heat of oscillators has tails that fall exponentially.
        """
        raise NotImplementedError

    def cumulant_rates(self, weights: Weighting, order: int = 4) -> Array:
        """Growth (order,) of the cumulants 1 ... order of A per unit time, at long times."""
        raise NotImplementedError

    def log_averages(
        self, start: Gaussian | str, periods: int, weights: Weighting, z: ArrayLike
    ) -> Complex:
        """log <exp(z A)> (k,) over `periods` from a start, for z (k,), real or complex.

        Parameters
        ----------
        start : Gaussian, or its name
        periods : whole ones
        weights : of heats and works in A
        z : (k,) values of the counting field
        """
        raise NotImplementedError

    def finite_cumulants(
        self, start: Gaussian | str, periods: int, weights: Weighting, order: int = 4
    ) -> Array:
        """Cumulants (order,) of A over `periods` from a start.

        Parameters
        ----------
        start, periods, weights : as for `log_averages`
        order : of the highest cumulant
        """
        raise NotImplementedError

    def _variance_rates(self, vectors: Array) -> Array:
        """Growth (d,) of the variance per unit time for weights (d, baths + drives)."""
        raise NotImplementedError

    def _variances(self, start: Gaussian | str, periods: int, vectors: Array) -> Array:
        """Variances (d,) over `periods` from a start for weights (d, baths + drives)."""
        raise NotImplementedError

    def _is_gaussian(self, weights: Weighting) -> bool:
        """Whether A is Gaussian."""
        raise NotImplementedError

    # -- what follows from it ------------------------------------------------------------------

    @property
    def mean_rate(self) -> Array:
        """Mean heats and works (baths + drives,) per unit time."""
        rates = self.ensemble.currents.rates
        return np.append(rates.heat, rates.work)

    @cached_property
    def covariance_rate(self) -> Array:
        """Growth of the covariances of heats and works (baths + drives, same) per unit time."""
        return self._quadratic(self._variance_rates)

    def _quadratic(self, variances: Callable[[Array], Array]) -> Array:
        """Matrix of a quadratic form from its values (d,) at vectors (d, baths + drives)."""
        unit = np.eye(self.baths + self.drives)
        a, b = np.tril_indices(len(unit), -1)
        values = variances(np.concatenate([unit, unit[a] + unit[b]]))
        diag, sums = values[: len(unit)], values[len(unit) :]
        out = np.diag(diag)
        out[a, b] = out[b, a] = 0.5 * (sums - diag[a] - diag[b])
        return out

    def rate_function(self, values: ArrayLike, weights: Weighting) -> Array:
        """Rate function I (...) of A per unit time at values (...), an inverse time."""
        heat, work = self._weights(weights)
        mean, variance = self.cumulant_rates(weights, 2)

        def theta(g: float) -> float:
            return float(self.theta(g * heat, g * work))

        return large_deviation.rate_function(theta, float(mean), float(variance), values)

    # -- finite times --------------------------------------------------------------------------

    def start_distribution(self, start: Gaussian | str) -> Gaussian:
        """Gaussian of a start given as such or by its name."""
        if not isinstance(start, str):
            return start
        return (
            self.ensemble.periodic_state
            if start == "periodic"
            else start_state(self.network, start)
        )

    def log_average(self, start: Gaussian | str, periods: int, weights: Weighting) -> float:
        """log <exp(A)> over `periods` from a start; inf where it does not exist."""
        return float(self.log_averages(start, periods, weights, [1.0])[0].real)

    def covariance(self, start: Gaussian | str, periods: int) -> Array:
        """Covariances of heats and works (baths + drives, same) over `periods` from a start."""
        return self._quadratic(lambda vectors: self._variances(start, periods, vectors))

    def distribution(
        self,
        start: Gaussian | str,
        periods: int,
        weights: Weighting,
        grid: ArrayLike | None = None,
        tolerance: float = 1e-6,
    ) -> Distribution:
        """Distribution of A over `periods` from a start, as in `Counting`.

        It has no atoms; works of forces are Gaussian.

        Parameters
        ----------
        start, periods, weights : as for `log_averages`
        grid, tolerance : as for `invert`
        """
        mean, variance = self.finite_cumulants(start, periods, weights, 2)
        empty = np.zeros(0)
        if variance <= 1e-24 * max(1.0, mean**2):
            atom = Atoms(np.array([mean]), np.ones(1))
            return only_atoms(atom, (mean - 1.0, mean + 1.0), grid)
        if self._is_gaussian(weights):
            half_width = np.sqrt(-2.2 * OUTSIDE * variance)

            def gaussian(w: Array) -> Complex:
                return np.asarray(np.exp(1j * w * mean - 0.5 * variance * w**2), np.complex128)

            ends = float(mean - half_width), float(mean + half_width)
            return invert(gaussian, ends, Atoms(empty, empty), 0.0, tolerance, grid)

        def log_average(g: float) -> float:
            return float(self.log_averages(start, periods, weights, [g])[0].real)

        def characteristic(w: Array) -> Complex:
            return np.asarray(np.exp(self.log_averages(start, periods, weights, 1j * w)))

        ends = window(log_average, float(np.sqrt(variance)))
        return invert(characteristic, ends, Atoms(empty, empty), 0.0, tolerance, grid)
