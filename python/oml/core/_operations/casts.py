"""Casts of columns, such as oml.Float(column)."""

from __future__ import annotations

from oml._db import connection as db
from oml.core._query import Column
from oml.core._types import bare_type, kind_of

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


def cast(column: Column, kind: str, target: str, dbtype: str | None) -> Column:
    """Return a column cast to a class.

    Parameters
    ----------
    column : Column
    kind : str
        The name of the class, such as "Float".
    target : str
        The SQL type of the class, unless the column is already of the class.
    dbtype : str or None
        An SQL type of the class.

    Raises
    ------
    TypeError
        The cast is not supported, or `dbtype` is a type of another class.
    """
    if column.kind != kind:
        template = _CASTS.get((column.kind, kind))
        if template is None:
            raise TypeError(f"a column of class {column.kind} cannot be cast to {kind}")
        if bare_type(column.sql_type) == "numeric" and kind == "Integer":
            template = _NUMERIC_TO_INTEGER
        column = Column(template.format(column.expression), target)
    return column if dbtype is None else _as_type(kind, column.expression, dbtype)


def _as_type(kind: str, expression: str, dbtype: str) -> Column:
    from oml._transfer.push import checked_type

    checked = checked_type(dbtype)
    sql = f"SELECT NULL::{checked} LIMIT 0"
    sql_type = (db.connection().query(sql)[0] or [("", checked)])[0][1]
    if kind_of(sql_type) != kind:
        raise TypeError(f'"{dbtype}" is not a type of class {kind}')
    return Column(f"CAST({expression} AS {checked})", sql_type)
