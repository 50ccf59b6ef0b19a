"""The books balance on every trajectory and in every row, and tell of the recorded states."""

from dataclasses import replace

import networks
import numpy as np
import pytest
from flip_counts import SWAYED
from networks import ENGINE, PUMP, RANDOM, TRIANGLE, numbers, sample

from trajsim.ledger import first_law_residual
from trajsim.models.rate_laws import LAWS
from trajsim.plan import Plan

UNDRIVEN = networks.pair(h0=0.0, period=30.0)
UNCOUPLED = replace(TRIANGLE, bonds=[])
CASES = {
    "pump": (PUMP, Plan(6, 1, 1, 2)),
    "engine": (ENGINE, Plan(2, 1, 8, 1)),
    "undriven": (UNDRIVEN, Plan(4, 0, 3, 1)),
    "uncoupled": (UNCOUPLED, Plan(3, 2, 16, 1)),
    "triangle": (TRIANGLE, Plan(3, 2, 16, 1)),
    "triangle, heat-bath": (replace(TRIANGLE, law="heat-bath"), Plan(3, 2, 16, 1)),
    **{law: (replace(SWAYED, law=law), Plan(3, 2, 16, 1)) for law in LAWS},
    "triangle, long rows": (TRIANGLE, Plan(12, 3, 1, 4)),
}


@pytest.fixture(scope="module", params=CASES, name="run")
def made_run(request):
    case, plan = CASES[request.param]
    return case, plan, sample(case, plan, RANDOM, seed=3, count=300)


def rounding(case, rows):
    """What rounding may leave in a row (m, row): ulps of the energies that each flip moves."""
    reach = [sum(abs(a) for _, a, _ in terms) for terms in case.harmonics]
    fields = sum(reach) + sum(np.abs(case.offset))
    largest = 4 * (fields + sum(abs(J) for _, _, J in case.bonds))
    return 4 * np.finfo(float).eps * largest * (rows.flips.sum(axis=-1) + 8)


def edges(plan):
    """Fractions of the period at which rows begin and end."""
    return np.arange(plan.rows + 1) * plan.segments_per_row / plan.rows_per_period % 1.0


def test_energy_changes_by_heat_and_work(run):
    case, _, rows = run
    gained = rows.heat.sum(axis=-1) + rows.work.sum(axis=-1)
    residual = np.diff(rows.energy, axis=-1) - gained
    assert (abs(residual) <= rounding(case, rows)).all()
    np.testing.assert_allclose(first_law_residual(rows._asdict()), residual, atol=1e-12)
    # Not because nothing happened.
    assert rows.flips.sum(axis=(0, 1)).min() > 100


def test_recorded_energy_is_that_of_the_recorded_state(run):
    case, plan, rows = run
    of_state = networks.energies(case, edges(plan))
    expected = of_state[np.arange(plan.rows + 1), numbers(rows.state)]
    np.testing.assert_allclose(rows.energy, expected, rtol=0, atol=1e-12)


def test_works_differ_by_the_field_energy_at_the_edges(run):
    case, plan, rows = run
    # W0 - W = int h ds + int s dh = [h s]
    boundary = networks.fields(case, edges(plan)) * rows.state
    expected = np.diff(boundary, axis=1)[..., case.drives]
    found = rows.exclusive_work - rows.work
    assert (abs(found - expected) <= rounding(case, rows)[..., None]).all()


def test_a_bath_gives_the_heat_of_its_own_spins_only(run):
    case, plan, rows = run
    rest = np.diff(rows.energy, axis=-1) - rows.work.sum(axis=-1)
    checked = 0
    for bath in range(len(case.temperatures)):
        others = [i for i in range(case.sites) if case.bath[i] != bath]
        alone = (rows.flips[..., others] == 0).all(axis=-1)
        off = rows.heat[..., bath] - rest
        assert (abs(off) <= rounding(case, rows))[alone].all()
        own = [i for i in range(case.sites) if case.bath[i] == bath]
        silent = (rows.flips[..., own] == 0).all(axis=-1)
        assert (rows.heat[..., bath][silent] == 0.0).all()
        checked += (alone & ~silent).sum() + (silent & ~alone).sum()
    # Short rows in which one bath was at work are frequent.
    assert checked > 1000 or plan.rows_per_period < 8


def test_spins_without_bonds_keep_separate_books():
    # Then each site has an energy of its own, -h s, and the heat of its bath is its to know.
    case, plan = replace(PUMP, bonds=[], offset=[0.1, -0.2], period=20.0), Plan(3, 1, 4, 1)
    rows = sample(case, plan, RANDOM, seed=4, count=300)
    own = -networks.fields(case, edges(plan)) * rows.state
    work = np.zeros_like(rows.heat)
    work[..., case.drives] = rows.work
    off = np.diff(own, axis=1) - rows.heat - work
    assert (abs(off) <= rounding(case, rows)[..., None]).all()


def test_an_undriven_spin_takes_up_heat_in_quanta():
    # Spins alone in constant fields: heat is 2h for each flip down, -2h for each flip up.
    case = replace(UNDRIVEN, bonds=[], offset=[0.3, -0.2], period=5.0)
    rows = sample(case, Plan(4, 1, 2, 1), RANDOM, seed=5, count=500)
    expected = -np.array(case.offset) * np.diff(rows.state.astype(float), axis=1)
    np.testing.assert_allclose(rows.heat, expected, atol=1e-13)


def test_spins_that_flipped_an_odd_number_of_times_have_changed(run):
    _, _, rows = run
    changed = rows.state[:, 1:] != rows.state[:, :-1]
    np.testing.assert_array_equal(changed, rows.flips % 2 == 1)
