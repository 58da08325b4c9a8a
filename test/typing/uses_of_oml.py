"""What type checkers know of package oml: `tools/python-tools types` checks it, nothing runs it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import oml
import pandas
from oml.embed.data_image import _DataImage

if TYPE_CHECKING:
    from typing_extensions import assert_type


def count(rows: pandas.DataFrame) -> int:
    return len(rows)


def summarize(rows: pandas.DataFrame, by: str) -> dict[str, float]:
    return {by: float(len(rows))}


def connections() -> None:
    with oml.connect("postgresql://db/lab", sslmode="require") as connection:
        assert_type(connection.cursor(), oml.Cursor)
        assert_type(oml.cursor().execute("SELECT $1", (1,)).fetchone(), "tuple[Any, ...] | None")
    assert_type(oml.isconnected(), bool)


def frames() -> None:
    iris = oml.sync(table="iris")
    assert_type(iris, oml.DataFrame)
    assert_type(oml.sync(regex_match=True, table="iris"), "dict[str, oml.DataFrame]")
    assert_type(oml.create(pandas.DataFrame(), table="x"), oml.DataFrame)
    assert_type(iris.columns, "list[str]")
    assert_type(iris.shape, "tuple[int, int]")
    assert_type(iris.head(), oml.DataFrame)
    assert_type(iris[["a", "b"]], oml.DataFrame)
    assert_type(iris.merge(iris, on="a").drop("a"), oml.DataFrame)
    column = oml.Float(iris["a"])
    assert_type(iris[column > 1], oml.DataFrame)


def columns(frame: oml.DataFrame) -> None:
    number = oml.Float(frame["a"])
    text = oml.String(frame["b"])
    assert_type(number > 2, oml.Boolean)
    assert_type((number > 2) & ~(text == "x"), oml.Boolean)
    assert_type(number.isnull(), oml.Boolean)
    assert_type((number + 1).mean(), float)
    assert_type(number.round(2), oml.Float)
    assert_type(number.dropna().head(), oml.Float)
    assert_type(number.sample(n=2), oml.Float)
    assert_type(number.split(), "tuple[oml.Float, ...]")
    assert_type(text.KFold(), "list[tuple[oml.String, oml.String]]")
    assert_type(text.len(), oml.Integer)
    assert_type(text.upper() + "!", oml.String)
    assert_type(text.pull(), "list[Any]")
    assert_type(text.concat(number), oml.DataFrame)
    time = oml.Datetime(frame["c"])
    assert_type(time.year, oml.Integer)
    assert_type(oml.Timedelta(frame["d"]).total_seconds(), oml.Float)


def calls(iris: oml.DataFrame) -> None:
    assert_type(oml.do_eval(lambda: 1.5), float)
    assert_type(oml.do_eval("script"), Any)
    assert_type(oml.table_apply(iris, count), int)
    assert_type(oml.table_apply(iris, summarize, by="x"), "dict[str, float]")
    assert_type(oml.table_apply(iris, count, graphics=True), Any)
    assert_type(oml.group_apply(iris, iris["a"], count), "dict[Any, int]")
    assert_type(oml.index_apply(3, str, parallel=2), "list[str]")
    assert_type(oml.row_apply(iris, count, rows=10), Any)
    frame = pandas.DataFrame({"a": [1]})
    assert_type(oml.table_apply(iris, count, func_value=frame), oml.DataFrame)
    assert_type(oml.row_apply(iris, count, rows=10, func_value=frame), oml.DataFrame)
    assert_type(_DataImage(1, []).img, "list[bytes]")


def jobs(iris: oml.DataFrame) -> None:
    job = oml.submit("table", data=iris, func=count, timeout=3600)
    assert_type(job, oml.Job)
    assert_type(oml.table_apply(iris, count, oml_async_flag=True), oml.Job)
    assert_type(job.status, str)
    assert_type(job.progress, "float | None")
    assert_type(job.wait(1.5), str)
    assert_type(job.cancel(), bool)
    assert_type(job.exception(), "oml.DatabaseError | None")
    assert_type(oml.job(job.id), oml.Job)
    assert_type(oml.jobs(), pandas.DataFrame)

    async def both() -> Any:
        return await asyncio.gather(job, job)

    asyncio.run(both())


def modules() -> None:
    oml.ds.save({"a": 1}, "store")
    assert_type(oml.ds.dir(), pandas.DataFrame)
    oml.script.create("count", count)
    assert_type(oml.script.load("count"), oml.script.Callable)
    oml.grant("count", "pyqscript")
    print(oml.no_such_name)  # type: ignore[attr-defined]
    oml.table_apply("iris", count)  # type: ignore[call-overload]
    oml.submit()  # type: ignore[call-arg]
