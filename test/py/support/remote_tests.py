"""Run a test function in an engine: oml_places.py stores this text as a script.

The modules of the test are sent as text. They are compiled under the names of their files, with
pytest's assertions where the engine can import pytest, and stay imported while their text is the
same. A failure is returned, not raised: it names the files and lines of the tests.
"""

from __future__ import annotations

import ast
import linecache
import sys
import traceback
import types
from typing import Any

LONGEST_VALUE = 300


def compiled(text: str, path: str) -> Any:
    """Return the code of a module, with asserts that explain themselves."""
    tree = ast.parse(text, path)
    try:
        from _pytest.assertion.rewrite import rewrite_asserts
    except ImportError:
        pass
    else:
        rewrite_asserts(tree, text.encode(), path)
    return compile(tree, path, "exec", dont_inherit=True)


def load(name: str, path: str, text: str) -> None:
    """Import a module from its text, unless this text is imported already."""
    if getattr(sys.modules.get(name), "__text__", None) == text:
        return
    module = types.ModuleType(name)
    module.__file__ = path
    module.__text__ = text  # type: ignore[attr-defined]
    linecache.cache[path] = len(text), None, text.splitlines(keepends=True), path
    sys.modules[name] = module
    try:
        exec(compiled(text, path), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise


def short(value: Any) -> str:
    """Return a value's representation, cut."""
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(error).__name__} in repr()>"
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def report(error: BaseException) -> str:
    """Return the error, the lines it passed through, and the variables of the test function."""
    kind = traceback.format_exception_only(type(error), error)
    lines = ["".join(kind).rstrip()]
    frames = list(traceback.walk_tb(error.__traceback__))[1:]  # the first is run_test() itself
    for frame, number in frames:
        code = frame.f_code
        lines.append(f"{code.co_filename}:{number}: in {code.co_name}")
        source = linecache.getline(code.co_filename, number).strip()
        if source:
            lines.append(f"    {source}")
    if frames:
        shown = frames[0][0].f_locals
        # Names with "@" are of rewritten assertions.
        lines += [f"    {name} = {short(shown[name])}" for name in shown if name[0] != "@"]
    return "\n".join(lines)


def run_test(modules: list[list[str]], name: str, place: str) -> str:
    """Run a test function of the last module; the first one checks what it left."""
    try:
        for each in modules:
            load(*each)
        checks, tests = (sys.modules[module] for module, _, _ in modules)
        getattr(tests, name)(place=place)
        checks.nothing_is_left()  # type: ignore[attr-defined]
    except Exception as error:
        return report(error)
    return "passed"
