"""Gradients of mean heats and works by the points of a protocol, and optimal protocols."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from trajsim.config import load, parse, with_parameters
from trajsim.ensemble import ensemble
from trajsim.explore import best_protocol
from trajsim.explore.protocols import Protocol

REVERSAL = "configs/magnetisation_reversal.toml"
DRIVE = "sites.1.drive.points"


def differences(function, values, k, step=1e-3):
    """Derivative by entry k, by five points; its error is of fourth order in the step."""

    def at(shift):
        moved = np.array(values, float)
        moved[k] += shift * step
        return function(moved)

    return (8.0 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12.0 * step)


def work_on_one_spin(points, rate=0.5, period=10.0):
    """Mean work on a heat-bath spin at T = 1 from equilibrium: d<s>/dt = 2 r (tanh h - <s>)."""
    mean, work = np.tanh(points[0][1]), 0.0
    for (a, low), (b, high) in pairwise(points):
        if a == b:
            work -= mean * (high - low)
            continue

        def slope(u, y, a=a, b=b, low=low, high=high):
            field = low + (high - low) * (u - a) / (b - a)
            return [2.0 * rate * period * (np.tanh(field) - y[0]), -y[0] * (high - low) / (b - a)]

        run = solve_ivp(slope, (a, b), [mean, work], "DOP853", rtol=1e-13, atol=1e-15)
        mean, work = run.y[:, -1]
    return work


def test_the_gradient_of_the_work_on_a_spin_is_that_of_its_equation_of_motion():
    points = [[0.0, -1.0], [0.0, -0.6], [0.4, 0.3], [0.4, 0.5], [1.0, 1.2], [1.0, 1.5]]
    experiment = with_parameters(load(REVERSAL).experiment, {DRIVE: points})
    values = np.array([value for _, value in points])

    def work(moved):
        return work_on_one_spin([(u, v) for (u, _), v in zip(points, moved, strict=True)])

    mean, gradient = Protocol(experiment, DRIVE, "work").gradient(values)
    assert mean == pytest.approx(work(values), rel=1e-10)
    expected = [differences(work, values, k) for k in range(1, 5)]
    np.testing.assert_allclose(gradient[1:-1], expected, rtol=1e-8, atol=1e-10)


ENGINE = """
[model]
kind = "spins"
rate = 1.0
rate_law = "metropolis"
[drive]
period = 6.0
[baths]
L = { temperature = 0.6 }
R = { temperature = { offset = 2.0, amplitude = 0.3 } }
[[sites]]
name = "1"
bath = "L"
drive = { amplitude = 0.4 }
[[sites]]
name = "2"
bath = "R"
drive = { amplitude = 0.5, phase = 1.5 }
[[bonds]]
sites = ["1", "2"]
coupling = { points = [[0, 1.0], [0.3, 1.5], [0.6, 0.9], [0.6, 0.5], [1, 0.8]] }
[ensemble]
trajectories = 2
periods = 10
seed = 0
"""
COUPLING = "bonds.1-2.coupling.points"


@pytest.mark.parametrize("aim", ["power", "cooling", "efficiency"])
def test_gradients_of_the_periodic_state_are_differences_of_its_currents(aim):
    experiment = parse(ENGINE).experiment
    protocol = Protocol(experiment, COUPLING, aim)
    values = np.array([value for _, value in protocol.points])

    def quantity(moved):
        left, right = (rates := ensemble(protocol.at(moved).network(), 1e-12).currents.rates).heat
        work = rates.work.sum()
        return {"power": -6.0 * work, "cooling": 6.0 * left, "efficiency": -work / right}[aim]

    mean, gradient = protocol.gradient(values)
    assert mean == pytest.approx(quantity(values), rel=1e-9)
    expected = [differences(quantity, values, k) for k in range(1, 4)]
    np.testing.assert_allclose(gradient[1:-1], expected, rtol=1e-7, atol=1e-8 * abs(gradient).max())


def test_no_protocol_near_the_best_takes_less_work():
    best = best_protocol(load(REVERSAL).experiment, DRIVE, "work")
    assert best.converged
    values = np.array([value for _, value in best.best])
    least = work_on_one_spin(best.best)
    assert best.value == pytest.approx(least, rel=1e-9)
    for k in (1, 2):
        for shift in (-0.02, 0.02):
            moved = values.copy()
            moved[k] += shift
            other = [(u, v) for (u, _), v in zip(best.best, moved, strict=True)]
            assert work_on_one_spin(other) > least


TRAP = "configs/dragged_trap.toml"
CENTER = "sites.1.center.points"


def test_the_gradient_of_the_work_on_a_dragged_trap_is_that_of_its_equation_of_motion():
    # Mean work int k (c - <x>) dc of m <x>'' + <x>' + <x> = c, with jumps of c at both ends.
    experiment = with_parameters(
        load(TRAP).experiment, {"model.dynamics": "underdamped", "model.mass": 0.2}
    )
    protocol = Protocol(experiment, CENTER, "work")
    values = np.array([0.0, 0.7, 3.0, 5.0])

    def work(moved):
        first, begin, end, last = moved
        speed = end - begin

        def slope(u, y):
            center = begin + speed * u
            return [y[1], (center - y[0] - y[1]) / 0.2, (center - y[0]) * speed]

        jump = 0.5 * (begin - first) ** 2
        run = solve_ivp(slope, (0, 1), [first, 0.0, jump], "DOP853", rtol=1e-13, atol=1e-15)
        x, _, done = run.y[:, -1]
        return done + 0.5 * ((last - x) ** 2 - (end - x) ** 2)

    mean, gradient = protocol.gradient(values)
    assert mean == pytest.approx(work(values), rel=1e-10)
    expected = [differences(work, values, k) for k in (1, 2)]
    np.testing.assert_allclose(gradient[1:-1], expected, rtol=1e-8)


def test_the_best_way_to_drag_a_trap_is_the_known_one():
    # Jumps of 5/3 and the work 25/3 (Schmiedl & Seifert 2007).
    best = best_protocol(load(TRAP).experiment, CENTER, "work")
    assert best.value == pytest.approx(25 / 3, rel=1e-8)
    np.testing.assert_allclose([best.best[1][1], best.best[2][1]], [5 / 3, 10 / 3], rtol=1e-4)


STIRLING = "configs/stirling_engine.toml"
WIDTH = "sites.1.stiffness.points"


@pytest.mark.parametrize("key", [WIDTH, "baths.B.temperature.points"])
def test_gradients_of_an_engine_of_one_particle_are_differences_of_its_power(key):
    points = [[0, 2.0], [0.2, 1.3], [0.5, 1.0], [0.5, 1.1], [1, 2.0]]
    warm = [[0, 1.5], [0.3, 1.2], [0.5, 1.5], [0.5, 0.5], [1, 0.5]]
    given = {"drive.period": 5.0, WIDTH: points, "baths.B.temperature.points": warm}
    protocol = Protocol(with_parameters(load(STIRLING).experiment, given), key, "power")
    values = np.array([value for _, value in protocol.points])

    def power(moved):
        return -5.0 * ensemble(protocol.at(moved).network(), 1e-12).currents.rates.work.sum()

    mean, gradient = protocol.gradient(values)
    assert mean == pytest.approx(power(values), rel=1e-8)
    expected = [differences(power, values, k) for k in (1, 2, 3)]
    np.testing.assert_allclose(gradient[1:-1], expected, rtol=1e-7, atol=1e-8 * abs(gradient).max())
