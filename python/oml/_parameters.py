"""Python values as SQL parameters, for the connection of an engine: texts, and bytes as bytes."""

import datetime
import decimal
import enum
import json
import sys
import uuid


def plain_value(value):
    """The plain Python value that one of numpy, pandas or an Enum stands for."""
    if isinstance(value, enum.Enum):
        return plain_value(value.value)
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
    for value in map(plain_value, values):
        if isinstance(value, (list, tuple)):
            parts.append(_array_text(value))
            continue
        text, _ = parameter(value)
        if text is None:
            parts.append("NULL")
        elif not isinstance(text, str):
            parts.append(f'"\\\\x{bytes(text).hex()}"')
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
    ((bytes, bytearray), lambda value: (value, "bytea")),
    (memoryview, lambda value: (value if value.c_contiguous else bytes(value), "bytea")),
    (datetime.datetime, _datetime),
    (datetime.date, lambda value: (value.isoformat(), "date")),
    (datetime.time, _time),
    (datetime.timedelta, _timedelta),
    (uuid.UUID, lambda value: (str(value), "uuid")),
    (dict, lambda value: (json.dumps(value), "jsonb")),
    ((list, tuple), lambda value: (_array_text(value), "")),
)


def parameter(value):
    """(text, bytes or None, SQL type) of a value; no type lets PostgreSQL infer it."""
    value = plain_value(value)
    if value is None:
        return None, ""
    for types, write in _writers:
        if isinstance(value, types):
            return write(value)
    raise TypeError(f"a parameter of SQL cannot be a {type(value).__name__}")
