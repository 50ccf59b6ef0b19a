"""Driven Langevin oscillators on a network, each in contact with one bath or with none.

H = sum_i (m_i v_i^2 / 2 + k_i x_i^2 / 2 + alpha_i x_i^4 / 4 - f_i(t) x_i)
  + sum_bonds (kc (x_i - x_j)^2 / 2 + alpha (x_i - x_j)^4 / 4)   (paper, Eq. 4, and after Eq. 7)
m_i dv_i/dt = -dH/dx_i - gamma_i v_i + noise of strength 2 gamma_i T_i.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import load, read, spread
from trajsim.models.waveform import Waveforms, some

Array = NDArray[np.float64]


class Sparse(NamedTuple):
    """A matrix (n, n) without its zeros.

    The numbers of row i are `entry[first[i]:first[i + 1]]`, in the columns alongside.
    """

    first: NDArray[np.int64]
    column: NDArray[np.int64]
    entry: Array


class OscillatorNetwork(NamedTuple):
    """Parameters of n oscillators; k_B = 1.

    Parameters
    ----------
    period : time of one cycle of the drive
    mass : (n,)
    friction : (n,), 0 where a site touches no bath
    temperature : (n,), of the bath of each site, 0 where there is none
    bath : (n,) int64, the bath of each site, -1 for none
    stiffness : (n, n), symmetric: the quadratic part of the potential is x . stiffness . x / 2
    springs : the same matrix without its zeros
    quartic : (n,) of the sites
    quartic_springs : the quartic part of the bonds, as a symmetric matrix
    drive : forces on the n sites
    driven : (n,) int64, which drive of the ledger a site's force is, -1 for none
    """

    period: float
    mass: Array
    friction: Array
    temperature: Array
    bath: NDArray[np.int64]
    stiffness: Array
    springs: Sparse
    quartic: Array
    quartic_springs: Sparse
    drive: Waveforms
    driven: NDArray[np.int64]

    def drives_at_sites(self) -> tuple[Waveforms, NDArray[np.int64], NDArray[np.int64]]:
        """Waveforms of the drives, in the order of the ledger, their sites, and -1 (drives,)."""
        sites = np.flatnonzero(self.driven >= 0)
        return some(self.drive, sites), sites, np.full(len(sites), -1)

    @property
    def linear(self) -> bool:
        """Whether there is no quartic part."""
        return not (np.any(self.quartic) or np.any(self.quartic_springs.entry))


def network(
    period: float,
    mass: Sequence[float],
    friction: Sequence[float],
    temperature: Sequence[float],
    bath: Sequence[int],
    site_stiffness: Sequence[float],
    site_quartic: Sequence[float],
    bonds: Sequence[tuple[int, int, float, float]],
    drive: Waveforms,
    driven: Sequence[bool],
) -> OscillatorNetwork:
    """Network from one entry a site and (site, site, stiffness, quartic) bonds.

    Parameters
    ----------
    period : of the drive
    mass, friction, temperature, bath : of each site; without a bath (-1) only the mass counts
    site_stiffness, site_quartic : of each site
    bonds : (site, site, stiffness, quartic)
    drive : forces on the sites
    driven : whether a site's force is a drive of the ledger
    """
    stiffness, quartic = np.diag(np.array(site_stiffness, np.float64)), np.zeros((len(bath),) * 2)
    for i, j, k, alpha in bonds:
        stiffness[[i, j], [i, j]] += k
        stiffness[[i, j], [j, i]] -= k
        quartic[[i, j], [j, i]] += alpha
    coupled = np.array(bath) >= 0
    return OscillatorNetwork(
        period=float(period),
        mass=np.array(mass, np.float64),
        friction=np.where(coupled, friction, 0.0),
        temperature=np.where(coupled, temperature, 0.0),
        bath=np.array(bath, np.int64),
        stiffness=stiffness,
        springs=_without_zeros(stiffness),
        quartic=np.array(site_quartic, np.float64),
        quartic_springs=_without_zeros(quartic),
        drive=drive,
        driven=np.where(driven, np.cumsum(driven) - 1, -1).astype(np.int64),
    )


def _without_zeros(matrix: Array) -> Sparse:
    row, column = np.nonzero(matrix)
    first = np.searchsorted(row, np.arange(len(matrix) + 1))
    return Sparse(first, np.ascontiguousarray(column), matrix[row, column])


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
    n = len(network.mass)
    flow = np.zeros((2 * n, 2 * n))
    flow[:n, n:] = np.eye(n)
    flow[n:, :n] = -network.stiffness / network.mass[:, None]
    flow[n:, n:] = -np.diag(network.friction / network.mass)
    fastest = abs(np.linalg.eigvals(flow)).max() * network.period / steps

    def dissipated(order: float, force: NDArray[np.complex128]) -> float:
        omega = 2.0 * np.pi * order / network.period
        inertia = np.diag(1j * omega * network.friction - network.mass * omega**2)
        response = np.linalg.solve(network.stiffness + inertia, force)
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


# Below, x holds positions of the sites, `stride` apart, of lanes side by side from `at` on.


@compiled(inline=True)
def linear_force(network, x, at, stride, i):
    """Force of the quadratic part on site i.

    Parameters
    ----------
    network : OscillatorNetwork
    x, at, stride : memory of positions, as above
    i : site
    """
    force = spread(0.0)
    springs = network.springs
    for k in range(read(springs.first, i), read(springs.first, i + 1)):
        force -= read(springs.entry, k) * load(x, at + read(springs.column, k) * stride)
    return force


@compiled(inline=True)
def quartic_force(network, x, at, stride, i):
    """Force of the quartic part on site i.

    Parameters
    ----------
    network, x, at, stride, i : as for `linear_force`
    """
    x_i, springs = load(x, at + i * stride), network.quartic_springs
    force = -read(network.quartic, i) * x_i * x_i * x_i
    for k in range(read(springs.first, i), read(springs.first, i + 1)):
        stretch = x_i - load(x, at + read(springs.column, k) * stride)
        force -= read(springs.entry, k) * stretch * stretch * stretch
    return force


@compiled(inline=True)
def potential(network, x, at, stride, i):
    """Potential energy of site i and half of that of its bonds.

    Parameters
    ----------
    network, x, at, stride, i : as for `linear_force`
    """
    x_i, springs = load(x, at + i * stride), network.quartic_springs
    square = x_i * x_i
    energy = -0.5 * x_i * linear_force(network, x, at, stride, i)
    energy += 0.25 * read(network.quartic, i) * square * square
    for k in range(read(springs.first, i), read(springs.first, i + 1)):
        stretch = x_i - load(x, at + read(springs.column, k) * stride)
        square = stretch * stretch
        energy += 0.125 * read(springs.entry, k) * square * square
    return energy
