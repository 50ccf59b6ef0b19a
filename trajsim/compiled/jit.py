"""numba, set up once: every compiled function of trajsim is made by `compiled`.

Compiled code is kept in a folder named by a digest of the sources that hold compiled
functions: numba alone looks only at the file of the function it compiles and would go on
using old code after an edit in a module that function calls. What is compiled for a class from
outside the package, or is itself from outside, goes to a folder named by the digest of its sources,
too. The folder is the user's own, and what is damaged is compiled anew, for a damaged or foreign
file would be run as it is.
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
    # Of its settings that it cannot read numba shows a traceback, and goes on without them.
    warnings.filterwarnings("ignore", "Environment variable 'NUMBA_", RuntimeWarning)
    import numba
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from trajsim.extending.sources import digest_of, home_of, is_outside
from trajsim.system.folders import TemporaryFolder, own_folder

# LLVM vectorises a loop over more than a few arrays only if it may check more of them for overlap.
llvmlite.binding.set_option("", "-runtime-memory-check-threshold=64")


@contextmanager
def _sure_of_blas() -> Iterator[None]:
    """Answer numba's question whether there is a BLAS: yes, scipy is among our requirements.

    It asks by importing scipy.linalg, which takes as long as the rest of numba; code that calls
    BLAS finds the real one when it is compiled or loaded.
    """
    name = "scipy.linalg.cython_blas"
    stand_in = ModuleType(name)
    try:
        sys.modules.setdefault(name, stand_in)
        yield
    finally:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]


with _sure_of_blas():
    import numba.np.arraymath

# Every edit of the sources leaves a folder behind; they go when nobody has used them for so long.
UNUSED_DAYS = 30
# Names of files that are being written, and how long writing one takes at most.
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
    """Where compiled code may be kept for other processes, best first."""
    if chosen:
        yield Path(chosen)
    usual = platformdirs.user_cache_path("trajsim")
    # A user without a home has a cache in "~", which is no folder of his.
    if usual.is_absolute():
        yield usual


@cache
def _temporary_place() -> Path:
    return TemporaryFolder().path


@cache
def cache_folder(chosen: str = "", outside: str = "") -> Path | None:
    """Folder of the compiled code of these sources by this numba; None if there can be none.

    In `chosen`, the user's NUMBA_CACHE_DIR, if set; else in the user's cache; else a temporary one
    of this process. It is no other user's, for what is in it is unpickled. `outside` is the digest
    of the sources from outside that the code is made of, too.
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
            # Its time tells when it was last used.
            os.utime(folder)
        if not chosen:
            _clear_out(folder.parent)
        return folder
    _note(refused[0] if refused else OSError("this user has no home"))
    with suppress(OSError):
        return own_folder(_temporary_place() / name)
    return None


def _clear_out(parent: Path) -> None:
    """Delete compiled code of other sources that nobody has used for so long that nobody will."""
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
    """Remember why compiled code is not kept; nothing ends for it."""
    told = error.strerror or str(error)
    _not_kept.append(f"{error.filename}: {told}" if error.filename else told)


def why_not_kept() -> str:
    """Why what this process compiled is not kept for the next one; empty if it is."""
    return _not_kept[0] if _not_kept else ""


class Kept:
    """Compiled code of one function, in the place of numba's own cache of a dispatcher.

    Each specialisation has a file of its own, named by all that it depends on, with a digest in
    front: what is damaged, or cannot be read, is compiled anew, and processes that write at the
    same time write the same. The folder depends on the sources of the classes in the signature.
    """

    def __init__(self, function: Any) -> None:
        self._function = function

    @property
    def cache_path(self) -> str:
        """Folder of what is made of the package alone."""
        return str(compiled_code() or "")

    def load_overload(self, signature: Any, context: Any) -> Any:
        """As of numba's caches: what is kept for a signature, or None."""
        # It must be ready before anything is unpickled for it.
        context.refresh()
        key = self._key(signature, context.codegen())
        file = self._file(key)
        kept = _read(file) if file else None
        if kept is None:
            return None
        try:
            of, reduced = pickle.loads(kept)
            return CompileResult._rebuild(context, *reduced) if of == key else None
        except Exception:
            # It is sound, but of classes that are no more what they were.
            return None

    def save_overload(self, signature: Any, made: Any) -> None:
        """As of numba's caches: keep what was compiled for a signature, where that can be."""
        if made.lifted or made.library.has_dynamic_globals:
            return
        key = self._key(signature, made.codegen)
        file = self._file(key)
        if file:
            _write(file, dumps((key, made._reduce())))

    def flush(self) -> None:
        """As of numba's caches; there is nothing to do, as names tell everything."""

    def _key(self, signature: Any, codegen: Any) -> tuple[Any, ...]:
        """All that compiled code depends on, beside the sources."""
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
        place = (function.__module__, function.__qualname__, function.__code__.co_firstlineno)
        told = repr((sys.version, sorted(homes), place, str(key[0]), key[1:]))
        named = hashlib.sha256(told.encode()).hexdigest()[:32]
        return folder / f"{function.__name__}-{named}.nbc"


def _digest(file: Path, data: bytes) -> bytes:
    """Of a file of compiled code: its name, too, lest one be taken for another."""
    return hashlib.sha256(file.name.encode() + b"\n" + data).digest()


def _read(file: Path) -> bytes | None:
    """What was kept in a file; None if there is none, or not all of it as it was written."""
    try:
        whole = file.read_bytes() if file.is_file() else b""
    except OSError:
        return None
    size = hashlib.sha256().digest_size
    digest, data = whole[:size], whole[size:]
    return data if digest == _digest(file, data) else None


def _write(file: Path, data: bytes) -> None:
    """Keep something in a file, all of it at once; where that cannot be, it is noted."""
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
    """Delete what processes that were killed have left half-written."""
    for file in folder.glob(f"{UNFINISHED}*"):
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > UNFINISHED_SECONDS:
                file.unlink()


def _modules(kind: Any) -> Iterator[str]:
    """Modules of all classes in a type."""
    made_of = getattr(kind, "instance_class", None)
    if made_of is not None:
        yield home_of(made_of)
    for part in getattr(kind, "types", ()):
        yield from _modules(part)


def compiled(
    function: Callable[..., Any] | None = None, *, contract: bool = False, inline: bool = False
) -> Any:
    """Compile `function` with numba: no GIL, IEEE division, cached on disk.

    `contract` lets a product and a sum become one operation with one rounding; nothing else of
    IEEE arithmetic is given up anywhere. `inline` puts the code in the place of each call: a call
    counts a reference for every array that it is passed, which takes as long as a short loop.
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
