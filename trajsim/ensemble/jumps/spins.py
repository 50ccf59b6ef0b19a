"""Spins as a jump process: state bit i set means s_i = -1, so that site 0 is the fastest.

dE_i = 2 s_i (sum_j J_ij s_j + h_i) is the heat that a flip of spin i takes (paper, Eq. 3).
"""

from functools import partial
from typing import Any

import numpy as np

from trajsim.compiled.jit import compiled
from trajsim.ensemble.answers import Array, NoExactSideError
from trajsim.ensemble.jumps.channels import JumpProcess
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.ensemble.jumps.limits import expect_room
from trajsim.models import drive as drives
from trajsim.models.law_functions import flip_rate, join, start
from trajsim.models.spins import SpinNetwork

# Points in a cycle of the fastest harmonic between which a field crosses a level at most once.
GRID = 64
# Amplitude over temperature from which on a rate all but jumps where dE of a flip is 0.
STEEP = 15.0


def jump_process(network: SpinNetwork) -> JumpProcess:
    """All flips of a network, in classes of equal site, spin and fields of the bonds.

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
    site: list[int] = []
    spin: list[float] = []
    local: list[float] = []
    exchange: list[float] = []
    for i in range(sites):
        patterns = _neighbourhoods(network, i)
        # Patterns of the neighbours with the same rate and heat share a class.
        values, class_of = _distinct(patterns)
        neighbours = _neighbours(network, i)
        pattern = np.zeros(states, np.int32)
        for bit, j in enumerate([i, *neighbours]):
            pattern |= ((state >> j) & 1) << bit
        kinds.append(len(site) + class_of.reshape(-1)[pattern])
        site += [i] * len(values)
        for column, values_of in zip((spin, local, exchange), values.T, strict=True):
            column += values_of.tolist()
    site_of, spin_of, local_of, exchange_of = (np.array(a) for a in (site, spin, local, exchange))
    driven = np.flatnonzero(network.driven >= 0)
    # Constant fields are no drives: their part of the heat of a flip is constant.
    constant = np.where(network.driven >= 0, 0.0, network.drive.offset)
    spins = 1.0 - 2.0 * ((state >> driven[:, None]) & 1)
    temperature = network.temperature[site_of]

    # x of the field: its constant part, and the factor of each drive (drives, classes).
    fixed = constant[site_of] * spin_of / temperature
    by_drive = (site_of == driven[:, None]) * spin_of / temperature
    waveforms = drives.of_sites(network.drive, driven)

    breaks, layer = _breaks(network, site_of, exchange_of)
    return JumpProcess(
        states=states,
        baths=int(network.bath.max()) + 1,
        counters=sites,
        period=network.period,
        source=np.tile(state, sites),
        target=np.concatenate([state ^ (1 << i) for i in range(sites)]).astype(np.int32),
        kind=np.concatenate(kinds).astype(np.int32),
        bath=network.bath[site_of],
        counter=site_of,
        heat=2.0 * spin_of * (exchange_of + constant[site_of]),
        change=2.0 * spin_of * (site_of == driven[:, None]),
        conjugate=np.asarray(-spins, np.float64),
        parameters=partial(driven_fields, waveforms, network.period),
        rate=partial(flip_rates, network.law, local_of, fixed, by_drive),
        breaks=breaks,
        layer=layer,
    )


def driven_fields(drive: drives.Drive, period: float, u: Array) -> tuple[Array, Array]:
    """Driven fields (t, d) at phases u (t,), and their derivatives by time (t, d)."""
    value, slope = drives.values_and_slopes(drive, u)
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
    """Spin i, its `local` and the field of its bonds (patterns, 3), bit 0 for spin i."""
    around = slice(network.first[i], network.first[i + 1])
    degree = around.stop - around.start
    pattern = np.arange(2 << degree)
    spin = 1.0 - 2.0 * (pattern & 1)
    local = np.full(len(pattern), start(network.law))
    exchange = np.zeros(len(pattern))
    for bit in range(degree):
        k = around.start + bit
        other = 1.0 - 2.0 * ((pattern >> (bit + 1)) & 1)
        parts = np.where(spin == other, network.like[k], network.unlike[k])
        local = _joined(network.law, local, parts)
        exchange += network.coupling[k] * other
    return np.stack([spin, local, exchange], axis=1)


def _distinct(rows: Array) -> tuple[Array, Any]:
    """Distinct rows (m, 3), and the index among them of each given row."""
    number: dict[tuple[float, ...], int] = {}
    index = [number.setdefault(tuple(row), len(number)) for row in rows.tolist()]
    return np.array(list(number)), np.array(index)


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


def _breaks(network: SpinNetwork, site: Any, exchange: Array) -> tuple[list[float], float]:
    """Phases, with 0 and 1, between which rates are smooth, and the least width of a jump there."""
    breaks = {0.0, 1.0}
    fastest = 2.0 * np.pi * abs(network.drive.amplitude * network.drive.order).sum(axis=1)
    amplitude = abs(network.drive.amplitude).sum(axis=1)
    steep = amplitude > STEEP * network.temperature
    layer = min((network.temperature / np.maximum(fastest, 1e-300))[steep], default=0.0)
    abrupt = np.flatnonzero((steep | getattr(network.law, "kinked", False)) & (amplitude > 0.0))
    if len(abrupt):
        from scipy.optimize import brentq

        grid = np.linspace(0.0, 1.0, GRID * int(network.drive.order.max()) + 1)
        fields = drives.values(network.drive, grid)
        for i in abrupt:
            # Where dE of a flip, or the part of it by the field, is 0.
            for level in np.unique(np.append(-exchange[site == i], 0.0)):
                excess = fields[:, i] - level
                for k in np.flatnonzero(np.diff(np.sign(excess))):

                    def crossing(x: float, i: Any = i, level: float = level) -> float:
                        return float(drives.values(network.drive, np.array([x]))[0, i]) - level

                    breaks.add(brentq(crossing, grid[k], grid[k + 1], xtol=1e-15))
    return sorted(breaks), float(layer)


def equilibrium(network: SpinNetwork) -> Array:
    """Boltzmann distribution (2**n,) of H(0).

    Raises
    ------
    NoExactSideError
        If the sites differ in temperature or there are too many of them.
    """
    if np.ptp(network.temperature) > 0:
        raise NoExactSideError(
            "an equilibrium exists only where all baths have the same temperature"
        )
    sites = len(network.bath)
    expect_room(1 << min(sites, 1000), 4, f"{sites} spins")
    state = np.arange(1 << sites)
    energy = np.zeros(len(state))
    field = drives.values(network.drive, np.zeros(1))[0]
    for i in range(sites):
        exchange = np.zeros(len(state))
        around = slice(network.first[i], network.first[i + 1])
        bonds = zip(network.neighbour[around], network.coupling[around], strict=True)
        for j, coupling in bonds:
            exchange += coupling * (1 - 2 * ((state >> j) & 1))
        # Every bond is counted from both its ends.
        energy -= (1 - 2 * ((state >> i) & 1)) * (0.5 * exchange + field[i])
    weights = np.exp((energy.min() - energy) / network.temperature[0])
    return np.asarray(weights / weights.sum())


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
