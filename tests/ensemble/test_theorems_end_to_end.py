"""Fluctuation theorems on simulated runs: they hold where they should, and tampering is found.

Every verdict has a false alarm of 1e-4, up to twice that where an estimate is barely trusted;
seeds are fixed.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from random_networks import Tampered

from trajsim.analysis.theorems import theorems
from trajsim.cli import main
from trajsim.comparison import CannotCheckError
from trajsim.comparison.settings import partners, settings
from trajsim.config import load, parse
from trajsim.running.run import simulate
from trajsim.store import open_run

PAIR = """
[model]
kind = "spins"
rate = 0.5
rate_law = "glauber-product"
[drive]
period = 2.0
[baths]
L = { temperature = 1.1 }
R = { temperature = 0.8 }
[[sites]]
name = "1"
bath = "L"
drive = { amplitude = 0.5, phase = 0.3, harmonics = [{ order = 2, amplitude = 0.2, phase = 1.0 }] }
[[sites]]
name = "2"
bath = "R"
drive = { amplitude = 0.5, phase = 1.7, offset = 0.1 }
[[bonds]]
sites = ["1", "2"]
coupling = 0.4
[ensemble]
trajectories = 100000
periods = 4
initial = "random"
seed = 7
"""
EQUAL = PAIR.replace("0.8", "1.1").replace('"random"', '"equilibrium"')
UNDRIVEN = "\n".join(line for line in PAIR.splitlines() if not line.startswith("drive = {"))


def made(folder, text, name, *overrides):
    config = parse(text, overrides=[f"{key}={value}" for key, value in overrides])
    simulate(config, folder / name, workers=2)
    return open_run(folder / name), config


REVERSE = ("drive.direction", '"reverse"')


@pytest.fixture(scope="module")
def uniform(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uniform")
    return made(folder, PAIR, "f.h5"), made(folder, PAIR, "r.h5", REVERSE)


@pytest.fixture(scope="module")
def canonical(tmp_path_factory):
    folder = tmp_path_factory.mktemp("canonical")
    return made(folder, EQUAL, "f.h5"), made(folder, EQUAL, "r.h5", REVERSE)


def asked(pair, reverse=None, change=None, **others):
    """Outcomes by name; `change` tampers with the columns, `others` with what is known."""
    run, config = pair
    here = [replace(s, **others) for s in settings(config)]
    source = run if change is None else Tampered(run, change)
    if reverse is None:
        (found,) = theorems(source, here)
    else:
        there = [replace(s, **others) for s in partners(run, config, *reverse)]
        (found,) = theorems(source, here, reverse[0], there)
    return {outcome.name: outcome for outcome in found}


def scaled(column, factor):
    return lambda columns: {**columns, column: columns[column] * factor}


def test_all_theorems_of_uniform_starts_hold(uniform):
    found = asked(*uniform)
    for name, least in (
        ("uniform_start", 1),
        ("integral", 4),
        ("exchange", 40),
        ("entropy_production", 1),
    ):
        assert found[name].holds, found[name].worst
        assert len(found[name].judged) >= least
    assert found["jarzynski"].refusal == "the baths have different temperatures"
    assert "both" not in (found["gallavotti_cohen"].refusal or "")


@pytest.mark.parametrize("factor", [-1.0, 0.9, 1.1])
def test_wrong_heats_turn_them_red(uniform, factor):
    found = asked(*uniform, scaled("heat", factor))
    assert found["exchange"].holds is False
    # Heats of the wrong sign make weights that nothing can be said of, or a wrong mean.
    names = ("uniform_start", "integral", "entropy_production")
    assert all(found[name].holds is not True for name in names)
    assert factor < 0 or any(found[name].holds is False for name in names)


def test_wrong_temperatures_turn_them_red(uniform):
    found = asked(*uniform, temperatures=np.array([0.8, 1.1]))
    for name in ("exchange", "uniform_start", "integral", "entropy_production"):
        assert found[name].holds is False, name


def test_a_forward_run_is_no_reversed_one(uniform, tmp_path):
    forward, _ = uniform
    other = made(tmp_path, PAIR, "again.h5", ("ensemble.seed", 8))
    assert "both runs are forward" in asked(forward, other)["exchange"].refusal
    # Were it taken for one, the protocol's direction would show.
    (found,) = theorems(
        forward[0],
        settings(forward[1]),
        other[0],
        [replace(s, direction="reverse") for s in settings(other[1])],
    )
    assert {o.name: o for o in found}["exchange"].holds is False


def test_all_theorems_of_equilibrium_starts_hold(canonical):
    found = asked(*canonical)
    for name in ("jarzynski", "crooks", "integral", "entropy_production"):
        assert found[name].holds, found[name].worst
    assert len(found["crooks"].judged) >= 40
    assert len(found["jarzynski"].judged) >= 1


@pytest.mark.parametrize("factor", [-1.0, 0.93, 1.07])
def test_wrong_work_turns_jarzynski_and_crooks_red(canonical, factor):
    found = asked(*canonical, scaled("work", factor))
    assert found["crooks"].holds is False
    assert found["jarzynski"].holds is False


def test_entropy_production_needs_the_right_probabilities(canonical):
    # States that are numbered wrongly: sites exchanged.
    def change(columns):
        return {**columns, "state": columns["state"][..., ::-1]}

    found = asked(canonical[0], None, change)
    assert found["entropy_production"].holds is False
    assert found["jarzynski"].holds


def test_jarzynski_is_refused_from_the_periodic_state(tmp_path):
    run = made(tmp_path, EQUAL, "x.h5", ("ensemble.initial", '"periodic"'))
    found = asked(run)
    assert "'periodic'" in found["jarzynski"].refusal
    # And rightly: taken for an equilibrium start it fails.
    assert asked(run, initial="equilibrium")["jarzynski"].holds is False
    # What holds from there too is the production of entropy, and the uncertainty relation.
    assert found["entropy_production"].holds
    assert found["uncertainty"].holds


def test_gallavotti_cohen_holds_for_conduction(tmp_path):
    run = made(
        tmp_path,
        UNDRIVEN,
        "x.h5",
        ("ensemble.periods", 16),
        ("ensemble.initial", '"periodic"'),
        ("ensemble.trajectories", 400_000),
    )
    found = asked(run)["gallavotti_cohen"]
    assert found.holds, found
    wrong = asked(run, temperatures=np.array([1.1, 0.9]))["gallavotti_cohen"]
    assert wrong.holds is False or "still changes" in (wrong.refusal or "")


OSCILLATORS = Path(__file__).parents[2] / "configs" / "oscillator_pair.toml"


def test_jarzynski_crooks_and_entropy_production_hold_for_oscillators(tmp_path):
    runs = []
    for direction in ("forward", "reverse"):
        config = load(
            OSCILLATORS,
            [
                "ensemble.trajectories=40000",
                "ensemble.periods=1",
                "ensemble.burn_in=0",
                'ensemble.initial="equilibrium"',
                "ledger.periods_per_row=1",
                "baths.L.temperature=1.5",
                "baths.R.temperature=1.5",
                f'drive.direction="{direction}"',
            ],
        )
        simulate(config, tmp_path / f"{direction}.h5", workers=2)
        runs.append((open_run(tmp_path / f"{direction}.h5"), config))
    found = asked(*runs)
    for name in ("jarzynski", "crooks", "entropy_production"):
        assert found[name].holds is not False, found[name].worst
    assert found["crooks"].holds
    assert "uniform" in found["exchange"].refusal
    wrong = asked(*runs, scaled("work", 1.1))
    assert wrong["crooks"].holds is False


# -- the command line ----------------------------------------------------------------------------


def invoke(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def test_theorems_by_the_command_line(uniform):
    (run, _), (reverse, _) = uniform
    result = invoke("analyze", run.path, "--reversed", reverse.path, "--json")
    assert result.exit_code == 0
    (point,) = json.loads(result.stdout)["points"]
    found = {t["name"]: t for t in point["theorems"]}
    assert len(found) == 8
    assert found["exchange"]["holds"] is True
    assert abs(found["exchange"]["z"]) < found["exchange"]["threshold"]
    assert found["exchange"]["effective_samples"] > 400
    assert (found["jarzynski"]["applies"], found["jarzynski"]["holds"]) == (False, None)
    assert "different temperatures" in found["jarzynski"]["reason"]
    text = invoke("analyze", run.path, "--theorems").stdout
    assert "exchange does not apply: the protocol is not its own reverse" in text
    assert "uniform_start" in text


def test_runs_of_other_systems_are_no_partners(uniform, canonical, tmp_path):
    (run, config), _ = uniform
    result = invoke("analyze", run.path, "--reversed", canonical[1][0].path)
    assert result.exit_code == 2
    assert "not of the same system: baths differs" in result.output
    with pytest.raises(CannotCheckError, match="the run itself"):
        partners(run, config, run, config)
    finer = made(tmp_path, PAIR + "[ledger]\nrows_per_period = 2\n", "x.h5", REVERSE)
    with pytest.raises(CannotCheckError, match="rows"):
        partners(run, config, *finer)
