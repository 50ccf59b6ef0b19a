"""Theorems where parameters do not return after a period or temperatures are driven; protocols."""

import json

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import norm
from small_configs import changed

import trajsim
from trajsim.comparison.protocols import temperature_of

RAMP = """
[model]
kind = "spins"
rate = 0.5
rate_law = "heat-bath"
[drive]
period = 4.0
[baths]
B = { temperature = 1.0 }
[[sites]]
name = "1"
bath = "B"
drive = { points = [[0, -1.0], [0, -0.6], [1, 1.2], [1, 1.5]] }
[ensemble]
trajectories = 40000
periods = 1
initial = "equilibrium"
seed = 3
"""
HEATED = """
[model]
kind = "spins"
rate = 0.5
rate_law = "glauber-product"
[drive]
period = 3.0
[baths]
L = { temperature = { offset = 0.9, amplitude = 0.4, phase = 0.3 } }
R = { temperature = { shape = "square", offset = 1.0, amplitude = 0.3 } }
[[sites]]
name = "1"
bath = "L"
drive = { amplitude = 0.5 }
[[sites]]
name = "2"
bath = "R"
[[bonds]]
sites = ["1", "2"]
coupling = { shape = "triangle", offset = 0.6, amplitude = 0.4, phase = 1.0 }
[ensemble]
trajectories = 40000
periods = 2
initial = "random"
seed = 4
"""


@pytest.fixture(name="answers")
def _answers(config, cli):
    """Theorems of a run and its reverse, and what `check` says."""

    def run(text):
        path = config(text)
        assert cli("run", path, "-o", "f.h5").exit_code == 0
        assert cli("run", path, "--reverse", "-o", "r.h5").exit_code == 0
        checked = cli("check", "f.h5", "--json")
        analyzed = cli("analyze", "f.h5", "--theorems", "--reversed", "r.h5", "--json")
        theorems = json.loads(analyzed.stdout)["points"][0]["theorems"]
        return json.loads(checked.stdout), {t["name"]: t for t in theorems}

    return run


def test_a_ramp_between_two_fields_has_the_free_energy_of_its_ends(answers):
    checked, theorems = answers(RAMP)
    assert checked["agrees"]
    # Z = 2 cosh(h / T), at the first and the last listed field.
    expected = np.cosh(1.5) / np.cosh(1.0)
    (test,) = theorems["jarzynski"]["estimates"]
    assert test["expected"] == pytest.approx(expected, rel=1e-12)
    assert theorems["jarzynski"]["holds"]
    assert theorems["crooks"]["holds"]
    # More than one test of Crooks can be judged: works of both signs occur.
    assert len(theorems["crooks"]["estimates"]) > 8


def test_driven_temperatures_obey_the_theorems_of_entropy(answers):
    checked, theorems = answers(HEATED)
    assert checked["agrees"]
    for name in ("uniform_start", "exchange", "entropy_production"):
        assert theorems[name]["holds"], name
    assert not theorems["jarzynski"]["applies"]


def test_a_bath_that_is_hot_and_cold_in_turn_has_signs_and_no_regime(config, cli):
    text = HEATED.replace('initial = "random"', 'initial = "periodic"')
    signs = json.loads(cli("exact", config(text), "--json").stdout)["points"][0]["regime"]
    assert "engine" not in signs
    assert "q_L" in signs
    # Where one range is above the other, averages tell hot from cold.
    apart = text.replace("offset = 0.9, amplitude = 0.4", "offset = 3.0, amplitude = 0.4")
    name = json.loads(cli("exact", config(apart), "--json").stdout)["points"][0]["regime"]
    assert name in ("engine", "pump", "heater", "accelerator")


def test_a_field_that_is_a_number_is_checked_and_no_drive(config, cli):
    text = RAMP.replace("{ points = [[0, -1.0], [0, -0.6], [1, 1.2], [1, 1.5]] }", "0.4")
    assert cli("run", config(text), "-o", "x.h5").exit_code == 0
    checked = json.loads(cli("check", "x.h5", "--json").stdout)
    assert checked["agrees"]
    (analyzed,) = json.loads(cli("analyze", "x.h5", "--json").stdout)["points"]
    assert analyzed["work_rate"] == {}


# -- totals over a protocol that ends ----------------------------------------------------------

TRAP = """
[model]
kind = "oscillators"
friction = 1.0
[integrator]
steps_per_period = 400
[drive]
period = 3.0
[baths]
B = { temperature = 0.7 }
[[sites]]
name = "x"
bath = "B"
stiffness = 2.0
drive = { amplitude = 0.8, phase = 1.0, offset = 0.4 }
[ensemble]
trajectories = 20000
periods = 1
initial = "equilibrium"
seed = 6
"""


def protocol_of(answer):
    return json.loads(answer.stdout)["points"][0]["protocol"]


def spin_totals(field, slope, jumps, time, rate):
    """Mean and variance of work and heat of one spin at T = 1 and heat-bath rates, and <exp(-W)>.

    P and the moments of W in each state are integrated in time; jumps are those at both ends.
    """
    state = np.array([1.0, -1.0])

    def add(moments, work):
        """Moments (orders, states) after a work (states,) is done."""
        p, first, second = moments[:3]
        shifted = [p, first + work * p, second + 2 * work * first + work**2 * p]
        return np.array([*shifted, moments[3] * np.exp(-work)])

    def derivative(t, flat):
        moments = flat.reshape(4, 2)
        h = field(t)
        away = rate * (1 - state * np.tanh(h))
        flow = -away * moments + (away * moments)[:, ::-1]
        power = -slope * state
        flow[1] += power * moments[0]
        flow[2] += 2 * power * moments[1]
        flow[3] -= power * moments[3]
        return flow.ravel()

    start = np.exp(state * (field(0.0) - jumps[0]))
    start /= start.sum()
    moments = add(np.array([start, 0 * start, 0 * start, start]), -jumps[0] * state)
    flat = moments.ravel()
    solved = solve_ivp(derivative, (0.0, time), flat, rtol=1e-11, atol=1e-13, method="DOP853")
    moments = add(solved.y[:, -1].reshape(4, 2), -jumps[1] * state)
    mean, square = moments[1].sum(), moments[2].sum()
    energy = -(field(time) + jumps[1]) * state @ moments[0]
    change = energy + (field(0.0) - jumps[0]) * state @ start
    return mean, square - mean**2, change - mean, moments[3].sum()


def test_exact_totals_of_a_ramp_are_those_of_an_independent_integration(config, cli):
    answer = cli("exact", config(RAMP), "--json")
    totals = protocol_of(answer)
    field = lambda t: -0.6 + 1.8 * t / 4.0  # noqa: E731
    mean, variance, heat, average = spin_totals(field, 0.45, (0.4, 0.3), 4.0, 0.5)
    assert totals["work"]["1"] == totals["work"]["total"]
    assert totals["work"]["total"]["mean"] == pytest.approx(mean, abs=1e-8)
    assert totals["work"]["total"]["variance"] == pytest.approx(variance, rel=1e-7)
    assert totals["heat"]["B"]["mean"] == pytest.approx(heat, abs=1e-8)
    assert totals["jarzynski"] == pytest.approx(average, rel=1e-8)
    delta_f = -np.log(np.cosh(1.5) / np.cosh(1.0))
    assert totals["jarzynski"] == pytest.approx(np.exp(-delta_f), rel=1e-8)
    assert totals["delta_f"] == pytest.approx(delta_f, rel=1e-12)
    assert totals["dissipated_work"] == pytest.approx(mean - delta_f, abs=1e-8)
    # The same in words, and in Python.
    assert "dissipated work" in cli("exact", config(RAMP)).stdout
    assert trajsim.exact(config(RAMP)).protocol.work["total"].mean == pytest.approx(mean, abs=1e-8)


def test_exact_work_of_a_force_on_an_oscillator_is_gaussian_with_half_its_variance(config, cli):
    totals = protocol_of(cli("exact", config(TRAP), "--json"))
    turn = 2 * np.pi / 3.0

    def derivative(t, y):
        x, v, _ = y
        force = 0.4 + 0.8 * np.cos(turn * t + 1.0)
        return v, force - 2.0 * x - v, 0.8 * turn * np.sin(turn * t + 1.0) * x

    start = ((0.4 + 0.8 * np.cos(1.0)) / 2.0, 0.0, 0.0)
    solved = solve_ivp(derivative, (0.0, 3.0), start, rtol=1e-11, atol=1e-13)
    mean = solved.y[2, -1]
    assert totals["work"]["x"]["mean"] == pytest.approx(mean, abs=1e-7)
    # <exp(-W/T)> = 1 of a Gaussian W.
    assert totals["work"]["x"]["variance"] == pytest.approx(2 * 0.7 * mean, rel=1e-6)
    assert totals["jarzynski"] == pytest.approx(1.0, abs=1e-6)
    assert totals["delta_f"] == 0.0


@pytest.mark.parametrize("text", [RAMP, TRAP], ids=["spin", "oscillator"])
def test_sampled_totals_agree_with_exact_ones_and_bennetts_ratio_with_the_free_energy(
    text, config, cli
):
    path = config(text)
    assert cli("run", path, "-o", "f.h5").exit_code == 0
    fewer = "ensemble.trajectories=8000"
    assert cli("run", path, "--reverse", "--set", fewer, "-o", "r.h5").exit_code == 0
    exact = protocol_of(cli("exact", path, "--json"))
    answer = cli("analyze", "f.h5", "--reversed", "r.h5", "--json")
    sampled = protocol_of(answer)
    both = sampled["bennett"]
    pairs = [(sampled[name], exact[name]) for name in ("jarzynski", "delta_f", "dissipated_work")]
    pairs += [(both[name], exact[name]) for name in ("delta_f", "dissipated_work")]
    for kind in ("heat", "work"):
        for label, spread in exact[kind].items():
            pairs += [(sampled[kind][label][name], spread[name]) for name in ("mean", "variance")]
    # All together fail by chance once in 1e5.
    allowed = norm.isf(1e-5 / (2 * len(pairs)))
    for estimate, expected in pairs:
        assert abs(estimate["mean"] - expected) < allowed * estimate["stderr"]
    assert both["trajectories"] == [json.loads(answer.stdout)["trajectories"], 8000]
    assert both["trusted"]
    assert sampled["trusted"]
    # It knows more than Jarzynski's average does.
    assert both["delta_f"]["stderr"] < sampled["delta_f"]["stderr"]
    checked = json.loads(cli("check", "f.h5", "--json").stdout)
    assert checked["agrees"]
    judged = {q["name"]: q for q in checked["points"][0]["quantities"]}
    assert judged["jarzynski"]["exact"] == pytest.approx(exact["jarzynski"], rel=1e-6)
    assert judged["jarzynski"]["sigma"] is not None
    text = cli("analyze", "f.h5", "--reversed", "r.h5").stdout
    assert "dF by Bennett's ratio" in text
    assert "overlap" in text


@pytest.mark.parametrize(
    "edit",
    [
        ("periods = 1", "periods = 2"),
        ("periods = 1", "periods = 1\nburn_in = 1"),
        ('initial = "equilibrium"', 'initial = "random"'),
        ("{ points = [[0, -1.0], [0, -0.6], [1, 1.2], [1, 1.5]] }", "0.4"),
    ],
)
def test_only_one_driven_period_from_equilibrium_is_a_protocol_that_ends(edit, config, cli):
    path = config(changed(RAMP, edit, ("40000", "50")))
    assert "protocol" not in json.loads(cli("exact", path, "--json").stdout)["points"][0]
    assert cli("run", path, "-o", "x.h5").exit_code == 0
    assert "protocol" not in json.loads(cli("analyze", "x.h5", "--json").stdout)["points"][0]


def test_protocols_with_a_driven_temperature_have_no_free_energy(config, cli):
    hot = ("{ temperature = 1.0 }", "{ temperature = { offset = 1.0, amplitude = 0.2 } }")
    path = config(changed(RAMP, hot))
    exact = protocol_of(cli("exact", path, "--json"))
    assert exact["work"]["total"]["variance"] > 0
    assert exact["jarzynski"] is None
    assert exact["delta_f"] is None
    assert temperature_of(trajsim.load(path).experiment) is None
    assert temperature_of(trajsim.load(config(RAMP)).experiment) == 1.0


def test_a_run_of_the_same_direction_is_no_reverse(config, cli):
    path = config(changed(RAMP, ("40000", "50")))
    assert cli("run", path, "-o", "f.h5").exit_code == 0
    assert cli("run", path, "--set", "ensemble.seed=9", "-o", "g.h5").exit_code == 0
    answer = cli("analyze", "f.h5", "--reversed", "g.h5", "--json")
    assert protocol_of(answer)["bennett"] is None


def test_averages_beyond_double_precision_are_left_out(config, cli):
    path = config(changed(RAMP, ("temperature = 1.0", "temperature = 0.0005"), ("40000", "500")))
    exact = protocol_of(cli("exact", path, "--json"))
    assert exact["jarzynski"] is None
    assert exact["delta_f"] == pytest.approx(-0.5, abs=1e-3)
    assert cli("run", path, "-o", "x.h5").exit_code == 0
    assert cli("analyze", "x.h5", "--theorems").exit_code == 0
    sampled = protocol_of(cli("analyze", "x.h5", "--json"))
    assert not sampled["trusted"]
    assert np.isfinite(sampled["delta_f"]["mean"])
    assert cli("check", "x.h5").exit_code == 0
