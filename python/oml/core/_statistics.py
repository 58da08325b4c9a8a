"""What proxies tell about their rows without bringing them along."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from oml import _session
from oml.core import _pivot, _products
from oml.core._base import BaseFrame, Self
from oml.core._correlation import correlations
from oml.core._moments import moments, shape_of
from oml.core.boolean import Boolean
from oml.core.series import NumericSeries

if TYPE_CHECKING:
    import pandas


class Statistics(BaseFrame):
    """A frame that can be summed up."""

    def _numeric_names(self, has_flags: bool = False) -> list[str]:
        """Names of the columns of numbers, and of truth values."""
        kinds = (NumericSeries, Boolean) if has_flags else (NumericSeries,)
        return [name for name in self.columns if isinstance(self._series(name), kinds)]

    def _values(self, name: str) -> str:
        """A column as numbers that may be summed up."""
        column = self._series(name)
        value = column._present
        return f"({value})::pg_catalog.int4" if isinstance(column, Boolean) else value

    def _aggregates(
        self, names: Sequence[str], templates: Sequence[str], skipna: bool = True
    ) -> list[list[Any]]:
        """Values of each template, {} being a column, for each name: one query."""
        if not names:
            return []
        items = [t.format(self._values(name)) for name in names for t in templates]
        if not skipna:
            missing = [self._series(name)._is_missing for name in names for _ in templates]
            items = [
                f"CASE WHEN NOT COALESCE(pg_catalog.bool_or({test}), FALSE) THEN {item} END"
                for test, item in zip(missing, items)
            ]
        sql = f"SELECT {', '.join(items)} FROM {self._source.relation} AS t"
        row = _session.connection().query(sql)[1][0]
        width = len(templates)
        return [list(row[i * width : (i + 1) * width]) for i in range(len(names))]

    def _by_column(
        self, names: Sequence[str], template: str, make: Any, skipna: bool = True
    ) -> pandas.Series[Any]:
        import pandas

        values = [make(row[0]) for row in self._aggregates(names, [template], skipna)]
        return pandas.Series(values, index=list(names), dtype=None if values else "float64")

    def count(self, numeric_only: bool = False) -> pandas.Series[Any]:
        """Return how many values of each column are not missing.

        Parameters
        ----------
        numeric_only : bool
            Look at the columns of numbers and truth values only.
        """
        names = self._numeric_names(True) if numeric_only else self.columns
        return self._by_column(names, "pg_catalog.count({0})", int)

    def nunique(self, dropna: bool = True) -> pandas.Series[Any]:
        """Return how many different values each column has.

        Parameters
        ----------
        dropna : bool
            Leave missing values out; False: they count as one value.
        """
        import pandas

        items = []
        for name in self.columns:
            column = self._series(name)
            items.append(f"pg_catalog.count(DISTINCT {column._distinct})")
            if not dropna:
                missing = f"pg_catalog.max({column._is_missing}::pg_catalog.int4)"
                items[-1] += f" + COALESCE({missing}, 0)"
        sql = f"SELECT {', '.join(items)} FROM {self._source.relation} AS t"
        found = [int(value) for value in _session.connection().query(sql)[1][0]]
        return pandas.Series(found, index=self.columns)

    def sum(self, skipna: bool = True) -> pandas.Series[Any]:
        """Return the sums of the columns of numbers and truth values.

        Parameters
        ----------
        skipna : bool
            Leave missing values out; False: NaN for columns that have some.
        """
        template = "COALESCE(pg_catalog.sum({0}), 0)"
        return self._by_column(self._numeric_names(True), template, _float, skipna)

    def mean(self, skipna: bool = True) -> pandas.Series[Any]:
        """Return the means of the columns of numbers and truth values; see sum()."""
        names = self._numeric_names(True)
        return self._by_column(names, "pg_catalog.avg({0})", _float, skipna)

    def std(self, skipna: bool = True) -> pandas.Series[Any]:
        """Return the standard deviations of the columns of numbers; see sum()."""
        names = self._numeric_names()
        return self._by_column(names, "pg_catalog.stddev_samp({0})", _float, skipna)

    def min(self, skipna: bool = True, numeric_only: bool = False) -> pandas.Series[Any]:
        """Return the least values of the columns, those without an order left out.

        Parameters
        ----------
        skipna : bool
            Leave missing values out; False: missing for columns that have some.
        numeric_only : bool
            Look at the columns of numbers and truth values only.
        """
        return self._extremes("min", skipna, numeric_only)

    def max(self, skipna: bool = True, numeric_only: bool = False) -> pandas.Series[Any]:
        """Return the greatest values of the columns; see min()."""
        return self._extremes("max", skipna, numeric_only)

    def _extremes(self, function: str, skipna: bool, numeric_only: bool) -> pandas.Series[Any]:
        import pandas

        numeric = self._numeric_names()
        template = f"pg_catalog.{function}({{0}})"
        found = self._aggregates(numeric, [template], skipna)
        values: dict[str, Any] = {n: _float(row[0]) for n, row in zip(numeric, found)}
        wanted = self._numeric_names(True) if numeric_only else self.columns
        for name in wanted:
            column = self._series(name)
            if name not in values and column._distinct == column._present:
                values[name] = column._extreme(function, skipna)
        names = [name for name in wanted if name in values]
        return pandas.Series(
            [values[name] for name in names],
            index=names,
            dtype="float64" if set(names) <= set(numeric) else object,
        )

    def median(self, skipna: bool = True) -> pandas.Series[Any]:
        """Return the medians of the columns of numbers; see sum()."""
        return self._by_column(self._numeric_names(), _quantile(0.5), _float, skipna)

    def describe(
        self, percentiles: Any = None, include: Any = None, exclude: Any = None
    ) -> pandas.DataFrame:
        """Return a summary of columns.

        Of numbers: count, mean, deviation, extremes and percentiles; of others: count, number of
        different values, the most frequent value and its frequency.

        Parameters
        ----------
        percentiles : list of numbers from 0 to 1, or bool, optional
            Quartiles by default, and for True; False: none.
        include : "all" or list of classes, optional
            Which columns. By default those of numbers if there are any and `exclude` is not given,
            else all.
        exclude : list of classes, optional
            Which columns to leave out.
        """
        from oml.core._describing import describe

        names = self.columns
        if include is None and exclude is None:
            names = self._numeric_names() or names
        elif include is not None and not (isinstance(include, str) and include == "all"):
            names = self._names_of_classes(include, True)
        if exclude is not None:
            excluded = set(self._names_of_classes(exclude, True))
            names = [name for name in names if name not in excluded]
        if not names:
            raise ValueError("there is no column of these classes")
        described: pandas.DataFrame = describe(self, names, percentiles)
        return described

    def _names_of_classes(self, classes: Any, is_wanted: bool) -> list[str]:
        """Names of the columns that are, or are not, of some classes; a class may be named."""
        listed = [classes] if isinstance(classes, (str, type)) else list(classes)
        return [
            str(name)
            for name, kind in self.dtypes.items()
            if any(kind is c or kind.__name__ == c for c in listed) == is_wanted
        ]

    def corr(
        self, method: str = "pearson", min_periods: int = 1, skipna: bool = True
    ) -> pandas.DataFrame:
        """Return the correlations of the columns of numbers and truth values.

        Parameters
        ----------
        method : "pearson", "kendall" (tau-b) or "spearman"
        min_periods : int
            How many rows must have both values.
        skipna : bool
            Leave out rows in which one of two values is missing or infinite; False: NaN for two
            columns of which one has such a value.
        """
        import pandas

        names = self._numeric_names(True)
        columns = [self._series(name) for name in names]
        rows = correlations(columns, method, min_periods, skipna)
        return pandas.DataFrame(rows, index=names, columns=names, dtype="float64")

    def crosstab(
        self: Self,
        index: str | Iterable[str],
        columns: str | Iterable[str] | None = None,
        values: str | None = None,
        rownames: str | Iterable[str] | None = None,
        colnames: str | Iterable[str] | None = None,
        aggfunc: Any = None,
        margins: bool = False,
        margins_name: str = "All",
        dropna: bool = True,
        normalize: Any = False,
        pivot: bool = False,
    ) -> Self:
        """Return how often every combination of values of some columns comes, in column count.

        Missing values are values of their own.

        Parameters
        ----------
        index, columns : str or list of str
            Columns whose values make the rows, and the columns with `pivot`.
        values : str, optional
            A column to be aggregated by `aggfunc` instead: column `mean(speed)`.
        rownames, colnames : str or list of str, optional
            Other names of the columns of `index` and `columns`; the latter not with `pivot`.
        aggfunc : function of oml.DataFrame, or its name, optional
            One of count, max, mean, median, min, nunique, std, sum.
        margins : bool
            Add totals; columns of keys then become texts.
        margins_name : str
            What totals are called.
        dropna : bool
            With `pivot`, leave out columns in which all cells are missing.
        normalize : bool, "all", "index" or 0, "columns" or 1
            Divide by the sum of all values, by that of each row, or of each column.
        pivot : bool
            Return a column for each value of `columns`, called `count_(left)`.
        """
        if (values is None) != (aggfunc is None):
            raise ValueError("values and aggfunc are given together, or neither")
        rows, cuts = _pivot.keys_of(self, index, columns)
        cells = [_pivot.COUNT]
        if values is not None:
            (name,) = self._names(values)
            cells = _pivot.cells_of(self, [], [name], aggfunc)
            if len(cells) > 1:
                raise ValueError("crosstab() takes one aggregate")
        margin = margins_name if margins else None
        layout = _pivot.Layout(rows, cuts, cells, margin, _pivot.normalization(normalize))
        if pivot and rownames is not None:
            raise ValueError("rownames goes with a table that is not pivoted: rename() the result")
        if pivot:
            return _pivot.pivot(self, layout, dropna, values is None)
        names = _renamed(rows, rownames, "rownames"), _renamed(cuts, colnames, "colnames")
        return _pivot.relational(self, layout, names)

    def skew(self, skipna: bool = True, bias: bool = True) -> pandas.Series[Any]:
        """Return the skewness of the columns of numbers.

        Parameters
        ----------
        skipna : bool
            Leave missing values out; False: NaN for columns that have some.
        bias : bool
            Of the values as a population, as Oracle has it; False: the unbiased estimate from a
            sample, as pandas has it, NaN with less than three values.
        """
        return self._shapes(3, skipna, bias)

    def kurtosis(self, skipna: bool = True, bias: bool = True) -> pandas.Series[Any]:
        """Return the excess kurtosis of the columns of numbers.

        Parameters
        ----------
        skipna : bool
            Leave missing values out; False: NaN for columns that have some.
        bias : bool
            Of the values as a population, as Oracle has it; False: the unbiased estimate from a
            sample, as pandas has it, NaN with less than four values.
        """
        return self._shapes(4, skipna, bias)

    def _shapes(self, power: int, skipna: bool, bias: bool) -> pandas.Series[Any]:
        import pandas

        names = self._numeric_names()
        values = []
        if names:
            values = moments(self._source.relation, [self._series(n)._present for n in names])
        shapes = [shape_of(found, power, skipna, bias) for found in values]
        return pandas.Series(shapes, index=names, dtype="float64")

    def t_dot(self, other: Any = None, skipna: bool = True, pull_from_db: bool = True) -> Any:
        """Return the matrix product of the transposed frame and another: sums of products.

        Parameters
        ----------
        other : DataFrame or column, optional
            Of the same rows; the frame itself by default. All columns must be of numbers.
        skipna : bool
            Take missing values for 0; False: elements that meet one are missing.
        pull_from_db : bool
            False: return a proxy, with a row for each element and columns ROWID and COLID, the
            positions of the columns of the frame and of `other` from 1, and VALUE.

        Returns
        -------
        pandas.DataFrame, pandas.Series where `other` is a column, or DataFrame
        """
        return _products.cross_product(self, other, skipna, pull_from_db)

    def pivot_table(
        self: Self,
        index: str | Iterable[str],
        columns: str | Iterable[str] | None = None,
        values: str | Iterable[str] | None = None,
        aggfunc: Any = None,
        margins: bool = False,
        dropna: bool = True,
        margins_name: str = "All",
    ) -> Self:
        """Return a table with a row for each value of some columns and a column for each of others.

        The columns are called `mean(speed)_(left)`: function, column, values; `mean(speed)` without
        `columns`. Which there are is looked up now; the rest is a query as any other. Missing
        values make a row or a column of their own, `mean(speed)_(None)`.

        Parameters
        ----------
        index, columns : str or list of str
        values : str or list of str, optional
            What to aggregate: by default all other columns, sorted by name.
        aggfunc : function, str, or list of them, optional
            Of oml.DataFrame, or its name: count, max, mean (the default), median, min, nunique,
            std, sum. Columns to which one does not apply are left out of it.
        margins : bool
            Add a row and columns over all. The index then becomes text.
        dropna : bool
            Leave out columns in which all cells are missing.
        margins_name : str
            What the row and the columns over all are called.

        Raises
        ------
        ValueError
            There would be more than 1600 columns, the most that PostgreSQL has.
        """
        rows, cuts = _pivot.keys_of(self, index, columns)
        cells = _pivot.cells_of(self, rows + cuts, values, aggfunc)
        layout = _pivot.Layout(rows, cuts, cells, margins_name if margins else None)
        return _pivot.pivot(self, layout, dropna)


def _renamed(names: list[str], others: Any, argument: str) -> list[str]:
    """Names of keys in a table, or the other ones that are given for them."""
    if others is None:
        return names
    chosen = [others] if isinstance(others, str) else list(others)
    if len(chosen) != len(names):
        raise ValueError(f"{argument} has not one name for each column")
    return chosen


def _float(value: Any = 0.0) -> float:
    return float("nan") if value is None else float(value)


def _quantile(share: float) -> str:
    return f"pg_catalog.percentile_cont({share}) WITHIN GROUP (ORDER BY ({{0}})::pg_catalog.float8)"
