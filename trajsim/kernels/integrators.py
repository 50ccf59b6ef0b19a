"""Integrators of Langevin oscillators: one class a scheme.

Every scheme is a palindrome around one O step, friction and noise exactly, in which all heat
flows. It holds the force still from one end of the step to the other, so that all work is done
where the force moves: at the ends. What is left of dU is shadow work, the scheme's own error.

The m trajectories of a call stand side by side, arrays (n, m), so that inner loops vectorise.

To add a scheme: write a NamedTuple with the functions of these two and list it in SCHEMES.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from trajsim.jit import compiled
from trajsim.models.oscillators import OscillatorNetwork, linear_force, quartic_force

Array = NDArray[np.float64]


def modes(network: OscillatorNetwork) -> tuple[Array, Array]:
    """Angular frequencies (n,) of the linear part without friction, and its modes (n, n).

    Columns of the second are orthonormal in coordinates scaled by the root of the mass.
    """
    root = np.sqrt(network.mass)
    square, vectors = np.linalg.eigh(network.stiffness / np.outer(root, root))
    return np.sqrt(np.maximum(square, 0.0)), vectors


def fastest_mode(network: OscillatorNetwork) -> float:
    """Largest angular frequency of the linear part without friction."""
    return float(modes(network)[0].max())


class Hoh(NamedTuple):
    """Half a linear flow, O, half a linear flow, with quartic kicks at the ends.

    The flow moves the whole network under its linear forces and the held force without error:
    x' = xx x + xv v + xf F and v' = vx x + vv v + vf F over half a step, each matrix (n, n).
    Held at its value in the middle of the step times (a / sin a), a = w dt / 2, a harmonic of
    frequency w moves a linear network as it does in continuous time.
    """

    dt: float
    xx: Array
    xv: Array
    xf: Array
    vx: Array
    vv: Array
    vf: Array

    @staticmethod
    def prepare(network: OscillatorNetwork, dt: float) -> "Hoh":
        """Matrices of half a step of length dt / 2."""
        (w, vectors), time, root = modes(network), 0.5 * dt, np.sqrt(network.mass)
        cosine, sine = np.cos(w * time), np.sin(w * time)
        # numpy's sinc(x) is sin(pi x) / (pi x): no division by w = 0 of a free motion.
        swing = time * np.sinc(w * time / np.pi)
        push = 0.5 * (time * np.sinc(0.5 * w * time / np.pi)) ** 2

        def matrix(size: Array, left: Array, right: Array) -> Array:
            return np.ascontiguousarray(left[:, None] * (vectors * size) @ vectors.T * right)

        stays = matrix(cosine, 1 / root, root)
        return Hoh(
            dt=float(dt),
            xx=stays,
            xv=matrix(swing, 1 / root, root),
            xf=matrix(push, 1 / root, 1 / root),
            vx=matrix(-w * sine, 1 / root, root),
            vv=stays,
            vf=matrix(swing, 1 / root, 1 / root),
        )

    @staticmethod
    def held(angle: float) -> float:
        """Factor of the held force of a harmonic that turns by 2 * angle in a step."""
        return angle / math.sin(angle)

    @staticmethod
    def fewest_steps(network: OscillatorNetwork) -> int:
        """Steps a period below which the scheme makes no sense."""
        # The held force needs a few steps in a cycle of the fastest harmonic.
        fewest = 4 * int(network.drive.order.max())
        if network.linear:
            return fewest
        # Kicks that come once in half a cycle of a linear mode, or less often, pump it up.
        return max(fewest, math.ceil(fastest_mode(network) * network.period / math.pi) + 1)

    @staticmethod
    def first(scheme, network, x, v, f, spare):
        _kick(network, 0.5 * scheme.dt, x, v, spare[0])
        _flow(scheme, x, v, f, spare)

    @staticmethod
    def second(scheme, network, x, v, f, spare):
        _flow(scheme, x, v, f, spare)
        _kick(network, 0.5 * scheme.dt, x, v, spare[0])


class Baoab(NamedTuple):
    """Kick, drift, O, drift, kick: Leimkuhler & Matthews, Appl. Math. Res. Express 2013, 34."""

    dt: float

    @staticmethod
    def prepare(network: OscillatorNetwork, dt: float) -> "Baoab":
        """Nothing but the step."""
        return Baoab(float(dt))

    @staticmethod
    def held(angle: float) -> float:
        """Factor of the held force of a harmonic: its value in the middle of the step."""
        return 1.0

    @staticmethod
    def fewest_steps(network: OscillatorNetwork) -> int:
        """Steps a period for stability: the fastest mode turns by less than 2 in a step."""
        stable = math.floor(fastest_mode(network) * network.period / 2.0) + 1
        return max(4 * int(network.drive.order.max()), stable)

    @staticmethod
    def first(scheme, network, x, v, f, spare):
        _kick_all(network, 0.5 * scheme.dt, x, v, f, spare[0])
        _drift(0.5 * scheme.dt, x, v)

    @staticmethod
    def second(scheme, network, x, v, f, spare):
        _drift(0.5 * scheme.dt, x, v)
        _kick_all(network, 0.5 * scheme.dt, x, v, f, spare[0])


SCHEMES: dict[str, Any] = {"hoh": Hoh, "baoab": Baoab}


@compiled(contract=True, inline=True)
def _kick(network, time, x, v, force):
    """Quartic force for a time, positions held; force (n, m) is overwritten."""
    quartic = len(network.bond) > 0
    for i in range(x.shape[0]):
        quartic |= network.quartic[i] != 0.0
    if quartic:
        for i in range(x.shape[0]):
            for k in range(x.shape[1]):
                force[i, k] = 0.0
        quartic_force(network, x, force)
        _accelerate(network, time, v, force)


@compiled(contract=True, inline=True)
def _kick_all(network, time, x, v, f, force):
    """All forces for a time, positions held; force (n, m) is overwritten."""
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            force[i, k] = f[i]
    linear_force(network, x, force)
    quartic_force(network, x, force)
    _accelerate(network, time, v, force)


@compiled(contract=True, inline=True)
def _accelerate(network, time, v, force):
    for i in range(v.shape[0]):
        push = time / network.mass[i]
        for k in range(v.shape[1]):
            v[i, k] += push * force[i, k]


@compiled(contract=True, inline=True)
def _drift(time, x, v):
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            x[i, k] += time * v[i, k]


@compiled(contract=True, inline=True)
def _flow(scheme, x, v, f, spare):
    """Half a step of the linear network under the held force: cost n**2."""
    n, m = x.shape
    for i in range(n):
        pushed_x, pushed_v = 0.0, 0.0
        for j in range(n):
            pushed_x += scheme.xf[i, j] * f[j]
            pushed_v += scheme.vf[i, j] * f[j]
        for j in range(n):
            # Numbers, not slices: a slice counts references, which takes as long as the loop.
            xx, xv, vx, vv = scheme.xx[i, j], scheme.xv[i, j], scheme.vx[i, j], scheme.vv[i, j]
            if j == 0:
                for k in range(m):
                    spare[0, i, k] = pushed_x + xx * x[j, k] + xv * v[j, k]
                    spare[1, i, k] = pushed_v + vx * x[j, k] + vv * v[j, k]
            else:
                for k in range(m):
                    spare[0, i, k] += xx * x[j, k] + xv * v[j, k]
                    spare[1, i, k] += vx * x[j, k] + vv * v[j, k]
    for i in range(n):
        for k in range(m):
            x[i, k], v[i, k] = spare[0, i, k], spare[1, i, k]


def first_half(scheme: Any, network: Any, x: Any, v: Any, f: Any, spare: Any) -> None:
    """Part of a step before its O step: x, v (n, m) of m trajectories in place; spare (2, n, m)."""
    scheme.first(scheme, network, x, v, f, spare)


def second_half(scheme: Any, network: Any, x: Any, v: Any, f: Any, spare: Any) -> None:
    """Part of a step after its O step, the mirror image of the first."""
    scheme.second(scheme, network, x, v, f, spare)


@overload(first_half, inline="always")
def _first_half(scheme, network, x, v, f, spare):
    return scheme.instance_class.first


@overload(second_half, inline="always")
def _second_half(scheme, network, x, v, f, spare):
    return scheme.instance_class.second
