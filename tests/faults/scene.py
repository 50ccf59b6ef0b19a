"""A run that is to be disturbed, and what must hold afterwards, read without trajsim's own code."""

import collections
import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import h5py
from program import Ended, Program, Shim

FIRST_WORD = "disturbed"

CONFIG = """\
title = "a run to be disturbed"

[model]
kind = "spins"
rate = 0.5
rate_law = "glauber-product"

[drive]
period = {period}

[baths]
L = {{ temperature = 0.5 }}
R = {{ temperature = 0.499 }}

[[sites]]
name = "1"
bath = "L"
drive = {{ amplitude = 0.25, phase = 0.0 }}

[[sites]]
name = "2"
bath = "R"
drive = {{ amplitude = 0.25, phase = 2.2 }}

[[bonds]]
sites = ["1", "2"]
coupling = 1.0

[ensemble]
trajectories = {trajectories}
periods = 8
burn_in = 2
seed = 2007

[sweep]
"sites.2.drive.phase" = {{ start = 0.0, stop = 6.0, num = {points} }}
"""


class Block(NamedTuple):
    """A published block as the manifest tells of it."""

    file: str
    sha256: str
    trajectories: int


class Outcome(NamedTuple):
    """What became of one disturbed run; `wrong` has everything that should not have been."""

    fault: str
    moment: str
    status: int
    acknowledged: int
    kept: int
    wrong: list[str]


class Scene:
    """One config, its undisturbed run, and a folder in which it is run again and disturbed.

    Parameters
    ----------
    program : how commands are started
    folder : for the disturbed runs; made anew for each
    points, trajectories, period : size of the run; every point has blocks of its own
    """

    def __init__(
        self, program: Program, folder: Path, points: int, trajectories: int, period: float = 10.0
    ) -> None:
        self.program, self.folder = program, folder
        folder.mkdir()
        self.stage = folder / "stage"
        self.output = self.stage / "x.h5"
        self.parts = self.stage / "x.h5.parts"
        self.log = folder / "calls.log"
        self.config = folder / "config.toml"
        self.config.write_text(
            CONFIG.format(points=points, trajectories=trajectories, period=period)
        )
        self.clear()
        shim = Shim(self.stage, self.log) if program.shim else None
        command = self.start(shim=shim)
        began = time.monotonic()
        command.until(lambda: FIRST_WORD in command.stderr)
        before = time.monotonic() - began
        ended = command.wait()
        assert ended.status == 0, ended.said
        self.sha256, self.data = sha256(self.output), data_of(self.output)
        self.seconds, self.size = ended.seconds, self.output.stat().st_size
        # Without starting the program.
        self.working = ended.seconds - before
        self.calls = self.logged("begin")
        # The same run, killed when all blocks were there and none was packed.
        self.whole = folder / "whole.parts"

    def clear(self) -> None:
        """An empty stage, an empty log."""
        shutil.rmtree(self.stage, ignore_errors=True)
        self.stage.mkdir()
        self.log.unlink(missing_ok=True)

    def start(self, *options, **more):
        """Begin the run."""
        command = ("run", self.config, "-o", self.output, "--json", *options)
        return self.program.start(*command, **more)

    def run(self, *options, **more) -> Ended:
        """The run from its beginning to its end."""
        return self.start(*options, **more).wait()

    def shim(self, **more) -> Shim:
        """Faults in the stage."""
        return Shim(self.stage, self.log, **more)

    def logged(self, what: str) -> list[tuple[str, str]]:
        """Calls (kind, path) that began, or ended well."""
        if not self.log.exists():
            return []
        lines = [line.split(" ", 2) for line in self.log.read_text().splitlines()]
        return [(line[1], line[2]) for line in lines if line[0] == what]

    def unfinished(self) -> None:
        """Put on the stage what a run leaves that was killed after its last block."""
        if not self.whole.exists():
            self.clear()
            at = 1 + next(k for k, (_, path) in enumerate(self.calls) if "packed" in path)
            ended = self.run("--workers", 1, shim=self.shim(at=at, signal=9))
            assert ended.status == -9, ended.said
            shutil.copytree(self.parts, self.whole)
        self.clear()
        shutil.copytree(self.whole, self.parts)

    # -- what must hold ----------------------------------------------------------------------

    def complete(self) -> bool:
        """Whether the output is there and nothing is left to resume."""
        return self.output.exists() and not (self.parts / "header.json").exists()

    def acknowledged(self, parts: Path | None = None) -> int:
        """Blocks whose line in the manifest had been synced."""
        return sum(
            kind == "fsync" and path == str((parts or self.parts) / "manifest.jsonl")
            for kind, path in self.logged("end")
        )

    def sound(self, parts: Path | None = None) -> list[Block]:
        """Blocks that are listed, whole, and as they were published."""
        folder = parts or self.parts
        manifest = folder / "manifest.jsonl"
        lines = manifest.read_bytes().split(b"\n")[:-1] if manifest.exists() else []
        found = []
        for line in lines:
            entry = json.loads(line)
            path = folder / entry["file"]
            if path.exists() and sha256(path) == entry["sha256"]:
                found.append(Block(entry["file"], entry["sha256"], entry["trajectories"]))
        return found

    def judge(
        self,
        fault: str,
        moment: object,
        ended: Ended,
        expected: Iterable[int],
        says: str = "",
        resume: bool = True,
        keeps: bool = True,
        whole: bool = True,
    ) -> Outcome:
        """Look at how a disturbed run ended and at what it left, then resume it.

        Parameters
        ----------
        expected : exit statuses that are right
        says : regular expression that its message must contain
        resume : whether the disturbance is over and the run can be taken up
        keeps : whether the disturbance left the blocks alone
        whole : whether the final file, header and all, must be that of the undisturbed run; if not,
            its data
        """
        wrong = []
        expected = tuple(expected)
        if ended.status not in expected:
            wrong.append(f"status {ended.status}, not {expected}: {ended.said[-2000:]}")
        if "Traceback" in ended.said or "Error:" in ended.stderr.replace("OSError:", ""):
            wrong.append(f"traceback: {ended.stderr[-2000:]}")
        if ended.status > 0 and not re.search(says or r"\w", ended.stderr):
            wrong.append(f"says nothing of {says!r}: {ended.stderr[-500:]}")
        complete = self.complete()
        if ended.status == 0 and keeps and not complete:
            wrong.append("it said that all is well, and the output is not there")
        acknowledged = self.acknowledged() if keeps else 0
        sound = [] if complete else self.sound()
        if not complete and len(sound) < acknowledged:
            wrong.append(f"{acknowledged} blocks were acknowledged, {len(sound)} are there")
        if resume:
            wrong += self._resume(complete, sum(block.trajectories for block in sound), whole)
        return Outcome(
            fault,
            str(moment),
            ended.status,
            acknowledged,
            acknowledged if complete else len(sound),
            wrong,
        )

    def judge_damage(self, fault: str, moment: object, told: Ended, sound: list[Block]) -> Outcome:
        """Look at what `verify` told of a damaged folder with these sound blocks, then resume."""
        wrong = []
        if told.status != 1 or "Traceback" in told.said:
            wrong.append(f"verify: {told.said}")
        wrong += self._resume(False, sum(block.trajectories for block in sound))
        return Outcome(fault, str(moment), told.status, len(sound), len(sound), wrong)

    def _resume(self, complete: bool, trajectories: int, whole: bool = True) -> list[str]:
        """What is wrong with the run when it is taken up with so many trajectories done."""
        again = self.run("--resume")
        if complete:
            if again.status != 0 or "already complete" not in again.stderr:
                return [f"a complete run is resumed: {again.said}"]
        elif again.status != 0:
            return [f"not resumed: {again.said}"]
        wrong = []
        done = re.search(r"resuming: (\d+) trajectories", again.stderr)
        if not complete and int(done[1] if done else 0) < trajectories:
            wrong.append(f"published are {trajectories} trajectories: {again.stderr}")
        if not self.output.exists() or data_of(self.output) != self.data:
            wrong.append("the final data are not those of the undisturbed run")
        elif whole and sha256(self.output) != self.sha256:
            wrong.append("the final file is not that of the undisturbed run")
        left = sorted(path.name for path in self.stage.iterdir() if path != self.output)
        if left:
            wrong.append(f"left behind: {left}")
        return wrong


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def data_of(path: Path) -> dict[str, str]:
    """SHA-256 of every array of a finished file."""
    with h5py.File(path) as file:
        arrays = {name: values for name, values in file["ledger"].items() if values.dtype != object}
        return {name: hashlib.sha256(values[()]).hexdigest() for name, values in arrays.items()}


def table(outcomes: list[Outcome]) -> str:
    """Counts by fault, as Markdown."""
    rows = [
        "| fault | runs | ended as they should | exit statuses | blocks acknowledged | lost |"
        " resumed to the same bytes |",
        "| --- | ---: | ---: | --- | ---: | ---: | ---: |",
    ]
    for fault in dict.fromkeys(outcome.fault for outcome in outcomes):
        of = [outcome for outcome in outcomes if outcome.fault == fault]
        statuses = collections.Counter(outcome.status for outcome in of)
        told = ", ".join(f"{count} × {_status(s)}" for s, count in sorted(statuses.items()))
        lost = sum(max(0, o.acknowledged - o.kept) for o in of)
        good = sum(not o.wrong for o in of)
        same = sum(not any("final" in w or "resumed" in w for w in o.wrong) for o in of)
        acknowledged = sum(o.acknowledged for o in of)
        rows.append(f"| {fault} | {len(of)} | {good} | {told} | {acknowledged} | {lost} | {same} |")
    return "\n".join(rows)


def _status(status: int) -> str:
    return f"signal {-status}" if status < 0 else str(status)
