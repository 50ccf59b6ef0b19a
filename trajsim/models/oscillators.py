"""Driven Langevin oscillators on a network, each in contact with baths or with none.

H = sum_i (m_i v_i^2 / 2 + k_i (x_i - c_i)^2 / 2 + alpha_i x_i^4 / 4 - f_i x_i
       + sum_j V_ij cos(2 pi x_i / wavelength_ij + phase_ij))
  + sum_bonds (kc (x_i - x_j)^2 / 2 + alpha (x_i - x_j)^4 / 4)   (paper, Eq. 4, and after Eq. 7)
m_i dv_i/dt = -dH/dx_i - gamma_i v_i + noise of strength 2 gamma_i T_i, for each bath of a site.
Overdamped ones have no mass: gamma_i dx_i/dt = -dH/dx_i + the same noise.
Forces f, stiffnesses k and kc, centres c and temperatures T are waveforms.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.elementary import circle
from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import load, read, spread
from trajsim.models.waveform import (
    Waveform,
    Waveforms,
    at_edges,
    bounds,
    from_parameters,
    joined,
    some,
    values,
)

Array = NDArray[np.float64]

TURN = 2.0 * np.pi
# Part of the largest stiffness below which another one is taken for none.
SAME_STIFFNESS = 1e-9


class Sparse(NamedTuple):
    """A matrix (n, n) without its zeros.

    The numbers of row i are `entry[first[i]:first[i + 1]]`, in the columns alongside.
    """

    first: NDArray[np.int64]
    column: NDArray[np.int64]
    entry: Array


class Cosines(NamedTuple):
    """Potentials amplitude cos(2 pi (waves x + shift)) of sites.

    Those of site i are `[first[i]:first[i + 1]]` of the arrays alongside; `waves` is the number of
    wavelengths in a unit of length.
    """

    first: NDArray[np.int64]
    amplitude: Array
    waves: Array
    shift: Array


class OscillatorNetwork(NamedTuple):
    """Parameters of n oscillators with c contacts with baths; k_B = 1.

    Each site has a contact for each bath that it touches, or one of no friction with none.

    Parameters
    ----------
    period : time of one cycle of the drive
    mass : (n,), 0 of overdamped motion
    site : (c,) int64, of each contact, in ascending order
    friction : (c,), 0 where a site touches no bath
    temperature : (c,), of the bath of each contact at time 0, 0 where there is none
    bath : (c,) int64, the bath of each contact, -1 for none
    stiffness : (n, n), symmetric: the quadratic part of the potential is x . stiffness . x / 2, at
        time 0
    springs : the same matrix without what is always 0
    quartic : (n,) of the sites
    quartic_springs : the quartic part of the bonds, as a symmetric matrix
    cosines : cosine potentials of the sites
    wavy : one zero if there are any: the length of a tuple is a constant for the compiler
    drive : forces on the n sites
    driven : (n,) int64, which drive of the ledger a site's force is, -1 for none
    traps, centers : stiffnesses of the n sites, and where their springs are relaxed
    driven_trap, driven_center : (n,) int64, which drives of the ledger these are, -1 for none
    ends : (bonds, 2) int64, sites of each bond
    couplings : stiffnesses of the bonds
    driven_bond : (bonds,) int64, which drive of the ledger each is, -1 for none
    temperatures : of the c contacts
    heated : whether a temperature is driven
    drives : how many drives do work
    """

    period: float
    mass: Array
    site: NDArray[np.int64]
    friction: Array
    temperature: Array
    bath: NDArray[np.int64]
    stiffness: Array
    springs: Sparse
    quartic: Array
    quartic_springs: Sparse
    cosines: Cosines
    wavy: tuple[int, ...]
    drive: Waveforms
    driven: NDArray[np.int64]
    traps: Waveforms
    centers: Waveforms
    driven_trap: NDArray[np.int64]
    driven_center: NDArray[np.int64]
    ends: NDArray[np.int64]
    couplings: Waveforms
    driven_bond: NDArray[np.int64]
    temperatures: Waveforms
    heated: bool
    drives: int

    def drives_at_sites(self) -> tuple[Waveforms, NDArray[np.int64], NDArray[np.int64]]:
        """Waveforms of the drives, in the order of the ledger, and the sites (drives,) of each.

        The second of the two is -1 for what acts on one site.
        """
        of_sites = [
            (self.drive, self.driven),
            (self.traps, self.driven_trap),
            (self.centers, self.driven_center),
        ]
        sites = [np.flatnonzero(number >= 0) for _, number in of_sites]
        bonds = np.flatnonzero(self.driven_bond >= 0)
        waves = joined(
            *(some(waves, at) for (waves, _), at in zip(of_sites, sites, strict=True)),
            some(self.couplings, bonds),
        )
        numbers = [number[at] for (_, number), at in zip(of_sites, sites, strict=True)]
        order = np.argsort(np.concatenate([*numbers, self.driven_bond[bonds]]))
        one = np.concatenate([*sites, self.ends[bonds, 0]])
        other = np.concatenate([np.full(sum(map(len, sites)), -1), self.ends[bonds, 1]])
        return some(waves, order), one[order], other[order]

    def at_sites(self, values: Array) -> Array:
        """Sums (..., n) over the contacts of each site of values (..., c)."""
        return np.asarray(values @ (self.site[:, None] == np.arange(len(self.mass))))

    @property
    def overdamped(self) -> bool:
        """Whether motion has no inertia."""
        return not self.mass.any()

    @property
    def size(self) -> int:
        """Numbers in a state: positions, and velocities unless motion is overdamped."""
        return (1 if self.overdamped else 2) * len(self.mass)

    @property
    def linear(self) -> bool:
        """Whether there is no quartic part, and no cosine."""
        return not (self.wavy or np.any(self.quartic) or np.any(self.quartic_springs.entry))

    @property
    def stretching(self) -> bool:
        """Whether a stiffness is driven."""
        return bool((self.driven_trap >= 0).any() or (self.driven_bond >= 0).any())

    @property
    def only_forces(self) -> bool:
        """Whether forces alone are driven: no stiffness, centre or temperature."""
        return not (self.stretching or self.heated or (self.driven_center >= 0).any())

    @property
    def stiffest(self) -> Array:
        """The quadratic part (n, n) with each stiffness at its largest."""
        if not self.stretching:
            return self.stiffness
        # Bounds lie some rounding outside of what they bound.
        return stiffness_of(self.ends, bounds(self.traps)[1], bounds(self.couplings)[1])

    @property
    def softest(self) -> Array:
        """The quadratic part (n, n) with each stiffness at its smallest."""
        if not self.stretching:
            return self.stiffness
        return stiffness_of(self.ends, bounds(self.traps)[0], bounds(self.couplings)[0])

    @property
    def loose(self) -> Array:
        """Motions (n, k) that no quartic part holds, orthonormal."""
        n, quartic = len(self.mass), self.quartic_springs
        row = np.repeat(np.arange(n), np.diff(quartic.first))
        held = np.concatenate([np.diag(self.quartic), np.eye(n)[row] - np.eye(n)[quartic.column]])
        return np.asarray(np.linalg.svd(held)[2][np.linalg.matrix_rank(held) :].T)

    def stiffness_at(self, u: Array, before: bool = False) -> Array:
        """The quadratic part (t, n, n) at the phases u (t,); `before`: the jumps just there."""
        traps, couplings = (values(w, u, before) for w in (self.traps, self.couplings))
        return stiffness_of(self.ends, traps, couplings)


class Potential(NamedTuple):
    """What kernels read of an `OscillatorNetwork`; every array more takes longer to compile."""

    mass: Array
    springs: Sparse
    quartic: Array
    quartic_springs: Sparse
    cosines: Cosines
    wavy: tuple[int, ...]


def stiffness_of(ends: NDArray[np.int64], traps: Array, couplings: Array) -> Array:
    """Quadratic parts (..., n, n) of potentials from stiffnesses of sites and bonds.

    Parameters
    ----------
    ends : (bonds, 2), sites of each bond
    traps : (..., n) of the sites
    couplings : (..., bonds) of the bonds
    """
    stiffness = traps[..., None] * np.eye(traps.shape[-1])
    for b, (i, j) in enumerate(ends):
        k = couplings[..., b]
        stiffness[..., i, i] += k
        stiffness[..., j, j] += k
        stiffness[..., i, j] -= k
        stiffness[..., j, i] -= k
    return np.asarray(stiffness, np.float64)


def network(
    period: float,
    mass: Sequence[float],
    friction: Sequence[float],
    temperature: Sequence[float | Waveform],
    bath: Sequence[int],
    site_stiffness: Sequence[float | Waveform],
    site_quartic: Sequence[float],
    bonds: Sequence[tuple[int, int, float | Waveform, float]],
    drive: Waveforms,
    driven: Sequence[bool],
    center: Sequence[float | Waveform] = (),
    cosine: Sequence[Sequence[tuple[float, float, float]]] = (),
    site: Sequence[int] = (),
) -> OscillatorNetwork:
    """Network from one entry a site or contact and (site, site, stiffness, quartic) bonds.

    What is given as a waveform is driven; drives are numbered site by site, force, stiffness and
    centre of each, then bond by bond.

    Parameters
    ----------
    period : of the drive
    mass : of each site; 0 of all in overdamped motion
    friction, temperature, bath : of each contact; without a bath (-1) they do not count
    site_stiffness, site_quartic : of each site
    bonds : (site, site, stiffness, quartic)
    drive : forces on the sites
    driven : whether a site's force is a drive of the ledger
    center : where the springs of the sites are relaxed; by default at 0
    cosine : (amplitude, wavelength, phase) of the cosine potentials of each site; by default none
    site : of each contact, in ascending order; by default each site has one
    """
    n = len(mass)
    traps, moved_traps = from_parameters(site_stiffness)
    centers, moved_centers = from_parameters(center or [0.0] * n)
    couplings, moved_bonds = from_parameters([k for _, _, k, _ in bonds])
    coupled = np.array(bath) >= 0
    temperatures, heated = from_parameters(
        [t if touches else 0.0 for t, touches in zip(temperature, coupled, strict=True)]
    )
    ends = np.array([(i, j) for i, j, _, _ in bonds], np.int64).reshape(-1, 2)
    quartic = np.zeros((n, n))
    for i, j, _, alpha in bonds:
        quartic[[i, j], [j, i]] += alpha
    stiffness = stiffness_of(ends, at_edges(traps, 1)[0], at_edges(couplings, 1)[0])
    ever = stiffness_of(ends, moved_traps.astype(float), moved_bonds.astype(float)) != 0.0
    of_sites = np.stack([np.array(driven, np.bool_), moved_traps, moved_centers], axis=1)
    numbers = np.where(of_sites, np.cumsum(of_sites).reshape(n, 3) - 1, -1).astype(np.int64)
    first = int(of_sites.sum())
    cosines = _cosines(cosine or [()] * n)
    return OscillatorNetwork(
        period=float(period),
        mass=np.array(mass, np.float64),
        site=np.array(site or range(n), np.int64),
        friction=np.where(coupled, friction, 0.0),
        temperature=at_edges(temperatures, 1)[0],
        bath=np.array(bath, np.int64),
        stiffness=stiffness,
        springs=_without_zeros(stiffness, ever),
        quartic=np.array(site_quartic, np.float64),
        quartic_springs=_without_zeros(quartic, np.False_),
        cosines=cosines,
        wavy=(0,) if len(cosines.amplitude) else (),
        drive=drive,
        driven=numbers[:, 0].copy(),
        traps=traps,
        centers=centers,
        driven_trap=numbers[:, 1].copy(),
        driven_center=numbers[:, 2].copy(),
        ends=ends,
        couplings=couplings,
        driven_bond=np.where(moved_bonds, first + np.cumsum(moved_bonds) - 1, -1).astype(np.int64),
        temperatures=temperatures,
        heated=bool(heated.any()),
        drives=first + int(moved_bonds.sum()),
    )


def _without_zeros(matrix: Array, but: NDArray[np.bool_] | np.bool_) -> Sparse:
    """A matrix without its zeros, except in the places `but`."""
    row, column = np.nonzero((matrix != 0.0) | but)
    first = np.searchsorted(row, np.arange(len(matrix) + 1))
    return Sparse(first, np.ascontiguousarray(column), matrix[row, column])


def _cosines(of_sites: Sequence[Sequence[tuple[float, float, float]]]) -> Cosines:
    """Cosine potentials from (amplitude, wavelength, phase) of each site."""
    first = np.cumsum([0, *map(len, of_sites)])
    flat = np.array([each for some in of_sites for each in some], np.float64).reshape(-1, 3)
    return Cosines(first, flat[:, 0].copy(), 1.0 / flat[:, 1], flat[:, 2] / (2.0 * np.pi))


def flow_of(network: OscillatorNetwork, stiffness: Array) -> Array:
    """Matrices A (..., 2n, 2n) of d(x, v)/dt = A (x, v) + forces and noise.

    Of overdamped motion (..., n, n), of dx/dt.

    Parameters
    ----------
    network : OscillatorNetwork; its quartic part is left out
    stiffness : (..., n, n) quadratic parts of the potential
    """
    n, friction = len(network.mass), network.at_sites(network.friction)
    if network.overdamped:
        return -stiffness / friction[:, None]
    flow = np.zeros((*stiffness.shape[:-2], 2 * n, 2 * n))
    flow[..., :n, n:] = np.eye(n)
    flow[..., n:, :n] = -stiffness / network.mass[:, None]
    flow[..., n:, n:] = -np.diag(friction / network.mass)
    return flow


class Proposal(NamedTuple):
    """Gaussian of which some draws, accepted at random, are a nonlinear network in equilibrium.

    It is that of the quadratic part with more stiffness. A draw x is accepted with the probability
    exp(-(nonlinear energy - x . added . x / 2 + lift) / T), where the energy is never negative.

    Parameters
    ----------
    added : (n,) stiffness of the sites
    lift : an energy
    accepted : part of the draws
    """

    added: Array
    lift: float
    accepted: float

    @property
    def enough(self) -> bool:
        """Whether so many draws are accepted that they take no long time."""
        return self.accepted >= LEAST_ACCEPTED


LEAST_ACCEPTED = 1e-4
# Draws by which a proposal is judged, and parts of the natural stiffness that are tried.
JUDGED, TRIED = 4096, (0.0, 0.1, 0.3, 0.6, 1.0, 1.7, 3.0)


def proposal_of(network: OscillatorNetwork, temperature: float) -> Proposal | None:
    """The proposal that accepts most; None if there is none.

    Parameters
    ----------
    network : OscillatorNetwork, at time 0
    temperature : of all its baths
    """
    n, held = len(network.mass), network.quartic > 0.0
    low = float(np.linalg.eigvalsh(network.stiffness)[0])
    natural = np.sqrt(network.quartic * temperature)
    draws, best = np.random.default_rng(0).standard_normal((JUDGED, n)), None
    for part in TRIED:
        added = np.where(held, max(0.0, -low) + part * natural, 0.0)
        size, vectors = np.linalg.eigh(network.stiffness + np.diag(added))
        if size[0] <= SAME_STIFFNESS * size[-1]:
            continue
        lift = float((added[held] ** 2 / network.quartic[held]).sum() / 4.0)
        lift += float(abs(network.cosines.amplitude).sum())
        mean = vectors @ ((vectors.T @ pull_of(network)[0]) / size)
        x = mean + np.sqrt(temperature) * (draws / np.sqrt(size)) @ vectors.T
        energy = _nonlinear_energy(network, x) - 0.5 * x**2 @ added + lift
        accepted = float(np.exp(-energy / temperature).mean())
        if best is None or accepted > best.accepted:
            best = Proposal(added, lift, accepted)
    return best


def pull_of(network: OscillatorNetwork) -> Array:
    """Forces (2, n) on sites at 0 at time 0 and at the end of a period."""
    force, traps, centers = (
        at_edges(waves, 1) for waves in (network.drive, network.traps, network.centers)
    )
    return np.asarray(force + traps * centers)


def _nonlinear_energy(network: OscillatorNetwork, x: Array) -> Array:
    """Energies (m,) of the quartic part and of cosines at positions (m, n)."""
    springs, cosines = network.quartic_springs, network.cosines
    row = np.repeat(np.arange(x.shape[1]), np.diff(springs.first))
    site = np.repeat(np.arange(x.shape[1]), np.diff(cosines.first))
    stretch = x[:, row] - x[:, springs.column]
    waves = np.cos(TURN * (cosines.waves * x[:, site] + cosines.shift))
    quartic = 0.25 * x**4 @ network.quartic + 0.125 * stretch**4 @ springs.entry
    return np.asarray(quartic + waves @ cosines.amplitude)


# Sites up to which growth is judged: all steps are in memory at once.
MOST_JUDGED = 64
# Steps in which the fastest motion goes through one radian, and the fewest and most in a period.
STEPS_IN_RADIAN, FEWEST, MOST = 8, 256, 65536


def growth(network: OscillatorNetwork) -> float:
    """Largest factor by which a motion about the mean grows in a period (Floquet multiplier).

    At most 1e300. The implicit midpoint rule neither damps nor excites a motion whose energy does
    not change.

    Parameters
    ----------
    network : OscillatorNetwork; its quartic part is left out
    """
    extremes = flow_of(network, np.stack([network.stiffest, network.softest]))
    fastest = abs(np.linalg.eigvals(extremes)).max() * network.period
    steps = int(np.clip(STEPS_IN_RADIAN * fastest, FEWEST, MOST))
    half = flow_of(network, network.stiffness_at((np.arange(steps) + 0.5) / steps))
    half *= 0.5 * network.period / steps
    one = np.eye(len(half[0]))
    maps = np.linalg.solve(one - half, one + half)
    logs = np.zeros(len(maps))
    # Products of neighbours, the earlier on the right, each divided by exp of its logarithm.
    while len(maps) > 1:
        even = len(maps) & ~1
        maps = np.concatenate([maps[1::2] @ maps[:even:2], maps[even:]])
        size = abs(maps).max(axis=(1, 2))
        maps /= size[:, None, None]
        logs = np.append(logs[1::2] + logs[:even:2], logs[even:]) + np.log(size)
    largest = abs(np.linalg.eigvals(maps[0])).max()
    return float(np.exp(min(logs[0] + np.log(largest), 300.0 * np.log(10.0))))


# Images of a held wave that are summed, and the measured relative error of a pair's work for a step
# as long as its fastest linear motion; the error falls with the square of the step.
IMAGES, SPLITTING = 30, 0.0125


def step_error(network: OscillatorNetwork, steps: int) -> float:
    """Estimated relative error of the work with so many steps a period.

    Splitting the thermostat from the motion is an error of second order. And forces are constant
    within each step: a cosine of order n has images at the orders n + k steps, with the amplitude
    a sin(pi n / steps) / (pi (n / steps + k)), each of which dissipates omega Im(F' chi F) / 2 by
    linear response.

    Parameters
    ----------
    network : OscillatorNetwork; its quartic part is left out
    steps : a period
    """
    flow, friction = flow_of(network, network.stiffest), network.at_sites(network.friction)
    fastest = abs(np.linalg.eigvals(flow)).max() * network.period / steps

    def dissipated(order: float, force: NDArray[np.complex128]) -> float:
        omega = 2.0 * np.pi * order / network.period
        inertia = np.diag(1j * omega * friction - network.mass * omega**2)
        response = np.linalg.solve(network.stiffest + inertia, force)
        return float(-0.5 * omega * np.imag(force.conj() @ response))

    smooth = extra = 0.0
    for order in np.unique(network.drive.order):
        waves = network.drive.amplitude * np.exp(1j * network.drive.phase)
        force = np.where(network.drive.order == order, waves, 0.0).sum(axis=1)
        smooth += dissipated(order, force)
        for k in (k for k in range(-IMAGES, IMAGES + 1) if k):
            part = np.sin(np.pi * order / steps) / (np.pi * (order / steps + k))
            extra += dissipated(order + k * steps, part * force)
    of_held_force = extra / smooth if smooth > 0.0 else 0.0
    return float(SPLITTING * fastest**2 + of_held_force)


# Relative error of heats and works of linear networks, at most, for a step as long as their fastest
# motion, as measured on random ones; parts of a period in which what is driven is followed; and
# sites up to which the fastest motion is found, not bounded.
WORST, FOLLOWED, BROKEN, MOST_SOLVED = 0.25, 64, 256, 256


def enough_steps(network: OscillatorNetwork, error: float) -> int:
    """Steps a period of `hoh` or `sweep` that keep relative errors of currents below about `error`.

    Nonlinear forces count with the stiffness that they have where 3 T of energy and the largest
    force can bring a particle.

    Parameters
    ----------
    network : OscillatorNetwork
    error : relative, of heats and works
    """
    waves = (network.drive, network.traps, network.centers, network.couplings, network.temperatures)
    stiffness = _stiffest_reached(network)
    if len(stiffness) > MOST_SOLVED:
        # No eigenvalue is above the largest sum of a row.
        inertia = network.at_sites(network.friction) if network.overdamped else network.mass
        fastest = float((abs(stiffness).sum(axis=1) / inertia).max())
        if not network.overdamped:
            friction = network.at_sites(network.friction)
            fastest = math.sqrt(fastest) + float((friction / network.mass).max())
    else:
        fastest = float(abs(np.linalg.eigvals(flow_of(network, stiffness))).max())
    steps = [math.sqrt(WORST / error) * fastest * network.period]
    for w in waves:
        orders = w.order.max(where=w.amplitude != 0.0, initial=0)
        steps += [FOLLOWED * float(orders), BROKEN * float(len(w.start) > 0)]
    return max(1, math.ceil(max(steps)))


def _stiffest_reached(network: OscillatorNetwork) -> Array:
    """The quadratic part (n, n) with the stiffness that nonlinear forces reach."""
    stiffness = network.stiffest.copy()
    if network.linear:
        return stiffness
    energy = 3.0 * float(bounds(network.temperatures)[1].max())
    force = abs(np.stack(bounds(network.drive))).max(axis=0)
    negative = np.maximum(0.0, -np.diag(network.softest))

    def curvature(quartic: float, pull: float, push: float) -> float:
        """3 quartic x^2 where quartic x^4 / 4 - push x^2 / 2 - pull x is the energy."""
        if quartic == 0.0:
            return 0.0
        roots = np.roots([0.25 * quartic, 0.0, -0.5 * push, -pull, -energy])
        return float(3.0 * quartic * abs(roots[abs(roots.imag) < 1e-9 * abs(roots)]).max() ** 2)

    springs, cosines = network.quartic_springs, network.cosines
    for i in range(len(network.mass)):
        stiffness[i, i] += curvature(network.quartic[i], force[i], negative[i])
        some = slice(cosines.first[i], cosines.first[i + 1])
        stiffness[i, i] += (abs(cosines.amplitude) * (TURN * cosines.waves) ** 2)[some].sum()
        for k in range(springs.first[i], springs.first[i + 1]):
            j = springs.column[k]
            both = curvature(springs.entry[k], force[i] + force[j], max(negative[[i, j]]))
            stiffness[i, i] += both
            stiffness[i, j] -= both
    return stiffness


# Below, x holds positions of the sites, `stride` apart, of lanes side by side from `at` on; the
# numbers of the quadratic part are in `entries` from `first` on, arranged as those of `springs`.


@compiled(inline=True)
def linear_force(network, entries, first, x, at, stride, i):
    """Force of the quadratic part on site i.

    Parameters
    ----------
    network : OscillatorNetwork
    entries, first : numbers of the quadratic part, as above
    x, at, stride : memory of positions, as above
    i : site
    """
    force = spread(0.0)
    springs = network.springs
    for k in range(read(springs.first, i), read(springs.first, i + 1)):
        force -= read(entries, first + k) * load(x, at + read(springs.column, k) * stride)
    return force


@compiled(inline=True)
def nonlinear_force(network, x, at, stride, i):
    """Force of the quartic part and of cosines on site i.

    Parameters
    ----------
    network, x, at, stride, i : as for `linear_force`
    """
    x_i, springs = load(x, at + i * stride), network.quartic_springs
    force = -read(network.quartic, i) * x_i * x_i * x_i
    for k in range(read(springs.first, i), read(springs.first, i + 1)):
        stretch = x_i - load(x, at + read(springs.column, k) * stride)
        force -= read(springs.entry, k) * stretch * stretch * stretch
    if len(network.wavy) > 0:
        cosines = network.cosines
        for k in range(read(cosines.first, i), read(cosines.first, i + 1)):
            waves = read(cosines.waves, k)
            _, sine = circle(waves * x_i + read(cosines.shift, k))
            force += (TURN * read(cosines.amplitude, k) * waves) * sine
    return force


@compiled(inline=True)
def potential(network, entries, first, x, at, stride, i):
    """Potential energy of site i and half of that of its bonds, without linear forces.

    Parameters
    ----------
    network, entries, first, x, at, stride, i : as for `linear_force`
    """
    x_i = load(x, at + i * stride)
    energy = -0.5 * x_i * linear_force(network, entries, first, x, at, stride, i)
    return energy + nonlinear_energy(network, x, at, stride, i, 0.5)


@compiled(inline=True)
def nonlinear_energy(network, x, at, stride, i, share):
    """Energy of the quartic part and of cosines of site i, and a share of that of its bonds.

    Parameters
    ----------
    network, x, at, stride, i : as for `linear_force`
    share : of the energy of its bonds
    """
    x_i, springs = load(x, at + i * stride), network.quartic_springs
    square = x_i * x_i
    energy = 0.25 * read(network.quartic, i) * square * square
    for k in range(read(springs.first, i), read(springs.first, i + 1)):
        stretch = x_i - load(x, at + read(springs.column, k) * stride)
        square = stretch * stretch
        energy += (0.25 * share * read(springs.entry, k)) * square * square
    if len(network.wavy) > 0:
        cosines = network.cosines
        for k in range(read(cosines.first, i), read(cosines.first, i + 1)):
            cosine, _ = circle(read(cosines.waves, k) * x_i + read(cosines.shift, k))
            energy += read(cosines.amplitude, k) * cosine
    return energy
