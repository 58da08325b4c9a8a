"""Results as CSV and as Arrow, read back by pandas and pyarrow and compared with SQL."""

from __future__ import annotations

import io
import json
import urllib.parse
from typing import Any

import optional_packages
import pandas as pd
import pytest
from gateway_process import Answer, User

ARROW = "application/vnd.apache.arrow.stream"
CSV = "text/csv"

# One column per type, its SQL type, and its values as Python.
TYPES = {
    "i2": ("int2", "[1, None, -32768]"),
    "i4": ("int4", "[1, None, 2**31 - 1]"),
    "i8": ("int8", "[1, None, -2**63]"),
    "f4": ("float4", "[1.5, None, -0.25]"),
    "f8": ("float8", "[0.1, None, 1e300]"),
    "n": ("numeric(20,3)", "[D('1.100'), None, D('-12345678901234567.125')]"),
    "b": ("boolean", "[True, None, False]"),
    "t": ("text", "['é, \"q\"\\n', None, '']"),
    "v": ("varchar2(3)", "['abcdef', None, 'x']"),
    "d": ("date", "[datetime.date(2024, 2, 29), None, datetime.date(1900, 1, 1)]"),
    "ts": ("timestamp", "[datetime.datetime(2024, 2, 29, 1, 2, 3, 456789), None, None]"),
    "tz": ("timestamptz", "[datetime.datetime(2024, 2, 29, tzinfo=UTC), None, None]"),
    "by": ("bytea", "[b'\\x00\\xff', None, b'']"),
    "j": ("jsonb", "[{'a': [1]}, None, []]"),
    "a": ("int[]", "[[1, 2], None, []]"),
    "u": ("uuid", "['00000000-0000-0000-0000-000000000001', None, None]"),
    "iv": ("interval", "[datetime.timedelta(1, 2, 3), None, None]"),
}
TYPED = (
    "import datetime, pandas as pd\nfrom decimal import Decimal as D\nUTC = datetime.timezone.utc\n"
    "def f(**named):\n    return pd.DataFrame({"
    + ", ".join(
        f"{name!r}: pd.Series({values}, dtype=object)" for name, (_, values) in TYPES.items()
    )
    + "})\n"
)
FORMAT = {name: sql for name, (sql, _) in TYPES.items()}


def arrow(answer: Answer) -> Any:
    """The stream as a pyarrow.Table."""
    optional_packages.require("pyarrow")
    import sys

    folder = optional_packages.install()
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    import pyarrow as pa

    assert answer.status == 200, answer
    assert answer.headers.get_content_type() == ARROW
    return pa.ipc.open_stream(io.BytesIO(answer.body)).read_all()


def csv(answer: Answer, **options: Any) -> pd.DataFrame:
    assert answer.status == 200, answer
    assert answer.headers.get_content_type() == CSV
    return pd.read_csv(io.BytesIO(answer.body), **options)


@pytest.fixture
def typed(store: Any) -> str:
    name: str = store("gw_typed", TYPED)
    return name


def test_csv_of_all_types_is_what_copy_writes(conn, user, typed):
    """Except booleans, which are true and false: all readers accept these."""
    answer = user.run("do-eval", typed, accept=CSV, outputFormat=json.dumps(FORMAT))
    shape = ", ".join(f'"{n}" {sql}' for n, sql in FORMAT.items()).replace("varchar2", "varchar")
    columns = ", ".join(n + ("::text" if sql == "boolean" else "") for n, sql in FORMAT.items())
    copy = (
        f"COPY (SELECT {columns} FROM pyq_eval(NULL, '{json.dumps(FORMAT)}', '{typed}')"
        f" AS t({shape})) TO STDOUT (FORMAT csv, HEADER)"
    )
    with conn.cursor().copy(copy) as expected:
        wanted = b"".join(bytes(piece) for piece in expected)
    assert answer.status == 200, answer
    assert answer.body.decode().replace("\r\n", "\n") == wanted.decode()


def test_arrow_of_all_types(user, typed):
    answer = user.run("do-eval", typed, accept=ARROW, outputFormat=json.dumps(FORMAT))
    table = arrow(answer)
    import pyarrow as pa

    assert table.num_rows == 3
    assert table.column_names == list(FORMAT)
    kinds = {field.name: field.type for field in table.schema}
    assert kinds["i2"] == pa.int16()
    assert kinds["i4"] == pa.int32()
    assert kinds["i8"] == pa.int64()
    assert kinds["f4"] == pa.float32()
    assert kinds["f8"] == pa.float64()
    assert kinds["b"] == pa.bool_()
    assert pa.types.is_date(kinds["d"])
    assert pa.types.is_timestamp(kinds["ts"])
    assert kinds["ts"].tz is None
    assert pa.types.is_timestamp(kinds["tz"])
    assert kinds["tz"].tz in ("UTC", "+00:00")
    assert pa.types.is_binary(kinds["by"]) or pa.types.is_large_binary(kinds["by"])
    rows = {name: table.column(name).to_pylist() for name in FORMAT}
    # The second row is NULL all over.
    assert all(values[1] is None for values in rows.values()), rows
    assert rows["i2"][2] == -32768
    assert rows["i8"][2] == -(2**63)
    assert rows["f8"] == [0.1, None, 1e300]
    assert [str(each) for each in rows["n"]] == ["1.100", "None", "-12345678901234567.125"]
    assert rows["b"] == [True, None, False]
    assert rows["t"] == ['é, "q"\n', None, ""]
    assert rows["v"] == ["abc", None, "x"]
    assert [str(each) for each in rows["d"]] == ["2024-02-29", "None", "1900-01-01"]
    assert rows["ts"][0].isoformat() == "2024-02-29T01:02:03.456789"
    assert rows["tz"][0].timestamp() == 1709164800
    assert rows["by"] == [b"\x00\xff", None, b""]
    assert rows["u"][0] in ("00000000-0000-0000-0000-000000000001", b"\0" * 15 + b"\x01")


def test_output_format_may_be_an_object(user, typed):
    chosen = {"i4": "int", "t": "text"}
    for given in (chosen, json.dumps(chosen)):
        frame = csv(user.run("do-eval", typed, accept=CSV, outputFormat=given))
        assert list(frame.columns) == ["i4", "t"]


BAD_FORMATS: list[Any] = [
    '{"nosuch": "int"}', '{"i4": "nosuchtype"}', "{", "[]", '{"i4": "int); drop table x; --"}', 5,
    '{"t": "int"}', "nosuchtable", [], {"i4": 1}, {},
]  # fmt: skip


@pytest.mark.parametrize("given", BAD_FORMATS)
@pytest.mark.parametrize("accept", [CSV, ARROW])
def test_formats_that_cannot_be(user, typed, given, accept):
    user.run("do-eval", typed, accept=accept, outputFormat=given).refused(400)


IRIS_FIELDS: dict[str, dict[str, Any]] = {
    "table-apply": {"input": "iris"},
    "row-apply": {"input": "iris", "rows": 40},
    "group-apply": {"input": "iris", "groupBy": "SPECIES", "orderBy": "SEPAL_LENGTH"},
}


@pytest.mark.parametrize("kind", IRIS_FIELDS)
def test_frames_without_a_format(conn, user, store, iris, kind):
    """The gateway finds the columns by itself: the columns of the frame, after the group."""
    store(
        "gw_scaled",
        "def f(dat):\n    dat['LONG'] = dat['SEPAL_LENGTH'] > 5.8\n    dat['N'] = len(dat)\n"
        "    return dat[['SPECIES', 'PETAL_WIDTH', 'LONG', 'N']]",
    )
    fields = {**IRIS_FIELDS[kind], "parameters": '{"oml_input_type": "pandas.DataFrame"}'}
    rows = user.run(kind, "gw_scaled", **fields).result
    if kind == "group-apply":
        rows = [{"group": name, **row} for name, group in rows.items() for row in group]
    wanted = pd.DataFrame(rows)
    frame = csv(user.run(kind, "gw_scaled", accept=CSV, **fields))
    pd.testing.assert_frame_equal(frame, wanted)
    table = arrow(user.run(kind, "gw_scaled", accept=ARROW, **fields))
    pd.testing.assert_frame_equal(table.to_pandas(), wanted, check_dtype=False)


def test_more_rows_than_json_takes(user, store):
    """The limit is for JSON: CSV and Arrow stream."""
    store(
        "gw_many",
        "import pandas as pd\n"
        "def f(n): return pd.DataFrame({'x': range(n), 'y': [k / 8 for k in range(n)]})",
    )
    fields = {"parameters": '{"n": 200000}', "outputFormat": '{"x": "int", "y": "float8"}'}
    user.run("do-eval", "gw_many", **fields).refused(400)
    frame = csv(user.run("do-eval", "gw_many", accept=CSV, **fields))
    assert len(frame) == 200_000
    assert frame["x"].sum() == 199_999 * 100_000
    table = arrow(user.run("do-eval", "gw_many", accept=ARROW, **fields))
    pd.testing.assert_frame_equal(table.to_pandas(), frame, check_dtype=False)


@pytest.mark.parametrize("accept", [CSV, ARROW])
def test_nothing_is_something(user, store, accept):
    store("gw_none", "import pandas as pd\ndef f(): return pd.DataFrame({'x': [], 'y': []})")
    answer = user.run("do-eval", "gw_none", accept=accept, outputFormat='{"x": "int", "y": "text"}')
    if accept == CSV:
        assert answer.text.replace("\r\n", "\n") == "x,y\n"
    else:
        table = arrow(answer)
        assert (table.num_rows, table.column_names) == (0, ["x", "y"])


@pytest.mark.parametrize("accept", [CSV, ARROW])
def test_indexes_and_scalars(user, store, accept):
    store("gw_square", "def f(i): return i * i")
    answer = user.run(
        "index-apply", "gw_square", accept=accept, times=4, outputFormat='{"v": "int"}'
    )
    found = csv(answer) if accept == CSV else arrow(answer).to_pandas()
    assert found["v"].tolist() == [1, 4, 9, 16]


@pytest.mark.parametrize("accept", [CSV, ARROW])
def test_an_error_is_json_whatever_was_asked_for(user, store, accept):
    store("gw_fails", "def f(): return 1 / 0")
    answer = user.run("do-eval", "gw_fails", accept=accept, outputFormat='{"x": "int"}')
    answer.refused(400, "ZeroDivisionError")
    user.run("do-eval", "gw_nosuch", accept=accept).refused(400)


def test_an_error_in_the_middle_does_not_look_like_a_result(user, store):
    """A stream that fails ends early: never as a complete response of fewer rows."""
    store(
        "gw_breaks",
        "import pandas as pd\ndef f():\n    for k in range(50):\n"
        "        if k == 40:\n            raise ValueError('too far')\n"
        "        yield pd.DataFrame({'x': range(10000)})",
    )
    for accept in (CSV, ARROW):
        try:
            answer = user.run("do-eval", "gw_breaks", accept=accept, outputFormat='{"x": "int"}')
        except OSError as error:
            assert error  # cut off: the client notices
        except Exception as error:
            assert type(error).__name__ in ("IncompleteRead", "RemoteDisconnected"), error
        else:
            answer.refused(400, "too far")


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("accept", [CSV, ARROW])
def test_results_of_jobs(user, store, version, accept):
    store(
        "gw_rows",
        "import pandas as pd\ndef f(): return pd.DataFrame({'x': [1, 2], 'y': ['a', None]})",
    )
    path = user.submit("do-eval", "gw_rows", version=version)
    user.wait_for_job(path)
    answer = user.get(path + "/result", Accept=accept)
    found = csv(answer) if accept == CSV else arrow(answer).to_pandas()
    assert found["x"].tolist() == [1, 2]
    assert found["y"].fillna("-").tolist() == ["a", "-"]


def test_a_typed_result_of_a_job(user, typed):
    path = user.submit("do-eval", typed)
    user.wait_for_job(path)
    wanted = urllib.parse.quote('{"i8": "bigint", "n": "numeric(20,3)"}')
    answer = user.get(f"{path}/result?outputFormat={wanted}", Accept=CSV)
    assert answer.status == 200, answer
    lines = answer.text.split()
    assert lines == ["i8,n", "1,1.100", ",", "-9223372036854775808,-12345678901234567.125"]
    user.get(f"{path}/result?outputFormat=nosuch", Accept=CSV).refused(400)


ACCEPTS = {
    "*/*": "application/json", "": "application/json", "application/*": "application/json",
    "text/csv, application/json;q=0.5": CSV, "application/json, text/csv;q=0.9": "application/json",
    "text/html, text/csv;q=0.1": CSV, "TEXT/CSV": CSV, "text/csv;q=0": "application/json",
    "text/csv; charset=utf-8": CSV, "text/*": CSV,
}  # fmt: skip


@pytest.mark.parametrize("accept", ACCEPTS)
def test_negotiation(user, store, accept):
    store("gw_rows", "import pandas as pd\ndef f(): return pd.DataFrame({'x': [1, 2]})")
    answer = user.run("do-eval", "gw_rows", accept=accept)
    if accept == "text/csv;q=0":
        assert answer.status in (200, 406)
    else:
        assert answer.status == 200, answer
    assert answer.headers.get_content_type() == ACCEPTS[accept]


@pytest.mark.parametrize("accept", ["image/png", "text/html", "x" * 5000, "nonsense", ";;;,,,"])
def test_media_that_there_are_not(user: User, store: Any, accept: str) -> None:
    store("gw_one", "def f(): return 1")
    answer = user.run("do-eval", "gw_one", accept=accept)
    assert answer.status in (200, 400, 406), answer
    assert answer.json()
