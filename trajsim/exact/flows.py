"""Carry series and pairs of distributions of large networks, without a matrix.

The equations of `trajsim.exact.tilted` and `trajsim.exact.pairs` by the classical Runge-Kutta
method, as in `trajsim.exact.runge_kutta`.
"""

import numpy as np

from trajsim.exact.generator import fields, flip_rates, flow, gain_rates
from trajsim.exact.pairs import count, second_rates
from trajsim.exact.runge_kutta import NODES
from trajsim.jit import compiled


@compiled
def _series_slope(rates, swing, leaning, factor, quantum, q, out):
    """out = K q for series q (powers, 2**n); swing and leaning (2**n,) are of the diagonal."""
    n, states = rates.shape
    powers = len(q)
    for k in range(powers):
        for x in range(states):
            out[k, x] = swing[x] * q[k, x]
            if k > 0:
                out[k, x] += leaning[x] * q[k - 1, x]
    for i in range(n):
        for x in range(states):
            y = x ^ (1 << i)
            moved = rates[i, y] * factor[i, y]
            for k in range(powers):
                out[k, x] -= rates[i, x] * q[k, x]
                weight = moved
                for j in range(k + 1):
                    out[k, x] += weight * q[k - j, y]
                    weight *= quantum[i, y] / (j + 1)


@compiled
def carry_series(network, table, factor, base, quantum, lean, center, q, begin, end, steps):
    """Carry a series (powers, 2**n) in place; parameters as of `trajsim.exact.tilted.propagate`."""
    n, states = table.spin.shape
    rates, h, rise = np.empty((3, n, states)), np.empty((3, n)), np.empty((3, n))
    swing, leaning = np.empty((3, states)), np.empty((3, states))
    stage, slope, begun = q.copy(), np.empty(q.shape), np.empty(q.shape)
    width = (end - begin) / steps
    time = width * network.period
    for step in range(steps):
        fields(network.drive, begin + (step + NODES) * width, h, rise)
        for part in range(3):
            flip_rates(network, table, h[part], rates[part])
            swing[part] = 0.0
            leaning[part] = -center
            for i in range(n):
                for x in range(states):
                    turned = rise[part, i] / network.period * table.spin[i, x]
                    swing[part, x] += base[i] * turned
                    leaning[part, x] += lean[i] * turned
        begun[:] = q
        stage[:] = q
        for k in range(4):
            part = (k + 1) // 2
            _series_slope(rates[part], swing[part], leaning[part], factor, quantum, stage, slope)
            q += time * (1.0 / 6.0 if k % 3 == 0 else 1.0 / 3.0) * slope
            stage[:] = begun + time * (0.5 if k < 2 else 1.0) * slope


@compiled
def carry_pairs(network, table, p, v, s, begin, end, steps):
    """Carry p (2**n,) and v (g, 2**n) in place and add to s (g, g): `trajsim.exact.pairs`."""
    n, states = table.spin.shape
    kinds, baths = len(v), network.bath.max() + 1
    rates, h, rise = np.empty((3, n, states)), np.empty((3, n)), np.empty((3, n))
    gains = np.empty((baths + 2 * (network.driven.max() + 1) + n, states))
    squares, sloped = np.empty((baths, states)), np.empty(states)
    width = (end - begin) / steps
    time = width * network.period
    for step in range(steps):
        fields(network.drive, begin + (step + NODES) * width, h, rise)
        for part in range(3):
            flip_rates(network, table, h[part], rates[part])
        p_begun, v_begun = p.copy(), v.copy()
        p_stage, v_stage = p.copy(), v.copy()
        for k in range(4):
            part = (k + 1) // 2
            weight = time * (1.0 / 6.0 if k % 3 == 0 else 1.0 / 3.0)
            reach = time * (0.5 if k < 2 else 1.0)
            gain_rates(network, table, h[part], rise[part], rates[part], gains)
            second_rates(network, table, h[part], rates[part], squares)
            moved = np.dot(gains[:kinds], v_stage.T)
            s += weight * (moved + moved.T)
            for b in range(baths):
                s[b, b] += weight * np.dot(squares[b], p_stage)
            counted = np.zeros(v.shape)
            count(network, table, h[part], rise[part], rates[part], p_stage, counted)
            for a in range(kinds):
                flow(rates[part], v_stage[a], sloped)
                counted[a] += sloped
            flow(rates[part], p_stage, sloped)
            p += weight * sloped
            v += weight * counted
            p_stage[:] = p_begun + reach * sloped
            v_stage[:] = v_begun + reach * counted
