"""Thermodynamic uncertainty relation of periodically driven systems.

D sigma >= 2 (q - Omega dq/dOmega)^2 with D the growth of the variance of a heat, q its rate and
sigma the entropy production rate (Koyuk & Seifert, Phys. Rev. Lett. 122, 230601 (2019)), for long
times. Without the derivative it is no bound for driven systems; in undriven ones the derivative is
zero, and it is the bound of Barato & Seifert, Phys. Rev. Lett. 114, 158101 (2015).
"""

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.batches import Batches, jackknife
from trajsim.analysis.cumulants import PowerSums, k_statistics
from trajsim.analysis.estimate import Estimate
from trajsim.analysis.theorems.setting import Columns, Outcome, Prediction, Setting
from trajsim.ledger import Layout

Array = NDArray[np.float64]

# Trajectories below which a variance does not have a normal error.
FEWEST = 400


class Uncertainty:
    """D sigma / (2 (q - Omega dq/dOmega)^2) of each bath's heat, which is at least 1."""

    name = "uncertainty"
    columns = ("heat",)

    def __init__(self, setting: Setting, layout: Layout, point: int) -> None:
        law = "2 (q - Omega dq/dOmega)^2" if setting.driven else "2 q^2"
        self.statement = f"Var-rate * sigma >= {law}, for long times"
        self.refusal = setting.not_settled()
        if setting.balanced:
            self.refusal = "in equilibrium nothing flows"
        if setting.heated:
            self.refusal = "a temperature is driven"
        if self.refusal is None and setting.speed_slope is None:
            self.refusal = setting.no_speed_slope
        self._setting, self._baths = setting, layout.labels["bath"]
        self._time, self._periods = layout.duration(point), layout.rows * layout.row_periods
        self._batches = Batches.of(layout.trajectories, 6 * len(self._baths))
        self._sums: PowerSums | None = None
        self._first = 0

    def add(self, columns: Columns) -> None:
        """Add trajectories, in order."""
        heat = columns["heat"].sum(axis=1)
        if self._sums is None:
            self._sums = PowerSums(self._batches, heat.mean(axis=0))
        self._sums.add(self._first, heat[:, None, :])
        self._first += len(heat)

    def outcome(self) -> Outcome:
        """Result of the test, from all trajectories so far."""
        if self.refusal or self._sums is None:
            return Outcome(self.name, self.statement, self.refusal)
        sums, time = self._sums, self._time
        slope, beta = self._setting.speed_slope, 1.0 / self._setting.temperatures
        assert slope is not None

        def ratios(n: Array, powers: Array) -> Array:
            k = k_statistics(n, powers)
            q, growth = (k[:, 0] + sums.reference) / time, k[:, 1] / time
            sigma = -(q @ beta)[:, None]
            bounds = [growth * sigma / (2 * (q - derivative) ** 2) for derivative in (slope, 0.0)]
            return np.stack(bounds, axis=1)

        (bound, steady), (error, _) = jackknife(ratios, sums.count, sums.powers)
        n = int(sums.count.sum())
        label = f"over {self._periods:g} periods"
        return Outcome(
            self.name,
            self.statement,
            None,
            [
                Prediction(
                    f"heat.{bath} {label}",
                    *(Estimate(float(bound[k]), float(error[k])), 1.0, n, n >= FEWEST),
                    needed=FEWEST,
                )
                for k, bath in enumerate(self._baths)
            ],
            bound=True,
            remarks={
                f"heat.{bath}: without the derivative (not a bound)": float(steady[k])
                for k, bath in enumerate(self._baths)
                if self._setting.driven
            },
        )
