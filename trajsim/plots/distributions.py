"""Histograms of heat and work, generating and rate functions: sampled on exact."""

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trajsim.analysis.fluctuations import Fluctuations
from trajsim.analysis.histograms import Histogram
from trajsim.analysis.scgf import Generating
from trajsim.analysis.windows import Observable
from trajsim.plots.style import COLOURS, MARKERS, legend, upright

Array = NDArray[np.float64]

# Panels of one figure: heats first, then the total work.
MOST_HEATS = 3

# What observables are called in formulas.
LETTERS = {"heat": "Q", "work": "W", "chemical_work": r"W^\mathrm{chem}", "particles": "N"}


class Curves(NamedTuple):
    """Exact theta (k,) at some lambda (k,).

    theta : over the window
    limit : for long times
    partner : for long times, of the reversed drive where heat b counts 1 / T_b - lambda_b and
        work -lambda: by the Gallavotti-Cohen symmetry the same as `limit`
    """

    argument: Array
    theta: Array
    limit: Array | None = None
    partner: Array | None = None


def in_panels(sampled: Fluctuations) -> list[int]:
    """Observables that get a panel."""
    heats = [k for k, o in enumerate(sampled.observables) if o.kind == "heat"][:MOST_HEATS]
    return heats + [k for k, o in enumerate(sampled.observables) if o.total]


def formula(observable: Observable) -> str:
    """Q_L, W."""
    if observable.total:
        return "$W$"
    letter = LETTERS[observable.kind]
    return rf"${letter}_{upright(observable.label)}$"


def window_text(sampled: Fluctuations) -> str:
    """The window in words."""
    periods = sampled.windows.periods
    return f"{periods:g} period{'s' if periods != 1 else ''}"


def _panels(sampled: Fluctuations, height: float) -> tuple[Figure, list[tuple[Axes, int]]]:
    indices = in_panels(sampled)
    figure, axes = plt.subplots(
        1, len(indices), figsize=(max(4.2, 3.5 * len(indices)), height), squeeze=False
    )
    return figure, list(zip(axes[0], indices, strict=True))


def histogram_figure(sampled: Fluctuations, exact: list[Array | None] | None = None) -> Figure:
    """Densities on a logarithmic scale; `exact` are probabilities of the bins, by observable."""
    figure, panels = _panels(sampled, 3.4)
    for number, (ax, k) in enumerate(panels):
        colour, marker = COLOURS[number], MARKERS[number]
        histogram, bins = sampled.histograms[k], exact[k] if exact else None
        centres, width = _centres(histogram)
        if bins is not None:
            density = np.where(bins > 0, bins / width, np.nan)
            # Above the dots, which lie on it.
            ax.step(centres, density, where="mid", color="black", lw=0.7, label="exact", zorder=5)
        filled = histogram.counts > 0
        y, error = histogram.density[filled], histogram.density_error[filled]
        # On a logarithmic scale a bar that reaches zero has no lower end.
        lower = np.minimum(error, 0.999 * y)
        ax.errorbar(
            centres[filled],
            y,
            [lower, error],
            fmt=marker,
            color=colour,
            ms=2.2,
            elinewidth=0.7,
            capsize=0,
            label="sampled" if number == 0 else None,
        )
        ax.set_yscale("log")
        # From a little below one count, the smallest density that a sample can have.
        ax.set_ylim(0.3 / (histogram.samples * width), 3 * y.max())
        name = formula(sampled.observables[k])
        ax.set_xlabel(f"{name} over {window_text(sampled)} (energy)")
        ax.set_ylabel("probability density (1 / energy)" if number == 0 else "")
    legend(figure, panels[0][0])
    return figure


def _centres(histogram: Histogram) -> tuple[Array, float]:
    edges = histogram.edges
    return (edges[1:] + edges[:-1]) / 2, float(edges[1] - edges[0])


def generating_figure(sampled: Fluctuations, exact: list[Curves | None] | None = None) -> Figure:
    """theta against lambda, shaded where samples cannot be trusted, on exact curves."""
    figure, panels = _panels(sampled, 3.2)
    for number, (ax, k) in enumerate(panels):
        g, curves = sampled.generating[k], exact[k] if exact else None
        if curves is not None:
            ax.plot(curves.argument, curves.theta, color="black", lw=0.9, label="exact", zorder=5)
            if curves.limit is not None:
                label = "exact, long times"
                ax.plot(curves.argument, curves.limit, color="0.78", lw=3.4, label=label)
            # Of single heats there is none where a temperature is driven.
            if curves.partner is not None and np.isfinite(curves.partner).any():
                label = r"exact, long times, reversed drive at $1/T - \lambda$"
                (dashes,) = ax.plot(curves.argument, curves.partner, color=COLOURS[3], label=label)
                dashes.set(linestyle=(0, (1.5, 2.5)), linewidth=2.0)
        _dots(ax, g.argument[g.trusted], g.theta[g.trusted], g.theta_error[g.trusted], number)
        name = formula(sampled.observables[k])
        ax.axhline(0, color="0.6", lw=0.7, zorder=0)
        ax.set_xlabel(rf"$\lambda$ on {name} (1 / energy)")
        ax.set_ylabel(r"$\theta(\lambda)$ (1 / time)" if number == 0 else "")
        _beyond(ax, g)
    legend(figure, panels[0][0])
    return figure


def _beyond(ax: Axes, g: Generating) -> None:
    """Shade the lambda at which samples are not trusted, up to the limits of the axis."""
    low, high = ax.get_xlim()
    for begin, end in ((low, g.limits[0]), (g.limits[1], high)):
        if begin < end:
            ax.axvspan(begin, end, color="0.5", alpha=0.12, lw=0, zorder=0)
    ax.set_xlim(low, high)


def rate_figure(sampled: Fluctuations, exact: list[Curves | None] | None = None) -> Figure:
    """Rate functions: Legendre transforms of theta, sampled and exact."""
    figure, panels = _panels(sampled, 3.2)
    for number, (ax, k) in enumerate(panels):
        g, curves = sampled.generating[k], exact[k] if exact else None
        trusted = g.trusted
        if curves is not None:
            current = np.gradient(curves.theta, curves.argument, edge_order=2)
            rate = curves.argument * current - curves.theta
            ax.plot(current, rate, color="black", lw=0.9, label="exact", zorder=5)
        _dots(ax, g.current[trusted], g.rate[trusted], g.theta_error[trusted], number)
        name = formula(sampled.observables[k])
        time = f"{sampled.windows.time:g}"
        ax.set_xlabel(f"{name} / {time} (energy / time)")
        # A power of ten would overlap the label.
        ax.ticklabel_format(axis="x", style="plain")
        ax.locator_params(axis="x", nbins=5)
        ax.set_ylabel("rate function (1 / time)" if number == 0 else "")
    legend(figure, panels[0][0])
    return figure


def _dots(ax: Axes, x: Array, y: Array, error: Array, number: int) -> None:
    ax.errorbar(
        x,
        y,
        error,
        fmt=MARKERS[number],
        color=COLOURS[number],
        ms=3,
        elinewidth=0.8,
        label="sampled" if number == 0 else None,
    )
