"""theta of a pair of spins in as many digits as asked, with mpmath.

Gragg's modified midpoint rule, extrapolated over many step numbers.
"""

from mpmath import mp, mpf

LEVELS, PIECES = 12, 4


def _generator(case, t, heat, work):
    (i, j, coupling), omega = case.bonds[0], 2 * mp.pi / mpf(case.period)
    k = mp.zeros(4)
    terms = [case.harmonics[site][0] for site in (0, 1)]
    for state in range(4):
        s = [1 - 2 * (state >> site & 1) for site in (0, 1)]
        for site in (0, 1):
            order, amplitude, phase = terms[site]
            angle = order * omega * t + mpf(phase)
            h, rise = (
                mpf(amplitude) * mp.cos(angle),
                -mpf(amplitude) * order * omega * mp.sin(angle),
            )
            T = mpf(case.temperatures[site])
            bond = mpf(coupling) * s[i] * s[j]
            rate = mpf(case.rate) * (1 - mp.tanh(bond / T)) * (1 - mp.tanh(h * s[site] / T))
            cost = 2 * (bond + s[site] * h)
            k[state ^ (1 << site), state] += rate * mp.exp(heat[site] * cost)
            k[state, state] -= rate + work[site] * rise * s[site]
    return k


def theta(case, heat=(0, 0), work=(0, 0)):
    """log of the spectral radius of the map of one period, per unit time."""
    width, u = mpf(case.period) / PIECES, mp.eye(4)
    for piece in range(PIECES):
        begin, table = piece * width, []
        for level in range(LEVELS):
            steps = 2 * (level + 1)
            h = width / steps
            before, now = u, u + h * _generator(case, begin, heat, work) * u
            for step in range(1, steps):
                k = _generator(case, begin + step * h, heat, work)
                before, now = now, before + 2 * h * k * now
            end = _generator(case, begin + width, heat, work)
            row = [(now + before + h * end * now) / 2]
            for column in range(1, level + 1):
                ratio = (mpf(level + 1) / (level + 1 - column)) ** 2
                row.append(row[-1] + (row[-1] - table[-1][column - 1]) / (ratio - 1))
            table.append(row)
        u = table[-1][-1]
    values = mp.eig(u, left=False, right=False)
    return mp.log(max(abs(v) for v in values)) / mpf(case.period)
