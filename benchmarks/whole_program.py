"""The program as a user meets it: a million periods from the shell to the file, and start-up.

Processes are timed from outside; the kernels are in the cache, unless a row says otherwise.

    python benchmarks/whole_program.py
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import common

PUMP, QUARTIC = common.CONFIGS / "heat_pump.toml", common.CONFIGS / "quartic_pair.toml"
TRAJSIM = shutil.which("trajsim", path=os.path.dirname(sys.executable)) or "trajsim"
PERIODS = 50
SETTINGS = ("ensemble.trajectories=2", "ensemble.periods=1", "ledger.periods_per_row=1")
TINY = tuple(word for setting in SETTINGS for word in ("--set", setting))


def call(*command, **environment):
    """Run a process to its end; returns its wall time, processor time, peak MB and output."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    out = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # 1: the check of few trajectories may say so, which is no failure of the program.
    assert process.returncode in (0, 1), f"{command[1]} ended with {process.returncode}"
    wall = time.perf_counter() - began
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, out


def runs(folder, trajectories, rounds, quick):
    """`trajsim run` of the pump with one and more workers, taking turns."""
    output = folder / "run.h5"
    more = ["--set", f"ensemble.trajectories={trajectories}"]
    more += ["--set", f"ensemble.periods={PERIODS}", "-o", output, "--force", "--json"]
    inside, size, used = {}, 0, {}

    def once(_, workers):
        nonlocal size
        found = call(TRAJSIM, "run", PUMP, *more, "--workers", workers)
        size = output.stat().st_size
        inside.setdefault(workers, []).append(json.loads(found[3])["wall_time"])
        used.setdefault(workers, []).append(found[1:3])

    counts = [1] if quick else sorted({1, min(2, common.CORES), common.CORES})
    taken = common.race(
        [common.Contender(str(n), partial(once, workers=n), 1) for n in counts], rounds, rounds > 1
    )
    found = {}
    for n in counts:
        wall = common.times(taken[str(n)])
        found[str(n)] = {
            "wall_seconds": wall,
            "wall_seconds_inside": common.times(inside[n][-rounds:]),
            "cpu_seconds": min(cpu for cpu, _ in used[n]),
            "peak_megabytes": max(peak for _, peak in used[n]),
            "file_bytes": size,
            "bytes_per_second": size / wall["min"],
            "times_faster_than_one": {
                "best": min(taken["1"]) / wall["min"],
                **common.ratios(taken["1"], taken[str(n)]),
            },
        }
    return found


def writing(folder, size, rounds):
    """What the disk takes: bytes a second of a plain write with fsync."""
    block = os.urandom(1 << 20)

    def once(_):
        with open(folder / "plain", "wb") as file:
            for _ in range(max(1, size >> 20)):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())

    amount = max(1, size >> 20) << 20
    return 1 / min(common.race([common.Contender("disk", once, amount)], rounds)["disk"])


def start_up(folder, rounds, quick):
    """Seconds of the parts of a start, from nothing to a run of two trajectories."""
    run = (TRAJSIM, "run", PUMP, *TINY, "-o", folder / "tiny.h5", "--force")
    commands = {
        "python, nothing": (sys.executable, "-c", ""),
        "trajsim --help": (TRAJSIM, "--help"),
        "import trajsim.running.run": (sys.executable, "-c", "import trajsim.running.run"),
        "trajsim validate": (TRAJSIM, "validate", PUMP),
        "trajsim run, two trajectories": run,
    }
    if quick:
        commands = {"trajsim --help": commands["trajsim --help"]}
    contenders = [
        common.Contender(name, lambda _, c=command: call(*c), 1)
        for name, command in commands.items()
    ]
    taken = common.race(contenders, rounds, warm=rounds > 1)
    return {name: common.times(t) for name, t in taken.items()}


def imports():
    """Milliseconds that importing the runs spends in modules of each library, largest first."""
    command = [sys.executable, "-X", "importtime", "-c", "import trajsim.running.run"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    spent = {}
    for line in said.splitlines()[1:]:
        own, _, module = (part.strip() for part in line.removeprefix("import time:").split("|"))
        library = module.split(".")[0]
        library = "standard library" if library in sys.stdlib_module_names else library
        spent[library] = spent.get(library, 0.0) + int(own) / 1000
    return dict(sorted(spent.items(), key=lambda item: -item[1]))


def first_compile(rounds):
    """Seconds of a run of two trajectories when nothing is compiled yet."""

    def once(_, config):
        with tempfile.TemporaryDirectory() as empty:
            call(
                *(TRAJSIM, "run", config, *TINY, "-o", Path(empty) / "tiny.h5"),
                NUMBA_CACHE_DIR=f"{empty}/numba",
                XDG_CACHE_HOME=f"{empty}/cache",
            )

    named = {"spins, pair": PUMP, "oscillators, pair": QUARTIC}
    contenders = [common.Contender(n, partial(once, config=c), 1) for n, c in named.items()]
    taken = common.race(contenders, rounds, warm=False)
    return {name: common.times(t) for name, t in taken.items()}


def main():
    options = common.arguments("The whole program")
    rounds = options.rounds or (1 if options.quick else 5)
    trajectories = 64 if options.quick else 20_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results = {
            "trajectories": trajectories,
            "periods": PERIODS,
            "runs": runs(folder, trajectories, rounds, options.quick),
            "start_up": start_up(folder, rounds, options.quick),
            "imports": imports(),
        }
        size = results["runs"]["1"]["file_bytes"]
        results["disk_bytes_per_second"] = writing(folder, size, rounds)
    if not options.quick:
        results["first_compile"] = first_compile(max(1, rounds // 2))
    report(results)
    common.save("whole_program", options, results)


def report(results):
    """Print the tables."""
    periods = results["trajectories"] * results["periods"]
    print(f"\ntrajsim run of {periods} pump periods, a row each, from the shell to the file")
    rows = []
    for n, run in results["runs"].items():
        wall = run["wall_seconds"]
        rows.append(
            [
                f"{n} worker{'s' if n != '1' else ''}",
                *(
                    f"{t:.2f}"
                    for t in (wall["min"], wall["median"], run["wall_seconds_inside"]["min"])
                ),
                f"{run['cpu_seconds']:.2f}",
                f"{run['times_faster_than_one']['best']:.2f}",
                f"{run['bytes_per_second'] / 1e6:.0f}",
                f"{run['peak_megabytes']:.0f}",
            ]
        )
    header = ["", "best, s", "median", "without start-up", "CPU, s", "speed-up"]
    common.table([*header, "file MB/s", "peak MB"], rows)
    print(
        f"file: {results['runs']['1']['file_bytes'] / 1e6:.0f} MB; "
        f"the disk takes {results['disk_bytes_per_second'] / 1e6:.0f} MB/s with fsync"
    )
    print("\nstart-up")
    parts = {**results["start_up"]}
    for name, t in results.get("first_compile", {}).items():
        parts[f"the same with nothing compiled, {name}"] = t
    rows = [[name, f"{t['min']:.2f}", f"{t['median']:.2f}"] for name, t in parts.items()]
    common.table(["", "best, s", "median"], rows)
    print("\nwhere importing trajsim.running.run spends its time (python -X importtime)")
    common.table(["", "ms"], [[k, f"{v:.0f}"] for k, v in list(results["imports"].items())[:8]])


if __name__ == "__main__":
    main()
