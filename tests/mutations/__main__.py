"""Mutation run: every fault of `edits` is made in a copy of the package, and a test must find it.

    python -m tests.mutations [--only TEXT ...] [--list]

For each fault the tests most likely to find it run first, then, if they did not, the whole default
run, up to the first failure. Prints a table of which test caught which; exit status 1 if any fault
survived. Without a fault the copy must pass the same tests.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tests.mutations.edits import EDITS, Edit

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info", "*.h5", "*.parts"
)
# The default run; tests of the list of faults would find that one of them no longer applies.
ALL = ("--ignore=tests/mutations",)
# Statuses of pytest.
PASSED, FAILED = 0, 1


class Found(NamedTuple):
    """The first test that failed, None if all passed; tests run and seconds taken until then."""

    test: str | None
    tests: int
    seconds: float


class Copy:
    """A copy of the package and its tests in `folder`, where faults can be made."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "copy"
        shutil.copytree(ROOT, self.root, ignore=LEFT_OUT)
        self._report = folder / "report.xml"
        self._passed: set[tuple[str, ...]] = set()
        # Compiled code goes with the copy; what is not compiled finds that of the one before.
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(self.root),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        where = self._run("-c", "import trajsim; print(trajsim.__file__)").stdout.strip()
        if not Path(where).is_relative_to(self.root):
            raise SystemExit(f"tests would import {where}, not the copy in {self.root}")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=self.root, env=self._environment, capture_output=True, text=True
        )

    @contextmanager
    def fault(self, edit: Edit) -> Iterator[None]:
        """Make a fault for a while; after it the file is as before, to its last bit and its time.

        By the time compiled code is found again.
        """
        path = self.root / "trajsim" / edit.file
        text, times = path.read_text(encoding="utf-8"), path.stat()
        if text.count(edit.old) != 1:
            raise SystemExit(f"{edit.name}: its text is {text.count(edit.old)} times in {path}")
        path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
        yield
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def first_failure(self, *tests: str) -> Found:
        """Run tests, all of the default run if none are named, until one fails."""
        self._report.unlink(missing_ok=True)
        began = time.perf_counter()
        report = f"--junitxml={self._report}"
        done = self._run("-m", "pytest", "-x", "-p", "no:cacheprovider", report, *tests)
        seconds = time.perf_counter() - began
        if done.returncode not in (PASSED, FAILED):
            raise SystemExit(f"pytest ended with {done.returncode}\n{done.stdout}{done.stderr}")
        cases = list(ElementTree.parse(self._report).iter("testcase"))
        broken = [c for c in cases if c.find("failure") is not None or c.find("error") is not None]
        name = None
        if broken:
            place = broken[0].get("classname", "").rsplit(".", 1)[-1]
            name = f"{place}::{broken[0].get('name', '')}"
        return Found(name, len(cases), seconds)

    def must_pass(self, *tests: str) -> None:
        """Make sure, once, that tests pass without a fault."""
        if tests not in self._passed:
            found = self.first_failure(*tests)
            if found.test is not None:
                raise SystemExit(f"without any fault {found.test} fails already")
            note = f"without a fault {found.tests} tests pass in {found.seconds:.0f} s"
            print(note, file=sys.stderr, flush=True)
            self._passed.add(tests)


def hunt(copy: Copy, edit: Edit) -> Found:
    """First test that finds a fault."""
    with copy.fault(edit):
        found = copy.first_failure(*edit.first)
    if found.test is None:
        copy.must_pass(*ALL)
        with copy.fault(edit):
            rest = copy.first_failure(*ALL)
        found = Found(rest.test, found.tests + rest.tests, found.seconds + rest.seconds)
    return found


def line(edit: Edit, found: Found) -> str:
    """A line of the table."""
    caught = f"`{found.test}`" if found.test else "**survived**"
    return f"| {edit.name} | `{edit.file}` | {caught} | {found.tests} | {found.seconds:.0f} |"


def main() -> int:
    """Hunt all faults, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[""], help="parts of names or files of faults")
    parser.add_argument("--list", action="store_true", help="name the faults and stop")
    asked = parser.parse_args()
    edits = [e for e in EDITS if any(part in e.name or part in e.file for part in asked.only)]
    if asked.list:
        print("\n".join(f"{edit.file}: {edit.name}" for edit in edits))
        return 0
    with tempfile.TemporaryDirectory(prefix="trajsim-mutations-") as folder:
        copy = Copy(Path(folder))
        tests = sorted({test for edit in edits for test in edit.first})
        copy.must_pass(*tests)
        print("| fault | in | found by | tests run | s |\n|---|---|---|---|---|", flush=True)
        survivors = 0
        for edit in edits:
            found = hunt(copy, edit)
            survivors += found.test is None
            print(line(edit, found), flush=True)
    print(f"\n{len(edits) - survivors} of {len(edits)} faults found")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
