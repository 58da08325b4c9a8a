"""The documentation: its SQL runs as pasted into psql, and its outputs are those of psql.

All ```sql blocks of a Markdown file run in order, in one psql session on a new database with the
extension (which is left to a file that says CREATE EXTENSION itself).

* `<!-- no-test -->` on the line before a block skips it.
* A block with `-- ERROR` or `-- ERROR 42704` in it must fail, with that SQLSTATE; others must not.
* A ```text block that follows is the output of psql, messages included. A line `...` in it matches
  any lines, `...` within a line any text.

test_docs_shell.py runs the ```sh blocks.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import ROOT, Server, with_server
from psycopg import sql

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/*/README.md")])
NO_TEST = "<!-- no-test -->"
# psql puts this before messages when it reads a file.
MESSAGE_PREFIX = re.compile(r"^psql:[^:]*:\d+: ", re.MULTILINE)
EXPECTED_ERROR = re.compile(r"-- ERROR\b(?: ([0-9A-Z]{5})\b)?")


@dataclass
class Block:
    """A fenced block: its language, the number of its fence's line and its text."""

    language: str
    first_line: int
    last_line: int = 0
    lines: list[str] = field(default_factory=list)
    is_skipped: bool = False
    output: Block | None = None

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def read_blocks(path: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page; text and json are also the output of the one before."""
    block: Block | None = None
    previous: Block | None = None
    last_text = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if block is None and line.startswith("```"):
            block = Block(line[3:].strip(), number, is_skipped=last_text == NO_TEST)
        elif block is not None and line.startswith("```"):
            block.last_line = number
            if block.language in ("text", "json") and previous is not None and not last_text:
                previous.output = block
            yield block
            previous, block, last_text = block, None, ""
        elif block is not None:
            block.lines.append(line)
        elif line.strip():
            last_text = line.strip()
    assert block is None, f"{path}: a block is not closed"


def make_script(blocks: list[Block]) -> str:
    """Return the blocks as a psql file in which every line has the number it has in the page."""
    lines: list[str] = []
    for block in blocks:
        lines += [""] * (block.first_line - 1 - len(lines))
        lines.append("\\set LAST_ERROR_SQLSTATE 00000 \\echo @@begin")
        lines += block.lines
        lines.append("\\echo @@end :LAST_ERROR_SQLSTATE")
    return "\n".join(lines) + "\n"


def as_pattern(expected: str) -> str:
    """Return a regular expression for an expected output."""
    parts = []
    for line in expected.splitlines():
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(re.escape(part) for part in line.rstrip().split("...")) + r"\n")
    return "".join(parts)


def normalize(output: str) -> str:
    lines = [line.rstrip() for line in MESSAGE_PREFIX.sub("", output).splitlines()]
    return "".join(line + "\n" for line in lines if line)


def check_block(block: Block, output: str, sqlstate: str) -> str:
    """Return the faults of a block that printed this; empty if there are none."""
    where = f"line {block.first_line}"
    expected = EXPECTED_ERROR.search(block.text)
    if expected is None and sqlstate != "00000":
        return f"{where}: failed with {sqlstate}:\n{output}"
    if expected is not None and sqlstate != (expected[1] or sqlstate):
        return f"{where}: SQLSTATE is {sqlstate}, not {expected[1]}:\n{output}"
    if expected is not None and sqlstate == "00000":
        return f"{where}: did not fail:\n{output}"
    if block.output is not None and not block.output.is_skipped:
        wanted = "\n".join(line for line in block.output.lines if line.strip())
        if re.fullmatch(as_pattern(wanted), normalize(output)) is None:
            return f"{where}: the page shows\n{wanted}\n---- but psql prints\n{output}"
    return ""


@pytest.fixture
def docs_database(server: Server) -> Iterator[str]:
    """A new database; roles that the page makes are dropped with it."""
    name = "epe_docs"
    roles = "SELECT rolname FROM pg_roles"
    with server.connect() as admin:
        before = set(admin.execute(roles).fetchall())
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
        yield name
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        for row in set(admin.execute(roles).fetchall()) - before - {("pyqadmin",)}:
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(row[0])))


def run_psql(server: Server, database: str, script: Path) -> str:
    with server.connect(database) as connection:
        info = connection.info
        address = ["-h", info.host, "-p", str(info.port), "-U", info.user, "-d", database]
    psql = Path(with_server.pg_config("--bindir")) / "psql"
    done = subprocess.run(
        [psql, "-X", *address, "-P", "pager=off", "-f", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        timeout=300,
    )
    assert done.returncode == 0, f"psql ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks_in(path: Path, language: str) -> list[Block]:
    return [b for b in read_blocks(path) if b.language == language and not b.is_skipped]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_in(page, "sql")], ids=page_name)
def test_sql_runs_as_shown(page: Path, server: Server, docs_database: str, tmp_path: Path) -> None:
    blocks = blocks_in(page, "sql")
    if not any("CREATE EXTENSION oml_epe" in block.text for block in blocks):
        with server.connect(docs_database) as connection:
            connection.execute("CREATE EXTENSION oml_epe")
    script = tmp_path / "page.sql"
    script.write_text(make_script(blocks))
    pieces = re.findall(
        r"^@@begin\n(.*?)^@@end (\w{5})$",
        run_psql(server, docs_database, script),
        re.MULTILINE | re.DOTALL,
    )
    assert len(pieces) == len(blocks), "a block has an open quote or parenthesis"
    problems = [check_block(block, output, state) for block, (output, state) in zip(blocks, pieces)]
    message = "\n\n".join(problem for problem in problems if problem)
    if message:
        pytest.fail(f"{page_name(page)}: {message}", pytrace=False)


def test_python_compiles() -> None:
    for page in PAGES:
        for block in blocks_in(page, "python"):
            compile(block.text, f"{page_name(page)}:{block.first_line}", "exec")


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing, f"{page_name(page)} links to {missing}"


@pytest.mark.parametrize(
    ("expected", "output", "matches"),
    [
        ("a\n...\nd", "a\nb\nc\nd\n", True),
        ("a\n...\nd", "a\nd\n", True),
        ("a\n...\nd", "a\nb\nc\n", False),
        ("x ... z", "x y z\n", True),
        ("x [1]", "x 1\n", False),
    ],
)
def test_ellipsis_in_expected_output(expected: str, output: str, matches: bool) -> None:
    assert (re.fullmatch(as_pattern(expected), output) is not None) is matches
