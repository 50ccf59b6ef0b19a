"""Comparisons in standard errors, and the verdict on all of them together."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from trajsim.errors import TrajsimError

# Probability that a correct run is reported to disagree, over all its quantities and points.
FALSE_ALARM = 1e-4
# Events below which a mean has no normal error: it is shown, not judged.
FEWEST_EVENTS = 400
FIRST_LAW = "first_law"


class CannotCheckError(TrajsimError, ValueError):
    """A run that cannot be compared with exact values; the message says why."""


class Comparison(NamedTuple):
    """One quantity, sampled and exact.

    Attributes
    ----------
    stderr : standard error; nan for the first law, which is not a mean
    sigma : difference in standard errors; None where there were too few events to judge
    rounding : allowed difference by rounding and errors of the exact solution
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

    `damage` says what is wrong with the file of the run, if anything; `reference` what it was
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
        """Number of judged quantities and the largest deviation, in words."""
        unit = "times the rounding" if self.worst.name == FIRST_LAW else "standard errors"
        return (
            f"{len(self.judged)} quantities, the furthest off {self.worst.name} by "
            f"{self.worst.sigma:+.2f} {unit} (allowed {self.threshold:.2f})"
        )

    @property
    def judged(self) -> list[Comparison]:
        """Comparisons with enough events to be judged."""
        return [q for point in self.points for q in point.quantities if q.sigma is not None]

    @property
    def worst(self) -> Comparison:
        """The comparison with the largest deviation."""
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
    """A comparison; rounding is added in quadrature to the standard error.

    Parameters
    ----------
    name, sampled, stderr, exact, rounding : as in `Comparison`
    events : number that the sampled value is based on
    """
    sigma: float | None = None
    difference = float(sampled - exact)
    if abs(difference) <= rounding:
        sigma = 0.0
    elif events >= FEWEST_EVENTS and not math.isnan(stderr):
        error = math.hypot(stderr, rounding)
        sigma = difference / error if error > 0 else math.copysign(math.inf, difference)
    return Comparison(name, float(sampled), float(stderr), float(exact), sigma, float(rounding))


def verdict(points: list[CheckedPoint], fewest: int) -> Check:
    """Verdict on points, of which each has at least `fewest` trajectories.

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
    """Standard errors within which all of `judged` means are with probability 1 - FALSE_ALARM.

    Raises
    ------
    CannotCheckError
        If the point with fewest trajectories has less than two.
    """
    if fewest < 2:
        raise CannotCheckError("a standard error needs at least two trajectories")
    # scipy.stats has the same function, but takes long to import.
    from scipy.special import stdtrit

    return -float(stdtrit(fewest - 1, FALSE_ALARM / (2 * max(judged, 1))))
