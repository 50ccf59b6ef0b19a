"""Choices between lanes, the bits of numbers, and masks as bits of an integer."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import signature
from numba.extending import intrinsic

from trajsim.compiled.simd.kinds import (
    FLOATS,
    I1,
    LLVM,
    MASK,
    U64,
    VECTORS,
    WIDTH,
    Vector,
    spread_value,
)


def _where(typingctx, mask, yes, no):
    """`yes` where the mask is true, `no` elsewhere; of vectors or of single numbers."""
    kind: Any = next((a for a in (yes, no) if isinstance(a, Vector)), yes)
    if isinstance(mask, Vector):
        kind = VECTORS.get(kind, kind)
    single = kind.dtype if isinstance(kind, Vector) else kind

    def build(context, builder, sig, arguments):
        if isinstance(kind, Vector):
            arguments = [spread_value(builder, a) for a in arguments]
        return builder.select(*arguments)

    return signature(kind, mask, *(a if a is kind else single for a in (yes, no))), build


def _spread_out(typingctx, number):
    """The same number in every lane."""
    return signature(
        VECTORS[number], number
    ), lambda context, builder, sig, arguments: spread_value(builder, arguments[0])


def _cast(value, to):
    """Typing of the same bits read as another type."""

    def build(context, builder, sig, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(sig.return_type))

    return signature(VECTORS[to] if isinstance(value, Vector) else to, value), build


def _bits_of(typingctx, x):
    """The 64 bits of each float64 as a uint64."""
    return _cast(x, types.uint64)


def _float_of(typingctx, bits):
    """The float64 that has the 64 bits of each uint64."""
    return _cast(bits, types.float64)


def _number_of(typingctx, words):
    """Each uint64 as the nearest float64."""

    def build(context, builder, sig, arguments):
        return builder.uitofp(arguments[0], context.get_value_type(sig.return_type))

    return signature(FLOATS if isinstance(words, Vector) else types.float64, words), build


def _lanes_of(typingctx, mask):
    """The lanes where a mask is true, as bits of a uint64."""

    def build(context, builder, sig, arguments):
        return builder.zext(builder.bitcast(arguments[0], ir.IntType(WIDTH)), U64)

    return signature(types.uint64, mask), build


def _mask_of(typingctx, lanes):
    """The mask that is true in the lanes given as bits of a uint64."""

    def build(context, builder, sig, arguments):
        return builder.bitcast(builder.trunc(arguments[0], ir.IntType(WIDTH)), LLVM[MASK])

    return signature(MASK, types.uint64), build


def _lowest(typingctx, bits):
    """Number of the lowest bit set in a uint64 that is not 0."""
    return signature(
        types.int64, types.uint64
    ), lambda context, builder, sig, arguments: builder.cttz(arguments[0], I1(1))


def _highest(typingctx, bits):
    """Number of the highest bit set in a uint64 that is not 0."""
    return signature(
        types.int64, types.uint64
    ), lambda context, builder, sig, arguments: builder.sub(
        U64(63), builder.ctlz(arguments[0], I1(1))
    )


where: Any = intrinsic(_where)
spread: Any = intrinsic(_spread_out)
bits_of: Any = intrinsic(_bits_of)
float_of: Any = intrinsic(_float_of)
number_of: Any = intrinsic(_number_of)
lanes_of: Any = intrinsic(_lanes_of)
mask_of: Any = intrinsic(_mask_of)
lowest: Any = intrinsic(_lowest)
highest: Any = intrinsic(_highest)
