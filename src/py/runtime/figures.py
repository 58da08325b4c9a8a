"""Captures the matplotlib figures that a script left open, as PNG."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import Any

try:
    from _oml_epe_runtime.checks import bounded_recursion, check_memory, plain_array
except ImportError:  # outside an engine: the tests of this module
    bounded_recursion = contextlib.nullcontext

    def check_memory(value: Any) -> Any:
        return value

    def plain_array(array: Any) -> Any:
        return sys.modules["numpy"].ndarray.view(array, sys.modules["numpy"].ndarray)


__all__ = ["capture", "close_all", "is_drawing", "replay"]


def _managers() -> list[Any]:
    """The open figures' managers, in the order of the figures' numbers."""
    if "matplotlib.pyplot" not in sys.modules:
        return []
    # Not pyplot.figure(number): that would change the current figure.
    helpers = sys.modules["matplotlib._pylab_helpers"]
    return [manager for _, manager in sorted(helpers.Gcf.figs.items())]


def _title(figure: Any) -> str | None:
    """The title of the figure, else of the first axes with a title."""
    suptitle = getattr(figure, "_suptitle", None)
    if suptitle is not None and suptitle.get_text():
        return str(suptitle.get_text())
    for axes in figure.axes:
        for where in ("center", "left", "right"):
            title = axes.get_title(loc=where)
            if title:
                return str(title)
    return None


_stored: list[tuple[str | None, bytes]] | None = None


def replay(images: list[tuple[str | None, bytes]]) -> None:
    """Make the next capture() return these images, of a result that is replayed."""
    global _stored
    _stored = images


def is_drawing(result: Any) -> bool:
    """Whether a result is only a drawing or its parts, not a value.

    A figure, axes, any artist, pyplot itself, a plot of seaborn, and containers of only these (as
    returned by `plot`, `bar` and `subplots`).
    """
    try:
        with bounded_recursion():
            return _is_drawing(result)
    except RecursionError:  # contains itself, unlike a drawing
        return False


def _is_drawing(result: Any) -> bool:
    if result is None:
        return False
    artist = getattr(sys.modules.get("matplotlib.artist"), "Artist", None)
    if artist is None:
        return False
    if isinstance(result, artist) or result is sys.modules.get("matplotlib.pyplot"):
        return True
    if isinstance(getattr(result, "figure", None), artist):
        return True  # a grid of seaborn, a container of bars
    if isinstance(result, dict):
        return bool(result) and all(map(_is_drawing, result.values()))
    if isinstance(result, (list, tuple)):
        has_drawing = False
        for each in result:
            if _is_drawing(each):
                has_drawing = True
            elif not _is_array(each):  # hist() returns counts and edges beside its patches
                return False
        return has_drawing
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(result, numpy.ndarray) and result.dtype == object:
        axes = plain_array(result)  # from subplots()
        return bool(axes.size) and all(map(_is_drawing, axes.ravel().tolist()))
    return False


def _is_array(value: Any) -> bool:
    return type(value).__module__ == "numpy" and hasattr(value, "dtype")


def _figures_of(result: Any) -> list[Any]:
    """The figures in a result that pyplot does not manage (any more)."""
    figure = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    if figure is None:
        return []
    found = result if isinstance(result, (list, tuple)) else [result]
    managed = [manager.canvas.figure for manager in _managers()]
    figures: list[Any] = []
    for each in found:
        own = each if isinstance(each, figure) else getattr(each, "figure", None)
        if isinstance(own, figure) and not any(own is other for other in (*managed, *figures)):
            figures.append(own)
    return figures


def capture(result: Any = None) -> list[tuple[str | None, bytes]]:
    """Render all open figures, and those in the result.

    Returns
    -------
    list of (title, png)
        In the order of the figures' numbers. The output is deterministic: the images contain
        neither a date nor the version of the software.
    """
    global _stored
    if _stored is not None:
        images, _stored = _stored, None
        return images
    images = []
    for figure in [*(manager.canvas.figure for manager in _managers()), *_figures_of(result)]:
        file = io.BytesIO()
        check_memory(figure)
        figure.savefig(file, format="png", metadata={"Software": None})
        images.append((_title(figure), file.getvalue()))
    return images


def close_all() -> None:
    """Close every open figure. No-op when pyplot was never imported."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")
