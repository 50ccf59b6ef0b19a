"""Spins of any network, one trajectory after the other."""

import math

import numpy as np

from trajsim.jit import compiled
from trajsim.kernels.old_booking import book_edge, book_flip, note_edge
from trajsim.kernels.random import uniform
from trajsim.models.drive import value
from trajsim.models.spins import local_of, rate, rate_bound


@compiled
def advance(network, plan, walkers, rows, first, last):
    """Run the trajectories from segment `first` to segment `last`, and book what happens.

    Parameters
    ----------
    network : SpinNetwork
    plan : Plan
    walkers : Walkers, moved on
    rows : Rows, added to
    first, last : segments counted from the beginning of the burn-in

    Returns
    -------
    flips : number of flips made, burn-in included
    excess : largest ratio of a rate to its bound; above 1 the bound was no bound
    """
    n = len(network.bath)
    segments = plan.rows_per_period
    length = network.period / segments
    burn_in = plan.burn_in * segments
    # The field at the edges of the segments is the same for all trajectories.
    h_edge = np.empty((segments + 1, n))
    for edge in range(segments + 1):
        for i in range(n):
            h_edge[edge, i] = value(network.drive, i, (edge % segments) / segments)
    local, bound, before = np.empty(n), np.empty(n), np.empty((1, n))
    flips, excess = 0, 0.0
    for k in range(len(walkers.spins)):
        spins, stream = walkers.spins[k], walkers.stream[k]
        for i in range(n):
            local[i] = local_of(network, spins, i)
            bound[i] = rate_bound(network, local[i], spins[i], i)
        for segment in range(first, last):
            part = segment % segments
            recorded = segment >= burn_in
            row = (segment - burn_in) // plan.segments_per_row
            if segment == burn_in:
                note_edge(network, spins, h_edge, 0, rows, k, 0)
            before[0] = h_edge[part]
            waited = 0.0
            while True:
                total = 0.0
                for i in range(n):
                    total += bound[i]
                if total == 0.0:
                    break
                # A wait cut short by the end of the segment is drawn anew: it has no memory.
                waited -= math.log(1.0 - uniform(stream)) / total
                if waited >= length:
                    break
                mark = uniform(stream) * total
                i = 0
                while i < n - 1 and mark >= bound[i]:
                    mark -= bound[i]
                    i += 1
                if bound[i] == 0.0:
                    continue  # Rounding of `mark` led past the last spin that can flip.
                h = value(network.drive, i, (part + waited / length) / segments)
                ratio = rate(network, local[i], spins[i], i, h) / bound[i]
                excess = max(excess, ratio)
                if uniform(stream) >= ratio:
                    continue
                flips += 1
                if recorded:
                    book_flip(network, spins, i, h, before[0, i], rows, k, row)
                before[0, i] = h
                spins[i] = -spins[i]
                local[i] = local_of(network, spins, i)
                bound[i] = rate_bound(network, local[i], spins[i], i)
                for at in range(network.first[i], network.first[i + 1]):
                    j = network.neighbour[at]
                    local[j] = local_of(network, spins, j)
                    bound[j] = rate_bound(network, local[j], spins[j], j)
            if recorded:
                book_edge(network, spins, before, 0, h_edge, part + 1, rows, k, row)
                if (segment + 1 - burn_in) % plan.segments_per_row == 0:
                    note_edge(network, spins, h_edge, part + 1, rows, k, row + 1)
    return flips, excess
