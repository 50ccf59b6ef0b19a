"""A bad config is refused with every fault in it: line, key, what was found, what is allowed."""

import math
import os
import threading
import time
import tomllib
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_configs import PUMP, TRIANGLE, UNDRIVEN, changed, swept

import trajsim.config.reading
from trajsim.config import ConfigError, load, parse

DRIVE_1 = "drive = { amplitude = 0.25, phase = 0.0 }"
DRIVE_2 = "drive = { amplitude = 0.25, phase = 2.2 }"
BOND = '[[bonds]]\nsites = ["1", "2"]\ncoupling = 1.0\n'
PHASE = "sites.2.drive.phase"


class Bad(NamedTuple):
    """An edit of the pump's config and the one fault that it makes.

    at : text that stands on the line told; by default what was put in
    """

    old: str
    new: str
    key: str
    says: tuple[str, ...]
    at: str | None = None


def sweep(line: str, key: str, *says: str) -> Bad:
    """A sweep with one fault."""
    return Bad("rows_per_period = 1", f"rows_per_period = 1\n[sweep]\n{line}", key, says, line)


FAULTS = {
    # values of the wrong kind or out of range
    "rate of zero": Bad("rate = 0.5", "rate = 0.0", "model.rate", ("found 0.0", "> 0")),
    "negative rate": Bad("rate = 0.5", "rate = -2", "model.rate", ("found -2", "> 0")),
    "infinite rate": Bad("rate = 0.5", "rate = inf", "model.rate", ("found inf", "finite")),
    "rate that is no number": Bad("rate = 0.5", "rate = nan", "model.rate", ("nan", "finite")),
    "true as a number": Bad("rate = 0.5", "rate = true", "model.rate", ("found true", "number")),
    "text as a number": Bad("rate = 0.5", 'rate = "0.5"', "model.rate", ("found '0.5'", "number")),
    "date as a number": Bad("rate = 0.5", "rate = 2007-01-01", "model.rate", ("date", "number")),
    "list as a number": Bad("rate = 0.5", "rate = [0.5]", "model.rate", ("found [0.5]", "number")),
    "table as a number": Bad("rate = 0.5", "rate = {}", "model.rate", ("found {}", "number")),
    "huge number": Bad("rate = 0.5", "rate = 1" + "0" * 400, "model.rate", ("100000", "<= 1e+09")),
    "unknown rate law": Bad(
        '"glauber-product"',
        '"glauber"',
        "model.rate_law",
        ("found 'glauber'", "'glauber-product'", "'metropolis'"),
    ),
    "misspelt rate law": Bad(
        '"glauber-product"', '"metropolys"', "model.rate_law", ("did you mean 'metropolis'?",)
    ),
    "other kind of model": Bad(
        '"spins"', '"oscillator"', "model.kind", ("'oscillator'", "'spins'")
    ),
    "period of zero": Bad("period = 10.0", "period = 0", "drive.period", ("found 0", ">= 1e-09")),
    "negative period": Bad("period = 10.0", "period = -3.5", "drive.period", ("found -3.5",)),
    "temperature of zero": Bad(
        "temperature = 0.5 ", "temperature = 0 ", "baths.L.temperature", ("found 0", ">= 1e-09")
    ),
    "negative temperature": Bad(
        "temperature = 0.499", "temperature = -1", "baths.R.temperature", ("found -1", ">= 1e-09")
    ),
    "false as a temperature": Bad(
        "temperature = 0.499", "temperature = false", "baths.R.temperature", ("found false",)
    ),
    "no trajectories": Bad(
        "trajectories = 60", "trajectories = 0", "ensemble.trajectories", ("found 0", ">= 1")
    ),
    "part of a trajectory": Bad(
        "trajectories = 60",
        "trajectories = 60.0",
        "ensemble.trajectories",
        ("found 60.0", "an integer"),
    ),
    "too many trajectories": Bad(
        "trajectories = 60",
        "trajectories = 1_000_000_000_001",
        "ensemble.trajectories",
        ("found 1000000000001", "<= 1e+12"),
    ),
    "true trajectories": Bad(
        "trajectories = 60", "trajectories = true", "ensemble.trajectories", ("true", "an integer")
    ),
    "no periods": Bad("\nperiods = 8", "\nperiods = 0", "ensemble.periods", ("found 0",), "ds = 0"),
    "negative burn-in": Bad("burn_in = 2", "burn_in = -1", "ensemble.burn_in", ("-1", ">= 0")),
    "negative seed": Bad("seed = 2007", "seed = -1", "ensemble.seed", ("found -1", ">= 0")),
    "seed beyond 64 bits": Bad(
        "seed = 2007", f"seed = {2**64}", "ensemble.seed", (f"found {2**64}", "<= 1.84467e+19")
    ),
    "unknown start": Bad(
        'initial = "up"', 'initial = "down"', "ensemble.initial", ("'down'", "'up'", "'periodic'")
    ),
    "misspelt start": Bad(
        'initial = "up"', 'initial = "randon"', "ensemble.initial", ("did you mean 'random'?",)
    ),
    "no rows": Bad(
        "rows_per_period = 1", "rows_per_period = 0", "ledger.rows_per_period", ("found 0", ">= 1")
    ),
    "too many rows": Bad(
        "rows_per_period = 1", "rows_per_period = 65537", "ledger.rows_per_period", ("<= 65536",)
    ),
    "number as a title": Bad(
        'title = "two driven spins"', "title = 17", "title", ("found 17", "a text")
    ),
    "endless title": Bad("two driven spins", "x" * 1001, "title", ("found 'xxx",)),
    "infinite phase": Bad("phase = 2.2", "phase = -inf", "sites.2.drive.phase", ("found -inf",)),
    "phase that has lost its digits": Bad(
        "phase = 2.2",
        "phase = 1e15",
        "sites.2.drive.phase",
        ("found 1000000000000000.0", "<= 1e+06", "2 pi"),
    ),
    "phase of a harmonic that has lost its digits": Bad(
        "phase = 2.2",
        "harmonics = [{ order = 2, amplitude = 1.0, phase = -1.1e6 }]",
        "sites.2.drive.harmonics.0.phase",
        ("found -1100000.0", ">= -1e+06"),
    ),
    "huge amplitude": Bad(
        "amplitude = 0.25, phase = 2.2",
        "amplitude = 2e9, phase = 2.2",
        "sites.2.drive.amplitude",
        ("found 2000000000.0", "<= 1e+09"),
    ),
    "huge coupling": Bad(
        "coupling = 1.0", "coupling = -1e10", "bonds.1-2.coupling", (">= -1e+09",)
    ),
    "harmonic of order zero": Bad(
        "phase = 2.2",
        "harmonics = [{ order = 0, amplitude = 1.0 }]",
        "sites.2.drive.harmonics.0.order",
        ("found 0", "an integer", ">= 1"),
    ),
    "harmonic without amplitude": Bad(
        "phase = 2.2",
        "harmonics = [{ order = 2 }]",
        "sites.2.drive.harmonics.0.amplitude",
        ("missing",),
    ),
    "harmonics that are one table": Bad(
        "phase = 2.2",
        "harmonics = { order = 2, amplitude = 1.0 }",
        "sites.2.drive.harmonics",
        ("a list",),
    ),
    # tables where values should be and the other way round
    "number as a drive": Bad(DRIVE_2, "drive = 0.25", "sites.2.drive", ("found 0.25", "a table")),
    "list of drives": Bad(DRIVE_2, "drive = [{ amplitude = 0.25 }]", "sites.2.drive", ("a table",)),
    "number as a bath": Bad(
        "R = { temperature = 0.499 }", "R = 0.499", "baths.R", ("found 0.499", "a table")
    ),
    "one name as the ends of a bond": Bad(
        '["1", "2"]', '"12"', "bonds.0.sites", ("found '12'", "a list")
    ),
    "numbers as the ends of a bond": Bad(
        'sites = ["1", "2"]', 'sites = ["1", 2]', "bonds.1-2.sites.1", ("found 2", "a text")
    ),
    "bond with one end": Bad('["1", "2"]', '["1"]', "bonds.0.sites", ("at least 2",)),
    "bond with three ends": Bad('["1", "2"]', '["1", "2", "1"]', "bonds.0.sites", ("at most 2",)),
    "number as a name": Bad(
        'name = "2"\nbath = "R"', 'name = 2\nbath = "R"', "sites.1.name", ("found 2", "a text")
    ),
    # names
    "name with a dot": Bad(
        "[[bonds]]",
        '[[sites]]\nname = "a.b"\nbath = "L"\n[[bonds]]',
        "sites.a.b.name",
        ("found 'a.b'", "letters"),
        'name = "a.b"',
    ),
    "empty name": Bad(
        "[[bonds]]",
        '[[sites]]\nname = ""\nbath = "L"\n[[bonds]]',
        "sites..name",
        ("found ''", "letters"),
        'name = ""',
    ),
    "name taken already": Bad(
        "[[bonds]]",
        '[[sites]]\nname = "2"\nbath = "L" # again\n[[bonds]]',
        "sites.2.name",
        ("found '2' again",),
        'name = "2"\nbath = "L" # again',
    ),
    "site in a bath that is not there": Bad(
        'bath = "R"', 'bath = "S"', "sites.2.bath", ("no bath 'S'", "allowed: L, R")
    ),
    "site in a misspelt bath": Bad(
        "R = { temperature = 0.499 }\n",
        "R = { temperature = 0.499 }\nright = { temperature = 1.0 }\n[[sites]]\n"
        'name = "3"\nbath = "rigth"\n[[sites]]\nname = "4"\nbath = "right"\n',
        "sites.3.bath",
        ("no bath 'rigth'", "did you mean 'right'?"),
        'bath = "rigth"',
    ),
    "bath nobody uses": Bad(
        '[[sites]]\nname = "1"',
        'C = { temperature = 1.0 }\n[[sites]]\nname = "1"',
        "baths.C",
        ("no site",),
        "C = {",
    ),
    "bond to a site that is not there": Bad(
        '["1", "2"]', '["1", "3"]', "bonds.1-3.sites", ("no site '3'", "allowed: 1, 2")
    ),
    "bond of a site with itself": Bad(
        '["1", "2"]', '["1", "1"]', "bonds.1-1.sites", ("two different sites",)
    ),
    "bond that is there already": Bad(
        "[ensemble]",
        '[[bonds]]\nsites = ["2", "1"]\ncoupling = 2.0\n[ensemble]',
        "bonds.2-1.sites",
        ("again", "one bond"),
        '["2", "1"]',
    ),
    # keys
    "misspelt key": Bad(
        "rate = 0.5",
        "rate = 0.5\nrate_lwa = 1",
        "model.rate_lwa",
        ("did you mean 'rate_law'?",),
        "rate_lwa",
    ),
    "misspelt table": Bad(
        "[ledger]",
        "[legder]",
        "legder",
        ("unknown key", "did you mean 'ledger'?", "allowed: title, model"),
    ),
    "key of another place": Bad(
        "period = 10.0",
        "period = 10.0\nphase = 1.0",
        "drive.phase",
        ("unknown key",),
        "phase = 1.0",
    ),
    "key in an inline table": Bad(
        "phase = 2.2",
        "fase = 2.2",
        "sites.2.drive.fase",
        ("did you mean 'phase'?", "harmonics"),
    ),
    "missing key": Bad("rate = 0.5\n", "", "model.rate", ("missing",), "[model]"),
    "missing key of a site": Bad(
        'name = "2"\nbath = "R"',
        'name = "2"',
        "sites.2.bath",
        ("missing",),
        '[[sites]]\nname = "2"',
    ),
    "missing key of an inline table": Bad(
        '[[sites]]\nname = "1"',
        'C = {}\n[[sites]]\nname = "3"\nbath = "C"\n[[sites]]\nname = "1"',
        "baths.C.temperature",
        ("missing",),
        "C = {}",
    ),
    "key that looks like a mark": Bad(
        'title = "two driven spins"', '"[key]" = 1', "[key]", ("unknown key",)
    ),
    "key in a table that looks like a mark": Bad(
        "rate = 0.5", 'rate = 0.5\n"[key]" = 1', "model.[key]", ("unknown key",), '"[key]"'
    ),
    # settings that do not go together
    "rows that both divide and join periods": Bad(
        "rows_per_period = 1",
        "rows_per_period = 2\nperiods_per_row = 2",
        "ledger.periods_per_row",
        ("found 2", "rows_per_period = 2", "one of the two"),
        "periods_per_row = 2",
    ),
    "rows that do not fit": Bad(
        "rows_per_period = 1",
        "periods_per_row = 3",
        "ledger.periods_per_row",
        ("found 3", "divisor", "8"),
    ),
    "equilibrium between two temperatures": Bad(
        'initial = "up"',
        'initial = "equilibrium"',
        "ensemble.initial",
        ("temperatures", "'random'"),
    ),
    # sweeps
    "empty sweep": sweep(f'"{PHASE}" = []', f"sweep.{PHASE}", "found []", "a list of finite"),
    "sweep over one number": sweep(
        f'"{PHASE}" = 1.0', f"sweep.{PHASE}", "found 1.0", "start, stop"
    ),
    "sweep over texts": sweep(f'"{PHASE}" = ["a"]', f"sweep.{PHASE}", "found ['a']"),
    "sweep over true": sweep(f'"{PHASE}" = [true, 1]', f"sweep.{PHASE}", "finite numbers"),
    "sweep over nan": sweep(f'"{PHASE}" = [0.0, nan]', f"sweep.{PHASE}", "nan", "finite numbers"),
    "sweep over inf": sweep(f'"{PHASE}" = [inf]', f"sweep.{PHASE}", "inf", "finite numbers"),
    "sweep over lists for one key": sweep(
        f'"{PHASE}" = [[1.0]]', f"sweep.{PHASE}", "found [[1.0]]"
    ),
    "range without an end": sweep(
        f'"{PHASE}" = {{ start = 0, num = 3 }}', f"sweep.{PHASE}.stop", "missing"
    ),
    "range without values": sweep(
        f'"{PHASE}" = {{ start = 0, stop = 1, num = 0 }}', f"sweep.{PHASE}.num", "found 0", ">= 1"
    ),
    "range with part of a value": sweep(
        f'"{PHASE}" = {{ start = 0, stop = 1, num = 2.5 }}', f"sweep.{PHASE}.num", "an integer"
    ),
    "range with too many values": sweep(
        f'"{PHASE}" = {{ start = 0, stop = 1, num = 10001 }}', f"sweep.{PHASE}.num", "<= 10000"
    ),
    "range to infinity": sweep(
        f'"{PHASE}" = {{ start = 0, stop = inf, num = 3 }}', f"sweep.{PHASE}.stop", "found inf"
    ),
    "misspelt range": sweep(
        f'"{PHASE}" = {{ start = 0, stop = 1, num = 3, step = 1 }}',
        f"sweep.{PHASE}.step",
        "unknown key",
        "did you mean 'stop'?",
    ),
    "joint sweep of single numbers": sweep(
        f'"{PHASE}, drive.period" = [1.0, 2.0]',
        f"sweep.{PHASE}, drive.period",
        "lists of 2 finite numbers",
    ),
    "joint sweep of threes": sweep(
        f'"{PHASE}, drive.period" = [[1.0, 2.0, 3.0]]',
        f"sweep.{PHASE}, drive.period",
        "lists of 2 finite numbers",
    ),
    "joint sweep over a range": sweep(
        f'"{PHASE}, drive.period" = {{ start = 1, stop = 2, num = 3 }}',
        f"sweep.{PHASE}, drive.period",
        "lists of 2 finite numbers",
    ),
    "key swept with itself": sweep(
        '"drive.period, drive.period" = [[1.0, 2.0]]',
        "sweep.drive.period, drive.period",
        "drive.period is swept twice",
    ),
    "sweep over a site that is not there": sweep(
        '"sites.3.drive.phase" = [1.0]', "sweep.sites.3.drive.phase", "no '3'", "allowed: 1, 2"
    ),
    "sweep over a bond that is not there": sweep(
        '"bonds.1-3.coupling" = [1.0]', "sweep.bonds.1-3.coupling", "no '1-3'", "allowed: 1-2"
    ),
    "sweep over a misspelt key": sweep(
        '"sites.2.drive.fase" = [1.0]', "sweep.sites.2.drive.fase", "did you mean 'phase'?"
    ),
    "sweep over a misspelt table": sweep(
        '"bath.R.temperature" = [1.0]', "sweep.bath.R.temperature", "did you mean 'baths'?"
    ),
    "sweep over the ensemble": sweep(
        '"ensemble.seed" = [1, 2]', "sweep.ensemble.seed", "cannot be swept", "allowed: numbers of"
    ),
    "sweep over phases that have lost their digits": sweep(
        f'"{PHASE}" = [1.0, 1e15]', f'sweep."{PHASE}"', "found 1000000000000000.0", "<= 1e+06"
    ),
    "sweep over a text": sweep('"model.rate_law" = [1]', "sweep.model.rate_law", "cannot be swept"),
    "sweep over a table": sweep('"sites.2.drive" = [1]', "sweep.sites.2.drive", "cannot be swept"),
    "sweep into a number": sweep(
        '"drive.period.x" = [1]', "sweep.drive.period.x", "holds a value, not a table"
    ),
    "sweep with a bad value": sweep(
        '"drive.period" = [1.0, 2.0, -3.0]',
        'sweep."drive.period"',
        "drive.period = -3",
        "found -3.0",
        ">= 1e-09",
    ),
    "sweep that reaches a bad value": sweep(
        '"baths.L.temperature" = { start = 1.0, stop = -1.0, num = 5 }',
        'sweep."baths.L.temperature"',
        "baths.L.temperature = 0",
        "found 0.0",
    ),
    "table as a sweep key": sweep("drive.period = [1.0]", "sweep.drive", "drive"),
}


@pytest.mark.parametrize("bad", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_with_its_line_its_key_and_what_is_allowed(bad):
    text = changed(PUMP, (bad.old, bad.new))
    line = text.count("\n", 0, text.index(bad.at or bad.new)) + 1
    with pytest.raises(ConfigError) as caught:
        parse(text, "a.toml")
    told = [fault for fault in caught.value.faults if fault.key == bad.key]
    assert told, f"nothing about {bad.key}: {caught.value}"
    assert [fault.line for fault in told] == [line]
    assert all(word in told[0].message for word in bad.says), told[0].message
    assert str(told[0]).startswith(f"a.toml:{line}: {bad.key}: ")


WITH_ANOTHER = {
    "site in a bath that is not there",  # then nobody uses bath R
    "missing key of a site",  # here too
    "number as a name",  # then the bond has no such end
    "table as a sweep key",  # told as a key and as a range
}


@pytest.mark.parametrize("name", sorted(set(FAULTS) - WITH_ANOTHER))
def test_one_mistake_is_told_once(name):
    with pytest.raises(ConfigError) as caught:
        parse(changed(PUMP, FAULTS[name][:2]))
    assert len(caught.value.faults) == 1, str(caught.value)


def faults_of(text, *overrides):
    with pytest.raises(ConfigError) as caught:
        parse(text, "a.toml", overrides)
    return caught.value.faults


def test_every_fault_of_a_file_is_told_at_once_in_the_order_of_the_lines():
    text = changed(
        PUMP,
        ("rate = 0.5", "rate = -1"),
        ("glauber-product", "gauber-product"),
        ("period = 10.0", "perod = 10.0"),
        ("0.499", "nan"),
        ('bath = "L"', 'bath = "M"'),
        ("phase = 2.2", "phase = true"),
        ('["1", "2"]', '["1", "3"]'),
        ("seed = 2007", ""),
        ("rows_per_period = 1", f'[sweep]\n"{PHASE[:-1]}" = []\n"ensemble.x" = [1]'),
    )
    faults = faults_of(text)
    lines = [fault.line or 0 for fault in faults]
    assert lines == sorted(lines)
    assert {fault.key for fault in faults} == {
        "model.rate",
        "model.rate_law",
        "drive.perod",
        "drive.period",
        "baths.L",
        "baths.R.temperature",
        "sites.1.bath",
        "sites.2.drive.phase",
        "bonds.1-3.sites",
        "ensemble.seed",
        f"sweep.{PHASE[:-1]}",
        "sweep.ensemble.x",
    }


def test_an_empty_file_is_told_what_it_must_have():
    faults = faults_of("")
    assert {fault.key for fault in faults} == {"model", "drive", "baths", "sites", "ensemble"}
    assert {fault.message for fault in faults} == {"missing"}


def test_faults_of_several_elements_are_told_by_their_names():
    faults = faults_of(TRIANGLE.replace("coupling", "cuopling"))
    assert [f.key for f in faults if f.message != "missing"] == [
        "bonds.a-b.cuopling",
        "bonds.c-b.cuopling",
    ]


# -- whole files -----------------------------------------------------------------------------------

NOT_TOML = {
    "a value without quotes": ("rate = 0.5", "rate = fast", "rate = fast"),
    "a key twice": ("rate = 0.5", "rate = 0.5\nrate = 0.6", "rate = 0.6"),
    "a table twice": ("[drive]", "[model]\n[drive]", "[model]\n[drive]"),
    "no closing quote": ('"spins"', '"spins', '"spins'),
    "a line without a value": ("burn_in = 2", "burn_in", "burn_in"),
    "a table that is a list": ("[[bonds]]", "[sites]\n[[bonds]]", "[sites]\n"),
    "no closing bracket": ('["1", "2"]', '["1", "2"', "coupling"),
    "an impossible date": ("seed = 2007", "seed = 2007-02-30", "2007-02-30"),
    "a lone carriage return": ("seed = 2007", "seed = 2007\rx", "seed"),
}


@pytest.mark.parametrize(("old", "new", "at"), NOT_TOML.values(), ids=NOT_TOML)
def test_what_is_not_toml_is_told_with_its_line(old, new, at):
    text = changed(PUMP, (old, new))
    (fault,) = faults_of(text)
    assert fault.message.startswith("not TOML: ")
    assert fault.line == text.count("\n", 0, text.index(at)) + 1


def test_a_file_that_ends_too_early_is_told_with_its_last_line():
    (fault,) = faults_of('title = """\nx\n')
    assert (fault.line, fault.message.startswith("not TOML: ")) == (3, True)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"title = 'x'\ntitle2 = '\xff'\n", "2: not UTF-8 text"),
        (PUMP.encode("utf-16"), "1: not UTF-8 text"),
        (PUMP.replace("two", "zw\u00f6lf").encode("latin-1"), "1: not UTF-8 text"),
        (b"\x89HDF\r\n\x1a\n\x00\x00", "a run, where a config belongs"),
        (b"\x00", "1: not TOML"),
        (b"#" * ((1 << 20) + 1), "larger than 1 MiB"),
    ],
)
def test_a_file_that_is_no_config_is_refused(tmp_path, data, says):
    path = tmp_path / "a.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=says):
        load(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)
    (tmp_path / "a.toml").touch()
    with pytest.raises(ConfigError, match="cannot be read: Not a directory"):
        load(tmp_path / "a.toml" / "b.toml")


def test_a_config_may_come_through_a_pipe_that_takes_its_time():
    ends = os.pipe()
    whole = PUMP.encode()

    def write():
        for piece in (whole[:100], whole[100:]):
            time.sleep(0.1)
            os.write(ends[1], piece)
        os.close(ends[1])

    writer = threading.Thread(target=write)
    writer.start()
    assert load(f"/dev/fd/{ends[0]}").text == PUMP
    writer.join()
    os.close(ends[0])


def test_a_pipe_that_stays_silent_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(trajsim.config.reading, "PATIENCE", 0.1)
    os.mkfifo(tmp_path / "pipe")
    silent = os.open(tmp_path / "pipe", os.O_RDWR)
    with pytest.raises(ConfigError, match=r"nothing came for 0\.1 s"):
        load(tmp_path / "pipe")
    os.close(silent)


def test_the_first_hundred_faults_are_told():
    bond = '[[bonds]]\nsites = ["x{}", "1"]\ncoupling = 1.0\n'
    faults = faults_of(PUMP + "".join(map(bond.format, range(300))))
    assert len(faults) == 101
    assert faults[0].message == "more than 100 faults; the first are"


# -- hostile numbers and depths --------------------------------------------------------------------

DEEP, LONG = 2000, 5000


@pytest.mark.parametrize(
    "value",
    [
        "[" * DEEP + "]" * DEEP,
        "[" * 300 + "]" * 300,
        "{ a = " * 300 + "1" + " }" * 300,
        "{ " + ".".join("a" * DEEP) + " = 1 }",
        "9" * LONG,
        "-" + "9" * LONG,
        "0x" + "f" * LONG,
        "[0x" + "f" * LONG + ", 1]",
        "1e999999",
        "'" + "x" * 100_000 + "'",
    ],
    ids=["list", "short list", "table", "dots", "int", "-int", "hex", "hexes", "float", "text"],
)
@pytest.mark.parametrize(
    "key", ["rate", "kind", "nokey"], ids=["as a number", "as a word", "at no key"]
)
def test_enormous_values_are_refused_and_not_shown_in_full(key, value):
    old = {"rate": "rate = 0.5", "kind": 'kind = "spins"', "nokey": "rate = 0.5"}[key]
    kept = "rate = 0.5\n" if key == "nokey" else ""
    faults = faults_of(changed(PUMP, (old, f"{kept}{key} = {value}")))
    assert all(len(str(fault)) < 500 for fault in faults)


HUGE = "x" * 300_000


@pytest.mark.parametrize(
    ("text", "overrides"),
    [
        (swept(PUMP, f'"{", ".join([PHASE] * 10_000)}" = [[1.0]]'), []),
        (swept(PUMP, f'"{PHASE}, {PHASE}{HUGE}" = [[1.0, 1.0]]'), []),
        (swept(PUMP, f'"{HUGE}.{HUGE}" = [1.0]'), []),
        (swept(PUMP, f'"sites.2.{HUGE}.x" = [1.0]'), []),
        (swept(PUMP, f'"drive.period.{HUGE}" = [1.0]'), []),
        (PUMP + f"[{HUGE}]\n[{HUGE}]\n", []),
        (f"{HUGE} = {{ {HUGE} = 1, {HUGE} = 2 }}\n" + PUMP, []),
        (PUMP.replace('"1"', f'"{HUGE}"'), []),
        (PUMP.replace("L =", f"{HUGE} ="), []),
        (PUMP, [f"{HUGE}.{HUGE}={HUGE}"]),
        (PUMP, [f"sites.{HUGE}.x=1"]),
        (PUMP, [f"title.{HUGE}=1"]),
        (PUMP, [HUGE]),
        (PUMP, [f"sweep.{HUGE}=[1.0]"]),
    ],
)
def test_what_is_told_of_a_fault_is_short_whatever_was_found(text, overrides):
    with pytest.raises(ConfigError) as caught:
        parse(text, "a.toml", overrides)
    assert len(str(caught.value)) < 1000 * len(caught.value.faults)
    assert len(str(caught.value)) < 10_000


def test_what_is_left_out_of_a_sentence_is_counted():
    (fault,) = faults_of(PUMP, "x" * 1000)
    assert fault.source == f"--set {'x' * 100}... (900 more characters)"


@pytest.mark.parametrize(
    "text",
    [
        ".".join("a" * DEEP) + " = 1\n" + PUMP,
        PUMP + "[" + ".".join("a" * DEEP) + "]\n",
        PUMP + "[model." + ".".join("a" * DEEP) + "]\n",
        changed(PUMP, ('["1", "2"]', "[0x" + "f" * LONG + ", 1]")),
        swept(PUMP, f'"{PHASE}" = [0x{"f" * LONG}]'),
        swept(PUMP, f'"{PHASE}" = [1{"0" * LONG}]'),
        swept(PUMP, f'"{PHASE}" = {"[" * DEEP + "]" * DEEP}'),
    ],
    ids=["key", "header", "inner header", "end of a bond", "hex sweep", "sweep", "deep sweep"],
)
def test_enormous_keys_and_elements_are_refused(text):
    faults_of(text)


@pytest.mark.parametrize(
    "override",
    [
        "ensemble.seed=" + "9" * LONG,
        "ensemble.seed=0x" + "f" * LONG,
        "title=" + "[" * DEEP,
        "title=" + "[" * 300 + "]" * 300,
        ".".join("a" * DEEP) + "=1",
        "title={" + ".".join("a" * DEEP) + "=1}",
    ],
    ids=["int", "hex", "not TOML", "list", "key", "dots"],
)
def test_enormous_overrides_never_raise_anything_else(override):
    good_or_refused(PUMP, override)


def test_a_range_too_wide_for_floating_point_is_refused():
    text = swept(PUMP, f'"{PHASE}" = {{ start = -1e308, stop = 1e308, num = 3 }}')
    assert faults_of(text)[0].key.startswith("sweep.")


def test_more_points_than_allowed_are_refused_without_making_them():
    axes = [
        f'"sites.{k}.drive.{x}" = {{ start = 0, stop = 1, num = 1000 }}'
        for k in (1, 2)
        for x in ("phase", "offset")
    ]
    (fault,) = faults_of(swept(PUMP, *axes))
    assert (fault.key, "1000000000000 points" in fault.message) == ("sweep", True)


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


# -- anything at all -------------------------------------------------------------------------------


def good_or_refused(text, *overrides):
    """A config, or ConfigError with faults that can be shown; anything else is a bug."""
    config, faults = None, []
    try:
        config = parse(text, "a.toml", overrides)
    except ConfigError as error:
        faults = error.faults
    assert bool(faults) != (config is not None)
    assert all(str(fault) for fault in faults)
    assert all(f.line is None or 1 <= f.line <= text.count("\n") + 1 for f in faults)
    for point in config.points[:3] if config else []:
        assert math.isfinite(point.experiment.network().period)


GOOD = [PUMP, UNDRIVEN, TRIANGLE, swept(PUMP, f'"{PHASE}, drive.period" = [[1, 10], [2, 20]]')]
PIECES = [
    *"[]{}=.,#\"'\n\t -+0123456789eE_\\\0\r\u00e9\ud7ff\U0001f600",
    *('"""', "'''", "[[", "]]", "inf", "nan", "true", "[sweep]\n", "1e400", "[key]", "..", "0x"),
]


@st.composite
def damaged_texts(draw):
    text = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.sampled_from([0, 0, 1, 2, 10, 60]))
        put = draw(st.one_of(st.sampled_from([*PIECES, ""]), st.sampled_from(text.split("\n"))))
        text = text[:at] + put + text[at + cut :]
    return text


@given(damaged_texts())
def test_a_text_damaged_anywhere_is_good_or_refused(text):
    good_or_refused(text)


WORDS = st.sampled_from(
    [
        "1",
        "2",
        "L",
        "R",
        "",
        ".",
        ",",
        "a b",
        "é",
        "[key]",
        "name",
        "phase",
        "sites",
        "-",
        "\n",
        "0",
    ]
)
VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-3, 3),
        st.sampled_from([2**63, 2**64, -(2**64), 10**400]),
        st.floats(),
        WORDS,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=5,
)
TREES = [tomllib.loads(text) for text in GOOD]


def nodes(tree, at=()):
    """Every place in a tree of tables and lists."""
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
        yield (*at, key)
        if isinstance(tree[key], dict | list):
            yield from nodes(tree[key], (*at, key))


def written(value):
    """A value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(k)} = {written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str):
        return quoted(value)
    return str(value).lower() if isinstance(value, bool | float) else str(value)


def quoted(text):
    return '"' + "".join(f"\\U{ord(c):08x}" for c in text) + '"'


@st.composite
def damaged_trees(draw):
    tree = written(draw(st.sampled_from(TREES)))
    tree = tomllib.loads(f"x = {tree}")["x"]
    for _ in range(draw(st.integers(1, 3))):
        places = list(nodes(tree))
        if not places:
            break
        *path, last = draw(st.sampled_from(places))
        parent = tree
        for part in path:
            parent = parent[part]
        deed = draw(st.sampled_from(["put", "put", "put", "delete", "rename", "double"]))
        if deed == "put":
            parent[last] = draw(VALUES)
        elif deed == "rename" and isinstance(parent, dict):
            parent[draw(WORDS)] = parent.pop(last)
        elif deed == "double" and isinstance(parent, list):
            parent.append(parent[last])
        else:
            del parent[last]
    return "".join(f"{quoted(key)} = {written(value)}\n" for key, value in tree.items())


@given(damaged_trees())
def test_values_damaged_anywhere_are_good_or_refused(text):
    good_or_refused(text)


@given(st.lists(st.tuples(st.lists(WORDS, min_size=1, max_size=4), VALUES), max_size=3))
def test_any_overrides_are_good_or_refused(pairs):
    good_or_refused(GOOD[3], *(f"{'.'.join(words)}={written(value)}" for words, value in pairs))


KEYS = st.sampled_from(
    [
        "sites.2.drive.phase",
        "drive.period",
        "baths.L.temperature",
        "sites",
        "sites.1",
        "sites.1.drive",
    ]
)


@given(st.dictionaries(st.one_of(KEYS, st.tuples(KEYS, KEYS).map(", ".join), WORDS), VALUES))
def test_any_sweep_is_good_or_refused(axes):
    good_or_refused(swept(UNDRIVEN, *(f"{quoted(k)} = {written(v)}" for k, v in axes.items())))
