"""Runs: the same bytes however they are made, nothing finished lost, nothing there overwritten."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from running import LONG, SWEEP, finished_blocks, interrupted, wait_for
from small_configs import HALF_DRIVEN, PUMP, TRIANGLE, UNDRIVEN, changed, swept

import trajsim.running.blocks
import trajsim.running.provenance
import trajsim.running.run
from trajsim.config import load, parse
from trajsim.running.run import RunError, simulate
from trajsim.store import UnfinishedRun, open_run, verify

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
        publish = UnfinishedRun.publish
        monkeypatch.setattr(
            UnfinishedRun, "publish", lambda *a, p=publish, seen=published: seen.append(a) or p(*a)
        )
        output = tmp_path / f"{workers}-{seconds}-{most}.h5"
        summary = simulate(config, output, workers=workers)
        monkeypatch.setattr(UnfinishedRun, "publish", publish)
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
    first = UnfinishedRun(tmp_path / "x.h5")
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
