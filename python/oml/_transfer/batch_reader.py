"""Parses the batches of columns returned by `pyqsys.query_batches`.

A batch is a head of 64 bytes, a description of its columns, and their buffers, each at a multiple
of 64 bytes; src/engine/common/packed_batch.h and batch_codec.h define it. Buffers have Arrow's
layout, except that booleans take one byte each.
"""

# check_sizes: one format, read whole and in pieces.

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy

from oml._db import connection as db
from oml._db.errors import DatabaseError
from oml._transfer import frames
from oml._transfer.arrays import Array, ArrayOfKind

if TYPE_CHECKING:
    from oml._annotations import Buffer, CellValue, FrameColumn, Loader
    from oml._db.client import ClientConnection

HEAD_SIZE = 64
ALIGNMENT = 64
MAGIC = b"OMLB\x01" + (b"\x01" if sys.byteorder == "little" else b"\x00")

# The kinds of src/core/batch/column_type.h.
NULL, BOOL, INT16, INT32, INT64, FLOAT32, FLOAT64 = range(7)
DECIMAL, TEXT, BINARY, JSON, UUID, DATE, TIME, TIMETZ = range(7, 15)
TIMESTAMP, TIMESTAMPTZ, INTERVAL, LIST, STRUCT = range(15, 20)

WIDTHS = {
    BOOL: "u1",
    INT16: "i2",
    INT32: "i4",
    INT64: "i8",
    FLOAT32: "f4",
    FLOAT64: "f8",
    UUID: "V16",
    DATE: "i4",
    TIME: "i8",
    TIMETZ: "V16",
    TIMESTAMP: "i8",
    TIMESTAMPTZ: "i8",
    INTERVAL: "i8",
}
BYTES_KINDS = {DECIMAL, TEXT, BINARY, JSON}
_HAS_DICTIONARY, _HAS_SHAPES, _HAS_UNUSUAL = 1, 2, 4
_SHAPE_BYTES = 28
_SPARE = 8  # of the rows of an array that grows
_FEW = 8  # rows for each distinct text
_TRIED = 20_000  # texts that are looked up before it must pay


class Column(NamedTuple):
    """A column of a batch: views of its memory.

    Attributes
    ----------
    kind, length, null_count : int
    validity : array of uint8 or None
        One bit per row, lowest bit first; None without NULLs.
    values : array or None
        Values of fixed width, int32 codes of a dictionary, or bytes (uint8).
    offsets : array of int64 or None
    shapes : bool
        Whether the lists have more than one dimension.
    children : list of Column
        Children of lists and structs, or the texts of a dictionary.
    names : list of str
        Field names of a struct.
    has_dictionary : bool
    unusual_rows, unusual : array and Column, or None
        Rows and texts of the values that numpy cannot represent.
    """

    kind: int
    length: int
    null_count: int
    validity: Array | None
    values: ArrayOfKind
    offsets: ArrayOfKind
    shapes: bool
    children: list[Column]
    names: list[str]
    has_dictionary: bool
    unusual_rows: ArrayOfKind
    unusual: Column | None


class _Reader:
    """Parse one batch, which begins at offset `start` of `buffer`."""

    def __init__(self, buffer: memoryview, start: int) -> None:
        head = bytes(buffer[start : start + HEAD_SIZE])
        if len(head) < HEAD_SIZE or head[:6] != MAGIC:
            raise DatabaseError("unexpected data instead of a batch", "08P01")
        self.size, described = struct.unpack_from("=QQ", head, 8)
        self._buffer = buffer
        self._description = bytes(buffer[start + HEAD_SIZE : start + HEAD_SIZE + described])
        self._position = 0
        self._data = start + -(-(HEAD_SIZE + described) // ALIGNMENT) * ALIGNMENT
        self._end = 0

    def _number(self, kind: str) -> int:
        (value,) = struct.unpack_from("=" + kind, self._description, self._position)
        self._position += struct.calcsize("=" + kind)
        return int(value)

    def _text(self) -> str:
        size = self._number("Q")
        self._position += size
        return self._description[self._position - size : self._position].decode()

    def _take(self, dtype: str, count: int) -> Array:
        size = numpy.dtype(dtype).itemsize * count
        if size == 0:
            return numpy.zeros(0, dtype)
        at = -(-self._end // ALIGNMENT) * ALIGNMENT
        self._end = at + size
        return numpy.frombuffer(self._buffer, dtype, count, self._data + at)

    def columns(self) -> tuple[int, list[Column]]:
        length = self._number("q")
        if self._number("B"):
            raise DatabaseError("unexpected matrix instead of columns", "08P01")
        return length, [self._column(length) for _ in range(self._number("q"))]

    def _column(self, length: int) -> Column:
        kind, flags = self._number("B"), self._number("B")
        null_count = self._number("q")
        validity = values = offsets = unusual_rows = unusual = None
        children: list[Column] = []
        names: list[str] = []
        if kind != NULL and null_count > 0:
            validity = self._take("u1", -(-length // 8))
        if flags & _HAS_DICTIONARY:
            values = self._take("i4", length)
            children.append(self._column(self._number("q")))
        elif kind in BYTES_KINDS:
            size = self._number("q")
            offsets = self._take("i8", length + 1)
            values = self._take("u1", size)
        elif kind == LIST:
            count = self._number("q")
            offsets = self._take("i8", length + 1)
            if flags & _HAS_SHAPES:
                self._take("u1", _SHAPE_BYTES * length)
            self._field()
            children.append(self._column(count))
        elif kind == STRUCT:
            for _ in range(self._number("q")):
                names.append(self._field())
                children.append(self._column(length))
        elif kind != NULL:
            values = self._take(WIDTHS[kind], length)
        if flags & _HAS_UNUSUAL:
            count = self._number("q")
            unusual_rows = self._take("i8", count)
            unusual = self._column(count)
        return Column(
            kind,
            length,
            null_count,
            validity,
            values,
            offsets,
            bool(flags & _HAS_SHAPES),
            children,
            names,
            bool(flags & _HAS_DICTIONARY),
            unusual_rows,
            unusual,
        )

    def _field(self) -> str:
        name = self._text()
        self._text()
        self._number("I")
        self._number("i")
        return name


def read(buffer: Buffer) -> Iterator[tuple[int, list[Column]]]:
    """Yield the row counts and columns of consecutive batches."""
    view = memoryview(buffer).cast("B")
    start = 0
    while start < len(view):
        reader = _Reader(view, start)
        if reader.size > len(view) - start:
            raise DatabaseError("incomplete batch", "08P01")
        yield reader.columns()
        start += reader.size


def is_null(column: Column) -> Array | None:
    """Return a mask that is true at NULLs, or None if there are none."""
    if column.kind == NULL:
        return numpy.ones(column.length, bool)
    if column.validity is None:
        return None
    bits = numpy.unpackbits(column.validity, count=column.length, bitorder="little")
    mask: Array = bits == 0
    return mask


def fetch(sql: str, use_decimal: bool, consume: Callable[[Buffer], None]) -> None:
    """Hand the batches of a query to a function, on a client one at a time.

    Raises
    ------
    DatabaseError
        The query failed, or the server's extension is older than the package: SQLSTATE 0A000.
    """
    connection = db.connection()
    # The text is part of the statement, so logs and pg_stat_activity show it.
    text = db.quote_literal(sql)
    call = f"SELECT pyqsys.query_batches({text}, {'true' if use_decimal else 'false'})"
    if connection.is_embedded:
        consume(connection.fetch_bytes(call))
        return
    require_batches(connection)
    connection.fetch_each(call, (), consume)


def require_batches(connection: ClientConnection) -> None:
    """Raise DatabaseError unless the server of a client sends batches."""
    if not connection.has_batches():
        raise DatabaseError(
            "the server's extension sends no batches of columns",
            "0A000",
            hint="Run ALTER EXTENSION oml_epe UPDATE there.",
        )


# ------------------------------------------------------------------------------- bytes of any width


def texts_of(column: Column) -> list[str]:
    """Return the values of a column of texts without NULLs."""
    return _slices(column, None)


def _slices(column: Column, load: Loader | None) -> list[CellValue]:
    """The values of a column of bytes; texts if `load` is None. Values at NULLs are undefined."""
    data = column.values.tobytes()
    ends = column.offsets.tolist()
    if load is None:
        if data.isascii():
            whole = data.decode("ascii")
            return [whole[first:last] for first, last in zip(ends, ends[1:])]
        load = bytes.decode
    null = is_null(column)
    if null is None or load is bytes or load is bytes.decode:
        return [load(data[first:last]) for first, last in zip(ends, ends[1:])]
    return [
        None if no_value else load(data[first:last])
        for first, last, no_value in zip(ends, ends[1:], null.tolist())
    ]


def cut(column: Column, first: int, last: int) -> Column:
    """Return the rows of a column from `first` to before `last`."""
    length = last - first
    validity, null_count = None, 0
    if column.kind == NULL:
        null_count = length
    elif column.validity is not None:
        bits = numpy.unpackbits(column.validity, count=column.length, bitorder="little")
        bits = bits[first:last]
        null_count = length - int(numpy.count_nonzero(bits))
        validity = numpy.packbits(bits, bitorder="little") if null_count else None
    values, offsets, children = column.values, column.offsets, column.children
    if offsets is not None:
        start, end = int(offsets[first]), int(offsets[last])
        offsets = offsets[first : last + 1] - start
        if values is not None:
            values = values[start:end]
        else:
            children = [cut(child, start, end) for child in children]
    elif values is not None:
        values = values[first:last]
    elif column.kind == STRUCT:
        children = [cut(child, first, last) for child in children]
    unusual_rows = unusual = None
    if column.unusual is not None:
        begin, end = numpy.searchsorted(column.unusual_rows, [first, last]).tolist()
        if end > begin:
            unusual_rows = column.unusual_rows[begin:end] - first
            unusual = cut(column.unusual, begin, end)
    return column._replace(
        length=length,
        null_count=null_count,
        validity=validity,
        values=values,
        offsets=offsets,
        children=children,
        unusual_rows=unusual_rows,
        unusual=unusual,
    )


class _Texts:
    """Converts columns of bytes to Python values."""

    def __init__(self, load: Loader | None) -> None:
        self._load = load
        self._seen: dict[str, str] = {}
        self._tried = 0

    def array(self, column: Column) -> Array:
        if column.has_dictionary:
            texts = column.children[0]
            distinct: list[CellValue] = _slices(texts, None)
            seen = self._seen
            self._tried += texts.length
            # In an engine only what costs little: looking up takes as long as making the text.
            is_worth = (
                texts.length * _FEW <= column.length
                if db.is_embedded()
                else self._tried < _TRIED or len(seen) * 2 < self._tried
            )
            if self._load is None and is_worth:
                # Equal texts of several batches share one object where that pays.
                distinct = [seen.setdefault(text, text) for text in distinct]
            array: Array = numpy.empty(texts.length + 1, object)  # a code of -1 means NULL
            array[: texts.length] = distinct
            array = array[column.values]
            if self._load is not None:  # each value is an object of its own
                load = self._load
                for index, text in enumerate(array):
                    array[index] = None if text is None else load(text.encode())
            return array
        array = numpy.empty(column.length, object)
        if column.kind == NULL:
            return array
        # Loaders may return lists and arrays, which numpy would take apart.
        listed = _slices(column, self._load)
        if self._load in (None, bytes):
            array[:] = listed
        else:
            for index, value in enumerate(listed):
                array[index] = value
        null = is_null(column)
        if null is not None:
            array[null] = None
        return array


# ------------------------------------------------------------------------------- columns of frames


class _Growing:
    """An array that grows in place: to join parts in the end would take twice the memory."""

    def __init__(self, dtype: str | type) -> None:
        self._array = numpy.empty(0, dtype)
        self._length = 0

    def add(self, values: Array) -> None:
        """Append values."""
        end = self._length + len(values)
        if end > len(self._array):
            spare = end // _SPARE if self._length else 0
            self._array.resize(end + spare, refcheck=False)
        self._array[self._length : end] = values
        self._length = end

    def finish(self) -> Array:
        """Return the array."""
        self._array.resize(self._length, refcheck=False)
        return self._array


class _Joined:
    """Parts that are joined in the end: for an engine, where they are views of one buffer."""

    def __init__(self, dtype: str | type) -> None:
        self._parts = [numpy.empty(0, dtype)]

    def add(self, values: Array) -> None:
        """Append values, whose memory stays."""
        self._parts.append(values)

    def finish(self) -> Array:
        """Return the array."""
        array = numpy.concatenate(self._parts)
        self._parts = []
        return array


class _Collector:
    """Accumulates the values of a column over all batches."""

    def __init__(self, kind: int, load: Loader | None, is_nullable: bool) -> None:
        self._kind = kind
        self._is_nullable = is_nullable
        self._is_text = kind == TEXT and load is None
        if kind == JSON:
            load = json.loads
        elif kind == BINARY:
            load = bytes
        self._texts = _Texts(load) if kind in BYTES_KINDS else None
        collect = _Joined if db.is_embedded() else _Growing
        self._values = collect(object if self._texts is not None else WIDTHS[kind])
        self._nulls: list[tuple[int, Array | None]] = []
        self._has_nulls = False
        self._unusual: list[tuple[Array, list[str]]] = []
        self._length = 0

    def add(self, column: Column) -> None:
        """Append a column; its memory is copied."""
        if column.kind not in (self._kind, NULL):
            raise DatabaseError("a column changed its type between two batches", "08P01")
        null = is_null(column)
        if self._texts is not None:
            self._values.add(self._texts.array(column))
        elif column.kind == NULL:
            self._values.add(numpy.zeros(column.length, WIDTHS[self._kind]))
        else:
            self._values.add(column.values)
        if self._texts is None:
            self._nulls.append((column.length, null))
            self._has_nulls = self._has_nulls or null is not None
        if column.unusual is not None:
            rows = column.unusual_rows + self._length
            self._unusual.append((rows, _slices(column.unusual, None)))
        self._length += column.length

    def finish(self) -> FrameColumn:
        """Return the data and mask of a column of a frame."""
        values = self._values.finish()
        if self._texts is not None:
            if self._is_text:
                return frames.text_column(values, self._is_nullable)
            return values
        null = None
        if self._has_nulls:
            null = numpy.concatenate(
                [
                    numpy.zeros(length, bool) if part is None else part
                    for length, part in self._nulls
                ]
            )
        return self._usual(values, null)

    def _usual(self, values: Array, null: Array | None) -> FrameColumn:
        kind = self._kind
        if self._is_nullable and kind in (BOOL, INT16, INT32, INT64, FLOAT32, FLOAT64):
            return frames.nullable(values.view(bool) if kind == BOOL else values, null)
        if kind in (FLOAT32, FLOAT64):
            return values
        if kind in (INT16, INT32, INT64):
            return frames.integers(values, null)
        if kind == BOOL:
            return frames.truths(values.view(bool), null)
        if kind == UUID:
            fields = values.tolist()
            nulls = [False] * len(fields) if null is None else null.tolist()
            return frames.uuids([None if no else bytes(f) for f, no in zip(fields, nulls)])
        if kind == DATE:
            values = values.astype("i8").view("M8[D]")
            if null is not None:
                values[null] = numpy.datetime64("NaT")
        else:
            values = values.view("m8[us]" if kind == INTERVAL else "M8[us]")
        is_utc = kind == TIMESTAMPTZ
        if self._unusual:
            return self._with_unusual(values, null, is_utc)
        if kind == DATE:
            return frames.dates(values)
        return frames.spans(values) if kind == INTERVAL else frames.times(values, is_utc)

    def _with_unusual(self, values: Array, null: Array | None, is_utc: bool) -> Array:
        array = frames.point_objects(values, is_utc)
        if null is not None:
            array[null] = None
        for rows, texts in self._unusual:
            array[rows] = texts
        return array


class FrameReader:
    """Builds the columns of a frame from batches.

    Parameters
    ----------
    columns : list of (kind, loader or None)
        Kind of each column; the loader converts the bytes of a text to its value.
    is_nullable : bool
        Whether numbers, truth values and texts are of pandas' nullable dtypes.
    """

    def __init__(
        self,
        columns: Sequence[tuple[int, Loader | None]],
        is_nullable: bool = False,
    ) -> None:
        self._columns = [_Collector(*column, is_nullable) for column in columns]
        self.rows = 0

    def add(self, buffer: Buffer) -> None:
        """Append the batches of a buffer."""
        for length, columns in read(buffer):
            self.add_columns(length, columns)

    def add_columns(self, length: int, columns: list[Column]) -> None:
        """Append the columns of a batch."""
        if len(columns) != len(self._columns):
            raise DatabaseError("the columns received differ from those of the query", "08P01")
        self.rows += length
        for collector, column in zip(self._columns, columns):
            collector.add(column)

    def finish(self) -> list[FrameColumn]:
        """Return the columns."""
        return [column.finish() for column in self._columns]


#: SQL type without modifiers -> kind of its columns; all other types are transferred as text.
KINDS = {
    "boolean": BOOL,
    "smallint": INT16,
    "integer": INT32,
    "bigint": INT64,
    "oid": INT64,
    "real": FLOAT32,
    "double precision": FLOAT64,
    "numeric": FLOAT64,
    "text": TEXT,
    "character varying": TEXT,
    "character": TEXT,
    "name": TEXT,
    '"char"': TEXT,
    "bytea": BINARY,
    "json": JSON,
    "jsonb": JSON,
    "uuid": UUID,
    "date": DATE,
    "timestamp without time zone": TIMESTAMP,
    "timestamp with time zone": TIMESTAMPTZ,
    "interval": INTERVAL,
}
KINDS_BY_OID = {
    16: BOOL,
    17: BINARY,
    18: TEXT,
    19: TEXT,
    20: INT64,
    21: INT16,
    23: INT32,
    25: TEXT,
    26: INT64,
    114: JSON,
    700: FLOAT32,
    701: FLOAT64,
    705: TEXT,
    1042: TEXT,
    1043: TEXT,
    1082: DATE,
    1114: TIMESTAMP,
    1184: TIMESTAMPTZ,
    1186: INTERVAL,
    1700: FLOAT64,
    2950: UUID,
    3802: JSON,
}
