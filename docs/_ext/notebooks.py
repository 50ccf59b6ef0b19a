"""Figures of notebooks must be shown: where one is only told, the build warns, and so fails."""

from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def look(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Look for what is printed in place of a figure."""
    if "&lt;Figure size" in context.get("body", ""):
        logger.warning("%s: a figure is told of, not shown", page)


def setup(app: Sphinx) -> dict[str, bool]:
    """Make it known to Sphinx."""
    app.connect("html-page-context", look)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
