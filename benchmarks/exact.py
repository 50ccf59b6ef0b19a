"""Seconds that the ensemble without sampling takes: periodic state and currents, from a network.

Two spins at the paper's two points, the paper's two sweeps of 33 phases, a ring of twelve driven
spins. Beside the time stands how far the currents are from the master equation written a second
time and integrated by scipy's DOP853, relative to the smallest heat current. Then the fluctuations
of the pump; beside them, how far an identity is missed or what error is stated. Last, gradients by
all points of a protocol, as a ratio to one solution of the same.

    python benchmarks/exact.py
"""

from functools import partial

import common
import numpy as np
from scipy.integrate import solve_ivp

from trajsim.ensemble import counting_of, ensemble
from trajsim.models.rate_laws import GlauberProduct
from trajsim.models.spins import network
from trajsim.models.waveform import Waveform, pack

RATE, COUPLING = 0.5, 1.0
ROUNDS = 20


class Spins:
    """Driven spins on a ring (or a pair), each in the field h0 cos(2 pi t / period + phase)."""

    def __init__(self, temperature, phase, period, h0=0.25):
        self.temperature, self.phase = np.array(temperature), np.array(phase)
        self.period, self.h0, self.sites = period, h0, len(phase)
        ends = range(self.sites if self.sites > 2 else 1)
        self.bonds = [(i, (i + 1) % self.sites) for i in ends]
        # Baths in the order of the temperatures given.
        self.baths = list(dict.fromkeys(temperature))
        self.bath = [self.baths.index(t) for t in temperature]

    def network(self):
        """The network as trajsim has it."""
        return network(
            law=GlauberProduct(RATE),
            period=self.period,
            bonds=[(i, j, COUPLING) for i, j in self.bonds],
            temperatures=list(self.temperature),
            bath=self.bath,
            drive=pack([Waveform(0.0, [(1, self.h0, phase)]) for phase in self.phase]),
            driven=[True] * self.sites,
        )

    # -- the same physics, written a second time ---------------------------------------------

    def independent(self, p):
        """Carry columns p (2**n, m) through a period: p at its end, heats and works (n, m) each."""
        n, states = self.sites, 1 << self.sites
        number = np.arange(states)
        s = 1 - 2 * (number >> np.arange(n)[:, None] & 1)
        exchange = np.zeros((n, states))
        local = np.full((n, states), RATE)
        for bond in self.bonds:
            for i, j in (bond, bond[::-1]):
                exchange[i] += COUPLING * s[j]
                local[i] *= 1 - np.tanh(COUPLING / self.temperature[i]) * s[i] * s[j]
        flipped = [number ^ (1 << i) for i in range(n)]
        omega = 2 * np.pi / self.period

        def slope(t, flat):
            p = flat.reshape(states + 2 * n, -1)[:states]
            angle = omega * t + self.phase
            h, rise = self.h0 * np.cos(angle), -self.h0 * omega * np.sin(angle)
            rise_p, energetics = np.zeros_like(p), []
            for i in range(n):
                current = (local[i] * (1 - np.tanh(h[i] / self.temperature[i]) * s[i]))[:, None] * p
                rise_p += current[flipped[i]] - current
                energetics.append(2 * (s[i] * (exchange[i] + h[i])) @ current)
            return np.concatenate([rise_p, energetics, -rise[:, None] * (s @ p)]).ravel()

        begin = np.concatenate([p, np.zeros((2 * n, p.shape[1]))])
        settings = {"method": "DOP853", "rtol": 1e-13, "atol": 1e-17}
        end = solve_ivp(slope, (0, self.period), begin.ravel(), **settings).y[:, -1]
        return np.split(end.reshape(begin.shape), [states, states + n])

    def off(self):
        """Largest error of a heat or work, relative to the smallest heat; and of P."""
        solved = ensemble(self.network())
        if self.sites > 4:
            # Its own periodic state must return.
            p = solved.periodic_state
            end, heat, work = self.independent(p[:, None])
            state = abs(end[:, 0] - p).max()
        else:
            propagator, heat, work = self.independent(np.eye(1 << self.sites))
            values, vectors = np.linalg.eig(propagator)
            p = vectors[:, np.argmin(abs(values - 1))].real
            p /= p.sum()
            heat, work = (x @ p for x in (heat, work))
            state = abs(solved.periodic_state - p).max()
        by_bath = np.bincount(self.bath, heat.ravel()) / self.period
        rates = solved.currents.rates
        errors = np.append(rates.heat - by_bath, rates.work - work.ravel() / self.period)
        return abs(errors).max() / abs(by_bath).min(), state


def pair(left, right, phase, period):
    """The paper's two spins."""
    return Spins([left, right], [0.0, phase], period)


PHASES = np.linspace(0, 2 * np.pi, 33)
CASES = {
    "pair, pump": [pair(0.5, 0.499, 2.2, 225.0)],
    "pair, engine": [pair(1.0, 0.1, 0.7 * np.pi, 190.0)],
    "33 pairs of figure 1": [pair(0.5, 0.5, x, 225.0) for x in PHASES],
    "33 pairs of figure 2": [pair(1.0, 0.1, x, 190.0) for x in PHASES],
    "ring of 12": [Spins([1.0] * 6 + [0.8] * 6, 2 * np.pi * np.arange(12) / 12, 20.0)],
}


def currents(networks, number):
    """Solve them all, from the network on."""
    for made in networks:
        ensemble(made).currents  # noqa: B018


FIELDS = np.linspace(-0.5, 2.5, 101)


def counted_pump(number):
    """Cumulants 1 to 4 of both heats, both works and their sum, and all covariances."""
    found = counting_of(CASES["pair, pump"][0].network())
    unit = np.eye(2)
    for weights in ({"heat": unit[0]}, {"heat": unit[1]}, {"work": unit[0]}, {"work": unit[1]}):
        found.cumulant_rates(weights)
    found.cumulant_rates({"work": 1.0})
    return found.covariance_rate


def theta_of_pump(number, pump=None, side=1.0):
    """theta of the left heat at 101 fields, or of their partners in time reversed."""
    pump = pump or CASES["pair, pump"][0]
    own = np.array([1.0, 0.0])
    fields = np.multiply.outer(FIELDS, own)
    if side < 0:
        fields = 1 / pump.temperature - fields
    return counting_of(pump.network()).theta(fields)


def distribution_of_pump(number):
    """Distribution of the left heat over ten periods."""
    found = counting_of(CASES["pair, pump"][0].network())
    return found.distribution("periodic", 10, {"heat": [1.0, 0.0]})


def fluctuations():
    """What is timed, and the error that goes with it."""
    pump = CASES["pair, pump"][0]
    backwards = Spins(pump.temperature.tolist(), -pump.phase, pump.period)
    covariance = counted_pump(0)
    one, two = theta_of_pump(0), theta_of_pump(0, backwards, -1.0)
    return {
        "cumulants and covariances": (
            counted_pump,
            abs(covariance.sum(axis=1)).max() / covariance[0, 0],
        ),
        "theta, 101 fields": (theta_of_pump, abs(one - two).max() / abs(one).max()),
        "distribution, 10 periods": (distribution_of_pump, distribution_of_pump(0).error),
    }


def waves(points, low, high):
    """Points of a ramp that wavers."""
    u = np.linspace(0.0, 1.0, points)
    level = low + (high - low) * u + 0.1 * np.sin(20.0 * u)
    return {"points": np.stack([u, level], axis=1).tolist()}


# Config, key of the points, what is to be at its best, and the values of parameters.
PROTOCOLS = {
    "field of a spin, 101 points": (
        *("magnetisation_reversal", "sites.1.drive", "work"),
        waves(101, -1.0, 1.5),
    ),
    "field of the pump, 101 points": (
        *("heat_pump", "sites.1.drive", "cooling"),
        waves(101, 0.0, 0.3),
    ),
    "centre of a trap, 101 points": (
        *("dragged_trap", "sites.1.center", "work"),
        waves(101, 0.0, 5.0),
    ),
    "stiffness of an engine, 101 points": (
        *("stirling_engine", "sites.1.stiffness", "power"),
        waves(101, 2.0, 1.0),
    ),
}


def gradients():
    """Solution and gradient of each protocol."""
    from trajsim.config import load, with_parameters
    from trajsim.ensemble import start_state
    from trajsim.explore.protocols import Protocol

    contenders = []
    for name, (config, key, aim, wave) in PROTOCOLS.items():
        experiment = load(common.CONFIGS / f"{config}.toml").experiment
        protocol = Protocol(with_parameters(experiment, {key: wave}), f"{key}.points", aim)
        values = np.array([value for _, value in protocol.points])

        def solve(_, protocol=protocol, values=values):
            at = protocol.at(values)
            solved = ensemble(at.network())
            if at.ends:
                start = start_state(at.network(), at.ensemble.initial)
                return solved.time_series(start, 1).energetics
            return solved.currents

        def gradient(_, protocol=protocol, values=values):
            return protocol.gradient(values)

        contenders.append(common.Contender(name, solve, 1.0))
        contenders.append(common.Contender(f"{name}: gradient", gradient, 1.0))
    return contenders


def timed_gradients(rounds):
    """Print how long gradients take in units of one solution; what goes into the file."""
    seconds, rows, results = common.race(gradients(), rounds), [], {}
    for name in PROTOCOLS:
        one, other = seconds[name], seconds[f"{name}: gradient"]
        ratio = common.ratios(other, one)
        results[name] = {"solution": common.times(one), "gradient": common.times(other), **ratio}
        least = [f"{1e3 * results[name][k]['min']:.3g}" for k in ("solution", "gradient")]
        rows.append([name, *least, f"{ratio['median']:.2f}"])
    common.table(["gradient by", "solution, ms", "gradient, ms", "ratio"], rows)
    return results


def timed(contenders, rounds, errors, heading):
    """Print a table of times and errors; what goes into the file."""
    seconds, rows, results = common.race(contenders, rounds), [], {}
    for name, error in errors.items():
        results[name] = {**common.times(seconds[name]), **error}
        least, middle = (f"{1e3 * results[name][k]:.3g}" for k in ("min", "median"))
        rows.append([name, least, middle, *(f"{value:.0e}" for value in error.values())])
    common.table([*heading[:1], "ms, least", "median", *heading[1:]], rows)
    print()
    return results


def main():
    """Time, judge, print and write."""
    options = common.arguments(__doc__)
    rounds = options.rounds or (2 if options.quick else ROUNDS)
    contenders = [
        common.Contender(name, partial(currents, [c.network() for c in cases]), 1.0)
        for name, cases in CASES.items()
    ]
    errors = {}
    for name, cases in CASES.items():
        # Of a sweep, every fourth point is judged.
        off = np.array([case.off() for case in cases[:: 16 if options.quick else 4]])
        errors[name] = dict(zip(("error", "state_error"), off.max(axis=0), strict=True))
    results = timed(contenders, rounds, errors, ["currents of", "error", "error of P"])
    found = fluctuations()
    contenders = [common.Contender(name, run, 1.0) for name, (run, _) in found.items()]
    errors = {name: {"error": error} for name, (_, error) in found.items()}
    results |= timed(contenders, rounds, errors, ["of the pump", "error"])
    results |= timed_gradients(rounds)
    common.save("exact", options, {"unit": "seconds", "cases": results})


if __name__ == "__main__":
    main()
