"""What a config of a jump network may say, and what is told where it does not fit."""

import tomllib

import numpy as np
import pytest

import trajsim
from trajsim.config import ConfigError, load, parse
from trajsim.config.keys import find

MOTOR = """
[model]
kind = "jumps"
rate = 1.0
rate_law = "arrhenius"
[drive]
period = 2.0
[baths]
L = { temperature = 1.0 }
R = { temperature = 0.5, chemical_potential = 0.2 }
[[states]]
name = "a"
[[states]]
name = "b"
energy = { amplitude = 0.4 }
[[states]]
name = "c"
energy = 0.5
[[transitions]]
states = ["a", "b"]
bath = "L"
load = 0.4
[[transitions]]
states = ["b", "c"]
bath = "R"
rate_law = "heat-bath"
particles = 1
[[transitions]]
states = ["c", "a"]
bath = "R"
rate = 0.7
[ensemble]
trajectories = 40
periods = 4
initial = "b"
seed = 3
"""
MOTOR_DATA = tomllib.loads(MOTOR)

# What is put in place of what, the key told, and words of the message.
FAULTS = {
    "state": ('["b", "c"]', '["b", "d"]', "transitions.b-d.states", "no state 'd'"),
    "bath": ('bath = "L"', 'bath = "Left"', "transitions.a-b.bath", "no bath 'Left'"),
    "no bath's name": ('bath = "L"', 'bath = ["L"]', "transitions.a-b.bath", "allowed: a text"),
    "idle bath": ('bath = "L"', 'bath = "R"', "baths.L", "no transition is made by this bath"),
    "one state": ('["b", "c"]', '["b", "b"]', "transitions.b-b.states", "two different states"),
    "twice": ('["c", "a"]', '["c", "b"]', "transitions.2.states", "again; allowed: one trans"),
    "one way": ("rate = 0.7", "rate = 0", "transitions.c-a.rate", "found 0; allowed: a finite"),
    "name twice": ('name = "c"', 'name = "b"', "states.b.name", "found 'b' again"),
    "start": ('l = "b"', 'l = "bb"', "ensemble.initial", "or the name of a state: a, b"),
    "start's name": ('"a"', '"random"', "states.random.name", "what a start is called"),
    "no law": ('rate_law = "arrhenius"', "", "transitions.a-b", "no rate_law, and model.rate_law"),
    "no rate": ("rate = 1.0", "", "transitions.a-b", "no rate, and model.rate"),
    "law": ('"heat-bath"', '"heatbath"', "transitions.b-c.rate_law", "did you mean 'heat-bath'?"),
    "cycle": ('l = "b"', 'l = "equilibrium"', "ensemble.initial", "has the affinity"),
    "load's name": ('"c"', '"a-b"', "transitions.a-b", "as another drive is"),
    "half a particle": ("les = 1", "les = 0.5", "transitions.b-c.particles", "an integer"),
    "too cold": ("temperature = 1.0", "temperature = 1e-4", "model.rate_law", "it is too cold"),
    "sites": ("[drive]", '[[sites]]\nname = "x"\n[drive]', "sites", "unknown key"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_with_its_key(fault):
    old, new, key, says = fault
    text = MOTOR.replace("energy = 0.5", "energy = { amplitude = 0.5 }")
    # Names everywhere, for states are called by them.
    text = text.replace(old, new) if old in ('"a"', '"c"') else text.replace(old, new, 1)
    with pytest.raises(ConfigError) as caught:
        parse(text, "a.toml")
    told = [f for f in caught.value.faults if f.key == key]
    assert told, str(caught.value)
    assert says in told[0].message
    assert told[0].line is not None


def test_states_that_no_jump_reaches_are_told():
    apart = MOTOR.replace(
        "[ensemble]", '[[states]]\nname = "d"\n[[states]]\nname = "e"\n[ensemble]'
    )
    with pytest.raises(ConfigError, match="no transitions lead from 'a' to d, e"):
        parse(apart)
    with pytest.raises(ConfigError, match="at least 2 entries"):
        trajsim.load(
            {**trajsim.load(MOTOR_DATA).experiment.model_dump(), "states": [{"name": "a"}]}
        )


MOTOR_DATA = __import__("tomllib").loads(MOTOR)


def test_names_along_the_ledger_are_those_of_states_loads_and_baths():
    labels = parse(MOTOR).experiment.labels
    assert labels == {"bath": ["L", "R"], "drive": ["b", "a-b"], "site": ["a", "b", "c"]}
    two = MOTOR.replace(
        "[ensemble]", '[[transitions]]\nstates = ["a", "b"]\nbath = "R"\nload = 0\n[ensemble]'
    )
    assert parse(two).experiment.labels["drive"] == ["b", "a-b.L", "a-b.R"]


def test_transitions_are_called_by_their_states_and_parallel_ones_by_number():
    assert find(MOTOR_DATA, "transitions.b-a.load") == ("transitions", 0, "load")
    assert find(MOTOR_DATA, "states.c.energy") == ("states", 2, "energy")
    more = {"states": ["b", "a"], "bath": "R"}
    data = {**MOTOR_DATA, "transitions": [*MOTOR_DATA["transitions"], more]}
    with pytest.raises(
        KeyError, match=r"transitions.0 \(from 'a' to 'b' by 'L'\) or transitions.3"
    ):
        find(data, "transitions.a-b.load")


def test_loads_energies_and_rates_can_be_swept(tmp_path):
    path = tmp_path / "motor.toml"
    path.write_text(
        MOTOR + '[sweep]\n"transitions.a-b.load" = [0.1, 0.2]\n"states.c.energy" = [0, 1]\n'
    )
    config = load(path)
    assert [p.parameters["states.c.energy"] for p in config.points] == [0, 1, 0, 1]
    loads = [p.experiment.transitions[0].load for p in config.points]
    assert loads == [0.1, 0.1, 0.2, 0.2]
    path.write_text(MOTOR + '[sweep]\n"transitions.c-a.load" = [0.1, 0.2]\n')
    with pytest.raises(ConfigError, match="what is driven differs from point to point"):
        load(path)


def test_the_ledger_is_the_same_for_any_number_of_workers_and_after_a_stop(tmp_path):
    whole = trajsim.simulate(parse(MOTOR))
    again = trajsim.simulate(parse(MOTOR), workers=2)
    assert {c.name for c in whole.layout.columns} == {
        *("heat", "work", "exclusive_work", "energy", "jumps", "state"),
        *("chemical_work", "particles"),
    }
    for column in whole.layout.columns:
        np.testing.assert_array_equal(whole[column.name], again[column.name])
    assert (np.asarray(whole["state"])[0, :, 0] == 1).all()


def test_a_transition_has_another_bath_and_no_particles_without_one():
    without = MOTOR.replace("particles = 1\n", "")
    run = trajsim.simulate(parse(without))
    assert "particles" not in {c.name for c in run.layout.columns}
    assert not parse(without).experiment.exchanging
