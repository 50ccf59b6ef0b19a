"""Waveforms: what a parameter does in the course of a period; a number is a constant one.

At the phase u = t / period, from 0 to 1, a waveform has the value

    offset + sum_k amplitude_k cos(2 pi order_k u + phase_k) + pieces(u),

where `pieces` is linear between points (u, value), of which two at one u are a jump. A square or a
triangle is given by its points. Where it jumps, a value is that after the jump, unless the one
before is asked for.

At the beginning of a trajectory a parameter has its first listed value. A jump at 0, and the one
from the last listed value to the first, come after an edge between two rows of the ledger; jumps
listed at 1 come before it, and jumps at edges within the period after them.
"""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled

Array = NDArray[np.float64]

# Part of a waveform, and of a turn, that is taken for rounding.
SAME = 1e-9
# Most rows of a period, whose edges are phases k / n.
MOST_ROWS = 65536
Points = Sequence[tuple[float, float]]


class Waveforms(NamedTuple):
    """Waveforms of n parameters.

    The pieces of waveform i begin at the phases `start[first[i]:first[i + 1]]`, in ascending order
    and the first at 0; without pieces it is made of cosines alone.

    Parameters
    ----------
    offset : (n,) constant part
    order : (n, k) int64, multiples of the frequency of the period
    amplitude : (n, k)
    phase : (n, k), radians
    first : (n + 1,) int64
    start : (pieces,) phase at which a piece begins
    level : (pieces,) its value there
    slope : (pieces,) its derivative by u
    end : (pieces,) its value where it ends
    opening, closing : (n,) the first and the last listed value of the pieces
    """

    offset: Array
    order: NDArray[np.int64]
    amplitude: Array
    phase: Array
    first: NDArray[np.int64]
    start: Array
    level: Array
    slope: Array
    end: Array
    opening: Array
    closing: Array


# What there is of each waveform, and of each piece.
OF_ALL = ("offset", "order", "amplitude", "phase", "opening", "closing")
OF_PIECES = ("start", "level", "slope", "end")


class Waveform(NamedTuple):
    """One waveform in parts: `harmonics` as (order, amplitude, phase), `points` as (u, value)."""

    offset: float = 0.0
    harmonics: Sequence[tuple[int, float, float]] = ()
    points: Points = ()

    def reversed(self) -> "Waveform":
        """The same with time running backwards: its value at 1 - u."""
        # cos(k Omega (period - t) + phase) = cos(k Omega t - phase)
        return Waveform(
            self.offset,
            [(order, amplitude, -phase) for order, amplitude, phase in self.harmonics],
            [(_turned(u), value) for u, value in reversed(self.points)],
        )


@lru_cache(100_000)
def _turned(u: float) -> float:
    """1 - u; an edge between rows, k / n as it is rounded, becomes the edge (n - k) / n."""
    edge = Fraction(u).limit_denominator(MOST_ROWS)
    return float(1 - edge) if float(edge) == u else 1.0 - u


def square(offset: float, amplitude: float, phase: float) -> Waveform:
    """offset + amplitude sign(cos(2 pi u + phase)), from its jumps."""
    return Waveform(points=_extremes(offset, amplitude, phase, quarter=0.25, jumps=True))


def triangle(offset: float, amplitude: float, phase: float) -> Waveform:
    """Linear between the extremes of offset + amplitude cos(2 pi u + phase)."""
    return Waveform(points=_extremes(offset, amplitude, phase, quarter=0.0, jumps=False))


def _extremes(
    offset: float, amplitude: float, phase: float, quarter: float, jumps: bool
) -> list[tuple[float, float]]:
    """Points of a wave with two breaks a period: half a period from `quarter` on it falls."""
    # Where the wave is at its maximum, or falls through its middle.
    first = (quarter - phase / (2.0 * math.pi)) % 0.5
    turns = first + phase / (2.0 * math.pi)
    sign = 1.0 if round(2.0 * (turns - quarter)) % 2 == 0 else -1.0
    high, low = offset + sign * amplitude, offset - sign * amplitude
    if jumps:
        middle = [(first, high), (first, low), (first + 0.5, low), (first + 0.5, high)]
        return (
            [(0.0, high), *middle, (1.0, high)]
            if first > 0.0
            else [(0.0, low), (0.5, low), (0.5, high), (1.0, high)]
        )
    edge = high + (low - high) * 2.0 * first
    inside = [(first, high), (first + 0.5, low)]
    return (
        [(0.0, edge), *inside, (1.0, edge)]
        if first > 0.0
        else [(0.0, high), (0.5, low), (1.0, high)]
    )


def pack(waveforms: Sequence[Waveform]) -> Waveforms:
    """Waveforms of so many parameters; all are padded to as many harmonics, of amplitude 0."""
    n, width = len(waveforms), max([len(w.harmonics) for w in waveforms] + [1])
    order = np.ones((n, width), np.int64)
    amplitude, phase = np.zeros((n, width)), np.zeros((n, width))
    first, pieces = [0], []
    opening, closing = np.zeros(n), np.zeros(n)
    for i, waveform in enumerate(waveforms):
        for k, term in enumerate(waveform.harmonics):
            order[i, k], amplitude[i, k], phase[i, k] = term
        points = waveform.points
        for (u, value), (v, after) in pairwise(points):
            if v > u:
                pieces.append((u, value, (after - value) / (v - u), after))
        if points:
            opening[i], closing[i] = points[0][1], points[-1][1]
        first.append(len(pieces))
    start, level, slope, end = np.array(pieces, np.float64).reshape(-1, 4).T.copy()
    return Waveforms(
        np.array([w.offset for w in waveforms], np.float64),
        order,
        amplitude,
        phase,
        np.array(first, np.int64),
        start,
        level,
        slope,
        end,
        opening,
        closing,
    )


def from_parameters(given: Sequence[float | Waveform]) -> tuple[Waveforms, NDArray[np.bool_]]:
    """Numbers and waveforms as waveforms, and which of them are waveforms."""
    moved = np.array([isinstance(x, Waveform) for x in given], np.bool_)
    return pack([x if isinstance(x, Waveform) else Waveform(float(x)) for x in given]), moved


def some(waves: Waveforms, which: Sequence[int] | NDArray[np.integer]) -> Waveforms:
    """Waveforms of some of the parameters."""
    which = np.asarray(which, np.int64)
    if len(which) == len(waves.offset) and (which == np.arange(len(which))).all():
        return waves
    spans = [np.arange(waves.first[i], waves.first[i + 1]) for i in which]
    pieces = np.concatenate([np.zeros(0, np.int64), *spans])
    counts = [len(span) for span in spans]
    parts: dict[str, NDArray] = {name: getattr(waves, name)[which] for name in OF_ALL}
    parts |= {name: getattr(waves, name)[pieces] for name in OF_PIECES}
    parts["first"] = np.cumsum([0, *counts], dtype=np.int64)
    return Waveforms(**parts)


def without_pieces(waves: Waveforms) -> Waveforms:
    """The cosines alone."""
    return waves._replace(first=np.zeros_like(waves.first), start=np.zeros(0))


def _with_pieces(waves: Waveforms) -> Iterator[tuple[int, int, int]]:
    """Numbers of the waveforms with pieces, and the first of these and the one after the last."""
    if len(waves.start):
        for i, (first, last) in enumerate(pairwise(waves.first.tolist())):
            if first < last:
                yield i, first, last


def bounds(waves: Waveforms) -> tuple[Array, Array]:
    """Values (n,) that each waveform never falls below and never exceeds."""
    reach = np.abs(waves.amplitude).sum(axis=1)
    low, high = np.zeros_like(reach), np.zeros_like(reach)
    if len(waves.start):
        (low,), (high,) = _bounds_of_pieces(waves, np.array([0.0, 1.0]))
    for i in np.flatnonzero(np.diff(waves.first)):
        # Jumps at the ends of the period may begin and end elsewhere.
        low[i] = min(low[i], waves.opening[i], waves.closing[i])
        high[i] = max(high[i], waves.opening[i], waves.closing[i])
    return _outwards(waves, (waves.offset - reach, waves.offset + reach), (low, high))


def bounds_between(waves: Waveforms, edges: Array) -> tuple[Array, Array]:
    """Bounds (parts, n) of each waveform between phases edges (parts + 1,).

    Of a jump at an edge each part counts the value on its own side.
    """
    return _outwards(waves, _bounds_of_cosines(waves, edges), _bounds_of_pieces(waves, edges))


def _bounds_of_cosines(waves: Waveforms, edges: Array) -> tuple[Array, Array]:
    """Bounds (parts, n) of the cosines between phases edges (parts + 1,)."""
    turns = waves.phase / (2.0 * math.pi)
    # So far the phase of a cosine may be rounded.
    blur = 8 * np.finfo(float).eps * (waves.order + abs(turns))
    begin = np.multiply.outer(edges[:-1], waves.order) + turns - blur
    end = np.multiply.outer(edges[1:], waves.order) + turns + blur
    ends = np.cos(2.0 * math.pi * begin), np.cos(2.0 * math.pi * end)
    # A cosine is 1 at whole turns and -1 half way between them.
    highest = np.where(np.floor(end) >= np.ceil(begin), 1.0, np.maximum(*ends))
    lowest = np.where(np.floor(end - 0.5) >= np.ceil(begin - 0.5), -1.0, np.minimum(*ends))
    one, other = waves.amplitude * lowest, waves.amplitude * highest
    low = waves.offset + np.minimum(one, other).sum(axis=2)
    return low, waves.offset + np.maximum(one, other).sum(axis=2)


def _bounds_of_pieces(waves: Waveforms, edges: Array) -> tuple[Array, Array]:
    """Bounds (parts, n) of the pieces between phases edges (parts + 1,)."""
    ends = np.zeros((2, len(edges) - 1, len(waves.offset)))
    _add_pieces(waves, edges[:-1], False, ends[0], None)
    _add_pieces(waves, edges[1:], True, ends[1], None)
    low, high = ends.min(axis=0), ends.max(axis=0)
    for i, (first, last) in enumerate(pairwise(waves.first)):
        # Pieces are linear: they are extreme at the edges, and where they begin and end.
        start = waves.start[first + 1 : last]
        part = np.searchsorted(edges, start, side="right") - 1
        inside = edges[part] < start
        for values_ in (waves.level[first + 1 : last], waves.end[first : last - 1]):
            np.minimum.at(low[:, i], part[inside], values_[inside])
            np.maximum.at(high[:, i], part[inside], values_[inside])
    return low, high


def _outwards(
    waves: Waveforms, cosines: tuple[Array, Array], pieces: tuple[Array, Array]
) -> tuple[Array, Array]:
    """Sums of two bounds, a few ulps outwards: the cosine may round up and the sum of terms too."""
    low, high = (one + other for one, other in zip(cosines, pieces, strict=True))
    terms = np.abs(waves.offset) + np.abs(waves.amplitude).sum(axis=1)
    size = np.maximum(abs(low), abs(high)) + terms
    slack = 4 * np.finfo(float).eps * size
    return low - slack, high + slack


def values(waves: Waveforms, u: Array, before: bool = False) -> Array:
    """Values (t, n) of all waveforms at the phases u (t,); `before`: the jumps just there."""
    turns = 2.0 * math.pi * np.multiply.outer(u, waves.order) + waves.phase
    value = waves.offset + (waves.amplitude * np.cos(turns)).sum(axis=2)
    _add_pieces(waves, u, before, value, None)
    return np.asarray(value)


def values_and_slopes(waves: Waveforms, u: Array, before: bool = False) -> tuple[Array, Array]:
    """Values (t, n), and their derivatives by u: their change with time, times the period."""
    turns = 2.0 * math.pi * np.multiply.outer(u, waves.order) + waves.phase
    speed = -2.0 * math.pi * waves.order * waves.amplitude
    value = waves.offset + _over_harmonics(waves.amplitude * np.cos(turns))
    slope = _over_harmonics(speed * np.sin(turns))
    _add_pieces(waves, u, before, value, slope)
    return value, slope


def _over_harmonics(terms: Array) -> Array:
    """Sum (t, n) over the last axis of terms (t, n, k)."""
    # A sum of one term takes as long as its cosine.
    return np.asarray(terms[:, :, 0] if terms.shape[2] == 1 else terms.sum(axis=2))


def _add_pieces(
    waves: Waveforms, u: Array, before: bool, value: Array, slope: Array | None
) -> None:
    """Add the pieces at phases u (t,) to values (t, n) and slopes (t, n)."""
    for i, first, last in _with_pieces(waves):
        piece = np.searchsorted(waves.start[first:last], u, side="left" if before else "right") - 1
        piece = np.maximum(piece, 0) + first
        value[:, i] += waves.level[piece] + waves.slope[piece] * (u - waves.start[piece])
        if slope is not None:
            slope[:, i] += waves.slope[piece]


def at_edges(waves: Waveforms, segments: int) -> Array:
    """Values (segments + 1, n) at the edges of equal segments of a period.

    The first are those with which a trajectory begins, the last those at the end of a period.
    """
    edges = values(waves, np.arange(segments + 1) / segments, before=True)
    if not len(waves.start):
        edges[-1] = edges[0]
        return edges
    has = np.diff(waves.first) > 0
    cosines = values(without_pieces(waves), np.zeros(1))[0]
    edges[0] = cosines + np.where(has, waves.opening, 0.0)
    edges[-1] = cosines + np.where(has, waves.closing, 0.0)
    return edges


def averages(waves: Waveforms, edges: Array) -> Array:
    """Averages (t, n) of the pieces alone between phases edges (t + 1,)."""
    mean = np.zeros((len(edges) - 1, len(waves.offset)))
    for i, first, last in _with_pieces(waves):
        parts = (waves.start, waves.level, waves.slope)
        start, level, slope = (part[first:last] for part in parts)
        width = np.diff(np.append(start, 1.0))
        done = np.append(0.0, np.cumsum(width * (level + 0.5 * slope * width)))
        piece = np.searchsorted(start, edges, side="right") - 1
        inside = edges - start[piece]
        total = done[piece] + inside * (level[piece] + 0.5 * slope[piece] * inside)
        mean[:, i] = np.diff(total) / np.diff(edges)
    return mean


def means(waves: Waveforms) -> Array:
    """Averages (n,) over the period."""
    return waves.offset + averages(waves, np.array([0.0, 1.0]))[0]


def joined(*several: Waveforms) -> Waveforms:
    """Waveforms one after the other."""
    several = tuple(waves for waves in several if len(waves.offset)) or several[:1]
    if len(several) == 1:
        return several[0]
    width = max(waves.order.shape[1] for waves in several)

    def wide(waves: Waveforms, name: str) -> NDArray:
        array: NDArray = getattr(waves, name)
        return np.pad(array, ((0, 0), (0, width - array.shape[1]))) if array.ndim > 1 else array

    parts = {name: np.concatenate([wide(w, name) for w in several]) for name in OF_ALL}
    parts |= {name: np.concatenate([getattr(w, name) for w in several]) for name in OF_PIECES}
    pieces = np.concatenate([np.diff(w.first) for w in several])
    parts["first"] = np.cumsum([0, *pieces], dtype=np.int64)
    return Waveforms(**parts)


def ranges(waves: Waveforms) -> Array:
    """Half of what each waveform (n,) covers in a period."""
    low, high = bounds(waves)
    return np.where(high - low > SAME * (abs(low) + abs(high)), 0.5 * (high - low), 0.0)


def speeds(waves: Waveforms) -> Array:
    """Largest derivative (n,) of each waveform by u, jumps aside, at most."""
    speed = 2.0 * math.pi * abs(waves.amplitude * waves.order).sum(axis=1)
    for i, begin, end in _with_pieces(waves):
        speed[i] += abs(waves.slope[begin:end]).max()
    return np.asarray(speed)


def phases_of_breaks(*several: Waveforms) -> list[float]:
    """Phases, 0 and 1 among them, between which all waveforms are smooth."""
    return sorted({0.0, 1.0, *(u for waves in several for u in waves.start.tolist())})


def jumps(waves: Waveforms) -> tuple[Array, Array]:
    """Phases (j,) at which something jumps, and by how much (j, n), after edges between rows.

    The jump at 0 is that from the end of a period to the beginning of the next; jumps listed at 1
    are at the phase 1.
    """
    by: dict[float, Array] = {}
    for i, first, last_piece in _with_pieces(waves):
        parts = (waves.start, waves.level, waves.end)
        start, level, end = (part[first:last_piece] for part in parts)
        before = np.append(waves.closing[i], end[:-1])
        last = (1.0, waves.closing[i] - end[-1])
        for u, jump in [*zip(start.tolist(), level - before, strict=True), last]:
            if jump != 0.0:
                by.setdefault(u, np.zeros(len(waves.offset)))[i] = jump
    phases = sorted(by)
    sizes = np.zeros((len(phases), len(waves.offset)))
    for k, u in enumerate(phases):
        sizes[k] = by[u]
    return np.array(phases), sizes


@compiled
def value(waves: Waveforms, i: int, u: float) -> float:
    """Value of waveform i at the phase u, in compiled code."""
    result = waves.offset[i]
    for k in range(waves.order.shape[1]):
        angle = 2.0 * math.pi * waves.order[i, k] * u
        result += waves.amplitude[i, k] * math.cos(angle + waves.phase[i, k])
    if waves.first[i] < waves.first[i + 1]:
        starts = waves.start[waves.first[i] : waves.first[i + 1]]
        piece = waves.first[i] + max(np.searchsorted(starts, u, side="right") - 1, 0)
        result += waves.level[piece] + waves.slope[piece] * (u - waves.start[piece])
    return result


# -- time reversed ---------------------------------------------------------------------------------


def is_constant(waves: Waveforms) -> bool:
    """Whether nothing changes in the course of a period."""
    return not waves.amplitude.any() and not waves.slope.any() and not len(jumps(waves)[0])


def is_even(waves: Waveforms, u: float) -> bool:
    """Whether all waveforms are the same forwards and backwards in time from the phase u."""
    turned = np.sin(2.0 * math.pi * waves.order * u + waves.phase)
    if (abs(turned) >= SAME).any(where=waves.amplitude != 0.0):
        return False
    # Between the breaks and their images in the mirror pieces are linear: two points tell.
    breaks_ = np.unique(np.append(waves.start, (2.0 * u - waves.start) % 1.0))
    widths = np.diff(np.append(breaks_, 1.0 + breaks_[:1]))
    at = (breaks_ + np.multiply.outer([0.25, 0.75], widths)).ravel()
    one, other = (_pieces_at(waves, x % 1.0) for x in (at, 2.0 * u - at))
    scale = abs(waves.level).max(initial=0.0)
    return bool((abs(one - other) <= SAME * scale).all())


def _pieces_at(waves: Waveforms, u: Array) -> Array:
    value = np.zeros((len(u), len(waves.offset)))
    _add_pieces(waves, u, False, value, None)
    return value


def likely_mirrors(waves: Waveforms) -> Array:
    """Phases among which there is one about which all waveforms are even, if there is any."""
    at = np.argwhere(waves.amplitude != 0.0)
    if len(at):
        i, k = min(at, key=lambda place: waves.order[tuple(place)])
        order, phase = waves.order[i, k], waves.phase[i, k]
        return np.asarray((np.arange(2 * order) / 2.0 - phase / (2.0 * math.pi)) / order)
    for i in range(len(waves.offset)):
        span = slice(waves.first[i], waves.first[i + 1])
        slope, level = waves.slope[span], waves.level[span]
        before = np.append(waves.end[span][-1:], waves.end[span][:-1])
        broken = waves.start[span][(level != before) | (slope != np.roll(slope, 1))]
        if len(broken):
            # The mirror takes the first break to some break.
            middles = 0.5 * (broken[0] + broken)
            return np.concatenate([middles, middles + 0.5])
    return np.zeros(1)
