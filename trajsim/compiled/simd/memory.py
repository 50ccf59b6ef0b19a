"""Memory: an array's data without its shape, read and written number by number or in vectors.

No references to it are counted, which would take as long as a short loop. It is written by calls,
not assignments: numba removes assignments to elements of a tuple passed to an inlined function.
"""

from typing import Any

from numba import types
from numba.core.typing.templates import signature
from numba.extending import intrinsic

from trajsim.compiled.simd.kinds import LLVM, VECTORS, Memory, Vector


def _bare_type(kind: Any) -> Any:
    if isinstance(kind, types.Array):
        if kind.layout != "C":
            raise TypeError("only a C-contiguous array has its numbers one after the other")
        return Memory(kind.dtype)
    if isinstance(kind, types.BaseTuple):
        parts: Any = kind
        cls = getattr(kind, "instance_class", None)
        return types.BaseTuple.from_types([_bare_type(k) for k in parts.types], cls)
    return kind


def _bare_value(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    if isinstance(kind, types.Array):
        return context.make_array(kind)(context, builder, value).data
    if isinstance(kind, types.BaseTuple):
        tuple_type: Any = kind
        parts = [
            _bare_value(context, builder, k, builder.extract_value(value, index))
            for index, k in enumerate(tuple_type.types)
        ]
        return context.make_tuple(builder, _bare_type(kind), parts)
    return value


def _bare(typingctx, kept):
    """The Memory of a contiguous array, or a tuple with its arrays' Memory in their places.

    The caller must keep the arrays alive: use it on arguments of a function only.
    """

    def build(context, builder, sig, arguments):
        return _bare_value(context, builder, sig.args[0], arguments[0])

    return signature(_bare_type(kept), kept), build


def _pointer(builder: Any, memory: Any, index: Any, kind: Vector) -> Any:
    return builder.bitcast(builder.gep(memory, [index]), LLVM[kind].as_pointer())


def _load(typingctx, memory, index):
    """Vector of the numbers at index ... index + WIDTH - 1."""
    kind = VECTORS[memory.dtype]

    def build(context, builder, sig, arguments):
        return builder.load(_pointer(builder, arguments[0], arguments[1], kind), align=8)

    return signature(kind, memory, types.intp), build


def _store(typingctx, memory, index, value):
    """Write a vector to index ... index + WIDTH - 1."""
    kind = VECTORS[memory.dtype]

    def build(context, builder, sig, arguments):
        builder.store(arguments[2], _pointer(builder, arguments[0], arguments[1], kind), align=8)
        return context.get_dummy_value()

    return signature(types.none, memory, types.intp, kind), build


def _read(typingctx, memory, index):
    """The number at an index."""

    def build(context, builder, sig, arguments):
        pointer = builder.gep(arguments[0], [arguments[1]])
        return context.unpack_value(builder, memory.dtype, pointer)

    return signature(memory.dtype, memory, types.intp), build


def _write(typingctx, memory, index, value):
    """Write a number to an index."""

    def build(context, builder, sig, arguments):
        pointer = builder.gep(arguments[0], [arguments[1]])
        context.pack_value(builder, memory.dtype, arguments[2], pointer)
        return context.get_dummy_value()

    return signature(types.none, memory, types.intp, memory.dtype), build


bare: Any = intrinsic(_bare)
load: Any = intrinsic(_load)
store: Any = intrinsic(_store)
read: Any = intrinsic(_read)
write: Any = intrinsic(_write)
