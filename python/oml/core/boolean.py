"""Columns of class Boolean."""

from __future__ import annotations

from typing import Any

from oml.core.series import Series


class Boolean(Series):
    """A column of truth values: chooses rows, `frame[column]`, and takes & | ~.

    As in SQL, a condition on a missing value is missing, and chooses nothing.
    """

    def _condition(self, other: Any, template: str) -> Any:
        if not isinstance(other, (Boolean, bool)):
            raise TypeError("conditions are combined with conditions: put them in parentheses")
        return self._apply(other, template, "boolean")

    def __and__(self, other: Any) -> Any:
        return self._condition(other, "({0} AND {1})")

    def __rand__(self, other: Any) -> Any:
        return self._condition(other, "({0} AND {1})")

    def __or__(self, other: Any) -> Any:
        return self._condition(other, "({0} OR {1})")

    def __ror__(self, other: Any) -> Any:
        return self._condition(other, "({0} OR {1})")

    def __xor__(self, other: Any) -> Any:
        return self._condition(other, "({0} <> {1})")

    def __invert__(self) -> Any:
        return self._derive(f"(NOT {self._expression})", "boolean")

    def all(self) -> bool:
        """Return whether all values are true; missing ones do not count."""
        return self._aggregate("pg_catalog.bool_and({0})") is not False

    def any(self) -> bool:
        """Return whether a value is true."""
        return self._aggregate("pg_catalog.bool_or({0})") is True

    def sum(self) -> int:
        """Return how many values are true."""
        return int(self._aggregate("pg_catalog.count(*) FILTER (WHERE {0})"))

    def mean(self) -> float:
        """Return the share of true values, NaN without values."""
        value = self._aggregate("pg_catalog.avg(({0})::int)")
        return float("nan") if value is None else float(value)

    def min(self) -> Any:
        """Return False if there is one, None without values."""
        return self._aggregate("pg_catalog.bool_and({0})")

    def max(self) -> Any:
        """Return True if there is one, None without values."""
        return self._aggregate("pg_catalog.bool_or({0})")
