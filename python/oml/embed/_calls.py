"""Calls of pyqsys.apply: their arguments, results and errors."""

from __future__ import annotations

import contextlib
import json
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from oml import _portable
from oml._db import connection as db
from oml._db.errors import DatabaseError, RemoteTraceback, ScriptError
from oml.embed import _prototype
from oml.embed._functions import Target
from oml.embed._notices import Listener, listen, wants_progress
from oml.embed._pickles import pack, versions_in_engine

if TYPE_CHECKING:
    from oml._annotations import CellValue, UserObject
    from oml.core.frame import DataFrame

    T = TypeVar("T")

_PASSED_ON = frozenset(
    ("oml_input_type", "oml_na_omit", "oml_numeric", "oml_interval", "oml_nan", "oml_service_level")
)
_ASYNC = "oml_async_flag"
_OF_JOBS = frozenset(("timeout", "oml_retries"))
_MARK = "Traceback (most recent call last)"


@dataclass
class Call:
    """One call of pyqsys.apply.

    Attributes
    ----------
    cut : str
        'eval', 'table', 'row', 'group' or 'index'.
    target : Target
    settings : dict
        Further arguments of pyqsys.apply, by name.
    keywords : dict
        Keyword arguments of the function, including control arguments.
    graphics : bool
    parallel : bool, int or None
    total : int or None
        Number of calls of the function, if known.
    is_async : bool
        Whether the call is submitted as a job.
    """

    cut: str
    target: Target
    settings: dict[str, CellValue]
    keywords: dict[str, UserObject]
    graphics: bool = False
    parallel: bool | int | None = None
    total: int | None = None
    controls: dict[str, UserObject] = field(default_factory=dict)
    arguments: dict[str, UserObject] = field(default_factory=dict)
    is_async: bool = False

    def __post_init__(self) -> None:
        self.is_async = bool(self.keywords.get(_ASYNC))
        if self.is_async:
            self.controls[_ASYNC] = True
        for name, value in self.keywords.items():
            if name in _PASSED_ON or (self.is_async and name in _OF_JOBS):
                self.controls[name] = value
            elif not name.startswith("oml_"):
                self.arguments[name] = value
            elif name in ("oml_parallel", "oml_parallel_flag"):
                self.parallel = value if self.parallel is None else self.parallel
            elif name == "oml_graphics_flag":
                self.graphics = self.graphics or bool(value)
            elif name not in ("oml_connect", _ASYNC):
                warnings.warn(f'control argument "{name}" is unknown and ignored', stacklevel=4)
        if self.parallel is True:
            self.controls["oml_parallel"] = True
        elif self.parallel:
            if isinstance(self.parallel, float) or int(self.parallel) < 0:
                raise ValueError("parallel must be True, False or a number of engines")
            self.controls["oml_parallel"] = int(self.parallel)
        if self.graphics:
            self.controls["oml_graphics_flag"] = True

    def parameters(self) -> dict[str, CellValue]:
        """The arguments of pyqsys.apply by name, except those about the result."""
        target = self.target
        given: dict[str, CellValue] = {
            "cut": self.cut,
            "scr_name": target.name,
            "scr_owner": target.owner,
            "source": target.source,
            **self.settings,
        }
        if target.function is None and is_plain(self.arguments):
            given["par_lst"] = json.dumps({**self.arguments, **self.controls})
        else:
            content: dict[str, UserObject] = {"arguments": self.arguments}
            if target.function is not None:
                content.update(function=target.function, lines=target.lines)
            given["par_lst"] = json.dumps(self.controls)
            given["pickled"] = pack(content, self.settings.get("env_name"))
        return {name: value for name, value in given.items() if value is not None}


def is_plain(value: UserObject) -> bool:
    """Whether JSON represents a value exactly."""
    kind = type(value)
    if value is None or kind in (bool, int):
        return True
    if kind is float:
        return math.isfinite(value)
    if kind is str:
        return _is_clean(value)
    if kind is list:
        return all(map(is_plain, value))
    if kind is dict:
        return all(type(key) is str and is_plain(key) for key in value) and all(
            map(is_plain, value.values())
        )
    return False


def _is_clean(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


# ----------------------------------------------------------------------------------------- running


def must_trust(connection: db.Connection) -> bool:
    """Whether results may be unpickled here only if trusted roles produced them."""
    return bool(connection.is_embedded and db._oml_epe.must_trust())


@contextlib.contextmanager
def script_errors(listener: Listener | None = None) -> Iterator[None]:
    """Convert the failure of a script to ScriptError, caused by the engine's traceback."""
    failure: ScriptError | None = None
    try:
        yield
    except DatabaseError as error:
        if error.sqlstate == "57014" or (error.sqlstate != "38000" and _MARK not in error.context):
            raise
        failure = ScriptError(
            str(error),
            error.sqlstate,
            error.detail,
            error.hint,
            error.context,
            "" if listener is None else listener.output,
        )
        if error.context:
            failure.__cause__ = RemoteTraceback(f"{error.context}\n{error}")
    if failure is not None:
        raise failure


def arguments_of(given: dict[str, CellValue]) -> str:
    """The arguments of a server function by name, as statement parameters."""
    return ", ".join(f"{name} => ${number}" for number, name in enumerate(given, 1))


def _execute(
    call: Call,
    template: str,
    given: dict[str, CellValue],
    query: Callable[[str, list[CellValue]], T],
) -> T:
    """Run the statement that `query` builds around the arguments of pyqsys.apply."""
    connection = db.connection()
    names = arguments_of(given)
    is_long = call.cut in ("row", "group", "index")
    if is_long and not connection.is_embedded and wants_progress():
        names += ", progress => true"
    with listen(connection, call.total) as listener, script_errors(listener):
        return query(template.format(arguments=names), list(given.values()))


def query_pieces(sql: str, parameters: list[CellValue]) -> list[tuple[int, str | None, bytes]]:
    """Query rows of (call, name, data), with data in binary format."""
    connection = db.connection()
    if connection.is_embedded:
        rows: list[tuple[int, str | None, bytes]] = connection.query(sql, parameters)[1]
        return rows
    return [
        (int.from_bytes(call, "big"), None if name is None else name.decode(), data)
        for call, name, data in connection.query_raw(sql, parameters)
    ]


def run(call: Call) -> list[tuple[str | None, UserObject, list[bytes]]]:
    """Run a call; return (name, result, PNG files) for each call of the function, in order."""
    connection = db.connection()
    trust = ", only_trusted => true" if must_trust(connection) else ""
    rows = _execute(
        call,
        "SELECT r.call, r.name, r.data FROM pyqsys.apply("
        f"out_row => NULL::pyqsys.pyq_pickle{trust}, {{arguments}}) AS r",
        call.parameters(),
        query_pieces,
    )
    return load_results(rows, call.settings.get("env_name"))


def load_results(
    rows: list[tuple[int, str | None, bytes]], environment: str | None
) -> list[tuple[str | None, UserObject, list[bytes]]]:
    """Load (call, name, piece) as (name, result, PNG files).

    Parameters
    ----------
    environment : str or None
        Environment in which the function ran, for messages.
    """
    results: list[tuple[str | None, UserObject, list[bytes]]] = []
    pieces: list[bytes] = []
    for number, (call_number, name, data) in enumerate(rows):
        pieces.append(data)
        if number + 1 == len(rows) or rows[number + 1][0] != call_number:
            results.append((name, *_load(pieces, environment)))
            pieces = []
    return results


def _load(pieces: list[bytes], environment: str | None) -> tuple[UserObject, list[bytes]]:
    """Load a pickle made by dump() or store() of src/py/runtime/pickles.py."""
    try:
        result, images, *stored = _portable.loads(
            b"".join(pieces) if len(pieces) > 1 else pieces[0]
        )
    except _portable.NOT_OF_VERSIONS:
        raise
    except Exception as error:
        message, hint = _portable.explain_failure(error, _versions_in_engine(error, environment))
        raise DatabaseError(
            f"the result cannot be loaded here: {message}", "0A000", hint=hint
        ) from error
    return result, [png for _, png in images] if stored else images


def _versions_in_engine(error: Exception, environment: str | None) -> dict[str, str]:
    """The versions relevant to an error of loading a result, as engines have them."""
    names = ["numpy", "pandas", "sklearn"]
    if isinstance(error, ImportError) and error.name:
        names.append(error.name.partition(".")[0])
    with contextlib.suppress(DatabaseError):
        return versions_in_engine(names, environment)
    return {}


def run_into_table(call: Call, prototype: object) -> DataFrame:
    """Run a call; return a proxy of its results, which are stored in the database."""
    parameters = call.parameters()
    return fill_table(
        prototype,
        lambda relation: _execute(
            call,
            f"INSERT INTO {relation} SELECT r.* FROM pyqsys.apply("
            f"out_row => NULL::{relation}, {{arguments}}) AS r",
            parameters,
            db.connection().query,
        ),
    )


def fill_table(prototype: object, fill: Callable[[str], object]) -> DataFrame:
    """Create a temporary table like a prototype and `fill` it; return a proxy of it."""
    from oml.core._query import ManagedTable, managed_name
    from oml.core._sql import quote
    from oml.core.frame import DataFrame

    columns = _prototype.column_list(_prototype.columns_of(prototype))
    name = managed_name()
    relation = f"pg_temp.{quote(name)}"
    db.connection().query(f"CREATE TEMPORARY TABLE {quote(name)} ({columns})")
    table = ManagedTable(name)  # dropped with the last proxy
    try:
        fill(relation)
    except BaseException:
        table.drop()
        raise
    return DataFrame._from_relation(relation, (table,))
