"""Fluctuation theorems: what a run says of each, or why it says nothing.

Every theorem is asked first whether its conditions hold for the run; where they do, estimates are
made with standard errors and effective sample sizes, and those that can be trusted are judged.
"""

from collections.abc import Iterator
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
from trajsim.analysis.theorems.setting import Estimated, LogProbability, Outcome, Setting
from trajsim.analysis.theorems.symmetry import GallavottiCohen
from trajsim.analysis.theorems.uncertainty import Uncertainty

__all__ = ["Estimated", "LogProbability", "Outcome", "Setting", "theorems"]

Theorem = Exponential | Reversal | GallavottiCohen | Uncertainty


def theorems(
    run: Source,
    settings: list[Setting],
    reversed_run: Source | None = None,
    reversed_settings: list[Setting] | None = None,
) -> Iterator[list[Outcome]]:
    """Outcome of every theorem at each point of a run that has trajectories.

    Parameters
    ----------
    run : where slices of trajectories come from, by point and trajectory
    settings : (points,) what must be known of the run
    reversed_run, reversed_settings : the same of a run of the reversed protocol, which must have
        the same points, baths and drives and rows as long
    """
    partners: list[Any] = reversed_settings or [None for _ in settings]
    rows = min(r.layout.rows for r in (run, reversed_run) if r is not None)
    asked = {
        point: _asked(run, point, setting, partners[point], rows)
        for point, setting in enumerate(settings)
    }
    there = _pass(run, asked, "add")
    if reversed_run is not None:
        two = {
            point: [t for t in each if isinstance(t, Reversal | GallavottiCohen)]
            for point, each in asked.items()
        }
        _pass(reversed_run, two, "add_reversed")
    for point in there:
        yield [theorem.outcome() for theorem in asked[point]]


def _asked(
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


def _pass(run: Source, asked: dict[int, list[Any]], method: str) -> list[int]:
    """Hand the columns of a run to those theorems that apply; points that have any."""
    open_ = {point: [t for t in each if not t.refusal] for point, each in asked.items()}
    names = {"heat", *(name for each in open_.values() for t in each for name in t.columns)}
    there = []
    for point, slices in groupby(run.blocks(sorted(names)), key=lambda block: block[0]):
        there.append(point)
        for _, _, columns in slices:
            for theorem in open_[point]:
                getattr(theorem, method)(columns)
    return there
