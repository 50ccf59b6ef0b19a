"""The exact side of linear oscillators of which anything is driven by any waveform."""

from math import factorial

import numpy as np
import pytest
from driven_oscillators import Driven, Site
from driven_spins import Wave
from oscillator_networks import pair, ring
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.stats import chi2

from trajsim.ensemble import (
    NoExactSideError,
    Weights,
    counting_of,
    ensemble,
    free_energy_change,
    start_state,
)
from trajsim.ensemble.driven_counting import DrivenCounting
from trajsim.ensemble.driven_oscillators import DrivenEnsemble
from trajsim.ensemble.gaussian import Gaussian, LinearEnsemble
from trajsim.ensemble.gaussian_maps import Tilted
from trajsim.ensemble.oscillator_counting import LinearCounting
from trajsim.models.waveform import square, triangle
from trajsim.plan import Plan

STEPS = Wave(points=((0, 0.1), (0, 0.5), (0.3, -0.2), (0.3, 0.4), (0.75, 0.4), (1, -0.3), (1, 0.2)))
BREATHING = Wave(2.0, ((1, 0.8, 0.3), (2, 0.4, 1.0)))
PULSED = Wave(points=((0, 1.0), (0, 1.5), (0.4, 1.9), (0.4, 0.8), (1, 1.2), (1, 2.0)))
MOVED = Wave(points=((0, -0.3), (0, 0.2), (0.4, 0.5), (0.4, -0.1), (0.6, 0.3), (1, 0.6), (1, 1.0)))
WARM = Wave(0.7, ((1, 0.25, 0.9),))
HEATED = Wave(points=((0, 0.5), (0.5, 0.5), (0.5, 1.0), (1, 1.0)))
COSINE = Wave(0.1, ((1, 0.4, 2.2),))

CASES = {
    "force that jumps": Driven((Site(2.0, STEPS, 0.4),)),
    "breathing trap": Driven((Site(BREATHING, 0.2, 0.3, mass=0.5),)),
    "stiffness that jumps": Driven((Site(PULSED, COSINE),), temperatures=(HEATED,)),
    "centre": Driven((Site(1.5, 0.0, MOVED),), temperatures=(WARM,)),
    "stiffness and centre jump together": Driven((Site(PULSED, STEPS, MOVED, friction=0.6),)),
    "bond": Driven(
        (Site(1.0, COSINE), Site(0.5, 0.0, MOVED, bath=1)), ((0, 1, PULSED),), (WARM, 0.6)
    ),
    "all at once": Driven(
        (
            Site(BREATHING, STEPS, MOVED, mass=0.7),
            Site(0.5, 0.3, COSINE, bath=-1),
            Site(PULSED, 0.0, MOVED, bath=1, friction=0.5),
        ),
        ((0, 1, 1.2), (1, 2, BREATHING)),
        (HEATED, WARM),
        4.0,
    ),
    "overdamped": Driven((Site(PULSED, STEPS, MOVED, friction=0.6),), overdamped=True),
    "overdamped, two baths": Driven(
        (
            Site(BREATHING, STEPS, MOVED, friction=0.7),
            Site(PULSED, 0.0, COSINE, bath=1),
            Site(0.3, 0.2, bath=1, friction=1.6),
        ),
        ((0, 1, PULSED), (1, 2, 0.7)),
        (HEATED, WARM),
        overdamped=True,
    ),
    "several baths at a site": Driven(
        (
            Site(PULSED, STEPS, MOVED, also=((1, 0.4), (2, 0.8)), mass=0.7),
            Site(0.5, 0.3, bath=2, also=((0, 0.3),)),
        ),
        ((0, 1, 1.2),),
        (HEATED, WARM, 0.8),
    ),
}
EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def random_wave(rng, middle, reach):
    """A wave of any kind between middle - reach and middle + reach."""
    kind, phase = rng.integers(4), float(rng.uniform(-3, 3))
    if kind == 0:
        return Wave(middle, ((1, 0.6 * reach, phase), (3, 0.4 * reach, -phase)))
    if kind == 1:
        return Wave(points=tuple(square(middle, reach, phase).points))
    if kind == 2:
        return Wave(points=tuple(triangle(middle, reach, phase).points))
    inside = np.sort(rng.uniform(0.05, 0.95, 2))
    u = [0.0, 0.0, inside[0], inside[1], inside[1], 1.0, 1.0]
    level = middle + rng.uniform(-reach, reach, len(u))
    return Wave(points=tuple(zip(map(float, u), map(float, level), strict=True)))


def random_case(seed):
    """One to three oscillators, of which about half of all is driven.

    Of every three cases one is overdamped, and one has sites with two baths.
    """
    rng, kind = np.random.default_rng(seed), seed % 3

    def given(middle, reach):
        return random_wave(rng, middle, reach) if rng.random() < 0.5 else float(middle)

    n = int(rng.integers(1, 4))
    sites = tuple(
        Site(
            given(1.5, 0.8),
            given(0.1, 0.6),
            given(-0.2, 0.7),
            bath=i % 2 if i < 2 or rng.random() < 0.5 or kind == 1 else -1,
            mass=float(rng.uniform(0.6, 1.5)),
            friction=float(rng.uniform(0.4, 1.2)),
            also=((1 - i, 0.6),) if kind == 2 and n > 1 and i < 2 else (),
        )
        for i in range(n)
    )
    bonds = tuple((i, i + 1, given(1.0, 0.5)) for i in range(n - 1))
    temperatures = (given(0.9, 0.4), given(0.7, 0.3))[: min(n, 2)]
    return Driven(sites, bonds, temperatures, float(rng.uniform(2.0, 5.0)), kind == 1)


def start_of(case):
    """A Gaussian like no other."""
    size = case.size
    rng = np.random.default_rng(3)
    root = 0.4 * rng.standard_normal((size, size))
    return Gaussian(rng.standard_normal(size), root @ root.T)


def unlike(counting, size=0.2):
    """Weights like no others."""
    rng = np.random.default_rng(5)
    heat, work = (rng.uniform(-size, size, n) for n in (counting.baths, counting.drives))
    return Weights(heat, work)


# -- against an independent integration ------------------------------------------------------------


@EVERY
def test_transients_agree_with_an_independent_integration(case):
    start = start_of(case)
    # Some waves jump where segments begin.
    states, gains = case.follow(*start, 5, 2)
    series = ensemble(case.build()).time_series(start, 5, 2)
    for found, (mean, covariance) in zip(series.state, states, strict=True):
        np.testing.assert_allclose(found.mean, mean, atol=1e-9)
        np.testing.assert_allclose(found.covariance, covariance, atol=1e-9)
    found = np.concatenate(series.energetics, axis=1)
    np.testing.assert_allclose(found, gains, atol=2e-9)


@pytest.mark.parametrize("seed", range(9))
def test_random_networks_agree_with_an_independent_integration(seed):
    case = random_case(seed)
    start = start_of(case)
    states, gains = case.follow(*start, 2, 1)
    series = ensemble(case.build()).time_series(start, 2, 1)
    np.testing.assert_allclose(series.state[-1].mean, states[-1][0], atol=1e-9)
    np.testing.assert_allclose(series.state[-1].covariance, states[-1][1], atol=1e-9)
    np.testing.assert_allclose(np.concatenate(series.energetics, axis=1), gains, atol=2e-9)


@EVERY
def test_averages_of_exponentials_agree_with_the_riccati_equation(case):
    counting, start = counting_of(case.build()), start_of(case)
    weights, z = unlike(counting), np.array([0.3, 4j, -0.2 + 0.2j])
    periods = 2 if len(case.sites) == 1 else 1
    expected = case.log_averages(*start, periods, weights.heat, weights.work, z)
    found = counting.log_averages(start, periods, weights, z)
    np.testing.assert_allclose(found, expected, atol=1e-9)


# -- the parts of the exact side among each other --------------------------------------------------


@EVERY
def test_cumulants_are_derivatives_of_averages_and_means_those_of_the_ensemble(case):
    counting, start = counting_of(case.build()), start_of(case)
    weights = unlike(counting)
    found = counting.finite_cumulants(start, 3, weights)
    # Derivatives at 0 by Cauchy's integral.
    radius, points = 0.04, 32
    circle = radius * np.exp(2j * np.pi * np.arange(points) / points)
    powers = np.fft.fft(counting.log_averages(start, 3, weights, circle)).real / points
    expected = [powers[k] / radius**k * factorial(k) for k in range(1, 5)]
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)
    both = np.append(weights.heat, weights.work)
    assert found[1] == pytest.approx(both @ counting.covariance(start, 3) @ both, rel=1e-10)
    gains = ensemble(case.build()).time_series(start, 1, 3).energetics
    mean = np.append(gains.heat.sum(axis=0), gains.work.sum(axis=0))
    assert found[0] == pytest.approx(both @ mean, rel=1e-9)


@EVERY
def test_long_times(case):
    counting = counting_of(case.build())
    weights = unlike(counting)
    rates = counting.cumulant_rates(weights)
    late = [counting.finite_cumulants("rest", n, weights) for n in (40, 41)]
    np.testing.assert_allclose(rates, (late[1] - late[0]) / counting.period, rtol=1e-6, atol=1e-9)
    both = np.append(weights.heat, weights.work)
    assert rates[0] == pytest.approx(both @ counting.mean_rate, rel=1e-9)
    assert rates[1] == pytest.approx(both @ counting.covariance_rate @ both, rel=1e-9)
    theta = counting.theta(weights.heat, weights.work)
    late = [counting.log_average("rest", n, weights) for n in (40, 41)]
    assert theta == pytest.approx((late[1] - late[0]) / counting.period, rel=1e-8)


@EVERY
def test_windows_are_averages_of_the_periods_they_cover(case):
    network = case.build()
    solved, start = ensemble(network), start_of(case)
    for plan in (Plan(3, 0, 5, 1), Plan(6, 1, 1, 2)):
        window, phases = solved.window(start, plan), plan.rows_per_period
        series = solved.time_series(start, phases, plan.burn_in + plan.periods)
        burnt, duration = plan.burn_in * phases, plan.periods * network.period
        for rate, gain in zip(window.rates, series.energetics, strict=True):
            np.testing.assert_allclose(rate, gain[burnt:].sum(axis=0) / duration, atol=1e-11)
        begins = series.state[burnt : -1 : plan.segments_per_row]
        n = len(network.mass)
        x = np.array([state.mean[:n] for state in begins]).reshape(-1, phases, n).mean(axis=0)
        square = np.array([np.diag(s.covariance)[-n:] + s.mean[-n:] ** 2 for s in begins])
        square, last = square.reshape(-1, phases, n).mean(axis=0), list(window.edges)[-1]
        np.testing.assert_allclose(window.edges["position"], x, atol=1e-11)
        assert last == ("position_squared" if case.overdamped else "velocity_squared")
        np.testing.assert_allclose(window.edges[last], square, atol=1e-11)


def test_long_windows_end_in_the_periodic_currents():
    solved = ensemble(CASES["all at once"].build())
    window = solved.window(start_state(solved.network, "rest"), Plan(1_000_000, 50, 1, 1))
    for rates, currents in zip(window.rates, solved.currents.rates, strict=True):
        np.testing.assert_allclose(rates, currents, atol=1e-12)


@pytest.mark.parametrize("make", [pair, ring])
def test_cosines_are_answered_as_by_linear_response(make):
    network = make()
    one, other = LinearEnsemble(network), DrivenEnsemble(network)
    for rates, expected, error in zip(
        other.currents.rates, one.currents.rates, other.currents.error, strict=True
    ):
        np.testing.assert_allclose(rates, expected, rtol=0, atol=1e-11)
        assert (abs(rates - expected) <= error + 1e-13).all()
    weights = unlike(LinearCounting(network))
    one, other = LinearCounting(network), DrivenCounting(network)
    found, expected = other.cumulant_rates(weights), one.cumulant_rates(weights)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)
    assert other.theta(*weights) == pytest.approx(float(one.theta(*weights)), rel=1e-10)
    assert other.theta([40.0, 0.0]) == np.inf
    heat = Weights(np.eye(one.baths)[0], 0.0)
    made, grid = other.distribution("rest", 2, heat), np.linspace(-5.0, 5.0, 9)
    expected = one.distribution("rest", 2, heat)
    np.testing.assert_allclose(made.density_at(grid), expected.density_at(grid), atol=1e-9)


def test_a_constant_centre_moves_positions_and_nothing_else():
    network = pair((1.2, 0.7))
    centers = network.centers._replace(offset=np.array([0.4, -0.3]))
    moved = network._replace(centers=centers)
    rest = start_state(network, "rest")
    # The forces that move positions as much, less what they work.
    pulled = pair((1.2, 0.7))
    drive = pulled.drive._replace(offset=network.traps.offset * centers.offset)
    one, other = LinearEnsemble(moved), LinearEnsemble(pulled._replace(drive=drive))
    for left, right in zip(one.periodic_state, other.periodic_state, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-14)
    driven = DrivenEnsemble(moved)
    for solved in (one, other):
        found, expected = (each.time_series(rest, 2, 2) for each in (solved, driven))
        np.testing.assert_allclose(found.energetics.work, expected.energetics.work, atol=1e-10)
        np.testing.assert_allclose(found.energetics.heat, expected.energetics.heat, atol=1e-10)
    found, expected = (each.time_series(rest, 2, 2).energetics for each in (one, driven))
    np.testing.assert_allclose(found.exclusive_work, expected.exclusive_work, atol=1e-10)
    weights = unlike(LinearCounting(moved))
    one, other = (
        kind(moved).log_average(rest, 2, weights) for kind in (LinearCounting, DrivenCounting)
    )
    assert one == pytest.approx(other, abs=1e-10)


def test_roots_of_determinants_are_followed_from_where_nothing_is_counted():
    # Integrals of Gaussians of which phases turn far: the root of the determinant is that at the
    # end of a path from 1.
    rng, size = np.random.default_rng(2), 4
    roots = rng.standard_normal((2, size, size))
    positive = roots @ roots.swapaxes(1, 2)
    noise, form = np.exp(1.3j) * positive[0], -5.0 * np.exp(1.4j) * positive[1]
    nothing, still = np.zeros_like(noise), np.eye(size) + 0j
    exists = np.ones((), np.bool_)
    spread = Tilted(still, noise, nothing, np.zeros(()) + 0j, exists)
    found = spread.then(Tilted(still, nothing, form, np.zeros(()) + 0j, exists)).constant
    path = np.linspace(0.0, 1.0, 4001)[:, None, None] ** 3
    determinants = np.linalg.det(np.eye(size) - path * (noise @ form))
    followed = np.log(abs(determinants[-1])) + 1j * np.unwrap(np.angle(determinants))[-1]
    assert abs(followed.imag) > np.pi
    assert found == pytest.approx(-0.5 * followed, rel=1e-10)


# -- closed forms ----------------------------------------------------------------------------------


def oscillator(stiffness=1.0, center=0.0, temperature=1.0, **others):
    """One oscillator."""
    period = others.pop("period", 3.0)
    return Driven((Site(stiffness, 0.0, center, **others),), (), (temperature,), period).build()


def test_sudden_change_of_the_stiffness():
    # W = x^2 dk / 2 at once, with <x^2> = T / k before.
    T, k, dk = 0.7, 1.5, 1.2
    network = oscillator(Wave(points=((0, k), (0, k + dk), (1, k + dk))), 0.3, T)
    counting = counting_of(network)
    mean, variance, third = counting.finite_cumulants("equilibrium", 1, {"work": 1}, 3)
    unit = 0.5 * dk * T / k
    np.testing.assert_allclose([mean, variance, third], [unit, 2 * unit**2, 8 * unit**3], rtol=1e-9)
    for g in (0.5, -0.8, 0.49 / unit):
        expected = -0.5 * np.log(1 - 2 * g * unit)
        assert counting.log_average("equilibrium", 1, {"work": g}) == pytest.approx(expected)
    assert counting.log_average("equilibrium", 1, {"work": 0.51 / unit}) == np.inf
    # The chi-squared law of one square; it has no bound at 0.
    made = counting.distribution("equilibrium", 1, {"work": 1}, tolerance=1e-3)
    edges = unit * np.array([0.5, 1.0, 2.0, 4.0, 8.0])
    expected = np.diff(chi2.cdf(edges / unit, 1))
    np.testing.assert_allclose(made.probabilities(edges), expected, atol=1e-3)


def test_quench_and_return_within_a_period_are_booked_at_their_instants():
    # Up at once, down after a time: <x^2> relaxes in between.
    T, k, dk = 1.0, 1.0, 2.0
    up = Wave(points=((0, k), (0, k + dk), (0.5, k + dk), (0.5, k), (1, k)))
    series = ensemble(oscillator(up, 0.0, T, period=60.0)).time_series(
        start_state(oscillator(up, 0.0, T), "equilibrium"), 4
    )
    expected = [0.5 * dk * T / k, 0.0, -0.5 * dk * T / (k + dk), 0.0]
    np.testing.assert_allclose(series.energetics.work[:, 0], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["breathing trap", "stiffness and centre jump together", "bond"])
def test_jarzynskis_equality_with_every_kind_of_drive(name):
    case, T = CASES[name], 0.7
    network = Driven(case.sites, case.bonds, (T, T), case.period).build()
    found = counting_of(network).log_average("equilibrium", 1, {"work": -1 / T})
    assert found == pytest.approx(-free_energy_change(network) / T, abs=1e-10)


def test_free_energies_are_those_of_the_partition_function():
    case = CASES["stiffness and centre jump together"]
    T, change = 0.8, free_energy_change(Driven(case.sites, (), (0.8,), 3.0).build())

    def log_z(end):
        K, F, constant = case.potential(case.listed(end))

        def weight(x):
            return np.exp(-(0.5 * K[0, 0] * x * x - F[0] * x + constant) / T)

        return np.log(quad(weight, -np.inf, np.inf, epsabs=1e-13)[0])

    assert change == pytest.approx(-T * (log_z(1) - log_z(0)), abs=1e-9)
    with pytest.raises(NoExactSideError, match="one is driven"):
        free_energy_change(CASES["stiffness that jumps"].build())


def test_slow_ramps_cost_the_free_energy():
    ramp, shift = Wave(points=((0, 1.0), (1, 3.0))), Wave(points=((0, 0.0), (1, 2.0)))
    excess = []
    for period in (200.0, 400.0):
        network = oscillator(ramp, shift, 0.6, period=period)
        start = start_state(network, "equilibrium")
        work = ensemble(network).time_series(start, 1).energetics.work.sum()
        excess.append(work - free_energy_change(network))
    # What is dissipated falls as 1 / period.
    assert 0 < excess[1] < 0.03
    assert excess[0] / excess[1] == pytest.approx(2.0, abs=0.03)


@pytest.mark.parametrize(
    ("points", "work"),
    [
        (((0, 0.0), (1, 5.0)), 25 / np.e),
        (((0, 0.0), (0, 5 / 3), (1, 10 / 3), (1, 5.0)), 25 / 3),
    ],
)
def test_dragged_trap_of_little_mass_costs_what_schmiedl_and_seifert_found(points, work):
    found = []
    for mass in (2e-3, 1e-3):
        network = oscillator(1.0, Wave(points=points), 1.0, mass=mass, period=1.0)
        start = start_state(network, "equilibrium")
        found.append(ensemble(network).time_series(start, 1).energetics.work.sum())
    # Without the first order in the mass.
    assert 2 * found[1] - found[0] == pytest.approx(work, abs=2e-4)


@pytest.mark.parametrize(
    ("points", "work"),
    [
        (((0, 0.0), (1, 5.0)), 25 / np.e),
        (((0, 0.0), (0, 5 / 3), (1, 10 / 3), (1, 5.0)), 25 / 3),
    ],
)
def test_overdamped_dragged_trap_costs_what_schmiedl_and_seifert_found(points, work):
    case = Driven((Site(1.0, 0.0, Wave(points=points)),), period=1.0, overdamped=True)
    found = counting_of(case.build()).finite_cumulants("equilibrium", 1, {"work": 1.0})
    # Gaussian, of twice the dissipated work as variance.
    np.testing.assert_allclose(found, [work, 2 * work, 0.0, 0.0], atol=1e-8)


def test_brownian_gyrator():
    # One particle in the plane, two temperatures, potential (k x^2 + k y^2 + u (x - y)^2) / 2.
    k, u, gamma, hot, cold = 1.3, 0.8, 0.7, 2.0, 0.6
    sites = tuple(Site(k, bath=b, friction=gamma) for b in (0, 1))
    network = Driven(sites, ((0, 1, u),), (hot, cold), overdamped=True).build()
    q = u**2 * (hot - cold) / (2 * gamma * (k + u))
    np.testing.assert_allclose(ensemble(network).currents.rates.heat, [q, -q], rtol=1e-9)
    # The exchange symmetry of its generating function.
    counting = counting_of(network)
    for g in (0.1, 0.35):
        one, other = counting.theta([[g, 0], [1 / hot - 1 / cold - g, 0]])
        assert one == pytest.approx(other, rel=1e-8)


def test_one_particle_between_two_baths():
    hot, cold, left, right, m = 1.7, 0.4, 0.6, 1.1, 0.8
    site = Site(0.0, mass=m, friction=left, also=((1, right),))
    network = Driven((Site(1.5, mass=m, friction=left, also=site.also),), (), (hot, cold)).build()
    q = left * right * (hot - cold) / (m * (left + right))
    np.testing.assert_allclose(ensemble(network).currents.rates.heat, [q, -q], rtol=1e-9)
    # The velocity alone counts: theta from the Riccati equation of one number, by hand.
    g = 0.17
    a = (left + right) / m - 2 * left * g * hot / m
    b, c = 2 * (left * hot + right * cold) / m**2, 2 * left * g * (g * hot - 1)
    x = (a - np.sqrt(a * a - b * c)) / b
    expected = 0.5 * b * x + left * g * hot / m
    assert counting_of(network).theta([g, 0.0]) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("n", "current"), [(4, 4 / 21), (24, (3 - np.sqrt(5)) / 4)])
def test_chain_of_rieder_lebowitz_and_lieb(n, current):
    # Springs, masses and frictions of 1, walls at both ends; J / (hot - cold).
    sites = tuple(Site(float(i in (0, n - 1)), bath={0: 0, n - 1: 1}.get(i, -1)) for i in range(n))
    bonds = tuple((i, i + 1, 1.0) for i in range(n - 1))
    heat = ensemble(Driven(sites, bonds, (2.0, 1.0)).build()).currents.rates.heat
    np.testing.assert_allclose(heat, [current, -current], rtol=1e-8)


def test_nothing_flows_between_equal_baths_where_nothing_moves():
    still = Wave(1.3, ((1, 0.0, 0.0),))
    case = Driven((Site(still, 0.2, still), Site(0.5, bath=1)), ((0, 1, still),), (0.7, 0.7))
    currents = ensemble(case.build()).currents
    for rates in currents.rates:
        np.testing.assert_allclose(rates, 0.0, atol=1e-12)


def test_squares_are_tables_of_a_thousand_points():
    wave = square(2.0, 1.0, 0.7)
    u = np.unique([*np.linspace(0.0, 1.0, 1000), *(u for u, _ in wave.points)])
    jumps = {u for u, _ in wave.points} - {0.0, 1.0}
    table = []
    for x in u:
        low = [v for t, v in wave.points if t <= x][-1]
        high = next(v for t, v in wave.points if t >= x)
        table += [(x, high), (x, low)] if x in jumps else [(x, low)]
    case = Driven((Site(Wave(points=tuple(table)), 0.0, 0.3),))
    drawn = Driven((Site(Wave(points=tuple(wave.points)), 0.0, 0.3),))
    found, expected = (ensemble(c.build()).currents.rates for c in (case, drawn))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_parametric_resonance_is_refused_from_its_threshold_on():
    # Meissner's equation: the stiffness is constant in either half of the period.
    period, friction, low = 2.2, 0.2, 1.0

    def multiplier(high):
        half = [expm(0.5 * period * np.array([[0, 1], [-k, -friction]])) for k in (high, low)]
        return abs(np.linalg.eigvals(half[1] @ half[0])).max()

    for high in (2.0, 2.5, 3.0, 4.0):
        network = oscillator(
            Wave(points=((0, high), (0.5, high), (0.5, low), (1, low))),
            friction=friction,
            period=period,
        )
        solved = ensemble(network)
        assert solved.multiplier == pytest.approx(multiplier(high), rel=1e-9)
        if multiplier(high) > 1:
            with pytest.raises(NoExactSideError, match="swings up, by a factor of 1"):
                _ = solved.currents
            # From equilibrium, finite times have answers still.
            found = counting_of(network).log_average("equilibrium", 3, {"work": -1.0})
            assert found == pytest.approx(-free_energy_change(network), abs=1e-9)
        else:
            assert solved.currents.rates.work > 0
    assert multiplier(2.0) < 1 < multiplier(4.0)


def test_undamped_motion_is_refused_and_followed():
    case = Driven((Site(BREATHING), Site(1.0, bath=-1)), (), (1.0,))
    solved = ensemble(case.build())
    with pytest.raises(NoExactSideError, match="not damped"):
        _ = solved.periodic_state
    start = start_of(case)
    state = solved.time_series(start, 1, 2).state[-1]
    turned = expm(6.0 * np.array([[0.0, 1.0], [-1.0, 0.0]])) @ start.mean[[1, 3]]
    np.testing.assert_allclose(state.mean[[1, 3]], turned, atol=1e-9)


def test_motion_too_fast_for_the_period_is_refused():
    network = oscillator(BREATHING, friction=1e3, period=1e6)
    with pytest.raises(NoExactSideError, match="too fast against the period"):
        _ = ensemble(network).currents


def scaled(wave, unit):
    """A wave in other units."""
    return Wave(unit * wave.offset, tuple((k, unit * a, p) for k, a, p in wave.cosines))


def test_units_do_not_matter():
    expected = ensemble(oscillator(BREATHING, COSINE)).currents.rates.work
    for length, mass, time in ((1e-4, 1e6, 1e-3), (1e5, 1e-6, 1e2)):
        energy = mass * (length / time) ** 2
        stiffness = Wave(
            2.0 * mass / time**2, tuple((k, a * mass / time**2, p) for k, a, p in BREATHING.cosines)
        )
        center = Wave(0.1 * length, tuple((k, a * length, p) for k, a, p in COSINE.cosines))
        network = oscillator(
            stiffness, center, energy, mass=mass, friction=mass / time, period=3.0 * time
        )
        found = ensemble(network).currents.rates.work
        np.testing.assert_allclose(found * time / energy, expected, rtol=1e-8)


def test_forces_that_are_no_cosines_are_gaussian_work():
    counting = counting_of(CASES["force that jumps"].build())
    made = counting.distribution("rest", 2, {"work": 1.0})
    mean, variance, third, fourth = counting.finite_cumulants("rest", 2, {"work": 1.0})
    assert abs(third) + abs(fourth) < 1e-9
    bell = np.exp(-((made.points - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    np.testing.assert_allclose(made.density, bell, atol=1e-8)
    assert not counting_of(CASES["breathing trap"].build())._is_gaussian(Weights(0.0, 1.0))


def test_later_windows_begin_with_the_last_listed_values():
    case = CASES["stiffness and centre jump together"]
    counting, solved = counting_of(case.build()), ensemble(case.build())
    start = start_of(case)
    series = solved.time_series(start, 1, 1, 1).energetics
    begin = solved.time_series(start, 1).state[-1]
    mean = counting.later.finite_cumulants(begin, 1, {"work": 1.0}, 1)[0]
    assert mean == pytest.approx(series.work.sum(), rel=1e-9)
    assert counting.finite_cumulants(begin, 1, {"work": 1.0}, 1)[0] != pytest.approx(mean, rel=1e-3)
