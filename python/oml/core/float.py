"""Columns of class Float."""

from __future__ import annotations

from typing import Any

from oml.core.series import NumericSeries


class Float(NumericSeries):
    """A column of numbers with fractions: real, double precision, numeric.

    NaN is missing, as in pandas.
    """

    @property
    def _present(self) -> str:
        return f"NULLIF({self._expression}, 'NaN')"

    def pull(self) -> list[Any]:
        """Return the values as a list of floats; NULL is None."""
        return [None if value is None else float(value) for value in super().pull()]
