"""The folder of an unfinished run: finished blocks, a manifest of them, a lock.

Each block is published under its name, then listed in the manifest with its SHA-256: appending to
an open HDF5 file loses rows when the process is killed, this does not. The header is bound to
itself by its SHA-256, and that is in every block and every line of the manifest.
"""

import fcntl
import itertools
import json
import os
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from trajsim.ledger import MOST_TRAJECTORY_BYTES, Layout
from trajsim.store.blocks import (
    MOST_FRAME_BYTES,
    Block,
    ForeignBlockError,
    asked_for,
    block_with_file,
    by_place,
    fits,
    line_of,
    listed,
    named,
    opened,
)
from trajsim.store.files import StoreError, append, publish, small_file
from trajsim.store.memory import Memory
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


class Parts:
    """Folder `x.h5.parts` of a run whose output will be `x.h5`.

    Parameters
    ----------
    output : the file the run will become
    """

    def __init__(self, output: Path) -> None:
        self.folder = output.with_name(output.name + ".parts")
        self.manifest = self.folder / "manifest.jsonl"
        self.header_file = self.folder / "header.json"
        self._lock_file = self.folder / "lock"
        self._lock: int | None = None
        self._run_id: str | None = None
        self._memories: list[Memory] = []

    # -- opening -----------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether there is something to resume."""
        return self.header_file.exists()

    def lock(self) -> None:
        """Keep other runs out until this process ends, however it ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        self._lock = os.open(self._lock_file, flags, 0o666)
        try:
            holder = self._holder()
            if holder is None:
                self.hold()
                os.ftruncate(self._lock, 0)
                told = f"process {os.getpid()} on {socket.gethostname()}\n"
                os.write(self._lock, told.encode())
                return
        except BaseException:
            self.unlock()
            raise
        self.unlock()
        raise StoreError(f"{self.folder}: another run is writing here ({holder})")

    def _holder(self) -> str | None:
        """Who else holds the lock; None if it is now held by this process."""
        assert self._lock is not None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.read(self._lock, 200).decode(errors="replace").strip()
        return None

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

    def begin(self, header: dict[str, Any]) -> None:
        """Clear the folder of an earlier run and write the header of a new one.

        Raises
        ------
        StoreError
            If the folder holds anything that is not a run's; then nothing is deleted.
        """
        foreign, own = self.foreign(), self._own()
        if foreign:
            raise StoreError(f"{self.folder}: not only a run's: there is {foreign[0]!r} in it")
        for path in own:
            if path != self._lock_file:
                path.unlink(missing_ok=True)
        self._run_id = digest(header)
        signed = {**header, "header_sha256": self._run_id}
        publish(self.header_file, json.dumps(signed, indent=1).encode())

    def size(self) -> int:
        """Bytes of the blocks that are there."""
        return sum(path.stat().st_size for path in self.folder.glob("block-*.h5"))

    def header(self) -> dict[str, Any]:
        """Header of the run that is here.

        Raises
        ------
        StoreError
            If there is none, or it is not as it was written.
        """
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
        self._run_id = stated
        return found

    @property
    def run_id(self) -> str:
        """SHA-256 of the header, which is in every block and every line of the manifest."""
        if self._run_id is None:
            self.header()
        return self._run_id or ""

    def differences(self, header: dict[str, Any]) -> list[str]:
        """What keeps the run that is here from being continued under another header."""
        return differences(self.header(), header)

    def other_machine(self, header: dict[str, Any]) -> bool:
        """Whether the run began on another kind of machine."""
        return bool(self.header().get(MACHINE) != header[MACHINE])

    # -- blocks ------------------------------------------------------------------------------

    def publish(self, columns: dict[str, NDArray], point: int, first: int, events: int) -> Block:
        """Write a block of trajectories for good, then list it; several threads may at a time."""
        memory = self._memories.pop() if self._memories else Memory()
        block, image = block_with_file(memory, columns, point, first, events, self.run_id)
        with image:
            self.add(block, image)
        self._memories.append(memory)
        return block

    def add(self, block: Block, image: bytes | memoryview) -> None:
        """Write a block made by `block_with_file`, here or elsewhere, for good, then list it."""
        self.hold()
        publish(self.folder / block.file, image)
        append(self.manifest, line_of(block, self.run_id))

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
            self.add(block, image)
        return block

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

    def sound_blocks(self, layout: Layout, shard: Shard = WHOLE) -> tuple[list[Block], int]:
        """Blocks whose files are as they were published, and the number of those lost.

        Files are found by their names, which say what the manifest should; it is written anew.
        """
        lines = self._lines()
        blocks = (named(path.name) for path in self.folder.glob("block-*.h5"))
        sound: list[Block] = []
        for block in sorted(filter(None, blocks), key=by_place):
            end = sound[-1].end if sound and sound[-1].point == block.point else 0
            with suppress(StoreError):
                if fits(block, layout, shard) and block.first >= end:
                    with self._opened(block, layout):
                        sound.append(block)
        publish(self.manifest, b"".join(line_of(block, self.run_id) for block in sound))
        return sound, max(0, len(lines) - len(sound))

    def read(self, block: Block, layout: Layout, names: Iterable[str]) -> dict[str, NDArray]:
        """Columns of a block.

        Raises
        ------
        StoreError
            If the block's file is missing or not as it was published.
        """
        path, columns = self.folder / block.file, {c.name: c for c in layout.columns}
        with self._opened(block, layout) as (file, size):
            found = {}
            for name in names:
                column = columns[name]
                shape = (block.trajectories, *layout.shape(column))
                found[name] = plain_dataset(path, file, name, column.dtype, shape, size)[...]
            return found

    @contextmanager
    def _opened(self, block: Block, layout: Layout) -> Iterator[tuple[Any, int]]:
        """A block's file, found to be as this run published it, and its size."""
        path = self.folder / block.file
        data = small_file(path, block.trajectories * layout.trajectory_bytes + MOST_FRAME_BYTES)
        with opened(path, data, block, self.run_id) as file:
            yield file, len(data)

    # -- deleting ----------------------------------------------------------------------------

    def foreign(self) -> list[str]:
        """Names of what is in the folder and was not made by the run that is here."""
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
            runs = {self.run_id}
        names = {block.file for block, run in lines if run in runs}
        own = [
            path
            for path in self.folder.iterdir()
            if OWN.fullmatch(path.name)
            and (path.is_symlink() or not path.is_dir())
            and (path.name in names or not _of_another(path, runs))
        ]
        return sorted(own, key=lambda path: last.index(path if path in last else None))

    def remove(self) -> list[str]:
        """Delete what the run made, then the folder if that was all, and let go of the lock.

        Returns
        -------
        Names of what others put there, which stays.
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
        return left

    def tidy(self) -> None:
        """Let go of the lock; delete what is left of a run that can no longer be resumed."""
        with suppress(OSError, StoreError):
            if not self.exists() and (self._own() or not self.foreign()):
                if self._lock is None:
                    self.lock()
                self.remove()
        self.unlock()


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
