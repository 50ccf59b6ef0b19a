"""Bad files under every verb: how each ends, how long it takes, what it opens and needs.

`python tests/faults/hostile.py` goes through all of them and prints the counts.
"""

import argparse
import collections
import ctypes
import itertools
import os
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import bad_configs as configs
from bad_files import FILES
from bad_folders import FOLDERS
from bad_ledgers import LEDGERS
from bad_runs import VERBS, Bad, secrets_in
from program import Anew, Ended, Forked, Program

# Of the processor; a busy machine may take three times as long.
MOST_SECONDS, MOST_BYTES = 5.0, 10**9
MOST_WORDS = 50_000
PATIENCE = 3 * MOST_SECONDS


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
    # A check that disagrees has its say on standard output.
    if ended.status and not (ended.said if ended.status == 1 else ended.stderr).strip():
        wrong.append("ended without a word")
    if len(ended.stderr) > MOST_WORDS:
        wrong.append(f"{len(ended.stderr)} characters of message: {ended.stderr[:300]}")
    if ended.cpu > MOST_SECONDS or ended.seconds > PATIENCE:
        wrong.append(f"took {ended.seconds:.1f} s")
    if ended.peak > MOST_BYTES:
        wrong.append(f"took {ended.peak / 1e6:.0f} MB")
    return Verdict(kind, name, verb, ended, wrong)


def bad_runs(
    program: Program, folder: Path, run: Path, parts: Path, every: int = 1
) -> Iterator[Verdict]:
    """Every verb on bad runs.

    Parameters
    ----------
    folder : to work in, made here
    run, parts : a sound file and a sound folder, of which bad copies are made
    every : every so many-th bad run is taken
    """
    folder.mkdir()
    secrets = secrets_in(folder / "secrets", run)
    cases: list[tuple[str, str, Bad]] = [
        ("files", name, b) for name, b in (FILES | LEDGERS).items()
    ]
    cases += [("folders", name, b) for name, b in FOLDERS.items()]
    for number, (kind, name, case) in list(enumerate(cases))[::every]:
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
            ended = program.series(commands, PATIENCE)
            opened = watch.opened()
        for verb, end in zip(VERBS, ended, strict=True):
            verdict = judge(kind, name, verb, end, case.allowed(verb))
            verdict.wrong.extend(f"opened {name}" for name in opened)
            yield verdict
        shutil.rmtree(place)


def bad_configs(
    program: Program,
    folder: Path,
    run: Path,
    every: int = 1,
    verbs: tuple[str, ...] = configs.VERBS,
) -> Iterator[Verdict]:
    """Verbs on bad configs, of which every so many-th is taken; `run` is a sound file."""
    folder.mkdir()
    secrets = secrets_in(folder / "secrets", run)
    # Somebody holds this pipe open and says nothing.
    os.mkfifo(folder / "silent")
    silent = os.open(folder / "silent", os.O_RDWR)
    for number, (name, make) in list(enumerate(configs.CONFIGS.items()))[::every]:
        place = folder / f"case-{number}"
        place.mkdir()
        path = place / "config.toml"
        make(path, secrets)
        into = {"run": ("-o", place / "x.h5"), "plot": ("-o", place / "figures")}
        commands = [(verb, path, *into.get(verb, ())) for verb in verbs]
        with watched(secrets) as watch:
            ended = program.series(commands, PATIENCE)
            opened = watch.opened()
        left = [entry.name for entry in place.iterdir() if entry != path]
        for verb, end in zip(verbs, ended, strict=True):
            verdict = judge("configs", name, verb, end, (2,))
            verdict.wrong.extend(f"opened {name}" for name in opened)
            verdict.wrong.extend(f"left {name} behind" for name in left)
            yield verdict
        shutil.rmtree(place)
    os.close(silent)


def table(verdicts: list[Verdict]) -> str:
    """Counts by kind of file and verb, as Markdown."""
    rows = [
        "| bad | verb | runs | as they should | exit statuses | longest | longest, CPU |"
        " most memory |",
        "| --- | --- | ---: | ---: | --- | ---: | ---: | ---: |",
    ]
    groups = dict.fromkeys((verdict.kind, verdict.verb) for verdict in verdicts)
    for kind, verb in groups:
        group = [v for v in verdicts if (v.kind, v.verb) == (kind, verb)]
        statuses = collections.Counter(v.ended.status for v in group)
        told = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
        longest = max(v.ended.seconds for v in group)
        cpu = max(v.ended.cpu for v in group)
        most = max(v.ended.peak for v in group)
        good = sum(not v.wrong for v in group)
        rows.append(
            f"| {kind} | {verb} | {len(group)} | {good} | {told} | {longest:.1f} s "
            f"| {cpu:.1f} s | {most / 1e6:.0f} MB |"
        )
    return "\n".join(rows)


@contextmanager
def sound(folder: Path, anew: bool) -> Iterator[tuple[Program, Path, Path]]:
    """A way to start commands, a sound file, and the sound folder of an unfinished run."""
    config = folder / "config.toml"
    config.write_text(configs.GOOD.replace("trajectories = 60", "trajectories = 300"))
    forked = Forked(folder, config)
    try:
        run, other = folder / "x.h5", folder / "y.h5"
        assert forked.do("run", config, "-o", run, "--json").status == 0
        # No file may grow larger than the blocks are: all are there, and cannot be packed.
        limits = {"RLIMIT_FSIZE": run.stat().st_size * 2 // 3}
        assert forked.do("run", config, "-o", other, "--json", limits=limits).status == 3
        yield Anew(folder) if anew else forked, run, folder / "y.h5.parts"
    finally:
        forked.close()


def main() -> None:
    """Go through all, print the table, end with 1 if anything was not as it should be."""
    parser = argparse.ArgumentParser(description="Bad files under every verb, counted.")
    parser.add_argument("--anew", action="store_true", help="a new process for every command")
    parser.add_argument("--every", type=int, default=1, help="take every so many-th file")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, sound(Path(name), options.anew) as made:
        program, run, parts = made
        folder = Path(name)
        verdicts = []
        for verdict in itertools.chain(
            bad_runs(program, folder / "runs", run, parts, options.every),
            bad_configs(program, folder / "configs", run, options.every),
        ):
            verdicts.append(verdict)
            for sentence in verdict.wrong:
                print(f"{verdict.verb} of {verdict.name}: {sentence}", file=sys.stderr)
    print(table(verdicts))
    wrong = sum(bool(verdict.wrong) for verdict in verdicts)
    files = len({(verdict.kind, verdict.name) for verdict in verdicts})
    print(
        f"\n{files} files, {len(verdicts)} commands, {wrong} not as they should be, "
        f"{time.monotonic() - began:.0f} s"
    )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
