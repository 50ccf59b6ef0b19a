"""The exact side of clock spins: all their jumps, site 0 the fastest in the number of a state."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from clock_spins.model import MOST_SITES, ClockNetwork, energy
from trajsim.ensemble.answers import NoExactSideError
from trajsim.ensemble.jumps.channels import JumpProcess
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.ensemble.jumps.spins import driven_parameters, flip_rates
from trajsim.models.rate_laws import start
from trajsim.models.waveform import at_edges, jumps, phases_of_breaks, some

Array = NDArray[np.float64]


def ensemble(network: ClockNetwork, tolerance: float = 1e-9) -> JumpEnsemble:
    """Exact ensemble of a network.

    Raises
    ------
    NoExactSideError
        If there are too many sites.
    """
    spins, clocks = network.spins, _states(network)
    # Each site may jump from each state to either of its other two.
    source, site, way = (a.ravel() for a in np.indices((*clocks.shape, 2)))
    before = clocks[source, site]
    after = (before + 1 + way) % 3
    target = source + (after - before) * 3**site
    # Fields that do not change are no drives: what they add to the heat of a jump is constant.
    still = _energies(network, np.where(spins.driven >= 0, 0.0, spins.drive.offset))
    heat = still[target] - still[source]
    driven = np.flatnonzero(spins.driven >= 0)
    turn = network.along[site, after] - network.along[site, before]
    change = -turn * (site == driven[:, None])

    fields = some(spins.drive, driven)
    law, cold = spins.law, 2.0 * spins.temperature[site]
    process = JumpProcess(
        states=len(clocks),
        baths=int(spins.bath.max()) + 1,
        counters=len(spins.driven),
        period=spins.period,
        source=source,
        target=target,
        kind=np.arange(len(source)),
        bath=spins.bath[site],
        counter=site,
        heat=heat,
        change=change,
        conjugate=-network.along[driven[:, None], clocks.T[driven]],
        parameters=partial(driven_parameters, fields, spins.period),
        rate=partial(flip_rates, law, np.full(len(site), start(law)), heat / cold, change / cold),
        breaks=phases_of_breaks(fields),
        jumps=jumps(fields),
        opening=at_edges(fields, 1)[0],
        closing=at_edges(fields, 1)[1],
    )
    return JumpEnsemble(process, tolerance)


def start_state(network: ClockNetwork, initial: str) -> Array:
    """P (3**n,) from which trajectories with this `initial` are drawn.

    Raises
    ------
    NoExactSideError
        If it has too many states to list.
    """
    states = len(_states(network))
    if initial == "periodic":
        return ensemble(network).periodic_state
    if initial == "equilibrium":
        energies = _energies(network, at_edges(network.spins.drive, 1)[0])
        odds = np.exp((energies.min() - energies) / network.spins.temperature[0])
        return np.asarray(odds / odds.sum())
    return np.eye(1, states)[0] if initial == "up" else np.full(states, 1.0 / states)


def _states(network: ClockNetwork) -> NDArray[np.int64]:
    """All states (3**n, n)."""
    n = len(network.spins.driven)
    if n > MOST_SITES:
        raise NoExactSideError(f"the states of {n} clock spins are too many: at most {MOST_SITES}")
    return np.arange(3**n)[:, None] // 3 ** np.arange(n) % 3


def _energies(network: ClockNetwork, h: Array) -> Array:
    """Energies (3**n,) of all states in the fields h (n,)."""
    return np.array([energy(network, clock, h) for clock in _states(network)])
