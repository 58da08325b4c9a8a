"""The forms in which functions are given."""

from __future__ import annotations

import builtins
import dis
import inspect
import linecache
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from oml.embed._pickling import is_local, why_not_cloudpickle

_MOST_SOURCE = 1 << 16  # characters of a file that go along for tracebacks
_DEFINITION = re.compile(
    r"\s*(?:\#[^\n]*\n\s*)*"
    r"(?:(?:async\s+)?def\s|@|import\s|from\s+[\w.]+\s+import\b|class\s|[\"']|\w+\s*=\s*lambda\b)"
)


class Target(NamedTuple):
    """What a call runs: a stored script, source text, or a function to be pickled.

    Attributes
    ----------
    name : str
        Of the script, or what to call the function in messages.
    owner : str or None
        Of a stored script.
    source : str or None
        None for a stored script, empty for a function to be pickled.
    function : callable or None
    lines : tuple or None
        (file name, first line number, lines) of the function.
    """

    name: str
    owner: str | None = None
    source: str | None = None
    function: Callable[..., Any] | None = None
    lines: tuple[str, int, list[str]] | None = None


def is_definition(text: str) -> bool:
    """Whether a string is Python source, not the name of a script."""
    return _DEFINITION.match(text) is not None or ("\n" in text.strip() and "def " in text)


def find_target(func: Any, func_owner: str | None, environment: str | None = None) -> Target:
    """Return what `func` means, for an engine of a Python environment (None: the usual one).

    Raises
    ------
    TypeError
        It is no function, or one that cannot be sent.
    """
    if isinstance(func, str):
        if not is_definition(func):
            return Target(func, owner=func_owner)
        return Target(_defined_name(func), source=func.lstrip("\n"))
    if hasattr(func, "get_source"):  # an oml.script.script.Callable
        return _loaded_script(func)
    if not callable(func):
        raise TypeError(
            f"func must be a function, a script's name or a definition, not {type(func).__name__}"
        )
    name = getattr(func, "__name__", type(func).__name__)
    module = getattr(func, "__module__", None)
    if not is_local(module) and "." not in getattr(func, "__qualname__", "."):
        return Target(name, source="", function=func)  # engines can import it
    reason = why_not_cloudpickle(environment)
    if reason:
        return Target(name, source=source_of(func, reason))
    return Target(name, source="", function=func, lines=_lines_of(func))


def _defined_name(text: str) -> str:
    names = re.findall(r"^(?:def|class)\s+(\w+)|^(\w+)\s*=\s*lambda\b", text, re.MULTILINE)
    return next((one or other for one, other in reversed(names)), "function")


def _loaded_script(func: Any) -> Target:
    name = getattr(func, "name", None) or getattr(func, "_name", None)
    owner = getattr(func, "owner", None) or getattr(func, "_owner", None)
    if isinstance(name, str):
        return Target(name, owner=owner)
    text = str(func.get_source().read())
    return Target(_defined_name(text), source=text)


def _lines_of(func: Any) -> tuple[str, int, list[str]] | None:
    code = getattr(func, "__code__", None)
    if code is None:
        return None
    whole = linecache.getlines(code.co_filename)
    if whole and sum(map(len, whole)) <= _MOST_SOURCE:  # also what stands around it
        return code.co_filename, 1, whole
    try:
        lines, first = inspect.getsourcelines(func)
    except (OSError, TypeError):
        return None
    return code.co_filename, max(first, 1), lines


# ------------------------------------------------------------------------------------- by source


def source_of(func: Any, reason: str) -> str:
    """Return the text of a module that defines a function: its source, and the imports it needs.

    Parameters
    ----------
    func : function
    reason : str
        Why it is not sent by value, for messages.

    Raises
    ------
    TypeError
        There is no source, or it needs more than can be written down.
    """
    name = getattr(func, "__name__", type(func).__name__)

    def fail(problem: str) -> TypeError:
        return TypeError(
            f'function "{name}" cannot be sent to an engine by its source: {problem}. '
            f"By value neither: {reason}. Import and define what it needs in its body, or give "
            "its text."
        )

    if not isinstance(func, types.FunctionType):
        raise fail(f"it is a {type(func).__name__}, not a plain function")
    if func.__code__.co_name == "<lambda>":
        raise fail("it is a lambda")
    try:
        text = textwrap.dedent(inspect.getsource(func))
    except (OSError, TypeError):
        raise fail("its source is not known") from None
    if func.__code__.co_freevars:
        free = ", ".join(f'"{variable}"' for variable in func.__code__.co_freevars)
        raise fail(f"it uses {free} of the function around it")
    head = ["from __future__ import annotations"]
    for used in sorted(set(_globals_of(func.__code__))):
        if used not in func.__globals__ or used == name:
            continue
        statement = _definition_of(used, func.__globals__[used])
        if statement is None:
            raise fail(f'it uses "{used}", which is defined outside')
        head.append(statement)
    return "\n".join(head) + "\n\n" + text


def _globals_of(code: types.CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _globals_of(constant)


def _definition_of(name: str, value: Any) -> str | None:
    """A statement that binds the name to the same value in an engine; None if there is none."""
    if isinstance(value, types.ModuleType):
        return None if is_local(value.__name__) else f"import {value.__name__} as {name}"
    if value is None or type(value) in (bool, int, str, bytes):
        return f"{name} = {value!r}"
    module = getattr(value, "__module__", None)
    own = getattr(value, "__name__", None)
    if isinstance(module, str) and isinstance(own, str) and not is_local(module):
        if getattr(sys.modules.get(module, builtins), own, None) is value:
            return f"from {module} import {own} as {name}"
    return None
