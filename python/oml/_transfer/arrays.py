"""The type of numpy's arrays, for annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy

    #: Of any shape and dtype.
    Array = numpy.ndarray[Any, numpy.dtype[Any]]
else:
    Array = Any  # numpy need not be imported for an annotation

#: An Array, or None: the kind of a column determines which, unknown to type checkers.
ArrayOfKind = Any
