"""Dotted keys such as `sites.2.drive.phase`, and the places they mean in a raw config."""

from typing import Any

from trajsim.config.faults import LONGEST_WORD, Loc, listing, show, suggestion


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
        if not isinstance(data.get("sweep", {}), dict):
            raise KeyError("sweep holds a value, not a table")
        return ("sweep", key.removeprefix("sweep."))
    for part in key.split("."):
        step: str | int = part
        if isinstance(node, list):
            names = [_element_names(element, k) for k, element in enumerate(node)]
            found = [k for k, known in enumerate(names) if part in known]
            if not found:
                first = [known[0] for known in names]
                raise KeyError(
                    f"{'.'.join(map(str, loc))} has no {show(part)}{suggestion(part, first)}; "
                    f"allowed: {listing(first)}"
                )
            step = found[0]
            node = node[step]
        elif isinstance(node, dict):
            node = node.get(part, {})
        else:
            raise KeyError(
                f"{'.'.join(map(str, loc))} holds a value, not a table: no key {show(part)}"
            )
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
            words.append(_element_names(inside, part)[0])
        else:
            words.append(str(part))
            if isinstance(node, dict):
                inside = node.get(part)
        node = inside
    key = ".".join(words)
    return key if len(key) <= 2 * LONGEST_WORD else f"{key[:LONGEST_WORD]}..."


def _element_names(element: Any, index: int) -> list[str]:
    """Names of an element of a list: a site's own, a bond's from either end, then its number."""
    if isinstance(element, dict):
        if isinstance(element.get("name"), str):
            return [element["name"]]
        ends = element.get("sites")
        if isinstance(ends, list) and len(ends) == 2:
            one, two = (end if isinstance(end, str) else show(end) for end in ends)
            return [f"{one}-{two}", f"{two}-{one}", str(index)]
    return [str(index)]
