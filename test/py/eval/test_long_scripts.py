"""Scripts that are parsed and compiled in pieces: those of more than 65,536 characters."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from background import Background
from processes import wait_for
from psycopg import Connection

CALL = "SELECT a FROM pyq_eval(NULL, NULL, 'long') AS t(a text)"
# Comments, brackets, texts over lines that look like statements, and every kind of statement that a
# line at the left margin continues.
FILLING = '''
# comment
values = [
"def no(): pass",
]
text = """
def not_code():
else:
"""
if values:
    branch = 1
elif text:
    branch = 2
# between
else:
    branch = 3
try:
    branch += 1
except ValueError:
    pass
finally:
    branch += 1
@staticmethod
# after a decorator
def decorated(): return 1
joined = 1 + \\
2
for each in values: pass
else: branch += 1
annotated: "anything" = 1
'''
REPEATED = 400


def filled(*parts: str) -> str:
    """Scripts of which each part is far from the others."""
    source = (FILLING * REPEATED).join(parts)
    assert len(source) > 2 * 65536
    return source


def run(conn: Connection[Any], source: str) -> Any:
    conn.execute("SELECT pyq_script_create('long', %s, false, true)", (source,))
    row = conn.execute(CALL).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_statement_is_run_once_and_in_order(conn: Connection[Any], newline: str) -> None:
    source = filled(
        "ran = [1]\n", "ran.append(2)\n", "def f(): return f'{ran} {branch} {joined}'\n"
    )
    assert run(conn, source.replace("\n", newline)) == "[1, 2] 4 3"


def test_only_the_first_text_is_the_docstring(conn: Connection[Any]) -> None:
    texts = "'no docstring'\n" * 600
    assert run(conn, filled("'''It is.'''\n", texts, "def f(): return str(__doc__)\n")) == "It is."
    assert run(conn, filled("start = 1\n", texts, "def f(): return str(__doc__)\n")) == "None"


def test_future_statements_hold_for_all_pieces(conn: Connection[Any]) -> None:
    source = filled(
        "'''A docstring.'''\nfrom __future__ import annotations\n",
        "",
        "def f(a: what + ever = 1): return f.__annotations__['a']\n",
    )
    assert run(conn, source) == "what + ever"


def test_future_statements_may_be_many(conn: Connection[Any]) -> None:
    futures = "from __future__ import annotations\n" * 1000
    source = f"'''It is.'''\n{futures}def f(a: missing = __doc__): return a\n"
    assert run(conn, source) == "It is."
    with pytest.raises(psycopg.Error) as caught:
        run(conn, source + futures)
    assert "Line 1003: " in str(caught.value.diag.message_detail)


def test_the_traceback_has_the_line(conn: Connection[Any]) -> None:
    source = filled("", "", "def f():\n    raise ValueError('here')\n")
    line = source.count("\n")
    with pytest.raises(psycopg.Error) as caught:
        run(conn, source)
    assert f"line {line}, in f\n    raise ValueError('here')" in str(caught.value.diag.context)


FAULTS = {
    "syntax": ("def f(: pass\n", "invalid syntax"),
    "brackets": ("x = (1,\n", "'(' was never closed"),
    "text": ("x = '''\n", "unterminated triple-quoted string literal"),
    "compiler": ("return 1\n", "'return' outside function"),
    "a late future statement": (
        "from __future__ import annotations\n",
        "from __future__ imports must occur at the beginning of the file",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_have_their_line(conn: Connection[Any], case: str) -> None:
    fault, message = FAULTS[case]
    source = filled("", fault, "" if case in ("brackets", "text") else "def f(): pass\n")
    line = FILLING.count("\n") * REPEATED + 1
    with pytest.raises(psycopg.Error) as caught:
        run(conn, source)
    detail = str(caught.value.diag.message_detail)
    assert caught.value.sqlstate == "22023"
    found = re.match(r"Line (\d+): ", detail)
    assert message.partition(" (")[0] in detail
    assert found is not None and int(found[1]) == line


@pytest.fixture
def compiling() -> Iterator[Path]:
    """A file that a session with `HOOK` makes when it compiles."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder) / "compiling"


HOOK = """
import sys
def hook(path):
    def tell(event, arguments):
        if event == "compile" and not isinstance(arguments[0], (str, bytes)):
            open(path, "w").close()
    sys.addaudithook(tell)
"""


@pytest.mark.backend
@pytest.mark.parametrize("ending", ["", "from __future__ import division"])
def test_a_cancel_need_not_wait_for_the_whole(
    conn: Connection[Any], connect: Callable[..., Connection[Any]], compiling: Path, ending: str
) -> None:
    """In one piece CPython needs the square of the number of functions: many minutes."""
    session = connect()
    session.execute("SELECT pyq_script_create('hook', %s, false, true)", (HOOK,))
    session.execute(
        "SELECT pyq_eval(jsonb_build_object('path', %s::text), NULL::int, 'hook')",
        (str(compiling),),
    )
    compiling.unlink(missing_ok=True)
    creation = Background(
        session,
        "SELECT pyq_script_create("
        f"'long', repeat(E'def f(): 0\\n', 300000) || '{ending}', false, true)",
    )
    wait_for("the compiler runs", compiling.exists)
    conn.execute("SELECT pg_cancel_backend(%s)", (session.info.backend_pid,))
    assert isinstance(creation.result(), psycopg.errors.QueryCanceled)
