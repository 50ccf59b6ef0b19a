"""Cells of the period with thinning bounds of their own, where those of the whole are far too wide.

Proposals have no memory: where a cell ends, what is left of the waiting time, in units of its mean,
is that of the next cell. How many cells pay is found before the run, from flips and proposals
expected in states that occur: single spins relax one after the other, the others held, at
the rates of each of many phases. Whatever is chosen, trajectories are exact.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.kernels.random import streams, uniform
from trajsim.models.law_functions import bond, flip_rate, join, start
from trajsim.models.spins import SpinNetwork, in_parts
from trajsim.models.waveform import value
from trajsim.plan import Plan

# Fields over temperatures that vary by less leave more than half of the proposals accepted, or not
# much less; nothing is estimated for them.
NARROW = 1.1
# Cells where fewer of the proposals would be accepted, if they take less time; in fields alone so
# many times less, for trajectories are then others than those of earlier versions.
FEW, PAYS = 0.5, 1.5
# Cells of a period at most, and by how many times each choice has more than the one before.
MOST, FINER = 256, 2
# Relaxing spins in the estimate: at least as many phases; one period to forget the start.
PHASES, UPDATES, PERIODS = 64, 1 << 13, 2


class Costs(NamedTuple):
    """Of a kernel, in proposals of one without cells: a proposal in cells, the end of a cell."""

    proposal: float
    end: float


class Cells(NamedTuple):
    """How a period is cut.

    each : cells in a segment of the run
    plan : Plan whose segments are the cells
    networks : with the bounds of each cell, or one with those of the whole period
    """

    each: int
    plan: Plan
    networks: list[SpinNetwork]


class Bounds(NamedTuple):
    """Bounds by parts: fields of that name of networks, one after the other along the first axis.

    first, parts : of each choice, the first of its parts and their number
    """

    like: NDArray[np.float64]
    unlike: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    first: NDArray[np.int64]
    parts: NDArray[np.int64]


def cells_of(network: SpinNetwork, plan: Plan, most: int, costs: Costs) -> Cells:
    """Cells of a run, as many as pay.

    Parameters
    ----------
    network : SpinNetwork
    plan : of the run
    most : cells of a period for which there is room
    costs : of the kernel
    """
    whole = Cells(1, plan, [network])
    narrow = float((network.high - network.low).max(initial=0.0)) < NARROW
    if narrow and not network.moving:
        return whole
    choices, each = [whole], 1 if plan.rows_per_period > 1 else FINER
    while plan.rows_per_period * each <= min(most, MOST):
        choices.append(_cut(network, plan, each))
        each *= FINER
    if len(choices) == 1:
        return whole
    flips, proposals = _expected(network, choices)
    ends = np.array([c.plan.rows_per_period - plan.rows_per_period for c in choices])
    time = np.where(np.arange(len(choices)) > 0, costs.proposal, 1.0) * proposals + costs.end * ends
    best = int(np.argmin(time))
    pays = time[0] >= (1.0 if network.moving else PAYS) * time[best]
    return choices[best] if flips < FEW * proposals[0] and pays else whole


def _cut(network: SpinNetwork, plan: Plan, each: int) -> Cells:
    """Each segment in so many cells."""
    count = plan.rows_per_period * each
    finer = plan._replace(rows_per_period=count, segments_per_row=plan.segments_per_row * each)
    return Cells(each, finer, in_parts(network, np.arange(count + 1) / count))


def _expected(network: SpinNetwork, choices: list[Cells]) -> tuple[float, NDArray[np.float64]]:
    """Flips of a period, and proposals with each choice."""
    networks = [part for choice in choices for part in choice.networks]
    parts = np.array([len(choice.networks) for choice in choices])
    stacks = {name: np.stack([getattr(x, name) for x in networks]) for name in Bounds._fields[:4]}
    bounds = Bounds(**stacks, first=np.cumsum(parts) - parts, parts=parts)
    phases = int(parts[-1]) * math.ceil(PHASES / int(parts[-1]))
    replicas = max(1, UPDATES // (phases * len(network.driven)))
    stream = streams(np.uint64(0), 0, 0, 1)[0]
    proposals = np.zeros(len(choices))
    flips = _relax(network, bounds, phases, replicas, stream, proposals)
    return flips / replicas, proposals / replicas


@compiled
def _relax(network, bounds, phases, replicas, stream, proposals):
    """Flips in a period of some replicas; `proposals` (choices,) are added."""
    n, width, flips = len(network.driven), network.period / phases, 0.0
    spins = np.empty(n, np.int8)
    for _ in range(replicas):
        for i in range(n):
            spins[i] = 1 if uniform(stream) < 0.5 else -1
        for step in range(PERIODS * phases):
            phase = step % phases
            for i in range(n):
                there, back = 0.0, 0.0
                for c in range(network.contact[i], network.contact[i + 1]):
                    one, other = _rates(network, spins, c, (phase + 0.5) / phases)
                    there, back = there + one, back + other
                both = there + back
                relaxed = 1.0 - math.exp(-both * width)
                # Time spent as it is, and flipped.
                stayed = width
                if both * width > 1e-9:
                    stayed = (back * width + there * (relaxed / both)) / both
                if step >= (PERIODS - 1) * phases:
                    flips += there * stayed + back * (width - stayed)
                    for k in range(len(proposals)):
                        part = bounds.first[k] + phase * bounds.parts[k] // phases
                        for c in range(network.contact[i], network.contact[i + 1]):
                            one, other = _bounds(network, bounds, part, spins, c)
                            proposals[k] += one * stayed + other * (width - stayed)
                if uniform(stream) * both < there * relaxed:
                    spins[i] = -spins[i]
    return flips


@compiled
def _rates(network, spins, c, u):
    """Rates at the phase u of the flip by contact c, and of the flip back."""
    there, back, i = start(network.law), start(network.law), network.site[c]
    beta = 1.0 / value(network.temperatures, c, u)
    for k in range(network.first[c], network.first[c + 1]):
        alike = spins[i] * spins[network.neighbour[k]]
        x = value(network.couplings, network.bond[k], u) * alike * beta
        there = join(network.law, there, bond(network.law, x))
        back = join(network.law, back, bond(network.law, -x))
    x, multiple = value(network.drive, i, u) * spins[i] * beta, network.multiple[c]
    return multiple * flip_rate(network.law, there, x), multiple * flip_rate(network.law, back, -x)


@compiled
def _bounds(network, bounds, part, spins, c):
    """Bounds in a part of the period of both rates of `_rates`."""
    there, back, i = start(network.law), start(network.law), network.site[c]
    for k in range(network.first[c], network.first[c + 1]):
        like, unlike = bounds.like[part, k], bounds.unlike[part, k]
        equal = spins[i] == spins[network.neighbour[k]]
        there = join(network.law, there, like if equal else unlike)
        back = join(network.law, back, unlike if equal else like)
    low, high = bounds.low[part, c], -bounds.high[part, c]
    if spins[i] < 0:
        low, high = high, low
    multiple = network.multiple[c]
    return multiple * flip_rate(network.law, there, low), multiple * flip_rate(
        network.law, back, high
    )
