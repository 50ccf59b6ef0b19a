"""Line numbers of the keys of a TOML file, which the standard library's parser does not give."""

import bisect
import re
import tomllib

from trajsim.errors import TrajsimError

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_STRINGS = (
    re.compile(r'"""(?:\\.|[^\\])*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:\\.|[^"\\\n])*"'),
    re.compile(r"'[^'\n]*'"),
)


class TooDeepError(TrajsimError, ValueError):
    """A text with too deeply nested tables and lists."""


def key_lines(text: str, deepest: int = 100) -> dict[Path, int]:
    """Line, counted from 1, of every table, key and array element of a valid TOML text.

    Raises
    ------
    TooDeepError
        If a place has more than `deepest` parts, for which the standard library's parser would take
        too long.
    ValueError
        If the text is not valid; of some texts that are not, lines are given.
    """
    try:
        return _Scanner(text, deepest).lines
    except IndexError:
        raise ValueError("the text ends too early") from None


class _Scanner:
    def __init__(self, text: str, deepest: int) -> None:
        self.text, self.deepest = text, deepest
        self.at = 0
        self.lines: dict[Path, int] = {}
        self._newlines = [m.start() for m in re.finditer("\n", text)]
        self._table_arrays: dict[Path, int] = {}
        self._document()

    def _document(self) -> None:
        table: Path = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Path:
        line, double = self._line(), self.text.startswith("[[", self.at)
        self.at += 1 + double
        path = self._resolve(self._key())
        for depth in range(1, len(path)):
            self.lines.setdefault(path[:depth], line)
        self.at = self.text.index("]", self.at) + 1 + double
        if double:
            self._table_arrays[path] = self._table_arrays.get(path, 0) + 1
            self.lines.setdefault(path, line)
            path = (*path, self._table_arrays[path] - 1)
        self.lines.setdefault(path, line)
        return path

    def _resolve(self, keys: list[str]) -> Path:
        """[a.b] under [[a]] means the last element of a."""
        path: Path = ()
        for k, key in enumerate(keys):
            path = (*path, key)
            if path in self._table_arrays and k < len(keys) - 1:
                path = (*path, self._table_arrays[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        line, path = self._line(), table
        for key in self._key():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.at = self.text.index("=", self.at) + 1
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        keys: list[str] = []
        while True:
            if len(keys) > self.deepest:
                raise TooDeepError
            self._skip(_SPACE)
            if self.text[self.at] in "\"'":
                keys.append(tomllib.loads(f"key = {self._string()}")["key"])
            else:
                keys.append(self._skip(_BARE_KEY))
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return keys
            self.at += 1

    def _value(self, path: Path) -> None:
        if len(path) > self.deepest:
            raise TooDeepError
        opening = self.text[self.at]
        if opening in "\"'":
            self._string()
        elif opening in "[{":
            closing = "]" if opening == "[" else "}"
            self.at += 1
            index = 0
            while True:
                self._skip(_BLANK)
                if self.text.startswith(closing, self.at):
                    break
                if opening == "{":
                    self._pair(path)
                else:
                    self.lines[(*path, index)] = self._line()
                    self._value((*path, index))
                    index += 1
                self._skip(_BLANK)
                if self.text.startswith(",", self.at):
                    self.at += 1
                elif not self.text.startswith(closing, self.at):
                    raise ValueError(f"unexpected text at {self.at}")
            self.at += 1
        else:
            self._skip(_SCALAR)

    def _string(self) -> str:
        for pattern in _STRINGS:
            if pattern.match(self.text, self.at):
                return self._skip(pattern)
        raise ValueError(f"no string at {self.at}")

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise ValueError(f"unexpected text at {self.at}")
        self.at = match.end()
        return match.group()

    def _line(self) -> int:
        return bisect.bisect_left(self._newlines, self.at) + 1
