"""Probabilities of many states, integrated without a matrix, against closed forms."""

import numpy as np
import pytest
from scipy.linalg import expm

from trajsim.ensemble.jumps.channels import JumpProcess
from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.ensemble.jumps.integration import ProbabilityIntegrator

HOP, RESET, PERIOD = 200.0, 0.7, 3.0


def one_way(states):
    """Hops x -> x + 1 on a ring and resets to 0, all faster and slower by the same factor."""
    x = np.arange(states)

    def rate(u, value):
        return np.multiply.outer(1.0 + 0.5 * np.cos(2.0 * np.pi * u), [HOP, RESET])

    return JumpProcess(
        states=states,
        baths=1,
        counters=2,
        period=PERIOD,
        source=np.concatenate([x, x[1:]]),
        target=np.concatenate([(x + 1) % states, 0 * x[1:]]),
        kind=np.repeat([0, 1], [states, states - 1]),
        bath=np.array([0, 0]),
        counter=np.array([0, 1]),
        heat=np.array([1.0, -1.0]),
        change=np.zeros((0, 2)),
        conjugate=np.zeros((0, states)),
        parameters=lambda u: (np.zeros((len(u), 0)), np.zeros((len(u), 0))),
        rate=rate,
    )


@pytest.mark.parametrize("accuracy", [1e-6, 1e-12])
def test_columns_and_times_spent_are_those_of_the_matrix_exponential(accuracy):
    process = one_way(20)
    x = np.random.default_rng(3).random((20, 2))
    after, energetics = ProbabilityIntegrator(process).carry(x, 0.0, 1.0, accuracy)
    # All rates share one factor, of mean 1: the map is that of constant rates.
    mean = process.generators(np.array([[HOP, RESET]]))[0]
    expected = expm(mean * PERIOD) @ x
    np.testing.assert_allclose(after, expected, atol=30 * accuracy)
    # The rates' factor times the time spent, from (mean) (integral) = (end) - (beginning).
    visits = np.linalg.lstsq(
        np.vstack([mean, np.ones(20)]), np.vstack([expected - x, PERIOD * x.sum(axis=0)])
    )[0]
    hops, resets = HOP * visits.sum(axis=0), RESET * visits[1:].sum(axis=0)
    counted = process.split(energetics.T).flips.T
    np.testing.assert_allclose(counted, [hops, resets], rtol=30 * accuracy)


def test_rough_map_is_close_and_keeps_probabilities_positive():
    process = one_way(20)
    mean = process.generators(np.array([[HOP, RESET]]))[0]
    after = ProbabilityIntegrator(process).rough_map(np.eye(20))
    np.testing.assert_allclose(after, expm(mean * PERIOD), atol=1e-4)
    assert after.min() >= 0.0
    np.testing.assert_allclose(after.sum(axis=0), 1.0, rtol=1e-13)


def test_jumps_that_go_one_way_are_followed_though_long_rough_steps_are_not_stable():
    states = 700
    solved = JumpEnsemble(one_way(states))
    # A deviation lives until the next reset.
    assert solved._gap == pytest.approx(1.0 - np.exp(-RESET * PERIOD), rel=0.05)
    assert solved.solution.smooth
    q = HOP / (HOP + RESET)
    p = (1 - q) * q ** np.arange(states) / (1 - q**states)
    np.testing.assert_allclose(solved.periodic_state, p, rtol=1e-9)
    flips, error = (c.flips for c in solved.currents)
    expected = np.array([HOP, RESET * (1.0 - p[0])])
    assert (abs(flips - expected) <= error + 1e-15 * expected).all()
    assert (error <= 1e-9 * expected).all()
