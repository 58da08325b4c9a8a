"""Query results as pandas frames, the same on a client and in an engine."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy
import pandas

from oml import _session
from oml._errors import DatabaseError
from oml.core._classes import bare_type

if TYPE_CHECKING:
    from oml._client import ClientConnection

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


def pull_frame(sql: str) -> pandas.DataFrame:
    """Return the rows of a query without parameters.

    Raises
    ------
    DatabaseError
        The query failed.
    """
    connection = _session.connection()
    if connection.is_embedded:
        return _pull_embedded(connection, sql)
    from oml import _copy

    client: ClientConnection = connection  # type: ignore[assignment]
    return _copy.pull_frame(client, sql)


def _pull_embedded(connection: Any, sql: str) -> pandas.DataFrame:
    from oml import _batches

    described = connection.query(f"SELECT * FROM ({sql}\n) AS q LIMIT 0")[0] or []
    names = [name for name, _ in described]
    kinds = [_batches.KINDS.get(bare_type(sql_type)) for _, sql_type in described]
    if described and None not in kinds:
        try:
            data = connection.fetch_bytes("SELECT pyqsys.query_batches($1)", (sql,))
        except DatabaseError as error:
            if error.sqlstate not in NO_BATCHES:
                raise
        else:
            reader = _batches.FrameReader([(kind, None) for kind in kinds if kind is not None])
            reader.add(data, is_shared=True)
            return make_frame(names, reader.finish(), reader.rows)
    description, rows, _ = connection.query(sql)
    columns = list(zip(*rows)) or [()] * len(description or ())
    return make_frame(
        [name for name, _ in description or ()],
        [
            column_of_values(values, bare_type(sql_type))
            for (_, sql_type), values in zip(description or (), columns)
        ],
        len(rows),
    )


#: SQLSTATEs raised by servers with an older extension, and by queries that lock rows.
NO_BATCHES = {"42883", "0A000", "22023"}


def make_frame(names: list[str], columns: list[Any], length: int) -> pandas.DataFrame:
    """Return a frame of columns, in order."""
    frame = pandas.DataFrame(dict(enumerate(columns)), index=pandas.RangeIndex(length), copy=False)
    frame.columns = pandas.Index(names)
    return frame


def objects(values: Sequence[Any]) -> Any:
    """Return an array of objects, unconverted."""
    array = numpy.empty(len(values), dtype=object)
    for index, value in enumerate(values):
        array[index] = value
    return array


def texts(values: Sequence[str | None]) -> Any:
    """Return pandas' column of texts: object, from version 3 on str."""
    return text_column(objects(values))


def text_column(array: Any) -> Any:
    """Return pandas' column of an array of texts and None."""
    dtype = pandas.Series(["x"]).dtype
    return pandas.Series(array, dtype=dtype) if isinstance(dtype, pandas.StringDtype) else array


#: Integers up to this size are represented exactly as doubles.
_LAST_EXACT = 2**53


def integers(values: Any, null: Any) -> Any:
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


def truths(values: Any, null: Any) -> Any:
    """Return booleans; with NULLs they become objects."""
    if null is None:
        return values
    array = values.astype(object)
    array[null] = None
    return array


def point_objects(values: Any, is_utc: bool) -> Any:
    """Return Python dates, times or timedeltas, None for NaT."""
    array = _or_none(values)
    if is_utc:
        for index, value in enumerate(array):
            if value is not None:
                array[index] = value.replace(tzinfo=datetime.timezone.utc)
    return array


def column_of_values(values: Sequence[Any], sql_type: str) -> Any:
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


def _scaled(values: Any, unit: str) -> Any:
    """The values in another unit, None if a value does not fit."""
    scaled = values.astype(f"{values.dtype.kind}8[{unit}]")
    return scaled if (scaled.astype(values.dtype) == values)[~numpy.isnat(values)].all() else None


def dates(values: Any) -> Any:
    """Return pandas' column of an array of days."""
    scaled = _scaled(values, _DATE_UNIT)
    return _or_none(values) if scaled is None else scaled


def times(values: Any, is_utc: bool = False) -> Any:
    """Return pandas' column of an array of microseconds since 1970."""
    scaled = _scaled(values, _TIME_UNIT)
    if scaled is None:
        return point_objects(values, is_utc)
    if not is_utc:
        return scaled
    return pandas.DatetimeIndex(scaled).tz_localize("UTC")


def spans(values: Any) -> Any:
    """Return pandas' column of an array of microseconds."""
    scaled = _scaled(values, _TIME_UNIT)
    return _or_none(values) if scaled is None else scaled


def _or_none(values: Any) -> Any:
    array = values.astype(object)
    array[numpy.isnat(values)] = None
    return array


def uuids(values: Sequence[bytes | None]) -> Any:
    """Return an array of UUIDs."""
    return objects([None if value is None else uuid.UUID(bytes=value) for value in values])


# ------------------------------------------ values outside the range of Python's dates and times

_MICROSECONDS = 1_000_000


def _civil(days: int) -> tuple[int, int, int]:
    """The proleptic Gregorian date of a day since 1970-01-01 (H. Hinnant's algorithm)."""
    shifted = days + 719468
    era, day_of_era = divmod(shifted, 146097)
    leap = day_of_era // 1460 - day_of_era // 36524 + day_of_era // 146096
    year_of_era = (day_of_era - leap) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    return year_of_era + era * 400 + (month <= 2), month, day


def _clock(microseconds: int) -> str:
    seconds, fraction = divmod(microseconds, _MICROSECONDS)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return text + (f".{fraction:06}".rstrip("0") if fraction else "")


def point_text(days: int, rest: str = "") -> str:
    """Return a date as PostgreSQL prints it, followed by a time of day."""
    year, month, day = _civil(days)
    era = " BC" if year <= 0 else ""
    return f"{year if year > 0 else 1 - year:04}-{month:02}-{day:02}{rest}{era}"


def timestamp_text(microseconds: int, zone: str = "") -> str:
    """Return a timestamp as PostgreSQL prints it."""
    days, rest = divmod(microseconds, 86_400 * _MICROSECONDS)
    return point_text(days, " " + _clock(rest) + zone)


def interval_text(months: int, days: int, microseconds: int) -> str:
    """Return an interval as PostgreSQL prints it."""
    parts: list[str] = []
    is_before = False
    years = int(months / 12)
    for value, unit in ((years, "year"), (months - 12 * years, "mon"), (days, "day")):
        if value:
            sign = "+" if is_before and value > 0 else ""
            parts.append(f"{sign}{value} {unit}{'' if value == 1 else 's'}")
            is_before = value < 0
    if microseconds or not parts:
        sign = "-" if microseconds < 0 else "+" if is_before else ""
        parts.append(sign + _clock(abs(microseconds)))
    return " ".join(parts)
