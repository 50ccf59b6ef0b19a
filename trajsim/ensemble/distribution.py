"""Distributions from their characteristic functions: densities, atoms, probabilities of bins.

A window [low, high] holds all but some 1e-13 of the probability on either side (Chernoff's bound,
P(A > x) <= <exp(g A)> exp(-g x) for any g > 0). Within it the density is a Fourier series whose
coefficients are the characteristic function at multiples of 2 pi / (high - low). The only errors
are the probability outside the window and the truncation of the series.

Where few flips happen the density has integrable peaks without bound, and the coefficients fall
slowly: cut off, they would ring everywhere. Damped by a smooth factor that is flat at first
(Vandeven, J. Sci. Comput. 6, 159, 1991) they ring near the peaks alone, and tails between and
beyond them are known to many digits.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trajsim.ensemble.answers import Array

Complex = NDArray[np.complex128]

# log of the probability that may lie beyond either end of the window.
OUTSIDE = -30.0
FEWEST_FREQUENCIES, MOST_FREQUENCIES = 64, 1 << 12
# Points at which the distribution with half the frequencies is compared with that of all.
COMPARED = 512
# Weight of an atom below which it is taken for rounding.
LIGHTEST = 1e-10
# Coefficients fall slowly where the last quarter is not below so much of the second; then they are
# damped by exp(-STRENGTH (k / f)^ORDER).
SLOW, STRENGTH, ORDER = 0.03, 36.0, 6
# Numbers in a table of exponentials.
BLOCK = 1 << 22


@dataclass(frozen=True)
class Atoms:
    """Values that A takes with a probability of their own: (m,) each, ascending."""

    positions: Array
    weights: Array


@dataclass(frozen=True)
class Distribution:
    """Distribution of A: a density, and atoms beside it.

    Attributes
    ----------
    points, density : (k,) each; the density, per unit of A, is that of all but the atoms
    positions, weights : (m,) each, values of A with a probability of their own
    error : estimated largest error of the density: what the last half of the coefficients changes;
        peaks without bound have errors without bound
    low, high : ends of the window that holds all but 1e-13 on either side
    coefficients : (f,) complex, characteristic function of the density at 2 pi k / (high - low)
    """

    points: Array
    density: Array
    positions: Array
    weights: Array
    error: float
    low: float
    high: float
    coefficients: Complex

    def density_at(self, x: ArrayLike) -> Array:
        """Density (k,) at x (k,), 0 outside the window."""
        x = np.asarray(x, np.float64)
        inside = (x >= self.low) & (x <= self.high)
        return np.where(inside, self._sum(x, self._damped), 0.0)

    def probabilities(self, edges: ArrayLike) -> Array:
        """Probability (bins,) of each bin between edges (bins + 1,), exactly integrated.

        An atom on an edge belongs to the bin on its right; on the last edge, to the last bin, as
        in `numpy.histogram`. Edges may be infinite.
        """
        edges = np.asarray(edges, np.float64)
        atom_weights = np.histogram(self.positions, edges, weights=self.weights)[0]
        return np.asarray(np.diff(self._below(edges)) + atom_weights, np.float64)

    def probability_errors(self, edges: ArrayLike) -> Array:
        """Estimated errors of `probabilities` (bins,): what half the coefficients change."""
        change = self.probabilities(edges) - self.halved().probabilities(edges)
        return np.asarray(abs(change) + 2 * math.exp(OUTSIDE), np.float64)

    def halved(self) -> "Distribution":
        """The same with half the coefficients."""
        half = self.coefficients[: len(self.coefficients) // 2 + 1]
        return replace(self, coefficients=half)

    def cumulative(self, x: ArrayLike) -> Array:
        """P(A <= x), (k,)."""
        x = np.atleast_1d(np.asarray(x, np.float64))
        below = np.concatenate([[0.0], np.cumsum(self.weights)])
        return self._below(x) + below[np.searchsorted(self.positions, x, side="right")]

    @property
    def _length(self) -> float:
        return self.high - self.low

    @property
    def _damped(self) -> Complex:
        """Coefficients as they are added up: damped where they fall slowly."""
        c, count = self.coefficients, len(self.coefficients)
        magnitudes = abs(c)
        end = magnitudes[3 * count // 4 :].max(initial=0.0)
        if end <= SLOW * magnitudes[count // 4 : count // 2].max(initial=0.0):
            return c
        return np.asarray(c * np.exp(-STRENGTH * (np.arange(count) / count) ** ORDER))

    def _below(self, x: Array) -> Array:
        """Integral (k,) of the density up to x (k,)."""
        x = np.clip(x, self.low, self.high)
        if len(self.coefficients) == 0:
            return np.zeros_like(x)
        k = np.arange(1, len(self.coefficients))
        frequencies = 2 * np.pi / self._length * k
        integrated = np.append(0.0, self._damped[1:] * 1j / frequencies)
        oscillating = self._sum(x, integrated) - self._sum(np.array([self.low]), integrated)
        linear = self.coefficients[0].real / self._length * (x - self.low)
        return np.asarray(linear + oscillating, np.float64)

    def _sum(self, x: Array, coefficients: Complex) -> Array:
        """Real part of sum_k c_k exp(-2 pi i k x / L) / L, each k > 0 twice."""
        out = np.zeros(x.shape)
        weights = coefficients * np.where(np.arange(len(coefficients)) > 0, 2.0, 1.0)
        batch = max(1, BLOCK // max(1, len(coefficients)))
        exponents = -2j * np.pi / self._length * np.arange(len(coefficients))
        for begin in range(0, len(x), batch):
            part = slice(begin, begin + batch)
            out[part] = (np.exp(np.multiply.outer(x[part], exponents)) @ weights).real
        return out / self._length


def window(log_average: Callable[[float], float], deviation: float) -> tuple[float, float]:
    """Ends of an interval with all but exp(OUTSIDE) of the probability, from log <exp(g A)>."""
    ends = []
    for sign in (-1.0, 1.0):
        nearest = math.inf
        for scale in np.geomspace(0.5, 32.0, 13):
            g = sign * scale / deviation
            bound = (log_average(g) - OUTSIDE) / abs(g)
            # Chernoff's bound tightens up to the best g, and then loosens again.
            if not bound < nearest:
                break
            nearest = bound
        ends.append(sign * nearest)
    return ends[0], ends[1]


def invert(
    characteristic: Callable[[Array], Complex],
    ends: tuple[float, float],
    atoms: Atoms,
    spacing: float,
    tolerance: float,
    grid: ArrayLike | None = None,
    more: Callable[[], bool] = lambda: True,
) -> Distribution:
    """Distribution from <exp(i w A)> at any w (f,), within a window.

    Parameters
    ----------
    characteristic : characteristic function of A, atoms included
    ends : of the window
    atoms : values of A with a probability of their own
    spacing : finest structure of A to resolve, such as the spacing of peaks; 0 for none
    tolerance : of the cumulative distribution, judged by its change on halving the coefficients
    grid : points at which to give the density; default: 8 for each of the finest waves
    more : tells whether there is time to compute twice as many coefficients
    """
    low, high = ends
    length = high - low
    fewest = FEWEST_FREQUENCIES
    if spacing > 0:
        # Two revivals of the characteristic function, so that a gap is not taken for its decay.
        fewest = max(fewest, math.ceil(2 * length / spacing))
    coefficients = np.zeros(0, np.complex128)
    count = min(fewest, MOST_FREQUENCIES)
    test_points = np.linspace(low, high, COMPARED)
    result = Distribution(
        np.zeros(0), np.zeros(0), atoms.positions, atoms.weights, 0.0, low, high, coefficients
    )
    while True:
        k = np.arange(len(coefficients), count + 1)
        w = np.asarray(2 * np.pi / length * k, np.float64)
        of_atoms = np.exp(1j * np.multiply.outer(w, atoms.positions)) @ atoms.weights
        coefficients = np.append(coefficients, characteristic(w) - of_atoms)
        result = replace(result, coefficients=coefficients)
        halved = result.halved()
        change = float(abs(result.cumulative(test_points) - halved.cumulative(test_points)).max())
        if change <= tolerance or count >= MOST_FREQUENCIES or not more():
            break
        count = min(2 * count, MOST_FREQUENCIES)
    error = float(abs(result.density_at(test_points) - halved.density_at(test_points)).max())
    points = np.linspace(low, high, 4 * count + 1) if grid is None else np.asarray(grid, float)
    return replace(result, points=points, density=result.density_at(points), error=error)


def only_atoms(atoms: Atoms, ends: tuple[float, float], grid: ArrayLike | None) -> Distribution:
    """Distribution that consists of atoms alone; its density is 0."""
    points = np.array(ends if grid is None else grid, np.float64)
    no_coefficients = np.zeros(0, np.complex128)
    return Distribution(
        points, np.zeros_like(points), atoms.positions, atoms.weights, 0.0, *ends, no_coefficients
    )


def lattice(steps: Array) -> float | None:
    """Greatest common divisor of real steps; None if it is below a thousandth of the largest."""
    unit, largest = 0.0, float(abs(steps).max(initial=0.0))
    for step in abs(steps):
        a, b = unit, float(step)
        while b > 1e-9 * largest:
            a, b = b, a - b * round(a / b)
            b = abs(b)
        unit = a
    return unit if unit > 1e-3 * largest or largest == 0.0 else None


def atoms_on(
    unit: float, ends: tuple[float, float], characteristic: Callable[[Array], Complex]
) -> Atoms:
    """Atoms at the multiples of `unit` within a window, from their characteristic function."""
    first, last = math.floor(ends[0] / unit), math.ceil(ends[1] / unit)
    size = last - first + 1
    w = np.asarray(2 * np.pi / (size * unit) * np.arange(size // 2 + 1), np.float64)
    values = characteristic(w)
    # The transform of numpy counts positions from 0, those here begin at `first`.
    shifted = values * np.exp(-2j * np.pi * np.arange(size // 2 + 1) * first / size)
    weights = np.asarray(np.fft.irfft(shifted.conj(), size), np.float64)
    kept = weights > LIGHTEST
    positions = np.arange(first, last + 1, dtype=np.float64) * unit
    return Atoms(positions[kept], weights[kept])
