"""Formats of points in time: Python's, Oracle's and PostgreSQL's."""

from __future__ import annotations

import re

#: Directives of Python's strftime() in PostgreSQL's templates.
_DIRECTIVES = {
    "A": "FMDay",
    "B": "FMMonth",
    "G": "IYYY",
    "H": "HH24",
    "I": "HH12",
    "M": "MI",
    "S": "SS",
    "V": "IW",
    "Y": "YYYY",
    "a": "Dy",
    "b": "Mon",
    "d": "DD",
    "f": "US",
    "j": "DDD",
    "m": "MM",
    "p": "AM",
    "u": "ID",
    "y": "YY",
    "z": "TZHTZM",
}
#: Of Oracle's templates, what PostgreSQL calls otherwise.
_ORACLE = (("RRRR", "YYYY"), ("RR", "YY"), (r"X?FF[7-9]?(?!\d)", "US"), (r"FF([1-6])", r"FF\1"))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if text else ""


def _of_directives(text: str) -> str:
    parts: list[str] = []
    rest = ""
    for found in re.finditer(r"%(.)|([^%]+)|%", text, re.S):
        directive = found[1]
        if directive == "%":
            rest += "%"
        elif found[2] is not None:
            rest += found[2]
        elif directive in _DIRECTIVES:
            parts += [_quoted(rest), _DIRECTIVES[directive]]
            rest = ""
        else:
            raise ValueError(f'the format has "{found[0]}", which has no counterpart in PostgreSQL')
    return "".join([*parts, _quoted(rest)])


def template_of(text: str) -> str:
    """Return PostgreSQL's template of a format: Python's where it has a %, else Oracle's.

    Raises
    ------
    ValueError
        The format has a directive without a counterpart.
    """
    if not isinstance(text, str) or not text:
        raise TypeError("a format is a str that is not empty")
    if "%" in text:
        return _of_directives(text)
    pieces = re.split(r'("(?:[^"\\]|\\.)*")', text)
    for number in range(0, len(pieces), 2):
        for pattern, replacement in _ORACLE:
            pieces[number] = re.sub(pattern, replacement, pieces[number], flags=re.I)
    return "".join(pieces)


def has_zone(template: str) -> bool:
    """Whether a template has the offset of a time zone outside of quoted texts."""
    return re.search(r"TZ|OF", re.sub(r'"(?:[^"\\]|\\.)*"', "", template), re.I) is not None
