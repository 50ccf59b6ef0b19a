"""Waveforms as the spin kernels evaluate them: times are parts of a segment."""

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from trajsim.compiled.elementary import cosine
from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import bits_of, read
from trajsim.models.spins import SpinNetwork
from trajsim.models.waveform import Waveforms
from trajsim.plan import Plan

# Cells of the period in which pieces of waveforms are looked up: at most, and as many for each.
MOST_CELLS, CELLS_EACH = 1 << 16, 4
# Added to a number below 2**51, it leaves the nearest integer in the last bits of the sum.
COUNT, COUNT_BITS = 1.5 * 2.0**52, np.uint64(0x4338000000000000)
# Numbers after the end of a table, so that 8 can be read from any place.
PADDING = 8


class Pieces(NamedTuple):
    """Pieces of waveforms in p places, found by the cell of the period.

    cells (1,) in a segment; stride, from the first cell of one place to that of the next;
    first (p * stride,), the piece at the beginning of each cell, as the bits of an integer;
    start, level, slope (pieces,), where each begins, its value there, its rise in a segment.
    """

    cells: NDArray[np.float64]
    stride: int
    first: NDArray[np.float64]
    start: NDArray[np.float64]
    level: NDArray[np.float64]
    slope: NDArray[np.float64]


class Waves(NamedTuple):
    """Waveforms in p places, of which the first are in use.

    harmonics, most : k and q zeros, q pieces that may begin within a cell at most: the lengths of
        tuples are known when a kernel is compiled
    offset (p,), the constant part; turning (k,), turns of each harmonic in a segment;
    amplitude, turns (k * p,), those of each harmonic, with its phase in whole turns
    """

    harmonics: tuple[int, ...]
    most: tuple[int, ...]
    offset: NDArray[np.float64]
    turning: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    turns: NDArray[np.float64]
    pieces: Pieces


def waves_of(waveforms: Waveforms, plan: Plan, p: int) -> Waves:
    """Waveforms in p places; the k harmonics are those that some of them has."""
    n = len(waveforms.offset)
    orders = np.unique(waveforms.order[waveforms.amplitude != 0.0])
    amplitude, turns = np.zeros((len(orders), p)), np.zeros((len(orders), p))
    for q, order in enumerate(orders):
        # Two harmonics of one order at one place are one.
        waves = waveforms.amplitude * np.exp(1j * waveforms.phase)
        terms = np.where(waveforms.order == order, waves, 0.0)
        amplitude[q, :n] = np.abs(terms.sum(axis=1))
        turns[q, :n] = np.angle(terms.sum(axis=1)) / (2.0 * np.pi)
    pieces, most = _pieces_of(waveforms, plan.rows_per_period, p)
    return Waves(
        harmonics=(0,) * len(orders),
        most=(0,) * most,
        offset=padded(np.pad(waveforms.offset, (0, p - n))),
        turning=padded(orders / plan.rows_per_period),
        amplitude=padded(amplitude),
        turns=padded(turns),
        pieces=pieces,
    )


def places_for(count: int) -> int:
    """Places of a table for so many entries: a power of two from 2 on, as look-ups need it."""
    return max(2, 1 << max(count - 1, 0).bit_length())


def padded(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """A table in one dimension, from any place of which 8 numbers can be read."""
    return np.pad(table.ravel(), (0, PADDING))


def _pieces_of(waveforms: Waveforms, segments: int, p: int) -> tuple[Pieces, int]:
    """Pieces of n waveforms in p places, and how many may begin within a cell; 0 without any."""
    spans = [slice(*waveforms.first[i : i + 2]) for i in range(len(waveforms.offset))]
    starts = [waveforms.start[span] for span in spans]
    most, cells = 0, 1
    for start in starts:
        while len(start):
            within = np.bincount(np.ceil(start[1:] * cells).astype(int), minlength=1).max()
            if within <= 1 or cells >= min(MOST_CELLS, CELLS_EACH * len(start)):
                most = max(most, within, 1)
                break
            cells *= 2
    first, edges = np.zeros((p, cells + 1), np.uint64), np.arange(cells + 1) / cells
    # Places without pieces have one that is 0; after the last piece of a place none begins.
    end = np.array([[np.inf, 0.0, 0.0]])
    table, count = [np.zeros((1, 3)), end], 2
    for i, span in enumerate(spans):
        if len(starts[i]):
            first[i] = count + np.searchsorted(starts[i], edges, side="right") - 1
            each = (starts[i] * segments, waveforms.level[span], waveforms.slope[span] / segments)
            table += [np.stack(each, axis=1), end]
            count += len(starts[i]) + 1
    start, level, slope = np.concatenate(table).T.copy()
    scale = np.array([cells / segments])
    return Pieces(scale, cells + 1, first.ravel().view(np.float64), start, level, slope), int(most)


@compiled(inline=True)
def wave_at(waves, p, i, elapsed):
    """Value of the waveform in place i of p when so many segments of the period have elapsed."""
    value = read(waves.offset, i)
    for q in range(len(waves.harmonics)):
        turns = read(waves.turning, q) * elapsed + read(waves.turns, q * p + i)
        value += read(waves.amplitude, q * p + i) * cosine(turns)
    return _with_pieces(waves, i, elapsed, value)


def _with_pieces(waves, i, elapsed, value):
    """A value with the pieces of waveform i added; nothing is compiled for them without any."""


# Called, not inlined: within another loop numba takes its variables for undefined ones.
@overload(_with_pieces)
def _add_pieces(waves, i, elapsed, value):
    if length_of(waves, "most") == 0:
        return lambda waves, i, elapsed, value: value

    def add(waves, i, elapsed, value):
        pieces = waves.pieces
        cell = np.int64(bits_of(elapsed * read(pieces.cells, 0) - 0.5 + COUNT) - COUNT_BITS)
        piece = np.int64(bits_of(read(pieces.first, i * pieces.stride + cell)))
        for _ in range(len(waves.most)):
            piece += elapsed >= read(pieces.start, piece + 1)
        inside = elapsed - read(pieces.start, piece)
        return value + (read(pieces.level, piece) + read(pieces.slope, piece) * inside)

    return add


def length_of(kind: Any, *names: str) -> int:
    """Length of a tuple that is a part (of a part) of tuples of this numba type."""
    for name in names:
        kind = kind.types[kind.fields.index(name)]
    return int(kind.count)


def per_segment(network: SpinNetwork, plan: Plan) -> NamedTuple:
    """The rate law with the segment as its unit of time."""
    law = network.law
    return law._replace(rate=law.rate * network.period / plan.rows_per_period)
