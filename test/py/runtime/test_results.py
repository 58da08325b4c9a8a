"""runtime/results.py, standing alone: every type of result as columns."""

import datetime as dt
import decimal
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime_modules import load

# Machines that build many things at once are slow now and then.
properties = settings(deadline=None, max_examples=50)

results = load("results")
ResultError = results.ResultError


def plain(column):
    """A column as a list of Python values, None where it is NULL."""
    if isinstance(column, tuple):
        values, mask = column
        return [None if null else value for value, null in zip(values.tolist(), mask.tolist())]
    if isinstance(column, np.ndarray):
        assert column.ndim == 1
        return column.tolist()
    assert isinstance(column, list)
    return column


def rows_of(result, names="a", kinds=None, is_scalar=False):
    names = names.split()
    kinds = kinds.split() if kinds else ["int64"] * len(names)
    columns, count = results.relational(result, names, kinds, is_scalar)
    assert len(columns) == len(names)
    values = [plain(column) for column in columns]
    assert all(len(column) == count for column in values)
    return list(zip(*values))


def failure(result, names="a", kinds=None, is_scalar=False):
    with pytest.raises(ResultError) as caught:
        rows_of(result, names, kinds, is_scalar)
    return caught.value


# ---------------------------------------------------------------------------------------- scalars


@pytest.mark.parametrize(
    "value",
    [
        1,
        1.5,
        "x",
        True,
        b"x",
        dt.datetime(2020, 1, 1),
        dt.date(2020, 1, 1),
        dt.timedelta(1),
        decimal.Decimal("1.5"),
        np.int8(1),
        np.float32(1),
        np.datetime64("2020-01-01", "ns"),
        pd.Timestamp("2020-01-01"),
        pd.Timedelta("1s"),
    ],
)
def test_scalar_is_one_row_of_one_column(value):
    assert rows_of(value) == [(value,)]
    assert rows_of(value, is_scalar=True) == [(value,)]
    assert failure(value, "a b").sqlstate == "42804"


def test_none_is_no_rows():
    assert rows_of(None, "a b c") == []


def test_array_without_dimensions_is_a_scalar():
    assert rows_of(np.array(5)) == [(5,)]
    assert rows_of(np.array("x", dtype=object)) == [("x",)]


# ------------------------------------------------------------------------------------- by position


def test_tuple_of_scalars_is_one_row():
    assert rows_of((1, "x"), "a b") == [(1, "x")]
    assert rows_of(namedtuple("P", "q r")(1, 2), "a b") == [(1, 2)]


def test_tuple_of_rows():
    assert rows_of(((1, 2), (3, 4)), "a b") == [(1, 2), (3, 4)]


def test_list_of_scalars_is_one_column():
    assert rows_of([1, None, 3]) == [(1,), (None,), (3,)]
    assert rows_of([]) == []
    assert rows_of([], "a b") == []
    assert rows_of(range(2)) == [(0,), (1,)]
    assert sorted(rows_of({2, 1})) == [(1,), (2,)]
    assert rows_of(frozenset([1])) == [(1,)]
    assert rows_of({"x": 1, "y": 2}.keys(), kinds="text") == [("x",), ("y",)]


def test_list_of_rows():
    assert rows_of([(1, "x"), [2, "y"]], "a b") == [(1, "x"), (2, "y")]
    assert rows_of([np.array([1, 2]), pd.Series([3, 4])], "a b") == [(1, 2), (3, 4)]


def test_wrong_number_of_values():
    error = failure((1, 2, 3), "a b")
    assert error.sqlstate == "42804"
    assert "3 values" in str(error) and "2 columns" in str(error)
    error = failure([(1, 2), (1, 2, 3)], "a b")
    assert "row 2" in str(error) and "3 values" in str(error) and "2 columns" in str(error)
    error = failure([(1, 2), 5], "a b")
    assert "row 2" in str(error) and "int" in str(error)
    error = failure([1, 2], "a b")
    assert "1 column" in str(error) and "2 columns" in str(error)


def test_ndarray():
    assert rows_of(np.array([1, 2])) == [(1,), (2,)]
    assert rows_of(np.array([[1, 2], [3, 4]]), "a b") == [(1, 2), (3, 4)]
    assert rows_of(np.matrix([[1, 2], [3, 4]]), "a b") == [(1, 2), (3, 4)]
    assert rows_of(np.empty((0, 2)), "a b") == []
    assert "3 columns" in str(failure(np.ones((2, 3)), "a b"))
    assert failure(np.ones((2, 2, 2)), "a b").sqlstate == "42804"


def test_masked_array():
    masked = np.ma.array([1, 2], mask=[False, True])
    assert rows_of(masked) == [(1,), (None,)]
    assert rows_of(np.ma.array([["x", "y"]], mask=[[False, True]]), "a b") == [("x", None)]
    assert rows_of(np.ma.masked) == [(None,)]


def test_structured_array_is_a_frame():
    array = np.array([(1, "x"), (2, "y")], dtype=[("n", "i4"), ("s", "U5")])
    assert rows_of(array, "s n") == [("x", 1), ("y", 2)]
    assert rows_of(array.view(np.recarray), "n") == [(1,), (2,)]
    assert rows_of(array[0], "s n") == [("x", 1)]
    assert failure(array, "q").sqlstate == "42703"


# ------------------------------------------------------------------------------------------ frames


def test_frame_by_name():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0.5, 1.5]}, index=[7, 8])
    assert rows_of(frame, "c a") == [(0.5, 1), (1.5, 2)]
    assert rows_of(frame, "A C") == [(1, 0.5), (2, 1.5)]
    assert rows_of(frame[["a"]], "whatever", is_scalar=True) == [(1,), (2,)]
    assert "3 columns" in str(failure(frame, is_scalar=True))


def test_missing_column_lists_what_there_is():
    error = failure(pd.DataFrame({"x": [1], "y": [2]}), "x z")
    assert error.sqlstate == "42703"
    assert str(error) == 'the result has no column "z"'
    assert error.detail == 'It has "x", "y".'
    many = failure({f"c{i}": 1 for i in range(30)}, "q")
    assert many.detail.endswith("and 10 more.")


def test_exact_match_wins_over_folded():
    frame = pd.DataFrame([[1, 2]], columns=["A", "a"])
    assert rows_of(frame, "a A") == [(2, 1)]
    error = failure(pd.DataFrame([[1, 2]], columns=["Ab", "aB"]), "ab")
    assert error.sqlstate == "42702"
    assert '"Ab", "aB"' in error.detail


def test_duplicate_labels():
    frame = pd.DataFrame([[1, 2, 3]], columns=["a", "a", "b"])
    assert rows_of(frame, "b") == [(3,)]
    assert failure(frame, "a b").sqlstate == "42702"


def test_labels_that_are_no_text():
    assert rows_of(pd.DataFrame([[1, 2]]), "1 0") == [(2, 1)]
    columns = pd.MultiIndex.from_tuples([("x", "mean"), ("x", "max"), ("g", "")])
    assert rows_of(pd.DataFrame([[1, 2, 3]], columns=columns), "x_max g") == [(2, 3)]


def test_empty_frames():
    assert rows_of(pd.DataFrame({"a": []}), "a") == []
    assert rows_of(pd.DataFrame(), "a b") == []
    assert failure(pd.DataFrame({"x": []}), "a").sqlstate == "42703"


def test_series_and_index_are_one_column():
    assert rows_of(pd.Series([1, 2], index=[5, 6], name="other")) == [(1,), (2,)]
    assert rows_of(pd.Index(["x", "y"])) == [("x",), ("y",)]
    assert rows_of(pd.array([1, None], dtype="Int64")) == [(1,), (None,)]
    assert "1 column" in str(failure(pd.Series([1]), "a b"))
    index = pd.MultiIndex.from_tuples([(1, "x")], names=["n", "s"])
    assert rows_of(index, "s n") == [("x", 1)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.array([1, None], dtype="Int64"), [1, None]),
        (pd.array([1.5, None], dtype="Float64"), [1.5, None]),
        (pd.array([True, None], dtype="boolean"), [True, None]),
        (pd.array([1, 2], dtype="UInt8"), [1, 2]),
        (pd.Categorical(["x", "y", "x"]), ["x", "y", "x"]),
        (pd.Categorical([3, 4]), [3, 4]),
        (pd.arrays.SparseArray([0, 0, 1]), [0, 0, 1]),
        (pd.period_range("2020-01", periods=2, freq="M").array, ["2020-01", "2020-02"]),
        (pd.arrays.IntervalArray.from_tuples([(0, 1), None]), ["(0.0, 1.0]", None]),
    ],
)
def test_extension_types(values, expected):
    frame = pd.DataFrame({"a": values})
    assert rows_of(frame) == [(value,) for value in expected]
    columns, _ = results.relational(frame, ["a"], ["text"], False)
    assert isinstance(columns[0], (list, tuple, np.ndarray))


def test_what_is_missing_is_no_nan():
    # With "oml_nan": "keep" a NaN would be a value, in a column of texts the text NaN.
    rows = rows_of(pd.DataFrame({"a": pd.Categorical(["x", None])}), kinds="text")
    assert rows == [("x",), (None,)]
    assert rows_of(pd.Series(pd.Categorical([1.5, None]))) == [(1.5,), (None,)]
    assert rows_of(pd.Series(pd.Categorical([2**53 + 1, None]))) == [(2**53 + 1,), (None,)]
    assert rows_of(pd.Series(["x", None]), kinds="text") == [("x",), (None,)]
    assert rows_of(pd.Index(["x", None]), kinds="text") == [("x",), (None,)]


@pytest.mark.skipif(not hasattr(np, "dtypes"), reason="numpy 2 has the type")
@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_numpy_texts_of_any_length(missing):
    string = np.dtypes.StringDType(na_object=missing)
    array = np.array(["x", missing, "long enough to lie elsewhere"], dtype=string)
    expected = [("x",), (None,), ("long enough to lie elsewhere",)]
    assert rows_of(array, kinds="text") == expected
    assert rows_of({"a": array}, kinds="text") == expected
    assert rows_of(np.ma.array(array, mask=[True, False, True])[:1], kinds="text") == [(None,)]
    assert rows_of(array[[0, 2]].reshape(1, 2), "a b", "text text") == [("x", expected[2][0])]


def test_text_dtype_keeps_na():
    rows = rows_of(pd.DataFrame({"a": pd.array(["x", None], dtype="string")}), kinds="text")
    assert rows[0] == ("x",) and rows[1][0] is pd.NA


def test_times_with_zone():
    times = pd.to_datetime(["2020-01-01 12:00", None]).tz_localize("Europe/Berlin")
    frame = pd.DataFrame({"a": times})
    for kind in ("timestamptz", "timestamp"):
        columns, _ = results.relational(frame, ["a"], [kind], False)
        assert columns[0].dtype.kind == "M"
        assert columns[0][0] == np.datetime64("2020-01-01T11:00")
        assert np.isnat(columns[0][1])
    columns, _ = results.relational(frame, ["a"], ["text"], False)
    assert columns[0][0] == times[0]


def test_numbers_are_not_copied_value_by_value():
    values = np.arange(3.0)
    columns, _ = results.relational(pd.DataFrame({"a": values}), ["a"], ["float64"], False)
    assert isinstance(columns[0], np.ndarray) and columns[0].dtype == float


# ------------------------------------------------------------------------------------------- dicts


def test_dict():
    assert rows_of({"b": 1, "a": "x"}, "a b") == [("x", 1)]
    assert rows_of({"a": [1, 2], "b": np.array([3, 4])}, "a b") == [(1, 3), (2, 4)]
    assert rows_of({"a": pd.Series([1]), "b": (2,)}, "b a") == [(2, 1)]
    assert rows_of({"a": pd.Categorical(["x"])}, kinds="text") == [("x",)]
    assert rows_of({"a": 1, "b": [1, 2]}, "a b", "int64 json") == [(1, [1, 2])]
    assert rows_of({"x": 5}, is_scalar=True) == [(5,)]
    assert failure({"a": 1}, "b").sqlstate == "42703"


def test_dict_of_different_lengths():
    error = failure({"a": [1], "b": [1, 2]}, "a b")
    assert error.sqlstate == "42804"
    assert '"a" has 1' in error.detail and '"b" has 2' in error.detail


def test_list_of_dicts_is_a_frame():
    assert rows_of([{"a": 1, "b": 2}, {"b": 3}], "a b") == [(1, 2), (None, 3)]
    assert rows_of(({"a": 1}, {"a": 2})) == [(1,), (2,)]
    assert failure([{"a": 1}, 5]).sqlstate == "42804"
    assert failure([{"a": 1}], "z").sqlstate == "42703"


# ------------------------------------------------------------------------- lists, json, composites


def test_lone_list_column():
    assert rows_of([1, 2], kinds="list") == [([1, 2],)]
    assert rows_of([[1, 2], [3], None], kinds="list") == [([1, 2],), ([3],), (None,)]
    assert rows_of([([1, 2],), ([3],)], kinds="list") == [([1, 2],), ([3],)]
    assert rows_of(([1, 2],), kinds="list") == [([1, 2],)]
    [(value,)] = rows_of(np.array([1, 2]), kinds="list")
    assert value.tolist() == [1, 2]
    rows = rows_of(np.array([[1, 2], [3, 4]]), kinds="list")
    assert [row[0].tolist() for row in rows] == [[1, 2], [3, 4]]


def test_list_columns_beside_others():
    assert rows_of((1, [2, 3]), "a b", "int64 list") == [(1, [2, 3])]
    assert rows_of([(1, [2, 3]), (4, [])], "a b", "int64 list") == [(1, [2, 3]), (4, [])]
    assert rows_of({"a": 1, "b": [2]}, "a b", "int64 list") == [(1, [2])]
    assert rows_of({"a": [1], "b": [[2]]}, "a b", "int64 list") == [(1, [2])]
    assert rows_of({"a": [1, 2], "b": [3]}, "a b", "list list") == [([1, 2], [3])]


def test_lone_json_column():
    assert rows_of({"x": 1}, "j", "json") == [({"x": 1},)]
    assert rows_of({"j": 1}, "j", "json") == [(1,)]
    assert rows_of([{"x": 1}, {"y": 2}], "j", "json") == [({"x": 1},), ({"y": 2},)]
    assert rows_of([{"x": 1}, 5], "j", "json") == [({"x": 1},), (5,)]
    assert rows_of([[1, 2], [3]], "j", "json") == [([1, 2],), ([3],)]


# --------------------------------------------------------------------------------- other libraries


def test_pyarrow():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": pa.array([1, None]), "s": ["x", "y"], "l": [[1], None]})
    names, kinds = "s a l", "text int64 list"
    expected = [("x", 1, [1]), ("y", None, None)]
    for value in (table, table.to_batches()[0], table.to_reader()):
        assert rows_of(value, names, kinds) == expected
    assert rows_of(table.column("a")) == [(1,), (None,)]
    assert rows_of(table.column("a").chunk(0)) == [(1,), (None,)]
    assert rows_of(pa.scalar(5)) == [(5,)]

    class Exporter:
        def __arrow_c_stream__(self, requested_schema=None):
            return table.__arrow_c_stream__(requested_schema)

    assert rows_of(Exporter(), names, kinds) == expected


def test_polars():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"a": [1, None], "s": ["x", "y"], "d": [dt.date(2020, 1, 1), None]})
    assert rows_of(frame, "s a", "text int64") == [("x", 1), ("y", None)]
    assert rows_of(frame.lazy(), "a") == [(1,), (None,)]
    assert rows_of(frame["a"]) == [(1,), (None,)]
    assert rows_of(frame, "d", "date") == [(dt.date(2020, 1, 1),), (None,)]


def test_frames_in_a_list_are_an_error():
    error = failure([pd.DataFrame({"a": [1]})], "a b")
    assert error.sqlstate == "42804" and "yield" in str(error)


# -------------------------------------------------------------------------------------- properties

scalars = st.none() | st.integers() | st.floats(allow_nan=False) | st.text() | st.booleans()


@properties
@given(st.lists(st.tuples(scalars, scalars, scalars), min_size=1))
def test_rows_and_frames_agree(rows):
    assert rows_of(rows, "a b c") == rows
    assert rows_of([dict(zip("abc", row)) for row in rows], "a b c") == rows
    assert rows_of({name: list(column) for name, column in zip("abc", zip(*rows))}, "a b c") == rows


@properties
@given(st.lists(st.floats(allow_nan=False)))
def test_one_column_from_anything(values):
    expected = [(value,) for value in values]
    for result in (values, np.array(values), pd.Series(values, dtype=float)):
        assert rows_of(result, kinds="float64") == expected
    assert rows_of(pd.DataFrame({"a": np.array(values)}), kinds="float64") == expected
