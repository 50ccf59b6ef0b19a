"""Private folders of this user: nobody else can write in them or replace them.

Files that are unpickled, or hold keys, are kept in such folders only.
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

# Prefix of a temporary folder until it is locked, which takes less than so many seconds.
NEW, YOUNG_SECONDS = "new-", 60.0


class NotOwnError(TrajsimError, OSError):
    """A folder that another user could write in or replace; the message says which, and why."""


def own_folder(path: str | Path) -> Path:
    """Private folder of this user (or of root), made with mode 0700 if missing; links resolved.

    Raises
    ------
    NotOwnError
        If another user than root owns it, can write in it, or can replace it or one above it.
    OSError
        If it cannot be made.
    """
    try:
        target = Path(os.path.realpath(path))
    except ValueError as error:
        raise NotOwnError(f"{path}: {error}") from None
    shared = False
    for folder in (*reversed(target.parents), target):
        with suppress(FileExistsError):
            if not os.path.lexists(folder):
                os.mkdir(folder, 0o700)
        shared = _checked(folder, shared, last=folder == target)
    return target


def _checked(folder: Path, shared: bool, last: bool) -> bool:
    """Whether others can write in a folder, though not replace files of this user in it.

    Parameters
    ----------
    folder : to be checked
    shared : whether others can write in the folder above
    last : whether nobody else may write in it
    """
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode):
        raise NotOwnError(f"{folder} is not a folder")
    # The owner of "/" is trusted like root: in a container it may be another user.
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
    """Whether a group is the private one of this user, without other members."""
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
    while its process runs, and its name has the user's number.

    Raises
    ------
    OSError
        If it cannot be made.
    """

    def __init__(self) -> None:
        parent, name = Path(tempfile.gettempdir()), f"trajsim-{os.geteuid()}-"
        _sweep(parent, name)
        folder = own_folder(tempfile.mkdtemp(prefix=NEW + name, dir=parent))
        self._process, self._lock = os.getpid(), os.open(folder, os.O_RDONLY)
        with suppress(OSError):
            # Released by the system when this process and its forks have ended.
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.path = folder.rename(folder.with_name(folder.name.removeprefix(NEW)))
        atexit.register(self.delete)

    def delete(self) -> None:
        """Delete the folder with its files, unless it belongs to the process that forked this."""
        atexit.unregister(self.delete)
        if os.getpid() == self._process:
            shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):
            os.close(self._lock)


def _sweep(parent: Path, name: str) -> None:
    """Delete temporary folders of this user's processes that have ended."""
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
