"""Exact fluctuations of spins obey closed forms, symmetries and a second, independent solution."""

import pickle
from dataclasses import replace

import counted
import numpy as np
import pytest
from networks import ENGINE, PUMP, TRIANGLE, Network, pair, periodic_rates
from scipy.linalg import expm

from trajsim.ensemble import NoExactSideError, Weights, counting_of, ensemble
from trajsim.ensemble.jumps.waves import apply_maps
from trajsim.models.rate_laws import LAWS

FAST = pair(0.9, 0.4, h0=0.6, coupling=-0.7, period=4.0)
CASES = {
    "pump": PUMP,
    "engine": ENGINE,
    "fast": FAST,
    **{f"triangle, {law}": replace(TRIANGLE, law=law) for law in LAWS},
    "a spin alone": Network([0.6], [0], [], [[(1, 0.7, 0.4), (2, 0.3, 0.0)]], period=15.0),
}


@pytest.fixture(params=CASES, name="case")
def made_case(request):
    return CASES[request.param]


def some_weights(case, seed=0):
    rng = np.random.default_rng(seed)
    heat = rng.uniform(-0.5, 0.5, len(case.temperatures))
    return Weights(heat, rng.uniform(-0.5, 0.5, len(case.drives)))


def test_variance_and_cumulant_rates_of_the_pump_are_known_numbers():
    found = counting_of(PUMP.build())
    covariance = found.covariance_rate
    np.testing.assert_allclose(np.diag(covariance)[:2], [0.0622357, 0.0621997], atol=0.6e-7)
    assert covariance[2, 2] == pytest.approx(7.9776e-4, abs=0.6e-8)
    assert covariance[2:, 2:].sum() == pytest.approx(6.3743e-4, abs=0.6e-8)
    third = found.cumulant_rates({"heat": [1, 0]})[2]
    assert third == pytest.approx(0.0147439, abs=0.6e-7)


def test_theta_is_that_of_the_tilted_generator(case):
    found = counting_of(case.build())
    for seed in range(2):
        heat, work = some_weights(case, seed)
        expected = counted.theta(case, heat, work)
        assert found.theta(heat, work) == pytest.approx(expected, rel=1e-9, abs=1e-11)


def theta_in_steps(tilt, steps):
    """theta of the pump by steps of constant rates, each result divided by its size."""
    k = counted.tilted(PUMP, (np.arange(steps) + 0.5) / steps, np.array([tilt, 0.0]), np.zeros(2))
    lift, duration = np.linalg.eigvals(k).real.max(axis=1), PUMP.period / steps
    whole, logarithm = np.eye(4), lift.sum() * duration
    for part in expm((k - lift[:, None, None] * np.eye(4)) * duration):
        whole = part @ whole
        size = abs(whole).max()
        whole, logarithm = whole / size, logarithm + np.log(size)
    return (np.log(abs(np.linalg.eigvals(whole)).max()) + logarithm) / PUMP.period


@pytest.mark.parametrize("tilt", [-10.0, 8.0, 20.0])
def test_theta_far_out_is_that_of_exponentials_of_short_times(tilt):
    # Jumps that weigh from 1e-25 to 1e25, so that the maps of a period are beyond all numbers; the
    # exponentials of such matrices are rounded at 1e-7.
    expected = theta_in_steps(tilt, 4000)
    assert counting_of(PUMP.build()).theta([tilt, 0.0]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["fast", "triangle, metropolis", "a spin alone"])
def test_cumulants_are_the_derivatives_of_theta(name):
    case = CASES[name]
    found, weights = counting_of(case.build()), some_weights(case)
    heat, work = (np.array(w) for w in weights)
    # A fourth difference enlarges errors of theta by 1e5; steps over Metropolis' kinks make more.
    expected = counted.cumulants(lambda g: counted.theta(case, g * heat, g * work, 1e-13), 0.08)
    np.testing.assert_allclose(found.cumulant_rates(weights), expected, rtol=2e-5, atol=1e-9)


def test_cumulants_are_differences_of_theta_in_thirty_digits():
    from counted_mpmath import theta
    from mpmath import mp

    case = Network(
        [0.9, 0.5], [0, 1], [(0, 1, 0.4)], [[(1, 0.3, 0.0)], [(1, 0.2, 1.0)]], period=2.0
    )
    with mp.workdps(30):
        at = {k: theta(case, heat=(k * mp.mpf("0.01"), 0)) for k in range(-4, 5) if k}
    expected = counted.cumulants(lambda g: at[round(g / 0.01)], mp.mpf("0.01"))
    found = counting_of(case.build()).cumulant_rates({"heat": [1, 0]})
    np.testing.assert_allclose(found, expected.astype(float), rtol=1e-9)


def test_covariances_and_cumulants_say_the_same(case):
    found, (heat, work) = counting_of(case.build()), some_weights(case)
    both = np.append(heat, work)
    first, second = found.cumulant_rates(Weights(heat, work), 2)
    assert first == pytest.approx(both @ found.mean_rate, rel=1e-9, abs=1e-13)
    assert second == pytest.approx(both @ found.covariance_rate @ both, rel=1e-8)
    rates = ensemble(case.build()).currents.rates
    np.testing.assert_allclose(
        found.mean_rate, np.append(rates.heat, rates.work), rtol=1e-8, atol=1e-13
    )


@pytest.mark.parametrize("start", ["up", "random", "periodic"])
@pytest.mark.parametrize("periods", [1, 3])
def test_finite_cumulants_are_derivatives_of_the_average(start, periods):
    for case in (FAST, replace(TRIANGLE, period=6.0)):
        found, weights = counting_of(case.build()), some_weights(case)
        heat, work = (np.array(w) for w in weights)
        p = {
            "up": np.eye(1, case.states)[0],
            "random": np.full(case.states, 1 / case.states),
            "periodic": periodic_rates(case)[0],
        }[start]

        def log_average(g, case=case, p=p, heat=heat, work=work):
            return np.log(counted.average(case, p, periods, g * heat, g * work))

        expected = counted.cumulants(log_average, 0.08)
        cumulants = found.finite_cumulants(start, periods, weights)
        np.testing.assert_allclose(cumulants, expected, rtol=2e-5, atol=1e-7)
        assert found.log_average(start, periods, weights) == pytest.approx(
            log_average(1.0), rel=1e-8, abs=1e-9
        )
        both = np.append(heat, work)
        covariance = found.covariance(start, periods)
        np.testing.assert_allclose(covariance, covariance.T, atol=1e-12)
        assert both @ covariance @ both == pytest.approx(cumulants[1], rel=1e-8)


def test_finite_cumulants_grow_at_their_long_time_rates():
    found, weights = counting_of(FAST.build()), some_weights(FAST)
    growth = np.diff([found.finite_cumulants("up", n, weights) for n in (60, 61)], axis=0)[0]
    np.testing.assert_allclose(growth / FAST.period, found.cumulant_rates(weights), rtol=1e-8)


def test_theta_of_the_undriven_pair_is_its_closed_form():
    for left, right, J, r in [(0.5, 0.499, 1.0, 0.5), (1.0, 0.4, -0.7, 0.3)]:
        found = counting_of(pair(left, right, h0=0.0, coupling=J, rate=r, period=10.0).build())
        x = np.linspace(-2.5, 2.5, 21)
        gl, gr = np.tanh(J / left), np.tanh(J / right)
        root = (gl + gr) ** 2 + 2 - gl**2 - gr**2
        root = root + (1 + gl) * (1 - gr) * np.exp(-2 * J * x)
        root = root + (1 - gl) * (1 + gr) * np.exp(2 * J * x)
        expected = r * (-2 + np.sqrt(root))
        theta = found.theta(np.stack([x, 0 * x], axis=-1))
        assert abs(theta - expected).max() < 1e-12 * abs(expected).max()
        mean = r * J * (gr - gl)
        assert found.mean_rate[0] == pytest.approx(mean, rel=1e-9)
        variance = r * J**2 * (2 * (1 - gl * gr) - (gr - gl) ** 2 / 2)
        np.testing.assert_allclose(np.diag(found.covariance_rate), variance, rtol=1e-9)


def test_energy_that_stays_in_the_system_does_not_add_up(case):
    found = counting_of(case.build())
    for c in (-0.4, 0.7):
        assert abs(found.theta(c, c)) < 1e-11
    np.testing.assert_allclose(
        found.cumulant_rates({"heat": 1, "work": 1}), 0, atol=1e-11 * abs(found.mean_rate).max()
    )


def test_theta_has_the_symmetry_of_gallavotti_and_cohen(case):
    forward, backward = (
        counting_of(case.build()),
        counting_of(counted.reversed_in_time(case).build()),
    )
    beta = 1 / np.array(case.temperatures)
    for seed in range(4):
        heat, work = (np.array(w) for w in some_weights(case, seed))
        one, two = forward.theta(heat, work), backward.theta(beta - heat, -work)
        assert one == pytest.approx(two, rel=1e-9, abs=1e-11)


def test_entropy_production_from_a_uniform_start_averages_to_one(case):
    found = counting_of(case.build())
    beta = 1 / np.array(case.temperatures)
    for periods in (1, 2):
        average = found.log_average("random", periods, {"heat": beta})
        assert abs(average) < 1e-8


def test_jarzynski_holds_from_equilibrium_and_not_from_the_periodic_state():
    for period, expected in ((225.0, 0.97023), (50.0, 1.02053)):
        case = pair(0.5, 0.5, period=period)
        found, weights = counting_of(case.build()), {"work": -2.0}
        assert found.log_average("equilibrium", 1, weights) == pytest.approx(0.0, abs=1e-9)
        average = np.exp(found.log_average("periodic", 1, weights))
        p, _ = periodic_rates(case)
        again = counted.average(case, p, 1, np.zeros(2), np.full(2, -2.0))
        assert average == pytest.approx(again, rel=1e-8)
        assert average == pytest.approx(expected, abs=1e-5)


def test_rate_function_is_the_legendre_transform():
    # Of the undriven pair, whose theta has a closed form, on a fine grid of the counting field.
    found = counting_of(pair(1.0, 0.4, h0=0.0, coupling=0.7, rate=0.3, period=10.0).build())
    gl, gr = np.tanh(0.7), np.tanh(0.7 / 0.4)
    g = np.linspace(-12, 12, 2_000_001)
    root = (gl + gr) ** 2 + 2 - gl**2 - gr**2 + (1 + gl) * (1 - gr) * np.exp(-1.4 * g)
    theta = 0.3 * (-2 + np.sqrt(root + (1 - gl) * (1 + gr) * np.exp(1.4 * g)))
    values = np.array([-0.5, -0.1, 0.02, found.mean_rate[0], 0.2, 0.6])
    expected = np.array([(g * a - theta).max() for a in values])
    rates = found.rate_function(values, {"heat": [1, 0]})
    np.testing.assert_allclose(rates, expected, atol=1e-9)
    # Heat the wrong way is rarer by its entropy: I(-q) - I(q) = q (1/T_R - 1/T_L).
    wrong, right = found.rate_function([-0.1, 0.1], {"heat": [1, 0]})
    assert wrong - right == pytest.approx(0.1 * (1 / 0.4 - 1.0), rel=1e-6)


def test_work_beyond_what_the_fields_can_do_has_no_rate():
    found = counting_of(FAST.build())
    # -int s dh of a period is at most 4 h0 for each of the two spins.
    most = 8 * 0.6 / FAST.period
    inside, outside = found.rate_function([0.5 * most, 1.01 * most], {"work": 1})
    assert 0 < inside < np.inf
    assert outside == np.inf


def test_the_efficiency_seen_in_the_long_run_is_the_macroscopic_one():
    found = counting_of(ENGINE.build())
    mean = found.mean_rate
    eta = -mean[2:].sum() / mean[0]
    spread = found.efficiency_function([eta - 0.05, eta, eta + 0.05], hot=0)
    assert spread[1] == pytest.approx(0.0, abs=1e-12)
    assert spread[0] > 1e-5
    assert spread[2] > 1e-5
    # The least likely is the one of reversible engines, and any other is likelier (Verley et al.),
    # for a drive that is its own reverse; here the pair in step.
    found = counting_of(pair(1.0, 0.4, h0=0.6, phase=0.0, period=8.0).build())
    etas = np.array([0.3, 0.5, 0.6, 0.7, 0.9])
    assert found.efficiency_function(etas, hot=0).argmax() == 2


def test_states_that_are_hardly_ever_left_are_refused():
    with pytest.raises(NoExactSideError, match="rarely"):
        counting_of(pair(0.05, 0.06).build())


@pytest.mark.parametrize("weights", [{"heat": [1.0, 0.0]}, {"work": 1.0}])
def test_a_hundred_thousand_periods_grow_as_the_rates_say(weights):
    exact = counting_of(replace(PUMP, period=20.0).build())
    few, many = 1000, 100_000
    grown = exact.finite_cumulants("up", many, weights) - exact.finite_cumulants("up", few, weights)
    rates = exact.cumulant_rates(weights)
    np.testing.assert_allclose(grown, rates * 20.0 * (many - few), rtol=1e-7, atol=1e-7)
    covariance = exact.covariance("up", many) - exact.covariance("up", few)
    np.testing.assert_allclose(
        covariance, exact.covariance_rate * 20.0 * (many - few), rtol=1e-8, atol=1e-8
    )
    averages = [exact.log_average("up", n, {"heat": [0.3, 0.0]}) for n in (few, many)]
    theta = float(exact.theta([0.3, 0.0]))
    assert averages[1] - averages[0] == pytest.approx(theta * 20.0 * (many - few), rel=1e-8)


@pytest.mark.parametrize("periods", [3, 16, 17, 1000])
def test_repeated_maps_are_their_powers(periods):
    rng = np.random.default_rng(periods)
    maps = rng.normal(size=(3, 4, 4)) / 3 + 0.2j * rng.normal(size=(3, 4, 4))
    row = rng.normal(size=(3, 4, 1)).astype(complex)
    for u, begun, ended in zip(maps, row, apply_maps(maps, row, periods), strict=True):
        expected = np.linalg.matrix_power(u, periods) @ begun
        np.testing.assert_allclose(ended, expected, rtol=1e-9, atol=1e-12 * abs(expected).max())


@pytest.mark.parametrize(
    ("start", "periods", "weights", "told"),
    [
        ("typo", 1, {"work": 1}, "'typo'; allowed: 'up'"),
        ([2.0, 0.0, 0.0, 0.0], 1, {"work": 1}, "4 probabilities"),
        ([-1.0, 2.0, 0.0, 0.0], 1, {"work": 1}, "4 probabilities"),
        ([0.5, 0.5], 1, {"work": 1}, "4 probabilities"),
        ("up", 0, {"work": 1}, "periods: found 0"),
        ("up", -1, {"work": 1}, "periods: found -1"),
        ("up", 1.5, {"work": 1}, "periods: found 1.5"),
        ("up", 1, {"wrk": 1}, "'wrk'; allowed: heat, work"),
        ("up", 1, {"heat": [np.nan, 0.0]}, "not numbers"),
        ("up", 1, {"heat": [1.0, 0.0, 0.0]}, "3 weights for 2 baths"),
    ],
)
def test_what_is_no_start_no_time_and_no_weight_is_refused(start, periods, weights, told):
    exact = counting_of(PUMP.build())
    for ask in (exact.finite_cumulants, exact.log_average, exact.distribution):
        with pytest.raises(ValueError, match=told):
            ask(start, periods, weights)


def test_an_exact_side_can_be_pickled():
    made = ensemble(PUMP.build())
    again = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(again.currents.rates.heat, made.currents.rates.heat)
