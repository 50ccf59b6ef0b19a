"""Runs: the same bytes however they are made, nothing finished lost, nothing there overwritten."""

import contextlib
import errno
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest
from small_configs import HALF_DRIVEN, PUMP, TRIANGLE, UNDRIVEN, changed, swept

import trajsim.running.blocks
import trajsim.running.provenance
import trajsim.running.run
from trajsim.config import load, parse
from trajsim.running.provenance import layout_of
from trajsim.running.run import RunError, StoppedError, simulate
from trajsim.store import Parts, open_run, verify

SWEEP = swept(PUMP, '"sites.2.drive.phase" = [0.0, 2.2, 3.0]')
# Some seconds of work for one thread.
LONG = changed(PUMP, ("period = 10.0", "period = 200.0"), ("ies = 60", "ies = 60_000"))


def stop(process, number):
    """Send a signal; seconds until the process ended, and what it said."""
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return time.monotonic() - began, out + err


def wait_for(condition, process, patience=60.0):
    """Wait until a condition holds while a process runs."""
    until = time.monotonic() + patience
    while not condition():
        assert process.poll() is None, "".join(process.communicate())
        assert time.monotonic() < until
        time.sleep(0.01)


def finished_blocks(output):
    """Number of blocks in the manifest of an unfinished run."""
    with contextlib.suppress(FileNotFoundError):
        return Parts(output).manifest.read_bytes().count(b"\n")
    return 0


@pytest.fixture
def tiny_blocks(monkeypatch):
    """Blocks of a few trajectories."""
    monkeypatch.setattr(trajsim.running.blocks, "MOST_BLOCK_BYTES", 12_000)


# -- the same bytes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [SWEEP, TRIANGLE, UNDRIVEN, HALF_DRIVEN],
    ids=["sweep", "triangle", "undriven", "half driven"],
)
def test_the_file_does_not_depend_on_workers_or_blocks(tmp_path, monkeypatch, digest, text):
    config = parse(text, overrides=["ensemble.trajectories=97"])
    digests, blocks = set(), set()
    for workers, seconds, most in (
        (1, 0.2, 16 << 20),
        (2, 0.2, 16 << 20),
        (3, 1e-4, 16 << 20),
        (2, 0.2, 5000),
        (1, 0.2, 1),
    ):
        monkeypatch.setattr(trajsim.running.blocks, "CALL_SECONDS", seconds)
        monkeypatch.setattr(trajsim.running.blocks, "MOST_BLOCK_BYTES", most)
        published = []
        publish = Parts.publish
        monkeypatch.setattr(
            Parts, "publish", lambda *a, p=publish, seen=published: seen.append(a) or p(*a)
        )
        output = tmp_path / f"{workers}-{seconds}-{most}.h5"
        summary = simulate(config, output, workers=workers)
        monkeypatch.setattr(Parts, "publish", publish)
        digests.add((digest(output), summary.events))
        blocks.add(len(published))
    assert len(digests) == 1
    assert len(blocks) > 2


def test_a_point_of_a_sweep_has_streams_of_its_own(tmp_path):
    same = parse(swept(PUMP, '"sites.2.drive.phase" = [2.2, 2.2]'))
    simulate(same, tmp_path / "x.h5")
    first, second = (c["heat"] for _, _, c in open_run(tmp_path / "x.h5").blocks(["heat"]))
    assert (first != second).any()


def test_more_trajectories_leave_the_first_ones_as_they_were(tmp_path):
    heats = []
    for count in (20, 60):
        config = parse(PUMP, overrides=[f"ensemble.trajectories={count}"])
        simulate(config, tmp_path / f"{count}.h5")
        ((_, _, columns),) = open_run(tmp_path / f"{count}.h5").blocks(["heat"])
        heats.append(columns["heat"])
    assert (heats[0] == heats[1][:20]).all()


def test_finer_rows_add_up_to_coarser_ones(tmp_path):
    sums = []
    for ledger in ("periods_per_row = 8", "rows_per_period = 1"):
        simulate(parse(changed(PUMP, ("rows_per_period = 1", ledger))), tmp_path / f"{ledger}.h5")
        ((_, _, c),) = open_run(tmp_path / f"{ledger}.h5").blocks()
        sums.append((c["flips"].sum(axis=1), c["energy"][:, -1], c["heat"].sum(axis=1)))
    assert (sums[0][0] == sums[1][0]).all()
    assert (sums[0][1] == sums[1][1]).all()
    assert abs(sums[0][2] - sums[1][2]).max() < 1e-12


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_every_seed_gives_its_own_run(tmp_path, seed):
    simulate(parse(PUMP), tmp_path / "a.h5")
    simulate(parse(PUMP, overrides=[f"ensemble.seed={seed}"]), tmp_path / "b.h5")
    heats = [next(open_run(tmp_path / f"{k}.h5").blocks(["heat"]))[2]["heat"] for k in "ab"]
    assert (heats[0] != heats[1]).any()


# -- kill -9 ---------------------------------------------------------------------------------------

# Runs and kills itself just before the n-th system call that changes files, for n = 1, 2, ...,
# until a run comes to its end; each time resumes in another process and looks at the bytes.
SUICIDE = """
import hashlib, os, pathlib, shutil, signal, sys
import trajsim.running.blocks
import trajsim.running.provenance
import trajsim.running.run
from trajsim.config import load
trajsim.running.blocks.MOST_BLOCK_BYTES = 20_000
config = load(sys.argv[1])
output = pathlib.Path(sys.argv[2])
# Children inherit the compiled kernel.
trajsim.running.run.simulate(config, output, workers=1, force=True)

def forked(work):
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            os._exit(1)
    return os.waitpid(child, 0)[1]

def run(last, **options):
    count = 0
    def counted(call):
        def wrapper(*arguments, **more):
            nonlocal count
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **more)
        return wrapper
    for name in ("write", "fsync", "replace", "unlink", "rmdir", "ftruncate"):
        setattr(os, name, counted(getattr(os, name)))
    trajsim.running.run.simulate(config, output, workers=1, **options)

n = 0
while True:
    n += 1
    shutil.rmtree(f"{output}.parts", ignore_errors=True)
    output.unlink(missing_ok=True)
    status = forked(lambda: run(n))
    if status == 0:
        break
    assert status == signal.SIGKILL, status
    complete = output.exists() and not pathlib.Path(f"{output}.parts", "header.json").exists()
    status = 0 if complete else forked(lambda: run(0, resume=True))
    print(n, status, hashlib.sha256(output.read_bytes()).hexdigest(), flush=True)
"""


def test_killed_at_any_system_call_a_run_is_resumed_to_the_same_bytes(config, tmp_path, digest):
    path = config(swept(PUMP, '"sites.2.drive.phase" = [0.0, 2.2]'))
    simulate(load(path), tmp_path / "undisturbed.h5")
    done = subprocess.run(
        [sys.executable, "-c", SUICIDE, path, tmp_path / "x.h5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) > 30
    assert [line for line in lines if line[1:] != ["0", digest(tmp_path / "undisturbed.h5")]] == []


@pytest.mark.parametrize("blocks", [1, 4])
def test_a_killed_process_loses_no_finished_block(config, start, tmp_path, cli, digest, blocks):
    path = config(LONG)
    output = tmp_path / "x.h5"
    process = start("run", path, "-o", output, "--workers", 2)
    wait_for(lambda: finished_blocks(output) >= blocks, process)
    process.kill()
    process.communicate()
    kept = finished_blocks(output)
    assert kept >= blocks
    analysis = json.loads(cli("analyze", f"{output}.parts", "--json").stdout)
    assert analysis["trajectories"] > 0
    assert analysis["first_law_residual"] < 1e-12
    resumed = cli("run", path, "-o", output, "--resume", "--json", "--workers", 1)
    assert resumed.exit_code == 0
    assert "resuming" in resumed.stderr
    assert not Path(f"{output}.parts").exists()
    assert verify(output) == []
    if blocks > 1:
        simulate(load(path), tmp_path / "undisturbed.h5")
        assert digest(output) == digest(tmp_path / "undisturbed.h5")


def interrupted(config, output, monkeypatch, after=2, **options):
    """Begin a run and stop it after some blocks."""
    publish, count = Parts.publish, 0

    def publish_and_stop(*arguments):
        nonlocal count
        count += 1
        if count > after:
            raise OSError(errno.EIO, "stopped here")
        return publish(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Parts, "publish", publish_and_stop)
        with pytest.raises(StoppedError):
            simulate(config, output, workers=1, **options)
    return Parts(output)


def test_damaged_and_lost_blocks_are_simulated_again(tmp_path, monkeypatch, tiny_blocks, digest):
    config = parse(SWEEP)
    simulate(config, tmp_path / "undisturbed.h5")
    parts = interrupted(config, tmp_path / "x.h5", monkeypatch, 6)
    blocks = parts.blocks()
    assert len(blocks) == 6
    (parts.folder / blocks[1].file).write_bytes(b"")
    (parts.folder / blocks[3].file).unlink()
    heard = []
    simulate(config, tmp_path / "x.h5", resume=True, say=heard.append)
    assert any("2 damaged blocks" in message for message in heard)
    assert digest(tmp_path / "x.h5") == digest(tmp_path / "undisturbed.h5")


def test_a_run_can_be_interrupted_again_and_again(tmp_path, monkeypatch, tiny_blocks, digest):
    config = parse(SWEEP)
    simulate(config, tmp_path / "undisturbed.h5")
    done = []
    for again in (False, True, True):
        parts = interrupted(config, tmp_path / "x.h5", monkeypatch, 2, resume=again)
        done.append(len(parts.blocks()))
    assert done == [2, 4, 6]
    simulate(config, tmp_path / "x.h5", resume=True)
    assert digest(tmp_path / "x.h5") == digest(tmp_path / "undisturbed.h5")


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
    publish, count = Parts.publish, []

    def publish_one(*arguments):
        if count:
            raise OSError(errno.ENOSPC, "No space left on device")
        count.append(1)
        return publish(*arguments)

    override = f"title={json.dumps(title)}"
    with monkeypatch.context() as patch:
        patch.setattr(Parts, "publish", publish_one)
        stopped = cli("run", name, "-o", output, "--set", override)
    assert stopped.exit_code == 3
    assert_printed_command_works(stopped.stderr, tmp_path, output)


def test_the_printed_command_splits_as_a_shell_splits_it(config, monkeypatch, cli):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Parts, "publish", refuse)
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
    wait_for(lambda: Parts(tmp_path / "x.h5").exists(), process)
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
    # While the kernel is compiled, and while what a config needs is.
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_COMPILER, handler, "run", config(), "-o", "x.h5"],
        cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (3, False), done.stderr
    assert says in done.stderr


# -- refusals --------------------------------------------------------------------------------------


def test_a_run_is_resumed_only_by_the_config_that_began_it(tmp_path, monkeypatch, tiny_blocks):
    output = tmp_path / "x.h5"
    parts = interrupted(parse(PUMP), output, monkeypatch)
    kept = sorted(path.name for path in parts.folder.iterdir())
    for override, says in (
        ("ensemble.seed=1", "seed"),
        ("ensemble.trajectories=61", "trajectories"),
        ("baths.L.temperature=0.6", "temperature"),
        ("title=other", "title"),
        ('sweep={"drive.period"=[1.0]}', "sweep"),
    ):
        with pytest.raises(RunError, match=rf"cannot be resumed.*{says}"):
            simulate(parse(PUMP, overrides=[override]), output, resume=True)
    with monkeypatch.context() as patch:
        patch.setattr("trajsim.__version__", "0.0.0")
        with pytest.raises(RunError, match=r"version.*0\.0\.0"):
            simulate(parse(PUMP), output, resume=True)
    with monkeypatch.context() as patch:
        patch.setattr(trajsim.running.provenance, "library_version", lambda name: "9")
        with pytest.raises(RunError, match=r"libraries.*numpy"):
            simulate(parse(PUMP), output, resume=True)
    with monkeypatch.context() as patch:
        patch.setattr(trajsim.running.provenance, "SCHEMA", 99)
        with pytest.raises(RunError, match="schema"):
            simulate(parse(PUMP), output, resume=True)
    assert sorted(path.name for path in parts.folder.iterdir()) == kept
    # Comments and line ends are not the config.
    simulate(parse("# more words\n" + PUMP.replace("\n", "\r\n")), output, resume=True)


def test_another_machine_is_worth_a_word_and_no_more(tmp_path, monkeypatch, tiny_blocks):
    interrupted(parse(PUMP), tmp_path / "x.h5", monkeypatch)
    monkeypatch.setattr(trajsim.running.provenance, "processor", lambda: "another")
    heard = []
    simulate(parse(PUMP), tmp_path / "x.h5", resume=True, say=heard.append)
    assert any("another kind of machine" in message for message in heard)


def test_an_unfinished_run_is_not_overwritten_by_accident(tmp_path, monkeypatch, tiny_blocks):
    parts = interrupted(parse(PUMP), tmp_path / "x.h5", monkeypatch)
    with pytest.raises(RunError, match=r"--resume takes it up, --force throws it away"):
        simulate(parse(PUMP), tmp_path / "x.h5")
    assert len(parts.blocks()) == 2
    simulate(parse(PUMP, overrides=["ensemble.seed=1"]), tmp_path / "x.h5", force=True)
    assert open_run(tmp_path / "x.h5").header["seed"] == "1"


def test_a_second_run_into_the_same_file_is_kept_out(config, cli, tmp_path, monkeypatch):
    path = config()
    first = Parts(tmp_path / "x.h5")
    first.lock()
    for options in ([], ["--force"], ["--resume"]):
        second = cli("run", path, "-o", "x.h5", *options)
        assert second.exit_code == 2
        assert "another run is writing here" in second.stderr
        assert str(os.getpid()) in second.stderr
    first.unlock()
    assert cli("run", path, "-o", "x.h5").exit_code == 0


def test_resuming_what_is_complete_says_so_and_changes_nothing(config, cli, tmp_path, digest):
    path, output = config(), tmp_path / "x.h5"
    first = json.loads(cli("run", path, "-o", output, "--json").stdout)
    before = (digest(output), output.stat().st_mtime_ns)
    again = cli("run", path, "-o", output, "--resume", "--json")
    assert (again.exit_code, "already complete" in again.stderr) == (0, True)
    told = json.loads(again.stdout)
    assert {**told, "wall_time": 0} == {**first, "wall_time": 0}
    assert "heat_rate.L" in cli("run", path, "-o", output, "--resume").stdout
    other = cli("run", path, "-o", output, "--resume", "--set", "ensemble.seed=1")
    assert other.exit_code == 2
    assert "seed: it was 2007, now it is 1" in other.stderr
    assert (digest(output), output.stat().st_mtime_ns) == before
    assert [p.name for p in tmp_path.iterdir()] == ["config.toml", "x.h5"]


def test_resuming_nothing_begins(tmp_path):
    simulate(parse(PUMP), tmp_path / "x.h5", resume=True)
    assert verify(tmp_path / "x.h5") == []


def test_force_keeps_the_old_output_until_the_new_one_is_there(tmp_path, monkeypatch, digest):
    output = tmp_path / "x.h5"
    simulate(parse(PUMP), output)
    before = digest(output)
    other = parse(PUMP, overrides=["ensemble.seed=1"])
    with pytest.raises(RunError, match="exists; --force replaces it"):
        simulate(other, output)
    monkeypatch.setattr(trajsim.running.blocks, "MOST_BLOCK_BYTES", 12_000)
    interrupted(other, output, monkeypatch, force=True)
    assert digest(output) == before
    simulate(other, output, resume=True)
    assert digest(output) != before
    assert open_run(output).header["seed"] == "1"


# -- disks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 1, 2, 9, 10, 11, 12, 13])
def test_a_full_disk_stops_the_run_and_loses_nothing(
    config, cli, tmp_path, monkeypatch, tiny_blocks, digest, after
):
    """The disk fills up in the middle of the write number `after`: lock, header, blocks, lines."""
    path = config(SWEEP)
    simulate(load(path), tmp_path / "undisturbed.h5")
    write, count = os.write, 0

    def write_until_full(handle, data):
        nonlocal count
        count += 1
        if count > after + 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data if count <= after else bytes(data)[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr("trajsim.store.files.os.write", write_until_full)
        stopped = cli("run", path, "-o", "x.h5", "--workers", 1)
    assert "No space left on device" in stopped.stderr
    # Before the first block there is nothing to go on with.
    assert stopped.exit_code == (3 if after > 1 else 5)
    parts = Parts(tmp_path / "x.h5")
    if after > 1:
        assert len(parts.blocks()) == (after - 2) // 2
        assert after < 4 or parts.manifest.read_bytes().endswith(b"\n")
    assert not list(parts.folder.glob(".*.tmp"))
    assert cli("run", path, "-o", "x.h5", "--resume", "--json").exit_code == 0
    assert digest(tmp_path / "x.h5") == digest(tmp_path / "undisturbed.h5")


Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def disk(monkeypatch):
    """Sets how many bytes the disk has for new files and what is in a folder of parts."""

    def size(capacity, folder):
        def usage(_):
            used = sum(p.stat().st_size for p in folder.iterdir()) if folder.exists() else 0
            return Usage(capacity, used, capacity - used)

        monkeypatch.setattr(shutil, "disk_usage", usage)

    return size


def test_an_ensemble_too_large_for_the_disk_is_refused(config, cli, tmp_path):
    free = shutil.disk_usage(tmp_path).free
    for trajectories in (free // 100, 10**12):
        result = cli(
            *("run", config(), "-o", "deep/er/x.h5"),
            *("--set", f"ensemble.trajectories={trajectories}"),
        )
        assert result.exit_code == 2
        assert "GB of disk" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_a_trajectory_too_long_for_memory_is_refused(config, cli, tmp_path):
    result = cli("run", config(), "-o", "x.h5", "--set", "ensemble.periods=10_000_000")
    assert result.exit_code == 2
    assert "periods_per_row" in result.stderr


def test_what_fits_the_disk_at_first_fits_it_when_resumed(tmp_path, monkeypatch, tiny_blocks, disk):
    config = parse(SWEEP)
    disk(2 * layout_of(config).total_bytes + (8 << 20), tmp_path / "x.h5.parts")
    interrupted(config, tmp_path / "x.h5", monkeypatch, 6)
    # The blocks that are done have taken some of the room they were promised.
    simulate(config, tmp_path / "x.h5", resume=True)
    assert verify(tmp_path / "x.h5") == []


def test_a_disk_filled_by_others_stops_the_packing_and_loses_nothing(tmp_path, monkeypatch, digest):
    config = parse(PUMP)
    simulate(config, tmp_path / "undisturbed.h5")
    with monkeypatch.context() as patch:
        patch.setattr("trajsim.store.packed.shutil.disk_usage", lambda _: Usage(1, 1, 0))
        patch.setattr(trajsim.running.run, "_fits", lambda *_: None)
        with pytest.raises(StoppedError, match="no space left"):
            simulate(config, tmp_path / "x.h5")
    assert not (tmp_path / "x.h5").exists()
    simulate(config, tmp_path / "x.h5", resume=True)
    assert digest(tmp_path / "x.h5") == digest(tmp_path / "undisturbed.h5")


# -- outputs in odd places -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "output",
    [
        "x.h5",
        "./x.h5",
        "a/b/c/x.h5",
        "with space/ünï.h5",
        "no_suffix",
        "x.parts.h5",
        ".x",
        "a/../x",
    ],
)
def test_outputs_may_be_anywhere(config, cli, tmp_path, output):
    assert cli("run", config(), "-o", output, "--json").exit_code == 0
    assert cli("verify", output).exit_code == 0
    assert cli("analyze", output).exit_code == 0
    assert not list(tmp_path.rglob("*.tmp"))


def test_the_default_output_is_named_after_the_config(config, cli, tmp_path):
    config(name="my system.toml")
    answer = json.loads(cli("run", "my system.toml", "--json").stdout)
    assert answer["run"] == "runs/my system.h5"
    assert (tmp_path / "runs" / "my system.h5").exists()


@pytest.mark.parametrize("output", [".", "..", "folder", "folder/", "folder/.", "file/x.h5"])
@pytest.mark.parametrize("options", [[], ["--force"], ["--resume"]], ids=["", "force", "resume"])
def test_an_output_that_cannot_be_a_file_is_refused_before_the_run(
    config, cli, tmp_path, output, options
):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    path = config()
    before = sorted(tmp_path.rglob("*"))
    assert cli("run", path, "-o", output, *options).exit_code == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_a_device_is_not_replaced_by_a_run(config, cli, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert cli("run", config(), "-o", "pipe", "--force").exit_code == 2
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("output", ["x" * 250 + ".h5", "x" * 5000])
def test_a_name_too_long_for_the_disk_is_refused(config, cli, output):
    result = cli("run", config(), "-o", output)
    assert result.exit_code == 2
    assert "too long" in result.stderr


def test_what_is_in_the_place_of_the_parts_is_left_alone(config, cli, tmp_path):
    path = config()
    (tmp_path / "x.h5.parts").write_text("mine")
    assert cli("run", path, "-o", "x.h5").exit_code == 2
    assert (tmp_path / "x.h5.parts").read_text() == "mine"
    (tmp_path / "y.h5.parts").mkdir()
    (tmp_path / "y.h5.parts" / "notes.txt").write_text("mine")
    refused = cli("run", path, "-o", "y.h5", "--force")
    assert (refused.exit_code, "notes.txt" in refused.stderr) == (2, True)
    assert [p.name for p in (tmp_path / "y.h5.parts").iterdir()] == ["notes.txt"]


def test_what_others_put_into_the_folder_of_a_run_stays(tmp_path, monkeypatch, tiny_blocks):
    config = parse(PUMP)
    folder = interrupted(config, tmp_path / "x.h5", monkeypatch).folder
    (folder / "notes.txt").write_text("mine")
    (folder / "block-of-wood").mkdir()
    (folder / "block-of-wood" / "more.txt").write_text("mine")
    with pytest.raises(RunError, match="not only a run's"):
        simulate(config, tmp_path / "x.h5", force=True)
    heard = []
    simulate(config, tmp_path / "x.h5", resume=True, say=heard.append)
    assert verify(tmp_path / "x.h5") == []
    assert any(f"{folder}: stays: 'block-of-wood'" in message for message in heard)
    left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    assert left == ["block-of-wood", "block-of-wood/more.txt", "notes.txt"]
    # And it is no unfinished run.
    assert not Parts(tmp_path / "x.h5").exists()


# No heat bath law has a periodic state at this temperature.
FROZEN = changed(
    PUMP,
    ("glauber-product", "heat-bath"),
    ("temperature = 0.5 ", "temperature = 5e-4 "),
    ("0.499", "6e-4"),
    ('initial = "up"', 'initial = "periodic"'),
)


def test_what_cannot_be_run_deletes_nothing_and_leaves_nothing(
    config, cli, tmp_path, monkeypatch, tiny_blocks
):
    frozen = config(FROZEN)
    for options in ([], ["--resume"], ["--force"], ["--shard", "1/2"]):
        assert cli("run", frozen, "-o", "x.h5", *options).exit_code == 2
        assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]
    unfinished = interrupted(parse(PUMP), tmp_path / "x.h5", monkeypatch)
    shard = simulate(parse(PUMP), tmp_path / "y.h5", shard=trajsim.running.run.Shard(1, 2)).path
    kept = {path: path.read_bytes() for f in (unfinished.folder, shard) for path in f.iterdir()}
    for where in (["x.h5"], ["y.h5", "--shard", "1/2"]):
        result = cli("run", frozen, "-o", *where, "--force")
        assert (result.exit_code, "periodic state" in result.stderr) == (2, True)
    del kept[unfinished.folder / "lock"], kept[shard / "lock"]
    assert {path: path.read_bytes() for path in kept} == kept


def test_a_point_that_cannot_be_run_is_refused_before_another_run_is_deleted(
    config, cli, tmp_path, monkeypatch, tiny_blocks
):
    parts = interrupted(parse(PUMP), tmp_path / "x.h5", monkeypatch)
    last = config(swept(FROZEN, '"baths.L.temperature" = [1.0, 5e-4]'))
    assert cli("run", last, "-o", "x.h5", "--force").exit_code == 2
    assert len(parts.blocks()) == 2


@pytest.mark.parametrize("name", ["y.h5", "header.json", "manifest.jsonl"])
def test_a_run_is_not_written_among_the_files_of_another(
    config, cli, monkeypatch, tmp_path, tiny_blocks, name
):
    parts = interrupted(parse(PUMP), tmp_path / "x.h5", monkeypatch)
    before = sorted(parts.folder.iterdir())
    result = cli("run", config(), "-o", parts.folder / name, "--force")
    assert result.exit_code == 2
    (tmp_path / "link").symlink_to(parts.folder)
    assert cli("run", config(), "-o", Path("link") / name, "--force").exit_code == 2
    assert sorted(parts.folder.iterdir()) == before


# -- configs that only a run finds out -------------------------------------------------------------


def test_a_title_with_a_nul_in_it_does_not_lose_the_run(config, cli):
    path = config(changed(PUMP, ("two driven spins", "a\\u0000b")))
    assert cli("run", path, "-o", "x.h5").exit_code in (0, 2)


@pytest.mark.parametrize("key", ["amplitude", "phase", "offset"])
def test_a_sweep_over_the_field_of_an_undriven_site_is_refused_or_booked(
    config, start, cli, tmp_path, key
):
    path = config(
        changed(
            swept(HALF_DRIVEN, f'"sites.2.drive.{key}" = [0.0, 1.0]'),
            ("rate = 0.5", "rate = 5.0"),
            ("ies = 60", "ies = 2000"),
        )
    )
    # In a process of its own: a column too small could be written past its end.
    process = start("run", path, "-o", tmp_path / "x.h5", "--json")
    _, said = process.communicate(timeout=60)
    assert process.returncode in (0, 2), said
    if process.returncode == 0:
        assert cli("verify", "x.h5").exit_code == 0
        (first, _) = json.loads(cli("analyze", "x.h5", "--json").stdout)["points"]
        assert set(first["work_rate"]) == {"1", "2"}
        assert cli("check", "x.h5").exit_code == 0


# -- memory ----------------------------------------------------------------------------------------

# Not ru_maxrss: it is handed on from the process that forks, which is pytest with all it holds.
MEASURED = """
import sys
from trajsim.cli import main
try:
    main(sys.argv[1:])
finally:
    with open("/proc/self/status") as status:
        peak = next(line for line in status if line.startswith("VmHWM"))
    print(peak.split()[1], file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize(
    ("trajectories", "periods", "rate", "workers"),
    [(9_500_000, 1, 1e-2, 2), (12, 900_000, 1e-3, 8)],
    ids=["many short", "few long"],
)
def test_memory_stays_below_600_mb_for_a_ledger_larger_than_that(
    config, tmp_path, trajectories, periods, rate, workers
):
    path = config(
        changed(
            PUMP,
            ("rate = 0.5", f"rate = {rate}"),
            ("period = 10.0", "period = 1.0"),
            ("ies = 60", f"ies = {trajectories}"),
            ("\nperiods = 8", f"\nperiods = {periods}"),
        )
    )
    assert layout_of(load(path)).total_bytes > 700e6
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "run", path, "-o", "x.h5", "--workers", str(workers)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    (tmp_path / "x.h5").unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr
    assert "check: " in done.stdout
    peak = int(done.stderr.split()[-1]) * 1024
    assert peak < 600e6, f"{peak / 1e6:.0f} MB"
