"""A mean and its standard error, as text and as a tuple; tables by label."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trajsim
from trajsim.analysis.estimate import ByLabel, Estimate

nan, inf = math.nan, math.inf


@pytest.mark.parametrize(
    ("mean", "stderr", "text"),
    [
        (0.5573, 0.026, "0.557(26)"),
        (0.5573, 0.0026, "0.5573(26)"),
        (-0.5573, 0.0996, "-0.56(10)"),  # the error is rounded first
        (12.0, 9.96, "12(10)"),
        (557.0, 26.0, "557(26)"),
        # Errors beyond the point are written with theirs, and may exceed the mean.
        (55.73, 2.6, "55.7(2.6)"),
        (0.01, 2.3, "0.0(2.3)"),
        (0.0, 0.026, "0.000(26)"),
        (-0.0001, 0.026, "-0.000(26)"),
        # Small and large numbers, and digits that are not known, take a power of ten.
        (1.234e-5, 5.6e-7, "1.234(56)e-05"),
        (1.234e-4, 5.6e-6, "0.0001234(56)"),
        (9.999e-6, 2e-7, "1.000(20)e-05"),
        (0.0, 2.6e-7, "0.0(2.6)e-07"),
        (5573.0, 260.0, "5.57(26)e+03"),
        (1.5e-3, 2e5, "0.0(2.0)e+05"),
        (1e15, 300.0, "1.00000000000000(30)e+15"),
        (1e308, 1e307, "1.00(10)e+308"),
        # No more digits than a number has.
        (1e20, 1.0, "1.000000000000000(0)e+20"),
        (5e-324, 5e-324, "4.9(4.9)e-324"),
        # Errors that are none, or not known.
        (0.5573, 0.0, "0.5573(0)"),
        (0.0, 0.0, "0(0)"),
        (1.2e-7, 0.0, "1.2(0)e-07"),
        (0.5573, nan, "0.5573(nan)"),
        (0.5573, inf, "0.5573(inf)"),
        (nan, 0.1, "nan(0.1)"),
        (-inf, nan, "-inf(nan)"),
        (np.float64(0.5573), np.float32(0.026), "0.557(26)"),
        (2, 1, "2.0(1.0)"),
    ],
)
def test_the_digits_in_brackets_are_those_of_the_error(mean, stderr, text):
    assert str(Estimate(mean, stderr)) == f"{Estimate(mean, stderr)}" == text


def read(text):
    """Mean and error that a text tells of."""
    digits, _, power = text.partition("e")
    mean, _, error = digits.rstrip(")").partition("(")
    unit = 10.0 ** int(power or 0)
    places = len(mean.partition(".")[2])
    small = 1.0 if "." in error else 10.0**-places
    return float(mean) * unit, float(error) * small * unit


@given(st.floats(-1e30, 1e30), st.floats(1e-30, 1e30))
def test_what_is_written_is_mean_and_error_to_two_digits(mean, stderr):
    shown, error = read(str(Estimate(mean, stderr)))
    if stderr > 1e-13 * abs(mean):
        assert error == pytest.approx(stderr, rel=0.051)
        assert abs(shown - mean) <= 0.051 * stderr + 1e-14 * abs(mean)
    assert shown == pytest.approx(mean, abs=0.051 * stderr + 1e-14 * abs(mean))


def test_a_format_holds_for_both():
    x = Estimate(0.5573, 0.026)
    assert f"{x:.3e}" == "5.573e-01 +- 2.600e-02"
    assert f"{x:+.2f}" == "+0.56 +- +0.03"
    assert repr(x) == "Estimate(mean=0.5573, stderr=0.026)"
    with pytest.raises(ValueError, match="format"):
        f"{x:nonsense}"


def test_it_is_a_tuple_of_two():
    mean, stderr = x = trajsim.Estimate(1.0, 0.5)
    assert (mean, stderr) == x == (x.mean, x.stderr)
    assert pickle.loads(pickle.dumps(x)) == x
    assert isinstance(x, tuple)


def test_arrays_have_their_estimates_at_places():
    x = Estimate(np.array([[1.0, 2.0], [3.0, 4.0]]), np.full((2, 2), 0.1))
    assert x.at((1, 0)) == (3.0, 0.1)
    assert str(x.at((0, 1))) == "2.00(10)"
    np.testing.assert_array_equal(x.at(0).mean, [1.0, 2.0])
    assert "+-" in str(x)


def test_an_unknown_label_names_those_that_there_are():
    rates = ByLabel(L=Estimate(0.5573, 0.026), R=Estimate(-1.0, 0.5))
    assert repr(rates) == "{'L': 0.557(26), 'R': -1.00(50)}"
    with pytest.raises(KeyError, match="no 'X'; there are L, R"):
        rates["X"]
    with pytest.raises(KeyError, match="no 'X'; there are none"):
        ByLabel()["X"]
    assert rates.get("X") is None
    assert "X" not in rates
    other = pickle.loads(pickle.dumps(rates))
    assert (type(other), other) == (ByLabel, rates)
    assert rates == {"L": (0.5573, 0.026), "R": (-1.0, 0.5)}
