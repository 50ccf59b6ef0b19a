"""Linear oscillators of which anything is driven by any waveform, their physics a second time.

Nothing here comes from the code under test but `network`. Moments, and averages of exponentials,
are integrated piece by piece between the breaks of all waveforms. The energy is
x' K x / 2 - F . x + constant, of second order in each parameter: central differences are exact.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from driven_spins import Wave
from scipy.integrate import solve_ivp

from trajsim.models import oscillators
from trajsim.models.waveform import pack

ACCURACY = {"method": "DOP853", "rtol": 1e-11, "atol": 1e-13}


@dataclass(frozen=True)
class Site:
    """Numbers or waves; bath -1 for none, (bath, friction) of `also` besides the first."""

    stiffness: float | Wave = 0.0
    force: float | Wave = 0.0
    center: float | Wave = 0.0
    bath: int = 0
    mass: float = 1.0
    friction: float = 1.0
    also: tuple = ()


@dataclass(frozen=True)
class Driven:
    """Sites, bonds (i, j, stiffness) and temperatures of baths."""

    sites: tuple
    bonds: tuple = ()
    temperatures: tuple = (1.0,)
    period: float = 3.0
    overdamped: bool = False

    @property
    def contacts(self):
        """(site, bath, friction) of each; friction 0 without a bath."""
        return [
            (i, bath, friction if bath >= 0 else 0.0)
            for i, s in enumerate(self.sites)
            for bath, friction in ((s.bath, s.friction), *s.also)
        ]

    @property
    def size(self):
        return (1 if self.overdamped else 2) * len(self.sites)

    def build(self):
        """The network as the code under test has it."""

        def given(value):
            return value.build() if isinstance(value, Wave) else value

        forces = [s.force if isinstance(s.force, Wave) else Wave(s.force) for s in self.sites]
        return oscillators.network(
            period=self.period,
            mass=[0.0 if self.overdamped else s.mass for s in self.sites],
            friction=[friction for _, _, friction in self.contacts],
            temperature=[given(self.temperatures[bath]) for _, bath, _ in self.contacts],
            bath=[bath for _, bath, _ in self.contacts],
            site=[site for site, _, _ in self.contacts],
            site_stiffness=[given(s.stiffness) for s in self.sites],
            site_quartic=[0.0] * len(self.sites),
            bonds=[(i, j, given(k), 0.0) for i, j, k in self.bonds],
            drive=pack([w.build() for w in forces]),
            driven=[isinstance(s.force, Wave) for s in self.sites],
            center=[given(s.center) for s in self.sites],
        )

    # -- the physics, a second time ----------------------------------------------------------------

    @property
    def given(self):
        """All parameters, and where they stand: ("force", site) and others."""
        places = [
            ((name, i), getattr(s, name))
            for i, s in enumerate(self.sites)
            for name in ("force", "stiffness", "center")
        ]
        places += [(("bond", b), k) for b, (_, _, k) in enumerate(self.bonds)]
        return dict(places)

    @property
    def drives(self):
        """Places of the drives in the order of the ledger."""
        return [place for place, value in self.given.items() if isinstance(value, Wave)]

    def at(self, u, side):
        """Parameters just after (side = 1) or before (-1) a phase."""
        return {
            place: w.at(u, side) if isinstance(w, Wave) else w for place, w in self.given.items()
        }

    def listed(self, end):
        """First (0) or last (1) listed parameters."""
        return {place: w.ends[end] if isinstance(w, Wave) else w for place, w in self.given.items()}

    def potential(self, at):
        """K, F and constant of the energy."""
        n = len(self.sites)
        K, F, constant = np.zeros((n, n)), np.zeros(n), 0.0
        for i in range(n):
            k, c = at["stiffness", i], at["center", i]
            K[i, i] += k
            F[i] = at["force", i] + k * c
            constant += 0.5 * k * c * c
        for b, (i, j, _) in enumerate(self.bonds):
            d = np.zeros(n)
            d[i], d[j] = 1.0, -1.0
            K += at["bond", b] * np.outer(d, d)
        return K, F, constant

    def rise(self, at, place):
        """Derivative of K, F and constant by one parameter."""
        more, less = ({**at, place: at[place] + step} for step in (1.0, -1.0))
        ends = zip(self.potential(more), self.potential(less), strict=True)
        return [0.5 * (a - b) for a, b in ends]

    def jump(self, before, after):
        """K, F and constant of the work of each drive, as if all moved at once in proportion."""
        nodes, weights = np.polynomial.legendre.leggauss(3)
        out = []
        for place in self.drives:
            parts = [0.0, 0.0, 0.0]
            for s, weight in zip(0.5 * (1.0 + nodes), 0.5 * weights, strict=True):
                middle = {p: before[p] + s * (after[p] - before[p]) for p in before}
                step = weight * (after[place] - before[place])
                rise = self.rise(middle, place)
                parts = [p + step * r for p, r in zip(parts, rise, strict=True)]
            out.append(parts)
        return out

    def term(self, at, place):
        """K, F and constant of the driven term of the energy."""
        name, i = place
        still = dict.fromkeys(at, 0.0)
        kept = [place] if name in ("force", "bond") else [("stiffness", i), ("center", i)]
        return self.potential({**still, **{p: at[p] for p in kept}})

    def temperature(self, u, side):
        """Temperatures of the contacts, 0 without a bath."""
        waves = [self.temperatures[b] if b >= 0 else 0.0 for _, b, _ in self.contacts]
        return np.array([w.at(u, side) if isinstance(w, Wave) else w for w in waves])

    def motion(self, at, temperature):
        """Flow, force and noise of dz = (flow z + force) dt + noise."""
        n = len(self.sites)
        mass = np.array([s.mass for s in self.sites])
        K, F, _ = self.potential(at)
        friction, strength = np.zeros(n), np.zeros(n)
        for (i, _, g), T in zip(self.contacts, temperature, strict=True):
            friction[i] += g
            strength[i] += 2 * g * T
        if self.overdamped:
            return -K / friction[:, None], F / friction, np.diag(strength / friction**2)
        flow = np.zeros((2 * n, 2 * n))
        flow[:n, n:] = np.eye(n)
        flow[n:, :n] = -K / mass[:, None]
        flow[n:, n:] = -np.diag(friction / mass)
        strength = strength / mass**2
        return flow, np.append(np.zeros(n), F / mass), np.diag(np.append(np.zeros(n), strength))

    def heats(self, at, temperature, mean, covariance):
        """Mean heat currents of the baths."""
        K, F, _ = self.potential(at)
        n, out = len(self.sites), np.zeros(len(self.temperatures))
        for (i, bath, g), T in zip(self.contacts, temperature, strict=True):
            if bath >= 0 and self.overdamped:
                square = (F - K @ mean)[i] ** 2 + K[i] @ covariance @ K[i]
                out[bath] += (T * K[i, i] - square) / g
            elif bath >= 0:
                square = covariance[n + i, n + i] + mean[n + i] ** 2
                out[bath] += g * (T / self.sites[i].mass - square)
        return out

    def edges(self, segments=1):
        """Phases at which something breaks or a segment ends."""
        found = {k / segments for k in range(segments + 1)}
        waves = [*self.given.values(), *self.temperatures]
        return sorted(found.union(*(w.breaks for w in waves if isinstance(w, Wave))))

    def phase_inside(self, u, begin, end):
        """A phase within a piece, and the side from which to look at it."""
        at = min(max(u, begin + 1e-13), end - 1e-13)
        return at, 1 if at < 0.5 * (begin + end) else -1

    def speed(self, place, u, side):
        return self.given[place].slope(u, side) / self.period

    # -- moments -----------------------------------------------------------------------------------

    def follow(self, mean, covariance, segments, periods):
        """Moments at the ends of segments; heats, works and exclusive works (segments, ...)."""
        n, drives, baths = len(self.sites), self.drives, len(self.temperatures)
        size = self.size

        def average(form, y):
            K, F, constant = form
            x, square = y[:n], y[size : size + size * size].reshape(size, size)[:n, :n]
            return 0.5 * np.sum(K * (square + np.outer(x, x))) - F @ x + constant

        def split(y):
            return y[:size], y[size : size + size * size].reshape(size, size)

        y = np.concatenate([mean, covariance.ravel(), np.zeros(baths + len(drives))])
        works = slice(len(y) - len(drives), len(y))
        states, gains, held = [split(y)], [], self.listed(0)
        begun, y_begun = held, y
        for _ in range(periods):
            for begin, end in pairwise(self.edges(segments)):
                y[works] += [average(form, y) for form in self.jump(held, self.at(begin, 1))]

                def slope(u, y, begin=begin, end=end):
                    u, side = self.phase_inside(u, begin, end)
                    at, temperature = self.at(u, side), self.temperature(u, side)
                    flow, force, noise = self.motion(at, temperature)
                    mean, covariance = split(y)
                    by_bath = self.heats(at, temperature, mean, covariance)
                    work = [self.speed(d, u, side) * average(self.rise(at, d), y) for d in drives]
                    spread = flow @ covariance
                    spread = (spread + spread.T + noise).ravel()
                    return self.period * np.concatenate(
                        [flow @ mean + force, spread, by_bath, work]
                    )

                y = solve_ivp(slope, (begin, end), y, **ACCURACY).y[:, -1]
                held = self.at(end, -1)
                if end == 1.0:
                    y[works] += [average(form, y) for form in self.jump(held, self.listed(1))]
                    held = self.listed(1)
                if any(abs(end - k / segments) < 1e-15 for k in range(1, segments + 1)):
                    kept = [
                        average(self.term(held, d), y) - average(self.term(begun, d), y_begun)
                        for d in drives
                    ]
                    states.append(split(y))
                    gains.append(np.append(y[size + size * size :], y[works] - kept))
                    y = np.append(y[: size + size * size], np.zeros(baths + len(drives)))
                    begun, y_begun = held, y
        return states, np.array(gains)

    # -- exponentials ------------------------------------------------------------------------------

    def log_averages(self, mean, covariance, periods, heat, work, z):
        """log <exp(z A)> (k,) by the Riccati equation, A weighted by heat and work."""
        n, size = len(self.sites), self.size

        def jumped(y, before, after, z):
            X, line, c = parts(y)
            for weight, (K, F, constant) in zip(work, self.jump(before, after), strict=True):
                X[:n, :n] += z * weight * K
                line[:n] -= z * weight * F
                c += z * weight * constant
            return np.concatenate([X.ravel(), line, [c]])

        def parts(y):
            return y[: size * size].reshape(size, size).copy(), y[size * size : -1].copy(), y[-1]

        def one(z):
            y = np.zeros(size * size + size + 1, np.complex128)
            pieces = list(pairwise(self.edges()))
            for period in reversed(range(periods)):
                y = jumped(y, self.at(1.0, -1), self.listed(1), z)
                for begin, end in reversed(pieces):

                    def slope(back, y, begin=begin, end=end):
                        u, side = self.phase_inside(end - back, begin, end)
                        at, temperature = self.at(u, side), self.temperature(u, side)
                        flow, force, noise = self.motion(at, temperature)
                        X, line, _ = parts(y)
                        L, force = flow + 0j, force + 0j
                        V = np.zeros((size, size), np.complex128)
                        push, lift = np.zeros(size) + 0j, 0
                        K, F, _ = self.potential(at)
                        for (i, bath, g), T in zip(self.contacts, temperature, strict=True):
                            q = z * heat[bath] if bath >= 0 else 0
                            if self.overdamped:
                                # exp(q Q) with Q = -int (F - K x) o dx.
                                L[i] += 2 * q * T / g * K[i]
                                force[i] -= 2 * q * T / g * F[i]
                                V += 2 * q * (q * T - 1) / g * np.outer(K[i], K[i])
                                push -= 2 * q * (q * T - 1) / g * F[i] * K[i]
                                lift += q * (q * T - 1) / g * F[i] ** 2 + q * T * K[i, i] / g
                            else:
                                m = self.sites[i].mass
                                L[n + i, n + i] += 2 * q * g * T / m
                                V[n + i, n + i] += 2 * q * g * (q * T - 1)
                                lift += q * g * T / m
                        for weight, d in zip(work, self.drives, strict=True):
                            K, F, constant = self.rise(at, d)
                            rate = z * weight * self.speed(d, u, side)
                            V[:n, :n] += rate * K
                            push[:n] -= rate * F
                            lift += rate * constant
                        dX = L.T @ X + X @ L + X @ noise @ X + V
                        dy = (L + noise @ X).T @ line + X @ force + push
                        dc = force @ line + 0.5 * line @ noise @ line + 0.5 * np.trace(noise @ X)
                        dc += lift
                        return self.period * np.concatenate([dX.ravel(), dy, [dc]])

                    y = solve_ivp(slope, (0.0, end - begin), y, **ACCURACY).y[:, -1]
                    before = self.at(begin, -1) if begin > 0 else self.listed(int(period > 0))
                    y = jumped(y, before, self.at(begin, 1), z)
            X, line, c = parts(y)
            left = np.eye(size) - covariance @ X
            gathered = X @ mean + line
            through = np.linalg.solve(left, covariance @ gathered)
            roots = np.log(np.linalg.eigvals(left)).sum()
            return c + 0.5 * mean @ X @ mean + line @ mean + 0.5 * (gathered @ through - roots)

        return np.array([one(value) for value in z])
