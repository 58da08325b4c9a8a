"""Compiles scripts and finds the function to call in them (compatibility.md, SQL-62)."""

import __future__

import ast
import functools
import linecache
import re
import sys
import types

from _oml_epe_runtime.errors import LONGEST_LINE, SCRIPT_MODULES, EpeError

# Parser and compiler cannot be interrupted, and the cost of some sources is the square of their
# length: 1 MB of "def f(): 0" takes minutes. So a long source is parsed and compiled in pieces of
# whole top-level statements, with a check for a cancel between them.
_LONG = 1 << 16  # characters
_STATEMENTS = 256  # compiled at a time
# Possible start of a top-level statement.
_BEGINNING = re.compile(r"\n(?=[^\s#)\]}])(?!(?:else|elif|except|finally)\b)")


def _parse(source, filename):
    """Return the statements of a source."""
    if len(source) <= _LONG:
        return ast.parse(source, filename).body
    source = source.replace("\r\n", "\n").replace("\r", "\n")  # like the parser
    statements = []
    first = lines = 0
    size = _LONG
    while first < len(source):
        cut = _BEGINNING.search(source, min(first + size, len(source)))
        end = cut.end() if cut else len(source)
        try:
            # The empty lines preserve the line numbers of the nodes.
            piece = ast.parse("\n" * lines + source[first:end], filename)
        except SyntaxError:
            if end == len(source):
                break
            size *= 2  # within a string or brackets; or there is an error
            continue
        statements += piece.body
        lines += source.count("\n", first, end)
        first = end
        size = _LONG
    else:
        return statements
    return ast.parse(source, filename).body  # for the message


def _future_flags(statements):
    """The compiler's flags for the future statements, with the number of these."""
    flags = count = 0
    for node in statements:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.ImportFrom) and node.module == "__future__" and node.level == 0:
            for alias in node.names:
                feature = getattr(__future__, alias.name, None)
                flags |= getattr(feature, "compiler_flag", 0)
        elif not is_docstring or count > 0:
            break
        count += 1
    return flags, count


def _annotates(statements):
    """Whether statements have an annotated assignment outside of functions and classes."""
    for node in statements:
        if isinstance(node, ast.AnnAssign):
            return True
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for part in ("body", "handlers", "orelse", "finalbody", "cases"):
            inner = getattr(node, part, None)
            if isinstance(inner, list) and _annotates(inner):
                return True
    return False


def _cuts(statements, futures):
    """Where the pieces begin that a module is compiled in; the first has all future statements.

    A future statement in a later piece is the compiler's error, as in a whole module.
    """
    # One function computes the annotations of a module from Python 3.14 on.
    if len(statements) <= _STATEMENTS or (sys.version_info >= (3, 14) and _annotates(statements)):
        return [0]
    return [0, *range(max(futures, _STATEMENTS), len(statements), _STATEMENTS)]


def _module(statements, is_first):
    """A piece of a module; a docstring can only be in the first one."""
    if not is_first:
        statements = [ast.copy_location(ast.Pass(), statements[0]), *statements]
    return ast.Module(body=statements, type_ignores=[])


def _compile(name, filename, source):
    """Return the statements and their code in pieces.

    Raises EpeError with line, text and caret.
    """
    try:
        statements = _parse(source, filename)
        flags, futures = _future_flags(statements)
        cuts = _cuts(statements, futures)
        # Only the compiler finds all errors ("return" outside a function).
        return statements, [
            compile(
                _module(statements[first:end], first == 0),
                filename,
                "exec",
                flags,
                dont_inherit=True,
            )
            for first, end in zip(cuts, [*cuts[1:], len(statements)])
        ]
    except SyntaxError as error:
        detail = f"Line {error.lineno}: " if error.lineno else ""
        detail += f"{type(error).__name__}: {error.msg}"
        if error.text:
            text = error.text[:LONGEST_LINE].rstrip("\n")
            stripped = text.lstrip(" \t\f")
            detail += f"\n    {stripped}"
            column = (error.offset or 0) - 1 - (len(text) - len(stripped))
            if column >= 0:
                detail += f"\n    {' ' * min(column, len(stripped))}^"
        message = error.msg
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        detail = f"{type(error).__name__}: {error}"
        message = "the compiler gave up"
    raise EpeError(f'script "{name}" does not compile: {message}', sqlstate="22023", detail=detail)


def _targets(node):
    """Names that an assignment to `node` binds."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, (ast.Tuple, ast.List)):
        for element in node.elts:
            yield from _targets(element)
    elif isinstance(node, ast.Starred):
        yield from _targets(node.value)


_NEVER_CALLABLE = (
    ast.Constant,
    ast.JoinedStr,
    ast.List,
    ast.Dict,
    ast.Set,
    ast.Compare,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


def _definitions(statements):
    """Yield (name, is_class) for possible definitions in the module body, in order; no imports."""
    for node in statements:
        if isinstance(node, ast.AsyncFunctionDef):
            continue  # calling it runs nothing
        if isinstance(node, ast.FunctionDef):
            yield node.name, False
        elif isinstance(node, ast.ClassDef):
            yield node.name, True
        elif isinstance(node, ast.Assign):
            if not isinstance(node.value, _NEVER_CALLABLE):
                for target in node.targets:
                    for name in _targets(target):
                        yield name, False
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None and not isinstance(node.value, _NEVER_CALLABLE):
                for name in _targets(node.target):
                    yield name, False
        else:  # if, try, with, for, while: their bodies are top level too
            for part in ("body", "handlers", "orelse", "finalbody"):
                inner = getattr(node, part, None)
                if isinstance(inner, list):
                    yield from _definitions(inner)


def _nothing_to_call(name, statements):
    """The error for a script without a function; its hint has the first lines of one."""
    for node in statements:
        if isinstance(node, ast.AsyncFunctionDef):
            return EpeError(
                f'script "{name}" defines no function but async function "{node.name}"',
                sqlstate="22023",
                hint="An engine calls the function and does not await what it returns. Write a "
                "function that is not async, and call asyncio.run() in it.",
            )
    return EpeError(
        f'script "{name}" defines no function',
        sqlstate="22023",
        hint="A script is a function definition (not async), or an assignment of a lambda, "
        f"at top level. Write: def {name if name.isidentifier() else 'f'}(...): ..., and return "
        "the result.",
    )


def check(name, source):
    """Raise EpeError unless the text compiles and defines a callable; run nothing."""
    source = source.removeprefix("\ufeff")
    statements, _ = _compile(name, f"<oml_epe script {name}>", source)
    if not any(True for _ in _definitions(statements)):
        raise _nothing_to_call(name, statements)


def _choose(name, statements, namespace):
    """The function named like the script, else the last one, else the last class."""
    functions = []
    classes = []
    for defined, _ in _definitions(statements):
        value = namespace.get(defined)
        if isinstance(value, type):
            classes.append((defined, value))
        elif callable(value):
            functions.append((defined, value))
    for candidates in (functions, classes):
        for defined, value in candidates:
            if defined == name:
                return value
    for candidates in (functions, classes):
        if candidates:
            return candidates[-1][1]
    raise _nothing_to_call(name, statements)


def forget_all():
    """Drop the modules and the source lines of all scripts, also of those that failed."""
    for names, prefix in ((sys.modules, SCRIPT_MODULES), (linecache.cache, "<oml_epe script ")):
        for name in [name for name in names if name.startswith(prefix)]:
            del names[name]


def _package(name):
    """The package of the modules of scripts, so that their definitions can be pickled by name."""
    package = sys.modules.get(name)
    if package is None:
        package = types.ModuleType(name)
        package.__path__ = []
        # Not as attributes of the package, which would keep dropped scripts.
        package.__getattr__ = functools.partial(_module_below, name)
        sys.modules[name] = package
    return package


def _module_below(package, name):
    try:
        return sys.modules[f"{package}.{name}"]
    except KeyError:
        raise AttributeError(f"module {package!r} has no attribute {name!r}") from None


def package_of_scripts():
    """Return the package of the modules of all scripts."""
    return _package(SCRIPT_MODULES.rstrip("."))


def _make_parents(name):
    """Make the parent packages of a module. Names of roles and of scripts may contain dots."""
    parts = name.split(".")
    for count in range(1, len(parts)):
        _package(".".join(parts[:count]))


def load(owner, name, source):
    """Execute the text of a script as a module of its own and return its callable."""
    source = source.removeprefix("\ufeff")
    filename = f"<oml_epe script {owner}.{name}>"
    statements, pieces = _compile(name, filename, source)
    # Tracebacks show the script's own lines; an entry without a time is never checked.
    lines = [line + "\n" for line in source.splitlines()]
    linecache.cache[filename] = (len(source), None, lines, filename)
    # A real module, so that dataclasses, pickle and typing find the script's own names.
    module = types.ModuleType(f"{SCRIPT_MODULES}{owner}.{name}")
    module.__file__ = filename
    _make_parents(module.__name__)
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    try:
        for code in pieces:
            exec(code, module.__dict__)
        return _choose(name, statements, module.__dict__)
    except BaseException:
        if before is None:
            sys.modules.pop(module.__name__, None)
        else:
            sys.modules[module.__name__] = before
        raise
