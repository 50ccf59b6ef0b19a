"""Oscillators of which stiffnesses, centres, bonds and temperatures are driven."""

import driven_motion as driven
import numpy as np
import pytest
from oscillator_networks import simulate
from scipy.integrate import solve_ivp
from test_langevin_steps import half_step

from trajsim.kernels import integrators, langevin
from trajsim.models.oscillators import growth
from trajsim.models.waveform import Waveform, at_edges
from trajsim.plan import Plan

SCHEMES = ("hoh", "baoab")
COLD = 1e-20


@pytest.mark.parametrize("scheme", SCHEMES)
def test_motion_heat_and_each_work_are_of_second_order_in_the_step(scheme):
    # From rest in the third of three periods: jumps within steps, at 0, at 1 and at the wrap.
    network, plan = driven.everything((COLD, COLD)), Plan(3, 0, 1, 1)
    x, v, heat, work = driven.cold_motion(periods=3)
    errors = []
    for steps in (96, 192):
        columns = simulate(network, plan, 1, scheme, steps)
        errors.append(
            np.concatenate(
                [
                    columns["position"][0, -1] - x,
                    columns["velocity"][0, -1] - v,
                    columns["heat"][0, -1] - heat,
                    columns["work"][0, -1] - work,
                ]
            )
        )
    np.testing.assert_allclose(errors[1], 0.0, atol=2e-3)
    assert np.linalg.norm(errors[0]) / np.linalg.norm(errors[1]) == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("plan", [Plan(4, 1, 1, 1), Plan(4, 0, 1, 2), Plan(2, 0, 8, 1)])
def test_ledger_adds_up_in_every_row(scheme, plan):
    network = driven.everything()
    columns = simulate(network, plan, 30, scheme)
    gained = columns["heat"].sum(-1) + columns["work"].sum(-1) + columns["shadow_work"]
    np.testing.assert_allclose(np.diff(columns["energy"], axis=1), gained, atol=1e-12)
    # Energies are H written out by hand, just before jumps at an edge, after those listed at 1.
    u = np.arange(plan.rows + 1) * plan.row_periods % 1.0
    found = np.array(
        [[value for value, _ in driven.parameters(s, int(s > driven.JUMP))] for s in u]
    ).T
    whole = u == 0.0
    found[:, whole] = np.array([value for value, _ in driven.parameters(1.0, 1)])[:, None]
    found[1, whole] = 1.1
    if not plan.burn_in:
        found[:, 0] = [value for value, _ in driven.parameters(0.0, 0)]
        found[1, 0] = 1.0
    x, v = (np.moveaxis(columns[name], 2, 0) for name in ("position", "velocity"))
    energy = driven.potential(x, *found) + 0.5 * (driven.MASS[0] * v[0] ** 2)
    energy += 0.5 * driven.MASS[1] * v[1] ** 2
    np.testing.assert_allclose(columns["energy"], energy, atol=1e-12)
    # Exclusive and inclusive work differ by what the driven term has grown by.
    force, trap, center, other, q, bond = found
    one, two = trap * (x[0] - center) ** 2 / 2, other * (x[1] - q) ** 2 / 2
    terms = [-force * x[0], one, one, two, two, bond * (x[0] - x[1]) ** 2 / 2]
    grown = np.stack([np.diff(term, axis=1) for term in terms], axis=-1)
    np.testing.assert_allclose(columns["exclusive_work"], columns["work"] - grown, atol=1e-12)


def moments(scheme, steps, network):
    """Covariance at the end of a period from rest, heat and entropy flow, of the scheme's maps."""
    plan = Plan(1, 0, 1, 1)
    model = langevin.prepare(network, plan, scheme, steps, "float64")
    model = model._replace(sites=(), baths=(), drives=(), moves=())
    covariance, heat, flow = np.zeros((2, 2)), 0.0, 0.0
    for step in range(steps):
        maps = []
        for first in (True, False):
            x = np.eye(4, 64)
            half_step(model, x, 1, first, step)
            maps.append(x[:2, :2] - x[:2, 2:3])
        before, after = maps
        met = before @ covariance @ before.T
        left = met.copy()
        left[:, 1] *= model.damping[0]
        left[1] *= model.damping[0]
        left[1, 1] += model.spread[step, 0] ** 2
        heat += 0.5 * (left - met)[1, 1]
        flow += 0.5 * (left - met)[1, 1] * model.beta[step, 0]
        covariance = after @ left @ after.T
    return np.array([*covariance.ravel(), heat, flow])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_thermal_heat_of_a_breathing_trap_is_of_second_order_in_the_step(scheme):
    def slope(t, y):
        xx, xv, vv = y[:3]
        k = 1.5 + 0.6 * np.cos(2 * np.pi * t / driven.PERIOD - 0.8)
        warm = 1.0 + 0.5 * np.cos(2 * np.pi * t / driven.PERIOD + 0.4)
        heat = 0.8 * (warm - vv)
        return [2 * xv, vv - k * xx - 0.8 * xv, -2 * k * xv + 2 * heat, heat, heat / warm]

    run = solve_ivp(slope, (0, driven.PERIOD), np.zeros(5), "DOP853", rtol=1e-12, atol=1e-14)
    xx, xv, vv, heat, flow = run.y[:, -1]
    exact = np.array([xx, xv, xv, vv, heat, flow])
    errors = [moments(scheme, steps, driven.heated_trap()) - exact for steps in (96, 192)]
    np.testing.assert_allclose(errors[1], 0.0, atol=2e-3)
    assert np.linalg.norm(errors[0]) / np.linalg.norm(errors[1]) == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_entropy_flow_is_heat_over_the_temperature_of_its_time(scheme):
    columns = simulate(driven.squares(), Plan(3, 1, 4, 1), 20, scheme)
    # The bath switches at the middle of a period.
    warm = np.tile([0.6, 0.6, 1.4, 1.4], 3)[None, :, None]
    np.testing.assert_allclose(columns["entropy_flow"], columns["heat"] / warm, rtol=1e-12)


def test_hoh_has_no_shadow_work_where_a_stiffness_switches_between_steps():
    columns = simulate(driven.squares(), Plan(20, 0, 4, 1), 50, "hoh", steps=24)
    assert np.abs(columns["shadow_work"]).max() < 1e-12 * np.abs(columns["heat"]).max()


def test_many_steps_of_one_stiffness_share_their_matrices(monkeypatch):
    model = langevin.prepare(driven.squares(), Plan(1, 0, 1, 1), "hoh", 400, "float64")
    assert len(model.scheme.flow) == 2
    monkeypatch.setattr(integrators, "MOST_BYTES", 1 << 16)
    with pytest.raises(ValueError, match=r"'hoh' keeps matrices of .* GB; 'baoab' needs none"):
        langevin.prepare(driven.heated_trap(), Plan(1, 0, 1, 1), "hoh", 4000, "float64")


def test_drives_stand_in_the_order_of_the_ledger():
    waves, site, other = driven.everything().drives_at_sites()
    np.testing.assert_array_equal(site, [0, 0, 0, 1, 1, 0])
    np.testing.assert_array_equal(other, [-1, -1, -1, -1, -1, 1])
    opening = [0.2 + 0.5 * np.cos(0.3) + 0.3 * np.cos(1.0), 1.0, -0.4]
    opening += [1.5 + 0.6 * np.cos(0.8), 0.4, 1.2 + 0.7 * np.cos(2.0)]
    np.testing.assert_allclose(at_edges(waves, 1)[0], opening)


def test_a_stiffness_that_swings_twice_as_fast_as_the_particle_excites_it():
    # Mathieu's equation with friction, integrated apart: the largest multiplier of a period.
    def slope(t, y):
        x, v = y.reshape(2, 2)
        return np.concatenate([v, -(1.0 + 0.6 * np.cos(2.0 * t)) * x - 0.1 * v])

    run = solve_ivp(slope, (0, np.pi), np.eye(2).ravel(), "DOP853", rtol=1e-12, atol=1e-14)
    expected = abs(np.linalg.eigvals(run.y[:, -1].reshape(2, 2))).max()
    network = driven.heated_trap(Waveform(1.0, [(1, 0.6, 0.0)]))
    network = network._replace(period=np.pi, friction=np.array([0.1]))
    assert expected > 1.0
    # The midpoint rule is of second order: of 256 steps.
    assert growth(network) == pytest.approx(expected, rel=1e-4)
