"""Gallavotti-Cohen symmetry of the generating function of the entropy given to the baths.

theta(k) of x = -sum Q / T obeys theta(k) = theta~(-1 - k), the tilde for the reversed protocol
(Lebowitz & Spohn, J. Stat. Phys. 95, 333 (1999)). theta is taken from the growth of ln <exp(k x)>
between n and 2n rows, in which boundary terms cancel up to what has not relaxed in n rows.
"""

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.batches import Batches, group_sums, jackknife
from trajsim.analysis.estimate import Estimate
from trajsim.analysis.scgf import effective_size, needed, trusted
from trajsim.analysis.theorems.detailed import NO_REVERSE
from trajsim.analysis.theorems.integral import accumulated
from trajsim.analysis.theorems.setting import (
    Columns,
    Outcome,
    Prediction,
    Setting,
    entropy_flow,
    span,
)
from trajsim.ledger import Layout

Array = NDArray[np.float64]

# k from -1 to 0, and the partners -1 - k in the opposite order.
ARGUMENT = np.linspace(-1.0, 0.0, 9)
# Change of the growth between halves, in standard errors, above which times are not yet long.
LONG = 3.0


class _Growth:
    """<exp(k x)> after 1, 2, 4, ... steps, batch by batch."""

    def __init__(self, trajectories: int, lengths: list[int], setting: Setting) -> None:
        self.lengths, self.setting = lengths, setting
        self.batches = Batches.of(trajectories, len(lengths) * len(ARGUMENT))
        self.count = np.zeros(self.batches.number, np.int64)
        self.sums = np.zeros((self.batches.number, len(lengths), len(ARGUMENT)))
        self.squares = np.zeros((len(lengths), len(ARGUMENT)))

    def add(self, first: int, columns: Columns) -> None:
        x = -accumulated(entropy_flow(self.setting, columns), self.lengths)
        batch, starts = self.batches.cut(first, len(x))
        weight = np.exp(np.clip(x[:, :, None] * ARGUMENT, -700.0, 300.0))
        self.count[batch] += np.diff(starts, append=len(x))
        self.sums[batch] += group_sums(weight, starts)
        self.squares += (weight**2).sum(axis=0)

    @property
    def effective(self) -> Array:
        """Effective sample size (durations, k)."""
        return effective_size(self.sums.sum(axis=0), self.squares)

    @property
    def trusted(self) -> NDArray[np.bool_]:
        """Durations at which all k are."""
        return np.asarray(trusted(self.effective, int(self.count.sum())).all(axis=1))


class GallavottiCohen:
    """The theorem at the longest duration that can be trusted.

    Parameters
    ----------
    rows : rows that both runs have
    """

    name = "gallavotti_cohen"
    statement = "theta(k) = theta~(-1 - k) of x = -sum Q/T, for long times"
    columns = ("heat", "entropy_flow")

    def __init__(
        self, setting: Setting, partner: Setting | None, layout: Layout, point: int, rows: int
    ) -> None:
        step = layout.rows_per_period if setting.driven else 1
        lengths = [step << k for k in range(64) if step << k <= rows]
        self.refusal = _refusal(setting, partner, len(lengths))
        self._time = layout.row_periods * layout.periods[point]
        self._run = _Growth(layout.trajectories, lengths, setting)
        self._partner = (
            _Growth(layout.trajectories, lengths, partner) if partner is not None else None
        )
        self._first = [0, 0]

    def add(self, columns: Columns) -> None:
        """Add trajectories of the run, in order."""
        self._run.add(self._first[0], columns)
        self._first[0] += len(columns["heat"])

    def add_reversed(self, columns: Columns) -> None:
        """Add trajectories of the reversed run, in order."""
        assert self._partner is not None
        self._partner.add(self._first[1], columns)
        self._first[1] += len(columns["heat"])

    def outcome(self) -> Outcome:
        """Result of the test, from all trajectories so far."""
        if self.refusal:
            return Outcome(self.name, self.statement, self.refusal)
        runs = [self._run, *([self._partner] if self._partner else [])]
        trusted = np.logical_and.reduce([growth.trusted for growth in runs])
        # Durations are trusted up to some length: the last doublings before it are tested.
        longest = int(np.logical_and.accumulate(trusted).sum()) - 1
        last = max(2, longest)
        value, error, change, change_error = self._asymmetry(last)
        if longest == last and np.any(np.abs(change) > LONG * change_error):
            return Outcome(
                self.name,
                self.statement,
                f"no duration is both long and trusted: up to {self._run.lengths[last]} rows "
                "the growth of ln <exp(k x)> still changes",
            )
        # All k are trusted together, or none is: the least of them decides.
        effective = min(float(growth.effective[last].min()) for growth in runs)
        required = max(float(needed(growth.count.sum())) for growth in runs)
        rows = self._run.lengths[last]
        label = span(rows, rows * self._time)
        return Outcome(
            self.name,
            self.statement,
            None,
            [
                Prediction(
                    f"theta({k:g}) - theta~({-1 - k:g}) {label}",
                    Estimate(float(value[j]), float(error[j])),
                    0.0,
                    effective,
                    longest == last,
                    needed=required,
                )
                for j, k in enumerate(ARGUMENT)
                # For a run that is its own partner k and -1 - k give the same test.
                if self._partner is not None or k < -0.5
            ],
        )

    def _asymmetry(self, last: int) -> tuple[Array, Array, Array, Array]:
        """theta(k) - theta~(-1 - k) with its error, and how theta changes from the time before."""
        time = (self._run.lengths[last] - self._run.lengths[last - 1]) * self._time
        before = (self._run.lengths[last - 1] - self._run.lengths[last - 2]) * self._time

        def growth(logs: Array) -> tuple[Array, Array]:
            now = (logs[:, last] - logs[:, last - 1]) / time
            return now, now - (logs[:, last - 1] - logs[:, last - 2]) / before

        def self_reversed(n: Array, sums: Array) -> Array:
            now, change = growth(np.log(sums / n[:, None, None]))
            return np.stack([now - now[:, ::-1], change], axis=1)

        def separate(n: Array, sums: Array) -> Array:
            return np.stack(growth(np.log(sums / n[:, None, None])), axis=1)

        if self._partner is None:
            mean, error = jackknife(self_reversed, self._run.count, self._run.sums)
            return mean[0], error[0], mean[1], error[1]
        mean, error = jackknife(separate, self._run.count, self._run.sums)
        other, other_error = jackknife(separate, self._partner.count, self._partner.sums)
        return (
            mean[0] - other[0, ::-1],
            np.hypot(error[0], other_error[0, ::-1]),
            mean[1],
            error[1],
        )


def _refusal(setting: Setting, partner: Setting | None, doublings: int) -> str | None:
    if not setting.states:
        return (
            f"no bound of the energy of {setting.system} is known of: boundary terms break the "
            "symmetry of heat"
        )
    if setting.balanced:
        return "in equilibrium nothing grows with time"
    if partner is None and not (setting.own_reverse or setting.shifted_reverse):
        return NO_REVERSE
    if partner is not None and partner.direction == setting.direction:
        return f"both runs are {setting.direction} ones"
    if doublings < 3:
        return "at least four rows of whole periods are needed to see theta settle"
    return None
