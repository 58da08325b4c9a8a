"""Combines the results of individual function calls to the result of a call."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from oml._db import connection as db
from oml._db.errors import DatabaseError
from oml.core._sql import quote
from oml.embed.data_image import _DataImage

if TYPE_CHECKING:
    import pandas

    from oml._annotations import CellValue, UserObject

    #: (name, result, PNG files) of each call of the function, in order.
    Results = list[tuple["str | None", UserObject, list[bytes]]]
    Shape = Callable[[Results], UserObject]

#: A list of names as written by quote().
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


def of_call(cut: str, query: str | None, columns: str | None) -> Shape:
    """Return the shape of a call from its description in pyqsys.job_calls."""
    if cut == "group":
        names = [name.replace('""', '"') for name in _QUOTED.findall(columns or "")]
        # A hand-written description may contain anything, for example a column name without quotes.
        if query is not None and ", ".join(map(quote, names)) == columns:
            return groups(query, names)
        return named
    return {"row": rows, "index": listed}.get(cut, single)


def single(results: Results) -> UserObject:
    """The result of the only call."""
    ((_, result, images),) = results
    return with_images(result, images)


def listed(results: Results) -> list[UserObject]:
    """A list."""
    return [with_images(result, images) for _, result, images in results]


def named(results: Results) -> dict[str | None, UserObject]:
    """A dict keyed by the server's names of the groups."""
    found = {name: with_images(result, images) for name, result, images in results}
    if len(found) < len(results):
        raise DatabaseError(
            "two groups have the same name",
            "22023",
            hint="named_results() returns the results as a list.",
        )
    return found


def rows(results: Results) -> pandas.DataFrame | list[UserObject]:
    """The frames of chunks concatenated; any other results as a list."""
    if any(images for _, _, images in results):
        return listed(results)
    return _joined([result for _, result, _ in results])


def groups(query: str, columns: list[str]) -> Shape:
    """Return the shape of a group call over a query's rows: a dict by group key."""

    def shape(results: Results) -> dict[CellValue, UserObject]:
        keys = _group_keys(query, columns, [name or "" for name, _, _ in results])
        return {key: with_images(r, images) for key, (_, r, images) in zip(keys, results)}

    return shape


def with_images(result: UserObject, images: list[bytes]) -> UserObject:
    """Return a result together with its images, if any."""
    return _DataImage(result, images) if images else result


def _joined(results: list[UserObject]) -> pandas.DataFrame | list[UserObject]:
    import pandas

    frames = [result for result in results if result is not None]
    if results and not (frames and all(isinstance(each, pandas.DataFrame) for each in frames)):
        return results
    return pandas.concat(frames, ignore_index=True) if frames else pandas.DataFrame()


def _group_keys(query: str, columns: list[str], names: list[str]) -> list[CellValue]:
    """Return the key of each group, in the order of the groups.

    Parameters
    ----------
    names : list of str
        The server's names of the groups: texts of the values joined by "_", "null" for NULL.

    Raises
    ------
    DatabaseError
        The rows have changed since they were grouped.
    """
    is_single = len(columns) == 1
    if is_single and "null" not in names and len(set(names)) == len(names):
        return list(names)
    items = ", ".join(f"g.{quote(column)}" for column in columns)
    text = " || '_' || ".join(
        f"CASE WHEN g.{quote(column)} IS NULL THEN 'null' "
        f"ELSE pg_catalog.format('%s', g.{quote(column)}) END"
        for column in columns
    )
    # Equal values may differ as texts, such as 1.0 and 1.00: the name is one of these texts.
    rows = db.connection().query(
        f'SELECT pg_catalog.min(({text}) COLLATE "C"), pg_catalog.max(({text}) COLLATE "C"), '
        f"{items} FROM ({query}) AS g GROUP BY {items} ORDER BY {items}"
    )[1]
    is_same = len(rows) == len(names) and all(
        least != greatest or name == least for name, (least, greatest, *_) in zip(names, rows)
    )
    if not is_same:
        raise DatabaseError("the groups changed during the call", "40001")
    keys: list[CellValue]
    if is_single:
        keys = [None if value is None else name for name, (_, _, value) in zip(names, rows)]
    else:
        keys = [tuple(map(_hashable, values)) for _, _, *values in rows]
    if len(set(keys)) < len(keys):
        raise DatabaseError(
            "two groups have the same key",
            "22023",
            hint="Their values are equal as text; check that extra_float_digits is not negative.",
        )
    return keys


def _hashable(value: CellValue) -> CellValue:
    """A hashable form of a value: arrays and rows of composite types become tuples."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return tuple(map(_hashable, value))
    if isinstance(value, dict):
        return tuple(map(_hashable, value.values()))
    return value
