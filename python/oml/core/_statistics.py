"""What proxies tell about their rows without bringing them along."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from oml import _session
from oml.core import _pivot, _products
from oml.core._base import BaseFrame, Column, Self
from oml.core._moments import moments, shape_of
from oml.core._source import Source
from oml.core._sql import quote
from oml.core.series import NumericSeries

if TYPE_CHECKING:
    import pandas


class Statistics(BaseFrame):
    """A frame that can be summed up."""

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

    def crosstab(
        self: Self, index: str | Iterable[str], columns: str | Iterable[str] | None = None
    ) -> Self:
        """Return how often every combination of values of some columns comes, in column count.

        Parameters
        ----------
        index : str or list of str
        columns : str or list of str, optional
            Further columns.
        """
        names = self._names(index) + (self._names(columns) if columns is not None else [])
        keys = [self._columns[name].expression for name in names]
        items = ", ".join(f"{key} AS {quote(name)}" for key, name in zip(keys, names))
        sql = (
            f'SELECT {items}, pg_catalog.count(*) AS "count" FROM {self._source.relation} AS t '
            f"GROUP BY {', '.join(keys)}"
        )
        parts = {name: Column(quote(name), self._columns[name].sql_type) for name in names}
        parts["count"] = Column('"count"', "bigint")
        return self._make(Source(f"({sql})", (), self._source.tables), parts)

    def skew(self, skipna: bool = True) -> pandas.Series[Any]:
        """Return the skewness of the columns of numbers, unbiased, as pandas has it.

        Parameters
        ----------
        skipna : bool
            Leave missing values out; False: NaN for columns that have some.
        """
        return self._shapes(3, skipna)

    def kurtosis(self, skipna: bool = True) -> pandas.Series[Any]:
        """Return the excess kurtosis of the columns of numbers, unbiased, as pandas has it.

        Parameters
        ----------
        skipna : bool
            Leave missing values out; False: NaN for columns that have some.
        """
        return self._shapes(4, skipna)

    def _shapes(self, power: int, skipna: bool) -> pandas.Series[Any]:
        import pandas

        names = self._numeric_names()
        values = []
        if names:
            values = moments(self._source.relation, [self._series(n)._present for n in names])
        shapes = [shape_of(found, power, skipna) for found in values]
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
        columns: str | Iterable[str],
        values: str | Iterable[str] | None = None,
        aggfunc: Any = None,
        margins: bool = False,
        dropna: bool = True,
        margins_name: str = "All",
    ) -> Self:
        """Return a table with a row for each value of some columns and a column for each of others.

        The columns are called `mean(speed)_(left)`: function, column, values. Which there are is
        looked up now; the rest is a query as any other.

        Parameters
        ----------
        index, columns : str or list of str
        values : str or list of str, optional
            What to aggregate: by default all other columns for which there is such an aggregate.
        aggfunc : function, str, or list of them, optional
            Of oml.DataFrame, or its name: count, max, mean (the default), median, min, nunique,
            std, sum.
        margins : bool
            Add a row and columns over all. The index then becomes text.
        dropna : bool
            Leave out rows in which a value of `index` or `columns` is missing.
        margins_name : str
            What the row and the columns over all are called.

        Raises
        ------
        ValueError
            There would be more than 1600 columns, the most that PostgreSQL has.
        """
        layout = _pivot.Layout.of(self, (index, columns, values), aggfunc)
        return _pivot.pivot(self, layout, margins_name if margins else None, dropna)


def _float(value: Any = 0.0) -> float:
    return float("nan") if value is None else float(value)


def _quantile(share: float) -> str:
    return f"pg_catalog.percentile_cont({share}) WITHIN GROUP (ORDER BY ({{0}})::pg_catalog.float8)"
