"""What is put in place of a config's values from Python arrives there, whatever type it has."""

import collections
import itertools
import tomllib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_configs import PUMP, TRIANGLE, swept

import trajsim
from trajsim.config import ConfigError, parse

PHASE = "sites.2.drive.phase"


def loaded(overrides, source=PUMP):
    return trajsim.load(parse(source), overrides)


def phases(overrides, source=PUMP):
    return [point.parameters[PHASE] for point in loaded(overrides, source).points]


# -- what was put in place before ------------------------------------------------------------------


@pytest.mark.parametrize("form", ["config", "experiment", "point", "run"])
def test_earlier_overrides_are_kept(form):
    first = trajsim.load(tomllib.loads(PUMP), {PHASE: 1.25, "ensemble.trajectories": 3})
    source = {
        "config": lambda: first,
        "experiment": lambda: first.experiment,
        "point": lambda: first.points[0],
        "run": lambda: trajsim.simulate(first).config,
    }[form]()
    experiment = trajsim.load(source, {"ensemble.periods": 2}).experiment
    assert experiment.sites[1].drive.phase == 1.25
    assert (experiment.ensemble.trajectories, experiment.ensemble.periods) == (3, 2)
    # And in a long row of them.
    for seed in range(5):
        source = trajsim.load(source, {"ensemble.seed": seed, f"sites.{1}.drive.offset": seed / 2})
    assert source.experiment.sites[1].drive.phase == 1.25
    assert (source.experiment.ensemble.seed, source.experiment.sites[0].drive.offset) == (4, 2.0)


def test_a_sweep_put_in_place_before_is_kept_and_can_be_taken_away():
    config = loaded({f"sweep.{PHASE}": [0.5, 1.0, 1.5]})
    assert len(trajsim.load(config, {"ensemble.seed": 1}).points) == 3
    assert len(trajsim.load(config, {"sweep": {}}).points) == 1
    assert len(trajsim.load(config, ["sweep={}"]).points) == 1


def test_what_was_loaded_with_overrides_says_the_same_when_loaded_again():
    config = loaded({PHASE: 0.1, "baths.L.temperature": 3.0})
    assert trajsim.load(config) is config
    assert trajsim.load(config.experiment).experiment == config.experiment


# -- types ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [0.75, np.float64(0.75), np.float32(0.75), np.array(0.75), np.longdouble(0.75), Fraction(3, 4)],
    ids=lambda value: type(value).__name__,
)
def test_numbers_of_any_type_are_numbers(value):
    assert loaded({PHASE: value}).experiment.sites[1].drive.phase == 0.75


@pytest.mark.parametrize("value", [12, np.int64(12), np.uint8(12), np.array(12)])
def test_whole_numbers_of_any_type_are_whole(value):
    assert loaded({"ensemble.seed": value}).experiment.ensemble.seed == 12


def test_true_of_numpy_is_true_and_no_number():
    text = swept(PUMP, f'"{PHASE}" = [0.0, 1.0, 2.0]', '"drive.period" = [10, 20]')
    assert loaded({"figure.inset": np.True_}, text).experiment.figure.inset is True
    with pytest.raises(ConfigError, match="found true; allowed: an integer"):
        loaded({"ensemble.seed": np.True_})


@pytest.mark.parametrize(
    "values",
    [
        [0.0, 0.5, 1.0],
        (0.0, 0.5, 1.0),
        np.linspace(0, 1, 3),
        np.linspace(0, 1, 3, dtype=np.float32),
        {"start": 0.0, "stop": 1.0, "num": 3},
        {"start": np.float64(0), "stop": np.int64(1), "num": np.int32(3)},
        collections.deque([0, 0.5, 1]),
        map(float, ["0", "0.5", "1"]),
    ],
    ids=lambda values: type(values).__name__,
)
def test_a_sweep_is_given_as_any_sequence_or_as_a_range(values):
    assert phases({f"sweep.{PHASE}": values}) == [0.0, 0.5, 1.0]


def test_a_range_of_python_is_a_sweep():
    assert phases({f"sweep.{PHASE}": range(1, 7, 2)}) == [1.0, 3.0, 5.0]
    assert phases({"sweep": {PHASE: range(3)}}) == [0.0, 1.0, 2.0]


def test_keys_that_move_together_take_an_array_of_rows():
    rows = np.array([[1.0, 10.0], [2.0, 20.0]])
    config = loaded({"sweep": {f"{PHASE}, drive.period": rows}})
    assert [tuple(point.parameters.values()) for point in config.points] == [(1, 10), (2, 20)]


def test_a_sweep_is_one_value_and_an_axis_of_it_another():
    text = swept(PUMP, '"drive.period" = [10, 20]')
    assert len(loaded({"sweep": {PHASE: [1, 2, 3]}}, text).points) == 3
    assert len(loaded({f"sweep.{PHASE}": [1, 2, 3]}, text).points) == 6


def test_a_table_at_a_dotted_key_stands_there_as_a_whole():
    drive = loaded({"sites.2.drive": {"amplitude": np.float64(0.5)}}).experiment.sites[1].drive
    assert (drive.amplitude, drive.phase) == (0.5, 0.0)
    harmonics = ({"order": 3, "amplitude": 0.1}, {"order": np.int64(5), "amplitude": 0.2})
    drive = loaded({"sites.2.drive.harmonics": harmonics}).experiment.sites[1].drive
    assert [(h.order, h.amplitude) for h in drive.harmonics] == [(3, 0.1), (5, 0.2)]


def test_tables_in_tables_name_the_keys_that_dotted_keys_name():
    nested = {
        "ensemble": {"trajectories": 7, "seed": 3},
        "sites": {"2": {"drive": {"phase": 1.5}}},
        "baths": {"R": {"temperature": 0.25}},
        "bonds": {"1-2": {"coupling": -1.0}},
        "title": "nested",
    }
    dotted = {
        "ensemble.trajectories": 7,
        "ensemble.seed": 3,
        "sites.2.drive.phase": 1.5,
        "baths.R.temperature": 0.25,
        "bonds.1-2.coupling": -1.0,
        "title": "nested",
    }
    found = loaded(nested).experiment
    assert found == loaded(dotted).experiment
    assert found.sites[1].drive.amplitude == 0.25
    assert found.ensemble.periods == 8


@pytest.mark.parametrize(
    "overrides",
    [
        {"model.rate": 0.7, PHASE: 1.5},
        {"model": {"rate": 0.7}, "sites": {"2": {"drive": {"phase": 1.5}}}},
        {"model": {"rate": np.float64(0.7)}, "sites": {"2.drive": {"phase": np.array(1.5)}}},
        ["model.rate=0.7", f"{PHASE}=1.5"],
        (f"{PHASE} = 1.5", "model.rate = 0.7"),
        [("model.rate", 0.7), (PHASE, np.float32(1.5))],
        [{"model": {"rate": 0.7}}, f"{PHASE}=1.5"],
        iter([("model", {"rate": 0.7}), {PHASE: 1.5}]),
        {"model.rate": 0.7, PHASE: 1.5}.items(),
    ],
    ids=["dotted", "nested", "mixed", "texts", "tuple", "pairs", "list", "iterator", "items"],
)
def test_every_notation_puts_the_same_values(overrides):
    found = loaded(overrides).experiment
    assert (found.model.rate, found.sites[1].drive.phase) == (0.7, 1.5)
    assert found.sites[1].drive.amplitude == 0.25


def test_a_pair_alone_is_one_override():
    assert loaded((PHASE, 1.5)).experiment.sites[1].drive.phase == 1.5


@pytest.mark.parametrize(
    "sweep",
    [
        {"sites": {"2": {"drive": {"phase": np.linspace(0, 1, 3)}}}},
        {"sites.2": {"drive.phase": [0.0, 0.5, 1.0]}},
        {"sites": {"2.drive.phase": {"start": 0, "stop": 1, "num": 3}}},
        {PHASE: {"start": 0, "stop": 1, "num": 3}},
    ],
)
def test_keys_of_a_sweep_may_be_nested(sweep):
    assert phases({"sweep": sweep}) == [0.0, 0.5, 1.0]
    text = swept(PUMP, '"drive.period" = [10, 20]')
    axis = {f"sweep.{key}": value for key, value in sweep.items()}
    assert len(loaded(axis, text).points) == 6


def test_what_numpy_can_read_is_a_list():
    pandas, xarray = pytest.importorskip("pandas"), pytest.importorskip("xarray")
    for values in (
        pandas.Series([0.0, 0.5, 1.0]),
        pandas.Index([0.0, 0.5, 1.0]),
        xarray.DataArray([0.0, 0.5, 1.0]),
    ):
        assert phases({f"sweep.{PHASE}": values}) == [0.0, 0.5, 1.0]
    assert loaded({PHASE: xarray.DataArray(1.5)}).experiment.sites[1].drive.phase == 1.5


def test_a_part_of_an_experiment_is_a_value():
    other = parse(TRIANGLE).experiment.sites[1].drive
    assert loaded({"sites.1.drive": other}).experiment.sites[0].drive == other


def test_none_leaves_a_key_out():
    assert loaded({"sites.2.drive": None}).experiment.labels["drive"] == ["1"]
    with pytest.raises(ConfigError, match=r"override of drive\.period: found None"):
        loaded({"drive.period": None})


def test_a_table_of_python_objects_is_a_config():
    table = tomllib.loads(PUMP)
    table["drive"]["period"] = np.float64(12.5)
    table["sites"] = tuple(table["sites"])
    table["sites"][0]["drive"]["offset"] = Fraction(1, 2)
    config = trajsim.load(table, {"ensemble.seed": np.int16(5)})
    assert config.experiment.drive.period == 12.5
    assert config.experiment.sites[0].drive.offset == 0.5
    # Its text is a file that says the same, but for what was put in place of it.
    assert parse(config.text, overrides=["ensemble.seed=5"]).experiment == config.experiment


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_arrives_as_it_is(title):
    if "\0" in title:
        with pytest.raises(ConfigError, match="a text without NUL"):
            loaded({"title": title})
    else:
        assert loaded({"title": title}).experiment.title == title


def test_half_a_letter_is_no_text():
    with pytest.raises(ConfigError, match="allowed: a text"):
        loaded({"title": "\ud83d"})


def test_text_outside_the_basic_plane_is_kept_with_a_run(tmp_path):
    title = "pump \U0001f525 \u2192 \U00010400"
    run = trajsim.simulate(loaded({"title": title, "ensemble.trajectories": 2}), tmp_path / "a.h5")
    assert trajsim.open(run.path).config.experiment.title == title


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({PHASE: 1j}, r"sites\.2\.drive\.phase: found 1j; allowed: texts, numbers"),
        ({PHASE: object()}, "allowed: texts, numbers"),
        ({PHASE: b"1"}, "allowed: texts, numbers"),
        ({PHASE: {1.0}}, "allowed: texts, numbers"),
        ({PHASE: np.array([1j])}, r"sites\.2\.drive\.phase\.0: found 1j"),
        ({3: 1.0}, "found 3 as a key; allowed: texts"),
        ({"drive": {3: 1.0}}, "drive: found 3 as a key"),
        ({PHASE: np.nan}, rf"override of {PHASE}: found nan; allowed: a finite number"),
        ({PHASE: [1.0]}, rf"override of {PHASE}: found \[1\.0\]; allowed: a finite number"),
        ({"drive.perod": 1.0}, r"override of drive\.perod: unknown key \(did you mean 'period'"),
        ({"sites": {"3": {"bath": "L"}}}, "sites has no '3'"),
        ({f"sweep.{PHASE}": np.zeros((2, 2))}, "a list of finite numbers"),
        ({f"sweep.{PHASE}": itertools.count()}, "more than 1000000 entries"),
        ({f"sweep.{PHASE}": range(10**15)}, "more than 1000000 entries"),
        ("drive.period", "allowed: KEY=VALUE"),
        (3, "found 3; allowed: a table of keys and values"),
        ([3], "found 3; allowed: a table of keys and values"),
        ([("drive.period", 1j)], r"drive\.period: found 1j; allowed: texts, numbers"),
        ({"sweep": {"sites": {"3": {"drive": {"phase": [1.0]}}}}}, "sites has no '3'"),
    ],
)
def test_what_cannot_stand_there_is_told(overrides, says):
    with pytest.raises(ConfigError, match=says):
        loaded(overrides)


def test_tables_within_themselves_are_refused():
    endless = {}
    endless["drive"] = endless
    for load in (lambda: loaded(endless), lambda: trajsim.load(endless)):
        with pytest.raises(ConfigError, match="nested more than 20 deep"):
            load()


def test_a_single_text_is_one_override():
    assert loaded("drive.period=3.0").experiment.drive.period == 3.0
