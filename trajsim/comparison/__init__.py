"""Comparison of sampled with exact results, in standard errors."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from trajsim import ledger
from trajsim.analysis.averages import Averages, averages
from trajsim.analysis.fluctuations import Fluctuations, fluctuations
from trajsim.analysis.rates import RATES
from trajsim.analysis.theorems import Prediction
from trajsim.analysis.windows import Windows
from trajsim.comparison.counted import ExactFluctuations
from trajsim.comparison.covariances import (
    FEWEST_TRAJECTORIES,
    compare_covariances,
    covariance_rounding,
)
from trajsim.comparison.protocols import exact_jarzynski
from trajsim.comparison.protocols import sampled as sampled_protocols
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
from trajsim.ensemble import NoExactSideError, Window, ensemble, of_kind, start_state
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
# Rounding error on either side, relative to the gross exchange of energy (or number of flips).
ROUNDING = 1e-12
# Kinds of rates that are numbers of events.
COUNTED = ("flips", "jumps", "particles")


def expected(config: Config) -> list[Window]:
    """Exact averages over the recorded periods at each point, with its start and burn-in.

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
        start = start_state(network, point.experiment.ensemble.initial)
        windows.append(exact.window(start, point.experiment.plan))
    return windows


def compile_ahead(config: Config, layout: Layout) -> None:
    """Solve the exact side of the first point once, so that a later check need not compile it.

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
    sampled : averages of the run, if already computed

    Raises
    ------
    CannotCheckError
        If there are too few trajectories or events to judge anything.
    trajsim.store.UnsoundError
        The same, of a damaged run.
    trajsim.ensemble.NoExactSideError
        If the exact ensemble is out of reach.
    """
    try:
        return _checked(run, config, averages(run) if sampled is None else sampled)
    except UnsoundError as error:
        # Compare it all the same; the verdict is that it disagrees.
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
    protocols = sampled_protocols(run, config) or [None] * len(sampled)
    gathered = zip(sampled, fluctuations(run, detailed=False), protocols, strict=True)
    for a, fluctuation, protocol in gathered:
        experiment, window = by_parameters[tuple(a.parameters.values())]
        comparisons = _compare(a, window, experiment)
        comparisons += _compare_covariances(a, fluctuation, window, experiment)
        if protocol is not None and protocol.average is not None:
            comparisons += _compare_jarzynski(protocol.average, experiment)
        points.append(CheckedPoint(a.parameters, comparisons))
    return verdict(points, min((a.trajectories for a in sampled), default=0))


def _compare_covariances(
    sampled: Averages, fluctuations: Fluctuations, window: Window, experiment: Experiment
) -> list[Comparison]:
    """Comparisons of variances and covariances; none if the exact side has none."""
    if sampled.trajectories < FEWEST_TRAJECTORIES:
        return []
    try:
        exact = ExactFluctuations(experiment).covariance(fluctuations.windows)
    except NoExactSideError:
        return []
    flips = _events(sampled, _by_name(window.rates, experiment), experiment)
    return compare_covariances(fluctuations, exact, flips, _rounding(sampled, experiment))


def _compare_jarzynski(average: Prediction, experiment: Experiment) -> list[Comparison]:
    """Comparison of <exp(-W/T)> over a protocol that ends; none if the exact side has none."""
    try:
        exact = exact_jarzynski(experiment)
    except NoExactSideError:
        exact = None
    if exact is None:
        return []
    events = math.inf if average.trusted else 0.0
    compared = comparison(
        "jarzynski", average.value, average.stderr, exact, events, TOLERANCE * exact
    )
    if compared.sigma:
        # Corrected for the skewness of exponentials.
        compared = compared._replace(sigma=average._replace(expected=exact).z)
    return [compared]


def against(run: StoredRun, reference: StoredRun) -> Check:
    """Compare a run with a second one instead of an exact side, such as one of twice the steps.

    Errors are those of the difference; the means of the reference take the place of exact values.

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
    own, other = averages(run), averages(reference)
    same = run.layout.labels == reference.layout.labels
    if not same or [a.parameters for a in own] != [a.parameters for a in other]:
        raise CannotCheckError(f"{reference.path} has other points or labels")
    points = []
    same_length = run.layout.rows * run.layout.row_periods == (
        reference.layout.rows * reference.layout.row_periods
    )
    gathered = (fluctuations(r, detailed=False) for r in (run, reference))
    for a, b, *pair in zip(own, other, *gathered, strict=True):
        rounding = a.rounding + b.rounding
        quantities = [
            (q.name, q.mean, q.stderr, r.mean, r.stderr, 0.0 if q.kind in COUNTED else rounding)
            for q, r in zip(a.quantities, b.quantities, strict=True)
        ]
        quantities.append(("total_work_rate", *a.total_work, *b.total_work, rounding))
        if same_length and min(a.trajectories, b.trajectories) >= FEWEST_TRAJECTORIES:
            quantities += _variances(pair[0], pair[1], rounding)
        points.append(
            CheckedPoint(
                a.parameters,
                [
                    comparison(name, mean, math.hypot(error, other_error), value, math.inf, allowed)
                    for name, mean, error, value, other_error, allowed in quantities
                ],
            )
        )
    trajectories = min(a.trajectories for a in [*own, *other])
    return replace(verdict(points, trajectories), reference=str(reference.path))


def _variances(first: Fluctuations, second: Fluctuations, rounding: float) -> list[tuple[Any, ...]]:
    """Names, variances and errors of two runs, and the rounding error of each variance."""
    variances = np.diag(np.maximum(first.cumulants.mean[1], second.cumulants.mean[1]))
    allowed = np.diag(covariance_rounding(variances, rounding, first.windows.time))
    return [
        (
            f"{o.kind}_variance_rate.{o.label}",
            *(float(part[1, k]) for run in (first, second) for part in run.cumulants),
            float(allowed[k]),
        )
        for k, o in enumerate(first.observables)
    ]


def _compare(sampled: Averages, window: Window, experiment: Experiment) -> list[Comparison]:
    exact = _by_name(window.rates, experiment)
    events_of = _events(sampled, exact, experiment)
    rounding = dict.fromkeys(RATES, _rounding(sampled, experiment))
    for kind in COUNTED:
        rounding[kind] = ROUNDING * float(abs(of_kind(window.rates, kind)).max(initial=0.0))
    results = []
    for q in sampled.quantities:
        key = (q.kind, q.label)
        limit = rounding[q.kind] + TOLERANCE * abs(exact[key])
        results.append(comparison(q.name, q.mean, q.stderr, exact[key], events_of[key], limit))
    if experiment.labels["drive"]:
        # Its parts may nearly cancel: then the total is the sharper test.
        total, fewest = float(window.rates.work.sum()), min(events_of.values())
        limit = rounding["work"] + TOLERANCE * abs(total)
        results.append(comparison("total_work_rate", *sampled.total_work, total, fewest, limit))
    # A heat that is wrong by less than its error still breaks the first law.
    limit = max(ledger.ROUNDING * sampled.largest_entry, 1e-300)
    residual = sampled.first_law_residual
    results.append(Comparison(FIRST_LAW, residual, math.nan, 0.0, residual / limit, limit))
    visits = sampled.trajectories * experiment.plan.rows / experiment.plan.rows_per_period
    for name, (mean, stderr) in sampled.edges.items():
        if name not in window.edges:
            continue
        scale = _scale(name, window)
        for index in np.ndindex(mean.shape):
            value, observed = float(window.edges[name][index]), float(mean[index])
            label = experiment.labels["site"][index[1]] if name != "occupation" else ""
            events = math.inf
            if name == "occupation":
                label = experiment.state_name(index[1])
                events = visits * max(min(value, 1 - value), min(observed, 1 - observed))
            full = f"{name}.{index[0]}.{label}"
            limit = ROUNDING * scale + TOLERANCE * abs(value)
            results.append(comparison(full, observed, float(stderr[index]), value, events, limit))
    return results


def _rounding(sampled: Averages, experiment: Experiment) -> float:
    """Rounding error of a rate of heat or work, on either side.

    It is relative to the largest energies: those of the ledger, and the terms of a drive, which may
    cancel and do not appear in the ledger.
    """
    terms = [site.magnitude for site in experiment.sites]
    squares = sampled.edges.get("position_squared", (np.ones(1), None))[0]
    amplitude = math.sqrt(float(squares.max()))
    energy = sampled.largest_entry + amplitude * max(terms, default=0.0)
    return ROUNDING * energy * sampled.sums / sampled.time


def _scale(name: str, window: Window) -> float:
    """Largest value of a probability, a position or its square."""
    if name == "occupation":
        return 1.0
    squared = window.edges.get(f"{name}_squared")
    largest = float(np.abs(window.edges[name] if squared is None else squared).max())
    return largest if squared is None else math.sqrt(largest)


def _events(
    sampled: Averages, exact: dict[tuple[str, str], float], experiment: Experiment
) -> dict[tuple[str, str], float]:
    """Number of flips or jumps that each mean is based on; infinite where there are none."""
    total = sampled.trajectories * sampled.time
    jumps = {
        bath: total * max(exact["jumps", bath], rate.mean)
        for bath, rate in sampled.of("jumps").items()
    }
    if jumps:
        # All jumps change the state, in which drives do work.
        every = sum(jumps.values())
        return {key: every if RATES[key[0]] == "drive" else jumps[key[1]] for key in exact}
    sampled_flips = sampled.of("flips")
    if not sampled_flips:
        return dict.fromkeys(exact, math.inf)
    flips = {
        site.name: total * max(exact["flips", site.name], sampled_flips[site.name].mean)
        for site in experiment.sites
    }
    by_bath = {
        bath: sum(flips[site.name] for site in experiment.sites if bath in site.contacts)
        for bath in experiment.baths
    }
    for bond in experiment.bonds:
        # Both ends change what a coupling does.
        flips.setdefault("-".join(bond.sites), sum(flips[end] for end in bond.sites))
    return {key: by_bath[key[1]] if key[0] == "heat" else flips[key[1]] for key in exact}


def _by_name(rates: Any, experiment: Experiment) -> dict[tuple[str, str], float]:
    return {
        (kind, label): float(value)
        for kind, dim in RATES.items()
        for label, value in zip(experiment.labels[dim], of_kind(rates, kind), strict=False)
    }
