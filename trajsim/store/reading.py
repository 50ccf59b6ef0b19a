"""Reading a run, finished or not, in slices that fit into memory."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from trajsim.ledger import KINDS, Layout
from trajsim.store.files import StoreError
from trajsim.store.parts import Parts

SCHEMA = 1
SLICE_BYTES = 16 << 20


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
    """

    path: Path
    header: dict[str, Any]
    layout: Layout
    finished: bool
    checksums: dict[str, str]
    events: int

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
        with _opened(self.path) as file:
            data = {name: file["ledger"][name] for name in wanted}
            for point in range(self.layout.points):
                for first in range(0, self.layout.trajectories, step):
                    rows = slice(first, min(first + step, self.layout.trajectories))
                    yield point, first, {name: values[point, rows] for name, values in data.items()}


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
        layout = _layout(path, header)
        return Run(path, header, layout, False, {}, sum(b.events for b in parts.blocks()))
    if not path.exists():
        unfinished = path.with_name(path.name + ".parts")
        hint = f"; an unfinished run is in {unfinished}" if unfinished.exists() else ""
        raise StoreError(f"{path}: no such file{hint}")
    with _opened(path) as file:
        header = {key: _plain(value) for key, value in file.attrs.items()}
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
            if "sha256" in data.attrs:
                checksums[column.name] = str(data.attrs["sha256"])
    return Run(path, header, layout, True, checksums, int(header.get("events", 0)))


def _opened(path: Path) -> Any:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f"{path}: cannot be opened as HDF5: {reason}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value.item() if isinstance(value, np.generic) else value


def _layout(path: Path, header: dict[str, Any]) -> Layout:
    if header.get("program") != "trajsim":
        raise StoreError(f"{path}: not a run of trajsim")
    schema = header.get("schema")
    if str(schema) != str(SCHEMA):
        raise StoreError(f"{path}: its schema is {schema!r}, this version reads {SCHEMA}")
    try:
        layout = Layout(**header["layout"])
        if layout.kind not in KINDS:
            raise ValueError(f"kind {layout.kind!r}")
        return layout
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: its layout is damaged: {error}") from None
