"""Overdamped motion: the order of its steps in the law of positions and heats, and its ledger."""

from pathlib import Path

import numpy as np
import pytest
from driven_oscillators import Driven, Site
from driven_spins import Wave
from oscillator_networks import simulate
from scipy.interpolate import CubicSpline
from scipy.linalg import expm, solve_discrete_lyapunov
from scipy.sparse import diags

from trajsim.analysis.averages import averages
from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import bare
from trajsim.config import load
from trajsim.ensemble.driven_oscillators import DrivenEnsemble
from trajsim.kernels import langevin
from trajsim.kernels.integrators import LANES
from trajsim.kernels.oscillator_energetics import thermal_moves
from trajsim.models import oscillators
from trajsim.models.waveform import Waveform, pack
from trajsim.plan import Plan
from trajsim.running.run import simulate as simulate_run
from trajsim.store import open_run

COLD = 1e-20
JUMPING = Wave(points=((0, 0.1), (0, 0.5), (0.3, -0.2), (0.3, 0.4), (1, -0.3), (1, 0.2)))
PULSED = Wave(points=((0, 1.0), (0, 1.5), (0.4, 1.9), (0.4, 0.8), (1, 1.2), (1, 2.0)))
BREATHING = Wave(1.4, ((1, 0.8, 0.3), (2, 0.4, 1.0)))
MOVED = Wave(points=((0, -0.3), (0, 0.2), (0.4, 0.5), (0.4, -0.1), (1, 0.6), (1, 1.0)))


def everything(temperatures):
    """Three sites in two baths, of which all is driven."""
    sites = (
        Site(BREATHING, JUMPING, MOVED, friction=0.7),
        Site(0.5, 0.0, MOVED, bath=1, friction=1.3),
        Site(1.2, 0.3, bath=0),
    )
    bonds = ((0, 1, PULSED), (1, 2, 0.6))
    return Driven(sites, bonds, temperatures, 2.0, overdamped=True)


def test_mean_motion_heat_and_each_work_are_of_second_order_in_the_step():
    case = everything((COLD, COLD))
    states, gains = case.follow(np.zeros(3), np.zeros((3, 3)), 1, 2)
    errors = []
    for steps in (100, 200):
        columns = simulate(case.build(), Plan(2, 0, 1, 1), 1, "sweep", steps)
        names = ("heat", "work", "exclusive_work")
        gained = np.concatenate([columns[name][0, -1] for name in names])
        errors.append(np.append(columns["position"][0, -1] - states[-1][0], gained - gains[-1]))
    np.testing.assert_allclose(errors[1], 0.0, atol=2e-3)
    assert np.linalg.norm(errors[0]) / np.linalg.norm(errors[1]) == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("plan", [Plan(4, 1, 1, 1), Plan(4, 0, 1, 2), Plan(2, 0, 10, 1)])
def test_ledger_adds_up_in_every_row_without_shadow_work(plan):
    case = everything((1.2, 0.5))
    columns = simulate(case.build(), plan, 30, "sweep", 50)
    gained = columns["heat"].sum(-1) + columns["work"].sum(-1)
    np.testing.assert_allclose(np.diff(columns["energy"], axis=1), gained, atol=1e-12)
    np.testing.assert_allclose(columns["shadow_work"], 0.0, atol=1e-12)
    assert columns["velocity"].size == 0
    # The last energy is H, written by hand.
    K, F, constant = case.potential(case.listed(1))
    x = columns["position"][:, -1]
    energy = 0.5 * np.einsum("mi,ij,mj->m", x, K, x) - x @ F + constant
    np.testing.assert_allclose(columns["energy"][:, -1], energy, atol=1e-12)


@compiled
def move(model, numbers, sizes, step):
    """The thermal moves of a step in the first lanes."""
    bared = bare(model)
    thermal_moves(bared.scheme, bared, bare(numbers), sizes, 0, step)


def moved(network, model, j, x, noise, at):
    """Positions (n, m) after move j of a step, and heats (baths, m), for a noise (m,)."""
    n, count = x.shape
    after, heats = np.zeros((n, count)), []
    one = {
        name: getattr(model, name)[..., j : j + 1].copy()
        for name in ("mover", "source", "damping", "push", "bend", "spread", "beta")
    }
    model = model._replace(sites=(), baths=(), drives=(), moves=(), **one)
    sizes = langevin.sizes_of(model, count, 0)._replace(moves=1)
    for begin in range(0, count, 8):
        numbers = np.zeros((4 * n + 2 * sizes.baths + sizes.drives + 1, LANES))
        some = slice(begin, min(begin + 8, count))
        width = some.stop - begin
        numbers[:n, :width], numbers[-1, :width] = x[:, some], noise[some]
        move(model, numbers.reshape(-1), sizes, at)
        after[:, some] = numbers[:n, :width]
        heats.append(numbers[4 * n : 4 * n + sizes.baths, :width])
    return after, np.concatenate(heats, axis=1)


def sweep_heat(network, steps):
    """Heat rates of an undriven linear network, of second moments of the step's own maps."""
    model = langevin.prepare(network, Plan(1, 0, 1, 1), "sweep", steps, "float64")
    maps, n = [], len(network.mass)
    for j in range(len(model.mover)):
        after, _ = moved(network, model, j, np.eye(n, n + 1), np.eye(n + 1)[n], 0)
        maps.append((after[:, :n], after[:, n:]))
    whole, noise = np.eye(n), np.zeros((n, n))
    for A, b in maps:
        whole, noise = A @ whole, A @ noise @ A.T + b @ b.T
    C, heat = solve_discrete_lyapunov(whole, noise), np.zeros(network.bath.max() + 1)
    for (A, b), bath in zip(maps, model.source, strict=True):
        later = A @ C @ A.T + b @ b.T
        heat[bath] += 0.5 * np.sum(network.stiffness * (later - C))
        C = later
    return heat * steps / network.period


def test_heat_between_baths_is_of_second_order_in_the_step():
    sites = (Site(0.6, bath=0), Site(1.1, bath=1, friction=0.6), Site(0.4, bath=1))
    network = Driven(sites, ((0, 1, 1.2), (1, 2, 0.8)), (1.6, 0.5), 3.0, overdamped=True).build()
    exact = DrivenEnsemble(network).currents.rates.heat
    errors = [sweep_heat(network, steps) - exact for steps in (24, 48)]
    np.testing.assert_allclose(errors[0] / errors[1], 4.0, rtol=0.1)
    np.testing.assert_allclose(errors[1], 0.0, atol=0.01)
    chosen = oscillators.enough_steps(network, 1e-3)
    np.testing.assert_allclose(sweep_heat(network, chosen), exact, rtol=1e-3)


def test_one_linear_particle_moves_exactly_whatever_the_step():
    network = Driven((Site(1.7, 0.4, friction=0.8),), (), (0.9,), 2.0, overdamped=True).build()
    model = langevin.prepare(network, Plan(1, 0, 1, 1), "sweep", 4, "float64")
    after, heat = moved(
        network, model, 0, np.array([[0.0, 1.0, 0.0]]), np.array([0.0, 0.0, 1.0]), 0
    )
    keep = np.exp(-1.7 * 0.5 / 0.8)
    spread = np.sqrt(0.9 / 1.7 * (1 - keep**2))
    rest = 0.4 / 1.7
    expected = rest + np.array([-keep * rest, keep * (1 - rest), -keep * rest + spread])
    np.testing.assert_allclose(after[0], expected, rtol=1e-14)
    energy = [0.85 * x**2 - 0.4 * x for x in (np.array([0.0, 1.0, 0.0]), after[0])]
    np.testing.assert_allclose(heat[0], energy[1] - energy[0], atol=1e-14)


def potential(x):
    """A double well on a washboard."""
    return -0.5 * x**2 + 0.25 * x**4 + 0.4 * np.cos(2 * np.pi * x / 2.1 + 0.3) - 0.3 * x


def washboard(period):
    return oscillators.network(
        period=period,
        mass=[0.0],
        friction=[0.8],
        temperature=[0.9],
        bath=[0],
        site_stiffness=[-1.0],
        site_quartic=[1.0],
        bonds=[],
        drive=pack([Waveform(0.3)]),
        driven=[False],
        cosine=[[(0.4, 2.1, 0.3)]],
    )


def test_nonlinear_forces_are_of_second_order_in_the_law_of_positions():
    # <f(x(t))> from every start, backwards in steps of the kernel: the noise by Gauss and Hermite.
    time, grid = 1.0, np.linspace(-3.2, 3.2, 321)
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    weights = weights / weights.sum()
    inside = abs(grid) < 1.6
    # Exact: the backward equation on a finer grid, boundaries far up the potential.
    fine = np.linspace(-3.6, 3.6, 721)
    d, T, g = fine[1] - fine[0], 0.9, 0.8
    slope = (potential(fine + 1e-6) - potential(fine - 1e-6)) / 2e-6
    up, down = (T / d**2 - s * slope / (2 * d) for s in (1, -1))
    up[-1] = down[0] = 0.0
    generator = diags([down[1:], -(up + down), up[:-1]], [-1, 0, 1]).toarray() / g
    ends = {"x": lambda x: x, "x^2": lambda x: x**2, "U": potential}
    semigroup = expm(time * generator)
    exact = {k: CubicSpline(fine, semigroup @ f(fine))(grid)[inside] for k, f in ends.items()}
    errors = []
    for steps in (48, 96):
        network = washboard(time)
        model = langevin.prepare(network, Plan(1, 0, 1, 1), "sweep", steps, "float64")
        x, noise = np.repeat(grid, len(nodes)), np.tile(nodes, len(grid))
        after, heat = moved(network, model, 0, x[None], noise, 0)
        np.testing.assert_allclose(heat[0], potential(after[0]) - potential(x), atol=1e-12)
        held = np.clip(after[0], grid[0], grid[-1])
        found = {}
        for k, f in ends.items():
            value = f(grid)
            for _ in range(steps):
                value = CubicSpline(grid, value)(held).reshape(len(grid), -1) @ weights
            found[k] = value[inside] - exact[k]
        errors.append(np.concatenate(list(found.values())))
    assert abs(errors[1]).max() < 2e-3
    assert np.linalg.norm(errors[0]) / np.linalg.norm(errors[1]) == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("steps", [21, 30])
def test_trajectories_are_the_same_for_any_rows_and_any_calls(steps):
    # An odd number of moves: what a step leaves over of its numbers is used by the next one.
    network = Driven((Site(1.0, Wave(0.1, ((1, 0.5, 0.2),))),), (), (0.8,), 2.0, True).build()
    whole = simulate(network, Plan(4, 1, 1, 1), 3, "sweep", steps)
    parts = simulate(network, Plan(4, 1, 3, 1), 3, "sweep", steps)
    np.testing.assert_array_equal(whole["position"], parts["position"][:, ::3])
    plan = Plan(4, 1, 3, 1)
    model = langevin.prepare(network, plan, "sweep", steps, "float64")
    start = langevin.Start(np.zeros(2), np.zeros((2, 2)), 0.0)
    replicas = langevin.begin(model, start, 1, 0, 0, 3)
    rows = langevin.Rows(**{name: np.zeros_like(column) for name, column in parts.items()})
    for k in range(plan.segments):
        langevin.advance(model, plan, replicas, rows, k, k + 1)
    for name, column in parts.items():
        np.testing.assert_array_equal(getattr(rows, name), column)


# -- shipped configs -------------------------------------------------------------------------------

CONFIGS = Path(__file__).parents[2] / "configs"


def test_the_shipped_gyrator_conducts_what_its_closed_form_says(tmp_path):
    config = load(CONFIGS / "brownian_gyrator.toml", ("ensemble.trajectories=1000",))
    simulate_run(config, tmp_path / "run.h5")
    for point, found in zip(config.points, averages(open_run(tmp_path / "run.h5")), strict=True):
        u = point.parameters["bonds.x-y.stiffness"]
        heat = found.of("heat")
        for bath, sign in (("hot", 1), ("cold", -1)):
            off = heat[bath].mean - sign * u**2 / (2 * (1 + u))
            # Ten numbers; the step's own error is below a tenth of these standard errors.
            assert abs(off) < 4.9 * heat[bath].stderr


@pytest.mark.parametrize(("points", "work"), [([0.0, 5.0], 25 / np.e), ([5 / 3, 10 / 3], 25 / 3)])
def test_the_shipped_trap_is_dragged_at_the_known_cost(points, work, tmp_path):
    overrides = (
        "sweep={}",
        *(f"sites.1.center.points.{k + 1}.1={p}" for k, p in enumerate(points)),
    )
    config = load(CONFIGS / "dragged_trap.toml", overrides)
    simulate_run(config, tmp_path / "run.h5")
    (found,) = averages(open_run(tmp_path / "run.h5"))
    assert abs(found.total_work.mean - work) < 4.9 * found.total_work.stderr
    assert found.total_work.stderr < 0.01 * work
