"""Makes the batches of columns that `pyqsys.batch_rows` takes; batch_reader has their layout."""

from __future__ import annotations

import datetime
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy

from oml._db.parameters import plain_value
from oml._transfer import batch_reader
from oml._transfer.arrays import Array

if TYPE_CHECKING:
    from oml._annotations import CellValue

_ROWS = 1 << 16
_MOST_BYTES = 64 << 20  # of a batch of several rows


class Encoded(NamedTuple):
    """Some rows of a column.

    Attributes
    ----------
    kind : int
        As in batch_reader.
    null : array of bool or None
        Which rows are NULL.
    values : array
        Of fixed width, or of bytes.
    offsets : array of int64 or None
        Where the bytes of each row begin, and the last ones end.
    """

    kind: int
    null: Array | None
    values: Array
    offsets: Array | None = None

    @property
    def size(self) -> int:
        """Bytes, about."""
        own = 0 if self.offsets is None else self.offsets.nbytes
        return int(self.values.nbytes) + own


def _aligned(size: int) -> int:
    return -(-size // batch_reader.ALIGNMENT) * batch_reader.ALIGNMENT


def pack(columns: Sequence[Encoded], length: int) -> bytearray:
    """Return the bytes of a batch."""
    description = bytearray(struct.pack("=qBq", length, 0, len(columns)))
    pieces: list[tuple[int, Array]] = []
    end = 0

    def add(array: Array) -> None:
        nonlocal end
        if array.nbytes:
            at = _aligned(end)
            pieces.append((at, numpy.ascontiguousarray(array)))
            end = at + array.nbytes

    for kind, null, values, offsets in columns:
        count = 0 if null is None else int(numpy.count_nonzero(null))
        description += struct.pack("=BBq", kind, 0, count)
        if null is not None and count:
            add(numpy.packbits(~null, bitorder="little"))
        if offsets is not None:
            description += struct.pack("=q", values.nbytes)
            add(offsets)
        add(values)
    description += struct.pack("=Q", end)
    data_at = _aligned(batch_reader.HEAD_SIZE + len(description))
    packed = bytearray(_aligned(data_at + end))
    head = batch_reader.MAGIC + bytes(2) + struct.pack("=QQ", len(packed), len(description))
    packed[: len(head)] = head
    packed[batch_reader.HEAD_SIZE : batch_reader.HEAD_SIZE + len(description)] = description
    whole = numpy.frombuffer(packed, "u1")
    for at, array in pieces:
        whole[data_at + at : data_at + at + array.nbytes] = array.reshape(-1).view("u1")
    return packed


# ----------------------------------------------------------------------------- values by SQL type


def _bytes_column(kind: int, fields: list[bytes], null: Array | None) -> Encoded:
    ends = numpy.zeros(len(fields) + 1, "i8")
    numpy.cumsum(numpy.fromiter(map(len, fields), "i8", len(fields)), out=ends[1:])
    return Encoded(kind, null, numpy.frombuffer(b"".join(fields), "u1"), ends)


def _texts(kind: int, texts: list[str], null: Array | None) -> Encoded:
    whole = "".join(texts)
    if not whole.isascii():
        return _bytes_column(kind, [text.encode() for text in texts], null)
    ends = numpy.zeros(len(texts) + 1, "i8")
    numpy.cumsum(numpy.fromiter(map(len, texts), "i8", len(texts)), out=ends[1:])
    return Encoded(kind, null, numpy.frombuffer(whole.encode("ascii"), "u1"), ends)


def _naive(value: datetime.datetime) -> datetime.datetime:
    return value.astimezone(datetime.timezone.utc).replace(tzinfo=None)


def _microseconds(value: datetime.time) -> int:
    seconds = value.hour * 3600 + value.minute * 60 + value.second
    return seconds * 1_000_000 + value.microsecond


def _json(value: object) -> str:
    return json.dumps(value, default=lambda item: plain_value(item))


def _interval(value: datetime.timedelta) -> str:
    """Days and the rest, which PostgreSQL keeps apart."""
    return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"


_FIXED: dict[str, tuple[int, str, CellValue]] = {
    "bigint": (batch_reader.INT64, "i8", 0),
    "double precision": (batch_reader.FLOAT64, "f8", float("nan")),
    "boolean": (batch_reader.BOOL, "u1", 0),
    "timestamp": (batch_reader.TIMESTAMP, "M8[us]", None),
    "timestamptz": (batch_reader.TIMESTAMPTZ, "M8[us]", None),
    "date": (batch_reader.DATE, "M8[D]", datetime.date(1970, 1, 1)),
    "time": (batch_reader.TIME, "i8", 0),
}
_CONVERT: dict[str, Callable[[CellValue], CellValue]] = {
    "timestamptz": _naive,
    "time": _microseconds,
}
_AS_TEXT: dict[str, tuple[int, Callable[[CellValue], str] | None]] = {
    "text": (batch_reader.TEXT, None),
    "numeric": (batch_reader.DECIMAL, str),
    "jsonb": (batch_reader.JSON, _json),
    "uuid": (batch_reader.TEXT, str),
    "interval": (batch_reader.TEXT, _interval),
}


def encode(values: Array | list[CellValue], natural: str) -> Encoded:
    """Return rows of a column of push.Data."""
    if isinstance(values, numpy.ndarray):
        return _encode_array(values, natural)
    null = None
    if None in values:
        null = numpy.fromiter((value is None for value in values), bool, len(values))
    if natural in _FIXED:
        kind, dtype, filler = _FIXED[natural]
        convert = _CONVERT.get(natural)
        if convert is not None:
            values = [None if value is None else convert(value) for value in values]
        if null is not None and filler is not None:
            values = [filler if value is None else value for value in values]
        return Encoded(kind, null, _stored(kind, numpy.array(values, dtype)))
    if natural == "bytea":
        fields = [b"" if value is None else bytes(value) for value in values]
        return _bytes_column(batch_reader.BINARY, fields, null)
    kind, write = _AS_TEXT[natural]
    if write is not None:
        values = ["" if value is None else write(value) for value in values]
    elif null is not None:
        values = ["" if value is None else value for value in values]
    return _texts(kind, values, null)


def _encode_array(values: Array, natural: str) -> Encoded:
    null = None
    if values.dtype.kind in "fM":
        null = numpy.isnan(values) if values.dtype.kind == "f" else numpy.isnat(values)
        if not null.any():
            null = None
    kind = _FIXED[natural][0]
    return Encoded(kind, null, _stored(kind, values))


def _stored(kind: int, array: Array) -> Array:
    if kind == batch_reader.DATE:
        return array.astype("M8[D]").view("i8").astype("i4")
    return array.view("i8") if array.dtype.kind in "mM" else array


def batches(
    columns: Sequence[Array | list[CellValue]], natural: Sequence[str], length: int
) -> Iterator[bytearray]:
    """Yield the rows of columns of push.Data."""
    first = 0
    rows = _ROWS
    while first < length:
        last = min(length, first + rows)
        encoded = [encode(column[first:last], kind) for column, kind in zip(columns, natural)]
        size = sum(column.size for column in encoded)
        if size > _MOST_BYTES and last - first > 1:
            rows = max(1, min(rows // 2, (last - first) * _MOST_BYTES // (2 * size)))
            continue
        yield pack(encoded, last - first)
        first = last
