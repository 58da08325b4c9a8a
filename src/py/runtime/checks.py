"""Checks of a result before its memory is read."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from _oml_epe import check_memory, checked_stream, is_readable, plain_array
from _oml_epe_runtime.errors import EpeError, bounded_recursion

__all__ = [
    "bounded_recursion",
    "check_arrow",
    "check_memory",
    "checked_codes",
    "checked_stream",
    "extension_values",
    "plain_array",
    "validated",
]

_MOST_LEVELS = 32


def _arrow_arrays(value: Any, level: int = 0) -> Iterator[Any]:
    """The arrays of a pyarrow object, including those of dictionaries."""
    pyarrow = sys.modules["pyarrow"]
    if level > _MOST_LEVELS:
        raise EpeError("the result is nested too deeply", sqlstate="22023")
    # The classes' own methods: a subclass may override them.
    if isinstance(value, (pyarrow.Table, pyarrow.RecordBatch)):
        kind = pyarrow.Table if isinstance(value, pyarrow.Table) else pyarrow.RecordBatch
        parts = [kind.column(value, i) for i in range(len(kind.schema.__get__(value)))]
    elif isinstance(value, pyarrow.ChunkedArray):
        parts = pyarrow.ChunkedArray.chunks.__get__(value)
    elif isinstance(value, pyarrow.Array):
        yield value
        parts = []
        if isinstance(value, pyarrow.StructArray):
            parts = [pyarrow.StructArray.field(value, i) for i in range(value.type.num_fields)]
        for kind, names in (
            (pyarrow.DictionaryArray, ("dictionary",)),
            (pyarrow.ExtensionArray, ("storage",)),
            (pyarrow.MapArray, ("keys", "items")),
            (pyarrow.ListArray, ("values",)),
            (pyarrow.LargeListArray, ("values",)),
            (pyarrow.FixedSizeListArray, ("values",)),
        ):
            if isinstance(value, kind):
                parts += [getattr(kind, name).__get__(value) for name in names]
    elif isinstance(value, pyarrow.Scalar):
        held = getattr(value, "values", None)
        parts = [held] if isinstance(held, pyarrow.Array) else []
    else:
        parts = []
    for part in parts:
        yield from _arrow_arrays(part, level + 1)


def check_arrow(values: list[Any]) -> None:
    """Raise EpeError unless the buffers of objects of pyarrow can be read."""
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is None:
        return
    for value in values:
        for array in _arrow_arrays(value):
            for buffer in pyarrow.Array.buffers(array):
                if buffer is not None and not is_readable(buffer.address, buffer.size):
                    raise EpeError("array beyond the memory it was made from", sqlstate="22023")


def validated(value: Any) -> Any:
    """Return a pyarrow object that pyarrow itself validates; other values unchanged.

    Arrays made by `from_buffers`, or without pyarrow's own checks, may have wrong buffer sizes.
    """
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is None:
        return value
    for name in ("Table", "RecordBatch", "ChunkedArray", "Array"):
        kind = getattr(pyarrow, name)
        if isinstance(value, kind):
            check_arrow([value])
            try:
                # The class's own method: a subclass may override it.
                kind.validate(value, full=True)
            except pyarrow.ArrowException as problem:
                raise EpeError(
                    "pyarrow finds the result broken", sqlstate="22023", detail=str(problem)
                ) from None
    return value


def checked_codes(value: Any) -> Any:
    """Return a pandas object whose codes all refer to a category; other values unchanged.

    pandas looks up categories and levels by their codes without a range check.
    """
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return value
    if isinstance(value, _pandas_kinds(pandas)):
        check_memory(value)
    if isinstance(value, pandas.MultiIndex):
        for codes, level in zip(value.codes, value.levels):
            _check_codes(codes, len(checked_codes(level)))
    elif isinstance(getattr(value, "dtype", None), pandas.CategoricalDtype):
        values = value if isinstance(value, pandas.Categorical) else value.array
        _check_codes(values.codes, len(checked_codes(values.categories)))
    return value


def extension_values(value: Any) -> list[Any] | None:
    """Return the elements of an array of pandas' own or another extension type; None for others."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, pandas.api.extensions.ExtensionArray):
        return None
    return list(checked_codes(value))


def _pandas_kinds(pandas: Any) -> tuple[type, ...]:
    extension_array = pandas.api.extensions.ExtensionArray
    return (pandas.DataFrame, pandas.Series, pandas.Index, extension_array)


def _check_codes(codes: Any, count: int) -> None:
    codes = plain_array(codes)
    if codes.size and not -1 <= codes.min() <= codes.max() < count:
        raise EpeError("the result has a category code that is out of range", sqlstate="22023")
