"""Writes local data to tables."""

# check_sizes: types, texts and binary forms are those of the same kinds of columns.

from __future__ import annotations

import datetime
import decimal
import itertools
import json
import re
import struct
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy
import pandas

from oml._db import connection as db
from oml._db.errors import DatabaseError
from oml._db.parameters import plain_value
from oml._transfer import arrow, batch_writer
from oml.core._query import managed_name
from oml.core._sql import quote

if TYPE_CHECKING:
    from oml._annotations import CellValue, FrameColumn
    from oml._transfer.arrays import Array

_ROWS = 10_000  # per statement or block of COPY


class Data(NamedTuple):
    """Columns of values.

    Attributes
    ----------
    names : list of str
    columns : list
        numpy arrays of numbers or booleans without NULLs, or lists of Python values.
    natural : list of str
        The SQL types of the values; "text" if there are no values.
    types : list of str
        The SQL types of the target columns.
    length : int
    """

    names: list[str]
    columns: list[Array | list[CellValue]]
    natural: list[str]
    types: list[str]
    length: int


# -------------------------------------------------------------------------------- reading values

_KINDS = (  # the first match counts: bool before int, datetime before date
    (str, "text"),
    (bool, "boolean"),
    (int, "bigint"),
    (float, "double precision"),
    (decimal.Decimal, "numeric"),
    ((bytes, bytearray, memoryview), "bytea"),
    (datetime.datetime, "timestamp"),
    (datetime.date, "date"),
    (datetime.time, "time"),
    (datetime.timedelta, "interval"),
    (uuid.UUID, "uuid"),
    ((dict, list, tuple), "jsonb"),
)
_NUMBERS = ["bigint", "double precision", "numeric"]


def _kind(value: object) -> str:
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return "timestamptz"
    for types, kind in _KINDS:
        if isinstance(value, types):
            return kind
    return type(value).__name__


def _is_missing(value: object) -> bool:
    # NaN is NULL, as in results; Decimal("NaN") is a value.
    return value is None or (isinstance(value, float) and value != value)


def _plain_values(values: Iterable[object]) -> list[CellValue]:
    plain = [plain_value(value) for value in values]
    return [None if _is_missing(value) else value for value in plain]


def _infer(values: Sequence[CellValue], name: str) -> str:
    kinds = {_kind(value) for value in values if value is not None}
    if not kinds:
        raise ValueError(f'column "{name}" has no values: specify its type in dbtypes')
    if kinds <= set(_NUMBERS):
        if kinds == {"bigint"} and any(
            not -(2**63) <= value < 2**63 for value in values if value is not None
        ):
            return "numeric"
        return max(kinds, key=_NUMBERS.index)
    if len(kinds) > 1:
        raise ValueError(
            f'column "{name}" has values of several types ({", ".join(sorted(kinds))}): '
            "specify its type in dbtypes"
        )
    (kind,) = kinds
    if kind not in {known for _, known in _KINDS} | {"timestamptz"}:
        raise ValueError(f'column "{name}" has values of class {kind}')
    return kind


def _column(values: FrameColumn, name: str, is_named: bool) -> tuple[Array | list[CellValue], str]:
    """The values of a column and their SQL type."""
    dtype = getattr(values, "dtype", None)
    kind = dtype.kind if isinstance(dtype, numpy.dtype) else "O"
    if kind in "iu" and dtype != numpy.dtype("u8"):
        return numpy.asarray(values).astype("i8"), "bigint"
    if kind == "b":
        return numpy.asarray(values), "boolean"
    if kind == "f":
        array = numpy.asarray(values).astype("f8")
        return array, "double precision"
    if kind == "M":
        return numpy.asarray(values).astype("M8[us]"), "timestamp"
    if kind == "m":
        return numpy.asarray(values).astype("m8[us]").astype(object).tolist(), "interval"
    if isinstance(dtype, pandas.DatetimeTZDtype):
        utc = pandas.DatetimeIndex(values).tz_convert("UTC").tz_localize(None)
        return utc.to_numpy().astype("M8[us]"), "timestamptz"
    texts = _texts_of(values)
    if texts is not None:
        return texts, "text"
    plain = _plain_values(list(values))
    if is_named:
        return _as_named(plain)
    if not plain:
        return plain, "text"
    found = _infer(plain, name)
    if found == "double precision":
        return numpy.array([numpy.nan if v is None else float(v) for v in plain], "f8"), found
    return plain, found


def _texts_of(values: FrameColumn) -> list[CellValue] | None:
    """Return a column of texts as a list, with None for missing values; None for others."""
    if not isinstance(values, numpy.ndarray) or values.dtype != object:
        return None
    if pandas.api.types.infer_dtype(values, skipna=True) != "string":
        return None
    missing = pandas.isna(values)
    if missing.any():
        values = values.copy()
        values[missing] = None
    listed: list[CellValue] = values.tolist()
    return listed


def _as_named(plain: list[CellValue]) -> tuple[list[CellValue], str]:
    """Values of any type, to be cast from text by the server."""
    try:
        return plain, _infer(plain, "")
    except ValueError:
        from oml._db.parameters import parameter

        return [None if v is None else parameter(v)[0] for v in plain], "text"


def is_column(x: object) -> bool:
    """Whether local data is one column."""
    if isinstance(x, pandas.Series) or (isinstance(x, numpy.ndarray) and x.ndim == 1):
        return getattr(getattr(x, "dtype", None), "names", None) is None
    return isinstance(x, (list, tuple)) and not all(isinstance(v, (list, tuple)) for v in x)


def _named_columns(x: object) -> tuple[list[str], list[FrameColumn], int]:
    if isinstance(x, pandas.Series):
        x = x.to_frame(name="COL1" if x.name is None else x.name)
    if isinstance(x, numpy.ndarray):
        if x.dtype.names is not None:
            return list(x.dtype.names), [x[name] for name in x.dtype.names], len(x)
        matrix = x.reshape(len(x), -1)
        columns = [matrix[:, number] for number in range(matrix.shape[1])]
        return [f"COL{n + 1}" for n in range(len(columns))], columns, len(x)
    if isinstance(x, pandas.DataFrame):
        names = [str(name) for name in x.columns]
        columns = [_unwrapped(x.iloc[:, number]) for number in range(len(names))]
        return names, columns, len(x)
    if not isinstance(x, (list, tuple)):
        message = (
            "data is a pandas.DataFrame or Series, a numpy array, a list of tuples, or an object "
            f"with __arrow_c_stream__, not {type(x).__name__}"
        )
        if hasattr(x, "collect"):  # polars.LazyFrame
            message += ": call its collect()"
        raise TypeError(message)
    rows = [(value,) for value in x] if is_column(x) else list(x)
    if not rows:
        raise ValueError("a list without rows has no columns")
    if len({len(row) for row in rows}) > 1:
        raise ValueError("the tuples have different sizes")
    return [f"COL{n + 1}" for n in range(len(rows[0]))], [list(c) for c in zip(*rows)], len(rows)


def _unwrapped(column: pandas.Series[CellValue]) -> FrameColumn:
    """A numpy array of a column, unless its pandas dtype carries more information."""
    if isinstance(column.dtype, (numpy.dtype, pandas.DatetimeTZDtype)):
        return column.array if isinstance(column.dtype, pandas.DatetimeTZDtype) else column.values
    return column.astype(object).to_numpy()


def read(x: object, dbtypes: dict[str, str] | list[str] | None, has_numbers: bool = True) -> Data:
    """Extract the columns of local data.

    Parameters
    ----------
    x, dbtypes
        See oml.create().
    has_numbers : bool
        Whether integers and decimals keep their own types instead of becoming doubles.

    Raises
    ------
    ValueError
        The type of a column cannot be determined, or `dbtypes` does not match.
    """
    if arrow.is_stream(x):
        given = list(arrow.columns_of(x))
        names, length = [each.name for each in given], len(given[0].values) if given else 0
    else:
        given = None
        names, raw, length = _named_columns(x)
    if not names:
        raise ValueError("the data has no columns")
    if len(set(names)) < len(names):
        raise ValueError("two columns have the same name")
    wanted: dict[str, str] = {}
    if isinstance(dbtypes, dict):
        wanted = dbtypes
        unknown = set(wanted) - set(names)
        if unknown:
            raise ValueError(f"dbtypes contains unknown columns: {', '.join(sorted(unknown))}")
    elif dbtypes is not None:
        if len(dbtypes) != len(names):
            raise ValueError("dbtypes must contain one type per column")
        wanted = dict(zip(names, dbtypes))
    if given is not None:
        natural = [each.natural for each in given]
        exact = [each.sql_type for each in given]
        types = [
            checked_type(wanted[name]) if name in wanted else k for name, k in zip(names, exact)
        ]
        return Data(names, [each.values for each in given], natural, types, length)
    columns, natural = [], []
    for name, values in zip(names, raw):
        column, kind = _column(values, name, name in wanted)
        columns.append(column)
        natural.append(kind)
    usual = natural if has_numbers else [_double(kind) for kind in natural]
    types = [
        checked_type(wanted[name]) if name in wanted else kind for name, kind in zip(names, usual)
    ]
    return Data(names, columns, natural, types, length)


def _double(kind: str) -> str:
    return "double precision" if kind in _NUMBERS else kind


_ORACLE_TYPES = (
    (r"number(\(.*\))?", r"numeric\1"),
    (r"n?varchar2(?:\((\d+)(?: (?:char|byte))?\))?", "varchar"),
    (r"binary_double", "double precision"),
    (r"binary_float", "real"),
    (r"n?clob|long", "text"),
    (r"blob|raw(\(\d+\))?", "bytea"),
)


def checked_type(text: str) -> str:
    """Return an SQL type given by the caller; reject anything else.

    Raises
    ------
    DatabaseError
        The text is not a type name.
    """
    bare = " ".join(text.split())
    for pattern, replacement in _ORACLE_TYPES:
        match = re.fullmatch(pattern, bare, re.IGNORECASE)
        if match:
            if replacement == "varchar":
                bare = f"varchar({match[1]})" if match[1] else "varchar"
            else:
                bare = match.expand(replacement)
            break
    # PostgreSQL's type name parser accepts only a type name, and raises an error otherwise.
    rows = db.connection().query("SELECT pg_catalog.to_regtype($1) IS NOT NULL", (bare,))[1]
    if not rows[0][0]:
        raise DatabaseError(f'type "{text}" does not exist', "42704")
    return bare


def target_types(data: Data, relation: str) -> list[str]:
    """Return the types of the target columns in a table.

    Raises
    ------
    DatabaseError
        The table lacks a column, SQLSTATE 42703.
    """
    names = ", ".join(map(quote, data.names))
    description = db.connection().query(f"SELECT {names} FROM {relation} LIMIT 0")[0] or []
    return [sql_type for _, sql_type in description]


# -------------------------------------------------------------------------------- writing values


def write(data: Data, relation: str, types: list[str], is_new: bool) -> None:
    """Write all rows to a table, or none; create the table first if it is new."""
    definition = ", ".join(f"{quote(name)} {kind}" for name, kind in zip(data.names, types))
    create = f"CREATE TABLE {relation} ({definition})" if is_new else None
    connection = db.connection()
    if connection.is_embedded:
        _write_embedded(data, relation, types, create)
        return
    is_natural = all(map(_is_same_type, data.natural, types))
    with connection.transaction():
        if create:
            connection.query(create)
        names = ", ".join(map(quote, data.names))
        target = relation
        if not is_natural:
            target = f"pg_temp.{quote(managed_name())}"
            items = ", ".join(f"{quote(n)} {t}" for n, t in zip(data.names, data.natural))
            connection.query(f"CREATE TEMPORARY TABLE {target} ({items})")
        connection.copy_in(
            f"COPY {target} ({names}) FROM STDIN (FORMAT BINARY)", _copy_blocks(data)
        )
        if not is_natural:
            casts = ", ".join(_cast(quote(n), k, t) for n, k, t in _each(data, types))
            connection.query(f"INSERT INTO {relation} ({names}) SELECT {casts} FROM {target}")
            connection.query(f"DROP TABLE {target}")


def _each(data: Data, types: list[str]) -> Iterable[tuple[str, str, str]]:
    return zip(data.names, data.natural, types)


_SYNONYMS = {
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
}


def _is_same_type(natural: str, target: str) -> bool:
    return target in (natural, _SYNONYMS.get(natural))


def _cast(value: str, natural: str, target: str) -> str:
    """An explicit cast; numbers are cast to boolean through integer, and vice versa."""
    if natural == "boolean" and target not in ("boolean", "text"):
        value = f"({value})::int"
    elif natural == "timestamp" and _SYNONYMS["timestamptz"] in (target, _SYNONYMS.get(target)):
        value = f"({value} AT TIME ZONE 'UTC')"  # a naive time is UTC
    return f"CAST({value} AS {target})"


def _write_embedded(data: Data, relation: str, types: list[str], create: str | None) -> None:
    connection = db.connection()
    if create:
        connection.query(create)
    try:
        if not _write_batches(connection, data, relation, types):
            _write_arrays(connection, data, relation, types)
    except BaseException:
        if create:
            connection.query(f"DROP TABLE {relation}")
        raise


def _insert(data: Data, relation: str, types: list[str], rows: str) -> str:
    names = ", ".join(map(quote, data.names))
    aliases = [f"c{n}" for n in range(len(data.names))]
    casts = ", ".join(_cast(a, k, t) for a, k, t in zip(aliases, data.natural, types))
    return f"INSERT INTO {relation} ({names}) SELECT {casts} FROM {rows}"


def _write_batches(connection: db.Connection, data: Data, relation: str, types: list[str]) -> bool:
    """Insert the rows as batches of columns; return whether the server takes them."""
    columns = ", ".join(f"c{n} {kind}" for n, kind in enumerate(data.natural))
    insert = _insert(data, relation, types, f"pyqsys.batch_rows($1) AS u({columns})")
    is_first = True
    for batch in batch_writer.batches(data.columns, data.natural, data.length):
        try:
            connection.query(insert, (batch,))
        except DatabaseError as error:
            # 42883: the server's extension is older than the package.
            if not is_first or error.sqlstate != "42883":
                raise
            return False
        is_first = False
    return True


def _write_arrays(connection: db.Connection, data: Data, relation: str, types: list[str]) -> None:
    """Insert the rows as arrays of values."""
    arrays = ", ".join(f"${n + 1}::{kind}[]" for n, kind in enumerate(data.natural))
    aliases = ", ".join(f"c{n}" for n in range(len(data.names)))
    insert = _insert(data, relation, types, f"unnest({arrays}) AS u({aliases})")
    for first in range(0, data.length, _ROWS):
        connection.query(
            insert,
            [
                _listed(column[first : first + _ROWS], kind)
                for column, kind in zip(data.columns, data.natural)
            ],
        )


def _listed(values: Array | list[CellValue], kind: str) -> list[CellValue]:
    listed = _values(values, kind)
    if kind == "jsonb":
        return [None if value is None else _json(value) for value in listed]
    return listed


def _json(value: object) -> str:
    return json.dumps(value, default=lambda item: plain_value(item))


# ------------------------------------------------------------------------------------ binary COPY

_EPOCH = datetime.datetime(2000, 1, 1)
_EPOCH_UTC = _EPOCH.replace(tzinfo=datetime.timezone.utc)
_MICROSECOND = datetime.timedelta(microseconds=1)
_EPOCH_MICROSECONDS = 946_684_800_000_000  # from 1970 on
_FIXED = {
    "bigint": ">i8",
    "double precision": ">f8",
    "boolean": "u1",
    "timestamp": ">i8",
    "timestamptz": ">i8",
}
_NULL = b"\xff\xff\xff\xff"


def _numeric(value: decimal.Decimal | float) -> bytes:
    """numeric_recv's format: groups of four decimal digits."""
    number = decimal.Decimal(repr(value) if isinstance(value, float) else value)
    sign, digits, exponent = number.as_tuple()
    if isinstance(exponent, str):
        signs = {"n": 0xC000, "N": 0xC000, "F": 0xF000 if sign else 0xD000}
        return struct.pack(">hhHh", 0, 0, signs[exponent], 0)
    text = "".join(map(str, digits)) + "0" * max(0, exponent)
    scale = max(0, -exponent)
    whole, fraction = (text[:-scale], text[-scale:]) if scale else (text, "")
    fraction = "0" * (scale - len(fraction)) + fraction
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0") if whole else ""
    fraction_padded = fraction.ljust(-(-len(fraction) // 4) * 4, "0")
    groups = [int(item) for item in re.findall("....", whole + fraction_padded)]
    weight = len(whole) // 4 - 1
    while groups and groups[0] == 0:
        del groups[0]
        weight -= 1
    while groups and groups[-1] == 0:
        del groups[-1]
    head = struct.pack(">hhHh", len(groups), weight, 0x4000 if sign else 0, scale)
    return head + struct.pack(f">{len(groups)}H", *groups)


def _interval(value: datetime.timedelta) -> bytes:
    rest = value - datetime.timedelta(days=value.days)
    return struct.pack(">qii", rest // _MICROSECOND, value.days, 0)


def _time(value: datetime.time) -> bytes:
    seconds = value.hour * 3600 + value.minute * 60 + value.second
    return struct.pack(">q", seconds * 1_000_000 + value.microsecond)


_ENCODERS: dict[str, Callable[[CellValue], bytes]] = {
    "text": str.encode,
    "bytea": bytes,
    "boolean": lambda value: b"\1" if value else b"\0",
    "bigint": struct.Struct(">q").pack,
    "double precision": struct.Struct(">d").pack,
    "numeric": _numeric,
    "timestamp": lambda value: struct.pack(">q", (value - _EPOCH) // _MICROSECOND),
    "timestamptz": lambda value: struct.pack(">q", (value - _EPOCH_UTC) // _MICROSECOND),
    "date": lambda value: struct.pack(">i", value.toordinal() - _EPOCH.toordinal()),
    "time": _time,
    "interval": _interval,
    "uuid": lambda value: value.bytes,
    "jsonb": lambda value: b"\1" + _json(value).encode(),
}


def _copy_blocks(data: Data) -> Iterator[bytes]:
    """The bytes of COPY in binary format."""
    yield b"PGCOPY\n\xff\r\n\0" + bytes(8)
    for first in range(0, data.length, _ROWS):
        columns: list[Any]  # arrays, or arrays and lists
        columns = [column[first : first + _ROWS] for column in data.columns]
        if all(isinstance(column, numpy.ndarray) for column in columns):
            yield _fixed_block(columns, data.natural)
        else:
            yield _block(columns, data.natural)
    yield b"\xff\xff"


def _fixed_block(columns: list[Array], kinds: list[str]) -> bytes:
    fields: list[tuple[str, str]] = [("count", ">i2")]
    for number, kind in enumerate(kinds):
        fields += [(f"length{number}", ">i4"), (f"value{number}", _FIXED[kind])]
    rows = numpy.empty(len(columns[0]), numpy.dtype(fields))
    rows["count"] = len(columns)
    keep = None
    for number, (column, kind) in enumerate(zip(columns, kinds)):
        width = numpy.dtype(_FIXED[kind]).itemsize
        rows[f"length{number}"] = width
        if column.dtype.kind == "M":
            is_null: Array | None = numpy.isnat(column)
            rows[f"value{number}"] = column.view("i8") - _EPOCH_MICROSECONDS
        else:
            is_null = numpy.isnan(column) if column.dtype.kind == "f" else None
            rows[f"value{number}"] = column
        if is_null is not None and is_null.any():
            rows[f"length{number}"][is_null] = -1
            if keep is None:
                keep = numpy.ones((len(rows), rows.dtype.itemsize), bool)
            places: Any = rows.dtype.fields  # numpy does not state the type
            offset = places[f"value{number}"][1]
            keep[is_null, offset : offset + width] = False
    if keep is None:
        return bytes(rows.tobytes())
    return bytes(rows.view("u1").reshape(keep.shape)[keep].tobytes())


def _block(columns: list[Array | list[CellValue]], kinds: list[str]) -> bytes:
    count = len(columns[0])
    parts: list[list[bytes]] = [[struct.pack(">h", len(columns))] * count]
    for column, kind in zip(columns, kinds):
        encode = _ENCODERS[kind]
        encoded = [None if value is None else encode(value) for value in _values(column, kind)]
        parts.append(
            [_NULL if item is None else struct.pack(">i", len(item)) + item for item in encoded]
        )
    return b"".join(itertools.chain.from_iterable(zip(*parts)))


def _values(column: Array | list[CellValue], kind: str) -> list[CellValue]:
    """The values as Python objects, None where missing."""
    if not isinstance(column, numpy.ndarray):
        return list(column)
    listed: list[CellValue] = column.tolist()
    if kind == "timestamptz":
        utc = datetime.timezone.utc
        return [None if v is None else v.replace(tzinfo=utc) for v in listed]
    return [None if v != v else v for v in listed] if kind == "double precision" else listed
