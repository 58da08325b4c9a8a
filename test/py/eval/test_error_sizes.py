"""The report of an exception has a bounded size."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import engine_kinds
import psycopg
import pytest
from psycopg import Connection

ENGINE_PLACES = engine_kinds.ENGINES
ERRORS = Path(__file__).resolve().parents[3] / "src" / "py" / "runtime" / "errors.py"
CALL = "SELECT * FROM pyq_eval(NULL, NULL, 'script') AS t(a text)"
FRAME = re.compile(r'^  File "<oml_epe script .*>", line \d+, in \w+$')


@pytest.fixture
def failure(conn: Connection[Any]) -> Callable[[str], psycopg.errors.Diagnostic]:
    """A function that runs a script, which must fail, and returns the error."""

    def run(source: str) -> psycopg.errors.Diagnostic:
        conn.execute("SELECT pyq_script_create('script', %s, false, true)", (source,))
        with pytest.raises(psycopg.Error) as caught:
            conn.execute(CALL)
        conn.execute("SELECT pyq_script_create('script', 'def f(): return 7', false, true)")
        assert conn.execute(CALL).fetchone() == ("7",)
        return caught.value.diag

    return run


Failure = Callable[[str], psycopg.errors.Diagnostic]


def frames_of(context: str) -> tuple[int, int]:
    """Frames shown by a traceback, including repeated lines, and the number of omitted frames."""
    lines = context.splitlines()
    shown = sum(FRAME.match(line) is not None for line in lines)
    shown += sum(int(n) for n in re.findall(r"Previous line repeated (\d+) more time", context))
    omitted = re.findall(r"^  \.\.\. (\d+) frames omitted \.\.\.$", context, re.MULTILINE)
    assert len(omitted) <= 1
    return shown, int(omitted[0]) if omitted else 0


def deep(calls: int) -> str:
    # Two functions by turns, so that no line repeats the one above it.
    return f"""
import sys
sys.setrecursionlimit(10 ** 6)
def odd(n):
    if n == 0:
        raise ValueError("deep")
    even(n - 1)
def even(n):
    if n == 0:
        raise ValueError("deep")
    odd(n - 1)
def script():
    odd({calls})
"""


@pytest.mark.parametrize(
    ("calls", "shown", "omitted"), [(10, 12, 0), (78, 80, 0), (79, 80, 1), (100_000, 80, 99_922)]
)
def test_frames_between_the_ends_are_counted(
    failure: Failure, calls: int, shown: int, omitted: int
) -> None:
    error = failure(deep(calls))
    assert (error.sqlstate, error.message_primary) == ("38000", "ValueError: deep")
    assert error.context is not None
    assert frames_of(error.context) == (shown, omitted)
    lines = error.context.splitlines()
    assert lines[2].endswith("in script")
    assert lines[-1].strip().strip("^") in ('raise ValueError("deep")', "")
    # 20 before the mark, 60 after it.
    mark = next((i for i, line in enumerate(lines) if "omitted" in line), None)
    if mark is not None:
        assert frames_of("\n".join(lines[:mark]))[0] == 20
        assert frames_of("\n".join(lines[mark + 1 :]))[0] == 60


def test_frames_of_a_recursion_that_ends_by_memory(failure: Failure) -> None:
    """Each call keeps some memory, so that the limit comes before that of the depth."""
    error = failure("""
import resource, sys
sys.setrecursionlimit(10 ** 9)
def endless(held):
    if len(held) > 200_000:
        raise MemoryError("no more")
    held.append(None)
    endless(held)
def script():
    endless([])
""")
    assert (error.sqlstate, error.message_primary) == ("53200", "MemoryError: no more")
    assert frames_of(error.context or "") == (80, 200_002 + 1 - 80)


CHAIN = """
def script():
    error = ValueError("first")
    for number in range(50_000):
        following = ValueError(str(number))
        following.{link} = error
        error = following
    raise error
"""


@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_long_chains_are_cut(failure: Failure, link: str) -> None:
    error = failure(CHAIN.format(link=link))
    assert error.message_primary == "ValueError: 49999"
    context = error.context or ""
    assert "... earlier exceptions omitted ..." in context
    shown = re.findall(r"^ValueError: (\d+)$", context, re.MULTILINE)
    assert shown == [str(number) for number in range(49_984, 49_999)]


@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_chains_of_one_exception(failure: Failure, link: str) -> None:
    error = failure(
        f"def script():\n    error = ValueError('one')\n    error.{link} = error\n    raise error\n"
    )
    assert error.message_primary == "ValueError: one"


def test_each_exception_of_a_chain_has_a_bounded_traceback(failure: Failure) -> None:
    error = failure(
        deep(5000).replace("def script():\n    odd(5000)", "")
        + """
def script():
    try:
        odd(5000)
    except ValueError as first:
        raise KeyError("second") from first
"""
    )
    assert error.message_primary == "KeyError: 'second'"
    assert "... 4922 frames omitted ..." in (error.context or "")
    assert "direct cause" in (error.context or "")


def test_wide_groups_are_cut(failure: Failure) -> None:
    error = failure(
        "def script():\n    raise ExceptionGroup('wide', [ValueError(n) for n in range(100_000)])\n"
    )
    assert error.message_primary == "ExceptionGroup: wide (100000 sub-exceptions)"
    shown = re.findall(r"ValueError: (\d+)$", error.context or "", re.MULTILINE)
    assert shown == ["0", "1", "2", "3", "4"]
    assert "... 99995 exceptions omitted ..." in (error.context or "")


def test_nested_groups_are_cut(failure: Failure) -> None:
    error = failure("""
def script():
    error = ValueError("inside")
    for number in range(10_000):
        error = ExceptionGroup(f"group {number}", [error])
    raise error
""")
    assert error.message_primary == "ExceptionGroup: group 9999 (1 sub-exception)"
    assert "group 9984 (" in (error.context or "")
    assert "group 9983 (" not in (error.context or "")
    assert "... 1 exceptions omitted ..." in (error.context or "")


LONG = {
    "a text": "raise ValueError('x' * 10_000_000)",
    "a text of a subclass": "raise ValueError(type('S', (str,), {})('x' * 10_000_000))",
    "a repr": "raise KeyError(list(range(1_000_000)))",
    "a note": "raise noted('n' * 10_000_000)",
    "many notes": "raise noted(*('n' * 1000 for _ in range(100_000)))",
    "syntax": "eval('(' + 'x' * 1_000_000 + ' 1 2')",
    "syntax in a huge file": "compile('1 1', 'f' * 1_000_000, 'exec')",
}


@pytest.mark.parametrize("case", LONG)
def test_long_texts_are_cut(failure: Failure, case: str) -> None:
    error = failure(f"""
def noted(*notes):
    error = ValueError("noted")
    error.__notes__ = list(notes)
    return error
def script():
    {LONG[case]}
""")
    assert error.sqlstate == "38000"
    assert len(error.message_primary or "") < 70_000
    assert len(error.context or "") < 20_000


def test_many_notes_are_counted(failure: Failure) -> None:
    error = failure("""
def script():
    error = ValueError("noted")
    for number in range(50_000):
        error.add_note(f"note {number}")
    raise error
""")
    lines = (error.message_primary or "").splitlines()
    assert lines == [
        "ValueError: noted",
        *(f"note {number}" for number in range(10)),
        "... 49990 notes omitted ...",
    ]


def test_detail_and_hint_are_cut(failure: Failure) -> None:
    error = failure("""
class Own(Exception):
    detail = "d" * 10_000_000
    hint = "h" * 10_000_000
def script():
    raise Own("own")
""")
    assert (len(error.message_detail or ""), len(error.message_hint or "")) == (32768, 32768)


LONG_TEXTS = """
class Long(ValueError):
    detail = "x" * 100_000

def script():
    raise Long("y" * 100_000)
"""


def test_python_and_the_library_cut_at_one_length(failure: Failure, conn: Connection[Any]) -> None:
    """errors.py, which cuts messages, error.cpp, details, and function_call.cpp, all texts."""
    found = re.search(r"^LONGEST_MESSAGE = (\d+)$", ERRORS.read_text(), re.MULTILINE)
    assert found is not None
    longest = int(found.group(1))
    from_python = failure(LONG_TEXTS)
    assert len(from_python.message_primary or "") == longest + len(" ...")
    assert len(from_python.message_detail or "") == longest
    with pytest.raises(psycopg.Error) as caught:
        conn.execute("SELECT pyq_eval(NULL, repeat('z', 100000), 'script')")
    from_library = caught.value.diag.message_primary or ""
    assert len(from_library) == longest + len(" ...") and "zzz" in from_library


def test_huge_source_lines_are_cut(failure: Failure) -> None:
    error = failure("def script(): x = '" + "x" * 1_000_000 + "'; raise ValueError('here')\n")
    assert error.message_primary == "ValueError: here"
    assert "x" * 300 + " ..." in (error.context or "")
    assert len(error.context or "") < 2000


def test_what_a_frame_names_is_no_file_to_be_read(failure: Failure) -> None:
    error = failure(
        "def script():\n    exec(compile('raise ValueError(1)', '/dev/zero', 'exec'))\n"
    )
    assert error.message_primary == "ValueError: 1"
    assert '"/dev/zero", line 1' in (error.context or "")


LYING = {
    "__traceback__": "property(lambda self: 5)",
    "__cause__": "property(lambda self: self)",
    "__context__": "property(lambda self: 1 / 0)",
    "__suppress_context__": "property(lambda self: 1 / 0)",
    "__module__": "5",
    "__qualname__": "'Other'",
    "__notes__": "property(lambda self: iter(lambda: 'n', 0))",
    "__class__": "property(lambda self: int)",
    "exceptions": "property(lambda self: 7)",
}


@pytest.mark.parametrize("base", ["Exception", "ExceptionGroup", "SyntaxError"])
@pytest.mark.parametrize("attribute", LYING)
def test_attributes_that_lie(failure: Failure, attribute: str, base: str) -> None:
    arguments = "'lie', [ValueError(1)]" if base == "ExceptionGroup" else "'lie'"
    error = failure(f"""
class Own({base}):
    {attribute} = {LYING[attribute]}
def script():
    raise Own({arguments})
""")
    assert error.sqlstate == "38000"
    assert "lie" in (error.message_primary or "")
    assert "in script" in (error.context or "")


STUCK = {
    "__str__": "def __str__(self):\n        while True: pass",
    "sqlstate": "@property\n    def sqlstate(self):\n        while True: pass",
    "notes": "@property\n    def __notes__(self):\n        while True: pass",
}


@pytest.mark.parametrize("case", STUCK)
def test_attributes_that_never_end_are_interrupted(conn: Connection[Any], case: str) -> None:
    source = f"""
class Own(Exception):
    {STUCK[case]}
def script():
    raise Own("stuck")
"""
    conn.execute("SELECT pyq_script_create('script', %s, false, true)", (source,))
    conn.execute("SET statement_timeout = '300ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        conn.execute(CALL)
    conn.execute("RESET statement_timeout")


def test_many_warnings_are_counted(conn: Connection[Any]) -> None:
    conn.execute(
        "SELECT pyq_script_create('script', 'import warnings\ndef f():\n"
        "    for n in range(5000): warnings.warn(str(n))', false, true)"
    )
    received: list[str] = []
    conn.add_notice_handler(lambda diagnostic: received.append(diagnostic.message_primary or ""))
    conn.execute(CALL)
    assert received == [f"UserWarning: {n}" for n in range(1000)] + [
        "... 4000 warnings left out ..."
    ]


def test_a_long_warning_is_cut(conn: Connection[Any]) -> None:
    conn.execute(
        "SELECT pyq_script_create('script', 'import warnings\ndef f():\n"
        '    warnings.warn("x" * 10_000_000)\', false, true)'
    )
    received: list[str] = []
    conn.add_notice_handler(lambda diagnostic: received.append(diagnostic.message_primary or ""))
    conn.execute(CALL)
    assert [len(text) < 40_000 for text in received] == [True]


@pytest.mark.parametrize("body", ["repr(nested)", "def_recursion()"])
def test_an_overflow_of_the_stack_in_an_engine(conn: Connection[Any], body: str) -> None:
    """Python code that raised the limit of the recursion ends its engine, not the server."""
    if conn.execute("SHOW oml_epe.engine").fetchone() == ("backend",):
        pytest.skip("a trusted script can end its own session so")
    source = f"""
import sys
class Deep:
    def __repr__(self):
        return repr(self)
    __getattr__ = lambda self, name: getattr(self, name)
def def_recursion():
    return Deep().x
def script():
    sys.setrecursionlimit(10 ** 9)
    nested = Deep()
    return {body}
"""
    conn.execute("SELECT pyq_script_create('script', %s, false, true)", (source,))
    with pytest.raises(psycopg.Error) as caught:
        conn.execute(CALL)
    assert caught.value.sqlstate in ("38000", "53200")
    assert conn.execute("SELECT 1").fetchone() == (1,)
