"""Published numbers beside ours."""

from typing import NamedTuple

import numpy as np

from trajsim.analysis.estimate import Estimate
from trajsim.comparison.verdict import threshold
from trajsim.explore import exact_regime
from trajsim.paper.published import Number, Parameters
from trajsim.paper.runs import Finished


class Compared(NamedTuple):
    """A published number beside ours.

    Attributes
    ----------
    number : as published
    exact, sampled : ours
    limit : allowed difference of sampled and exact, in standard errors
    """

    number: Number
    exact: float
    sampled: Estimate
    limit: float

    @property
    def deviation(self) -> float:
        """Relative deviation of our exact value from the published one."""
        return (self.exact - self.number.value) / abs(self.number.value)

    @property
    def sigma(self) -> float:
        """Standard errors between sampled and exact."""
        return (self.sampled.mean - self.exact) / self.sampled.stderr

    @property
    def significance(self) -> float:
        """Standard errors between sampled and zero, positive if the sign is the published one."""
        return float(np.sign(self.number.value)) * self.sampled.mean / self.sampled.stderr

    @property
    def holds(self) -> bool:
        """Exact within one of the last printed digit, sampled agrees, and its sign significant."""
        close = abs(self.exact - self.number.value) <= self.number.unit
        return close and abs(self.sigma) <= self.limit < self.significance


def compared(number: Number, run: Finished) -> Compared:
    """A number beside that of a run of one point."""
    (sampled,), (solved,) = run.averages, run.solved
    experiment = run.experiment()
    kind, _, label = number.quantity.partition(".")
    if kind == "efficiency":
        estimate_exact = exact_regime(experiment, solved.currents).efficiency
        exact = estimate_exact.mean if estimate_exact else float("nan")
        estimate = sampled.regime.efficiency
    else:
        index = list(experiment.baths).index(label)
        exact = float(getattr(solved.currents.rates, kind)[index])
        estimate = sampled.of(kind)[label]
    limit = threshold(sampled.trajectories, 1)
    return Compared(number, exact, estimate or Estimate(float("nan"), float("nan")), limit)


def has(run: Finished, wanted: Parameters) -> bool:
    """Whether some point of a run has these parameters."""
    from trajsim.config.keys import find

    def value(data: object, key: str) -> object:
        for step in find(data, key):  # type: ignore[arg-type]
            data = data[step]  # type: ignore[index]
        return data

    return any(
        all(value(point.experiment.model_dump(), key) == x for key, x in wanted.values.items())
        for point in run.config.points
    )
