"""Databases whose encoding lacks characters that Python has: escapes in JSON and in messages."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import engine_kinds
import psycopg
import pytest
from background import Background
from processes import wait_for

ENGINE_PLACES = engine_kinds.ENGINES

# Characters that each encoding lacks, the last beyond the Basic Multilingual Plane, among some that
# it has.
TEXTS = {"LATIN1": "aé€あ\U0001f600\U0010ffff£", "EUC_JP": "aあé€\U0001f600\U0010ffff日"}
CODECS = {"LATIN1": "latin-1", "EUC_JP": "euc_jp"}
SCRIPTS = {
    "same": "def same(s): return s",
    "both": "def both(s): return {'k': s, s: [s]}",
    "frame": """
import pandas
def frame(s): return pandas.DataFrame({"a": [s]})
""",
    "nested": "def nested(s): return {'value': [[s, {s: 1}]]}",
    "each": "def each(dat, s): return {s: list(dat['x'])}",
    "numbered": "def numbered(index, s): return [index, s]",
    "drawn": """
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
def drawn(s):
    plt.plot([1, 2])
    return s
""",
    "failing": "def failing(s): raise ValueError(s)",
    "long": "def long(s, n): return s * n",
    "loud": """
import warnings
def loud(s):
    print(s)
    warnings.warn(s)
""",
}


@pytest.fixture(scope="module", params=TEXTS)
def encoded(
    request: pytest.FixtureRequest, server, engine_place: engine_kinds.Place
) -> Iterator[tuple[str, psycopg.Connection[Any]]]:
    """An encoding, and a connection to a database that has it."""
    name = f"epe_encoding_{request.param.lower()}"
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(
            f"CREATE DATABASE {name} ENCODING '{request.param}' LOCALE 'C' TEMPLATE template0"
        )
    with server.connect(name, client_encoding="utf8", **engine_place.options()) as connection:
        connection.execute("CREATE EXTENSION oml_epe")
        for script, source in SCRIPTS.items():
            connection.execute("SELECT pyq_script_create(%s, %s)", (script, source))
        yield request.param, connection
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def parameters(text: str, **others: Any) -> str:
    return json.dumps({"s": text, **others})  # all of it ASCII


def escaped(text: str, encoding: str, astral: str) -> str:
    """The text as the extension writes it; an oracle that uses Python's codecs."""

    def one(character: str) -> str:
        try:
            character.encode(CODECS[encoding])
        except UnicodeEncodeError:
            if ord(character) < 0x10000:
                return f"\\u{ord(character):04x}"
            if astral == "json":
                return json.dumps(character)[1:-1]
            return f"\\U{ord(character):08x}"
        return character

    return "".join(map(one, text))


# For another database.
WAITING = """
import oml
def waiting():
    oml.cursor().execute("SELECT pg_advisory_lock_shared(77)")
    return 1
"""
CALLS = {
    "eval": ("pyq_eval(%s, NULL::pyq_json, 'both')", lambda s: {"k": s, s: [s]}),
    "frame": ("pyq_eval(%s, NULL::pyq_json, 'frame')", lambda s: [{"a": s}]),
    "table": (
        "pyq_table_eval('SELECT 1::text AS x', %s, NULL::pyq_json, 'each')",
        lambda s: {s: ["1"]},
    ),
    "row": (
        "pyq_row_eval('SELECT g::text AS x FROM generate_series(1, 2) AS g', %s, NULL::pyq_json, 1,"
        " 'each')",
        lambda s: [{s: ["1"]}, {s: ["2"]}],
    ),
    "group": (
        "pyq_group_eval('SELECT g::text AS x FROM generate_series(1, 2) AS g', %s,"
        " NULL::pyq_json, 'x', NULL, 'each')",
        lambda s: {"1": {s: ["1"]}, "2": {s: ["2"]}},
    ),
    "index": ("pyq_index_eval(%s, NULL::pyq_json, 2, 'numbered')", lambda s: [[1, s], [2, s]]),
    "png": ("pyq_eval(%s, NULL::pyq_png, 'drawn')", lambda s: s),
    "json": (
        "pyq_eval(%s, 'JSON', 'both') AS t(name text, value json)",
        lambda s: {"k": s, s: [s]},
    ),
    "varchar": (
        "pyq_eval(%s, 'JSON', 'both') AS t(name text, value varchar)",
        lambda s: {"k": s, s: [s]},
    ),
    "column of json": (
        """pyq_eval(%s, '{"value": "json"}', 'nested') AS t(value json)""",
        lambda s: [s, {s: 1}],
    ),
    "pieces": ("pyq_eval(%s, NULL::pyq_json, 'both')", lambda s: {"k": s, s: [s]}),
}


@pytest.mark.parametrize("call", CALLS)
def test_json_escapes_what_the_encoding_lacks(encoded, call):
    encoding, connection = encoded
    text = TEXTS[encoding]
    query, expected = CALLS[call]
    with connection.transaction():
        if call == "pieces":
            connection.execute("SET LOCAL oml_epe.output_piece = 5")
        rows = connection.execute(
            f"SELECT value::text FROM {query}", (parameters(text),)
        ).fetchall()
    values = ["".join(value for (value,) in rows)] if call == "pieces" else [v for (v,) in rows]
    assert len(values) == 1
    assert json.loads(values[0]) == expected(text)
    # Characters that the encoding has are not escaped.
    assert escaped(text, encoding, "json") in values[0]


def test_jsonb_is_an_error(encoded):
    """It holds the characters themselves, so PostgreSQL has no place for them."""
    encoding, connection = encoded
    for query in (
        "SELECT * FROM pyq_eval(%s, NULL::jsonb, 'both')",
        "SELECT * FROM pyq_eval(%s, 'JSON', 'both') AS t(name text, value jsonb)",
    ):
        with pytest.raises(psycopg.errors.UntranslatableCharacter):
            connection.execute(query, (parameters(TEXTS[encoding]),))
        fine = TEXTS[encoding].encode(CODECS[encoding], "ignore").decode(CODECS[encoding])
        row = connection.execute(query, (parameters(fine),)).fetchone()
        assert row[-1] == {"k": fine, fine: [fine]}


def test_long_json(encoded):
    """Longer than a conversion block, with characters across block boundaries."""
    encoding, connection = encoded
    for length in (8189, 8190, 8191, 8192, 100_003):
        text = TEXTS[encoding] + "x" * (length % 7) + "é" * 9000
        query = "SELECT value FROM pyq_eval(%s, NULL::pyq_json, 'long')"
        row = connection.execute(query, (parameters(text, n=length // 5000 + 1),)).fetchone()
        assert json.loads(row[0]) == text * (length // 5000 + 1)


def test_messages_escape_what_the_encoding_lacks(encoded):
    encoding, connection = encoded
    text = TEXTS[encoding]
    with pytest.raises(psycopg.errors.ExternalRoutineException) as caught:
        connection.execute("SELECT pyq_eval(%s, NULL::int, 'failing')", (parameters(text),))
    shown = escaped(text, encoding, "python")
    assert caught.value.diag.message_primary == f"ValueError: {shown}"
    notices = []
    connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    connection.execute("SELECT pyq_eval(%s, NULL::int, 'loud')", (parameters(text),))
    assert sorted(notices) == sorted([shown, f"UserWarning: {shown}"])


def run_job(connection, script: str, text: str) -> tuple[uuid.UUID, str]:
    row = connection.execute(
        f"SELECT right(value, 36)::uuid FROM pyq_eval(%s, 'JSON', '{script}')"
        " AS t(name text, value text)",
        (parameters(text, oml_async_flag=True),),
    ).fetchone()
    [state] = connection.execute("SELECT pyq_job_wait(%s::text, '1 min')", row).fetchone()
    return row[0], state


def test_jobs_keep_errors_and_results(encoded):
    """The outcome of a job was lost: "the job's worker ended while the job ran"."""
    encoding, connection = encoded
    text = TEXTS[encoding]
    job, state = run_job(connection, "failing", text)
    assert state == "failed"
    error = connection.execute("SELECT error FROM pyq_jobs WHERE id = %s", (job,)).fetchone()
    message = f"ValueError: {escaped(text, encoding, 'python')}"
    assert error == (message,)
    result = "SELECT value FROM pyq_job_result(%s::text) AS t(name text, value text)"
    with pytest.raises(psycopg.errors.ExternalRoutineException) as caught:
        connection.execute(result, (job,))
    assert caught.value.diag.message_primary == message
    job, state = run_job(connection, "same", text)
    assert state == "finished"
    [value] = connection.execute(result, (job,)).fetchone()
    assert json.loads(value) == text
    assert value == f'"{escaped(text, encoding, "json")}"'


def test_views_show_objects_of_databases_with_other_encodings(server, database, encoded):
    """A script's name in another database must not make a view fail here."""
    encoding, connection = encoded
    name = TEXTS[encoding]
    options = "-c oml_epe.engine=process"
    with (
        server.connect(database) as lock_session,
        server.connect(database, options=options) as other,
    ):
        lock_session.execute("SELECT pg_advisory_lock(77)")
        other.execute("SELECT pyq_script_create(%s, %s, false, true)", (name, WAITING))
        pid = other.info.backend_pid
        running = Background(other, f"SELECT pyq_eval(NULL, NULL::int, '{name}')")
        query = f"SELECT script FROM pyq_engines WHERE backend_pid = {pid} AND state = 'busy'"
        wait_for("a busy engine", lambda: bool(lock_session.execute(query).fetchone()))
        [here] = lock_session.execute(query).fetchone()
        assert name in here
        assert connection.execute(query).fetchone() == (escaped(here, encoding, "python"),)
        lock_session.execute("SELECT pg_advisory_unlock(77)")
        assert running.result() is None
        other.execute("SELECT pyq_script_drop(%s)", (name,))
