"""The connection of a client: psycopg's, with the interface of an engine's connection.

Statements are sent through psycopg's libpq wrapper with the parameter texts that an engine would
send, and results are read by the same rules, so that code behaves the same in both places.
"""

# check_sizes: one class, which has the whole interface of an engine's connection.

from __future__ import annotations

import collections
import contextlib
import functools
import os
import select
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import psycopg
from psycopg import conninfo, pq

from oml._db import copy_messages, text_values
from oml._db.errors import DatabaseError
from oml._db.parameters import parameter
from oml._db.targets import Target

if TYPE_CHECKING:
    from oml._annotations import Parameters, Row

Result = TypeVar("Result")

# Output formats that values are parsed from; a script may have changed the settings.
_STYLES = {b"DateStyle": (b"ISO", "ISO, MDY"), b"IntervalStyle": (b"postgres", "postgres")}
_LONG_BYTES = 1 << 20
_ROWS = {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.SINGLE_TUPLE}
_COPIES = {pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_BOTH}
_FAILED = {pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE}


class _NullCharacterError(ValueError):
    pass


def open_connection(target: Target) -> ClientConnection:
    """Connect as libpq does: parameters not given are taken from its environment.

    Raises
    ------
    DatabaseError
        The connection failed.
    TypeError
        libpq has no such parameter.
    """
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    unknown = [name for name in target if name not in known]
    if unknown:
        raise TypeError(f'connections have no parameter "{unknown[0]}"')
    try:
        return ClientConnection(_connect(target))
    except psycopg.Error as error:
        failure = DatabaseError(str(error).strip(), error.sqlstate or "08001")
    except ValueError as error:  # it may quote the text
        failure = DatabaseError(
            "a connection parameter contains a null character or invalid UTF-8"
            if isinstance(error, (UnicodeError, _NullCharacterError))
            else "a connection parameter has an invalid value",
            "08001",
        )
    raise failure  # without frames whose variables contain the password


def _connect(target: Target) -> psycopg.Connection[Row]:
    if any("\0" in str(value) for value in target.values()):
        raise _NullCharacterError  # libpq would truncate the value there
    text = conninfo.make_conninfo("", **target)
    return psycopg.connect(
        text, autocommit=True, client_encoding="UTF8", fallback_application_name="oml"
    )


def _show_notice(diagnostic: psycopg.errors.Diagnostic) -> None:
    """Print output of a script; warnings of the server become Python warnings."""
    message = diagnostic.message_primary or ""
    if diagnostic.sqlstate == "00EPE":  # progress of a call: for oml.embed
        return
    if diagnostic.severity_nonlocalized == "WARNING":
        warnings.warn_explicit(message, UserWarning, "PostgreSQL", 0)
    else:
        print(message, file=sys.stdout, flush=True)


class ClientConnection:
    """A connection to a server, in autocommit mode.

    Attributes
    ----------
    psycopg : psycopg.Connection
        The underlying connection.
    """

    is_embedded: Literal[False] = False

    def __init__(self, connected: psycopg.Connection[Row]) -> None:
        self.psycopg = connected
        connected.add_notice_handler(_show_notice)
        self._pgconn = connected.pgconn
        self._process = os.getpid()
        self._discarded: collections.deque[str] = collections.deque()
        self._type_names: dict[tuple[int, int], str] = {}  # by OID and modifier
        self._types: dict[int, text_values.ColumnType] = dict(text_values.BUILT_IN)
        self._has_batches: bool | None = None

    @property
    def place(self) -> str:
        """Database, server and user, for messages."""
        info = self.psycopg.info
        return f'to database "{info.dbname}" on {info.host}:{info.port} as "{info.user}"'

    # ---------------------------------------------------------------------------- statements

    def query(
        self, sql: str, parameters: Parameters = ()
    ) -> tuple[list[tuple[str, str]] | None, list[Row], int]:
        """Run one statement; `parameters` are the values of $1, $2, ...

        Raises
        ------
        DatabaseError
            The statement failed.
        """
        with self._exclusive():
            return self._query(sql, parameters)

    def query_raw(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Run a query as query() does; return its rows in PostgreSQL's binary format."""
        with self._exclusive():
            result = self._execute(sql, parameters, pq.Format.BINARY)
            get, columns = result.get_value, range(result.nfields)
            return [tuple(get(row, column) for column in columns) for row in range(result.ntuples)]

    def _query(
        self, sql: str, parameters: Parameters = ()
    ) -> tuple[list[tuple[str, str]] | None, list[Row], int]:
        result = self._execute(sql, parameters)
        if result.status not in _ROWS:
            return None, [], result.command_tuples or 0
        return self._description(result), self._rows(result), result.ntuples

    def _execute(
        self, sql: str, parameters: Parameters = (), result_format: int = pq.Format.TEXT
    ) -> pq.abc.PGresult:
        self._send(sql, parameters, result_format)
        result = self._finish()
        if result.status in _COPIES:
            raise DatabaseError("query() does not support COPY to or from the client", "0A000")
        return result

    def _send(self, sql: str, parameters: Parameters, result_format: int = pq.Format.TEXT) -> None:
        command = sql.encode()
        if b"\0" in command:
            raise DatabaseError("an SQL statement cannot contain a null character", "22021")
        values: list[bytes | None] = []
        types: list[int] = []
        formats: list[int] = []
        for value in parameters:
            text, type_name = parameter(value)[:2]
            if isinstance(text, (bytes, bytearray, memoryview)):
                values.append(bytes(text))
                types.append(17)
                formats.append(pq.Format.BINARY)
                continue
            if text is not None and "\0" in text:
                raise DatabaseError("an SQL parameter cannot contain a null character", "22021")
            values.append(None if text is None else text.encode())
            types.append(text_values.PARAMETER_TYPES[type_name])
            formats.append(pq.Format.TEXT)
        # In nonblocking mode libpq would move the unsent rest of a large message after each piece.
        is_long = sum(len(value) for value in values if value is not None) > _LONG_BYTES
        try:
            if is_long:
                self._pgconn.nonblocking = 0
            self._pgconn.send_query_params(command, values, types, formats, result_format)
        except psycopg.Error as error:
            raise DatabaseError(str(error).strip(), "08006") from None
        finally:
            if is_long:
                self._pgconn.nonblocking = 1

    # ------------------------------------------------------------------------------- waiting

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Lock the connection; Ctrl-C cancels the statement on the server."""
        if self.psycopg.closed:
            raise DatabaseError("the connection is closed: call oml.connect()", "08003")
        with self.psycopg.lock:
            try:
                self._restore_styles()
                self._drop_discarded()
                yield
            except psycopg.Error as error:
                failure = DatabaseError(str(error).strip(), error.sqlstate or "08006")
            except BaseException:  # KeyboardInterrupt, or an exception of the caller's function
                self._cancel_and_drain()
                raise
            else:
                return
            raise failure

    def _restore_styles(self) -> None:
        for name, (expected, value) in _STYLES.items():
            if not (self._pgconn.parameter_status(name) or expected).startswith(expected):
                with contextlib.suppress(DatabaseError):
                    self._execute(f"SET {name.decode()} TO {value}")

    def _wait(self, is_writing: bool = False) -> None:
        """Wait for the socket; signals can interrupt the wait."""
        poll = select.poll() if hasattr(select, "poll") else None
        if poll is None:  # Windows
            select.select([self._pgconn.socket], [self._pgconn.socket] if is_writing else [], [])
            return
        poll.register(self._pgconn.socket, select.POLLIN | (select.POLLOUT if is_writing else 0))
        poll.poll()

    def _await_result(self) -> Any:  # PGresult or None: the caller knows whether one must follow
        """Return the next result, None after the last."""
        pgconn = self._pgconn
        while pgconn.flush():
            self._wait(is_writing=True)
            pgconn.consume_input()
        while pgconn.is_busy():
            self._wait()
            pgconn.consume_input()
        return pgconn.get_result()

    def _finish(self) -> pq.abc.PGresult:
        """Return the result of a completed statement; raise if it is an error."""
        result = self._await_result()
        if result.status in _COPIES:
            self._cancel_and_drain()
        while (further := self._await_result()) is not None:
            if further.status in _FAILED:  # the commit of the statement failed
                result = further
        return _checked(result)

    def _cancel_and_drain(self) -> None:
        """Cancel the running statement and read its results, so that the connection can be
        reused.

        A second Ctrl-C meanwhile closes the connection.
        """
        if self._pgconn.transaction_status != pq.TransactionStatus.ACTIVE:
            return
        try:
            self._pgconn.get_cancel().cancel()
            while (result := self._await_result()) is not None:
                if result.status == pq.ExecStatus.COPY_IN:
                    self._pgconn.put_copy_end(b"cancelled")
                elif result.status == pq.ExecStatus.COPY_OUT:
                    while self._pgconn.get_copy_data(0)[0] > 0:
                        pass
        except BaseException:
            self.psycopg.close()
            raise

    # ------------------------------------------------------------------------------- results

    def _rows(self, result: pq.abc.PGresult) -> list[Row]:
        count = result.ntuples
        if result.nfields == 0:
            return [()] * count
        columns = []
        get = result.get_value
        for number in range(result.nfields):
            load = self._column_type(result.ftype(number)).load
            texts = (get(row, number) for row in range(count))
            columns.append([None if text is None else load(text) for text in texts])
        return list(zip(*columns))

    def _description(self, result: pq.abc.PGresult) -> list[tuple[str, str]] | None:
        return [
            (
                (result.fname(number) or b"").decode(),
                self._type_name(result.ftype(number), result.fmod(number)),
            )
            for number in range(result.nfields)
        ] or None

    def _type_name(self, oid: int, modifier: int) -> str:
        if modifier < 0 and oid in text_values.NAMES:
            return text_values.NAMES[oid]
        if (oid, modifier) not in self._type_names:
            row = self._catalog("SELECT pg_catalog.format_type($1::oid, $2)", (oid, modifier))
            self._type_names[oid, modifier] = (row[0][0] or b"").decode()
        return self._type_names[oid, modifier]

    def _catalog(self, sql: str, parameters: Parameters) -> list[tuple[bytes | None, ...]]:
        result = self._execute(sql, parameters)
        return [
            tuple(result.get_value(row, column) for column in range(result.nfields))
            for row in range(result.ntuples)
        ]

    def _column_type(self, oid: int) -> text_values.ColumnType:
        """Return the reader of a type; types that are not built in are looked up in the catalog."""
        if oid not in self._types:
            self._types[oid] = self._look_up_type(oid)
        return self._types[oid]

    def _look_up_type(self, oid: int) -> text_values.ColumnType:
        facts = self._catalog(
            "SELECT t.typtype, t.typbasetype, t.typrelid, t.typelem, e.typdelim, "
            "t.typlen = -1 AND t.typcategory = 'A', t.typname, (SELECT x.extname "
            "FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid "
            "WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid "
            "AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass "
            "AND d.deptype = 'e') "
            "FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem "
            "WHERE t.oid = $1::oid",
            (oid,),
        )
        if not facts:
            return text_values.BUILT_IN[25]
        kind, base, relation, element, delimiter, is_array, name, extension = facts[0]
        if kind == b"d":
            return self._column_type(int(base or 0))
        if kind == b"c":
            fields = self._catalog(
                "SELECT attname, atttypid FROM pg_catalog.pg_attribute WHERE attrelid = $1::oid "
                "AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                (int(relation or 0),),
            )
            return text_values.ColumnType(
                text_values.record_loader(
                    [((name or b"").decode(), self._column_type(int(t or 0))) for name, t in fields]
                ),
                "O",
            )
        if is_array == b"t":
            separator = (delimiter or b",").decode()
            return text_values.ColumnType(
                text_values.array_loader(self._column_type(int(element or 0)), separator), "O"
            )
        return text_values.OF_EXTENSIONS.get(
            (extension or b"", name or b""), text_values.BUILT_IN[25]
        )

    # ---------------------------------------------------------------------------------- COPY

    def describe(self, sql: str) -> list[tuple[str, int]]:
        """Return the names and type OIDs of a query's columns, without running it."""
        with self._exclusive():
            self._pgconn.send_prepare(b"", sql.encode())
            self._finish()
            self._pgconn.send_describe_prepared(b"")
            result = self._finish()
            return [
                ((result.fname(number) or b"").decode(), result.ftype(number))
                for number in range(result.nfields)
            ]

    def column_type(self, oid: int) -> text_values.ColumnType:
        """Return the readers of column texts."""
        if oid not in self._types:
            with self._exclusive():
                return self._column_type(oid)
        return self._types[oid]

    def copy_out(self, sql: str, consume: Callable[[list[bytes]], None]) -> None:
        """Run COPY ... TO STDOUT and pass its messages on, in lists of several.

        Raises
        ------
        DatabaseError
            The statement failed.
        """
        with self._exclusive():
            self._send(sql, ())
            self._start(pq.ExecStatus.COPY_OUT)
            copy_messages.read(self._pgconn, self._wait, consume)
            self._finish()

    def fetch_each(
        self, sql: str, parameters: Parameters, consume: Callable[[bytes], None]
    ) -> None:
        """Run a query of one bytea column and pass its values on as they arrive.

        Raises
        ------
        DatabaseError
            The statement failed.
        """
        with self._exclusive():
            self._send(sql, parameters, pq.Format.BINARY)
            self._pgconn.set_single_row_mode()
            failed = None
            while (result := self._await_result()) is not None:
                if result.status == pq.ExecStatus.SINGLE_TUPLE:
                    value = result.get_value(0, 0)
                    result.clear()
                    consume(value or b"")
                elif result.status in _FAILED:
                    failed = result
            if failed is not None:
                _checked(failed)

    def has_batches(self) -> bool:
        """Return whether the server supports batches of columns: extension version 1.1 or later."""
        if self._has_batches is None:
            asked = (
                "SELECT pg_catalog.has_function_privilege("
                "pg_catalog.to_regprocedure('pyqsys.query_batches(text,boolean)'), 'EXECUTE')"
            )
            self._has_batches = self.query(asked)[1][0][0] is True
        return self._has_batches

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Run statements atomically."""
        is_outer = self._pgconn.transaction_status == pq.TransactionStatus.IDLE
        self.query("BEGIN" if is_outer else "SAVEPOINT oml_statements")
        try:
            yield
        except BaseException:
            if not self.is_closed:
                self.query("ROLLBACK" if is_outer else "ROLLBACK TO oml_statements")
            raise
        self.query("COMMIT" if is_outer else "RELEASE oml_statements")

    def copy_in(self, sql: str, blocks: Iterator[bytes]) -> None:
        """Run COPY ... FROM STDIN with the bytes of an iterator."""
        with self._exclusive():
            self._send(sql, ())
            self._start(pq.ExecStatus.COPY_IN)
            # If the server rejects the data, its error response gives the reason.
            with contextlib.suppress(psycopg.Error):
                for block in blocks:
                    self._put(functools.partial(self._pgconn.put_copy_data, block))
                self._put(self._pgconn.put_copy_end)
            self._finish()

    def _start(self, wanted: pq.ExecStatus) -> None:
        """Read the response to COPY, which must start the data transfer."""
        result = self._await_result()
        if result.status in _FAILED:
            while self._await_result() is not None:
                pass
            _checked(result)
        if result.status != wanted:
            self._cancel_and_drain()
            raise DatabaseError("expected COPY FROM STDIN or COPY TO STDOUT", "42601")

    def _put(self, put: Callable[[], int]) -> None:
        while not put():
            self._wait(is_writing=True)
            self._pgconn.consume_input()
            self._pgconn.flush()
        while self._pgconn.flush():
            self._wait(is_writing=True)
            self._pgconn.consume_input()

    # ------------------------------------------------------------------------------ clean-up

    def discard(self, statement: str) -> None:
        """Run a statement when the connection is idle; errors are ignored."""
        if os.getpid() != self._process:  # copy in a forked child
            return
        self._discarded.append(statement)
        if not self.psycopg.closed and self.psycopg.lock.acquire(blocking=False):
            try:
                self._drop_discarded()
            finally:
                self.psycopg.lock.release()

    def _drop_discarded(self) -> None:
        while self._discarded:
            with contextlib.suppress(DatabaseError, psycopg.Error):
                self._execute(self._discarded.popleft())

    @property
    def is_closed(self) -> bool:
        """Whether the connection is unusable."""
        return bool(self.psycopg.closed)

    def close(self) -> None:
        """End the session."""
        self.psycopg.close()


def _checked(result: pq.abc.PGresult) -> pq.abc.PGresult:
    """Return a result that is not an error."""
    if result.status not in _FAILED:
        return result

    def field(code: pq.DiagnosticField) -> str:
        return (result.error_field(code) or b"").decode(errors="replace")

    message = field(pq.DiagnosticField.MESSAGE_PRIMARY)
    raise DatabaseError(
        message or result.error_message.decode(errors="replace").strip(),
        field(pq.DiagnosticField.SQLSTATE) or "08006",
        field(pq.DiagnosticField.MESSAGE_DETAIL),
        field(pq.DiagnosticField.MESSAGE_HINT),
        field(pq.DiagnosticField.CONTEXT),
    )
