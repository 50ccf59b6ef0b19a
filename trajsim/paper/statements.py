"""Statements of the paper, and tests of each by exact and by sampled currents.

A statement of the form "for some phase" is tested at the phase at which the exact currents show it
best; one of the form "for no phase" at all phases. Signs and differences of samples are significant
beyond the standard errors within which a correct run is with probability 1 - 1e-4.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from trajsim.comparison.verdict import threshold
from trajsim.ensemble import start_state
from trajsim.ledger import ROUNDING
from trajsim.paper.published import equation_7
from trajsim.paper.runs import Current, Finished, Sweep

Runs = Mapping[str, Finished]
# Exact values that should be equal, relative to the largest.
EQUAL = 1e-6


class Judged(NamedTuple):
    """Result of the test of a statement.

    Attributes
    ----------
    exact, sampled : results in words
    holds : whether both confirm it
    """

    exact: str
    sampled: str
    holds: bool


class Statement(NamedTuple):
    """A statement of the paper, its place, and its test."""

    place: str
    text: str
    judge: Callable[[Runs], Judged]


def _all(*judged: Judged) -> Judged:
    return Judged(
        "; ".join(j.exact for j in judged),
        "; ".join(j.sampled for j in judged),
        all(j.holds for j in judged),
    )


def somewhere(sweep: Sweep, **signs: int) -> Judged:
    """Test that for some phase these currents have these signs."""
    oriented = {name: _signed(sweep.currents[name], sign) for name, sign in signs.items()}
    k = int(np.argmax(np.min([c.exact / c.stderr for c in oriented.values()], axis=0)))
    sigma = min(float(c.mean[k] / c.stderr[k]) for c in oriented.values())
    phi = f"phi = {sweep.phase[k]:.3g}"
    exact = ", ".join(f"{name} = {sweep.currents[name].exact[k]:+.3e}" for name in signs)
    sampled = ", ".join(_pair(name, sweep.currents[name], k) for name in signs)
    holds = all(c.exact[k] > 0 for c in oriented.values())
    limit = threshold(sweep.trajectories, len(signs))
    return Judged(
        f"{exact} at {phi}", f"{sampled} (beyond {sigma:.0f} std. errors)", holds and sigma > limit
    )


def nowhere(sweep: Sweep, name: str, sign: int) -> Judged:
    """Test that for no phase this current has this sign."""
    current = _signed(sweep.currents[name], sign)
    limit = threshold(sweep.trajectories, len(sweep.phase))
    k = int(np.argmax(current.exact))
    furthest = float((current.mean / current.stderr).max())
    word = "largest" if sign > 0 else "smallest"
    beyond = "above" if sign > 0 else "below"
    return Judged(
        f"{word} {name} = {sign * current.exact[k]:+.3e}, at phi = {sweep.phase[k]:.3g}",
        f"no {name} more than {max(furthest, 0.0):.1f} std. errors {beyond} 0 "
        f"(allowed {limit:.1f})",
        bool(current.exact[k] <= 0 and furthest <= limit),
    )


def _signed(current: Current, sign: int) -> Current:
    return current if sign > 0 else -current


def _pair(name: str, current: Current, k: int) -> str:
    return f"{name} = {current.mean[k]:+.3e} +- {current.stderr[k]:.0e}"


def alike(sweep: Sweep, published: Mapping[str, np.ndarray], names: tuple[str, ...]) -> Judged:
    """Test that these currents are at every phase as published."""
    pairs = [(sweep.currents[name], published[name]) for name in names]
    largest = max(abs(p).max() for _, p in pairs)
    difference = max(float(abs(c.exact - p).max()) for c, p in pairs) / largest
    sigma = max(float(abs((c.mean - p) / c.stderr).max()) for c, p in pairs)
    limit = threshold(sweep.trajectories, len(names) * len(sweep.phase))
    return Judged(
        f"equal to {difference:.0e} of the largest",
        f"{len(names) * len(sweep.phase)} values within {sigma:.1f} std. errors "
        f"(allowed {limit:.1f})",
        difference <= EQUAL and sigma <= limit,
    )


# -- one by one --------------------------------------------------------------------------------


def _fig_1(runs: Runs) -> Sweep:
    return runs["figure-1"].sweep(R=0.5)


def _inset(runs: Runs) -> Sweep:
    return runs["figure-1"].sweep(R=0.499)


def _fig_2(runs: Runs) -> Sweep:
    return runs["figure-2"].sweep()


def _fig_4(runs: Runs) -> Sweep:
    return runs["figure-4"].sweep()


def _warmer(runs: Runs) -> Sweep:
    return runs["figure-4-warmer"].sweep()


def _pump(runs: Runs) -> Judged:
    at_once = somewhere(runs["heat_pump"].sweep(), q_R=1, q_L=-1, w=1)
    return _all(at_once, somewhere(_inset(runs), q_R=1, w=1))


def _engine(runs: Runs) -> Judged:
    return _all(somewhere(runs["heat_engine"].sweep(), w=-1, q_L=1), somewhere(_fig_2(runs), w=-1))


def _periodic(runs: Runs) -> Judged:
    """Compare rows of the third period with those of the second, from all spins up."""
    run = runs["figure-3"]
    rows = run.experiment().plan.rows_per_period
    difference = sigma = 0.0
    for profile, solved, point in zip(run.profiles, run.solved, run.config.points, strict=True):
        start = start_state(point.experiment.network(), point.experiment.ensemble.initial)
        energetics = solved.time_series(start, rows, 3).energetics
        for kind in ("heat", "work"):
            exact = getattr(energetics, kind)
            change = abs(exact[2 * rows :] - exact[rows : 2 * rows]).max()
            difference = max(difference, float(change / abs(exact[2 * rows :]).max()))
            mean, error = profile.rate[kind], profile.stderr[kind]
            change = abs(mean[2 * rows : 3 * rows] - mean[rows : 2 * rows])
            errors = np.hypot(error[2 * rows : 3 * rows], error[rows : 2 * rows])
            sigma = max(sigma, float((change / errors).max()))
    limit = threshold(run.averages[0].trajectories, 8 * rows)
    return Judged(
        f"period 3 equals period 2 to {difference:.0e} of the largest",
        f"{8 * rows} differences of rows within {sigma:.1f} std. errors (allowed {limit:.1f})",
        difference <= 1e-3 and sigma <= limit,
    )


def _conserved(runs: Runs) -> Judged:
    residual = max(
        a.first_law_residual / a.largest_entry for r in runs.values() for a in r.averages
    )
    rates = [s.currents.rates for run in runs.values() for s in run.solved]
    imbalance = max(abs(r.heat.sum() + r.work.sum()) / abs(r.heat).max() for r in rates)
    return Judged(
        f"heats and works of a period add up to {imbalance:.0e} of the largest",
        f"in every row of every trajectory to {residual:.0e} of the largest entry",
        imbalance <= EQUAL and residual <= ROUNDING,
    )


def _equation_7(runs: Runs) -> Judged:
    sweep = _fig_4(runs)
    names = ("q_L", "q_R", "w_L", "w_R")
    return alike(sweep, equation_7(sweep.phase, 1.0, 1.0), names)


def _apart(runs: Runs) -> Judged:
    """Test that currents at T_L = 2 are those at T_L = 1 plus conduction by the closed form."""
    sweep = _warmer(runs)
    names = ("q_L", "q_R", "w_L", "w_R")
    return alike(sweep, equation_7(sweep.phase, 2.0, 1.0), names)


def _unequal(runs: Runs) -> Judged:
    sweep = _fig_4(runs)
    currents = {**sweep.currents, "q_L - q_R": sweep.currents["q_L"] + -sweep.currents["q_R"]}
    sweep = sweep._replace(currents=currents)
    return _all(somewhere(sweep, **{"q_L - q_R": -1}), somewhere(sweep, **{"q_L - q_R": 1}))


STATEMENTS = (
    Statement(
        "text on Fig. 1",
        "for some phases q_L and q_R are negative and w is positive: all work is dissipated",
        lambda runs: somewhere(_fig_1(runs), q_L=-1, q_R=-1, w=1),
    ),
    Statement(
        "text on Fig. 1",
        "for some phases q_L > 0 and q_R < 0 at equal temperatures: heat flows from left to right",
        lambda runs: somewhere(_fig_1(runs), q_L=1, q_R=-1),
    ),
    Statement(
        "text on Fig. 1",
        "another phase reverses the flow",
        lambda runs: somewhere(_fig_1(runs), q_L=-1, q_R=1),
    ),
    Statement("Fig. 1, inset", "heat flows out of the colder bath: a heat pump", _pump),
    Statement(
        "Fig. 2", "for some phases, of which 0.7 pi, w < 0: work is done on the drive", _engine
    ),
    Statement("Fig. 3", "at long times all rates have the period of the drive", _periodic),
    Statement("after Eq. 3, Eq. 5", "energy is conserved: dU = Q_L + Q_R + W_L + W_R", _conserved),
    Statement("Eq. 7, Fig. 4", "closed form of the oscillators' heat and work rates", _equation_7),
    Statement(
        "after Eq. 7",
        "drive and noise act apart: T_L = 2 adds the conduction of Eq. 7 to the heats, nothing to "
        "the works",
        _apart,
    ),
    Statement(
        "after Eq. 7",
        "the drives' parts of q_L and q_R are both negative",
        lambda runs: _all(nowhere(_fig_4(runs), "q_L", 1), nowhere(_fig_4(runs), "q_R", 1)),
    ),
    Statement(
        "after Eq. 7",
        "for T_L > T_R always q_R < 0: no pump",
        lambda runs: nowhere(_warmer(runs), "q_R", 1),
    ),
    Statement(
        "after Eq. 7",
        "w_L and w_R can be negative each ...",
        lambda runs: _all(somewhere(_fig_4(runs), w_L=-1), somewhere(_fig_4(runs), w_R=-1)),
    ),
    Statement(
        "after Eq. 7",
        "... but w_L + w_R is always positive: no engine",
        lambda runs: nowhere(_fig_4(runs), "w", -1),
    ),
    Statement(
        "after Eq. 7",
        "nor with work defined as f dx/dt",
        lambda runs: nowhere(_fig_4(runs), "x", -1),
    ),
    Statement("text on Fig. 4", "the two baths get unequal parts of the energy", _unequal),
)

# Tested elsewhere, as it takes a sweep of its own.
APART = (
    "Not judged here: that oscillators with quartic forces neither pump nor work. A sweep of its "
    "own, configs/nonlinear.toml, confirms it for most parameters and refutes it for slow, strong "
    "drives (configs/quartic_pump.toml, configs/quartic_engine.toml)."
)
