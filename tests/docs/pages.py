"""The documentation as a reader meets it: pages, blocks, commands, pieces of code in a line."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
    *sorted(p for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts),
]
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.md"))

FENCE = re.compile(r"^ *(`{3,})([^`]*)$")
FILE = re.compile(r"<!-- file: (\S+) -->")
# A command in a plain block may be followed by what it does, set off by spaces.
ASIDE = re.compile(r"\s{2,}\S.*$|\s+#.*$")
PROGRAMS = ("trajsim", "python", "python3", "pytest", ".venv/bin/")


class Block(NamedTuple):
    """A block of code; `file` is what the text says it shall be put into."""

    page: Path
    line: int
    language: str
    text: str
    file: str | None


class Command(NamedTuple):
    """A line for a shell, or Python (`python` is True)."""

    page: Path
    line: int
    text: str
    python: bool = False

    def __str__(self):
        return f"{name_of(self.page)}:{self.line}"


def name_of(page):
    """A page's path from the top of the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(page):
    """Blocks of code of a page."""
    fence, file, begun, gathered = None, None, 0, []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        found = FENCE.match(line)
        if fence is None and found:
            fence, begun, gathered = found, number, []
        elif fence is not None and found and found[1] == fence[1] and not found[2].strip():
            yield Block(page, begun, fence[2].strip(), "\n".join(gathered) + "\n", file)
            fence, file = None, None
        elif fence is not None:
            gathered.append(line)
        elif marked := FILE.search(line):
            file = marked[1]


def prose(page):
    """Numbered lines of a page outside of blocks."""
    inside = None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        found = FENCE.match(line)
        if inside is None and found:
            inside = found[1]
        elif inside is not None and found and found[1] == inside and not found[2].strip():
            inside = None
        elif inside is None:
            yield number, line


def spans(page):
    """Numbered pieces of code within lines."""
    for number, line in prose(page):
        for code in re.findall(r"(?<!`)`([^`]+)`", line):
            yield number, code


def commands(page):
    """What a reader of a page may type, in its order: blocks, and whole commands within lines."""
    found = []
    for block in blocks(page):
        if block.language == "python":
            found.append(Command(page, block.line, block.text, python=True))
        elif block.language in ("", "sh", "bash"):
            for k, line in enumerate(block.text.splitlines(), 1):
                if line.strip().startswith(PROGRAMS):
                    text = ASIDE.sub("", line.strip())
                    found.append(Command(page, block.line + k, text))
    for number, code in spans(page):
        # `trajsim run` alone is the name of a verb.
        if code.startswith(PROGRAMS) and re.search(r"configs/|runs/|tests[/.]|-m ", code):
            found.append(Command(page, number, code))
    return sorted(found, key=lambda command: command.line)
