"""Spins of which anything is driven by any waveform, their physics written a second time.

Nothing here comes from the code under test but `network`. The master equation is integrated piece
by piece between the breaks of all waveforms; where a parameter jumps, the state stays.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import expit

from trajsim.models.rate_laws import LAWS
from trajsim.models.spins import network
from trajsim.models.waveform import Waveform, pack


@dataclass(frozen=True)
class Wave:
    """offset + cosines (order, amplitude, phase) + points (u, value) in straight lines."""

    offset: float = 0.0
    cosines: tuple = ()
    points: tuple = ()

    def at(self, u, side):
        """Value just after (side = 1) or just before (side = -1) the phase u in (0, 1)."""
        value = self.offset + sum(a * math.cos(2 * math.pi * k * u + p) for k, a, p in self.cosines)
        if not self.points:
            return value
        for (a, x), (b, y) in pairwise(self.points):
            inside = a <= u < b if side > 0 else a < u <= b
            if inside and b > a:
                return value + x + (y - x) * (u - a) / (b - a)
        raise AssertionError(u)

    def slope(self, u, side):
        """Derivative by u."""
        step = 1e-6 * side
        return (
            (self.at(u + step, side) - self.at(u, side)) / step
            if self.points
            else sum(
                -2 * math.pi * k * a * math.sin(2 * math.pi * k * u + p) for k, a, p in self.cosines
            )
        )

    @property
    def ends(self):
        """First and last listed value, cosines included."""
        cosines = self.offset + sum(a * math.cos(p) for _, a, p in self.cosines)
        points = self.points or ((0.0, 0.0), (1.0, 0.0))
        return cosines + points[0][1], cosines + points[-1][1]

    @property
    def breaks(self):
        return {u for u, _ in self.points}

    def build(self):
        """As the code under test has it."""
        return Waveform(self.offset, self.cosines, self.points)


@dataclass(frozen=True)
class Driven:
    """Spins: fields of sites, bonds (i, j, coupling), temperatures of baths; numbers or waves."""

    fields: tuple
    bonds: tuple
    temperatures: tuple
    bath: tuple
    law: str = "glauber-product"
    rate: float = 0.5
    period: float = 20.0

    @property
    def sites(self):
        return len(self.bath)

    def build(self):
        """The network as the code under test has it."""

        def given(value):
            return value.build() if isinstance(value, Wave) else value

        fields = [w if isinstance(w, Wave) else Wave(w) for w in self.fields]
        return network(
            law=LAWS[self.law](self.rate),
            period=self.period,
            bonds=[(i, j, given(J)) for i, j, J in self.bonds],
            temperatures=[given(self.temperatures[b]) for b in self.bath],
            bath=list(self.bath),
            drive=pack([w.build() for w in fields]),
            driven=[isinstance(w, Wave) for w in self.fields],
        )

    # -- the physics, a second time ----------------------------------------------------------------

    @property
    def waves(self):
        """Waves of the drives in the order of the ledger, and -V of each in all states."""
        s = self.spins
        fields = [(w, s[i]) for i, w in enumerate(self.fields) if isinstance(w, Wave)]
        return fields + [(J, s[i] * s[j]) for i, j, J in self.bonds if isinstance(J, Wave)]

    @property
    def spins(self):
        return 1 - 2 * (np.arange(1 << self.sites) >> np.arange(self.sites)[:, None] & 1)

    def energies(self, value):
        """H (2**n,) where `value` turns a number or a wave into its value."""
        s = self.spins
        h = -sum(value(w) * s[i] for i, w in enumerate(self.fields))
        return h - sum((value(J) * s[i] * s[j] for i, j, J in self.bonds), np.zeros(s.shape[1]))

    def flip_rates(self, value):
        """Rates (n, 2**n)."""
        s, energy, state = self.spins, self.energies(value), np.arange(1 << self.sites)
        rates = np.empty(s.shape)
        for i in range(self.sites):
            T = value(self.temperatures[self.bath[i]])
            if self.law == "glauber-product":
                rates[i] = 2 * expit(-2 * value(self.fields[i]) * s[i] / T)
                for a, b, J in self.bonds:
                    if i in (a, b):
                        rates[i] *= 2 * expit(-2 * value(J) * s[a] * s[b] / T)
                continue
            x = (energy[state ^ (1 << i)] - energy) / T
            rates[i] = {
                "heat-bath": lambda x: 2 * expit(-x),
                "metropolis": lambda x: np.exp(-np.maximum(x, 0.0)),
                "arrhenius": lambda x: np.exp(-x / 2),
            }[self.law](x)
        return self.rate * rates

    def change(self, value, slope):
        """d/du of P and of heats, works, flips, entropy flow: matrix (states + g, states)."""
        n, state = self.sites, np.arange(1 << self.sites)
        rates, energy = self.flip_rates(value), self.energies(value)
        w = np.zeros((len(state), len(state)))
        heat = np.zeros((len(self.temperatures), len(state)))
        entropy = heat.copy()
        for i in range(n):
            w[state ^ (1 << i), state] += rates[i]
            w[state, state] -= rates[i]
            given = rates[i] * (energy[state ^ (1 << i)] - energy)
            heat[self.bath[i]] += given
            entropy[self.bath[i]] += given / value(self.temperatures[self.bath[i]])
        work = [-slope(wave) / self.period * minus_v for wave, minus_v in self.waves]
        return self.period * np.vstack([w, heat, *work, rates, entropy])

    def edges(self, segments):
        """Phases at which something breaks or a segment ends."""
        waves = [*self.fields, *(J for _, _, J in self.bonds), *self.temperatures]
        found = {k / segments for k in range(segments + 1)}
        return sorted(found.union(*(w.breaks for w in waves if isinstance(w, Wave))))

    def follow(self, p, segments, periods):
        """P at the ends of segments; heats, works, flips, entropy flows (segments, g)."""
        states, baths, waves = 1 << self.sites, len(self.temperatures), self.waves
        width = 2 * baths + len(waves) + self.sites
        works = slice(baths, baths + len(waves))
        out, total, ends = [], np.zeros(width), [p]
        held = [wave.ends[0] for wave, _ in waves]
        edges = self.edges(segments)
        for _ in range(periods):
            for begin, end in pairwise(edges):
                # What jumps at a phase does so after an edge between rows.
                for d, (wave, minus_v) in enumerate(waves):
                    total[baths + d] -= (wave.at(begin, 1) - held[d]) * (minus_v @ p)
                inside = (begin + 1e-13, end - 1e-13)

                def slope(u, y, inside=inside):
                    at = min(max(u, inside[0]), inside[1])
                    value = lambda w: w.at(at, 1) if isinstance(w, Wave) else w  # noqa: E731
                    rise = lambda w: w.slope(at, 1 if at < 0.5 * sum(inside) else -1)  # noqa: E731
                    return self.change(value, rise) @ y[:states]

                begun = np.concatenate([p, np.zeros(width)])
                solved = solve_ivp(slope, (begin, end), begun, "DOP853", rtol=1e-11, atol=1e-13)
                p, total = solved.y[:states, -1], total + solved.y[states:, -1]
                held = [wave.at(end, -1) for wave, _ in waves]
                if end == 1.0:
                    # Jumps listed at the end of the period belong to it.
                    for d, (wave, minus_v) in enumerate(waves):
                        total[works][d] -= (wave.ends[1] - held[d]) * (minus_v @ p)
                        held[d] = wave.ends[1]
                if any(abs(end - k / segments) < 1e-15 for k in range(1, segments + 1)):
                    out.append(total)
                    ends.append(p)
                    total = np.zeros(width)
        return np.array(ends), np.array(out)
