"""Fluctuations as JSON and as text tables."""

from typing import Any

import numpy as np

from trajsim.analysis.cumulants import correlation
from trajsim.analysis.estimate import Estimate
from trajsim.analysis.fluctuations import Fluctuations
from trajsim.analysis.histograms import Histogram
from trajsim.analysis.scgf import Generating
from trajsim.analysis.theorems import Outcome
from trajsim.analysis.windows import KINDS
from trajsim.output import headed, table


def fluctuations_json(sampled: Fluctuations) -> dict[str, Any]:
    """Fluctuations at one point in `trajsim analyze --json`."""
    windows = sampled.windows
    answer: dict[str, Any] = {
        "window": {
            "rows": windows.rows,
            "periods": windows.periods,
            "time": windows.time,
            "windows": sampled.trajectories * windows.count,
        }
    }
    for kind in KINDS:
        indices = {o.label: k for k, o in enumerate(sampled.observables) if o.kind == kind}
        if not indices:
            continue
        for name, values in (
            ("variance_rate", sampled.cumulants.at(1)),
            ("skewness", sampled.shape.skewness),
            ("excess_kurtosis", sampled.shape.kurtosis),
        ):
            answer[f"{kind}_{name}"] = {label: _pairs(values.at(k)) for label, k in indices.items()}
        answer[f"{kind}_cumulant_rates"] = {
            label: [_pairs(sampled.cumulants.at((order, k))) for order in range(4)]
            for label, k in indices.items()
        }
    names = [o.name for o in sampled.observables]
    if sampled.covariance is not None:
        # Covariances of the total follow from the others.
        parts = [k for k, o in enumerate(sampled.observables) if not o.total]
        answer["covariance_rate"] = {
            "labels": [names[k] for k in parts],
            "matrix": _pairs(sampled.covariance.at(np.ix_(parts, parts))),
        }
    if sampled.correlation is not None:
        pairs = _pairs(Estimate(*(part.T for part in sampled.correlation)))
        answer["autocorrelation"] = dict(zip(names, pairs, strict=True))
    answer["histograms"] = dict(zip(names, map(_histogram, sampled.histograms), strict=False))
    answer["generating_function"] = dict(
        zip(names, map(_generating, sampled.generating), strict=False)
    )
    return answer


def _pairs(values: Estimate[Any]) -> Any:
    """Means and errors of an array of any shape, as nested lists."""
    if values.mean.ndim == 0:
        return {"mean": float(values.mean), "stderr": float(values.stderr)}
    return [_pairs(Estimate(*pair)) for pair in zip(*values, strict=True)]


def _histogram(histogram: Histogram) -> dict[str, Any]:
    return {
        "edges": histogram.edges.tolist(),
        "counts": histogram.counts.tolist(),
        "stderr": histogram.stderr.tolist(),
        "below": histogram.below,
        "above": histogram.above,
        "samples": histogram.samples,
    }


def _generating(generating: Generating) -> dict[str, Any]:
    trusted = generating.trusted
    return {
        "lambda": generating.argument.tolist(),
        "theta": _pairs(Estimate(generating.theta, generating.theta_error)),
        "effective_samples": generating.effective.tolist(),
        "trusted": list(generating.limits),
        "rate_function": {
            "current": generating.current[trusted].tolist(),
            "rate": _pairs(Estimate(generating.rate[trusted], generating.theta_error[trusted])),
        },
    }


def fluctuations_table(sampled: Fluctuations) -> str:
    """Fluctuations at one point in `trajsim analyze`."""
    windows, shape = sampled.windows, sampled.shape
    rows = []
    for k, observable in enumerate(sampled.observables):
        cells = [observable.name]
        for order in (1, 2, 3):
            mean, error = sampled.cumulants.mean[order, k], sampled.cumulants.stderr[order, k]
            cells += [f"{mean: .4e}", f"{error:.1e}"]
        cells.append(f"{shape.skewness.mean[k]: .3f}")
        rows.append(cells)
    heading = ["per unit time"]
    for name in ("variance", "3rd cumulant", "4th cumulant"):
        heading += [name, "std. err."]
    text = headed(sampled.parameters) + table([*heading, "skewness"], rows)
    length = f"{windows.rows} row{'s' if windows.rows > 1 else ''}"
    text += (
        f"{sampled.trajectories * windows.count} windows of {length} "
        f"({windows.periods:g} periods, time {windows.time:g})\n"
    )
    return text + _covariance_table(sampled)


def _covariance_table(sampled: Fluctuations) -> str:
    """Table of correlation coefficients, for up to eight observables."""
    if sampled.covariance is None or len(sampled.observables) > 8:
        return ""
    coefficients = correlation(sampled.covariance.mean)
    names = [o.name for o in sampled.observables]
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
    """Theorems at one point in `trajsim analyze --theorems`."""
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
