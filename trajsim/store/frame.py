"""The frame of a finished file: all of it but the arrays, and the line behind it that guards it.

HDF5 crashes on some damage to its own structure, and takes other damage for what was written: so
the frame's SHA-256 is compared before HDF5 sees the file. The line lies behind what HDF5 calls the
end of the file, where HDF5 and netCDF do not look; a program that changes the file takes it away.
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
# Where superblocks of each version say where the file ends.
END_AT = {0: 40, 1: 44, 2: 28, 3: 28}
MOST_LINE_BYTES = 1 << 16
Read = Callable[[int, int], bytes]


def guarding_line(read: Read, end: int, arrays: Iterable[tuple[int, int]]) -> bytes:
    """The line to be written behind a file.

    Parameters
    ----------
    read : bytes of the file, of a place and a length
    end : length of the file as HDF5 knows it
    arrays : place and length of each array that is not part of the frame
    """
    arrays = sorted(arrays)
    told = {"arrays": arrays, "sha256": _sha256(read, end, arrays)}
    return (json.dumps(told) + "\n").encode()


def expect_frame(path: Path) -> None:
    """Refuse a file whose frame is not that which was written.

    Raises
    ------
    StoreError
        If it was damaged, or cannot be read.
    """
    try:
        with path.open("rb") as file:

            def read(at: int, count: int) -> bytes:
                file.seek(at)
                return file.read(count)

            size = os.fstat(file.fileno()).st_size
            end = _end(read(0, 64), size)
            if end >= size:  # of an earlier version, or changed since by another program
                return
            behind = read(end, min(size - end, MOST_LINE_BYTES))
            line = behind[: behind.find(b"\n") + 1]
            if not _fits(read, end, line):
                raise StoreError(f"{path}: damaged: its SHA-256 is not the one written with it")
            if end + len(line) < size:
                more = size - end - len(line)
                raise StoreError(f"{path}: damaged: bytes behind its last line: {more}")
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}") from None


def _end(head: bytes, size: int) -> int:
    """Where HDF5's part of a file ends; its size, if it does not say."""
    at = END_AT.get(head[8]) if head.startswith(SIGNATURE) and len(head) == 64 else None
    return size if at is None else int(struct.unpack_from("<Q", head, at)[0])


def _fits(read: Read, end: int, line: bytes) -> bool:
    """Whether what is behind a file is the line that guards it."""
    try:
        told = table(line)
        arrays = [(at, count) for at, count in told["arrays"]]
        return _within(arrays, end) and line == guarding_line(read, end, arrays)
    except (ValueError, TypeError, KeyError):
        return False


def _within(arrays: list[tuple[Any, Any]], end: int) -> bool:
    """Whether arrays lie in the file, side by side, and leave no more than a frame."""
    at = 0
    for begin, count in arrays:
        if type(begin) is not int or type(count) is not int or count < 0 or begin < at:
            return False
        at = begin + count
    return at <= end and end - sum(count for _, count in arrays) <= MOST_FRAME_BYTES


def _sha256(read: Read, end: int, arrays: list[tuple[int, int]]) -> str:
    made, at = hashlib.sha256(), 0
    for begin, count in [*arrays, (end, 0)]:
        made.update(read(at, begin - at))
        at = begin + count
    return made.hexdigest()
