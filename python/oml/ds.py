"""Datastores: named stores of Python objects in the database.

    oml.ds.save({"model": model}, "models", description="of today", append=True)
    oml.ds.load("models", objs=["model"], to_globals=False)["model"]

A datastore belongs to the role that saves it. Saving is part of the transaction; several sessions
and engines may append to one datastore at the same time.
"""

from __future__ import annotations

import contextlib
import json
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from oml._catalog import trust
from oml._catalog.listing import Listing, is_meant
from oml._db import connection as db
from oml._db.errors import DatabaseError
from oml._transfer import pickles

if TYPE_CHECKING:
    import pandas

    from oml._annotations import Buffer, CellValue, Reduced, UserObject
    from oml.core._base import BaseFrame
    from oml.core.frame import DataFrame

_PIECE_BYTES = 8 << 20  # a multiple of 64
_NAME_LENGTH = 128


class _Store(NamedTuple):
    id: uuid.UUID
    owner: str
    name: str
    is_trusted: bool


# ------------------------------------------------------------------------------------- saving


def _check_name(name: object, kind: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"the name of {kind} must be a str, not {type(name).__name__}")
    if not 0 < len(name) <= _NAME_LENGTH:
        raise ValueError(f"the name of {kind} must have 1 to {_NAME_LENGTH} characters")


def _measures(value: UserObject) -> dict[str, str | int]:
    """Class, length, rows and columns of an object, as shown by the views."""
    cls = type(value)
    path = f"{cls.__module__}.{cls.__qualname__}"
    shown: dict[str, str | int] = {"class": cls.__qualname__, "length": 1, "nrow": 1, "ncol": 1}
    if path in ("pandas.core.frame.DataFrame", "pandas.DataFrame", "oml.core.frame.DataFrame"):
        is_proxy = path.startswith("oml.")
        shown["class"] = "oml.DataFrame" if is_proxy else "pandas.core.frame.DataFrame"
        shown["length"] = shown["nrow"] = len(value)
        shown["ncol"] = len(value.columns)
    elif cls.__module__.partition(".")[0] == "oml":
        shown["class"] = f"oml.{cls.__qualname__}"
    elif isinstance(value, (list, dict)):
        shown["length"] = shown["ncol"] = len(value)
    return shown


class _Rows:
    """For a proxy of a temporary table, which ends with its session, the rows themselves."""

    def __init__(self, proxy: BaseFrame) -> None:
        self._frame = proxy.pull()
        self._types = {name: column.sql_type for name, column in proxy._columns.items()}

    def __reduce__(self) -> Reduced:
        return _push, (self._frame, self._types)


def _push(frame: pandas.DataFrame, types: dict[str, str]) -> DataFrame:
    from oml._catalog.relations import push

    proxy: DataFrame = push(frame, dbtypes=types)
    return proxy


def _lasting(value: UserObject) -> UserObject:
    """The object to pickle in place of a given one."""
    path = f"{type(value).__module__}.{type(value).__qualname__}"
    return _Rows(value) if path == "oml.core.frame.DataFrame" and value._is_temporary else value


def _write(
    connection: db.Connection, number: uuid.UUID, parts: Sequence[memoryview], packs: bool
) -> int:
    """Store the pieces of an object; return their size."""
    size = 0
    for place, piece in enumerate(pickles.cut(parts, _PIECE_BYTES)):
        stored = pickles.compress(piece) if packs else piece
        size += len(stored)
        connection.query(
            "SELECT pyqsys.datastore_write($1::pg_catalog.uuid, $2::pg_catalog.int4,"
            " $3::pg_catalog.bytea)",
            (number, place, stored),
        )
    return size


def save(
    objs: Mapping[str, UserObject],
    name: str,
    description: str = " ",
    grantable: bool | None = None,
    overwrite: bool = False,
    append: bool = False,
    compression: bool = False,
) -> None:
    """Save objects in a datastore of the current user.

    Parameters
    ----------
    objs : dict of str to object
        The objects by name. They are pickled.
    name : str
        The datastore: 1 to 128 characters, case-sensitive.
    description : str
        Description of the datastore; ignored when `append` adds to an existing one.
    grantable : bool, optional
        Whether read access can be granted to other roles by oml.grant(); ignored like
        `description`.
    overwrite : bool
        Replace an existing datastore.
    append : bool
        Add to an existing datastore; objects replace those with the same name.
    compression : bool
        Compress the pickles; not useful for arrays of numbers.

    Raises
    ------
    DatabaseError
        SQLSTATE 42710: the datastore exists, and neither `overwrite` nor `append` is true.
    """
    _check_name(name, "a datastore")
    if overwrite and append:
        raise ValueError("overwrite and append exclude each other")
    if not isinstance(objs, Mapping):
        raise TypeError(f"objs must be a dict of names and objects, not {type(objs).__name__}")
    for each in objs:
        _check_name(each, "an object")
    connection = db.connection()
    if not overwrite and not append and _names(name):
        raise DatabaseError(
            f'datastore "{name}" already exists',
            "42710",
            hint="Pass append=True to add to it, or overwrite=True to replace it.",
        )
    # Pickling errors are raised before anything is written.
    pickled = {each: pickles.dump(_lasting(value)) for each, value in objs.items()}
    records: list[dict[str, CellValue]] = [
        {"name": each, "object": str(uuid.uuid4()), "is_compressed": bool(compression)}
        for each in objs
    ]
    mode = "overwrite" if overwrite else "append" if append else "create"
    with _together(connection, records):
        for record in records:
            each = str(record["name"])
            parts = pickled.pop(each)
            record["parts"] = [part.nbytes for part in parts]
            record["size"] = _write(
                connection, uuid.UUID(str(record["object"])), parts, bool(compression)
            )
            record.update(_measures(objs[each]))
        connection.query(
            "SELECT pyqsys.datastore_save($1::pg_catalog.text, $2::pg_catalog.jsonb,"
            " $3::pg_catalog.text, $4::pg_catalog.text, $5::pg_catalog.bool)",
            (name, json.dumps(records), mode, (description or "").strip() or None, bool(grantable)),
        )


@contextlib.contextmanager
def _together(
    connection: db.AnyConnection, records: Sequence[Mapping[str, CellValue]]
) -> Iterator[None]:
    """Make the statements of a save atomic if the connection supports it; otherwise clean up.

    In both cases the objects become visible together, when the last statement adds them.
    """
    if hasattr(connection, "transaction"):
        with connection.transaction():
            yield
        return
    try:
        yield
    except BaseException:
        for record in records:
            with contextlib.suppress(DatabaseError):
                connection.query(
                    "SELECT pyqsys.datastore_discard($1::pg_catalog.uuid)",
                    (uuid.UUID(record["object"]),),
                )
        raise


# ------------------------------------------------------------------------------------- loading


def _names(name: str | None = None) -> list[str]:
    """Names of the current user's datastores: all, or only the given one if it exists."""
    sql = "SELECT d.name FROM pyqsys.readable_datastores AS d WHERE d.is_own"
    if name is None:
        rows = db.connection().query(sql)[1]
    else:
        sql += " AND d.name OPERATOR(pg_catalog.=) $1::pg_catalog.text"
        rows = db.connection().query(sql, (name,))[1]
    return sorted(row[0] for row in rows)


def _find(name: str, owner: str | None) -> _Store:
    """The datastore with this name; ValueError if the current user has no such readable
    datastore."""
    if not isinstance(name, str) or not name:
        raise ValueError("the name of the datastore is missing")
    if owner is None:
        condition, parameters = "d.is_own", (name,)
    else:
        # Role names are matched exactly, or else folded like identifiers.
        condition = (
            "d.owner_name OPERATOR(pg_catalog.=) ANY"
            " (ARRAY[$2::pg_catalog.text, pg_catalog.lower($2::pg_catalog.text)])"
        )
        parameters = (name, owner)  # type: ignore[assignment]
    rows = db.connection().query(
        "SELECT d.id, d.owner_name, d.name, d.is_trusted FROM pyqsys.readable_datastores AS d"
        f" WHERE d.name OPERATOR(pg_catalog.=) $1::pg_catalog.text AND {condition}",
        parameters,
    )[1]
    rows.sort(key=lambda row: row[1] != owner)
    if not rows:
        whose = "" if owner is None else f' of role "{owner}"'
        raise ValueError(f'datastore "{name}"{whose} does not exist or is not readable by you')
    return _Store(*rows[0])


def _memory(store: _Store, number: uuid.UUID, is_compressed: bool) -> Buffer:
    """All bytes of an object, in writable memory."""
    connection = db.connection()
    sql = (
        "SELECT p.data FROM pyqsys.readable_pieces AS p"
        " WHERE p.store OPERATOR(pg_catalog.=) $1::pg_catalog.uuid"
        " AND p.object OPERATOR(pg_catalog.=) $2::pg_catalog.uuid ORDER BY p.number"
    )
    if hasattr(connection, "fetch_bytes") and not is_compressed:
        return connection.fetch_bytes(sql, (store.id, number))
    if hasattr(connection, "query_raw"):
        rows = connection.query_raw(sql, (store.id, number))
    else:
        rows = connection.query(sql, (store.id, number))[1]
    pieces = (row[0] for row in rows)
    return pickles.decompress(pieces) if is_compressed else bytearray().join(pieces)


def load(
    name: str,
    objs: str | Sequence[str] | None = None,
    owner: str | None = None,
    to_globals: bool = True,
) -> list[str] | dict[str, UserObject]:
    """Load objects of a datastore.

    Parameters
    ----------
    name : str
        The datastore.
    Names of objects; all by default.
        Names of objects; without, all.
    Owner of the datastore; the current user by default. **Unpickling runs code of the owner** with
    your privileges.
    to_globals : bool
        Bind the objects to their names in the caller's global namespace.

    Returns
    -------
    list of str, or dict
        The names that were bound; if `to_globals` is false, a dict of the objects by name.

    Raises
    ------
    ValueError
        The datastore does not exist or is not readable, or it has no such object.
    DatabaseError
        SQLSTATE 42501: the owner is not trusted, and the script runs inside the server.
    """
    store = _find(name, owner)
    what = f'code in the pickles of datastore "{store.name}"'
    trust.require(store.is_trusted, what, store.owner)
    rows = db.connection().query(
        "SELECT o.name, o.object, o.parts, o.is_compressed FROM pyqsys.readable_objects AS o"
        " WHERE o.store OPERATOR(pg_catalog.=) $1::pg_catalog.uuid ORDER BY o.name",
        (store.id,),
    )[1]
    if objs is not None:
        wanted = [objs] if isinstance(objs, str) else list(objs)
        missing = sorted(set(wanted) - {row[0] for row in rows})
        if missing:
            raise ValueError(f'datastore "{name}" has no object {", ".join(map(repr, missing))}')
        rows = [row for row in rows if row[0] in wanted]
    loaded = {
        each: pickles.load([int(size) for size in parts], _memory(store, number, is_compressed))
        for each, number, parts, is_compressed in rows
    }
    if not to_globals:
        return loaded
    sys._getframe(1).f_globals.update(loaded)
    return list(loaded)


# ---------------------------------------------------------------------------------- looking

_LISTING = Listing(
    "datastore",
    "dstype",
    "pyqsys.readable_datastores",
    {
        "datastore_name": "l.name",
        "object_count": "(SELECT pg_catalog.count(*) FROM pyqsys.readable_objects AS o"
        " WHERE o.store OPERATOR(pg_catalog.=) l.id)",
        "size": "(SELECT COALESCE(pg_catalog.sum(o.size), 0)::pg_catalog.int8"
        " FROM pyqsys.readable_objects AS o WHERE o.store OPERATOR(pg_catalog.=) l.id)",
        "date": "pg_catalog.date_trunc('second', l.created)::pg_catalog.timestamp",
        "description": "l.description",
    },
    "l.owner_name",
    {
        "user": "l.is_own",
        "private": "l.is_own AND NOT l.is_grantable",
        "grantable": "l.is_own AND l.is_grantable",
        "all": "true",
        "granted": "l.is_granted AND NOT l.is_own",
    },
)


def dir(
    name: str | Sequence[str] | None = None, regex_match: bool = False, dstype: str = "user"
) -> pandas.DataFrame:
    """List datastores.

    Parameters
    ----------
    name : str or list of str, optional
        Names, or a regular expression that is searched for in names; all by default.
    regex_match : bool
        Whether `name` is a regular expression.
    dstype : {'user', 'private', 'grantable', 'all', 'granted', 'grant'}
        The current user's datastores; those of them that cannot or can be granted; all readable
        ones; those granted by other roles; or the roles to which the user's datastores are granted.

    Returns
    -------
    pandas.DataFrame
        datastore_name, object_count, size (bytes), date, description; for 'all' and 'granted'
        preceded by the owner; for 'grant' datastore_name and grantee.
    """
    return _LISTING.read(dstype, name, regex_match)


def describe(name: str, owner: str | None = None) -> pandas.DataFrame:
    """List the objects of a datastore.

    Parameters
    ----------
    name : str
        The datastore.
    owner : str, optional
        Owner of the datastore; the current user by default.

    Returns
    -------
    pandas.DataFrame
        object_name, class, size (bytes), length, row_count, col_count.

    Raises
    ------
    ValueError
        The datastore does not exist or is not readable.
    """
    import pandas

    store = _find(name, owner)
    rows = db.connection().query(
        "SELECT o.name, o.class, o.size, o.length, o.nrow, o.ncol"
        " FROM pyqsys.readable_objects AS o"
        " WHERE o.store OPERATOR(pg_catalog.=) $1::pg_catalog.uuid ORDER BY o.name",
        (store.id,),
    )[1]
    columns = ["object_name", "class", "size", "length", "row_count", "col_count"]
    return pandas.DataFrame(rows, columns=columns)


# --------------------------------------------------------------------------------- deleting


def _pairs(
    name: str | Sequence[str], objs: str | Sequence[str] | None, regex_match: bool
) -> list[tuple[str, list[str] | None]]:
    """The objects to delete: names or patterns of datastores, each with those of objects."""
    names = [name] if isinstance(name, str) else list(name)
    if objs is None:
        return [(each, None) for each in names]
    wanted = [objs] if isinstance(objs, str) else list(objs)
    if isinstance(name, str) or (len(names) == 1 and not regex_match):
        return [(names[0], wanted)]
    if not regex_match:
        raise ValueError("objects are deleted from one datastore at a time")
    if len(names) != len(wanted):
        raise ValueError("name and objs must have the same length")
    return [(each, [pattern]) for each, pattern in zip(names, wanted)]


def delete(
    name: str | Sequence[str],
    objs: str | Sequence[str] | None = None,
    regex_match: bool = False,
) -> None:
    """Delete datastores of the current user, or objects of them.

    Parameters
    ----------
    name : str or list of str
        Names of datastores.
    objs : str or list of str, optional
        Names of objects of the one datastore; by default whole datastores are deleted. Objects that
        do not exist are ignored.
    regex_match : bool
        Names are regular expressions that are searched for in the names of datastores and objects.
        A list of datastores and a list of objects of equal length are matched in pairs.

    Raises
    ------
    ValueError
        A datastore does not exist, or the arguments are inconsistent.
    """
    pairs = _pairs(name, objs, regex_match)
    known = _names()
    work: list[tuple[str, list[str] | None]] = []
    for store, patterns in pairs:
        stores = [each for each in known if is_meant(each, [store], regex_match)]
        if not stores:
            raise ValueError(f"you have no datastore {store!r}")
        for each in stores:
            names = patterns
            if patterns is not None and regex_match:
                found = describe(each)["object_name"]
                names = [item for item in found if is_meant(item, patterns, True)]
            work.append((each, names))
    gone = set()
    for each, names in work:
        if each in gone:
            continue
        if names is None:
            gone.add(each)
        db.connection().query(
            "SELECT pyqsys.datastore_delete($1::pg_catalog.text, $2::pg_catalog.text[])",
            (each, names),
        )
