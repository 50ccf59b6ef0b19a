"""Comparisons in standard errors, and the verdict on all of them together."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from trajsim.errors import TrajsimError

# Chance that a correct run is said to disagree, over all its quantities and points.
FALSE_ALARM = 1e-4
# A mean over fewer events has no normal error: it is shown, not judged.
FEWEST_EVENTS = 400
FIRST_LAW = "first_law"


class CannotCheckError(TrajsimError, ValueError):
    """A run that has nothing exact to be compared with; the message says why."""


class Comparison(NamedTuple):
    """One quantity, sampled and exact.

    Attributes
    ----------
    stderr : standard error; nan for the first law, which is not a mean
    sigma : difference in standard errors; None where there were too few events to judge
    rounding : by how much both may differ besides, by rounding and errors of the exact solution;
        less is no difference
    """

    name: str
    sampled: float
    stderr: float
    exact: float
    sigma: float | None
    rounding: float = 0.0


@dataclass(frozen=True)
class CheckedPoint:
    """All comparisons at one point of a run."""

    parameters: dict[str, float]
    quantities: list[Comparison]


@dataclass(frozen=True, repr=False)
class Check:
    """The verdict on a run.

    `damage` tells what is wrong with the run itself, if anything is; `reference` what it was
    compared with.
    """

    threshold: float
    points: list[CheckedPoint]
    damage: str | None = None
    reference: str = "exact"

    def __repr__(self) -> str:
        word = "agrees" if self.agrees else "DISAGREES"
        return f"<Check: {word} in {self.extent}>"

    @property
    def extent(self) -> str:
        """How many quantities were judged, and how far off the furthest is, in words."""
        unit = "times the rounding" if self.worst.name == FIRST_LAW else "standard errors"
        return (
            f"{len(self.judged)} quantities, the furthest off {self.worst.name} by "
            f"{self.worst.sigma:+.2f} {unit} (allowed {self.threshold:.2f})"
        )

    @property
    def judged(self) -> list[Comparison]:
        """Comparisons that count."""
        return [q for point in self.points for q in point.quantities if q.sigma is not None]

    @property
    def worst(self) -> Comparison:
        """The comparison furthest off."""
        return max(self.judged, key=lambda q: abs(q.sigma or 0.0))

    @property
    def agrees(self) -> bool:
        """Whether the run is sound, and every quantity lies within the threshold."""
        return self.damage is None and all(
            abs(q.sigma or 0.0) <= self.threshold for q in self.judged
        )


def comparison(
    name: str, sampled: float, stderr: float, exact: float, events: float, rounding: float
) -> Comparison:
    """A comparison, in which rounding counts as one more standard error.

    Parameters
    ----------
    name, sampled, stderr, exact, rounding : as in `Comparison`
    events : number of those that the sampled value rests on
    """
    sigma: float | None = None
    off = float(sampled - exact)
    if abs(off) <= rounding:
        sigma = 0.0
    elif events >= FEWEST_EVENTS and not math.isnan(stderr):
        error = math.hypot(stderr, rounding)
        sigma = off / error if error > 0 else math.copysign(math.inf, off)
    return Comparison(name, float(sampled), float(stderr), float(exact), sigma, float(rounding))


def verdict(points: list[CheckedPoint], fewest: int) -> Check:
    """Verdict on points of which the one with fewest trajectories has `fewest`.

    Raises
    ------
    CannotCheckError
        If nothing can be judged.
    """
    judged = sum(q.sigma is not None for point in points for q in point.quantities)
    means = judged - sum(q.name == FIRST_LAW for point in points for q in point.quantities)
    limit = threshold(fewest, judged)
    if means == 0:
        raise CannotCheckError(f"no mean rests on {FEWEST_EVENTS} flips: too short a run to judge")
    return Check(limit, points)


def threshold(fewest: int, judged: int) -> float:
    """Standard errors that all of `judged` means stay within, but for a chance of FALSE_ALARM.

    Raises
    ------
    CannotCheckError
        If the point with fewest trajectories has less than two.
    """
    if fewest < 2:
        raise CannotCheckError("a standard error needs at least two trajectories")
    # What scipy.stats has for this is the same function, and takes as long to import as all else.
    from scipy.special import stdtrit

    return -float(stdtrit(fewest - 1, FALSE_ALARM / (2 * max(judged, 1))))
