"""What users add to trajsim from outside: rate laws and models, by name.

Code from outside is run only if the user of this machine asked for it: he registers it in Python,
names its file or module by `--plugin` or in TRAJSIM_PLUGINS, or installed a package that announces
it as an entry point. What a config or a run says is looked up by name, never imported.

What there is, and why: `Registry`, since configs call laws and models by name; entry points, for
what is installed; `request`, for a file that is not; `Missing`, so that runs of others can be read
without their code; `Origin` and `differences`, since a run is bound to the code it was made with.
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
    """Code from outside that cannot be used; the message says why."""


class Missing(NamedTuple):
    """Stands for a network that cannot be made, since what makes it is not here."""

    reason: str


class Origin(NamedTuple):
    """Where something registered comes from.

    module and version : of it or, of an entry point, of the installed package
    sha256 : of its sources (`extending.sources.digest_of`), or of its code where it has none
    """

    module: str
    version: str
    sha256: str


class Registry(Mapping[str, Any]):
    """Things of one kind by name: those shipped, and those registered from outside.

    Parameters
    ----------
    group : of entry points that announce more of them
    noun : what one of them is called
    shipped : by name
    accept : called with a name and what is to be registered; raises PluginError if it will not do
    code : gives the module of one of them, and its functions: by these it is told apart from others
        where it has no source
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
        """Add one, or put it in place of another from outside.

        Raises
        ------
        PluginError
            If the name is no name or a shipped one's, or the thing will not do.
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
            with _blamed(f"{self.noun} {name!r} of {package or entry.value}"):
                self.register(name, entry.load(), package)
        return self._registered[name]

    def __contains__(self, name: object) -> bool:
        # Nothing is imported to tell.
        return name in self.shipped or name in set(self)

    def __iter__(self) -> Iterator[str]:
        load_requested()
        yield from dict.fromkeys([*self.shipped, *self._registered, *self._announced()])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def here(self) -> Iterator[Any]:
        """Those shipped and those that are registered by now."""
        return itertools.chain(self.shipped.values(), self._registered.values())

    def origin(self, name: str) -> dict[str, Origin]:
        """Where one comes from, as an entry of a run's plugins; none if shipped, or not here."""
        if name in self.shipped or name not in self:
            return {}
        module, functions = self._code(self[name])
        top = sys.modules.get(module.partition(".")[0])
        version = self._packages[name] or str(getattr(top, "__version__", ""))
        digest = digest_of([module]) or code_digest(functions)
        return {f"{self.noun} {name}": Origin(module, version, digest)}

    def missing(self, name: str) -> Missing:
        """Stands for what one that is not registered would make."""
        return Missing(
            f"{self.noun} {name!r} is not registered here: install its package, or name its file "
            f"by --plugin or in {ENVIRONMENT}"
        )

    def _announced(self) -> dict[str, Any]:
        from importlib.metadata import entry_points

        return {entry.name: entry for entry in entry_points(group=self.group)}


# -- what the user asks for ----------------------------------------------------------------------

_requested: list[str] = []
_loaded: set[str] = set()


def request(words: list[str] | tuple[str, ...]) -> None:
    """Have files or modules loaded before anything from outside is looked up."""
    _requested.extend(words)


def requested() -> list[str]:
    """Files and modules asked for by `request`."""
    return list(_requested)


def load_requested() -> None:
    """Load what was asked for by `request` or in TRAJSIM_PLUGINS, once.

    Raises
    ------
    PluginError
        If it cannot be.
    """
    named = os.environ.get(ENVIRONMENT, "").split(os.pathsep)
    for word in filter(None, [*named, *_requested]):
        if word in _loaded:
            continue
        # Noted first: what is loaded may ask for a registry's names itself.
        _loaded.add(word)
        try:
            with _blamed(f"plugin {word}"):
                importlib.import_module(_module_of(word))
        except BaseException:
            _loaded.discard(word)
            raise


def _module_of(word: str) -> str:
    """Name of a module, or of that in a file or a folder, which then can be imported."""
    path = Path(word)
    if path.suffix != ".py" and not path.is_dir():
        return word
    if not path.exists():
        raise PluginError("no such file")
    # By its own name, with its neighbours in reach: as if it were run, but after all else.
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    found = importlib.util.find_spec(path.stem) if path.stem.isidentifier() else None
    if not (found and found.origin and Path(found.origin).resolve().is_relative_to(path.resolve())):
        raise PluginError(f"{path.stem} is no name of a module, or that of another; rename it")
    return path.stem


@contextmanager
def _blamed(what: str) -> Iterator[None]:
    """Turn whatever code from outside raises into a PluginError that says where it did."""
    try:
        yield
    except PluginError as error:
        raise PluginError(f"{what}: {error}") from error
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        raise PluginError(
            f"{what}: {type(error).__name__}: {error} ({at.filename}:{at.lineno})"
        ) from error


# -- what a run was made with --------------------------------------------------------------------


def differences(recorded: Any, here: Mapping[str, Any]) -> list[str]:
    """Sentences on plugins of a run that are not the ones that are here."""
    if not isinstance(recorded, dict):
        return []
    found = []
    for name, origin in here.items():
        then = recorded.get(name)
        if isinstance(then, dict) and then.get("sha256") != origin["sha256"]:
            found.append(
                f"{name} of this run is not the one here: then {_shown(then)}, now {_shown(origin)}"
            )
    return found


def _shown(origin: Mapping[str, Any]) -> str:
    named = " ".join(filter(None, [origin.get("module"), origin.get("version")]))
    return f"{named} (sources {str(origin.get('sha256'))[:12]})"
