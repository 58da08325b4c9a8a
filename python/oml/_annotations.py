"""Types that annotations name. Only type checkers import this module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from typing_extensions import Buffer as Buffer

#: A value of a column, of any type: its SQL type determines the Python type, as
#: docs/reference/types.md lists.
CellValue = Any
Row = tuple[CellValue, ...]
Loader = Callable[[bytes], CellValue]

#: The values of $1, $2, ...: parameter() converts objects of any type, or raises an error.
Parameters = Sequence[object]

#: A value as returned by json.loads().
Json = Union[None, bool, int, float, str, list["Json"], dict[str, "Json"]]

#: An object of a caller's code, of any type: a result or argument of a function, or an object in a
#: datastore.
UserObject = Any
UserFunction = Callable[..., UserObject]

#: The contents of a column of a frame: an array of numpy or pandas, a Series, an Index or a list.
FrameColumn = Any

#: A column of the class that its SQL type determines at run time, series_class(); or a frame, where
#: the arguments determine it.
AnyColumn = Any

#: An object of pyarrow, whose types are unknown to type checkers.
ArrowObject = Any

#: An object of matplotlib, which is optional.
PlotObject = Any

#: What __reduce__() and reducer_override() return: a tuple of a callable, its arguments and more,
#: a name, or NotImplemented.
Reduced = Any

#: An argument or result of one of numpy's functions, which accept objects of any type.
NumpyObject = Any

#: A column or an index in the portable form of pickles: its kind, and contents that depend on it.
PortableForm = tuple[Any, ...]

#: Names of columns: one, several, or none given.
Names = Union[str, Iterable[str], None]

#: Classes of columns, or their names.
Classes = Union[str, type, Iterable[Union[str, type]]]

#: The argument of describe(): shares from 0 to 1, or whether there are any.
Percentiles = Union[Iterable[float], bool, None]

#: What numpy.dtype() takes: a name, or the names and dtypes of fields.
DType = Union[str, list[tuple[str, str]]]
