"""Division of a trajectory into segments and rows of the ledger."""

from typing import NamedTuple


class Plan(NamedTuple):
    """Burn-in and recorded time of every trajectory, cut into segments and rows.

    A segment is the unit of time of the kernels: a whole period, or one of the `rows_per_period`
    equal parts of it. A row of the ledger is `segments_per_row` segments.
    One of `rows_per_period` and `segments_per_row` is 1.
    """

    periods: int
    burn_in: int
    rows_per_period: int
    segments_per_row: int

    @property
    def rows(self) -> int:
        """Rows of the ledger a trajectory."""
        return self.periods * self.rows_per_period // self.segments_per_row

    @property
    def segments(self) -> int:
        """Segments a trajectory, burn-in included."""
        return (self.burn_in + self.periods) * self.rows_per_period

    @property
    def burn_in_segments(self) -> int:
        """Segments run before the ledger opens."""
        return self.burn_in * self.rows_per_period

    @property
    def row_periods(self) -> float:
        """Length of a row in periods."""
        return self.segments_per_row / self.rows_per_period
