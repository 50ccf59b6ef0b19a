"""Every key of a TOML text is found on the line where it stands."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajsim.config.toml_lines import key_lines

HAND_MADE = {
    "comments and blank lines": (
        "# a = 1\n\na = 1 # b = 2\n   \n\tb = 2\n#\n",
        {("a",): 3, ("b",): 5},
    ),
    "strings over several lines hide what looks like TOML": (
        'a = """\n[b]\nc = 1 # no\n"""\nd = \'\'\'\ne = """\n\'\'\'\nf = 1\n',
        {("a",): 1, ("d",): 5, ("f",): 8},
    ),
    "quotes at the end of a string over several lines": (
        'a = """x"""""\nb = \'\'\'y\'\'\'\'\nc = ""\nd = \'\'\ne = """"""\nf = 1\n',
        {("a",): 1, ("b",): 2, ("c",): 3, ("d",): 4, ("e",): 5, ("f",): 6},
    ),
    "escaped quotes and backslashes": (
        'a = "\\"\\\\"\nb = """\\"""\n\\\\"""\nc = \'\\\'\nd = 1\n',
        {("a",): 1, ("b",): 2, ("c",): 4, ("d",): 5},
    ),
    "brackets, hashes and commas in strings": (
        'a = ["]", "#", ",", \'}\']\nb = { c = "}#,", d = "=" }\ne = 1\n',
        {
            ("a",): 1,
            **{("a", k): 1 for k in range(4)},
            ("b",): 2,
            ("b", "c"): 2,
            ("b", "d"): 2,
            ("e",): 3,
        },
    ),
    "arrays over several lines": (
        "a = [ # ]\n  1,\n\n  [2,\n   3], # [\n  { b = 4,\n    c = [\n5] },\n]\nd = 1\n".replace(
            "4,\n    c", "4, c"
        ),
        {
            ("a",): 1,
            ("a", 0): 2,
            ("a", 1): 4,
            ("a", 1, 0): 4,
            ("a", 1, 1): 5,
            ("a", 2): 6,
            ("a", 2, "b"): 6,
            ("a", 2, "c"): 6,
            ("a", 2, "c", 0): 7,
            ("d",): 9,
        },
    ),
    "empty arrays and tables": (
        "a = []\nb = {}\nc = [\n]\nd = [ {}, [] ]\n",
        {("a",): 1, ("b",): 2, ("c",): 3, ("d",): 5, ("d", 0): 5, ("d", 1): 5},
    ),
    "dotted keys": (
        "a.b.c = 1\na . b . d = 2\n[e]\nf.g = 3\n",
        {
            ("a",): 1,
            ("a", "b"): 1,
            ("a", "b", "c"): 1,
            ("a", "b", "d"): 2,
            ("e",): 3,
            ("e", "f"): 4,
            ("e", "f", "g"): 4,
        },
    ),
    "quoted keys": (
        '"a.b" = 1\n\'c]\' = 2\n"" = 3\n["d # ]".\'e = \']\n"=" . f = 4\n',
        {
            ("a.b",): 1,
            ("c]",): 2,
            ("",): 3,
            ("d # ]", "e = "): 4,
            ("d # ]", "e = ", "="): 5,
            ("d # ]", "e = ", "=", "f"): 5,
        },
    ),
    "tables within elements of an array of tables": (
        "[[a]]\nx = 1\n[a.b]\ny = 2\n[[a]]\n[a.b]\ny = 3\n"
        "[[a.c]]\nz = 4\n[[a.c]]\nz = 5\n[a.c.d]\n",
        {
            ("a",): 1,
            ("a", 0): 1,
            ("a", 0, "x"): 2,
            ("a", 0, "b"): 3,
            ("a", 0, "b", "y"): 4,
            ("a", 1): 5,
            ("a", 1, "b"): 6,
            ("a", 1, "b", "y"): 7,
            ("a", 1, "c"): 8,
            ("a", 1, "c", 0): 8,
            ("a", 1, "c", 0, "z"): 9,
            ("a", 1, "c", 1): 10,
            ("a", 1, "c", 1, "z"): 11,
            ("a", 1, "c", 1, "d"): 12,
        },
    ),
    "blanks in headers": (
        "[ a ]\nb = 1\n[[ c ]] # [d]\n[\te . f\t]\n",
        {("a",): 1, ("a", "b"): 2, ("c",): 3, ("c", 0): 3, ("e", "f"): 4},
    ),
    "numbers, dates and times": (
        "a = -1_000\nb = 1.5e-3\nc = inf\nd = 1979-05-27 07:32:00Z\n"
        "e = [07:32:00, +nan]\nf = 0xF\n",
        {
            ("a",): 1,
            ("b",): 2,
            ("c",): 3,
            ("d",): 4,
            ("e",): 5,
            ("e", 0): 5,
            ("e", 1): 5,
            ("f",): 6,
        },
    ),
    "no newline at the end": ("a = 1\nb = [2]", {("a",): 1, ("b",): 2, ("b", 0): 2}),
    "nothing at all": ("", {}),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(("text", "lines"), HAND_MADE.values(), ids=HAND_MADE)
def test_keys_of_hand_made_files_stand_on_the_right_lines(text, lines, newline):
    text = text.replace("\n", newline)
    tomllib.loads(text)
    found = key_lines(text)
    assert {path: found.get(path) for path in lines} == lines


def test_escapes_in_quoted_keys_are_read_as_toml_reads_them():
    text = 'a = 1\n"r\\u0061te" = 2\n"x\\ty" = 3\n'
    assert tomllib.loads(text) == {"a": 1, "rate": 2, "x\ty": 3}
    assert key_lines(text) == {("a",): 1, ("rate",): 2, ("x\ty",): 3}


def test_a_table_met_only_on_the_way_stands_on_the_header_that_names_it():
    found = key_lines("\n[a.b.c]\nx = 1\n[a.d]\n")
    assert (found.get(("a",)), found.get(("a", "b"))) == (2, 2)


class Writer:
    """A TOML text written piece by piece, with the line of every path noted as it is written."""

    def __init__(self, draw):
        self.draw = draw
        self.text = ""
        self.lines = {}
        self.names = 0

    def note(self, path):
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def choose(self, *options):
        return self.draw(st.sampled_from(options))

    def blank(self, multiline):
        """Space, and where TOML allows it newlines and comments that look like TOML."""
        inline = ["", " ", "\t"]
        self.text += self.choose(
            *inline, *(["\n", " # [x] = 'y' \"\n", "\n\n\t"] if multiline else [])
        )

    def key(self):
        """One new part of a key, as TOML writes it and as it is meant."""
        self.names += 1
        name = f"k{self.names}"
        quote = self.choose("", '"', "'")
        meant = name + (self.choose("", ".x", " = ", "#", "]", "[[", ", }") if quote else "")
        return quote + meant + quote, meant

    def pair(self, path, depth, multiline=True):
        parts = [self.key() for _ in range(self.choose(1, 1, 1, 2, 3))]
        for k, _ in enumerate(parts):
            self.note((*path, *(meant for _, meant in parts[: k + 1])))
        self.text += self.choose(".", " . ").join(written for written, _ in parts)
        self.text += self.choose("=", " = ")
        self.value((*path, *(meant for _, meant in parts)), depth, multiline)

    def value(self, path, depth, multiline=True):
        kind = self.choose("scalar", "scalar", "long", "array", "table") if depth else "scalar"
        if kind == "scalar":
            scalars = "1", "-2.5e3", "true", '"]#,}"', "'= ['", '"\\""', "1979-05-27", "inf", '""'
            self.text += self.choose(*scalars)
        elif kind == "long":
            quotes = self.choose('"""', "'''")
            lines = st.text(alphabet="ab[]{}#=,. \t", max_size=6)
            self.text += quotes + "\n".join(self.draw(st.lists(lines, max_size=4))) + quotes
        elif kind == "array":
            self.text += "["
            for k in range(self.choose(0, 1, 2, 3)):
                self.text += "," if k else ""
                self.blank(True)
                self.note((*path, k))
                self.value((*path, k), depth - 1)
                self.blank(True)
            self.text += "]"
        else:
            self.text += "{"
            for k in range(self.choose(0, 1, 2, 3)):
                self.text += "," if k else ""
                self.blank(False)
                self.pair(path, depth - 1)
                self.blank(False)
            self.text += "}"

    def pairs(self, path):
        for _ in range(self.choose(0, 1, 2, 3)):
            self.blank(True)
            self.pair(path, 2)
            self.text += self.choose("\n", " \n", " # a = [\n")

    def document(self):
        self.pairs(())
        for _ in range(self.choose(0, 1, 2, 3)):
            written, meant = self.key()
            path = (meant,)
            if self.choose(True, False):
                self.header(path, f"[{written}]")
                continue
            for k in range(self.choose(1, 2)):
                self.note(path)
                self.header((*path, k), f"[[{written}]]")
                if self.choose(True, False):
                    inner_written, inner = self.key()
                    self.header((*path, k, inner), f"[{written}.{inner_written}]")
        return self.text, self.lines

    def header(self, path, written):
        self.note(path)
        self.text += written + self.choose("\n", " # ]\n")
        self.pairs(path)


@st.composite
def documents(draw):
    return Writer(draw).document()


@given(documents(), st.sampled_from(["\n", "\r\n"]))
def test_keys_of_generated_files_stand_on_the_lines_they_were_written_on(document, newline):
    text, lines = document
    text = text.replace("\n", newline)
    assert set(paths(tomllib.loads(text))) <= set(lines)
    assert key_lines(text) == lines


def paths(node, at=()):
    """Every key and array element of a parsed TOML text."""
    inside = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in inside:
        yield (*at, key)
        if isinstance(value, dict | list):
            yield from paths(value, (*at, key))
