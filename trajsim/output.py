"""Answers as JSON for programs and as tables for people."""

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from trajsim.analysis.averages import NAMES, RATES, Averages
from trajsim.analysis.regimes import Regime, classify
from trajsim.check import Check
from trajsim.config import Config, Experiment, Point
from trajsim.exact.master import Currents, MasterEquation


def to_json(answer: Any) -> str:
    """JSON text; numbers that are not known become null."""
    return json.dumps(_known(answer), indent=2, allow_nan=False)


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _known(inside) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_known(inside) for inside in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value


def _labels(experiment: Experiment) -> dict[str, list[str]]:
    return {
        "bath": list(experiment.baths),
        "drive": experiment.drive_names,
        "site": [site.name for site in experiment.sites],
    }


def temperatures(experiment: Experiment) -> dict[str, float]:
    """Temperature of each bath."""
    return {name: bath.temperature for name, bath in experiment.baths.items()}


# -- exact -------------------------------------------------------------------------------------


def solve(point: Point, tolerance: float = 1e-10) -> Currents:
    """Exact period-averaged currents at one point of a config."""
    return MasterEquation(point.experiment.network(), tolerance).currents


def exact_regime(point: Point, currents: Currents) -> Regime:
    """Regime of exact currents, whose errors are those of their numerical solution."""
    rates, error = currents
    work, work_error = rates.work.sum(), error.work.sum()
    covariance = np.diag(np.append(error.heat, work_error) ** 2)
    return classify(
        rates.heat, work, covariance, temperatures(point.experiment), len(rates.work) > 0
    )


def exact_json(point: Point, currents: Currents) -> dict[str, Any]:
    """One point of `trajsim exact --json`."""
    labels = _labels(point.experiment)
    regime = exact_regime(point, currents)

    def named(gains: Any) -> dict[str, dict[str, float]]:
        return {
            NAMES[kind]: dict(zip(labels[dim], map(float, getattr(gains, kind)), strict=True))
            for kind, dim in RATES.items()
        }

    return {
        "parameters": point.parameters,
        **named(currents.rates),
        "regime": regime.name,
        "efficiency": regime.efficiency.mean if regime.efficiency else None,
        "cop": regime.cop.mean if regime.cop else None,
        "error": named(currents.error),
    }


def exact_table(point: Point, currents: Currents) -> str:
    """One point of `trajsim exact`."""
    regime, labels = exact_regime(point, currents), _labels(point.experiment)
    rows = [
        (f"{NAMES[kind]}.{label}", f"{value: .9e}", f"{error:.0e}")
        for kind, dim in RATES.items()
        for label, value, error in zip(
            labels[dim], getattr(currents.rates, kind), getattr(currents.error, kind), strict=True
        )
    ]
    return (
        _headed(point.parameters)
        + table(("per unit time", "exact", "error <"), rows)
        + _regime(regime)
    )


# -- sampled -----------------------------------------------------------------------------------


def averages_json(sampled: Averages, experiment: Experiment) -> dict[str, Any]:
    """One point of `trajsim analyze --json`."""
    regime = sampled.regime(temperatures(experiment))

    def pair(estimate: Any) -> dict[str, float] | None:
        return {"mean": estimate[0], "stderr": estimate[1]} if estimate else None

    return {
        "parameters": sampled.parameters,
        **{
            NAMES[kind]: {label: pair(e) for label, e in sampled.of(kind).items()} for kind in RATES
        },
        "total_work_rate": pair(sampled.total_work),
        "regime": regime.name,
        "efficiency": pair(regime.efficiency),
        "cop": pair(regime.cop),
        "trajectories": sampled.trajectories,
        "time": sampled.time,
        "first_law_residual": sampled.first_law_residual,
    }


def averages_table(sampled: Averages, experiment: Experiment) -> str:
    """One point of `trajsim analyze`."""
    rows = [(q.name, f"{q.mean: .5e}", f"{q.stderr:.1e}") for q in sampled.quantities]
    if sampled.of("work"):
        total = sampled.total_work
        rows.append(("total_work_rate", f"{total.mean: .5e}", f"{total.stderr:.1e}"))
    text = table(("per unit time", "mean", "std. error"), rows)
    text += _regime(sampled.regime(temperatures(experiment)))
    text += (
        f"{sampled.trajectories} trajectories of time {sampled.time:g}; "
        f"largest first-law residual {sampled.first_law_residual:.1e}\n"
    )
    return _headed(sampled.parameters) + text


def regime_line(sampled: Averages, experiment: Experiment) -> str:
    """What the system does, in a line."""
    return _regime(sampled.regime(temperatures(experiment)))


def check_json(verdict: Check) -> dict[str, Any]:
    """`trajsim check --json`."""
    return {
        "agrees": verdict.agrees,
        "threshold": verdict.threshold,
        "points": [
            {"parameters": p.parameters, "quantities": [q._asdict() for q in p.quantities]}
            for p in verdict.points
        ],
    }


def check_table(verdict: Check, most_points: int = 3) -> str:
    """Comparisons of the first points, then the verdict."""
    text = ""
    for point in verdict.points[:most_points]:
        rows = [
            (
                q.name,
                f"{q.sampled: .5e}",
                f"{q.stderr:.1e}",
                f"{q.exact: .5e}",
                "too few" if q.sigma is None else f"{q.sigma:+.2f}",
            )
            for q in point.quantities
            if not q.name.startswith("occupation") or len(point.quantities) < 40
        ]
        heading = ("per unit time", "sampled", "std. error", "exact", "sigma")
        text += _headed(point.parameters) + table(heading, rows)
    if len(verdict.points) > most_points:
        text += f"... and {len(verdict.points) - most_points} more points\n"
    return text + verdict_line(verdict)


def verdict_line(verdict: Check) -> str:
    """The verdict in a sentence."""
    word = "agrees" if verdict.agrees else "DISAGREES"
    return (
        f"check: sampled {word} with exact: {len(verdict.judged)} quantities, "
        f"the furthest off {verdict.worst.name} by {verdict.worst.sigma:+.2f} standard errors "
        f"(allowed {verdict.threshold:.2f})\n"
    )


# -- text --------------------------------------------------------------------------------------


def table(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Columns lined up: the first to the left, the others to the right."""
    cells = [list(heading), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if k == 0 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]]) + "\n"


def _headed(parameters: dict[str, float]) -> str:
    return "".join(f"\n{key} = {value:.6g}" for key, value in parameters.items()) + "\n"


def _regime(regime: Regime) -> str:
    text = f"regime: {regime.name}"
    for name, estimate in (("efficiency", regime.efficiency), ("COP", regime.cop)):
        if estimate is not None:
            text += f", {name} {estimate.mean:.4e} +- {estimate.stderr:.1e}"
    return text + "\n"


def inline(facts: dict[str, Any]) -> str:
    """A small table of facts in a line."""
    return ", ".join(f"{key}: {value}" for key, value in facts.items())


def config_summary(config: Config) -> str:
    """What a config asks for, in a line."""
    experiment = config.experiment
    ensemble = experiment.ensemble
    return (
        f"{len(experiment.sites)} {experiment.model.kind}, {len(experiment.baths)} baths, "
        f"{len(config.points)} point{'s' if len(config.points) > 1 else ''} of "
        f"{ensemble.trajectories} trajectories x {ensemble.periods} periods"
    )
