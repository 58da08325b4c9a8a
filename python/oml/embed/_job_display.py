"""Display of jobs in notebooks: a small table that is updated until the job has ended."""

from __future__ import annotations

import datetime
import html
import sys
import threading
from typing import Protocol

from oml._db.errors import DatabaseError

_PERIOD = 0.5  # seconds between two updates
_PENDING = frozenset(("queued", "running"))


class _State(Protocol):
    """What is displayed of an oml.embed JobState."""

    @property
    def script(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def progress(self) -> float | None: ...
    @property
    def comment(self) -> str | None: ...
    @property
    def error(self) -> str | None: ...
    @property
    def elapsed(self) -> datetime.timedelta | None: ...


class _Handle(Protocol):
    """What is called of an IPython.display.DisplayHandle."""

    def update(self, obj: dict[str, str], *, raw: bool) -> None: ...


class _Job(Protocol):
    """What is displayed of an oml.Job."""

    id: str

    def state(self) -> _State: ...


def html_of(job: _Job) -> str:
    """Return the job as HTML; without a connection, its ID."""
    return _look(job)[0]


def _look(job: _Job) -> tuple[str, bool]:
    """Return the HTML, and whether more updates will follow."""
    rows: list[tuple[str, str]] = [("job", html.escape(job.id))]
    is_pending = False
    try:
        state = job.state()
    except DatabaseError as error:
        rows.append(("error", html.escape(str(error))))
    else:
        is_pending = state.state in _PENDING
        rows.append(("script", html.escape(state.script)))
        rows.append(("status", html.escape(state.state)))
        if state.progress is not None:
            percent = round(100 * state.progress)
            bar = f'<progress value="{state.progress}" max="1"></progress>'
            rows.append(("progress", f"{bar} {percent} %"))
        rows.append(("elapsed", html.escape(str(state.elapsed))))
        if state.comment:
            rows.append(("comment", f"<pre>{html.escape(state.comment)}</pre>"))
        if state.error:
            rows.append(("error", f"<pre>{html.escape(state.error)}</pre>"))
    cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    return f'<table class="oml-job"><tbody>{cells}</tbody></table>', is_pending


def _in_kernel() -> bool:
    """Whether displayed objects appear in a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def show(job: _Job) -> threading.Thread | None:
    """Display a job; in a notebook, update the display from a thread, which is returned."""
    if not _in_kernel():
        print(repr(job))
        return None
    import importlib

    display = importlib.import_module("IPython.display")
    text, is_pending = _look(job)
    handle = display.display(_bundle(job, text), raw=True, display_id=True)
    if not is_pending:
        return None
    thread = threading.Thread(target=_renew, args=(job, handle), daemon=True, name="oml-job")
    thread.start()
    return thread


def _bundle(job: _Job, text: str) -> dict[str, str]:
    return {"text/plain": f"<oml.Job {job.id}>", "text/html": text}


def _renew(job: _Job, handle: _Handle) -> None:
    """Update a display until the job has ended, or its state cannot be queried."""
    pause = threading.Event()
    shown = ""
    is_pending = True
    while is_pending:
        pause.wait(_PERIOD)
        text, is_pending = _look(job)
        if text != shown:
            handle.update(_bundle(job, text), raw=True)
        shown = text
