"""Builds the first argument of a function from the columns of a batch.

An input object is created once per request. C++ passes it the columns of a batch as one-dimensional
arrays in its `units` and asks either for the whole batch (`whole`), or for many parts of the same
batch (`split`, then `part` repeatedly, which must be cheap).
"""

from _oml_epe_runtime.documents import note_input
from _oml_epe_runtime.errors import EpeError

# An environment may lack numpy: it is imported by the first input that needs it.
np = None


def _import(name, what):
    try:
        return __import__(name)
    except ImportError as error:
        failure = EpeError(
            f'input type "{what}" needs the Python package "{name}"',
            sqlstate="0A000",
            detail=f"{error}.",
        )
        failure.missing_module = name
        raise failure from None


def require_numpy(what):
    """Return numpy, which the input type `what` needs."""
    global np
    if np is None:
        np = _import("numpy", what)
    return np


def _require_unique(names, what):
    seen = set()
    for name in names:
        if name in seen:
            raise EpeError(
                f'column name "{name}" is not unique in the input',
                sqlstate="42701",
                hint=f"A {what} needs unique column names; give the columns aliases.",
            )
        seen.add(name)


class _Arrays:
    """Inputs made of numpy arrays: parts are slices of them."""

    units = ("D", "us", "us")  # of dates, timestamps, intervals
    what = ""  # the input type

    def __init__(self, names, kinds):
        require_numpy(self.what)
        self.names = names

    def whole(self, columns, rows):
        raise NotImplementedError

    def split(self, columns, rows):
        return self.whole(columns, rows)

    @staticmethod
    def part(parent, first, last):
        return parent[first:last]


class Dict(_Arrays):
    """dict: column name -> one-dimensional array."""

    what = "dict"

    def __init__(self, names, kinds):
        super().__init__(names, kinds)
        _require_unique(names, self.what)

    def whole(self, columns, rows):
        return dict(zip(self.names, columns))

    @staticmethod
    def part(parent, first, last):
        return {name: column[first:last] for name, column in parent.items()}


class Recarray(_Arrays):
    """numpy.recarray."""

    what = "numpy.recarray"

    def __init__(self, names, kinds):
        super().__init__(names, kinds)
        _require_unique(names, self.what)

    def whole(self, columns, rows):
        dtype = [
            (name, column.dtype, column.shape[1:]) for name, column in zip(self.names, columns)
        ]
        records = np.recarray(rows, dtype=dtype)
        for name, column in zip(self.names, columns):
            records[name] = column
        return records


class Ndarray(_Arrays):
    """A two-dimensional array of objects: the columns are not all numeric."""

    what = "numpy.ndarray"

    def whole(self, columns, rows):
        if len(columns) == 1 and columns[0].ndim == 2:  # vectors of one length
            return columns[0]
        values = np.empty((rows, len(columns)), dtype=object)
        for j, column in enumerate(columns):
            if column.ndim == 1:
                values[:, j] = column
            else:
                for i, vector in enumerate(column):
                    values[i, j] = vector
        return values


class Pandas:
    """pandas.DataFrame."""

    def __init__(self, names, kinds):
        pd = _import("pandas", "pandas.DataFrame")
        require_numpy("pandas.DataFrame")
        self._pd = pd
        keeps_units = int(pd.__version__.split(".")[0]) >= 2
        self.units = ("s", "us", "us") if keeps_units else ("ns", "ns", "ns")
        self._columns = pd.Index(names, dtype=object if not names else None)
        self._zoned = [i for i, kind in enumerate(kinds) if kind == "timestamptz"]
        self._text_type = _text_type(pd)
        self._is_text = [kind == "text" for kind in kinds]
        self.part = _slicer(pd)

    def _add_zones(self, columns):
        # Only a timestamptz column without values beyond pandas' range arrives as an array of
        # times; the others contain objects, which are aware themselves.
        pd = self._pd
        for i in self._zoned:
            if columns[i].dtype.kind == "M":
                columns[i] = pd.DatetimeIndex(columns[i]).tz_localize("UTC")._data

    def _set_types(self, columns, index):
        # pandas 3 would infer it from the values, so that a column's type changed between chunks
        # where one contains only NULLs, and json or dates sometimes became texts.
        pd = self._pd
        for i, column in enumerate(columns):
            if getattr(column.dtype, "kind", "O") != "O" or not isinstance(column, np.ndarray):
                continue
            if self._is_text[i]:
                columns[i] = pd.array(column, dtype=self._text_type)
            else:
                columns[i] = pd.Series(column, index=index, dtype=object, copy=False)

    def whole(self, columns, rows):
        pd = self._pd
        index = pd.RangeIndex(rows)
        self._add_zones(columns)
        for i, column in enumerate(columns):
            if type(column) is tuple:
                columns[i] = _nullable(pd, *column)
        if self._text_type is not None:
            self._set_types(columns, index)
        frame = pd.DataFrame(dict(enumerate(columns)), index=index, copy=False)
        # A view: setting the name of the columns' axis in one frame does not change the others.
        frame.columns = self._columns.view()
        return frame

    def split(self, columns, rows):
        # One block per dtype: slicing costs time per block.
        frame = self.whole(columns, rows)
        frame._consolidate_inplace()
        return frame


def _nullable(pd, values, missing):
    """A column of one of pandas' nullable types; its NaN is a value."""
    kinds = {"b": pd.arrays.BooleanArray, "i": pd.arrays.IntegerArray, "f": pd.arrays.FloatingArray}
    return kinds[values.dtype.kind](values, missing)


def _text_type(pd):
    """The type of texts in pandas, since version 3; None where they are objects."""
    dtype = pd.Index(["text"]).dtype
    return dtype if isinstance(dtype, pd.StringDtype) else None


def _slice_publicly(frame, first, last):
    part = frame.iloc[first:last].reset_index(drop=True)
    part.columns = frame.columns.view()
    return part


def _make_fast_slice(pd):
    """A slice of rows without the checks of iloc, and with a new index (private interface)."""
    from_manager = getattr(pd.DataFrame, "_from_mgr", None)
    new_range = pd.RangeIndex._simple_new

    def fast_slice(frame, first, last):
        manager = frame._mgr.get_slice(slice(first, last), 1)
        axes = manager.axes
        axes[0] = axes[0]._view()
        axes[1] = new_range(range(last - first))
        if from_manager is not None:
            return from_manager(manager, axes)
        return pd.DataFrame(manager)

    return fast_slice


def _works(pd, fast_slice):
    """Whether the private interface works as this module expects."""
    try:
        frame = pd.DataFrame(
            {"a": np.arange(6), "b": np.arange(6) / 2, "c": list("uvwxyz"), "d": np.arange(6)}
        )
        frame["e"] = pd.DatetimeIndex(np.arange(6).astype("M8[s]").astype("M8[ns]"), tz="UTC")
        frame._consolidate_inplace()
        before = frame.copy(deep=True)
        part = fast_slice(frame, 2, 5)
        expected = frame.iloc[2:5].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, expected)
        other = fast_slice(frame, 5, 6)
        part["f"] = 1
        part["b"] = "text"
        part.loc[0, "a"] = 99
        del part["d"]
        part.columns.name = "name"
        part.index.name = "name"
        whole = before.iloc[5:6].reset_index(drop=True)
        pd.testing.assert_frame_equal(other, whole)
        pd.testing.assert_frame_equal(fast_slice(frame, 5, 6), whole)
        return list(part.columns) == ["a", "b", "c", "e", "f"]
    except Exception:
        return False


def _slicer(pd):
    global _chosen_slicer
    if _chosen_slicer is None:
        try:
            candidate = _make_fast_slice(pd)
        except AttributeError:
            candidate = None
        is_good = candidate is not None and _works(pd, candidate)
        _chosen_slicer = candidate if is_good else _slice_publicly
    return _chosen_slicer


_chosen_slicer = None


class Arrow:
    """pyarrow.Table, from an object with `__arrow_c_stream__`."""

    units = None  # takes the batch itself

    def __init__(self, names, kinds):
        self._pyarrow = _import("pyarrow", "pyarrow.Table")
        note_input(self, names, kinds)

    def whole(self, stream, rows):
        return self._pyarrow.table(stream)

    split = whole

    @staticmethod
    def part(parent, first, last):
        return parent.slice(first, last - first)


class Polars(Arrow):
    """polars.DataFrame, by the same method."""

    def __init__(self, names, kinds):
        self._polars = _import("polars", "polars.DataFrame")
        note_input(self, names, kinds)

    def whole(self, stream, rows):
        return self._polars.DataFrame(stream)

    split = whole


_inputs = {
    "pandas": Pandas,
    "recarray": Recarray,
    "ndarray": Ndarray,
    "dict": Dict,
    "arrow": Arrow,
    "polars": Polars,
}


def make_input(input_type, names, kinds):
    """Return the input object of a type (see the module)."""
    return _inputs[input_type](names, kinds)
