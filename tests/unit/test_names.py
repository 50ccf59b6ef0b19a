"""Names of sites and baths never share a place with words of the program, nor with each other."""

import json

import numpy as np
import pytest
from small_configs import PUMP, changed, swept

import trajsim
import trajsim.config.schema
from trajsim.analysis.windows import OTHER_TOTAL
from trajsim.config import ConfigError, parse, with_parameters

SITE = changed(PUMP, ('name = "1"', 'name = "total"'), ('["1", "2"]', '["total", "2"]'))
BATH = changed(PUMP, ("L = {", "total = {"), ('bath = "L"', 'bath = "total"'))

# Two bonds are called a-b-c: that of a-b with c, and that of a with b-c.
HYPHENS = """\
[model]
kind = "spins"
rate = 0.5
rate_law = "glauber-product"
[drive]
period = 20.0
[baths]
L = { temperature = 1.0 }
""" + "".join(f'[[sites]]\nname = "{name}"\nbath = "L"\n' for name in ("a", "b-c", "a-b", "c"))
HYPHENS += """\
[[bonds]]
sites = ["a-b", "c"]
coupling = 0.25
[[bonds]]
sites = ["a", "b-c"]
coupling = 0.75
[ensemble]
trajectories = 10
periods = 1
initial = "random"
seed = 1
"""


def faults_of(text, *overrides):
    with pytest.raises(ConfigError) as caught:
        parse(text, "a.toml", overrides)
    return caught.value.faults


@pytest.mark.parametrize(
    ("text", "key", "at"),
    [(SITE, "sites.total.name", 'name = "total"'), (BATH, "baths.total", "total = {")],
    ids=["site", "bath"],
)
def test_a_name_that_sums_have_is_refused(text, key, at):
    (fault,) = faults_of(text)
    assert (fault.line, fault.key) == (text.count("\n", 0, text.index(at)) + 1, key)
    assert "found 'total'; allowed: any other name" in fault.message


@pytest.mark.parametrize("name", ["Total", "total_", "totals", "W"])
def test_names_that_only_resemble_it_are_good(name):
    assert parse(SITE.replace('"total"', f'"{name}"')).experiment.labels["site"][0] == name


@pytest.fixture(scope="module", params=[SITE, BATH], ids=["site", "bath"])
def old_run(request, tmp_path_factory):
    """A run of a time when sites and baths could be called total, and its twin of today's names."""
    folder = tmp_path_factory.mktemp("names")
    text = changed(request.param, ("trajectories = 60", "trajectories = 600"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trajsim.config.base, "RESERVED", ())
        trajsim.simulate(parse(text), folder / "old.h5")
    twin = trajsim.simulate(parse(text.replace("total", "x")), folder / "new.h5")
    return trajsim.open(folder / "old.h5"), twin


def test_files_with_such_names_are_read_and_nothing_is_overwritten(old_run, cli):
    old, twin = old_run
    for name in ("heat", "work", "state"):
        np.testing.assert_array_equal(old[name], twin[name])
    options = ("--window", 2, "--theorems", "--json")
    answers = [json.loads(cli("analyze", run.path, *options).stdout) for run in old_run]
    (mine,), (theirs,) = (answer["points"] for answer in answers)
    for kind in ("heat", "work"):
        for name in ("variance_rate", "cumulant_rates"):
            # The same numbers in the same order, whatever they are called.
            assert [*mine[f"{kind}_{name}"].values()] == [*theirs[f"{kind}_{name}"].values()]
    assert mine["covariance_rate"]["matrix"] == theirs["covariance_rate"]["matrix"]
    assert len(mine["histograms"]) == len(theirs["histograms"]) == 5
    assert [t["z"] for t in mine["theorems"]] == [t["z"] for t in theirs["theorems"]]


def test_the_check_of_such_a_file_compares_all_that_it_compares_of_others(old_run):
    names = []
    for run in old_run:
        (point,) = trajsim.check(run).points
        names.append([q.name.replace("total", "x") for q in point.quantities])
    assert [name.replace("sum of all", "x") for name in names[0]] == names[1]


def test_the_exact_side_of_such_a_file_keeps_the_sum_and_the_site_apart(old_run, cli):
    old, twin = old_run
    from trajsim.output.counting import counted

    found = []
    for run in (old, twin):
        point = run.config.points[0]
        found.append(counted(trajsim.exact(point).counting, point.experiment))
    mine, theirs = (f["work_variance_rate"] for f in found)
    assert len(mine) == len(theirs) == 3
    assert list(mine.values()) == pytest.approx(list(theirs.values()), rel=1e-12)


def test_the_extreme_of_the_sum_is_not_that_of_the_site(old_run):
    old, twin = old_run
    sums = np.asarray(twin["work"])[0].sum(axis=1)
    of_site, of_all = sums[:, 0], sums.sum(axis=1)
    if "total" in old.layout.labels["drive"]:
        (found,) = old.extremes("work.total")
        assert found.trajectory == np.argmax(np.abs(of_site - of_site.mean()))
    name = OTHER_TOTAL if "total" in old.layout.labels["drive"] else "total"
    (found,) = old.extremes(f"work.{name}")
    assert found.trajectory == np.argmax(np.abs(of_all - of_all.mean()))


# -- bonds that share a key ------------------------------------------------------------------------


def test_a_key_of_two_bonds_is_refused_with_both_meanings():
    key = "bonds.a-b-c.coupling"
    meanings = "bonds.0 (from 'a-b' to 'c') or bonds.1 (from 'a' to 'b-c')"
    for text, overrides in ((HYPHENS, [f"{key}=9.0"]), (swept(HYPHENS, f'"{key}" = [9.0]'), [])):
        (fault,) = faults_of(text, *overrides)
        assert fault.message == f"bonds.a-b-c may mean {meanings}; allowed: the bond's number"
    with pytest.raises(ConfigError, match="may mean"):
        trajsim.load(parse(HYPHENS), {key: 9.0})


@pytest.mark.parametrize("name", ["1", "b-c-a"], ids=["number", "read backwards"])
def test_a_key_of_one_of_them_means_it(name):
    config = parse(HYPHENS, overrides=[f"bonds.{name}.coupling=9.0"])
    assert [bond.coupling for bond in config.experiment.bonds] == [0.25, 9.0]


def test_a_fault_of_such_a_bond_is_told_by_its_number():
    text = changed(HYPHENS, ("coupling = 0.75", "coupling = 1e10"))
    (fault,) = faults_of(text)
    assert fault.key == "bonds.1.coupling"


def test_a_run_that_swept_such_a_key_can_be_read(tmp_path):
    text = swept(HYPHENS, '"bonds.a-b-c.coupling" = [0.5, 1.0]')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trajsim.config.keys._refuse_two", lambda *_: None)
        trajsim.simulate(parse(text), tmp_path / "old.h5")
    config = trajsim.open(tmp_path / "old.h5").config
    assert [p.experiment.bonds[0].coupling for p in config.points] == [0.5, 1.0]
    assert with_parameters(config.experiment, config.points[1].parameters).bonds[0].coupling == 1.0
