"""The two interfaces of every exact ensemble: means, and fluctuations.

Jumps (`trajsim.ensemble.jumps`) and linear oscillators (`trajsim.ensemble.gaussian` and
`trajsim.ensemble.oscillator_counting`, or `trajsim.ensemble.driven_oscillators` and
`trajsim.ensemble.driven_counting`) implement both, so that callers need not know the model. A
state is P (states,) of jumps and a `Gaussian` of oscillators.
"""

from typing import Any, Protocol

from numpy.typing import ArrayLike

from trajsim.ensemble.answers import Array, Currents, TimeSeries, Window
from trajsim.ensemble.distribution import Distribution
from trajsim.ensemble.weights import Weighting
from trajsim.plan import Plan


class Ensemble(Protocol):
    """Means of heats, works and states."""

    @property
    def periodic_state(self) -> Any:
        """State at the beginning of the period that returns to itself after one."""

    @property
    def currents(self) -> Currents:
        """Period-averaged rates in the periodic state, and their errors."""

    def time_series(self, start: Any, segments: int, periods: int = 1) -> TimeSeries:
        """State and energetics from time 0 through whole periods, in equal segments."""

    def window(self, start: Any, plan: Plan) -> Window:
        """Averages over the recorded periods of trajectories that begin with `start`."""


class Counting(Protocol):
    """Fluctuations of A = sum_b heat_b Q_b + sum_i work_i W_i, with any weights."""

    period: float

    @property
    def quick(self) -> bool:
        """Whether distributions and generating functions take seconds, not minutes."""

    @property
    def later(self) -> "Counting":
        """The same for times that begin after whole periods, not at time 0."""

    @property
    def mean_rate(self) -> Array:
        """Mean heats and works (baths + drives,) per unit time."""

    @property
    def covariance_rate(self) -> Array:
        """Growth of the covariances of heats and works (baths + drives, same) per unit time."""

    def cumulant_rates(self, weights: Weighting, order: int = 4) -> Array:
        """Growth (order,) of the cumulants 1 ... order of A per unit time, at long times."""

    def theta(self, heat: ArrayLike = 0.0, work: ArrayLike = 0.0) -> Array:
        """Scaled cumulant generating function (...) of heat (..., baths) and work (..., drives)."""

    def rate_function(self, values: ArrayLike, weights: Weighting) -> Array:
        """Rate function (...) of A per unit time at values (...)."""

    def efficiency_function(self, eta: ArrayLike, hot: int) -> Array:
        """Large-deviation function (k,) of the efficiency -W / Q_hot."""

    def log_average(self, start: Any, periods: int, weights: Weighting) -> float:
        """log <exp(A)> over `periods` from a start."""

    def finite_cumulants(
        self, start: Any, periods: int, weights: Weighting, order: int = 4
    ) -> Array:
        """Cumulants (order,) of A over `periods` from a start.

        Parameters
        ----------
        start : state, or its name
        periods : whole ones
        weights : of heats and works in A
        order : of the highest cumulant
        """

    def covariance(self, start: Any, periods: int) -> Array:
        """Covariances of heats and works (baths + drives, same) over `periods` from a start."""

    def distribution(
        self,
        start: Any,
        periods: int,
        weights: Weighting,
        grid: ArrayLike | None = None,
        tolerance: float = 1e-6,
    ) -> Distribution:
        """Distribution of A over `periods` from a start.

        Parameters
        ----------
        start, periods, weights : as for `finite_cumulants`
        grid : points at which to give the density; default: enough of them
        tolerance : of the cumulative distribution
        """
