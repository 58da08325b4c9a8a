"""numpy's arrays as values of results, of any number of dimensions, against numpy itself."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import engine_kinds
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection, Error

ENGINE_PLACES = engine_kinds.ALL

# How a script makes values: it evaluates their expressions with these names.
BOXES = """
import numpy as np


def box(value):
    array = np.empty((), object)
    array[()] = value
    return array


own = box(None)
own[()] = own
ring = np.empty(1, object)
ring[0] = ring
"""
GIVE = f"""{BOXES}

def give(items, form):
    import pandas as pd

    values = [eval(item) for item in items]
    column = np.empty(len(values), object)
    for number, value in enumerate(values):
        column[number] = value
    if form == "frame":
        return pd.DataFrame({{"n": range(len(values)), "v": column}})
    if form == "dict":
        return {{"n": list(range(len(values))), "v": values}}
    rows = list(enumerate(values))
    return rows if form == "tuples" else ([row] for row in rows)
"""
FORMS = ["frame", "dict", "tuples", "generator"]
WITH_DIMENSIONS = [
    "np.array([1.5, 2.5])",
    "np.array([[1.5], [2.5]])",
    "np.array([[[3.5, 4.5]], [[5.5, 6.5]]])",
    "np.arange(6.0).reshape(2, 3).T",
    "np.arange(6.0)[::2]",
    "np.array([7, 8])",
    "np.array([[7, 8]], '>i4')",
    "np.array([1.5], object)",
    "np.array([[1.5, 2]], object)",
    "np.array([box(1.5), box(2.5)], object)",
    "np.array([1, 0], 'f2')",
    "np.array([])",
    "np.array([[]])",
    "np.zeros((0, 2))",
    "np.array([], object)",
    "np.zeros((1,) * 6)",
]
SCALARS = [
    "np.array(1.5)",
    "np.array(2)",
    "np.array(1.5, object)",
    "np.array(2.5, '>f8')",
    "box(np.array(3.5))",
    "box(box(box(4.5)))",
    "np.float64(5.5)",
]
BOXED = ["box(np.array([1.5]))", "box(box(np.array([[1.5]])))", "box([1.5])"]
MISSING = ["None", "np.array(None, object)", "box(box(None))", "np.ma.masked"]
BROKEN = ["own", "ring", "np.zeros((1,) * 7)", "np.array([own], object)"]
# The last where an array before it decides: there is no cast from float8[] to interval[].
REFUSALS = {"42804", "22023", "54000", "42846"}


@pytest.fixture(scope="module")
def giver(module_conn: Connection[Any]) -> Iterator[Connection[Any]]:
    """A connection with the script."""
    module_conn.execute("SELECT pyq_script_create('arrays_give', %s)", (GIVE,))
    yield module_conn
    module_conn.execute("SELECT pyq_script_drop('arrays_give')")


def values_of(giver: Connection[Any], items: list[str], form: str, sql_type: str) -> list[Any]:
    query = f"SELECT * FROM pyq_eval(%s::text, NULL, 'arrays_give') AS t(n int, v {sql_type})"
    rows = giver.execute(
        query,  # type: ignore[call-overload]
        (json.dumps({"items": items, "form": form}),),
    ).fetchall()
    return [value for _, value in rows]


def refusal(giver: Connection[Any], items: list[str], form: str, sql_type: str) -> str:
    with pytest.raises(Error) as caught:
        values_of(giver, items, form, sql_type)
    return caught.value.sqlstate or ""


def made(item: str) -> Any:
    """The script's value of an expression, as lists and numbers."""
    names: dict[str, Any] = {}
    exec(BOXES, names)
    value = eval(item, names)
    while isinstance(value, np.ndarray) and value.ndim == 0 and value is not np.ma.masked:
        value = value[()]
    return _plain(value)


def _plain(value: Any) -> Any:
    if value is np.ma.masked:
        return None
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    return [_plain(item) for item in value] if isinstance(value, list) else value


def as_array(value: Any) -> Any:
    """As PostgreSQL has arrays: there is one empty array only."""
    return [] if value is not None and np.asarray(value).size == 0 else value


USUAL = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
FORM = st.sampled_from(FORMS)


def some(*lists: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from([*itertools.chain(*lists)]), min_size=1, max_size=5)


@USUAL
@given(items=some(WITH_DIMENSIONS, BOXED, MISSING), form=FORM)
def test_arrays(giver: Connection[Any], items: list[str], form: str) -> None:
    wanted = [as_array(made(item)) for item in items]
    assert values_of(giver, items, form, "float8[]") == wanted
    texts = values_of(giver, items, form, "text[]")
    assert [None if v is None else np.vectorize(float, otypes="f")(v).tolist() for v in texts] == (
        wanted
    )


@USUAL
@given(items=some(WITH_DIMENSIONS, SCALARS, BOXED, MISSING), form=FORM)
def test_json_texts(giver: Connection[Any], items: list[str], form: str) -> None:
    wanted = [made(item) for item in items]
    for sql_type in ("text", "jsonb"):
        found = values_of(giver, items, form, sql_type)
        if sql_type == "text":
            found = [None if text is None else json.loads(text) for text in found]
        assert found == wanted


@USUAL
@given(items=some(SCALARS, MISSING), form=FORM)
def test_scalars(giver: Connection[Any], items: list[str], form: str) -> None:
    """An array without dimensions is its element."""
    assert values_of(giver, items, form, "float8") == [made(item) for item in items]


@USUAL
@given(
    items=some(WITH_DIMENSIONS, BOXED),
    odd=st.sampled_from(SCALARS),
    form=FORM,
    at=st.integers(0, 5),
)
def test_scalars_among_arrays(
    giver: Connection[Any], items: list[str], odd: str, form: str, at: int
) -> None:
    mixed = items[:at] + [odd] + items[at:]
    assert refusal(giver, mixed, form, "float8[]") == "42804"
    assert refusal(giver, mixed, form, "float8") == "42804"


@USUAL
@given(
    items=some(WITH_DIMENSIONS, MISSING), odd=st.sampled_from(BROKEN), form=FORM,
    sql_type=st.sampled_from(["float8[]", "text[]", "float8", "interval[]"]),
)  # fmt: skip
@example(items=["np.array([1.5, 2.5])"], odd="own", form="generator", sql_type="interval[]")
def test_what_is_no_array(
    giver: Connection[Any], items: list[str], odd: str, form: str, sql_type: str
) -> None:
    assert refusal(giver, [*items, odd], form, sql_type) in REFUSALS


@pytest.mark.parametrize("first", ["np.array([[2.5], [3.5]])", "np.array([1.5])"])
@pytest.mark.parametrize("second", ["box(np.array(1.5))", "box(box(np.array(2.0)))"])
def test_boxed_scalars_of_one_dtype(giver: Connection[Any], first: str, second: str) -> None:
    """Rows of one dtype are joined without a look at their elements."""
    assert refusal(giver, [first, second], "tuples", "float8[]") == "42804"
    assert refusal(giver, [second, first], "frame", "float8[]") == "42804"
