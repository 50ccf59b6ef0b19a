"""Ledgers that are broken, or made by somebody who means ill, in files that are sound."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from bad_runs import SHOWN, Bad, edited, of, put_in

LEDGERS: dict[str, Bad] = {}

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
    put_in(LEDGERS, f"heat {name}", array(**options))


@of(LEDGERS, "heat of ragged lists")
@heat
def _(group: h5py.Group, values: np.ndarray, _: Path) -> None:
    group.create_dataset("heat", values.shape, h5py.vlen_dtype(np.float64))


@of(LEDGERS, "heat of references")
@heat
def _(group: h5py.Group, values: np.ndarray, _: Path) -> None:
    group.create_dataset("heat", values.shape, h5py.ref_dtype)


@of(LEDGERS, "heat of no space")
@heat
def _(group: h5py.Group, values: np.ndarray, _: Path) -> None:
    group["heat"] = h5py.Empty("f8")


@of(LEDGERS, "heat that is a group")
@heat
def _(group: h5py.Group, values: np.ndarray, _: Path) -> None:
    group.create_group("heat")


@of(LEDGERS, "heat that is a named type")
@heat
def _(group: h5py.Group, values: np.ndarray, _: Path) -> None:
    group["heat"] = np.dtype("f8")


@of(LEDGERS, "heat never written")
@heat
def _(group: h5py.Group, values: np.ndarray, _: Path) -> None:
    group.create_dataset("heat", values.shape, "f8")


@of(LEDGERS, "heat under a filter that nobody has")
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


@of(LEDGERS, "8 PiB declared, contiguous")
@edited
def _(file: h5py.File, _: Path) -> None:
    huge(file, 10**12)


@of(LEDGERS, "8 PiB declared, in chunks")
@edited
def _(file: h5py.File, _: Path) -> None:
    huge(file, 10**12, chunks=True)


@of(LEDGERS, "a trajectory of 8 PiB")
@edited
def _(file: h5py.File, _: Path) -> None:
    layout = json.loads(file.attrs["layout"])
    file.attrs["layout"] = json.dumps(layout | {"rows": 2**49})
    del file["ledger/heat"]
    file["ledger"].create_dataset("heat", (2, 300, 2**49, 2), "f8")


@of(LEDGERS, "a compression bomb")
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
        LEDGERS,
        f"heat is {name}",
        heat(lambda group, _, secrets, link=link: group.__setitem__("heat", link(secrets))),
    )


@of(LEDGERS, "the ledger is in another file")
@edited
def _(file: h5py.File, secrets: Path) -> None:
    del file["ledger"]
    file["ledger"] = h5py.ExternalLink(str(secrets / "run.h5"), "/ledger")


@of(LEDGERS, "the ledger is a soft link")
@edited
def _(file: h5py.File, _: Path) -> None:
    file.move("ledger", "other")
    file["ledger"] = h5py.SoftLink("/other")


@of(LEDGERS, "the ledger is an array")
@edited
def _(file: h5py.File, _: Path) -> None:
    del file["ledger"]
    file.create_dataset("ledger", data=np.zeros(5))
    file["ledger"].attrs["sha256"] = ""


@of(LEDGERS, "the ledger holds itself", info=(0,), analyze=(0,), check=(0,), plot=(0,))
@edited
def _(file: h5py.File, _: Path) -> None:
    file["ledger/ledger"] = file["ledger"]
    file["ledger/root"] = file["/"]


for name, target in (("another file", "bytes.bin"), ("a pipe", "pipe"), ("a device", "/dev/zero")):
    put_in(
        LEDGERS,
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


put_in(LEDGERS, "heat is a view of another file", virtual("run.h5"))
put_in(LEDGERS, "heat is a view of a pipe", virtual("pipe"))
put_in(LEDGERS, "heat is a view of itself", virtual("."))
put_in(LEDGERS, "heat is a view of work", virtual(".", "/ledger/work"))


@of(LEDGERS, "heat is a view of files without end")
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


@of(LEDGERS, "20,000 groups", verify=(0,), info=(0,), analyze=(0,), check=(0,), plot=(0,))
@edited
def _(file: h5py.File, _: Path) -> None:
    for k in range(20_000):
        file.create_group(f"g{k}")


@of(LEDGERS, "30,000 members of the ledger")
@edited
def _(file: h5py.File, _: Path) -> None:
    for k in range(30_000):
        file["ledger"][f"g{k}"] = h5py.SoftLink("/nowhere")


@of(LEDGERS, "groups 3,000 deep", verify=(0,), info=(0,), analyze=(0,), check=(0,), plot=(0,))
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
        put_in(LEDGERS, f"{value} in {column}", entry(column, value), **SHOWN)
put_in(LEDGERS, "1e308 in heat", entry("heat", 1e308), **SHOWN)
put_in(LEDGERS, "a spin of 0", entry("state", 0), **SHOWN)
put_in(LEDGERS, "a spin of 127", entry("state", 127), **SHOWN)
put_in(LEDGERS, "-1 flips", entry("flips", -1), **SHOWN)


@of(LEDGERS, "columns of nan", **SHOWN)
@edited
def _(file: h5py.File, _: Path) -> None:
    for name in ("heat", "work", "energy"):
        file["ledger"][name][...] = np.nan


@of(LEDGERS, "columns of 1e308", **SHOWN)
@edited
def _(file: h5py.File, _: Path) -> None:
    for name in ("heat", "work", "energy"):
        file["ledger"][name][...] = 1e308
