"""Proxies of tables, views and queries."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from oml._db import connection as db
from oml.core._operations import joins, replacement, running_sums, splits
from oml.core._query import Column, ManagedTable, Source, managed_name
from oml.core._sql import quote
from oml.core._statistics import Statistics
from oml.core._types import common_type, frame_class
from oml.core.bytes import Bytes  # noqa: F401
from oml.core.datetime import Datetime  # noqa: F401
from oml.core.float import Float
from oml.core.integer import Integer  # noqa: F401
from oml.core.series import Series, order_item
from oml.core.string import String  # noqa: F401
from oml.core.timedelta import Timedelta  # noqa: F401
from oml.core.timezone import Timezone  # noqa: F401

if TYPE_CHECKING:
    from oml._annotations import CellValue, Reduced


@frame_class
class DataFrame(Statistics):
    """A proxy of rows in the database: a query that runs when its rows are used.

    Methods that return a frame do not run a query. The rows are read when they are used by pull(),
    len(), printing or a method that returns plain values, in their state at that time.

    Rows are in the order of sort_values(). Without it they are in PostgreSQL's scan order: for a
    table that was never updated the order of insertion, unless it is large and several sessions
    read it concurrently. head() and tail() use that order; sort first if it matters.

    Parameters
    ----------
    other : column, DataFrame, or dict of str to column
        Columns of the same rows.

    Examples
    --------
    >>> iris = oml.sync(table="iris")  # doctest: +SKIP
    >>> iris[iris["petal_width"] > 1, ["species", "petal_width"]].head()  # doctest: +SKIP
    """

    def __reduce__(self) -> Reduced:
        types = {name: column.sql_type for name, column in self._columns.items()}
        return _from_parts, (self._sql, types)

    # ---------------------------------------------------------------------- rows and columns

    def drop(self, columns: str | Iterable[str]) -> DataFrame:
        """Return the frame without some columns."""
        dropped = set(self._names(columns))
        return self._choose([name for name in self.columns if name not in dropped])

    def rename(self, columns: Mapping[str, str] | Sequence[str]) -> DataFrame:
        """Rename columns, in this frame itself, and return a frame with the new names.

        The returned frame is a separate object: renaming it later does not affect this one.

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
            raise ValueError("column names must be unique")
        self._columns = dict(zip(names, self._columns.values()))
        return self._with(self._source)

    def select_types(
        self,
        include: Iterable[str | type] | None = None,
        exclude: Iterable[str | type] | None = None,
    ) -> DataFrame:
        """Return the columns of some classes.

        Parameters
        ----------
        include, exclude : list of classes, such as [oml.Float]
            At least one of them; classes may be specified by name, "Float".
        """
        if include is None and exclude is None:
            raise ValueError("specify classes to include or to exclude")

        chosen = self.columns if include is None else self._names_of_classes(include, True)
        kept = self.columns if exclude is None else self._names_of_classes(exclude, False)
        return self._choose([name for name in chosen if name in set(kept)])

    def concat(self, other: object, auto_name: bool = False) -> DataFrame:
        """Return the frame with further columns of the same rows.

        A column without a name, such as a condition, is named by its position: COL4.

        Parameters
        ----------
        other : column, DataFrame, list of them, or dict of str to them
            Keys of a dict are names of columns, or prefixes of the column names of a frame.
        auto_name : bool
            If a name is taken, append the position of the column (from 1) instead of raising an
            error.
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
        old: Sequence[CellValue],
        new: Sequence[CellValue],
        default: object = None,
        columns: str | Iterable[str] | None = None,
    ) -> DataFrame:
        """Return the frame with some values replaced.

        Parameters
        ----------
        old : list
            Numbers, texts or booleans; None and NaN are missing values.
        new : list
            An equal number of replacements of one of these types; None is a missing value.
        default : optional
            Replacement, of the type of `new`, for all values that are not in `old`. Required if
            `new` has another type than the columns: texts replaced by numbers become Float columns.
        columns : list of str, optional
            Columns to change; by default all columns of the type of `old`. Integer columns become
            Float columns if they receive fractions.
        """
        rules = replacement.Rules(old, new, default)
        names = rules.fitting(self._query) if columns is None else self._names(columns)
        replaced = {name: rules.apply(name, self._columns[name]) for name in names}
        return self._make(self._source, {**self._columns, **replaced})

    def fillna(self, value: object) -> DataFrame:
        """Return the frame with missing values replaced.

        Parameters
        ----------
        value : number, text, ..., or dict of column to value
            A single value is used in all columns whose type supports it.
        """
        columns = {name: self._series(name) for name in self.columns}
        if isinstance(value, Mapping):
            self._names(value)
            return DataFrame({**columns, **{n: columns[n].fillna(value[n]) for n in value}})
        filled = dict(columns)
        for name, column in columns.items():
            with contextlib.suppress(TypeError):  # not supported by this column's type
                filled[name] = column.fillna(value)
        return DataFrame(filled)

    def round(self, decimals: int = 0) -> DataFrame:
        """Return the frame with Float columns rounded; see Float.round().

        Parameters
        ----------
        decimals : int
            Digits after the decimal point; negative numbers round before the point.
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
            Must have the same number of columns, of the same classes. Columns are matched by name
            if the frames have the same names, otherwise by position.
        all : bool
            Keep duplicate rows.
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
        """Return the rows without missing values: NULL, and NaN in Float columns.

        Parameters
        ----------
        how : "any" or "all"
            Drop rows that contain a missing value, or only missing values.
        thresh : int, optional
            Drop rows with at least this many missing values instead.
        subset : list of str, optional
            Consider only these columns.
        """
        missing = [self._columns[name].is_missing for name in self._names(subset)]
        if thresh is not None:
            count = " + ".join(f"({item})::pg_catalog.int4" for item in missing)
            return self._with(self._source.where(f"{count} < {int(thresh)}"))
        if how not in ("any", "all"):
            raise ValueError("how must be 'any' or 'all'")
        condition = (" OR " if how == "any" else " AND ").join(missing)
        return self._with(self._source.where(f"NOT ({condition})"))

    def drop_duplicates(
        self, subset: str | Iterable[str] | None = None, keep: str = "least"
    ) -> DataFrame:
        """Return distinct rows; the order of rows is lost.

        Parameters
        ----------
        subset : list of str, optional
            Columns to compare.
        keep : "least" or "first"
            Values of the other columns: the minimum of each, as in Oracle; or those of the first
            row in the frame's order, as in pandas.
        """
        if keep not in ("least", "first"):
            raise ValueError("keep must be 'least' or 'first'")
        if subset is None:
            return self._nested(self._select(has_order=False, distinct="DISTINCT "))
        names = self._names(subset)
        # Not plain names, which ORDER BY would resolve to result columns.
        keys = [f"COALESCE({self._columns[name].expression})" for name in names]
        if keep == "first":
            order = ", ".join([*keys, *self._source.order])
            sql = self._select(has_order=False, distinct=f"DISTINCT ON ({', '.join(keys)}) ")
            return self._nested(f"{sql} ORDER BY {order}")
        items = []
        for name in self.columns:
            value = f"COALESCE({self._columns[name].expression})"
            if name not in names:
                value = self._columns[name].least
            items.append(f"{value} AS {quote(name)}")
        rows = f"FROM {self._source.relation} AS t GROUP BY {', '.join(keys)}"
        return self._nested(f"SELECT {', '.join(items)} {rows}")

    def sort_values(
        self,
        by: str | Iterable[str],
        ascending: bool | Sequence[bool] = True,
        na_position: str = "last",
    ) -> DataFrame:
        """Return the sorted frame; texts are sorted by the database's collation.

        Parameters
        ----------
        by : str or list of str
        ascending : bool or list of bool
        na_position : "last" or "first"
            Position of missing values.
        """
        names = self._names(by)
        if isinstance(ascending, (list, tuple)):
            directions = list(ascending)
        else:
            directions = [bool(ascending)] * len(names)
        if len(directions) != len(names):
            raise ValueError("ascending must contain one item per column")
        items = [
            order_item(self._columns[name], direction, na_position)
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
        """Return running sums of the numeric and boolean columns over the sorted rows.

        Parameters
        ----------
        by : str or list of str
            Columns to sort by; the result has this order.
        ascending, na_position
            As for sort_values().
        skipna : bool
            Skip missing values, for which the sum is missing too; False: sums are missing from the
            first missing value on.
        """
        ordered = self.sort_values(by, ascending, na_position)
        return self._make(*running_sums.cumulative_sums(ordered._query, skipna))

    def merge(
        self,
        other: DataFrame,
        on: str | Iterable[str] | None = None,
        left_on: str | Iterable[str] | None = None,
        right_on: str | Iterable[str] | None = None,
        how: str = "left",
        suffixes: tuple[str, str] = ("_l", "_r"),
        nvl: bool | Mapping[str, CellValue] = True,
    ) -> DataFrame:
        """Return the join of two frames.

        Parameters
        ----------
        other : DataFrame
        on : str or list of str, optional
            Columns of both frames; in the result they occur once, first.
        left_on, right_on : str or list of str, optional
            Columns of the left and the right frame, instead of `on`; both are kept. Without keys
            the result is the cross product.
        how : "left", "right", "inner", "full" (or "outer"), "cross"
        suffixes : (str, str)
            Appended to the column names of the left and the right frame, except those of `on`.
        nvl : bool or dict of str to value
            Whether a missing key matches a missing key, as in pandas; False: missing keys never
            match. A dict contains replacements for missing keys, by column name.
        """
        keys = joins.Keys.of(on, left_on, right_on)
        join = joins.Join(how, suffixes, nvl)
        return self._make(*joins.merge(self._query, other._query, keys, join))

    def split(
        self,
        ratio: Sequence[float] = (0.7, 0.3),
        seed: int = 12345,
        strata_cols: str | Iterable[str] | None = None,
        use_hash: bool = True,
        hash_cols: str | Iterable[str] | None = None,
        nvl: object = None,
    ) -> tuple[DataFrame, ...]:
        """Split the frame randomly into disjoint frames with about these shares of the rows.

        Parameters
        ----------
        ratio : list of float
            The sum must be at most 1.
        seed : int
        strata_cols : list of str, optional
            Split the rows of each value of these columns separately, exactly by ratio.
        use_hash : bool
            Select by a hash of the row's values and the seed, which is repeatable; equal rows stay
            together. False shuffles the rows once into a temporary table.
        hash_cols : list of str, optional
            Columns to hash; all by default. Rows with equal values in them stay together.
        nvl
            Accepted for compatibility and not used.
        """
        parts = splits.split(self._query, ratio, seed, (strata_cols, hash_cols), use_hash)
        return tuple(self._make(*part) for part in parts)

    def KFold(
        self,
        n_splits: int = 3,
        seed: int = 12345,
        strata_cols: str | Iterable[str] | None = None,
        use_hash: bool = True,
        hash_cols: str | Iterable[str] | None = None,
        nvl: object = None,
    ) -> list[tuple[DataFrame, DataFrame]]:
        """Return (train, test) pairs; each row is in exactly one test frame; see split()."""
        columns = (strata_cols, hash_cols)
        folds = splits.k_fold(self._query, n_splits, seed, columns, use_hash)
        return [(self._make(*train), self._make(*test)) for train, test in folds]

    def sample(
        self, frac: float | None = None, n: int | None = None, random_state: int | None = None
    ) -> DataFrame:
        """Return randomly selected rows; the selection is fixed by this call.

        Parameters
        ----------
        frac : float, optional
            Approximate share of the rows.
        n : int, optional
            Exact number of rows, instead of `frac`.
        random_state : int, optional
            Seed; equal seeds select equal rows.
        """
        if (frac is None) == (n is None):
            raise ValueError("specify either frac or n")
        seed = random.getrandbits(31) if random_state is None else int(random_state)
        return self._make(*splits.sample(self._query, frac, n, seed))

    # ------------------------------------------------------------------------ keeping results

    def materialize(self, table: str | None = None) -> DataFrame:
        """Write the rows to a table and return its proxy.

        Parameters
        ----------
        table : str, optional
            Name of a new table; by default a temporary table, dropped with its last proxy.
        """
        if table is not None:
            db.connection().query(f"CREATE TABLE {quote(table)} AS {self._sql}")
            return self._from_relation(quote(table))
        name = managed_name()
        relation = f"pg_temp.{quote(name)}"
        db.connection().query(f"CREATE TEMPORARY TABLE {relation} AS {self._sql}")
        return self._from_relation(relation, (ManagedTable(name),))

    def create_view(self, view: str | None = None, use_colname: bool = False) -> DataFrame:
        """Create a view of the query and return its proxy.

        Parameters
        ----------
        view : str, optional
            Name of a new view; by default a temporary view, dropped with its last proxy.
        use_colname : bool
            Has no effect: the view's columns always have the frame's names, while Oracle's may have
            other names behind the proxy.
        """
        if view is not None:
            db.connection().query(f"CREATE VIEW {quote(view)} AS {self._sql}")
            return self._from_relation(quote(view), self._source.tables)
        name = managed_name()
        relation = f"pg_temp.{quote(name)}"
        db.connection().query(f"CREATE TEMPORARY VIEW {quote(name)} AS {self._sql}")
        made = ManagedTable(name, "VIEW", self._source.tables)
        return self._from_relation(relation, (made,))


def _further(other: object) -> Iterator[tuple[str, Series]]:
    """Name and column from an argument of concat(); the name is empty if there is none."""
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
            raise TypeError("a frame consists of columns; use oml.push() for local data")


def _from_parts(sql: str, columns: dict[str, str]) -> DataFrame:
    return DataFrame._from_parts(sql, columns)
