"""Results at all points of a sweep, and tables of them for other libraries."""

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np

from trajsim.analysis.estimate import Estimate
from trajsim.analysis.rates import NAMES, RATES, Rates

P = TypeVar("P", bound=Rates)

# Points that are shown of a list.
MOST_SHOWN = 4


class PointList(list[P]):
    """Results at the points of a sweep: a list that also gives tables of all rates."""

    def to_pandas(self) -> Any:
        """Rates as a `pandas.DataFrame`, a row a point.

        The index holds the swept values; without a sweep, the number of the point. Columns are
        named as `rates`: one each of exact answers, two each of sampled ones, such as
        ("heat_rate.L", "mean") and ("heat_rate.L", "stderr").

        Raises
        ------
        ImportError
            Without the optional extra: pip install 'trajsim[pandas]'.
        """
        try:
            import pandas
        except ImportError:
            raise missing_library("to_pandas", "pandas") from None

        swept = self._swept() or {"point": list(range(len(self)))}
        index: Any = pandas.DataFrame(swept).set_index(list(swept)).index
        frame = pandas.DataFrame([dict(_columns(a.rates)) for a in self], index=index)
        if self and isinstance(frame.columns[0], tuple):
            frame.columns = pandas.MultiIndex.from_tuples(frame.columns)
        return frame

    def to_xarray(self) -> Any:
        """Rates as an `xarray.Dataset`.

        heat_rate has the dimensions (point, bath), work_rate (point, drive), flip_rate
        (point, site), total_work_rate (point,); of sampled ones heat_rate_stderr and so on are
        beside them. Swept values are coordinates of the points; over a grid,
        `.set_index(point=["one key", "other key"]).unstack()` makes dimensions of them.

        Raises
        ------
        ImportError
            Without the optional extra: pip install 'trajsim[xarray]'.
        """
        try:
            import xarray
        except ImportError:
            raise missing_library("to_xarray", "xarray") from None

        variables: dict[str, Any] = {}
        coordinates: dict[str, Any] = {k: ("point", values) for k, values in self._swept().items()}
        for kind, dim in RATES.items():
            labels = list(self[0].of(kind)) if self else []
            if labels:
                coordinates[dim] = labels
                values = [[a.of(kind)[label] for label in labels] for a in self]
                variables |= _variables(NAMES[kind], ("point", dim), values)
        if self and self[0].work_rate:
            totals = [a.total_work_rate for a in self]
            variables |= _variables("total_work_rate", ("point",), totals)
        return xarray.Dataset(variables, coordinates)

    def __repr__(self) -> str:
        shown = [repr(answer) for answer in self[:MOST_SHOWN]]
        remaining = len(self) - len(shown)
        if remaining:
            shown.append(f"... and {remaining} more points: to_pandas() shows all")
        return "[" + ",\n ".join(shown) + "]"

    def _swept(self) -> dict[str, list[float]]:
        """Swept values of all points by key."""
        return (
            {key: [a.parameters[key] for a in self] for key in self[0].parameters} if self else {}
        )


def _columns(rates: dict[str, Any]) -> Iterator[tuple[Any, float]]:
    for name, value in rates.items():
        if isinstance(value, Estimate):
            yield (name, "mean"), value.mean
            yield (name, "stderr"), value.stderr
        else:
            yield name, value


def _variables(name: str, dims: tuple[str, ...], values: list[Any]) -> dict[str, Any]:
    """Numbers (...) as one variable, estimates as two."""
    numbers = np.array(values, np.float64)
    if numbers.ndim == len(dims):
        return {name: (dims, numbers)}
    return {name: (dims, numbers[..., 0]), f"{name}_stderr": (dims, numbers[..., 1])}


def missing_library(method: str, library: str) -> ImportError:
    """Error of a method without the library that it needs."""
    return ImportError(f"{method}() needs an optional library: pip install 'trajsim[{library}]'")
