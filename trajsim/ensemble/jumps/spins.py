"""Spins as a jump process: state bit i set means s_i = -1, so that site 0 is the fastest.

dE_i = 2 s_i (sum_j J_ij s_j + h_i) is the heat that a flip of spin i takes (paper, Eq. 3).
"""

import math
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from trajsim.compiled.jit import compiled
from trajsim.ensemble.answers import Array, NoExactSideError
from trajsim.ensemble.jumps.channels import JumpProcess
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.ensemble.jumps.limits import expect_room
from trajsim.models.law_functions import bond, flip_rate, join, start
from trajsim.models.spins import SpinNetwork
from trajsim.models.waveform import (
    Waveforms,
    at_edges,
    bounds,
    jumps,
    phases_of_breaks,
    ranges,
    speeds,
    values,
    values_and_slopes,
)

# Points in a cycle of the fastest harmonic between which a field crosses a level at most once.
GRID = 64
# Amplitude over temperature from which on a rate all but jumps where dE of a flip is 0.
STEEP = 15.0
# Difference of phases that is taken for rounding.
SAME_PHASE = 1e-13


def jump_process(network: SpinNetwork) -> JumpProcess:
    """All flips of a network, in classes of equal site, spin and bonds.

    Raises
    ------
    NoExactSideError
        If the states are too many for the memory at hand.
    """
    sites = len(network.bath)
    expect_room(1 << min(sites, 1000), sites, f"{sites} spins")
    states = 1 << sites
    state = np.arange(states, dtype=np.int32)
    kinds: list[Any] = []
    classes: list[tuple[float, ...]] = []
    site: list[int] = []
    for i in range(sites):
        # Patterns of the neighbours with the same rate and heat share a class.
        values, class_of = _distinct(_neighbourhoods(network, i))
        pattern = np.zeros(states, np.int32)
        for bit, j in enumerate([i, *_neighbours(network, i)]):
            pattern |= ((state >> j) & 1) << bit
        kinds.append(len(site) + class_of.reshape(-1)[pattern])
        classes += values
        site += [i] * len(values)
    site_of = np.array(site)
    spin, local, exchange = np.array([c[:3] for c in classes]).T
    signs = [np.array(c[3:]) for c in classes]
    driven = np.flatnonzero(network.driven >= 0)
    driven_bonds = np.flatnonzero(network.driven_bond >= 0)
    # Constant fields are no drives: their part of the heat of a flip is constant.
    constant = np.where(network.driven >= 0, 0.0, network.drive.offset)
    parameters, _, _ = network.drives_at_sites()
    spins = 1.0 - 2.0 * ((state >> np.arange(sites)[:, None]) & 1)
    one, other = network.ends[driven_bonds].T
    # V_d of a field is -s_i, that of a coupling -s_i s_j.
    change = np.concatenate(
        [2.0 * spin * (site_of == driven[:, None]), _changes(network, site, signs, driven_bonds)]
    )
    rate: Any
    if network.moving:
        rate = MovingRates.of(network, site_of, spin, signs)
    else:
        by_site = 1.0 / network.temperature[site_of]
        by_drive = (site_of == driven[:, None]) * spin * by_site
        rate = partial(flip_rates, network.law, local, constant[site_of] * spin * by_site, by_drive)
    edges = at_edges(parameters, 1)
    process = JumpProcess(
        states=states,
        baths=int(network.bath.max()) + 1,
        counters=sites,
        period=network.period,
        source=np.tile(state, sites),
        target=np.concatenate([state ^ (1 << i) for i in range(sites)]).astype(np.int32),
        kind=np.concatenate(kinds).astype(np.int32),
        bath=network.bath[site_of],
        counter=site_of,
        heat=2.0 * spin * (exchange + constant[site_of]),
        change=change,
        conjugate=np.concatenate([-spins[driven], -spins[one] * spins[other]]),
        parameters=partial(driven_parameters, parameters, network.period),
        rate=rate,
        jumps=jumps(parameters),
        opening=edges[0],
        closing=edges[1],
    )
    breaks, layer = _breaks(network, process)
    return replace(process, breaks=breaks, layer=layer)


def _changes(network: SpinNetwork, site: list[int], signs: list[Array], bonds: Any) -> Array:
    """Change (bonds, k) of -s_i s_j of driven bonds by a flip of each class."""
    change = np.zeros((len(bonds), len(site)))
    number = {int(b): d for d, b in enumerate(bonds)}
    for k, i in enumerate(site):
        around = network.bond[network.first[i] : network.first[i + 1]]
        for b, sign in zip(around.tolist(), signs[k], strict=False):
            if b in number:
                change[number[b], k] = 2.0 * sign
    return change


class MovingRates(NamedTuple):
    """Rates of classes (k,) where couplings or temperatures change in time.

    law : a rate law; field, couplings, temperatures : waveforms of sites, bonds and sites
    site, spin : (k,) of each class
    first : (k + 1,); bond, sign : bonds of each class, and s_i s_j of each, from first[k] on
    """

    law: Any
    field: Waveforms
    couplings: Waveforms
    temperatures: Waveforms
    site: Any
    spin: Array
    first: Any
    bond: Any
    sign: Array

    @classmethod
    def of(cls, network: SpinNetwork, site: Any, spin: Array, signs: list[Array]) -> "MovingRates":
        """Rates of classes, of which the signs of the bonds are given in the order of the bonds."""
        around = [network.bond[network.first[i] : network.first[i + 1]] for i in site]
        first = np.cumsum([0, *(len(a) for a in around)])
        waves = (network.drive, network.couplings, network.temperatures)
        bond_of = np.concatenate([*around, np.zeros(0, np.int64)])
        return cls(network.law, *waves, site, spin, first, bond_of, np.concatenate([*signs, []]))

    def __call__(self, u: Array, value: Array) -> Array:
        """Rates (t, k) at phases u (t,); the driven parameters (t, d) are worked out again."""
        at = [values(waves, u, before=True) for waves in self[1:4]]
        return np.asarray(_moving_rates(self.law, *at, *self[4:]))


@compiled
def _moving_rates(law, field, coupling, temperature, site, spin, first, bond_of, sign):
    """Rates (t, k) in fields (t, n), with couplings (t, bonds) and temperatures (t, n)."""
    out = np.empty((len(field), len(site)))
    for t in range(len(field)):
        for k in range(len(site)):
            beta, local = 1.0 / temperature[t, site[k]], start(law)
            for at in range(first[k], first[k + 1]):
                local = join(law, local, bond(law, sign[at] * coupling[t, bond_of[at]] * beta))
            out[t, k] = flip_rate(law, local, spin[k] * field[t, site[k]] * beta)
    return out


def driven_parameters(waves: Waveforms, period: float, u: Array) -> tuple[Array, Array]:
    """Driven parameters (t, d) at phases u (t,), and their derivatives by time (t, d).

    At a jump they are those before it.
    """
    value, slope = values_and_slopes(waves, u, before=True)
    return value, slope / period


def flip_rates(
    law: Any, local: Array, fixed: Array, by_drive: Array, u: Array, value: Array
) -> Array:
    """Rates (t, k) of the classes, where the fields are value (t, d).

    Parameters
    ----------
    law : a rate law
    local : (k,) bonds of each class joined by the law
    fixed, by_drive : (k,) constant part of x, and (d, k) its factor of each driven field
    u : phases (t,), not used
    value : (t, d) driven fields
    """
    return np.asarray(_flip_rates(law, local, fixed + value @ by_drive))


def _neighbours(network: SpinNetwork, i: int) -> Any:
    return network.neighbour[network.first[i] : network.first[i + 1]]


def _neighbourhoods(network: SpinNetwork, i: int) -> Array:
    """Spin i, its `local` and the field of its bonds (patterns, 3 or more), bit 0 for spin i.

    Where its bonds change in time, these are followed by s_i s_j of all of them.
    """
    around = slice(network.first[i], network.first[i + 1])
    degree = around.stop - around.start
    pattern = np.arange(2 << degree)
    spin = 1.0 - 2.0 * (pattern & 1)
    local = np.full(len(pattern), start(network.law))
    exchange = np.zeros(len(pattern))
    signs = []
    for bit in range(degree):
        k = around.start + bit
        other = 1.0 - 2.0 * ((pattern >> (bit + 1)) & 1)
        parts = np.where(spin == other, network.like[k], network.unlike[k])
        local = _joined(network.law, local, parts)
        exchange += network.coupling[k] * other
        signs.append(spin * other)
    return np.stack([spin, local, exchange, *(signs if network.moving else [])], axis=1)


def _distinct(rows: Array) -> tuple[list[tuple[float, ...]], Any]:
    """Distinct rows (m, c), and the index among them of each given row."""
    number: dict[tuple[float, ...], int] = {}
    index = [number.setdefault(tuple(row), len(number)) for row in rows.tolist()]
    return list(number), np.array(index)


def _joined(law: Any, local: Array, parts: Array) -> Array:
    joined = zip(local.tolist(), parts.tolist(), strict=True)
    return np.array([join(law, bonds, bond) for bonds, bond in joined])


@compiled
def _flip_rates(law, local, x):
    """Rates (t, k) of flips with `local` (k,) of the bonds and x (t, k) of the field."""
    out = np.empty(x.shape)
    for t in range(x.shape[0]):
        for k in range(x.shape[1]):
            out[t, k] = flip_rate(law, local[k], x[t, k])
    return out


def _breaks(network: SpinNetwork, process: JumpProcess) -> tuple[list[float], float]:
    """Phases, with 0 and 1, between which rates are smooth, and the least width of a jump there."""
    around = np.repeat(np.arange(len(network.bath)), np.diff(network.first))
    reach, speed = ranges(network.drive), speeds(network.drive)
    np.add.at(reach, around, ranges(network.couplings)[network.bond])
    np.add.at(speed, around, speeds(network.couplings)[network.bond])
    coldest = bounds(network.temperatures)[0]
    steep = reach > STEEP * coldest
    layer = min((coldest / np.maximum(speed, 1e-300))[steep], default=0.0)
    breaks = phases_of_breaks(network.drive, network.couplings, network.temperatures)
    abrupt = (steep | getattr(network.law, "kinked", False)) & (speed > 0.0)
    if abrupt.any():
        crossings = _crossings(network, process, abrupt, np.array(breaks))
        breaks = sorted([*breaks, *(u for u in crossings if min(abs(u - breaks)) > SAME_PHASE)])
    return breaks, float(layer)


def _crossings(network: SpinNetwork, process: JumpProcess, abrupt: Any, breaks: Array) -> Array:
    """Phases at which dE of a flip of these sites, or a part of it by a drive, goes through 0."""
    from scipy.optimize import brentq

    classes = np.flatnonzero(abrupt[process.counter])
    used = [wave for wave in (network.drive, network.couplings) if len(wave.offset)]

    def costs(u: Array) -> Array:
        value = process.parameters(u)[0]
        return np.concatenate([process.heats_of(value)[:, classes], value], axis=1)

    orders = max(int(wave.order.max(initial=1)) for wave in used)
    grid = np.union1d(np.linspace(0.0, 1.0, GRID * orders + 1), breaks)
    # On both sides of each interval: parameters may jump at its ends.
    begins, ends = costs(np.nextafter(grid[:-1], 2.0)), costs(grid[1:])
    found = []
    for k, c in np.argwhere(np.sign(begins) * np.sign(ends) < 0.0):
        low = np.nextafter(grid[k], 2.0)

        def cost(u: float, c: Any = c) -> float:
            return float(costs(np.array([u]))[0, c])

        found.append(brentq(cost, low, grid[k + 1], xtol=1e-15))
    # Or where it is 0 but for rounding at an edge of the grid.
    found += grid[1:-1][(np.sign(ends[:-1]) != np.sign(begins[1:])).any(axis=1)].tolist()
    phases = np.unique(found)
    return np.asarray(phases[np.diff(phases, prepend=-1.0) > SAME_PHASE])


def _canonical_weights(network: SpinNetwork, edge: int) -> tuple[Array, float, float]:
    """Boltzmann weights (2**n,), of which the largest is 1; its energy, and the temperature.

    At time 0, or at the end of a period if `edge` is 1.

    Raises
    ------
    NoExactSideError
        If the sites differ in temperature or there are too many of them.
    """
    temperature = at_edges(network.temperatures, 1)[edge]
    if np.ptp(temperature) > 0:
        raise NoExactSideError(
            "an equilibrium exists only where all baths have the same temperature"
        )
    sites = len(network.bath)
    expect_room(1 << min(sites, 1000), 4, f"{sites} spins")
    spins = 1 - 2 * ((np.arange(1 << sites) >> np.arange(sites)[:, None]) & 1)
    energy = -at_edges(network.drive, 1)[edge] @ spins
    for (i, j), coupling in zip(network.ends, at_edges(network.couplings, 1)[edge], strict=True):
        energy -= coupling * spins[i] * spins[j]
    lowest = float(energy.min())
    return np.exp((lowest - energy) / temperature[0]), lowest, float(temperature[0])


def equilibrium(network: SpinNetwork) -> Array:
    """Boltzmann distribution (2**n,) of H(0).

    Raises
    ------
    NoExactSideError
        If the sites differ in temperature or there are too many of them.
    """
    weights, _, _ = _canonical_weights(network, 0)
    return np.asarray(weights / weights.sum())


def free_energy_change(network: SpinNetwork) -> float:
    """Free energy -T ln Z at the end of a period less that at time 0.

    Raises
    ------
    NoExactSideError
        If the sites differ in temperature or there are too many of them.
    """
    free = []
    for edge in (0, 1):
        weights, lowest, temperature = _canonical_weights(network, edge)
        free.append(lowest - temperature * math.log(weights.sum()))
    return free[1] - free[0]


def start_state(network: SpinNetwork, initial: str) -> Array:
    """P (2**n,) from which trajectories with this `initial` are drawn.

    Raises
    ------
    NoExactSideError
        If it does not exist or has too many states to list.
    ValueError
        If there is no start of this name.
    """
    if initial == "equilibrium":
        return equilibrium(network)
    if initial == "periodic":
        return JumpEnsemble(jump_process(network)).periodic_state
    if initial not in ("up", "random"):
        raise ValueError(
            f"start: found {initial!r}; allowed: 'up', 'random', 'equilibrium', 'periodic'"
        )
    sites = len(network.bath)
    expect_room(1 << min(sites, 1000), 1, f"{sites} spins")
    states = 1 << sites
    return np.eye(1, states)[0] if initial == "up" else np.full(states, 1.0 / states)
