"""Exact fluctuations over the windows of a run."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.histograms import Histogram
from trajsim.analysis.windows import Observable, Windows
from trajsim.comparison.covariances import with_total
from trajsim.comparison.settings import states_of
from trajsim.config import Experiment
from trajsim.ensemble import NoExactSideError, counting_of
from trajsim.ensemble.protocols import Counting
from trajsim.ensemble.weights import EXCHANGED, Weights

Array = NDArray[np.float64]

# Seconds that second moments may take beside a run.
PATIENCE = 20.0


class ExactFluctuations:
    """Exact values of the estimates of `trajsim.analysis.fluctuations`, for one network.

    Windows of a trajectory are pooled. A window that begins with the mean of the distributions at
    their starts has the moments and the distribution of all windows together.

    Parameters
    ----------
    experiment : one point
    patience : seconds that second moments may take

    Raises
    ------
    trajsim.ensemble.NoExactSideError
        If it would take longer, or forces are not linear.
    """

    def __init__(self, experiment: Experiment, patience: float = PATIENCE) -> None:
        self.experiment = experiment
        self.counting = counting_of(experiment.network(), patience=patience)
        self._states = states_of(experiment)
        labels = experiment.labels
        self.baths, self.drives = labels["bath"], labels["drive"]
        self.exchanged = EXCHANGED if experiment.exchanging else ()

    # -- windows and weights ---------------------------------------------------------------------

    def weights(self, observable: Observable) -> tuple[Array, Array]:
        """Weights of heats (baths,) and works of an observable.

        Those of the drives are followed by those of `EXCHANGED` where there are particles.
        """
        heat = np.zeros(len(self.baths))
        drives = len(self.drives)
        work = np.zeros(drives + len(self.exchanged) * len(self.baths))
        if observable.kind == "heat":
            heat[self.baths.index(observable.label)] = 1.0
        elif observable.total:
            work[:drives] = 1.0
        elif observable.kind in self.exchanged:
            block = self.exchanged.index(observable.kind) * len(self.baths)
            work[drives + block + self.baths.index(observable.label)] = 1.0
        else:
            work[self.drives.index(observable.label)] = 1.0
        return heat, work

    def start(self, windows: Windows) -> Any:
        """P (2**n,) or Gaussian at the starts of windows, averaged over those of a trajectory.

        Raises
        ------
        trajsim.ensemble.NoExactSideError
            If windows of oscillators begin differently: their average is not Gaussian.
        """
        return self._states.mean(windows.starts)

    def of(self, windows: Windows) -> Counting:
        """Counting from the starts of windows.

        Raises
        ------
        trajsim.ensemble.NoExactSideError
            If only some of them begin at time 0, with other parameters than those that follow.
        """
        first = self.experiment.ensemble.burn_in == 0 and 0 in windows.starts
        if self.experiment.returns or (first and len(windows.starts) == 1):
            return self.counting
        if first:
            raise NoExactSideError(
                "the first window begins with other parameters than those that follow"
            )
        return self.counting.later

    @staticmethod
    def periods(windows: Windows) -> int:
        """Length of windows in whole periods.

        Raises
        ------
        trajsim.ensemble.NoExactSideError
            If they are parts of periods.
        """
        periods = round(windows.periods)
        if abs(periods - windows.periods) > 1e-9 or periods == 0:
            raise NoExactSideError("exact fluctuations are those of whole periods")
        return periods

    # -- results -----------------------------------------------------------------------------------

    def covariance(self, windows: Windows) -> Array:
        """Covariances (q, q) of all observables over a window, per unit time."""
        covariance = self.of(windows).covariance(self.start(windows), self.periods(windows))
        return with_total(covariance, len(self.baths), len(self.drives)) / windows.time

    def cumulants(self, observables: list[Observable], windows: Windows) -> Array:
        """First four cumulants (4, q) over a window, per unit time."""
        start, periods = self.start(windows), self.periods(windows)
        cumulants = [
            self.of(windows).finite_cumulants(start, periods, Weights(*self.weights(o)))
            for o in observables
        ]
        return np.stack(cumulants, axis=1) / windows.time

    def cumulant_rates(self, observables: list[Observable]) -> Array:
        """First four cumulants (4, q) per unit time, for long times."""
        cumulants = [self.counting.cumulant_rates(Weights(*self.weights(o))) for o in observables]
        return np.stack(cumulants, axis=1)

    def probabilities(
        self, observable: Observable, windows: Windows, histogram: Histogram
    ) -> tuple[Array, Array]:
        """Probabilities of the bins (bins,), and estimates of their errors (bins,)."""
        start, periods = self.start(windows), self.periods(windows)
        exact = self.of(windows).distribution(start, periods, Weights(*self.weights(observable)))
        edges = histogram.edges
        return exact.probabilities(edges), exact.probability_errors(edges)

    def theta(self, observable: Observable, windows: Windows, argument: Array) -> Array:
        """ln <exp(lambda X)> / time (k,) over a window."""
        start, periods = self.start(windows), self.periods(windows)
        heat, work = self.weights(observable)
        counting = self.of(windows)
        logs = [counting.log_average(start, periods, Weights(g * heat, g * work)) for g in argument]
        return np.array(logs) / windows.time

    def long_theta(self, observable: Observable, argument: Array) -> Array:
        """theta (k,) for long times."""
        heat, work = self.weights(observable)
        return self.counting.theta(np.outer(argument, heat), np.outer(argument, work))

    def partner_theta(self, observable: Observable, argument: Array) -> Array:
        """theta (k,) for long times with weights 1/T on every heat, minus those of `argument`.

        For the reversed protocol it equals that of the forward one at `argument` on the observable
        (Gallavotti-Cohen symmetry); nan where a temperature is driven, for single heats have no
        such symmetry then.
        """
        if self.experiment.heated:
            return np.full(len(argument), np.nan)
        heat, work = self.weights(observable)
        beta = 1.0 / np.array(list(self.experiment.temperatures.values()))
        return self.counting.theta(beta - np.outer(argument, heat), -np.outer(argument, work))

    def reversed_experiment(self) -> Experiment:
        """The same experiment with the reversed protocol."""
        drive = self.experiment.drive
        direction = "reverse" if drive.direction == "forward" else "forward"
        return self.experiment.model_copy(
            update={"drive": drive.model_copy(update={"direction": direction})}
        )
