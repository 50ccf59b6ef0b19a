"""What theorems are told of a run: its symmetry in time, exact probabilities, how heats answer."""

from dataclasses import replace
from types import SimpleNamespace

import networks
import numpy as np
import pytest
from networks import after, numbers, periodic_rates, periodic_state, solve
from oscillator_networks import moment_equations
from scipy.stats import multivariate_normal

from trajsim.comparison.counted import ExactFluctuations
from trajsim.comparison.settings import settings
from trajsim.config import parse

SPINS = """
[model]
kind = "spins"
rate = 0.4
rate_law = "glauber-product"
[drive]
period = 20.0
[baths]
hot = { temperature = 0.9 }
cold = { temperature = 0.6 }
[[sites]]
name = "1"
bath = "hot"
drive = { amplitude = 0.5, phase = PHASE1, offset = 0.15, harmonics = [THIRD] }
[[sites]]
name = "2"
bath = "cold"
drive = { amplitude = 0.3, phase = PHASE2 }
[[bonds]]
sites = ["1", "2"]
coupling = 0.7
[ensemble]
trajectories = 10
periods = 6
burn_in = BURN
initial = "INITIAL"
seed = 1
[ledger]
rows_per_period = 4
"""


def config(phases=("0.3", "2.0"), burn_in=0, initial="random", edits=()):
    text = SPINS.replace("PHASE1", phases[0]).replace("PHASE2", phases[1])
    text = text.replace("THIRD", "{ order = 3, amplitude = 0.2, phase = 1.1 }")
    text = text.replace("BURN", str(burn_in)).replace("INITIAL", initial)
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return parse(text)


CASE = networks.Network(
    temperatures=[0.9, 0.6],
    bath=[0, 1],
    bonds=[(0, 1, 0.7)],
    harmonics=[[(1, 0.5, 0.3), (3, 0.2, 1.1)], [(1, 0.3, 2.0)]],
    offset=[0.15, 0.0],
    rate=0.4,
    period=20.0,
)
PI = "3.141592653589793"


@pytest.mark.parametrize(
    ("phases", "harmonic", "own", "shifted"),
    [
        (("0.3", "2.0"), "1.1", False, False),
        # Both even about the beginning; the third harmonic too, or not.
        (("0.0", PI), "0.0", True, True),
        (("0.0", PI), "1.1", False, False),
        # Even about x = -0.3: phases 0.3 and 0.3 + pi, third harmonic 0.9.
        (("0.3", str(0.3 + np.pi)), "0.9", False, True),
        (("0.3", str(0.3 + np.pi)), "1.1", False, False),
    ],
)
def test_protocols_that_are_their_own_reverse_are_told(phases, harmonic, own, shifted):
    edits = [("phase = 1.1", f"phase = {harmonic}")]
    (found,) = settings(config(phases, edits=edits))
    assert (found.own_reverse, found.shifted_reverse) == (own, shifted)


def test_a_protocol_with_its_own_reverse_is_reversed_into_itself():
    # The claim behind the flag, on the fields themselves.
    case = replace(CASE, harmonics=[[(1, 0.5, 0.3), (3, 0.2, 0.9)], [(1, 0.3, 0.3 + np.pi)]])
    at = np.linspace(0, 1, 17)
    centre = -0.3 / (2 * np.pi)
    np.testing.assert_allclose(
        networks.fields(case, centre + at), networks.fields(case, centre - at), atol=1e-14
    )


def test_probabilities_of_recorded_states_are_those_of_the_master_equation():
    cells = solve(CASE, cells=4).end
    for initial, burn_in in (("random", 0), ("up", 2), ("periodic", 0)):
        (found,) = settings(config(burn_in=burn_in, initial=initial))
        period = np.linalg.multi_dot(cells[::-1])
        p = {
            "random": np.full(4, 0.25),
            "up": np.eye(4)[0],
            "periodic": periodic_state(period),
        }[initial]
        for _ in range(burn_in):
            p = period @ p
        course = [p]
        for _ in range(6):
            course += list(after(cells, course[-1])[1:])
        state = np.random.default_rng(1).choice(np.array([1, -1], np.int8), (50, 25, 2))
        for edge in (0, 1, 4, 7, 24):
            logs = found.probability.of({"state": state}, edge)
            expected = course[edge][numbers(state[:, edge])]
            np.testing.assert_allclose(np.exp(logs), expected, rtol=1e-8)


def test_a_start_in_a_single_state_has_no_probabilities():
    (found,) = settings(config(initial="up"))
    assert found.probability is None


def test_heats_answer_to_the_speed_of_the_drive_as_differences_of_rates_say():
    (found,) = settings(config())
    step = 1e-2
    faster, slower = (
        periodic_rates(replace(CASE, period=20.0 / (1 + s)), rtol=1e-10)[1].heat
        for s in (step, -step)
    )
    expected = (faster - slower) / (2 * step)
    np.testing.assert_allclose(found.speed_slope, expected, rtol=2e-3)


def test_windows_begin_with_the_mean_of_what_each_begins_with():
    exact = ExactFluctuations(config(initial="up", burn_in=1).experiment)
    period = np.linalg.multi_dot(solve(CASE, cells=4).end[::-1])
    course = [np.linalg.matrix_power(period, k) @ np.eye(4)[0] for k in range(1, 7)]
    windows = SimpleNamespace(starts=4 * np.arange(6), count=6)
    np.testing.assert_allclose(exact.start(windows), np.mean(course, axis=0), atol=1e-9)
    # Long after they have become periodic.
    many = SimpleNamespace(starts=4 * np.arange(4000), count=4000)
    expected = (sum(course[k] for k in range(6)) + 3994 * periodic_state(period)) / 4000
    np.testing.assert_allclose(exact.start(many), expected, atol=1e-5)


OSCILLATORS = """
[model]
kind = "oscillators"
friction = 1.0
[drive]
period = 3.0
[baths]
L = { temperature = 1.5 }
R = { temperature = 0.5 }
[[sites]]
name = "1"
bath = "L"
stiffness = 2.0
drive = { amplitude = 1.0 }
[[sites]]
name = "2"
bath = "R"
stiffness = 2.0
drive = { amplitude = 0.5, phase = 1.0 }
[[bonds]]
sites = ["1", "2"]
stiffness = 3.0
[integrator]
steps_per_period = 96
[ensemble]
trajectories = 10
periods = 3
burn_in = 1
initial = "rest"
seed = 1
[ledger]
rows_per_period = 2
"""


def test_densities_of_recorded_oscillators_are_those_of_the_moment_equations():
    oscillators = parse(OSCILLATORS)
    (found,) = settings(oscillators)
    network = oscillators.experiment.network()
    begin = SimpleNamespace(mean=np.zeros(4), covariance=np.zeros((4, 4)))
    z = np.random.default_rng(2).normal(size=(20, 7, 4))
    columns = {"position": z[..., :2], "velocity": z[..., 2:]}
    for edge in (0, 1, 6):
        end = moment_equations(network, begin, 1 + edge / 2)
        expected = multivariate_normal(end[:4], end[4:20].reshape(4, 4)).logpdf(z[:, edge])
        np.testing.assert_allclose(found.probability.of(columns, edge), expected, rtol=1e-7)
