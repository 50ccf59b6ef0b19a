"""One trajectory: its state, the drives, accumulated heats and works against time."""

from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trajsim.config import Experiment
from trajsim.config.waveform import in_parts
from trajsim.models.waveform import at_edges, pack, values
from trajsim.plots.style import COLOURS, upright
from trajsim.trace import Trace

Array = NDArray[np.float64]

# Lines that can be distinguished; more spins are drawn as an image.
MOST_LINES = 8
# Points at which curves between events are drawn.
FINE = 2000
# A curve of more points is drawn by the first, least, greatest and last in each of so many columns;
# a picture has so many columns and at most so many rows.
COLUMNS, ROWS = 1200, 512
# Numbers that are processed at once.
CHUNK = 1 << 20


def trajectory_figure(trace: Trace, experiment: Experiment) -> Figure:
    """State, drives, heats and works of a trajectory against time in periods.

    Parameters
    ----------
    trace : the trajectory
    experiment : its parameters
    """
    period, labels = experiment.drive.period, trace.labels
    works, driven = bool(labels["drive"]), bool(labels["drive"]) or experiment.heated
    heights = [1.6, *[0.9] * driven, 1.3, *[1.3] * works]
    figure, axes = plt.subplots(
        len(heights), 1, figsize=(7.0, 1.55 * sum(heights)), sharex=True, height_ratios=heights
    )
    time = trace.time / period
    _draw_state(axes[0], trace, time)
    heat = axes[1 + driven]
    named = [rf"$Q_{upright(bath)}$" for bath in labels["bath"]]
    _draw_lines(heat, time, trace.heat, named, step=True)
    _finish(heat, "accumulated\nheat (energy)")
    if driven:
        fine, field, work = _between(trace, experiment)
        _draw_lines(axes[1], fine / period, field, _names_of_drives(labels["drive"], experiment))
        _draw_temperatures(axes[1], fine / period, experiment)
        _finish(axes[1], experiment.driven_words)
    if works:
        names = [rf"$W_{upright(d)}$" for d in labels["drive"]]
        _draw_lines(axes[3], fine / period, work, names)
        if len(names) > 1:
            axes[3].plot(*thinned(fine / period, work.sum(axis=1)), color="black", label="$W$")
        _finish(axes[3], "accumulated\nwork (energy)")
    axes[-1].set_xlabel(rf"time / period ($\tau$ = {period:g})")
    axes[-1].set_xlim(time[0], time[-1])
    figure.align_ylabels()
    return figure


def _names_of_drives(drives: list[str], experiment: Experiment) -> list[str]:
    """Drives as a legend calls them: "site 1", "stiffness of 1", "bond 1-2"."""
    bonds = experiment.network().drives_at_sites()[2] >= 0
    nouns = experiment.drive_nouns
    names = []
    for drive, bond in zip(drives, bonds, strict=True):
        place, _, part = drive.partition(".")
        noun = nouns[1] if bond else nouns[0]
        names.append(f"{part} of {place}" if part else f"{noun} {place}")
    return names


def _draw_temperatures(ax: Axes, time: Array, experiment: Experiment) -> None:
    reverse = experiment.drive.direction == "reverse"
    for k, (name, bath) in enumerate(experiment.baths.items()):
        if bath.driven:
            waves = pack([in_parts(bath.temperature, reverse)])
            shown = values(waves, time % 1.0)[:, 0]
            shown[-1] = at_edges(waves, 1)[1, 0]
            style: Any = {"color": f"{0.45 * (k % 2):g}", "ls": ("--", ":")[k // 2 % 2]}
            ax.plot(*thinned(time, shown), label=rf"$T_{upright(name)}$", **style)


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]


def _finish(ax: Axes, label: str) -> None:
    ax.axhline(0, color="0.6", lw=0.7, zorder=0)
    ax.set_ylabel(label)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")


def thinned(time: Array, values: Array) -> tuple[Array, Array]:
    """A curve (k,) with fewer points that looks the same: all extremes are kept."""
    if len(time) <= 4 * COLUMNS:
        return time, values
    starts = _columns(time)
    ends = np.append(starts[1:], len(time)) - 1
    low, high = (each.reduceat(values, starts) for each in (np.minimum, np.maximum))
    times = np.column_stack([time[starts], time[starts], time[starts], time[ends]])
    return times.ravel(), np.column_stack([values[starts], low, high, values[ends]]).ravel()


def _columns(time: Array) -> NDArray[np.int64]:
    """Index (columns,) of the first point in each column of an image that has any."""
    length = time[-1] - time[0]
    column = np.minimum((time - time[0]) * (COLUMNS / length), COLUMNS - 1).astype(np.int64)
    return np.flatnonzero(np.diff(column, prepend=-1))


def _draw_lines(
    ax: Axes, time: Array, values: Array, names: list[str], step: bool = False, named: bool = True
) -> None:
    """Lines (k, lines) against time (k,); of many the first, and the range of the others.

    Parameters
    ----------
    names : (lines,)
    step : whether values are constant until the next time
    named : whether the lines have labels in a legend
    """
    style: Any = {"drawstyle": "steps-post"} if step else {}
    drawn = len(names) if len(names) <= MOST_LINES else MOST_LINES - 1
    for k, name in enumerate(names[:drawn]):
        label = name if named else None
        ax.plot(*thinned(time, values[:, k]), color=_colour(k), label=label, **style)
    if len(names) > drawn:
        others = values[:, drawn:]
        times, low = thinned(time, others.min(axis=1))
        _, high = thinned(time, others.max(axis=1))
        label = f"{len(names) - drawn} others, from\nleast to greatest" if named else None
        where: Any = "post" if step else None
        ax.fill_between(times, low, high, step=where, color="0.85", lw=0.5, label=label, zorder=0.5)


def _between(trace: Trace, experiment: Experiment) -> tuple[Array, Array, Array]:
    """Times (t,), drives and works (t, drives), at events and between them.

    Between events the drives do work in the state that stays, on spins dW_i = -s_i dh_i.
    """
    network = experiment.network()
    drive, one, _ = network.drives_at_sites()
    points = max(64, min(FINE, 4 * CHUNK // (len(one) + 1)))
    time = np.union1d(trace.time, np.linspace(trace.time[0], trace.time[-1], points))
    last = np.searchsorted(trace.time, time, side="right") - 1
    field, work = np.empty((2, len(time), len(one)))
    step = max(1, CHUNK // len(one))
    for begin in range(0, len(time), step):
        part = slice(begin, begin + step)
        at = last[part]
        field[part] = values(drive, time[part] / experiment.drive.period % 1.0)
        work[part] = trace.work[at]
        if "state" in trace.columns:
            held = network.conjugate(trace.columns["state"][at])
            work[part] += held * (field[part] - trace.field[at])
    # It ends with what is listed last, before the jump to the next period.
    field[-1], work[-1] = at_edges(drive, 1)[1], trace.work[-1]
    return time, field, work


def _draw_state(ax: Axes, trace: Trace, time: Array) -> None:
    sites = trace.labels["site"]
    few = len(sites) <= MOST_LINES
    if "state" not in trace.columns:
        names = [rf"$x_{upright(site)}$" for site in sites]
        _draw_lines(ax, time, trace.columns["position"], names)
        ax.set_ylabel("position (length)")
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")
        return
    state = trace.columns["state"]
    if state.ndim == 1:
        times, shown = thinned(time, state.astype(np.float64))
        ax.step(times, shown, where="post", color=_colour(0), lw=1.0)
        ax.set_ylabel("state")
        if few:
            ax.set_yticks(range(len(sites)), sites)
        return
    if few:
        # One above the other, the first on top.
        for k in range(len(sites)):
            base = len(sites) - 1 - k
            times, shown = thinned(time, base + 0.32 * state[:, k])
            ax.step(times, shown, where="post", color=_colour(k), lw=1.0)
            ax.axhline(base, color="0.85", lw=0.6, zorder=0)
        ax.set_yticks(range(len(sites)), [f"spin {site}" for site in reversed(sites)])
        ax.tick_params(axis="y", length=0)
        return
    extent = (time[0], time[-1], 0.0, float(len(sites)))
    shades = picture(time, state)
    style: Any = {"cmap": "Greys", "vmin": -1.6, "vmax": 1.6, "origin": "lower"}
    ax.imshow(shades, extent=extent, aspect="auto", interpolation="nearest", **style)
    ax.set_ylabel("spin (dark: up)")


def picture(time: Array, state: NDArray[np.int8]) -> Array:
    """Mean spins (rows, columns) in parts of the time and groups of neighbouring sites.

    Parameters
    ----------
    time : (k,) of events
    state : (k, n) spins after each
    """
    groups = np.arange(0, state.shape[1], -(-state.shape[1] // ROWS))
    sizes = np.diff(groups, append=state.shape[1])
    edges = np.linspace(time[0], time[-1], COLUMNS + 1)
    # Cut intervals between flips at the edges of columns.
    cuts = np.union1d(time, edges)
    after = np.searchsorted(time, cuts[:-1], side="right") - 1
    first_cuts = np.searchsorted(cuts[:-1], edges[:-1], side="left")
    means = np.empty((COLUMNS, len(groups)))
    weight = np.diff(cuts)
    for column, (begin, end) in enumerate(pairwise([*first_cuts, len(after)])):
        sums, batch = np.zeros(len(groups)), max(1, CHUNK // state.shape[1])
        for first in range(begin, end, batch):
            part = slice(first, min(first + batch, end))
            summed = np.add.reduceat(state[after[part]], groups, axis=1, dtype=np.int32)
            sums += weight[part] @ summed
        means[column] = sums / (weight[begin:end].sum() * sizes)
    return means.T
