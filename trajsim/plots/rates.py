"""Mean rates: of points side by side, along a sweep, and in time."""

from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trajsim.analysis.averages import Averages
from trajsim.analysis.profile import Profile
from trajsim.config import Config, Experiment, with_parameters
from trajsim.exact import NoExactSideError, ensemble, start_state
from trajsim.plots.style import (
    COLOURS,
    MARKERS,
    MOST_PANELS,
    axis_label,
    finish,
    in_units_of_pi,
    legend,
)

Array = NDArray[np.float64]

# Drawing needs fewer digits than checking.
CURVE_TOLERANCE = 1e-6
CURVE_POINTS = 121
MOST_LINES = 8


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


# -- one point, or points without an order -----------------------------------------------------


def rates_figure(config: Config, sampled: list[Averages] | None) -> Figure:
    """Heat of each bath and work of each drive as dots with error bars beside exact bars."""
    points = config.points[:MOST_PANELS]
    figure, axes = plt.subplots(
        1, len(points), figsize=(max(4.2, 3.4 * len(points)), 3.2), squeeze=False
    )
    for ax, (parameters, experiment) in zip(axes[0], points, strict=True):
        here = next((a for a in sampled or [] if a.parameters == parameters), None)
        names = [("heat", bath, f"heat\n{bath}") for bath in experiment.baths]
        names += [("work", drive, f"work\n{drive}") for drive in experiment.labels["drive"]]
        exact = exact_rates(experiment)
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
        finish(ax, config, parameters, "rate (energy / time)")
    legend(figure, axes[0][0])
    return figure


def exact_rates(experiment: Experiment) -> Any:
    """Mean rates that trajectories of this experiment show, start and burn-in included."""
    network = experiment.network()
    try:
        begin = start_state(network, experiment.ensemble.initial)
        return ensemble(network, CURVE_TOLERANCE).window(begin, experiment.plan).rates
    except NoExactSideError:
        return None


# -- sweeps ------------------------------------------------------------------------------------


def axis_of(config: Config) -> str | None:
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


def sweep_figure(config: Config, sampled: list[Averages] | None) -> Figure:
    """Heats and total work against a swept value: dots with error bars on exact curves."""
    axis = axis_of(config)
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
        exact = [exact_rates(with_parameters(experiment, {axis: float(x)})) for x in curve]
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
        ax.set_xlabel(axis_label(axis))
        if axis.endswith("phase"):
            in_units_of_pi(ax, min(values), max(values))
        finish(ax, config, rest, "rate (energy / time)" if ax is axes[0][0] else "")
    legend(figure, axes[0][0])
    return figure


def _without(axis: str, parameters: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in parameters.items() if key != axis}


def _estimate(sampled: Averages, line: Line) -> tuple[float, float]:
    if line.column is None:
        return sampled.total_work
    return list(sampled.of(line.kind).values())[line.column]


# -- rates in time -----------------------------------------------------------------------------


def time_figure(config: Config, sampled: list[Profile] | None) -> Figure:
    """Heats and total work in successive rows: dots with error bars on exact curves."""
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
        finish(ax, config, parameters, "rate (energy / time)")
    legend(figure, axes[0][0])
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
