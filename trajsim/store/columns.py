"""Columns of a ledger on disk, read by index."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.ledger import Column, Layout


@dataclass(frozen=True, repr=False)
class StoredColumn:
    """A column of a finished run: indexed like an array, it reads that part.

    Attributes
    ----------
    column : its name, dimensions after (point, trajectory), units and meaning
    layout : of the run
    """

    column: Column
    layout: Layout
    _dataset: Callable[[str], AbstractContextManager[Any]]

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return ("point", "trajectory", *self.column.dims)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the dimensions."""
        return (self.layout.points, self.layout.trajectories, *self.layout.shape(self.column))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""
        return np.dtype(self.column.dtype)

    def __len__(self) -> int:
        return self.layout.points

    def __getitem__(self, index: Any) -> NDArray:
        with self._dataset(self.column.name) as data:
            return np.asarray(data[index])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        if copy is False:
            raise ValueError("reading a column makes a copy")
        return np.asarray(self[...], dtype)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{d}: {n}" for d, n in zip(self.dims, self.shape, strict=True))
        return f"<{self.column.name} ({sizes}), {self.column.units}: {self.column.long_name}>"
