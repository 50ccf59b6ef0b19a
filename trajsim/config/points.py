"""A validated config: the experiments at the points of its sweep."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from trajsim.config.base import RECORDED
from trajsim.config.faults import ConfigError, Fault, explain
from trajsim.config.keys import find_all, key_of, put
from trajsim.config.schema import Experiment

# Part of swept values that is taken for rounding.
SAME = 1e-9


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

    def settled(self) -> "Config":
        """The same with what a simulation needs chosen where it is left out: the integrator."""
        chosen = self.experiment.choices([point.experiment for point in self.points])
        if not chosen:
            return self
        points = [Point(p.parameters, p.experiment.model_copy(update=chosen)) for p in self.points]
        return Config(self.text, self.experiment.model_copy(update=chosen), points)

    def at(self, parameters: dict[str, float]) -> Experiment:
        """Experiment of the point with these swept values."""
        return self._by_values[tuple(parameters.values())]

    @cached_property
    def _by_values(self) -> dict[tuple[float, ...], Experiment]:
        return {tuple(p.parameters.values()): p.experiment for p in self.points}

    @cached_property
    def axis(self) -> str | None:
        """Key along the axis of a figure; None without one.

        The one with most values of a grid, or the first of keys that move together on a line.
        """
        counts = {
            key: len({point.parameters[key] for point in self.points})
            for key in self.points[0].parameters
        }
        key = max(counts, key=counts.__getitem__, default=None)
        if key is None or counts[key] < 3:
            return None
        if math.prod(counts.values()) == len(self.points):
            return key
        return next(iter(counts)) if self._on_a_line() else None

    def _on_a_line(self) -> bool:
        """Whether all swept values are linear in the first, which differs from point to point."""
        values = np.array([list(point.parameters.values()) for point in self.points])
        steps = values - values[0]
        ends = steps[np.abs(steps[:, 0]).argmax()]
        if len(set(values[:, 0].tolist())) < len(values):
            return False
        off = steps - np.outer(steps[:, 0] / ends[0], ends)
        return bool((abs(off) <= SAME * np.abs(values).max(axis=0)).all())

    def along(self, x: float) -> dict[str, float]:
        """Parameters where the key of the axis is x, without those of panels."""
        if self.axis is None or self.panels[0]:
            return {} if self.axis is None else {self.axis: x}
        values = np.array([list(point.parameters.values()) for point in self.points])
        values = values[values[:, 0].argsort()]
        columns = zip(self.points[0].parameters, values.T, strict=True)
        return {key: float(np.interp(x, values[:, 0], column)) for key, column in columns}

    @cached_property
    def panels(self) -> list[dict[str, float]]:
        """Values of the swept keys other than the axis, for each panel of a figure."""
        if self.axis is not None and self._on_a_line():
            return [{}]
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
            f"{experiment.extent}, {len(experiment.baths)} baths, "
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
        for loc in find_all(data, key, strict=False):
            put(data, loc, value)
    try:
        return type(experiment).model_validate(data, context=RECORDED)
    except ValidationError as error:
        details = [explain(detail, type(experiment)) for detail in error.errors(include_url=False)]
        faults = [Fault("<config>", None, key_of(data, loc), message) for loc, message in details]
        raise ConfigError(faults) from None
