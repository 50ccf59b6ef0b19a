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


def reach(case, i):
    """The most by which the field of site i leaves its offset."""
    return sum(abs(h) for _, h, _ in case.harmonics[i])


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


def trajectory(case, plan, seed, number):
    """Ledger of one trajectory that begins with all spins up: dict of (row, ...) arrays."""
    n, rows, segments = case.sites, plan.rows, plan.rows_per_period
    books = {
        "heat": np.zeros((rows, len(case.temperatures))),
        "work": np.zeros((rows, len(case.drives))),
        "exclusive_work": np.zeros((rows, len(case.drives))),
        "flips": np.zeros((rows, n), int),
        "state": np.zeros((rows + 1, n), int),
    }
    stream = streams(np.uint64(seed), 0, number, 1)[0]
    spins, length, ahead, since_proposal = [1] * n, case.period / segments, None, 0.0
    for segment in range(plan.segments):
        row, part = divmod(segment - plan.burn_in * segments, plan.segments_per_row)
        if (row, part) == (0, 0):
            books["state"][0] = spins
        part, now = segment % segments, ahead
        since = [drive(case, i, part / segments) for i in range(n)]
        while True:
            favourable = [
                (case.offset[i] if case.offset else 0.0) - spins[i] * reach(case, i)
                for i in range(n)
            ]
            bounds = [length * flip_rate(case, spins, i, favourable[i]) for i in range(n)]
            if now is None:
                u = (int(next_bits(stream)) >> 12) * 2.0**-52 + 2.0**-53
                now = since_proposal - math.log(u) / sum(bounds)
            if now >= 1.0:
                ahead = now - 1.0
                break
            since_proposal, mark = now, (int(next_bits(stream)) >> 12) * 2.0**-52 * sum(bounds)
            i = 0
            while i < n - 1 and mark >= bounds[i]:
                mark -= bounds[i]
                i += 1
            h, now = drive(case, i, (part + now) / segments), None
            if mark >= length * flip_rate(case, spins, i, h):
                continue
            if row >= 0:
                field = sum(J * spins[j] for j, J in neighbours(case, i)) + h
                books["heat"][row, case.bath[i]] += 2.0 * spins[i] * field
                books["flips"][row, i] += 1
                if i in case.drives:
                    d = case.drives.index(i)
                    books["work"][row, d] -= spins[i] * (h - since[i])
                    books["exclusive_work"][row, d] -= 2.0 * spins[i] * h
            since[i], spins[i] = h, -spins[i]
        if row >= 0:
            for d, i in enumerate(case.drives):
                end = drive(case, i, (part + 1) / segments)
                books["work"][row, d] -= spins[i] * (end - since[i])
            books["state"][row + 1] = spins
    return books
