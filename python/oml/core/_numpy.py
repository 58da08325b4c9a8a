"""Columns in numpy's functions: supported functions become SQL, all others raise an error."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from oml._db.parameters import plain_value
from oml.core import _numbers
from oml.core._expression import Expression, is_missing
from oml.core._sql import literal
from oml.core._types import common_type

if TYPE_CHECKING:
    import numpy
    import pandas

    from oml._annotations import AnyColumn, NumpyObject, UserFunction
    from oml._transfer.arrays import Array


class _Frame(Protocol):
    """What is read of an oml.DataFrame."""

    @property
    def columns(self) -> list[str]: ...

    def pull(self) -> pandas.DataFrame: ...


_BINARY: dict[str, Callable[[NumpyObject, NumpyObject], NumpyObject]] = {
    "add": operator.add,
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
    "divide": operator.truediv,
    "divmod": divmod,
    "equal": operator.eq,
    "float_power": operator.pow,
    "floor_divide": operator.floordiv,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "logical_and": operator.and_,
    "logical_or": operator.or_,
    "logical_xor": operator.xor,
    "matmul": operator.matmul,
    "multiply": operator.mul,
    "not_equal": operator.ne,
    "power": operator.pow,
    "remainder": operator.mod,
    "subtract": operator.sub,
}
_EXTREMES = {"fmax": False, "fmin": False, "maximum": True, "minimum": True}


def _invert(column: AnyColumn) -> NumpyObject:
    return ~column


_UNARY: dict[str, Callable[[NumpyObject], NumpyObject]] = {
    "absolute": abs,
    "ceil": lambda column: column.ceil(),
    "conjugate": operator.pos,
    "deg2rad": lambda column: column._function("radians"),
    "fabs": lambda column: abs(_float(column)),
    "floor": lambda column: column.floor(),
    "invert": _invert,
    "isfinite": lambda column: ~(column.isnan() | column.isinf()),
    "isinf": lambda column: column.isinf(),
    "isnan": lambda column: column.isnan(),
    "isnat": lambda column: column.isnull(),
    "logical_not": _invert,
    "negative": operator.neg,
    "positive": operator.pos,
    "rad2deg": lambda column: column._function("degrees"),
    "reciprocal": lambda column: 1.0 / column,
    "rint": lambda column: _float(column).round(0),
    "sign": lambda column: _sign(column),
    "square": lambda column: column * column,
    "trunc": lambda column: column._whole("trunc"),
}


def _float(column: AnyColumn) -> NumpyObject:
    value = f"({column._expression})::pg_catalog.float8"
    return column._derive(value, "double precision")


def _sign(column: AnyColumn) -> NumpyObject:
    value = f"pg_catalog.sign({column._present})"
    return column._derive(f"({value})::{column._wide_type}", column._wide_type)


def _is_number(column: AnyColumn) -> bool:
    return isinstance(column, Expression) and column._column.is_number


def _scalar(value: object) -> NumpyObject:
    """A column, or the Python value of a numpy value.

    Raises
    ------
    TypeError
        The value is an array of several values.
    """
    if isinstance(value, Expression):
        return value
    if getattr(value, "ndim", 0) or isinstance(value, (list, tuple)):
        raise refuse_local(value)
    plain = plain_value(value)
    return float(plain) if isinstance(plain, float) else plain  # not numpy.float64


def refuse_local(value: object) -> TypeError:
    """Return the error for a local value combined with a column."""
    return TypeError(
        f"a local {type(value).__name__} cannot be combined with a column of the database: "
        "use oml.push() and merge(), or pull() the column"
    )


def _refuse(name: str) -> TypeError:
    return TypeError(
        f"numpy.{name}() does not support database columns; use pull() to fetch their values"
    )


def apply_ufunc(
    ufunc: numpy.ufunc,
    method: str,
    inputs: tuple[NumpyObject, ...],
    keywords: dict[str, NumpyObject],
) -> NumpyObject:
    """Return the column for a universal function applied to columns and constants."""
    name = ufunc.__name__
    if method != "__call__":
        raise _refuse(f"{name}.{method}")
    if keywords:
        raise TypeError(f"numpy.{name}() does not support {', '.join(keywords)} with columns")
    operands = [_scalar(value) for value in inputs]
    if len(operands) == 2 and name in _EXTREMES:
        return _extreme(name, *operands)
    if len(operands) == 2 and name in _BINARY:
        return _BINARY[name](*operands)
    (column, *rest) = operands
    if not rest and name in _UNARY:
        try:
            return _UNARY[name](column)
        except AttributeError:
            raise TypeError(f"numpy.{name}() rejects {type(column).__name__} columns") from None
    if not rest and name in _numbers.FUNCTIONS and _is_number(column):
        return column._function(name)
    raise _refuse(name)


def _extreme(name: str, left: NumpyObject, right: NumpyObject) -> NumpyObject:
    """The larger or smaller of two values; missing if one is missing, or only if both are."""
    column: AnyColumn = left if isinstance(left, Expression) else right
    texts = []
    for value in (left, right):
        if isinstance(value, Expression):
            if value._source is not column._source:
                raise ValueError("columns of different rows cannot be combined; merge the frames")
            texts.append(value._present)
        else:
            texts.append(literal(value))
    function = "GREATEST" if "max" in name else "LEAST"
    if _EXTREMES[name]:
        tests = " OR ".join(f"{text} IS NULL" for text in texts)
        function = f"CASE WHEN {tests} THEN NULL ELSE {function}({', '.join(texts)}) END"
    else:
        function = f"{function}({', '.join(texts)})"
    kind = column._sql_type
    if _is_number(column):
        column._number(right if column is left else left)
        kind = column._result_type(right if column is left else left)
    return column._derive(f"CAST({function} AS {kind})", kind)


def as_array(values: NumpyObject, dtype: NumpyObject, copy: bool | None) -> Array:
    """Return the contents of a pandas object as a numpy array."""
    if copy is False:
        raise ValueError("the values are in the database, so an array cannot avoid a copy")
    array: Array = values.to_numpy() if dtype is None else values.to_numpy(dtype)
    return array


# --------------------------------------------------------------------------- numpy's functions


def _where(condition: object, x: object, y: object) -> NumpyObject:
    if not isinstance(condition, Expression) or condition._column.kind != "Boolean":
        raise TypeError("numpy.where() requires a Boolean column")
    column = next((value for value in (x, y) if isinstance(value, Expression)), condition)
    sides = [_scalar(value) for value in (x, y)]
    texts = [condition._operand(side) for side in sides]
    kinds = {_type_of(condition, side) for side in sides if not is_missing(side)}
    kind = common_type(list(kinds))
    name = column._name if column is not condition else ""
    chosen = f"CASE WHEN {condition._expression} THEN {texts[0]} ELSE {texts[1]} END"
    return condition._derive(f"CAST({chosen} AS {kind})", kind, name)


def _type_of(column: Expression, value: object) -> str:
    if isinstance(value, Expression):
        return value._sql_type
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "bigint" if -(2**63) <= value < 2**63 else "numeric"
    if isinstance(value, float):
        return "double precision"
    if isinstance(value, str):
        return "text"
    from oml._db.parameters import parameter

    return str(parameter(value)[1])


def _clip(a: object, a_min: NumpyObject = None, a_max: NumpyObject = None) -> NumpyObject:
    if a_min is not None:
        a = _extreme("maximum", a, _scalar(a_min))
    return a if a_max is None else _extreme("minimum", a, _scalar(a_max))


def _var(column: AnyColumn, ddof: int = 0) -> float:
    return float(column.std(ddof=ddof) ** 2)


_FUNCTIONS: dict[str, Callable[..., NumpyObject]] = {
    "all": lambda a: a.all(),
    "amax": lambda a: a.max(),
    "amin": lambda a: a.min(),
    "any": lambda a: a.any(),
    "around": lambda a, decimals=0: a.round(decimals),
    "clip": _clip,
    "dot": lambda a, b: a.dot(b),
    "isin": lambda element, test_elements: element.isin(test_elements),
    "max": lambda a: a.max(),
    "mean": lambda a: a.mean(),
    "median": lambda a: a.median(),
    "min": lambda a: a.min(),
    "nanmax": lambda a: a.max(),
    "nanmean": lambda a: a.mean(),
    "nanmedian": lambda a: a.median(),
    "nanmin": lambda a: a.min(),
    "nanstd": lambda a, ddof=0: a.std(ddof=ddof),
    "nansum": lambda a: a.sum(),
    "nanvar": _var,
    "ndim": lambda a: 1,
    "round": lambda a, decimals=0: a.round(decimals),
    "round_": lambda a, decimals=0: a.round(decimals),
    "shape": lambda a: (len(a),),
    "size": lambda a: len(a),
    "std": lambda a, ddof=0: a.std(ddof=ddof),
    "sum": lambda a: a.sum(),
    "var": _var,
    "where": _where,
}


def apply_function(
    function: UserFunction, args: tuple[NumpyObject, ...], keywords: dict[str, NumpyObject]
) -> NumpyObject:
    """Return the result of a numpy function applied to columns."""
    name = function.__name__
    if function.__module__ != "numpy" or name not in _FUNCTIONS:
        raise _refuse(name)
    given = {key: value for key, value in keywords.items() if not (key == "axis" and not value)}
    try:
        return _FUNCTIONS[name](*args, **given)
    except AttributeError:
        raise TypeError(f"numpy.{name}() rejects {type(args[0]).__name__} columns") from None


_FRAME_FUNCTIONS: dict[str, Callable[..., NumpyObject]] = {
    "ndim": lambda a: 2,
    "shape": lambda a: a.shape,
    "size": lambda a: a.shape[0] * a.shape[1],
}


def apply_frame_function(
    function: UserFunction, args: tuple[NumpyObject, ...], keywords: dict[str, NumpyObject]
) -> NumpyObject:
    """Return the result of a numpy function applied to a frame: only functions of its shape."""
    name = function.__name__
    if function.__module__ != "numpy" or name not in _FRAME_FUNCTIONS or keywords:
        raise TypeError(
            f"numpy.{name}() does not support database frames; use pull() to fetch their rows"
        )
    return _FRAME_FUNCTIONS[name](*args)


def rows_for_pandas(frame: _Frame) -> Array:
    """Return rows as records with names: pandas.DataFrame() requests an array, which has no
    names.

    Raises
    ------
    TypeError
        pandas would lose the names: they must be Python identifiers, and there must be a row.
    """
    import dataclasses
    import keyword

    import numpy

    names = frame.columns
    are_plain = all(name.isidentifier() and not keyword.iskeyword(name) for name in names)
    pulled = frame.pull() if are_plain else None
    if pulled is None or not len(pulled):
        raise TypeError("pandas.DataFrame() would lose the column names; use pull()")
    row_class = dataclasses.make_dataclass("Row", names)
    columns = [pulled.iloc[:, number].astype(object) for number in range(len(names))]
    rows = numpy.empty(len(pulled), dtype=object)
    for number, values in enumerate(zip(*columns)):
        rows[number] = row_class(*values)
    return rows
