"""What all benchmarks share: paired timing, the machine named, tables, JSON, C by ctypes."""

import argparse
import ctypes
import gc
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
CONFIGS = HERE.parent / "configs"
RESULTS = HERE / "results"
LIBRARIES = ("trajsim", "numba", "llvmlite", "numpy", "scipy", "h5py")
X86 = platform.machine() in ("x86_64", "AMD64")
# Wide vectors are to be had by asking only: by itself the compiler stays at half their width.
FLAGS = ("-O3", "-march=native", *(("-mprefer-vector-width=512",) if X86 else ()))
FLAGS_AVX2 = ("-O3", "-march=x86-64-v3")
# Processors this process may use; read before a benchmark keeps itself to one.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class Contender:
    """One of those that are timed side by side.

    name : as in the tables
    run : does `amount` of work when called with the number of the round
    amount : work of one call, in the unit of the benchmark
    after : called when the clock has stopped
    """

    name: str
    run: Callable[[int], Any]
    amount: float
    after: Callable[[], Any] = lambda: None


def race(contenders: Sequence[Contender], rounds: int, warm: bool = True) -> dict[str, list[float]]:
    """Seconds per unit of work of every contender in every round.

    Each is called once first (`warm`), to compile; then all take turns, so that whatever else the
    machine does meets them alike, and a ratio of two is taken within a round.
    """
    seconds: dict[str, list[float]] = {c.name: [] for c in contenders}
    for contender in contenders if warm else []:
        contender.run(0)
        contender.after()
    gc.collect()
    gc.disable()
    try:
        for number in range(1, rounds + 1):
            for contender in contenders:
                began = time.perf_counter()
                contender.run(number)
                spent = time.perf_counter() - began
                seconds[contender.name].append(spent / contender.amount)
                contender.after()
    finally:
        gc.enable()
    return seconds


def times(values: Sequence[float]) -> dict[str, Any]:
    """Least and median of the rounds, and the rounds themselves."""
    return {
        "min": float(min(values)),
        "median": float(np.median(values)),
        "rounds": [float(f"{v:.6g}") for v in values],
    }


def ratios(slow: Sequence[float], fast: Sequence[float]) -> dict[str, float]:
    """How many times faster the second is, pair by pair: median, least and most."""
    pairs = np.array(slow) / np.array(fast)
    return {"median": float(np.median(pairs)), "min": pairs.min(), "max": pairs.max()}


def fewest(good: Callable[[int], bool], most: int = 20_000) -> int | None:
    """Least number above 8 that is good, if all above it are; None if it is beyond `most`."""
    low, high = 8, 16
    while not good(high):
        low, high = high, 2 * high
        if high > most:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if good(middle) else (middle, high)
    return high


# -- the machine ---------------------------------------------------------------------------------


@cache
def _cpuinfo() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    # The first processor stands for all.
    return {k.strip(): v.strip() for k, v in reversed(list(pairs))}


def machine(libraries: Sequence[str] = (), avx2: bool = False) -> dict[str, Any]:
    """Processor, system, compiler and versions that the numbers belong to.

    avx2 : nothing wider was used
    """
    info = _cpuinfo()
    known = ("avx2",) if avx2 else ("avx2", "avx512f")
    vectors = [name for name in known if name in info.get("flags", "").split()]
    versions = {"python": platform.python_version()}
    for name in (*LIBRARIES, *libraries):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": info.get("model name", platform.processor() or platform.machine()),
        "vectors": vectors,
        "cores": CORES,
        "system": f"{platform.system()} {platform.machine()}",
        "compiler": compiler() or "none",
        "flags": " ".join(FLAGS_AVX2 if avx2 else FLAGS),
        "libraries": versions,
        "load": [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else [],
    }


# -- C -------------------------------------------------------------------------------------------


@cache
def compiler() -> str | None:
    """First line of what gcc says of itself, if there is one."""
    if not shutil.which("gcc"):
        return None
    said = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True)
    return said.stdout.splitlines()[0]


@cache
def build(source: str, avx2: bool = False) -> ctypes.CDLL | None:
    """Compile a file of benchmarks/c; None, with a word why, where that cannot be done."""
    if not compiler():
        print(f"{source} is left out: there is no gcc here", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "library.so"
        flags = [*(FLAGS_AVX2 if avx2 else FLAGS), "-shared", "-fPIC", "-o", str(library)]
        command = ["gcc", *flags, str(HERE / "c" / source), "-lm"]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            # The tuned ones want AVX2 at least.
            print(f"{source} is left out: gcc cannot compile it here", file=sys.stderr)
            return None
        return ctypes.CDLL(str(library))


def pointers(columns: dict[str, np.ndarray], names: Sequence[str]) -> ctypes.Structure:
    """Struct of pointers to arrays, in the order of the names."""

    class Columns(ctypes.Structure):
        _fields_ = [(name, ctypes.c_void_p) for name in names]

    assert all(columns[name].flags.c_contiguous for name in names)
    return Columns(*(columns[name].ctypes.data for name in names))


def fill(kind: type[ctypes.Structure], values: dict[str, Any]) -> ctypes.Structure:
    """A struct of numbers and of arrays of numbers."""
    made = kind()
    for name, ctype in kind._fields_:
        setattr(made, name, ctype(*values[name]) if np.ndim(values[name]) else values[name])
    return made


AVX2 = {"action": "store_true", "help": "as if the processor had no AVX-512"}


def without_avx512() -> None:
    """To be called before numba is imported: it then compiles for another processor."""
    os.environ["NUMBA_CPU_NAME"] = "haswell"
    os.environ["NUMBA_CPU_FEATURES"] = "+avx2,+bmi,+bmi2,+fma,+lzcnt,+popcnt"


# -- in and out ----------------------------------------------------------------------------------


def arguments(about: str, **more: dict[str, Any]) -> argparse.Namespace:
    """Options of a benchmark: --quick, --rounds, --save, --json, and its own."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test: the numbers mean nothing"
    )
    parser.add_argument("--rounds", type=int, default=None, help="times that all take turns")
    parser.add_argument(
        "--save", action="store_true", help="write the results to benchmarks/results, for report.py"
    )
    parser.add_argument("--json", type=Path, default=None, help="where else to write the results")
    for name, options in more.items():
        parser.add_argument(f"--{name}", **options)
    return parser.parse_args()


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows in columns, the first to the left, the others to the right."""
    cells = [[str(c) for c in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for number, row in enumerate(cells):
        first, *rest = (
            c.rjust(w) if i else c.ljust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *rest]).rstrip())
        if number == 0:
            print("-" * (sum(widths) + 2 * len(widths) - 2))


def save(
    name: str, options: argparse.Namespace, results: dict[str, Any], libraries: Sequence[str] = ()
) -> None:
    """Write results to the file of --json, with --save to benchmarks/results/<name>.json."""
    path = options.json or (RESULTS / f"{name}.json" if options.save else None)
    if path is None:
        return
    command = ["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]
    # Where it went is nobody's business.
    if options.json:
        at = command.index("--json")
        del command[at : at + 2]
    command = [word for word in command if word != "--save"]
    found = {
        "benchmark": name,
        "command": " ".join(command),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(libraries, getattr(options, "avx2", False)),
        **results,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1, default=float, allow_nan=False) + "\n")
    print(f"\nwrote {path.name}")
