"""What a driven system between baths does: engine, pump, heater, accelerator, transfer.

A regime is named only where every sign it rests on is sure: `sign` decides, of samples and of exact
numbers alike.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.estimate import Estimate, sign

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Regime(NamedTuple):
    """Name, efficiency -w/q_hot of an engine, COP q_cold/w of a pump; None where there is none."""

    name: str
    efficiency: Estimate[float] | None
    cop: Estimate[float] | None

    def __str__(self) -> str:
        text = self.name
        if self.efficiency:
            text += f", efficiency {self.efficiency}"
        return f"{text}, COP {self.cop}" if self.cop else text

    def __repr__(self) -> str:
        return f"<regime: {self}>"


def classify(
    heat: Array,
    work: float,
    covariance: Array,
    temperatures: Mapping[str, float],
    driven: bool,
    doubt: float = 0.0,
) -> Regime:
    """Regime of mean heats (baths,) and total work.

    Parameters
    ----------
    heat : heat rates in the order of `temperatures`
    work : rate of the inclusive work of all drives
    covariance : (baths + 1, baths + 1) of the errors of the heats and, last, of the work
    temperatures : of the baths by name
    driven : whether anything is driven at all
    doubt : by how much each of them may be off besides, by rounding
    """
    values = np.append(heat, work)

    def of(weights: Array) -> int:
        return sign(float(weights @ values), _error(weights, covariance), doubt=doubt)

    each = [of(one) for one in np.eye(len(values))]
    if len(set(temperatures.values())) > 2:
        return Regime(_signs(each, list(temperatures)), None, None)
    masks = hot_and_cold(temperatures)
    if masks is None:
        return Regime(_equally_warm(each[:-1]) if driven else "undecided", None, None)
    hot, cold = (np.append(mask.astype(float), 0.0) for mask in masks)
    q_hot, q_cold, w = of(hot), of(cold), each[-1]
    if not driven:
        return Regime("conduction" if q_hot > 0 > q_cold else "undecided", None, None)
    only_work = np.eye(len(values))[-1]
    if w < 0 < q_hot:
        return Regime("engine", _ratio(-only_work, hot, values, covariance), None)
    if w > 0 and q_cold > 0:
        return Regime("pump", None, _ratio(cold, only_work, values, covariance))
    if q_hot < 0 and q_cold < 0:
        return Regime("heater", None, None)
    if w > 0 and q_hot > 0 > q_cold:
        return Regime("accelerator", None, None)
    return Regime("undecided", None, None)


def _equally_warm(heats: list[int]) -> str:
    """What drives do between baths of one temperature, of which the signs of the heats are given.

    Without drives that is nothing: in equilibrium there is no regime, whatever samples show.
    """
    if 1 in heats and -1 in heats:
        return "transfer"
    return "heater" if set(heats) == {-1} else "undecided"


def hot_and_cold(temperatures: Mapping[str, float]) -> tuple[Mask, Mask] | None:
    """Which baths (baths,) are the hot and which the cold ones; None unless of two temperatures."""
    at = np.array(list(temperatures.values()))
    levels = np.unique(at)
    return (at == levels[1], at == levels[0]) if len(levels) == 2 else None


def _error(weights: Array, covariance: Array) -> float:
    variance = float(weights @ covariance @ weights)
    return variance if math.isnan(variance) else math.sqrt(max(0.0, variance))


def _ratio(above: Array, below: Array, values: Array, covariance: Array) -> Estimate[float]:
    """Ratio of two means, its error to first order in theirs."""
    divisor = float(below @ values)
    if divisor == 0.0:
        return Estimate(math.nan, math.nan)
    ratio = float(above @ values) / divisor
    return Estimate(ratio, _error((above - ratio * below) / divisor, covariance))


def _signs(each: list[int], names: list[str]) -> str:
    marks = {1: "> 0", -1: "< 0", 0: "~ 0"}
    words = [f"q_{name}" for name in names] + ["w"]
    return ", ".join(f"{word} {marks[s]}" for word, s in zip(words, each, strict=True))
