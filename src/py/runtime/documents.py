"""JSON text in frames of pyarrow and polars, whose columns hold JSON as text.

A column is JSON text when it is of the type pyarrow.json_(), or when it holds text and has the name
of a json or jsonb column of an input that the call got as pyarrow.Table or polars.DataFrame. Such a
column that holds other text as well, which the script has put there, is a column of texts.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["JsonText", "documents", "is_json_type", "json_names", "note_input"]


class JsonText(str):
    """The text of a JSON document, which encoders write as it is."""


# Inputs are released at the end of their call.
_inputs: weakref.WeakKeyDictionary[Any, frozenset[str]] = weakref.WeakKeyDictionary()


def note_input(owner: Any, names: Sequence[str], kinds: Sequence[str]) -> None:
    """Note the json columns of an input, for as long as `owner` lives."""
    _inputs[owner] = frozenset(name for name, kind in zip(names, kinds) if kind == "json")


def json_names() -> frozenset[str]:
    """Names of the json columns of the inputs of this call, and of calls that it is part of."""
    return frozenset().union(*_inputs.values())


def is_json_type(dtype: Any) -> bool:
    """Whether a type of pyarrow is pyarrow.json_()."""
    return getattr(dtype, "extension_name", "") == "arrow.json"


def documents(texts: Iterable[str | None]) -> list[str | None]:
    """The texts as JsonText, or unchanged if not all of them are JSON."""
    texts = list(texts)
    found: list[str | None] = []
    for text in texts:
        if text is None:
            found.append(None)
            continue
        try:
            json.loads(text, parse_constant=_refuse, parse_float=str, parse_int=str)
        except (ValueError, TypeError, RecursionError):
            return texts
        found.append(JsonText(text))
    return found


def _refuse(name: str) -> None:
    raise ValueError(name)  # NaN and infinities, which json.loads accepts
