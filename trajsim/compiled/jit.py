"""The call of numba: every compiled function of trajsim is made by `compiled`.

Compiled code is cached in a folder named by a digest of the sources of compiled functions: numba's
own cache depends only on the file of the compiled function, and is stale after an edit of a module
that it calls. Code that is compiled from sources of plugins is in a folder named by their digest,
too. The folder belongs to the user alone, and damaged files are ignored, for cached code is run
without further checks.
"""

import hashlib
import os
import pickle
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import llvmlite.binding
import platformdirs

with warnings.catch_warnings():
    # numba shows a traceback for settings that it cannot read, and ignores them.
    warnings.filterwarnings("ignore", "Environment variable 'NUMBA_", RuntimeWarning)
    import numba
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from trajsim.extending.sources import digest_of, home_of, is_outside
from trajsim.system.folders import TemporaryFolder, own_folder

# LLVM vectorises a loop over more than a few arrays only if it may check more of them for overlap.
llvmlite.binding.set_option("", "-runtime-memory-check-threshold=64")


@contextmanager
def _without_scipy_import() -> Iterator[None]:
    """Keep numba from importing scipy.linalg to find out whether there is a BLAS.

    That takes as long as the rest of numba's import, and scipy is always installed; code that calls
    BLAS imports it when it is compiled or loaded.
    """
    name = "scipy.linalg.cython_blas"
    stand_in = ModuleType(name)
    try:
        sys.modules.setdefault(name, stand_in)
        yield
    finally:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]


with _without_scipy_import():
    import numba.np.arraymath

# Every edit of the sources leaves a folder; it is deleted after so many days without use.
UNUSED_DAYS = 30
# Prefix of files that are being written, and the time after which they are abandoned.
UNFINISHED, UNFINISHED_SECONDS = "unfinished-", 600.0

COMPILED_PLACES = ("compiled", "models", "kernels", "ensemble")


def source_digest(package: Path = Path(__file__).parents[1]) -> str:
    """First 16 hex digits of the SHA-256 over all sources that hold compiled functions."""
    digest = hashlib.sha256()
    for place in COMPILED_PLACES:
        root = package / place
        for source in [root] if root.is_file() else sorted(root.rglob("*.py")):
            digest.update(source.relative_to(package).as_posix().encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _places(chosen: str) -> Iterator[Path]:
    """Folders in which compiled code may be cached, in order of preference."""
    if chosen:
        yield Path(chosen)
    default = platformdirs.user_cache_path("trajsim")
    # For a user without a home the cache is in "~", which is not absolute.
    if default.is_absolute():
        yield default


@cache
def _temporary_place() -> Path:
    return TemporaryFolder().path


@cache
def cache_folder(chosen: str = "", outside: str = "") -> Path | None:
    """Folder of the compiled code of these sources by this numba; None if none can be made.

    In `chosen`, the user's NUMBA_CACHE_DIR, if set; else in the user's cache; else a temporary one
    of this process. No other user can write in it, for its files are unpickled. `outside` is the
    digest of the sources of plugins that the code is made of, too.
    """
    name = "-".join(filter(None, ["kernels", source_digest(), outside[:16], "numba"]))
    name += f"-{numba.__version__}"
    refused = []
    for place in _places(chosen):
        try:
            folder = own_folder(place / name)
        except OSError as error:
            refused.append(error)
            continue
        with suppress(OSError):
            # Its modification time is that of its last use.
            os.utime(folder)
        if not chosen:
            _clear_out(folder.parent)
        return folder
    _note(refused[0] if refused else OSError("this user has no home"))
    with suppress(OSError):
        return own_folder(_temporary_place() / name)
    return None


def _clear_out(parent: Path) -> None:
    """Delete compiled code that has not been used for UNUSED_DAYS."""
    for folder in parent.glob("kernels-*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > UNUSED_DAYS * 86400:
                shutil.rmtree(folder)


def compiled_code() -> Path | None:
    """Folder of the compiled code that this process uses."""
    settings: Any = numba.config
    return cache_folder(settings.CACHE_DIR)


_not_kept: list[str] = []


def _note(error: OSError) -> None:
    """Remember why compiled code is not cached; this is no error."""
    reason = error.strerror or str(error)
    _not_kept.append(f"{error.filename}: {reason}" if error.filename else reason)


def why_not_kept() -> str:
    """Why this process does not cache its compiled code; empty if it does."""
    return _not_kept[0] if _not_kept else ""


class Kept:
    """Cache of the compiled code of one function, in place of numba's cache of a dispatcher.

    Each specialisation has a file of its own, named by all that it depends on, and begins with a
    digest: damaged or unreadable files are compiled again, and processes that write at the same
    time write the same. The folder depends on the sources of the classes in the signature.
    """

    def __init__(self, function: Any) -> None:
        self._function = function

    @property
    def cache_path(self) -> str:
        """Folder of code without plugins."""
        return str(compiled_code() or "")

    def load_overload(self, signature: Any, context: Any) -> Any:
        """Compiled code for a signature, or None; part of the interface of numba's caches."""
        # The context must be ready before unpickling.
        context.refresh()
        key = self._key(signature, context.codegen())
        file = self._file(key)
        data = _read(file) if file else None
        if data is None:
            return None
        try:
            stored_key, reduced = pickle.loads(data)
            return CompileResult._rebuild(context, *reduced) if stored_key == key else None
        except Exception:
            # The file is intact, but its classes have changed.
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        """Cache compiled code for a signature; part of the interface of numba's caches."""
        if result.lifted or result.library.has_dynamic_globals:
            return
        key = self._key(signature, result.codegen)
        file = self._file(key)
        if file:
            _write(file, dumps((key, result._reduce())))

    def flush(self) -> None:
        """Part of the interface of numba's caches; nothing to do, for there is no index."""

    def _key(self, signature: Any, codegen: Any) -> tuple[Any, ...]:
        """All that compiled code depends on, apart from the sources."""
        cells = tuple(cell.cell_contents for cell in self._function.__closure__ or ())
        code = (self._function.__code__.co_code, dumps(cells) if cells else b"")
        return (signature, codegen.magic_tuple(), *(hashlib.sha256(c).hexdigest() for c in code))

    def _file(self, key: tuple[Any, ...]) -> Path | None:
        kinds = getattr(key[0], "args", key[0])
        function = self._function
        homes = {function.__module__, *(m for kind in kinds for m in _modules(kind))}
        outside = set(filter(is_outside, homes))
        digest = digest_of(outside) if outside else ""
        settings: Any = numba.config
        folder = None if digest is None else cache_folder(settings.CACHE_DIR, digest)
        if folder is None:
            return None
        location = (function.__module__, function.__qualname__, function.__code__.co_firstlineno)
        identity = repr((sys.version, sorted(homes), location, str(key[0]), key[1:]))
        digest_of_identity = hashlib.sha256(identity.encode()).hexdigest()[:32]
        return folder / f"{function.__name__}-{digest_of_identity}.nbc"


def _digest(file: Path, data: bytes) -> bytes:
    """Digest of a file of compiled code and its name, so that files cannot be swapped."""
    return hashlib.sha256(file.name.encode() + b"\n" + data).digest()


def _read(file: Path) -> bytes | None:
    """Content of a file; None if there is none, or it is damaged."""
    try:
        content = file.read_bytes() if file.is_file() else b""
    except OSError:
        return None
    size = hashlib.sha256().digest_size
    digest, data = content[:size], content[size:]
    return data if digest == _digest(file, data) else None


def _write(file: Path, data: bytes) -> None:
    """Write a file atomically; note the reason if that fails."""
    try:
        _remove_unfinished(file.parent)
        handle, name = tempfile.mkstemp(prefix=UNFINISHED, dir=file.parent)
        try:
            with open(handle, "wb") as beginning:
                beginning.write(_digest(file, data) + data)
            os.replace(name, file)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        _note(error)


def _remove_unfinished(folder: Path) -> None:
    """Delete unfinished files of killed processes."""
    for file in folder.glob(f"{UNFINISHED}*"):
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > UNFINISHED_SECONDS:
                file.unlink()


def _modules(kind: Any) -> Iterator[str]:
    """Modules of all classes in a type."""
    cls = getattr(kind, "instance_class", None)
    if cls is not None:
        yield home_of(cls)
    for part in getattr(kind, "types", ()):
        yield from _modules(part)


def compiled(
    function: Callable[..., Any] | None = None, *, contract: bool = False, inline: bool = False
) -> Any:
    """Compile `function` with numba: no GIL, IEEE division, cached on disk.

    `contract` allows fused multiply-add; otherwise arithmetic is that of IEEE. `inline` replaces
    each call by the code: a call counts a reference for every array argument, which takes as long
    as a short loop.
    """
    if function is None:
        return partial(compiled, contract=contract, inline=inline)
    dispatcher: Any = numba.njit(
        nogil=True,
        error_model="numpy",
        fastmath={"contract"} if contract else False,
        inline="always" if inline else "never",
    )(function)
    dispatcher._cache = Kept(dispatcher.py_func)
    return dispatcher
