"""The four functions of a rate law as compiled code calls them (`trajsim.models.rate_laws`).

numba compiles one kernel for each law, by the type of the NamedTuple: with a jitted function as
argument every process would compile again.
"""

from typing import Any

from numba.extending import overload

FUNCTIONS = ("start", "bond", "join", "flip_rate")


def start(law: Any) -> float:
    """Value of `local` for a spin without bonds."""
    return law.start(law)


def bond(law: Any, x: float) -> float:
    """Part of `local` by a bond, x = J_ij s_i s_j / T_i."""
    return law.bond(law, x)


def join(law: Any, local: float, part: float) -> float:
    """`local` with one more bond."""
    return law.join(law, local, part)


def flip_rate(law: Any, local: float, x: float) -> float:
    """Rate of the flip under the field, x = h_i s_i / T_i; per unit time."""
    return law.flip_rate(law, local, x)


@overload(start, inline="always")
def _start(law):
    return law.instance_class.start


@overload(bond, inline="always")
def _bond(law, x):
    return law.instance_class.bond


@overload(join, inline="always")
def _join(law, local, part):
    return law.instance_class.join


@overload(flip_rate, inline="always")
def _flip_rate(law, local, x):
    return law.instance_class.flip_rate
