"""Converts the result of a script to the columns that the caller asked for.

Columns are passed to C++ (column_from_python), which knows the target types. A column is one of

* a one-dimensional numpy array (any dtype, objects too),
* a list of Python objects,
* a pair ``(values, mask)`` of numpy arrays, where a true ``mask`` means NULL.

How a result becomes rows
-------------------------
docs/reference/results.md has the table. In short: frames, structured arrays and dicts of columns
match by name, and so do rows with names (dicts, other Mappings, namedtuples, dataclasses,
records, Series with labels of text); arrays, tuples and lists match by position; everything else is
a scalar, one row of one column. The types of a result and the asked-for columns decide which of
these it is. No value of a single row changes the shape of the others.

Names match exactly, else case-insensitively if that is unique. A label that is not text is matched
by its ``str()``, the tuple of a MultiIndex by its parts joined with ``_``.
"""

# check_sizes: one dispatch by the type of a result, whose handlers share the rules of names.

from __future__ import annotations

import datetime
import enum
import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from _oml_epe_runtime.documents import documents, is_json_type, json_names
from _oml_epe_runtime.intervals import interval_text, is_interval_type

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


__all__ = ["Items", "ResultError", "composites", "hstore_text", "relational"]

Columns = tuple[list[Any], int]


class ResultError(Error):
    """A result that does not fit the requested columns.

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
        self.hint = ""


def relational(
    result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool
) -> Columns:
    """Convert a result to columns.

    Parameters
    ----------
    result : Any
        What the script returned.
    names, kinds : Sequence[str]
        The requested columns and their kinds, as returned by kind_name of core.
    by_position : bool
        Whether columns are matched by position: a single one without a name, or a prototype's.

    Returns
    -------
    columns : list
        One per name, see the module.
    row_count : int
    """
    handler = _handlers.get(type(result))
    if handler is None:
        handler = _find_handler(type(result))
    try:
        return handler(result, names, kinds, by_position)
    except ResultError as error:
        if not error.hint:
            error.hint = _fitting_list(result)
        raise


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


def _none(result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool) -> Columns:
    return [[] for _ in names], 0


def _scalar(result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool) -> Columns:
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


_UTC_KINDS = frozenset(("timestamptz", "timestamp", "date", "time"))  # aware times become UTC
_CONTAINER_KINDS = frozenset(("list", "json", "struct"))
# The types whose values can be a row or a column. numpy's and pandas' are recognised by name,
# since they may not be imported.
_SEQUENCES = (list, tuple, range, set, frozenset, deque)


def _is_list_like(value: Any) -> bool:
    """True for a value that can be a row or a column: not for text, bytes, dicts and 0-d arrays."""
    kind = type(value)
    if kind in _PLAIN:
        return False
    if isinstance(value, _SEQUENCES):
        return not is_interval_type(kind)
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
    """True when a dict is one value of the single json or composite column."""
    return (
        len(names) == 1
        and kinds[0] in ("json", "struct")
        and not any(_label(key) == names[0] for key in value)
    )


def _tuple(result: tuple, names: Sequence[str], kinds: Sequence[str], by_position: bool) -> Columns:
    labels = _labels_of(result)
    if labels is not None and not by_position and _has_name(labels, names):
        return _dict(dict(zip(labels, result)), names, kinds, by_position)
    shapes = [_is_list_like(value) for value in result]
    if True not in shapes:
        if result and all(map(_is_named, result)):
            return _sequence(list(result), names, kinds, by_position)
    elif len(result) != len(names) or any(
        is_list and kind not in _CONTAINER_KINDS for is_list, kind in zip(shapes, kinds)
    ):
        return _sequence(list(result), names, kinds, by_position)
    if len(result) != len(names):
        raise ResultError(
            f"the function returned a tuple of {_plural(len(result), 'value')}, "
            f"but {_plural(len(names), 'column')} {'is' if len(names) == 1 else 'are'} asked for",
            "42804",
        )
    return [[value] for value in result], 1


def _iterable(
    result: Iterable, names: Sequence[str], kinds: Sequence[str], by_position: bool
) -> Columns:
    return _sequence(list(result), names, kinds, by_position)


def _sequence(
    result: list, names: Sequence[str], kinds: Sequence[str], by_position: bool
) -> Columns:
    # Numbers and texts, the usual elements, need not be checked individually.
    types = set(map(type, result))
    if types <= _SCALARS:
        if kinds == ["list"] or tuple(kinds) == ("list",):
            return [[result]], 1
        return (
            _one_column(result, names, len(result))
            if result
            else _none(result, names, kinds, False)
        )
    if any(issubclass(kind, dict) or _may_be_named(kind) for kind in types):
        columns = _named_rows(result, names, kinds, by_position)
        if columns is not None:
            return columns
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
    if len(names) == 1 and kinds[0] in _CONTAINER_KINDS and not _are_tuples_of_one(result):
        return [result], len(result)
    return _rows(result, is_row, names)


def _list_values(result: list) -> Columns:
    """The values of a single list column: one flat list, or rows of lists."""
    if not any(map(_is_list_like, result)):
        return [[result]], 1
    if _are_tuples_of_one(result) and any(_is_list_like(row[0]) for row in result):
        return [[row[0] for row in result]], len(result)
    return [result], len(result)


def _are_tuples_of_one(result: list) -> bool:
    """True for the rows of a single column in the form that database drivers return."""
    return all(isinstance(row, tuple) and len(row) == 1 for row in result)


def _rows(result: list, is_row: list[bool], names: Sequence[str]) -> Columns:
    width = len(names)
    for number, (row, is_list) in enumerate(zip(result, is_row), 1):
        if not is_list:
            raise ResultError(
                f"row {number} of the result is a single value of type {type(row).__name__}, "
                f"but {_plural(width, 'value')} {'is' if width == 1 else 'are'} asked for",
                "42804",
            )
        _checked_row(row, number, names)
    return [list(column) for column in zip(*result)], len(result)


def _checked_row(row: Any, number: int, names: Sequence[str]) -> Any:
    """A row that is matched by position."""
    width = len(names)
    if len(row) != width:
        raise ResultError(
            f"row {number} of the result has {_plural(len(row), 'value')}, "
            f"but {_plural(width, 'column')} {'is' if width == 1 else 'are'} asked for",
            "42804",
        )
    return row


# ---------------------------------------------------------------------------- rows with names


_named_types: dict[type, bool] = {}


def _may_be_named(kind: type) -> bool:
    """Whether values of a type can have names; for Series it depends on their labels."""
    known = _named_types.get(kind)
    if known is None:
        known = _find_names(kind)
        if len(_named_types) < 1000:
            _named_types[kind] = known
    return known


def _find_names(kind: type) -> bool:
    if kind in _PLAIN or kind in (list, tuple) or issubclass(kind, enum.Enum):
        return False
    if issubclass(kind, tuple):
        return hasattr(kind, "_fields")
    if hasattr(kind, "__dataclass_fields__") or hasattr(kind, "__attrs_attrs__"):
        return True
    if issubclass(kind, Mapping):
        return True
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(kind, numpy.void):
        return True
    pandas = sys.modules.get("pandas")
    return pandas is not None and issubclass(kind, pandas.Series)


def _labels_of(value: Any) -> Sequence[Any] | None:
    """The names of a row, None if it has none."""
    kind = type(value)
    if isinstance(value, dict):
        return list(value)
    if not _may_be_named(kind):
        return None
    if isinstance(value, tuple):
        fields: Sequence[Any] = value._fields  # type: ignore[attr-defined]
        return fields
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.void):
        names: Sequence[Any] | None = value.dtype.names
        return names
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.Series):
        # Numbers and times count the elements; texts name them, as in the rows of a frame.
        labels: list[Any] = checked_codes(value.index).tolist()
        return labels if labels and all(isinstance(each, (str, tuple)) for each in labels) else None
    if isinstance(value, Mapping):
        return list(value)
    if hasattr(kind, "__dataclass_fields__"):
        import dataclasses

        return [field.name for field in dataclasses.fields(value)]
    return [field.name for field in kind.__attrs_attrs__]  # type: ignore[attr-defined]


def _is_named(value: Any) -> bool:
    return _labels_of(value) is not None


def _values_of(value: Any, labels: Sequence[Any]) -> list[Any]:
    """The values of a row, one per label."""
    if isinstance(value, Mapping):
        return [value[label] for label in labels]
    if isinstance(value, tuple):
        return list(value)
    if hasattr(type(value), "iloc"):
        return list(value)
    if hasattr(value, "dtype"):
        return [value[label] for label in labels]
    return [getattr(value, label) for label in labels]


def _has_name(labels: Sequence[Any], names: Sequence[str]) -> bool:
    """Whether one of the names is among the labels."""
    folded = {_label(label).casefold() for label in labels}
    return any(name.casefold() in folded for name in names)


def _row(labels: Sequence[Any], value: Any, names: Sequence[str], by_position: bool) -> Columns:
    """One row with names."""
    values = _values_of(value, labels)
    return [[values[position]] for position in _positions(labels, names, by_position)], 1


def _record(result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool) -> Columns:
    """A Mapping or a dataclass: one row, or one value of a single column."""
    if isinstance(result, Mapping):
        return _dict(dict(result), names, kinds, by_position)
    labels = _labels_of(result) or ()
    if len(names) == 1 and not _has_name(labels, names):
        return _scalar(result, names, kinds, by_position)
    return _dict(dict(zip(labels, _values_of(result, labels))), names, kinds, by_position)


def _is_document(value: Any, labels: Sequence[Any] | None, names: Sequence[str]) -> bool:
    """Whether a list element is a value of the single json or composite column, not a row."""
    if value is None or (labels is not None and not labels):
        return False
    return labels is None or not any(_label(label) == names[0] for label in labels)


def _named_rows(
    result: list, names: Sequence[str], kinds: Sequence[str], by_position: bool
) -> Columns | None:
    """A list in which rows have names; None when they do not apply to these columns."""
    labels = list(map(_labels_of, result))
    if not any(each is not None for each in labels):
        return None
    if len(names) == 1 and kinds[0] in ("json", "struct"):
        # Either all rows have names or none: one more document does not change the others.
        if any(_is_document(row, own, names) for row, own in zip(result, labels)):
            return [result], len(result)
        if not any(labels):
            return [result], len(result)
    if all(row is None or isinstance(row, dict) for row in result):
        return _dicts(result, names, by_position)
    dicts = [row is None or isinstance(row, Mapping) for row in result]
    is_found = by_position or any(own is not None and _has_name(own, names) for own in labels)
    if not is_found and not any(isinstance(row, Mapping) for row in result):
        sequences = [row is None or _is_list_like(row) for row in result]
        if all(sequences) or len(names) == 1:
            return None  # by position, or values of their own
    if by_position and not all(dicts):
        return None
    positions = _row_positions(result, labels, names, by_position)
    rows = [
        _values_by_name(row, own, where, names, number)
        for number, (row, own, where) in enumerate(zip(result, labels, positions), 1)
    ]
    return [list(column) for column in zip(*rows)], len(result)


def _dicts(result: list, names: Sequence[str], by_position: bool) -> Columns:
    rows: list[dict] = [{} if row is None else row for row in result]
    keys = list(dict.fromkeys(itertools.chain.from_iterable(rows)))
    positions = _positions(keys, names, by_position)
    return [[row.get(keys[position]) for row in rows] for position in positions], len(rows)


def _row_positions(
    result: list, labels: Sequence[Sequence[Any] | None], names: Sequence[str], by_position: bool
) -> list[Sequence[int | None]]:
    """The position of each name in each row; None where a row lacks it."""
    every: dict[Any, None] = {}
    known: dict[tuple[Any, ...], Sequence[int | None]] = {}
    for own in labels:
        if own is not None and tuple(own) not in known:
            known[tuple(own)] = ()
            every.update(dict.fromkeys(own))
            _check_ambiguity(own, names)
    union = list(every)
    chosen = (
        [union[position] for position in _positions(union, names, by_position)] if union else []
    )
    for own in known:
        places = {label: position for position, label in enumerate(own)}
        known[own] = [places.get(label) for label in chosen]
    return [() if own is None else known[tuple(own)] for own in labels]


def _check_ambiguity(labels: Sequence[Any], names: Sequence[str]) -> None:
    """Raise when a requested label occurs twice in a row."""
    if len(set(labels)) == len(labels):
        return
    present = [name for name in names if _has_name(labels, (name,))]
    _match(labels, present)


def _values_by_name(
    row: Any,
    labels: Sequence[Any] | None,
    positions: Sequence[int | None],
    names: Sequence[str],
    number: int,
) -> list[Any]:
    if row is None:
        return [None] * len(names)
    if labels is not None:
        values = _values_of(row, labels)
        return [None if position is None else values[position] for position in positions]
    if not _is_list_like(row):
        raise ResultError(
            f"row {number} of the result is of type {type(row).__name__}, the others carry names",
            "42804",
        )
    return list(_checked_row(row, number, names))


def composites(values: list, names: Sequence[str]) -> list:
    """Values for a column of a composite type: those with names of its fields as dicts."""
    plain = []
    for value in values:
        if not isinstance(value, dict):
            labels = _labels_of(value)
            if labels is not None and (_has_name(labels, names) or not _is_list_like(value)):
                value = dict(zip(map(_label, labels), _values_of(value, labels)))
        plain.append(value)
    return plain


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
    """The position of each name among the labels."""
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


def _positions(labels: Sequence[Any], names: Sequence[str], by_position: bool) -> Sequence[int]:
    if by_position:
        _check_width(len(labels), names)
        return range(len(names))
    return _match(labels, names)


def _dict(result: dict, names: Sequence[str], kinds: Sequence[str], by_position: bool) -> Columns:
    if _is_value_dict(result, names, kinds):
        return [[result]], 1
    keys = list(result)
    positions = _positions(keys, names, by_position)
    chosen = [result[keys[position]] for position in positions]
    is_list = list(map(_is_list_like, result.values()))
    if all(kind == "list" for kind in kinds) and all(map(_is_flat, chosen)):
        return [[value] for value in chosen], 1
    if not all(is_list) and not any(
        kind not in _CONTAINER_KINDS and _is_series(value) for value, kind in zip(chosen, kinds)
    ):
        return [[value] for value in chosen], 1
    aligned = _aligned(result)
    if aligned is not None:
        row_count, rows_of = aligned
        return [
            _aligned_column(result[key], rows_of.get(key), row_count, kind)
            for key, kind in zip((keys[position] for position in positions), kinds)
        ], row_count
    lengths = {key: len(value) for key, value in result.items()}
    row_count = len(chosen[0]) if chosen else 0
    if any(length != row_count for length in lengths.values()):
        listed = ", ".join(f'"{_label(key)}" has {length}' for key, length in lengths.items())
        raise ResultError("the columns of the result differ in length", "42804", f"{listed}.")
    return [_column(value, kind) for value, kind in zip(chosen, kinds)], row_count


def _is_series(value: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.Series)


def _aligned(result: dict) -> tuple[int, dict[Any, Any]] | None:
    """Align the Series of a dict like pandas.DataFrame(result); None if they are aligned already.

    Scalars beside Series are repeated in every row.

    Returns
    -------
    row_count : int
    positions : dict
        Key of a Series -> array: the position of each row's value in it, -1 where it has none.
    """
    series = {key: value for key, value in result.items() if _is_series(value)}
    if not series:
        return None
    first = next(iter(series.values())).index
    is_alike = all(value.index is first or value.index.equals(first) for value in series.values())
    if is_alike and all(map(_is_list_like, result.values())):
        return None
    numpy = sys.modules["numpy"]
    pandas = sys.modules["pandas"]
    # The positions of the values, not the values, which missing ones would turn into floats.
    places = [
        pandas.Series(numpy.arange(len(value), dtype="float64"), index=value.index)
        for value in series.values()
    ]
    try:
        frame = pandas.DataFrame(dict(enumerate(places)))
    except (ValueError, TypeError) as error:
        raise ResultError(
            "the Series of the result cannot be aligned by their index",
            "42804",
            f"pandas says: {error}.",
        ) from None
    for key, value in result.items():
        if key not in series and _is_list_like(value) and len(value) != len(frame):
            raise ResultError(
                "the columns of the result differ in length",
                "42804",
                f'"{_label(key)}" has {len(value)}, the aligned Series have {len(frame)}.',
            )
    return len(frame), {
        key: frame[number].fillna(-1).to_numpy().astype("int64")
        for number, key in enumerate(series)
    }


def _aligned_column(value: Any, places: Any, row_count: int, kind: str) -> Any:
    if places is not None:
        return _taken(value, places, kind)
    return _column(value, kind) if _is_list_like(value) else [value] * row_count


def _taken(series: Any, places: Any, kind: str) -> Any:
    """The values of a Series at some positions, NULL at -1."""
    numpy = sys.modules["numpy"]
    values = series.array
    if isinstance(series.dtype, numpy.dtype):
        values = plain_array(numpy.asarray(values))
    missing = places < 0
    if not missing.any():
        return _pandas_column(values.take(places), kind)
    if len(values) == 0:
        return [None] * len(places)
    column = _pandas_column(values.take(numpy.where(missing, 0, places)), kind)
    if isinstance(column, tuple):
        return column[0], column[1] | missing
    if isinstance(column, numpy.ndarray) and column.dtype.kind in "biufmM":
        return column, missing
    return [None if null else value for value, null in zip(column, missing)]


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
    """Data and mask of a masked array, from numpy's own attributes."""
    data = plain_array(values)
    mask = plain_array(sys.modules["numpy"].ma.getmaskarray(values))
    if mask.dtype != bool or mask.shape != data.shape:
        raise ResultError("the mask of an array does not fit its data")
    return data, mask


def _array_column(values: Any) -> Any:
    """A numpy array as a column: with rows along its first axis when it has several."""
    numpy = sys.modules["numpy"]
    if isinstance(values, numpy.ma.MaskedArray):
        data, mask = _masked_parts(values)
        if data.ndim != 1 or data.dtype.kind in "OSUVT":
            return list(numpy.where(mask, None, data.astype(object)))
        return (data, mask) if mask.any() else data
    values = plain_array(values)
    if values.dtype.kind == "T" and values.ndim == 1:
        # numpy 2's StringDType, which has no buffer. Other values than text are missing ones.
        return [value if isinstance(value, str) else None for value in values.tolist()]
    return values if values.ndim == 1 else list(values)


def _ndarray(result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool) -> Columns:
    numpy = sys.modules["numpy"]
    if isinstance(result, numpy.ma.core.MaskedConstant):
        return _scalar(None, names, kinds, by_position)
    if not isinstance(result, numpy.ma.MaskedArray):
        # A matrix stays two-dimensional when sliced, a plain array does not.
        result = plain_array(result)
    if result.dtype.names is not None:
        fields = result.reshape(-1)
        labels = result.dtype.names
        positions = _positions(labels, names, by_position)
        return [_array_column(fields[labels[position]]) for position in positions], len(fields)
    if result.ndim == 0:
        value = result[()] if result.dtype != object else result.item()
        return relational(value, names, kinds, by_position)
    if len(names) == 1 and kinds[0] == "list":
        if result.ndim == 1 and result.dtype == object:
            return _list_values(list(result))
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


def _void(result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool) -> Columns:
    """A row of a structured array."""
    if result.dtype.names is None:
        return _scalar(bytes(result), names, kinds, by_position)
    positions = _positions(result.dtype.names, names, by_position)
    return [[result[position]] for position in positions], 1


# ------------------------------------------------------------------------------------------ pandas


def _frame(result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool) -> Columns:
    labels = checked_codes(result.columns).tolist()
    row_count = len(result)
    if not labels and not row_count:
        return _none(result, names, kinds, by_position)
    positions = _positions(labels, names, by_position)
    # The array of a column without its Series; the public interface is ten times slower.
    get_array = getattr(result, "_get_column_array", None)
    if get_array is None:

        def get_array(position: int) -> Any:
            return result.iloc[:, position].array

    return [
        _pandas_column(get_array(position), kind) for position, kind in zip(positions, kinds)
    ], row_count


def _series(result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool) -> Columns:
    if len(names) > 1:  # a column cannot be meant: a row of a frame
        labels = _labels_of(result)
        if labels is not None and (by_position or _has_name(labels, names)):
            return _row(labels, result, names, by_position)
    return _one_column(_pandas_column(result.array, kinds[0] if kinds else ""), names, len(result))


def _multi_index(
    result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool
) -> Columns:
    return _frame(checked_codes(result).to_frame(index=False), names, kinds, by_position)


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
        # Not through floats, whose NaN may be a value.
        objects = numpy.array(values.astype(object))
        objects[missing] = None
        return objects
    if isinstance(dtype, pandas.StringDtype) and dtype.na_value is not pandas.NA:
        # The texts of pandas 3: NaN is not a value there.
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
    if hasattr(pandas, "ArrowDtype") and isinstance(dtype, pandas.ArrowDtype):
        # pandas' own conversion fails for some types, and loses months and days of others.
        return _arrow_column(validated(values.__arrow_array__()), kind)
    return numpy.asarray(values, dtype=object)


def _aware_column(values: Any, kind: str) -> Any:
    """Times with a zone: UTC for the types of dates and times, else aware objects."""
    if kind in _UTC_KINDS:
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
    result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool
) -> Columns:
    result = validated(result)
    labels = result.schema.names
    positions = _positions(labels, names, by_position)
    known = json_names()
    return [
        _arrow_column(result.column(position), kind, labels[position] in known)
        for position, kind in zip(positions, kinds)
    ], result.num_rows


def _arrow_array(
    result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool
) -> Columns:
    return _one_column(
        _arrow_column(validated(result), kinds[0] if kinds else ""), names, len(result)
    )


def _arrow_column(values: Any, kind: str, is_json: bool = False) -> Any:
    types = sys.modules["pyarrow"].types
    dtype = values.type
    if is_json_type(dtype) or (is_json and _is_arrow_text(dtype)):
        texts = values.to_pylist()
        return documents(texts) if kind == "json" else texts
    if str(dtype) == "month_day_nano_interval":
        return [None if each is None else interval_text(each) for each in values.to_pylist()]
    if types.is_dictionary(dtype):
        values = (
            values.dictionary_decode()
            if hasattr(values, "dictionary_decode")
            else values.cast(dtype.value_type)
        )
        dtype = values.type
    if types.is_timestamp(dtype) and dtype.tz is not None and kind not in _UTC_KINDS:
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


def _is_arrow_text(dtype: Any) -> bool:
    return str(dtype) in ("string", "large_string", "string_view")


def _arrow_numpy(values: Any) -> Any:
    # A ChunkedArray's to_numpy() copies if necessary; an Array's needs an explicit permission.
    if hasattr(values, "num_chunks"):
        return values.to_numpy()
    return values.to_numpy(zero_copy_only=False)


def _arrow_reader(
    result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool
) -> Columns:
    return _arrow_table(result.read_all(), names, kinds, by_position)


def _arrow_scalar(
    result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool
) -> Columns:
    return _scalar(result.as_py(), names, kinds, by_position)


def _arrow_exporter(
    result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool
) -> Columns:
    """Another library's frame, through the Arrow C interface."""
    if "pyarrow" not in sys.modules and "polars" in sys.modules:
        frame = sys.modules["polars"].DataFrame(checked_stream(result))
        return _polars_frame(frame, names, kinds, by_position)
    try:
        import pyarrow
    except ImportError:
        raise ResultError(
            f"a result of type {type(result).__name__} needs pyarrow, which is not installed"
        ) from None
    return _arrow_table(pyarrow.table(checked_stream(result)), names, kinds, by_position)


def _polars_frame(
    result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool
) -> Columns:
    labels = result.columns
    positions = _positions(labels, names, by_position)
    columns = result.get_columns()
    known = json_names()
    return [
        _polars_column(columns[position], kind, labels[position] in known)
        for position, kind in zip(positions, kinds)
    ], result.height


def _polars_lazy(
    result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool
) -> Columns:
    return _polars_frame(result.collect(), names, kinds, by_position)


def _polars_series(
    result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool
) -> Columns:
    return _one_column(_polars_column(result, kinds[0] if kinds else ""), names, len(result))


_POLARS_NUMBERS = frozenset(
    ("Boolean", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
    + ("Float32", "Float64")
)


def _polars_column(values: Any, kind: str, is_json: bool = False) -> Any:
    dtype = values.dtype
    name = dtype.base_type().__name__
    if is_json and kind == "json" and name == "String":
        return documents(values.to_list())
    if name in _POLARS_NUMBERS:
        if values.null_count() == 0:
            return values.to_numpy()
        filled = values.fill_null(False if name == "Boolean" else 0)
        return filled.to_numpy(), values.is_null().to_numpy()
    if name == "Datetime" and dtype.time_zone is not None:
        if kind not in _UTC_KINDS:
            return values.to_list()
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if name in ("Datetime", "Duration", "Date"):
        return values.to_numpy()
    return values.to_list()


# ------------------------------------------------------------------------------------ the handlers

Handler = Callable[[Any, Sequence[str], Sequence[str], bool], Columns]

_SCALARS = frozenset((int, float, str, bool, bytes, type(None)))

# By exact type; _find_handler adds to it.
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
        ("MonthDayNano", _scalar),
    ),
    "polars": (
        ("DataFrame", _polars_frame),
        ("LazyFrame", _polars_lazy),
        ("Series", _polars_series),
    ),
}


def _find_handler(kind: type) -> Handler:
    """The handler of a type seen for the first time; it is cached."""
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
    if handler is None and _may_be_named(kind):
        handler = _record
    if handler is None:
        handler = _scalar
    if len(_handlers) < 1000:
        _handlers[kind] = handler
    return handler


def _extension_array(
    result: Any, names: Sequence[str], kinds: Sequence[str], by_position: bool
) -> Columns:
    return _one_column(_pandas_column(result, kinds[0] if kinds else ""), names, len(result))


# ---------------------------------------------------------------------------- the AS list that fits

_TYPES_OF_KINDS = {"b": "boolean", "i": "bigint", "u": "numeric", "f": "double precision"}
_TYPES_OF_KINDS |= {"M": "timestamp", "m": "interval", "U": "text", "S": "bytea"}
_TYPES_OF_CLASSES = (
    (bool, "boolean"),
    (int, "bigint"),
    (float, "double precision"),
    (str, "text"),
    ((bytes, bytearray), "bytea"),
    (Decimal, "numeric"),
    (datetime.datetime, "timestamp"),
    (datetime.date, "date"),
    (datetime.time, "time"),
    (datetime.timedelta, "interval"),
    ((dict, list, tuple), "jsonb"),
)


def _fitting_list(result: Any) -> str:
    """A hint with the AS list that a result would fit; empty if there is none."""
    try:
        columns = _described(result)
    except Exception:  # the script's objects may raise anything
        return ""
    if not columns or len(columns) > 50:
        return ""
    listed = ", ".join(f"{_identifier(name)} {kind}" for name, kind in columns)
    return f"The result would fit: AS t({listed})"


def _identifier(name: str) -> str:
    is_plain = name.isascii() and name.isidentifier() and name == name.lower()
    return name if is_plain else '"' + name.replace('"', '""') + '"'


def _described(result: Any) -> list[tuple[str, str]]:
    """Names and types of the columns that a result has."""
    columns = getattr(result, "columns", None)
    if columns is not None and hasattr(result, "iloc"):
        return [
            (_label(label), _type_of_array(result.dtypes.iloc[i], result.iloc[:, i].array))
            for i, label in enumerate(columns)
        ]
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(result, numpy.ndarray):
        result = plain_array(result)
        if result.ndim == 2:
            kind = _type_of_array(result.dtype, result[:1].ravel())
            return [(f"column{i + 1}", kind) for i in range(result.shape[1])]
    if isinstance(result, dict):
        return [(_label(key), _type_of_value(_first(value))) for key, value in result.items()]
    if isinstance(result, (list, tuple)) and result:
        labels = _labels_of(result[0])
        if labels is not None:
            values = _values_of(result[0], labels)
            return [(_label(each), _type_of_value(v)) for each, v in zip(labels, values)]
        row = result[0] if isinstance(result[0], (list, tuple)) else result
        is_row = row is not result or isinstance(result, tuple)
        values = list(row) if is_row else [result[0]]
        return [(f"column{i + 1}", _type_of_value(v)) for i, v in enumerate(values)]
    return [("column1", _type_of_value(result))]


def _first(values: Any) -> Any:
    if not _is_list_like(values):
        return values
    return next((value for value in values if value is not None), None)


def _type_of_array(dtype: Any, values: Any) -> str:
    if getattr(dtype, "tz", None) is not None:
        return "timestamptz"
    found = _TYPES_OF_KINDS.get(getattr(dtype, "kind", "O"))
    if found is not None:
        return found
    numpy = sys.modules["numpy"]
    if isinstance(dtype, numpy.dtype):
        values = plain_array(numpy.asarray(values))
    return _type_of_value(_first(checked_codes(values)))


def _type_of_value(value: Any) -> str:
    kind = getattr(getattr(value, "dtype", None), "kind", "O")
    if kind in _TYPES_OF_KINDS and not hasattr(value, "__len__"):
        return _TYPES_OF_KINDS[kind]
    if is_interval_type(type(value)):
        return "interval"
    for classes, name in _TYPES_OF_CLASSES:
        if isinstance(value, classes):
            is_aware = name == "timestamp" and getattr(value, "tzinfo", None) is not None
            return "timestamptz" if is_aware else name
    return "text"


# ------------------------------------------------------------------------------------------ hstore


def hstore_text(value: Any) -> str | None:
    """The text of an hstore for a Mapping, a str unchanged; None for anything else."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        return None
    pairs = []
    for key, own in value.items():
        text = _text_of(own)
        pairs.append(f"{_quoted(_label(key))}=>{'NULL' if text is None else _quoted(text)}")
    return ",".join(pairs)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text_of(value: Any) -> str | None:
    """The value of a text column: numbers as PostgreSQL prints them, containers as JSON."""
    from _oml_epe_runtime.render import to_value

    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return None if value != value else _float_text(value)
    text = to_value(value)
    if text == "null":
        return None
    if text.startswith('"'):
        import json

        return str(json.loads(text))
    if getattr(getattr(value, "dtype", None), "kind", "") == "f":
        return _float_text(float(text))
    return text


def _float_text(value: float) -> str:
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    text = float.__repr__(float(value)).removesuffix(".0")
    return (
        format(Decimal(text).normalize(), "e") if "e" not in text and abs(value) >= 1e15 else text
    )


# -------------------------------------------------------------------------------------- generators


class Items:
    """The items of a generator for a single column; None is a NULL row if there are values too.

    Equivalent to the list of the same items: if [item, None] has two rows, None is one of them.

    Parameters
    ----------
    has_values : bool
        Whether the generator has yielded scalars already.
    """

    def __init__(
        self, names: Sequence[str], kinds: Sequence[str], by_position: bool, has_values: bool
    ) -> None:
        self._names = names
        self._kinds = kinds
        self._is_scalar = by_position
        self._gives_values: bool | None = True if has_values else None
        self._value_types: set[type] = set()
        self._nulls = 0  # held back: the next item determines their meaning
        self._has_documents = False

    def read(self, item: Any) -> Columns:
        """Return the rows of the next item."""
        if item is None:
            if self._gives_values:
                return [[None]], 1
            self._nulls += self._gives_values is None
            return [[]], 0
        columns, row_count = self._columns(item)
        if type(item) in self._value_types or self._gives_values is False:
            return columns, row_count
        # From the first block of rows on, None is not a row.
        is_first = self._gives_values is None
        self._gives_values = row_count == 1 and self._is_value(item)
        if self._gives_values:
            self._value_types.add(type(item))
            if is_first and self._nulls:
                return [[None] * self._nulls + list(self._columns([item])[0][0])], self._nulls + 1
        return columns, row_count

    def end(self) -> Columns:
        """Return the remaining rows: those of a generator that yielded only None."""
        nulls = self._nulls if self._gives_values is None else 0
        return [[None] * nulls], nulls

    def _columns(self, item: Any) -> Columns:
        if self._kinds[0] in ("json", "struct") and isinstance(item, Mapping):
            # A document: all following items are documents too.
            labels = _labels_of(item)
            self._has_documents = self._has_documents or _is_document(item, labels, self._names)
            if self._has_documents:
                return [[item]], 1
        return relational(item, self._names, self._kinds, self._is_scalar)

    def _is_value(self, item: Any) -> bool:
        try:
            return relational([item, None], self._names, self._kinds, self._is_scalar)[1] == 2
        except ResultError:
            return False
