"""Detailed theorems: a run against one of the reversed protocol.

P_F(x, X) / P_R(-x, -X) = exp(x), with X any other heats and works. With f = 1 / (1 + exp(x))
and any h, <f(x) h(x, X)>_F = <f(x) h(-x, -X)>_R: means of bounded weights, which no rare
trajectory dominates (Bennett, J. Comput. Phys. 22, 245 (1976)).

Crooks, Phys. Rev. E 60, 2721 (1999): x = W / T between equilibria. Exchange symmetry: x = -sum
Q / T between uniform distributions (Jarzynski & Wojcik, Phys. Rev. Lett. 92, 230602 (2004)).
"""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.estimate import Estimate
from trajsim.analysis.moments import Moments
from trajsim.analysis.theorems.integral import FEWEST, accumulated
from trajsim.analysis.theorems.setting import (
    Columns,
    Outcome,
    Prediction,
    Setting,
    durations,
    entropy_flow,
    span,
)
from trajsim.analysis.windows import entries, observables
from trajsim.ledger import Layout

Array = NDArray[np.float64]
# x (m,) from columns, and whether they are of the reversed run.
Exponent = Callable[[Columns, bool], Array]

# Bins of |x|, and trajectories from which they are chosen.
BINS, PILOT = 8, 4096


class Detailed:
    """A theorem on a run and the run of its reversed protocol, over one number of rows.

    Parameters
    ----------
    rows : number of the first rows that count
    exponent : x (m,) from columns, and whether they are of the reversed run
    labels : of the other heats and works
    symmetric : whether the protocol is its own reverse, so that the run is compared with itself
    """

    def __init__(self, rows: int, exponent: Exponent, labels: list[str], symmetric: bool) -> None:
        self.rows, self._exponent, self._labels, self._symmetric = rows, exponent, labels, symmetric
        self._edges: Array | None = None
        self._difference, self._sides = Moments(), [Moments(), Moments()]
        # Sizes of the weights and their squares, for the effective sample size.
        self._sizes = [Moments(), Moments()]

    def add(self, columns: Columns, backward: bool) -> None:
        """Add trajectories of the run, or of the reversed one."""
        x = self._exponent(columns, backward)
        others = entries(columns)[:, : self.rows].sum(axis=1)[:, : len(self._labels)]
        if self._edges is None:
            self._edges = _edges(np.abs(x[:PILOT]))
        forward, reverse = self._tests(x, others)
        if self._symmetric:
            self._difference.add(forward - reverse)
            self._accumulate(0, forward)
            self._accumulate(1, reverse)
        else:
            self._accumulate(int(backward), reverse if backward else forward)

    def _accumulate(self, side: int, weights: Array) -> None:
        self._sides[side].add(weights)
        self._sizes[side].add(np.stack([np.abs(weights), weights**2], axis=1))

    def _tests(self, x: Array, others: Array) -> tuple[Array, Array]:
        """f h(x, X) and f h(-x, -X), (m, tests) each, for every test h."""
        assert self._edges is not None
        with np.errstate(over="ignore"):
            f = 1.0 / (1.0 + np.exp(np.clip(x, -700.0, 700.0)))
        bins = np.searchsorted(self._edges, np.abs(x))
        inside = bins[:, None] == np.arange(len(self._edges) + 1)
        up, down = inside & (x > 0)[:, None], inside & (x < 0)[:, None]
        # The middle bin has both signs of x, which may be zero.
        even = inside[:, :1]
        odd = f[:, None] * others
        positive = np.concatenate([even, up[:, 1:], down[:, 1:]], axis=1) * f[:, None]
        negative = np.concatenate([even, down[:, 1:], up[:, 1:]], axis=1) * f[:, None]
        return np.concatenate([positive, odd], axis=1), np.concatenate([negative, -odd], axis=1)

    def estimates(self, duration: str) -> list[Prediction]:
        """Each test: its mean in the run, and in the reversed one."""
        run, mirror = self._sides
        if run.count < 2 or mirror.count < 2 or self._edges is None:
            return []
        error = self._difference.stderr if self._symmetric else np.hypot(run.stderr, mirror.stderr)
        effective = np.minimum(*(_effective(sizes) for sizes in self._sizes))
        predictions = []
        for k, name in enumerate(self._test_names()):
            size = float(effective[k])
            predictions.append(
                Prediction(
                    f"{name} {duration}",
                    Estimate(float(run.mean[k]), float(error[k])),
                    float(mirror.mean[k]),
                    size,
                    size >= FEWEST and bool(error[k] > 0),
                    needed=FEWEST,
                )
            )
        return predictions

    def _test_names(self) -> list[str]:
        assert self._edges is not None
        edges = [0.0, *map(float, self._edges), math.inf]
        outer = list(pairwise(edges))[1:]
        bins = [f"{a:.3g} < x < {b:.3g}" for a, b in outer]
        negative = [f"{-b:.3g} < x < {-a:.3g}" for a, b in outer]
        first = [f"|x| < {edges[1]:.3g}"]
        return [*first, *bins, *negative, *(f"mean of {name}" for name in self._labels)]


def _effective(sizes: Moments) -> Array:
    """Kish's effective size of weights of which the mean size and square are known."""
    mean, square = sizes.mean
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(sizes.count * mean**2 / square)


def _edges(size: Array) -> Array:
    """Edges of bins of |x| at quantiles, in gaps between values where these repeat."""
    values = np.unique(size)
    distinct = np.append(True, np.diff(values) > 1e-9 * max(1.0, float(values[-1])))
    values = values[distinct]
    quantiles = np.quantile(size, np.arange(1, BINS) / BINS)
    index = np.unique(np.clip(np.searchsorted(values, quantiles), 1, max(1, len(values) - 1)))
    if len(values) < 2:
        return np.array([values[0] + 1.0])
    return np.asarray((values[index] + values[index - 1]) / 2)


class Reversal:
    """A detailed theorem at several durations.

    Parameters
    ----------
    name, statement, refusal : as in Outcome
    parts : one Detailed for each duration, and the names of these
    """

    def __init__(
        self,
        name: str,
        statement: str,
        refusal: str | None,
        parts: list[Detailed],
        names: list[str],
        columns: list[str],
    ) -> None:
        self.name, self.statement, self.refusal = name, statement, refusal
        self.columns = columns
        self._parts, self._names = parts, names

    def add(self, columns: Columns) -> None:
        """Add trajectories of the run."""
        for part in self._parts:
            part.add(columns, backward=False)

    def add_reversed(self, columns: Columns) -> None:
        """Add trajectories of the reversed run."""
        for part in self._parts:
            part.add(columns, backward=True)

    def outcome(self) -> Outcome:
        """Result of the test, from all trajectories so far."""
        if self.refusal:
            return Outcome(self.name, self.statement, self.refusal)
        pairs = zip(self._parts, self._names, strict=True)
        predictions = [e for part, name in pairs for e in part.estimates(name)]
        return Outcome(self.name, self.statement, None, predictions)


NO_REVERSE = (
    "the protocol is not its own reverse, and no run of the reversed one was given "
    "(trajsim run --reverse, then analyze --reversed)"
)


def _no_partner(setting: Setting, partner: Setting | None) -> str | None:
    """Why there is no run to compare with; None if there is one."""
    if partner is None:
        return None if setting.own_reverse else NO_REVERSE
    if partner.direction == setting.direction and not setting.own_reverse:
        return f"both runs are {setting.direction} ones"
    return None


def crooks(
    setting: Setting, partner: Setting | None, layout: Layout, point: int, rows: int
) -> Reversal:
    """P_F(W) / P_R(-W) = exp(W / T) over whole periods between equilibria.

    Parameters
    ----------
    setting, partner : of the run, and of that of the reversed protocol; None without one
    layout, point : of the run
    rows : number of the first rows to use
    """
    refusal = setting.not_canonical() or (None if setting.driven else "nothing is driven")
    refusal = refusal or setting.not_free_energy() or _no_partner(setting, partner)
    if partner is not None and refusal is None and partner.not_canonical():
        refusal = f"the reversed run: {partner.not_canonical()}"
    beta = 1.0 / float(setting.temperatures[0])

    delta_f = setting.delta_f or 0.0

    def exponent(rows_of: int) -> Exponent:
        def of(columns: Columns, backward: bool) -> Array:
            work = accumulated(columns["work"].sum(axis=2), [rows_of])[:, 0]
            return np.asarray(beta * (work + delta_f if backward else work - delta_f))

        return of

    return _reversal(
        "crooks",
        f"P_F(W)/P_R(-W) = exp((W - dF)/T) over whole periods, where dF = {delta_f:.6g}",
        refusal,
        exponent,
        partner is None,
        (layout, point, rows),
    )


def exchange(
    setting: Setting, partner: Setting | None, layout: Layout, point: int, rows: int
) -> Reversal:
    """P_F(Q) / P_R(-Q) = exp(-sum Q / T) over whole periods between uniform distributions.

    Parameters
    ----------
    setting, partner : of the run, and of that of the reversed protocol; None without one
    layout, point : of the run
    rows : number of the first rows to use
    """
    refusal = setting.not_uniform() or _no_partner(setting, partner)
    if partner is not None and refusal is None and partner.not_uniform():
        refusal = f"the reversed run: {partner.not_uniform()}"

    def exponent(rows_of: int) -> Exponent:
        return lambda columns, _: -accumulated(entropy_flow(setting, columns), [rows_of])[:, 0]

    return _reversal(
        "exchange",
        "P_F(Q, W)/P_R(-Q, -W) = exp(-sum Q/T) over whole periods from uniform starts",
        refusal,
        exponent,
        partner is None,
        (layout, point, rows),
    )


def _reversal(
    name: str,
    statement: str,
    refusal: str | None,
    exponent: Callable[[int], Exponent],
    symmetric: bool,
    extent: tuple[Layout, int, int],
) -> Reversal:
    layout, point, rows = extent
    lengths = durations(rows, layout.rows_per_period)
    # The total work is the sum of others: it would be tested twice.
    labels = [o.name for o in observables(layout) if not o.total]
    row = layout.row_periods * layout.periods[point]
    columns = ["heat", "entropy_flow", *(["work"] if layout.labels["drive"] else [])]
    parts = [Detailed(k, exponent(k), labels, symmetric) for k in lengths]
    return Reversal(name, statement, refusal, parts, [span(k, k * row) for k in lengths], columns)
