"""Atomic writing of files, synced to the disk."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trajsim.errors import TrajsimError


class RunError(TrajsimError):
    """A run that cannot be made; the message says why."""


class StoreError(TrajsimError):
    """A run's files cannot be written, read or trusted; the message says which and why."""


class NoRunError(StoreError):
    """There is no such file."""


def small_file(path: Path, most: int) -> bytes:
    """Bytes of a plain file of at most so many bytes; no symbolic link, no pipe.

    Raises
    ------
    StoreError
        If it is anything else, or cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise StoreError(f"{path}: not a plain file")
            if status.st_size > most:
                raise StoreError(f"{path}: of {status.st_size} bytes; allowed: {most}")
            return file.read(most)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}") from None


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def published(path: Path, temporary: Path) -> Iterator[int]:
    """A file to be written under a temporary name, and renamed when complete.

    Parameters
    ----------
    path : of the file; an existing one is replaced atomically
    temporary : on the same disk
    """
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666)
    try:
        try:
            yield handle
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def publish(path: Path, data: bytes | memoryview) -> None:
    """Write a file atomically, and sync it to the disk."""
    with published(path, path.with_name(f".{path.name}.tmp")) as handle:
        write_all(handle, data)


def append(path: Path, data: bytes) -> None:
    """Append a line to a file, and sync it; a line cut short by a full disk is removed again."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
    try:
        # Locked, so that lines of other threads are not removed with it.
        fcntl.flock(handle, fcntl.LOCK_EX)
        size = os.fstat(handle).st_size
        try:
            write_all(handle, data)
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
    if not size:
        sync_folder(path.parent)


def write_all(handle: int, data: bytes | memoryview, offset: int | None = None) -> None:
    """Write all bytes, optionally at an offset of the file."""
    view = memoryview(data).cast("B")
    while view:
        try:
            count = os.write(handle, view) if offset is None else os.pwrite(handle, view, offset)
        except OSError as error:
            # The system does not say which file it was.
            with suppress(OSError):
                error.filename = os.readlink(f"/proc/self/fd/{handle}")
            raise
        offset = None if offset is None else offset + count
        view = view[count:]
