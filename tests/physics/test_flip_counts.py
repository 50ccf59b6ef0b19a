"""Flips and changes of state happen as often, in every state and at every phase, as they should.

Given the state in which a row begins, where it ends is drawn from known probabilities, whatever
came before: a row is a trial of its own (Billingsley, Ann. Math. Stat. 32, 12, 1961).

In the swayed pair one site's rates 1 % too fast lie 9 to 14 standard errors off, a temperature 1 %
too high 7 to 14, a drive late by 0.01 radian 11 to 15, for each of the laws; allowed are 4.7.
"""

from dataclasses import replace
from typing import NamedTuple

import networks
import numpy as np
import pytest
from networks import ENGINE, FALSE_ALARM, PUMP, UP, numbers, one_period, sample, z_threshold
from scipy import stats

from trajsim.models.rate_laws import LAWS

CELLS, BLOCK = 128, 10_000
# Strong fields and moderate bonds: the phases of the drives are seen best.
SWAYED = networks.pair(0.6, 0.4, h0=1.2, phase=1.0, coupling=0.3, period=150.0, rate=0.5)
CASES = {
    "pump": (PUMP, 200_000),
    "engine": (ENGINE, 100_000),
    "swayed": (SWAYED, 100_000),
    **{
        f"{law}, {name}": (replace(case, law=law), 80_000)
        for name, case in (("pump", PUMP), ("swayed", SWAYED))
        for law in LAWS
        if law != PUMP.law
    },
}
# Fewer expected than this in a cell are counted together with others.
FEWEST = 10.0


class Counts(NamedTuple):
    """changed (cell, before, after); flips and their squares (cell, before, site)."""

    changed: np.ndarray
    flips: np.ndarray
    squared: np.ndarray


def counted(case, trajectories):
    """Counts over one period."""
    shape, cells = (CELLS, case.states), np.arange(CELLS)
    changed = np.zeros((*shape, case.states))
    flips, squared = np.zeros((*shape, case.sites)), np.zeros((*shape, case.sites))
    for first in range(0, trajectories, BLOCK):
        rows = sample(case, one_period(CELLS), UP, 2007, BLOCK, first)
        state = numbers(rows.state)
        key = (cells * case.states + state[:, :-1]).ravel()
        after = key * case.states + state[:, 1:].ravel()
        changed += np.bincount(after, minlength=changed.size).reshape(changed.shape)
        for i in range(case.sites):
            n = rows.flips[..., i].ravel().astype(float)
            flips[..., i] += np.bincount(key, n, np.prod(shape)).reshape(shape)
            squared[..., i] += np.bincount(key, n * n, np.prod(shape)).reshape(shape)
    return Counts(changed, flips, squared)


@pytest.fixture(scope="module", params=CASES, name="both")
def made_both(request):
    """A network, its Counts, and the exact (cell, before, after) and (cell, before, site)."""
    case, trajectories = CASES[request.param]
    exact = networks.solve(case, CELLS, rtol=1e-9)
    return case, counted(case, trajectories), exact.end.swapaxes(1, 2), exact.gains.flips


def waves():
    """1, cos and sin of the phase (3, cell): a rate, or a drive, that is off has a wave."""
    angle = 2 * np.pi * (np.arange(CELLS) + 0.5) / CELLS
    return np.stack([np.ones(CELLS), np.cos(angle), np.sin(angle)])


def scores_of_changes(counts, chance):
    """Distances in standard errors of how often each state follows another, and its waves."""
    trials = counts.changed.sum(axis=2, keepdims=True)
    off = counts.changed - trials * chance
    spread = trials * chance * (1 - chance)
    z = np.einsum("wk,kxy->wxy", waves(), off)
    variance = np.einsum("wk,kxy->wxy", waves() ** 2, spread)
    frequent = variance > 100
    return z[frequent] / np.sqrt(variance[frequent])


def test_changes_of_state_occur_as_often_as_they_should(both):
    _, counts, chance, _ = both
    z = scores_of_changes(counts, chance)
    assert len(z) >= 30
    assert abs(z).max() < z_threshold(len(z))


def test_changes_of_state_have_the_spread_of_independent_trials(both):
    # Pearson's chi-squared over all cells, with its exact mean and variance for few counts.
    _, counts, chance, _ = both
    total = mean = variance = 0.0
    for seen, p in zip(counts.changed.reshape(-1, 4), chance.reshape(-1, 4), strict=True):
        n, order = seen.sum(), np.argsort(p)
        small = order[n * p[order] < FEWEST]
        if len(small):
            # Rare ends together, with the rarest of the others if they are few even so.
            if n * p[small].sum() < FEWEST:
                small = order[: len(small) + 1]
            rest = np.setdiff1d(order, small)
            seen = np.append(seen[rest], seen[small].sum())
            p = np.append(p[rest], p[small].sum())
        k = len(p)
        if k == 1:
            continue
        total += ((seen - n * p) ** 2 / (n * p)).sum()
        mean += k - 1
        variance += 2 * (k - 1) + ((1 / p).sum() - k * k - 2 * k + 2) / n
    assert mean > 500
    # A gamma distribution of this mean and variance; both tails, for duplicates spread more.
    scale = variance / mean
    tails = stats.gamma.isf([1 - FALSE_ALARM / 2, FALSE_ALARM / 2], mean / scale, scale=scale)
    assert tails[0] < total < tails[1]


def scores_of_flips(counts, expected, fewest=0.0):
    """Distances in standard errors of how often each site flips, and its waves, by state too.

    States with a variance up to `fewest` do not stand alone.
    """
    trials = counts.changed.sum(axis=2)[..., None]
    off = counts.flips - trials * expected
    # The spread of the number of flips in a row from a state is taken from the rows themselves.
    spread = counts.squared - counts.flips**2 / np.maximum(trials, 1)
    z = np.einsum("wk,kxi->wxi", waves(), off)
    variance = np.einsum("wk,kxi->wxi", waves() ** 2, spread)
    frequent = variance > fewest
    per_state = z[frequent] / np.sqrt(variance[frequent])
    per_site = (z.sum(axis=1) / np.sqrt(variance.sum(axis=1))).ravel()
    return np.concatenate([per_state, per_site])


def test_flips_occur_as_often_as_they_should(both):
    case, counts, _, expected = both
    z = scores_of_flips(counts, expected)
    assert len(z) == 3 * case.sites * (case.states + 1)
    assert abs(z).max() < z_threshold(len(z))
