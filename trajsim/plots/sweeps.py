"""Mean rates along a sweep."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trajsim.analysis.averages import Averages
from trajsim.config import Config, with_parameters
from trajsim.plots.currents import RATE, Line, exact_rates, lines_of, zero
from trajsim.plots.panels import first_column, grid, in_a_row, is_inset, with_inset
from trajsim.plots.style import MOST_PANELS, axis_label, finish, in_units_of_pi, legend
from trajsim.running.progress import each

CURVE_POINTS = 121


def sweep_figure(config: Config, sampled: list[Averages] | None) -> Figure:
    """Heats and total work against a swept value: dots with error bars on exact curves."""
    panels = config.panels[:MOST_PANELS]
    if config.experiment.figure.inset and len(panels) == 2:
        figure, panel_axes = with_inset()
    else:
        figure, axes = grid(len(panels), in_a_row(len(panels)), 4.6, 3.4, sharey=True)
        panel_axes = iter(axes)
    first = None
    for ax, fixed in zip(panel_axes, panels, strict=True):
        first = first or ax
        _panel(ax, config, fixed, sampled)
        finish(ax, config, fixed, RATE if first_column(ax) else "")
    assert first is not None
    legend(figure, first)
    return figure


def _panel(
    ax: Axes, config: Config, fixed: dict[str, float], sampled: list[Averages] | None
) -> None:
    """Draw curves and dots at fixed values of the other swept parameters."""
    axis, inset = config.axis, is_inset(ax)
    assert axis is not None
    values = [point.parameters[axis] for point in config.points]
    curve = np.linspace(min(values), max(values), CURVE_POINTS)
    experiment = with_parameters(config.experiment, fixed)
    exact = [
        exact_rates(with_parameters(experiment, config.along(float(x))))
        for x in each(curve, "exact curves")
    ]
    results = [a for a in sampled or [] if all(a.parameters[key] == x for key, x in fixed.items())]
    zero(ax)
    for line in lines_of(experiment):
        if None not in exact:
            line.curve(ax, curve, np.array([line.of(rates) for rates in exact]), not results)
        if results:
            mean, error = np.array([_estimate(a, line) for a in results]).T
            swept = np.array([a.parameters[axis] for a in results])
            line.dots(ax, swept, mean, error, 2.0 if inset else 3.5)
    if axis.endswith("phase"):
        in_units_of_pi(ax, min(values), max(values), np.pi if inset else np.pi / 2)
    if not inset:
        ax.set_xlabel(axis_label(axis))


def _estimate(sampled: Averages, line: Line) -> tuple[float, float]:
    if line.column is None:
        return sampled.total_work
    return list(sampled.of(line.kind).values())[line.column]
