"""What is looked at before the memory behind a result is read."""

from __future__ import annotations

import sys
from typing import Any

from _oml_epe import checked_stream, plain_array
from _oml_epe_runtime.errors import EpeError, bounded_recursion

__all__ = ["bounded_recursion", "checked_codes", "checked_stream", "plain_array", "validated"]


def validated(value: Any) -> Any:
    """Return an object of pyarrow that pyarrow itself finds sound; anything else as it is.

    Arrays made by `from_buffers`, or without pyarrow's own checks, may lie about their buffers.
    """
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is None:
        return value
    for name in ("Table", "RecordBatch", "ChunkedArray", "Array"):
        kind = getattr(pyarrow, name)
        if isinstance(value, kind):
            try:
                # The class's own method: a subclass may have another.
                kind.validate(value, full=True)
            except pyarrow.ArrowException as problem:
                raise EpeError(
                    "pyarrow finds the result broken", sqlstate="22023", detail=str(problem)
                ) from None
    return value


def checked_codes(value: Any) -> Any:
    """Return an object of pandas whose codes all name a category; anything else as it is.

    pandas takes categories and levels by their codes without looking at their range.
    """
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return value
    if isinstance(value, pandas.MultiIndex):
        for codes, level in zip(value.codes, value.levels):
            _check_codes(codes, len(checked_codes(level)))
    elif isinstance(getattr(value, "dtype", None), pandas.CategoricalDtype):
        values = value if isinstance(value, pandas.Categorical) else value.array
        _check_codes(values.codes, len(checked_codes(values.categories)))
    return value


def _check_codes(codes: Any, count: int) -> None:
    codes = plain_array(codes)
    if codes.size and not -1 <= codes.min() <= codes.max() < count:
        raise EpeError("the result has a category code that is out of range", sqlstate="22023")
