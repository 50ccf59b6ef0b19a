"""Tables: a number for the index in each lane, from registers or from memory."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import signature
from numba.extending import intrinsic

from trajsim.compiled.simd.kinds import (
    F64,
    FLOATS,
    LLVM,
    MASK,
    U64,
    WIDTH,
    WORDS,
    library,
    spread_value,
)


def _gather(typingctx, memory, index):
    """Vector of the numbers (float64) at the index (uint64) of each lane."""

    def build(context, builder, sig, arguments):
        start = spread_value(builder, builder.ptrtoint(arguments[0], U64))
        offset = builder.shl(arguments[1], spread_value(builder, U64(3)))
        places = builder.inttoptr(
            builder.add(start, offset), ir.VectorType(F64.as_pointer(), WIDTH)
        )
        every = ir.Constant(LLVM[MASK], [1] * WIDTH)
        empty = ir.Constant(LLVM[FLOATS], ir.Undefined)
        name = f"llvm.masked.gather.v{WIDTH}f64.v{WIDTH}p0"
        return library(builder, name, LLVM[FLOATS], [places, ir.IntType(32)(8), every, empty])

    return signature(FLOATS, memory, WORDS), build


def _parts(builder: Any, vector: Any, size: int) -> list[Any]:
    """A vector in parts of so many lanes."""
    numbers = ir.VectorType(ir.IntType(32), size)
    return [
        builder.shuffle_vector(vector, vector, ir.Constant(numbers, list(range(k, k + size))))
        for k in range(0, WIDTH, size)
    ]


def _joined(builder: Any, parts: list[Any]) -> Any:
    """One vector of parts of equal length."""
    while len(parts) > 1:
        size = 2 * parts[0].type.count
        order = ir.Constant(ir.VectorType(ir.IntType(32), size), list(range(size)))
        parts = [
            builder.shuffle_vector(a, b, order)
            for a, b in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


def _has(context: Any, feature: str) -> bool:
    """Whether the target processor has a feature."""
    return f"+{feature}" in context.codegen()._tm_features.split(",")


def _permuted(builder: Any, memory: Any, first: Any, index: Any) -> Any:
    """Number at each lane's index among eight in a register, by AVX-512."""
    eight = ir.VectorType(F64, 8)
    pointer = builder.bitcast(builder.gep(memory, [first]), eight.as_pointer())
    table, name = builder.load(pointer, align=8), "llvm.x86.avx512.permvar.df.512"
    parts = _parts(builder, index, 8)
    return _joined(builder, [library(builder, name, eight, [table, part]) for part in parts])


def _permuted_halves(builder: Any, memory: Any, first: Any, index: Any, bits: int) -> Any:
    """The same by AVX2, which permutes halves of four numbers at a time."""
    four, halves = ir.VectorType(F64, 4), ir.VectorType(ir.FloatType(), 8)
    double = builder.shl(index, spread_value(builder, U64(1)))
    second = builder.shl(double, spread_value(builder, U64(32)))
    places = builder.or_(builder.or_(double, second), spread_value(builder, U64(1 << 32)))

    def choose(base: int) -> Any:
        start = builder.gep(memory, [builder.add(first, U64(base))])
        table = builder.load(builder.bitcast(start, halves.as_pointer()), align=8)
        parts = [
            builder.bitcast(part, ir.VectorType(ir.IntType(32), 8))
            for part in _parts(builder, places, 4)
        ]
        name = "llvm.x86.avx2.permps"
        moved = [library(builder, name, halves, [table, part]) for part in parts]
        return _joined(builder, [builder.bitcast(part, four) for part in moved])

    if bits < 3:
        return choose(0)
    bit = builder.and_(index, spread_value(builder, U64(4)))
    upper = builder.icmp_unsigned("!=", bit, ir.Constant(bit.type, [0] * WIDTH))
    return builder.select(upper, choose(4), choose(0))


def _chosen_by_bits(builder: Any, memory: Any, first: Any, index: Any, bits: int) -> Any:
    """The same on any processor, by a choice for each bit of the index."""
    pointers = [builder.gep(memory, [builder.add(first, U64(k))]) for k in range(1 << bits)]
    choices = [spread_value(builder, builder.load(place)) for place in pointers]
    for bit in range(bits):
        bit_set = builder.and_(index, spread_value(builder, U64(1 << bit)))
        mask = builder.icmp_unsigned("!=", bit_set, ir.Constant(bit_set.type, [0] * WIDTH))
        pairs = zip(choices[::2], choices[1::2], strict=True)
        choices = [builder.select(mask, odd, even) for even, odd in pairs]
    return choices[0]


def _one_of(bits: int) -> Callable[..., Any]:
    """Typing of a choice among 2**bits numbers."""

    def typed(typingctx, memory, first, index):
        """Vector of the numbers (float64) at `first` plus the index of each lane.

        A permutation of registers is faster than a gather from memory. Eight numbers from `first`
        on must be readable.
        """

        def build(context, builder, sig, arguments):
            memory, first, index = arguments
            if _has(context, "avx512f"):
                return _permuted(builder, memory, first, index)
            if _has(context, "avx2") and bits > 1:
                return _permuted_halves(builder, memory, first, index, bits)
            return _chosen_by_bits(builder, memory, first, index, bits)

        return signature(FLOATS, memory, types.intp, WORDS), build

    return typed


gather: Any = intrinsic(_gather)
one_of_2: Any = intrinsic(_one_of(1))
one_of_4: Any = intrinsic(_one_of(2))
one_of_8: Any = intrinsic(_one_of(3))
