"""Carry tilted distributions of small networks, as power series in the counting field.

Collocation as in `trajsim.exact.collocation`, of dp/dt = K(z0 + z) p: the powers of z of a step
are found one after the other with the same factors,
K_0 p_k + sum_j K_j p_{k-j}, K_j = W o (z0 tilt) o quantum**j / j!.
"""

import numpy as np

from trajsim.exact.collocation import DERIVATIVE, NODES, STAGES, WEIGHTS, factorise, substitute
from trajsim.exact.generator import fields, flip_rates
from trajsim.jit import compiled

# The matrix is raised to 2**SQUARINGS to find its largest eigenvalue, smoothly in time.
SQUARINGS = 8


@compiled
def _growth(matrix):
    """Largest eigenvalue of a matrix with no negative entry off its diagonal, nearly."""
    n = len(matrix)
    lowest = 0.0
    for x in range(n):
        lowest = min(lowest, matrix[x, x].real)
    power, scaled = np.empty(matrix.shape), np.empty(matrix.shape)
    for x in range(n):
        for y in range(n):
            power[x, y] = matrix[x, y].real - (lowest if x == y else 0.0)
    for _ in range(SQUARINGS):
        power /= power.max() + 1e-300
        for x in range(n):
            for y in range(n):
                total = 0.0
                for k in range(n):
                    total += power[x, k] * power[k, y]
                scaled[x, y] = total
        power[:] = scaled
    vector, grown = np.zeros(n), 0.0
    for x in range(n):
        vector[x] = power[x].sum()
    for x in range(n):
        for y in range(n):
            grown += matrix[x, y].real * vector[y]
    return grown / (vector.sum() + 1e-300)


@compiled
def propagate(network, table, factor, base, quantum, lean, center, p, edges, growing):
    """Carry rows of series over a part of the period, in place.

    Parameters
    ----------
    network, table : SpinNetwork and Table
    factor : (n, 2**n), exp(z0 quantum) of the tilt about which the series stands
    base : (n,), z0 lean
    quantum, lean : (n, 2**n) and (n,), what z counts: `trajsim.exact.tilt.Tilt`
    center : rate of A, taken off, so that the series does not grow with its mean
    p : (powers, m, 2**n), series of m rows, of the type of `factor`
    edges : (steps + 1,) fractions of the period between which a step reaches
    growing : whether to take out the growth exp(int c dt) of the largest eigenvalue c of K(z0)

    Returns
    -------
    growth : int c dt, 0 if it is not taken out
    """
    n, states = table.spin.shape
    powers, many = p.shape[:2]
    size = STAGES * states
    rates, h, rise = np.empty((n, states)), np.empty((STAGES, n)), np.empty((STAGES, n))
    system, pivots = np.empty((size, size), p.dtype), np.empty(size, np.int64)
    stages = np.empty((powers, size, many), p.dtype)
    # Of each stage: flips (from the state they leave) and the diagonal's first power.
    current, leaning = np.empty((STAGES, n, states), p.dtype), np.empty((STAGES, states))
    matrix, growth = np.empty((states, states), p.dtype), 0.0
    for step in range(len(edges) - 1):
        width = edges[step + 1] - edges[step]
        time = width * network.period
        fields(network.drive, edges[step] + NODES * width, h, rise)
        system[:] = 0.0
        for s in range(STAGES):
            flip_rates(network, table, h[s], rates)
            matrix[:] = 0.0
            for x in range(states):
                leaning[s, x] = -center
                for i in range(n):
                    swing = rise[s, i] / network.period * table.spin[i, x]
                    leaning[s, x] += lean[i] * swing
                    matrix[x, x] += base[i] * swing - rates[i, x]
                    current[s, i, x] = rates[i, x] * factor[i, x]
                    matrix[x ^ (1 << i), x] += current[s, i, x]
            if growing:
                largest = _growth(matrix)
                growth += time * WEIGHTS[s] * largest
                for x in range(states):
                    matrix[x, x] -= largest
            for x in range(states):
                row = s * states + x
                for other in range(STAGES):
                    system[row, other * states + x] = DERIVATIVE[s, other + 1]
                for y in range(states):
                    system[row, s * states + y] -= time * matrix[x, y]
        factorise(system, pivots)
        for k in range(powers):
            right = stages[k]
            for s in range(STAGES):
                for x in range(states):
                    for m in range(many):
                        right[s * states + x, m] = -DERIVATIVE[s, 0] * p[k, m, x]
            if k > 0:
                _lower_powers(stages, k, current, leaning, quantum, time)
            substitute(system, pivots, right)
        for k in range(powers):
            p[k] = stages[k, size - states :].T
    return growth


@compiled
def _lower_powers(stages, k, current, leaning, quantum, time):
    """Add to the right side of power k what the powers below it feed in."""
    n, states = quantum.shape
    many, right = stages.shape[2], stages[k]
    for s in range(STAGES):
        for x in range(states):
            row, swing = s * states + x, time * leaning[s, x]
            for m in range(many):
                right[row, m] += swing * stages[k - 1, row, m]
            for i in range(n):
                # Into x from the state with spin i the other way.
                flipped = x ^ (1 << i)
                begun, count = s * states + flipped, time * current[s, i, flipped]
                for j in range(1, k + 1):
                    count *= quantum[i, flipped] / j
                    for m in range(many):
                        right[row, m] += count * stages[k - j, begun, m]
