"""Jobs: calls of the five functions that run in the background on the server."""

from __future__ import annotations

import contextlib
import time
import uuid
import weakref
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, NamedTuple

from oml._db import connection as db
from oml._db.errors import DatabaseError
from oml.core._base import BaseFrame
from oml.core._sql import quote
from oml.core.series import Series
from oml.embed import _calls, _prototype, _shapes

if TYPE_CHECKING:
    import datetime

    import pandas

    from oml._annotations import Reduced, Row, UserObject

__all__ = ["Job", "job", "jobs", "submit_call"]

_PENDING = frozenset(("queued", "running"))
#: Maximum wait of one statement: other threads wait that long for the connection.
_SLICE = 0.5
_PAUSES = (0.02, 0.5)  # polling intervals of a coroutine: initial and maximum
_COLUMNS = (
    "id::pg_catalog.text AS id",
    "owner",
    "script",
    "state",
    "progress",
    "comment",
    "submitted",
    "started",
    "finished",
    "elapsed",
    "error",
)


class JobState(NamedTuple):
    """A row of pyq_jobs."""

    script: str
    state: str
    progress: float | None
    comment: str | None
    error: str | None
    elapsed: datetime.timedelta | None


class Job:
    """A call that runs on the server, even after the session has ended.

    Returned by submit(), by job(), and by a call with `oml_async_flag=True`. It is awaitable, and
    notebooks display its progress.

    Attributes
    ----------
    id : str
        The UUID, accepted by job() and by the SQL functions for jobs.
    """

    def __init__(
        self,
        id: str,
        shape: _shapes.Shape = _shapes.single,
        prototype: pandas.DataFrame | None = None,
        environment: str | None = None,
    ) -> None:
        self.id = id
        self._shape = shape
        self._prototype = prototype
        self._environment = environment

    # ---------------------------------------------------------------------------- how far it is

    def state(self) -> JobState:
        """Query the job's row of pyq_jobs.

        Raises
        ------
        DatabaseError
            SQLSTATE 42704: the job has been deleted, or belongs to another role.
        """
        rows = db.connection().query(
            "SELECT j.script, j.state, j.progress, j.comment, j.error, j.elapsed"
            f" FROM {_view()} AS j WHERE j.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid",
            (self.id,),
        )[1]
        if not rows:
            raise DatabaseError(f'job "{self.id}" does not exist', "42704")
        return JobState(*rows[0])

    @property
    def status(self) -> str:
        """One of 'queued', 'running', 'finished', 'failed', 'cancelled' and 'timed out'."""
        return self.state().state

    @property
    def progress(self) -> float | None:
        """The last value passed to oml.progress(), 0 to 1; None before the first."""
        return self.state().progress

    @property
    def comment(self) -> str:
        """The lines passed to oml.output_comments() and oml.progress()."""
        return self.state().comment or ""

    def done(self) -> bool:
        """Whether the job has ended, successfully or not."""
        return self.status not in _PENDING

    def running(self) -> bool:
        """Whether the job is running."""
        return self.status == "running"

    def cancelled(self) -> bool:
        """Whether the job was cancelled."""
        return self.status == "cancelled"

    # ----------------------------------------------------------------------------------- its end

    def wait(self, timeout: float | None = None) -> str:
        """Wait until the job has ended; return the state.

        Parameters
        ----------
        timeout : float, optional
            Maximum seconds to wait; then the current state is returned.

        Raises
        ------
        DatabaseError
            SQLSTATE 55000: the job was submitted in the current transaction, and starts only after
            its commit. Inside the engine that submits it, this is always the case.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _SLICE if end is None else min(_SLICE, max(0.0, end - time.monotonic()))
            rows = db.connection().query(
                "SELECT pyqsys.pyqjobwait($1::pg_catalog.text, "
                "pg_catalog.make_interval(secs => $2::pg_catalog.float8))",
                (self.id, left),
            )[1]
            state = str(rows[0][0])
            if state not in _PENDING or (end is not None and time.monotonic() >= end):
                return state
            time.sleep(0.001)  # let another thread use the connection

    def result(
        self, timeout: float | None = None, func_value: pandas.DataFrame | None = None
    ) -> UserObject:
        """Wait until the job has ended; return the result of the call.

        Parameters
        ----------
        timeout : float, optional
            Maximum seconds to wait.
        func_value : pandas.DataFrame, optional
            As for do_eval(); by default that of the submission.

        Raises
        ------
        TimeoutError
            The job has not ended.
        ScriptError, DatabaseError
            The error of the call, as the synchronous call would raise it; SQLSTATE 57014 if it was
            cancelled or exceeded its time limit.
        """
        self._wait_for_end(timeout)
        prototype = self._prototype if func_value is None else func_value
        if prototype is not None:
            return _calls.fill_table(prototype, self._fill)
        results = self._results()
        try:
            return self._shape(results)
        except DatabaseError as error:
            if error.sqlstate != "40001":
                raise
            failure = DatabaseError(
                "the groups have changed since the call",
                "40001",
                hint="named_results() returns the results with the server's names of the groups.",
            )
        raise failure

    def named_results(self, timeout: float | None = None) -> list[tuple[str | None, UserObject]]:
        """Return (name, result) for each call of the function, after waiting as result() does.

        The names are those of column NAME in pyq_job_result(): chunk numbers, groups or indexes.
        """
        self._wait_for_end(timeout)
        return [(n, _shapes.with_images(result, images)) for n, result, images in self._results()]

    def exception(self, timeout: float | None = None) -> DatabaseError | None:
        """Wait until the job has ended; return the exception that result() would raise, or None.

        Raises
        ------
        TimeoutError
            The job has not ended.
        """
        self._wait_for_end(timeout)
        try:
            with _calls.script_errors():
                self._check()
        except DatabaseError as error:
            return error
        return None

    def cancel(self) -> bool:
        """Stop the job and keep its record; return False if it had already ended."""
        sql = "SELECT pyqsys.pyqcanceljob($1::pg_catalog.text)"
        return bool(db.connection().query(sql, (self.id,))[1][0][0])

    def delete(self) -> None:
        """Delete the job and its result; a running job is stopped at once."""
        sql = "SELECT name FROM pyqsys.pyqdeletejob($1::pg_catalog.text)"
        db.connection().query(sql, (self.id,))

    def _wait_for_end(self, timeout: float | None) -> None:
        state = self.wait(timeout)
        if state in _PENDING:
            raise TimeoutError(f"job {self.id} is {state} after {timeout} s")

    def _check(self) -> None:
        """Raise the error of the job."""
        sql = "SELECT pyqsys.finished_job($1::pg_catalog.text)"
        db.connection().query(sql, (self.id,))

    def _results(self) -> list[tuple[str | None, UserObject, list[bytes]]]:
        trusted = "true" if _calls.must_trust(db.connection()) else "false"
        with _calls.script_errors():
            # LATERAL: the function must be called, also when there are no rows.
            rows = _calls.query_pieces(
                "SELECT d.call, d.name, d.data"
                f" FROM pyqsys.finished_job($1::pg_catalog.text, {trusted}) AS f(id), LATERAL ("
                "SELECT r.* FROM pyqsys.job_data AS r"
                " WHERE r.job OPERATOR(pg_catalog.=) f.id::pg_catalog.uuid OFFSET 0) AS d"
                " ORDER BY d.call, d.piece",
                [self.id],
            )
        return _calls.load_results(rows, self._environment)

    def _fill(self, relation: str) -> None:
        with _calls.script_errors():
            db.connection().query(
                f"INSERT INTO {relation} SELECT r.* FROM pyqsys.job_rows("
                f"$1::pg_catalog.text, NULL::{relation}) AS r",
                (self.id,),
            )

    # ------------------------------------------------------------------------------ asynchronous

    def __await__(self) -> Generator[object, None, UserObject]:
        return self._await_result().__await__()

    async def _await_result(self) -> UserObject:
        """result() for coroutines, which lets the event loop run.

        The job continues if the task is cancelled. In an engine, where only one thread may run SQL,
        the call blocks the event loop.
        """
        import asyncio

        if db.is_embedded():
            return self.result()
        loop = asyncio.get_running_loop()
        pause, longest = _PAUSES
        while await loop.run_in_executor(None, self.wait, 0) in _PENDING:
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)
        return await loop.run_in_executor(None, self.result)

    # ---------------------------------------------------------------------------------- notebooks

    def __repr__(self) -> str:
        try:
            return f"<oml.Job {self.id}: {self.state().state}>"
        except DatabaseError as error:
            return f"<oml.Job {self.id}: {error}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __reduce__(self) -> Reduced:
        return job, (self.id,)

    def _repr_html_(self) -> str:
        from oml.embed._job_display import html_of

        return html_of(self)

    def _ipython_display_(self) -> None:
        from oml.embed._job_display import show

        show(self)


Job.__module__ = "oml"  # public module


# -------------------------------------------------------------------------------------- submitting


def submit_call(call: _calls.Call, prototype: pandas.DataFrame | None, shape: _shapes.Shape) -> Job:
    """Submit a call; its result gets the given shape, or fills a table like the prototype."""
    if prototype is not None:
        _prototype.columns_of(prototype)
    _refuse_temporary(call.arguments.values())
    given = call.parameters()
    rows = db.connection().query(
        f"SELECT pyqsys.submit({_calls.arguments_of(given)})", list(given.values())
    )[1]
    return Job(str(rows[0][0]), shape, prototype, call.settings.get("env_name"))


def _refuse_temporary(values: Iterable[UserObject]) -> None:
    for value in values:
        if isinstance(value, dict):
            _refuse_temporary(value.values())
        elif isinstance(value, (list, tuple, set, frozenset)):
            _refuse_temporary(value)
        elif isinstance(value, (BaseFrame, Series)) and value._source.tables:
            raise DatabaseError(
                "a job cannot read temporary tables of this session",
                "0A000",
                hint="Store the rows in a table, for example with oml.create().",
            )


# ----------------------------------------------------------------------------------------- finding

_schemas: weakref.WeakKeyDictionary[db.Connection, str] = weakref.WeakKeyDictionary()


def _view() -> str:
    """The name of view pyq_jobs, qualified with the extension's schema."""
    connection = db.connection()
    known = None if connection.is_embedded else _schemas.get(connection)
    if known is None:
        rows = connection.query(
            "SELECT n.nspname FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n"
            " ON n.oid OPERATOR(pg_catalog.=) e.extnamespace"
            " WHERE e.extname OPERATOR(pg_catalog.=) 'oml_epe'"
        )[1]
        if not rows:
            raise DatabaseError('extension "oml_epe" is not installed in this database', "42704")
        known = f"{quote(rows[0][0])}.pyq_jobs"
        if not connection.is_embedded:
            _schemas[connection] = known
    return known


def job(id: str) -> Job:
    """Return a job by its ID.

    Parameters
    ----------
    id : str
        The UUID of a job, however it was submitted, or the URL that ends with it.

    Raises
    ------
    DatabaseError
        SQLSTATE 42704: the job does not exist, or the current user may not see it.
    """
    text = str(id).rstrip("/")
    if text.endswith("/result"):
        text = text[: -len("/result")]
    rows: list[Row] = []
    with contextlib.suppress(ValueError):
        rows = db.connection().query(
            "SELECT j.id::pg_catalog.text, j.function, j.inp_nam, j.grp_col, j.env_name"
            " FROM pyqsys.job_calls AS j"
            " WHERE j.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid",
            (uuid.UUID(text.rpartition("/")[2]),),
        )[1]
    if not rows:
        raise DatabaseError(f'job "{id}" does not exist', "42704")
    found, cut, query, columns, environment = rows[0]
    return Job(found, _shapes.of_call(cut, query, columns), None, environment)


def jobs(everyone: bool = False) -> pandas.DataFrame:
    """List the current user's jobs, most recent first.

    Parameters
    ----------
    everyone : bool
        For superusers: list the jobs of all users.

    Returns
    -------
    pandas.DataFrame
        With the columns of view pyq_jobs.
    """
    from oml._transfer.pull import pull_frame

    columns = ", ".join("j." + column for column in _COLUMNS)
    wanted = (
        "" if everyone else " WHERE j.owner OPERATOR(pg_catalog.=) current_user::pg_catalog.text"
    )
    frame: pandas.DataFrame = pull_frame(
        f"SELECT {columns} FROM {_view()} AS j{wanted} ORDER BY j.submitted DESC, j.id"
    )
    return frame
