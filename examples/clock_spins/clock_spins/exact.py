"""The exact side of clock spins: the master equation of all 3**n states, site 0 the fastest."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clock_spins.model import ClockNetwork, bond_cost, energy, rate
from trajsim.exact.ensemble import NoExactSideError
from trajsim.exact.jumps import JumpEnsemble
from trajsim.jit import compiled
from trajsim.models.drive import slope, value

Array = NDArray[np.float64]

MOST_SITES = 5


class Moves(NamedTuple):
    """All jumps (m,): between which states, of which site, its cost in the bonds, turn of cos."""

    origin: NDArray[np.int64]
    target: NDArray[np.int64]
    site: NDArray[np.int64]
    cost: Array
    turn: Array


def ensemble(network: ClockNetwork, tolerance: float) -> JumpEnsemble:
    """Exact ensemble of a network.

    Raises
    ------
    NoExactSideError
        If there are too many sites.
    """
    clocks, moves = _states(network), _moves(network)
    n, states = len(network.bath), len(clocks)
    baths, drives = int(network.bath.max()) + 1, int(network.driven.max()) + 1
    along = np.ascontiguousarray(network.along[np.arange(n), clocks].T)

    def at(fraction: float) -> tuple[Array, Array]:
        generator = np.zeros((states, states))
        gains = np.zeros((baths + 2 * drives + n, states))
        _fill(network, moves, along, fraction, baths, drives, generator, gains)
        return generator, gains

    return JumpEnsemble(at, network.period, baths, drives, n, tolerance)


@compiled
def _fill(network, moves, along, fraction, baths, drives, generator, gains):
    """Rates of all jumps, and what each state gains per unit time by them and by the drives."""
    for m in range(len(moves.site)):
        i, x = moves.site[m], moves.origin[m]
        h = value(network.drive, i, fraction)
        cost = moves.cost[m] - h * moves.turn[m]
        speed = rate(network, i, cost)
        generator[moves.target[m], x] += speed
        generator[x, x] -= speed
        gains[network.bath[i], x] += speed * cost
        gains[baths + 2 * drives + i, x] += speed
        if network.driven[i] >= 0:
            gains[baths + drives + network.driven[i], x] += speed * h * moves.turn[m]
    for i in range(len(along)):
        rise = slope(network.drive, i, fraction) / network.period
        if network.driven[i] >= 0:
            for x in range(along.shape[1]):
                gains[baths + network.driven[i], x] = -rise * along[i, x]


def start_state(network: ClockNetwork, initial: str) -> Array:
    """P (3**n,) from which trajectories with this `initial` are drawn.

    Raises
    ------
    NoExactSideError
        If it does not exist or has too many states to list.
    """
    states = 3 ** len(network.bath)
    if initial == "periodic":
        return ensemble(network, 1e-10).periodic_state
    if initial == "equilibrium":
        h = np.array([value(network.drive, i, 0.0) for i in range(len(network.bath))])
        weight = [-energy(network, clock, h) / network.temperature[0] for clock in _states(network)]
        odds = np.exp(np.array(weight) - max(weight))
        return np.asarray(odds / odds.sum())
    _states(network)
    return np.eye(1, states)[0] if initial == "aligned" else np.full(states, 1.0 / states)


def _states(network: ClockNetwork) -> NDArray[np.int8]:
    """All states (3**n, n)."""
    n = len(network.bath)
    if n > MOST_SITES:
        raise NoExactSideError(f"the states of {n} clock spins are too many: at most {MOST_SITES}")
    return (np.arange(3**n)[:, None] // 3 ** np.arange(n) % 3).astype(np.int8)


def _moves(network: ClockNetwork) -> Moves:
    found = []
    for x, clock in enumerate(_states(network)):
        for i, k in enumerate(clock):
            for way in (1, 2):
                to = (int(k) + way) % 3
                turn = network.along[i, to] - network.along[i, k]
                target = x + (to - int(k)) * 3**i
                found.append((x, target, i, bond_cost(network, clock, i, to), turn))
    return Moves(*(np.array(part) for part in zip(*found, strict=True)))
