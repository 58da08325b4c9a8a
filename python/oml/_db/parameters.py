"""Python values as SQL parameters of an engine's connection: texts, and bytes as bytes."""

from __future__ import annotations

import base64
import datetime
import decimal
import enum
import importlib
import json
import math
import sys
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from oml._annotations import CellValue

#: (text or bytes or None, SQL type), or these and a text for a statement that wants another type.
Text = Union[str, bytes, bytearray, memoryview, None]
Written = Union[tuple[Text, str], tuple[Text, str, Union[str, None]]]


def plain_value(value: CellValue) -> CellValue:
    """The plain Python value of a numpy, pandas or Enum value."""
    if isinstance(value, enum.Enum):
        return plain_value(value.value)
    pandas = sys.modules.get("pandas")
    if pandas is not None and (value is pandas.NaT or value is pandas.NA):
        return None
    if hasattr(value, "tolist") and not isinstance(value, (float, str, bytes, memoryview)):
        dtype = getattr(value, "dtype", None)
        if getattr(dtype, "kind", "") in ("M", "m"):
            code = getattr(dtype, "str", "")
            if code[4:6] in ("ns", "ps", "fs", "as"):  # tolist() returns integers
                value = value.astype(f"{code[1:4]}us]")
        return value.tolist()
    return value


_ARRAY = "anyarray"  # an array of the type the statement expects


def _list(values: Iterable[object]) -> Written:
    text: str | None
    try:
        text = _json(values)
    except Exception:  # values that JSON cannot represent
        text = None
    return _array_text(values), _ARRAY, text


def _dict(value: object) -> Written:
    return _json(value), "jsonb", _hstore(value)


def _hstore(value: object) -> str | None:
    try:
        runtime = importlib.import_module("_oml_epe_runtime.results")
    except ImportError:  # outside an engine
        return None
    text: str | None = runtime.hstore_text(value)
    return text


def _array_text(values: Iterable[object]) -> str:
    """The text of an array: {1,2,NULL}."""
    parts = []
    for value in map(plain_value, values):
        if isinstance(value, (list, tuple)) and not _is_month_day_nano(value):
            parts.append(_array_text(value))
            continue
        text = parameter(value)[0]
        if text is None:
            parts.append("NULL")
        elif not isinstance(text, str):
            parts.append(f'"\\\\x{bytes(text).hex()}"')
        else:
            escaped = text.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'"{escaped}"')
    return "{" + ",".join(parts) + "}"


def _float_text(value: float) -> str:
    """All digits, as PostgreSQL writes them: arrays of texts keep them unchanged."""
    if not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    text = repr(value).removesuffix(".0")
    is_long = "e" not in text and abs(value) >= 1e15
    return format(decimal.Decimal(text).normalize(), "e") if is_long else text


def _integer(value: int) -> Written:
    if -(2**31) <= value < 2**31:
        return str(value), "integer"
    return str(value), "bigint" if -(2**63) <= value < 2**63 else "numeric"


def _datetime(value: CellValue) -> Written:
    """Nanoseconds are truncated. A naive time is taken as UTC if a timestamptz is expected."""
    if hasattr(value, "nanosecond"):
        value = value.to_pydatetime(warn=False)
    text = value.isoformat()
    if value.tzinfo is not None:
        return text, "timestamp with time zone"
    return text, "timestamp", text + "+00"


def _time(value: datetime.time) -> Written:
    is_aware = value.tzinfo is not None
    return value.isoformat(), "time with time zone" if is_aware else "time"


def _timedelta(value: datetime.timedelta) -> Written:
    return (
        f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds",
        "interval",
    )


def _is_month_day_nano(value: CellValue) -> bool:
    """Whether a value is a pyarrow.MonthDayNano, which is a tuple."""
    pyarrow = sys.modules.get("pyarrow")
    return pyarrow is not None and type(value) is getattr(pyarrow, "MonthDayNano", None)


def _month_day_nano(value: CellValue) -> Written:
    microseconds = abs(value.nanoseconds) // 1000 * (-1 if value.nanoseconds < 0 else 1)
    return f"{value.months} mons {value.days} days {microseconds} microseconds", "interval"


def _json(value: object) -> str:
    """JSON as in results: numpy scalars, dates and Decimals are converted to their values."""
    try:
        runtime = importlib.import_module("_oml_epe_runtime.render")
    except ImportError:  # outside an engine
        return _client_json(value)
    text: str = runtime.to_value(value)
    return text


def _client_json(value: object) -> str:
    """The same for the value types common on a client."""
    value = plain_value(value)
    if isinstance(value, dict):
        pairs = (f"{json.dumps(_json_key(key))}:{_client_json(own)}" for key, own in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return "[" + ",".join(map(_client_json, value)) + "]"
    if isinstance(value, (float, decimal.Decimal)) and not isinstance(value, bool):
        is_number = math.isfinite(value)
        return "null" if not is_number else repr(value) if isinstance(value, float) else str(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return json.dumps(value.isoformat())
    if isinstance(value, datetime.timedelta):
        return json.dumps(f"P{value.days}DT{value.seconds + value.microseconds / 10**6}S")
    if isinstance(value, uuid.UUID):
        return json.dumps(str(value))
    if isinstance(value, (bytes, bytearray)):
        return json.dumps(base64.b64encode(value).decode())
    return json.dumps(value)


def _json_key(key: object) -> str:
    key = plain_value(key)
    if isinstance(key, (datetime.date, datetime.time, uuid.UUID)):
        return str(key)
    text = json.dumps({key: 0})  # as JSON writes numbers, booleans and None
    return str(json.loads(text).popitem()[0])


_writers: tuple[
    tuple[type | tuple[type, ...], Callable[[CellValue], Written]], ...
] = (  # the first match counts: bool before int, datetime before date
    (str, lambda value: (str(value), "")),
    (bool, lambda value: ("true" if value else "false", "boolean")),
    (int, _integer),
    (float, lambda value: (_float_text(float(value)), "double precision")),
    (decimal.Decimal, lambda value: (str(value), "numeric")),
    ((bytes, bytearray), lambda value: (value, "bytea")),
    (memoryview, lambda value: (value if value.c_contiguous else bytes(value), "bytea")),
    (datetime.datetime, _datetime),
    (datetime.date, lambda value: (value.isoformat(), "date")),
    (datetime.time, _time),
    (datetime.timedelta, _timedelta),
    (uuid.UUID, lambda value: (str(value), "uuid")),
    (dict, _dict),
    ((list, tuple), _list),
)


def parameter(value: object) -> Written:
    """(text or bytes or None, SQL type) of a value; without a type PostgreSQL infers it.

    The optional third item is the text for a statement that expects another type: timestamptz
    instead of timestamp, hstore instead of jsonb, json or jsonb instead of an array.
    """
    value = plain_value(value)
    if value is None:
        return None, ""
    if _is_month_day_nano(value):
        return _month_day_nano(value)
    for types, write in _writers:
        if isinstance(value, types):
            return write(value)
    raise TypeError(f"an SQL parameter cannot be a {type(value).__name__}")
