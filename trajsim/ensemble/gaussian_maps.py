"""What a stretch of time does to Gaussians, and to averages of exp(A): maps, and one after another.

With zeta = (1, z) a Gaussian of z = (x, v) is the matrix M = <zeta zeta'> (s, s), and what is
driven without fluctuations is part of the flow.
"""

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from trajsim.ensemble.answers import Array

Complex = NDArray[np.complex128]
Some = TypeVar("Some", "Map", "Tilted", "Powers")


class Map(NamedTuple):
    """M becomes flow M flow' + noise; the energetics gained are tr(form M) + gain.

    Any leading axes; of q energetics.

    Parameters
    ----------
    flow, noise : (..., s, s)
    form : (..., q, s, s), symmetric
    gain : (..., q)
    """

    flow: Array
    noise: Array
    form: Array
    gain: Array

    def then(self, later: "Map") -> "Map":
        """A later map after this one."""
        back = self.flow[..., None, :, :]
        form = later.form @ back
        gain = np.einsum("...qij,...ij->...q", later.form, self.noise)
        return Map(
            later.flow @ self.flow,
            later.flow @ self.noise @ later.flow.swapaxes(-1, -2) + later.noise,
            self.form + back.swapaxes(-1, -2) @ form,
            self.gain + later.gain + gain,
        )

    def carry(self, moments: Array) -> Array:
        """M (s, s), or the covariance of zeta, afterwards."""
        return np.asarray(self.flow @ moments @ self.flow.T + self.noise)

    def gained(self, moments: Array) -> Array:
        """Energetics (q,) for M (s, s) at the beginning."""
        return np.asarray(np.einsum("qij,ij->q", self.form, moments) + self.gain)

    def sum(self, moments: Array, count: int) -> Array:
        """Sum (s, s) of M at the beginnings of `count` of these maps in a row."""
        total, done, power = np.zeros_like(moments), 0, None
        for bit in f"{count:b}":
            if power is not None:
                total = total + power.carry(total) + (done - 1.0) * power.noise
                power, done = power.then(power), 2 * done
            if bit == "1":
                total = moments + self.carry(total) + (done - 1.0) * self.noise
                power, done = self if power is None else power.then(self), done + 1
        return total


class Tilted(NamedTuple):
    """<exp(A)> over a time, from zeta at its beginning, of what comes after it.

    If exp(zeta' X zeta / 2) is to be averaged at the end, it is the average of exp(A) times that:
    exp(zeta' (form + flow' X (1 - noise X)^-1 flow) zeta / 2 + constant) / sqrt(det(1 - noise X)).
    Any leading axes.

    Parameters
    ----------
    flow, noise, form : (..., s, s)
    constant : (...)
    exists : (...) bool; a real A may grow too fast for an average
    """

    flow: Complex
    noise: Complex
    form: Complex
    constant: Complex
    exists: NDArray[np.bool_]

    def then(self, later: "Tilted") -> "Tilted":
        """A later time after this one.

        The integral over the state in between exists if no eigenvalue of 1 - noise form is
        negative. Where A is imaginary none is on the negative axis: take the root of each.
        """
        size = self.flow.shape[-1]
        system = np.eye(size) - self.noise @ later.form
        exists = self.exists & later.exists & np.isfinite(system).all(axis=(-1, -2))
        roots = np.linalg.eigvals(np.where(exists[..., None, None], system, np.eye(size)))
        real = ~later.form.imag.any(axis=(-1, -2)) & ~self.noise.imag.any(axis=(-1, -2))
        exists = exists & (~real | (roots.real.min(axis=-1) > 0.0))
        system = np.where(exists[..., None, None], system, np.eye(size))
        between = np.linalg.solve(system, np.concatenate([self.flow, self.noise], axis=-1))
        flow = later.flow @ between[..., :size]
        noise = later.flow @ between[..., size:] @ later.flow.swapaxes(-1, -2) + later.noise
        form = self.flow.swapaxes(-1, -2) @ later.form @ between[..., :size] + self.form
        roots = np.where(exists[..., None], roots, 1.0)
        constant = self.constant + later.constant - 0.5 * np.log(roots).sum(axis=-1)
        return Tilted(flow, _symmetric(noise), _symmetric(form), constant, exists)

    @property
    def log_average(self) -> Complex:
        """log <exp(A)> (...) from zeta = (1, 0), infinite where it does not exist."""
        value = self.constant + 0.5 * self.form[..., 0, 0]
        return np.asarray(np.where(self.exists, value, np.inf + 0j), np.complex128)


class Powers(NamedTuple):
    """A `Tilted` as power series in z, of <exp(z A)>; the coefficients of 1 and 0 at first.

    Parameters
    ----------
    flow, noise, form : (..., powers, s, s), the last without a constant coefficient
    constant : (..., powers)
    """

    flow: Array
    noise: Array
    form: Array
    constant: Array

    def then(self, later: "Powers") -> "Powers":
        """A later time after this one."""
        nilpotent = multiplied(self.noise, later.form)
        system = -nilpotent
        system[..., 0, :, :] = np.eye(self.flow.shape[-1])
        inverse, log_det = inverted(system)
        flow = multiplied(inverse, self.flow)
        noise = multiplied(multiplied(later.flow, inverse), self.noise)
        return Powers(
            multiplied(later.flow, flow),
            multiplied(noise, later.flow.swapaxes(-1, -2)) + later.noise,
            multiplied(self.flow.swapaxes(-1, -2), multiplied(later.form, flow)) + self.form,
            self.constant + later.constant - 0.5 * log_det,
        )

    @property
    def log_average(self) -> Array:
        """log <exp(z A)> (..., powers) from zeta = (1, 0)."""
        return np.asarray(self.constant + 0.5 * self.form[..., 0, 0])


def multiplied(a: Array, b: Array) -> Array:
    """Product of power series of matrices (..., powers, s, s)."""
    powers = a.shape[-3]
    out: Array = a[..., :1, :, :] @ b
    for j in range(1, powers):
        later: Array = a[..., j : j + 1, :, :] @ b[..., : powers - j, :, :]
        out[..., j:, :, :] += later
    return out


def inverted(a: Array) -> tuple[Array, Array]:
    """Inverse of a power series of matrices, and ln det (..., powers) but for its first."""
    inverse, log_det = np.zeros_like(a), np.zeros(a.shape[:-2])
    inverse[..., 0, :, :] = np.linalg.inv(a[..., 0, :, :])
    for k in range(1, a.shape[-3]):
        for j in range(1, k + 1):
            # d ln det a = tr(a^-1 da)
            product = a[..., j, :, :] @ inverse[..., k - j, :, :]
            log_det[..., k] += j / k * np.trace(product, axis1=-1, axis2=-2)
            inverse[..., k, :, :] -= inverse[..., 0, :, :] @ product
    return inverse, log_det


def added(form: Complex) -> Tilted:
    """What adds zeta' form zeta / 2 to A, all at once; form (..., s, s)."""
    shape, size = form.shape[:-2], form.shape[-1]
    return Tilted(
        np.broadcast_to(np.eye(size) + 0j, form.shape),
        np.zeros_like(form),
        form,
        np.zeros(shape, np.complex128),
        np.ones(shape, np.bool_),
    )


def added_powers(form: Array, powers: int) -> Powers:
    """What adds zeta' form zeta / 2 to A, all at once; form (..., s, s)."""
    size = form.shape[-1]
    still = np.zeros((*form.shape[:-2], powers, size, size))
    flow, first = still.copy(), still.copy()
    flow[..., 0, :, :] = np.eye(size)
    first[..., 1, :, :] = form
    return Powers(flow, still, first, np.zeros(still.shape[:-2]))


def _symmetric(matrix: Complex) -> Complex:
    return np.asarray(0.5 * (matrix + matrix.swapaxes(-1, -2)), np.complex128)


def joined(maps: Some) -> Some:
    """Maps (t, ...) one after another, as one map (...)."""
    steps: Any = maps
    kind = type(maps)
    while len(steps[0]) > 1:
        even = len(steps[0]) // 2 * 2
        pairs = kind(*(p[:even:2] for p in steps)).then(kind(*(p[1:even:2] for p in steps)))
        left = (p[even:] for p in steps)
        steps = kind(*map(np.concatenate, zip(pairs, left, strict=True)))
    return kind(*(part[0] for part in steps))


def repeated(map_: Some, count: int) -> Some:
    """A map `count` times, at least once."""
    result, power = None, map_
    while True:
        if count % 2:
            result = power if result is None else result.then(power)
        count //= 2
        if not count:
            assert result is not None
            return result
        power = power.then(power)
