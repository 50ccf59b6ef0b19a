"""Integrators of Langevin oscillators: one class a scheme.

Every scheme is a palindrome around one O step, friction and noise solved exactly, in which all heat
flows. All that is driven is constant within a step, so that all work is done where it changes:
between steps. The remainder of dU is shadow work, the scheme's own error. Where motion is
overdamped there is `Sweep`, without shadow work.

Trajectories are side by side in lanes: `x` holds positions, then velocities, then as much scratch
space, of n sites each, LANES numbers a site; a half step acts on the vector at k.

To add a scheme: write a NamedTuple with the functions of these two and list it in SCHEMES.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import load, read, spread, store
from trajsim.kernels.held import Held
from trajsim.models.oscillators import OscillatorNetwork, linear_force, nonlinear_force

Array = NDArray[np.float64]

# Trajectories advanced side by side; results do not depend on it.
LANES = 64
# Largest tables of a scheme.
MOST_BYTES = 1 << 30
# Entries of a flow below this part of the largest are rounding: of long chains all but those of
# sites near each other. Of more than SMALL sites the others are left out, if they are most.
NEGLIGIBLE, SMALL = 4e-15, 8


def modes(stiffness: Array, mass: Array) -> tuple[Any, Array]:
    """Angular frequencies (..., n) without friction, and modes (..., n, n).

    Of a motion without a restoring force they are imaginary.

    Columns of the second are orthonormal in coordinates scaled by the root of the mass.

    Parameters
    ----------
    stiffness : (..., n, n) quadratic parts of the potential
    mass : (n,)
    """
    root = np.sqrt(mass)
    square, vectors = np.linalg.eigh(stiffness / np.outer(root, root))
    return np.emath.sqrt(square), vectors


def fastest_mode(network: OscillatorNetwork) -> float:
    """Largest angular frequency of the linear part without friction, at its stiffest."""
    return float(modes(network.stiffest, network.mass)[0].real.max())


def fastest_order(network: OscillatorNetwork) -> int:
    """Highest harmonic of all that is driven."""
    driven = (network.drive, network.traps, network.centers, network.couplings)
    return max(int(w.order.max(initial=1)) for w in (*driven, network.temperatures))


class Hoh(NamedTuple):
    """Half a linear flow, O, half a linear flow, with kicks by the nonlinear forces at the ends.

    The flow moves the whole network under its linear forces and the held force without error:
    x' = xx x + xv v + xf F and v' = vx x + vv v + vf F over half a step. `flow` (k, entries, 4)
    holds the entries of xx, xv, vx and vv side by side for each of k stiffnesses, of which `which`
    (steps + 1,) is that of a step, if there are `several`: all n * n, or if it is `sparse` those of
    row i from `begins[i]` on, in the columns alongside. `push` (steps + 1, n, 2) are those of xf F
    and vf F; `kick` (n,) is the change of velocity by a force of 1 in half a step.
    Held at its value in the middle of the step times (a / sin a), a = w dt / 2, a harmonic of
    frequency w moves a linear network as it does in continuous time.
    """

    dt: float
    nonlinear: bool
    several: tuple[int, ...]
    which: NDArray[np.int64]
    kick: Array
    flow: Array
    sparse: tuple[int, ...]
    begins: NDArray[np.int64]
    column: NDArray[np.int64]
    push: Array

    @staticmethod
    def prepare(network: OscillatorNetwork, dt: float, held: Held) -> "Hoh":
        """Matrices of a half step of length dt / 2, and shifts by the forces held.

        Raises
        ------
        ValueError
            If the matrices take too much memory.
        """
        count = len(held.stiffness)
        needed = (4 * count + 2 * len(held.which)) * held.stiffness[0].nbytes
        if count > 1 and needed > MOST_BYTES:
            raise ValueError(
                f"integrator.scheme: 'hoh' keeps matrices of {count} steps, "
                f"{needed / 1e9:.2g} GB; allowed: {MOST_BYTES / 1e9:.2g} GB; 'baoab' needs none"
            )
        (w, vectors), time = modes(held.stiffness, network.mass), 0.5 * dt
        root = np.sqrt(network.mass)
        cosine, sine = np.cos(w * time), np.sin(w * time)
        # numpy's sinc(x) is sin(pi x) / (pi x): no division by w = 0 of a free motion.
        sines = time * np.sinc(w * time / np.pi)
        push = 0.5 * (time * np.sinc(0.5 * w * time / np.pi)) ** 2

        def matrix(size: Any, rows: Array, columns: Array) -> Array:
            turned = vectors * size.real[:, None, :]
            return np.asarray(rows[:, None] * turned @ vectors.swapaxes(1, 2) * columns)

        cosines = matrix(cosine, 1 / root, root)
        parts = [cosines, matrix(sines, 1 / root, root), matrix(-w * sine, 1 / root, root), cosines]
        which = held.which[: len(held.force)]
        pushes = []
        for size in (push, sines):
            shifts = matrix(size, 1 / root, 1 / root).swapaxes(1, 2)
            pushes.append(
                np.einsum("ti,tij->tj", held.force, shifts[which])
                if len(shifts) > 1
                else held.force @ shifts[0]
            )
        flow = np.stack(parts, axis=-1)
        near = (abs(flow) > NEGLIGIBLE * abs(flow).max(axis=(1, 2), keepdims=True)).any(axis=(0, 3))
        sparse = len(root) > SMALL and near.mean() < 0.5
        near |= not sparse
        row, column = np.nonzero(near)
        return Hoh(
            dt=float(dt),
            nonlinear=not network.linear,
            several=(0,) if len(held.stiffness) > 1 else (),
            which=which,
            kick=0.5 * dt / network.mass,
            flow=np.ascontiguousarray(flow[:, near]),
            sparse=(0,) if sparse else (),
            begins=np.searchsorted(row, np.arange(len(root) + 1)),
            column=np.ascontiguousarray(column),
            push=np.stack(pushes, axis=-1),
        )

    @staticmethod
    def held(angle: float) -> float:
        """Factor of the held force of a harmonic that turns by 2 * angle in a step."""
        return angle / math.sin(angle)

    @staticmethod
    def fewest_steps(network: OscillatorNetwork) -> int:
        """Smallest number of steps a period for which the scheme is valid."""
        # The held force needs a few steps in a cycle of the fastest harmonic.
        fewest = 4 * fastest_order(network)
        if network.linear:
            return fewest
        # Kicks that come once in half a cycle of a linear mode, or less often, are resonant.
        return max(fewest, math.ceil(fastest_mode(network) * network.period / math.pi) + 1)

    @staticmethod
    def first(scheme, network, n, x, k, held, step):
        if scheme.nonlinear:
            _kick(scheme, network, n, x, k)
        _flow(scheme, n, x, k, step)

    @staticmethod
    def second(scheme, network, n, x, k, held, step):
        _flow(scheme, n, x, k, step)
        if scheme.nonlinear:
            _kick(scheme, network, n, x, k)


class Baoab(NamedTuple):
    """Kick, drift, O, drift, kick: Leimkuhler & Matthews, Appl. Math. Res. Express 2013, 34.

    `kick` (n,) is the change of velocity by a force of 1 in half a step; `springs` (k, entries) are
    the numbers of k stiffnesses, `several` and `which` as for `Hoh`.
    """

    dt: float
    several: tuple[int, ...]
    which: NDArray[np.int64]
    springs: Array
    kick: Array

    @staticmethod
    def prepare(network: OscillatorNetwork, dt: float, held: Held) -> "Baoab":
        """Step and kicks of a network."""
        return Baoab(
            dt=float(dt),
            several=(0,) if len(held.springs) > 1 else (),
            which=held.which[: len(held.force)],
            springs=held.springs,
            kick=0.5 * dt / network.mass,
        )

    @staticmethod
    def held(angle: float) -> float:
        """Factor of the held force of a harmonic: its value in the middle of the step."""
        return 1.0

    @staticmethod
    def fewest_steps(network: OscillatorNetwork) -> int:
        """Steps a period for stability: the fastest mode turns by less than 2 in a step."""
        stable = math.floor(fastest_mode(network) * network.period / 2.0) + 1
        return max(4 * fastest_order(network), stable)

    @staticmethod
    def first(scheme, network, n, x, k, held, step):
        _kick_all(scheme, network, n, x, k, held, step)
        _drift(0.5 * scheme.dt, n, x, k)

    @staticmethod
    def second(scheme, network, n, x, k, held, step):
        _drift(0.5 * scheme.dt, n, x, k)
        _kick_all(scheme, network, n, x, k, held, step)


class Sweep(NamedTuple):
    """Overdamped motion: each site in turn by its own bath, there and back again.

    All of it is done by the thermal moves of `trajsim.kernels.oscillator_energetics.relax`, of half
    a step there and half a step back. A move under linear forces is exact, and one by Heun's rule
    of second order; in a palindrome so is the whole step, in the law of positions and heats.
    """

    dt: float

    @staticmethod
    def prepare(network: OscillatorNetwork, dt: float, held: Held) -> "Sweep":
        """The step alone."""
        return Sweep(dt=float(dt))

    @staticmethod
    def held(angle: float) -> float:
        """Factor of the held force of a harmonic: its value in the middle of the step."""
        return 1.0

    @staticmethod
    def fewest_steps(network: OscillatorNetwork) -> int:
        """A few steps in a cycle of the fastest harmonic."""
        return 4 * fastest_order(network)

    @staticmethod
    def first(scheme, network, n, x, k, held, step):
        pass

    @staticmethod
    def second(scheme, network, n, x, k, held, step):
        pass


SCHEMES: dict[str, Any] = {"hoh": Hoh, "baoab": Baoab, "sweep": Sweep}


@compiled(inline=True)
def _kick(scheme, network, n, x, k):
    """Nonlinear forces for half a step, positions held."""
    for i in range(n):
        slot = (n + i) * LANES + k
        force = nonlinear_force(network, x, k, LANES, i)
        store(x, slot, load(x, slot) + read(scheme.kick, i) * force)


@compiled(inline=True)
def _kick_all(scheme, network, n, x, k, held, step):
    """All forces for half a step, positions held; on sites at 0 they are `held` (steps, n)."""
    first = 0
    if len(scheme.several) > 0:
        first = read(scheme.which, step) * read(network.springs.first, n)
    for i in range(n):
        slot = (n + i) * LANES + k
        force = linear_force(network, scheme.springs, first, x, k, LANES, i)
        force += nonlinear_force(network, x, k, LANES, i)
        store(x, slot, load(x, slot) + read(scheme.kick, i) * (force + read(held, step * n + i)))


@compiled(inline=True)
def _drift(time, n, x, k):
    for i in range(n):
        slot = i * LANES + k
        store(x, slot, load(x, slot) + time * load(x, n * LANES + slot))


@compiled(inline=True)
def _flow(scheme, n, x, k, step):
    """Half a step of the linear network under the held force; cost n**2 unless it is sparse."""
    at = 0
    if len(scheme.several) > 0:
        at = read(scheme.which, step) * read(scheme.begins, n)
    for i in range(n):
        position = spread(read(scheme.push, 2 * (step * n + i)))
        velocity = spread(read(scheme.push, 2 * (step * n + i) + 1))
        begin, count = i * n, n
        if len(scheme.sparse) > 0:
            begin = read(scheme.begins, i)
            count = read(scheme.begins, i + 1) - begin
        for e in range(count):
            j = e
            if len(scheme.sparse) > 0:
                j = read(scheme.column, begin + e)
            entry = 4 * (at + begin + e)
            x_j, v_j = load(x, j * LANES + k), load(x, (n + j) * LANES + k)
            position += read(scheme.flow, entry) * x_j
            position += read(scheme.flow, entry + 1) * v_j
            velocity += read(scheme.flow, entry + 2) * x_j
            velocity += read(scheme.flow, entry + 3) * v_j
        store(x, (2 * n + i) * LANES + k, position)
        store(x, (3 * n + i) * LANES + k, velocity)
    for i in range(2 * n):
        store(x, i * LANES + k, load(x, (2 * n + i) * LANES + k))


def first_half(scheme: Any, network: Any, n: int, x: Any, k: int, held: Any, step: int) -> None:
    """Part of a step before its O step, of n sites under the forces `held` (steps, n).

    Parameters
    ----------
    scheme : one of SCHEMES
    network : OscillatorNetwork
    n : number of sites
    x : memory of positions, velocities and scratch space
    k : first lane of the vector
    held : (steps, n) force in each step
    step : number of the step in the period
    """
    scheme.first(scheme, network, n, x, k, held, step)


def second_half(scheme: Any, network: Any, n: int, x: Any, k: int, held: Any, step: int) -> None:
    """Part of a step after its O step, the mirror image of the first.

    Parameters
    ----------
    scheme, network, n, x, k, held, step : as for `first_half`
    """
    scheme.second(scheme, network, n, x, k, held, step)


@overload(first_half, inline="always")
def _first_half(scheme, network, n, x, k, held, step):
    return scheme.instance_class.first


@overload(second_half, inline="always")
def _second_half(scheme, network, n, x, k, held, step):
    return scheme.instance_class.second
