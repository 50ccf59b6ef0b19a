"""Protocols that end: exact heat, work and free energy of one, and which runs are of one."""

import numpy as np
from numpy.typing import ArrayLike

from trajsim.analysis.estimate import ByLabel
from trajsim.analysis.protocols import (
    ProtocolTotals,
    SampledProtocol,
    Spread,
    sampled_protocols,
)
from trajsim.analysis.windows import total_of
from trajsim.comparison.settings import delta_f_of, partners
from trajsim.comparison.verdict import CannotCheckError
from trajsim.config import Config, Experiment
from trajsim.ensemble import Weights, counting_of
from trajsim.store import StoredRun

# Seconds that second moments may take.
PATIENCE = 60.0


def temperature_of(experiment: Experiment) -> float | None:
    """The one constant temperature at which works of a protocol obey Jarzynski's equality.

    None where temperatures differ or are driven, nothing does work, or trajectories do not begin in
    equilibrium of the whole energy.
    """
    first, *others = experiment.temperatures.values()
    alike = not experiment.heated and all(other == first for other in others)
    working = experiment.ends and bool(experiment.labels["drive"])
    return first if alike and working and experiment.canonical else None


def not_reverse(forward: Experiment, backward: Experiment) -> str | None:
    """Why works of the second say nothing of the free energies of the first; None if they do."""
    for experiment, whose in ((forward, "the run"), (backward, "the reversed run")):
        if not experiment.ends:
            return f"{whose} is not one period from equilibrium, with nothing before"
        if temperature_of(experiment) is None:
            return f"{whose} has no work at one constant temperature"
    if forward.drive.direction == backward.drive.direction and not forward.own_reverse:
        return f"both runs are {forward.drive.direction} ones"
    return None


def tells_free_energy(config: Config, reverse: Config) -> bool:
    """Whether works of runs of both, each of one point, tell a free energy."""
    pairs = [
        (a.experiment, b.experiment) for a, b in zip(config.points, reverse.points, strict=False)
    ]
    return len(config.points) == len(reverse.points) == 1 and not not_reverse(*pairs[0])


def expect_reverse(
    run: StoredRun, config: Config, backward: StoredRun, reverse: Config
) -> tuple[Experiment, Experiment]:
    """The experiments of two runs whose works tell one free energy.

    Parameters
    ----------
    run, config : of the protocol
    backward, reverse : of the reversed one

    Raises
    ------
    CannotCheckError
        If they are not of one protocol that ends, forward and reversed, or of several points.
    """
    partners(run, config, backward, reverse)
    if len(config.points) != 1:
        raise CannotCheckError(f"{run.path}: works of one point are shown, not of a sweep")
    pair = config.points[0].experiment, reverse.points[0].experiment
    reason = not_reverse(*pair)
    if reason:
        raise CannotCheckError(f"{backward.path}: {reason}")
    return pair


def exact_protocol(experiment: Experiment) -> ProtocolTotals[float] | None:
    """Exact heat, work and free energy over a protocol; None if it is none that ends.

    Raises
    ------
    trajsim.ensemble.NoExactSideError
        If the exact side knows no fluctuations, or they would take longer than `PATIENCE`.
    """
    if not experiment.ends:
        return None
    counting = counting_of(experiment.network(), patience=PATIENCE)

    def spread(heat: ArrayLike, work: ArrayLike) -> Spread[float]:
        cumulants = counting.finite_cumulants("equilibrium", 1, Weights(heat, work), 2)
        return Spread(*map(float, cumulants))

    baths, drives = experiment.labels["bath"], experiment.labels["drive"]
    heats = ByLabel(
        (bath, spread(one, 0.0)) for bath, one in zip(baths, np.eye(len(baths)), strict=True)
    )
    works = ByLabel(
        (drive, spread(0.0, one)) for drive, one in zip(drives, np.eye(len(drives)), strict=True)
    )
    if drives:
        works[total_of(drives)] = spread(0.0, np.ones(len(drives)))
    delta_f = delta_f_of(experiment) if temperature_of(experiment) is not None else None
    return ProtocolTotals(
        heats,
        works,
        exact_jarzynski(experiment),
        delta_f,
        None if delta_f is None else works[total_of(drives)].mean - delta_f,
    )


def exact_jarzynski(experiment: Experiment) -> float | None:
    """<exp(-W/T)> over a protocol; None without a `temperature_of`, or beyond double precision.

    Raises
    ------
    trajsim.ensemble.NoExactSideError
        If the exact side knows no fluctuations, or they are out of reach.
    """
    temperature = temperature_of(experiment)
    if temperature is None:
        return None
    counting = counting_of(experiment.network())
    with np.errstate(all="ignore"):
        average = np.exp(counting.log_average("equilibrium", 1, Weights(0.0, -1.0 / temperature)))
    return float(average) if np.isfinite(average) else None


def sampled(
    run: StoredRun, config: Config, reverse: tuple[StoredRun, Config] | None = None
) -> list[SampledProtocol | None]:
    """Sampled totals at each point of a run that has trajectories; None where it does not end.

    Parameters
    ----------
    run, config : of the protocol
    reverse : run and config of the reversed one, for Bennett's ratio

    Raises
    ------
    CannotCheckError
        If `reverse` is not of the reversed protocol of the same system.
    """
    experiments = [point.experiment for point in config.points]
    if reverse is not None:
        partners(run, config, *reverse)
        pairs = zip(experiments, (point.experiment for point in reverse[1].points), strict=True)
        if any(not_reverse(*pair) for pair in pairs):
            reverse = None
    if not any(experiment.ends for experiment in experiments):
        return []
    temperatures = [temperature_of(experiment) for experiment in experiments]
    totals = sampled_protocols(run, temperatures, reverse[0] if reverse else None)
    return [answer if experiments[point].ends else None for point, answer in totals]
