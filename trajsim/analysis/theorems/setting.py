"""Conditions of a run that theorems depend on, and the results of their tests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.estimate import Estimate

Array = NDArray[np.float64]
Columns = dict[str, NDArray]

# Probability that a theorem that holds is reported to fail, over all its estimates at one point.
FALSE_ALARM = 1e-4


class LogProbability(NamedTuple):
    """ln p of the recorded state at an edge of the rows, from the exact side.

    of : (columns, edge) to (m,)
    columns : those that hold the state
    """

    of: Callable[[Columns, int], Array]
    columns: Sequence[str]


@dataclass(frozen=True)
class Setting:
    """Conditions at one point of a run.

    Attributes
    ----------
    system : its name in messages, such as "spins"
    states : number of states, recorded in the column `state`; 0 where it is not finite
    spell : the name of a state by its number
    within : names of starts in a single state
    temperatures : (baths,); averages over the period of those that are driven
    initial, burn_in : where trajectories begin, and periods before the ledger opens
    direction : "forward" or "reverse"
    driven : whether anything is driven
    sustained : whether loads or chemical potentials keep currents up
    heated : whether a temperature is
    own_reverse : whether h(tau - t) = h(t)
    shifted_reverse : whether the same holds with some other beginning of the period
    canonical : whether "equilibrium" is that of the whole energy
    delta_f : free energy at the end of a period less that at time 0; None if it is not known
    probability : of the recorded states, from the exact side; None if it is not known
    no_probability : why it is not known
    speed_slope : (baths,) Omega dq/dOmega of the heats at fixed waveforms; None where unknown
    no_speed_slope : why it is unknown
    """

    system: str
    states: int
    temperatures: Array
    initial: str
    burn_in: int
    direction: str = "forward"
    driven: bool = True
    sustained: bool = False
    heated: bool = False
    own_reverse: bool = False
    shifted_reverse: bool = False
    canonical: bool = True
    delta_f: float | None = 0.0
    probability: LogProbability | None = None
    no_probability: str = "no exact probabilities were given"
    speed_slope: Array | None = None
    no_speed_slope: str = "the derivative of the currents by the speed of the drive was not given"
    spell: Callable[[int], str] = str

    @property
    def uniform(self) -> bool:
        """Whether all states are equally likely when the ledger opens."""
        return self.states > 0 and self.initial == "random" and self.burn_in == 0

    @property
    def balanced(self) -> bool:
        """Whether nothing flows in the long run."""
        alike = bool(np.ptp(self.temperatures) == 0)
        return alike and not self.driven and not self.sustained

    def not_uniform(self) -> str | None:
        """Why states are not equally likely when the ledger opens; None if they are."""
        if not self.states:
            return f"{self.system} have no uniform distribution that is known of"
        if self.initial != "random":
            return f"trajectories begin {self.initial!r}, not 'random'"
        return self._burn_in_refusal()

    def not_canonical(self) -> str | None:
        """Why the ledger does not open in equilibrium; None if it does."""
        if self.heated:
            return "a temperature is driven"
        if np.ptp(self.temperatures) > 0:
            return "the baths have different temperatures"
        if self.initial != "equilibrium":
            return f"trajectories begin {self.initial!r}, not in 'equilibrium'"
        if not self.canonical:
            of = "loads or chemical potentials, too" if self.states else "the linear forces only"
            return f"trajectories begin in the equilibrium of {of}"
        return self._burn_in_refusal()

    def not_free_energy(self) -> str | None:
        """Why the change of the free energy is not known; None if it is."""
        return "the change of the free energy is not known" if self.delta_f is None else None

    def not_settled(self) -> str | None:
        """Why the ledger does not open close to the periodic state; None if it does."""
        if self.initial != "periodic" and self.burn_in == 0:
            return f"trajectories begin {self.initial!r} and have no burn-in"
        return None

    def _burn_in_refusal(self) -> str | None:
        if self.burn_in > 0:
            return f"the ledger opens after a burn-in of {self.burn_in} periods"
        return None


def entropy_flow(setting: Setting, columns: Columns) -> Array:
    """sum_b int dQ_b / T_b (m, rows), heats over the temperature of their instant."""
    if setting.heated:
        return np.asarray(columns["entropy_flow"].sum(axis=2))
    return np.asarray(columns["heat"] @ (1.0 / setting.temperatures))


class Prediction(NamedTuple):
    """One number that a theorem predicts.

    what : its name, such as "over 4 rows"
    estimate : from the run
    expected : by the theorem
    effective : effective sample size
    trusted : whether the effective sample size is large enough for a normal error
    skewness : of the estimate
    needed : effective sample size required
    """

    what: str
    estimate: Estimate[float]
    expected: float
    effective: float
    trusted: bool
    skewness: float = 0.0
    needed: float = 0.0

    @property
    def value(self) -> float:
        """Mean of the estimate."""
        return self.estimate.mean

    @property
    def stderr(self) -> float:
        """Standard error of the estimate."""
        return self.estimate.stderr

    @property
    def z(self) -> float:
        """Deviation in standard errors, corrected for skewness; 0 within rounding.

        Hall, J. R. Statist. Soc. B 54, 221 (1992), Eq. 2.2.
        """
        deviation, g = self.value - self.expected, self.skewness
        if abs(deviation) <= 1e-12 * max(abs(self.expected), abs(self.value)):
            return 0.0
        if not self.stderr > 0:
            return float(np.copysign(np.inf, deviation))
        z = deviation / self.stderr
        return z if np.isnan(g) else z + g / 3 * z**2 + g**2 / 27 * z**3 + g / 6


@dataclass(frozen=True)
class Outcome:
    """Result of testing a theorem with a run.

    Attributes
    ----------
    name, statement : of the theorem
    refusal : why it does not apply to this run; None where it does
    estimates : those made
    bound : whether the expected values are lower bounds only
    remarks : numbers worth knowing that are not judged
    """

    name: str
    statement: str
    refusal: str | None
    estimates: list[Prediction] = field(default_factory=list)
    bound: bool = False
    remarks: dict[str, float] = field(default_factory=dict)

    @property
    def judged(self) -> list[Prediction]:
        """Estimates that can be trusted and whose error is known and not 0."""
        return [e for e in self.estimates if e.trusted and np.isfinite(e.z)]

    @property
    def shortage(self) -> str:
        """Why no estimate can be judged, for the one that is nearest to it."""
        if not self.estimates:
            return "there are too few trajectories for an estimate"
        nearest = max(self.estimates, key=lambda e: e.effective / max(e.needed, 1.0))
        if nearest.effective >= nearest.needed:
            return "nothing varies"
        return (
            f"it rests on an effective sample size of {nearest.effective:.0f}, and takes "
            f"{nearest.needed:.0f}"
        )

    @property
    def threshold(self) -> float:
        """Largest deviation in standard errors that is allowed of all judged estimates."""
        sides = 1 if self.bound else 2
        return -NormalDist().inv_cdf(FALSE_ALARM / (sides * max(1, len(self.judged))))

    @property
    def worst(self) -> Prediction | None:
        """The judged estimate with the largest deviation."""
        key = (lambda e: -e.z) if self.bound else (lambda e: abs(e.z))
        return max(self.judged, key=key, default=None)

    @property
    def holds(self) -> bool | None:
        """Whether the run agrees; None where it does not apply or nothing can be judged."""
        if self.worst is None:
            return None
        distance = -self.worst.z if self.bound else abs(self.worst.z)
        return distance <= self.threshold


def durations(rows: int, step: int = 1) -> list[int]:
    """Row counts at which a theorem is tested: step, 2 step, 4 step, ... and the longest."""
    longest = rows // step * step
    lengths = [step << k for k in range(64) if (step << k) < longest]
    return [*lengths, longest] if longest else []


def span(rows: int, time: float) -> str:
    """Name of a duration."""
    return f"over {rows} row{'s' if rows > 1 else ''} (time {time:g})"
