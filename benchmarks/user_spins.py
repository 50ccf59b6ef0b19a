"""Two driven spins as a user of Python would write them: numba, NumPy, and plain Python.

All three thin proposals with bounds that are constant in time, as `c/spins_plain.c` does, and fill
the same ledger: columns with shapes as in `trajsim.kernels.jump.Rows`.
"""

import math
import random

import numba
import numpy as np


def advance_python(pair, ledger, seed, count, burn_in, periods):
    """One trajectory after the other, lists and floats."""
    draw = random.Random(seed)
    names = ("coupling", "period", "temperature", "amplitude", "phase")
    J, tau, T, h0, phi = (pair[name] for name in names)
    omega = 2 * math.pi / tau
    local = {
        product: [pair["rate"] * (1 - math.tanh(J / T[i]) * product) for i in (0, 1)]
        for product in (1, -1)
    }
    most = [1 + math.tanh(abs(h0[i]) / T[i]) for i in (0, 1)]
    h_edge = [h0[i] * math.cos(phi[i]) for i in (0, 1)]
    uniform, log, cos, tanh = draw.random, math.log, math.cos, math.tanh
    for m in range(count):
        s = [1, 1]
        for period in range(-burn_in, periods):
            if period == 0:
                ledger["energy"][m, 0] = -J * s[0] * s[1] - h_edge[0] * s[0] - h_edge[1] * s[1]
                ledger["state"][m, 0] = s
            heat, work, exclusive, flips = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0, 0]
            before, t = list(h_edge), 0.0
            while True:
                a = local[s[0] * s[1]]
                bounds = a[0] * most[0], a[1] * most[1]
                t -= log(1.0 - uniform()) / (bounds[0] + bounds[1])
                if t >= tau:
                    break
                mark = uniform() * (bounds[0] + bounds[1])
                i = 0
                if mark >= bounds[0]:
                    mark -= bounds[0]
                    i = 1
                h = h0[i] * cos(omega * t + phi[i])
                if mark >= a[i] * (1.0 - tanh(h / T[i]) * s[i]):
                    continue
                heat[i] += 2 * s[i] * (J * s[1 - i] + h)
                work[i] -= s[i] * (h - before[i])
                exclusive[i] -= 2 * s[i] * h
                flips[i] += 1
                before[i] = h
                s[i] = -s[i]
            if period < 0:
                continue
            ledger["heat"][m, period] = heat
            ledger["exclusive_work"][m, period] = exclusive
            ledger["flips"][m, period] = flips
            ledger["work"][m, period] = [work[i] - s[i] * (h_edge[i] - before[i]) for i in (0, 1)]
            ledger["state"][m, period + 1] = s
            ledger["energy"][m, period + 1] = -J * s[0] * s[1] - h_edge[0] * s[0] - h_edge[1] * s[1]


@numba.njit(cache=True)
def _advance_numba(J, rate, tau, T, h0, phi, ledger, seed, count, burn_in, periods):
    all_heat, all_work, all_exclusive, energy, all_flips, state = ledger
    np.random.seed(seed)
    omega = 2 * np.pi / tau
    h_edge = h0 * np.cos(phi)
    most = 1 + np.tanh(np.abs(h0) / T)
    heat, work, exclusive, before = np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(2)
    flips, s, h, rates = np.zeros(2, np.int32), np.ones(2), np.zeros(2), np.zeros(2)
    for m in range(count):
        s[:] = 1
        for period in range(-burn_in, periods):
            if period == 0:
                energy[m, 0] = -J * s[0] * s[1] - h_edge[0] * s[0] - h_edge[1] * s[1]
                state[m, 0, 0], state[m, 0, 1] = s[0], s[1]
            heat[:] = 0
            work[:] = 0
            exclusive[:] = 0
            flips[:] = 0
            before[:] = h_edge
            t = 0.0
            while True:
                a0 = rate * (1 - np.tanh(J / T[0]) * s[0] * s[1])
                a1 = rate * (1 - np.tanh(J / T[1]) * s[0] * s[1])
                bound = a0 * most[0] + a1 * most[1]
                t += np.random.exponential(1 / bound)
                if t >= tau:
                    break
                for i in range(2):
                    h[i] = h0[i] * np.cos(omega * t + phi[i])
                    rates[i] = (a0 if i == 0 else a1) * (1 - np.tanh(h[i] / T[i]) * s[i])
                mark = np.random.random() * bound
                if mark >= rates[0] + rates[1]:
                    continue
                i = 0 if mark < rates[0] else 1
                heat[i] += 2 * s[i] * (J * s[1 - i] + h[i])
                work[i] -= s[i] * (h[i] - before[i])
                exclusive[i] -= 2 * s[i] * h[i]
                flips[i] += 1
                before[i] = h[i]
                s[i] = -s[i]
            if period < 0:
                continue
            for i in range(2):
                all_heat[m, period, i] = heat[i]
                all_work[m, period, i] = work[i] - s[i] * (h_edge[i] - before[i])
                all_exclusive[m, period, i] = exclusive[i]
                all_flips[m, period, i] = flips[i]
                state[m, period + 1, i] = s[i]
            energy[m, period + 1] = -J * s[0] * s[1] - h_edge[0] * s[0] - h_edge[1] * s[1]


def advance_numba(pair, ledger, seed, count, burn_in, periods):
    """The same loop compiled, with numpy's functions and numba's global generator."""
    T, h0, phi = (np.array(pair[name]) for name in ("temperature", "amplitude", "phase"))
    _advance_numba(
        *(pair["coupling"], pair["rate"], pair["period"], T, h0, phi),
        *(tuple(ledger.values()), seed, count, burn_in, periods),
    )


def advance_numpy(pair, ledger, seed, count, burn_in, periods):
    """All trajectories at once: every round proposes one flip in each, whatever its time.

    A trajectory that reaches the end of its period books the row and goes on at once.
    """
    rng = np.random.default_rng(seed)
    J, tau = pair["coupling"], pair["period"]
    T, h0, phi = (np.array(pair[name]) for name in ("temperature", "amplitude", "phase"))
    omega, h_edge = 2 * np.pi / tau, h0 * np.cos(phi)
    # Rates of both spins by alignment (s_0 s_1 = +1, -1), bonds only.
    local = pair["rate"] * (1 - np.tanh(J / T) * np.array([[1.0], [-1.0]]))
    most = 1 + np.tanh(np.abs(h0) / T)
    s = np.ones((2, count))
    t, period = np.zeros(count), np.full(count, -burn_in)
    heat, work, exclusive = (np.zeros((2, count)) for _ in range(3))
    flips, before = np.zeros((2, count), np.int32), np.tile(h_edge[:, None], count)
    who = np.arange(count)

    def note_edge(m, at):
        ledger["energy"][m, at] = -J * s[0, m] * s[1, m] - h_edge @ s[:, m]
        ledger["state"][m, at] = s[:, m].T

    if burn_in == 0:
        note_edge(who, 0)
    while len(who):
        mine = s[:, who]
        a = local[(mine[0] != mine[1]).astype(int)].T
        bound = a * most[:, None]
        total = bound[0] + bound[1]
        now = t[who] + rng.standard_exponential(len(who)) / total
        mark = rng.random(len(who)) * total
        i = (mark >= bound[0]).astype(int)
        mark -= i * bound[0]
        h = h0[i] * np.cos(omega * now + phi[i])
        spin = np.where(i, mine[1], mine[0])
        rate = np.where(i, a[1], a[0]) * (1 - np.tanh(h / T[i]) * spin)
        over = now >= tau
        t[who] = now
        flipped = np.flatnonzero((mark < rate) & ~over)
        m, i, h, spin = who[flipped], i[flipped], h[flipped], spin[flipped]
        heat[i, m] += 2 * spin * (J * s[1 - i, m] + h)
        work[i, m] -= spin * (h - before[i, m])
        exclusive[i, m] -= 2 * spin * h
        flips[i, m] += 1
        before[i, m] = h
        s[i, m] = -spin
        m = who[over]
        if len(m):
            books = m[period[m] >= 0]
            row = period[books]
            work[:, books] -= s[:, books] * (h_edge[:, None] - before[:, books])
            ledger["heat"][books, row] = heat[:, books].T
            ledger["work"][books, row] = work[:, books].T
            ledger["exclusive_work"][books, row] = exclusive[:, books].T
            ledger["flips"][books, row] = flips[:, books].T
            note_edge(books, row + 1)
            heat[:, m] = work[:, m] = exclusive[:, m] = 0
            flips[:, m] = 0
            before[:, m] = h_edge[:, None]
            t[m] = 0
            period[m] += 1
            first = m[period[m] == 0]
            note_edge(first, 0)
            who = who[period[who] < periods]
