"""Python DB-API cursors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from oml._db import connection as db
from oml._db.errors import DatabaseError

if TYPE_CHECKING:
    from oml._annotations import Parameters, Row


class Cursor:
    """A Python DB-API cursor: runs statements and fetches their rows.

    Attributes
    ----------
    description : list of tuple or None
        One tuple (name, SQL type, None, None, None, None, None) per column; None without rows.
    rowcount : int
        Rows returned or affected by the last statement, -1 before the first.
    arraysize : int
        Default number of rows for fetchmany().
    """

    arraysize = 1

    def __init__(self) -> None:
        self.description: list[tuple[str, str, None, None, None, None, None]] | None = None
        self.rowcount = -1
        self._rows: list[Row] | None = None
        self._position = 0
        self._is_closed = False

    def execute(self, sql: str, parameters: Parameters = ()) -> Cursor:
        """Run one statement; `parameters` are the values of $1, $2, ... Returns the cursor
        itself."""
        if self._is_closed:
            raise DatabaseError("the cursor is closed", "24000")
        self.description = None
        self._rows = None
        columns, rows, self.rowcount = db.connection().query(sql, parameters)
        self._position = 0
        if columns is not None:
            self.description = [
                (name, kind, None, None, None, None, None) for name, kind in columns
            ]
            self._rows = rows
        return self

    def _fetch(self, count: int) -> list[Row]:
        if self._rows is None:
            raise DatabaseError("there is no result to fetch from", "24000")
        first = self._position
        self._position = min(len(self._rows), first + count)
        return self._rows[first : self._position]

    def fetchone(self) -> Row | None:
        """Return the next row as a tuple, None at the end."""
        rows = self._fetch(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """Return a list of the next rows."""
        return self._fetch(self.arraysize if size is None else size)

    def fetchall(self) -> list[Row]:
        """Return a list of the remaining rows."""
        return self._fetch(len(self._rows or ()))

    def close(self) -> None:
        """Close the cursor and discard the result."""
        self._rows = None
        self._is_closed = True

    def __iter__(self) -> Iterator[Row]:
        while (row := self.fetchone()) is not None:
            yield row

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
