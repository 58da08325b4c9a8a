"""Columns of class Integer."""

from __future__ import annotations

import operator

from oml.core._types import column_class
from oml.core.series import NumericSeries


@column_class("smallint", "integer", "bigint", "oid")
class Integer(NumericSeries):
    """A column of integers: smallint, integer, bigint, oid."""

    _IS_INTEGER = True
    _CAST = "bigint"

    def round(self, decimals: int = 0) -> Integer:
        """Return the column rounded to tens, hundreds, ... if `decimals` is negative.

        Halves are rounded to even, as in numpy.
        """
        digits = operator.index(decimals)
        if digits >= 0:
            made: Integer = self._derive(self._expression, self._sql_type)
            return made
        value = f"({self._expression})::pg_catalog.numeric"
        power = f"10::pg_catalog.numeric ^ {-digits}"
        half = f"2 * pg_catalog.round({value} / (2 * {power}), 0) * {power}"
        # PostgreSQL rounds halves of numeric away from zero, so exact halves are handled
        # separately.
        body = (
            f"CASE WHEN pg_catalog.abs({value} % ({power})) * 2 = {power} "
            f"THEN {half} ELSE pg_catalog.round({value} / ({power}), 0) * {power} END"
        )
        return self._derive(f"({body})::pg_catalog.int8", "bigint")
