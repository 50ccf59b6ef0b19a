"""Few states: matrices of every step at once, by collocation.

Radau IIA with 10 stages, of order 19 and damping any fast decay (Hairer & Wanner, Solving Ordinary
Differential Equations II, 1996, section IV.5): a step is as long as P is smooth, however fast the
jumps. Stages Y_i of a step of length h from p solve sum_j D_ij Y_j - h W(t_i) Y_i = -D_i0 p, with D
the derivative of the polynomial through p and them.
"""

import math
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from trajsim.ensemble.answers import Array
from trajsim.ensemble.jumps.channels import Instants, JumpProcess

STAGES = 10
# Ratio of one step to the one before where P follows the drive only after a fast decay.
GROWTH = 1.7
# Where rates all but jump: steps a period times (growth - 1), and times the ratio of the first step
# to the width of the jump.
LAYERED = 3.0
# A part between breaks has no fewer steps than so many parts of those of the period.
FEWEST_PARTS = 5.0
# Numbers in the matrices that are solved at once: so many stay in the processor's cache.
BATCH = 1 << 17


@cache
def tableau(stages: int) -> tuple[Array, Array, Array]:
    """Nodes (s,) in (0, 1], derivative D (s, s + 1) from the values at 0 and them, weights (s,)."""
    # Roots of the Jacobi polynomial (1, 0) as eigenvalues: scipy.special would take long to import.
    k = np.arange(stages - 1.0)
    recursion = np.diag(-1.0 / ((2.0 * k + 1.0) * (2.0 * k + 3.0)))
    off_diagonal = np.diag(np.sqrt(k[1:] * (k[1:] + 1.0)) / (2.0 * k[1:] + 1.0), 1)
    roots = np.linalg.eigvalsh(recursion + off_diagonal + off_diagonal.T)
    nodes = np.concatenate([[0.0], (roots + 1.0) / 2.0, [1.0]])
    differences = nodes[:, None] - nodes + np.eye(stages + 1)
    # Barycentric weights of Lagrange's polynomials; rows of a derivative sum to zero.
    inverse = 1.0 / differences.prod(axis=1)
    derivative = inverse / inverse[:, None] / differences
    np.fill_diagonal(derivative, 0.0)
    np.fill_diagonal(derivative, -derivative.sum(axis=1))
    weights = np.linalg.inv(derivative[1:, 1:])[-1]
    return nodes[1:], derivative[1:], weights


NODES, DERIVATIVE, WEIGHTS = tableau(STAGES)


def step_edges(
    begin: float, end: float, widest: float, narrowest: float, growth: float = GROWTH
) -> Array:
    """Edges of steps that grow from `narrowest` to `widest`, so that a decay is resolved.

    Parameters
    ----------
    begin, end : first and last edge
    widest, narrowest : widths of steps
    growth : ratio of one width to the one before
    """
    widest = min(widest, end - begin)
    if narrowest >= widest:
        count = math.ceil((end - begin) / widest - 1e-9)
        edges = begin + (end - begin) / count * np.arange(count + 1.0)
        edges[-1] = end
        return edges
    count = max(0, math.ceil(math.log(widest / min(narrowest, widest)) / math.log(growth)))
    widths = widest * growth ** np.arange(-count, 0.0)
    growing_widths = widths[np.cumsum(widths) < end - begin]
    remaining = end - begin - growing_widths.sum()
    equal = np.full(math.ceil(remaining / widest - 1e-9), widest)
    equal[:] = remaining / len(equal)
    return np.append(begin + np.append(0.0, np.cumsum(np.append(growing_widths, equal)))[:-1], end)


def steps_of(
    process: JumpProcess, begin: float, end: float, steps: int, settled: bool
) -> tuple[Array, Array]:
    """Phases (t,) at which steps begin, and at which they end; none straddles a break.

    Parameters
    ----------
    process : JumpProcess
    begin, end : phases
    steps : a period, at least
    settled : whether P follows the drive from the beginning of the period
    """
    edges = []
    for first, last in process.pieces(begin, end):
        narrowest = 1.0
        if not (settled and first == 0.0):
            narrowest = 0.5 / (process.fastest_exit * process.period)
        # More steps a period are more in every part of it.
        widest = min(1.0, FEWEST_PARTS * (last - first)) / steps
        if process.layer == 0.0:
            edges.append(step_edges(first, last, widest, narrowest))
            continue
        # Rates that all but jump are resolved from both sides.
        middle, growth = 0.5 * (first + last), 1.0 + LAYERED / steps
        near = process.layer * LAYERED / steps
        edges.append(step_edges(first, middle, widest, min(near, narrowest), growth))
        edges.append((middle + last - step_edges(middle, last, widest, near, growth))[::-1])
    return np.concatenate([e[:-1] for e in edges]), np.concatenate([e[1:] for e in edges])


def stages_of(process: JumpProcess, begin: Array, end: Array) -> tuple[Instants, Array]:
    """The process at the phases (t s,) of the stages of steps, and the durations (t,) of these."""
    widths = end - begin
    phases = begin[:, None] + widths[:, None] * NODES
    return process.at(phases.ravel()), widths * process.period


@cache
def right_side(states: int, stages: int = STAGES) -> Array:
    """Right side (s n, n) of the stages' equations for a step that begins in each state."""
    return np.asarray(np.kron(-tableau(stages)[1][:, :1], np.eye(states)), np.float64)


@cache
def _derivative(states: int, stages: int) -> Array:
    """D (s, n, s, n) as it acts on the stages."""
    return np.asarray(
        np.kron(tableau(stages)[1][:, 1:], np.eye(states)).reshape(stages, states, stages, states)
    )


def systems(matrices: Any, durations: Array) -> Any:
    """Equations (t, s n, s n) of the stages of steps, real or complex.

    Parameters
    ----------
    matrices : (t, s, n, n), K at the stages of each step
    durations : (t,) of the steps
    """
    steps, stages, states, _ = matrices.shape
    out = np.empty((steps, stages, states, stages, states), matrices.dtype)
    out[:] = _derivative(states, stages)
    of_each_stage = np.einsum("tsnsm->tsnm", out)
    of_each_stage -= durations[:, None, None, None] * matrices
    return out.reshape(steps, stages * states, stages * states)


def solve_stages(matrices: Any, durations: Array) -> Any:
    """Stages (t, s, n, n) for each state in which a step begins, of dp/dt = K p.

    Parameters
    ----------
    matrices, durations : as for `systems`
    """
    steps, count, states, _ = matrices.shape
    right = right_side(states, count)[None]
    stages: Any = np.linalg.solve(systems(matrices, durations), right)
    return stages.reshape(steps, count, states, states)


class Steps(NamedTuple):
    """Steps (t,) of the period, solved for every start at once.

    begin, end : (t,) phases of the steps
    instants : the process at the phases (t s,) of the stages
    weights : (t, s) quadrature weight of each stage, a time
    stages : (t, s, n, n), a stage's probabilities for each state in which the step begins
    """

    begin: Array
    end: Array
    instants: Instants
    weights: Array
    stages: Array

    def dwell(self, starts: Array) -> Array:
        """Times (t s, n, m) spent in each state at the stages of steps begun in (t, n, m)."""
        times = self.weights[:, :, None, None] * (self.stages @ starts[:, None])
        return times.reshape(-1, *starts.shape[1:])


def solve_steps(process: JumpProcess, begin: Array, end: Array) -> Iterator[Steps]:
    """Solve steps between phases (t,), some at a time."""
    states = process.states
    batch = max(1, BATCH // (STAGES * states) ** 2)
    for first in range(0, len(begin), batch):
        part = slice(first, first + batch)
        instants, durations = stages_of(process, begin[part], end[part])
        matrices = process.generators(instants.rates).reshape(-1, STAGES, states, states)
        stages = solve_stages(matrices, durations)
        # Only the norm gathers rounding errors over a long step: restore it.
        stages /= np.einsum("tsnm->tsm", stages)[:, :, None]
        weights = durations[:, None] * WEIGHTS
        yield Steps(begin[part], end[part], instants, weights, stages)
