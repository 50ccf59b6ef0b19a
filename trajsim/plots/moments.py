"""Cumulants against the length of the window, and the covariance of heats and works."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from trajsim.analysis.cumulants import ORDERS, correlation
from trajsim.analysis.fluctuations import Fluctuations
from trajsim.plots.distributions import formula, in_panels
from trajsim.plots.style import COLOURS, MARKERS

Array = NDArray[np.float64]

NAMES = ("mean", "variance", "3rd cumulant", "4th cumulant")
# Observables above which there is no space for numbers.
MOST_NUMBERS = 7
# Labels at a side of a matrix, and its largest side, in inches.
MOST_LABELS, LARGEST_SIDE = 24, 6.4
# Letters of tick labels for which there is space below a horizontal axis.
MOST_LETTERS = 26


def cumulants_figure(
    windows: list[Fluctuations], exact: list[Array] | None = None, limit: Array | None = None
) -> Figure:
    """First four cumulants per unit time against the length of the window.

    Parameters
    ----------
    windows : fluctuations over windows of growing length
    exact : (4, q) cumulants per unit time for each of these
    limit : (4, q) those of long times
    """
    kinds = sorted({windows[0].observables[k].kind for k in in_panels(windows[0])})
    figure, axes = plt.subplots(
        ORDERS, len(kinds), figsize=(4.1 * len(kinds), 7.6), sharex=True, squeeze=False
    )
    times = np.array([f.windows.time for f in windows])
    for column, kind in enumerate(kinds):
        # Heats and works have different scales, and axes of their own.
        places = [k for k in in_panels(windows[0]) if windows[0].observables[k].kind == kind]
        for order in range(ORDERS):
            ax = axes[order, column]
            for number, k in enumerate(places):
                style = number if kind == "heat" else -1
                if exact is not None:
                    values = [e[order, k] for e in exact]
                    ax.plot(times, values, "_-", color=COLOURS[style], lw=1.1, ms=9)
                if limit is not None:
                    ax.axhline(float(limit[order, k]), color=COLOURS[style], lw=0.8, ls=":")
                ax.errorbar(
                    # Side by side where they fall together.
                    times * 1.03 ** (number - (len(places) - 1) / 2),
                    [f.cumulants.mean[order, k] for f in windows],
                    [f.cumulants.stderr[order, k] for f in windows],
                    fmt=MARKERS[style],
                    color=COLOURS[style],
                    ms=3.5,
                    elinewidth=0.9,
                    label=formula(windows[0].observables[k]),
                )
            ax.margins(y=0.25)
            power = "" if order == 0 else f"$^{order + 1}$"
            ax.set_ylabel(f"{NAMES[order]}\n(energy{power} / time)")
            if order == 0:
                ax.legend(loc="best", ncols=len(places), fontsize="small")
        _window_ticks(axes[-1, column], times)
    return figure


def _window_ticks(ax: Axes, times: Array) -> None:
    """A logarithmic axis with a tick at each window, or at decades if labels would overlap."""
    if len(times) == 1:
        ax.set_xlim(times[0] / 2, 2 * times[0])
    ax.set_xscale("log")
    ticks = [t for k, t in enumerate(times) if k == len(times) - 1 or times[-1] / t > 1.8]
    labels = [f"{t:g}" for t in ticks]
    if sum(map(len, labels)) <= MOST_LETTERS:
        ax.set_xticks(ticks, labels)
        ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("length of the window (time)")


def covariance_figure(sampled: Fluctuations, exact: Array | None = None) -> Figure | None:
    """Correlation coefficients of heats and works; with `exact`, deviations of covariances, too.

    `exact` (q, q) are covariances per unit time.
    """
    if sampled.covariance is None or len(sampled.observables) < 2:
        return None
    mean, stderr = sampled.covariance
    names = [formula(o) for o in sampled.observables]
    panels = 1 if exact is None else 2
    size = min(max(3.4, 0.62 * len(names) + 1.2), LARGEST_SIDE)
    labelled = range(0, len(names), math.ceil(len(names) / MOST_LABELS))
    shown = [names[k] for k in labelled]
    figure, axes = plt.subplots(1, panels, figsize=(panels * (size + 0.9), size), squeeze=False)
    pictures = [(correlation(mean), "correlation over the window", 1.0, "{:.2f}")]
    if exact is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            sigmas = np.nan_to_num((mean - exact) / stderr)
        pictures.append((sigmas, "sampled - exact covariance (std. errors)", 5.0, "{:+.1f}"))
    for ax, (values, title, limit, numbers) in zip(axes[0], pictures, strict=True):
        image = ax.imshow(values, cmap="PuOr", vmin=-limit, vmax=limit)
        figure.colorbar(image, ax=ax, shrink=0.8)
        ax.set_xticks(labelled, shown, rotation=90 if len(names) > MOST_NUMBERS else 0)
        ax.set_yticks(labelled, shown)
        ax.spines[:].set_visible(False)
        ax.set_title(title, fontsize="medium")
        if len(names) <= MOST_NUMBERS:
            for i, j in np.ndindex(values.shape):
                dark = abs(values[i, j]) > 0.6 * limit
                ax.text(
                    j,
                    i,
                    numbers.format(values[i, j]),
                    ha="center",
                    va="center",
                    fontsize="small",
                    color="white" if dark else "black",
                )
    return figure
