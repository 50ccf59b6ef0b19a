"""Spins of which fields, couplings and temperatures are driven by any waveform."""

import networks
import numpy as np
import pytest
from driven_spins import Driven, Wave

from trajsim.ensemble.jumps.ensemble import JumpEnsemble
from trajsim.ensemble.jumps.spins import jump_process
from trajsim.kernels import jump, lanes, rejection
from trajsim.plan import Plan

STEPS = Wave(points=((0, 0.1), (0, 0.5), (0.3, -0.2), (0.3, 0.4), (0.75, 0.4), (1, -0.3), (1, 0.2)))
BREATHING = Wave(1.0, ((1, 0.4, 0.3), (2, 0.2, 1.0)))
PULSED = Wave(points=((0, 1.0), (0.4, 0.4), (0.4, -0.8), (1, 1.2)))
WARM = Wave(0.7, ((1, 0.25, 0.9),))
HEATED = Wave(points=((0, 0.5), (0.5, 0.5), (0.5, 1.0), (1, 1.0)))
SQUARE = Wave(points=((0, 1.0), (0.2, 1.0), (0.2, -1.0), (0.7, -1.0), (0.7, 1.0), (1, 1.0)))
BURNING = Wave(1.0, ((1, 0.6, 0.4),))
COSINE = Wave(0.1, ((1, 0.4, 2.2),))

CASES = {
    "field that jumps": Driven((STEPS, COSINE), ((0, 1, 1.0),), (0.5, 0.7), (0, 1)),
    "coupling": Driven((COSINE, 0.2), ((0, 1, BREATHING),), (0.5, 0.7), (0, 1), "heat-bath"),
    "coupling that jumps": Driven((0.0, 0.3), ((0, 1, PULSED),), (0.5, 0.7), (0, 1), "arrhenius"),
    "temperature": Driven((COSINE, 0.0), ((0, 1, 0.8),), (WARM, 0.6), (0, 1), "metropolis"),
    "lone spin": Driven((COSINE,), (), (HEATED,), (0,)),
    "all at once": Driven(
        (STEPS, 0.1, COSINE),
        ((0, 1, PULSED), (1, 2, 0.5), (0, 2, BREATHING)),
        (HEATED, WARM),
        (0, 1, 0),
    ),
    "so wide that there are cells": Driven(
        (SQUARE, COSINE), ((0, 1, 0.5),), (BURNING, 0.6), (0, 1), "arrhenius", period=6.0
    ),
}
EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def expected(case, segments, periods):
    """P and energetics from all up, by the independent integration."""
    return case.follow(np.eye(1 << case.sites)[0], segments, periods)


@EVERY
def test_transients_agree_with_an_independent_integration(case):
    states, gains = expected(case, 3, 2)
    series = JumpEnsemble(jump_process(case.build())).time_series(states[0], 3, 2)
    np.testing.assert_allclose(series.state, states, atol=1e-9)
    baths, drives = len(case.temperatures), len(case.waves)
    split = np.split(gains, np.cumsum([baths, drives, case.sites]), axis=1)
    np.testing.assert_allclose(series.energetics.heat, split[0], atol=2e-8)
    np.testing.assert_allclose(series.energetics.work, split[1], atol=2e-8)
    np.testing.assert_allclose(series.energetics.flips, split[2], atol=2e-8)


@EVERY
def test_works_of_a_period_agree_inclusive_and_exclusive(case):
    ensemble = JumpEnsemble(jump_process(case.build()))
    rates, error = ensemble.currents
    np.testing.assert_allclose(rates.work, rates.exclusive_work, atol=1e-12)
    assert abs(rates.heat.sum() + rates.work.sum()) < 1e-12 + error.heat.sum()


@EVERY
@pytest.mark.parametrize(("periods", "burn_in"), [(1, 0), (3, 0), (1, 2), (3, 2)])
def test_a_window_from_the_periodic_state_is_its_periods_one_after_the_other(
    case, periods, burn_in
):
    # Time 0 has no jump from the end of a period before; every later period begins with one.
    ensemble = JumpEnsemble(jump_process(case.build()))
    state = ensemble.periodic_state
    window = ensemble.window(state, Plan(periods, burn_in, 1, 1))
    gains = case.follow(state, 1, burn_in + periods)[1][burn_in:].sum(axis=0)
    found = np.concatenate([window.rates.heat, window.rates.work])
    expected = gains[: len(found)] / (periods * case.period)
    np.testing.assert_allclose(found, expected, atol=2e-8)


def sampled(case, plan, count, kernel=None):
    """Ledger of trajectories from all up."""
    network = case.build()
    rows, n, baths = plan.rows, case.sites, len(case.temperatures)
    ledger = jump.Rows(
        heat=np.zeros((count, rows, baths)),
        work=np.zeros((count, rows, network.drives)),
        exclusive_work=np.zeros((count, rows, network.drives)),
        energy=np.zeros((count, rows + 1)),
        flips=np.zeros((count, rows, n), np.int32),
        state=np.zeros((count, rows + 1, n), np.int8),
        entropy_flow=np.zeros((count, rows, baths if network.heated else 0)),
    )
    model = kernel.prepare(network, plan) if kernel else jump.prepare(network, plan)
    replicas = jump.begin(model, networks.UP, 5, 0, 0, count)
    # In two calls, of which the second begins with a period.
    middle = plan.segments // 2
    jump.advance(model, plan, replicas, ledger, 0, middle)
    jump.advance(model, plan, replicas, ledger, middle, plan.segments)
    return ledger


@EVERY
@pytest.mark.parametrize("kernel", [lanes, rejection], ids=["lanes", "rejection"])
def test_trajectories_agree_row_by_row(case, kernel):
    plan, count = Plan(2, 0, 3, 1), 20_000
    ledger = sampled(case, plan, count, kernel)
    # The first law, with every jump in its row.
    residual = np.diff(ledger.energy) - ledger.heat.sum(axis=2) - ledger.work.sum(axis=2)
    assert abs(residual).max() < 1e-12
    _, gains = expected(case, 3, 2)
    baths, drives = len(case.temperatures), len(case.waves)
    split = np.split(gains, np.cumsum([baths, drives, case.sites]), axis=1)
    pairs = [(ledger.heat, split[0]), (ledger.work, split[1]), (ledger.flips, split[2])]
    if ledger.entropy_flow.size:
        pairs.append((ledger.entropy_flow, split[3]))
    means = np.concatenate([values.mean(axis=0).ravel() for values, _ in pairs])
    errors = np.concatenate([values.std(axis=0).ravel() for values, _ in pairs]) / count**0.5
    truth = np.concatenate([value.ravel() for _, value in pairs])
    z = (means - truth) / np.maximum(errors, 1e-12)
    assert abs(z).max() < networks.z_threshold(len(z))
    begin = case.energies(lambda w: w.ends[0] if isinstance(w, Wave) else w)[0]
    np.testing.assert_allclose(ledger.energy[:, 0], begin, atol=1e-13)
