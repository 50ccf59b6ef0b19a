"""Derivatives of mean heats and works of linear oscillators; see `trajsim.ensemble.variation`.

With zeta = (1, z) and M = <zeta zeta'>, dM/dt = F M + M F' + D, and what is still to come of A is
tr(S M) and a constant, where S follows the backward equation -dS/dt = F' S + S F + rate of A.
"""

from itertools import accumulate

import numpy as np

from trajsim.ensemble.answers import Array
from trajsim.ensemble.driven_oscillators import forever, moments_of, of_zeta
from trajsim.ensemble.gaussian import Gaussian
from trajsim.ensemble.gaussian_maps import Map
from trajsim.ensemble.oscillator_process import OscillatorProcess, Parameters
from trajsim.ensemble.oscillator_steps import maps
from trajsim.ensemble.variation import Variation, Varied, Weighted, panels_between
from trajsim.models.oscillators import stiffness_of


def variation(
    process: OscillatorProcess,
    varied: list[Varied],
    start: Gaussian | None,
    weighted: Weighted,
    breaks: Array,
    finer: int = 1,
) -> Variation:
    """Mean of A over a period, and its derivatives by parameters at phases.

    Parameters
    ----------
    process : OscillatorProcess
    varied : processes, of each parameter
    start : Gaussian at time 0; None for the periodic state
    weighted : weights in A
    breaks : phases (j,) that lie between panels, besides those of the process
    finer : how many times as many steps as at first

    Raises
    ------
    NoExactSideError
        If there is no periodic state.
    """
    begins, _, _ = process.steps(0.0, 1.0, finer)
    panels = panels_between(np.unique(np.concatenate([begins, breaks, [1.0]])))
    steps = _heats(process, weighted.of_heats, panels.edges)
    if start is None:
        moments, value = _returning(steps)
        begun = value
    else:
        moments = moments_of(of_zeta(start))
        ends = process.at_edges(1)
        begun, value = (
            weighted.work * _energy(process, Parameters(*(edges[k] for edges in ends)))
            for k in (0, 1)
        )
    forward, backward, constant = [moments], [value], 0.0
    for step in steps:
        forward.append(step.carry(forward[-1]))
    for step in steps[::-1]:
        constant += float((backward[-1] * step.noise).sum() + step.gain[0])
        backward.append(step.flow.T @ backward[-1] @ step.flow + step.form[0])
    mean = float(((backward[-1] - begun) * moments).sum()) + constant
    m, s = np.array(forward)[panels.inside], np.array(backward[::-1])[panels.inside]
    v, u = process.noisy, panels.nodes
    features = np.array([process.of(each) for each in m])
    densities = []
    for more, less, size in varied:
        flow = (more.flows(u) - less.flows(u)) / (2.0 * size)
        noise = (more.noises(u) - less.noises(u)) / (2.0 * size)
        heat = (more.coefficients(u) - less.coefficients(u))[:, : process.baths] / (2.0 * size)
        change = 2.0 * np.einsum("tij,tjk,tki->t", s, flow, m) + (s[:, v, v] * noise).sum(axis=1)
        change += np.einsum("b,tbf,tf->t", weighted.of_heats, heat, features)
        densities.append(process.period * change)
    return Variation(mean, u, panels.weights, np.array(densities))


def _heats(process: OscillatorProcess, weight: Array, edges: Array) -> list[Map]:
    """Maps of the steps between phases, with the weighted heats (baths,) as their one energetic."""
    out: list[Map] = []
    for some in maps(process, edges[:-1], np.diff(edges)):
        form = np.tensordot(some.form[:, : process.baths], weight, axes=([1], [0]))
        gain = some.gain[:, : process.baths] @ weight
        out += map(Map, some.flow, some.noise, form[:, None], gain[:, None])
    return out


def _returning(steps: list[Map]) -> tuple[Array, Array]:
    """M (s, s) that returns to itself after a period, and S that does but for a constant."""
    *_, period = accumulate(steps, Map.then)
    many = forever(period)
    form = many.form[0].copy()
    # The constant grows with the number of periods.
    form[0, 0] = 0.0
    return np.outer(many.flow[:, 0], many.flow[:, 0]) + many.noise, form


def _energy(process: OscillatorProcess, at: Parameters) -> Array:
    """Symmetric matrix (s, s) of the energy, tr(. M), at parameters without time."""
    n, network = process.n, process.network
    x = np.arange(1, n + 1)
    pull = at.trap * at.center
    out = np.zeros((process.size, process.size))
    if not process.overdamped:
        out[process.noisy, process.noisy] = 0.5 * network.mass
    out[1 : n + 1, 1 : n + 1] = 0.5 * stiffness_of(network.ends, at.trap, at.bond)
    out[0, x] = out[x, 0] = -0.5 * (at.force + pull)
    out[0, 0] = 0.5 * float((pull * at.center).sum())
    return out
