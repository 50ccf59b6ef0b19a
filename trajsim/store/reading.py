"""Reading a run, finished or not, in slices that fit into memory."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from trajsim.ledger import KINDS, Layout
from trajsim.store.columns import StoredColumn
from trajsim.store.files import StoreError
from trajsim.store.parts import Parts

SCHEMA = 1
SLICE_BYTES = 16 << 20
# Attributes of the root that are tables, written as JSON.
JSON_TEXTS = ("resolved", "libraries", "machine", "layout")
# What h5py has been seen to raise on damaged files.
HDF5_FAULTS = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, MemoryError)
ATTRIBUTES = ("title", "version", "kind", "config", "seed", "events", *JSON_TEXTS)


@dataclass(frozen=True)
class Run:
    """A run on disk; its ledger is read in slices of trajectories.

    Attributes
    ----------
    path : file, or folder of parts
    header : provenance: title, program, version, config, resolved, seed, machine, libraries ...
    layout : shape and labels of the ledger
    finished : False for a folder of parts
    checksums : SHA-256 of each column, of a finished file
    events : number of events simulated, burn-in included
    image : bytes of the file of a run that is kept in memory
    """

    path: Path
    header: dict[str, Any]
    layout: Layout
    finished: bool
    checksums: dict[str, str]
    events: int
    image: bytes | None = field(default=None, repr=False)

    def __getitem__(self, name: str) -> StoredColumn:
        """Column of the ledger of a finished run, such as run["heat"][0, :100].

        Raises
        ------
        KeyError
            If the run has no such column.
        StoreError
            If the run is unfinished; `blocks` gives what there is.
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
            yield file["ledger"][name]

    def file(self) -> Any:
        """The HDF5 file of a finished run, open for reading."""
        with reading(self.path):
            return h5py.File(self.path if self.image is None else BytesIO(self.image), "r")

    def blocks(
        self, names: Iterable[str] | None = None
    ) -> Iterator[tuple[int, int, dict[str, NDArray]]]:
        """Slices (point, first trajectory, columns) by point and trajectory.

        Every column has the shape (trajectories of the slice, ...) of the layout.
        """
        wanted = list(names) if names is not None else [c.name for c in self.layout.columns]
        if not self.finished:
            parts = Parts(self.path.with_suffix(""))
            for block in parts.blocks():
                yield block.point, block.first, parts.read(block, wanted)
            return
        step = max(1, SLICE_BYTES // max(1, self.layout.trajectory_bytes))
        with self.file() as file:
            for point in range(self.layout.points):
                for first in range(0, self.layout.trajectories, step):
                    rows = slice(first, min(first + step, self.layout.trajectories))
                    with reading(self.path):
                        columns = {name: file["ledger"][name][point, rows] for name in wanted}
                    yield point, first, columns


def open_run(path: str | Path) -> Run:
    """Open a finished run or the folder of an unfinished one.

    Raises
    ------
    StoreError
        If there is none, or it is not one this version can read.
    """
    path = Path(path)
    if path.is_dir():
        if path.suffix != ".parts" or not (path / "header.json").exists():
            raise StoreError(f"{path}: a folder, but not that of an unfinished run")
        parts = Parts(path.with_suffix(""))
        header = parts.header()
        _expect_schema(path, header.get("schema"))
        layout = _layout(path, header)
        return Run(path, header, layout, False, {}, sum(b.events for b in parts.blocks()))
    if not path.exists():
        unfinished = path.with_name(path.name + ".parts")
        hint = f"; an unfinished run is in {unfinished}" if unfinished.exists() else ""
        raise StoreError(f"{path}: no such file{hint}")
    with reading(path), h5py.File(path, "r") as file:
        header = _header(path, file)
        layout = _layout(path, header)
        checksums = {}
        for column in layout.columns:
            shape = (layout.points, layout.trajectories, *layout.shape(column))
            data = file.get(f"ledger/{column.name}")
            if not isinstance(data, h5py.Dataset):
                raise StoreError(f"{path}: no ledger/{column.name} in it")
            if data.shape != shape or data.dtype != np.dtype(column.dtype):
                raise StoreError(
                    f"{path}: ledger/{column.name} is {data.dtype}{data.shape}, "
                    f"not {np.dtype(column.dtype)}{shape}"
                )
            checksums[column.name] = str(data.attrs.get("sha256", "none"))
    return Run(path, header, layout, True, checksums, int(header["events"]))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever h5py raises on a damaged file into a StoreError."""
    try:
        yield
    except (
        OSError,
        KeyError,
        RuntimeError,
        ValueError,
        TypeError,
        AttributeError,
        MemoryError,
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise StoreError(f"{path}: cannot be opened as HDF5: {reason}") from None


def digest(header: dict[str, Any]) -> str:
    """SHA-256 of everything a header says, by which damage to it is found."""
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()


def _header(path: Path, file: Any) -> dict[str, Any]:
    stored = {name: _plain(value) for name, value in file.attrs.items()}
    if stored.get("program") != "trajsim":
        raise StoreError(f"{path}: not a run of trajsim")
    _expect_schema(path, stored.get("schema"))
    missing = [name for name in ATTRIBUTES if name not in stored]
    if not ("rate_law" in stored or "integrator" in stored):
        missing.append("rate_law or integrator")
    if missing:
        raise StoreError(f"{path}: its header is incomplete: no {', '.join(missing)}")
    if stored.pop("header_sha256", None) != digest(stored):
        raise StoreError(f"{path}: its header is damaged: its SHA-256 is not that written with it")
    return {name: json.loads(v) if name in JSON_TEXTS else v for name, v in stored.items()}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _expect_schema(path: Path, schema: Any) -> None:
    if str(schema) != str(SCHEMA):
        raise StoreError(f"{path}: its schema is {schema!r}, this version reads {SCHEMA}")


def _layout(path: Path, header: dict[str, Any]) -> Layout:
    try:
        layout = Layout(**header["layout"])
        if layout.kind not in KINDS:
            raise ValueError(f"kind {layout.kind!r}")
        return layout
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: its layout is damaged: {error}") from None
