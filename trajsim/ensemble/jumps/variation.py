"""Derivatives of mean heats and works of a system that jumps; see `trajsim.ensemble.variation`."""

import numpy as np

from trajsim.ensemble.answers import Array, NoExactSideError
from trajsim.ensemble.jumps.channels import JumpProcess
from trajsim.ensemble.jumps.collocation import STAGES, solve_steps, steps_of
from trajsim.ensemble.variation import Variation, Varied, Weighted, panels_between

# States up to which variations are worked out, with matrices; steps of a period at first.
MOST_STATES, STEPS = 256, 12


def variation(
    process: JumpProcess,
    varied: list[Varied],
    start: Array | None,
    weighted: Weighted,
    breaks: Array,
    finer: int = 1,
) -> Variation:
    """Mean of A over a period, and its derivatives by parameters at phases.

    Parameters
    ----------
    process : JumpProcess
    varied : processes, of each parameter
    start : P (states,) at time 0; None for the periodic state
    weighted : weights in A
    breaks : phases (j,) that lie between panels, besides those of the process
    finer : how many times as many steps as at first

    Raises
    ------
    NoExactSideError
        If there are too many states.
    """
    if process.states > MOST_STATES:
        raise NoExactSideError(
            f"{process.states} states; gradients are worked out for up to {MOST_STATES}"
        )
    begin, end = steps_of(process, 0.0, 1.0, STEPS * finer, settled=False)
    panels = panels_between(np.unique(np.concatenate([begin, end, breaks])))
    weight = weighted.of_heats[process.bath]
    maps, gains = _in_steps(process, weight, panels.edges)
    if start is None:
        start, value = _returning(maps, gains)
        begun = value
    else:
        begun, value = (weighted.work * _energies(process, at) for at in process.ends())
    forward, backward = [start], [value]
    for step in maps:
        forward.append(step @ forward[-1])
    for step, gain in zip(maps[::-1], gains[::-1], strict=True):
        backward.append(step.T @ backward[-1] + gain)
    p = np.array(forward)[panels.inside]
    values = np.array(backward[::-1])[panels.inside]
    mean = float((backward[-1] - begun) @ start)
    at = process.at(panels.nodes)
    # What jumps of a class change in lambda, and how many there are, per unit rate.
    flow = p[:, process.source]
    rises = values[:, process.target] - values[:, process.source]
    changes, visits = np.zeros((2, len(p), process.classes))
    np.add.at(changes.T, process.kind, (flow * rises).T)
    np.add.at(visits.T, process.kind, flow.T)
    heat = process.heats_of(at.value)
    densities = []
    for more, less, size in varied:
        a, b = more.at(panels.nodes), less.at(panels.nodes)
        rate = (a.rates - b.rates) / (2.0 * size)
        taken = (more.heats_of(a.value) - less.heats_of(b.value)) / (2.0 * size)
        change = rate * (changes + visits * weight * heat) + at.rates * visits * weight * taken
        densities.append(process.period * change.sum(axis=1))
    return Variation(mean, panels.nodes, panels.weights, np.array(densities))


def _in_steps(process: JumpProcess, weight: Array, edges: Array) -> tuple[Array, Array]:
    """Propagators (m, n, n) of steps between phases, and the heats (m, n) from each state.

    Parameters
    ----------
    process : JumpProcess
    weight : (k,) of the heat of each class
    edges : (m + 1,) of the steps
    """
    maps, gains = [], []
    for steps in solve_steps(process, edges[:-1], edges[1:]):
        instants = steps.instants
        heats = (instants.rates * process.heats_of(instants.value) * weight) @ process.exits
        rates = (heats.reshape(-1, STAGES, process.states) * steps.weights[..., None])[:, :, None]
        gains.append((rates @ steps.stages)[:, :, 0].sum(axis=1))
        maps.append(steps.stages[:, -1])
    return np.concatenate(maps), np.concatenate(gains)


def _returning(maps: Array, gains: Array) -> tuple[Array, Array]:
    """P that returns to itself after a period, and lambda that does but for a constant."""
    states = maps.shape[1]
    period, gain = np.eye(states), np.zeros(states)
    for step, gained in zip(maps[::-1], gains[::-1], strict=True):
        gain = step.T @ gain + gained
        period = period @ step
    one = np.ones((states, states))
    # The period's map less 1, and 1 in the sum of all states.
    system = period - np.eye(states) + one / states
    p = np.linalg.solve(system, np.full(states, 1.0 / states))
    return p, np.linalg.solve(-system.T, gain - float(gain @ p))


def _energies(process: JumpProcess, value: Array) -> Array:
    """Energies (states,) at parameters (d,), up to a constant, from the heats of all channels."""
    steps = np.zeros((len(process.kind), process.states))
    number = np.arange(len(steps))
    np.add.at(steps, (number, process.target), 1.0)
    np.add.at(steps, (number, process.source), -1.0)
    return np.asarray(np.linalg.lstsq(steps, process.heats_of(value)[process.kind], rcond=None)[0])
