"""Which routes there are and are not: metadata, methods, headers, aliases, health, metrics."""

from __future__ import annotations

import json
import re
import urllib.parse
from typing import Any

import pytest
from gateway_process import API, REVOKE_PATH, TOKEN_PATH, Gateway, User

KINDS = ("do-eval", "table-apply", "row-apply", "group-apply", "index-apply")


def reference_routes() -> set[tuple[str, str]]:
    """The endpoints of the REST reference, section 2, and our own."""
    found = {("GET", API)}
    for version in ("v1", "v2"):
        base = f"{API}/{version}"
        found |= {("GET", base), ("GET", f"{base}/scripts"), ("GET", f"{base}/envs")}
        for kind in KINDS:
            for names in ("{scriptName}", "{scriptName}/{ownerName}"):
                found.add(("POST", f"{base}/{kind}/{names}"))
        found |= {("GET", f"{base}/jobs/{{jobId}}"), ("DELETE", f"{base}/jobs/{{jobId}}")}
        found |= {("GET", f"{base}/jobs/{{jobId}}/{each}") for each in ("result", "events")}
        found |= {(each, f"{base}/scripts/{{scriptName}}") for each in ("GET", "PUT", "DELETE")}
        found |= {("GET", f"{base}/datastores"), ("GET", f"{base}/datastores/{{datastoreName}}")}
    found |= {("GET", f"{API}/v2/jobs"), ("GET", f"{API}/v2/preload/conda")}
    found |= {
        ("POST", f"{API}/v2/preload/conda"),
        ("DELETE", f"{API}/v2/preload/conda/{{envName}}"),
    }
    found |= {("POST", TOKEN_PATH), ("POST", REVOKE_PATH)}
    found |= {("GET", each) for each in ("/healthz", "/metrics", "/openapi.json", "/docs")}
    return found


@pytest.fixture
def document(gateway: Gateway) -> dict[str, Any]:
    answer = gateway.get("/openapi.json")
    assert answer.status == 200
    found: dict[str, Any] = answer.json()
    return found


def documented_routes(document: dict[str, Any]) -> set[tuple[str, str]]:
    """The operations of the document, for any base of its paths."""
    base = urllib.parse.urlsplit(document.get("servers", [{"url": ""}])[0]["url"]).path.rstrip("/")
    return {
        (method.upper(), base + path)
        for path, methods in document["paths"].items()
        for method in methods
        if method in ("get", "put", "post", "delete")
    }


def test_the_document_is_complete(document):
    assert document["openapi"].startswith("3.1")
    missing = reference_routes() - documented_routes(document)
    assert not missing, f"in the reference, not in the document: {sorted(missing)}"


def test_every_documented_route_answers(document, gateway, user):
    """The path is routed: the response is not that of an unknown path."""
    nowhere = user.get("/nowhere").refused(404)["errorMessage"].replace("/nowhere", "")
    for method, template in sorted(documented_routes(document)):
        path = re.sub(r"\{\w+\}", "gw-nosuch", template)
        answer = user.request(method, path, {} if method in ("POST", "PUT") else None)
        assert answer.status not in (405, 501), (method, template, answer)
        if answer.status == 404:
            assert answer.json()["errorMessage"].replace(path, "") != nowhere, (method, template)
    gateway.check()


@pytest.mark.parametrize(
    "path",
    [
        "/", "/oml", "/oml/", "/oml/api", f"{API}/v3", f"{API}/v1/nosuch",
        f"{API}/v1/jobs", f"{API}/v1/jobs/", f"{API}/v1/do-eval", f"{API}/v1/do-eval/",
        f"{API}/v1/do-eval/a/b/c", f"{API}/v1/scripts/a/b", f"{API}//v1/scripts", "/docs/../etc",
        f"{API}/v1/preload/conda", f"{API}/V1/scripts", "/OML/api/py-scripts", "/docs/nosuch",
        "/docs/%2e%2e/%2e%2e/etc/passwd", "/docs/..%2f..%2fetc/passwd", "/metrics/x", "/nosuch",
        f"{API}/v1/jobs/x/y", "/omlusers/api/oauth2/v1/nosuch", "/omlusers/api/oauth2/v2/token",
    ],
)  # fmt: skip
def test_unknown_routes(user, path):
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = user.request(method, path, None if method == "GET" else {})
        assert answer.status == 404, (method, answer)
        answer.refused(404)


def test_other_methods_are_405_with_allow(document, user):
    """Each template refuses unsupported methods, and lists the supported ones (RFC 9110)."""
    methods: dict[str, set[str]] = {}
    for method, template in documented_routes(document):
        methods.setdefault(template, set()).add(method)
    for template, known in sorted(methods.items()):
        path = re.sub(r"\{\w+\}", "x", template)
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - known:
            answer = user.request(method, path, {} if method != "GET" else None)
            answer.refused(405)
            allowed = {each.strip() for each in answer.headers["Allow"].split(",")}
            assert allowed - {"HEAD", "OPTIONS"} == known, template


def test_all_but_a_few_need_a_token(document, gateway):
    public = {TOKEN_PATH, REVOKE_PATH, "/healthz", "/metrics"}
    for method, template in sorted(documented_routes(document)):
        if template in public or template.startswith("/docs") or "openapi.json" in template:
            continue
        path = re.sub(r"\{\w+\}", "x", template)
        body = {} if method in ("POST", "PUT") else None
        gateway.request(method, path, body).refused(401)


def test_metadata(user):
    items = user.get(API).json()["items"]
    assert [each["version"] for each in items] == ["v1", "v2"]
    assert [each["isLatest"] for each in items] == [False, True]
    for each in items:
        version = each["version"]
        one = user.get(f"{API}/{version}").json()
        assert one == each
        assert isinstance(one["lifecycle"], str)
        (own,) = [link["href"] for link in one["links"] if link["rel"] == "self"]
        assert own.endswith(f"{API}/{version}")
        children = {
            link["href"].split(own, 1)[1] for link in one["links"] if link["rel"] == "child"
        }
        wanted = {"/envs", "/scripts", "/jobs/{jobId}", "/jobs/{jobId}/result"}
        for kind in KINDS:
            wanted |= {f"/{kind}/{{scriptName}}", f"/{kind}/{{scriptName}}/{{ownerName}}"}
        assert children >= wanted
    assert items[1]["lifecycle"] == "ACTIVE"


@pytest.mark.parametrize("host", ["lab.example:81", '"><b>', "a b", "[::1]", "x" * 3000, "é", ""])
def test_what_the_host_header_says(gateway, user, host):
    """It occurs in URLs and does no harm."""
    answer = user.request("GET", f"{API}/v1", Host=host)
    assert answer.status in (200, 400), answer
    if answer.status == 200:
        own = [link["href"] for link in answer.json()["links"] if link["rel"] == "self"]
        assert own[0].endswith(f"{API}/v1")
    if host == "lab.example:81":
        assert own == [f"http://lab.example:81{API}/v1"]
    gateway.check()


def test_head(gateway, user):
    for path in (f"{API}/v1/scripts", API, f"{API}/v2/envs"):
        get, head = user.get(path), user.request("HEAD", path)
        assert head.status == 200
        assert head.body == b""
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert gateway.request("HEAD", "/healthz").status == 200
    assert gateway.request("HEAD", f"{API}/v1/scripts").status == 401


ALIASES = ("/api/py-scripts", "/oml/tenants/some_tenant/databases/some_db/api/py-scripts")


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases(user, store, alias):
    store("gw_one", "def f(): return 1")
    assert user.get(f"{alias}/v1/scripts").status == 200
    assert user.get(alias).json()["items"]
    answer = user.request("POST", f"{alias}/v1/do-eval/gw_one", {})
    assert answer.result == 1
    answer = user.request("POST", f"{alias}/v1/do-eval/gw_one", {"asyncFlag": True})
    assert answer.status == 201
    path = urllib.parse.urlsplit(answer.headers["Location"]).path
    user.wait_for_job(path)
    assert user.get(path + "/result").result == 1


def test_headers(user, gateway, store):
    store("gw_fails", "def f(): return 1 / 0")
    answers = [user.get(f"{API}/v1/scripts"), user.run("do-eval", "gw_fails")]
    answers += [user.get("/nowhere"), gateway.get(f"{API}/v1/scripts"), gateway.get("/docs")]
    for answer in answers:
        assert "no-store" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] in ("SAMEORIGIN", "DENY")
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "Set-Cookie" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers
    policy = gateway.get("/docs").headers["Content-Security-Policy"]
    assert "default-src" in policy
    assert "http" not in policy  # no outside host
    assert "unsafe-eval" not in policy


def test_deprecation_only_when_configured(user, start_gateway, make_user):
    names = ("Deprecation", "Sunset")
    for version in ("v1", "v2"):
        assert not any(user.get(f"{API}/{version}/scripts").headers[name] for name in names)
    sunset = "Wed, 31 Mar 2027 00:00:00 GMT"
    told = start_gateway("--v1-deprecation", "@1774915200", "--v1-sunset", sunset)
    other = make_user(gateway=told)
    old, new = other.get(f"{API}/v1/scripts"), other.get(f"{API}/v2/scripts")
    assert [old.headers[name] for name in names] == ["@1774915200", sunset]
    assert not any(new.headers[name] for name in names)


def test_compressed_answers(user, store):
    import gzip

    store("gw_long", "def f(): return 'x' * 100000")
    plain = user.run("do-eval", "gw_long")
    assert plain.headers["Content-Encoding"] is None
    body = {"parameters": "{}"}
    path = f"{API}/v1/do-eval/gw_long"
    packed = user.request("POST", path, body, Accept_Encoding="gzip")
    if packed.headers["Content-Encoding"] == "gzip":
        assert gzip.decompress(packed.body) == plain.body
    else:
        assert packed.body == plain.body
    text = gzip.compress(json.dumps(body).encode())
    answer = user.request(
        "POST", path, text, Content_Encoding="gzip", Content_Type="application/json"
    )
    assert answer.status in (200, 400, 415)


def test_a_small_body_that_becomes_large_is_refused(user):
    import gzip

    bomb = gzip.compress(json.dumps({"foo": "x" * 200_000_000}).encode())
    answer = user.request(
        "POST",
        f"{API}/v1/do-eval/x",
        bomb,
        Content_Encoding="gzip",
        Content_Type="application/json",
    )
    assert answer.status in (400, 413, 415), answer


def test_health(gateway, start_gateway):
    answer = gateway.get("/healthz")
    assert answer.status == 200
    assert answer.json()
    lost = start_gateway(conninfo="host=127.0.0.1 port=1 dbname=x")
    assert lost.get("/healthz").status in (200, 503)


METRIC = re.compile(
    r'[a-zA-Z_:]\w*(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [-+]?[0-9.e+-]+|.* (NaN|\+Inf)'
)


def test_metrics(gateway, user, store):
    store("gw_one", "def f(): return 1")
    assert user.run("do-eval", "gw_one").result == 1
    answer = gateway.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    names = set()
    for line in answer.text.splitlines():
        if line.startswith("#"):
            assert line.split()[1] in ("HELP", "TYPE"), line
            names.add(line.split()[2])
        else:
            assert METRIC.fullmatch(line), line
            stem = re.sub(r"_(bucket|sum|count)$", "", re.split(r"[ {]", line)[0])
            assert stem in names or re.split(r"[ {]", line)[0] in names, line
    assert any("request" in name for name in names)
    # Names of scripts and users must not appear here.
    assert "gw_one" not in answer.text
    assert user.name not in answer.text


def test_the_log_tells_of_requests(gateway: Gateway, user: User) -> None:
    user.get(f"{API}/v2/envs?secret=yes")
    lines = [each for each in gateway.log() if "/v2/envs" in json.dumps(each)]
    assert lines
    assert lines[-1]["status"] == 200
    assert {"time", "level", "event"} <= set(lines[-1])
