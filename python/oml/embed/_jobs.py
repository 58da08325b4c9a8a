"""Submission of calls as jobs."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from oml.embed import apply
from oml.embed._job_handle import Job, job, jobs

if TYPE_CHECKING:
    from oml._annotations import UserFunction, UserObject

__all__ = ["Job", "job", "jobs", "submit"]


def submit(function: str | UserFunction, *arguments: UserObject, **keywords: UserObject) -> Job:
    """Submit a call as a job.

    Parameters
    ----------
    function : str or function
        One of the five functions: oml.do_eval, oml.table_apply, oml.row_apply, oml.group_apply and
        oml.index_apply, or 'eval', 'table', 'row', 'group' and 'index'. Any other function is run
        once with the arguments, as by oml.do_eval().
    *arguments, **keywords
        Arguments of the call. `timeout` and `oml_retries` apply to the job: docs/reference/jobs.md.

    Returns
    -------
    Job

    Raises
    ------
    DatabaseError
        SQLSTATE 0A000: the rows are in temporary tables, which the job cannot read. Otherwise as
        the call itself.

    Examples
    --------
    >>> import oml
    >>> job = oml.submit("table", data=oml.sync(table="iris"), func=lambda rows: len(rows))
    >>> job.result(timeout=60)
    150
    >>> oml.submit(pow, 2, exp=10).result(timeout=60)
    1024
    """
    five: dict[str, UserFunction] = {
        "eval": apply.do_eval,
        "table": apply.table_apply,
        "row": apply.row_apply,
        "group": apply.group_apply,
        "index": apply.index_apply,
    }
    keywords["oml_async_flag"] = True
    if isinstance(function, str):
        by_name = {**five, **{each.__name__: each for each in five.values()}}
        if function not in by_name:
            raise ValueError(f"function must be a function or one of {', '.join(five)}")
        made = by_name[function](*arguments, **keywords)
    elif any(function is each for each in five.values()):
        made = function(*arguments, **keywords)
    else:
        made = apply.do_eval(function, **_by_name(function, arguments), **keywords)
    if not isinstance(made, Job):
        raise TypeError("this call did not submit a job")
    return made


def _by_name(function: UserFunction, arguments: tuple[UserObject, ...]) -> dict[str, UserObject]:
    """Map positional arguments to names: engines receive keyword arguments."""
    if not arguments:
        return {}
    if not callable(function):
        raise TypeError(f"function must be a function, not {type(function).__name__}")
    signature = inspect.signature(function)
    kinds = {name: each.kind for name, each in signature.parameters.items()}
    given = signature.bind_partial(*arguments).arguments
    for name in given:
        if kinds[name] is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
            raise TypeError(f'argument "{name}" cannot be passed by name, as required for jobs')
    return dict(given)
