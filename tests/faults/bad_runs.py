"""Files of runs that are broken or made by somebody who means ill, and the same of their folders.

Each maker changes a copy of a sound run. Checksums are made to fit, as an enemy would.
"""

import gzip
import hashlib
import json
import os
import shutil
import struct
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
    """One bad run: how it is made, and the exit statuses that differ from 1, 2, 2, 2, 2."""

    make: Callable[[Path, Path], None]
    statuses: dict[str, tuple[int, ...]]

    def allowed(self, verb: str) -> tuple[int, ...]:
        """Exit statuses that are right for a verb."""
        return self.statuses.get(verb, (UNSOUND,) if verb == "verify" else (REFUSED,))


FILES: dict[str, Bad] = {}
FOLDERS: dict[str, Bad] = {}


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


# -- what is no HDF5 file --------------------------------------------------------------------------

SIGNATURE = b"\x89HDF\r\n\x1a\n"
CHANCE = np.random.default_rng(6)
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
    place = data.index(struct.pack("<Q", len(data)))
    path.write_bytes(data[:place] + struct.pack("<Q", end) + data[place + 8 : end])


@of(FILES, "a folder")
def _(path: Path, _: Path) -> None:
    path.unlink()
    path.mkdir()


@of(FILES, "a pipe")
def _(path: Path, _: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@of(FILES, "an endless device")
def _(path: Path, _: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@of(FILES, "a loop of links")
def _(path: Path, _: Path) -> None:
    path.unlink()
    path.symlink_to(path)


@of(FILES, "a link to what is not there")
def _(path: Path, secrets: Path) -> None:
    path.unlink()
    path.symlink_to(secrets / "none.h5")


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


DEEP = "[" * 100_000 + "]" * 100_000
for schema in (0, 2, -1, 2**40, 1.5, "one", np.arange(3), ""):
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


@of(FILES, "the ledger holds itself", verify=(0,), info=(0,), analyze=(0,), check=(0,), plot=(0,))
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


SHOWN = {"info": (0,)}
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


# -- folders of unfinished runs --------------------------------------------------------------------


def header(change: Callable[[dict], Any]) -> Callable[[Path, Path], None]:
    """A maker that writes another header."""

    def make(folder: Path, _: Path) -> None:
        path = folder / "header.json"
        path.write_text(json.dumps(change(json.loads(path.read_text()))))

    return make


def replaced(name: str, put: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
    """A maker that puts something in the place of a file; a block is the first of them."""

    def make(folder: Path, secrets: Path) -> None:
        path = sorted(folder.glob(name))[0]
        path.unlink()
        put(path, secrets)

    return make


def sparse(path: Path, size: int) -> None:
    """A file of zeros that takes no room."""
    path.touch()
    os.truncate(path, size)


THINGS: dict[str, Callable[[Path, Path], Any]] = {
    "empty": lambda path, _: path.write_bytes(b""),
    "noise": lambda path, _: path.write_bytes(CHANCE.bytes(5000)),
    "deep JSON": lambda path, _: path.write_text(DEEP + "\n"),
    "a pipe": lambda path, _: os.mkfifo(path),
    "a folder": lambda path, _: path.mkdir(),
    "a link to a secret": lambda path, secrets: path.symlink_to(secrets / "run.h5"),
    "a link to a device": lambda path, _: path.symlink_to("/dev/zero"),
    "2 GB of zeros": lambda path, _: sparse(path, 2 << 30),
}
for file in ("header.json", "manifest.jsonl", "block-*.h5"):
    for name, put in THINGS.items():
        statuses = {}
        if file == "block-*.h5":
            statuses = SHOWN
        elif (file, name) == ("manifest.jsonl", "empty"):
            # Where nothing is finished yet, plot draws the exact curves.
            statuses = SHOWN | {"plot": (0,)}
        elif (file, name) == ("manifest.jsonl", "noise"):
            statuses = HEADER_GOOD
        put_in(FOLDERS, f"{file}: {name}", replaced(file, put), **statuses)
for name, change in {
    "a list": lambda _: [],
    "no layout": lambda h: {k: v for k, v in h.items() if k != "layout"},
    "no config": lambda h: {k: v for k, v in h.items() if k != "config"},
    "an older schema": lambda h: h | {"schema": 0},
    "a newer schema": lambda h: h | {"schema": 2},
    "8 PiB": lambda h: h | {"layout": h["layout"] | {"rows": 2**50}},
    "a number for a title": lambda h: h | {"title": 3},
    "resolved is a list": lambda h: h | {"resolved": []},
}.items():
    put_in(FOLDERS, f"header: {name}", header(change))


def line(**entries: Any) -> Callable[[Path, Path], None]:
    """A maker that changes the first line of the manifest."""

    def make(folder: Path, _: Path) -> None:
        path = folder / "manifest.jsonl"
        lines = path.read_text().splitlines()
        lines[0] = json.dumps(json.loads(lines[0]) | entries)
        path.write_text("\n".join(lines) + "\n")

    return make


for entries in (
    {"file": "../secrets/run.h5"},
    {"file": "/dev/zero"},
    {"file": "header.json"},
    {"file": ""},
    {"file": "a\0b"},
    {"file": 3},
    {"sha256": None},
    {"point": -1},
    {"point": 10**30},
    {"point": True},
    {"first": 1.5},
    {"first": 10**12},
    {"trajectories": 0},
    {"trajectories": 2**40},
    {"trajectories": -5},
    {"events": "x"},
    {"more": 1},
):
    put_in(FOLDERS, f"manifest: {entries}", line(**entries), info=(0, REFUSED))


@of(FOLDERS, "manifest: a block twice")
def _(folder: Path, _: Path) -> None:
    path = folder / "manifest.jsonl"
    path.write_text(path.read_text() * 2)


def block(edit: Callable[[h5py.File, Path], None]) -> Callable[[Path, Path], None]:
    """A maker that edits the first block; name and manifest are made to fit."""

    def make(folder: Path, secrets: Path) -> None:
        path = sorted(folder.glob("block-*.h5"))[0]
        with h5py.File(path, "r+") as file:
            edit(file, secrets)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        old = path.stem.rsplit("-", 1)[1]
        path.rename(path.with_name(path.name.replace(old, digest)))
        manifest = folder / "manifest.jsonl"
        manifest.write_text(manifest.read_text().replace(old, digest))

    return make


def block_heat(make: Callable[[h5py.File, np.ndarray, Path], None]) -> Callable[[Path, Path], None]:
    """A maker of a block with another heat."""

    def edit(file: h5py.File, secrets: Path) -> None:
        values = file["heat"][...]
        del file["heat"]
        make(file, values, secrets)

    return block(edit)


for name, make in {
    "no heat": lambda file, values, _: None,
    "heat short of a row": lambda file, values, _: file.create_dataset("heat", data=values[:, 1:]),
    "heat of texts": lambda file, values, _: file.create_dataset(
        "heat", data=np.full(values.shape, b"cold")
    ),
    "gzipped heat": lambda file, values, _: file.create_dataset(
        "heat", data=values, compression="gzip"
    ),
    "nan in heat": lambda file, values, _: file.create_dataset("heat", data=values * np.nan),
    "heat in another file": lambda file, values, secrets: file.__setitem__(
        "heat", h5py.ExternalLink(str(secrets / "run.h5"), "/ledger/heat")
    ),
    "heat stored in another file": lambda file, values, secrets: file.create_dataset(
        "heat", values.shape, "f8", external=[(str(secrets / "bytes.bin"), 0, values.nbytes)]
    ),
    "heat of 8 PiB": lambda file, values, _: file.create_dataset("heat", (2**40, 8, 2), "f8"),
}.items():
    put_in(FOLDERS, f"block: {name}", block_heat(make), **SHOWN)


@of(FOLDERS, "no blocks at all", **SHOWN)
def _(folder: Path, _: Path) -> None:
    for path in folder.glob("block-*.h5"):
        path.unlink()


@of(FOLDERS, "an empty folder")
def _(folder: Path, _: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def secrets_in(folder: Path, run: Path) -> Path:
    """Files that nobody may open: a run, bytes, a pipe."""
    folder.mkdir()
    shutil.copy(run, folder / "run.h5")
    shutil.copy(run, folder / "run0.h5")
    (folder / "bytes.bin").write_bytes(bytes(1 << 20))
    os.mkfifo(folder / "pipe")
    return folder
