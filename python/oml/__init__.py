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

from typing import Any

from oml._connecting import check_embed, connect, cursor, disconnect, isconnected
from oml._cursor import Cursor
from oml._errors import DatabaseError, ScriptError
from oml._jobs import output_comments, progress

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
    "Job": "oml.embed._jobs",
    "String": "oml.core.string",
    "Timedelta": "oml.core.timedelta",
    "Timezone": "oml.core.timezone",
    "create": "oml._relations",
    "do_eval": "oml.embed.apply",
    "dir": "oml._relations",
    "drop": "oml._relations",
    "boxplot": "oml.graphics",
    "export_script": "oml.script._files",
    "grant": "oml._grants",
    "group_apply": "oml.embed.apply",
    "import_script": "oml.script._files",
    "job": "oml.embed._jobs",
    "jobs": "oml.embed._jobs",
    "hist": "oml.graphics",
    "index_apply": "oml.embed.apply",
    "push": "oml._relations",
    "revoke": "oml._grants",
    "submit": "oml.embed._jobs",
    "row_apply": "oml.embed.apply",
    "sync": "oml._relations",
    "table_apply": "oml.embed.apply",
}
_MODULES = {"core", "ds", "embed", "graphics", "script"}


def __getattr__(name: str) -> Any:
    import importlib

    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"oml.{name}")
    else:
        raise AttributeError(f"module 'oml' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
