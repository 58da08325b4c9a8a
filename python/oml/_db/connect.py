"""connect() and related functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oml._db import connection as db
from oml._db.cursor import Cursor
from oml._db.errors import DatabaseError

if TYPE_CHECKING:
    from oml._db.client import ClientConnection
    from oml._db.targets import Hidden, Target


class Connection:
    """A Python DB-API connection, returned by connect().

    Every statement is committed separately; within a script, with the script's call. As a context
    manager the connection is closed at the end of the block.
    """

    def __init__(self, made: ClientConnection | None = None) -> None:
        self._made = made

    def _meant(self) -> ClientConnection | None:
        return db.current() if self._made is None else self._made

    @property
    def closed(self) -> bool:
        """Whether the connection has been closed; always False inside an engine."""
        meant = self._meant()
        return not db.is_embedded() and (meant is None or meant.is_closed)

    def cursor(self) -> Cursor:
        """Return a new cursor."""
        if self.closed or self._meant() is not db.current():
            raise DatabaseError("the connection is closed: call oml.connect()", "08003")
        return Cursor()

    def commit(self) -> None:
        """Do nothing: statements are committed automatically, or with the script's call."""

    def rollback(self) -> None:
        """Do nothing: a failed statement has already been rolled back."""

    def close(self) -> None:
        """Disconnect; a no-op inside an engine."""
        meant = self._meant()
        if meant is None or meant is db.current():
            disconnect()
        else:
            meant.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if db.is_embedded():
            return "<oml connection of the running script>"
        meant = self._meant()
        if meant is None or meant.is_closed:
            return "<oml connection, closed>"
        return f"<oml connection {meant.place}>"


def connect(
    user: object = None,
    password: str | None = None,
    host: str | None = None,
    port: int | str | None = None,
    sid: str | None = None,
    service_name: str | None = None,
    dsn: object = None,
    encoding: str = "UTF-8",
    nencoding: str = "UTF-8",
    automl: object = None,
    **parameters: object,
) -> Connection:
    """Connect to a database; an existing connection is closed.

    Parameters
    ----------
    user, password, host, port : str, optional
        Parameters not given are taken from libpq's environment variables, .pgpass and service
        files. If `user` is a connection string, a URL or an object, it is used as `dsn`.
    service_name, sid : str, optional
        The database name; at most one of them.
    dsn : str, sqlalchemy.URL or sqlalchemy.Engine, optional
        A connection string of libpq, `"host=db dbname=lab"`, or a URL, `"postgresql://db/lab"` or
        `"postgresql+psycopg://db/lab"`. Other arguments take precedence over its parameters.
    encoding, nencoding, automl
        Accepted for compatibility and not used.
    **parameters
        Further parameters of libpq, such as `service`, `sslmode` and `dbname`.

    Returns
    -------
    Connection
        Closed at the end of a `with` block; without one, when the next connection is opened.

    Raises
    ------
    DatabaseError
        The connection failed. Inside an engine, which always has a connection, this call has no
        effect, and fails if it names another database or user.
    ImportError
        psycopg or libpq is not installed.

    Examples
    --------
    >>> import oml
    >>> oml.connect(user="analyst", host="db", service_name="lab")  # doctest: +SKIP
    >>> with oml.connect("postgresql://analyst@db/lab") as connection:  # doctest: +SKIP
    ...     print(oml.sync(table="iris").shape)
    """
    given = {
        "user": user,
        "password": password,
        "host": host,
        "port": port,
        "sid": sid,
        "service_name": service_name,
        "dsn": dsn,
        **parameters,
    }
    from oml._db.targets import Hidden

    # From here on, tracebacks that show variables do not show passwords.
    target = Hidden({name: value for name, value in given.items() if value not in (None, "")})
    user = password = dsn = given = parameters = None  # type: ignore[assignment]
    return _connect(target)


def _connect(given: Hidden) -> Connection:
    target = _target(given)
    if db.is_embedded():
        _check_same(target)
        return Connection()
    _import_psycopg()
    from oml._db import client

    made = client.open_connection(target)
    disconnect()
    db.set_client(made)
    return Connection(made)


def _target(given: Hidden) -> Target:
    """The libpq parameters that correspond to the arguments of connect()."""
    from oml._db.targets import Hidden, Target, looks_like_dsn, parse

    names = [name for name in ("service_name", "sid", "dbname") if name in given.reveal()]
    if len(names) > 1:
        raise ValueError(f"specify either {names[0]} or {names[1]}, not both")
    arguments = Hidden(dict(given.reveal()))
    if looks_like_dsn(Hidden(arguments.reveal().get("user"))):
        if "dsn" in arguments.reveal():
            raise ValueError("specify either a user or a connection string, not both")
        arguments.reveal()["dsn"] = arguments.reveal().pop("user")
    dsn = Hidden(arguments.reveal().pop("dsn", ""))
    for name in names:
        arguments.reveal()["dbname"] = arguments.reveal().pop(name)
    return Target({**parse(dsn), **arguments.reveal()})


def _import_psycopg() -> None:
    """Raise an error with installation instructions if psycopg or libpq is missing."""
    try:
        import psycopg  # noqa: F401

        return
    except ImportError as error:
        is_missing = isinstance(error, ModuleNotFoundError) and error.name == "psycopg"
        reason = str(error)
    install = 'python -m pip install "psycopg[binary]"'
    if is_missing:
        message = f"oml.connect() needs psycopg 3, which is not installed: {install}"
    elif "libpq" in reason or "pq wrapper" in reason:
        message = (
            "psycopg is installed, but not libpq, PostgreSQL's client library: "
            f"{install} includes it, as does this package with its extra, oml-epe[binary]; "
            "or install libpq itself, for example with apt install libpq5, dnf install libpq or "
            f"brew install libpq ({reason.splitlines()[0]})"
        )
    else:
        message = f"psycopg cannot be imported: {reason}"
    raise ImportError(message, name="psycopg") from None


def _check_same(wanted: Target) -> None:
    """Raise an error if the arguments of connect() differ from the script's connection."""
    import socket

    sql = "SELECT current_database(), current_user, session_user, current_setting('port')"
    database, user, session_user, port = db.connection().query(sql)[1][0]
    here = {"", "localhost", "127.0.0.1", "::1", socket.gethostname()}
    host = str(wanted.get("host", ""))
    is_same = (
        wanted.get("dbname", database) == database
        and wanted.get("user", user) in (user, session_user)
        and (host in here or host.startswith("/"))
        and str(wanted.get("port", port)) == port
    )
    if not is_same:
        raise DatabaseError(
            f'a script uses the connection of its call, to database "{database}" as "{user}",'
            " and cannot connect to another",
            "0A000",
            hint="Call oml.connect() without arguments, or not at all.",
        )


def disconnect(cleanup: bool = True) -> None:
    """Close the connection; a no-op without one, and inside an engine.

    Parameters
    ----------
    cleanup : bool
        Accepted for compatibility: temporary objects are always dropped with the connection.
    """
    current = db.current()
    db.set_client(None)
    if current is not None:
        current.close()


def isconnected(check_automl: bool = False) -> bool:
    """Whether there is a connection; always True while a script runs in an engine.

    Parameters
    ----------
    check_automl : bool
        Accepted for compatibility and not used.
    """
    if db._oml_epe is not None:
        return bool(db._oml_epe.is_connected())
    current = db.current()
    return current is not None and not current.is_closed


def check_embed() -> bool:
    """Whether the connected database can run scripts, that is, has the extension oml_epe."""
    sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'oml_epe')"
    return bool(db.connection().query(sql)[1][0][0])


def cursor() -> Cursor:
    """Return a new cursor of the current connection."""
    return Cursor()
