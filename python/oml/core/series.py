"""Common base of the columns of proxies, and conditions."""

# check_sizes: comparisons of a Series return a Boolean, which is a Series itself.

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from oml._db import connection as db
from oml._db.parameters import plain_value
from oml.core import _numbers
from oml.core._expression import Expression, is_missing
from oml.core._query import Column, Source
from oml.core._sql import literal, quote
from oml.core._types import bare_type, class_of_frames, column_class

if TYPE_CHECKING:
    import numpy
    import pandas

    from oml._annotations import (
        AnyColumn,
        CellValue,
        NumpyObject,
        Percentiles,
        Reduced,
        UserFunction,
    )
    from oml._transfer.arrays import Array
    from oml.core.float import Float
    from oml.core.frame import DataFrame
    from oml.core.integer import Integer
    from oml.core.string import String
    from oml.core.timedelta import Timedelta

Self = TypeVar("Self", bound="Series")

_SHOWN = 20  # rows
_NOT_IMPLEMENTED: NumericSeries = NotImplemented
_NAME = re.compile(r'(?:[lr]\.)?"(?:[^"]|"")*"')  # plain column names, for which an index may exist


class Series(Expression):
    """One column of a proxy: an expression over the rows of its source.

    Columns are obtained from frames, `frame["name"]`, and by operators on columns. Only columns of
    the same rows can be combined. Operators do not run queries; pull() and the methods that return
    plain values do. Calling a class with a column casts it: `oml.Float(column)`.

    Parameters
    ----------
    other : column
        The column to cast.
    dbtype : str, optional
        An SQL type of the class, such as "real" or Oracle's "BINARY_DOUBLE".
    """

    __hash__ = None  # type: ignore[assignment]  # == returns a column
    __array_priority__ = 1000  # numpy's scalars defer operators to columns,
    __pandas_priority__ = 5000  # as do pandas' frames and series

    #: Target SQL type of casts to the class.
    _CAST = "text"

    def __init__(self, other: Series, dbtype: str | None = None) -> None:
        from oml.core._operations.casts import cast

        kind = type(self).__name__
        if not isinstance(other, Series):
            raise TypeError(
                f"oml.{kind}() requires a column, not a {type(other).__name__}; "
                "use oml.push() for local data"
            )
        made = cast(other._column, kind, self._CAST, dbtype)
        self._set(other._source, made.expression, other._name, made.sql_type)

    def __reduce__(self) -> Reduced:
        return _unpickle, (self._frame(),)

    # ----------------------------------------------------------------------------- the query

    @property
    def _sql(self) -> str:
        """The text of the query that reads the column."""
        return (
            f"SELECT {self._expression} AS {quote(self.columns[0])} "
            f"FROM {self._source.relation} AS t{self._source.order_by}"
        )

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and columns; the latter is 1."""
        return len(self), 1

    def pull(self) -> list[CellValue]:
        """Return the values as a list; NULL is None."""
        return [row[0] for row in db.connection().query(self._sql)[1]]

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the values as a stream of Arrow's C interface; see DataFrame."""
        from oml._transfer import arrow

        return arrow.column_stream(self._sql, requested_schema)

    def _frame(self) -> DataFrame:
        frame: DataFrame = class_of_frames()(self)
        return frame

    def _of_frame(self, frame: DataFrame) -> AnyColumn:
        """The column of a frame that consists of this column."""
        return frame[frame.columns[0]]

    @overload
    def _derive(
        self, expression: str, sql_type: Literal["boolean"], name: str | None = None
    ) -> Boolean: ...
    @overload
    def _derive(
        self, expression: str, sql_type: Literal["integer", "bigint"], name: str | None = None
    ) -> Integer: ...
    @overload
    def _derive(
        self, expression: str, sql_type: Literal["double precision"], name: str | None = None
    ) -> Float: ...
    @overload
    def _derive(
        self, expression: str, sql_type: Literal["text"], name: str | None = None
    ) -> String: ...
    @overload
    def _derive(
        self, expression: str, sql_type: Literal["interval"], name: str | None = None
    ) -> Timedelta: ...
    @overload
    def _derive(self, expression: str, sql_type: str, name: str | None = None) -> AnyColumn: ...
    def _derive(self, expression: str, sql_type: str, name: str | None = None) -> AnyColumn:
        return super()._derive(expression, sql_type, name)

    def _condition(self, expression: str) -> Boolean:
        """A Boolean column; it has no name, as in Oracle."""
        return self._derive(expression, "boolean", "")

    def _apply(self, other: object, template: str, sql_type: str) -> AnyColumn:
        """Combine with another column or a constant: {0} and {1} of the template."""
        return self._derive(template.format(self._expression, self._operand(other)), sql_type)

    def __len__(self) -> int:
        sql = f"SELECT pg_catalog.count(*) FROM {self._source.relation} AS t"
        return int(db.connection().query(sql)[1][0][0])

    def __iter__(self) -> Iterator[CellValue]:
        return iter(self.pull())

    def __contains__(self, value: object) -> bool:
        """Whether the column contains a value; for None and NaN, whether a value is missing."""
        if isinstance(value, Series):
            raise TypeError("a column cannot be a value of another column; use isin()")
        value = plain_value(value)
        try:
            if not is_missing(value):
                self._filled_type(value)
        except TypeError:  # a value of another type
            return False
        condition = (self == value)._expression
        sql = f"SELECT EXISTS (SELECT FROM {self._source.relation} AS t WHERE {condition})"
        return bool(db.connection().query(sql)[1][0][0])

    def __repr__(self) -> str:
        names, more = self.head(_SHOWN + 1).pull(), ""
        if len(names) > _SHOWN:
            del names[_SHOWN:]
            more = ", ..."
        return "[" + ", ".join(map(repr, names)) + more + "]"

    def _repr_html_(self) -> str | None:
        """Return the first values as HTML, None where pandas is set to show texts."""
        frame = self._frame().head(_SHOWN + 1).pull()
        shown: Any = frame.head(_SHOWN)  # pandas-stubs know no _repr_html_()
        text: str | None = shown._repr_html_()
        if text is None:
            return None
        more = f"the first {_SHOWN} values, " if len(frame) > _SHOWN else ""
        return f"{text}<p>[{more}{type(self).__name__}]</p>"

    # --------------------------------------------------------------------- numpy and pandas

    def __array__(self, dtype: NumpyObject = None, copy: bool | None = None) -> Array:
        """Return the pulled values in the form expected by numpy.asarray() and pandas.Series()."""
        from oml.core._numpy import as_array

        return as_array(self._frame().pull().iloc[:, 0], dtype, copy)

    def __array_ufunc__(
        self, ufunc: numpy.ufunc, method: str, *inputs: NumpyObject, **keywords: NumpyObject
    ) -> NumpyObject:
        from oml.core._numpy import apply_ufunc

        return apply_ufunc(ufunc, method, inputs, keywords)

    def __array_function__(
        self,
        function: UserFunction,
        types: Iterable[type],
        args: tuple[NumpyObject, ...],
        kwargs: dict[str, NumpyObject],
    ) -> NumpyObject:
        from oml.core._numpy import apply_function

        return apply_function(function, args, kwargs)

    # ------------------------------------------------------------------------------ the rows

    def head(self: Self, n: int = 5) -> Self:
        """Return the column with its first `n` rows."""
        return self._of(self._source.first(n))

    def tail(self: Self, n: int = 5) -> Self:
        """Return the column with its last `n` rows."""
        return self._of(self._source.last(n))

    def __getitem__(self: Self, key: object) -> Self:
        if not isinstance(key, Boolean):
            raise TypeError("rows of a column must be selected by a Boolean column")
        return self._of(self._source.where(self._operand(key)))

    def dropna(self: Self) -> Self:
        """Return the column without its missing values."""
        return self._of(self._source.where(f"NOT {self._is_missing}"))

    def drop_duplicates(self: Self) -> Self:
        """Return a column of the distinct values."""
        made: Self = self._of_frame(self._frame().drop_duplicates())
        return made

    def sort_values(self: Self, ascending: bool = True, na_position: str = "last") -> Self:
        """Return the sorted column."""
        item = order_item(self._column, ascending, na_position)
        source = self._source
        return self._of(Source(source.relation, (item, *source.order), source.tables))

    def append(self, other: object, all: bool = True) -> AnyColumn:
        """Return the values of this column followed by those of another column of its class.

        Parameters
        ----------
        other : column
            Integer and Float columns may be combined.
        all : bool
            Keep duplicate values.
        """
        if not isinstance(other, Series):
            raise TypeError(f"a {type(other).__name__} cannot be appended to a column")
        return self._of_frame(self._frame().append(other._frame(), all))

    def concat(self, other: object, auto_name: bool = False) -> DataFrame:
        """Return a frame of this column and others of the same rows; see DataFrame.concat()."""
        return self._frame().concat(other, auto_name)

    def sample(
        self: Self, frac: float | None = None, n: int | None = None, random_state: int | None = None
    ) -> Self:
        """Return randomly selected values; see DataFrame.sample()."""
        made: Self = self._of_frame(self._frame().sample(frac, n, random_state))
        return made

    def split(
        self: Self,
        ratio: Sequence[float] = (0.7, 0.3),
        seed: int = 12345,
        use_hash: bool = True,
        nvl: object = None,
    ) -> tuple[Self, ...]:
        """Split the column into columns of about these shares; see DataFrame.split()."""
        parts = self._frame().split(ratio, seed, None, use_hash, None, nvl)
        return tuple(self._of_frame(part) for part in parts)

    def KFold(
        self: Self, n_splits: int = 3, seed: int = 12345, use_hash: bool = True, nvl: object = None
    ) -> list[tuple[Self, Self]]:
        """Return (train, test) pairs of columns; see DataFrame.KFold()."""
        folds = self._frame().KFold(n_splits, seed, None, use_hash, None, nvl)
        return [(self._of_frame(train), self._of_frame(test)) for train, test in folds]

    def materialize(self: Self, table: str | None = None) -> Self:
        """Write the values to a table and return its column; see DataFrame.materialize()."""
        made: Self = self._of_frame(self._frame().materialize(table))
        return made

    def create_view(self, view: str | None = None, use_colname: bool = False) -> DataFrame:
        """Create a view of the column and return its frame; see DataFrame.create_view()."""
        return self._frame().create_view(view, use_colname)

    # ---------------------------------------------------------------------- missing and other

    def replace(
        self, old: Sequence[CellValue], new: Sequence[CellValue], default: object = None
    ) -> AnyColumn:
        """Return the column with some values replaced.

        Parameters
        ----------
        old : list
            Numbers, texts or booleans, like the column; None and NaN are missing values.
        new : list
            An equal number of replacements of one of these types; None is a missing value.
        default : optional
            Replacement for all values that are not in `old`. Required if `new` has another type
            than the column.
        """
        from oml.core._operations.replacement import Rules

        return self._derive(*Rules(old, new, default).apply(self._name, self._column))

    def fillna(self, value: object) -> AnyColumn:
        """Return the column with missing values replaced by a value, or by another column's
        values."""
        if not isinstance(value, Series):
            value = plain_value(value)
            if is_missing(value):
                return self._derive(self._expression, self._sql_type)
        kind = self._filled_type(value)
        expression = f"COALESCE({self._present}, {self._compared(value)})"
        return self._derive(f"CAST({expression} AS {kind})", kind)

    def _filled_type(self, value: object) -> str:
        """The SQL type of the column after its missing values have been replaced."""
        if isinstance(value, Series) and type(value) is not type(self):
            raise TypeError(f"a {type(self).__name__} column cannot be filled with {_kind(value)}")
        return self._sql_type

    # ----------------------------------------------------------------------------- operators

    def isnull(self) -> Boolean:
        """Whether the values are missing, a Boolean column."""
        return self._condition(self._is_missing)

    def isin(self, values: Iterable[CellValue]) -> Boolean:
        """Whether the values are in a list or column, a Boolean column.

        Parameters
        ----------
        A list, or a column of any rows.
        """
        if isinstance(values, Series):
            return self._is_in_column(values)
        if isinstance(values, (str, bytes)):
            raise TypeError("isin() requires a list of values or a column")
        listed = [plain_value(value) for value in values]
        items = [self._compared(value) for value in listed if not is_missing(value)]
        found = f"({self._expression} IN ({', '.join(items)}))" if items else "FALSE"
        if len(items) < len(listed):
            found = f"({found} OR {self._is_missing})"
        return self._condition(f"COALESCE({found}, FALSE)")

    def _is_in_column(self, other: Series) -> Boolean:
        """Whether the values are among those of a column, which may have other rows."""
        rows = f"FROM {other._source.relation} AS t"
        found = f"({self._present} IN (SELECT {other._present} {rows}))"
        missing = f"EXISTS (SELECT {rows} WHERE {other._is_missing})"
        # The result keeps the other column's rows alive.
        kept = [table for table in other._source.tables if table not in self._source.tables]
        self._source.tables = (*self._source.tables, *kept)
        return self._condition(
            f"(CASE WHEN {self._is_missing} THEN {missing} ELSE COALESCE({found}, FALSE) END)"
        )

    def _compared(self, other: object) -> str:
        """The right operand of a comparison."""
        return self._operand(other)

    def _left_of(self, other: object) -> str:
        """The left operand of a comparison."""
        return self._expression

    def __eq__(self, other: object) -> Boolean:  # type: ignore[override]
        if not isinstance(other, Series) and literal(other) == "NULL":
            return self.isnull()
        return self._condition(f"({self._left_of(other)} = {self._compared(other)})")

    def __ne__(self, other: object) -> Boolean:  # type: ignore[override]
        if not isinstance(other, Series) and literal(other) == "NULL":
            return self._condition(f"(NOT {self._is_missing})")
        return self._condition(f"({self._left_of(other)} <> {self._compared(other)})")

    def _ordered(self, other: object, sign: str) -> Boolean:
        """An ordering comparison; NaN, PostgreSQL's largest number, counts as missing here."""
        sides, tests = [self._left_of(other), self._compared(other)], []
        for position, column in enumerate((self, other)):
            if not isinstance(column, Series):
                if is_missing(plain_value(column)):
                    return self._condition("NULL::pg_catalog.bool")
            elif column._present != column._expression == sides[position]:
                if _NAME.fullmatch(sides[position]):  # unwrapped, so that an index can be used
                    tests.append(f" AND {column._present} = {sides[position]}")
                else:
                    sides[position] = column._present
        return self._condition(f"({sides[0]} {sign} {sides[1]}{''.join(tests)})")

    def __lt__(self, other: object) -> Boolean:
        return self._ordered(other, "<")

    def __le__(self, other: object) -> Boolean:
        return self._ordered(other, "<=")

    def __gt__(self, other: object) -> Boolean:
        return self._ordered(other, ">")

    def __ge__(self, other: object) -> Boolean:
        return self._ordered(other, ">=")

    def __bool__(self) -> bool:
        raise TypeError(
            "the truth value of a column is ambiguous: combine conditions with & | ~, "
            "or pull() the values"
        )

    # ---------------------------------------------------------------------------- aggregates

    def _aggregate(self, template: str, skipna: bool = True) -> CellValue:
        """An aggregate over all rows; missing values are ignored, or make it missing."""
        value = template.format(self._present)
        if not skipna:
            has_missing = f"COALESCE(pg_catalog.bool_or({self._is_missing}), FALSE)"
            value = f"CASE WHEN NOT {has_missing} THEN {value} END"
        sql = f"SELECT {value} FROM {self._source.relation} AS t"
        return db.connection().query(sql)[1][0][0]

    def count(self) -> int:
        """Return the number of non-missing values."""
        return int(self._aggregate("pg_catalog.count({0})"))

    def nunique(self, dropna: bool = True) -> int:
        """Return the number of distinct values."""
        count = f"pg_catalog.count(DISTINCT {self._distinct})"
        if not dropna:
            count += f" + COALESCE(pg_catalog.max({self._is_missing}::int), 0)"
        sql = f"SELECT {count} FROM {self._source.relation} AS t"
        return int(db.connection().query(sql)[1][0][0])

    def _extreme(self, function: str, skipna: bool) -> CellValue:
        """The minimum or maximum, also of types for which PostgreSQL has no such aggregate."""
        direction = "ASC" if function == "min" else "DESC"
        rows = f"FROM {self._source.relation} AS t"
        order = f"ORDER BY {self._distinct} {direction} LIMIT 1"
        value = f"(SELECT {self._present} {rows} WHERE NOT {self._is_missing} {order})"
        if not skipna:
            value = (
                f"CASE WHEN NOT EXISTS (SELECT {rows} WHERE {self._is_missing}) THEN {value} END"
            )
        return db.connection().query(f"SELECT {value}")[1][0][0]

    def min(self, skipna: bool = True) -> CellValue:
        """Return the minimum, None if there are no values.

        Parameters
        ----------
        skipna : bool
            Ignore missing values; False: None if a value is missing.
        """
        return self._extreme("min", skipna)

    def max(self, skipna: bool = True) -> CellValue:
        """Return the maximum, None if there are no values; see min()."""
        return self._extreme("max", skipna)

    def describe(self) -> pandas.Series[CellValue]:
        """Return count, number of distinct values, the most frequent value and its frequency."""
        from oml.core._operations.summary import describe

        described: pandas.Series[CellValue] = describe(self._query, self.columns, None).iloc[:, 0]
        return described


class NumericSeries(Series):
    """A numeric column.

    Arithmetic follows numpy: division by zero gives infinity or NaN, a fractional power of a
    negative number gives NaN. Integers divided by zero with // and % are missing.
    """

    _IS_INTEGER = False

    def _compared(self, other: object) -> str:
        value = other if isinstance(other, Series) else plain_value(other)
        if isinstance(value, bool):
            return str(int(value))
        if isinstance(value, Series) and bare_type(value._sql_type) == "boolean":
            return f"({self._operand(value)})::pg_catalog.int4"
        return self._operand(value)

    def _is_whole(self, other: object) -> bool:
        if isinstance(other, Series):
            return bool(getattr(other, "_IS_INTEGER", False)) or other._sql_type == "boolean"
        return isinstance(other, int) and -(2**63) <= other < 2**63

    def _result_type(self, other: object) -> str:
        return "bigint" if self._IS_INTEGER and self._is_whole(other) else "double precision"

    def _number(self, other: object) -> str:
        """The other operand of arithmetic, in a type wide enough to avoid early overflow."""
        if isinstance(other, Series):
            if not isinstance(other, NumericSeries):
                return f"({self._operand(other)})::pg_catalog.int4::pg_catalog.int8"
        elif not hasattr(other, "__float__"):
            raise TypeError(f"arithmetic with a {type(other).__name__} is not supported")
        elif isinstance(other, bool):
            other = int(other)
        return _widened(self._operand(other), getattr(other, "_sql_type", ""))

    def _sides(self, other: object, is_swapped: bool) -> tuple[str, str]:
        sides = _widened(self._expression, self._sql_type), self._number(other)
        return (sides[1], sides[0]) if is_swapped else sides

    def _numeric(self, expression: str, sql_type: str) -> NumericSeries:
        """_derive(), of a type of numbers."""
        column: NumericSeries = self._derive(expression, sql_type)
        return column

    def _arithmetic(self, other: object, sign: str, is_swapped: bool = False) -> NumericSeries:
        if not _is_number(other):
            return _NOT_IMPLEMENTED
        other = other if isinstance(other, Series) else plain_value(other)
        x, y = self._sides(other, is_swapped)
        return self._numeric(f"({x} {sign} {y})", self._result_type(other))

    def _function_of_two(
        self, other: object, whole: str | None, body: str, is_swapped: bool = False
    ) -> NumericSeries:
        """A template of module _numbers: one for integers, one for other numbers."""
        if not _is_number(other):
            return _NOT_IMPLEMENTED
        other = other if isinstance(other, Series) else plain_value(other)
        x, y = self._sides(other, is_swapped)
        if whole is not None and self._result_type(other) == "bigint":
            return self._derive(_numbers.once(whole, x, y), "bigint")
        x, y = f"({x})::pg_catalog.float8", f"({y})::pg_catalog.float8"
        return self._derive(_numbers.once(body, x, y), "double precision")

    def __add__(self, other: object) -> NumericSeries:
        return self._arithmetic(other, "+")

    def __radd__(self, other: object) -> NumericSeries:
        return self._arithmetic(other, "+", True)

    def __sub__(self, other: object) -> NumericSeries:
        return self._arithmetic(other, "-")

    def __rsub__(self, other: object) -> NumericSeries:
        return self._arithmetic(other, "-", True)

    def __mul__(self, other: object) -> AnyColumn:
        if not isinstance(other, Series) and isinstance(plain_value(other), datetime.timedelta):
            value = f"({self._expression})::pg_catalog.float8"
            return self._derive(f"({literal(other)} * {value})", "interval")
        return self._arithmetic(other, "*")

    def __rmul__(self, other: object) -> AnyColumn:
        if not isinstance(other, Series) and isinstance(plain_value(other), datetime.timedelta):
            return self * other
        return self._arithmetic(other, "*", True)

    def __truediv__(self, other: object) -> NumericSeries:
        return self._function_of_two(other, None, _numbers.DIVISION)

    def __rtruediv__(self, other: object) -> NumericSeries:
        return self._function_of_two(other, None, _numbers.DIVISION, True)

    def __floordiv__(self, other: object) -> NumericSeries:
        return self._function_of_two(other, _numbers.INTEGER_FLOOR, _numbers.FLOOR_DIVISION)

    def __rfloordiv__(self, other: object) -> NumericSeries:
        return self._function_of_two(other, _numbers.INTEGER_FLOOR, _numbers.FLOOR_DIVISION, True)

    def __mod__(self, other: object) -> NumericSeries:
        """As in Python, the result has the sign of the divisor."""
        return self._function_of_two(other, _numbers.INTEGER_REMAINDER, _numbers.REMAINDER)

    def __rmod__(self, other: object) -> NumericSeries:
        return self._function_of_two(other, _numbers.INTEGER_REMAINDER, _numbers.REMAINDER, True)

    def __divmod__(self, other: object) -> tuple[NumericSeries, NumericSeries]:
        return self // other, self % other

    def __rdivmod__(self, other: object) -> tuple[NumericSeries, NumericSeries]:
        return other // self, other % self

    def __pow__(self, other: object) -> NumericSeries:
        return self._function_of_two(other, None, _numbers.POWER)

    def __rpow__(self, other: object) -> NumericSeries:
        return self._function_of_two(other, None, _numbers.POWER, True)

    def __matmul__(self, other: object) -> AnyColumn:
        if not isinstance(other, Series) and not hasattr(other, "t_dot"):
            return NotImplemented
        return self.dot(other)

    def __neg__(self) -> NumericSeries:
        return self._numeric(f"(- {_widened(self._expression, self._sql_type)})", self._wide_type)

    def __pos__(self) -> NumericSeries:
        return self._numeric(self._expression, self._sql_type)

    def __abs__(self) -> NumericSeries:
        value = _widened(self._expression, self._sql_type)
        return self._numeric(f"pg_catalog.abs({value})", self._wide_type)

    def __round__(self, digits: int | None = None) -> NumericSeries:
        return self.round(digits or 0)

    def __floor__(self) -> NumericSeries:
        return self.floor()

    def __ceil__(self) -> NumericSeries:
        return self.ceil()

    def __trunc__(self) -> NumericSeries:
        return self._whole("trunc")

    @property
    def _wide_type(self) -> str:
        wide = {"smallint": "bigint", "integer": "bigint", "oid": "bigint"}
        return wide.get(
            self._sql_type, "double precision" if self._sql_type == "real" else self._sql_type
        )

    # ----------------------------------------------------------------------------- functions

    def _function(self, name: str) -> NumericSeries:
        return self._derive(_numbers.function(name, self._expression), "double precision")

    def _whole(self, name: str) -> NumericSeries:
        if self._IS_INTEGER:
            return self._numeric(self._expression, self._sql_type)
        return self._numeric(f"pg_catalog.{name}({self._expression})", self._wide_type)

    def exp(self) -> NumericSeries:
        """Return e raised to the power of the values, a Float column."""
        return self._function("exp")

    def log(self, base: float | None = None) -> NumericSeries:
        """Return the logarithms, a Float column: minus infinity for 0, NaN for negative numbers.

        Parameters
        ----------
        base : number, optional
            e by default.
        """
        if base is None:
            return self._function("log")
        if not base > 0 or base == 1:
            raise ValueError("base must be positive and not 1")
        if base in (2, 10):
            return self._function(f"log{int(base)}")
        natural = self._function("log")
        divisor = f"pg_catalog.ln({literal(float(base))})"
        return self._derive(f"({natural._expression} / {divisor})", "double precision")

    def sqrt(self) -> NumericSeries:
        """Return the square roots, a Float column: NaN for negative numbers."""
        return self._function("sqrt")

    def ceil(self) -> NumericSeries:
        """Return the smallest integers that are not less than the values."""
        return self._whole("ceil")

    def floor(self) -> NumericSeries:
        """Return the largest integers that are not greater than the values."""
        return self._whole("floor")

    def round(self, decimals: int = 0) -> NumericSeries:
        """Return the column rounded; before the decimal point if `decimals` is negative."""
        raise NotImplementedError

    def isnan(self) -> Boolean:
        """Whether the values are NaN or missing, which are not distinguished: a Boolean column."""
        return self._condition(self._is_missing)

    def isinf(self) -> Boolean:
        """Whether the values are infinite, a Boolean column."""
        if self._IS_INTEGER:
            return self._condition("FALSE")
        value = f"pg_catalog.abs(({self._expression})::pg_catalog.float8)"
        return self._condition(f"COALESCE({value} = 'Infinity', FALSE)")

    def cut(
        self,
        bins: object,
        right: bool = True,
        labels: Sequence[str] | Literal[False] | None = None,
        retbins: bool = False,
        precision: int = 3,
        include_lowest: bool = False,
        duplicates: str = "raise",
    ) -> AnyColumn:
        """Return the bin of each value, a String column named Bin(name).

        Parameters
        ----------
        bins : int or list of numbers
            Number of bins of equal width over the range of the values, which is queried now; or the
            edges of the bins.
        right : bool
            Whether bins include their right edges instead of their left edges.
        labels : list of str, or False, optional
            Names of the bins, instead of `(0.0, 1.5]`; False: their numbers from 0, an Integer
            column.
        retbins : bool
            Also return the edges.
        precision : int
            Digits of the edges in the names of bins.
        include_lowest : bool
            Whether the first bin includes its left edge.
        duplicates : "raise" or "drop"
            Treatment of equal edges.

        Returns
        -------
        column, or (column, numpy.ndarray)
            Values outside of all bins are missing.
        """
        from oml.core._operations.bins import cut

        made, edges = cut(self._source.relation, self._column, bins, {
            "right": right, "labels": labels, "precision": precision,
            "include_lowest": include_lowest, "duplicates": duplicates,
        })  # fmt: skip
        column = self._derive(*made, f"Bin({self._name})" if self._name else "")
        return (column, edges) if retbins else column

    def dot(
        self, other: object = None, skipna: bool = True, pull_from_db: bool = True
    ) -> AnyColumn:
        """Return the inner product with another column, or with each column of a frame.

        Parameters
        ----------
        other : column or DataFrame, optional
            Must have the same rows; the column itself by default.
        skipna : bool
            Treat missing values as 0; False: products computed from missing values are missing.
        pull_from_db : bool
            False: return a proxy; see DataFrame.t_dot().

        Returns
        -------
        float, pandas.Series if `other` is a frame, or DataFrame
        """
        product = self._frame().t_dot(self if other is None else other, skipna, pull_from_db)
        if not pull_from_db:
            return product
        return float(product.iloc[0]) if product.ndim == 1 else product.iloc[0]

    def _filled_type(self, value: object) -> str:
        if isinstance(value, Series):
            if not isinstance(value, NumericSeries):
                raise TypeError(
                    f"a {type(self).__name__} column cannot be filled with {_kind(value)}"
                )
        elif not isinstance(value, (int, float, decimal.Decimal)):
            raise TypeError(f"cannot fill a numeric column with a {type(value).__name__}")
        if self._IS_INTEGER:
            return "bigint" if self._is_whole(value) else "double precision"
        if self._sql_type == "real" or isinstance(value, float):
            return "double precision"
        return bare_type(self._sql_type)

    # ---------------------------------------------------------------------------- aggregates

    def _plain(self, value: CellValue) -> CellValue:
        if isinstance(value, decimal.Decimal):
            return int(value) if self._IS_INTEGER else float(value)
        return value

    def sum(self, skipna: bool = True) -> CellValue:
        """Return the sum, 0 if there are no values."""
        found = self._aggregate("COALESCE(pg_catalog.sum({0}), 0)", skipna)
        return float("nan") if found is None else self._plain(found)

    def _extreme(self, function: str, skipna: bool) -> CellValue:
        return self._plain(self._aggregate(f"pg_catalog.{function}({{0}})", skipna))

    def _float_aggregate(self, template: str, skipna: bool = True) -> float:
        value = self._aggregate(template, skipna)
        return float("nan") if value is None else float(value)

    def mean(self, skipna: bool = True) -> float:
        """Return the mean, NaN if there are no values."""
        return self._float_aggregate("pg_catalog.avg({0})", skipna)

    def std(self, skipna: bool = True, ddof: int = 1) -> float:
        """Return the standard deviation of a sample, NaN with fewer than two values.

        Parameters
        ----------
        skipna : bool
            Ignore missing values; False: NaN if a value is missing.
        ddof : 1 or 0
            0: of the whole population, as in numpy.std().
        """
        if ddof not in (0, 1):
            raise ValueError("ddof must be 1 or 0")
        return self._float_aggregate(f"pg_catalog.stddev_{('pop', 'samp')[ddof]}({{0}})", skipna)

    def median(self, skipna: bool = True) -> float:
        """Return the median, NaN if there are no values."""
        return self._float_aggregate(
            "pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY ({0})::pg_catalog.float8)",
            skipna,
        )

    def skew(self, skipna: bool = True, bias: bool = True) -> float:
        """Return the skewness, NaN if there are no values; see DataFrame.skew()."""
        return float(self._frame().skew(skipna, bias).iloc[0])

    def kurtosis(self, skipna: bool = True, bias: bool = True) -> float:
        """Return the excess kurtosis, NaN if there are no values; see DataFrame.kurtosis()."""
        return float(self._frame().kurtosis(skipna, bias).iloc[0])

    def cumsum(
        self: Self, ascending: bool = True, na_position: str = "last", skipna: bool = True
    ) -> Self:
        """Return the running sums of the sorted values; see DataFrame.cumsum()."""
        frame = self._frame().cumsum(self.columns[0], ascending, na_position, skipna)
        made: Self = self._of_frame(frame)
        return made

    def describe(self, percentiles: Percentiles = None) -> pandas.Series[CellValue]:
        """Return count, mean, deviation, extremes and percentiles; see DataFrame.describe().

        Parameters
        ----------
        percentiles : list of numbers from 0 to 1, or bool, optional
            Quartiles by default and if True; False: none.
        """
        from oml.core._operations.summary import describe

        described: pandas.Series[CellValue] = describe(self._query, self.columns, percentiles).iloc[
            :, 0
        ]
        return described


@column_class("boolean")
class Boolean(Series):
    """A column of booleans: selects rows, `frame[column]`, and supports & | ~.

    As in SQL, a condition on a missing value is missing, and selects no row. In arithmetic and in
    comparisons with numbers, true is 1 and false is 0.
    """

    _CAST = "boolean"

    def _combined(self, other: object, template: str) -> Boolean:
        other = other if isinstance(other, Series) else plain_value(other)
        if not isinstance(other, (Boolean, bool)):
            raise TypeError("only conditions can be combined with & and |; use parentheses")
        return self._condition(template.format(self._expression, self._operand(other)))

    def __and__(self, other: object) -> Boolean:
        return self._combined(other, "({0} AND {1})")

    def __rand__(self, other: object) -> Boolean:
        return self._combined(other, "({1} AND {0})")

    def __or__(self, other: object) -> Boolean:
        return self._combined(other, "({0} OR {1})")

    def __ror__(self, other: object) -> Boolean:
        return self._combined(other, "({1} OR {0})")

    def __xor__(self, other: object) -> Boolean:
        return self._combined(other, "({0} <> {1})")

    def __rxor__(self, other: object) -> Boolean:
        return self._combined(other, "({1} <> {0})")

    def __invert__(self) -> Boolean:
        return self._condition(f"(NOT {self._expression})")

    @property
    def _as_number(self) -> Integer:
        return self._derive(f"({self._expression})::pg_catalog.int4", "integer")

    def _is_number(self, other: object) -> bool:
        other = other if isinstance(other, Series) else plain_value(other)
        return isinstance(other, NumericSeries) or (
            isinstance(other, (int, float)) and not isinstance(other, bool)
        )

    def _left_of(self, other: object) -> str:
        return str(self._as_number._expression) if self._is_number(other) else self._expression

    def _arithmetic(self, other: object, name: str) -> NumericSeries:
        if not self._is_number(other):
            return _NOT_IMPLEMENTED
        result: NumericSeries = getattr(self._as_number, name)(other)
        return result

    def __add__(self, other: object) -> NumericSeries:
        return self._arithmetic(other, "__add__")

    def __radd__(self, other: object) -> NumericSeries:
        return self._arithmetic(other, "__radd__")

    def __sub__(self, other: object) -> NumericSeries:
        return self._arithmetic(other, "__sub__")

    def __rsub__(self, other: object) -> NumericSeries:
        return self._arithmetic(other, "__rsub__")

    def __mul__(self, other: object) -> NumericSeries:
        return self._arithmetic(other, "__mul__")

    def __rmul__(self, other: object) -> NumericSeries:
        return self._arithmetic(other, "__rmul__")

    def __truediv__(self, other: object) -> NumericSeries:
        return self._arithmetic(other, "__truediv__")

    def __rtruediv__(self, other: object) -> NumericSeries:
        return self._arithmetic(other, "__rtruediv__")

    def all(self) -> bool:
        """Return whether all values are true, ignoring missing ones."""
        return self._aggregate("pg_catalog.bool_and({0})") is not False

    def any(self) -> bool:
        """Return whether any value is true."""
        return self._aggregate("pg_catalog.bool_or({0})") is True

    def sum(self) -> int:
        """Return the number of true values."""
        return int(self._aggregate("pg_catalog.count(*) FILTER (WHERE {0})"))

    def mean(self) -> float:
        """Return the share of true values, NaN if there are no values."""
        value = self._aggregate("pg_catalog.avg(({0})::int)")
        return float("nan") if value is None else float(value)

    def _extreme(self, function: str, skipna: bool) -> CellValue:
        template = {"min": "pg_catalog.bool_and({0})", "max": "pg_catalog.bool_or({0})"}[function]
        return self._aggregate(template, skipna)


Boolean.__module__ = "oml.core.boolean"  # public module


def _is_number(other: object) -> bool:
    """Whether an object is accepted as the other operand of arithmetic, or rejected with an
    error."""
    if isinstance(other, Series):
        return isinstance(other, NumericSeries) or bare_type(other._sql_type) == "boolean"
    if not getattr(other, "ndim", 0):
        return True
    if type(other).__module__.startswith("pandas."):
        from oml.core._numpy import refuse_local

        raise refuse_local(other)
    return False  # numpy calls __array_ufunc__


def _kind(column: Series) -> str:
    return f"a column of class {type(column).__name__}"


def _widened(expression: str, sql_type: str) -> str:
    """pandas computes with 64 bits."""
    if sql_type in ("smallint", "integer", "oid"):
        return f"({expression})::pg_catalog.int8"
    return f"({expression})::pg_catalog.float8" if sql_type == "real" else expression


def order_item(column: Column, ascending: bool, na_position: str) -> str:
    """Return an item of ORDER BY; not a plain name, which would refer to a result column."""
    if na_position not in ("first", "last"):
        raise ValueError("na_position must be 'first' or 'last'")
    direction = "ASC" if ascending else "DESC"
    return f"COALESCE({column.present}) {direction} NULLS {na_position.upper()}"


def _unpickle(frame: DataFrame) -> AnyColumn:
    return frame[frame.columns[0]]
