"""Rates in time, row by row."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trajsim.analysis.profile import MOST_PERIODS, Profile
from trajsim.config import Config, Experiment
from trajsim.ensemble import NoExactSideError, ensemble, start_state
from trajsim.plots.currents import CURVE_TOLERANCE, RATE, lines_of, zero
from trajsim.plots.panels import IN_A_ROW, grid, is_inset, with_inset
from trajsim.plots.style import MOST_PANELS, finish, legend

Array = NDArray[np.float64]

# Points of a curve for each row.
FINER = 6


def time_figure(config: Config, sampled: list[Profile] | None) -> Figure:
    """Heats and total work in successive rows: dots with error bars on exact curves."""
    points = config.points[:MOST_PANELS]
    if config.experiment.figure.inset and len(points) == 2:
        figure, places = with_inset()
    else:
        figure, axes = grid(len(points), 1 if len(points) <= IN_A_ROW else 2, 6.4, 2.9)
        places = iter(axes)
    first = None
    for k, (ax, (parameters, experiment)) in enumerate(zip(places, points, strict=True)):
        first = first or ax
        _panel(ax, experiment, sampled[k] if sampled else None)
        finish(ax, config, parameters, "" if is_inset(ax) else RATE)
    assert first is not None
    legend(figure, first)
    return figure


def _panel(ax: Axes, experiment: Experiment, here: Profile | None) -> None:
    """The curves and dots at one point."""
    folded = experiment.plan.periods > MOST_PERIODS
    exact = _exact_course(experiment, folded)
    zero(ax)
    for line in lines_of(experiment):
        if exact is not None:
            time, rates = exact
            line.curve(ax, time, line.of(rates), here is None)
        if here is not None:
            middle = 0.5 * (here.time[1:] + here.time[:-1])
            whole = line.column is None
            error = here.stderr["total_work" if whole else line.kind][:, line.column or 0]
            line.dots(ax, middle, line.of(here.rate), error, 2.0)
    ax.set_xlim(0, experiment.drive.period * (1 if folded else experiment.plan.periods))
    if not is_inset(ax):
        ax.set_xlabel("time in the period, $t$" if folded else "time, $t$")


def _exact_course(experiment: Experiment, folded: bool) -> tuple[Array, Any] | None:
    """Mean rates over a row that begins anywhere, at the time of its middle."""
    plan = experiment.plan
    segments = plan.rows_per_period * FINER
    network = experiment.network()
    try:
        master = ensemble(network, CURVE_TOLERANCE)
        if folded:
            p, periods = master.periodic_state, 1
        else:
            p, periods = start_state(network, experiment.ensemble.initial), plan.periods
            if plan.burn_in:
                p = master.time_series(p, 1, plan.burn_in).state[-1]
        energetics = master.time_series(p, segments, periods).energetics
    except NoExactSideError:
        return None
    width = experiment.drive.period / plan.rows_per_period
    rates = {}
    for kind in ("heat", "work"):
        sums = np.cumsum(np.pad(getattr(energetics, kind), ((1, 0), (0, 0))), axis=0)
        rates[kind] = (sums[FINER:] - sums[:-FINER]) / width
    time = (0.5 + np.arange(len(rates["heat"])) / FINER) * width
    return time, rates
