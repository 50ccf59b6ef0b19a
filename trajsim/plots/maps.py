"""Maps of two parameters, coloured by regime."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from trajsim.explore import RegimeMap
from trajsim.plots.style import axis_label, in_units_of_pi, plain

Array = NDArray[np.float64]

# Light tints of Okabe & Ito's colours, which differ in lightness, too; lines go on top of them.
TINTS = {
    "engine": "#F5C26B",
    "pump": "#6FA8DC",
    "heater": "#CE7B5A",
    "accelerator": "#E8E8E8",
    "transfer": "#8FD0B5",
    "conduction": "#F7F3C6",
    "undecided": "#FFFFFF",
}
# Colours of combinations of signs without a name, with more than two temperatures.
OTHERS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00")
LINES = 5
# Ratios whose largest is so many times the median are shown on a logarithmic scale.
LONG_TAIL = 4.0
COLUMNS = 2


def map_figure(maps: list[RegimeMap]) -> Figure:
    """One panel for each map: regimes as colours, lines of equal efficiency and COP."""
    columns = min(len(maps), COLUMNS)
    rows = math.ceil(len(maps) / columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(4.8 * columns, 3.6 * rows + 0.5),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    tints = _tints(maps)
    ratios = set()
    for k, ax in enumerate(axes.flat):
        if k < len(maps):
            ratios |= _panel(ax, maps[k], tints)
            if k + columns < len(maps):
                ax.set_xlabel("")
            if k % columns:
                ax.set_ylabel("")
        else:
            ax.set_visible(False)
    handles = [
        Patch(facecolor=tint, edgecolor="0.4", linewidth=0.6, label=name)
        for name, tint in tints.items()
    ]
    figure.legend(
        handles=handles,
        title=f"lines: {' and '.join(sorted(ratios))}" if ratios else None,
        loc="outside upper center",
        ncols=min(4, len(handles)),
    )
    return figure


def _tints(maps: list[RegimeMap]) -> dict[str, str]:
    """A colour for each regime that occurs."""
    names = {regime.name for m in maps for regime in m.regimes}
    tints = {name: tint for name, tint in TINTS.items() if name in names}
    others = sorted(names - set(TINTS))
    return tints | {name: OTHERS[k % len(OTHERS)] for k, name in enumerate(others)}


def _panel(ax: Axes, m: RegimeMap, tints: dict[str, str]) -> set[str]:
    """Draw one map; returns the names of the ratios with contour lines."""
    x, y = m.grid
    number = {name: k for k, name in enumerate(tints)}
    cells = m.on_grid(number[regime.name] for regime in m.regimes)
    ax.pcolormesh(
        x,
        y,
        cells,
        cmap=ListedColormap(list(tints.values())),
        vmin=-0.5,
        vmax=len(tints) - 0.5,
        shading="nearest",
        rasterized=True,
    )
    drawn = set()
    for name, regime, values, style in zip(
        ("efficiency", "COP"), ("engine", "pump"), m.ratios, ("-", "--"), strict=True
    ):
        inside = m.on_grid(r.name == regime for r in m.regimes)
        if min(inside.shape) < 2 or inside.sum() < 2:
            continue
        ratio = m.on_grid(values)
        levels = _levels(ratio[inside])
        if len(levels):
            lines = ax.contour(
                x,
                y,
                np.ma.masked_invalid(ratio),
                levels,
                colors="k",
                linewidths=0.9,
                linestyles=style,
            )
            ax.clabel(lines, fmt=lambda level: f"{level:.3g}", fontsize="x-small")
            drawn.add(f"{name} ({'solid' if style == '-' else 'dashed'})")
    ax.set_xlabel(axis_label(m.x))
    ax.set_ylabel(axis_label(m.y))
    if m.x.endswith("phase"):
        in_units_of_pi(ax, x[0], x[-1])
    title = plain(m.name or m.config.experiment.title)
    ax.set_title(title, fontsize="medium")
    return drawn


def _levels(values: Array) -> list[float]:
    """Round values for lines, from above 0 to below the largest; 1, 2, 5, ... of a long tail."""
    typical, largest = float(np.median(values)), float(values.max())
    if not 0.0 < typical < largest < np.inf:
        return []
    if largest < LONG_TAIL * typical:
        levels = [float(x) for x in MaxNLocator(LINES).tick_values(0.0, largest)]
    else:
        decades = range(math.floor(math.log10(typical)), math.ceil(math.log10(largest)) + 1)
        levels = [m * 10.0**k for k in decades for m in (1, 2, 5) if m * 10.0**k > 0.3 * typical]
    return [level for level in levels if 0.0 < level < largest]
