"""Columns of class Datetime."""

from __future__ import annotations

from oml.core._times import TimeSeries
from oml.core._types import column_class


@column_class("date", "timestamp without time zone")
class Datetime(TimeSeries):
    """A column of dates, or of timestamps without time zone."""

    _CAST = "timestamp without time zone"
