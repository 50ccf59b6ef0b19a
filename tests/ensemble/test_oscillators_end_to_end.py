"""Oscillators from a config to a checked file, through the same path as spins."""

import hashlib
from pathlib import Path

import pytest

from trajsim.comparison import against, check
from trajsim.config import load
from trajsim.ensemble import NoExactSideError
from trajsim.running.run import simulate
from trajsim.store import open_run, verify

CONFIGS = Path(__file__).parents[2] / "configs"
SHORT = ("ensemble.trajectories=700", "ensemble.periods=20", "ledger.periods_per_row=5")


def run(name, path, *overrides, workers=2):
    config = load(CONFIGS / name, [*SHORT, *overrides])
    simulate(config, path, workers=workers)
    return open_run(path), config


def test_the_file_is_the_same_for_any_number_of_workers(tmp_path):
    digests = set()
    for workers in (1, 2, 4):
        path = tmp_path / f"{workers}.h5"
        run("oscillator_pair.toml", path, workers=workers)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("name", ["oscillator_pair.toml", "oscillator_chain.toml"])
def test_shipped_oscillators_agree_with_the_gaussian_ensemble(tmp_path, name):
    made, config = run(name, tmp_path / "x.h5")
    assert verify(made.path) == []
    # False alarm 1e-4 over all quantities, seed fixed.
    verdict = check(made, config)
    assert verdict.agrees
    judged = {q.name.split(".")[0] for q in verdict.judged}
    assert {"heat_variance_rate", "work_variance_rate", "covariance_rate"} <= judged


DRIVEN = """
[model]
kind = "oscillators"
friction = 1.0
[drive]
period = 4.0
[baths]
L = { temperature = { points = [[0, 1.5], [0.5, 1.5], [0.5, 0.7], [1, 0.7]] } }
R = { temperature = 0.8 }
[[sites]]
name = "1"
bath = "L"
stiffness = { points = [[0, 1.0], [0, 2.0], [0.4, 1.0], [0.4, 3.0], [1, 2.5], [1, 1.5]] }
center = { shape = "triangle", offset = 0.1, amplitude = 0.5, phase = 0.4 }
[[sites]]
name = "2"
bath = "R"
stiffness = 1.0
center = 0.4
drive = { shape = "square", amplitude = 0.6, phase = 1.0 }
[[bonds]]
sites = ["1", "2"]
stiffness = { offset = 1.0, amplitude = 0.6, phase = 2.0 }
[integrator]
steps_per_period = 400
[ensemble]
trajectories = 4000
periods = 4
initial = "rest"
seed = 3
"""


@pytest.mark.parametrize("rows", [1, 5])
def test_oscillators_of_which_anything_is_driven_agree_with_their_moments(tmp_path, rows):
    (tmp_path / "x.toml").write_text(DRIVEN)
    config = load(tmp_path / "x.toml", [f"ledger.rows_per_period={rows}"])
    simulate(config, tmp_path / "x.h5", workers=2)
    made = open_run(tmp_path / "x.h5")
    # False alarm 1e-4 over all quantities, seed fixed.
    verdict = check(made, config)
    assert verdict.agrees
    judged = {q.name for q in verdict.judged}
    assert {"work_rate.1.stiffness", "exclusive_work_rate.1.center", "work_rate.1-2"} <= judged
    assert "work_variance_rate.1.stiffness" in judged


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("friction = 1.0", 'friction = 1.0\ndynamics = "overdamped"'),
        ('bath = "L"', "baths = { R = 0.6, L = 1.3 }"),
    ],
)
def test_overdamped_ones_and_those_in_several_baths_do_too(tmp_path, old, new):
    (tmp_path / "x.toml").write_text(DRIVEN.replace(old, new))
    config = load(tmp_path / "x.toml")
    simulate(config, tmp_path / "x.h5", workers=2)
    assert verify(tmp_path / "x.h5") == []
    # False alarm 1e-4 over all quantities, seed fixed.
    verdict = check(open_run(tmp_path / "x.h5"), config)
    assert verdict.agrees
    judged = {q.name for q in verdict.judged}
    assert {"heat_variance_rate.L", "heat_variance_rate.R", "work_variance_rate.1-2"} <= judged


def test_quartic_oscillators_have_no_exact_side_and_agree_with_twice_the_steps(tmp_path):
    made, config = run("quartic_pair.toml", tmp_path / "a.h5")
    finer, _ = run(
        "quartic_pair.toml", tmp_path / "b.h5", "integrator.steps_per_period=192", "ensemble.seed=9"
    )
    # The first law holds with the shadow work, of which there is some.
    assert verify(made.path) == []
    with pytest.raises(NoExactSideError, match="quartic"):
        check(made, config)
    assert against(made, finer).agrees
    coarse, _ = run("oscillator_pair.toml", tmp_path / "c.h5", "integrator.steps_per_period=4")
    assert not against(made, coarse).agrees
