"""How runs are made bad: each maker changes a copy of a sound one, checksums and all.

The bad files are in `bad_files` and `bad_ledgers`, the folders of unfinished runs in `bad_folders`.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

VERBS = ("verify", "info", "analyze", "check", "plot")
UNSOUND, REFUSED = 1, 2
# What is not told by the verb that only shows the header.
HEADER_GOOD = {"info": (0, REFUSED)}


class Bad(NamedTuple):
    """One bad run: how it is made, and exit statuses other than 1 of `verify`, 2 of the rest."""

    make: Callable[[Path, Path], None]
    statuses: dict[str, tuple[int, ...]]

    def allowed(self, verb: str) -> tuple[int, ...]:
        """Exit statuses that are right for a verb."""
        return self.statuses.get(verb, (UNSOUND,) if verb == "verify" else (REFUSED,))


# Numbers that no run writes: the header is shown, and they are judged as they stand.
SHOWN = {"info": (0,), "check": (UNSOUND, REFUSED)}
DEEP = "[" * 100_000 + "]" * 100_000
CHANCE = np.random.default_rng(6)


def of(table: dict[str, Bad], name: str, **statuses: tuple[int, ...]) -> Callable:
    """Enter a maker (path of a copy, folder of secrets) into a table."""

    def enter(make: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
        assert name not in table
        table[name] = Bad(make, statuses)
        return make

    return enter


def put_in(table: dict[str, Bad], name: str, make: Callable, **statuses: tuple[int, ...]) -> None:
    """As `of`, for makers without a name of their own."""
    of(table, name, **statuses)(make)


def readable(data: h5py.Dataset) -> bool:
    """Whether reading an array costs nothing and opens no other file."""
    return (data.size or 0) < 1e7 and not (data.external or data.is_virtual)


def sign(file: h5py.File) -> None:
    """Make all checksums fit what is there."""
    whole = isinstance(file.get("ledger", getlink=True), h5py.HardLink)
    group = file["ledger"] if whole and isinstance(file["ledger"], h5py.Group) else {}
    here = [name for name in group if isinstance(group.get(name, getlink=True), h5py.HardLink)]
    for data in (group[name] for name in here):
        if isinstance(data, h5py.Dataset) and "sha256" in data.attrs and readable(data):
            data.attrs["sha256"] = hashlib.sha256(np.ascontiguousarray(data[()]).data).hexdigest()
    stored = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in file.attrs.items()
        if name != "header_sha256"
    }
    try:
        text = json.dumps(stored, sort_keys=True)
    except TypeError:
        return
    file.attrs["header_sha256"] = hashlib.sha256(text.encode()).hexdigest()


def edited(edit: Callable[[h5py.File, Path], None]) -> Callable[[Path, Path], None]:
    """A maker that edits the open file, then makes the checksums fit."""

    def make(path: Path, secrets: Path) -> None:
        with h5py.File(path, "r+") as file:
            edit(file, secrets)
            sign(file)

    return make


def bytes_of(change: Callable[[bytes], bytes]) -> Callable[[Path, Path], None]:
    """A maker that changes the file's bytes."""
    return lambda path, _: path.write_bytes(change(path.read_bytes())) and None


def instead(put: Callable[[Path, Path], Any]) -> Callable[[Path, Path], None]:
    """A maker that puts something in the place of a file."""

    def make(path: Path, secrets: Path) -> None:
        path.unlink()
        put(path, secrets)

    return make


def secrets_in(folder: Path, run: Path) -> Path:
    """Files that nobody may open: a run, bytes, a pipe."""
    folder.mkdir()
    shutil.copy(run, folder / "run.h5")
    shutil.copy(run, folder / "run0.h5")
    (folder / "bytes.bin").write_bytes(bytes(1 << 20))
    os.mkfifo(folder / "pipe")
    return folder
