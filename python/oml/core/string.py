"""Columns of class String."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING

from oml._db.parameters import plain_value
from oml.core._sql import literal, text_literal
from oml.core._types import bare_type, column_class
from oml.core.bytes import Bytes
from oml.core.series import Boolean, Series

if TYPE_CHECKING:
    from oml._annotations import CellValue
    from oml.core.integer import Integer

_TEXTS = {"text", "character varying", "character", "name"}
#: Flags of Python's regular expressions -> PostgreSQL's letters.
_LINES = {0: "p", re.M: "n", re.S: "s", re.M | re.S: "w"}


def _pattern(pattern: str) -> str:
    """A regular expression with PostgreSQL's escapes for word boundaries."""
    if not isinstance(pattern, str):
        raise TypeError(f"a pattern must be a str, not {type(pattern).__name__}")
    bounds = {"\\b": "\\y", "\\B": "\\Y"}
    return re.sub(r"\\.", lambda found: bounds.get(found[0], found[0]), pattern, flags=re.S)


@column_class("")
class String(Series):
    """A column of texts, and of all types without a class of their own."""

    @property
    def _as_text(self) -> str:
        return f"({self._expression})::pg_catalog.text"

    def _text(self, other: object) -> str:
        if not isinstance(other, (String, str)):
            raise TypeError("a text can be concatenated only with a text")
        return f"{self._operand(other)}::pg_catalog.text"

    def __add__(self, other: object) -> String:
        return self._derive(f"({self._expression} || {self._text(other)})", "text")

    def __radd__(self, other: object) -> String:
        return self._derive(f"({self._text(other)} || {self._expression})", "text")

    def _left_of(self, other: object) -> str:
        if isinstance(other, (Bytes, bytes, bytearray)):  # compared bytewise
            return f"pg_catalog.convert_to({self._as_text}, 'UTF8')"
        return self._expression

    def _filled_type(self, value: object) -> str:
        if not isinstance(value, (String, str)):
            raise TypeError("a column of texts can be filled only with texts")
        return "text" if bare_type(self._sql_type) in _TEXTS else self._sql_type

    def len(self) -> Integer:
        """The number of characters, an Integer column."""
        return self._derive(f"pg_catalog.length({self._as_text})", "integer")

    def find(self, sub: str, start: int = 0) -> Integer:
        """Return the position of a text in each value, -1 if not found: an Integer column.

        Parameters
        ----------
        sub : str
        start : int
            The first position to search; positions count from 0.
        """
        if not isinstance(sub, str):
            raise TypeError(f"find() requires a str, not {type(sub).__name__}")
        first = operator.index(start)
        if first < 0:
            raise ValueError("start must not be negative")
        position = (
            f"pg_catalog.strpos(pg_catalog.substr({self._as_text}, {first + 1}), {literal(sub)})"
        )
        length = f"pg_catalog.length({self._as_text})"
        found = (
            f"CASE WHEN {length} < {first} THEN -1 "
            f"ELSE COALESCE(NULLIF({position}, 0) + {first - 1}, -1) END"
        )
        return self._derive(f"(CASE WHEN {length} IS NOT NULL THEN {found} END)", "integer")

    def count_pattern(self, pat: str, flags: int = 0) -> Integer:
        """Return the number of matches of a regular expression in each value, an Integer column.

        Parameters
        ----------
        pat : str
            A regular expression of PostgreSQL, whose syntax includes most of Python's.
        flags : int
            Flags of module re: I, M, S and X.
        """
        known = re.I | re.M | re.S | re.X
        flags = int(flags)
        if flags & ~(known | re.U):
            raise ValueError("flags must be a combination of re.I, re.M, re.S and re.X")
        letters = _LINES[flags & (re.M | re.S)]
        letters += "i" * bool(flags & re.I) + "x" * bool(flags & re.X) + "g"
        matches = (
            f"pg_catalog.regexp_matches({self._as_text}, {literal(_pattern(pat))}, '{letters}')"
        )
        count = f"(SELECT pg_catalog.count(*) FROM {matches})"
        return self._derive(
            f"(CASE WHEN {self._expression} IS NOT NULL THEN {count} END)", "bigint"
        )

    def like(self, pattern: str, escape: str = "\\") -> Boolean:
        """Whether the values match an SQL LIKE pattern, a Boolean column.

        Parameters
        ----------
        pattern : str
            The pattern, in which % matches any text and _ any character.
        escape : str
            The escape character for % and _.
        """
        return self._condition(
            f"({self._as_text} LIKE {text_literal(pattern)} ESCAPE {text_literal(escape)})"
        )

    def contains(self, sub: str) -> Boolean:
        """Whether the values contain a text, a Boolean column."""
        return self._condition(f"(pg_catalog.strpos({self._as_text}, {text_literal(sub)}) > 0)")

    def startswith(self, prefix: str) -> Boolean:
        """Whether the values start with a text, a Boolean column."""
        return self._condition(f"pg_catalog.starts_with({self._as_text}, {text_literal(prefix)})")

    def endswith(self, suffix: str) -> Boolean:
        """Whether the values end with a text, a Boolean column."""
        end = f"pg_catalog.right({self._as_text}, {len_of(suffix)})"
        return self._condition(f"({end} = {text_literal(suffix)})")

    def lower(self) -> String:
        """Return the texts in lower case."""
        return self._derive(f"pg_catalog.lower({self._as_text})", "text")

    def upper(self) -> String:
        """Return the texts in upper case."""
        return self._derive(f"pg_catalog.upper({self._as_text})", "text")

    def strip(self, chars: str = " \t\n\r\f\v") -> String:
        """Return the texts with some characters removed at both ends, white space by default."""
        return self._derive(f"pg_catalog.btrim({self._as_text}, {text_literal(chars)})", "text")


def len_of(text: CellValue) -> int:
    """Return the number of characters of a text; a TypeError for any other value."""
    if not isinstance(plain_value(text), str):
        raise TypeError(f"a str is required, not a {type(text).__name__}")
    return len(text)
