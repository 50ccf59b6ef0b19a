"""Heat and work of linear oscillators over whole periods from a Gaussian start.

The equations of `trajsim.exact.oscillator_counting` are followed backwards from the end for many
values of the counting field at once. A start with mean m and covariance C averages
exp(z' X z / 2 + y . z + c) to exp(c + m' X m / 2 + y . m + g' C (1 - X C)^-1 g / 2) /
sqrt(det(1 - C X)), g = X m + y.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from trajsim.exact.ensemble import Array
from trajsim.exact.gaussian import Gaussian, LinearEnsemble

Complex = NDArray[np.complex128]

ACCURACY, LARGEST = 1e-10, 1e8


def log_averages(
    ensemble: LinearEnsemble, start: Gaussian, periods: int, heat: Array, work: Array, z: Complex
) -> Complex:
    """log <exp(z A)> (k,) for z (k,), with A weighted by heat (n,) and work (n,) of the sites.

    Infinite where the average is seen not to exist.
    """
    network, flow, noise = ensemble.network, ensemble.flow, ensemble.noise
    n, many = ensemble.n, len(z)
    size = 2 * n
    tilt = np.zeros((many, size, size), np.complex128)
    square = np.zeros_like(tilt)
    velocity = np.arange(n, size)
    heats = z[:, None] * heat
    tilt[:, velocity, velocity] = 2 * heats * network.friction * network.temperature / network.mass
    square[:, velocity, velocity] = 2 * network.friction * heats * (heats * network.temperature - 1)
    flows = flow + tilt
    hot = heats @ (network.friction * network.temperature / network.mass)
    splits = [many * size * size, many * size * (size + 1)]
    end = network.period * periods

    def slope(back: float, flat: Complex) -> Complex:
        x, y, _ = (part.reshape(many, *shape) for part, shape in _parts(flat, splits, size))
        force, rise = ensemble.forces(np.array([end - back]))
        push = np.append(np.zeros(n), force[0] / network.mass)
        turned = flows.swapaxes(1, 2) @ x
        spread = x @ noise
        dx = turned + turned.swapaxes(1, 2) + spread @ x + square
        dy = np.einsum("kji,kj->ki", flows, y) + np.einsum("kij,kj->ki", spread, y) + x @ push
        dy[:, :n] -= z[:, None] * work * rise[0]
        dc = y @ push + 0.5 * np.einsum("ki,ij,kj->k", y, noise, y) + hot
        dc += 0.5 * np.einsum("ij,kji->k", noise, x)
        return np.concatenate([dx.ravel(), dy.ravel(), dc])

    def leaves(back: float, flat: Complex) -> float:
        return LARGEST - float(abs(flat[: splits[0]]).max())

    leaves.terminal = True  # type: ignore[attr-defined]
    begin = np.zeros(splits[1] + many, np.complex128)
    found = solve_ivp(
        slope,
        (0.0, end),
        begin,
        "DOP853",
        rtol=ACCURACY,
        atol=1e-2 * ACCURACY,
        events=leaves,
    )
    if found.status != 0:
        # Where the average does not exist, X leaves all bounds before the time is over.
        return np.full(many, np.inf + 0j)
    x, y, c = (part.reshape(many, *s) for part, s in _parts(found.y[:, -1], splits, size))
    left = np.eye(size) - start.covariance @ x
    gathered = x @ start.mean + y
    through = np.linalg.solve(left, (start.covariance @ gathered[..., None]))[..., 0]
    # No eigenvalue crosses the negative axis for imaginary or small z: each has its own root.
    factors = np.linalg.eigvals(left)
    exists = (z.imag != 0.0) | (factors.real.min(axis=1) > 0.0)
    roots = np.log(factors).sum(axis=1)
    mean = 0.5 * np.einsum("i,kij,j->k", start.mean, x, start.mean) + y @ start.mean
    logarithm = c + mean + 0.5 * (gathered * through).sum(axis=1) - 0.5 * roots
    return np.where(exists, logarithm, np.inf + 0j)


def _parts(flat: Complex, splits: list[int], size: int) -> list[tuple[Complex, tuple[int, ...]]]:
    x, y, c = np.split(flat, splits)
    return [(x, (size, size)), (y, (size,)), (c, ())]
