"""Jump networks as a jump process: each transition is a channel in either direction."""

from functools import partial
from typing import Any

import numpy as np

from trajsim.ensemble.answers import Array, NoExactSideError, canonical, one_temperature
from trajsim.ensemble.jumps.channels import JumpProcess
from trajsim.ensemble.jumps.crossings import STEEP, with_crossings
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.ensemble.jumps.limits import expect_room
from trajsim.ensemble.jumps.recorded import RecordedNumbers
from trajsim.ensemble.jumps.spins import driven_parameters
from trajsim.ensemble.jumps.steady import steady
from trajsim.models.jumps import JumpNetwork, potentials, rates_of
from trajsim.models.waveform import (
    Waveform,
    Waveforms,
    at_edges,
    bounds,
    joined,
    jumps,
    pack,
    phases_of_breaks,
    ranges,
    some,
    speeds,
    values,
)
from trajsim.plan import Plan

__all__ = ["ensemble", "free_energy_change", "recorded_states", "start_state", "steady"]

# Numbers in a table of channels by parameters up to which equal channels are looked for.
MOST_COMPARED = 1 << 22


def jump_process(network: JumpNetwork) -> JumpProcess:
    """Both directions of all transitions; equal ones are of one class.

    Raises
    ------
    NoExactSideError
        If states or parameters are too many for the memory at hand.
    """
    states, count, baths = len(network.names), len(network.source), network.baths
    exchanged = baths if network.exchanging else 0
    parameters = network.drives + 2 * exchanged
    expect_room(states, 2 * count // states + 1, f"{states} states")
    expect_room(2 * count, (parameters + baths) * (1 + parameters) // 2, f"{parameters} parameters")
    waves = _parameters(network)
    still = np.where(network.driven >= 0, 0.0, network.energies.offset)
    change, load = np.zeros((parameters, count)), np.zeros((parameters, count))
    transition = np.arange(count)
    for end, sign in ((network.source, -1.0), (network.target, 1.0)):
        moved = np.flatnonzero(network.driven[end] >= 0)
        change[network.driven[end[moved]], moved] += sign
    has_load = np.flatnonzero(network.loaded >= 0)
    change[network.loaded[has_load], has_load] = -1.0
    load[network.loaded[has_load], has_load] = 1.0
    if exchanged:
        at = network.drives + network.bath
        change[at, transition] = -network.particles
        load[at, transition] = load[at + baths, transition] = network.particles
    conjugate = np.zeros((parameters, states))
    driven = np.flatnonzero(network.driven >= 0)
    conjugate[network.driven[driven], driven] = 1.0
    heat = still[network.target] - still[network.source]
    # a -> b, then b -> a.
    both: Array = np.concatenate([heat, -heat])
    change, load = np.hstack([change, -change]), np.hstack([load, -load])
    bath, law, rate = np.tile(network.bath, 2), np.tile(network.law, 2), np.tile(network.rate, 2)
    first, kind = np.arange(2 * count), np.arange(2 * count)
    if 2 * count * (2 * parameters + 4) <= MOST_COMPARED:
        rows = np.column_stack([bath, law, rate, both, change.T, load.T])
        _, first, kind = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    bath, law, rate, both = bath[first], law[first], rate[first], both[first]
    change, load = change[:, first], load[:, first]
    opening, closing = at_edges(waves, 1) if len(waves.start) else (None, None)
    process = JumpProcess(
        states=states,
        baths=baths,
        counters=baths,
        period=network.period,
        source=np.concatenate([network.source, network.target]),
        target=np.concatenate([network.target, network.source]),
        kind=kind.ravel(),
        bath=bath,
        counter=bath,
        heat=both,
        change=change,
        conjugate=conjugate,
        parameters=partial(driven_parameters, waves, network.period),
        rate=partial(_rates, network, law, rate, bath, both, change),
        breaks=phases_of_breaks(waves, network.temperatures),
        jumps=jumps(waves),
        opening=opening,
        closing=closing,
        load=load if load.any() else None,
        reservoirs=exchanged,
        by_bath=True,
    )
    return _with_crossings(network, process, law, waves)


def _parameters(network: JumpNetwork) -> Waveforms:
    """Driven energies, loads, and where there are particles chemical potentials and ones."""
    energies, loads = np.flatnonzero(network.driven >= 0), np.flatnonzero(network.loaded >= 0)
    waves = [some(network.energies, energies), some(network.loads, loads)]
    if network.exchanging:
        waves += [network.potentials, pack([Waveform(1.0)] * network.baths)]
    return joined(*waves)


def _rates(
    network: JumpNetwork,
    law: Any,
    rate: Array,
    bath: Any,
    heat: Array,
    change: Array,
    u: Array,
    value: Array,
) -> Array:
    """Rates (t, k) of classes.

    Parameters
    ----------
    network : JumpNetwork
    law, rate, bath, heat : (k,) of each class
    change : (d, k) of the heat by each parameter
    u : (t,) phases
    value : (t, d) parameters there
    """
    beta = 1.0 / values(network.temperatures, u, before=True)[:, bath]
    return np.asarray(rates_of(network.laws, law, rate, (heat + value @ change) * beta))


def _with_crossings(
    network: JumpNetwork, process: JumpProcess, law: Any, waves: Waveforms
) -> JumpProcess:
    """The process with breaks where rates are not smooth, and the least width of a jump there."""
    if not network.moving:
        return process
    reach = ranges(waves) @ abs(process.change)
    speed = speeds(waves) @ abs(process.change)
    coldest = bounds(network.temperatures)[0][process.bath]
    steep = reach > STEEP * coldest
    kinked = np.array([getattr(each, "kinked", False) for each in network.laws])[law]
    abrupt = (steep | kinked) & (speed > 0.0)
    if not abrupt.any():
        return process
    fast = steep & abrupt
    layer = min(coldest[fast] / speed[fast], default=0.0)
    order = int(waves.order.max(initial=1))
    return with_crossings(process, np.flatnonzero(abrupt), order, float(layer), parameters=False)


# -- the exact side of this kind of model --------------------------------------------------------


def ensemble(network: JumpNetwork, tolerance: float = 1e-9) -> JumpEnsemble:
    """Exact ensemble of a network."""
    return JumpEnsemble(jump_process(network), tolerance)


def start_state(network: JumpNetwork, initial: str) -> Array:
    """P (states,) from which trajectories with this `initial` are drawn.

    "equilibrium" is where no current flows at the parameters of time 0.

    Raises
    ------
    NoExactSideError
        If heats do not add up to 0 around all cycles, or the periodic state is out of reach.
    ValueError
        If there is no start of this name.
    """
    states = len(network.names)
    if initial == "periodic":
        return ensemble(network).periodic_state
    if initial == "random":
        return np.full(states, 1.0 / states)
    if initial in network.names:
        return np.asarray(np.eye(1, states, network.names.index(initial))[0])
    if initial != "equilibrium":
        raise ValueError(
            f"start: found {initial!r}; allowed: 'random', 'equilibrium', 'periodic', or the name "
            "of a state"
        )
    found = potentials(network)
    if found.affinity.any():
        raise NoExactSideError("an equilibrium exists only where no cycle has an affinity")
    weights = np.exp(found.value.min() - found.value)
    return np.asarray(weights / weights.sum())


def free_energy_change(network: JumpNetwork) -> float:
    """Free energy -T ln Z of the energies at the end of a period less that at time 0.

    Raises
    ------
    NoExactSideError
        If baths differ in temperature.
    """
    begin, end = (
        canonical(energy, one_temperature(temperatures))[1]
        for energy, temperatures in zip(
            at_edges(network.energies, 1), at_edges(network.temperatures, 1), strict=True
        )
    )
    return end - begin


def recorded_states(network: JumpNetwork, initial: str, plan: Plan) -> RecordedNumbers:
    """Probabilities of the states that a ledger records."""
    return RecordedNumbers(ensemble(network), start_state(network, initial), plan)
