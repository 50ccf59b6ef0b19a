"""Dotted keys such as `sites.2.drive.phase`, and their places in a raw config."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from trajsim.config.faults import LONGEST_WORD, Loc, cut, listing, show, suggestion


def find(data: dict[str, Any], key: str, strict: bool = True) -> Loc:
    """Place of a dotted key in the raw config: sites by name, bonds as "a-b" or counted from 0.

    States as sites and transitions as bonds; two of one pair of states by number alone.

    Parameters
    ----------
    data : raw config
    key : such as "sites.2.drive.phase"
    strict : refuse a key that may mean either of two bonds; else it means the first

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
            matches = [k for k, known in enumerate(names) if part in known]
            if not matches:
                first = [known[0] for known in names]
                where = f"{key_of(data, tuple(loc))} has no".strip()
                raise KeyError(
                    f"{where} {show(part)}{suggestion(part, first)}; allowed: {listing(first)}"
                )
            if strict:
                _refuse_two(node, matches, _dotted([*loc, part]))
            step = matches[0]
            node = node[step]
        elif isinstance(node, dict):
            node = node.get(part, {})
        else:
            where = key_of(data, tuple(loc))
            raise KeyError(f"{where} holds a value, not a table: no key {show(part)}")
        loc.append(step)
    return tuple(loc)


def find_all(data: dict[str, Any], key: str, strict: bool = True) -> list[Loc]:
    """Places of a dotted key, in which * stands for any part of a name: `sites.0_*.bath`.

    Parameters
    ----------
    data : raw config
    key : such as "bonds.*.coupling"
    strict : as for `find`

    Raises
    ------
    KeyError
        With a sentence, where a part of the path does not exist or nothing has such a name.
    """
    if "*" not in key or key.startswith("sweep."):
        return [find(data, key, strict)]
    parts = key.split(".")
    star = next(k for k, part in enumerate(parts) if "*" in part)
    if star == 0:
        raise KeyError(f"no table {show(parts[0])}; allowed: * in names, as in bonds.*.coupling")
    before = find(data, ".".join(parts[:star]), strict)
    node: Any = data
    for step in before:
        node = node.get(step, {}) if isinstance(node, dict) else node[int(step)]
    names = [name for name, _ in _entries(node)]
    matches = [step for name, step in _entries(node) if fnmatchcase(name, parts[star])]
    if not matches:
        where = ".".join(parts[:star])
        raise KeyError(f"{where} has no {show(parts[star])}; allowed: {listing(names)}")
    locs: list[Loc] = []
    for step in matches:
        within = node[step]
        rest = parts[star + 1 :]
        if rest and not isinstance(within, dict | list):
            raise KeyError(f"{_dotted([*before, step])} holds a value, not a table")
        try:
            inner = find_all(within, ".".join(rest), strict) if rest else [()]
        except KeyError as error:
            raise KeyError(f"{key_of(data, (*before, step))}: {error.args[0]}") from None
        locs += [(*before, step, *loc) for loc in inner]
    return locs


def _entries(node: Any) -> Iterator[tuple[str, str | int]]:
    """Names of what a table or a list holds, and the key or index of each."""
    if isinstance(node, dict):
        yield from ((str(key), key) for key in node)
    elif isinstance(node, list):
        yield from ((_element_names(element, k)[0], k) for k, element in enumerate(node))


def _refuse_two(node: list[Any], hits: list[int], key: str) -> None:
    """Refuse a key of bonds between different sites: "a-b-c" of a-b with c, and of a with b-c."""
    pairs = {
        (*sorted(map(str, ends)), str(node[k].get("bath"))): k
        for k in reversed(hits)
        if (ends := _ends(node[k]))
    }
    if len(pairs) > 1:
        kind = key.split(".")[0]
        candidates = " or ".join(
            f"{kind}.{k} (from {show(_ends(node[k])[0])} to {show(_ends(node[k])[1])}"
            + (f" by {show(node[k]['bath'])})" if "bath" in node[k] else ")")
            for k in sorted(pairs.values())
        )
        raise KeyError(f"{key} may mean {candidates}; allowed: the {kind[:-1]}'s number")


def _dotted(loc: Sequence[str | int]) -> str:
    return cut(".".join(map(str, loc)), 2 * LONGEST_WORD)


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
        child: Any = None
        if isinstance(node, list) and isinstance(part, int) and part < len(node):
            child = node[part]
            words.append(_unique_name(node, part))
        else:
            words.append(str(part))
            if isinstance(node, dict):
                child = node.get(part)
        node = child
    key = ".".join(words)
    return key if len(key) <= 2 * LONGEST_WORD else f"{key[:LONGEST_WORD]}..."


def _unique_name(elements: list[Any], index: int) -> str:
    """First name of an element, or its number where another bond has that name, too."""
    name, ends = _element_names(elements[index], index)[0], _ends(elements[index])
    parallel = "states" in elements[index] if ends else False
    if ends and (parallel or name.count("-") > 1):
        for k, other in enumerate(elements):
            differs = set(_ends(other) or ends) != set(ends) or (parallel and k != index)
            if differs and name in _element_names(other, k):
                return str(index)
    return name


def _ends(element: Any) -> Any:
    """Names of the two ends of a bond, or states of a transition; None of anything else."""
    ends = element.get("sites", element.get("states")) if isinstance(element, dict) else None
    valid = isinstance(ends, list) and len(ends) == 2 and all(isinstance(e, str) for e in ends)
    return ends if valid else None


def _element_names(element: Any, index: int) -> list[str]:
    """Names of an element of a list: a site's own, a bond's from either end, then its number."""
    if isinstance(element, dict):
        if isinstance(element.get("name"), str):
            return [element["name"]]
        ends = element.get("sites", element.get("states"))
        if isinstance(ends, list) and len(ends) == 2:
            one, two = (end if isinstance(end, str) else show(end) for end in ends)
            return [f"{one}-{two}", f"{two}-{one}", str(index)]
    return [str(index)]
