"""Where the rows of proxies come from."""

from __future__ import annotations

import itertools
import os
import secrets
import weakref

from oml import _session
from oml.core._sql import quote

_numbers = itertools.count(1)


def managed_name() -> str:
    """Return a new name for a relation that this package looks after."""
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
        self._bases = bases  # what a view reads goes after it
        self._finalizer = weakref.finalize(
            self,
            _session.discard,
            _session.connection(),
            f"DROP {kind} IF EXISTS pg_temp.{quote(name)}",
        )
        self._finalizer.atexit = False  # the session's end does it

    def drop(self) -> None:
        """Drop the table now: what was to fill it failed."""
        self._finalizer()


class Source:
    """What stands in FROM: proxies of one source may be combined.

    Attributes
    ----------
    relation : str
        A quoted name, or a query in parentheses.
    order : tuple of str
        Items of ORDER BY, in terms of the relation's columns.
    tables : tuple of ManagedTable
        Kept alive for as long as the source is.
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
        """Return a source of the rows for which a condition is true."""
        return self.derive(f"WHERE {condition}")

    def first(self, count: int) -> Source:
        """Return a source of the first rows."""
        return self.derive(f"{self.order_by} LIMIT {max(0, int(count))}")

    def last(self, count: int) -> Source:
        """Return a source of the last rows."""
        skipped = f"(SELECT pg_catalog.count(*) FROM {self.relation} AS s) - {int(count)}"
        return self.derive(f"{self.order_by} OFFSET GREATEST(0, {skipped})")
