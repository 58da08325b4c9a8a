"""Private modules that have moved: pickles of version 1.0 and of its successors name them.

An object pickled by reference, such as a script's reference to oml.cursor(), is loaded by the
name of the module that defined it then. The old names are resolved, but nothing is at their paths.
"""

from __future__ import annotations

import importlib
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: Name up to 1.1.0 -> name.
MOVED = {
    "oml._session": "oml._db.connection",
    "oml._client": "oml._db.client",
    "oml._connecting": "oml._db.connect",
    "oml._cursor": "oml._db.cursor",
    "oml._parameters": "oml._db.parameters",
    "oml._values": "oml._db.text_values",
    "oml._errors": "oml._db.errors",
    "oml._fast_copy": "oml._db.copy_messages",
    "oml._targets": "oml._db.targets",
    "oml._pull": "oml._transfer.pull",
    "oml._copy": "oml._transfer.copy_reader",
    "oml._writing": "oml._transfer.push",
    "oml._pickles": "oml._transfer.pickles",
    "oml._batches": "oml._transfer.batch_reader",
    "oml._batch_writing": "oml._transfer.batch_writer",
    "oml._arrow": "oml._transfer.arrow",
    "oml._relations": "oml._catalog.relations",
    "oml._grants": "oml._catalog.grants",
    "oml._listing": "oml._catalog.listing",
    "oml._trust": "oml._catalog.trust",
    "oml._jobs": "oml._catalog.jobs",
    "oml.core._classes": "oml.core._types",
    "oml.core._source": "oml.core._query",
    "oml.core._joins": "oml.core._operations.joins",
    "oml.core._pivot": "oml.core._operations.pivot",
    "oml.core._products": "oml.core._operations.products",
    "oml.core._replacing": "oml.core._operations.replacement",
    "oml.core._running": "oml.core._operations.running_sums",
    "oml.core._splits": "oml.core._operations.splits",
    "oml.core._moments": "oml.core._operations.moments",
    "oml.core._casts": "oml.core._operations.casts",
    "oml.core._correlation": "oml.core._operations.correlation",
    "oml.core._cutting": "oml.core._operations.bins",
    "oml.core._describing": "oml.core._operations.summary",
    "oml.core._formats": "oml.core._time_formats",
    "oml.embed._listening": "oml.embed._notices",
    "oml.embed._pickling": "oml.embed._pickles",
}


class _Loader:
    """Loads a moved module under its old name: the same module object."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(MOVED[spec.name])
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has set that of the old name


def spec_of(name: str) -> ModuleSpec | None:
    """Return how to import a module under its old name; None if no module had that name."""
    loader: Any = _Loader()  # importlib takes any object with these two methods
    return ModuleSpec(name, loader) if name in MOVED else None
