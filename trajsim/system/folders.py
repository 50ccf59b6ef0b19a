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

from trajsim.errors import TrajsimError

# A temporary folder is called so until it is locked, which it is before it is so old.
NEW, YOUNG_SECONDS = "new-", 60.0


class NotOwnError(TrajsimError, OSError):
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


class TemporaryFolder:
    """Folder of this process alone, mode 0700, deleted at its exit.

    If the process is killed, the next one that makes such a folder deletes it: a folder is locked
    for as long as its process is there, and its name tells the user.

    Raises
    ------
    OSError
        If there can be none.
    """

    def __init__(self) -> None:
        parent, name = Path(tempfile.gettempdir()), f"trajsim-{os.geteuid()}-"
        _sweep(parent, name)
        made = own_folder(tempfile.mkdtemp(prefix=NEW + name, dir=parent))
        self._process, self._lock = os.getpid(), os.open(made, os.O_RDONLY)
        with suppress(OSError):
            # Let go by the system when this process, and what it forked, has ended.
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.path = made.rename(made.with_name(made.name.removeprefix(NEW)))
        atexit.register(self.delete)

    def delete(self) -> None:
        """Delete it, all that is in it, too, unless it is that of the process that forked this."""
        atexit.unregister(self.delete)
        if os.getpid() == self._process:
            shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):
            os.close(self._lock)


def _sweep(parent: Path, name: str) -> None:
    """Delete the temporary folders of this user's processes that are no more."""
    for folder in [*parent.glob(f"{name}*"), *parent.glob(f"{NEW}{name}*")]:
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                status = os.fstat(handle)
                young = time.time() - status.st_mtime < YOUNG_SECONDS
                if status.st_uid == os.geteuid() and not (young and folder.name.startswith(NEW)):
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)
            finally:
                os.close(handle)
