"""Requirements of trajsim on the operating system."""

import mmap
import os

LEAST_BYTES = 512 << 20


def unsupported() -> str | None:
    """Why trajsim cannot run on this system, in a sentence; None if it can."""
    try:
        import fcntl  # noqa: F401
    except ImportError:
        return (
            "trajsim runs on Linux and macOS (file locks need the module fcntl, which this system "
            "does not have); on Windows use WSL"
        )
    disabled = os.environ.get("NUMBA_DISABLE_JIT", "")
    if disabled.strip() not in ("", "0"):
        return (
            f"NUMBA_DISABLE_JIT={disabled}: trajsim is made of functions that numba compiles; "
            "unset NUMBA_DISABLE_JIT"
        )
    threads = os.environ.get("NUMBA_NUM_THREADS", "").strip()
    if threads and not (threads.isdecimal() and threads.strip("0")):
        return f"NUMBA_NUM_THREADS={threads}: allowed: whole numbers from 1 on, or unset it"
    features = os.environ.get("NUMBA_CPU_FEATURES", "")
    # LLVM ends the process at others.
    if not all(feature[0] in "+-" for feature in features.split(",") if feature):
        return (
            f"NUMBA_CPU_FEATURES={features}: allowed: names that begin with + or -, with commas "
            "between them, or unset it"
        )
    return None


def expect_memory() -> None:
    """Refuse to start with less memory than the libraries need: OpenBLAS would end the process.

    Raises
    ------
    MemoryError
        If there is less than LEAST_BYTES.
    """
    try:
        mmap.mmap(-1, LEAST_BYTES).close()
    except OSError:
        raise MemoryError(
            f"trajsim needs {LEAST_BYTES >> 20} MB to begin with (ulimit -v)"
        ) from None
