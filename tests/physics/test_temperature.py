"""Between baths of one temperature, trajectories show that temperature and no other.

In constant fields P(s -> s') exp(-E(s)/T) = P(s' -> s) exp(-E(s')/T) over rows of any length.
"""

from dataclasses import replace

import networks
import numpy as np
import pytest
from networks import RANDOM, numbers, sample, z_threshold

from trajsim.models.rate_laws import LAWS
from trajsim.plan import Plan

# Three unequal bonds and two fields: no two states have the same energy. Drives of so small an
# amplitude drive nothing, and need no kernel of their own.
FAINT = 1e-30
TRIANGLE = replace(
    networks.TRIANGLE,
    temperatures=[0.8, 0.8],
    bonds=[(0, 1, 0.55), (1, 2, -0.35), (0, 2, 0.2)],
    harmonics=[[(1, FAINT, 0.0), (3, FAINT, 0.0)], [], [(2, FAINT, 0.0)]],
    offset=[0.25, -0.1, 0.0],
    rate=0.5,
)
COLD_PAIR = networks.pair(0.3, 0.3, h0=0.0, coupling=0.4, offset=[0.05, 0.15])
PAIR = replace(
    networks.pair(0.8, 0.8, coupling=0.55, offset=[0.25, -0.1]),
    harmonics=[[(1, FAINT, 0.0)], [(1, FAINT, 0.0)]],
)
CASES = {
    "triangle, long rows": (TRIANGLE, 2.0),
    "triangle, short rows": (TRIANGLE, 0.3),
    "cold pair": (COLD_PAIR, 1.0),
    "triangle, heat-bath": (replace(TRIANGLE, law="heat-bath"), 1.0),
    **{law: (replace(PAIR, law=law), 1.0) for law in LAWS},
}
ROWS, TRAJECTORIES = 200, 20_000
# Fewer changes than this have no normal logarithm.
FEWEST = 1000


def changes(case, row_time):
    """Number N of rows (2**n, 2**n) that begin in one state and end in another."""
    case = replace(case, period=row_time)
    plan, count = Plan(ROWS, 2, 1, 1), np.zeros((case.states, case.states))
    for first in range(0, TRAJECTORIES, 2500):
        state = numbers(sample(case, plan, RANDOM, 41, 2500, first).state)
        pairs = state[:, :-1] * case.states + state[:, 1:]
        count += np.bincount(pairs.ravel(), minlength=count.size).reshape(count.shape)
    return count


@pytest.fixture(scope="module", params=CASES, name="measured")
def made_measured(request):
    """Log odds of change against its reverse, x = dE/T, and the covariance of the odds."""
    case, row_time = CASES[request.param]
    count, energy = changes(case, row_time), networks.energies(case, 0.0)
    begun = count.sum(axis=1)
    upper = np.triu_indices(case.states, 1)
    both = [(a, b) for a, b in zip(*upper, strict=True) if min(count[a, b], count[b, a]) > FEWEST]
    a, b = np.array(both).T
    odds = np.log(count[a, b] / begun[a]) - np.log(count[b, a] / begun[b])
    x = (energy[b] - energy[a]) / case.temperatures[0]
    # Ends of rows that begin in one state are multinomial: 1 / N for each, -1 / begun in common.
    same = sum(np.where(p[:, None] == p, 1 / begun[p], 0.0) for p in (a, b))
    crossed = np.where(a[:, None] == b, 1 / begun[a][:, None], 0.0)
    covariance = np.diag(1 / count[a, b] + 1 / count[b, a]) - same + crossed + crossed.T
    return odds, x, covariance


def test_every_change_is_as_much_likelier_than_its_reverse_as_the_temperature_says(measured):
    odds, x, covariance = measured
    z = (odds + x) / np.sqrt(np.diag(covariance))
    assert abs(z).max() < z_threshold(len(z))


def test_all_changes_together_give_the_temperature_of_the_baths(measured):
    odds, x, covariance = measured
    weight = np.linalg.solve(covariance, x)
    # T_bath / T_measured, by generalised least squares through the origin.
    ratio, error = -(weight @ odds) / (weight @ x), 1 / np.sqrt(weight @ x)
    # Fine enough that one percent could not hide.
    assert error < 0.01 / (z_threshold(1) + 2)
    assert abs(ratio - 1) < z_threshold(1) * error
