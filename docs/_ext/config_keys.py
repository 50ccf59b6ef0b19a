"""`{config-keys} KIND`: tables of every key of a config, made from the schema that checks them."""

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from trajsim.config.kinds import experiment_type

# How an entry of each table is written, and those that every kind of model has.
WRITTEN = {
    "": "the top of the file",
    "model": "[model]",
    "drive": "[drive]",
    "baths": "[baths], NAME = { ... }",
    "sites": "[[sites]]",
    "sites.cosine": "cosine = [{ ... }] of a site",
    "waveform": "{ ... } in place of a number",
    "waveform.harmonics": "harmonics = [{ ... }] of a waveform",
    "bonds": "[[bonds]]",
    "lattice": "[lattice]",
    "states": "[[states]]",
    "transitions": "[[transitions]]",
    "integrator": "[integrator]",
    "ensemble": "[ensemble]",
    "ledger": "[ledger]",
    "sweep": '[sweep], "KEY" = { ... } or a list',
    "figure": "[figure]",
}
WORDS = {
    "number": "number",
    "integer": "whole number",
    "string": "text",
    "boolean": "true or false",
    "object": "table",
}


def tables(kind: str) -> Iterator[tuple[str, str, list[tuple[str, ...]]]]:
    """Place, description and rows (key, meaning, type, default, allowed) of each table."""
    whole = experiment_type({"model": {"kind": kind}}).model_json_schema()
    definitions = whole["$defs"]
    waveforms: list[tuple[str, dict[str, Any]]] = []

    def walk(place: str, schema: dict[str, Any]) -> Iterator[Any]:
        rows, inner = [], []
        for key, given in schema["properties"].items():
            number, waveform = _parameter(given)
            below = definitions["Waveform"] if waveform else _below(given, definitions)
            if waveform:
                given = {**number, "description": _meaning(given)}
                if not waveforms:
                    waveforms.append(("waveform", below))
            elif below is not None:
                inner.append((f"{place}.{key}".lstrip("."), below))
                continue
            default = "required" if key in schema.get("required", []) else _shown(given)
            kind = "number or waveform" if waveform else _type(given)
            rows.append((key, _meaning(given), kind, default, _allowed(given)))
        if rows:
            yield place, schema.get("description", "") if place else "", rows
        for where, found in inner:
            yield from walk(where, found)

    yield from walk("", whole)
    for place, below in waveforms:
        yield from walk(place, below)


def _parameter(given: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Schema of the number that a key may hold, and whether a waveform may stand in its place."""
    choices = [given, *given.get("anyOf", [])]
    choices += [each for choice in choices for each in choice.get("oneOf", [])]
    waveform = any(each.get("$ref", "").endswith("/Waveform") for each in choices)
    return next((each for each in choices if each.get("type") == "number"), {}), waveform


def _below(given: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any] | None:
    """Schema of the table that a key holds, or of each table in what it holds; None if neither."""
    if "$ref" in given:
        return dict(definitions[given["$ref"].rpartition("/")[2]])
    inside = [given.get("items"), given.get("additionalProperties"), *given.get("anyOf", [])]
    inside += list(given.get("patternProperties", {}).values())
    found = (_below(each, definitions) for each in inside if isinstance(each, dict))
    return next(filter(None, found), None)


def _meaning(given: dict[str, Any]) -> str:
    return str(given.get("description", ""))


def _type(given: dict[str, Any]) -> str:
    if "const" in given or "enum" in given:
        return "text"
    if choices := _choices(given):
        return " or ".join(dict.fromkeys(map(_type, choices)))
    if given.get("type") == "array":
        return f"list of {_type(given['items'])}s"
    return WORDS[given["type"]]


def _choices(given: dict[str, Any]) -> list[dict[str, Any]]:
    """What a value may be, where there are several kinds, without null."""
    choices = given.get("anyOf", given.get("oneOf", []))
    return [each for each in choices if each.get("type") != "null"]


def _shown(given: dict[str, Any]) -> str:
    default = given.get("default")
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return "none" if default in (None, "") else f"`{default!r}`".replace("'", '"')


def _allowed(given: dict[str, Any]) -> str:
    if "const" in given:
        return f'`"{given["const"]}"`'
    if "enum" in given:
        return ", ".join(f'`"{each}"`' for each in given["enum"])
    if choices := _choices(given):
        return _allowed(choices[0])
    if "minItems" in given and given["minItems"] == given.get("maxItems"):
        return f"{given['minItems']} of them"
    if "items" in given:
        return _allowed(given["items"])
    words = []
    for sign, name in ((">", "exclusiveMinimum"), ("≥", "minimum"), ("≤", "maximum")):
        if name in given:
            words.append(f"{sign} {given[name]:g}")
    if "maxLength" in given:
        words.append(f"at most {given['maxLength']} letters")
    if "pattern" in given and "1,64" in given["pattern"]:
        words.append("letters, digits, `_`, `+` and `-`; at most 64")
    return ", ".join(words)


class ConfigKeys(SphinxDirective):
    """The tables of one kind of model."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write them as Markdown and let that be read."""
        lines = []
        for place, words, rows in tables(self.arguments[0]):
            lines += [f"**`{WRITTEN[place]}`** {words}" if place else f"At {WRITTEN[place]}:", ""]
            lines += ["| key | | type | default | allowed |", "|---|---|---|---|---|"]
            lines += [f"| `{key}` | {' | '.join(rest)} |" for key, *rest in rows]
            lines.append("")
        box = nodes.container()
        self.state.nested_parse(StringList(lines, self.get_source_info()[0]), 0, box)
        return box.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Make it known to Sphinx."""
    app.add_directive("config-keys", ConfigKeys)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
