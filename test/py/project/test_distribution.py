"""META.json against the PGXN Meta Spec 1.0.0, and the zip file of `make dist`."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

VERSION = (ROOT / "VERSION").read_text().strip()
SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?")
# A term may be used as a name in paths; a tag has at most 255 characters and no control character.
TERM = re.compile(r"[^\s/\\\x00-\x1f\x7f]{2,}")
TAG = re.compile(r"[^/\\\x00-\x1f\x7f]{1,255}")
URI = re.compile(r"[a-z][a-z0-9+.-]*:\S+")
LICENSES = {
    *(
        "agpl_3",
        "apache_1_1",
        "apache_2_0",
        "artistic_1",
        "artistic_2",
        "bsd",
        "freebsd",
        "gfdl_1_2",
    ),
    *("gfdl_1_3", "gpl_1", "gpl_2", "gpl_3", "lgpl_2_1", "lgpl_3_0", "mit", "mozilla_1_0"),
    *("mozilla_1_1", "openssl", "perl_5", "postgresql", "qpl_1_0", "ssleay", "sun", "zlib"),
    *("open_source", "restricted", "unrestricted", "unknown"),
}
REQUIRED = {
    "abstract", "license", "maintainer", "meta-spec", "name", "provides", "version",
}  # fmt: skip
OPTIONAL = {
    "description", "generated_by", "no_index", "prereqs", "release_status", "resources", "tags",
}  # fmt: skip
PHASES = {"configure", "build", "test", "runtime", "develop"}
RELATIONS = {"requires", "recommends", "suggests", "conflicts"}
RESOURCES = {"homepage", "bugtracker", "repository"}


def custom(keys: Any) -> set[str]:
    """The keys that the specification leaves to the author."""
    return {key for key in keys if key.lower().startswith("x_")}


def faults(meta: dict[str, Any]) -> list[str]:
    """What the specification forbids in META.json."""
    wrong = [f"{key} is missing" for key in sorted(REQUIRED - meta.keys())]
    wrong += [f"{key} is unknown" for key in meta.keys() - REQUIRED - OPTIONAL - custom(meta)]
    if wrong:
        return wrong
    checks = {
        "name": TERM.fullmatch(meta["name"]),
        "version": SEMVER.fullmatch(meta["version"]),
        "abstract": isinstance(meta["abstract"], str) and meta["abstract"],
        "description": isinstance(meta.get("description", ""), str),
        "maintainer": meta["maintainer"],
        "license": meta["license"] in LICENSES,
        "meta-spec": SEMVER.fullmatch(meta["meta-spec"]["version"])
        and URI.fullmatch(meta["meta-spec"].get("url", "x:y")),
        "provides": meta["provides"],
        "release_status": meta.get("release_status", "stable") in ("stable", "testing", "unstable"),
        "tags": all(TAG.fullmatch(tag) for tag in meta.get("tags", [])),
        "resources": meta.get("resources", {}).keys() <= RESOURCES,
    }
    wrong += [f"{key} is invalid" for key, is_right in checks.items() if not is_right]
    for name, provided in meta["provides"].items():
        if not (TERM.fullmatch(name) and SEMVER.fullmatch(provided.get("version", ""))):
            wrong.append(f"provides.{name} is invalid")
        if not provided.get("file"):
            wrong.append(f"provides.{name}.file is missing")
    for phase, relations in meta.get("prereqs", {}).items():
        for relation, packages in relations.items():
            if phase not in PHASES or relation not in RELATIONS:
                wrong.append(f"prereqs.{phase}.{relation} is unknown")
            wrong += [
                f"prereqs.{phase}.{relation}.{package}"
                for package, version in packages.items()
                if version != 0 and not SEMVER.fullmatch(version)
            ]
    resources = meta.get("resources", {})
    urls = [resources.get("homepage"), resources.get("bugtracker", {}).get("web")]
    urls += [resources.get("repository", {}).get(key) for key in ("url", "web")]
    wrong += [f"{url} is no URI" for url in urls if url is not None and not URI.fullmatch(url)]
    kind = resources.get("repository", {}).get("type", "git")
    if kind != kind.lower():
        wrong.append("resources.repository.type is not in lower case")
    return wrong


@pytest.fixture
def meta() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "META.json").read_text())
    return loaded


def test_meta_json_follows_the_specification(meta):
    assert faults(meta) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", "1.1"),
        ("license", "PostgreSQL License"),
        ("name", "oml epe"),
        ("provides", {}),
        ("surprise", 1),
        ("tags", ["a/b"]),
        ("release_status", "done"),
        ("prereqs", {"runtime": {"requires": {"PostgreSQL": "14"}}}),
        ("resources", {"homepage": "somewhere"}),
        ("provides", {"oml_epe": {"file": "oml_epe.control", "version": "1"}}),
    ],
)
def test_the_check_finds_faults(meta, key, value):
    meta[key] = value
    assert faults(meta)


def test_postgresql_is_required_as_in_the_documentation(meta):
    least = meta["prereqs"]["runtime"]["requires"]["PostgreSQL"]
    assert (ROOT / "debian/pgversions").read_text() == f"{least.split('.')[0]}+\n"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: make dist needs git")
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        ["make", "-f", str(ROOT / "Makefile"), "dist"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / "build" / f"oml_epe-{VERSION}.zip"


def git(*arguments: str) -> list[str]:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.split("\0")[:-1]


def test_make_dist_packs_the_last_commit(archive, meta):
    prefix = f"oml_epe-{VERSION}/"
    with zipfile.ZipFile(archive) as packed:
        assert packed.testzip() is None
        names = {name for name in packed.namelist() if not name.endswith("/")}
    assert all(name.startswith(prefix) for name in names)
    contents = {name.removeprefix(prefix) for name in names}
    tracked = set(git("ls-tree", "-r", "-z", "--name-only", "HEAD"))
    left_out = tracked - contents
    assert contents <= tracked
    assert all(name.startswith((".ci/", ".git")) for name in left_out), left_out
    assert {"META.json", "VERSION", "Makefile", "LICENSE", "README.md"} <= contents
    for provided in meta["provides"].values():
        assert provided["file"] in contents
        assert provided["docfile"] in contents
