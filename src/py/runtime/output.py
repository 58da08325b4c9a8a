"""sys.stdout, sys.stderr and warnings of a running script, directed to the client."""

import io
import sys
import warnings

import _oml_epe
from _oml_epe_runtime.errors import LONGEST_MESSAGE, encodable, shorten

_PIECE = 1 << 20  # characters


class _Bytes(io.RawIOBase):
    """The class of `sys.stdout.buffer`: bytes are decoded as UTF-8."""

    def __init__(self, text):
        self._text = text

    def writable(self):
        return True

    def write(self, data):
        self._text.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)


class Stream(io.TextIOBase):
    """A text stream whose lines become notices."""

    def __init__(self, name, is_error):
        self.name = name
        self.mode = "w"
        self._is_error = is_error

    @property
    def encoding(self):
        return "utf-8"

    @property
    def errors(self):
        return "backslashreplace"

    @property
    def line_buffering(self):
        return True

    @property
    def buffer(self):
        return _Bytes(self)

    def writable(self):
        return True

    def close(self):
        """Do nothing: the stream belongs to the engine."""

    def write(self, text):
        if isinstance(text, str) and len(text) > _PIECE:
            # In pieces, between which the script can be interrupted.
            for first in range(0, len(text), _PIECE):
                self._write(str.__getitem__(text, slice(first, first + _PIECE)))
        else:
            self._write(text)
        return len(text)

    def _write(self, text):
        if not _oml_epe.write_output(self._is_error, text):
            fallback = sys.__stderr__  # a thread that has outlived its script
            if fallback is not None:
                fallback.write(text)


stdout = Stream("<stdout>", False)
stderr = Stream("<stderr>", True)


def install_showwarning():
    """Send warnings to the client while a script runs; otherwise as before."""
    before = warnings.showwarning

    def showwarning(message, category, filename, lineno, file=None, line=None):
        if file is None:
            text = shorten(f"{category.__name__}: {message}", LONGEST_MESSAGE)
            text = encodable(text)
            if _oml_epe.show_warning(text, f"{text}\n{lineno}"):
                return
        before(message, category, filename, lineno, file, line)

    warnings.showwarning = showwarning


def forget_shown_warnings():
    """Clear the record of shown warnings in every module."""
    # A changed version of the filters invalidates all registries, as `simplefilter` does.
    mutated = getattr(warnings, "_filters_mutated", None) or getattr(
        warnings, "_filters_mutated_lock_held", None
    )
    if mutated is None:
        return
    lock = getattr(warnings, "_lock", None)
    if lock is not None:
        with lock:
            mutated()
    else:
        mutated()
