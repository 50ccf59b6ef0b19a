"""Exact fluctuations of linear oscillators obey closed forms and a second solution."""

import numpy as np
import pytest
import riccati
from counted import cumulants
from oscillator_networks import pair, ring, simulate
from scipy.integrate import quad
from scipy.stats import chi2, norm

from trajsim.ensemble import Weights, counting_of, ensemble
from trajsim.plan import Plan

UNDRIVEN = {"amplitude": 0.0}


def transmission(w, k=2.0, kc=3.0, gamma=1.0, m=1.0):
    """Share of the noise of one bath that the other takes at frequency w."""
    a = k + kc - m * w**2 - 1j * gamma * w
    return 4 * gamma**2 * w**2 * abs(kc / (a**2 - kc**2)) ** 2


def noise_theta(x, left, right):
    """theta of the heat of the left bath of an undriven pair (Saito & Dhar, PRL 99, 180601)."""

    def integrand(w):
        return np.log(1 - transmission(w) * left * right * x * (x + 1 / right - 1 / left))

    return -quad(integrand, 0, 200, epsabs=1e-13, epsrel=1e-12, limit=2000)[0] / (2 * np.pi)


@pytest.mark.parametrize("temperatures", [(1.0, 1.0), (1.5, 0.5), (0.3, 2.0)])
def test_theta_of_the_undriven_pair_is_the_integral_over_frequencies(temperatures):
    found = counting_of(pair(temperatures, **UNDRIVEN))
    left, right = temperatures
    for share in (-0.3, 0.2, 0.6):
        # Within the range in which the logarithm exists at all frequencies.
        x = share * (1 / left if share > 0 else 1 / right)
        expected = noise_theta(x, left, right)
        assert found.theta([x, 0.0]) == pytest.approx(expected, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("make", [pair, ring, lambda: pair((1.5, 0.5), phase=0.7)])
def test_cumulants_are_derivatives_of_theta_and_means_those_of_the_ensemble(make):
    network = make()
    found = counting_of(network)
    rng = np.random.default_rng(3)
    heat = rng.uniform(-0.2, 0.2, found.baths)
    work = rng.uniform(-0.2, 0.2, found.drives)
    rates = found.cumulant_rates(Weights(heat, work))
    expected = cumulants(lambda g: float(found.theta(g * heat, g * work)), 0.1)
    np.testing.assert_allclose(rates, expected, rtol=1e-6, atol=1e-10)
    both = np.append(heat, work)
    assert rates[0] == pytest.approx(both @ found.mean_rate, rel=1e-9)
    assert rates[1] == pytest.approx(both @ found.covariance_rate @ both, rel=1e-9)


@pytest.mark.parametrize("make", [pair, ring])
def test_work_is_gaussian_with_the_variance_of_its_noise(make):
    network = make()
    found = counting_of(network)
    rates = found.cumulant_rates({"work": 1.0})
    each, total = ensemble(network).work_variance_rate
    np.testing.assert_allclose(rates[2:], 0.0, atol=1e-12 * rates[1])
    assert rates[1] == pytest.approx(total, rel=1e-9)
    np.testing.assert_allclose(np.diag(found.covariance_rate)[found.baths :], each, rtol=1e-9)


def test_work_between_equal_baths_fluctuates_as_much_as_it_dissipates():
    found = counting_of(pair((0.7, 0.7), phase=1.0))
    mean, variance = found.cumulant_rates({"work": 1.0}, 2)
    assert variance == pytest.approx(2 * 0.7 * mean, rel=1e-9)


@pytest.mark.parametrize("make", [pair, ring, lambda: pair((1.5, 0.5), phase=0.7)])
def test_heat_and_work_have_the_symmetry_of_gallavotti_and_cohen(make):
    network = make()
    drive = network.drive
    backwards = network._replace(drive=drive._replace(phase=-drive.phase))
    one, two = counting_of(network), counting_of(backwards)
    beta = np.array([1 / network.temperature[network.bath == b][0] for b in range(one.baths)])
    rng = np.random.default_rng(4)
    for _ in range(4):
        heat = beta * rng.uniform(0.2, 0.8, one.baths)
        work = rng.uniform(-0.3, 0.3, one.drives)
        assert one.theta(heat, work) == pytest.approx(two.theta(beta - heat, -work), rel=1e-8)


@pytest.mark.parametrize("make", [pair, ring])
def test_energy_that_stays_in_the_system_does_not_add_up(make):
    found = counting_of(make())
    assert abs(found.theta(0.2, 0.2)) < 1e-10
    np.testing.assert_allclose(found.cumulant_rates({"heat": 1, "work": 1}), 0, atol=1e-11)


def test_heat_has_no_average_of_exponentials_that_grow_too_fast():
    assert counting_of(pair()).theta([40.0, 0.0]) == np.inf


@pytest.mark.parametrize("start", ["rest", "periodic"])
@pytest.mark.parametrize("make", [pair, ring, lambda: pair((1.5, 0.5), phase=0.7)])
def test_averages_are_those_of_the_riccati_equation(make, start):
    found = counting_of(make())
    rng = np.random.default_rng(5)
    weights = Weights(rng.uniform(-0.5, 0.5, found.baths), rng.uniform(-0.5, 0.5, found.drives))
    heat, work = found._by_site(weights)
    z = np.array([0.2, -0.2, 1j, -4j, 0.1 + 0.1j])
    start_distribution = found.start_distribution(start)
    expected = riccati.log_averages(found.ensemble, start_distribution, 2, heat, work, z)
    np.testing.assert_allclose(found.log_averages(start, 2, weights, z), expected, atol=1e-8)


@pytest.mark.parametrize("start", ["rest", "periodic"])
def test_finite_cumulants_tend_to_their_rates_and_begin_at_the_ensembles_means(start):
    network = pair((1.5, 0.5), phase=0.7)
    found = counting_of(network)
    for weights in (Weights([1, 0], 0), Weights([0.3, -0.2], [0.5, 0.1])):
        growth = np.diff([found.finite_cumulants(start, n, weights) for n in (14, 15)], axis=0)[0]
        np.testing.assert_allclose(
            growth / network.period, found.cumulant_rates(weights), rtol=1e-6, atol=1e-7
        )
    solved = ensemble(network)
    course = solved.time_series(found.start_distribution(start), 1, 2)
    heat = course.energetics.heat.sum(axis=0)
    for bath in (0, 1):
        one = Weights(np.eye(2)[bath], 0)
        mean = found.finite_cumulants(start, 2, one, 1)[0]
        assert mean == pytest.approx(heat[bath], rel=1e-8)


def test_total_heat_of_undriven_oscillators_has_the_law_of_its_boundaries():
    # One oscillator, forgotten start: Q = E' - E of two exponential energies, P ~ exp(-|Q|/T)/2T.
    # Of the pair, two modes each way: P(Q) = (1 + |Q|/T) exp(-|Q|/T) / 4T.
    T = 0.8
    made = counting_of(pair((T, T), **UNDRIVEN)).distribution(
        "equilibrium", 5, Weights(1, 0), grid=np.linspace(-6, 6, 25)
    )
    x = abs(made.points) / T
    off = abs(made.density - (1 + x) * np.exp(-x) / (4 * T)).max()
    # At 0 the density has a kink, which waves of any number round off.
    assert off < 2 * made.error + 1e-8
    assert made.error < 1e-4


def test_work_over_whole_periods_is_gaussian_with_its_own_moments():
    found = counting_of(pair((1.5, 0.5), phase=0.7))
    made = found.distribution("rest", 3, Weights(0, [1, 0]))
    mean, variance, third, fourth = found.finite_cumulants("rest", 3, Weights(0, [1, 0]))
    assert abs(third) < 1e-7
    assert abs(fourth) < 1e-6
    bell = norm.pdf(made.points, mean, np.sqrt(variance))
    np.testing.assert_allclose(made.density, bell, atol=1e-8)


def test_integral_theorem_of_jarzynski_holds_from_equilibrium():
    network = pair((0.7, 0.7), phase=1.0)
    found = counting_of(network)
    # <exp(-W/T)> = Z(t) / Z(0) = 1 after whole periods.
    assert found.log_average("equilibrium", 2, {"work": -1 / 0.7}) == pytest.approx(0, abs=1e-8)
    assert abs(found.log_average("periodic", 2, {"work": -1 / 0.7})) > 1e-3


def test_sampled_heat_follows_the_distribution():
    network, count = pair((1.5, 0.5), phase=0.7), 100_000
    plan = Plan(periods=2, burn_in=0, rows_per_period=1, segments_per_row=2)
    heat = simulate(network, plan, count, steps=48, seed=21)["heat"][:, 0, 0]
    made = counting_of(network).distribution("rest", 2, Weights([1, 0], 0))
    mean, deviation = made.points @ made.density, heat.std()
    mean *= made.points[1] - made.points[0]
    inner = np.linspace(mean - 2.5 * deviation, mean + 2.5 * deviation, 40)
    edges = np.concatenate([[-np.inf], inner, [np.inf]])
    expected = count * made.probabilities(edges)
    kept = expected > 25
    seen = np.histogram(heat, edges)[0]
    statistic = ((seen - expected) ** 2 / expected)[kept].sum()
    assert kept.sum() > 20
    assert statistic < chi2.isf(1e-4, kept.sum() - 1)
