"""tools/tidy_scope: which sources clang-tidy checks, in scratch repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT

FILES = {
    ".clang-tidy": "Checks: '-*'\n",
    "Makefile": "all:\n",
    "gateway/gateway.mk": "\n",
    "docs/page.txt": "text\n",
    "src/core/base.h": "#pragma once\n",
    "src/core/middle.h": '#pragma once\n#  include "core/base.h"\n',
    "src/core/alone.cpp": "#include <vector>\n",
    "src/core/direct.cpp": '#include "base.h"\n',
    "src/pg/indirect.cpp": '#if 0\n#include "core/middle.h"\n#endif\n',
    "src/py/embedded.cpp": '#include "embedded_sources.inc"\n',
    "src/py/runtime/a.py": "\n",
    "gateway/src/local.h": '#pragma once\n#include "core/middle.h"\n',
    "gateway/src/user.cpp": '#include "local.h"\n',
    "gateway/src/web.cpp": '#include "web_files.inc"\n',
    "gateway/web/page.html": "\n",
}
ALL = {name for name in FILES if name.endswith(".cpp")}
BASE_USERS = {"src/core/direct.cpp", "src/pg/indirect.cpp", "gateway/src/user.cpp"}
VARIABLES = ("TIDY_BASE", "CI_MERGE_REQUEST_DIFF_BASE_SHA", "GITHUB_BASE_REF")


@dataclass
class Tree:
    """A repository on branch "work", whose origin/main is its first commit."""

    folder: Path

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=tester", "-c", "user.email=tester@example.com")
        return subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-qm", "change", "--allow-empty")
        return self.git("rev-parse", "HEAD")

    def scope(self, variables: Mapping[str, str] | None = None) -> tuple[set[str], str]:
        """Return the chosen sources, and the reason."""
        environment = {k: v for k, v in os.environ.items() if k not in VARIABLES}
        done = subprocess.run(
            [self.folder / "tools/tidy_scope"],
            env={**environment, **(variables or {})},
            check=True,
            capture_output=True,
            text=True,
        )
        chosen = done.stdout.splitlines()
        assert len(chosen) == len(set(chosen))
        assert done.stderr.startswith(f"clang-tidy: {len(chosen)} of ")
        return set(chosen), done.stderr


@pytest.fixture
def make_tree(tmp_path) -> Callable[[], Tree]:
    def make() -> Tree:
        tree = Tree(tmp_path / "tree")
        for name, text in FILES.items():
            tree.write(name, text)
        (tree.folder / "tools").mkdir()
        shutil.copy(ROOT / "tools/tidy_scope", tree.folder / "tools")
        tree.git("init", "-q", "-b", "work")
        first = tree.commit()
        tree.git("update-ref", "refs/remotes/origin/main", first)
        return tree

    return make


@pytest.fixture
def tree(make_tree) -> Tree:
    return make_tree()


def test_all_without_a_base(tree):
    assert tree.scope() == (
        ALL,
        f"clang-tidy: {len(ALL)} of {len(ALL)} files: HEAD is a commit of origin/main\n",
    )
    tree.git("update-ref", "-d", "refs/remotes/origin/main")
    chosen, reason = tree.scope()
    assert chosen == ALL
    assert "no base is known" in reason


def test_a_commit_of_main_itself_is_checked_whole(tree):
    first = tree.git("rev-parse", "HEAD")
    tree.write("src/core/alone.cpp", "\n")
    tree.git("update-ref", "refs/remotes/origin/main", tree.commit())
    tree.git("checkout", "-q", first)
    assert tree.scope()[0] == ALL


def test_all_outside_of_a_repository(tree):
    shutil.rmtree(tree.folder / ".git")
    assert tree.scope()[0] == ALL


@pytest.mark.parametrize("stage", ["committed", "staged", "in the work tree"])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("src/core/base.h", BASE_USERS),
        ("src/core/middle.h", {"src/pg/indirect.cpp", "gateway/src/user.cpp"}),
        ("gateway/src/local.h", {"gateway/src/user.cpp"}),
        ("src/core/alone.cpp", {"src/core/alone.cpp"}),
        ("src/core/new.cpp", {"src/core/new.cpp"}),
        ("src/core/new.h", set()),
        ("src/py/runtime/a.py", {"src/py/embedded.cpp"}),
        ("python/oml/new.py", {"src/py/embedded.cpp"}),
        ("gateway/web/page.html", {"gateway/src/web.cpp"}),
        ("docs/page.txt", set()),
        ("Makefile", ALL),
        ("gateway/gateway.mk", ALL),
        (".clang-tidy", ALL),
        ("src/core/.clang-tidy", ALL),
        ("tools/tidy_scope", ALL),
    ],
)
def test_what_a_change_affects(tree, name, expected, stage):
    old = (tree.folder / name).read_text() if (tree.folder / name).exists() else ""
    tree.write(name, old + "\n")
    if stage == "committed":
        tree.commit()
    else:
        if stage == "staged":
            tree.git("add", "-A")
        # HEAD itself is in origin/main: a commit without changes of files makes a difference
        tree.git("commit", "-q", "--allow-empty", "-m", "empty", "--only")
    chosen, reason = tree.scope()
    assert chosen & ALL == expected & ALL
    assert chosen - ALL == expected - ALL
    assert "since the merge base with origin/main" in reason


def test_a_header_that_is_moved_or_deleted(tree):
    tree.git("mv", "src/core/middle.h", "src/core/centre.h")
    tree.commit()
    assert tree.scope()[0] == {"src/pg/indirect.cpp", "gateway/src/user.cpp"}


def test_includes_in_a_circle_end(tree):
    tree.write("src/core/base.h", '#include "core/middle.h"\n')
    tree.commit()
    assert tree.scope()[0] == BASE_USERS


def test_only_what_the_branch_has_changed(tree):
    tree.write("src/core/alone.cpp", "\n")
    tree.commit()
    tree.git("checkout", "-q", "-b", "other", "origin/main")
    tree.write("src/core/base.h", "// changed on main\n")
    tree.git("update-ref", "refs/remotes/origin/main", tree.commit())
    tree.git("checkout", "-q", "work")
    assert tree.scope()[0] == {"src/core/alone.cpp"}


def test_a_given_base(tree):
    tree.write("src/core/alone.cpp", "\n")
    second = tree.commit()
    tree.write("src/core/direct.cpp", "\n")
    tree.commit()
    for variable in "TIDY_BASE", "CI_MERGE_REQUEST_DIFF_BASE_SHA":
        chosen, reason = tree.scope({variable: second})
        assert chosen == {"src/core/direct.cpp"}
        assert f"{variable} {second}" in reason
    tree.git("update-ref", "refs/remotes/origin/stable", second)
    assert tree.scope({"GITHUB_BASE_REF": "stable"})[0] == {"src/core/direct.cpp"}
    both = {"src/core/alone.cpp", "src/core/direct.cpp"}
    assert tree.scope({"GITHUB_BASE_REF": "main"})[0] == both
    assert tree.scope({"TIDY_BASE": second, "GITHUB_BASE_REF": "main"})[0] == {
        "src/core/direct.cpp"
    }
    assert tree.scope({"TIDY_BASE": "", "GITHUB_BASE_REF": ""})[0] == both


@pytest.mark.parametrize(
    "variables",
    [
        {"TIDY_BASE": "all"},
        {"TIDY_BASE": "0" * 40},
        {"TIDY_BASE": "--help"},
        {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "1" * 40},
        {"GITHUB_BASE_REF": "missing"},
    ],
)
def test_all_if_the_base_is_not_there(tree, variables):
    """As in a shallow clone."""
    tree.write("docs/page.txt", "changed\n")
    tree.commit()
    chosen, reason = tree.scope(variables)
    assert chosen == ALL
    assert "this clone does not have that commit" in reason or variables["TIDY_BASE"] == "all"


def test_the_sources_are_those_of_the_makefile():
    """`make tidy` without a limit checks the same files."""
    listed = subprocess.run(
        ["make", "-s", "-C", ROOT, "list-tidy-sources"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    scope = subprocess.run(
        [ROOT / "tools/tidy_scope"],
        env={**os.environ, "TIDY_BASE": "all"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert sorted(listed) == sorted(scope)
