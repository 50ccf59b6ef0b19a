"""Tables of a jump network for its kernels: channels by state, bounds of rates, what is driven."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.kernels.waves import Waves, waves_of
from trajsim.models.jumps import JumpNetwork, rates_of
from trajsim.models.waveform import (
    Waveforms,
    at_edges,
    bounds,
    bounds_between,
    joined,
    some,
    values,
)
from trajsim.plan import Plan

# Cells of a period, and numbers in a table of bounds, at most.
MOST_CELLS, MOST_NUMBERS = 256, 1 << 22
# Phases at which rates are compared with their bounds, numbers in a table of which at most.
PHASES, MOST_RATES = 256, 1 << 22
# Time that the end of a cell takes, in proposals.
END = 0.3
# Rates of a state below this are 0: waits are told by them.
SLOWEST = 1e-290
# States that one number can name.
MOST_STATES = 1 << 22
Integers = NDArray[np.int64]
Array = NDArray[np.float64]


class Moving(NamedTuple):
    """What changes in time.

    there : one zero if anything does, else none; heated : the same of temperatures
    waves, temperatures : of the driven parameters, and of the baths
    places, baths : of these
    first (channels + 1,), wave, factor, slot : of each channel, the driven parameters that change
        its heat, and by how much; minus that is added to `slot` of the works
    """

    there: tuple[int, ...]
    heated: tuple[int, ...]
    waves: Waves
    temperatures: Waves
    places: int
    baths: int
    first: Integers
    wave: Integers
    factor: Array
    slot: Integers


class Model(NamedTuple):
    """A network prepared for this kernel; channels are the jumps that lead from each state.

    plan : whose segments are the cells of those of the run; the segments of this model
    each : how many they are
    parts : c, how many of them have bounds of their own
    laws : with rate 1
    first (n + 1,), target, bath, law, rate, particles (channels,) : by state; rates are those of a
        segment
    bound (c * channels,) : bounds of the rates of all channels of a state up to this one
    fixed (channels,) : heat while what is driven is 0
    beta (channels,) : 1 / T, if that is constant
    due_first (channels + 1,), due_slot, due : constant loads and chemical works of each channel
    moving : what changes in time
    energy (n,) : of the states; of driven ones 0
    held (n,) : drive that an energy is, -1 for none
    edges (segments + 1, places) : parameters at the edges of the segments; `which` (n,) is the
        place of an energy
    drives, baths, exchanging : how many drives; baths; baths with particles
    """

    plan: Plan
    each: int
    parts: int
    laws: tuple[Any, ...]
    first: Integers
    target: Integers
    bath: Integers
    law: Integers
    rate: Array
    particles: Integers
    bound: Array
    fixed: Array
    beta: Array
    due_first: Integers
    due_slot: Integers
    due: Array
    moving: Moving
    energy: Array
    held: Integers
    which: Integers
    edges: Array
    drives: int
    baths: int
    exchanging: int


class Channels(NamedTuple):
    """Channels in the order of the states that they leave.

    transition (channels,), that each is of; sign (channels,), 1 from its source and -1 to it;
    first (n + 1,), the first of each state; target (channels,)
    """

    transition: Integers
    sign: Array
    first: Integers
    target: Integers


def channels_of(network: JumpNetwork) -> Channels:
    """Both directions of all transitions."""
    count = len(network.source)
    source = np.concatenate([network.source, network.target])
    target = np.concatenate([network.target, network.source])
    order = np.argsort(source, kind="stable")
    first = np.searchsorted(source[order], np.arange(len(network.names) + 1))
    sign = np.repeat([1.0, -1.0], count)
    return Channels(order % count, sign[order], first.astype(np.int64), target[order])


class _Terms(NamedTuple):
    """Parts of the heats of channels by parameters, sorted by channel.

    channel, parameter, slot : numbers; factor : derivative of the heat by the parameter
    waves : of the parameters; moved : which of them are driven
    """

    channel: Integers
    parameter: Integers
    factor: Array
    slot: Integers
    waves: Waveforms
    moved: NDArray[np.bool_]


def _terms(network: JumpNetwork, channels: Channels) -> _Terms:
    """Driven energies, loads and chemical potentials of the channels."""
    k, sign = channels.transition, channels.sign
    states, count = len(network.names), len(network.source)
    here = np.arange(len(k))
    parts = []
    for end, towards in ((network.source, -1.0), (network.target, 1.0)):
        state = end[k]
        on = network.driven[state] >= 0
        parts.append((here[on], state[on], towards * sign[on], network.driven[state][on]))
    on = network.loaded[k] >= 0
    parts.append((here[on], states + k[on], -sign[on], network.loaded[k][on]))
    on = network.particles[k] != 0
    bath = network.bath[k][on]
    taken = -(sign * network.particles[k])[on]
    parts.append((here[on], states + count + bath, taken, network.drives + bath))
    channel, parameter, factor, slot = (np.concatenate(x) for x in zip(*parts, strict=True))
    order = np.argsort(channel, kind="stable")
    waves = joined(network.energies, network.loads, network.potentials)
    moved = waves.amplitude.any(axis=1) | (np.diff(waves.first) > 0)
    # Energies that are waveforms without any amplitude are drives as well: their value is held.
    moved[:states] |= network.driven >= 0
    return _Terms(channel[order], parameter[order], factor[order], slot[order], waves, moved)


def _by_channel(channels: int, channel: Integers) -> Integers:
    return np.searchsorted(channel, np.arange(channels + 1)).astype(np.int64)


def tables_of(network: JumpNetwork, plan: Plan) -> Model:
    """Network ready for the kernels.

    Raises
    ------
    ValueError
        If there are too many states, or a rate exceeds its bound: the law does not fall with its x.
    """
    n = len(network.names)
    if n > MOST_STATES:
        raise ValueError(f"{n} states; allowed: at most {MOST_STATES}")
    channels = channels_of(network)
    terms = _terms(network, channels)
    k, moved = channels.transition, terms.moved[terms.parameter]
    count = len(k)
    still = np.where(network.driven >= 0, 0.0, network.energies.offset)
    fixed = channels.sign * (still[network.target] - still[network.source])[k]
    constant = terms.waves.offset[terms.parameter] * terms.factor
    np.add.at(fixed, terms.channel[~moved], constant[~moved])
    driven = np.flatnonzero(terms.moved)
    place = np.zeros(len(terms.moved), np.int64)
    place[driven] = np.arange(len(driven))
    waves = some(terms.waves, driven)
    bath, law = network.bath[k], network.law[k]
    x = _Heats(network, bath, fixed, terms, moved, place, waves)
    each, parts, bound = _cells(network, plan, channels, x)
    finer = plan._replace(
        rows_per_period=plan.rows_per_period * each, segments_per_row=plan.segments_per_row * each
    )
    length = network.period / finer.rows_per_period
    moving = Moving(
        there=(0,) if network.moving else (),
        heated=(0,) if network.heated else (),
        waves=waves_of(waves, finer, max(1, len(driven))),
        temperatures=waves_of(network.temperatures, finer, network.baths),
        places=max(1, len(driven)),
        baths=network.baths,
        first=_by_channel(count, terms.channel[moved]),
        wave=place[terms.parameter[moved]],
        factor=terms.factor[moved],
        slot=terms.slot[moved],
    )
    beta = 1.0 / network.temperatures.offset if not network.heated else np.zeros(network.baths)
    return Model(
        plan=finer,
        each=each,
        parts=parts,
        laws=network.laws,
        first=channels.first,
        target=channels.target,
        bath=bath,
        law=law,
        rate=network.rate[k] * length,
        particles=(channels.sign * network.particles[k]).astype(np.int64),
        bound=(bound * length).ravel(),
        fixed=fixed,
        beta=beta[bath],
        due_first=_by_channel(count, terms.channel[~moved]),
        due_slot=terms.slot[~moved],
        due=-constant[~moved],
        moving=moving,
        energy=still,
        held=network.driven,
        which=np.where(network.driven >= 0, place[:n], 0),
        edges=at_edges(waves, finer.rows_per_period) if len(driven) else np.zeros((1, 1)),
        drives=network.drives,
        baths=network.baths,
        exchanging=network.baths if network.exchanging else 0,
    )


class _Heats(NamedTuple):
    """Heats of channels: fixed parts, and those by driven parameters.

    bath, fixed : (channels,); terms, of which `moved` are driven; place : of each parameter among
        the driven ones, whose waveforms are `waves`
    """

    network: JumpNetwork
    bath: Integers
    fixed: Array
    terms: _Terms
    moved: NDArray[np.bool_]
    place: Integers
    waves: Waveforms

    def over_temperature(self, u: Array) -> Array:
        """Q / T (t, channels) at phases u (t,)."""
        value = values(self.waves, u) if len(self.waves.offset) else np.zeros((len(u), 0))
        heat = self._with(value, value)
        return np.asarray(heat / values(self.network.temperatures, u)[:, self.bath])

    def least(self, parameters: tuple[Array, Array], warmth: tuple[Array, Array]) -> Array:
        """Least Q / T (t, channels) within bounds of the parameters and of the temperatures."""
        low = self._with(*parameters)
        corners = [low / t[:, self.bath] for t in warmth]
        return np.minimum(*corners)

    def _with(self, low: Array, high: Array) -> Array:
        """Heats (t, channels), each parameter at its low or high value (t, d), what gives less."""
        heat = np.tile(self.fixed, (len(low), 1))
        terms, moved = self.terms, self.moved
        at, factor = self.place[terms.parameter[moved]], terms.factor[moved]
        part = np.minimum(factor * low[:, at], factor * high[:, at])
        np.add.at(heat.T, terms.channel[moved], part.T)
        return heat


def _cells(
    network: JumpNetwork, plan: Plan, channels: Channels, heats: _Heats
) -> tuple[int, int, Array]:
    """Cells in a segment, cells with bounds of their own, and bounds (cells, channels).

    The bounds are sums over the channels of a state up to each. States are weighted as if each were
    visited as often; whatever is chosen, trajectories are exact.
    """
    k = channels.transition
    law, rate = network.law[k], network.rate[k]

    def bounded(edges: Array) -> Array:
        def of(waves: Waveforms) -> tuple[Array, Array]:
            if len(edges) > 2:
                return bounds_between(waves, edges)
            low, high = bounds(waves)
            return low[None], high[None]

        none = np.zeros((len(edges) - 1, 0))
        least = heats.least(
            of(heats.waves) if len(heats.waves.offset) else (none, none), of(network.temperatures)
        )
        # Rates fall with Q / T; a little less, for rounding.
        return np.asarray(rates_of(network.laws, law, rate, least - 1e-12 * (1.0 + abs(least))))

    if not network.moving:
        x = heats.over_temperature(np.zeros(1))
        return 1, 1, _sums_of(channels.first, rates_of(network.laws, law, rate, x))
    phases = max(8, min(PHASES, MOST_RATES // len(k)))
    true = rates_of(network.laws, law, rate, heats.over_temperature(np.arange(phases) / phases))
    leave = np.add.reduceat(true.mean(axis=0), channels.first[:-1])
    weight = 1.0 / np.maximum(leave, SLOWEST)
    weight *= network.period / weight.sum()
    best: Any = None
    count, each = 1, 1
    while count == 1 or (count <= MOST_CELLS and count * len(k) <= MOST_NUMBERS):
        bound = bounded(np.arange(count + 1) / count)
        # Each phase lies in one cell.
        cell = np.arange(phases) * count // phases
        excess = true / np.maximum(bound[cell], SLOWEST) if count <= phases else np.zeros(1)
        if excess.max() > 1.0 + 1e-9:
            names = ", ".join(type(each_law).__name__ for each_law in network.laws)
            raise ValueError(f"{names}: a rate exceeds its thinning bound")
        proposals = np.add.reduceat(bound.mean(axis=0), channels.first[:-1]) @ weight
        time = proposals + END * count
        if best is None or time < best[0]:
            best = time, each, count, bound
        segments = plan.rows_per_period
        count, each = (segments, 1) if count == 1 and segments > 1 else (2 * count, 2 * each)
    _, each, count, bound = best
    return each if count > 1 else 1, count, _sums_of(channels.first, bound)


def _sums_of(first: Integers, each: Array) -> Array:
    """Sums (parts, channels) over the channels of a state up to each."""
    out = np.empty_like(each)
    _cumulate(first, each, out)
    return out


@compiled
def _cumulate(first, each, out):
    for part in range(each.shape[0]):
        for x in range(len(first) - 1):
            total = 0.0
            for k in range(first[x], first[x + 1]):
                total += each[part, k]
                out[part, k] = total
