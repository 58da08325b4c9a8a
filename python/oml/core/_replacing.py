"""Other values in place of some."""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from oml._parameters import plain_value
from oml.core._classes import bare_type
from oml.core._sql import literal
from oml.core.boolean import Boolean
from oml.core.series import NumericSeries, Series
from oml.core.string import String

if TYPE_CHECKING:
    from oml.core._base import BaseFrame

_SORTS: tuple[tuple[Any, type, str], ...] = (  # the first that fits: bool before int
    (bool, Boolean, "truth values"),
    ((int, float, decimal.Decimal), NumericSeries, "numbers"),
    (str, String, "texts"),
)
_TEXTS = {"text", "character varying", "character", "name"}


def _plain(value: Any) -> Any:
    """A value of Python, None where it is missing."""
    value = plain_value(value)
    return None if isinstance(value, float) and value != value else value


class Rules:
    """What is replaced by what.

    Parameters
    ----------
    old, new : list
        Values of one sort, and as many others; None and NaN are missing values.
    default : optional
        For all other values; None keeps them.

    Raises
    ------
    ValueError, TypeError
        The lists do not fit together.
    """

    def __init__(self, old: Sequence[Any], new: Sequence[Any], default: Any) -> None:
        if isinstance(old, (str, bytes)) or isinstance(new, (str, bytes)):
            raise TypeError("old and new are lists")
        self._old = [_plain(value) for value in old]
        self._new = [_plain(value) for value in new]
        self._default = _plain(default)
        if not self._old or len(self._old) != len(self._new):
            raise ValueError("old and new are lists of the same length, 1 at least")
        self._class, self._sort = self._find_sort()

    def _find_sort(self) -> tuple[type, str]:
        found = set()
        for value in (*self._old, *self._new, self._default):
            if value is None:
                continue
            for types, kind, sort in _SORTS:
                if isinstance(value, types):
                    found.add((kind, sort))
                    break
            else:
                raise TypeError(f"a {type(value).__name__} can neither be replaced nor replace")
        if len(found) > 1:
            raise TypeError("old, new and default are of different sorts")
        if not found:
            raise ValueError("old and new have missing values only")
        return found.pop()

    def fitting(self, frame: BaseFrame) -> list[str]:
        """Return the names of a frame's columns that hold values of the sort."""
        return [
            name
            for name, column in ((name, frame._series(name)) for name in frame.columns)
            if isinstance(column, self._class)
            and (self._class is not String or bare_type(column._sql_type) in _TEXTS)
        ]

    def apply(self, column: Series) -> Series:
        """Return the column with the values replaced."""
        if not isinstance(column, self._class):
            raise TypeError(f'column "{column._name}" is not of {self._sort}')
        value = column._expression
        if self._class is String:
            value = f"({value})::pg_catalog.text"
        cases = " ".join(
            f"WHEN {column._is_missing if old is None else f'{value} = {literal(old)}'} "
            f"THEN {literal(new)}"
            for old, new in zip(self._old, self._new)
        )
        otherwise = value if self._default is None else literal(self._default)
        kind = self._result_type(column)
        made: Series = column._derive(f"CAST(CASE {cases} ELSE {otherwise} END AS {kind})", kind)
        return made

    def _result_type(self, column: Series) -> str:
        if not isinstance(column, NumericSeries):
            return "boolean" if self._class is Boolean else "text"
        numbers = [v for v in (*self._new, self._default) if v is not None]
        is_whole = all(isinstance(v, int) for v in numbers)
        if column._IS_INTEGER and is_whole:
            return "bigint" if all(-(2**63) <= v < 2**63 for v in numbers) else "numeric"
        is_exact = all(isinstance(v, (int, decimal.Decimal)) for v in numbers)
        if is_exact and bare_type(column._sql_type) == "numeric":
            return "numeric"
        return "double precision"
