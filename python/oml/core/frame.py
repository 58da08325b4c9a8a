"""Proxies of tables, views and queries."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from oml import _session
from oml.core import _joins, _replacing, _running, _splits
from oml.core._base import Column
from oml.core._classes import common_type
from oml.core._source import ManagedTable, Source, managed_name
from oml.core._sql import quote
from oml.core._statistics import Statistics
from oml.core.float import Float
from oml.core.series import Series, order_item


class DataFrame(Statistics):
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

    def __reduce__(self) -> Any:
        types = {name: column.sql_type for name, column in self._columns.items()}
        return _from_parts, (self._sql, types)

    # ---------------------------------------------------------------------- rows and columns

    def drop(self, columns: str | Iterable[str]) -> DataFrame:
        """Return the frame without some columns."""
        dropped = set(self._names(columns))
        return self._choose([name for name in self.columns if name not in dropped])

    def rename(self, columns: Mapping[str, str] | Sequence[str]) -> DataFrame:
        """Give columns other names, in this frame itself, and return it with them.

        The frame that is returned is another one: renaming it later leaves this one alone.

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
        self._columns = dict(zip(names, self._columns.values()))
        return self._with(self._source)

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

        chosen = self.columns if include is None else self._names_of_classes(include, True)
        kept = self.columns if exclude is None else self._names_of_classes(exclude, False)
        return self._choose([name for name in chosen if name in set(kept)])

    def concat(self, other: Any, auto_name: bool = False) -> DataFrame:
        """Return the frame with further columns of the same rows.

        A column without a name, such as a condition, gets one from its position: COL4.

        Parameters
        ----------
        other : column, DataFrame, list of them, or dict of str to them
            In a dict the names are those of columns, and stand before the names of the columns of a
            frame.
        auto_name : bool
            Put the position of a column, from 1 on, behind its name when that is taken, instead of
            an error.
        """
        columns = {name: self._series(name) for name in self.columns}
        for name, column in _further(other):
            free = name or f"COL{len(columns) + 1}"
            if free in columns and not auto_name:
                raise ValueError(
                    f'column "{free}" already exists; set auto_name=True, or give a dict of names'
                )
            while free in columns:
                free = f"{free}{len(columns) + 1}"
            columns[free] = column
        return DataFrame(columns)

    def replace(
        self,
        old: Sequence[Any],
        new: Sequence[Any],
        default: Any = None,
        columns: str | Iterable[str] | None = None,
    ) -> DataFrame:
        """Return the frame with other values in place of some.

        Parameters
        ----------
        old : list
            Numbers, texts or truth values; None and NaN stand for missing values.
        new : list
            As many, of one of these sorts; None makes a missing value.
        default : optional
            Of the sort of `new`, in place of all values that are not in `old`. Required where `new`
            holds values of another sort than the columns do: texts that become numbers make Float
            columns.
        columns : list of str, optional
            Where; by default in all columns that hold values of that sort. Columns of whole numbers
            become Float where they get fractions.
        """
        rules = _replacing.Rules(old, new, default)
        names = rules.fitting(self) if columns is None else self._names(columns)
        replaced = {name: rules.apply(self._series(name)) for name in names}
        return DataFrame({name: replaced.get(name, self._series(name)) for name in self.columns})

    def fillna(self, value: Any) -> DataFrame:
        """Return the frame with values in place of missing ones.

        Parameters
        ----------
        value : number, text, ..., or dict of column to value
            A lone value is used in all columns that can hold it.
        """
        columns = {name: self._series(name) for name in self.columns}
        if isinstance(value, Mapping):
            self._names(value)
            return DataFrame({**columns, **{n: columns[n].fillna(value[n]) for n in value}})
        filled = dict(columns)
        for name, column in columns.items():
            with contextlib.suppress(TypeError):  # not of this column's kind
                filled[name] = column.fillna(value)
        return DataFrame(filled)

    def round(self, decimals: int = 0) -> DataFrame:
        """Return the frame with the columns of class Float rounded; see Float.round().

        Parameters
        ----------
        decimals : int
            Digits behind the point; negative ones stand before it.
        """
        columns = {name: self._series(name) for name in self.columns}
        rounded = {n: c.round(decimals) for n, c in columns.items() if isinstance(c, Float)}
        return DataFrame({**columns, **rounded})

    # ------------------------------------------------------------------------------ the rows

    def append(self, other: DataFrame, all: bool = True) -> DataFrame:
        """Return the rows of this frame and of another.

        Parameters
        ----------
        other : DataFrame
            With as many columns of the same classes; when they have the same names these count,
            else the positions.
        all : bool
            Keep rows that are equal to others.
        """
        if len(other._columns) != len(self._columns):
            raise ValueError("the frames have different numbers of columns")
        if set(other._columns) == set(self._columns):
            other = other._choose(self.columns)
        kinds = [
            common_type([one.sql_type, two.sql_type])
            for one, two in zip(self._columns.values(), other._columns.values())
        ]
        sides = []
        for frame in (self, other):
            items = {
                name: Column(
                    f"CAST({quote(old)} AS {kind})" if kind != c.sql_type else quote(old), kind
                )
                for (old, c), name, kind in zip(frame._columns.items(), self._columns, kinds)
            }
            made = frame._nested(frame._select())
            sides.append(self._make(made._source, items))
        union = "UNION ALL" if all else "UNION"
        sql = f"({sides[0]._select()}) {union} ({sides[1]._select()})"
        return sides[0]._nested(sql, other._source.tables)

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
            Drop rows with so many missing values, instead.
        subset : list of str, optional
            Look at these columns only.
        """
        missing = [self._series(name)._is_missing for name in self._names(subset)]
        if thresh is not None:
            count = " + ".join(f"({item})::pg_catalog.int4" for item in missing)
            return self._with(self._source.where(f"{count} < {int(thresh)}"))
        if how not in ("any", "all"):
            raise ValueError("how is 'any' or 'all'")
        condition = (" OR " if how == "any" else " AND ").join(missing)
        return self._with(self._source.where(f"NOT ({condition})"))

    def drop_duplicates(
        self, subset: str | Iterable[str] | None = None, keep: str = "least"
    ) -> DataFrame:
        """Return every row once; the order of rows is lost.

        Parameters
        ----------
        subset : list of str, optional
            Columns that make rows equal.
        keep : "least" or "first"
            What the other columns have then: the least value of each, as in Oracle; or what the
            first row of the frame's order has, as in pandas.
        """
        if keep not in ("least", "first"):
            raise ValueError("keep is 'least' or 'first'")
        if subset is None:
            return self._nested(self._select(has_order=False, distinct="DISTINCT "))
        names = self._names(subset)
        # No mere names, which could be those of other columns of the result.
        keys = [f"COALESCE({self._columns[name].expression})" for name in names]
        if keep == "first":
            order = ", ".join([*keys, *self._source.order])
            sql = self._select(has_order=False, distinct=f"DISTINCT ON ({', '.join(keys)}) ")
            return self._nested(f"{sql} ORDER BY {order}")
        items = []
        for name in self.columns:
            value = f"COALESCE({self._columns[name].expression})"
            if name not in names:
                value = self._series(name)._least
            items.append(f"{value} AS {quote(name)}")
        rows = f"FROM {self._source.relation} AS t GROUP BY {', '.join(keys)}"
        return self._nested(f"SELECT {', '.join(items)} {rows}")

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

    def cumsum(
        self,
        by: str | Iterable[str],
        ascending: bool | Sequence[bool] = True,
        na_position: str = "last",
        skipna: bool = True,
    ) -> DataFrame:
        """Return running sums of the columns of numbers and truth values, the rows being sorted.

        Parameters
        ----------
        by : str or list of str
            What the rows are sorted by, and come back in the order of.
        ascending, na_position
            As for sort_values().
        skipna : bool
            Pass over missing values, at which the sum is missing too; False: it is missing from the
            first one on.
        """
        return _running.cumulative_sums(self.sort_values(by, ascending, na_position), skipna)

    def merge(
        self,
        other: DataFrame,
        on: str | Iterable[str] | None = None,
        left_on: str | Iterable[str] | None = None,
        right_on: str | Iterable[str] | None = None,
        how: str = "left",
        suffixes: tuple[str, str] = ("_l", "_r"),
        nvl: bool | Mapping[str, Any] = True,
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
            Put behind the names of the columns of either frame, but those of `on`.
        nvl : bool or dict of str to value
            Whether rows with a missing key belong to those in which it is missing too, as in
            pandas; False: they belong to none. A dict gives what keys count as where they are
            missing, by their columns of either frame.
        """
        keys = _joins.Keys.of(on, left_on, right_on)
        return _joins.merge(self, other, keys, _joins.Join(how, suffixes, nvl))

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
            Makes no difference: the view's columns have the frame's names in any case, where
            Oracle's may have others behind the proxy.
        """
        if view is not None:
            _session.connection().query(f"CREATE VIEW {quote(view)} AS {self._sql}")
            return self._from_relation(quote(view), self._source.tables)
        name = managed_name()
        relation = f"pg_temp.{quote(name)}"
        _session.connection().query(f"CREATE TEMPORARY VIEW {quote(name)} AS {self._sql}")
        made = ManagedTable(name, "VIEW", self._source.tables)
        return self._from_relation(relation, (made,))


def _further(other: Any) -> Iterator[tuple[str, Series]]:
    """Name and column of what concat() takes; the name is empty where there is none."""
    if isinstance(other, Mapping):
        named = list(other.items())
    else:
        named = [("", item) for item in (other if isinstance(other, (list, tuple)) else [other])]
    if not named:
        raise ValueError("other must name at least one column")
    for name, item in named:
        if isinstance(item, Series):
            yield name or item._name, item
        elif isinstance(item, DataFrame):
            for column in item.columns:
                yield name + column, item._series(column)
        else:
            raise TypeError("a frame is made of columns; oml.push() takes local data")


def _from_parts(sql: str, columns: dict[str, str]) -> DataFrame:
    return DataFrame._from_parts(sql, columns)
