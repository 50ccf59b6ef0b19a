"""Files that users name: their kind, names of files made from them, atomic writing."""

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# What every HDF5 file begins with.
HDF5 = b"\x89HDF\r\n\x1a\n"
# Files in the folder of an unfinished run, of which it always has one.
UNFINISHED = ("header.json", "manifest.jsonl", "lock")
# A config: comments and keys, then one of its tables, however it is written.
TABLES = rb"(model|drive|baths|sites|bonds|ensemble|ledger|integrator|figure|sweep)"
CONFIG = re.compile(
    rb"(\xef\xbb\xbf)?([ \t]*(#[^\n]*|[\w\"'-]+[ \t]*=[^\n]*|\r?)\n)*"
    rb"[ \t]*(\[\[?[ \t]*" + TABLES + rb"\b|" + TABLES + rb"[ \t]*[.=])"
)
A_RUN = "a run, where a config belongs; trajsim info tells what it was made from"
NEVER_REPLACED = "holds a config, which is never replaced; allowed: another name"
A_CONFIG = "a config, where a run belongs; trajsim run makes one from it"
# Bytes of a file from which its kind is determined.
BEGINNING = 1 << 16


def holds_run(path: Path) -> bool:
    """Whether there is a run at a path, finished (any HDF5 file) or not (a folder x.h5.parts)."""
    return _beginning(path).startswith(HDF5) or _is_unfinished(path)


def holds_config(path: Path) -> bool:
    """Whether the file at a path is a config, sound or not: by its tables, else by its name."""
    beginning = _beginning(path)
    if beginning.startswith(HDF5):
        return False
    return bool(CONFIG.match(beginning)) or (path.suffix.lower() == ".toml" and path.is_file())


def _beginning(path: Path) -> bytes:
    """First bytes of a plain file; none of anything else."""
    with suppress(OSError, ValueError):
        if stat.S_ISREG(path.stat().st_mode):
            with path.open("rb") as file:
                return file.read(BEGINNING)
    return b""


def _is_unfinished(folder: Path) -> bool:
    is_parts = folder.suffix.lower() == ".parts"
    with suppress(OSError, ValueError):
        return is_parts and any((folder / name).exists() for name in UNFINISHED)
    return False


def stem(source: Path) -> str:
    """Stem of files made from a run or config: its name without .h5, .parts or .toml."""
    name = source.name
    for suffix in (".h5", ".parts", ".toml"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


# -- writing -----------------------------------------------------------------------------------


def expect_writable(path: Path) -> None:
    """Refuse a path where a file would destroy a run or a config, or cannot be written.

    Raises
    ------
    OSError
        If the path holds a run or a config, is a folder, a pipe that somebody would have to read,
        within the folder of an unfinished run, or not to be written to.
    """
    try:
        with _errors_named(path):
            target = path.resolve()
    except (RuntimeError, ValueError) as error:  # links in a circle; NUL
        raise OSError(errno.EINVAL, str(error), str(path)) from None
    parts = target.with_name(target.name + ".parts")
    unfinished = next((f for f in (parts, target, *target.parents) if _is_unfinished(f)), None)
    if unfinished is not None:
        message = f"an unfinished run is in {unfinished}; allowed: another name"
        raise FileExistsError(errno.EEXIST, message, str(path))
    if target.is_dir():
        message = "a folder; allowed: the name of a file"
        raise IsADirectoryError(errno.EISDIR, message, str(path))
    if _would_wait(path):
        message = "a pipe, a socket or a disk; allowed: the name of a file"
        raise OSError(errno.EINVAL, message, str(path))
    if holds_run(target):
        message = "holds a run, which only trajsim run and merge replace; allowed: another name"
        raise FileExistsError(errno.EEXIST, message, str(path))
    if holds_config(target):
        raise FileExistsError(errno.EEXIST, NEVER_REPLACED, str(path))
    if target.parent.exists() and not target.parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{target.parent} is no folder", str(path))
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def _would_wait(path: Path) -> bool:
    """Whether opening a path may wait for a reader: a pipe, a socket or a disk.

    Pipes opened by a shell do not wait, such as /dev/stdout and /dev/fd/63.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        folder = Path(os.path.realpath(path.parent))
        return not (folder == Path("/dev") or folder.is_relative_to("/proc"))
    return not (stat.S_ISREG(mode) or stat.S_ISCHR(mode) or stat.S_ISDIR(mode))


@contextmanager
def publishing(path: Path, *, text: bool = False) -> Iterator[Any]:
    """A file to write to, which replaces the old one only when it is complete.

    It is written under a temporary name in the same folder, which is deleted in any case. A link is
    followed; devices and the shell's pipes are written directly. Missing folders are made.

    Parameters
    ----------
    path : name of the file
    text : take text, to be written as UTF-8, instead of bytes

    Raises
    ------
    OSError
        As for `expect_writable`, and if the disk is full.
    """
    expect_writable(path)
    target = path.resolve()
    old_status = None
    with suppress(FileNotFoundError):
        old_status = path.stat()
    if old_status is not None and not stat.S_ISREG(old_status.st_mode):
        with _errors_named(path), _open(path, "w", text) as file:
            yield file
        return
    temporary = target.with_name(f".trajsim-{secrets.token_hex(8)}.tmp")
    try:
        with _errors_named(path):
            target.parent.mkdir(parents=True, exist_ok=True)
            with _open(temporary, "x", text) as file:
                if old_status is not None:
                    os.fchmod(file.fileno(), stat.S_IMODE(old_status.st_mode))
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    with suppress(OSError):  # the name lasts, where the system can be asked for it
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    """Replace the file name in errors by the one that the user gave."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def _open(path: Path, mode: str, text: bool) -> Any:
    return path.open(mode, encoding="utf-8", newline="") if text else path.open(mode + "b")


def publish(path: Path, content: bytes | str) -> None:
    """Write a whole file (`publishing`)."""
    with publishing(path, text=isinstance(content, str)) as file:
        file.write(content)
