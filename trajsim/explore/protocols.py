"""Optimal protocols: the values of a waveform's points for which a mean is at its best.

The first and the last point stay: they say where the protocol begins and where it ends. All others
move, by the gradient of the exact mean (`trajsim.ensemble.variation`) and a quasi-Newton method.
A protocol that ends (one period, from equilibrium) is judged by itself, any other by a period of
the periodic state.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.regimes import hot_and_cold
from trajsim.config import ConfigError, Experiment, with_parameters
from trajsim.config.keys import find
from trajsim.ensemble import NoExactSideError, variation_of
from trajsim.ensemble.variation import Variation, Varied, Weighted
from trajsim.explore.points import ExploreError
from trajsim.running.progress import bar

Array = NDArray[np.float64]
Points = list[list[float]]

# Change of a parameter by which its effect on rates is measured, in units of the least temperature.
STEP = 1e-5
# Relative accuracy of a mean and its gradient, and how many times steps are made shorter for it.
ACCURACY, ROUNDS = 1e-9, 6
# Most iterations, and the relative change of the goal that ends them.
ITERATIONS, UNCHANGED = 500, 1e-13


class Means(NamedTuple):
    """Mean heats from all baths of the higher and of the lower temperature, and the total work.

    hot and cold are nan where there are no two temperatures.
    """

    hot: float
    cold: float
    work: float


class Aim(NamedTuple):
    """A quantity: whether it is to be large or small, and its derivatives by the means.

    Those of a `ratio` depend on the means.
    """

    meaning: str
    large: bool
    ratio: bool
    value: Callable[[Means], float]
    slope: Callable[[Means], Means]


def _sum(meaning: str, large: bool, weights: Means) -> Aim:
    return Aim(
        meaning, large, False, lambda m: float(np.dot(weights, np.nan_to_num(m))), lambda _: weights
    )


AIMS = {
    "work": _sum("w", False, Means(0.0, 0.0, 1.0)),
    "power": _sum("-w", True, Means(0.0, 0.0, -1.0)),
    "cooling": _sum("q_cold", True, Means(0.0, 1.0, 0.0)),
    "efficiency": Aim(
        "-w / q_hot",
        True,
        True,
        lambda m: -m.work / m.hot,
        lambda m: Means(m.work / m.hot**2, 0.0, -1.0 / m.hot),
    ),
    "cop": Aim(
        "q_cold / w",
        True,
        True,
        lambda m: m.cold / m.work,
        lambda m: Means(0.0, 1.0 / m.work, -m.cold / m.work**2),
    ),
}


@dataclass(frozen=True)
class BestProtocol:
    """The best values of a waveform's points.

    Attributes
    ----------
    key, aim : of the points, and key of AIMS
    ends : whether it is a protocol that ends; else a period of the periodic state counts
    first, best : points at first and at the best
    before, value : the quantity with these, per period
    gradient : (k,) derivatives of the quantity by the values of the points at the best; nan of the
        first and the last, which stay
    experiment : there
    evaluations : protocols that were solved
    converged : whether nothing more was gained
    """

    key: str
    aim: str
    ends: bool
    first: Points
    best: Points
    before: float
    value: float
    gradient: Array
    experiment: Experiment
    evaluations: int
    converged: bool


class Protocol:
    """A mean over a period as a function of the values of a waveform's points.

    Parameters
    ----------
    experiment : gives all other parameters
    key : of the points, such as "sites.1.drive.points"
    aim : key of AIMS

    Raises
    ------
    ExploreError
        If the key names no points, or the baths have no two temperatures that the aim needs.
    """

    def __init__(self, experiment: Experiment, key: str, aim: str) -> None:
        self.experiment, self.key, self.aim = experiment, key, AIMS[aim]
        self.points = _points_of(experiment, key)
        if experiment.drive.direction == "reverse":
            raise ExploreError("drive.direction: found 'reverse'; allowed: 'forward'")
        masks = hot_and_cold(experiment.regime_temperatures)
        if masks is None:
            if aim not in ("work", "power"):
                raise ExploreError(f"{aim} is defined between baths of two temperatures")
            masks = (np.zeros(len(experiment.baths), np.bool_),) * 2
        self.hot, self.cold = (np.asarray(mask, np.float64) for mask in masks)
        self.initial = experiment.ensemble.initial if experiment.ends else "periodic"
        self.evaluations, self._finer = 0, 0

    def at(self, values: Sequence[float] | Array) -> Experiment:
        """Experiment with other values (k,) at the points."""
        points = [[u, float(v)] for (u, _), v in zip(self.points, values, strict=True)]
        return with_parameters(self.experiment, {self.key: points})

    def gradient(self, values: Array) -> tuple[float, Array]:
        """The quantity, per period, and its derivatives (k,) by the values (k,) of the points."""
        self.evaluations += 1
        if not self.aim.ratio:
            return self._mean(values, self.aim.slope(Means(0.0, 0.0, 0.0)))
        means = Means(*(self._mean(values, Means(*unit))[0] for unit in np.eye(3)))
        return self.aim.value(means), self._mean(values, self.aim.slope(means))[1]

    def _mean(self, values: Array, weights: Means) -> tuple[float, Array]:
        """Mean of weighted heats and work, and its derivatives by the values."""
        if not self._finer:
            self._finer = self._steps(values, weights)
        return self._solved(values, weights, self._finer)

    def _steps(self, values: Array, weights: Means) -> int:
        """How many times steps must be shorter than at first; that of one protocol does for all."""
        coarse = self._solved(values, weights, 1)
        for finer in (1 << k for k in range(ROUNDS)):
            fine = self._solved(values, weights, 2 * finer)
            scale = max(abs(fine[0]), abs(fine[1]).max(), 1e-300)
            if max(abs(fine[0] - coarse[0]), abs(fine[1] - coarse[1]).max()) <= ACCURACY * scale:
                return finer
            coarse = fine
        raise NoExactSideError("the gradient is not known to nine digits with the steps allowed")

    def _solved(self, values: Array, weights: Means, finer: int) -> tuple[float, Array]:
        weighted = Weighted(weights.hot * self.hot + weights.cold * self.cold, weights.work)
        breaks = np.unique([u for u, _ in self.points])
        found = variation_of(
            self.at(values).network(), [self._varied(values)], self.initial, weighted, breaks, finer
        )
        return found.mean, self._by_points(found)

    def _varied(self, values: Array) -> Varied:
        """Networks with all values a little larger, and a little smaller if that is allowed."""
        size = STEP * min(self.experiment.temperatures.values())
        more = self.at(values + size).network()
        try:
            return Varied(more, self.at(values - size).network(), size)
        except ConfigError:
            return Varied(more, self.at(values).network(), 0.5 * size)

    def _by_points(self, found: Variation) -> Array:
        """Derivatives (k,) by the values of the points: the waveform is linear between them."""
        density = found.weights * found.density[0]
        out = np.zeros(len(self.points))
        for k, ((a, _), (b, _)) in enumerate(pairwise(self.points)):
            within = (found.nodes > a) & (found.nodes < b)
            if b > a:
                share = (found.nodes[within] - a) / (b - a)
                out[k] += (density[within] * (1.0 - share)).sum()
                out[k + 1] += (density[within] * share).sum()
        return out


def _points_of(experiment: Experiment, key: str) -> Points:
    """Points of a waveform, which can move.

    Raises
    ------
    ExploreError
        If there are none.
    """
    data: Any = experiment.model_dump()
    try:
        for part in find(data, key):
            data = data[part]
    except (KeyError, IndexError, TypeError) as error:
        reason = error.args[0] if error.args else "no such key"
        raise ExploreError(f"{key}: {reason}") from None
    if not isinstance(data, list) or not data:
        raise ExploreError(f"{key}: no points; allowed: the points of a waveform")
    if len(data) < 3:
        raise ExploreError(f"{key}: {len(data)} points; allowed: more, all but two of which move")
    return [[float(u), float(value)] for u, value in data]


def best_protocol(
    experiment: Experiment, key: str, aim: str, bounds: tuple[float, float] | None = None
) -> BestProtocol:
    """Move the values of a waveform's points until a quantity is at its best.

    The optimum is that next to the protocol of the experiment, and the only one where the mean is a
    convex function of the values, as the work on a dragged harmonic trap is.

    Parameters
    ----------
    experiment : gives all other parameters, and the protocol at first
    key : of the points, such as "sites.1.drive.points"; the first and the last one stay
    aim : key of AIMS
    bounds : lowest and highest value; by default none

    Raises
    ------
    ExploreError
        If there are no such points, or the quantity is not defined.
    trajsim.config.ConfigError
        If a value that is not allowed would be better; bounds keep from it.
    trajsim.ensemble.NoExactSideError
        If there is no exact side, or it is out of reach.
    """
    from scipy.optimize import minimize

    protocol = Protocol(experiment, key, aim)
    given = np.array([value for _, value in protocol.points])
    before, slope = protocol.gradient(given)
    scale = max(abs(before), abs(slope[1:-1]).max(), 1e-300)
    sign = -1.0 if AIMS[aim].large else 1.0

    def whole(inner: Array) -> Array:
        return np.concatenate([given[:1], inner, given[-1:]])

    with bar(ITERATIONS, " protocols", desc=aim, leave=False) as progress:

        def cost(inner: Array) -> tuple[float, Array]:
            progress.update(1)
            value, derivative = protocol.gradient(whole(inner))
            return sign * value / scale, sign * derivative[1:-1] / scale

        found = minimize(
            cost,
            given[1:-1],
            jac=True,
            method="L-BFGS-B",
            bounds=None if bounds is None else [bounds] * (len(given) - 2),
            options={"maxiter": ITERATIONS, "ftol": UNCHANGED, "gtol": 1e-9, "maxcor": 30},
        )
    best = whole(found.x)
    value, slope = protocol.gradient(best)
    slope[[0, -1]] = np.nan
    return BestProtocol(
        key=key,
        aim=aim,
        ends=experiment.ends,
        first=protocol.points,
        best=[[u, float(v)] for (u, _), v in zip(protocol.points, best, strict=True)],
        before=before,
        value=value,
        gradient=slope,
        experiment=protocol.at(best),
        evaluations=protocol.evaluations,
        converged=bool(found.success),
    )
