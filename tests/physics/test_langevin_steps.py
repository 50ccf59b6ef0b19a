"""How the schemes' errors depend on the step, without any sampling error.

The driven part of a linear network's currents does not depend on temperature, so it is read off
one trajectory of a cold network; the thermal part follows from the moments of the scheme's own
linear map.
"""

import numpy as np
import pytest
from driven_oscillators import Driven, Site
from oscillator_networks import closed_form, currents, pair, ring, simulate
from scipy.linalg import expm, solve_discrete_lyapunov

from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import bare
from trajsim.ensemble import ensemble, gaussian
from trajsim.kernels import langevin
from trajsim.kernels.integrators import LANES, first_half, second_half
from trajsim.models import oscillators
from trajsim.models.waveform import Waveform, pack
from trajsim.plan import Plan

SCHEMES = ("hoh", "baoab")
COLD = 1e-20


def driven_error(scheme, steps, phase=np.pi / 2):
    """Relative errors of q_L, q_R, w_L, w_R and the exclusive works."""
    network, plan = pair((COLD, COLD), phase), Plan(1, 30, 1, 1)
    exact = closed_form(COLD, COLD, phase)
    found = currents(simulate(network, plan, 1, scheme, steps), network, plan)
    return found / np.append(exact, exact[2:]) - 1


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("phase", [np.pi / 2, 2.2])
def test_driven_currents_are_of_second_order_in_the_step(scheme, phase):
    ratio = driven_error(scheme, 96, phase) / driven_error(scheme, 192, phase)
    np.testing.assert_allclose(ratio, 4.0, rtol=0.2)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_mean_positions_at_the_edges_are_of_second_order_in_the_step(scheme):
    network, plan = pair((COLD, COLD)), Plan(1, 30, 8, 1)
    ensemble = gaussian.LinearEnsemble(network)
    exact = np.array([ensemble.mean(k * network.period / 8)[:2] for k in range(8)])
    errors = [
        simulate(network, plan, 1, scheme, steps)["position"][0, :8] - exact for steps in (96, 192)
    ]
    assert np.abs(errors[0]).max() / np.abs(errors[1]).max() == pytest.approx(4.0, rel=0.2)


@compiled
def half_step(model, x, n, first, at):
    """Half of step `at` of the period, in the first lanes of x (4 n, LANES)."""
    bared, lanes = bare(model), bare(x)
    if first:
        first_half(bared.scheme, bared.network, n, lanes, 0, bared.held, at)
    else:
        second_half(bared.scheme, bared.network, n, lanes, 0, bared.held, at)


@pytest.mark.parametrize("driven", [False, True])
def test_a_long_chain_moves_without_error_though_far_sites_are_left_out(driven):
    """Half a step of 24 unlike sites against the exponential of their equations of motion."""
    n, steps, period, rng = 24, 12, 3.0, np.random.default_rng(16)
    mass, traps, springs = rng.uniform(0.3, 3.0, (3, n))
    at_step = springs.copy()
    coupling = list(springs)
    if driven:
        coupling[5] = Waveform(springs[5], [(1, 0.9 * springs[5], 0.4)])
        at_step[5] *= 1 + 0.9 * np.cos(2 * np.pi * 7.5 / steps + 0.4)
    force = rng.normal(size=n)
    network = oscillators.network(
        period=period,
        mass=mass,
        friction=[1.0] * n,
        temperature=[1.0] * n,
        bath=[0] * n,
        site_stiffness=list(traps),
        site_quartic=[0.0] * n,
        bonds=[(i, (i + 1) % n, coupling[i], 0.0) for i in range(n)],
        drive=pack([Waveform(f) for f in force]),
        driven=[False] * n,
    )
    model = langevin.prepare(network, Plan(1, 0, 1, 1), "hoh", steps, "float64")
    assert model.scheme.sparse
    assert model.scheme.flow.shape[1] < n * n / 2
    x = np.zeros((4 * n, LANES))
    x[: 2 * n] = rng.normal(size=(2 * n, LANES))
    begun = x[: 2 * n, 0].copy()
    half_step(model, x, n, True, 7)
    stiffness = oscillators.stiffness_of(network.ends, traps, at_step)
    flow = np.zeros((2 * n + 1, 2 * n + 1))
    flow[:n, n : 2 * n] = np.eye(n)
    flow[n : 2 * n, :n], flow[n : 2 * n, -1] = -stiffness / mass[:, None], force / mass
    moved = expm(flow * period / steps / 2) @ np.append(begun, 1.0)
    np.testing.assert_allclose(x[: 2 * n, 0], moved[:-1], rtol=0, atol=1e-13)


def thermal_heat(scheme, steps, network):
    """Heat rates of an undriven linear network under the scheme, from its exact second moments."""
    n = len(network.mass)
    model = langevin.prepare(network, Plan(1, 0, 1, 1), scheme, steps, "float64")
    # A half step is told its n: without the lengths of tuples one is compiled for all networks.
    model = model._replace(sites=(), baths=(), drives=(), moves=())

    def linear(first):
        x = np.eye(4 * n, LANES)
        half_step(model, x, n, first, model.steps)
        # Less what becomes of a network at rest.
        return x[: 2 * n, : 2 * n] - x[: 2 * n, 2 * n : 2 * n + 1]

    before, after = linear(True), linear(False)
    baths = []
    for i, damping, spread in zip(model.mover, model.damping, model.spread[0], strict=True):
        at = np.eye(2 * n)[n + i]
        baths.append((np.eye(2 * n) - (1 - damping) * np.diag(at), spread**2 * np.diag(at)))
    step, added = before, np.zeros((2 * n, 2 * n))
    for bath, noise in baths:
        step, added = bath @ step, bath @ added @ bath.T + noise
    moments = solve_discrete_lyapunov(after @ step, after @ added @ after.T)
    met, heat = before @ moments @ before.T, np.zeros(network.bath.max() + 1)
    for i, source, (bath, noise) in zip(model.mover, model.source, baths, strict=True):
        left = bath @ met @ bath.T + noise
        heat[source] += 0.5 * network.mass[i] * (left - met)[n + i, n + i]
        met = left
    return heat * steps / network.period


def two_baths_at_a_site():
    """Two oscillators, the first in three baths, the second in two."""
    sites = (
        Site(1.2, bath=0, friction=0.5, mass=0.8, also=((1, 0.9), (2, 0.4))),
        Site(0.7, bath=2, friction=0.6, also=((0, 0.3),)),
    )
    return Driven(sites, ((0, 1, 1.5),), (1.7, 0.4, 0.9), 3.0).build()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "make", [lambda: pair((1.5, 0.5), amplitude=0.0), ring, two_baths_at_a_site]
)
def test_thermal_heat_is_of_second_order_in_the_step(scheme, make):
    network = make()
    still = network._replace(drive=network.drive._replace(amplitude=0 * network.drive.amplitude))
    exact = ensemble(still).currents.rates.heat
    errors = [thermal_heat(scheme, steps, still) - exact for steps in (96, 192)]
    np.testing.assert_allclose(errors[0] / errors[1], 4.0, rtol=0.2)
    # A wrong strength of the noise, or Ito's product, is off by far more than the step error.
    np.testing.assert_allclose(errors[1], 0, atol=1e-3)


@pytest.mark.parametrize(("scheme", "expected", "slack"), [("hoh", 49, 5), ("baoab", 188, 10)])
def test_steps_for_a_thousandth_in_every_current(scheme, expected, slack):
    assert np.abs(driven_error(scheme, expected + slack)).max() < 1e-3
    assert np.abs(driven_error(scheme, expected - slack)).max() > 1e-3


@pytest.mark.parametrize("phase", [np.pi / 2, 2.2])
def test_chosen_steps_keep_driven_currents_within_a_thousandth(phase):
    steps = oscillators.enough_steps(pair(), 1e-3)
    assert steps < 200
    assert np.abs(driven_error("hoh", steps, phase)).max() < 1e-3


@pytest.mark.parametrize("make", [lambda: pair((1.5, 0.5), amplitude=0.0), two_baths_at_a_site])
def test_chosen_steps_keep_thermal_heat_within_a_thousandth(make):
    network = make()
    found = thermal_heat("hoh", oscillators.enough_steps(network, 1e-3), network)
    np.testing.assert_allclose(found, ensemble(network).currents.rates.heat, rtol=1e-3)


def test_chosen_steps_follow_quartic_forces():
    network, plan = pair((COLD, COLD), alpha=1.0, amplitude=3.0), Plan(1, 30, 1, 1)
    steps = oscillators.enough_steps(network, 1e-3)
    one, other = (
        currents(simulate(network, plan, 1, "hoh", n), network, plan) for n in (steps, 8 * steps)
    )
    np.testing.assert_allclose(one, other, rtol=2e-3)


def test_hoh_has_no_shadow_work_in_a_linear_network():
    columns = simulate(ring(), Plan(20, 0, 4, 1), 50, "hoh", steps=24)
    throughput = np.abs(columns["heat"]).max()
    assert np.abs(columns["shadow_work"]).max() < 1e-12 * throughput


def test_shadow_work_of_quartic_forces_falls_with_the_square_of_the_step():
    # The same cold orbit at two steps: no sampling error.
    network = pair((COLD, COLD), alpha=1.0, amplitude=3.0)
    plan = Plan(1, 30, 8, 1)
    spread = [
        np.abs(simulate(network, plan, 1, "hoh", steps)["shadow_work"]).max() for steps in (96, 192)
    ]
    assert spread[0] / spread[1] == pytest.approx(4.0, rel=0.2)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("plan", [Plan(6, 2, 1, 1), Plan(6, 1, 1, 3), Plan(2, 0, 8, 1)])
def test_ledger_adds_up_in_every_row(scheme, alpha, plan):
    network = pair((1.5, 0.5), alpha=alpha)
    columns = simulate(network, plan, 40, scheme)
    gained = columns["heat"].sum(-1) + columns["work"].sum(-1) + columns["shadow_work"]
    np.testing.assert_allclose(np.diff(columns["energy"], axis=1), gained, atol=1e-12)
    # Energies are H at the true force, written out here once more.
    x, v = columns["position"], columns["velocity"]
    turn = 2 * np.pi * np.arange(plan.rows + 1) * plan.row_periods
    f = np.stack([np.cos(turn), np.cos(turn + np.pi / 2)], axis=-1)
    stretch = x[..., 0] - x[..., 1]
    h = (v**2 / 2 + x**2 + alpha * x**4 / 4 - f * x).sum(-1)
    h += 1.5 * stretch**2 + alpha * stretch**4 / 4
    np.testing.assert_allclose(columns["energy"], h, atol=1e-12)
    # Exclusive and inclusive work differ by what f x has grown by.
    grown = np.diff(f * x, axis=1)
    np.testing.assert_allclose(columns["exclusive_work"] - columns["work"], grown, atol=1e-12)


def test_too_few_steps_are_refused_with_the_number_needed():
    with pytest.raises(ValueError, match=r"found 4; allowed: at least 5 for scheme 'baoab'"):
        langevin.prepare(pair(), Plan(1, 0, 1, 1), "baoab", 4, "float64")
    # One less than that number is unstable indeed: the fastest mode turns by more than 2.
    assert np.sqrt(2.0 + 2 * 3.0) * 3.0 / 4 > 2.0 > np.sqrt(2.0 + 2 * 3.0) * 3.0 / 5


def test_a_trajectory_that_blows_up_is_named():
    network = pair(alpha=50.0, amplitude=30.0)
    plan = Plan(50, 0, 1, 1)
    model = langevin.prepare(network, plan, "hoh", 6, "float64")
    start = langevin.Start(np.zeros(4), np.zeros((4, 4)), 0.0)
    replicas = langevin.begin(model, start, 1, 0, 7, 3)
    rows = langevin.Rows(
        *(np.zeros((3, 50, k)) for k in (2, 2, 2)),
        np.zeros((3, 50)),
        np.zeros((3, 51)),
        *np.zeros((2, 3, 51, 2)),
        np.zeros((3, 50, 0)),
    )
    _, broken = langevin.advance(model, plan, replicas, rows, 0, 50)
    assert "trajectory 7 is no longer finite" in langevin.fault(broken, 7)
