"""From shards to a file: the same one that a run on one machine makes."""

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from numpy.typing import NDArray

from trajsim.config import restore
from trajsim.ledger import Layout
from trajsim.running.provenance import layout_of
from trajsim.running.run import (
    RunError,
    Summary,
    expect_replaceable,
    expect_target,
    pack_with_bar,
    tell_left,
)
from trajsim.running.stopping import Signals
from trajsim.store import Block, Parts, Shard, StoredRun, StoreError, open_run
from trajsim.store.blocks import fits, gaps
from trajsim.store.shards import run_of, shards_of


class Source(Parts):
    """Folder of a shard that is read."""

    def __init__(self, run: StoredRun, shard: Shard) -> None:
        super().__init__(run.path.with_suffix(""))
        self.run, self.shard = run, shard

    def sound(self, layout: Layout) -> bool:
        """Whether all blocks of the share are there, and no other.

        Raises
        ------
        StoreError
            If the manifest is damaged or tells of blocks of other shards.
        """
        blocks = self.blocks()
        for block in blocks:
            if not fits(block, layout, self.shard):
                raise StoreError(f"{self.folder}: {block.file} is not of shard {self.shard}")
        return not any(gaps(blocks, layout, self.shard))

    def read(self, block: Block, layout: Layout, names: Iterable[str]) -> dict[str, NDArray]:
        """As of any run's folder."""
        try:
            return super().read(block, layout, names)
        except StoreError as error:
            mend = f"`trajsim run` with --shard {self.shard} --resume mends it"
            raise StoreError(f"{error}; {mend}") from None


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
    force : replace an output, or an unfinished run in its place
    remove : delete the shards when the file is there; else they stay
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
    began = time.perf_counter()
    sources = _sources(paths)
    output = output or _named(sources)
    expect_target(output)
    parts = Parts(output)
    for source in sources:
        if source.folder.resolve() in (output.parent.resolve(), parts.folder.resolve()):
            raise RunError(f"{output}: in the place of the shard {source.folder}")
    if output.exists() and not force:
        raise RunError(f"{output}: exists; --force replaces it")
    expect_replaceable(output)
    layout = _agreed(sources, say)
    with Signals() as signals:
        try:
            parts.lock()
        except OSError as error:
            raise RunError(f"{parts.folder}: cannot be made: {error.strerror}") from None
        try:
            if parts.exists() and not force:
                raise RunError(f"{parts.folder}: an unfinished run is there; --force replaces it")
            left = pack_with_bar(parts, output, layout, signals, sources)
            tell_left(parts.folder, left, say)
        finally:
            parts.tidy()
    if remove:
        _remove(sources, say)
    config = sources[0].run.header["resolved"]["ensemble"]
    periods = config["periods"] + config["burn_in"]
    return Summary(
        output,
        time.perf_counter() - began,
        layout.points * layout.trajectories * periods,
        sum(source.run.events for source in sources),
    )


def _sources(paths: Sequence[Path]) -> list[Source]:
    """Shards that names stand for, each once, by number.

    Raises
    ------
    RunError, StoreError
        If any is no shard, or they are not those of one run cut into so many.
    """
    found: dict[Path, Source] = {}
    for path in paths:
        folders = shards_of(path)
        if not folders:
            there = path.is_dir() or path.is_file()
            kind = "not the folder of a shard" if there else "no shard of it is there"
            raise RunError(f"{path}: {kind}; allowed: x.shard-K-of-N.h5.parts, or x.h5 for all")
        for folder in folders:
            run = open_run(folder)
            if run.shard is None:
                raise RunError(f"{folder}: an unfinished run, not a shard of one")
            found[folder.resolve()] = Source(run, run.shard)
    sources = sorted(found.values(), key=lambda source: source.shard)
    for one, other in itertools.pairwise(sources):
        if one.shard.total != other.shard.total:
            raise RunError(
                f"{one.folder} is shard {one.shard}, {other.folder} is shard {other.shard}: "
                "not cut into the same number"
            )
        if one.shard == other.shard:
            raise RunError(f"{one.folder} and {other.folder}: both are shard {one.shard}")
    return sources


def _named(sources: list[Source]) -> Path:
    """The file that all shards are named after."""
    names = {run_of(source.folder) for source in sources}
    name = names.pop()
    if name is None or names:
        raise RunError("-o: the shards are not named after one run: say which file to make")
    return name


def _agreed(sources: list[Source], say: Callable[[str], None]) -> Layout:
    """Layout of the run that the shards make up.

    Raises
    ------
    RunError
        If they are of different runs, or not all of one.
    StoreError
        If any is damaged.
    """
    first, layout = sources[0].run, sources[0].run.layout
    config = restore(first.header["config"], first.header["resolved"], str(first.path))
    if layout_of(config) != layout:
        raise StoreError(f"{first.path}: its layout is not the one that its config makes")
    unfinished = set(range(1, sources[0].shard.total + 1))
    for source in sources:
        header = first.header | {"shard": source.run.header["shard"]}
        differences = source.differences(header)
        if source.run.layout != layout:
            differences.append("layout differs")
        if differences:
            raise RunError(
                f"{source.folder}: not of the same run as {first.path}: {'; '.join(differences)}"
            )
        if source.sound(layout):
            unfinished.discard(source.shard.number)
    if unfinished:
        numbers = ", ".join(map(str, sorted(unfinished)))
        many = len(unfinished) > 1
        raise RunError(
            f"shard{'s' if many else ''} {numbers} of {sources[0].shard.total} "
            f"{'are' if many else 'is'} missing or unfinished"
        )
    if any(source.other_machine(first.header) for source in sources):
        say("shards are from different kinds of machines: last digits may differ between them")
    return layout


def _remove(sources: list[Source], say: Callable[[str], None]) -> None:
    """Delete shards that nobody is writing to."""
    for source in sources:
        try:
            source.lock()
            tell_left(source.folder, source.remove(), say)
        except (OSError, StoreError) as error:
            say(f"{source.folder}: stays: {error}")
        finally:
            source.unlock()
