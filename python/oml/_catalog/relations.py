"""Transfers data to and from the database: sync(), create(), push(), drop(), dir()."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, overload

from oml._db import connection as db
from oml._db.errors import DatabaseError
from oml._transfer.push import is_column, read, target_types, write
from oml.core._query import ManagedTable, managed_name
from oml.core._sql import quote, quote_relation
from oml.core.frame import DataFrame
from oml.core.series import Series

if TYPE_CHECKING:
    from oml._annotations import AnyColumn

#: pg_class.relkind of relations that a proxy can read.
_READABLE = "'r', 'p', 'f', 'v', 'm'"


def _find(name: str, schema: str | None) -> tuple[str, str, str]:
    """Return schema, name and kind of a relation: an exact match, otherwise folded to lower
    case."""
    for candidate in dict.fromkeys((name, name.lower())):
        sql = (
            "SELECT n.nspname::text, c.relname::text, c.relkind::text FROM pg_catalog.pg_class c "
            "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            f"WHERE c.relkind IN ({_READABLE}) AND c.oid = pg_catalog.to_regclass($1)"
        )
        rows = db.connection().query(sql, (quote_relation(candidate, schema),))[1]
        if rows:
            found: tuple[str, str, str] = rows[0]
            return found
    place = f' in schema "{schema}"' if schema is not None else ""
    raise DatabaseError(f'table or view "{name}" does not exist{place}', "42P01")


@overload
def sync(
    schema: str | None = ...,
    regex_match: Literal[False] = ...,
    table: str | None = ...,
    view: str | None = ...,
    query: str | None = ...,
) -> DataFrame: ...
@overload
def sync(
    schema: str | None = ...,
    *,
    regex_match: Literal[True],
    table: str | None = ...,
    view: str | None = ...,
    query: str | None = ...,
) -> dict[str, DataFrame]: ...
def sync(
    schema: str | None = None,
    regex_match: bool = False,
    table: str | None = None,
    view: str | None = None,
    query: str | None = None,
) -> DataFrame | dict[str, DataFrame]:
    """Return a proxy of a table, view or query.

    Parameters
    ----------
    schema : str, optional
        Schema of the table or view; by default the search path is used.
    regex_match : bool
        The name is a regular expression that is searched for in names.
    table, view, query : str
        Exactly one of them: a name, matched exactly or else in lower case, or a SELECT.

    Returns
    -------
    DataFrame, or dict of name to DataFrame with `regex_match`
        Columns are determined now; rows are read when they are used.

    Raises
    ------
    DatabaseError
        The relation does not exist (42P01), or the user lacks the privilege to read it (42501).

    Examples
    --------
    >>> iris = oml.sync(table="iris")  # doctest: +SKIP
    >>> tables = oml.sync("lab", regex_match=True, table="^iris_")  # doctest: +SKIP
    """
    if sum(name is not None for name in (table, view, query)) != 1:
        raise ValueError("specify one of table, view and query")
    if query is not None:
        if schema is not None or regex_match:
            raise ValueError("query cannot be combined with schema or regex_match")
        return DataFrame._from_query(query.strip().rstrip(";"))
    name = table if table is not None else view
    assert name is not None
    if regex_match:
        return _sync_all(schema, name, "'v', 'm'" if table is None else "'r', 'p', 'f'")
    found_schema, found, _ = _find(name, schema)
    return DataFrame._from_relation(quote_relation(found, found_schema))


def _sync_all(schema: str | None, pattern: str, kinds: str) -> dict[str, DataFrame]:
    sql = (
        "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        f"WHERE c.relkind IN ({kinds}) AND c.relname ~ $1 "
        "AND CASE WHEN $2::text IS NULL THEN n.nspname <> 'pg_catalog' "
        "AND pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = $2 END "
        "AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') "
        "AND pg_catalog.has_table_privilege(c.oid, 'SELECT') ORDER BY 2"
    )
    rows = db.connection().query(sql, (pattern, schema))[1]
    return {name: DataFrame._from_relation(quote_relation(name, place)) for place, name in rows}


def create(
    x: object,
    table: str,
    oranumber: bool = True,
    dbtypes: dict[str, str] | list[str] | None = None,
    append: bool = False,
) -> DataFrame:
    """Write local data to a table and return its proxy.

    Parameters
    ----------
    x : pandas.DataFrame, list of tuples of equal length, or data with `__arrow_c_stream__`
        The columns of a list of tuples are named COL1, COL2, ... Arrow data keeps its types; this
        requires pyarrow.
    table : str
        Name of a new table. This name and the column names are used unchanged, including capitals.
    oranumber : bool
        False: integers and decimals become double precision too (BINARY_DOUBLE in Oracle). Ignored
        for columns in `dbtypes`, and with `append`.
    dbtypes : dict of column to SQL type, or list of SQL types of all columns, optional
        Overrides the types inferred from the values: bigint, double precision, numeric, text,
        bytea, boolean, date, timestamp, timestamptz, interval, uuid, jsonb. Oracle's names are
        accepted. Ignored with `append`.
    append : bool
        Append to an existing table; columns are matched by name.

    Raises
    ------
    ValueError
        A column has no values or values of several types, and is not in `dbtypes`.
    DatabaseError
        The table exists (SQLSTATE 42P07), or with `append` does not exist.

    Examples
    --------
    >>> oml.create(pandas.DataFrame({"ID": [1, 2]}), table="T")  # doctest: +SKIP
    """
    if append:
        schema, found, _ = _find(table, None)
        relation = quote_relation(found, schema)
        data = read(x, None)
        write(data, relation, target_types(data, relation), is_new=False)
    else:
        relation = quote(table)
        data = read(x, dbtypes, oranumber)
        try:
            write(data, relation, data.types, is_new=True)
        except DatabaseError as error:
            if error.sqlstate == "42P07" and not error.hint:
                error.hint = (
                    f'Set append=True to add rows, or drop it first: oml.drop(table="{table}").'
                )
            raise
        schema, found, _ = _find(table, None)
        relation = quote_relation(found, schema)
    return DataFrame._from_relation(relation)


def push(
    x: object, oranumber: bool = True, dbtypes: dict[str, str] | list[str] | None = None
) -> AnyColumn:
    """Write local data to a temporary table and return its proxy.

    The table is dropped with its last proxy, or at the end of the session.

    Parameters
    ----------
    x : pandas.DataFrame, list of tuples; or pandas.Series, one-dimensional array or list of values
    oranumber, dbtypes
        See create().

    Returns
    -------
    DataFrame, or a column if `x` is one
    """
    is_single = is_column(x)
    data = read(x, dbtypes, oranumber)
    name = managed_name()
    relation = f"pg_temp.{quote(name)}"
    write(data, relation, data.types, is_new=True)
    frame = DataFrame._from_relation(relation, (ManagedTable(name),))
    return frame[frame.columns[0]] if is_single else frame


def drop(table: str | None = None, view: str | None = None, model: str | None = None) -> None:
    """Drop a table or a view of the database.

    Raises
    ------
    DatabaseError
        The relation does not exist (SQLSTATE 42P01), or other objects depend on it.
    """
    if sum(name is not None for name in (table, view, model)) != 1:
        raise ValueError("specify one of table, view and model")
    if model is not None:
        raise DatabaseError(f'model "{model}" does not exist in the database', "42704")
    name = table if table is not None else view
    assert name is not None
    schema, found, kind = _find(name, None)
    kinds = {"v": "VIEW", "m": "MATERIALIZED VIEW", "f": "FOREIGN TABLE"}
    statement = kinds.get(kind, "TABLE")
    if (table is None) != (kind in "vm"):
        raise DatabaseError(f'"{name}" is not a {"table" if table else "view"}', "42809")
    db.connection().query(f"DROP {statement} {quote_relation(found, schema)}")


def dir() -> list[str]:
    """Return the names of the proxies in the caller's module."""
    names = sys._getframe(1).f_globals
    return sorted(name for name, value in names.items() if isinstance(value, (DataFrame, Series)))
