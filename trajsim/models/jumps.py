"""Jump networks: states between which a system jumps, each transition by one bath.

A jump from a to b takes the heat Q = E_b - E_a - w - mu n from its bath, where w is the energy that
an agent gives (a load) and n the number of particles that come from the bath at its chemical
potential mu. The jump back takes -Q. Rates are those of a rate law at Q / T, so that
k_ab / k_ba = exp(-Q / T). Energies, loads, chemical potentials and temperatures are waveforms.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.models.law_functions import flip_rate, start
from trajsim.models.waveform import (
    Waveform,
    Waveforms,
    at_edges,
    bounds,
    from_parameters,
    joined,
    some,
)

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
# Part of the largest heat over its temperature up to which an affinity is rounding.
ROUNDING = 1e-12


class JumpNetwork(NamedTuple):
    """Parameters of n states and m transitions; k_B = 1.

    Parameters
    ----------
    names : (n,) of the states
    laws : rate laws with rate 1, as many as there are
    period : time of one cycle of all waveforms
    source, target : (m,) int64, states of each transition a -> b
    bath : (m,) int64
    law : (m,) int64, number of its law
    rate : (m,), per unit time, by which the rate of the law is multiplied
    particles : (m,) int64, that a jump from a to b takes from the bath
    energies : of the states
    loads : of the transitions
    temperatures, potentials : of the baths
    driven : (n,) int64, which drive of the ledger an energy is, -1 for none
    loaded : (m,) int64, which drive of the ledger a load is, -1 for none
    drives : how many drives do work
    heated : whether a temperature is driven
    moving : whether anything changes in time
    """

    names: tuple[str, ...]
    laws: tuple[Any, ...]
    period: float
    source: Integers
    target: Integers
    bath: Integers
    law: Integers
    rate: Array
    particles: Integers
    energies: Waveforms
    loads: Waveforms
    temperatures: Waveforms
    potentials: Waveforms
    driven: Integers
    loaded: Integers
    drives: int
    heated: bool
    moving: bool

    @property
    def baths(self) -> int:
        """Number of baths."""
        return len(self.temperatures.offset)

    @property
    def exchanging(self) -> bool:
        """Whether particles come from the baths."""
        return bool(self.particles.any())

    def drives_at_sites(self) -> tuple[Waveforms, Integers, Integers]:
        """Waveforms of the drives, in the order of the ledger, and the states (drives,) of each.

        Those of a load are the two between which it stands; the last is -1 of an energy.
        """
        energies, loads = np.flatnonzero(self.driven >= 0), np.flatnonzero(self.loaded >= 0)
        waves = joined(some(self.energies, energies), some(self.loads, loads))
        one = np.concatenate([energies, self.source[loads]])
        other = np.concatenate([np.full(len(energies), -1), self.target[loads]])
        return waves, one, other

    def conjugate(self, state: Integers) -> Array:
        """dE / d lambda (k, drives) of the drives in states (k,): 1 of the energy of that state."""
        _, one, other = self.drives_at_sites()
        return np.where(other < 0, state[:, None] == one, 0.0)


class Transition(NamedTuple):
    """What a transition is made of; states, bath and law by number, load None for none."""

    source: int
    target: int
    bath: int
    law: int
    rate: float
    load: float | Waveform | None
    particles: int


def network(
    names: Sequence[str],
    laws: Sequence[Any],
    period: float,
    energies: Sequence[float | Waveform],
    transitions: Sequence[Transition],
    temperatures: Sequence[float | Waveform],
    potentials: Sequence[float | Waveform],
) -> JumpNetwork:
    """Network of states, each with its energy, and transitions between them.

    Parameters
    ----------
    names : of the states
    laws : classes of rate laws
    period : time of one cycle of all waveforms
    energies : of the states, numbers or waveforms of drives
    transitions : between states
    temperatures, potentials : of the baths, numbers or waveforms

    Raises
    ------
    ValueError
        If a rate exceeds the range of floating-point numbers.
    """
    columns = list(zip(*transitions, strict=True))
    source, target, bath, law = (np.array(c, np.int64) for c in columns[:4])
    of_states, moved = from_parameters(energies)
    loads, moved_loads = from_parameters([0.0 if w is None else w for w in columns[5]])
    has_load = np.array([w is not None for w in columns[5]])
    of_baths, heated = from_parameters(temperatures)
    chemical, moved_potentials = from_parameters(potentials)
    first = int(moved.sum())
    result = JumpNetwork(
        names=tuple(names),
        laws=tuple(each(1.0) for each in laws),
        period=float(period),
        source=source,
        target=target,
        bath=bath,
        law=law,
        rate=np.array(columns[4], np.float64),
        particles=np.array(columns[6], np.int64),
        energies=of_states,
        loads=loads,
        temperatures=of_baths,
        potentials=chemical,
        driven=np.where(moved, np.cumsum(moved) - 1, -1).astype(np.int64),
        loaded=np.where(has_load, first + np.cumsum(has_load) - 1, -1).astype(np.int64),
        drives=first + int(has_load.sum()),
        heated=bool(heated.any()),
        moving=bool(
            moved.any() or moved_loads.any() or heated.any() or moved_potentials[bath].any()
        ),
    )
    fastest = _fastest_rates(result)
    if not (fastest < 1e300).all():
        k = int(np.argmax(~(fastest < 1e300)))
        pair = f"{names[source[k]]}-{names[target[k]]}"
        raise ValueError(
            f"the rate of {pair} can exceed 1e300 at temperature "
            f"{bounds(of_baths)[0][bath[k]]:g}: it is too cold for this rate law"
        )
    return result


def heats(network: JumpNetwork, energy: Array, load: Array, potential: Array) -> Array:
    """Heat (..., m) of a jump a -> b of each transition.

    Parameters
    ----------
    network : JumpNetwork
    energy : (..., n), of the states
    load : (..., m)
    potential : (..., baths), chemical potentials
    """
    before, after = energy[..., network.source], energy[..., network.target]
    return heat_of(before, after, load, network.particles, potential[..., network.bath])


def heat_of(before: Array, after: Array, load: Array, particles: Any, potential: Array) -> Array:
    """Heat Q = E_b - E_a - w - mu n of jumps a -> b; all arguments and it of one shape.

    Parameters
    ----------
    before, after : E_a and E_b
    load : w, energy that an agent gives
    particles, potential : n from the bath, and its mu
    """
    return np.asarray(after - before - load - particles * potential)


def heats_over_temperature(network: JumpNetwork, edge: int) -> Array:
    """Q / T (m,) of jumps a -> b at time 0, or at the end of a period if `edge` is 1."""
    waves = (network.energies, network.loads, network.potentials)
    heat = heats(network, *(at_edges(w, 1)[edge] for w in waves))
    return np.asarray(heat / at_edges(network.temperatures, 1)[edge][network.bath])


def _fastest_rates(network: JumpNetwork) -> Array:
    """A bound (m,) of the rates of each transition in either direction."""
    waves = (network.energies, network.loads, network.potentials)
    (e0, e1), (w0, w1), (m0, m1) = map(bounds, waves)
    a, b, bath = network.source, network.target, network.bath
    least = (
        e0[b] - e1[a] - w1 - np.maximum(network.particles * m0[bath], network.particles * m1[bath])
    )
    most = (
        e1[b] - e0[a] - w0 - np.minimum(network.particles * m0[bath], network.particles * m1[bath])
    )
    x = -np.maximum(-least, most) / bounds(network.temperatures)[0][bath]
    # The most favourable heat is at most this far below 0, or above it.
    return rates_of(network.laws, network.law, network.rate, np.minimum(x, 0.0)[None])[0]


class Potentials(NamedTuple):
    """Where the heats lead that are counted along a spanning tree.

    value : (n,), Phi_x with Phi_b - Phi_a = Q_ab / T of the transitions of the tree
    affinity : (m,), sum of -Q / T around the cycle that each other transition closes with the tree
        when it is taken from a to b; 0 of the tree's own
    parent : (n,) the transition by which each state hangs on the tree, -1 of the root
    """

    value: Array
    affinity: Array
    parent: Integers


def spanning_tree(states: int, source: Integers, target: Integers) -> tuple[list[int], Integers]:
    """States in the order of a search in breadth from the first, and the transition to each.

    The order has only the states that are reached.

    Parameters
    ----------
    states : their number
    source, target : (m,) states of the transitions
    """
    around: list[list[tuple[int, int]]] = [[] for _ in range(states)]
    for k, (a, b) in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
        around[a].append((b, k))
        around[b].append((a, k))
    parent = np.full(states, -1)
    order, seen = [0], {0}
    for x in order:
        for y, k in around[x]:
            if y not in seen:
                seen.add(y)
                parent[y] = k
                order.append(y)
    return order, parent


def potentials(network: JumpNetwork, edge: int = 0) -> Potentials:
    """Potential of the heats over temperatures at time 0, or at the end of a period."""
    step = heats_over_temperature(network, edge)
    order, parent = spanning_tree(len(network.names), network.source, network.target)
    value = np.zeros(len(network.names))
    for x in order[1:]:
        k = parent[x]
        a, b = network.source[k], network.target[k]
        value[x] = value[a] + step[k] if x == b else value[b] - step[k]
    affinity = value[network.target] - value[network.source] - step
    scale = max(1.0, float(abs(step).max()))
    affinity[abs(affinity) <= ROUNDING * len(order) * scale] = 0.0
    affinity[parent[order[1:]]] = 0.0
    return Potentials(value, affinity, parent)


def cycle(network: JumpNetwork, parent: Integers, chord: int) -> list[int]:
    """States of the cycle that a transition closes with a tree, from its source through its target.

    Parameters
    ----------
    network : JumpNetwork
    parent : (n,) transitions of the tree (`Potentials`)
    chord : a transition that is not of the tree
    """

    def to_root(x: int) -> list[int]:
        path = [x]
        while parent[path[-1]] >= 0:
            k = parent[path[-1]]
            a, b = int(network.source[k]), int(network.target[k])
            path.append(a if path[-1] == b else b)
        return path

    one, other = to_root(int(network.source[chord])), to_root(int(network.target[chord]))
    while len(one) > 1 and len(other) > 1 and one[-2] == other[-2]:
        one.pop()
        other.pop()
    # Both end where the paths meet.
    return [*other, *one[-2::-1]][-1:] + [*other, *one[-2::-1]][:-1]


# -- rates -----------------------------------------------------------------------------------------


def law_rate(laws: Any, which: int, x: float) -> float:
    """Rate by one of several laws with rate 1 of a jump that takes the heat Q, at x = Q / T."""
    return flip_rate(laws[which], start(laws[which]), 0.5 * x)


@overload(law_rate)
def _law_rate(laws, which, x):
    if len(laws) == 1:
        return lambda laws, which, x: flip_rate(laws[0], start(laws[0]), 0.5 * x)

    def choose(laws, which, x):
        if which == 0:
            return flip_rate(laws[0], start(laws[0]), 0.5 * x)
        return law_rate(laws[1:], which - 1, x)

    return choose


@compiled
def rates_of(laws, law, rate, x):
    """Rates (t, k) of jumps by laws (k,) times rates (k,), at heats over temperatures x (t, k)."""
    out = np.empty(x.shape)
    for t in range(x.shape[0]):
        for k in range(x.shape[1]):
            out[t, k] = rate[k] * law_rate(laws, law[k], x[t, k])
    return out
