"""A client that sends functions of each kind: sent_functions.py DSN; prints failures as JSON."""

from __future__ import annotations

import functools
import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "python"))

import oml
from oml.embed._functions import source_of

RATE = 0.1
NAMES: list[Any] = ["a", ("b", 1.5), {"c": {1, 2}}]
LIMITS = {"low": -math.inf, "high": complex(1, math.inf), "none": None, "raw": b"\x00", "e": ()}
LOOP: list[Any] = []
LOOP.append(LOOP)


def register(func: Callable[..., Any]) -> Callable[..., Any]:
    return func


def doubled(func: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(func)
    def run(*arguments: Any) -> Any:
        return 2 * func(*arguments)

    return run


def by_default(x: float = np.pi, *, k: float = RATE) -> bool:
    return bool(x == np.pi and k == 0.1)


@register
def decorated() -> int:
    return 1


@doubled
def wrapped() -> int:
    return helper(3)


def helper(value: int) -> int:
    return 1 if value <= 0 else value * helper(value - 1)


def uses_constants() -> Any:
    return [RATE, NAMES[:2], sorted(NAMES[2]["c"]), repr(LIMITS)]


def annotated(value: np.ndarray | None = None) -> list[np.float64]:
    return [np.float64(1)]


def uses_helper() -> int:
    return helper(4) + math.floor(1.5)


class Local:
    pass


def uses_class() -> Any:
    return Local()


def uses_loop() -> Any:
    return LOOP


def make_closure() -> Callable[[], int]:
    inside = 5

    def closure() -> int:
        return inside

    return closure


RUNS: list[tuple[Callable[..., Any], Any]] = [
    (by_default, True),
    (decorated, 1),
    (wrapped, 12),
    (uses_constants, uses_constants()),
    (annotated, [np.float64(1)]),
    (uses_helper, 25),
]
#: Functions that cannot be sent as source, and the names in the error.
REFUSED: dict[Any, str] = {
    uses_class: '"Local"',
    uses_loop: '"LOOP"',
    make_closure(): '"inside" of the enclosing function',
    (lambda: 1): "lambda",
    len: "builtin_function_or_method",
}


def main(dsn: str) -> None:
    oml.connect(dsn=dsn)
    failed: dict[str, str] = {}
    for func, expected in RUNS:
        for way in ("as it is", "by source"):
            try:
                got = oml.do_eval(func if way == "as it is" else source_of(func, "a test"))
                assert got == expected, got
            except Exception as problem:
                failed[f"{func.__name__} {way}"] = f"{type(problem).__name__}: {problem}"
    for refused, what in REFUSED.items():
        try:
            text = source_of(refused, "a test")
        except TypeError as problem:
            if not re.search(re.escape(what), str(problem)):
                failed[refused.__name__] = str(problem)
        else:
            failed[refused.__name__] = f"was written as {text!r}"
    print(json.dumps(failed))


if __name__ == "__main__":
    main(sys.argv[1])
