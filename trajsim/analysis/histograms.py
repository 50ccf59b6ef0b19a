"""Histograms of heat and work, with bins that suit combs of spin heats and smooth densities alike.

Heats of spins lie near multiples of one energy, 2J for a pair, smeared by the field; where
nothing is driven they lie on these multiples, and even a driven spin may not flip at all. Bins are
centred on the multiples of their width, and where there is a comb its spacing is a multiple of
the width: no spike is ever cut by an edge.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.batches import Batches

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

# Bins on either side of the centre; samples beyond are counted as below or above.
HALF = 4096
SPAN = 2 * HALF + 3
MOST_CELLS = 1 << 22
_NONE = np.zeros(0, np.int64)
# Widths in standard deviations: Scott's rule within these limits.
FINEST, COARSEST = 0.05, 0.5
# Bins and padded length for the characteristic function; least revival of a comb, and of spikes.
FINE, PADDED, COMB, LATTICE = 4096, 16384, 0.25, 0.999


def comb(samples: Array) -> float | None:
    """Spacing of a comb near whose teeth samples (n,) lie, an energy; None without a comb.

    It is where <cos(omega x)> of the samples other than zero revives after its first minimum.
    """
    x = samples[samples != 0.0]
    if len(x) == 0:
        return None
    largest = float(np.abs(x).max())
    fine = 2.0 * largest / FINE
    weight = np.bincount(np.rint(x / fine).astype(np.int64) % PADDED, minlength=PADDED)
    correlation = np.fft.rfft(weight).real[: PADDED // 8] / len(x)
    first_rise = int(np.argmax(np.diff(correlation) > 0))
    if first_rise == 0:
        return None
    peak = float(correlation[first_rise:].max())
    if peak < max(COMB, 8.0 / math.sqrt(2.0 * len(x))):
        return None
    index = first_rise + int(np.argmax(correlation[first_rise:] > 0.95 * peak))
    while index + 1 < len(correlation) and correlation[index + 1] > correlation[index]:
        index += 1
    return _refined(x, PADDED * fine / index)


def _refined(x: Array, spacing: float) -> float:
    """Spacing of a comb, refined by least squares over its teeth."""
    for _ in range(3):
        k = np.rint(x / spacing)
        if not np.any(k):
            return spacing
        spacing = float(x @ k / (k @ k))
    return spacing


def bin_width(samples: Array, expected: int) -> float:
    """Width of bins for `expected` samples, from the first of them (n,)."""
    deviation = float(samples.std())
    if not deviation > 1e-9 * float(np.abs(samples).max(initial=0.0)):
        return max(1.0, float(np.abs(samples).max(initial=0.0)))
    scott = 3.49 * max(expected, 1) ** (-1 / 3)
    target = deviation * min(max(scott, FINEST), COARSEST)
    spacing = comb(samples)
    if spacing is None:
        return _round(target)
    if np.cos(2 * np.pi * samples / spacing).mean() < LATTICE and spacing > 1.5 * target:
        return spacing / round(spacing / target)
    # Whole spikes in each bin; an even number would put edges on spikes.
    return spacing * (2 * round((target / spacing - 1) / 2) + 1 if target > spacing else 1)


def _round(width: float) -> float:
    """The next of 1, 2, 5 times a power of ten below."""
    power = float(10.0 ** math.floor(math.log10(width)))
    return max(m * power for m in (1.0, 2.0, 5.0) if m * power <= width * (1 + 1e-9))


@dataclass(frozen=True)
class Histogram:
    """Counts in equal bins.

    Attributes
    ----------
    edges : (bins + 1,) energy
    counts, stderr : (bins,) number of samples and its standard error over batches
    below, above : numbers of samples beyond the bins
    samples : number of all samples
    """

    edges: Array
    counts: Counts
    stderr: Array
    below: int
    above: int
    samples: int

    @property
    def density(self) -> Array:
        """Probability density (bins,), 1 / energy."""
        return np.asarray(self.counts / (self.samples * np.diff(self.edges)))

    @property
    def density_error(self) -> Array:
        """Standard error of the density (bins,)."""
        return np.asarray(self.stderr / (self.samples * np.diff(self.edges)))


class Counter:
    """Counts samples (..., windows) of one observable in bins, batch by batch.

    Parameters
    ----------
    batches : how trajectories are grouped
    width : of the bins
    centre : near the mean of the samples
    """

    def __init__(self, batches: Batches, width: float, centre: float) -> None:
        self.batches, self.width = batches, width
        self.middle = round(centre / width)
        self.counts = np.zeros(SPAN, np.int64)
        self._squares, self._with_size = np.zeros(SPAN), np.zeros(SPAN)
        self._samples = self._batches_closed = 0
        self._sizes = 0.0
        # The unfinished batch: its bins, their counts, number of its samples.
        self._pending = (_NONE, _NONE, _NONE)

    def add(self, first: int, samples: Array) -> None:
        """Add samples (m, windows) of trajectories first ..., in order."""
        if len(samples) == 0:
            return
        batch, starts = self.batches.cut(first, len(samples))
        bins = np.rint(samples / self.width) - (self.middle - HALF - 1)
        bins = np.clip(bins, 0, SPAN - 1).astype(np.int64)
        sizes = np.diff(starts, append=len(samples))
        cells, counts = _tally(np.repeat(batch - batch[0], sizes), bins)
        cells += batch[0] * SPAN
        before, before_counts, before_samples = self._pending
        merged, index = np.unique(np.append(before, cells), return_inverse=True)
        total = np.bincount(index, weights=np.append(before_counts, counts)).astype(np.int64)
        sizes_pending = np.append(before_samples, sizes * samples.shape[1])
        if len(before) and before[0] // SPAN == batch[0]:
            sizes_pending = np.append(sizes_pending[0] + sizes_pending[1], sizes_pending[2:])
        # The last batch may continue in the next slice.
        finished = merged < batch[-1] * SPAN
        self._close(merged[finished], total[finished], sizes_pending[:-1])
        self._pending = (merged[~finished], total[~finished], sizes_pending[-1:])

    def _close(self, cells: Counts, counts: Counts, samples: Counts) -> None:
        """Add finished batches: their bins with counts, and their numbers of samples."""
        bins, batch = cells % SPAN, cells // SPAN
        _, index = np.unique(batch, return_inverse=True)
        np.add.at(self.counts, bins, counts)
        np.add.at(self._squares, bins, counts.astype(np.float64) ** 2)
        np.add.at(self._with_size, bins, counts * samples[index].astype(np.float64))
        self._sizes += float((samples.astype(np.float64) ** 2).sum())
        self._samples += int(samples.sum())
        self._batches_closed += len(samples)

    def histogram(self) -> Histogram:
        """Counts of all samples, from the first bin that is not empty to the last."""
        self._close(*self._pending)
        self._pending = (_NONE, _NONE, _NONE)
        n, groups = self._samples, self._batches_closed
        fraction = self.counts / max(1, n)
        variance = self._squares - 2 * fraction * self._with_size + fraction**2 * self._sizes
        correction = groups / (groups - 1) if groups > 1 else math.nan
        error = np.sqrt(correction * np.maximum(variance, 0.0))
        inner = slice(1, -1)
        occupied = np.flatnonzero(self.counts[inner])
        low, high = (int(occupied[0]), int(occupied[-1]) + 1) if len(occupied) else (HALF, HALF + 1)
        edges = np.asarray(
            (np.arange(low, high + 1) - HALF + self.middle - 0.5) * self.width, float
        )
        return Histogram(
            edges,
            self.counts[inner][low:high],
            error[inner][low:high],
            int(self.counts[0]),
            int(self.counts[-1]),
            n,
        )


def _tally(batch: Counts, bins: Counts) -> tuple[Counts, Counts]:
    """Places owner * SPAN + at that occur, in order, and how often; owner (m,), at (m, windows)."""
    lowest, width = int(bins.min()), int(np.ptp(bins)) + 1
    if (batch[-1] + 1) * width <= MOST_CELLS:
        table = np.bincount((batch[:, None] * width + (bins - lowest)).ravel())
        occupied = np.flatnonzero(table)
        return occupied // width * SPAN + occupied % width + lowest, table[occupied]
    return np.unique(batch[:, None] * SPAN + bins, return_counts=True)
