"""Elementary functions of the kernels against the C library in extended precision."""

import numpy as np
import pytest

from trajsim.compiled.elementary import circle, cosine, exp, log

# numpy's long double carries 11 more bits than float64 here; where it does not, it cannot judge.
pytestmark = pytest.mark.skipif(
    np.finfo(np.longdouble).eps > 2e-19, reason="no extended precision on this machine"
)


def off_by(function, true, x):
    """Largest error in units of the last place of float64."""
    found = np.array([function(value) for value in x])
    expected = true(x.astype(np.longdouble))
    return float(np.max(np.abs(found - expected) / np.spacing(np.abs(expected.astype(float)))))


def test_log_is_good_to_one_unit_in_the_last_place():
    rng = np.random.default_rng(1)
    x = np.concatenate(
        [
            rng.random(20_000),
            2.0 ** -rng.uniform(0, 65, 5_000),
            1 - rng.random(5_000) * 1e-3,
            1 + rng.random(5_000) * 1e-3,
            [2.0**-65, 0.5, np.sqrt(0.5), 1.0, 2.0, 1e300, 1e-300],
        ]
    )
    assert off_by(log, np.log, x) <= 1.0
    assert log(1.0) == 0.0


def test_exp_is_good_to_two_units_in_the_last_place():
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.uniform(-700, 700, 20_000), rng.uniform(-1, 1, 5_000), [0.0]])
    assert off_by(exp, np.exp, x) <= 1.5
    assert exp(0.0) == 1.0


def test_exp_is_good_to_the_ends_of_its_range_and_nothing_or_infinite_beyond():
    assert off_by(exp, np.exp, np.array([-708.0, 709.0])) <= 1.5
    for far in (709.5, 1e6, 1e300, np.inf):
        assert exp(far) == np.inf
    for far in (-709.1, -1e6, -1e300, -np.inf):
        assert exp(far) == 0.0


def test_a_rate_too_small_for_a_number_is_none():
    # 1 over the largest number would still be a rate, and no state would ever be left for good.
    assert 2.0 / (1.0 + exp(2.0 * 1000.0)) == 0.0


def test_circle_is_good_to_two_units_of_rounding():
    turns = np.concatenate(
        [np.random.default_rng(3).random(20_000), np.arange(17) / 16, [0.125 - 2.0**-54, 1e6 + 0.3]]
    )
    angle = 2 * np.longdouble("3.14159265358979323846264338327950288") * turns.astype(np.longdouble)
    across, sine = np.array([circle(value) for value in turns]).T
    inside = turns < 2
    assert np.abs(across - np.cos(angle))[inside].max() < 2e-16
    alone = np.array([cosine(value) for value in turns])
    assert np.abs(alone - np.cos(angle))[inside].max() < 4e-16
    assert np.abs(sine - np.sin(angle))[inside].max() < 2e-16
    # Whole turns drop out, whatever their number.
    assert circle(1e6 + 0.25) == pytest.approx((0.0, 1.0), abs=1e-10)
    assert [circle(k / 4) for k in range(5)] == [(1, 0), (0, 1), (-1, 0), (0, -1), (1, 0)]
