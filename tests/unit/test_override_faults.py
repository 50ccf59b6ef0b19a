"""Faults of sweeps and overrides."""

import pytest
from config_faults import PHASE, faults_of
from small_configs import PUMP, changed, swept

from trajsim.config import parse

# -- sweeps that contradict themselves -------------------------------------------------------------


@pytest.mark.parametrize(
    "again", ["bonds.2-1.coupling", "bonds.0.coupling"], ids=["other way round", "by number"]
)
def test_one_number_swept_under_two_names_is_refused(again):
    text = swept(PUMP, '"bonds.1-2.coupling" = [1.0, 2.0]', f'"{again}" = [3.0, 4.0]')
    assert any("twice" in fault.message for fault in faults_of(text))


def test_a_range_of_one_value_between_two_ends_is_refused():
    text = swept(PUMP, f'"{PHASE}" = {{ start = 0.0, stop = 1.0, num = 1 }}')
    assert faults_of(text)[0].key.startswith(f"sweep.{PHASE}")


def test_a_site_is_not_found_by_its_name_read_backwards():
    text = changed(PUMP, ('name = "2"', 'name = "a-b"'), ('["1", "2"]', '["1", "a-b"]'))
    (fault,) = faults_of(text, "sites.b-a.drive.phase=1.0")
    assert "no 'b-a'" in fault.message


def test_a_bond_is_found_from_either_end_when_names_have_hyphens():
    text = changed(PUMP, ('name = "2"', 'name = "a-b"'), ('["1", "2"]', '["1", "a-b"]'))
    for key in ("bonds.1-a-b.coupling", "bonds.a-b-1.coupling"):
        assert parse(text, overrides=[f"{key}=3.0"]).experiment.bonds[0].coupling == 3.0


# -- overrides -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "key", "says"),
    [
        ("ensemble.seed", "", "allowed: KEY=VALUE"),
        ("", "", "allowed: KEY=VALUE"),
        ("=3", "", "allowed: KEY=VALUE"),
        ("  = 3", "", "allowed: KEY=VALUE"),
        ("ensemble.seed=-1", "", "found -1"),
        ("ensemble.seed=", "", "found ''"),
        ("ensemble.seed=1.0", "", "found 1.0"),
        ("ensemble.seed=true", "", "found true"),
        ("ensemble.sed=1", "", "did you mean 'seed'?"),
        ("esemble.seed=1", "", "did you mean 'ensemble'?"),
        ("ensemble=1", "", "found 1; allowed: a table"),
        ("drive.period=nan", "", "found nan"),
        ("drive.period=fast", "", "found 'fast'"),
        ("sites.3.bath=L", "", "sites has no '3'; allowed: 1, 2"),
        ("sites.0.bath=L", "", "sites has no '0'"),
        ("bonds.1-3.coupling=1", "", "allowed: 1-2"),
        ("bonds.7.coupling=1", "", "bonds has no '7'"),
        ("title.x=1", "", "holds a value, not a table"),
        ("sites=[]", "", "at least 1"),
        ("baths.R.temperature=0", "", "found 0"),
        (f"sweep.{PHASE}=[]", "", "found []"),
        ("sweep.=[1.0]", "", "cannot be swept"),
        ("sweep=3", "", "found 3; allowed: a table"),
    ],
)
def test_a_bad_override_is_told_as_it_was_given(override, key, says):
    told = [fault for fault in faults_of(PUMP, override) if says in fault.message]
    assert [(fault.source, fault.line, fault.key) for fault in told] == [
        (f"--set {override}", None, key)
    ]


def test_a_table_emptied_by_an_override_is_not_blamed_on_lines_of_the_file():
    faults = faults_of(PUMP, "ensemble={}")
    assert {(f.source, f.line, f.message) for f in faults} == {
        ("--set ensemble={}", None, "missing")
    }


@pytest.mark.parametrize(
    "override", ["bonds.0.sites.0=x", "sites.2.drive.harmonics.0.order=2"], ids=["end", "harmonic"]
)
def test_an_override_deep_in_a_list_is_blamed_and_not_the_file(override):
    assert any(fault.source == f"--set {override}" for fault in faults_of(PUMP, override))


def test_an_override_is_one_value_and_nothing_after_it():
    assert faults_of(PUMP, "ensemble.seed=1\nx=3")


@pytest.mark.parametrize("sweep", ["5", "[1]", "'x'"])
def test_an_override_cannot_reach_into_a_sweep_that_is_no_table(sweep):
    assert faults_of(f"sweep = {sweep}\n{PUMP}", f"sweep.{PHASE}=[1.0]")


def test_faults_of_the_file_and_of_overrides_are_told_together():
    faults = faults_of(changed(PUMP, ("rate = 0.5", "rate = 0")), "ensemble.seed=-1", "x=1")
    assert {fault.source for fault in faults} == {"a.toml", "--set ensemble.seed=-1", "--set x=1"}
