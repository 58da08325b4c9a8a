"""do_eval, table_apply, row_apply, group_apply and index_apply."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar, Union, overload

from oml._db import connection as db
from oml.core._sql import quote
from oml.core.frame import DataFrame
from oml.core.series import Series
from oml.embed import _calls, _shapes
from oml.embed._functions import find_target
from oml.embed._notices import wants_progress

if TYPE_CHECKING:
    import pandas

    from oml._annotations import CellValue, UserFunction, UserObject
    from oml.embed._job_handle import Job
    from oml.script.script import Callable as Script

T = TypeVar("T")
Rows = Union[DataFrame, Series]
Function = Union["UserFunction", str, "Script"]

__all__ = ["do_eval", "group_apply", "index_apply", "row_apply", "table_apply"]


@overload
def do_eval(
    func: Function,
    func_owner: str | None = ...,
    graphics: bool = ...,
    env_name: str | None = ...,
    *,
    oml_async_flag: Literal[True],
    **kwargs: UserObject,
) -> Job: ...
@overload
def do_eval(
    func: Function,
    func_owner: str | None = ...,
    graphics: bool = ...,
    env_name: str | None = ...,
    *,
    func_value: pandas.DataFrame,
    **kwargs: UserObject,
) -> DataFrame: ...
@overload
def do_eval(
    func: Callable[..., T],
    func_owner: str | None = ...,
    graphics: Literal[False] = ...,
    env_name: str | None = ...,
    **kwargs: UserObject,
) -> T: ...
@overload
def do_eval(
    func: Function,
    func_owner: str | None = ...,
    graphics: bool = ...,
    env_name: str | None = ...,
    **kwargs: UserObject,
) -> UserObject: ...
def do_eval(
    func: Function,
    func_owner: str | None = None,
    graphics: bool = False,
    env_name: str | None = None,
    **kwargs: UserObject,
) -> UserObject:
    """Run a function once, without data.

    Parameters
    ----------
    func : function, str or oml.script.script.Callable
        A function, the name of a script, or the source text of a definition.
    func_owner : str, optional
        Owner of the script named by `func`; by default your own script precedes a global one.
    graphics : bool
        Return the figures that are open when the function returns.
    env_name : str, optional
        Python environment of the server, see pyq_list_envs().
    func_value : pandas.DataFrame, optional
        A frame with one row of the result's columns and types; the result is then stored in the
        database.
    **kwargs
        Arguments of the function, any picklable objects, and control arguments `oml_*`. With
        `oml_async_flag=True` the call is submitted as a job, and its oml.Job is returned; then
        `timeout`, in seconds, and `oml_retries` apply to the job, see docs/reference/jobs.md.

    Returns
    -------
    Any
        The returned value; with `func_value` an oml.DataFrame, with `graphics` and figures an
        object with attributes `dat` and `img`, with `oml_async_flag` an oml.Job.

    Raises
    ------
    ScriptError
        The function failed; the cause contains the engine's traceback.

    Examples
    --------
    >>> import oml
    >>> oml.do_eval("def area(width, height): return width * height", width=6, height=7)
    42
    """
    return _run_one("eval", func, func_owner, graphics, {"env_name": env_name}, kwargs)


@overload
def table_apply(
    data: Rows,
    func: Function,
    func_owner: str | None = ...,
    graphics: bool = ...,
    env_name: str | None = ...,
    *,
    oml_async_flag: Literal[True],
    **kwargs: UserObject,
) -> Job: ...
@overload
def table_apply(
    data: Rows,
    func: Function,
    func_owner: str | None = ...,
    graphics: bool = ...,
    env_name: str | None = ...,
    *,
    func_value: pandas.DataFrame,
    **kwargs: UserObject,
) -> DataFrame: ...
@overload
def table_apply(
    data: Rows,
    func: Callable[..., T],
    func_owner: str | None = ...,
    graphics: Literal[False] = ...,
    env_name: str | None = ...,
    **kwargs: UserObject,
) -> T: ...
@overload
def table_apply(
    data: Rows,
    func: Function,
    func_owner: str | None = ...,
    graphics: bool = ...,
    env_name: str | None = ...,
    **kwargs: UserObject,
) -> UserObject: ...
def table_apply(
    data: Rows,
    func: Function,
    func_owner: str | None = None,
    graphics: bool = False,
    env_name: str | None = None,
    **kwargs: UserObject,
) -> UserObject:
    """Run a function once on all rows of a proxy.

    Parameters
    ----------
    data : oml.DataFrame
        The rows. They are passed as the first argument: as a pandas.DataFrame, or as a
        two-dimensional array if all columns are numeric, unless `oml_input_type` specifies
        otherwise.
    func, func_owner, graphics, env_name, **kwargs
        As for do_eval().

    Returns
    -------
    Any
        As for do_eval().

    Examples
    --------
    >>> import oml
    >>> iris = oml.sync(table="iris")
    >>> oml.table_apply(iris, lambda rows: len(rows))
    150
    """
    settings = {"inp_nam": _frame(data, "data")._sql, "env_name": env_name}
    return _run_one("table", func, func_owner, graphics, settings, kwargs)


@overload
def row_apply(
    data: Rows,
    func: Function,
    func_owner: str | None = ...,
    rows: int = ...,
    parallel: bool | int | None = ...,
    graphics: bool = ...,
    env_name: str | None = ...,
    *,
    oml_async_flag: Literal[True],
    **kwargs: UserObject,
) -> Job: ...
@overload
def row_apply(
    data: Rows,
    func: Function,
    func_owner: str | None = ...,
    rows: int = ...,
    parallel: bool | int | None = ...,
    graphics: bool = ...,
    env_name: str | None = ...,
    *,
    func_value: pandas.DataFrame,
    **kwargs: UserObject,
) -> DataFrame: ...
@overload
def row_apply(
    data: Rows,
    func: Function,
    func_owner: str | None = ...,
    rows: int = ...,
    parallel: bool | int | None = ...,
    graphics: bool = ...,
    env_name: str | None = ...,
    **kwargs: UserObject,
) -> UserObject: ...
def row_apply(
    data: Rows,
    func: Function,
    func_owner: str | None = None,
    rows: int = 1,
    parallel: bool | int | None = None,
    graphics: bool = False,
    env_name: str | None = None,
    **kwargs: UserObject,
) -> UserObject:
    """Run a function on chunks of a proxy's rows.

    Parameters
    ----------
    data : oml.DataFrame
    func, func_owner, graphics, env_name, **kwargs
        As for table_apply().
    rows : int
        Rows per chunk; the last chunk may be shorter.
    parallel : bool or int, optional
        Number of engines; True lets the server choose.

    Returns
    -------
    pandas.DataFrame, list or oml.DataFrame
        The frames of the chunks concatenated; a list if a result is not a frame or has images.

    Examples
    --------
    >>> import oml
    >>> iris = oml.sync(table="iris")
    >>> oml.row_apply(iris, len, rows=60)
    [60, 60, 30]
    """
    frame = _frame(data, "data")
    settings = {
        "inp_nam": frame._sql,
        "row_num": _count(rows, "rows", 1),
        "env_name": env_name,
    }
    prototype = kwargs.pop("func_value", None)
    call = _calls.Call(
        "row", find_target(func, func_owner, env_name), settings, kwargs, graphics, parallel
    )
    if not call.is_async and wants_progress() and not db.is_embedded():
        call.total = math.ceil(len(frame) / rows)
    return _answer(call, prototype, _shapes.rows)


@overload
def group_apply(
    data: Rows,
    index: Rows,
    func: Function,
    func_owner: str | None = ...,
    parallel: bool | int | None = ...,
    orderby: Rows | None = ...,
    graphics: bool = ...,
    env_name: str | None = ...,
    *,
    oml_async_flag: Literal[True],
    **kwargs: UserObject,
) -> Job: ...
@overload
def group_apply(
    data: Rows,
    index: Rows,
    func: Function,
    func_owner: str | None = ...,
    parallel: bool | int | None = ...,
    orderby: Rows | None = ...,
    graphics: bool = ...,
    env_name: str | None = ...,
    *,
    func_value: pandas.DataFrame,
    **kwargs: UserObject,
) -> DataFrame: ...
@overload
def group_apply(
    data: Rows,
    index: Rows,
    func: Callable[..., T],
    func_owner: str | None = ...,
    parallel: bool | int | None = ...,
    orderby: Rows | None = ...,
    graphics: Literal[False] = ...,
    env_name: str | None = ...,
    **kwargs: UserObject,
) -> dict[CellValue, T]: ...
@overload
def group_apply(
    data: Rows,
    index: Rows,
    func: Function,
    func_owner: str | None = ...,
    parallel: bool | int | None = ...,
    orderby: Rows | None = ...,
    graphics: bool = ...,
    env_name: str | None = ...,
    **kwargs: UserObject,
) -> dict[CellValue, UserObject]: ...
def group_apply(
    data: Rows,
    index: Rows,
    func: Function,
    func_owner: str | None = None,
    parallel: bool | int | None = None,
    orderby: Rows | None = None,
    graphics: bool = False,
    env_name: str | None = None,
    **kwargs: UserObject,
) -> UserObject:
    """Run a function on each group of a proxy's rows.

    Parameters
    ----------
    data : oml.DataFrame
    index : oml.DataFrame or column
        The grouping columns. They belong to `data`, or to a proxy of the same rows; in this case
        they are added as further columns.
    func, func_owner, graphics, env_name, **kwargs
        As for table_apply().
    parallel : bool or int, optional
        As for row_apply().
    orderby : oml.DataFrame or column, optional
        Columns to sort the rows of each group by.

    Returns
    -------
    dict or oml.DataFrame
        The returned value for each group. Keys are the column's value as text, None for NULL;
        tuples of values if there are several columns.

    Examples
    --------
    >>> import oml
    >>> iris = oml.sync(table="iris")
    >>> oml.group_apply(iris, iris["species"], lambda rows: len(rows))
    {'setosa': 50, 'versicolor': 50, 'virginica': 50}
    """
    frame = _frame(data, "data")
    keys = _frame(index, "index")
    frame = _with_columns(frame, keys, "index")
    settings = {"grp_col": ", ".join(map(quote, keys.columns)), "env_name": env_name}
    if orderby is not None:
        order = _frame(orderby, "orderby")
        frame = _with_columns(frame, order, "orderby")
        settings["ord_col"] = ", ".join(map(quote, order.columns))
    settings["inp_nam"] = frame._sql
    prototype = kwargs.pop("func_value", None)
    call = _calls.Call(
        "group", find_target(func, func_owner, env_name), settings, kwargs, graphics, parallel
    )
    return _answer(call, prototype, _shapes.groups(frame._sql, keys.columns))


@overload
def index_apply(
    times: int,
    func: Function,
    func_owner: str | None = ...,
    parallel: bool | int | None = ...,
    graphics: bool = ...,
    env_name: str | None = ...,
    *,
    oml_async_flag: Literal[True],
    **kwargs: UserObject,
) -> Job: ...
@overload
def index_apply(
    times: int,
    func: Function,
    func_owner: str | None = ...,
    parallel: bool | int | None = ...,
    graphics: bool = ...,
    env_name: str | None = ...,
    *,
    func_value: pandas.DataFrame,
    **kwargs: UserObject,
) -> DataFrame: ...
@overload
def index_apply(
    times: int,
    func: Callable[..., T],
    func_owner: str | None = ...,
    parallel: bool | int | None = ...,
    graphics: Literal[False] = ...,
    env_name: str | None = ...,
    **kwargs: UserObject,
) -> list[T]: ...
@overload
def index_apply(
    times: int,
    func: Function,
    func_owner: str | None = ...,
    parallel: bool | int | None = ...,
    graphics: bool = ...,
    env_name: str | None = ...,
    **kwargs: UserObject,
) -> list[UserObject]: ...
def index_apply(
    times: int,
    func: Function,
    func_owner: str | None = None,
    parallel: bool | int | None = None,
    graphics: bool = False,
    env_name: str | None = None,
    **kwargs: UserObject,
) -> UserObject:
    """Run a function `times` times, with 1, 2, ... as its first argument.

    Parameters
    ----------
    times : int
    func, func_owner, graphics, env_name, **kwargs
        As for do_eval().
    parallel : bool or int, optional
        As for row_apply().

    Returns
    -------
    list or oml.DataFrame
        The returned values, in the order of the numbers.

    Examples
    --------
    >>> import oml
    >>> oml.index_apply(3, lambda number: number * number)
    [1, 4, 9]
    """
    settings = {"times_num": _count(times, "times", 0), "env_name": env_name}
    prototype = kwargs.pop("func_value", None)
    call = _calls.Call(
        "index",
        find_target(func, func_owner, env_name),
        settings,
        kwargs,
        graphics,
        parallel,
        times,
    )
    return _answer(call, prototype, _shapes.listed)


# --------------------------------------------------------------------------------------- arguments


def _frame(value: object, argument: str) -> DataFrame:
    if isinstance(value, DataFrame):
        return value
    if isinstance(value, Series):
        return DataFrame(value)
    if not isinstance(value, str):
        advice = "oml.push() makes one of local data"
    elif argument == "data":
        advice = f'oml.sync(table="{value}") makes one of a table'
    else:
        advice = f'data["{value}"] is a column of the data'
    raise TypeError(f"{argument} must be an oml.DataFrame, not {type(value).__name__}: {advice}")


def _count(value: object, argument: str, least: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < least:
        raise ValueError(f"{argument} must be an integer, at least {least}")
    return int(value.__index__())


def _with_columns(frame: DataFrame, further: DataFrame, argument: str) -> DataFrame:
    """Return a frame extended by the missing columns of another frame of the same rows."""
    missing = [name for name in further.columns if name not in frame.columns]
    if not missing:
        return frame
    if further._source is not frame._source:
        raise ValueError(
            f'{argument} has an extra column "{missing[0]}" and is not of the same rows'
        )
    columns = {**frame._columns, **{name: further._columns[name] for name in missing}}
    return DataFrame._make(frame._source, columns)


# ----------------------------------------------------------------------------------------- results


def _answer(
    call: _calls.Call, prototype: pandas.DataFrame | None, shape: _shapes.Shape
) -> UserObject:
    """Run a call, or submit it as a job."""
    if call.is_async:
        from oml.embed._job_handle import submit_call

        return submit_call(call, prototype, shape)
    if prototype is not None:
        return _calls.run_into_table(call, prototype)
    return shape(_calls.run(call))


def _run_one(
    cut: str,
    func: Function,
    func_owner: str | None,
    graphics: bool,
    settings: dict[str, CellValue],
    keywords: dict[str, CellValue],
) -> UserObject:
    prototype = keywords.pop("func_value", None)
    call = _calls.Call(
        cut, find_target(func, func_owner, settings["env_name"]), settings, keywords, graphics
    )
    return _answer(call, prototype, _shapes.single)
