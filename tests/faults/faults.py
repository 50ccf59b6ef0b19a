"""Every fault: each function disturbs runs of a scene at several moments; gives the outcomes."""

import contextlib
import errno
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from binding import bind
from program import Command, Ended
from scene import FIRST_WORD, Outcome, Scene, sha256

DONE, REFUSED, STOPPED, RAN_OUT = 0, 2, 3, 5
KILLED = -signal.SIGKILL
NOBODY = 65534


def _spread(last: int, count: int | None) -> Sequence[int]:
    """1 ... last, or `count` of these."""
    if count is None or count >= last:
        return range(1, last + 1)
    return sorted({1 + round(k * (last - 1) / (count - 1)) for k in range(count)})


# -- the process is taken away ---------------------------------------------------------------------


def killed_at_random(scene: Scene, count: int, seed: int = 1) -> Iterator[Outcome]:
    """SIGKILL at a random moment, and every third time again in the run that resumes."""
    chance = random.Random(seed)
    for number in range(count):
        scene.clear()
        options: list[str] = []
        for _ in range(2 if number % 3 == 0 else 1):
            moment = chance.uniform(0.0, 1.05 * scene.seconds)
            command = scene.start(*options, shim=scene.shim() if scene.program.shim else None)
            ended = command.until(lambda: False, moment) or command.killed()
            options = ["--resume"]
            if scene.output.exists():
                break
        yield scene.judge("SIGKILL at a random moment", f"{moment:.3f} s", ended, (KILLED, DONE))


def killed_before_calls(scene: Scene, count: int | None) -> Iterator[Outcome]:
    """SIGKILL before the n-th call that changes a file."""
    for n in _spread(len(scene.calls), count):
        scene.clear()
        ended = scene.run("--workers", 1, shim=scene.shim(at=n, signal=signal.SIGKILL))
        yield scene.judge("SIGKILL before a call that changes a file", n, ended, (KILLED, DONE))


def killed_within_writes(scene: Scene, count: int | None) -> Iterator[Outcome]:
    """SIGKILL when half of a write is done."""
    writes = [n for n, (kind, _) in enumerate(scene.calls, 1) if kind == "write"]
    for k in _spread(len(writes), count):
        scene.clear()
        shim = scene.shim(at=writes[k - 1], signal=signal.SIGKILL, tear=True)
        ended = scene.run("--workers", 1, shim=shim)
        yield scene.judge("SIGKILL in the middle of a write", writes[k - 1], ended, (KILLED, DONE))


def stopped_by_signals(scene: Scene, count: int, seed: int = 2) -> Iterator[Outcome]:
    """SIGINT and SIGTERM at random moments after the program's first word."""
    chance = random.Random(seed)
    for number in (signal.SIGINT, signal.SIGTERM):
        for _ in range(count):
            scene.clear()
            command = scene.start(shim=scene.shim() if scene.program.shim else None)
            ended = command.until(lambda command=command: FIRST_WORD in command.stderr)
            moment = chance.uniform(0.0, scene.working)
            ended = ended or command.until(lambda: False, moment)
            if ended is None:
                command.send(number)
                ended = command.wait()
            # After the last word, Python lets the signal end what is left of the process.
            late = (-number,) if scene.complete() and " events in " in ended.stderr else ()
            yield scene.judge(
                f"{number.name} at a random moment",
                f"{moment:.3f} s",
                ended,
                (STOPPED, DONE, *late),
                says="--resume|complete",
            )


def stopped_before_calls(scene: Scene, count: int | None) -> Iterator[Outcome]:
    """SIGINT and SIGTERM before the n-th call that changes a file."""
    for k, n in enumerate(_spread(len(scene.calls), count)):
        number = (signal.SIGINT, signal.SIGTERM)[k % 2]
        scene.clear()
        ended = scene.run("--workers", 1, shim=scene.shim(at=n, signal=number))
        yield scene.judge(
            "SIGINT or SIGTERM before a call that changes a file",
            n,
            ended,
            (STOPPED, DONE),
            says="--resume|complete",
        )


# -- a run in shards -------------------------------------------------------------------------------


def killed_shards(scene: Scene, count: int | None) -> Iterator[Outcome]:
    """SIGKILL before the n-th call that changes a file, of one of two shards and of merging."""
    folders = [scene.stage / f"x.shard-{k}-of-2.h5.parts" for k in (1, 2)]

    def shard(number: int, *options: object, **more: Any) -> Ended:
        return scene.run("--workers", 1, "--shard", f"{number}/2", *options, **more)

    def merge(**more: Any) -> Ended:
        return scene.program.do("merge", scene.output, "--json", **more)

    def whole() -> list[str]:
        """What is wrong with the file that all shards make."""
        ended = merge()
        if ended.status != DONE:
            return [f"merge: {ended.said}"]
        return [] if sha256(scene.output) == scene.sha256 else ["merged to other bytes"]

    for fault, calls in (
        ("SIGKILL before a call of a shard", lambda: shard(2, shim=scene.shim())),
        ("SIGKILL before a call of merge", lambda: merge(shim=scene.shim())),
    ):
        scene.clear()
        merging = fault.endswith("merge")
        before = [shard(1), shard(2)] if merging else []
        scene.log.unlink(missing_ok=True)
        wrong = [e.said for e in [*before, calls()] if e.status != DONE]
        last = len(scene.logged("begin"))
        for n in _spread(last, count):
            if merging:
                scene.output.unlink(missing_ok=True)
            else:
                scene.clear()
                wrong += [] if shard(1).status == DONE else ["the other shard"]
            scene.log.unlink(missing_ok=True)
            shim = scene.shim(at=n, signal=signal.SIGKILL)
            ended = merge(shim=shim) if merging else shard(2, shim=shim)
            acknowledged = scene.acknowledged(folders[1])
            kept = len(scene.sound(folders[1]))
            if ended.status != KILLED:
                wrong.append(f"status {ended.status}: {ended.said}")
            if kept < acknowledged:
                wrong.append(f"{acknowledged} blocks were acknowledged, {kept} are there")
            if not merging:
                unfinished = merge()
                resumed = shard(2, "--resume")
                if unfinished.status not in (DONE, REFUSED) or resumed.status != DONE:
                    wrong.append(f"{unfinished.said}; {resumed.said}")
            if not scene.output.exists():
                wrong += whole()
            elif sha256(scene.output) != scene.sha256:
                wrong.append("merged to other bytes")
            yield Outcome(fault, str(n), ended.status, acknowledged, kept, wrong)
            wrong = []


# -- the disk fails --------------------------------------------------------------------------------


def failing_calls(scene: Scene, count: int | None) -> Iterator[Outcome]:
    """From the n-th call on the disk is full, broken, or read-only."""
    # Room to delete and to rename is left on a full disk; nothing is on one that is read-only.
    for name, error, kinds in (
        ("ENOSPC", errno.ENOSPC, "wotm"),
        ("EIO", errno.EIO, "wfrt"),
        ("EROFS", errno.EROFS, ""),
    ):
        for n in _spread(len(scene.calls), count):
            scene.clear()
            shim = scene.shim(at=n, error=error, kinds=kinds)
            ended = scene.run("--workers", 1, shim=shim, whole_exit=True)
            yield scene.judge(
                f"{name} from a call on that changes a file",
                n,
                ended,
                (REFUSED, RAN_OUT, STOPPED, DONE),
                says=os.strerror(error) + "|complete",
            )


def limited_file_size(scene: Scene, count: int) -> Iterator[Outcome]:
    """No file may grow beyond a limit."""
    largest = scene.size
    for n in range(count):
        limit = int(largest * (n + 0.5) / count)
        scene.clear()
        ended = scene.run(
            *("--workers", 1),
            shim=scene.shim() if scene.program.shim else None,
            limits={"RLIMIT_FSIZE": limit},
            whole_exit=True,
        )
        yield scene.judge(
            "file-size limit", limit, ended, (RAN_OUT, STOPPED), says="File too large"
        )


@contextlib.contextmanager
def mounted(folder: Path, size: int) -> Iterator[bool]:
    """A small file system in a folder, where this user may mount one."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        made = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        made = False
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", str(folder)], check=True)


def filled_disk(scene: Scene, count: int) -> Iterator[Outcome]:
    """A small file system on which somebody else's file takes all room once blocks are there."""
    last = next(k for k, (_, path) in enumerate(scene.calls, 1) if "packed" in path)
    for n in _spread(last - 1, count):
        scene.clear()
        with mounted(scene.stage, 4 * scene.size + (4 << 20)) as made:
            if not made:
                return
            command = scene.start("--workers", 1, shim=scene.shim(at=n, signal=signal.SIGSTOP))
            _wait_until_stopped(command)
            ballast = scene.stage / "ballast"
            with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            command.send(signal.SIGCONT)
            ended = command.wait()
            ballast.unlink()
            yield scene.judge(
                "a full file system",
                n,
                ended,
                (REFUSED, RAN_OUT, STOPPED),
                says="(?i)no space left|are free",
            )


def read_only(scene: Scene) -> Iterator[Outcome]:
    """A folder in which nothing may be made."""
    user = NOBODY if os.geteuid() == 0 else None
    for moment in ("before", "in the middle"):
        scene.clear()
        shim = scene.shim() if scene.program.shim else None
        if moment == "in the middle":
            scene.unfinished()
            for path in (scene.parts, *scene.parts.iterdir()):
                path.chmod(0o555 if path.is_dir() else 0o444)
        scene.stage.chmod(0o555)
        ended = scene.run("--resume", shim=shim, user=user)
        scene.stage.chmod(0o755)
        for path in (scene.parts, *scene.parts.iterdir()) if scene.parts.exists() else ():
            path.chmod(0o755)
        yield scene.judge(
            "read-only folder", moment, ended, (REFUSED, STOPPED), says="Permission denied"
        )


def vanished(scene: Scene, count: int | None) -> Iterator[Outcome]:
    """The folder of parts, or the one around it, is taken away before the n-th call."""
    for k, n in enumerate(_spread(len(scene.calls), count)):
        scene.clear()
        command = scene.start("--workers", 1, shim=scene.shim(at=n, signal=signal.SIGSTOP))
        _wait_until_stopped(command)
        complete = scene.output.exists()
        shutil.rmtree(scene.parts if k % 2 else scene.stage, ignore_errors=True)
        command.send(signal.SIGCONT)
        ended = command.wait()
        scene.stage.mkdir(exist_ok=True)
        yield scene.judge(
            "vanished folder",
            n,
            ended,
            (DONE, STOPPED) if complete else (REFUSED, STOPPED, DONE),
            says="(?i)no such file|taken away",
            keeps=False,
        )


def _wait_until_stopped(command: Command) -> None:
    """Wait until a command has stopped itself."""

    def stopped() -> bool:
        fields = Path(f"/proc/{command.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return fields[0] in "TZ"

    command.until(stopped)


# -- others meddle ---------------------------------------------------------------------------------


def two_at_once(scene: Scene, count: int | None) -> Iterator[Outcome]:
    """A second run on the same output while the first holds still before its n-th call."""
    last = next(k for k, (_, path) in enumerate(scene.calls, 1) if path == str(scene.output))
    first = next(k for k, (_, path) in enumerate(scene.calls, 1) if path.endswith("header.json"))
    for k, n in enumerate(_spread(last - first, count)):
        scene.clear()
        command = scene.start("--workers", 1, shim=scene.shim(at=first + n, signal=signal.SIGSTOP))
        _wait_until_stopped(command)
        for option in ([], ["--resume"], ["--force"])[k % 3 :][:1]:
            second = scene.run(*option)
            wrong = []
            if second.status != REFUSED or "another run is writing here" not in second.stderr:
                wrong.append(f"the second run was let in: {second.said}")
        command.send(signal.SIGCONT)
        outcome = scene.judge("two runs on one output", first + n, command.wait(), (DONE,))
        yield outcome._replace(wrong=wrong + outcome.wrong)


def racing(scene: Scene, count: int) -> Iterator[Outcome]:
    """Two runs on one output begun at the same moment."""
    for n in range(count):
        scene.clear()
        both = [scene.start(), scene.start()]
        ended = sorted((command.wait() for command in both), key=lambda e: e.status)
        outcome = scene.judge("two runs begun at once", n, ended[0], (DONE,))
        if ended[1].status != REFUSED:
            outcome.wrong.append(f"the other one: {ended[1].said}")
        yield outcome


def damaged(scene: Scene, count: int, seed: int = 3) -> Iterator[Outcome]:
    """Something is done to the files of an unfinished run."""
    chance = random.Random(seed)

    def flip(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)

    def cut(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[: chance.randrange(len(data))])

    def halve(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])

    def scribble(path: Path) -> None:
        lines = path.read_bytes().split(b"\n")
        lines[chance.randrange(len(lines) - 1)] = chance.randbytes(20).replace(b"\n", b"")
        path.write_bytes(b"\n".join(lines))

    blocks, manifest = "block-*.h5", "manifest.jsonl"
    for fault, pattern, deed in (
        ("a flipped bit in a block", blocks, flip),
        ("a truncated block", blocks, cut),
        ("a missing block", blocks, Path.unlink),
        ("a manifest cut in half", manifest, halve),
        ("a manifest cut somewhere", manifest, cut),
        ("a flipped bit in the manifest", manifest, flip),
        ("a scribbled line in the manifest", manifest, scribble),
        ("no manifest", manifest, Path.unlink),
    ):
        for n in range(count):
            scene.unfinished()
            harmed = chance.choice(sorted(scene.parts.glob(pattern)))
            sound = [block for block in scene.sound() if block.file != harmed.name]
            deed(harmed)
            told = scene.program.do("verify", scene.parts)
            yield scene.judge_damage(fault, n, told, sound)


def other_header(scene: Scene) -> Iterator[Outcome]:
    """The run was begun by another schema, version or machine, or its header is damaged."""

    for fault, entries, status, says in (
        ("an older schema", {"schema": 0}, REFUSED, "schema"),
        ("a newer schema", {"schema": 3}, REFUSED, "schema"),
        ("another version", {"version": "0.0.1"}, REFUSED, "version"),
        ("other libraries", {"libraries": {"numpy": "1.0"}}, REFUSED, "libraries"),
        ("another machine", {"machine": {"processor": "abacus"}}, DONE, "another kind of machine"),
    ):
        scene.unfinished()
        bind(scene.parts, **entries)
        ended = scene.run("--resume")
        if status == REFUSED:
            scene.unfinished()
        # The machine on which a run began stays in its header.
        whole = "machine" not in entries
        outcome = scene.judge(fault, "", ended, (status,), says=says, whole=whole)
        if says not in ended.stderr:
            outcome.wrong.append(f"says nothing of {says}: {ended.stderr}")
        yield outcome
    for fault, data in (("a header cut in half", None), ("an empty header", b"")):
        scene.unfinished()
        kept = (scene.parts / "header.json").read_bytes()
        (scene.parts / "header.json").write_bytes(kept[: len(kept) // 2] if data is None else data)
        ended = scene.run("--resume")
        (scene.parts / "header.json").write_bytes(kept)
        yield scene.judge(fault, "", ended, (REFUSED,), says="header.json")


def other_config(scene: Scene) -> Iterator[Outcome]:
    """The run is taken up with another config."""
    for fault, override in (
        ("another seed", "ensemble.seed=1"),
        ("another temperature", "baths.L.temperature=0.6"),
        ("another number of trajectories", "ensemble.trajectories=7"),
        ("another rate law", 'model.rate_law="metropolis"'),
    ):
        scene.unfinished()
        ended = scene.run("--resume", "--set", override)
        yield scene.judge(f"resume with {fault}", "", ended, (REFUSED,), says="cannot be resumed")
