"""Faults that the test suite must find: each an edit of one place of the package's sources.

They are listed in `faults/`, a file for each room of the package. `first` are the tests that are
likely to find it, tried before all others; a fault that they miss is looked for by the whole
default run.
"""

import tomllib
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "faults"


class Edit(NamedTuple):
    """In `file` of the package the text `old`, which is there exactly once, becomes `new`."""

    name: str
    file: str
    old: str
    new: str
    first: tuple[str, ...]

    @property
    def place(self) -> str:
        """Part of the package, by which mutations are grouped."""
        return self.file.rsplit("/", 1)[0] if "/" in self.file else self.file.removesuffix(".py")


def listed(path: Path) -> list[Edit]:
    """Faults of one file."""
    faults = tomllib.loads(path.read_text(encoding="utf-8"))["fault"]
    return [Edit(**{**fault, "first": tuple(fault["first"])}) for fault in faults]


EDITS = tuple(edit for path in sorted(FOLDER.glob("*.toml")) for edit in listed(path))
