"""Shared code of the attack tests: a script that runs given code, and its environment."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql

# Runs `code` and returns the outcome: "done" with the value of `result`, else the exception.
ATTACK = '''
def attack(code, values):
    import ctypes, errno, json, os, sys
    names = {"os": os, "sys": sys, "errno": errno, "ctypes": ctypes}
    names.update(json.loads(values))
    def call(name, *arguments):
        """A function of libc; OSError where it fails."""
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
        function.restype = ctypes.c_long
        value = function(*[
            ctypes.c_long(each) if isinstance(each, int) else each for each in arguments])
        if value in (-1, 0xFFFFFFFF):  # an int's or a long's
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return value
    names["call"] = call
    try:
        exec(code, names)
        outcome = {"done": repr(names.get("result"))}
    except BaseException as error:
        outcome = {"error": type(error).__name__, "errno": getattr(error, "errno", None),
                   "text": str(error), "sqlstate": getattr(error, "sqlstate", None)}
    return json.dumps(outcome)
'''

# The engine's end of the connection, and frames as src/engine/common/channel.h has them.
FORGE = """
import ctypes, os, socket, struct
END = next(
    int(number) for number in os.listdir("/proc/self/fd")
    if os.path.lexists("/proc/self/fd/" + number)
    and os.readlink("/proc/self/fd/" + number).startswith("socket:")
)
READY, RESULT, RUN_DONE, FAILED, ENDED, NOTICE, WARNING, EXECUTE, NEXT, REQUEST, FREE = range(1, 12)
def number(value):
    return struct.pack("<q", value)
def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return number(len(value)) + value
def send(data):
    os.set_blocking(END, True)
    while data:
        data = data[os.write(END, data):]
def frame(kind, body=b"", size=None, descriptors=0):
    return struct.pack("<IBBH", len(body) if size is None else size, kind, descriptors, 0) + body
def forge(kind, body=b"", **options):
    send(frame(kind, body, **options))
def execute(sql, parameters=number(0)):
    return frame(EXECUTE, text(sql) + parameters)
def result(description, data=b"", call=1, rows=1, columns=1, arena=0, size=None, end=None):
    head = number(call) + b"\\0" + number(0) + b"\\1"
    place = struct.pack("<IQ", arena, len(data) if size is None else size)
    body = head + place + number(rows) + b"\\0" + number(columns) + description
    body += number(len(data) if end is None else end)
    return frame(RESULT, body + data)
def column(kind, flags=0, nulls=0):
    return struct.pack("<BB", kind, flags) + number(nulls)
# As enum Kind of src/core/batch/column_type.h has them.
KNULL, INT4, INT8, TEXT, LIST = 0, 3, 4, 8, 18
# The data of a column of texts.
def texts(*ends, values=b"abcd"):
    return struct.pack(f"<{len(ends) + 1}q", 0, *ends).ljust(64, b"x") + values
"""


@dataclass
class Outcome:
    """The outcome of an attempt inside the engine."""

    done: str | None = None
    error: str | None = None
    errno: int | None = None
    text: str = ""
    sqlstate: str | None = None


def run_attack(session: Connection[Any], code: str, **values: Any) -> Outcome:
    """Run `code` in an engine of the session's role; `values` are its variables."""
    arguments = json.dumps({"code": code, "values": json.dumps(values)})
    row = session.execute(
        "SELECT * FROM pyq_eval(%s::jsonb, NULL, 'attack') AS t(outcome text)", (arguments,)
    ).fetchone()
    assert row is not None
    return Outcome(**json.loads(row[0]))


def store_attack(session: Connection[Any]) -> None:
    session.execute("SELECT pyq_script_create('attack', %s, false, true)", (ATTACK,))


def is_alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state[state.rindex(")") + 2] != "Z"


def parent_of(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat[stat.rindex(")") + 2 :].split()[1])


def is_child(pid: int, parent: int) -> bool:
    """Whether a process is a child of `parent`, or ends at the moment."""
    try:
        return not is_alive(pid) or parent_of(pid) == parent
    except (FileNotFoundError, ProcessLookupError):
        return True


def children_of(pid: int) -> set[int]:
    """The processes below `pid`, at any depth."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parents[int(entry.name)] = parent_of(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = {pid}
    while True:
        more = {child for child, parent in parents.items() if parent in found} - found
        if not more:
            return found - {pid}
        found |= more


class Listeners:
    """Sockets that no engine may reach: TCP and UDP on the loopback, Unix by path and by name."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "listener")
        self.name = f"epe-listener-{os.getpid()}"
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.stream = socket.socket(socket.AF_UNIX)
        self.stream.bind(self.path)
        self.stream.listen()
        self.datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.datagram.bind("\0" + self.name)
        Path(self.path).chmod(0o777)
        for each in self._all():
            each.setblocking(False)

    def _all(self) -> tuple[socket.socket, ...]:
        return self.tcp, self.udp, self.stream, self.datagram

    @property
    def tcp_port(self) -> int:
        return int(self.tcp.getsockname()[1])

    @property
    def udp_port(self) -> int:
        return int(self.udp.getsockname()[1])

    def assert_untouched(self) -> None:
        for each in (self.tcp, self.stream):
            try:
                each.accept()
            except BlockingIOError:
                continue
            raise AssertionError(f"an engine connected to {each}")
        for each in (self.udp, self.datagram):
            try:
                data = each.recv(100)
            except BlockingIOError:
                continue
            raise AssertionError(f"an engine sent {data!r} to {each}")

    def close(self) -> None:
        for each in self._all():
            each.close()


def fingerprint(path: Path) -> tuple[Any, ...]:
    status = path.stat()
    content = path.read_bytes() if path.is_file() else b""
    return (
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_mtime_ns,
        status.st_nlink,
        content,
    )


@dataclass
class Scene:
    """An ordinary role's session and everything that it is to leave alone.

    Attributes
    ----------
    session : Connection
        Of an ordinary role, whose script `attack` the tests run.
    victim : Connection
        Of another ordinary role, with an idle engine of its own.
    """

    session: Connection[Any]
    victim: Connection[Any]
    admin: Connection[Any]
    data: Path
    listeners: Listeners
    pids: dict[str, int] = field(default_factory=dict)
    files: dict[Path, tuple[Any, ...]] = field(default_factory=dict)

    def attack(self, code: str, **values: Any) -> Outcome:
        """Run code with the names of everything that may be attacked."""
        return run_attack(self.session, code, **self.names(), **values)

    def names(self) -> dict[str, Any]:
        return {
            "data": str(self.data),
            "pids": self.pids,
            "tcp_port": self.listeners.tcp_port,
            "udp_port": self.listeners.udp_port,
            "unix_path": self.listeners.path,
            "unix_name": self.listeners.name,
        }

    def remember(self) -> None:
        """Note how things are: pids, files, processes."""
        own = self.attack("result = os.getpid(), os.getppid()")
        assert own.done is not None, own
        engine, zygote = json.loads(own.done.replace("(", "[").replace(")", "]"))
        other = run_attack(self.victim, "result = os.getpid()")
        assert other.done is not None, other
        self.pids = {
            "backend": self.session.info.backend_pid,
            "postmaster": int((self.data / "postmaster.pid").read_text().split()[0]),
            "victim_backend": self.victim.info.backend_pid,
            "victim_engine": int(other.done),
            "zygote": zygote,
            "supervisor": parent_of(zygote),
        }
        self.engine = engine
        for name in ("PG_VERSION", "pg_hba.conf", "postgresql.conf", "postmaster.pid"):
            self.files[self.data / name] = fingerprint(self.data / name)
        self.names_in_data = sorted(each.name for each in self.data.iterdir())

    def log_size(self) -> int:
        return self._log().stat().st_size

    def log_since(self, size: int) -> str:
        with self._log().open("rb") as log:
            log.seek(size)
            return log.read().decode(errors="replace")

    @staticmethod
    def _log() -> Path:
        return Path(os.environ.get("EPE_SERVER_LOG") or "/dev/null")

    def alter(self, action: str) -> sql.Composed:
        """ALTER ROLE of the attacker."""
        name = sql.Identifier(self.session.info.user)
        return sql.SQL("ALTER ROLE {} " + action).format(name)  # type: ignore[arg-type]

    @staticmethod
    def open_listener() -> socket.socket:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        return listener

    def has_shared_supervisor(self) -> bool:
        row = self.admin.execute("SHOW shared_preload_libraries").fetchone()
        return row is not None and "oml_epe" in row[0]

    @contextmanager
    def in_background(self, statement: str) -> Iterator[int]:
        """Run a statement of the attacker, which must fail in the end; gives its backend's pid."""
        problems: list[BaseException] = []

        def run() -> None:
            try:
                self.session.execute(statement)  # type: ignore[call-overload]
            except psycopg.Error as error:
                problems.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        yield self.session.info.backend_pid
        thread.join()
        assert problems, "the statement in the background has succeeded"

    @contextmanager
    def waiting(self, call: Callable[[], Outcome], outcome: list[Any]) -> Iterator[None]:
        """Make a call of the attacker meanwhile; its outcome is stored in `outcome`."""

        def run() -> None:
            try:
                outcome.append(call())
            except psycopg.Error as error:
                outcome.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            thread.join()
        if isinstance(outcome[0], psycopg.Error):
            raise outcome[0]

    def wait_until(self, is_reached: Callable[[], bool]) -> None:
        """Wait for a state; a hundred seconds are a failure."""
        deadline = time.monotonic() + 100
        while not is_reached():
            assert time.monotonic() < deadline, "the state is not reached"
            time.sleep(0.01)

    def wait_for_lock(self) -> None:
        query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s"
        backend = (self.session.info.backend_pid,)
        self.wait_until(lambda: self.admin.execute(query, backend).fetchone() == (1,))

    def wait_for_end(self, pid: int) -> None:
        self.wait_until(lambda: not is_alive(pid))

    def assert_unharmed(self) -> None:
        """Only the engine itself is affected."""
        for name, pid in self.pids.items():
            assert is_alive(pid), f"{name} is gone"
        for path, before in self.files.items():
            assert fingerprint(path) == before, f"{path} has changed"
        assert sorted(each.name for each in self.data.iterdir()) == self.names_in_data
        for child in children_of(self.pids["zygote"]):
            assert is_child(child, self.pids["zygote"]), "an engine has started a process"
        self.listeners.assert_untouched()
        assert self.session.execute("SELECT 1").fetchone() == (1,)
        assert run_attack(self.victim, "result = os.getpid()").done == str(
            self.pids["victim_engine"]
        )


@contextmanager
def open_scene(connect: Callable[..., Connection[Any]]) -> Iterator[Scene]:
    """Build a scene in the database of `connect(user=...)`, and take it down."""
    admin = connect()
    names = [f"epe_{kind}_{os.getpid()}" for kind in ("attacker", "victim")]
    for name in names:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
    session, victim = (connect(user=name) for name in names)
    for each in (session, victim):
        store_attack(each)
    row = admin.execute("SHOW data_directory").fetchone()
    assert row is not None
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        listeners = Listeners(Path(folder))
        scene = Scene(session, victim, admin, Path(row[0]), listeners)
        scene.remember()
        yield scene
        listeners.close()
    for each in (session, victim):
        each.close()
    for name in names:
        admin.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(name)))
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
    admin.close()


def fails_with(session: Connection[Any], statement: str, *parameters: Any) -> psycopg.Error:
    """Return the error that the statement ends with."""
    try:
        session.execute(statement, parameters)
    except psycopg.Error as error:
        return error
    raise AssertionError("the statement succeeded")
