"""connect() and its relatives."""

from __future__ import annotations

from typing import Any

from oml import _session
from oml._cursor import Cursor
from oml._errors import DatabaseError


def connect(
    user: str | None = None,
    password: str | None = None,
    host: str | None = None,
    port: int | str | None = None,
    sid: str | None = None,
    service_name: str | None = None,
    dsn: str | None = None,
    encoding: str = "UTF-8",
    nencoding: str = "UTF-8",
    automl: Any = None,
) -> None:
    """Connect to a database; an existing connection is closed.

    Parameters
    ----------
    user, password, host, port : str, optional
        What is missing comes from libpq's environment, .pgpass and service files.
    service_name, sid : str, optional
        The database's name; one of them at most.
    dsn : str, optional
        A connection string of libpq, `"host=db dbname=lab"`, or a URI, `"postgresql://db/lab"`.
        The other arguments come before what it says.
    encoding, nencoding, automl
        Accepted for compatibility and not used.

    Raises
    ------
    DatabaseError
        The connection failed. Inside an engine, where there always is a connection, this call
        changes nothing, and fails when it names another database or user.

    Examples
    --------
    >>> import oml
    >>> oml.connect(user="analyst", host="db", service_name="lab")  # doctest: +SKIP
    """
    if sid is not None and service_name is not None:
        raise ValueError("give a service_name or a sid, not both")
    parameters: dict[str, Any] = {
        "user": user,
        "password": password,
        "host": host,
        "port": port,
        "dbname": service_name if service_name is not None else sid,
    }
    # Oracle's notebooks give "" for what is not needed.
    parameters = {name: value for name, value in parameters.items() if value not in (None, "")}
    if _session.is_embedded():
        _check_same({**_parse(dsn or ""), **parameters})
        return
    from oml import _client

    made = _client.open_connection(dsn, **parameters)
    disconnect()
    _session.set_client(made)


def _parse(dsn: str) -> dict[str, Any]:
    """The parts of a connection string; an engine may have no psycopg to ask."""
    import re
    import urllib.parse

    if "://" in dsn:
        parts = urllib.parse.urlsplit(dsn)
        found = {
            "user": parts.username,
            "host": parts.hostname,
            "port": parts.port,
            "dbname": parts.path.lstrip("/"),
            **dict(urllib.parse.parse_qsl(parts.query)),
        }
        return {name: urllib.parse.unquote(str(value)) for name, value in found.items() if value}
    items = re.findall(r"(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S+))", dsn)
    return {name: re.sub(r"\\(.)", r"\1", quoted or bare) for name, quoted, bare in items}


def _check_same(wanted: dict[str, Any]) -> None:
    """Fail unless what connect() names is the connection that the script has."""
    import socket

    sql = "SELECT current_database(), current_user, session_user, current_setting('port')"
    database, user, session_user, port = _session.connection().query(sql)[1][0]
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
            f'a script has the connection of its call, to database "{database}" as "{user}",'
            " and cannot connect to another",
            "0A000",
            hint="Call oml.connect() without arguments, or not at all.",
        )


def disconnect(cleanup: bool = True) -> None:
    """End the connection; nothing happens without one, and inside an engine.

    Parameters
    ----------
    cleanup : bool
        Accepted for compatibility: temporary objects go with the connection in any case.
    """
    current = _session.current()
    _session.set_client(None)
    if current is not None:
        current.close()


def isconnected(check_automl: bool = False) -> bool:
    """Whether there is a connection: always, while a script runs in an engine.

    Parameters
    ----------
    check_automl : bool
        Accepted for compatibility and not used.
    """
    if _session._oml_epe is not None:
        return bool(_session._oml_epe.is_connected())
    current = _session.current()
    return current is not None and not current.is_closed


def check_embed() -> bool:
    """Whether the database of the connection can run scripts: extension oml_epe is there."""
    sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'oml_epe')"
    return bool(_session.connection().query(sql)[1][0][0])


def cursor() -> Cursor:
    """Return a new cursor of the current connection."""
    return Cursor()
