"""func_value: the columns of a result that is stored in the database."""

from __future__ import annotations

import datetime
import decimal
from typing import TYPE_CHECKING

from oml.core._sql import quote

if TYPE_CHECKING:
    import pandas

    from oml._annotations import CellValue

_OBJECTS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "boolean"),
    (decimal.Decimal, "numeric"),
    ((bytes, bytearray, memoryview), "bytea"),
    (datetime.datetime, "timestamp"),
    (datetime.date, "date"),
    (datetime.time, "time"),
    (datetime.timedelta, "interval"),
)


def _sql_type(values: pandas.Series[CellValue]) -> str:
    """The SQL type of a prototype's column."""
    dtype = values.dtype
    name = str(dtype).lower()
    kind = getattr(dtype, "kind", "O")
    if name == "uint64":
        return "numeric"
    if name.startswith(("int", "uint")):
        return "bigint"
    if name.startswith("float"):
        return "double precision"
    if name.startswith("bool"):
        return "boolean"
    if name.startswith("datetime64"):
        return "timestamptz" if getattr(dtype, "tz", None) is not None else "timestamp"
    if kind == "m":
        return "interval"
    first = next((value for value in values if value is not None), None)
    for types, sql_type in _OBJECTS:
        if name == "object" and isinstance(first, types):
            return sql_type
    return "text"


def columns_of(prototype: object) -> list[tuple[str, str]]:
    """Return (name, SQL type) for each column of a prototype.

    Raises
    ------
    TypeError
        The prototype is not a pandas.DataFrame.
    ValueError
        It has no columns, or columns with equal names.
    """
    import pandas

    if not isinstance(prototype, pandas.DataFrame):
        raise TypeError(f"func_value must be a pandas.DataFrame, not {type(prototype).__name__}")
    names = [str(label) for label in prototype.columns]
    if not names or len(set(names)) != len(names):
        raise ValueError("func_value must have columns with unique names")
    return [(name, _sql_type(prototype.iloc[:, i])) for i, name in enumerate(names)]


def column_list(columns: list[tuple[str, str]]) -> str:
    """Return the column definitions for CREATE TABLE."""
    return ", ".join(f"{quote(name)} {sql_type}" for name, sql_type in columns)
