"""Works of a protocol and of the reversed one, whose densities cross at the free energy."""

import math
from dataclasses import replace
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from trajsim.analysis.estimate import Estimate
from trajsim.analysis.free_energy import Bennett
from trajsim.analysis.histograms import bin_width
from trajsim.ensemble.distribution import Distribution
from trajsim.plots.style import COLOURS, MARKERS

Array = NDArray[np.float64]

# Works that differ by less than this part of the largest are one; of an atom there are this share.
ALIKE, SHARE, FEWEST = 1e-9, 1e-3, 10
# Parts of a bin in which exact densities are drawn; probabilities below so many times their error
# are not.
PARTS, UNKNOWN = 4, 3.0
# Counts in a bin of either run from which their ratio is shown.
FEWEST_COUNTS = 5
LABELS = ("$P(W)$", "$P^{\\dagger}(-W)$")
EXACT, ATOMS = "exact", "exact, single values over a bin's width"
STYLES: tuple[Any, Any] = ("-", (0, (4, 1.5)))


class Works(NamedTuple):
    """Works of both runs, and what is known of their free energy.

    forward, backward : (n,) and (m,) works of the protocol and of the reversed one
    temperature : of the equilibria in which they begin
    bennett : dF from both
    delta_f : the exact one; None where not known
    exact : distributions of both works; None where not known
    """

    forward: Array
    backward: Array
    temperature: float
    bennett: Bennett
    delta_f: float | None = None
    exact: tuple[Distribution, Distribution] | None = None


class Counts(NamedTuple):
    """Works (bins,) of one run in bins and at atoms: mean work, number and width of each."""

    work: Array
    number: Array
    width: Array
    total: int

    @property
    def density(self) -> Estimate[Array]:
        """Density, of an atom its probability over the width of a bin, with its error."""
        p = self.number / self.total
        error = np.sqrt(p * (1 - p) / self.total)
        return Estimate(p / self.width, error / self.width)


def work_figure(works: Works) -> Figure:
    """Densities of W and, reversed, of -W, which cross at dF; and the logarithm of their ratio."""
    pair = works.forward, -works.backward
    atoms = _atoms(np.concatenate(pair))
    rest = [_without(w, atoms) for w in pair]
    edges, width = _bins(rest, atoms)
    counts = [_counts(w, r, edges, atoms, width) for w, r in zip(pair, rest, strict=True)]
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.0, 3.3))
    for side, counted in enumerate(counts):
        _dots(left, counted, side)
        if works.exact is not None:
            exact, sign = works.exact[side], 1.0 if side == 0 else -1.0
            _curve(left, exact, sign, edges, side)
            places, weights = _exact_atoms(exact, sign, None if len(edges) else atoms)
            _stems(left, places, weights / width, side, ATOMS if len(edges) else EXACT)
    _ratio(right, counts, works)
    for ax in (left, right):
        _mark(ax, works)
        ax.set_xlabel("work $W$ (energy)")
    left.set_yscale("log")
    smallest = min(c.density.mean[c.number > 0].min() for c in counts)
    largest = max(c.density.mean.max() for c in counts)
    left.set_ylim(min(0.3 * smallest, 0.01 * largest), 3 * largest)
    left.set_ylabel("probability density (1 / energy)" if len(edges) else "probability")
    right.set_ylabel(r"$\ln\,P(W)\,/\,P^{\dagger}(-W)$")
    figure.legend(
        *_legend(left), loc="outside upper center", ncols=3, handletextpad=0.4, columnspacing=1.2
    )
    return figure


def _legend(ax: Axes) -> tuple[list[Any], list[str]]:
    """Handles and labels: both runs, what is exact, dF."""
    handles, labels = ax.get_legend_handles_labels()
    order = {label: k for k, label in enumerate((*LABELS, EXACT, ATOMS))}
    known = sorted(zip(labels, handles, strict=True), key=lambda pair: order.get(pair[0], 9))
    pairs = dict(known)
    for label, width in ((EXACT, 1.2), (ATOMS, 2.6)):
        if label in pairs:
            pairs[label] = Line2D([], [], color="0.35", lw=width)
    return list(pairs.values()), list(pairs)


# -- bins and atoms ----------------------------------------------------------------------------


def _atoms(work: Array) -> Array:
    """Works (k,) that many trajectories share, ascending."""
    ordered = np.sort(work)
    apart = ALIKE * max(float(np.abs(ordered[[0, -1]]).max()), 1e-300)
    first = np.flatnonzero(np.diff(ordered, prepend=-np.inf) > apart)
    sizes = np.diff(first, append=len(ordered))
    return np.asarray(ordered[first[sizes >= max(FEWEST, SHARE * len(work))]])


def _at(work: Array, atoms: Array) -> NDArray[np.bool_]:
    """Which works (n,) are at which atom, (n, k)."""
    apart = 2 * ALIKE * max(float(np.abs(work).max(initial=0.0)), 1e-300)
    return np.asarray(np.abs(work[:, None] - atoms) <= apart)


def _without(work: Array, atoms: Array) -> Array:
    return np.asarray(work[~_at(work, atoms).any(axis=1)])


def _bins(rest: list[Array], atoms: Array) -> tuple[Array, float]:
    """Edges of bins of the works beside atoms, and their width; edges lie on atoms.

    Of works that are all at atoms there are no edges, and the width is 1.
    """
    samples = np.concatenate(rest)
    if len(samples) == 0:
        return np.zeros(0), 1.0
    width = bin_width(samples, max(1, min(map(len, rest))))
    origin = 0.0
    if len(atoms):
        origin, span = float(atoms[0]), float(np.ptp(atoms))
        width = span / max(1, round(span / width)) if span > 0 else width
    low, high = (samples.min() - origin) / width, (samples.max() - origin) / width
    return origin + width * np.arange(math.floor(low), math.floor(high) + 2), width


def _counts(work: Array, rest: Array, edges: Array, atoms: Array, width: float) -> Counts:
    """Counts in all bins, then at all atoms."""
    count, total = np.zeros(0), np.zeros(0)
    if len(edges):
        count = np.histogram(rest, edges)[0].astype(np.float64)
        total = np.histogram(rest, edges, weights=rest)[0]
    centres = (edges[1:] + edges[:-1]) / 2
    means = np.where(count > 0, total / np.maximum(count, 1), centres)
    at = _at(work, atoms).sum(axis=0).astype(np.float64)
    counts = np.append(count, at)
    return Counts(np.append(means, atoms), counts, np.full(len(counts), width), len(work))


# -- what is drawn -----------------------------------------------------------------------------


def _dots(ax: Axes, counts: Counts, side: int) -> None:
    seen, colour = counts.number > 0, COLOURS[side]
    y, error = (part[seen] for part in counts.density)
    # On a logarithmic scale a bar that reaches zero has no lower end.
    lower = np.minimum(error, 0.999 * y)
    ax.errorbar(
        counts.work[seen],
        y,
        [lower, error],
        fmt=MARKERS[side],
        color=colour,
        ms=2.8,
        mfc=colour if side == 0 else "white",
        elinewidth=0.7,
        capsize=0,
        label=LABELS[side],
    )


def _curve(ax: Axes, exact: Distribution, sign: float, edges: Array, side: int) -> None:
    """The exact density of sign W, where it is known."""
    if len(edges) < 2 or len(exact.coefficients) == 0:
        return
    fine = np.linspace(edges[0], edges[-1], PARTS * (len(edges) - 1) + 1)
    smooth = replace(exact, positions=np.zeros(0), weights=np.zeros(0))
    ends = np.sort(sign * fine)
    p, error = smooth.probabilities(ends), smooth.probability_errors(ends)
    density = np.where(p > UNKNOWN * error, p, np.nan) / np.diff(ends)
    centres = sign * (ends[1:] + ends[:-1]) / 2
    (line,) = ax.plot(centres, density, color=COLOURS[side], lw=1.0, zorder=1)
    line.set_linestyle(STYLES[side])
    line.set_label(EXACT)


def _exact_atoms(exact: Distribution, sign: float, places: Array | None) -> tuple[Array, Array]:
    """Places and probabilities (k,) of the atoms of sign A.

    Where all works are at `places`, all there is nearer to one than to others is at it.
    """
    if places is None:
        return sign * exact.positions, exact.weights
    middles = np.append(np.append(-np.inf, (places[1:] + places[:-1]) / 2), np.inf)
    probabilities = exact.probabilities(np.sort(sign * middles))
    return places, probabilities if sign > 0 else probabilities[::-1]


def _stems(ax: Axes, places: Array, heights: Array, side: int, label: str) -> None:
    """Atoms as lines."""
    if len(places):
        ax.vlines(
            places,
            np.zeros(len(places)),
            heights,
            color=COLOURS[side],
            lw=1.0 + 1.6 * (1 - side),
            alpha=0.45 + 0.55 * side,
            linestyles=STYLES[side],
            zorder=1 + side,
            label=label,
        )


def _ratio(ax: Axes, counts: list[Counts], works: Works) -> None:
    """ln of the ratio of both densities, on the line of Crooks' theorem."""
    forward, backward = counts
    enough = np.minimum(forward.number, backward.number) >= FEWEST_COUNTS
    a, b = forward.number[enough], backward.number[enough]
    ratio = np.log(a / forward.total) - np.log(b / backward.total)
    work = (forward.work[enough] * a + backward.work[enough] * b) / (a + b)
    ax.errorbar(
        work,
        ratio,
        np.sqrt(1 / a + 1 / b),
        fmt=MARKERS[3],
        color=COLOURS[2],
        ms=2.8,
        elinewidth=0.7,
        capsize=0,
    )
    delta_f = works.bennett.delta_f.mean if works.delta_f is None else works.delta_f
    ends = np.array([work.min(initial=delta_f), work.max(initial=delta_f)])
    (line,) = ax.plot(ends, (ends - delta_f) / works.temperature, color="black", lw=0.9, zorder=1)
    line.set_label(r"$(W - \Delta F)/T$")
    ax.axhline(0, color="0.6", lw=0.7, zorder=0)
    ax.legend(loc="lower right")


def _mark(ax: Axes, works: Works) -> None:
    """Mark dF: the exact one as a line, Bennett's with its error as a band."""
    mean, error = works.bennett.delta_f
    label = rf"$\Delta F$ = {_minus(works.bennett.delta_f)} (Bennett)"
    ax.axvspan(mean - error, mean + error, color="0.5", alpha=0.35, lw=0, zorder=0, label=label)
    if works.delta_f is not None:
        label = rf"$\Delta F$ = {_minus(f'{works.delta_f:.4g}')} (exact)"
        ax.axvline(works.delta_f, color="black", lw=0.9, ls=":", zorder=0, label=label)


def _minus(number: object) -> str:
    return str(number).replace("-", "\N{MINUS SIGN}")
