"""Formats the exceptions of scripts, at a cost that does not depend on their size.

A traceback has one entry per active call, a cause or a context may have one of its own, a group has
members: all of them are counted, but only the ones that are shown are formatted. The text of one
exception (message, notes, position of a syntax error) is truncated.
"""

import contextlib
import itertools
import linecache
import os
import sys
import traceback

import _oml_epe

SCRIPT_MODULES = "oml_epe_script."  # name prefix of the modules of scripts

_RUNTIME_FILE = "<oml_epe runtime "
LONGEST_MESSAGE = 32768
_LONGEST_TRACEBACK = 8192
_OUTERMOST = 20  # frames of a traceback that are shown
_INNERMOST = 60
_MOST_EXCEPTIONS = 16  # causes, contexts and members of groups, all together
_MOST_MEMBERS = 5  # of one group
_MOST_NOTES = 10
LONGEST_LINE = 400  # of source
_MOST_LINES = 100  # of an expression that is marked
_LONGEST_CODE = 20000  # bytes of a function up to the position, for the marks below its line
_LARGEST_FILE = 10 << 20
_LONGEST_NAME = 256  # of a column, in hints; PostgreSQL's are shorter
_MOST_COLUMNS = 2000  # examined for hints; PostgreSQL has fewer
_DEEPEST = 10_000

_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"


class EpeError(_oml_epe.Error):
    """An error of oml_epe itself: its text is the complete message.

    Parameters
    ----------
    message : str
        Primary message, in PostgreSQL's style.
    sqlstate, detail, hint : str
        The other fields; empty ones are omitted.
    """

    def __init__(self, message, *, sqlstate="38000", detail="", hint=""):
        super().__init__(message)
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint


@contextlib.contextmanager
def bounded_recursion():
    """Limit the recursion depth of a call, regardless of the limit that the script has set.

    Functions in C that call themselves (repr, pickle, join) would overflow the stack.
    """
    limit = sys.getrecursionlimit()
    if limit <= _DEEPEST:
        yield
        return
    sys.setrecursionlimit(_DEEPEST)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def shorten(text, limit):
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"


def _cut_line(text):
    return text if len(text) <= LONGEST_LINE else text[:LONGEST_LINE] + " ..."


def encodable(text):
    """Escape lone surrogates, which cannot be encoded as UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


# ------------------------------------------------------------------------------------- attributes

# The base classes' own, which a subclass cannot override.
_attributes = vars(BaseException)
_traceback_of = _attributes["__traceback__"].__get__
_cause_of = _attributes["__cause__"].__get__
_context_of = _attributes["__context__"].__get__
_is_context_hidden = _attributes["__suppress_context__"].__get__
try:
    _members_of = BaseExceptionGroup.exceptions.__get__
except NameError:  # before Python 3.11

    class BaseExceptionGroup:
        """A class without instances."""


def _is_ours(exception):
    """Whether the exception's text is a complete message."""
    if isinstance(exception, _oml_epe.Error):
        return True
    module = _attribute_of_type(exception, "__module__")
    return isinstance(module, str) and module.startswith("_oml_epe_runtime.")


def _attribute_of_type(exception, name):
    try:
        return type.__getattribute__(type(exception), name)
    except Exception:
        return None


def _text_of(value):
    """str(value), truncated; a placeholder when it raises."""
    try:
        text = str(value)
    except Exception:
        return "<exception str() failed>"
    return shorten(str.__str__(text), LONGEST_MESSAGE)


# ----------------------------------------------------------------------------------------- frames


def _shown_entries(entry):
    """The outermost and the innermost entries of a traceback, and the number between them.

    Entries of the runtime itself are skipped.
    """
    # _oml_epe follows the pointers: a traceback may have a million entries.
    first, omitted, last = _oml_epe.traceback_ends(entry, _RUNTIME_FILE, _OUTERMOST, _INNERMOST)
    return first, omitted, last


def _source_line(filename, number, names):
    # An entry may name any file, and linecache reads all of it.
    try:
        if filename not in linecache.cache and os.path.exists(filename):
            if not os.path.isfile(filename) or os.path.getsize(filename) > _LARGEST_FILE:
                return ""
        return linecache.getline(filename, number, names)
    except Exception:
        return ""


def _lines_up_to(entry, end, line):
    """The source up to line `end`, for the marks of Python 3.13 and later, or (line, None)."""
    number, names = entry.tb_lineno, entry.tb_frame.f_globals
    if sys.version_info < (3, 13) or number is None or end is None or end <= number:
        return line, end
    last = min(end, number + _MOST_LINES)
    filename = entry.tb_frame.f_code.co_filename
    lines = [line, *(_source_line(filename, each, names) for each in range(number + 1, last + 1))]
    known = last == end and all(0 < len(each) <= LONGEST_LINE for each in lines)
    return ("".join(lines), end) if known else (line, None)


def _summaries(entries):
    """FrameSummary objects with the source line of each entry."""
    found = []
    for entry in entries:
        code = entry.tb_frame.f_code
        number = entry.tb_lineno
        line = _source_line(code.co_filename, number, entry.tb_frame.f_globals)
        positions = {}
        if len(line) > LONGEST_LINE:
            # Without the marks below it, which would be as long as the line.
            line = _cut_line(line)
        elif hasattr(code, "co_positions") and entry.tb_lasti < _LONGEST_CODE:
            place = next(
                itertools.islice(code.co_positions(), entry.tb_lasti // 2, None), (None,) * 4
            )
            line, end = _lines_up_to(entry, place[1], line)
            if end is not None:
                positions = {"end_lineno": end, "colno": place[2], "end_colno": place[3]}
        found.append(
            traceback.FrameSummary(
                code.co_filename,
                number or 0,
                code.co_name,
                lookup_line=False,
                line=line,
                **positions,
            )
        )
    return found


def _format_frames(summaries):
    try:
        return traceback.StackSummary.from_list(summaries).format()
    except Exception:
        # Marks that do not fit the source: the report omits them.
        plain = [(each.filename, each.lineno, each.name, "") for each in summaries]
        return traceback.StackSummary.from_list(plain).format()


def _format_traceback(entry):
    """The lines of a traceback; empty when all of its frames belong to the runtime."""
    if entry is None:
        return []
    first, omitted, last = _shown_entries(entry)
    if not first:
        return []
    lines = ["Traceback (most recent call last):\n"]
    if omitted:
        lines += _format_frames(_summaries(first))
        lines.append(f"  ... {omitted} frames omitted ...\n")
        lines += _format_frames(_summaries(last))
    else:
        lines += _format_frames(_summaries(first + last))
    return lines


# -------------------------------------------------------------------------------------- exceptions


def _format_only(exception):
    """The lines of an exception, without its traceback."""
    if isinstance(exception, SyntaxError):
        return _format_syntax(exception)
    name = _attribute_of_type(exception, "__qualname__")
    module = _attribute_of_type(exception, "__module__")
    name = name if isinstance(name, str) else "<unknown>"
    if isinstance(module, str) and module not in ("builtins", "__main__"):
        # A script's own class: only its name, as if the script were the program.
        name = name if module.startswith(SCRIPT_MODULES) else f"{module}.{name}"
    text = _text_of(exception)
    text += _suggestion_for(exception)
    lines = [f"{name}: {text}\n" if text else f"{name}\n"]
    return lines + _format_notes(exception)


def _suggestion_for(exception):
    """The suggestion that Python 3.12 and later append for an unknown name."""
    suggest = getattr(traceback, "_compute_suggestion_error", None)
    if suggest is None or not isinstance(exception, (NameError, AttributeError, ImportError)):
        return ""
    field = "name_from" if isinstance(exception, ImportError) else "name"
    try:
        wrong = getattr(exception, field, None)
        last = _oml_epe.traceback_ends(_traceback_of(exception), "", 0, 1)[2]
        found = suggest(exception, last[0] if last else None, wrong) if wrong is not None else None
    except Exception:
        return ""
    return f". Did you mean: '{found}'?" if found else ""


def _format_syntax(exception):
    """Like the traceback module, from fields that are checked first."""
    fields = {}
    for field in ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset"):
        try:
            fields[field] = getattr(SyntaxError, field).__get__(exception)
        except Exception:
            fields[field] = None
    lines = []
    if isinstance(fields["lineno"], int):
        name = fields["filename"] if isinstance(fields["filename"], str) else "<string>"
        lines.append(f'  File "{_cut_line(name)}", line {fields["lineno"]}\n')
    text = fields["text"]
    if isinstance(text, str):
        shown = text[: 2 * LONGEST_LINE].rstrip("\n").split("\n")[0]
        stripped = shown.lstrip(" \t\f")
        lines.append(f"    {_cut_line(stripped)}\n")
        offset = fields["offset"]
        if isinstance(offset, int):
            column = min(offset, len(shown) + 1) - 1 - (len(shown) - len(stripped))
            end = fields["end_offset"] if fields["end_lineno"] == fields["lineno"] else None
            width = end - offset if isinstance(end, int) and end > offset else 1
            if 0 <= column < LONGEST_LINE:
                width = max(1, min(width, len(stripped) - column))
                lines.append(f"    {' ' * column}{'^' * width}\n")
    message = fields["msg"]
    text = (
        shorten(message, LONGEST_MESSAGE) if isinstance(message, str) else "<no detail available>"
    )
    name = _attribute_of_type(exception, "__name__")
    return [*lines, f"{name}: {text}\n", *_format_notes(exception)]


def _format_notes(exception):
    try:
        notes = exception.__notes__
    except AttributeError:
        return []
    except Exception as problem:
        return [f"Ignored error getting __notes__: {_cut_line(_text_of(repr(problem)))}\n"]
    if not isinstance(notes, (list, tuple)):
        return [_text_of(notes) + "\n"]
    lines = [_text_of(note) + "\n" for note in notes[:_MOST_NOTES]]
    if len(notes) > _MOST_NOTES:
        lines.append(f"... {len(notes) - _MOST_NOTES} notes omitted ...\n")
    return lines


class _Report:
    """Formats exceptions up to a maximum number."""

    def __init__(self):
        self.seen = set()

    def chain(self, exception):
        """The exceptions that led to this one, first one first, with the text between them."""
        found = []
        omitted = False
        join = ""
        while exception is not None:
            if id(exception) in self.seen:
                break
            if len(self.seen) >= _MOST_EXCEPTIONS:
                omitted = True
                break
            self.seen.add(id(exception))
            found.append((exception, join))
            cause = _cause_of(exception)
            if cause is not None:
                exception, join = cause, _CAUSE
            elif not _is_context_hidden(exception):
                exception, join = _context_of(exception), _CONTEXT
            else:
                exception = None
        return found[::-1], omitted

    def format(self, exception, only=None):
        """The lines of an exception and of those that led to it; `only` are its own last ones."""
        found, omitted = self.chain(exception)
        lines = ["... earlier exceptions omitted ...\n"] if omitted else []
        for each, join in found:
            lines += _format_traceback(_traceback_of(each))
            lines += only if each is exception and only is not None else _format_only(each)
            lines += self._members(each)
            if join:
                lines.append(join)
        return lines

    def _members(self, exception):
        if not isinstance(exception, BaseExceptionGroup):
            return []
        members = _members_of(exception)
        lines = []
        for number, member in enumerate(members[:_MOST_MEMBERS], 1):
            if len(self.seen) >= _MOST_EXCEPTIONS:
                break
            lines.append(f"  +-+---------------- {number} ----------------\n")
            for line in "".join(self.format(member)).splitlines():
                lines.append(f"    | {line}\n")
        shown = sum(line.startswith("  +-+-") for line in lines)
        if len(members) > shown:
            lines.append(f"    ... {len(members) - shown} exceptions omitted ...\n")
        return lines


def _input_of(exception):
    """The first argument of the script's function in which an exception was raised, or None."""
    outermost = _oml_epe.traceback_ends(_traceback_of(exception), _RUNTIME_FILE, _OUTERMOST, 0)[0]
    for entry in outermost:
        frame = entry.tb_frame
        code = frame.f_code
        if code.co_filename.startswith("<oml_epe script ") and code.co_argcount > 0:
            return frame.f_locals.get(code.co_varnames[0])
    return None


def _similar(name, names):
    """The names that equal another one, ignoring case."""
    names = [each for each in names if isinstance(each, str) and len(each) <= _LONGEST_NAME]
    return [each for each in names if each.casefold() == name.casefold()]


def _hint_of_input(exception):
    data = _input_of(exception)
    if type(data).__module__ == "numpy" and type(data).__name__ == "ndarray":
        if isinstance(exception, (IndexError, AttributeError, KeyError)):
            return (
                "The input is a numpy.ndarray, since all its columns are numeric. To get a frame, "
                'add "oml_input_type": "pandas.DataFrame" to par_lst; in package oml, give '
                'oml_input_type="pandas.DataFrame".'
            )
    columns = getattr(data, "columns", None)
    if columns is None and isinstance(data, dict):
        columns = data
    if columns is None or not isinstance(exception, (KeyError, AttributeError)):
        return ""
    wanted = getattr(exception, "name", None) if isinstance(exception, AttributeError) else None
    if isinstance(exception, KeyError) and exception.args:
        wanted = exception.args[0]
    if not isinstance(wanted, str) or len(wanted) > _LONGEST_NAME:
        return ""
    found = _similar(wanted, itertools.islice(columns, _MOST_COLUMNS))
    if not found or wanted in found:
        return ""
    return f'The input has the column "{found[0]}": names of columns are case-sensitive in Python.'


def _missing_module(exception):
    """The missing package of an environment; empty when only a part of a package is missing."""
    if isinstance(exception, EpeError):
        return getattr(exception, "missing_module", "")
    name = exception.name
    if not isinstance(name, str):
        return ""
    package = name[: _LONGEST_NAME + 1].partition(".")[0]
    return "" if package in sys.modules or len(package) > _LONGEST_NAME else package


def help_of(exception):
    """Return help for common mistakes, (hint, missing module); empty for others.

    The environments with that module are found by the backend, which can read them.
    """
    hint = module = ""
    try:
        with bounded_recursion():
            if isinstance(exception, (ModuleNotFoundError, EpeError)):
                module = _missing_module(exception)
            elif isinstance(exception, (IndexError, KeyError, AttributeError)):
                hint = _hint_of_input(exception)
        return encodable(hint), encodable(module)
    except Exception:  # the script's objects may raise anything
        return "", ""


def describe(exception):
    """Return (message, traceback) of an exception; the traceback may be empty."""
    with bounded_recursion():
        only = _format_only(exception)
        message = _text_of(exception) if _is_ours(exception) else "".join(only).rstrip("\n")
        # The last line would repeat the message.
        lines = "".join(_Report().format(exception, only=[])).rstrip("\n")
    return (
        shorten(encodable(message), LONGEST_MESSAGE),
        shorten(encodable(lines), _LONGEST_TRACEBACK),
    )
