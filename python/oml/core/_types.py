"""SQL types, and the classes of columns that register for them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar

Class = TypeVar("Class", bound=type)

#: SQL type as printed by format_type without modifiers -> class of its columns.
_classes: dict[str, type] = {}
_frame_classes: list[type] = []


def column_class(*sql_types: str) -> Callable[[Class], Class]:
    """Register a class for columns of some SQL types.

    Parameters
    ----------
    *sql_types : str
        As printed by format_type without modifiers; "" for all types without a class of their own.
    """

    def register(made: Class) -> Class:
        for sql_type in sql_types:
            _classes[sql_type] = made
        return made

    return register


def frame_class(made: Class) -> Class:
    """Register the class of frames: columns are below frames, but some of their methods return
    frames."""
    _frame_classes[:] = [made]
    return made


def class_of_frames() -> Any:  # a class of a layer above
    """Return the registered class of frames."""
    return _frame_classes[0]


@functools.lru_cache(maxsize=1000)
def bare_type(sql_type: str) -> str:
    """Return an SQL type without its modifiers; interval also without its fields."""
    bare = re.sub(r"\([^)]*\)", "", sql_type)
    if bare.startswith("interval "):
        return "interval[]" if bare.endswith("[]") else "interval"
    return bare


def series_class(sql_type: str) -> Any:  # a class of a layer above
    """Return the column class of an SQL type; String for all types without a class of their own."""
    return _classes.get(bare_type(sql_type)) or _classes[""]


def kind_of(sql_type: str) -> str:
    """Return the name of the column class of an SQL type, such as "Float"."""
    return str(series_class(sql_type).__name__)


_NUMBERS = ("smallint", "integer", "bigint", "oid", "numeric", "real", "double precision")
_TEXTS = ("name", "character", "character varying", "text")


def common_type(sql_types: list[str]) -> str:
    """Return the common type of columns of several types, "text" for none.

    Raises
    ------
    TypeError
        The types are of different kinds.
    """
    kinds = list(dict.fromkeys(map(bare_type, sql_types)))
    if not kinds:
        return "text"
    if len(kinds) == 1:
        return sql_types[0] if len(set(sql_types)) == 1 else kinds[0]
    if all(kind in _NUMBERS for kind in kinds):
        widest = max(kinds, key=_NUMBERS.index)
        return "double precision" if widest == "real" else "bigint" if widest == "oid" else widest
    if all(kind in _TEXTS for kind in kinds):
        return "text"
    if set(kinds) == {"date", "timestamp without time zone"}:
        return "timestamp without time zone"
    raise TypeError(
        f"columns of types {' and '.join(sorted(kinds))} cannot be combined; convert them to one"
        " type, for example by oml.String(column)"
    )
