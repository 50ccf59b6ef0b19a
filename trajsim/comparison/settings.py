"""What fluctuation theorems must know of a run, from its config and the exact ensemble."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.theorems import LogProbability, Setting
from trajsim.analysis.theorems.integral import numbers
from trajsim.comparison.verdict import CannotCheckError
from trajsim.config import Config, Experiment, with_parameters
from trajsim.config.schema import PERIODS
from trajsim.ensemble import NoExactSideError, ensemble, start_state
from trajsim.ensemble.gaussian import Gaussian
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.store import Run

Array = NDArray[np.float64]

TOLERANCE = 1e-9
# Relative change of the speed of the drive by which currents are differenced.
SPEED_STEP = 1e-3
# What a run and that of its reversed protocol may differ in.
FREE: Any = {"title": True, "ensemble": True, "ledger": True, "sweep": True, "drive": {"direction"}}


class Settings(Sequence[Setting]):
    """What theorems must know of each point of a run, worked out when it is asked for."""

    def __init__(self, config: Config) -> None:
        self._points = config.points

    def __len__(self) -> int:
        return len(self._points)

    def __getitem__(self, point: Any) -> Any:
        return _setting(self._points[point].experiment)


def settings(config: Config) -> Settings:
    """What theorems must know of each point of a run of this config."""
    return Settings(config)


def _setting(experiment: Experiment) -> Setting:
    kind, network = experiment.model.kind, experiment.network()
    probability, reason = None, ""
    try:
        # A distribution that is a single state has no logarithm.
        if experiment.ensemble.initial not in ("up", "rest") or experiment.ensemble.burn_in:
            course = course_of(experiment)
            probability = LogProbability(course.log_probability, course.columns)
    except NoExactSideError as error:
        reason = str(error)
    slope, no_slope = _speed_slope(experiment)
    terms = _harmonics(experiment)
    return Setting(
        kind=kind,
        sites=len(experiment.sites),
        temperatures=np.array(list(experiment.temperatures.values())),
        initial=experiment.ensemble.initial,
        burn_in=experiment.ensemble.burn_in,
        direction=experiment.drive.direction,
        driven=bool(terms),
        own_reverse=_symmetric(terms, 0.0),
        shifted_reverse=any(_symmetric(terms, shift) for shift in _shifts(terms)),
        canonical=kind == "spins" or bool(getattr(network, "linear", False)),
        probability=probability,
        no_probability=reason,
        speed_slope=slope,
        no_speed_slope=no_slope,
    )


def _speed_slope(experiment: Experiment) -> tuple[Array | None, str]:
    """Omega dq/dOmega of all heats in the periodic state, by a difference of second order."""
    if not experiment.labels["drive"]:
        return np.zeros(len(experiment.baths)), ""
    slope = np.zeros(len(experiment.baths))
    try:
        for period, weight in _neighbours(experiment.drive.period):
            other = with_parameters(experiment, {"drive.period": period})
            slope += weight * ensemble(other.network(), TOLERANCE).currents.rates.heat
    except NoExactSideError as error:
        return None, str(error)
    return slope, ""


def _neighbours(period: float, allowed: tuple[float, float] = PERIODS) -> list[tuple[float, float]]:
    """Allowed periods near one, and the weights with which f at them adds up to Omega df/dOmega."""
    central = [(1, 0.5), (-1, -0.5)]
    faster = [(0, -1.5), (1, 2.0), (2, -0.5)]
    slower = [(-steps, -weight) for steps, weight in faster]
    for difference in (central, faster, slower):
        near = [(period / (1 + n * SPEED_STEP), w / SPEED_STEP) for n, w in difference]
        if all(allowed[0] <= p <= allowed[1] for p, _ in near):
            break
    return near


# -- protocols that are their own reverse ------------------------------------------------------


def _harmonics(experiment: Experiment) -> list[tuple[int, float]]:
    """(order, phase) of all cosines that are there."""
    found = []
    for site in experiment.sites:
        if site.drive is not None:
            terms = [(1, site.drive.amplitude, site.drive.phase)]
            terms += [(h.order, h.amplitude, h.phase) for h in site.drive.harmonics]
            found += [(order, phase) for order, amplitude, phase in terms if amplitude != 0.0]
    return found


def _symmetric(terms: list[tuple[int, float]], shift: float) -> bool:
    """Whether cos(k x + phase) are all even about x = shift."""
    return all(abs(math.sin(order * shift + phase)) < 1e-9 for order, phase in terms)


def _shifts(terms: list[tuple[int, float]]) -> list[float]:
    """All x about which the first of the terms is even."""
    if not terms:
        return [0.0]
    order, phase = min(terms)
    return [(math.pi * k - phase) / order for k in range(2 * order)]


# -- exact probabilities of recorded states ----------------------------------------------------


class SpinCourse:
    """P of spin states at the edges of the rows."""

    columns = ("state",)

    def __init__(self, experiment: Experiment) -> None:
        network, self.plan = experiment.network(), experiment.plan
        self.master: JumpEnsemble = ensemble(network, TOLERANCE)
        p = start_state(network, experiment.ensemble.initial)
        # P at the segments since the ledger opened, as far as they were asked for.
        self.course = [self._burned(p)]

    def _burned(self, p: Array) -> Array:
        for _ in range(self.plan.burn_in):
            before = p
            p, _ = self.master.carry(p)
            if np.abs(p - before).max() < 1e-15:
                break
        return p

    def at(self, edge: int) -> Array:
        """P (2**n,) at an edge of the rows."""
        segments, phases = edge * self.plan.segments_per_row, self.plan.rows_per_period
        while len(self.course) <= segments:
            if len(self.course) > phases and self._settled(phases):
                # Periodic from here on.
                return self.course[-1 - phases + (segments - len(self.course) + 1) % phases]
            p, _ = self.master.carry(self.course[-1], (len(self.course) - 1) % phases, phases)
            self.course.append(p)
        return self.course[segments]

    def _settled(self, phases: int) -> bool:
        return bool(np.abs(self.course[-1] - self.course[-1 - phases]).max() < 1e-15)

    def log_probability(self, columns: dict[str, NDArray], edge: int) -> Array:
        """ln P (m,) of the recorded states."""
        p = self.at(edge)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(p)[numbers(columns["state"][:, edge])])


class OscillatorCourse:
    """Density of positions and velocities at the edges of the rows."""

    columns = ("position", "velocity")

    def __init__(self, experiment: Experiment) -> None:
        network, self.plan = experiment.network(), experiment.plan
        self.ensemble = ensemble(network, TOLERANCE)
        self.start = start_state(network, experiment.ensemble.initial)
        self.known: dict[int, Gaussian] = {}
        if np.linalg.cond(self.at(0).covariance) > 1e12:
            raise NoExactSideError("the first states do not have a density")

    def at(self, edge: int) -> Gaussian:
        """Gaussian at an edge of the rows."""
        if edge not in self.known:
            phases = self.plan.rows_per_period
            segments = edge * self.plan.segments_per_row
            periods, rest = divmod(segments, phases)
            course = self.ensemble.course(self.start, phases, 1, self.plan.burn_in + periods)
            self.known[edge] = course.state[rest]
        return self.known[edge]

    def log_probability(self, columns: dict[str, NDArray], edge: int) -> Array:
        """ln of the density (m,) at the recorded states."""
        mean, covariance = self.at(edge)
        z = np.concatenate([columns[name][:, edge] for name in self.columns], axis=1) - mean
        factor = np.linalg.cholesky(covariance)
        scaled = np.linalg.solve(factor, z.T)
        log_norm = np.log(np.diag(factor)).sum() + 0.5 * len(mean) * math.log(2 * math.pi)
        return np.asarray(-0.5 * (scaled**2).sum(axis=0) - log_norm)


COURSES: dict[str, Any] = {"spins": SpinCourse, "oscillators": OscillatorCourse}


def course_of(experiment: Experiment) -> Any:
    """Exact probabilities of the recorded states of an experiment.

    Raises
    ------
    trajsim.ensemble.NoExactSideError
        If there are none.
    """
    course = COURSES.get(experiment.model.kind)
    if course is None:
        raise NoExactSideError(f"no probabilities of the states of {experiment.model.kind}")
    return course(experiment)


# -- two runs ----------------------------------------------------------------------------------


def partners(run: Run, config: Config, other: Run, other_config: Config) -> Settings:
    """Settings of a run of the reversed protocol.

    Raises
    ------
    CannotCheckError
        If it is not one: of another network, or its rows are not as long.
    """
    if other.path.resolve() == run.path.resolve():
        raise CannotCheckError(f"{other.path}: is the run itself")
    if len(config.points) != len(other_config.points):
        raise CannotCheckError(f"{other.path}: has other points")
    for mine, theirs in zip(config.points, other_config.points, strict=True):
        wrong = _difference(mine.experiment, theirs.experiment)
        if wrong:
            raise CannotCheckError(f"{other.path}: is not of the same system: {wrong} differs")
    one, two = run.layout, other.layout
    if (one.rows_per_period, one.row_periods) != (two.rows_per_period, two.row_periods):
        raise CannotCheckError(f"{other.path}: its rows are not as long")
    return settings(other_config)


def _difference(one: Experiment, other: Experiment) -> str | None:
    """First key in which two experiments differ that must not."""
    a, b = (e.model_dump(exclude=FREE) for e in (one, other))
    return next((key for key in itertools.chain(a, b) if a.get(key) != b.get(key)), None)
