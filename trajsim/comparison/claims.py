"""Which points of a sampled sweep are pumps or engines beyond doubt, and which beyond doubt not.

A sign is sure beyond `threshold` standard errors, which makes `FALSE_ALARM` the chance that any
sign of the whole sweep is named wrongly.
"""

from dataclasses import dataclass
from typing import NamedTuple

from trajsim.analysis.averages import Averages
from trajsim.analysis.regimes import Sigmas
from trajsim.comparison.verdict import CannotCheckError, threshold
from trajsim.config import Config


class Claimed(NamedTuple):
    """One point: "engine", "pump", "transfer", "neither" or "open", and what that rests on."""

    sampled: Averages
    name: str
    sigmas: Sigmas


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
    judged, tests = [], 0
    for a in sampled:
        temperatures = config.at(a.parameters).temperatures
        if not a.of("work"):
            raise CannotCheckError("nothing is driven: there is neither an engine nor a pump")
        if len(set(temperatures.values())) > 2:
            raise CannotCheckError("pumps and engines are defined between two temperatures")
        off = a.sigmas(temperatures)
        judged.append((a, off))
        # The work, and the heat from the colder baths or from each of equally warm ones. A claim
        # that asks for more than these signs is not wrong more often.
        tests += 1 + (len(off.heats) if off.cold is None else 1)
    limit = threshold(min((a.trajectories for a in sampled), default=0), tests)
    return Claims(limit, tests, [Claimed(a, off.claim(limit), off) for a, off in judged])
