"""What a driven system between baths does: engine, pump, heater, accelerator, transfer.

A regime is named only where every sign it rests on is beyond `SURE` standard errors.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SURE = 3.0


class Estimate(NamedTuple):
    """A number and its standard error; nan where not known."""

    mean: float
    stderr: float

    @property
    def sign(self) -> int:
        """+1 or -1 where the sign is sure, else 0."""
        if not abs(self.mean) > SURE * self.stderr:
            return 0
        return 1 if self.mean > 0 else -1


class Regime(NamedTuple):
    """Name, efficiency -w/q_hot of an engine, COP q_cold/w of a pump; None where there is none."""

    name: str
    efficiency: Estimate | None
    cop: Estimate | None


def classify(
    heat: Array, work: float, covariance: Array, temperatures: Mapping[str, float], driven: bool
) -> Regime:
    """Regime of mean heats (baths,) and total work.

    Parameters
    ----------
    heat : heat rates in the order of `temperatures`
    work : rate of the inclusive work of all drives
    covariance : (baths + 1, baths + 1) of the errors of the heats and, last, of the work
    temperatures : of the baths by name
    driven : whether anything is driven at all
    """
    values = np.append(heat, work)

    def estimate(weights: Array) -> Estimate:
        return Estimate(float(weights @ values), _error(weights, covariance))

    only_work = np.append(np.zeros(len(heat)), 1.0)
    w = estimate(only_work)
    at = list(temperatures.values())
    if len(np.unique(at)) > 2:
        return Regime(_signs(values, covariance, list(temperatures)), None, None)
    masks = hot_and_cold(temperatures)
    if masks is None:
        each = [estimate(np.eye(len(values))[b]).sign for b in range(len(heat))]
        if 1 in each and -1 in each:
            return Regime("transfer", None, None)
        return Regime("heater" if set(each) == {-1} else "undecided", None, None)
    hot, cold = (np.append(mask.astype(float), 0.0) for mask in masks)
    q_cold, q_hot = estimate(cold), estimate(hot)
    if not driven:
        sure = q_hot.sign > 0 > q_cold.sign
        return Regime("conduction" if sure else "undecided", None, None)
    if w.sign < 0 and q_hot.sign > 0:
        return Regime("engine", _ratio(-only_work, hot, values, covariance), None)
    if w.sign > 0 and q_cold.sign > 0:
        return Regime("pump", None, _ratio(cold, only_work, values, covariance))
    if q_hot.sign < 0 and q_cold.sign < 0:
        return Regime("heater", None, None)
    if w.sign > 0 and q_hot.sign > 0 and q_cold.sign < 0:
        return Regime("accelerator", None, None)
    return Regime("undecided", None, None)


def hot_and_cold(temperatures: Mapping[str, float]) -> tuple[Mask, Mask] | None:
    """Which baths (baths,) are the hot and which the cold ones; None unless of two temperatures."""
    at = np.array(list(temperatures.values()))
    levels = np.unique(at)
    return (at == levels[1], at == levels[0]) if len(levels) == 2 else None


def _error(weights: Array, covariance: Array) -> float:
    variance = float(weights @ covariance @ weights)
    return variance if math.isnan(variance) else math.sqrt(max(0.0, variance))


def _ratio(above: Array, below: Array, values: Array, covariance: Array) -> Estimate:
    """Ratio of two means, its error to first order in theirs."""
    divisor = float(below @ values)
    if divisor == 0.0:
        return Estimate(math.nan, math.nan)
    ratio = float(above @ values) / divisor
    return Estimate(ratio, _error((above - ratio * below) / divisor, covariance))


def _signs(values: Array, covariance: Array, names: list[str]) -> str:
    marks = {1: "> 0", -1: "< 0", 0: "~ 0"}
    words = []
    for k, name in enumerate([f"q_{n}" for n in names] + ["w"]):
        error = _error(np.eye(len(values))[k], covariance)
        words.append(f"{name} {marks[Estimate(values[k], error).sign]}")
    return ", ".join(words)
