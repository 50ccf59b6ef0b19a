"""Integral theorems: exponentials of heat or work whose mean is known.

With p0 the true distribution of first states and p1 any normalised one,
<exp(sum_b Q_b / T_b) p1(x_end) / p0(x_start)> = 1 for every protocol, duration and temperatures
(Seifert, Rep. Prog. Phys. 75, 126001 (2012), Eqs. 60 and 80; Q is positive from the bath).
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.estimate import Estimate
from trajsim.analysis.scgf import needed
from trajsim.analysis.theorems.setting import (
    Columns,
    LogProbability,
    Outcome,
    Prediction,
    Setting,
    durations,
    entropy_flow,
    span,
)
from trajsim.ledger import Layout, numbers

Array = NDArray[np.float64]

# Effective sample size below which a mean has no normal error. Its skewness is corrected for, so
# more is allowed than in generating functions: at the limit false alarms are up to twice as
# frequent as stated (3e5 means of 2000 lognormal weights).
FEWEST, STRICTNESS = 400.0, 5.0
# States up to which each is a final state of its own.
MOST_STATES = 16
# Starts that are not in one state.
SPREAD = ("random", "equilibrium", "periodic")
# Weights beyond exp(700) overflow: a sum with one is never trusted.
LARGEST = 700.0


class LogMean:
    """Mean of exp(a) over independent trajectories, for several a (m, k) at once."""

    def __init__(self) -> None:
        self.count = 0
        self.nonzero: NDArray[np.int64] = np.zeros((), np.int64)
        self.shift: Array = np.zeros(())
        self.sum: Array = np.zeros(())
        self.squares: Array = np.zeros(())
        self.cubes: Array = np.zeros(())

    def add(self, logs: Array) -> None:
        """Add logarithms (m, k) of weights; -inf is a weight of zero."""
        if self.count == 0:
            self.shift = np.full(logs.shape[1], -LARGEST)
            self.sum, self.squares, self.cubes = np.zeros((3, logs.shape[1]))
        self.count += len(logs)
        self.nonzero = self.nonzero + (logs > -np.inf).sum(axis=0)
        shift = np.maximum(self.shift, logs.max(axis=0, initial=-LARGEST))
        rescaling, weight = np.exp(self.shift - shift), np.exp(logs - shift)
        self.sum = self.sum * rescaling + weight.sum(axis=0)
        self.squares = self.squares * rescaling**2 + (weight**2).sum(axis=0)
        self.cubes = self.cubes * rescaling**3 + (weight**3).sum(axis=0)
        self.shift = shift

    def estimates(self, names: list[str], expected: Array) -> list[Prediction]:
        """Means with their errors and expected values."""
        n = self.count
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            scale = np.exp(self.shift)
            mean = self.sum / n
            variance = (self.squares - n * mean**2) / max(1, n - 1)
            error = np.sqrt(np.maximum(variance, 0.0) / n)
            third = self.cubes / n - 3 * mean * self.squares / n + 2 * mean**3
            skewness = third / (variance**1.5 * np.sqrt(n))
            effective = self.sum**2 / self.squares
        # Weights of zero do not skew a mean as rare large ones do: only the others count.
        required = np.maximum(needed(self.nonzero.astype(float), STRICTNESS), FEWEST)
        return [
            Prediction(
                name,
                Estimate(float(scale[k] * mean[k]), float(scale[k] * error[k])),
                float(expected[k]),
                float(effective[k]),
                bool(effective[k] >= required[k]),
                float(skewness[k]),
                float(required[k]),
            )
            for k, name in enumerate(names)
        ]


class Exponential:
    """A theorem on the mean of an exponential.

    Parameters
    ----------
    name, statement, refusal : as in Outcome
    columns : names of those that `logs` reads
    names : (k,) of the estimates
    expected : (k,)
    logs : logarithms (m, k) of weights, from columns
    """

    def __init__(
        self,
        name: str,
        statement: str,
        refusal: str | None,
        columns: list[str],
        names: list[str],
        expected: Array,
        logs: Callable[[Columns], Array],
    ) -> None:
        self.name, self.statement, self.refusal = name, statement, refusal
        self.columns = columns
        self._names, self._expected, self._logs = names, expected, logs
        self._mean = LogMean()

    def add(self, columns: Columns) -> None:
        """Add trajectories."""
        self._mean.add(self._logs(columns))

    def outcome(self) -> Outcome:
        """Result of the test, from all trajectories so far."""
        if self.refusal or self._mean.count == 0:
            return Outcome(self.name, self.statement, self.refusal)
        estimates = self._mean.estimates(self._names, self._expected)
        return Outcome(self.name, self.statement, None, estimates)


def accumulated(values: NDArray, lengths: list[int]) -> Array:
    """Sums (m, k) of the first lengths[k] rows of values (m, rows)."""
    return np.asarray(np.cumsum(values, axis=1)[:, np.array(lengths) - 1], np.float64)


def _names(layout: Layout, point: int, lengths: list[int]) -> list[str]:
    row = layout.row_periods * layout.periods[point]
    return [span(rows, rows * row) for rows in lengths]


def _heats(setting: Setting, lengths: list[int]) -> Callable[[Columns], Array]:
    """sum_b Q_b / T_b (m, k) over the first lengths[k] rows."""
    return lambda columns: accumulated(entropy_flow(setting, columns), lengths)


def uniform_start(setting: Setting, layout: Layout, point: int) -> Exponential:
    """<exp(sum Q / T)> = 1 from a uniform start."""
    lengths = durations(layout.rows)
    return Exponential(
        "uniform_start",
        "<exp(sum Q/T)> = 1 from a uniform start",
        setting.not_uniform(),
        ["heat", "entropy_flow"],
        _names(layout, point, lengths),
        np.ones(len(lengths)),
        _heats(setting, lengths),
    )


def jarzynski(setting: Setting, layout: Layout, point: int) -> Exponential:
    """<exp(-W / T)> = exp(-dF / T) over whole periods, from equilibrium.

    Jarzynski, Phys. Rev. Lett. 78, 2690 (1997): dF is 0 where parameters return after a period.
    """
    lengths = durations(layout.rows, layout.rows_per_period)
    refusal = setting.not_canonical() or (None if setting.driven else "nothing is driven")
    refusal = refusal or setting.not_free_energy()
    beta = 1.0 / float(setting.temperatures[0])
    with np.errstate(over="ignore"):
        expected = float(np.exp(-beta * (setting.delta_f or 0.0)))
    return Exponential(
        "jarzynski",
        f"<exp(-W/T)> = exp(-dF/T), over whole periods {expected:.6g}, from equilibrium",
        refusal,
        ["work"],
        _names(layout, point, lengths),
        np.full(len(lengths), expected),
        lambda columns: -beta * accumulated(columns["work"].sum(axis=2), lengths),
    )


def _unreachable(setting: Setting) -> str | None:
    """Why the first states do not cover all states."""
    if setting.initial not in SPREAD and setting.burn_in == 0:
        return f"trajectories begin {setting.initial!r}: all in one state"
    return None


def entropy_production(setting: Setting, layout: Layout, point: int) -> Exponential:
    """<exp(-ds)> = 1, ds = ln p(x_start) - ln p(x_end) - sum Q / T with exact p at either end."""
    lengths = durations(layout.rows)
    heats, exact = _heats(setting, lengths), setting.probability

    def logs(columns: Columns) -> Array:
        assert exact is not None
        ends = np.stack([exact.of(columns, edge) for edge in lengths], axis=1)
        return np.asarray(heats(columns) + ends - exact.of(columns, 0)[:, None])

    return Exponential(
        "entropy_production",
        "<exp(-ds)> = 1, ds = ln p(start)/p(end) - sum Q/T with exact probabilities",
        _unreachable(setting) or (None if exact else setting.no_probability),
        ["heat", "entropy_flow", *(exact.columns if exact else [])],
        _names(layout, point, lengths),
        np.ones(len(lengths)),
        logs,
    )


def integral(setting: Setting, layout: Layout, point: int) -> Exponential:
    """<exp(sum Q / T) p1(x_end) / p0(x_start)> = 1 with p1 each single state, or p0 itself."""
    lengths = durations(layout.rows)
    heats, exact = _heats(setting, lengths), setting.probability
    if setting.uniform:
        exact = _uniform(setting.states)
    single = 0 < setting.states <= MOST_STATES
    names = _names(layout, point, lengths)
    if single:
        states = [setting.spell(x) for x in range(setting.states)]
        names = [f"{name}, ending in {state}" for name in names for state in states]

    def logs(columns: Columns) -> Array:
        assert exact is not None
        exponent = heats(columns) - exact.of(columns, 0)[:, None]
        if not single:
            # Any normalised p1 is allowed: take p0 of the final state.
            final = [_final_first(columns, exact.columns, edge) for edge in lengths]
            return np.asarray(exponent + np.stack([exact.of(c, 0) for c in final], axis=1))
        ends = numbers(columns["state"])[:, lengths]
        matches = ends[:, :, None] == np.arange(setting.states)
        return np.where(matches, exponent[:, :, None], -np.inf).reshape(len(ends), -1)

    return Exponential(
        "integral",
        "<exp(sum Q/T) p1(end)/p0(start)> = 1 for any p1"
        + (", each state taken alone" if single else ""),
        _unreachable(setting) or (None if exact else setting.no_probability),
        ["heat", "entropy_flow", *(exact.columns if exact else []), *(["state"] if single else [])],
        names,
        np.ones(len(names)),
        logs,
    )


def _uniform(states: int) -> LogProbability:
    return LogProbability(lambda c, edge: np.full(len(c["heat"]), -math.log(states)), [])


def _final_first(columns: Columns, names: Sequence[str], edge: int) -> Columns:
    """Columns with the state at an edge in place of the first one."""
    return {**columns, **{name: columns[name][:, edge : edge + 1] for name in names}}
