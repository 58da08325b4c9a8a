"""What is looked at before the memory behind a result is read."""

from __future__ import annotations

import sys
from typing import Any

from _oml_epe import checked_stream, plain_array
from _oml_epe_runtime.errors import EpeError, bounded_recursion

__all__ = ["bounded_recursion", "checked_stream", "plain_array", "validated"]


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
