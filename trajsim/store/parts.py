"""The folder of an unfinished run: finished blocks, a manifest of them, a lock.

Each block is a complete HDF5 image made in memory and published under its name, then listed in
the manifest with its SHA-256: appending to an open HDF5 file loses rows when the process is
killed, this does not.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from trajsim.ledger import Layout
from trajsim.store.files import StoreError, append, publish
from trajsim.store.memory import Memory

# What must be the same for a run to be taken up again.
BINDING = ("schema", "version", "resolved", "libraries")
# Entries of a header that tell the truth only of the machine; a difference is worth a warning.
MACHINE = "machine"
# Names of files that a run makes in its folder.
OWN = re.compile(r"lock|\.?(block-[\d-]+\.h5|manifest\.jsonl|header\.json|packed)(\.tmp)?")


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
        self._lock: int | None = None
        self._memories: list[Memory] = []

    # -- opening -----------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether there is something to resume."""
        return self.header_file.exists()

    def lock(self) -> None:
        """Keep other runs out until this process ends, however it ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 200).decode(errors="replace").strip()
            os.close(handle)
            raise StoreError(f"{self.folder}: another run is writing here ({holder})") from None
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        self._lock = handle

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
            If the folder holds anything that is not a run's.
        """
        foreign = [p.name for p in self.folder.iterdir() if not OWN.fullmatch(p.name)]
        if foreign:
            raise StoreError(f"{self.folder}: not only a run's: there is {foreign[0]!r} in it")
        for path in self.folder.iterdir():
            if path.name != "lock":
                path.unlink()
        publish(self.header_file, json.dumps(header, indent=1).encode())

    def size(self) -> int:
        """Bytes of the blocks that are there."""
        return sum(path.stat().st_size for path in self.folder.glob("block-*.h5"))

    def header(self) -> dict[str, Any]:
        """Header of the run that is here."""
        try:
            found = json.loads(self.header_file.read_bytes())
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.header_file}: cannot be read: {error}") from None
        if not isinstance(found, dict):
            raise StoreError(f"{self.header_file}: not the header of a run")
        return found

    def differences(self, header: dict[str, Any]) -> list[str]:
        """What keeps the run that is here from being continued under another header."""
        old = self.header()
        return [
            f"{key} differs: {_difference(old.get(key), header[key])}"
            for key in BINDING
            if old.get(key) != header[key]
        ]

    def other_machine(self, header: dict[str, Any]) -> bool:
        """Whether the run began on another kind of machine."""
        return bool(self.header().get(MACHINE) != header[MACHINE])

    # -- blocks ------------------------------------------------------------------------------

    def publish(self, columns: dict[str, NDArray], point: int, first: int, events: int) -> Block:
        """Write a block of trajectories for good, then list it; several threads may at a time."""
        count = len(columns["energy"])
        name = f"block-{point:05d}-{first:012d}-{count}.h5"
        memory = self._memories.pop() if self._memories else Memory()
        with _image(memory, columns, point, first) as image:
            publish(self.folder / name, image)
            block = Block(name, hashlib.sha256(image).hexdigest(), point, first, count, events)
        self._memories.append(memory)
        append(self.manifest, (json.dumps(block._asdict()) + "\n").encode())
        return block

    def blocks(self) -> list[Block]:
        """Blocks of the manifest by point and trajectory; a last line cut short does not count."""
        try:
            lines = self.manifest.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        found = []
        for number, line in enumerate(lines[:-1], 1):
            try:
                found.append(Block(**json.loads(line)))
            except (ValueError, TypeError):
                raise StoreError(f"{self.manifest}:{number}: damaged line") from None
        return sorted(found, key=lambda b: (b.point, b.first))

    def sound_blocks(self, layout: Layout) -> list[Block]:
        """Blocks whose files are as they were published; others are struck from the manifest."""
        listed = self.blocks()
        sound: list[Block] = []
        for block in listed:
            try:
                found = _sha256(self.folder / block.file)
            except OSError:
                continue
            end = sound[-1].end if sound and sound[-1].point == block.point else 0
            fits = block.point < layout.points and block.end <= layout.trajectories
            if fits and block.first >= end and found == block.sha256:
                sound.append(block)
        lines = "".join(json.dumps(block._asdict()) + "\n" for block in sound)
        publish(self.manifest, lines.encode())
        return sound

    def read(self, block: Block, names: Iterable[str]) -> dict[str, NDArray]:
        """Columns of a block.

        Raises
        ------
        StoreError
            If the block's file is missing or not as it was published.
        """
        path = self.folder / block.file
        try:
            sound = _sha256(path) == block.sha256
        except OSError as error:
            raise StoreError(f"{path}: cannot be read: {error.strerror}") from None
        if not sound:
            raise StoreError(f"{path}: damaged: its SHA-256 is not that of the manifest")
        with h5py.File(path, "r") as file:
            return {name: file[name][...] for name in names}

    def remove(self) -> None:
        """Delete the folder and let go of the lock."""
        shutil.rmtree(self.folder)
        self.unlock()


def gaps(blocks: Iterable[Block], layout: Layout) -> Iterator[tuple[int, int, int]]:
    """Ranges (point, first, end) of trajectories that no block has yet."""
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


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _image(memory: Memory, columns: dict[str, NDArray], point: int, first: int) -> memoryview:
    """A block as an HDF5 file in memory."""
    memory.clear(sum(values.nbytes for values in columns.values()) + (1 << 16))
    with h5py.File(memory, "w") as file:
        file.attrs["point"], file.attrs["first"] = point, first
        for name, values in columns.items():
            if values.size:
                file.create_dataset(name, data=np.ascontiguousarray(values))
    return memory.image()


def _difference(old: Any, new: Any) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
        return ", ".join(f"{key}: {_difference(old.get(key), new.get(key))}" for key in keys)
    return f"it was {old!r}, now it is {new!r}"
