"""Bad files under every verb: what each ends with, how long it takes, what it opens and needs."""

import collections
import ctypes
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bad_runs import FILES, FOLDERS, VERBS, Bad, secrets_in
from program import Ended, Program

MOST_SECONDS, MOST_BYTES = 5.0, 10**9


class Verdict(NamedTuple):
    """How one verb fared with one bad file; `wrong` has everything that should not have been."""

    kind: str
    name: str
    verb: str
    ended: Ended
    wrong: list[str]


class Watch:
    """Counts how often anything in a folder is opened, by inotify."""

    OPEN, NONBLOCK = 0x20, 0o4000

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._handle = libc.inotify_init1(self.NONBLOCK)
        made = libc.inotify_add_watch(self._handle, os.fsencode(folder), self.OPEN)
        assert made >= 0, os.strerror(ctypes.get_errno())

    def opened(self) -> list[str]:
        """Names opened since last asked."""
        try:
            data = os.read(self._handle, 1 << 16)
        except BlockingIOError:
            return []
        names, at = [], 0
        while at < len(data):
            size = struct.unpack_from("=iIII", data, at)[3]
            names.append(data[at + 16 : at + 16 + size].rstrip(b"\0").decode())
            at += 16 + size
        return [name for name in names if name]

    def close(self) -> None:
        """Watch no more."""
        os.close(self._handle)


@contextmanager
def watched(folder: Path) -> Iterator[Watch]:
    """A watch over a folder."""
    watch = Watch(folder)
    try:
        yield watch
    finally:
        watch.close()


def judge(kind: str, name: str, verb: str, ended: Ended, allowed: tuple[int, ...]) -> Verdict:
    """What is wrong with how a command ended."""
    wrong = []
    if ended.status not in allowed:
        wrong.append(f"status {ended.status}, not one of {allowed}: {ended.said[-1500:]}")
    for word in ("Traceback", "Warning", "Exception ignored"):
        if word in ended.said:
            wrong.append(f"{word}: {ended.said[-3000:]}")
    if ended.status and not ended.stderr.strip():
        wrong.append("ended without a word")
    if len(ended.stderr) > 20_000:
        wrong.append(f"{len(ended.stderr)} characters of message: {ended.stderr[:300]}")
    if ended.seconds > MOST_SECONDS:
        wrong.append(f"took {ended.seconds:.1f} s")
    if ended.peak > MOST_BYTES:
        wrong.append(f"took {ended.peak / 1e6:.0f} MB")
    return Verdict(kind, name, verb, ended, wrong)


def bad_runs(
    program: Program, folder: Path, run: Path, parts: Path, wanted: Callable[[str], bool]
) -> Iterator[Verdict]:
    """Every verb on every bad run.

    Parameters
    ----------
    folder : to work in, made here
    run, parts : a sound file and a sound folder, of which bad copies are made
    wanted : chooses by name
    """
    folder.mkdir()
    secrets = secrets_in(folder / "secrets", run)
    bad: list[tuple[str, str, Bad]] = [("files", name, b) for name, b in FILES.items()]
    bad += [("folders", name, b) for name, b in FOLDERS.items()]
    for number, (kind, name, case) in enumerate(bad):
        if not wanted(name):
            continue
        place = folder / f"case-{number}"
        place.mkdir()
        path = place / ("x.h5" if kind == "files" else "x.h5.parts")
        if kind == "files":
            shutil.copy(run, path)
        else:
            shutil.copytree(parts, path)
        case.make(path, secrets)
        commands = [(verb, path) for verb in VERBS[:-1]]
        commands.append(("plot", path, "-o", place / "figures"))
        with watched(secrets) as watch:
            ended = program.series(commands, MOST_SECONDS)
            opened = watch.opened()
        for verb, end in zip(VERBS, ended, strict=True):
            verdict = judge(kind, name, verb, end, case.allowed(verb))
            verdict.wrong.extend(f"opened {name}" for name in opened)
            yield verdict
        shutil.rmtree(place)


def table(verdicts: list[Verdict]) -> str:
    """Counts by kind of file and verb, as Markdown."""
    rows = [
        "| files | verb | runs | as they should | exit statuses | longest | most memory |",
        "| --- | --- | ---: | ---: | --- | ---: | ---: |",
    ]
    groups = dict.fromkeys((verdict.kind, verdict.verb) for verdict in verdicts)
    for kind, verb in groups:
        group = [v for v in verdicts if (v.kind, v.verb) == (kind, verb)]
        statuses = collections.Counter(v.ended.status for v in group)
        told = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
        longest = max(v.ended.seconds for v in group)
        most = max(v.ended.peak for v in group)
        good = sum(not v.wrong for v in group)
        rows.append(
            f"| {kind} | {verb} | {len(group)} | {good} | {told} | {longest:.1f} s "
            f"| {most / 1e6:.0f} MB |"
        )
    return "\n".join(rows)
