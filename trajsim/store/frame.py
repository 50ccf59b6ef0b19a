"""The frame of a finished file, all of it but the arrays, and a line at the end with its digest.

HDF5 crashes on some damage to its own structure, and does not notice other damage: so the frame's
SHA-256 is checked before HDF5 opens the file. The line is after HDF5's end of the file, where HDF5
and netCDF do not read; a program that changes the file removes it.
"""

import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from trajsim.store.files import StoreError
from trajsim.store.trust import MOST_FRAME_BYTES, table

SIGNATURE = b"\x89HDF\r\n\x1a\n"
# Offset of the end of the file in superblocks of each version.
END_AT = {0: 40, 1: 44, 2: 28, 3: 28}
MOST_LINE_BYTES = 1 << 16
Read = Callable[[int, int], bytes]


def guarding_line(read: Read, end: int, arrays: Iterable[tuple[int, int]]) -> bytes:
    """The line with the digest, to be appended to a file.

    Parameters
    ----------
    read : function of an offset and a length that returns bytes of the file
    end : length of the file according to HDF5
    arrays : offset and length of each array that is not part of the frame
    """
    arrays = sorted(arrays)
    content = {"arrays": arrays, "sha256": _sha256(read, end, arrays)}
    return (json.dumps(content) + "\n").encode()


def expect_frame(path: Path) -> None:
    """Refuse a file whose frame was changed.

    Raises
    ------
    StoreError
        If it was damaged, or cannot be read.
    """
    try:
        with path.open("rb") as file:

            def read(offset: int, count: int) -> bytes:
                file.seek(offset)
                return file.read(count)

            size = os.fstat(file.fileno()).st_size
            end = _end(read(0, 64), size)
            if end >= size:  # of an earlier version, or changed since by another program
                return
            tail = read(end, min(size - end, MOST_LINE_BYTES))
            line = tail[: tail.find(b"\n") + 1]
            if not _fits(read, end, line):
                raise StoreError(f"{path}: damaged: its SHA-256 is not the one written with it")
            if end + len(line) < size:
                more = size - end - len(line)
                raise StoreError(f"{path}: damaged: bytes behind its last line: {more}")
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}") from None


def _end(head: bytes, size: int) -> int:
    """Length of HDF5's part of a file; the size of the file if it is unknown."""
    offset = END_AT.get(head[8]) if head.startswith(SIGNATURE) and len(head) == 64 else None
    return size if offset is None else int(struct.unpack_from("<Q", head, offset)[0])


def _fits(read: Read, end: int, line: bytes) -> bool:
    """Whether a line at the end of a file has the digest of its frame."""
    try:
        content = table(line)
        arrays = [(offset, count) for offset, count in content["arrays"]]
        return _within(arrays, end) and line == guarding_line(read, end, arrays)
    except (ValueError, TypeError, KeyError):
        return False


def _within(arrays: list[tuple[Any, Any]], end: int) -> bool:
    """Whether arrays are in the file, do not overlap, and leave no more than a frame."""
    position = 0
    for begin, count in arrays:
        if type(begin) is not int or type(count) is not int or count < 0 or begin < position:
            return False
        position = begin + count
    return position <= end and end - sum(count for _, count in arrays) <= MOST_FRAME_BYTES


def _sha256(read: Read, end: int, arrays: list[tuple[int, int]]) -> str:
    sha256, position = hashlib.sha256(), 0
    for begin, count in [*arrays, (end, 0)]:
        sha256.update(read(position, begin - position))
        position = begin + count
    return sha256.hexdigest()
