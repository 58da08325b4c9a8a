"""The database, as a running script sees it.

    import oml
    with oml.cursor() as cursor:
        cursor.execute("SELECT name, score FROM grade WHERE year = $1", (97,))
        for name, score in cursor:
            ...

Statements run in the transaction and as the user of the call. One that fails is rolled back
alone, so `DatabaseError` may be caught.
"""

import datetime
import decimal
import enum
import json
import sys
import uuid

import _oml_epe

__all__ = ["Cursor", "DatabaseError", "cursor", "isconnected"]


class DatabaseError(Exception):
    """A statement failed.

    Attributes
    ----------
    sqlstate, detail, hint : str
        As PostgreSQL reported them; empty where it did not.
    """

    def __init__(self, message, sqlstate="", detail="", hint=""):
        super().__init__(message)
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint


def _plain(value):
    """The plain Python value that one of numpy, pandas or an Enum stands for."""
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    pandas = sys.modules.get("pandas")
    if pandas is not None and (value is pandas.NaT or value is pandas.NA):
        return None
    if hasattr(value, "tolist") and not isinstance(value, (float, str, bytes, memoryview)):
        dtype = getattr(value, "dtype", None)
        if getattr(dtype, "kind", "") in ("M", "m") and hasattr(dtype, "str"):
            if dtype.str[4:6] in ("ns", "ps", "fs", "as"):  # tolist() would make integers of them
                value = value.astype(f"{dtype.str[1:4]}us]")
        return value.tolist()
    return value


def _array_text(values):
    """The text of an array: {1,2,NULL}."""
    parts = []
    for value in map(_plain, values):
        if isinstance(value, (list, tuple)):
            parts.append(_array_text(value))
            continue
        text, _ = _parameter(value)
        if text is None:
            parts.append("NULL")
        else:
            escaped = text.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'"{escaped}"')
    return "{" + ",".join(parts) + "}"


def _integer(value):
    if -(2**31) <= value < 2**31:
        return str(value), "integer"
    return str(value), "bigint" if -(2**63) <= value < 2**63 else "numeric"


def _datetime(value):
    is_aware = value.tzinfo is not None
    return value.isoformat(), "timestamp with time zone" if is_aware else "timestamp"


def _time(value):
    is_aware = value.tzinfo is not None
    return value.isoformat(), "time with time zone" if is_aware else "time"


def _timedelta(value):
    return (
        f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds",
        "interval",
    )


_writers = (  # the first that fits: bool before int, datetime before date
    (str, lambda value: (str(value), "")),
    (bool, lambda value: ("true" if value else "false", "boolean")),
    (int, _integer),
    (float, lambda value: (repr(float(value)), "double precision")),
    (decimal.Decimal, lambda value: (str(value), "numeric")),
    ((bytes, bytearray, memoryview), lambda value: ("\\x" + bytes(value).hex(), "bytea")),
    (datetime.datetime, _datetime),
    (datetime.date, lambda value: (value.isoformat(), "date")),
    (datetime.time, _time),
    (datetime.timedelta, _timedelta),
    (uuid.UUID, lambda value: (str(value), "uuid")),
    (dict, lambda value: (json.dumps(value), "jsonb")),
    ((list, tuple), lambda value: (_array_text(value), "")),
)


def _parameter(value):
    """(text or None, SQL type) of a value; no type lets PostgreSQL infer it."""
    value = _plain(value)
    if value is None:
        return None, ""
    for types, write in _writers:
        if isinstance(value, types):
            return write(value)
    raise TypeError(f"a parameter of SQL cannot be a {type(value).__name__}")


class Cursor:
    """Runs statements and gives out their rows, after the Python DB-API.

    Attributes
    ----------
    description : list of tuple or None
        (name, SQL type, None, None, None, None, None) a column; None without rows.
    rowcount : int
        Rows returned or affected by the last statement, -1 before the first.
    arraysize : int
        What fetchmany() takes by default.
    """

    arraysize = 1

    def __init__(self):
        self.description = None
        self.rowcount = -1
        self._rows = None
        self._position = 0
        self._is_closed = False

    def execute(self, sql, parameters=()):
        """Run one statement; `parameters` stand for $1, $2, ... Returns the cursor itself."""
        if self._is_closed:
            raise DatabaseError("the cursor is closed", "24000")
        self.description = None
        self._rows = None
        values = [_parameter(value) for value in parameters]
        try:
            columns, rows, self.rowcount = _oml_epe.execute(sql, values)
        except _oml_epe.Error as error:
            failure = DatabaseError(str(error), error.sqlstate, error.detail, error.hint)
        else:
            self._position = 0
            if columns is not None:
                self.description = [(name, kind) + (None,) * 5 for name, kind in columns]
                self._rows = rows
            return self
        raise failure

    def _fetch(self, count):
        if self._rows is None:
            raise DatabaseError("there is no result to fetch from", "24000")
        first = self._position
        self._position = min(len(self._rows), first + count)
        return self._rows[first : self._position]

    def fetchone(self):
        """Return the next row as a tuple, None at the end."""
        rows = self._fetch(1)
        return rows[0] if rows else None

    def fetchmany(self, size=None):
        """Return a list of the next rows."""
        return self._fetch(self.arraysize if size is None else size)

    def fetchall(self):
        """Return a list of the remaining rows."""
        return self._fetch(len(self._rows or ()))

    def close(self):
        """Forget the result; the cursor runs nothing any more."""
        self._rows = None
        self._is_closed = True

    def __iter__(self):
        while (row := self.fetchone()) is not None:
            yield row

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def cursor():
    """Return a new cursor."""
    return Cursor()


def isconnected(check_embed=False):
    """Whether a script runs that may use the database: always, inside an engine."""
    return _oml_epe.is_connected()
