"""Spins under the lens: the kernel runs each segment, then its flips are replayed one by one."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.config import Experiment
from trajsim.kernels.replay import replay
from trajsim.models.spins import energy, flip_energy
from trajsim.trace.window import MOST_EVENTS, Array, Trace, TraceError, Window, drives_at, ready


class _Spins:
    """Books of one trajectory of spins, flip by flip."""

    def __init__(self, experiment: Experiment, spins: NDArray[np.int8], field: Array) -> None:
        self.network = experiment.network()
        self.spins = spins.copy()
        self.driven = np.flatnonzero(self.network.driven >= 0)
        self.field = field
        self.bonds = energy(self.network, self.spins, np.zeros(len(spins)))
        self.heat = np.zeros(int(self.network.bath.max()) + 1)
        self.work = np.zeros(len(self.driven))

    def move(self, field: Array) -> None:
        """Let the fields (drives,) move: W_i += -s_i dh_i."""
        self.work -= self.spins[self.driven] * (field - self.field)
        self.field = field

    def flip(self, i: int, h: float) -> None:
        """Flip a spin in the field h: Q += 2 s_i (sum_j J_ij s_j + h)."""
        self.heat[self.network.bath[i]] += flip_energy(self.network, self.spins, i, h)
        self.bonds += flip_energy(self.network, self.spins, i, 0.0)
        self.spins[i] = -self.spins[i]

    def line(self, site: int) -> tuple[Any, ...]:
        """Site, spins, fields, energy, heat and work after an event."""
        total = self.bonds - float(self.spins[self.driven] @ self.field)
        return site, self.spins.copy(), self.field, total, self.heat.copy(), self.work.copy()


def trace_spins(window: Window, ledger: dict[str, NDArray], every: int) -> Trace:
    """Trace of spins: every flip, and the edges between segments.

    Raises
    ------
    TraceError
        If there are too many flips to be held.
    """
    if every != 1:
        raise TraceError("only oscillators have steps: every flip of a spin is an event")
    rows = slice(*(round(p / window.layout.row_periods) for p in (window.first, window.last)))
    if int(ledger["flips"][rows].sum()) > MOST_EVENTS:
        raise TraceError(f"more than {MOST_EVENTS} flips; fewer periods have fewer")
    times, lines = [], []
    for time, line in _follow(window):
        times.append(time)
        lines.append(line)
    site, state, field, energy, heat, work = (np.array(part) for part in zip(*lines, strict=True))
    return Trace(
        window.trajectory,
        window.point,
        window.layout.labels,
        np.array(times),
        site,
        {"state": state},
        field,
        energy,
        heat,
        work,
    )


def _follow(window: Window) -> Iterator[tuple[float, tuple[Any, ...]]]:
    """Time and line of every flip, and of every edge between segments."""
    experiment = window.experiment
    segments = window.layout.rows_per_period
    kernel, model, walkers, plan, rows = ready(window, segments)
    begin = plan.burn_in_segments
    kernel.advance(model, plan, walkers, rows, 0, begin)
    width = experiment.drive.period / segments
    books: _Spins | None = None
    for segment in range(begin, plan.segments):
        before = type(walkers)(*(part.copy() for part in walkers))
        flips, _ = kernel.advance(model, plan, walkers, rows, segment, segment + 1)
        part = segment % segments
        found = replay(model, before, part, flips)
        if books is None:
            opening = drives_at(experiment, plan, np.array([float(part)]))[0]
            books = _Spins(experiment, np.asarray(rows.state[0, 0]), opening)
            yield window.first * experiment.drive.period, books.line(-1)
        fields = drives_at(experiment, plan, part + np.append(found.when, 1.0))
        begun = (segment - begin) + window.first * segments
        for k, (when, site) in enumerate(zip(found.when, found.site, strict=True)):
            books.move(fields[k])
            # The field as the kernel had it.
            books.flip(int(site), float(found.field[k]))
            yield (begun + float(when)) * width, books.line(int(site))
        books.move(fields[-1])
        yield (begun + 1) * width, books.line(-1)
