"""Flips and changes of state of sampled trajectories, counted, and how far they lie off."""

from typing import NamedTuple

import networks
import numpy as np
from networks import UP, numbers, one_period, sample

CELLS, BLOCK = 128, 10_000


# Strong fields and moderate bonds: the phases of the drives are seen best.
SWAYED = networks.pair(0.6, 0.4, h0=1.2, phase=1.0, coupling=0.3, period=150.0, rate=0.5)


class Counts(NamedTuple):
    """changed (cell, before, after); flips and their squares (cell, before, site)."""

    changed: np.ndarray
    flips: np.ndarray
    squared: np.ndarray


def counted(case, trajectories, cells=CELLS):
    """Counts over one period in so many cells."""
    shape, cell = (cells, case.states), np.arange(cells)
    changed = np.zeros((*shape, case.states))
    flips, squared = np.zeros((*shape, case.sites)), np.zeros((*shape, case.sites))
    for first in range(0, trajectories, BLOCK):
        rows = sample(case, one_period(cells), UP, 2007, BLOCK, first)
        state = numbers(rows.state)
        key = (cell * case.states + state[:, :-1]).ravel()
        after = key * case.states + state[:, 1:].ravel()
        changed += np.bincount(after, minlength=changed.size).reshape(changed.shape)
        for i in range(case.sites):
            n = rows.flips[..., i].ravel().astype(float)
            flips[..., i] += np.bincount(key, n, np.prod(shape)).reshape(shape)
            squared[..., i] += np.bincount(key, n * n, np.prod(shape)).reshape(shape)
    return Counts(changed, flips, squared)


def waves(cells):
    """1, cos and sin of the phase (3, cell): a rate, or a drive, that is off has a wave."""
    angle = 2 * np.pi * (np.arange(cells) + 0.5) / cells
    return np.stack([np.ones(cells), np.cos(angle), np.sin(angle)])


def scores_of_changes(counts, chance):
    """Distances in standard errors of how often each state follows another, and its waves."""
    trials = counts.changed.sum(axis=2, keepdims=True)
    off = counts.changed - trials * chance
    spread = trials * chance * (1 - chance)
    z = np.einsum("wk,kxy->wxy", waves(len(counts.changed)), off)
    variance = np.einsum("wk,kxy->wxy", waves(len(counts.changed)) ** 2, spread)
    frequent = variance > 100
    return z[frequent] / np.sqrt(variance[frequent])


def scores_of_flips(counts, expected, fewest=0.0):
    """Distances in standard errors of how often each site flips, and its waves, by state too.

    States with a variance up to `fewest` do not stand alone.
    """
    trials = counts.changed.sum(axis=2)[..., None]
    off = counts.flips - trials * expected
    # The spread of the number of flips in a row from a state is taken from the rows themselves.
    spread = counts.squared - counts.flips**2 / np.maximum(trials, 1)
    z = np.einsum("wk,kxi->wxi", waves(len(counts.changed)), off)
    variance = np.einsum("wk,kxi->wxi", waves(len(counts.changed)) ** 2, spread)
    frequent = variance > fewest
    per_state = z[frequent] / np.sqrt(variance[frequent])
    per_site = (z.sum(axis=1) / np.sqrt(variance.sum(axis=1))).ravel()
    return np.concatenate([per_state, per_site])
