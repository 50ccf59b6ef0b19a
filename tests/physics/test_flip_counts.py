"""Flips and changes of state happen as often, in every state and at every phase, as they should.

Given the state in which a row begins, where it ends is drawn from known probabilities, whatever
came before: a row is a trial of its own (Billingsley, Ann. Math. Stat. 32, 12, 1961).

In the swayed pair one site's rates 1 % too fast lie 9 to 14 standard errors off, a temperature 1 %
too high 7 to 14, a drive late by 0.01 radian 11 to 15, for each of the laws; allowed are 4.7.
"""

from dataclasses import replace

import networks
import numpy as np
import pytest
from flip_counts import CELLS, SWAYED, counted, scores_of_changes, scores_of_flips
from networks import ENGINE, FALSE_ALARM, PUMP, z_threshold
from scipy import stats

from trajsim.models.rate_laws import LAWS

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


@pytest.fixture(scope="module", params=CASES, name="both")
def made_both(request):
    """A network, its Counts, and the exact (cell, before, after) and (cell, before, site)."""
    case, trajectories = CASES[request.param]
    exact = networks.solve(case, CELLS, rtol=1e-9)
    return case, counted(case, trajectories), exact.end.swapaxes(1, 2), exact.energetics.flips


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


def test_flips_occur_as_often_as_they_should(both):
    case, counts, _, expected = both
    z = scores_of_flips(counts, expected)
    assert len(z) == 3 * case.sites * (case.states + 1)
    assert abs(z).max() < z_threshold(len(z))
