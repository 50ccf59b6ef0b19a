"""Disturbs runs in earnest and prints what became of them: `python tests/faults/run.py --help`."""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import faults
from program import Anew, Forked
from scene import CONFIG, Outcome, Scene, table


def plan(small: Scene, large: Scene, whole: bool) -> Iterator[partial]:
    """All faults; every moment of the small scene if `whole`, else a sample."""
    every = None if whole else 5
    yield partial(faults.killed_at_random, large, 100 if whole else 6)
    yield partial(faults.stopped_by_signals, large, 25 if whole else 2)
    yield partial(faults.limited_file_size, small, 20 if whole else 2)
    yield partial(faults.read_only, small)
    yield partial(faults.damaged, small, 10 if whole else 1)
    yield partial(faults.other_header, small)
    yield partial(faults.other_config, small)
    yield partial(faults.racing, small, 20 if whole else 1)
    if small.program.shim:
        yield partial(faults.killed_before_calls, small, None if whole else 12)
        yield partial(faults.killed_within_writes, small, every)
        yield partial(faults.stopped_before_calls, small, every)
        yield partial(faults.killed_shards, small, None if whole else 4)
        yield partial(faults.failing_calls, small, every)
        yield partial(faults.filled_disk, small, 20 if whole else 2)
        yield partial(faults.vanished, small, every)
        yield partial(faults.two_at_once, small, every)


@contextmanager
def scenes(folder: Path, whole: bool) -> Iterator[tuple[Scene, Scene]]:
    """A small and a large run to disturb; commands of the large one start anew if `whole`."""
    folder.chmod(0o755)
    warm = folder / "warm.toml"
    warm.write_text(CONFIG.format(points=2, trajectories=300, period=10.0))
    forked = Forked(folder, warm)
    try:
        program = Anew(folder) if whole else forked
        small = Scene(forked, folder / "small", points=3, trajectories=60)
        size = {"points": 24, "trajectories": 1500, "period": 100.0}
        if not whole:
            size = {"points": 12, "trajectories": 500, "period": 50.0}
        yield small, Scene(program, folder / "large", **size)
    finally:
        forked.close()


def main() -> None:
    """Run all, print the table, end with 1 if anything was not as it should be."""
    parser = argparse.ArgumentParser(description="Disturb runs and count what became of them.")
    parser.add_argument("--short", action="store_true", help="a sample of the moments")
    parser.add_argument("--only", default="", help="regular expression for names of functions")
    options = parser.parse_args()
    outcomes: list[Outcome] = []
    began, whole = time.monotonic(), not options.short
    with tempfile.TemporaryDirectory() as name, scenes(Path(name), whole) as (small, large):
        for fault in plan(small, large, whole):
            for outcome in fault() if re.search(options.only, fault.func.__name__) else ():
                outcomes.append(outcome)
                for sentence in outcome.wrong:
                    print(f"{outcome.fault}, {outcome.moment}: {sentence}", file=sys.stderr)
    print(table(outcomes))
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    seconds = time.monotonic() - began
    print(f"\n{len(outcomes)} runs, {wrong} not as they should be, {seconds:.0f} s")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
