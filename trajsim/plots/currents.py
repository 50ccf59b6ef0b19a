"""The currents that figures show: heat of each bath and work of the drives, exact and sampled."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from trajsim.config import Experiment
from trajsim.ensemble import NoExactSideError, ensemble, start_state
from trajsim.plots.style import COLOURS, MARKERS, upright

Array = NDArray[np.float64]

# Relative accuracy of exact curves: less than for a check.
CURVE_TOLERANCE = 1e-6
MOST_BATHS = 7
RATE = "heat and work rates (energy / time)"


class Line(NamedTuple):
    """One current: its label, its column of the rates, its colour and marker."""

    label: str
    kind: str
    column: int | None  # None adds up all
    colour: str
    marker: str

    def of(self, rates: Any) -> Array:
        """Its values (...) in an object with arrays (..., labels) by kind."""
        values = np.asarray(
            rates[self.kind] if isinstance(rates, dict) else getattr(rates, self.kind)
        )
        return values.sum(axis=-1) if self.column is None else values[..., self.column]

    def curve(self, ax: Axes, x: Array, y: Array, alone: bool) -> None:
        """Draw its exact curve, labelled if nothing is sampled.

        Parameters
        ----------
        ax : axes to draw in
        x, y : (k,) points of the curve
        alone : whether nothing is sampled
        """
        ax.plot(x, y, color=self.colour, label=self.label if alone else None)

    def dots(self, ax: Axes, x: Array, y: Array, error: Array, size: float) -> None:
        """Draw its sampled values with their standard errors.

        Parameters
        ----------
        ax : axes to draw in
        x, y, error : (k,) values with standard errors
        size : of the markers
        """
        ax.errorbar(
            x,
            y,
            error,
            fmt=self.marker,
            color=self.colour,
            ms=size,
            elinewidth=0.9,
            capsize=0.5 * size,
            label=self.label,
        )


def lines_of(experiment: Experiment) -> list[Line]:
    """Heat of each bath and the total work: the curves of the paper's figures.

    And the chemical work of each bath that gives particles.
    """
    rows: list[tuple[str, str, int | None]] = []
    for k, bath in enumerate(list(experiment.baths)[:MOST_BATHS]):
        rows.append((rf"$\dot q_{upright(bath)}$", "heat", k))
    drives = experiment.labels["drive"]
    if experiment.works_apart and len(drives) == 2:
        rows += [(rf"$\dot w_{upright(d)}$", "work", k) for k, d in enumerate(drives)]
    elif drives:
        rows.append((r"$\dot w$", "work", None))
    for k, bath in enumerate(list(experiment.baths)[:MOST_BATHS]):
        if bath in experiment.reservoirs:
            rows.append((rf"$\dot w_{upright('chem,' + bath)}$", "chemical_work", k))
    return [
        Line(label, kind, column, COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)])
        for k, (label, kind, column) in enumerate(rows)
    ]


def exact_window(experiment: Experiment) -> Any:
    """Exact means over the recorded periods, with start and burn-in; None if unknown."""
    network = experiment.network()
    try:
        # The ensemble first: it refuses systems whose states are too many to list.
        exact = ensemble(network, CURVE_TOLERANCE)
        start = start_state(network, experiment.ensemble.initial)
        return exact.window(start, experiment.plan)
    except NoExactSideError:
        return None


def exact_rates(experiment: Experiment) -> Any:
    """Exact mean rates over the recorded periods; None if unknown."""
    window = exact_window(experiment)
    return None if window is None else window.rates


def no_exact_side(experiment: Experiment) -> str | None:
    """Why figures of an experiment have no exact curves; None if they have."""
    try:
        ensemble(experiment.network(), CURVE_TOLERANCE)
    except NoExactSideError as error:
        return str(error)
    return None


def zero(ax: Axes) -> None:
    """The line at which currents change sign."""
    ax.axhline(0, color="0.6", lw=0.7, zorder=0)
