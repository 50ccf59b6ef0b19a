"""`<!-- text: ../FILE.md [PART] -->` in a page stands for the text of a file outside of `docs`.

Such texts have one home, at the top of the repository, where people look for them; PART is what
stands there between `<!-- PART -->` and `<!-- /PART -->`. Links are turned so that they lead to the
page here, where there is one.
"""

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parents[1]
ROOT = HERE.parent
MARK = re.compile(r"<!-- text: (\S+)(?: (\w+))? -->")
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def pages() -> dict[Path, str]:
    """Files of which a page has the whole text, and the page."""
    found = {}
    for page in HERE.rglob("*.md"):
        for file, part in MARK.findall(page.read_text(encoding="utf-8")):
            if not part:
                found[(page.parent / file).resolve()] = page.relative_to(HERE).as_posix()
    return found


def turned(text: str, folder: Path, page: Path, known: dict[Path, str]) -> str:
    """A text in whose links, relative to a folder, are made ones of a page."""

    def link(match: re.Match[str]) -> str:
        target = (folder / match[1]).resolve()
        place = known.get(target)
        path = f"/{place}" if place else os.path.relpath(target, page.parent)
        return f"]({path}{match[2] or ''})"

    return LINK.sub(link, text)


def read(app: Sphinx, docname: str, content: list[str]) -> None:
    """Put texts in their places, and turn links, as a page is read."""
    page, known = Path(app.env.doc2path(docname)), pages()

    def text(match: re.Match[str]) -> str:
        file = (page.parent / match[1]).resolve()
        app.env.note_dependency(str(file))
        whole = file.read_text(encoding="utf-8")
        if match[2]:
            whole = whole.split(f"<!-- {match[2]} -->")[1].split(f"<!-- /{match[2]} -->")[0]
        return turned(whole, file.parent, page, known)

    content[0] = MARK.sub(text, turned(content[0], page.parent, page, known))


def setup(app: Sphinx) -> dict[str, bool]:
    """Make it known to Sphinx."""
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
