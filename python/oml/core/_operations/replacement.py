"""Replacement of values."""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from oml._db.parameters import plain_value
from oml.core._sql import literal
from oml.core._types import bare_type
from oml.core.boolean import Boolean
from oml.core.series import NumericSeries, Series
from oml.core.string import String

if TYPE_CHECKING:
    from oml.core._base import BaseFrame

_SORTS: tuple[tuple[Any, type, str], ...] = (  # the first match counts: bool before int
    (bool, Boolean, "truth values"),
    ((int, float, decimal.Decimal), NumericSeries, "numbers"),
    (str, String, "texts"),
)
_TEXTS = {"text", "character varying", "character", "name"}


def _plain(value: Any) -> Any:
    """A Python value, None if it is missing."""
    value = plain_value(value)
    return None if isinstance(value, float) and value != value else value


def _sort_of(values: Sequence[Any], what: str) -> type | None:
    """The column class of values; None if all are missing."""
    found = []
    for value in values:
        if value is None:
            continue
        kind = next((kind for types, kind, _ in _SORTS if isinstance(value, types)), None)
        if kind is None:
            raise TypeError(
                f"values of type {type(value).__name__} cannot be replaced, nor replace others"
            )
        found.append(kind)
    if len(set(found)) > 1:
        raise TypeError(f"{what} must be of one type: numbers, texts or truth values")
    return found[0] if found else None


def _name_of(kind: type) -> str:
    return next(sort for _, known, sort in _SORTS if known is kind)


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

    def __init__(self, old: Sequence[Any], new: Sequence[Any], default: Any) -> None:
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
            if self._from is not self._to:
                raise ValueError("new has values of another type than old: default is required")

    def fitting(self, frame: BaseFrame) -> list[str]:
        """Return the names of a frame's columns that can hold the old values."""
        kind = self._from or self._to
        assert kind is not None
        return [
            name
            for name, column in ((name, frame._series(name)) for name in frame.columns)
            if isinstance(column, kind)
            and (kind is not String or bare_type(column._sql_type) in _TEXTS)
        ]

    def apply(self, column: Series) -> Series:
        """Return the column with the values replaced."""
        own = next((kind for _, kind, _ in _SORTS if isinstance(column, kind)), None)
        if own is None or (self._from is not None and own is not self._from):
            sort = _name_of(self._from or own or String)
            raise ValueError(f'column "{column._name}" does not hold {sort}')
        target = self._to or own
        if target is not own and self._default is None:
            raise ValueError(
                f'column "{column._name}" does not hold {_name_of(target)}: default is required'
            )
        value = f"({column._expression})::pg_catalog.text" if own is String else column._expression
        cases = " ".join(
            f"WHEN {column._is_missing if old is None else f'{value} = {literal(old)}'} "
            f"THEN {literal(new)}"
            for old, new in zip(self._old, self._new)
        )
        otherwise = value if self._default is None else literal(self._default)
        kind = self._result_type(column, target, own)
        made: Series = column._derive(f"CAST(CASE {cases} ELSE {otherwise} END AS {kind})", kind)
        return made

    def _result_type(self, column: Series, target: type, own: type) -> str:
        if target is not NumericSeries:
            return "boolean" if target is Boolean else "text"
        if target is not own:  # Oracle returns Float for all numbers
            return "double precision"
        assert isinstance(column, NumericSeries)
        numbers = [v for v in (*self._new, self._default) if v is not None]
        is_whole = all(isinstance(v, int) for v in numbers)
        if column._IS_INTEGER and is_whole:
            return "bigint" if all(-(2**63) <= v < 2**63 for v in numbers) else "numeric"
        is_exact = all(isinstance(v, (int, decimal.Decimal)) for v in numbers)
        if is_exact and bare_type(column._sql_type) == "numeric":
            return "numeric"
        return "double precision"
