"""Folders of unfinished runs that are broken, or made by somebody who means ill."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from bad_runs import CHANCE, DEEP, HEADER_GOOD, REFUSED, SHOWN, Bad, instead, of, put_in
from binding import sign

FOLDERS: dict[str, Bad] = {}


def header(change: Callable[[dict], Any]) -> Callable[[Path, Path], None]:
    """A maker that writes another header."""

    def make(folder: Path, _: Path) -> None:
        path = folder / "header.json"
        changed = change(json.loads(path.read_text()))
        path.write_text(json.dumps(sign(changed) if isinstance(changed, dict) else changed))

    return make


def replaced(name: str, put: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
    """A maker that puts something in the place of a file; a block is the first of them."""

    def make(folder: Path, secrets: Path) -> None:
        instead(put)(sorted(folder.glob(name))[0], secrets)

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
    "the schema before": lambda h: h | {"schema": 1},
    "a newer schema": lambda h: h | {"schema": 3},
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
    {"run": "0" * 64},
    {"run": None},
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
