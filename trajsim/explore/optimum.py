"""Optimal parameters of an engine or a pump within a box.

The function maximised is a merit that is defined everywhere and equals the quantity asked for where
the system is in the regime that has it: only an engine has an efficiency. A global search of the
box (differential evolution) is refined by a simplex.
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

# Differential evolution: individuals for each parameter, most generations, and a fixed seed, so
# that results are reproducible.
INDIVIDUALS, GENERATIONS, SEED = 16, 60, 2007
# A parameter as close to its bound, in units of the box, is at it.
AT_BOUND = 1e-6


class Goal(NamedTuple):
    """A quantity, the regime that has it, and a merit as a function of the currents.

    Outside of the regime the merit is not positive, and increases towards it.
    """

    regime: str
    meaning: str
    merit: Callable[[Flows], float]


def _efficiency(flows: Flows) -> float:
    if flows.work.sign < 0 < flows.hot.sign:
        return -flows.work.mean / flows.hot.mean
    return _shortfall(flows.work.mean, flows)


def _cop(flows: Flows) -> float:
    if flows.cold.sign > 0 and flows.work.sign > 0:
        return flows.cold.mean / flows.work.mean
    return _shortfall(flows.cold.mean, flows)


def _shortfall(value: float, flows: Flows) -> float:
    """Minus a current of the wrong sign, relative to the sum of all currents."""
    scale = sum(abs(flow.mean) for flow in flows)
    return -abs(value) / scale if scale > 0 else -1.0


GOALS = {
    "efficiency": Goal("engine", "-w / q_hot", _efficiency),
    "cop": Goal("pump", "q_cold / w", _cop),
    "cooling": Goal("pump", "q_cold", lambda flows: flows.cold.mean),
    "power": Goal("engine", "-w", lambda flows: -flows.work.mean),
}


class _OutOfReachError(TrajsimError):
    """Carries a NoExactSideError through scipy, which would replace a ValueError."""


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
        """Parameters whose optimum is at a bound."""
        return [
            key
            for key, (low, high) in self.bounds.items()
            if min(self.parameters[key] - low, high - self.parameters[key])
            <= AT_BOUND * (high - low)
        ]


def _merit(goal: str, experiment: Experiment, solved: Any) -> float:
    """Merit at a point; -inf where all baths have the same temperature."""
    currents = flows(experiment, solved.currents)
    return -np.inf if currents is None else GOALS[goal].merit(currents)


def maximize(experiment: Experiment, goal: str, bounds: Mapping[str, Sequence[float]]) -> Optimum:
    """Search a box of parameters for the largest value of a quantity.

    Parameters
    ----------
    experiment : gives all parameters that do not vary
    goal : key of GOALS
    bounds : lowest and highest value by key

    Raises
    ------
    ExploreError
        If a range is empty, nothing is driven, or baths do not have two temperatures.
    trajsim.ensemble.NoExactSideError
        If there is no exact side, or it is out of reach.
    """
    keys = list(bounds)
    low, high = (np.array([bounds[key][end] for key in keys], float) for end in (0, 1))
    for key, lowest, highest in zip(keys, low, high, strict=True):
        if not lowest < highest:
            raise ExploreError(f"{key}: no room between the bounds {lowest:g} and {highest:g}")
    if not experiment.labels["drive"]:
        raise ExploreError("nothing is driven: there is neither an engine nor a pump")
    # Near the middle of the box: at the middle temperatures that vary may be equal.
    if (
        hot_and_cold(_set(experiment, keys, low + 0.4567 * (high - low)).regime_temperatures)
        is None
    ):
        raise ExploreError(f"{goal} is defined between baths of two temperatures")
    most = INDIVIDUALS * len(keys) * (GENERATIONS + 1)
    evaluations = 0

    def in_box(unit: Array) -> Array:
        """Parameters at a point of the unit box, clipped to the bounds."""
        return np.clip(low + unit * (high - low), low, high)

    with bar(most, " points", desc=goal, leave=False) as progress:

        def cost(unit: Array) -> float:
            nonlocal evaluations
            evaluations += 1
            progress.update(1)
            candidate = _set(experiment, keys, in_box(unit))
            try:
                return -_merit(goal, candidate, solve(candidate))
            except NoExactSideError as error:
                raise _OutOfReachError(error) from None

        try:
            best = _search(cost, len(keys))
        except _OutOfReachError as error:
            raise error.args[0] from None
    parameters = {key: float(x) for key, x in zip(keys, in_box(best), strict=True)}
    optimum = with_parameters(experiment, parameters)
    solved = solve(optimum)
    regime = exact_regime(optimum, solved.currents)
    ends = {key: (float(a), float(b)) for key, a, b in zip(keys, low, high, strict=True)}
    return Optimum(goal, ends, parameters, optimum, solved, regime, evaluations)


def _search(cost: Callable[[Array], float], parameters: int) -> Array:
    """Point (parameters,) of the unit box at which a cost is least."""
    from scipy.optimize import Bounds, differential_evolution, minimize

    box = Bounds(np.zeros(parameters), np.ones(parameters))
    evolved = differential_evolution(
        cost, box, popsize=INDIVIDUALS, maxiter=GENERATIONS, tol=1e-6, seed=SEED, polish=False
    )
    refined = minimize(
        cost,
        evolved.x,
        method="Nelder-Mead",
        bounds=box,
        options={"initial_simplex": _simplex(evolved.x), "xatol": 1e-8, "fatol": 0.0},
    )
    return np.asarray(refined.x if refined.fun <= evolved.fun else evolved.x)


def _set(experiment: Experiment, keys: list[str], values: Array) -> Experiment:
    return with_parameters(experiment, dict(zip(keys, map(float, values), strict=True)))


def _simplex(start: Array, size: float = 0.01) -> Array:
    """Corners (d + 1, d) of a simplex at a point of the unit box, within the box."""
    inward = np.where(start > 0.5, -size, size)
    return np.vstack([start, start + np.diag(inward)])
