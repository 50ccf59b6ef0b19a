"""The spin kernel in plain Python: one trajectory, one proposal after the other, the C library.

It draws the same numbers as the lanes, so the same flips must come out, and the same books but for
rounding.
"""

import math

import numpy as np

from trajsim.kernels.random import next_bits, streams


def drive(case, i, fraction):
    """Field of site i when a fraction of the period is over."""
    offset = case.offset[i] if case.offset else 0.0
    angle = 2.0 * math.pi * fraction
    return offset + sum(h * math.cos(k * angle + phase) for k, h, phase in case.harmonics[i])


def likeliest(case, i, spin, begin, end):
    """Field between two fractions of the period in which a flip of site i is most likely."""
    lowest = case.offset[i] * spin if case.offset else 0.0
    for k, h, phase in case.harmonics[i]:
        first, last = (2.0 * math.pi * k * u + phase for u in (begin, end))
        turns = range(math.ceil(first / math.pi), math.floor(last / math.pi) + 1)
        angles = [first, last, *(math.pi * n for n in turns)]
        lowest += min(spin * h * math.cos(angle) for angle in angles)
    return spin * lowest


def neighbours(case, i):
    """(other site, coupling) of the bonds of site i."""
    found = [(b, J) for a, b, J in case.bonds if a == i]
    return found + [(a, J) for a, b, J in case.bonds if b == i]


def flip_rate(case, spins, i, h):
    """Rate of the flip of spin i in field h: physics of the four laws, with tanh and exp."""
    T = case.temperature[i]
    bonds = [J * spins[i] * spins[j] for j, J in neighbours(case, i)]
    if case.law == "glauber-product":
        product = math.prod(2.0 / (1.0 + math.exp(2.0 * x / T)) for x in bonds)
        return case.rate * product * 2.0 / (1.0 + math.exp(2.0 * h * spins[i] / T))
    cost = 2.0 * (sum(bonds) + h * spins[i]) / T
    if case.law == "heat-bath":
        return case.rate * 2.0 / (1.0 + math.exp(cost))
    if case.law == "metropolis":
        return case.rate * min(1.0, math.exp(-cost))
    return case.rate * math.exp(-cost / 2.0)


def trajectory(case, plan, seed, number, cells=0):
    """Ledger of one trajectory that begins with all spins up: dict of (row, ...) arrays.

    cells : how many of a segment have bounds of their own; 0 for bounds of the whole period
    """
    n, rows, each = case.sites, plan.rows, max(cells, 1)
    books = {
        "heat": np.zeros((rows, len(case.temperatures))),
        "work": np.zeros((rows, len(case.drives))),
        "exclusive_work": np.zeros((rows, len(case.drives))),
        "flips": np.zeros((rows, n), int),
        "state": np.zeros((rows + 1, n), int),
    }
    segments, stream = plan.rows_per_period * each, streams(np.uint64(seed), 0, number, 1)[0]
    spins, length = [1] * n, case.period / segments

    def bounds():
        begin, end = (part / segments, (part + 1) / segments) if cells else (0.0, 1.0)
        fields = [likeliest(case, i, spins[i], begin, end) for i in range(n)]
        return [length * flip_rate(case, spins, i, fields[i]) for i in range(n)]

    def pause():
        u = (int(next_bits(stream)) >> 12) * 2.0**-52 + 2.0**-53
        return -math.log(u) / sum(bounds())

    part = 0
    now = pause()
    for cell in range(plan.segments * each):
        row = (cell // each - plan.burn_in * plan.rows_per_period) // plan.segments_per_row
        part = cell % segments
        if row == 0 and cell == plan.burn_in * segments:
            books["state"][0] = spins
        if cell % each == 0:
            since = [drive(case, i, part / segments) for i in range(n)]
        while now < 1.0:
            mark = (int(next_bits(stream)) >> 12) * 2.0**-52 * sum(bounds())
            i = 0
            while i < n - 1 and mark >= bounds()[i]:
                mark -= bounds()[i]
                i += 1
            h = drive(case, i, (part + now) / segments)
            if mark < length * flip_rate(case, spins, i, h):
                if row >= 0:
                    field = sum(J * spins[j] for j, J in neighbours(case, i)) + h
                    books["heat"][row, case.bath[i]] += 2.0 * spins[i] * field
                    books["flips"][row, i] += 1
                    if i in case.drives:
                        d = case.drives.index(i)
                        books["work"][row, d] -= spins[i] * (h - since[i])
                        books["exclusive_work"][row, d] -= 2.0 * spins[i] * h
                since[i], spins[i] = h, -spins[i]
            now += pause()
        # The next proposal is after the end of the cell: so many mean waits of this one after it.
        waits = (now - 1.0) * sum(bounds())
        if (cell + 1) % each == 0 and row >= 0:
            for d, i in enumerate(case.drives):
                end = drive(case, i, (part + 1) / segments)
                books["work"][row, d] -= spins[i] * (end - since[i])
            books["state"][row + 1] = spins
        part = (part + 1) % segments
        now = waits / sum(bounds())
    return books
