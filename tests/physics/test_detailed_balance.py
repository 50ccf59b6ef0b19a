"""Every rate law obeys local detailed balance, and never exceeds the bound it is thinned from."""

from dataclasses import replace

import networks
import numpy as np
import pytest
from networks import TRIANGLE, Network, pair

from trajsim.models import waveform
from trajsim.models.rate_laws import LAWS
from trajsim.models.spins import law_rates, rate_bounds

EVERY_LAW = pytest.mark.parametrize("law", list(LAWS))
# Harmonics that peak together, so that the sum of the amplitudes is really reached.
PEAKED = Network(
    temperatures=[0.8, 0.5],
    bath=[0, 1],
    bonds=[(0, 1, 0.6)],
    harmonics=[[(1, 0.4, 0.0), (2, 0.3, 0.0), (5, 0.1, 0.0)], [(1, 0.7, np.pi)]],
    offset=[-0.3, 0.2],
)


def star(reach, seed, law):
    """A spin with four bonds in a field; its flip costs at most `reach` temperatures."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=5)
    x *= reach / (2 * abs(x).sum())
    temperature = rng.uniform(0.3, 3.0)
    bonds = [(0, k + 1, x[k] * temperature) for k in range(4)]
    case = Network([temperature, 1.0], [0, 1, 1, 1, 1], bonds, [[]] * 5, law=law)
    return case, x[4] * temperature


def rate(made, now, i, h):
    """Rate of the flip of spin i in a field h."""
    local, x = rate_bounds(made, now[None])[0][0, i : i + 1], now[i] * h / made.temperature[i]
    return law_rates(made.law, local, np.array([[x]]))[0, 0]


def log_ratio(made, now, site, h):
    """ln rate(s) / rate(s with `site` flipped)."""
    there = rate(made, now, site, h)
    now[site] *= -1
    back = rate(made, now, site, h)
    now[site] *= -1
    assert there > 0
    assert back > 0
    return np.log(there) - np.log(back)


@EVERY_LAW
@pytest.mark.parametrize("reach", [0.01, 1.0, 30.0, 700.0])
def test_rates_obey_detailed_balance_whatever_a_flip_costs(law, reach):
    furthest = 0.0
    for seed in range(10):
        case, h = star(reach, seed, law)
        made, s = case.build(), networks.spins(case)
        for now in s.T.astype(np.int8):
            exchange = sum(J * now[j] for _, j, J in case.bonds)
            cost = 2 * now[0] * (exchange + h) / case.temperatures[0]
            furthest = max(furthest, abs(cost))
            # Rounding of x is what exp makes of it; 1e-12 of the largest x.
            assert log_ratio(made, now, 0, h) == pytest.approx(-cost, abs=1e-12 * max(reach, 0.1))
    assert furthest == pytest.approx(reach, rel=1e-9)


@EVERY_LAW
def test_rates_obey_detailed_balance_of_the_energy_in_a_cold_driven_pair(law):
    case = pair(0.05, 0.06, law=law)
    made, state = case.build(), networks.spins(case).T.astype(np.int8)
    for fraction in (0.0, 0.2, 0.55):
        h, cost = networks.fields(case, fraction), networks.costs(case, fraction)
        for x, now in enumerate(state):
            for i in range(2):
                expected = -cost[i, x] / case.temperature[i]
                # Up to 50 temperatures, where 1 - tanh is exactly zero.
                assert log_ratio(made, now, i, h[i]) == pytest.approx(expected, abs=1e-12 * 50)


@EVERY_LAW
@pytest.mark.parametrize("case", [PEAKED, TRIANGLE, pair(0.05, 0.06)], ids=lambda c: c.period)
def test_rates_are_those_of_the_papers(law, case):
    # Detailed balance fixes only ratios: the time scale of a law is its own.
    case = replace(case, law=law)
    made = case.build()
    for fraction in (0.0, 0.2, 0.55):
        expected, h = networks.flip_rates(case, fraction), networks.fields(case, fraction)
        for x, now in enumerate(networks.spins(case).T.astype(np.int8)):
            for i in range(case.sites):
                assert rate(made, now, i, h[i]) == pytest.approx(expected[i, x], rel=1e-12)


@pytest.mark.parametrize("case", [PEAKED, TRIANGLE], ids=["peaked", "triangle"])
def test_fields_stay_within_their_bounds_and_reach_them(case):
    made, fraction = case.build(), np.arange(5000) / 5000
    h = waveform.values(made.drive, fraction)
    np.testing.assert_allclose(h, networks.fields(case, fraction), atol=1e-13)
    low, high = waveform.bounds(made.drive)
    assert (low <= h).all()
    assert (h <= high).all()
    if case is PEAKED:
        # A bound far out would be valid, and waste proposals.
        assert high[0] == pytest.approx(h[:, 0].max(), rel=1e-12)
        assert low[1] == pytest.approx(h[:, 1].min(), rel=1e-12)


@EVERY_LAW
@pytest.mark.parametrize("case", [PEAKED, TRIANGLE], ids=["peaked", "triangle"])
def test_no_rate_exceeds_its_bound_at_any_phase(law, case):
    case = replace(case, law=law)
    made = case.build()
    largest = networks.flip_rates(case, np.arange(5000) / 5000).max(axis=0)
    _, bounds = rate_bounds(made, networks.spins(case).T.astype(np.int8))
    assert (bounds >= largest.T * (1 - 1e-13)).all()
