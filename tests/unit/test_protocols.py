"""Theorems where parameters do not return after a period, and where temperatures are driven."""

import json

import numpy as np
import pytest

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
