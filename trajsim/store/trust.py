"""Safe reading of HDF5 files that somebody else may have made.

A run's arrays are contiguous and allocated in the file: so no array is larger than its file,
nothing is decompressed, and no other file is opened for a link, an external or a virtual array.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from trajsim.extending.kinds import KINDS
from trajsim.extending.plugins import NAME
from trajsim.ledger import MOST_TRAJECTORY_BYTES, Layout
from trajsim.store.files import StoreError

# Version of the file format. 2: all members are bound to the header by digests.
SCHEMA = 2
# Attributes of the root that are tables, written as JSON.
JSON_TEXTS = ("resolved", "libraries", "machine", "layout", "plugins", "digests")
# Largest size of a file apart from its arrays.
MOST_FRAME_BYTES = 16 << 20
MOST_ATTRIBUTES, MOST_MEMBERS, MOST_COUNT = 64, 20_000, 10**12


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Convert exceptions of h5py for a damaged file to a StoreError."""
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


def member(path: Path, group: Any, name: str, kind: type) -> Any:
    """A member of a group, in the same file and not by a link.

    Parameters
    ----------
    path : to be named in messages
    group : of HDF5
    name : of the member
    kind : its class in h5py

    Raises
    ------
    StoreError
        If there is none, or it is a soft or external link.
    """
    shown = f"{group.name}/{name}".lstrip("/")
    link = group.get(name, getlink=True)
    if link is not None and not isinstance(link, h5py.HardLink):
        raise StoreError(f"{path}: {shown} is a link to something else")
    value = None if link is None else group[name]
    if not isinstance(value, kind):
        raise StoreError(f"{path}: no {shown} in it")
    return value


def plain_dataset(
    path: Path, group: Any, name: str, dtype: str, shape: tuple[int, ...], size: int
) -> Any:
    """An array of that type and shape, entirely in this file of `size` bytes.

    Parameters
    ----------
    path, group, name : as for `member`
    dtype, shape : expected
    size : bytes of the file

    Raises
    ------
    StoreError
        If there is no such array.
    """
    data, wanted = stored_dataset(path, group, name, size), np.dtype(dtype)
    if data.shape != shape or data.dtype != wanted:
        shown = data.name.lstrip("/")
        raise StoreError(f"{path}: {shown} is {data.dtype}{data.shape}, not {wanted}{shape}")
    return data


def stored_dataset(path: Path, group: Any, name: str, size: int) -> Any:
    """An array, entirely in this file of `size` bytes.

    Parameters
    ----------
    path, group, name : as for `member`
    size : bytes of the file

    Raises
    ------
    StoreError
        If there is no such array.
    """
    data = member(path, group, name, h5py.Dataset)
    shown = data.name.lstrip("/")
    # First of all: the shape of a virtual array depends on other files, which HDF5 would open.
    if not _contiguous(data):
        raise StoreError(f"{path}: {shown} is not stored in the file as it is")
    # A text is a length and a reference to the heap.
    entry = 16 if data.dtype.kind == "O" else data.dtype.itemsize
    place, bytes_ = data.id.get_offset(), math.prod(data.shape) * entry
    if place is None or data.id.get_storage_size() != bytes_ or place + bytes_ > size:
        raise StoreError(f"{path}: {shown} is not wholly in the file")
    return data


def attributes(path: Path, file: Any, size: int) -> dict[str, Any]:
    """Texts and numbers of a file's root, limited to the size of those of a run.

    Raises
    ------
    StoreError
        If there are too many, or the file holds more than its arrays and some texts.
    """
    count = h5py.h5a.get_num_attrs(file.id)
    if count > MOST_ATTRIBUTES:
        raise StoreError(f"{path}: its header has {count} entries; allowed: {MOST_ATTRIBUTES}")
    frame = size - _stored(path, file)
    if frame > MOST_FRAME_BYTES:
        raise StoreError(
            f"{path}: it holds {frame} bytes beside its arrays; allowed: {MOST_FRAME_BYTES}"
        )
    return {name: attribute(path, file, name) for name in file.attrs}


def attribute(path: Path, file: Any, name: str) -> str | int | None:
    """A text or number of a file's root; None if there is no such attribute.

    Raises
    ------
    StoreError
        If it is anything else.
    """
    if name not in file.attrs:
        return None
    kind = file.attrs.get_id(name)
    plain = kind.shape == () and kind.dtype.kind in "iuOS" and kind.dtype.itemsize <= 1 << 20
    value = file.attrs[name] if plain else None
    if isinstance(value, np.bytes_):
        value = value.decode()
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, str | int):
        raise StoreError(f"{path}: attribute {name!r} is no text and no integer")
    return value


def _stored(path: Path, file: Any) -> int:
    """Bytes of all arrays of the ledger."""
    if file.get("ledger", getlink=True) is None:
        return 0
    group = member(path, file, "ledger", h5py.Group)
    if len(group) > MOST_MEMBERS:
        raise StoreError(f"{path}: ledger has {len(group)} members; allowed: {MOST_MEMBERS}")
    stored = 0
    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            array = group[name]
            if isinstance(array, h5py.Dataset) and _contiguous(array):
                stored += array.id.get_storage_size()
    return stored


def _contiguous(data: Any) -> bool:
    """Whether an array is contiguous in its own file."""
    plist = data.id.get_create_plist()
    return plist.get_layout() == h5py.h5d.CONTIGUOUS and plist.get_external_count() == 0


def table(text: str | bytes) -> Any:
    """Value of a JSON text.

    Raises
    ------
    ValueError
        If it is no JSON text, or holds numbers that are not finite or too large.
    """

    def refuse(name: str) -> None:
        raise ValueError(f"found {name}")

    try:
        return json.loads(text, parse_constant=refuse)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def layout_of(path: Path, stored: Any) -> Layout:
    """Validated layout of a header.

    Raises
    ------
    StoreError
        If it is damaged, or its kind of model is missing.
    """
    kind = stored.get("kind")
    if isinstance(kind, str) and NAME.fullmatch(kind) and kind not in KINDS:
        raise StoreError(f"{path}: {KINDS.missing(kind).reason}")
    try:
        layout = Layout(**stored)
        wrong = next(_faults(layout), None)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        wrong = str(error)
    if wrong:
        raise StoreError(f"{path}: its layout is damaged: {wrong}")
    return layout


def _faults(layout: Layout) -> Iterator[str]:
    if layout.kind not in KINDS:
        yield f"kind {layout.kind!r}"
    for name in ("points", "trajectories", "rows", "rows_per_period"):
        value = getattr(layout, name)
        if type(value) is not int or not 1 <= value <= MOST_COUNT:
            yield f"{name} {value!r}"
    for name in ("heated", "exchanging", "overdamped"):
        if type(getattr(layout, name)) is not bool:
            yield f"{name} {getattr(layout, name)!r}"
    if layout.rows % layout.rows_per_period:
        yield f"rows {layout.rows} with {layout.rows_per_period} a period"
    if not all(map(_positive, [layout.row_periods, *layout.periods])):
        yield "periods that are no positive numbers"
    if len(layout.periods) != layout.points:
        yield f"{len(layout.periods)} periods of {layout.points} points"
    if list(layout.labels) != ["bath", "drive", "site"]:
        yield f"labels of {list(layout.labels)}"
    for dim, names in layout.labels.items():
        texts = isinstance(names, list) and all(isinstance(name, str) for name in names)
        if not texts or len(set(names)) != len(names):
            yield f"labels of {dim}: {names}"
    for key, values in layout.parameters.items():
        if len(values) != layout.points or not all(map(_finite, values)):
            yield f"values of {key}"
    if layout.trajectory_bytes > MOST_TRAJECTORY_BYTES:
        yield f"a trajectory takes {layout.trajectory_bytes} bytes"


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _positive(value: Any) -> bool:
    return _finite(value) and value > 0


def digest(header: dict[str, Any]) -> str:
    """SHA-256 of a header, by which damage is detected."""
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()
