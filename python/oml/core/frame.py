"""Proxies of tables, views and queries."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from oml import _session
from oml.core import _joins, _splits
from oml.core._classes import series_class
from oml.core._source import ManagedTable, Source, managed_name
from oml.core._sql import quote
from oml.core.boolean import Boolean
from oml.core.series import NumericSeries, Series, order_item

if TYPE_CHECKING:
    import pandas

_SHOWN = 20  # rows


class Column(NamedTuple):
    """What a column of a frame is made of."""

    expression: str  # in terms of the source's columns
    sql_type: str


class DataFrame:
    """A proxy of rows in the database: a query that runs when its rows are asked for.

    Methods that return a frame make no query; the rows are read when pull(), len(), printing or a
    method that returns plain values asks for them, and are then what they are at that time.

    Rows come in the order of sort_values(). Without it they come as PostgreSQL finds them: a table
    that was never updated in the order of insertion, unless it is large and several sessions
    read it at once. head() and tail() follow that order: sort first when it matters.

    Parameters
    ----------
    other : column, DataFrame, or dict of str to column
        Columns of the same rows.

    Examples
    --------
    >>> iris = oml.sync(table="iris")  # doctest: +SKIP
    >>> iris[iris["petal_width"] > 1, ["species", "petal_width"]].head()  # doctest: +SKIP
    """

    __hash__ = object.__hash__

    def __init__(self, other: Series | DataFrame | Mapping[str, Series]) -> None:
        self._source: Source
        self._columns: dict[str, Column]
        if isinstance(other, DataFrame):
            self._source, self._columns = other._source, dict(other._columns)
            return
        columns = {other._name: other} if isinstance(other, Series) else dict(other)
        if not all(isinstance(column, Series) for column in columns.values()):
            raise TypeError("a frame is made of columns; oml.push() takes local data")
        sources = {id(column._source): column._source for column in columns.values()}
        if len(sources) != 1:
            raise ValueError("a frame is made of one column at least, all of the same rows")
        (self._source,) = sources.values()
        self._columns = {
            name: Column(column._expression, column._sql_type) for name, column in columns.items()
        }

    @classmethod
    def _make(cls, source: Source, columns: dict[str, Column]) -> DataFrame:
        frame = cls.__new__(cls)
        frame._source = source
        frame._columns = columns
        return frame

    @classmethod
    def _from_query(cls, sql: str, tables: tuple[ManagedTable, ...] = ()) -> DataFrame:
        """Return a proxy of a query without parameters."""
        return cls._from_relation(f"({sql}\n)", tables)

    @classmethod
    def _from_relation(cls, relation: str, tables: tuple[ManagedTable, ...] = ()) -> DataFrame:
        """Return a proxy of what can stand in FROM; its columns are looked up now."""
        probe = f"SELECT * FROM {relation} AS t LIMIT 0"
        description = _session.connection().query(probe)[0] or []
        columns = {name: Column(quote(name), sql_type) for name, sql_type in description}
        if len(columns) != len(description):
            raise ValueError("two columns have the same name: rename one in the query")
        if not columns:
            raise ValueError("there are no columns")
        return cls._make(Source(relation, (), tables), columns)

    @classmethod
    def _from_parts(cls, sql: str, columns: dict[str, str]) -> DataFrame:
        """Return a proxy from its query and SQL types, without asking the server."""
        parts = {name: Column(quote(name), sql_type) for name, sql_type in columns.items()}
        return cls._make(Source(f"({sql}\n)"), parts)

    def __reduce__(self) -> Any:
        types = {name: column.sql_type for name, column in self._columns.items()}
        return _from_parts, (self._sql, types)

    # ----------------------------------------------------------------------------- the query

    def _select(self, has_order: bool = True, distinct: str = "") -> str:
        items = ", ".join(
            f"{column.expression} AS {quote(name)}" for name, column in self._columns.items()
        )
        order = self._source.order_by if has_order else ""
        return f"SELECT {distinct}{items} FROM {self._source.relation} AS t{order}"

    @property
    def _sql(self) -> str:
        """The text of the query: no parameters, all constants quoted."""
        return self._select()

    @property
    def _is_temporary(self) -> bool:
        """Whether the rows are, or may be, in temporary tables that this package drops."""
        return bool(self._source.tables)

    def _nested(self, sql: str, others: tuple[ManagedTable, ...] = ()) -> DataFrame:
        """Return a proxy of a query that has this frame's columns, by name."""
        source = Source(f"({sql})", (), (*self._source.tables, *others))
        columns = {name: Column(quote(name), c.sql_type) for name, c in self._columns.items()}
        return self._make(source, columns)

    def _with(self, source: Source) -> DataFrame:
        return self._make(source, dict(self._columns))

    # ------------------------------------------------------------------------ what it is like

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        return list(self._columns)

    @property
    def dtypes(self) -> pandas.Series[Any]:
        """The columns' classes, by name."""
        import pandas

        classes = [series_class(column.sql_type) for column in self._columns.values()]
        return pandas.Series(classes, index=self.columns, dtype=object)

    def __len__(self) -> int:
        sql = f"SELECT pg_catalog.count(*) FROM {self._source.relation} AS t"
        return int(_session.connection().query(sql)[1][0][0])

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns."""
        return len(self), len(self._columns)

    def __iter__(self) -> Any:
        return iter(self.columns)

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def pull(self, aslist: bool = False) -> Any:
        """Return the rows as a pandas.DataFrame.

        Values arrive as in the frames that scripts get: docs/reference/types.md.

        Parameters
        ----------
        aslist : bool
            Return a list of tuples instead, of values as a cursor gives them.
        """
        if aslist:
            return _session.connection().query(self._sql)[1]
        from oml._pull import pull_frame

        return pull_frame(self._sql)

    def _shown(self) -> tuple[pandas.DataFrame, str]:
        frame = self.head(_SHOWN + 1).pull()
        if len(frame) <= _SHOWN:
            return frame, ""
        return frame.head(_SHOWN), f"[the first {_SHOWN} rows, {len(self._columns)} columns]"

    def __repr__(self) -> str:
        frame, note = self._shown()
        return f"{frame!r}\n\n{note}" if note else repr(frame)

    def _repr_html_(self) -> str:
        frame, note = self._shown()
        html: str = frame._repr_html_() or ""  # type: ignore[operator]
        return f"{html}<p>{note}</p>" if note else html

    # ---------------------------------------------------------------------- rows and columns

    def _series(self, name: str) -> Series:
        if name not in self._columns:
            raise KeyError(name)
        column = self._columns[name]
        made: Series = series_class(column.sql_type)(
            self._source, column.expression, name, column.sql_type
        )
        return made

    def _names(self, names: str | Iterable[str] | None) -> list[str]:
        """Check names; None is all."""
        if names is None:
            return self.columns
        chosen = [names] if isinstance(names, str) else list(names)
        for name in chosen:
            if name not in self._columns:
                raise KeyError(name)
        return chosen

    def _choose(self, names: Sequence[str]) -> DataFrame:
        if not names or len(set(names)) < len(names):
            raise ValueError("choose one column at least, and none twice")
        return self._make(self._source, {name: self._columns[name] for name in self._names(names)})

    def _filter(self, condition: Boolean) -> DataFrame:
        if condition._source is not self._source:
            raise ValueError("the condition is on other rows than those of this frame")
        return self._with(self._source.where(condition._expression))

    def __getitem__(self, key: Any) -> Any:
        """Return a column, some columns, or some rows.

        Parameters
        ----------
        key : str, list of str, Boolean, or (rows, columns)
            `rows` is a Boolean column or `:`; `columns` is `:`, a name, a position, a list of
            either, or a slice of positions. One column comes as such, several as a frame.
        """
        if isinstance(key, str):
            return self._series(key)
        if isinstance(key, Boolean):
            return self._filter(key)
        if isinstance(key, list):
            return self._choose(key)
        if not isinstance(key, tuple) or len(key) != 2:
            raise TypeError("a frame is indexed by a name, names, a condition, or rows and columns")
        rows, columns = key
        if isinstance(rows, Boolean):
            frame = self._filter(rows)
        elif isinstance(rows, slice) and rows == slice(None):
            frame = self
        else:
            raise TypeError("rows are chosen by a Boolean column or :")
        names = self._names_at(columns)
        if isinstance(columns, slice) and columns == slice(None):
            return frame._with(frame._source)
        return frame._series(names[0]) if len(names) == 1 else frame._choose(names)

    def _names_at(self, columns: Any) -> list[str]:
        if isinstance(columns, slice):
            return self.columns[columns]
        chosen = columns if isinstance(columns, (list, tuple)) else [columns]
        names = []
        for item in chosen:
            if isinstance(item, str):
                names.append(item)
            elif hasattr(item, "__index__") and not isinstance(item, bool):
                names.append(self.columns[item])
            else:
                raise TypeError("columns are chosen by name or position")
        return self._names(names)

    def head(self, n: int = 5) -> DataFrame:
        """Return the first `n` rows."""
        return self._with(self._source.first(n))

    def tail(self, n: int = 5) -> DataFrame:
        """Return the last `n` rows; the rows must be counted for it."""
        return self._with(self._source.last(n))

    def drop(self, columns: str | Iterable[str]) -> DataFrame:
        """Return the frame without some columns."""
        dropped = set(self._names(columns))
        return self._choose([name for name in self.columns if name not in dropped])

    def rename(self, columns: Mapping[str, str] | Sequence[str]) -> DataFrame:
        """Return the frame with other names of columns.

        Parameters
        ----------
        columns : dict of old to new names, or list of all names
        """
        if isinstance(columns, Mapping):
            self._names(columns)
            names = [columns.get(name, name) for name in self.columns]
        else:
            names = list(columns)
        if len(names) != len(self._columns) or len(set(names)) < len(names):
            raise ValueError("every column needs a name of its own")
        return self._make(self._source, dict(zip(names, self._columns.values())))

    def select_types(
        self, include: Iterable[Any] | None = None, exclude: Iterable[Any] | None = None
    ) -> DataFrame:
        """Return the columns of some classes.

        Parameters
        ----------
        include, exclude : list of classes, such as [oml.Float]
            One of them at least; a class may be named, "Float".
        """
        if include is None and exclude is None:
            raise ValueError("name classes to include or to exclude")

        def is_among(kind: type, classes: Iterable[Any]) -> bool:
            return any(kind is c or kind.__name__ == c for c in classes)

        wanted = list(include) if include is not None else None
        unwanted = list(exclude) if exclude is not None else []
        chosen = [
            name
            for name, kind in self.dtypes.items()
            if (wanted is None or is_among(kind, wanted)) and not is_among(kind, unwanted)
        ]
        return self._choose([str(name) for name in chosen])

    def concat(self, other: Any, auto_name: bool = False) -> DataFrame:
        """Return the frame with further columns of the same rows.

        Parameters
        ----------
        other : column, DataFrame, dict of name to column, or list of them
        auto_name : bool
            Give a column whose name is taken another one, instead of an error.
        """
        columns = {name: self._series(name) for name in self.columns}
        for item in other if isinstance(other, list) else [other]:
            if isinstance(item, Series):
                added: Mapping[str, Series] = {item._name: item}
            elif isinstance(item, DataFrame):
                added = {name: item._series(name) for name in item.columns}
            else:
                added = item
            for name, column in added.items():
                free = name
                number = 0
                while free in columns:
                    if not auto_name:
                        raise ValueError(f'there is a column "{name}" already')
                    number += 1
                    free = f"{name}{number}"
                columns[free] = column
        return DataFrame(columns)

    # ------------------------------------------------------------------------------ the rows

    def append(self, other: DataFrame, all: bool = True) -> DataFrame:
        """Return the rows of this frame and of another.

        Parameters
        ----------
        other : DataFrame
            With as many columns; when they have the same names these count, else the positions.
        all : bool
            Keep rows that are equal to others.
        """
        if len(other._columns) != len(self._columns):
            raise ValueError("the frames have different numbers of columns")
        if set(other._columns) == set(self._columns):
            other = other._choose(self.columns)
        union = "UNION ALL" if all else "UNION"
        sql = f"({self._select()}) {union} ({other._select()})"
        return self._nested(sql, other._source.tables)

    def dropna(
        self,
        how: str = "any",
        thresh: int | None = None,
        subset: str | Iterable[str] | None = None,
    ) -> DataFrame:
        """Return the rows without missing values: NULL, and NaN in columns of class Float.

        Parameters
        ----------
        how : "any" or "all"
            Drop rows with a missing value, or of missing values only.
        thresh : int, optional
            Keep rows with so many values that are not missing, instead.
        subset : list of str, optional
            Look at these columns only.
        """
        missing = [self._series(name)._is_missing for name in self._names(subset)]
        if thresh is not None:
            present = " + ".join(f"(NOT {item})::int" for item in missing)
            return self._with(self._source.where(f"{present} >= {int(thresh)}"))
        if how not in ("any", "all"):
            raise ValueError("how is 'any' or 'all'")
        condition = (" OR " if how == "any" else " AND ").join(missing)
        return self._with(self._source.where(f"NOT ({condition})"))

    def drop_duplicates(self, subset: str | Iterable[str] | None = None) -> DataFrame:
        """Return every row once; the order of rows is lost.

        Parameters
        ----------
        subset : list of str, optional
            Columns that make rows equal; the first row of the frame's order is kept.
        """
        if subset is None:
            return self._nested(self._select(has_order=False, distinct="DISTINCT "))
        keys = [self._columns[name].expression for name in self._names(subset)]
        order = ", ".join([*keys, *self._source.order])
        sql = self._select(has_order=False, distinct=f"DISTINCT ON ({', '.join(keys)}) ")
        return self._nested(f"{sql} ORDER BY {order}")

    def sort_values(
        self,
        by: str | Iterable[str],
        ascending: bool | Sequence[bool] = True,
        na_position: str = "last",
    ) -> DataFrame:
        """Return the frame in another order; texts sort as the database sorts them.

        Parameters
        ----------
        by : str or list of str
        ascending : bool or list of bool
        na_position : "last" or "first"
            Where missing values go.
        """
        names = self._names(by)
        if isinstance(ascending, (list, tuple)):
            directions = list(ascending)
        else:
            directions = [bool(ascending)] * len(names)
        if len(directions) != len(names):
            raise ValueError("ascending has not one item for each column")
        items = [
            order_item(self._series(name), direction, na_position)
            for name, direction in zip(names, directions)
        ]
        source = self._source
        return self._with(Source(source.relation, (*items, *source.order), source.tables))

    def merge(
        self,
        other: DataFrame,
        on: str | Iterable[str] | None = None,
        left_on: str | Iterable[str] | None = None,
        right_on: str | Iterable[str] | None = None,
        how: str = "left",
        suffixes: tuple[str, str] = ("_l", "_r"),
        nvl: bool = True,
    ) -> DataFrame:
        """Return the rows of two frames that belong together.

        Parameters
        ----------
        other : DataFrame
        on : str or list of str, optional
            Columns that both frames have; they come once, and first where they were.
        left_on, right_on : str or list of str, optional
            Columns of either frame, instead; both are kept. Without any keys every row is
            combined with every other.
        how : "left", "right", "inner", "full" (or "outer"), "cross"
        suffixes : (str, str)
            Put behind the names that both frames have.
        nvl : bool
            Accepted for compatibility: a missing key belongs to nothing.
        """
        return _joins.merge(self, other, _joins.Keys.of(on, left_on, right_on), how, suffixes)

    def split(
        self,
        ratio: Sequence[float] = (0.7, 0.3),
        seed: int = 12345,
        strata_cols: str | Iterable[str] | None = None,
        use_hash: bool = True,
        hash_cols: str | Iterable[str] | None = None,
        nvl: Any = None,
    ) -> tuple[DataFrame, ...]:
        """Return frames of about these shares of the rows, none in two of them.

        Parameters
        ----------
        ratio : list of float
            1 in all at most.
        seed : int
        strata_cols : list of str, optional
            Divide the rows of each value of these columns, exactly by ratio.
        use_hash : bool
            Choose by a hash of the row's values and the seed, the same every time; equal rows go
            together. False shuffles the rows, once, into a temporary table.
        hash_cols : list of str, optional
            Columns to hash; all by default. Rows equal in them go together.
        nvl
            Accepted for compatibility and not used.
        """
        return _splits.split(self, ratio, seed, (strata_cols, hash_cols), use_hash)

    def KFold(
        self,
        n_splits: int = 3,
        seed: int = 12345,
        strata_cols: str | Iterable[str] | None = None,
        use_hash: bool = True,
        hash_cols: str | Iterable[str] | None = None,
        nvl: Any = None,
    ) -> list[tuple[DataFrame, DataFrame]]:
        """Return (train, test) pairs, in which every row is in one test frame; see split()."""
        return _splits.k_fold(self, n_splits, seed, (strata_cols, hash_cols), use_hash)

    def sample(
        self, frac: float | None = None, n: int | None = None, random_state: int | None = None
    ) -> DataFrame:
        """Return some rows by chance; which, is settled now.

        Parameters
        ----------
        frac : float, optional
            About this share of the rows.
        n : int, optional
            Exactly so many, instead.
        random_state : int, optional
            The same one chooses the same rows.
        """
        if (frac is None) == (n is None):
            raise ValueError("give a share of the rows or their number")
        seed = random.getrandbits(31) if random_state is None else int(random_state)
        return _splits.sample(self, frac, n, seed)

    # ------------------------------------------------------------------------ keeping results

    def materialize(self, table: str | None = None) -> DataFrame:
        """Write the rows to a table and return its proxy.

        Parameters
        ----------
        table : str, optional
            A new table; without it a temporary one, dropped with its last proxy.
        """
        if table is not None:
            _session.connection().query(f"CREATE TABLE {quote(table)} AS {self._sql}")
            return self._from_relation(quote(table))
        name = managed_name()
        relation = f"pg_temp.{quote(name)}"
        _session.connection().query(f"CREATE TEMPORARY TABLE {relation} AS {self._sql}")
        return self._from_relation(relation, (ManagedTable(name),))

    def create_view(self, view: str | None = None, use_colname: bool = False) -> DataFrame:
        """Make a view of the query and return its proxy.

        Parameters
        ----------
        view : str, optional
            A new view; without it a temporary one, dropped with its last proxy.
        use_colname : bool
            Accepted for compatibility: the columns keep their names.
        """
        if view is not None:
            _session.connection().query(f"CREATE VIEW {quote(view)} AS {self._sql}")
            return self._from_relation(quote(view), self._source.tables)
        name = managed_name()
        relation = f"pg_temp.{quote(name)}"
        _session.connection().query(f"CREATE TEMPORARY VIEW {quote(name)} AS {self._sql}")
        made = ManagedTable(name, "VIEW", self._source.tables)
        return self._from_relation(relation, (made,))

    # ---------------------------------------------------------------------------- aggregates

    def _numeric_names(self) -> list[str]:
        return [name for name in self.columns if isinstance(self._series(name), NumericSeries)]

    def _aggregates(self, names: Sequence[str], templates: Sequence[str]) -> list[list[Any]]:
        """Values of each template, {} being a column, for each name: one query."""
        if not names:
            return []
        items = [t.format(self._series(name)._present) for name in names for t in templates]
        sql = f"SELECT {', '.join(items)} FROM {self._source.relation} AS t"
        row = _session.connection().query(sql)[1][0]
        width = len(templates)
        return [list(row[i * width : (i + 1) * width]) for i in range(len(names))]

    def _by_column(self, names: Sequence[str], template: str, make: Any) -> pandas.Series[Any]:
        import pandas

        values = [make(row[0]) for row in self._aggregates(names, [template])]
        return pandas.Series(values, index=list(names), dtype=None if values else "float64")

    def count(self) -> pandas.Series[Any]:
        """Return how many values of each column are not missing."""
        return self._by_column(self.columns, "pg_catalog.count({0})", int)

    def nunique(self) -> pandas.Series[Any]:
        """Return how many different values each column has."""
        return self._by_column(self.columns, "pg_catalog.count(DISTINCT {0})", int)

    def sum(self) -> pandas.Series[Any]:
        """Return the sums of the columns of numbers."""
        return self._by_column(self._numeric_names(), "COALESCE(pg_catalog.sum({0}), 0)", float)

    def mean(self) -> pandas.Series[Any]:
        """Return the means of the columns of numbers."""
        return self._by_column(self._numeric_names(), "pg_catalog.avg({0})", _float)

    def std(self) -> pandas.Series[Any]:
        """Return the standard deviations of the columns of numbers."""
        return self._by_column(self._numeric_names(), "pg_catalog.stddev_samp({0})", _float)

    def min(self) -> pandas.Series[Any]:
        """Return the least values of the columns of numbers."""
        return self._by_column(self._numeric_names(), "pg_catalog.min({0})", _float)

    def max(self) -> pandas.Series[Any]:
        """Return the greatest values of the columns of numbers."""
        return self._by_column(self._numeric_names(), "pg_catalog.max({0})", _float)

    def median(self) -> pandas.Series[Any]:
        """Return the medians of the columns of numbers."""
        return self._by_column(self._numeric_names(), _quantile(0.5), _float)

    def describe(self) -> pandas.DataFrame:
        """Return count, mean, deviation, extremes and quartiles of the columns of numbers."""
        import pandas

        names = self._numeric_names()
        rows = {
            "count": "pg_catalog.count({0})",
            "mean": "pg_catalog.avg({0})",
            "std": "pg_catalog.stddev_samp({0})",
            "min": "pg_catalog.min({0})",
            "25%": _quantile(0.25),
            "50%": _quantile(0.5),
            "75%": _quantile(0.75),
            "max": "pg_catalog.max({0})",
        }
        values = self._aggregates(names, list(rows.values()))
        columns = {name: [_float(v) for v in column] for name, column in zip(names, values)}
        return pandas.DataFrame(columns, index=list(rows))

    def corr(self) -> pandas.DataFrame:
        """Return Pearson's correlations of the columns of numbers."""
        import pandas

        names = self._numeric_names()
        values = {name: f"({self._series(name)._present})::pg_catalog.float8" for name in names}
        items = [f"pg_catalog.corr({values[a]}, {values[b]})" for a in names for b in names]
        sql = f"SELECT {', '.join(items) or 'NULL'} FROM {self._source.relation} AS t"
        found = list(map(_float, _session.connection().query(sql)[1][0]))
        rows = [found[i * len(names) : (i + 1) * len(names)] for i in range(len(names))]
        return pandas.DataFrame(rows, index=names, columns=names)

    def crosstab(self, index: str | Iterable[str]) -> DataFrame:
        """Return how often every combination of values of some columns comes, in column count."""
        names = self._names(index)
        keys = [self._columns[name].expression for name in names]
        items = ", ".join(f"{key} AS {quote(name)}" for key, name in zip(keys, names))
        sql = (
            f'SELECT {items}, pg_catalog.count(*) AS "count" FROM {self._source.relation} AS t '
            f"GROUP BY {', '.join(keys)}"
        )
        columns = {name: Column(quote(name), self._columns[name].sql_type) for name in names}
        columns["count"] = Column('"count"', "bigint")
        return self._make(Source(f"({sql})", (), self._source.tables), columns)


def _from_parts(sql: str, columns: dict[str, str]) -> DataFrame:
    return DataFrame._from_parts(sql, columns)


def _float(value: Any = 0.0) -> float:
    return float("nan") if value is None else float(value)


def _quantile(share: float) -> str:
    return f"pg_catalog.percentile_cont({share}) WITHIN GROUP (ORDER BY ({{0}})::pg_catalog.float8)"
