"""Runs that are stopped end at once, and say how to go on."""

import contextlib
import errno
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import LONG, finished_blocks, wait_for
from small_configs import PUMP, changed

from trajsim.store import UnfinishedRun, verify


def stop(process, number):
    """Send a signal; seconds until the process ended, and what it said."""
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return time.monotonic() - began, out + err


# -- Ctrl-C and SIGTERM ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_run_at_once_with_a_command_that_goes_on(config, start, tmp_path, number):
    path = config(LONG)
    process = start("run", path.name, "-o", "x.h5", "--set", "ensemble.seed=1")
    wait_for(lambda: finished_blocks(tmp_path / "x.h5") >= 1, process)
    seconds, said = stop(process, number)
    assert (process.returncode, "Traceback" in said) == (3, False)
    assert seconds < 5.0
    kept = finished_blocks(tmp_path / "x.h5")
    assert kept >= 1
    assert_printed_command_works(said, tmp_path, "x.h5")


def assert_printed_command_works(said, folder, name):
    """Paste the last line into a shell."""
    command = said.strip().splitlines()[-1].strip()
    assert command.startswith("trajsim run ")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "resuming" in done.stderr
    assert verify(folder / name) == []


@pytest.mark.parametrize(
    ("name", "output", "title"),
    [
        ("odd name.toml", "out put/x.h5", "plain"),
        ("it's.toml", "x;y.h5", "plain"),
        ("$HOME.toml", "(x).h5", "it's $HOME"),
        ("é.toml", "é.h5", '"a" b'),
    ],
)
def test_the_printed_command_works_for_odd_names(
    config, tmp_path, monkeypatch, cli, tiny_blocks, name, output, title
):
    config(name=name)
    publish, count = UnfinishedRun.publish, []

    def publish_one(*arguments):
        if count:
            raise OSError(errno.ENOSPC, "No space left on device")
        count.append(1)
        return publish(*arguments)

    override = f"title={json.dumps(title)}"
    with monkeypatch.context() as patch:
        patch.setattr(UnfinishedRun, "publish", publish_one)
        stopped = cli("run", name, "-o", output, "--set", override)
    assert stopped.exit_code == 3
    assert_printed_command_works(stopped.stderr, tmp_path, output)


def test_the_printed_command_splits_as_a_shell_splits_it(config, monkeypatch, cli):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(UnfinishedRun, "publish", refuse)
    config(name="a b.toml")
    stopped = cli("run", "a b.toml", "-o", "c d.h5", "--set", "title='it is'")
    words = shlex.split(stopped.stderr.strip().splitlines()[-1])
    assert words[:3] == ["trajsim", "run", "a b.toml"]
    assert words[words.index("-o") + 1] == "c d.h5"
    assert words[words.index("--set") + 1] == "title='it is'"
    assert "--resume" in words


def test_a_signal_within_one_slow_period_is_obeyed(config, start, tmp_path):
    """Some 1e8 flips between two edges of the ledger."""
    path = config(changed(PUMP, ("period = 10.0", "period = 3e8"), ("ies = 60", "ies = 4")))
    process = start("run", path, "-o", tmp_path / "x.h5", "--workers", 1)
    wait_for(lambda: UnfinishedRun(tmp_path / "x.h5").exists(), process)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=6.0)
    assert process.poll() == 3


# Sends itself SIGINT whenever LLVM has compiled something for a run and calls back.
INTERRUPTED_COMPILER = """
import os, signal, sys
from llvmlite.binding.executionengine import ExecutionEngine
set_object_cache = ExecutionEngine.set_object_cache
def interrupting(engine, notify=None, getbuffer=None):
    def interrupt(*arguments):
        if getattr(signal.getsignal(signal.SIGINT), "__name__", "") == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)
        return notify(*arguments)
    set_object_cache(engine, interrupt, getbuffer)
ExecutionEngine.set_object_cache = interrupting
from trajsim.cli import main
main(sys.argv[2:])
"""


@pytest.mark.parametrize(("handler", "says"), [("_wish", "--resume"), ("interrupt", "stopped")])
def test_a_signal_while_code_is_compiled_is_obeyed(config, tmp_path, handler, says):
    # While the kernel is compiled, and while what a config needs is: rates in so strong a coupling
    # are looked at when it is read.
    strong = config(changed(PUMP, ("coupling = 1.0", "coupling = 60.0")))
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_COMPILER, handler, "run", strong, "-o", "x.h5"],
        cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (3, False), done.stderr
    assert says in done.stderr
