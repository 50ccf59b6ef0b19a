"""Phases at which heats of jumps go through 0, where rates may have kinks or all but jump."""

from typing import Any

import numpy as np

from trajsim.ensemble.answers import Array
from trajsim.ensemble.jumps.channels import JumpProcess

# Points in a cycle of the fastest harmonic between which a parameter crosses a level at most once.
GRID = 64
# Range of a heat over its temperature from which on a rate all but jumps where the heat is 0.
STEEP = 15.0
# Difference of phases that is taken for rounding.
SAME_PHASE = 1e-13


def with_crossings(
    process: JumpProcess, classes: Any, order: int, layer: float, parameters: bool
) -> JumpProcess:
    """The process with breaks where heats of some classes go through 0.

    Parameters
    ----------
    process : JumpProcess
    classes : numbers of those whose rates are not smooth there
    order : of the fastest harmonic of any parameter
    layer : least part of the period within which their rates change
    parameters : whether to break where a parameter goes through 0 as well
    """
    crossings = _crossings(process, classes, order, parameters)
    breaks = process.breaks
    more = [u for u in crossings if min(abs(u - np.array(breaks))) > SAME_PHASE]
    return process.driven_by(breaks=sorted([*breaks, *more]), layer=layer)


def _crossings(process: JumpProcess, classes: Any, order: int, parameters: bool) -> Array:
    """Phases at which the heat of one of these classes, or a parameter, goes through 0."""
    from scipy.optimize import brentq

    def costs(u: Array) -> Array:
        value = process.parameters(u)[0]
        heats = process.heats_of(value)[:, classes]
        return np.concatenate([heats, value], axis=1) if parameters else heats

    grid = np.union1d(np.linspace(0.0, 1.0, GRID * order + 1), np.array(process.breaks))
    # On both sides of each interval: parameters may jump at its ends.
    begins, ends = costs(np.nextafter(grid[:-1], 2.0)), costs(grid[1:])
    found = []
    for k, c in np.argwhere(np.sign(begins) * np.sign(ends) < 0.0):
        low = np.nextafter(grid[k], 2.0)

        def cost(u: float, c: Any = c) -> float:
            return float(costs(np.array([u]))[0, c])

        found.append(brentq(cost, low, grid[k + 1], xtol=1e-15))
    # Or where it is 0 but for rounding at an edge of the grid.
    found += grid[1:-1][(np.sign(ends[:-1]) != np.sign(begins[1:])).any(axis=1)].tolist()
    phases = np.unique(found)
    return np.asarray(phases[np.diff(phases, prepend=-1.0) > SAME_PHASE])
