"""Scripts in virtual environments: `env_name` and pyq_list_envs()."""

# check_sizes: all cases share the environments, which take long to build.

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import environments
import optional_packages
import psycopg
import pytest
from conftest import Connect, Server
from psycopg import Connection, sql

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
# A test package, whose version identifies environments without PyPI.
PROBE = "epe_probe"
WHERE = f"""
def where():
    import sys, {PROBE}
    return [(sys.prefix, {PROBE}.VERSION)]
"""

Make = Callable[..., Path]


def site_of(environment: Path) -> Path:
    return environment / "lib" / f"python{VERSION}" / "site-packages"


def install_probe(environment: Path, version: str) -> None:
    """Put a package into an environment as pip would, in place of another version of it."""
    for old in site_of(environment).glob(f"{PROBE}*"):
        old.unlink() if old.is_file() else shutil.rmtree(old)
    (site_of(environment) / f"{PROBE}.py").write_text(f"VERSION = {version!r}\n")
    (site_of(environment) / f"{PROBE}-{version}.dist-info").mkdir()


def set_folder(server: Server, folder: str | None) -> None:
    """Set oml_epe.environments_dir of the running server, or take our setting back."""
    usual = "RESET oml_epe.environments_dir"
    other = sql.SQL("SET oml_epe.environments_dir = {}").format(sql.Literal(folder or ""))
    with server.connect() as admin:
        before = admin.execute("SELECT pg_conf_load_time()").fetchone()
        admin.execute(sql.SQL("ALTER SYSTEM ") + (sql.SQL(usual) if folder is None else other))
        admin.execute("SELECT pg_reload_conf()")
    for _ in range(1000):
        with server.connect() as probe:
            if probe.execute("SELECT pg_conf_load_time()").fetchone() != before:
                return
    pytest.fail("the server did not take the setting")


@pytest.fixture(scope="module")
def folder(server: Server) -> Iterator[Path]:
    """The server's environments_dir in this module: its environments, and those of the tests."""
    made = server.log_path.parent / "environments"
    made.mkdir()
    for name in environments.ENVIRONMENTS:
        theirs = Path(environments.folder() or "/nowhere") / name
        if theirs.is_dir():
            (made / name).symlink_to(theirs)
    set_folder(server, str(made))
    yield made
    set_folder(server, None)
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def template(server: Server) -> Iterator[Path]:
    """An environment without packages, to be copied: making one takes a while."""
    venv = server.log_path.parent / "template"
    command = ["/usr/bin/python3", "-m", "venv", "--without-pip", "--copies", str(venv)]
    subprocess.run(command, check=True)
    yield venv
    shutil.rmtree(venv)


@pytest.fixture
def make_environment(folder: Path, template: Path) -> Iterator[Make]:
    """A function that makes an environment, `make_environment("one", probe="1.0")`."""
    made = []

    def make(name: str, probe: str | None = None) -> Path:
        environment = folder / name
        shutil.copytree(template, environment, symlinks=True)
        made.append(environment)
        if probe is not None:
            install_probe(environment, probe)
        return environment

    yield make
    for environment in made:
        shutil.rmtree(environment, ignore_errors=True)


def call(
    session: Connection[Any], script: str, environment: str, columns: str = "prefix text, v text"
) -> list[tuple[Any, ...]]:
    query = f"SELECT * FROM pyq_eval(NULL, NULL, %s, NULL, %s) AS t({columns})"
    return session.execute(query, (script, environment)).fetchall()  # type: ignore[arg-type]


def refuse(session: Connection[Any], environment: str, script: str = "where") -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught:
        call(session, script, environment)
    return caught.value


@pytest.fixture
def where(make_script: Callable[..., str]) -> str:
    return make_script("where", WHERE, True)


# ------------------------------------------------------------------------------- running in them


def test_two_environments_in_one_session(
    conn: Connection[Any], where: str, make_environment: Make
) -> None:
    one, two = make_environment("one", "1.0"), make_environment("two", "2.0")
    for _ in range(2):
        assert call(conn, where, "one") == [(str(one), "1.0")]
        assert call(conn, where, "two") == [(str(two), "2.0")]
    both = conn.execute(
        "SELECT a.v, b.v FROM pyq_eval(NULL, NULL, 'where', NULL, 'one') AS a(p text, v text),"
        " pyq_eval(NULL, NULL, 'where', NULL, 'two') AS b(p text, v text)"
    ).fetchone()
    assert both == ("1.0", "2.0")


def test_two_versions_of_a_package_from_pypi(
    conn: Connection[Any], make_script: Callable[..., str], folder: Path
) -> None:
    for name in ("current", "other"):
        environments.require(name)
    make_script("six_version", "def f():\n    import six\n    return six.__version__")
    found = [call(conn, "six_version", name, "v text") for name in ("current", "other", "current")]
    assert found == [[("1.17.0",)], [("1.16.0",)], [("1.17.0",)]]


def test_default_is_the_servers_python(
    conn: Connection[Any], make_script: Callable[..., str], folder: Path
) -> None:
    make_script("place", "def f():\n    import os, sys\n    return [(sys.prefix, os.getpid())]")
    backend = conn.info.backend_pid
    found = {
        (engine, name): conn.execute(
            "SELECT t.* FROM set_config('oml_epe.engine', %s, false),"
            " LATERAL pyq_eval(NULL, NULL, 'place', NULL, %s) AS t(prefix text, pid int)",
            (engine, name),
        ).fetchone()
        for engine in ("backend", "process")
        for name in ("default", "", None)
    }
    assert {prefix for prefix, _ in found.values()} == {"/usr"}  # type: ignore[misc]
    assert all(
        (pid == backend) == (engine == "backend")
        for (engine, _), (_, pid) in found.items()  # type: ignore[misc]
    )


def test_calls_inside_a_call(
    conn: Connection[Any],
    where: str,
    make_script: Callable[..., str],
    make_environment: Make,
) -> None:
    make_environment("one", "1.0")
    make_environment("two", "2.0")
    make_script(
        "outer",
        f"""
import oml

def outer():
    import {PROBE}
    seen = [{PROBE}.VERSION]
    cursor = oml.cursor()
    for name in ("two", "one"):
        cursor.execute("SELECT v FROM pyq_eval(NULL, NULL, 'where', NULL, %s) AS t(p text, v text)"
                       % repr(name))
        seen += [row[0] for row in cursor.fetchall()]
    cursor.execute("SELECT p FROM pyq_eval(NULL, NULL, 'prefix', NULL, NULL) AS t(p text)")
    return " ".join(seen + [row[0] for row in cursor.fetchall()])
""",
    )
    make_script("prefix", "def prefix():\n    import sys\n    return sys.prefix")
    assert call(conn, "outer", "one", "v text") == [("1.0 2.0 1.0 /usr",)]


def test_parallel(
    conn: Connection[Any], make_script: Callable[..., str], make_environment: Make
) -> None:
    make_environment("one", "1.0")
    make_script(
        "by_index",
        f"""
def by_index(i):
    import os, time, {PROBE}
    time.sleep(0.02)
    return [(i, {PROBE}.VERSION, os.getpid())]
""",
    )
    rows = conn.execute(
        "SELECT * FROM pyq_index_eval('{\"oml_parallel\": 3}', NULL, 30, 'by_index', NULL, 'one')"
        " AS t(i int, v text, pid int)"
    ).fetchall()
    assert [row[:2] for row in rows] == [(i, "1.0") for i in range(1, 31)]
    assert len({row[2] for row in rows}) > 1


# ------------------------------------------------------------------------------------ their names


@pytest.mark.parametrize(
    ("name", "sqlstate", "words"),
    [
        ("none", "42704", ['"none" does not exist', "pyq_list_envs()"]),
        ("ONE", "42704", ['"ONE" does not exist', 'Perhaps you meant "one".']),
        ("../environments/one", "22023", ["it names a folder", "without a path"]),
        ("/etc", "22023", ["it names a folder"]),
        (".", "22023", ["leading dot"]),
        ("..", "22023", ["leading dot"]),
        (".hidden", "22023", ["leading dot"]),
        ("x" * 5000, "42704", ["does not exist"]),
        ("no_environment", "42704", ["has no pyvenv.cfg"]),
        ("old", "0A000", ["is for Python 3.4", f"embeds Python {VERSION}", "-m venv"]),
    ],
)
def test_names_that_cannot_be_had(
    conn: Connection[Any],
    where: str,
    make_environment: Make,
    name: str,
    sqlstate: str,
    words: list[str],
) -> None:
    one = make_environment("one", "1.0")
    (make_environment("no_environment") / "pyvenv.cfg").unlink()
    (make_environment("old") / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.4.1\n")
    error = refuse(conn, name)
    assert error.sqlstate == sqlstate
    text = f"{error.diag.message_primary} {error.diag.message_detail} {error.diag.message_hint}"
    for word in words:
        assert word in text
    assert call(conn, where, "one") == [(str(one), "1.0")]


def test_without_a_folder_there_is_only_the_default(
    conn: Connection[Any],
    where: str,
    make_script: Callable[..., str],
    server: Server,
    folder: Path,
) -> None:
    set_folder(server, "")
    try:
        conn.execute("SELECT 1")  # takes the setting
        error = refuse(conn, "current")
        assert error.sqlstate == "42704"
        assert "oml_epe.environments_dir" in str(error.diag.message_hint)
        rows = conn.execute("SELECT name FROM pyq_list_envs()").fetchall()
        assert rows == [("default",)]
        make_script("one", "def one(): return 1")
        assert call(conn, "one", "default", "v int") == [(1,)]
    finally:
        set_folder(server, str(folder))


def test_list(conn: Connection[Any], make_environment: Make) -> None:
    one = make_environment("one", "1.0")
    (one / "description").write_text("Für Zahlen\nand more\n")
    (make_environment("old") / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.4.1\n")
    rows = {row[0]: row[1:] for row in conn.execute("SELECT * FROM pyq_list_envs()").fetchall()}
    assert rows["one"][1:] == ("Für Zahlen", 1, VERSION)
    assert rows["one"][0].split()[1] in ("bytes", "kB", "MB")
    assert "old" not in rows
    assert next(iter(rows)) == "default"
    size, description, packages, version = rows["default"]
    assert (description, version) == ("The server's own Python", VERSION)
    assert size.endswith(" MB")
    assert packages > 5


def test_list_of_those_from_pypi(conn: Connection[Any], folder: Path) -> None:
    rows = {row[0]: row[1:] for row in conn.execute("SELECT * FROM pyq_list_envs()").fetchall()}
    for name, wanted in environments.ENVIRONMENTS.items():
        environments.require(name)
        size, description, packages, version = rows[name]
        assert (description, version) == (wanted.description, VERSION)
        assert packages >= len(wanted.packages)
        number, unit = size.split()  # "other" has little more than pip, of 10 to 15 MB
        assert unit in ("kB", "MB")
        assert (unit == "MB" and int(number) > 200) == (name == "current")


# --------------------------------------------------------------------------------- other people's


def test_ordinary_role(
    make_role: Callable[..., str], connect: Connect, make_environment: Make, folder: Path
) -> None:
    one, two = make_environment("one", "1.0"), make_environment("two", "2.0")
    session = connect(user=make_role("ordinary"))
    session.execute(
        "SELECT pyq_script_create('look', %s)",
        (
            f"""
def attempt(what):
    try:
        return str(what())
    except OSError as error:
        return type(error).__name__

def look():
    import os, {PROBE}
    one, two = {str(one)!r}, {str(two)!r}
    return [({PROBE}.VERSION,
             attempt(lambda: open(one + "/pyvenv.cfg").read().split()[0]),
             attempt(lambda: open(one + "/new", "w")),
             attempt(lambda: open({PROBE}.__file__, "a")),
             attempt(lambda: open(two + "/pyvenv.cfg").read()),
             attempt(lambda: os.listdir(one + "/..")))]
""",
        ),
    )
    rows = call(session, "look", "one", "v text, r text, w text, a text, o text, l text")
    version, readable, *refused = rows[0]
    assert (version, readable) == ("1.0", "home")
    assert set(refused) <= {"PermissionError", "OSError", "FileNotFoundError"}
    assert not (one / "new").exists()


# ------------------------------------------------------------------------------- changing, broken


def test_environment_that_changes(
    conn: Connection[Any], where: str, make_environment: Make
) -> None:
    """Neither a warm engine nor the process that it was forked from outlives its packages."""
    one = make_environment("one", "1.0")
    assert call(conn, where, "one") == [(str(one), "1.0")]
    install_probe(one, "1.1")
    assert call(conn, where, "one") == [(str(one), "1.1")]


def test_environment_that_goes(
    conn: Connection[Any], connect: Connect, where: str, make_environment: Make
) -> None:
    one = make_environment("one", "1.0")
    assert call(conn, where, "one") == [(str(one), "1.0")]
    shutil.rmtree(one)
    for session in (conn, connect()):
        error = refuse(session, "one")
        assert error.sqlstate == "42704"
        assert error.diag.message_detail == f'There is no folder "{one}".'
    one = make_environment("one", "2.0")
    for session in (conn, connect()):
        assert call(session, where, "one") == [(str(one), "2.0")]


def test_broken_python(conn: Connection[Any], where: str, make_environment: Make) -> None:
    one = make_environment("one", "1.0")
    assert call(conn, where, "one") == [(str(one), "1.0")]
    program = one / "bin" / "python3"
    program.unlink()
    program.symlink_to("/nowhere/python3")
    error = refuse(conn, "one")
    assert error.sqlstate == "42704"
    linked = f'"{one}/bin/python3" is a link to "/nowhere/python3", which is not a file.'
    assert error.diag.message_detail == linked


def test_base_python_that_cannot_be_read(
    conn: Connection[Any], where: str, make_environment: Make, folder: Path
) -> None:
    """The environment exists: it is a matter of permissions, and the error says of which file."""
    program = make_environment("one", "1.0") / "bin" / "python3"
    private = folder.parent / "private"
    private.mkdir()
    shutil.copy(program, private / "python3")
    program.unlink()
    program.symlink_to(private / "python3")
    # Of root, if the server has another user.
    private.chmod(0o700 if os.geteuid() == 0 else 0)
    try:
        error = refuse(conn, "one")
        assert error.sqlstate == "42501"
        assert error.diag.message_primary == 'permission denied for Python environment "one"'
        assert str(private / "python3") in str(error.diag.message_detail)
        assert "operating system user can read" in str(error.diag.message_hint)
        assert "one" not in [row[0] for row in conn.execute("SELECT name FROM pyq_list_envs()")]
    finally:
        private.chmod(0o700)
        shutil.rmtree(private)


def test_packages_that_end_python(
    conn: Connection[Any], where: str, make_environment: Make
) -> None:
    one = make_environment("one", "1.0")
    two = make_environment("two", "2.0")
    (site_of(one) / "broken.pth").write_text("import os; os._exit(3)\n")
    for _ in range(2):
        error = refuse(conn, "one")
        assert "could not start a Python engine" in str(error.diag.message_primary)
        assert call(conn, where, "two") == [(str(two), "2.0")]
    (site_of(one) / "broken.pth").unlink()
    assert call(conn, where, "one") == [(str(one), "1.0")]


# ------------------------------------------------------------------------------ without packages


def test_nothing_but_python(
    conn: Connection[Any], make_script: Callable[..., str], make_environment: Make, server: Server
) -> None:
    one = make_environment("one")
    server.read_new_log()
    make_script("square", "def square(n=3): return n * n")
    make_script("rows", "def rows(): return [(1, 'one'), (2, None)]")
    make_script("records", "def records(): return {'a': [1, 2], 'b': ['x', 'y']}")
    assert call(conn, "square", "one", "v int") == [(9,)]
    assert call(conn, "rows", "one", "i int, t text") == [(1, "one"), (2, None)]
    assert call(conn, "records", "one", "a int, b text") == [(1, "x"), (2, "y")]
    value = conn.execute(
        "SELECT value FROM pyq_eval(NULL, NULL::pyq_json, 'records', NULL, 'one')"
    ).fetchone()
    assert value is not None
    assert json.loads(value[0]) == {"a": [1, 2], "b": ["x", "y"]}
    log = server.read_new_log()
    for package in ("numpy", "pandas"):
        assert f"oml_epe: could not preload {package} in {one}" in log


@pytest.mark.parametrize(
    ("columns", "input_type", "package"),
    [
        ("1 AS a, 'x'::text AS t", "default", "pandas"),
        ("1 AS a, 'x'::text AS t", "pandas.DataFrame", "pandas"),
        ("1 AS a, 2.5 AS b", "default", "numpy"),
        ("1 AS a, 'x'::text AS t", "numpy.ndarray", "numpy"),
        ("1 AS a, 'x'::text AS t", "numpy.recarray", "numpy"),
        ("1 AS a", "dict", "numpy"),
        ("1 AS a", "pyarrow.Table", "pyarrow"),
        ("1 AS a", "polars.DataFrame", "polars"),
    ],
)
def test_rows_need_a_package(
    conn: Connection[Any],
    make_script: Callable[..., str],
    make_environment: Make,
    columns: str,
    input_type: str,
    package: str,
) -> None:
    make_environment("one")
    make_script("count_rows", "def count_rows(dat): return len(dat)")
    with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
        conn.execute(
            "SELECT * FROM pyq_table_eval(%s, %s, NULL::int, 'count_rows', NULL, 'one')",
            (f"SELECT {columns}", json.dumps({"oml_input_type": input_type})),
        )
    shown = "pandas.DataFrame" if package == "pandas" else input_type
    shown = "numpy.ndarray" if shown == "default" else shown
    message = f'input type "{shown}" needs the Python package "{package}"'
    assert caught.value.diag.message_primary == message
    detail = str(caught.value.diag.message_detail)
    assert f"No module named '{package}'." in detail
    assert f'in environment "one", which has no module "{package}"' in detail
    assert "env_name" in str(caught.value.diag.message_hint)


IMPORTS = """
import importlib
def imports(name): return importlib.import_module(name) and 1
"""


def missing(session: Connection[Any], name: str, environment: str | None) -> tuple[str, str]:
    """Import a module that is missing; return DETAIL and HINT."""
    with pytest.raises(psycopg.errors.ExternalRoutineException) as caught:
        session.execute(
            "SELECT pyq_eval(%s, NULL::int, 'imports', NULL, %s)",
            (json.dumps({"name": name}), environment),
        )
    diag = caught.value.diag
    assert "ModuleNotFoundError" in str(diag.message_primary)
    return diag.message_detail or "", diag.message_hint or ""


@pytest.mark.parametrize("engine", ["backend", "process"])
@pytest.mark.parametrize("environment", [None, "default", "bare"])
def test_a_missing_module_names_the_environments_that_have_it(
    conn: Connection[Any],
    make_script: Callable[..., str],
    make_environment: Make,
    engine: str,
    environment: str | None,
) -> None:
    conn.execute(f"SET oml_epe.engine = '{engine}'")
    make_script("imports", IMPORTS)
    module = "epe_module"
    make_environment("bare", "1.0")
    (site_of(make_environment("as-package")) / module).mkdir()
    (site_of(make_environment("as-file")) / f"{module}.py").touch()
    suffix = f"cpython-{VERSION.replace('.', '')}-x86_64-linux-gnu.so"
    (site_of(make_environment("as-library")) / f"{module}.{suffix}").touch()
    (site_of(make_environment("lookalikes")) / f"{module}_2.py").touch()
    unusable = make_environment("unusable")
    (site_of(unusable) / f"{module}.py").touch()
    (unusable / "bin" / "python3").unlink()
    detail, hint = missing(conn, f"{module}.part", environment)
    name = environment or "default"
    assert detail == (f'The script ran in environment "{name}", which has no module "{module}".')
    assert hint == (
        "Install it there, or set env_name to an environment that has it: "
        '"as-file", "as-library", "as-package".'
    )
    detail, hint = missing(conn, "epe_nowhere", environment)
    assert f'environment "{name}", which has no module "epe_nowhere"' in detail
    assert hint == "Install it there: no other environment has it."


def test_packages_of_the_server_that_an_environment_sees(
    conn: Connection[Any], make_script: Callable[..., str], make_environment: Make
) -> None:
    make_script("imports", IMPORTS)
    make_environment("bare")
    inherits = make_environment("inherits") / "pyvenv.cfg"
    inherits.write_text(inherits.read_text().replace("= false", "= true"))
    _, hint = missing(conn, "numpy", "bare")
    assert '"default"' in hint
    assert '"inherits"' in hint
    row = conn.execute(
        "SELECT pyq_eval('{\"name\": \"numpy\"}', NULL::int, 'imports', NULL, 'inherits')"
    )
    assert row.fetchone() == (1,)


@pytest.mark.parametrize(
    "name", ["bare/lib", "/etc/passwd", "a b", "x" * 5000, "..", "os.path.nothing", "json.nothing"]
)
def test_names_that_lead_elsewhere_are_not_looked_for(
    conn: Connection[Any],
    make_script: Callable[..., str],
    make_environment: Make,
    make_role: Callable[..., str],
    connect: Connect,
    name: str,
) -> None:
    """The server may see more files than a script."""
    make_environment("bare")
    script = f"""
def raises():
    raise ModuleNotFoundError("No module", name={name!r})
"""
    session = connect(user=make_role())
    session.execute("SELECT pyq_script_create('raises', %s)", (script,))
    with pytest.raises(psycopg.errors.ExternalRoutineException) as caught:
        session.execute("SELECT pyq_eval(NULL, NULL::int, 'raises')")
    hint = caught.value.diag.message_hint or ""
    assert hint in ("", "Install it there: no other environment has it.")
    assert len(caught.value.diag.message_detail or "") < 1000
    # A missing submodule of an installed package is not a missing package.
    assert bool(hint) == (name in ("bare/lib", "/etc/passwd", "a b"))


# ------------------------------------------------------------------------- packages with threads


@pytest.mark.parametrize("environment", ["default", "current"])
def test_zygotes_have_one_thread(
    conn: Connection[Any],
    make_script: Callable[..., str],
    folder: Path,
    environment: str,
) -> None:
    """A fork has only the forking thread: threads started by packages would be missing."""
    if environment != "default":
        environments.require(environment)
    conn.execute("SET oml_epe.engine = process")
    make_script(
        "parent",
        "def parent():\n    import os, sys\n    return [(os.getpid(), 'polars' in sys.modules)]",
    )
    pid, has_polars = call(conn, "parent", environment, "pid int, has_polars bool")[0]
    assert not has_polars
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    threads = list(Path(f"/proc/{status['PPid']}/task").iterdir())
    assert len(threads) == 1


HEAVY = {
    "pyarrow": """
def heavy(dat):
    import pyarrow as pa, pyarrow.compute as pc
    weights = pa.table({"g": pa.array(list("abc"), pa.large_string()), "w": [1, 2, 3]})
    joined = dat.join(weights, "g")
    sums = joined.group_by("g", use_threads=True).aggregate([("x", "sum"), ("w", "max")])
    return sums.rename_columns(["g", "x", "w"]).sort_by("g")
""",
    "polars": """
def heavy(dat):
    import polars as pl
    sums = dat.lazy().group_by("g").agg(pl.col("x").sum()).sort("g")
    return sums.with_columns(pl.col("g").rank("dense").cast(pl.Int64).alias("w")).collect()
""",
    "sklearn": """
def heavy(dat):
    import pandas as pd
    from sklearn.cluster import KMeans
    from sklearn.ensemble import RandomForestRegressor
    RandomForestRegressor(5, n_jobs=2, random_state=1).fit(dat[["x"]][:200], dat["x"][:200])
    KMeans(2, n_init=1, random_state=1).fit(dat[["x"]][:200])
    sums = dat.groupby("g", as_index=False)["x"].sum()
    return pd.DataFrame({"g": sums["g"], "x": sums["x"], "w": [1, 2, 3]})
""",
    "matplotlib": """
def heavy(dat):
    import pandas as pd
    import matplotlib.pyplot as plt
    plt.plot(dat["x"][:100])
    plt.title("Größe")
    import io
    plt.savefig(io.BytesIO(), format="png")
    sums = dat.groupby("g", as_index=False)["x"].sum()
    return pd.DataFrame({"g": sums["g"], "x": sums["x"], "w": [1, 2, 3]})
""",
}


@pytest.mark.parametrize("environment", ["default", "current"])
@pytest.mark.parametrize("package", HEAVY)
def test_packages_with_threads_work_in_the_sandbox(
    make_role: Callable[..., str],
    connect: Connect,
    folder: Path,
    package: str,
    environment: str,
) -> None:
    if environment != "default":
        environments.require(environment)
    elif package in optional_packages.PACKAGES:
        optional_packages.require(package)
    session = connect(user=make_role("ordinary"))
    session.execute("SELECT pyq_script_create('heavy', %s)", (HEAVY[package],))
    input_type = package if package in optional_packages.PACKAGES else "pandas"
    query = "SELECT n::float8 AS x, chr(97 + n % 3) AS g FROM generate_series(1, 300000) AS n"
    rows = session.execute(
        "SELECT * FROM pyq_table_eval(%s, %s, NULL, 'heavy', NULL, %s)"
        " AS t(g text, x float8, w int)",
        (query, json.dumps({"oml_input_type": input_type}), environment),
    ).fetchall()
    sums = {rest: float(sum(range(rest or 3, 300001, 3))) for rest in range(3)}
    assert rows == [("a", sums[0], 1), ("b", sums[1], 2), ("c", sums[2], 3)]
