"""Folders that are this user's alone: nobody else can write in them, or put others in their place.

What is unpickled, or holds keys, is kept in such folders only.
"""

import atexit
import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

# Between being made and being locked, a temporary folder is younger than this.
YOUNG_SECONDS = 60.0


class NotOwnError(OSError):
    """A folder that another user could write in or replace; the message says which, and why."""


def own_folder(path: str | Path) -> Path:
    """Folder of this user (or of root), made with mode 0700 where it is not there; without links.

    Raises
    ------
    NotOwnError
        If another user than root owns it, can write in it, or can replace it or one above it.
    OSError
        If it cannot be made.
    """
    try:
        whole = Path(os.path.realpath(path))
    except ValueError as error:
        raise NotOwnError(f"{path}: {error}") from None
    shared = False
    for folder in (*reversed(whole.parents), whole):
        with suppress(FileExistsError):
            if not os.path.lexists(folder):
                os.mkdir(folder, 0o700)
        shared = _checked(folder, shared, last=folder == whole)
    return whole


def _checked(folder: Path, shared: bool, last: bool) -> bool:
    """Whether others can write in a folder, though not replace what is mine in it.

    Parameters
    ----------
    folder : looked at
    shared : whether others can write in the folder above
    last : whether nothing of others is allowed in it
    """
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode):
        raise NotOwnError(f"{folder} is not a folder")
    # Whoever owns "/" has power over everything: in a container it may not be called root.
    trusted = {os.geteuid(), 0} | (set() if shared or last else {os.stat("/").st_uid})
    if status.st_uid not in trusted:
        raise NotOwnError(f"{folder} belongs to another user")
    if not _writable_by_others(status):
        return False
    if last or not status.st_mode & stat.S_ISVTX:
        raise NotOwnError(f"{folder} can be written by other users")
    return True


def _writable_by_others(status: os.stat_result) -> bool:
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _group_of_one(status.st_gid)


def _group_of_one(group: int) -> bool:
    """Whether a group is the one that some systems make for each user, with nobody else in it."""
    import grp
    import pwd

    try:
        me, entry = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return me.pw_gid == group and me.pw_name == entry.gr_name and {*entry.gr_mem} <= {me.pw_name}


def temporary_folder() -> Path:
    """Folder of this process alone, mode 0700, deleted at its exit.

    If the process is killed, the next one that makes such a folder deletes it: it is locked for as
    long as its process is there, and its name tells the user.

    Raises
    ------
    OSError
        If there can be none.
    """
    prefix = f"trajsim-{os.geteuid()}-"
    parent = Path(tempfile.gettempdir())
    _sweep(parent, prefix)
    folder = own_folder(tempfile.mkdtemp(prefix=prefix, dir=parent))
    with suppress(OSError):
        # Let go by the system when this process and what it forked have ended.
        fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    atexit.register(_delete, folder, os.getpid())
    return folder


def _delete(folder: Path, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path, prefix: str) -> None:
    """Delete the temporary folders of this user's processes that are no more."""
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                status = os.fstat(handle)
                if status.st_uid != os.geteuid() or time.time() - status.st_mtime < YOUNG_SECONDS:
                    continue
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(handle)
