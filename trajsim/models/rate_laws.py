"""Rate laws: the rate of a flip as a function of its energy dE. One class a law.

A law takes the energy of a flip of spin i in parts, each divided by the temperature of the site:
x = J_ij s_i s_j / T_i for each bond, x = h_i s_i / T_i for the field, dE_i / T_i = 2 (sum of all
x). `bond` gives a number that does not depend on time; these are joined one by one into a number
`local`, beginning with `start`; `flip_rate` adds the field. The rate must fall with the x of the
field: the thinning bound of the kernel is the rate at the field's most favourable value
(`trajsim.models.spins.rate_bound`).

Each law obeys local detailed balance, rate(s) / rate(flipped s) = exp(-dE_i / T_i). Written
with exp(2x), not 1 - tanh(x), which loses all digits at low temperature.

To add a law: write a NamedTuple with the four functions, or an `Additive` with its `flip_rate`, and
list it in SHIPPED. Users register theirs by `register_rate_law` (docs/extending.md). A law whose
rate has a kink where dE = 0 declares it by `kinked = True`: the exact side breaks its steps there.
"""

from typing import Any, NamedTuple

from trajsim.compiled.elementary import exp
from trajsim.extending.plugins import Registry
from trajsim.extending.sources import give_unique_name, home_of
from trajsim.models.law_checks import check_law
from trajsim.models.law_functions import FUNCTIONS, bond, flip_rate, join, start

__all__ = [
    "FUNCTIONS",
    "LAWS",
    "SHIPPED",
    "Additive",
    "Arrhenius",
    "GlauberProduct",
    "HeatBath",
    "Metropolis",
    "bond",
    "flip_rate",
    "join",
    "register_rate_law",
    "start",
]


class GlauberProduct(NamedTuple):
    """rate * prod_j (1 - tanh(J_ij s_i s_j / T_i)) * (1 - tanh(h_i s_i / T_i)).

    The law of Marathe, Jayannavar & Dhar, Phys. Rev. E 75, 030103 (2007).
    """

    rate: float

    @staticmethod
    def start(law):
        return 1.0

    @staticmethod
    def bond(law, x):
        return 2.0 / (1.0 + exp(2.0 * x))

    @staticmethod
    def join(law, local, part):
        return local * part

    @staticmethod
    def flip_rate(law, local, x):
        return law.rate * local * (2.0 / (1.0 + exp(2.0 * x)))


class Additive(NamedTuple):
    """Base of laws whose bonds add up: `local` is their sum, and a law is its `flip_rate`."""

    rate: float

    @staticmethod
    def start(law):
        """Value of `local` without bonds."""
        return 0.0

    @staticmethod
    def bond(law, x):
        """Part of `local` by a bond, x = J_ij s_i s_j / T_i."""
        return x

    @staticmethod
    def join(law, local, part):
        """`local` with one more bond."""
        return local + part


class HeatBath(Additive):
    """rate * (1 - tanh(dE_i / 2 T_i)): Glauber, J. Math. Phys. 4, 294 (1963)."""

    __slots__ = ()

    @staticmethod
    def flip_rate(law, local, x):
        return law.rate * (2.0 / (1.0 + exp(2.0 * (local + x))))


class Metropolis(Additive):
    """rate * min(1, exp(-dE_i / T_i)): Metropolis et al., J. Chem. Phys. 21, 1087 (1953)."""

    __slots__ = ()
    kinked = True

    @staticmethod
    def flip_rate(law, local, x):
        return law.rate * exp(min(0.0, -2.0 * (local + x)))


class Arrhenius(Additive):
    """rate * exp(-dE_i / 2 T_i): a barrier half way between the two energies."""

    __slots__ = ()

    @staticmethod
    def flip_rate(law, local, x):
        return law.rate * exp(-(local + x))


SHIPPED = {
    "glauber-product": GlauberProduct,
    "heat-bath": HeatBath,
    "metropolis": Metropolis,
    "arrhenius": Arrhenius,
}


def _accept(name: str, law: Any) -> None:
    """Check a law from a plugin, and give it a type of its own for the compiler."""
    if isinstance(law, type):
        give_unique_name(law)
    check_law(name, law)


LAWS = Registry(
    "trajsim.rate_laws",
    "rate law",
    SHIPPED,
    _accept,
    lambda law: (home_of(law), [getattr(law, function) for function in FUNCTIONS]),
)


def register_rate_law(name: str, law: type) -> None:
    """Let configs say `rate_law = name`.

    Parameters
    ----------
    name : by which configs call it
    law : NamedTuple class with the field `rate`, perhaps others with defaults, and the static
        functions `start`, `bond`, `join` and `flip_rate` of this module's laws

    Raises
    ------
    trajsim.models.law_checks.RateLawError
        If the law breaks detailed balance, does not fall with its x, or cannot be compiled.
    trajsim.extending.plugins.PluginError
        If the name is no name, or one of trajsim's own laws'.
    """
    LAWS.register(name, law)
