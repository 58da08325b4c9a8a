"""Resources that Linux counts per user or machine: one role's engine cannot exhaust them.

The rows are those of the table in docs/explanation/security-model.md, which names these tests.
"""

from __future__ import annotations

import ast
import errno
import fcntl
import os
import platform
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from attacks import Scene, children_of, run_attack, store_attack
from optional_packages import require
from processes import read_process
from psycopg import Connection

needs_x86_64 = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the numbers of system calls are x86-64's"
)
HOLD = 9  # the advisory lock that an attacker waits for, with all that it has taken
HOLDS = f"""
import oml
oml.cursor().execute(
    "SELECT pg_advisory_lock_shared({HOLD}), pg_advisory_unlock_shared({HOLD})")
"""
Holding = Callable[[str], AbstractContextManager[Connection[Any]]]


@pytest.fixture
def holding(scene: Scene, connect: Any) -> Holding:
    """A function that makes the attacker run code and keep the resources it has taken.

    `with holding(code) as session`: a session of another ordinary role, without an engine.
    """

    @contextmanager
    def hold(code: str) -> Iterator[Connection[Any]]:
        scene.admin.execute("SELECT pg_advisory_lock(%s)", (HOLD,))
        outcome: list[Any] = []
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s"
        backend = (scene.session.info.backend_pid,)
        code = f"{code}\n{HOLDS}\nresult = 1"
        with scene.waiting(lambda: run_attack(scene.session, code), outcome):
            try:
                scene.wait_until(
                    lambda: bool(outcome) or scene.admin.execute(waits, backend).fetchone() == (1,)
                )
                assert not outcome, outcome
                yield connect(user=scene.victim.info.user)
            finally:
                scene.admin.execute("SELECT pg_advisory_unlock(%s)", (HOLD,))
        assert outcome[0].done == "1", outcome
        # With all that the script has left open.
        with pytest.raises(psycopg.errors.ExternalRoutineException):
            scene.attack("os._exit(0)")

    return hold


def assert_others_work(session: Connection[Any], connect: Any) -> None:
    """An ordinary role's first engine, a superuser's backend, a timeout of PostgreSQL's own."""
    assert run_attack(session, "result = 7").done == "7"
    backend = connect()
    backend.execute("SET oml_epe.engine = 'backend'")
    call = "SELECT * FROM pyq_eval(NULL, NULL::int, 'seven')"
    backend.execute("SELECT pyq_script_create('seven', 'def seven(): return 7', false, true)")
    assert backend.execute(call).fetchone() == (7,)
    backend.execute("SELECT pyq_script_drop('seven')")
    backend.execute("SET statement_timeout = '1ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        backend.execute("SELECT pg_sleep(60)")


def has_limits_of_its_own(scene: Scene) -> bool:
    rows = scene.admin.execute("SELECT protection, enforced FROM pyq_sandbox_status()").fetchall()
    return bool(dict(rows)["limits per user"])


# ------------------------------------------------------------------------------ queued signals

# `flood()` queues signals until it is refused. Blocked ones stay in the queue.
FLOODS = {
    "rt_sigqueueinfo": """
libc.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
def flood():
    while libc.sigqueue(os.getpid(), 40, None) == 0: pass
""",
    "rt_tgsigqueueinfo": """
info = (ctypes.c_int * 32)(40, 0, -1)
def flood():
    while libc.syscall(297, os.getpid(), os.getpid(), 40, info) == 0: pass
""",
    "kill": """
def flood():
    for _ in range(200000):
        if libc.kill(os.getpid(), 40): break
""",
    "tgkill": """
def flood():
    for _ in range(200000):
        if libc.syscall(234, os.getpid(), os.getpid(), 40): break
""",
    "tgkill of the signal that cancels threads": """
libc.syscall(14, 0, ctypes.byref(ctypes.c_uint64(1 << 31)), None, 8)  # glibc would not block it
def flood():
    for _ in range(200000):
        if libc.syscall(234, os.getpid(), os.getpid(), 32): break
""",
    "timers": """
def flood():
    while libc.timer_create(1, None, ctypes.byref(ctypes.c_void_p())) == 0: pass
""",
    "usual signals to many threads": """
import _thread, threading
_thread.stack_size(65536)
gate = _thread.allocate_lock()
gate.acquire()
threads = []
def wait():
    threads.append(threading.get_native_id())
    with gate: pass
def flood():
    try:
        while True: _thread.start_new_thread(wait, ())
    except RuntimeError: pass
    for thread in list(threads):
        for number in (1, 3, 6, 10, 13, 14, 15, 21, 22, 23, 24, 26, 27, 28, 29, 30):
            libc.syscall(234, os.getpid(), thread, number)
""",
}


def queued_signals(pid: int | str) -> int:
    """How many signals are queued for the user of a process, where it sees its user's."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigQ:"):
            return int(line.split()[1].split("/")[0])
    raise AssertionError("no SigQ")


@needs_x86_64
@pytest.mark.parametrize("name", FLOODS)
def test_queued_signals(name, scene, holding, connect):
    before = queued_signals(scene.session.info.backend_pid)
    code = f"""
import signal
libc = ctypes.CDLL(None)
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
{FLOODS[name]}
flood()
"""
    with holding(code) as session:
        # Also counted: the timers of the sessions and engines that have come meanwhile.
        assert queued_signals(scene.session.info.backend_pid) - before < 200
        assert_others_work(session, connect)


@needs_x86_64
def test_timers_cannot_be_created(scene):
    outcome = scene.attack("result = call('syscall', 222, 1, 0, ctypes.byref(ctypes.c_int()))")
    assert (outcome.done, outcome.errno) == (None, errno.EPERM), outcome
    # Those that take no place in the queue can.
    outcome = scene.attack("""
timer = call("timerfd_create", 1, 0)
call("timerfd_settime", timer, 0, (ctypes.c_long * 4)(0, 0, 0, 1), None)
result = len(os.read(timer, 8))
os.close(timer)
""")
    assert outcome.done == "8", outcome


SIGNALS_OF_FILES = {
    "F_SETSIG": "fcntl.fcntl(os.pipe()[0], 10, 40)",
    "F_SETOWN": "fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, os.getpid())",
    "F_SETOWN_EX": "fcntl.fcntl(os.pipe()[0], 15, bytes(8))",
    "O_ASYNC": "fcntl.fcntl(os.pipe()[0], fcntl.F_SETFL, os.O_ASYNC)",
    "FIOASYNC": "fcntl.ioctl(os.pipe()[0], 0x5452, b'1234')",
    "F_NOTIFY": "fcntl.fcntl(os.open('.', os.O_RDONLY), fcntl.F_NOTIFY, fcntl.DN_CREATE)",
    "F_SETLEASE": "fcntl.fcntl(os.open('/usr/share', 0), fcntl.F_SETLEASE, fcntl.F_RDLCK)",
}


@pytest.mark.parametrize("name", SIGNALS_OF_FILES)
def test_signals_of_files(name, scene):
    outcome = scene.attack(f"import fcntl\n{SIGNALS_OF_FILES[name]}\nresult = 1")
    assert (outcome.done, outcome.errno) == (None, errno.EPERM), outcome


# ----------------------------------------------------------------------------- threads, memory

THREADS = """
import _thread
_thread.stack_size(65536)
gate = _thread.allocate_lock()
gate.acquire()
def wait():
    with gate: pass
count = 0
try:
    while count < {most}:
        _thread.start_new_thread(wait, ())
        count += 1
except RuntimeError: pass
"""


def test_threads_of_others(scene, holding, connect):
    """A role that has all the threads it can get leaves other roles' engines theirs."""
    if not has_limits_of_its_own(scene):
        pytest.skip("the kernel counts the threads of all engines together")
    with holding(THREADS.format(most=10000)) as session:
        assert_others_work(session, connect)
        code = THREADS.format(most=200) + "gate.release()\nresult = count"
        assert run_attack(session, code).done == "200"


@needs_x86_64
@pytest.mark.parametrize("flag", ["0x2000", "0x40000"], ids=["MAP_LOCKED", "MAP_HUGETLB"])
def test_memory_that_is_counted_elsewhere(flag, scene):
    """Memory that cannot be swapped out, and the pool of huge pages that the server draws on."""
    outcome = scene.attack(f"result = call('syscall', 9, 0, 1 << 21, 3, 0x22 | {flag}, -1, 0)")
    assert (outcome.done, outcome.errno) == (None, errno.EPERM), outcome


LIMITS = {
    "RLIMIT_MEMLOCK": "0",
    "RLIMIT_MSGQUEUE": "0",
    "RLIMIT_RTPRIO": "0",
    "RLIMIT_NICE": "0",
    "RLIMIT_SIGPENDING": "64",
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name, scene):
    outcome = scene.attack(f"import resource\nresult = resource.getrlimit(resource.{name})")
    assert outcome.done == f"({LIMITS[name]}, {LIMITS[name]})", outcome


def test_core_dumps(scene):
    """With a limit of 1 the kernel does not start the program of a core pattern either."""
    outcome = scene.attack("import resource\nresult = resource.getrlimit(resource.RLIMIT_CORE)")
    assert outcome.done is not None, outcome
    soft, hard = ast.literal_eval(outcome.done)
    assert soft == hard <= 1, outcome


def test_socket_buffers(scene):
    """They are not in the address space: bounded by the number of descriptors and the default."""
    outcome = scene.attack("""
import socket
taken, held, total = [], [], 0
try:
    while True:
        taken += socket.socketpair()
except OSError as error:
    assert error.errno == errno.EMFILE, error
for each in taken[:16]:
    each.setblocking(False)
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        before = each.getsockopt(socket.SOL_SOCKET, option)
        each.setsockopt(socket.SOL_SOCKET, option, 1 << 30)
        assert each.getsockopt(socket.SOL_SOCKET, option) == before
    try:
        while True: total += each.send(bytes(1 << 16))
    except BlockingIOError: pass
result = len(taken), total
for each in taken: each.close()
""")
    assert outcome.done is not None, outcome
    count, total = ast.literal_eval(outcome.done)
    assert 200 <= count <= 300, outcome
    most = int(Path("/proc/sys/net/core/wmem_default").read_text()) * 2
    assert 0 < total <= 16 * most, outcome


# ------------------------------------------------------------------------------- descriptors

TABLES = {
    "close_range": "call('syscall', 436, 1000, 2000, 2)",
    "thread with a table of its own": """
stack = ctypes.create_string_buffer(1 << 16)
call("syscall", 56, 0x10000 | 0x800 | 0x100 | 0x200, ctypes.addressof(stack) + (1 << 15), 0, 0, 0)
""",
    "unshare": "call('syscall', 272, 0x400)",
}


@needs_x86_64
@pytest.mark.parametrize("name", TABLES)
def test_one_table_of_descriptors(name, scene):
    """Each further table would have the limit of descriptors for itself."""
    outcome = scene.attack(f"{TABLES[name]}\nresult = 1")
    assert (outcome.done, outcome.errno) == (None, errno.EPERM), outcome


# A watch is an instance, a file and a number: 40 files under 100 numbers in each instance. Closed
# instances keep theirs as long as something waits for them, or they are in flight.
WATCHES = """
import array, errno, socket
pipes = [os.pipe() for _ in range(40)]
first, second = socket.socketpair()
libc = ctypes.CDLL(None, use_errno=True)
event = (ctypes.c_char * 12)(1)
made = refused = 0
while not refused and made < 200000:
    instance = libc.epoll_create1(0)
    for number in range(150, 250):
        for reader, _ in pipes:
            libc.dup2(reader, number)
            if libc.epoll_ctl(instance, 1, number, event) == 0:
                made += 1
            else:
                refused = ctypes.get_errno()
                break
        if refused: break
    first.sendmsg(
        [b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [instance]))])
    libc.close(instance)
os.closerange(150, 250)
assert refused == errno.ENOSPC, refused
assert made <= 2048, made
"""


def has_watch_guard(scene: Scene) -> bool:
    rows = scene.admin.execute("SELECT protection, enforced FROM pyq_sandbox_status()").fetchall()
    return bool(dict(rows)["epoll watches"])


def test_epoll_watches(scene, holding, connect):
    if not has_watch_guard(scene):
        pytest.skip("the kernel, or the container's profile, allows no guard")
    with holding(WATCHES) as session:
        assert_others_work(session, connect)
        assert run_attack(session, EPOLL).done == EPOLL_SEEN


# Typical uses of epoll by libraries, and the expected results of the kernel.
EPOLL = """
import asyncio, select
reader, writer = os.pipe()
instance = select.epoll()
instance.register(reader, select.EPOLLIN)
errors = []
for number in (reader, 9999, os.open("/dev/null", os.O_RDONLY), instance.fileno()):
    try:
        instance.register(number, select.EPOLLIN)
    except OSError as error:
        errors.append(error.errno)
for arguments in ((-1, 1, reader, 0), (reader, 1, writer, event), (instance.fileno(), 9, 0, 0)):
    try:
        call("epoll_ctl", *arguments)
    except OSError as error:
        errors.append(error.errno)
os.write(writer, b"x")
seen = [[one == reader for one, _ in instance.poll(10)]]
instance.modify(reader, select.EPOLLIN | select.EPOLLET)
seen += [len(instance.poll(10)), len(instance.poll(0))]
instance.unregister(reader)
seen.append(len(instance.poll(0)))
async def wait():
    await asyncio.sleep(0)
    return await asyncio.to_thread(abs, -3)
seen.append(asyncio.run(wait()))
result = seen, errors
""".replace("event)", "(ctypes.c_char * 12)(1))")
EPOLL_SEEN = repr(
    (
        [[True], 1, 0, 0, 3],
        [
            errno.EEXIST, errno.EBADF, errno.EPERM, errno.EINVAL,
            errno.EFAULT, errno.EINVAL, errno.EPERM,
        ],
    )
)  # fmt: skip


def test_epoll_goes_on_working(scene):
    assert scene.attack(EPOLL).done == EPOLL_SEEN


def test_instances_that_are_closed_with_watches(scene):
    """Far more than an engine may have at a time."""
    outcome = scene.attack("""
import select
reader, writer = os.pipe()
for count in range(5000):
    instance = select.epoll()
    instance.register(reader, select.EPOLLIN)
    instance.close()
result = count
""")
    assert outcome.done == "4999", outcome


def guards_of(scene: Scene) -> list[int]:
    processes = map(read_process, children_of(scene.pids["zygote"]))
    return [each.pid for each in processes if each is not None and each.name == "epe_guard"]


def test_guard_that_is_stopped(scene, connect):
    """The next engine gets another guard; the stopped one later continues to serve its engines."""
    if not has_watch_guard(scene):
        pytest.skip("the kernel, or the container's profile, allows no guard")
    assert scene.attack(EPOLL).done == EPOLL_SEEN
    stopped = guards_of(scene)
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        session = connect(user=scene.victim.info.user)
        session.execute("SET statement_timeout = '60s'")
        assert run_attack(session, EPOLL).done == EPOLL_SEEN
        assert has_watch_guard(scene)
        assert set(guards_of(scene)) > set(stopped)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert scene.attack(EPOLL).done == EPOLL_SEEN


def test_guard_that_is_killed(scene, connect):
    """The next engine gets another guard; the engines of the killed one cannot add watches."""
    if not has_watch_guard(scene):
        pytest.skip("the kernel, or the container's profile, allows no guard")
    assert scene.attack(EPOLL).done == EPOLL_SEEN
    for pid in guards_of(scene):
        os.kill(pid, signal.SIGKILL)
        scene.wait_for_end(pid)
    outcome = scene.attack("import select; select.epoll().register(os.pipe()[0], 1)")
    assert (outcome.done, outcome.errno) == (None, errno.ENOSYS), outcome
    session = connect(user=scene.victim.info.user)
    assert run_attack(session, EPOLL).done == EPOLL_SEEN
    assert has_watch_guard(scene)


def test_polars_takes_epoll(connect, make_role):
    require("polars")
    session = connect(user=make_role())
    store_attack(session)
    outcome = run_attack(
        session,
        """
import polars
frame = polars.DataFrame({"a": [1, 1, 2], "b": [1, 2, 3]})
frame.write_csv("data.csv")
summed = polars.scan_csv("data.csv").group_by("a").agg(polars.col("b").sum()).sort("a").collect()
result = summed.rows()
""",
    )
    assert outcome.done == "[(1, 3), (2, 3)]", outcome


IN_FLIGHT = """
import array, socket
first, second = socket.socketpair()
file = os.open("/dev/null", os.O_RDONLY)
flying = 0
try:
    while flying < 100000:
        first.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]))])
        flying += 1
except OSError as error:
    assert error.errno == errno.ETOOMANYREFS, error
assert 0 < flying < 600, flying
"""


def test_descriptors_in_flight(holding, connect):
    """They are counted for the user; starting an engine sends some, under a higher limit."""
    with holding(IN_FLIGHT) as session:
        assert_others_work(session, connect)


PIPES = """
taken = []
try:
    while True: taken += os.pipe()
except OSError as error:
    assert error.errno == errno.EMFILE, error
for each in taken[1::2]:
    os.set_blocking(each, False)
    try:
        while True: os.write(each, bytes(4096))
    except BlockingIOError: pass
for each in taken[-20:]: os.close(each)  # for the SQL that follows
"""


def test_pipes(scene, holding, connect):
    outcome = scene.attack("import fcntl\nfcntl.fcntl(os.pipe()[0], 1031, 1 << 20)\nresult = 1")
    assert (outcome.done, outcome.errno) == (None, errno.EPERM), outcome
    with holding(PIPES) as session:
        assert_others_work(session, connect)
        assert run_attack(session, "result = os.write(os.pipe()[1], b'x' * 4096)").done == "4096"


# -------------------------------------------------------------------------------------- files

LOCKS = {
    "flock": "fcntl.flock(file, fcntl.LOCK_EX)",
    "POSIX": "fcntl.lockf(file, fcntl.LOCK_SH)",
    "POSIX, which waits": "fcntl.fcntl(file, fcntl.F_SETLKW, bytes(32))",
}


@pytest.fixture
def shared_file() -> Path:
    paths = (Path("/usr/share/zoneinfo/UTC"), Path("/usr/share/common-licenses/GPL-3"))
    found = [path for path in paths if path.is_file()]
    if not found:
        pytest.skip("no file below /usr/share that every engine may read")
    return found[0]


@pytest.mark.parametrize("name", LOCKS)
def test_locks_of_shared_files(name, holding, shared_file):
    """A file that an engine may only read is never locked for others."""
    opened = f"import fcntl\nfile = open({str(shared_file)!r}, 'rb')\n"
    with holding(opened + LOCKS[name]) as session:
        other = opened + "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\nresult = 7"
        assert run_attack(session, other).done == "7"
        with shared_file.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if name.startswith("POSIX"):
            inode = str(shared_file.stat().st_ino)
            held = [line for line in Path("/proc/locks").read_text().splitlines() if inode in line]
            assert not held, held


def test_locks_take_no_memory(scene):
    """Each locked range would be an object of the kernel's that no limit counts."""
    outcome = scene.attack("""
import fcntl
with open("ranges", "wb") as file:
    for offset in range(0, 20000, 2):
        fcntl.lockf(file, fcntl.LOCK_EX, 1, offset)
    locks = open("/proc/locks").read() if os.path.exists("/proc/locks") else ""
result = os.getpid()
""")
    if outcome.error == "PermissionError":  # /proc/locks is not for engines
        outcome = scene.attack("""
import fcntl
file = open("ranges", "wb")
for offset in range(0, 20000, 2):
    fcntl.lockf(file, fcntl.LOCK_EX, 1, offset)
result = os.getpid()
""")
    assert outcome.done is not None, outcome
    lines = Path("/proc/locks").read_text().splitlines()
    assert not [line for line in lines if line.split()[4] == outcome.done]


def test_locks_of_own_files(scene):
    """Typical uses of locks by libraries work: databases, lock files."""
    outcome = scene.attack("""
import fcntl, sqlite3
with sqlite3.connect("data.db") as database:
    database.execute("CREATE TABLE t (a)")
    database.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(10)])
database.close()
total = sqlite3.connect("data.db").execute("SELECT sum(a) FROM t").fetchone()
file = open("lock", "w")
fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.lockf(file, fcntl.LOCK_UN)
try:
    fcntl.fcntl(file, 37, bytes(32))  # F_OFD_SETLK
except OSError as error:
    unknown = error.errno
result = total, unknown
""")
    assert outcome.done == f"((45,), {errno.EINVAL})", outcome


# -------------------------------------------------------------------------------- the machine


@needs_x86_64
@pytest.mark.parametrize("command", [1, 2, 4], ids=["global", "expedited", "registration"])
def test_barriers_of_all_processors(command, scene):
    outcome = scene.attack(f"result = call('syscall', 324, {command}, 0, 0)")
    assert (outcome.done, outcome.errno) == (None, errno.EPERM), outcome
    assert scene.attack("result = call('syscall', 324, 16, 0, 0)").done == "0"


@pytest.mark.parametrize("resource", ["cpu", "memory", "io"])
def test_pressure(resource, scene):
    outcome = scene.attack(f"open('/proc/pressure/{resource}', 'r+b', 0)\nresult = 1")
    assert outcome.done is None, outcome
    assert outcome.errno in (errno.EACCES, errno.EROFS, errno.ENOENT, errno.EPERM), outcome
