"""A validated config: the experiments at the points of its sweep."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import ValidationError

from trajsim.config.base import RECORDED
from trajsim.config.faults import ConfigError, Fault, explain
from trajsim.config.keys import find, key_of, put
from trajsim.config.schema import Experiment


class Point(NamedTuple):
    """One point of a sweep: the swept values and the experiment with them put in."""

    parameters: dict[str, float]
    experiment: Experiment


@dataclass(frozen=True, repr=False)
class Config:
    """A config file with overrides, validated."""

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
        """Key along the axis of a figure: the one with most values of a grid; None without one."""
        counts = {
            key: len({point.parameters[key] for point in self.points})
            for key in self.points[0].parameters
        }
        key = max(counts, key=counts.__getitem__, default=None)
        if key is None or counts[key] < 3:
            return None
        # Keys that vary together make no grid: there is no curve through their points.
        return key if math.prod(counts.values()) == len(self.points) else None

    @cached_property
    def panels(self) -> list[dict[str, float]]:
        """Values of the swept keys other than the axis, for each panel of a figure."""
        fixed = [
            {key: x for key, x in point.parameters.items() if key != self.axis}
            for point in self.points
        ]
        return list({tuple(others.values()): others for others in fixed}.values())

    @property
    def summary(self) -> str:
        """Sites, baths, points and trajectories, in a line."""
        experiment, many = self.experiment, len(self.points) > 1
        return (
            f"{len(experiment.sites)} {experiment.model.kind}, {len(experiment.baths)} baths, "
            f"{len(self.points)} point{'s' if many else ''} of "
            f"{experiment.ensemble.trajectories} trajectories x "
            f"{experiment.ensemble.periods} periods"
        )

    def __repr__(self) -> str:
        return f"<Config {self.experiment.title!r}: {self.summary}>"


def with_parameters(experiment: Experiment, parameters: Mapping[str, Any]) -> Experiment:
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
        details = [explain(detail, type(experiment)) for detail in error.errors(include_url=False)]
        faults = [Fault("<config>", None, key_of(data, loc), message) for loc, message in details]
        raise ConfigError(faults) from None
