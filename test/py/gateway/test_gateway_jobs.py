"""Asynchronous calls: Oracle's examples, comments, events."""

from __future__ import annotations

import base64
import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gateway_process import API, Gateway, User, run_path
from processes import wait_for
from psycopg import Connection
from test_gateway_run import ALL_IRIS, FRAME, GROUP_COUNT, RANDOM_RED_DOTS

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
LOCK = 70991
# It runs for as long as the test holds a lock, so no test depends on timing.
HELD = f"""
import oml
def f(dat=None, note=None):
    oml.progress(0.5, "half way")
    if note:
        oml.output_comments(note)
    oml.cursor().execute("SELECT pg_advisory_xact_lock({LOCK})")
    return "done"
"""


@pytest.fixture
def hold(connect: Callable[..., Connection[Any]], store) -> Iterator[Callable[[], None]]:
    """Script gw_held runs until the function that this gives is called."""
    store("gw_held", HELD)
    lock_session = connect()
    lock_session.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
    yield lambda: lock_session.execute("SELECT pg_advisory_unlock(%s)", (LOCK,)) and None
    lock_session.execute("SELECT pg_advisory_unlock_all()")


@pytest.fixture(autouse=True)
def _no_jobs_left(conn: Connection[Any]) -> Iterator[None]:
    yield
    conn.execute("SELECT count(pyq_cancel_job(id::text)) FROM pyq_jobs")
    conn.execute("SELECT count(pyq_job_wait(id::text, '20 s')) FROM pyq_jobs")
    conn.execute("DELETE FROM pyqsys.jobs")
    conn.execute("DELETE FROM pyqsys.job_results")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_async(gateway, user, store, iris, version):
    store("group_count", GROUP_COUNT)
    fields = {"input": ALL_IRIS, "parameters": FRAME, "groupBy": "SPECIES", "parallelFlag": True}
    expected = user.run("group-apply", "group_count", None, version, **fields).result
    answer = user.run("group-apply", "group_count", None, version, asyncFlag=True, **fields)
    assert answer.status == 201
    assert answer.body == b""
    assert answer.headers["Content-Length"] == "0"
    location = answer.headers["Location"]
    base = f"http://127.0.0.1:{gateway.port}{API}/{version}/jobs/"
    assert re.fullmatch(re.escape(base) + UUID, location), location
    # SQL clients take 36 characters behind the last slash.
    path = urllib.parse.urlsplit(location).path
    ended = user.wait_for_job(path)
    assert ended.body == b""
    assert ended.headers["Content-Location"] == f"{location}/result"
    # A client that follows redirections would never see the 302.
    assert "Location" not in ended.headers
    for _ in range(2):
        result = user.get(path + "/result")
        assert result.result == expected
    # Both versions know it.
    other = path.replace("/v1/", "/v2/") if version == "v1" else path.replace("/v2/", "/v1/")
    assert user.get(other).status == 302
    assert user.get(other + "/result").result == expected


def test_result_too_early(user, hold):
    path = user.submit("do-eval", "gw_held")
    pending = user.get(path)
    assert pending.status == 202
    status = pending.json()
    assert status["status"] == "job is still running"
    assert re.fullmatch(r"\d\d:\d\d:\d\d", status["elapsedTime"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", status["createdDate"])
    user.get(path + "/result").refused(404)
    hold()
    user.wait_for_job(path)
    assert user.get(path + "/result").result == "done"


def test_delete_stops_it(conn, user, hold):
    path = user.submit("do-eval", "gw_held")
    job = path.rsplit("/", 1)[1]

    def is_in_script() -> Any:
        row = conn.execute("SELECT progress FROM pyq_jobs WHERE id = %s", (job,)).fetchone()
        return row is not None and row[0] == 0.5

    wait_for("the script at work", is_in_script)
    answer = user.request("DELETE", path)
    assert answer.status == 200
    assert answer.json() == {"result": "job deleted successfully"}
    waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
    wait_for("its end", lambda: conn.execute(waiting, (LOCK,)).rowcount == 0)
    user.get(path).refused(500)
    user.get(path + "/result").refused(500)
    user.request("DELETE", path).refused(500)


@pytest.mark.parametrize(
    ("timeout", "status"),
    [(100, 400), (1799, 400), (1800, 201), (43200, 201), (43201, 400), (0, 400), (-1, 400)],
)
def test_timeout(user, store, timeout, status):
    store("gw_one", "def f(): return 1")
    for version in ("v1", "v2"):
        answer = user.run("do-eval", "gw_one", None, version, asyncFlag=True, timeout=timeout)
        assert answer.status == status, answer
        if status == 400:
            answer.refused(400)


@pytest.mark.parametrize("timeout", ["1800", 1800.5, True, [1800], 2**31, 1e300])
def test_timeouts_of_other_types(user, store, timeout):
    store("gw_one", "def f(): return 1")
    user.run("do-eval", "gw_one", asyncFlag=True, timeout=timeout).refused(400)


def test_list_of_jobs(user, make_user, store, hold):
    store("gw_fine", "def f(): return 1")
    store("gw_fails", "def f(): return 1 / 0")
    fine = user.submit("do-eval", "gw_fine")
    user.wait_for_job(fine)
    failed = user.submit("do-eval", "gw_fails")
    user.wait_for_job(failed)
    running = user.submit("do-eval", "gw_held")
    wait_for("its start", lambda: len(states(user)) == 3 and "RUNNING" in states(user).values())
    jobs = {each["job_id"]: each for each in user.get(f"{API}/v2/jobs").result}
    assert set(jobs) == {path.rsplit("/", 1)[1] for path in (fine, failed, running)}
    for each in jobs.values():
        assert set(each) >= {"createdDate", "job_id", "status", "elapsedTime"}
        assert re.fullmatch(r"\d\d:\d\d:\d\d", each["elapsedTime"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", each["createdDate"])
    of = states(user)
    assert of[fine.rsplit("/", 1)[1]] == "FINISH"
    assert of[failed.rsplit("/", 1)[1]] == "FAILED"
    assert make_user("other").get(f"{API}/v2/jobs").result == []
    user.get(f"{API}/v1/jobs").refused(404)


def states(user: User) -> dict[str, str]:
    return {each["job_id"]: each["status"] for each in user.get(f"{API}/v2/jobs").result}


def test_a_job_that_fails(user, sql_as):
    source = "def f(): raise ValueError('not today')"
    sql_as(user).execute("SELECT pyq_script_create('gw_fails', %s)", (source,))
    path = user.submit("do-eval", "gw_fails")
    user.wait_for_job(path)
    later = user.get(path + "/result").refused(400, "ValueError: not today", 1)
    now = user.run("do-eval", "gw_fails").refused(400)
    assert later["errorMessage"] == now["errorMessage"]


def test_a_job_whose_result_is_too_long(user, store):
    store("gw_many", "def f(n): return list(range(n))")
    for count, status in ((5000, 200), (5001, 400)):
        path = user.submit("do-eval", "gw_many", parameters=json.dumps({"n": count}))
        user.wait_for_job(path)
        answer = user.get(path + "/result")
        assert answer.status == status
    answer.refused(400, "Output exceeds maximum length 5000", 1024)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("do-eval", {}),
        ("table-apply", {"input": ALL_IRIS}),
        ("row-apply", {"input": ALL_IRIS, "rows": 60}),
        ("group-apply", {"input": ALL_IRIS, "groupBy": "SPECIES"}),
        ("index-apply", {"times": 3}),
    ],
)
@pytest.mark.parametrize("graphics", [False, True])
def test_results_of_jobs_are_those_of_calls(user, store, iris, kind, fields, graphics):
    draw = "" if not graphics else "    import matplotlib.pyplot as plt\n    plt.plot([1, 2])\n"
    store(
        "gw_all",
        f"def f(x=0):\n{draw}    return {{'n': len(x) if hasattr(x, 'shape') else x}}",
    )
    path = user.submit(kind, "gw_all", graphicsFlag=graphics, **fields)
    user.wait_for_job(path)
    result = user.get(path + "/result").result
    assert result == user.run(kind, "gw_all", graphicsFlag=graphics, **fields).result
    assert ("IMAGE" in json.dumps(result)) is graphics


def test_images_of_a_job(user, store):
    store("RandomRedDots", RANDOM_RED_DOTS)
    path = user.submit("do-eval", "RandomRedDots", graphicsFlag=True)
    user.wait_for_job(path)
    images = user.get(path + "/result").result
    assert [each["ID"] for each in images] == [1, 2]
    assert all(base64.b64decode(each["IMAGE"])[1:4] == b"PNG" for each in images)
    assert len(json.loads(images[0]["DATA"])) == 9


@pytest.mark.parametrize("flag", ["true", '"always"'])
def test_job_of_sql_that_draws_nothing(user, store, sql_as, flag):
    """The returned value is present, as if submitted by the gateway."""
    store("gw_plain", "def f(i):\n    return i * 10\n")
    row = (
        sql_as(user)
        .execute(
            "SELECT right(value, 36) FROM pyq_index_eval(%s::text, NULL, 2, 'gw_plain')"
            " AS t(name text, value text)",
            (f'{{"oml_async_flag": true, "oml_graphics_flag": {flag}}}',),
        )
        .fetchone()
    )
    path = f"/oml/api/py-scripts/v1/jobs/{row[0]}"
    user.wait_for_job(path)
    assert user.get(path + "/result").result == {
        "1": [{"IMAGE": None, "DATA": "10", "ID": None}],
        "2": [{"IMAGE": None, "DATA": "20", "ID": None}],
    }


def test_comments(user, store):
    store(
        "gw_note", "import oml\ndef f():\n    oml.output_comments('from the script')\n    return 1"
    )
    answer = user.run("do-eval", "gw_note", None, "v2", asyncFlag=True, comments="from the client")
    assert answer.status == 201
    path = urllib.parse.urlsplit(answer.headers["Location"]).path
    user.wait_for_job(path)
    body = user.get(path + "/result").json()
    assert body["result"] == 1
    assert body["comments"] == "from the client\nfrom the script"


def test_jobs_of_others(user, make_user, hold):
    path = user.submit("do-eval", "gw_held")
    other = make_user("other")
    for method, what in (("GET", path), ("GET", path + "/result"), ("DELETE", path)):
        other.request(method, what).refused(401)
    assert user.get(path).status == 202


@pytest.mark.parametrize(
    "job", ["00000000-0000-0000-0000-000000000000", "x", "1", "x" * 36, "%00", "..", "a b", "'"]
)
def test_unknown_jobs(user, job):
    for version in ("v1", "v2"):
        path = f"{API}/{version}/jobs/{urllib.parse.quote(job, safe='%')}"
        for method, what in (("GET", path), ("GET", path + "/result"), ("DELETE", path)):
            answer = user.request(method, what)
            # A malformed ID is 404 or 400; otherwise "finding the job id" is 500.
            assert answer.status in ((500,) if "-" in job else (400, 404, 500)), answer
            answer.refused(answer.status)


def test_errors_of_submission(user, store, hold):
    store("gw_length", "def f(dat): return len(dat)")
    user.run("do-eval", "gw_nosuch", asyncFlag=True).refused(400)
    user.run("table-apply", "gw_length", asyncFlag=True, input="select * from nosuch").refused(400)
    user.run("row-apply", "gw_length", asyncFlag=True, input="select 1").refused(400)
    assert user.get(f"{API}/v2/jobs").result == []


def test_the_public_url_stands_in_locations(start_gateway, make_user, store):
    store("gw_one", "def f(): return 1")
    url = "https://lab.example.com/epe"
    user = make_user(gateway=start_gateway("--public-url", url))
    answer = user.run("do-eval", "gw_one", asyncFlag=True)
    assert answer.headers["Location"].startswith(f"{url}{API}/v1/jobs/")
    path = API + answer.headers["Location"].split(API, 1)[1]
    assert user.wait_for_job(path).headers["Content-Location"].startswith(url)


class Events(threading.Thread):
    """Reads the events of a job until they end."""

    def __init__(self, gateway: Gateway, user: User, path: str) -> None:
        super().__init__(daemon=True)
        self._connection = gateway.connection()
        headers = {"Authorization": f"Bearer {user.token}", "Accept": "text/event-stream"}
        self._connection.request("GET", path + "/events", headers=headers)
        self.response = self._connection.getresponse()
        self.events: list[tuple[str, Any]] = []
        self.heartbeats = 0  # comments sent as keep-alive
        self.start()

    def run(self) -> None:
        name = "message"
        for raw in self.response:
            line = raw.decode().rstrip("\r\n")
            if line.startswith("event:"):
                name = line[6:].strip()
            elif line.startswith("data:"):
                self.events.append((name, json.loads(line[5:])))
            elif line.startswith(":"):
                self.heartbeats += 1
            elif not line:
                name = "message"
        self._connection.close()

    def has(self, name: str, **members: Any) -> bool:
        return any(
            each == name and members.items() <= data.items() for each, data in list(self.events)
        )


def test_events(gateway, user, hold):
    path = user.submit("do-eval", "gw_held", parameters='{"note": "a note"}')
    events = Events(gateway, user, path)
    assert events.response.status == 200
    assert events.response.headers.get_content_type() == "text/event-stream"
    wait_for("news of the progress", lambda: events.has("progress", progress=0.5))
    assert events.has("state", state="running")
    hold()
    events.join(20)
    assert not events.is_alive(), "the events did not end with the job"
    name, last = events.events[-1]
    assert (name, last["state"]) == ("state", "finished")
    # For a job that has ended: its output, its state, and the end.
    again = Events(gateway, user, path)
    again.join(20)
    assert not again.is_alive()
    assert [name for name, _ in again.events] == ["progress", "state"]
    assert again.has("state", state="finished")


STEPS = f"""
import oml
def f(steps):
    for step in range(1, steps + 1):
        oml.progress(step / 100)
        oml.cursor().execute("SELECT pg_advisory_xact_lock($1, $2::int)", ({LOCK}, step))
    return "done"
"""


def test_events_come_when_they_happen(gateway, user, store, connect):
    """Several events, each sent at once: none waits for the next event."""
    store("gw_steps", STEPS)
    lock_session = connect()
    for step in range(1, 5):
        lock_session.execute("SELECT pg_advisory_lock(%s, %s)", (LOCK, step))
    path = user.submit("do-eval", "gw_steps", parameters='{"steps": 4}')
    events = Events(gateway, user, path)
    for step in range(1, 5):
        wait_for(f"step {step}", lambda now=step: events.has("progress", progress=now / 100))
        assert events.heartbeats == 0, "news waited for the next write"
        lock_session.execute("SELECT pg_advisory_unlock(%s, %s)", (LOCK, step))
    events.join(20)
    assert events.has("state", state="finished")


def test_events_of_others(user, make_user, hold):
    path = user.submit("do-eval", "gw_held")
    make_user("other").get(path + "/events").refused(401)
    user.get(f"{API}/v1/jobs/00000000-0000-0000-0000-000000000000/events").refused(500)


def test_a_reader_of_events_goes(conn, gateway, user, hold):
    """A client that stops listening holds neither a database connection nor the job."""
    path = user.submit("do-eval", "gw_held")
    for _ in range(12):  # more than a user has connections
        connection = gateway.connection()
        connection.request(
            "GET", path + "/events", headers={"Authorization": f"Bearer {user.token}"}
        )
        assert connection.getresponse().status == 200
        connection.close()
    assert user.get(path).status == 202
    hold()
    user.wait_for_job(path)


def test_submission_by_head_or_get(user, store):
    store("gw_one", "def f(): return 1")
    user.request("GET", run_path("do-eval", "gw_one")).refused(405)
