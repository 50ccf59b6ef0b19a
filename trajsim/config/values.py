"""Values as Python and numpy have them, turned into what a TOML file holds."""

import datetime
import itertools
import numbers
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel

from trajsim.config.faults import ConfigError, Fault, show

# How deep tables and lists of a config may lie in each other.
DEEPEST = 20
# A list of more is not looked at to its end, which it may not have.
MOST_ENTRIES = 1_000_000
OVERRIDES = 'allowed: a table of keys and values, "key=value", or a list of these'


def plain(value: Any, key: str = "") -> Any:
    """A value made of dicts, lists and simple values alone.

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


def _plain(value: Any, at: tuple[str, ...]) -> Any:
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_unset=True, exclude_none=True)
    elif hasattr(value, "__array__"):  # of numpy, pandas, xarray ...
        value = np.asarray(value).tolist()
    if isinstance(value, Mapping | Sequence | Iterator) and not isinstance(value, str | bytes):
        if len(at) > DEEPEST:
            raise refused(at[:1], f"nested more than {DEEPEST} deep")
        if isinstance(value, Mapping):
            strange = next((name for name in value if not isinstance(name, str)), "")
            if strange != "":
                raise refused(at, f"found {show(strange)} as a key; allowed: texts")
            return {str(name): _plain(inner, (*at, name)) for name, inner in value.items()}
        entries = list(itertools.islice(value, MOST_ENTRIES + 1))
        if len(entries) > MOST_ENTRIES:
            raise refused(at, f"found more than {MOST_ENTRIES} entries")
        return [_plain(inner, (*at, str(k))) for k, inner in enumerate(entries)]
    if value is None or isinstance(value, bool | str | datetime.date | datetime.time):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real | np.longdouble):
        return float(value)
    allowed = "texts, numbers, true and false, and lists and tables of them"
    raise refused(at, f"found {show(value)}; allowed: {allowed}")


def refused(at: tuple[str, ...], message: str) -> ConfigError:
    """Error of a value that was given in Python, and of the keys under which it stands."""
    return ConfigError([Fault("<config>", None, ".".join(at), message)])


def known(value: Any) -> Any:
    """A plain value without what is None."""
    if isinstance(value, dict):
        return {key: known(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [known(inner) for inner in value if inner is not None]
    return value


def assignments(overrides: Any) -> Iterator[str | tuple[str, Any]]:
    """What is put in place, as texts and as dotted keys with plain values.

    A table at a dotted key stands there as a whole. Tables in tables name the same keys as dotted
    ones do: {"ensemble": {"seed": 1}} is {"ensemble.seed": 1}. A sweep is one value, in which keys
    may be nested as well.

    Parameters
    ----------
    overrides : table, "key=value" text, or any number of tables, texts and pairs (key, value)

    Raises
    ------
    ConfigError
        If a key is no text, or a value none that a file could hold.
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
        for one in overrides:
            if not isinstance(one, str | Mapping) and not _is_pair(one):
                raise refused((), f"found {show(one)}; {OVERRIDES}")
            yield from assignments(one)
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
    for inner, below in value.items():
        yield from _leaves(f"{key}.{inner}", below)


def _swept(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A sweep, or an axis of it, in which tables of keys became dotted keys."""
    if key.strip() == "sweep":
        axes = value.items() if isinstance(value, dict) else ()
        flat = dict(axis for name, below in axes for axis in _axes(name, below))
        yield key, flat if isinstance(value, dict) else value
    else:
        yield from _axes(key, value)


def _axes(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Axes of a sweep; a table of lists or tables is one of keys, others are ranges."""
    if isinstance(value, dict) and any(isinstance(v, dict | list) for v in value.values()):
        for inner, below in value.items():
            yield from _axes(f"{key}.{inner}", below)
    else:
        yield key, value
