"""Driven Langevin oscillators on a network, each in contact with one bath or with none.

H = sum_i (m_i v_i^2 / 2 + k_i x_i^2 / 2 + alpha_i x_i^4 / 4 - f_i(t) x_i)
  + sum_bonds (kc (x_i - x_j)^2 / 2 + alpha (x_i - x_j)^4 / 4)   (paper, Eq. 4, and after Eq. 7)
m_i dv_i/dt = -dH/dx_i - gamma_i v_i + noise of strength 2 gamma_i T_i.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.jit import compiled
from trajsim.models.drive import Drive

Array = NDArray[np.float64]


class OscillatorNetwork(NamedTuple):
    """Parameters of n oscillators with b bonds; k_B = 1.

    Parameters
    ----------
    period : time of one cycle of the drive
    mass : (n,)
    friction : (n,), 0 where a site touches no bath
    temperature : (n,), of the bath of each site, 0 where there is none
    bath : (n,) int64, the bath of each site, -1 for none
    stiffness : (n, n), symmetric: the quadratic part of the potential is x . stiffness . x / 2
    first, column, entry : rows of the same matrix without its zeros: those of row i are
        `entry[first[i]:first[i + 1]]`, in the columns alongside
    quartic : (n,) of the sites
    bond : (b, 2) int64, sites of the bonds that have a quartic part
    bond_quartic : (b,)
    drive : forces on the n sites
    driven : (n,) int64, which drive of the ledger a site's force is, -1 for none
    """

    period: float
    mass: Array
    friction: Array
    temperature: Array
    bath: NDArray[np.int64]
    stiffness: Array
    first: NDArray[np.int64]
    column: NDArray[np.int64]
    entry: Array
    quartic: Array
    bond: NDArray[np.int64]
    bond_quartic: Array
    drive: Drive
    driven: NDArray[np.int64]

    @property
    def linear(self) -> bool:
        """Whether there is no quartic part."""
        return not (np.any(self.quartic) or np.any(self.bond_quartic))


def network(
    period: float,
    mass: Sequence[float],
    friction: Sequence[float],
    temperature: Sequence[float],
    bath: Sequence[int],
    site_stiffness: Sequence[float],
    site_quartic: Sequence[float],
    bonds: Sequence[tuple[int, int, float, float]],
    drive: Drive,
    driven: Sequence[bool],
) -> OscillatorNetwork:
    """Network from one entry a site and (site, site, stiffness, quartic) bonds."""
    stiffness = np.diag(np.array(site_stiffness, np.float64))
    for i, j, k, _ in bonds:
        stiffness[[i, j], [i, j]] += k
        stiffness[[i, j], [j, i]] -= k
    quartic_bonds = [(i, j, alpha) for i, j, _, alpha in bonds if alpha != 0.0]
    touched = np.array(bath) >= 0
    row, column = np.nonzero(stiffness)
    return OscillatorNetwork(
        period=float(period),
        mass=np.array(mass, np.float64),
        friction=np.where(touched, friction, 0.0),
        temperature=np.where(touched, temperature, 0.0),
        bath=np.array(bath, np.int64),
        stiffness=stiffness,
        first=np.searchsorted(row, np.arange(len(bath) + 1)),
        column=column,
        entry=stiffness[row, column],
        quartic=np.array(site_quartic, np.float64),
        bond=np.array([(i, j) for i, j, _ in quartic_bonds], np.int64).reshape(-1, 2),
        bond_quartic=np.array([alpha for _, _, alpha in quartic_bonds], np.float64),
        drive=drive,
        driven=np.where(driven, np.cumsum(driven) - 1, -1).astype(np.int64),
    )


@compiled(contract=True, inline=True)
def linear_force(network, x, force):
    """Add the force of the quadratic part at x to force, both (n, m): cost by bonds."""
    for i in range(x.shape[0]):
        for at in range(network.first[i], network.first[i + 1]):
            j, stiffness = network.column[at], network.entry[at]
            for k in range(x.shape[1]):
                force[i, k] -= stiffness * x[j, k]


@compiled(contract=True, inline=True)
def quartic_force(network, x, force):
    """Add the force of the quartic part at x to force, both (n, m) for m trajectories."""
    for i in range(x.shape[0]):
        alpha = network.quartic[i]
        if alpha != 0.0:
            for k in range(x.shape[1]):
                force[i, k] -= alpha * x[i, k] * x[i, k] * x[i, k]
    for b in range(len(network.bond)):
        i, j, alpha = network.bond[b, 0], network.bond[b, 1], network.bond_quartic[b]
        for k in range(x.shape[1]):
            stretch = x[i, k] - x[j, k]
            pull = alpha * stretch * stretch * stretch
            force[i, k] -= pull
            force[j, k] += pull


@compiled
def energy(network, x, v, f, out):
    """Write H (m,) of positions and velocities (n, m) under the forces f (n,)."""
    out[:] = 0.0
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            square = x[i, k] * x[i, k]
            out[k] += 0.5 * network.mass[i] * v[i, k] * v[i, k] - f[i] * x[i, k]
            out[k] += 0.25 * network.quartic[i] * square * square
        for at in range(network.first[i], network.first[i + 1]):
            j, stiffness = network.column[at], network.entry[at]
            for k in range(x.shape[1]):
                out[k] += 0.5 * stiffness * x[i, k] * x[j, k]
    for b in range(len(network.bond)):
        i, j, alpha = network.bond[b, 0], network.bond[b, 1], network.bond_quartic[b]
        for k in range(x.shape[1]):
            square = (x[i, k] - x[j, k]) ** 2
            out[k] += 0.25 * alpha * square * square
