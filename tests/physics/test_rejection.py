"""The kernel of large networks against the master equation, and against itself cut in pieces."""

import networks
import numpy as np
import pytest
from networks import UP, sample, z_threshold

from trajsim.ensemble.spins import ensemble as master_equation
from trajsim.kernels import jump, lanes
from trajsim.models.rate_laws import LAWS
from trajsim.plan import Plan

# More than the lanes take; fewer where what is exact takes long, and the lanes leave them alone.
MANY, FEW = 9, 5
PLAN = Plan(periods=2, burn_in=1, rows_per_period=2, segments_per_row=1)


def ring(law, sites=MANY, cold=0.6):
    """Unlike bonds, two baths, two harmonics, an offset, a site that is not driven."""
    harmonics = [[(1, 0.3 + 0.05 * i, 0.7 * i), (2 + i % 2, 0.2, 0.1 * i)] for i in range(sites)]
    harmonics[4] = []
    return networks.Network(
        temperatures=[cold, 1.1],
        bath=[i % 2 for i in range(sites)],
        bonds=[(i, (i + 1) % sites, 0.5 * (-1) ** (i // 2) + 0.1 * i) for i in range(sites)],
        harmonics=harmonics,
        offset=[0.1 * (i % 3) for i in range(sites)],
        law=law,
        period=12.0,
    )


@pytest.fixture
def no_lanes(monkeypatch):
    """Networks of any size are for the kernel of large ones."""
    monkeypatch.setattr(lanes, "MOST_CONTACTS", 0)


@pytest.mark.parametrize(
    ("law", "sites"), [("heat-bath", MANY), *((law, FEW) for law in LAWS if law != "heat-bath")]
)
def test_means_agree_with_the_master_equation(no_lanes, law, sites):
    # 1e5 to 1e6 flips a site: a rate that is 1 % off at one site lies 4 to 20 standard errors off
    # in its flips; allowed are 4.6 for the largest of some 30 quantities.
    case, count = ring(law, sites), 10_000
    rows = sample(case, PLAN, UP, 5, count)
    master = master_equation(case.build(), 1e-7)
    start = np.eye(1, case.states)[0]
    exact = master.window(start, PLAN).rates
    time = PLAN.periods * case.period
    found, expected = [], []
    for name in ("heat", "work", "exclusive_work", "flips"):
        found.append(getattr(rows, name).sum(axis=1) / time)
        expected.append(getattr(exact, name))
    found, expected = np.concatenate(found, axis=1), np.concatenate(expected)
    z = (found.mean(axis=0) - expected) / (found.std(axis=0, ddof=1) / np.sqrt(count))
    assert abs(z).max() < z_threshold(len(z))


def test_networks_are_for_this_kernel_where_the_lanes_do_not_take_them():
    models = [jump.prepare(ring("heat-bath", sites).build(), PLAN) for sites in (MANY, FEW)]
    assert [isinstance(model, lanes.LaneModel) for model in models] == [False, True]


@pytest.mark.parametrize("sites", [FEW, pytest.param(MANY, marks=pytest.mark.ensemble)])
def test_flips_where_hardly_any_happen(no_lanes, sites):
    # Bounds of the sites differ by thirty powers of two.
    case, count = ring("glauber-product", sites, cold=0.06), 40_000
    rows = sample(case, PLAN, UP, 6, count)
    exact = master_equation(case.build(), 1e-7).window(np.eye(1, case.states)[0], PLAN).rates.flips
    flips = rows.flips.sum(axis=(0, 1)) / (count * PLAN.periods * case.period)
    seen = rows.flips.sum(axis=1)
    frequent = seen.sum(axis=0) > 400
    assert frequent.any()
    error = seen.std(axis=0, ddof=1) / np.sqrt(count) / (PLAN.periods * case.period)
    z = (flips - exact)[frequent] / error[frequent]
    assert abs(z).max() < z_threshold(len(z))


CASES = {"lanes": networks.TRIANGLE, "rejection": ring("heat-bath")}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_run_in_pieces_is_the_run_in_one_go(case):
    plan = Plan(periods=4, burn_in=1, rows_per_period=3, segments_per_row=1)
    whole = sample(case, plan, UP, 3, 70)
    model = jump.prepare(case.build(), plan)
    replicas = jump.begin(model, UP, 3, 0, 0, 70)
    pieces = jump.Rows(*(np.full_like(column, 77) for column in whole))
    for first, last in ((0, 1), (1, 5), (5, 5), (5, 14), (14, 15)):
        jump.advance(model, plan, replicas, pieces, first, last)
    for name in whole._fields:
        np.testing.assert_array_equal(getattr(pieces, name), getattr(whole, name), err_msg=name)


def test_a_trajectory_is_the_same_alone_and_among_others():
    case = ring("metropolis")
    alone, among = sample(case, PLAN, UP, 7, 1, first=20), sample(case, PLAN, UP, 7, 30)
    for name in alone._fields:
        np.testing.assert_array_equal(getattr(alone, name)[0], getattr(among, name)[20])


def test_a_law_that_does_not_fall_with_its_field_is_refused(monkeypatch):
    # The thinning bound is the rate at one end of the field.
    made = networks.PUMP.build()
    with pytest.raises(ValueError, match="exceeds its thinning bound"):
        jump.prepare(made._replace(low=made.high, high=made.low), PLAN)


def test_too_many_sites_are_refused():
    made = networks.Network([1.0], [0], [], [[]]).build()
    many = made._replace(bath=np.zeros((1 << 18) + 1, np.int64))
    with pytest.raises(ValueError, match="at most 262144"):
        jump.prepare(many, PLAN)
