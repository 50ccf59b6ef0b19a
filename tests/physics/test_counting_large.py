"""Fluctuations of networks too large for matrices are those that matrices give."""

from dataclasses import replace

import numpy as np
import pytest
from networks import HEXAGON

from trajsim.ensemble import Weights, counting_of
from trajsim.ensemble.jumps.counting_dense import DenseCounting
from trajsim.ensemble.jumps.counting_sparse import SparseCounting

# Fewer spins than are left without matrices, lest the matrices take long.
PENTAGON = replace(
    HEXAGON,
    bath=HEXAGON.bath[:5],
    bonds=[*HEXAGON.bonds[:4], (4, 0, -0.6)],
    harmonics=HEXAGON.harmonics[:5],
    offset=HEXAGON.offset[:5],
    period=2.0,
)
WEIGHTS = Weights([0.6, -0.3, 0.2], [0.5, 0.0, -0.4])
LAWS = ["metropolis", pytest.param("glauber-product", marks=pytest.mark.long)]


@pytest.fixture(scope="module", params=LAWS, name="both")
def made_both(request):
    made = replace(PENTAGON, law=request.param).build()
    large, small = counting_of(made), counting_of(made)
    large.map = SparseCounting(large.process)
    small.map = DenseCounting(small.process, 1e-10)
    return large, small


def test_long_times_agree(both):
    large, small = both
    np.testing.assert_allclose(large.mean_rate, small.mean_rate, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(large.covariance_rate, small.covariance_rate, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(
        large.cumulant_rates(WEIGHTS), small.cumulant_rates(WEIGHTS), rtol=1e-6, atol=1e-8
    )
    heat, work = (np.array(w) for w in WEIGHTS)
    assert large.theta(heat, work) == pytest.approx(float(small.theta(heat, work)), rel=1e-6)


@pytest.mark.parametrize("start", ["up", "random"])
def test_finite_times_agree(both, start):
    large, small = both
    np.testing.assert_allclose(
        large.covariance(start, 2), small.covariance(start, 2), rtol=1e-6, atol=1e-8
    )
    np.testing.assert_allclose(
        large.finite_cumulants(start, 2, WEIGHTS),
        small.finite_cumulants(start, 2, WEIGHTS),
        rtol=1e-6,
        atol=1e-8,
    )
    assert large.log_average(start, 2, WEIGHTS) == pytest.approx(
        small.log_average(start, 2, WEIGHTS), rel=1e-6
    )


def test_entropy_production_of_a_large_network_averages_to_one():
    found = counting_of(HEXAGON.build())
    beta = 1 / np.array(HEXAGON.temperatures)
    assert abs(found.log_average("random", 1, {"heat": beta})) < 1e-6
