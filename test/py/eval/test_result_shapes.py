"""The shape of a result: which Python object becomes which rows, against pandas and by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import engine_kinds
import pandas as pd
import pytest
from psycopg import Connection, Error

ENGINE_PLACES = engine_kinds.ALL

SCRIPT = """
import collections
import dataclasses
import types

import numpy as np
import pandas as pd

Pair = collections.namedtuple("Pair", "b a")

@dataclasses.dataclass
class Data:
    b: object
    a: object

@dataclasses.dataclass
class Money:
    amount: int
    def __str__(self):
        return f"{self.amount} EUR"

class Slow(collections.abc.Mapping):
    "A Mapping that is no dict."
    def __init__(self, **values): self.values_ = values
    def __getitem__(self, key): return self.values_[key]
    def __iter__(self): return iter(self.values_)
    def __len__(self): return len(self.values_)

def rows(frame): return [row for _, row in frame.iterrows()]

def shape_of(what, form="as it is"):
    result = eval(what)
    if form == "iterator":
        return iter(result)
    if form == "tuple":
        return tuple(result)
    return result
"""


@pytest.fixture(scope="module")
def shapes(module_conn: Connection[Any]) -> Iterator[Connection[Any]]:
    """A connection with the script."""
    module_conn.execute("SELECT pyq_script_create('shape_of', %s, v_overwrite => true)", (SCRIPT,))
    module_conn.execute("CREATE TYPE shape_pair AS (a int, b int)")
    yield module_conn
    module_conn.execute("DROP TYPE shape_pair; SELECT pyq_script_drop('shape_of')")


def rows_of(
    connection: Connection[Any], what: str, columns: str, form: str = "as it is"
) -> list[tuple[Any, ...]]:
    parameters = json.dumps({"what": what, "form": form})
    return connection.execute(
        f"SELECT * FROM pyq_eval(%s, NULL, 'shape_of') AS t({columns})",  # type: ignore[arg-type]
        (parameters,),
    ).fetchall()


def error_of(connection: Connection[Any], what: str, columns: str) -> Error:
    with pytest.raises(Error) as caught:
        rows_of(connection, what, columns)
    return caught.value


TWO = '[{"a": 1}, {"doc": 2, "b": 3}]'


@pytest.mark.parametrize("form", ["as it is", "tuple", "iterator"])
def test_one_document_does_not_change_the_others(shapes: Connection[Any], form: str) -> None:
    found = rows_of(shapes, TWO, "doc jsonb", form)
    assert found == [({"a": 1},), ({"doc": 2, "b": 3},)]
    assert found == rows_of(shapes, f"pd.Series({TWO})", "doc jsonb")


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ('[{"doc": 1}, {"doc": [2]}]', [1, [2]]),  # each is a row of the column
        ('[{"doc": 1, "x": 0}, {"doc": None}, None, {}]', [1, None, None, None]),
        ('[{"a": 1}, {}, None]', [{"a": 1}, {}, None]),
        ("[{}, None]", [{}, None]),
        ("[Slow(a=1), Slow(doc=2)]", [{"a": 1}, {"doc": 2}]),
        ('[{"doc": 1}, [2], 3]', [{"doc": 1}, [2], 3]),
        # A tuple of one is a row where all are; a lone one changes nothing.
        ("[(1,), (None,), ([2],)]", [1, None, [2]]),
        ("[[1], (2,), [3]]", [[1], [2], [3]]),
        ("[(1, 2), [3]]", [[1, 2], [3]]),
    ],
)
def test_lists_for_a_lone_json_column(
    shapes: Connection[Any], what: str, expected: list[Any]
) -> None:
    assert [row[0] for row in rows_of(shapes, what, "doc jsonb")] == expected


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("[([1, 2],), (None,), ([3],)]", [[1, 2], None, [3]]),
        ("[[1, 2], None, [3]]", [[1, 2], None, [3]]),
        ("np.array([[1, 2], None, [3]], dtype=object)", [[1, 2], None, [3]]),
        ("[Pair(b=0, a=[1, 2]), Pair(b=0, a=None)]", [[1, 2], None]),
    ],
)
def test_lists_for_a_lone_array_column(
    shapes: Connection[Any], what: str, expected: list[Any]
) -> None:
    assert [row[0] for row in rows_of(shapes, what, "a int[]")] == expected


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("(None, [1])", (None, [1])),
        ("([1], None)", ([1], None)),
        ("([1], [2])", ([1], [2])),
        ("({'k': 1}, [2])", ({"k": 1}, [2])),
        ("(5, [2])", (5, [2])),
    ],
)
def test_null_does_not_make_rows_of_a_row(
    shapes: Connection[Any], what: str, expected: tuple[Any, ...]
) -> None:
    assert rows_of(shapes, what, "a jsonb, b int[]") == [expected]


ALIGNED = {
    "shuffled": (
        '{"k": pd.Series(list("abc")), "v": pd.Series([30, 10, 20]).sort_values().rank()}',
        lambda: {"k": pd.Series(list("abc")), "v": pd.Series([30, 10, 20]).sort_values().rank()},
    ),
    "union": (
        '{"k": pd.Series(["a", "b"], index=[1, 2]), "v": pd.Series([5, 6], index=[2, 3])}',
        lambda: {"k": pd.Series(["a", "b"], index=[1, 2]), "v": pd.Series([5, 6], index=[2, 3])},
    ),
    "list beside": (
        '{"k": ["a", "b", "c"], "v": pd.Series([5, 6, 7], index=[2, 0, 1])}',
        lambda: {"k": ["a", "b", "c"], "v": pd.Series([5, 6, 7], index=[2, 0, 1])},
    ),
    "scalar beside": (
        '{"k": "x", "v": pd.Series([5, 6])}',
        lambda: {"k": "x", "v": pd.Series([5, 6])},
    ),
    "empty beside": (
        '{"k": pd.Series([], dtype=object), "v": pd.Series([5, 6])}',
        lambda: {"k": pd.Series([], dtype=object), "v": pd.Series([5, 6])},
    ),
    "labels of text": (
        '{"k": pd.Series({"y": "b", "x": "a"}), "v": pd.Series({"x": 1, "z": 3})}',
        lambda: {"k": pd.Series({"y": "b", "x": "a"}), "v": pd.Series({"x": 1, "z": 3})},
    ),
}


@pytest.mark.parametrize("case", ALIGNED)
def test_series_align_as_in_a_frame(shapes: Connection[Any], case: str) -> None:
    what, make = ALIGNED[case]
    frame = pd.DataFrame(make())
    expected = [
        tuple(None if pd.isna(value) else value for value in row)
        for row in frame.itertuples(index=False, name=None)
    ]
    assert rows_of(shapes, what, "k text, v int8") == expected


def test_aligned_integers_stay_exact(shapes: Connection[Any]) -> None:
    what = '{"k": pd.Series([2**53 + 1, 5]), "v": pd.Series([2**63 - 1], index=[1])}'
    assert rows_of(shapes, what, "k int8, v int8") == [(2**53 + 1, None), (5, 2**63 - 1)]


def test_series_that_cannot_be_aligned(shapes: Connection[Any]) -> None:
    what = '{"k": pd.Series([1, 2], index=[0, 0]), "v": pd.Series([1, 2], index=[0, 1])}'
    error = error_of(shapes, what, "k int, v int")
    assert error.sqlstate == "42804"
    assert "cannot be aligned" in str(error)


@pytest.mark.parametrize(
    "what",
    [
        'rows(pd.DataFrame({"b": [1, 3], "a": [2, 4]}))',
        "[Pair(b=1, a=2), Pair(b=3, a=4)]",
        "[Data(b=1, a=2), Data(b=3, a=4)]",
        "[Slow(b=1, a=2), Slow(a=4, b=3)]",
        "[types.MappingProxyType({'b': 1, 'a': 2}), {'a': 4, 'b': 3}]",
        'list(pd.DataFrame({"b": [1, 3], "a": [2, 4]}).itertuples())',
        'list(np.array([(1, 2), (3, 4)], dtype=[("b", int), ("a", int)]))',
        "[Pair(b=1, a=2), Data(b=3, a=4)]",
        "[Pair(b=1, a=2), (4, 3)]",  # the plain tuple by position
        '[pd.Series({"b": 1, "a": 2}), pd.Series({"a": 4, "other": 0, "b": 3})]',
    ],
)
@pytest.mark.parametrize("form", ["as it is", "iterator"])
def test_rows_that_carry_names(shapes: Connection[Any], what: str, form: str) -> None:
    assert rows_of(shapes, what, "a int, b int", form) == [(2, 1), (4, 3)]
    if "(4, 3)" not in what:
        assert rows_of(shapes, what, "b int, a int", form) == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    "what", ["Pair(b=1, a=2)", "Data(b=1, a=2)", "Slow(b=1, a=2)", 'pd.Series({"b": 1, "a": 2})']
)
def test_one_row_that_carries_names(shapes: Connection[Any], what: str) -> None:
    assert rows_of(shapes, what, "a int, b int") == [(2, 1)]
    found = shapes.execute(
        "SELECT (r).a, (r).b FROM (SELECT pyq_eval(%s, NULL::shape_pair, 'shape_of') AS r) AS s",
        (json.dumps({"what": what}),),
    ).fetchall()
    assert found == [(2, 1)]


@pytest.mark.parametrize(
    "what", ["Pair(b=1, a=2)", "Data(b=1, a=2)", "Slow(b=1, a=2)", 'pd.Series({"b": 1, "a": 2})']
)
def test_composite_values_that_carry_names(shapes: Connection[Any], what: str) -> None:
    found = rows_of(shapes, f"[(1, {what}), (2, None)]", "id int, p shape_pair")
    assert [(row[0], row[1]) for row in found] == [(1, "(2,1)"), (2, None)]
    found = rows_of(shapes, f"[(1, [{what}, (7, 8)])]", "id int, p shape_pair[]")
    assert found == [(1, '{"(2,1)","(7,8)"}')]


def test_a_missing_label_is_null_and_an_unknown_name_an_error(shapes: Connection[Any]) -> None:
    what = '[pd.Series({"a": 1}), pd.Series({"a": 2, "b": 3})]'
    assert rows_of(shapes, what, "a int, b int") == [(1, None), (2, 3)]
    error = error_of(shapes, "[Data(b=1, a=2)]", "a int, c int")
    assert (error.sqlstate, error.diag.message_detail) == ("42703", 'It has "b", "a".')
    error = error_of(shapes, "[Pair(b=1, a=2)]", "a int, c int")
    assert error.sqlstate == "42703"


def test_tuples_whose_names_mean_nothing_here_go_by_position(shapes: Connection[Any]) -> None:
    assert rows_of(shapes, "[Pair(b=1, a=2)]", "x int, y int") == [(1, 2)]
    assert rows_of(shapes, "Pair(b=1, a=2)", "x int, y int") == [(1, 2)]
    assert rows_of(shapes, "[pd.Series([1, 2]), pd.Series([3, 4])]", "x int, y int") == [
        (1, 2),
        (3, 4),
    ]


def test_objects_for_a_lone_text_column_are_their_text(shapes: Connection[Any]) -> None:
    assert rows_of(shapes, "Money(5)", "x text") == [("5 EUR",)]
    assert rows_of(shapes, "[Money(5), Money(6)]", "x text") == [("5 EUR",), ("6 EUR",)]


@pytest.mark.parametrize(
    ("what", "column", "expected"),
    [
        ("[1, None, 3]", "x int", [1, None, 3]),
        ("[None, None, 3, None]", "x int", [None, None, 3, None]),
        ("[None, None]", "x int", [None, None]),
        ("['a', None]", "x text", ["a", None]),
        ("[np.int64(1), None]", "x int", [1, None]),
        ("[{'a': 1}, None]", "x jsonb", [{"a": 1}, None]),
        ("[None, {'x': 1}, None]", "x jsonb", [None, 1, None]),
        ("[[1, 2], None]", "x int[]", [[1, 2], None]),
        ("[None, np.array([1, 2])]", "x int[]", [None, [1, 2]]),
        ("[{'x': 1}, None]", "x int", [1, None]),
    ],
)
@pytest.mark.parametrize("form", ["as it is", "iterator"])
def test_none_among_values(
    shapes: Connection[Any], what: str, column: str, expected: list[Any], form: str
) -> None:
    assert [row[0] for row in rows_of(shapes, what, column, form)] == expected


@pytest.mark.parametrize(
    ("what", "columns", "expected"),
    [
        ("[pd.DataFrame({'x': [1]}), None, pd.DataFrame({'x': [2]})]", "x int", [(1,), (2,)]),
        ("[None, [1, 2], None, [3]]", "x int", [(1,), (2,), (3,)]),
        ("[None, (1, 2), None]", "x int, y int", [(1, 2)]),
    ],
)
def test_none_among_blocks_of_rows_is_no_row(
    shapes: Connection[Any], what: str, columns: str, expected: list[Any]
) -> None:
    assert rows_of(shapes, what, columns, "iterator") == expected


@pytest.mark.parametrize("what", ["Data(b=[1], a=Money(2))", "Slow(b=[1], a={'amount': 2})"])
def test_objects_with_fields_in_json_and_xml(shapes: Connection[Any], what: str) -> None:
    parameters = json.dumps({"what": what})
    json_row = shapes.execute(
        "SELECT value::jsonb FROM pyq_eval(%s, NULL::pyq_json, 'shape_of')", (parameters,)
    ).fetchone()
    assert json_row == ({"b": [1], "a": {"amount": 2}},)
    xml_row = shapes.execute(
        'SELECT (xpath(\'//dict/item[@name="a"]/dict/item[@name="amount"]/int/text()\','
        " value::xml))[1]::text FROM pyq_eval(%s, NULL::pyq_xml, 'shape_of')",
        (parameters,),
    ).fetchone()
    assert xml_row == ("2",)


def test_none_after_a_block_of_rows_is_no_row(shapes: Connection[Any]) -> None:
    what = "[1, None, [2, 3], None, 4]"
    assert rows_of(shapes, what, "x int", "iterator") == [(1,), (None,), (2,), (3,), (4,)]
