"""Cells of the period with bounds of their own: how tight they are; trajectories stay exact."""

import networks
import numpy as np
import pytest
from driven_spins import Wave
from test_driven_spins import CASES, EVERY, sampled

from trajsim.kernels import cells, jump, lanes, rejection
from trajsim.kernels.random import next_bits
from trajsim.kernels.replay import replay
from trajsim.models.spins import in_parts, rate_bounds
from trajsim.plan import Plan

WIDE = CASES["so wide that there are cells"]
ONE = Plan(periods=1, burn_in=0, rows_per_period=1, segments_per_row=1)
KERNELS = pytest.mark.parametrize("kernel", [lanes, rejection], ids=["lanes", "rejection"])


@EVERY
@pytest.mark.parametrize("count", [1, 7, 40])
def test_no_rate_exceeds_the_bound_of_its_cell_and_bounds_are_tight(case, count):
    edges = np.arange(count + 1) / count
    parts, tightest = in_parts(case.build(), edges), 1.0
    for part, begin, end in zip(parts, edges[:-1], edges[1:], strict=True):
        bound = rate_bounds(part, case.spins.T.astype(np.int8))[1].T
        largest = np.zeros_like(bound)
        for u in np.linspace(begin, end, 41):
            for side in (1, -1):
                if u + side * 1e-9 < begin or u + side * 1e-9 > end:
                    continue
                rates = case.flip_rates(
                    lambda w, u=u, side=side: w.at(u, side) if isinstance(w, Wave) else w
                )
                largest = np.maximum(largest, rates)
        assert (largest <= bound * (1 + 1e-12)).all()
        tightest = min(tightest, (largest / bound).min())
    if count == 40:
        # Not as tight: a coupling and a temperature need not be extreme together; jumps in a cell.
        assert tightest > 0.15


def acceptance(kernel, case, count=20):
    """Flips of those proposed, from the random numbers drawn, of a kernel's own choice of cells."""
    network, plan = case.build(), ONE._replace(periods=5)
    model = kernel.prepare(network, plan)
    before = jump.begin(model, networks.UP, 3, 0, 0, count)
    after = jump.begin(model, networks.UP, 3, 0, 0, count)
    flips, _ = jump.advance(model, plan, after, empty(case, plan, count), 0, plan.segments)
    numbers = 0
    for stream, last in zip(before.stream, after.stream, strict=True):
        while (stream != last).any():
            next_bits(stream)
            numbers += 1
    # One for the first wait; then of a proposal: lanes draw a mark and a wait, the other kernel
    # a site, a mark and a wait.
    return flips / ((numbers - count) / (2 if kernel is lanes else 3))


def empty(case, plan, count):
    """Rows of a ledger."""
    network, baths = case.build(), len(case.temperatures)
    return jump.Rows(
        np.zeros((count, plan.rows, baths)),
        np.zeros((count, plan.rows, network.drives)),
        np.zeros((count, plan.rows, network.drives)),
        np.zeros((count, plan.rows + 1)),
        np.zeros((count, plan.rows, case.sites), np.int32),
        np.zeros((count, plan.rows + 1, case.sites), np.int8),
        np.zeros((count, plan.rows, baths if network.heated else 0)),
    )


@KERNELS
def test_cells_keep_the_acceptance_ratio_above_a_half(kernel, monkeypatch):
    # Classes are powers of two: in the mean their bounds are 1 / ln 2 times what they must be.
    loss = 1.0 if kernel is lanes else np.log(2.0)
    assert acceptance(kernel, WIDE) > 0.5 * loss
    if kernel is rejection:
        monkeypatch.setattr(cells, "MOST", 0)
        assert acceptance(kernel, WIDE) < 0.2 * loss


def test_what_hardly_changes_has_no_cells():
    network = networks.PUMP.build()
    for kernel in (lanes, rejection):
        assert kernel.prepare(network, ONE).parts == 1


@KERNELS
def test_flips_occur_as_often_as_they_should_at_every_phase(kernel):
    count, plan = 20_000, ONE._replace(rows_per_period=24)
    assert kernel.prepare(WIDE.build(), plan).parts >= 24
    ledger = sampled(WIDE, plan, count, kernel)
    _, gains = WIDE.follow(np.eye(4)[0], 24, 1)
    baths, drives = len(WIDE.temperatures), len(WIDE.waves)
    expected = gains[:, baths + drives : baths + drives + WIDE.sites]
    errors = ledger.flips.std(axis=0) / count**0.5
    z = (ledger.flips.mean(axis=0) - expected) / errors
    assert abs(z).max() < networks.z_threshold(z.size)


@KERNELS
def test_a_call_may_end_anywhere_and_a_replay_finds_the_same_flips(kernel):
    plan, count = Plan(periods=2, burn_in=1, rows_per_period=3, segments_per_row=1), 3
    model = kernel.prepare(WIDE.build(), plan)
    assert model.each > 1
    at_once, bit_by_bit = empty(WIDE, plan, count), empty(WIDE, plan, count)
    replicas = jump.begin(model, networks.UP, 5, 0, 0, count)
    jump.advance(model, plan, replicas, at_once, 0, plan.segments)
    replicas = jump.begin(model, networks.UP, 5, 0, 0, count)
    for segment in range(plan.segments):
        jump.advance(model, plan, replicas, bit_by_bit, segment, segment + 1)
    for one, other in zip(at_once, bit_by_bit, strict=True):
        np.testing.assert_array_equal(one, other)
    replicas = jump.begin(model, networks.UP, 5, 0, 0, 1)
    for segment in range(plan.segments):
        flips = replay(model, replicas, segment % 3)
        assert (np.diff(flips.when) > 0).all()
        assert ((flips.when >= 0) & (flips.when < 1)).all()
        if segment >= 3:
            row = segment - 3
            found = np.bincount(flips.contact, minlength=WIDE.sites)
            np.testing.assert_array_equal(found, at_once.flips[0, row])
            np.testing.assert_array_equal(replicas.spins[0], at_once.state[0, row + 1])
