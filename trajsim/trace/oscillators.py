"""Trace of oscillators: the same steps, with a row of the ledger for every few of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.trace.window import (
    Array,
    Trace,
    TraceError,
    Window,
    drives_at_edges,
    expect_memory,
    prepare,
)


def trace_oscillators(window: Window, ledger: dict[str, NDArray], every: int) -> Trace:
    """Trace of oscillators, an event every so many steps.

    Raises
    ------
    TraceError
        If `every` does not divide the steps of a row, or the integrator diverges.
    """
    experiment: Any = window.experiment
    steps, least = experiment.integrator.steps_per_period, window.layout.rows_per_period
    if every < 1 or steps % (every * least):
        raise TraceError(
            f"every {every} steps; allowed: divisors of {steps // least}, the steps of a row"
            if least > 1
            else f"every {every} steps; allowed: divisors of {steps}, the steps of a period"
        )
    expect_memory(window, (window.last - window.first) * (steps // every) + 1)
    kernel, model, replicas, plan, rows = prepare(window, steps // every)
    _, broken = kernel.advance(model, plan, replicas, rows, 0, plan.segments)
    fault = kernel.fault(broken, window.trajectory)
    if fault:
        raise TraceError(fault)
    edges = np.arange(plan.rows + 1.0)
    forces, _, _ = experiment.network().drives_at_sites()
    each = drives_at_edges(forces, plan.rows_per_period, plan.burn_in_segments == 0)
    rest = np.tile(each[1:], (plan.periods, 1))
    return Trace(
        window.trajectory,
        window.point,
        window.layout.labels,
        (window.first + edges / plan.rows_per_period) * experiment.drive.period,
        np.full(len(edges), -1),
        {n: getattr(rows, n)[0] for n in ("position", "velocity") if getattr(rows, n).size},
        np.vstack([each[:1], rest]),
        rows.energy[0],
        _accumulated(rows.heat[0]),
        _accumulated(rows.work[0]),
    )


def _accumulated(entries: Array) -> Array:
    """Cumulative sums (rows + 1, ...) of the entries of rows, from 0."""
    return np.concatenate([np.zeros((1, entries.shape[1])), np.cumsum(entries, axis=0)])
