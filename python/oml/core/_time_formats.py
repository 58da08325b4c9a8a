"""Formats of timestamps: Python's, Oracle's and PostgreSQL's."""

from __future__ import annotations

import re

#: Directives of Python's strftime() -> PostgreSQL's template patterns.
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
#: Patterns of Oracle's templates that have other names in PostgreSQL.
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
            raise ValueError(f'"{found[0]}" in the format has no counterpart in PostgreSQL')
    return "".join([*parts, _quoted(rest)])


def template_of(text: str) -> str:
    """Return PostgreSQL's template of a format: Python's if it contains a %, otherwise Oracle's.

    Raises
    ------
    ValueError
        The format contains a directive without a counterpart.
    """
    if not isinstance(text, str) or not text:
        raise TypeError("the format must be a str that is not empty")
    if "%" in text:
        return _of_directives(text)
    pieces = re.split(r'("(?:[^"\\]|\\.)*")', text)
    for number in range(0, len(pieces), 2):
        for pattern, replacement in _ORACLE:
            pieces[number] = re.sub(pattern, replacement, pieces[number], flags=re.I)
    return "".join(pieces)


def has_zone(template: str) -> bool:
    """Whether a template contains a time zone offset outside of quoted text."""
    return re.search(r"TZ|OF", re.sub(r'"(?:[^"\\]|\\.)*"', "", template), re.I) is not None
