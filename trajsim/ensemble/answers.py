"""Types that exact ensembles return."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import TrajsimError

Array = NDArray[np.float64]


class NoExactSideError(TrajsimError, ValueError):
    """The exact ensemble of this system is out of reach; the message says why."""


class Energetics(NamedTuple):
    """Mean heats, works and flips, in total or per unit time; any leading axes.

    heat (..., baths), work and exclusive_work (..., drives): energy or energy per time.
    flips (..., sites): number or number per time; no entries where nothing flips.
    """

    heat: Array
    work: Array
    exclusive_work: Array
    flips: Array


class Currents(NamedTuple):
    """Period-averaged rates in the periodic state, and an estimated error of each."""

    rates: Energetics
    error: Energetics


class TimeSeries(NamedTuple):
    """An ensemble in time: its state at the edges of segments, its energetics in each segment."""

    state: Any
    energetics: Energetics


class Window(NamedTuple):
    """Expected averages over a recorded window.

    rates : Energetics per unit time over the whole window
    edges : (phases, ...) by name, averages over the window where rows begin, at each phase of
        the period at which they do: "occupation" (phases, 2**n) of spins, "position" and others
        (phases, n) of oscillators
    """

    rates: Energetics
    edges: dict[str, Array]
