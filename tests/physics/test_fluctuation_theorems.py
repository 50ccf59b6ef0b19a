"""Integral fluctuation theorems hold on sampled trajectories, where they should and only there."""

from dataclasses import replace

import networks
import numpy as np
import pytest
from networks import PUMP, RANDOM, TRIANGLE, drawn, numbers, one_period, sample, z_threshold

from trajsim.models.rate_laws import LAWS

ROWS = 8
# Short against the relaxation, lest the mean rest on a few rare trajectories.
SHORT = replace(TRIANGLE, temperatures=[1.2, 0.8], period=5.0)
PAIR = networks.pair(0.9, 0.6, h0=0.5, phase=1.0, coupling=0.4, period=4.0)
HEAT_CASES = {"pair": PAIR, **{law: replace(SHORT, law=law) for law in LAWS}}
EQUAL = replace(TRIANGLE, temperatures=[0.7, 0.7], period=6.0)
WORK_CASES = {"quick": replace(EQUAL, period=2.0), **{x: replace(EQUAL, law=x) for x in LAWS}}


def ledger(case, start, trajectories, rows=ROWS, block=20_000):
    """Heats (m, row, bath) and total inclusive work (m, row) gained so far, states (m, row)."""
    heat, work, state = [], [], []
    for first in range(0, trajectories, block):
        part = sample(case, one_period(rows), start, 77, block, first)
        heat.append(part.heat.cumsum(axis=1))
        work.append(part.work.sum(axis=2).cumsum(axis=1))
        state.append(numbers(part.state[:, 1:]))
    return np.concatenate(heat), np.concatenate(work), np.concatenate(state)


def off_by(samples, expected):
    """Distance of the means of samples (m, ...) from what is expected, in standard errors."""
    error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    return (samples.mean(axis=0) - expected) / error


def effective_size(weight):
    """Kish's number of equally weighted samples that weights (m, ...) are worth."""
    return weight.sum(axis=0) ** 2 / (weight**2).sum(axis=0)


@pytest.mark.parametrize("name", HEAT_CASES)
def test_exponential_heat_from_uniform_starts_averages_to_one(name):
    case = HEAT_CASES[name]
    heat, _, state = ledger(case, RANDOM, 200_000)
    weight = np.exp(heat @ (1 / np.array(case.temperatures)))
    assert effective_size(weight).min() > 5000
    z = off_by(weight, 1.0)
    assert abs(z).max() < z_threshold(z.size)
    # Any p1 at the end will do: every state taken alone. <exp(sum Q/T) p1(x_end) / p0> = 1
    ended = case.states * (state[..., None] == np.arange(case.states))
    z = off_by(weight[..., None] * ended, 1.0)
    assert abs(z).max() < z_threshold(z.size)


@pytest.mark.parametrize("name", WORK_CASES)
def test_exponential_work_from_equilibrium_gives_the_free_energy(name):
    case = WORK_CASES[name]
    _, work, _ = ledger(case, drawn(networks.boltzmann(case)), 200_000)
    beta = 1 / case.temperatures[0]
    weight = np.exp(-beta * work)
    assert effective_size(weight).min() > 10_000
    edges = np.arange(ROWS + 1) / ROWS
    z_sum = np.exp(-beta * networks.energies(case, edges)).sum(axis=1)
    free = z_sum[1:] / z_sum[0]
    # Windows within the period, over which the free energy really changes.
    assert abs(free - 1).max() > 0.05
    z = off_by(weight, free)
    assert abs(z).max() < z_threshold(z.size)


def test_exponential_work_from_the_periodic_state_is_not_one():
    # The start must be an equilibrium: a period later the free energy is back, the mean is not 1.
    case = replace(PUMP, temperatures=[0.5, 0.5])
    beta, cells = 2.0, 16
    # Every path weighted by exp(-beta W), W = -int s dh.
    tilted = networks.solve(
        case,
        cells,
        tilt=lambda fraction: beta * networks.field_slopes(case, fraction) @ networks.spins(case),
    )
    p, _ = networks.periodic_rates(case, cells)
    expected = {
        name: networks.after(tilted.end, start)[-1].sum()
        for name, start in (("periodic", p), ("equilibrium", networks.boltzmann(case)))
    }
    assert expected["equilibrium"] == pytest.approx(1.0, abs=1e-10)
    assert expected["periodic"] == pytest.approx(0.97023, abs=1e-5)
    _, work, _ = ledger(case, drawn(p), 200_000, rows=1)
    weight = np.exp(-beta * work)
    assert abs(off_by(weight, expected["periodic"])) < z_threshold(1)
    assert off_by(weight, 1.0) < -2 * z_threshold(1)
