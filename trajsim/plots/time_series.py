"""Rates in time, row by row."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trajsim.analysis.profile import MOST_PERIODS, Profile
from trajsim.config import Config, Experiment
from trajsim.ensemble import NoExactSideError, ensemble, of_kind, start_state
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
        figure, panel_axes = with_inset()
    else:
        figure, axes = grid(len(points), 1 if len(points) <= IN_A_ROW else 2, 6.4, 2.9)
        panel_axes = iter(axes)
    first = None
    for k, (ax, (parameters, experiment)) in enumerate(zip(panel_axes, points, strict=True)):
        first = first or ax
        _panel(ax, experiment, sampled[k] if sampled else None)
        finish(ax, config, parameters, "" if is_inset(ax) else RATE)
    assert first is not None
    legend(figure, first)
    return figure


def _panel(ax: Axes, experiment: Experiment, profile: Profile | None) -> None:
    """Draw curves and dots of one point."""
    folded = experiment.plan.periods > MOST_PERIODS
    exact = _exact_time_series(experiment, folded)
    zero(ax)
    for line in lines_of(experiment):
        if exact is not None:
            time, rates = exact
            line.curve(ax, time, line.of(rates), profile is None)
        if profile is not None:
            middle = 0.5 * (profile.time[1:] + profile.time[:-1])
            total = line.column is None
            error = profile.stderr["total_work" if total else line.kind][:, line.column or 0]
            line.dots(ax, middle, line.of(profile.rate), error, 2.0)
    ax.set_xlim(0, experiment.drive.period * (1 if folded else experiment.plan.periods))
    if not is_inset(ax):
        ax.set_xlabel("time in the period, $t$" if folded else "time, $t$")


def _exact_time_series(experiment: Experiment, folded: bool) -> tuple[Array, Any] | None:
    """Times (t,) and exact rates averaged over the length of a row around them."""
    plan = experiment.plan
    segments = plan.rows_per_period * FINER
    network = experiment.network()
    try:
        exact = ensemble(network, CURVE_TOLERANCE)
        start, burn_in, periods = exact.periodic_state, 1, 1
        if not folded:
            start = start_state(network, experiment.ensemble.initial)
            burn_in, periods = plan.burn_in, plan.periods
        if burn_in > 1:
            start = exact.time_series(start, 1, burn_in - 1).state[-1]
        # The period before the first that is shown: what jumps between the two belongs to this.
        before = segments * min(burn_in, 1)
        series = exact.time_series(start, segments, min(burn_in, 1) + periods)
    except NoExactSideError:
        return None
    width = experiment.drive.period / plan.rows_per_period
    rates = {}
    for kind in {line.kind for line in lines_of(experiment)}:
        gains = of_kind(series.energetics, kind)[before:]
        sums = np.cumsum(np.pad(gains, ((1, 0), (0, 0))), axis=0)
        rates[kind] = (sums[FINER:] - sums[:-FINER]) / width
    time = (0.5 + np.arange(len(rates["heat"])) / FINER) * width
    return time, rates
