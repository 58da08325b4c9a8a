"""Cross-tabulations and pivot tables: aggregates of groups of rows.

Both start with a query of all groups with one row per cell: k0, ... are the values for the rows of
the table, c0, ... those for its columns, a0, ... the aggregates. A pivot table then pivots that
query.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from oml._db import connection as db
from oml.core._query import Column, Query, Source, free_name
from oml.core._sql import quote, text_literal
from oml.core._types import bare_type

if TYPE_CHECKING:
    from oml._annotations import CellValue

_MOST_COLUMNS = 1600  # PostgreSQL's limit per table
_NAME_BYTES = 63  # PostgreSQL's limit per identifier
_FLOAT = "({0})::pg_catalog.float8"
#: Function -> SQL, type of the result (None: the column's type).
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
_NORMALIZED = {"all": "all", "index": "index", "columns": "columns", 0: "index", 1: "columns"}


def _fits(function: str, column: Column) -> bool:
    if function in ("count", "nunique"):
        return True
    kind = bare_type(column.sql_type)
    if column.is_number or (kind == "boolean" and function in ("mean", "sum")):
        return True
    return function in ("max", "min") and (kind in _SORTED or kind.startswith("timestamp"))


def function_names(aggfunc: object) -> list[str]:
    """Return the names of aggregates, which may be specified as functions of oml.DataFrame.

    Raises
    ------
    ValueError
        The aggregate is not supported.
    """
    given = aggfunc if isinstance(aggfunc, (list, tuple)) else [aggfunc]
    names = [each if isinstance(each, str) else getattr(each, "__name__", "") for each in given]
    for name in names:
        if name not in _FUNCTIONS:
            raise ValueError(f'unknown aggregate "{name}"')
    return names


class Cell(NamedTuple):
    """The contents of a cell of a table.

    Attributes
    ----------
    title : str
        For example "mean(speed)".
    value : str or None
        The aggregated SQL expression; None counts rows.
    template : str
        The aggregate, with {0} for the value.
    sql_type : str
    """

    title: str
    value: str | None
    template: str
    sql_type: str

    @classmethod
    def of(cls, query: Query, function: str, name: str) -> Cell:
        """Return the cells for an aggregate of a column."""
        template, kind = _FUNCTIONS[function]
        column = query.columns[name]
        value = column.present
        if not column.is_number and function in ("mean", "sum"):
            value = f"({value})::pg_catalog.int4"
        if function == "nunique":
            value = column.distinct
        return cls(f"{function}({name})", value, template, kind or column.sql_type)


COUNT = Cell("count", None, "pg_catalog.count(*)", "bigint")


class Layout(NamedTuple):
    """The layout of a table.

    Attributes
    ----------
    rows, columns : list of str
        Columns whose values form the rows and columns.
    cells : list of Cell
    margin : str or None
        Label of the totals; None for no totals.
    normalize : "", "all", "index" or "columns"
    """

    rows: list[str]
    columns: list[str]
    cells: list[Cell]
    margin: str | None = None
    normalize: str = ""


def keys_of(
    query: Query, index: str | Iterable[str] | None, columns: str | Iterable[str] | None
) -> tuple[list[str], list[str]]:
    """Check the names of the columns that form rows and columns."""
    rows = query.checked(index)
    cuts = query.checked(columns) if columns is not None else []
    both = rows + cuts
    is_empty = not rows or (columns is not None and not cuts)
    if index is None or is_empty or len(set(both)) < len(both):
        raise ValueError("index and columns must each contain at least one column, and none twice")
    return rows, cuts


def cells_of(
    query: Query, keys: list[str], values: str | Iterable[str] | None, aggfunc: object
) -> list[Cell]:
    """Return the cells of pivot_table(); aggregates that do not support a column's type are
    omitted."""
    functions = function_names("mean" if aggfunc is None else aggfunc)
    others = sorted(name for name in query.columns if name not in keys)
    names = others if values is None else query.checked(values)
    pairs = [(f, name) for f in functions for name in names if _fits(f, query.columns[name])]
    if len(set(pairs)) < len(pairs):
        raise ValueError("an aggregate of a column occurs twice")
    if not pairs:
        kind = TypeError if names and values is not None else ValueError
        raise kind("there are no values to aggregate")
    return [Cell.of(query, function, name) for function, name in pairs]


def normalization(normalize: object) -> str:
    """Interpret the argument `normalize` of crosstab()."""
    if normalize is False:
        return ""
    if normalize is True:
        return "all"
    if normalize not in _NORMALIZED:
        raise ValueError("normalize must be a bool, 'all', 'index' or 0, 'columns' or 1")
    return _NORMALIZED[normalize]


def _fitting_name(name: str, taken: Container[str]) -> str:
    """A name within PostgreSQL's length limit that is not used yet."""
    fitting, number = name, 0
    while fitting in taken or len(fitting.encode()) > _NAME_BYTES:
        number += 1
        end = f"~{number}"
        fitting = name.encode()[: _NAME_BYTES - len(end)].decode(errors="ignore") + end
    return fitting


# -------------------------------------------------------------------------------- all groups


def _groups(query: Query, layout: Layout) -> str:
    """The query of all cells; is_row_total is true for row totals, is_column_total for column
    totals."""
    items = [
        *(f"{query.columns[name].present} AS k{n}" for n, name in enumerate(layout.rows)),
        *(f"{query.columns[name].present} AS c{n}" for n, name in enumerate(layout.columns)),
        *(f"{cell.value or 'NULL'} AS v{n}" for n, cell in enumerate(layout.cells)),
    ]
    rows = f"SELECT {', '.join(items)} FROM {query.source.relation} AS t"
    keys = [f"k{n}" for n in range(len(layout.rows))]
    cuts = [f"c{n}" for n in range(len(layout.columns))]
    sets = [keys + cuts]
    if layout.margin is not None:
        sets += [keys, cuts, []] if cuts else [[]]
    listed = ", ".join(f"({', '.join(each)})" for each in sets)
    chosen = [
        *keys,
        *cuts,
        *(f"{cell.template.format(f'v{n}')} AS a{n}" for n, cell in enumerate(layout.cells)),
        "GROUPING(k0) = 1 AS is_row_total",
        "GROUPING(c0) = 1 AS is_column_total" if cuts else "FALSE AS is_column_total",
    ]
    grouped = (
        f"SELECT {', '.join(chosen)} FROM ({rows}) AS s "
        f"GROUP BY GROUPING SETS ({listed}) HAVING pg_catalog.count(*) > 0"
    )
    return _normalized(grouped, layout) if layout.normalize else grouped


def _normalized(grouped: str, layout: Layout) -> str:
    """Cells as shares of the total, of their row or of their column; totals as shares of totals."""
    keys = [f"k{n}" for n in range(len(layout.rows))]
    cuts = [f"c{n}" for n in range(len(layout.columns))]
    within = {"all": [], "index": keys, "columns": cuts}[layout.normalize]
    condition = {"index": " WHERE NOT is_column_total", "columns": " WHERE NOT is_row_total"}
    whole = ", ".join(["is_row_total", "is_column_total", *within])
    shares = [
        f"(a{n})::pg_catalog.float8 / NULLIF((pg_catalog.sum(a{n}) OVER "
        f"(PARTITION BY {whole}))::pg_catalog.float8, 0) AS a{n}"
        for n in range(len(layout.cells))
    ]
    items = [*keys, *cuts, *shares, "is_row_total", "is_column_total"]
    return f"SELECT {', '.join(items)} FROM ({grouped}) AS s{condition.get(layout.normalize, '')}"


def _cell_type(layout: Layout, cell: Cell) -> str:
    return "double precision" if layout.normalize else cell.sql_type


class _Table:
    """The columns of a table under construction."""

    def __init__(self) -> None:
        self.items: list[str] = []
        self.types: dict[str, str] = {}

    def add(self, name: str, expression: str, sql_type: str) -> None:
        """Add a column under a unique name."""
        fitting = _fitting_name(name, self.types)
        self.types[fitting] = sql_type
        self.items.append(f"{expression} AS {quote(fitting)}")

    def add_keys(
        self, query: Query, layout: Layout, names: list[str], letter: str, flag: str
    ) -> None:
        """Add the key columns; with totals they are text."""
        keys = layout.rows if letter == "k" else layout.columns
        for n, (key, name) in enumerate(zip(keys, names)):
            expression, kind = f"{letter}{n}", query.columns[key].sql_type
            if layout.margin is not None:
                total = text_literal(layout.margin if n == 0 else "")
                expression = (
                    f"CASE WHEN {flag} THEN {total} ELSE ({letter}{n})::pg_catalog.text END"
                )
                kind = "text"
            self.add(name, expression, kind)

    def made(self, query: Query, rest: str, order: str) -> Query:
        """Return the table as a query; `rest` follows the select list."""
        position = quote(free_name("oml_position", self.types))
        number = f"pg_catalog.row_number() OVER (ORDER BY {order}) AS {position}"
        sql = f"SELECT {', '.join([*self.items, number])} {rest}"
        columns = {name: Column(quote(name), kind) for name, kind in self.types.items()}
        return Query(Source(f"({sql})", (position,), query.source.tables), columns)


def relational(query: Query, layout: Layout, names: tuple[list[str], list[str]]) -> Query:
    """Return a table with one row per cell; `names` are those of the key columns."""
    table = _Table()
    table.add_keys(query, layout, names[0], "k", "is_row_total")
    table.add_keys(query, layout, names[1], "c", "is_column_total")
    for n, cell in enumerate(layout.cells):
        table.add(cell.title, f"a{n}", _cell_type(layout, cell))
    order = ["is_row_total", *(f"k{n}" for n in range(len(layout.rows)))]
    order += ["is_column_total", *(f"c{n}" for n in range(len(layout.columns)))]
    return table.made(query, f"FROM ({_groups(query, layout)}) AS g", ", ".join(order))


# ---------------------------------------------------------------------------------- turning


def _categories(layout: Layout, groups: str, dropna: bool) -> list[tuple[str | None, ...]]:
    """The value combinations of some columns, as texts, in their order."""
    if not layout.columns:
        return [()]
    keys = ", ".join(f"c{n}" for n in range(len(layout.columns)))
    texts = ", ".join(f"(c{n})::pg_catalog.text AS t{n}" for n in range(len(layout.columns)))
    known = " OR ".join(f"a{n} IS NOT NULL" for n in range(len(layout.cells)))
    kept = f" HAVING pg_catalog.bool_or({known})" if dropna else ""
    rows: list[tuple[str | None, ...]] = db.connection().query(
        f"SELECT {texts} FROM ({groups}) AS g WHERE NOT is_row_total AND NOT is_column_total "
        f"GROUP BY {keys}{kept} ORDER BY {keys}"
    )[1]
    return rows


def _cells(
    layout: Layout, categories: list[CellValue], is_count: bool
) -> Iterator[tuple[str, str, str]]:
    """Name, expression and type of each column outside of the index."""
    has_totals = layout.margin is not None and layout.normalize != "index" and layout.columns
    for n, cell in enumerate(layout.cells):
        kind = _cell_type(layout, cell)
        for category in categories:
            tests = [
                f"(c{k})::pg_catalog.text "
                + ("IS NULL" if value is None else f"= {text_literal(value)}")
                for k, value in enumerate(category)
            ]
            shown = ",".join("None" if value is None else value for value in category)
            title = f"{cell.title}_({shown})" if category else cell.title
            condition = " AND ".join(["NOT is_column_total", *tests])
            yield title, _only(n, condition, is_count), kind
        if has_totals:
            yield f"{cell.title}_({layout.margin})", _only(n, "is_column_total", is_count), kind


def _only(number: int, condition: str, is_count: bool) -> str:
    value = f"(pg_catalog.array_agg(a{number}) FILTER (WHERE {condition}))[1]"
    return f"COALESCE({value}, 0)" if is_count else value


def pivot(query: Query, layout: Layout, dropna: bool, is_count: bool = False) -> Query:
    """Return the table with one row per value of some columns and one column per value of
    others.

    Parameters
    ----------
    query : Query
    layout : Layout
    dropna : bool
        Omit columns in which all cells are missing.
    is_count : bool
        Whether a cell without rows is 0 instead of missing.
    """
    groups = _groups(query, layout)
    categories = _categories(layout, groups, dropna)
    has_totals = layout.margin is not None and bool(layout.columns)
    width = len(layout.cells) * (len(categories) + has_totals) + len(layout.rows)
    if width > _MOST_COLUMNS:
        raise ValueError(f"the pivot table would have {width} columns, maximum {_MOST_COLUMNS}")
    table = _Table()
    table.add_keys(query, layout, layout.rows, "k", "is_row_total")
    for name, expression, kind in _cells(layout, categories, is_count):
        table.add(name, expression, kind)
    order = ", ".join(["is_row_total", *(f"k{n}" for n in range(len(layout.rows)))])
    return table.made(query, f"FROM ({groups}) AS g GROUP BY {order}", order)
