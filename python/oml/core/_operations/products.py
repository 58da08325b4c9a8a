"""Products of frames as matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oml._db import connection as db
from oml.core._query import Source
from oml.core.series import NumericSeries, Series

if TYPE_CHECKING:
    from oml.core._base import BaseFrame

_FLOAT = "pg_catalog.float8"


def _columns(frame: BaseFrame) -> list[Series]:
    return [frame._series(name) for name in frame.columns]


def _numbers(columns: list[Series]) -> list[str]:
    for column in columns:
        if not isinstance(column, NumericSeries):
            raise TypeError(f'column "{column._name}" is not numeric')
    return [f"({column._present})::{_FLOAT}" for column in columns]


def cross_product(frame: BaseFrame, other: Any, skipna: bool, pull_from_db: bool) -> Any:
    """Return the sums of products of each column of a frame with each of another; see t_dot()."""
    from oml.core._base import BaseFrame, Column

    other = frame if other is None else other
    if not isinstance(other, (BaseFrame, Series)):
        raise TypeError(f"other must be an oml.DataFrame or a column, not {type(other).__name__}")
    if other._source is not frame._source:
        raise ValueError("frames of different rows cannot be multiplied; merge them")
    factors: list[Series] = [other] if isinstance(other, Series) else _columns(other)
    products = [
        f"{left} * {right}" for left in _numbers(_columns(frame)) for right in _numbers(factors)
    ]
    sums = [f"COALESCE(pg_catalog.sum({each}), 0)" for each in products]
    if not skipna:
        sums = [
            f"CASE WHEN pg_catalog.count({each}) = pg_catalog.count(*) THEN {total} END"
            for each, total in zip(products, sums)
        ]
    # An array, because a query can have at most 1664 columns.
    sql = f"SELECT ARRAY[{', '.join(sums)}] AS a FROM {frame._source.relation} AS t"
    width = len(factors)
    if pull_from_db:
        return _pulled(sql, frame.columns, other)
    names = {"ROWID": "bigint", "COLID": "bigint", "VALUE": "double precision"}
    source = Source(
        f'(SELECT (o.n - 1) / {width} + 1 AS "ROWID", (o.n - 1) % {width} + 1 AS "COLID", '
        f'o.v AS "VALUE" FROM ({sql}) AS p '
        "CROSS JOIN LATERAL pg_catalog.unnest(p.a) WITH ORDINALITY AS o(v, n))",
        ('"ROWID"', '"COLID"'),
        frame._source.tables,
    )
    return frame._make(source, {name: Column(f'"{name}"', kind) for name, kind in names.items()})


def _pulled(sql: str, names: list[str], other: Any) -> Any:
    import numpy
    import pandas

    found = list(db.connection().query(sql)[1][0][0])
    values = numpy.array([numpy.nan if v is None else v for v in found], "float64")
    if isinstance(other, Series):
        return pandas.Series(values, index=names)
    return pandas.DataFrame(values.reshape(len(names), -1), index=names, columns=other.columns)
