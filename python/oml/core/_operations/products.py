"""Products of frames as matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oml._db import connection as db
from oml.core._query import Column, Query, Source

if TYPE_CHECKING:
    import pandas

_FLOAT = "pg_catalog.float8"


def _numbers(query: Query) -> list[str]:
    for name, column in query.columns.items():
        if not column.is_number:
            raise TypeError(f'column "{name}" is not numeric')
    return [f"({column.present})::{_FLOAT}" for column in query.columns.values()]


def _sums(left: Query, right: Query, skipna: bool) -> str:
    """The query of the sums of products of each column of one query with each of the other, which
    has the same rows: one array."""
    products = [f"{one} * {other}" for one in _numbers(left) for other in _numbers(right)]
    sums = [f"COALESCE(pg_catalog.sum({each}), 0)" for each in products]
    if not skipna:
        sums = [
            f"CASE WHEN pg_catalog.count({each}) = pg_catalog.count(*) THEN {total} END"
            for each, total in zip(products, sums)
        ]
    # An array, because a query can have at most 1664 columns.
    return f"SELECT ARRAY[{', '.join(sums)}] AS a FROM {left.source.relation} AS t"


def product(left: Query, right: Query, skipna: bool) -> Query:
    """Return the product with one row per element; see DataFrame.t_dot()."""
    sql, width = _sums(left, right, skipna), len(right.columns)
    names = {"ROWID": "bigint", "COLID": "bigint", "VALUE": "double precision"}
    source = Source(
        f'(SELECT (o.n - 1) / {width} + 1 AS "ROWID", (o.n - 1) % {width} + 1 AS "COLID", '
        f'o.v AS "VALUE" FROM ({sql}) AS p '
        "CROSS JOIN LATERAL pg_catalog.unnest(p.a) WITH ORDINALITY AS o(v, n))",
        ('"ROWID"', '"COLID"'),
        left.source.tables,
    )
    return Query(source, {name: Column(f'"{name}"', kind) for name, kind in names.items()})


def pulled_product(left: Query, right: Query, skipna: bool) -> pandas.DataFrame:
    """Return the product as a matrix."""
    import numpy
    import pandas

    names = list(left.columns)
    found = list(db.connection().query(_sums(left, right, skipna))[1][0][0])
    values = numpy.array([numpy.nan if v is None else v for v in found], "float64")
    return pandas.DataFrame(
        values.reshape(len(names), -1), index=names, columns=list(right.columns)
    )
