"""Numbers of WIDTH trajectories side by side, as one value in compiled code.

A function written in arithmetic, `min`, `max`, `math.sqrt` and `where` is compiled for single
numbers and for vectors alike. Lanes are independent of each other. The processor's vector
instructions are used explicitly, whatever their width, and do not depend on the compiler's
vectorisation of loops.
"""

# Registers the operators with numba.
import trajsim.compiled.simd.arithmetic  # noqa: F401
from trajsim.compiled.simd.kinds import WIDTH
from trajsim.compiled.simd.lanes import (
    bits_of,
    float_of,
    highest,
    lanes_of,
    lowest,
    mask_of,
    number_of,
    spread,
    where,
)
from trajsim.compiled.simd.memory import bare, load, read, store, write
from trajsim.compiled.simd.tables import gather, one_of_2, one_of_4, one_of_8

__all__ = [
    "WIDTH",
    "bare",
    "bits_of",
    "float_of",
    "gather",
    "highest",
    "lanes_of",
    "load",
    "lowest",
    "mask_of",
    "number_of",
    "one_of_2",
    "one_of_4",
    "one_of_8",
    "read",
    "spread",
    "store",
    "where",
    "write",
]
