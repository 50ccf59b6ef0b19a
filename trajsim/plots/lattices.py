"""Figures of chains and lattices: a quantity of every site along a chain, snapshots of spins."""

import re
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trajsim.analysis.averages import Averages
from trajsim.config import Config, Experiment
from trajsim.plots.panels import grid
from trajsim.plots.style import COLOURS, finish, legend
from trajsim.store import StoredRun

Array = NDArray[np.float64]

# Sites from which on a chain has a profile, and spins a snapshot.
FEWEST_SITES, FEWEST_SPINS = 6, 21
SHOWN = 4
ON_A_PLANE = re.compile(r"(\d+)_(\d+)")


def profile_figure(config: Config, sampled: Averages | None, exact: Any) -> Figure | None:
    """Kinetic temperatures of oscillators or flip rates of spins, site by site; None for few.

    Sampled means with error bars on exact values; dashed lines are the temperatures of the baths.

    Parameters
    ----------
    config : of one point
    sampled : averages; None to draw the exact values alone
    exact : exact means (`trajsim.plots.currents.exact_window`); None where they are not known
    """
    experiment = config.points[0].experiment
    sites, kinetic = experiment.labels["site"], bool(experiment.masses)
    if len(sites) < FEWEST_SITES or not (kinetic or experiment.two_states):
        return None
    measured = _measured(experiment, sampled) if sampled else None
    line = _exact(experiment, exact) if exact is not None else None
    if measured is None and line is None:
        return None
    figure, (ax,) = grid(1, 1, 5.4, 3.4)
    x = np.arange(len(sites))
    if line is not None:
        ax.plot(x, line, color=COLOURS[0], lw=1.0, label="exact")
    if measured is not None:
        mean, error = measured
        size = 3.5 if len(sites) <= 64 else 1.5
        ax.errorbar(x, mean, error, fmt="o", color=COLOURS[1], ms=size, lw=0.8, label="sampled")
    if kinetic:
        for temperature in experiment.temperatures.values():
            ax.axhline(temperature, color="0.6", lw=0.8, ls="--", zorder=0)
    _name_sites(ax, sites)
    finish(
        ax, config, {}, "kinetic temperature, $m\\langle v^2\\rangle$" if kinetic else "flip rate"
    )
    legend(figure, ax)
    return figure


def _name_sites(ax: Axes, sites: list[str]) -> None:
    ax.set_xlabel("site")
    few = len(sites) <= 16
    if few or not all(name.isdigit() for name in sites):
        shown = np.arange(len(sites)) if few else np.linspace(0, len(sites) - 1, 9).astype(int)
        ax.set_xticks(shown, [sites[k] for k in shown])


def _measured(experiment: Experiment, sampled: Averages) -> tuple[Array, Array] | None:
    """Means (n,) and standard errors (n,) of the sites."""
    if not experiment.masses:
        pairs = np.array(list(sampled.of("flips").values()))
        return pairs[:, 0], pairs[:, 1]
    squares = sampled.edges.get("velocity_squared")
    if squares is None:
        return None
    # Phases of a period are correlated: their mean error is no smaller than that of their mean.
    mean, error = (np.asarray(experiment.masses) * part.mean(axis=0) for part in squares)
    return mean, error


def _exact(experiment: Experiment, window: Any) -> Array:
    """Exact values (n,)."""
    if not experiment.masses:
        return np.asarray(window.rates.flips)
    squares = window.edges["velocity_squared"]
    return np.asarray(experiment.masses * squares.mean(axis=0))


def snapshot_figure(config: Config, run: StoredRun) -> Figure | None:
    """Spins at the end of the first trajectories, dark where down; None for few spins.

    On a plane where names are coordinates; else, of the first trajectory, in the course of time.
    """
    sites = run.layout.labels["site"]
    if not config.experiment.two_states or len(sites) < FEWEST_SPINS:
        return None
    places = [ON_A_PLANE.fullmatch(name) for name in sites]
    if all(places):
        at = np.array([[int(n) for n in place.groups()] for place in places if place])
        count = min(SHOWN, run.layout.trajectories)
        figure, axes = grid(count, count, 2.2, 2.5)
        for k, ax in enumerate(axes):
            plane = np.full(at.max(axis=0) + 1, np.nan)
            plane[at[:, 0], at[:, 1]] = run["state"][0, k][-1]
            _picture(ax, plane)
            ax.set_axis_off()
            ax.set_title(f"trajectory {k}", fontsize="medium")
        return figure
    figure, (ax,) = grid(1, 1, 5.4, 3.4)
    time = run.layout.time(0)
    half = 0.5 * (time[1] - time[0])
    _picture(
        ax, np.asarray(run["state"][0, 0], float), (-0.5, len(sites) - 0.5, time[-1] + half, -half)
    )
    _name_sites(ax, sites)
    finish(ax, config, {}, "time, $t$")
    return figure


def _picture(ax: Axes, spins: Array, extent: tuple[float, ...] | None = None) -> None:
    """Spins as an image: dark where down, light where up."""
    more: Any = {} if extent is None else {"extent": extent, "aspect": "auto"}
    ax.imshow(spins, cmap="cividis", vmin=-1, vmax=1, interpolation="nearest", **more)
