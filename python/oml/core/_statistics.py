"""Statistics of proxies, computed in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from oml._db import connection as db
from oml.core._base import BaseFrame, Self
from oml.core._operations import pivot as tables
from oml.core._operations import products
from oml.core._operations.correlation import correlations
from oml.core._operations.moments import moments, shape_of
from oml.core._query import Query
from oml.core.series import Series

if TYPE_CHECKING:
    import pandas

    from oml._annotations import CellValue, Classes, Percentiles


class Statistics(BaseFrame):
    """A frame with statistics."""

    def _numeric_names(self, has_flags: bool = False) -> list[str]:
        """Names of the numeric columns and of the boolean columns."""
        return [
            name
            for name, column in self._columns.items()
            if column.is_number or (has_flags and column.kind == "Boolean")
        ]

    def _values(self, name: str) -> str:
        """A column as numbers that can be summed."""
        column = self._columns[name]
        value = column.present
        return f"({value})::pg_catalog.int4" if column.kind == "Boolean" else value

    def _aggregates(
        self, names: Sequence[str], templates: Sequence[str], skipna: bool = True
    ) -> list[list[CellValue]]:
        """Values of each template for each name, with {} for the column: one query."""
        if not names:
            return []
        items = [t.format(self._values(name)) for name in names for t in templates]
        if not skipna:
            missing = [self._columns[name].is_missing for name in names for _ in templates]
            items = [
                f"CASE WHEN NOT COALESCE(pg_catalog.bool_or({test}), FALSE) THEN {item} END"
                for test, item in zip(missing, items)
            ]
        sql = f"SELECT {', '.join(items)} FROM {self._source.relation} AS t"
        row = db.connection().query(sql)[1][0]
        width = len(templates)
        return [list(row[i * width : (i + 1) * width]) for i in range(len(names))]

    def _by_column(
        self,
        names: Sequence[str],
        template: str,
        make: Callable[[CellValue], float],
        skipna: bool = True,
    ) -> pandas.Series[CellValue]:
        import pandas

        values = [make(row[0]) for row in self._aggregates(names, [template], skipna)]
        return pandas.Series(values, index=list(names), dtype=None if values else "float64")

    def count(self, numeric_only: bool = False) -> pandas.Series[CellValue]:
        """Return the number of non-missing values of each column.

        Parameters
        ----------
        numeric_only : bool
            Consider only numeric and boolean columns.
        """
        names = self._numeric_names(True) if numeric_only else self.columns
        return self._by_column(names, "pg_catalog.count({0})", int)

    def nunique(self, dropna: bool = True) -> pandas.Series[CellValue]:
        """Return the number of distinct values of each column.

        Parameters
        ----------
        dropna : bool
            Ignore missing values; False: they count as one value.
        """
        import pandas

        items = []
        for column in self._columns.values():
            items.append(f"pg_catalog.count(DISTINCT {column.distinct})")
            if not dropna:
                missing = f"pg_catalog.max({column.is_missing}::pg_catalog.int4)"
                items[-1] += f" + COALESCE({missing}, 0)"
        sql = f"SELECT {', '.join(items)} FROM {self._source.relation} AS t"
        found = [int(value) for value in db.connection().query(sql)[1][0]]
        return pandas.Series(found, index=self.columns)

    def sum(self, skipna: bool = True) -> pandas.Series[CellValue]:
        """Return the sums of the numeric and boolean columns.

        Parameters
        ----------
        skipna : bool
            Ignore missing values; False: NaN for columns that contain any.
        """
        template = "COALESCE(pg_catalog.sum({0}), 0)"
        return self._by_column(self._numeric_names(True), template, _float, skipna)

    def mean(self, skipna: bool = True) -> pandas.Series[CellValue]:
        """Return the means of the numeric and boolean columns; see sum()."""
        names = self._numeric_names(True)
        return self._by_column(names, "pg_catalog.avg({0})", _float, skipna)

    def std(self, skipna: bool = True) -> pandas.Series[CellValue]:
        """Return the standard deviations of the numeric columns; see sum()."""
        names = self._numeric_names()
        return self._by_column(names, "pg_catalog.stddev_samp({0})", _float, skipna)

    def min(self, skipna: bool = True, numeric_only: bool = False) -> pandas.Series[CellValue]:
        """Return the minimum of each column; columns without an order are omitted.

        Parameters
        ----------
        skipna : bool
            Ignore missing values; False: missing for columns that contain any.
        numeric_only : bool
            Consider only numeric and boolean columns.
        """
        return self._extremes("min", skipna, numeric_only)

    def max(self, skipna: bool = True, numeric_only: bool = False) -> pandas.Series[CellValue]:
        """Return the maximum of each column; see min()."""
        return self._extremes("max", skipna, numeric_only)

    def _extremes(
        self, function: str, skipna: bool, numeric_only: bool
    ) -> pandas.Series[CellValue]:
        import pandas

        numeric = self._numeric_names()
        template = f"pg_catalog.{function}({{0}})"
        found = self._aggregates(numeric, [template], skipna)
        values: dict[str, CellValue] = {n: _float(row[0]) for n, row in zip(numeric, found)}
        wanted = self._numeric_names(True) if numeric_only else self.columns
        for name in wanted:
            column = self._columns[name]
            if name not in values and column.distinct == column.present:
                values[name] = self._series(name)._extreme(function, skipna)
        names = [name for name in wanted if name in values]
        return pandas.Series(
            [values[name] for name in names],
            index=names,
            dtype="float64" if set(names) <= set(numeric) else object,
        )

    def median(self, skipna: bool = True) -> pandas.Series[CellValue]:
        """Return the medians of the numeric columns; see sum()."""
        return self._by_column(self._numeric_names(), _quantile(0.5), _float, skipna)

    def describe(
        self,
        percentiles: Percentiles = None,
        include: Classes | None = None,
        exclude: Classes | None = None,
    ) -> pandas.DataFrame:
        """Return a summary of columns.

        For numeric columns: count, mean, deviation, extremes and percentiles. For other columns:
        count, number of distinct values, the most frequent value and its frequency.

        Parameters
        ----------
        percentiles : list of numbers from 0 to 1, or bool, optional
            Quartiles by default and if True; False: none.
        include : "all" or list of classes, optional
            Columns to describe. By default the numeric columns if there are any and `exclude` is
            not given, otherwise all.
        exclude : list of classes, optional
            Columns to omit.
        """
        from oml.core._operations.summary import describe

        names = self.columns
        if include is None and exclude is None:
            names = self._numeric_names() or names
        elif include is not None and not (isinstance(include, str) and include == "all"):
            names = self._names_of_classes(include, True)
        if exclude is not None:
            excluded = set(self._names_of_classes(exclude, True))
            names = [name for name in names if name not in excluded]
        if not names:
            raise ValueError("there are no columns of these classes")
        return describe(self._query, names, percentiles)

    def _names_of_classes(self, classes: Classes, is_wanted: bool) -> list[str]:
        """Names of the columns that are, or are not, of some classes; classes may be specified
        by name."""
        listed = [classes] if isinstance(classes, (str, type)) else list(classes)
        return [
            str(name)
            for name, kind in self.dtypes.items()
            if any(kind is c or kind.__name__ == c for c in listed) == is_wanted
        ]

    def corr(
        self, method: str = "pearson", min_periods: int = 1, skipna: bool = True
    ) -> pandas.DataFrame:
        """Return the correlations of the numeric and boolean columns.

        Parameters
        ----------
        method : "pearson", "kendall" (tau-b) or "spearman"
        min_periods : int
            Minimum number of rows in which both values are present.
        skipna : bool
            Ignore rows in which one of the two values is missing or infinite; False: NaN for a pair
            of columns if one contains such a value.
        """
        import pandas

        names = self._numeric_names(True)
        columns = [self._columns[name] for name in names]
        rows = correlations(self._source.relation, columns, method, min_periods, skipna)
        return pandas.DataFrame(rows, index=names, columns=names, dtype="float64")

    def crosstab(
        self: Self,
        index: str | Iterable[str],
        columns: str | Iterable[str] | None = None,
        values: str | None = None,
        rownames: str | Iterable[str] | None = None,
        colnames: str | Iterable[str] | None = None,
        aggfunc: object = None,
        margins: bool = False,
        margins_name: str = "All",
        dropna: bool = True,
        normalize: object = False,
        pivot: bool = False,
    ) -> Self:
        """Return the frequency of each combination of values of some columns, in column count.

        Missing values count as separate values.

        Parameters
        ----------
        index, columns : str or list of str
            Columns whose values form the rows, and with `pivot` the columns.
        values : str, optional
            A column to aggregate by `aggfunc` instead: result column `mean(speed)`.
        rownames, colnames : str or list of str, optional
            Alternative names of the columns of `index` and `columns`; the latter not with `pivot`.
        aggfunc : function of oml.DataFrame, or its name, optional
            One of count, max, mean, median, min, nunique, std, sum.
        margins : bool
            Add totals; key columns then become text.
        margins_name : str
            Label of the totals.
        dropna : bool
            With `pivot`, omit columns in which all cells are missing.
        normalize : bool, "all", "index" or 0, "columns" or 1
            Divide by the sum of all values, or by the sum of each row or column.
        pivot : bool
            Return one column per value of `columns`, named for example `count_(left)`.
        """
        if (values is None) != (aggfunc is None):
            raise ValueError("values and aggfunc must be given together")
        rows, cuts = tables.keys_of(self._query, index, columns)
        cells = [tables.COUNT]
        if values is not None:
            (name,) = self._names(values)
            cells = tables.cells_of(self._query, [], [name], aggfunc)
            if len(cells) > 1:
                raise ValueError("crosstab() requires a single aggregate")
        margin = margins_name if margins else None
        layout = tables.Layout(rows, cuts, cells, margin, tables.normalization(normalize))
        if pivot and rownames is not None:
            raise ValueError("rownames cannot be combined with pivot; rename() the result")
        if pivot:
            return self._make(*tables.pivot(self._query, layout, dropna, values is None))
        names = _renamed(rows, rownames, "rownames"), _renamed(cuts, colnames, "colnames")
        return self._make(*tables.relational(self._query, layout, names))

    def skew(self, skipna: bool = True, bias: bool = True) -> pandas.Series[CellValue]:
        """Return the skewness of the numeric columns.

        Parameters
        ----------
        skipna : bool
            Ignore missing values; False: NaN for columns that contain any.
        bias : bool
            Treat the values as a population, as Oracle does; False: the unbiased estimate from a
            sample, as in pandas, NaN with fewer than three values.
        """
        return self._shapes(3, skipna, bias)

    def kurtosis(self, skipna: bool = True, bias: bool = True) -> pandas.Series[CellValue]:
        """Return the excess kurtosis of the numeric columns.

        Parameters
        ----------
        skipna : bool
            Ignore missing values; False: NaN for columns that contain any.
        bias : bool
            Treat the values as a population, as Oracle does; False: the unbiased estimate from a
            sample, as in pandas, NaN with fewer than four values.
        """
        return self._shapes(4, skipna, bias)

    def _shapes(self, power: int, skipna: bool, bias: bool) -> pandas.Series[CellValue]:
        import pandas

        names = self._numeric_names()
        values = []
        if names:
            values = moments(self._source.relation, [self._columns[n].present for n in names])
        shapes = [shape_of(found, power, skipna, bias) for found in values]
        return pandas.Series(shapes, index=names, dtype="float64")

    def t_dot(
        self, other: object = None, skipna: bool = True, pull_from_db: bool = True
    ) -> Any:  # a frame, a pandas.DataFrame or a pandas.Series
        """Return the matrix product of the transposed frame and another frame: sums of products.

        Parameters
        ----------
        other : DataFrame or column, optional
            Must have the same rows; the frame itself by default. All columns must be numeric.
        skipna : bool
            Treat missing values as 0; False: elements computed from missing values are missing.
        pull_from_db : bool
            False: return a proxy with one row per element and columns ROWID and COLID, the
            positions (from 1) of the columns of the frame and of `other`, and VALUE.

        Returns
        -------
        pandas.DataFrame, pandas.Series if `other` is a column, or DataFrame
        """
        other = self if other is None else other
        if not isinstance(other, (BaseFrame, Series)):
            raise TypeError(
                f"other must be an oml.DataFrame or a column, not {type(other).__name__}"
            )
        if other._source is not self._source:
            raise ValueError("frames of different rows cannot be multiplied; merge them")
        right = other._query
        if isinstance(other, Series):  # an error names the column, if it has a name
            right = Query(other._source, {other._name: other._column})
        if not pull_from_db:
            return self._make(*products.product(self._query, right, skipna))
        matrix = products.pulled_product(self._query, right, skipna)
        if not isinstance(other, Series):
            return matrix
        column = matrix.iloc[:, 0]
        return column.rename(None)

    def pivot_table(
        self: Self,
        index: str | Iterable[str],
        columns: str | Iterable[str] | None = None,
        values: str | Iterable[str] | None = None,
        aggfunc: object = None,
        margins: bool = False,
        dropna: bool = True,
        margins_name: str = "All",
    ) -> Self:
        """Return a table with one row per value of some columns and one column per value of
        others.

        Columns are named `mean(speed)_(left)`: function, column, values; or `mean(speed)` without
        `columns`. The set of columns is determined now; the values are computed by an ordinary
        query. Missing values form a row or a column of their own, `mean(speed)_(None)`.

        Parameters
        ----------
        index, columns : str or list of str
        values : str or list of str, optional
            Columns to aggregate: by default all other columns, sorted by name.
        aggfunc : function, str, or list of them, optional
            A method of oml.DataFrame, or its name: count, max, mean (the default), median, min,
            nunique, std, sum. It is omitted for columns whose type it does not support.
        margins : bool
            Add a total row and total columns. The index then becomes text.
        dropna : bool
            Omit columns in which all cells are missing.
        margins_name : str
            Label of the total row and the total columns.

        Raises
        ------
        ValueError
            The table would exceed PostgreSQL's limit of 1600 columns.
        """
        rows, cuts = tables.keys_of(self._query, index, columns)
        cells = tables.cells_of(self._query, rows + cuts, values, aggfunc)
        layout = tables.Layout(rows, cuts, cells, margins_name if margins else None)
        return self._make(*tables.pivot(self._query, layout, dropna))


def _renamed(names: list[str], others: str | Iterable[str] | None, argument: str) -> list[str]:
    """Names of key columns in a table, or the alternatives given for them."""
    if others is None:
        return names
    chosen = [others] if isinstance(others, str) else list(others)
    if len(chosen) != len(names):
        raise ValueError(f"{argument} must contain one name per column")
    return chosen


def _float(value: CellValue = 0.0) -> float:
    return float("nan") if value is None else float(value)


def _quantile(share: float) -> str:
    return f"pg_catalog.percentile_cont({share}) WITHIN GROUP (ORDER BY ({{0}})::pg_catalog.float8)"
