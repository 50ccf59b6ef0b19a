"""Numbers of WIDTH trajectories side by side, as one value in compiled code.

Arithmetic, comparisons, `min`, `max` and `math.sqrt` of a Vector act on every lane; a function
written in these is compiled for single numbers and for vectors alike. What a lane holds never
depends on its neighbours. The processor's own vector instructions do the work, whatever their
width: nothing is left to a compiler's guess whether a loop can be vectorised.

Memory is an array's data without its shape: vectors are read from it and written to it, and no
reference to it is ever counted, which takes as long as a short loop.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

# Lanes of a vector: as many as the widest registers hold. Results do not depend on it.
WIDTH = 16

F64, U64, I1 = ir.DoubleType(), ir.IntType(64), ir.IntType(1)


class Vector(types.Type):
    """WIDTH numbers of one type: float64, uint64 or boolean."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        super().__init__(f"Vector({dtype}, {WIDTH})")


class Memory(types.Type):
    """Numbers of one type, one after the other in memory."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        super().__init__(f"Memory({dtype})")


FLOATS, WORDS, MASK = Vector(types.float64), Vector(types.uint64), Vector(types.boolean)
VECTORS = {types.float64: FLOATS, types.uint64: WORDS}
LLVM = {
    kind: ir.VectorType(element, WIDTH)
    for kind, element in ((FLOATS, F64), (WORDS, U64), (MASK, I1))
}


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, LLVM[kind])


@register_model(Memory)
class _MemoryModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Memory) -> None:
        super().__init__(manager, kind, manager.lookup(kind.dtype).get_data_type().as_pointer())


# -- arithmetic ----------------------------------------------------------------------------------


def _spread(builder: Any, value: Any) -> Any:
    """A vector as it is; a single number in every lane."""
    if isinstance(value.type, ir.VectorType):
        return value
    empty = ir.Constant(ir.VectorType(value.type, WIDTH), ir.Undefined)
    one = builder.insert_element(empty, value, ir.IntType(32)(0))
    first = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(one, empty, first)


def _operate(
    function: Any, operands: int, operand: Vector, result: Vector, build: Callable[..., Any]
) -> None:
    """Make `function` act on every lane of vectors; one of two operands may be a single number."""

    class Typing(AbstractTemplate):
        def generic(self, arguments: Any, _keywords: Any) -> Any:
            vectors = [a for a in arguments if isinstance(a, Vector)]
            if len(arguments) != operands or not vectors or any(v is not operand for v in vectors):
                return None
            return signature(result, *(a if a is operand else operand.dtype for a in arguments))

    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return build(builder, *(_spread(builder, a) for a in arguments))

    infer_global(function)(Typing)
    single = operand.dtype
    forms: dict[int, list[tuple[Any, ...]]] = {
        1: [(operand,)],
        2: [(operand, operand), (operand, single), (single, operand)],
    }
    for form in forms[operands]:
        lower_builtin(function, *form)(lower)


def _library(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """Call a function of LLVM's own."""
    kind = ir.FunctionType(result, [a.type for a in arguments])
    known = builder.module.globals.get(name)
    return builder.call(known or ir.Function(builder.module, kind, name), arguments)


def _plain(name: str) -> Callable[..., Any]:
    return lambda builder, *operands: getattr(builder, name)(*operands)


def _contracted(name: str) -> Callable[..., Any]:
    # A product and a sum may become one operation with one rounding; nothing else is given up.
    return lambda builder, a, b: getattr(builder, name)(a, b, flags=("contract",))


def _compared(sign: str) -> Callable[..., Any]:
    return lambda builder, a, b: builder.fcmp_ordered(sign, a, b)


def _chosen(sign: str) -> Callable[..., Any]:
    return lambda builder, a, b: builder.select(builder.fcmp_ordered(sign, a, b), a, b)


for _function, _in_place, _name in (
    (operator.add, operator.iadd, "add"),
    (operator.sub, operator.isub, "sub"),
    (operator.mul, operator.imul, "mul"),
):
    for _form in (_function, _in_place):
        _operate(_form, 2, FLOATS, FLOATS, _contracted(f"f{_name}"))
        _operate(_form, 2, WORDS, WORDS, _plain(_name))
_operate(operator.truediv, 2, FLOATS, FLOATS, _contracted("fdiv"))
for _function, _sign in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
):
    _operate(_function, 2, FLOATS, MASK, _compared(_sign))
_operate(min, 2, FLOATS, FLOATS, _chosen("<"))
_operate(max, 2, FLOATS, FLOATS, _chosen(">"))
_operate(operator.neg, 1, FLOATS, FLOATS, _plain("fneg"))
_operate(
    math.sqrt,
    1,
    FLOATS,
    FLOATS,
    lambda builder, a: _library(builder, f"llvm.sqrt.v{WIDTH}f64", a.type, [a]),
)
for _function, _in_place, _name in (
    (operator.and_, operator.iand, "and_"),
    (operator.or_, operator.ior, "or_"),
    (operator.xor, operator.ixor, "xor"),
    (operator.lshift, operator.ilshift, "shl"),
    (operator.rshift, operator.irshift, "lshr"),
):
    for _form in (_function, _in_place):
        _operate(_form, 2, WORDS, WORDS, _plain(_name))
for _function, _sign in ((operator.eq, "=="), (operator.ne, "!=")):
    _operate(
        _function,
        2,
        WORDS,
        MASK,
        lambda builder, a, b, sign=_sign: builder.icmp_unsigned(sign, a, b),
    )
_operate(operator.and_, 2, MASK, MASK, _plain("and_"))


# -- choices, and bits of numbers ----------------------------------------------------------------


def _where(typingctx, mask, yes, no):
    """`yes` where the mask is true, `no` elsewhere; of vectors or of single numbers."""
    kind = next((a for a in (yes, no) if isinstance(a, Vector)), yes)
    if isinstance(mask, Vector):
        kind = VECTORS.get(kind, kind)
    single = kind.dtype if isinstance(kind, Vector) else kind

    def build(context, builder, sig, arguments):
        if isinstance(kind, Vector):
            arguments = [_spread(builder, a) for a in arguments]
        return builder.select(*arguments)

    return signature(kind, mask, *(a if a is kind else single for a in (yes, no))), build


def _spread_out(typingctx, number):
    """The same number in every lane."""
    return signature(VECTORS[number], number), lambda context, builder, sig, arguments: _spread(
        builder, arguments[0]
    )


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


# -- memory --------------------------------------------------------------------------------------


def _bare_type(kept: Any) -> Any:
    if isinstance(kept, types.Array):
        if kept.layout != "C":
            raise TypeError("only a C-contiguous array has its numbers one after the other")
        return Memory(kept.dtype)
    if isinstance(kept, types.BaseTuple):
        made_of = getattr(kept, "instance_class", None)
        return types.BaseTuple.from_types([_bare_type(k) for k in kept.types], made_of)
    return kept


def _bare_value(context: Any, builder: Any, kept: Any, value: Any) -> Any:
    if isinstance(kept, types.Array):
        return context.make_array(kept)(context, builder, value).data
    if isinstance(kept, types.BaseTuple):
        parts = [
            _bare_value(context, builder, k, builder.extract_value(value, at))
            for at, k in enumerate(kept.types)
        ]
        return context.make_tuple(builder, _bare_type(kept), parts)
    return value


def _bare(typingctx, kept):
    """The Memory of a contiguous array, or a tuple with its arrays' Memory in their places.

    The arrays must be kept alive by the caller: take it of a function's arguments only.
    """

    def build(context, builder, sig, arguments):
        return _bare_value(context, builder, sig.args[0], arguments[0])

    return signature(_bare_type(kept), kept), build


def _at(context: Any, builder: Any, memory: Any, index: Any, kind: Vector) -> Any:
    return builder.bitcast(builder.gep(memory, [index]), LLVM[kind].as_pointer())


def _load(typingctx, memory, index):
    """Vector of the numbers at index ... index + WIDTH - 1."""
    kind = VECTORS[memory.dtype]

    def build(context, builder, sig, arguments):
        return builder.load(_at(context, builder, *arguments, kind), align=8)

    return signature(kind, memory, types.intp), build


def _store(typingctx, memory, index, value):
    """Write a vector to index ... index + WIDTH - 1."""
    kind = VECTORS[memory.dtype]

    def build(context, builder, sig, arguments):
        builder.store(arguments[2], _at(context, builder, *arguments[:2], kind), align=8)
        return context.get_dummy_value()

    return signature(types.none, memory, types.intp, kind), build


def _gather(typingctx, memory, index):
    """Vector of the numbers (float64) at the index (uint64) of each lane."""

    def build(context, builder, sig, arguments):
        start = _spread(builder, builder.ptrtoint(arguments[0], U64))
        offset = builder.shl(arguments[1], _spread(builder, U64(3)))
        places = builder.inttoptr(
            builder.add(start, offset), ir.VectorType(F64.as_pointer(), WIDTH)
        )
        every = ir.Constant(LLVM[MASK], [1] * WIDTH)
        empty = ir.Constant(LLVM[FLOATS], ir.Undefined)
        name = f"llvm.masked.gather.v{WIDTH}f64.v{WIDTH}p0"
        return _library(builder, name, LLVM[FLOATS], [places, ir.IntType(32)(8), every, empty])

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
    """Whether code is being made for a processor with a feature."""
    return f"+{feature}" in context.codegen()._tm_features.split(",")


def _permuted(builder: Any, memory: Any, first: Any, index: Any) -> Any:
    """Of eight numbers in a register the one at each lane's index, by AVX-512."""
    eight = ir.VectorType(F64, 8)
    at = builder.bitcast(builder.gep(memory, [first]), eight.as_pointer())
    table, name = builder.load(at, align=8), "llvm.x86.avx512.permvar.df.512"
    parts = _parts(builder, index, 8)
    return _joined(builder, [_library(builder, name, eight, [table, part]) for part in parts])


def _permuted_halves(builder: Any, memory: Any, first: Any, index: Any, bits: int) -> Any:
    """The same by AVX2, which moves halves of numbers, among four at a time."""
    four, halves = ir.VectorType(F64, 4), ir.VectorType(ir.FloatType(), 8)
    double = builder.shl(index, _spread(builder, U64(1)))
    second = builder.shl(double, _spread(builder, U64(32)))
    places = builder.or_(builder.or_(double, second), _spread(builder, U64(1 << 32)))

    def among(base: int) -> Any:
        start = builder.gep(memory, [builder.add(first, U64(base))])
        table = builder.load(builder.bitcast(start, halves.as_pointer()), align=8)
        parts = [
            builder.bitcast(part, ir.VectorType(ir.IntType(32), 8))
            for part in _parts(builder, places, 4)
        ]
        name = "llvm.x86.avx2.permps"
        moved = [_library(builder, name, halves, [table, part]) for part in parts]
        return _joined(builder, [builder.bitcast(part, four) for part in moved])

    if bits < 3:
        return among(0)
    on = builder.and_(index, _spread(builder, U64(4)))
    upper = builder.icmp_unsigned("!=", on, ir.Constant(on.type, [0] * WIDTH))
    return builder.select(upper, among(4), among(0))


def _chosen_by_bits(builder: Any, memory: Any, first: Any, index: Any, bits: int) -> Any:
    """The same on any processor, by a choice for each bit of the index."""
    places = [builder.gep(memory, [builder.add(first, U64(k))]) for k in range(1 << bits)]
    left = [_spread(builder, builder.load(place)) for place in places]
    for bit in range(bits):
        on = builder.and_(index, _spread(builder, U64(1 << bit)))
        mask = builder.icmp_unsigned("!=", on, ir.Constant(on.type, [0] * WIDTH))
        pairs = zip(left[::2], left[1::2], strict=True)
        left = [builder.select(mask, odd, even) for even, odd in pairs]
    return left[0]


def _one_of(bits: int) -> Callable[..., Any]:
    """Typing of a choice among 2**bits numbers."""

    def typed(typingctx, memory, first, index):
        """Vector of the numbers (float64) at `first` plus the index of each lane.

        A choice among what registers hold is faster than a look into memory. Eight numbers from
        `first` on must be readable.
        """

        def build(context, builder, sig, arguments):
            if _has(context, "avx512f"):
                return _permuted(builder, *arguments)
            if _has(context, "avx2") and bits > 1:
                return _permuted_halves(builder, *arguments, bits)
            return _chosen_by_bits(builder, *arguments, bits)

        return signature(FLOATS, memory, types.intp, WORDS), build

    return typed


def _read(typingctx, memory, index):
    """The number at an index."""

    def build(context, builder, sig, arguments):
        at = builder.gep(arguments[0], [arguments[1]])
        return context.unpack_value(builder, memory.dtype, at)

    return signature(memory.dtype, memory, types.intp), build


def _write(typingctx, memory, index, value):
    """Write a number to an index."""

    def build(context, builder, sig, arguments):
        at = builder.gep(arguments[0], [arguments[1]])
        context.pack_value(builder, memory.dtype, arguments[2], at)
        return context.get_dummy_value()

    return signature(types.none, memory, types.intp, memory.dtype), build


bare: Any = intrinsic(_bare)
load: Any = intrinsic(_load)
store: Any = intrinsic(_store)
gather: Any = intrinsic(_gather)
one_of_2: Any = intrinsic(_one_of(1))
one_of_4: Any = intrinsic(_one_of(2))
one_of_8: Any = intrinsic(_one_of(3))
read: Any = intrinsic(_read)
write: Any = intrinsic(_write)
