"""Plugins: rate laws and models of users, by name.

Code of plugins is run only if the user of this machine requested it: by registering it in Python,
by naming its file or module by `--plugin` or in TRAJSIM_PLUGINS, or by installing a package with an
entry point. Names in configs and runs are looked up, never imported.

Parts: `Registry`, of laws and models by name; entry points, for installed packages; `request`, for
files; `Missing`, so that runs of others can be read without their code; `Origin` and `differences`,
which compare the code that a run was made with.
"""

import importlib
import importlib.util
import itertools
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from trajsim.errors import TrajsimError
from trajsim.extending.sources import code_digest, digest_of

ENVIRONMENT = "TRAJSIM_PLUGINS"
NAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,63}")


class PluginError(TrajsimError, ValueError):
    """A plugin that cannot be used; the message says why."""


class Missing(NamedTuple):
    """Placeholder of a network whose plugin is missing."""

    reason: str


class Origin(NamedTuple):
    """Origin of a registered law or model.

    module and version : of it or, of an entry point, of the installed package
    sha256 : of its sources (`extending.sources.digest_of`), or of its code where it has none
    """

    module: str
    version: str
    sha256: str


class Registry(Mapping[str, Any]):
    """Objects of one kind by name: those shipped, and those registered by plugins.

    Parameters
    ----------
    group : of entry points of more of them
    noun : name of the kind, for messages
    shipped : by name
    accept : called with a name and an object to register; raises PluginError if it is invalid
    code : function of an object that returns its module and its functions, by which it is
        identified if it has no source
    """

    def __init__(
        self,
        group: str,
        noun: str,
        shipped: Mapping[str, Any],
        accept: Callable[[str, Any], None],
        code: Callable[[Any], tuple[str, list[Any]]],
    ) -> None:
        self.group, self.noun, self.shipped = group, noun, dict(shipped)
        self._accept, self._code = accept, code
        self._registered: dict[str, Any] = {}
        self._packages: dict[str, str] = {}

    def register(self, name: str, thing: Any, package: str = "") -> None:
        """Add an object, or replace one that a plugin registered.

        Raises
        ------
        PluginError
            If the name is invalid or a shipped one's, or the object is invalid.
        """
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise PluginError(
                f"found {name!r} as the name of a {self.noun}; allowed: letters, digits, "
                "_ . + and -, at most 64 of them"
            )
        if name in self.shipped:
            raise PluginError(f"{name!r} is a {self.noun} of trajsim's own; choose another name")
        self._accept(name, thing)
        self._registered[name] = thing
        self._packages[name] = package

    def __getitem__(self, name: str) -> Any:
        if name in self.shipped:
            return self.shipped[name]
        load_requested()
        if name not in self._registered and name in (announced := self._announced()):
            entry = announced[name]
            package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else ""
            with _errors_of(f"{self.noun} {name!r} of {package or entry.value}"):
                self.register(name, entry.load(), package)
        return self._registered[name]

    def __contains__(self, name: object) -> bool:
        # Without importing entry points.
        return name in self.shipped or name in set(self)

    def __iter__(self) -> Iterator[str]:
        load_requested()
        yield from dict.fromkeys([*self.shipped, *self._registered, *self._announced()])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def loaded(self) -> Iterator[Any]:
        """Shipped objects, and those registered so far."""
        return itertools.chain(self.shipped.values(), self._registered.values())

    def origin(self, name: str) -> dict[str, Origin]:
        """Origin of an object, as an entry of a run's plugins; empty if shipped or missing."""
        if name in self.shipped or name not in self:
            return {}
        module, functions = self._code(self[name])
        top = sys.modules.get(module.partition(".")[0])
        version = self._packages[name] or str(getattr(top, "__version__", ""))
        digest = digest_of([module]) or code_digest(functions)
        return {f"{self.noun} {name}": Origin(module, version, digest)}

    def missing(self, name: str) -> Missing:
        """Placeholder for an object that is not registered."""
        return Missing(
            f"{self.noun} {name!r} is not registered here: install its package, or name its file "
            f"by --plugin or in {ENVIRONMENT}"
        )

    def _announced(self) -> dict[str, Any]:
        from importlib.metadata import entry_points

        return {entry.name: entry for entry in entry_points(group=self.group)}


# -- requested plugins ---------------------------------------------------------------------------

_requested: list[str] = []
_loaded: set[str] = set()


def request(words: list[str] | tuple[str, ...]) -> None:
    """Request files or modules, to be loaded before plugins are looked up."""
    _requested.extend(words)


def requested() -> list[str]:
    """Files and modules requested by `request`."""
    return list(_requested)


def load_requested() -> None:
    """Load the files and modules of `request` and TRAJSIM_PLUGINS, once.

    Raises
    ------
    PluginError
        If one cannot be loaded.
    """
    named = os.environ.get(ENVIRONMENT, "").split(os.pathsep)
    for word in filter(None, [*named, *_requested]):
        if word in _loaded:
            continue
        # Marked first: the plugin may look up names of a registry itself.
        _loaded.add(word)
        try:
            with _errors_of(f"plugin {word}"):
                importlib.import_module(_module_of(word))
        except BaseException:
            _loaded.discard(word)
            raise


def _module_of(word: str) -> str:
    """Name of a module, or of a file or folder, whose parent is added to sys.path."""
    path = Path(word)
    if path.suffix != ".py" and not path.is_dir():
        return word
    if not path.exists():
        raise PluginError("no such file")
    # Its folder is added at the end of sys.path, so that it can import its neighbours.
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    spec = importlib.util.find_spec(path.stem) if path.stem.isidentifier() else None
    if not (spec and spec.origin and Path(spec.origin).resolve().is_relative_to(path.resolve())):
        raise PluginError(f"{path.stem} is no name of a module, or that of another; rename it")
    return path.stem


@contextmanager
def _errors_of(source: str) -> Iterator[None]:
    """Convert exceptions of a plugin to a PluginError with file and line."""
    try:
        yield
    except PluginError as error:
        raise PluginError(f"{source}: {error}") from error
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise PluginError(
            f"{source}: {type(error).__name__}: {error} ({frame.filename}:{frame.lineno})"
        ) from error


# -- plugins of runs -----------------------------------------------------------------------------


def differences(recorded: Any, current: Mapping[str, Any]) -> list[str]:
    """Sentences on plugins of a run that differ from the current ones."""
    if not isinstance(recorded, dict):
        return []
    sentences = []
    for name, origin in current.items():
        old = recorded.get(name)
        if isinstance(old, dict) and old.get("sha256") != origin["sha256"]:
            sentences.append(
                f"{name} of this run is not the one here: then {_text(old)}, now {_text(origin)}"
            )
    return sentences


def _text(origin: Mapping[str, Any]) -> str:
    named = " ".join(filter(None, [origin.get("module"), origin.get("version")]))
    return f"{named} (sources {str(origin.get('sha256'))[:12]})"
