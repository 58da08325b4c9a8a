"""What the columns of proxies have in common."""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from typing import Any, TypeVar

from oml import _session
from oml.core._classes import series_class
from oml.core._source import Source
from oml.core._sql import literal, quote

Self = TypeVar("Self", bound="Series")


class Series:
    """One column of a proxy: an expression over the rows of its source.

    Columns come from frames, `frame["name"]`, and from operators on columns; they are not made
    directly. Only columns of the same rows can be combined. Operators make no query: that is done
    by pull() and by the methods that return plain values.
    """

    __hash__ = None  # type: ignore[assignment]  # == makes a column

    def __init__(self, source: Source, expression: str, name: str, sql_type: str) -> None:
        self._source = source
        self._expression = expression
        self._name = name
        self._sql_type = sql_type

    def __reduce__(self) -> Any:
        return _unpickle, (self._frame(),)

    # ----------------------------------------------------------------------------- the query

    @property
    def _sql(self) -> str:
        """The text of the query that reads the column."""
        return (
            f"SELECT {self._expression} AS {quote(self._name)} "
            f"FROM {self._source.relation} AS t{self._source.order_by}"
        )

    @property
    def columns(self) -> list[str]:
        """The column's name, in a list."""
        return [self._name]

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns; the latter is 1."""
        return len(self), 1

    def pull(self) -> list[Any]:
        """Return the values as a list; NULL is None."""
        return [row[0] for row in _session.connection().query(self._sql)[1]]

    def _frame(self) -> Any:
        from oml.core.frame import DataFrame

        return DataFrame(self)

    def _of(self: Self, source: Source) -> Self:
        """The same column of another source with the same columns."""
        return type(self)(source, self._expression, self._name, self._sql_type)

    def _derive(self, expression: str, sql_type: str) -> Any:
        return series_class(sql_type)(self._source, expression, self._name, sql_type)

    def _operand(self, other: Any) -> str:
        """What stands for the other side of an operator."""
        if isinstance(other, Series):
            if other._source is not self._source:
                raise ValueError("columns of different rows cannot be combined: merge the frames")
            return other._expression
        return literal(other)

    def _apply(self, other: Any, template: str, sql_type: str) -> Any:
        """Combine with another column or a constant: {0} and {1} of the template."""
        return self._derive(template.format(self._expression, self._operand(other)), sql_type)

    def __len__(self) -> int:
        sql = f"SELECT pg_catalog.count(*) FROM {self._source.relation} AS t"
        return int(_session.connection().query(sql)[1][0][0])

    def __iter__(self) -> Any:
        return iter(self.pull())

    def __repr__(self) -> str:
        names, more = self.head(_SHOWN + 1).pull(), ""
        if len(names) > _SHOWN:
            del names[_SHOWN:]
            more = ", ..."
        return "[" + ", ".join(map(repr, names)) + more + "]"

    # ------------------------------------------------------------------------------ the rows

    def head(self: Self, n: int = 5) -> Self:
        """Return the column with its first `n` rows."""
        return self._of(self._source.first(n))

    def tail(self: Self, n: int = 5) -> Self:
        """Return the column with its last `n` rows."""
        return self._of(self._source.last(n))

    def __getitem__(self: Self, key: Any) -> Self:
        from oml.core.boolean import Boolean

        if not isinstance(key, Boolean):
            raise TypeError("rows of a column are chosen by a Boolean column")
        return self._of(self._source.where(self._operand(key)))

    def dropna(self: Self) -> Self:
        """Return the column without its missing values."""
        return self._of(self._source.where(f"NOT {self._is_missing}"))

    def drop_duplicates(self) -> Any:
        """Return a column with every value once."""
        return self._frame().drop_duplicates()[self._name]

    def sort_values(self: Self, ascending: bool = True, na_position: str = "last") -> Self:
        """Return the column in the order of its values."""
        item = order_item(self, ascending, na_position)
        source = self._source
        return self._of(Source(source.relation, (item, *source.order), source.tables))

    def replace(self, old: Sequence[Any], new: Sequence[Any], default: Any = None) -> Any:
        """Return the column with other values in place of some.

        Parameters
        ----------
        old : list
            Numbers, texts or truth values, as the column has; None and NaN: missing values.
        new : list
            As many; None makes a missing value.
        default : optional
            In place of all values that are not in `old`.
        """
        from oml.core._replacing import Rules

        return Rules(old, new, default).apply(self)

    # ----------------------------------------------------------------------------- operators

    @property
    def _present(self) -> str:
        """The expression, with NULL for what pandas takes as missing."""
        return self._expression

    @property
    def _is_missing(self) -> str:
        return f"({self._present} IS NULL)"

    def isnull(self) -> Any:
        """Whether the values are missing, a Boolean column."""
        return self._derive(self._is_missing, "boolean")

    def isin(self, values: Any) -> Any:
        """Whether the values are among some, a Boolean column."""
        items = [literal(value) for value in values if value is not None]
        found = f"({self._expression} IN ({', '.join(items)}))" if items else "FALSE"
        if len(items) < len(list(values)):
            found = f"({found} OR {self._is_missing})"
        return self._derive(f"COALESCE({found}, FALSE)", "boolean")

    def __eq__(self, other: Any) -> Any:
        if not isinstance(other, Series) and literal(other) == "NULL":
            return self.isnull()
        return self._apply(other, "({0} = {1})", "boolean")

    def __ne__(self, other: Any) -> Any:
        if not isinstance(other, Series) and literal(other) == "NULL":
            return self._derive(f"(NOT {self._is_missing})", "boolean")
        return self._apply(other, "({0} <> {1})", "boolean")

    def __lt__(self, other: Any) -> Any:
        return self._apply(other, "({0} < {1})", "boolean")

    def __le__(self, other: Any) -> Any:
        return self._apply(other, "({0} <= {1})", "boolean")

    def __gt__(self, other: Any) -> Any:
        return self._apply(other, "({0} > {1})", "boolean")

    def __ge__(self, other: Any) -> Any:
        return self._apply(other, "({0} >= {1})", "boolean")

    def __bool__(self) -> bool:
        raise TypeError("a column is neither true nor false: combine conditions with & | ~")

    # ---------------------------------------------------------------------------- aggregates

    def _aggregate(self, template: str) -> Any:
        """One value over all rows; a missing value counts for nothing."""
        sql = f"SELECT {template.format(self._present)} FROM {self._source.relation} AS t"
        return _session.connection().query(sql)[1][0][0]

    def count(self) -> int:
        """Return how many values are not missing."""
        return int(self._aggregate("pg_catalog.count({0})"))

    def nunique(self, dropna: bool = True) -> int:
        """Return how many different values there are."""
        count = "pg_catalog.count(DISTINCT {0})"
        if not dropna:
            count += " + pg_catalog.max(({0} IS NULL)::int)"
        return int(self._aggregate(count) or 0)

    def min(self) -> Any:
        """Return the least value, None without any."""
        return self._aggregate("pg_catalog.min({0})")

    def max(self) -> Any:
        """Return the greatest value, None without any."""
        return self._aggregate("pg_catalog.max({0})")


class NumericSeries(Series):
    """A column of numbers."""

    _IS_INTEGER = False

    def _result_type(self, other: Any) -> str:
        if isinstance(other, NumericSeries):
            is_integer = self._IS_INTEGER and other._IS_INTEGER
        else:
            is_integer = self._IS_INTEGER and isinstance(other, int)
        return "bigint" if is_integer else "double precision"

    def _number(self, other: Any) -> str:
        """The other side of arithmetic, wide enough not to overflow early."""
        if isinstance(other, Series) and not isinstance(other, NumericSeries):
            raise TypeError(f"no arithmetic with a column of class {type(other).__name__}")
        if not isinstance(other, Series) and not hasattr(other, "__float__"):
            raise TypeError(f"no arithmetic with a {type(other).__name__}")
        return _widened(self._operand(other), getattr(other, "_sql_type", ""))

    def _arithmetic(self, other: Any, template: str, sql_type: str, is_swapped: bool) -> Any:
        sides = [_widened(self._expression, self._sql_type), self._number(other)]
        if is_swapped:
            sides.reverse()
        return self._derive(template.format(*sides), sql_type)

    def __add__(self, other: Any) -> Any:
        return self._arithmetic(other, "({0} + {1})", self._result_type(other), False)

    def __radd__(self, other: Any) -> Any:
        return self._arithmetic(other, "({0} + {1})", self._result_type(other), True)

    def __sub__(self, other: Any) -> Any:
        return self._arithmetic(other, "({0} - {1})", self._result_type(other), False)

    def __rsub__(self, other: Any) -> Any:
        return self._arithmetic(other, "({0} - {1})", self._result_type(other), True)

    def __mul__(self, other: Any) -> Any:
        return self._arithmetic(other, "({0} * {1})", self._result_type(other), False)

    def __rmul__(self, other: Any) -> Any:
        return self._arithmetic(other, "({0} * {1})", self._result_type(other), True)

    # Division by zero is NULL.

    def __truediv__(self, other: Any) -> Any:
        return self._arithmetic(other, _DIVISION, "double precision", False)

    def __rtruediv__(self, other: Any) -> Any:
        return self._arithmetic(other, _DIVISION, "double precision", True)

    def __floordiv__(self, other: Any) -> Any:
        return self._floor_divide(other, False)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._floor_divide(other, True)

    def _floor_divide(self, other: Any, is_swapped: bool) -> Any:
        sql_type = self._result_type(other)
        template = _INTEGER_FLOOR if sql_type == "bigint" else f"pg_catalog.floor({_DIVISION})"
        return self._arithmetic(other, template, sql_type, is_swapped)

    def __mod__(self, other: Any) -> Any:
        """As Python has it: the result has the sign of the divisor."""
        sql_type = self._result_type(other)
        floor = _INTEGER_FLOOR if sql_type == "bigint" else f"pg_catalog.floor({_DIVISION})"
        return self._arithmetic(other, f"({{0}} - {{1}} * {floor})", sql_type, False)

    def __pow__(self, other: Any) -> Any:
        template = "pg_catalog.power(({0})::pg_catalog.float8, ({1})::pg_catalog.float8)"
        return self._arithmetic(other, template, "double precision", False)

    def __neg__(self) -> Any:
        return self._derive(f"(- {self._expression})", self._sql_type)

    def __abs__(self) -> Any:
        return self._derive(f"pg_catalog.abs({self._expression})", self._sql_type)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, decimal.Decimal):
            return int(value) if self._IS_INTEGER else float(value)
        return value

    def sum(self) -> Any:
        """Return the sum, 0 without values."""
        return self._plain(self._aggregate("pg_catalog.sum({0})")) or 0

    def min(self) -> Any:
        """Return the least value, None without any."""
        return self._plain(super().min())

    def max(self) -> Any:
        """Return the greatest value, None without any."""
        return self._plain(super().max())

    def _float_aggregate(self, template: str) -> float:
        value = self._aggregate(template)
        return float("nan") if value is None else float(value)

    def mean(self) -> float:
        """Return the mean, NaN without values."""
        return self._float_aggregate("pg_catalog.avg({0})")

    def std(self) -> float:
        """Return the standard deviation of a sample, NaN with less than two values."""
        return self._float_aggregate("pg_catalog.stddev_samp({0})")

    def median(self) -> float:
        """Return the median, NaN without values."""
        return self._float_aggregate(
            "pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY ({0})::pg_catalog.float8)"
        )

    def skew(self, skipna: bool = True) -> float:
        """Return the unbiased skewness, NaN with less than three values; see DataFrame.skew()."""
        return float(self._frame().skew(skipna).iloc[0])

    def kurtosis(self, skipna: bool = True) -> float:
        """Return the unbiased excess kurtosis, NaN with less than four values."""
        return float(self._frame().kurtosis(skipna).iloc[0])

    def cumsum(self, ascending: bool = True, na_position: str = "last", skipna: bool = True) -> Any:
        """Return the running sums of the sorted values; see DataFrame.cumsum()."""
        frame = self._frame().cumsum(self._name, ascending, na_position, skipna)
        return frame[self._name]


_SHOWN = 20  # rows
_DIVISION = "(({0})::pg_catalog.float8 / NULLIF(({1})::pg_catalog.float8, 0))"
_INTEGER_FLOOR = (
    "pg_catalog.floor(({0})::pg_catalog.numeric / NULLIF(({1})::pg_catalog.numeric, 0))"
    "::pg_catalog.int8"
)


def _widened(expression: str, sql_type: str) -> str:
    """pandas computes in 64 bits."""
    if sql_type in ("smallint", "integer", "oid"):
        return f"({expression})::pg_catalog.int8"
    return f"({expression})::pg_catalog.float8" if sql_type == "real" else expression


def order_item(column: Series, ascending: bool, na_position: str) -> str:
    """Return an item of ORDER BY, no mere name: that could be another one of the result's."""
    if na_position not in ("first", "last"):
        raise ValueError("na_position is 'first' or 'last'")
    direction = "ASC" if ascending else "DESC"
    return f"COALESCE({column._present}) {direction} NULLS {na_position.upper()}"


def _unpickle(frame: Any) -> Any:
    return frame[frame.columns[0]]
