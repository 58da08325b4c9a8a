"""Common code of oml.ds.dir() and oml.script.dir()."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from oml._db import connection as db

if TYPE_CHECKING:
    import pandas


class Listing(NamedTuple):
    """How one type of object is listed.

    Attributes
    ----------
    grant_type, argument : str
        The type's name in grants, and the name of the argument that selects the objects.
    view : str
        The view of readable objects, with alias l.
    columns : dict of str to str
        Column names of the result, the object's name first, and their SQL expressions.
    owner : str
        SQL expression of the owner.
    conditions : dict of str to str
        Values of the selecting argument, and their SQL conditions.
    """

    grant_type: str
    argument: str
    view: str
    columns: Mapping[str, str]
    owner: str
    conditions: Mapping[str, str]

    def read(
        self, kind: str, name: str | Sequence[str] | None, regex_match: bool
    ) -> pandas.DataFrame:
        """Return the objects of a kind, or with 'grant' the grants of the user's objects.

        Raises
        ------
        ValueError
            The kind is unknown.
        """
        import pandas

        columns = dict(self.columns)
        title = next(iter(columns))
        parameters: tuple[str, ...] = ()
        if kind == "grant":
            columns = {title: "g.name", "grantee": "g.grantee"}
            rest = (
                "pyqsys.given_grants AS g WHERE g.type OPERATOR(pg_catalog.=) $1::pg_catalog.text"
                " ORDER BY g.name, g.grantee"
            )
            parameters = (self.grant_type,)
        elif kind in self.conditions:
            if kind in ("all", "granted"):
                columns = {"owner": self.owner, **columns}
            rest = f"{self.view} AS l WHERE {self.conditions[kind]} ORDER BY l.owner_name, l.name"
        else:
            raise ValueError(f"unknown {self.argument} {kind!r}")
        sql = f"SELECT {', '.join(columns.values())} FROM {rest}"
        frame = pandas.DataFrame(db.connection().query(sql, parameters)[1], columns=list(columns))
        if name is None:
            return frame
        names = [name] if isinstance(name, str) else list(name)
        kept = [is_meant(each, names, regex_match) for each in frame[title]]
        return frame[kept].reset_index(drop=True)


def is_meant(name: str, wanted: Sequence[str], regex_match: bool) -> bool:
    """Whether a name is in a list, or matches one of some regular expressions."""
    if regex_match:
        return any(re.search(pattern, name) for pattern in wanted)
    return name in wanted
