"""Spin networks as plain data, and their physics written a second time, with numpy and scipy.

Nothing below `sample` comes from the code under test: every expected value of these tests does.
States are numbered as in the exact side: bit i set means that spin i is down.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import expit
from scipy.stats import norm

from trajsim.kernels import jump
from trajsim.models.rate_laws import LAWS
from trajsim.models.spins import network
from trajsim.models.waveform import Waveform, pack
from trajsim.plan import Plan

# Chance that a test of random numbers fails though all is well.
FALSE_ALARM = 1e-4
UP, RANDOM = jump.Start(jump.UP, np.ones(1)), jump.Start(jump.RANDOM, np.ones(1))


@dataclass(frozen=True)
class Network:
    """A spin network: temperatures by bath, the rest by site; harmonics (order, h, phase)."""

    temperatures: list[float]
    bath: list[int]
    bonds: list[tuple[int, int, float]]
    harmonics: list[list[tuple[int, float, float]]]
    offset: list[float] = field(default_factory=list)
    driven: list[bool] = field(default_factory=list)
    law: str = "glauber-product"
    rate: float = 0.5
    period: float = 225.0

    @property
    def sites(self):
        return len(self.bath)

    @property
    def states(self):
        return 1 << self.sites

    @property
    def temperature(self):
        """Temperature of the bath of each site."""
        return np.array([self.temperatures[b] for b in self.bath])

    @property
    def drives(self):
        """Sites whose work is kept: those with harmonics, unless said otherwise."""
        driven = self.driven or [bool(terms) for terms in self.harmonics]
        return [i for i in range(self.sites) if driven[i]]

    def build(self):
        """The network as the code under test has it."""
        return network(
            law=LAWS[self.law](self.rate),
            period=self.period,
            bonds=self.bonds,
            temperatures=list(self.temperature),
            bath=self.bath,
            drive=pack(
                [
                    Waveform(offset, terms)
                    for offset, terms in zip(
                        self.offset or [0.0] * self.sites, self.harmonics, strict=True
                    )
                ]
            ),
            driven=[i in self.drives for i in range(self.sites)],
        )


def pair(left=0.5, right=0.499, h0=0.25, phase=2.2, coupling=1.0, **others):
    """The paper's two spins; as given, at the point where they are a refrigerator."""
    drives = [[(1, h0, 0.0)], [(1, h0, phase)]] if h0 else [[], []]
    return Network([left, right], [0, 1], [(0, 1, coupling)], drives, **others)


PUMP = pair()
ENGINE = pair(1.0, 0.1, phase=0.7 * np.pi, period=190.0)
# Every feature at once: three spins of which two share a bath, a triangle of unequal bonds,
# harmonics, offsets, a site that is not driven.
TRIANGLE = Network(
    temperatures=[0.9, 0.6],
    bath=[0, 1, 0],
    bonds=[(0, 1, 0.7), (1, 2, -0.4), (0, 2, 0.3)],
    harmonics=[[(1, 0.5, 0.3), (3, 0.2, 1.1)], [], [(1, 0.3, 2.0), (2, 0.25, -0.7)]],
    offset=[0.15, -0.2, 0.1],
    driven=[True, False, True],
    rate=0.4,
    period=20.0,
)


# -- sampling ------------------------------------------------------------------------------------


def drawn(p):
    """Start from states drawn with probabilities p."""
    return jump.Start(jump.DRAWN, np.cumsum(p) / np.sum(p))


def sample(case, plan, start, seed, count, first=0):
    """Ledger of trajectories first ... first + count - 1, as `trajsim.kernels.jump.Rows`."""
    rows, drives = plan.rows, len(case.drives)
    ledger = jump.Rows(
        heat=np.zeros((count, rows, len(case.temperatures))),
        work=np.zeros((count, rows, drives)),
        exclusive_work=np.zeros((count, rows, drives)),
        energy=np.zeros((count, rows + 1)),
        flips=np.zeros((count, rows, case.sites), np.int32),
        state=np.zeros((count, rows + 1, case.sites), np.int8),
        entropy_flow=np.zeros((count, rows, 0)),
    )
    made = case.build()
    replicas = jump.begin(made, start, seed, 0, first, count)
    _, excess = jump.advance(made, plan, replicas, ledger, 0, plan.segments)
    assert excess <= 1.0 + 1e-9, "a rate exceeded the bound it is thinned from"
    return ledger


def one_period(rows):
    """Plan of a single period in `rows` rows."""
    return Plan(periods=1, burn_in=0, rows_per_period=rows, segments_per_row=1)


def numbers(state):
    """Numbers of the states (..., site) of +1 and -1."""
    return ((state < 0) << np.arange(state.shape[-1])).sum(axis=-1)


def z_threshold(comparisons):
    """Standard errors that the largest of so many may lie off, at FALSE_ALARM for all together."""
    return norm.isf(FALSE_ALARM / (2 * comparisons))


# -- the physics, a second time ------------------------------------------------------------------


def spins(case):
    """Spins (n, 2**n) of all states."""
    return 1 - 2 * (np.arange(case.states) >> np.arange(case.sites)[:, None] & 1)


def _harmonics(case, fraction, wave, weight):
    fraction = np.asarray(fraction, float)
    h = np.zeros((*fraction.shape, case.sites))
    for i, terms in enumerate(case.harmonics):
        for order, amplitude, phase in terms:
            angle = 2 * np.pi * order * fraction + phase
            h[..., i] += amplitude * weight(order) * wave(angle)
    return h


def fields(case, fraction):
    """h_i (..., n) when `fraction` (...) of the period has passed."""
    return (case.offset or 0.0) + _harmonics(case, fraction, np.cos, lambda order: 1.0)


def field_slopes(case, fraction):
    """dh_i/dt (..., n)."""
    omega = 2 * np.pi / case.period
    return _harmonics(case, fraction, lambda x: -np.sin(x), lambda order: order * omega)


def energies(case, fraction):
    """H (..., 2**n) of all states."""
    s = spins(case)
    bonds = sum((J * s[i] * s[j] for i, j, J in case.bonds), np.zeros(case.states))
    return -bonds - fields(case, fraction) @ s


def costs(case, fraction):
    """dE (..., n, 2**n) of flipping each spin: a difference of two energies."""
    energy, state = energies(case, fraction), np.arange(case.states)
    return np.stack([energy[..., state ^ (1 << i)] - energy for i in range(case.sites)], axis=-2)


def flip_rates(case, fraction):
    """Rate (..., n, 2**n) of flipping each spin in each state, as the papers write the laws."""
    temperature = case.temperature[:, None]
    if case.law == "glauber-product":
        s, h = spins(case), fields(case, fraction)
        # 1 - tanh(x) = 2 / (1 + exp(2 x))
        rates = case.rate * 2 * expit(-2 * s * h[..., None] / temperature)
        for i, j, J in case.bonds:
            for k in (i, j):
                rates[..., k, :] *= 2 * expit(-2 * J * s[i] * s[j] / case.temperature[k])
        return rates
    x = costs(case, fraction) / temperature
    shape = {
        "heat-bath": lambda: 2 * expit(-x),
        "metropolis": lambda: np.exp(-np.maximum(x, 0.0)),
        "arrhenius": lambda: np.exp(-x / 2),
    }
    return case.rate * shape[case.law]()


def generator(case, fraction):
    """W (..., 2**n, 2**n), columns the states that are left."""
    rates, state = flip_rates(case, fraction), np.arange(case.states)
    w = np.zeros((*rates.shape[:-2], case.states, case.states))
    for i in range(case.sites):
        w[..., state ^ (1 << i), state] += rates[..., i, :]
    w[..., state, state] -= rates.sum(axis=-2)
    return w


def boltzmann(case, fraction=0.0):
    """Equilibrium (2**n,) in the fields of one instant."""
    weight = np.exp(-energies(case, fraction) / case.temperature[0])
    return weight / weight.sum()


class Energetics(NamedTuple):
    """Energetics by start; the last axis is baths, drives, drives, sites."""

    heat: np.ndarray
    work: np.ndarray
    exclusive_work: np.ndarray
    flips: np.ndarray


class Solution(NamedTuple):
    """P (cells, 2**n, starts) at the ends of cells, and Energetics (cells, starts, g)."""

    end: np.ndarray
    energetics: Energetics


def _gain_rates(case, fraction):
    """Heats, works, exclusive works, flips (..., g, 2**n) per unit time in each state."""
    rates, s = flip_rates(case, fraction), spins(case)
    heat = rates * costs(case, fraction)
    in_bath = np.array(case.bath) == np.arange(len(case.temperatures))[:, None]
    work = -field_slopes(case, fraction)[..., None] * s
    # A flip changes the spin by -2 s.
    exclusive = -2 * fields(case, fraction)[..., None] * s * rates
    kept = [in_bath.astype(float) @ heat, work[..., case.drives, :], exclusive[..., case.drives, :]]
    return np.concatenate([*kept, rates], axis=-2)


def solve(case, cells=1, begin=None, tilt=None, rtol=1e-12):
    """Integrate the master equation and its energetics over equal cells of the period, all at once.

    `begin` (2**n, starts) is where every cell begins, by default each state. `tilt`(fraction)
    (..., 2**n) is added to the diagonal of the generator.
    """
    begin = np.eye(case.states) if begin is None else begin
    at, n = np.arange(cells), case.states
    width = _gain_rates(case, 0.0).shape[0]
    first = np.zeros((cells, n + width, begin.shape[1]))
    first[:, :n] = begin

    def slope(t, flat):
        p = flat.reshape(first.shape)[:, :n]
        fraction = (at + t) / cells
        w = generator(case, fraction)
        if tilt is not None:
            w[:, np.arange(n), np.arange(n)] += tilt(fraction)
        all_rates = np.concatenate([w, _gain_rates(case, fraction)], axis=1)
        return (case.period / cells * all_rates @ p).ravel()

    found = solve_ivp(slope, (0, 1), first.ravel(), "DOP853", rtol=rtol, atol=1e-3 * rtol)
    assert found.success
    end = found.y[:, -1].reshape(first.shape)
    baths, drives = len(case.temperatures), len(case.drives)
    split = np.cumsum([baths, drives, drives])
    return Solution(end[:, :n], Energetics(*np.split(end[:, n:].swapaxes(1, 2), split, axis=-1)))


def after(cells, p):
    """P (cells + 1, 2**n) at all edges for propagators (cells, 2**n, 2**n) and a start."""
    course = [p]
    for propagator in cells:
        course.append(propagator @ course[-1])
    return np.array(course)


def periodic_state(propagator):
    """The distribution that one period returns to itself: its eigenvector at eigenvalue 1."""
    values, vectors = np.linalg.eig(propagator)
    p = vectors[:, np.argmin(abs(values - 1))].real
    return p / p.sum()


def periodic_rates(case, cells=8, rtol=1e-12):
    """Periodic state at time 0 and Energetics (g,) per unit time averaged over the period.

    Where rates have kinks in time, many cells and a small rtol keep the error below 1e-11.
    """
    end, energetics = solve(case, cells, rtol=rtol)
    p = periodic_state(np.linalg.multi_dot(end[::-1]) if cells > 1 else end[0])
    course = after(end, p)[:-1]
    return p, Energetics(*(np.einsum("ks,ksg->g", course, g) / case.period for g in energetics))


# -- relative accuracy, where states are rarely left -----------------------------------------------


def _positive_exponential(w, time):
    """exp(w time) of a generator whose columns sum to zero, by sums of positive terms alone."""
    fastest = max(-np.diag(w).min(), 1e-300)
    squarings = max(0, int(np.ceil(np.log2(fastest * time))) + 3)
    step = fastest * time / 2.0**squarings
    jump = np.eye(len(w)) + w / fastest
    total = term = np.exp(-step) * np.eye(len(w))
    for k in range(1, 18):
        term = step / k * (jump @ term)
        total = total + term
    for _ in range(squarings):
        total = total @ total
    return total


def _eliminated(u):
    """Stationary p = u p without a subtraction: states are left out one by one."""
    u = u.copy()
    for k in range(len(u) - 1, 0, -1):
        u[k, :k] /= u[:k, k].sum()
        u[:k, :k] += np.outer(u[:k, k], u[k, :k])
    log_p = np.zeros(len(u))
    for k in range(1, len(u)):
        flow = np.log(np.maximum(u[k, :k], 1e-300)) + log_p[:k]
        log_p[k] = flow.max() + np.log(np.exp(flow - flow.max()).sum())
    p = np.exp(log_p - log_p.max())
    return p / p.sum()


def _periodic_by_midpoints(case, steps):
    """Periodic state and heat rates, each step at the rates of its middle."""
    middles = (np.arange(steps) + 0.5) / steps
    halves = [_positive_exponential(w, 0.5 * case.period / steps) for w in generator(case, middles)]
    u = np.eye(case.states)
    for half in halves:
        u = half @ (half @ u)
    p = start = _eliminated(u)
    heat = np.zeros(len(case.temperatures))
    for half, energetics in zip(halves, _gain_rates(case, middles), strict=True):
        middle = half @ p
        heat += energetics[: len(heat)] @ middle / steps
        p = half @ middle
    return start, heat


def periodic_by_positive_sums(case):
    """Periodic state (2**n,), heat rates (baths,), and how far they may be off, relatively."""
    if not any(case.harmonics):
        p = _eliminated(np.eye(case.states) + generator(case, 0.0) / 1e3)
        return p, _gain_rates(case, 0.0)[: len(case.temperatures)] @ p, 1e-12
    runs = [_periodic_by_midpoints(case, steps) for steps in (64, 128, 256)]
    one, two, three = (np.concatenate(run) for run in runs)
    # Even in the step: two orders are taken off.
    before, after = two + (two - one) / 3.0, three + (three - two) / 3.0
    best = after + (after - before) / 15.0
    state, heat = np.split(best, [case.states])
    off = abs(after - before)[case.states :].max() / max(abs(heat).max(), 1e-300)
    return state, heat, off


# Six spins are beyond DENSE_SITES: distributions are carried without a matrix.
HEXAGON = Network(
    temperatures=[1.0, 0.7, 1.4],
    bath=[0, 1, 2, 0, 1, 2],
    bonds=[(k, (k + 1) % 6, J) for k, J in enumerate([0.5, -0.3, 0.4, 0.2, -0.6, 0.35])],
    harmonics=[[(1, 0.4, 0.0)], [], [(1, 0.3, 1.0), (2, 0.2, 0.5)], [(3, 0.2, 2.0)], [], []],
    offset=[0.0, 0.1, -0.2, 0.0, 0.3, 0.0],
    rate=0.4,
    period=8.0,
)
