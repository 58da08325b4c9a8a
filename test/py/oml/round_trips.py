"""A client with another Python: sends values to an engine and compares the results.

    round_trips.py DSN [ENVIRONMENT]

Prints a JSON object of what failed, by the name of the value. The comparison allows what the
versions of pandas differ in: units of times before pandas 2, texts before pandas 3.
"""

from __future__ import annotations

import datetime
import decimal
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pandas

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "python"))

import oml

warnings.simplefilter("ignore")
PANDAS = int(pandas.__version__.partition(".")[0])
# Where the value is loaded and dumped once more: what it is there, for a check of its own.
ECHO = """
def echo(value):
    return [f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}", value]
"""


def arrays() -> dict[str, Any]:
    """Arrays of each kind of dtype and layout."""
    base = numpy.arange(12.0)
    return {
        "floats": base.reshape(3, 4),
        "fortran order": numpy.asfortranarray(base.reshape(3, 4)),
        "strided": base[::-3],
        "no dimensions": numpy.array(5),
        "no elements": numpy.empty((0, 3)),
        "objects": numpy.array(["a", None, [1], {"k": (1, 2)}], dtype=object),
        "booleans": numpy.array([True, False]),
        "texts": numpy.array(["ab", "", "ü"]),
        "bytes": numpy.array([b"x", b"yy"]),
        "times": numpy.array(["2020-01-01T00:00:01", "NaT"], dtype="M8[us]"),
        "spans": numpy.array([1, -2], dtype="m8[s]"),
        "records": numpy.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
        "half floats": numpy.arange(3, dtype="f2"),
        "big-endian": numpy.arange(3, dtype=">i4"),
        "complex": numpy.array([1 + 2j]),
        "long doubles": numpy.array([1.5], dtype=numpy.longdouble),
        "masked": numpy.ma.array([1, 2], mask=[False, True]),
        "large": numpy.arange(1 << 18),
    }


def scalars() -> dict[str, Any]:
    """numpy's and pandas' scalars."""
    return {
        "float32": numpy.float32(1.5),
        "mean of a column": pandas.Series([1.0, 2.0]).mean(),
        "int64": numpy.int64(-5),
        "uint8": numpy.uint8(200),
        "bool_": numpy.bool_(True),
        "str_": numpy.str_("x"),
        "datetime64": numpy.datetime64("2020-01-01T00:00:00.001", "ms"),
        "not a time": numpy.datetime64("NaT"),
        "timedelta64": numpy.timedelta64(5, "D"),
        "longdouble": numpy.longdouble(1.5),
        "void": numpy.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")])[0],
        "Timestamp": pandas.Timestamp("2020-01-01 12:00"),
        "zoned Timestamp": pandas.Timestamp("2020-07-01 12:00", tz="Europe/Berlin"),
        "Timedelta": pandas.Timedelta("1h"),
        "NaT": pandas.NaT,
        "NA": pandas.NA,
        "a class": numpy.float64,
        "a renamed class": numpy.bool_,
        "a function": numpy.mean,
        "a ufunc": numpy.sin,
        "a dtype": numpy.dtype("f8"),
    }


def frames() -> dict[str, Any]:
    """Frames, series and indexes of each kind of column and index."""
    made = {
        "numbers": pandas.DataFrame({"a": [1, 2], "b": [1.5, numpy.nan]}),
        "texts": pandas.DataFrame({"a": ["x", None, "é"]}),
        "mixed": pandas.DataFrame({"a": [1, "x", datetime.date(2020, 1, 1), decimal.Decimal(2)]}),
        "labelled rows": pandas.DataFrame({"a": [1, 2]}, index=["u", "v"]),
        "levels": pandas.DataFrame(
            {"a": [1, 2]},
            index=pandas.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["p", "q"]),
        ),
        "levels of columns": pandas.DataFrame(
            [[1, 2]], columns=pandas.MultiIndex.from_tuples([("x", 1), ("y", 2)])
        ),
        "equal labels": pandas.DataFrame([[1, "x"]], columns=["a", "a"]),
        "no rows": pandas.DataFrame({"a": numpy.array([], dtype="f8")}),
        "nothing": pandas.DataFrame(),
        "categories": pandas.Series(
            pandas.Categorical(["x", "y", None], categories=["y", "x"], ordered=True)
        ),
        "zoned": pandas.Series(
            pandas.to_datetime(["2020-01-01", "2021-06-01"]).tz_localize("Europe/Berlin")
        ),
        "moments": pandas.Series(pandas.to_datetime(["2020-01-01", None]), name="t"),
        "durations": pandas.Series(pandas.to_timedelta([1, 2], unit="s")),
        "nullable integers": pandas.Series([(1 << 53) + 1, None], dtype="Int64"),
        "nullable booleans": pandas.Series([True, None], dtype="boolean"),
        "nullable floats": pandas.Series([1.5, None], dtype="Float64"),
        "strings": pandas.Series(["a", None], dtype="string"),
        "periods": pandas.Series(pandas.period_range("2020-01", periods=3, freq="M")),
        "intervals": pandas.Series(pandas.interval_range(0, 3)),
        "sparse": pandas.Series(pandas.arrays.SparseArray([0, 0, 1])),
        "index": pandas.Index([1, 2, 3], name="i"),
        "days": pandas.date_range("2020-01-01", periods=3, freq="D"),
        "row labels by category": pandas.Series([1, 2], index=pandas.CategoricalIndex(["a", "b"])),
        "array of categories": pandas.Categorical(["a", "b"]),
        "large": pandas.DataFrame(numpy.arange(90_000.0).reshape(-1, 3), columns=list("abc")),
    }
    attributed = pandas.DataFrame({"a": [1]})
    attributed.attrs["unit"] = "cm"
    return {**made, "attributes": attributed}


def others() -> dict[str, Any]:
    """Containers, random generators, models."""
    values: dict[str, Any] = {
        "nested": {"k": [numpy.arange(2), pandas.Series([1])], "t": (numpy.float64(1),)},
        "shared": [shared := numpy.arange(3), shared],
        "Generator": numpy.random.default_rng(1),
        "RandomState": numpy.random.RandomState(1),
    }
    return values


# ------------------------------------------------------------------------------------- comparing


def same_frame(compare: Callable[..., None]) -> Callable[[Any, Any], None]:
    def check(sent: Any, got: Any) -> None:
        try:
            compare(sent, got)
        except AssertionError:
            # The other side's pandas may know nanoseconds only.
            compare(in_nanoseconds(sent), in_nanoseconds(got))
        assert getattr(sent, "attrs", None) == getattr(got, "attrs", None)

    return check


def in_nanoseconds(value: Any) -> Any:
    if isinstance(value, pandas.Index):
        return value.as_unit("ns") if PANDAS >= 2 and hasattr(value, "unit") else value
    if isinstance(value, pandas.Series) and PANDAS >= 2 and hasattr(value, "dt"):
        return value.dt.as_unit("ns") if hasattr(value.dt, "as_unit") else value
    return value


def same_array(sent: Any, got: Any) -> None:
    assert type(sent) is type(got)
    assert sent.dtype == got.dtype
    numpy.testing.assert_array_equal(sent, got)
    if sent.ndim > 1 and sent.size:
        assert sent.flags.f_contiguous == got.flags.f_contiguous


def same_random(sent: Any, got: Any) -> None:
    # The returned generator must continue like the one that was sent, which has not been used.
    assert got.bytes(64) == sent.bytes(64)


def compare(sent: Any, got: Any) -> None:
    """Raise AssertionError unless a value came back as it was sent."""
    if isinstance(sent, pandas.DataFrame):
        same_frame(pandas.testing.assert_frame_equal)(sent, got)
    elif isinstance(sent, pandas.Series):
        same_frame(pandas.testing.assert_series_equal)(sent, got)
    elif isinstance(sent, pandas.Index):
        same_frame(pandas.testing.assert_index_equal)(sent, got)
    elif isinstance(sent, numpy.ndarray):
        same_array(sent, got)
    elif isinstance(sent, (dict, list, tuple)):
        assert type(sent) is type(got) and len(sent) == len(got)
        is_dict = isinstance(sent, dict)
        assert not is_dict or list(sent) == list(got)
        for key in sent if is_dict else range(len(sent)):
            compare(sent[key], got[key])
    elif isinstance(sent, (numpy.random.Generator, numpy.random.RandomState)):
        same_random(sent, got)
    elif sent is pandas.NaT or sent is pandas.NA or isinstance(sent, type) or callable(sent):
        assert got is sent
    else:
        assert type(got) is type(sent)
        assert str(got) == str(sent)  # NaT differs from itself


def main(dsn: str, environment: str | None) -> None:
    oml.connect(dsn=dsn)
    failed: dict[str, str] = {}
    count = 0
    for group in (arrays, scalars, frames, others):
        for name, value in group().items():
            count += 1
            key = f"{group.__name__}: {name}"
            try:
                kind, got = oml.do_eval(ECHO, value=value, env_name=environment)
                compare(value, got)
                # Comparing has drawn from random generators.
                oml.ds.save({"value": group()[name]}, "round_trip", overwrite=True)
                compare(group()[name], oml.ds.load("round_trip", to_globals=False)["value"])
            except Exception as problem:
                failed[key] = f"{type(problem).__name__}: {problem}"[:400]
            else:
                root = type(value).__module__.partition(".")[0]
                is_theirs = root in ("numpy", "pandas") and not callable(value)
                if is_theirs and kind.partition(".")[0] != root:
                    failed[key] = f"was a {kind} in the engine"
    oml.ds.delete("round_trip")
    print(json.dumps({"checked": count, "failed": failed}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
