"""Maps of two parameters: the regime of the system at each point of a grid."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.regimes import Regime
from trajsim.config import Config
from trajsim.explore.points import ExploreError, exact_regime, flows, solve
from trajsim.running.progress import each

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RegimeMap:
    """A grid of exact points.

    Attributes
    ----------
    name : title among several maps, such as "model.rate_law = metropolis"
    config : its points are those of the grid, the second key the faster
    x, y : keys of the axes, in the order of the [sweep]
    solved, regimes : exact ensembles and regimes, in the order of `config.points`
    """

    name: str
    config: Config
    x: str
    y: str
    solved: list[Any]
    regimes: list[Regime]

    @property
    def grid(self) -> tuple[Array, Array]:
        """Ascending values of x (nx,) and of y (ny,)."""
        return np.unique(self._parameters(self.x)), np.unique(self._parameters(self.y))

    def on_grid(self, values: Any) -> NDArray:
        """Values of all points as an array (ny, nx), rows and columns ascending."""
        array = np.asarray(list(values))
        order = np.lexsort((self._parameters(self.x), self._parameters(self.y)))
        x, y = self.grid
        return array[order].reshape(len(y), len(x))

    @property
    def ratios(self) -> tuple[Array, Array]:
        """-w / q_hot and q_cold / w (points,), nan where the divisor is not surely positive.

        Efficiency and COP where they are positive. They are defined beyond the border of their
        regime, so that contour lines can be drawn up to it.
        """
        ratios = np.full((2, len(self.regimes)), np.nan)
        for k, (point, solved) in enumerate(zip(self.config.points, self.solved, strict=True)):
            point_flows = flows(point.experiment, solved.currents)
            if point_flows is None:
                continue
            if point_flows.hot.sign > 0:
                ratios[0, k] = -point_flows.work.mean / point_flows.hot.mean
            if point_flows.work.sign > 0:
                ratios[1, k] = point_flows.cold.mean / point_flows.work.mean
        return ratios[0], ratios[1]

    def _parameters(self, key: str) -> Array:
        return np.array([point.parameters[key] for point in self.config.points])


def axes_of(config: Config) -> tuple[str, str]:
    """First keys of the two entries of a config's [sweep]; keys may move together in an entry.

    Raises
    ------
    ExploreError
        If the sweep is no grid of two axes with at least two different values each.
    """
    headings = list(config.experiment.sweep)
    if len(headings) != 2:
        raise ExploreError(
            f"a map has two axes, found {len(headings)}{': ' * bool(headings)}"
            f"{'; '.join(headings)}; name two with --over KEY=START:STOP:NUM, or in [sweep]"
        )
    first, second = (heading.split(",")[0].strip() for heading in headings)
    counts = [len({point.parameters[key] for point in config.points}) for key in (first, second)]
    if counts[0] * counts[1] != len(config.points) or min(counts) < 2:
        raise ExploreError(
            f"a map needs at least two values of {first} and of {second}, each of them once"
        )
    return first, second


def regime_map(config: Config, name: str = "") -> RegimeMap:
    """Solve every point of a config's two-parameter grid, with a progress bar.

    Raises
    ------
    ExploreError
        If the config has no such grid.
    trajsim.ensemble.NoExactSideError
        If there is no exact side, or it is out of reach.
    """
    x, y = axes_of(config)
    solved, regimes = [], []
    for point in each(config.points, name or "map", unit=" points"):
        ensemble = solve(point.experiment)
        solved.append(ensemble)
        regimes.append(exact_regime(point.experiment, ensemble.currents))
    return RegimeMap(name, config, x, y, solved, regimes)
