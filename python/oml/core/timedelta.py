"""Columns of class Timedelta."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from oml._db.parameters import plain_value
from oml.core import _numbers
from oml.core._types import column_class
from oml.core.series import NumericSeries, Series

if TYPE_CHECKING:
    from oml._annotations import AnyColumn, CellValue
    from oml.core.float import Float
    from oml.core.integer import Integer


def _is_span(other: object) -> bool:
    return isinstance(other, Timedelta) or (
        not isinstance(other, Series) and isinstance(plain_value(other), datetime.timedelta)
    )


def _is_number(other: object) -> bool:
    if isinstance(other, Series):
        return isinstance(other, NumericSeries)
    return isinstance(plain_value(other), (int, float))


@column_class("interval")
class Timedelta(Series):
    """A column of intervals: interval, with any fields."""

    _CAST = "interval"

    def _span(self, other: object, template: str) -> Timedelta:
        made: Timedelta = self._apply(other, template, "interval")
        return made

    def __add__(self, other: object) -> Timedelta:
        return self._span(other, "({0} + {1})") if _is_span(other) else NotImplemented

    def __radd__(self, other: object) -> Timedelta:
        return self._span(other, "({1} + {0})") if _is_span(other) else NotImplemented

    def __sub__(self, other: object) -> Timedelta:
        return self._span(other, "({0} - {1})") if _is_span(other) else NotImplemented

    def __rsub__(self, other: object) -> AnyColumn:
        if _is_span(other):
            return self._span(other, "({1} - {0})")
        if isinstance(other, Series):
            return NotImplemented
        point = plain_value(other)
        if not isinstance(point, datetime.date):
            return NotImplemented
        has_zone = isinstance(point, datetime.datetime) and point.tzinfo is not None
        kind = f"timestamp {'with' if has_zone else 'without'} time zone"
        value = f"({self._operand(point)})::{kind}"
        return self._derive(f"({value} - {self._expression})", kind)

    def __mul__(self, other: object) -> Timedelta:
        if not _is_number(other):
            raise TypeError("an interval can be multiplied only by a number")
        return self._derive(
            f"({self._expression} * ({self._operand(other)})::pg_catalog.float8)", "interval"
        )

    def __rmul__(self, other: object) -> Timedelta:
        made: Timedelta = self * other
        return made

    def __truediv__(self, other: object) -> AnyColumn:
        if _is_span(other):
            seconds = f"EXTRACT(epoch FROM {self._operand(other)})::pg_catalog.float8"
            ratio = _numbers.once(_numbers.DIVISION, self._seconds, seconds)
            return self._derive(ratio, "double precision")
        if not _is_number(other):
            return NotImplemented
        divisor = f"NULLIF(({self._operand(other)})::pg_catalog.float8, 0)"
        return self._derive(f"({self._expression} / {divisor})", "interval")

    def __rtruediv__(self, other: object) -> AnyColumn:
        if not _is_span(other):
            return NotImplemented
        seconds = f"EXTRACT(epoch FROM {self._operand(other)})::pg_catalog.float8"
        ratio = _numbers.once(_numbers.DIVISION, seconds, self._seconds)
        return self._derive(ratio, "double precision")

    def __neg__(self) -> Timedelta:
        return self._derive(f"(- {self._expression})", "interval")

    def __pos__(self) -> Timedelta:
        return self._derive(self._expression, "interval")

    def __abs__(self) -> Timedelta:
        value = self._expression
        body = f"(CASE WHEN {value} < '0'::pg_catalog.interval THEN - {value} ELSE {value} END)"
        return self._derive(body, "interval")

    def _filled_type(self, value: object) -> str:
        if not _is_span(value):
            raise TypeError("a column of intervals can be filled only with intervals")
        return "interval"

    # --------------------------------------------------------------------------------- parts

    @property
    def _seconds(self) -> str:
        return f"EXTRACT(epoch FROM {self._expression})::pg_catalog.float8"

    def total_seconds(self) -> Float:
        """Return the intervals in seconds, a Float column; a month has 30 days, a year 365.25."""
        return self._derive(f"({self._seconds})", "double precision")

    def _microseconds(self) -> str:
        seconds = f"EXTRACT(epoch FROM {self._expression})::pg_catalog.numeric"
        return f"pg_catalog.round({seconds} * 1000000)"

    @property
    def days(self) -> Integer:
        """The days, an Integer column; negative values as in Python, with non-negative seconds."""
        value = f"pg_catalog.floor({self._microseconds()} / 86400000000)::pg_catalog.int8"
        return self._derive(value, "bigint")

    @property
    def seconds(self) -> Integer:
        """The seconds of the day, an Integer column."""
        value = self._microseconds()
        rest = f"({value} - pg_catalog.floor({value} / 86400000000) * 86400000000)"
        return self._derive(f"pg_catalog.floor({rest} / 1000000)::pg_catalog.int8", "bigint")

    @property
    def microseconds(self) -> Integer:
        """The microseconds of the second, an Integer column."""
        value = self._microseconds()
        rest = f"({value} - pg_catalog.floor({value} / 1000000) * 1000000)"
        return self._derive(f"{rest}::pg_catalog.int8", "bigint")

    def sum(self) -> datetime.timedelta | None:
        """Return the sum, None if there are no values."""
        made: datetime.timedelta | None = self._aggregate("pg_catalog.sum({0})")
        return made

    def mean(self) -> datetime.timedelta | None:
        """Return the mean, None if there are no values."""
        made: datetime.timedelta | None = self._aggregate("pg_catalog.avg({0})")
        return made

    def _extreme(self, function: str, skipna: bool) -> CellValue:
        return self._aggregate(f"pg_catalog.{function}({{0}})", skipna)
