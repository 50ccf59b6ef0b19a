"""Files that verbs write: whole, never in place of a run, named after what they show."""

import hashlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from small_configs import PUMP, SHAPES

import trajsim
from trajsim.config import parse
from trajsim.running.run import simulate
from trajsim.store import Shard, UnfinishedRun, verify
from trajsim.system.files import (
    HDF5,
    expect_writable,
    holds_config,
    holds_run,
    publish,
    publishing,
    stem,
)

pytestmark = pytest.mark.usefixtures("quick_histograms")


@pytest.fixture
def run(tmp_path, run_of):
    """A run in the test's folder, and its config."""
    shutil.copy(run_of("pump"), tmp_path / "x.h5")
    (tmp_path / "x.toml").write_text(PUMP)
    return tmp_path / "x.h5"


def digests(folder):
    """SHA-256 of every file below a folder."""
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# -- a run is never a target -----------------------------------------------------------------------


def spellings(folder):
    """Names that lead to the run x.h5, to its config, or into an unfinished run."""
    (folder / "link.html").symlink_to("x.h5")
    (folder / "second.html").symlink_to("link.html")
    os.link(folder / "x.h5", folder / "hard.html")
    shutil.copy(folder / "x.h5", folder / "page.html")
    (folder / "sub").mkdir()
    unfinished = folder / "open.h5.parts"
    unfinished.mkdir()
    (unfinished / "header.json").write_text("{}")
    (folder / "into").symlink_to("open.h5.parts")
    return {
        "x.h5": "holds a run",
        "./sub/../x.h5": "holds a run",
        str(folder / "x.h5"): "holds a run",
        "link.html": "holds a run",
        "second.html": "holds a run",
        "hard.html": "holds a run",
        "page.html": "holds a run",
        "open.h5": "an unfinished run is in",
        "open.h5.parts": "an unfinished run is in",
        "open.h5.parts/header.json": "an unfinished run is in",
        "into/new.html": "an unfinished run is in",
        "x.toml": "holds a config",
        "sub": "a folder",
        "x.h5/y.html": "is no folder",
    }


@pytest.mark.parametrize("verb", [("report",), ("trace", "--trajectory", 1)])
def test_no_verb_writes_over_a_run_however_it_is_spelled(cli, run, verb):
    targets = spellings(run.parent)
    before = digests(run.parent)
    for target, says in targets.items():
        result = cli(verb[0], "x.h5", *verb[1:], "-o", target)
        assert (result.exit_code, result.stdout) == (2, ""), target
        assert result.stderr.startswith(f"{Path(target)}: ")
        assert says in result.stderr
        assert result.stderr.count("\n") == 1
        assert digests(run.parent) == before, target


@pytest.mark.parametrize(
    "arguments",
    [
        ("plot", "x.h5"),
        ("plot", "x.toml"),
        (
            "map",
            "x.toml",
            "--over",
            "baths.R.temperature=0.4:0.5:2",
            "--over",
            "drive.period=9:10:2",
        ),
        ("regimes", "x.h5"),
        ("reproduce", "--quick"),
    ],
)
@pytest.mark.parametrize("folder", ["open.h5.parts", "into", "x.h5"])
def test_no_verb_writes_into_the_folder_of_an_unfinished_run(cli, run, arguments, folder):
    spellings(run.parent)
    before = digests(run.parent)
    result = cli(*arguments, "-o", folder)
    assert result.exit_code == 2
    assert ("an unfinished run" if "x" not in folder else "is no folder") in result.stderr
    assert digests(run.parent) == before


def test_a_report_of_a_run_called_like_a_page_does_not_replace_it(cli, run, monkeypatch):
    monkeypatch.setattr("trajsim.report.report", lambda *_: "page")
    page = run.rename(run.with_name("x.html"))
    before = page.read_bytes()
    assert cli("report", "x.html").stdout == "x.html.html\n"
    assert page.read_bytes() == before
    assert verify(page) == []


def test_the_interface_refuses_to_write_over_a_run_before_any_work(run):
    with pytest.raises(FileExistsError, match="holds a run"):
        trajsim.open(run).report(run)
    assert verify(run) == []


def test_figures_do_not_follow_a_link_into_a_run(cli, run):
    (run.parent / "x-rates.png").symlink_to("x.h5")
    result = cli("plot", "x.h5")
    assert result.exit_code == 2
    assert "x-rates.png: holds a run" in result.stderr
    assert verify(run) == []


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """The folder of the only shard of a run."""
    output = tmp_path_factory.mktemp("shards") / "x.h5"
    return simulate(parse(PUMP), output, shard=Shard(1, 1)).path


NEVER = "holds a config, which is never replaced; allowed: another name"
INLINE = "model = {kind = 'spins'}\n"
NO_FILE = "not a file that a run could be written to"
NOWHERE = "a link that leads nowhere; allowed: another name"
NO_RUN = {
    "x.toml": NEVER,
    "./x.toml": NEVER,
    "other.dat": NEVER,
    "inline.dat": NEVER,
    "soft.h5": NEVER,
    "hard.h5": NEVER,
    "dangling.h5": NOWHERE,
    "loop.h5": NOWHERE,
    "pipe": NO_FILE,
    "/dev/null": NO_FILE,
    "/dev/stdout": NO_FILE,
    "/dev/fd/9": NO_FILE,
    "new.h5.parts": "such as x.h5",
    "y.h5.PARTS": "such as x.h5",
    "a.shard-1-of-2.h5": "a shard of a run is called so; allowed: another name",
    "blocked.h5": "blocked.h5.parts: a file, in the way of the run's blocks; move it elsewhere",
}


@pytest.mark.parametrize("verb", [("run", "x.toml"), ("run", "x.toml", "--shard", "1/1"), "merge"])
def test_what_no_run_may_replace_is_refused_whatever_is_forced(cli, tmp_path, shard, verb):
    for name, text in {"x.toml": PUMP, "other.dat": PUMP, "inline.dat": INLINE}.items():
        (tmp_path / name).write_text(text)
    for name in ("blocked.h5.parts", "blocked.shard-1-of-1.h5.parts"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "soft.h5").symlink_to("x.toml")
    os.link(tmp_path / "x.toml", tmp_path / "hard.h5")
    (tmp_path / "dangling.h5").symlink_to("nothing.h5")
    (tmp_path / "loop.h5").symlink_to("loop.h5")
    os.mkfifo(tmp_path / "pipe")
    before, names = digests(tmp_path), sorted(tmp_path.iterdir())
    for target, says in NO_RUN.items():
        for force in ([], ["--force"]):
            command = ("merge", shard) if verb == "merge" else verb
            result = cli(*command, "-o", target, *force)
            assert (result.exit_code, result.stdout) == (2, ""), target
            said = result.stderr.replace(".shard-1-of-1.h5.parts: a file", ".h5.parts: a file")
            assert said.endswith(f"{says}\n"), (target, result.stderr)
            assert "--force" not in result.stderr
    assert (digests(tmp_path), sorted(tmp_path.iterdir())) == (before, names)
    assert Path("/dev/null").is_char_device()


def test_stdout_is_no_run_even_where_it_is_a_plain_file(tmp_path):
    (tmp_path / "x.toml").write_text(PUMP)
    program = [sys.executable, "-m", "trajsim", "run", "x.toml", "-o", "/dev/stdout", "--force"]
    with (tmp_path / "out").open("w") as out:
        ended = subprocess.run(
            program, cwd=tmp_path, stdout=out, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.returncode == 2
    assert ended.stderr.endswith(f"/dev/stdout: {NO_FILE}\n")


def test_to_resume_and_to_replace_are_not_asked_for_together(cli, run):
    before = digests(run.parent)
    result = cli("run", "x.toml", "-o", "x.h5", "--resume", "--force")
    assert result.exit_code == 2
    assert "--resume and --force" in result.stderr
    assert digests(run.parent) == before


@pytest.mark.parametrize("more", [b"\n", b" ", b"x" * 100_000])
def test_bytes_behind_the_last_line_of_a_run_are_told(cli, run, more):
    whole = run.read_bytes()
    run.write_bytes(whole + more)
    result = cli("verify", "x.h5")
    assert result.exit_code == 1
    assert f"bytes behind its last line: {len(more)}" in result.output
    for changed in (whole[:-1], whole[:-1] + b" \n"):
        run.write_bytes(changed)
        assert cli("verify", "x.h5").exit_code == 1


# -- whole or not at all -----------------------------------------------------------------------


class Broken(Exception):
    """Something that goes wrong while a file is written."""


@pytest.mark.parametrize("fault", [Broken, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("there", [True, False])
def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path, fault, there):
    path = tmp_path / "page.html"
    if there:
        path.write_text("before")

    def broken():
        with publishing(path) as file:
            file.write(b"half")
            file.flush()
            assert (path.read_text() if there else path.exists()) == (there and "before")
            raise fault

    with pytest.raises(fault):
        broken()
    assert list(tmp_path.iterdir()) == ([path] if there else [])
    assert not there or path.read_text() == "before"
    publish(path, "whole, ü")
    assert path.read_bytes() == "whole, ü".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_by_the_name_of_the_file(tmp_path, monkeypatch):
    def full(_handle):
        raise OSError(28, "No space left on device", "something hidden")

    (tmp_path / "t.csv").write_text("before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/t\.csv'"):
        publish(tmp_path / "t.csv", "after")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_what_is_replaced_keeps_its_permissions_and_its_link(tmp_path):
    real = tmp_path / "elsewhere" / "page.html"
    real.parent.mkdir()
    real.write_text("before")
    real.chmod(0o640)
    link = tmp_path / "page.html"
    link.symlink_to(real)
    publish(link, "after")
    assert link.is_symlink()
    assert real.read_text() == "after"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    fresh, plain = tmp_path / "fresh", tmp_path / "plain"
    publish(fresh, "x")
    plain.write_text("x")
    assert fresh.stat().st_mode == plain.stat().st_mode


def test_nobody_waits_for_a_reader_of_a_pipe(run, cli, tmp_path):
    os.mkfifo(tmp_path / "x.png")
    (tmp_path / "link").symlink_to("x.png")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for name in ("x.png", "link", "socket"):
            for verb in (("report", "x.h5"), ("trace", "x.h5", "--trajectory", "0")):
                ended = cli(*verb, "-o", name)
                said = f"{name}: a pipe, a socket or a disk; allowed: the name of a file\n"
                assert (ended.exit_code, ended.stderr) == (2, said)
        ended = cli("plot", "x.h5")
        assert (ended.exit_code, "x.png: a pipe" in ended.stderr) == (2, True)


def test_the_pipe_that_a_shell_has_opened_is_written_to():
    reading, writing = os.pipe()
    publish(Path(f"/dev/fd/{writing}"), "through")
    os.close(writing)
    with open(reading) as pipe:
        assert pipe.read() == "through"


@pytest.mark.parametrize("verb", ["run", "merge", "save"])
def test_a_run_does_not_take_the_place_of_a_link(cli, tmp_path, run, shard, verb):
    (tmp_path / "kept").mkdir()
    os.rename("x.h5", "kept/real.h5")
    (tmp_path / "link.h5").symlink_to("kept/real.h5")
    before = digests(tmp_path / "kept")
    said = f"link.h5: a link to {tmp_path}/kept/real.h5, which is not replaced; allowed: that name"
    if verb == "save":
        with pytest.raises(trajsim.RunError, match=re.escape(said)):
            trajsim.open("link.h5").save("link.h5", force=True)
    else:
        command = ("run", "x.toml") if verb == "run" else ("merge", shard)
        ended = cli(*command, "-o", "link.h5", "--force")
        assert (ended.exit_code, said in ended.stderr) == (2, True)
    assert (tmp_path / "link.h5").is_symlink()
    assert digests(tmp_path / "kept") == before
    assert not Path("link.h5.parts").exists()


def test_a_device_is_written_to_and_not_replaced():
    publish(Path(os.devnull), "gone")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


SLOW = """
import os, sys, time
import trajsim.report
from trajsim.cli import main

def slowly(_handle):
    print("begun", flush=True)
    time.sleep(60)

trajsim.report.report = lambda *_: "after"
os.fsync = slowly
main(["report", "x.h5", "-o", "page.html"])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_what_was_there_and_nothing_else(run, tmp_path, number):
    (tmp_path / "page.html").write_text("before")
    before = digests(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", SLOW],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "begun\n"
        assert len(digests(tmp_path)) == len(before) + 1
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (128 + number, "stopped\n")
    assert digests(tmp_path) == before


WRITERS = """
import sys
from pathlib import Path
from trajsim.system.files import publish
for k in range(60):
    publish(Path("page.html"), sys.argv[1] * 200_000)
"""


def test_two_writers_never_mix_and_a_reader_never_sees_a_part(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("0" * 200_000)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITERS, letter], cwd=tmp_path) for letter in "ab"
    ]
    while any(writer.poll() is None for writer in writers):
        text = page.read_text()
        assert len(text) == 200_000
        assert len(set(text)) == 1
        time.sleep(0.002)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert list(tmp_path.iterdir()) == [page]


# -- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("x.h5", "x"),
        ("T0.5.h5", "T0.5"),
        ("T0.5", "T0.5"),
        ("x.nc", "x.nc"),
        ("x.h5.parts", "x.h5"),
        ("T0.5.toml", "T0.5"),
        ("X.TOML", "X"),
        (".h5", ".h5"),
    ],
)
def test_only_the_last_known_ending_is_taken_off(name, named):
    assert stem(Path("runs.d") / name) == named


def written(result):
    assert result.exit_code == 0, result.stderr
    return {Path(line).name for line in result.stdout.splitlines()}


def test_no_two_sources_write_the_same_names(cli, run, tmp_path, monkeypatch):
    """Runs with dots in their names, a config, windows and periods of a trajectory."""
    kinds = ("rates", "cumulants", "covariance", "histogram", "generating", "rate-function")
    monkeypatch.setattr("trajsim.plots.figures", lambda *_: {kind: Figure() for kind in kinds})
    monkeypatch.setattr("trajsim.report.report", lambda *_: "page")
    (tmp_path / "runs").mkdir()
    shutil.copy(run, "runs/T0.5.h5")
    shutil.copy(run, "runs/T0.6.h5")
    shutil.copy("x.toml", "T0.5.toml")
    seen: list[set[str]] = []
    for name in ("T0.5.h5", "T0.6.h5"):
        seen.append(written(cli("trace", f"runs/{name}", "--trajectory", 0, "--plot")))
        part = ("--periods", "1:3")
        seen.append(written(cli("trace", f"runs/{name}", "--trajectory", 0, "--plot", *part)))
        assert cli("report", f"runs/{name}").stdout == f"runs/{name[:-3]}.html\n"
    seen.append(written(cli("plot", "T0.5.toml")))
    run_figures = written(cli("plot", "runs/T0.5.h5"))
    by_window = written(cli("plot", "runs/T0.5.h5", "--window", 1))
    # Those that do not depend on the window are the same figures.
    same = run_figures & by_window
    assert {name.removeprefix("T0.5-").split(".")[0] for name in same} == {"rates", "cumulants"}
    assert {name.removeprefix("T0.5-").split(".")[0] for name in by_window - same} == {
        f"window-1-{kind}" for kind in ("covariance", "histogram", "generating", "rate-function")
    }
    seen += [run_figures, by_window - same]
    assert len(set.union(*seen)) == sum(map(len, seen))
    assert set.union(*seen) <= {path.name for path in Path("runs").iterdir()}


# -- what a file holds -------------------------------------------------------------------------


def test_runs_and_configs_are_told_by_what_they_hold(run, tmp_path):
    copies = {
        "a.toml": run.read_bytes(),
        "b.h5": PUMP.encode(),
        "c": b"\xef\xbb\xbf# x\r\n[model]\n",
    }
    for name, data in copies.items():
        (tmp_path / name).write_bytes(data)
    assert holds_run(tmp_path / "a.toml")
    assert not holds_config(tmp_path / "a.toml")
    assert not holds_run(tmp_path / "b.h5")
    assert holds_config(tmp_path / "b.h5")
    assert holds_config(tmp_path / "c")
    page = trajsim.open(run).report(tmp_path / "page.html")
    assert "[model]" in page.read_text(encoding="utf-8")
    for other in (page, tmp_path / "none", tmp_path, Path(os.devnull)):
        assert not holds_config(other)
        assert not holds_run(other)


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_every_config_is_one(tmp_path, shape):
    (tmp_path / "x.dat").write_text(SHAPES[shape])
    assert holds_config(tmp_path / "x.dat")


def test_the_folder_of_an_unfinished_run_holds_one_from_its_lock_on(tmp_path):
    parts = UnfinishedRun(tmp_path / "y.h5")
    parts.lock()
    assert holds_run(parts.folder)
    with pytest.raises(FileExistsError, match="an unfinished run"):
        expect_writable(tmp_path / "y.h5")
    parts.unlock()
    (tmp_path / "empty.parts").mkdir()
    assert not holds_run(tmp_path / "empty.parts")


def test_the_signature_is_that_of_hdf5(run):
    assert run.read_bytes()[:8] == HDF5


RUN_VERBS = ("analyze", "check", "info", "plot", "report", "regimes", "trace", "verify", "merge")
MORE = {"trace": ("--trajectory", 0), "optimize": ("--over", "drive.period", "--maximize", "cop")}


@pytest.mark.parametrize("name", ["pump.dat", "pump.toml", "pump.h5"])
def test_a_config_where_a_run_belongs_is_told_by_every_verb(cli, tmp_path, run, name):
    (tmp_path / name).write_text(PUMP)
    says = f"{name}: a config, where a run belongs; trajsim run makes one from it\n"
    commands = [(verb, name, *MORE.get(verb, ())) for verb in RUN_VERBS if verb != "plot"]
    commands += [("check", "x.h5", "--against", name), ("analyze", "x.h5", "--reversed", name)]
    for command in commands:
        result = cli(*command)
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", says), command


@pytest.mark.parametrize("name", ["x.h5", "other.toml", "unfinished.h5.parts"])
def test_a_run_where_a_config_belongs_is_told_by_every_verb(cli, run, name):
    shutil.copy(run, "other.toml")
    Path("unfinished.h5.parts").mkdir()
    Path("unfinished.h5.parts/header.json").write_text("{}")
    says = f"{name}: a run, where a config belongs; trajsim info tells what it was made from\n"
    for verb in ("run", "validate", "exact", "map", "optimize", "warmup"):
        result = cli(verb, name, *MORE.get(verb, ()))
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", says), verb


def test_plot_looks_at_what_a_file_holds_not_at_its_name(cli, run, monkeypatch):
    monkeypatch.setattr("trajsim.plots.figures", lambda *_: {"rates": Figure()})
    Path("X.TOML").write_text(PUMP)
    Path("y.dat").write_text(PUMP)
    shutil.copy(run, "z.toml")
    assert written(cli("plot", "X.TOML")) == {"X-config-rates.png", "X-config-rates.pdf"}
    assert written(cli("plot", "y.dat")) == {"y.dat-config-rates.png", "y.dat-config-rates.pdf"}
    assert written(cli("plot", "z.toml")) == {"z-rates.png", "z-rates.pdf"}
