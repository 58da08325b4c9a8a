"""Query results as Arrow data, by pyarrow: docs/reference/oml-proxies.md names the types."""

from __future__ import annotations

import importlib
import re
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy

from oml._db import connection as db
from oml._db.errors import DatabaseError
from oml._transfer import batch_reader
from oml._transfer.arrays import Array
from oml._transfer.batch_reader import Column
from oml.core._sql import quote
from oml.core._types import bare_type

if TYPE_CHECKING:
    from oml._annotations import ArrowObject, Buffer, CellValue


def require_pyarrow(purpose: str) -> ArrowObject:
    """Return pyarrow.

    Raises
    ------
    ImportError
        It is not installed.
    """
    try:
        import pyarrow
    except ImportError:
        raise ImportError(
            f"{purpose} needs pyarrow: pip install 'pyarrow>=14'", name="pyarrow"
        ) from None
    return pyarrow


class _Type(NamedTuple):
    """How a column is fetched and what it becomes.

    Attributes
    ----------
    arrow : pyarrow.DataType
    is_printed : bool
        Whether the server sends PostgreSQL's text.
    """

    arrow: ArrowObject
    is_printed: bool = False


def _scalar_type(sql_type: str) -> ArrowObject:
    """The Arrow type of a type that batches hold, else None."""
    import pyarrow

    bare = bare_type(sql_type)
    if bare == "numeric":
        match = re.fullmatch(r"numeric\((\d+),(-?\d+)\)", sql_type)
        precision, scale = (int(match[1]), int(match[2])) if match else (0, 0)
        if not match or not 0 <= scale <= precision <= 76:
            return pyarrow.string()  # exact, unlike a double
        decimal = pyarrow.decimal128 if precision <= 38 else pyarrow.decimal256
        return decimal(precision, scale)
    known: dict[str, Callable[[], ArrowObject]] = {
        "boolean": pyarrow.bool_,
        "smallint": pyarrow.int16,
        "integer": pyarrow.int32,
        "bigint": pyarrow.int64,
        "oid": pyarrow.int64,
        "real": pyarrow.float32,
        "double precision": pyarrow.float64,
        "bytea": pyarrow.binary,
        "date": pyarrow.date32,
        "time without time zone": lambda: pyarrow.time64("us"),
        "timestamp without time zone": lambda: pyarrow.timestamp("us"),
        "timestamp with time zone": lambda: pyarrow.timestamp("us", "UTC"),
        "interval": lambda: pyarrow.duration("us"),
    }
    texts = ("text", "character varying", "character", "name", '"char"', "json", "jsonb", "uuid")
    if bare in texts:
        return pyarrow.string()
    return known[bare]() if bare in known else None


def _type(sql_type: str) -> _Type:
    import pyarrow

    if sql_type.endswith("[]"):
        element = _scalar_type(sql_type[:-2])
        if element is not None:
            return _Type(pyarrow.list_(element))
    scalar = _scalar_type(sql_type)
    return _Type(pyarrow.string(), True) if scalar is None else _Type(scalar)


class Query:
    """A query whose rows can be had as Arrow data.

    Attributes
    ----------
    schema : pyarrow.Schema
    """

    def __init__(self, sql: str) -> None:
        import pyarrow

        described = db.connection().query(f"SELECT * FROM ({sql}\n) AS q LIMIT 0")[0] or []
        self._types = [(name, _type(sql_type)) for name, sql_type in described]
        self.schema = pyarrow.schema([(name, kind.arrow) for name, kind in self._types])
        items = []
        for name, kind in self._types:
            item = f"q.{quote(name)}"
            if kind.is_printed:
                item = f"CASE WHEN {item} IS DISTINCT FROM NULL THEN "
                item += f"pg_catalog.format('%s', q.{quote(name)}) END"
            items.append(f"{item} AS {quote(name)}")
        self.sql = f"SELECT {', '.join(items)} FROM ({sql}\n) AS q"

    def read(self) -> ArrowObject:
        """Return the rows as a pyarrow.Table.

        Raises
        ------
        DatabaseError
            The query failed, or a value has no counterpart in Arrow: SQLSTATE 22008.
        """
        import pyarrow

        made: list[ArrowObject] = []

        def add(buffer: Buffer) -> None:
            for _, columns in batch_reader.read(buffer):
                made.append(self._record_batch(columns))

        batch_reader.fetch(self.sql, True, add)
        return pyarrow.Table.from_batches(made, self.schema)

    def table(self, batches: list[list[Column]]) -> ArrowObject:
        """Return batches that were read as a pyarrow.Table."""
        import pyarrow

        return pyarrow.Table.from_batches(map(self._record_batch, batches), self.schema)

    def _record_batch(self, columns: list[Column]) -> ArrowObject:
        import pyarrow

        arrays = []
        for (name, kind), column in zip(self._types, columns):
            try:
                arrays.append(_array(column, kind.arrow))
            except (pyarrow.ArrowInvalid, OverflowError) as problem:
                raise DatabaseError(
                    f'column "{name}" has a value that Arrow\'s type {kind.arrow} cannot hold: '
                    f"{problem}",
                    "22008",
                ) from None
        return pyarrow.record_batch(arrays, schema=self.schema)


def _buffer(array: Array) -> ArrowObject:
    import pyarrow

    # Copied, so that the memory is aligned and the whole batch need not be kept.
    return pyarrow.py_buffer(numpy.array(array, copy=True))


def _validity(column: Column) -> ArrowObject:
    return None if column.validity is None else _buffer(column.validity)


def _offsets(column: Column) -> ArrowObject:
    # Of 32 bits: a batch is smaller than a value of PostgreSQL may be.
    return _buffer(column.offsets.astype("i4"))


def _array(column: Column, arrow: ArrowObject) -> ArrowObject:
    import pyarrow

    length = column.length
    if column.unusual is not None:
        text = batch_reader.texts_of(column.unusual)[0]
        raise pyarrow.ArrowInvalid(text)
    if column.kind == batch_reader.NULL:
        return pyarrow.nulls(length, arrow)
    if column.kind == batch_reader.LIST:
        return _list_array(column, arrow)
    if column.kind == batch_reader.UUID:
        null = batch_reader.is_null(column)
        texts = [str(uuid.UUID(bytes=value)) for value in map(bytes, column.values.tolist())]
        return pyarrow.array(texts, arrow, mask=null)
    if column.has_dictionary:
        distinct = _array(column.children[0], pyarrow.string())
        null = batch_reader.is_null(column)
        codes = pyarrow.array(column.values, mask=null)
        return distinct.take(codes).cast(arrow)
    if column.kind in batch_reader.BYTES_KINDS:
        stored = arrow if pyarrow.types.is_binary(arrow) else pyarrow.string()
        buffers = [_validity(column), _offsets(column), _buffer(column.values)]
        made = pyarrow.Array.from_buffers(stored, length, buffers, column.null_count)
        return made.cast(arrow) if stored != arrow else made
    values = column.values
    if column.kind == batch_reader.BOOL:
        values = numpy.packbits(values, bitorder="little")
    buffers = [_validity(column), _buffer(values)]
    return pyarrow.Array.from_buffers(arrow, length, buffers, column.null_count)


def _list_array(column: Column, arrow: ArrowObject) -> ArrowObject:
    import pyarrow

    if column.shapes:
        raise pyarrow.ArrowInvalid("an array with several dimensions")
    elements = _array(column.children[0], arrow.value_type)
    return pyarrow.Array.from_buffers(
        arrow,
        column.length,
        [_validity(column), _offsets(column)],
        column.null_count,
        children=[elements],
    )


def frame_stream(sql: str, requested_schema: ArrowObject) -> ArrowObject:
    """Return the capsule of `__arrow_c_stream__` with the rows of a query."""
    require_pyarrow("__arrow_c_stream__()")
    return Query(sql).read().__arrow_c_stream__(requested_schema)


def column_stream(sql: str, requested_schema: ArrowObject) -> ArrowObject:
    """Return the capsule of `__arrow_c_stream__` with the values of a column."""
    require_pyarrow("__arrow_c_stream__()")
    return Query(sql).read().column(0).__arrow_c_stream__(requested_schema)


def narwhals_frame(sql: str) -> object:
    """Return what `__narwhals_dataframe__` gives, of a pyarrow.Table with the rows of a query."""
    require_pyarrow("narwhals.from_native()")
    import narwhals

    return narwhals.from_native(Query(sql).read(), eager_only=True)._compliant_frame


# ------------------------------------------------------------------------------- data from outside


def is_stream(x: object) -> bool:
    """Whether data that is no pandas.DataFrame has Arrow's stream."""
    import pandas

    return hasattr(x, "__arrow_c_stream__") and not isinstance(x, (pandas.DataFrame, pandas.Series))


class Given(NamedTuple):
    """A column for push.Data.

    Attributes
    ----------
    name : str
    values : array or list
    natural, sql_type : str
        The type of the values, and the type of a column that holds all values of the Arrow type.
    """

    name: str
    values: Array | list[CellValue]
    natural: str
    sql_type: str


def _checked(x: object, pyarrow: ArrowObject) -> ArrowObject:
    """Return the data after the checks of results, inside an engine; else as it is."""
    try:
        checks = importlib.import_module("_oml_epe_runtime.checks")
    except ImportError:  # outside an engine
        return x
    if isinstance(x, (pyarrow.Table, pyarrow.RecordBatch, pyarrow.ChunkedArray, pyarrow.Array)):
        return checks.validated(x)
    return checks.checked_stream(x)


def columns_of(x: object) -> Iterator[Given]:
    """Yield the columns of data that has `__arrow_c_stream__`."""
    pyarrow = require_pyarrow("data with __arrow_c_stream__")
    if isinstance(x, pyarrow.Table):
        table = _checked(x, pyarrow)
    elif hasattr(pyarrow.RecordBatchReader, "from_stream"):
        try:
            table = pyarrow.RecordBatchReader.from_stream(_checked(x, pyarrow)).read_all()
        except (TypeError, ValueError, pyarrow.ArrowInvalid):  # a stream of one column
            values = pyarrow.chunked_array(_checked(x, pyarrow))
            table = pyarrow.table({getattr(x, "name", "") or "COL1": values})
    else:
        table = pyarrow.table(_checked(x, pyarrow))
    for name, column in zip(table.column_names, table.columns):
        yield _given(name, column)


def _given(name: str, column: ArrowObject) -> Given:
    import pyarrow

    kinds = pyarrow.types
    arrow = column.type
    if isinstance(arrow, pyarrow.BaseExtensionType):
        is_uuid = getattr(arrow, "extension_name", "") == "arrow.uuid"
        storage = pyarrow.chunked_array(
            [chunk.storage for chunk in column.chunks], arrow.storage_type
        )
        if is_uuid:
            listed = storage.to_pylist()
            return Given(name, [v and uuid.UUID(bytes=v) for v in listed], "uuid", "uuid")
        return _given(name, storage)
    if kinds.is_dictionary(arrow):
        if "string" in str(arrow.value_type):  # not every sort of string has a cast
            return Given(name, column.to_pylist(), "text", "text")
        return _given(name, column.cast(arrow.value_type))
    if kinds.is_null(arrow):
        return Given(name, column.to_pylist(), "text", "text")
    if kinds.is_boolean(arrow):
        return Given(name, _plain(column), "boolean", "boolean")
    if kinds.is_integer(arrow):
        if kinds.is_uint64(arrow):
            return Given(name, column.to_pylist(), "numeric", "numeric")
        bits = arrow.bit_width + (1 if kinds.is_unsigned_integer(arrow) else 0)
        sql_type = "smallint" if bits <= 16 else "integer" if bits <= 32 else "bigint"
        values = _plain(column.cast(pyarrow.int64()))
        return Given(name, values, "bigint", sql_type)
    if kinds.is_floating(arrow):
        sql_type = "double precision" if arrow.bit_width == 64 else "real"
        values = column.cast(pyarrow.float64())
        array: ArrowObject = values.to_numpy() if values.null_count == 0 else None
        is_plain = array is not None and not numpy.isnan(array).any()
        # In an array NaN would stand for NULL.
        listed = array if is_plain else values.to_pylist()
        return Given(name, listed, "double precision", sql_type)
    if kinds.is_decimal(arrow):
        sql_type = f"numeric({max(arrow.precision, arrow.scale)},{max(arrow.scale, 0)})"
        if arrow.scale < 0:
            sql_type = "numeric"
        return Given(name, column.to_pylist(), "numeric", sql_type)
    return _given_time(name, column) or _given_other(name, column)


def _plain(column: ArrowObject) -> Array | list[CellValue]:
    values: Array | list[CellValue]
    values = column.to_numpy() if column.null_count == 0 else column.to_pylist()
    return values


def _given_time(name: str, column: ArrowObject) -> Given | None:
    import pyarrow

    kinds, arrow = pyarrow.types, column.type
    if kinds.is_timestamp(arrow):
        points = numpy.asarray(column.cast(pyarrow.timestamp(arrow.unit)).to_numpy())
        sql_type = "timestamptz" if arrow.tz else "timestamp"
        return Given(name, points.astype("M8[us]"), sql_type, sql_type)
    if kinds.is_date(arrow):
        return Given(name, column.cast(pyarrow.date32()).to_pylist(), "date", "date")
    if kinds.is_time(arrow):
        # Nanoseconds are cut.
        times = column.cast(pyarrow.time64("us"), safe=False).to_pylist()
        return Given(name, times, "time", "time")
    if kinds.is_duration(arrow):
        spans = numpy.asarray(column.to_numpy()).astype("m8[us]").astype(object)
        return Given(name, spans.tolist(), "interval", "interval")
    if kinds.is_interval(arrow):
        texts = [
            None if v is None else f"{v[0]} months {v[1]} days {v[2] // 1000} microseconds"
            for v in column.to_pylist()
        ]
        return Given(name, texts, "text", "interval")
    return None


def _given_other(name: str, column: ArrowObject) -> Given:
    import pyarrow

    kinds, arrow = pyarrow.types, column.type
    is_view = getattr(kinds, "is_string_view", lambda _: False)
    if kinds.is_string(arrow) or kinds.is_large_string(arrow) or is_view(arrow):
        return Given(name, column.to_pylist(), "text", "text")
    if "binary" in str(arrow):
        return Given(name, column.to_pylist(), "bytea", "bytea")
    listed = column.to_pylist()
    if kinds.is_struct(arrow) or kinds.is_map(arrow):
        values = [dict(v) if isinstance(v, list) else v for v in listed]
        return Given(name, values, "jsonb", "jsonb")
    if kinds.is_list(arrow) or kinds.is_large_list(arrow) or kinds.is_fixed_size_list(arrow):
        return _given_lists(name, column, listed)
    raise ValueError(f'column "{name}" has the Arrow type {arrow}, which has no SQL type')


def _given_lists(name: str, column: ArrowObject, listed: list[CellValue]) -> Given:
    import pyarrow

    from oml._db.parameters import parameter

    element = _given(name, pyarrow.chunked_array([], column.type.value_type))
    if element.natural == "jsonb" or element.sql_type.endswith("[]"):
        return Given(name, listed, "jsonb", "jsonb")
    texts = [None if value is None else parameter(value)[0] for value in listed]
    return Given(name, texts, "text", f"{element.sql_type}[]")
