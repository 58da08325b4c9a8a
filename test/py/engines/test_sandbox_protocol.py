"""A script of an ordinary role writes to the connection of its engine, and to its shared memory.

Each time the statement fails with a clean error, or succeeds harmlessly; the session continues.
"""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from attacks import FORGE, run_attack
from psycopg import Connection

VIOLATION = psycopg.errors.ProtocolViolation
FAILED = psycopg.errors.ExternalRoutineException
NO_MEMORY = psycopg.errors.OutOfMemory

# Bytes of a stack after which supervisor.cpp stops reading; the last read may exceed it.
LONGEST_STACK = (256 + 64 + 4) << 10

# A result of one int4 column is expected, of one call; it never comes.
FORGED = {
    "type 0": ("forge(0)", VIOLATION, "bad type"),
    "type 255": ("forge(255, b'x' * 100)", VIOLATION, "bad type"),
    "the backend's own type": ("forge(12)", VIOLATION, "bad type"),
    "huge length": ("forge(RESULT, size=0xFFFFFFFF)", VIOLATION, "too long"),
    "with descriptors": ("forge(NOTICE, text('x'), descriptors=2)", VIOLATION, "descriptors"),
    "empty result": ("forge(RESULT)", VIOLATION, "ends early"),
    "cut result": ("forge(RESULT, number(1) + b'\\0')", VIOLATION, "ends early"),
    "noise": ("forge(RESULT, os.urandom(500))", VIOLATION, "bad|ends early"),
    "call 2 of 1": ("send(result(column(KNULL, 0, 1), call=2))", VIOLATION, "call number"),
    "call -1": ("send(result(column(KNULL, 0, 1), call=-1))", VIOLATION, "call number"),
    "call 2^62": ("send(result(column(KNULL, 0, 1), call=1 << 62))", VIOLATION, "call number"),
    "no column": ("send(result(b'', columns=0))", VIOLATION, "number of columns"),
    "two columns": (
        "send(result(column(KNULL, 0, 1) * 2, columns=2))", VIOLATION, "number of columns"),
    "more columns than PostgreSQL": ("send(result(b'', columns=5000))", VIOLATION, "bad count"),
    "2^60 columns": ("send(result(b'', columns=1 << 60))", VIOLATION, "bad count"),
    "negative rows": ("send(result(column(INT4), rows=-1))", VIOLATION, "bad count"),
    "2^62 rows": ("send(result(column(INT4), rows=1 << 62))", VIOLATION, "bad count"),
    "2^40 rows without data": (
        "send(result(column(INT4), rows=1 << 40))", VIOLATION, "size of a buffer"),
    "unknown kind": ("send(result(column(255)))", VIOLATION, "bad enumerator"),
    "unknown flags": ("send(result(column(INT4, 128), b'1234'))", VIOLATION, "flags"),
    "dictionary of numbers": ("send(result(column(INT4, 1), b'1234'))", VIOLATION, "flags"),
    "short data": ("send(result(column(INT8), b'1234'))", VIOLATION, "size of a buffer"),
    "more data than described": (
        "send(result(column(INT4), b'1234', end=400))", VIOLATION, "size of a batch"),
    "more NULLs than rows": ("send(result(column(INT4, 0, 2), b'1234'))", VIOLATION, "bad count"),
    "NULLs that are not there": (
        "send(result(column(INT4, 0, 1), b'\\1' + bytes(63) + b'1234'))", VIOLATION, "NULL count"),
    "offset out of range": (
        "send(result(column(TEXT) + number(4), texts(400)))",
        VIOLATION, "offset"),
    "offsets that go down": (
        "send(result(column(TEXT) + number(4), texts(8, 4),"
        " rows=2))", VIOLATION, "offset"),
    "negative offset": (
        "send(result(column(TEXT) + number(4), struct.pack('<q', -8) + texts(4)[8:]))",
        VIOLATION, "offset"),
    "bad UTF-8": (
        "send(result(column(TEXT) + number(4), texts(4, values=b'a\\xff\\xfeb')))",
        VIOLATION, "UTF-8"),
    "character 0": (
        "send(result(column(TEXT) + number(4), texts(4, values=b'a\\0bc')))",
        VIOLATION, "UTF-8"),
    "code out of range": (
        "send(result(column(TEXT, 1) + number(1) + column(TEXT) + number(4),"
        " struct.pack('<i', 7).ljust(64, b'x') + texts(4)))",
        VIOLATION, "code of a text"),
    "size of a list of 2^39": (
        "send(result(column(LIST) + number(1 << 39)))", VIOLATION, "size of a buffer|bad"),
    "deep columns": (
        "one = number(0) + text('') + text('') + struct.pack('<Ii', 0, -1)\n"
        "send(result((column(LIST) + one) * 60, bytes(1 << 14)))", VIOLATION, "depth|bad"),
    "unknown arena": (
        "send(result(column(INT4), arena=7, size=4))", VIOLATION, "arena"),
    "inline data beyond the frame": (
        "send(result(column(INT4), b'1234', size=1 << 50))", VIOLATION, "ends early"),
    "garbage for SQL": ("forge(EXECUTE, b'\\xff' * 9)", VIOLATION, "ends early"),
    "SQL with too many parameters": (
        "send(execute('SELECT 1', number(70000)))", VIOLATION, "bad count"),
    "parameter of bad UTF-8": (
        "send(execute('SELECT $1', number(1) + b'\\1' + text(b'\\xff') + text('text')))",
        VIOLATION, "text"),
    "rows of a stream that is none": ("forge(NEXT)", VIOLATION, "question"),
    "huge arena": ("forge(REQUEST, number(1 << 45))", NO_MEMORY, "exceed its memory limit"),
    "arena of 2^64": ("forge(REQUEST, b'\\xff' * 8)", NO_MEMORY, "exceed its memory limit"),
    "arenas beyond the limit": (
        "send(frame(REQUEST, number(3 << 30)) * 2)", NO_MEMORY, "exceed its memory limit"),
    "thousands of arenas": ("send(frame(REQUEST, number(1)) * 5000)", VIOLATION, "memory"),
    "short request for an arena": ("forge(REQUEST, b'123')", VIOLATION, "ends early"),
    "end before the result": ("forge(ENDED)", VIOLATION, "end"),
    "slice ended twice": ("send(frame(RUN_DONE, number(0) * 2) * 2)", VIOLATION, "end of a slice"),
    "time of -1": ("forge(RUN_DONE, number(-1) * 2)", VIOLATION, "count"),
    "short SQLSTATE": (
        "forge(FAILED, text('1') + text('m') + text('') * 4)", VIOLATION, "SQLSTATE"),
    "SQLSTATE of success": (
        "forge(FAILED, text('00000') + text('m') + text('') * 4)", VIOLATION, "SQLSTATE"),
    "SQLSTATE of other letters": (
        "forge(FAILED, text('ab!\\'x') + text('m') + text('') * 4)", VIOLATION, "SQLSTATE"),
    "message of bad UTF-8": (
        "forge(FAILED, text('38000') + text(b'\\xff') + text('') * 4)", VIOLATION, "text"),
    "failure of its own": (
        "forge(FAILED, text('38000') + text('forged') + text('') * 4)", FAILED, "forged"),
    "failure after failure": (
        "send(frame(FAILED, text('38000') + text('forged') + text('') * 4) * 3)",
        (VIOLATION, FAILED), "failure|forged"),
    "result after the failure": (
        "send(frame(FAILED, text('38000') + text('forged') + text('') * 4)"
        " + result(column(KNULL, 0, 1)))", (VIOLATION, FAILED), "result|forged"),
    "ready of another version": (
        "forge(READY, struct.pack('<I', 9) + text('3') + number(0))", VIOLATION, "greeting"),
    "ready without a sandbox": (
        "forge(READY, struct.pack('<I', 1) + text('3') + number(0))",
        VIOLATION, "greeting"),
    "ready of 2^60 protections": (
        "forge(READY, struct.pack('<I', 1) + text('3') + number(1 << 60))", VIOLATION, "greeting"),
    "notice of bad UTF-8": ("forge(NOTICE, text(b'\\xc0\\x80'))", VIOLATION, "text"),
    "notice longer than its frame": ("forge(NOTICE, number(1 << 40))", VIOLATION, "ends early"),
    "cut frame, then exit": (
        "send(frame(RESULT, b'x' * 100)[:50]); os._exit(0)", FAILED, "status 0"),
    "cut header, then exit": ("send(b'123'); os._exit(7)", FAILED, "status 7|ended"),
    "announced gigabyte, then exit": (
        "forge(RESULT, b'x' * 1000, size=1 << 30); os._exit(1)", FAILED, "status 1"),
    "connection shut": (
        "import socket\nsocket.socket(fileno=os.dup(END)).shutdown(2)", FAILED, "ended|exited"),
    "descriptors in a control message": (
        "import socket, array\n"
        "socket.socket(fileno=os.dup(END)).sendmsg([frame(NOTICE, text('x'))], [(1, 1, array.array("
        "'i', [0, 1, 2]))])\nforge(0)", VIOLATION, "type"),
    "unread questions": (
        "send(execute('SELECT repeat($$x$$, 100000)') * 500)", VIOLATION, "before an answer"),
    "unread small questions": (
        "send(execute('SELECT 1') * 5000)", VIOLATION, "before an answer"),
}  # fmt: skip

HOLD = "\nimport signal\nsignal.pause()\n"  # frames are answered in order


def call_forger(session: Connection[Any], code: str, **values: Any) -> Any:
    """Run the script `forger`, in which the names of FORGE are known."""
    source = (
        "def forger(code, values):\n    exec(code, values)\n    return values.get('answer', 0)\n"
    )
    session.execute("SELECT pyq_script_create('forger', %s, false, true)", (source,))
    row = session.execute(
        "SELECT * FROM pyq_eval(%s::jsonb, NULL::int, 'forger')",
        (json.dumps({"code": FORGE + code, "values": values}),),
    ).fetchone()
    return None if row is None else row[0]


@pytest.mark.parametrize("name", FORGED)
def test_forged_frame(name, scene):
    code, error, match = FORGED[name]
    with pytest.raises(error, match=match):
        call_forger(scene.session, code + HOLD)
    assert call_forger(scene.session, "answer = 7") == 7


def test_all_null_rows_without_end(scene):
    """2^40 rows of no bytes are still rows: they can be stopped like a long query."""
    scene.session.execute("SET statement_timeout = '300ms'")
    with pytest.raises((psycopg.errors.QueryCanceled, psycopg.errors.ProtocolViolation)):
        call_forger(scene.session, "send(result(column(KNULL, 0, 1 << 40), rows=1 << 40))" + HOLD)
    scene.session.execute("RESET statement_timeout")
    assert call_forger(scene.session, "answer = 7") == 7


def test_wrong_kind_of_column(scene):
    """Texts for an integer column are converted, or refused, as a script's values are."""
    code = "send(result(column(TEXT) + number(4), texts(4, values=b'{}')))"
    with pytest.raises(psycopg.Error) as caught:
        call_forger(scene.session, code.format("no!!") + HOLD)
    assert not (caught.value.sqlstate or "XX").startswith("XX"), caught.value
    assert call_forger(scene.session, code.format("1234")) in (0, 1234)


def test_every_kind_for_an_integer(scene):
    """Sixteen bytes of each fixed kind; whatever comes of it is no crash."""
    for kind in range(20):
        code = f"send(result(column({kind}), b'\\xff' * 16)); forge(0)"
        with pytest.raises(psycopg.Error) as caught:
            call_forger(scene.session, code + HOLD)
        assert caught.value.sqlstate != "XX000", (kind, caught.value)


def test_random_frames(scene):
    """A short fuzz of the whole path; the decoders have their own."""
    for seed in range(40):
        code = f"""
import random
rng = random.Random({seed})
base = bytearray(result(column(TEXT) + number(4),
                        texts(4)))
for _ in range(4):
    base[rng.randrange(8, len(base))] = rng.randrange(256)
send(bytes(base)); forge(0)
"""
        with pytest.raises(psycopg.Error) as caught:
            call_forger(scene.session, code + HOLD)
        assert caught.value.sqlstate not in ("XX000", "XX001"), (seed, caught.value)
    assert call_forger(scene.session, "answer = 7") == 7


def test_failure_between_slices(scene):
    """An idle engine that reports a failure: the backend does not wait for further messages."""
    source = f"""
def forger(rows):
{"".join("    " + line + chr(10) for line in FORGE.splitlines())}
    failure = text('38000') + text('forged') + text('') * 4
    send(frame(RUN_DONE, number(0) * 2) + frame(FAILED, failure))
    import signal
    signal.pause()
"""
    scene.session.execute("SELECT pyq_script_create('forger', %s, false, true)", (source,))
    scene.session.execute("SET statement_timeout = '60s'")
    with pytest.raises((FAILED, VIOLATION), match=r"forged|end of a slice"):
        scene.session.execute(
            "SELECT * FROM pyq_row_eval('SELECT generate_series(1, 400000) AS x', NULL, NULL::int,"
            " 100000, 'forger')"
        )
    scene.session.execute("RESET statement_timeout")


def test_answers_for_others_calls(scene):
    """A parallel call: an engine may answer its own calls only."""
    source = f"""
def forger(index):
{"".join("    " + line + chr(10) for line in FORGE.splitlines())}
    if index == 30:
        send(result(column(INT4), b"1234", call=1))
    return index
"""
    scene.session.execute("SELECT pyq_script_create('forger', %s, false, true)", (source,))
    with pytest.raises(VIOLATION, match="call number"):
        scene.session.execute(
            "SELECT * FROM pyq_index_eval('{\"oml_parallel\": 2}'::jsonb, NULL::int, 60, 'forger')"
        )


ARENA = """
import fcntl, mmap, re
def arenas():
    for line in open("/proc/self/maps"):
        if "memfd:oml_epe (" in line or "memfd:oml_epe " in line:
            first, last = (int(each, 16) for each in line.split()[0].split("-"))
            yield first, last - first, line.split()[1]
found = list(arenas())
assert found, open("/proc/self/maps").read()
libc = ctypes.CDLL(None, use_errno=True)
long = ctypes.c_long
def advise(advice):
    return libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), advice)
"""
TAMPERINGS = {
    "MADV_REMOVE": "advise(9)",
    "MADV_HWPOISON": "advise(100)",
    "MADV_SOFT_OFFLINE": "advise(101)",
    "MADV_MERGEABLE": "advise(12)",
    "PUNCH_HOLE": "libc.fallocate(handle(), 3, long(0), long(size))",
    "COLLAPSE_RANGE": "libc.fallocate(handle(), 8, long(0), long(4096))",
    "ZERO_RANGE": "libc.fallocate(handle(), 16, long(0), long(4096))",
    "grow by fallocate": "libc.fallocate(handle(), 0, long(0), long(size * 2))",
    "shrink": "libc.ftruncate(handle(), long(0))",
    "grow": "libc.ftruncate(handle(), long(size * 2))",
    "new seal": "libc.fcntl(handle(), 1033, long(8))",
    "lease": "libc.fcntl(handle(), 1024, long(1))",
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_with_an_arena(name, scene):
    """Its pages must stay: a page that is missed later could end the backend by SIGBUS."""
    source = f"""
def tamper(rows):
    import ctypes, os
    names = {{"ctypes": ctypes, "os": os}}
    exec({ARENA + TAMPER_HANDLE + "value = " + TAMPERINGS[name]!r}, names)
    return str((names["value"], ctypes.get_errno()))
"""
    scene.session.execute("SELECT pyq_script_create('tamper', %s, false, true)", (source,))
    row = scene.session.execute(
        "SELECT * FROM pyq_table_eval('SELECT generate_series(1, 100000) AS x', NULL, NULL,"
        " 'tamper') AS t(x text)"
    ).fetchone()
    assert row == (f"(-1, {errno.EPERM})",)


# A mapped arena's descriptor is closed; one of the next is on its way in the socket.
TAMPER_HANDLE = """
start, size, rights = found[0]
def handle():
    import socket, array, struct
    end = next(int(n) for n in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{n}")
               and os.readlink(f"/proc/self/fd/{n}").startswith("socket:"))
    connection = socket.socket(fileno=os.dup(end))
    connection.setblocking(True)
    connection.sendall(struct.pack("<IBBHQ", 8, 10, 0, 0, 1000))
    while True:
        data, extra, _, _ = connection.recvmsg(12, 100)
        for level, kind, payload in extra:
            return array.array("i", payload[:4])[0]
"""


def test_arena_changed_while_the_backend_reads(scene):
    """A thread writes noise over the result for as long as it lasts."""
    source = f"""
import threading
def noisy(rows):
    import ctypes, os
    names = {{"ctypes": ctypes, "os": os}}
    exec({ARENA!r}, names)
    arenas = names["arenas"]
    def scribble():
        while True:
            for start, size, rights in arenas():
                ctypes.memset(start, 0xFF, min(size, 1 << 20))
    threading.Thread(target=scribble, daemon=True).start()
    return [("text", i) for i in range(200000)]
"""
    scene.session.execute("SELECT pyq_script_create('noisy', %s, false, true)", (source,))
    try:
        scene.session.execute(
            "SELECT count(*), sum(length(x)) FROM pyq_table_eval('SELECT generate_series(1, 200000)"
            " AS x', NULL, NULL, 'noisy') AS t(x text, y int)"
        ).fetchone()
    except psycopg.Error as error:
        assert error.sqlstate is not None
        assert not error.sqlstate.startswith("XX"), error
    assert call_forger(scene.session, "answer = 7") == 7


def test_closed_connection(scene):
    """The engine lives on without an end of the connection; the statement can be stopped."""
    scene.session.execute("SET statement_timeout = '500ms'")
    with pytest.raises((psycopg.errors.QueryCanceled, FAILED)):
        call_forger(scene.session, "os.close(END)" + HOLD)
    scene.session.execute("RESET statement_timeout")
    assert call_forger(scene.session, "answer = 7") == 7


def test_stack_pipe(scene):
    """Its output there appears as context at most; it never fills the log."""
    size = scene.log_size()
    assert call_forger(scene.session, """
import fcntl
for number in (1, 2):
    os.set_blocking(number, False)
    for _ in range(2000):
        try:
            os.write(number, b"flood " * 1000)
        except BlockingIOError:
            pass
answer = 7
""") == 7  # fmt: skip
    assert "flood" not in scene.log_since(size)
    with pytest.raises(FAILED) as caught:
        call_forger(scene.session, "os.write(2, b'\\0\\x1b[31m\\xff forged stack'); os._exit(1)")
    assert len(str(caught.value)) < 200000
    assert "\x1b" not in str(caught.value)


def test_stack_of_a_flooding_engine(scene, connect):
    """pyq_engine_stack() of a script that writes there all the time: some text, and no harm."""
    source = """
import os, threading
def flood():
    def write():
        while True:
            try:
                os.write(2, b"F" * 4096)
            except BlockingIOError:
                pass
    for _ in range(2):
        threading.Thread(target=write, daemon=True).start()
    import time
    while True:
        time.sleep(1)
"""
    # Without a shared supervisor a session sees its own engines only, and waits for them.
    if not scene.has_shared_supervisor():
        pytest.skip("needs shared_preload_libraries")
    scene.session.execute("SELECT pyq_script_create('flood', %s, false, true)", (source,))
    watcher = connect(user=scene.session.info.user)
    scene.session.execute("SET statement_timeout = '20s'")
    with scene.in_background("SELECT * FROM pyq_eval(NULL::text, NULL::int, 'flood')") as backend:
        while (
            row := watcher.execute(
                "SELECT pid FROM pyq_engines WHERE backend_pid = %s AND state = 'busy'"
                " AND script LIKE '%%flood'",
                (backend,),
            ).fetchone()
        ) is None:
            continue
        for _ in range(3):
            stack = watcher.execute("SELECT pyq_engine_stack(%s)", row).fetchone()
            assert stack is None or stack[0] is None or len(stack[0]) < LONGEST_STACK
        watcher.execute("SELECT pg_cancel_backend(%s)", (backend,))
    scene.session.execute("RESET statement_timeout")


def test_pages_of_other_sessions(scene, connect):
    """A zygote that starts late, as one with a network does, does not know earlier engines."""
    code = "result = [line for line in open('/proc/self/maps') if 'oml_epe_status' in line]"
    scene.admin.execute(scene.alter("SET oml_epe.sandbox_tcp_ports = '7'"))
    try:
        session = connect(user=scene.session.info.user)
        outcome = run_attack(session, code)
        assert outcome.done == "[]", outcome
    finally:
        scene.admin.execute(scene.alter("RESET oml_epe.sandbox_tcp_ports"))


def state_of(pid: int) -> tuple[int, str]:
    """Number of threads, and the state of the first."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return len(list(Path(f"/proc/{pid}/task").iterdir())), stat[stat.rindex(")") + 2]


def test_ended_twice(scene):
    """It claims to have ended, and continues until the claim is accepted; then it is ended."""
    code = """
import threading, time
helper = threading.Thread(target=time.sleep, args=(0.3,))
helper.start()
answer = os.getpid()
send(frame(RUN_DONE, number(0) * 2) + frame(ENDED))
helper.join()
"""
    pid = call_forger(scene.session, "answer = os.getpid()")
    threads, _ = state_of(pid)
    assert call_forger(scene.session, code) is None
    scene.wait_until(lambda: state_of(pid) == (threads, "S"))
    assert call_forger(scene.session, "answer = 7") == 7
    scene.wait_for_end(pid)
