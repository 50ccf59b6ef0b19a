"""Reading a run, finished or not, in slices that fit into memory."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from trajsim.ledger import ENERGETIC, FirstLaw, Layout, impossible
from trajsim.store.columns import StoredColumn
from trajsim.store.files import NoRunError, StoreError
from trajsim.store.frame import expect_frame
from trajsim.store.shards import WHOLE, Shard
from trajsim.store.trust import (
    JSON_TEXTS,
    SCHEMA,
    attributes,
    digest,
    layout_of,
    member,
    plain_dataset,
    reading,
    table,
)
from trajsim.store.unfinished import UnfinishedRun
from trajsim.system.files import A_CONFIG, holds_config

SLICE_BYTES = 16 << 20
WORDS = {dict: "table", int: "integer", str: "text"}
# Attributes that only some runs have.
OPTIONAL = ("plugins", "digests")
# Finished files of schema 1 have digests of their columns only.
READABLE = (1, SCHEMA)
ATTRIBUTES = ("title", "version", "kind", "config", "seed", "events", *JSON_TEXTS)


class UnsoundError(StoreError):
    """A run holds invalid data, which no run writes."""


@dataclass(frozen=True)
class StoredRun:
    """A run on disk; its ledger is read in slices of trajectories.

    Attributes
    ----------
    path : file, or folder of parts
    header : provenance: title, program, version, config, resolved, seed, machine, libraries ...
    layout : shape and labels of the ledger
    finished : False for a folder of parts
    checksums : SHA-256 of each column, of a finished file
    digests : of a finished file, by name, of all members of its ledger (`trajsim.store.digests`);
        empty for schema 1
    events : number of events simulated, burn-in included
    image : bytes of the file of a run that is kept in memory
    """

    path: Path
    header: dict[str, Any]
    layout: Layout
    finished: bool
    checksums: dict[str, str]
    events: int
    digests: dict[str, str] = field(default_factory=dict, repr=False)
    image: bytes | None = field(default=None, repr=False)
    _judged: set[str] = field(default_factory=set, repr=False, compare=False)

    @property
    def shard(self) -> Shard | None:
        """Which shard of a run this is; None if it is a run."""
        return Shard.parse(self.header["shard"]) if "shard" in self.header else None

    @property
    def complete(self) -> bool:
        """Whether all trajectories are done, or those of the shard's share."""
        return self.finished or (self.shard is not None and not self.unfinished.missing())

    @property
    def unfinished(self) -> UnfinishedRun:
        """The unfinished run in the folder of parts."""
        return UnfinishedRun(self.path.with_suffix(""), self.header)

    def __getitem__(self, name: str) -> StoredColumn:
        """Column of the ledger of a finished run, such as run["heat"][0, :100].

        Raises
        ------
        KeyError
            If the run has no such column.
        StoreError
            If the run is unfinished; `blocks` reads its parts.
        """
        columns = {column.name: column for column in self.layout.columns}
        if name not in columns:
            raise KeyError(f"no column {name!r}; there are {', '.join(columns)}")
        if not self.finished:
            raise StoreError(f"{self.path}: unfinished; its blocks() can be read")
        return StoredColumn(columns[name], self.layout, self._dataset)

    @contextmanager
    def _dataset(self, name: str) -> Iterator[Any]:
        """Dataset of a column, while it is being read."""
        with self.file() as file, reading(self.path):
            yield self._arrays(file)[name]

    def _arrays(self, file: Any) -> dict[str, Any]:
        with reading(self.path):
            return _arrays(self.path, file, self.layout, self.size)

    @property
    def size(self) -> int:
        """Bytes of the file of a finished run."""
        return self.path.stat().st_size if self.image is None else len(self.image)

    def file(self) -> Any:
        """The HDF5 file of a finished run, open for reading."""
        with reading(self.path):
            return h5py.File(self.path if self.image is None else BytesIO(self.image), "r")

    def trajectory(self, point: int, number: int) -> dict[str, NDArray]:
        """Columns (row, ...) of one trajectory.

        Raises
        ------
        StoreError
            If it is not done yet, or cannot be read.
        """
        names = [column.name for column in self.layout.columns]
        if self.finished:
            with self.file() as file:
                arrays = self._arrays(file)
                with reading(self.path):
                    return {name: arrays[name][point, number] for name in names}
        unfinished = self.unfinished
        for block in unfinished.blocks():
            if block.point == point and block.first <= number < block.end:
                columns = unfinished.read(block, names)
                return {name: columns[name][number - block.first] for name in names}
        raise StoreError(f"{self.path}: trajectory {number} of point {point} is not there yet")

    def blocks(
        self, names: Iterable[str] | None = None, sound: bool = True
    ) -> Iterator[tuple[int, int, dict[str, NDArray]]]:
        """Slices (point, first trajectory, columns) by point and trajectory.

        Every column has the shape (trajectories of the slice, ...) of the layout.

        Raises
        ------
        StoreError
            If the file is damaged.
        UnsoundError
            If, unless `sound` is False, it holds invalid data: columns with another SHA-256,
            numbers that are not finite, a violated first law.
        """
        wanted = list(names) if names is not None else [c.name for c in self.layout.columns]
        if not sound or self._judged.issuperset(wanted):
            yield from self._slices(wanted)
            return
        present = {column.name for column in self.layout.columns}
        names = list(dict.fromkeys([*wanted, *(name for name in ENERGETIC if name in present)]))
        judge = Judge(self, names)
        for point, first, columns in self._slices(names):
            judge.add(point, first, columns)
            if judge.wrong:
                break
            yield point, first, {name: columns[name] for name in wanted}
        else:
            judge.end()
        if judge.wrong:
            raise UnsoundError(f"{self.path}: {judge.wrong[0]}")
        # A finished file is checked once, however often it is read.
        self._judged.update(names if self.finished else ())

    def read_as_it_is(self) -> None:
        """Let `blocks` skip all checks from now on, after their errors were reported."""
        self._judged.update(column.name for column in self.layout.columns)

    def _slices(self, wanted: list[str]) -> Iterator[tuple[int, int, dict[str, NDArray]]]:
        if not self.finished:
            unfinished = self.unfinished
            for block in unfinished.blocks():
                yield block.point, block.first, unfinished.read(block, wanted)
            return
        step = max(1, SLICE_BYTES // max(1, self.layout.trajectory_bytes))
        with self.file() as file:
            arrays = self._arrays(file)
            for point in range(self.layout.points):
                for first in range(0, self.layout.trajectories, step):
                    rows = slice(first, min(first + step, self.layout.trajectories))
                    with reading(self.path):
                        columns = {name: arrays[name][point, rows] for name in wanted}
                    yield point, first, columns


class Judge:
    """Checks the slices of a run as they are read, and collects what is wrong with them.

    Parameters
    ----------
    run : all of which is read
    names : columns that are read
    """

    def __init__(self, run: StoredRun, names: Iterable[str]) -> None:
        self.wrong: list[str] = []
        self._reported: set[str] = set()
        self._point, self._law = -1, FirstLaw()
        self._run = run
        self._hashes = {name: hashlib.sha256() for name in names if name in run.checksums}

    def add(self, point: int, first: int, columns: dict[str, NDArray]) -> None:
        """Check trajectories first, first + 1, ... of a point."""
        if point != self._point:
            self._judge_point()
            self._point, self._law = point, FirstLaw()
        for name, sha256 in self._hashes.items():
            sha256.update(np.ascontiguousarray(columns[name]).data)
        for name, values in columns.items():
            invalid = None if name in self._reported else impossible(name, values)
            if invalid is not None:
                self._reported.add(name)
                index, what = invalid
                self.wrong.append(f"{name}: {what} in trajectory {first + index} of point {point}")
        self._law.add(columns, first)

    def end(self) -> None:
        """Finish the checks after the last slice."""
        self._judge_point()
        self.wrong += [
            f"{name}: its SHA-256 is not the one written with it"
            for name, sha256 in self.hashes.items()
            if sha256 != self._run.checksums[name]
        ]

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of the columns added so far."""
        return {name: sha256.hexdigest() for name, sha256 in self._hashes.items()}

    def _judge_point(self) -> None:
        broken = self._law.broken
        if broken is not None:
            self.wrong.append(f"{broken} of point {self._point}")


def open_run(path: str | Path) -> StoredRun:
    """Open a finished run or the folder of an unfinished one.

    Raises
    ------
    StoreError
        If there is none, or this version cannot read it.
    """
    path = Path(path)
    if holds_config(path):
        raise StoreError(f"{path}: {A_CONFIG}")
    if path.is_dir():
        if path.suffix != ".parts" or not (path / "header.json").exists():
            raise StoreError(f"{path}: a folder, but not that of an unfinished run")
        header = UnfinishedRun(path.with_suffix("")).header
        _expect_schema(path, header.get("schema"), (SCHEMA,))
        missing = _missing(header, "events")
        if missing:
            raise StoreError(f"{path}: its header is incomplete: no {', '.join(missing)}")
        _expect_kinds(path, header)
        layout = layout_of(path, header["layout"])
        _expect_shard(path, header)
        run = StoredRun(path, header, layout, False, {}, 0)
        return replace(run, events=run.unfinished.events)
    if not path.exists():
        unfinished = path.with_name(path.name + ".parts")
        hint = f"; an unfinished run is in {unfinished}" if unfinished.exists() else ""
        raise NoRunError(f"{path}: no such file{hint}")
    if not path.is_file():
        raise StoreError(f"{path}: not a file")
    expect_frame(path)
    with reading(path), h5py.File(path, "r") as file:
        return _finished(path, file, path.stat().st_size)


def open_image(path: Path, image: bytes) -> StoredRun:
    """Open the file of a finished run that is in memory; `path` is its name in messages."""
    with reading(path), h5py.File(BytesIO(image), "r") as file:
        return replace(_finished(path, file, len(image)), image=image)


def _finished(path: Path, file: Any, size: int) -> StoredRun:
    """A finished run of so many bytes."""
    header = _header(path, file, size)
    layout = layout_of(path, header["layout"])
    checksums = {
        name: str(values.attrs.get("sha256", "none"))
        for name, values in _arrays(path, file, layout, size).items()
    }
    digests = header.pop("digests", {})
    return StoredRun(path, header, layout, True, checksums, header["events"], digests)


def _arrays(path: Path, file: Any, layout: Layout, size: int) -> dict[str, Any]:
    """All columns of a finished file of so many bytes."""
    group = member(path, file, "ledger", h5py.Group)
    return {
        c.name: plain_dataset(
            path,
            group,
            c.name,
            c.dtype,
            (layout.points, layout.trajectories, *layout.shape(c)),
            size,
        )
        for c in layout.columns
    }


def _header(path: Path, file: Any, size: int) -> dict[str, Any]:
    stored = attributes(path, file, size)
    if stored.get("program") != "trajsim":
        raise StoreError(f"{path}: not a run of trajsim")
    _expect_schema(path, stored.get("schema"), READABLE)
    missing = _missing(stored)
    if stored["schema"] == SCHEMA and "digests" not in stored:
        missing.append("digests")
    if not ("rate_law" in stored or "integrator" in stored):
        missing.append("rate_law or integrator")
    if missing:
        raise StoreError(f"{path}: its header is incomplete: no {', '.join(missing)}")
    if stored.pop("header_sha256", None) != digest(stored):
        raise StoreError(f"{path}: its header is damaged: its SHA-256 is not that written with it")
    try:
        header = {name: table(v) if name in JSON_TEXTS else v for name, v in stored.items()}
    except ValueError as error:
        raise StoreError(f"{path}: its header is damaged: {error}") from None
    _expect_kinds(path, header)
    return header


def _missing(header: dict[str, Any], *known: str) -> list[str]:
    """Required entries that a header lacks, other than those known."""
    return [name for name in ATTRIBUTES if name not in {*header, *known, *OPTIONAL}]


def _expect_kinds(path: Path, header: dict[str, Any]) -> None:
    """Refuse a header with entries of wrong types."""
    for name in ATTRIBUTES:
        kind = dict if name in JSON_TEXTS else int if name == "events" else str
        if name in header and type(header[name]) is not kind:
            raise StoreError(f"{path}: its header is damaged: {name} is no {WORDS[kind]}")
    if header["layout"].get("kind") != header["kind"]:
        raise StoreError(f"{path}: its header is damaged: of two kinds")


def _expect_shard(path: Path, header: dict[str, Any]) -> None:
    try:
        Shard.parse(header.get("shard", str(WHOLE)))
    except ValueError as error:
        raise StoreError(f"{path}: its header is damaged: shard: {error}") from None


def _expect_schema(path: Path, schema: Any, readable: tuple[int, ...]) -> None:
    if type(schema) is not int or schema not in readable:
        supported = " and ".join(map(str, readable))
        raise StoreError(f"{path}: its schema is {schema!r}, this version reads {supported}")
