"""What a driven system between baths does: engine, pump, heater, accelerator, transfer.

A regime is named only where every sign it rests on is sure: where the number is enough errors off
zero (`Sigmas`), of samples, of exact numbers and of whole sweeps alike.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.estimate import SURE, Estimate, sigmas

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


class Sigmas(NamedTuple):
    """Heats and work of a point in units of their errors (`estimate.sigmas`).

    heats : of each bath
    hot, cold : of the sums over baths of the higher and of the lower temperature; None unless there
        are two
    work : of all drives
    """

    heats: tuple[float, ...]
    hot: float | None
    cold: float | None
    work: float

    def regime(self, driven: bool = True, sure: float = SURE) -> str:
        """Name of the regime between at most two temperatures.

        "engine", "pump", "heater", "accelerator" or, of equally warm baths, "transfer"; if nothing
        is driven, "conduction"; "undecided" where a sign that it rests on is not sure.
        """
        if self.hot is None or self.cold is None:
            # In equilibrium there is no regime, whatever samples show.
            if driven and max(self.heats) > sure and min(self.heats) < -sure:
                return "transfer"
            return "heater" if driven and max(self.heats) < -sure else "undecided"
        if not driven:
            return "conduction" if self.hot > sure and self.cold < -sure else "undecided"
        if self.work < -sure and self.hot > sure:
            return "engine"
        if self.work > sure and self.cold > sure:
            return "pump"
        if self.hot < -sure and self.cold < -sure:
            return "heater"
        if self.work > sure and self.hot > sure and self.cold < -sure:
            return "accelerator"
        return "undecided"

    @property
    def taken(self) -> float:
        """Largest heat from the colder bath, or from any of equally warm ones."""
        return max(self.heats) if self.cold is None else self.cold

    def claim(self, sure: float) -> str:
        """Regime of a driven system if that is "engine", "pump" or "transfer".

        Else "neither" where the work is lost and no colder bath gives heat, which may be sure where
        it is not whether a hotter one does; else "open".
        """
        name = self.regime(sure=sure)
        if name in ("engine", "pump", "transfer"):
            return name
        return "neither" if self.work > sure and self.taken < -sure else "open"


def regime_sigmas(
    heat: Array,
    work: float,
    covariance: Array,
    temperatures: Mapping[str, float],
    doubt: float = 0.0,
) -> Sigmas:
    """What regimes are told by; the parameters are those of `classify`."""
    values = np.append(heat, work)

    def of(weights: Array) -> float:
        return sigmas(float(weights @ values), _error(weights, covariance), doubt)

    *heats, only_work = (of(one) for one in np.eye(len(values)))
    masks = hot_and_cold(temperatures)
    hot, cold = (None, None) if masks is None else (of(_weights(mask)) for mask in masks)
    return Sigmas(tuple(heats), hot, cold, only_work)


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
    temperatures : of the baths by name; nan of one that is hot and cold in turn
    driven : whether anything is driven at all
    doubt : by how much each of them may be off besides, by rounding
    """
    off = regime_sigmas(heat, work, covariance, temperatures, doubt)
    levels = set(temperatures.values())
    if len(levels) > 2 or any(map(math.isnan, levels)):
        return Regime(_signs(off, list(temperatures)), None, None)
    name = off.regime(driven)
    masks = hot_and_cold(temperatures)
    if masks is None or name not in ("engine", "pump"):
        return Regime(name, None, None)
    hot, cold = map(_weights, masks)
    only_work = np.eye(len(hot))[-1]
    values = np.append(heat, work)
    if name == "engine":
        return Regime(name, _ratio(-only_work, hot, values, covariance), None)
    return Regime(name, None, _ratio(cold, only_work, values, covariance))


def hot_and_cold(temperatures: Mapping[str, float]) -> tuple[Mask, Mask] | None:
    """Which baths (baths,) are the hot and which the cold ones; None unless of two temperatures.

    A temperature of nan is of a bath that is both in the course of a period.
    """
    at = np.array(list(temperatures.values()))
    if np.isnan(at).any():
        return None
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


def _weights(mask: Mask) -> Array:
    """Weights (baths + 1,) of heats and work that sum the heats of some baths."""
    return np.append(mask.astype(float), 0.0)


def _signs(off: Sigmas, names: list[str]) -> str:
    words = [f"q_{name}" for name in names] + ["w"]
    signs = ["> 0" if x > SURE else "< 0" if x < -SURE else "~ 0" for x in (*off.heats, off.work)]
    return ", ".join(f"{word} {mark}" for word, mark in zip(words, signs, strict=True))
