"""Types that exact ensembles return."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import TrajsimError

Array = NDArray[np.float64]


class NoExactSideError(TrajsimError, ValueError):
    """The exact ensemble of this system is out of reach; the message says why."""


def one_temperature(temperatures: Array) -> float:
    """The temperature that all baths (n,) have.

    Raises
    ------
    NoExactSideError
        If they differ.
    """
    if np.ptp(temperatures) > 0.0:
        raise NoExactSideError(
            "an equilibrium exists only where all baths have the same temperature"
        )
    return float(temperatures[0])


def canonical(energy: Array, temperature: float) -> tuple[Array, float]:
    """Boltzmann weights (states,) of energies, of which the largest is 1, and the free energy."""
    lowest = float(energy.min())
    weights = np.exp((lowest - energy) / temperature)
    return weights, lowest - temperature * math.log(weights.sum())


class Energetics(NamedTuple):
    """Mean heats, works and flips, in total or per unit time; any leading axes.

    heat (..., baths), work and exclusive_work (..., drives): energy or energy per time.
    flips (..., sites): number or number per time; no entries where nothing flips.
    """

    heat: Array
    work: Array
    exclusive_work: Array
    flips: Array


class Exchanges(NamedTuple):
    """`Energetics` of jump networks, with the jumps (..., baths) that each bath makes.

    chemical_work and particles (..., baths) that come from each bath; no entries without particles.
    """

    heat: Array
    work: Array
    exclusive_work: Array
    jumps: Array
    chemical_work: Array
    particles: Array


def of_kind(energetics: "Energetics | Exchanges", kind: str) -> Array:
    """Entries of a kind, such as "heat"; none where a model does not have it."""
    return np.asarray(getattr(energetics, kind, np.zeros(0)), np.float64)


class Currents(NamedTuple):
    """Period-averaged rates in the periodic state, and an estimated error of each.

    Both are Energetics, or Exchanges of a jump network.
    """

    rates: Any
    error: Any


class TimeSeries(NamedTuple):
    """An ensemble in time: its state at the edges of segments, its energetics in each segment."""

    state: Any
    energetics: Any


class Window(NamedTuple):
    """Expected averages over a recorded window.

    rates : Energetics per unit time over the whole window
    edges : (phases, ...) by name, averages over the window where rows begin, at each phase of
        the period at which they do: "occupation" (phases, 2**n) of spins, "position" and others
        (phases, n) of oscillators
    """

    rates: Any
    edges: dict[str, Array]
