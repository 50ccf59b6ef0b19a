"""Faults of configs: what is edited, and what is told of it."""

from typing import NamedTuple

import pytest

from trajsim.config import ConfigError, parse

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
    "text as a drive": Bad(DRIVE_2, 'drive = "0.2"', "sites.2.drive", ("a finite", "or a table")),
    "list of drives": Bad(DRIVE_2, "drive = [{ amplitude = 0.25 }]", "sites.2.drive", ("a table",)),
    "points that begin late": Bad(
        DRIVE_2, "drive = { points = [[0.1, 0], [1, 1]] }", "sites.2.drive", ("from 0 to 1",)
    ),
    "points in no order": Bad(
        DRIVE_2,
        "drive = { points = [[0, 0], [0.5, 1], [0.4, 1], [1, 1]] }",
        "sites.2.drive",
        ("ascending order, not 0.4 after 0.5",),
    ),
    "three points at one phase": Bad(
        DRIVE_2,
        "drive = { points = [[0, 0], [0.5, 1], [0.5, 2], [0.5, 1], [1, 1]] }",
        "sites.2.drive",
        ("at most two points at one part of the period, not at 0.5",),
    ),
    "points too near for a line between them": Bad(
        DRIVE_2,
        "drive = { points = [[0, 0], [0.3, 1], [0.30000000000000004, 2], [1, 1]] }",
        "sites.2.drive",
        ("which are a jump, or 1e-09 apart, not 0.3 and 0.30000000000000004",),
    ),
    "no points": Bad(DRIVE_2, "drive = { points = [] }", "sites.2.drive", ("points from 0 to 1",)),
    "a point of three numbers": Bad(
        DRIVE_2,
        "drive = { points = [[0, 0], [1, 1, 1]] }",
        "sites.2.drive.points.1",
        ("at most 2 entries",),
    ),
    "points beside an amplitude": Bad(
        DRIVE_2,
        "drive = { amplitude = 0.2, points = [[0, 0], [1, 1]] }",
        "sites.2.drive",
        ("points alone, or the other keys",),
    ),
    "harmonics of a square": Bad(
        DRIVE_2,
        'drive = { shape = "square", harmonics = [{ order = 3, amplitude = 0.1 }] }',
        "sites.2.drive",
        ("harmonics of a cosine alone",),
    ),
    "unknown shape": Bad(
        DRIVE_2, 'drive = { shape = "sqare" }', "sites.2.drive.shape", ("did you mean 'square'?",)
    ),
    "a temperature that falls below zero": Bad(
        "R = { temperature = 0.499 }",
        "R = { temperature = { offset = 0.5, amplitude = 0.6 } }",
        "baths.R.temperature",
        ("values from 1e-09 to 1e+09, not -0.1 to 1.1",),
    ),
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


def faults_of(text, *overrides):
    with pytest.raises(ConfigError) as caught:
        parse(text, "a.toml", overrides)
    return caught.value.faults
