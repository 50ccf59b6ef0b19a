"""What is derived from a config stays in the allowed range, and tells why where it cannot."""

import json
import re
import tomllib

import numpy as np
import pytest
from small_configs import PUMP, UNDRIVEN, changed
from synthetic import Ledger, made, outcomes, setting

import trajsim
from trajsim.cli.common import say
from trajsim.comparison.settings import SPEED_STEP, _stencil, settings
from trajsim.config import ConfigError, parse, with_parameters
from trajsim.config.schema import PERIODS
from trajsim.output.fluctuations import theorems_table

OSCILLATORS = """\
[model]
kind = "oscillators"
friction = 1.0
[drive]
period = 3.0
[baths]
L = { temperature = 1.0 }
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
drive = { amplitude = 1.0, phase = 1.5 }
[[bonds]]
sites = ["1", "2"]
stiffness = 3.0
[ensemble]
trajectories = 500
periods = 2
burn_in = 1
initial = "periodic"
seed = 4
"""
INTEGRATOR = "[integrator]\nsteps_per_period = 48\n"


# -- periods near the ends of their range ----------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "sides"),
    [((1e-9, 1e12), {-1, 1}), ((3.0, 1e12), {-1, 0}), ((1e-9, 3.0), {0, 1})],
    ids=["between", "shortest", "longest"],
)
def test_slopes_are_differenced_within_the_allowed_periods(allowed, sides):
    near = _stencil(3.0, allowed)
    assert all(allowed[0] <= period <= allowed[1] for period, _ in near)
    assert {int(np.sign(round((3.0 / period - 1) / SPEED_STEP))) for period, _ in near} == sides
    for power in (1, 2, 3):
        # Omega d/dOmega of period**-power.
        found = sum(weight * period**-power for period, weight in near)
        assert found == pytest.approx(power * 3.0**-power, rel=5e-6)


@pytest.mark.parametrize("period", PERIODS)
def test_the_shortest_and_the_longest_period_have_settings(period):
    (found,) = settings(parse(OSCILLATORS, overrides=[f"drive.period={period}"]))
    # Far from all times of the oscillators: heats no longer depend on the speed, or as its square.
    assert np.isfinite(found.speed_slope).all()
    assert np.abs(found.speed_slope).max() < 1e-6


def test_theorems_of_a_run_of_the_shortest_period_are_told(cli, config, tmp_path):
    path = tmp_path / "run.h5"
    options = ("--set", "drive.period=1e-9", "--set", "ensemble.trajectories=500")
    assert cli("run", config(PUMP), *options, "-o", path).exit_code == 0
    result = cli("analyze", path, "--theorems", "--json")
    assert result.exit_code == 0, result.output
    (point,) = json.loads(result.stdout)["points"]
    theorems = {t["name"]: t for t in point["theorems"]}
    assert theorems["uncertainty"]["applies"]
    # Nothing flips in so short a time, so that nothing is known of any error.
    assert {t["holds"] for t in theorems.values()} <= {None, True}


def test_a_derived_value_out_of_range_is_a_fault_in_words():
    with pytest.raises(ConfigError, match=r"drive\.period: found 1e-10; allowed: a finite number"):
        with_parameters(parse(PUMP).experiment, {"drive.period": 1e-10})


def test_a_message_is_cut_and_says_so(capsys):
    say("x" * 1_500_000)
    told = capsys.readouterr().err
    assert len(told) < 60_000
    assert told.endswith("x... (1450000 more characters)\n")


# -- theorems where nothing is driven --------------------------------------------------------------


def test_without_drives_the_steady_bound_is_the_bound():
    random = np.random.default_rng(11)
    ledger = Ledger(random.normal([0.3, -0.3], [1.0, 1.0], (20_000, 4, 2)))
    here = setting(driven=False, initial="periodic", speed_slope=np.zeros(2))
    found = outcomes(ledger, here)["uncertainty"]
    assert found.statement == "Var-rate * sigma >= 2 q^2, for long times"
    assert found.remarks == {}
    assert found.bound
    # sigma = 0.3 (1 / 0.5 - 1 / 1) = 0.3: the variance of 1 times 0.3 over 2 * 0.09.
    for estimate in found.estimates:
        assert estimate.value == pytest.approx(0.3 / 0.18, abs=5 * estimate.stderr)


def test_in_equilibrium_there_is_nothing_to_bound():
    here = setting(temperatures=np.array([1.0, 1.0]), driven=False, initial="periodic")
    found = outcomes(made(3, trajectories=500), here)["uncertainty"]
    assert found.refusal == "in equilibrium nothing flows"


def test_a_drive_of_no_amplitude_drives_nothing():
    text = PUMP.replace("amplitude = 0.25", "amplitude = 0.0")
    assert [found.driven for found in settings(parse(text))] == [False]
    assert [found.driven for found in settings(parse(PUMP))] == [True]
    assert [found.driven for found in settings(parse(UNDRIVEN))] == [False]


# -- what limits a theorem -------------------------------------------------------------------------


def test_what_cannot_be_judged_names_the_size_it_rests_on_and_the_size_it_takes():
    # Wide weights: the mean at k = 0 rests on all trajectories, that at k = -1 on few.
    ledger = made(5, trajectories=4000, rows=8, spread=3.0)
    here = setting(driven=False, own_reverse=True)
    found = outcomes(ledger, here)["gallavotti_cohen"]
    assert not found.judged
    assert {e.effective for e in found.estimates} == {found.estimates[0].effective}
    told = re.search(r"effective sample size of (\d+), and takes (\d+)", theorems_table([found]))
    size, needed = map(int, told.groups())
    assert size < needed < 4000
    # By hand: k = -1 in the longest of the last two doublings.
    x = -(ledger.heat @ (1 / here.temperatures)).cumsum(axis=1)[:, 3]
    weight = np.exp(-x)
    assert size == round(weight.sum() ** 2 / (weight**2).sum())


# -- what needs an integrator ----------------------------------------------------------------------


def test_exact_answers_do_without_an_integrator(cli, config):
    without, with_one = config(OSCILLATORS, "a.toml"), config(OSCILLATORS + INTEGRATOR, "b.toml")
    for options in ([], ["--counting"]):
        results = [cli("exact", path, "--json", *options) for path in (without, with_one)]
        assert [result.exit_code for result in results] == [0, 0]
        assert results[0].stdout == results[1].stdout
    assert trajsim.exact(tomllib.loads(OSCILLATORS)).heat_rate == trajsim.exact(with_one).heat_rate


def test_a_simulation_chooses_one_and_records_it(cli, config, tmp_path):
    path = config(OSCILLATORS)
    assert cli("validate", path).exit_code == 0
    result = cli("run", path, "-o", tmp_path / "run.h5")
    assert result.exit_code == 0
    steps = int(re.search(r"integrator: hoh, (\d+) steps a period", result.stderr)[1])
    assert steps % parse(OSCILLATORS).experiment.ledger.rows_per_period == 0
    run = trajsim.open(tmp_path / "run.h5")
    assert run.config.experiment.integrator.steps_per_period == steps
    again = cli("run", path, "-o", tmp_path / "run.h5", "--resume")
    assert again.exit_code == 0, again.stderr


def test_an_integrator_put_in_place_is_one():
    config = parse(OSCILLATORS, overrides=["integrator.steps_per_period=48"])
    assert config.experiment == parse(OSCILLATORS + INTEGRATOR).experiment


def test_an_integrator_that_is_there_is_still_checked():
    with pytest.raises(ConfigError, match=r"integrator\.steps_per_period: found 0"):
        parse(changed(OSCILLATORS + INTEGRATOR, ("= 48", "= 0")))
