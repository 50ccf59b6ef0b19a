"""The master equation of any system that jumps between a few states at rates that change in time.

What a model from outside needs of an exact side, if it can list its states: their rates and gains
at any instant of the period. Steps are fourth-order Magnus steps (Blanes & Moan, Appl. Numer. Math.
56, 1519, 2006) of P and the gains together, halved until they agree.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np

from trajsim.exact.ensemble import Array, Currents, Gains, NoExactSideError
from trajsim.exact.finite import FiniteStates

# Where a step looks at the rates: Gauss's two points.
POINTS = 0.5 - np.sqrt(3.0) / 6.0, 0.5 + np.sqrt(3.0) / 6.0
MOST_STEPS = 1 << 16


class JumpEnsemble(FiniteStates):
    """Exact ensemble of a system of a few states.

    Parameters
    ----------
    at : called with the fraction of the period that is over, returns W (n, n), whose columns sum to
        zero, and the gains (g, n) of each state, both per unit time: heats, works, exclusive works
        and flips
    period : of the drive
    baths, drives, sites : numbers of them; g = baths + 2 drives + sites
    tolerance : relative, of what is carried through a part of the period

    Raises
    ------
    NoExactSideError
        If too many steps are needed.
    """

    def __init__(
        self,
        at: Callable[[float], tuple[Array, Array]],
        period: float,
        baths: int,
        drives: int,
        sites: int,
        tolerance: float = 1e-9,
    ) -> None:
        self._at, self.period, self._tolerance = at, period, tolerance
        self.states, self.width = len(at(0.0)[0]), baths + 2 * drives + sites
        self._splits = np.cumsum([baths, drives, drives])
        self._known: dict[tuple[int, int], Array] = {}

    def carry(self, p: Array, segment: int = 0, segments: int = 1) -> tuple[Array, Array]:
        """As of `FiniteStates`."""
        if (segment, segments) not in self._known:
            self._known[segment, segments] = self._solved(segment / segments, 1 / segments)
        done = p @ self._known[segment, segments].T
        return done[..., : self.states], done[..., self.states :]

    def gains_of(self, totals: Array) -> Gains:
        """As of `FiniteStates`."""
        return Gains(*np.split(totals, self._splits, axis=-1))

    @cached_property
    def periodic_state(self) -> Array:
        """P (n,) at the beginning of the period that returns to itself after one.

        Raises
        ------
        NoExactSideError
            If it is not unique.
        """
        rest = self.propagator - np.eye(self.states)
        if np.linalg.svd(rest, compute_uv=False)[-2] < 1e-12:
            raise NoExactSideError("the periodic state is not unique")
        # The last equation follows from the others; in its place: probabilities sum to 1.
        rest[-1] = 1.0
        return np.asarray(np.linalg.solve(rest, np.eye(self.states)[-1]))

    @property
    def currents(self) -> Currents:
        """Period-averaged rates in the periodic state."""
        rates = self.carry(self.periodic_state)[1] / self.period
        error = np.maximum(self._tolerance * np.abs(rates), 1e-14 * np.abs(rates).max())
        return Currents(self.gains_of(rates), self.gains_of(error))

    def _solved(self, begin: float, width: float) -> Array:
        """What a part of the period makes of P: propagator and gains, (n + g, n)."""
        leaving = max(-np.diag(self._at(begin + k / 16 * width)[0]).min() for k in range(17))
        steps = 4 * int(np.ceil(max(1.0, leaving * width * self.period / 4)))
        before = self._stepped(begin, width, steps)
        while steps <= MOST_STEPS:
            steps *= 2
            found = self._stepped(begin, width, steps)
            # Each gain beside the largest of its kind.
            scale = np.maximum(np.abs(found).max(axis=1, keepdims=True), 1e-300)
            if (np.abs(found - before) / scale).max() < self._tolerance:
                return found
            before = found
        raise NoExactSideError(f"the master equation needs more than {MOST_STEPS} steps a period")

    def _stepped(self, begin: float, width: float, steps: int) -> Array:
        dt = width / steps
        at = begin + dt * np.arange(steps)
        one, two = (
            np.array([self._both(x + point * dt) for x in at]) * (dt * self.period)
            for point in POINTS
        )
        exponents = (one + two) / 2 - np.sqrt(3.0) / 12.0 * (one @ two - two @ one)
        matrices = _exponentials(exponents)
        while len(matrices) > 1:
            # Later steps stand to the left; an odd one waits for the next round.
            pairs = matrices[1::2] @ matrices[: len(matrices) // 2 * 2 : 2]
            matrices = np.concatenate([pairs, matrices[2 * len(pairs) :]])
        return np.asarray(matrices[0, :, : self.states])

    def _both(self, fraction: float) -> Array:
        """Generator of P and its gains together."""
        rates, gains = self._at(fraction)
        both = np.zeros((self.states + self.width,) * 2)
        both[: self.states, : self.states] = rates
        both[self.states :, : self.states] = gains
        return both


def _exponentials(exponents: Array) -> Array:
    """Exponentials of matrices (k, m, m), by scaling, Taylor's series and squaring."""
    norm = np.abs(exponents).sum(axis=1).max()
    halvings = max(0, int(np.ceil(np.log2(max(norm, 1e-300) / 0.25))))
    scaled = exponents / 2**halvings
    found = term = np.broadcast_to(np.eye(scaled.shape[-1]), scaled.shape)
    # 0.25**13 / 13! is below 1e-17.
    for order in range(1, 13):
        term = term @ scaled / order
        found = found + term
    for _ in range(halvings):
        found = found @ found
    return found
