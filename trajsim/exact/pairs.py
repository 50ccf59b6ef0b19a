"""How the heats and works of small networks vary together over a part of the period.

Rows p of distributions, v_a = d p / d z_a for each heat and work a, and the second moments s_ab
obey dp/dt = W p, dv_a/dt = W v_a + W_a p, ds_ab/dt = 1' (W_ab p + W_a v_b + W_b v_a), W_a the
generator with each flip or rest counted as often as it adds to a (physics: full counting
statistics to second order). Collocation as in `trajsim.exact.collocation`.
"""

import numpy as np

from trajsim.exact.collocation import DERIVATIVE, NODES, STAGES, WEIGHTS, factorise, substitute
from trajsim.exact.generator import fields, flip_rates, gain_rates
from trajsim.jit import compiled


@compiled
def count(network, table, h, rise, rates, p, out):
    """Add W_a p for all heats and works a (g, 2**n) of one distribution p (2**n,)."""
    n, states = table.spin.shape
    baths = network.bath.max() + 1
    for i in range(n):
        heat, driven = out[network.bath[i]], network.driven[i]
        for x in range(states):
            flipped = x ^ (1 << i)
            cost = 2.0 * (table.alignment[i, flipped] + h[i] * table.spin[i, flipped])
            heat[x] += rates[i, flipped] * cost * p[flipped]
        if driven >= 0:
            work, speed = out[baths + driven], rise[i] / network.period
            for x in range(states):
                work[x] -= speed * table.spin[i, x] * p[x]


@compiled
def second_rates(network, table, h, rates, out):
    """Write 1' W_aa (baths, 2**n) of the heats: the rates of cost squared."""
    n, states = table.spin.shape
    out[:] = 0.0
    for i in range(n):
        for x in range(states):
            cost = 2.0 * (table.alignment[i, x] + h[i] * table.spin[i, x])
            out[network.bath[i], x] += rates[i, x] * cost * cost


@compiled
def propagate(network, table, p, v, s, edges):
    """Carry p (m, 2**n) and v (m, g, 2**n) in place and add to s (m, g, g); g = baths + drives."""
    n, states = table.spin.shape
    many, kinds = v.shape[:2]
    size, baths = STAGES * states, network.bath.max() + 1
    rates, h, rise = np.empty((STAGES, n, states)), np.empty((STAGES, n)), np.empty((STAGES, n))
    system, pivots = np.empty((size, size)), np.empty(size, np.int64)
    right, sources = np.empty((size, many)), np.empty((size, many * kinds))
    counted, squares = np.empty((kinds, states)), np.empty((baths, states))
    # All gains, of which the heats and works stand first.
    gains = np.empty((baths + 2 * (network.driven.max() + 1) + n, states))
    for step in range(len(edges) - 1):
        width = edges[step + 1] - edges[step]
        time = width * network.period
        fields(network.drive, edges[step] + NODES * width, h, rise)
        system[:] = 0.0
        for a in range(STAGES):
            flip_rates(network, table, h[a], rates[a])
            for x in range(states):
                row = a * states + x
                for other in range(STAGES):
                    system[row, other * states + x] = DERIVATIVE[a, other + 1]
                for i in range(n):
                    system[row, row] += time * rates[a, i, x]
                    flipped = x ^ (1 << i)
                    system[row, a * states + flipped] -= time * rates[a, i, flipped]
                for m in range(many):
                    right[row, m] = -DERIVATIVE[a, 0] * p[m, x]
        factorise(system, pivots)
        substitute(system, pivots, right)
        for a in range(STAGES):
            block = slice(a * states, (a + 1) * states)
            for m in range(many):
                counted[:] = 0.0
                count(network, table, h[a], rise[a], rates[a], right[block, m].copy(), counted)
                for c in range(kinds):
                    for x in range(states):
                        begun = -DERIVATIVE[a, 0] * v[m, c, x]
                        sources[a * states + x, m * kinds + c] = begun + time * counted[c, x]
        substitute(system, pivots, sources)
        for a in range(STAGES):
            gain_rates(network, table, h[a], rise[a], rates[a], gains)
            second_rates(network, table, h[a], rates[a], squares)
            weight = time * WEIGHTS[a]
            for m in range(many):
                for x in range(states):
                    row = a * states + x
                    for b in range(baths):
                        s[m, b, b] += weight * squares[b, x] * right[row, m]
                    for b in range(kinds):
                        for c in range(kinds):
                            moved = weight * gains[b, x] * sources[row, m * kinds + c]
                            s[m, b, c] += moved
                            s[m, c, b] += moved
        p[:] = right[size - states :].T
        for m in range(many):
            for c in range(kinds):
                for x in range(states):
                    v[m, c, x] = sources[size - states + x, m * kinds + c]
