"""What oml.ds.dir() and oml.script.dir() have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from oml import _session

if TYPE_CHECKING:
    import pandas


class Listing(NamedTuple):
    """How objects of one sort are listed.

    Attributes
    ----------
    grant_type, argument : str
        What grants call the sort, and what the argument is called that says which are wanted.
    view : str
        Of what may be read, as l.
    columns : dict of str to str
        Names in the result, the first being the object's, and their SQL.
    owner : str
        SQL of the owner.
    conditions : dict of str to str
        Which are wanted, and their SQL.
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
        """Return the objects of a kind, or with 'grant' to whom they are granted.

        Raises
        ------
        ValueError
            There is no such kind.
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
        frame = pandas.DataFrame(
            _session.connection().query(sql, parameters)[1], columns=list(columns)
        )
        if name is None:
            return frame
        names = [name] if isinstance(name, str) else list(name)
        kept = [is_meant(each, names, regex_match) for each in frame[title]]
        return frame[kept].reset_index(drop=True)


def is_meant(name: str, wanted: Sequence[str], regex_match: bool) -> bool:
    """Whether a name is one of some, or matches one of some regular expressions."""
    if regex_match:
        return any(re.search(pattern, name) for pattern in wanted)
    return name in wanted
