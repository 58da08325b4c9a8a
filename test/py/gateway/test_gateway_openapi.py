"""The OpenAPI document: valid, consistent with responses, and the page that shows it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any

import http_tools
import pytest
from gateway_process import API, Gateway, User
from test_gateway_routes import document, documented_routes  # noqa: F401

EXAMPLES = int(os.environ.get("EPE_HTTP_EXAMPLES", "15"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def test_the_validator_finds_nothing(gateway: Gateway, tmp_path: Path) -> None:
    validator = http_tools.require("openapi-spec-validator")
    path = tmp_path / "openapi.json"
    path.write_bytes(gateway.get("/openapi.json").body)
    done = subprocess.run([validator, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def references(value: Any) -> set[str]:
    """All values of "$ref", at any depth."""
    if isinstance(value, list):
        return set().union(*map(references, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
    return own.union(*map(references, value.values())) if value else own


def test_its_parts_fit_together(document):  # noqa: F811
    assert set(document) >= {"openapi", "info", "paths", "components"}
    seen = set()
    for path, methods in document["paths"].items():
        names = set(re.findall(r"\{(\w+)\}", path))
        for method, operation in methods.items():
            if method == "parameters":
                continue
            assert operation["operationId"] not in seen
            seen.add(operation["operationId"])
            assert operation["summary"]
            assert operation["responses"]
            given = operation.get("parameters", []) + methods.get("parameters", [])
            assert {each["name"] for each in given if each.get("in") == "path"} == names
    for reference in references(document):
        here: Any = document
        for key in reference.removeprefix("#/").split("/"):
            here = here[key]
    used = {each.rsplit("/", 1)[1] for each in references(document) if "/schemas/" in each}
    assert set(document["components"]["schemas"]) == used, "an unused schema"


def test_it_documents_the_fields(document):  # noqa: F811
    """Each run endpoint's body names the fields of the reference, and those that must be."""
    required = {
        "do-eval": set(), "table-apply": {"input"}, "row-apply": {"input", "rows"},
        "group-apply": {"input", "groupBy"}, "index-apply": {"times"},
    }  # fmt: skip
    common = {"asyncFlag", "envName", "graphicsFlag", "parameters", "service", "timeout"}
    for (method, path), kind in (
        ((method, path), path.split("/")[-2])
        for method, path in documented_routes(document)
        if method == "POST" and path.endswith("/{scriptName}")
    ):
        operation = document["paths"].get(path) or document["paths"][path.split("/oml/api", 1)[1]]
        schema = operation["post"]["requestBody"]["content"]["application/json"]["schema"]
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        assert set(schema["properties"]) >= common | required[kind], (method, path)
        assert set(schema.get("required", [])) == required[kind], path


CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance,ignored_auth,unsupported_method"
)


def test_schemathesis(user: User, store: Any, tmp_path: Path, document: Any) -> None:  # noqa: F811
    """Requests generated from the schemas, valid and invalid, get the documented responses."""
    program = http_tools.require("schemathesis")
    store("gw_any", "def f(*rows, **named): return None")
    command = [str(program), "run", f"http://127.0.0.1:{user.gateway.port}/openapi.json"]
    command += ["--header", f"Authorization:Bearer {user.token}", "--checks", CHECKS]
    command += ["--max-examples", str(EXAMPLES), "--phases", "examples,coverage,fuzzing"]
    command += ["--seed", "1", "--generation-database", "none", "--request-timeout", "20"]
    command += ["--continue-on-failure", "--no-color", "--suppress-health-check", "all"]
    # Unknown jobs are a documented 500 ("finding the job id"); a wrong password is worth a 429.
    command += ["--exclude-path-regex", "/jobs/|/oauth2/"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=540, env=clean_environment()
    )
    assert done.returncode == 0, done.stdout[-60000:] + done.stderr[-2000:]


def clean_environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST"))}


def browser() -> str:
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    raise pytest.skip.Exception("no Chromium is installed: tools/install-deps installs it")


def test_the_page_names_no_other_host(gateway: Gateway) -> None:
    seen, waiting = set(), ["/docs"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = gateway.get(path)
        assert answer.status == 200, path
        if not answer.headers["Content-Type"].startswith(("text/", "application/javascript")):
            continue
        hosts = set(re.findall(r"""(?:https?:)?//([\w.-]+\.\w{2,})""", answer.text))
        assert hosts <= {"www.w3.org", "json-schema.org", "example.com"}, path
        waiting += [
            urllib.parse.urljoin(path, each)
            for each in re.findall(r"""(?:src|href)=["']([^"'#]+)["']""", answer.text)
            if not each.startswith(("data:", "{"))
        ]
    assert len(seen) > 1


def test_the_page_in_chromium(gateway: Gateway, tmp_path: Path) -> None:
    """Its script runs under its own policy, reads the document and shows every operation."""
    command = [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command += [f"--user-data-dir={tmp_path}", "--virtual-time-budget=10000", "--dump-dom"]
    command += [
        "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    command += [f"http://127.0.0.1:{gateway.port}/docs"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Refused to" not in done.stderr, done.stderr
    assert "Uncaught" not in done.stderr, done.stderr
    paths = json.loads(gateway.get("/openapi.json").body)["paths"]
    missing = [path for path in paths if path not in done.stdout]
    assert not missing, missing
    assert f"{API}/v1/do-eval" in done.stdout
