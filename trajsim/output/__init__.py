"""Results as JSON and as text tables."""

import json
import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from trajsim.analysis.averages import BULK, Averages
from trajsim.analysis.rates import NAMES, OF_SOME, RATES
from trajsim.analysis.regimes import Regime
from trajsim.analysis.windows import total_of
from trajsim.comparison import Check
from trajsim.config import Experiment, Point
from trajsim.ensemble import Currents, of_kind
from trajsim.explore.points import exact_regime

# Labels of one kind of rates in a text table; of more, the extremes stand for all.
MOST_LABELS = 40


def to_json(answer: Any) -> str:
    """JSON text; nan and inf become null."""
    return json.dumps(_json_value(answer), indent=2, allow_nan=False)


def points_json(points: Iterable[dict[str, Any]], more: dict[str, Any]) -> Iterator[str]:
    """JSON text of {"points": [...], **more} as by `to_json`, in pieces, a point at a time."""
    before = '{\n  "points": [\n'
    for point in points:
        yield before + textwrap.indent(to_json(point), "    ")
        before = ",\n"
    yield "\n  ]"
    for key, value in more.items():
        yield f",\n  {to_json(key)}: {to_json(value)}"
    yield "\n}\n"


def _json_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json_value(inside) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(inside) for inside in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value


# -- exact -------------------------------------------------------------------------------------


def _named(energetics: Any, experiment: Experiment) -> dict[str, dict[str, float]]:
    """Rates by kind and label; kinds that the model does not have are absent."""
    rates_by_kind = {
        NAMES[kind]: dict(
            zip(experiment.labels[dim], map(float, of_kind(energetics, kind)), strict=False)
        )
        for kind, dim in RATES.items()
    }
    optional = {NAMES[kind] for kind in OF_SOME}
    return {name: rates for name, rates in rates_by_kind.items() if rates or name not in optional}


def exact_json(point: Point, solved: Any) -> dict[str, Any]:
    """One point of `trajsim exact --json`."""
    currents: Currents = solved.currents
    experiment = point.experiment
    regime = exact_regime(experiment, currents)
    return {
        "parameters": point.parameters,
        **_named(currents.rates, experiment),
        **_variances(solved, experiment),
        "regime": regime.name,
        "efficiency": regime.efficiency.mean if regime.efficiency else None,
        "cop": regime.cop.mean if regime.cop else None,
        "error": _named(currents.error, experiment),
    }


def _variances(solved: Any, experiment: Experiment) -> dict[str, Any]:
    """Variance rates of the works, if the exact side has them."""
    if not hasattr(solved, "work_variance_rate"):
        return {}
    variances, total = solved.work_variance_rate
    drives = experiment.labels["drive"]
    named = dict(zip(drives, map(float, variances), strict=True))
    return {"work_variance_rate": {**named, total_of(drives): float(total)}}


def exact_table(point: Point, solved: Any) -> str:
    """One point of `trajsim exact`."""
    currents, experiment = solved.currents, point.experiment
    errors = _named(currents.error, experiment)
    rows = []
    for name, rates in _named(currents.rates, experiment).items():
        error = errors[name]
        some = _some(name, rates)
        rows += [
            (words, f"{value: .9e}", f"{error[label]:.0e}" if label in error else "")
            for words, label, value in some
        ]
    for name, rates in _variances(solved, experiment).items():
        rows += [(f"{name}.{label}", f"{value: .9e}", "") for label, value in rates.items()]
    text = table(("per unit time", "exact", "error <"), rows)
    return headed(point.parameters) + text + _regime(exact_regime(experiment, currents))


# -- sampled -----------------------------------------------------------------------------------


def averages_json(sampled: Averages) -> dict[str, Any]:
    """One point of `trajsim analyze --json`."""
    regime = sampled.regime

    def pair(estimate: Any) -> dict[str, float] | None:
        return {"mean": estimate[0], "stderr": estimate[1]} if estimate else None

    return {
        "parameters": sampled.parameters,
        **{
            NAMES[kind]: {label: pair(e) for label, e in sampled.of(kind).items()}
            for kind in RATES
            if kind not in OF_SOME[1:] or sampled.of(kind)
        },
        **({"total_work_rate": pair(sampled.total_work)} if sampled.of("work") else {}),
        "regime": regime.name,
        "efficiency": pair(regime.efficiency),
        "cop": pair(regime.cop),
        "trajectories": sampled.trajectories,
        "time": sampled.time,
        "first_law_residual": sampled.first_law_residual,
        **{
            name: {"mean": e.mean[:, 0].tolist(), "stderr": e.stderr[:, 0].tolist()}
            for name, e in sampled.edges.items()
            if name in BULK
        },
    }


def averages_table(sampled: Averages) -> str:
    """One point of `trajsim analyze`."""
    rows = []
    for kind in RATES:
        estimates = sampled.of(kind)
        for words, label, mean in _some(NAMES[kind], {k: e.mean for k, e in estimates.items()}):
            error = f"{estimates[label].stderr:.1e}" if label in estimates else ""
            rows.append((words, f"{mean: .5e}", error))
    if sampled.of("work"):
        total = sampled.total_work
        rows.append(("total_work_rate", f"{total.mean: .5e}", f"{total.stderr:.1e}"))
    if sampled.shadow_work:
        shadow = sampled.shadow_work
        rows.append(("shadow_work_rate", f"{shadow.mean: .5e}", f"{shadow.stderr:.1e}"))
    text = table(("per unit time", "mean", "std. error"), rows)
    bulk = {name: e for name, e in sampled.edges.items() if name in BULK and e.mean.size == 1}
    if bulk:
        rows = [
            (name, f"{e.mean.item(): .6e}", f"{e.stderr.item():.1e}") for name, e in bulk.items()
        ]
        text += "\n" + table(("where rows begin", "mean", "std. error"), rows)
    text += _regime(sampled.regime)
    text += (
        f"{sampled.trajectories} trajectories of time {sampled.time:g}; "
        f"largest first-law residual {sampled.first_law_residual:.1e}\n"
    )
    return headed(sampled.parameters) + text


def _some(name: str, values: Mapping[str, float]) -> Iterator[tuple[str, str, float]]:
    """Words, label and value of rates of one kind: of many, the mean, least and largest."""
    if len(values) <= MOST_LABELS:
        yield from ((f"{name}.{label}", label, value) for label, value in values.items())
        return
    yield f"{name}.*, mean of {len(values)}", "", sum(values.values()) / len(values)
    for word, pick in (("least", min), ("largest", max)):
        label = pick(values, key=values.__getitem__)
        yield f"{name}.{label}, the {word}", label, values[label]


def shadow_warning(sampled: Averages, most: float = 0.01) -> str | None:
    """Warning if the integrator's error is not small against the largest heat rate."""
    if sampled.shadow_work is None:
        return None
    heat = max(abs(e.mean) for e in sampled.of("heat").values())
    shadow = abs(sampled.shadow_work.mean) - 3 * sampled.shadow_work.stderr
    if shadow <= most * heat:
        return None
    return (
        f"warning: the mean shadow work is {abs(sampled.shadow_work.mean) / heat:.1%} of the "
        "largest heat rate; raise integrator.steps_per_period"
    )


def regime_line(sampled: Averages) -> str:
    """The regime, in a line."""
    return _regime(sampled.regime)


def check_json(verdict: Check) -> dict[str, Any]:
    """`trajsim check --json`."""
    return {
        "agrees": verdict.agrees,
        "threshold": verdict.threshold,
        **({} if verdict.damage is None else {"damage": verdict.damage}),
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
                "" if math.isnan(q.stderr) else f"{q.stderr:.1e}",
                f"{q.exact: .5e}",
                "too few" if q.sigma is None else f"{q.sigma:+.2f}",
            )
            for q in point.quantities
            if _is_main(q.name) or len(point.quantities) < 40
        ]
        heading = ("per unit time", "sampled", "std. error", "exact", "sigma")
        text += headed(point.parameters) + table(heading, rows)
    if len(verdict.points) > most_points:
        text += f"... and {len(verdict.points) - most_points} more points\n"
    return text + verdict_line(verdict)


def _is_main(name: str) -> bool:
    """Whether a comparison is neither of a covariance nor of one phase of the period."""
    kind, _, label = name.partition(".")
    return "." not in label or (kind.endswith("_rate") and kind != "covariance_rate")


def verdict_line(verdict: Check) -> str:
    """The verdict in a sentence."""
    if verdict.damage is not None:
        return f"{verdict.damage}\ncheck: DISAGREES: the run is damaged\n"
    word = "agrees" if verdict.agrees else "DISAGREES"
    return f"check: sampled {word} with {verdict.reference}: {verdict.extent}\n"


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


def headed(parameters: dict[str, float]) -> str:
    """Swept values, a line each."""
    return "".join(f"\n{key} = {value:.6g}" for key, value in parameters.items()) + "\n"


def _regime(regime: Regime) -> str:
    text = f"regime: {regime.name}"
    for name, estimate in (("efficiency", regime.efficiency), ("COP", regime.cop)):
        if estimate is not None:
            text += f", {name} {estimate.mean:.4e} +- {estimate.stderr:.1e}"
    return text + "\n"


def some_of(names: list[str]) -> str:
    """Names as a list; of many their number, the first two and the last."""
    if len(names) <= MOST_LABELS:
        return str(names)
    return f"{len(names)} from {names[0]!r}, {names[1]!r} to {names[-1]!r}"


def inline(facts: dict[str, Any]) -> str:
    """A small table of facts in a line."""
    return ", ".join(f"{key}: {value}" for key, value in facts.items())
