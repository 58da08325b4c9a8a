"""Pivot tables: groups of rows, turned so that some of the groups' values become columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from oml import _session
from oml.core._classes import bare_type
from oml.core._running import free_name
from oml.core._source import Source
from oml.core._sql import quote, text_literal
from oml.core.series import NumericSeries, Series

if TYPE_CHECKING:
    from oml.core._base import BaseFrame, Self

_MOST_COLUMNS = 1600  # of a table of PostgreSQL
_NAME_BYTES = 63  # of a name of PostgreSQL
_FLOAT = "({0})::pg_catalog.float8"
#: Function -> SQL, type of the result (None: that of the column).
_FUNCTIONS: dict[str, tuple[str, str | None]] = {
    "count": ("pg_catalog.count({0})", "bigint"),
    "nunique": ("pg_catalog.count(DISTINCT {0})", "bigint"),
    "max": ("pg_catalog.max({0})", None),
    "min": ("pg_catalog.min({0})", None),
    "mean": (f"pg_catalog.avg({_FLOAT})", "double precision"),
    "median": (
        f"pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY {_FLOAT})",
        "double precision",
    ),
    "std": (f"pg_catalog.stddev_samp({_FLOAT})", "double precision"),
    "sum": (f"pg_catalog.sum({_FLOAT})", "double precision"),
}
_SORTED = {"text", "character varying", "date", "interval"}


def _fits(function: str, column: Series) -> bool:
    if function in ("count", "nunique"):
        return True
    if isinstance(column, NumericSeries):
        return True
    kind = bare_type(column._sql_type)
    return function in ("max", "min") and (kind in _SORTED or kind.startswith("timestamp"))


class Layout(NamedTuple):
    """What stands where in a pivot table.

    Attributes
    ----------
    rows, columns : list of str
        Columns that make rows and columns.
    cells : list of (str, str)
        Function and column of what stands in them.
    """

    rows: list[str]
    columns: list[str]
    cells: list[tuple[str, str]]

    @classmethod
    def of(cls, frame: BaseFrame, names: tuple[Any, Any, Any], aggfunc: Any) -> Layout:
        """Return the layout that the arguments of pivot_table() describe."""
        index, columns = frame._names(names[0]), frame._names(names[1])
        keys = index + columns
        if not index or not columns or len(set(keys)) < len(keys):
            raise ValueError("index and columns name one column each at least, and none twice")
        given = aggfunc if isinstance(aggfunc, (list, tuple)) else [aggfunc or "mean"]
        functions = [each if isinstance(each, str) else each.__name__ for each in given]
        for function in functions:
            if function not in _FUNCTIONS:
                raise ValueError(f'a pivot table has no aggregate "{function}"')
        others = [name for name in frame.columns if name not in keys]
        values = others if names[2] is None else frame._names(names[2])
        cells = []
        for function in functions:
            for name in values:
                if _fits(function, frame._series(name)):
                    cells.append((function, name))
                elif names[2] is not None:
                    raise TypeError(f'there is no {function} of column "{name}"')
        if not cells or len(set(cells)) < len(cells):
            raise ValueError("there is nothing to aggregate, or something twice")
        return cls(index, columns, cells)


def _categories(
    frame: BaseFrame, names: Iterable[str], condition: str
) -> list[tuple[str | None, ...]]:
    """The values of some columns that occur together, as texts, in their order."""
    keys = [f"{frame._series(name)._present} AS k{n}" for n, name in enumerate(names)]
    listed = ", ".join(f"k{n}" for n in range(len(keys)))
    texts = ", ".join(f"(k{n})::pg_catalog.text AS t{n}" for n in range(len(keys)))
    return _session.connection().query(
        f"SELECT {texts} FROM (SELECT {', '.join(keys)} FROM {frame._source.relation} AS t"
        f"{condition}) AS s GROUP BY {listed} ORDER BY {listed}"
    )[1]


def _fitting_name(name: str, taken: Any) -> str:
    """A name that PostgreSQL does not shorten, and that is not there yet."""
    fitting, number = name, 0
    while fitting in taken or len(fitting.encode()) > _NAME_BYTES:
        number += 1
        end = f"~{number}"
        fitting = name.encode()[: _NAME_BYTES - len(end)].decode(errors="ignore") + end
    return fitting


def _groups(frame: BaseFrame, layout: Layout, condition: str, has_margins: bool) -> str:
    """The query of all cells, one in a row: k0, ... c0, ... a0, ...; is_total of rows, columns."""
    items = [
        *(f"{frame._series(name)._present} AS k{n}" for n, name in enumerate(layout.rows)),
        *(f"{frame._series(name)._present} AS c{n}" for n, name in enumerate(layout.columns)),
        *(f"{frame._series(name)._present} AS v{n}" for n, (_, name) in enumerate(layout.cells)),
    ]
    rows = f"SELECT {', '.join(items)} FROM {frame._source.relation} AS t{condition}"
    keys = [f"k{n}" for n in range(len(layout.rows))]
    cuts = [f"c{n}" for n in range(len(layout.columns))]
    both = ", ".join(keys + cuts)
    sets = f"({both})"
    if has_margins:
        sets += f", ({', '.join(keys)}), ({', '.join(cuts)}), ()"
    chosen = [
        *keys,
        *(f"({cut})::pg_catalog.text AS t{n}" for n, cut in enumerate(cuts)),
        *(
            f"{_FUNCTIONS[function][0].format(f'v{n}')} AS a{n}"
            for n, (function, _) in enumerate(layout.cells)
        ),
        "GROUPING(k0) = 1 AS is_row_total",
        "GROUPING(c0) = 1 AS is_column_total",
    ]
    return (
        f"SELECT {', '.join(chosen)} FROM ({rows}) AS s "
        f"GROUP BY GROUPING SETS ({sets}) HAVING pg_catalog.count(*) > 0"
    )


def _cells(
    frame: BaseFrame, layout: Layout, categories: list[Any], margin: str | None
) -> Iterator[tuple[str, str, str]]:
    """Name, expression and type of each column that is not of the index."""
    for n, (function, name) in enumerate(layout.cells):
        kind = _FUNCTIONS[function][1] or frame._series(name)._sql_type
        for category in categories:
            tests = " AND ".join(
                f"t{k} IS NULL" if value is None else f"t{k} = {text_literal(value)}"
                for k, value in enumerate(category)
            )
            shown = ",".join("" if value is None else value for value in category)
            condition = f"NOT is_column_total AND {tests}"
            yield f"{function}({name})_({shown})", _only(n, condition), kind
        if margin is not None:
            yield f"{function}({name})_({margin})", _only(n, "is_column_total"), kind


def _only(number: int, condition: str) -> str:
    return f"(pg_catalog.array_agg(a{number}) FILTER (WHERE {condition}))[1]"


def pivot(frame: Self, layout: Layout, margin: str | None, dropna: bool) -> Self:
    """Return the pivot table of a frame; `margin` is what totals are called, None: there are none.

    Rows are grouped once, by all keys; the groups, each a cell, are then put into columns.
    """
    from oml.core._base import Column

    condition = ""
    if dropna:
        keys = [frame._series(name) for name in (*layout.rows, *layout.columns)]
        condition = " WHERE " + " AND ".join(f"NOT {key._is_missing}" for key in keys)
    categories = _categories(frame, layout.columns, condition)
    width = len(layout.cells) * (len(categories) + (margin is not None)) + len(layout.rows)
    if width > _MOST_COLUMNS:
        raise ValueError(f"the pivot table would have {width} columns, {_MOST_COLUMNS} at most")
    items: list[str] = []
    columns: dict[str, Column] = {}
    for n, name in enumerate(layout.rows):
        expression, kind = f"k{n}", frame._columns[name].sql_type
        if margin is not None:
            total = text_literal(margin if n == 0 else "")
            expression, kind = f"CASE WHEN is_row_total THEN {total} ELSE k{n}::text END", "text"
        items.append(f"{expression} AS {quote(name)}")
        columns[name] = Column(quote(name), kind)
    for wanted, expression, kind in _cells(frame, layout, categories, margin):
        name = _fitting_name(wanted, columns)
        items.append(f"{expression} AS {quote(name)}")
        columns[name] = Column(quote(name), kind)
    position = quote(free_name("oml_position", columns))
    keys_listed = ", ".join(["is_row_total", *(f"k{n}" for n in range(len(layout.rows)))])
    items.append(f"pg_catalog.row_number() OVER (ORDER BY {keys_listed}) AS {position}")
    sql = (
        f"SELECT {', '.join(items)} FROM ({_groups(frame, layout, condition, margin is not None)}) "
        f"AS g GROUP BY {keys_listed}"
    )
    return frame._make(Source(f"({sql})", (position,), frame._source.tables), columns)
