"""Panels of a figure, side by side or the second as an inset in free space of the first."""

from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Size of the inset relative to the first panel, with its tick labels.
WIDTH, HEIGHT = 0.46, 0.42
LEFT, BOTTOM, TOP = 0.09, 0.08, 0.07
SMALL = 8
IN_A_ROW = 4


def grid(
    count: int, columns: int, width: float, height: float, **more: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of panels in rows, from left to right.

    Parameters
    ----------
    count : number of panels
    columns : number of panels in a row
    width, height : of a panel, in inches
    more : passed on to `matplotlib.pyplot.subplots`
    """
    rows = -(-count // columns)
    size = (width * columns, height * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **more)
    for ax in axes.flat[count:]:
        ax.remove()
    return figure, list(axes.flat[:count])


def in_a_row(count: int) -> int:
    """Number of panels in a row: all of up to four."""
    return -(-count // -(-count // IN_A_ROW))


def first_column(ax: Axes) -> bool:
    """Whether there is nothing to the left of a panel."""
    spec = ax.get_subplotspec()
    return spec is not None and spec.is_first_col()


def with_inset() -> tuple[Figure, Iterator[Axes]]:
    """A figure of two panels; the second is placed after the first has been drawn."""
    figure, main = plt.subplots(figsize=(6.4, 4.8))

    def places() -> Iterator[Axes]:
        yield main
        yield _inset(main)

    return figure, places()


def is_inset(ax: Axes) -> bool:
    """Whether these axes lie within others."""
    return ax not in ax.figure.axes


def _inset(main: Axes) -> Axes:
    """Inset axes where `main` has most free space; its y limits grow until nothing is hidden."""
    left, right = main.get_xlim()
    low, high = main.get_ylim()
    x, y = _drawn_points(main)
    fraction = (x - left) / (right - left)
    rooms = []
    for begin in np.linspace(1 - WIDTH, 0.0, 26):
        covered = y[(fraction >= begin) & (fraction <= begin + WIDTH)]
        if not covered.size:
            covered = np.array([0.5 * (low + high)])
        top = max(high, low + (covered.max() - low) / (1 - HEIGHT))
        bottom = min(low, high - (high - covered.min()) / (1 - HEIGHT))
        rooms += [(top - low, low, top, begin, 1 - HEIGHT), (high - bottom, bottom, high, begin, 0)]
    _, low, high, begin, floor = min(rooms, key=lambda place: place[0])
    main.set_xlim(left, right)
    main.set_ylim(low, high)
    inner = main.inset_axes(
        (begin + LEFT, floor + BOTTOM, WIDTH - LEFT - 0.01, HEIGHT - BOTTOM - TOP)
    )
    inner.tick_params(labelsize=SMALL, length=2.5, pad=2)
    inner.yaxis.get_offset_text().set_fontsize(SMALL)
    return inner


def _drawn_points(ax: Axes) -> tuple[Array, Array]:
    """Points (k,) of all lines, dots and error bars of some axes."""
    points = [
        np.asarray(line.get_xydata(), float)
        for line in ax.lines
        if line.get_transform() == ax.transData
    ]
    for bars in ax.collections:
        if isinstance(bars, LineCollection):
            points += [np.asarray(segment, float) for segment in bars.get_segments()]
    drawn = np.concatenate([*points, np.array([[ax.get_xlim()[0], 0.0]])])
    x, y = drawn[np.isfinite(drawn).all(axis=1)].T
    return x, y
