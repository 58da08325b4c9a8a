"""Query results on a client: batches of columns, or COPY in binary format from older servers.

COPY is parsed one block of rows at a time. A row consists of a count of fields (16 bits) and, for
each field, its length (32 bits, -1 for NULL) and its bytes, all big-endian. A block whose rows have
equal lengths is viewed as one numpy array; in other blocks the fields are located column by column,
for all rows at once.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from oml._db import text_values
from oml._db.connection import quote_identifier
from oml._db.errors import DatabaseError
from oml._transfer import batch_reader, frames, pg_text
from oml._transfer.arrays import Array

if TYPE_CHECKING:
    import pandas

    from oml._annotations import CellValue, DType, FrameColumn, Json, Loader
    from oml._db.client import ClientConnection

_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_HEADER_SIZE = len(_SIGNATURE) + 8
_TRAILER = b"\xff\xff"

#: Days and microseconds from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
_EPOCH_DAYS = 10957
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 86_400_000_000
_DAY = 86_400_000_000
#: The range of Python's dates: years 1 to 9999.
_FIRST_DAY, _LAST_DAY = -719162, 2932896


class _Nulls:
    """The null mask of a column, over all blocks."""

    def __init__(self) -> None:
        self._blocks: list[tuple[int, Array | None]] = []
        self.any = False

    def add(self, count: int, mask: Array | None) -> None:
        self._blocks.append((count, mask))
        self.any = self.any or mask is not None

    def mask(self) -> Array:
        parts = [numpy.zeros(n, bool) if mask is None else mask for n, mask in self._blocks]
        return numpy.concatenate(parts) if parts else numpy.zeros(0, bool)


class _FixedColumn:
    """Accumulates the values of a column of fixed width."""

    def __init__(self, dtype: DType, finish: Callable[[Array, _Nulls], FrameColumn]) -> None:
        self.dtype = numpy.dtype(dtype)
        self._native = self.dtype.newbyteorder("=")
        self._finish = finish
        self._parts: list[Array] = []
        self._nulls = _Nulls()

    def add_fields(self, fields: Array) -> None:
        """Append the values of a block without NULLs."""
        self._parts.append(fields.astype(self._native))
        self._nulls.add(len(fields), None)

    def add(self, buffer: bytes, starts: Array, lengths: Array) -> None:
        """Append the values at given offsets of a block; a length of -1 is NULL."""
        is_null = lengths < 0
        if (lengths[~is_null] != self.dtype.itemsize).any():
            raise DatabaseError("a value of COPY has an unexpected length", "08P01")
        if is_null.any():
            starts = numpy.where(is_null, 0, starts)
        last = len(buffer) - self.dtype.itemsize + 1
        if last <= 0:  # all are NULL
            values = numpy.zeros(len(starts), self._native)
        else:
            view = numpy.ndarray((last,), self.dtype, buffer, strides=(1,))
            values = view[starts].astype(self._native)
        self._parts.append(values)
        self._nulls.add(len(starts), is_null if is_null.any() else None)

    def finish(self) -> FrameColumn:
        if len(self._parts) == 1:
            values = self._parts[0]
        else:
            values = numpy.concatenate([numpy.zeros(0, self._native), *self._parts])
        self._parts = []
        return self._finish(values, self._nulls)


class _BytesColumn:
    """Accumulates the values of a column of variable width."""

    dtype = None

    def __init__(self, load: Loader, is_text: bool = False) -> None:
        self._load = load
        self._is_text = is_text
        # Equal texts share one object if that saves memory.
        self._seen: dict[bytes, CellValue] | None = {} if is_text else None
        self._values: list[CellValue] = []

    def add(self, buffer: bytes, starts: Array, lengths: Array) -> None:
        data = buffer.tobytes() if not isinstance(buffer, bytes) else buffer
        ends = (starts + numpy.maximum(lengths, 0)).tolist()
        is_null = (lengths < 0).tolist()
        fields = [
            None if null else data[first:last]
            for first, last, null in zip(starts.tolist(), ends, is_null)
        ]
        load, seen = self._load, self._seen
        if seen is not None:
            for field in set(fields) - seen.keys():
                if field is not None:
                    seen[field] = load(field)
            self._values.extend([None if f is None else seen[f] for f in fields])
            if len(seen) > max(1000, len(self._values) // 4):
                self._seen = None
        else:
            self._values.extend([None if f is None else load(f) for f in fields])

    def finish(self) -> FrameColumn:
        make = frames.texts if self._is_text else frames.objects
        array = make(self._values)
        self._values = []
        return array


# ------------------------------------------------------------------------------ columns by type


def _floats(values: Array, nulls: _Nulls) -> Array:
    if nulls.any:
        values[nulls.mask()] = numpy.nan
    return values


def _integers(values: Array, nulls: _Nulls) -> Array:
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    return frames.integers(values, nulls.mask() if nulls.any else None)


def _oids(values: Array, nulls: _Nulls) -> Array:
    return _integers(values.astype("i8"), nulls)


def _bools(values: Array, nulls: _Nulls) -> Array:
    truth: Array = values != 0
    if not nulls.any:
        return truth
    array: Array = truth.astype(object)
    array[nulls.mask()] = None
    return array


def _uuids(values: Array, nulls: _Nulls) -> Array:
    mask = nulls.mask()
    # numpy strips trailing zeros from bytes.
    fields = [bytes(field).ljust(16, b"\0") for field in values.tolist()]
    return frames.uuids([None if null else f for f, null in zip(fields, mask.tolist())])


def _dates(values: Array, nulls: _Nulls) -> Array:
    days = values.astype("i8") + _EPOCH_DAYS
    mask = nulls.mask()
    unusual = ((days < _FIRST_DAY) | (days > _LAST_DAY)) & ~mask
    if not unusual.any():
        days = days.view("M8[D]")
        days[mask] = numpy.datetime64("NaT")
        return frames.dates(days)
    limits = numpy.iinfo("i4")
    texts = {limits.max + _EPOCH_DAYS: "infinity", limits.min + _EPOCH_DAYS: "-infinity"}
    array = numpy.where(unusual | mask, 0, days).view("M8[D]").astype(object)
    array[mask] = None
    for row in unusual.nonzero()[0]:
        day = int(days[row])
        array[row] = texts.get(day) or pg_text.point_text(day)
    return array


def _timestamps(values: Array, nulls: _Nulls, is_utc: bool) -> FrameColumn:
    mask = nulls.mask()
    limits = numpy.iinfo("i8")
    first = (_FIRST_DAY - _EPOCH_DAYS) * _DAY
    unusual = ((values < first) | (values >= (_LAST_DAY + 1 - _EPOCH_DAYS) * _DAY)) & ~mask
    points = numpy.where(unusual | mask, 0, values) + _EPOCH_MICROSECONDS
    points = points.view("M8[us]")
    if not unusual.any():
        points[mask] = numpy.datetime64("NaT")
        return frames.times(points, is_utc)
    array = points.astype(object)
    if is_utc:
        zone = datetime.timezone.utc
        array = frames.objects([value.replace(tzinfo=zone) for value in array])
    array[mask] = None
    texts = {limits.max: "infinity", limits.min: "-infinity"}
    for row in unusual.nonzero()[0]:
        point = int(values[row])
        array[row] = texts.get(point) or pg_text.timestamp_text(
            point + _EPOCH_MICROSECONDS, "+00" if is_utc else ""
        )
    return array


def _intervals(values: Array, nulls: _Nulls) -> Array:
    mask = nulls.mask()
    days = values["days"].astype("i8")
    # Intervals beyond 64 bits of microseconds, or with months: PostgreSQL's text.
    is_large = numpy.abs(values["us"] / _DAY + days) > 106_751_990
    unusual = ((values["months"] != 0) | is_large) & ~mask
    spans = (values["us"] + numpy.where(unusual | mask, 0, days) * _DAY).view("m8[us]")
    if not unusual.any():
        spans[mask] = numpy.timedelta64("NaT")
        return frames.spans(spans)
    array = numpy.where(unusual | mask, numpy.timedelta64(0, "us"), spans).astype(object)
    array[mask] = None
    for row in unusual.nonzero()[0]:
        months, day, us = (int(values[part][row]) for part in ("months", "days", "us"))
        array[row] = pg_text.interval_text(months, day, us)
    return array


def _jsonb(data: bytes) -> Json:
    value: Json = json.loads(data[1:])  # after the version byte
    return value


_FIXED: dict[int, tuple[DType, Callable[[Array, _Nulls], FrameColumn]]] = {
    16: ("u1", _bools),
    20: (">i8", _integers),
    21: (">i2", _integers),
    23: (">i4", _integers),
    26: (">u4", _oids),
    700: (">f4", _floats),
    701: (">f8", _floats),
    1082: (">i4", _dates),
    1114: (">i8", lambda values, nulls: _timestamps(values, nulls, False)),
    1184: (">i8", lambda values, nulls: _timestamps(values, nulls, True)),
    1186: ([("us", ">i8"), ("days", ">i4"), ("months", ">i4")], _intervals),
    2950: ("S16", _uuids),
}
_TEXTS = {18, 19, 25, 705, 1042, 1043}
_NUMERIC = 1700


def _printed(item: str) -> str:
    """The value as printed by PostgreSQL, which can differ from its cast to text."""
    return f"CASE WHEN {item} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', {item}) END"


def _column_of(
    client: ClientConnection, oid: int, name: str
) -> tuple[str, _FixedColumn | _BytesColumn]:
    """The SQL expression of a column for COPY, and the collector of its values."""
    item = f"q.{quote_identifier(name)}"
    if oid in _FIXED:
        return item, _FixedColumn(*_FIXED[oid])
    if oid == _NUMERIC:
        return f"{item}::pg_catalog.float8", _FixedColumn(">f8", _floats)
    if oid in _TEXTS:
        return item, _BytesColumn(bytes.decode, is_text=True)
    if oid == 17:
        return item, _BytesColumn(bytes)
    if oid == 114:
        return item, _BytesColumn(json.loads)
    if oid == 3802:
        return item, _BytesColumn(_jsonb)
    load = client.column_type(oid).load
    return _printed(item), _BytesColumn(load, is_text=load is text_values.BUILT_IN[25].load)


def pull_frame(client: ClientConnection, sql: str) -> pandas.DataFrame:
    """Return the rows of a query without parameters as a frame."""
    described = client.describe(sql)
    if len({name for name, _ in described}) < len(described) or not described:
        raise ValueError("column names must be unique")
    if client.has_batches():
        return _pull_batches(client, sql, described)
    return _pull_copy(client, sql, described)


def batch_query(
    client: ClientConnection, sql: str, described: list[tuple[str, int]]
) -> tuple[str, list[tuple[int, Loader | None]]]:
    """Return the query to ask for batches of, and what its columns hold."""
    items, columns = [], []
    for name, oid in described:
        item = f"q.{quote_identifier(name)}"
        kind = batch_reader.KINDS_BY_OID.get(oid)
        load: Loader | None = None
        if kind is None:
            kind, item = batch_reader.TEXT, _printed(item)
            load = client.column_type(oid).load
        items.append(item)
        columns.append((kind, None if load is text_values.BUILT_IN[25].load else load))
    return f"SELECT {', '.join(items)} FROM ({sql}\n) AS q", columns


def _pull_batches(
    client: ClientConnection, sql: str, described: list[tuple[str, int]]
) -> pandas.DataFrame:
    text, columns = batch_query(client, sql, described)
    reader = batch_reader.FrameReader(columns)
    batch_reader.fetch(text, False, reader.add)
    return frames.make_frame([name for name, _ in described], reader.finish(), reader.rows)


def _pull_copy(
    client: ClientConnection, sql: str, described: list[tuple[str, int]]
) -> pandas.DataFrame:
    items, columns = zip(*(_column_of(client, oid, name) for name, oid in described))
    reader = _BlockReader(columns)
    text = f"COPY (SELECT {', '.join(items)} FROM ({sql}\n) AS q) TO STDOUT (FORMAT BINARY)"
    client.copy_out(text, reader.add)
    names = [name for name, _ in described]
    return frames.make_frame(names, [column.finish() for column in columns], reader.rows)


class _BlockReader:
    """Splits blocks of whole rows into the values of columns."""

    def __init__(self, columns: Sequence[Any]) -> None:  # of either class
        self.rows = 0
        self._columns = columns
        self._is_first = True
        self._row_type: numpy.dtype[Any] | None = None  # of records
        if all(column.dtype is not None for column in columns):
            fields: list[Any] = [("count", ">i2")]  # names and dtypes in any form
            for number, column in enumerate(columns):
                fields += [(f"length{number}", ">i4"), (f"value{number}", column.dtype)]
            self._row_type = numpy.dtype(fields)

    def add(self, rows: list[bytes]) -> None:
        """Append COPY messages: each is one row."""
        if self._is_first and rows:
            self._is_first = False
            extension = int.from_bytes(rows[0][_HEADER_SIZE - 4 : _HEADER_SIZE], "big")
            rows[0] = rows[0][_HEADER_SIZE + extension :]
        if rows and rows[-1].endswith(_TRAILER) and len(rows[-1]) == len(_TRAILER):
            rows = rows[:-1]
        if rows and not rows[0]:
            rows = rows[1:]
        if rows:
            self._add(rows)

    def _add(self, rows: list[bytes]) -> None:
        block = b"".join(rows)
        count = len(rows)
        self.rows += count
        if self._row_type is not None and len(block) == count * self._row_type.itemsize:
            fields = numpy.frombuffer(block, self._row_type)
            if all(
                (fields[f"length{n}"] == column.dtype.itemsize).all()
                for n, column in enumerate(self._columns)
            ):
                for number, column in enumerate(self._columns):
                    column.add_fields(fields[f"value{number}"])
                return
        sizes = numpy.fromiter(map(len, rows), dtype=numpy.int64, count=count)
        places = numpy.cumsum(sizes) - sizes
        counts = numpy.ndarray((len(block) - 1,), ">i2", block, strides=(1,))
        if (counts[places] != len(self._columns)).any():
            raise DatabaseError("unexpected data in COPY", "08P01")
        lengths_at = numpy.ndarray((len(block) - 3,), ">i4", block, strides=(1,))
        places += 2
        for column in self._columns:
            lengths = lengths_at[places].astype(numpy.int64)
            places += 4
            column.add(block, places, lengths)
            places += numpy.maximum(lengths, 0)
