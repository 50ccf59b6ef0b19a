"""Blocks: the files of an unfinished run, each bound to its run.

A block is a complete HDF5 image made in memory; its name holds all that the manifest does, so that
the manifest can be rebuilt, and the digest of the run's header is in it.
"""

import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from trajsim.ledger import Layout
from trajsim.store.files import StoreError
from trajsim.store.memory import Memory
from trajsim.store.shards import WHOLE, Shard
from trajsim.store.trust import attribute, reading, table

# Named point-first-count-events-SHA-256.
BLOCK_NAME = re.compile(r"block-(\d{5})-(\d{12,13})-(\d+)-(\d+)-([0-9a-f]{64})\.h5")
# Size of a block apart from its columns, at most.
MOST_FRAME_BYTES = 1 << 16


class ForeignBlockError(StoreError):
    """An undamaged block of another run."""


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


def line_of(block: Block, run: str) -> bytes:
    """A block's line of the manifest of a run, which is named by the SHA-256 of its header."""
    return (json.dumps({**block._asdict(), "run": run}) + "\n").encode()


def listed(line: bytes) -> tuple[Block, str] | None:
    """The block of a line of the manifest, and the run it belongs to.

    None if the line is damaged, so that it disagrees with the name of the block's file.
    """
    try:
        entries = table(line)
        run = entries.pop("run")
        block = Block(**entries)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    parsed = named(block.file) if isinstance(block.file, str) else None
    same = parsed == block and list(map(type, block)) == list(map(type, parsed or ()))
    return (block, run) if same else None


def named(name: str) -> Block | None:
    """The block of a file's name; None if it is no name of a block."""
    match = BLOCK_NAME.fullmatch(name)
    if match is None:
        return None
    point, first, count, events = map(int, match.groups()[:4])
    return Block(name, match[5], point, first, count, events) if count else None


def expected_block(name: str, point: int, first: int, count: int) -> Block:
    """The block of a file's name, which must be that of these trajectories.

    Parameters
    ----------
    name : of the file
    point, first, count : expected trajectories

    Raises
    ------
    StoreError
        If it is another one.
    """
    block = named(name)
    if block is None or (block.point, block.first, block.trajectories) != (point, first, count):
        raise StoreError(f"{name}: not the block of {count} trajectories that was asked for")
    return block


def block_with_file(
    memory: Memory, columns: dict[str, NDArray], point: int, first: int, events: int, run: str
) -> tuple[Block, memoryview]:
    """A block and its HDF5 file.

    Parameters
    ----------
    memory : to write the file to; the returned view of it must be released
    columns : of the ledger, (trajectories, ...) each
    point, first : of the trajectories
    events : number of events in them
    run : SHA-256 of the header of the run that the block belongs to
    """
    memory.clear(sum(values.nbytes for values in columns.values()) + MOST_FRAME_BYTES)
    with h5py.File(memory, "w") as file:
        attributes = {"run": run, "point": point, "first": first, "events": events}
        file.attrs.update(attributes)
        for name, values in columns.items():
            if values.size:
                file.create_dataset(name, data=np.ascontiguousarray(values))
    image, count = memory.image(), len(columns["energy"])
    sha256 = hashlib.sha256(image).hexdigest()
    name = f"block-{point:05d}-{first:012d}-{count}-{events}-{sha256}.h5"
    return Block(name, sha256, point, first, count, events), image


@contextmanager
def opened(path: Path, image: bytes | memoryview, block: Block, run: str) -> Iterator[Any]:
    """The verified HDF5 file of a block.

    Parameters
    ----------
    path : to be named in messages
    image : bytes of the file
    block : by its name or the manifest
    run : SHA-256 of the header of the run that it must be of

    Raises
    ------
    StoreError
        If it was changed, or is another block.
    ForeignBlockError
        If it belongs to another run.
    """
    if hashlib.sha256(image).hexdigest() != block.sha256:
        raise StoreError(f"{path}: damaged: its SHA-256 is not that of its name")
    with reading(path), h5py.File(io.BytesIO(image), "r") as file:
        if (attribute(path, file, "run") or "") != run:
            raise ForeignBlockError(f"{path}: a block of another run or shard")
        for name in ("point", "first", "events"):
            if attribute(path, file, name) != getattr(block, name):
                raise StoreError(f"{path}: not the block that its name tells of: {name} differs")
        yield file


def by_place(block: Block) -> tuple[int, int]:
    """Key by which blocks are sorted."""
    return block.point, block.first


def fits(block: Block, layout: Layout, shard: Shard = WHOLE) -> bool:
    """Whether all trajectories of a block belong to the run, and to a shard of it."""
    begin, end = shard.share(layout)
    offset = block.point * layout.trajectories
    return (
        block.end <= layout.trajectories
        and begin <= offset + block.first < offset + block.end <= end
    )


def gaps(
    blocks: Iterable[Block], layout: Layout, shard: Shard = WHOLE
) -> Iterator[tuple[int, int, int]]:
    """Ranges (point, first, end) of trajectories of a shard that no block has yet."""
    each = layout.trajectories
    position, last = shard.share(layout)
    done = sorted((b.point * each + b.first, b.point * each + b.end) for b in blocks)
    for begin, end in [*done, (last, last)]:
        while position < min(begin, last):
            point = position // each
            stop = min(begin, last, (point + 1) * each)
            yield point, position - point * each, stop - point * each
            position = stop
        position = max(position, end)
