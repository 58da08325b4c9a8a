"""The sources of the rows of proxies."""

from __future__ import annotations

import itertools
import os
import secrets
import weakref

from oml._db import connection as db
from oml.core._sql import quote

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
