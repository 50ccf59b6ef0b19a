"""Dotted keys such as `sites.2.drive.phase`, and the places they mean in a raw config."""

from typing import Any

from trajsim.config.faults import Loc, listing, suggestion


def find(data: dict[str, Any], key: str) -> Loc:
    """Place of a dotted key in the raw config: sites by name, bonds as "a-b" or counted from 0.

    Raises
    ------
    KeyError
        With a sentence, where a site, a bond or a part of the path does not exist.
    """
    loc: list[str | int] = []
    node: Any = data
    if key.startswith("sweep."):
        return ("sweep", key.removeprefix("sweep."))
    for part in key.split("."):
        step: str | int = part
        if isinstance(node, list):
            names = [_element_name(element, k) for k, element in enumerate(node)]
            if part in names:
                step = names.index(part)
            elif "-".join(reversed(part.split("-"))) in names:
                step = names.index("-".join(reversed(part.split("-"))))
            elif loc != ["sites"] and part.isdecimal() and int(part) < len(node):
                step = int(part)
            else:
                close = suggestion(part, names)
                raise KeyError(
                    f"{'.'.join(map(str, loc))} has no {part!r}{close}; allowed: {listing(names)}"
                )
            node = node[step]
        elif isinstance(node, dict):
            node = node.get(part, {})
        else:
            raise KeyError(f"{'.'.join(map(str, loc))} holds a value, not a table: no key {part!r}")
        loc.append(step)
    return tuple(loc)


def put(data: dict[str, Any], loc: Loc, value: Any) -> None:
    """Set a place found by `find`, making tables on the way."""
    node: Any = data
    for part in loc[:-1]:
        node = node.setdefault(part, {}) if isinstance(node, dict) else node[part]
    node[loc[-1]] = value


def key_of(data: Any, loc: Loc) -> str:
    """A place as the dotted key a user would write."""
    words, node = [], data
    for part in loc:
        inside: Any = None
        if isinstance(node, list) and isinstance(part, int) and part < len(node):
            inside = node[part]
            words.append(_element_name(inside, part))
        else:
            words.append(str(part))
            if isinstance(node, dict):
                inside = node.get(part)
        node = inside
    return ".".join(words)


def _element_name(element: Any, index: int) -> str:
    if isinstance(element, dict):
        if isinstance(element.get("name"), str):
            return str(element["name"])
        ends = element.get("sites")
        if isinstance(ends, list) and len(ends) == 2:
            return f"{ends[0]}-{ends[1]}"
    return str(index)
