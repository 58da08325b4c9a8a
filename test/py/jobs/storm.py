"""A storm of signals on all processes of a server that runs calls, jobs and pgbench.

    /usr/bin/python3 test/py/jobs/storm.py [--seconds 300] [--seed N]

Starts a private server and, until the time is over, sends SIGKILL, SIGTERM, and SIGSTOP (followed
by SIGCONT or SIGKILL) to engines, zygotes, the supervisor, the gateway, job workers, the job
launcher, the engine launcher and backends. Meanwhile sessions of two roles call scripts, parallel
calls among them,
others submit jobs, and pgbench runs. Afterwards the oracles are asked:

* A call that was answered was answered right. A call that failed did so because its engine or its
  connection was attacked; never because there was no supervisor or no engine.
* The changes of a call exist exactly if its commit was confirmed; at most once if that is unknown.
* Each submitted job has one outcome, and one effect exactly if that is "finished".
* The sums of pgbench agree.
* The server answers normally, knows every engine that runs, and starts no more than it may.
* When it has been stopped, with engines, zygote and supervisor halted before, no process is left.

SIGKILL of a child of the postmaster restarts the server, by PostgreSQL's rule. Prints the seed and
what was done and found; the exit status is 1 when an oracle disagrees. Times of the system decide
which process a signal hits when, so a seed repeats the sequence of attacks, not each coincidence.
"""

# check_sizes: one program: its load, its signals and its findings.

from __future__ import annotations

import argparse
import collections
import contextlib
import importlib.util
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 90
MOST_ENGINES = 12  # enough for all nested calls and jobs at once: none waits for another
SETTINGS = (
    "shared_preload_libraries = 'oml_epe'",
    "restart_after_crash = on",
    f"oml_epe.max_engines = {MOST_ENGINES}",
    "oml_epe.max_jobs = 3",
    "oml_epe.engine_wait_timeout = '5min'",
    "max_connections = 60",
    "synchronous_commit = on",  # a confirmed commit survives the death of processes
)
SCHEMA = """
CREATE EXTENSION oml_epe;
CREATE ROLE caller LOGIN;
CREATE TABLE effects (tag bigint);
CREATE TABLE writes (tag bigint);
GRANT INSERT, SELECT ON effects, writes TO caller;
SELECT pyq_script_create('next', 'def next_(x): return x + 1', true);
SELECT pyq_script_create('square', $$
import time
def square(index):
    time.sleep(0.002 * (index % 5))
    return index * index
$$, true);
SELECT pyq_script_create('write', $$
import oml
def write(tag):
    oml.cursor().execute("INSERT INTO public.writes VALUES ($1)", (tag,))
    return tag
$$, true);
SELECT pyq_script_create('nest', $$
import oml
def nest(x):
    cursor = oml.cursor()
    cursor.execute(
        "SELECT pyq_eval(jsonb_build_object('x', $1::int), NULL::int, 'next', 'pyqsys')", (x,))
    return cursor.fetchone()[0] + 1
$$, true);
SELECT pyq_script_create('work', $$
import random, time
import oml
def work(tag, fails):
    oml.cursor().execute("INSERT INTO public.effects VALUES ($1)", (tag,))
    time.sleep(random.random() / 20)
    if fails:
        raise ValueError("it fails")
    return tag
$$, true);
"""
# Possible errors of a call when its engine was attacked.
ENGINE_DEATHS = (
    "Python engine was terminated by signal 9",
    "Python engine was terminated by signal 15",
    "Python engine ended unexpectedly",
)
# Errors of a lost connection or a restarting server: admin_shutdown, crash_shutdown,
# cannot_connect_now.
LOST = ("57P01", "57P02", "57P03")


def load_with_server() -> Any:
    """Import tools/with-server, a script without a suffix."""
    loader = SourceFileLoader("with_server", str(ROOT / "tools" / "with-server"))
    spec = importlib.util.spec_from_loader("with_server", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


class Process(NamedTuple):
    pid: int
    parent: int
    name: str
    state: str
    start: int
    command: str


def read_process(pid: int) -> Process | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return None
    name, rest = text[text.index("(") + 1 :].rsplit(")", 1)
    words = rest.split()
    return Process(pid, int(words[1]), name, words[0], int(words[19]), command)


def environment_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_text(errors="replace")
    except OSError:
        return ""


class Tree:
    """All processes of one server, also those that have lost their parents."""

    def __init__(self, data: Path, postmaster: int) -> None:
        self.data = str(data)
        self.postmaster = postmaster

    def processes(self) -> list[Process]:
        everything = {
            process.pid: process
            for process in map(read_process, (int(p) for p in os.listdir("/proc") if p.isdigit()))
            if process is not None and process.state not in "ZX" and process.pid != os.getpid()
        }
        return [
            process
            for process in everything.values()
            if self._is_below(process, everything)
            or self.data in process.command
            or f"OML_EPE_FOLDER={self.data}" in environment_of(process.pid)
        ]

    def _is_below(self, process: Process, everything: dict[int, Process]) -> bool:
        above: Process | None = process
        while above is not None and above.pid != self.postmaster:
            above = everything.get(above.parent)
        return above is not None

    def kinds(self) -> dict[str, list[Process]]:
        """The processes that are attacked, by kind."""
        kinds: dict[str, list[Process]] = collections.defaultdict(list)
        for process in self.processes():
            kind = self._kind_of(process)
            if kind:
                kinds[kind].append(process)
        return kinds

    @staticmethod
    def _kind_of(process: Process) -> str | None:
        for name in ("engine", "zygote", "supervisor"):
            if process.name == f"epe_{name}":
                return name
        if "oml_epe_gateway " in process.command:
            return "gateway"
        for words, name in (
            ("oml_epe engine launcher", "engine launcher"),
            ("oml_epe job launcher", "job launcher"),
            ("oml_epe job worker", "worker"),
            ("postgres: postgres ", "backend"),
            ("postgres: caller ", "backend"),
        ):
            if words in process.command:
                return name
        return None


def send(process: Process, number: int) -> bool:
    """Signal a process, unless it has gone and another has its number."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        now = read_process(process.pid)
        if now is None or now.start != process.start:
            return False
        signal.pidfd_send_signal(descriptor, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)


class Findings:
    """Counts and faults of all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counts: collections.Counter[str] = collections.Counter()
        self.faults: list[str] = []

    def count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self.counts[what] += number

    def fault(self, what: str) -> None:
        with self._lock:
            self.faults.append(what)
        print(f"FAULT {time.strftime('%H:%M:%S')}: {what}", flush=True)


class Storm:
    """One server under attack."""

    def __init__(self, server: Any, gateway_port: int, seed: int) -> None:
        self.server = server
        self.gateway_port = gateway_port
        self.seed = seed
        self.data = Path(server.directory) / "data"
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        self.tree = Tree(self.data, postmaster)
        self.found = Findings()
        self.stop = threading.Event()
        self.confirmed: set[int] = set()
        self.tried: set[int] = set()
        self.submitted: set[int] = set()
        self._tag_lock = threading.Lock()
        self._last_tag = 0
        self._halted: list[tuple[float, Process, int]] = []

    def connect(self, user: str = "postgres", **options: Any) -> psycopg.Connection[Any]:
        environment = self.server.environment
        connection = psycopg.connect(
            host=environment["PGHOST"],
            port=environment["PGPORT"],
            user=user,
            dbname="postgres",
            autocommit=True,
            connect_timeout=PATIENCE_SECONDS,
            **options,
        )
        connection.execute("SET oml_epe.engine = 'process'")
        return connection

    def tag(self) -> int:
        with self._tag_lock:
            self._last_tag += 1
            return self._last_tag

    # ------------------------------------------------------------------------------ the sessions

    def judge(self, error: psycopg.Error, what: str) -> bool:
        """Count an error that an attack explains; return whether the connection has gone."""
        state = error.sqlstate
        is_lost = state in LOST or (state is None and isinstance(error, psycopg.OperationalError))
        if is_lost:
            self.found.count(f"{what}: connection lost")
        elif state == "38000" and any(words in str(error) for words in ENGINE_DEATHS):
            self.found.count(f"{what}: engine lost")
        else:
            self.found.fault(f"{what}: {state} {error}")
        return is_lost

    def session(self, user: str, chooser: random.Random, body: Callable[..., None]) -> None:
        """Run `body` over and over, in new sessions after lost ones."""
        while not self.stop.is_set():
            with contextlib.suppress(psycopg.Error):
                connection = self.connect(user)
                try:
                    while not self.stop.is_set() and chooser.random() > 0.05:
                        body(connection, chooser)
                        if connection.closed:
                            break
                finally:
                    with contextlib.suppress(psycopg.Error):
                        connection.close()
                continue
            time.sleep(0.05)

    def expect(
        self, connection: psycopg.Connection[Any], what: str, wanted: Any, query: str, *values: Any
    ) -> bool:
        """Run one statement; whether it was answered."""
        try:
            rows = connection.execute(query, values).fetchall()  # type: ignore[arg-type]
        except psycopg.Error as error:
            self.judge(error, what)
            return False
        if rows != wanted:
            self.found.fault(f"{what}: {rows} instead of {wanted}")
        self.found.count(f"{what}: right")
        return True

    def call(self, connection: psycopg.Connection[Any], chooser: random.Random) -> None:
        number = chooser.randrange(1000)
        kind = chooser.choice(("one", "one", "nested", "parallel", "write", "write"))
        if kind == "one":
            self.expect(
                connection,
                kind,
                [(number + 1,)],
                "SELECT pyq_eval(jsonb_build_object('x', %s::int), NULL::int, 'next', 'pyqsys')",
                number,
            )
        elif kind == "nested":
            self.expect(
                connection,
                kind,
                [(number + 2,)],
                "SELECT pyq_eval(jsonb_build_object('x', %s::int), NULL::int, 'nest', 'pyqsys')",
                number,
            )
        elif kind == "parallel":
            self.expect(
                connection,
                kind,
                [(index * index,) for index in range(1, 21)],
                "SELECT * FROM pyq_index_eval('{\"oml_parallel\": 3}', NULL::int, 20, 'square',"
                " 'pyqsys')",
            )
        else:
            tag = self.tag()
            self.tried.add(tag)
            if self.expect(
                connection,
                kind,
                [(tag,)],
                "SELECT pyq_eval(jsonb_build_object('tag', %s::bigint), NULL::bigint, 'write',"
                " 'pyqsys')",
                tag,
            ):
                self.confirmed.add(tag)

    def submit(self, connection: psycopg.Connection[Any], chooser: random.Random) -> None:
        """Submit one job; its number of attempts is such that attacks may use some up."""
        tag = self.tag()
        self.submitted.add(tag)
        fails = chooser.random() < 0.1
        retries = chooser.randrange(4)
        try:
            connection.execute(
                "SELECT count(*) FROM pyq_eval(jsonb_build_object('oml_async_flag', true,"
                " 'oml_retries', %s::int, 'tag', %s::bigint, 'fails', %s::bool), NULL::pyq_json,"
                " 'work', 'pyqsys')",
                (retries, tag, fails),
            )
            self.confirmed.add(-tag)
            self.found.count("job: submitted")
        except psycopg.Error as error:
            self.judge(error, "job")
        time.sleep(chooser.random() / 4)

    def run_pgbench(self) -> None:
        environment = {**os.environ, **self.server.environment}
        while not self.stop.is_set():
            done = subprocess.run(
                ["pgbench", "-n", "-c", "2", "-T", "3", "postgres"],
                env=environment,
                capture_output=True,
                text=True,
            )
            for line in done.stdout.splitlines():
                if line.startswith("number of transactions actually processed:"):
                    self.found.count("pgbench: transactions", int(line.split(":")[1].split("/")[0]))
            self.found.count("pgbench: runs")
            time.sleep(0.1)

    # -------------------------------------------------------------------------------- the attacks

    def attack(self, chooser: random.Random) -> None:
        weights = {
            "engine": 12,
            "zygote": 5,
            "supervisor": 6,
            "gateway": 2,
            "worker": 3,
            "job launcher": 1,
            "engine launcher": 1,
            "backend": 3,
        }
        last_crash = 0.0
        while not self.stop.is_set():
            time.sleep(chooser.random() * 0.4)
            self.release(chooser, everything=False)
            kind = chooser.choices(list(weights), list(weights.values()))[0]
            number = chooser.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP))
            burst = chooser.choice((1, 1, 1, 4)) if kind in ("engine", "supervisor") else 1
            is_server_process = kind in ("worker", "job launcher", "engine launcher", "backend")
            if is_server_process and number == signal.SIGKILL:
                if time.monotonic() - last_crash < 5:
                    number = signal.SIGTERM
                else:
                    last_crash = time.monotonic()
            for _ in range(burst):
                targets = self.tree.kinds().get(kind)
                if not targets:
                    break
                target = chooser.choice(targets)
                if not send(target, number):
                    continue
                self.found.count(f"{number.name} {kind}")
                if number == signal.SIGSTOP:
                    then = chooser.choice((signal.SIGCONT, signal.SIGKILL))
                    if is_server_process:
                        then = signal.SIGCONT
                    due = time.monotonic() + chooser.random() * 2
                    self._halted.append((due, target, then))
                time.sleep(chooser.random() * 0.05)
        self.release(chooser, everything=True)

    def release(self, chooser: random.Random, *, everything: bool) -> None:
        """End halts that are due."""
        now = time.monotonic()
        for halt in list(self._halted):
            due, target, number = halt
            if everything or now >= due:
                send(target, signal.SIGCONT if everything else number)
                self._halted.remove(halt)

    def rage(self, seconds: float) -> None:
        def seeded(number: int) -> random.Random:
            return random.Random(self.seed * 1000 + number)

        threads = [
            threading.Thread(target=self.session, args=(user, seeded(i), self.call))
            for i, user in enumerate(("postgres", "caller", "postgres", "caller"))
        ]
        threads += [
            threading.Thread(target=self.session, args=(user, seeded(i + 10), self.submit))
            for i, user in enumerate(("postgres", "caller"))
        ]
        threads.append(threading.Thread(target=self.run_pgbench))
        attacker = threading.Thread(target=self.attack, args=(seeded(20),))
        for thread in (*threads, attacker):
            thread.start()
        time.sleep(seconds)
        self.stop.set()
        attacker.join()
        for thread in threads:
            thread.join(PATIENCE_SECONDS * 2)
            if thread.is_alive():
                self.found.fault(f"a session is stuck: {thread}")

    # -------------------------------------------------------------------------------- the oracles

    def await_true(self, what: str, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        problem: object = None
        while time.monotonic() < deadline:
            try:
                value = condition()
                if value:
                    return value
            except psycopg.Error as error:
                problem = error
            time.sleep(0.1)
        self.found.fault(f"never came true: {what} ({problem})")
        return None

    def query(self, text: str, user: str = "postgres", *values: Any) -> list[Any]:
        with self.connect(user) as connection:
            return connection.execute(text, values).fetchall()  # type: ignore[arg-type]

    def check_answers(self) -> None:
        for user in ("postgres", "caller"):
            self.await_true(
                f"a call of {user} is answered",
                lambda user=user: (  # type: ignore[misc]
                    self.query("SELECT pyq_eval('{\"x\": 41}', NULL::int, 'nest', 'pyqsys')", user)
                    == [(43,)]
                ),
            )
        self.await_true(
            "a parallel call is answered",
            lambda: (
                self.query(
                    "SELECT sum(s) FROM pyq_index_eval('{\"oml_parallel\": 4}', NULL::int, 20,"
                    " 'square', 'pyqsys') AS s"
                )
                == [(2870,)]
            ),
        )

        def is_healthy() -> bool:
            with contextlib.suppress(OSError):
                url = f"http://127.0.0.1:{self.gateway_port}/healthz"
                with urllib.request.urlopen(url, timeout=10) as answer:
                    return bool(answer.status == 200)
            return False

        self.await_true("the gateway answers", is_healthy)

    def check_writes(self) -> None:
        rows = self.query("SELECT tag, count(*) FROM writes GROUP BY tag")
        written = dict(rows)
        calls = {tag for tag in self.confirmed if tag > 0}
        lost = calls - written.keys()
        doubled = {tag for tag, count in written.items() if count != 1}
        unknown = written.keys() - self.tried
        for name, tags in (("lost", lost), ("doubled", doubled), ("unknown", unknown)):
            if tags:
                self.found.fault(f"writes {name}: {sorted(tags)[:10]}")

    def check_jobs(self) -> None:
        self.await_true(
            "each job has an outcome",
            lambda: (
                self.query("SELECT count(*) FROM pyqsys.jobs WHERE state IN ('queued', 'running')")
                == [(0,)]
            ),
        )
        jobs = self.query(
            "SELECT (par_lst::json ->> 'tag')::bigint, count(*), min(state), min(error[1]),"
            " min(error[2]) FROM pyqsys.jobs GROUP BY 1"
        )
        effects = dict(self.query("SELECT tag, count(*) FROM effects GROUP BY tag"))
        tags = set()
        for tag, count, state, code, message in jobs:
            tags.add(tag)
            self.found.count(f"job: {state} {code or ''}".strip())
            if count != 1:
                self.found.fault(f"job {tag} is there {count} times")
            if effects.get(tag, 0) != (state == "finished"):
                self.found.fault(f"job {tag} is {state}, with {effects.get(tag, 0)} effects")
            if state not in ("finished", "failed"):
                self.found.fault(f"job {tag} is {state}: {code} {message}")
            if state == "failed" and code not in ("38000", "57P02", "57P01"):
                self.found.fault(f"job {tag} failed: {code} {message}")
        confirmed = {-tag for tag in self.confirmed if tag < 0}
        if confirmed - tags:
            self.found.fault(f"jobs lost: {sorted(confirmed - tags)[:10]}")
        if effects.keys() - tags or tags - self.submitted:
            self.found.fault("effects or jobs without a call")

    def check_pgbench(self) -> None:
        sums = self.query(
            "SELECT (SELECT sum(abalance) FROM pgbench_accounts),"
            " (SELECT sum(tbalance) FROM pgbench_tellers),"
            " (SELECT sum(bbalance) FROM pgbench_branches),"
            " (SELECT coalesce(sum(delta), 0) FROM pgbench_history)"
        )[0]
        if len(set(sums)) != 1:
            self.found.fault(f"the sums of pgbench differ: {sums}")

    def check_processes(self) -> None:
        def is_tidy() -> bool:
            kinds = self.tree.kinds()
            listed = {row[0] for row in self.query("SELECT pid FROM pyq_engines")}
            running = {process.pid for process in kinds["engine"]}
            return (
                len(kinds["supervisor"]) == 1
                and len(kinds["zygote"]) == 1
                and len(kinds["gateway"]) == 1
                and running <= listed
                and len(running) <= MOST_ENGINES
            )

        self.await_true("one supervisor, zygote and gateway, and no unknown engine", is_tidy)

    def check_log(self) -> None:
        for line in self.server.log_path.read_text(errors="replace").splitlines():
            if any(word in line for word in ("PANIC", "TRAP:", "XX000")) or (
                "was terminated by signal" in line
                and not any(f"signal {number}" in line for number in (9, 15))
            ):
                self.found.fault(f"the log says: {line}")

    # ------------------------------------------------------------------------------------ the end

    def halt_and_stop(self, way: str) -> None:
        """Stop the server while processes of it are halted, and see that none is left."""
        sessions = [self.connect(user) for user in ("postgres", "caller")]
        for session in sessions:
            session.execute("SELECT pyq_eval('{\"x\": 1}', NULL::int, 'next', 'pyqsys')")
        kinds = self.tree.kinds()
        # The engines lose the supervisor that has started them; the next one is halted as well.
        for process in kinds["engine"] + kinds["gateway"]:
            send(process, signal.SIGSTOP)
        old = kinds["supervisor"]
        for process in old:
            send(process, signal.SIGKILL)
        self.await_true(
            "another supervisor",
            lambda: [p for p in self.tree.kinds()["supervisor"] if p.pid != old[0].pid],
        )
        self.query("SELECT count(*) FROM pyq_engines")  # it works
        kinds = self.tree.kinds()
        for process in kinds["zygote"] + kinds["supervisor"]:
            send(process, signal.SIGSTOP)
        if way == "killed":
            os.kill(self.tree.postmaster, signal.SIGKILL)
            self.server.stop()
        else:
            mode = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[way]
            os.kill(self.tree.postmaster, mode)
        self.await_true(f"no process is left ({way})", lambda: not self.tree.processes())
        for process in self.tree.processes():
            self.found.fault(f"left: {process}")
            send(process, signal.SIGKILL)
        for session in sessions:
            with contextlib.suppress(psycopg.Error):
                session.close()


@contextlib.contextmanager
def storm_server(with_server: Any, gateway_port: int) -> Iterator[Any]:
    settings = [*SETTINGS, f"oml_epe.gateway_listen = '127.0.0.1:{gateway_port}'"]
    with with_server.PrivateServer(settings) as server:
        yield server


def run(seconds: float, seed: int) -> list[str]:
    """Run one storm; return the faults."""
    with_server = load_with_server()
    port = with_server.free_port()
    with storm_server(with_server, port) as server:
        storm = Storm(server, port, seed)
        environment = {**os.environ, **server.environment}
        subprocess.run(
            ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-c", SCHEMA],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        subprocess.run(
            ["pgbench", "-i", "-q", "postgres"], env=environment, check=True, capture_output=True
        )
        storm.check_answers()
        storm.rage(seconds)
        for check in (
            storm.check_answers,
            storm.check_jobs,
            storm.check_writes,
            storm.check_pgbench,
            storm.check_processes,
        ):
            try:
                check()
            except psycopg.Error as error:
                storm.found.fault(f"{check.__name__}: {error}")
        storm.halt_and_stop(random.Random(seed).choice(("fast", "immediate", "killed")))
        storm.check_log()
        if storm.found.faults:
            print(server.log_tail())
        for what, number in sorted(storm.found.counts.items()):
            print(f"{number:8} {what}")
        return storm.found.faults


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    faults = run(options.seconds, options.seed)
    print(f"{len(faults)} faults, seed {options.seed}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
