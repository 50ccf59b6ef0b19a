"""Config files: TOML text to a validated Experiment; all faults are reported at once."""

import copy
import errno
import itertools
import os
import re
import select
import stat
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from trajsim.config.base import RECORDED
from trajsim.config.faults import (
    LONGEST_WORD,
    ConfigError,
    Fault,
    Loc,
    choice,
    cut,
    explain,
    inside,
    is_number,
    show,
    suggestion,
    unknown,
)
from trajsim.config.keys import find_all, key_of, put
from trajsim.config.kinds import experiment_type
from trajsim.config.lattice import Lattice, Places, faults_of, written_out
from trajsim.config.over import axis, words
from trajsim.config.points import Config, Point
from trajsim.config.schema import MOST_POINTS, Experiment, Figure, Range
from trajsim.config.toml_lines import TooDeepError, key_lines
from trajsim.config.values import DEEPEST
from trajsim.extending.kinds import KINDS
from trajsim.extending.plugins import PluginError, load_requested
from trajsim.system.files import A_RUN, holds_run

LARGEST_FILE = 1 << 20
# Seconds to wait for a pipe.
PATIENCE = 3.0
# Faults after which validation stops.
MOST_FAULTS = 100
# Sites and bonds of all points of a sweep together: each takes some 20 bytes and 5 us.
MOST_PARTS = 2_000_000
TOO_DEEP = f"not a config: nested more than {DEEPEST} deep"


# Key and plain value, or "key=value" as after `--set`.
Override = str | tuple[str, Any]


def load(
    path: str | Path,
    overrides: Iterable[Override] = (),
    over: Iterable[str] = (),
    ends: bool = False,
) -> Config:
    """Read and check a config file.

    Parameters
    ----------
    path : the TOML file
    overrides : "key=value" texts or pairs, each put in place of what the file says
    over : axes "KEY" or "KEY=START:STOP[:NUM]", which are all that is swept if there are any
    ends : of these axes, take only the lowest and the highest value

    Raises
    ------
    ConfigError
        With every fault found.
    """
    if holds_run(Path(path)):
        raise ConfigError([Fault(str(path), None, "", A_RUN)])
    try:
        raw = _beginning(path, LARGEST_FILE + 1)
        if len(raw) > LARGEST_FILE:
            raise ConfigError([Fault(str(path), None, "", _too_large(path))])
        text = raw.decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError([Fault(str(path), None, "", f"cannot be read: {reason}")]) from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([Fault(str(path), line, "", "not UTF-8 text")]) from None
    return parse(text, str(path), overrides, over, ends)


def _too_large(path: str | Path) -> str:
    """What is wrong with a file of more than LARGEST_FILE bytes; a pipe does not tell how many."""
    size = os.stat(path).st_size
    found = (
        f"found {size} bytes" if size > LARGEST_FILE else f"found more than {LARGEST_FILE} bytes"
    )
    return (
        f"larger than 1 MiB: {found}; allowed: up to {LARGEST_FILE} (many sites are written as a "
        "[lattice])"
    )


def _beginning(path: str | Path, most: int) -> bytes:
    """First bytes of a file or of a pipe, which may not be silent for PATIENCE seconds."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(handle, "rb", buffering=0) as file:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        content = b""
        while len(content) < most:
            if not select.select([handle], [], [], PATIENCE)[0]:
                raise TimeoutError(errno.ETIMEDOUT, f"nothing came for {PATIENCE:g} s")
            piece = file.read(most - len(content))
            if piece == b"":
                break
            content += piece or b""
        return content


def parse(
    text: str,
    source: str = "<config>",
    overrides: Iterable[Override] = (),
    over: Iterable[str] = (),
    ends: bool = False,
) -> Config:
    """Like `load`, from the text of a config; `source` names it in faults.

    Parameters
    ----------
    text : of a config
    source : its name in faults
    overrides, over, ends : as for `load`
    """
    lines: dict[Loc, int] = {}
    try:
        with suppress(ValueError):  # the parser says better what is wrong
            lines = dict(_shallow_lines(text))
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        position = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(position[1]) if position and position[1] else text.count("\n") + 1
        message = str(error)[: position.start()] if position else str(error)
        raise ConfigError([Fault(source, line, "", f"not TOML: {message}")]) from None
    except (RecursionError, MemoryError):
        raise ConfigError([Fault(source, None, "", TOO_DEEP)]) from None
    except ValueError as error:  # Python refuses to read numbers of thousands of digits
        message = f"not a config: {str(error).split(';')[0]}"
        raise ConfigError([Fault(source, None, "", message)]) from None
    return _Reader(source, text, data, lines).read(list(overrides), words(over), ends)


def _shallow_lines(text: str) -> dict[Loc, int]:
    try:
        # Indices of lists are parts of a place, too.
        return dict(key_lines(text, 2 * DEEPEST))
    except TooDeepError:
        raise RecursionError from None


def build(
    data: dict[str, Any], text: str, overrides: Iterable[Override] = (), source: str = "<config>"
) -> Config:
    """Config from plain values (`trajsim.config.values`) instead of a file.

    Parameters
    ----------
    data : tables, lists and values as in a file
    text : text of the config, recorded in runs
    overrides, source : as for `parse`

    Raises
    ------
    ConfigError
        With every fault found.
    """
    return _Reader(source, text, copy.deepcopy(data), {}).read(list(overrides), [])


def restore(text: str, resolved: dict[str, Any], source: str = "<run>") -> Config:
    """Config of a run, from the text and the resolved values that were written with it.

    Raises
    ------
    ConfigError
        If the values are not those of a config.
    """
    return _Reader(source, text, copy.deepcopy(resolved), {}, RECORDED).read([], [])


class _Reader:
    """Reads one file to a Config, and collects its faults."""

    def __init__(
        self,
        source: str,
        text: str,
        data: dict[str, Any],
        lines: dict[Loc, int],
        context: Any = None,
    ) -> None:
        self.source, self.text, self.data, self.lines = source, text, data, lines
        self.context = context
        self.origin: dict[Loc, str] = {}
        self.places: Places | None = None
        self.faults: list[Fault] = []

    def read(self, overrides: list[Override], over: list[str], ends: bool = False) -> Config:
        load_requested()
        self.strict = self.context is not RECORDED
        # Those of sites and bonds come when a lattice has been written out.
        for last in (False, True):
            for override in overrides:
                if _of_parts(override) == last:
                    self._override(override)
            if not last and self.data.get("lattice") is not None:
                self._write_out_lattice()
        if over:
            self._sweep_over(over, ends)
        if _depth(self.data) > DEEPEST:
            self.faults.append(Fault(self.source, None, "", TOO_DEEP))
            raise ConfigError(self.faults)
        try:
            self.schema = experiment_type(self.data)
        except PluginError as error:
            self.fault(("model", "kind"), str(error))
            raise ConfigError(self.faults) from None
        sweep = self.data.get("sweep", {})
        base = self._check(_without(self.data, "sweep"))
        axes = list(self._axes(sweep))
        if base is None or self.faults:
            raise ConfigError(self.faults)
        # [figure] belongs to the whole sweep.
        points = list(self._points(_without(self.data, "sweep", "figure"), axes, base))
        if self.faults:
            raise ConfigError(self.faults)
        experiment = base
        if "sweep" in self.data:
            experiment = self.schema.model_validate(self.data, context=self.context)
        config = Config(self.text, experiment, points)
        if base.figure.inset and not over and len(config.panels) != 2:
            self.fault(("figure", "inset"), _no_inset(config))
            raise ConfigError(self.faults)
        return config

    def fault(self, loc: Loc, message: str) -> None:
        """Record a fault at the deepest part of `loc` that the file or an override has."""
        if len(self.faults) >= MOST_FAULTS:
            more = Fault(self.source, None, "", f"more than {MOST_FAULTS} faults; the first are")
            raise ConfigError([more, *self.faults])
        fault = self._fault(loc, message)
        # One of a lattice's template is that of every site.
        if self.places is None or fault not in self.faults:
            self.faults.append(fault)

    def _fault(self, loc: Loc, message: str) -> Fault:
        prefixes = [loc[:depth] for depth in range(len(loc), 0, -1)]
        origin = next((p for p in prefixes if p in self.origin), None)
        if origin is None and loc:
            # A table that an override made on its way, or a list of which it set an element.
            inner = [place for place in self.origin if place[: len(loc)] == loc]
            in_file = loc in self.lines
            element = (p for p in inner if len(p) == len(loc) + 1 and isinstance(p[-1], int))
            origin = next(element if in_file else iter(inner), None)
        if origin is not None:
            key = key_of(self.data, loc) if len(origin) < len(loc) else ""
            return Fault(self.origin[origin], None, key, message)
        key = key_of(self.data, loc)
        if self.places is not None and (place := self.places.of(loc, self.lines)) != loc:
            prefixes = [place[:depth] for depth in range(len(place), 0, -1)]
            key = ".".join(map(str, place)) if place[0] == "lattice" else key
        line = next((self.lines[p] for p in prefixes if p in self.lines), None)
        return Fault(self.source, line, key, message)

    def _write_out_lattice(self) -> None:
        """Put the sites and bonds of the lattice into the config, in its place."""
        with suppress(PluginError):  # told when the config is checked
            if "lattice" not in experiment_type(self.data).model_fields:
                return
        try:
            lattice = Lattice.model_validate(self.data["lattice"])
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                loc, message = explain(detail, Lattice)
                self.fault(("lattice", *loc), message)
            raise ConfigError(self.faults) from None
        for loc, message in faults_of(lattice):
            self.fault(loc, message)
        if self.faults:
            raise ConfigError(self.faults)
        self.data, self.places = written_out(lattice, self.data)

    # -- overrides ---------------------------------------------------------------------------

    def _override(self, override: Override) -> None:
        if isinstance(override, str):
            key, equals, word = override.partition("=")
            source = f"--set {cut(override, LONGEST_WORD)}"
            if not equals or not key.strip():
                self.faults.append(Fault(source, None, "", "allowed: KEY=VALUE"))
                return
            value = _toml_value(word.strip())
        else:
            key, value = override
            source = f"override of {cut(key, LONGEST_WORD)}"
        try:
            for k, loc in enumerate(find_all(self.data, key.strip())):
                # Deeper ones are refused later.
                each = copy.deepcopy(value) if k and _depth([value]) <= DEEPEST else value
                put(self.data, loc, each)
                self.origin[loc] = source
        except KeyError as error:
            self.faults.append(Fault(source, None, "", error.args[0]))
        except (TypeError, IndexError):
            self.faults.append(Fault(source, None, "", "leads through a value that is no table"))

    def _sweep_over(self, over: list[str], ends: bool) -> None:
        """Replace the sweep by axes."""
        sweep, chosen = self.data.get("sweep", {}), {}
        for word in over:
            source = f"--over {cut(word, LONGEST_WORD)}"
            try:
                key, values = axis(word, sweep if isinstance(sweep, dict) else {}, ends)
                if key in chosen:
                    raise ValueError(f"{key} is named twice")
            except ValueError as error:
                self.faults.append(Fault(source, None, "", str(error)))
                continue
            chosen[key] = values
            if "=" in word or ("sweep", key) not in self.lines:
                self.origin["sweep", key] = source
        self.data["sweep"] = chosen

    # -- one experiment ----------------------------------------------------------------------

    def _check(self, data: dict[str, Any]) -> Experiment | None:
        before = len(self.faults)
        experiment = None
        try:
            experiment = self.schema.model_validate(data, context=self.context)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                loc, message = explain(detail, self.schema)
                if loc == ("model", "kind") and detail["type"] == "literal_error":
                    message = choice(detail["input"], KINDS)
                self.fault(loc, message)
        for loc, message in self.schema.references(data):
            self.fault(loc, message)
        if experiment is not None and len(self.faults) == before:
            for loc, message in experiment.consequences():
                self.fault(loc, message)
        return experiment

    # -- sweeps ------------------------------------------------------------------------------

    def _axes(self, sweep: Any) -> Iterator[tuple[list[str], list[list[float]], Loc]]:
        """Keys that vary together, their values at each point, and the place in the file."""
        if not isinstance(sweep, dict):
            self.fault(("sweep",), f"found {show(sweep)}; allowed: a table of keys and values")
            return
        swept: set[Loc] = set()
        for heading, values in sweep.items():
            loc: Loc = ("sweep", heading)
            keys = [key.strip() for key in heading.split(",")]
            rows = self._values(loc, values, len(keys))
            for key in keys:
                targets = set(self._swept_key(loc, key))
                if targets & swept:
                    self.fault(loc, f"{key} is swept twice")
                swept |= targets
            if rows is not None:
                yield keys, rows, loc

    def _values(self, loc: Loc, values: Any, width: int) -> list[list[float]] | None:
        if isinstance(values, dict) and any(isinstance(v, dict) for v in values.values()):
            self.fault(
                loc, f'found a table of tables; allowed: a quoted key, "{loc[1]}. ..." = ...'
            )
            return None
        allowed = "a list of finite numbers or { start, stop, num }"
        if width > 1:
            numbers = f"{width} finite numbers, one for each key"
            allowed = f"a list of lists of {numbers}, or {{ start, stop, num }} of such lists"
        if isinstance(values, dict):
            try:
                span = Range.model_validate(values)
            except ValidationError as error:
                for detail in error.errors(include_url=False):
                    place, message = explain(detail, Range)
                    self.fault(loc + place, message)
                return None
            if span.num == 1 and span.start != span.stop:
                self.fault(
                    (*loc, "num"), "found 1 for a start and another stop; allowed: at least 2"
                )
                return None
            start, stop = (x if isinstance(x, list) else [x] for x in (span.start, span.stop))
            if len(start) == len(stop) == width:
                rows: list[list[float]] = np.linspace(start, stop, span.num).tolist()
                return rows
        elif isinstance(values, list) and values and len(values) <= MOST_POINTS:
            rows = [row if width > 1 else [row] for row in values]
            if all(
                isinstance(row, list) and len(row) == width and all(map(_is_number, row))
                for row in rows
            ):
                return [[float(x) for x in row] for row in rows]
        self.fault(loc, f"found {show(values)}; allowed: {allowed}, at most {MOST_POINTS} values")
        return None

    def _swept_key(self, loc: Loc, key: str) -> list[Loc]:
        """Places of numbers that may be swept; else none, and a fault is recorded."""
        parts = [
            part
            for part in ("sites", "bonds", "states", "transitions")
            if part in self.schema.model_fields
        ]
        swept = ("model", "drive", "baths", *parts)
        if key.split(".")[0] not in swept:
            close = suggestion(key.split(".")[0], swept)
            self.fault(loc, f"cannot be swept{close}; allowed: numbers of {', '.join(swept)}")
            return []
        try:
            targets = find_all(self.data, key, self.strict)
        except KeyError as error:
            self.fault(loc, error.args[0])
            return []
        return targets if all(self._is_swept(loc, key, target) for target in targets) else []

    def _is_swept(self, loc: Loc, key: str, target: Loc) -> bool:
        """Whether there is a number that may be swept; else a fault is recorded."""
        schema: Any = self.schema
        for depth, part in enumerate(target):
            within = inside(schema, part)
            if within is None:
                self.fault(loc, unknown(schema, part, key_of(self.data, target[: depth + 1])))
                return False
            number, schema = is_number(schema, part), within
        held: Any = self.data
        for part in target:
            held = held.get(part) if isinstance(held, dict) else held and held[part]
        if isinstance(held, dict):
            self.fault(loc, f"{key} holds a table and cannot be swept; a number in it can")
            return False
        if not number:
            self.fault(loc, f"{key} is not a number and cannot be swept")
        return bool(number)

    def _points(
        self,
        plain: dict[str, Any],
        axes: list[tuple[list[str], list[list[float]], Loc]],
        base: Experiment,
    ) -> Iterator[Point]:
        total = int(np.prod([len(rows) for _, rows, _ in axes], dtype=object))
        if total > MOST_POINTS:
            self.fault(("sweep",), f"found {total} points; allowed: at most {MOST_POINTS}")
            return
        parts = len(base.sites) + len(base.bonds)
        if total > 1 and total * parts > MOST_PARTS:
            self.fault(
                ("sweep",),
                f"found {total} points of {parts} sites and bonds; allowed: "
                f"at most {MOST_PARTS} of these in all",
            )
            return
        places = {key: find_all(plain, key, self.strict) for keys, _, _ in axes for key in keys}
        alike = base if base.figure == Figure() else base.model_copy(update={"figure": Figure()})
        if not axes:
            yield Point({}, alike)
            return
        of_drives = any({"drive", "load"} & set(key.split(".")) for key in places)
        for chosen in itertools.product(*(rows for _, rows, _ in axes)):
            parameters = {
                key: x
                for (keys, _, _), row in zip(axes, chosen, strict=True)
                for key, x in zip(keys, row, strict=True)
            }
            changes = [(place, x) for key, x in parameters.items() for place in places[key]]
            before = len(self.faults)
            experiment = self._with_changes(plain, alike, changes)
            if len(self.faults) > before:
                values = ", ".join(f"{key} = {x:g}" for key, x in parameters.items())
                self._blame_sweep(axes, before, values)
                return
            if of_drives and experiment is not None and experiment.labels != base.labels:
                key = next((k for k in parameters if ".drive." in k), next(iter(parameters)))
                loc = next(loc for keys, _, loc in axes if key in keys)
                what = "a swept site needs a drive to begin with: drive = {}"
                if ".drive." not in key:
                    what = "what is driven differs from point to point; allowed: the same drives"
                self.fault(loc, f"{key}: {what}")
                return
            if experiment is not None:
                yield Point(parameters, experiment)

    def _with_changes(
        self, plain: dict[str, Any], base: Experiment, changes: list[tuple[Loc, float]]
    ) -> Experiment | None:
        """The experiment with other numbers; what does not change it shares with `base`.

        Parameters
        ----------
        plain : raw config of `base`
        base : experiment without faults
        changes : places and numbers
        """
        parts: dict[Loc, Any] = {}
        for loc, x in changes:
            name = str(loc[0])
            # One site, bond or bath, or a whole table.
            head = loc[:2] if isinstance(getattr(base, name), list | dict) else loc[:1]
            if head not in parts:
                part = plain[name]
                parts[head] = copy.deepcopy(part[loc[1]] if len(head) == 2 else part)
            put(parts[head], loc[len(head) :], x)
        update: dict[str, Any] = {}
        before = len(self.faults)
        for head, part in parts.items():
            name, key = str(head[0]), head[-1]
            old = getattr(base, name)
            try:
                if len(head) == 2:
                    new = type(old[key]).model_validate(part, context=self.context)
                    update.setdefault(name, copy.copy(old))[key] = new
                else:
                    update[name] = type(old).model_validate(part, context=self.context)
            except ValidationError as error:
                for detail in error.errors(include_url=False):
                    place: Any = {**detail, "loc": (*head, *detail["loc"])}
                    self.fault(*explain(place, self.schema))
        if len(self.faults) > before:
            return None
        experiment = base.model_copy(update=update)
        for loc, message in experiment.numerical_faults():
            self.fault(loc, message)
        return experiment

    def _blame_sweep(
        self, axes: list[tuple[list[str], list[list[float]], Loc]], since: int, values: str
    ) -> None:
        """Move faults of a point to the place of the swept values in [sweep]."""
        for k, fault in enumerate(self.faults[since:], since):
            loc = next((loc for keys, _, loc in axes if fault.key in keys), axes[0][2])
            self.faults[k] = Fault(
                self.source,
                self.lines.get(loc),
                f'sweep."{loc[1]}"',
                f"at {values}: {fault.key}: {fault.message}",
            )


def _of_parts(override: Override) -> bool:
    """Whether an override is of single sites or bonds, which a lattice may bring."""
    key = override if isinstance(override, str) else override[0]
    return key.partition("=")[0].strip().startswith(("sites.", "bonds."))


def _without(data: dict[str, Any], *tables: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in tables}


def _no_inset(config: Config) -> str:
    """Sentence for an inset where a figure does not have two panels."""
    along = f" along {config.axis}" if config.axis else ""
    panels = f"{len(config.panels)} panel{'s' if len(config.panels) > 1 else ''}{along}"
    return f"found true with a sweep of {panels}; allowed: with one of two"


def _toml_value(text: str) -> Any:
    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return read["value"] if len(read) == 1 else text


def _depth(data: Any) -> int:
    """Depth of nested tables and lists, counted to DEEPEST + 1."""
    level, depth = [data], 0
    while level and depth <= DEEPEST:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return depth


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool) and abs(x) < 1e300
