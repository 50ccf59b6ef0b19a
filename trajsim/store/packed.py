"""The finished file: all blocks of a run in one HDF5 file that netCDF-4 readers open."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from trajsim.ledger import Column, Layout
from trajsim.store.blocks import Block, by_place
from trajsim.store.digests import SLICE, digests
from trajsim.store.frame import guarding_line
from trajsim.store.memory import Journal
from trajsim.store.trust import JSON_TEXTS, digest

# Function of bytes and their offset in a file.
Write = Callable[[bytes | memoryview, int], None]

CONVENTIONS = "CF-1.11"
DIMENSIONS = {
    "point": ("1", "point of the sweep"),
    "trajectory": (
        "1",
        "number of the trajectory; with the seed and the point it names its stream",
    ),
    "row": ("1", "row of the ledger"),
    "edge": ("1", "edge between rows of the ledger"),
    "bath": ("1", "heat bath"),
    "drive": ("1", "driven site"),
    "site": ("1", "site"),
}


class Source(Protocol):
    """Source of blocks."""

    def read(self, block: Block, names: Iterable[str]) -> dict[str, NDArray]:
        """Columns of a block."""
        ...


def write_file(
    write: Write,
    header: dict[str, Any],
    layout: Layout,
    sources: Mapping[Block, Source],
    tick: Callable[[int], None],
) -> None:
    """Write a finished file: HDF5 lays it out in memory and gives the offsets of arrays.

    HDF5 itself does not write to the disk, for it crashes when a full disk is closed.

    Parameters
    ----------
    write : called with bytes and their offset in an empty file
    header, layout : of the run
    sources : all blocks of the run, each with its source
    tick : called with the number of trajectories after each block; may raise to stop
    """
    blocks = sorted(sources, key=by_place)
    journal = Journal()
    with h5py.File(journal, "w", track_order=True) as file:
        group = file.create_group("ledger", track_order=True)
        scales, hashes = _coordinates(group, layout, write)
        data = {c.name: _variable(group, c, layout, scales) for c in layout.columns}
        offsets = {name: values.id.get_offset() for name, values in data.items()}
        columns_hashes = {name: hashlib.sha256() for name in data}
        # A block is written while its columns are hashed and the next one is read and verified.
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as hasher:
            next_columns = reader.submit(sources[blocks[0]].read, blocks[0], data)
            for block, following in zip(blocks, [*blocks[1:], None], strict=True):
                columns = next_columns.result()
                if following is not None:
                    next_columns = reader.submit(sources[following].read, following, data)
                hashed = hasher.submit(_hash, columns_hashes, columns)
                trajectories_before = block.point * layout.trajectories + block.first
                for name, values in columns.items():
                    offset = offsets[name] + trajectories_before * values[0].nbytes
                    write(values.data, offset)
                hashed.result()
                tick(block.trajectories)
        for name, sha256 in columns_hashes.items():
            data[name].attrs["sha256"] = hashes[name] = sha256.hexdigest()
        stored = _attributes(header, layout, blocks)
        stored["digests"] = json.dumps(digests(group, hashes))
        for name, value in {**stored, "header_sha256": digest(stored)}.items():
            file.attrs[name] = value
        arrays = [(group[k].id.get_offset(), group[k].id.get_storage_size()) for k in hashes]
    for offset, piece in journal.pieces:
        write(piece, offset)

    def read(offset: int, count: int) -> bytes:
        journal.seek(offset)
        return journal.read(count)

    write(guarding_line(read, journal.size, arrays), journal.size)


def _hash(hashes: dict[str, Any], columns: dict[str, NDArray]) -> None:
    for name, values in columns.items():
        hashes[name].update(np.ascontiguousarray(values).data)


def _attributes(header: dict[str, Any], layout: Layout, blocks: list[Block]) -> dict[str, Any]:
    return {
        "Conventions": CONVENTIONS,
        **{name: json.dumps(v) if name in JSON_TEXTS else v for name, v in header.items()},
        "layout": json.dumps(asdict(layout)),
        "events": sum(block.events for block in blocks),
    }


def _coordinates(group: Any, layout: Layout, write: Write) -> tuple[dict[str, Any], dict[str, str]]:
    """One dimension scale for every dimension, and the times and swept values along them.

    Returns the scales, and the SHA-256 of those whose values are not written by HDF5.
    """
    scales, hashes = {}, {}
    for dim, (units, long_name) in DIMENSIONS.items():
        if dim in layout.labels:
            if not layout.labels[dim]:
                continue
            values = group.create_dataset(dim, data=layout.labels[dim], dtype=h5py.string_dtype())
        else:
            size = layout.size(dim)
            values = _allocated(group, dim, (size,), np.dtype(np.int64))
            offset, sha256 = values.id.get_offset(), hashlib.sha256()
            for first in range(0, size, SLICE):
                numbers = np.arange(first, min(size, first + SLICE))
                write(numbers.data, offset + 8 * first)
                sha256.update(numbers.data)
            hashes[dim] = sha256.hexdigest()
        values.make_scale(dim)
        _describe(values, units, long_name)
        scales[dim] = values
    same = len(set(layout.periods)) == 1
    time = group.create_dataset(
        "time", (layout.rows + 1,) if same else (layout.points, layout.rows + 1), np.float64
    )
    for point in range(1 if same else layout.points):
        time[... if same else point] = layout.time(point)
    _describe(time, "time", "time since the ledger opened")
    _attach(time, ["edge"] if same else ["point", "edge"], scales)
    for key, values in layout.parameters.items():
        swept = group.create_dataset(key, data=np.array(values, np.float64))
        _describe(swept, "config", f"swept value of {key}")
        _attach(swept, ["point"], scales)
    return scales, hashes


def _allocated(
    group: Any, name: str, shape: tuple[int, ...], dtype: np.dtype, fill: float | None = None
) -> Any:
    """An array with an allocated offset in the file; its values are not yet written."""
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    return group.create_dataset(name, shape, dtype, fillvalue=fill, fill_time="never", dcpl=early)


def _variable(group: Any, column: Column, layout: Layout, scales: dict[str, Any]) -> Any:
    shape = (layout.points, layout.trajectories, *layout.shape(column))
    dtype = np.dtype(column.dtype)
    data = _allocated(group, column.name, shape, dtype, np.nan if dtype.kind == "f" else None)
    _describe(data, column.units, column.long_name)
    _attach(data, ["point", "trajectory", *column.dims], scales)
    # Auxiliary coordinates, apart from those of the dimensions (CF conventions, section 5).
    coordinates = [*layout.parameters, *(["time"] if "edge" in column.dims else [])]
    if coordinates:
        data.attrs["coordinates"] = " ".join(coordinates)
    return data


def _describe(data: Any, units: str, long_name: str) -> None:
    data.attrs["units"], data.attrs["long_name"] = units, long_name


def _attach(data: Any, dims: list[str], scales: dict[str, Any]) -> None:
    # An axis without its own scale is matched to a dimension by size alone.
    for axis, dim in enumerate(dims):
        data.dims[axis].attach_scale(scales[dim])
