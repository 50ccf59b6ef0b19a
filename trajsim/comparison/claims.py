"""Points of a sampled sweep that are significantly pumps or engines, or significantly not.

A sign is significant beyond `threshold` standard errors, so that `FALSE_ALARM` is the probability
that any sign of the whole sweep is wrong.
"""

from dataclasses import dataclass
from typing import NamedTuple

from trajsim.analysis.averages import Averages
from trajsim.analysis.regimes import Sigmas
from trajsim.comparison.verdict import CannotCheckError, threshold
from trajsim.config import Config


class Claimed(NamedTuple):
    """One point: "engine", "pump", "transfer", "neither" or "open", and its signs in errors."""

    sampled: Averages
    name: str
    sigmas: Sigmas


@dataclass(frozen=True)
class Claims:
    """Significant results of a sweep: `tests` signs were judged at `threshold` standard errors."""

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
    points, tests = [], 0
    for a in sampled:
        temperatures = config.at(a.parameters).regime_temperatures
        if not a.of("work"):
            raise CannotCheckError("nothing is driven: there is neither an engine nor a pump")
        if len(set(temperatures.values())) > 2:
            raise CannotCheckError("pumps and engines are defined between two temperatures")
        sigmas = a.sigmas(temperatures)
        points.append((a, sigmas))
        # Two signs: the work, and the heat from the colder baths (or each of equally warm ones). A
        # claim that needs more signs is not wrong more often.
        tests += 1 + (len(sigmas.heats) if sigmas.cold is None else 1)
    limit = threshold(min((a.trajectories for a in sampled), default=0), tests)
    return Claims(limit, tests, [Claimed(a, sigmas.claim(limit), sigmas) for a, sigmas in points])
