"""Figures of chains and lattices: what happens at every site along a chain, snapshots of spins."""

import re
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from trajsim.analysis.averages import Averages
from trajsim.analysis.moments import Moments
from trajsim.config import Config, Experiment
from trajsim.ensemble import ensemble
from trajsim.plots.currents import CURVE_TOLERANCE
from trajsim.plots.panels import grid
from trajsim.plots.style import COLOURS, finish, legend
from trajsim.store import StoredRun

Array = NDArray[np.float64]

# Sites from which on a chain has a profile, and spins a snapshot.
FEWEST_SITES, FEWEST_SPINS = 6, 21
SHOWN = 4
ON_A_PLANE = re.compile(r"(\d+)_(\d+)")


class Currents(NamedTuple):
    """Energy that passes from the left to the right per unit time, through b bonds of a chain.

    bonds : (b,) number of the site to the left of each
    sampled : means (b,) and standard errors (b,), None if not known
    exact : (b,), None if not known
    """

    bonds: NDArray[np.int64]
    sampled: tuple[Array, Array] | None
    exact: Array | None


def profile_figure(
    config: Config, sampled: Averages | None, exact: Any, run: StoredRun | None = None
) -> Figure | None:
    """Kinetic temperatures of oscillators or flip rates of spins, site by site; None for few.

    Sampled means with error bars on exact values; dashed lines are the temperatures of the baths.
    Beside them the energy currents of an open chain in which nothing is driven.

    Parameters
    ----------
    config : of one point
    sampled : averages; None to draw the exact values alone
    exact : exact means (`trajsim.plots.currents.exact_window`); None where they are not known
    run : of the averages
    """
    experiment = config.points[0].experiment
    sites, kinetic = experiment.labels["site"], bool(experiment.masses)
    if len(sites) < FEWEST_SITES or not (kinetic or experiment.two_states):
        return None
    measured = _measured(experiment, sampled) if sampled else None
    line = _exact(experiment, exact) if exact is not None else None
    if measured is None and line is None:
        return None
    currents = energy_currents(experiment, sampled, exact, run)
    figure, (ax, *beside) = grid(*((1, 1) if currents is None else (2, 2)), 5.4, 3.4)
    _draw(ax, np.arange(len(sites)), measured, line)
    if currents is not None:
        _draw(beside[0], currents.bonds + 0.5, currents.sampled, currents.exact)
        beside[0].set_xlim(ax.get_xlim())
        _name_sites(beside[0], sites)
        finish(beside[0], config, {}, "energy current to the right")
    if kinetic:
        for temperature in experiment.temperatures.values():
            ax.axhline(temperature, color="0.6", lw=0.8, ls="--", zorder=0)
    _name_sites(ax, sites)
    finish(
        ax, config, {}, "kinetic temperature, $m\\langle v^2\\rangle$" if kinetic else "flip rate"
    )
    legend(figure, ax)
    return figure


def _draw(
    ax: Axes, x: NDArray[Any], measured: tuple[Array, Array] | None, line: Array | None
) -> None:
    """Sampled means with error bars on exact values, at x (k,)."""
    if line is not None:
        ax.plot(x, line, color=COLOURS[0], lw=1.0, label="exact", marker="_" if len(x) == 1 else "")
    if measured is not None:
        mean, error = measured
        size = 3.5 if len(x) <= 64 else 1.5
        ax.errorbar(x, mean, error, fmt="o", color=COLOURS[1], ms=size, lw=0.8, label="sampled")


def energy_currents(
    experiment: Experiment, sampled: Averages | None, exact: Any, run: StoredRun | None
) -> Currents | None:
    """Energy currents through the bonds of an open chain; None of what is none, or is driven.

    Of oscillators with a mass they are those where rows begin, and the stationary ones if exact.
    Of other chains the heats of all baths to the left, whose sites are not told apart by the
    ledger: bonds are left out that have a bath on either side, and there is none if all are.

    Parameters
    ----------
    experiment, sampled, exact, run : as of `profile_figure`
    """
    sites = experiment.labels["site"]
    number = {name: k for k, name in enumerate(sites)}
    bonds = {tuple(sorted(number[name] for name in bond.sites)): bond for bond in experiment.bonds}
    chain = [(k, k + 1) for k in range(len(sites) - 1)]
    if sorted(bonds) != chain or experiment.labels["drive"] or experiment.heated:
        return None
    if experiment.masses:
        return _of_motion(experiment, [bonds[ends] for ends in chain], exact is not None, run)
    return _of_baths(experiment, sampled, exact)


def _of_motion(
    experiment: Experiment, bonds: list[Any], solved: bool, run: StoredRun | None
) -> Currents | None:
    """Currents as <F (v_i + v_j) / 2>, F the force of site i on j: what j gains of i.

    In a stationary state that of a linear bond is k <x_i v_j>.
    """
    n = len(bonds) + 1
    stiffness, quartic = (
        np.array([getattr(b, key) for b in bonds]) for key in ("stiffness", "quartic")
    )
    sampled = line = None
    if run is not None:
        moments = Moments()
        for _, _, columns in run.blocks(("position", "velocity")):
            x, v = columns["position"][:, :-1], columns["velocity"][:, :-1]
            stretch = x[..., :-1] - x[..., 1:]
            force = stiffness * stretch + quartic * stretch**3
            moments.add((force * 0.5 * (v[..., :-1] + v[..., 1:])).mean(axis=1))
        sampled = moments.mean, moments.stderr
    if solved:
        state = ensemble(experiment.network(), CURVE_TOLERANCE).periodic_state
        line = stiffness * np.diagonal(state.covariance[:n, n:], 1)
    return None if sampled is None and line is None else Currents(np.arange(n - 1), sampled, line)


def _of_baths(experiment: Experiment, sampled: Averages | None, exact: Any) -> Currents | None:
    """Currents as heats of the baths to the left, through bonds with no bath on both sides."""
    touched = [
        [k for k, site in enumerate(experiment.sites) if bath in site.contacts]
        for bath in experiment.baths
    ]
    first, last = (np.array([f(sites, default=0) for sites in touched]) for f in (min, max))
    between = np.arange(len(experiment.sites) - 1)[:, None]
    bonds = np.flatnonzero(~((first <= between) & (last > between)).any(axis=1))
    left = (last <= between)[bonds].astype(float)
    if not len(bonds):
        return None
    means = line = None
    if sampled is not None:
        heats = np.array([estimate.mean for estimate in sampled.heat_rate.values()])
        covariance = sampled.covariance[: len(heats), : len(heats)]
        means = left @ heats, np.sqrt(np.einsum("ij,jk,ik->i", left, covariance, left))
    if exact is not None:
        line = left @ np.asarray(exact.rates.heat)
    return Currents(bonds, means, line)


def _name_sites(ax: Axes, sites: list[str]) -> None:
    """Names of all sites, or of some at round numbers."""
    ax.set_xlabel("site")
    shown = np.arange(len(sites))
    if len(sites) > 16:
        ticks = np.asarray(MaxNLocator(8, integer=True).tick_values(0, len(sites) - 1), int)
        shown = ticks[(ticks >= 0) & (ticks < len(sites))]
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
