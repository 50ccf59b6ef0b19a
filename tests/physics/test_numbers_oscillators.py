"""Oscillators at the ends of the ranges: cold and hot, fast and slow, nothing at all, long runs.

`pytest -m long tests/physics/test_numbers_oscillators.py` runs them for 1e9 steps.
"""

import numpy as np
import pytest
from oscillator_networks import pair, ring, simulate

from trajsim.ensemble import counting_of, start_state
from trajsim.ensemble.gaussian import LinearEnsemble
from trajsim.kernels import langevin
from trajsim.kernels.integrators import SCHEMES
from trajsim.models import oscillators
from trajsim.models.waveform import Waveform, pack
from trajsim.plan import Plan

# With inertia; `sweep` has none.
EVERY_SCHEME = pytest.mark.parametrize("scheme", [s for s in SCHEMES if s != "sweep"])
# Powers of two within which temperatures and periods lie: from 1e-3 to 1e3, and to 1e9.
PLAN = Plan(3, 1, 2, 1)


def scaled(network, energy=1.0, time=1.0):
    """The same network in other units of energy and time; those of length stay."""
    return network._replace(
        period=network.period * time,
        mass=network.mass * energy * time**2,
        friction=network.friction * energy * time,
        temperature=network.temperature * energy,
        stiffness=network.stiffness * energy,
        springs=network.springs._replace(entry=network.springs.entry * energy),
        quartic=network.quartic * energy,
        quartic_springs=network.quartic_springs._replace(
            entry=network.quartic_springs.entry * energy
        ),
        drive=network.drive._replace(
            offset=network.drive.offset * energy, amplitude=network.drive.amplitude * energy
        ),
    )


def warmed(network, factor):
    """Temperatures and squares of lengths times a factor; forces of the drives go along."""
    root = np.sqrt(factor)
    return network._replace(
        temperature=network.temperature * factor,
        drive=network.drive._replace(
            offset=network.drive.offset * root, amplitude=network.drive.amplitude * root
        ),
    )


ENERGIES = ("heat", "work", "exclusive_work", "energy")


@EVERY_SCHEME
@pytest.mark.parametrize("power", [-10, 10])
def test_temperatures_from_a_thousandth_to_a_thousand_scale_without_losing_a_digit(scheme, power):
    # Linear forces: positions as the root of the temperature, a power of two. The ring for the
    # scheme that other tests use it with, which saves compiling one more kernel.
    network, factor = ring() if scheme == "hoh" else pair((1.5, 0.5)), 2.0**power
    one, other = (simulate(n, PLAN, 70, scheme) for n in (network, warmed(network, factor)))
    for name in ENERGIES:
        np.testing.assert_array_equal(other[name], factor * one[name], err_msg=name)
    np.testing.assert_array_equal(other["position"], np.sqrt(factor) * one["position"])


@EVERY_SCHEME
@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize(("energy", "time"), [(2.0**-10, 1.0), (1.0, 2.0**-12), (2.0**10, 2.0**28)])
def test_units_of_energy_and_time_may_be_any(scheme, alpha, energy, time):
    # Periods of 3: from 7e-4 to 8e8.
    network = pair((1.5, 0.5), alpha=alpha)
    one, other = (simulate(n, PLAN, 70, scheme) for n in (network, scaled(network, energy, time)))
    np.testing.assert_array_equal(other["position"], one["position"])
    np.testing.assert_array_equal(other["velocity"], one["velocity"] / time)
    for name in ENERGIES:
        np.testing.assert_array_equal(other[name], energy * one[name], err_msg=name)


@pytest.mark.parametrize("factor", [1e-3, 1e3])
@pytest.mark.parametrize("time", [1e-3, 1e9])
def test_exact_currents_scale_with_temperature_and_period(factor, time):
    one, other = ring(), scaled(warmed(ring(), factor), 1.0, time)
    rates, found = (LinearEnsemble(n).currents.rates for n in (one, other))
    for a, b in zip(rates, found, strict=True):
        np.testing.assert_allclose(b * time / factor, a, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("period", [1e-3, 1e-1, 1e3, 1e6, 1e9])
def test_exact_currents_are_those_of_linear_response_at_any_period(period):
    # Equation 7 of the paper; its thermal part does not know the drive.
    network = pair((1.2, 0.7), phase=1.0, period=period)
    a = 5.0 - (2 * np.pi / period) ** 2 + 2j * np.pi / period
    g = np.linalg.inv(np.array([[a, -3.0], [-3.0, a]]))
    force = np.array([1.0, np.exp(1.0j)])
    power = 0.5 * (force.conj() * (2j * np.pi / period) * (g @ force)).real
    dissipated = 0.5 * (2 * np.pi / period) ** 2 * abs(g @ force) ** 2
    still = LinearEnsemble(pair((1.2, 0.7), amplitude=0.0)).currents.rates.heat
    rates = LinearEnsemble(network).currents.rates
    # Sums of what is as large as 1 lose what is smaller than their rounding.
    scale = np.abs(still).max()
    np.testing.assert_allclose(rates.work, power, rtol=1e-7, atol=1e-15 * scale)
    np.testing.assert_allclose(rates.heat, still - dissipated, atol=1e-12 * scale)


@pytest.mark.parametrize("time", [1e-3, 1e9])
@pytest.mark.parametrize("start", ["rest", "periodic"])
def test_exact_transients_and_variances_scale_with_the_period(time, start):
    one, other = ring(), scaled(ring(), 1.0, time)
    plan = Plan(3, 1, 2, 1)
    windows = [LinearEnsemble(n).window(start_state(n, start), plan) for n in (one, other)]
    for a, b in zip(windows[0].rates, windows[1].rates, strict=True):
        np.testing.assert_allclose(b * time, a, rtol=1e-9, atol=1e-12)
    spreads = [counting_of(n).covariance(start, 3) for n in (one, other)]
    np.testing.assert_allclose(spreads[1], spreads[0], atol=1e-10 * np.abs(spreads[0]).max())


@pytest.mark.parametrize("period", [1e-3, 0.05, 3.0, 1e3, 1e9])
@pytest.mark.parametrize("order", [1, 7, 50])
def test_the_window_of_the_periodic_state_has_its_currents_whatever_the_harmonic(period, order):
    network = pair((1.2, 0.7), period=period)
    drives = pack(
        [
            Waveform(0.1, [(order, 1.0, 0.2)]),
            Waveform(0.0, [(1, 1.0, 0.0), (order, 0.5, 1.0)]),
        ]
    )
    ensemble = LinearEnsemble(network._replace(drive=drives))
    rates = ensemble.window(ensemble.periodic_state, Plan(2, 0, 2, 1)).rates
    for a, b in zip(rates, ensemble.currents.rates, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-13 * (1 + 1 / period))


def test_a_window_of_a_period_far_longer_than_any_decay_has_its_one_transient():
    # From rest the energy of the equilibrium is taken up once, in the first period.
    for period in (1e2, 1e4, 1e6):
        network = pair((0.9, 0.9), amplitude=0.0, period=period)
        ensemble = LinearEnsemble(network)
        rates = ensemble.window(start_state(network, "rest"), Plan(3, 0, 2, 1)).rates
        assert rates.heat.sum() * 3 * period == pytest.approx(4 * 0.9 / 2, rel=1e-8)


# -- nothing ---------------------------------------------------------------------------------------


def separate(coupling=None):
    """Two oscillators that do not know of each other; with a bond of no strength if asked."""
    return oscillators.network(
        period=4.0,
        mass=[1.0, 0.7],
        friction=[1.0, 0.5],
        temperature=[0.8, 1.3],
        bath=[0, 1],
        site_stiffness=[2.0, 1.0],
        site_quartic=[0.0, 0.0],
        bonds=[] if coupling is None else [(0, 1, coupling, 0.0)],
        drive=pack([Waveform(0.0, [(1, 0.6, 0.4)]), Waveform(0.0, [(2, 0.6, 0.0)])]),
        driven=[True, True],
    )


@EVERY_SCHEME
def test_bonds_of_no_strength_are_none(scheme):
    one, other = (simulate(separate(coupling=c), PLAN, 70, scheme) for c in (None, 0.0))
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    rates = [LinearEnsemble(separate(coupling=c)).currents.rates for c in (None, 0.0)]
    for a, b in zip(*rates, strict=True):
        np.testing.assert_array_equal(a, b)


@EVERY_SCHEME
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_drives_of_no_amplitude_do_no_work(scheme, alpha):
    columns = simulate(pair((1.5, 0.5), amplitude=0.0, alpha=alpha), PLAN, 70, scheme)
    assert not columns["work"].any()
    assert not columns["exclusive_work"].any()
    assert columns["heat"].all()
    quiet = pair((1.5, 0.5), amplitude=0.0)
    assert not LinearEnsemble(quiet).currents.rates.work.any()
    assert np.abs(counting_of(quiet).covariance("periodic", 2)[2:]).max() < 1e-12


@EVERY_SCHEME
def test_oscillators_at_rest_in_baths_of_no_temperature_stay_there(scheme):
    columns = simulate(pair((0.0, 0.0), amplitude=0.0, alpha=1.0), PLAN, 3, scheme)
    assert not any(values.any() for values in columns.values())


# -- long runs -------------------------------------------------------------------------------------


@EVERY_SCHEME
@pytest.mark.parametrize("before", [10**9, 10**12])
def test_the_phase_after_a_billion_periods_is_that_of_the_first_to_the_last_bit(scheme, before):
    # Trajectories that begin as at time 0, though so many periods have gone by. A third of a
    # period is no binary fraction.
    network, plan, count = pair((1.5, 0.5)), Plan(2, 0, 3, 1), 20
    whole = simulate(network, plan, count, scheme)
    later = plan._replace(burn_in=before)
    model = langevin.prepare(network, later, scheme, 48, "float64")
    start = langevin.Start(np.zeros(4), np.zeros((4, 4)), 0.0)
    replicas = langevin.begin(model, start, 1, 0, 0, count)
    rows = langevin.Rows(**{name: np.zeros_like(values) for name, values in whole.items()})
    langevin.advance(model, later, replicas, rows, 3 * before, 3 * before + plan.segments)
    for name, values in whole.items():
        np.testing.assert_array_equal(getattr(rows, name), values, err_msg=name)


def made_by_the_integrator(periods):
    """Largest shadow work of a row of HOH in a linear network, as part of its throughput."""
    network, count, steps = ring(), 64, 24
    columns = simulate(network, Plan(periods, 0, 1, periods), count, "hoh", steps)
    # Friction takes up, and noise gives back, gamma T / m at each site.
    touched = network.bath >= 0
    rate = (network.friction * network.temperature / network.mass)[touched].sum()
    part = np.abs(columns["shadow_work"]).max() / (rate * periods * network.period)
    return part, count * periods * steps


def test_hoh_makes_no_energy_in_ten_million_steps():
    part, steps = made_by_the_integrator(7000)
    assert steps > 1e7
    assert part < 1e-12


@pytest.mark.long
def test_hoh_makes_no_energy_in_a_billion_steps(capsys):
    part, steps = made_by_the_integrator(660_000)
    with capsys.disabled():
        print(f"\n64 rows of 660,000 periods: {steps:.2e} steps, {part:.1e} of the throughput")
    assert steps > 1e9
    assert part < 1e-9
