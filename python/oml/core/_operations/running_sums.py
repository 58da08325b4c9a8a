"""Running sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oml.core._query import Source
from oml.core._sql import quote
from oml.core.boolean import Boolean
from oml.core.series import NumericSeries

if TYPE_CHECKING:
    from oml.core._base import Self


def cumulative_sums(ordered: Self, skipna: bool) -> Self:
    """Return the running sums of a frame's numeric and boolean columns in the frame's order."""
    from oml.core._base import Column

    source = ordered._source
    items, columns = [], {}
    for name in ordered.columns:
        column = ordered._series(name)
        if not isinstance(column, (NumericSeries, Boolean)):
            continue
        kind = "double precision"
        if isinstance(column, Boolean):
            value, kind = f"({column._present})::pg_catalog.int4", "bigint"
        elif column._IS_INTEGER:
            value, kind = f"({column._present})::pg_catalog.int8", "bigint"
        else:
            value = f"({column._present})::pg_catalog.float8"
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
    return ordered._make(Source(f"({sql})", (position,), source.tables), columns)


def free_name(wanted: str, taken: object) -> str:
    """Return a name that is not in a container."""
    name = wanted
    while name in taken:  # type: ignore[operator]
        name += "_"
    return name
