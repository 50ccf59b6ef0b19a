"""Systems that jump between numbered states, as the exact ensemble sees them.

A channel is a jump from one state to another by exchange of heat with one bath. Channels with the
same rate and the same heat at all times are of one class, so that these are computed once for all
of them. The energy of state x is E_x(t) = E_x + sum_d lambda_d(t) V_dx with the driven parameters
lambda_d (fields, for spins) and the conjugate functions V_d (-s_i).

A load is a parameter without a V_d: it does work in jumps alone, as much as it takes off their
heat. So do chemical potentials; and the number of particles that a jump takes from a bath is
counted as the work of a parameter that is 1 and changes no heat.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.ensemble.answers import Array, Energetics, Exchanges

Integers = NDArray[np.integer]
# Numbers in the table with which matrices are made at once.
MOST_PATTERN = 1 << 18


class Instants(NamedTuple):
    """A process at phases u (t,): rates (t, k), lambda (t, d) and its derivative by time (t, d)."""

    u: Array
    rates: Array
    value: Array
    speed: Array

    def part(self, which: slice) -> "Instants":
        """Some of the phases."""
        return Instants(*(array[which] for array in self))


@dataclass(frozen=True, eq=False)
class JumpProcess:
    """Channels (c,) between states, in classes (k,), and the drives (d,) of the energies.

    Parameters
    ----------
    states, baths, counters : how many there are; each jump adds 1 to one counter (of its site)
    period : of the drives, a time
    source, target : (c,) state before and after a jump of each channel
    kind : (c,) class of each channel
    bath, counter : (k,) the bath that gives the heat of a class, and the counter of its jumps
    heat : (k,) energy that a jump takes from its bath while all parameters are 0
    change : (d, k) V_d after minus V_d before a jump
    conjugate : (d, states) V_d of each state
    parameters : maps phases u (t,), fractions of the period that are over, to lambda (t, d) and its
        derivative by time (t, d)
    rate : maps phases u (t,) and lambda (t, d) there to the rates (t, k) per unit time of each
        channel of a class
    breaks : phases, 0 and 1 among them, between which rates and parameters are smooth
    layer : least part of the period within which rates change at a break between; 0 if they are
        continuous there
    jumps : phases (j,) at which parameters jump, and by how much (j, d): at 0 from what they are at
        the end of a period; at 1 before the period ends
    opening, closing : (d,) parameters at time 0 and at the end of a period; default: equal
    load : (d, k) work that a jump does per unit of lambda_d, of parameters without a V_d, of which
        `change` is that of the heat; default: none
    reservoirs : baths with particles: as many chemical potentials, and then as many numbers of
        particles, are the last of the parameters
    by_bath : whether counters are those of the baths, as of jump networks
    """

    states: int
    baths: int
    counters: int
    period: float
    source: Integers
    target: Integers
    kind: Integers
    bath: Integers
    counter: Integers
    heat: Array
    change: Array
    conjugate: Array
    parameters: Callable[[Array], tuple[Array, Array]]
    rate: Callable[[Array, Array], Array]
    breaks: list[float] = field(default_factory=lambda: [0.0, 1.0])
    layer: float = 0.0
    jumps: tuple[Array, Array] = field(default_factory=lambda: (np.zeros(0), np.zeros((0, 0))))
    opening: Array | None = None
    closing: Array | None = None
    load: Array | None = None
    reservoirs: int = 0
    by_bath: bool = False

    @property
    def drives(self) -> int:
        """Number of parameters: drives, then chemical potentials, then numbers of particles."""
        return len(self.conjugate)

    @property
    def works(self) -> int:
        """Number of drives."""
        return self.drives - 2 * self.reservoirs

    @cached_property
    def loaded(self) -> NDArray[np.bool_]:
        """(d,) which parameters do work in jumps."""
        none = np.zeros(self.drives, np.bool_)
        return none if self.load is None else (self.load != 0.0).any(axis=1)

    @property
    def classes(self) -> int:
        """Number of classes of channels."""
        return len(self.bath)

    def tabulated(self) -> "JumpProcess":
        """The same, after what does not depend on its drives has been worked out."""
        names = ["exits", "changed", "heat_of_bath", "_of_jumps", "_largest"]
        if self.classes * self.states**2 <= MOST_PATTERN:
            names.append("_generator")
        for name in names:
            getattr(self, name)
        return self

    def driven_by(self, **drive: Any) -> "JumpProcess":
        """The same channels, with other values of the fields that tell how they are driven."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, **drive)
        for name in ("fastest_exit", "_sample", "_scales"):
            other.__dict__.pop(name, None)
        return other

    @cached_property
    def heat_of_bath(self) -> Array:
        """(k, baths): 1 where a class takes its heat from a bath."""
        return np.eye(self.baths)[self.bath]

    @cached_property
    def exits(self) -> Any:
        """(k, states), sparse where large: how many channels of a class leave a state."""
        if self.classes * self.states <= MOST_PATTERN:
            counts = np.zeros((self.classes, self.states))
            np.add.at(counts, (self.kind, self.source), 1.0)
            return counts
        from scipy.sparse import csr_matrix

        ones = np.ones(len(self.kind))
        return csr_matrix((ones, (self.kind, self.source)), shape=(self.classes, self.states))

    @cached_property
    def incoming(self) -> tuple[Any, Any, Any]:
        """Channels by target: first of each state (states + 1,), sources (c,) and classes (c,)."""
        return self._sorted(self.target, self.source)

    @cached_property
    def outgoing(self) -> tuple[Any, Any, Any]:
        """Channels by source: first of each state (states + 1,), targets (c,) and classes (c,)."""
        return self._sorted(self.source, self.target)

    def _sorted(self, by: Integers, other: Integers) -> tuple[Any, Any, Any]:
        order = np.argsort(by, kind="stable")
        return (
            np.searchsorted(by[order], np.arange(self.states + 1)).astype(np.uint64),
            other[order].astype(np.uint32),
            self.kind[order].astype(np.uint32),
        )

    @cached_property
    def _by_state(self) -> Any:
        return self.exits.T.copy() if isinstance(self.exits, np.ndarray) else self.exits.T.tocsr()

    def leaving(self, rates: Array) -> Array:
        """Rate (states,) at which each state is left, for rates (k,) of the classes."""
        return np.asarray(self._by_state @ rates)

    @property
    def is_constant(self) -> bool:
        """Whether neither the rates nor the energies change in time."""
        at = self.at(np.linspace(0.0, 0.99, 34))
        same = all((x == x[0]).all() for x in (at.rates, at.value))
        return same and not at.speed.any() and not len(self.jumps[0])

    def at(self, u: Array) -> Instants:
        """The process at phases u (t,)."""
        value, speed = self.parameters(u)
        return Instants(u, self.rate(u, value), value, speed)

    def rates(self, u: Array) -> Array:
        """Rates (t, k) of the classes at phases u (t,)."""
        return self.rate(u, self.parameters(u)[0])

    def heats_of(self, value: Array) -> Array:
        """Heat (t, k) that a jump of each class takes from its bath at lambda (t, d)."""
        return np.asarray(self.heat + value @ self.change)

    def gains(self, value: Array) -> Array:
        """Heats, and works of loads, that a jump of each class counts at lambda (t, d).

        (t, baths + drives, k), or (t, baths, k) without loads.
        """
        heats = self.heats_of(value)[:, None] * self.heat_of_bath.T
        if self.load is None:
            return np.asarray(heats)
        return np.concatenate([heats, value[:, :, None] * self.load], axis=1)

    def pieces(self, begin: float, end: float) -> Iterator[tuple[float, float]]:
        """Parts of an interval of phases between the breaks."""
        inside = (x for x in self.breaks if begin < x < end)
        return pairwise([begin, *inside, end])

    @cached_property
    def fastest_exit(self) -> float:
        """Largest rate at which any state is left at 32 phases of the drive, per unit time."""
        rates = self.rates((np.arange(32) + 0.5) / 32)
        return max(float((self.exits.T @ rates.T).max(initial=0.0)), 1e-300)

    @cached_property
    def _sample(self) -> Instants:
        return self.at(np.arange(16) / 16)

    @property
    def range_of_rates(self) -> float:
        """Logarithm of the largest ratio of a rate to the same at another phase, of a few."""
        rates = np.maximum(self._sample.rates, 1e-300)
        return math.log(float((rates.max(axis=0) / rates.min(axis=0)).max(initial=1.0)))

    # -- energetics ----------------------------------------------------------------------------

    @property
    def width(self) -> int:
        """Number of entries of all energetics: heats, works, exclusive works and jumps."""
        return self.baths + 2 * self.drives + self.counters

    def split(self, totals: Array) -> Energetics | Exchanges:
        """Energetics, or exchanges of a jump network, from one array (..., width)."""
        lengths = (
            *(self.baths, self.works, self.reservoirs, self.reservoirs),
            *(self.works, 2 * self.reservoirs),
        )
        heat, work, chemical_work, particles, exclusive, _, counters = np.split(
            totals, np.cumsum(lengths), axis=-1
        )
        if self.by_bath:
            return Exchanges(heat, work, exclusive, counters, chemical_work, particles)
        return Energetics(heat, work, exclusive, counters)

    def energetics(self, instants: Instants, dwell: Array) -> Array:
        """Energetics (width, m) from dwell times: heats, works, exclusive works and jumps.

        Parameters
        ----------
        instants : the process at phases (t,)
        dwell : (t, states, m) time spent in each state at these phases
        """
        times, states, columns = dwell.shape
        flat = dwell.transpose(1, 0, 2).reshape(states, -1)
        jumps = instants.rates.T[:, :, None] * (self.exits @ flat).reshape(-1, times, columns)
        factors = np.ones((1 + self.drives, times))
        factors[1:] = instants.value.T
        total: Array = self._of_jumps @ (factors @ jumps).reshape(-1, columns)
        conjugate_time = (self.conjugate @ flat).reshape(-1, times, columns)
        total[self._works] += (instants.speed.T[:, None] @ conjugate_time)[:, 0]
        return total

    @property
    def _works(self) -> slice:
        return slice(self.baths, self.baths + self.drives)

    @cached_property
    def _of_jumps(self) -> Array:
        """(width, k (1 + d)): energetics of a jump of each class, and their derivatives by lambda.

        Exclusive work is minus the change of lambda_d V_d by the jumps; of a load, all of its work.
        """
        out = np.zeros((self.width, self.classes, 1 + self.drives))
        out[: self.baths, :, 0] = self.heat_of_bath.T * self.heat
        out[: self.baths, :, 1:] = self.heat_of_bath.T[:, :, None] * self.change.T
        for drive, change in enumerate(self.change):
            work, exclusive = self.baths + drive, self.baths + self.drives + drive
            out[exclusive, :, 1 + drive] = -change
            if self.load is not None and self.loaded[drive]:
                out[work, :, 1 + drive] = out[exclusive, :, 1 + drive] = self.load[drive]
        out[self.baths + 2 * self.drives :, :, 0] = np.eye(self.counters)[self.counter].T
        return out.reshape(self.width, -1)

    def ends(self) -> tuple[Array, Array]:
        """Parameters (d,) with which a trajectory begins, and those at the end of a period."""
        if self.opening is None or self.closing is None:
            value = self.parameters(np.zeros(1))[0][0]
            return value, value
        return self.opening, self.closing

    def jump_energetics(self, u: float, p: Array) -> Array | float:
        """Energetics (width, m) of the jumps of the parameters at a phase, in P (states, m).

        Energies change while the state stays: all of it is work.
        """
        worked = self.work_at(u)
        return 0.0 if worked is None else self._as_work(worked @ p)

    def work_at(self, u: float) -> Array | None:
        """Work (d, states) of each drive where parameters jump at a phase; None elsewhere."""
        phases, by = self.jumps
        if not len(phases):
            return None
        at = np.flatnonzero(phases == u)
        return by[at[0]][:, None] * self.conjugate if len(at) else None

    def first_opening(self, p: Array) -> Array:
        """Energetics (width, m) to add if a period is the first, begun in P (states, m).

        It begins with the parameters of time 0, not with those at the end of a period.
        """
        opening, closing = self.ends()
        return self._as_work(((closing - opening)[:, None] * self.conjugate) @ p)

    def _as_work(self, work: Array) -> Array:
        """Energetics (width, m) of works (d, m) alone."""
        out = np.zeros((self.width, *work.shape[1:]))
        out[self._works] = work
        return out

    @cached_property
    def changed(self) -> list[Any]:
        """For each drive the classes whose jumps change V_d."""
        return [
            np.flatnonzero(row & ~loaded)
            for row, loaded in zip(self.change != 0.0, self.loaded, strict=True)
        ]

    @cached_property
    def _scales(self) -> tuple[Array, Array]:
        """Scales (width,) of the energetics: largest per jump, and largest power of the drives."""
        value, speed = (abs(x).max(axis=0) for x in self._sample[2:])
        heat, change, conjugate = self._largest
        power = float(((speed + value / self.period) * conjugate).max(initial=0.0))
        heat += float(value @ change)
        energies = self.baths + 2 * self.drives
        by_jump, by_drive = np.ones(self.width), np.zeros(self.width)
        by_jump[:energies], by_drive[:energies] = heat, power
        if self.load is not None:
            works = by_jump[self.baths : energies].reshape(2, -1)
            np.maximum(works, value * abs(self.load).max(axis=1, initial=0.0), out=works)
        return by_jump, by_drive

    @cached_property
    def _largest(self) -> tuple[float, Array, Array]:
        """Largest heat without parameters, and changes (d,) and values (d,) of each V_d."""
        heat = float(abs(self.heat).max(initial=0.0))
        return heat, *(abs(x).max(axis=1, initial=0.0) for x in (self.change, self.conjugate))

    def throughput(self, rates: Array) -> Array:
        """Gross energy (or number) exchanged per unit time, for rates (width,): scale of errors."""
        by_jump, by_drive = self._scales
        jumps = float(rates[self.baths + 2 * self.drives :].sum())
        return jumps * by_jump + by_drive

    # -- matrices ------------------------------------------------------------------------------

    def _patterns(self, diagonal: float) -> Array:
        """(k, states**2): matrix of a unit rate of each class, with `diagonal` at its sources."""
        pattern = np.zeros((self.classes, self.states, self.states))
        np.add.at(pattern, (self.kind, self.target, self.source), 1.0)
        np.add.at(pattern, (self.kind, self.source, self.source), diagonal)
        return pattern.reshape(self.classes, -1)

    @cached_property
    def _jumps(self) -> Array:
        return self._patterns(0.0)

    @cached_property
    def _generator(self) -> Array:
        return self._patterns(-1.0)

    def transitions(self, rates: Array) -> Array:
        """Matrices (..., states, states) of the jumps alone, for rates (..., k) of the classes."""
        shape = (*rates.shape[:-1], self.states, self.states)
        if self.classes * self.states**2 <= MOST_PATTERN:
            return np.asarray(rates @ self._jumps).reshape(shape)
        out = np.zeros(shape)
        flat = out.reshape(-1, self.states, self.states)
        for matrix, of_class in zip(flat, rates.reshape(-1, self.classes), strict=True):
            np.add.at(matrix, (self.target, self.source), of_class[self.kind])
        return out

    def generators(self, rates: Array) -> Array:
        """W (t, states, states) for rates (t, k) of the classes; columns sum to zero."""
        if self.classes * self.states**2 <= MOST_PATTERN:
            return np.asarray(rates @ self._generator).reshape(-1, self.states, self.states)
        out = self.transitions(rates)
        diagonal = np.arange(self.states)
        out[:, diagonal, diagonal] -= rates @ self.exits
        return out
