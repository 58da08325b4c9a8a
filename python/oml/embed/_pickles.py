"""Pickles functions and arguments for engines."""

from __future__ import annotations

import functools
import importlib
import io
import json
import pickle
import sys
import types
import weakref
from typing import TYPE_CHECKING, NamedTuple

from oml import _portable
from oml._db import connection as db

if TYPE_CHECKING:
    from oml._annotations import Reduced, UserObject

#: Types of functions and classes, which a plain pickle references by name only.
_NAMED = (type, types.FunctionType)
_PREFIXES = ("oml_epe_script.",)  # modules of scripts
_OURS = frozenset(("oml", "_oml_epe", "_oml_epe_runtime"))


class EngineFacts(NamedTuple):
    """Properties of the engines' Python.

    Attributes
    ----------
    python : str
        Its minor version, "3.11".
    cloudpickle : str
        Major version of its cloudpickle, empty if not installed.
    """

    python: str
    cloudpickle: str


_FACTS_SOURCE = """\
def facts():
    import sys
    try:
        from cloudpickle import __version__ as version
    except ImportError:
        version = ""
    return f"{sys.version_info[0]}.{sys.version_info[1]} {version.partition('.')[0]}"
"""

#: By environment; None is the default one.
_Facts = dict["str | None", EngineFacts]
_facts_of_clients: weakref.WeakKeyDictionary[db.Connection, _Facts] = weakref.WeakKeyDictionary()
_facts_of_engine: _Facts = {}


def engine_facts(environment: str | None) -> EngineFacts:
    """Query an engine of the current connection for its Python, once per environment."""
    connection = db.connection()
    known = _facts_of_engine
    if not connection.is_embedded:
        known = _facts_of_clients.setdefault(connection, {})
    if environment not in known:
        rows = connection.query(
            "SELECT f FROM pyqsys.apply(cut => 'eval', out_row => NULL::pg_catalog.text, "
            "scr_name => 'facts', source => $1, env_name => $2) AS f",
            (_FACTS_SOURCE, environment),
        )[1]
        known[environment] = EngineFacts(*rows[0][0].split(" "))
    return known[environment]


_VERSIONS_SOURCE = """\
def versions(names):
    from oml import _portable
    found = {name: _portable.version_of(name) for name in names}
    return {"python": _portable.python_version(), **{n: v for n, v in found.items() if v}}
"""


def versions_in_engine(names: list[str], environment: str | None) -> dict[str, str]:
    """Query an engine for the versions of Python and of the packages of these modules."""
    rows = db.connection().query(
        "SELECT f FROM pyqsys.apply(cut => 'eval', out_row => NULL::pg_catalog.jsonb, "
        "scr_name => 'versions', source => $1, par_lst => $2, env_name => $3) AS f",
        (_VERSIONS_SOURCE, json.dumps({"names": names}), environment),
    )[1]
    found = rows[0][0]
    return {str(name): str(version) for name, version in found.items()}


def why_not_cloudpickle(environment: str | None = None) -> str:
    """Return the reason why functions cannot be sent by value to an environment, "" if they can."""
    try:
        cloudpickle = importlib.import_module("cloudpickle")
    except ImportError:
        return "cloudpickle is not installed on this side"
    here = _portable.python_version()
    there = engine_facts(environment)
    if there.python != here:
        return f"engines run Python {there.python}, this is Python {here}"
    if not there.cloudpickle:
        where = f'the environment "{environment}"' if environment else "the server's Python"
        return f"cloudpickle is not installed for {where}"
    if there.cloudpickle != cloudpickle.__version__.partition(".")[0]:
        return "the server has another major version of cloudpickle"
    return ""


# -------------------------------------------------------------------------------- local modules


def is_local(module_name: str | None) -> bool:
    """Whether engines may lack a module: it is neither part of Python nor installed."""
    if module_name is None or module_name in ("__main__", "__mp_main__"):
        return True
    root = module_name.partition(".")[0]
    if module_name.startswith(_PREFIXES):
        return True
    return root not in _OURS and _is_local_root(root)


@functools.cache
def _is_local_root(root: str) -> bool:
    module = sys.modules.get(root)
    if root in sys.builtin_module_names or root in getattr(sys, "stdlib_module_names", ()):
        return False
    path = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    if path is None:
        return True
    parts = path.replace("\\", "/").split("/")
    if "site-packages" in parts or "dist-packages" in parts:
        return False
    import sysconfig

    return not path.startswith(sysconfig.get_path("stdlib"))


class _NeedsValueError(Exception):
    """A pickle would reference a module that engines do not have."""


class _PlainPickler(_portable.Pickler):
    """Pickles objects that engines can load without cloudpickle."""

    def reducer_override(self, value: object) -> Reduced:
        if isinstance(value, _NAMED) and is_local(getattr(value, "__module__", None)):
            name = getattr(value, "__qualname__", repr(value))
            raise _NeedsValueError(f'"{name}" is defined only on this side')
        return super().reducer_override(value)


_FAILURES = (_NeedsValueError, pickle.PicklingError, TypeError, AttributeError)


def _describe(content: dict[str, UserObject]) -> str:
    """Describe the argument that cannot be pickled."""
    for name, value in content["arguments"].items():
        try:
            _PlainPickler(io.BytesIO()).dump(value)
        except Exception:
            return f'argument "{name}" of type {type(value).__name__}'
    return "the function"


def pack(content: dict[str, UserObject], environment: str | None = None) -> bytes:
    """Pickle {"arguments": ..., "function": ...} for src/py/runtime/pickles.py.

    Parameters
    ----------
    content : dict
    environment : str, optional
        Environment of the engine that loads it.

    Raises
    ------
    TypeError
        An object cannot be sent.
    """
    header: dict[str, object] = {"python": _portable.python_version(), "cloudpickle": False}
    file = io.BytesIO()
    try:
        pickler = _PlainPickler(file)
        pickler.dump(content)
        return _with_header(header, file, pickler.packages)
    except _FAILURES as error:
        cause = error
    reason = why_not_cloudpickle(environment)
    if not reason:
        header["cloudpickle"] = True
        file = io.BytesIO()
        try:
            packages = _portable.dump_by_value(content, file, is_local)
        except Exception as error:
            raise TypeError(f"{_describe(content)} cannot be pickled: {error}") from error
        return _with_header(header, file, packages)
    raise TypeError(f"{_describe(content)} cannot be sent: {cause}; {reason}") from None


def _with_header(
    header: dict[str, object], file: io.BytesIO, packages: _portable.Packages
) -> bytes:
    header["versions"] = packages.versions()
    return json.dumps(header).encode() + b"\n" + file.getvalue()
