"""Eight numbers at once: a vector type for compiled kernels, so that one recursion runs for eight signals.

A recursive filter cannot go faster along time, but eight signals can be filtered side by side. Inside a kernel
a `Lanes` value is eight float64 in vector registers; ``+ - *`` act on each, and the functions below do the
rest. The width is written into the instructions, so nothing depends on whether a compiler finds it.

Only kernels call these functions; everywhere else they are names without a use.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as _numba_intrinsic
from numba.extending import models, overload, register_model

from tonmeister.dsp.jit import kernel

__all__ = [
    "LANES", "absolute", "columns", "columns_at", "exp2", "flushed", "fma", "larger", "load", "load_floats", "log2",
    "rounded", "rows_from", "select_less", "smaller", "splat", "store", "store_floats", "swap_fours", "swap_pairs",
    "swap_twos", "total",
]  # fmt: skip

LANES: Final = 8
"""How many signals go side by side."""

_NUMBER: Final = ir.DoubleType()
_BITS: Final = ir.IntType(64)
_VECTOR: Final = ir.VectorType(_NUMBER, LANES)
_BIT_VECTOR: Final = ir.VectorType(_BITS, LANES)
_SMALL_VECTOR: Final = ir.VectorType(ir.FloatType(), LANES)


class LanesType(types.Type):
    """The type of eight float64 in kernels."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes{LANES}")


_LANES: Final[Any] = cast(Any, LanesType)()


def intrinsic(function: Callable[..., Any]) -> Any:
    """A function whose code is written here, instruction by instruction; kernels call it without the first argument."""
    return _numba_intrinsic(function)


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


def _bits(value: int) -> Any:
    return ir.Constant(_BIT_VECTOR, [value] * LANES)


def _numbers(value: float) -> Any:
    return ir.Constant(_VECTOR, [value] * LANES)


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any, vector: Any = _VECTOR) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ir.PointerType(vector))


def _shuffled(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    """Elements of a (0 to 7) and b (8 to 15) in an order."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), LANES), order))


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Eight vectors of eight as their columns: blocks of 4, then 2, then 1 change sides."""
    for half in (4, 2, 1):
        upper = [(i & ~half) | (8 if i & half else 0) for i in range(LANES)]
        lower = [(i | half) + (8 if i & half else 0) for i in range(LANES)]
        turned = list(rows)
        for k in range(LANES):
            if not k & half:
                turned[k] = _shuffled(builder, rows[k], rows[k | half], upper)
                turned[k | half] = _shuffled(builder, rows[k], rows[k | half], lower)
        rows = turned
    return rows


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """Eight numbers of a contiguous one-dimensional float64 array, from `index` on."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature.args[0], arguments[0], arguments[1])
        return builder.load(address, align=8)

    return _LANES(array, types.intp), code


@intrinsic
def store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write eight numbers into a contiguous one-dimensional float64 array, from `index` on."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature.args[0], arguments[0], arguments[1])
        builder.store(arguments[2], address, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, _LANES), code


@intrinsic
def load_floats(typing: Any, array: Any, index: Any) -> Any:
    """Eight numbers of a contiguous one-dimensional float32 array, from `index` on."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature.args[0], arguments[0], arguments[1], _SMALL_VECTOR)
        return builder.fpext(builder.load(address, align=4), _VECTOR)

    return _LANES(array, types.intp), code


@intrinsic
def store_floats(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write eight numbers into a contiguous one-dimensional float32 array, from `index` on."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature.args[0], arguments[0], arguments[1], _SMALL_VECTOR)
        builder.store(builder.fptrunc(arguments[2], _SMALL_VECTOR), address, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, _LANES), code


@intrinsic
def columns(typing: Any, rows: Any, stride: Any, at: Any, target: Any, index: Any) -> Any:
    """Eight frames of eight float32 rows, `stride` apart, to float64 ``target[frame][lane]``."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, stride, at, target, index = arguments
        found = []
        for lane in range(LANES):
            place = builder.add(at, builder.mul(stride, ir.Constant(_BITS, lane)))
            address = _address(context, builder, signature.args[0], source, place, _SMALL_VECTOR)
            found.append(builder.load(address, align=4))
        for frame, lanes in enumerate(_transposed(builder, found)):
            place = builder.add(index, ir.Constant(_BITS, frame * LANES))
            address = _address(context, builder, signature.args[3], target, place)
            builder.store(builder.fpext(lanes, _VECTOR), address, align=8)
        return context.get_dummy_value()

    return types.void(rows, types.intp, types.intp, target, types.intp), code


@intrinsic
def columns_at(typing: Any, rows: Any, places: Any, first: Any, target: Any) -> Any:
    """As `columns`, the eight rows beginning at ``places[first]`` to ``places[first + 7]``, to the start of `target`."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, places, first, target = arguments
        held = context.make_array(signature.args[1])(context, builder, places).data
        found = []
        for lane in range(LANES):
            place = builder.load(builder.gep(held, [builder.add(first, ir.Constant(_BITS, lane))]))
            address = _address(context, builder, signature.args[0], source, place, _SMALL_VECTOR)
            found.append(builder.load(address, align=4))
        for frame, lanes in enumerate(_transposed(builder, found)):
            place = ir.Constant(_BITS, frame * LANES)
            address = _address(context, builder, signature.args[3], target, place)
            builder.store(builder.fpext(lanes, _VECTOR), address, align=8)
        return context.get_dummy_value()

    return types.void(rows, places, types.intp, target), code


@intrinsic
def rows_from(typing: Any, source: Any, index: Any, rows: Any, stride: Any, at: Any) -> Any:
    """The way back: eight frames of ``source[frame][lane]`` to eight float32 rows."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, index, target, stride, at = arguments
        found = []
        for frame in range(LANES):
            place = builder.add(index, ir.Constant(_BITS, frame * LANES))
            address = _address(context, builder, signature.args[0], source, place)
            found.append(builder.fptrunc(builder.load(address, align=8), _SMALL_VECTOR))
        for lane, frames in enumerate(_transposed(builder, found)):
            place = builder.add(at, builder.mul(stride, ir.Constant(_BITS, lane)))
            address = _address(context, builder, signature.args[2], target, place, _SMALL_VECTOR)
            builder.store(frames, address, align=4)
        return context.get_dummy_value()

    return types.void(source, types.intp, rows, types.intp, types.intp), code


@intrinsic
def splat(typing: Any, value: Any) -> Any:
    """One number in every lane."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lane = ir.Constant(ir.IntType(32), 0)
        first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), arguments[0], lane)
        nowhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), nowhere)

    return _LANES(types.float64), code


def _operation(build: Callable[[Any, Any], Any], count: int) -> Any:
    """An intrinsic on `count` vectors."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return build(builder, arguments)

    return _LANES(*([_LANES] * count)), code


def _call(builder: Any, name: str, arguments: Any) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(arguments))
    insert: Any = cgutils.get_or_insert_function
    function = insert(builder.module, kind, f"llvm.{name}.v{LANES}f64")
    return builder.call(function, arguments)


@intrinsic
def _add(typing: Any, a: Any, b: Any) -> Any:
    return _operation(lambda builder, given: builder.fadd(*given), 2)


@intrinsic
def _subtract(typing: Any, a: Any, b: Any) -> Any:
    return _operation(lambda builder, given: builder.fsub(*given), 2)


@intrinsic
def _multiply(typing: Any, a: Any, b: Any) -> Any:
    return _operation(lambda builder, given: builder.fmul(*given), 2)


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once where the processor can."""
    return _operation(lambda builder, given: _call(builder, "fmuladd", given), 3)


@intrinsic
def absolute(typing: Any, a: Any) -> Any:
    """|a|."""
    return _operation(lambda builder, given: _call(builder, "fabs", given), 1)


@intrinsic
def larger(typing: Any, a: Any, b: Any) -> Any:
    """The larger of a and b."""
    return _operation(
        lambda builder, given: builder.select(builder.fcmp_ordered(">", *given), given[0], given[1]), 2
    )


@intrinsic
def smaller(typing: Any, a: Any, b: Any) -> Any:
    """The smaller of a and b."""
    return _operation(
        lambda builder, given: builder.select(builder.fcmp_ordered("<", *given), given[0], given[1]), 2
    )


@intrinsic
def select_less(typing: Any, a: Any, b: Any, then: Any, otherwise: Any) -> Any:
    """`then` where a < b, else `otherwise`."""
    return _operation(
        lambda builder, given: builder.select(builder.fcmp_ordered("<", *given[:2]), given[2], given[3]), 4
    )


@intrinsic
def rounded(typing: Any, a: Any) -> Any:
    """a as float32 holds it."""
    return _operation(
        lambda builder, given: builder.fpext(builder.fptrunc(given[0], _SMALL_VECTOR), _VECTOR), 1
    )


def _swap(half: int) -> Any:
    order = [lane ^ half for lane in range(LANES)]
    return _operation(lambda builder, given: _shuffled(builder, given[0], given[0], order), 1)


@intrinsic
def swap_pairs(typing: Any, a: Any) -> Any:
    """Lanes 1 0 3 2 5 4 7 6."""
    return _swap(1)


@intrinsic
def swap_twos(typing: Any, a: Any) -> Any:
    """Lanes 2 3 0 1 6 7 4 5."""
    return _swap(2)


@intrinsic
def swap_fours(typing: Any, a: Any) -> Any:
    """Lanes 4 5 6 7 0 1 2 3."""
    return _swap(4)


@intrinsic
def _first(typing: Any, a: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.extract_element(arguments[0], ir.Constant(ir.IntType(32), 0))

    return types.float64(_LANES), code


@intrinsic
def _exponent(typing: Any, a: Any) -> Any:
    """The exponent e of a = m 2^e, 1 <= m < 2, for a >= 0, as a number; -1023 for 0."""

    def build(builder: Any, given: Any) -> Any:
        exponent = builder.lshr(builder.bitcast(given[0], _BIT_VECTOR), _bits(52))
        number = builder.bitcast(builder.or_(exponent, _bits(0x4330000000000000)), _VECTOR)
        return builder.fsub(number, _numbers(2.0**52 + 1023.0))

    return _operation(build, 1)


@intrinsic
def _mantissa(typing: Any, a: Any) -> Any:
    """The mantissa m of a = m 2^e, 1 <= m < 2."""

    def build(builder: Any, given: Any) -> Any:
        fraction = builder.and_(builder.bitcast(given[0], _BIT_VECTOR), _bits(2**52 - 1))
        return builder.bitcast(builder.or_(fraction, _bits(0x3FF0000000000000)), _VECTOR)

    return _operation(build, 1)


@intrinsic
def _times_power(typing: Any, a: Any, shifted: Any) -> Any:
    """a 2^n, n in the lowest bits of `shifted`."""

    def build(builder: Any, given: Any) -> Any:
        power = builder.shl(builder.bitcast(given[1], _BIT_VECTOR), _bits(52))
        return builder.bitcast(builder.add(builder.bitcast(given[0], _BIT_VECTOR), power), _VECTOR)

    return _operation(build, 2)


def _operator(function: Any, implementation: Any) -> None:
    @overload(function, strict=False)
    def both(a: Any, b: Any) -> Any:
        if isinstance(a, LanesType) and isinstance(b, LanesType):
            return lambda a, b: implementation(a, b)
        return None


_operator(operator.add, _add)
_operator(operator.sub, _subtract)
_operator(operator.mul, _multiply)


def _log2_polynomial() -> tuple[float, ...]:
    """log2(m) for 1 <= m <= 2, degree 8, highest power first; error below 3e-7."""
    nodes = 1.5 + 0.5 * np.cos(np.pi * (np.arange(9) + 0.5) / 9)
    return tuple(float(c) for c in np.polyfit(nodes, np.log2(nodes), 8))


_LOG2: Final = _log2_polynomial()
_EXP2: Final = tuple(math.log(2.0) ** k / math.factorial(k) for k in range(7, -1, -1))
"""2^f for |f| <= 1/2, Taylor to degree 7; error below 6e-9."""
_ROUNDER: Final = 1.5 * 2.0**52
"""Adding it leaves a number's nearest whole in its lowest bits."""
_NOTHING: Final = 1e-30


@kernel
def log2(value: Any) -> Any:
    """Logarithm to base 2 of lanes >= 0, within 3e-7; 0 gives about -1023."""
    m = _mantissa(value)
    p = fma(splat(_LOG2[0]), m, splat(_LOG2[1]))
    p = fma(p, m, splat(_LOG2[2]))
    p = fma(p, m, splat(_LOG2[3]))
    p = fma(p, m, splat(_LOG2[4]))
    p = fma(p, m, splat(_LOG2[5]))
    p = fma(p, m, splat(_LOG2[6]))
    p = fma(p, m, splat(_LOG2[7]))
    p = fma(p, m, splat(_LOG2[8]))
    return p + _exponent(value)


@kernel
def exp2(value: Any) -> Any:
    """2 to the power of lanes between -1000 and 1000, within 6e-9 of the result; exactly 1 at 0."""
    shifted = value + splat(_ROUNDER)
    f = value - (shifted - splat(_ROUNDER))
    p = fma(splat(_EXP2[0]), f, splat(_EXP2[1]))
    p = fma(p, f, splat(_EXP2[2]))
    p = fma(p, f, splat(_EXP2[3]))
    p = fma(p, f, splat(_EXP2[4]))
    p = fma(p, f, splat(_EXP2[5]))
    p = fma(p, f, splat(_EXP2[6]))
    p = fma(p, f, splat(_EXP2[7]))
    return _times_power(p, shifted)


@kernel
def flushed(value: Any) -> Any:
    """The lanes, 0 where they are smaller than 1e-30: such numbers are slow and mean nothing."""
    return select_less(absolute(value), splat(_NOTHING), splat(0.0), value)


@kernel
def total(value: Any) -> Any:
    """The sum of the lanes, as a number."""
    value = value + swap_fours(value)
    value = value + swap_twos(value)
    return _first(value + swap_pairs(value))
