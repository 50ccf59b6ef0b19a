"""numba, set up once: every compiled function of trajsim is made by `compiled`.

Compiled code is kept in a folder named by a digest of the sources that hold compiled
functions: numba alone looks only at the file of the function it compiles and would go on
using old code after an edit in a module that function calls.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import llvmlite.binding
import numba
import platformdirs

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

COMPILED_PLACES = ("jit.py", "simd", "elementary.py", "models", "kernels", "exact")


def source_digest(package: Path = Path(__file__).parent) -> str:
    """First 16 hex digits of the SHA-256 over all sources that hold compiled functions."""
    digest = hashlib.sha256()
    for place in COMPILED_PLACES:
        root = package / place
        for source in [root] if root.is_file() else sorted(root.rglob("*.py")):
            digest.update(source.relative_to(package).as_posix().encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


@cache
def cache_folder(chosen: str = "") -> Path:
    """Folder of the compiled code of these sources by this numba.

    In `chosen`, the user's NUMBA_CACHE_DIR, if set; else in the user's cache; else a temporary one.
    """
    name = f"kernels-{source_digest()}-numba-{numba.__version__}"
    usual = (platformdirs.user_cache_path("trajsim"), Path(tempfile.gettempdir()) / "trajsim")
    for parent in [Path(chosen)] if chosen else usual:
        folder = parent / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
            # Its time tells when it was last used.
            os.utime(folder)
        except OSError:
            continue
        if not chosen:
            _clear_out(parent)
        return folder
    return Path(tempfile.mkdtemp(prefix="trajsim-"))


def _clear_out(parent: Path) -> None:
    """Delete compiled code of other sources that nobody has used for so long that nobody will."""
    for folder in parent.glob("kernels-*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > UNUSED_DAYS * 86400:
                shutil.rmtree(folder)


def compiled_code() -> Path:
    """Folder of the compiled code that this process keeps."""
    settings: Any = numba.config
    return cache_folder(settings.CACHE_DIR)


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
    fastmath = {"contract"} if contract else False
    # numba picks the cache folder when it decorates; leave the setting as the user had it.
    settings: Any = numba.config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(cache_folder(before))
    try:
        return numba.njit(
            cache=True,
            nogil=True,
            error_model="numpy",
            fastmath=fastmath,
            inline="always" if inline else "never",
        )(function)
    finally:
        settings.CACHE_DIR = before
