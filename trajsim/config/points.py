"""A config found good: what it asks for, point by point of its sweep."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from pydantic import ValidationError

from trajsim.config.faults import ConfigError, Fault, explain
from trajsim.config.keys import find, key_of, put
from trajsim.config.schema import RECORDED, Experiment


class Point(NamedTuple):
    """One point of a sweep: the swept values and the experiment with them put in."""

    parameters: dict[str, float]
    experiment: Experiment


@dataclass(frozen=True, repr=False)
class Config:
    """A config file read, overridden and found good."""

    text: str
    experiment: Experiment
    points: list[Point]

    def at(self, parameters: dict[str, float]) -> Experiment:
        """Experiment of the point with these swept values."""
        return self._by_values[tuple(parameters.values())]

    @cached_property
    def _by_values(self) -> dict[tuple[float, ...], Experiment]:
        return {tuple(p.parameters.values()): p.experiment for p in self.points}

    @cached_property
    def axis(self) -> str | None:
        """Key along a figure: the one with most values, where a curve through them makes sense."""
        counts = {
            key: len({point.parameters[key] for point in self.points})
            for key in self.points[0].parameters
        }
        key = max(counts, key=counts.__getitem__, default=None)
        if key is None or counts[key] < 3:
            return None
        # Keys that move together make no grid: their points lie on no common curve.
        return key if math.prod(counts.values()) == len(self.points) else None

    @cached_property
    def panels(self) -> list[dict[str, float]]:
        """Swept values beside the axis, panel by panel of a figure."""
        rests = [
            {key: x for key, x in point.parameters.items() if key != self.axis}
            for point in self.points
        ]
        return list({tuple(rest.values()): rest for rest in rests}.values())

    @property
    def summary(self) -> str:
        """What is asked for, in a line."""
        experiment, many = self.experiment, len(self.points) > 1
        return (
            f"{len(experiment.sites)} {experiment.model.kind}, {len(experiment.baths)} baths, "
            f"{len(self.points)} point{'s' if many else ''} of "
            f"{experiment.ensemble.trajectories} trajectories x "
            f"{experiment.ensemble.periods} periods"
        )

    def __repr__(self) -> str:
        return f"<Config {self.experiment.title!r}: {self.summary}>"


def with_parameters(experiment: Experiment, parameters: dict[str, float]) -> Experiment:
    """Experiment with other values of some keys, and no sweep.

    Raises
    ------
    ConfigError
        If a value is not allowed.
    """
    data = experiment.model_dump(exclude={"sweep"})
    for key, value in parameters.items():
        put(data, find(data, key, strict=False), value)
    try:
        return type(experiment).model_validate(data, context=RECORDED)
    except ValidationError as error:
        told = [explain(detail, type(experiment)) for detail in error.errors(include_url=False)]
        faults = [Fault("<config>", None, key_of(data, loc), message) for loc, message in told]
        raise ConfigError(faults) from None
