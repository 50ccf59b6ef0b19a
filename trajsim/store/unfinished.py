"""A run that is being made: its folder, with finished blocks, a manifest of them and a lock.

Each block is published under its name, then listed in the manifest with its SHA-256: appending to
an open HDF5 file loses rows when the process is killed, this does not. The header is bound to
itself by its SHA-256, and that is in every block and every line of the manifest.
"""

import errno
import fcntl
import itertools
import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from trajsim.errors import TrajsimError
from trajsim.ledger import MOST_TRAJECTORY_BYTES, Layout
from trajsim.store.blocks import (
    MOST_FRAME_BYTES,
    Block,
    ForeignBlockError,
    asked_for,
    block_with_file,
    by_place,
    fits,
    gaps,
    line_of,
    listed,
    named,
    opened,
)
from trajsim.store.files import (
    RunError,
    StoreError,
    append,
    publish,
    published,
    small_file,
    write_all,
)
from trajsim.store.memory import Memory
from trajsim.store.packed import write_file
from trajsim.store.shards import WHOLE, Shard
from trajsim.store.trust import SCHEMA, digest, plain_dataset, table

# What must be the same for a run to be taken up again.
BINDING = ("schema", "version", "resolved", "libraries", "plugins", "shard")
# What must be the same for a complete run to be the one that is asked for.
WHAT = ("resolved", "plugins")
# Entries of a header that tell the truth only of the machine; a difference is worth a warning.
MACHINE = "machine"
# What may be read of a file that is named as a block is, to see whether it is one.
MOST_BLOCK_BYTES = 2 * MOST_TRAJECTORY_BYTES
# Names of files that a run makes in its folder.
OWN = re.compile(r"lock|\.?(block-[\da-f-]+\.h5|manifest\.jsonl|header\.json|packed)(\.tmp)?")
# What no run needs more of.
MOST_HEADER_BYTES, MOST_MANIFEST_BYTES = 16 << 20, 256 << 20


class UnfinishedRun:
    """A run that is being made: what is done, what is missing, where blocks go; at the end, a file.

    What it holds is in the folder `x.h5.parts` until it is packed into `x.h5`.

    Parameters
    ----------
    output : the file that it will become
    header : of the run that is to be made; that of the run that is in the folder if None
    """

    def __init__(self, output: Path, header: dict[str, Any] | None = None) -> None:
        self.output, self.folder = output, output.with_name(output.name + ".parts")
        self.manifest = self.folder / "manifest.jsonl"
        self.header_file = self.folder / "header.json"
        self._lock_file = self.folder / "lock"
        self._lock: int | None = None
        if header is not None:
            self._identity = header, digest(header)
        self._memories: list[Memory] = []

    # -- which run it is ---------------------------------------------------------------------

    @property
    def header(self) -> dict[str, Any]:
        """Provenance, as of `StoredRun.header`.

        Raises
        ------
        StoreError
            If none was given and there is none in the folder, or it is not as it was written.
        """
        return self._identity[0]

    @property
    def run_id(self) -> str:
        """SHA-256 of the header, which is in every block and every line of the manifest."""
        return self._identity[1]

    @cached_property
    def _identity(self) -> tuple[dict[str, Any], str]:
        return self._there()

    def _there(self) -> tuple[dict[str, Any], str]:
        """Header of the run that is in the folder, and the SHA-256 written with it."""
        try:
            found = table(small_file(self.header_file, MOST_HEADER_BYTES))
        except ValueError as error:
            raise StoreError(f"{self.header_file}: cannot be read: {error}") from None
        if not isinstance(found, dict):
            raise StoreError(f"{self.header_file}: not the header of a run")
        stated = found.pop("header_sha256", None)
        # One of an earlier schema has none; whoever asks will not read that schema.
        if stated != digest(found) and not (stated is None and found.get("schema") != SCHEMA):
            raise StoreError(
                f"{self.header_file}: damaged: its SHA-256 is not the one written with it"
            )
        return found, stated or ""

    @cached_property
    def layout(self) -> Layout:
        """Shape and labels of the ledger of the whole run."""
        return Layout(**self.header["layout"])

    @property
    def shard(self) -> Shard | None:
        """Which shard of a run this is; None if it is a run."""
        return Shard.parse(self.header["shard"]) if "shard" in self.header else None

    @property
    def share(self) -> Shard:
        """The shard that this is; the only one if it is a run."""
        return self.shard or WHOLE

    @property
    def trajectories(self) -> int:
        """Number of trajectories of all points, of a shard in its share."""
        begin, end = self.share.share(self.layout)
        return end - begin

    # -- beginning, or going on --------------------------------------------------------------

    def exists(self) -> bool:
        """Whether there is something to resume."""
        return self.header_file.exists()

    def lock(self) -> None:
        """Keep other runs out until this process ends, however it ends.

        Raises
        ------
        RunError
            If another run is writing here, or the folder cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            if not _locked(self._lock):
                holder = os.read(self._lock, 200).decode(errors="replace").strip()
                raise RunError(f"{self.folder}: another run is writing here ({holder})")
            self.hold()
            os.ftruncate(self._lock, 0)
            os.write(self._lock, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        except BaseException as error:
            self.unlock()
            if isinstance(error, OSError):
                raise RunError(f"{self.folder}: cannot be made: {error.strerror}") from None
            raise

    def hold(self) -> None:
        """Make sure that the folder is still the one that was locked.

        Raises
        ------
        StoreError
            If it, or the lock in it, was taken away or replaced.
        """
        try:
            there = os.stat(self._lock_file, follow_symlinks=False)
        except OSError:
            there = None
        if self._lock is not None and not (there and os.path.samestat(there, os.fstat(self._lock))):
            raise StoreError(f"{self.folder}: it was taken away while a run was writing there")

    def unlock(self) -> None:
        """Let other runs in."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def begin(self) -> None:
        """Clear the folder of an earlier run and write the header of this one.

        Raises
        ------
        RunError
            If it cannot be written, or the folder holds anything that is not a run's; then nothing
            is deleted.
        """
        try:
            foreign, own = self._foreign(), self._own()
            if foreign:
                raise RunError(f"{self.folder}: not only a run's: there is {foreign[0]!r} in it")
            for path in own:
                if path != self._lock_file:
                    path.unlink(missing_ok=True)
            signed = {**self.header, "header_sha256": self.run_id}
            publish(self.header_file, json.dumps(signed, indent=1).encode())
        except OSError as error:
            raise RunError(str(error)) from None

    def take_up(self) -> list[str]:
        """Go on with the run that is in the folder; damaged blocks are missing from now on.

        Files are found by their names, which say what the manifest should; it is written anew.

        Returns
        -------
        What is to be told of it, in sentences.

        Raises
        ------
        RunError
            If it is not the run that is to be made.
        StoreError
            If its header is damaged.
        OSError
            If the manifest cannot be written.
        """
        there = self._there()
        different = differences(there[0], self.header)
        if different:
            raise RunError(f"{self.folder}: cannot be resumed: {'; '.join(different)}")
        told = []
        if there[0].get(MACHINE) != self.header[MACHINE]:
            told.append("resuming on another kind of machine: last digits of the rest may differ")
        self._identity = there
        listed_before, sound = len(self._lines()), self._sound()
        publish(self.manifest, b"".join(line_of(block, self.run_id) for block in sound))
        told += [f"{self.folder / n}: not of this run: left as it is" for n in self._foreign()]
        if len(sound) < listed_before:
            told.append(f"{listed_before - len(sound)} damaged blocks will be simulated again")
        return [*told, f"resuming: {sum(b.trajectories for b in sound)} trajectories are done"]

    def _sound(self) -> list[Block]:
        """Blocks whose files are as they were published."""
        blocks = (named(path.name) for path in self.folder.glob("block-*.h5"))
        sound: list[Block] = []
        for block in sorted(filter(None, blocks), key=by_place):
            end = sound[-1].end if sound and sound[-1].point == block.point else 0
            with suppress(StoreError):
                if block.first >= end:
                    with self._opened(block):
                        sound.append(block)
        return sound

    # -- what is done, and what is missing ---------------------------------------------------

    def blocks(self) -> list[Block]:
        """Blocks of the manifest by point and trajectory; a last line cut short does not count.

        Raises
        ------
        StoreError
            If a line is damaged or of another run, or two blocks have a trajectory in common.
        """
        found = []
        for number, line in enumerate(self._lines(), 1):
            told = listed(line)
            if told is None:
                raise StoreError(f"{self.manifest}:{number}: damaged line")
            block, run = told
            if run != self.run_id:
                raise StoreError(
                    f"{self.manifest}:{number}: {block.file} is of another run or shard"
                )
            found.append(block)
        found.sort(key=by_place)
        for block, following in itertools.pairwise(found):
            if block.point == following.point and block.end > following.first:
                raise StoreError(f"{self.manifest}: {block.file} and {following.file} overlap")
        return found

    def _lines(self) -> list[bytes]:
        if not self.manifest.exists():
            return []
        return small_file(self.manifest, MOST_MANIFEST_BYTES).split(b"\n")[:-1]

    @property
    def events(self) -> int:
        """Number of events in the blocks that are done."""
        return sum(block.events for block in self.blocks())

    def missing(self) -> list[tuple[int, int, int]]:
        """Ranges (point, first, end) of trajectories, of a shard in its share, yet to be made."""
        return list(gaps(self.blocks(), self.layout, self.share))

    def size(self) -> int:
        """Bytes of the blocks that are there."""
        return sum(path.stat().st_size for path in self.folder.glob("block-*.h5"))

    @property
    def room(self) -> int:
        """Bytes of the disk that it takes to make all that is missing."""
        # The blocks and the file made of them are there at the same time.
        copies = 1 if self.shard else 2
        return copies * self.trajectories * self.layout.trajectory_bytes - self.size()

    # -- blocks ------------------------------------------------------------------------------

    def publish(self, columns: dict[str, NDArray], point: int, first: int, events: int) -> Block:
        """Write a block of trajectories for good, then list it; several threads may at a time."""
        memory = self._memories.pop() if self._memories else Memory()
        block, image = block_with_file(memory, columns, point, first, events, self.run_id)
        with image:
            self._add(block, image)
        self._memories.append(memory)
        return block

    def adopt(
        self, name: str, image: bytes | memoryview, point: int, first: int, count: int
    ) -> Block:
        """Write a block made elsewhere under a name, if it is the one asked for.

        Raises
        ------
        StoreError
            If it is another one, or was changed on its way.
        """
        block = asked_for(name, point, first, count)
        with opened(self.folder / name, image, block, self.run_id):
            self._add(block, image)
        return block

    def _add(self, block: Block, image: bytes | memoryview) -> None:
        self.hold()
        publish(self.folder / block.file, image)
        append(self.manifest, line_of(block, self.run_id))

    def read(self, block: Block, names: Iterable[str]) -> dict[str, NDArray]:
        """Columns of a block.

        Raises
        ------
        StoreError
            If the block is not of this run or shard, its file missing or not as it was published.
        """
        path, columns = self.folder / block.file, {c.name: c for c in self.layout.columns}
        try:
            with self._opened(block) as (file, size):
                found = {}
                for name in names:
                    column = columns[name]
                    shape = (block.trajectories, *self.layout.shape(column))
                    found[name] = plain_dataset(path, file, name, column.dtype, shape, size)[...]
                return found
        except StoreError as error:
            if self.shard is None:
                raise
            mend = f"`trajsim run` with --shard {self.shard} --resume mends it"
            raise StoreError(f"{error}; {mend}") from None

    @contextmanager
    def _opened(self, block: Block) -> Iterator[tuple[Any, int]]:
        """A block's file, found to be as this run published it, and its size."""
        path = self.folder / block.file
        if not fits(block, self.layout, self.share):
            raise StoreError(f"{path}: not of this run")
        most = block.trajectories * self.layout.trajectory_bytes + MOST_FRAME_BYTES
        data = small_file(path, most)
        with opened(path, data, block, self.run_id) as file:
            yield file, len(data)

    # -- ending ------------------------------------------------------------------------------

    def pack(
        self, tick: Callable[[int], None] = lambda _: None, *shards: "UnfinishedRun"
    ) -> list[str]:
        """Put all blocks into one file, publish it as the output, and delete the folder.

        An output that is there is replaced in the same instant.

        Parameters
        ----------
        tick : called with the number of trajectories after each block; may raise to stop
        shards : runs that have all blocks between them, in place of this one; they stay

        Returns
        -------
        As of `remove`.

        Raises
        ------
        StoreError
            If blocks are missing or damaged, or the disk is full.
        """
        self.hold()
        sources = {block: run for run in shards or [self] for block in run.blocks()}
        missing = next(gaps(sources, self.layout), None)
        if missing:
            raise StoreError(f"{self.folder}: trajectories of point {missing[0]} are missing")
        need, free = self.layout.total_bytes, shutil.disk_usage(self.folder).free
        if free < need + (1 << 20):
            raise StoreError(
                f"{self.output}: no space left: {need} bytes are needed, {free} are free"
            ) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            with published(self.output, self.folder / "packed.tmp") as handle:
                write = partial(write_all, handle)
                write_file(write, self.header, self.layout, sources, tick)
        except OSError as error:
            why = error.strerror or error
            raise StoreError(f"{self.output}: cannot be written: {why}") from None
        return self.remove()

    def remove(self) -> list[str]:
        """Delete what the run made, then the folder if that was all, and let go of the lock.

        Returns
        -------
        A sentence if others put something there, which stays.
        """
        left, own = [], self._own()
        self.header_file.unlink(missing_ok=True)
        with suppress(OSError):
            for path in own:
                with suppress(OSError):
                    path.unlink()
            left = sorted(path.name for path in self.folder.iterdir())
            self.folder.rmdir()
        self.unlock()
        return [f"{self.folder}: stays: {left[0]!r} in it is not of the run"] if left else []

    def tidy(self) -> None:
        """Let go of the lock; delete what is left of a run that can no longer be resumed."""
        with suppress(OSError, TrajsimError):
            if not self.exists() and (self._own() or not self._foreign()):
                if self._lock is None:
                    self.lock()
                self.remove()
        self.unlock()

    def _foreign(self) -> list[str]:
        """Names of what is in the folder and was not made by the run that is there."""
        return sorted({p.name for p in self.folder.iterdir()} - {p.name for p in self._own()})

    def _own(self) -> list[Path]:
        """Files in the folder that the run made, in the order in which they are deleted.

        First what makes it a run to be resumed, for the rest is of no use without; last the lock,
        and before it the manifest, which tells what is the run's when its header is gone.
        """
        last = [self.header_file, None, self.manifest, self._lock_file]
        lines: list[tuple[Block, str]] = []
        with suppress(StoreError):
            lines = [told for told in map(listed, self._lines()) if told]
        runs = {run for _, run in lines}
        with suppress(StoreError):
            runs = {self._there()[1]}
        names = {block.file for block, run in lines if run in runs}
        own = [
            path
            for path in self.folder.iterdir()
            if OWN.fullmatch(path.name)
            and (path.is_symlink() or not path.is_dir())
            and (path.name in names or not _of_another(path, runs))
        ]
        return sorted(own, key=lambda path: last.index(path if path in last else None))


def _locked(handle: int) -> bool:
    """Whether a lock file is now held by this process."""
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _of_another(path: Path, runs: set[str]) -> bool:
    """Whether a file is a block as it was published by none of these runs."""
    block = named(path.name)
    if block is None:
        return False
    try:
        data = small_file(path, MOST_BLOCK_BYTES)
        for run in runs or {""}:
            with suppress(ForeignBlockError), opened(path, data, block, run):
                return False
    except StoreError:
        return False
    return True


def differences(
    old: dict[str, Any], new: dict[str, Any], keys: Iterable[str] = BINDING
) -> list[str]:
    """What of two headers keeps them from being of the same run."""
    return [
        f"{key} differs: {_difference(old.get(key), new.get(key))}"
        for key in keys
        if old.get(key) != new.get(key)
    ]


def _difference(old: Any, new: Any) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
        return ", ".join(f"{key}: {_difference(old.get(key), new.get(key))}" for key in keys)
    return f"it was {old!r}, now it is {new!r}"
