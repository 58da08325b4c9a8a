"""Plots of columns: computed in the database, drawn locally by matplotlib."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Union

from oml._db import connection as db
from oml.core._base import BaseFrame
from oml.core._sql import literal
from oml.core.series import NumericSeries

if TYPE_CHECKING:
    from oml._annotations import AnyColumn, CellValue, PlotObject, Row
    from oml._transfer.arrays import Array

if TYPE_CHECKING:
    Range = Union[Sequence[float], None]  # first and last value

__all__ = ["boxplot", "hist"]

_MOST_BINS = 100_000


def _pyplot() -> PlotObject:
    try:
        import matplotlib.pyplot as pyplot
    except ImportError:
        raise ImportError("oml.graphics needs matplotlib: pip install matplotlib") from None
    return pyplot


def _columns(x: object) -> list[NumericSeries]:
    """The numeric columns to draw: of a frame, a column, or a list of columns."""
    columns: list[AnyColumn]
    if isinstance(x, BaseFrame):
        columns = [x._series(name) for name in x.columns]
    else:
        columns = list(x) if isinstance(x, (list, tuple)) else [x]
    for column in columns:
        if not isinstance(column, NumericSeries):
            name = getattr(column, "_name", "") or type(column).__name__
            raise TypeError(f'"{name}" is not a numeric column of an oml.DataFrame')
    if not columns:
        raise ValueError("x must contain at least one column")
    return columns


def _query(column: NumericSeries, items: Sequence[str], condition: str = "") -> list[Row]:
    rows = f"{column._source.relation} AS t WHERE {_value(column)} IS NOT NULL{condition}"
    sql = f"SELECT {', '.join(items)} FROM {rows}"
    return list(db.connection().query(sql)[1])


def _value(column: NumericSeries) -> str:
    """The value to draw: neither missing nor infinite."""
    value = f"({column._present})::pg_catalog.float8"
    if column._IS_INTEGER:
        return value
    return f"NULLIF(NULLIF({value}, 'Infinity'), '-Infinity')"


# ------------------------------------------------------------------------------- histograms


def _edges(columns: list[NumericSeries], bins: PlotObject, range_: Range) -> Array:
    """The bin edges, common to all columns, as chosen by numpy.histogram()."""
    import numpy

    if not isinstance(bins, (int, str, numpy.integer)):
        edges = numpy.asarray([float(edge) for edge in bins])
        if len(edges) < 2 or (numpy.diff(edges) < 0).any():
            raise ValueError("bins must contain at least two edges in ascending order")
        return edges
    found = [_shape(column, range_) for column in columns]
    counted = [shape for shape in found if shape[0]]
    if range_ is None:
        range_ = (
            (min(shape[1] for shape in counted), max(shape[2] for shape in counted))
            if counted
            else (0.0, 1.0)
        )
    first, last = float(range_[0]), float(range_[1])
    if isinstance(bins, str):
        bins = max((_bins(bins, shape, last - first) for shape in counted), default=1)
        if int(numpy.__version__.split(".")[0]) >= 2 and all(c._IS_INTEGER for c in columns):
            bins = min(bins, max(1, math.ceil(last - first)))  # no bin is narrower than 1
    if not 1 <= bins <= _MOST_BINS:
        raise ValueError(f"the number of bins must be from 1 to {_MOST_BINS}")
    return numpy.histogram_bin_edges([], int(bins), (first, last))


def _shape(column: NumericSeries, range_: Range) -> tuple[int, float, float, float, float]:
    """Count, minimum, maximum, standard deviation and interquartile range."""
    value = _value(column)
    quartile = "pg_catalog.percentile_cont({0}) WITHIN GROUP (ORDER BY {1})"
    condition = ""
    if range_ is not None:
        first, last = (literal(float(end)) for end in range_)
        condition = f" AND {value} BETWEEN {first} AND {last}"
    row = _query(
        column,
        [
            "pg_catalog.count(*)",
            f"pg_catalog.min({value})",
            f"pg_catalog.max({value})",
            f"pg_catalog.stddev_pop({value})",
            f"{quartile.format(0.75, value)} - {quartile.format(0.25, value)}",
        ],
        condition,
    )[0]
    count, *numbers = row
    least, greatest, deviation, spread = (0.0 if v is None else float(v) for v in numbers)
    return int(count), least, greatest, deviation, spread


def _bins(rule: str, shape: tuple[int, float, float, float, float], width: float) -> int:
    """The number of bins that one of numpy's rules chooses for a column."""
    count, least, greatest, deviation, spread = shape
    width = width or greatest - least
    sturges = math.log2(count) + 1
    by_spread = 2 * spread / count ** (1 / 3)
    by_deviation = (24 * math.pi**0.5 / count) ** (1 / 3) * deviation
    widths = {"fd": by_spread, "scott": by_deviation, "auto": by_spread}
    numbers = {"sturges": sturges, "sqrt": count**0.5, "rice": 2 * count ** (1 / 3)}
    if rule in numbers:
        return math.ceil(float(numbers[rule]))
    if rule not in widths:
        rules = ", ".join(sorted([*numbers, *widths]))
        raise ValueError(f'unknown rule "{rule}" for bins; use one of {rules}')
    if rule == "auto":
        by_rule = min(by_spread, width / sturges) if by_spread else width / sturges
    else:
        by_rule = widths[rule]
    return max(1, math.ceil(width / by_rule)) if by_rule else 1


def _counts(column: NumericSeries, edges: Array) -> Array:
    """The number of values in each bin; the last bin includes its right edge."""
    import numpy

    value = _value(column)
    listed = ", ".join(literal(float(edge)) for edge in edges)
    last = literal(float(edges[-1]))
    thresholds = f"ARRAY[{listed}]"
    number = (
        f"CASE WHEN {value} = {last} THEN {len(edges) - 1} "
        f"ELSE pg_catalog.width_bucket({value}, {thresholds}) END"
    )
    rows = _query(
        column,
        [f"{number} AS bin", "pg_catalog.count(*)"],
        f" AND {value} BETWEEN {literal(float(edges[0]))} AND {last} GROUP BY 1",
    )
    counts = numpy.zeros(len(edges) - 1)
    for bin_number, count in rows:
        counts[int(bin_number) - 1] = count
    return counts


def hist(
    x: object,
    bins: object = None,
    range: tuple[float, float] | None = None,
    density: bool = False,
    weights: object = None,
    cumulative: object = False,
    ax: PlotObject = None,
    **kwargs: PlotObject,
) -> PlotObject:
    """Draw a histogram of columns; values are counted in the database.

    Parameters
    ----------
    x : column, DataFrame or list of columns
        Numeric columns; missing and infinite values are ignored.
    bins : int, list of edges, or str, optional
        As for matplotlib.pyplot.hist(), with the same default. Of numpy's rules "auto", "fd",
        "rice", "scott", "sqrt" and "sturges" are supported.
    range : (float, float), optional
        The minimum and maximum value to draw.
    density, cumulative : bool
        As for matplotlib.pyplot.hist().
    weights : optional
        Not supported.
    ax : matplotlib.axes.Axes, optional
        Target axes; the current axes by default.
    **kwargs
        Passed to matplotlib.pyplot.hist(): color, label, histtype, edgecolor, ...

    Returns
    -------
    n, bins, patches
        As returned by matplotlib.pyplot.hist().

    Examples
    --------
    >>> oml.graphics.hist(iris["petal_width"], bins=10, color="red")  # doctest: +SKIP
    """
    if weights is not None:
        raise TypeError("oml.graphics.hist() does not support weights")
    columns = _columns(x)
    pyplot = _pyplot()
    wanted = pyplot.rcParams["hist.bins"] if bins is None else bins
    edges = _edges(columns, wanted, range)
    counts = [_counts(column, edges) for column in columns]
    axes = pyplot.gca() if ax is None else ax
    values = [edges[:-1]] * len(columns)
    is_one = len(columns) == 1
    return axes.hist(
        values[0] if is_one else values,
        bins=edges,
        weights=counts[0] if is_one else counts,
        density=density,
        cumulative=cumulative,
        **kwargs,
    )


# -------------------------------------------------------------------------------- box plots


def _whiskers(whis: PlotObject) -> tuple[str, CellValue]:
    """The definition of whiskers: ("range", factor) or ("percentiles", two numbers)."""
    if isinstance(whis, (int, float)) and not isinstance(whis, bool):
        return "range", float(whis)
    low, high = whis
    if not 0 <= low <= high <= 100:
        raise ValueError("whis must be a number or two percentiles")
    return "percentiles", (float(low) / 100, float(high) / 100)


def _statistics(
    column: NumericSeries, whis: PlotObject, autorange: bool, has_fliers: bool
) -> dict[str, object]:
    """The statistics of a column that matplotlib.axes.Axes.bxp() draws."""
    value = _value(column)
    kind, how = _whiskers(whis)
    shares = [0.25, 0.5, 0.75, *(how if kind == "percentiles" else ())]
    listed = ", ".join(f"{share!r}" for share in shares)
    quantiles = (
        f"pg_catalog.percentile_cont(ARRAY[{listed}]::pg_catalog.float8[]) "
        f"WITHIN GROUP (ORDER BY {value})"
    )
    count, mean, found = _query(
        column, ["pg_catalog.count(*)", f"pg_catalog.avg({value})", quantiles]
    )[0]
    nan = math.nan
    if not count:
        names = ("mean", "med", "q1", "q3", "iqr", "cilo", "cihi", "whislo", "whishi")
        return {**dict.fromkeys(names, nan), "fliers": []}
    q1, median, q3, *ends = (float(quantile) for quantile in found)
    spread = q3 - q1
    if kind == "range":
        if spread == 0 and autorange:
            ends = [-math.inf, math.inf]
        else:
            ends = [q1 - how * spread, q3 + how * spread]
    low, high = (literal(end) for end in ends)
    least, greatest = _query(
        column,
        [
            f"pg_catalog.min({value}) FILTER (WHERE {value} >= {low})",
            f"pg_catalog.max({value}) FILTER (WHERE {value} <= {high})",
        ],
    )[0]
    least = q1 if least is None or least > q1 else float(least)
    greatest = q3 if greatest is None or greatest < q3 else float(greatest)
    fliers: list[float] = []
    if has_fliers:  # equal values are drawn once
        outside = f" AND ({value} < {literal(least)} OR {value} > {literal(greatest)})"
        fliers = [float(row[0]) for row in _query(column, [f"DISTINCT {value}"], outside)]
    margin = 1.57 * spread / math.sqrt(count)
    return {
        "mean": float(mean),
        "med": median,
        "q1": q1,
        "q3": q3,
        "iqr": spread,
        "cilo": median - margin,
        "cihi": median + margin,
        "whislo": least,
        "whishi": greatest,
        "fliers": fliers,
    }


def boxplot(
    x: object,
    notch: bool | None = None,
    sym: str | None = None,
    vert: bool | None = None,
    whis: PlotObject = None,
    labels: Iterable[str] | None = None,
    showfliers: bool | None = None,
    autorange: bool = False,
    ax: PlotObject = None,
    **kwargs: PlotObject,
) -> PlotObject:
    """Draw a box for each column; quartiles and whiskers are computed in the database.

    Distinct values beyond the whiskers are fetched; missing and infinite values are ignored.

    Parameters
    ----------
    x : DataFrame, column or list of columns
        Numeric columns.
    notch, vert, whis, autorange
        As for matplotlib.pyplot.boxplot(). `bootstrap`, `usermedians` and `conf_intervals` are not
        supported.
    sym : str, optional
        "" omits the values beyond the whiskers.
    labels : list of str, optional
        Labels of the boxes; by default they are numbered.
    showfliers : bool, optional
        Whether to draw values beyond the whiskers.
    ax : matplotlib.axes.Axes, optional
        Target axes; the current axes by default.
    **kwargs
        Passed to matplotlib.axes.Axes.bxp(): positions, widths, patch_artist, showmeans, meanline,
        ...

    Returns
    -------
    dict
        As returned by matplotlib.pyplot.boxplot(): boxes, medians, whiskers, caps, fliers, means.

    Examples
    --------
    >>> oml.graphics.boxplot(iris[:, 0:4], showmeans=True)  # doctest: +SKIP
    """
    columns = _columns(x)
    pyplot = _pyplot()
    settings = pyplot.rcParams

    def chosen(value: object, name: str) -> PlotObject:
        return settings[f"boxplot.{name}"] if value is None else value

    tick_labels = kwargs.pop("tick_labels", labels)
    names = [str(n) for n, _ in enumerate(columns, 1)]
    if tick_labels is not None:
        names = [str(label) for label in tick_labels]
        if len(names) != len(columns):
            raise ValueError("labels must contain one text per column")
    has_fliers = chosen(showfliers, "showfliers") and sym != ""
    drawn = [
        {**_statistics(column, chosen(whis, "whiskers"), autorange, has_fliers), "label": name}
        for column, name in zip(columns, names)
    ]
    for name in ("patchartist", "showmeans", "meanline", "showcaps", "showbox"):
        argument = {"patchartist": "patch_artist"}.get(name, name)
        if kwargs.get(argument) is None:
            kwargs[argument] = settings[f"boxplot.{name}"]
    axes = pyplot.gca() if ax is None else ax
    if vert is False or (vert is None and not settings.get("boxplot.vertical", True)):
        if "orientation" in inspect.signature(axes.bxp).parameters:
            kwargs["orientation"] = "horizontal"
        else:  # before matplotlib 3.10
            kwargs["vert"] = False
    return axes.bxp(drawn, shownotches=chosen(notch, "notch"), showfliers=has_fliers, **kwargs)
