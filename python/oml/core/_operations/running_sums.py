"""Running sums."""

from __future__ import annotations

from oml.core._query import Column, Query, Source, free_name
from oml.core._sql import quote


def cumulative_sums(ordered: Query, skipna: bool) -> Query:
    """Return the running sums of a query's numeric and boolean columns in its order."""
    source = ordered.source
    items, columns = [], {}
    for name, column in ordered.columns.items():
        if not column.is_number and column.kind != "Boolean":
            continue
        kind = "double precision"
        if column.kind == "Boolean":
            value, kind = f"({column.present})::pg_catalog.int4", "bigint"
        elif column.kind == "Integer":
            value, kind = f"({column.present})::pg_catalog.int8", "bigint"
        else:
            value = f"({column.present})::pg_catalog.float8"
        is_missing = f"{value} IS NULL"
        if not skipna:
            is_missing = f"pg_catalog.count(*) FILTER (WHERE {is_missing}) OVER w > 0"
        total = f"CASE WHEN {is_missing} THEN NULL ELSE pg_catalog.sum({value}) OVER w END"
        items.append(f"({total})::{kind} AS {quote(name)}")
        columns[name] = Column(quote(name), kind)
    if not items:
        raise ValueError("there are no numeric or boolean columns")
    position = quote(free_name("oml_position", columns))
    sql = (
        f"SELECT {', '.join(items)}, pg_catalog.row_number() OVER w AS {position} "
        f"FROM {source.relation} AS t "
        f"WINDOW w AS ({source.order_by.lstrip()} ROWS UNBOUNDED PRECEDING)"
    )
    return Query(Source(f"({sql})", (position,), source.tables), columns)
