"""Replacement of values."""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oml._db.parameters import plain_value
from oml.core._query import Column, Query
from oml.core._sql import literal
from oml.core._types import bare_type

if TYPE_CHECKING:
    from oml._annotations import CellValue

_FLAGS, _NUMBERS, _WORDS = "truth values", "numbers", "texts"
_SORTS: tuple[tuple[type, str], ...] = (  # the first match counts: bool before int
    (bool, _FLAGS),
    (int, _NUMBERS),
    (float, _NUMBERS),
    (decimal.Decimal, _NUMBERS),
    (str, _WORDS),
)
#: Sort of values by the class of the column.
_SORTS_OF_COLUMNS = {
    "Boolean": _FLAGS,
    "Integer": _NUMBERS,
    "Float": _NUMBERS,
    "String": _WORDS,
}
_TEXTS = {"text", "character varying", "character", "name"}


def _plain(value: object) -> CellValue:
    """A Python value, None if it is missing."""
    value = plain_value(value)
    return None if isinstance(value, float) and value != value else value


def _sort_of(values: Sequence[CellValue], what: str) -> str | None:
    """The sort of values; None if all are missing."""
    found = []
    for value in values:
        if value is None:
            continue
        sort = next((sort for kind, sort in _SORTS if isinstance(value, kind)), None)
        if sort is None:
            raise TypeError(
                f"values of type {type(value).__name__} cannot be replaced, nor replace others"
            )
        found.append(sort)
    if len(set(found)) > 1:
        raise TypeError(f"{what} must be of one type: numbers, texts or truth values")
    return found[0] if found else None


class Rules:
    """A mapping of values to replacements.

    Parameters
    ----------
    old, new : list
        Values of one class, and an equal number of replacements of one class; None and NaN are
        missing values.
    default : optional
        Replacement for all other values, of the class of `new`; None keeps them.

    Raises
    ------
    ValueError, TypeError
        The lists are inconsistent.
    """

    def __init__(self, old: Sequence[CellValue], new: Sequence[CellValue], default: object) -> None:
        if isinstance(old, (str, bytes)) or isinstance(new, (str, bytes)):
            raise TypeError("old and new must be lists")
        self._old = [_plain(value) for value in old]
        self._new = [_plain(value) for value in new]
        self._default = _plain(default)
        if not self._old or len(self._old) != len(self._new):
            raise ValueError("old and new must have the same length, at least 1")
        self._from = _sort_of(self._old, "the values of old")
        self._to = _sort_of([*self._new, self._default], "new and default")
        if self._from is None and self._to is None:
            raise ValueError("old and new contain only missing values")
        if self._default is None and None not in (self._from, self._to):
            if self._from != self._to:
                raise ValueError("new has values of another type than old: default is required")

    def fitting(self, query: Query) -> list[str]:
        """Return the names of a query's columns that can hold the old values."""
        sort = self._from or self._to
        return [
            name
            for name, column in query.columns.items()
            if _SORTS_OF_COLUMNS.get(column.kind) == sort
            and (sort != _WORDS or bare_type(column.sql_type) in _TEXTS)
        ]

    def apply(self, name: str, column: Column) -> Column:
        """Return the column of that name with the values replaced."""
        own = _SORTS_OF_COLUMNS.get(column.kind)
        if own is None or (self._from is not None and own != self._from):
            raise ValueError(f'column "{name}" does not hold {self._from or own or _WORDS}')
        target = self._to or own
        if target != own and self._default is None:
            raise ValueError(f'column "{name}" does not hold {target}: default is required')
        value = f"({column.expression})::pg_catalog.text" if own == _WORDS else column.expression
        cases = " ".join(
            f"WHEN {column.is_missing if old is None else f'{value} = {literal(old)}'} "
            f"THEN {literal(new)}"
            for old, new in zip(self._old, self._new)
        )
        otherwise = value if self._default is None else literal(self._default)
        kind = self._result_type(column, target, own)
        return Column(f"CAST(CASE {cases} ELSE {otherwise} END AS {kind})", kind)

    def _result_type(self, column: Column, target: str, own: str) -> str:
        if target != _NUMBERS:
            return "boolean" if target == _FLAGS else "text"
        if target != own:  # Oracle returns Float for all numbers
            return "double precision"
        numbers = [v for v in (*self._new, self._default) if v is not None]
        is_whole = all(isinstance(v, int) for v in numbers)
        if column.kind == "Integer" and is_whole:
            return "bigint" if all(-(2**63) <= v < 2**63 for v in numbers) else "numeric"
        is_exact = all(isinstance(v, (int, decimal.Decimal)) for v in numbers)
        if is_exact and bare_type(column.sql_type) == "numeric":
            return "numeric"
        return "double precision"
