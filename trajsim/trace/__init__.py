"""Trace of one trajectory: simulated again from its own stream, with a record of every event.

Nothing was stored for it. Sums over the events must agree with the ledger, row by row.
"""

import math
from collections.abc import Callable
from numbers import Integral
from operator import index

from numpy.typing import NDArray

from trajsim.config import Experiment
from trajsim.extending.kinds import KINDS
from trajsim.ledger import ROUNDING, largest_entry
from trajsim.store import StoredRun
from trajsim.trace.window import Trace, TraceError, Window

__all__ = ["Trace", "TraceError", "trace"]


def trace(
    run: StoredRun,
    experiment: Experiment,
    trajectory: int,
    point: int = 0,
    periods: tuple[int, int] | None = None,
    every: int = 1,
) -> Trace:
    """Simulate a trajectory of a run again and record its events.

    Parameters
    ----------
    run : StoredRun that holds the trajectory
    experiment : of its point
    trajectory, point : their numbers, from 0
    periods : first and last (not included) of the recorded periods; all of them if None
    every : of oscillators, how many steps make an event

    Raises
    ------
    TraceError
        If there is no such trajectory or period, or the result disagrees with the ledger.
    trajsim.store.StoreError
        If the ledger of the trajectory cannot be read.
    """
    layout = run.layout
    for name, number, count in (
        ("point", point, layout.points),
        ("trajectory", trajectory, layout.trajectories),
    ):
        if not (isinstance(number, Integral) and 0 <= number < count):
            raise TraceError(f"{name} {number!r}; allowed: 0 to {count - 1}")
    recorded = experiment.plan.periods
    try:
        first, last = map(index, (0, recorded) if periods is None else periods)
    except (TypeError, ValueError):
        raise TraceError(f"periods {periods!r}; allowed: two whole numbers") from None
    if not 0 <= first < last <= recorded:
        raise TraceError(f"periods {first}:{last}; allowed: within 0:{recorded}")
    ledger = run.trajectory(point, trajectory)
    window = Window(experiment, layout, trajectory, point, first, last)
    tracer: Callable[[Window, dict[str, NDArray], int], Trace] | None
    tracer = KINDS[experiment.model.kind].part("tracer")
    if tracer is None:
        raise TraceError(f"{experiment.model.kind} cannot be traced")
    result = tracer(window, ledger, every)
    _check_rows(result, window, ledger, run)
    return result


def _check_rows(result: Trace, window: Window, ledger: dict[str, NDArray], run: StoredRun) -> None:
    """Check that a trace adds up to the rows of the ledger within it."""
    layout, period = window.layout, window.experiment.drive.period
    rounding = ROUNDING * max(largest_entry(ledger), 1e-300)
    # Rows that are entirely in the window.
    begin = math.ceil(window.first / layout.row_periods - 1e-9)
    end = math.floor(window.last / layout.row_periods + 1e-9)
    for row in range(begin, end):
        edges = [result.at(edge * layout.row_periods * period) for edge in (row, row + 1)]
        for name, sums in (("heat", result.heat), ("work", result.work)):
            if name in ledger:
                gap = abs(sums[edges[1]] - sums[edges[0]] - ledger[name][row]).max()
                if not gap <= rounding:
                    header = run.header
                    raise TraceError(
                        f"{run.path}: row {row} of trajectory {window.trajectory} does not come "
                        f"out again: its {name} differs by {gap:.1e}. The run was made by version "
                        f"{header['version']} on {header['machine'].get('processor', 'a machine')} "
                        f"with {header['libraries']}"
                    )
