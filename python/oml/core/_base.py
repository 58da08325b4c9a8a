"""Base of the proxies of rows, and selection of parts of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from oml._db import connection as db
from oml.core._query import Column, ManagedTable, Query, Source
from oml.core._sql import quote
from oml.core._types import series_class
from oml.core.series import Boolean, Series

if TYPE_CHECKING:
    import numpy
    import pandas

    from oml._annotations import AnyColumn, CellValue, NumpyObject, Row, UserFunction
    from oml._transfer.arrays import Array
    from oml._transfer.pull import Chunks

Self = TypeVar("Self", bound="BaseFrame")

_SHOWN = 20  # rows


class BaseFrame:
    """A query: columns, each an expression, over the rows of a source."""

    __hash__ = object.__hash__

    def __init__(self, other: Series | BaseFrame | Mapping[str, Series]) -> None:
        self._source: Source
        self._columns: dict[str, Column]
        if isinstance(other, BaseFrame):
            self._source, self._columns = other._source, dict(other._columns)
            return
        columns = {other.columns[0]: other} if isinstance(other, Series) else dict(other)
        if not all(isinstance(column, Series) for column in columns.values()):
            raise TypeError("a frame consists of columns; use oml.push() for local data")
        sources = {id(column._source): column._source for column in columns.values()}
        if len(sources) != 1:
            raise ValueError("a frame requires one or more columns of the same rows")
        (self._source,) = sources.values()
        self._columns = {name: column._column for name, column in columns.items()}

    @classmethod
    def _make(cls: type[Self], source: Source, columns: dict[str, Column]) -> Self:
        frame = cls.__new__(cls)
        frame._source = source
        frame._columns = columns
        return frame

    @classmethod
    def _from_query(cls: type[Self], sql: str, tables: tuple[ManagedTable, ...] = ()) -> Self:
        """Return a proxy of a query without parameters."""
        return cls._from_relation(f"({sql}\n)", tables)

    @classmethod
    def _from_relation(
        cls: type[Self], relation: str, tables: tuple[ManagedTable, ...] = ()
    ) -> Self:
        """Return a proxy of an item of FROM; its columns are looked up now."""
        probe = f"SELECT * FROM {relation} AS t LIMIT 0"
        description = db.connection().query(probe)[0] or []
        columns = {name: Column(quote(name), sql_type) for name, sql_type in description}
        if len(columns) != len(description):
            raise ValueError("two columns have the same name: rename one in the query")
        if not columns:
            raise ValueError("the query has no columns")
        return cls._make(Source(relation, (), tables), columns)

    @classmethod
    def _from_parts(cls: type[Self], sql: str, columns: dict[str, str]) -> Self:
        """Return a proxy from its query and SQL types, without querying the server."""
        parts = {name: Column(quote(name), sql_type) for name, sql_type in columns.items()}
        return cls._make(Source(f"({sql}\n)"), parts)

    # ----------------------------------------------------------------------------- the query

    @property
    def _query(self) -> Query:
        return Query(self._source, self._columns)

    def _select(self, has_order: bool = True, distinct: str = "") -> str:
        return self._query.select(has_order, distinct)

    @property
    def _sql(self) -> str:
        """The text of the query: without parameters, with all constants quoted."""
        return self._select()

    @property
    def _is_temporary(self) -> bool:
        """Whether the rows are, or may be, in temporary tables dropped by this package."""
        return bool(self._source.tables)

    def _nested(self: Self, sql: str, others: tuple[ManagedTable, ...] = ()) -> Self:
        """Return a proxy of a query whose columns have the names of this frame's columns."""
        return self._make(*self._query.nested(sql, others))

    def _with(self: Self, source: Source) -> Self:
        return self._make(source, dict(self._columns))

    # --------------------------------------------------------------------------- properties

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        return list(self._columns)

    @property
    def dtypes(self) -> pandas.Series[CellValue]:
        """The columns' classes, by name."""
        import pandas

        classes = [series_class(column.sql_type) for column in self._columns.values()]
        return pandas.Series(classes, index=self.columns, dtype=object)

    def __len__(self) -> int:
        sql = f"SELECT pg_catalog.count(*) FROM {self._source.relation} AS t"
        return int(db.connection().query(sql)[1][0][0])

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns."""
        return len(self), len(self._columns)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    # --------------------------------------------------------------------- numpy and pandas

    __array_priority__ = 1000
    __pandas_priority__ = 5000

    def __array__(self, dtype: NumpyObject = None, copy: bool | None = None) -> Array:
        """Return the pulled rows in the form expected by numpy.asarray() and pandas.DataFrame().

        Raises
        ------
        TypeError
            pandas.DataFrame() requests the rows of an empty frame: the names would be lost.
        """
        from oml.core._numpy import as_array, rows_for_pandas

        caller = sys._getframe(1).f_globals.get("__name__")
        if caller == "pandas.core.frame":
            return rows_for_pandas(self)
        return as_array(self.pull(), dtype, copy)

    def __array_ufunc__(
        self, ufunc: numpy.ufunc, method: str, *inputs: NumpyObject, **keywords: NumpyObject
    ) -> NumpyObject:
        raise TypeError(
            f"numpy.{ufunc.__name__}() takes columns of a database frame, not the frame; "
            "use pull() to fetch its rows"
        )

    def __array_function__(
        self,
        function: UserFunction,
        types: Iterable[type],
        args: tuple[NumpyObject, ...],
        kwargs: dict[str, NumpyObject],
    ) -> NumpyObject:
        from oml.core._numpy import apply_frame_function

        return apply_frame_function(function, args, kwargs)

    @overload
    def pull(
        self, aslist: Literal[False] = False, *, dtype_backend: str | None = None
    ) -> pandas.DataFrame: ...
    @overload
    def pull(self, aslist: Literal[True]) -> list[Row]: ...
    @overload
    def pull(
        self, aslist: Literal[False] = False, *, dtype_backend: str | None = None, chunksize: int
    ) -> Chunks: ...

    def pull(
        self,
        aslist: bool = False,
        *,
        dtype_backend: str | None = None,
        chunksize: int | None = None,
    ) -> pandas.DataFrame | list[Row] | Chunks:
        """Return the rows as a pandas.DataFrame.

        Values have the types of the frames passed to scripts: docs/reference/types.md.

        Parameters
        ----------
        aslist : bool
            Return a list of tuples instead, with values as returned by a cursor.
        dtype_backend : {"numpy_nullable", "pyarrow"}, optional
            Columns of pandas' nullable dtypes, or of Arrow's types as in `__arrow_c_stream__()`.
        chunksize : int, optional
            Return an iterator of frames of that many rows. The server keeps the rows, the client
            one frame; other statements can run meanwhile. It is a context manager and has close().

        Raises
        ------
        DatabaseError
            The query failed, or the server's extension is older than 1.1 and one of the keywords
            is given.
        ImportError
            `dtype_backend="pyarrow"` without pyarrow.

        Examples
        --------
        >>> for frame in oml.sync(table="T").pull(chunksize=100_000):  # doctest: +SKIP
        ...     print(len(frame))
        """
        from oml._transfer import pull

        if aslist:
            if dtype_backend is not None or chunksize is not None:
                raise ValueError("aslist goes with neither dtype_backend nor chunksize")
            return db.connection().query(self._sql)[1]
        if dtype_backend not in (None, "numpy_nullable", "pyarrow"):
            raise ValueError('dtype_backend is "numpy_nullable", "pyarrow" or None')
        if chunksize is not None:
            return pull.pull_chunks(self._sql, chunksize, dtype_backend)
        return pull.pull_frame(self._sql, dtype_backend)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the rows as a stream of Arrow's C interface; it takes pyarrow.

        pyarrow, polars, DuckDB and other libraries read proxies by it: `pyarrow.table(proxy)`,
        `polars.DataFrame(proxy)`. The types are in docs/reference/oml-proxies.md.

        Raises
        ------
        DatabaseError
            The query failed, or a value has no counterpart in Arrow: SQLSTATE 22008.
        ImportError
            pyarrow is not installed.
        """
        from oml._transfer import arrow

        return arrow.frame_stream(self._sql, requested_schema)

    def __narwhals_dataframe__(self) -> object:
        """Return the rows for `narwhals.from_native()`; it takes pyarrow."""
        from oml._transfer import arrow

        return arrow.narwhals_frame(self._sql)

    def _shown(self) -> tuple[pandas.DataFrame, str]:
        frame = self.head(_SHOWN + 1).pull()
        if len(frame) <= _SHOWN:
            return frame, ""
        return frame.head(_SHOWN), f"[the first {_SHOWN} rows, {len(self._columns)} columns]"

    def __repr__(self) -> str:
        frame, note = self._shown()
        return f"{frame!r}\n\n{note}" if note else repr(frame)

    def _repr_html_(self) -> str | None:
        """Return the first rows as HTML, None where pandas is set to show texts."""
        frame, note = self._shown()
        shown: Any = frame  # pandas-stubs know no _repr_html_()
        html: str | None = shown._repr_html_()
        return f"{html}<p>{note}</p>" if html is not None and note else html

    # ---------------------------------------------------------------------- names of columns

    def __getattr__(self, name: str) -> AnyColumn:
        """A column as an attribute, if the class has no attribute of that name."""
        columns: dict[str, Column] = self.__dict__.get("_columns", {})
        if name.startswith("_") or name not in columns:
            message = f"'{type(self).__name__}' object has no attribute {name!r}"
            alike = [each for each in columns if each.lower() == name.lower()]
            if alike and not name.startswith("_"):
                message += f"; there is a column {alike[0]!r}"
            raise AttributeError(message)
        return self._series(name)

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, Series) or (not name.startswith("_") and name in self._columns):
            raise AttributeError(
                "columns of a proxy are not assigned: "
                f"frame.concat({{{name!r}: column}}) returns a frame with another one"
            )
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        columns = [name for name in self._columns if name.isidentifier()]
        return [*super().__dir__(), *(name for name in columns if not name.startswith("_"))]

    def _ipython_key_completions_(self) -> list[str]:
        """What IPython offers after frame[."""
        return self.columns

    # ---------------------------------------------------------------------- rows and columns

    def _series(self, name: str) -> Series:
        if name not in self._columns:
            raise KeyError(name)
        column = self._columns[name]
        made: Series = series_class(column.sql_type)._new(
            self._source, column.expression, name, column.sql_type
        )
        return made

    def _names(self, names: str | Iterable[str] | None) -> list[str]:
        """Check names; None means all."""
        return self._query.checked(names)

    def _choose(self: Self, names: Sequence[str]) -> Self:
        if not names or len(set(names)) < len(names):
            raise ValueError("select at least one column, and none twice")
        return self._make(self._source, {name: self._columns[name] for name in self._names(names)})

    def _filter(self: Self, condition: Boolean) -> Self:
        if condition._source is not self._source:
            raise ValueError("the condition belongs to other rows than those of this frame")
        return self._with(self._source.where(condition._expression))

    @overload
    def __getitem__(self: Self, key: Boolean | list[str]) -> Self: ...
    @overload
    def __getitem__(self, key: str | tuple[object, object]) -> AnyColumn: ...
    def __getitem__(self, key: object) -> AnyColumn:
        """Return a column, several columns, or selected rows.

        Parameters
        ----------
        key : str, list of str, Boolean, or (rows, columns)
            `rows` is a Boolean column or `:`; `columns` is `:`, a name, a position, a list of
            either, or a slice of positions. A single column is returned as a column, several as a
            frame.
        """
        if isinstance(key, str):
            return self._series(key)
        if isinstance(key, Boolean):
            return self._filter(key)
        if isinstance(key, list):
            return self._choose(key)
        if not isinstance(key, tuple) or len(key) != 2:
            raise TypeError("frames are indexed by a name, names, a condition, or rows and columns")
        rows, columns = key
        if isinstance(rows, Boolean):
            frame = self._filter(rows)
        elif isinstance(rows, slice) and rows == slice(None):
            frame = self
        else:
            raise TypeError("rows must be selected by a Boolean column or :")
        names = self._names_at(columns)
        if isinstance(columns, slice) and columns == slice(None):
            return frame._with(frame._source)
        return frame._series(names[0]) if len(names) == 1 else frame._choose(names)

    def _names_at(self, columns: Any) -> list[str]:  # any index: this function checks it
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
                raise TypeError("columns must be selected by name or position")
        return self._names(names)

    def head(self: Self, n: int = 5) -> Self:
        """Return the first `n` rows."""
        return self._with(self._source.first(n))

    def tail(self: Self, n: int = 5) -> Self:
        """Return the last `n` rows; the server has to count the rows."""
        return self._with(self._source.last(n))
