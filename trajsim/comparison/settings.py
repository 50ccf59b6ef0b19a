"""Conditions of a run for fluctuation theorems, from its config and the exact ensemble."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.theorems import LogProbability, Setting
from trajsim.analysis.theorems.integral import SPREAD
from trajsim.comparison.verdict import CannotCheckError
from trajsim.config import Config, Experiment, with_parameters
from trajsim.config.schema import PERIODS
from trajsim.ensemble import (
    NoExactSideError,
    ensemble,
    free_energy_change,
    recorded_states,
)
from trajsim.ensemble.recorded import RecordedStates
from trajsim.store import StoredRun

Array = NDArray[np.float64]

TOLERANCE = 1e-9
# Relative step of the drive's frequency in finite differences of currents.
SPEED_STEP = 1e-3
# What a run and that of its reversed protocol may differ in.
FREE: Any = {"title": True, "ensemble": True, "ledger": True, "sweep": True, "drive": {"direction"}}


class Settings(Sequence[Setting]):
    """Conditions of each point of a run, computed on access."""

    def __init__(self, config: Config) -> None:
        self._points = config.points

    def __len__(self) -> int:
        return len(self._points)

    def __getitem__(self, point: Any) -> Any:
        return _setting(self._points[point].experiment)


def settings(config: Config) -> Settings:
    """Conditions of each point of a run of this config."""
    return Settings(config)


def _setting(experiment: Experiment) -> Setting:
    probability, reason = None, ""
    try:
        # A start in a single state has probabilities of 0.
        if experiment.ensemble.initial in SPREAD or experiment.ensemble.burn_in:
            states = states_of(experiment)
            # Raises if they have no density.
            states.at(0)
            probability = LogProbability(states.log_probability, states.columns)
    except NoExactSideError as error:
        reason = str(error)
    slope, no_slope = _speed_derivative(experiment)
    return Setting(
        system=experiment.model.kind,
        states=experiment.state_count,
        spell=experiment.state_name,
        temperatures=np.array(list(experiment.temperatures.values())),
        initial=experiment.ensemble.initial,
        burn_in=experiment.ensemble.burn_in,
        direction=experiment.drive.direction,
        driven=experiment.driven,
        sustained=experiment.sustained,
        heated=experiment.heated,
        delta_f=delta_f_of(experiment),
        own_reverse=experiment.own_reverse,
        shifted_reverse=experiment.shifted_reverse,
        canonical=experiment.canonical,
        probability=probability,
        no_probability=reason,
        speed_slope=slope,
        no_speed_slope=no_slope,
    )


def delta_f_of(experiment: Experiment) -> float | None:
    """Free energy at the end of a period less that at time 0; None if it is not known."""
    if experiment.returns:
        return 0.0
    try:
        return free_energy_change(experiment.network())
    except NoExactSideError:
        return None


def states_of(experiment: Experiment) -> RecordedStates:
    """Exact distributions of the recorded states of an experiment.

    Raises
    ------
    trajsim.ensemble.NoExactSideError
        If there are none.
    """
    return recorded_states(experiment.network(), experiment.ensemble.initial, experiment.plan)


def _speed_derivative(experiment: Experiment) -> tuple[Array | None, str]:
    """Omega dq/dOmega of all heats in the periodic state, by second-order finite differences."""
    if not experiment.driven:
        return np.zeros(len(experiment.baths)), ""
    slope = np.zeros(len(experiment.baths))
    try:
        for period, weight in _stencil(experiment.drive.period):
            other = with_parameters(experiment, {"drive.period": period})
            slope += weight * ensemble(other.network(), TOLERANCE).currents.rates.heat
    except NoExactSideError as error:
        return None, str(error)
    return slope, ""


def _stencil(period: float, allowed: tuple[float, float] = PERIODS) -> list[tuple[float, float]]:
    """Allowed periods near one, and weights of f at them whose sum is Omega df/dOmega."""
    central = [(1, 0.5), (-1, -0.5)]
    faster = [(0, -1.5), (1, 2.0), (2, -0.5)]
    slower = [(-steps, -weight) for steps, weight in faster]
    for difference in (central, faster, slower):
        nearby = [(period / (1 + n * SPEED_STEP), w / SPEED_STEP) for n, w in difference]
        if all(allowed[0] <= p <= allowed[1] for p, _ in nearby):
            break
    return nearby


# -- two runs ----------------------------------------------------------------------------------


def partners(run: StoredRun, config: Config, other: StoredRun, other_config: Config) -> Settings:
    """Settings of a run of the reversed protocol.

    Parameters
    ----------
    run, config : of the forward protocol
    other, other_config : of the reversed one

    Raises
    ------
    CannotCheckError
        If it is not one: of another network, or its rows are not as long.
    """
    if other.path.resolve() == run.path.resolve():
        raise CannotCheckError(f"{other.path}: is the run itself")
    if len(config.points) != len(other_config.points):
        raise CannotCheckError(f"{other.path}: has other points")
    for forward, backward in zip(config.points, other_config.points, strict=True):
        key = _difference(forward.experiment, backward.experiment)
        if key:
            raise CannotCheckError(f"{other.path}: is not of the same system: {key} differs")
    one, two = run.layout, other.layout
    if (one.rows_per_period, one.row_periods) != (two.rows_per_period, two.row_periods):
        raise CannotCheckError(f"{other.path}: its rows are not as long")
    return settings(other_config)


def _difference(experiment: Experiment, other: Experiment) -> str | None:
    """First key in which two experiments differ that must not."""
    a, b = (e.model_dump(exclude=FREE) for e in (experiment, other))
    return next((key for key in itertools.chain(a, b) if a.get(key) != b.get(key)), None)
