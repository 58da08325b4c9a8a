"""Columns of class String."""

from __future__ import annotations

from typing import Any

from oml.core.series import Series


class String(Series):
    """A column of texts, and of everything that has no class of its own."""

    def _text(self, other: Any) -> str:
        if not isinstance(other, (String, str)):
            raise TypeError("a text can be joined with a text only")
        return f"{self._operand(other)}::pg_catalog.text"

    def __add__(self, other: Any) -> Any:
        return self._derive(f"({self._expression} || {self._text(other)})", "text")

    def __radd__(self, other: Any) -> Any:
        return self._derive(f"({self._text(other)} || {self._expression})", "text")

    def len(self) -> Any:
        """The numbers of characters, an Integer column."""
        return self._derive(f"pg_catalog.length(({self._expression})::pg_catalog.text)", "integer")
