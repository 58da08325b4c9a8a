"""Binning of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oml._db import connection as db
from oml.core._query import Column
from oml.core._sql import literal, text_literal

if TYPE_CHECKING:
    from oml._annotations import CellValue
    from oml._transfer.arrays import Array


def cut(
    relation: str, column: Column, bins: CellValue, options: dict[str, CellValue]
) -> tuple[Column, Array]:
    """Return the bin of each value, and the edges of the bins; see Float.cut()."""
    import numpy
    import pandas

    edges = bins
    sample: Any = []  # numbers: a list or an array
    if isinstance(bins, (int, numpy.integer)) and not isinstance(bins, bool):
        value = column.present
        rows = f"FROM {relation} AS t"
        sql = f"SELECT pg_catalog.min({value}), pg_catalog.max({value}) {rows}"
        ends = db.connection().query(sql)[1][0]
        if ends[0] is None:
            raise ValueError("there are no values to cut")
        sample = numpy.array(ends, "float64")
    elif isinstance(bins, (str, bytes)) or not hasattr(bins, "__len__"):
        raise TypeError("bins must be a number or a list of edges")
    else:
        edges = numpy.array([float(edge) for edge in bins])
        sample = edges
    # pandas computes and names the edges as for local values.
    made, found = pandas.cut(sample, edges, retbins=True, **options)
    if options["labels"] is False:
        names: list[CellValue] = list(range(len(found) - 1))
    else:
        names = [str(name) for name in made.categories]
    below, above = (">", "<=") if options["right"] else (">=", "<")
    value = f"({column.expression})::pg_catalog.float8"
    texts = []
    for number, name in enumerate(names):
        least = ">=" if number == 0 and options["include_lowest"] and options["right"] else below
        shown = literal(name) if isinstance(name, int) else text_literal(name)
        texts.append(
            f"WHEN {value} {least} {literal(float(found[number]))} "
            f"AND {value} {above} {literal(float(found[number + 1]))} THEN {shown}"
        )
    kind = "bigint" if options["labels"] is False else "text"
    body = f"(CASE {' '.join(texts)} END)::{kind}"
    return Column(body, kind), found
