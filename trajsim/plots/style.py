"""Style of figures: colours, fonts, titles, legends."""

import logging
import textwrap
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.text import Text

from trajsim.config import Config
from trajsim.system.text import printable

# Okabe & Ito's colours, distinct for every kind of colour vision; markers differ too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# Panels of a figure; further ones are left out with a note.
MOST_PANELS = 12
# Entries of a legend in a line, for each inch of a figure's width.
MOST_ENTRIES = 1.2
TITLE_WIDTH, TITLE_LINES = 44, 3  # letters; lines

log = logging.getLogger("trajsim.plots")

STYLE: Any = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.limits": (-2, 3),
    "axes.formatter.use_mathtext": True,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "errorbar.capsize": 2,
    "mathtext.fontset": "dejavusans",
    "figure.constrained_layout.use": True,
}


@contextmanager
def styled() -> Iterator[None]:
    """Context with the style of this package, whatever the user's matplotlibrc or style."""
    mathtext = logging.getLogger("matplotlib.mathtext")
    before = mathtext.disabled
    with mpl.rc_context(), warnings.catch_warnings():
        # Letters that the font does not have are reported by `missing_letters`.
        warnings.filterwarnings("ignore", message=r"Glyph \d+", category=UserWarning)
        mathtext.disabled = True
        try:
            mpl.rcdefaults()
            mpl.rcParams.update(STYLE)
            yield
        finally:
            mathtext.disabled = before


@lru_cache
def _letters(file: str) -> frozenset[int]:
    """Letters that a font has."""
    return frozenset(get_font(file).get_charmap())


def missing_letters(figures: Iterable[Figure]) -> str:
    """Sentence on the letters of figures that their font lacks; empty if there are none."""
    missing = set()
    for figure in figures:
        for text in figure.findobj(Text):
            assert isinstance(text, Text)
            letters = _letters(str(findfont(text.get_fontproperties())))
            missing |= {c for c in text.get_text() if ord(c) not in letters and not c.isspace()}
    if not missing:
        return ""
    names = [f"{printable(c)} (U+{ord(c):04X})" for c in sorted(missing)]
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    shown = ", ".join(names[:8]) + more
    return f"figures show boxes for letters that their font does not have: {shown}"


SYMBOLS = {
    "temperature": ("T", "temperature of bath"),
    "phase": (r"\varphi", "phase of drive"),
    "amplitude": ("h", "amplitude of drive"),
    "offset": (r"\bar h", "offset of drive"),
    "coupling": ("J", "coupling of bond"),
}


def upright(name: str) -> str:
    """A name as an index within a formula."""
    return rf"{{\mathrm{{{name.replace('_', chr(92) + '_')}}}}}"


def plain(text: str) -> str:
    """A title broken into lines, with dollar signs escaped."""
    lines = textwrap.fill(printable(text), TITLE_WIDTH, max_lines=TITLE_LINES, placeholder=" ...")
    return lines.replace("$", r"\$")


def symbol(key: str) -> str:
    """A swept key as a formula: T_R, phi_2."""
    parts = key.split(".")
    if key == "drive.period":
        return r"$\tau$"
    if parts[-1] in SYMBOLS and len(parts) > 2:
        return rf"${SYMBOLS[parts[-1]][0]}_{upright(parts[1])}$"
    return key


def axis_label(key: str) -> str:
    """A swept key in words and as a formula."""
    parts = key.split(".")
    if key == "drive.period":
        return r"period $\tau$"
    if parts[-1] in SYMBOLS and len(parts) > 2:
        return f"{SYMBOLS[parts[-1]][1]} {parts[1]}, {symbol(key)}"
    return key


def in_units_of_pi(ax: Axes, low: float, high: float, step: float = np.pi / 2) -> None:
    """Ticks of an axis of phases, at whole multiples of a step of pi/2 or pi.

    Parameters
    ----------
    ax : axes whose x are phases
    low, high : range of the phases
    step : pi / 2 or pi
    """
    if high - low < np.pi:
        return
    ticks = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1)
    ticks *= step / (np.pi / 2)
    names = {0: "0", 1: "π/2", 2: "π", -1: "−π/2", -2: "−π"}
    labels = [names.get(int(k), f"{int(k) // 2}π" if k % 2 == 0 else f"{int(k)}π/2") for k in ticks]
    ax.set_xticks(ticks * np.pi / 2, labels)


def finish(ax: Axes, config: Config, parameters: dict[str, float], ylabel: str) -> None:
    """Set the vertical label, and as title the swept values or the title of the config.

    Parameters
    ----------
    ax : axes of the panel
    config : for its title
    parameters : swept values of the panel
    ylabel : vertical label
    """
    ax.set_ylabel(ylabel)
    words = ", ".join(f"{symbol(key)} = {x:.4g}" for key, x in parameters.items())
    title = plain(config.experiment.title)
    inset = ax not in ax.figure.axes
    ax.set_title(words or title, fontsize="small" if inset else "medium", pad=3 if inset else None)


def legend(figure: Figure, ax: Axes) -> None:
    """One legend for all panels, above them."""
    handles, labels = ax.get_legend_handles_labels()
    curves = [
        line for line in ax.lines if np.size(line.get_xdata()) > 2 and line.get_marker() == "None"
    ]
    labelled = any(label.startswith("exact") for label in labels)
    if curves and not labelled and any(hasattr(handle, "has_yerr") for handle in handles):
        handles.append(Line2D([], [], color="0.35"))
        labels.append("exact")
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=min(len(labels), max(3, int(MOST_ENTRIES * figure.get_figwidth()))),
        handletextpad=0.4,
        columnspacing=1.2,
    )
