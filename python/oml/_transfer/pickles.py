"""Pickles of objects of any size: composed of parts, stored in pieces.

An object consists of a pickle of protocol 5 and its out-of-band buffers: the memory of arrays,
which is copied neither when saving nor when loading. The last part is a JSON object with the
versions of Python and packages that wrote the object; older versions of oml ignore it. The parts
(pickle, buffers and versions) are concatenated, each at a multiple of 64 bytes, and the result is
stored in pieces.
"""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import types
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from oml import _portable
from oml._db.errors import DatabaseError

if TYPE_CHECKING:
    from oml._annotations import Buffer, Reduced, UserObject

try:
    from _oml_epe import check_memory
except ImportError:  # a client

    def check_memory(value: UserObject) -> UserObject:
        return value


_ALIGNMENT = 64
_SMALL = 1 << 16  # bytes; smaller buffers stay in the pickle, smaller parts share a piece


def _padding(size: int) -> int:
    return -size % _ALIGNMENT


def dump(value: object) -> list[memoryview]:
    """Return the parts of an object; they reference its memory, which must not change meanwhile."""
    parts: list[memoryview] = []

    def keep_outside(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < _SMALL:
            return True
        parts.append(raw)
        return False

    check_memory(value)
    file = io.BytesIO()
    try:
        pickler = _Pickler(file, buffer_callback=keep_outside)
        pickler.dump(value)
        packages = pickler.packages
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        parts.clear()
        file = io.BytesIO()
        packages = _dump_by_value(value, file, keep_outside, error)
    versions = json.dumps(packages.versions()).encode()
    return [file.getbuffer(), *parts, memoryview(versions)]


class _Pickler(_portable.Pickler):
    """Rejects objects that only this program defines: others could not import them by name."""

    def reducer_override(self, value: object) -> Reduced:
        if isinstance(value, (type, types.FunctionType)) and _is_local(value):
            raise pickle.PicklingError(f"{value!r} is defined only in this program")
        return super().reducer_override(value)


def _is_local(value: object) -> bool:
    from oml.embed._pickles import is_local

    return is_local(getattr(value, "__module__", None))


def _dump_by_value(
    value: object,
    file: io.BytesIO,
    keep_outside: Callable[[pickle.PickleBuffer], bool],
    cause: Exception,
) -> _portable.Packages:
    """Pickle functions and classes of a script or program by value."""

    def is_script(module: str) -> bool:
        return module.startswith("oml_epe_script.")

    try:
        return _portable.dump_by_value(value, file, is_script, keep_outside)
    except ModuleNotFoundError as error:
        if error.name != "cloudpickle":
            raise TypeError(str(error)) from error
        text = f"{cause}; cloudpickle, which could pickle functions and classes, is not installed"
        raise TypeError(text) from None
    except pickle.PicklingError as error:
        raise TypeError(str(error)) from error


def cut(parts: Iterable[memoryview], most: int) -> Iterator[memoryview | bytearray]:
    """Yield the pieces of an object, of about `most` bytes; large parts are not copied."""
    small = min(_SMALL, most)
    gathered = bytearray()
    for part in parts:
        if part.nbytes < small:
            gathered += part
        else:
            if gathered:
                yield gathered
                gathered = bytearray()
            for start in range(0, part.nbytes, most):
                yield part[start : start + most]
        gathered += bytes(_padding(part.nbytes))
        if len(gathered) >= most:
            yield gathered
            gathered = bytearray()
    if gathered:
        yield gathered


def compress(piece: memoryview | bytearray) -> bytes:
    """Return a piece in compressed form."""
    return zlib.compress(piece, 1)


def decompress(pieces: Iterable[bytes]) -> bytearray:
    """Return the concatenated pieces made by compress()."""
    memory = bytearray()
    for piece in pieces:
        memory += zlib.decompress(piece)
    return memory


def load(sizes: Sequence[int], memory: Buffer) -> UserObject:
    """Load an object from parts of these sizes; its arrays keep using the memory."""
    whole = memoryview(memory)
    parts = []
    end = 0
    for size in sizes:
        parts.append(whole[end : end + size])
        end += size + _padding(size)
    if not parts or end > whole.nbytes:
        raise EOFError("the pickle is incomplete")
    try:
        return _portable.loads(parts[0], parts[1:])
    except _portable.NOT_OF_VERSIONS:
        raise
    except Exception as error:
        message, hint = _portable.explain_failure(error, _written_with(parts))
        raise DatabaseError(
            f"the object cannot be loaded here: {message}", "0A000", hint=hint
        ) from error


def _written_with(parts: Sequence[memoryview]) -> dict[str, str]:
    """The versions in the last part; objects stored by version 1.0.0 have none."""
    if len(parts) > 1:
        with contextlib.suppress(ValueError):
            found = json.loads(bytes(parts[-1]))
            if isinstance(found, dict) and "python" in found:
                return found
    return {}
