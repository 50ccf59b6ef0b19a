"""Spins as a jump process: state bit i set means s_i = -1, so that site 0 is the fastest.

dE_i = 2 s_i (sum_j J_ij s_j + h_i) is the heat that a flip of spin i takes (paper, Eq. 3).
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from trajsim.compiled.jit import compiled
from trajsim.ensemble.answers import Array, canonical, one_temperature
from trajsim.ensemble.jumps.channels import JumpProcess
from trajsim.ensemble.jumps.crossings import STEEP, with_crossings
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.ensemble.jumps.limits import expect_room
from trajsim.models.law_functions import bond, flip_rate, join, start
from trajsim.models.spins import SpinNetwork, law_rates
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

# Sites up to which channels are kept for networks that differ by their drives.
MOST_KEPT = 8


def jump_process(network: SpinNetwork) -> JumpProcess:
    """All flips of a network, in classes of equal site, spin and bonds.

    Raises
    ------
    NoExactSideError
        If the states are too many for the memory at hand.
    """
    sites = len(network.driven)
    if network.moving or sites > MOST_KEPT:
        expect_room(1 << min(sites, 1000), len(network.bath), f"{sites} spins")
        return _with_crossings(network, _channels(network))
    process = _kept_channels(ByChannels(network)).driven_by(**_drive(network))
    return _with_crossings(network, process)


class ByChannels:
    """A network that equals those whose spins flip in the same ways, however they are driven."""

    def __init__(self, network: SpinNetwork) -> None:
        self.network = network
        of_contacts = (network.site, network.first, network.temperature, network.bath)
        of_sites = (network.driven, _constant_fields(network))
        of_bonds = (network.neighbour, network.coupling, network.like, network.unlike)
        arrays = (*of_contacts, network.multiple, *of_sites, *of_bonds)
        self._key = (type(network.law), network.law, *(array.tobytes() for array in arrays))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByChannels) and self._key == other._key


@lru_cache(maxsize=8)
def _kept_channels(of: ByChannels) -> JumpProcess:
    """Channels of a network: in sweeps over the drives they are listed once."""
    return _channels(of.network).tabulated()


def _constant_fields(network: SpinNetwork) -> Array:
    return np.where(network.driven >= 0, 0.0, network.drive.offset)


def _drive(network: SpinNetwork) -> dict[str, Any]:
    """The fields of a process that tell how it is driven, but for its rates."""
    waves, _, _ = network.drives_at_sites()
    opening, closing = at_edges(waves, 1) if len(waves.start) else (None, None)
    return {
        "period": network.period,
        "parameters": partial(driven_parameters, waves, network.period),
        "breaks": phases_of_breaks(network.drive, network.couplings, network.temperatures),
        "jumps": jumps(waves),
        "opening": opening,
        "closing": closing,
    }


def _channels(network: SpinNetwork) -> JumpProcess:
    sites = len(network.driven)
    states = 1 << sites
    state, bit = np.arange(states, dtype=np.int32), np.arange(sites, dtype=np.int32)[:, None]
    is_down = (state >> bit) & 1
    kinds: list[Any] = []
    classes: list[tuple[float, ...]] = []
    contact: list[int] = []
    for c, i in enumerate(network.site.tolist()):
        # Patterns of the neighbours with the same rate and heat share a class.
        values, class_of = _distinct(_neighbourhoods(network, c))
        pattern = is_down[i]
        for k, j in enumerate(_neighbours(network, c).tolist()):
            pattern = pattern | is_down[j] << (k + 1)
        kinds.append(class_of[pattern] + len(contact))
        classes += values
        contact += [c] * len(values)
    contact_of = np.array(contact)
    site_of = network.site[contact_of]
    spin, local, exchange = np.array([c[:3] for c in classes]).T.copy()
    driven = np.flatnonzero(network.driven >= 0)
    of_field = (site_of == driven[:, None]) * spin
    # Constant fields are no drives: their part of the heat of a flip is constant.
    constant = _constant_fields(network)[site_of] * spin
    spins = 1.0 - 2.0 * is_down
    # V_d of a field is -s_i, that of a coupling -s_i s_j.
    change, conjugate = 2.0 * of_field, -spins[driven]
    rate: Any
    if network.moving:
        signs = [c[3:] for c in classes]
        driven_bonds = np.flatnonzero(network.driven_bond >= 0)
        one, other = network.ends[driven_bonds].T
        change = np.concatenate([change, _changes(network, contact, signs, driven_bonds)])
        conjugate = np.concatenate([conjugate, -spins[one] * spins[other]])
        rate = MovingRates.of(network, contact_of, spin, signs)
    else:
        beta = 1.0 / network.temperature[contact_of]
        rate = partial(flip_rates, network.law, local, constant * beta, of_field * beta)
    multiple = network.multiple[contact_of]
    return JumpProcess(
        states=states,
        baths=int(network.bath.max()) + 1,
        counters=sites,
        source=np.concatenate([state] * len(network.site)),
        target=(state ^ (1 << bit))[network.site].ravel(),
        kind=np.concatenate(kinds),
        bath=network.bath[contact_of],
        counter=site_of,
        heat=2.0 * (exchange + constant),
        change=change,
        conjugate=np.asarray(conjugate, np.float64),
        rate=rate if network.plain else partial(_multiplied, rate, multiple),
        **_drive(network),
    )


def _multiplied(rate: Any, multiple: Array, u: Array, value: Array) -> Array:
    """Rates (t, k) of the law, times that of the contact of each class."""
    return np.asarray(rate(u, value) * multiple)


def _changes(network: SpinNetwork, contact: list[int], signs: list[Any], bonds: Any) -> Array:
    """Change (bonds, k) of -s_i s_j of driven bonds by a flip of each class."""
    change = np.zeros((len(bonds), len(contact)))
    number = {int(b): d for d, b in enumerate(bonds)}
    for k, c in enumerate(contact):
        around = network.bond[network.first[c] : network.first[c + 1]]
        for b, sign in zip(around.tolist(), signs[k], strict=False):
            if b in number:
                change[number[b], k] = 2.0 * sign
    return change


class MovingRates(NamedTuple):
    """Rates of classes (k,) where couplings or temperatures change in time.

    law : a rate law; field, couplings, temperatures : waveforms of sites, bonds and contacts
    site, contact, spin : (k,) of each class
    first : (k + 1,); bond, sign : bonds of each class, and s_i s_j of each, from first[k] on
    """

    law: Any
    field: Waveforms
    couplings: Waveforms
    temperatures: Waveforms
    site: Any
    contact: Any
    spin: Array
    first: Any
    bond: Any
    sign: Array

    @classmethod
    def of(cls, network: SpinNetwork, contact: Any, spin: Array, signs: list[Any]) -> "MovingRates":
        """Rates of classes, of which the signs of the bonds are given in the order of the bonds."""
        around = [network.bond[network.first[c] : network.first[c + 1]] for c in contact]
        first = np.cumsum([0, *(len(a) for a in around)])
        waves = (network.drive, network.couplings, network.temperatures)
        bond_of = np.concatenate([*around, np.zeros(0, np.int64)])
        site, signs_of = network.site[contact], np.concatenate([*signs, []])
        return cls(network.law, *waves, site, contact, spin, first, bond_of, signs_of)

    def __call__(self, u: Array, value: Array) -> Array:
        """Rates (t, k) at phases u (t,); the driven parameters (t, d) are worked out again."""
        at = [values(waves, u, before=True) for waves in self[1:4]]
        return np.asarray(_moving_rates(self.law, *at, *self[4:]))


@compiled
def _moving_rates(law, field, coupling, temperature, site, contact, spin, first, bond_of, sign):
    """Rates (t, k) in fields (t, n), with couplings (t, bonds) and temperatures (t, m)."""
    out = np.empty((len(field), len(site)))
    for t in range(len(field)):
        for k in range(len(site)):
            beta, local = 1.0 / temperature[t, contact[k]], start(law)
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
    return np.asarray(law_rates(law, local, fixed + value @ by_drive))


def _neighbours(network: SpinNetwork, c: int) -> Any:
    return network.neighbour[network.first[c] : network.first[c + 1]]


def _neighbourhoods(network: SpinNetwork, c: int) -> Iterator[tuple[float, ...]]:
    """Spin i of contact c, its `local`, and s_i times the field of its bonds, of each pattern.

    In the number of a pattern bit 0 is spin i, then follow its neighbours; a spin down is a 1.
    Where bonds change in time, s_i s_j of all bonds follows.
    """
    around, law = slice(network.first[c], network.first[c + 1]), network.law
    arrays = (network.coupling, network.like, network.unlike)
    bonds = list(zip(*(array[around].tolist() for array in arrays), strict=True))
    for pattern in range(2 << len(bonds)):
        local, exchange, signs = start(law), 0.0, []
        for k, (coupling, like, unlike) in enumerate(bonds, 1):
            equal = not (pattern >> k ^ pattern) & 1
            local = join(law, local, like if equal else unlike)
            exchange += coupling if equal else -coupling
            signs.append(1.0 if equal else -1.0)
        yield (1.0 - 2.0 * (pattern & 1), local, exchange, *(signs if network.moving else ()))


def _distinct(rows: Iterable[tuple[float, ...]]) -> tuple[list[tuple[float, ...]], Any]:
    """Distinct rows, and the index among them of each given row."""
    number: dict[tuple[float, ...], int] = {}
    index = [number.setdefault(row, len(number)) for row in rows]
    return list(number), np.array(index, np.int32)


def _with_crossings(network: SpinNetwork, process: JumpProcess) -> JumpProcess:
    """The process with breaks where rates are not smooth, and the least width of a jump there."""
    kinked = getattr(network.law, "kinked", False)
    if not (network.moving or kinked or (network.high - network.low > 2.0 * STEEP).any()):
        return process
    # By contacts.
    reach, speed = ranges(network.drive)[network.site], speeds(network.drive)[network.site]
    around = np.repeat(np.arange(len(network.bath)), np.diff(network.first))
    np.add.at(reach, around, ranges(network.couplings)[network.bond])
    np.add.at(speed, around, speeds(network.couplings)[network.bond])
    coldest = bounds(network.temperatures)[0]
    steep = reach > STEEP * coldest
    abrupt = (steep | kinked) & (speed > 0.0)
    if not abrupt.any():
        return process
    fast = steep & abrupt
    layer = min(coldest[fast] / speed[fast], default=0.0)
    # Where dE of a flip of these sites, or a part of it by a drive, goes through 0.
    waves = [wave for wave in (network.drive, network.couplings) if len(wave.offset)]
    order = max(int(wave.order.max(initial=1)) for wave in waves)
    sites = np.zeros(len(network.driven), bool)
    sites[network.site[abrupt]] = True
    classes = np.flatnonzero(sites[process.counter])
    return with_crossings(process, classes, order, float(layer), parameters=True)


def _canonical(network: SpinNetwork, edge: int) -> tuple[Array, float]:
    """Boltzmann weights (2**n,) and the free energy at time 0, or at the end of a period.

    Raises
    ------
    NoExactSideError
        If the sites differ in temperature or there are too many of them.
    """
    temperature = one_temperature(at_edges(network.temperatures, 1)[edge])
    sites = len(network.driven)
    expect_room(1 << min(sites, 1000), 4, f"{sites} spins")
    spins = 1 - 2 * ((np.arange(1 << sites) >> np.arange(sites)[:, None]) & 1)
    energy = -at_edges(network.drive, 1)[edge] @ spins
    for (i, j), coupling in zip(network.ends, at_edges(network.couplings, 1)[edge], strict=True):
        energy -= coupling * spins[i] * spins[j]
    return canonical(energy, temperature)


def equilibrium(network: SpinNetwork) -> Array:
    """Boltzmann distribution (2**n,) of H(0).

    Raises
    ------
    NoExactSideError
        If the sites differ in temperature or there are too many of them.
    """
    weights, _ = _canonical(network, 0)
    return np.asarray(weights / weights.sum())


def free_energy_change(network: SpinNetwork) -> float:
    """Free energy -T ln Z at the end of a period less that at time 0.

    Raises
    ------
    NoExactSideError
        If the sites differ in temperature or there are too many of them.
    """
    return _canonical(network, 1)[1] - _canonical(network, 0)[1]


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
    sites = len(network.driven)
    expect_room(1 << min(sites, 1000), 1, f"{sites} spins")
    states = 1 << sites
    return np.eye(1, states)[0] if initial == "up" else np.full(states, 1.0 / states)
