"""A good config becomes the experiment and the points that it describes."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_configs import HALF_DRIVEN, PUMP, TRIANGLE, UNDRIVEN, changed, swept

from trajsim.config import Config, ConfigError, load, parse, restore, with_parameters
from trajsim.models.rate_laws import GlauberProduct, HeatBath

SHIPPED = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))
PHASE = "sites.2.drive.phase"
POINTS = "drive = { points = [[0, 0.1], [0.5, 0.3], [1, 0.1]] }"


def points(text, *overrides):
    return [point.parameters for point in parse(text, overrides=overrides).points]


# -- values --------------------------------------------------------------------------------------


def test_a_config_gives_what_it_says():
    experiment = parse(PUMP).experiment
    assert experiment.title == "two driven spins"
    assert (experiment.model.kind, experiment.model.rate) == ("spins", 0.5)
    assert experiment.model.rate_law == "glauber-product"
    assert experiment.drive.period == 10.0
    assert {name: bath.temperature for name, bath in experiment.baths.items()} == {
        "L": 0.5,
        "R": 0.499,
    }
    assert [(s.name, s.bath, s.drive.amplitude, s.drive.phase) for s in experiment.sites] == [
        ("1", "L", 0.25, 0.0),
        ("2", "R", 0.25, 2.2),
    ]
    assert [(bond.sites, bond.coupling) for bond in experiment.bonds] == [(["1", "2"], 1.0)]
    assert experiment.ensemble.model_dump() == {
        "trajectories": 60,
        "periods": 8,
        "burn_in": 2,
        "initial": "up",
        "seed": 2007,
    }


def test_what_is_left_out_has_its_default():
    text = changed(
        UNDRIVEN,
        ('title = "two driven spins"\n', ""),
        ("burn_in = 2\n", ""),
        ('initial = "up"\n', ""),
        ("[ledger]\nrows_per_period = 1\n", ""),
        ('[[bonds]]\nsites = ["1", "2"]\ncoupling = 1.0\n', ""),
    )
    experiment = parse(text).experiment
    assert (experiment.title, experiment.bonds, experiment.sweep) == ("", [], {})
    assert (experiment.ensemble.burn_in, experiment.ensemble.initial) == (0, "up")
    assert (experiment.ledger.rows_per_period, experiment.ledger.periods_per_row) == (1, 1)
    assert experiment.labels["drive"] == []


def test_an_empty_drive_is_a_drive():
    experiment = parse(HALF_DRIVEN.replace("{ amplitude = 0.25, phase = 0.0 }", "{}")).experiment
    assert experiment.labels["drive"] == ["1"]
    assert experiment.sites[0].drive.model_dump() == {
        "shape": "cosine",
        "amplitude": 0.0,
        "phase": 0.0,
        "offset": 0.0,
        "harmonics": [],
        "points": [],
    }


def test_whole_numbers_serve_as_real_ones():
    experiment = parse(changed(PUMP, ("period = 10.0", "period = 10"))).experiment
    assert isinstance(experiment.drive.period, float)


@pytest.mark.parametrize("seed", [0, 2**63, 2**64 - 1])
def test_any_64_bit_seed_is_taken(seed):
    assert parse(changed(PUMP, ("2007", str(seed)))).experiment.ensemble.seed == seed


@pytest.mark.parametrize("name", ["Ω", "北", "a-b", "+", "_", "0", "x" * 64])
def test_names_may_be_in_any_script(name):
    text = changed(PUMP, ('["1", "2"]', f'["1", "{name}"]'), ('name = "2"', f'name = "{name}"'))
    config = parse(text, overrides=[f"sites.{name}.drive.phase=1.0"])
    assert config.experiment.sites[1].name == name
    assert config.experiment.sites[1].drive.phase == 1.0


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_shipped_configs_are_good(path):
    assert load(path).points


def test_windows_line_ends_change_nothing():
    assert parse(PUMP.replace("\n", "\r\n")).experiment == parse(PUMP).experiment


def test_a_byte_order_mark_changes_nothing(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(PUMP, encoding="utf-8-sig")
    assert load(path).experiment == parse(PUMP).experiment


# -- network and plan ----------------------------------------------------------------------------


def test_network_of_the_pump_is_as_worked_out_by_hand():
    network = parse(PUMP).experiment.network()
    assert network.law == GlauberProduct(0.5)
    assert network.period == 10.0
    assert network.first.tolist() == [0, 1, 2]
    assert network.neighbour.tolist() == [1, 0]
    assert network.coupling.tolist() == [1.0, 1.0]
    assert network.temperature.tolist() == [0.5, 0.499]
    assert network.bath.tolist() == [0, 1]
    assert network.driven.tolist() == [0, 1]
    assert network.drive.phase.tolist() == [[0.0], [2.2]]


def test_network_of_three_spins_with_a_shared_bath_is_as_worked_out_by_hand():
    network = parse(TRIANGLE).experiment.network()
    assert network.law == HeatBath(2.0)
    # Site a meets b; b meets a, then c; c meets b.
    assert network.first.tolist() == [0, 1, 3, 4]
    assert network.neighbour.tolist() == [1, 0, 2, 1]
    assert network.coupling.tolist() == [1.0, 1.0, -0.5, -0.5]
    # Baths are numbered in the order of the file: hot is 0.
    assert network.bath.tolist() == [1, 0, 1]
    assert network.temperature.tolist() == [0.5, 2.0, 0.5]
    assert network.driven.tolist() == [-1, 0, 1]
    assert network.drive.offset.tolist() == [0.0, -0.1, 0.0]
    assert network.drive.order.tolist() == [[1, 1], [1, 3], [1, 1]]
    assert network.drive.amplitude.tolist() == [[0.0, 0.0], [0.5, 0.2], [0.25, 0.0]]
    assert network.drive.phase.tolist() == [[0.0, 0.0], [0.0, 1.0], [1.5, 0.0]]
    # Bounds of the fields over temperatures.
    np.testing.assert_allclose(network.low, [0.0, -0.4, -0.5], atol=1e-14)
    np.testing.assert_allclose(network.high, [0.0, 0.3, 0.5], atol=1e-14)


@pytest.mark.parametrize(
    ("ledger", "rows", "segments", "row_periods"),
    [
        ("rows_per_period = 1", 8, 10, 1.0),
        ("rows_per_period = 5", 40, 50, 0.2),
        ("periods_per_row = 4", 2, 10, 4.0),
        ("periods_per_row = 8", 1, 10, 8.0),
    ],
)
def test_the_plan_cuts_trajectories_as_the_ledger_asks(ledger, rows, segments, row_periods):
    plan = parse(changed(PUMP, ("rows_per_period = 1", ledger))).experiment.plan
    assert (plan.rows, plan.segments, plan.row_periods) == (rows, segments, row_periods)
    assert plan.burn_in_segments == 2 * plan.rows_per_period


# -- sweeps --------------------------------------------------------------------------------------


def test_no_sweep_is_one_point_without_parameters():
    (point,) = parse(PUMP).points
    assert point.parameters == {}
    assert point.experiment == parse(PUMP).experiment


def test_a_list_gives_its_values_in_order():
    assert points(swept(PUMP, f'"{PHASE}" = [2, 1.5, -1]')) == [
        {PHASE: 2.0},
        {PHASE: 1.5},
        {PHASE: -1.0},
    ]


def test_a_range_includes_both_its_ends():
    found = points(swept(PUMP, f'"{PHASE}" = {{ start = 0.0, stop = 0.3, num = 4 }}'))
    np.testing.assert_allclose([p[PHASE] for p in found], [0.0, 0.1, 0.2, 0.3], rtol=1e-15)
    assert (found[0][PHASE], found[-1][PHASE]) == (0.0, 0.3)


def test_several_keys_make_a_grid_whose_last_key_moves_fastest():
    text = swept(PUMP, f'"{PHASE}" = [1.0, 2.0]', '"drive.period" = [10, 20, 30]')
    assert [tuple(p.values()) for p in points(text)] == [
        (phase, period) for phase in (1.0, 2.0) for period in (10.0, 20.0, 30.0)
    ]


def test_keys_named_together_move_together():
    text = swept(PUMP, f'"{PHASE}, drive.period" = [[1, 10], [2, 20]]', '"model.rate" = [1, 2]')
    assert points(text) == [
        {PHASE: phase, "drive.period": period, "model.rate": rate}
        for phase, period in ((1.0, 10.0), (2.0, 20.0))
        for rate in (1.0, 2.0)
    ]


@pytest.mark.parametrize(
    ("key", "look"),
    [
        (PHASE, lambda e: e.sites[1].drive.phase),
        ("sites.1.drive.amplitude", lambda e: e.sites[0].drive.amplitude),
        ("sites.1.drive.offset", lambda e: e.sites[0].drive.offset),
        ("baths.R.temperature", lambda e: e.baths["R"].temperature),
        ("drive.period", lambda e: e.drive.period),
        ("model.rate", lambda e: e.model.rate),
        ("bonds.1-2.coupling", lambda e: e.bonds[0].coupling),
        ("bonds.2-1.coupling", lambda e: e.bonds[0].coupling),
        ("bonds.0.coupling", lambda e: e.bonds[0].coupling),
    ],
)
def test_a_swept_value_arrives_at_its_place_and_nowhere_else(key, look):
    config = parse(swept(PUMP, f'"{key}" = [0.75]'))
    (point,) = config.points
    assert look(point.experiment) == 0.75
    assert with_parameters(config.experiment, point.parameters) == point.experiment
    before = parse(PUMP).experiment
    assert with_parameters(point.experiment, {key: look(before)}) == before


def test_a_harmonic_can_be_swept_by_its_number():
    text = changed(PUMP, ("phase = 2.2", "harmonics = [{ order = 2, amplitude = 0.1 }]"))
    config = parse(swept(text, '"sites.2.drive.harmonics.0.amplitude" = [0.2]'))
    assert config.points[0].experiment.sites[1].drive.harmonics[0].amplitude == 0.2


def test_the_base_of_a_sweep_keeps_its_own_values():
    config = parse(swept(PUMP, f'"{PHASE}" = [1.0]'))
    assert config.experiment.sites[1].drive.phase == 2.2
    assert config.experiment.sweep == {PHASE: [1.0]}


# -- overrides -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "look", "value"),
    [
        ("ensemble.seed=3", lambda e: e.ensemble.seed, 3),
        (" ensemble.seed = 0x1F ", lambda e: e.ensemble.seed, 31),
        ("ensemble.trajectories=1_000", lambda e: e.ensemble.trajectories, 1000),
        ("drive.period=1e3", lambda e: e.drive.period, 1000.0),
        ("drive.period=5", lambda e: e.drive.period, 5.0),
        ("ensemble.initial=random", lambda e: e.ensemble.initial, "random"),
        ('ensemble.initial="random"', lambda e: e.ensemble.initial, "random"),
        ("title=two words", lambda e: e.title, "two words"),
        ("title=a = b", lambda e: e.title, "a = b"),
        ("title=", lambda e: e.title, ""),
        ("title='17'", lambda e: e.title, "17"),
        ("sites.2.drive.phase=-1.5", lambda e: e.sites[1].drive.phase, -1.5),
        ("sites.2.drive={amplitude=1.0}", lambda e: e.sites[1].drive.amplitude, 1.0),
        ("baths.R.temperature=2.5", lambda e: e.baths["R"].temperature, 2.5),
        ("baths.R={temperature=2.5}", lambda e: e.baths["R"].temperature, 2.5),
        ("bonds.1-2.coupling=-1", lambda e: e.bonds[0].coupling, -1.0),
        ("bonds=[]", lambda e: e.bonds, []),
        ("ledger.rows_per_period=7", lambda e: e.plan.rows, 56),
    ],
)
def test_set_puts_a_value_of_the_right_type_in_its_place(override, look, value):
    found = look(parse(PUMP, overrides=[override]).experiment)
    assert (type(found), found) == (type(value), value)


def test_set_makes_tables_that_the_file_does_not_have():
    text = changed(UNDRIVEN, ("[ledger]\nrows_per_period = 1\n", ""))
    overrides = ["ledger.rows_per_period=3", "sites.2.drive.amplitude=0.5"]
    experiment = parse(text, overrides=overrides).experiment
    assert experiment.plan.rows_per_period == 3
    assert experiment.labels["drive"] == ["2"]


def test_the_last_set_of_a_key_wins():
    assert parse(PUMP, overrides=["title=a", "title=b"]).experiment.title == "b"


def test_set_reaches_into_what_an_earlier_set_made():
    overrides = ["sites.2.drive={ amplitude = 1.0 }", "sites.2.drive.offset=0.5"]
    drive = parse(PUMP, overrides=overrides).experiment.sites[1].drive
    assert (drive.amplitude, drive.offset) == (1.0, 0.5)


def test_set_can_add_change_and_take_away_a_sweep():
    text = swept(PUMP, f'"{PHASE}" = [1.0, 2.0]')
    assert points(text, f"sweep.{PHASE}=[3]") == [{PHASE: 3.0}]
    assert points(PUMP, f"sweep.{PHASE}=[3]") == [{PHASE: 3.0}]
    assert points(text, "sweep={}") == [{}]
    assert points(
        text, "sweep.drive.period={start=1.0, stop=2.0, num=2}", f"sweep.{PHASE}=[0]"
    ) == [
        {PHASE: 0.0, "drive.period": 1.0},
        {PHASE: 0.0, "drive.period": 2.0},
    ]


def test_the_text_is_kept_as_it_was_whatever_is_set():
    assert parse(PUMP, overrides=["title=other"]).text == PUMP


# -- what a run keeps ----------------------------------------------------------------------------

ROUND_TRIPS = {
    "pump": PUMP,
    "undriven": UNDRIVEN,
    "three spins": TRIANGLE,
    "largest seed": changed(PUMP, ("2007", str(2**64 - 1))),
    "list": swept(PUMP, f'"{PHASE}" = [0.1, 0.2, 3]'),
    "range": swept(PUMP, f'"{PHASE}" = {{ start = 0, stop = 1.1, num = 7 }}'),
    "together": swept(PUMP, f'"{PHASE}, drive.period" = [[0.1, 3], [0.2, 4]]'),
    **{path.stem: path.read_text(encoding="utf-8") for path in SHIPPED},
}


def restored(config: Config) -> Config:
    """A config written with a run and read from it again."""
    return restore(config.text, json.loads(config.experiment.model_dump_json()))


@pytest.mark.parametrize("text", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
def test_a_run_gives_its_config_back(text):
    config = parse(text)
    assert restored(config) == config


def test_a_run_gives_its_overrides_back():
    config = parse(PUMP, overrides=["title=other", "sites.2.drive.phase=0.1", "bonds=[]"])
    assert restored(config).experiment == config.experiment


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), st.floats(1e-9, 1e12))
def test_every_bit_of_a_number_survives_the_round_trip(phases, period):
    config = parse(PUMP, overrides=[f"sweep.{PHASE}={phases!r}", f"drive.period={period!r}"])
    assert restored(config) == config
    assert [point.parameters[PHASE] for point in config.points] == phases


def test_values_of_points_are_keys_of_sweeps_and_overrides():
    text = changed(PUMP, ("drive = { amplitude = 0.25, phase = 0.0 }", POINTS))
    text = swept(text, '"sites.1.drive.points.2.1" = [0.4, -0.2]')
    experiments = [point.experiment for point in parse(text).points]
    assert [e.sites[0].drive.points[2][1] for e in experiments] == [0.4, -0.2]
    (point,) = parse(text, overrides=["sweep={}", "sites.1.drive.points.1.0=0.25"]).points
    assert point.experiment.sites[0].drive.points[1] == [0.25, 0.3]
    with pytest.raises(ConfigError, match="points from 0 to 1"):
        parse(text, overrides=["sites.1.drive.points.2.0=0.3"])
