"""Converts PostgreSQL's texts to Python values, for the connection of a client.

The values are those that scripts get inside an engine: docs/reference/types.md.
"""

from __future__ import annotations

import binascii
import datetime
import decimal
import json
import re
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from oml._annotations import CellValue, Loader
    from oml._transfer.arrays import Array


class ColumnType(NamedTuple):
    """How the texts of a type are read.

    Attributes
    ----------
    load : function of bytes
    dtype : str
        dtype of a numpy array of such values.
    """

    load: Loader
    dtype: str


# ---------------------------------------------------------------------------------- scalar types


def _text(data: bytes) -> str:
    return data.decode()


def _bool(data: bytes) -> bool:
    return data == b"t"


def _bytes(data: bytes) -> bytes:
    if data[:2] == b"\\x":
        return binascii.unhexlify(data[2:])
    return re.sub(  # bytea_output = 'escape'
        rb"\\(\\|[0-7]{3})",
        lambda match: b"\\" if match[1] == b"\\" else bytes([int(match[1], 8)]),
        data,
    )


def _decimal(data: bytes) -> decimal.Decimal:
    return decimal.Decimal(data.decode())


def _uuid(data: bytes) -> uuid.UUID:
    return uuid.UUID(data.decode())


_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_CLOCK = r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?"
_ZONE = r"([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?"
_TIME = re.compile(_CLOCK)
_TIME_ZONE = re.compile(_CLOCK + _ZONE)
_TIMESTAMP = re.compile(_DATE.pattern + " " + _CLOCK)
_TIMESTAMP_ZONE = re.compile(_TIMESTAMP.pattern + _ZONE)
_INTERVAL = re.compile(
    r"(?:(-?\+?\d+) years? ?)?(?:([+-]?\d+) mons? ?)?(?:([+-]?\d+) days? ?)?"
    r"(?:([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?"
)


def _microseconds(digits: str | None) -> int:
    return int(digits.ljust(6, "0")) if digits else 0


def _clock(groups: tuple[str | None, ...]) -> tuple[int, int, int, int]:
    hour, minute, second, fraction = groups
    return int(hour or 0), int(minute or 0), int(second or 0), _microseconds(fraction)


def _offset(groups: tuple[str | None, ...]) -> datetime.timedelta:
    sign, hours, minutes, seconds = groups
    east = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return datetime.timedelta(seconds=-east if sign == "-" else east)


# Values that Python's types cannot represent remain PostgreSQL's text.


def _date(data: bytes) -> datetime.date | str:
    text = data.decode()
    match = _DATE.fullmatch(text)
    return datetime.date(int(match[1]), int(match[2]), int(match[3])) if match else text


def _timestamp(data: bytes) -> datetime.datetime | str:
    text = data.decode()
    match = _TIMESTAMP.fullmatch(text)
    if not match:
        return text
    groups = match.groups()
    return datetime.datetime(int(groups[0]), int(groups[1]), int(groups[2]), *_clock(groups[3:]))


def _timestamp_zone(data: bytes) -> datetime.datetime | str:
    text = data.decode()
    match = _TIMESTAMP_ZONE.fullmatch(text)
    if not match:
        return text
    groups = match.groups()
    year, month, day = int(groups[0]), int(groups[1]), int(groups[2])
    local = datetime.datetime(year, month, day, *_clock(groups[3:7]))
    try:
        return (local - _offset(groups[7:])).replace(tzinfo=datetime.timezone.utc)
    except OverflowError:
        return text


def _timestamp_utc(data: bytes) -> datetime.datetime | str:
    """Naive, as in arrays."""
    value = _timestamp_zone(data)
    return value if isinstance(value, str) else value.replace(tzinfo=None)


def _time(data: bytes) -> datetime.time | str:
    text = data.decode()
    match = _TIME.fullmatch(text)
    return text if not match or match[1] == "24" else datetime.time(*_clock(match.groups()))


def _time_zone(data: bytes) -> datetime.time | str:
    text = data.decode()
    match = _TIME_ZONE.fullmatch(text)
    if not match or match[1] == "24":
        return text
    groups = match.groups()
    zone = datetime.timezone(_offset(groups[4:]))
    return datetime.time(*_clock(groups[:4]), tzinfo=zone)


def _interval(data: bytes) -> datetime.timedelta | str:
    text = data.decode()
    match = _INTERVAL.fullmatch(text)
    if not match or match[1] or match[2]:
        return text
    days, sign, hours, minutes, seconds, fraction = match.groups()[2:]
    clock = datetime.timedelta(
        hours=int(hours or 0),
        minutes=int(minutes or 0),
        seconds=int(seconds or 0),
        microseconds=_microseconds(fraction),
    )
    try:
        return datetime.timedelta(days=int(days or 0)) + (-clock if sign == "-" else clock)
    except OverflowError:
        return text


_TEXT = ColumnType(_text, "O")
_INTEGER = ColumnType(int, "i8")
_JSON = ColumnType(json.loads, "O")

#: By OID of built-in types; all other types are looked up.
BUILT_IN = {
    16: ColumnType(_bool, "?"),
    17: ColumnType(_bytes, "O"),
    18: _TEXT,
    19: _TEXT,
    20: _INTEGER,
    21: ColumnType(int, "i2"),
    23: ColumnType(int, "i4"),
    25: _TEXT,
    26: _INTEGER,
    114: _JSON,
    700: ColumnType(float, "f4"),
    701: ColumnType(float, "f8"),
    705: _TEXT,
    1042: _TEXT,
    1043: _TEXT,
    1082: ColumnType(_date, "M8[D]"),
    1083: ColumnType(_time, "O"),
    1114: ColumnType(_timestamp, "M8[us]"),
    1184: ColumnType(_timestamp_zone, "M8[us]"),
    1186: ColumnType(_interval, "m8[us]"),
    1266: ColumnType(_time_zone, "O"),
    1700: ColumnType(_decimal, "O"),
    2278: _TEXT,
    2950: ColumnType(_uuid, "O"),
    3802: _JSON,
    # These two have the layout of arrays, but not their text format.
    22: _TEXT,
    30: _TEXT,
}

# --------------------------------------------------------------------------- types of extensions


def _vector(data: bytes) -> Array:
    import numpy

    return numpy.array(json.loads(data), dtype=numpy.float32)


def _sparse_vector(data: bytes) -> Array:
    """The elements of "{1:0.5,3:2}/4", whose indexes begin with 1."""
    import numpy

    elements, _, dimensions = data.decode().rpartition("/")
    values = numpy.zeros(int(dimensions), dtype=numpy.float32)
    for each in filter(None, elements.strip("{}").split(",")):
        index, _, value = each.partition(":")
        values[int(index) - 1] = float(value)
    return values


_HSTORE_PAIR = re.compile(r'"((?:[^"\\]|\\.)*)"=>(?:NULL|"((?:[^"\\]|\\.)*)")', re.DOTALL)


def _hstore(data: bytes) -> dict[str, str | None]:
    def plain(text: str | None) -> str | None:
        return None if text is None else re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)

    pairs = _HSTORE_PAIR.finditer(data.decode())
    return {plain(each[1]) or "": plain(each[2]) for each in pairs}


#: (extension, type) -> how it is read
OF_EXTENSIONS = {
    (b"hstore", b"hstore"): ColumnType(_hstore, "O"),
    (b"vector", b"vector"): ColumnType(_vector, "O"),
    (b"vector", b"halfvec"): ColumnType(_vector, "O"),
    (b"vector", b"sparsevec"): ColumnType(_sparse_vector, "O"),
}

#: Names of the most common types without modifiers, as printed by format_type.
NAMES = {
    16: "boolean",
    17: "bytea",
    20: "bigint",
    21: "smallint",
    23: "integer",
    25: "text",
    26: "oid",
    114: "json",
    700: "real",
    701: "double precision",
    1043: "character varying",
    1082: "date",
    1083: "time without time zone",
    1114: "timestamp without time zone",
    1184: "timestamp with time zone",
    1186: "interval",
    1700: "numeric",
    2278: "void",
    2950: "uuid",
    3802: "jsonb",
}

#: OIDs of the types that parameter_text() returns.
PARAMETER_TYPES = {
    "": 0,
    "anyarray": 0,
    "boolean": 16,
    "integer": 23,
    "bigint": 20,
    "numeric": 1700,
    "double precision": 701,
    "bytea": 17,
    "date": 1082,
    "timestamp": 1114,
    "timestamp with time zone": 1184,
    "time": 1083,
    "time with time zone": 1266,
    "interval": 1186,
    "uuid": 2950,
    "json": 114,
    "jsonb": 3802,
    "text": 25,
}

# ---------------------------------------------------------------------------------- nested types


def array_loader(element: ColumnType, delimiter: str = ",") -> Loader:
    """Return the loader of arrays of a type: numpy arrays, or nested lists if an element is
    NULL."""
    load = _timestamp_utc if element.load is _timestamp_zone else element.load
    token = re.compile(
        rf'\s*([{{}}{re.escape(delimiter)}]|"(?:[^"\\]|\\.)*"|[^{{}}{re.escape(delimiter)}"]+)',
        re.DOTALL,
    )

    def parse(text: str, values: list[CellValue]) -> list[int]:
        """Append the elements to a flat list; return the sizes of the dimensions."""
        sizes: list[int] = []
        counts: list[int] = []
        depth = 0
        for match in token.finditer(text):
            item = match[1]
            if item == "{":
                depth += 1
                if depth > len(sizes):
                    sizes.append(0)
                    counts.append(0)
                if depth > 1:
                    counts[depth - 2] += 1
                counts[depth - 1] = 0
            elif item == "}":
                sizes[depth - 1] = counts[depth - 1]
                depth -= 1
            elif item != delimiter:
                counts[depth - 1] += 1
                if item[0] == '"':
                    values.append(load(re.sub(r"\\(.)", r"\1", item[1:-1], flags=re.S).encode()))
                elif item.strip().upper() == "NULL":
                    values.append(None)
                else:
                    values.append(load(item.encode()))
        return sizes

    def load_array(data: bytes) -> Array | list[CellValue]:
        import numpy

        text = data.decode()
        if text[:1] == "[":  # the lower bounds
            text = text[text.index("{") :]
        values: list[CellValue] = []
        sizes = parse(text, values)
        has_null = any(value is None for value in values)
        is_unusual = element.dtype[0] in "Mm" and any(isinstance(v, str) for v in values)
        array: Array = numpy.empty(len(values), dtype=object)
        for index, value in enumerate(values):  # a value may be a list itself
            array[index] = value
        if not has_null:
            array = array.astype("O" if is_unusual else element.dtype)
        if len(sizes) > 1:
            array = array.reshape(sizes)
        return array.tolist() if has_null else array

    return load_array


def _split_record(text: str) -> Iterator[str | None]:
    position = 1
    while True:
        if text[position] in ",)":
            yield None
        else:
            parts = []
            while text[position] not in ",)":
                if text[position] == '"':
                    match = _QUOTED.match(text, position)
                    assert match is not None
                    parts.append(re.sub(r'\\(.)|""', lambda m: m[1] or '"', match[1], flags=re.S))
                else:
                    match = _BARE.match(text, position)
                    assert match is not None
                    parts.append(re.sub(r"\\(.)", r"\1", match[0], flags=re.S))
                position = match.end()
            yield "".join(parts)
        if text[position] == ")":
            return
        position += 1


_QUOTED = re.compile(r'"((?:[^"\\]|\\.|"")*)"', re.DOTALL)
_BARE = re.compile(r'(?:[^",)\\]|\\.)+', re.DOTALL)


def record_loader(fields: list[tuple[str, ColumnType]]) -> Loader:
    """Return the loader of a composite type: dicts by field."""

    def load_record(data: bytes) -> dict[str, CellValue]:
        if not fields:
            return {}
        return {
            name: None if text is None else column_type.load(text.encode())
            for (name, column_type), text in zip(fields, _split_record(data.decode()))
        }

    return load_record
