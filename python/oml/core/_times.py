"""What columns of points in time have in common."""

from __future__ import annotations

import datetime
from typing import Any

from oml.core.series import Series
from oml.core.timedelta import Timedelta


class TimeSeries(Series):
    """A column of points in time: differences are Timedelta."""

    _SQL_TYPE = "timestamp without time zone"

    @property
    def _point(self) -> str:
        return f"({self._expression})::{self._SQL_TYPE}"

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, (Timedelta, datetime.timedelta)):
            raise TypeError("only a timedelta can be added to a point in time")
        return self._derive(f"({self._point} + {self._operand(other)})", self._SQL_TYPE)

    def __radd__(self, other: Any) -> Any:
        return self + other

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, (Timedelta, datetime.timedelta)):
            return self._derive(f"({self._point} - {self._operand(other)})", self._SQL_TYPE)
        if isinstance(other, (TimeSeries, datetime.date)):
            right = f"({self._operand(other)})::{self._SQL_TYPE}"
            return self._derive(f"({self._point} - {right})", "interval")
        raise TypeError("only a timedelta or a point in time can be subtracted")
