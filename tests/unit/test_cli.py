"""The command line: what each verb prints, and the status it ends with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_answers import answer
from small_configs import PUMP, SHAPES, TRIANGLE, changed, swept

import trajsim as package
from trajsim.config.oscillators import OscillatorExperiment
from trajsim.config.spins import SpinExperiment

pytestmark = pytest.mark.usefixtures("quick_histograms")


CONFIGS = Path(__file__).parents[2] / "configs"


VERBS = [
    *("run", "exact", "map", "optimize", "analyze", "check", "regimes", "plot"),
    *("verify", "info", "validate", "schema", "reproduce", "report"),
]


# -- start -----------------------------------------------------------------------------------------


def test_help_names_every_verb(cli):
    text = cli("--help").stdout
    assert all(f"\n  {verb} " in text for verb in VERBS)
    assert cli("-h").stdout == text


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(cli, verb):
    result = cli(verb, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")


HEAVY = ["numba", "numpy", "scipy", "h5py", "matplotlib", "pydantic", "tqdm", "xarray", "tomllib"]


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments):
    program = f"""
import sys
from trajsim.cli import main
try:
    main({arguments!r})
except SystemExit as end:
    assert end.code == 0
found = sorted(set({HEAVY!r}) & set(sys.modules))
assert not found, found
"""
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_the_version_is_that_of_the_package(cli):
    assert package.__version__ in cli("--version").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["run"],
        ["run", "a.toml", "b.toml"],
        ["run", "a.toml", "--workers", "0"],
        ["run", "a.toml", "--workers", "many"],
        ["run", "a.toml", "--engine", "steam"],
        ["run", "a.toml", "--set"],
        ["analyze"],
        ["analyze", "a.h5", "--nonsense"],
        ["check"],
        ["exact"],
        ["schema", "x"],
    ],
)
def test_wrong_usage_ends_with_status_2(cli, arguments):
    assert cli(*arguments).exit_code == 2


# -- bad input -------------------------------------------------------------------------------------

BAD = changed(PUMP, ("rate = 0.5", "rate = -1"), ("seed = 2007", "sed = 2007"))


@pytest.mark.parametrize("verb", ["run", "exact", "validate", "plot"])
def test_a_bad_config_is_told_in_full_with_status_2(config, cli, verb):
    config(BAD, "bad.toml")
    result = cli(verb, "bad.toml")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "bad.toml:5: model.rate: found -1; allowed: a finite number > 0 and <= 1e+09",
        "bad.toml:29: ensemble.seed: missing",
        "bad.toml:34: ensemble.sed: unknown key (did you mean 'seed'?); allowed: "
        "trajectories, periods, burn_in, initial, seed",
    ]
    assert not Path("runs").exists()


@pytest.mark.parametrize("verb", ["run", "exact", "validate", "plot"])
@pytest.mark.parametrize("name", ["none.toml", "folder.toml", "binary.toml", "empty.toml"])
def test_a_config_that_is_none_is_refused(cli, tmp_path, verb, name):
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "binary.toml").write_bytes(bytes(range(256)))
    (tmp_path / "empty.toml").touch()
    result = cli(verb, name)
    assert result.exit_code == 2
    assert name in result.stderr


@pytest.mark.parametrize(
    "verb", ["analyze", "check", "info", "plot", "regimes", "report", "trace", "verify"]
)
@pytest.mark.parametrize("name", ["none.h5", "folder", "folder.parts", "text.h5", "empty.h5", "."])
def test_a_run_that_is_none_is_refused(cli, tmp_path, verb, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.parts").mkdir()
    (tmp_path / "text.h5").write_text("text")
    (tmp_path / "empty.h5").touch()
    result = cli(verb, name)
    unsound = verb == "verify" and name != "none.h5"
    assert result.exit_code == (1 if unsound else 2)
    assert result.stderr.startswith(name)


@pytest.mark.parametrize("verb", ["run", "exact", "validate"])
def test_a_bad_override_is_refused(config, cli, verb):
    result = cli(verb, config(), "--set", "ensemble.sed=1")
    assert result.exit_code == 2
    assert result.stderr == (
        "--set ensemble.sed=1: unknown key (did you mean 'seed'?); allowed: "
        "trajectories, periods, burn_in, initial, seed\n"
    )


def test_a_config_given_for_a_run_and_a_run_given_for_a_config_are_refused(config, cli, run_of):
    assert cli("analyze", config()).exit_code == 2
    assert cli("validate", run_of("pump")).exit_code == 2
    assert cli("plot", run_of("pump"), "--set", "model.rate=1").exit_code == 2


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are not text")
def test_names_that_are_not_text_are_shown_somehow(config, start, tmp_path):
    odd = os.fsdecode(b"odd\xff.toml")
    config(name=odd)
    for verb in ("validate", "run"):
        process = start(verb, odd, LC_ALL="C.UTF-8")
        _, said = process.communicate(timeout=60)
        assert (process.returncode, "Traceback" in said) == (0, False), said
    process = start("verify", tmp_path / "runs" / os.fsdecode(b"odd\xff.h5"), LC_ALL="C.UTF-8")
    _, said = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in said) == (0, False), said


# -- validate, schema, info ------------------------------------------------------------------------


def test_a_good_config_is_told_in_a_line(config, cli):
    config()
    result = cli("validate", "config.toml")
    assert result.exit_code == 0
    assert result.stdout == (
        "config.toml: good: 2 spins, 2 baths, 1 point of 60 trajectories x 8 periods\n"
    )
    result = cli("validate", "config.toml", "--set", 'sweep={"drive.period"=[1.0, 2.0]}')
    assert "2 points of 60" in result.stdout


def test_the_schema_is_a_json_schema_of_the_config(cli):
    schema = answer(cli("schema"))
    assert schema["type"] == "object"
    for kind in (SpinExperiment, OscillatorExperiment):
        one = schema["$defs"][kind.__name__]
        assert {"$ref": f"#/$defs/{kind.__name__}"} in schema["anyOf"]
        assert set(one["properties"]) == set(kind.model_fields)
        # A lattice may stand in place of sites.
        assert set(one["required"]) == {"model", "drive", "baths", "ensemble"}
        assert one["anyOf"] == [{"required": ["sites"]}, {"required": ["lattice"]}]
        assert one["additionalProperties"] is False
    # Every reference leads somewhere.
    todo = [schema]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            if "$ref" in node:
                prefix, name = node["$ref"].rsplit("/", 1)
                assert prefix == "#/$defs"
                assert name in schema["$defs"]
            todo += node.values()
        elif isinstance(node, list):
            todo += node


def test_info_tells_what_a_run_holds(cli, run_of):
    facts = answer(cli("info", run_of("sweep"), "--json"))
    assert facts["title"] == "two driven spins"
    assert (facts["program"], facts["version"]) == ("trajsim", package.__version__)
    assert (facts["points"], facts["trajectories"], facts["rows"]) == (3, 60, 8)
    assert (facts["seed"], facts["rate_law"]) == ("2007", "glauber-product")
    assert facts["finished"] is True
    assert facts["labels"] == {"bath": ["L", "R"], "drive": ["1", "2"], "site": ["1", "2"]}
    assert facts["config"] == SHAPES["sweep"]
    assert facts["events"] > 0
    text = cli("info", run_of("sweep")).stdout
    assert "two driven spins" in text
    assert "numba" in text


def test_a_terminal_is_shown_the_commands_in_a_title_instead_of_obeying_them(cli, tmp_path):
    config = tmp_path / "red.toml"
    config.write_text(
        changed(SHAPES["sweep"], ("two driven spins", r"\u001b[31mred\u009b2J \u03b8"))
    )
    ran = cli("run", config, "-o", tmp_path / "red.h5")
    shown = cli("info", tmp_path / "red.h5").stdout
    for text in (ran.stderr, shown):
        assert r"\x1b[31mred\x9b2J θ" in text
        assert not any(c in text for c in "\x1b\x9b")


# -- exact -----------------------------------------------------------------------------------------


def test_exact_gives_the_published_currents_at_the_pump_point(cli):
    (point,) = answer(cli("exact", CONFIGS / "heat_pump.toml", "--json"))["points"]
    assert point["parameters"] == {}
    assert point["heat_rate"]["L"] == pytest.approx(-1.02434e-3, rel=1e-5)
    assert point["heat_rate"]["R"] == pytest.approx(3.6732e-4, rel=2e-5)
    assert point["regime"] == "pump"
    assert point["efficiency"] is None
    total = sum(point["work_rate"].values())
    assert total + sum(point["heat_rate"].values()) == pytest.approx(0, abs=1e-12)
    assert sum(point["exclusive_work_rate"].values()) == pytest.approx(total, abs=1e-12)


def test_exact_gives_the_published_efficiency_and_conduction(cli):
    (engine,) = answer(cli("exact", CONFIGS / "heat_engine.toml", "--json"))["points"]
    assert engine["regime"] == "engine"
    assert engine["efficiency"] == pytest.approx(1.7560e-2, rel=5e-5)
    (undriven,) = answer(cli("exact", CONFIGS / "undriven.toml", "--json"))["points"]
    assert undriven["heat_rate"]["L"] == pytest.approx(1.4104e-4, rel=5e-5)
    assert undriven["heat_rate"]["R"] == pytest.approx(-1.4104e-4, rel=5e-5)
    assert undriven["regime"] == "conduction"


def test_exact_gives_every_point_of_a_sweep(config, cli):
    key = "sites.2.drive.phase"
    points = answer(cli("exact", config(swept(PUMP, f'"{key}" = [0.0, 2.2]')), "--json"))["points"]
    assert [p["parameters"] for p in points] == [{key: 0.0}, {key: 2.2}]
    (alone,) = answer(cli("exact", config(), "--json"))["points"]
    assert points[1]["heat_rate"] == alone["heat_rate"]
    assert points[0]["heat_rate"] != alone["heat_rate"]


def test_exact_prints_a_table(config, cli):
    result = cli("exact", config())
    assert result.exit_code == 0
    for name in ("heat_rate.L", "work_rate.2", "exclusive_work_rate.1", "regime: "):
        assert name in result.stdout


# -- as a program ----------------------------------------------------------------------------------


def test_verbs_work_as_a_program_without_a_warning(config, tmp_path):
    config(TRIANGLE, "tri angle.toml")
    for arguments in (
        ["run", "tri angle.toml", "-o", "new folder/x.h5"],
        ["check", "new folder/x.h5"],
        ["verify", "new folder/x.h5"],
        ["exact", "tri angle.toml"],
        ["validate", "tri angle.toml"],
    ):
        program = "from trajsim.cli import main; main(prog_name='trajsim')"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr


def test_a_closed_pipe_ends_quietly(run_of, start):
    process = start("info", run_of("sweep"))
    process.stdout.close()
    said = process.stderr.read()
    process.wait(timeout=60)
    assert "Traceback" not in said


def test_trace_writes_events_of_one_trajectory(cli, run_of, tmp_path):
    path = run_of("pump")
    result = cli("trace", path, "--trajectory", 5, "--periods", "1:3")
    lines = result.stdout.splitlines()
    assert lines[0] == "time,site,state,energy,heat.L,heat.R,work.1,work.2"
    assert float(lines[1].split(",")[0]) == 10.0
    assert float(lines[-1].split(",")[0]) == 30.0
    assert cli("trace", path, "--trajectory", 5, "--periods", "1:3", "-o", "t.csv").stdout == ""
    assert (tmp_path / "t.csv").read_text().splitlines() == lines
    extreme = cli("trace", path, "--extreme", "heat.R")
    number = extreme.stderr.split("trajectory ")[1].split(":")[0]
    assert cli("trace", path, "--trajectory", number).stdout == extreme.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "one of --trajectory and --extreme"),
        (("--trajectory", 1, "--extreme", "heat.L"), "one of --trajectory and --extreme"),
        (("--trajectory", 60), "allowed: 0 to 59"),
        (("--trajectory", 1, "--periods", "a:b"), "allowed: A:B"),
        (("--trajectory", 1, "--periods", "3:99"), "allowed: within 0:8"),
        (("--extreme", "heat.X"), "allowed: heat.L, heat.R"),
        (("--trajectory", 1, "--every", 2), "every flip of a spin is an event"),
        (("--trajectory", 1, "--point", 1), "allowed: 0 to 0"),
    ],
)
def test_trace_refuses_what_is_not_there(cli, run_of, arguments, says):
    result = cli("trace", run_of("pump"), *arguments)
    assert result.exit_code == 2
    assert says in result.stderr


def test_trace_draws_what_a_trajectory_does(cli, run_of, tmp_path):
    copy = tmp_path / "run.h5"
    copy.write_bytes(run_of("sweep").read_bytes())
    result = cli("trace", copy, "--trajectory", 5, "--point", 2, "--plot")
    names = [Path(line).name for line in result.stdout.splitlines()]
    assert names == [f"run-point-2-trajectory-5.{ending}" for ending in ("png", "pdf")]
    assert all((tmp_path / name).stat().st_size > 5000 for name in names)
