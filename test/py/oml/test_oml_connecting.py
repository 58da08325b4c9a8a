"""oml.connect(): with blocks, connection strings, URLs, hidden passwords, missing drivers."""

from __future__ import annotations

import importlib
import io
import os
import pickle
import subprocess
import sys
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optional_packages
import psycopg
import pytest
from psycopg import conninfo

ROOT = Path(__file__).resolve().parents[3]

import oml  # noqa: E402
from oml._db import connection as _session  # noqa: E402
from oml._db import targets as _targets  # noqa: E402

Where = dict[str, Any]
PASSWORD = "s3cr:t/w@rd#1?&=%'\\ x"
QUOTED = "s3cr%3At%2Fw%40rd%231%3F%26%3D%25%27%5C%20x"


@pytest.fixture
def where(conn: psycopg.Connection[Any]) -> Iterator[Where]:
    info = conn.info
    yield {"user": info.user, "host": info.host, "port": info.port, "dbname": info.dbname}
    oml.disconnect()


def place() -> tuple[Any, ...]:
    sql = "SELECT current_database()::text, current_user::text, pg_backend_pid()"
    return tuple(oml.cursor().execute(sql).fetchall()[0])


# ---------------------------------------------------------------------------------- with blocks


def test_with_block_closes(where: Where) -> None:
    with oml.connect(**where) as connection:
        assert oml.isconnected() and not connection.closed
        cursor = connection.cursor().execute("SELECT 1 + 1")
        assert cursor.fetchone() == (2,)
        server = _session.connection().psycopg  # type: ignore[attr-defined]
        assert where["dbname"] in repr(connection)
    assert connection.closed and not oml.isconnected() and server.closed
    assert repr(connection) == "<oml connection, closed>"
    with pytest.raises(oml.DatabaseError) as failure:
        connection.cursor()
    assert failure.value.sqlstate == "08003"
    with pytest.raises(ZeroDivisionError), oml.connect(**where):
        _ = 1 / 0
    assert not oml.isconnected()


def test_without_a_block_the_connection_stays(where: Where) -> None:
    first = oml.connect(**where)
    pid = place()[2]
    with oml.connect(**where) as second:
        assert first.closed and not second.closed and place()[2] != pid
        third = oml.connect(**where)
        assert second.closed
    # The end of the block closes its own connection only.
    assert not third.closed and oml.isconnected()
    third.close()
    assert not oml.isconnected()
    third.close()


def test_with_block_inside_an_engine(where: Where) -> None:
    oml.connect(**where)

    def case() -> Any:
        import oml

        with oml.connect() as connection:
            found = connection.cursor().execute("SELECT 1").fetchone()
        return found, connection.closed, oml.isconnected(), repr(connection)

    pytest.importorskip("cloudpickle")
    assert oml.do_eval(case) == ((1,), False, True, "<oml connection of the running script>")


# ------------------------------------------------------------------------------ strings and URLs


class Url:
    """As sqlalchemy.engine.URL: that package is not among the server's."""

    def __init__(self, **parts: Any) -> None:
        self.drivername = parts.pop("drivername", "postgresql+psycopg")
        self.username = parts.pop("username", None)
        self.password = parts.pop("password", None)
        self.host = parts.pop("host", None)
        self.port = parts.pop("port", None)
        self.database = parts.pop("database", None)
        self.query = parts.pop("query", {})


def urls(where: Where) -> list[Any]:
    user, host, port, name = where["user"], where["host"], where["port"], where["dbname"]
    tail = f"host={host}&port={port}"
    url = Url(username=user, database=name, query={"host": host, "port": str(port)})
    return [
        f"postgresql://{user}@/{name}?{tail}",
        f"postgres://{user}:ignored@/{name}?{tail}",
        f"postgresql+psycopg://{user}@/{name}?{tail}",
        f"postgresql+psycopg2://{user}@/{name}?{tail}&application_name=oml",
        f"postgresql+asyncpg://{user}@{host.replace('/', '%2F')}:{port}/{name}",
        f"host={host} port = {port} dbname='{name}' user={user}",
        url,
        types.SimpleNamespace(url=url),
    ]


def test_strings_and_urls(where: Where) -> None:
    for form in urls(where):
        for call in (lambda form=form: oml.connect(form), lambda form=form: oml.connect(dsn=form)):
            with call():
                assert place()[:2] == (where["dbname"], where["user"]), form
    with oml.connect(urls({**where, "dbname": "nowhere"})[0], service_name=where["dbname"]):
        assert place()[0] == where["dbname"]
    with pytest.raises(ValueError, match="not both"):
        oml.connect("host=a", dsn="host=b")
    with pytest.raises(ValueError, match="not both"):
        oml.connect(sid="a", dbname="b")


def test_service_and_further_parameters(
    where: Where, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "services"
    lines = "".join(f"{name}={value}\n" for name, value in where.items())
    path.write_text(f"[lab]\n{lines}")
    monkeypatch.setenv("PGSERVICEFILE", str(path))
    for call in (
        lambda: oml.connect(service="lab"),
        lambda: oml.connect("service=lab"),
        lambda: oml.connect("postgresql://?service=lab"),
    ):
        with call():
            assert place()[:2] == (where["dbname"], where["user"])
    with oml.connect(**where, application_name="mine"):
        assert oml.cursor().execute("SHOW application_name").fetchone() == ("mine",)
    with pytest.raises(TypeError, match='no parameter "hots"'):
        oml.connect(hots="db")
    with pytest.raises(TypeError, match='no parameter "hots"'):
        oml.connect("hots=db")


GOOD = [
    "postgresql://",
    "postgresql://localhost",
    "postgresql://localhost:5433",
    "postgresql://localhost/mydb",
    "postgresql://user@localhost",
    "postgresql://user:secret@localhost",
    "postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp",
    "postgresql://host1:123,host2:456/somedb?target_session_attrs=any",
    "postgresql://[2001:db8::1234]/database",
    "postgresql://[::1]:5433,h/database",
    "postgresql:///dbname?host=/var/lib/postgresql",
    "postgresql://%2Fvar%2Flib%2Fpostgresql/dbname",
    f"postgresql://us%20er:{QUOTED}@h/db%2Fx",
    "postgresql:///mydb?host=localhost&port=5433&user=u&password=p%26q",
    "host=localhost port=5432 dbname=mydb connect_timeout=10",
    "host = localhost  user='a b'  password='it''s'".replace("''", "\\'"),
    r"password=a\ b\\c\'d user=''",
    "user= dbname=x",
    "",
]


@pytest.mark.parametrize("dsn", GOOD)
def test_parts_are_those_of_libpq(dsn: str) -> None:
    found = {name: value for name, value in _targets.parse(_targets.Hidden(dsn)).items() if value}
    wanted = {name: value for name, value in conninfo.conninfo_to_dict(dsn).items() if value}
    assert found == wanted


def test_parts_that_are_those_of_sqlalchemy() -> None:
    def parts(dsn: Any) -> dict[str, Any]:
        return dict(_targets.parse(_targets.Hidden(dsn)))

    assert parts("postgresql+psycopg://u:p@/db?host=a:1&host=b&host=c:3") == {
        "user": "u", "password": "p", "dbname": "db", "host": "a,b,c", "port": "1,,3",
    }  # fmt: skip
    assert parts("postgresql://u:p@ss@h/db")["password"] == "p@ss"
    url = Url(username="u", password=PASSWORD, host="h", port=1, database="d",
              query={"host": ("a", "b:2"), "sslmode": "require"})  # fmt: skip
    assert parts(url) == {
        "user": "u", "password": PASSWORD, "host": "a,b", "port": ",2", "dbname": "d",
        "sslmode": "require",
    }  # fmt: skip


SQLALCHEMY = """
import sqlalchemy
import oml
from oml._db.targets import Hidden, parse
url = sqlalchemy.URL.create("postgresql+psycopg", "u", {password!r}, "h", 5433, "d")
wanted = {{"user": "u", "password": {password!r}, "host": "h", "port": "5433", "dbname": "d"}}
for form in (url, url.render_as_string(hide_password=False), sqlalchemy.create_engine(url)):
    assert dict(parse(Hidden(form))) == wanted
for form in {forms!r}:
    engine = sqlalchemy.create_engine(form)
    with oml.connect(engine):
        print(*oml.cursor().execute("SELECT current_database()::text").fetchone())
    with engine.connect() as connection:
        print(*connection.execute(sqlalchemy.text("SELECT current_database()::text")).one())
"""


def test_sqlalchemy_itself(where: Where) -> None:
    optional_packages.require("sqlalchemy")
    form = urls(where)[2]
    program = SQLALCHEMY.format(password=PASSWORD, forms=[form])
    folders = (ROOT / "python", os.environ[optional_packages.VARIABLE])
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ":".join(map(str, folders))},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [where["dbname"]] * 2


# ------------------------------------------------------------------------------------- passwords

SECRET = "Tr0ub4dor"
LEAKY: list[tuple[tuple[Any, ...], Where]] = [
    (("no conninfo",), {"password": SECRET, "host": "/nonexistent"}),
    ((), {"dsn": f"host=/nonexistent user=u password={SECRET}"}),
    ((f"host=/nonexistent password='{SECRET} x' sslmode=odd",), {}),
    ((f"host=/nonexistent password={SECRET} {SECRET}",), {}),
    ((f"host=/nonexistent password='{SECRET}",), {}),
    ((f"password={SECRET} hots=x",), {}),
    ((f"password=x {SECRET}=x",), {}),
    ((f"postgresql://u:{SECRET}@%2Fnonexistent/db",), {}),
    ((f"postgresql://u:x@{SECRET}@%2Fnonexistent/db",), {}),
    ((f"postgresql://u:{SECRET}/x@h/db",), {}),
    ((f"postgresql://u:x/{SECRET}@h/db",), {}),
    ((f"postgresql://u:1?{SECRET}@h/db",), {}),
    ((f"postgresql://u:#{SECRET}@h/db",), {}),
    ((f"postgresql://u:%zz{SECRET}@h/db",), {}),
    ((f"postgresql://u:{SECRET}@[::1/db",), {}),
    ((f"mysql://u:{SECRET}@h/db",), {}),
    ((f"postgresql://h/db?password={SECRET}&port=x",), {}),
    ((f"postgresql://h/db?sslpassword={SECRET}&host=/nonexistent",), {}),
    ((f"postgresql://h/db?{SECRET}",), {}),
    ((), {"password": SECRET + "\0", "host": "/nonexistent"}),
    ((), {"password": SECRET + "\udc80", "host": "/nonexistent"}),
    ((), {"password": SECRET, "sid": "a", "service_name": "b"}),
    ((f"host=h password={SECRET}",), {"dsn": "host=x"}),
    ((Url(username="u", password=SECRET, host="/nonexistent"),), {}),
    ((Url(drivername="mysql", password=SECRET),), {}),
    ((types.SimpleNamespace(url=Url(password=SECRET, host="/nonexistent")),), {}),
    ((), {"password": SECRET, "port": "no port"}),
    # First arguments that are no connection strings, but no names of users either.
    ((f" postgresql://u:{SECRET}@%2Fnonexistent/db",), {}),
    ((f"postgresql:u:{SECRET}@%2Fnonexistent/db",), {"host": "/nonexistent"}),
    ((f"jdbc:postgresql://h/db?user=u&password={SECRET}",), {"host": "/nonexistent"}),
    ((f"u:{SECRET}@h://db",), {"host": "/nonexistent"}),
    ((f"u/{SECRET}@h:1521/db",), {"host": "/nonexistent"}),
    ((f"PASSWORD={SECRET} host=h",), {"host": "/nonexistent"}),
    ((f"passw0rd={SECRET}",), {"host": "/nonexistent"}),
    ((f"host=/nonexistent;password={SECRET}",), {}),
    ((f"host=/nonexistent,Password={SECRET}",), {}),
    ((), {"dsn": [SECRET]}),
    ((), {"password": SECRET, "host": "/nonexistent", "oauth_client_secret": SECRET}),
]


def frames(error: BaseException) -> str:
    """An exception as shown by tools that print the variables of each frame of the package."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    for frame in shown.stack[:1]:  # the caller's own
        frame.locals = None  # type: ignore[misc]
    texts = io.StringIO()
    for line in shown.format(chain=True):
        texts.write(line)
    # The source lines are those of this file: they name no value.
    return texts.getvalue()


@pytest.mark.parametrize("number", range(len(LEAKY)))
def test_no_password_in_errors(number: int) -> None:
    arguments, keywords = LEAKY[number]
    with pytest.raises((oml.DatabaseError, ValueError, TypeError)) as failure:
        oml.connect(*arguments, **keywords)
    error = failure.value
    texts = [str(error), repr(error), repr(error.args), frames(error)]
    if isinstance(error, oml.DatabaseError):
        texts += [error.detail, error.hint, error.context]
    for text in texts:
        assert SECRET not in text
    assert error.__cause__ is None and error.__context__ is None


def test_no_password_of_a_connection(where: Where) -> None:
    with oml.connect(**where, password=SECRET) as connection:
        for each in (connection, _session.current(), vars(_session.current())):
            assert SECRET not in repr(each)
        with pytest.raises(oml.DatabaseError) as failure:
            oml.cursor().execute("SELECT 1 / 0")
        assert SECRET not in frames(failure.value)
    target = _targets.parse(_targets.Hidden(f"password={SECRET} sslpassword={SECRET} user=u"))
    assert SECRET not in repr(target) and "'u'" in repr(target)
    assert target["password"] == SECRET
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(target)


# ------------------------------------------------------------------------------- missing drivers

PROGRAM = """
import sys
sys.path[:0] = [{stub!r}, {package!r}]
import oml
try:
    oml.connect("host=/nonexistent password=hush")
except ImportError as error:
    print(type(error).__name__, error.name)
    print(error)
"""


def run_without(stub: Path, first: str = "") -> list[str]:
    program = first + PROGRAM.format(stub=str(stub), package=str(ROOT / "python"))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_psycopg_is_missing(tmp_path: Path) -> None:
    (tmp_path / "psycopg.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'psycopg'\", name='psycopg')\n"
    )
    kind, message = run_without(tmp_path)
    assert kind == "ImportError psycopg"
    assert "psycopg 3, which is not installed" in message
    assert 'pip install "psycopg[binary]"' in message and "hush" not in message


def test_libpq_is_missing(tmp_path: Path) -> None:
    """Psycopg as pip installs it without an extra, where no libpq is found."""
    package = tmp_path / "psycopg"
    installed = Path(importlib.import_module("psycopg").__file__ or "").parent
    package.mkdir()
    for path in installed.iterdir():
        if path.name not in ("__pycache__",):
            (package / path.name).symlink_to(path)
    # What it looks for, in each of its ways.
    (tmp_path / "psycopg_c").mkdir()
    (tmp_path / "psycopg_c" / "__init__.py").write_text("raise ImportError('no C here')\n")
    (tmp_path / "psycopg_binary").mkdir()
    (tmp_path / "psycopg_binary" / "__init__.py").write_text("raise ImportError('no binary')\n")
    hide = "import ctypes.util\nctypes.util.find_library = lambda name: None\n"
    kind, message = run_without(tmp_path, hide)
    assert kind == "ImportError psycopg"
    for words in ("but not libpq", 'pip install "psycopg[binary]"', "oml-epe[binary]", "libpq5"):
        assert words in message
    assert "no pq wrapper available" in message and "hush" not in message


def test_extras_of_the_package() -> None:
    text = (ROOT / "python" / "pyproject.toml").read_text()
    assert 'binary = ["psycopg[binary]' in text and 'c = ["psycopg[c]' in text
