"""Fluctuations as JSON for programs and as tables for people."""

from typing import Any

import numpy as np

from trajsim.analysis.cumulants import correlation
from trajsim.analysis.estimate import Estimate
from trajsim.analysis.fluctuations import Fluctuations
from trajsim.analysis.histograms import Histogram
from trajsim.analysis.scgf import Generating
from trajsim.analysis.theorems import Outcome
from trajsim.output import headed, table

KINDS = ("heat", "work")


def fluctuations_json(found: Fluctuations) -> dict[str, Any]:
    """What `trajsim analyze --json` says of fluctuations at one point."""
    windows = found.windows
    answer: dict[str, Any] = {
        "window": {
            "rows": windows.rows,
            "periods": windows.periods,
            "time": windows.time,
            "windows": found.trajectories * windows.count,
        }
    }
    for kind in KINDS:
        places = {o.label: k for k, o in enumerate(found.observables) if o.kind == kind}
        if not places:
            continue
        for name, values in (
            ("variance_rate", found.cumulants.at(1)),
            ("skewness", found.shape.skewness),
            ("excess_kurtosis", found.shape.kurtosis),
        ):
            answer[f"{kind}_{name}"] = {label: _pairs(values.at(k)) for label, k in places.items()}
        answer[f"{kind}_cumulant_rates"] = {
            label: [_pairs(found.cumulants.at((order, k))) for order in range(4)]
            for label, k in places.items()
        }
    names = [o.name for o in found.observables]
    if found.covariance is not None:
        # The total adds nothing to it.
        parts = [k for k, o in enumerate(found.observables) if not o.total]
        answer["covariance_rate"] = {
            "labels": [names[k] for k in parts],
            "matrix": _pairs(found.covariance.at(np.ix_(parts, parts))),
        }
    if found.correlation is not None:
        pairs = _pairs(Estimate(*(part.T for part in found.correlation)))
        answer["autocorrelation"] = dict(zip(names, pairs, strict=True))
    answer["histograms"] = dict(zip(names, map(_histogram, found.histograms), strict=False))
    answer["generating_function"] = dict(
        zip(names, map(_generating, found.generating), strict=False)
    )
    return answer


def _pairs(values: Estimate[Any]) -> Any:
    """Means and errors of an array of any shape, as nested lists."""
    if values.mean.ndim == 0:
        return {"mean": float(values.mean), "stderr": float(values.stderr)}
    return [_pairs(Estimate(*pair)) for pair in zip(*values, strict=True)]


def _histogram(counted: Histogram) -> dict[str, Any]:
    return {
        "edges": counted.edges.tolist(),
        "counts": counted.counts.tolist(),
        "stderr": counted.stderr.tolist(),
        "below": counted.below,
        "above": counted.above,
        "samples": counted.samples,
    }


def _generating(found: Generating) -> dict[str, Any]:
    good = found.trusted
    return {
        "lambda": found.argument.tolist(),
        "theta": _pairs(Estimate(found.theta, found.theta_error)),
        "effective_samples": found.effective.tolist(),
        "trusted": list(found.limits),
        "rate_function": {
            "current": found.current[good].tolist(),
            "rate": _pairs(Estimate(found.rate[good], found.theta_error[good])),
        },
    }


def fluctuations_table(found: Fluctuations) -> str:
    """What `trajsim analyze` says of fluctuations at one point."""
    windows, shape = found.windows, found.shape
    rows = []
    for k, observable in enumerate(found.observables):
        cells = [observable.name]
        for order in (1, 2, 3):
            mean, error = found.cumulants.mean[order, k], found.cumulants.stderr[order, k]
            cells += [f"{mean: .4e}", f"{error:.1e}"]
        cells.append(f"{shape.skewness.mean[k]: .3f}")
        rows.append(cells)
    heading = ["per unit time"]
    for name in ("variance", "3rd cumulant", "4th cumulant"):
        heading += [name, "std. err."]
    text = headed(found.parameters) + table([*heading, "skewness"], rows)
    length = f"{windows.rows} row{'s' if windows.rows > 1 else ''}"
    text += (
        f"{found.trajectories * windows.count} windows of {length} "
        f"({windows.periods:g} periods, time {windows.time:g})\n"
    )
    return text + _covariance_table(found)


def _covariance_table(found: Fluctuations) -> str:
    """Correlation coefficients of few observables, which are easier read than covariances."""
    if found.covariance is None or len(found.observables) > 8:
        return ""
    coefficients = correlation(found.covariance.mean)
    names = [o.name for o in found.observables]
    rows = [
        (name, *(f"{x: .4f}" for x in row)) for name, row in zip(names, coefficients, strict=True)
    ]
    return "\n" + table(("correlation", *names), rows)


# -- theorems ----------------------------------------------------------------------------------


def theorems_json(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    """The "theorems" of `trajsim analyze --theorems --json` at one point."""
    return [
        {
            "name": outcome.name,
            "statement": outcome.statement,
            "applies": outcome.refusal is None,
            "reason": outcome.refusal,
            "holds": outcome.holds,
            "z": outcome.worst.z if outcome.worst else None,
            "threshold": outcome.threshold if outcome.judged else None,
            "effective_samples": outcome.worst.effective if outcome.worst else None,
            "bound": outcome.bound,
            "estimates": [
                {
                    "what": e.what,
                    "value": e.value,
                    "stderr": e.stderr,
                    "expected": e.expected,
                    "z": e.z,
                    "effective_samples": e.effective,
                    "trusted": e.trusted,
                }
                for e in outcome.estimates
            ],
            "remarks": outcome.remarks,
        }
        for outcome in outcomes
    ]


WORDS = {True: "holds", False: "FAILS", None: "undecided"}


def theorems_table(outcomes: list[Outcome]) -> str:
    """What `trajsim analyze --theorems` says at one point."""
    rows, reasons = [], []
    for outcome in outcomes:
        worst = outcome.worst
        if outcome.refusal is not None:
            reasons.append(f"{outcome.name} does not apply: {outcome.refusal}\n")
            continue
        if worst is None:
            reasons.append(f"{outcome.name} cannot be judged: {outcome.shortage}\n")
            continue
        rows.append(
            (
                outcome.name,
                WORDS[outcome.holds],
                f"{worst.z:+.2f}",
                f"{outcome.threshold:.2f}",
                f"{len(outcome.judged)} of {len(outcome.estimates)}",
                f"{worst.effective:.0f}",
                f"{worst.value:.5g} +- {worst.stderr:.1g}",
                f"{'>= ' if outcome.bound else ''}{worst.expected:.5g}",
                worst.what,
            )
        )
    heading = ("theorem", "", "z", "allowed", "judged", "eff. samples", "estimate", "expected")
    text = "\n" + table((*heading, "furthest off"), rows) if rows else "\n"
    notes = [f"{o.name}: {key} {x:.5g}\n" for o in outcomes for key, x in o.remarks.items()]
    return text + "".join(notes) + "".join(reasons)
