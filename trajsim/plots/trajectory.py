"""One trajectory: its state, the drives, accumulated heats and works against time."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trajsim.config import Experiment
from trajsim.models.drive import values
from trajsim.plots.style import COLOURS, upright
from trajsim.trace import Trace

Array = NDArray[np.float64]

# More spins than this are drawn as a picture; of more oscillators no line is named.
MOST_LINES = 8
# Points at which what goes on between events is drawn.
FINE = 2000


def trajectory_figure(trace: Trace, experiment: Experiment) -> Figure:
    """What a trajectory does, above what it exchanges, against time in periods.

    Parameters
    ----------
    trace : the trajectory
    experiment : that it is one of
    """
    period, labels = experiment.drive.period, trace.labels
    heights = [1.6, 0.9, 1.3, 1.3] if labels["drive"] else [1.6, 1.3]
    figure, axes = plt.subplots(
        len(heights), 1, figsize=(7.0, 1.55 * sum(heights)), sharex=True, height_ratios=heights
    )
    time = trace.time / period
    state, *drives, heat = axes if not labels["drive"] else (axes[0], axes[1], axes[2])
    _draw_state(state, trace, time)
    for k, bath in enumerate(labels["bath"]):
        line = rf"$Q_{upright(bath)}$"
        heat.step(time, trace.heat[:, k], where="post", color=_colour(k), label=line)
    _finish(heat, "accumulated\nheat (energy)")
    if drives:
        fine, field, work = _between(trace, experiment)
        for k, drive in enumerate(labels["drive"]):
            drives[0].plot(fine / period, field[:, k], color=_colour(k), label=f"site {drive}")
            line = rf"$W_{upright(drive)}$"
            axes[3].plot(fine / period, work[:, k], color=_colour(k), label=line)
        if len(labels["drive"]) > 1:
            axes[3].plot(fine / period, work.sum(axis=1), color="black", label="$W$")
        spins = "state" in trace.columns
        _finish(drives[0], "field (energy)" if spins else "force\n(energy / length)")
        _finish(axes[3], "accumulated\nwork (energy)")
    axes[-1].set_xlabel(rf"time / period ($\tau$ = {period:g})")
    axes[-1].set_xlim(time[0], time[-1])
    figure.align_ylabels()
    return figure


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]


def _finish(ax: Axes, label: str) -> None:
    ax.axhline(0, color="0.6", lw=0.7, zorder=0)
    ax.set_ylabel(label)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")


def _between(trace: Trace, experiment: Experiment) -> tuple[Array, Array, Array]:
    """Times (t,), drives and works (t, drives), with those between events.

    There the drives go on, and spins that do not flip take work: dW_i = -s_i dh_i.
    """
    driven = [k for k, site in enumerate(experiment.sites) if site.drive is not None]
    time = np.union1d(trace.time, np.linspace(trace.time[0], trace.time[-1], FINE))
    drive = experiment.network().drive
    field = values(drive, time / experiment.drive.period % 1.0)[:, driven]
    last = np.searchsorted(trace.time, time, side="right") - 1
    work = trace.work[last]
    if "state" in trace.columns:
        work = work - trace.columns["state"][last][:, driven] * (field - trace.field[last])
    return time, field, work


def _draw_state(ax: Axes, trace: Trace, time: Array) -> None:
    sites = trace.labels["site"]
    few = len(sites) <= MOST_LINES
    if "state" not in trace.columns:
        for k, site in enumerate(sites):
            label = rf"$x_{upright(site)}$" if few else None
            ax.plot(time, trace.columns["position"][:, k], color=_colour(k), label=label)
        ax.set_ylabel("position (length)")
        if few:
            ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")
        return
    state = trace.columns["state"]
    if few:
        # One above the other, the first on top.
        for k in range(len(sites)):
            base = len(sites) - 1 - k
            ax.step(time, base + 0.32 * state[:, k], where="post", color=_colour(k), lw=1.0)
            ax.axhline(base, color="0.85", lw=0.6, zorder=0)
        ax.set_yticks(range(len(sites)), [f"spin {site}" for site in reversed(sites)])
        ax.tick_params(axis="y", length=0)
        return
    lines = np.arange(len(sites) + 1)
    shown = state[:-1].T
    ax.pcolormesh(time, lines, shown, cmap="Greys", vmin=-1.6, vmax=1.6, rasterized=True)
    ax.set_ylabel("spin (dark: up)")
