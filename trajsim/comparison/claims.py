"""Which points of a sampled sweep are pumps or engines beyond doubt, and which beyond doubt not.

A sign is sure where a mean lies beyond `threshold` standard errors and beyond rounding and, of
oscillators, the integrator's own error besides: what it adds to the energy could be missing from
any heat or work.
The threshold makes `FALSE_ALARM` the chance that any sign of the whole sweep is named wrongly.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.averages import Averages
from trajsim.analysis.estimate import sign
from trajsim.analysis.regimes import hot_and_cold
from trajsim.comparison.verdict import CannotCheckError, threshold
from trajsim.config import Config

Array = NDArray[np.float64]


class Evidence(NamedTuple):
    """Means that a claim rests on, in standard errors (after rounding and the integrator's error).

    work : of all drives; below 0 an engine's
    taken : largest heat from the colder bath, or from either of two equally warm ones; above 0 a
        pump's
    """

    work: float
    taken: float


class Claimed(NamedTuple):
    """One point: "engine", "pump", "transfer", "neither" or "open", and the evidence."""

    sampled: Averages
    name: str
    evidence: Evidence


@dataclass(frozen=True)
class Claims:
    """What is sure of a sweep: `tests` signs were judged at `threshold` standard errors."""

    threshold: float
    tests: int
    points: list[Claimed]

    def count(self, name: str) -> int:
        """Number of points with this name."""
        return sum(point.name == name for point in self.points)


def claims(config: Config, sampled: list[Averages]) -> Claims:
    """Judge every point of a run.

    Parameters
    ----------
    config : the one the run was made from
    sampled : averages of the run

    Raises
    ------
    CannotCheckError
        If nothing is driven, baths have more than two temperatures, or there are fewer than two
        trajectories.
    """
    judged = []
    for a in sampled:
        temperatures = config.at(a.parameters).temperatures
        if not a.of("work"):
            raise CannotCheckError("nothing is driven: there is neither an engine nor a pump")
        if len(set(temperatures.values())) > 2:
            raise CannotCheckError("pumps and engines are defined between two temperatures")
        masks = hot_and_cold(temperatures)
        # One sum over the colder baths, or each of the equally warm ones for itself.
        colder = np.eye(len(temperatures)) if masks is None else masks[1][None].astype(float)
        judged.append((a, masks is None, colder))
    tests = sum(1 + len(colder) for _, _, colder in judged)
    limit = threshold(min((a.trajectories for a in sampled), default=0), tests)
    return Claims(limit, tests, [_claimed(*each, limit) for each in judged])


def _claimed(a: Averages, equal: bool, colder: Array, limit: float) -> Claimed:
    doubt = a.rounding + (abs(a.shadow_work.mean) if a.shadow_work else 0.0)
    weights = np.vstack([np.eye(colder.shape[1] + 1)[-1], np.pad(colder, ((0, 0), (0, 1)))])
    means = weights @ np.append([e.mean for e in a.of("heat").values()], a.total_work.mean)
    errors = np.sqrt(np.einsum("ij,jk,ik->i", weights, a.covariance, weights))
    each = list(zip(map(float, means), map(float, errors), strict=True))
    work, *taken = (sign(mean, error, limit, doubt) for mean, error in each)
    if work < 0:
        name = "engine"
    elif max(taken) > 0:
        name = "transfer" if equal else "pump"
    elif work > 0 and set(taken) == {-1}:
        name = "neither"
    else:
        name = "open"
    sigmas = [_beyond(mean, error, doubt) for mean, error in each]
    return Claimed(a, name, Evidence(sigmas[0], max(sigmas[1:])))


def _beyond(mean: float, error: float, doubt: float) -> float:
    """What of a mean is beyond doubt, in standard errors."""
    sure = max(0.0, abs(mean) - doubt)
    if sure == 0.0 or not error >= 0.0:
        return 0.0
    return float(np.copysign(sure / error if error > 0 else np.inf, mean))
