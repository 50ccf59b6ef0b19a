"""What every exact ensemble answers with."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import TrajsimError

Array = NDArray[np.float64]


class NoExactSideError(TrajsimError, ValueError):
    """The exact ensemble of this system is out of reach; the message says why."""


class Energetics(NamedTuple):
    """What an ensemble gained, or energetics per unit time; the leading axes are the caller's.

    heat (..., baths), work and exclusive_work (..., drives): energy or energy per time.
    flips (..., sites): number or number per time; no entries where nothing flips.
    """

    heat: Array
    work: Array
    exclusive_work: Array
    flips: Array


class Currents(NamedTuple):
    """Period-averaged rates in the periodic state, and how far each may be off."""

    rates: Energetics
    error: Energetics


class TimeSeries(NamedTuple):
    """An ensemble followed in time: its state at the edges, its energetics in each segment."""

    state: Any
    energetics: Energetics


class Window(NamedTuple):
    """What a recorded window should show on average.

    rates : Energetics per unit time over the whole window
    edges : (phases, ...) by name, averages over the window where rows begin, at each phase of
        the period at which they do: "occupation" (phases, 2**n) of spins, "position" and others
        (phases, n) of oscillators
    """

    rates: Energetics
    edges: dict[str, Array]
