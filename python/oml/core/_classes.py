"""Which class a column of an SQL type has."""

from __future__ import annotations

import importlib
import re

#: SQL type, as format_type prints it without modifiers -> (module, class).
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
    """Return an SQL type without its modifiers."""
    return re.sub(r"\([^)]*\)", "", sql_type)


def series_class(sql_type: str) -> type:
    """Return the class of columns of an SQL type; everything that is nothing else is a String."""
    module, name = _CLASSES.get(bare_type(sql_type), ("string", "String"))
    found: type = getattr(importlib.import_module(f"oml.core.{module}"), name)
    return found
