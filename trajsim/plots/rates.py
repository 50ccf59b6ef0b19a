"""Mean rates of points without an order, side by side."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from trajsim.analysis.averages import Averages
from trajsim.analysis.rates import RATES
from trajsim.config import Config
from trajsim.plots.currents import RATE
from trajsim.plots.panels import first_column, grid, in_a_row
from trajsim.plots.style import COLOURS, finish, legend

# Labels below an axis, and those for which there is space side by side.
MOST_LABELS, MOST_UPRIGHT = 24, 8


def rates_figure(config: Config, sampled: list[Averages] | None, exact: Sequence[Any]) -> Figure:
    """Heat of each bath and work of each drive as dots with error bars beside exact bars.

    Parameters
    ----------
    config : of the points
    sampled : averages; None to draw the exact values alone
    exact : means of each point that is drawn, as `exact_window` gives them
    """
    points = config.points[: len(exact)]
    width = 3.4 if len(points) > 1 else 4.2
    figure, axes = grid(len(points), in_a_row(len(points)), width, 3.2)
    for ax, (parameters, experiment), window in zip(axes, points, exact, strict=True):
        result = next((a for a in sampled or [] if a.parameters == parameters), None)
        names = [("heat", bath, f"heat\n{bath}") for bath in experiment.baths]
        names += [("work", drive, f"work\n{drive}") for drive in experiment.labels["drive"]]
        names += [("chemical_work", b, f"chem.\n{b}") for b in experiment.reservoirs]
        for k, (kind, label, _) in enumerate(names):
            colour = COLOURS[0] if kind == "heat" else COLOURS[1]
            if window is not None:
                order = experiment.labels[RATES[kind]]
                value = float(getattr(window.rates, kind)[order.index(label)])
                ax.bar(k, value, 0.62, color=colour, alpha=0.35, label="exact" if k == 0 else None)
            if result is not None:
                mean, error = result.of(kind)[label]
                ax.errorbar(
                    k, mean, error, fmt="o", color=colour, ms=4, label="sampled" if k == 0 else None
                )
        step = math.ceil(len(names) / MOST_LABELS)
        crowded = len(names) > MOST_UPRIGHT
        labels = [name.replace("\n", " ") if crowded else name for _, _, name in names]
        ax.set_xticks(range(0, len(names), step), labels[::step], rotation=90 if crowded else 0)
        finish(ax, config, parameters, RATE if first_column(ax) else "")
    legend(figure, axes[0])
    return figure
