"""Joins of frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from oml.core._source import Source
from oml.core._sql import quote

if TYPE_CHECKING:
    from oml.core.frame import DataFrame

_JOINS = {
    "left": "LEFT JOIN",
    "right": "RIGHT JOIN",
    "inner": "JOIN",
    "full": "FULL JOIN",
    "outer": "FULL JOIN",
}


def _listed(names: str | Iterable[str] | None) -> list[str]:
    if names is None:
        return []
    return [names] if isinstance(names, str) else list(names)


class Keys(NamedTuple):
    """The columns by which rows belong together.

    Attributes
    ----------
    left, right : list of str
    is_shared : bool
        Whether the columns of both frames are one in the result.
    """

    left: list[str]
    right: list[str]
    is_shared: bool

    @classmethod
    def of(cls, on: Any, left_on: Any, right_on: Any) -> Keys:
        """Return the keys that the arguments of merge() name."""
        if on is not None:
            if left_on is not None or right_on is not None:
                raise ValueError("give on, or left_on and right_on")
            return cls(_listed(on), _listed(on), True)
        left, right = _listed(left_on), _listed(right_on)
        if len(left) != len(right):
            raise ValueError("left_on and right_on name different numbers of columns")
        return cls(left, right, False)


def merge(
    left: DataFrame, right: DataFrame, keys: Keys, how: str, suffixes: tuple[str, str]
) -> DataFrame:
    """Return the join of two frames."""
    if how not in _JOINS and how != "cross":
        raise ValueError("how is 'left', 'right', 'inner', 'full' or 'cross'")
    if how == "cross" and keys.left:
        raise ValueError("a cross join has no keys")
    left._names(keys.left)
    right._names(keys.right)
    from oml.core.frame import Column

    shared = set(keys.left) if keys.is_shared else set()
    both = (set(left.columns) & set(right.columns)) - shared
    items: list[tuple[str, str, str]] = []  # expression, name, SQL type
    for name, column in left._columns.items():
        expression = f"l.{quote(name)}"
        if name in shared and how in ("right", "full", "outer"):
            expression = f"COALESCE(l.{quote(name)}, r.{quote(name)})"
        final = name + suffixes[0] if name in both else name
        items.append((expression, final, column.sql_type))
    for name, column in right._columns.items():
        if name not in shared:
            final = name + suffixes[1] if name in both else name
            items.append((f"r.{quote(name)}", final, column.sql_type))
    if len({name for _, name, _ in items}) < len(items):
        raise ValueError("two columns of the result have the same name: change the suffixes")
    if keys.left:
        conditions = " AND ".join(
            f"l.{quote(a)} = r.{quote(b)}" for a, b in zip(keys.left, keys.right)
        )
        join, condition = _JOINS[how], f" ON {conditions}"
    else:
        join, condition = "CROSS JOIN", ""
    chosen = ", ".join(f"{expression} AS {quote(name)}" for expression, name, _ in items)
    sql = (
        f"SELECT {chosen} FROM ({left._select(has_order=False)}) AS l "
        f"{join} ({right._select(has_order=False)}) AS r{condition}"
    )
    source = Source(f"({sql})", (), (*left._source.tables, *right._source.tables))
    return left._make(source, {name: Column(quote(name), kind) for _, name, kind in items})
