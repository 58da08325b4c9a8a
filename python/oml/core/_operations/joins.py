"""Joins of frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from oml.core._query import Column, Query, Source
from oml.core._sql import literal, quote

if TYPE_CHECKING:
    from oml._annotations import CellValue, Names

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
    """The key columns of a join.

    Attributes
    ----------
    left, right : list of str
    is_shared : bool
        Whether each pair of key columns becomes one column of the result.
    """

    left: list[str]
    right: list[str]
    is_shared: bool

    @classmethod
    def of(cls, on: Names, left_on: Names, right_on: Names) -> Keys:
        """Return the keys from the arguments of merge()."""
        if on is not None:
            if left_on is not None or right_on is not None:
                raise ValueError("specify on, or left_on and right_on")
            return cls(_listed(on), _listed(on), True)
        left, right = _listed(left_on), _listed(right_on)
        if len(left) != len(right):
            raise ValueError("left_on and right_on must have the same number of columns")
        return cls(left, right, False)


class Join(NamedTuple):
    """The options of a join.

    Attributes
    ----------
    how : str
    suffixes : (str, str)
    nvl : bool or dict
        Whether missing keys are equal, or a replacement for missing keys per column name.
    """

    how: str
    suffixes: tuple[str, str]
    nvl: bool | Mapping[str, CellValue]


class _Key(NamedTuple):
    """A key column of one side."""

    name: str
    column: Column


def _equality(left: _Key, right: _Key, nvl: bool | Mapping[str, CellValue]) -> str:
    """The condition that two keys are equal, in a form usable for hash and merge joins."""
    one, other = left.column.present, right.column.present
    if isinstance(nvl, Mapping):
        sides = [
            f"COALESCE({key.column.present}, {literal(nvl[key.name])})"
            if key.name in nvl
            else key.column.present
            for key in (left, right)
        ]
        return f"{sides[0]} = {sides[1]}"
    if not nvl:
        return f"{one} = {other}"
    if left.column.is_number and right.column.is_number:
        return f"COALESCE({one}, 0) = COALESCE({other}, 0) AND ({one} IS NULL) = ({other} IS NULL)"
    if left.column.sql_type == right.column.sql_type and not left.column.sql_type.endswith("[]"):
        return f"ARRAY[{one}] = ARRAY[{other}]"  # array comparison treats NULLs as equal
    common = {"String": "text", "Datetime": "timestamp"}.get(left.column.kind)
    if common is not None and left.column.kind == right.column.kind:
        return f"ARRAY[({one})::pg_catalog.{common}] = ARRAY[({other})::pg_catalog.{common}]"
    return f"{one} IS NOT DISTINCT FROM {other}"


def _side(alias: str, query: Query, name: str) -> _Key:
    """A key column of one side of the join."""
    return _Key(name, Column(f"{alias}.{quote(name)}", query.columns[name].sql_type))


def merge(left: Query, right: Query, keys: Keys, join: Join) -> Query:
    """Return the join of two queries."""
    how, suffixes, nvl = join
    if how not in _JOINS and how != "cross":
        raise ValueError("how must be 'left', 'right', 'inner', 'full' or 'cross'")
    if len(suffixes) != 2:
        raise ValueError("suffixes must be two strings")
    if how == "cross" and keys.left:
        raise ValueError("a cross join has no keys")
    left.checked(keys.left)
    right.checked(keys.right)
    if isinstance(nvl, Mapping):
        unknown = set(nvl) - set(keys.left) - set(keys.right)
        if unknown:
            raise KeyError(sorted(unknown)[0])

    shared = set(keys.left) if keys.is_shared else set()
    items: list[tuple[str, str, str]] = []  # expression, name, SQL type
    for name, column in left.columns.items():
        expression = f"l.{quote(name)}"
        if name in shared and how in ("right", "full", "outer"):
            expression = f"COALESCE(l.{quote(name)}, r.{quote(name)})"
        final = name if name in shared else name + suffixes[0]
        items.append((expression, final, column.sql_type))
    for name, column in right.columns.items():
        if name not in shared:
            items.append((f"r.{quote(name)}", name + suffixes[1], column.sql_type))
    if len({name for _, name, _ in items}) < len(items):
        raise ValueError("two columns of the result have the same name: change the suffixes")
    if keys.left:
        conditions = " AND ".join(
            _equality(_side("l", left, a), _side("r", right, b), nvl)
            for a, b in zip(keys.left, keys.right)
        )
        kind, condition = _JOINS[how], f" ON {conditions}"
    else:
        kind, condition = "CROSS JOIN", ""
    chosen = ", ".join(f"{expression} AS {quote(name)}" for expression, name, _ in items)
    sql = (
        f"SELECT {chosen} FROM ({left.select(has_order=False)}) AS l "
        f"{kind} ({right.select(has_order=False)}) AS r{condition}"
    )
    source = Source(f"({sql})", (), (*left.source.tables, *right.source.tables))
    return Query(source, {name: Column(quote(name), t) for _, name, t in items})
