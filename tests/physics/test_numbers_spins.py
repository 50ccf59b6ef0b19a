"""Spins at the ends of the ranges: cold and hot, fast and slow drives, nothing at all, long runs.

`pytest -m long tests/physics/test_numbers_spins.py` runs them for 1e9 events and 1e9 periods.
"""

from dataclasses import replace

import networks
import numpy as np
import pytest
from networks import PUMP, RANDOM, TRIANGLE, UP, sample, z_threshold

from trajsim.ensemble import NoExactSideError
from trajsim.ensemble.spins import ensemble as master_equation
from trajsim.kernels import jump
from trajsim.models.rate_laws import LAWS
from trajsim.plan import Plan

EVERY_LAW = pytest.mark.parametrize("law", list(LAWS))
KINDS = ("heat", "work", "exclusive_work", "flips")
# A ring too large for the lanes: the other kernel takes it.
RING = networks.Network(
    temperatures=[0.8, 1.1],
    bath=[i % 2 for i in range(9)],
    bonds=[(i, (i + 1) % 9, 0.5 + 0.1 * i) for i in range(9)],
    harmonics=[[(1 + i % 3, 0.3, 0.7 * i)] for i in range(9)],
    period=7.0,
)
BOTH = pytest.mark.parametrize("case", [TRIANGLE, RING], ids=["lanes", "rejection"])


def same(one, other):
    """Whether two ledgers agree to the last bit."""
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def totals(rows):
    """Sums (m, g) of heats, works, exclusive works and flips of each trajectory."""
    return np.concatenate([getattr(rows, kind).sum(axis=1) for kind in KINDS], axis=1)


def expected(case, cells, periods, begin):
    """The same on average, from an independent solution of the master equation."""
    solution, total = networks.solve(case, cells, rtol=1e-9), 0.0
    energetics = np.concatenate(solution.energetics, axis=-1)
    for _ in range(periods):
        for k in range(cells):
            total, begin = total + begin @ energetics[k], solution.end[k] @ begin
    return total


def scores(rows, mean):
    """Distances from the mean, of a driven pair in standard errors, where a site flipped often."""
    found = totals(rows)
    assert np.isfinite(found).all()
    # Fewer flips have no normal mean: of these there must be as few as there should be.
    enough = rows.flips.sum(axis=(0, 1)) >= 400
    assert (len(found) * mean[-2:][~enough] < 600).all()
    enough = np.tile(enough, len(KINDS))
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    return (found.mean(axis=0) - mean)[enough] / error[enough]


# -- temperatures ----------------------------------------------------------------------------------


def cold_or_hot(law, temperature, h0):
    """The pair with J = 1; a law without a largest rate is slowed down to that of the others."""
    rate = 0.5 * np.exp(-(1 + h0) / temperature) if law == "arrhenius" else 0.5
    return networks.pair(
        temperature, 2 * temperature, h0=h0, phase=1.0, law=law, rate=rate, period=20.0
    )


@EVERY_LAW
@pytest.mark.parametrize("temperature", [1e-3, 1e-2, 0.1, 1e1, 1e3])
def test_trajectories_agree_at_temperatures_from_a_thousandth_to_a_thousand(law, temperature):
    # Fields that flip cold spins, too. False alarm 1e-4 for each.
    case = cold_or_hot(law, temperature, 1.6)
    if law == "arrhenius" and temperature == 1e-3:
        # exp(dE / 2T) has no floating-point number.
        with pytest.raises(ValueError, match="too cold for this rate law"):
            case.build()
        return
    rows = sample(case, Plan(3, 0, 4, 1), RANDOM, 5, 10_000)
    z = scores(rows, expected(case, 64, 3, np.full(4, 0.25)))
    assert len(z) >= 4
    assert abs(z).max() < z_threshold(len(z))
    residual = np.diff(rows.energy, axis=1) - rows.heat.sum(axis=-1) - rows.work.sum(axis=-1)
    assert abs(residual).max() < 1e-13


@pytest.mark.parametrize("temperature", [1e-3, 3e-3, 1e-2, 0.03, 0.1, 1.0, 1e1, 1e2, 1e3])
def test_exact_heat_is_the_closed_form_at_any_temperature(temperature):
    # q_L = r J (gamma_R - gamma_L); in 1 - gamma = 2 / (1 + exp(2 J / T)) no digit is lost.
    case = networks.pair(temperature, 2 * temperature, h0=0.0, period=30.0)
    if temperature == 1e-3:
        # A rate of 0.5 exp(-2000) is none: no state is left.
        with pytest.raises(NoExactSideError, match="never left"):
            _ = master_equation(case.build()).currents
        return
    left, right = (2 / (1 + np.exp(2 / t)) for t in case.temperatures)
    heat = master_equation(case.build()).currents.rates.heat
    scale = abs(heat).max()
    np.testing.assert_allclose(heat, 0.5 * (left - right) * np.array([1, -1]), atol=1e-9 * scale)


# -- periods ---------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("power", [-10, 30])
def test_periods_from_a_thousandth_to_a_billion_run_alike_if_rates_go_along(case, power):
    # Powers of two change no digit.
    plan, scale = Plan(3, 1, 2, 1), 2.0**power
    slow = replace(case, period=scale, rate=case.rate / scale)
    assert same(sample(replace(case, period=1.0), plan, UP, 6, 30), sample(slow, plan, UP, 6, 30))


@pytest.mark.parametrize("power", [-10, 30])
def test_exact_currents_scale_with_the_period_if_rates_go_along(power):
    scale = 2.0**power
    one = master_equation(replace(TRIANGLE, period=1.0).build()).currents.rates
    slow = replace(TRIANGLE, period=scale, rate=TRIANGLE.rate / scale)
    other = master_equation(slow.build()).currents.rates
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(b * scale, a, rtol=1e-12, atol=1e-15)


SWEPT = networks.pair(1.0, 0.7, h0=0.6, phase=1.0, coupling=0.5, rate=0.5)


@EVERY_LAW
def test_a_drive_much_faster_than_the_flips_is_sampled_and_solved_right(law):
    case, periods = replace(SWEPT, law=law, period=1e-3), 2000
    rows = sample(case, Plan(periods, 0, 1, periods), RANDOM, 7, 4000)
    z = scores(rows, expected(case, 1, periods, np.full(4, 0.25)))
    assert len(z) == 8
    assert abs(z).max() < z_threshold(len(z))
    _, rates = networks.periodic_rates(case, cells=1)
    found = master_equation(case.build()).currents.rates
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(rates), rtol=1e-8)


def frozen_rates(case, phases=256):
    """Mean Energetics (g,) of the states that the fields of each instant would make stationary."""
    fraction = np.arange(phases) / phases
    energetics, total = networks._gain_rates(case, fraction), 0.0
    for w, gain in zip(networks.generator(case, fraction), energetics, strict=True):
        total = total + gain @ networks.periodic_state(np.eye(case.states) + w / 8) / phases
    return total


@EVERY_LAW
def test_a_drive_much_slower_than_the_flips_leaves_the_state_behind_by_one_over_the_period(law):
    # What is left of the difference falls as 1 / period. Rates of Metropolis have kinks, where the
    # mean over equal phases converges slowly.
    left = []
    for period in (1e5, 1e6):
        case = replace(SWEPT, law=law, period=period)
        found = np.concatenate(master_equation(case.build()).currents.rates)
        left.append((found - frozen_rates(case, 1 << 14 if law == "metropolis" else 256))[:2])
    np.testing.assert_allclose(left[0], 10 * left[1], rtol=0.02)


@pytest.mark.long
def test_exact_currents_at_a_period_of_a_billion_are_as_good_as_they_say():
    # Half a minute: for so stiff a problem collocation gives way to many short steps.
    slow, slower = replace(SWEPT, period=1e7), replace(SWEPT, period=1e9)
    left = np.concatenate(master_equation(slow.build()).currents.rates) - frozen_rates(slow)
    found, error = master_equation(slower.build()).currents
    off = np.concatenate(found) - frozen_rates(slower) - left / 100
    # Inclusive works are those of the slow drive, of which the frozen states know nothing.
    kept = [0, 1, 6, 7]
    assert (abs(off[kept]) <= np.concatenate(error)[kept]).all()
    assert np.concatenate(error).max() < 1e-10


def test_a_period_of_a_billion_is_sampled_right():
    # So cold that some hundred flips happen in it.
    case = networks.pair(0.125, 0.11, h0=0.02, phase=1.0, period=1e9)
    rows = sample(case, Plan(2, 0, 2, 1), UP, 8, 4000)
    exact = master_equation(case.build()).window(np.eye(1, 4)[0], Plan(2, 0, 2, 1)).rates
    z = scores(rows, 2 * case.period * np.concatenate(exact))
    assert len(z) == 8
    assert abs(z).max() < z_threshold(len(z))
    assert 10 < rows.flips.sum() / len(rows.flips) < 1e4


# -- nothing ---------------------------------------------------------------------------------------


@BOTH
def test_without_rates_nothing_happens_but_work(case):
    still = replace(case, rate=0.0)
    plan = Plan(2, 1, 4, 1)
    rows = sample(still, plan, RANDOM, 9, 40)
    assert not rows.flips.any()
    assert not rows.heat.any()
    assert not rows.exclusive_work.any()
    assert (rows.state == rows.state[:, :1]).all()
    h = networks.fields(case, np.arange(plan.rows + 1) / 4 % 1.0)
    moved = -rows.state[:, 1:] * np.diff(h, axis=0)
    np.testing.assert_allclose(rows.work, moved[..., case.drives], rtol=0, atol=1e-15)


def test_without_rates_there_is_no_periodic_state():
    with pytest.raises(NoExactSideError, match="never left"):
        _ = master_equation(replace(TRIANGLE, rate=0.0).build()).currents


@BOTH
def test_bonds_of_no_strength_are_none(case):
    plan, weak = Plan(2, 1, 2, 1), replace(case, bonds=[(i, j, 0.0) for i, j, _ in case.bonds])
    none = replace(case, bonds=[])
    assert same(sample(weak, plan, RANDOM, 10, 50), sample(none, plan, RANDOM, 10, 50))


def test_exact_currents_of_bonds_of_no_strength_are_those_of_none():
    weak = replace(TRIANGLE, bonds=[(i, j, 0.0) for i, j, _ in TRIANGLE.bonds])
    both = [master_equation(c.build()).currents.rates for c in (weak, replace(TRIANGLE, bonds=[]))]
    assert same(*both)


@BOTH
def test_drives_of_no_amplitude_do_no_work_and_change_nothing(case):
    plan, case = Plan(2, 1, 2, 1), PUMP if case is TRIANGLE else case
    quiet = replace(case, harmonics=[[(k, 0.0, p) for k, _, p in h] for h in case.harmonics])
    never = replace(case, harmonics=[[] for _ in case.harmonics], driven=[False] * case.sites)
    rows, undriven = (sample(c, plan, RANDOM, 11, 50) for c in (quiet, never))
    # Inclusive work is that of moving fields.
    assert not rows.work.any()
    for name in ("heat", "energy", "flips", "state"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(undriven, name))


def test_exact_work_of_drives_of_no_amplitude_is_none():
    quiet = replace(TRIANGLE, harmonics=[[(1, 0.0, 0.3)], [], [(2, 0.0, 0.1)]])
    never = replace(TRIANGLE, harmonics=[[], [], []], driven=[False] * 3)
    rates, undriven = (master_equation(c.build()).currents.rates for c in (quiet, never))
    assert not rates.work.any()
    np.testing.assert_allclose(rates.heat, undriven.heat, atol=1e-14)


# -- long runs -------------------------------------------------------------------------------------


def carried_on(case, plan, before, count):
    """Ledger of trajectories that begin as at time 0, though `before` periods have gone by."""
    later = plan._replace(burn_in=before)
    made, first = case.build(), before * plan.rows_per_period
    model = jump.prepare(made, later)
    rows = sample(case, plan, UP, 12, 1)
    rows = jump.Rows(*(np.zeros((count, *c.shape[1:]), c.dtype) for c in rows))
    replicas = jump.begin(model, UP, 12, 0, 0, count)
    jump.advance(model, later, replicas, rows, first, first + plan.segments)
    return rows


@BOTH
@pytest.mark.parametrize("before", [10**9, 10**12])
def test_the_phase_after_a_billion_periods_is_that_of_the_first_to_the_last_bit(case, before):
    # Sevenths of a period are no binary fractions.
    plan = Plan(2, 0, 7, 1)
    assert same(carried_on(case, plan, before, 20), sample(case, plan, UP, 12, 20))


def residual(rows):
    """Largest first-law residual of a row as part of its throughput, and the flips of all."""
    rest = np.diff(rows.energy, axis=1) - rows.heat.sum(axis=-1) - rows.work.sum(axis=-1)
    # A flip of the pump moves an energy of 2 (1 - 0.25) at least, one of the ring more than 1 on
    # the average: the number of flips is less than the energy that they move.
    throughput = rows.flips.sum(axis=-1, dtype=np.int64)
    return (abs(rest) / throughput).max(), throughput.sum()


def test_the_first_law_holds_over_ten_million_events():
    for case, count, periods in ((PUMP, 64, 10_000), (replace(PUMP, period=1e6), 64, 2)):
        rows = sample(case, Plan(periods, 0, 1, periods), UP, 13, count)
        part, flips = residual(rows)
        assert flips > 5e6
        assert part < 1e-13


@pytest.mark.long
def test_the_first_law_holds_over_a_billion_events(capsys):
    # In rows of many periods, in a row of a single one, and in one row of one trajectory.
    cases = {
        "128 rows of 520,000 periods": (PUMP, 128, 520_000),
        "128 rows of one period of 1.2e8": (replace(PUMP, period=1.2e8), 128, 1),
        "one row of one period, large network": (replace(RING, period=1.1e9), 1, 1),
    }
    for name, (case, count, periods) in cases.items():
        rows = sample(case, Plan(periods, 0, 1, periods), UP, 13, count)
        part, flips = residual(rows)
        with capsys.disabled():
            print(f"\n{name}: {flips:.3e} flips, residual {part:.1e} of the throughput")
        assert flips > 1e9
        assert part < 1e-9


@pytest.mark.long
def test_a_billion_periods_leave_the_phase_where_it_was(capsys):
    # One trajectory, run through. Had the phase slipped by 0.02, spins at the edges of the last
    # rows would no longer be those of the beginning of a period.
    case = networks.pair(0.6, 0.4, coupling=0.3, period=12.0, rate=0.1)
    case = replace(case, harmonics=[[(1, 0.8, 0.3)], [(1, 1.2, 1.0)]])
    rows = sample(case, Plan(10**9, 0, 1, 1000), UP, 14, 1)
    state, cells = networks.numbers(rows.state[0, 750_000:-1]), 250_000
    exact, rates = networks.periodic_rates(case)
    found = np.bincount(state, minlength=4) / cells
    z = (found - exact) / np.sqrt(exact * (1 - exact) / cells)
    # Rows of 1000 periods forget each other.
    sums = np.concatenate([getattr(rows, k)[0] for k in KINDS], axis=-1) / (1e3 * case.period)
    error = sums.std(axis=0, ddof=1) / np.sqrt(len(sums))
    z = np.append(z, (sums.mean(axis=0) - np.concatenate(rates)) / error)
    with capsys.disabled():
        flips = rows.flips.sum(dtype=np.int64)
        print(f"\n1e9 periods, {flips:.2e} flips: largest |z| of {len(z)} is {max(abs(z)):.2f}")
    assert abs(z).max() < z_threshold(len(z))
