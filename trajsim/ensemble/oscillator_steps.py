"""Short steps of driven linear oscillators, by collocation.

What moves zeta = (1, z) and averages of exp(A) over it are the blocks of one propagator. With
X = W U^-1, the Riccati equation of `trajsim.ensemble.oscillator_counting` is

    d/dt (U, W) = [[F, D], [-V, -F']] (U, W),

where exp(zeta' X zeta / 2) is averaged. Heat is what is left of the change of the kinetic energy
when the forces have done their work: -F v, of which no noise is a part, and m v^2 / 2 at the ends.
So V is linear in the counting field z, and the propagator is a power series in it.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from trajsim.ensemble.answers import Array
from trajsim.ensemble.gaussian_maps import (
    Complex,
    Map,
    Powers,
    Tilted,
    added,
    added_powers,
    inverted,
    multiplied,
)
from trajsim.ensemble.jumps.collocation import (
    BATCH,
    right_side,
    solve_stages,
    systems,
    tableau,
)
from trajsim.ensemble.oscillator_process import OscillatorProcess

# Of more stages the equations are solved with larger rounding errors.
STAGES = 6
NODES, _, WEIGHTS = tableau(STAGES)


def _batches(
    process: OscillatorProcess, begins: Array, widths: Array, count: int = 1
) -> Iterator[tuple[Array, Array, Array, Array]]:
    """Steps that are solved at once.

    Yields
    ------
    begins : (t,)
    u : (t, stages) phases
    generators : (t, stages, 2 s, 2 s) of (U, W) where nothing is counted
    durations : (t,)
    """
    s = process.size
    batch = max(1, BATCH // (2 * STAGES * s) ** 2 // count)
    for k in range(0, len(begins), batch):
        some, wide = begins[k : k + batch], widths[k : k + batch]
        u = some[:, None] + wide[:, None] * NODES
        generators = np.zeros((*u.shape, 2 * s, 2 * s))
        flow = process.flows(u.ravel()).reshape(*u.shape, s, s)
        generators[..., :s, :s], generators[..., s:, s:] = flow, -flow.swapaxes(-1, -2)
        v = np.arange(process.n + 1, s)
        generators[..., v, s + v] = process.noises(u.ravel()).reshape(*u.shape, -1)
        yield some, u, generators, wide * process.period


def maps(process: OscillatorProcess, begins: Array, widths: Array) -> Iterator[Map]:
    """Maps (t, ...) of steps, some at a time; jumps where they begin are part of them.

    Parameters
    ----------
    process : OscillatorProcess
    begins, widths : (steps,) phases
    """
    s = process.size
    for some, u, generators, durations in _batches(process, begins, widths):
        stages = solve_stages(generators, durations)
        flow = stages[..., :s, :s]
        noise = stages[..., :s, s:] @ np.linalg.inv(stages[..., s:, s:])
        _keep_one(flow, noise)
        coefficients = process.coefficients(u.ravel()).reshape(*u.shape, -1, process.features)
        coefficients = coefficients * np.outer(durations, WEIGHTS)[..., None, None]
        left, right = process.left, process.right
        spread = np.einsum("ki,tuij,kj->tuk", left, noise, right, optimize=True)
        gain = np.einsum("tuqk,tuk->tq", coefficients, spread)
        # Of each energetic: sum over stages and features of products of linear forms.
        weighted = coefficients.swapaxes(1, 2)[..., None] * (left @ flow)[:, None]
        weighted = weighted.reshape(*weighted.shape[:2], -1, s).swapaxes(-1, -2)
        form = weighted @ (right @ flow).reshape(len(some), 1, -1, s)
        form = 0.5 * (form + form.swapaxes(-1, -2))
        for at, begin in enumerate(some):
            if begin in process.jumps:
                form[at] += 0.5 * process.forms(process.jumps[begin])
        yield Map(flow[:, -1], noise[:, -1], form, gain)


def propagators(process: OscillatorProcess, finer: int, weights: Array, powers: int) -> Array:
    """Propagators of (U, W) over panels as power series in z (panels, f, powers, 2 s, 2 s).

    What the kinetic energy adds at the ends is left out.

    Parameters
    ----------
    process : OscillatorProcess
    finer : as for `OscillatorProcess.steps`
    weights : (f, q) of A
    powers : how many coefficients
    """
    s, count = process.size, len(weights)
    begins, widths, panels = process.steps(0.0, 1.0, finer)
    parts = []
    for some, u, generators, durations in _batches(process, begins, widths, count):
        tilt = process.tilt(u, weights) * durations[:, None, None, None, None]
        inverse = np.linalg.inv(systems(generators, durations))
        stages = (inverse @ right_side(2 * s, STAGES)).reshape(len(some), 1, STAGES, 2 * s, 2 * s)
        stages = np.repeat(stages, count, axis=1)
        part = np.zeros((len(some), count, powers, 2 * s, 2 * s))
        part[:, :, 0] = stages[:, :, -1]
        for power in range(1, powers):
            push = np.zeros_like(stages)
            push[..., s:, :] = -tilt @ stages[..., :s, :]
            flat = push.reshape(len(some), count, STAGES * 2 * s, 2 * s)
            stages = (inverse[:, None] @ flat).reshape(push.shape)
            part[:, :, power] = stages[:, :, -1]
        for at, begin in enumerate(some):
            if begin in process.jumps:
                jump = process.forms(weights @ process.jumps[begin])[:, None]
                part[at, :, 1:, :, :s] -= part[at, :, :-1, :, s:] @ jump
        parts.append(part)
    steps = np.concatenate(parts)
    first = np.flatnonzero(np.diff(panels, prepend=-1))
    out = steps[first]
    for panel, (one, other) in enumerate(pairwise([*first, len(steps)])):
        for step in steps[one + 1 : other]:
            out[panel] = multiplied(step, out[panel])
    return out


def powers_of(process: OscillatorProcess, panels: Array, weights: Array) -> Powers:
    """<exp(z A)> over panels (p, f, ...) as power series.

    Parameters
    ----------
    process : OscillatorProcess
    panels : (p, f, powers, 2 s, 2 s), their propagators
    weights : (f, q) of A
    """
    s, powers = process.size, panels.shape[2]
    back, log_det = inverted(panels[..., s:, s:])
    flow, noise = back.swapaxes(-1, -2), multiplied(panels[..., :s, s:], back)
    form = -multiplied(back, panels[..., s:, :s])
    _keep_one(flow[..., 0, :, :], noise)
    flow[..., 1:, 0, :] = 0.0
    kinetic = np.broadcast_to(process.kinetic(weights), (*panels.shape[:2], s, s))
    whole = Powers(flow, noise, form, -0.5 * log_det).then(added_powers(kinetic, powers))
    whole.form[:, :, 1] -= kinetic
    return whole


def tilted(process: OscillatorProcess, panels: Array, weights: Array, z: Complex) -> Tilted:
    """<exp(z A)> over panels (p, k, ...) for z (k,).

    Parameters
    ----------
    process : OscillatorProcess
    panels : (p, powers, 2 s, 2 s), their propagators
    weights : (q,) of A
    z : (k,) values of the counting field
    """
    s = process.size
    fields = z[:, None] ** np.arange(panels.shape[1])
    end = np.tensordot(fields, panels, axes=([1], [1])).swapaxes(0, 1)
    back = np.asarray(np.linalg.inv(end[..., s:, s:]), np.complex128)
    flow, noise, form = back.swapaxes(-1, -2), end[..., :s, s:] @ back, -back @ end[..., s:, :s]
    _keep_one(flow, noise)
    # 1 but for the noise: its logarithm is near 0.
    lost = process.damping * process.period / len(panels)
    share = np.linalg.det(end[..., s:, s:]) * np.exp(-lost)
    exists = (z.imag != 0.0) | (share.real > 0.0)
    constant = np.asarray(-0.5 * np.log(np.where(exists, share, 1.0)), np.complex128)
    kinetic = np.broadcast_to(z[:, None, None] * process.kinetic(weights[None]), form.shape)
    whole = Tilted(flow, noise, form, constant, exists).then(added(kinetic))
    return whole._replace(form=whole.form - kinetic)


def _keep_one(flow: Any, noise: Any) -> None:
    """Free the 1 of zeta from rounding, which many periods would add up."""
    flow[..., 0, :] = np.eye(flow.shape[-1])[0]
    noise[..., 0, :] = noise[..., :, 0] = 0.0
