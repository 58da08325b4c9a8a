"""What a script says of itself while it runs as a job."""

from __future__ import annotations

from oml._session import connection

__all__ = ["output_comments", "progress"]


def output_comments(text: str) -> None:
    """Add a line to the comments of the job that is running.

    Shown by `pyq_jobs` at once, and kept with the job. Nothing happens in a synchronous call.
    """
    connection().query("SELECT pyqsys.note_progress(NULL, $1)", (str(text),))


def progress(fraction: float, text: str | None = None) -> None:
    """Tell how far the running job is.

    Parameters
    ----------
    fraction : float
        From 0 to 1; shown by `pyq_jobs` at once.
    text : str, optional
        A line for the comments.
    """
    note = None if text is None else str(text)
    connection().query("SELECT pyqsys.note_progress($1, $2)", (float(fraction), note))
