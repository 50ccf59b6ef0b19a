"""Carry many distributions at once: for small networks, whose propagator is a small matrix.

Commutator-free fourth-order Magnus steps with two exponentials (Blanes & Moan, Appl. Numer.
Math. 56, 1519, 2006), each by uniformisation, a sum of positive terms: stable for any rates. It
also gives the time spent in each state, which heat and work need.
"""

import math

import numpy as np

from trajsim.exact.generator import fields, flip_rates, flow, gain_rates
from trajsim.jit import compiled

NODES = 0.5 + np.array([-1.0, 1.0]) * math.sqrt(3.0) / 6.0
NEAR, FAR = 0.5 + math.sqrt(3.0) / 3.0, 0.5 - math.sqrt(3.0) / 3.0
# Most expected events of one uniformised sum; longer times are reached by squaring.
MOST_EVENTS = 30.0


@compiled
def _uniformised(rates, time, fastest, p, spent):
    """p <- exp(W time) p in place and spent <- integral of exp(W s) p, for rows of p (m, 2**n)."""
    states = p.shape[1]
    term, following, total = np.empty(states), np.empty(states), np.empty(states)
    events = fastest * time
    for k in range(len(p)):
        term[:] = p[k]
        weight = math.exp(-events)
        # The chance of more than `count` events, over the rate, is the time the term counts for.
        tail = -math.expm1(-events)
        total[:] = weight * term
        spent[k] = tail / fastest * term
        count = 0
        while count < events or weight > 1e-18:
            count += 1
            weight *= events / count
            tail = max(0.0, tail - weight)
            flow(rates, term, following)
            for x in range(states):
                term[x] += following[x] / fastest
                total[x] += weight * term[x]
                spent[k, x] += tail / fastest * term[x]
        p[k] = total


@compiled
def _exponential(rates, time, p, spent):
    """As `_uniformised`, for any time and any rates."""
    fastest = 0.0
    for x in range(rates.shape[1]):
        leave = 0.0
        for i in range(len(rates)):
            leave += abs(rates[i, x])
        fastest = max(fastest, leave)
    if fastest * time < 1e-300:
        spent[:] = time * p
        return
    squarings = max(0, math.ceil(math.log2(fastest * time / MOST_EVENTS)))
    if squarings == 0:
        _uniformised(rates, time, fastest, p, spent)
        return
    propagator, integral = np.eye(p.shape[1]), np.empty((p.shape[1], p.shape[1]))
    _uniformised(rates, time / 2.0**squarings, fastest, propagator, integral)
    reached = time / 2.0**squarings
    for _ in range(squarings):
        integral += np.dot(propagator, integral)
        propagator = np.dot(propagator, propagator)
        reached *= 2.0
        # Every squaring doubles the error of what is conserved: put it right each time.
        for x in range(len(propagator)):
            propagator[x] /= propagator[x].sum()
            integral[x] *= reached / integral[x].sum()
    spent[:] = np.dot(p, integral)
    p[:] = np.dot(p, propagator)


@compiled
def propagate(network, table, p, totals, begin, end, steps):
    """Carry distributions over a part of the period, in place, and add up what they gain.

    Parameters
    ----------
    network : SpinNetwork
    table : Table
    p : (m, 2**n), m distributions (or any vectors: the equation is linear)
    totals : (m, g), the g = baths + 2 drives + n gains of `trajsim.exact.generator.gain_rates`
    begin, end : fractions of the period
    steps : number of equal steps
    """
    n, states = table.spin.shape
    rates, mixed = np.empty((2, n, states)), np.empty((n, states))
    spent, gains = np.empty((2, *p.shape)), np.empty((totals.shape[1], states))
    h, rise = np.empty((2, n)), np.empty((2, n))
    width = (end - begin) / steps
    for step in range(steps):
        fields(network.drive, begin + (step + NODES) * width, h, rise)
        for node in range(2):
            flip_rates(network, table, h[node], rates[node])
        for half in range(2):
            mixed[:] = NEAR * rates[half] + FAR * rates[1 - half]
            _exponential(mixed, 0.5 * width * network.period, p, spent[half])
        for node in range(2):
            gain_rates(network, table, h[node], rise[node], rates[node], gains)
            totals += np.dot(NEAR * spent[node] + FAR * spent[1 - node], gains.T)
