"""Results with images."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oml._annotations import UserObject


class _DataImage:
    """The returned value of a function, and its figures.

    Attributes
    ----------
    dat : object
        The returned object.
    img : list of bytes
        One PNG file per figure, in the order of the figure numbers.
    """

    def __init__(self, dat: UserObject, img: list[bytes]) -> None:
        self.dat = dat
        self.img = img

    def __repr__(self) -> str:
        return repr(self.dat)

    def _repr_png_(self) -> bytes:
        return self.img[0]

    def _repr_html_(self) -> str:
        own = getattr(self.dat, "_repr_html_", None)
        text = own() if own is not None else None
        if text is None:
            text = "" if self.dat is None else f"<pre>{html.escape(repr(self.dat))}</pre>"
        images = "".join(
            f'<img src="data:image/png;base64,{base64.b64encode(image).decode()}">'
            for image in self.img
        )
        return f"<div>{text}{images}</div>"
