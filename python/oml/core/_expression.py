"""The SQL of a column of a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from oml.core._query import Column, Query, Source
from oml.core._sql import literal
from oml.core._types import series_class

if TYPE_CHECKING:
    from oml._annotations import AnyColumn

Self = TypeVar("Self", bound="Expression")


class Expression:
    """An expression over the rows of a source; the classes of columns add operators and methods."""

    _source: Source
    _expression: str
    _name: str
    _sql_type: str

    def _set(self, source: Source, expression: str, name: str, sql_type: str) -> None:
        self._source, self._expression = source, expression
        self._name, self._sql_type = name, sql_type

    @classmethod
    def _new(cls: type[Self], source: Source, expression: str, name: str, sql_type: str) -> Self:
        """Return a column of an expression; with an empty name it becomes COL1, COL2, ... in
        frames."""
        made = cls.__new__(cls)
        made._set(source, expression, name, sql_type)
        return made

    def _of(self: Self, source: Source) -> Self:
        """The same column in another source with the same columns."""
        return self._new(source, self._expression, self._name, self._sql_type)

    def _derive(self, expression: str, sql_type: str, name: str | None = None) -> AnyColumn:
        name = self._name if name is None else name
        return series_class(sql_type)._new(self._source, expression, name, sql_type)

    def _operand(self, other: object) -> str:
        """The SQL of the other operand of an operator."""
        if isinstance(other, Expression):
            if other._source is not self._source:
                raise ValueError("columns of different rows cannot be combined; merge the frames")
            return other._expression
        return literal(other)

    @property
    def columns(self) -> list[str]:
        """The column's name, in a list; conditions have no name and become COL1."""
        return [self._name or "COL1"]

    @property
    def _column(self) -> Column:
        return Column(self._expression, self._sql_type)

    @property
    def _query(self) -> Query:
        """The query of a frame of this column."""
        return Query(self._source, {self.columns[0]: self._column})

    @property
    def _present(self) -> str:
        return self._column.present

    @property
    def _is_missing(self) -> str:
        return self._column.is_missing

    @property
    def _distinct(self) -> str:
        return self._column.distinct


def is_missing(value: object) -> bool:
    """Whether a plain value represents a missing one."""
    return value is None or (isinstance(value, float) and value != value)
