"""Targets of connect(): arguments, connection strings and URLs, with hidden passwords."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from oml._db.errors import DatabaseError

#: Schemes: "postgresql", and SQLAlchemy's "postgresql+psycopg".
_SCHEME = re.compile(r"postgres(?:ql)?(?:\+\w+)?")
#: URLs of any kind, and Oracle's "user/password@host:port/service".
_ANY_URL = re.compile(r"\s*postgres(?:ql)?:|.*://|[^/@]+/.*@[^@]*[:/]", re.DOTALL)
_ANY_SCHEME = re.compile(r"(?:jdbc:)?\w[\w+.-]*")
_PAIR = re.compile(r"\s*\w+\s*=")
_SECRET = re.compile("password|secret", re.IGNORECASE)
_RUN_ON = re.compile(r"[;,&?]\s*\w*(?:password|pwd)\w*=", re.IGNORECASE)
_ONE_PAIR = re.compile(
    r"\s*([A-Za-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*|))(?=\s|$)",
    re.DOTALL,
)


class Hidden:
    """A value that does not appear in messages and tracebacks.

    Parameters
    ----------
    value : object
    """

    __slots__ = ("_get",)

    def __init__(self, value: object) -> None:
        self._get: Callable[[], Any] = lambda: value  # what connect() was given

    def __repr__(self) -> str:
        return "'***'"

    def reveal(self) -> Any:  # of any type
        """Return the value."""
        return self._get()


class Target(Mapping[str, Any]):  # as psycopg.conninfo.make_conninfo() takes them
    """Parameters of libpq by name. repr() and str() hide the password."""

    def __init__(self, parameters: Mapping[str, object]) -> None:
        self._parameters = {
            name: Hidden(value) if _SECRET.search(name) else value
            for name, value in parameters.items()
        }

    def __getitem__(self, name: str) -> Any:  # a text, or as the caller gave it
        value = self._parameters[name]
        return value.reveal() if isinstance(value, Hidden) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __repr__(self) -> str:
        return f"Target({self._parameters})"


def looks_like_dsn(argument: Hidden) -> bool:
    """Whether connect()'s first argument is not a user name."""
    value = argument.reveal()
    if isinstance(value, str):
        return bool(_PAIR.match(value) or _ANY_URL.match(value))
    return value is not None


class _MalformedError(Exception):
    """Holds message and hint. Must not leave this module: its frames contain passwords."""


_URL_HINT = (
    "In a URL, percent-encode the characters :/?#[]@% of a user name or password, by "
    "urllib.parse.quote(password, safe='')."
)
_SCHEME_HINT = "A URL begins with postgresql:// or postgres://."
_PAIRS_HINT = (
    "Write host=db dbname=lab, or a URL, postgresql://db/lab. "
    "Quote values that contain spaces, as in password='a b'; "
    "write ' and \\ as \\' and \\\\ in them."
)


def parse(dsn: Hidden) -> Target:
    """Return the parameters of a connection string, a URL, or an engine or URL of SQLAlchemy's.

    Raises
    ------
    DatabaseError
        The target is malformed: SQLSTATE 08001. The message does not quote it.
    TypeError
        `dsn` has another type.
    """
    try:
        return Target(_parse(dsn.reveal()))
    except _MalformedError as error:
        message, hint = error.args
    raise DatabaseError(message, "08001", hint=hint)


def _parse(dsn: object) -> dict[str, str]:
    value = getattr(dsn, "url", dsn)  # of an engine
    if isinstance(value, str):
        is_url = _ANY_URL.match(value) and not _PAIR.match(value)
        return _parse_url(value.strip()) if is_url else _parse_pairs(value)
    if hasattr(value, "drivername") and hasattr(value, "database"):
        return _of_sqlalchemy(value)
    message = (
        "dsn must be a connection string of libpq, a URL, or an engine or URL of SQLAlchemy's, not "
    )
    message += type(dsn).__name__
    del dsn, value  # it may be a sequence with a password
    raise TypeError(message)


def _of_sqlalchemy(url: Any) -> dict[str, str]:  # an sqlalchemy.URL, or an object like it
    if not _SCHEME.fullmatch(str(url.drivername)):
        raise _MalformedError(
            f'"{url.drivername}" is not the scheme of a PostgreSQL URL', _SCHEME_HINT
        )
    found = {
        "user": url.username,
        "password": url.password,
        "host": url.host,
        "port": url.port,
        "dbname": url.database,
    }
    pairs = [
        (name, each)
        for name, value in dict(url.query).items()
        for each in ([value] if isinstance(value, str) else value)
    ]
    return _with_query({n: str(value) for n, value in found.items() if value is not None}, pairs)


def _parse_url(text: str) -> dict[str, str]:
    """As libpq does, except that the password ends at the last @."""

    def malformed(reason: str) -> _MalformedError:
        return _MalformedError(f"the connection URL is malformed: {reason}", _URL_HINT)

    scheme, separator, rest = text.partition("://")
    if not separator or not _ANY_SCHEME.fullmatch(scheme):
        raise malformed("it does not begin with postgresql://")
    if not _SCHEME.fullmatch(scheme):
        raise _MalformedError(f'"{scheme}" is not the scheme of a PostgreSQL URL', _SCHEME_HINT)
    if "#" in rest:
        raise malformed("it contains a fragment, after #")
    if re.search(r"%(?![0-9A-Fa-f]{2})|%00", rest):
        raise malformed("% is not followed by two hexadecimal digits")
    place, _, query = rest.partition("?")
    authority, _, database = place.partition("/")
    if re.search("[/@]", database):
        raise malformed("its path is not a database name")
    users, _, hosts = authority.rpartition("@")
    user, _, password = users.partition(":")
    found = {"user": user, "password": password, "dbname": database}
    names, ports = [], []
    for each in hosts.split(","):
        match = re.fullmatch(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::(\d*))?", each)
        if match is None:
            raise malformed("the port is not a number")
        names.append(match[1] or match[2] or "")
        ports.append(match[3] or "")
    found["host"] = ",".join(names) if any(names) else ""
    found["port"] = ",".join(ports) if any(ports) else ""
    found = {name: urllib.parse.unquote(value) for name, value in found.items() if value}
    if query and not all("=" in each for each in query.split("&")):
        raise malformed("a parameter after ? has no value")
    return _with_query(found, urllib.parse.parse_qsl(query, keep_blank_values=True))


def _with_query(found: dict[str, str], pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Add the parameters of a query string; several hosts are a list, in SQLAlchemy's syntax."""
    several = [value.partition(":") for name, value in pairs if name == "host"]
    if len(several) > 1:
        pairs = [(name, value) for name, value in pairs if name != "host"]
        pairs.append(("host", ",".join(host for host, _, _ in several)))
        if any(port for _, _, port in several):
            pairs.append(("port", ",".join(port for _, _, port in several)))
    return {**found, **dict(pairs)}


def _parse_pairs(text: str) -> dict[str, str]:
    """Parse "host=db dbname='my lab'", by libpq's rules."""
    found: dict[str, str] = {}
    position = 0
    while text[position:].strip():
        match = _ONE_PAIR.match(text, position)
        if match is None:
            message = "the connection string is malformed: expected a list of name=value"
            raise _MalformedError(message, _PAIRS_HINT)
        name, quoted, bare = match.groups()
        if bare and not _SECRET.search(name) and _RUN_ON.search(bare):
            message = "the connection string is malformed: blanks separate its parameters"
            raise _MalformedError(message, _PAIRS_HINT)
        found[name] = re.sub(r"(?s)\\(.)", r"\1", bare if quoted is None else quoted)
        position = match.end()
    return found
