"""Merging of shards to the file that a run on one machine makes."""

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from trajsim.config import restore
from trajsim.running.provenance import layout_of
from trajsim.running.run import Summary, expect_replaceable, expect_target, pack_with_bar
from trajsim.running.stopping import Signals
from trajsim.store import RunError, StoreError, UnfinishedRun, differences, open_run
from trajsim.store.shards import run_of, shards_of
from trajsim.store.unfinished import MACHINE


def merge(
    paths: Sequence[Path],
    output: Path | None = None,
    *,
    force: bool = False,
    remove: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Pack all shards of a run into its file.

    Parameters
    ----------
    paths : folders of shards, or names: x.h5 stands for all x.shard-K-of-N.h5.parts
    output : HDF5 file to make; None: the run that the shards are named after
    force : replace an existing output, or an unfinished run of that name
    remove : delete the shards after the file is written
    say : called with messages for the user

    Raises
    ------
    RunError
        If the shards are not all there, finished, and of one run, or the output is there.
    StoreError
        If a shard is damaged, or the file cannot be written.
    trajsim.running.stopping.StoppedError
        By SIGINT or SIGTERM; nothing is changed.
    """
    start_time = time.perf_counter()
    shards = _shards(paths)
    output = output or _named(shards)
    expect_target(output)
    # The header of the merged run has no shard.
    run = UnfinishedRun(output, {k: v for k, v in shards[0].header.items() if k != "shard"})
    for shard in shards:
        if shard.folder.resolve() in (output.parent.resolve(), run.folder.resolve()):
            raise RunError(f"{output}: in the place of the shard {shard.folder}")
    if output.exists() and not force:
        raise RunError(f"{output}: exists; --force replaces it")
    expect_replaceable(output)
    _expect_all(shards, say)
    events = sum(shard.events for shard in shards)
    with Signals() as signals:
        run.lock()
        try:
            if run.exists() and not force:
                raise RunError(f"{run.folder}: an unfinished run is there; --force replaces it")
            for message in pack_with_bar(run, signals, *shards):
                say(message)
        finally:
            run.tidy()
    if remove:
        _remove(shards, say)
    config = run.header["resolved"]["ensemble"]
    periods = run.trajectories * (config["periods"] + config["burn_in"])
    return Summary(output, time.perf_counter() - start_time, periods, events)


def _shards(paths: Sequence[Path]) -> list[UnfinishedRun]:
    """Shards of the given names, without repetition, by number.

    Raises
    ------
    RunError, StoreError
        If any is no shard, or their totals differ.
    """
    by_folder: dict[Path, UnfinishedRun] = {}
    for folder in (folder for path in paths for folder in _folders(path)):
        by_folder[folder.resolve()] = shard = open_run(folder).unfinished
        if shard.shard is None:
            raise RunError(f"{folder}: an unfinished run, not a shard of one")
    shards = sorted(by_folder.values(), key=lambda shard: shard.share)
    for a, b in itertools.pairwise(shards):
        if a.share.total != b.share.total:
            raise RunError(
                f"{a.folder} is shard {a.shard}, {b.folder} is shard {b.shard}: "
                "not cut into the same number"
            )
        if a.shard == b.shard:
            raise RunError(f"{a.folder} and {b.folder}: both are shard {a.shard}")
    return shards


def _folders(path: Path) -> list[Path]:
    """Folders of the shards of a name."""
    folders = shards_of(path)
    if not folders:
        exists = path.is_dir() or path.is_file()
        kind = "not the folder of a shard" if exists else "no shard of it is there"
        raise RunError(f"{path}: {kind}; allowed: x.shard-K-of-N.h5.parts, or x.h5 for all")
    return folders


def _named(shards: list[UnfinishedRun]) -> Path:
    """Output by the common name of all shards."""
    names = {run_of(shard.folder) for shard in shards}
    name = names.pop()
    if name is None or names:
        raise RunError("-o: the shards are not named after one run: say which file to make")
    return name


def _expect_all(shards: list[UnfinishedRun], say: Callable[[str], None]) -> None:
    """Refuse shards that are not all of one run.

    Raises
    ------
    RunError
        If they are of different runs, or not all of one.
    StoreError
        If any is damaged.
    """
    first = shards[0]
    config = restore(first.header["config"], first.header["resolved"], str(first.folder))
    if layout_of(config) != first.layout:
        raise StoreError(f"{first.folder}: its layout is not the one that its config makes")
    for shard in shards[1:]:
        different = differences(shard.header, first.header | {"shard": str(shard.shard)})
        if shard.layout != first.layout:
            different.append("layout differs")
        if different:
            raise RunError(
                f"{shard.folder}: not of the same run as {first.folder}: {'; '.join(different)}"
            )
    total, finished = first.share.total, {s.share.number for s in shards if not s.missing()}
    unfinished = [str(number) for number in range(1, total + 1) if number not in finished]
    if unfinished:
        noun, verb = ("shards", "are") if len(unfinished) > 1 else ("shard", "is")
        raise RunError(f"{noun} {', '.join(unfinished)} of {total} {verb} missing or unfinished")
    if any(shard.header[MACHINE] != first.header[MACHINE] for shard in shards):
        say("shards are from different kinds of machines: last digits may differ between them")


def _remove(shards: list[UnfinishedRun], say: Callable[[str], None]) -> None:
    """Delete shards that are not locked."""
    for shard in shards:
        try:
            shard.lock()
            for message in shard.remove():
                say(message)
        except (OSError, RunError, StoreError) as error:
            say(f"{shard.folder}: stays: {error}")
        finally:
            shard.unlock()
