"""Query results as pandas frames, the same on a client and in an engine."""

from __future__ import annotations

import collections
import contextlib
import datetime
import operator
import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy
import pandas

from oml import _session
from oml._errors import DatabaseError
from oml.core._classes import bare_type

if TYPE_CHECKING:
    from oml._batches import FrameReader
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


def pull_frame(sql: str, dtype_backend: str | None = None) -> pandas.DataFrame:
    """Return the rows of a query without parameters.

    Raises
    ------
    DatabaseError
        The query failed.
    """
    connection = _session.connection()
    if dtype_backend == "pyarrow":
        return _pull_arrow(sql)
    if dtype_backend is not None or connection.is_embedded:
        return _pull_embedded(connection, sql, dtype_backend is not None)
    from oml import _copy

    client: ClientConnection = connection  # type: ignore[assignment]
    return _copy.pull_frame(client, sql)


def _pull_arrow(sql: str) -> pandas.DataFrame:
    from oml import _arrow

    _arrow.require_pyarrow('dtype_backend="pyarrow"')
    frame: pandas.DataFrame = _arrow.Query(sql).read().to_pandas(types_mapper=pandas.ArrowDtype)
    return frame


class Query:
    """A query whose rows can be had as batches, if is_columnar.

    Attributes
    ----------
    names : list of str
    sql : str
        What to ask for batches of.
    """

    def __init__(self, connection: Any, sql: str, prints_others: bool) -> None:
        from oml import _batches

        self.is_columnar = True
        if not connection.is_embedded:
            from oml import _copy

            given = connection.describe(sql)
            self.names = [name for name, _ in given]
            self.sql, self._columns = _copy.batch_query(connection, sql, given)
            return
        described = connection.query(f"SELECT * FROM ({sql}\n) AS q LIMIT 0")[0] or []
        self.names = [name for name, _ in described]
        kinds = [_batches.KINDS.get(bare_type(sql_type)) for _, sql_type in described]
        self.is_columnar = bool(kinds) and (prints_others or None not in kinds)
        self._columns = [(_batches.TEXT if kind is None else kind, None) for kind in kinds]
        self.sql = sql
        if None in kinds:
            items = [
                f"q.{_session.quote_identifier(name)}" if kind is not None else _printed(name)
                for name, kind in zip(self.names, kinds)
            ]
            self.sql = f"SELECT {', '.join(items)} FROM ({sql}\n) AS q"

    def reader(self, is_nullable: bool) -> FrameReader:
        """Return what makes the columns of batches."""
        from oml import _batches

        return _batches.FrameReader(self._columns, is_nullable)


def _printed(name: str) -> str:
    item = f"q.{_session.quote_identifier(name)}"
    return f"CASE WHEN {item} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', {item}) END"


def _pull_embedded(connection: Any, sql: str, is_nullable: bool) -> pandas.DataFrame:
    from oml import _batches

    query = Query(connection, sql, is_nullable)
    if query.is_columnar:
        reader = query.reader(is_nullable)
        try:
            _batches.fetch(query.sql, False, reader.add)
        except DatabaseError as error:
            if is_nullable or error.sqlstate not in NO_BATCHES:
                raise
        else:
            return make_frame(query.names, reader.finish(), reader.rows)
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


def pull_chunks(sql: str, rows: int, dtype_backend: str | None) -> Chunks:
    """Return the rows of a query as frames of some rows each.

    Raises
    ------
    DatabaseError
        The query failed.
    """
    if not hasattr(rows, "__index__"):
        raise TypeError(f"chunksize must be an integer, not {type(rows).__name__}")
    if isinstance(rows, bool) or operator.index(rows) < 1:
        raise ValueError("chunksize must be at least 1")
    return Chunks(sql, operator.index(rows), dtype_backend)


class Chunks(Iterator[pandas.DataFrame]):
    """The frames of pull(chunksize=...). A cursor of the server holds the rows until the end."""

    def __init__(self, sql: str, rows: int, dtype_backend: str | None) -> None:
        from oml import _arrow, _batches

        self._connection: Any = _session.connection()
        self._rows = rows
        self._is_nullable = dtype_backend is not None
        self._arrow: Any = None
        if dtype_backend == "pyarrow":
            _arrow.require_pyarrow('dtype_backend="pyarrow"')
            self._query: Any = _arrow.Query(sql)
            self._arrow = self._query
        else:
            self._query = Query(self._connection, sql, True)
        if not self._connection.is_embedded:
            _batches.require_batches(self._connection)
        self._cursor = f"oml_chunks_{uuid.uuid4().hex}"
        # On a client the rows outlive the statement, so that others can run in between.
        hold = "" if self._connection.is_embedded else "WITH HOLD "
        decimal = "true" if self._arrow is not None else "false"
        self._connection.query(
            f"DECLARE {self._cursor} NO SCROLL CURSOR {hold}FOR SELECT pyqsys.query_batches("
            f"{_session.quote_literal(self._query.sql)}, {decimal})"
        )
        self._is_open = True
        self._is_at_end = False
        self._is_first = True
        self._waiting: collections.deque[tuple[int, list[Any]]] = collections.deque()

    def __iter__(self) -> Chunks:
        return self

    def __enter__(self) -> Chunks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_is_open", False):
            self._is_open = False
            _session.discard(self._connection, f"CLOSE {self._cursor}")

    def close(self) -> None:
        """Close the cursor; there are no more frames."""
        self._waiting.clear()
        self._is_at_end = True
        if self._is_open:
            self._is_open = False
            with contextlib.suppress(DatabaseError):  # closed with its transaction or connection
                self._connection.query(f"CLOSE {self._cursor}")

    def _fetch(self) -> bool:
        from oml import _batches

        fetched: list[Any] = []
        fetch = f"FETCH 1 FROM {self._cursor}"
        if self._connection.is_embedded:
            fetched.append(self._connection.fetch_bytes(fetch))
        else:
            self._connection.fetch_each(fetch, (), fetched.append)
        batches = [batch for data in fetched for batch in _batches.read(data)]
        self._waiting.extend(batches)
        return bool(batches)

    def __next__(self) -> pandas.DataFrame:
        from oml import _batches

        parts: list[tuple[int, list[Any]]] = []
        rows = 0
        while rows < self._rows:
            if not self._waiting and (self._is_at_end or not self._fetch()):
                self.close()
                break
            length, columns = self._waiting.popleft()
            wanted = self._rows - rows
            if length > wanted:
                rest = [_batches.cut(column, wanted, length) for column in columns]
                self._waiting.appendleft((length - wanted, rest))
                columns = [_batches.cut(column, 0, wanted) for column in columns]
                length = wanted
            parts.append((length, columns))
            rows += length
        if rows == 0 and not self._is_first:
            raise StopIteration
        is_empty, self._is_first = rows == 0, False
        return self._frame(parts) if not is_empty else self._frame([])

    def _frame(self, parts: list[tuple[int, list[Any]]]) -> pandas.DataFrame:
        if self._arrow is not None:
            table = self._arrow.table([columns for _, columns in parts])
            frame: pandas.DataFrame = table.to_pandas(types_mapper=pandas.ArrowDtype)
            return frame
        reader = self._query.reader(self._is_nullable)
        for length, columns in parts:
            reader.add_columns(length, columns)
        return make_frame(self._query.names, reader.finish(), reader.rows)


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


def nullable(values: Any, null: Any) -> Any:
    """Return an array of one of pandas' nullable dtypes."""
    mask = numpy.zeros(len(values), bool) if null is None else null
    kinds: dict[str, Any] = {
        "b": pandas.arrays.BooleanArray,
        "i": pandas.arrays.IntegerArray,
        "f": pandas.arrays.FloatingArray,
    }
    return kinds[values.dtype.kind](values, mask)


def text_column(array: Any, is_nullable: bool = False) -> Any:
    """Return pandas' column of an array of texts and None."""
    if is_nullable:
        return pandas.array(array, dtype="string")
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
