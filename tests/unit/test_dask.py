"""Blocks from Dask's workers, real processes: the same bytes, whatever happens to them.

Nothing here depends on how long anything takes: what is waited for comes, or the test fails after
PATIENCE.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from small_configs import PUMP, TRIANGLE, changed, swept
from waiting import PATIENCE, processes_of, wait_until

import trajsim.running.blocks
import trajsim.running.engines.dask
import trajsim.running.engines.worker
from trajsim.config import parse
from trajsim.running.engines import engine_of
from trajsim.running.engines.dask import DaskEngine
from trajsim.running.engines.places import Local, Scheduler
from trajsim.running.engines.worker import make, order_of
from trajsim.running.provenance import header_of
from trajsim.running.run import RunError, StoppedError, simulate
from trajsim.store import StoreError, UnfinishedRun, verify
from trajsim.system.folders import TemporaryFolder

distributed = pytest.importorskip("distributed")

ROOT = Path(trajsim.__file__).parent.parent
SWEEP = swept(PUMP, '"sites.2.drive.phase" = [0.0, 2.2, 3.0]')
# A minute and more for one worker, and blocks of half a second.
LONG = changed(PUMP, ("period = 10.0", "period = 200.0"), ("ies = 60", "ies = 1_000_000"))
# One trajectory that takes hours.
ENDLESS = changed(
    PUMP,
    ("\nperiods = 8", "\nperiods = 1_000_000_000"),
    ("ies = 60", "ies = 1"),
    ("rows_per_period = 1", "periods_per_row = 1_000_000"),
)


class Cluster:
    """A scheduler and workers, started as on a cluster."""

    def __init__(self, folder, workers):
        self.file = folder / "scheduler.json"
        # A worker killed is not forgiven: the client must give its block out anew.
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
        }
        self.processes = []
        with open(folder / "said", "wb") as said:
            for command in (
                ("scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard"),
                ("worker", "--nworkers", workers, "--nthreads", 1, "--no-dashboard"),
            ):
                self.processes.append(
                    subprocess.Popen(
                        [
                            *(sys.executable, "-m", f"distributed.cli.dask_{command[0]}"),
                            *("--scheduler-file", self.file, *map(str, command[1:])),
                        ],
                        cwd=folder,
                        env=environment,
                        stdout=said,
                        stderr=said,
                        start_new_session=True,
                    )
                )
        wait_until(self.file.exists)
        self.address = json.loads(self.file.read_text())["address"]
        self.client = distributed.Client(self.address, timeout=PATIENCE, set_as_default=False)
        self.client.wait_for_workers(workers, timeout=PATIENCE)

    def close(self):
        self.client.close(timeout=5)
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"), 2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run of SWEEP on threads."""
    path = tmp_path_factory.mktemp("whole") / "x.h5"
    simulate(parse(SWEEP), path)
    return path


@pytest.fixture
def tiny_blocks(monkeypatch):
    """Blocks of a few trajectories."""
    monkeypatch.setattr(trajsim.running.blocks, "MOST_BLOCK_BYTES", 5000)


def after_blocks(monkeypatch, count, deed):
    """Have something done once, when so many blocks are published."""
    publish, seen = DaskEngine._publish, []

    def publish_and_do(*arguments):
        done = publish(*arguments)
        seen.append(done)
        if len(seen) == count:
            deed()
        return done

    monkeypatch.setattr(DaskEngine, "_publish", publish_and_do)
    return seen


# -- the same bytes --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [SWEEP, TRIANGLE], ids=["sweep", "triangle"])
def test_the_file_is_that_of_threads(cluster, tmp_path, monkeypatch, tiny_blocks, digest, text):
    config, at_once, lock = parse(text), [0, 0], threading.Lock()
    publish = DaskEngine._publish

    def counted(*arguments):
        with lock:
            at_once[0] += 1
            at_once[1] = max(at_once)
        try:
            return publish(*arguments)
        finally:
            with lock:
                at_once[0] -= 1

    monkeypatch.setattr(DaskEngine, "_publish", counted)
    simulate(config, tmp_path / "threads.h5")
    summary = simulate(config, tmp_path / "dask.h5", engine=f"dask:{cluster.address}")
    assert digest(tmp_path / "dask.h5") == digest(tmp_path / "threads.h5")
    assert summary.events > 0
    # However many workers, no more than these blocks are in the memory of this process.
    assert 1 <= at_once[1] <= trajsim.running.engines.dask.MOST_PUBLISHED_AT_ONCE


def test_a_shard_is_simulated_by_workers_too(cluster, config, cli, digest, whole):
    path = config(SWEEP)
    for number, engine in ((1, f"dask:{cluster.file}"), (2, "threads")):
        arguments = ("-o", "x.h5", "--shard", f"{number}/2", "--engine", engine)
        assert cli("run", path, *arguments).exit_code == 0
    assert cli("merge", "x.h5", "--json").exit_code == 0
    assert digest(Path("x.h5")) == digest(whole)


def test_a_killed_worker_costs_nothing_but_its_block(
    cluster, tmp_path, monkeypatch, tiny_blocks, digest, whole
):
    pids = cluster.client.run(os.getpid)
    killed = []

    def kill():
        killed.append(next(iter(pids.values())))
        os.kill(killed[0], signal.SIGKILL)

    seen = after_blocks(monkeypatch, 2, kill)
    output = tmp_path / "x.h5"
    simulate(parse(SWEEP), output, engine=f"dask:{cluster.address}")
    assert killed
    assert len(seen) > 10
    assert len({done.block for done in seen}) == len(seen)
    assert digest(output) == digest(whole)
    # Its nanny starts another one, for the tests that follow.
    wait_until(lambda: len(cluster.client.nthreads()) == 2)


def deadly():
    """What ends a worker; made here, it is sent as it is."""
    return lambda *_: os.kill(os.getpid(), signal.SIGKILL)


def broken():
    """What fails."""
    return lambda *_: {}["of no use"]


def test_a_block_that_kills_its_workers_ends_in_a_message(
    cluster, config, cli, monkeypatch, tmp_path
):
    monkeypatch.setattr(trajsim.running.engines.dask, "make", deadly())
    monkeypatch.setattr(trajsim.running.engines.dask, "MOST_TRIES", 2)
    result = cli("run", config(), "-o", "x.h5", "--engine", f"dask:{cluster.address}")
    assert result.exit_code == 3
    assert "trajectories 0 to" in result.stderr
    assert "killed again and again" in result.stderr
    assert "--resume --engine dask:" in result.stderr
    wait_until(lambda: len(cluster.client.nthreads()) == 2)


def test_a_block_that_nobody_wants_any_more_is_left(cluster):
    config = parse(ENDLESS)
    future = cluster.client.submit(make, order_of(config), 0, 0, 1, pure=False)
    wait_until(lambda: any(cluster.client.processing().values()))
    address = next(a for a, keys in cluster.client.processing().items() if keys)
    wait_until(lambda: executing(cluster.client, address))
    future.cancel()
    # A worker has one thread.
    free = cluster.client.submit(os.getpid, workers=[address], pure=False)
    assert free.result(PATIENCE) > 0


def executing(client, address):
    """Whether a worker is at work."""

    def ask(dask_worker):
        return dask_worker.state.executing_count == 1

    return client.run(ask, workers=[address])[address]


# -- workers and schedulers that are not what they should be ---------------------------------------


def test_foreign_workers_are_refused_before_anything_is_written(
    cluster, config, cli, monkeypatch, tmp_path
):
    version = trajsim.__version__
    monkeypatch.setattr(trajsim, "__version__", "9.9.9")
    result = cli("run", config(), "-o", "x.h5", "--engine", f"dask:{cluster.address}")
    assert result.exit_code == 2
    assert f"version: {version} there, 9.9.9 here" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_a_foreign_worker_that_comes_late_refuses_its_blocks(cluster, monkeypatch, tmp_path):
    other = {**trajsim.running.engines.worker.identity(), "sources": "f" * 16}
    with monkeypatch.context() as patch:
        patch.setattr(trajsim.running.engines.worker, "identity", lambda: other)
        with pytest.raises(RunError, match=r"not of this trajsim: sources: .* there, ffff.* here"):
            simulate(parse(PUMP), tmp_path / "x.h5", engine=f"dask:{cluster.address}")
    assert UnfinishedRun(tmp_path / "x.h5").blocks() == []


SMALL_OHMIC = (
    *("run", "--plugin", ROOT / "examples" / "ohmic_law.py", ROOT / "examples" / "ohmic.toml"),
    *("--set", "ensemble.trajectories=40", "--set", "ensemble.periods=2"),
)


def test_workers_of_this_machine_have_the_rate_laws_that_were_asked_for(cli, tmp_path, digest):
    for engine, name in (("threads", "x.h5"), ("dask", "y.h5")):
        ran = cli(*SMALL_OHMIC, "-o", tmp_path / name, "--engine", engine, "--workers", "1")
        assert ran.exit_code == 0, ran.output
    assert digest(tmp_path / "x.h5") == digest(tmp_path / "y.h5")


def test_workers_without_a_rate_law_from_outside_say_so(cluster, cli, tmp_path):
    where = ("-o", tmp_path / "x.h5", "--engine", f"dask:{cluster.address}")
    ran = cli(*SMALL_OHMIC, *where)
    assert ran.exit_code == 2
    assert "a worker has other code from outside: rate law ohmic: None there" in ran.stderr


def test_workers_that_fail_in_another_way_are_told(cluster, monkeypatch, tmp_path):
    monkeypatch.setattr(trajsim.running.engines.dask, "make", broken())
    with pytest.raises(RunError, match="cannot make a block: KeyError: 'of no use'"):
        simulate(parse(PUMP), tmp_path / "x.h5", engine=f"dask:{cluster.address}")


def test_a_lost_scheduler_stops_the_run_and_loses_no_block(
    tmp_path, config, cli, monkeypatch, tiny_blocks, digest, whole
):
    folder = tmp_path / "cluster"
    folder.mkdir()
    lost, path = Cluster(folder, 1), config(SWEEP)

    def kill():
        os.killpg(lost.processes[0].pid, signal.SIGKILL)

    try:
        seen = after_blocks(monkeypatch, 3, kill)
        stopped = cli("run", path, "-o", "x.h5", "--engine", f"dask:{lost.address}")
    finally:
        lost.close()
    assert stopped.exit_code == 3, stopped.stderr
    assert f"the scheduler at {lost.address} is gone" in stopped.stderr
    kept = UnfinishedRun(Path("x.h5")).blocks()
    assert 3 <= len(kept) <= len(seen)
    # Another engine goes on.
    assert cli("run", path, "-o", "x.h5", "--resume", "--json").exit_code == 0
    assert digest(Path("x.h5")) == digest(whole)


@pytest.mark.parametrize("name", ["", "thread", "dask:", "ray", "daskk:1"])
def test_other_engines_are_refused(config, cli, name):
    result = cli("run", config(), "--engine", name)
    assert result.exit_code == 2
    assert "allowed: threads, dask, dask:ADDRESS" in result.stderr


@pytest.mark.parametrize("missing", ["distributed", "cryptography"])
def test_the_library_is_named_where_it_is_missing(config, cli, monkeypatch, missing):
    monkeypatch.setattr(
        "trajsim.running.engines.find_spec", lambda name: None if name == missing else 1
    )
    result = cli("run", config(), "--engine", "dask")
    assert result.exit_code == 2
    assert "pip install 'trajsim[dask]'" in result.stderr


def test_workers_of_a_scheduler_cannot_be_chosen(config, cli):
    result = cli("run", config(), "--engine", "dask:x:1", "--workers", "3")
    assert result.exit_code == 2
    assert "--workers" in result.stderr


def test_what_does_not_arrive_as_it_was_sent_is_refused(tmp_path):
    config = parse(PUMP)
    parts = UnfinishedRun(tmp_path / "x.h5", header_of(config))
    parts.lock()
    parts.begin()
    made = make(order_of(config), parts.run_id, 0, 10, 5)
    other = make(order_of(config), "0" * 64, 0, 10, 5)
    assert made is not None
    assert other is not None
    for name, image, task in (
        (other.name, other.image, (0, 10, 5)),
        (made.name, made.image[:-1], (0, 10, 5)),
        (made.name, made.image, (0, 10, 4)),
        (made.name, made.image, (1, 10, 5)),
        ("../" + made.name, made.image, (0, 10, 5)),
        ("manifest.jsonl", made.image, (0, 10, 5)),
    ):
        with pytest.raises(StoreError):
            parts.adopt(name, image.data, *task)
    assert parts.blocks() == []
    parts.adopt(made.name, made.image.data, 0, 10, 5)
    assert [(b.first, b.trajectories) for b in parts.blocks()] == [(10, 5)]
    parts.unlock()


def test_blocks_are_longer_the_more_workers_there_are():
    place = Scheduler("x:1")
    engine = DaskEngine.__new__(DaskEngine)
    engine.place = place
    seconds = []
    for place.workers in (0, 1, 100, 1000):
        seconds.append(engine.block_seconds)
        assert engine.at_once(8 << 20) >= 2 * place.workers
    assert seconds == sorted(seconds)
    # The client may take this long for a block.
    assert seconds[-1] / 1000 >= 0.02
    assert isinstance(engine_of("dask", 3).keywords["place"], Local)


# -- processes of this machine ---------------------------------------------------------------------


def children_of(pid):
    """Processes started by one."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in tasks for child in path.read_text().split()]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(n, marks=pytest.mark.long) for n in (signal.SIGTERM, 9))],
)
def test_processes_of_this_machine_end_with_the_run_and_it_goes_on(
    config, start, tmp_path, tmp_path_factory, cli, monkeypatch, number
):
    path, output = config(LONG), tmp_path / "x.h5"
    scratch = tmp_path_factory.mktemp("scratch")
    command = ("run", path, "-o", output, "--engine", "dask", "--workers", 2)
    process = start(*command, TMPDIR=str(scratch))
    wait_until(lambda: process.poll() is not None or manifest_lines(output) >= 2)
    assert process.poll() is None, process.communicate()
    sessions = [child for child in children_of(process.pid) if processes_of(child)]
    assert sum(len(processes_of(session)) for session in sessions) >= 3
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE)
    kept = manifest_lines(output)
    assert kept >= 2
    if number == signal.SIGKILL:
        assert process.returncode == -9
    else:
        assert process.returncode == 3
        assert [line for line in err.splitlines() if line.strip()] == [
            err.splitlines()[0],
            "stopped; finished blocks are kept. Go on with:",
            f"  trajsim run {path} -o {output} --resume --engine dask",
        ]
        assert list(scratch.iterdir()) == []
    wait_until(lambda: not any(map(processes_of, sessions)))
    # What a killed one has left goes with the next that begins.
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    TemporaryFolder().delete()
    assert list(scratch.iterdir()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.toml", "x.h5.parts"]
    assert len(UnfinishedRun(output).blocks()) >= kept
    # Every block is sound, which is to say that nothing else is wrong.
    assert cli("verify", f"{output}.parts").stderr == f"{output}.parts: the run is unfinished\n"


def manifest_lines(output):
    with contextlib.suppress(FileNotFoundError):
        return UnfinishedRun(output).manifest.read_bytes().count(b"\n")
    return 0


SCRIPT = """
import sys
import trajsim

config = trajsim.load(sys.argv[1])
run = trajsim.simulate(config, "x.h5", engine="dask", workers=1)
print(run.events)
"""


ENTRY = "from trajsim.cli import main; main()"


@pytest.mark.long
def test_a_script_needs_no_guard(config, tmp_path, digest, whole):
    (tmp_path / "script.py").write_text(SCRIPT)
    # A module that workers must not take for the real one.
    (tmp_path / "distributed.py").write_text("raise ImportError('not this one')")
    done = subprocess.run(
        [sys.executable, "-P", tmp_path / "script.py", config(SWEEP)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 0
    assert digest(tmp_path / "x.h5") == digest(whole)
    assert verify(tmp_path / "x.h5") == []


@pytest.mark.long
@pytest.mark.parametrize("program", [["-m", "trajsim"], ["-c", ENTRY]], ids=["-m", "entry"])
def test_a_killed_worker_of_this_machine_is_replaced(config, tmp_path, program, digest):
    text = changed(LONG, ("1_000_000", "20_000"))
    simulate(parse(text), tmp_path / "threads.h5")
    process = subprocess.Popen(
        [
            *(sys.executable, *program, "run", config(text), "-o", "x.h5", "--json"),
            *("--engine", "dask", "--workers", "1"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: process.poll() is not None or manifest_lines(tmp_path / "x.h5") >= 1)
    assert process.poll() is None, process.communicate()
    (nanny,) = [c for c in children_of(process.pid) if processes_of(c)]
    # Its children: the worker, and a helper of multiprocessing that is told apart by its command.
    for child in children_of(nanny):
        if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes():
            os.kill(child, signal.SIGKILL)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert digest(tmp_path / "x.h5") == digest(tmp_path / "threads.h5")


def test_a_stop_while_workers_are_away_ends_the_run(cluster, tmp_path, monkeypatch):
    """No block comes back: the run is not held up by what it waits for."""
    monkeypatch.setattr(DaskEngine, "_publish", lambda *_: time.sleep(PATIENCE))
    monkeypatch.setattr(trajsim.running.engines.dask, "make", broken())
    submit = DaskEngine._submit

    def submit_and_signal(*arguments):
        submit(*arguments)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(DaskEngine, "_submit", submit_and_signal)
    monkeypatch.setattr(DaskEngine, "_receive", lambda *_: None)
    with pytest.raises(StoppedError):
        simulate(parse(PUMP), tmp_path / "x.h5", engine=f"dask:{cluster.address}")
