"""Python values and names in SQL text."""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from oml._db.connection import quote_identifier as quote
from oml._db.parameters import plain_value

if TYPE_CHECKING:
    from oml._annotations import CellValue

__all__ = ["literal", "quote", "quote_relation", "text_literal"]


def text_literal(text: str) -> str:
    """Return a text as a literal, independent of `standard_conforming_strings`.

    Raises
    ------
    ValueError
        PostgreSQL's texts can contain neither character 0 nor unpaired surrogates.
    """
    if "\0" in text:
        raise ValueError("an SQL text cannot contain a null character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("an SQL text cannot contain an unpaired surrogate") from None
    quoted = text.replace("'", "''")
    if "\\" in quoted:
        return "E'" + quoted.replace("\\", "\\\\") + "'"
    return f"'{quoted}'"


def quote_relation(name: str, schema: str | None = None) -> str:
    """Return a relation's quoted name, qualified if a schema is given."""
    return quote(name) if schema is None else f"{quote(schema)}.{quote(name)}"


def _float(value: float) -> str:
    if math.isnan(value):
        return "'NaN'::pg_catalog.float8"
    if math.isinf(value):
        return f"'{'-' if value < 0 else ''}Infinity'::pg_catalog.float8"
    return f"'{float(value)!r}'::pg_catalog.float8"


def _timedelta(value: datetime.timedelta) -> str:
    text = f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
    return f"'{text}'::pg_catalog.interval"


def _datetime(value: datetime.datetime) -> str:
    if getattr(value, "nanosecond", 0):  # truncated, where PostgreSQL would round
        value = value.to_pydatetime(warn=False)  # type: ignore[attr-defined]
    kind = "timestamp" if value.tzinfo is None else "timestamptz"
    return f"'{value.isoformat()}'::pg_catalog.{kind}"


def _time(value: datetime.time) -> str:
    kind = "time" if value.tzinfo is None else "timetz"
    return f"'{value.isoformat()}'::pg_catalog.{kind}"


_writers: tuple[
    tuple[type | tuple[type, ...], Callable[[CellValue], str]], ...
] = (  # the first match counts: bool before int, datetime before date
    (str, text_literal),
    (bool, lambda value: "TRUE" if value else "FALSE"),
    (int, lambda value: str(int(value)) if value >= 0 else f"({int(value)})"),
    (float, _float),
    (decimal.Decimal, lambda value: f"'{value}'::pg_catalog.numeric"),
    (
        (bytes, bytearray, memoryview),
        lambda value: f"pg_catalog.decode('{bytes(value).hex()}', 'hex')",
    ),
    (datetime.datetime, _datetime),
    (datetime.date, lambda value: f"'{value.isoformat()}'::pg_catalog.date"),
    (datetime.time, _time),
    (datetime.timedelta, _timedelta),
    (uuid.UUID, lambda value: f"'{value}'::pg_catalog.uuid"),
)


def literal(value: object) -> str:
    """Return a value as an SQL literal, safely quoted.

    Raises
    ------
    TypeError
        The value cannot be represented as a literal.
    """
    value = plain_value(value)
    if value is None:
        return "NULL"
    for types, write in _writers:
        if isinstance(value, types):
            return write(value)
    raise TypeError(f"a {type(value).__name__} cannot be compared with or put into a column")
