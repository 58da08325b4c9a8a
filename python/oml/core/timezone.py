"""Columns of class Timezone."""

from __future__ import annotations

from oml.core._times import TimeSeries
from oml.core._types import column_class


@column_class("timestamp with time zone")
class Timezone(TimeSeries):
    """A column of timestamps with time zone."""

    _SQL_TYPE = "timestamp with time zone"
    _HAS_ZONE = True
    _CAST = "timestamp with time zone"
