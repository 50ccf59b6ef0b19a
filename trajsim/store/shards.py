"""A run in shards, for machines without a connection.

A shard is the folder of parts of a run that simulates only its share of the trajectories. It is
kept when it is finished; all of them together are packed into the file of the run.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

from trajsim.ledger import Layout

SHARD = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")
FOLDER = re.compile(r"(.*)\.shard-[0-9]+-of-[0-9]+(.*)\.parts", re.DOTALL)


class Shard(NamedTuple):
    """The `number`-th of `total` shards, counted from 1."""

    number: int
    total: int

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"

    @classmethod
    def parse(cls, text: Any) -> "Shard":
        """Shard of a text such as "3/16".

        Raises
        ------
        ValueError
            If it is no valid shard.
        """
        match = SHARD.fullmatch(text) if isinstance(text, str) else None
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise ValueError(f"found {text!r}; allowed: 1/N to N/N, such as 3/16")
        return cls(int(match[1]), int(match[2]))

    def share(self, layout: Layout) -> tuple[int, int]:
        """First of its trajectories and the one after the last, counted through all points."""
        total = layout.points * layout.trajectories
        return total * (self.number - 1) // self.total, total * self.number // self.total

    def output(self, run: Path) -> Path:
        """Name of this shard of a run: x.shard-3-of-16.h5 for x.h5."""
        return run.with_name(f"{run.stem}.shard-{self.number}-of-{self.total}{run.suffix}")


WHOLE = Shard(1, 1)


def shards_of(path: Path) -> list[Path]:
    """Folders of the shards of a name: that of one shard, or of a run and so of all its shards."""
    if not path.name:
        return []
    if path.name.endswith(".parts") and path.is_dir():
        return [path]
    parts = path.with_name(path.name + ".parts")
    if parts.is_dir() and run_of(parts) is not None:
        return [parts]
    paths = [p for p in path.parent.iterdir() if run_of(p) == path] if path.parent.is_dir() else []
    return sorted(p for p in paths if p.is_dir())


def run_of(folder: Path) -> Path | None:
    """The run's file by a shard's folder; None if the folder's name is not a shard's."""
    match = FOLDER.fullmatch(folder.name)
    return folder.with_name(match[1] + match[2]) if match else None
