"""The exact side of linear oscillators against closed forms and the moment equations."""

import numpy as np
import pytest
from oscillator_networks import closed_form, moment_equations, pair, ring

from trajsim.ensemble import gaussian
from trajsim.ensemble.answers import NoExactSideError
from trajsim.models import oscillators
from trajsim.models.waveform import Waveform, pack
from trajsim.plan import Plan


@pytest.mark.parametrize(
    ("tl", "tr", "phase", "other"),
    [
        (1.0, 1.0, np.pi / 2, {}),
        (1.3, 0.4, 2.2, {}),
        (0.2, 2.0, -1.0, {"stiffness": 0.3, "coupling": 1.7, "amplitude": 0.6, "friction": 0.2}),
        (5.0, 1.0, 0.4, {"mass": 2.5, "period": 7.0}),
    ],
)
def test_currents_are_those_of_the_papers_equation_7(tl, tr, phase, other):
    rates = gaussian.LinearEnsemble(pair((tl, tr), phase, **other)).currents.rates
    names = {
        "stiffness": "k",
        "coupling": "kc",
        "amplitude": "f0",
        "friction": "gamma",
        "mass": "m",
    }
    expected = closed_form(tl, tr, phase, **{names.get(k, k): v for k, v in other.items()})
    np.testing.assert_allclose(np.append(rates.heat, rates.work), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("make", [pair, ring])
def test_transient_from_rest_agrees_with_the_moment_equations(make):
    network, periods = make(), 2
    n = len(network.mass)
    rest = gaussian.start_state(network, "rest")
    end = moment_equations(network, rest, periods)
    course = gaussian.LinearEnsemble(network).time_series(rest, 4, periods)
    heat, work, exclusive = np.split(end[2 * n + 4 * n * n :], 3)
    by_bath = [heat[network.bath == b].sum() for b in range(2)]
    np.testing.assert_allclose(course.state[-1].mean, end[: 2 * n], atol=1e-9)
    np.testing.assert_allclose(
        course.state[-1].covariance.ravel(), end[2 * n : 2 * n + 4 * n * n], atol=1e-9
    )
    np.testing.assert_allclose(course.energetics.heat.sum(axis=0), by_bath, atol=1e-8)
    np.testing.assert_allclose(
        course.energetics.work.sum(axis=0), work[network.driven >= 0], atol=1e-8
    )
    np.testing.assert_allclose(
        course.energetics.exclusive_work.sum(axis=0), exclusive[network.driven >= 0], atol=1e-8
    )


def test_periodic_state_returns_to_itself_and_carries_the_period_averages():
    ensemble = gaussian.LinearEnsemble(ring())
    course = ensemble.time_series(ensemble.periodic_state, 6)
    np.testing.assert_allclose(course.state[-1].mean, course.state[0].mean, atol=1e-12)
    rates = ensemble.currents.rates
    for mean, gain in zip(rates, course.energetics, strict=True):
        np.testing.assert_allclose(gain.sum(axis=0) / ensemble.network.period, mean, atol=1e-12)
    assert abs(rates.heat.sum() + rates.work.sum()) < 1e-13


def test_window_is_the_average_of_the_periods_it_covers():
    network, plan = ring(), Plan(periods=6, burn_in=1, rows_per_period=1, segments_per_row=2)
    ensemble = gaussian.LinearEnsemble(network)
    rest = gaussian.start_state(network, "rest")
    course = ensemble.time_series(rest, 1, 7)
    window = ensemble.window(rest, plan)
    for mean, gain in zip(window.rates, course.energetics, strict=True):
        np.testing.assert_allclose(mean, gain[1:].mean(axis=0) / network.period, atol=1e-12)
    begins = [course.state[k].mean[:4] for k in (1, 3, 5)]
    np.testing.assert_allclose(window.edges["position"][0], np.mean(begins, axis=0), atol=1e-12)


def test_long_windows_end_in_the_periodic_currents():
    network = pair((1.2, 0.7))
    ensemble = gaussian.LinearEnsemble(network)
    window = ensemble.window(gaussian.start_state(network, "rest"), Plan(100_000, 50, 1, 1))
    np.testing.assert_allclose(window.rates.heat, ensemble.currents.rates.heat, atol=1e-13)


def test_variance_of_work_is_twice_temperature_times_work_where_all_are_equally_warm():
    ensemble = gaussian.LinearEnsemble(pair((0.8, 0.8), 1.1))
    _, total = ensemble.work_variance_rate
    assert total == pytest.approx(2 * 0.8 * ensemble.currents.rates.work.sum(), rel=1e-12)


def chain(frictions, stiffness=1.0, couplings=(1.0, 1.0)):
    """Three oscillators in a row; a site of no friction has no bath."""
    return oscillators.network(
        period=3.0,
        mass=[1.0] * 3,
        friction=frictions,
        temperature=[1.0] * 3,
        bath=[0 if friction else -1 for friction in frictions],
        site_stiffness=[stiffness] * 3,
        site_quartic=[0.0] * 3,
        bonds=[(0, 1, couplings[0], 0.0), (1, 2, couplings[1], 0.0)],
        drive=pack([Waveform()] * 3),
        driven=[False] * 3,
    )


@pytest.mark.parametrize(
    ("network", "weakly"),
    [
        # The outer two in opposition leave the middle at rest.
        (chain([0.0, 0.5, 0.0]), False),
        (chain([0.0, 0.5, 0.0], couplings=(1.0, 1.0 + 1e-12)), True),
        (chain([0.5, 0.0, 0.0], couplings=(1.0, 0.0)), False),
        (chain([0.5, 0.0, 0.0], couplings=(1.0, 1e-8)), True),
        (chain([1e-13, 0.0, 0.0]), True),
        # Nothing brings it back, or it is driven away.
        (chain([0.5, 0.5, 0.5], stiffness=0.0), False),
        (chain([0.5, 0.5, 0.5], stiffness=-1.0), False),
    ],
)
def test_weakly_damped_is_not_called_undamped(network, weakly):
    with pytest.raises(NoExactSideError) as refused:
        gaussian.LinearEnsemble(network)
    assert ("too weakly to be told from undamped" in str(refused.value)) == weakly
    assert ("is not damped" in str(refused.value)) != weakly
