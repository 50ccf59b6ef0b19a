"""The exact side of clock spins: all their jumps, site 0 the fastest in the number of a state."""

import numpy as np
from numpy.typing import NDArray

from clock_spins.model import ClockNetwork, bond_cost, energy, rate
from trajsim.compiled.jit import compiled
from trajsim.ensemble.answers import NoExactSideError
from trajsim.ensemble.jumps.channels import JumpProcess
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.models.drive import value, values_and_slopes

Array = NDArray[np.float64]

MOST_SITES = 5


def ensemble(network: ClockNetwork, tolerance: float) -> JumpEnsemble:
    """Exact ensemble of a network.

    Raises
    ------
    NoExactSideError
        If there are too many sites.
    """
    clocks, jumps = _states(network), _jumps(network)
    source, target, site, cost, turn = (np.array(column) for column in zip(*jumps, strict=True))
    sites = np.arange(len(network.bath))
    driven = np.flatnonzero(network.driven >= 0)
    along = network.along[sites, clocks].T
    constant = np.where(network.driven >= 0, 0.0, network.drive.offset)

    heat = cost - constant[site] * turn
    change = -turn * (site == driven[:, None])

    def fields(u: Array) -> tuple[Array, Array]:
        value, slope = values_and_slopes(network.drive, u)
        return value[:, driven], slope[:, driven] / network.period

    def rate_at(u: Array, field: Array) -> Array:
        return np.asarray(_rates(network, site, heat + field @ change))

    process = JumpProcess(
        states=len(clocks),
        baths=int(network.bath.max()) + 1,
        counters=len(sites),
        period=network.period,
        source=source,
        target=target,
        kind=np.arange(len(jumps)),
        bath=network.bath[site],
        counter=site,
        heat=heat,
        change=change,
        conjugate=-along[driven],
        parameters=fields,
        rate=rate_at,
    )
    return JumpEnsemble(process, tolerance)


@compiled
def _rates(network, site, cost):
    """Rates (t, k) of jumps of sites (k,) that cost (t, k)."""
    out = np.empty(cost.shape)
    for t in range(cost.shape[0]):
        for k in range(cost.shape[1]):
            out[t, k] = rate(network, site[k], cost[t, k])
    return out


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


def _jumps(network: ClockNetwork) -> list[tuple[int, int, int, float, float]]:
    """All jumps: the states before and after, the site, its cost in the bonds, the turn of cos."""
    jumps = []
    for x, clock in enumerate(_states(network)):
        for i, k in enumerate(clock):
            for way in (1, 2):
                to = (int(k) + way) % 3
                turn = network.along[i, to] - network.along[i, k]
                target = x + (to - int(k)) * 3**i
                jumps.append((x, target, i, bond_cost(network, clock, i, to), turn))
    return jumps
