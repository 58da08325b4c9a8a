"""Summaries of columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from oml._db import connection as db
from oml.core._query import Column, Query

if TYPE_CHECKING:
    import pandas

    from oml._annotations import CellValue, Percentiles, Row

_COUNTS = ["count", "unique", "top", "freq"]


def _percentiles(percentiles: Percentiles) -> dict[str, float]:
    """Label and share of each requested percentile."""
    if percentiles is None or percentiles is True:
        percentiles = [0.25, 0.5, 0.75]
    elif percentiles is False:
        percentiles = []
    shares = sorted(float(share) for share in percentiles)
    if any(not 0 <= share <= 1 for share in shares):
        raise ValueError("percentiles must be numbers from 0 to 1")
    found = {f"{100 * share:.12g}%": share for share in shares}
    if len(found) < len(shares):
        raise ValueError("a percentile occurs twice")
    return found


def _quantile(share: float) -> str:
    return (
        f"pg_catalog.percentile_cont({share!r}) WITHIN GROUP (ORDER BY ({{0}})::pg_catalog.float8)"
    )


def _numbers(
    relation: str, columns: Sequence[Column], shares: dict[str, float]
) -> list[dict[str, float]]:
    rows = {
        "count": "pg_catalog.count({0})",
        "mean": "pg_catalog.avg({0})",
        "std": "pg_catalog.stddev_samp({0})",
        "min": "pg_catalog.min({0})",
        **{label: _quantile(share) for label, share in shares.items()},
        "max": "pg_catalog.max({0})",
    }
    items = [
        f"({text.format(column.present)})::pg_catalog.float8"
        for column in columns
        for text in rows.values()
    ]
    # An array, because a query can have at most 1664 columns.
    found = _query(f"SELECT ARRAY[{', '.join(items)}] FROM {relation} AS t")[0][0]
    values = [float("nan") if value is None else float(value) for value in list(found)]
    width = len(rows)
    return [dict(zip(rows, values[n * width : (n + 1) * width])) for n, _ in enumerate(columns)]


def _query(sql: str) -> list[Row]:
    rows: list[Row] = db.connection().query(sql)[1]
    return rows


def _others(relation: str, column: Column) -> dict[str, CellValue]:
    """Counts of a column; among equally frequent values the first in text order is the top."""
    rows = f"FROM {relation} AS t"
    ((count, unique),) = _query(
        f"SELECT pg_catalog.count({column.present}), "
        f"pg_catalog.count(DISTINCT {column.distinct}) {rows}"
    )
    top = _query(
        f"SELECT v, n FROM (SELECT {column.distinct} AS v, pg_catalog.count(*) AS n {rows} "
        f"WHERE NOT {column.is_missing} GROUP BY 1) AS g "
        'ORDER BY n DESC, (v)::pg_catalog.text COLLATE "C" LIMIT 1'
    ) or [(float("nan"), float("nan"))]
    return dict(zip(_COUNTS, (int(count), int(unique), *top[0])))


def describe(query: Query, names: Sequence[str], percentiles: Percentiles) -> pandas.DataFrame:
    """Return the summary of columns of a query as a pandas.DataFrame."""
    import pandas

    relation = query.source.relation
    columns = {name: query.columns[name] for name in names}
    shares = _percentiles(percentiles)
    numeric = {name: column for name, column in columns.items() if column.is_number}
    numbers = _numbers(relation, list(numeric.values()), shares) if numeric else []
    found: dict[str, pandas.Series[CellValue]] = {}
    for name, values in zip(numeric, numbers):
        found[name] = pandas.Series(values, dtype="float64")
    for name, column in columns.items():
        if name not in numeric:
            found[name] = pandas.Series(_others(relation, column), dtype=object)
    labels: list[str] = []
    if len(numeric) < len(columns):
        labels += _COUNTS
    if numeric:
        labels += ["mean", "std", "min", *shares, "max"]
        labels = labels if "count" in labels else ["count", *labels]
    made = {name: found[name].reindex(labels) for name in names}
    return pandas.DataFrame(made, columns=list(names), index=labels)
