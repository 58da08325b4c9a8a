"""Correlations of numeric columns."""

from __future__ import annotations

import math
from collections.abc import Sequence

from oml._db import connection as db
from oml.core._query import Column

#: Kendall's discordant pairs are counted by the bits of the ranks of y in the order of x and y: two
#: values are discordant if, at the highest bit in which they differ, the first value has the bit
#: set.
_KENDALL = """
(WITH v AS (SELECT x, y FROM p WHERE x IS NOT NULL AND y IS NOT NULL),
r AS (SELECT pg_catalog.row_number() OVER (ORDER BY x, y) AS i,
        pg_catalog.dense_rank() OVER (ORDER BY y) - 1 AS k FROM v),
d AS (SELECT pg_catalog.sum(b.n) AS n FROM (
        SELECT CASE WHEN (k >> s) & 1 = 0 THEN pg_catalog.sum((k >> s) & 1) OVER (
            PARTITION BY s, k >> (s + 1) ORDER BY i ROWS UNBOUNDED PRECEDING) END AS n
        FROM r CROSS JOIN (VALUES __BITS__) AS bits(s)
        WHERE s < (SELECT pg_catalog.length(pg_catalog.ltrim(
            (COALESCE(pg_catalog.max(k), 0)::pg_catalog.int8::bit(64))::pg_catalog.text, '0'))
            FROM r)) AS b),
c AS (SELECT pg_catalog.count(*)::pg_catalog.float8 AS n FROM v),
tx AS (SELECT pg_catalog.sum(m * (m - 1.0) / 2)::pg_catalog.float8 AS n FROM (
        SELECT pg_catalog.count(*) AS m FROM v GROUP BY x) AS g),
ty AS (SELECT pg_catalog.sum(m * (m - 1.0) / 2)::pg_catalog.float8 AS n FROM (
        SELECT pg_catalog.count(*) AS m FROM v GROUP BY y) AS g),
txy AS (SELECT pg_catalog.sum(m * (m - 1.0) / 2)::pg_catalog.float8 AS n FROM (
        SELECT pg_catalog.count(*) AS m FROM v GROUP BY x, y) AS g)
SELECT (c.n * (c.n - 1) / 2 - tx.n - ty.n + txy.n - 2 * COALESCE(d.n, 0)::pg_catalog.float8)
    / NULLIF(pg_catalog.sqrt((c.n * (c.n - 1) / 2 - tx.n) * (c.n * (c.n - 1) / 2 - ty.n)), 0)
FROM c, d, tx, ty, txy)""".replace("__BITS__", ", ".join(f"({bit})" for bit in range(40)))

_AVERAGE_RANK = (
    "pg_catalog.rank() OVER (ORDER BY {0}) + "
    "(pg_catalog.count(*) OVER (PARTITION BY {0}) - 1) / 2.0::pg_catalog.float8"
)
_SPEARMAN = (
    "(SELECT pg_catalog.corr(x, y) FROM ("
    f"SELECT {_AVERAGE_RANK.format('x')} AS x, {_AVERAGE_RANK.format('y')} AS y "
    "FROM p WHERE x IS NOT NULL AND y IS NOT NULL) AS r)"
)
_PEARSON = "(SELECT pg_catalog.corr(x, y) FROM p)"
_METHODS = {"pearson": _PEARSON, "kendall": _KENDALL, "spearman": _SPEARMAN}


def _value(column: Column) -> str:
    """A value as a number, NULL if it is missing or infinite."""
    if column.kind == "Boolean":
        return f"({column.expression})::pg_catalog.int4::pg_catalog.float8"
    value = f"({column.expression})::pg_catalog.float8"
    return f"NULLIF(NULLIF(NULLIF({value}, 'NaN'), 'Infinity'), '-Infinity')"


def correlations(
    relation: str, columns: Sequence[Column], method: str, min_periods: int, skipna: bool
) -> list[list[float]]:
    """Return the correlation matrix; see DataFrame.corr()."""
    if method not in _METHODS:
        raise ValueError("method must be 'pearson', 'kendall' or 'spearman'")
    if not columns:
        return []
    values = [_value(column) for column in columns]
    pairs = [(i, j) for i in range(len(columns)) for j in range(i + 1)]
    found = _pearson(relation, values, pairs)
    if method != "pearson":
        for pair in pairs:
            if pair[0] == pair[1]:
                continue
            found[pair] = (*found[pair][:2], _ranked(relation, values, pair, method))
    matrix = [[math.nan] * len(columns) for _ in columns]
    for (i, j), (complete, total, value) in found.items():
        is_known = complete >= max(1, min_periods) and (skipna or i == j or complete == total)
        if is_known and value is not None and not math.isnan(value):
            matrix[i][j] = matrix[j][i] = 1.0 if i == j else min(1.0, max(-1.0, float(value)))
    return matrix


def _pearson(
    relation: str, values: Sequence[str], pairs: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], tuple[int, int, float | None]]:
    """Number of complete pairs and Pearson's correlation of each pair of columns: one query, as
    an array."""
    listed = ", ".join(f"{value} AS v{n}" for n, value in enumerate(values))
    items = ", ".join(
        f"pg_catalog.regr_count(v{i}, v{j})::pg_catalog.float8, pg_catalog.corr(v{i}, v{j})"
        for i, j in pairs
    )
    rows = f"SELECT {listed} FROM {relation} AS t"
    sql = f"SELECT pg_catalog.count(*), ARRAY[{items}] FROM ({rows}) AS v"
    row = db.connection().query(sql)[1][0]
    numbers = [None if v is None else float(v) for v in list(row[1])]
    return {
        pair: (int(numbers[2 * n] or 0), int(row[0]), numbers[2 * n + 1])
        for n, pair in enumerate(pairs)
    }


def _ranked(
    relation: str, values: Sequence[str], pair: tuple[int, int], method: str
) -> float | None:
    i, j = pair
    rows = f"SELECT {values[i]} AS x, {values[j]} AS y FROM {relation} AS t"
    found: float | None
    found = db.connection().query(f"WITH p AS ({rows}) SELECT {_METHODS[method]}")[1][0][0]
    return found
