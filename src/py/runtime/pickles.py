"""Pickled arguments and results of calls that package oml makes.

Arguments are sent as a line of JSON and a pickle. The line lists the requirements of the pickle, so
that a missing one is reported before anything is loaded:

    {"python": "3.11", "cloudpickle": true, "versions": {"python": "3.11", "numpy": "2.3.4"}}

"versions" are those of the packages of the pickled objects, for messages. The pickle is of a dict:
"arguments", the keyword arguments, and "function" if there is one.
"lines" are the function's own source lines for tracebacks: (file name, first line number, lines).

A result is sent as the pickle of (object, list of PNG files), split into pieces. A stored result,
to be replayed in any format, is the pickle of (object, list of (title, PNG file), is a generator).
"""

from __future__ import annotations

import importlib.util
import json
import linecache
import pickle
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

from _oml_epe_runtime.errors import SCRIPT_MODULES, EpeError, bounded_recursion
from oml import _portable

__all__ = ["Arguments", "dump", "restore", "store"]

#: The longest piece: far below the limits of a field and of a frame of the protocol.
PIECE_BYTES = 8 << 20
_LONGEST_HEADER = 1 << 16

_CLOUDPICKLE_HINT = "Install cloudpickle (python3-cloudpickle) for the server's Python."


def _check(header: dict[str, Any]) -> None:
    if not header.get("cloudpickle"):
        return
    if header["python"] != _portable.python_version():
        raise EpeError(
            f"a function pickled by Python {header['python']} cannot run in Python "
            f"{_portable.python_version()}",
            sqlstate="0A000",
            hint="Give the source text of the function.",
        )
    if "cloudpickle" not in sys.modules and importlib.util.find_spec("cloudpickle") is None:
        raise EpeError(
            "a pickled function needs cloudpickle, which this engine does not have",
            sqlstate="0A000",
            hint=_CLOUDPICKLE_HINT,
        )


def _remember_lines(filename: str, first: int, lines: list[str]) -> None:
    """Make tracebacks show the source of a function whose file is on another machine."""
    try:
        open(filename).close()
    except OSError:
        text = ["\n"] * (first - 1) + lines
        linecache.cache[filename] = (sum(map(len, text)), None, text, filename)


_CONTAINERS = (dict, list, set, bytearray)


def _has_container(value: Any) -> bool:
    return isinstance(value, (*_CONTAINERS, tuple))


def _fresh(value: Any) -> Any:
    """Copy the plain containers; their other contents are shared."""
    kind = type(value)
    if kind is dict:
        return {key: _fresh(each) for key, each in value.items()}
    if kind in (list, tuple):
        return kind(map(_fresh, value))
    if kind in (set, bytearray):
        return kind(value)
    return value


class Arguments:
    """The pickled arguments of a call.

    Attributes
    ----------
    function : callable or None
        The function to call, when it was pickled with the arguments.
    is_shareable : bool
        Whether a call cannot change the arguments of the next one, except the objects themselves.
    """

    def __init__(self, data: memoryview) -> None:
        end = bytes(data[:_LONGEST_HEADER]).index(b"\n")
        header = json.loads(bytes(data[:end]))
        _check(header)
        try:
            content = _portable.loads(data[end + 1 :])
        except _portable.NOT_OF_VERSIONS:
            raise
        except Exception as error:
            message, hint = _portable.explain_failure(error, header.get("versions", {}))
            raise EpeError(
                f"the arguments cannot be loaded: {message}", sqlstate="0A000", hint=hint
            ) from error
        self.function: Callable[..., Any] | None = content.get("function")
        self._arguments: dict[str, Any] = content["arguments"]
        self.is_shareable = not any(map(_has_container, self._arguments.values()))
        if content.get("lines"):
            _remember_lines(*content["lines"])

    def fresh(self) -> dict[str, Any]:
        """Return the arguments, with copies of their lists and dicts."""
        return {name: _fresh(value) for name, value in self._arguments.items()}


class _Pieces:
    """A file that keeps the data written to it in pieces."""

    def __init__(self) -> None:
        self.done: list[bytes | memoryview] = []
        self._open: list[bytes | memoryview] = []
        self._size = 0
        self.mentions_scripts = False

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B") if not isinstance(data, bytes) else data
        size = len(view)
        # Names are sent in frames, which are small.
        if size < 1 << 17 and SCRIPT_MODULES.encode() in bytes(view):
            self.mentions_scripts = True
        if size >= PIECE_BYTES // 2:
            self.close()
            whole = memoryview(view)
            for first in range(0, size, PIECE_BYTES):
                self.done.append(whole[first : first + PIECE_BYTES])
            return size
        if self._size + size > PIECE_BYTES:
            self.close()
        self._open.append(view)
        self._size += size
        return size

    def close(self) -> None:
        if self._open:
            self.done.append(b"".join(self._open))
            self._open = []
            self._size = 0


def _cloudpickle(value: Any, cause: BaseException | None) -> _Pieces:
    """Pickle functions and classes of scripts by value, which plain pickle cannot do."""
    pieces = _Pieces()
    try:
        _portable.dump_by_value(value, pieces, lambda name: name.startswith(SCRIPT_MODULES))
    except ModuleNotFoundError as error:
        if error.name != "cloudpickle":
            raise
        raise EpeError(
            f"a result of type {type(value[0]).__name__} cannot be pickled"
            + (f": {cause}" if cause is not None else ""),
            sqlstate="0A000",
            detail="It refers to functions or classes that only the script defines.",
            hint=_CLOUDPICKLE_HINT,
        ) from None
    except Exception as error:
        raise EpeError(
            f"a result of type {type(value[0]).__name__} cannot be pickled: {error}",
            sqlstate="0A000",
        ) from None
    return pieces


def dump(result: Any, figures: Iterable[tuple[str | None, bytes]]) -> list[bytes | memoryview]:
    """Pickle the result of a call.

    Parameters
    ----------
    result : Any
        A generator is replaced by the list of its items.
    figures : iterable of (title, png)
        The captured figures.

    Returns
    -------
    list of bytes-like
        The pieces of the pickle of (result, list of png), at least one.
    """
    if isinstance(result, types.GeneratorType):
        result = list(result)
    return _pickle((result, [png for _, png in figures]))


def store(result: Any, figures: Iterable[tuple[str | None, bytes]]) -> list[bytes | memoryview]:
    """Pickle the result of a call for restore(); otherwise like dump()."""
    is_generator = isinstance(result, types.GeneratorType)
    return _pickle((list(result) if is_generator else result, list(figures), is_generator))


def restore(pieces: Iterable[bytes], figures: bool) -> Any:
    """Return a result pickled by store(); with `figures`, the next capture() returns its images."""
    result, images, is_generator = _portable.load_pieces(pieces)
    if figures:
        from _oml_epe_runtime.figures import replay

        replay(images)
    return (item for item in result) if is_generator else result


def _pickle(value: tuple[Any, ...]) -> list[bytes | memoryview]:
    with bounded_recursion():
        return _pickle_bounded(value)


def _pickle_bounded(value: tuple[Any, ...]) -> list[bytes | memoryview]:
    pieces = _Pieces()
    try:
        _portable.Pickler(pieces).dump(value)
        if pieces.mentions_scripts:
            pieces = _cloudpickle(value, None)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        pieces = _cloudpickle(value, error)
    pieces.close()
    return pieces.done
