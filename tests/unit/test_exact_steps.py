"""Building blocks of the exact side against numpy and closed forms."""

import numpy as np
import pytest
from scipy.linalg import expm

from trajsim.ensemble.answers import NoExactSideError
from trajsim.ensemble.jumps import collocation
from trajsim.ensemble.jumps.collocation import (
    DERIVATIVE,
    NODES,
    STAGES,
    WEIGHTS,
    solve_stages,
    step_edges,
)
from trajsim.ensemble.jumps.spins import _channels, jump_process
from trajsim.ensemble.jumps.stationary import stationary
from trajsim.models.rate_laws import Arrhenius, HeatBath
from trajsim.models.spins import network
from trajsim.models.waveform import Waveform, pack


def test_collocation_is_exact_for_polynomials_of_the_order_that_radau_promises():
    for power in range(STAGES + 1):
        values = np.append(0.0**power, NODES**power)
        slope = power * NODES ** max(power - 1, 0)
        np.testing.assert_allclose(DERIVATIVE @ values, slope, atol=3e-13)
    for power in range(2 * STAGES - 1):
        assert WEIGHTS @ NODES**power == pytest.approx(1 / (power + 1), rel=1e-13)
    assert abs(WEIGHTS @ NODES ** (2 * STAGES - 1) - 1 / (2 * STAGES)) > 1e-12
    assert NODES[-1] == 1.0


def test_collocation_damps_the_fastest_decay():
    # y' = -z y in one step: the last stage is the rational function that stands for exp(-z).
    def step(z):
        return np.linalg.solve(DERIVATIVE[:, 1:] + z * np.eye(STAGES), -DERIVATIVE[:, 0])[-1]

    assert step(0.5) == pytest.approx(np.exp(-0.5), rel=1e-12)
    assert abs(step(1e3)) < 0.03
    assert abs(step(1e9)) < 1e-7


@pytest.mark.parametrize("kind", [float, complex])
def test_a_step_of_a_constant_matrix_is_its_exponential(kind):
    rng = np.random.default_rng(3)
    matrices = rng.normal(size=(5, 4, 4)).astype(kind) * (1 if kind is float else 1 + 0.5j)
    durations = rng.uniform(0.05, 0.3, 5)
    stages = solve_stages(np.repeat(matrices[:, None], STAGES, axis=1), durations)
    for matrix, duration, of_step in zip(matrices, durations, stages, strict=True):
        for node, stage in zip(NODES, of_step, strict=True):
            # The last stage is of order 19, those before it of order 10.
            tolerance = 1e-11 if node == 1.0 else 1e-6
            np.testing.assert_allclose(stage, expm(matrix * duration * node), atol=tolerance)


@pytest.mark.parametrize("widest", [1.0, 0.3, 1 / 24])
@pytest.mark.parametrize("narrowest", [1.0, 1e-2, 1e-9])
@pytest.mark.parametrize(("begin", "end"), [(0.0, 1.0), (0.25, 0.25 + 1 / 64)])
def test_steps_fill_the_segment_and_grow_no_faster_than_they_may(widest, narrowest, begin, end):
    edges = step_edges(begin, end, widest, narrowest)
    widths = np.diff(edges)
    assert edges[0] == begin
    assert edges[-1] == end
    assert (widths > 0).all()
    assert widths.max() <= widest * (1 + 1e-9)
    assert widths[0] <= max(narrowest, 1e-15) * (1 + 1e-9) or len(widths) == 1
    # The edges are rounded.
    assert (widths[1:] <= collocation.GROWTH * widths[:-1] + 4e-16).all()


LAW = HeatBath(0.5)


def pair(law=LAW, coupling=1.0, temperatures=(1.0, 0.7), offset=0.3, bath=(0, 1)):
    """Two spins of which the first is driven, and the second stands in a constant field."""
    drive = pack([Waveform(0.1, [(1, 0.4, 0.0)]), Waveform(offset)])
    return network(law, 20.0, [(0, 1, coupling)], temperatures, bath, drive, [True, False])


def test_channels_are_kept_for_networks_with_the_same_alone():
    others = [
        {"law": HeatBath(0.6)},
        {"law": Arrhenius(0.5)},
        {"coupling": 0.9},
        {"temperatures": (1.0, 0.8)},
        {"offset": 0.2},
        {"bath": (0, 0)},
    ]
    u, p = np.linspace(0.0, 1.0, 5), np.tile([[0.4], [0.3], [0.2], [0.1]], (5, 1, 1))
    reference = jump_process(pair())
    for change in [*others, {}]:
        kept, made = jump_process(pair(**change)), _channels(pair(**change))
        a, b = (x.energetics(x.at(u), p) for x in (kept, made))
        np.testing.assert_array_equal(a, b)
        differs = (
            a.shape != (reference.width, 1) or (a != reference.energetics(reference.at(u), p)).any()
        )
        assert differs == bool(change)


def test_the_stationary_distribution_is_right_in_every_digit_though_states_are_rarely_left():
    # Two states that change once in 1e20 and 3e20 periods.
    p, rarest = stationary(np.array([[1.0, 3e-20], [1e-20, 1.0]]))
    np.testing.assert_allclose(p, [0.75, 0.25], rtol=1e-15)
    assert rarest == 3e-20


def test_the_stationary_distribution_is_the_eigenvector():
    u = np.random.default_rng(7).random((6, 6))
    u /= u.sum(axis=0)
    p, _ = stationary(u)
    np.testing.assert_allclose(u @ p, p, rtol=1e-14)
    assert p.sum() == pytest.approx(1.0, rel=1e-15)


def test_states_that_are_never_left_have_no_stationary_distribution():
    with pytest.raises(NoExactSideError, match="never left"):
        stationary(np.eye(4))
