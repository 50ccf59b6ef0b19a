"""Arithmetic, comparisons, `min`, `max` and `math.sqrt` of vectors, lane by lane."""

import math
import operator
from collections.abc import Callable
from typing import Any

from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin

from trajsim.compiled.simd.kinds import FLOATS, MASK, WIDTH, WORDS, Vector, library, spread_value


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
        return build(builder, *(spread_value(builder, a) for a in arguments))

    infer_global(function)(Typing)
    single = operand.dtype
    forms: dict[int, list[tuple[Any, ...]]] = {
        1: [(operand,)],
        2: [(operand, operand), (operand, single), (single, operand)],
    }
    for form in forms[operands]:
        lower_builtin(function, *form)(lower)


def _plain(name: str) -> Callable[..., Any]:
    return lambda builder, *operands: getattr(builder, name)(*operands)


def _contracted(name: str) -> Callable[..., Any]:
    # Allow fused multiply-add, and nothing else.
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
    lambda builder, a: library(builder, f"llvm.sqrt.v{WIDTH}f64", a.type, [a]),
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
