"""Means and spreads gathered slice by slice are those of all samples at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajsim.analysis.moments import Moments


def gathered(samples, cuts, covariance=False):
    moments = Moments(covariance)
    for part in np.split(samples, cuts):
        if len(part):
            moments.add(part)
    return moments


@st.composite
def sliced(draw, shape=(3,)):
    """Samples whose mean may be far larger than their spread, and where they are cut."""
    count = draw(st.integers(2, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    centre = draw(st.sampled_from([0.0, 1.0, -1e6, 1e9]))
    cuts = sorted(draw(st.lists(st.integers(0, count), max_size=6)))
    return centre + random.normal(size=(count, *shape)), cuts


@given(sliced())
def test_mean_variance_and_error_are_those_of_numpy(case):
    samples, cuts = case
    moments = gathered(samples, cuts)
    assert moments.count == len(samples)
    np.testing.assert_allclose(moments.mean, samples.mean(axis=0), rtol=1e-13, atol=1e-13)
    # numpy itself loses what a mean of 1e9 leaves of a spread of 1.
    centred = (samples - samples[0]).astype(np.longdouble)
    variance = centred.var(axis=0, ddof=1).astype(float)
    np.testing.assert_allclose(moments.variance, variance, rtol=1e-6)
    np.testing.assert_allclose(moments.stderr, np.sqrt(variance / len(samples)), rtol=1e-6)


@given(sliced())
def test_covariance_is_that_of_numpy(case):
    samples, cuts = case
    moments = gathered(samples, cuts, covariance=True)
    centred = samples - samples[0]
    covariance = np.cov(centred, rowvar=False)
    np.testing.assert_allclose(moments.variance, covariance, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(moments.stderr, covariance / len(samples), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(moments.variance, moments.variance.T)


@given(sliced(shape=(2, 3)))
def test_samples_of_any_shape_keep_it(case):
    samples, cuts = case
    moments = gathered(samples, cuts)
    assert moments.mean.shape == moments.variance.shape == moments.stderr.shape == (2, 3)


def test_the_diagonal_of_the_covariance_is_the_variance():
    samples = np.random.default_rng(1).normal(size=(50, 4))
    plain, full = gathered(samples, [7, 20]), gathered(samples, [7, 20], covariance=True)
    np.testing.assert_allclose(np.diag(full.variance), plain.variance, rtol=1e-12)
    np.testing.assert_allclose(np.sqrt(np.diag(full.stderr)), plain.stderr, rtol=1e-12)


@pytest.mark.parametrize("covariance", [False, True])
def test_one_sample_has_no_error(covariance):
    moments = Moments(covariance)
    moments.add(np.array([[1.0, 2.0]]))
    assert moments.mean.tolist() == [1.0, 2.0]
    assert np.isnan(moments.stderr).all()


def test_no_digits_are_lost_in_a_million_slices_of_a_large_mean():
    samples = 1e8 + np.random.default_rng(2).normal(size=(20_000, 1))
    moments = gathered(samples, range(1, 20_000))
    assert moments.variance == pytest.approx((samples - 1e8).var(axis=0, ddof=1), rel=1e-7)


def test_equal_samples_have_no_spread():
    moments = gathered(np.full((30, 2), 0.1), [3, 11])
    np.testing.assert_allclose(moments.variance, 0.0, atol=1e-30)
