"""Figures: sampled points with error bars on exact curves, ready for a paper.

The only importer of matplotlib.
"""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trajsim.analysis.averages import Averages, averages
from trajsim.analysis.profile import Profile, profiles
from trajsim.config import Config, Experiment, with_parameters
from trajsim.exact import NoExactSideError, ensemble, start_state
from trajsim.store import Run

Array = NDArray[np.float64]

# Okabe & Ito's colours, told apart by every kind of colour vision; markers differ too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# Drawing needs fewer digits than checking.
CURVE_TOLERANCE = 1e-6
CURVE_POINTS = 121
MOST_PANELS = 4
MOST_LINES = 8
TITLE_WIDTH = 44  # letters

STYLE: Any = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.limits": (-2, 3),
    "axes.formatter.use_mathtext": True,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "errorbar.capsize": 2,
    "mathtext.fontset": "dejavusans",
    "figure.constrained_layout.use": True,
}


class Line(NamedTuple):
    """One current: what it is called, how to read it from rates, how it looks."""

    label: str
    kind: str
    column: int | None  # None adds up all
    colour: str
    marker: str

    def of(self, rates: Any) -> Array:
        """Its values (...) in an object with arrays (..., labels) by kind."""
        values = np.asarray(
            rates[self.kind] if isinstance(rates, dict) else getattr(rates, self.kind)
        )
        return values.sum(axis=-1) if self.column is None else values[..., self.column]


def lines_of(experiment: Experiment) -> list[Line]:
    """Heat of each bath and the total work: the curves of the paper's figures."""
    wanted: list[tuple[str, str, int | None]] = []
    for k, bath in enumerate(list(experiment.baths)[: MOST_LINES - 1]):
        wanted.append((rf"$\dot q_{{\mathrm{{{bath}}}}}$", "heat", k))
    drives = experiment.labels["drive"]
    if experiment.model.kind == "oscillators" and len(drives) == 2:
        wanted += [(rf"$\dot w_{{\mathrm{{{d}}}}}$", "work", k) for k, d in enumerate(drives)]
    elif drives:
        wanted.append((r"$\dot w$", "work", None))
    return [
        Line(label, kind, column, COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)])
        for k, (label, kind, column) in enumerate(wanted)
    ]


def figures(config: Config, run: Run | None) -> dict[str, Figure]:
    """All figures that a config, or a run of it, gives, by name.

    Parameters
    ----------
    config : the one the run was made from
    run : None to draw the exact curves alone
    """
    with mpl.rc_context(STYLE):
        made = {}
        sampled = averages(run) if run else None
        if _axis(config) is not None:
            made["sweep"] = _sweep_figure(config, sampled)
        else:
            made["rates"] = _rates_figure(config, sampled)
        if config.experiment.plan.rows_per_period > 1:
            made["time"] = _time_figure(config, profiles(run) if run else None)
        return made


def save(figures: dict[str, Figure], folder: Path, stem: str) -> Iterator[Path]:
    """Write each figure as PNG and PDF; gives the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        for ending in ("png", "pdf"):
            path = folder / f"{stem}-{name}.{ending}"
            figure.savefig(path, metadata={"CreationDate": None} if ending == "pdf" else None)
            yield path
        plt.close(figure)


# -- one point, or points without an order -----------------------------------------------------


def _rates_figure(config: Config, sampled: list[Averages] | None) -> Figure:
    """Heat of each bath and work of each drive as dots with error bars beside exact bars."""
    points = config.points[:MOST_PANELS]
    figure, axes = plt.subplots(
        1, len(points), figsize=(max(4.2, 3.4 * len(points)), 3.2), squeeze=False
    )
    for ax, (parameters, experiment) in zip(axes[0], points, strict=True):
        here = next((a for a in sampled or [] if a.parameters == parameters), None)
        names = [("heat", bath, f"heat\n{bath}") for bath in experiment.baths]
        names += [("work", drive, f"work\n{drive}") for drive in experiment.labels["drive"]]
        exact = _exact_rates(experiment)
        for k, (kind, label, _) in enumerate(names):
            colour = COLOURS[0] if kind == "heat" else COLOURS[1]
            if exact is not None:
                order = list(experiment.baths) if kind == "heat" else experiment.labels["drive"]
                value = float(getattr(exact, kind)[order.index(label)])
                ax.bar(k, value, 0.62, color=colour, alpha=0.35, label="exact" if k == 0 else None)
            if here is not None:
                mean, error = here.of(kind)[label]
                ax.errorbar(
                    k, mean, error, fmt="o", color=colour, ms=4, label="sampled" if k == 0 else None
                )
        ax.set_xticks(range(len(names)), [name for _, _, name in names])
        _finish(ax, config, parameters, "rate (energy / time)")
    _legend(figure, axes[0][0])
    return figure


def _exact_rates(experiment: Experiment) -> Any:
    """Mean rates that trajectories of this experiment show, start and burn-in included."""
    network = experiment.network()
    try:
        begin = start_state(network, experiment.ensemble.initial)
        return ensemble(network, CURVE_TOLERANCE).window(begin, experiment.plan).rates
    except NoExactSideError:
        return None


# -- sweeps ------------------------------------------------------------------------------------


def _axis(config: Config) -> str | None:
    """Key to put on the horizontal axis: the one with most values, where a curve makes sense."""
    counts = {
        key: len({point.parameters[key] for point in config.points})
        for key in config.points[0].parameters
    }
    key = max(counts, key=counts.__getitem__, default=None)
    if key is None or counts[key] < 3:
        return None
    # Keys that move together make no grid: their points lie on no common curve.
    grid = np.prod(list(counts.values()))
    return key if grid == len(config.points) else None


def _sweep_figure(config: Config, sampled: list[Averages] | None) -> Figure:
    axis = _axis(config)
    assert axis is not None
    rests = [_without(axis, point.parameters) for point in config.points]
    others = [rest for k, rest in enumerate(rests) if rest not in rests[:k]][:MOST_PANELS]
    figure, axes = plt.subplots(
        1, len(others), figsize=(4.6 * len(others), 3.4), squeeze=False, sharey=len(others) > 1
    )
    values = [point.parameters[axis] for point in config.points]
    curve = np.linspace(min(values), max(values), CURVE_POINTS)
    for ax, rest in zip(axes[0], others, strict=True):
        lines = lines_of(config.points[0].experiment)
        experiment = with_parameters(config.experiment, rest)
        exact = [_exact_rates(with_parameters(experiment, {axis: float(x)})) for x in curve]
        here = [
            a for a in sampled or [] if {k: v for k, v in a.parameters.items() if k != axis} == rest
        ]
        for line in lines:
            if None not in exact:
                y = [float(line.of(rates)) for rates in exact]
                ax.plot(curve, y, color=line.colour, label=None if here else line.label)
            if here:
                estimates = [_estimate(a, line) for a in here]
                ax.errorbar(
                    [a.parameters[axis] for a in here],
                    [e[0] for e in estimates],
                    [e[1] for e in estimates],
                    fmt=line.marker,
                    color=line.colour,
                    ms=3.5,
                    elinewidth=0.9,
                    label=line.label,
                )
        ax.axhline(0, color="0.6", lw=0.7, zorder=0)
        ax.set_xlabel(_axis_label(axis))
        if axis.endswith("phase"):
            _in_units_of_pi(ax, min(values), max(values))
        _finish(ax, config, rest, "rate (energy / time)" if ax is axes[0][0] else "")
    _legend(figure, axes[0][0])
    return figure


def _without(axis: str, parameters: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in parameters.items() if key != axis}


def _estimate(sampled: Averages, line: Line) -> tuple[float, float]:
    if line.column is None:
        return sampled.total_work
    return list(sampled.of(line.kind).values())[line.column]


SYMBOLS = {
    "temperature": ("T", "temperature of bath"),
    "phase": (r"\varphi", "phase of drive"),
    "amplitude": ("h", "amplitude of drive"),
    "offset": (r"\bar h", "offset of drive"),
    "coupling": ("J", "coupling of bond"),
}


def _symbol(key: str) -> str:
    """A swept key as a formula: T_R, phi_2."""
    parts = key.split(".")
    if key == "drive.period":
        return r"$\tau$"
    if parts[-1] in SYMBOLS and len(parts) > 2:
        return rf"${SYMBOLS[parts[-1]][0]}_{{\mathrm{{{parts[1]}}}}}$"
    return key


def _axis_label(key: str) -> str:
    """A swept key in words and as a formula."""
    parts = key.split(".")
    if key == "drive.period":
        return r"period $\tau$"
    if parts[-1] in SYMBOLS and len(parts) > 2:
        return f"{SYMBOLS[parts[-1]][1]} {parts[1]}, {_symbol(key)}"
    return key


def _in_units_of_pi(ax: Axes, low: float, high: float) -> None:
    if high - low < np.pi:
        return
    ticks = np.arange(np.ceil(low / (np.pi / 2) - 1e-9), np.floor(high / (np.pi / 2) + 1e-9) + 1)
    names = {0: "0", 1: "π/2", 2: "π", -1: "−π/2", -2: "−π"}
    labels = [names.get(int(k), f"{int(k) // 2}π" if k % 2 == 0 else f"{int(k)}π/2") for k in ticks]
    ax.set_xticks(ticks * np.pi / 2, labels)


# -- rates in time -----------------------------------------------------------------------------


def _time_figure(config: Config, sampled: list[Profile] | None) -> Figure:
    points = config.points[:MOST_PANELS]
    figure, axes = plt.subplots(len(points), 1, figsize=(6.4, 2.9 * len(points)), squeeze=False)
    for k, (ax, (parameters, experiment)) in enumerate(zip(axes[:, 0], points, strict=True)):
        here = sampled[k] if sampled else None
        period = experiment.drive.period
        exact = _exact_course(experiment, folded=here.folded if here else True)
        for line in lines_of(experiment):
            if exact is not None:
                time, rates = exact
                ax.plot(time, line.of(rates), color=line.colour, label=None if here else line.label)
            if here is not None:
                middle = 0.5 * (here.time[1:] + here.time[:-1])
                error = (
                    np.sqrt((here.stderr[line.kind] ** 2).sum(axis=-1))
                    if line.column is None
                    else here.stderr[line.kind][:, line.column]
                )
                ax.errorbar(
                    middle,
                    line.of(here.rate),
                    error,
                    fmt=line.marker,
                    color=line.colour,
                    ms=2,
                    elinewidth=0.8,
                    capsize=0,
                    label=line.label,
                )
        ax.axhline(0, color="0.6", lw=0.7, zorder=0)
        ax.set_xlabel("time in the period" if (here is None or here.folded) else "time")
        ax.set_xlim(0, here.time[-1] if here is not None else period)
        _finish(ax, config, parameters, "rate (energy / time)")
    _legend(figure, axes[0][0])
    return figure


def _exact_course(experiment: Experiment, folded: bool) -> tuple[Array, Any] | None:
    """Mean rates in the rows, on the time axis of the profile."""
    plan = experiment.plan
    segments = plan.rows_per_period
    network = experiment.network()
    try:
        master = ensemble(network, CURVE_TOLERANCE)
        if folded:
            p, periods = master.periodic_state, 1
        else:
            p, periods = start_state(network, experiment.ensemble.initial), plan.periods
            if plan.burn_in:
                p = master.course(p, 1, plan.burn_in).state[-1]
        gains = master.course(p, segments, periods).gains
    except NoExactSideError:
        return None
    width = experiment.drive.period / segments
    time = np.linspace(0.5, segments * periods - 0.5, segments * periods) * width
    return time, {kind: getattr(gains, kind) / width for kind in ("heat", "work")}


def _finish(ax: Axes, config: Config, parameters: dict[str, float], ylabel: str) -> None:
    ax.set_ylabel(ylabel)
    words = ", ".join(f"{_symbol(key)} = {x:.4g}" for key, x in parameters.items())
    title = textwrap.fill(config.experiment.title, TITLE_WIDTH)
    ax.set_title(words or title, fontsize="medium")


def _legend(figure: Figure, ax: Axes) -> None:
    """One legend for all panels, above them, where it hides nothing."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=len(labels),
        handletextpad=0.4,
        columnspacing=1.2,
    )
