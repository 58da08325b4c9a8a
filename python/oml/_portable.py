"""Pickles that other versions of Python, numpy and pandas can load.

numpy and pandas pickle their objects by the names of private functions, which move from version to
version. `dumps()` writes arrays as dtype, shape and memory, and frames as labelled columns, so that
any version that has the dtypes can rebuild them; everything else is an ordinary pickle of protocol
5. `loads()` reads these pickles and ordinary ones, and resolves names that numpy has moved.

The functions named rebuild_* are part of the format: pickles name them. The format of an array and
of a numpy scalar names numpy's public classes only.
"""

# check_sizes: writer and reader of one format, which change together.

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import operator
import pickle
import re
import sys
import types
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from oml._db.errors import DatabaseError

if TYPE_CHECKING:
    import datetime
    from types import ModuleType

    import numpy
    import pandas
    from _typeshed import SupportsWrite, WriteableBuffer

    from oml._annotations import (
        Buffer,
        CellValue,
        FrameColumn,
        NumpyObject,
        PortableForm,
        Reduced,
        UserObject,
    )
    from oml._transfer.arrays import Array

#: Package by module, if their names differ.
_PACKAGES_OF_MODULES = {"sklearn": "scikit-learn", "PIL": "pillow"}
_NEVER_NAMED = frozenset(("builtins", "oml", "_oml_epe", "_oml_epe_runtime", "__main__"))
_MOST_VERSIONS = 16
_SMALL = 1 << 17  # bytes; smaller buffers are copied
_MOST_AT_ONCE = 8 << 20  # bytes that are read between checks for interrupts
_NULLABLE = re.compile(r"(U?Int|Float)\d+Dtype|BooleanDtype")


# ------------------------------------------------------------------------------------ versions


def python_version() -> str:
    """Return the minor version of Python, "3.11"."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def version_of(module: str) -> str | None:
    """Return the version of the package of a top-level module, None if unknown."""
    loaded = sys.modules.get(module)
    found = getattr(loaded, "__version__", None)
    if isinstance(found, str):
        return found
    try:
        return importlib.metadata.version(_PACKAGES_OF_MODULES.get(module, module))
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None


def describe_versions(versions: dict[str, str]) -> str:
    """Write versions for a message: "Python 3.11, numpy 1.24.2"."""
    ordered = sorted(versions.items(), key=lambda item: (item[0] != "python", item[0]))
    return ", ".join(f"{_package(name)} {version}" for name, version in ordered)


def _package(name: str) -> str:
    return "Python" if name == "python" else _PACKAGES_OF_MODULES.get(name, name)


#: Errors of loading a pickle that are not due to versions: an object used the database while being
#: loaded, or memory is exhausted.
NOT_OF_VERSIONS = (DatabaseError, MemoryError)


def explain_failure(error: BaseException, sender: dict[str, str]) -> tuple[str, str]:
    """Return message and hint for a pickle that could not be loaded.

    Parameters
    ----------
    error : BaseException
        The error raised by loading.
    sender : dict of str to str
        Versions of the writer, "python" among them; empty if unknown.
    """
    what = f"{type(error).__name__}: {error}"
    if not sender:
        return what, "Both sides need compatible versions of the libraries that define its classes."
    here: dict[str, str] = {"python": python_version()}
    lacking = []
    for name in sender:
        if name == "python":
            continue
        version = version_of(name)
        if version is None:
            lacking.append(name)
        else:
            here[name] = version
    message = (
        f"{what} (written with {describe_versions(sender)}; loaded with {describe_versions(here)})"
    )
    if lacking:
        packages = ", ".join(map(_package, lacking))
        return message, f"Install {packages} on the loading side, or use another env_name."
    differing = [name for name in here if here[name] != sender.get(name)]
    if differing:
        names = ", ".join(map(_package, differing))
        return message, (
            f"Use the same versions of {names} on both sides: choose an environment that has them "
            "by env_name, or install them on the loading side."
        )
    return message, "Both sides have the same versions: the class cannot load its own pickle."


# ------------------------------------------------------------------------------------- writing


class Packages:
    """The packages of the pickled objects: top-level modules."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def add(self, name: str) -> None:
        self.names.add(name)

    def versions(self) -> dict[str, str]:
        """Return the versions of Python and of the packages."""
        found = {"python": python_version()}
        stdlib: frozenset[str] = getattr(sys, "stdlib_module_names", frozenset())
        for name in sorted(self.names - _NEVER_NAMED - stdlib):
            version = version_of(name)
            if version is not None and len(found) < _MOST_VERSIONS:
                found[name] = version
        return found


class Pickler(pickle.Pickler):
    """Pickles arrays and frames in the portable form.

    Attributes
    ----------
    packages : Packages
    """

    def __init__(
        self,
        file: SupportsWrite[bytes],
        buffer_callback: Callable[[pickle.PickleBuffer], object] | None = None,
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffer_callback)
        self.packages = Packages()

    def reducer_override(self, value: object) -> Reduced:
        return reduce(value, self.packages)


def reduce(value: object, packages: Packages) -> Reduced:
    """Return the portable form of an object as reducer_override() does."""
    kind = type(value)
    if kind in _TYPES_OF_CODE:
        root = str(getattr(value, "__module__", None) or "builtins").partition(".")[0]
        packages.add(root)
        # A class whose name depends on the version.
        if root == "numpy" and value is sys.modules["numpy"].bool_:
            return "bool_"
        return NotImplemented
    root = kind.__module__.partition(".")[0]
    packages.add(root)
    if root == "numpy":
        return _reduce_numpy(value, kind)
    if root == "pandas":
        return _reduce_pandas(value, kind)
    return NotImplemented


_TYPES_OF_CODE = (type, types.FunctionType, types.BuiltinFunctionType)


def dumps(value: object) -> bytes:
    """Pickle an object in the portable form."""
    file = io.BytesIO()
    Pickler(file).dump(value)
    return file.getvalue()


def dump_by_value(
    value: object,
    file: SupportsWrite[bytes],
    is_local: Callable[[str], bool],
    buffer_callback: Callable[[pickle.PickleBuffer], object] | None = None,
) -> Packages:
    """Pickle an object with the code of the functions and classes of local modules (cloudpickle).

    Parameters
    ----------
    value : object
    file : file object
        Receives the pickle.
    is_local : callable
        Whether the other side cannot import a module of the given name.
    buffer_callback : callable, optional
        As for pickle.Pickler.

    Raises
    ------
    ModuleNotFoundError
        cloudpickle is not installed.
    """
    # A class is derived from one of its classes, which type checkers do not know.
    cloudpickle: Any = importlib.import_module("cloudpickle")
    packages = Packages()

    class ByValuePickler(cloudpickle.CloudPickler):  # type: ignore[misc]
        def reducer_override(self, each: object) -> Reduced:
            reduced = reduce(each, packages)
            return super().reducer_override(each) if reduced is NotImplemented else reduced

    registered = cloudpickle.list_registry_pickle_by_value()
    modules = [
        module
        for name, module in list(sys.modules.items())
        if isinstance(module, types.ModuleType)
        and name == module.__name__
        and name not in ("__main__", "__mp_main__")
        and name not in registered
        and is_local(name)
    ]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        ByValuePickler(file, protocol=5, buffer_callback=buffer_callback).dump(value)
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
    return packages


def _reduce_numpy(value: object, kind: type) -> Reduced:
    numpy = sys.modules["numpy"]
    if kind is numpy.ndarray:
        return _reduce_array(numpy, value)
    if isinstance(value, numpy.generic):
        return _reduce_scalar(numpy, value, kind)
    if kind.__module__.startswith("numpy.random."):
        return _reduce_random(numpy, value, kind)
    return NotImplemented


def _reduce_random(numpy: ModuleType, value: NumpyObject, kind: type) -> Reduced:
    if kind is numpy.random.RandomState:
        return rebuild_random, ("RandomState", value.get_state(legacy=False))
    if kind is numpy.random.Generator:
        return rebuild_random, ("Generator", value.bit_generator.state)
    if isinstance(value, numpy.random.BitGenerator):
        return rebuild_random, ("BitGenerator", value.state)
    return NotImplemented


def _dtype_form(dtype: NumpyObject) -> NumpyObject:
    """The type string of a plain dtype, which is shorter, otherwise the dtype itself."""
    if dtype.kind in "biufcmMSU" and dtype.names is None and not dtype.metadata:
        return dtype.str
    return dtype


def _reduce_array(numpy: ModuleType, array: FrameColumn) -> Reduced:
    dtype = array.dtype
    if dtype.kind == "O":
        if dtype.metadata:
            return NotImplemented
        state = (1, array.shape, dtype, False, array.ravel().tolist())
        return numpy.ndarray, (array.shape, "O"), state
    if dtype.hasobject or dtype.kind not in "biufcmMSUV":
        return NotImplemented
    is_fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    if array.nbytes == 0:
        return numpy.zeros, (array.shape, _dtype_form(dtype), "F" if is_fortran else "C")
    flat = array.T.ravel() if is_fortran else array.ravel()
    memory = pickle.PickleBuffer(flat.view(numpy.uint8))
    order = "F" if is_fortran else "C"
    return numpy.ndarray, (array.shape, _dtype_form(dtype), memory, 0, None, order)


def _reduce_scalar(numpy: ModuleType, value: NumpyObject, kind: type) -> Reduced:
    if kind is numpy.bool_:
        return numpy.bool_, (bool(value),)
    code = value.dtype.kind
    if code in "iu":
        return _sized(numpy, value.dtype), (int(value),)
    if code == "f" and value.dtype.itemsize <= 8:
        return _sized(numpy, value.dtype), (float(value),)
    if code == "c" and value.dtype.itemsize <= 16:
        return _sized(numpy, value.dtype), (complex(value),)
    if code == "U":
        return numpy.str_, (str(value),)
    if code == "S":
        return numpy.bytes_, (bytes(value),)
    if code in "mM":
        unit, count = numpy.datetime_data(value.dtype)
        step = unit if count == 1 else (unit, count)
        made = numpy.datetime64 if code == "M" else numpy.timedelta64
        return made, ("NaT" if numpy.isnat(value) else int(value.view("i8")), step)
    if value.dtype.hasobject:
        return NotImplemented
    # long double, records: the element of a zero-dimensional array
    return operator.getitem, (numpy.asarray(value), ())


def _sized(numpy: ModuleType, dtype: NumpyObject) -> NumpyObject:
    """The class for a size instead of a C type, whose size depends on the platform."""
    return getattr(numpy, dtype.newbyteorder("=").name)


# -------------------------------------------------------------------------------------- pandas
#
# A column is a tuple of its kind and its contents, and so is an index; contents are plain values
# and arrays, which are pickled as above.


def _reduce_pandas(value: UserObject, kind: type) -> Reduced:
    pandas = sys.modules.get("pandas")
    if pandas is None or not hasattr(pandas, "DataFrame"):  # pandas is being imported
        return NotImplemented
    if kind is pandas.DataFrame:
        columns = [_column(value.iloc[:, place].array) for place in range(value.shape[1])]
        labels = (_index(value.columns), _index(value.index))
        return rebuild_frame, (columns, *labels, dict(value.attrs))
    if kind is pandas.Series:
        parts = (_column(value.array), _index(value.index), value.name, dict(value.attrs))
        return rebuild_series, parts
    if isinstance(value, pandas.Index):
        return rebuild_index, (_index(value),)
    if isinstance(value, pandas.api.extensions.ExtensionArray):
        column = _column(value)
        return NotImplemented if column[0] == "other" else (rebuild_array, (column,))
    if kind is pandas.Timestamp:
        naive = value.tz_convert(None) if value.tz is not None else value
        return rebuild_timestamp, (naive.to_datetime64(), _zone(value.tz))
    if kind is pandas.Timedelta:
        return rebuild_timedelta, (value.to_timedelta64(),)
    if value is pandas.NaT or value is pandas.NA:
        return rebuild_missing, (str(value).strip("<>"),)
    return NotImplemented


def _zone(tz: datetime.tzinfo | None) -> str | datetime.tzinfo | None:
    """The name of a time zone if it has one, otherwise the object."""
    for attribute in ("key", "zone"):
        name = getattr(tz, attribute, None)
        if isinstance(name, str):
            return name
    return "UTC" if str(tz) == "UTC" else tz


def _texts(values: Sequence[CellValue]) -> tuple[Array, bytes, Array | None]:
    """Lengths, UTF-8 bytes and NULLs of texts; any value that is not a str counts as NULL."""
    import numpy

    missing = numpy.fromiter((not isinstance(v, str) for v in values), "?", len(values))
    encoded = [v.encode("utf-8", "surrogatepass") if isinstance(v, str) else b"" for v in values]
    lengths = numpy.fromiter(map(len, encoded), "<i8", len(encoded))
    return lengths, b"".join(encoded), missing if missing.any() else None


def _has_str_dtype() -> bool:
    """Whether pandas stores texts in a string dtype."""
    import pandas

    return int(pandas.__version__.split(".")[0]) >= 3


def _is_text(array: FrameColumn) -> bool:
    import pandas

    return bool(pandas.api.types.infer_dtype(array, skipna=True) == "string")


def _column(array: FrameColumn) -> PortableForm:
    import numpy
    import pandas

    dtype = array.dtype
    name = type(dtype).__name__
    if isinstance(dtype, numpy.dtype) or name in ("NumpyEADtype", "PandasDtype"):
        plain = numpy.asarray(array)
        # Before pandas 3 texts are stored as objects.
        is_text = plain.dtype == object and not _has_str_dtype() and _is_text(plain)
        return "objects of str" if is_text else "numpy", plain
    if name == "DatetimeTZDtype":
        return "zoned", numpy.asarray(pandas.DatetimeIndex(array).tz_convert(None)), _zone(dtype.tz)
    if name == "StringDtype":
        missing = "nan" if getattr(dtype, "na_value", pandas.NA) is not pandas.NA else "NA"
        return ("text", missing, *_texts(list(array)))
    if name == "CategoricalDtype":
        return "categorical", numpy.asarray(array.codes), _index(array.categories), array.ordered
    if _NULLABLE.fullmatch(name):
        is_missing = numpy.asarray(array.isna())
        plain = array.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
        return "nullable", dtype.name, plain, is_missing if is_missing.any() else None
    if name == "ArrowDtype":
        return _arrow_column(array)
    if name == "PeriodDtype":
        return (
            "period",
            numpy.asarray(pandas.PeriodIndex(array).asi8),
            dtype.name[len("period[") : -1],
        )
    if name == "IntervalDtype":
        return "interval", _index(array.left), _index(array.right), array.closed
    if name == "SparseDtype":
        return "sparse", numpy.asarray(array), array.fill_value
    return "other", array


def _arrow_column(array: FrameColumn) -> PortableForm:
    pyarrow = importlib.import_module("pyarrow")

    values = pyarrow.array(array)
    if isinstance(values, pyarrow.ChunkedArray):
        values = values.combine_chunks()
    sink = pyarrow.BufferOutputStream()
    batch = pyarrow.record_batch([values], names=["c"])
    with pyarrow.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return "arrow", sink.getvalue().to_pybytes()


def _index(index: FrameColumn) -> PortableForm:
    import numpy
    import pandas

    if isinstance(index, pandas.RangeIndex):
        return "range", index.start, index.stop, index.step, index.name
    if isinstance(index, pandas.MultiIndex):
        levels = [_index(level) for level in index.levels]
        codes = [numpy.asarray(code) for code in index.codes]
        return "multi", levels, codes, list(index.names)
    frequency = getattr(index, "freqstr", None) if hasattr(index, "freq") else None
    return "flat", _column(index.array), index.name, frequency


def _own(array: Array) -> Array:
    """A writable array, as pandas expects."""
    return array if array.flags.writeable else array.copy()


def _supported(array: Array) -> Array:
    """Times in a unit that this version of pandas supports."""
    import pandas

    if array.dtype.kind not in "mM" or int(pandas.__version__.split(".")[0]) >= 2:
        return _own(array)
    try:
        made = pandas.to_datetime if array.dtype.kind == "M" else pandas.to_timedelta
        return made(array).to_numpy()
    except (pandas.errors.OutOfBoundsDatetime, pandas.errors.OutOfBoundsTimedelta):
        return array.astype("M8[us]" if array.dtype.kind == "M" else "m8[us]").astype(object)


def rebuild_random(kind: str, state: dict[str, NumpyObject]) -> NumpyObject:
    """Return a random number generator with the given state."""
    import numpy

    bits = getattr(numpy.random, state["bit_generator"])()
    if kind == "RandomState":
        made = numpy.random.RandomState(bits)
        made.set_state(state)
        return made
    bits.state = state
    return numpy.random.Generator(bits) if kind == "Generator" else bits


def rebuild_array(column: PortableForm) -> FrameColumn:
    """Return the array of a column."""
    import pandas

    kind, *parts = column
    if kind == "numpy":
        return _supported(parts[0])
    if kind == "objects of str":
        return pandas.array(parts[0], dtype="str") if _has_str_dtype() else parts[0]
    if kind == "zoned":
        times = pandas.DatetimeIndex(_supported(parts[0])).tz_localize("UTC")
        return times.tz_convert(parts[1]).array
    if kind == "text":
        return _rebuild_texts(*parts)
    if kind == "categorical":
        codes, categories, ordered = parts
        return pandas.Categorical.from_codes(codes, rebuild_index(categories), ordered=ordered)
    if kind == "nullable":
        name, plain, missing = parts
        made: FrameColumn = pandas.array(plain, dtype=name)
        if missing is not None:
            made[missing] = pandas.NA
        return made
    if kind == "arrow":
        return _rebuild_arrow(parts[0])
    if kind == "period":
        return _rebuild_periods(*parts)
    if kind == "interval":
        left, right, closed = parts
        return pandas.arrays.IntervalArray.from_arrays(
            rebuild_index(left), rebuild_index(right), closed=closed
        )
    if kind == "sparse":
        return pandas.arrays.SparseArray(parts[0], fill_value=parts[1])
    if kind == "other":
        return parts[0]
    raise ValueError(f'"{kind}" is a kind of column unknown to this version of oml')


def _rebuild_texts(
    missing_as: str, lengths: Array, data: bytes, missing: Array | None
) -> FrameColumn:
    import numpy
    import pandas

    ends = numpy.cumsum(lengths).tolist()
    starts = [0, *ends[:-1]]
    if data.isascii():
        whole = data.decode()
        texts = [whole[first:last] for first, last in zip(starts, ends)]
    else:
        texts = [
            data[first:last].decode("utf-8", "surrogatepass") for first, last in zip(starts, ends)
        ]
    values = numpy.empty(len(texts), dtype=object)
    values[:] = texts
    if missing is not None:
        values[missing] = numpy.nan if missing_as == "nan" else pandas.NA
    if missing_as == "NA":
        return pandas.array(values, dtype="string")
    if _has_str_dtype():
        return pandas.array(values, dtype="str")
    return values  # the dtype this version uses for texts


def _rebuild_arrow(data: bytes) -> FrameColumn:
    try:
        import pyarrow
    except ImportError:
        raise ImportError("a column of pandas' ArrowDtype needs pyarrow", name="pyarrow") from None
    import pandas

    with pyarrow.ipc.open_stream(data) as reader:
        table = reader.read_all()
    if not hasattr(pandas, "ArrowDtype"):
        return table.column(0).to_pandas().array
    return pandas.arrays.ArrowExtensionArray(table.column(0))


def _rebuild_periods(ordinals: Array, frequency: str) -> FrameColumn:
    import pandas

    # pandas 2.2 writes hours and shorter units in lower case, and renamed months and longer units.
    for name in (frequency, frequency.upper(), frequency.lower()):
        try:
            dtype = pandas.PeriodDtype(name)
        except (ValueError, AttributeError):
            continue
        return pandas.arrays.PeriodArray(_own(ordinals), dtype=dtype)
    raise ValueError(f'pandas {pandas.__version__} has no frequency "{frequency}"')


def _kept_dtype(array: FrameColumn) -> type[object] | None:
    """The dtype to pass to pandas, so that it keeps objects unchanged."""
    import numpy

    return object if isinstance(array, numpy.ndarray) and array.dtype.kind == "O" else None


def rebuild_index(index: PortableForm) -> FrameColumn:
    """Return an index."""
    import pandas

    kind, *parts = index
    if kind == "range":
        start, stop, step, name = parts
        return pandas.RangeIndex(start, stop, step, name=name)
    if kind == "multi":
        levels, codes, names = parts
        return pandas.MultiIndex(
            [rebuild_index(level) for level in levels], codes, names=names, verify_integrity=False
        )
    column, name, frequency = parts
    array = rebuild_array(column)
    made = pandas.Index(array, dtype=_kept_dtype(array), name=name)
    if frequency is not None and hasattr(made, "freq"):
        with contextlib.suppress(ValueError, AttributeError):  # an alias of another version
            made.freq = frequency
    return made


def rebuild_series(
    column: PortableForm, index: PortableForm, name: Hashable, attrs: dict[Hashable, object]
) -> pandas.Series[CellValue]:
    """Return a series."""
    import pandas

    array = rebuild_array(column)
    made = pandas.Series(array, index=rebuild_index(index), name=name, dtype=_kept_dtype(array))
    made.attrs.update(attrs)
    return made


def rebuild_frame(
    columns: list[PortableForm],
    labels: PortableForm,
    index: PortableForm,
    attrs: dict[Hashable, object],
) -> pandas.DataFrame:
    """Return a frame."""
    import pandas

    rows = rebuild_index(index)
    # By position, since labels may be equal.
    arrays = {}
    for place, column in enumerate(columns):
        array = rebuild_array(column)
        arrays[place] = pandas.Series(array, index=rows, dtype=_kept_dtype(array), copy=False)
    made = pandas.DataFrame(arrays, index=rows, copy=False)
    made.columns = rebuild_index(labels)
    made.attrs.update(attrs)
    return made


def rebuild_timestamp(
    value: numpy.datetime64, tz: str | datetime.tzinfo | None
) -> pandas.Timestamp:
    """Return a Timestamp."""
    import pandas

    made = pandas.Timestamp(value)
    return made if tz is None else made.tz_localize("UTC").tz_convert(tz)


def rebuild_missing(name: str) -> CellValue:
    """Return NaT or NA."""
    import pandas

    return getattr(pandas, name)


def rebuild_timedelta(value: numpy.timedelta64) -> pandas.Timedelta:
    """Return a Timedelta."""
    import pandas

    return pandas.Timedelta(value)


# ------------------------------------------------------------------------------------- reading


class Unpickler(pickle.Unpickler):
    """Loads pickles of other versions of numpy and pandas."""

    def find_class(self, module: str, name: str) -> UserObject:
        if module == "numpy" and name == "bool":  # numpy 2 writes bool_ so
            name = "bool_"
        elif module.startswith(("numpy.core", "numpy._core")):
            module = _numpy_core(module)
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError):
            moved = _moved_in_pandas(module, name)
            if moved is None:
                raise
            return super().find_class(*moved)


def _numpy_core(module: str) -> str:
    import numpy

    rest = module.partition("core")[2]
    return ("numpy.core" if numpy.__version__.startswith("1.") else "numpy._core") + rest


def _moved_in_pandas(module: str, name: str) -> tuple[str, str] | None:
    """pandas' own mapping for classes of older versions."""
    if not module.startswith("pandas."):
        return None
    try:
        pickle_compat = importlib.import_module("pandas.compat.pickle_compat")
    except ImportError:
        return None
    known: dict[tuple[str, str], tuple[str, str]] = getattr(
        pickle_compat, "_class_locations_map", {}
    )
    moved = known.get((module, name))
    return None if moved is None else (str(moved[0]), str(moved[1]))


class _Reader(io.RawIOBase):
    """A file object over bytes in pieces; a large pickle is not copied as a whole.

    While reading from a file, the unpickler regularly calls back into Python, where the statement
    can be cancelled.
    """

    def __init__(self, pieces: Iterable[Buffer]) -> None:
        super().__init__()
        self._pieces = (memoryview(piece) for piece in pieces)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not self._left:
            following = next(self._pieces, None)
            if following is None:
                return 0
            self._left = following.cast("B")
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._left), _MOST_AT_ONCE)
        target[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


def load_pieces(pieces: Iterable[Buffer], buffers: Iterable[Buffer] = ()) -> UserObject:
    """Load a pickle made by dumps() or by Python's own pickle.

    Parameters
    ----------
    pieces : iterable of bytes-like
        The pickle, split at any positions.
    buffers : iterable of bytes-like
        The out-of-band buffers.
    """
    return Unpickler(io.BufferedReader(_Reader(pieces), 1 << 16), buffers=buffers).load()


def loads(data: Buffer, buffers: Iterable[Buffer] = ()) -> UserObject:
    """Load a pickle from a single piece; see load_pieces()."""
    if memoryview(data).nbytes < _SMALL:
        return Unpickler(io.BytesIO(data), buffers=buffers).load()
    return load_pieces([data], buffers)
