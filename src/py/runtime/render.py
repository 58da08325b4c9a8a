"""Renders the result of a script as JSON and XML (compatibility.md, SQL-35 to SQL-40).

JSON
----
* A frame (pandas, polars, pyarrow, structured array) is an array of objects, one per row, keys
  in column order. The index of a pandas frame is omitted. Series, arrays, tuples, sets and ranges
  are arrays; sets are sorted where their values can be.
* Numbers are written with the fewest digits that read back the same; decimals exactly. None,
  NaN, NaT, NA and infinities are null.
* Dates and times are ISO 8601 text, timedeltas ISO 8601 durations (PT1.5S; PostgreSQL's interval
  reads them). bytes are base64. UUIDs are text, an Enum is replaced by its value.
* A generator is consumed: frames are concatenated, other values make an array.
* Keys of dicts: text, numbers, booleans, dates, UUIDs and None as JSON writes them, tuples joined
  with ``_``.

XML
---
``<root>`` around ``<str>``, ``<int>``, ``<float>``, ``<bool>TRUE</bool>``, ``<NoneType/>``,
``<list><item>..</item></list>`` (tuples, sets, Series and arrays too),
``<dict><item name="k">..</item></dict>``, and for a frame

    <pandas_dataFrame><ROW-pandas_dataFrame><NAME>value</NAME></ROW-pandas_dataFrame></pandas_dataFrame>

where a name not allowed in XML is ``<column name="..">``, and a missing value an empty element.
Items hold typed elements like the root does. Any other scalar is text in an element of its type's
name. Characters that XML cannot hold become U+FFFD.
"""

# check_sizes: JSON and XML share the rules of scalars, frames and limits.

from __future__ import annotations

import base64
import contextlib
import datetime
import decimal
import enum
import itertools
import json
import math
import re
import sys
import types
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from _oml_epe_runtime.documents import JsonText, documents, is_json_type, json_names
from _oml_epe_runtime.intervals import is_interval_type, iso_duration

try:
    from _oml_epe import Error
    from _oml_epe_runtime.checks import (
        bounded_recursion,
        check_memory,
        checked_codes,
        checked_stream,
        plain_array,
        validated,
    )
except ImportError:  # outside an engine: the tests of this module
    Error = Exception
    bounded_recursion = contextlib.nullcontext

    def check_memory(value: Any) -> Any:
        return value

    def plain_array(array: Any) -> Any:
        return sys.modules["numpy"].ndarray.view(array, sys.modules["numpy"].ndarray)

    def checked_stream(exporter: Any) -> Any:
        return exporter

    def validated(value: Any) -> Any:
        return value

    def checked_codes(value: Any) -> Any:
        return value


__all__ = ["RenderError", "limited", "to_json", "to_value", "to_xml"]


_FORMAT = "\0"  # placeholder of the format's name in a RenderError


class RenderError(Error):
    """A value that JSON or XML cannot represent.

    Attributes
    ----------
    sqlstate : str
        Always 22023.
    path : list of str
        Location of the value in the result: subscripts, outermost first.
    """

    sqlstate = "22023"

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.format = "JSON"
        self.path: list[str] = []

    def __str__(self) -> str:
        problem = self.problem.replace(_FORMAT, self.format)
        return f"{problem}, at result{''.join(self.path)}" if self.path else problem


class OutputError(Error):
    """A result of more rows or items than oml_epe.output_limit."""

    sqlstate = "54000"

    def __init__(self, most: int) -> None:
        super().__init__(f"Output exceeds maximum length {most}")  # Oracle's words


# ----------------------------------------------------------------------------------------- scalars


def _float(value: float) -> str:
    return float.__repr__(value) if math.isfinite(value) else "null"


#: Maximum characters, bytes or values per call of a C function: between two calls the statement
#: can be cancelled.
_PIECE = 1 << 20


def _in_pieces(encode: Callable[[Any], str], value: Any, size: int) -> str:
    """Join the results of `encode` for the pieces of a long text, or of long bytes."""
    pieces = (value[first : first + size] for first in range(0, len(value), size))
    return "".join([encode(piece) for piece in pieces])


def _join(texts: Iterable[str]) -> str:
    """Join with commas, piece by piece."""
    remaining = iter(texts)
    parts = []
    while piece := list(itertools.islice(remaining, _PIECE)):
        parts.append(",".join(piece))
    return ",".join(parts)


def _text(value: str) -> str:
    if len(value) > _PIECE:
        # A plain str: a subclass may override slicing.
        inside = _in_pieces(lambda piece: _text(piece)[1:-1], str.__str__(value), _PIECE)
        return f'"{inside}"'
    text = json.encoder.encode_basestring(value)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate: JSON can represent it, UTF-8 cannot
        return json.encoder.encode_basestring_ascii(value)
    return text


def _quoted(value: str) -> str:
    return f'"{value}"'


def _decimal(value: decimal.Decimal) -> str:
    return str(value) if value.is_finite() else "null"


def _duration(value: datetime.timedelta) -> str:
    """ISO 8601, every part with its own sign, as PostgreSQL writes and reads it."""
    nanoseconds = getattr(value, "nanoseconds", 0)
    total = (value.days * 86400 + value.seconds) * 10**9 + value.microseconds * 1000 + nanoseconds
    return _duration_of(total)


def _duration_of(nanoseconds: int) -> str:
    sign = "-" if nanoseconds < 0 else ""
    seconds, fraction = divmod(abs(nanoseconds), 10**9)
    days, seconds = divmod(seconds, 86400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    text = "P"
    if days:
        text += f"{sign}{days}D"
    time = ""
    if hours:
        time += f"{sign}{hours}H"
    if minutes:
        time += f"{sign}{minutes}M"
    if seconds or fraction:
        digits = f".{fraction:09d}".rstrip("0") if fraction else ""
        time += f"{sign}{seconds}{digits}S"
    if time:
        return f"{text}T{time}"
    return text if days else "PT0S"


def _base64(value: Any) -> str:
    data = check_memory(memoryview(value))
    if not data.c_contiguous:
        data = memoryview(data.tobytes())
    if data.nbytes > _PIECE:
        return _in_pieces(_base64, data.cast("B"), _PIECE // 3 * 3)
    return base64.b64encode(data).decode("ascii")


def _numpy_time(value: Any) -> Any:
    """A datetime64 or timedelta64 as ISO text; None for NaT."""
    numpy = sys.modules["numpy"]
    if numpy.isnat(value):
        return None
    if value.dtype.kind == "M":
        return str(value).rstrip("0").rstrip(".") if "." in str(value) else str(value)
    unit, count = numpy.datetime_data(value.dtype)
    months = {"Y": 12, "M": 1}.get(unit)
    amount = int(value.view("i8"))
    if months is not None:
        return f"P{amount * count * months}M"
    if unit == "generic":
        return amount
    # Exact, which a cast to nanoseconds would not be where it overflows.
    size = {"W": 604800 * 10**18, "D": 86400 * 10**18, "h": 3600 * 10**18, "m": 60 * 10**18}
    size |= {"s": 10**18, "ms": 10**15, "us": 10**12, "ns": 10**9, "ps": 10**6, "fs": 1000, "as": 1}
    return _duration_of(amount * count * size[unit] // 10**9)


# ------------------------------------------------------------------------------------------- frames


class _Frame:
    """Labels and columns of any library's frame; _column_texts accepts the columns."""

    def __init__(self, labels: Iterable[Any], columns: Callable[[int], Any], height: int) -> None:
        self.labels = [_label(label) for label in labels]
        self.column = columns
        self.height = height


def _label(label: Any) -> str:
    if isinstance(label, str):
        return label
    if isinstance(label, tuple):
        return "_".join(str(part) for part in label if part != "")
    return str(label)


def _as_frame(value: Any) -> _Frame | None:
    """The value as a frame, or None. Libraries that are not loaded are not imported."""
    kind = type(value)
    if kind in _PLAIN:
        return None
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        check_memory(value)
        labels = checked_codes(value.columns).tolist()
        return _Frame(labels, lambda i: value.iloc[:, i], len(value))
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        if isinstance(value, numpy.ma.MaskedArray):
            check_memory(value)
        else:
            value = plain_array(value)
        names = value.dtype.names
        if names is None:
            return None
        rows = value.reshape(-1)
        return _Frame(names, lambda i: rows[names[i]], len(rows))
    polars = sys.modules.get("polars")
    if polars is not None:
        if isinstance(value, polars.LazyFrame):
            value = value.collect()
        if isinstance(value, polars.DataFrame):
            return _polars_frame(value)
    if hasattr(kind, "__arrow_c_stream__") and not hasattr(kind, "to_pylist"):
        value = _arrow_table(value)
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is not None and isinstance(value, (pyarrow.Table, pyarrow.RecordBatch)):
        return _arrow_frame(validated(value))
    return None


def _polars_frame(frame: Any) -> _Frame:
    series = frame.get_columns()
    known = json_names()

    def column(i: int) -> list[Any]:
        is_json = series[i].name in known and series[i].dtype == sys.modules["polars"].String
        values = series[i].to_list()
        return documents(values) if is_json else values

    return _Frame(frame.columns, column, frame.height)


def _arrow_frame(table: Any) -> _Frame:
    known = json_names()

    def column(i: int) -> list[Any]:
        values = table.column(i).to_pylist()
        dtype = table.schema.types[i]
        is_text = str(dtype) in ("string", "large_string", "string_view")
        is_json = is_json_type(dtype) or (is_text and table.schema.names[i] in known)
        return documents(values) if is_json else values

    return _Frame(table.schema.names, column, table.num_rows)


def _arrow_table(value: Any) -> Any:
    # pandas' and polars' Series export streams too, which are not rows.
    if type(value).__module__.partition(".")[0] in ("pandas", "polars"):
        return value
    try:
        import pyarrow
    except ImportError:
        return value
    return pyarrow.table(checked_stream(value))


_PLAIN = frozenset((int, float, str, bool, type(None), bytes, list, tuple, dict, set))


def _frame_json(frame: _Frame) -> str:
    """The records, without the enclosing brackets."""
    seen: set[str] = set()
    for label in frame.labels:
        if label in seen:
            raise RenderError(f'the frame has more than one column "{label}"')
        seen.add(label)
    if not frame.labels:
        return ",".join(["{}"] * frame.height)
    columns = []
    for position, label in enumerate(frame.labels):
        try:
            columns.append(_column_texts(frame.column(position)))
        except RenderError as error:
            error.path.insert(0, f'["{label}"]')
            raise
    keys = (_text(label).replace("%", "%%") for label in frame.labels)
    template = "{" + ",".join(f"{key}:%s" for key in keys) + "}"
    return _join(map(template.__mod__, zip(*columns)))


def _column_texts(values: Any) -> Iterable[str]:
    """JSON of each value of a column: a list, an array or a pandas Series."""
    numpy = sys.modules.get("numpy")
    values = checked_codes(values)
    dtype = getattr(values, "dtype", None)
    if _is_pandas_text(dtype):
        return _values(_pandas_texts(values))
    if numpy is not None and isinstance(dtype, numpy.dtype):
        array = values if isinstance(values, numpy.ndarray) else values.to_numpy()
        if isinstance(array, numpy.ma.MaskedArray):
            return _values(_unmasked(numpy, array))
        array = plain_array(array)
        if array.ndim == 1:
            texts = _array_texts(numpy, array)
            if texts is not None:
                return texts
    return _values(values)


def _is_pandas_text(dtype: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(dtype, pandas.StringDtype)


def _pandas_texts(values: Any) -> list[Any]:
    """The usual type of texts since pandas 3, slow to iterate over; missing ones become None."""
    texts: list[Any] = values.to_numpy(dtype=object, na_value=None).tolist()
    return texts


def _unmasked(numpy: Any, array: Any) -> Any:
    """Masked elements become None."""
    check_memory(array)
    mask = plain_array(numpy.ma.getmaskarray(array))
    return numpy.where(mask, None, plain_array(array).astype(object))


def _array_texts(numpy: Any, array: Any) -> Iterable[str] | None:
    """The fast path for a one-dimensional array, if there is one."""
    if len(array) > _PIECE:
        pieces = (array[first : first + _PIECE] for first in range(0, len(array), _PIECE))
        parts = [_array_texts(numpy, piece) for piece in pieces]
        if any(part is None for part in parts):
            return None
        return itertools.chain.from_iterable(part for part in parts if part is not None)
    kind = array.dtype.kind
    if kind in "iu":
        return map(repr, array.tolist())
    if kind == "b":
        return ["true" if value else "false" for value in array.tolist()]
    if kind == "f" and array.dtype.itemsize <= 8:
        # For a float32, the shortest digits that read back the same float32. For a float16 they
        # would be too few: 6.55e+04 for 65504.
        texts = map(str, array) if array.dtype.itemsize == 4 else map(repr, array.tolist())
        finite = numpy.isfinite(array)
        if finite.all():
            return texts
        return [text if is_finite else "null" for text, is_finite in zip(texts, finite.tolist())]
    if kind == "M" and array.dtype.str[4:] in ("ns]", "us]", "ms]", "s]"):
        micros = array.astype("M8[us]")
        if (micros == array)[~numpy.isnat(array)].all():
            times = micros.tolist()
            if all(time is None or type(time) is datetime.datetime for time in times):
                return ["null" if time is None else f'"{time.isoformat()}"' for time in times]
    if kind == "O":
        return _values(array.tolist())
    return None


_ONLY_TEXT = frozenset((str,))


def _values(values: Iterable[Any]) -> list[str]:
    if isinstance(values, list) and len(values) > _PIECE:
        return _long_values(values)
    if isinstance(values, list) and len(values) > 8 and set(map(type, values)) == _ONLY_TEXT:
        quick = list(map(json.encoder.encode_basestring, values))
        return quick if all(map(str.isascii, quick)) else list(map(_text, values))
    texts: list[str] = []
    append = texts.append
    try:
        for value in values:
            append(_encode(value))
    except RenderError as error:
        error.path.insert(0, f"[{len(texts)}]")
        raise
    return texts


def _long_values(values: list) -> list[str]:
    texts: list[str] = []
    for first in range(0, len(values), _PIECE):
        try:
            texts += _values(list.__getitem__(values, slice(first, first + _PIECE)))
        except RenderError as error:
            if error.path and re.fullmatch(r"\[\d+\]", error.path[0]):
                error.path[0] = f"[{int(error.path[0][1:-1]) + first}]"
            raise
    return texts


# --------------------------------------------------------------------------------------------- JSON


def _encode(value: Any) -> str:
    """JSON of any value except a generator."""
    encoder = _encoders.get(type(value))
    if encoder is None:
        encoder = _find_encoder(type(value))
    return encoder(value)


def _array(values: Iterable[Any]) -> str:
    return "[" + _join(_values(values)) + "]"


def _set(values: Iterable[Any]) -> str:
    try:
        return _array(sorted(values))
    except TypeError:
        return _array(values)


def _object(values: dict) -> str:
    parts = []
    key: Any = None
    try:
        for key, value in values.items():
            parts.append(f"{_text(_key(key))}:{_encode(value)}")
    except RenderError as error:
        error.path.insert(0, f"[{key!r}]" if not isinstance(key, str) else f'["{key}"]')
        raise
    return "{" + ",".join(parts) + "}"


def _mapping(value: Mapping) -> str:
    return _object(dict(value))


def _fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass instance, which may be instances again."""
    return {name: getattr(value, name) for name in type(value).__dataclass_fields__}


def _record(value: Any) -> str:
    return _object(_fields(value))


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, tuple):
        return "_".join(_key(part) for part in key)
    text = _encode(key)
    if text.startswith('"'):
        return str(json.loads(text))
    if text[0] in "[{":
        raise RenderError(
            f"a value of Python type {type(key).__name__} cannot be a key in {_FORMAT}"
        )
    return text


def _frame_array(value: Any) -> str:
    frame = _as_frame(value)
    assert frame is not None
    return "[" + _frame_json(frame) + "]"


def _ndarray(values: Any) -> str:
    if isinstance(values, sys.modules["numpy"].ma.MaskedArray):
        check_memory(values)
    else:
        values = plain_array(values)
    if values.dtype.names is not None:
        return _frame_array(values)
    if values.ndim == 0:
        return _encode(values[()])
    if values.ndim == 1:
        return "[" + _join(_column_texts(values)) + "]"
    return "[" + ",".join(_located(_ndarray, values)) + "]"


def _located(encode: Callable[[Any], str], values: Iterable[Any]) -> Iterator[str]:
    for index, value in enumerate(values):
        try:
            yield encode(value)
        except RenderError as error:
            error.path.insert(0, f"[{index}]")
            raise


def _pandas_values(values: Any) -> str:
    return "[" + _join(_column_texts(values)) + "]"


def _numpy_scalar(value: Any) -> str:
    kind = value.dtype.kind
    if kind in "mM":
        return _encode(_numpy_time(value))
    if kind == "f" and value.dtype.itemsize != 8:
        text = repr(float(value)) if value.dtype.itemsize == 2 else str(value)
        return text if math.isfinite(value) else "null"
    if kind == "V" and value.dtype.names is not None:
        check_memory(value)
        return _object({name: value[name] for name in value.dtype.names})
    if kind == "c":
        return _refuse(value)
    plain = value.item()
    return _refuse(value) if isinstance(plain, sys.modules["numpy"].generic) else _encode(plain)


def _iterate(values: Iterator[Any]) -> str:
    return _json_of_items(values)[0]


def _refuse(value: Any) -> str:
    raise RenderError(f"{_FORMAT} cannot hold a value of Python type {_type_name(type(value))}")


def _type_name(kind: type) -> str:
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _always_null(value: Any) -> str:
    return "null"


_Encoder = Callable[[Any], str]

_encoders: dict[type, _Encoder] = {
    type(None): _always_null,
    bool: lambda value: "true" if value else "false",
    int: int.__repr__,
    float: _float,
    str: _text,
    JsonText: str.__str__,
    list: _array,
    tuple: _array,
    deque: _array,
    range: _array,
    set: _set,
    frozenset: _set,
    type({}.keys()): _array,
    type({}.values()): _array,
    dict: _object,
    decimal.Decimal: _decimal,
    datetime.datetime: lambda value: _quoted(value.isoformat()),
    datetime.date: lambda value: _quoted(value.isoformat()),
    datetime.time: lambda value: _quoted(value.isoformat()),
    datetime.timedelta: lambda value: _quoted(_duration(value)),
    bytes: lambda value: _quoted(_base64(value)),
    bytearray: lambda value: _quoted(_base64(value)),
    memoryview: lambda value: _quoted(_base64(value)),
    uuid.UUID: lambda value: _quoted(str(value)),
    types.GeneratorType: _iterate,
}

_BASES = (
    (bool, float, int, str, decimal.Decimal)
    + (datetime.datetime, datetime.date, datetime.time, datetime.timedelta)
    + (bytes, bytearray, uuid.UUID, list, tuple, dict, set, frozenset, deque)
)


def _find_encoder(kind: type) -> _Encoder:
    """The encoder of a type seen for the first time; it is cached."""
    encoder = _foreign_encoder(kind)
    if encoder is None:
        for base in _BASES:
            if issubclass(kind, base):
                encoder = _encoders[base]
                break
    if encoder is None and issubclass(kind, Mapping):
        encoder = _mapping
    if encoder is None and hasattr(kind, "__dataclass_fields__"):
        encoder = _record
    if encoder is None:
        encoder = _iterate if hasattr(kind, "__next__") else _refuse
    if len(_encoders) < 1000:
        _encoders[kind] = encoder
    return encoder


def _foreign_encoder(kind: type) -> _Encoder | None:
    if issubclass(kind, enum.Enum):
        return lambda value: _encode(value.value)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if issubclass(kind, numpy.ma.core.MaskedConstant):
            return _always_null
        if issubclass(kind, numpy.ndarray):
            return _ndarray
        if issubclass(kind, numpy.generic) and not issubclass(kind, (float, str, bytes)):
            return _numpy_scalar
    pandas = sys.modules.get("pandas")
    if pandas is not None:
        if kind in (type(pandas.NaT), type(pandas.NA)):
            return _always_null
        if issubclass(kind, pandas.DataFrame):
            return _frame_array
        if issubclass(kind, (pandas.Series, pandas.Index, pandas.api.extensions.ExtensionArray)):
            return _pandas_values
        if issubclass(kind, (pandas.Period, pandas.Interval)):
            return lambda value: _quoted(str(value))
    if is_interval_type(kind):
        return lambda value: _quoted(iso_duration(value))
    root = kind.__module__.partition(".")[0]
    if root in ("pyarrow", "polars"):
        for method in ("as_py", "to_pylist", "to_list"):
            if hasattr(kind, method) and not hasattr(kind, "columns"):
                return lambda value: _encode(getattr(validated(value), method)())
        return _frame_array
    return _frame_array if hasattr(kind, "__arrow_c_stream__") else None


def _guarded(encode: Callable[[Any], Any], value: Any) -> Any:
    try:
        with bounded_recursion():
            return encode(value)
    except RecursionError as error:
        # The caller may have used up the stack: a parameter of SQL is rendered at any depth of the
        # script. Then the error is the script's own.
        if _has_deep_caller(error.__traceback__, sys._getframe()):
            raise
        raise RenderError("the result is nested too deeply, or holds itself") from None


def _has_deep_caller(traceback: types.TracebackType | None, frame: types.FrameType | None) -> bool:
    """Whether there are more frames above `frame` than in the traceback."""
    while frame is not None:
        if traceback is None:
            return True
        traceback = traceback.tb_next
        frame = frame.f_back
    return False


def limited(result: Any, most: int) -> Any:
    """The result, limited to a number of rows or items; a generator's are counted when yielded.

    The text of a str or of bytes may have any length.
    """
    if hasattr(result, "__next__"):
        return _counted(result, most)
    frame = _as_frame(result)
    if (_length(result) if frame is None else frame.height) > most:
        raise OutputError(most)
    return result


def _length(result: Any) -> int:
    if isinstance(result, (str, bytes, bytearray, memoryview)):
        return 1
    try:
        return len(result)
    except TypeError:  # a scalar, or an array without a dimension
        return 1


def _counted(items: Iterator[Any], most: int) -> Iterator[Any]:
    count = 0
    for item in map(check_memory, items):
        frame = _as_frame(item)
        count += 1 if frame is None else frame.height
        if count > most:
            raise OutputError(most)
        yield item


def to_json(result: Any) -> tuple[str, bool]:
    """Render a result for OUT_FMT 'JSON'.

    Returns
    -------
    text : str
        JSON, without lone surrogates.
    is_frame : bool
        The text is an array of the records of a frame.
    """
    return _guarded(_to_json, result)


def _to_json(result: Any) -> tuple[str, bool]:
    if type(result) in _PLAIN:
        return _encode(result), False
    frame = _as_frame(result)
    if frame is not None:
        return "[" + _frame_json(frame) + "]", True
    if hasattr(result, "__next__"):
        return _json_of_items(result)
    return _encode(result), False


def _json_of_items(items: Iterator[Any]) -> tuple[str, bool]:
    """A generator's items: one array of records when they are frames, else an array."""
    texts: list[str] = []
    records: list[str] = []
    for index, item in enumerate(map(check_memory, items)):
        try:
            frame = _as_frame(item)
            if frame is not None and len(texts) == 0:
                if frame.height:
                    records.append(_frame_json(frame))
            elif frame is not None or (index > 0 and not texts):
                raise RenderError("a generator must yield either frames only or no frames")
            else:
                texts.append(_encode(item))
        except RenderError as error:
            error.path.insert(0, f"[{index}]")
            raise
    if texts:
        return "[" + ",".join(texts) + "]", False
    return "[" + ",".join(records) + "]", bool(records)


def to_value(value: Any) -> str:
    """JSON text of a value: of a json column, or VALUE of OUT_FMT 'PNG'."""
    return _guarded(_encode, value)


# ---------------------------------------------------------------------------------------------- XML

_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL = re.compile('[&<>"\t\n\r]')
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
# Letters that every edition of XML allows in names: parsers differ about the rarer ones. No colon:
# that would end the prefix of a namespace.
_LETTERS = (
    "A-Za-z\xc0-\xd6\xd8-\xf6\xf8-\xff\u0410-\u044f\u3041-\u3094\u30a1-\u30fa\u4e00-\u9fa5"
    "\uac00-\ud7a3"
)
_NAME = re.compile(f"[{_LETTERS}_][{_LETTERS}\\-.0-9_]*\\Z")


def _xml_text(text: str) -> str:
    """Text between tags. A carriage return would be read as a line feed."""
    if len(text) > _PIECE:
        return _in_pieces(_xml_text, str.__str__(text), _PIECE)
    text = _INVALID.sub("\ufffd", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#13;")


def _xml_attribute(text: str) -> str:
    """The value of an attribute, quoted; white space as references, so that it is preserved."""

    def escape(match: re.Match) -> str:
        return _ESCAPES.get(match[0]) or f"&#{ord(match[0])};"

    return '"' + _SPECIAL.sub(escape, _INVALID.sub("\ufffd", text)) + '"'


def _element(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>" if content else f"<{name}/>"


def _xml_float(value: float) -> str:
    if math.isfinite(value):
        return float.__repr__(float(value))
    return "NaN" if math.isnan(value) else "INF" if value > 0 else "-INF"


def _xml_cell(value: Any) -> str:
    """The content of a frame's cell: text for a scalar, an element for anything nested."""
    if isinstance(value, str):
        return _xml_text(value)
    if isinstance(value, float):
        return "" if math.isnan(value) else _xml_float(value)
    if value is True or value is False:
        return "TRUE" if value else "FALSE"
    plain = _plain(value)
    if plain is None:
        return ""
    if isinstance(plain, (list, dict)):
        return _xml_value(plain)
    return _xml_scalar(plain)


def _xml_scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return _xml_text(value)
    if isinstance(value, float):
        return _xml_float(value)
    if isinstance(value, decimal.Decimal):
        return str(value)
    text = _encode(value)
    return _xml_text(json.loads(text)) if text.startswith('"') else _xml_text(text)


def _all_of(items: Iterable[Any]) -> list[Any]:
    """The items, in pieces; checks for a cancel between them."""
    remaining = iter(items)
    values: list[Any] = []
    while piece := list(itertools.islice(remaining, _PIECE)):
        values += piece
    return values


def _plain(value: Any) -> Any:
    """None, a scalar, a list or a dict, for a value of any library except a frame."""
    if isinstance(value, (bool, int, float, str, list, dict)) and not isinstance(value, enum.Enum):
        return value
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if isinstance(value, range):
        return _all_of(value)
    if is_interval_type(type(value)):
        return iso_duration(value)
    if isinstance(value, (tuple, deque)):
        return list(value)
    if isinstance(value, (set, frozenset)):
        try:
            return sorted(value)
        except TypeError:
            return list(value)
    if _encoders.get(type(value)) is None:
        _find_encoder(type(value))
    encoder = _encoders.get(type(value))
    if encoder is _always_null:
        return None
    if encoder in (_ndarray, _pandas_values):
        numpy = sys.modules["numpy"]
        is_plain = isinstance(value, numpy.ndarray) and not numpy.ma.isMaskedArray(value)
        value = plain_array(value) if is_plain else check_memory(value)
        if getattr(value, "ndim", 1) == 0:
            return _plain(value[()])
        return list(checked_codes(value))
    if encoder is _numpy_scalar:
        if value.dtype.kind in "mM":
            return _numpy_time(value)
        if value.dtype.names is not None:
            return {name: value[name] for name in value.dtype.names}
        if value.dtype.kind == "f" and value.dtype.itemsize not in (2, 8):
            return float(str(value))  # the fewest digits, as in JSON
        return value.item() if value.dtype.kind in "biu" else value
    if encoder is _array:
        return list(value)
    if encoder is _mapping:
        return dict(value)
    if encoder is _record:
        return _fields(value)
    for method in ("as_py", "to_pylist", "to_list"):
        if hasattr(type(value), method):
            return getattr(validated(value), method)()
    return value


def _xml_value(value: Any) -> str:
    frame = _as_frame(value)
    if frame is not None:
        return _xml_frame([frame])
    if hasattr(value, "__next__"):
        return _xml_items(value)
    plain = _plain(value)
    if plain is None:
        return "<NoneType/>"
    if isinstance(plain, dict):
        return _element("dict", "".join(_xml_members(plain)))
    if isinstance(plain, list):
        return _element("list", "".join(_located(_xml_item, plain)))
    for base in (bool, int, float, str):
        if isinstance(plain, base):
            return _element(base.__name__, _xml_scalar(plain))
    text = _xml_scalar(plain)
    name = type(value).__name__
    return _element(name if _NAME.match(name) else "value", text)


def _xml_item(value: Any) -> str:
    return _element("item", _xml_value(value))


def _xml_members(values: dict) -> Iterator[str]:
    for key, value in values.items():
        try:
            yield f"<item name={_xml_attribute(_key(key))}>{_xml_value(value)}</item>"
        except RenderError as error:
            error.path.insert(0, f'["{key}"]')
            raise


def _xml_items(items: Iterator[Any]) -> str:
    """A generator: the rows of its frames together, or a list."""
    values = check_memory(_all_of(items))
    frames = [_as_frame(value) for value in values]
    if frames and all(frame is not None for frame in frames):
        return _xml_frame([frame for frame in frames if frame is not None])
    return _xml_value(values)


def _xml_frame(frames: Sequence[_Frame]) -> str:
    rows: list[str] = []
    for frame in frames:
        tags = []
        columns = []
        for position, label in enumerate(frame.labels):
            if _NAME.match(label):
                tags.append((label, label))
            else:
                tags.append((f"column name={_xml_attribute(label)}", "column"))
            try:
                columns.append(_xml_cells(frame.column(position)))
            except RenderError as error:
                error.path.insert(0, f'["{label}"]')
                raise
        template = "".join(f"<{start.replace('%', '%%')}>%s</{end}>" for start, end in tags)
        if columns:
            cells = map(template.__mod__, zip(*columns))
            while piece := list(itertools.islice(cells, _PIECE)):
                rows += piece
        else:
            rows.extend([""] * frame.height)
    inside = "".join(_element("ROW-pandas_dataFrame", row) for row in rows)
    return _element("pandas_dataFrame", inside)


def _xml_cells(values: Any) -> Iterable[str]:
    """The contents of a column's cells."""
    values = checked_codes(values)
    dtype = getattr(values, "dtype", None)
    numpy = sys.modules.get("numpy")
    if _is_pandas_text(dtype):
        values = _pandas_texts(values)
    elif numpy is not None and isinstance(dtype, numpy.dtype) and dtype.kind in "biufM":
        array = values if isinstance(values, numpy.ndarray) else values.to_numpy()
        if not isinstance(array, numpy.ma.MaskedArray):
            array = plain_array(array)
        if array.ndim == 1 and not isinstance(array, numpy.ma.MaskedArray):
            texts = _array_texts(numpy, array)
            if dtype.kind == "f" and not numpy.isinf(array).any():
                return ["" if text == "null" else text for text in texts or ()]
            if texts is not None and dtype.kind in "iu":
                return texts
            if texts is not None and dtype.kind == "b":
                return map(str.upper, texts)
            if texts is not None and dtype.kind == "M":
                return ["" if text == "null" else text[1:-1] for text in texts]
        values = _unmasked(numpy, array) if numpy.ma.isMaskedArray(array) else array
    return list(_located(_xml_cell, values))


def to_xml(result: Any, figures: Sequence[tuple[str | None, bytes]]) -> str:
    """Render a result for OUT_FMT 'XML'.

    Parameters
    ----------
    result : Any
        The result of the script.
    figures : sequence of (title, png)
        From figures.capture(); they follow the result.
    """
    try:
        content = _guarded(_xml_value, result)
    except RenderError as error:
        error.format = "XML"
        raise
    images = []
    for number, (title, png) in enumerate(figures, 1):
        name = "" if title is None else f" title={_xml_attribute(title)}"
        images.append(
            f'<image id="{number}"{name}><img src="data:image/png;base64,{_base64(png)}"/></image>'
        )
    return f"<root>{content}{_element('images', ''.join(images)) if images else ''}</root>"
