"""Random selection of rows, repeatable for each run of a query."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oml._db import connection as db
from oml.core._query import ManagedTable, Query, Source, managed_name
from oml.core._sql import quote

if TYPE_CHECKING:
    from oml._annotations import Names

_POSITION = "oml_position"  # position of a row between 0 and 1


def _hash(query: Query, names: Names, seed: int) -> str:
    """A hash of some values of a row, uniformly distributed over the 64-bit integers."""
    columns = ", ".join(query.columns[name].expression for name in query.checked(names))
    return f"pg_catalog.hashtextextended(ROW({columns})::pg_catalog.text, {int(seed)})"


def _share(hashed: str) -> str:
    """A hash as a number in [0, 1)."""
    return f"((({hashed}) & 9007199254740991)::pg_catalog.float8 / 9007199254740992)"


def _positions(
    query: Query, seed: int, columns: tuple[Names, Names], use_hash: bool
) -> tuple[Query, str]:
    """The query over a source that provides a row's position between 0 and 1, and that position."""
    strata, hashed = columns
    source = query.source
    number = _hash(query, hashed, seed)
    if use_hash and strata is None:
        return query, _share(number)
    order = number if use_hash else "pg_catalog.random()"
    strata_names = query.checked(strata) if strata is not None else []
    keys = ", ".join(query.columns[name].expression for name in strata_names)
    partition = f"PARTITION BY {keys} " if keys else ""
    rank = f"pg_catalog.row_number() OVER ({partition}ORDER BY {order})"
    if use_hash:
        # Rows with equal hashed values stay together.
        rank = f"pg_catalog.rank() OVER ({partition}ORDER BY {order})"
    size = f"pg_catalog.count(*) OVER ({partition})"
    position = f"(({rank} - 1)::pg_catalog.float8 / {size})"
    sql = f"SELECT *, {position} AS {quote(_POSITION)} FROM {source.relation} AS t"
    if use_hash:
        return query.over(Source(f"({sql})", source.order, source.tables)), quote(_POSITION)
    connection = db.connection()
    connection.query("SELECT pg_catalog.setseed($1)", (int(seed) % 65536 / 65536,))
    name = managed_name()
    relation = f"pg_temp.{quote(name)}"
    connection.query(f"CREATE TEMPORARY TABLE {relation} AS {sql}")
    tables = (*source.tables, ManagedTable(name))
    return query.over(Source(relation, source.order, tables)), quote(_POSITION)


def _between(query: Query, position: str, first: float, last: float) -> Query:
    condition = f"{position} >= {first!r} AND {position} < {last!r}"
    return query.over(query.source.where(condition))


def split(
    query: Query,
    ratio: Sequence[float],
    seed: int,
    columns: tuple[Names, Names],
    use_hash: bool,
) -> tuple[Query, ...]:
    """Return queries of shares of the rows; `columns` are those of strata and hash."""
    shares = [float(share) for share in ratio]
    if not shares or min(shares) <= 0 or sum(shares) > 1 + 1e-9:
        raise ValueError("ratio must be a list of positive numbers with a sum of at most 1")
    ends = [round(end, 12) for end in itertools.accumulate(shares)]
    placed, position = _positions(query, seed, columns, use_hash)
    return tuple(_between(placed, position, first, last) for first, last in zip([0.0, *ends], ends))


def k_fold(
    query: Query, folds: int, seed: int, columns: tuple[Names, Names], use_hash: bool
) -> list[tuple[Query, Query]]:
    """Return the rows outside and inside of each fold."""
    if folds < 2:
        raise ValueError("n_splits must be at least 2")
    placed, position = _positions(query, seed, columns, use_hash)
    number = f"pg_catalog.floor({position} * {int(folds)})"
    return [
        (
            placed.over(placed.source.where(f"{number} <> {fold}")),
            placed.over(placed.source.where(f"{number} = {fold}")),
        )
        for fold in range(folds)
    ]


def sample(query: Query, share: float | None, count: int | None, seed: int) -> Query:
    """Return sampled rows; ties are equal rows, so their order is irrelevant."""
    hashed = _hash(query, None, seed)
    if count is not None:
        if count < 0:
            raise ValueError("n must not be negative")
        return query.over(query.source.derive(f"ORDER BY {hashed} LIMIT {int(count)}"))
    if share is None or not 0 <= share <= 1 or math.isnan(share):
        raise ValueError("frac must be a number from 0 to 1")
    return query.over(query.source.where(f"{_share(hashed)} < {float(share)!r}"))
