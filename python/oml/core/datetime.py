"""Columns of class Datetime."""

from __future__ import annotations

from oml.core._times import TimeSeries


class Datetime(TimeSeries):
    """A column of dates, or of times without a zone."""

    _CAST = "timestamp without time zone"
