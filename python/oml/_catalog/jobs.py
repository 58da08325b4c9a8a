"""Progress and comments reported by a script that runs as a job."""

from __future__ import annotations

from oml._db.connection import connection

__all__ = ["output_comments", "progress"]


def output_comments(text: str) -> None:
    """Add a line to the comments of the running job.

    Shown by `pyq_jobs` at once, and stored with the job. A no-op in a synchronous call.
    """
    connection().query("SELECT pyqsys.note_progress(NULL, $1)", (str(text),))


def progress(fraction: float, text: str | None = None) -> None:
    """Report the progress of the running job.

    Parameters
    ----------
    fraction : float
        From 0 to 1; shown by `pyq_jobs` at once.
    text : str, optional
        A line to add to the comments.
    """
    note = None if text is None else str(text)
    connection().query("SELECT pyqsys.note_progress($1, $2)", (float(fraction), note))
