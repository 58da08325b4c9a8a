"""Columns of class Bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oml.core._types import column_class
from oml.core.series import Series

if TYPE_CHECKING:
    from oml.core.integer import Integer


@column_class("bytea")
class Bytes(Series):
    """A column of byte strings: bytea."""

    _CAST = "bytea"

    def len(self) -> Integer:
        """The number of bytes, an Integer column."""
        return self._derive(f"pg_catalog.length({self._expression})", "integer")
