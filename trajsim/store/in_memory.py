"""A run in memory: its blocks during the run, the finished file's bytes when it has ended."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.ledger import Layout
from trajsim.store.blocks import Block, expected_block, gaps, opened
from trajsim.store.packed import write_file
from trajsim.store.trust import digest

# Path of a run without a file, for messages.
MEMORY = Path("<memory>")


class MemoryRun:
    """A run that is being made in memory; see `UnfinishedRun` for runs on disk.

    Parameters
    ----------
    header : of the run
    """

    def __init__(self, header: dict[str, Any]) -> None:
        self.header, self.run_id = header, digest(header)
        self.layout = Layout(**header["layout"])
        self._columns: dict[Block, dict[str, NDArray]] = {}

    @property
    def trajectories(self) -> int:
        """Number of trajectories of all points."""
        return self.layout.points * self.layout.trajectories

    def missing(self) -> list[tuple[int, int, int]]:
        """Ranges (point, first, end) of trajectories that are not done."""
        return list(gaps(self._columns, self.layout))

    def publish(self, columns: dict[str, NDArray], point: int, first: int, events: int) -> Block:
        """Store a copy of a block of trajectories; thread-safe.

        Parameters
        ----------
        columns : of the ledger, (trajectories, ...) each
        point, first : of the trajectories
        events : number of events in them
        """
        block = Block("", "", point, first, len(columns["energy"]), events)
        self._columns[block] = {name: np.array(values) for name, values in columns.items()}
        return block

    def adopt(
        self, name: str, image: bytes | memoryview, point: int, first: int, count: int
    ) -> Block:
        """Store a block made by a worker, if it is the one expected.

        Parameters
        ----------
        name, image : of the block's file
        point, first, count : expected trajectories

        Raises
        ------
        StoreError
            If it is another one, or was changed on its way.
        """
        block = expected_block(name, point, first, count)
        with opened(Path(name), image, block, self.run_id) as file:
            self._columns[block] = {name: file[name][...] for name in file}
        return block

    def read(self, block: Block, names: Iterable[str]) -> dict[str, NDArray]:
        """Columns of a block, which is removed to free its memory."""
        columns, n = self._columns.pop(block), block.trajectories
        # The file of a block has no column without entries.
        return {
            c.name: columns.get(c.name, np.zeros((n, *self.layout.shape(c)), c.dtype))
            for c in self.layout.columns
            if c.name in names
        }

    def pack(self, tick: Callable[[int], None]) -> bytes:
        """The finished file of all blocks, which are removed.

        Parameters
        ----------
        tick : called with the number of trajectories after each block; may raise to stop
        """
        target = io.BytesIO()

        def write(data: bytes | memoryview, offset: int) -> None:
            target.seek(offset)
            target.write(data)

        write_file(write, self.header, self.layout, dict.fromkeys(self._columns, self), tick)
        return target.getvalue()
