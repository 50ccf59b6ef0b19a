"""Digests of all members of a finished file, by name, which detect changes."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from trajsim.store.trust import member, reading, stored_dataset

# Entries at a time when long arrays are read.
SLICE = 1 << 20
# HDF5's references to attached scales, replaced in digests by their names.
REFERENCES = ("DIMENSION_LIST", "REFERENCE_LIST")
# Entry of the group itself.
GROUP = "."


def digests(group: Any, hashes: Mapping[str, str]) -> dict[str, str]:
    """SHA-256 of every array of a group: its values, type, dimensions and attributes.

    Parameters
    ----------
    group : of HDF5, all members of which are arrays
    hashes : SHA-256 of the values of those arrays that are not to be read
    """
    of_arrays = {name: digest_of(group[name], hashes.get(name)) for name in group}
    return {**of_arrays, GROUP: _sha256({"attributes": _attributes(group)})}


def digest_of(data: Any, values: str | None = None) -> str:
    """SHA-256 of an array: its values, type, dimensions and attributes.

    Parameters
    ----------
    data : dataset of HDF5
    values : SHA-256 of its values; None if they are to be read
    """
    text = data.dtype.kind == "O"
    content = {
        "type": "text" if text else data.dtype.str,
        "shape": data.shape,
        "fill": None if text else str(data.fillvalue),
        "attributes": _attributes(data),
        "dimensions": _scales(data),
        "values": _values(data) if values is None else values,
    }
    return _sha256(content)


def altered(
    path: Path, file: Any, size: int, wanted: Mapping[str, str], hashes: Mapping[str, str]
) -> list[str]:
    """Differences of a file's ledger from its digests, in sentences.

    Parameters
    ----------
    path : to be named in messages
    file : of HDF5, open
    size : its bytes
    wanted : digests that were written with it
    hashes : SHA-256 of the values of arrays that need not be read again

    Raises
    ------
    StoreError
        If it cannot be read.
    """
    group = member(path, file, "ledger", h5py.Group)
    with reading(path):
        names = set(group)
        wrong = [f"{name}: is not there" for name in sorted({*wanted} - {*names, GROUP})]
        wrong += [f"{name}: was not written by the run" for name in sorted(names - {*wanted})[:10]]
        for name in sorted(names & {*wanted}):
            data = stored_dataset(path, group, name, size)
            if digest_of(data, hashes.get(name)) != wanted[name]:
                wrong.append(f"{name}: its values, dimensions or attributes are not those written")
        if wanted.get(GROUP) != _sha256({"attributes": _attributes(group)}):
            wrong.append("ledger: its attributes are not those written")
    return wrong


def _values(data: Any) -> str:
    """SHA-256 of the values of an array."""
    if data.dtype.kind == "O":
        return _sha256([_plain(value) for value in data[...].ravel()])
    sha256 = hashlib.sha256()
    for first in range(0, len(data), SLICE):
        sha256.update(np.ascontiguousarray(data[first : first + SLICE]).data)
    return sha256.hexdigest()


def _scales(data: Any) -> list[list[str]]:
    """Names of the scales of each axis, without HDF5's own functions, which damage aborts."""
    lists = data.attrs.get("DIMENSION_LIST", ())
    return [[h5py.h5r.get_name(ref, data.id).decode() for ref in refs] for refs in lists]


def _attributes(data: Any) -> dict[str, Any]:
    return {name: _plain(data.attrs[name]) for name in data.attrs if name not in REFERENCES}


def _plain(value: Any) -> Any:
    """A value of a type that JSON has."""
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
