"""One trajectory under the lens: simulated again from its own stream, every event written down.

Nothing was stored for it. What the events add up to must be what the ledger says, row by row.
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
    """Simulate a trajectory of a run again and write down its events.

    Parameters
    ----------
    run : that holds the trajectory
    experiment : of its point
    trajectory, point : their numbers, from 0
    periods : first and last (not included) of the recorded periods; all of them if None
    every : of oscillators, how many steps make an event

    Raises
    ------
    TraceError
        If there is no such trajectory or period, or what comes out is not what the ledger says.
    trajsim.store.StoreError
        If the ledger of the trajectory cannot be read.
    """
    layout = run.layout
    for name, found, count in (
        ("point", point, layout.points),
        ("trajectory", trajectory, layout.trajectories),
    ):
        if not (isinstance(found, Integral) and 0 <= found < count):
            raise TraceError(f"{name} {found!r}; allowed: 0 to {count - 1}")
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
    made = tracer(window, ledger, every)
    _agree(made, window, ledger, run)
    return made


def _agree(made: Trace, window: Window, ledger: dict[str, NDArray], run: StoredRun) -> None:
    """See that a trace adds up to the rows of the ledger that lie in it."""
    layout, period = window.layout, window.experiment.drive.period
    rounding = ROUNDING * max(largest_entry(ledger), 1e-300)
    # Rows that lie in the window as a whole.
    begin = math.ceil(window.first / layout.row_periods - 1e-9)
    end = math.floor(window.last / layout.row_periods + 1e-9)
    for row in range(begin, end):
        edges = [made.at(edge * layout.row_periods * period) for edge in (row, row + 1)]
        for name, sums in (("heat", made.heat), ("work", made.work)):
            if name in ledger:
                off = abs(sums[edges[1]] - sums[edges[0]] - ledger[name][row]).max()
                if not off <= rounding:
                    header = run.header
                    raise TraceError(
                        f"{run.path}: row {row} of trajectory {window.trajectory} does not come "
                        f"out again: its {name} differs by {off:.1e}. The run was made by version "
                        f"{header['version']} on {header['machine'].get('processor', 'a machine')} "
                        f"with {header['libraries']}"
                    )
