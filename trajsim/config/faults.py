"""Faults of a config in words: place, value found, values allowed, and a similar word."""

import difflib
import re
import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from trajsim.errors import TrajsimError

Loc = tuple[str | int, ...]

# pydantic's type of a fault whose message says what is allowed.
NOT_ALLOWED = "not_allowed"

# Length of words above which they are not compared with allowed ones, and are truncated.
LONGEST_WORD = 100
# Length above which sentences are truncated.
LONGEST_SENTENCE = 500
# Number of allowed words above which no similar one is looked for.
MOST_COMPARED = 200


class Fault(NamedTuple):
    """One fault: its place and message."""

    source: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigError(TrajsimError, ValueError):
    """A config that cannot be used; `faults` lists all its faults."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        short = {f._replace(key=cut(f.key), message=cut(f.message)) for f in faults}
        self.faults = sorted(short, key=lambda f: (f.line or 0, f.key, f.message))
        super().__init__("\n".join(map(str, self.faults)))


def explain(detail: Any, schema: Any) -> tuple[Loc, str]:
    """Place and sentence for one fault that pydantic found."""
    # pydantic tells which of several kinds of value it took a value for.
    loc = tuple(part for part in detail["loc"] if not str(part).startswith("<"))
    if loc[-1:] == ("[key]",) and detail["type"] in ("string_pattern_mismatch", NOT_ALLOWED):
        loc = loc[:-1]  # pydantic's mark for the name of a table, not its value
    kind, context, given = detail["type"], detail.get("ctx", {}), show(detail["input"])
    owner = schema
    for part in loc[:-1]:
        owner = inside(owner, part)
    if kind == "extra_forbidden":
        return loc, unknown(owner, loc[-1])
    if kind == NOT_ALLOWED:
        return loc, f"found {given}; allowed: {context['words']}"
    if kind == "missing":
        return loc, "missing"
    if kind == "literal_error":
        expected = [word.strip("'") for word in re.split(", | or ", context["expected"])]
        return loc, choice(detail["input"], expected)
    return loc, f"found {given}; allowed: {_allowed(kind, context, owner, loc)}"


def _allowed(kind: str, context: dict[str, Any], schema: Any, loc: Loc) -> str:
    if kind.startswith(("int", "float", "finite", "greater", "less")):
        field = getattr(schema, "model_fields", {}).get(loc[-1])
        integer = field is not None and field.annotation is int
        limits = " and ".join(_limits(field) if field else [])
        noun = f"{'an integer' if integer else 'a finite number'} {limits}".strip()
        table = field is not None and hasattr(_bare(field.annotation), "model_fields")
        return f"{noun}, or a table" if table else noun
    if kind == "string_pattern_mismatch" and loc == ("title",):
        return "a text without NUL"
    if kind == "string_pattern_mismatch":
        return "a name of letters, digits, _, + and -, at most 64 of them"
    nouns = {
        "string": "a text",
        "list": "a list",
        "dict": "a table",
        "model": "a table",
        "bool": "true or false",
    }
    if kind == "too_short":
        return f"at least {context['min_length']} entries"
    if kind == "too_long":
        return f"at most {context['max_length']} entries"
    return nouns.get(kind.split("_")[0], kind.replace("_", " "))


def _limits(field: Any) -> Iterator[str]:
    """Limits of a number, or of one that may stand in place of a table."""
    parts = [*field.metadata]
    kinds = [field.annotation]
    while kinds:
        kind = kinds.pop()
        if get_origin(kind) is Annotated:
            parts += [m for mark in get_args(kind)[1:] for m in getattr(mark, "metadata", [mark])]
        kinds += [k for k in get_args(kind) if get_origin(k) is not None]
    for limit in parts:
        for name, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<=")):
            if hasattr(limit, name):
                yield f"{sign} {getattr(limit, name):g}"


def is_number(schema: Any, key: str | int) -> bool:
    """Whether a key of a schema may hold a number."""
    kinds = [inside(schema, key)]
    field = getattr(schema, "model_fields", {}).get(key)
    if field is not None:
        kinds = [field.annotation]
    while kinds:
        kind = kinds.pop()
        if kind is float:
            return True
        if get_origin(kind) in (Annotated, Union, types.UnionType):
            kinds += get_args(kind)
    return False


def choice(given: Any, allowed: Iterable[str]) -> str:
    """Sentence for a word that is none of those allowed."""
    allowed = list(allowed)
    words = ", ".join(map(repr, allowed))
    return f"found {show(given)}{suggestion(given, allowed)}; allowed: {words}"


def unknown(schema: Any, key: str | int, shown: str = "") -> str:
    """Sentence for a key that a schema does not have."""
    fields = list(getattr(schema, "model_fields", {}))
    what = f"unknown key {shown!r}" if shown else "unknown key"
    return f"{what}{suggestion(str(key), fields)}; allowed: {listing(fields)}"


def inside(schema: Any, key: str | int) -> Any:
    """Schema of a key within a schema, or None."""
    if get_origin(schema) is list and isinstance(key, int):
        return _bare(get_args(schema)[0])
    if get_origin(schema) is dict:
        return _bare(get_args(schema)[1])
    field = getattr(schema, "model_fields", {}).get(key)
    return None if field is None else _bare(field.annotation)


def _bare(annotation: Any) -> Any:
    """An annotation without its limits and without `| None`."""
    while get_origin(annotation) in (Annotated, Union, types.UnionType):
        annotation = get_args(annotation)[0]
    return annotation


def suggestion(word: Any, candidates: Iterable[str]) -> str:
    """Remark with the most similar known word, or an empty text."""
    candidates = list(candidates)
    if not isinstance(word, str) or len(word) > LONGEST_WORD or len(candidates) > MOST_COMPARED:
        return ""
    close = difflib.get_close_matches(word, candidates, n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def listing(names: list[str]) -> str:
    """Names one after the other, the first twenty of them."""
    cut = [n if len(n) <= LONGEST_WORD else f"{n[:LONGEST_WORD]}..." for n in names[:20]]
    shown = ", ".join(cut) if names else "none"
    return shown + (", ..." if len(names) > 20 else "")


def cut(text: str, most: int = LONGEST_SENTENCE) -> str:
    """A text, of which no more than so many characters are shown."""
    if len(text) <= most:
        return text
    return f"{text[:most]}... ({len(text) - most} more characters)"


def show(value: Any) -> str:
    """A value found in a config, cut to a readable length."""
    try:
        text = str(value).lower() if isinstance(value, bool) else repr(value)
    except (RecursionError, ValueError):
        return f"{type(value).__name__} too large to show"
    return text if len(text) <= 60 else text[:57] + "..."
