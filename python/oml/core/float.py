"""Columns of class Float."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from oml.core import _numbers
from oml.core._types import bare_type, column_class
from oml.core.series import NumericSeries

if TYPE_CHECKING:
    from oml._annotations import CellValue

_MOST_DIGITS = 308  # exponent of the largest power of ten


@column_class("real", "double precision", "numeric")
class Float(NumericSeries):
    """A column of fractional numbers: real, double precision, numeric.

    NaN counts as missing, as in pandas.
    """

    _CAST = "double precision"

    def pull(self) -> list[CellValue]:
        """Return the values as a list of floats; NULL is None."""
        return [None if value is None else float(value) for value in super().pull()]

    def round(self, decimals: int = 0) -> Float:
        """Return the column rounded.

        Halves are rounded to even, as in numpy; those of `numeric` away from zero, as in
        PostgreSQL, because their digits are exact.

        Parameters
        ----------
        Digits after the decimal point, -308 to 308; negative numbers round before the point.
        """
        digits = operator.index(decimals)
        if not -_MOST_DIGITS <= digits <= _MOST_DIGITS:
            raise ValueError(f"decimals must be a number from -{_MOST_DIGITS} to {_MOST_DIGITS}")
        kind = bare_type(self._sql_type)
        if kind == "numeric":
            column: Float = self._derive(f"pg_catalog.round({self._expression}, {digits})", kind)
            return column
        value = f"({self._expression})::pg_catalog.float8"
        power = f"1e{abs(digits)}::pg_catalog.float8"
        if digits == 0:
            rounded = f"pg_catalog.round({value})"
        elif digits < 0:
            # Smaller values would cause an underflow error in PostgreSQL.
            rounded = _numbers.once(
                "(CASE WHEN pg_catalog.abs({x}) < 1 THEN 0 "
                f"ELSE pg_catalog.round({{x}} / {power}) * {power} END)",
                value,
            )
        else:
            # Larger values have no digits at that position, and would overflow when multiplied.
            rounded = _numbers.once(
                f"(CASE WHEN pg_catalog.abs({{x}}) > 1e308::pg_catalog.float8 / {power} "
                f"THEN {{x}} ELSE pg_catalog.round({{x}} * {power}) / {power} END)",
                value,
            )
        column = self._derive(f"({rounded})::{kind}", kind)
        return column
