"""Equations as MathML, which browsers draw by themselves: no script, no font from elsewhere."""

import re
from html import escape

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

ACCENT = re.compile(r"(\\(?:dot|ddot|bar|tilde|hat)(?:\{\w\}|\\[A-Za-z]+| \w))")
DIGITS = re.compile(r"(\\[td]?frac)(\d)(\d)")

logger = logging.getLogger(__name__)


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write an equation of the text."""
    self.body.append(_mathml(node, node.astext()))
    raise nodes.SkipNode


def block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write an equation of its own line, with its number where it has one."""
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(_mathml(node, node.astext(), as_block=True))
    self.body.append("</div>\n")
    raise nodes.SkipNode


def _mathml(node: nodes.Node, tex: str, as_block: bool = False) -> str:
    # An index of a letter with an accent belongs beside it, not below the accent.
    tex = ACCENT.sub(r"{\1{}}", tex.strip())
    # To TeX these are two arguments, to docutils one number.
    tex = DIGITS.sub(r"\1{\2}{\3}", tex)
    if r"\\" in tex and r"\begin{" not in tex:
        tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    try:
        found = str(tex2mathml(tex, as_block=as_block))
    except MathError as error:
        logger.warning("%s in %s", error, tex, location=node)
        return f"<code>{escape(tex)}</code>"
    # Where there is no font for mathematics, browsers draw accents into the letter.
    return found.replace(' accent="true"', "")


def setup(app: Sphinx) -> dict[str, bool]:
    """Make it known to Sphinx."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
