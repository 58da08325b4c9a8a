"""runtime/render.py, standing alone: results as JSON and XML."""

import base64
import datetime as dt
import decimal
import enum
import json
import math
import uuid
import xml.etree.ElementTree as ElementTree
from collections import OrderedDict, namedtuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime_modules import load

# Machines that build many things at once are slow now and then.
properties = settings(deadline=None, max_examples=50)

render = load("render")
RenderError = render.RenderError


def json_of(value):
    return render.to_json(value)[0]


Point = namedtuple("Point", "x")


class Colour(enum.Enum):
    RED = "red"
    TWO = 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (2**70, str(2**70)),
        (0.1, "0.1"),
        (1e300, "1e+300"),
        (float("nan"), "null"),
        (float("-inf"), "null"),
        ('a"\n\0é', '"a\\"\\n\\u0000é"'),
        ("\ud800", '"\\ud800"'),
        ([1, [2, None]], "[1,[2,null]]"),
        ((1, 2), "[1,2]"),
        (Point(1), "[1]"),
        (range(2), "[0,1]"),
        ({2, 1}, "[1,2]"),
        ({"b": 1, "a": 2}, '{"b":1,"a":2}'),
        (OrderedDict(a=1), '{"a":1}'),
        ({1: 4, None: 3, ("x", 5): 6}, '{"1":4,"null":3,"x_5":6}'),
        ({dt.date(2020, 1, 1): 1}, '{"2020-01-01":1}'),
        (dt.datetime(2020, 1, 2, 3, 4, 5, 600000), '"2020-01-02T03:04:05.600000"'),
        (dt.datetime(2020, 1, 2, tzinfo=dt.timezone.utc), '"2020-01-02T00:00:00+00:00"'),
        (dt.date(2020, 1, 2), '"2020-01-02"'),
        (dt.time(1, 2), '"01:02:00"'),
        (dt.timedelta(1, 3723, 500000), '"P1DT1H2M3.5S"'),
        (dt.timedelta(seconds=-5), '"PT-5S"'),
        (dt.timedelta(0), '"PT0S"'),
        (decimal.Decimal("1.10"), "1.10"),
        (decimal.Decimal("NaN"), "null"),
        (b"abc", '"YWJj"'),
        (bytearray(b"abc"), '"YWJj"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Colour.RED, '"red"'),
        (Colour.TWO, "2"),
        (np.int8(5), "5"),
        (np.float32(0.1), "0.1"),
        (np.float64("nan"), "null"),
        (np.bool_(True), "true"),
        (np.str_("x"), '"x"'),
        (np.datetime64("2020-01-01T00:00:00.5", "ns"), '"2020-01-01T00:00:00.5"'),
        (np.datetime64("NaT"), "null"),
        (np.timedelta64(90, "s"), '"PT1M30S"'),
        (np.timedelta64(14, "M"), '"P14M"'),
        (np.array(5), "5"),
        (np.array([1, 2]), "[1,2]"),
        (np.array([[1.5, np.nan]]), "[[1.5,null]]"),
        (np.array([0.1, np.inf], dtype="f4"), "[0.1,null]"),
        (np.array([True]), "[true]"),
        (np.array(["x"]), '["x"]'),
        (np.ma.array([1, 2], mask=[False, True]), "[1,null]"),
        (np.ma.array([[1, 2]], mask=[[False, True]]), "[[1,null]]"),
        (pd.NaT, "null"),
        (pd.NA, "null"),
        (pd.Timestamp("2020-01-01", tz="UTC"), '"2020-01-01T00:00:00+00:00"'),
        (pd.Timedelta(1, "ns"), '"PT0.000000001S"'),
        (pd.Series([1.0, None], index=["x", "y"]), "[1.0,null]"),
        (pd.Series([1, None], dtype="Int64"), "[1,null]"),
        (pd.Index(["x"]), '["x"]'),
        (pd.Categorical(["x"]), '["x"]'),
        (pd.Period("2020-01"), '"2020-01"'),
        (pd.DataFrame(), "[]"),
    ],
)
def test_json(value, text):
    assert json_of(value) == text
    assert render.to_value(value) == text
    json.loads(text)


def test_frame_is_records_in_column_order():
    frame = pd.DataFrame(
        {
            "z": [1, 2],
            "a": [0.5, math.nan],
            "100%s": ["é", None],
            "t": pd.to_datetime(["2020-01-01 12:00", None]),
            "b": [True, False],
            "d": [decimal.Decimal("1.0"), {"k": [1]}],
        },
        index=[5, 6],
    )
    text, is_frame = render.to_json(frame)
    assert is_frame
    assert text == (
        '[{"z":1,"a":0.5,"100%s":"é","t":"2020-01-01T12:00:00","b":true,"d":1.0},'
        '{"z":2,"a":null,"100%s":null,"t":null,"b":false,"d":{"k":[1]}}]'
    )


@pytest.mark.parametrize("dtype", [None, "string", "category"])
def test_texts_of_every_type(dtype):
    texts = pd.Series(["<", None, "é", *"abcdefgh"], dtype=dtype)
    frame = pd.DataFrame({"a": texts})
    assert json.loads(json_of(frame)) == [{"a": text} for text in ["<", None, "é", *"abcdefgh"]]
    assert json.loads(json_of(texts)) == ["<", None, "é", *"abcdefgh"]
    cells = ElementTree.fromstring(render.to_xml(frame, []).encode()).iter("a")
    assert [cell.text for cell in cells] == ["<", None, "é", *"abcdefgh"]


def test_only_frames_are_frames():
    structured = np.array([(1, "x")], dtype=[("n", "i4"), ("s", "U1")])
    assert render.to_json(structured) == ('[{"n":1,"s":"x"}]', True)
    assert render.to_json(pd.DataFrame({"a": []})) == ("[]", True)
    assert render.to_json([{"a": 1}]) == ('[{"a":1}]', False)
    assert render.to_json(pd.Series([1])) == ("[1]", False)


def test_frames_inside_other_values():
    frame = pd.DataFrame({"a": [1]})
    assert render.to_json({"x": frame, "y": [frame]}) == (
        '{"x":[{"a":1}],"y":[[{"a":1}]]}',
        False,
    )


def test_generators():
    frames = (pd.DataFrame({"a": [i] * i}) for i in range(3))
    assert render.to_json(frames) == ('[{"a":1},{"a":2},{"a":2}]', True)
    assert render.to_json(i for i in range(2)) == ("[0,1]", False)
    assert render.to_json(i for i in ()) == ("[]", False)
    with pytest.raises(RenderError, match="either frames only or no frames"):
        render.to_json(iter([1, pd.DataFrame()]))


def test_other_libraries():
    pa = pytest.importorskip("pyarrow")
    pl = pytest.importorskip("polars")
    table = pa.table({"a": [1, None], "s": ["x", "y"]})
    expected = ('[{"a":1,"s":"x"},{"a":null,"s":"y"}]', True)
    for value in (table, table.to_batches()[0], pl.DataFrame(table), pl.DataFrame(table).lazy()):
        assert render.to_json(value) == expected
    for value in (table["a"], pl.Series([1, None])):
        assert render.to_json(value) == ("[1,null]", False)
    assert json_of(pa.scalar(1)) == "1"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1j, "JSON cannot hold a value of Python type complex"),
        ({"a": [0, 1, {2: len}]}, r'builtin_function_or_method, at result\["a"\]\[2\]\[2\]$'),
        ([object()], r"type object, at result\[0\]$"),
        (np.array([1j]), r"type numpy.complex128, at result\[0\]$"),
        (pd.DataFrame({"q": [1, object()]}), r'at result\["q"\]\[1\]$'),
        ((v for v in (1, object())), r"at result\[1\]$"),
        ({frozenset([1]): 1}, "cannot be a key"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), 'more than one column "a"'),
    ],
)
def test_what_json_cannot_hold(value, message):
    with pytest.raises(RenderError, match=message) as caught:
        render.to_json(value)
    assert caught.value.sqlstate == "22023"


def test_cycles():
    cycle = []
    cycle.append(cycle)
    with pytest.raises(RenderError, match="nested too deeply"):
        render.to_json(cycle)
    with pytest.raises(RenderError, match="nested too deeply"):
        render.to_xml(cycle, [])


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@properties
@given(json_values)
def test_json_round_trip(value):
    text = json_of(value)
    assert json.loads(text) == value
    text.encode()


@properties
@given(st.lists(st.floats() | st.none()))
def test_float_columns_as_the_standard_encoder_writes_them(values):
    array = np.array([math.nan if value is None else value for value in values], dtype=float)
    expected = [None if not math.isfinite(value) else value for value in array.tolist()]
    assert json.loads(json_of(pd.DataFrame({"a": array}))) == [{"a": value} for value in expected]


# ---------------------------------------------------------------------------------------------- XML


@pytest.mark.parametrize(
    ("value", "inside"),
    [
        (True, "<bool>TRUE</bool>"),
        (np.bool_(False), "<bool>FALSE</bool>"),
        (1, "<int>1</int>"),
        (np.int64(1), "<int>1</int>"),
        (0.1, "<float>0.1</float>"),
        (np.float32(0.1), "<float>0.1</float>"),
        (math.nan, "<float>NaN</float>"),
        (-math.inf, "<float>-INF</float>"),
        ("a<&>b", "<str>a&lt;&amp;&gt;b</str>"),
        ("", "<str/>"),
        ("a\0b\ud800\ufffe", "<str>a\ufffdb\ufffd\ufffd</str>"),
        ("a\rb", "<str>a&#13;b</str>"),
        (None, "<NoneType/>"),
        (pd.NaT, "<NoneType/>"),
        ([], "<list/>"),
        ([1, "x"], "<list><item><int>1</int></item><item><str>x</str></item></list>"),
        ((1,), "<list><item><int>1</int></item></list>"),
        (np.array([1]), "<list><item><int>1</int></item></list>"),
        (pd.Series([1.5]), "<list><item><float>1.5</float></item></list>"),
        ({'k"<': 1}, '<dict><item name="k&quot;&lt;"><int>1</int></item></dict>'),
        (decimal.Decimal("1.10"), "<Decimal>1.10</Decimal>"),
        (dt.date(2020, 1, 1), "<date>2020-01-01</date>"),
        (b"abc", "<bytes>YWJj</bytes>"),
        (Colour.RED, "<str>red</str>"),
    ],
)
def test_xml(value, inside):
    text = render.to_xml(value, [])
    assert text == f"<root>{inside}</root>"
    ElementTree.fromstring(text.encode())


def test_xml_of_a_frame():
    frame = pd.DataFrame({"COL1": [1.5, math.nan], "two words": ["<", None], "50%": [True, False]})
    assert render.to_xml(frame, []) == (
        "<root><pandas_dataFrame>"
        '<ROW-pandas_dataFrame><COL1>1.5</COL1><column name="two words">&lt;</column>'
        '<column name="50%">TRUE</column></ROW-pandas_dataFrame>'
        '<ROW-pandas_dataFrame><COL1></COL1><column name="two words"></column>'
        '<column name="50%">FALSE</column></ROW-pandas_dataFrame>'
        "</pandas_dataFrame></root>"
    )
    assert render.to_xml(pd.DataFrame(), []) == "<root><pandas_dataFrame/></root>"


def test_xml_of_generators():
    frames = (pd.DataFrame({"a": [i]}) for i in range(2))
    assert render.to_xml(frames, []).count("<ROW-pandas_dataFrame>") == 2
    assert render.to_xml((i for i in (1,)), []) == (
        "<root><list><item><int>1</int></item></list></root>"
    )


def test_xml_images_follow_the_result():
    root = ElementTree.fromstring(render.to_xml(1, [('T "1"\n', b"abc"), (None, b"d")]))
    assert [child.tag for child in root] == ["int", "images"]
    first, second = root.find("images")
    assert first.attrib == {"id": "1", "title": 'T "1"\n'}
    assert second.attrib == {"id": "2"}
    source = first.find("img").attrib["src"]
    assert source == "data:image/png;base64," + base64.b64encode(b"abc").decode()


def test_xml_refuses_what_json_refuses():
    with pytest.raises(RenderError, match=r'at result\["a"\]\[0\]$'):
        render.to_xml({"a": [len]}, [])


@properties
@given(json_values)
def test_xml_is_well_formed(value):
    ElementTree.fromstring(render.to_xml(value, []).encode())


@properties
@given(st.lists(st.text(), min_size=1, max_size=4, unique=True), st.text())
def test_xml_frames_are_well_formed(names, text):
    root = ElementTree.fromstring(
        render.to_xml(pd.DataFrame([[text] * len(names)], columns=names), []).encode()
    )
    assert len(root[0][0]) == len(names)


@properties
@given(st.text(), st.text())
def test_xml_text_survives(key, text):
    allowed = render._INVALID.sub("\ufffd", key), render._INVALID.sub("\ufffd", text)
    item = ElementTree.fromstring(render.to_xml({key: text}, []).encode())[0][0]
    assert (item.attrib["name"], item[0].text or "") == allowed


class Sized:
    """Not a frame, but with a length."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length


@pytest.mark.parametrize(
    "make",
    [
        lambda n: [0] * n,
        lambda n: dict.fromkeys(range(n)),
        np.zeros,
        lambda n: pd.DataFrame({"a": range(n)}),
        lambda n: pd.Series(range(n)),
        lambda n: iter(range(n)),
        lambda n: (pd.DataFrame({"a": range(part)}) for part in (n - 1, 1)),
        Sized,
    ],
)
def test_a_result_may_be_limited(make):
    whole = render.limited(make(3), 3)
    if hasattr(whole, "__next__"):
        list(whole)
    with pytest.raises(render.OutputError, match=r"^Output exceeds maximum length 3$"):
        list(render.limited(make(4), 3))


@pytest.mark.parametrize("value", ["xxxx", b"xxxx", 5, None, np.array(5), np.float64(1)])
def test_what_has_no_items_is_not_limited(value):
    assert render.limited(value, 3) is value


# ------------------------------------------------------------------------------------- long values


@pytest.fixture
def piece(monkeypatch):
    """Pieces of a few characters or values, so that small values are long ones."""
    monkeypatch.setattr(render, "_PIECE", 9)
    return 9


LONG_TEXTS = ["x" * 100, 'ä"\n' * 40, "\x00\x1f\\" * 30, "😀" * 50, "]]>&<\r" * 20]
LONG_TEXTS += ["y" * 9, "z" * 10]


@pytest.mark.parametrize("text", LONG_TEXTS)
def test_pieces_of_a_long_text_make_the_whole(text, monkeypatch):
    json_before, xml_before = render.to_value(text), render.to_xml(text, [])
    monkeypatch.setattr(render, "_PIECE", 9)
    assert render.to_value(text) == json_before
    assert json.loads(json_before) == text
    assert render.to_xml(text, []) == xml_before


def test_no_function_in_c_gets_more_than_a_piece(piece, monkeypatch):
    sizes = []

    def counted(function):
        def call(value):
            sizes.append(len(value))
            return function(value)

        return call

    encoder = render.json.encoder
    monkeypatch.setattr(encoder, "encode_basestring", counted(encoder.encode_basestring))
    monkeypatch.setattr(render.base64, "b64encode", counted(render.base64.b64encode))
    render.to_value("a" * 1000)
    render.to_value(b"a" * 1000)
    assert len(sizes) >= 2 * (1000 // piece)
    assert max(sizes) <= piece


def test_pieces_of_long_bytes_make_the_whole(piece):
    for size in (8, 9, 10, 11, 100):
        data = bytes(range(size))
        assert json.loads(render.to_value(data)) == base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(100),
        np.linspace(0, 1, 50),
        np.array([1.5, np.nan, np.inf] * 20),
        np.arange(40) % 3 == 0,
        np.arange(50).astype("M8[s]"),
        np.array(["a", None, 1] * 20, dtype=object),
    ],
)
def test_pieces_of_a_long_array_make_the_whole(array, monkeypatch):
    whole = render.to_value(array), render.to_value(pd.DataFrame({"a": array}))
    xml = render.to_xml(pd.DataFrame({"a": array}), [])
    monkeypatch.setattr(render, "_PIECE", 9)
    assert (render.to_value(array), render.to_value(pd.DataFrame({"a": array}))) == whole
    assert render.to_xml(pd.DataFrame({"a": array}), []) == xml


def test_pieces_of_a_long_list_make_the_whole(piece):
    values = ["text", 1, None, 2.5] * 20
    assert json.loads(render.to_value(values)) == values
    assert json.loads(render.to_value(["text"] * 100)) == ["text"] * 100


def test_place_of_a_value_in_a_long_list(piece):
    with pytest.raises(render.RenderError) as caught:
        render.to_value([1] * 25 + [object()] + [1] * 10)
    assert caught.value.path == ["[25]"]
