"""Where in a box of parameters an engine or a pump is at its best.

What is maximised is a merit that is known everywhere and equals the quantity asked for where the
system is in the regime that has it: an efficiency exists only of an engine. A search of the whole
box (differential evolution) finds the neighbourhood, a simplex the point.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.regimes import Regime, hot_and_cold
from trajsim.config import Experiment, with_parameters
from trajsim.ensemble import NoExactSideError
from trajsim.errors import TrajsimError
from trajsim.explore.points import ExploreError, Flows, exact_regime, flows, solve
from trajsim.running.progress import bar

Array = NDArray[np.float64]

# Of differential evolution: individuals for each parameter, most generations; what its random
# numbers begin from: the same question has the same answer.
INDIVIDUALS, GENERATIONS, SEED = 16, 60, 2007
# A parameter as close to its bound, in units of the box, is at it.
AT_BOUND = 1e-6


class Goal(NamedTuple):
    """A quantity, the regime that has it, and a merit from what flows.

    Where the system is not in the regime, the merit is not positive, and the larger the nearer.
    """

    regime: str
    meaning: str
    merit: Callable[[Flows], float]


def _efficiency(at: Flows) -> float:
    if at.work.sign < 0 < at.hot.sign:
        return -at.work.mean / at.hot.mean
    return _missing(at.work.mean, at)


def _cop(at: Flows) -> float:
    if at.cold.sign > 0 and at.work.sign > 0:
        return at.cold.mean / at.work.mean
    return _missing(at.cold.mean, at)


def _missing(value: float, at: Flows) -> float:
    """What is missing, as a share of all that flows."""
    scale = sum(abs(flow.mean) for flow in at)
    return -abs(value) / scale if scale > 0 else -1.0


GOALS = {
    "efficiency": Goal("engine", "-w / q_hot", _efficiency),
    "cop": Goal("pump", "q_cold / w", _cop),
    "cooling": Goal("pump", "q_cold", lambda at: at.cold.mean),
    "power": Goal("engine", "-w", lambda at: -at.work.mean),
}


class _OutOfReachError(TrajsimError):
    """Holds a NoExactSideError on its way through scipy, which makes others of a ValueError."""


@dataclass(frozen=True)
class Optimum:
    """The best point found.

    Attributes
    ----------
    goal : key of GOALS
    bounds : lowest and highest value of each parameter
    parameters : where the merit is largest
    experiment : there
    solved, regime : exact ensemble and regime there
    evaluations : points that were solved
    """

    goal: str
    bounds: dict[str, tuple[float, float]]
    parameters: dict[str, float]
    experiment: Experiment
    solved: Any
    regime: Regime
    evaluations: int

    @property
    def found(self) -> bool:
        """Whether the system is in the regime that has the quantity asked for."""
        return self.regime.name == GOALS[self.goal].regime

    @property
    def value(self) -> float | None:
        """The quantity at its largest; None if no point with one was found."""
        if not self.found:
            return None
        return _merit(self.goal, self.experiment, self.solved)

    @property
    def at_bound(self) -> list[str]:
        """Parameters that would go on beyond the bounds."""
        return [
            key
            for key, (low, high) in self.bounds.items()
            if min(self.parameters[key] - low, high - self.parameters[key])
            <= AT_BOUND * (high - low)
        ]


def _merit(goal: str, experiment: Experiment, solved: Any) -> float:
    """Merit at a point; -inf where both baths are equally warm, so that none is the colder."""
    at = flows(experiment, solved.currents)
    return -np.inf if at is None else GOALS[goal].merit(at)


def maximize(experiment: Experiment, goal: str, bounds: Mapping[str, Sequence[float]]) -> Optimum:
    """Search a box of parameters for the largest value of a quantity.

    Parameters
    ----------
    experiment : what does not vary is as in it
    goal : key of GOALS
    bounds : lowest and highest value by key

    Raises
    ------
    ExploreError
        If a range is empty, or nowhere in the box are there two temperatures and a drive.
    trajsim.ensemble.NoExactSideError
        If there is no exact side, or it is out of reach.
    """
    keys = list(bounds)
    low, high = (np.array([bounds[key][end] for key in keys], float) for end in (0, 1))
    for key, one, other in zip(keys, low, high, strict=True):
        if not one < other:
            raise ExploreError(f"{key}: no room between the bounds {one:g} and {other:g}")
    if not experiment.labels["drive"]:
        raise ExploreError("nothing is driven: there is neither an engine nor a pump")
    # The middle of the box, and not quite: there temperatures that vary may be equal.
    if hot_and_cold(_at(experiment, keys, low + 0.4567 * (high - low)).temperatures) is None:
        raise ExploreError(f"{goal} is defined between baths of two temperatures")
    most = INDIVIDUALS * len(keys) * (GENERATIONS + 1)
    evaluations = 0

    def within(share: Array) -> Array:
        """Parameters at shares of the box; rounding leads to none beyond its bounds."""
        return np.clip(low + share * (high - low), low, high)

    with bar(most, " points", desc=goal, leave=False) as shown:

        def cost(share: Array) -> float:
            nonlocal evaluations
            evaluations += 1
            shown.update(1)
            here = _at(experiment, keys, within(share))
            try:
                return -_merit(goal, here, solve(here))
            except NoExactSideError as error:
                raise _OutOfReachError(error) from None

        try:
            best = _search(cost, len(keys))
        except _OutOfReachError as error:
            raise error.args[0] from None
    parameters = {key: float(x) for key, x in zip(keys, within(best), strict=True)}
    there = with_parameters(experiment, parameters)
    solved = solve(there)
    regime = exact_regime(there, solved.currents)
    ends = {key: (float(a), float(b)) for key, a, b in zip(keys, low, high, strict=True)}
    return Optimum(goal, ends, parameters, there, solved, regime, evaluations)


def _search(cost: Callable[[Array], float], parameters: int) -> Array:
    """Where in the unit box (parameters,) a cost is least."""
    from scipy.optimize import Bounds, differential_evolution, minimize

    box = Bounds(np.zeros(parameters), np.ones(parameters))
    wide = differential_evolution(
        cost, box, popsize=INDIVIDUALS, maxiter=GENERATIONS, tol=1e-6, seed=SEED, polish=False
    )
    near = minimize(
        cost,
        wide.x,
        method="Nelder-Mead",
        bounds=box,
        options={"initial_simplex": _simplex(wide.x), "xatol": 1e-8, "fatol": 0.0},
    )
    return np.asarray(near.x if near.fun <= wide.fun else wide.x)


def _at(experiment: Experiment, keys: list[str], values: Array) -> Experiment:
    return with_parameters(experiment, dict(zip(keys, map(float, values), strict=True)))


def _simplex(start: Array, size: float = 0.01) -> Array:
    """Corners (d + 1, d) around a point of the unit box, inside of it."""
    inward = np.where(start > 0.5, -size, size)
    return np.vstack([start, start + np.diag(inward)])
