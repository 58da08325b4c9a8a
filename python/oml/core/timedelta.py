"""Columns of class Timedelta."""

from __future__ import annotations

import datetime
from typing import Any

from oml.core.series import NumericSeries, Series


class Timedelta(Series):
    """A column of spans of time: interval."""

    def _span(self, other: Any, template: str) -> Any:
        if not isinstance(other, (Timedelta, datetime.timedelta)):
            raise TypeError("a span of time takes a span of time")
        return self._apply(other, template, "interval")

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, (Timedelta, datetime.timedelta)):
            return NotImplemented
        return self._span(other, "({0} + {1})")

    def __sub__(self, other: Any) -> Any:
        return self._span(other, "({0} - {1})")

    def __mul__(self, other: Any) -> Any:
        if not isinstance(other, (NumericSeries, int, float)):
            raise TypeError("a span of time is multiplied by a number")
        return self._derive(
            f"({self._expression} * ({self._operand(other)})::pg_catalog.float8)", "interval"
        )

    def __neg__(self) -> Any:
        return self._derive(f"(- {self._expression})", "interval")

    def sum(self) -> Any:
        """Return the sum, None without values."""
        return self._aggregate("pg_catalog.sum({0})")

    def mean(self) -> Any:
        """Return the mean, None without values."""
        return self._aggregate("pg_catalog.avg({0})")
