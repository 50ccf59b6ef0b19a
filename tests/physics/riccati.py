"""Averages of linear oscillators by the Riccati equation, integrated backwards in time with scipy.

<exp(A)> from z at time s is exp(z' X z / 2 + y . z + c), -dX/dt = L' X + X L + X D X + V,
-dy/dt = (L + D X)' y + X b - work f', -dc/dt = b . y + y' D y / 2 + tr(D X) / 2 + heat gamma T / m.
"""

import numpy as np
from scipy.integrate import solve_ivp

ACCURACY = 1e-10


def log_averages(ensemble, start, periods, heat, work, z):
    """log <exp(z A)> (k,), A weighted by heat and work (n,) of the sites."""
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

    def slope(back, flat):
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

    begin = np.zeros(splits[1] + many, np.complex128)
    found = solve_ivp(
        slope,
        (0.0, end),
        begin,
        "DOP853",
        rtol=ACCURACY,
        atol=1e-2 * ACCURACY,
    )
    assert found.success
    x, y, c = (part.reshape(many, *s) for part, s in _parts(found.y[:, -1], splits, size))
    left = np.eye(size) - start.covariance @ x
    gathered = x @ start.mean + y
    through = np.linalg.solve(left, (start.covariance @ gathered[..., None]))[..., 0]
    # No eigenvalue crosses the negative axis for imaginary or small z: each has its own root.
    roots = np.log(np.linalg.eigvals(left)).sum(axis=1)
    mean = 0.5 * np.einsum("i,kij,j->k", start.mean, x, start.mean) + y @ start.mean
    return c + mean + 0.5 * (gathered * through).sum(axis=1) - 0.5 * roots


def _parts(flat, splits, size):
    x, y, c = np.split(flat, splits)
    return [(x, (size, size)), (y, (size,)), (c, ())]
