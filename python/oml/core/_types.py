"""The column class of an SQL type."""

from __future__ import annotations

import importlib
import re
from typing import Any

#: SQL type as printed by format_type without modifiers -> (module, class).
_CLASSES = {
    "boolean": ("boolean", "Boolean"),
    "smallint": ("integer", "Integer"),
    "integer": ("integer", "Integer"),
    "bigint": ("integer", "Integer"),
    "oid": ("integer", "Integer"),
    "real": ("float", "Float"),
    "double precision": ("float", "Float"),
    "numeric": ("float", "Float"),
    "bytea": ("bytes", "Bytes"),
    "date": ("datetime", "Datetime"),
    "timestamp without time zone": ("datetime", "Datetime"),
    "timestamp with time zone": ("timezone", "Timezone"),
    "interval": ("timedelta", "Timedelta"),
}


def bare_type(sql_type: str) -> str:
    """Return an SQL type without its modifiers; interval also without its fields."""
    bare = re.sub(r"\([^)]*\)", "", sql_type)
    if bare.startswith("interval "):
        return "interval[]" if bare.endswith("[]") else "interval"
    return bare


def series_class(sql_type: str) -> Any:
    """Return the column class of an SQL type; String for all types without a class of their own."""
    module, name = _CLASSES.get(bare_type(sql_type), ("string", "String"))
    found = getattr(importlib.import_module(f"oml.core.{module}"), name)
    return found


_NUMBERS = ("smallint", "integer", "bigint", "oid", "numeric", "real", "double precision")
_TEXTS = ("name", "character", "character varying", "text")


def common_type(sql_types: list[str]) -> str:
    """Return the common type of columns of several types, "text" for none.

    Raises
    ------
    TypeError
        The types are of different kinds.
    """
    kinds = list(dict.fromkeys(map(bare_type, sql_types)))
    if not kinds:
        return "text"
    if len(kinds) == 1:
        return sql_types[0] if len(set(sql_types)) == 1 else kinds[0]
    if all(kind in _NUMBERS for kind in kinds):
        widest = max(kinds, key=_NUMBERS.index)
        return "double precision" if widest == "real" else "bigint" if widest == "oid" else widest
    if all(kind in _TEXTS for kind in kinds):
        return "text"
    if set(kinds) == {"date", "timestamp without time zone"}:
        return "timestamp without time zone"
    raise TypeError(
        f"columns of types {' and '.join(sorted(kinds))} cannot be combined; convert them to one"
        " type, for example by oml.String(column)"
    )
