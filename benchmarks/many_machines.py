"""More than one machine: how runs scale, what a block costs the process that publishes it.

    python benchmarks/many_machines.py [--quick] [--rounds 3]

Prints the tables of benchmarks/reliability.md, "More than one machine". Every run is `trajsim run
--shard ...`, which keeps its blocks: when each of them was published is read from the files, so
that starting Python, compiling and starting workers are outside of the rates.
"""

import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import common

PUMP = common.CONFIGS / "heat_pump.toml"
PERIODS = 2000
# Much to simulate, little to store; what is measured of a block is asked with other rows.
COARSE = (f"ensemble.periods={PERIODS}", f"ledger.periods_per_row={PERIODS // 4}")
SIZES = (64 << 10, 1 << 20, 8 << 20)


def command(*arguments):
    """trajsim as a command, of this repository."""
    return [sys.executable, "-m", "trajsim", *map(str, arguments)]


def environment():
    """With this repository's package first."""
    path = os.pathsep.join(filter(None, [str(common.HERE.parent), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


# -- scaling -----------------------------------------------------------------------------------


def published(folders):
    """(seconds since the epoch, trajectories) of all blocks of some shards, in order."""
    return sorted(
        (path.stat().st_mtime, int(path.name.split("-")[3]))
        for folder in folders
        for path in folder.glob("block-*.h5")
    )


def rate(folder, trajectories, commands):
    """Periods a second from the moment when all are at work, and seconds from the shell.

    commands : options of each of the processes that run side by side
    """
    shutil.rmtree(folder, ignore_errors=True)
    settings = [*COARSE, f"ensemble.trajectories={trajectories}"]
    more = [word for setting in settings for word in ("--set", setting)]
    began = time.perf_counter()
    running = [
        subprocess.Popen(
            command("run", PUMP, "-o", folder / "x.h5", "--json", *more, *options),
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for options in commands
    ]
    for process in running:
        _, said = process.communicate()
        assert process.returncode == 0, said
    seconds = time.perf_counter() - began
    folders = sorted(folder.glob("*.parts"))
    assert len(folders) == len(commands)
    blocks = published(folders)
    # The first block of each is small, and its end the moment when all are ready.
    start = max(published([one])[0][0] for one in folders)
    counted = [trajectories for moment, trajectories in blocks if moment > start]
    return sum(counted) * (PERIODS + 2) / (blocks[-1][0] - start), seconds, folders


def scaling(folder, trajectories, rounds):
    """One and two of everything, taking turns."""
    ways = {
        ("threads", 1): [["--shard", "1/1", "--workers", 1]],
        ("threads", 2): [["--shard", "1/1", "--workers", 2]],
        ("dask, processes of this machine", 1): [
            ["--shard", "1/1", "--engine", "dask", "--workers", 1]
        ],
        ("dask, processes of this machine", 2): [
            ["--shard", "1/1", "--engine", "dask", "--workers", 2]
        ],
        ("shards, a process each", 1): [["--shard", "1/1", "--workers", 1]],
        ("shards, a process each", 2): [["--shard", f"{k}/2", "--workers", 1] for k in (1, 2)],
    }
    found = {way: [] for way in ways}
    for number in range(rounds):
        for way, commands in ways.items():
            rates, seconds, folders = rate(folder / "shards", trajectories, commands)
            found[way].append((rates, seconds))
            print(f"round {number + 1}: {way}: {rates:.3g} periods/s", file=sys.stderr)
    began = time.perf_counter()
    subprocess.run(
        command("merge", *folders, "-o", folder / "x.h5", "--json"),
        env=environment(),
        check=True,
        capture_output=True,
    )
    merging = time.perf_counter() - began
    print("\n| engine | workers | million periods/s, best | median | times one | s, the whole |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for (name, workers), values in found.items():
        rates = [each for each, _ in values]
        one = [each for each, _ in found[name, 1]]
        times = statistics.median(r / o for r, o in zip(rates, one, strict=True))
        print(
            f"| {name} | {workers} | {max(rates) / 1e6:.2f} | {statistics.median(rates) / 1e6:.2f} "
            f"| {times:.2f} | {min(seconds for _, seconds in values):.1f} |"
        )
    size = (folder / "x.h5").stat().st_size / 1e6
    print(f"\n`trajsim merge` of the two shards, {size:.1f} MB: {merging:.1f} s from the shell.")


# -- what a block costs ------------------------------------------------------------------------


@contextlib.contextmanager
def cluster(folder, workers):
    """Address of a scheduler with workers, in processes of their own."""
    file = folder / "scheduler.json"
    with open(folder / "said", "wb") as said:
        start = partial(
            subprocess.Popen,
            cwd=folder,
            env=environment(),
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        python = [sys.executable, "-m"]
        files = ["--scheduler-file", str(file), "--no-dashboard"]
        running = [
            start([*python, "distributed.cli.dask_scheduler", *files, "--port", "0"]),
            start(
                [
                    *(*python, "distributed.cli.dask_worker", *files, "--nthreads", "1"),
                    *("--nworkers", str(workers), "--nanny"),
                ]
            ),
        ]
    try:
        while not file.exists():
            time.sleep(0.05)
        yield json.loads(file.read_text())["address"]
    finally:
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def block_costs(folder, address, most, count):
    """What blocks of at most so many bytes cost the process that publishes them.

    Returns the number of blocks, their bytes, and for each: seconds of the processor of the whole
    process, seconds of it in verifying and publishing, and seconds on the clock of the latter.
    """
    from trajsim.config import load
    from trajsim.running import blocks
    from trajsim.running.provenance import layout_of
    from trajsim.running.run import simulate
    from trajsim.store import Shard, UnfinishedRun

    settings = ("ensemble.periods=50", "ledger.periods_per_row=1")
    one = layout_of(load(PUMP, settings)).trajectory_bytes
    config = load(PUMP, (*settings, f"ensemble.trajectories={max(1, count * (most // one))}"))
    adopt, lock, seen = UnfinishedRun.adopt, threading.Lock(), []

    def timed(parts, name, image, *task):
        clock, processor = time.perf_counter(), time.thread_time()
        block = adopt(parts, name, image, *task)
        with lock:
            seen.append(
                (
                    len(image),
                    time.thread_time() - processor,
                    time.perf_counter() - clock,
                    time.process_time(),
                )
            )
        return block

    before, blocks.MOST_BLOCK_BYTES, UnfinishedRun.adopt = blocks.MOST_BLOCK_BYTES, most, timed
    try:
        shutil.rmtree(folder, ignore_errors=True)
        simulate(config, folder / "x.h5", engine=f"dask:{address}", shard=Shard(1, 1))
    finally:
        blocks.MOST_BLOCK_BYTES, UnfinishedRun.adopt = before, adopt
    # Blocks grow to their size first.
    full = max(size for size, *_ in seen)
    first = next(n for n, (size, *_) in enumerate(seen) if size > 0.9 * full)
    kept = seen[first:]
    whole = (kept[-1][3] - kept[0][3]) / (len(kept) - 1)
    return (
        len(kept),
        statistics.median(size for size, *_ in kept),
        whole,
        statistics.median(used for _, used, *_ in kept),
        statistics.median(clock for _, _, clock, _ in kept),
    )


def costs(folder, count):
    """Blocks of several sizes, and what follows for 1,000 workers."""
    with cluster(folder, 2) as address:
        # The workers import and compile.
        block_costs(folder / "warm", address, 64 << 10, 20)
        rows = [block_costs(folder / "costs", address, most, count) for most in SIZES]
    print("\n| bytes of a block | blocks | ms of the processor | verifying, publishing ", end="")
    print("| ms on the clock of that | 1,000 workers: s a block, at least | MB/s then |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for number, size, whole, used, clock in rows:
        # Of two blocks side by side one is published while the other is received.
        least = max(whole, clock / 2)
        print(
            f"| {size:,.0f} | {number} | {1e3 * whole:.1f} | {1e3 * used:.1f} | {1e3 * clock:.1f} "
            f"| {1000 * least:.1f} | {size / least / 1e6:.0f} |"
        )


def main():
    """Measure and print."""
    options = common.arguments(
        __doc__.splitlines()[0],
        costs={"action": "store_true", "help": "only what a block costs"},
    )
    rounds = options.rounds or (1 if options.quick else 3)
    with tempfile.TemporaryDirectory(dir=common.HERE.parent / "runs") as name:
        folder = Path(name)
        costs(folder, 20 if options.quick else 100)
        if not options.costs:
            scaling(folder, 2_000 if options.quick else 10_000, rounds)
    machine = common.machine(("distributed",))
    print(f"\n{machine['processor']}, {machine['cores']} cores, load {machine['load']}")


if __name__ == "__main__":
    main()
