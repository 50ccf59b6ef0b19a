"""Published results of the paper: its numbers, its parameters, its closed form.

R. Marathe, A. M. Jayannavar, A. Dhar, "Two simple models of classical heat pumps", Phys. Rev. E 75,
030103 (2007). Its statements are in `trajsim.paper.statements`, each beside how it is judged.
"""

from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Number(NamedTuple):
    """A number in the text.

    Attributes
    ----------
    name : of the quantity, in words
    place : in the paper
    printed : digits as printed
    run : name of the run to compare with
    quantity : of that run: "heat.R" for a mean rate, "efficiency"
    """

    name: str
    place: str
    printed: str
    run: str
    quantity: str

    @property
    def value(self) -> float:
        """The number."""
        return float(self.printed)

    @property
    def unit(self) -> float:
        """One in its last printed digit."""
        exponent = Decimal(self.printed).as_tuple().exponent
        assert isinstance(exponent, int)
        return float(10.0**exponent)


NUMBERS = (
    Number("q_L without drive", "text on Fig. 1", "1.41e-4", "undriven", "heat.L"),
    Number("q_R without drive", "text on Fig. 1", "-1.41e-4", "undriven", "heat.R"),
    Number("q_R of the pump, phi = 2.2", "text on Fig. 1", "3.674e-4", "heat_pump", "heat.R"),
    Number("q_L of the pump, phi = 2.2", "text on Fig. 1", "-1.025e-3", "heat_pump", "heat.L"),
    Number(
        "efficiency |w| / q_L of the engine, phi = 0.7 pi",
        "text on Fig. 2",
        "1.75e-2",
        "heat_engine",
        "efficiency",
    ),
)


class Parameters(NamedTuple):
    """Parameters of a figure: values by key of the config, at one of its points."""

    place: str
    run: str
    values: dict[str, float]


_SPINS = {"model.rate": 0.5, "bonds.1-2.coupling": 1.0}
_FIELDS = {"sites.1.drive.amplitude": 0.25, "sites.2.drive.amplitude": 0.25}
_LEFT = {"sites.1.drive.phase": 0.0}
_PUMP = {"baths.L.temperature": 0.5, "baths.R.temperature": 0.499, "drive.period": 225.0}
_ENGINE = {"baths.L.temperature": 1.0, "baths.R.temperature": 0.1, "drive.period": 190.0}
_DRIVEN = {**_SPINS, **_FIELDS, **_LEFT}

PARAMETERS = (
    Parameters("Fig. 1", "figure-1", {**_DRIVEN, **_PUMP, "baths.R.temperature": 0.5}),
    Parameters("Fig. 1, inset", "figure-1", {**_DRIVEN, **_PUMP}),
    Parameters("text on Fig. 1: undriven", "undriven", {**_SPINS, **_PUMP}),
    Parameters(
        "text on Fig. 1: pump", "heat_pump", {**_DRIVEN, **_PUMP, "sites.2.drive.phase": 2.2}
    ),
    Parameters("Fig. 2", "figure-2", {**_DRIVEN, **_ENGINE}),
    Parameters(
        "text on Fig. 2: engine",
        "heat_engine",
        {**_DRIVEN, **_ENGINE, "sites.2.drive.phase": 0.7 * np.pi},
    ),
    Parameters("Fig. 3", "figure-3", {**_DRIVEN, **_PUMP, "sites.2.drive.phase": 2.2}),
    Parameters("Fig. 3, inset", "figure-3", {**_DRIVEN, **_ENGINE, "sites.2.drive.phase": 2.2}),
    Parameters(
        "Fig. 4",
        "figure-4",
        {
            **_LEFT,
            "model.mass": 1.0,
            "model.friction": 1.0,
            "sites.1.stiffness": 2.0,
            "sites.2.stiffness": 2.0,
            "bonds.1-2.stiffness": 3.0,
            "sites.1.drive.amplitude": 1.0,
            "sites.2.drive.amplitude": 1.0,
            "drive.period": 3.0,  # Omega = 2 pi / 3
        },
    ),
)


def equation_7(phi: ArrayLike, left: float, right: float) -> dict[str, Array]:
    """Mean rates of the oscillator pair at the parameters of Fig. 4, by the paper's closed form.

    Parameters
    ----------
    phi : (n,) phases
    left, right : temperatures
    """
    k, kc, m, gamma, force, omega = 2.0, 3.0, 1.0, 1.0, 1.0, 2 * np.pi / 3
    phi = np.asarray(phi, float)
    stiffness = k + kc - m * omega**2 - 1j * gamma * omega
    a, b = stiffness / (stiffness**2 - kc**2), kc / (stiffness**2 - kc**2)
    d = 2 * gamma**2 * omega**2 * kc / abs(stiffness**2 - kc**2) ** 2
    conduction = gamma * kc**2 * (left - right) / (2 * (m * kc**2 + (k + kc) * gamma**2))
    common, half = a.imag + b.imag * np.cos(phi), force**2 * omega / 2
    return {
        "q_L": -half * (common + d * np.sin(phi)) + conduction,
        "q_R": -half * (common - d * np.sin(phi)) - conduction,
        "w_L": half * (common - b.real * np.sin(phi)),
        "w_R": half * (common + b.real * np.sin(phi)),
    }
