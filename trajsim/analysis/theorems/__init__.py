"""Fluctuation theorems: tests of each by a run, or the reason why it does not apply.

Where the conditions of a theorem hold for the run, its averages are estimated with standard errors
and effective sample sizes, and those that can be trusted are compared with the prediction.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from trajsim.analysis.averages import Source
from trajsim.analysis.theorems.detailed import Reversal, crooks, exchange
from trajsim.analysis.theorems.integral import (
    Exponential,
    entropy_production,
    integral,
    jarzynski,
    uniform_start,
)
from trajsim.analysis.theorems.setting import LogProbability, Outcome, Prediction, Setting
from trajsim.analysis.theorems.symmetry import GallavottiCohen
from trajsim.analysis.theorems.uncertainty import Uncertainty
from trajsim.analysis.windows import KINDS

__all__ = ["LogProbability", "Outcome", "Prediction", "Setting", "theorems"]

Theorem = Exponential | Reversal | GallavottiCohen | Uncertainty


def theorems(
    run: Source,
    settings: Sequence[Setting],
    reversed_run: Source | None = None,
    reversed_settings: Sequence[Setting] | None = None,
) -> Iterator[list[Outcome]]:
    """Outcome of every theorem at each point of a run that has trajectories.

    Parameters
    ----------
    run : where slices of trajectories come from, by point and trajectory
    settings : (points,) start, protocol and baths of the run
    reversed_run, reversed_settings : the same of a run of the reversed protocol, which must have
        the same points, baths and drives and rows as long
    """
    rows = min(r.layout.rows for r in (run, reversed_run) if r is not None)
    reversed_points = _by_point(reversed_run) if reversed_run is not None else iter(())
    following = next(reversed_points, None)
    # One point at a time: the sums of thousands take gigabytes.
    for point, slices in _by_point(run):
        partner = reversed_settings[point] if reversed_settings else None
        tests = _theorems(run, point, settings[point], partner, rows)
        _feed([t for t in tests if not t.refusal], slices, "add")
        while following is not None and following[0] < point:
            following = next(reversed_points, None)
        if following is not None and following[0] == point:
            with_reverse = [t for t in tests if isinstance(t, Reversal | GallavottiCohen)]
            _feed([t for t in with_reverse if not t.refusal], following[1], "add_reversed")
            following = next(reversed_points, None)
        yield [theorem.outcome() for theorem in tests]


def _theorems(
    run: Source, point: int, setting: Setting, partner: Setting | None, rows: int
) -> list[Theorem]:
    layout = run.layout
    return [
        uniform_start(setting, layout, point),
        integral(setting, layout, point),
        jarzynski(setting, layout, point),
        crooks(setting, partner, layout, point, rows),
        exchange(setting, partner, layout, point, rows),
        entropy_production(setting, layout, point),
        GallavottiCohen(setting, partner, layout, point, rows),
        Uncertainty(setting, layout, point),
    ]


def _by_point(run: Source) -> Iterator[tuple[int, Any]]:
    """Points of a run, each with the slices of its trajectories."""
    wanted = (*KINDS, "entropy_flow", "state", "position", "velocity")
    present = {column.name for column in run.layout.columns}
    blocks = run.blocks([name for name in wanted if name in present])
    return groupby(blocks, key=lambda block: block[0])


def _feed(theorems: list[Any], slices: Any, method: str) -> None:
    """Pass the columns of a point to a method of theorems."""
    for _, _, columns in slices:
        for theorem in theorems:
            getattr(theorem, method)(columns)
