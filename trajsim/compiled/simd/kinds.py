"""The types: Vector, numbers side by side, and Memory, numbers one after the other."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

# Lanes of a vector: twice the width of the widest registers, to hide the latency of instructions.
# Results do not depend on it.
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


def spread_value(builder: Any, value: Any) -> Any:
    """LLVM vector of a value: unchanged if it is one, else the number in every lane."""
    if isinstance(value.type, ir.VectorType):
        return value
    empty = ir.Constant(ir.VectorType(value.type, WIDTH), ir.Undefined)
    one = builder.insert_element(empty, value, ir.IntType(32)(0))
    first = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(one, empty, first)


def library(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """Call a function of LLVM's own.

    Parameters
    ----------
    builder : of LLVM's code
    name : of the function
    result : LLVM type of its value
    arguments : LLVM values
    """
    kind = ir.FunctionType(result, [a.type for a in arguments])
    declared = builder.module.globals.get(name)
    return builder.call(declared or ir.Function(builder.module, kind, name), arguments)
