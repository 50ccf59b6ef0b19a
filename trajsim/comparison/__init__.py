"""Sampled against exact, in standard errors: the one place that sees both sides."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from trajsim import ledger
from trajsim.analysis.averages import Averages, averages
from trajsim.analysis.fluctuations import Fluctuations, fluctuations
from trajsim.analysis.rates import RATES
from trajsim.analysis.windows import Windows
from trajsim.comparison.counted import ExactFluctuations
from trajsim.comparison.covariances import (
    FEWEST_TRAJECTORIES,
    compare_covariances,
    covariance_rounding,
)
from trajsim.comparison.verdict import (
    FALSE_ALARM,
    FEWEST_EVENTS,
    FIRST_LAW,
    CannotCheckError,
    Check,
    CheckedPoint,
    Comparison,
    comparison,
    verdict,
)
from trajsim.config import Config, Experiment
from trajsim.ensemble import Energetics, NoExactSideError, Window, ensemble, start_state
from trajsim.ledger import Layout
from trajsim.store import StoredRun, UnsoundError

__all__ = [
    "FALSE_ALARM",
    "FEWEST_EVENTS",
    "CannotCheckError",
    "Check",
    "CheckedPoint",
    "Comparison",
    "against",
    "check",
    "compile_ahead",
    "expected",
]


# Relative error of exact means: far below any standard error.
TOLERANCE = 1e-6
# What rounding on either side may leave, of the energy or number that goes back and forth.
ROUNDING = 1e-12


def expected(config: Config) -> list[Window]:
    """What the trajectories of each point should show, start and burn-in included.

    Raises
    ------
    trajsim.ensemble.NoExactSideError
        If the exact ensemble is out of reach.
    """
    windows = []
    for point in config.points:
        network = point.experiment.network()
        # The ensemble first: it refuses systems whose states are too many to list.
        exact = ensemble(network, TOLERANCE)
        begin = start_state(network, point.experiment.ensemble.initial)
        windows.append(exact.window(begin, point.experiment.plan))
    return windows


def compile_ahead(config: Config, layout: Layout) -> None:
    """Solve what a check of the first point needs, so that it is compiled when one comes.

    Raises
    ------
    trajsim.ensemble.NoExactSideError
        If the exact ensemble is out of reach.
    """
    expected(replace(config, points=config.points[:1]))
    ExactFluctuations(config.points[0].experiment).covariance(Windows.of(layout, 0))


def check(run: StoredRun, config: Config, sampled: list[Averages] | None = None) -> Check:
    """Compare a run with the exact ensemble of its config.

    Parameters
    ----------
    run : finished or not
    config : the one the run was made from
    sampled : averages of the run, where they are known already

    Raises
    ------
    CannotCheckError
        If there are too few trajectories or events to judge anything.
    trajsim.store.UnsoundError
        The same, of a run that holds what no run writes.
    trajsim.ensemble.NoExactSideError
        If the exact ensemble is out of reach.
    """
    try:
        return _checked(run, config, averages(run) if sampled is None else sampled)
    except UnsoundError as error:
        # It is judged as it stands, and disagrees.
        run.read_as_it_is()
        try:
            with np.errstate(all="ignore"):
                return replace(_checked(run, config, averages(run)), damage=str(error))
        except CannotCheckError:
            raise error from None


def _checked(run: StoredRun, config: Config, sampled: list[Averages]) -> Check:
    by_parameters = {
        tuple(point.parameters.values()): (point.experiment, window)
        for point, window in zip(config.points, expected(config), strict=True)
    }
    points = []
    for a, spread in zip(sampled, fluctuations(run, detailed=False), strict=True):
        experiment, window = by_parameters[tuple(a.parameters.values())]
        found = _compare(a, window, experiment)
        found += _compare_spreads(a, spread, window, experiment)
        points.append(CheckedPoint(a.parameters, found))
    return verdict(points, min((a.trajectories for a in sampled), default=0))


def _compare_spreads(
    sampled: Averages, spread: Fluctuations, window: Window, experiment: Experiment
) -> list[Comparison]:
    """Variances and covariances, where the exact side knows them."""
    if sampled.trajectories < FEWEST_TRAJECTORIES:
        return []
    try:
        exact = ExactFluctuations(experiment).covariance(spread.windows)
    except NoExactSideError:
        return []
    flips = _events(sampled, _by_name(window.rates, experiment), experiment)
    return compare_covariances(spread, exact, flips, _rounding(sampled, experiment))


def against(run: StoredRun, reference: StoredRun) -> Check:
    """Compare a run with a second one instead of an exact side, such as one of twice the steps.

    Errors are those of the difference; the reference's means stand where exact values would.

    Raises
    ------
    CannotCheckError
        If it is the run itself, or does not have the same points and labels, or too few
        trajectories.
    """
    if reference is run or (
        # Runs in memory have no file.
        run.path.exists() and reference.path.resolve() == run.path.resolve()
    ):
        raise CannotCheckError(f"{reference.path}: is the run itself")
    mine, theirs = averages(run), averages(reference)
    same = run.layout.labels == reference.layout.labels
    if not same or [a.parameters for a in mine] != [a.parameters for a in theirs]:
        raise CannotCheckError(f"{reference.path} has other points or labels")
    points = []
    as_long = run.layout.rows * run.layout.row_periods == (
        reference.layout.rows * reference.layout.row_periods
    )
    spreads = (fluctuations(r, detailed=False) for r in (run, reference))
    for a, b, *both in zip(mine, theirs, *spreads, strict=True):
        rounding = a.rounding + b.rounding
        pairs = [
            (q.name, q.mean, q.stderr, r.mean, r.stderr, 0.0 if q.kind == "flips" else rounding)
            for q, r in zip(a.quantities, b.quantities, strict=True)
        ]
        pairs.append(("total_work_rate", *a.total_work, *b.total_work, rounding))
        if as_long and min(a.trajectories, b.trajectories) >= FEWEST_TRAJECTORIES:
            pairs += _variances(both[0], both[1], rounding)
        points.append(
            CheckedPoint(
                a.parameters,
                [
                    comparison(name, mean, math.hypot(error, other), value, math.inf, rough)
                    for name, mean, error, value, other, rough in pairs
                ],
            )
        )
    fewest = min(a.trajectories for a in [*mine, *theirs])
    return replace(verdict(points, fewest), reference=str(reference.path))


def _variances(one: Fluctuations, other: Fluctuations, rounding: float) -> list[tuple[Any, ...]]:
    """Names, variances and errors of two runs, and by how much variances may differ by rounding."""
    spread = np.diag(np.maximum(one.cumulants.mean[1], other.cumulants.mean[1]))
    rough = np.diag(covariance_rounding(spread, rounding, one.windows.time))
    return [
        (
            f"{o.kind}_variance_rate.{o.label}",
            *(float(part[1, k]) for found in (one, other) for part in found.cumulants),
            float(rough[k]),
        )
        for k, o in enumerate(one.observables)
    ]


def _compare(sampled: Averages, window: Window, experiment: Experiment) -> list[Comparison]:
    exact = _by_name(window.rates, experiment)
    behind = _events(sampled, exact, experiment)
    rough = dict.fromkeys(RATES, _rounding(sampled, experiment))
    rough["flips"] = ROUNDING * float(window.rates.flips.max(initial=0.0))
    found = []
    for q in sampled.quantities:
        key = (q.kind, q.label)
        may = rough[q.kind] + TOLERANCE * abs(exact[key])
        found.append(comparison(q.name, q.mean, q.stderr, exact[key], behind[key], may))
    if experiment.labels["drive"]:
        # Its parts may nearly cancel: then the total tells more than they do.
        total, fewest = float(window.rates.work.sum()), min(behind.values())
        may = rough["work"] + TOLERANCE * abs(total)
        found.append(comparison("total_work_rate", *sampled.total_work, total, fewest, may))
    # A heat that is wrong by less than its error still breaks the first law.
    may = max(ledger.ROUNDING * sampled.largest_entry, 1e-300)
    residual = sampled.first_law_residual
    found.append(Comparison(FIRST_LAW, residual, math.nan, 0.0, residual / may, may))
    visits = sampled.trajectories * experiment.plan.rows / experiment.plan.rows_per_period
    for name, (mean, stderr) in sampled.edges.items():
        scale = _scale(name, window)
        for at in np.ndindex(mean.shape):
            value, seen = float(window.edges[name][at]), float(mean[at])
            label = experiment.labels["site"][at[1]] if name != "occupation" else ""
            events = math.inf
            if name == "occupation":
                label = _spelled(at[1], len(experiment.sites))
                events = visits * max(min(value, 1 - value), min(seen, 1 - seen))
            full = f"{name}.{at[0]}.{label}"
            may = ROUNDING * scale + TOLERANCE * abs(value)
            found.append(comparison(full, seen, float(stderr[at]), value, events, may))
    return found


def _rounding(sampled: Averages, experiment: Experiment) -> float:
    """What rounding may leave of a rate of heat or work, on either side.

    It is a part of the energies that go back and forth; of terms of a drive that cancel, too, which
    the ledger does not show.
    """
    drives = [site.drive for site in experiment.sites if site.drive is not None]
    terms = [
        abs(d.offset) + abs(d.amplitude) + sum(abs(h.amplitude) for h in d.harmonics)
        for d in drives
    ]
    squares = sampled.edges.get("position_squared", (np.ones(1), None))[0]
    reach = math.sqrt(float(squares.max()))
    energy = sampled.largest_entry + reach * max(terms, default=0.0)
    return ROUNDING * energy * sampled.sums / sampled.time


def _scale(name: str, window: Window) -> float:
    """How large a probability, a position or its square is at most."""
    if name == "occupation":
        return 1.0
    squared = window.edges.get(f"{name}_squared")
    largest = float(np.abs(window.edges[name] if squared is None else squared).max())
    return largest if squared is None else math.sqrt(largest)


def _events(
    sampled: Averages, exact: dict[tuple[str, str], float], experiment: Experiment
) -> dict[tuple[str, str], float]:
    """Number of flips that each mean rests on; no limit where nothing flips."""
    total = sampled.trajectories * sampled.time
    seen = sampled.of("flips")
    flips = {
        site.name: total * max(exact["flips", site.name], seen[site.name].mean)
        if seen
        else math.inf
        for site in experiment.sites
    }
    through = {
        bath: sum(flips[site.name] for site in experiment.sites if site.bath == bath)
        for bath in experiment.baths
    }
    return {key: through[key[1]] if key[0] == "heat" else flips[key[1]] for key in exact}


def _by_name(rates: Energetics, experiment: Experiment) -> dict[tuple[str, str], float]:
    return {
        (kind, label): float(value)
        for kind, dim in RATES.items()
        for label, value in zip(experiment.labels[dim], getattr(rates, kind), strict=False)
    }


def _spelled(state: int, sites: int) -> str:
    """State 1 of two spins as -+: site 0 first."""
    return "".join("-" if state >> i & 1 else "+" for i in range(sites))
