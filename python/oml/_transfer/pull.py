"""Query results as pandas frames, the same on a client and in an engine."""

from __future__ import annotations

import collections
import contextlib
import operator
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas

from oml._db import connection as db
from oml._db.errors import DatabaseError
from oml._transfer import batch_reader
from oml._transfer.frames import column_of_values, make_frame
from oml.core._types import bare_type

if TYPE_CHECKING:
    from oml._annotations import Buffer


def pull_frame(sql: str, dtype_backend: str | None = None) -> pandas.DataFrame:
    """Return the rows of a query without parameters.

    Raises
    ------
    DatabaseError
        The query failed.
    """
    connection = db.connection()
    if dtype_backend == "pyarrow":
        return _pull_arrow(sql)
    if dtype_backend is not None or connection.is_embedded:
        return _pull_embedded(connection, sql, dtype_backend is not None)
    from oml._transfer import copy_reader  # no engine needs it

    return copy_reader.pull_frame(connection, sql)


def _pull_arrow(sql: str) -> pandas.DataFrame:
    from oml._transfer import arrow

    arrow.require_pyarrow('dtype_backend="pyarrow"')
    frame: pandas.DataFrame = arrow.Query(sql).read().to_pandas(types_mapper=pandas.ArrowDtype)
    return frame


class Query:
    """A query whose rows can be had as batches, if is_columnar.

    Attributes
    ----------
    names : list of str
    sql : str
        What to ask for batches of.
    """

    def __init__(self, connection: db.AnyConnection, sql: str, prints_others: bool) -> None:
        self.is_columnar = True
        if not connection.is_embedded:
            from oml._transfer import copy_reader

            given = connection.describe(sql)
            self.names = [name for name, _ in given]
            self.sql, self._columns = copy_reader.batch_query(connection, sql, given)
            return
        described = connection.query(f"SELECT * FROM ({sql}\n) AS q LIMIT 0")[0] or []
        self.names = [name for name, _ in described]
        kinds = [batch_reader.KINDS.get(bare_type(sql_type)) for _, sql_type in described]
        self.is_columnar = bool(kinds) and (prints_others or None not in kinds)
        self._columns = [(batch_reader.TEXT if kind is None else kind, None) for kind in kinds]
        self.sql = sql
        if None in kinds:
            items = [
                f"q.{db.quote_identifier(name)}" if kind is not None else _printed(name)
                for name, kind in zip(self.names, kinds)
            ]
            self.sql = f"SELECT {', '.join(items)} FROM ({sql}\n) AS q"

    def reader(self, is_nullable: bool) -> batch_reader.FrameReader:
        """Return what makes the columns of batches."""
        return batch_reader.FrameReader(self._columns, is_nullable)


def _printed(name: str) -> str:
    item = f"q.{db.quote_identifier(name)}"
    return f"CASE WHEN {item} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', {item}) END"


def _pull_embedded(connection: db.AnyConnection, sql: str, is_nullable: bool) -> pandas.DataFrame:
    query = Query(connection, sql, is_nullable)
    if query.is_columnar:
        reader = query.reader(is_nullable)
        try:
            batch_reader.fetch(query.sql, False, reader.add)
        except DatabaseError as error:
            if is_nullable or error.sqlstate not in NO_BATCHES:
                raise
        else:
            return make_frame(query.names, reader.finish(), reader.rows)
    description, rows, _ = connection.query(sql)
    columns = list(zip(*rows)) or [()] * len(description or ())
    return make_frame(
        [name for name, _ in description or ()],
        [
            column_of_values(values, bare_type(sql_type))
            for (_, sql_type), values in zip(description or (), columns)
        ],
        len(rows),
    )


def pull_chunks(sql: str, rows: int, dtype_backend: str | None) -> Chunks:
    """Return the rows of a query as frames of some rows each.

    Raises
    ------
    DatabaseError
        The query failed.
    """
    if not hasattr(rows, "__index__"):
        raise TypeError(f"chunksize must be an integer, not {type(rows).__name__}")
    if isinstance(rows, bool) or operator.index(rows) < 1:
        raise ValueError("chunksize must be at least 1")
    return Chunks(sql, operator.index(rows), dtype_backend)


class Chunks(Iterator[pandas.DataFrame]):
    """The frames of pull(chunksize=...). A cursor of the server holds the rows until the end."""

    def __init__(self, sql: str, rows: int, dtype_backend: str | None) -> None:
        self._connection = db.connection()
        self._rows = rows
        self._is_nullable = dtype_backend is not None
        self._arrow: arrow.Query | None = None
        if dtype_backend == "pyarrow":
            from oml._transfer import arrow

            arrow.require_pyarrow('dtype_backend="pyarrow"')
            self._query: Any = arrow.Query(sql)  # of one of two classes
            self._arrow = self._query
        else:
            self._query = Query(self._connection, sql, True)
        if not self._connection.is_embedded:
            batch_reader.require_batches(self._connection)
        self._cursor = f"oml_chunks_{uuid.uuid4().hex}"
        # On a client the rows outlive the statement, so that others can run in between.
        hold = "" if self._connection.is_embedded else "WITH HOLD "
        decimal = "true" if self._arrow is not None else "false"
        self._connection.query(
            f"DECLARE {self._cursor} NO SCROLL CURSOR {hold}FOR SELECT pyqsys.query_batches("
            f"{db.quote_literal(self._query.sql)}, {decimal})"
        )
        self._is_open = True
        self._is_at_end = False
        self._is_first = True
        self._waiting: collections.deque[tuple[int, list[batch_reader.Column]]] = (
            collections.deque()
        )

    def __iter__(self) -> Chunks:
        return self

    def __enter__(self) -> Chunks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_is_open", False):
            self._is_open = False
            db.discard(self._connection, f"CLOSE {self._cursor}")

    def close(self) -> None:
        """Close the cursor; there are no more frames."""
        self._waiting.clear()
        self._is_at_end = True
        if self._is_open:
            self._is_open = False
            with contextlib.suppress(DatabaseError):  # closed with its transaction or connection
                self._connection.query(f"CLOSE {self._cursor}")

    def _fetch(self) -> bool:
        fetched: list[Buffer] = []
        fetch = f"FETCH 1 FROM {self._cursor}"
        if self._connection.is_embedded:
            fetched.append(self._connection.fetch_bytes(fetch))
        else:
            self._connection.fetch_each(fetch, (), fetched.append)
        batches = [batch for data in fetched for batch in batch_reader.read(data)]
        self._waiting.extend(batches)
        return bool(batches)

    def __next__(self) -> pandas.DataFrame:
        parts: list[tuple[int, list[batch_reader.Column]]] = []
        rows = 0
        while rows < self._rows:
            if not self._waiting and (self._is_at_end or not self._fetch()):
                self.close()
                break
            length, columns = self._waiting.popleft()
            wanted = self._rows - rows
            if length > wanted:
                rest = [batch_reader.cut(column, wanted, length) for column in columns]
                self._waiting.appendleft((length - wanted, rest))
                columns = [batch_reader.cut(column, 0, wanted) for column in columns]
                length = wanted
            parts.append((length, columns))
            rows += length
        if rows == 0 and not self._is_first:
            raise StopIteration
        is_empty, self._is_first = rows == 0, False
        return self._frame(parts) if not is_empty else self._frame([])

    def _frame(self, parts: list[tuple[int, list[batch_reader.Column]]]) -> pandas.DataFrame:
        if self._arrow is not None:
            table = self._arrow.table([columns for _, columns in parts])
            frame: pandas.DataFrame = table.to_pandas(types_mapper=pandas.ArrowDtype)
            return frame
        reader = self._query.reader(self._is_nullable)
        for length, columns in parts:
            reader.add_columns(length, columns)
        return make_frame(self._query.names, reader.finish(), reader.rows)


#: SQLSTATEs raised by servers with an older extension, and by queries that lock rows.
NO_BATCHES = {"42883", "0A000", "22023"}
