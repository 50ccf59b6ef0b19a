"""Folders of unfinished runs with another header, to which blocks and manifest are made to fit."""

import hashlib
import json
from pathlib import Path
from typing import Any

import h5py


def sign(header: dict[str, Any]) -> dict[str, Any]:
    """A header with the digest of itself."""
    bare = {name: value for name, value in header.items() if name != "header_sha256"}
    sha256 = hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()
    return {**bare, "header_sha256": sha256}


def bind(folder: Path, **entries: Any) -> None:
    """Change entries of the header, and let every block and line be of the run that it tells of."""
    path, manifest = folder / "header.json", folder / "manifest.jsonl"
    header = sign(json.loads(path.read_text()) | entries)
    path.write_text(json.dumps(header))
    lines = []
    for line in map(json.loads, manifest.read_text().splitlines()):
        block = folder / line["file"]
        with h5py.File(block, "r+") as file:
            file.attrs["run"] = header["header_sha256"]
        sha256 = hashlib.sha256(block.read_bytes()).hexdigest()
        name = line["file"].replace(line["sha256"], sha256)
        block.rename(folder / name)
        lines.append({**line, "file": name, "sha256": sha256, "run": header["header_sha256"]})
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
