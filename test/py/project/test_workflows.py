"""The files of .github."""

from __future__ import annotations

import re
import subprocess

import pytest
import release_tools
from conftest import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))


def test_actionlint_accepts_the_workflows():
    """Syntax, expressions, types of inputs and, with shellcheck, the commands."""
    command = [release_tools.require("actionlint"), "-no-color", *map(str, WORKFLOWS)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_commands_and_stages_of_workflows_exist(workflow):
    """They name programs of the repository and stages of tools/check."""
    text = workflow.read_text()
    usage = subprocess.run(
        [ROOT / "tools/check", "--help"], capture_output=True, text=True, check=True
    ).stdout
    stages = set(re.findall(r"^  (\w+) ", usage, re.MULTILINE))
    for program in re.findall(r"(?<![\w/.])((?:tools|\.ci)/[\w-]+)", text):
        assert (ROOT / program).exists(), program
    for words in re.findall(r"tools/check ([a-z ]+)$", text, re.MULTILINE):
        assert set(words.split()) <= stages, words


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_have_few_rights_and_an_end(workflow):
    text = workflow.read_text()
    assert re.search(r"^permissions:\n  contents: read$", text, re.MULTILINE)
    jobs = len(re.findall(r"^    runs-on: ", text, re.MULTILINE))
    assert jobs == len(re.findall(r"^    timeout-minutes: ", text, re.MULTILINE)) > 0


def test_forms_are_valid():
    yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")
    names = {path.name for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml")}
    assert names == {"bug.yml", "config.yml", "feature.yml"}
    for name in sorted(names - {"config.yml"}):
        form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / name).read_text())
        assert {"name", "description", "body"} <= form.keys()
        fields = [each for each in form["body"] if each["type"] != "markdown"]
        identifiers = [field["id"] for field in fields]
        assert len(set(identifiers)) == len(identifiers) > 0
        for field in fields:
            assert field["type"] in ("textarea", "input", "dropdown", "checkboxes")
            assert field["attributes"]["label"]
            assert (field["type"] == "dropdown") == ("options" in field["attributes"])
    dependabot = yaml.safe_load((GITHUB / "dependabot.yml").read_text())
    assert dependabot["version"] == 2
    for update in dependabot["updates"]:
        assert (ROOT / update["directory"].lstrip("/")).is_dir()
