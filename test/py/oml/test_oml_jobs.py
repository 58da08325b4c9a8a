"""Jobs from Python: oml.submit(), calls with oml_async_flag, Job, oml.job() and oml.jobs()."""

# check_sizes: all cases share the scripts and connections of one module.

from __future__ import annotations

import asyncio
import pickle
import sys
import threading
import types
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("cloudpickle")

import oml
from oml._db import connection as _session
from oml.embed import _job_display

SECONDS = 120.0
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ROWS = pd.DataFrame({"g": ["a", "b", None, "null", "b"], "x": [1, 2, 3, 4, 5]})


@pytest.fixture(scope="module")
def lab(server: Any, database: str) -> Iterator[Any]:
    """Table oml_job_rows, an ordinary role, and a superuser's connection."""
    with server.connect(database) as admin:
        admin.execute("DROP ROLE IF EXISTS epe_job_user")
        admin.execute("CREATE ROLE epe_job_user LOGIN")
        admin.execute("GRANT CREATE ON SCHEMA public TO epe_job_user")
        admin.execute("CREATE TABLE oml_job_rows (g text, x bigint)")
        for g, x in ROWS.itertuples(index=False):
            admin.execute("INSERT INTO oml_job_rows VALUES (%s, %s)", (g, x))
        admin.execute("GRANT SELECT ON oml_job_rows TO PUBLIC")
        yield admin
        admin.execute("DROP TABLE oml_job_rows")
        admin.execute("DELETE FROM pyqsys.jobs")
        admin.execute("DELETE FROM pyqsys.job_results")
        admin.execute("DROP OWNED BY epe_job_user CASCADE")
        admin.execute("DROP ROLE epe_job_user")


@pytest.fixture
def connect(lab: Any, database: str) -> Iterator[Callable[[str], None]]:
    def connect(who: str) -> None:
        info = lab.info
        user = info.user if who == "admin" else "epe_job_user"
        oml.connect(user=user, host=info.host, port=info.port, service_name=database)

    yield connect
    oml.disconnect()


@pytest.fixture(params=["admin", "ordinary"])
def client(request: pytest.FixtureRequest, connect: Callable[[str], None]) -> None:
    connect(request.param)


@pytest.fixture
def admin(connect: Callable[[str], None]) -> None:
    connect("admin")


def table() -> Any:
    return oml.sync(table="oml_job_rows")


def same(first: Any, second: Any) -> None:
    """Fail unless two results are of the same types and values."""
    assert type(first) is type(second)
    if isinstance(first, pd.DataFrame):
        pd.testing.assert_frame_equal(first, second)
    elif isinstance(first, dict):
        assert list(first) == list(second)
        for key, value in first.items():
            same(value, second[key])
    elif isinstance(first, list):
        assert len(first) == len(second)
        for one, other in zip(first, second):
            same(one, other)
    else:
        assert first == second


def draw(number: int = 1) -> int:
    import matplotlib.pyplot as plt

    plt.figure()
    plt.plot([1, number])
    return number


def generate(number: int = 3) -> Any:
    yield from range(number)


CALLS: dict[str, Callable[..., Any]] = {
    "eval": lambda **k: oml.do_eval(lambda a, b: {"sum": a + b}, a=1, b=2.5, **k),
    "eval of a generator": lambda **k: oml.do_eval(generate, **k),
    "eval of a definition": lambda **k: oml.do_eval("def f(a): return [a, None]", a="x", **k),
    "table": lambda **k: oml.table_apply(
        table(), lambda rows, by: rows.assign(y=rows["x"] * by), by=np.int64(3), **k
    ),
    "row, frames": lambda **k: oml.row_apply(table(), lambda rows: rows, rows=2, **k),
    "row, others": lambda **k: oml.row_apply(table(), len, rows=2, **k),
    "group": lambda **k: oml.group_apply(table(), table()["g"], len, parallel=2, **k),
    "group, two columns": lambda **k: oml.group_apply(table(), table()[["g", "x"]], len, **k),
    "index": lambda **k: oml.index_apply(3, lambda number: number * number, **k),
    "index, none": lambda **k: oml.index_apply(0, lambda number: number, **k),
}


@pytest.mark.parametrize("name", CALLS)
def test_result_is_that_of_the_synchronous_call(client: None, name: str) -> None:
    call = CALLS[name]
    wanted = call()
    job = call(oml_async_flag=True)
    assert type(job) is oml.Job
    assert job.wait(SECONDS) == job.status == "finished" and job.done() and not job.running()
    same(job.result(), wanted)
    same(job.result(), wanted)  # as often as wanted
    same(oml.job(job.id).result(), wanted)  # of another session, for all it knows
    assert job.exception() is None


def test_figures_come_with_the_result(client: None) -> None:
    pytest.importorskip("matplotlib")
    job = oml.submit(draw, 7, graphics=True)
    result = job.result(SECONDS)
    assert result.dat == 7
    assert [image[:8] for image in result.img] == [PNG_SIGNATURE]
    results = oml.submit("index", 2, draw, graphics=True).result(SECONDS)
    assert [(each.dat, len(each.img)) for each in results] == [(1, 1), (2, 1)]


def test_result_that_stays_in_the_database(client: None) -> None:
    prototype = pd.DataFrame({"Key": ["a"], "n": [1]})

    def count(rows: Any) -> Any:
        return pd.DataFrame({"other": [rows["g"][0]], "name": [len(rows)]})

    job = oml.submit("group", table(), table()["g"], count, func_value=prototype)
    proxy = job.result(SECONDS)
    assert isinstance(proxy, oml.DataFrame) and proxy.columns == ["Key", "n"]
    rows = sorted(proxy.pull(aslist=True), key=str)
    assert rows == [("a", 1), ("b", 2), ("null", 1), (None, 1)]
    again = oml.job(job.id).result(func_value=prototype)
    assert sorted(again.pull(aslist=True), key=str) == rows
    with pytest.raises(TypeError, match=r"must be a pandas\.DataFrame"):
        oml.submit("group", table(), table()["g"], count, func_value=[1])


def test_forms_of_submit(client: None) -> None:
    for function in (oml.table_apply, "table", "table_apply"):
        assert oml.submit(function, table(), func=len).result(SECONDS) == len(ROWS)
        assert oml.submit(function, data=table(), func=len).result(SECONDS) == len(ROWS)
    assert oml.submit(pow, 2, exp=10).result(SECONDS) == 1024
    assert oml.submit(lambda a, *, b: (a, b), [1], b={2}).result(SECONDS) == ([1], {2})
    with pytest.raises(ValueError, match="one of eval, table, row, group, index"):
        oml.submit("tables", data=table(), func=len)
    with pytest.raises(TypeError, match="cannot be passed by name"):
        oml.submit(len, [1])
    with pytest.raises(TypeError, match="cannot be passed by name"):
        oml.submit(lambda *numbers: numbers, 1)


def test_arguments_that_are_long_go_with_the_end(admin: None) -> None:
    values = np.arange(3_000_000)
    job = oml.submit(lambda values: values.sum(), values)
    waiting = oml.submit(_sleep, 600)
    assert job.result(SECONDS) == values.sum()
    cursor = oml.cursor()
    kept = "SELECT pickled IS NOT NULL FROM pyqsys.jobs WHERE id = $1::uuid"
    assert cursor.execute(kept, (job.id,)).fetchone() == (False,)
    assert cursor.execute(kept, (waiting.id,)).fetchone() == (True,)
    waiting.cancel()
    assert cursor.execute(kept, (waiting.id,)).fetchone() == (False,)


def _sleep(seconds: float) -> None:
    import time

    import oml

    oml.progress(0.25, "fast <asleep>")
    time.sleep(seconds)


def _count(items: list[int]) -> int:
    return len(items)


def _await_progress(job: oml.Job) -> None:
    """Wait until a job reports progress, up to the test's time limit."""
    while job.progress is None:
        assert job.wait(0.01) in ("queued", "running")


def test_failure_is_that_of_the_synchronous_call(client: None) -> None:
    def fail(message: str) -> None:
        raise KeyError(message)

    with pytest.raises(oml.ScriptError) as wanted:
        oml.do_eval(fail, message="gone")
    job = oml.submit(fail, "gone")
    with pytest.raises(oml.ScriptError) as got:
        job.result(SECONDS)
    for name in ("sqlstate", "detail", "hint"):
        assert getattr(got.value, name) == getattr(wanted.value, name)
    assert str(got.value) == str(wanted.value)
    assert "raise KeyError(message)" in str(got.value.__cause__)
    error = job.exception()
    assert type(error) is oml.ScriptError and str(error) == str(wanted.value)
    assert job.status == "failed"
    prototype = pd.DataFrame({"a": [1]})
    with pytest.raises(oml.ScriptError, match="gone"):
        job.result(func_value=prototype)

    def sql() -> None:
        oml.cursor().execute("SELECT 1 / 0")

    with pytest.raises(oml.DatabaseError) as got_sql:
        oml.submit(sql).result(SECONDS)
    with pytest.raises(oml.DatabaseError) as wanted_sql:
        oml.do_eval(sql)
    assert type(got_sql.value) is type(wanted_sql.value)
    assert got_sql.value.sqlstate == wanted_sql.value.sqlstate == "22012"


def test_what_the_server_refuses_is_refused_at_once(client: None) -> None:
    for call, sqlstate in (
        (lambda: oml.submit("eval", "no_such_script"), "42704"),
        (lambda: oml.submit(_count, [1], env_name="no such"), "42704"),
        (lambda: oml.submit(_count, [1], timeout=10**9), "22023"),
        (lambda: oml.submit(_count, [1], oml_retries=-1), "22023"),
        (lambda: oml.job(str(uuid.uuid4())), "42704"),
        (lambda: oml.job("no job"), "42704"),
    ):
        with pytest.raises(oml.DatabaseError) as failure:
            call()
        assert failure.value.sqlstate == sqlstate, failure.value
    with pytest.raises(TypeError, match="cannot be"):
        oml.submit(lambda lock: lock, threading.Lock())


def test_temporary_tables_are_refused(client: None) -> None:
    pushed = oml.push(ROWS)
    oml.cursor().execute("CREATE TEMPORARY TABLE oml_job_temporary AS SELECT 1 AS x")
    own = oml.sync(query="SELECT x FROM (SELECT x FROM oml_job_temporary) AS t")
    for call in (
        lambda: oml.submit("table", pushed, len),
        lambda: oml.submit("group", pushed, pushed["g"], len),
        lambda: oml.submit("table", own, len),
        lambda: oml.submit(lambda rows: rows, pushed),
        lambda: oml.submit(lambda rows: rows, {"a": [pushed["x"]]}),
    ):
        with pytest.raises(oml.DatabaseError, match="temporary tables") as failure:
            call()
        assert failure.value.sqlstate == "0A000" and "oml.create()" in failure.value.hint
    assert oml.submit(lambda rows: rows.pull(), table()).result(SECONDS)["x"].sum() == 15


def test_progress_cancel_and_delete(client: None) -> None:
    job = oml.submit(_sleep, 600)
    _await_progress(job)
    assert (job.progress, job.comment) == (0.25, "fast <asleep>")
    assert job.running() and not job.done() and not job.cancelled()
    assert job.wait(0) == job.wait(timeout=0.01) == "running"
    with pytest.raises(TimeoutError, match=job.id):
        job.result(timeout=0)
    with pytest.raises(TimeoutError, match=job.id):
        job.exception(timeout=0)
    assert job.cancel() and job.wait(SECONDS) == "cancelled" and job.cancelled()
    assert not job.cancel()
    with pytest.raises(oml.DatabaseError, match="was cancelled") as failure:
        job.result()
    assert failure.value.sqlstate == "57014" and type(failure.value) is oml.DatabaseError
    job.delete()
    for look in (lambda: job.status, job.result, job.delete, lambda: oml.job(job.id)):
        with pytest.raises(oml.DatabaseError, match="does not exist") as failure:
            look()
        assert failure.value.sqlstate == "42704"
    assert "does not exist" in repr(job) and "does not exist" in job._repr_html_()


def test_list_of_jobs(lab: Any, connect: Callable[[str], None]) -> None:
    connect("admin")
    others = oml.submit(_count, [1])
    others.result(SECONDS)
    connect("ordinary")
    job = oml.submit(_count, [1, 2])
    job.wait(SECONDS)
    frame = oml.jobs()
    assert isinstance(frame, pd.DataFrame) and frame["id"][0] == job.id
    assert list(frame.columns) == [
        "id", "owner", "script", "state", "progress", "comment", "submitted", "started",
        "finished", "elapsed", "error",
    ]  # fmt: skip
    assert set(frame["owner"]) == {"epe_job_user"} and frame["state"][0] == "finished"
    assert others.id not in set(frame["id"]) | set(oml.jobs(everyone=True)["id"])
    for look in (lambda: oml.job(others.id), others.result, lambda: others.status, others.cancel):
        with pytest.raises(oml.DatabaseError, match="does not exist") as failure:
            look()
        assert failure.value.sqlstate == "42704"
    connect("admin")
    assert job.id not in set(oml.jobs()["id"]) and others.id in set(oml.jobs()["id"])
    assert {job.id, others.id} <= set(oml.jobs(everyone=True)["id"])
    # Its pickle is the other role's code.
    with pytest.raises(oml.DatabaseError, match="by its owner only") as failure:
        oml.job(job.id).result()
    assert failure.value.sqlstate == "42501"


def test_jobs_of_sql(admin: None) -> None:
    cursor = oml.cursor()
    cursor.execute(
        "SELECT pyq_script_create('oml_job_len', 'def f(d): return len(d)', false, true)"
    )
    value = cursor.execute(
        "SELECT value FROM pyq_group_eval('oml_job_rows', $1, 'JSON', 'g', NULL, 'oml_job_len')"
        " AS t(name text, value text)",
        ('{"oml_async_flag": true}',),
    ).fetchone()[0]
    job = oml.job(value)
    with pytest.raises(oml.DatabaseError, match="same name") as failure:
        job.result(SECONDS)
    assert failure.value.sqlstate == "22023" and "named_results()" in failure.value.hint
    assert sorted(job.named_results(), key=str) == [("a", 1), ("b", 2), ("null", 1), ("null", 1)]
    assert oml.job(value + "/result").id == job.id == value[-36:]
    quoted = cursor.execute(
        "SELECT value FROM pyq_group_eval('SELECT * FROM oml_job_rows', $1, 'JSON', '\"g\"', NULL,"
        " 'oml_job_len') AS t(name text, value text)",
        ('{"oml_async_flag": true}',),
    ).fetchone()[0]
    assert oml.job(quoted).result(SECONDS) == {"a": 1, "b": 2, "null": 1, None: 1}
    cursor.execute("SELECT pyq_script_drop('oml_job_len')")
    # And the other way round.
    other = oml.submit("index", 2, lambda number: {"n": number})
    other.wait(SECONDS)
    rows = cursor.execute(
        'SELECT * FROM pyq_job_result($1, \'{"n": "number"}\') AS t(n numeric)', (other.id,)
    ).fetchall()
    assert [int(n) for (n,) in rows] == [1, 2]


def test_groups_that_have_changed(admin: None) -> None:
    cursor = oml.cursor()
    cursor.execute("CREATE TABLE oml_job_groups AS SELECT NULL::text AS g UNION ALL SELECT 'null'")
    rows = oml.sync(table="oml_job_groups")
    job = oml.submit("group", rows, rows["g"], len)
    assert job.result(SECONDS) == {None: 1, "null": 1}
    cursor.execute("DROP TABLE oml_job_groups")
    cursor.execute("CREATE TABLE oml_job_groups AS SELECT 'other'::text AS g")
    with pytest.raises(oml.DatabaseError, match="changed") as failure:
        job.result()
    assert failure.value.sqlstate == "40001" and "named_results()" in failure.value.hint
    assert job.named_results() == [("null", 1), ("null", 1)]
    cursor.execute("DROP TABLE oml_job_groups")


def test_await_lets_the_event_loop_run(client: None) -> None:
    async def main() -> list[Any]:
        first, second = oml.submit(_sleep, 600), oml.submit(pow, 3, exp=2)

        async def end_first() -> None:
            while first.progress is None:
                await asyncio.sleep(0)
            first.cancel()

        return list(await asyncio.gather(first, second, end_first(), return_exceptions=True))

    async def _ended(job: oml.Job) -> Any:
        return await job

    failure, value, _ = asyncio.run(main())
    # Awaiting the first did not keep the task from running that ends it.
    assert isinstance(failure, oml.DatabaseError) and failure.sqlstate == "57014"
    assert value == 9

    async def give_up() -> str:
        job = oml.submit(_sleep, 600)
        task = asyncio.ensure_future(_ended(job))
        while job.progress is None:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        status = job.status
        job.cancel()
        return status

    assert asyncio.run(give_up()) == "running"  # it goes on


def test_threads_wait_side_by_side(client: None) -> None:
    jobs = [oml.submit(_sleep, 600)] + [oml.submit(pow, 2, exp=n) for n in range(4)]
    results: dict[int, Any] = {}

    def wait(number: int) -> None:
        try:
            results[number] = jobs[number].result(SECONDS)
        except oml.DatabaseError as error:
            results[number] = error.sqlstate

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads[1:]:
        thread.join(SECONDS)
    assert {number: results.get(number) for number in range(1, 5)} == {1: 1, 2: 2, 3: 4, 4: 8}
    jobs[0].cancel()
    threads[0].join(SECONDS)
    assert results[0] == "57014"


def test_open_transaction(client: None) -> None:
    cursor = oml.cursor()
    cursor.execute("BEGIN")
    job = oml.submit(pow, 2, exp=3)
    cursor.execute("SAVEPOINT before")
    with pytest.raises(oml.DatabaseError, match="cannot start before the transaction") as failure:
        job.wait(SECONDS)
    assert failure.value.sqlstate == "55000"
    cursor.execute("ROLLBACK TO before")

    async def await_it() -> Any:
        return await job

    with pytest.raises(oml.DatabaseError, match="cannot start before the transaction"):
        asyncio.run(await_it())
    cursor.execute("ROLLBACK TO before")
    cursor.execute("COMMIT")
    assert job.result(SECONDS) == 8
    assert asyncio.run(await_it()) == 8


@pytest.mark.parametrize("engine", ["backend", "process"])
def test_inside_an_engine(connect: Callable[[str], None], engine: str) -> None:
    def ask(earlier: str) -> Any:
        import oml

        job = oml.submit(pow, 2, exp=5)
        try:
            job.wait(1)
        except oml.DatabaseError as error:
            refused = error.sqlstate
        old = oml.job(earlier)
        return job.id, refused, job.status, old.result(), old in {old}, len(oml.jobs()) >= 2

    connect("admin")
    oml.cursor().execute(f"SET oml_epe.engine = '{engine}'")
    earlier = oml.submit(lambda: pd.DataFrame({"a": [1, None]}))
    frame = earlier.result(SECONDS)
    made, refused, status, result, *rest = oml.do_eval(ask, earlier=earlier.id)
    assert (refused, status, rest) == ("55000", "queued", [True, True])
    same(result, frame)
    assert oml.job(made).result(SECONDS) == 32


def test_trust_is_that_of_the_submitter(lab: Any, connect: Callable[[str], None]) -> None:
    """A job submitted by an untrusted script is not trusted, even if a superuser called it."""
    connect("ordinary")
    oml.script.create(
        "oml_job_submit",
        "def f():\n    import oml\n"
        "    sql = \"SELECT pyqsys.submit('eval', 'f', source => $1)\"\n"
        "    return oml.cursor().execute(sql, ('def f(): return 1',)).fetchone()[0]\n",
        overwrite=True,
    )
    oml.grant("oml_job_submit", "pyqscript")
    connect("admin")
    cursor = oml.cursor()
    by_script = oml.do_eval("oml_job_submit", func_owner="epe_job_user")
    by_itself = oml.submit("eval", "def f(): return 1")
    trusted = {}
    for job in (oml.job(by_script), by_itself):
        assert job.result(SECONDS) == 1
        sql = "SELECT trusted FROM pyqsys.jobs WHERE id = $1::uuid"
        trusted[job.id] = cursor.execute(sql, (job.id,)).fetchone()[0]
    assert trusted == {by_script: False, by_itself.id: True}

    def load(job: str) -> Any:
        import oml

        try:
            return oml.job(job).result()
        except oml.DatabaseError as error:
            return error.sqlstate

    # Nor may it be unpickled in the server's process.
    cursor.execute("SET oml_epe.engine = 'backend'")
    assert oml.do_eval(load, job=by_script) == "42501"
    assert oml.do_eval(load, job=by_itself.id) == 1
    connect("ordinary")
    oml.script.drop("oml_job_submit")


def test_retries_have_the_arguments(admin: None) -> None:
    def die_first(values: Any) -> Any:
        import os

        import oml

        sql = "SELECT attempts FROM pyqsys.jobs WHERE state = 'running' AND script = 'die_first'"
        if oml.cursor().execute(sql).fetchone() == (1,):
            os._exit(1)
        return values.sum()

    values = np.arange(1000)
    job = oml.submit(die_first, values, oml_retries=1)
    assert job.result(SECONDS) == values.sum()
    assert oml.submit(die_first, values).wait(SECONDS) == "failed"


def test_a_lost_job_has_its_arguments_when_it_runs_again(admin: None) -> None:
    def sleep_first(values: Any) -> Any:
        import time

        import oml

        sql = "SELECT attempts FROM pyqsys.jobs WHERE state = 'running' AND script = 'sleep_first'"
        if oml.cursor().execute(sql).fetchone() == (1,):
            oml.progress(0.5)
            time.sleep(600)
        return values.sum()

    values = np.arange(1000)
    job = oml.submit(sleep_first, values, oml_retries=1)
    _await_progress(job)
    killed = oml.cursor().execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE backend_type = 'oml_epe job worker' AND datname = current_database()"
    )
    assert (True,) in killed.fetchall()
    assert job.result(SECONDS) == values.sum()


GARBAGE: list[tuple[str, str]] = [
    ("'eval', 'f', source => '', pickled => '\\x00'", "failed"),
    ("'eval', 'f', source => '', pickled => ''", "failed"),
    (
        "'eval', 'f', source => '', pickled => convert_to('{}\n' || repeat('x', 99), 'UTF8')",
        "failed",
    ),
    ("'eval', 'f', source => 'def f(: pass'", "failed"),
    ("'eval', 'f', source => 'def f(): return 1', par_lst => '{\"timeout\": 1}'", "failed"),
    ("'cut', 'f', source => 'def f(): return 1'", "22023"),
    ("'table', 'f', source => 'def f(): return 1'", "22023"),
    ("'row', 'f', source => 'def f(): return 1', inp_nam => 'pg_class', row_num => -1", "22023"),
    ("'group', 'f', source => '', inp_nam => 'pg_class', grp_col => 'no such'", "42703"),
    ("'eval', NULL", "22023"),
    ("NULL, 'f'", "22023"),
    ("'eval', 'f', source => 'def f(): return 1', par_lst => '['", "22023"),
]


@pytest.mark.parametrize("number", range(len(GARBAGE)))
def test_garbage_is_an_error(client: None, number: int) -> None:
    arguments, wanted = GARBAGE[number]
    cursor = oml.cursor()
    try:
        job = oml.job(cursor.execute(f"SELECT pyqsys.submit({arguments})").fetchone()[0])
    except oml.DatabaseError as error:
        assert error.sqlstate == wanted, error
        return
    state = job.wait(SECONDS)
    assert state == wanted
    with pytest.raises(oml.DatabaseError):
        job.result()
    assert cursor.execute("SELECT 1").fetchone() == (1,)


def test_job_is_a_value(admin: None) -> None:
    job = oml.submit(pow, 2, exp=2)
    assert pickle.loads(pickle.dumps(job)) == job == oml.job(job.id)
    assert job != oml.submit(pow, 2, exp=2)
    assert repr(job).startswith(f"<oml.Job {job.id}: ")
    assert job.result(SECONDS) == 4


def test_notebook_display(admin: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The display is renewed until the job has ended; texts are escaped."""
    shown: list[dict[str, str]] = []
    seen = threading.Event()

    class Handle:
        def update(self, bundle: dict[str, str], raw: bool) -> None:
            assert raw
            shown.append(bundle)
            if "25 %" in bundle["text/html"]:
                seen.set()

    def display(bundle: dict[str, str], raw: bool, display_id: bool) -> Handle:
        assert raw and display_id
        shown.append(bundle)
        return Handle()

    shell = types.SimpleNamespace(kernel=object())
    ipython: Any = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    shows: Any = types.ModuleType("IPython.display")
    shows.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shows)
    job = oml.submit(_sleep, 600)
    thread = _job_display.show(job)
    assert thread is not None and seen.wait(SECONDS)
    job.cancel()
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert set(shown[0]) == {"text/plain", "text/html"} and job.id in shown[0]["text/plain"]
    last = shown[-1]["text/html"]
    assert "<td>cancelled</td>" in last and "job was cancelled" in last
    assert any("fast &lt;asleep&gt;" in bundle["text/html"] for bundle in shown)
    assert not any("<asleep>" in bundle["text/html"] for bundle in shown)
    assert _job_display.show(job) is None  # it has ended: no updates


def test_display_without_a_notebook(admin: None, capsys: pytest.CaptureFixture[str]) -> None:
    job = oml.submit(pow, 2, exp=2)
    job.wait(SECONDS)
    job._ipython_display_()
    assert capsys.readouterr().out == f"<oml.Job {job.id}: finished>\n"
    oml.disconnect()
    assert "not connected" in repr(job) and "not connected" in job._repr_html_()
    assert _session.current() is None
