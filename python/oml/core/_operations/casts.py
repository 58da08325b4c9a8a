"""Casts of columns, such as oml.Float(column)."""

from __future__ import annotations

from typing import Any

from oml.core._types import bare_type, series_class

_FLOAT = "({0})::pg_catalog.float8"
_TEXT = "({0})::pg_catalog.text"
#: (class of the column, target class): SQL of the cast.
_CASTS = {
    ("Boolean", "Float"): "({0})::pg_catalog.int4::pg_catalog.float8",
    ("Boolean", "Integer"): "({0})::pg_catalog.int4::pg_catalog.int8",
    ("Boolean", "String"): _TEXT,
    ("Bytes", "String"): "pg_catalog.convert_from({0}, 'UTF8')",
    ("Datetime", "String"): _TEXT,
    ("Datetime", "Timezone"): "(({0})::pg_catalog.timestamp AT TIME ZONE 'UTC')",
    ("Float", "Boolean"): "({0} <> 0)",
    (
        "Float",
        "Integer",
    ): "pg_catalog.trunc(NULLIF({0}, 'NaN')::pg_catalog.float8)::pg_catalog.int8",
    ("Float", "String"): _TEXT,
    ("Integer", "Boolean"): "({0} <> 0)",
    ("Integer", "Float"): _FLOAT,
    ("Integer", "String"): _TEXT,
    ("String", "Boolean"): f"{_TEXT}::pg_catalog.bool",
    ("String", "Bytes"): f"pg_catalog.convert_to({_TEXT}, 'UTF8')",
    ("String", "Datetime"): f"{_TEXT}::pg_catalog.timestamp",
    ("String", "Float"): f"{_TEXT}::pg_catalog.float8",
    ("String", "Integer"): f"{_TEXT}::pg_catalog.int8",
    ("String", "Timedelta"): f"{_TEXT}::pg_catalog.interval",
    ("String", "Timezone"): f"{_TEXT}::pg_catalog.timestamptz",
    ("Timedelta", "String"): _TEXT,
    ("Timezone", "Datetime"): "(({0}) AT TIME ZONE 'UTC')",
    ("Timezone", "String"): _TEXT,
}
_NUMERIC_TO_INTEGER = "pg_catalog.trunc(NULLIF({0}, 'NaN'))::pg_catalog.int8"  # keeps all digits


def cast(wanted: Any, column: Any, dbtype: str | None) -> tuple[str, str, str]:
    """Return expression, name and SQL type of a column cast to the class of `wanted`.

    Raises
    ------
    TypeError
        The cast is not supported, or `dbtype` is a type of another class.
    """
    from oml.core.series import Series

    kind = type(wanted)
    if not isinstance(column, Series):
        raise TypeError(
            f"oml.{kind.__name__}() requires a column, not a {type(column).__name__}; "
            "use oml.push() for local data"
        )
    expression, sql_type = column._expression, column._sql_type
    if type(column) is not kind:
        template = _CASTS.get((type(column).__name__, kind.__name__))
        if template is None:
            raise TypeError(
                f"a column of class {type(column).__name__} cannot be cast to {kind.__name__}"
            )
        if bare_type(sql_type) == "numeric" and kind.__name__ == "Integer":
            template = _NUMERIC_TO_INTEGER
        expression, sql_type = template.format(expression), kind._CAST
    if dbtype is not None:
        expression, sql_type = _as_type(kind, expression, dbtype)
    return expression, column._name, sql_type


def _as_type(kind: type, expression: str, dbtype: str) -> tuple[str, str]:
    from oml._db import connection as db
    from oml._transfer.push import checked_type

    checked = checked_type(dbtype)
    sql = f"SELECT NULL::{checked} LIMIT 0"
    sql_type = (db.connection().query(sql)[0] or [("", checked)])[0][1]
    if series_class(sql_type) is not kind:
        raise TypeError(f'"{dbtype}" is not a type of class {kind.__name__}')
    return f"CAST({expression} AS {checked})", sql_type
