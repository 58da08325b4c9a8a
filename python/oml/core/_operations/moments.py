"""Third and fourth moments of numeric columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from oml._db import connection as db

_SMALL = "1e-60"  # in standard deviations: powers of smaller values would underflow in PostgreSQL


class Moments(NamedTuple):
    """The moments of one column.

    Attributes
    ----------
    present, missing : int
    is_constant : bool
    powers : sequence of four float or None
        Sums of the first to fourth powers of the values' distances from approximately the mean, in
        approximate standard deviations.
    """

    present: int
    missing: int
    is_constant: bool
    powers: tuple[float | None, ...]


def moments(relation: str, expressions: Sequence[str]) -> list[Moments]:
    """Compute the moments of expressions over a relation's rows by one query.

    Distances from the mean are summed, because sums of powers of the values would lose precision.
    """
    numbers = range(len(expressions))

    def listed(item: str) -> str:
        return ", ".join(item.format(n=n) for n in numbers)

    values = ", ".join(f"({text})::pg_catalog.float8 AS x{n}" for n, text in enumerate(expressions))
    rows = f"(SELECT {values} FROM {relation} AS t)"
    about = listed("pg_catalog.avg(x{n}) AS m{n}, pg_catalog.stddev_pop(x{n}) AS s{n}")
    distances = listed("x{n}, (x{n} - m{n}) / NULLIF(s{n}, 0) AS d{n}")
    kept = listed(
        f"x{{n}}, CASE WHEN pg_catalog.abs(d{{n}}) < {_SMALL} THEN 0 ELSE d{{n}} END AS z{{n}}"
    )
    sums = listed(
        "pg_catalog.count(x{n}), pg_catalog.count(*) - pg_catalog.count(x{n}), "
        "COALESCE(pg_catalog.min(x{n}) = pg_catalog.max(x{n}), TRUE), "
        "pg_catalog.sum(z{n}), pg_catalog.sum(z{n} * z{n}), "
        "pg_catalog.sum(z{n} * z{n} * z{n}), pg_catalog.sum(z{n} * z{n} * z{n} * z{n})"
    )
    row = db.connection().query(
        f"SELECT {sums} FROM (SELECT {kept} FROM (SELECT {distances} FROM {rows} AS v "
        f"CROSS JOIN (SELECT {about} FROM {rows} AS w) AS m) AS d) AS z"
    )[1][0]
    parts = [row[7 * n : 7 * n + 7] for n in numbers]
    return [Moments(part[0], part[1], part[2], part[3:]) for part in parts]


def shape_of(found: Moments, power: int, skipna: bool, bias: bool) -> float:
    """Return the skewness (power 3) or excess kurtosis (4), NaN if there are too few values.

    Parameters
    ----------
    found : Moments
    power : int
    skipna : bool
    bias : bool
        Whether the values are a population; False: the unbiased estimate from a sample.
    """
    n = found.present
    if n < (1 if bias else power) or (found.missing and not skipna):
        return math.nan
    if found.is_constant:
        return 0.0
    # Corrected to the exact mean: the database's mean was rounded.
    e1, e2, e3, e4 = (math.nan if each is None else each / n for each in found.powers)
    variance = e2 - e1**2
    if power == 3:
        third = e3 - 3 * e1 * e2 + 2 * e1**3
        skewness = third / math.pow(variance, 1.5)
        return skewness if bias else math.sqrt(n * (n - 1)) / (n - 2) * skewness
    fourth = e4 - 4 * e1 * e3 + 6 * e1**2 * e2 - 3 * e1**4
    excess = fourth / variance**2 - 3
    return excess if bias else (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * excess + 6)
