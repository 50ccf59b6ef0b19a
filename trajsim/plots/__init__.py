"""Figures: sampled points with error bars on exact curves, ready for a paper.

The only importer of matplotlib.
"""

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from trajsim.running.progress import notebook

if not notebook():
    # Files are all that is written, and matplotlib cannot be imported with a bad value.
    os.environ["MPLBACKEND"] = "agg"
    import matplotlib

    matplotlib.use("agg")  # where it was imported before, too

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from trajsim.analysis.averages import Averages, averages
from trajsim.analysis.fluctuations import Fluctuations, fluctuations, fluctuations_by_window
from trajsim.analysis.free_energy import bennett
from trajsim.analysis.profile import profiles
from trajsim.analysis.protocols import works as total_works
from trajsim.comparison.claims import Claims
from trajsim.comparison.protocols import expect_reverse, temperature_of
from trajsim.comparison.settings import delta_f_of
from trajsim.config import Config, Experiment
from trajsim.explore import RegimeMap
from trajsim.plots.claims import claims_figure
from trajsim.plots.currents import exact_window, no_exact_side
from trajsim.plots.distributions import generating_figure, histogram_figure, rate_figure
from trajsim.plots.exact import exact_cumulants, exact_twins, exact_works
from trajsim.plots.lattices import profile_figure, snapshot_figure
from trajsim.plots.left_out import tell_what_is_left_out
from trajsim.plots.maps import map_figure
from trajsim.plots.moments import covariance_figure, cumulants_figure
from trajsim.plots.rates import rates_figure
from trajsim.plots.style import MOST_PANELS, log, missing_letters, styled
from trajsim.plots.sweeps import sweep_figure
from trajsim.plots.time_series import time_figure
from trajsim.plots.trajectory import trajectory_figure
from trajsim.plots.works import Works, work_figure
from trajsim.store import StoredRun
from trajsim.system.files import publish
from trajsim.trace import Trace

__all__ = [
    "claims_figures",
    "figures",
    "map_figures",
    "no_exact_side",
    "save",
    "svg",
    "trajectory_figures",
    "work_figures",
    "write",
]

# Figures that depend on the length of the windows.
WINDOWED = ("covariance", "histogram", "generating", "rate-function")


def figures(config: Config, run: StoredRun | None, window: int | None = None) -> dict[str, Figure]:
    """All figures of a config, or of a run of it, by name.

    Parameters
    ----------
    config : the one the run was made from
    run : None to draw the exact curves alone
    window : rows of the windows over which fluctuations are shown; whole trajectories if None

    Raises
    ------
    trajsim.analysis.windows.WindowError
        If a trajectory does not have so many rows.
    """
    with styled():
        figures = {}
        sampled = averages(run) if run else None
        if config.axis is not None:
            figures["sweep"] = sweep_figure(config, sampled)
        else:
            exact = [exact_window(p.experiment) for p in config.points[:MOST_PANELS]]
            figures["rates"] = rates_figure(config, sampled, exact)
            if len(config.points) == 1:
                figures |= _of_sites(config, run, sampled, exact[0])
        if config.experiment.plan.rows_per_period > 1:
            figures["time"] = time_figure(config, profiles(run) if run else None)
        if run is not None and len(config.points) == 1:
            figures |= _fluctuation_figures(config.points[0].experiment, run, window)
        tell_what_is_left_out(figures, config)
        return _closed(figures)


def _of_sites(
    config: Config, run: StoredRun | None, sampled: list[Averages] | None, exact: Any
) -> dict[str, Figure]:
    """Figures of what happens at every site of a large system at its one point."""
    found = {
        "profile": profile_figure(config, sampled[0] if sampled else None, exact, run),
        "snapshot": snapshot_figure(config, run) if run is not None and sampled else None,
    }
    return {name: figure for name, figure in found.items() if figure is not None}


def _fluctuation_figures(
    experiment: Experiment, run: StoredRun, window: int | None
) -> dict[str, Figure]:
    """Figures of the fluctuations at the one point of a run."""
    sampled = next(fluctuations(run, window), None)
    if sampled is None or sampled.trajectories < 2:
        return {}
    exact = exact_twins(experiment, sampled)
    windows = _by_window(run)
    figures = {"cumulants": cumulants_figure(windows, *exact_cumulants(experiment, windows))}
    covariance = covariance_figure(sampled, exact.covariance)
    if covariance is not None:
        figures["covariance"] = covariance
    if sampled.histograms:
        figures["histogram"] = histogram_figure(sampled, exact.probabilities)
        figures["generating"] = generating_figure(sampled, exact.curves)
        figures["rate-function"] = rate_figure(sampled, exact.curves)
    return figures


def _by_window(run: StoredRun) -> list[Fluctuations]:
    """Fluctuations over windows of 1, 2, 4, ... periods, or rows where these are longer."""
    step = run.layout.rows_per_period
    lengths = [step << k for k in range(64) if step << k <= run.layout.rows]
    if lengths[-1] != run.layout.rows:
        lengths.append(run.layout.rows)
    return next(fluctuations_by_window(run, lengths))


def work_figures(
    run: StoredRun, config: Config, backward: StoredRun, reverse: Config
) -> dict[str, Figure]:
    """The figure of the works of a protocol and of the reversed one, by name.

    Parameters
    ----------
    run, config : of the protocol
    backward, reverse : of the reversed one

    Raises
    ------
    trajsim.comparison.CannotCheckError
        If they are not of one protocol that ends, forward and reversed, or of several points.
    """
    pair = expect_reverse(run, config, backward, reverse)
    temperature = temperature_of(pair[0])
    samples = [work for r in (run, backward) for _, work in total_works(r)]
    if len(samples) < 2 or temperature is None:
        return {}
    one, other = samples
    ratio = bennett(one, other, temperature)
    found = Works(one, other, temperature, ratio, delta_f_of(pair[0]), exact_works(*pair))
    with styled():
        return _closed({"work": work_figure(found)})


def map_figures(maps: list[RegimeMap]) -> dict[str, Figure]:
    """The figure of maps over the same axes, by name."""
    with styled():
        return _closed({"map": map_figure(maps)})


def claims_figures(claims: Claims) -> dict[str, Figure]:
    """The figure of the significant regimes of a sweep, by name."""
    with styled():
        return _closed({"regimes": claims_figure(claims)})


def trajectory_figures(trace: Trace, experiment: Experiment) -> dict[str, Figure]:
    """The figure of one trajectory, by name."""
    with styled():
        figures = {f"trajectory-{trace.trajectory}": trajectory_figure(trace, experiment)}
        return _closed(figures)


def _closed(figures: dict[str, Figure]) -> dict[str, Figure]:
    """The figures, closed in pyplot, which would keep them and show them twice in a notebook."""
    for figure in figures.values():
        plt.close(figure)
    missing = missing_letters(figures.values())
    if missing:
        log.warning(missing)
    return figures


def save(
    figures: dict[str, Figure], folder: Path, stem: str, window: int | None = None
) -> Iterator[Path]:
    """Write each figure as PNG and PDF; yields the paths written.

    Parameters
    ----------
    figures : by name
    folder : created if it does not exist
    stem : start of the files' names
    window : rows of the windows of the figures in `WINDOWED`, a part of their names
    """
    for name, figure in figures.items():
        suffix = f"-window-{window}" if window is not None and name in WINDOWED else ""
        yield from write(figure, folder / f"{stem}{suffix}-{name}")


def write(figure: Figure, path: Path) -> Iterator[Path]:
    """Write a figure as PNG and PDF under a name without an ending."""
    for ending in ("png", "pdf"):
        target = path.with_name(f"{path.name}.{ending}")
        image = BytesIO()
        metadata = {"CreationDate": None} if ending == "pdf" else None
        with styled():
            figure.savefig(image, format=ending, metadata=metadata)
        publish(target, image.getvalue())
        yield target


def svg(figure: Figure) -> tuple[bytes, int, int]:
    """A figure as an SVG without background, text as paths; its width and height in pixels."""
    image = BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with styled(), mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "trajsim"}):
        figure.savefig(image, format="svg", transparent=True, metadata=nothing)
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    return image.getvalue(), width, height
