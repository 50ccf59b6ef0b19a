"""Driven Ising spins, each in contact with one bath or several.

H = -sum_bonds J_ij(t) s_i s_j - sum_i h_i(t) s_i with s_i = +1 or -1 (paper, Eq. 1). Fields,
couplings and temperatures are waveforms. A contact is one bath that flips one spin: flips by each
bath of a spin are processes of their own, at the rate of that bath's temperature.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.models.law_functions import bond, flip_rate, join, start
from trajsim.models.waveform import (
    Waveform,
    Waveforms,
    at_edges,
    bounds,
    bounds_between,
    from_parameters,
    joined,
    some,
)

Array = NDArray[np.float64]


class SpinNetwork(NamedTuple):
    """Parameters of n spins with m contacts, in the order of the spins; k_B = 1.

    The contacts of spin i are contact[i] ... contact[i + 1] - 1. The neighbours of the spin of
    contact c are `neighbour[first[c]:first[c + 1]]`, with the bonds alongside.

    Parameters
    ----------
    law : one of trajsim.models.rate_laws.LAWS
    period : time of one cycle of the drive
    site : (m,) int64, spin of each contact
    contact : (n + 1,) int64, first contact of each spin
    multiple : (m,) float64, by which the rate of the law is multiplied
    first : (m + 1,) int64
    neighbour : (b,) int64, spin at the other end; b = 2 bonds if all spins have one contact
    bond : (b,) int64, number of the bond
    ends : (bonds, 2) int64, sites of each bond
    coupling : (b,) float64, energy; of a driven one 0
    like, unlike : (b,) float64, what the bond adds to `local` by the rate law where its spins
        are equal, and where they are not; where that changes in time, what makes a flip likeliest
    likeliest : (b,) float64, that of the two with which a flip is likelier
    temperature : (m,) float64, energy, of the bath of each contact at time 0
    bath : (m,) int64, the bath of each contact
    drive : fields of the n sites
    driven : (n,) int64, which drive of the ledger a site's field is, -1 for none
    couplings : of the bonds
    driven_bond : (bonds,) int64, which drive of the ledger a coupling is, -1 for none
    temperatures : of the m contacts, energy
    heated : whether a temperature is driven
    moving : whether a coupling or a temperature is driven
    drives : how many drives do work
    low, high : (m,) float64, bounds of h_i / T; these and those of bonds are of the whole period,
        or of a part of it (`in_parts`)
    """

    law: Any
    period: float
    site: NDArray[np.int64]
    contact: NDArray[np.int64]
    multiple: NDArray[np.float64]
    first: NDArray[np.int64]
    neighbour: NDArray[np.int64]
    bond: NDArray[np.int64]
    ends: NDArray[np.int64]
    coupling: NDArray[np.float64]
    like: NDArray[np.float64]
    unlike: NDArray[np.float64]
    likeliest: NDArray[np.float64]
    temperature: NDArray[np.float64]
    bath: NDArray[np.int64]
    drive: Waveforms
    driven: NDArray[np.int64]
    couplings: Waveforms
    driven_bond: NDArray[np.int64]
    temperatures: Waveforms
    heated: bool
    moving: bool
    drives: int
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def contact_of_bonds(self) -> NDArray[np.int64]:
        """Contact (b,) that each entry of `neighbour` belongs to."""
        return np.repeat(np.arange(len(self.site)), np.diff(self.first))

    @property
    def plain(self) -> bool:
        """Whether each spin has one contact, at the rate of the law."""
        return len(self.site) == len(self.driven) and bool((self.multiple == 1.0).all())

    def drives_at_sites(self) -> tuple[Waveforms, NDArray[np.int64], NDArray[np.int64]]:
        """Waveforms of the drives, in the order of the ledger, and the sites (drives,) of each.

        The second of the two is -1 for a field.
        """
        fields, bonds = (np.flatnonzero(d >= 0) for d in (self.driven, self.driven_bond))
        waves, none = some(self.drive, fields), np.full(len(fields), -1)
        if not len(bonds):
            return waves, fields, none
        one, other = self.ends[bonds].T
        waves = joined(waves, some(self.couplings, bonds))
        return waves, np.append(fields, one), np.append(none, other)

    def conjugate(self, state: NDArray[np.int8]) -> Array:
        """dE / d lambda (k, drives) of the drives, -s_i or -s_i s_j, of spins (k, n)."""
        _, one, other = self.drives_at_sites()
        return np.asarray(
            -1.0 * state[:, one] * np.where(other < 0, 1, state[:, other]), np.float64
        )


def network(
    law: Any,
    period: float,
    bonds: Sequence[tuple[int, int, float | Waveform]],
    temperatures: Sequence[float | Waveform],
    bath: Sequence[int],
    drive: Waveforms,
    driven: Sequence[bool],
    site: Sequence[int] | None = None,
    multiple: Sequence[float] | None = None,
) -> SpinNetwork:
    """Network of spins from (site, site, coupling) bonds and one entry a contact or site.

    Parameters
    ----------
    law : one of trajsim.models.rate_laws.LAWS, with its rate
    period : time of one cycle of all waveforms
    bonds : two sites each, and a coupling: a number, or the waveform of a drive
    temperatures : of each contact, a number or a waveform
    bath : of each contact
    drive : fields of the sites
    driven : whether the field of a site is a drive
    site : of each contact, ascending; default: one contact at each site
    multiple : of the rate of the law, of each contact; default: 1

    Raises
    ------
    ValueError
        If a flip rate exceeds the range of floating-point numbers.
    """
    n = len(driven)
    at = np.arange(n) if site is None else np.array(site, np.int64)
    around: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for number, (i, j, _) in enumerate(bonds):
        around[i].append((j, number))
        around[j].append((i, number))
    couplings, moved = from_parameters([coupling for _, _, coupling in bonds])
    of_sites, heated = from_parameters(temperatures)
    around = [around[i] for i in at]
    bond_of = np.array([number for a in around for _, number in a], np.int64)
    drives, nothing = int(np.sum(driven)), np.zeros(0)
    result = SpinNetwork(
        law=law,
        period=float(period),
        site=at,
        contact=np.searchsorted(at, np.arange(n + 1)),
        multiple=np.ones(len(at)) if multiple is None else np.array(multiple, np.float64),
        first=np.cumsum([0] + [len(a) for a in around], dtype=np.int64),
        neighbour=np.array([j for a in around for j, _ in a], np.int64),
        bond=bond_of,
        ends=np.array([(i, j) for i, j, _ in bonds], np.int64).reshape(-1, 2),
        coupling=np.where(moved, 0.0, couplings.offset)[bond_of],
        like=nothing,
        unlike=nothing,
        likeliest=nothing,
        temperature=at_edges(of_sites, 1)[0],
        bath=np.array(bath, np.int64),
        drive=drive,
        driven=np.where(driven, np.cumsum(driven) - 1, -1).astype(np.int64),
        couplings=couplings,
        driven_bond=np.where(moved, drives + np.cumsum(moved) - 1, -1).astype(np.int64),
        temperatures=of_sites,
        heated=bool(heated.any()),
        moving=bool(moved.any() or heated.any()),
        drives=drives + int(moved.sum()),
        low=nothing,
        high=nothing,
    )
    result = _bounded(result, bounds(drive), bounds(couplings), bounds(of_sites))
    for i, fastest in enumerate(fastest_rates(result)):
        if not fastest < 1e300:
            raise ValueError(
                f"the flip rate of site {at[i] + 1} can exceed 1e300 at temperature "
                f"{bounds(of_sites)[0][i]:g}: it is too cold for this rate law"
            )
    return result


def in_parts(network: SpinNetwork, edges: Array) -> list[SpinNetwork]:
    """The network with the bounds of each part of a period between phases edges (parts + 1,)."""
    waves = network.drive, network.couplings, network.temperatures
    between = [bounds_between(w, edges) for w in waves]
    return [
        _bounded(network, *((low[k], high[k]) for low, high in between))
        for k in range(len(edges) - 1)
    ]


def _bounded(network: SpinNetwork, drive: Any, couplings: Any, temperatures: Any) -> SpinNetwork:
    """The network with bounds by (lowest, highest) fields, couplings and temperatures."""
    law, contacts = network.law, np.arange(len(network.bath))
    # Largest and smallest J / T: where one is largest, the other smallest.
    least, most = quotients(couplings, temperatures, network.bond, network.contact_of_bonds)
    low, high = quotients(drive, temperatures, network.site, contacts)
    like = np.array([bond(law, x) for x in least], np.float64)
    unlike = np.array([bond(law, -x) for x in most], np.float64)
    likeliest = np.where(least < -most, like, unlike)
    return network._replace(like=like, unlike=unlike, likeliest=likeliest, low=low, high=high)


def quotients(
    above: tuple[Array, Array], below: tuple[Array, Array], one: Any, other: Any
) -> tuple[Array, Array]:
    """Bounds of quotients, from those of numbers `one` and of positive numbers `other`."""
    corners = [x[one] / y[other] for x in above for y in below]
    return np.min(corners, axis=0), np.max(corners, axis=0)


def fastest_rates(network: SpinNetwork) -> Array:
    """Largest rate (m,) by each contact in any state at any time: against bonds and field."""
    x = -np.maximum(abs(network.low), abs(network.high))
    local = _joined(network.law, network.first, network.likeliest[None])
    return _flip_rates(network, local, x[None])[0]


def rate_bounds(network: SpinNetwork, spins: NDArray[np.int8]) -> tuple[Array, Array]:
    """Bonds and largest rates of flips by each contact, in the time of the bounds.

    Parameters
    ----------
    network : SpinNetwork
    spins : (k, n) of +1 and -1

    Returns
    -------
    local : (k, m), bonds at each contact joined by the rate law, at their likeliest
    bounds : (k, m), rates at the likeliest field
    """
    flipped = spins[:, network.site]
    equal = flipped[:, network.contact_of_bonds] == spins[:, network.neighbour]
    parts = np.where(equal, network.like, network.unlike)
    local = _joined(network.law, network.first, np.ascontiguousarray(parts))
    x = np.where(flipped > 0, network.low, -network.high)
    return local, _flip_rates(network, local, x)


def excess(network: SpinNetwork, spins: NDArray[np.int8], fields: int) -> float:
    """Largest ratio of a rate to its thinning bound, in states (k, n) at so many fields each."""
    local, bounds = rate_bounds(network, spins)
    flipped, largest = spins[:, network.site], 0.0
    for field in np.linspace(network.low, network.high, fields):
        rates = _flip_rates(network, local, field * flipped)
        largest = max(largest, float((rates[bounds > 0.0] / bounds[bounds > 0.0]).max(initial=0.0)))
    return largest


def _flip_rates(network: SpinNetwork, local: Array, x: Array) -> Array:
    """Rates of flips by each contact, with `local` of the bonds and x of the field, all (k, m)."""
    rates = law_rates(network.law, local.ravel(), x.reshape(1, -1)).reshape(x.shape)
    return np.asarray(network.multiple * rates)


# Not of a network: numba takes seconds for an argument of so many arrays.
@compiled
def _joined(law, first, parts):
    """`local` (t, m) of bonds parts[t, first[i]:first[i + 1]]."""
    out = np.empty((len(parts), len(first) - 1))
    for t in range(out.shape[0]):
        for i in range(out.shape[1]):
            local = start(law)
            for k in range(first[i], first[i + 1]):
                local = join(law, local, parts[t, k])
            out[t, i] = local
    return out


@compiled
def law_rates(law, local, x):
    """Rates (t, k) of flips with `local` (k,) of the bonds and x (t, k) of the field."""
    out = np.empty(x.shape)
    for t in range(x.shape[0]):
        for k in range(x.shape[1]):
            out[t, k] = flip_rate(law, local[k], x[t, k])
    return out


@compiled(inline=True)
def exchange_of(network, spins, c):
    """sum_j J_ij s_j, the field of neighbours on the spin of a contact: couplings not driven."""
    exchange = 0.0
    for k in range(network.first[c], network.first[c + 1]):
        exchange += network.coupling[k] * spins[network.neighbour[k]]
    return exchange


@compiled(inline=True)
def flip_energy(network, spins, c, h):
    """dE_i = 2 s_i (sum_j J_ij s_j + h_i), taken up by a flip by contact c (paper, Eq. 3).

    h : field, with that of driven couplings
    """
    return 2.0 * spins[network.site[c]] * (exchange_of(network, spins, c) + h)


@compiled
def energy(network, spins, h):
    """H of the spins (n,) in the fields h (n,) (paper, Eq. 1)."""
    total = 0.0
    for i in range(len(spins)):
        # Every bond is counted from both its ends.
        total -= spins[i] * (0.5 * exchange_of(network, spins, network.contact[i]) + h[i])
    return total


@compiled
def spins_of(state, spins):
    """Write the spins of a numbered state: bit i set means s_i = -1, so 0 is all up."""
    for i in range(len(spins)):
        spins[i] = 1 - 2 * ((state >> i) & 1)
