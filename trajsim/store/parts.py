"""The folder of an unfinished run: finished blocks, a manifest of them, a lock.

Each block is a complete HDF5 image made in memory and published under its name, then listed in
the manifest with its SHA-256: appending to an open HDF5 file loses rows when the process is
killed, this does not.
"""

import fcntl
import hashlib
import io
import itertools
import json
import os
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from trajsim.ledger import Layout
from trajsim.store.files import StoreError, append, publish, small_file
from trajsim.store.memory import Memory
from trajsim.store.shards import WHOLE, Shard
from trajsim.store.trust import plain_dataset, reading, table

# What must be the same for a run to be taken up again.
BINDING = ("schema", "version", "resolved", "libraries", "plugins", "shard")
# What must be the same for a complete run to be the one that is asked for.
WHAT = ("resolved", "plugins")
# Entries of a header that tell the truth only of the machine; a difference is worth a warning.
MACHINE = "machine"
# Blocks are named point-first-count-events-SHA-256: where the manifest is lost, the names tell.
BLOCK_NAME = re.compile(r"block-(\d{5})-(\d{12,13})-(\d+)-(\d+)-([0-9a-f]{64})\.h5")
# Names of files that a run makes in its folder.
OWN = re.compile(r"lock|\.?(block-[\da-f-]+\.h5|manifest\.jsonl|header\.json|packed)(\.tmp)?")
# What no run needs more of.
MOST_HEADER_BYTES, MOST_MANIFEST_BYTES = 16 << 20, 256 << 20
# HDF5's own part of a block.
MOST_FRAME_BYTES = 1 << 16


class Block(NamedTuple):
    """One published block: trajectories first ... first + trajectories - 1 of a point."""

    file: str
    sha256: str
    point: int
    first: int
    trajectories: int
    events: int

    @property
    def end(self) -> int:
        """Number of the trajectory after the last."""
        return self.first + self.trajectories


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
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.hold()
            os.ftruncate(self._lock, 0)
            os.write(self._lock, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        except BlockingIOError:
            holder = os.read(self._lock, 200).decode(errors="replace").strip()
            self.unlock()
            raise StoreError(f"{self.folder}: another run is writing here ({holder})") from None
        except BaseException:
            self.unlock()
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

    def begin(self, header: dict[str, Any]) -> None:
        """Clear the folder of an earlier run and write the header of a new one.

        Raises
        ------
        StoreError
            If the folder holds anything that is not a run's; then nothing is deleted.
        """
        own = self._own()
        foreign = {path.name for path in self.folder.iterdir()} - {path.name for path in own}
        if foreign:
            raise StoreError(f"{self.folder}: not only a run's: there is {min(foreign)!r} in it")
        for path in own:
            if path != self._lock_file:
                path.unlink(missing_ok=True)
        publish(self.header_file, json.dumps(header, indent=1).encode())

    def size(self) -> int:
        """Bytes of the blocks that are there."""
        return sum(path.stat().st_size for path in self.folder.glob("block-*.h5"))

    def header(self) -> dict[str, Any]:
        """Header of the run that is here."""
        try:
            found = table(small_file(self.header_file, MOST_HEADER_BYTES))
        except ValueError as error:
            raise StoreError(f"{self.header_file}: cannot be read: {error}") from None
        if not isinstance(found, dict):
            raise StoreError(f"{self.header_file}: not the header of a run")
        return found

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
        block, image = sealed(memory, columns, point, first, events)
        with image:
            self.add(block, image)
        self._memories.append(memory)
        return block

    def add(self, block: Block, image: bytes | memoryview) -> None:
        """Write a block that was `sealed`, here or elsewhere, for good, then list it."""
        self.hold()
        publish(self.folder / block.file, image)
        append(self.manifest, _line(block))

    def adopt(
        self, name: str, image: bytes | memoryview, point: int, first: int, count: int
    ) -> Block:
        """Write a block that was `sealed` elsewhere under a name, if it is the one asked for.

        Raises
        ------
        StoreError
            If it is another one, or was changed on its way.
        """
        block = _named(name)
        if block is None or (block.point, block.first, block.trajectories) != (point, first, count):
            raise StoreError(f"{name}: not the block of {count} trajectories that was asked for")
        if hashlib.sha256(image).hexdigest() != block.sha256:
            raise StoreError(f"{name}: damaged on its way: its SHA-256 is not that of its name")
        self.add(block, image)
        return block

    def blocks(self) -> list[Block]:
        """Blocks of the manifest by point and trajectory; a last line cut short does not count.

        Raises
        ------
        StoreError
            If a line is damaged, or two blocks have a trajectory in common.
        """
        found = []
        for number, line in enumerate(self._lines(), 1):
            block = _block(line)
            if block is None:
                raise StoreError(f"{self.manifest}:{number}: damaged line")
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
        named = (_named(path.name) for path in self.folder.glob("block-*.h5"))
        sound: list[Block] = []
        for block in sorted(filter(None, named), key=by_place):
            end = sound[-1].end if sound and sound[-1].point == block.point else 0
            with suppress(StoreError):
                if fits(block, layout, shard) and block.first >= end:
                    self._bytes(block, layout)
                    sound.append(block)
        publish(self.manifest, b"".join(map(_line, sound)))
        return sound, max(0, len(lines) - len(sound))

    def read(self, block: Block, layout: Layout, names: Iterable[str]) -> dict[str, NDArray]:
        """Columns of a block.

        Raises
        ------
        StoreError
            If the block's file is missing or not as it was published.
        """
        path, data = self.folder / block.file, self._bytes(block, layout)
        dtypes = {c.name: c for c in layout.columns}
        with reading(path), h5py.File(io.BytesIO(data), "r") as file:
            found = {}
            for name in names:
                column = dtypes[name]
                shape = (block.trajectories, *layout.shape(column))
                found[name] = plain_dataset(path, file, name, column.dtype, shape, len(data))[...]
            return found

    def _bytes(self, block: Block, layout: Layout) -> bytes:
        """A block's file, found to be as it was published."""
        path = self.folder / block.file
        data = small_file(path, block.trajectories * layout.trajectory_bytes + MOST_FRAME_BYTES)
        if hashlib.sha256(data).hexdigest() != block.sha256:
            raise StoreError(f"{path}: damaged: its SHA-256 is not that of the manifest")
        return data

    # -- deleting ----------------------------------------------------------------------------

    def _own(self) -> list[Path]:
        """Files in the folder that a run made, in the order in which they are deleted.

        First what makes it a run to be resumed, for the rest is of no use without; last the lock.
        """
        last = [self.header_file, None, self.manifest, self._lock_file]
        own = [p for p in self.folder.iterdir() if OWN.fullmatch(p.name) and not _is_folder(p)]
        return sorted(own, key=lambda path: last.index(path if path in last else None))

    def remove(self) -> list[str]:
        """Delete what the run made, then the folder if that was all, and let go of the lock.

        Returns
        -------
        Names of what others put there, which stays.
        """
        self.header_file.unlink(missing_ok=True)
        left = []
        with suppress(OSError):
            for path in self._own():
                with suppress(OSError):
                    path.unlink()
            left = sorted(path.name for path in self.folder.iterdir())
            self.folder.rmdir()
        self.unlock()
        return left

    def tidy(self) -> None:
        """Let go of the lock; delete what is left of a run that can no longer be resumed."""
        with suppress(OSError, StoreError):
            if not self.exists() and self._own():
                if self._lock is None:
                    self.lock()
                self.remove()
        self.unlock()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _line(block: Block) -> bytes:
    """A block's line of the manifest."""
    return (json.dumps(block._asdict()) + "\n").encode()


def _block(line: bytes) -> Block | None:
    """The block of a line of the manifest; None if it is damaged: its file's name says the same."""
    try:
        block = Block(**table(line))
    except (ValueError, TypeError):
        return None
    named = _named(block.file) if isinstance(block.file, str) else None
    same = named == block and list(map(type, block)) == list(map(type, named or ()))
    return block if same else None


def _named(name: str) -> Block | None:
    """The block that a file's name tells of."""
    match = BLOCK_NAME.fullmatch(name)
    if match is None:
        return None
    point, first, count, events = map(int, match.groups()[:4])
    return Block(name, match[5], point, first, count, events) if count else None


def sealed(
    memory: Memory, columns: dict[str, NDArray], point: int, first: int, events: int
) -> tuple[Block, memoryview]:
    """A block, and the HDF5 file of it; the view of `memory` is to be released."""
    memory.clear(sum(values.nbytes for values in columns.values()) + MOST_FRAME_BYTES)
    with h5py.File(memory, "w") as file:
        file.attrs["point"], file.attrs["first"] = point, first
        for name, values in columns.items():
            if values.size:
                file.create_dataset(name, data=np.ascontiguousarray(values))
    image, count = memory.image(), len(columns["energy"])
    sha256 = hashlib.sha256(image).hexdigest()
    name = f"block-{point:05d}-{first:012d}-{count}-{events}-{sha256}.h5"
    return Block(name, sha256, point, first, count, events), image


def by_place(block: Block) -> tuple[int, int]:
    """What blocks are sorted by."""
    return block.point, block.first


def fits(block: Block, layout: Layout, shard: Shard = WHOLE) -> bool:
    """Whether all trajectories of a block are of the run, and of a shard of it."""
    begin, end = shard.share(layout)
    before = block.point * layout.trajectories
    return (
        block.end <= layout.trajectories
        and begin <= before + block.first < before + block.end <= end
    )


def gaps(
    blocks: Iterable[Block], layout: Layout, shard: Shard = WHOLE
) -> Iterator[tuple[int, int, int]]:
    """Ranges (point, first, end) of trajectories of a shard that no block has yet."""
    begin, end = shard.share(layout)
    for point, first, last in _gaps(blocks, layout):
        before = point * layout.trajectories
        first, last = max(first, begin - before), min(last, end - before)
        if first < last:
            yield point, first, last


def _gaps(blocks: Iterable[Block], layout: Layout) -> Iterator[tuple[int, int, int]]:
    done: dict[int, list[Block]] = {}
    for block in blocks:
        done.setdefault(block.point, []).append(block)
    for point in range(layout.points):
        at = 0
        for block in sorted(done.get(point, []), key=lambda b: b.first):
            if block.first > at:
                yield point, at, block.first
            at = block.end
        if at < layout.trajectories:
            yield point, at, layout.trajectories


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
