"""Docstrings as they are written here, made what napoleon reads: `name : what it is`."""

import re
from typing import Any

from sphinx.application import Sphinx

ENTRY = re.compile(r"^(\s*)([*\w][\w, ]*) : (.+)$")
CODE = re.compile(r"(?<![`:\w])`([^`<>]+)`(?![`_])")


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Put what stands after a parameter's name below it, where napoleon looks for descriptions."""
    made: list[str] = []
    section, depth = "", 0
    for k, line in enumerate(lines):
        following = lines[k + 1] if k + 1 < len(lines) else ""
        if set(following.strip()) == {"-"}:
            section, depth = line.strip(), len(line) - len(line.lstrip())
        line = CODE.sub(r"``\1``", line)
        entry = ENTRY.match(line)
        if section in ("Parameters", "Attributes") and entry and len(entry[1]) == depth:
            made += [entry[1] + entry[2], f"{entry[1]}    {entry[3]}"]
        else:
            made.append(line)
    lines[:] = made


def setup(app: Sphinx) -> dict[str, bool]:
    """Make it known to Sphinx, before napoleon's turn at 500."""
    app.connect("autodoc-process-docstring", process, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
