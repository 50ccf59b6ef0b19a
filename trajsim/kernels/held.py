"""Driven parameters of oscillators as steps hold them, and the work of each change.

Within a step all parameters are constant: cosines have their value in its middle, pieces and jumps
their average. All work is done where they change, between steps, at fixed positions.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.models.oscillators import OscillatorNetwork, stiffness_of
from trajsim.models.waveform import Waveforms, at_edges, averages, values, without_pieces
from trajsim.plan import Plan

Array = NDArray[np.float64]


class Parameters(NamedTuple):
    """What the parameters of n sites are in each of t steps, or at as many edges of segments.

    force, trap (t, n); pull (t, n), the product of trap and centre; rest (t, n), that of trap and
    centre squared; coupling (t, bonds): averages over the step
    first, second (t, n) : integrals of c dk and c^2 dk, with k the trap and c the centre, since the
        period began, where both are driven
    """

    force: Array
    trap: Array
    pull: Array
    rest: Array
    coupling: Array
    first: Array
    second: Array

    @property
    def linear(self) -> Array:
        """Forces (t, n) on sites at 0."""
        return self.force + self.pull


class Held(NamedTuple):
    """Parameters in the steps of a period, at rest, and at the edges of its segments.

    force (steps + 1, n) : on sites at 0 in each step; last, that of time 0
    edge (segments + 1, n) : that at the edges of segments
    energy (segments + 1,) : of sites at 0 there
    stiffness (k, n, n), springs (k, entries) : the different quadratic parts, in full and sparse
    which (steps + 1 + segments + 1,) : that of each step, of time 0, and of each edge
    temperature (steps + 1, n) : in each step, last at time 0; one step where none is driven
    site, other (drives,) : whose position does work, relative to that of the other, if not -1
    change (steps + 1 + segments, drives, 3) : of the energy of each drive as a polynomial of that
        position, its powers 1, 2 and 0, where it becomes that of a step, that of step 0 after a
        whole period, and that of the edge at the end of a segment
    term (segments + 1, drives, 3) : the driven terms of H at the edges, as such polynomials
    """

    force: Array
    edge: Array
    energy: Array
    stiffness: Array
    springs: Array
    which: NDArray[np.int64]
    temperature: Array
    site: NDArray[np.int64]
    other: NDArray[np.int64]
    change: Array
    term: Array


def hold(network: OscillatorNetwork, plan: Plan, steps: int, factor: Any) -> Held:
    """Parameters of a network in equal steps of its period.

    Parameters
    ----------
    network : OscillatorNetwork
    plan : Plan
    steps : of a period
    factor : of the held force of a harmonic that turns by 2 * angle in a step, at this angle
    """
    segments = plan.rows_per_period
    within, edges, begun = _parameters(network, segments, steps, factor)
    opening = Parameters(*(each[:1] for each in edges))
    stiffness, springs, which = _stiffnesses(network, within, edges)
    _, site, other = network.drives_at_sites()
    # What a step begins with: the step before, or the edge of a segment.
    ahead = [np.concatenate([e[:1], w[:-1]]) for w, e in zip(within, edges, strict=True)]
    first = np.arange(segments) * (steps // segments)
    for before, edge in zip(ahead, edges, strict=True):
        before[first] = edge[:-1]
    last = first + steps // segments - 1
    into = _changes(network, Parameters(*ahead), within)
    wrap = _changes(network, begun, _rows(within, [0]))
    out = _changes(network, _rows(within, last), _rows(edges, np.arange(1, segments + 1)))
    temperature = network.temperature[None]
    if network.heated:
        opened = at_edges(network.temperatures, 1)[:1]
        temperature = np.concatenate([_held(network.temperatures, steps, _plain), opened])
    return Held(
        force=np.concatenate([within.linear, opening.linear]),
        edge=edges.linear,
        energy=0.5 * edges.rest.sum(axis=1),
        stiffness=stiffness,
        springs=springs,
        which=which,
        temperature=temperature,
        site=site,
        other=other,
        change=np.concatenate([into, wrap, out]),
        term=_terms(network, edges),
    )


def _rows(parameters: Parameters, which: Any) -> Parameters:
    return Parameters(*(each[which] for each in parameters))


def _plain(angle: float) -> float:
    return 1.0


def _held(waves: Waveforms, steps: int, factor: Any) -> Array:
    """Averages (steps, n) of waveforms over steps, harmonics in the middle times a factor."""
    factors = np.vectorize(factor, otypes=[np.float64])(math.pi * waves.order / steps)
    waves = waves._replace(amplitude=factors * waves.amplitude)
    middle, edges = (np.arange(steps) + 0.5) / steps, np.arange(steps + 1) / steps
    held, broken = values(waves, middle), np.unique(_breaks(waves, steps).astype(int))
    average = values(without_pieces(waves), middle) + averages(waves, edges)
    held[broken] = average[broken]
    return held


def _breaks(waves: Waveforms, steps: int) -> Array:
    """Where pieces of waveforms begin within steps, in steps."""
    breaks = np.unique(waves.start) * steps
    return np.asarray(breaks[breaks != np.round(breaks)])


def _parameters(
    network: OscillatorNetwork, segments: int, steps: int, factor: Any
) -> tuple[Parameters, Parameters, Parameters]:
    """Parameters in the steps, at the edges of segments, and where a period follows another."""
    trap = _held(network.traps, steps, _plain)
    center = _held(network.centers, steps, factor)
    pull, rest = trap * center, trap * center**2
    firsts, seconds, begun = _integrals(network, segments, steps)
    # A product of averages is not the average of a product where both jump within a step.
    both = np.flatnonzero((network.driven_trap >= 0) & (network.driven_center >= 0))
    breaks = np.union1d(*(_breaks(w, steps) for w in (network.traps, network.centers)))
    for k in np.unique(breaks.astype(int)) if len(both) else ():
        parts = np.concatenate([[k], breaks[breaks.astype(int) == k], [k + 1]])
        weight, middle = np.diff(parts), 0.5 * (parts[1:] + parts[:-1]) / steps
        traps, centers = (values(w, middle)[:, both] for w in (network.traps, network.centers))
        pull[k, both] += weight @ ((traps - weight @ traps) * (centers - weight @ centers))
        rest[k, both] = weight @ (traps * centers**2)
    force, coupling = _held(network.drive, steps, factor), _held(network.couplings, steps, _plain)
    within = Parameters(force, trap, pull, rest, coupling, firsts[0], seconds[0])
    trap, center = at_edges(network.traps, segments), at_edges(network.centers, segments)
    force, coupling = at_edges(network.drive, segments), at_edges(network.couplings, segments)
    products = (trap * center, trap * center**2)
    edges = Parameters(force, trap, *products, coupling, firsts[1], seconds[1])
    return within, edges, _rows(edges, [segments])._replace(first=begun[:1], second=begun[1:])


def _integrals(
    network: OscillatorNetwork, segments: int, steps: int
) -> tuple[tuple[Array, Array], tuple[Array, Array], Array]:
    """Integrals of c dk and c^2 dk since the period began, in steps and at edges of segments.

    The last are both (2, n) at the end of a period before, such that differences are right.
    """
    n = len(network.mass)
    if not ((network.driven_trap >= 0) & (network.driven_center >= 0)).any():
        return *(((np.zeros((steps, n)), np.zeros((segments + 1, n))),) * 2), np.zeros((2, n))
    waves = network.traps, network.centers
    nodes = np.unique(np.concatenate([np.arange(steps + 1) / steps, *(w.start for w in waves)]))
    # Before and after the jumps at each node: parameters go from one to the next on a line.
    paths = [np.stack([values(w, nodes, True), values(w, nodes)], axis=1) for w in waves]
    for path, w in zip(paths, waves, strict=True):
        path[[0, -1], [0, 1]] = at_edges(w, 1)
    k, c = (path.reshape(-1, n) for path in paths)

    def powers(gain: Array, old: Array, new: Array) -> Array:
        return np.stack([gain * (old + new) / 2, gain * (old**2 + old * new + new**2) / 3])

    parts = powers(np.diff(k, axis=0), c[:-1], c[1:])
    sums = np.concatenate([np.zeros((2, 1, n)), np.cumsum(parts, axis=1)], axis=1)
    widths = np.diff(nodes)[:, None] * steps
    areas = 0.5 * (sums[:, 1:-1:2] + sums[:, 2::2]) * widths
    edges = np.searchsorted(nodes, np.arange(steps + 1) / steps)
    within = np.add.reduceat(areas, edges[:-1], axis=1)
    at = sums[:, 2 * edges[:: steps // segments]]
    at[:, -1] = sums[:, -1]
    # A later period begins with the jump from the last listed values.
    begun = sums[:, 1] - powers(k[1] - k[-1], c[-1], c[1])
    return (within[0], at[0]), (within[1], at[1]), begun


def _stiffnesses(
    network: OscillatorNetwork, within: Parameters, edges: Parameters
) -> tuple[Array, Array, NDArray[np.int64]]:
    """The different quadratic parts, in full and sparse, and which is where; see `Held`."""
    count = len(within.trap) + 1 + len(edges.trap)
    if not network.stretching:
        springs = network.springs.entry[None]
        return network.stiffness[None], springs, np.zeros(count, np.int64)
    n = len(network.mass)
    given = [np.concatenate([p.trap, p.coupling], axis=1) for p in (within, edges)]
    each = np.concatenate([given[0], given[1][:1], given[1]])
    different, which = np.unique(each, axis=0, return_inverse=True)
    stiffness = stiffness_of(network.ends, different[:, :n], different[:, n:])
    row = np.repeat(np.arange(n), np.diff(network.springs.first))
    springs = np.ascontiguousarray(stiffness[:, row, network.springs.column])
    return stiffness, springs, which.ravel().astype(np.int64)


def _changes(network: OscillatorNetwork, before: Parameters, after: Parameters) -> Array:
    """Polynomials (t, drives, 3) of the work of each drive; see `Held`."""
    change = np.zeros((len(before.trap), network.drives, 3))
    gain = Parameters(*(a - b for a, b in zip(after, before, strict=True)))
    for i, drive in enumerate(network.driven):
        if drive >= 0:
            change[:, drive, 0] = -gain.force[:, i]
    for i, (trap, center) in enumerate(
        zip(network.driven_trap, network.driven_center, strict=True)
    ):
        total = np.stack([-gain.pull[:, i], 0.5 * gain.trap[:, i], 0.5 * gain.rest[:, i]], axis=1)
        if trap >= 0 and center >= 0:
            # int (x - c)^2 dk / 2
            parts = [-gain.first[:, i], 0.5 * gain.trap[:, i], 0.5 * gain.second[:, i]]
            change[:, trap] = np.stack(parts, axis=1)
            change[:, center] = total - change[:, trap]
        elif max(trap, center) >= 0:
            change[:, max(trap, center)] = total
    for b, drive in enumerate(network.driven_bond):
        if drive >= 0:
            change[:, drive, 1] = 0.5 * gain.coupling[:, b]
    return change


def _terms(network: OscillatorNetwork, at: Parameters) -> Array:
    """The driven terms of H (t, drives, 3) as polynomials; see `Held`."""
    term = np.zeros((len(at.trap), network.drives, 3))
    for i, drive in enumerate(network.driven):
        if drive >= 0:
            term[:, drive, 0] = -at.force[:, i]
    for numbers in (network.driven_trap, network.driven_center):
        for i, drive in enumerate(numbers):
            if drive >= 0:
                whole = [-at.pull[:, i], 0.5 * at.trap[:, i], 0.5 * at.rest[:, i]]
                term[:, drive] = np.stack(whole, axis=1)
    for b, drive in enumerate(network.driven_bond):
        if drive >= 0:
            term[:, drive, 1] = 0.5 * at.coupling[:, b]
    return term
