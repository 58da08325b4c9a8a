"""Granting scripts and datastores to other roles."""

from __future__ import annotations

import warnings

from oml._db import connection as db

_TYPES = {"datastore": "datastore", "pyqscript": "script"}


def _call(function: str, name: str, typ: str, user: str | None) -> None:
    db.connection().query(
        f"SELECT pyqsys.{function}($1::pg_catalog.text, $2::pg_catalog.text, $3::pg_catalog.text)",
        (name, typ, user),
    )


def _check_type(typ: str) -> str:
    folded = str(typ).lower()
    if folded not in _TYPES:
        raise ValueError(f"typ must be 'datastore' or 'pyqscript', not {typ!r}")
    return folded


def grant(name: str, typ: str = "datastore", user: str | None = None) -> None:
    """Grant a role read access to a datastore or script of the current user.

    Parameters
    ----------
    name : str
        The datastore or script.
    typ : {'datastore', 'pyqscript'}
        Type of the object.
    user : str, optional
        A role; PUBLIC by default.

    Raises
    ------
    DatabaseError
        SQLSTATE 42704: the object or role does not exist; 55000: the datastore is not grantable.
    """
    _call("pyqgrant", name, _check_type(typ), user)


def revoke(name: str, typ: str = "datastore", user: str | None = None) -> None:
    """Revoke access granted by grant(); a UserWarning if it had not been granted.

    Parameters
    ----------
    name : str
        The datastore or script.
    typ : {'datastore', 'pyqscript'}
        Type of the object.
    user : str, optional
        A role; by default all roles that have been granted access.

    Raises
    ------
    DatabaseError
        SQLSTATE 42704: the datastore, script or role does not exist.
    """
    typ = _check_type(typ)
    is_public = user is None or user.lower() == "public"
    rows = db.connection().query(
        "SELECT current_user::pg_catalog.text,"
        " (SELECT r.rolname::pg_catalog.text FROM pg_catalog.pg_roles AS r"
        "  WHERE r.rolname OPERATOR(pg_catalog.=) ANY (ARRAY[$3::pg_catalog.name,"
        "      pg_catalog.lower($3::pg_catalog.text)::pg_catalog.name])"
        "  ORDER BY r.rolname OPERATOR(pg_catalog.<>) $3::pg_catalog.name LIMIT 1) AS role,"
        " ARRAY(SELECT g.grantee FROM pyqsys.given_grants AS g"
        "       WHERE g.type OPERATOR(pg_catalog.=) $1::pg_catalog.text"
        "           AND g.name OPERATOR(pg_catalog.=) $2::pg_catalog.text)",
        (typ, name, user),
    )[1]
    me, role, grantees = rows[0]
    grantee = "PUBLIC" if is_public else role
    is_granted = len(grantees) > 0 if user is None else grantee in list(grantees)
    if not is_granted and grantee is not None and _exists(name, typ):
        warnings.warn(
            f"User {me} did not grant the read privilege of {_TYPES[typ]} '{name}'"
            f" to user {grantee}.",
            UserWarning,
            stacklevel=2,
        )
        return
    _call("pyqrevoke", name, typ, user)


def _exists(name: str, typ: str) -> bool:
    view = "readable_datastores" if typ == "datastore" else "readable_scripts"
    rows = db.connection().query(
        f"SELECT 1 FROM pyqsys.{view} AS v"
        " WHERE v.is_own AND v.name OPERATOR(pg_catalog.=) $1::pg_catalog.text",
        (name,),
    )[1]
    return bool(rows)
