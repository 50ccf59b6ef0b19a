"""Conversion of Python's and numpy's values to those of a TOML file."""

import datetime
import itertools
import numbers
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel

from trajsim.config.faults import ConfigError, Fault, show

# Deepest nesting of tables and lists of a config.
DEEPEST = 20
# Entries of a list after which it is refused: an iterator may be endless.
MOST_ENTRIES = 1_000_000
OVERRIDES = 'allowed: a table of keys and values, "key=value", or a list of these'


def plain(value: Any, key: str = "") -> Any:
    """A value as dicts, lists and simple values.

    Parameters
    ----------
    value : mappings, sequences, iterators, ranges, arrays and numbers of numpy, parts
        of an experiment; None stands for a key that is left out
    key : where it stands

    Raises
    ------
    ConfigError
        If there is anything else in it.
    """
    return _plain(value, (key,) if key else ())


def _plain(value: Any, path: tuple[str, ...]) -> Any:
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_unset=True, exclude_none=True)
    elif hasattr(value, "__array__"):  # of numpy, pandas, xarray ...
        value = np.asarray(value).tolist()
    if isinstance(value, Mapping | Sequence | Iterator) and not isinstance(value, str | bytes):
        if len(path) > DEEPEST:
            raise refused(path[:1], f"nested more than {DEEPEST} deep")
        if isinstance(value, Mapping):
            strange = next((name for name in value if not isinstance(name, str)), "")
            if strange != "":
                raise refused(path, f"found {show(strange)} as a key; allowed: texts")
            return {str(name): _plain(inner, (*path, name)) for name, inner in value.items()}
        entries = list(itertools.islice(value, MOST_ENTRIES + 1))
        if len(entries) > MOST_ENTRIES:
            raise refused(path, f"found more than {MOST_ENTRIES} entries")
        return [_plain(inner, (*path, str(k))) for k, inner in enumerate(entries)]
    if value is None or isinstance(value, bool | str | datetime.date | datetime.time):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real | np.longdouble):
        return float(value)
    allowed = "texts, numbers, true and false, and lists and tables of them"
    raise refused(path, f"found {show(value)}; allowed: {allowed}")


def refused(path: tuple[str, ...], message: str) -> ConfigError:
    """Error about a value given in Python, with its keys."""
    return ConfigError([Fault("<config>", None, ".".join(path), message)])


def known(value: Any) -> Any:
    """A plain value without entries that are None."""
    if isinstance(value, dict):
        return {key: known(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [known(inner) for inner in value if inner is not None]
    return value


def assignments(overrides: Any) -> Iterator[str | tuple[str, Any]]:
    """Overrides as texts, and as dotted keys with plain values.

    A table at a dotted key replaces the whole value. Nested tables are the same as dotted keys:
    {"ensemble": {"seed": 1}} is {"ensemble.seed": 1}. A sweep is one value, in which keys may be
    nested as well.

    Parameters
    ----------
    overrides : table, "key=value" text, or any number of tables, texts and pairs (key, value)

    Raises
    ------
    ConfigError
        If a key is no text, or a value cannot be in a file.
    """
    if isinstance(overrides, str):
        yield overrides
    elif isinstance(overrides, Mapping):
        for key, value in plain(overrides).items():
            if key.strip() == "sweep" or key.startswith("sweep."):
                yield from _swept(key, value)
            elif "." in key:
                yield key, value
            else:
                yield from _leaves(key, value)
    elif _is_pair(overrides):
        yield from assignments({overrides[0]: overrides[1]})
    elif isinstance(overrides, Iterable):
        for override in overrides:
            if not isinstance(override, str | Mapping) and not _is_pair(override):
                raise refused((), f"found {show(override)}; {OVERRIDES}")
            yield from assignments(override)
    else:
        raise refused((), f"found {show(overrides)}; {OVERRIDES}")


def _is_pair(value: Any) -> bool:
    """Whether something is (key, value), and not two texts."""
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and isinstance(value[0], str)
        and "=" not in value[0]
    )


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict) or not value:
        yield key, value
        return
    for inner, child in value.items():
        yield from _leaves(f"{key}.{inner}", child)


def _swept(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A sweep, or an axis of it, with nested keys as dotted keys."""
    if key.strip() == "sweep":
        axes = value.items() if isinstance(value, dict) else ()
        flat = dict(axis for name, child in axes for axis in _axes(name, child))
        yield key, flat if isinstance(value, dict) else value
    else:
        yield from _axes(key, value)


def _axes(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Axes of a sweep; a table of lists or tables is one of keys, others are ranges."""
    if isinstance(value, dict) and any(isinstance(v, dict | list) for v in value.values()):
        for inner, child in value.items():
            yield from _axes(f"{key}.{inner}", child)
    else:
        yield key, value
