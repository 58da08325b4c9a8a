"""A client whose pickles the other side cannot load: unloadable.py DSN; prints errors as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "python"))

import oml


class Vanishing:
    """Is pickled by a name in numpy that the other side does not have."""

    def __reduce__(self) -> str:
        return "vanished"

    def __call__(self, *_: Any) -> None:
        pass


Vanishing.__module__ = "numpy"

MAKE = """
def make():
    import numpy

    class Gone:
        def __reduce__(self):
            return "gone"
        def __call__(self, *_):
            pass

    Gone.__module__ = "numpy"
    numpy.gone = gone = Gone()

    class Thing:
        def __reduce__(self):
            return gone, (numpy.float64(1),)
    return Thing()
"""


def main(dsn: str) -> None:
    oml.connect(dsn=dsn)
    numpy.vanished = made = Vanishing()  # type: ignore[attr-defined]

    class Sent:
        def __reduce__(self) -> Any:
            return made, (numpy.float64(1),)

    errors: dict[str, list[str]] = {}

    def note(what: str, call: Any) -> None:
        try:
            got = call()
        except (oml.DatabaseError, TypeError) as problem:
            errors[what] = [str(problem), str(getattr(problem, "hint", ""))]
        else:
            errors[what] = [f"no error: {got!r}", ""]

    note("argument", lambda: oml.do_eval("def f(x):\n    return 1", x=Sent()))
    note("result", lambda: oml.do_eval(MAKE))
    oml.ds.save({"x": Sent()}, "unloadable", overwrite=True)
    del numpy.vanished  # type: ignore[attr-defined]
    note("datastore", lambda: oml.ds.load("unloadable", to_globals=False))
    oml.ds.delete("unloadable")
    print(json.dumps(errors))


if __name__ == "__main__":
    main(sys.argv[1])
