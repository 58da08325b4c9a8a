"""Columns of pandas frames, the same for each way in which rows are fetched."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy
import pandas

from oml._transfer.arrays import Array

if TYPE_CHECKING:
    from oml._annotations import CellValue, FrameColumn

_HAS_UNITS = int(pandas.__version__.split(".")[0]) >= 2
_DATE_UNIT, _TIME_UNIT = ("s", "us") if _HAS_UNITS else ("ns", "ns")

#: SQL type without modifiers -> dtype of a column without NULLs.
_NUMBERS = {
    "smallint": "i2",
    "integer": "i4",
    "bigint": "i8",
    "oid": "i8",
    "real": "f4",
    "double precision": "f8",
    "numeric": "f8",
}
_TEXTS = {"text", "character varying", "character", "name", '"char"'}
_OBJECTS = {
    "date",
    "timestamp without time zone",
    "timestamp with time zone",
    "time without time zone",
    "time with time zone",
    "interval",
    "json",
    "jsonb",
}


def make_frame(names: list[str], columns: list[FrameColumn], length: int) -> pandas.DataFrame:
    """Return a frame of columns, in order."""
    frame = pandas.DataFrame(dict(enumerate(columns)), index=pandas.RangeIndex(length), copy=False)
    frame.columns = pandas.Index(names)
    return frame


def objects(values: Sequence[CellValue]) -> Array:
    """Return an array of objects, unconverted."""
    array = numpy.empty(len(values), dtype=object)
    for index, value in enumerate(values):
        array[index] = value
    return array


def texts(values: Sequence[str | None]) -> FrameColumn:
    """Return pandas' column of texts: object, from version 3 on str."""
    return text_column(objects(values))


def nullable(values: Array, null: Array | None) -> FrameColumn:
    """Return an array of one of pandas' nullable dtypes."""
    mask = numpy.zeros(len(values), bool) if null is None else null
    kinds: dict[str, Callable[[Array, Array], FrameColumn]] = {
        "b": pandas.arrays.BooleanArray,
        "i": pandas.arrays.IntegerArray,
        "f": pandas.arrays.FloatingArray,
    }
    return kinds[values.dtype.kind](values, mask)


def text_column(array: Array, is_nullable: bool = False) -> FrameColumn:
    """Return pandas' column of an array of texts and None."""
    if is_nullable:
        return pandas.array(array, dtype="string")
    dtype = pandas.Series(["x"]).dtype
    return pandas.Series(array, dtype=dtype) if isinstance(dtype, pandas.StringDtype) else array


#: Integers up to this size are represented exactly as doubles.
_LAST_EXACT = 2**53


def integers(values: Array, null: Array | None) -> Array:
    """Return integers; with NULLs they become doubles, or objects if that would lose digits."""
    if null is None:
        return values
    if (
        values.dtype.itemsize == 8
        and ((values > _LAST_EXACT) | (values < -_LAST_EXACT))[~null].any()
    ):
        array = values.astype(object)
        array[null] = None
        return array
    doubles = values.astype("f8")
    doubles[null] = numpy.nan
    return doubles


def truths(values: Array, null: Array | None) -> Array:
    """Return booleans; with NULLs they become objects."""
    if null is None:
        return values
    array = values.astype(object)
    array[null] = None
    return array


def point_objects(values: Array, is_utc: bool) -> Array:
    """Return Python dates, times or timedeltas, None for NaT."""
    array = _or_none(values)
    if is_utc:
        for index, value in enumerate(array):
            if value is not None:
                array[index] = value.replace(tzinfo=datetime.timezone.utc)
    return array


def column_of_values(values: Sequence[CellValue], sql_type: str) -> FrameColumn:
    """Return the contents of a column of a frame."""
    has_null = any(value is None for value in values)
    if sql_type in _NUMBERS:
        if sql_type == "numeric" or (has_null and _NUMBERS[sql_type] in ("f4", "f8")):
            width = _NUMBERS[sql_type]
            return numpy.array([numpy.nan if v is None else float(v) for v in values], width)
        whole = numpy.array([0 if v is None else v for v in values], dtype=_NUMBERS[sql_type])
        null = numpy.array([v is None for v in values], bool) if has_null else None
        return integers(whole, null)
    if sql_type == "boolean" and not has_null:
        return numpy.array(values, dtype=bool)
    if any(isinstance(value, str) for value in values):
        is_text = all(value is None or isinstance(value, str) for value in values)
        # Some dates and times are texts because Python cannot represent them.
        return texts(values) if is_text and sql_type not in _OBJECTS else objects(values)
    if sql_type in _TEXTS:
        return texts(values)
    if sql_type == "date":
        return dates(numpy.array(values, dtype="M8[D]"))
    if sql_type == "timestamp without time zone":
        return times(numpy.array(values, dtype="M8[us]"))
    if sql_type == "timestamp with time zone":
        naive = [None if v is None else v.replace(tzinfo=None) for v in values]
        return times(numpy.array(naive, dtype="M8[us]"), is_utc=True)
    if sql_type == "interval":
        return spans(numpy.array(values, dtype="m8[us]"))
    return objects(values)


def _scaled(values: Array, unit: str) -> Array | None:
    """The values in another unit, None if a value does not fit."""
    scaled = values.astype(f"{values.dtype.kind}8[{unit}]")
    return scaled if (scaled.astype(values.dtype) == values)[~numpy.isnat(values)].all() else None


def dates(values: Array) -> Array:
    """Return pandas' column of an array of days."""
    scaled = _scaled(values, _DATE_UNIT)
    return _or_none(values) if scaled is None else scaled


def times(values: Array, is_utc: bool = False) -> FrameColumn:
    """Return pandas' column of an array of microseconds since 1970."""
    scaled = _scaled(values, _TIME_UNIT)
    if scaled is None:
        return point_objects(values, is_utc)
    if not is_utc:
        return scaled
    return pandas.DatetimeIndex(scaled).tz_localize("UTC")


def spans(values: Array) -> Array:
    """Return pandas' column of an array of microseconds."""
    scaled = _scaled(values, _TIME_UNIT)
    return _or_none(values) if scaled is None else scaled


def _or_none(values: Array) -> Array:
    array = values.astype(object)
    array[numpy.isnat(values)] = None
    return array


def uuids(values: Sequence[bytes | None]) -> Array:
    """Return an array of UUIDs."""
    return objects([None if value is None else uuid.UUID(bytes=value) for value in values])
