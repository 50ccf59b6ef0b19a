"""Spins in continuous time: exact kinetic Monte Carlo with rates that change in time.

Thinning (Lewis & Shedler, Nav. Res. Logist. Q. 26, 403, 1979): flips are proposed at the
constant rate that bounds each spin's true rate over the whole period, or over a cell of it
(`trajsim.kernels.cells`), and accepted with the ratio of the true rate, at the field of that
instant, to the bound. There is no time step, within which rates would be constant.

Time is kept as a fraction of the period and a number of whole segments, never as a growing t.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.kernels import lanes, rejection
from trajsim.kernels.random import streams, uniform
from trajsim.kernels.spin_energetics import Rows
from trajsim.models.spins import SpinNetwork, excess, spins_of
from trajsim.plan import Plan

__all__ = [
    "Replicas",
    "Rows",
    "Start",
    "advance",
    "begin",
    "fault",
    "needs_state",
    "prepare",
    "start",
]

UP, RANDOM, DRAWN = 0, 1, 2
# Rates are compared with their bounds in so many states, at so many fields.
STATES, FIELDS = 8, 17


class Start(NamedTuple):
    """Start: all UP, RANDOM, or DRAWN from `cumulative` (2**n,) probabilities."""

    kind: int
    cumulative: NDArray[np.float64]


class Replicas(NamedTuple):
    """State of m trajectories: random streams (m, 4) uint64, spins (m, n) int8, waiting times.

    wait (m,): time to the next proposal, in segments of the model; below 0 where none is drawn yet.
    """

    stream: NDArray[np.uint64]
    spins: NDArray[np.int8]
    wait: NDArray[np.float64]


def prepare(network: SpinNetwork, plan: Plan, **_: Any) -> lanes.LaneModel | rejection.ClassModel:
    """Network ready for the kernel that suits its size.

    Raises
    ------
    ValueError
        If it is too large, or a rate exceeds its bound: the law does not fall with its x.
    """
    kernel = lanes if len(network.bath) <= lanes.MOST_CONTACTS else rejection
    model = kernel.prepare(network, plan)
    states = np.random.default_rng(0).choice(
        np.array([-1, 1], np.int8), (STATES, len(network.driven))
    )
    if excess(network, states, FIELDS) > 1.0 + 1e-9:
        raise ValueError(f"{type(network.law).__name__}: a flip rate exceeds its thinning bound")
    return model


def start(network: SpinNetwork, initial: str, state: NDArray[np.float64] | None) -> Start:
    """Start for `initial`; "equilibrium" and "periodic" are drawn from `state` (2**n,)."""
    kinds = {"up": UP, "random": RANDOM}
    if state is None:
        return Start(kinds[initial], np.ones(1))
    cumulative = np.cumsum(state)
    return Start(DRAWN, cumulative / cumulative[-1])


def needs_state(initial: str) -> bool:
    """Whether a start of this kind is drawn from a distribution."""
    return initial not in ("up", "random")


def fault(broken: int, first: int) -> str | None:
    """Message about a trajectory that went wrong in `advance`: none can."""
    return None


def begin(model: Any, start: Start, seed: int, point: int, first: int, count: int) -> Replicas:
    """Trajectories first ... first + count - 1 of a point, at time 0.

    Parameters
    ----------
    model : from `prepare`, or a network
    start : Start
    seed, point : with the number of a trajectory they name its random stream
    first, count : trajectories
    """
    network = model if isinstance(model, SpinNetwork) else model.network
    replicas = Replicas(
        stream=streams(np.uint64(seed), point, first, count),
        spins=np.ones((count, len(network.driven)), np.int8),
        wait=np.full(count, -1.0),
    )
    _place(start, replicas)
    return replicas


@compiled
def _place(start, replicas):
    for k in range(len(replicas.spins)):
        if start.kind == RANDOM:
            for i in range(replicas.spins.shape[1]):
                replicas.spins[k, i] = 1 if uniform(replicas.stream[k]) < 0.5 else -1
        elif start.kind == DRAWN:
            state = np.searchsorted(start.cumulative, uniform(replicas.stream[k]), side="right")
            spins_of(min(state, len(start.cumulative) - 1), replicas.spins[k])


def advance(
    model: Any,
    plan: Plan,
    replicas: Replicas,
    rows: Rows,
    first: int,
    last: int,
) -> tuple[int, int]:
    """Run the trajectories from segment `first` to segment `last`, and write their rows.

    Parameters
    ----------
    model : from `prepare`, or a network
    plan : Plan
    replicas : Replicas, updated
    rows : Rows, written
    first, last : segments counted from the beginning of the burn-in

    Returns
    -------
    flips : number of flips, burn-in included
    broken : -1, for no trajectory can go wrong
    """
    if isinstance(model, SpinNetwork):
        model = prepare(model, plan)
    kernel = lanes if isinstance(model, lanes.LaneModel) else rejection
    first, last = first * model.each, last * model.each
    return kernel.advance(model, replicas, rows, first, last), -1
