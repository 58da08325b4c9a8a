"""Python for data in PostgreSQL: the same package inside an oml_epe engine and on a client.

    import oml
    with oml.cursor() as cursor:
        cursor.execute("SELECT name, score FROM grade WHERE year = $1", (97,))
        for name, score in cursor:
            ...

Inside a script, statements run in the transaction and as the user of the call. Only the failed
statement is rolled back, so `DatabaseError` may be caught. On a client, call `connect()` first.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from oml._db.connect import check_embed, connect, cursor, disconnect, isconnected
from oml._db.cursor import Cursor
from oml._db.errors import DatabaseError, ScriptError

if TYPE_CHECKING:  # the names of _LAZY and _MODULES, for type checkers and editors
    from importlib.machinery import ModuleSpec
    from typing import TypeVar

    from oml import core as core
    from oml import ds as ds
    from oml import embed as embed
    from oml import graphics as graphics
    from oml import script as script
    from oml._catalog.grants import grant as grant
    from oml._catalog.grants import revoke as revoke
    from oml._catalog.jobs import output_comments as output_comments
    from oml._catalog.jobs import progress as progress
    from oml._catalog.relations import create as create
    from oml._catalog.relations import dir as dir
    from oml._catalog.relations import drop as drop
    from oml._catalog.relations import push as push
    from oml._catalog.relations import sync as sync
    from oml.core.boolean import Boolean as Boolean
    from oml.core.bytes import Bytes as Bytes
    from oml.core.datetime import Datetime as Datetime
    from oml.core.float import Float as Float
    from oml.core.frame import DataFrame as DataFrame
    from oml.core.integer import Integer as Integer
    from oml.core.string import String as String
    from oml.core.timedelta import Timedelta as Timedelta
    from oml.core.timezone import Timezone as Timezone
    from oml.embed._job_handle import Job as Job
    from oml.embed._job_handle import job as job
    from oml.embed._job_handle import jobs as jobs
    from oml.embed._jobs import submit as submit
    from oml.embed.apply import do_eval as do_eval
    from oml.embed.apply import group_apply as group_apply
    from oml.embed.apply import index_apply as index_apply
    from oml.embed.apply import row_apply as row_apply
    from oml.embed.apply import table_apply as table_apply
    from oml.graphics import boxplot as boxplot
    from oml.graphics import hist as hist
    from oml.script._files import export_script as export_script
    from oml.script._files import import_script as import_script

    _T = TypeVar("_T")

__version__ = "1.1.0"

__all__ = [
    "Cursor",
    "DatabaseError",
    "ScriptError",
    "__version__",
    "check_embed",
    "connect",
    "cursor",
    "disconnect",
    "isconnected",
    "output_comments",
    "progress",
]

# Imported on first use: engines start with this package, and most scripts need little of it.
_LAZY = {
    "Boolean": "oml.core.boolean",
    "Bytes": "oml.core.bytes",
    "DataFrame": "oml.core.frame",
    "Datetime": "oml.core.datetime",
    "Float": "oml.core.float",
    "Integer": "oml.core.integer",
    "Job": "oml.embed._job_handle",
    "String": "oml.core.string",
    "Timedelta": "oml.core.timedelta",
    "Timezone": "oml.core.timezone",
    "create": "oml._catalog.relations",
    "do_eval": "oml.embed.apply",
    "dir": "oml._catalog.relations",
    "drop": "oml._catalog.relations",
    "boxplot": "oml.graphics",
    "export_script": "oml.script._files",
    "grant": "oml._catalog.grants",
    "group_apply": "oml.embed.apply",
    "import_script": "oml.script._files",
    "job": "oml.embed._job_handle",
    "jobs": "oml.embed._job_handle",
    "hist": "oml.graphics",
    "index_apply": "oml.embed.apply",
    "output_comments": "oml._catalog.jobs",
    "progress": "oml._catalog.jobs",
    "push": "oml._catalog.relations",
    "revoke": "oml._catalog.grants",
    "submit": "oml.embed._jobs",
    "row_apply": "oml.embed.apply",
    "sync": "oml._catalog.relations",
    "table_apply": "oml.embed.apply",
}
_MODULES = {"core", "ds", "embed", "graphics", "script"}


class _MovedModules:
    """Finds modules that other finders do not find: pickles name some that have moved."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if not name.startswith("oml."):
            return None
        from oml._moved import spec_of

        return spec_of(name)


if all(getattr(each, "__qualname__", "") != "_MovedModules" for each in sys.meta_path):
    sys.meta_path.append(_MovedModules)


def _public(value: _T) -> _T:
    """Name this package as the home of an object, in pickles and messages."""
    if "._" in value.__module__:
        value.__module__ = "oml"
    return value


for _name in __all__:
    if _name != "__version__" and _name in globals():  # the others are made public when imported
        _public(globals()[_name])
del _name

if not TYPE_CHECKING:  # which would take any name for one of the package's

    def __getattr__(name: str) -> object:
        import importlib

        if name in _LAZY:
            value = _public(getattr(importlib.import_module(_LAZY[name]), name))
        elif name in _MODULES:
            value = importlib.import_module(f"oml.{name}")
        else:
            raise AttributeError(f"module 'oml' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_MODULES})
