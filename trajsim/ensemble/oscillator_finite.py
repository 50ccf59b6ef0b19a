"""Heat and work of linear oscillators over whole periods from a Gaussian start.

With X the stabilising solution of the Riccati equation of `ensemble.oscillator_counting` and
y the periodic one beside it, exp(z' X z / 2 + y . z + theta t) is a solution of the tilted backward
equation. Divided by it, the process is an ordinary one with the flow M = L + D X and the force
b + D y (Doob's transform), Gaussian at the end, where exp(-z' X z / 2 - y . z) remains to be
averaged. All in closed form, for many values of the counting field at once.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.ensemble.answers import Array
from trajsim.ensemble.gaussian import Gaussian, LinearEnsemble

Complex = NDArray[np.complex128]


class Quadratic(NamedTuple):
    """exp(z' x z / 2 + y . z + c) for many fields: (k, 2n, 2n), (k, 2n), (k,)."""

    x: Complex
    y: Complex
    c: Complex


class _Tilted(NamedTuple):
    """The transformed process: x, eigenvalues and eigenvectors of its flow, y and its mean at 0."""

    x: Complex
    values: Complex
    vectors: Complex
    y: Complex
    mean: Complex
    theta: Complex
    exists: NDArray[np.bool_]


def log_averages(
    ensemble: LinearEnsemble, start: Gaussian, periods: int, heat: Array, work: Array, z: Complex
) -> Complex:
    """log <exp(z A)> (k,) for z (k,), with A weighted by heat (n,) and work (n,) of the sites.

    Infinite where the average does not exist at long times.

    Parameters
    ----------
    ensemble : of the oscillators
    start : Gaussian at time 0
    periods : whole ones
    heat, work : (n,) weights of the sites
    z : (k,) values of the counting field
    """
    tilted = _transformed(ensemble, heat, work, z)
    x, y, c = _over_periods(tilted, ensemble, periods)
    system = np.eye(x.shape[-1]) - start.covariance @ x
    linear = x @ start.mean + y
    response = _solve(system, linear @ start.covariance)
    mean = 0.5 * np.einsum("i,kij,j->k", start.mean, x, start.mean) + y @ start.mean
    roots = np.linalg.eigvals(system)
    exists = tilted.exists & ((z.imag != 0.0) | (roots.real.min(axis=1) > 0.0))
    # For imaginary z no eigenvalue is on the negative axis: take the root of each.
    result = c + mean + 0.5 * (linear * response).sum(axis=1) - 0.5 * np.log(roots).sum(axis=1)
    return np.asarray(np.where(exists, result, np.inf + 0j), np.complex128)


def thetas(ensemble: LinearEnsemble, heat: Array, work: Array, z: Complex) -> Complex:
    """lim (1/t) log <exp(z A)> (k,) for z (k,); infinite where it does not exist.

    Parameters
    ----------
    ensemble : of the oscillators
    heat, work : (n,) weights of the sites
    z : (k,) values of the counting field
    """
    tilted = _transformed(ensemble, heat, work, z)
    return np.asarray(np.where(tilted.exists, tilted.theta, np.inf + 0j), np.complex128)


def _solve(matrix: Complex, vector: Complex) -> Complex:
    return np.asarray(np.linalg.solve(matrix, vector[..., None])[..., 0], np.complex128)


def _transformed(ensemble: LinearEnsemble, heat: Array, work: Array, z: Complex) -> _Tilted:
    network, n, count = ensemble.network, ensemble.n, len(z)
    size, noise = 2 * n, ensemble.noise
    noise_power = network.friction * network.temperature / network.mass
    heats, velocity = z[:, None] * heat, np.arange(n, size)
    hamiltonian = np.zeros((count, 2 * size, 2 * size), np.complex128)
    hamiltonian[:, :size, :size] = ensemble.flow
    hamiltonian[:, velocity, velocity] += 2 * heats * noise_power
    hamiltonian[:, size:, size:] = -hamiltonian[:, :size, :size].swapaxes(1, 2)
    hamiltonian[:, :size, size:] = noise
    square = 2 * network.friction * heats * (heats * network.temperature - 1)
    hamiltonian[:, size + velocity, velocity] = -square
    values, vectors = np.linalg.eig(hamiltonian)
    # The flow that decays belongs to the eigenvalues on the left.
    order = np.argsort(values.real, axis=1)[:, :size]
    values = np.take_along_axis(values, order, axis=1)
    vectors = np.take_along_axis(vectors, order[:, None, :], axis=2)
    exists = values.real.max(axis=1) < -1e-9 * abs(values).max(axis=1)
    basis = vectors[:, :size]
    x = np.linalg.solve(basis.swapaxes(1, 2), vectors[:, size:].swapaxes(1, 2)).swapaxes(1, 2)
    flow = hamiltonian[:, :size, :size] + noise @ x
    theta = 0.5 * np.einsum("ij,kji->k", noise, x) + heats @ noise_power
    y, mean = np.zeros((count, size), np.complex128), np.zeros((count, size), np.complex128)
    for frequency, force, _ in ensemble.responses:
        forcing = np.append(np.zeros(n), force / network.mass) + 0j
        rotation = 1j * frequency * np.eye(size)
        # A wave and its conjugate, or the constant.
        weight, signs = (0.5, (1, -1)) if frequency > 0 else (1.0, (1,))
        waves = {}
        for sign in signs:
            b = weight * (forcing if sign > 0 else forcing.conj())
            work_source = np.zeros((count, size), np.complex128)
            slope = sign * 1j * frequency * (force if sign > 0 else force.conj())
            work_source[:, :n] = -weight * z[:, None] * work * slope
            wave = _solve(sign * rotation + flow.swapaxes(1, 2), -(x @ b + work_source))
            y += wave
            mean += _solve(sign * rotation - flow, b + wave @ noise)
            waves[sign] = b, wave
        for sign in signs:
            other = -sign if frequency > 0 else sign
            b, wave = waves[other][0], waves[sign][1]
            theta += wave @ b + 0.5 * np.einsum("ki,ij,kj->k", wave, noise, waves[other][1])
    return _Tilted(x, values, basis, y, mean, theta, exists)


def _over_periods(tilted: _Tilted, ensemble: LinearEnsemble, periods: int) -> Quadratic:
    """log <exp(z A)> from a state, over whole periods, as a quadratic form of the state."""
    time = ensemble.network.period * periods
    x, values, basis, y = tilted.x, tilted.values, tilted.vectors, tilted.y
    size = x.shape[-1]
    inverse = np.linalg.inv(basis)
    flow = (basis * np.exp(values * time)[:, None, :]) @ inverse
    # Covariance of the transformed process, at long times and at the end.
    cov = inverse @ ensemble.noise @ inverse.swapaxes(1, 2)
    cov = -cov / (values[:, :, None] + values[:, None, :])
    cov = basis @ cov @ basis.swapaxes(1, 2)
    cov = cov - flow @ cov @ flow.swapaxes(1, 2)
    system = np.eye(size) + x @ cov
    end_x = -np.linalg.solve(system, x)
    end_y = -_solve(system, y)
    offset = tilted.mean - np.einsum("kij,kj->ki", flow, tilted.mean)
    dual = flow.swapaxes(1, 2)
    c = tilted.theta * time + 0.5 * np.einsum("ki,kij,kj->k", offset, end_x, offset)
    c = c + (end_y * offset).sum(axis=1) - 0.5 * np.einsum("ki,kij,kj->k", y, cov, end_y)
    c = c - 0.5 * np.log(np.linalg.eigvals(system)).sum(axis=1)
    shift = np.einsum("kij,kj->ki", dual, np.einsum("kij,kj->ki", end_x, offset) + end_y)
    return Quadratic(x + dual @ end_x @ flow, y + shift, c)
