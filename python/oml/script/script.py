"""Storing, listing and loading scripts."""

from __future__ import annotations

import inspect
import io
import linecache
import textwrap
import types
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oml._catalog import trust
from oml._catalog.listing import Listing
from oml._db import connection as db
from oml._db.errors import DatabaseError

if TYPE_CHECKING:
    import pandas

    from oml._annotations import UserFunction, UserObject


class _Source(io.StringIO):
    """A file object over a script's text; str() returns the text."""

    def __str__(self) -> str:
        return self.getvalue()


class Callable:
    """A stored script; calling it runs it locally.

    Attributes
    ----------
    owner : str
        Its owner, 'pyqsys' for a global script.
    name : str
        Its name.
    """

    def __init__(self, owner: str, name: str, source: str, is_trusted: bool = False) -> None:
        self.owner = owner
        self.name = name
        self._source = source
        self._is_trusted = is_trusted
        self._function: UserFunction | None = None

    def get_source(self) -> io.StringIO:
        """Return a file object over the text; str() returns the text."""
        return _Source(self._source)

    def __call__(self, *arguments: UserObject, **keywords: UserObject) -> UserObject:
        if self._function is None:
            self._function = self._load()
        return self._function(*arguments, **keywords)

    def _load(self) -> UserFunction:
        trust.require(self._is_trusted, f'script "{self.name}"', self.owner)
        return load_function(self.name, self._source)


def load_function(name: str, source: str) -> UserFunction:
    """Run the text of a script; return the function with its name, or else the last one defined."""
    filename = f"<script {name}>"
    lines = source.splitlines(keepends=True)
    linecache.cache[filename] = (len(source), None, lines, filename)
    module = types.ModuleType("oml_script")
    exec(compile(source, filename, "exec", dont_inherit=True), module.__dict__)
    defined: dict[str, UserFunction] = {
        key: value
        for key, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
    }
    if name in defined:
        return defined[name]
    functions = [value for value in defined.values() if not isinstance(value, type)]
    for candidates in (functions, list(defined.values())):
        if candidates:
            return candidates[-1]
    raise ValueError(f"script {name!r} defines no function")


def _source_of(func: UserFunction | Callable | str) -> str:
    if isinstance(func, str):
        return func
    if isinstance(func, Callable):
        return func.get_source().read()
    try:
        return textwrap.dedent(inspect.getsource(func))
    except (OSError, TypeError) as error:
        raise ValueError(f"the source of {func!r} is not available: pass it as a str") from error


def create(
    name: str,
    func: UserFunction | Callable | str,
    is_global: bool = False,
    overwrite: bool = False,
    description: str | None = None,
) -> None:
    """Store a function as a script.

    Parameters
    ----------
    name : str
        1 to 128 characters, case-sensitive; may differ from the function's name.
    func : str, function or Callable
        A function, or the source text of its definition. Only this text is stored.
    is_global : bool
        All roles may read and run it.
    overwrite : bool
        Replace an existing script.
    description : str, optional
        Description of the script.

    Raises
    ------
    DatabaseError
        SQLSTATE 42710: the script exists; 22023: it does not compile, or defines no function;
        42501: the user may not store it.
    """
    db.connection().query(
        "SELECT pyqsys.pyqscriptcreate($1::pg_catalog.text, $2::pg_catalog.text,"
        " $3::pg_catalog.bool, $4::pg_catalog.bool, $5::pg_catalog.text)",
        (name, _source_of(func), bool(is_global), bool(overwrite), description),
    )


def drop(name: str, is_global: bool = False, silent: bool = False) -> None:
    """Drop a script of the current user, or a global one.

    Raises
    ------
    DatabaseError
        SQLSTATE 42704: the script does not exist, unless `silent`.
    """
    db.connection().query(
        "SELECT pyqsys.pyqscriptdrop($1::pg_catalog.text, $2::pg_catalog.bool,"
        " $3::pg_catalog.bool)",
        (name, bool(is_global), bool(silent)),
    )


_LISTING = Listing(
    "pyqscript",
    "sctype",
    "pyqsys.readable_scripts",
    {
        "name": "l.name",
        "script": "l.script",
        "description": "l.description",
        "date": "pg_catalog.date_trunc('second', l.updated)::pg_catalog.timestamp",
    },
    "CASE WHEN l.is_global THEN 'PYQSYS' ELSE l.owner_name END",
    {
        "user": "l.is_own",
        "global": "l.is_global",
        "granted": "l.is_granted AND NOT l.is_own",
        "all": "true",
    },
)


def dir(
    name: str | Sequence[str] | None = None, regex_match: bool = False, sctype: str = "user"
) -> pandas.DataFrame:
    """List scripts.

    Parameters
    ----------
    name : str or list of str, optional
        Names, or a regular expression that is searched for in names; all by default.
    regex_match : bool
        Whether `name` is a regular expression.
    sctype : {'user', 'global', 'all', 'granted', 'grant'}
        The current user's scripts; global ones; all that the user may run; those granted by other
        roles; or the roles to which the user's scripts are granted.

    Returns
    -------
    pandas.DataFrame
        name, script, description, date; for 'all' and 'granted' preceded by the owner; for 'grant'
        name and grantee.
    """
    return _LISTING.read(sctype, name, regex_match)


def load(name: str, owner: str | None = None) -> Callable:
    """Return a script as a callable.

    Parameters
    ----------
    name : str
        The script.
    owner : str, optional
        Owner, 'PYQSYS' for a global script; by default the current user's, otherwise the global
        one.

    Raises
    ------
    DatabaseError
        SQLSTATE 42704: the script does not exist, or the user may not run it.
    """
    sql = (
        "SELECT s.owner_name, s.name, s.script, s.is_trusted, s.is_own"
        " FROM pyqsys.readable_scripts AS s"
        " WHERE s.name OPERATOR(pg_catalog.=) $1::pg_catalog.text AND "
    )
    if owner is None:
        rows = db.connection().query(f"{sql}(s.is_own OR s.is_global)", (name,))[1]
        rows.sort(key=lambda row: not row[4])
    else:
        condition = (
            "s.owner_name OPERATOR(pg_catalog.=) ANY"
            " (ARRAY[$2::pg_catalog.text, pg_catalog.lower($2::pg_catalog.text)])"
        )
        rows = db.connection().query(sql + condition, (name, owner))[1]
        rows.sort(key=lambda row: row[0] != owner)
    if not rows:
        raise DatabaseError(f'script "{name}" does not exist', "42704")
    return Callable(*rows[0][:4])
