"""Short steps of driven linear oscillators, by collocation.

What moves zeta = (1, z) and averages of exp(A) over it are the blocks of one propagator. With
X = W U^-1, the Riccati equation of `trajsim.ensemble.oscillator_counting` is

    d/dt (U, W) = [[F, D], [-V, -F']] (U, W),

where exp(zeta' X zeta / 2) is averaged. Heat is what is left of the change of the kinetic energy
when the forces have done their work: -F v, of which no noise is a part, and m v^2 / 2 at the ends.
So V is linear in the counting field z, and the propagator is a power series in it. Where motion is
overdamped, or a site has several baths, the noise of heat counts: F is linear in z, V quadratic.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

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
        v = process.noisy
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


class Panels(NamedTuple):
    """Propagators of (U, W) over p panels as power series in z.

    Parameters
    ----------
    ends : (p, f, powers, 2 s, 2 s)
    lost : (p, f, 2), -ln of the factor of volumes of states, of first order in z
    """

    ends: Array
    lost: Array


def propagators(process: OscillatorProcess, finer: int, weights: Array, powers: int) -> Panels:
    """Propagators over panels; what the kinetic energy adds at the ends is left out.

    Parameters
    ----------
    process : OscillatorProcess
    finer : as for `OscillatorProcess.steps`
    weights : (f, q) of A
    powers : how many coefficients
    """
    s, count = process.size, len(weights)
    begins, widths, panels = process.steps(0.0, 1.0, finer)
    parts, traces = [], []
    for some, u, generators, durations in _batches(process, begins, widths, count):
        first, *tilts = _tilts(process, u, weights, durations)
        trace = np.zeros((len(some), count, 2))
        quadrature = np.outer(durations, WEIGHTS)
        trace[..., 0] = -(np.trace(generators[..., :s, :s], axis1=2, axis2=3) * quadrature).sum(1)[
            :, None
        ]
        trace[..., 1] = -(np.trace(first, axis1=3, axis2=4) * WEIGHTS).sum(2)
        traces.append(trace)
        inverse = np.linalg.inv(systems(generators, durations))
        stages = (inverse @ right_side(2 * s, STAGES)).reshape(len(some), 1, STAGES, 2 * s, 2 * s)
        stages = np.repeat(stages, count, axis=1)
        part = np.zeros((len(some), count, powers, 2 * s, 2 * s))
        part[:, :, 0] = stages[:, :, -1]
        older = np.zeros_like(stages)
        for power in range(1, powers):
            push = np.zeros_like(stages)
            push[..., s:, :] = -tilts[0] @ stages[..., :s, :]
            if process.noisy_heat:
                push[..., :s, :] = first @ stages[..., :s, :]
                push[..., s:, :] -= first.swapaxes(-1, -2) @ stages[..., s:, :]
                push[..., s:, :] -= tilts[1] @ older[..., :s, :]
                older = stages
            flat = push.reshape(len(some), count, STAGES * 2 * s, 2 * s)
            stages = (inverse[:, None] @ flat).reshape(push.shape)
            part[:, :, power] = stages[:, :, -1]
        for at, begin in enumerate(some):
            if begin in process.jumps:
                jump = process.forms(weights @ process.jumps[begin])[:, None]
                part[at, :, 1:, :, :s] -= part[at, :, :-1, :, s:] @ jump
        parts.append(part)
    steps = np.concatenate(parts)
    firsts = np.flatnonzero(np.diff(panels, prepend=-1))
    out = steps[firsts]
    for panel, (one, other) in enumerate(pairwise([*firsts, len(steps)])):
        for step in steps[one + 1 : other]:
            out[panel] = multiplied(step, out[panel])
    return Panels(out, np.add.reduceat(np.concatenate(traces), firsts))


def _tilts(
    process: OscillatorProcess, u: Array, weights: Array, durations: Array
) -> tuple[Array, ...]:
    """What z and z^2 do to the generators of (U, W) in steps of these durations (t,).

    Changes of the flow by z, of V by z, and of V by z^2 where the noise of heat counts, each
    (t, f, k, s, s).
    """
    time = durations[:, None, None, None, None]
    if process.noisy_heat:
        return tuple(time * each for each in process.noise_tilt(u, weights))
    tilt = time * process.tilt(u, weights)
    return np.zeros((1, 1, 1, 1, 1)), tilt


def powers_of(process: OscillatorProcess, panels: Panels, weights: Array) -> Powers:
    """<exp(z A)> over panels (p, f, ...) as power series.

    Parameters
    ----------
    process : OscillatorProcess
    panels : of f weights
    weights : (f, q) of A
    """
    s, ends = process.size, panels.ends
    powers = ends.shape[2]
    back, log_det = inverted(ends[..., s:, s:])
    log_det[..., 1] -= panels.lost[..., 1]
    flow, noise = back.swapaxes(-1, -2), multiplied(ends[..., :s, s:], back)
    form = -multiplied(back, ends[..., s:, :s])
    _keep_one(flow[..., 0, :, :], noise)
    flow[..., 1:, 0, :] = 0.0
    kinetic = np.broadcast_to(process.kinetic(weights), (*ends.shape[:2], s, s))
    whole = Powers(flow, noise, form, -0.5 * log_det).then(added_powers(kinetic, powers))
    whole.form[:, :, 1] -= kinetic
    return whole


def tilted(process: OscillatorProcess, panels: Panels, weights: Array, z: Complex) -> Tilted:
    """<exp(z A)> over panels (p, k, ...) for z (k,).

    Parameters
    ----------
    process : OscillatorProcess
    panels : of these weights alone
    weights : (q,) of A
    z : (k,) values of the counting field
    """
    s = process.size
    ends, lost = panels.ends[:, 0], panels.lost[:, 0]
    fields = z[:, None] ** np.arange(ends.shape[1])
    end = np.tensordot(fields, ends, axes=([1], [1])).swapaxes(0, 1)
    back = np.asarray(np.linalg.inv(end[..., s:, s:]), np.complex128)
    flow, noise, form = back.swapaxes(-1, -2), end[..., :s, s:] @ back, -back @ end[..., s:, :s]
    _keep_one(flow, noise)
    # 1 but for the noise: its logarithm is near 0.
    share = np.linalg.det(end[..., s:, s:]) * np.exp(-lost[:, :1] - lost[:, 1:] * z)
    exists = (z.imag != 0.0) | (share.real > 0.0)
    constant = np.asarray(-0.5 * np.log(np.where(exists, share, 1.0)), np.complex128)
    kinetic = np.broadcast_to(z[:, None, None] * process.kinetic(weights[None]), form.shape)
    whole = Tilted(flow, noise, form, constant, exists).then(added(kinetic))
    return whole._replace(form=whole.form - kinetic)


def _keep_one(flow: Any, noise: Any) -> None:
    """Free the 1 of zeta from rounding, which many periods would add up."""
    flow[..., 0, :] = np.eye(flow.shape[-1])[0]
    noise[..., 0, :] = noise[..., :, 0] = 0.0
