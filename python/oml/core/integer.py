"""Columns of class Integer."""

from __future__ import annotations

from oml.core.series import NumericSeries


class Integer(NumericSeries):
    """A column of whole numbers: smallint, integer, bigint, oid."""

    _IS_INTEGER = True
