"""Tables of the thermal moves of a step: which site each bath moves when, and how far.

Sites with inertia have O steps, one for each of their baths; those of several baths stand in a
palindrome, half the step of each before and half after that of the last. Overdamped sites move in
turn, half a step there and half a step back. Heat is what one move changes of the energy, so it is
the heat of its bath.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.kernels.held import Held
from trajsim.models.oscillators import OscillatorNetwork, flow_of

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


class Moves(NamedTuple):
    """Tables of m moves; see `trajsim.kernels.langevin.Oscillation`."""

    mover: Integers
    source: Integers
    damping: Array
    push: Array
    bend: Array
    spread: Array
    beta: Array


def moves_of(network: OscillatorNetwork, dt: float, held: Held) -> Moves:
    """Tables of the thermal moves of steps.

    Parameters
    ----------
    network : OscillatorNetwork
    dt : length of a step
    held : parameters in the steps
    """
    contacts = np.flatnonzero(network.bath >= 0)
    if network.overdamped:
        order, time = _palindrome(contacts)
    else:
        sites = [contacts[network.site[contacts] == i] for i in np.unique(network.site)]
        parts = [_palindrome(each) for each in sites if len(each)]
        order, time = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    order = order.astype(np.int64)
    mover, friction, time = network.site[order], network.friction[order], time * dt
    warm = held.temperature[:, order]
    damping, push = np.ones(len(order)), np.zeros((1, len(order)))
    bend = push
    if network.overdamped:
        # x' = x + push F + spread xi, the exact solution for F linear in x.
        bend = np.diagonal(held.stiffness, axis1=1, axis2=2)
        bend = bend[held.which[: len(held.force)] if network.stretching else [0]][:, mover]
        drift = time / friction
        push = drift * _mean_decay(bend * drift)
        spread = np.sqrt(2.0 * warm * drift * _mean_decay(2.0 * bend * drift))
    else:
        decay = friction * time / network.mass[mover]
        damping = np.exp(-decay)
        spread = np.sqrt(-np.expm1(-2.0 * decay) * warm / network.mass[mover])
    rows = (len(spread), len(order))
    # Without a temperature there is no noise, and no entropy.
    beta = np.divide(1.0, warm, out=np.zeros_like(warm), where=warm > 0.0)
    tables = (push, bend, spread, beta)
    push, bend, spread, beta = (np.broadcast_to(table, rows).copy("C") for table in tables)
    return Moves(mover, network.bath[order], damping, push, bend, spread, beta)


def _palindrome(contacts: Integers) -> tuple[Integers, Array]:
    """Contacts there and back, and the part of a step that each lasts."""
    order = np.append(contacts, contacts[-2::-1])
    time = np.full(len(order), 0.5)
    time[len(contacts) - 1 : len(contacts)] = 1.0
    return order, time


def _mean_decay(z: Array) -> Array:
    """(1 - exp(-z)) / z."""
    return np.divide(-np.expm1(-z), z, out=np.ones_like(z), where=z != 0.0)


def slowest_rate(network: OscillatorNetwork) -> float:
    """Rate at which nonlinear oscillators come to equilibrium, as far as linear ones tell.

    gamma / m of the site of the least; of overdamped motion the slowest of its linear part.
    """
    if network.overdamped:
        return float(-np.linalg.eigvals(flow_of(network, network.stiffness)).real.max())
    coupled = network.bath >= 0
    return float((network.friction / network.mass[network.site])[coupled].min())
