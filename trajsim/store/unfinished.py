"""An unfinished run: its folder, with finished blocks, a manifest of them and a lock.

Each block is published under its name, then listed in the manifest with its SHA-256: unlike rows
appended to an open HDF5 file, blocks are not lost when the process is killed. The SHA-256 of the
header is in the header itself, in every block and in every line of the manifest.
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
    block_with_file,
    by_place,
    expected_block,
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

# Entries of headers that must be equal for a run to be resumed.
BINDING = ("schema", "version", "resolved", "libraries", "plugins", "shard")
# Entries that must be equal for a complete run to be the requested one.
WHAT = ("resolved", "plugins")
# Entry of a header about the machine; a difference causes a warning.
MACHINE = "machine"
# Largest file with the name of a block that is read to verify it.
MOST_BLOCK_BYTES = 2 * MOST_TRAJECTORY_BYTES
# Names of files that a run makes in its folder.
OWN = re.compile(r"lock|\.?(block-[\da-f-]+\.h5|manifest\.jsonl|header\.json|packed)(\.tmp)?")
# Largest sizes of these files.
MOST_HEADER_BYTES, MOST_MANIFEST_BYTES = 16 << 20, 256 << 20


class UnfinishedRun:
    """An unfinished run: which blocks are done, which trajectories are missing, and its folder.

    Its files are in the folder `x.h5.parts` until they are packed into `x.h5`.

    Parameters
    ----------
    output : the file to make
    header : of the run to make; if None, that of the run in the folder
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

    # -- header ------------------------------------------------------------------------------

    @property
    def header(self) -> dict[str, Any]:
        """Provenance, as in `StoredRun.header`.

        Raises
        ------
        StoreError
            If none was given and there is none in the folder, or that is damaged.
        """
        return self._identity[0]

    @property
    def run_id(self) -> str:
        """SHA-256 of the header, which is in every block and every line of the manifest."""
        return self._identity[1]

    @cached_property
    def _identity(self) -> tuple[dict[str, Any], str]:
        return self._header_on_disk()

    def _header_on_disk(self) -> tuple[dict[str, Any], str]:
        """Header of the run in the folder, and the SHA-256 written with it."""
        try:
            header = table(small_file(self.header_file, MOST_HEADER_BYTES))
        except ValueError as error:
            raise StoreError(f"{self.header_file}: cannot be read: {error}") from None
        if not isinstance(header, dict):
            raise StoreError(f"{self.header_file}: not the header of a run")
        recorded = header.pop("header_sha256", None)
        # Headers of earlier schemas have none; callers refuse these schemas.
        if recorded != digest(header) and not (recorded is None and header.get("schema") != SCHEMA):
            raise StoreError(
                f"{self.header_file}: damaged: its SHA-256 is not the one written with it"
            )
        return header, recorded or ""

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

    # -- starting and resuming ---------------------------------------------------------------

    def exists(self) -> bool:
        """Whether there is something to resume."""
        return self.header_file.exists()

    def lock(self) -> None:
        """Lock the folder against other runs until this process ends.

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
        """Check that the folder is still the one that was locked.

        Raises
        ------
        StoreError
            If it, or the lock in it, was removed or replaced.
        """
        try:
            entry = os.stat(self._lock_file, follow_symlinks=False)
        except OSError:
            entry = None
        if self._lock is not None and not (entry and os.path.samestat(entry, os.fstat(self._lock))):
            raise StoreError(f"{self.folder}: it was taken away while a run was writing there")

    def unlock(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def begin(self) -> None:
        """Clear the folder of an earlier run and write the header of this one.

        Raises
        ------
        RunError
            If it cannot be written, or the folder holds files of others; then nothing is deleted.
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

    def resume(self) -> list[str]:
        """Continue the run in the folder; damaged blocks will be simulated again.

        The manifest is rebuilt from the names of the files.

        Returns
        -------
        Messages for the user.

        Raises
        ------
        RunError
            If it is not the run to be made.
        StoreError
            If its header is damaged.
        OSError
            If the manifest cannot be written.
        """
        existing = self._header_on_disk()
        different = differences(existing[0], self.header)
        if different:
            raise RunError(f"{self.folder}: cannot be resumed: {'; '.join(different)}")
        notes = []
        if existing[0].get(MACHINE) != self.header[MACHINE]:
            notes.append("resuming on another kind of machine: last digits of the rest may differ")
        self._identity = existing
        listed_before, sound = len(self._lines()), self._sound()
        publish(self.manifest, b"".join(line_of(block, self.run_id) for block in sound))
        notes += [f"{self.folder / n}: not of this run: left as it is" for n in self._foreign()]
        if len(sound) < listed_before:
            notes.append(f"{listed_before - len(sound)} damaged blocks will be simulated again")
        return [*notes, f"resuming: {sum(b.trajectories for b in sound)} trajectories are done"]

    def _sound(self) -> list[Block]:
        """Blocks whose files are undamaged."""
        blocks = (named(path.name) for path in self.folder.glob("block-*.h5"))
        sound: list[Block] = []
        for block in sorted(filter(None, blocks), key=by_place):
            end = sound[-1].end if sound and sound[-1].point == block.point else 0
            with suppress(StoreError):
                if block.first >= end:
                    with self._opened(block):
                        sound.append(block)
        return sound

    # -- done and missing trajectories -------------------------------------------------------

    def blocks(self) -> list[Block]:
        """Blocks of the manifest by point and trajectory; a last line cut short does not count.

        Raises
        ------
        StoreError
            If a line is damaged or of another run, or two blocks have a trajectory in common.
        """
        blocks = []
        for number, line in enumerate(self._lines(), 1):
            entry = listed(line)
            if entry is None:
                raise StoreError(f"{self.manifest}:{number}: damaged line")
            block, run = entry
            if run != self.run_id:
                raise StoreError(
                    f"{self.manifest}:{number}: {block.file} is of another run or shard"
                )
            blocks.append(block)
        blocks.sort(key=by_place)
        for block, following in itertools.pairwise(blocks):
            if block.point == following.point and block.end > following.first:
                raise StoreError(f"{self.manifest}: {block.file} and {following.file} overlap")
        return blocks

    def _lines(self) -> list[bytes]:
        if not self.manifest.exists():
            return []
        return small_file(self.manifest, MOST_MANIFEST_BYTES).split(b"\n")[:-1]

    @property
    def events(self) -> int:
        """Number of events in the blocks that are done."""
        return sum(block.events for block in self.blocks())

    def missing(self) -> list[tuple[int, int, int]]:
        """Ranges (point, first, end) of missing trajectories, within the share of a shard."""
        return list(gaps(self.blocks(), self.layout, self.share))

    def size(self) -> int:
        """Bytes of the existing blocks."""
        return sum(path.stat().st_size for path in self.folder.glob("block-*.h5"))

    @property
    def room(self) -> int:
        """Bytes of disk space that are needed to finish the run."""
        # The blocks and the file made of them exist at the same time.
        copies = 1 if self.shard else 2
        return copies * self.trajectories * self.layout.trajectory_bytes - self.size()

    # -- blocks ------------------------------------------------------------------------------

    def publish(self, columns: dict[str, NDArray], point: int, first: int, events: int) -> Block:
        """Write and sync a block of trajectories, then list it in the manifest; thread-safe.

        Parameters
        ----------
        columns : of the ledger, (trajectories, ...) each
        point, first : of the trajectories
        events : number of events in them
        """
        memory = self._memories.pop() if self._memories else Memory()
        block, image = block_with_file(memory, columns, point, first, events, self.run_id)
        with image:
            self._add(block, image)
        self._memories.append(memory)
        return block

    def adopt(
        self, name: str, image: bytes | memoryview, point: int, first: int, count: int
    ) -> Block:
        """Write a block made by a worker, if it is the one expected.

        Parameters
        ----------
        name, image : of the block's file
        point, first, count : expected trajectories

        Raises
        ------
        StoreError
            If it is another one, or was changed on its way.
        """
        block = expected_block(name, point, first, count)
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
            If the block is not of this run or shard, or its file is missing or damaged.
        """
        path, columns = self.folder / block.file, {c.name: c for c in self.layout.columns}
        try:
            with self._opened(block) as (file, size):
                arrays = {}
                for name in names:
                    column = columns[name]
                    shape = (block.trajectories, *self.layout.shape(column))
                    arrays[name] = plain_dataset(path, file, name, column.dtype, shape, size)[...]
                return arrays
        except StoreError as error:
            if self.shard is None:
                raise
            hint = f"`trajsim run` with --shard {self.shard} --resume mends it"
            raise StoreError(f"{error}; {hint}") from None

    @contextmanager
    def _opened(self, block: Block) -> Iterator[tuple[Any, int]]:
        """A block's verified file, and its size."""
        path = self.folder / block.file
        if not fits(block, self.layout, self.share):
            raise StoreError(f"{path}: not of this run")
        most = block.trajectories * self.layout.trajectory_bytes + MOST_FRAME_BYTES
        data = small_file(path, most)
        with opened(path, data, block, self.run_id) as file:
            yield file, len(data)

    # -- finishing ---------------------------------------------------------------------------

    def pack(
        self, tick: Callable[[int], None] = lambda _: None, *shards: "UnfinishedRun"
    ) -> list[str]:
        """Write all blocks to one file, publish it as the output, and delete the folder.

        An existing output is replaced atomically.

        Parameters
        ----------
        tick : called with the number of trajectories after each block; may raise to stop
        shards : runs with the blocks, in place of this one; they are kept

        Returns
        -------
        As for `remove`.

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
        needed, free = self.layout.total_bytes, shutil.disk_usage(self.folder).free
        if free < needed + (1 << 20):
            raise StoreError(
                f"{self.output}: no space left: {needed} bytes are needed, {free} are free"
            ) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            with published(self.output, self.folder / "packed.tmp") as handle:
                write = partial(write_all, handle)
                write_file(write, self.header, self.layout, sources, tick)
        except OSError as error:
            reason = error.strerror or error
            raise StoreError(f"{self.output}: cannot be written: {reason}") from None
        return self.remove()

    def remove(self) -> list[str]:
        """Delete the run's files, then the folder if it is empty, and release the lock.

        Returns
        -------
        A message if there are files of others, which are kept.
        """
        files, own = [], self._own()
        self.header_file.unlink(missing_ok=True)
        with suppress(OSError):
            for path in own:
                with suppress(OSError):
                    path.unlink()
            files = sorted(path.name for path in self.folder.iterdir())
            self.folder.rmdir()
        self.unlock()
        return [f"{self.folder}: stays: {files[0]!r} in it is not of the run"] if files else []

    def tidy(self) -> None:
        """Release the lock; delete the remains of a run that cannot be resumed."""
        with suppress(OSError, TrajsimError):
            if not self.exists() and (self._own() or not self._foreign()):
                if self._lock is None:
                    self.lock()
                self.remove()
        self.unlock()

    def _foreign(self) -> list[str]:
        """Names of files in the folder that are not the run's."""
        return sorted({p.name for p in self.folder.iterdir()} - {p.name for p in self._own()})

    def _own(self) -> list[Path]:
        """Files of the run in the folder, in the order in which they are deleted.

        First the header, without which the run cannot be resumed; last the manifest, which
        identifies the run's files when the header is gone, and the lock.
        """
        last = [self.header_file, None, self.manifest, self._lock_file]
        lines: list[tuple[Block, str]] = []
        with suppress(StoreError):
            lines = [entry for entry in map(listed, self._lines()) if entry]
        runs = {run for _, run in lines}
        with suppress(StoreError):
            runs = {self._header_on_disk()[1]}
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
    """Try to lock a file; whether this process holds the lock now."""
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _of_another(path: Path, runs: set[str]) -> bool:
    """Whether a file is an undamaged block of none of these runs."""
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
    """Differences of two headers that cannot be of the same run."""
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
