"""Turns what a script returned into the columns that the caller asked for.

Columns go on to C++ (column_from_python), which knows the target types. A column is one of

* a one-dimensional numpy array (any dtype, objects too),
* a list of Python objects,
* a pair ``(values, mask)`` of numpy arrays, where a true ``mask`` means NULL.

How a result becomes rows
-------------------------
``None``
    no rows.
frame (pandas, polars, pyarrow, anything with ``__arrow_c_stream__``, structured numpy array)
    columns by name; the index of a pandas frame is not a column.
Series, Index, one-dimensional array, pyarrow or polars column
    one column, by position.
two-dimensional array
    rows, columns by position.
tuple
    of scalars: one row, by position; of tuples, lists or arrays: rows, by position.
list, set, range, dict view
    of scalars: rows of one column; of tuples, lists or arrays: rows, by position; of dicts: a
    frame (a key that some dicts lack is NULL there).
dict
    any value a scalar: one row, by name; all values lists, arrays or Series of one length: a
    frame. Unequal lengths are an error.
anything else
    a scalar: one row of one column.

Columns that hold lists, json or composites
-------------------------------------------
* A flat list or one-dimensional array for a lone list column is one value; a nested one is rows.
* A dict for a lone json or composite column is one value, unless the column's name is one of its
  keys; so are dicts in a list for such a column.
* A tuple as long as there are columns is one row when its lists stand exactly where the columns
  are list, json or composite.
* A dict whose asked-for columns are all list columns holding flat lists is one row.

Names match exactly, else case-insensitively where that is unique. A label that is not text counts
by its ``str()``, the tuple of a MultiIndex by its parts joined with ``_``.
"""

from __future__ import annotations

import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

try:
    from _oml_epe import Error
    from _oml_epe_runtime.checks import (
        checked_codes,
        checked_stream,
        plain_array,
        validated,
    )
except ImportError:  # outside an engine: the tests of this module
    Error = Exception

    def plain_array(array: Any) -> Any:
        return sys.modules["numpy"].ndarray.view(array, sys.modules["numpy"].ndarray)

    def checked_stream(exporter: Any) -> Any:
        return exporter

    def validated(value: Any) -> Any:
        return value

    def checked_codes(value: Any) -> Any:
        return value


__all__ = ["ResultError", "relational"]

Columns = tuple[list[Any], int]


class ResultError(Error):
    """A result that does not fit what was asked for.

    Attributes
    ----------
    sqlstate : str
        42703 for a missing column, 42702 for an ambiguous one, 42804 when the shape does not
        fit, 22023 otherwise.
    detail : str
        A sentence, or empty.
    """

    def __init__(self, message: str, sqlstate: str = "22023", detail: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.detail = detail


def relational(result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool) -> Columns:
    """Lay out a result as columns.

    Parameters
    ----------
    result : Any
        What the script returned.
    names, kinds : Sequence[str]
        The asked-for columns and their kinds, as core's kind_name spells them.
    is_scalar : bool
        The columns are matched by position: a lone one without a name, or a prototype's.

    Returns
    -------
    columns : list
        One a name, see the module.
    row_count : int
    """
    handler = _handlers.get(type(result))
    if handler is None:
        handler = _find_handler(type(result))
    return handler(result, names, kinds, is_scalar)


# ------------------------------------------------------------------------------------- by position


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _check_width(width: int, names: Sequence[str]) -> None:
    if width != len(names):
        raise ResultError(
            f"the function returned {_plural(width, 'column')}, "
            f"but {_plural(len(names), 'column')} {'is' if len(names) == 1 else 'are'} asked for",
            "42804",
        )


def _none(result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool) -> Columns:
    return [[] for _ in names], 0


def _scalar(result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool) -> Columns:
    if len(names) != 1:
        raise ResultError(
            f"the function returned one value of type {type(result).__name__}, "
            f"but {_plural(len(names), 'column')} are asked for",
            "42804",
        )
    return [[result]], 1


def _one_column(values: Any, names: Sequence[str], row_count: int) -> Columns:
    _check_width(1, names)
    return [values], row_count


_CONTAINER_KINDS = frozenset(("list", "json", "struct"))
# The types whose values can be a row or a column. numpy's and pandas' are recognised by name,
# since neither need be imported.
_SEQUENCES = (list, tuple, range, set, frozenset, deque)


def _is_list_like(value: Any) -> bool:
    """True for what can be a row or a column: not for text, bytes, dicts and 0-d arrays."""
    kind = type(value)
    if kind in _PLAIN:
        return False
    if isinstance(value, _SEQUENCES):
        return True
    if isinstance(value, (str, bytes, dict)):
        return False
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if isinstance(value, numpy.ndarray):
            return bool(value.ndim > 0)
        if isinstance(value, numpy.void):
            return value.dtype.names is not None
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(
        value, (pandas.Series, pandas.Index, pandas.api.extensions.ExtensionArray)
    ):
        return True
    return kind.__module__.partition(".")[0] in ("polars", "pyarrow") and hasattr(kind, "__len__")


_PLAIN = frozenset((int, float, str, bool, type(None), bytes, dict))


def _is_flat(values: Any) -> bool:
    """True when no element of a list-like is list-like itself."""
    dimensions = getattr(values, "ndim", None)
    dtype = getattr(values, "dtype", None)
    if dimensions is not None and getattr(dtype, "kind", "O") != "O":
        return bool(dimensions == 1)
    return not any(map(_is_list_like, values))


def _is_value_dict(value: Any, names: Sequence[str], kinds: Sequence[str]) -> bool:
    """True when a dict is one value of the lone json or composite column."""
    return (
        len(names) == 1
        and kinds[0] in ("json", "struct")
        and not any(_label(key) == names[0] for key in value)
    )


def _tuple(result: tuple, names: Sequence[str], kinds: Sequence[str], is_scalar: bool) -> Columns:
    shapes = [_is_list_like(value) for value in result]
    if True not in shapes:
        if result and isinstance(result[0], dict) and all(isinstance(v, dict) for v in result):
            return _sequence(list(result), names, kinds, is_scalar)
    elif shapes != [kind in _CONTAINER_KINDS for kind in kinds]:
        return _sequence(list(result), names, kinds, is_scalar)
    if len(result) != len(names):
        raise ResultError(
            f"the function returned a tuple of {_plural(len(result), 'value')}, "
            f"but {_plural(len(names), 'column')} {'is' if len(names) == 1 else 'are'} asked for",
            "42804",
        )
    return [[value] for value in result], 1


def _iterable(
    result: Iterable, names: Sequence[str], kinds: Sequence[str], is_scalar: bool
) -> Columns:
    return _sequence(list(result), names, kinds, is_scalar)


def _sequence(result: list, names: Sequence[str], kinds: Sequence[str], is_scalar: bool) -> Columns:
    # Numbers and texts, the usual elements, need no look at each of them.
    types = set(map(type, result))
    if types <= _SCALARS:
        if kinds == ["list"] or tuple(kinds) == ("list",):
            return [[result]], 1
        return (
            _one_column(result, names, len(result))
            if result
            else _none(result, names, kinds, False)
        )
    if any(issubclass(kind, dict) for kind in types):
        return _dicts(result, names, kinds, is_scalar)
    if len(names) == 1 and kinds[0] == "list":
        return _list_values(result)
    is_row = [_is_list_like(value) for value in result]
    if not any(is_row):
        frame = next((value for value in result if _is_frame(value)), None)
        if frame is not None:
            raise ResultError(
                f"the function returned a {type(result).__name__} of {type(frame).__name__}; "
                "concatenate the frames, or yield them one at a time",
                "42804",
            )
        return _one_column(result, names, len(result))
    if len(names) == 1 and kinds[0] in _CONTAINER_KINDS and tuple not in types:
        return [result], len(result)
    return _rows(result, is_row, names)


def _list_values(result: list) -> Columns:
    """The values of a lone list column: one flat list, or rows of lists."""
    if not any(map(_is_list_like, result)):
        return [[result]], 1
    if all(isinstance(row, tuple) and len(row) == 1 and _is_list_like(row[0]) for row in result):
        return [[row[0] for row in result]], len(result)
    return [result], len(result)


def _rows(result: list, is_row: list[bool], names: Sequence[str]) -> Columns:
    width = len(names)
    for number, (row, is_list) in enumerate(zip(result, is_row), 1):
        if not is_list:
            raise ResultError(
                f"row {number} of the result is a single value of type {type(row).__name__}, "
                f"but {_plural(width, 'value')} {'is' if width == 1 else 'are'} asked for",
                "42804",
            )
        if len(row) != width:
            raise ResultError(
                f"row {number} of the result has {_plural(len(row), 'value')}, "
                f"but {_plural(width, 'column')} {'is' if width == 1 else 'are'} asked for",
                "42804",
            )
    return [list(column) for column in zip(*result)], len(result)


def _dicts(result: list, names: Sequence[str], kinds: Sequence[str], is_scalar: bool) -> Columns:
    """A list of dicts: a frame by name, unless the lone column holds dicts."""
    for number, row in enumerate(result, 1):
        if not isinstance(row, dict) and row is not None:
            if len(names) == 1 and kinds[0] in ("json", "struct"):
                return [result], len(result)
            raise ResultError(
                f"row {number} of the result is of type {type(row).__name__}, the others are dicts",
                "42804",
            )
    if all(row is None or _is_value_dict(row, names, kinds) for row in result):
        return [result], len(result)
    rows: list[dict] = [{} if row is None else row for row in result]
    keys = list(dict.fromkeys(itertools.chain.from_iterable(rows)))
    positions = _positions(keys, names, is_scalar)
    return [[row.get(keys[position]) for row in rows] for position in positions], len(rows)


# ----------------------------------------------------------------------------------------- by name


def _label(label: Any) -> str:
    if type(label) is str:
        return label
    if isinstance(label, tuple):
        return "_".join(str(part) for part in label if part != "")
    return str(label)


def _list_names(labels: Iterable[Any]) -> str:
    texts = [f'"{_label(label)}"' for label in labels]
    if not texts:
        return "no columns"
    if len(texts) > 20:
        return ", ".join(texts[:20]) + f" and {len(texts) - 20} more"
    return ", ".join(texts)


def _match(labels: Sequence[Any], names: Sequence[str]) -> Sequence[int]:
    """Where each name stands among the labels."""
    width = len(names)
    if len(labels) == width and all(map(str.__eq__, names, map(_label, labels))):
        if len(set(names)) == width:
            return range(width)
    exact: dict[str, list[int]] = {}
    folded: dict[str, list[int]] = {}
    for position, label in enumerate(map(_label, labels)):
        exact.setdefault(label, []).append(position)
        folded.setdefault(label.casefold(), []).append(position)
    positions = []
    for name in names:
        found = exact.get(name) or folded.get(name.casefold())
        if found is None:
            raise ResultError(
                f'the result has no column "{name}"', "42703", f"It has {_list_names(labels)}."
            )
        if len(found) > 1:
            raise ResultError(
                f'column "{name}" of the result is ambiguous',
                "42702",
                f"It has {_list_names(labels[position] for position in found)}.",
            )
        positions.append(found[0])
    return positions


def _positions(labels: Sequence[Any], names: Sequence[str], is_scalar: bool) -> Sequence[int]:
    if is_scalar:
        _check_width(len(labels), names)
        return range(len(names))
    return _match(labels, names)


def _dict(result: dict, names: Sequence[str], kinds: Sequence[str], is_scalar: bool) -> Columns:
    if _is_value_dict(result, names, kinds):
        return [[result]], 1
    keys = list(result)
    positions = _positions(keys, names, is_scalar)
    chosen = [result[keys[position]] for position in positions]
    if not all(map(_is_list_like, result.values())) or (
        all(kind == "list" for kind in kinds) and all(map(_is_flat, chosen))
    ):
        return [[value] for value in chosen], 1
    lengths = {key: len(value) for key, value in result.items()}
    row_count = len(chosen[0]) if chosen else 0
    if any(length != row_count for length in lengths.values()):
        listed = ", ".join(f'"{_label(key)}" has {length}' for key, length in lengths.items())
        raise ResultError("the columns of the result differ in length", "42804", f"{listed}.")
    return [_column(value, kind) for value, kind in zip(chosen, kinds)], row_count


def _column(value: Any, kind: str) -> Any:
    """A list-like of any type as a column."""
    if type(value) is list:
        return value
    if isinstance(value, _SEQUENCES):
        return list(value)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        return _array_column(value)
    columns, _ = relational(value, ("",), (kind,), True)
    return columns[0]


# ------------------------------------------------------------------------------------------- numpy


def _masked_parts(values: Any) -> tuple[Any, Any]:
    """Data and mask of a masked array, as numpy itself has them."""
    data = plain_array(values)
    mask = plain_array(sys.modules["numpy"].ma.getmaskarray(values))
    if mask.dtype != bool or mask.shape != data.shape:
        raise ResultError("the mask of an array does not fit its data")
    return data, mask


def _array_column(values: Any) -> Any:
    """A numpy array as a column: of rows along its first axis when it has more."""
    numpy = sys.modules["numpy"]
    if isinstance(values, numpy.ma.MaskedArray):
        data, mask = _masked_parts(values)
        if data.ndim != 1 or data.dtype.kind in "OSUVT":
            return list(numpy.where(mask, None, data.astype(object)))
        return (data, mask) if mask.any() else data
    values = plain_array(values)
    if values.dtype.kind == "T" and values.ndim == 1:
        # numpy 2's StringDType, which has no buffer. Whatever is no text stands for a missing one.
        return [value if isinstance(value, str) else None for value in values.tolist()]
    return values if values.ndim == 1 else list(values)


def _ndarray(result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool) -> Columns:
    numpy = sys.modules["numpy"]
    if isinstance(result, numpy.ma.core.MaskedConstant):
        return _scalar(None, names, kinds, is_scalar)
    if not isinstance(result, numpy.ma.MaskedArray):
        # A matrix stays two-dimensional when sliced, a plain array does not.
        result = plain_array(result)
    if result.dtype.names is not None:
        fields = result.reshape(-1)
        labels = result.dtype.names
        positions = _positions(labels, names, is_scalar)
        return [_array_column(fields[labels[position]]) for position in positions], len(fields)
    if result.ndim == 0:
        value = result[()] if result.dtype != object else result.item()
        return relational(value, names, kinds, is_scalar)
    if len(names) == 1 and kinds[0] == "list":
        return ([list(result)], len(result)) if result.ndim > 1 else ([[result]], 1)
    if result.ndim == 1:
        return _one_column(_array_column(result), names, len(result))
    if result.ndim > 2 and not all(kind in _CONTAINER_KINDS for kind in kinds):
        raise ResultError(
            f"the function returned an array of {result.ndim} dimensions: at most 2 make columns",
            "42804",
        )
    _check_width(result.shape[1], names)
    return [_array_column(result[:, position]) for position in range(len(names))], len(result)


def _void(result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool) -> Columns:
    """A row of a structured array."""
    if result.dtype.names is None:
        return _scalar(bytes(result), names, kinds, is_scalar)
    positions = _positions(result.dtype.names, names, is_scalar)
    return [[result[position]] for position in positions], 1


# ------------------------------------------------------------------------------------------ pandas


def _frame(result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool) -> Columns:
    labels = checked_codes(result.columns).tolist()
    row_count = len(result)
    if not labels and not row_count:
        return _none(result, names, kinds, is_scalar)
    positions = _positions(labels, names, is_scalar)
    # The array of a column without a Series around it; the public way is ten times slower.
    get_array = getattr(result, "_get_column_array", None)
    if get_array is None:

        def get_array(position: int) -> Any:
            return result.iloc[:, position].array

    return [
        _pandas_column(get_array(position), kind) for position, kind in zip(positions, kinds)
    ], row_count


def _series(result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool) -> Columns:
    return _one_column(_pandas_column(result.array, kinds[0] if kinds else ""), names, len(result))


def _multi_index(
    result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool
) -> Columns:
    return _frame(checked_codes(result).to_frame(index=False), names, kinds, is_scalar)


def _pandas_column(values: Any, kind: str) -> Any:
    """The array of a pandas column as numpy's, or as a list."""
    numpy = sys.modules["numpy"]
    pandas = sys.modules["pandas"]
    if type(values) is numpy.ndarray:
        return values
    dtype = checked_codes(values).dtype
    if isinstance(dtype, numpy.dtype):
        return _array_column(numpy.asarray(values))
    if isinstance(dtype, pandas.DatetimeTZDtype):
        return _aware_column(values, kind)
    if isinstance(dtype, pandas.CategoricalDtype):
        if isinstance(dtype.categories.dtype, pandas.DatetimeTZDtype):
            return numpy.asarray(values.astype(object))
        missing = values.isna()
        if not missing.any() or dtype.categories.dtype.kind in "mM":
            return numpy.asarray(values)
        # Not by way of floats, whose NaN may be a value.
        objects = numpy.array(values.astype(object))
        objects[missing] = None
        return objects
    if isinstance(dtype, pandas.StringDtype) and dtype.na_value is not pandas.NA:
        # The texts of pandas 3: NaN is no value there.
        return values.to_numpy(dtype=object, na_value=None)
    if isinstance(dtype, (pandas.PeriodDtype, pandas.IntervalDtype)):
        missing = values.isna()
        return [None if null else str(value) for value, null in zip(values, missing)]
    if isinstance(dtype, pandas.SparseDtype):
        return _array_column(
            numpy.asarray(values.to_dense() if hasattr(values, "to_dense") else values)
        )
    inner = getattr(dtype, "numpy_dtype", None)
    if isinstance(inner, numpy.dtype) and inner.kind in "biuf":
        mask = values.isna()
        plain = values.to_numpy(dtype=inner, na_value=inner.type(0))
        return (plain, mask) if mask.any() else plain
    return numpy.asarray(values, dtype=object)


def _aware_column(values: Any, kind: str) -> Any:
    """Times with a zone: UTC for timestamps of either sort, else objects that know theirs."""
    if kind in ("timestamptz", "timestamp"):
        return values.tz_convert("UTC").tz_localize(None).to_numpy()
    return list(values)


# --------------------------------------------------------------------------------- pyarrow, polars


def _is_frame(value: Any) -> bool:
    kind = type(value)
    root = kind.__module__.partition(".")[0]
    return (root in ("pandas", "polars", "pyarrow") and hasattr(value, "columns")) or hasattr(
        value, "__arrow_c_stream__"
    )


def _arrow_table(
    result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool
) -> Columns:
    result = validated(result)
    positions = _positions(result.schema.names, names, is_scalar)
    return [
        _arrow_column(result.column(position), kind) for position, kind in zip(positions, kinds)
    ], result.num_rows


def _arrow_array(
    result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool
) -> Columns:
    return _one_column(
        _arrow_column(validated(result), kinds[0] if kinds else ""), names, len(result)
    )


def _arrow_column(values: Any, kind: str) -> Any:
    types = sys.modules["pyarrow"].types
    dtype = values.type
    if types.is_dictionary(dtype):
        values = (
            values.dictionary_decode()
            if hasattr(values, "dictionary_decode")
            else values.cast(dtype.value_type)
        )
        dtype = values.type
    if (
        types.is_timestamp(dtype)
        and dtype.tz is not None
        and kind
        not in (
            "timestamptz",
            "timestamp",
        )
    ):
        return values.to_pylist()
    if types.is_boolean(dtype) or types.is_integer(dtype) or types.is_floating(dtype):
        if values.null_count == 0 or types.is_float16(dtype):
            return _arrow_numpy(values)
        return _arrow_numpy(
            values.fill_null(False if types.is_boolean(dtype) else 0)
        ), _arrow_numpy(values.is_null())
    if (
        types.is_timestamp(dtype)
        or types.is_date32(dtype)
        or types.is_duration(dtype)
        or types.is_string(dtype)
        or types.is_large_string(dtype)
        or types.is_binary(dtype)
        or types.is_large_binary(dtype)
    ):
        return _arrow_numpy(values)
    return values.to_pylist()


def _arrow_numpy(values: Any) -> Any:
    # A ChunkedArray's to_numpy() copies where it must; an Array's has to be told that it may.
    if hasattr(values, "num_chunks"):
        return values.to_numpy()
    return values.to_numpy(zero_copy_only=False)


def _arrow_reader(
    result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool
) -> Columns:
    return _arrow_table(result.read_all(), names, kinds, is_scalar)


def _arrow_scalar(
    result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool
) -> Columns:
    return _scalar(result.as_py(), names, kinds, is_scalar)


def _arrow_exporter(
    result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool
) -> Columns:
    """Some other library's frame, through the Arrow C interface."""
    if "pyarrow" not in sys.modules and "polars" in sys.modules:
        frame = sys.modules["polars"].DataFrame(checked_stream(result))
        return _polars_frame(frame, names, kinds, is_scalar)
    try:
        import pyarrow
    except ImportError:
        raise ResultError(
            f"a result of type {type(result).__name__} needs pyarrow, which is not installed"
        ) from None
    return _arrow_table(pyarrow.table(checked_stream(result)), names, kinds, is_scalar)


def _polars_frame(
    result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool
) -> Columns:
    positions = _positions(result.columns, names, is_scalar)
    columns = result.get_columns()
    return [
        _polars_column(columns[position], kind) for position, kind in zip(positions, kinds)
    ], result.height


def _polars_lazy(
    result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool
) -> Columns:
    return _polars_frame(result.collect(), names, kinds, is_scalar)


def _polars_series(
    result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool
) -> Columns:
    return _one_column(_polars_column(result, kinds[0] if kinds else ""), names, len(result))


_POLARS_NUMBERS = frozenset(
    ("Boolean", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
    + ("Float32", "Float64")
)


def _polars_column(values: Any, kind: str) -> Any:
    dtype = values.dtype
    name = dtype.base_type().__name__
    if name in _POLARS_NUMBERS:
        if values.null_count() == 0:
            return values.to_numpy()
        filled = values.fill_null(False if name == "Boolean" else 0)
        return filled.to_numpy(), values.is_null().to_numpy()
    if name == "Datetime" and dtype.time_zone is not None:
        if kind not in ("timestamptz", "timestamp"):
            return values.to_list()
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if name in ("Datetime", "Duration", "Date"):
        return values.to_numpy()
    return values.to_list()


# ------------------------------------------------------------------------------------ the handlers

Handler = Callable[[Any, Sequence[str], Sequence[str], bool], Columns]

_SCALARS = frozenset((int, float, str, bool, bytes, type(None)))

# By exact type; _find_handler adds what it finds.
_handlers: dict[type, Handler] = {
    type(None): _none,
    int: _scalar,
    float: _scalar,
    str: _scalar,
    bool: _scalar,
    bytes: _scalar,
    tuple: _tuple,
    list: _sequence,
    dict: _dict,
    set: _iterable,
    frozenset: _iterable,
    deque: _iterable,
    range: _iterable,
    type({}.keys()): _iterable,
    type({}.values()): _iterable,
    type({}.items()): _iterable,
}

# By name of module and class, base classes included.
_FOREIGN: dict[str, tuple[tuple[str, Handler], ...]] = {
    "pandas": (
        ("DataFrame", _frame),
        ("Series", _series),
        ("MultiIndex", _multi_index),
        ("Index", _series),
    ),
    "numpy": (("ndarray", _ndarray), ("void", _void), ("generic", _scalar)),
    "pyarrow": (
        ("Table", _arrow_table),
        ("RecordBatch", _arrow_table),
        ("RecordBatchReader", _arrow_reader),
        ("Array", _arrow_array),
        ("ChunkedArray", _arrow_array),
        ("Scalar", _arrow_scalar),
    ),
    "polars": (
        ("DataFrame", _polars_frame),
        ("LazyFrame", _polars_lazy),
        ("Series", _polars_series),
    ),
}


def _find_handler(kind: type) -> Handler:
    """The handler of a type met for the first time; it is remembered."""
    handler = None
    for module_name, classes in _FOREIGN.items():
        module = sys.modules.get(module_name)
        if module is None or handler is not None:
            continue
        for class_name, candidate in classes:
            base = getattr(module, class_name, None)
            if isinstance(base, type) and issubclass(kind, base):
                handler = candidate
                break
    pandas = sys.modules.get("pandas")
    if handler is None and pandas is not None:
        if issubclass(kind, pandas.api.extensions.ExtensionArray):
            handler = _extension_array
    if handler is None and hasattr(kind, "__arrow_c_stream__"):
        handler = _arrow_exporter
    if handler is None:
        for base in (tuple, list, dict, set, frozenset, deque):
            if issubclass(kind, base):
                handler = _handlers[base]
                break
    if handler is None:
        handler = _scalar
    if len(_handlers) < 1000:
        _handlers[kind] = handler
    return handler


def _extension_array(
    result: Any, names: Sequence[str], kinds: Sequence[str], is_scalar: bool
) -> Columns:
    return _one_column(_pandas_column(result, kinds[0] if kinds else ""), names, len(result))
