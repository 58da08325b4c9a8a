"""Captures the matplotlib figures that a script left open, as PNG."""

from __future__ import annotations

import io
import sys
from typing import Any

__all__ = ["capture", "close_all", "replay"]


def _managers() -> list[Any]:
    """The open figures' managers, in the order of the figures' numbers."""
    if "matplotlib.pyplot" not in sys.modules:
        return []
    # Not pyplot.figure(number): that would change which figure is the current one.
    helpers = sys.modules["matplotlib._pylab_helpers"]
    return [manager for _, manager in sorted(helpers.Gcf.figs.items())]


def _title(figure: Any) -> str | None:
    """The title over the figure, else of the first axes that has one."""
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
    """Make the next capture() give these images: those of a result that is replayed."""
    global _stored
    _stored = images


def capture() -> list[tuple[str | None, bytes]]:
    """Render every open figure.

    Returns
    -------
    list of (title, png)
        In the order of the figures' numbers. The same figure gives the same bytes: the images
        carry neither a date nor the version of the software.
    """
    global _stored
    if _stored is not None:
        images, _stored = _stored, None
        return images
    images = []
    for manager in _managers():
        figure = manager.canvas.figure
        file = io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
        images.append((_title(figure), file.getvalue()))
    return images


def close_all() -> None:
    """Close every open figure. Nothing happens when pyplot was never imported."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")
