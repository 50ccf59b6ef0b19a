"""Contacts of spins with their baths, as the kernels of spins see them.

Where each spin has one contact, at the rate of the law, a contact is its spin, and nothing is
looked up.
"""

from typing import NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from trajsim.compiled.simd import read
from trajsim.kernels.waves import length_of
from trajsim.models.spins import SpinNetwork

Integers = NDArray[np.int64]


class Contacts(NamedTuple):
    """What kernels read of a `SpinNetwork`; every array more takes longer to compile."""

    site: Integers
    contact: Integers
    multiple: NDArray[np.float64]
    first: Integers
    neighbour: Integers
    bond: Integers
    coupling: NDArray[np.float64]
    bath: Integers
    driven: Integers
    driven_bond: Integers
    drives: int


def contacts(network: SpinNetwork) -> Contacts:
    """What kernels read of a network."""
    return Contacts(*(getattr(network, name) for name in Contacts._fields))


def spin_of(model, c):
    """Spin that contact c flips.

    Parameters
    ----------
    model : of a kernel; its tuple `shared` is empty where a contact is its spin
    c : contact
    """


@overload(spin_of, inline="always")
def _spin_of(model, c):
    if length_of(model, "shared") == 0:
        return lambda model, c: c
    return lambda model, c: read(model.network.site, c)


def contacts_of(model, i):
    """First contact of spin i, and the one after its last.

    Parameters
    ----------
    model : as for `spin_of`
    i : spin
    """


@overload(contacts_of, inline="always")
def _contacts_of(model, i):
    if length_of(model, "shared") == 0:
        return lambda model, i: (i, i + 1)
    return lambda model, i: (read(model.network.contact, i), read(model.network.contact, i + 1))


def multiplied(model, c, rate):
    """Rate at contact c, from that of the law.

    Parameters
    ----------
    model : as for `spin_of`
    c : contact
    rate : of the law
    """


@overload(multiplied, inline="always")
def _multiplied(model, c, rate):
    if length_of(model, "shared") == 0:
        return lambda model, c, rate: rate
    return lambda model, c, rate: read(model.network.multiple, c) * rate
