"""Disturbs runs in earnest and prints what became of them: `python tests/faults/run.py --help`."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import faults
from program import Anew, Forked, Program
from scene import CONFIG, Outcome, Scene, table


def plan(small: Scene, large: Scene, whole: bool) -> Iterator[Callable[[], Iterator[Outcome]]]:
    """All faults; every moment of the small scene if `whole`, else a sample."""
    few = None if whole else 8
    yield lambda: faults.killed_at_random(large, 100 if whole else 8)
    yield lambda: faults.stopped_by_signals(large, 25 if whole else 3)
    yield lambda: faults.limited_file_size(small, 20 if whole else 3)
    yield lambda: faults.read_only(small)
    yield lambda: faults.damaged(small, 10 if whole else 1)
    yield lambda: faults.other_header(small)
    yield lambda: faults.other_config(small)
    yield lambda: faults.racing(small, 20 if whole else 2)
    if small.program.shim:
        yield lambda: faults.killed_before_calls(small, None if whole else 24)
        yield lambda: faults.killed_within_writes(small, few)
        yield lambda: faults.stopped_before_calls(small, few)
        yield lambda: faults.failing_calls(small, few)
        yield lambda: faults.filled_disk(small, 20 if whole else 3)
        yield lambda: faults.vanished(small, few)
        yield lambda: faults.two_at_once(small, few)


def main() -> None:
    """Run all, print the table, end with 1 if anything was not as it should be."""
    parser = argparse.ArgumentParser(description="Disturb runs and count what became of them.")
    parser.add_argument("--short", action="store_true", help="a sample of the moments")
    parser.add_argument("--only", default="", help="faults whose function has this in its name")
    parser.add_argument("--forked", action="store_true", help="fork commands, for all faults")
    options = parser.parse_args()
    outcomes: list[Outcome] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        warm = folder / "warm.toml"
        warm.write_text(CONFIG.format(points=2, trajectories=300, period=10.0))
        forked = Forked(folder, warm)
        anew: Program = forked if options.forked or options.short else Anew(folder)
        small = Scene(forked, folder / "small", points=3, trajectories=60)
        large = Scene(anew, folder / "large", points=24, trajectories=1500, period=100.0)
        for made in plan(small, large, not options.short):
            for outcome in made():
                outcomes.append(outcome)
                for sentence in outcome.wrong:
                    print(f"{outcome.fault}, {outcome.moment}: {sentence}", file=sys.stderr)
        forked.close()
    print(table(outcomes))
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    print(
        f"\n{len(outcomes)} runs, {wrong} not as they should be, {time.monotonic() - began:.0f} s"
    )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
