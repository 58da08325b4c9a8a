"""How exceptions of scripts are put into words."""

import os
import sys
import traceback

import _oml_epe

SCRIPT_MODULES = "oml_epe_script."  # prefix of the names of modules that hold scripts

_RUNTIME_FILE = "<oml_epe runtime "
_LONGEST_MESSAGE = 32768
_LONGEST_TRACEBACK = 8192


class EpeError(_oml_epe.Error):
    """An error of ours: its text is the message, as it stands.

    Parameters
    ----------
    message : str
        Primary message, in PostgreSQL's style.
    sqlstate, detail, hint : str
        The other fields; empty ones are left out.
    """

    def __init__(self, message, *, sqlstate="38000", detail="", hint=""):
        super().__init__(message)
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint


def _shorten(text, limit):
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"


def _leave_out_runtime(description, seen):
    """Drop our own frames, in the whole chain of exceptions."""
    while description is not None and id(description) not in seen:
        seen.add(id(description))
        description.stack[:] = [
            frame for frame in description.stack if not frame.filename.startswith(_RUNTIME_FILE)
        ]
        for part in getattr(description, "exceptions", None) or ():
            _leave_out_runtime(part, seen)
        _leave_out_runtime(description.__context__, seen)
        description = description.__cause__


def _is_ours(exception):
    """Whether the exception's text is a message as it stands."""
    if isinstance(exception, _oml_epe.Error):
        return True
    return type(exception).__module__.startswith("_oml_epe_runtime.")


def _encodable(text):
    """Make lone surrogates visible: they have no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _input_of(exception):
    """The first argument of the script's function in which an exception was raised, or None."""
    traceback_ = exception.__traceback__
    while traceback_ is not None:
        frame = traceback_.tb_frame
        code = frame.f_code
        if code.co_filename.startswith("<oml_epe script ") and code.co_argcount > 0:
            return frame.f_locals.get(code.co_varnames[0])
        traceback_ = traceback_.tb_next
    return None


def _similar(name, names):
    """The name that differs from another at most in case."""
    return [each for each in names if isinstance(each, str) and each.casefold() == name.casefold()]


def _hint_of_input(exception):
    data = _input_of(exception)
    if type(data).__module__ == "numpy" and type(data).__name__ == "ndarray":
        if isinstance(exception, (IndexError, AttributeError, KeyError)):
            return (
                "The input is a numpy.ndarray, since all its columns are numeric. To get a frame, "
                'add "oml_input_type": "pandas.DataFrame" to par_lst.'
            )
    columns = getattr(data, "columns", None)
    if columns is None and isinstance(data, dict):
        columns = data
    if columns is None or not isinstance(exception, (KeyError, AttributeError)):
        return ""
    wanted = getattr(exception, "name", None) if isinstance(exception, AttributeError) else None
    if isinstance(exception, KeyError) and exception.args:
        wanted = exception.args[0]
    if not isinstance(wanted, str):
        return ""
    found = _similar(wanted, list(columns))
    if not found or wanted in found:
        return ""
    return f'The input has the column "{found[0]}": names of columns are case-sensitive in Python.'


def _hint_of_module(exception):
    environment = os.path.basename(sys.prefix) if sys.prefix != sys.base_prefix else ""
    where = f'environment "{environment}"' if environment else "the server's own Python"
    name = (exception.name or "").partition(".")[0]
    return (
        f'The call ran in {where}, which lacks "{name}". Install it there, or give the env_name of '
        "an environment that has it: SELECT * FROM pyq_list_envs() lists them."
    )


def hint_of(exception):
    """What helps with the first mistakes; empty for others."""
    try:
        if isinstance(exception, ModuleNotFoundError):
            return _hint_of_module(exception)
        if isinstance(exception, (IndexError, KeyError, AttributeError)):
            return _hint_of_input(exception)
    except Exception:  # whatever the script's objects do
        return ""
    return ""


def describe(exception):
    """Return (message, traceback) of an exception; the traceback may be empty."""
    try:
        message, lines = _describe(exception)
    except Exception:  # attributes of the exception raise
        message, lines = f"{type(exception).__name__}: {exception}", ""
    return (
        _shorten(_encodable(message), _LONGEST_MESSAGE),
        _shorten(_encodable(lines), _LONGEST_TRACEBACK),
    )


def _describe(exception):
    description = traceback.TracebackException.from_exception(exception)
    _leave_out_runtime(description, set())
    only = "".join(description.format_exception_only())
    lines = "".join(description.format())
    module = type(exception).__module__
    if isinstance(module, str) and module.startswith(SCRIPT_MODULES):
        # A script's own exception class: its name alone, as if the script was the program.
        shown = only[len(module) + 1 :] if only.startswith(module + ".") else only
    else:
        shown = only
    message = str(exception) if _is_ours(exception) else shown.rstrip("\n")
    has_chain = description.__cause__ is not None or (
        description.__context__ is not None and not description.__suppress_context__
    )
    if not description.stack and not has_chain:
        return message, ""
    # The last line says the message again.
    if lines.endswith(only):
        lines = lines[: -len(only)]
    return message, lines.rstrip("\n")
