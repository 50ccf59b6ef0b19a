"""Carry a distribution of a large network without ever forming a matrix.

The classical fourth-order Runge-Kutta method. Where the drive is slow against the flips, P
follows it smoothly and the step is set by stability alone: `fewest_steps`.
"""

import numpy as np

from trajsim.exact.ensemble import Array
from trajsim.exact.generator import Table, fields, flip_rates, flow, gain_rates
from trajsim.jit import compiled
from trajsim.models.spins import SpinNetwork

# The method is stable for steps up to 2.785 / |eigenvalue| on the negative real axis.
STABLE = 2.5
PHASES, ITERATIONS = 8, 30
# Parts of a step at which rates are taken.
NODES = np.array([0.0, 0.5, 1.0])


def fewest_steps(network: SpinNetwork, table: Table) -> int:
    """Steps a period that stability asks for, from the fastest decay of W over the period."""
    return int(np.ceil(_fastest_decay(network, table) * network.period / STABLE)) + 1


def fastest_rise(network: SpinNetwork) -> Array:
    """Largest |dh_i/dt| (n,) of a period, times the period, as seen at 64 phases."""
    phases = np.arange(64) / 64
    h, rise = (np.empty((len(phases), len(network.bath))) for _ in range(2))
    fields(network.drive, phases, h, rise)
    return np.asarray(abs(rise).max(axis=0), np.float64)


@compiled
def _fastest_decay(network, table):
    """Largest |eigenvalue| of W by power iteration at a few phases of the drive."""
    n, states = table.spin.shape
    h, rise, rates = np.empty((PHASES, n)), np.empty((PHASES, n)), np.empty((n, states))
    fields(network.drive, np.arange(PHASES) / PHASES, h, rise)
    p, following, largest = np.empty(states), np.empty(states), 0.0
    for phase in range(PHASES):
        flip_rates(network, table, h[phase], rates)
        for x in range(states):
            # Near the state vector that alternates with every flip, which decays fastest.
            p[x] = np.prod(table.spin[:, x]) + 0.1 * np.sin(x)
        for _ in range(ITERATIONS):
            p /= np.sqrt((p * p).sum())
            flow(rates, p, following)
            p[:] = following
        largest = max(largest, np.sqrt((p * p).sum()))
    return largest


@compiled
def propagate(network, table, p, totals, begin, end, steps):
    """As `trajsim.exact.magnus.propagate`; totals of width 0 leave the gains out."""
    n, states = table.spin.shape
    rates, h, rise = np.empty((3, n, states)), np.empty((3, n)), np.empty((3, n))
    # Stages, weighted and added up by the part of the step at which they stand.
    gains, stood = np.empty((totals.shape[1], states)), np.empty((3, len(p), states))
    sloped, stage = np.empty(states), np.empty(states)
    width = (end - begin) / steps
    time = width * network.period
    fields(network.drive, begin + NODES * width, h, rise)
    flip_rates(network, table, h[0], rates[2])
    for step in range(steps):
        fields(network.drive, begin + (step + NODES) * width, h, rise)
        rates[0] = rates[2]
        flip_rates(network, table, h[1], rates[1])
        flip_rates(network, table, h[2], rates[2])
        stood[:] = 0.0
        for m in range(len(p)):
            begun = p[m].copy()
            stage[:] = begun
            for k in range(4):
                part = (k + 1) // 2
                weight = time * (1.0 / 6.0 if k % 3 == 0 else 1.0 / 3.0)
                reach = time * (0.5 if k < 2 else 1.0)
                flow(rates[part], stage, sloped)
                for x in range(states):
                    stood[part, m, x] += weight * stage[x]
                    p[m, x] += weight * sloped[x]
                    stage[x] = begun[x] + reach * sloped[x]
        if totals.shape[1] > 0:
            for part in range(3):
                gain_rates(network, table, h[part], rise[part], rates[part], gains)
                totals += np.dot(stood[part], gains.T)
