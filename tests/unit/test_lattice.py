"""Lattices written out by a config, * in keys, ranges of joint keys."""

import copy
import json
import tomllib

import numpy as np
import pytest
from click.testing import CliRunner

import trajsim
from trajsim.cli import main
from trajsim.config import json_schema, parse

RING = """\
[model]
kind = "spins"
rate = 0.5
rate_law = "heat-bath"

[drive]
period = 1.0

[baths]
hot = { temperature = 2.0 }
cold = { temperature = 1.0 }

[lattice]
shape = [4]
periodic = true
baths = ["hot", "cold"]

[lattice.site]
drive = { amplitude = 0.1 }

[lattice.bond]
coupling = 1.0

[ensemble]
trajectories = 20
periods = 3
seed = 1
"""


def spins_of(text, overrides=()):
    return parse(text, overrides=overrides).experiment


def ends(experiment):
    return [tuple(bond.sites) for bond in experiment.bonds]


def with_lattice(**keys):
    data = tomllib.loads(RING)
    data["lattice"] |= keys
    return trajsim.load(data).experiment


def faults(text, overrides=()):
    with pytest.raises(trajsim.ConfigError) as caught:
        parse(text, overrides=overrides)
    return [str(fault) for fault in caught.value.faults]


def test_a_ring_is_the_one_written_by_hand():
    data = tomllib.loads(RING)
    by_hand = copy.deepcopy(data)
    del by_hand["lattice"]
    by_hand["sites"] = [
        {"name": str(k), "bath": bath, "drive": {"amplitude": 0.1}}
        for k, bath in enumerate(["hot", "cold", "hot", "cold"])
    ]
    by_hand["bonds"] = [
        {"sites": [a, b], "coupling": 1.0}
        for a, b in (("0", "1"), ("1", "2"), ("2", "3"), ("3", "0"))
    ]
    assert trajsim.load(data).experiment == trajsim.load(by_hand).experiment


def test_sites_are_named_by_coordinates_and_bonded_along_both_axes():
    experiment = with_lattice(shape=[2, 3], periodic=False)
    assert [site.name for site in experiment.sites] == ["0_0", "0_1", "0_2", "1_0", "1_1", "1_2"]
    assert ends(experiment) == [
        ("0_0", "1_0"),
        ("0_0", "0_1"),
        ("0_1", "1_1"),
        ("0_1", "0_2"),
        ("0_2", "1_2"),
        ("1_0", "1_1"),
        ("1_1", "1_2"),
    ]
    assert [site.bath for site in experiment.sites] == ["hot", "cold", "hot", "cold", "hot", "cold"]


def test_each_axis_may_be_periodic_and_two_sites_are_neighbours_once():
    experiment = with_lattice(shape=[2, 3], periodic=[True, True])
    assert len(ends(experiment)) == 3 + 6
    experiment = with_lattice(shape=[3, 3], periodic=[False, True])
    assert len(ends(experiment)) == 6 + 9
    assert ("0_2", "0_0") in ends(experiment)
    assert ("2_0", "0_0") not in ends(experiment)
    assert len(ends(with_lattice(shape=[3, 3, 3]))) == 81


def test_baths_in_slabs_along_the_first_axis():
    experiment = with_lattice(shape=[4, 2], arrangement="halves")
    assert [site.bath for site in experiment.sites] == ["hot"] * 4 + ["cold"] * 4


def test_sites_and_bonds_listed_besides_add_keys_or_are_more():
    more = '\n[[sites]]\nname = "2"\nbaths = ["hot", "cold"]\n'
    data = tomllib.loads(RING + more)
    del data["lattice"]["baths"]
    data["lattice"]["site"]["bath"] = "hot"
    data["sites"][0]["bath"] = "cold"
    del data["sites"][0]["baths"]
    data["sites"].append({"name": "tip", "bath": "cold"})
    data["bonds"] = [
        {"sites": ["2", "1"], "coupling": -1.0},
        {"sites": ["tip", "0"], "coupling": 3},
    ]
    experiment = trajsim.load(data).experiment
    assert [site.bath for site in experiment.sites] == ["hot", "hot", "cold", "hot", "cold"]
    assert experiment.sites[2].driven
    assert not experiment.sites[4].driven
    assert [bond.coupling for bond in experiment.bonds] == [1.0, -1.0, 1.0, 1.0, 3.0]


def test_set_reaches_the_lattice_and_what_is_written_out_of_it():
    overrides = ["sites.5.drive.amplitude=0.7", "lattice.shape=[6]", "bonds.1-2.coupling=2.0"]
    experiment = spins_of(RING, overrides)
    assert [site.drive.amplitude for site in experiment.sites] == [0.1] * 5 + [0.7]
    assert [bond.coupling for bond in experiment.bonds] == [1.0, 2.0, 1.0, 1.0, 1.0, 1.0]


def test_a_star_stands_for_any_part_of_a_name():
    grid = RING.replace("shape = [4]", "shape = [3, 3]")
    overrides = ["sites.0_*.bath='hot'", "sites.*_2.drive.amplitude=0.5", "bonds.*.coupling=2"]
    experiment = spins_of(grid, overrides)
    assert [site.bath for site in experiment.sites[:3]] == ["hot"] * 3
    assert [site.drive.amplitude for site in experiment.sites[:3]] == [0.1, 0.1, 0.5]
    assert {bond.coupling for bond in experiment.bonds} == {2.0}
    assert spins_of(RING, ["baths.*.temperature=1.5"]).temperatures == {"hot": 1.5, "cold": 1.5}


def test_a_sweep_moves_all_that_a_star_stands_for():
    swept = RING + '[sweep]\n"bonds.*.coupling" = { start = 0.5, stop = 1.5, num = 3 }\n'
    config = parse(swept)
    assert [p.parameters for p in config.points] == [
        {"bonds.*.coupling": x} for x in (0.5, 1.0, 1.5)
    ]
    for point in config.points:
        (coupling,) = point.parameters.values()
        assert {bond.coupling for bond in point.experiment.bonds} == {coupling}
        assert point.experiment == spins_of(RING, [f"bonds.*.coupling={coupling}"])
    assert {bond.coupling for bond in config.experiment.bonds} == {1.0}


def test_a_range_of_joint_keys_has_a_start_and_a_stop_for_each():
    line = "{ start = [2.0, 1.0], stop = [3.0, 1.5], num = 3 }"
    config = parse(RING + f'[sweep]\n"baths.hot.temperature, baths.cold.temperature" = {line}\n')
    assert [list(p.parameters.values()) for p in config.points] == [[2, 1], [2.5, 1.25], [3, 1.5]]


def test_points_of_a_sweep_share_what_does_not_change():
    config = parse(RING + '[sweep]\n"baths.hot.temperature" = [1.5, 2.5]\n')
    one, other = (point.experiment for point in config.points)
    assert one.sites is other.sites
    assert (one.baths["hot"].temperature, other.baths["hot"].temperature) == (1.5, 2.5)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("shape = [4]", "shape = [4, 0]", "14: lattice.shape.1: found 0; allowed: an integer >= 1"),
        (
            "shape = [4]",
            "shape = [300, 300]",
            "90000 sites, which take some 270 MB of memory; allowed: ",
        ),
        ("periodic = true", "periodic = [true, true]", "found 2 entries; allowed: one for each"),
        ("amplitude = 0.1", "amplitud = 0.1", "19: lattice.site.drive.amplitud: unknown key"),
        ("coupling = 1.0", "coupling = inf", "22: lattice.bond.coupling: found inf"),
        ("[lattice.bond]", "[lattice.bonds]", "21: lattice.bonds: unknown key (did you mean"),
        (
            '["hot", "cold"]',
            '["hot", "cold", "cool"]',
            "16: lattice.baths: no bath 'cool' (did you mean 'cold'?)",
        ),
        ("[lattice.site]", '[lattice.site]\nbath = "hot"', "found beside lattice.baths"),
        ("[lattice.site]", '[lattice.site]\nname = "a"', "the lattice has its own name"),
        ("coupling = 1.0", 'coupling = 1.0\nsites = ["0", "1"]', "the lattice has its own sites"),
    ],
)
def test_a_fault_is_told_once_where_it_is_written(old, new, said):
    (fault,) = faults(RING.replace(old, new))
    assert said in fault


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("sites.7_*.bath=1", "sites has no '7_*'; allowed: 0, 1, 2, 3"),
        ("*.x=1", "no table '*'; allowed: * in names"),
        ("sites.*.bath.x=1", "sites.0: bath holds a value, not a table"),
    ],
)
def test_a_star_that_stands_for_nothing_is_told(key, said):
    assert said in "\n".join(faults(RING, [key]))


@pytest.mark.parametrize(
    "line",
    [
        "{ start = [2.0], stop = [3.0, 1.5], num = 3 }",
        "{ start = 2.0, stop = 3.0, num = 3 }",
    ],
)
def test_a_joint_range_with_too_few_ends_is_told(line):
    text = RING + f'[sweep]\n"baths.hot.temperature, baths.cold.temperature" = {line}\n'
    (fault,) = faults(text)
    assert "2 finite numbers, one for each key, or { start, stop, num } of such lists" in fault


def test_editors_are_told_that_a_lattice_may_stand_for_sites():
    for definition in json_schema()["$defs"].values():
        if "lattice" in definition.get("properties", {}):
            assert "sites" not in definition["required"]
            assert {"required": ["lattice"]} in definition["anyOf"]


def test_energy_and_magnetisation_stand_for_states_that_are_too_many(tmp_path):
    run = trajsim.simulate(trajsim.load(tomllib.loads(RING), ["lattice.shape=[50]"]))
    (sampled,) = run.averages()
    energy, state = np.asarray(run["energy"][0]), np.asarray(run["state"][0])
    # Rows begin at three of four edges.
    total = state[:, :3].sum(axis=2, dtype=float)
    for name, values in (("energy", energy[:, :3]), ("magnetisation", total)):
        for squared, of_row in ((name, values), (f"{name}_squared", values**2)):
            mean, stderr = sampled.edges[squared]
            each = of_row.mean(axis=1)
            assert mean.item() == pytest.approx(each.mean(), rel=1e-12)
            assert stderr.item() == pytest.approx(each.std(ddof=1) / len(each) ** 0.5, rel=1e-9)
    path = run.save(tmp_path / "run.h5")
    text = CliRunner().invoke(main, ["analyze", str(path)]).stdout
    assert "flip_rate.*, mean of 50" in text
    assert "flip_rate.7 " not in text
    (row,) = (line for line in text.splitlines() if line.startswith("magnetisation "))
    assert float(row.split()[1]) == pytest.approx(sampled.edges["magnetisation"].mean.item())
    answer = json.loads(CliRunner().invoke(main, ["analyze", str(path), "--json"]).stdout)
    (point,) = answer["points"]
    assert point["energy"]["mean"] == [pytest.approx(sampled.edges["energy"].mean.item())]
    assert len(point["flip_rate"]) == 50
