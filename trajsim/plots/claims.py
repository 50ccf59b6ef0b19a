"""Significant regimes of a sampled sweep: heats and works of all points in standard errors."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from trajsim.comparison import FALSE_ALARM
from trajsim.comparison.claims import Claims
from trajsim.plots.style import COLOURS, MARKERS, legend, symbol

# Order in which names get colours and markers.
NAMES = ("neither", "pump", "engine", "transfer", "open")
# Standard errors at which points are clipped.
FURTHEST = 1e4


def claims_figure(claims: Claims) -> Figure:
    """Heat from the colder bath, and work, of each point in standard errors."""
    figure, axes = plt.subplots(2, 1, figsize=(7.2, 5.0), sharex=True)
    number = np.arange(1, len(claims.points) + 1)
    names = np.array([point.name for point in claims.points])
    colder = all(point.sigmas.cold is not None for point in claims.points)
    chemical = any(point.sampled.chemical_work_rate for point in claims.points)
    labels = (
        "heat from the colder bath" if colder else "heat from a bath",
        "work, chemical included" if chemical else "work of the drives",
    )
    for ax, kind, label in zip(axes, ("taken", "work"), labels, strict=True):
        sigma = np.array([getattr(point.sigmas, kind) for point in claims.points])
        shown = np.clip(sigma, -FURTHEST, FURTHEST)
        for k, name in enumerate(NAMES):
            if (names == name).any():
                ax.plot(
                    number[names == name],
                    shown[names == name],
                    MARKERS[k],
                    color=COLOURS[k],
                    ms=3.5,
                    label=name,
                )
        ax.axhspan(-claims.threshold, claims.threshold, color="0.9", zorder=0, lw=0)
        ax.axhline(0, color="0.6", lw=0.7, zorder=0)
        ax.set_yscale("symlog", linthresh=10)
        ax.set_ylabel(f"{label}\n(standard errors)")
    _groups(axes, claims)
    axes[1].set_xlabel("point of the sweep")
    axes[0].set_title(
        f"grey: within {claims.threshold:.2f} standard errors, family-wise false alarm "
        f"{FALSE_ALARM:g}",
        fontsize="medium",
    )
    legend(figure, axes[0])
    return figure


def _groups(axes: Any, claims: Claims) -> None:
    """Lines and labels where the slowest of the swept values changes."""
    parameters = [point.sampled.parameters for point in claims.points]
    key = next(iter(parameters[0]), None)
    if key is None:
        return
    values = [p[key] for p in parameters]
    starts = [k for k, x in enumerate(values) if k == 0 or x != values[k - 1]]
    if not 1 < len(starts) <= 8:
        return
    for k in starts:
        for ax in axes:
            ax.axvline(k + 0.5, color="0.7", lw=0.7, zorder=0)
        axes[1].annotate(
            f"{symbol(key)} = {values[k]:g}",
            (k + 1, 0.02),
            xycoords=("data", "axes fraction"),
            fontsize="x-small",
        )
