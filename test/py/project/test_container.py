"""The container image: what can be checked without building it.

tools/test-packages runs the entrypoint on the packages that the image contains.
"""

from __future__ import annotations

import fnmatch
import subprocess

import pytest
import release_tools
from conftest import ROOT


def test_hadolint_accepts_the_dockerfile():
    command = [release_tools.require("hadolint"), "--no-color", str(ROOT / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_compose_file_starts_the_gateway_behind_the_server():
    yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert services.keys() == {"db", "gateway"}
    assert services["gateway"]["depends_on"]["db"]["condition"] == "service_healthy"
    # No port is open to other machines.
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert ":?" in services["db"]["environment"]["POSTGRES_PASSWORD"]


def test_the_image_is_built_from_all_that_the_packages_need():
    ignored = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    needed = (
        *("Makefile", "VERSION", "LICENSE", "README.md", "debian/rules", "tools/build-deb"),
        *("container/entrypoint", "gateway/gateway.mk", "src/entry/module.cpp"),
        *("sql/00_header.sql", "sql/oml_epe--1.0.0--1.1.0.sql", "python/oml/__init__.py"),
    )
    for name in needed:
        assert (ROOT / name).exists(), name
        assert not any(
            fnmatch.fnmatch(name, pattern) or name.startswith(pattern + "/") for pattern in ignored
        ), name
