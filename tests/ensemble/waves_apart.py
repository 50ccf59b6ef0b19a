"""Driven spins, jump networks and linear oscillators integrated from the text of a config alone.

Nothing here comes from the package under test: TOML is read, and the master equation or the second
moments are integrated, piece by piece between the breaks of all waveforms.
"""

import math
from itertools import pairwise

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import expit


class Signal:
    """A parameter of a config against the phase u; with time running backwards if asked."""

    def __init__(self, given, reverse):
        self.driven, self.reverse = isinstance(given, dict), reverse
        self.given = given if self.driven else {"offset": given}
        self.points = self.given.get("points")
        shift = self.given.get("phase", 0.0) / (2 * math.pi)
        breaks = {u for u, _ in self.points or []}
        if self.given.get("shape") == "square":
            breaks = {(0.25 - shift) % 1, (0.75 - shift) % 1}
        if self.given.get("shape") == "triangle":
            breaks = {-shift % 1, (0.5 - shift) % 1}
        self.breaks = {1 - u for u in breaks} if reverse else breaks

    def inside(self, u, begin, end):
        """Value and derivative at u of the piece from `begin` to `end`, in which nothing breaks."""
        if not self.reverse:
            return self._inside(u, 0.5 * (begin + end))
        value, slope = self._inside(1 - u, 1 - 0.5 * (begin + end))
        return value, -slope

    def _inside(self, u, middle):
        given = self.given
        if self.points:
            for (a, x), (b, y) in pairwise(self.points):
                if a < middle < b:
                    return x + (y - x) * (u - a) / (b - a), (y - x) / (b - a)
        offset, amplitude = given.get("offset", 0.0), given.get("amplitude", 0.0)
        at_middle = 2 * math.pi * middle + given.get("phase", 0.0)
        shape = given.get("shape", "cosine")
        if shape == "square":
            return offset + amplitude * math.copysign(1, math.cos(at_middle)), 0.0
        if shape == "triangle":
            # Beyond its own piece, too: a step of the integrator may look there.
            slope = -4 * amplitude * math.copysign(1, math.sin(at_middle))
            value = amplitude * 2 / math.pi * math.asin(math.cos(at_middle))
            return offset + value + slope * (u - middle), slope
        terms = [(1, amplitude, given.get("phase", 0.0))]
        terms += [
            (h["order"], h["amplitude"], h.get("phase", 0.0)) for h in given.get("harmonics", [])
        ]
        turns = [2 * math.pi * k * u + p for k, _, p in terms]
        value = offset + sum(a * math.cos(x) for (_, a, _), x in zip(terms, turns, strict=True))
        slope = (
            -2
            * math.pi
            * sum(k * a * math.sin(x) for (k, a, _), x in zip(terms, turns, strict=True))
        )
        return value, slope

    def listed(self, end):
        """The first (0) or the last (1) value that is listed."""
        if self.points:
            return self.points[-int(end != self.reverse)][1]
        step = 1e-9  # a square that switches just there has the value after or before
        return self.inside(float(end), *((0.0, step) if end == 0 else (1 - step, 1.0)))[0]


def touched(site):
    """Multiples by the names of the baths of a site."""
    several = site.get("baths", [site["bath"]] if "bath" in site else [])
    return several if isinstance(several, dict) else dict.fromkeys(several, 1.0)


class Apart:
    """What both kinds of model share: pieces, rows, jumps.

    A kind gives `start()`, `flow(now)`, a matrix by which its state y moves, and `gains(now)` and
    `jump(before, after)`, matrices that turn y into what is gained, and `energy(now)`, a row.
    """

    def __init__(self, config):
        self.config = config
        self.reverse = config["drive"].get("direction") == "reverse"
        self.period = config["drive"]["period"]
        sites = config.get("sites", [])
        self.number = {site["name"]: k for k, site in enumerate(sites)}
        self.baths = list(config["baths"])
        # Site, bath and multiple of the rate or friction.
        self.contacts = [
            (k, self.baths.index(name), multiple)
            for k, site in enumerate(sites)
            for name, multiple in touched(site).items()
        ]
        self.signals = {
            ("bath", k): self.signal(b["temperature"])
            for k, b in enumerate(config["baths"].values())
        }
        self.ends = [[self.number[x] for x in bond["sites"]] for bond in config.get("bonds", [])]

    def signal(self, given):
        return Signal(given, self.reverse)

    @property
    def heated(self):
        return any(self.signals["bath", k].driven for k in range(len(self.baths)))

    def listed(self, end):
        return {place: (signal.listed(end), 0.0) for place, signal in self.signals.items()}

    def at(self, u, begin, end):
        return {place: signal.inside(u, begin, end) for place, signal in self.signals.items()}

    def breaks(self, rows):
        found = {k / rows for k in range(rows + 1)}
        found = sorted(found.union(*(signal.breaks for signal in self.signals.values())))
        return [u for k, u in enumerate(found) if k == 0 or u - found[k - 1] > 1e-13]

    def follow(self, rows_per_period=1, periods=1, burn_in=0, start=None):
        """States (edge, ...), energies (edge,) and gains (row, g) from `start`."""
        y, held = self.start() if start is None else start, self.listed(0)
        edges = self.breaks(rows_per_period)
        states, energies, gains = [y], [self.energy(held) @ y], []
        gained = 0.0 * (self.gains(held) @ y)
        size = len(y)
        for period in range(burn_in + periods):
            for begin, end in pairwise(edges):
                now = self.at(begin, begin, end)
                gained = gained + self.jump(held, now) @ y

                def change(u, z, begin=begin, end=end):
                    now = self.at(u, begin, end)
                    y = z[:size]
                    return self.period * np.append(self.flow(now) @ y, self.gains(now) @ y)

                z = solve_ivp(
                    change, (begin, end), np.append(y, gained), "DOP853", rtol=1e-10, atol=1e-12
                ).y[:, -1]
                y, gained, held = z[:size], z[size:], self.at(end, begin, end)
                if end == 1.0:
                    last = self.listed(1)
                    gained = gained + self.jump(held, last) @ y
                    held = last
                if (
                    min(abs(end - k / rows_per_period) for k in range(1, rows_per_period + 1))
                    < 1e-13
                ):
                    if period >= burn_in:
                        states.append(y)
                        energies.append(self.energy(held) @ y)
                        gains.append(gained)
                    else:
                        states, energies = [y], [self.energy(held) @ y]
                    gained = 0.0 * gained
        return np.array(states), np.array(energies), np.array(gains)

    def propagator(self):
        """Matrix that takes y over a period."""
        width = len(self.energy(self.listed(0)))
        U = np.eye(width)
        for begin, end in pairwise(self.breaks(1)):

            def change(u, z, begin=begin, end=end):
                flow = self.flow(self.at(u, begin, end))
                return self.period * (flow @ z.reshape(width, -1)).ravel()

            U = (
                solve_ivp(change, (begin, end), U.ravel(), "DOP853", rtol=1e-11, atol=1e-13)
                .y[:, -1]
                .reshape(width, -1)
            )
        return U

    def named(self, gains):
        """Gains (..., g) by the name of a column."""
        b, d = len(self.baths), len(self.drives)
        names = ["heat", "entropy_flow", "work", "exclusive_work", *self.counted]
        counts = np.cumsum([b, b, d, d, *[b] * (len(self.counted) - 1)])
        return dict(zip(names, np.split(gains, counts, axis=-1), strict=True))


class Spins(Apart):
    """Driven spins: y is the probability of each state."""

    counted = ("flips",)

    def __init__(self, config):
        super().__init__(config)
        sites = config["sites"]
        self.n = len(sites)
        self.signals |= {
            ("field", k): self.signal(s.get("drive", 0.0)) for k, s in enumerate(sites)
        }
        self.signals |= {
            ("bond", k): self.signal(b["coupling"]) for k, b in enumerate(config.get("bonds", []))
        }
        self.states = np.arange(1 << self.n)
        self.s = 1.0 - 2.0 * (self.states >> np.arange(self.n)[:, None] & 1)
        # H = -sum of parameters times these.
        self.of = {("field", k): self.s[k] for k in range(self.n)}
        self.of |= {("bond", k): self.s[i] * self.s[j] for k, (i, j) in enumerate(self.ends)}
        self.drives = [p for p in self.of if self.signals[p].driven]

    def start(self):
        initial = self.config["ensemble"].get("initial", "up")
        if initial == "random":
            return np.full(len(self.states), 1 / len(self.states))
        if initial == "up":
            return np.eye(len(self.states))[0]
        if initial == "periodic":
            return self.periodic()
        now = self.listed(0)
        weight = np.exp(-self.energy(now) / now["bath", self.contacts[0][1]][0])
        return weight / weight.sum()

    def periodic(self):
        """Probabilities that return after a period."""
        U = self.propagator() - np.eye(len(self.states))
        U[0] = 1.0
        return np.linalg.solve(U, np.eye(len(self.states))[0])

    def energy(self, now):
        return -sum(now[p][0] * self.of[p] for p in self.of)

    def rates(self, now):
        """Of each contact (c, states)."""
        model, energy = self.config["model"], self.energy(now)
        rates = np.full((len(self.contacts), len(self.states)), model["rate"])
        for c, (i, bath, multiple) in enumerate(self.contacts):
            T = now["bath", bath][0]
            rates[c] *= multiple
            if model["rate_law"] == "glauber-product":
                rates[c] *= 2 * expit(-2 * now["field", i][0] * self.s[i] / T)
                for k, ends in enumerate(self.ends):
                    if i in ends:
                        rates[c] *= 2 * expit(-2 * now["bond", k][0] * self.of["bond", k] / T)
                continue
            x = (energy[self.states ^ (1 << i)] - energy) / T
            rates[c] *= {
                "heat-bath": lambda x: 2 * expit(-x),
                "metropolis": lambda x: np.minimum(1.0, np.exp(-x)),
                "arrhenius": lambda x: np.exp(-x / 2),
            }[model["rate_law"]](x)
        return rates

    def flow(self, now):
        W = np.zeros((len(self.states),) * 2)
        for (i, _, _), rates in zip(self.contacts, self.rates(now), strict=True):
            W[self.states ^ (1 << i), self.states] += rates
            W[self.states, self.states] -= rates
        return W

    def gains(self, now):
        energy, rates = self.energy(now), self.rates(now)
        heat, entropy = np.zeros((2, len(self.baths), len(self.states)))
        exclusive = np.zeros((len(self.drives), len(self.states)))
        flips = np.zeros(self.s.shape)
        for (i, bath, _), rate in zip(self.contacts, rates, strict=True):
            flipped = self.states ^ (1 << i)
            given = rate * (energy[flipped] - energy)
            flips[i] += rate
            heat[bath] += given
            entropy[bath] += given / now["bath", bath][0]
            for d, p in enumerate(self.drives):
                exclusive[d] += rate * now[p][0] * (self.of[p][flipped] - self.of[p])
        work = [-now[p][1] / self.period * self.of[p] for p in self.drives]
        return np.vstack([heat, entropy, *work, exclusive, flips])

    def jump(self, before, after):
        out = 0.0 * self.gains(before)
        for d, p in enumerate(self.drives):
            out[2 * len(self.baths) + d] = -(after[p][0] - before[p][0]) * self.of[p]
        return out


class Networks(Apart):
    """Jump networks: y is the probability of each state."""

    counted = ("jumps", "chemical_work", "particles")
    periodic = Spins.periodic

    def __init__(self, config):
        super().__init__(config)
        names = [state["name"] for state in config["states"]]
        self.states = np.arange(len(names))
        for k, state in enumerate(config["states"]):
            self.signals["energy", k] = self.signal(state.get("energy", 0.0))
        for k, bath in enumerate(config["baths"].values()):
            self.signals["mu", k] = self.signal(bath.get("chemical_potential", 0.0))
        self.channels = []
        for k, t in enumerate(config["transitions"]):
            self.signals["load", k] = self.signal(t.get("load", 0.0))
            a, b = (names.index(x) for x in t["states"])
            law = t.get("rate_law", config["model"].get("rate_law"))
            rest = self.baths.index(t["bath"]), t.get("rate", config["model"].get("rate")), law
            self.channels += [(k, a, b, 1, *rest), (k, b, a, -1, *rest)]
        self.particles = [t.get("particles", 0) for t in config["transitions"]]
        self.drives = [
            *(("energy", k) for k in self.states if self.signals["energy", k].driven),
            *(("load", k) for k, t in enumerate(config["transitions"]) if "load" in t),
        ]

    def start(self):
        initial, n = self.config["ensemble"]["initial"], len(self.states)
        if initial == "random":
            return np.full(n, 1 / n)
        if initial == "periodic":
            return self.periodic()
        return np.eye(n)[[s["name"] for s in self.config["states"]].index(initial)]

    def energy(self, now):
        return np.array([now["energy", k][0] for k in self.states])

    def jumps(self, now):
        """Number, ends, bath, rate, heat, load and particles of each channel."""
        energy = self.energy(now)
        for k, a, b, sign, bath, rate, law in self.channels:
            n, load = sign * self.particles[k], sign * now["load", k][0]
            heat = energy[b] - energy[a] - load - n * now["mu", bath][0]
            x = heat / now["bath", bath][0]
            factor = {
                "glauber-product": lambda x: 2 * expit(-x),
                "heat-bath": lambda x: 2 * expit(-x),
                "metropolis": lambda x: min(1.0, math.exp(-x)),
                "arrhenius": lambda x: math.exp(-x / 2),
            }[law](x)
            yield k, a, b, bath, rate * factor, heat, load, n

    def flow(self, now):
        W = np.zeros((len(self.states),) * 2)
        for _, a, b, _, rate, *_ in self.jumps(now):
            W[b, a] += rate
            W[a, a] -= rate
        return W

    def gains(self, now):
        n, baths, drives = len(self.states), len(self.baths), len(self.drives)
        heat, entropy, jumps, chemical, particles = np.zeros((5, baths, n))
        work, exclusive = np.zeros((2, drives, n))
        for k, a, b, bath, rate, given, load, taken in self.jumps(now):
            heat[bath, a] += rate * given
            entropy[bath, a] += rate * given / now["bath", bath][0]
            jumps[bath, a] += rate
            particles[bath, a] += rate * taken
            chemical[bath, a] += rate * taken * now["mu", bath][0]
            for d, p in enumerate(self.drives):
                if p == ("load", k):
                    work[d, a] += rate * load
                    exclusive[d, a] += rate * load
                if p[0] == "energy":
                    exclusive[d, a] -= rate * now[p][0] * ((b == p[1]) - float(a == p[1]))
        for d, p in enumerate(self.drives):
            if p[0] == "energy":
                work[d, p[1]] += now[p][1] / self.period
        return np.vstack([heat, entropy, work, exclusive, jumps, chemical, particles])

    def jump(self, before, after):
        out = 0.0 * self.gains(before)
        for d, p in enumerate(self.drives):
            if p[0] == "energy":
                out[2 * len(self.baths) + d, p[1]] = after[p][0] - before[p][0]
        return out


class Oscillators(Apart):
    """Linear oscillators: y is the matrix of second moments of (1, x, v), row by row.

    Of overdamped ones that of (1, x).
    """

    counted = ("flips",)

    def __init__(self, config):
        super().__init__(config)
        sites, model = config["sites"], config["model"]
        self.n = len(sites)
        self.overdamped = model.get("dynamics") == "overdamped"
        self.size = 1 + self.n * (1 if self.overdamped else 2)
        for k, s in enumerate(sites):
            self.signals["force", k] = self.signal(s.get("drive", 0.0))
            self.signals["stiffness", k] = self.signal(s.get("stiffness", 0.0))
            self.signals["center", k] = self.signal(s.get("center", 0.0))
        self.signals |= {
            ("bond", k): self.signal(b["stiffness"]) for k, b in enumerate(config.get("bonds", []))
        }
        self.mass = np.array([s.get("mass", model.get("mass", 1.0)) for s in sites])
        friction = [s.get("friction", model["friction"]) for s in sites]
        # Of each contact: site, bath, friction.
        self.frictions = [(k, bath, friction[k] * more) for k, bath, more in self.contacts]
        self.drives = [p for p, signal in self.signals.items() if p[0] != "bath" and signal.driven]

    def term(self, now, place):
        """Form by (1, x, v) of the term of H in which a parameter stands."""
        form, one = np.zeros((self.size,) * 2), np.eye(self.size)
        kind, k = place
        if kind == "force":
            form[0, 1 + k] = -now[place][0]
        elif kind == "bond":
            i, j = self.ends[k]
            d = one[1 + i] - one[1 + j]
            form = 0.5 * now[place][0] * np.outer(d, d)
        else:
            d = one[1 + k] - now["center", k][0] * one[0]
            form = 0.5 * now["stiffness", k][0] * np.outer(d, d)
        return 0.5 * (form + form.T)

    def energy(self, now):
        places = [p for p in self.signals if p[0] in ("force", "stiffness", "bond")]
        form = sum(self.term(now, p) for p in places)
        if not self.overdamped:
            form = form + 0.5 * np.diag(np.append(np.zeros(1 + self.n), self.mass))
        return form.ravel()

    def rise(self, now, place):
        """Derivative of H by a parameter: H is linear in each but a centre, quadratic in that."""
        more, less = ({**now, place: (now[place][0] + step, 0.0)} for step in (0.5, -0.5))
        return self.term(more, place) - self.term(less, place)

    def matrix(self, now):
        """A of d<z z'>/dt = A <z z'> + <z z'> A' + noise, and the noise."""
        n = self.n
        A = np.zeros((self.size,) * 2)
        form = self.energy(now).reshape(A.shape)
        if self.overdamped:
            noise = np.zeros(self.size)
            for k, bath, friction in self.frictions:
                A[1 + k] = -2 * form[1 + k] / friction
                noise[1 + k] = 2 * now["bath", bath][0] / friction
            return A, np.diag(noise)
        A[1 : n + 1, n + 1 :] = np.eye(n)
        A[n + 1 :, : n + 1] = -2 * form[1 : n + 1, : n + 1] / self.mass[:, None]
        noise = np.zeros(n)
        for k, bath, friction in self.frictions:
            A[n + 1 + k, n + 1 + k] -= friction / self.mass[k]
            noise[k] += 2 * friction * now["bath", bath][0] / self.mass[k] ** 2
        return A, np.diag(np.append(np.zeros(1 + n), noise))

    def flow(self, now):
        A, noise = self.matrix(now)
        one = np.eye(len(A))
        flow = np.kron(A, one) + np.kron(one, A)
        flow[:, 0] += noise.ravel()  # y[0] is <1 * 1> = 1
        return flow

    def gains(self, now):
        size, form = self.size, self.energy(now).reshape((self.size,) * 2)
        heat, entropy = np.zeros((2, len(self.baths), size, size))
        for k, bath, friction in self.frictions:
            given, T = np.zeros((size, size)), now["bath", bath][0]
            if self.overdamped:
                # -F o dx/dt = -F^2 / gamma - (T / gamma) dF/dx
                given -= np.outer(2 * form[1 + k], 2 * form[1 + k]) / friction
                given[0, 0] += 2 * form[1 + k, 1 + k] * T / friction
            else:
                given[0, 0] = friction * T / self.mass[k]
                given[1 + self.n + k, 1 + self.n + k] = -friction
            heat[bath] += given
            entropy[bath] += given / T
        A, noise = self.matrix(now)
        work = [now[p][1] / self.period * self.rise(now, p) for p in self.drives]
        # d<term>/dt at fixed parameters is the negative of the exclusive work.
        exclusive = [-(A.T @ self.term(now, p) + self.term(now, p) @ A) for p in self.drives]
        for e, p in zip(exclusive, self.drives, strict=True):
            e[0, 0] -= (self.term(now, p) * noise).sum()
            if p[0] in ("stiffness", "center"):
                # The term moves by the other parameter, too.
                other = ({"stiffness": "center", "center": "stiffness"}[p[0]], p[1])
                if self.signals[other].driven:
                    e -= now[other][1] / self.period * self.rise(now, other)
        rows = [*heat, *entropy, *work, *exclusive]
        return np.array([row.ravel() for row in rows])

    def jump(self, before, after):
        out = 0.0 * self.gains(before)
        first = 2 * len(self.baths)
        root = 0.5 / math.sqrt(3)
        for d, p in enumerate(self.drives):
            for s in (0.5 - root, 0.5 + root):
                middle = {q: (x + s * (after[q][0] - x), 0.0) for q, (x, _) in before.items()}
                out[first + d] += 0.5 * (after[p][0] - before[p][0]) * self.rise(middle, p).ravel()
            # Exclusive work: less what the whole term changed.
            changed = (self.term(after, p) - self.term(before, p)).ravel()
            out[first + len(self.drives) + d] = out[first + d] - changed
        return out

    def start(self):
        size, initial = self.size, self.config["ensemble"].get("initial", "rest")
        M = np.zeros((size, size))
        M[0, 0] = 1.0
        if initial == "equilibrium":
            now = self.listed(0)
            form = self.energy(now).reshape(size, size)
            T = now["bath", self.contacts[0][1]][0]
            mean = -np.linalg.solve(form[1:, 1:], form[1:, 0])
            M[0, 1:] = M[1:, 0] = mean
            M[1:, 1:] = 0.5 * T * np.linalg.inv(form[1:, 1:]) + np.outer(mean, mean)
        return self.periodic() if initial == "periodic" else M.ravel()

    def periodic(self):
        """Moments that return after a period; <1 * 1> stays what it is."""
        one = np.eye(self.size**2)
        U = self.propagator() - one
        U[0] = one[0]
        return np.linalg.solve(U, one[0])


def of_config(config):
    """The system of a config."""
    kinds = {"spins": Spins, "oscillators": Oscillators, "jumps": Networks}
    return kinds[config["model"]["kind"]](config)
