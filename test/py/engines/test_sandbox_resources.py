"""A script of an ordinary role tries to take all there is: memory, threads, files, disk, time."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from attacks import Scene, run_attack
from psycopg import Connection

MEGABYTE = 1 << 20


@pytest.fixture
def limited(scene: Scene, connect: Any) -> Iterator[Connection[Any]]:
    """A session of the attacker under narrow limits, which only a superuser can set."""
    for setting in ("engine_memory_limit = '512MB'", "engine_temp_limit = '16MB'"):
        scene.admin.execute(scene.alter(f"SET oml_epe.{setting}"))
    yield connect(user=scene.session.info.user)
    for setting in ("engine_memory_limit", "engine_temp_limit"):
        scene.admin.execute(scene.alter(f"RESET oml_epe.{setting}"))


MEMORY = {
    "heap": "taken = [bytearray(1 << 20) for _ in range(4096)]",
    "one block": "taken = bytearray(4 << 30)",
    "numpy": "import numpy; taken = numpy.ones(1 << 29)",
    "numpy, untouched": "import numpy; taken = numpy.empty(1 << 40)",
    "shared anonymous memory": "import mmap; taken = [mmap.mmap(-1, 64 << 20) for _ in range(64)]",
    "many mappings": "import mmap; taken = [mmap.mmap(-1, 1 << 16) for _ in range(1 << 17)]",
    "growing mapping": """
import mmap
taken = mmap.mmap(-1, 1 << 20)
try:
    taken.resize(4 << 30)
except ValueError as error:  # Python 3.14 does not even try that with a shared one
    assert sys.version_info >= (3, 14), error
    taken = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    taken.resize(4 << 30)
""",
    "text": "taken = 'x' * (4 << 30)",
    "list that grows": "taken = [0]\nwhile True: taken += taken",
    "integer": "taken = 1 << (1 << 40)",
    "break": "call('syscall', 12, 1 << 46); raise MemoryError",  # brk fails by doing nothing
    "zip bomb": """
import io, zipfile
with zipfile.ZipFile("bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bomb:
    with bomb.open("zeroes", "w", force_zip64=True) as member:
        for _ in range(1024):
            member.write(bytes(1 << 20))
try:
    taken = zipfile.ZipFile("bomb.zip").read("zeroes")
finally:
    os.unlink("bomb.zip")
""",
}


@pytest.mark.parametrize("code", MEMORY.values(), ids=MEMORY.keys())
def test_memory(code, limited, scene):
    outcome = run_attack(limited, f"{code}\nresult = 1")
    assert outcome.done is None, outcome
    assert outcome.error in ("MemoryError", "OSError", "OverflowError", "_ArrayMemoryError"), (
        outcome
    )
    assert outcome.errno in (None, errno.ENOMEM), outcome
    assert run_attack(limited, "result = 7").done == "7"  # and has given all of it back


def test_memory_error_that_nobody_catches(limited):
    limited.execute(
        "SELECT pyq_script_create('hungry', 'def hungry():\n    return len(bytearray(4 << 30))')"
    )
    with pytest.raises(psycopg.errors.OutOfMemory, match="engine_memory_limit"):
        limited.execute("SELECT * FROM pyq_eval(NULL::text, NULL::bigint, 'hungry')")


# Starts threads until none is left; disperse() ends them.
CROWD = """
import _thread, time
before = _thread._count()
_thread.stack_size(65536)
gate = _thread.allocate_lock()
gate.acquire()
def wait():
    with gate:
        pass
count = 0
try:
    while count < 10000:
        _thread.start_new_thread(wait, ())
        count += 1
except RuntimeError as error:
    problem = str(error)
def disperse():
    gate.release()
    while _thread._count() > before:
        time.sleep(0.001)
"""


def test_threads(scene):
    """Limited per engine, or for all engines together."""
    outcome = scene.attack(CROWD + "disperse()\nresult = problem, 0 < count < 5000")
    assert outcome.done == '("can\'t start new thread", True)', outcome


def test_server_forks_while_threads_are_used_up(scene, connect):
    """Other sessions start, and other engines: those need a thread as well."""
    scene.admin.execute("SELECT pg_advisory_lock(7)")
    code = CROWD + (
        "import oml\n"
        "oml.cursor().execute('SELECT pg_advisory_lock_shared(7), pg_advisory_unlock_shared(7)')\n"
        "disperse()\nresult = count"
    )
    outcome: list[Any] = []
    with scene.waiting(lambda: run_attack(scene.session, code), outcome):
        try:
            scene.wait_for_lock()
            assert connect().execute("SELECT 1").fetchone() == (1,)
            fresh = connect(user=scene.victim.info.user)
            assert run_attack(fresh, "result = 7").done == "7"
        finally:
            scene.admin.execute("SELECT pg_advisory_unlock(7)")
    assert 0 < int(outcome[0].done) < 5000, outcome


def test_descriptors(scene):
    for code in (
        "taken = [open('/dev/null') for _ in range(100000)]",
        "taken = [os.pipe() for _ in range(100000)]",
        "import socket; taken = [socket.socketpair() for _ in range(100000)]",
        "import select; taken = [select.epoll() for _ in range(100000)]",
        "taken = [os.dup(0) for _ in range(100000)]",
        "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (9999, 9999))",
    ):
        outcome = scene.attack(f"{code}\nresult = 1")
        assert outcome.done is None, outcome
        refused = outcome.errno == errno.EMFILE or outcome.error in (
            "ValueError",
            "PermissionError",
        )
        assert refused, outcome
        # Descriptors that os.pipe() gave stay open: for the next a new engine.
        with pytest.raises(psycopg.errors.ExternalRoutineException):
            scene.attack("os._exit(0)")


LIMITS = {
    "RLIMIT_AS": "-1", "RLIMIT_NPROC": "-1", "RLIMIT_FSIZE": "-1", "RLIMIT_NOFILE": "1 << 20",
    "RLIMIT_CORE": "1 << 20", "RLIMIT_NICE": "40", "RLIMIT_RTPRIO": "99",
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_limits_cannot_be_raised(name, scene):
    outcome = scene.attack(
        f"import resource\nresource.setrlimit(resource.{name}, ({LIMITS[name]},) * 2)\nresult = 1"
    )
    assert outcome.done is None, outcome
    assert outcome.error in ("ValueError", "PermissionError"), outcome  # "not allowed to raise ..."


PRIORITIES = {
    "nice": "os.nice(-5)",
    "setpriority": "os.setpriority(os.PRIO_PROCESS, 0, -5)",
    "realtime": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
    "batch": "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))",
    "autogroup": "open('/proc/self/autogroup', 'w').write('-20')",
    "ioprio": "call('ioprio_set', 1, 0, 1 << 13) if hasattr(ctypes.CDLL(None), 'ioprio_set')"
    " else call('syscall', 251, 1, 0, 1 << 13)",
}


@pytest.mark.parametrize("code", PRIORITIES.values(), ids=PRIORITIES.keys())
def test_priority_cannot_be_raised(code, scene):
    before = scene.attack("result = os.getpriority(os.PRIO_PROCESS, 0)").done
    assert before == "10"
    outcome = scene.attack(f"{code}\nresult = 1")
    assert outcome.done is None, outcome
    assert outcome.errno in (errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOENT), outcome
    assert scene.attack("result = os.getpriority(os.PRIO_PROCESS, 0)").done == before


def has_own_file_system(scene: Scene) -> bool:
    rows = scene.admin.execute("SELECT protection, enforced FROM pyq_sandbox_status()").fetchall()
    return dict(rows)["temporary folder's size"]


DISK = {
    "one file": "open('big', 'wb').write(bytes(64 << 20))",
    "one sparse file": "handle = open('big', 'wb'); handle.truncate(1 << 40)",
    "fallocate": "os.posix_fallocate(os.open('big', os.O_RDWR | os.O_CREAT), 0, 64 << 20)",
}
DISK_TOGETHER = {
    "many files": "for n in range(64): open(f'big{n}', 'wb').write(bytes(1 << 20))",
    "deleted files": """
taken = []
for n in range(64):
    taken.append(open("big", "wb"))
    taken[-1].write(bytes(1 << 20))
    taken[-1].flush()
    os.unlink("big")
""",
    "many names": "for n in range(100000): os.symlink('x', f'name{n}')",
}


@pytest.mark.parametrize("code", [*DISK.values(), *DISK_TOGETHER.values()],
                         ids=[*DISK, *DISK_TOGETHER])  # fmt: skip
def test_disk(code, limited, scene):
    if code in DISK_TOGETHER.values() and not has_own_file_system(scene):
        pytest.skip("without a mount namespace each file has the limit, not all together")
    outcome = run_attack(limited, f"import signal\nsignal.signal(25, signal.SIG_IGN)\n{code}")
    assert outcome.done is None, outcome
    assert outcome.errno in (errno.ENOSPC, errno.EFBIG), outcome


def test_nothing_is_left_behind(scene, connect):
    """Files, folders below each other beyond any path's length, sockets and memory."""
    session = connect(user=scene.session.info.user)
    outcome = run_attack(session, """
home = os.getcwd()
for n in range(100):
    open(f"file{n}", "w").write("x" * 1000)
os.mkdir("closed"); os.mkdir("closed/inner")
for depth in range(2000):
    os.mkdir("deeper"); os.chdir("deeper")
os.chdir(home)
result = os.getcwd(), os.getpid()
""")  # fmt: skip
    assert outcome.done is not None, outcome
    folder, pid = eval(outcome.done)
    session.close()
    scene.wait_for_end(pid)
    scene.wait_until(lambda: not Path(folder).exists())


def test_deep_recursion(limited, scene):
    """An error of Python's, or the death of the engine; never of the backend."""
    outcome = run_attack(limited, "def deeper(): return deeper()\ndeeper()")
    assert outcome.error == "RecursionError", outcome
    for code in (
        "sys.setrecursionlimit(1 << 30)\n"
        "def deeper(): return max([1], key=lambda _: deeper())\ndeeper()",
        "nested = []\nfor _ in range(1 << 20): nested = [nested]\nimport json; json.dumps(nested)",
        "eval('(' * 100000 + ')' * 100000)",
        "import re; re.match('(' * 50000 + ')' * 50000, '')",
        "sys.setrecursionlimit(1 << 30)\nnested = ()\n"
        "for _ in range(1 << 20): nested = (nested,)\nhash(nested)",
    ):
        try:
            # The engine may be that of the code before, with its limit.
            outcome = run_attack(limited, f"sys.setrecursionlimit(1000)\n{code}")
        except psycopg.errors.ExternalRoutineException as error:
            assert "signal 11" in str(error) or "signal 6" in str(error), error
        else:
            assert outcome.error in ("RecursionError", "MemoryError", "SyntaxError"), outcome
        assert limited.execute("SELECT 1").fetchone() == (1,)


def test_deep_result(scene):
    """Nested lists as a result are refused in the engine, before they become a type."""
    scene.session.execute("""SELECT pyq_script_create('deep', '
def deep():
    nested = 1
    for _ in range(100000):
        nested = [nested]
    return nested', false, true)""")
    with pytest.raises(psycopg.Error) as caught:
        scene.session.execute("SELECT * FROM pyq_eval(NULL::text, NULL::pyq_json, 'deep')")
    assert not (caught.value.sqlstate or "XX").startswith("XX"), caught.value
    assert scene.session.execute("SELECT 1").fetchone() == (1,)


def test_script_that_the_compiler_chokes_on(scene):
    """Stored by an ordinary role, so compiled in an engine."""
    indented = "def f():\n" + "".join(" " * n + "if 1:\n" for n in range(1, 2000))
    negative = "x = " + "-" * 200000 + "1"
    for source in ("(" * 100000, negative, "f(" * 5000 + ")" * 5000, "\\0", indented):
        with pytest.raises(psycopg.Error) as caught:
            scene.session.execute("SELECT pyq_script_create('choke', %s, false, true)", (source,))
        assert not (caught.value.sqlstate or "XX").startswith("XX"), caught.value
        assert scene.session.execute("SELECT 1").fetchone() == (1,)


PICKLES = {
    "system": "os.system, ('touch /tmp/epe-was-here',)",
    "exec": "os.execv, ('/bin/true', ['true'])",
    "file": "open, (data + '/PG_VERSION',)",
    "fork": "os.fork, ()",
}


@pytest.mark.parametrize("bomb", PICKLES.values(), ids=PICKLES.keys())
def test_pickle_that_is_loaded(bomb, scene):
    outcome = scene.attack(f"""
import pickle
class Bomb:
    def __reduce__(self):
        return {bomb}
value = pickle.loads(pickle.dumps(Bomb()))
assert value == 0, "system() has failed"
result = 1
""")
    assert outcome.done is None, outcome
    refused = outcome.errno in (errno.EPERM, errno.EACCES) or "system()" in outcome.text
    assert refused, outcome
    assert not Path("/tmp/epe-was-here").exists()


def test_pickle_that_is_returned(scene):
    """It is not unpickled in the backend: bytes stay bytes, an object is refused or made text."""
    scene.session.execute("""SELECT pyq_script_create('bomb', '
import os, pickle
class Bomb:
    def __reduce__(self):
        return os.system, ("touch /tmp/epe-was-here",)
def bomb(as_bytes):
    return pickle.dumps(Bomb()) if as_bytes else Bomb()', false, true)""")
    row = scene.session.execute(
        "SELECT * FROM pyq_eval('{\"as_bytes\": true}'::jsonb, NULL::bytea, 'bomb')"
    ).fetchone()
    assert row is not None
    assert b"touch" in row[0]
    with pytest.raises(psycopg.Error) as caught:
        scene.session.execute(
            "SELECT * FROM pyq_eval('{\"as_bytes\": false}'::jsonb, NULL::bytea, 'bomb')"
        )
    assert caught.value.sqlstate in ("42804", "38000", "22000"), caught.value
    assert not Path("/tmp/epe-was-here").exists()
