"""Results that lie about their memory: an error of the statement, never the end of the server."""

# check_sizes: mostly the sources of hostile scripts, which are data.

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import arrow_layouts
import engine_kinds
import psycopg
import pytest
from psycopg import Connection

ENGINE_PLACES = engine_kinds.ENGINES
CALL = "SELECT a FROM pyq_eval(NULL, NULL, 'hostile') AS t(a {})"
JSON = "SELECT value FROM pyq_eval(NULL, 'JSON', 'hostile') AS t(name text, value text)"


def run_in(conn: Connection[Any], source: str, statement: str) -> list[Any]:
    """Store a script and return what `statement` gives with it."""
    conn.execute("SELECT pyq_script_create('hostile', %s, false, true)", (source,))
    return [row[0] for row in conn.execute(statement).fetchall()]  # type: ignore[call-overload]


@pytest.fixture
def run(module_conn: Connection[Any]) -> Callable[..., list[Any]]:
    """run_in() one session: importing pyarrow in each would cost too much."""
    return functools.partial(run_in, module_conn)


def refusal(run: Callable[..., list[Any]], source: str, statement: str) -> tuple[str, str]:
    """SQLSTATE and message of a call that fails; the session must be usable after it."""
    with pytest.raises(psycopg.Error) as caught:
        run(source, statement)
    assert run("def hostile(): return 7", CALL.format("int")) == [7]
    return str(caught.value.sqlstate), str(caught.value.diag.message_primary)


# --------------------------------------------------------------------------- subclasses of arrays

# A subclass may override whatever Python looks up; none of it is asked.
LYING = """
import numpy as np

class Lying(np.ndarray):
    dtype = property(lambda self: np.dtype({dtype!r}))
    shape = property(lambda self: 5)
    ndim = property(lambda self: 1)
    strides = property(lambda self: (1 << 40,))
    itemsize = property(lambda self: 1 << 40)
    base = flags = data = None
    __array_interface__ = {{"data": (8, False), "shape": (9,), "typestr": "|O8", "version": 3}}
    def __len__(self):
        return 1 << 40
    def view(self, *arguments):
        return "no view"
    def astype(self, *arguments):
        return [object()]
    def newbyteorder(self, *arguments):
        return None
    def ravel(self, *arguments):
        return None
    def __array__(self, *arguments):
        return np.zeros(1)
    def __iter__(self):
        return iter([])

def hostile():
    return np.ndarray.view({array}, Lying)
"""
ARRAYS = {
    "ints": ("np.arange(3)", "text", ["0", "1", "2"], "[0,1,2]"),
    "swapped": ("np.arange(3).astype('>i4')", "int", [0, 1, 2], "[0,1,2]"),
    "objects": ("np.array(['x', None, 'y'], dtype=object)", "text", ["x", None, "y"], None),
    "reversed": ("np.arange(3)[::-1]", "int", [2, 1, 0], "[2,1,0]"),
    "one value again and again": ("np.broadcast_to(np.int64(4), 3)", "int", [4] * 3, "[4,4,4]"),
    "unaligned": (
        "np.frombuffer(b'.' + np.arange(3).tobytes(), dtype='i8', offset=1)",
        "int",
        [0, 1, 2],
        "[0,1,2]",
    ),
    "times": ("np.array([0, 86400], dtype='M8[s]')", "date", None, None),
    "texts": ("np.array(['a', 'bb'])", "text", ["a", "bb"], '["a","bb"]'),
    "nothing": ("np.arange(0)", "int", [], "[]"),
}


@pytest.mark.parametrize("dtype", ["O", "f8", "U5", "i1", "V3", "M8[s]", "?"])
@pytest.mark.parametrize("array", ARRAYS)
def test_no_override_of_an_array_is_asked(
    run: Callable[..., list[Any]], array: str, dtype: str
) -> None:
    expression, sql_type, values, json = ARRAYS[array]
    source = LYING.format(dtype=dtype, array=expression)
    found = run(source, CALL.format(sql_type))
    if values is not None:
        assert found == values
    else:
        assert [str(value) for value in found] == ["1970-01-01", "1970-01-02"]
    rendered = run(source, JSON)
    assert json is None or rendered == [json]


def test_no_override_of_an_array_in_a_list_is_asked(run: Callable[..., list[Any]]) -> None:
    source = LYING.format(dtype="O", array="np.arange(3)").replace(
        "return np.ndarray", "return [np.ndarray"
    )
    source = source.rstrip() + "]\n"
    assert run(source, CALL.format("bigint[]")) == [[0, 1, 2]]


SCALARS = {
    "void": (
        "class V(np.void):\n    dtype = property(lambda self: type('D', (), {'names': 7}))\n"
        "def hostile(): return [V(b'abc')]",
        "bytea",
        [b"abc"],
    ),
    "datetime64": (
        "class D(np.datetime64):\n    dtype = property(lambda self: 5)\n"
        "    def view(self, *a): return 1.5\n"
        "def hostile(): return [D('2020-02-03', 'D')]",
        "text",
        ["2020-02-03"],
    ),
    "datetime_data": (
        "np.datetime_data = None\ndef hostile(): return np.array([1], 'M8[25us]')",
        "text",
        ["1970-01-01 00:00:00.000025"],
    ),
    "str": (
        "class S(str):\n    def encode(self, *a): return 5\n    def __len__(self): return 1 << 40\n"
        "def hostile(): return [S('abc')]",
        "text",
        ["abc"],
    ),
    "int": (
        "class I(int):\n    def __index__(self): return 'no'\n    def __str__(self): return 5\n"
        "    __int__ = __repr__ = __index__\ndef hostile(): return [I(12)]",
        "int",
        [12],
    ),
    "bytes": (
        "class B(bytes):\n    def __len__(self): return 1 << 40\n    __bytes__ = __len__\n"
        "def hostile(): return [B(b'xy')]",
        "bytea",
        [b"xy"],
    ),
}


@pytest.mark.parametrize("scalar", SCALARS)
def test_no_override_of_a_scalar_is_asked(run: Callable[..., list[Any]], scalar: str) -> None:
    body, sql_type, values = SCALARS[scalar]
    assert run(f"import numpy as np\n{body}", CALL.format(sql_type)) == values


def test_booleans_of_any_byte_are_true(run: Callable[..., list[Any]]) -> None:
    source = "import numpy as np\ndef hostile(): return np.array([0, 1, 2, 255], 'u1').view('?')"
    assert run(source, CALL.format("bool")) == [False, True, True, True]
    assert run(source, CALL.format("int")) == [0, 1, 1, 1]
    assert run(source, CALL.format("text")) == ["false", "true", "true", "true"]


# ------------------------------------------------------------------ arrays over others' memory

OTHERS_MEMORY = {
    "as_strided": "as_strided(np.arange(5), shape=(1 << 30,), strides=(4096,))",
    "as_strided backwards": "as_strided(np.arange(5), shape=(1 << 30,), strides=(-4096,))",
    "as_strided that overflows": "as_strided(np.arange(5), shape=(1 << 40,), strides=(1 << 30,))",
    "rows of as_strided": "as_strided(np.arange(5), shape=(4, 1 << 30), strides=(8, 4096))[1:]",
    "an address": "np.asarray(Interface('<i8'))",
    "objects at an address": "np.asarray(Interface('|O'))",
    "objects over ints": "np.ndarray((5,), dtype=object, buffer=np.arange(5) + 1)",
    "objects beyond": "as_strided(np.array(['a'], dtype=object), shape=(99,), strides=(8,))",
    "objects askew": "as_strided(np.array(['a', 'b'], dtype=object), shape=(2,), strides=(4,))",
    "objects askew in place": "askew()",
    "objects beside objects": "as_strided(pairs()['o'], shape=(3,), strides=(8,))",
}
OTHERS_PRELUDE = """
import numpy as np
from numpy.lib.stride_tricks import as_strided

class Interface:
    def __init__(self, typestr):
        self.__array_interface__ = {"shape": (5,), "typestr": typestr, "data": (64, False),
                                    "version": 3}

def pairs():
    return np.array([(1, "x"), (2, "y")], dtype=[("a", "i8"), ("o", "O")])

def askew():
    view = np.array(["a", "b"], dtype=object)[:]
    view.strides = (4,)
    return view

def hostile():
    return """


@pytest.mark.parametrize("form", [CALL.format("text"), CALL.format("text[]"), JSON])
@pytest.mark.parametrize("case", OTHERS_MEMORY)
def test_memory_of_others_is_refused(run: Callable[..., list[Any]], case: str, form: str) -> None:
    state, message = refusal(run, OTHERS_PRELUDE + OTHERS_MEMORY[case], form)
    assert (state, "memory" in message) == ("22023", True)


@pytest.mark.parametrize(
    ("value", "form", "state"),
    [
        # The hint looks for an AS list that would fit.
        (
            "np.ma.MaskedArray(np.asarray(Interface('|O')).reshape(5, 1), copy=False)",
            "SELECT a FROM pyq_eval(NULL, NULL, 'hostile') AS t(a text, b text)",
            "22023",
        ),
        # The values of Series are taken where their index puts them.
        (
            "{'a': pd.Series(np.asarray(Interface('|O')), dtype=object, copy=False), "
            "'b': pd.Series([1, 2])}",
            "SELECT a FROM pyq_eval(NULL, NULL, 'hostile') AS t(a text, b int)",
            "22023",
        ),
        # An array of axes would be a drawing.
        (
            "np.asarray(Interface('|O'))",
            "SELECT value FROM pyq_eval(NULL, 'PNG', 'hostile') AS "
            "t(name text, id int, value text, title text, image bytea)",
            "22023",
        ),
    ],
)
def test_what_looks_at_results_reads_no_memory_of_others(
    run: Callable[..., list[Any]], value: str, form: str, state: str
) -> None:
    prelude = "import matplotlib.pyplot\nimport pandas as pd\n" + OTHERS_PRELUDE
    source = prelude.removesuffix("return ") + "matplotlib.pyplot.figure()\n    return " + value
    assert refusal(run, source, form)[0] == state


def test_a_list_that_holds_itself_is_no_drawing(run: Callable[..., list[Any]]) -> None:
    source = """
import matplotlib.pyplot, sys
sys.setrecursionlimit(10 ** 7)
def hostile():
    value = []
    value.append(value)
    matplotlib.pyplot.plot([1])
    return value
"""
    statement = (
        "SELECT value FROM pyq_eval(NULL, 'PNG', 'hostile') AS "
        "t(name text, id int, value text, title text, image bytea)"
    )
    state, message = refusal(run, source, statement)
    assert (state, "nested too deeply" in message) == ("22023", True)


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        ("import_module('no\\udc80')", "No module named 'no\\udc80'", 'no module "no\\udc80"'),
        ("import_module('m' * 10**7)", "ModuleNotFoundError: No module", ""),
        ("dat = Endless(); raise KeyError('x')", "KeyError: 'x'", ""),
    ],
)
def test_hints_are_bounded(
    run: Callable[..., list[Any]], body: str, message: str, hint: str
) -> None:
    source = f"""
import itertools
from importlib import import_module
class Endless:
    columns = itertools.repeat("X" * 1000)
def hostile(dat):
    {body}
"""
    statement = "SELECT a FROM pyq_eval('{\"dat\": 1}', NULL, 'hostile') AS t(a int)"
    with pytest.raises(psycopg.Error) as caught:
        run(source, statement)
    diag = caught.value.diag
    assert message in str(diag.message_primary)
    help_text = f"{diag.message_detail or ''} {diag.message_hint or ''}"
    assert hint in help_text and len(help_text) < 1000


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("as_strided(np.arange(5), shape=(3,), strides=(16,))", ["0", "2", "4"]),
        ("as_strided(np.array(['a', 'b', 'c'], dtype=object), (2,), (16,))", ["a", "c"]),
        ("pairs()['o']", ["x", "y"]),
        ("np.asarray(memoryview(np.array(['a', 'b'], dtype=object)))[::-1]", ["b", "a"]),
        ("np.frombuffer(bytearray(b'ab'), dtype='S1')", ["a", "b"]),
    ],
)
def test_memory_within_an_array_is_read(
    run: Callable[..., list[Any]], expression: str, values: list[str]
) -> None:
    assert run(OTHERS_PRELUDE + expression, CALL.format("text")) == values


# ------------------------------------------------------------------ memory that others look at

# numpy and pandas read the memory of these in functions of their own.
BEYOND_PRELUDE = """
import dataclasses, enum, mmap, os, tempfile
from collections import deque
import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import as_strided

FAR = 10**9

def mask(length):
    return as_strided(np.zeros(1, bool), shape=(length,), strides=(FAR,))

def mask_of_rows():
    return as_strided(np.zeros(1, bool), (2, 3), (FAR, FAR))

def floats(*shape):
    return as_strided(np.zeros(1), shape=shape, strides=(FAR,) * len(shape))

def codes(length):
    return as_strided(np.zeros(1, "i1"), shape=(length,), strides=(FAR,))

def truncated(size=1 << 16):
    with tempfile.TemporaryFile() as file:
        file.truncate(size)
        memory = mmap.mmap(file.fileno(), size)
        file.truncate(0)
    return memory

def with_mask(values):
    values._mask = mask(len(values))
    return values

def record():
    return as_strided(np.zeros(1, dtype=[("a", "i8"), ("b", "i8")]), (5,), (FAR,))[3]

def object_record():
    view = as_strided(np.array([("x", 1)], dtype=[("a", "O"), ("b", "i8")]), (5,), (FAR,))
    return view[3]

class Slots:
    __slots__ = ("value",)
    def __init__(self, value):
        self.value = value
    def __str__(self):
        return str(self.value.sum())

@dataclasses.dataclass
class Data:
    values: object

def categorical():
    return pd.Categorical._simple_new(codes(2), pd.CategoricalDtype(["a", "b"]))

def frame(values):
    # DataFrame({"a": values}) would copy the mask, in the script.
    return pd.Series(values).to_frame("a")

def in_objects(value):
    array = np.empty(2, dtype=object)
    array[1] = value
    return array

def masked_records():
    values = np.ma.array(np.zeros(2, [("a", "i8")]))
    values._mask = as_strided(np.zeros(1, [("a", "?")]), (2,), (FAR,))
    return values

def intervals():
    values = pd.arrays.IntervalArray.from_arrays([0.5, 1], [1, 2])
    values._left = floats(2)
    return values

def frame_over(array):
    frame = pd.DataFrame({"a": np.zeros(array.shape[-1])})
    block = frame._mgr.blocks[0]
    block.values = array.reshape(1, -1) if array.ndim == 1 else array
    return frame

def buffers():
    import pyarrow as pa
    return pa.Array.from_buffers(pa.int64(), 1000, [None, pa.py_buffer(truncated())])

def periods():
    values = as_strided(np.zeros(1, "i8"), (3,), (FAR,))
    return pd.arrays.PeriodArray(values, freq="D")

def stored():
    import oml
    oml.ds.save({"hostile": with_mask(pd.array([1] * 9))}, "hostile", overwrite=True)

def parameter(value):
    import oml
    return oml.cursor().execute("SELECT $1", (value,)).fetchone()[0]

def hostile():
    return """
BEYOND = {
    "a masked array of pandas": "frame(with_mask(pd.array([1] * 1000)))",
    "booleans of pandas": "pd.Series(with_mask(pd.array([True] * 9)))",
    "floats of pandas": "pd.Series(with_mask(pd.array([0.5] * 9)))",
    "an extension array alone": "with_mask(pd.array([1] * 1000))",
    "an index": "pd.DataFrame({'a': [1, 2]}, index=pd.Index(floats(2), copy=False))",
    "a masked array of numpy": "np.ma.array(np.zeros(5), mask=mask(5))",
    "masked rows": "np.ma.array(np.zeros((2, 3)), mask=mask_of_rows())",
    "masked records": "masked_records()",
    "a block of a frame": "frame_over(floats(3))",
    "categories' codes": "frame(categorical())",
    "periods": "pd.Series(periods())",
    "intervals": "pd.Series(intervals())",
    "a record": "[record()]",
    "a record of objects": "[object_record()]",
    "records": "as_strided(np.zeros(1, dtype=[('a', 'i8')]), (5,), (FAR,))",
    "a memoryview": "memoryview(truncated())",
    "a piece of a memoryview": "[memoryview(truncated())[5:100:7]]",
    "an array over a mapping": "np.frombuffer(truncated(), 'i8')",
    "in a dict": "{'a': [with_mask(pd.array([1, 2]))]}",
    "in a tuple": "(with_mask(pd.array([1, 2])), 1)",
    "in a deque": "deque([floats(9)])",
    "in a dataclass": "[Data(with_mask(pd.array([1, 2])))]",
    "in an enum": "[enum.Enum('E', {'one': memoryview(truncated())}).one]",
    "in slots": "[Slots(floats(9))]",
    "in an array of objects": "in_objects(with_mask(pd.array([1, 2])))",
    "in a generator": "(each for each in [with_mask(pd.array([1, 2]))])",
    "frames of a generator": "(each for each in [frame(with_mask(pd.array([1, 2])))])",
    "pyarrow": "buffers()",
    "a table of pyarrow": "__import__('pyarrow').table({'a': buffers()})",
    "a parameter": "parameter(with_mask(pd.array([1, 2])))",
    "a parameter of bytes": "parameter(memoryview(truncated()))",
    "a masked parameter": "parameter({'a': np.ma.array(np.zeros(5), mask=mask(5))})",
    "a datastore": "stored()",
}
GENERATORS = ("in a generator", "frames of a generator")
PNG = (
    "SELECT value FROM pyq_eval(NULL, 'PNG', 'hostile') AS"
    " t(name text, id int, value text, title text, image bytea)"
)


@pytest.mark.parametrize(
    "form",
    [CALL.format("text"), CALL.format("bytea"), JSON, JSON.replace("JSON", "XML"), PNG],
    ids=["text", "bytea", "JSON", "XML", "PNG"],
)
@pytest.mark.parametrize("case", BEYOND)
def test_memory_that_is_read_by_others_is_refused(
    run: Callable[..., list[Any]], case: str, form: str
) -> None:
    if form == PNG and case in GENERATORS:
        assert run(BEYOND_PRELUDE + BEYOND[case], form) == []  # without a figure it is not read
        return
    state, message = refusal(run, BEYOND_PRELUDE + BEYOND[case], form)
    assert state in ("22023", "38000") and "memory" in message


def test_figures_are_checked(run: Callable[..., list[Any]]) -> None:
    source = (
        BEYOND_PRELUDE.removesuffix("return ")
        + """
    import matplotlib.pyplot
    (line,) = matplotlib.pyplot.figure().add_subplot().plot([1, 2])
    line._xorig = line._yorig = floats(2)
    line._invalidx = line._invalidy = True
    return 1
"""
    )
    state, message = refusal(run, source, PNG)
    assert (state, "outside of the object that it was made from" in message) == ("22023", True)


@pytest.mark.backend
def test_results_of_jobs_are_checked(conn: Connection[Any]) -> None:
    source = BEYOND_PRELUDE + BEYOND["a masked array of pandas"]
    conn.execute("SELECT pyq_script_create('hostile', %s, false, true)", (source,))
    row = conn.execute(
        "SELECT right(value, 36) FROM pyq_eval('{\"oml_async_flag\": true}', 'JSON', 'hostile')"
        " AS t(name text, value text)"
    ).fetchone()
    assert row is not None
    assert conn.execute("SELECT pyq_job_wait(%s, '1 min')", row).fetchone() == ("failed",)
    error = conn.execute("SELECT error FROM pyq_jobs WHERE id::text = %s", row).fetchone()
    assert error is not None and "outside of the object that it was made from" in str(error[0])
    conn.execute("SELECT pyq_delete_job(%s)", row)


SOUND = {
    "masked": ("pd.DataFrame({'a': pd.array([1, None, 3])})", ["1", None, "3"]),
    "ma": ("np.ma.array([1, 2, 3], mask=[0, 1, 0])", ["1", None, "3"]),
    "records": ("list(np.array([('x', 1)], dtype=[('a', 'O'), ('b', 'i8')]))", None),
    "nested records": ("[np.zeros(2, [('a', [('b', 'O'), ('c', 'i8')])])[1]['a']]", None),
    "memoryview": ("[memoryview(bytearray(b'xyz'))[::-1]]", None),
    "mapping": ("[memoryview(mmap.mmap(-1, 4096))[:3]]", None),
    "objects shown often": ("np.broadcast_to(np.array(['x'], object), 3)", ["x"] * 3),
    "itself": ("(lambda a: (a.append(a), 'x')[1])([])", ["x"]),
}


@pytest.mark.parametrize("case", SOUND)
def test_sound_memory_passes(run: Callable[..., list[Any]], case: str) -> None:
    expression, values = SOUND[case]
    found = run(BEYOND_PRELUDE + expression, CALL.format("text") if values else JSON)
    assert found == values if values else len(found) == 1


# ------------------------------------------------------------------------- values that change

CHANGING = {
    # __str__ of an element empties the list that is being read.
    "a list": """
class Emptying:
    def __str__(self):
        values.clear()
        return "emptied"
values = [Emptying()] + ["x" * i for i in range(1, 1000)]
def hostile():
    return values
""",
    "an array of objects": """
import numpy as np
class Emptying:
    def __str__(self):
        values[:] = None
        return "emptied"
values = np.array([Emptying()] + ["x" * i for i in range(1, 1000)], dtype=object)
def hostile():
    return values
""",
    "a module that is looked at": """
import sys
class Module:
    def __getattr__(self, name):
        values.clear()
        raise AttributeError(name)
class Odd:
    def __str__(self):
        return "emptied"
values = [Odd()] + ["x" * i for i in range(1, 1000)]
def hostile():
    sys.modules.pop("uuid", None)
    sys.modules["uuid"] = Module()
    try:
        return list(values)
    finally:
        del sys.modules["uuid"]
""",
}


@pytest.mark.parametrize("case", CHANGING)
def test_values_that_change_while_they_are_read(run: Callable[..., list[Any]], case: str) -> None:
    found = run(CHANGING[case], CALL.format("text"))
    assert found == ["emptied"] + ["x" * i for i in range(1, 1000)]


CHANGED_NUMPY = {
    "ndarray": "np.ndarray = list",
    "generic": "np.generic = int",
    "datetime64": "np.datetime64 = type('T', (), {})",
    "concatenate": "np.concatenate = lambda *a: np.zeros(1)",
}


@pytest.mark.backend
@pytest.mark.parametrize("case", CHANGED_NUMPY)
def test_a_changed_numpy_ends_no_server(conn: Connection[Any], case: str) -> None:
    source = f"""
import numpy as np
{CHANGED_NUMPY[case]}
def hostile():
    return [np.array([1, 2]), np.array([3, 4])]
"""
    try:
        found = run_in(conn, source, CALL.format("int[]"))
    except psycopg.Error as error:
        assert error.sqlstate in ("22023", "38000", "42804")
    else:
        assert found == [[1, 2], [3, 4]]


@pytest.mark.parametrize("days", [1, -2, 999999999])
def test_offsets_of_a_day_are_refused(run: Callable[..., list[Any]], days: int) -> None:
    source = f"""
import datetime
class Aware(datetime.datetime):
    def utcoffset(self):
        return datetime.timedelta(days={days})
def hostile():
    return [Aware(2020, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))]
"""
    state, message = refusal(run, source, CALL.format("timestamptz"))
    assert (state, "less than a day" in message) == ("38000", True)


@pytest.mark.parametrize("text", ["1\\0", "\\x01", "\\u20ac", " 1"])
def test_digits_of_a_decimal_are_looked_at(run: Callable[..., list[Any]], text: str) -> None:
    source = f"""
import decimal
class Odd(decimal.Decimal):
    def __str__(self):
        return "{text}"
def hostile():
    return [Odd(1)]
"""
    state, _ = refusal(run, source, CALL.format("numeric"))
    assert state == "42804"


def test_rendered_text_is_looked_at(run: Callable[..., list[Any]]) -> None:
    source = """
import decimal
class Odd(decimal.Decimal):
    def __str__(self):
        return '"\\0"'
def hostile():
    return [Odd(1)]
"""
    state, _ = refusal(run, source, JSON)
    assert state == "22021"


@pytest.mark.parametrize("form", ["'JSON'", "'XML'"])
@pytest.mark.parametrize("value", ["[value]", "{1: value}", "(value,)"])
def test_nesting_beyond_the_stack(run: Callable[..., list[Any]], value: str, form: str) -> None:
    source = f"""
import sys
sys.setrecursionlimit(10 ** 7)
def hostile():
    value = []
    for _ in range(300_000):
        value = {value}
    return value
"""
    statement = f"SELECT value FROM pyq_eval(NULL, {form}, 'hostile') AS t(name text, value text)"
    state, message = refusal(run, source, statement)
    assert (state, "nested too deeply" in message) == ("22023", True)


def test_an_exception_nested_beyond_the_stack(run: Callable[..., list[Any]]) -> None:
    source = """
import sys
sys.setrecursionlimit(10 ** 7)
def hostile():
    value = []
    for _ in range(300_000):
        value = [value]
    raise KeyError(value)
"""
    state, message = refusal(run, source, JSON)
    assert (state, message) == ("38000", "KeyError: <exception str() failed>")


# ------------------------------------------------------------------------------------------ Arrow


ARROW = "SELECT x FROM pyq_eval(NULL, NULL, 'hostile') AS t(x text)"


def arrow_source(expression: str) -> str:
    # Imported first: else the copy in the backend would be another library's than the script's.
    return f"import pyarrow\n{arrow_layouts.PRELUDE}\ndef hostile():\n    return {expression}\n"


@pytest.fixture
def arrow(engine_place: engine_kinds.Place) -> None:
    engine_place.require_package("pyarrow")


@pytest.mark.usefixtures("arrow")
@pytest.mark.parametrize("case", arrow_layouts.SOUND)
def test_sound_streams_are_read(run: Callable[..., list[Any]], case: str) -> None:
    expression, values = arrow_layouts.SOUND[case]
    assert run(arrow_source(expression), ARROW) == values


@pytest.mark.usefixtures("arrow")
@pytest.mark.parametrize("case", arrow_layouts.BROKEN)
def test_broken_streams_are_refused(run: Callable[..., list[Any]], case: str) -> None:
    expression, part = arrow_layouts.BROKEN[case]
    source = arrow_source(f"Stream({expression})")
    for form in (ARROW, JSON):
        state, message = refusal(run, source, form)
        assert state == "22023"
        assert message.startswith("broken Arrow data")
        assert part in message


STREAMS = {
    "get_next fails": ("Stream(table(ints()), status=5, error=b'no more')", "38000", "no more"),
    "get_schema fails": (
        "Stream(table(ints()), arrays=0, status=5, error=None)",
        "38000",
        "error 5",
    ),
    "an error not UTF-8": (
        r"Stream(table(ints()), status=5, error=b'\xff')",
        "38000",
        "error 5",
    ),
    "an error at address 80": (
        "Stream(table(ints()), status=5, error=80)",
        "22023",
        "text of an error",
    ),
    "a released stream": ("Stream(table(ints()), release=None)", "22023", "released"),
    "no get_schema": ("Stream(table(ints()), get_schema=None)", "22023", "functions"),
    "no get_next": ("Stream(table(ints()), get_next=None)", "22023", "functions"),
}


@pytest.mark.usefixtures("arrow")
@pytest.mark.parametrize("case", STREAMS)
def test_streams_that_fail(run: Callable[..., list[Any]], case: str) -> None:
    expression, state, part = STREAMS[case]
    found, message = refusal(run, arrow_source(expression), ARROW)
    assert (found, part in message) == (state, True)


@pytest.mark.usefixtures("arrow")
@pytest.mark.parametrize(
    "capsule", ["5", "None", "'arrow_array_stream'", "__import__('datetime').datetime_CAPI"]
)
def test_what_is_no_stream(run: Callable[..., list[Any]], capsule: str) -> None:
    source = f"""
import pyarrow
class Stream:
    def __arrow_c_stream__(self, requested_schema=None):
        return {capsule}
def hostile():
    return Stream()
"""
    state, _ = refusal(run, source, ARROW)
    assert state == "38000"


@pytest.mark.usefixtures("arrow")
@pytest.mark.parametrize(
    "expression",
    [
        "pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(np.array([0, 1 << 30, 3],"
        " 'i4')), pa.py_buffer(b'abb')])",
        "pa.DictionaryArray.from_arrays(pa.array([0, 9]), pa.array(['a']), safe=False)",
        "pa.table({'a': pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(np.array([0, -5,"
        " 3], 'i4')), pa.py_buffer(b'abb')])})",
        r"pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(np.array([0, 1], 'i4')),"
        r" pa.py_buffer(b'\xff')])",
    ],
)
def test_arrays_of_pyarrow_are_validated(run: Callable[..., list[Any]], expression: str) -> None:
    source = f"import numpy as np\nimport pyarrow as pa\ndef hostile():\n    return {expression}\n"
    for form in (ARROW, JSON):
        state, message = refusal(run, source, form)
        assert (state, "pyarrow" in message) == ("22023", True)


@pytest.mark.usefixtures("arrow")
@pytest.mark.parametrize("call", ["push({})", "create({}, table='lies')"])
@pytest.mark.parametrize(
    "data", ["table", "table.column(0)", "table.to_reader()", "Given(table)", "Given(table['a'])"]
)
def test_arrow_data_for_tables_is_checked(
    run: Callable[..., list[Any]], data: str, call: str
) -> None:
    source = f"""
import oml
import pyarrow as pa

class Given:
    def __init__(self, data):
        self.data = data
    def __arrow_c_stream__(self, requested_schema=None):
        return self.data.__arrow_c_stream__(requested_schema)

def hostile():
    array = pa.Array.from_buffers(pa.int64(), 100, [None, pa.foreign_buffer(4096, 800)])
    table = pa.table({{"a": array}})
    oml.{call.format(data)}
"""
    state, message = refusal(run, source, ARROW)
    assert (state, "array" in message) == ("22023", True)


# --------------------------------------------------------------------------- codes of pandas

# pandas takes categories and levels by their codes without looking at their range.
CODED = """
import numpy as np
import pandas as pd

def hostile():
    values = pd.Categorical.from_codes(np.array([0, 1]), {categories})
    codes = values._ndarray
    codes.flags.writeable = True
    codes[:] = [99, -100]
    pair = pd.MultiIndex([['a'], ['b']], [[0, 99], [0, 5]], verify_integrity=False)
    return {expression}
"""


@pytest.mark.parametrize("categories", ["['a', 'b']", "[1.5, 2.5]"])
@pytest.mark.parametrize(
    "expression",
    [
        "pd.DataFrame({'a': values})",
        "pd.Series(values)",
        "pd.CategoricalIndex(values)",
        "[values]",
        "pair",
        "pd.DataFrame([[1, 2]], columns=pair)",
        "pd.DataFrame([[1, 2]], columns=pd.CategoricalIndex(values))",
        "pd.MultiIndex([pd.CategoricalIndex(values)], [[0, 1]], verify_integrity=False)",
    ],
)
def test_codes_of_pandas_out_of_range(
    run: Callable[..., list[Any]], expression: str, categories: str
) -> None:
    source = CODED.format(expression=expression, categories=categories)
    statements = [JSON, JSON.replace("'JSON'", "'XML'")]
    if not expression.startswith("["):
        statements.append(CALL.format("text"))
    for statement in statements:
        state, message = refusal(run, source, statement)
        assert (state, "out of range" in message) == ("22023", True)


@pytest.mark.parametrize("items", ["itertools.repeat(None)", "range(1 << 60)"])
@pytest.mark.parametrize("form", ["JSON", "XML"])
def test_iterators_without_end_are_cancelled(conn: Connection[Any], items: str, form: str) -> None:
    """Iterators in C run no bytecode of Python. The limit is for a server that does not stop."""
    source = f"""
import itertools
import resource

def hostile():
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, most))
    return {items}
"""
    conn.execute("SET statement_timeout = '500ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        run_in(conn, source, JSON.replace("'JSON'", f"'{form}'"))
