"""Files of runs that are broken, or made by somebody who means ill; ledgers: `bad_ledgers`."""

import gzip
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from bad_runs import (
    CHANCE,
    DEEP,
    HEADER_GOOD,
    REFUSED,
    UNSOUND,
    Bad,
    bytes_of,
    edited,
    instead,
    of,
    put_in,
)

FILES: dict[str, Bad] = {}

# -- what is no HDF5 file --------------------------------------------------------------------------

SIGNATURE = b"\x89HDF\r\n\x1a\n"
for name, change in {
    "empty": lambda _: b"",
    "text": lambda _: b"heat, work\n1, 2\n",
    "signature alone": lambda _: SIGNATURE,
    "signature and zeros": lambda data: SIGNATURE + bytes(len(data) - 8),
    "signature and noise": lambda data: SIGNATURE + CHANCE.bytes(len(data)),
    "noise": lambda data: CHANCE.bytes(len(data)),
    "compressed": gzip.compress,
    "netCDF-3": lambda _: b"CDF\x01" + bytes(200),
    "cut at 10 %": lambda data: data[: len(data) // 10],
    "cut in half": lambda data: data[: len(data) // 2],
    "cut at 90 %": lambda data: data[: len(data) * 9 // 10],
    "one byte short": lambda data: data[:-1],
    "first half zeroed": lambda data: (
        data[:96] + bytes(len(data) // 2) + data[96 + len(data) // 2 :]
    ),
    "second half zeroed": lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
    "superblock of version 255": lambda data: data[:8] + b"\xff" + data[9:],
    "root at a wild address": lambda data: data.replace(data[64:72], b"\xf0" * 8, 1),
    "shifted by a byte": lambda data: b"\0" + data,
    "noise after the superblock": lambda data: data[:96] + CHANCE.bytes(4000) + data[4096:],
}.items():
    put_in(FILES, name, bytes_of(change))


@of(FILES, "arrays behind the end")
def _(path: Path, _: Path) -> None:
    # The superblock is told that the file ends where it was cut.
    data = path.read_bytes()
    end = len(data) * 6 // 10
    path.write_bytes(data[:40] + struct.pack("<Q", end) + data[48:end])


for name, put in {
    "a folder": lambda path, _: path.mkdir(),
    "a pipe": lambda path, _: os.mkfifo(path),
    "an endless device": lambda path, _: path.symlink_to("/dev/zero"),
}.items():
    put_in(FILES, name, instead(put))
for name, put in {
    "a loop of links": lambda path, _: path.symlink_to(path),
    "a link to what is not there": lambda path, secrets: path.symlink_to(secrets / "none.h5"),
}.items():
    put_in(FILES, name, instead(put), verify=(REFUSED,))


@of(FILES, "another program's file")
def _(path: Path, _: Path) -> None:
    with h5py.File(path, "w") as file:
        file["heat"] = np.zeros(3)


# -- attributes ------------------------------------------------------------------------------------


def attribute(name: str, value: Any) -> Callable[[Path, Path], None]:
    """A maker that gives an attribute another value; None takes it away."""

    def edit(file: h5py.File, _: Path) -> None:
        if value is None:
            del file.attrs[name]
        else:
            file.attrs[name] = value

    return edited(edit)


for schema in (0, 3, -1, 2**40, 1.5, "one", np.arange(3), ""):
    put_in(FILES, f"schema {schema!r}", attribute("schema", schema))
for name in ("title", "config", "seed", "layout", "resolved", "schema", "program", "events"):
    put_in(FILES, f"no {name}", attribute(name, None))
for name in ("resolved", "layout", "machine", "libraries"):
    for label, value in {
        "broken JSON": '{"a": ',
        "deep JSON": DEEP,
        "a list": "[]",
        "a number of 5000 digits": "9" * 5000,
        "null": "null",
        "NaN": '{"points": NaN}',
        "no text": 7,
    }.items():
        put_in(FILES, f"{name}: {label}", attribute(name, value))
for name, value in {
    "title": 3,
    "config": np.arange(10),
    "seed": -1.0,
    "version": np.bool_(True),
    "events": "many",
    "kind": "polymers",
}.items():
    put_in(FILES, f"{name} is {value!r}", attribute(name, value))
put_in(
    FILES, "an attribute with a NUL", attribute("title", np.bytes_(b"a\0b\xff")), info=(0, REFUSED)
)


@of(FILES, "5,000 attributes")
@edited
def _(file: h5py.File, _: Path) -> None:
    for k in range(5000):
        file.attrs[f"a{k}"] = k


@of(FILES, "an attribute of references")
@edited
def _(file: h5py.File, _: Path) -> None:
    file.attrs["more"] = file["ledger"].ref


@of(FILES, "an attribute of ragged lists")
@edited
def _(file: h5py.File, _: Path) -> None:
    ragged = np.empty(2, object)
    ragged[:] = [np.arange(3), np.arange(5)]
    file.attrs.create("more", ragged, dtype=h5py.vlen_dtype(np.int64))


@of(FILES, "a config of 200 MB")
@edited
def _(file: h5py.File, _: Path) -> None:
    file.attrs["config"] = "#" * (200 << 20)


# -- the layout ------------------------------------------------------------------------------------


def layout(**entries: Any) -> Callable[[Path, Path], None]:
    """A maker that changes entries of the layout."""

    def edit(file: h5py.File, _: Path) -> None:
        file.attrs["layout"] = json.dumps(json.loads(file.attrs["layout"]) | entries)

    return edited(edit)


for entries in (
    {"points": 10**12},
    {"points": 0},
    {"points": -1},
    {"points": True},
    {"points": 1.5},
    {"trajectories": 2**50},
    {"trajectories": 299},
    {"trajectories": "300"},
    {"rows": 2**50},
    {"rows": 7},
    {"rows": None},
    {"rows_per_period": 3},
    {"row_periods": 0.0},
    {"row_periods": float("nan")},
    {"periods": []},
    {"periods": [10.0, -10.0]},
    {"periods": [10.0, "long"]},
    {"periods": 10.0},
    {"periods": [10.0, 10**400]},
    {"labels": {}},
    {"labels": []},
    {"labels": {"bath": ["L", "L"], "drive": ["1", "2"], "site": ["1", "2"]}},
    {"labels": {"bath": [["L"], ["R"]], "drive": ["1", "2"], "site": ["1", "2"]}},
    {"labels": {"bath": "LR", "drive": "12", "site": "12"}},
    {"parameters": {"sites.2.drive.phase": [0.0]}},
    {"parameters": {"sites.2.drive.phase": ["a", None]}},
    {"parameters": []},
    {"kind": "oscillators"},
    {"kind": ["spins"]},
    {"more": 1},
):
    put_in(FILES, f"layout {entries}", layout(**entries))
for entries in (
    {"periods": [10.0, 11.0]},
    {"labels": {"bath": ["A", "B"], "drive": ["1", "2"], "site": ["1", "2"]}},
    {"parameters": {}},
    {"parameters": {"sites.2.drive.phase": [0.0, 5.0]}},
):
    # What is possible can be shown; only the config says that it is something else.
    put_in(FILES, f"layout {entries}", layout(**entries), verify=(0,), info=(0,))

# -- the resolved config ---------------------------------------------------------------------------


def resolved(**entries: Any) -> Callable[[Path, Path], None]:
    """A maker that changes tables of the resolved config."""

    def edit(file: h5py.File, _: Path) -> None:
        file.attrs["resolved"] = json.dumps(json.loads(file.attrs["resolved"]) | entries)

    return edited(edit)


for name, entries in {
    "no model": {"model": {}},
    "a drive that is a number": {"drive": 3},
    "no baths": {"baths": {}},
    "another bath": {"baths": {"A": {"temperature": 1.0}}},
    "more trajectories": {"ensemble": {"trajectories": 301, "periods": 8, "seed": 1}},
    "a sweep that the layout does not have": {"sweep": {"drive.period": [1.0, 2.0]}},
    "a sweep of 10,000 points": {"sweep": {"drive.period": {"start": 1, "stop": 2, "num": 10_000}}},
    "4,096 sites": {
        "sites": [{"name": f"s{k}", "bath": "L"} for k in range(4096)],
        "bonds": [],
        "baths": {"L": {"temperature": 1.0}},
    },
    "4,096 sites and 10,000 points": {
        "sites": [{"name": f"s{k}", "bath": "L"} for k in range(4096)],
        "bonds": [],
        "baths": {"L": {"temperature": 1.0}},
        "sweep": {"drive.period": {"start": 1, "stop": 2, "num": 10_000}},
    },
}.items():
    # The numbers are sound, and a header may be shown that says what no config can.
    put_in(FILES, f"resolved: {name}", resolved(**entries), verify=(0, UNSOUND), **HEADER_GOOD)
