"""The connection used by all functions of this package.

Inside an engine it is the connection of the calling statement. On a client connect() opens it.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, Union

from oml._db.errors import DatabaseError

if TYPE_CHECKING:
    from oml._annotations import Buffer, Parameters, Row
    from oml._db.client import ClientConnection
    from oml._db.parameters import Written

    T = TypeVar("T")
    #: Either of them: `is_embedded` tells type checkers which one.
    AnyConnection = Union["EmbeddedConnection", ClientConnection]

#: Module of an engine, which makes it; None outside.
_oml_epe: Any
try:
    _oml_epe = importlib.import_module("_oml_epe")
except ImportError:
    _oml_epe = None

#: The columns of a result as (name, SQL type), None for a statement without rows; the rows; and the
#: number of rows returned or affected.
Answer = tuple["list[tuple[str, str]] | None", "list[Row]", int]


class Connection(Protocol):
    """The interface of connections that the package uses."""

    @property
    def is_embedded(self) -> bool:
        """Whether this is the connection of a running script."""
        ...

    @property
    def place(self) -> str:
        """Database, server and user, for messages."""
        ...

    def query(self, sql: str, parameters: Parameters = ()) -> Answer:
        """Run one statement; `parameters` are the values of $1, $2, ...

        Raises
        ------
        DatabaseError
            The statement failed; only its own changes were rolled back.
        """
        ...

    def discard(self, statement: str) -> None:
        """Run a statement when the connection is idle; errors are ignored."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether the connection is unusable."""
        ...

    def close(self) -> None:
        """End the session; a no-op in an engine."""
        ...


class EmbeddedConnection:
    """The connection of the statement that runs the script, in its transaction and as its user."""

    is_embedded: Literal[True] = True
    place = "of the running script"

    def query(self, sql: str, parameters: Parameters = ()) -> Answer:
        answer: Answer = self._run(_oml_epe.execute, sql, parameters)
        return answer

    def fetch_bytes(self, sql: str, parameters: Parameters = ()) -> Buffer:
        """Run a query of one bytea column; return its concatenated values as one buffer.

        The memory is writable, and is not copied.
        """
        memory: Buffer = self._run(_oml_epe.fetch_bytes, sql, parameters)
        return memory

    @staticmethod
    def _run(function: Callable[[str, list[Written]], T], sql: str, parameters: Parameters) -> T:
        from oml._db.parameters import parameter

        _drop_discarded()
        values = [parameter(value) for value in _oml_epe.check_memory(list(parameters))]
        try:
            return function(sql, values)
        except _oml_epe.Error as error:
            failure = DatabaseError(
                str(error), error.sqlstate, error.detail, error.hint, error.context
            )
        raise failure

    def discard(self, statement: str) -> None:
        _discarded.append(statement)

    @property
    def is_closed(self) -> bool:
        return False

    def close(self) -> None:
        pass


_discarded: list[str] = []  # statements not yet run by an engine


def _drop_discarded() -> None:
    while _discarded:
        # Already dropped, in use, or in a read-only transaction: the end of the session drops it.
        with contextlib.suppress(_oml_epe.Error):
            _oml_epe.execute(_discarded.pop(0), [])


def discard(made_by: AnyConnection, statement: str) -> None:
    """Run a statement that drops an object left by a proxy: now, or before the next statement.

    Proxies may be collected at any time, even during a statement: then the statement is only
    queued.
    """
    if made_by.is_embedded:
        _discarded.append(statement)
    elif _client is made_by:
        made_by.discard(statement)


_client: ClientConnection | None = None  # outside an engine: set by connect()


def is_embedded() -> bool:
    """Whether this process is an engine: then scripts have a connection without connect()."""
    return _oml_epe is not None


def is_backend() -> bool:
    """Whether this process is a server process, whose code has the server's privileges."""
    return _oml_epe is not None and bool(_oml_epe.is_backend())


def is_sandboxed() -> bool:
    """Whether this process is a fully sandboxed engine."""
    return _oml_epe is not None and bool(_oml_epe.is_sandboxed())


def connection() -> AnyConnection:
    """Return the current connection.

    Raises
    ------
    DatabaseError
        There is no connection: SQLSTATE 08003.
    """
    if _oml_epe is not None:
        return EmbeddedConnection()
    if _client is None:
        raise DatabaseError("not connected: call oml.connect()", "08003")
    return _client


def current() -> ClientConnection | None:
    """Return the client connection; None without one and in an engine."""
    return _client


def set_client(made: ClientConnection | None) -> None:
    """Make a client's connection the current one."""
    global _client
    _client = made


def quote_identifier(name: str) -> str:
    """Return a name as an SQL identifier, always quoted."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """Return a text as an SQL literal, independent of standard_conforming_strings."""
    quoted = text.replace("'", "''")
    if "\\" not in text:
        return f"'{quoted}'"
    return "E'" + quoted.replace("\\", "\\\\") + "'"
