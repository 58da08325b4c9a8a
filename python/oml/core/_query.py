"""The queries behind proxies: sources of rows, and columns of expressions over them."""

from __future__ import annotations

import itertools
import os
import secrets
import weakref
from collections.abc import Iterable
from typing import NamedTuple

from oml._db import connection as db
from oml.core._sql import quote
from oml.core._types import bare_type, kind_of

#: Types whose values PostgreSQL cannot compare.
_INCOMPARABLE = {"json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"}
#: Types for which all supported versions of PostgreSQL have min().
_WITH_MIN = {
    *("smallint", "integer", "bigint", "real", "double precision", "numeric", "text"),
    *("character varying", "character", "date", "interval", "timestamp without time zone"),
    *("timestamp with time zone", "time without time zone"),
}

_numbers = itertools.count(1)


def managed_name() -> str:
    """Return a new name for a relation managed by this package."""
    return f"oml_{os.getpid()}_{next(_numbers)}_{secrets.token_hex(3)}"


class ManagedTable:
    """A temporary table, or view, that is dropped with the last proxy that reads it.

    Attributes
    ----------
    name : str
    """

    def __init__(
        self, name: str, kind: str = "TABLE", bases: tuple[ManagedTable, ...] = ()
    ) -> None:
        self.name = name
        self._bases = bases  # relations read by a view are dropped after it
        self._finalizer = weakref.finalize(
            self,
            db.discard,
            db.connection(),
            f"DROP {kind} IF EXISTS pg_temp.{quote(name)}",
        )
        self._finalizer.atexit = False  # the end of the session drops it

    def drop(self) -> None:
        """Drop the table now, because filling it failed."""
        self._finalizer()


class Source:
    """An item of FROM: proxies of the same source may be combined.

    Attributes
    ----------
    relation : str
        A quoted name, or a query in parentheses.
    order : tuple of str
        Items of ORDER BY, referring to the relation's columns.
    tables : tuple of ManagedTable
        Kept alive as long as the source.
    """

    def __init__(
        self,
        relation: str,
        order: tuple[str, ...] = (),
        tables: tuple[ManagedTable, ...] = (),
    ) -> None:
        self.relation = relation
        self.order = order
        self.tables = tables

    @property
    def order_by(self) -> str:
        """The ORDER BY clause, empty without an order."""
        return " ORDER BY " + ", ".join(self.order) if self.order else ""

    def derive(self, tail: str) -> Source:
        """Return a source with the same columns: `tail` follows `SELECT * FROM ... AS t`."""
        text = f"(SELECT * FROM {self.relation} AS t {tail})"
        return Source(text, self.order, self.tables)

    def where(self, condition: str) -> Source:
        """Return a source of the rows that satisfy a condition."""
        return self.derive(f"WHERE {condition}")

    def first(self, count: int) -> Source:
        """Return a source of the first rows."""
        return self.derive(f"{self.order_by} LIMIT {max(0, int(count))}")

    def last(self, count: int) -> Source:
        """Return a source of the last rows."""
        skipped = f"(SELECT pg_catalog.count(*) FROM {self.relation} AS s) - {int(count)}"
        return self.derive(f"{self.order_by} OFFSET GREATEST(0, {skipped})")


class Column(NamedTuple):
    """A column: an expression over the rows of a source.

    Attributes
    ----------
    expression : str
        Refers to the source's columns.
    sql_type : str
    """

    expression: str
    sql_type: str

    @property
    def kind(self) -> str:
        """The name of the column's class: Boolean, Integer, Float, String, ..."""
        return kind_of(self.sql_type)

    @property
    def is_number(self) -> bool:
        """Whether the values are integers or fractional numbers."""
        return self.kind in ("Integer", "Float")

    @property
    def present(self) -> str:
        """The expression, with NULL for values that pandas treats as missing."""
        return f"NULLIF({self.expression}, 'NaN')" if self.kind == "Float" else self.expression

    @property
    def is_missing(self) -> str:
        """The condition that the value is missing."""
        return f"({self.present} IS NULL)"

    @property
    def distinct(self) -> str:
        """The expression in a form that PostgreSQL can compare."""
        if bare_type(self.sql_type).removesuffix("[]") in _INCOMPARABLE:
            return f"({self.present})::pg_catalog.text"
        return self.present

    @property
    def least(self) -> str:
        """The aggregate expression for the minimum, for any type."""
        bare = bare_type(self.sql_type)
        if bare in _WITH_MIN or bare.endswith("[]"):
            return f"pg_catalog.min({self.present})"
        if bare == "boolean":
            return f"pg_catalog.bool_and({self.present})"
        return f"(pg_catalog.array_agg({self.present} ORDER BY {self.distinct}))[1]"


class Query(NamedTuple):
    """Columns over the rows of a source, by name: what a frame consists of.

    Operations of frames take and return queries.
    """

    source: Source
    columns: dict[str, Column]

    def select(self, has_order: bool = True, distinct: str = "") -> str:
        """Return the text of the query: without parameters, with all constants quoted."""
        items = ", ".join(
            f"{column.expression} AS {quote(name)}" for name, column in self.columns.items()
        )
        order = self.source.order_by if has_order else ""
        return f"SELECT {distinct}{items} FROM {self.source.relation} AS t{order}"

    def checked(self, names: str | Iterable[str] | None) -> list[str]:
        """Return names of columns; None means all.

        Raises
        ------
        KeyError
            There is no column of that name.
        """
        if names is None:
            return list(self.columns)
        chosen = [names] if isinstance(names, str) else list(names)
        for name in chosen:
            if name not in self.columns:
                raise KeyError(name)
        return chosen

    def over(self, source: Source) -> Query:
        """Return the same columns of other rows."""
        return Query(source, dict(self.columns))

    def nested(self, sql: str, others: tuple[ManagedTable, ...] = ()) -> Query:
        """Return a query of a subquery whose columns have the names of this one's columns."""
        source = Source(f"({sql})", (), (*self.source.tables, *others))
        columns = {name: Column(quote(name), c.sql_type) for name, c in self.columns.items()}
        return Query(source, columns)


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """Return a name that is not among others."""
    names = set(taken)
    name = wanted
    while name in names:
        name += "_"
    return name
