"""Columns of class Datetime."""

from __future__ import annotations

from oml.core._times import TimeSeries


class Datetime(TimeSeries):
    """A column of dates, or of timestamps without time zone."""

    _CAST = "timestamp without time zone"
