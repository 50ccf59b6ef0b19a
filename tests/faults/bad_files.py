"""Files of runs that are broken, or made by somebody who means ill."""

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
    SHOWN,
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

# -- arrays ----------------------------------------------------------------------------------------


def heat(make: Callable[[h5py.Group, np.ndarray, Path], None]) -> Callable[[Path, Path], None]:
    """A maker that puts something else in the place of the heat."""

    def edit(file: h5py.File, secrets: Path) -> None:
        group = file["ledger"]
        values, checksum = group["heat"][...], group["heat"].attrs["sha256"]
        del group["heat"]
        make(group, values, secrets)
        if isinstance(group.get("heat", getlink=True), h5py.HardLink):
            group["heat"].attrs["sha256"] = checksum

    return edited(edit)


def array(**options: Any) -> Callable[[Path, Path], None]:
    """A maker of a heat with other properties; `change` is applied to its values first."""
    change = options.pop("change", lambda values: values)
    return heat(
        lambda group, values, _: group.create_dataset("heat", data=change(values), **options)
    )


for name, options in {
    "of single precision": {"dtype": "f4"},
    "of big-endian numbers": {"dtype": ">f8"},
    "of integers": {"dtype": "i8"},
    "of complex numbers": {"change": lambda values: values.astype(complex)},
    "of texts": {"change": lambda values: np.full(values.shape, b"cold")},
    "of objects": {
        "change": lambda values: values.astype(str).astype(object),
        "dtype": h5py.string_dtype(),
    },
    "of records": {"change": lambda values: values.view([("a", "<f8")])},
    "of opaque bytes": {"change": lambda values: values.view("V8")},
    "one trajectory short": {"change": lambda values: values[:, 1:]},
    "with one more axis": {"change": lambda values: values[..., None]},
    "as one number": {"change": lambda values: values.sum()},
    "without entries": {"change": lambda values: values[:, :0]},
    "in chunks": {"chunks": True},
    "gzipped": {"compression": "gzip"},
    "lzf-compressed": {"compression": "lzf"},
    "checked by Fletcher": {"fletcher32": True},
    "scaled to integers": {"scaleoffset": 2},
}.items():
    put_in(FILES, f"heat {name}", array(**options))


@of(FILES, "heat of ragged lists")
@heat
def _(group: h5py.Group, values: np.ndarray, _: Path) -> None:
    group.create_dataset("heat", values.shape, h5py.vlen_dtype(np.float64))


@of(FILES, "heat of references")
@heat
def _(group: h5py.Group, values: np.ndarray, _: Path) -> None:
    group.create_dataset("heat", values.shape, h5py.ref_dtype)


@of(FILES, "heat of no space")
@heat
def _(group: h5py.Group, values: np.ndarray, _: Path) -> None:
    group["heat"] = h5py.Empty("f8")


@of(FILES, "heat that is a group")
@heat
def _(group: h5py.Group, values: np.ndarray, _: Path) -> None:
    group.create_group("heat")


@of(FILES, "heat that is a named type")
@heat
def _(group: h5py.Group, values: np.ndarray, _: Path) -> None:
    group["heat"] = np.dtype("f8")


@of(FILES, "heat never written")
@heat
def _(group: h5py.Group, values: np.ndarray, _: Path) -> None:
    group.create_dataset("heat", values.shape, "f8")


@of(FILES, "heat under a filter that nobody has")
@heat
def _(group: h5py.Group, values: np.ndarray, _: Path) -> None:
    # Skipped when written, as it is optional there; looked for when read.
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((1, 300, *values.shape[2:]))
    plist.set_filter(32000, h5py.h5z.FLAG_OPTIONAL, (1, 2))
    space = h5py.h5s.create_simple(values.shape)
    h5py.h5d.create(group.id, b"heat", h5py.h5t.IEEE_F64LE, space, plist)


def huge(file: h5py.File, trajectories: int, **options: Any) -> None:
    """All columns of so many trajectories, nothing of them written."""
    layout = json.loads(file.attrs["layout"])
    file.attrs["layout"] = json.dumps(layout | {"trajectories": trajectories})
    group = file["ledger"]
    for name in ("heat", "work", "exclusive_work", "energy", "flips", "state"):
        old = group[name]
        shape, dtype = (2, trajectories, *old.shape[2:]), old.dtype
        del group[name]
        group.create_dataset(name, shape, dtype, **options)
        group[name].attrs["sha256"] = "0" * 64


@of(FILES, "8 PiB declared, contiguous")
@edited
def _(file: h5py.File, _: Path) -> None:
    huge(file, 10**12)


@of(FILES, "8 PiB declared, in chunks")
@edited
def _(file: h5py.File, _: Path) -> None:
    huge(file, 10**12, chunks=True)


@of(FILES, "a trajectory of 8 PiB")
@edited
def _(file: h5py.File, _: Path) -> None:
    layout = json.loads(file.attrs["layout"])
    file.attrs["layout"] = json.dumps(layout | {"rows": 2**49})
    del file["ledger/heat"]
    file["ledger"].create_dataset("heat", (2, 300, 2**49, 2), "f8")


@of(FILES, "a compression bomb")
@edited
def _(file: h5py.File, _: Path) -> None:
    huge(file, 3_000_000, compression="gzip", chunks=True, fillvalue=0)
    heat = file["ledger/heat"]
    # 384 MB of zeros in some hundred kB.
    heat[0, :, 0, 0] = np.zeros(3_000_000)


# -- other places and other files ------------------------------------------------------------------

for name, link in {
    "a soft link": lambda _: h5py.SoftLink("/ledger/work"),
    "a soft link to itself": lambda _: h5py.SoftLink("/ledger/heat"),
    "a soft link to nowhere": lambda _: h5py.SoftLink("/nowhere"),
    "a link to another file": lambda secrets: h5py.ExternalLink(
        str(secrets / "run.h5"), "/ledger/heat"
    ),
    "a link to a device": lambda _: h5py.ExternalLink("/dev/zero", "/x"),
    "a link to a pipe": lambda secrets: h5py.ExternalLink(str(secrets / "pipe"), "/x"),
}.items():
    put_in(
        FILES,
        f"heat is {name}",
        heat(lambda group, _, secrets, link=link: group.__setitem__("heat", link(secrets))),
    )


@of(FILES, "the ledger is in another file")
@edited
def _(file: h5py.File, secrets: Path) -> None:
    del file["ledger"]
    file["ledger"] = h5py.ExternalLink(str(secrets / "run.h5"), "/ledger")


@of(FILES, "the ledger is a soft link")
@edited
def _(file: h5py.File, _: Path) -> None:
    file.move("ledger", "other")
    file["ledger"] = h5py.SoftLink("/other")


@of(FILES, "the ledger is an array")
@edited
def _(file: h5py.File, _: Path) -> None:
    del file["ledger"]
    file.create_dataset("ledger", data=np.zeros(5))
    file["ledger"].attrs["sha256"] = ""


@of(FILES, "the ledger holds itself", info=(0,), analyze=(0,), check=(0,), plot=(0,))
@edited
def _(file: h5py.File, _: Path) -> None:
    file["ledger/ledger"] = file["ledger"]
    file["ledger/root"] = file["/"]


for name, target in (("another file", "bytes.bin"), ("a pipe", "pipe"), ("a device", "/dev/zero")):
    put_in(
        FILES,
        f"heat stored in {name}",
        heat(
            lambda group, values, secrets, target=target: group.create_dataset(
                "heat", values.shape, "f8", external=[(str(secrets / target), 0, values.nbytes)]
            )
        ),
    )


def virtual(target: str, where: str = "/ledger/heat") -> Callable[[Path, Path], None]:
    """A maker of a heat that is a view of an array in some file."""

    def make(group: h5py.Group, values: np.ndarray, secrets: Path) -> None:
        path = target if target == "." else str(secrets / target)
        view = h5py.VirtualLayout(values.shape, "f8")
        view[...] = h5py.VirtualSource(path, where, values.shape)
        group.create_virtual_dataset("heat", view)

    return heat(make)


put_in(FILES, "heat is a view of another file", virtual("run.h5"))
put_in(FILES, "heat is a view of a pipe", virtual("pipe"))
put_in(FILES, "heat is a view of itself", virtual("."))
put_in(FILES, "heat is a view of work", virtual(".", "/ledger/work"))


@of(FILES, "heat is a view of files without end")
@heat
def _(group: h5py.Group, values: np.ndarray, secrets: Path) -> None:
    space = h5py.h5s.create_simple(values.shape, (2, h5py.h5s.UNLIMITED, *values.shape[2:]))
    space.select_hyperslab(
        (0, 0, 0, 0), (1, h5py.h5s.UNLIMITED, 1, 1), block=(2, 1, *values.shape[2:])
    )
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    source = h5py.h5s.create_simple((2, 1, *values.shape[2:]))
    plist.set_virtual(space, str(secrets / "run%b.h5").encode(), b"/ledger/heat", source)
    h5py.h5d.create(group.id, b"heat", h5py.h5t.IEEE_F64LE, space, plist)


# -- too many of everything ------------------------------------------------------------------------


@of(FILES, "20,000 groups", verify=(0,), info=(0,), analyze=(0,), check=(0,), plot=(0,))
@edited
def _(file: h5py.File, _: Path) -> None:
    for k in range(20_000):
        file.create_group(f"g{k}")


@of(FILES, "30,000 members of the ledger")
@edited
def _(file: h5py.File, _: Path) -> None:
    for k in range(30_000):
        file["ledger"][f"g{k}"] = h5py.SoftLink("/nowhere")


@of(FILES, "groups 3,000 deep", verify=(0,), info=(0,), analyze=(0,), check=(0,), plot=(0,))
@edited
def _(file: h5py.File, _: Path) -> None:
    group = file
    for _ in range(3000):
        group = group.create_group("g")


# -- numbers ---------------------------------------------------------------------------------------


def entry(column: str, value: float) -> Callable[[Path, Path], None]:
    """A maker that puts one number into a column."""

    def edit(file: h5py.File, _: Path) -> None:
        file["ledger"][column][0, 17, 3] = value

    return edited(edit)


for column in ("heat", "work", "exclusive_work", "energy"):
    for value in (np.nan, np.inf, -np.inf):
        # No figure and no average needs the exclusive work alone.
        put_in(FILES, f"{value} in {column}", entry(column, value), **SHOWN)
put_in(FILES, "1e308 in heat", entry("heat", 1e308), **SHOWN)
put_in(FILES, "a spin of 0", entry("state", 0), **SHOWN)
put_in(FILES, "a spin of 127", entry("state", 127), **SHOWN)
put_in(FILES, "-1 flips", entry("flips", -1), **SHOWN)


@of(FILES, "columns of nan", **SHOWN)
@edited
def _(file: h5py.File, _: Path) -> None:
    for name in ("heat", "work", "energy"):
        file["ledger"][name][...] = np.nan


@of(FILES, "columns of 1e308", **SHOWN)
@edited
def _(file: h5py.File, _: Path) -> None:
    for name in ("heat", "work", "energy"):
        file["ledger"][name][...] = 1e308
