"""Carry a distribution of a large network without ever forming a matrix.

The classical fourth-order Runge-Kutta method. Where the drive is slow against the flips, P
follows it smoothly and the step is set by stability alone: `fewest_steps`.
"""

import numpy as np

from trajsim.exact.generator import Table, book, flip_rates, flow
from trajsim.jit import compiled
from trajsim.models.spins import SpinNetwork

# The method is stable for steps up to 2.785 / |eigenvalue| on the negative real axis.
STABLE = 2.5
PHASES, ITERATIONS = 8, 30


def fewest_steps(network: SpinNetwork, table: Table) -> int:
    """Steps a period that stability asks for, from the fastest decay of W over the period."""
    return int(np.ceil(_fastest_decay(network, table) * network.period / STABLE)) + 1


@compiled
def _fastest_decay(network, table):
    """Largest |eigenvalue| of W by power iteration at a few phases of the drive."""
    rates = np.empty(table.spin.shape)
    states = rates.shape[1]
    p, following, largest = np.empty(states), np.empty(states), 0.0
    for phase in range(PHASES):
        flip_rates(network, table, phase / PHASES, rates)
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
    rates, fraction = np.empty((3, n, states)), np.empty(3)
    rise, sloped, stage = np.empty(states), np.empty(states), np.empty(states)
    width = (end - begin) / steps
    time = width * network.period
    flip_rates(network, table, begin, rates[2])
    for step in range(steps):
        # At the beginning, the middle and the end of the step.
        for part in range(3):
            fraction[part] = begin + (step + 0.5 * part) * width
        rates[0] = rates[2]
        flip_rates(network, table, fraction[1], rates[1])
        flip_rates(network, table, fraction[2], rates[2])
        for m in range(len(p)):
            stage[:] = p[m]
            rise[:] = 0.0
            for k in range(4):
                part = (k + 1) // 2
                weight = time * (1.0 / 6.0 if k % 3 == 0 else 1.0 / 3.0)
                reach = time * (0.5 if k < 2 else 1.0)
                if totals.shape[1] > 0:
                    book(network, table, fraction[part], rates[part], weight, stage, totals[m])
                flow(rates[part], stage, sloped)
                for x in range(states):
                    rise[x] += weight * sloped[x]
                    stage[x] = p[m, x] + reach * sloped[x]
            for x in range(states):
                p[m, x] += rise[x]
