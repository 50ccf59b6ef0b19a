"""Sections of a run's page: verdict, averages, theorems, changes, provenance."""

import math
import shlex
from typing import Any, NamedTuple

from trajsim import output as out
from trajsim.analysis.averages import Averages
from trajsim.analysis.protocols import SampledProtocol
from trajsim.analysis.theorems import Outcome, theorems
from trajsim.comparison import CannotCheckError, Check, check
from trajsim.comparison.protocols import exact_protocol
from trajsim.comparison.protocols import sampled as sampled_protocols
from trajsim.comparison.settings import partners, settings
from trajsim.config import Config, ConfigError, Experiment, parse
from trajsim.ensemble import NoExactSideError
from trajsim.output.fluctuations import WORDS
from trajsim.output.protocols import WORDS as WORDS_OF_PROTOCOLS
from trajsim.output.protocols import WORDS_OF_BENNETT
from trajsim.store import StoredRun

# A run of the reversed protocol, and its config.
Reverse = tuple[StoredRun, Config]

# Points of a sweep that are shown; others are only counted.
MOST_POINTS = 100
# Points above which theorems are not tested.
MOST_THEOREM_POINTS = 4


class Cell(NamedTuple):
    """A cell of a table; kind is its class: "", "text", "words", "good", "bad"."""

    text: str
    kind: str = ""


class Grid(NamedTuple):
    """A table."""

    caption: str
    heading: list[str]
    rows: list[list[Cell]]


class Verdict(NamedTuple):
    """The first section; `check` is None where nothing was checked."""

    kind: str
    word: str
    text: str
    remarks: list[str]
    check: Check | None


class Theorems(NamedTuple):
    """Theorems at a point: those judged, and why the others were not."""

    heading: str
    judged: Grid
    others: list[str]


def _cells(*texts: str) -> list[Cell]:
    return [Cell(text) for text in texts]


def swept(parameters: dict[str, float]) -> str:
    """Swept values in a line."""
    return ", ".join(f"{key} = {x:.6g}" for key, x in parameters.items())


# -- verdict -----------------------------------------------------------------------------------


def verdict(run: StoredRun, config: Config, sampled: list[Averages]) -> Verdict:
    """Whether sampled agrees with exact, and the regime."""
    remarks = [] if run.finished else ["The run is unfinished: this is what there is of it."]
    if len(sampled) == 1:
        remarks.append(out.regime_line(sampled[0]).strip())
    remarks += filter(None, [next(filter(None, map(out.shadow_warning, sampled)), None)])
    if not sampled:
        return Verdict("", "Nothing is there yet.", "", remarks, None)
    try:
        checked = check(run, config, sampled)
    except (CannotCheckError, NoExactSideError) as error:
        return Verdict("", "Not checked:", f"{error}.", remarks, None)
    word = "Sampled agrees with exact:" if checked.agrees else "SAMPLED DISAGREES WITH EXACT:"
    return Verdict(
        "good" if checked.agrees else "bad", word, f"{checked.extent}.", remarks, checked
    )


# -- averages ----------------------------------------------------------------------------------


def averages_sections(
    run: StoredRun, sampled: list[Averages], check: Check | None
) -> tuple[Grid | None, list[tuple[str, Grid]], str]:
    """A table of all points of a sweep, a table for each, and a note on points left out."""
    shown = sampled[:MOST_POINTS]
    grids = [
        (swept(a.parameters), _table(check, k) if check else _alone(a)) for k, a in enumerate(shown)
    ]
    hidden = len(sampled) - len(shown)
    note = f"{hidden} more points are in the run: trajsim check {run.path.name}" if hidden else ""
    return (_overview(shown, check) if len(sampled) > 1 else None), grids, note


def _overview(sampled: list[Averages], check: Check | None) -> Grid:
    """A line for each point: swept values, heats, total work, regime, the largest sigma."""
    first = sampled[0]
    heading = [*first.parameters, *(f"heat {bath}" for bath in first.of("heat"))]
    heading += ["work", "regime", *(["furthest sigma"] if check else [])]
    rows = []
    for k, a in enumerate(sampled):
        cells = [f"{x:.6g}" for x in a.parameters.values()]
        cells += [_estimate(*e) for e in a.of("heat").values()]
        cells.append(_estimate(*a.total_work))
        row = [*_cells(*cells), Cell(a.regime.name)]
        if check:
            sigmas = [q.sigma for q in check.points[k].quantities if q.sigma is not None]
            row.append(_sigma(max(sigmas, key=abs, default=None), check))
        rows.append(row)
    return Grid("Sampled mean rates with standard errors, point by point", heading, rows)


def _table(check: Check, point: int) -> Grid:
    """Every quantity beside its exact value."""
    rows = [
        [
            *_cells(q.name, f"{q.sampled:.5e}", _error(q.stderr), f"{q.exact:.5e}"),
            _sigma(q.sigma, check),
        ]
        for q in check.points[point].quantities
    ]
    heading = ["", "sampled", "std. error", "exact", "sigma"]
    return Grid("Sampled against exact", heading, rows)


def _alone(sampled: Averages) -> Grid:
    """Mean rates without exact ones."""
    rows = [_cells(q.name, f"{q.mean:.5e}", f"{q.stderr:.1e}") for q in sampled.quantities]
    if sampled.of("work"):
        total = sampled.total_work
        rows.append(_cells("total_work_rate", f"{total.mean:.5e}", f"{total.stderr:.1e}"))
    if sampled.shadow_work:
        shadow = sampled.shadow_work
        rows.append(_cells("shadow_work_rate", f"{shadow.mean:.5e}", f"{shadow.stderr:.1e}"))
    return Grid("Sampled mean rates", ["", "mean", "std. error"], rows)


def protocol_sections(
    run: StoredRun, config: Config, sampled: list[Averages], reverse: Reverse | None
) -> list[tuple[str, Grid]]:
    """A table for each point that is a protocol that ends: sampled totals beside exact ones.

    Parameters
    ----------
    run, config, sampled, reverse : as for `theorem_sections`
    """
    if len(sampled) > MOST_THEOREM_POINTS:
        return []
    totals = sampled_protocols(run, config, reverse)
    experiments = {tuple(p.parameters.values()): p.experiment for p in config.points}
    return [
        (swept(a.parameters), _protocol(experiments[tuple(a.parameters.values())], total))
        for a, total in zip(sampled, totals or [None] * len(sampled), strict=True)
        if total is not None
    ]


def _protocol(experiment: Experiment, sampled: SampledProtocol) -> Grid:
    """Heat, work and free energy over a protocol."""
    try:
        exact = exact_protocol(experiment)
    except NoExactSideError:
        exact = None
    values: list[tuple[str, Any, float | None]] = []
    for kind in ("heat", "work"):
        for label, spread in getattr(sampled, kind).items():
            beside = getattr(exact, kind)[label] if exact else (None, None)
            names = (f"mean of {kind}.{label}", f"variance of {kind}.{label}")
            values += zip(names, spread, beside, strict=True)
    for name, words in WORDS_OF_PROTOCOLS.items():
        values.append((words, getattr(sampled, name), getattr(exact, name, None)))
    if sampled.bennett:
        for name, words in WORDS_OF_BENNETT.items():
            values.append((words, getattr(sampled.bennett, name), getattr(exact, name, None)))
    rows = [
        _cells(words, f"{e.mean:.5e}", f"{e.stderr:.1e}", "" if x is None else f"{x:.5e}")
        for words, e, x in values
        if e is not None
    ]
    return Grid("Over the protocol", ["", "sampled", "std. error", "exact"], rows)


def _sigma(sigma: float | None, check: Check) -> Cell:
    if sigma is None:
        return Cell("too few")
    return Cell(f"{sigma:+.2f}", "bad" if abs(sigma) > check.threshold else "")


def _error(stderr: float) -> str:
    """A standard error, where there is one."""
    return "" if math.isnan(stderr) else f"{stderr:.1e}"


def _estimate(mean: float, stderr: float) -> str:
    return f"{mean:.4e} ± {stderr:.1e}"


# -- theorems ----------------------------------------------------------------------------------


def theorem_sections(
    run: StoredRun, config: Config, sampled: list[Averages], reverse: Reverse | None
) -> list[Theorems]:
    """Fluctuation theorems point by point, of runs with few points.

    Parameters
    ----------
    run, config : with what is judged
    sampled : averages of the run
    reverse : run and config of the reversed protocol
    """
    if not sampled or len(sampled) > MOST_THEOREM_POINTS or sampled[0].trajectories < 2:
        return []
    others = (reverse[0], partners(run, config, *reverse)) if reverse else ()
    outcomes = theorems(run, settings(config), *others)
    return [
        _theorems(swept(a.parameters), found) for a, found in zip(sampled, outcomes, strict=True)
    ]


def _theorems(heading: str, outcomes: list[Outcome]) -> Theorems:
    rows, others = [], []
    for outcome in outcomes:
        worst = outcome.worst
        if outcome.refusal is not None:
            others.append(f"{outcome.name} does not apply: {outcome.refusal}")
        elif worst is None:
            others.append(f"{outcome.name} cannot be judged: {outcome.shortage}")
        else:
            kind = {True: "good", False: "bad", None: "text"}[outcome.holds]
            expected = f"{'≥ ' if outcome.bound else ''}{worst.expected:.5g}"
            rows.append(
                [
                    Cell(outcome.name),
                    Cell(outcome.statement, "words"),
                    Cell(WORDS[outcome.holds], kind),
                    *_cells(f"{worst.value:.5g} ± {worst.stderr:.1g}", expected),
                    *_cells(f"{worst.z:+.2f}", f"{outcome.threshold:.2f}"),
                ]
            )
    columns = ["theorem", "statement", "", "furthest estimate", "expected", "z", "allowed"]
    return Theorems(heading, Grid("Judged on this run", columns, rows), others)


# -- provenance ----------------------------------------------------------------------------------


def changes(run: StoredRun, config: Config) -> Grid:
    """Values of the run that differ from its config's text, by --set."""
    rows = [
        _cells(key, _text(old), _text(new)) for key, (old, new) in _changed(run, config).items()
    ]
    return Grid("Put in place of the config's", ["key", "config", "run"], rows)


def _changed(run: StoredRun, config: Config) -> dict[str, tuple[Any, Any]]:
    try:
        written = parse(run.header["config"]).experiment.model_dump(mode="json")
    except ConfigError:  # good only with what was put in place
        return {}
    old, new = _flat(written), _flat(config.experiment.model_dump(mode="json"))
    return {
        key: (old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key)
    }


def _flat(value: Any, key: str = "") -> dict[str, Any]:
    """Numbers and words by dotted key, as for `--set`; sites by name."""
    if isinstance(value, dict):
        parts = [(name, inner) for name, inner in value.items() if inner is not None]
    elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        parts = [(_name(v, k), v) for k, v in enumerate(value)]
    else:
        return {key: value}
    flat: dict[str, Any] = {}
    for name, inner in parts:
        flat |= _flat(inner, f"{key}.{name}" if key else name)
    return flat


def _name(element: dict[str, Any], number: int) -> str:
    return element.get("name") or "-".join(element.get("sites", [])) or str(number)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def provenance(run: StoredRun, config: Config, sampled: list[Averages]) -> Grid:
    """Provenance and contents of the run."""
    header, layout = run.header, run.layout
    residual = max((a.first_law_residual for a in sampled), default=0.0)
    facts = {
        "file": run.path.name,
        "program": f"{header['program']} {header['version']}",
        "seed": header["seed"],
        **config.experiment.method,
        "ledger": layout.summary,
        "recorded time": f"{layout.duration(0):g} a trajectory",
        "events": f"{run.events:.6g}",
        "largest first-law residual": f"{residual:.1e}",
        "libraries": out.inline(header["libraries"]),
        "machine": out.inline(header["machine"]),
        **{f"SHA-256 of {name}": digest for name, digest in run.checksums.items()},
    }
    rows = [[Cell(name), Cell(str(value), "words")] for name, value in facts.items()]
    return Grid("The run", [], rows)


def command(run: StoredRun, config: Config) -> str:
    """The command that makes the same ledger again."""
    words = ["trajsim", "run", "config.toml", "-o", run.path.name]
    for key, (_, value) in _changed(run, config).items():
        words += ["--set", f"{key}={value}"]
    return shlex.join(words)
