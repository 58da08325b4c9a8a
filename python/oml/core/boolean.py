"""Columns of class Boolean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oml._db.parameters import plain_value
from oml.core.series import NumericSeries, Series

if TYPE_CHECKING:
    from oml.core.integer import Integer

_NOT_IMPLEMENTED: NumericSeries = NotImplemented


class Boolean(Series):
    """A column of booleans: selects rows, `frame[column]`, and supports & | ~.

    As in SQL, a condition on a missing value is missing, and selects no row. In arithmetic and in
    comparisons with numbers, true is 1 and false is 0.
    """

    _CAST = "boolean"

    def _combined(self, other: Any, template: str) -> Boolean:
        other = other if isinstance(other, Series) else plain_value(other)
        if not isinstance(other, (Boolean, bool)):
            raise TypeError("only conditions can be combined with & and |; use parentheses")
        return self._condition(template.format(self._expression, self._operand(other)))

    def __and__(self, other: Any) -> Boolean:
        return self._combined(other, "({0} AND {1})")

    def __rand__(self, other: Any) -> Boolean:
        return self._combined(other, "({1} AND {0})")

    def __or__(self, other: Any) -> Boolean:
        return self._combined(other, "({0} OR {1})")

    def __ror__(self, other: Any) -> Boolean:
        return self._combined(other, "({1} OR {0})")

    def __xor__(self, other: Any) -> Boolean:
        return self._combined(other, "({0} <> {1})")

    def __rxor__(self, other: Any) -> Boolean:
        return self._combined(other, "({1} <> {0})")

    def __invert__(self) -> Boolean:
        return self._condition(f"(NOT {self._expression})")

    @property
    def _as_number(self) -> Integer:
        return self._derive(f"({self._expression})::pg_catalog.int4", "integer")

    def _is_number(self, other: Any) -> bool:
        other = other if isinstance(other, Series) else plain_value(other)
        return isinstance(other, NumericSeries) or (
            isinstance(other, (int, float)) and not isinstance(other, bool)
        )

    def _left_of(self, other: Any) -> str:
        return str(self._as_number._expression) if self._is_number(other) else self._expression

    def _arithmetic(self, other: Any, name: str) -> NumericSeries:
        if not self._is_number(other):
            return _NOT_IMPLEMENTED
        result: NumericSeries = getattr(self._as_number, name)(other)
        return result

    def __add__(self, other: Any) -> NumericSeries:
        return self._arithmetic(other, "__add__")

    def __radd__(self, other: Any) -> NumericSeries:
        return self._arithmetic(other, "__radd__")

    def __sub__(self, other: Any) -> NumericSeries:
        return self._arithmetic(other, "__sub__")

    def __rsub__(self, other: Any) -> NumericSeries:
        return self._arithmetic(other, "__rsub__")

    def __mul__(self, other: Any) -> NumericSeries:
        return self._arithmetic(other, "__mul__")

    def __rmul__(self, other: Any) -> NumericSeries:
        return self._arithmetic(other, "__rmul__")

    def __truediv__(self, other: Any) -> NumericSeries:
        return self._arithmetic(other, "__truediv__")

    def __rtruediv__(self, other: Any) -> NumericSeries:
        return self._arithmetic(other, "__rtruediv__")

    def all(self) -> bool:
        """Return whether all values are true, ignoring missing ones."""
        return self._aggregate("pg_catalog.bool_and({0})") is not False

    def any(self) -> bool:
        """Return whether any value is true."""
        return self._aggregate("pg_catalog.bool_or({0})") is True

    def sum(self) -> int:
        """Return the number of true values."""
        return int(self._aggregate("pg_catalog.count(*) FILTER (WHERE {0})"))

    def mean(self) -> float:
        """Return the share of true values, NaN if there are no values."""
        value = self._aggregate("pg_catalog.avg(({0})::int)")
        return float("nan") if value is None else float(value)

    def _extreme(self, function: str, skipna: bool) -> Any:
        template = {"min": "pg_catalog.bool_and({0})", "max": "pg_catalog.bool_or({0})"}[function]
        return self._aggregate(template, skipna)
