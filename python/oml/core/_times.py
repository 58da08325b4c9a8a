"""Common base of timestamp columns."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from oml._db.parameters import plain_value
from oml.core._sql import text_literal
from oml.core._time_formats import has_zone, template_of
from oml.core._types import bare_type
from oml.core.series import NumericSeries, Series
from oml.core.string import String
from oml.core.timedelta import Timedelta

if TYPE_CHECKING:
    from oml._annotations import AnyColumn, CellValue
    from oml.core.integer import Integer

_PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def _is_span(other: object) -> bool:
    return isinstance(other, Timedelta) or (
        not isinstance(other, Series) and isinstance(plain_value(other), datetime.timedelta)
    )


def _is_point(other: object) -> bool:
    return isinstance(other, TimeSeries) or (
        not isinstance(other, Series) and isinstance(plain_value(other), datetime.date)
    )


class TimeSeries(Series):
    """A column of timestamps; differences are Timedelta columns.

    Attributes `year`, `month`, `day`, `hour`, `minute`, `second` and `microsecond` are Integer
    columns; for timestamps with time zone they are in UTC.
    """

    _SQL_TYPE = "timestamp without time zone"
    _HAS_ZONE = False

    @property
    def _point(self) -> str:
        return f"({self._expression})::{self._SQL_TYPE}"

    @property
    def _clock(self) -> str:
        """The timestamps without time zone; in UTC if they have a time zone."""
        return f"({self._point} AT TIME ZONE 'UTC')" if self._HAS_ZONE else self._point

    def _at_clock(self, clock: str) -> str:
        """The inverse of _clock."""
        return f"({clock} AT TIME ZONE 'UTC')" if self._HAS_ZONE else clock

    def __add__(self, other: object) -> AnyColumn:
        if not _is_span(other):
            raise TypeError("only a timedelta can be added to a timestamp")
        return self._derive(f"({self._point} + {self._operand(other)})", self._SQL_TYPE)

    def __radd__(self, other: object) -> AnyColumn:
        return self + other

    def __sub__(self, other: object) -> AnyColumn:
        if _is_span(other):
            return self._derive(f"({self._point} - {self._operand(other)})", self._SQL_TYPE)
        if _is_point(other):
            return self._derive(f"({self._point} - {self._other_point(other)})", "interval")
        raise TypeError("only a timedelta or a timestamp can be subtracted")

    def __rsub__(self, other: object) -> AnyColumn:
        if not _is_point(other):
            raise TypeError("a timestamp can be subtracted only from another timestamp")
        return self._derive(f"({self._other_point(other)} - {self._point})", "interval")

    def _other_point(self, other: object) -> str:
        return f"({self._operand(other)})::{self._SQL_TYPE}"

    def _filled_type(self, value: object) -> str:
        if not _is_point(value):
            raise TypeError("a column of timestamps can be filled only with timestamps")
        kind = bare_type(self._sql_type)
        is_day = type(value) is datetime.date or getattr(value, "_sql_type", "") == "date"
        return kind if kind != "date" or is_day else self._SQL_TYPE

    # --------------------------------------------------------------------------------- parts

    def _part(self, name: str) -> Integer:
        field = {"second": "second", "microsecond": "microseconds"}.get(name, name)
        value = f"EXTRACT({field} FROM {self._clock})"
        if name == "second":
            value = f"pg_catalog.floor({value})"
        elif name == "microsecond":
            value = f"({value}::pg_catalog.int8 % 1000000)"
        # Infinite timestamps have no fields.
        guarded = f"CASE WHEN pg_catalog.isfinite({self._point}) THEN {value}::pg_catalog.int8 END"
        return self._derive(f"({guarded})", "bigint")

    @property
    def year(self) -> Integer:
        """The years, an Integer column."""
        return self._part("year")

    @property
    def month(self) -> Integer:
        """The months from 1 to 12, an Integer column."""
        return self._part("month")

    @property
    def day(self) -> Integer:
        """The days of the month, an Integer column."""
        return self._part("day")

    @property
    def hour(self) -> Integer:
        """The hours, an Integer column."""
        return self._part("hour")

    @property
    def minute(self) -> Integer:
        """The minutes, an Integer column."""
        return self._part("minute")

    @property
    def second(self) -> Integer:
        """The whole seconds, an Integer column."""
        return self._part("second")

    @property
    def microsecond(self) -> Integer:
        """The microseconds of the second, an Integer column."""
        return self._part("microsecond")

    def replace(
        self,
        year: CellValue | None = None,
        month: CellValue | None = None,
        day: CellValue | None = None,
        hour: CellValue | None = None,
        minute: CellValue | None = None,
        second: CellValue | None = None,
        microsecond: CellValue | None = None,
    ) -> AnyColumn:
        """Return the timestamps with other fields.

        Parameters
        ----------
        year, month, day, hour, minute, second, microsecond : int or Integer column, optional
            Timestamps with time zone are taken in UTC.

        Raises
        ------
        DatabaseError
            Raised when the rows are read and a timestamp does not exist, such as 30 February
            (22008).
        """
        values = (year, month, day, hour, minute, second, microsecond)
        parts = []
        for name, value in zip(_PARTS, values):
            if value is None:
                value = self._part(name)
            elif not isinstance(value, (NumericSeries, int)) and not hasattr(value, "__index__"):
                raise TypeError(f"{name} must be an integer or an Integer column")
            if not isinstance(value, Series) and plain_value(value) == 0 and name == "year":
                raise ValueError("year 0 does not exist")
            parts.append(f"({self._operand(value)})::pg_catalog.int4")
        *first, seconds, microseconds = parts
        made = f"pg_catalog.make_timestamp({', '.join(first)}, {seconds})"
        made = f"{made} + {microseconds} * '1 microsecond'::pg_catalog.interval"
        point = self._at_clock(f"({made})")
        kept = f"CASE WHEN pg_catalog.isfinite({self._point}) THEN {point} ELSE {self._point} END"
        return self._derive(f"({kept})", self._SQL_TYPE)

    # --------------------------------------------------------------------------------- texts

    def strftime(self, format: str | None = None) -> String:
        """Return the timestamps as texts, a String column.

        Parameters
        ----------
        format : str, optional
            A format with Python's directives, "%Y-%m-%d", or a template of Oracle or PostgreSQL,
            "YYYY-MM-DD"; by default ISO 8601 with a space, like str() of a datetime.
        """
        zone = "+00:00" if self._HAS_ZONE else ""
        if format is not None:
            template = template_of(format)
            if has_zone(template) and self._HAS_ZONE:
                for wanted, text in (
                    ("TZHTZM", '"+0000"'),
                    ("TZH:TZM", '"+00:00"'),
                    ("TZH", '"+00"'),
                ):
                    template = template.replace(wanted, text)
            elif has_zone(template):
                raise ValueError("these timestamps have no time zone")
            text = f"pg_catalog.to_char({self._clock}, {text_literal(template)})"
            return self._derive(text, "text")
        whole = f"pg_catalog.to_char({self._clock}, 'YYYY-MM-DD HH24:MI:SS')"
        fraction = f"pg_catalog.to_char({self._clock}, '.US')"
        text = f"({whole} || COALESCE(NULLIF({fraction}, '.000000'), '') || '{zone}')"
        return self._derive(text, "text")

    @classmethod
    def strptime(cls, other: object, format: str) -> AnyColumn:
        """Parse texts as timestamps.

        Parameters
        ----------
        other : String column
        format : str
            As for strftime(). Two-digit years are interpreted as the nearest to 2020.

        Raises
        ------
        DatabaseError
            Raised when the rows are read and a text does not match the format.
        """
        if not isinstance(other, String):
            raise TypeError(f"other must be a column of texts, not {type(other).__name__}")
        template = template_of(format)
        if has_zone(template) != cls._HAS_ZONE and has_zone(template):
            raise ValueError("format contains a time zone (%z): use oml.Timezone.strptime()")
        text = other._as_text
        if not has_zone(
            template
        ):  # not in the session's time zone, in which some hours do not exist
            text, template = f"({text} || ' +00')", f"{template} TZH"
        point = f"pg_catalog.to_timestamp({text}, {text_literal(template)})"
        if not cls._HAS_ZONE:
            point = f"({point} AT TIME ZONE 'UTC')"
        return other._derive(point, cls._SQL_TYPE)
