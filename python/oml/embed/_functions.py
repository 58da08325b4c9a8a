"""The ways of specifying a function."""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import linecache
import math
import re
import sys
import textwrap
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from oml.embed._pickles import is_local, why_not_cloudpickle

if TYPE_CHECKING:
    from oml._annotations import UserFunction, UserObject

_MOST_SOURCE = 1 << 16  # maximum characters of a file sent for tracebacks
_DEFINITION = re.compile(
    r"\s*(?:\#[^\n]*\n\s*)*"
    r"(?:(?:async\s+)?def\s|@|import\s|from\s+[\w.]+\s+import\b|class\s|[\"']|\w+\s*=\s*lambda\b)"
)


class Target(NamedTuple):
    """The function of a call: a stored script, source text, or a function to be pickled.

    Attributes
    ----------
    name : str
        Name of the script, or of the function in messages.
    owner : str or None
        Owner of a stored script.
    source : str or None
        None for a stored script, empty for a function to be pickled.
    function : callable or None
    lines : tuple or None
        (file name, first line number, lines) of the function.
    """

    name: str
    owner: str | None = None
    source: str | None = None
    function: UserFunction | None = None
    lines: tuple[str, int, list[str]] | None = None


def is_definition(text: str) -> bool:
    """Whether a string is Python source rather than a script name."""
    return _DEFINITION.match(text) is not None or ("\n" in text.strip() and "def " in text)


def find_target(func: object, func_owner: str | None, environment: str | None = None) -> Target:
    """Return the target for `func`, for an engine of a Python environment (None: the default).

    Raises
    ------
    TypeError
        `func` is not a function, or cannot be sent.
    """
    if isinstance(func, str):
        if not is_definition(func):
            return Target(func, owner=func_owner)
        return Target(_defined_name(func), source=func.lstrip("\n"))
    if hasattr(func, "get_source"):  # an oml.script.script.Callable
        return _loaded_script(func)
    if not callable(func):
        raise TypeError(
            f"func must be a function, a script name or a definition, not {type(func).__name__}"
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


def _loaded_script(func: UserObject) -> Target:
    name = getattr(func, "name", None) or getattr(func, "_name", None)
    owner = getattr(func, "owner", None) or getattr(func, "_owner", None)
    if isinstance(name, str):
        return Target(name, owner=owner)
    text = str(func.get_source().read())
    return Target(_defined_name(text), source=text)


def _lines_of(func: UserObject) -> tuple[str, int, list[str]] | None:
    code = getattr(func, "__code__", None)
    if code is None:
        return None
    whole = linecache.getlines(code.co_filename)
    if whole and sum(map(len, whole)) <= _MOST_SOURCE:  # including the surrounding code
        return code.co_filename, 1, whole
    try:
        lines, first = inspect.getsourcelines(func)
    except (OSError, TypeError):
        return None
    return code.co_filename, max(first, 1), lines


# ------------------------------------------------------------------------------------- by source


def source_of(func: UserObject, reason: str) -> str:
    """Return the text of a module that defines a function: its source and its dependencies.

    Modules and installed functions that it uses become imports, constants and plain containers of
    constants become assignments, and functions defined in local modules are included together with
    their own dependencies. This includes names used in decorators and defaults.

    Parameters
    ----------
    func : function
    reason : str
        The reason why it is not sent by value, for messages.

    Raises
    ------
    TypeError
        The source is not available, or a dependency cannot be written as source.
    """
    name = getattr(func, "__name__", type(func).__name__)
    writer = _SourceWriter()
    try:
        writer.add_function(func)
    except _NotWrittenError as problem:
        raise TypeError(
            f'function "{name}" cannot be sent to an engine by its source: {problem}. '
            f"It cannot be sent by value either: {reason}. Import and define its dependencies in "
            "its body, pass them as arguments, or pass its source text."
        ) from None
    return writer.text()


class _NotWrittenError(Exception):
    """An object cannot be defined in an engine by its source."""


class _SourceWriter:
    """Collects the statements of a module that defines functions and their dependencies."""

    def __init__(self) -> None:
        self._statements: list[str] = []
        self._bound: dict[str, UserObject] = {}
        self._functions: list[str] = []

    def text(self) -> str:
        return "\n".join(
            ["from __future__ import annotations", *self._statements, "", *self._functions]
        )

    def add_function(self, func: UserObject) -> None:
        """Add the source of a function, dependencies first."""
        text, node = _parsed_source(func)
        plain = inspect.unwrap(func)
        if plain.__code__.co_freevars:
            free = ", ".join(f'"{variable}"' for variable in plain.__code__.co_freevars)
            raise _NotWrittenError(f"it uses {free} of the enclosing function")
        self._bound[node.name] = func
        for used in sorted({*_globals_of(plain.__code__), *_names_at_definition(node)}):
            if not used.isidentifier():  # not in the source, but added by pytest's rewriting
                continue
            if used in plain.__globals__:
                self._bind(used, plain.__globals__[used])
            elif not hasattr(builtins, used):
                raise _NotWrittenError(f'it uses "{used}", which is not defined')
        self._functions.append(text)

    def _bind(self, name: str, value: object) -> None:
        """Add a statement that binds the name to the same value in an engine."""
        if name in self._bound:
            if self._bound[name] is not value:
                raise _NotWrittenError(f'"{name}" has different meanings in its dependencies')
            return
        self._bound[name] = value
        statement = _definition_of(name, value)
        if statement is not None:
            self._statements.append(statement)
        elif isinstance(value, types.FunctionType) and value.__name__ == name:
            try:
                self.add_function(value)
            except _NotWrittenError as problem:
                raise _NotWrittenError(f'it uses "{name}": {problem}') from None
        else:
            kind = type(value).__name__
            raise _NotWrittenError(f'it uses "{name}", a {kind} defined outside of it')


def _parsed_source(func: object) -> tuple[str, ast.FunctionDef]:
    """The source of a plain function, and its definition within it."""
    if not isinstance(func, types.FunctionType):
        raise _NotWrittenError(f"it is a {type(func).__name__}, not a plain function")
    plain = inspect.unwrap(func)
    if not isinstance(plain, types.FunctionType):
        raise _NotWrittenError(f"it wraps a {type(plain).__name__}, not a plain function")
    if plain.__code__.co_name == "<lambda>":
        raise _NotWrittenError("it is a lambda (define it with def)")
    try:
        text = textwrap.dedent(inspect.getsource(plain))
        statement = ast.parse(text).body[0]
    except (OSError, TypeError):
        raise _NotWrittenError("its source is not available") from None
    except (SyntaxError, IndexError):
        raise _NotWrittenError("its source cannot be extracted from its file") from None
    if not isinstance(statement, ast.FunctionDef):
        raise _NotWrittenError("it is not defined by its own def statement")
    if plain is not func and not statement.decorator_list:
        raise _NotWrittenError("it was decorated after its definition")
    return text, statement


def _names_at_definition(node: ast.FunctionDef) -> Iterator[str]:
    """The names used by decorators and defaults; annotations are not evaluated."""
    arguments = node.args
    for part in (*node.decorator_list, *arguments.defaults, *arguments.kw_defaults):
        if part is not None:
            for each in ast.walk(part):
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load):
                    yield each.id


def _globals_of(code: types.CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _globals_of(constant)


def _definition_of(name: str, value: object) -> str | None:
    """A statement that binds the name to the same value in an engine; None if impossible."""
    if isinstance(value, types.ModuleType):
        return None if is_local(value.__name__) else f"import {value.__name__} as {name}"
    literal = _literal(value, [])
    if literal is not None:
        return f"{name} = {literal}"
    module = getattr(value, "__module__", None)
    own = getattr(value, "__name__", None)
    if isinstance(module, str) and isinstance(own, str) and not is_local(module):
        if getattr(sys.modules.get(module, builtins), own, None) is value:
            return f"from {module} import {own} as {name}"
    return None


_BRACKETS = {"list": ("[", "]"), "tuple": ("(", ",)"), "set": ("{", "}")}


def _literal(value: UserObject, around: list[int]) -> str | None:
    """An expression for a constant, or for a container of constants; None if impossible."""
    kind = type(value)
    if value is None or value is Ellipsis or kind in (bool, int, str, bytes):
        return repr(value)
    if kind is float:
        return repr(value) if math.isfinite(value) else f'float("{value!r}")'
    if kind is complex:
        parts = (_literal(value.real, []), _literal(value.imag, []))
        return f"complex({parts[0]}, {parts[1]})"
    if id(value) in around:  # a container that contains itself
        return None
    around = [*around, id(value)]
    if kind is dict:
        pairs = [(_literal(key, around), _literal(each, around)) for key, each in value.items()]
        if any(None in pair for pair in pairs):
            return None
        return "{" + ", ".join(f"{key}: {each}" for key, each in pairs) + "}"
    if kind in (list, tuple, set, frozenset):
        items = [_literal(each, around) for each in value]
        if None in items:
            return None
        listed = ", ".join(map(str, items))
        if kind is frozenset or not items:
            return f"{kind.__name__}([{listed}])"
        first, last = _BRACKETS[kind.__name__]
        return first + listed + last
    return None
