"""Bytes that Python or the server decodes: pieces of datastores, settings of jobs.

The decoders that need neither are fuzzed in test/fuzz. Here are seeded mutations, written into the
tables by a superuser who bypasses their guards: whatever is there, a call ends with a result or a
clear error.
"""

from __future__ import annotations

import json
import random
import string
import zlib
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

ROUNDS = 40
PIECES = "pyqsys.datastore_pieces"
LOADED = "SELECT * FROM pyq_eval(%s::text, NULL, 'hostile_load') AS t(names text)"
#: Possible outcomes of a damaged object: an error of the script or of its engine, its memory limit.
ENDS_OF_DAMAGE = ("0A000", "38000", "53200")


def flip(data: bytes, chance: random.Random) -> bytes:
    """Change some bytes, or the length."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        action = chance.randrange(4)
        if action == 0 and at < len(changed):
            changed[at] = chance.randrange(256)
        elif action == 1:
            del changed[at : at + chance.randint(1, 64)]
        elif action == 2:
            changed[at:at] = chance.randbytes(chance.randint(1, 64))
        else:
            del changed[at:]
    return bytes(changed)


@pytest.fixture
def stored(conn: Connection[Any], make_script: Any) -> Iterator[Connection[Any]]:
    """A session whose scripts run in engines, with an object as it is and a compressed one."""
    make_script(
        "hostile_save",
        """
import numpy as np
import oml
def hostile_save(compression):
    objects = {"a": np.arange(20000), "b": {"x": [1, 2.5, "é"]}}
    oml.ds.save(objects, "hostile", overwrite=True, compression=compression)
    return 1
""",
    )
    make_script(
        "hostile_load",
        """
import json
import oml
def hostile_load():
    loaded = oml.ds.load("hostile", to_globals=False)
    return json.dumps(sorted(loaded))
""",
    )
    # A damaged pickle may make any call: it is loaded in a sandbox.
    conn.execute("SET oml_epe.engine = 'process'")
    yield conn
    conn.execute(f"ALTER TABLE {PIECES} ENABLE TRIGGER ALL")
    conn.execute("DELETE FROM pyqsys.datastores WHERE name = 'hostile'")


@pytest.mark.parametrize("compression", [False, True])
def test_damaged_pieces_are_clear_errors(stored, compression):
    save = "SELECT * FROM pyq_eval(%s::text, NULL::int, 'hostile_save')"
    stored.execute(save, (json.dumps({"compression": compression}),))
    assert stored.execute(LOADED, ("{}",)).fetchone() == ('["a", "b"]',)
    pieces = stored.execute(
        "SELECT p.object, p.number, p.data FROM pyqsys.datastore_pieces p"
        " JOIN pyqsys.datastore_objects o ON o.object = p.object"
        " JOIN pyqsys.datastores d ON d.id = o.store WHERE d.name = 'hostile'"
    ).fetchall()
    assert len(pieces) >= 2
    # Otherwise the triggers of the table would refuse the next statements.
    stored.execute(f"ALTER TABLE {PIECES} DISABLE TRIGGER ALL")
    chance = random.Random(20240229)  # always the same mutations
    update = f"UPDATE {PIECES} SET data = %s WHERE object = %s AND number = %s"
    states: set[str] = set()
    for _ in range(ROUNDS):
        item, number, data = chance.choice(pieces)
        if compression and chance.randrange(2):
            damaged = zlib.compress(flip(zlib.decompress(data), chance))
        else:
            damaged = flip(data, chance)
        stored.execute(update, (damaged, item, number))
        try:
            row = stored.execute(LOADED, ("{}",)).fetchone()
            assert row is not None
            assert json.loads(row[0]) == ["a", "b"]  # the damage is within a value
        except psycopg.Error as error:
            assert error.sqlstate in ENDS_OF_DAMAGE, (damaged[:200], error)
            states.add(str(error.sqlstate))
        stored.execute(update, (data, item, number))
    assert states, "no damage was noticed"
    assert stored.execute(LOADED, ("{}",)).fetchone() == ('["a", "b"]',)


def some_text(chance: random.Random) -> str:
    """Return a value of a setting with characters that need quoting."""
    letters = string.printable + "é€😀'\"\\{}[],?=;\t\r\n"
    return "".join(chance.choice(letters) for _ in range(chance.randrange(40)))


def test_settings_reach_a_job_as_they_are(conn, make_script):
    """Custom settings of any name and value that SQL takes."""
    make_script(
        "hostile_settings",
        """
import json
import oml
def hostile_settings(names):
    found = {}
    with oml.cursor() as cursor:
        for name in names:
            cursor.execute("SELECT current_setting($1::text)", (name,))
            found[name] = cursor.fetchone()[0]
    return json.dumps(found)
""",
    )
    chance = random.Random(20240229)
    letters = string.ascii_letters + string.digits + "_$é"
    wanted: dict[str, str] = {}
    while len(wanted) < ROUNDS:
        parts = [
            chance.choice(string.ascii_letters + "_")
            + "".join(chance.choice(letters) for _ in range(chance.randrange(12)))
            for _ in range(2)
        ]
        name = ".".join(parts)
        # Names differ by more than case, because PostgreSQL ignores case.
        if name.lower() not in {each.lower() for each in wanted}:
            wanted[name] = some_text(chance)
    for name, value in wanted.items():
        conn.execute("SELECT set_config(%s, %s, false)", (name, value))
    row = conn.execute(
        "SELECT value FROM pyq_eval(%s::text, NULL, 'hostile_settings')"
        " AS t(name text, value text)",
        (json.dumps({"oml_async_flag": True, "names": list(wanted)}),),
    ).fetchone()
    assert row is not None
    job = row[0][-36:]
    ended = conn.execute("SELECT pyq_job_wait(%s, '1 min')", (job,)).fetchone()
    error = conn.execute("SELECT error FROM pyq_jobs WHERE id = %s", (job,)).fetchone()
    assert ended == ("finished",), error
    result = conn.execute(
        "SELECT * FROM pyq_job_result(%s, NULL) AS t(found text)", (job,)
    ).fetchone()
    assert result is not None
    assert json.loads(result[0]) == wanted
    conn.execute("SELECT pyq_delete_job(%s)", (job,))


BROKEN_SETTINGS = [
    [],
    [""],
    ["", ""],
    ["?"],
    ["?", "x"],
    ["work_mem"],
    ["work_mem", "not a number"],
    ["no_such_setting", "1"],
    ["a.b", "x", "c"],
    ["?a..b", "x"],
    ["a b.c", "x"],
    ["role", "postgres"],
    ["search_path", '"'],
    ["TimeZone", "Nowhere/City"],
    ["x" * 10000, "y" * 10000],
    ["shared_buffers", "1GB"],
]


@pytest.mark.parametrize("number", range(len(BROKEN_SETTINGS)))
def test_broken_settings_fail_the_job_alone(number, conn, make_script, connect):
    """No settings that a row may hold stop the worker; the next job runs."""
    make_script("hostile_one", "def hostile_one():\n    return 1\n")
    submit = (
        "SELECT value FROM pyq_eval('{\"oml_async_flag\": true}', NULL, 'hostile_one')"
        " AS t(name text, value text)"
    )
    session = connect(autocommit=False)
    # Before the job can be seen by a worker.
    row = session.execute(submit).fetchone()
    assert row is not None
    broken = row[0][-36:]
    try:
        session.execute("ALTER TABLE pyqsys.jobs DISABLE TRIGGER ALL")
        session.execute(
            "UPDATE pyqsys.jobs SET settings = %s WHERE id = %s", (BROKEN_SETTINGS[number], broken)
        )
        session.execute("ALTER TABLE pyqsys.jobs ENABLE TRIGGER ALL")
        session.commit()
    except BaseException:
        session.rollback()
        raise
    ended = conn.execute("SELECT pyq_job_wait(%s, '1 min')", (broken,)).fetchone()
    assert ended in [("finished",), ("failed",)]
    record = conn.execute(
        "SELECT error[1], error FROM pyqsys.jobs WHERE id = %s", (broken,)
    ).fetchone()
    if ended == ("failed",):
        assert record is not None
        assert record[0] != "XX000", record
    row = conn.execute(submit).fetchone()
    assert row is not None
    healthy = row[0][-36:]
    ended = conn.execute("SELECT pyq_job_wait(%s, '1 min')", (healthy,)).fetchone()
    assert ended == ("finished",)
    for job in (broken, healthy):
        conn.execute("SELECT pyq_delete_job(%s)", (job,))
