"""Columns of class Bytes."""

from __future__ import annotations

from typing import Any

from oml.core.series import Series


class Bytes(Series):
    """A column of byte strings: bytea."""

    _CAST = "bytea"

    def len(self) -> Any:
        """The number of bytes, an Integer column."""
        return self._derive(f"pg_catalog.length({self._expression})", "integer")
